"""Whether the values of an image can be those of an atlas: probabilities, percent, or labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError
from ..core.grid import Grid
from ..core.notes import InfoNote
from ..files.paths import AnyPath
from ..images.probabilities import NOISE, Scale, UnclearScale, probability_top
from ..images.survey import fraction_alike

_MAX_PERCENT = 200.0
"""That all regions may add up to at a voxel, on average: atlases of overlapping parts exist.

Arbitrary: anatomical atlases add up to about 100, time series of values to 100 to thousands.
"""

Column = tuple[NDArray[np.int32], NDArray]
"""Positions of the voxels of a map that are not zero, and the values there."""


def to_probabilities(
    path: AnyPath,
    columns: Sequence[Column],
    dtype: np.dtype,
    repetition_time: float = 0.0,
    scale: Scale | None = None,
) -> tuple[list[tuple[NDArray[np.int32], NDArray[np.float64]]], tuple[str, ...]]:
    """Bring the values of all maps of an atlas to probabilities from 0 to 1.

    The largest value of all maps tells the scale where none is stated: up to 1 they are
    probabilities, from 50 to 100 percent, see `probability_top`. Maps that all hold one other
    value are masks that were scaled, or probabilities: this is to be stated. Values that miss 0
    or the top by less than a thousandth of the scale, as after an interpolation, are set to it.

    Parameters
    ----------
    path : Path or UrlPath
        For messages.
    columns : sequence of (array of int32, array)
    dtype : numpy.dtype
        In which the file stores its values.
    repetition_time : float
        See `Header`; atlases may have one, too.
    scale : {"fraction", "percent"}, optional
        As it was stated.

    Returns
    -------
    columns : list of (array of int32, array of float64)
    notes : tuple of str
        The scale that was found, and what was set.

    Raises
    ------
    InputError
        Where the values are neither.
    """
    largest = max((float(values.max(initial=0)) for _, values in columns), default=0.0)
    lowest = min((float(values.min(initial=0)) for _, values in columns), default=0.0)
    top = check_scale(path, len(columns), dtype, lowest, largest, scale)
    if scale is None and _is_one_value(columns, largest) and largest < top * (1 - NOISE):
        problem = f"maps of a probabilistic atlas that hold {largest:g} and 0 alone: probabilities"
        remedy = f"state their scale, fraction or percent, or divide masks by {largest:g}"
        raise UnclearScale(path, f"{problem} vary, and masks hold 1", remedy)
    if top != 1 and repetition_time > 0 and scale is None:
        _check_no_series(path, columns)
    meaning = "probabilities from 0 to 1" if top == 1 else "percent"
    taken = f"values up to {largest:g} taken as {meaning}"
    notes: tuple[str, ...] = (
        (InfoNote(f"{taken}, as was stated"),)
        if scale is not None
        else (taken if top != 1 else InfoNote(taken),)
    )
    above = sum(int((values > top * (1 + NOISE)).sum()) for _, values in columns)
    if above:
        notes += (f"values above {top:g} taken as {top:g} in {above:,} places",)
    below = sum(int((values < 0).sum()) for _, values in columns)
    if below:
        notes += (f"tiny negative values treated as 0 in {below:,} places",)
    scaled = []
    for indices, values in columns:
        is_above = values > 0
        probabilities = np.minimum(values[is_above].astype(np.float64) / top, 1.0)
        scaled.append((indices[is_above], probabilities))
    return scaled, notes


def _is_one_value(columns: Sequence[Column], value: float) -> bool:
    """Whether several maps hold one and the same value wherever they hold any."""
    filled = [values for _, values in columns if values.size]
    return len(filled) > 1 and all(float(values.min()) == value for values in filled)


def check_scale(
    path: AnyPath,
    count: int,
    dtype: np.dtype,
    lowest: float,
    largest: float,
    scale: Scale | None = None,
) -> float:
    """What stands for a probability of 1 in so many maps whose values end there: 1, or 100.

    Raises
    ------
    InputError
        Where these are not ends of probabilities; see `probability_top`.
    """
    if largest <= 0:
        raise InputError(path, "atlas is empty: no voxel has a probability above 0")
    if count in (3, 4) and dtype == np.uint8 and largest > 100:
        problem = f"colour picture (RGB): {count} volumes of whole numbers up to {largest:g}"
        raise InputError(path, problem, "give the image of labels or the maps of probabilities")
    return probability_top(path, lowest, largest, scale, count)


def _check_no_series(path: AnyPath, columns: Sequence[Column]) -> None:
    """Refuse a time series of values up to 100, which only looks like percent.

    The percent of all regions add up to about 100 at a voxel, however many regions there are.
    """
    covered = np.zeros(1 + max(int(indices.max(initial=0)) for indices, _ in columns), bool)
    for indices, _ in columns:
        covered[indices] = True
    whole = sum(float(values.sum(dtype=np.float64)) for _, values in columns)
    mean = whole / np.count_nonzero(covered)
    if mean > _MAX_PERCENT:
        problem = f"looks like a time series: {len(columns)} volumes with a repetition time, and "
        problem += f"the values at a voxel add up to {mean:,.0f} on average"
        remedy = "give maps of probabilities; if these are, state their scale, percent"
        raise InputError(path, problem, remedy)


def check_one_scale(paths: Sequence[AnyPath], columns: Sequence[Column]) -> None:
    """Refuse maps of a folder of which some hold percent and others probabilities from 0 to 1.

    The first map that is unlike the one with the largest value is named; empty maps are like all.
    """
    tops = [float(values.max(initial=0)) for _, values in columns]
    highest = int(np.argmax(tops))
    probability_top(paths[highest], 0.0, tops[highest])
    low = [number for number, top in enumerate(tops) if 0 < top <= 1 + NOISE]
    if low and tops[highest] > 1 + NOISE:
        problem = f"values up to {tops[low[0]]:g}, while those of {paths[highest].name} go up to "
        remedy = "bring all maps of an atlas to one scale, from 0 to 1 or percent"
        raise InputError(paths[low[0]], f"{problem}{tops[highest]:g}", remedy)


# Whether an image of whole numbers can be a map of regions, or holds grey values of a scan.


_MANY = 50
"""Different values up to which any image can be an atlas; arbitrary: scans have hundreds."""

_ALIKE = 0.5
"""Part of neighbouring voxels with the same value, below which regions are not bodies.

Measured: 0.87 in Brainnetome, 0.78 in 1,000 parcels of the cortex at 2 mm, 0.49 at 4 mm; 0.09 in
the T1 of MNI152, 0.01 with noise. Coarse grids have less, so the next measure decides as well.
"""

_SPREAD = 0.5
"""Variance of the places of one value, over that of all places, above which no value has its place.

Measured: 0.05 in Brainnetome, 0.37 in arterial territories, 0.01 in 1,000 parcels on any grid; 0.94
in the T1 of MNI152, 1 where values have no place of their own.
Left and right are one place: a region may lie on both sides.
"""


def check_parcels(path: AnyPath, labels: NDArray[np.integer], grid: Grid) -> None:
    """Refuse an image of many values that form no regions: each is scattered over the brain.

    Raises
    ------
    InputError
        Where there are hundreds of values, few neighbours share theirs, and none has its place.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> grid = Grid((30, 30, 30), np.eye(4))
    >>> check_parcels("t1.nii", rng.integers(1, 900, grid.shape), grid)
    Traceback (most recent call last):
        ...
    lesion_dash.core.errors.InputError: t1.nii: holds 899 different values that ...
    """
    present, counts = np.unique(labels, return_counts=True)
    values = int(np.count_nonzero(present))
    if values <= _MANY:
        return
    # Air of a CT to which 1,000 was added is no 0.
    labels = np.where(labels == present[counts.argmax()], 0, labels)
    alike = fraction_alike(labels, alone=1.0)
    if alike >= _ALIKE or _spread(labels, present, grid) <= _SPREAD:
        return
    problem = (
        f"holds {values:,} different values that form no regions ({alike:.0%} of neighbouring "
        "voxels share theirs): these are the grey values of a scan, or of one map"
    )
    remedy = "give an image with a number for each region, or, of one region's map, state its scale"
    raise InputError(path, problem, remedy)


def _spread(labels: NDArray[np.integer], present: NDArray[np.integer], grid: Grid) -> float:
    """Variance of the places of each value within it, over that of the places of all voxels."""
    places, across = np.nonzero(labels), int(np.abs(grid.affine[0, :3]).argmax())
    groups = np.searchsorted(present, labels[places])
    counts = np.bincount(groups)
    size, parts = groups.size, np.count_nonzero(counts)
    if size <= parts:
        return 0.0
    within = total = 0.0
    for axis, along in enumerate(places):
        place = along.astype(float)
        if axis == across:
            place = np.abs(place - (labels.shape[axis] - 1) / 2)
        sums = np.bincount(groups, place)
        squares = float(np.square(place).sum())
        within += squares - float((sums[counts > 0] ** 2 / counts[counts > 0]).sum())
        total += squares - float(place.sum()) ** 2 / size
    return (within / (size - parts)) / (total / (size - 1)) if total else 0.0
