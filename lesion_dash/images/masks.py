"""Binary masks: which voxels of an image are lesioned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError, NotBinary
from ..core.grid import Grid, is_near
from ..core.runs import Runs, find_runs, runs_of_values, voxels_of
from ..files.listing import strip_ending
from ..files.paths import AnyPath, PathInput, as_path
from ..files.writing import with_notes
from .nifti import Header, half_step, make_image
from .reading import RawImage, read_raw_image, stored_of_image

SAME_VALUE = 1e-4
"""Lesion values that differ by less than this part of the largest are one value.

Arbitrary: above what float32 and a scale of 16 bits round off, below any two labels.
"""

TINY = 1e-6
"""Values below this part of the largest are noise of an interpolation; arbitrary."""

SEVERAL = "several volumes: {} in one file, one expected"
OWN_IMAGE = "save the volume of interest as an image of its own"
_ROUNDING = 1e-6  # of a slope that is stored as float32
_MAX_SCALED = 2**25  # voxels that are converted to double precision: 256 MB; arbitrary
_SAVE_BINARY = "save the mask as 0 and 1"


@dataclass(frozen=True)
class Binarization:
    """How to make a mask of an image that is none.

    Parameters
    ----------
    threshold : float or None
        Of a probability map: voxels of at least this value.
    label : int or None
        Of a label map: voxels of exactly this value.
    """

    threshold: float | None = None
    label: int | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold <= 1:
            problem = f"{self.threshold} is not between 0 and 1"
            raise InputError("threshold", problem, "give a share such as 0.5 for 50 %")
        if self.label is not None and self.label < 1:
            raise InputError("label", f"{self.label} is background", "give a label of at least 1")
        if self.threshold is not None and self.label is not None:
            raise InputError("threshold", "given together with a label", "give one of them")

    @property
    def summary(self) -> tuple[str, ...]:
        """What was chosen, as a note; nothing for a plain mask."""
        if self.threshold is not None:
            return (f"voxels of at least {self.threshold:g} taken as the mask",)
        return () if self.label is None else (f"voxels of label {self.label} taken as the mask",)


BINARY = Binarization()
"""The image is a mask already."""


@dataclass(frozen=True, eq=False)
class Lesion:
    """The lesioned voxels of an image, as runs of neighbours.

    Parameters
    ----------
    grid : Grid
    starts, lengths : array of int32, shape (runs,)
        See `runs.find_runs`.
    notes : tuple of str
        What is unusual about the file, a sentence each.
    """

    grid: Grid
    starts: NDArray[np.int32]
    lengths: NDArray[np.int32]
    notes: tuple[str, ...]

    @property
    def voxels(self) -> int:
        """Number of lesioned voxels."""
        return int(self.lengths.sum())


def find_lesion(stored: RawImage, choice: Binarization = BINARY) -> Lesion:
    """Find the lesioned voxels of an image that was read.

    Raises
    ------
    InputError
        Where its values are no mask; the sentence names the remedy.
    """
    grid = volume_grid(stored.path, stored.header)
    runs, notes = _find_binary(stored) if choice == BINARY else _choose(stored, choice)
    return Lesion(grid, *runs, stored.notes + notes + _unusual_shape(grid, runs))


def volume_grid(
    path: AnyPath, header: Header, problem: str = SEVERAL, remedy: str = "save one mask per patient"
) -> Grid:
    """The grid of an image of exactly one volume, or an error that says what it is instead."""
    if header.grid is None:
        raise InputError(path, f"not a volume: {len(header.shape)} axes, three expected")
    if header.volumes > 1:
        raise InputError(path, problem.format(header.volumes), remedy)
    return header.grid


def nan_note(voxels: int) -> tuple[str, ...]:
    """What is said of so many voxels that are NaN; nothing where there are none."""
    return (f"NaN treated as background in {voxels:,} voxels",) if voxels else ()


def _unusual_shape(grid: Grid, runs: Runs) -> tuple[str, ...]:
    """Say what makes a lesion look like a mistake."""
    starts, lengths = runs
    voxels = int(lengths.sum())
    if voxels == 0:
        return ("mask is empty",)
    if voxels == grid.size:
        return ("lesion fills the image",)
    if voxels > grid.size / 2:
        return (f"lesion fills most of the image ({voxels / grid.size:.0%}): inverted?",)
    return ("lesion touches the image border",) if _touches_border(grid, starts, lengths) else ()


def _touches_border(grid: Grid, starts: NDArray[np.int32], lengths: NDArray[np.int32]) -> bool:
    nx, ny, nz = grid.shape
    slab = nx * ny
    last = starts + lengths - 1
    if starts[0] < slab or last[-1] >= slab * (nz - 1):
        return True
    rows, last_rows = starts // nx, last // nx
    j = rows % ny
    return bool(
        np.any(rows != last_rows)  # a run into the next row touches both ends
        or np.any(starts == rows * nx)
        or np.any(last + 1 == (last_rows + 1) * nx)
        or j.min() == 0
        or j.max() == ny - 1
    )


def _choose(stored: RawImage, choice: Binarization) -> tuple[Runs, tuple[str, ...]]:
    """Take the voxels of a threshold or a label; the comparison is made in stored values."""
    header, values = stored.header, stored.values
    if choice.threshold is None:
        tolerance = max(half_step(header), SAME_VALUE) / abs(header.slope)
        label = ((choice.label or 0) - header.intercept) / header.slope
        chosen = (values >= label - tolerance) & (values <= label + tolerance)
        return find_runs(np.flatnonzero(chosen).astype(np.int32)), choice.summary
    unknown = int(np.isnan(values).sum())
    if unknown == values.size:
        raise InputError(stored.path, "no finite value: every voxel is NaN")
    ends = np.array([np.nanmin(values), np.nanmax(values)]) * header.slope + header.intercept
    lowest, largest = sorted(ends.tolist())
    if not (lowest >= -_ROUNDING and largest <= 1 + _ROUNDING):
        problem = f"not a probability map from 0 to 1: it holds {lowest:g} to {largest:g}"
        raise InputError(stored.path, problem, "give --label for a label map")
    threshold = (choice.threshold - _ROUNDING - header.intercept) / header.slope
    chosen = values >= threshold if header.slope > 0 else values <= threshold
    notes = choice.summary + nan_note(unknown)
    return find_runs(np.flatnonzero(chosen).astype(np.int32)), notes


def _find_binary(stored: RawImage) -> tuple[Runs, tuple[str, ...]]:
    header = stored.header
    values = stored.values
    if header.intercept:
        if values.size > _MAX_SCALED:
            problem = f"too large for a mask with an intercept: {values.size:,} voxels"
            raise InputError(stored.path, problem, _SAVE_BINARY)
        values = header.scaled(values)
    runs, largest, is_one_value = runs_of_values(values)
    if is_one_value and not header.intercept and 0 < largest * header.slope < np.inf:
        return runs, _odd_lesion_value(largest * header.slope)
    indices = voxels_of(*runs)
    meant = values[indices] * (1.0 if header.intercept else header.slope)
    indices, notes = _check_values(stored, indices, meant)
    return find_runs(indices), notes


def _check_values(
    stored: RawImage, indices: NDArray[np.int32], values: NDArray
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Sort the values that are not stored as zero into lesion and background."""
    notes: tuple[str, ...] = ()
    known = ~np.isnan(values)
    if not known.all():
        _check_unknown(stored, indices[~known], bool(known.any()))
        notes += nan_note(values.size - int(known.sum()))
        indices, values = indices[known], values[known]
    if values.size == 0:
        return indices, notes
    if step := half_step(stored.header):
        # Values within half a scale step of whole numbers are those numbers.
        whole = np.rint(values)
        values = np.where(np.abs(values - whole) <= step, whole, values)
    largest = _check_range(stored.path, values)
    is_lesion = values > largest * TINY
    lesion = values[is_lesion]
    if np.any(values[~is_lesion]):
        notes += ("tiny values treated as 0",)
    if lesion.size and lesion.min() < largest * (1 - SAME_VALUE):
        _refuse_values(stored.path, np.unique(lesion))
    return indices[is_lesion], notes + _odd_lesion_value(largest)


def _check_unknown(stored: RawImage, unknown: NDArray[np.int32], any_known: bool) -> None:
    """NaN is background where it reaches the image's border; enclosed, it is a hole in the data."""
    from scipy.ndimage import label

    if not any_known and unknown.size == stored.values.size:
        raise InputError(stored.path, "no finite value: every voxel is NaN")
    shape = stored.header.shape[:3]
    is_nan = np.zeros(stored.values.size, bool)
    is_nan[unknown] = True
    parts, count = label(is_nan.reshape(shape, order="F"))
    faces = [np.take(parts, end, axis) for axis in range(3) for end in (0, -1)]
    outer = np.unique(np.concatenate([face.ravel() for face in faces]))
    if count > np.count_nonzero(outer):
        enclosed = int((~np.isin(parts, outer)).sum())
        problem = f"NaN inside the lesion or the brain: {enclosed:,} voxels away from the border"
        raise InputError(stored.path, problem, _SAVE_BINARY)


def _check_range(path: AnyPath, values: NDArray) -> float:
    if np.isinf(values).any():
        raise InputError(path, "infinite value in a voxel", _SAVE_BINARY)
    if values.min() < -TINY * np.abs(values).max():
        raise InputError(path, f"negative values, down to {values.min():g}", _SAVE_BINARY)
    return float(values.max())


def _odd_lesion_value(value: float) -> tuple[str, ...]:
    return (f"unusual lesion value {value:g}, counted as lesion",) if value > 65535 else ()


def _refuse_values(path: AnyPath, values: NDArray) -> None:
    shown = ", ".join(f"{value:g}" for value in values[:4]) + (", ..." if values.size > 4 else "")
    if np.array_equal(values, np.rint(values)):
        problem = f"more than one label: {values.size} different values ({shown})"
        if values[0] == 1 and values.size == 2 and values[1] == 2:
            problem += "; values are not 0 and 1"
        raise NotBinary(path, problem, f"choose the lesion's, such as --label {values[-1]:g}")
    problem = f"not a binary mask: {values.size} different values ({shown})"
    raise NotBinary(path, problem, "make a mask of a probability map with --threshold 0.5")


# Binary masks: which voxels of an image are lesioned.


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
    sha256 : str
        Of the file it was read from, where it was.

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
    sha256: str = ""

    def __post_init__(self) -> None:
        indices = np.asarray(self.indices, np.int32)
        if indices.size and (indices[0] < 0 or indices[-1] >= self.grid.size):
            raise InputError(self.name, "has voxels outside its grid")
        if np.any(indices[1:] <= indices[:-1]):
            raise InputError(self.name, "has voxels twice or out of order")
        indices = indices.view()
        indices.setflags(write=False)
        object.__setattr__(self, "indices", indices)

    @classmethod
    def from_array(cls, array: NDArray, grid: Grid, name: str) -> Mask:
        """Make a mask of the voxels of a 3D array that are not zero."""
        if array.shape != grid.shape:
            raise InputError(name, f"array of shape {array.shape} on a grid of {grid.shape}")
        return cls(grid, np.flatnonzero(np.ravel(array, order="F")).astype(np.int32), name)

    @classmethod
    def from_lesion(cls, lesion: Lesion, name: str) -> Mask:
        """Make a mask of what was found in an image."""
        indices = voxels_of(lesion.starts, lesion.lengths)
        return cls(lesion.grid, indices, name, lesion.notes)

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

    def on_grid(self, grid: Grid) -> Mask:
        """Bring the mask onto a grid whose voxels coincide with its own: flipped or permuted axes.

        No value is interpolated, and the number of voxels stays what it is.

        Raises
        ------
        InputError
            Where voxel centres do not coincide, or a voxel of the mask lies outside the grid.
        """
        if self.grid.matches(grid):
            return self
        if is_near(self.grid, grid):
            shift = f"grid differs slightly, by {self.grid.corner_shift(grid):.2g} mm"
            note = f"{shift}: the nearest voxel is the same"
            return Mask(grid, self.indices, self.name, (*self.notes, note))
        steps = self.grid.exact_steps(grid)
        if steps is None:
            problem = f"is not on the grid of the other map: {self.grid.difference(grid)}"
            raise InputError(self.name, problem, "bring both maps onto one grid")
        own = np.stack(np.unravel_index(self.indices, self.grid.shape, order="F"))
        voxels = steps[:, :3] @ own + steps[:, 3:]
        if ((voxels < 0) | (voxels >= np.array(grid.shape)[:, None])).any():
            raise InputError(self.name, "reaches beyond the grid of the other map")
        indices = np.sort(np.ravel_multi_index(tuple(voxels), grid.shape, order="F"))
        note = f"reoriented exactly from {self.grid} to {grid}"
        return Mask(grid, indices.astype(np.int32), self.name, (*self.notes, note))

    def to_nifti(self) -> nib.Nifti1Image:
        """The mask as a NIfTI image of 0 and 1, uint8."""
        return make_image(self.grid, self.array.astype(np.uint8), "lesion_dash: binary map")


def read_mask(
    path: PathInput | nib.spatialimages.SpatialImage,
    threshold: float | None = None,
    label: int | None = None,
) -> Mask:
    """Read a binary mask from a NIfTI file, or take it from a nibabel image.

    Parameters
    ----------
    path : path, URL or nibabel image
        Three axes; two values, 0 and one other.
    threshold : float, optional
        Make a mask of a probability map: voxels of at least this value, in (0, 1].
    label : int, optional
        Make a mask of a label map: voxels of exactly this value.

    Raises
    ------
    InputError
        Where the file is damaged or is no binary mask; the sentence names the remedy.
    """
    choice = Binarization(threshold, label)
    if isinstance(path, nib.spatialimages.SpatialImage):
        return mask_of(stored_of_image(path), choice)
    return mask_of(read_raw_image(as_path(path)), choice)


MaskLike = Mask | PathInput | nib.spatialimages.SpatialImage
"""What stands for a binary map: a mask, the path of one, or a nibabel image."""


def as_mask(source: MaskLike) -> Mask:
    """The mask itself, or the one that is read from a path or a nibabel image."""
    return source if isinstance(source, Mask) else read_mask(source)


def mask_of(stored: RawImage, choice: Binarization = BINARY) -> Mask:
    """Find the lesioned voxels of an image that was read."""
    mask = Mask.from_lesion(find_lesion(stored, choice), strip_ending(stored.path.name))
    return replace(mask, sha256=stored.sha256)


def mask_input(path: AnyPath, mask: Mask, *, is_lesion: bool = True) -> dict[str, Any]:
    """A mask as an input, with the checksum of the bytes that were counted, and its notes.

    Of a mask that is no lesion, such as the brain, it says nothing to touch the image's border.
    """
    notes = [note for note in mask.notes if is_lesion or not note.startswith("lesion ")]
    return with_notes({"kind": "mask", "file": str(path), "sha256": mask.sha256}, notes)
