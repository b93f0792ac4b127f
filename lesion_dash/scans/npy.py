"""Read .npy files, and the arrays of .npz archives; type and shape are checked first."""

from __future__ import annotations

import io
import lzma
import struct
import tokenize
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from math import ceil, prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class ArrayFault(Exception):
    """Something in a file that makes its array unusable; the reader adds the file's name.

    Parameters
    ----------
    problem : str
        What was found, and the rule it breaks.
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


# How the numbers of an array lie in a file: type, shape, order; checked before they are read.


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


# Read .npy files, and the arrays of .npz archives.


_LONGEST_HEADER = 10_000
"""Bytes, as numpy allows them."""

_MARK = b"\x93NUMPY"
_ZIP_MARK = b"PK\x03\x04"
_ZIP_END = b"PK\x05\x06"
_LARGEST_DIRECTORY = 2**20
"""Bytes of an archive's list of contents; each takes about sixty, and ten times that in memory."""

UNPACKED = 64_000_000
"""Bytes that a compressed array may take unasked, however small its file: a head at 1 mm."""

_RATIO = 2
_PIECE = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_HEADER_ERRORS = (
    ValueError,
    TypeError,
    KeyError,
    SyntaxError,
    tokenize.TokenError,
    RecursionError,
    MemoryError,
)
"""What numpy and Python's parser raise on a header that is damaged, or nested too deep."""

_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    IndexError,
)


@dataclass(frozen=True)
class NpyHeader:
    """What the first lines of a .npy file say.

    Parameters
    ----------
    layout : Layout
    offset : int
        Where the numbers begin, in bytes.
    """

    layout: Layout
    offset: int

    @property
    def end(self) -> int:
        """Bytes of the whole file."""
        return self.offset + self.layout.nbytes


@dataclass(frozen=True, eq=False)
class NpyArray:
    """The array of a .npy file."""

    raw: bytes
    header: NpyHeader

    @property
    def layout(self) -> Layout:
        """Type, shape and order."""
        return self.header.layout

    def build(self) -> NDArray:
        """The array, a view of the file's content."""
        view = memoryview(self.raw)[self.header.offset : self.header.end]
        return self.layout.arrange(np.frombuffer(view, self.layout.dtype))


@dataclass(frozen=True, eq=False)
class ArchivedArray:
    """An array of a .npz archive, compressed or not."""

    archive: zipfile.ZipFile
    member: zipfile.ZipInfo
    header: NpyHeader

    @property
    def layout(self) -> Layout:
        """Type, shape and order."""
        return self.header.layout

    def build(self) -> NDArray:
        """Unpack the array, bounded, and verify its checksum."""
        content = np.empty(self.layout.nbytes, np.uint8)
        filled = 0
        try:
            with self.archive.open(self.member) as stream:
                stream.read(self.header.offset)
                # The checksum is compared at the end of the stream alone.
                while piece := stream.read(min(_PIECE, content.size - filled + 1)):
                    if filled + len(piece) > content.size:
                        break
                    content[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
                    filled += len(piece)
        except _ZIP_ERRORS as error:
            raise _damaged(error) from None
        if piece or filled < content.size:
            raise ArrayFault(f"{self.member.filename}: holds another number of bytes", COPY_AGAIN)
        return self.layout.arrange(content.view(self.layout.dtype))


def read_npy(raw: bytes) -> NpyArray:
    """The array of a .npy file.

    Raises
    ------
    ArrayFault
        Where it holds no numbers, or fewer than its header says.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> np.save(file, np.arange(3, dtype=np.uint8))
    >>> read_npy(file.getvalue()).build()
    array([0, 1, 2], dtype=uint8)
    """
    if raw.startswith(_ZIP_MARK):
        raise ArrayFault("is an archive of arrays (.npz), not a .npy file", "rename it to .npz")
    if not raw.startswith(_MARK):
        raise ArrayFault("not a .npy file: its mark is missing", SAVE_AGAIN)
    header = parse_header(raw[: _LONGEST_HEADER + 64])
    if header.end > len(raw):
        problem = f"file is truncated, or claims an impossible size: {header.layout} needs "
        raise ArrayFault(f"{problem}{header.end:,} bytes, {len(raw):,} are there", COPY_AGAIN)
    return NpyArray(raw, header)


def parse_header(start: bytes) -> NpyHeader:
    """What the first bytes of a .npy file say, read by numpy and checked.

    Raises
    ------
    ArrayFault
        Where they are damaged, or tell of anything but numbers.
    """
    from numpy.lib import format as npy_format

    file = io.BytesIO(start)
    try:
        version = npy_format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            what = "records of several fields" if version == (3, 0) else f"version {version}"
            raise ArrayFault(f"not a number array: it holds {what}", SAVE_AGAIN)
        read = getattr(npy_format, f"read_array_header_{version[0]}_0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 2 wrote 20L; numpy says that it reads it
            shape, fortran_order, dtype = read(file, max_header_size=_LONGEST_HEADER)
    except _HEADER_ERRORS as error:
        raise ArrayFault(f"header is damaged ({_first_line(error)})", COPY_AGAIN) from None
    if dtype.fields or dtype.subdtype:
        raise ArrayFault("not a number array: it holds records of several fields", SAVE_AGAIN)
    if dtype.hasobject:
        raise ArrayFault("objects are not allowed: reading them would run code", SAVE_AGAIN)
    number_type(dtype.str[1:])
    layout = Layout(dtype, check_shape(shape), "F" if fortran_order else "C")
    return NpyHeader(layout, file.tell())


def read_npz(raw: bytes, most: int = UNPACKED) -> dict[str, ArchivedArray | ArrayFault]:
    """The arrays of a .npz archive by name, none of them unpacked yet.

    Parameters
    ----------
    raw : bytes
        The file.
    most : int
        Bytes that an array may take which are more than twice its compressed ones.

    Returns
    -------
    dict
        An array that can't be read is there with what is wrong with it.

    Raises
    ------
    ArrayFault
        Where it is no archive of arrays.
    """
    if raw.startswith(_MARK):
        raise ArrayFault("is a .npy file by its content", "rename it to .npy")
    archive = _open_archive(raw)
    found: dict[str, ArchivedArray | ArrayFault] = {}
    for member in archive.infolist():
        name = member.filename
        if name.endswith(".npy"):
            try:
                found[name.removesuffix(".npy")] = _look_at(archive, member, len(raw), most)
            except ArrayFault as fault:
                found[name.removesuffix(".npy")] = fault
    return found


def _open_archive(raw: bytes) -> zipfile.ZipFile:
    """The archive, its list of contents bounded before it is read."""
    end = raw[-22:]
    if len(end) < 22 or not end.startswith(_ZIP_END) or end[20:] != b"\0\0":
        raise ArrayFault("not a whole .npz archive: its list of contents is missing", COPY_AGAIN)
    size = int.from_bytes(end[12:16], "little")
    if size > _LARGEST_DIRECTORY or raw[-42:-38] == b"PK\x06\x07":
        problem = f"has a list of contents of {size:,} bytes, {_LARGEST_DIRECTORY:,} at most"
        raise ArrayFault(problem, "save fewer arrays in one file")
    try:
        return zipfile.ZipFile(io.BytesIO(raw))
    except (*_ZIP_ERRORS, NotImplementedError) as error:
        raise _damaged(error) from None


def _look_at(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, length: int, most: int
) -> ArchivedArray:
    """Read the header of one array and check its size, before anything is allocated."""
    if member.compress_type not in _METHODS or member.flag_bits & 1:
        raise ArrayFault("is encrypted, or compressed as numpy doesn't compress", SAVE_AGAIN)
    try:
        with archive.open(member) as stream:
            header = parse_header(stream.read(_LONGEST_HEADER + 64))
    except (*_ZIP_ERRORS, NotImplementedError) as error:
        raise _damaged(error) from None
    if header.end != member.file_size:
        problem = f"impossible size: {header.layout} needs {header.end:,} bytes"
        raise ArrayFault(f"{problem}, the archive says {member.file_size:,}", COPY_AGAIN)
    packed = min(member.compress_size, length)  # which a hostile archive overstates
    if member.file_size > max(most, _RATIO * packed):
        size = ceil(member.file_size / 1e6)
        problem = f"unpacks to {size:,} MB from {packed:,} bytes: more than {_RATIO} times as many"
        remedy = f"where you trust it, say `lesion-dash convert --unpack-mb {size}`, or save it "
        raise ArrayFault(f"{problem}, and than {most / 1e6:g} MB", f"{remedy}with numpy.save")
    return ArchivedArray(archive, member, header)


def _damaged(error: Exception) -> ArrayFault:
    return ArrayFault(f"archive is damaged ({_first_line(error)})", COPY_AGAIN)


def _first_line(error: Exception) -> str:
    text = str(error).partition("\n")[0][:100]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
