"""Binary masks: which voxels of an image are lesioned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError, NotBinary
from ..core.field_of_view import move_voxels
from ..core.grid import Grid, is_near
from ..core.notes import InfoNote
from ..core.runs import Runs, find_runs, runs_of_values, voxels_of
from ..core.text import counted
from ..files.listing import strip_ending
from ..files.paths import AnyPath, PathInput, as_path
from ..files.writing import with_notes
from .mask_choices import (
    ANY,
    LabelChoice,
    ThresholdChoice,
    parse_label,
    parse_threshold,
)
from .nifti import Header, half_step, make_image
from .reading import RawImage, read_raw_image, stored_of_image
from .space import in_space, space_input

SAME_VALUE = 1e-4
"""Lesion values that differ by less than this part of the largest are one value.

Arbitrary: above what float32 and a scale of 16 bits round off, below any two labels.
"""

TINY = 1e-6
"""Values below this part of the largest are noise of an interpolation; arbitrary."""

SEVERAL = "several volumes: {} in one file, one expected"
OWN_IMAGE = "save the volume of interest as an image of its own"
MOST_LABELS = 20
"""Different values of a label map of lesions; arbitrary: parts of a tumour, or lesions by number.

An image of more is one of intensities, or needs to be stated as labels.
"""

_ROUNDING = 1e-6  # of a slope that is stored as float32
_MAX_SCALED = 2**25  # voxels that are converted to double precision: 256 MB; arbitrary
_SAVE_BINARY = "save the mask as 0 and 1"


@dataclass(frozen=True)
class Binarization:
    """How to make a mask of an image that is none.

    Parameters
    ----------
    threshold : float, str or None
        Of a probability map: voxels of at least this share, or, of a map in percent, of at least
        so many, as the text ``50%``.
    label : int, sequence of int, str or None
        Of a label map: voxels of exactly this value, of one of several, also as the text ``1,4``,
        or of every value above 0, ``any``.

    Examples
    --------
    >>> Binarization(label="4,1").label, Binarization(label=[2]).label, Binarization(label="any")
    ((1, 4), 2, Binarization(threshold=None, label='any'))
    """

    threshold: ThresholdChoice = None
    label: LabelChoice = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "threshold", parse_threshold(self.threshold))
        object.__setattr__(self, "label", parse_label(self.label))
        if self.threshold is not None and self.label is not None:
            raise InputError("threshold", "given together with a label", "give one of them")

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels that are named; none for ``any``."""
        if self.label is None or isinstance(self.label, str):
            return ()
        return (self.label,) if isinstance(self.label, int) else tuple(self.label)

    @property
    def is_percent(self) -> bool:
        """Whether the threshold is one in percent."""
        return isinstance(self.threshold, str)

    @property
    def lowest(self) -> float:
        """The threshold in the scale of the map; 0 where there is none."""
        return float(str(self.threshold or 0).removesuffix("%"))

    @property
    def summary(self) -> tuple[str, ...]:
        """What was chosen, as a note; nothing for a plain mask."""
        return (InfoNote(f"{self.words} taken as the mask"),) if self.words else ()

    @property
    def words(self) -> str:
        """Which voxels were chosen; nothing for a plain mask."""
        if self.threshold is not None:
            shown = self.threshold if self.is_percent else f"{self.threshold:g}"
            return f"voxels of at least {shown}"
        if self.label == ANY:
            return "all voxels above 0"
        return f"voxels of label {' or '.join(map(str, self.labels))}" if self.labels else ""


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
        Where its values are not a mask; the sentence names the remedy.
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
    return (f"NaN treated as background in {counted(voxels, 'voxel')}",) if voxels else ()


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
    """Take the voxels of a threshold or of labels; the comparison is made in stored values."""
    if choice.threshold is not None:
        return _above(stored, choice)
    if choice.label == ANY:
        return _labelled(stored, choice.summary)
    header, values = stored.header, stored.values
    tolerance = max(half_step(header), SAME_VALUE) / abs(header.slope)
    chosen = np.zeros(values.shape, bool)
    for number in choice.labels:
        label = (number - header.intercept) / header.slope
        chosen |= (values >= label - tolerance) & (values <= label + tolerance)
    none = not chosen.any() and bool((values != _as_stored(0, header)).any())
    numbers = " or ".join(map(str, choice.labels))
    notes = (*choice.summary, *([f"holds labels, but not {numbers}"] if none else []))
    return find_runs(np.flatnonzero(chosen).astype(np.int32)), notes


def _labelled(stored: RawImage, summary: tuple[str, ...]) -> tuple[Runs, tuple[str, ...]]:
    """Every voxel above 0 of a label map; what is none must be a binary mask."""
    header, values = stored.header, stored.values
    tolerance = max(half_step(header), SAME_VALUE)
    indices = np.flatnonzero(_at_least(tolerance, stored)).astype(np.int32)
    border = _as_stored(-tolerance, header)
    is_negative = values < border if header.slope > 0 else values > border
    labels = np.unique(header.scaled(values[indices]))
    is_whole = np.all(np.abs(labels - np.rint(labels)) <= tolerance) and np.isfinite(labels).all()
    if is_negative.any() or not is_whole:
        return _find_binary(stored)
    is_many = labels.size > MOST_LABELS
    many = (f"{labels.size:,} different labels taken together: a label map?",) if is_many else ()
    return find_runs(indices), summary + nan_note(int(np.isnan(values).sum())) + many


def _above(stored: RawImage, choice: Binarization) -> tuple[Runs, tuple[str, ...]]:
    """Take the voxels of at least a probability, in the scale in which the map holds it."""
    header, values = stored.header, stored.values
    unknown = int(np.isnan(values).sum())
    if unknown == values.size:
        raise InputError(stored.path, "no finite value: every voxel is NaN")
    ends = np.array([np.nanmin(values), np.nanmax(values)]) * header.slope + header.intercept
    lowest, largest = sorted(ends.tolist())
    _check_scale(stored.path, lowest, largest, choice)
    chosen = _at_least(choice.lowest - _ROUNDING, stored)
    notes = choice.summary + nan_note(unknown)
    return find_runs(np.flatnonzero(chosen).astype(np.int32)), notes


def _check_scale(path: AnyPath, lowest: float, largest: float, choice: Binarization) -> None:
    """Refuse a threshold in percent for shares, and the reverse: neither is guessed."""
    span = f"it holds {lowest:g} to {largest:g}"
    tops = [top for top in (1, 100) if lowest >= -_ROUNDING and largest <= top + _ROUNDING]
    if choice.is_percent and 1 in tops and largest > _ROUNDING:
        problem = f"a probability map from 0 to 1, not in percent: {span}"
        raise InputError(path, problem, f"give --threshold {choice.lowest / 100:g}")
    if not choice.is_percent and tops == [100]:
        percent = f"--threshold {choice.lowest * 100:g}% if it is in percent"
        problem = f"not a probability map from 0 to 1: {span}"
        raise InputError(path, problem, f"give {percent}, or --label for a label map")
    if not tops:
        problem = f"not a probability map from 0 to {100 if choice.is_percent else 1}: {span}"
        raise InputError(path, problem, "give --label for a label map")


def _as_stored(value: float, header: Header) -> float:
    return (value - header.intercept) / header.slope


def _at_least(value: float, stored: RawImage) -> NDArray[np.bool_]:
    border = _as_stored(value, stored.header)
    is_up = stored.header.slope > 0
    return stored.values >= border if is_up else stored.values <= border


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
        problem = (
            f"NaN inside the lesion or the brain: {counted(enclosed, 'voxel')} away from the border"
        )
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
    """Refuse an image of several values above 0, with the choice that makes a mask of it."""
    shown = ", ".join(f"{value:g}" for value in values[:4]) + (", ..." if values.size > 4 else "")
    several = f"{values.size} different values ({shown})"
    is_whole, largest = np.array_equal(values, np.rint(values)), float(values[-1])
    if is_whole and values.size <= MOST_LABELS:
        problem = f"more than one label: {several}"
        if values[0] == 1 and values.size == 2 and values[1] == 2:
            problem += "; values are not 0 and 1"
        error = NotBinary(path, problem, label_advice([int(value) for value in values]))
        error.labels = tuple(int(value) for value in values)
    elif largest <= 1 + _ROUNDING:
        remedy = "make a mask of a probability map with --threshold 0.5"
        error = NotBinary(path, f"not a binary mask: {several}", remedy)
        error.threshold = 0.5
    elif largest <= 100 + _ROUNDING:
        remedy = "make a mask of a probability map in percent with --threshold 50%"
        error = NotBinary(path, f"not a binary mask: {several}, up to {largest:g}", remedy)
        error.threshold = "50%"
    else:
        problem = f"neither a mask nor a label map: {several}, up to {largest:g}"
        error = NotBinary(path, problem, "give the mask of the lesion, not a scan")
    raise error


def label_advice(labels: Sequence[int]) -> str:
    """How to make a mask of an image with these labels: all together first.

    Examples
    --------
    >>> label_advice([1, 2, 4])
    '--label any takes every voxel above 0, --label 1,4 several labels, --label 4 one'
    """
    several = f", --label {labels[0]},{labels[-1]} several labels" if len(labels) > 2 else ""
    return f"--label any takes every voxel above 0{several}, --label {labels[-1]} one"


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
    >>> import numpy as np
    >>> from lesion_dash import Grid
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
            raise InputError(self.name, problem, "resample both maps to one grid")
        own = np.stack(np.unravel_index(self.indices, self.grid.shape, order="F"))
        voxels = steps[:, :3] @ own + steps[:, 3:]
        if ((voxels < 0) | (voxels >= np.array(grid.shape)[:, None])).any():
            raise InputError(self.name, "reaches beyond the grid of the other map")
        indices = np.sort(np.ravel_multi_index(tuple(voxels), grid.shape, order="F"))
        is_turned = not np.array_equal(steps[:, :3], np.eye(3))
        how = "reoriented exactly" if is_turned else "placed exactly in another field of view,"
        note = InfoNote(f"{how} from {self.grid} to {grid}")
        return Mask(grid, indices.astype(np.int32), self.name, (*self.notes, note))

    def cut_to(self, grid: Grid) -> Mask:
        """The mask on a grid whose voxels coincide with its own, without what lies beyond it.

        Raises
        ------
        InputError
            Where voxel centres do not coincide.
        """
        if not is_near(self.grid, grid) and self.grid.exact_steps(grid) is not None:
            _, inside = move_voxels(self.indices, self.grid, grid)
            if beyond := int((~inside).sum()):
                which = f"{counted(beyond, 'voxel')} of {self.name}"
                note = f"{which} lie outside the other map's field of view, and are not used"
                part = replace(self, indices=self.indices[inside], notes=(*self.notes, note))
                return part.on_grid(grid)
        return self.on_grid(grid)

    def to_nifti(self) -> nib.Nifti1Image:
        """The mask as a NIfTI image of 0 and 1, uint8."""
        return make_image(self.grid, self.array.astype(np.uint8), "lesion_dash: binary map")


def read_mask(
    path: PathInput | nib.spatialimages.SpatialImage,
    threshold: ThresholdChoice = None,
    label: LabelChoice = None,
    space: str | None = None,
) -> Mask:
    """Read a binary mask from a NIfTI file, or take it from a nibabel image.

    Parameters
    ----------
    path : path, URL or nibabel image
        Three axes; two values, 0 and one other.
    threshold : float or str, optional
        Make a mask of a probability map: voxels of at least this value, in (0, 1], or of a map in
        percent, as text such as ``50%``.
    label : int, sequence of int or "any", optional
        Make a mask of a label map: voxels of this value, of several, or of every value above 0.
    space : str, optional
        The space that it lies in, such as ``MNI152NLin6Asym``; by default what its file states.

    Raises
    ------
    InputError
        Where the file is damaged or is not a binary mask; the sentence names the remedy.

    Examples
    --------
    >>> mask = read_mask("sample_data/cohort_a/sub-a01_lesion.nii.gz")
    >>> mask.voxels, mask.volume_mm3
    (211, 1688.0)
    >>> read_mask("sample_data/atlas/synthetic_atlas.nii.gz", label=49).voxels
    458
    """
    choice = Binarization(threshold, label)
    if isinstance(path, nib.spatialimages.SpatialImage):
        mask = mask_of(stored_of_image(path), choice)
    else:
        mask = mask_of(read_raw_image(as_path(path)), choice)
    return replace(mask, grid=in_space(mask.grid, space))


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

    Of a mask that is not a lesion, such as the brain, it says nothing to touch the image's border.
    """
    notes = [note for note in mask.notes if is_lesion or not note.startswith("lesion ")]
    known = {"kind": "mask", "file": str(path), "sha256": mask.sha256}
    return with_notes(known | {"space": space_input(mask.grid)}, notes)
