"""The mapping from names to activations, which a whole file and one prompt of it share."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping
from typing import Any, cast

from numpy.typing import NDArray

from weir._error import NotStored
from weir._names import Key
from weir._store import Point, Store, tame


class Activations(Mapping[Key, NDArray[Any]]):
    """What a file holds, by TransformerLens's names; nothing is read before it is asked for.

    Values have the shapes that TransformerLens's run_with_cache gives. With a batch axis, which is the prompts:

        residual stream, attn_out, mlp_out, embed, norms    [prompt, pos, d_model]
        q, k, v, z                                          [prompt, pos, head, d_head]
        pattern, attn_scores                                [prompt, head, query, key]
        pre, post                                           [prompt, pos, d_mlp]
        scale                                               [prompt, pos, 1]

    They are numpy arrays of float32 (expert_indices: int32), whatever type the file has.
    """

    _store: Store
    _prompt: int | None = None  # None: all, with a batch axis

    def __getitem__(self, key: Key) -> NDArray[Any]:
        """Reads one hook point, by any name that TransformerLens's get_act_name takes, or weir's own.

        Example:

            cache["pattern", 3]                     # layer 3; negative layers count from the end
            cache["blocks.3.attn.hook_pattern"]
            cache["scale", 3, "ln1"]                # the norm in front of attention
            cache["ln_final.hook_normalized"]

        Raises a KeyError that says what is stored, and which names are near.
        """
        place = self._store.find(key)
        return self._read(place.point, () if place.layer is None else (place.layer,))

    def _read(self, point: Point, lead: tuple[Any, ...]) -> NDArray[Any]:
        """The values with `lead` as the index of the layer, if there is one, shaped as TransformerLens has them."""
        index = lead if self._prompt is None else (*lead, *self._cut(point))
        values = point[index]
        return values[..., None] if point.hook_name.endswith("hook_scale") else values

    def _cut(self, point: Point) -> tuple[int | slice, ...]:
        """The index of this prompt, and how much of each axis is its own."""
        assert self._prompt is not None
        ends = self._store.ends(self._prompt)
        own = point.dims[point.dims.index("prompt") + 1 :]
        return (self._prompt, *(slice(ends.get(dim)) for dim in own))

    def _axes(self, point: Point) -> str:
        """Names and sizes of the axes, as in [layer 3, prompt 1, pos 12, d_model 48]; of one prompt, its own."""
        sizes = dict(zip(point.dims, point.shape, strict=True))
        if self._prompt is not None:
            ends = self._store.ends(self._prompt)
            sizes = {dim: ends.get(dim, n) for dim, n in sizes.items() if dim != "prompt"}
        return "[" + ", ".join(f"{dim} {n}" for dim, n in sizes.items()) + "]"

    def __iter__(self) -> Iterator[str]:
        """The full names, in the order in which a pass computes them."""
        return self._store.full_names()

    def keys(self) -> KeysView[str]:
        """The full names."""
        return cast("KeysView[str]", super().keys())

    def items(self) -> ItemsView[str, NDArray[Any]]:
        """Full names and values, each read when its turn comes."""
        return cast("ItemsView[str, NDArray[Any]]", super().items())

    def __len__(self) -> int:
        return sum(1 if p.layers is None else len(p.layers) for p in self.points.values())

    def __contains__(self, key: object) -> bool:
        try:
            self._store.find(key)  # type: ignore[arg-type]
        except (NotStored, TypeError):
            return False
        return True

    def __eq__(self, other: object) -> bool:
        return self is other  # a mapping would read and compare all there is

    __hash__ = object.__hash__

    @property
    def points(self) -> dict[str, Point]:
        """The hook points by weir's short names, as they lie in the file: [layer, prompt, ...], read by indexing.

        Example:

            cache.points["pattern"][3, 0, 5]        # layer 3, prompt 0, head 5: [query, key]; only that is read
        """
        return self._store.points

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self._store.attrs["model"])

    @property
    def config(self) -> dict[str, Any]:
        """The model's configuration, as its own file has it."""
        config: dict[str, Any] = self._store.config
        return config

    @property
    def n_layers(self) -> int:
        """How many layers the model has, whatever was stored."""
        return self._store.n_layers

    @property
    def attrs(self) -> dict[str, Any]:
        """All attributes of the file: family, digest, command, created, dtype, edits and more (docs/store.md)."""
        return self._store.attrs

    @property
    def path(self) -> str:
        """Where the file is."""
        return self._store.path

    def _table(self) -> str:
        """A line a hook point, for __repr__."""
        rows = [(p.name, self._axes(p), p.which_layers(), p.units or "") for p in self.points.values()]
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(4)]
        lines = ("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
        return "".join(f"\n  {tame(line)}" for line in lines)
