"""Images of several volumes, such as the maps of a probabilistic atlas."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import AnyPath, has_image_ending
from ..grid import Grid
from .header import Header
from .reading import (
    LARGEST_MASK,
    Buffer,
    Stored,
    contents_of,
    read_header,
    read_raw,
    read_stored,
    stored_of_image,
)

Progress = Callable[[int, int], None]
"""Called with (parts done, parts in all): volumes, or files; what it raises ends the reading."""

_LARGEST_IMAGE = 2**36
"""Bytes all volumes may take uncompressed; only one of them is held at a time."""


@dataclass(frozen=True, eq=False)
class Volumes:
    """The values of several volumes that are not zero.

    Parameters
    ----------
    path : Path or UrlPath
    grid : Grid
        Of each volume.
    columns : tuple of (array of int32, array)
        For each volume the linear positions, ascending and the first axis fastest, and the values
        there, scaled as the header says. NaN is 0.
    dtype : numpy.dtype
        In which the file stores them.
    repetition_time : float
        Seconds; 0 where the header states no unit of time.
    sha256 : str
    notes : tuple of str
    """

    path: AnyPath
    grid: Grid
    columns: tuple[tuple[NDArray[np.int32], NDArray], ...]
    dtype: np.dtype
    repetition_time: float
    sha256: str
    notes: tuple[str, ...]


def count_volumes(source: AnyPath | nib.spatialimages.SpatialImage | Stored) -> int:
    """Number of volumes of an image; no voxel is read."""
    if isinstance(source, Stored):
        return source.header.volumes
    if isinstance(source, nib.spatialimages.SpatialImage):
        return int(np.prod(source.shape[3:], dtype=np.int64))
    return read_header(source).volumes


def read_volumes(
    source: AnyPath | nib.spatialimages.SpatialImage | Stored, progress: Progress | None = None
) -> Volumes:
    """Read the values of an image that are not zero, volume by volume.

    A compressed file is inflated piece by piece, so that no more than a volume of it is held.

    Parameters
    ----------
    source : Path, UrlPath or nibabel image
    progress : callable, optional
        See `Progress`.

    Raises
    ------
    InputError
        Where the file is damaged, or a value is infinite.
    """
    if isinstance(source, Stored):
        return _of_stored(source, progress)
    if isinstance(source, nib.spatialimages.SpatialImage):
        file = _file_of(source)
        if file is None:
            return _of_stored(stored_of_image(source), progress)
        source = file
    header, raw, sha256 = _read(source)
    if header.volumes == 1:
        return _of_stored(read_stored(source), progress)
    said: list[str] = []
    size = header.voxel_bytes // header.volumes
    pieces = cut_voxels(_noted(contents_of(source, header, raw), said), header, size)
    volumes = (np.frombuffer(piece, header.dtype) for piece in pieces)
    found = _collect(source, header, volumes, sha256, header.notes, progress)
    return replace(found, notes=(*found.notes, *said))


def _noted(pieces: Generator[bytes, None, tuple[str, ...]], notes: list[str]) -> Iterator[bytes]:
    notes += yield from pieces


def _file_of(image: nib.spatialimages.SpatialImage) -> Path | None:
    """The file that still holds an image's voxels, None where they are in memory."""
    path = Path(image.get_filename() or "")
    return path if nib.is_proxy(image.dataobj) and has_image_ending(path.name) else None


def _read(path: AnyPath) -> tuple[Header, bytes, str]:
    header = read_header(path)
    if header.voxel_bytes // header.volumes > LARGEST_MASK:
        size = f"{header.voxel_bytes // header.volumes / 1e6:,.0f} MB of voxels a volume"
        raise InputError(path, f"is too large: {size}", "check the image's size")
    return read_raw(path, _LARGEST_IMAGE)


def _of_stored(stored: Stored, progress: Progress | None) -> Volumes:
    header = stored.header
    volumes = iter(stored.values.reshape(header.volumes, -1))
    return _collect(stored.path, header, volumes, stored.sha256, stored.notes, progress)


def cut_voxels(pieces: Iterator[Buffer], header: Header, size: int) -> Iterator[bytes]:
    """Cut a stream into parts of `size` bytes, such as volumes; the header comes before the first.

    The last part holds what is left.
    """
    waiting, before = bytearray(), header.offset
    for piece in pieces:
        waiting += piece
        if before and len(waiting) >= before:
            del waiting[:before]
            before = 0
        while not before and len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting and not before:
        yield bytes(waiting)


def _collect(
    path: AnyPath,
    header: Header,
    volumes: Iterator[NDArray],
    sha256: str,
    notes: tuple[str, ...],
    progress: Progress | None,
) -> Volumes:
    if header.grid is None:
        raise InputError(path, f"not a volume: {len(header.shape)} axes, three expected")
    columns, unknown = [], 0
    for stored in volumes:
        values, missing = _values(path, header, stored)
        unknown += missing
        indices = np.flatnonzero(values).astype(np.int32)
        columns.append((indices, values[indices]))
        if progress is not None:
            progress(len(columns), header.volumes)
    if unknown:
        notes += (f"NaN treated as 0 in {unknown:,} places",)
    # Programs write 1 in images that are no series; they state no unit of time then.
    time = header.repetition_time if header.states_time_unit else 0.0
    return Volumes(path, header.grid, tuple(columns), header.dtype, time, sha256, notes)


def _values(path: AnyPath, header: Header, stored: NDArray) -> tuple[NDArray, int]:
    """The meant values of a volume with NaN as 0, and how many those were."""
    values = stored * header.slope + header.intercept if header.is_scaled else stored
    if values.dtype.kind != "f":
        return values, 0
    if np.isinf(values).any():
        raise InputError(path, "infinite value in a voxel", "export the maps again")
    missing = np.isnan(values)
    return np.where(missing, 0, values), int(missing.sum())
