"""Read an image file whole: bounded, with its checksum and length verified."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import deflate
import nibabel as nib
import numpy as np

from ..errors import InputError
from ..files import checksum, read_bytes
from ..grid import Grid
from .header import LONGEST_HEADER, Header, HeaderFault, fault_of, parse_header

Buffer = bytes | bytearray

_GZIP_MARK = b"\x1f\x8b"
_GZIP_MEMBER = b"\x1f\x8b\x08"
_HEAD = 65536
_PIECE = 65536
_LONGEST_TAIL = 2**28
_COPY_AGAIN = "copy it again from its source"
_TRAILING = "extra bytes after the image are ignored"
LARGEST_IMAGE = 2**31 - 1
"""Bytes an uncompressed image may have when nothing else is known of its size."""


@dataclass(frozen=True, eq=False)
class Stored:
    """A file as it was read: header, stored values, checksum.

    Parameters
    ----------
    path : Path
    header : Header
    values : array, shape (voxels,)
        The stored values in the file's order (first axis fastest), read-only, not yet scaled.
    sha256 : str
        Of the file as it lies on the disk.
    notes : tuple of str
        What is unusual about the container or the header.
    """

    path: Path
    header: Header
    values: np.ndarray
    sha256: str
    notes: tuple[str, ...]


def read_header(path: Path) -> Header:
    """Read and check an image's header; no voxel is inflated."""
    return _parse(path, _first_bytes(path, read_bytes(path, head=_HEAD)))


def read_stored(path: Path, limit: int = LARGEST_IMAGE) -> Stored:
    """Read an image whole and verify its length and, where compressed, its checksum.

    Parameters
    ----------
    path : Path
    limit : int
        Largest number of bytes the voxels may take.

    Raises
    ------
    InputError
        With the file's name, what is wrong, and what to do.
    """
    raw = read_bytes(path)
    header = _parse(path, _first_bytes(path, raw))
    if header.voxel_bytes > limit:
        size = f"{header.voxel_bytes / 2**20:,.0f} MB of voxels, {limit / 2**20:,.0f} MB allowed"
        raise InputError(path, f"far larger than the other masks: {size}")
    expected = header.offset + header.voxel_bytes
    content, notes = (_inflate if _is_gzip(path) else _cut)(path, raw, expected)
    count = header.voxel_bytes // header.dtype.itemsize
    values = np.frombuffer(content, header.dtype, count, header.offset)
    return Stored(path, header, values, checksum(raw), header.notes + notes)


def stored_of_image(image: nib.spatialimages.SpatialImage) -> Stored:
    """Take a nibabel image that is in memory already, its values scaled."""
    path = Path(image.get_filename() or "image in memory")
    data = np.asarray(image.dataobj)
    if data.dtype == bool:
        data = data.astype(np.uint8)
    if data.dtype.kind not in "iuf" or data.ndim < 3:
        raise InputError(path, f"not a volume of real numbers: {data.ndim} axes of {data.dtype}")
    shape = (int(data.shape[0]), int(data.shape[1]), int(data.shape[2]))
    grid = Grid(shape, image.affine)
    header = Header(data.shape, data.dtype, 0, 1.0, 0.0, grid, "sform", 4, 0.0, ())
    return Stored(path, header, np.ravel(data, order="F"), "", ())


def _parse(path: Path, block: bytes) -> Header:
    try:
        return parse_header(block)
    except HeaderFault as fault:
        raise fault_of(path, fault) from None


def _is_gzip(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _first_bytes(path: Path, raw: bytes) -> bytes:
    if not _is_gzip(path):
        if raw[:2] == _GZIP_MARK:
            raise InputError(path, "gzip data in a .nii file", "rename it to .nii.gz")
        return raw[:LONGEST_HEADER]
    if raw[:2] != _GZIP_MARK:
        raise InputError(path, "not a gzip file, although it is named .gz", _gzip_remedy(raw))
    try:
        return zlib.decompressobj(31).decompress(raw[:_HEAD], LONGEST_HEADER)
    except zlib.error as error:
        raise InputError(path, f"gzip data is damaged ({error})", _COPY_AGAIN) from None


def _gzip_remedy(raw: bytes) -> str:
    if raw[344:347] in (b"n+1", b"ni1"):
        return "it is an uncompressed image: rename it to .nii"
    return "export the mask again"


def _cut(path: Path, raw: bytes, expected: int) -> tuple[Buffer, tuple[str, ...]]:
    if len(raw) < expected:
        raise InputError(path, _missing(len(raw), expected), _COPY_AGAIN)
    return raw, (_TRAILING,) if len(raw) > expected else ()


def _inflate(path: Path, raw: bytes, expected: int) -> tuple[Buffer, tuple[str, ...]]:
    # libdeflate allocates what the last four bytes claim, so the claim is checked first;
    # whatever is out of the ordinary goes through a slower, bounded stream that can explain it.
    claimed = int.from_bytes(raw[-4:], "little")
    if claimed == expected % 2**32 and raw.find(_GZIP_MEMBER, 18) < 0:
        try:
            return deflate.gzip_decompress(raw), ()
        except (deflate.DeflateError, ValueError, MemoryError):
            pass
    return _inflate_bounded(path, raw, expected)


def _inflate_bounded(path: Path, raw: bytes, expected: int) -> tuple[Buffer, tuple[str, ...]]:
    content = bytearray()
    length = 0
    stream = zlib.decompressobj(31)
    try:
        for piece in _pieces(stream, raw):
            content += piece[: max(0, expected - length)]
            length += len(piece)
            if length > 2 * expected + _LONGEST_TAIL:
                raise InputError(path, f"holds far more than its image of {expected:,} bytes")
    except zlib.error as error:
        raise InputError(path, _explain(error), _COPY_AGAIN) from None
    if length < expected or not stream.eof:
        raise InputError(path, _missing(length, expected), _COPY_AGAIN)
    return content, (_TRAILING,) if length > expected or stream.unused_data else ()


def _pieces(stream: zlib._Decompress, raw: bytes) -> Iterator[bytes]:
    """Inflate in small pieces: what a bomb inflates to is never held at once."""
    for start in range(0, len(raw), _PIECE):
        waiting = raw[start : start + _PIECE]
        while waiting and not stream.eof:
            yield stream.decompress(waiting, _PIECE)
            waiting = stream.unconsumed_tail
        if stream.eof and start + _PIECE < len(raw):
            stream.decompress(raw[start + _PIECE : start + _PIECE + 1])
            return
    if not stream.eof:
        yield stream.flush()


def _explain(error: zlib.error) -> str:
    text = str(error)
    if "data check" in text:
        return "checksum does not match: bytes changed since the file was written"
    if "length check" in text:
        return "length does not match what the file's end says"
    return f"gzip data is damaged ({text})"


def _missing(found: int, expected: int) -> str:
    if found <= LONGEST_HEADER:
        return f"voxel data missing: {found:,} bytes, {expected:,} expected"
    return f"file is truncated: {found:,} bytes, {expected:,} expected"
