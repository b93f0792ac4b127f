"""Read .npy files, and the arrays of .npz archives; type and shape are checked first."""

from __future__ import annotations

import io
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod
from typing import Literal

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from ..core.defaults import UNPACK_MB


class ArrayFault(Exception):
    """Something in a file that makes its array unusable; `read_array` adds the file's name.

    Parameters
    ----------
    problem : str
        What is wrong, and the rule it breaks.
    remedy : str, optional
        What the user can do about it.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy


SAVE_AGAIN = 'save the array alone: numpy.save("array.npy", numpy.asarray(array))'
"""What to do about nearly every file that holds more than numbers."""

COPY_AGAIN = "copy it again from its source"

UNPACKED = int(UNPACK_MB * 1e6)
"""Bytes to which an array may unpack without being asked for."""

_RATIO = 2  # arbitrary: images rarely compress better than to a half
_LONGEST_HEADER = 10_000  # bytes, numpy's own limit
_LARGEST_DIRECTORY = 2**20  # bytes; arbitrary: some 17,000 arrays, and 10 MB in memory
_MAX_AXES = 32  # numpy 1 has no more
_NPY_MARK = b"\x93NUMPY"
_KINDS = {
    "O": "Python objects",
    "V": "records of several fields",
    "S": "text",
    "a": "text",
    "U": "text",
    "M": "dates",
    "m": "time spans",
}
# A long double means another thing on each computer.
_NUMBER_TYPES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8",
                 "c8", "c16")  # fmt: skip
# What numpy and Python's parser raise on a header that is damaged, or nested too deep.
_HEADER_ERRORS = (ValueError, TypeError, LookupError, SyntaxError, tokenize.TokenError,
                  AttributeError, OverflowError, RecursionError, MemoryError)  # fmt: skip
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError,
               RuntimeError, IndexError)  # fmt: skip


@dataclass(frozen=True, eq=False)
class LazyArray:
    """An array of a file, checked but not built yet.

    Parameters
    ----------
    dtype : numpy.dtype
        With its byte order.
    shape : tuple of int
    read : callable
        Takes nothing, returns the array.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    read: Callable[[], NDArray]

    def build(self) -> NDArray:
        """The array, read-only."""
        array = self.read()
        array.setflags(write=False)
        return array

    def __str__(self) -> str:
        return f"{' x '.join(map(str, self.shape)) or 'one number'} {self.dtype}"


def number_type(code: str, byte_order: str = "=") -> np.dtype:
    """The type that a file names by kind and bytes, such as ``f8``.

    Raises
    ------
    ArrayFault
        Where it is not a type of numbers.
    """
    if code not in _NUMBER_TYPES:
        kind = _KINDS.get(code[:1], f"values of type {code[:20]!r}")
        raise ArrayFault(f"not a number array: it holds {kind}", SAVE_AGAIN)
    if byte_order not in ("<", ">", "=", "|"):
        raise ArrayFault(f"byte order {byte_order[:20]!r} is not one of <, > and =", COPY_AGAIN)
    dtype = np.dtype(code)
    return dtype if byte_order in "=|" else dtype.newbyteorder(byte_order)  # type: ignore[arg-type]


def array_bytes(shape: object, dtype: np.dtype) -> int:
    """Bytes of an array, of a shape that a file states; it holds at least one number.

    Raises
    ------
    ArrayFault
        Where it is not a shape of an array.
    """
    if not isinstance(shape, tuple) or not all(type(length) is int for length in shape):
        raise ArrayFault("impossible size: the shape is not a tuple of whole numbers", COPY_AGAIN)
    if len(shape) > _MAX_AXES:
        raise ArrayFault(f"impossible size: {len(shape)} axes, {_MAX_AXES} at most", COPY_AGAIN)
    if any(length < 0 for length in shape):
        raise ArrayFault(f"impossible size: {shape}", COPY_AGAIN)
    if 0 in shape:
        raise ArrayFault(f"holds no values: its shape is {shape}", SAVE_AGAIN)
    return prod(shape) * dtype.itemsize


def read_npy(raw: bytes) -> tuple[LazyArray, int]:
    """The array of a .npy file, a view of its content, and where it ends there.

    Raises
    ------
    ArrayFault
        Where it holds no numbers, or fewer than its header says.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> np.save(file, np.arange(3, dtype=np.uint8))
    >>> read_npy(file.getvalue())[0].build()
    array([0, 1, 2], dtype=uint8)
    """
    if raw.startswith(b"PK\x03\x04"):
        raise ArrayFault("is an archive of arrays (.npz), not a .npy file", "rename it to .npz")
    if not raw.startswith(_NPY_MARK):
        raise ArrayFault("not a .npy file: its mark is missing", SAVE_AGAIN)
    dtype, shape, order, start, end = _read_header(raw[: _LONGEST_HEADER + 64])

    def read() -> NDArray:
        return np.frombuffer(raw, dtype, prod(shape), start).reshape(shape, order=order)

    array = LazyArray(dtype, shape, read)
    if end > len(raw):
        problem = f"file is truncated, or claims an impossible size: {array} needs {end:,} bytes"
        raise ArrayFault(f"{problem}, {len(raw):,} are there", COPY_AGAIN)
    return array, end


def _read_header(start: bytes) -> tuple[np.dtype, tuple[int, ...], Literal["C", "F"], int, int]:
    """Type, shape and order of an array, and where its numbers begin and end in its file."""
    file = io.BytesIO(start)
    try:
        version = npy_format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            kind = "records of several fields" if version == (3, 0) else f"version {version}"
            raise ArrayFault(f"not a number array: it holds {kind}", SAVE_AGAIN)
        read = getattr(npy_format, f"read_array_header_{version[0]}_0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 2 wrote 20L; numpy warns that it reads it
            shape, is_fortran, dtype = read(file, max_header_size=_LONGEST_HEADER)
    except _HEADER_ERRORS as error:
        raise ArrayFault(f"header is damaged ({first_line(error)})", COPY_AGAIN) from None
    if dtype.fields or dtype.subdtype:
        raise ArrayFault("not a number array: it holds records of several fields", SAVE_AGAIN)
    if dtype.hasobject:
        raise ArrayFault("objects are not allowed: reading them would run code", SAVE_AGAIN)
    number_type(dtype.str[1:])
    end = file.tell() + array_bytes(shape, dtype)
    return dtype, shape, "F" if is_fortran else "C", file.tell(), end


def read_npz(raw: bytes, limit: int = UNPACKED) -> dict[str, LazyArray | ArrayFault]:
    """The arrays of a .npz archive by name, none of them unpacked yet.

    Parameters
    ----------
    raw : bytes
        The file.
    limit : int
        Bytes that an array may take which are more than twice its compressed ones.

    Returns
    -------
    dict
        An array that can't be read is there with what is wrong with it.

    Raises
    ------
    ArrayFault
        Where it is not an archive of arrays.
    """
    if raw.startswith(_NPY_MARK):
        raise ArrayFault("is a .npy file by its content", "rename it to .npy")
    # The list of contents takes ten times its bytes in memory: it is bounded before it is read.
    end = raw[-22:]
    if len(end) < 22 or not end.startswith(b"PK\x05\x06") or end[20:] != b"\0\0":
        raise ArrayFault("not a whole .npz archive: its list of contents is missing", COPY_AGAIN)
    size = int.from_bytes(end[12:16], "little")
    if size > _LARGEST_DIRECTORY or raw[-42:-38] == b"PK\x06\x07":
        problem = f"has a list of contents of {size:,} bytes, {_LARGEST_DIRECTORY:,} at most"
        raise ArrayFault(problem, "save fewer arrays in one file")
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
    except _ZIP_ERRORS as error:
        raise _damaged(error) from None
    arrays: dict[str, LazyArray | ArrayFault] = {}
    for member in archive.infolist():
        if member.filename.endswith(".npy"):
            name = member.filename.removesuffix(".npy")
            try:
                arrays[name] = _archived(archive, member, len(raw), limit)
            except ArrayFault as fault:
                arrays[name] = fault
    return arrays


def _archived(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, length: int, limit: int
) -> LazyArray:
    """One array, its size checked before anything is allocated."""
    is_encrypted = member.flag_bits & 1
    if is_encrypted or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArrayFault("is encrypted, or compressed as numpy doesn't compress", SAVE_AGAIN)
    try:
        with archive.open(member) as stream:
            start = stream.read(_LONGEST_HEADER + 64)
    except _ZIP_ERRORS as error:
        raise _damaged(error) from None
    dtype, shape, _, _, end = _read_header(start)

    def read() -> NDArray:
        try:
            # To the last byte, where the checksum is compared.
            with archive.open(member) as stream, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return npy_format.read_array(stream, max_header_size=_LONGEST_HEADER)
        except _ZIP_ERRORS as error:
            raise _damaged(error) from None

    array = LazyArray(dtype, shape, read)
    if end != member.file_size:
        problem = f"impossible size: {array} needs {end:,} bytes"
        raise ArrayFault(f"{problem}, the archive says {member.file_size:,}", COPY_AGAIN)
    packed = min(member.compress_size, length)  # which a hostile archive overstates
    if member.file_size > max(limit, _RATIO * packed):
        size = ceil(member.file_size / 1e6)
        problem = f"unpacks to {size:,} MB from {packed:,} bytes: more than {_RATIO} times as many"
        remedy = f"where you trust it, say `lesion-dash convert --unpack-mb {size}`, or save it "
        raise ArrayFault(f"{problem}, and than {limit / 1e6:g} MB", f"{remedy}with numpy.save")
    return array


def _damaged(error: Exception) -> ArrayFault:
    return ArrayFault(f"archive is damaged ({first_line(error)})", COPY_AGAIN)


def first_line(error: Exception) -> str:
    """Kind and message of an error of a library, short enough for a sentence."""
    text = str(error).partition("\n")[0][:100]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
