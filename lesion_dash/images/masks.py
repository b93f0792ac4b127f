"""Binary masks: which voxels of an image are lesioned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import strip_ending
from ..grid import Grid
from .header import Header, make_header
from .reading import Stored, read_stored, stored_of_image

SAME_VALUE = 1e-4
"""Lesion values that differ by less than this share of the largest are one value."""

TINY = 1e-6
"""Values below this share of the largest are background noise of an interpolation."""


@dataclass(frozen=True, eq=False)
class Mask:
    """A binary map on a grid, kept as the positions of its voxels.

    Parameters
    ----------
    grid : Grid
    indices : array of int32, shape (voxels,)
        Linear positions in ascending order, the first axis fastest as in a NIfTI file:
        ``numpy.unravel_index(indices, grid.shape, order="F")`` gives (i, j, k).
    name : str
        For tables and file names.
    notes : tuple of str
        What was unusual about the file, a sentence each.

    Examples
    --------
    >>> grid = Grid((2, 2, 2), np.diag([2.0, 2, 2, 1]))
    >>> mask = Mask.from_array(np.array([[[0, 1], [0, 0]], [[0, 0], [1, 0]]]), grid, "example")
    >>> mask.voxels, mask.volume_mm3
    (2, 16.0)
    """

    grid: Grid
    indices: NDArray[np.int32]
    name: str
    notes: tuple[str, ...] = ()

    @classmethod
    def from_array(cls, array: NDArray, grid: Grid, name: str) -> Mask:
        """Make a mask of the voxels of a 3D array that are not zero."""
        if array.shape != grid.shape:
            raise InputError(name, f"array of shape {array.shape} on a grid of {grid.shape}")
        return cls(grid, np.flatnonzero(np.ravel(array, order="F")).astype(np.int32), name)

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return int(self.indices.size)

    @property
    def volume_mm3(self) -> float:
        """Volume in mm³: a count of voxels times the volume of one."""
        return self.voxels * self.grid.voxel_volume

    @cached_property
    def array(self) -> NDArray[np.bool_]:
        """The mask as a boolean array, shape of the grid, read-only."""
        flat = np.zeros(self.grid.size, bool)
        flat[self.indices] = True
        flat.setflags(write=False)
        return flat.reshape(self.grid.shape, order="F")

    def to_nifti(self) -> nib.Nifti1Image:
        """The mask as a NIfTI image of 0 and 1, uint8."""
        header = make_header(self.grid, np.dtype(np.uint8), f"lesion_dash: {self.name}")
        return nib.Nifti1Image(self.array.astype(np.uint8), self.grid.affine, header)


def read_mask(path: str | PathLike[str] | nib.spatialimages.SpatialImage) -> Mask:
    """Read a binary mask from a NIfTI file, or take it from a nibabel image.

    Parameters
    ----------
    path : path or nibabel image
        Three axes; two values, 0 and one other.

    Raises
    ------
    InputError
        Where the file is damaged or is no binary mask; the sentence names the remedy.
    """
    if isinstance(path, nib.spatialimages.SpatialImage):
        return mask_of(stored_of_image(path))
    return mask_of(read_stored(Path(path).expanduser()))


def mask_of(stored: Stored) -> Mask:
    """Find the lesioned voxels of an image that was read."""
    grid = volume_grid(stored.path, stored.header)
    indices, notes = _find_lesion(stored)
    return Mask(grid, indices, strip_ending(stored.path.name), stored.notes + notes)


def volume_grid(path: Path, header: Header) -> Grid:
    """The grid of an image of exactly one volume, or an error that says what it is instead."""
    if header.grid is None:
        raise InputError(path, f"not a volume: {len(header.shape)} axes, three expected")
    if header.volumes > 1:
        problem = f"several volumes: {header.volumes} in one file, one expected"
        raise InputError(path, problem, "save one mask a patient")
    return header.grid


def _find_lesion(stored: Stored) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    header = stored.header
    if header.intercept:
        values: NDArray = stored.values * header.slope + header.intercept
        indices = nonzero_positions(values)
        return _check_values(stored.path, indices, values[indices])
    indices = nonzero_positions(stored.values)
    found = stored.values[indices]
    if found.dtype.kind in "iu" and found.size and found.min() == found.max() > 0:
        return indices, _odd_lesion_value(found[0] * header.slope)
    return _check_values(stored.path, indices, found * header.slope)


def nonzero_positions(values: NDArray) -> NDArray[np.int32]:
    """Positions of stored values that are not zero, in ascending order.

    Eight bytes are looked at together: most of a brain is not lesioned.

    Examples
    --------
    >>> nonzero_positions(np.array([0, 3, 0, 0, 0, 0, 0, 0, 0, 1], np.uint8)).tolist()
    [1, 9]
    """
    in_word = 8 // values.dtype.itemsize
    whole = values.size // in_word * in_word
    words = np.flatnonzero(values[:whole].view(np.uint64) != 0)
    hits = np.flatnonzero(values[:whole].reshape(-1, in_word)[words] != 0)
    found = words[hits // in_word] * in_word + hits % in_word
    rest = whole + np.flatnonzero(values[whole:] != 0)
    return np.concatenate([found, rest]).astype(np.int32)


def _check_values(
    path: Path, indices: NDArray[np.int32], found: NDArray
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Sort the values that are not stored as zero into lesion and background."""
    notes: tuple[str, ...] = ()
    known = ~np.isnan(found)
    if not known.all():
        if found.size and not known.any():
            raise InputError(path, "no finite value: every voxel is NaN or 0")
        notes += (f"NaN treated as background in {found.size - int(known.sum()):,} voxels",)
        indices, found = indices[known], found[known]
    if found.size == 0:
        return indices, notes
    largest = _check_range(path, found)
    lesioned = found > largest * TINY
    if np.any(found[~lesioned]):
        notes += ("tiny values treated as 0",)
    if found[lesioned].min() < largest * (1 - SAME_VALUE):
        _refuse_values(path, np.unique(found[lesioned]))
    return indices[lesioned], notes + _odd_lesion_value(largest)


def _check_range(path: Path, found: NDArray) -> float:
    if np.isinf(found).any():
        raise InputError(path, "infinite value in a voxel", "save the mask as 0 and 1")
    if found.min() < 0:
        problem = f"negative values, down to {found.min():g}"
        raise InputError(path, problem, "save the mask as 0 and 1")
    return float(found.max())


def _odd_lesion_value(value: float) -> tuple[str, ...]:
    return (f"unusual lesion value {value:g}, counted as lesion",) if value > 65535 else ()


def _refuse_values(path: Path, values: NDArray) -> None:
    shown = ", ".join(f"{value:g}" for value in values[:4]) + (", ..." if values.size > 4 else "")
    if np.array_equal(values, np.rint(values)):
        problem = f"more than one label: {values.size} different values ({shown})"
        raise InputError(path, problem, "save the label that is the lesion as a mask of 0 and 1")
    problem = f"not a binary mask: {values.size} different values ({shown})"
    raise InputError(path, problem, "threshold the map first and save it as 0 and 1")
