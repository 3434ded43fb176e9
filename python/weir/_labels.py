"""Activations as an xarray Dataset that reads what is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weir._error import NotStored
from weir._names import nearest
from weir._points import ALIASES
from weir._store import OF_POSITIONS, Point, Store

if TYPE_CHECKING:
    import xarray


def to_xarray(store: Store, names: Iterable[str], prompt: int | None = None) -> xarray.Dataset:
    """A Dataset of the points named (all, if none), of all prompts or of one."""
    try:
        import xarray
    except ImportError as error:
        raise ImportError("to_xarray needs xarray: pip install xarray") from error
    store.check_open()
    points = [_point(store, name) for name in names] or list(store.points.values())
    variables = {p.name: _variable(store, p, prompt) for p in points}
    sizes = {dim: n for v in variables.values() for dim, n in v.sizes.items()}
    coords = {str(dim): _index(store, str(dim), n, prompt) for dim, n in sizes.items()}
    coords |= {name: label for name, label in _labels(store, prompt).items() if set(label[0]) <= set(sizes)}
    attrs = {k: v for k, v in store.attrs.items() if not k.startswith("_")}
    return xarray.Dataset(variables, coords, attrs)


def _point(store: Store, name: str) -> Point:
    """By short or full name, without a layer: "pattern", "blocks.{layer}.attn.hook_pattern", "hook_embed"."""
    full = "blocks.{layer}." + name if "blocks.{layer}." + name in store.by_hook else name
    point = store.points.get(ALIASES.get(name, name)) or store.by_hook.get(full)
    if point is None:
        near = nearest(name, store.points)
        hint = f" (nearest: {', '.join(near)})" if near else ""
        raise NotStored(f"{name} is not stored{hint}: {store.path} has {', '.join(store.points)}")
    return point


def _variable(store: Store, point: Point, prompt: int | None) -> xarray.Variable:
    import xarray
    from xarray.core import indexing

    class Lazy(xarray.backends.BackendArray):
        dtype = point.dtype
        shape = point.shape

        def __getitem__(self, key: Any) -> Any:
            return indexing.explicit_indexing_adapter(
                key, self.shape, indexing.IndexingSupport.OUTER, point.__getitem__
            )

    attrs: dict[str, Any] = {"hook_name": point.hook_name}
    attrs |= {name: value for name, value in (("layers", point.layers), ("units", point.units)) if value is not None}
    whole = xarray.Variable(point.dims, indexing.LazilyIndexedArray(Lazy()), attrs)
    if prompt is None:
        return whole
    cut: dict[str, Any] = {dim: slice(end) for dim, end in store.ends(prompt).items() if dim in point.dims}
    own: xarray.Variable = whole.isel({"prompt": prompt} | cut)
    return own


def _index(store: Store, dim: str, n: int, prompt: int | None) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Numbers from 0; of one prompt, rows by their positions."""
    if prompt is not None and dim in OF_POSITIONS:
        return (dim,), store.position[prompt, :n]
    return (dim,), np.arange(n)


def _labels(store: Store, prompt: int | None) -> dict[str, tuple[tuple[str, ...], NDArray[Any]]]:
    """Positions and tokens beside the axes that they belong to."""
    tokens = _token_table(store)  # [prompt, token]
    at = store.position  # [prompt, pos]
    rows = np.where(at >= 0, np.take_along_axis(tokens, np.maximum(at, 0), axis=1), "")
    if prompt is not None:
        n, rows = store.rows(prompt), rows[prompt]
        key = tokens[prompt, : store.lengths[prompt]]
        return {"token": (("pos",), rows[:n]), "query_token": (("query",), rows[:n]), "key_token": (("key",), key)}
    return {
        "position": (("prompt", "pos"), at),
        "token": (("prompt", "pos"), rows),
        "query_token": (("prompt", "query"), rows),
        "key_token": (("prompt", "key"), tokens),
    }


def _token_table(store: Store) -> NDArray[Any]:
    """What tokens show as: [prompt, token], empty past a prompt's end."""
    longest = max(store.lengths, default=0)
    each = store.tokens()
    return np.array([row + [""] * (longest - len(row)) for row in each], dtype=object).reshape(len(each), longest)
