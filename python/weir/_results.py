"""Results in a file that are not activations, such as grids of patches: labelled arrays, by their names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from weir._error import NotStored
from weir._names import nearest
from weir._store import Store, tame, text_of

if TYPE_CHECKING:
    import xarray

BESIDE = ("stderr", "normalised", "pairs", "base", "kl")  # what a result has beside itself: patch/z_stderr and so on


class Result:
    """An array with names for its axes, and what the file says of it.

    Of a grid of patches the values are means over pairs, [metric, layer, ...], NaN where a cell does not exist or was
    not patched; `stderr`, `normalised` and `pairs` are the arrays beside it.

    Example:

        grid = cache.results["patch/resid_pre"]         # [metric, layer, pos]
        grid.normalised[0].round(2), grid.baselines["logprob(answer)"]
    """

    def __init__(self, store: Store, name: str, dataset: h5py.Dataset) -> None:
        self._store = store
        self.name = name
        self.dims: tuple[str, ...] = tuple(d.label for d in dataset.dims)
        self.values: NDArray[np.float32] = dataset[...].astype(np.float32, copy=False)
        self.attrs: dict[str, Any] = {k: _attribute(v) for k, v in dataset.attrs.items() if not _is_internal(k)}
        """The file's: direction, by, at, edits and so on (docs/store.md)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each of `dims`."""
        return self.values.shape

    @property
    def metrics(self) -> list[str]:
        """The metrics, as they were written, in the order of the axis `metric`."""
        return list(json.loads(self.attrs.get("metrics", "[]")))

    @property
    def baselines(self) -> dict[str, tuple[float, float]]:
        """Of a grid of patches, by metric: its mean in clean and in corrupt prompts, without patches."""
        clean, corrupt = (np.atleast_1d(self.attrs.get(f"baseline_{side}", [])) for side in ("clean", "corrupt"))
        return {m: (float(a), float(b)) for m, a, b in zip(self.metrics, clean, corrupt, strict=False)}

    @property
    def stderr(self) -> NDArray[np.float32] | None:
        """The standard error of each mean over pairs, in the shape of the values; None where the file has none."""
        return self._beside("stderr")

    @property
    def normalised(self) -> NDArray[np.float32] | None:
        """The values with 0 for the corrupt prompt and 1 for the clean one; None where the file has none."""
        return self._beside("normalised")

    @property
    def pairs(self) -> NDArray[np.float32] | None:
        """How many pairs have each cell, without the axis `metric`; None where the file does not say."""
        return self._beside("pairs")

    @property
    def base(self) -> NDArray[np.float32] | None:
        """Of metrics with --against base: the same without the edits; None without."""
        return self._beside("base")

    @property
    def kl(self) -> NDArray[np.float32] | None:
        """Of metrics with --against base: how far the predictions are from those without edits, in nats; [prompt]."""
        return self._beside("kl")

    @property
    def units(self) -> list[str]:
        """The unit of each metric, as in "nats"; "" for none."""
        return list(json.loads(self.attrs.get("units", "[]")))

    def _beside(self, what: str) -> NDArray[np.float32] | None:
        found = _datasets(self._store).get(f"{self.name}_{what}")
        return None if found is None else found[...].astype(np.float32, copy=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        values = self.values if dtype is None else self.values.astype(dtype)
        return values.copy() if copy else values

    def __getitem__(self, index: Any) -> Any:
        """Indexes the values, as numpy does."""
        return self.values[index]

    def to_xarray(self) -> xarray.Dataset:
        """An xarray Dataset: `value`, and `stderr`, `normalised`, `pairs`, `base` where there are any. Needs xarray.

        The axis `metric` has the metrics as they were written; with one pair of prompts, positions have the tokens of
        the clean one beside them.

        Example:

            cache.results["patch/resid_pre"].to_xarray().normalised.sel(metric="logprob(answer)", layer=3)
        """
        try:
            import xarray
        except ImportError as error:
            raise ImportError("to_xarray needs xarray: pip install xarray") from error
        variables: dict[str, Any] = {"value": (self.dims, self.values)}
        for what in BESIDE:
            values = self._beside(what)
            if values is not None:
                dims = self.dims if values.ndim == len(self.dims) else self.dims[-values.ndim :]
                variables[what] = (dims, values)
        return xarray.Dataset(variables, self._coords(), {"name": self.name, **self.attrs})

    def _coords(self) -> dict[str, Any]:
        coords: dict[str, Any] = {d: np.arange(n) for d, n in zip(self.dims, self.shape, strict=True)}
        if "metric" in coords and len(self.metrics) == len(coords["metric"]):
            coords["metric"] = self.metrics
        if float(np.atleast_1d(self.attrs.get("pairs", 0))[0]) == 1:
            tokens = self._store.tokens(slice(1))[0]
            names = {"pos": "token", "query": "query_token", "key": "key_token"}
            coords |= {names[d]: (d, tokens) for d in names if len(coords.get(d, [])) == len(tokens)}
        return coords

    def __repr__(self) -> str:
        axes = ", ".join(f"{d} {n}" for d, n in zip(self.dims, self.shape, strict=True))
        beside = [what for what in BESIDE if f"{self.name}_{what}" in _datasets(self._store)]
        return tame(f"{self.name} [{axes}]" + (f" and {', '.join(beside)}" if beside else ""))


class Results(Mapping[str, Result]):
    """The results of a file by their names below /results, as in "patch/resid_pre" or "metrics".

    Example:

        list(cache.results)                     # ["patch/resid_pre", "patch/z"]
        cache.results["patch/z"].stderr
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, name: str) -> Result:
        found = _datasets(self._store)
        if name not in found:
            near = nearest(name, found)
            hint = f" (nearest: {', '.join(near)})" if near else ""
            raise NotStored(f"{name} is not stored{hint}: {self._store.path} has {', '.join(self) or 'no results'}")
        return Result(self._store, name, found[name])

    def __iter__(self) -> Iterator[str]:
        found = _datasets(self._store)
        return (name for name in found if not any(name == f"{of}_{what}" for of in found for what in BESIDE))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return "\n".join(["results:", *(f"  {self[name]}" for name in self)]) if len(self) else "no results"


def _datasets(store: Store) -> dict[str, h5py.Dataset]:
    """Everything below /results; no link out of the file is followed."""
    store.check_open()
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, what: h5py.Dataset | h5py.Group) -> None:
        if isinstance(what, h5py.Dataset):
            found[name] = what

    if "results" in store.file:
        store.file["results"].visititems(visit)
    return found


def _attribute(value: Any) -> Any:
    return text_of(value) if isinstance(value, (bytes, str)) else value


def _is_internal(name: str) -> bool:
    """Of HDF5 and netCDF, which have attributes of their own for axes."""
    return name.isupper() or name.startswith("_")
