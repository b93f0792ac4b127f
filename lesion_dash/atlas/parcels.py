"""Whether an image of whole numbers can be a map of regions, or holds the grey values of a scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError
from ..core.grid import Grid
from ..files.paths import AnyPath

_MANY = 50
"""Different values up to which any image can be an atlas; arbitrary: scans have hundreds."""

_ALIKE = 0.5
"""Part of neighbouring voxels with the same value, below which regions are no bodies.

Schaefer's 1,000 parcels have 0.7 at 2 mm and 0.4 at 4 mm, the T1 of MNI152 has 0.1.
"""

_SPREAD = 0.5
"""Variance of the places of one value, over that of all places, above which no value has its place.

1 where values have no place of their own; Schaefer's 1,000 parcels have 0.01, the T1 of MNI152 0.9.
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
    present = np.unique(labels)
    values = int(np.count_nonzero(present))
    if values <= _MANY:
        return
    alike = _alike(labels)
    if alike >= _ALIKE or _spread(labels, present, grid) <= _SPREAD:
        return
    problem = (
        f"holds {values:,} different values that form no regions ({alike:.0%} of neighbouring "
        "voxels share theirs): these are the grey values of a scan, or of one map"
    )
    remedy = "give an image with a number for each region, or, of one region's map, state its scale"
    raise InputError(path, problem, remedy)


def _alike(labels: NDArray[np.integer]) -> float:
    """Part of the pairs of neighbours inside the image's values that have the same."""
    pairs = same = 0
    for axis in range(3):
        first = np.moveaxis(labels, axis, 0)
        inside = (first[1:] != 0) & (first[:-1] != 0)
        pairs += int(np.count_nonzero(inside))
        same += int(np.count_nonzero(inside & (first[1:] == first[:-1])))
    return same / pairs if pairs else 1.0


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
