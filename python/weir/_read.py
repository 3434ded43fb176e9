"""Reading part of a dataset, 16-bit floats as fast as the rest."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

ABSENT = 0x7FEA0000  # the float32 that stands for what is not stored: a NaN that nothing computed has
BFLOAT16 = (15, 7, 8, 0, 7)  # where HDF5 is told that sign, exponent and mantissa are


class _Axis(NamedTuple):
    """What is read of one axis, and what is then done with it."""

    start: int
    n: int
    step: int
    after: Any  # index into what was read: 0 drops the axis, [::-1] turns it, a list picks


def is_stored(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where values that were read from a file are stored in it; NaN that a model computed is stored, too.

    Files from before weir told the two apart have one NaN for both, which counts as stored here.

    Example:

        z = cache["z", 3]
        z[weir.is_stored(z)].mean()
    """
    values = np.asarray(values)
    if values.dtype.kind in "iu":
        return np.asarray(values != -1, np.bool_)
    return np.asarray(values.astype(np.float32, copy=False).view(np.uint32) != ABSENT, np.bool_)


def is_bfloat16(dataset: h5py.Dataset) -> bool:
    """Whether the values are bfloat16 on disk (h5py says float32)."""
    kind = dataset.id.get_type()
    return isinstance(kind, h5py.h5t.TypeFloatID) and kind.get_size() == 2 and kind.get_fields() == BFLOAT16


def read(dataset: h5py.Dataset, index: Any) -> NDArray[Any]:
    """The values at `index`, as numpy's basic indexing has it, or with lists that each pick from their own axis.

    They are float32 or int32. Only what is asked for is read. bfloat16 is read raw and widened here: HDF5 would be
    twenty times slower.
    """
    axes = _axes(index, dataset.shape)
    raw = is_bfloat16(dataset)
    out = np.empty([a.n for a in axes], "<u2" if raw else dataset.dtype.newbyteorder("="))
    if out.size:
        space = dataset.id.get_space()
        if axes:
            space.select_hyperslab(tuple(a.start for a in axes), out.shape, tuple(a.step for a in axes))
        dataset.id.read(h5py.h5s.create_simple(out.shape), space, out, dataset.id.get_type() if raw else None)
    values = widen(out) if raw else out.astype(np.float32, copy=False) if out.dtype.kind == "f" else out
    return _finish(values, axes)


def widen(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """bfloat16 as its bits -> float32."""
    wide = bits.astype(np.uint32)
    wide <<= 16
    return wide.view(np.float32)


def _axes(index: Any, shape: tuple[int, ...]) -> list[_Axis]:
    parts = list(index) if isinstance(index, tuple) else [index]
    dots = [i for i, part in enumerate(parts) if part is Ellipsis]
    if len(dots) > 1 or len(parts) - len(dots) > len(shape):
        raise IndexError(f"too many indices: there are {len(shape)} axes, and one ... at most")
    at = dots[0] if dots else len(parts)
    parts[at : at + 1] = [slice(None)] * (len(shape) - len(parts) + len(dots))
    return [_axis(part, n) for part, n in zip(parts, shape, strict=True)]


def _axis(part: Any, n: int) -> _Axis:
    if isinstance(part, slice):
        start, stop, step = part.indices(n)
        count = len(range(start, stop, step))
        if step > 0:
            return _Axis(start, count, step, slice(None))
        return _Axis(start + (count - 1) * step if count else 0, count, -step, slice(None, None, -1))
    if isinstance(part, (list, np.ndarray)):
        return _listed(np.asarray(part), n)
    return _Axis(_inside(operator.index(part), n), 1, 1, 0)


def _listed(part: NDArray[Any], n: int) -> _Axis:
    if part.dtype == bool and part.shape == (n,):
        part = part.nonzero()[0]
    if part.ndim != 1 or (part.size and part.dtype.kind not in "iu"):
        raise IndexError("an axis is indexed by a number, a slice, or a list of numbers")
    if not part.size:
        return _Axis(0, 0, 1, slice(None))
    at = np.array([_inside(int(i), n) for i in part])
    return _Axis(int(at.min()), int(at.max() - at.min()) + 1, 1, at - at.min())


def _inside(i: int, n: int) -> int:
    if not -n <= i < n:
        raise IndexError(f"index {i} is not below {n}")
    return i % n


def _finish(values: NDArray[Any], axes: list[_Axis]) -> NDArray[Any]:
    """What hyperslabs cannot say, axis by axis from the last on, so that those before it stay where they are."""
    for i, axis in reversed(list(enumerate(axes))):
        if not isinstance(axis.after, slice) or axis.after != slice(None):
            values = values[(slice(None),) * i + (axis.after,)]
    return values
