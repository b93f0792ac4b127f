"""Read an image file, whole or in parts: bounded, its checksum and length verified."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import deflate
import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from ..core.errors import InputError
from ..core.grid import Grid
from ..files.contents import content_finding, is_text, name_finding
from ..files.listing import halves_of, has_image_ending
from ..files.paths import AnyPath, PathInput, as_path
from ..files.reading import FileView, checksum, read_bytes, unfetched_link
from .formats import (
    LONGEST_HEADER,
    LONGEST_TEXT_HEADER,
    HeaderFault,
    OpenHeader,
    is_text_header,
    open_header,
)
from .nifti import Header, check_affine, fault_of, parse_header
from .space import image_space

Buffer = bytes | bytearray
Raw = bytes | FileView
"""A file as it lies on the disk: held, or read as it is asked for."""

Progress = Callable[[int, int], None]
"""Called with (parts done, parts in all): volumes, or files; what it raises ends the reading."""

_NOT_GZIP = "not a gzip file, although it is named .gz"
_GZIP_MARK = b"\x1f\x8b"
_GZIP_MEMBER = b"\x1f\x8b\x08"
_HEAD = 65536  # bytes, arbitrary: a header with the extensions that scanners write, and to spare
_PIECE = 65536  # bytes inflated at once; arbitrary: far below an image, above a block of a disk
_CHUNK = 2**20  # bytes of a file that are hashed at once
_BLOCK = 2**22  # values that are looked at together, some ten MB
_LONGEST_TAIL = 2**28  # bytes behind an image that are still inflated to verify them; arbitrary
_IN_MEMORY = "image in memory"
_COPY_AGAIN = "copy it again from its source"
_TRAILING = "extra bytes after the image are ignored"
LARGEST_IMAGE = 2**31 - 1
"""Bytes an uncompressed image may have when nothing else is known of its size; arbitrary."""

LARGEST_MASK = 2**29
"""Bytes the voxels of one mask may take; arbitrary: some 600 times the voxels at 2 mm."""

LARGEST_SERIES = 2**36
"""Bytes that may be gone through uncompressed, a part held at a time; arbitrary."""

_MAX_MEMBERS = 10_000  # of a gzip file; programs that write several write tens
_LARGEST_RATIO = 1032  # of deflate: zlib.net/zlib_tech.html, "maximum compression factor"


@dataclass(frozen=True, eq=False)
class RawImage:
    """A file as it was read: header, stored values, checksum.

    Parameters
    ----------
    path : Path or UrlPath
    header : Header
    values : array, shape (voxels,)
        The stored values in the file's order (first axis fastest), read-only, not yet scaled.
    sha256 : str
        Of the file as it lies on the disk.
    notes : tuple of str
        What is unusual about the container or the header.
    """

    path: AnyPath
    header: Header
    values: np.ndarray
    sha256: str
    notes: tuple[str, ...]


def read_header(path: AnyPath) -> Header:
    """Read and check an image's header; no voxel is inflated."""
    return ImageFile(path).header()


def read_raw_image(path: AnyPath, limit: int = LARGEST_MASK) -> RawImage:
    """Read an image whole and verify its length and, where compressed, its checksum.

    Parameters
    ----------
    path : Path or UrlPath
    limit : int
        Largest number of bytes the voxels may take.

    Raises
    ------
    InputError
        With the file's name, what is wrong, and what to do.
    """
    return _stored(path, *read_raw(path, limit))


def _stored(path: AnyPath, header: Header, raw: bytes, digest: str) -> RawImage:
    expected = header.offset + header.voxel_bytes
    if _is_gzip(path, raw):
        content, notes = _inflate(path, raw, expected)
    else:
        content, notes = raw, _check_length(path, len(raw), expected)
    if header.has_tail:
        notes = tuple(note for note in notes if note != _TRAILING)
    count = header.voxel_bytes // header.dtype.itemsize
    values = np.frombuffer(content, header.dtype, count, header.offset)
    return RawImage(path, header, values, digest, header.notes + notes)


def read_raw(path: AnyPath, limit: int) -> tuple[Header, bytes, str]:
    """Read an image's header and its voxels as they lie on the disk, compressed or not.

    Returns
    -------
    header : Header
    raw : bytes
        The file that holds the voxels.
    sha256 : str
    """
    head_path, voxel_path = files_of(path)
    head = _read_head(head_path)
    header = _parse(path, head)
    expected = header.offset + header.voxel_bytes
    if head_path == voxel_path and len(head) < _HEAD:
        raw = head
    else:
        # A little more than the image can take shows that something follows, however much.
        is_plain = head_path == voxel_path and not _is_gzip(path, head)
        slack = 1 if is_plain else expected // 50 + _HEAD
        raw = read_bytes(voxel_path, head=min(expected, limit + header.offset) + slack)
    if head_path == voxel_path and not raw.startswith(head):
        raise InputError(path, "changed while reading", "wait until it is copied whole")
    check_size(path, header, raw, limit)
    return header, raw, checksum(raw if head_path == voxel_path else head + raw)


def _contents_of(path: AnyPath, header: Header, raw: Raw, notes: list[str]) -> Iterator[bytes]:
    """The uncompressed file in pieces, verified to its end; adds notes on what is unusual."""
    expected = header.offset + header.voxel_bytes
    if _is_gzip(path, raw):
        yield from _inflate_pieces(path, raw, expected, notes)
    else:
        notes += _check_length(path, len(raw), expected)
        for start in range(0, expected, _PIECE):
            yield raw[start : min(start + _PIECE, expected)]
    if header.has_tail and _TRAILING in notes:
        notes.remove(_TRAILING)


def check_size(path: AnyPath, header: Header, raw: Raw, limit: int) -> None:
    """Refuse a claim that the file can't hold, before anything is allocated for it."""
    length = len(raw)
    ratio = _LARGEST_RATIO if _is_gzip(path, raw) else 1
    if header.offset > length * ratio:
        problem = f"voxel data offset is {header.offset:,}, beyond the file's end"
        raise InputError(path, problem, _COPY_AGAIN)
    if header.voxel_bytes > length * ratio:
        raise InputError(path, _missing(length * ratio, header.voxel_bytes), _COPY_AGAIN)
    if header.voxel_bytes > limit:
        size = f"{header.voxel_bytes / 1e6:,.0f} MB of voxels, {limit / 1e6:,.0f} MB allowed"
        raise InputError(path, f"far larger than the other masks: {size}", "check the image's size")


def file_of_image(image: nib.spatialimages.SpatialImage) -> Path | None:
    """The file that still holds an image's voxels, None where they are in memory."""
    path = Path(image.get_filename() or "")
    return path if nib.is_proxy(image.dataobj) and has_image_ending(path.name) else None


def stored_of_image(image: nib.spatialimages.SpatialImage) -> RawImage:
    """Take a nibabel image that is in memory already, its values scaled.

    Raises
    ------
    InputError
        Where it holds no real numbers, or its affine cannot be used.
    """
    if file := file_of_image(image):
        return read_raw_image(file, LARGEST_IMAGE)
    path = Path(image.get_filename() or _IN_MEMORY)
    try:
        data = np.asarray(image.dataobj)
        affine = check_affine(image.affine, "affine")
    except (HeaderFault, OSError, EOFError) as fault:
        raise InputError(path, str(fault)) from None
    if data.dtype == bool:
        data = data.astype(np.uint8)
    if data.dtype.kind not in "iuf" or data.ndim < 3:
        raise InputError(path, f"not a volume of real numbers: {data.ndim} axes of {data.dtype}")
    shape = (int(data.shape[0]), int(data.shape[1]), int(data.shape[2]))
    code = 0
    if isinstance(image, nib.Nifti1Image):  # which NIfTI-2 images are as well
        code = int(image.header["sform_code"] or image.header["qform_code"])
    grid = Grid(shape, affine, code)
    space = image_space(path, "sform", code, grid, has_sidecar=False)
    grid = replace(grid, space=space)
    header = Header(data.shape, data.dtype, 0, 1.0, 0.0, grid, "sform", code, 0.0, ())
    return RawImage(path, header, np.ravel(data, order="F"), "", ())


def _parse(path: AnyPath, head: bytes, *, has_sidecar: bool = True) -> Header:
    """Read and check the header in the first bytes of a file, compressed or not."""
    with _explained(path, head):
        header = parse_header(_first_bytes(path, head), _is_pair(path))
    if header.grid is None:
        return header
    form, source = (header.form, header.code), header.space_source
    space = image_space(path, *form, header.grid, source=source, has_sidecar=has_sidecar)
    return replace(header, grid=replace(header.grid, space=space))


@contextmanager
def _explained(path: AnyPath, head: bytes) -> Iterator[None]:
    """Say of a header that cannot be used what the file is instead, where that is known."""
    try:
        yield
    except (HeaderFault, InputError) as error:
        finding = content_finding(head) or name_finding(path.name)
        if finding is not None:
            also = f" ({_NOT_GZIP})" if _NOT_GZIP in str(error) else ""
            raise InputError(path, f"{finding.problem}{also}", finding.remedy) from None
        if isinstance(error, HeaderFault):
            raise fault_of(path, error) from None
        raise


def _read_head(path: AnyPath) -> bytes:
    head = read_bytes(path, head=_HEAD)
    return read_bytes(path, head=LONGEST_TEXT_HEADER) if is_text_header(head) else head


def _is_pair(path: AnyPath) -> bool:
    return halves_of(path)[0] != halves_of(path)[1]


def files_of(path: AnyPath) -> tuple[AnyPath, AnyPath]:
    """The files that hold header and voxels: one file, but for pairs such as .hdr and .img."""
    head, voxels = halves_of(path)
    if head == voxels:
        return head, voxels
    packed = voxels.parent / f"{voxels.name}.gz"  # as AFNI compresses its .BRIK
    is_afni = voxels.suffix.lower() == ".brik"
    try:
        if is_afni and not voxels.exists() and packed.exists():
            voxels = packed
        missing = next((half for half in (head, voxels) if not half.exists()), None)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}") from None
    if missing is not None and (finding := unfetched_link(missing)):
        raise InputError(path, finding.problem, finding.remedy)
    if missing is not None:
        what = f"the {missing.suffix if is_afni else missing.suffix.lower()} file is missing"
        raise InputError(path, what, f"copy {missing.name} too")
    return head, voxels


def _is_gzip(path: AnyPath, raw: Raw) -> bool:
    """Whether the file that holds the voxels is compressed, by its first bytes.

    That of a pair of .hdr and .img never is: its first bytes are voxels.
    """
    return path.suffix.lower() not in (".hdr", ".img") and raw.startswith(_GZIP_MARK)


def _first_bytes(path: AnyPath, raw: bytes) -> bytes:
    """The bytes that hold the header, inflated."""
    if is_text_header(raw):
        return raw
    name = path.name.lower()
    if name.endswith(".nii") and raw[:2] == _GZIP_MARK:
        raise InputError(path, "gzip data in a .nii file", "rename it to .nii.gz")
    if name.endswith(".nii.gz") and raw[:2] != _GZIP_MARK:
        raise InputError(path, _NOT_GZIP, _gzip_remedy(raw))
    if raw[:2] != _GZIP_MARK:
        return raw[:LONGEST_HEADER]
    try:
        return zlib.decompressobj(31).decompress(raw[:_HEAD], LONGEST_HEADER)
    except zlib.error as error:
        raise InputError(path, _explain(error), _COPY_AGAIN) from None


def _gzip_remedy(raw: bytes) -> str:
    if raw[344:347] in (b"n+1", b"ni1"):
        return "it is an uncompressed image: rename it to .nii"
    if raw and is_text(raw[:LONGEST_HEADER]):
        return "it holds text, such as a server's message: download it again, signed in if need be"
    return "export the mask again"


def _check_length(path: AnyPath, length: int, expected: int) -> tuple[str, ...]:
    if length < expected:
        raise InputError(path, _missing(length, expected), _COPY_AGAIN)
    return (_TRAILING,) if length > expected else ()


def _inflate(path: AnyPath, raw: bytes, expected: int) -> tuple[Buffer, tuple[str, ...]]:
    # libdeflate allocates what the last four bytes claim, so the claim is checked first;
    # whatever is out of the ordinary goes through a slower, bounded stream that can explain it.
    claimed = int.from_bytes(raw[-4:], "little")
    if claimed == expected % 2**32 and raw.find(_GZIP_MEMBER, 18) < 0:
        try:
            content = deflate.gzip_decompress(raw)
        except (deflate.DeflateError, ValueError, MemoryError):
            content = bytearray()
        if len(content) == expected:
            return content, ()
    notes: list[str] = []
    inflated = bytearray()
    for piece in _inflate_pieces(path, raw, expected, notes):
        inflated += piece
    return inflated, tuple(notes)


def _inflate_pieces(path: AnyPath, raw: Raw, expected: int, notes: list[str]) -> Iterator[bytes]:
    """Inflate one gzip member after the other until the image is whole, piece by piece.

    What follows the expected bytes is verified, and not given.
    """
    length = position = 0
    is_whole = True
    members = 0
    try:
        while not position or (length < expected and raw.startswith(_GZIP_MEMBER, position)):
            members += 1
            if members > _MAX_MEMBERS:
                raise InputError(path, f"has more than {_MAX_MEMBERS:,} gzip members", _COPY_AGAIN)
            stream = zlib.decompressobj(31)
            for piece, reached in _pieces(stream, raw, position):
                position = reached
                yield piece[: max(0, expected - length)]
                length += len(piece)
                if length > 2 * expected + _LONGEST_TAIL:
                    problem = f"holds far more than its image of {expected:,} bytes"
                    raise InputError(path, problem)
            is_whole = stream.eof
            if not is_whole:
                break
    except zlib.error as error:
        raise InputError(path, _explain(error), _COPY_AGAIN) from None
    if length < expected or not is_whole:
        raise InputError(path, _missing(length, expected), _COPY_AGAIN)
    if length > expected or position < len(raw):
        notes.append(_TRAILING)


def _pieces(stream: zlib._Decompress, raw: Raw, start: int) -> Iterator[tuple[bytes, int]]:
    """Inflate in small pieces, each with how far `raw` is read: a bomb is never held at once."""
    for begin in range(start, len(raw), _PIECE):
        waiting = raw[begin : begin + _PIECE]
        end = begin + len(waiting)
        while waiting and not stream.eof:
            piece = stream.decompress(waiting, _PIECE)
            waiting = stream.unconsumed_tail
            yield piece, end - len(stream.unused_data)
        if stream.eof:
            return
    yield stream.flush(), len(raw)


def _explain(error: zlib.error) -> str:
    text = str(error)
    if "data check" in text:
        return "checksum does not match: bytes changed since the file was written"
    if "length check" in text:
        return "length does not match what the file's end says"
    return f"gzip data is damaged ({text})"


def _missing(length: int, expected: int) -> str:
    problem = "voxel data missing" if length <= LONGEST_HEADER else "file is truncated"
    return f"{problem}: {length:,} bytes, {expected:,} expected"


def voxel_parts(
    path: AnyPath, header: Header, raw: Raw, size: int, notes: list[str]
) -> Iterator[bytes]:
    """The voxels in parts of `size` bytes, such as volumes; the last one holds what is left.

    The file is verified to its end. What is unusual is added to the notes.
    """
    waiting, before = bytearray(), header.offset
    for piece in _contents_of(path, header, raw, notes):
        waiting += piece
        if before and len(waiting) >= before:
            del waiting[:before]
            before = 0
        while not before and len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting and not before:
        yield bytes(waiting)


# Image files to look into: on a disk, behind a URL, or held in memory.


NamedBytes = tuple[str, bytes]
"""The name of a file and its content."""

ImageSource = PathInput | NamedBytes | nib.spatialimages.SpatialImage
"""What stands for an image file."""


@dataclass(frozen=True, eq=False)
class ImageFile:
    """An image file; nothing of it is held but what was given as bytes.

    Parameters
    ----------
    path : Path or UrlPath
        Where it lies, or only its name where `content` is given.
    content : bytes, optional
        The whole file.
    """

    path: AnyPath
    content: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes of the file, of both where it is a pair; -1 where a server does not tell."""
        if self.content is not None:
            return len(self.content)
        places = {*files_of(self.path)}
        if not all(isinstance(place, Path) for place in places):
            return -1
        return sum(place.stat().st_size for place in places if isinstance(place, Path))

    @property
    def is_pair(self) -> bool:
        """Whether header and voxels lie in two files."""
        return _is_pair(self.path)

    def open_header(self) -> OpenHeader:
        """The fields of the header as they are stored; an `InputError` where there is none."""
        head = self._head()
        with _explained(self.path, head):
            return open_header(_first_bytes(self.path, head), self.is_pair)

    def header(self) -> Header:
        """The header, checked; an `InputError` where the image cannot be used."""
        return _parse(self.path, self._head(), has_sidecar=self.content is None)

    def sha256(self) -> str:
        """Checksum of the file, of header and voxels one after the other where it is a pair."""
        digest = hashlib.sha256()
        if self.is_pair:
            digest.update(read_bytes(files_of(self.path)[0]))
        with self._open() as raw:
            for start in range(0, len(raw), _CHUNK):
                digest.update(raw[start : start + _CHUNK])
        return digest.hexdigest()

    def blocks(self, header: Header, notes: list[str]) -> Iterator[NDArray]:
        """The stored values in the file's order, some millions at a time.

        Length and gzip checksum are verified at the end. What is unusual is added to the notes.

        Raises
        ------
        InputError
            Where the file is damaged, or changes meanwhile.
        """
        with self._open() as raw:
            check_size(self.path, header, raw, LARGEST_SERIES)
            size = _BLOCK * header.dtype.itemsize
            for block in voxel_parts(self.path, header, raw, size, notes):
                yield np.frombuffer(block, header.dtype)

    def volume(self, header: Header, number: int) -> NDArray:
        """The stored values of one volume, shape (x, y, z), the first axis fastest.

        What follows it in the file is not read.
        """
        size = header.voxel_bytes // header.volumes
        if size > LARGEST_MASK:
            problem = f"is too large to show: {size / 1e6:,.0f} MB of voxels a volume"
            raise InputError(self.path, problem, f"{LARGEST_MASK / 1e6:,.0f} MB are allowed")
        with self._open() as raw:
            check_size(self.path, header, raw, LARGEST_SERIES)
            parts = voxel_parts(self.path, header, raw, size, [])
            content = next(islice(parts, number, None))
        shape = (*header.shape[:3], 1, 1)[:3]
        return np.frombuffer(content, header.dtype).reshape(shape, order="F")

    def stored(self, limit: int = LARGEST_MASK) -> RawImage:
        """The image read whole and verified, as a mask is read.

        Parameters
        ----------
        limit : int
            Largest number of bytes the voxels may take.
        """
        if self.content is None:
            return read_raw_image(self.path, limit)
        header = self.header()
        check_size(self.path, header, self.content, limit)
        return _stored(self.path, header, self.content, checksum(self.content))

    def _head(self) -> bytes:
        if self.content is not None:
            return self.content[:_HEAD]
        return _read_head(files_of(self.path)[0])

    @contextmanager
    def _open(self) -> Iterator[Raw]:
        """The file that holds the voxels."""
        place = self.path if self.content is not None else files_of(self.path)[1]
        if self.content is not None:
            yield self.content
        elif isinstance(place, Path):
            with FileView(place) as view:
                yield view
        else:
            yield read_raw(self.path, LARGEST_IMAGE)[1]


def as_image_file(source: ImageSource) -> ImageFile:
    """The file that a path, a URL, a name with bytes, or a nibabel image stands for.

    A nibabel image that is in memory stands for the file it would be saved as.

    Raises
    ------
    InputError
        Where bytes are empty or half of a pair, or an image cannot be saved as NIfTI.
    """
    if isinstance(source, nib.spatialimages.SpatialImage):
        if path := file_of_image(source):
            return ImageFile(path)
        try:
            kind = nib.Nifti2Image if isinstance(source, nib.Nifti2Image) else nib.Nifti1Image
            return ImageFile(Path(_IN_MEMORY), kind.from_image(source).to_bytes())
        except (HeaderDataError, ValueError, OSError) as error:
            name = source.get_filename() or _IN_MEMORY
            raise InputError(Path(name), f"cannot be taken as NIfTI ({error})") from None
    if not isinstance(source, tuple):
        return ImageFile(as_path(source))
    name, content = source
    if not content:
        raise InputError(name, "file is empty", _COPY_AGAIN)
    if _is_pair(Path(name)):
        head, voxels = (half.suffix for half in halves_of(Path(name)))
        problem = f"is one of two files ({head} and {voxels}) that belong together"
        raise InputError(name, problem, "convert them to one .nii file, or open them in the folder")
    return ImageFile(Path(name), content)
