"""How the numbers of an array lie in a file: type, shape, order; checked before they are read."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .faults import COPY_AGAIN, SAVE_AGAIN, ArrayFault

NUMBER_TYPES = frozenset(
    ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]
)
"""Kind and bytes of the types that are read; a long double means another thing on each computer."""

_KINDS = {
    "O": "Python objects",
    "V": "records of several fields",
    "S": "text",
    "a": "text",
    "U": "text",
    "M": "dates",
    "m": "time spans",
}
_MOST_AXES = 32


@dataclass(frozen=True)
class Layout:
    """Type, shape and order of an array's numbers.

    Parameters
    ----------
    dtype : numpy.dtype
        With its byte order.
    shape : tuple of int
    order : str
        ``C`` where the last axis runs fastest in the file, ``F`` where the first one does.
    axes : tuple of int, optional
        Where the axes of the stored array go, as for :func:`numpy.transpose`.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    order: str = "C"
    axes: tuple[int, ...] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that all numbers take."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def final_shape(self) -> tuple[int, ...]:
        """The array's shape, its axes where they belong."""
        return self.shape if self.axes is None else tuple(self.shape[axis] for axis in self.axes)

    def arrange(self, numbers: NDArray) -> NDArray:
        """The array of numbers as they lie in the file; nothing is copied, nothing may change."""
        shape = numbers.reshape(self.shape, order="F" if self.order == "F" else "C")
        array = shape if self.axes is None else shape.transpose(self.axes)
        array.setflags(write=False)
        return array

    def __str__(self) -> str:
        return f"{' x '.join(map(str, self.final_shape)) or 'one number'} {self.dtype}"


class Unread(Protocol):
    """An array of a file that is not built yet."""

    @property
    def layout(self) -> Layout:
        """Type, shape and order."""

    def build(self) -> NDArray:
        """The array, read-only."""


def number_type(code: str, byte_order: str = "=") -> np.dtype:
    """The type that a file names by kind and bytes, such as ``f8``.

    Raises
    ------
    ArrayFault
        Where it is no type of numbers.
    """
    if code not in NUMBER_TYPES:
        what = _KINDS.get(code[:1], f"values of type {code[:20]!r}")
        raise ArrayFault(f"not a number array: it holds {what}", SAVE_AGAIN)
    if byte_order not in ("<", ">", "=", "|"):
        raise ArrayFault(f"byte order {byte_order[:20]!r} is none of <, > and =", COPY_AGAIN)
    dtype = np.dtype(code)
    return dtype if byte_order in "=|" else dtype.newbyteorder(byte_order)  # type: ignore[arg-type]


def check_shape(shape: object) -> tuple[int, ...]:
    """The shape of an array that holds at least one number.

    Raises
    ------
    ArrayFault
        Where it is none.
    """
    if not isinstance(shape, tuple) or not all(type(length) is int for length in shape):
        raise ArrayFault("impossible size: the shape is no tuple of whole numbers", COPY_AGAIN)
    if len(shape) > _MOST_AXES:
        raise ArrayFault(f"impossible size: {len(shape)} axes, {_MOST_AXES} at most", COPY_AGAIN)
    if any(length < 0 for length in shape):
        raise ArrayFault(f"impossible size: {shape}", COPY_AGAIN)
    if 0 in shape:
        raise ArrayFault(f"holds no values: its shape is {shape}", SAVE_AGAIN)
    return shape
