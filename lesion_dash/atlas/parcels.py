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
