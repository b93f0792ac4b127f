"""Image files to look into: on a disk, behind a URL, or held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from ..errors import InputError
from ..files import AnyPath, FileView, PathInput, as_path, has_image_ending, read_bytes
from .facts import HeaderFacts, read_facts
from .header import Header, HeaderFault, fault_of
from .reading import (
    LARGEST_IMAGE,
    LARGEST_MASK,
    Raw,
    Stored,
    check_size,
    contents_of,
    files_of,
    first_bytes,
    parse_first_bytes,
    read_raw,
    read_stored,
    stored_of_bytes,
)
from .volumes import cut_voxels

LARGEST_LOOK = 2**36
"""Bytes an image may have uncompressed to be looked through; only a part is held at a time."""

_HEAD = 65536
_PIECE = 2**20
_BLOCK = 2**22  # values that are looked at together

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

    def facts(self) -> HeaderFacts:
        """The fields of the header; an `InputError` where it is no NIfTI file."""
        try:
            return read_facts(first_bytes(self.path, self._head()), self._is_pair)
        except HeaderFault as fault:
            raise fault_of(self.path, fault) from None

    def header(self) -> Header:
        """The header, checked; an `InputError` where the image cannot be used."""
        return parse_first_bytes(self.path, self._head())

    def sha256(self) -> str:
        """Checksum of the file, of header and voxels one after the other where it is a pair."""
        digest = hashlib.sha256()
        if self._is_pair:
            digest.update(read_bytes(files_of(self.path)[0]))
        with self._open() as raw:
            for start in range(0, len(raw), _PIECE):
                digest.update(raw[start : start + _PIECE])
        return digest.hexdigest()

    def blocks(self, header: Header) -> Generator[NDArray, None, tuple[str, ...]]:
        """The stored values in the file's order, some millions at a time.

        Length and gzip checksum are verified at the end. Returns notes on what is unusual.

        Raises
        ------
        InputError
            Where the file is damaged, or changes meanwhile.
        """
        notes: tuple[str, ...] = ()

        def watched() -> Iterator[bytes]:
            nonlocal notes
            notes = yield from contents_of(self.path, header, raw)

        with self._open() as raw:
            check_size(self.path, header, len(raw), LARGEST_LOOK)
            size = _BLOCK * header.dtype.itemsize
            for block in cut_voxels(watched(), header, size):
                yield np.frombuffer(block, header.dtype)
        return notes

    def volume(self, header: Header, number: int) -> NDArray:
        """The stored values of one volume, shape (x, y, z), the first axis fastest.

        What follows it in the file is not read.
        """
        size = header.voxel_bytes // header.volumes
        if size > LARGEST_MASK:
            problem = f"is too large to show: {size / 1e6:,.0f} MB of voxels a volume"
            raise InputError(self.path, problem, f"{LARGEST_MASK / 1e6:,.0f} MB are allowed")
        with self._open() as raw:
            check_size(self.path, header, len(raw), LARGEST_LOOK)
            parts = cut_voxels(contents_of(self.path, header, raw), header, size)
            content = next(part for place, part in enumerate(parts) if place == number)
        shape = (*header.shape[:3], 1, 1)[:3]
        return np.frombuffer(content, header.dtype).reshape(shape, order="F")

    def stored(self, limit: int = LARGEST_MASK) -> Stored:
        """The image read whole and verified, as the door reads a mask.

        Parameters
        ----------
        limit : int
            Largest number of bytes the voxels may take.
        """
        if self.content is not None:
            return stored_of_bytes(self.path, self.content, limit)
        return read_stored(self.path, limit)

    @property
    def _is_pair(self) -> bool:
        return self.path.suffix.lower() in (".img", ".hdr")

    def _head(self) -> bytes:
        if self.content is not None:
            return self.content[:_HEAD]
        return read_bytes(files_of(self.path)[0], head=_HEAD)

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
        return _of_image(source)
    if isinstance(source, tuple):
        name, content = source
        _check_bytes(name, content)
        return ImageFile(Path(name), content)
    return ImageFile(as_path(source))


def _check_bytes(name: str, content: bytes) -> None:
    if not content:
        raise InputError(name, "file is empty", "copy it again from its source")
    if Path(name).suffix.lower() in (".hdr", ".img"):
        problem = "is one of two files (.hdr and .img) that belong together"
        raise InputError(name, problem, "convert them to one .nii file, or open them in the folder")


def _of_image(image: nib.spatialimages.SpatialImage) -> ImageFile:
    path = Path(image.get_filename() or "image in memory")
    if nib.is_proxy(image.dataobj) and has_image_ending(path.name):
        return ImageFile(path)
    try:
        kind = nib.Nifti2Image if isinstance(image, nib.Nifti2Image) else nib.Nifti1Image
        return ImageFile(Path("image in memory"), kind.from_image(image).to_bytes())
    except (HeaderDataError, ValueError, OSError) as error:
        raise InputError(path, f"cannot be taken as NIfTI ({error})") from None
