"""Matlab files of version 4, the form of the affines that ANTs writes."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import AnyPath

_TYPES = {0: "f8", 1: "f4", 2: "i4", 3: "i2", 4: "u2", 5: "u1"}
_LONGEST_NAME = 256


def matlab_variables(path: AnyPath, content: bytes) -> dict[str, NDArray[np.float64]]:
    """The arrays of numbers in a Matlab file of version 4, in their order.

    Raises
    ------
    InputError
        Where the file is of another version, or damaged.
    """
    if content.startswith(b"MATLAB 5.0"):
        problem = "is a Matlab file of version 5 or later, ANTs writes version 4"
        raise InputError(path, problem, "give the affine as ANTs wrote it")
    found: dict[str, NDArray[np.float64]] = {}
    place = 0
    while place < len(content):
        name, values, place = _variable(path, content, place)
        found[name] = values
    return found


def _variable(path: AnyPath, content: bytes, place: int) -> tuple[str, NDArray[np.float64], int]:
    """A variable, and where the next one begins."""
    if place + 20 > len(content):
        raise _damaged(path)
    order = "<" if struct.unpack_from("<i", content, place)[0] in range(100) else ">"
    kind, rows, columns, is_complex, length = struct.unpack_from(f"{order}5i", content, place)
    code = _TYPES.get(kind // 10 % 10)
    is_full = kind % 10 == 0 and kind in range(2000) and code is not None and not is_complex
    if not (is_full and rows >= 0 and columns >= 0 and 0 < length <= _LONGEST_NAME):
        raise _damaged(path)
    dtype = np.dtype(f"{order}{code}")
    start = place + 20 + length
    end = start + rows * columns * dtype.itemsize
    if end > len(content):
        raise _damaged(path)
    name = content[place + 20 : start].rstrip(b"\0").decode("latin-1")
    values = np.frombuffer(content[start:end], dtype).astype(np.float64)
    return name, values, end


def _damaged(path: AnyPath) -> InputError:
    problem = "is neither text nor a Matlab file of version 4 as ANTs writes it, or it is damaged"
    return InputError(path, problem, "give the file that ANTs, ITK or FSL wrote")
