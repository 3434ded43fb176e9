"""A cache file: its hook points, its prompts, and what it says of the model."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from weir._error import Error, NotStored
from weir._names import Key, not_stored, parse, ranges
from weir._read import read

SCHEMA = 1  # the version of the layout that is read here (docs/store.md)
ALL = slice(None)
OF_POSITIONS = ("pos", "query")  # axes that have a row for each position that is stored


def tame(text: str) -> str:
    """Text from a file as it may go to a terminal: what does not print as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def text_of(value: Any) -> str:
    r"""Text as h5py gives it; bytes that are not UTF-8 as \xNN."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


class Next(NamedTuple):
    """The most likely next tokens, likeliest first, each [prompt, pos, top], or [pos, top] of one prompt.

    Example:

        cache.next.id[0, -1, 0]         # the likeliest token after the first prompt
    """

    id: NDArray[np.int32]
    logit: NDArray[np.float32]
    logprob: NDArray[np.float32]
    text: NDArray[np.object_]
    """What each of `id` shows as; empty in files of a weir that did not store it."""


class Point:
    """A hook point as it is stored: an array on disk that reads what it is indexed with, and no more.

    `shape` and `dims` are those of the file: [layer, prompt, ...], without layer outside the blocks.

    Example:

        z = cache.points["z"]           # [layer, prompt, pos, head, d_head]
        z[3, 0, :, 5]                   # layer 3, prompt 0, head 5: [pos, d_head]
    """

    def __init__(self, store: Store, dataset: h5py.Dataset) -> None:
        attrs = dataset.attrs
        self._store = store  # which keeps the file open as long as there is a point
        self._dataset = dataset
        self.name: str = dataset.name.rpartition("/")[2]
        self.hook_name: str = text_of(attrs["hook_name"])
        self.dims: tuple[str, ...] = tuple(d.label for d in dataset.dims)
        self.shape: tuple[int, ...] = tuple(dataset.shape)
        self.layers: tuple[int, ...] | None = tuple(int(i) for i in attrs["layers"]) if "layers" in attrs else None
        """The layers that are stored; None outside the blocks."""
        self.units: str | None = text_of(attrs["units"]) if "units" in attrs else None
        """The heads or neurons that are stored, as `weir dump` selects them; None for all."""
        self.saturated: int = int(attrs.get("saturated", 0))
        """How many values float16 could not hold."""
        self.compute_error: float | None = float(attrs["compute_error"]) if "compute_error" in attrs else None
        """With compute="bf16" or "int8": how far from float32, relative, where the dump measured it."""
        self.sinks: bool = bool(attrs.get("sinks", 0))
        """Whether rows of a pattern sum to less than 1 because attention sinks have the rest."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """What reading gives: float32, whatever the file has, or int32."""
        return np.dtype(np.float32 if self._dataset.dtype.kind == "f" else np.int32)

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Reads [layer, prompt, ...]: numbers, slices, lists that each pick from their own axis.

        NaN (-1 in integers) where nothing is stored.
        """
        self._store.check_open()
        return read(self._dataset, index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError(f"{self.name} is on disk: it cannot be an array without being read")
        values = self[...]
        return values if dtype is None else values.astype(dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def which_layers(self) -> str:
        """The layers that are stored, as in "layers 0-5"."""
        if self.layers is None:
            return ""
        return f"layer{'s' * (len(self.layers) != 1)} {ranges(self.layers)}"

    def __repr__(self) -> str:
        axes = ", ".join(f"{d} {n}" for d, n in zip(self.dims, self.shape, strict=True))
        only = [part for part in (self.which_layers(), self.units and f"units {self.units}") if part]
        return tame(", ".join([f"{self.hook_name} [{axes}]", *only]))


@dataclass
class Place:
    """What a key stands for: a hook point, and a layer of it inside the blocks."""

    point: Point
    layer: int | None

    @property
    def full_name(self) -> str:
        """As in blocks.3.attn.hook_pattern."""
        return self.point.hook_name.replace("{layer}", str(self.layer))


@dataclass
class Store:
    """An open file and what was read of it at once: names, shapes, tokens; no activations."""

    path: str
    file: h5py.File
    attrs: dict[str, Any] = field(default_factory=dict)
    points: dict[str, Point] = field(default_factory=dict)
    lengths: list[int] = field(default_factory=list)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Store:
        """Opens a file for reading."""
        name = os.fspath(path)
        if not os.path.exists(name):
            raise FileNotFoundError(f"{name}: no such file")
        try:
            store = cls(name, h5py.File(name, "r"))
        except OSError as error:
            raise Error(f"{name}: not a file of weir: {error}") from None
        try:
            store._look()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            store.file.close()
            raise Error(f"{name}: not as docs/store.md has it ({error}); weir validate says more") from error
        except Error:
            store.file.close()
            raise
        return store

    def _look(self) -> None:
        if "weir_schema" not in self.file.attrs:
            raise Error(f"{self.path}: not a file of weir: it has no attribute weir_schema")
        self.attrs = {name: text_of(v) if isinstance(v, (bytes, str)) else v for name, v in self.file.attrs.items()}
        if int(self.attrs["weir_schema"]) != SCHEMA:
            raise Error(f"{self.path}: has layout {self.attrs['weir_schema']}, this reads {SCHEMA}: update weir")
        self.config = json.loads(self.attrs["config"])
        self.n_layers = int(self.file["layer"].shape[0])
        self.lengths = [int(n) for n in self.file["prompts/length"][:]]
        self.position = self.file["tokens/position"][:]  # [prompt, pos], -1 where there is no row
        self.points = {name: Point(self, d) for name, d in self.file["activations"].items()}
        self.by_hook = {point.hook_name: point for point in self.points.values()}

    def check_open(self) -> None:
        """Raises an Error when the file was closed."""
        if not self.file.id.valid:
            raise Error(f"{self.path}: closed")

    def find(self, key: Key) -> Place:
        """The hook point and layer that a key names; NotStored, a KeyError, says what there is instead."""
        full, layer = parse(key)
        point = self.by_hook.get(full) or self.points.get(str(key[0] if isinstance(key, tuple) else key))
        if point is None:
            raise not_stored(key, self.path, self.points)
        return Place(point, self._layer(point, layer))

    def _layer(self, point: Point, layer: int | None) -> int | None:
        if point.layers is None:
            if layer is None:
                return None
            raise NotStored(f"{point.name} is outside the blocks: it has no layer, ask for [{point.name!r}]")
        if layer is None:
            raise NotStored(
                f"{point.name} is in every block: ask for [{point.name!r}, LAYER], or stack_activation({point.name!r})"
            )
        if not -self.n_layers <= layer < self.n_layers:
            raise NotStored(f"layer {layer}: the model has layers 0-{self.n_layers - 1}")
        layer %= self.n_layers
        if layer not in point.layers:
            raise NotStored(f"{point.name} is not stored at layer {layer}: {self.path} has {point.which_layers()}")
        return layer

    def full_names(self) -> Iterator[str]:
        """What is stored, in the order in which a pass computes it: blocks.0.hook_resid_pre and so on."""
        waiting: list[Point] = []  # those inside the blocks, which come in a row
        for point in self.points.values():
            if point.layers is not None:
                waiting.append(point)
                continue
            yield from self._names_by_layer(waiting)
            waiting = []
            yield point.hook_name
        yield from self._names_by_layer(waiting)

    def _names_by_layer(self, points: list[Point]) -> Iterator[str]:
        for layer in range(self.n_layers if points else 0):
            for point in points:
                if point.layers and layer in point.layers:
                    yield Place(point, layer).full_name

    def rows(self, prompt: int) -> int:
        """How many positions of a prompt are stored."""
        return int((self.position[prompt] >= 0).sum())

    def ends(self, prompt: int) -> dict[str, int]:
        """Where the axes of one prompt end that are longer for other prompts."""
        return dict.fromkeys(OF_POSITIONS, self.rows(prompt)) | {"key": self.lengths[prompt]}

    def tokens(self, prompts: slice = ALL) -> list[list[str]]:
        """What each token of each of these prompts shows as."""
        self.check_open()
        rows = zip(self.file["tokens/text"][prompts], self.lengths[prompts], strict=True)
        return [[text_of(token) for token in row[:n]] for row, n in rows]

    def ids(self, prompts: slice = ALL) -> list[NDArray[np.int32]]:
        """The token ids of these prompts."""
        self.check_open()
        return [row[:n] for row, n in zip(self.file["tokens/id"][prompts], self.lengths[prompts], strict=True)]

    def text(self, prompts: slice = ALL) -> list[str]:
        """The texts of these prompts, empty where one was given as ids."""
        self.check_open()
        return [text_of(text) for text in self.file["prompts/text"][prompts]]

    def loss(self) -> NDArray[np.float32]:
        """Mean next-token loss of each prompt."""
        self.check_open()
        if "loss" not in self.file["prompts"]:
            raise Error(f"{self.path}: has no loss; dump with next=K stores it")
        loss: NDArray[np.float32] = self.file["prompts/loss"][:]
        return loss

    def next(self, index: Any = ...) -> Next:
        """The most likely next tokens at `index` of [prompt, pos, top]."""
        self.check_open()
        if "next" not in self.file:
            raise Error(f"{self.path}: has no next tokens; dump with next=K stores them")
        group = self.file["next"]
        ids, logit, logprob = (group[part][index] for part in ("id", "logit", "logprob"))
        return Next(ids, logit, logprob, self._words(ids))

    def _words(self, ids: NDArray[np.int32]) -> NDArray[np.object_]:
        """What each of these likely tokens shows as, in an array of their shape."""
        known, texts = np.array([-1], np.int32), np.array([""], object)
        if "word_id" in self.file["next"]:
            words = [text_of(word) for word in self.file["next/word_text"][:]]
            known, texts = np.append(known, self.file["next/word_id"][:]), np.array(["", *words], object)
        at = np.searchsorted(known, ids).clip(max=len(known) - 1)  # known ascends
        found: NDArray[np.object_] = np.where(known[at] == ids, texts[at], "")
        return found

    def fields(self, prompts: slice = ALL) -> list[dict[str, Any]]:
        """What the line of JSON of each of these prompts said beside the prompt; empty where there was no such line."""
        self.check_open()
        if "fields" not in self.file["prompts"]:
            return [{} for _ in self.lengths[prompts]]
        return [json.loads(text_of(line)) if line else {} for line in self.file["prompts/fields"][prompts]]
