"""The values of an image inside a mask, and whether noise can be measured among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..grid import Grid
from ..images import Map, Mask
from .neighbours import neighbour_correlation

FEWEST_VOXELS = 10
"""An SD of fewer is off by more than a quarter as a rule (1 / √(2n))."""

FEWEST_VALUES = 5
"""Noise that takes fewer different values was rounded away."""

MOST_ZEROS = 0.10
"""Share of zeros beyond which a region was cut or filled: its SD is that of the cut."""

MOST_UNITS = 20_000
"""Units that are drawn; a larger region is drawn in blocks of neighbours."""

_NO_UNITS = np.empty(0, np.intp)
_ALIKE = 1e-9  # of the largest: values that differ by less do so by rounding
_ORDER_MM = 3  # digits of a millimetre by which voxels are put in order


@dataclass(frozen=True, eq=False)
class Sample:
    """The values of an image inside a mask, in an order that the storage does not change.

    Parameters
    ----------
    name : str
        Of the mask.
    values : array of float64, shape (voxels,)
        NaN left out.
    units : array of int, shape (voxels,)
        What each voxel is resampled with, numbered from 0.
    block_mm : float
        Edge of the cubes that are the units; 0 where each voxel is one.
    unknown : int
        Voxels left out as NaN.
    image : str
        Name of the image, or of two acquisitions.
    correlation : float
        Of neighbouring voxels, where these are the units; 0 where it is small or not known.
    """

    name: str
    values: NDArray[np.float64]
    units: NDArray[np.intp]
    block_mm: float
    unknown: int = 0
    image: str = ""
    correlation: float = 0.0

    @property
    def zeros(self) -> float:
        """Share of the values that are exactly 0."""
        return float(np.mean(self.values == 0))

    @property
    def unit_count(self) -> int:
        """Number of units that are resampled."""
        return int(self.units.max()) + 1


def take_sample(image: Map, mask: Mask, block_mm: float = 0.0) -> Sample:
    """The values of an image inside a mask on its grid.

    Parameters
    ----------
    image : Map
    mask : Mask
    block_mm : float
        Edge of the cubes of neighbours that are resampled together; 0 for single voxels. A region
        of more than `MOST_UNITS` units is cut in larger cubes.

    Raises
    ------
    InputError
        Where the mask is empty on the image, or holds fewer than ten numbers.
    """
    voxels = _voxels_of(image.grid, mask)
    sample = Sample(mask.name, _values_at(image, voxels[0]), _NO_UNITS, block_mm, 0, image.name)
    return _cut(sample, *voxels, image.grid)


def take_pair(first: Map, second: Map, mask: Mask, block_mm: float = 0.0) -> tuple[Sample, Sample]:
    """Mean and difference of two acquisitions on one grid, voxel by voxel inside a mask.

    Only the voxels of the mask are computed, and both samples are drawn alike. The parameters are
    those of `take_sample`, and so is what is raised.
    """
    voxels = _voxels_of(first.grid, mask)
    one, other = _values_at(first, voxels[0]), _values_at(second, voxels[0])
    name = f"{first.name} and {second.name}"
    both = Sample(mask.name, (one + other) / 2, _NO_UNITS, block_mm, 0, name)
    apart = Sample(f"difference in {mask.name}", one - other, _NO_UNITS, block_mm, 0, name)
    return _cut(both, *voxels, first.grid), _cut(apart, *voxels, first.grid)


def _voxels_of(grid: Grid, mask: Mask) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    if not mask.voxels:
        raise InputError(mask.name, "mask is empty: no voxel of the image lies in it")
    return world_order(grid, mask.indices)


def _values_at(image: Map, indices: NDArray[np.integer]) -> NDArray[np.float64]:
    places = np.unravel_index(indices, image.grid.shape, order="F")
    return image.array[places].astype(np.float64)


def _cut(
    sample: Sample, indices: NDArray[np.integer], millimetres: NDArray[np.float64], grid: Grid
) -> Sample:
    """The sample without its NaN, cut in units."""
    known = ~np.isnan(sample.values)
    count, unknown = int(known.sum()), int((~known).sum())
    if count < FEWEST_VOXELS:
        problem = f"holds {count} voxels with a number in {sample.image}"
        raise InputError(sample.name, problem, f"at least {FEWEST_VOXELS} are needed")
    shortest = float(grid.voxel_size.min())
    units, edge = cut_units(millimetres[known], sample.block_mm, shortest)
    values = sample.values[known]
    alike = 0.0 if edge else neighbour_correlation(values, indices[known], grid.shape)
    return Sample(sample.name, values, units, edge, unknown, sample.image, alike)


def world_order(
    grid: Grid, indices: NDArray[np.integer]
) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    """Voxels from below, back and left, with their places in mm.

    A mirrored or permuted copy of an image has the same order, and so the same resamples.
    """
    millimetres = np.round(grid.mm_of_index(indices), _ORDER_MM)
    order = np.lexsort(millimetres.T)
    return indices[order], millimetres[order]


def cut_units(
    millimetres: NDArray[np.float64], block_mm: float, voxel_mm: float
) -> tuple[NDArray[np.intp], float]:
    """Number the units of voxels that are resampled together.

    Parameters
    ----------
    millimetres : array, shape (voxels, 3)
    block_mm : float
        Edge of the cubes; 0 for single voxels.
    voxel_mm : float
        Shortest edge of a voxel.

    Returns
    -------
    units : array of int, shape (voxels,)
    block_mm : float
        The edge that was taken; larger where there would be more than `MOST_UNITS` units.

    Examples
    --------
    >>> row = np.array([[x, 0.0, 0.0] for x in (1.0, 2.0, 3.0, 4.0, 5.0)])
    >>> units, edge = cut_units(row, 2.0, 1.0)
    >>> units.tolist(), edge
    ([0, 0, 1, 1, 2], 2.0)
    """
    edge = block_mm if block_mm >= voxel_mm else 0.0  # smaller cubes hold single voxels
    units = np.arange(len(millimetres)) if not edge else _cubes(millimetres, edge)
    while units.max() >= MOST_UNITS:
        edge = max(2 * edge, 2 * voxel_mm)
        units = _cubes(millimetres, edge)
    return units, edge


def _cubes(millimetres: NDArray[np.float64], edge: float) -> NDArray[np.intp]:
    # Centres that lie on the border of two cubes, up to rounding, go to the upper one.
    places = np.floor((millimetres - millimetres.min(axis=0) + 0.01) / edge).astype(np.int64)
    keys = np.ravel_multi_index(tuple(places.T), tuple(places.max(axis=0) + 1), order="F")
    return np.unique(keys, return_inverse=True)[1]


def noise_fault(sample: Sample, may_hold_zeros: bool = False) -> str:
    """Why the SD of a sample is not that of noise, in words; empty where nothing speaks against.

    Parameters
    ----------
    sample : Sample
    may_hold_zeros : bool
        As a difference of two images may.

    Examples
    --------
    >>> noise_fault(Sample("air", np.zeros(20), np.arange(20), 0.0))
    'is zero-filled: all 20 voxels are 0, as in a skull-stripped or masked image'
    """
    values, n = sample.values, sample.values.size
    different = _different(values)
    if different.size == 1 and different[0] == 0 and not may_hold_zeros:
        return f"is zero-filled: all {n:,} voxels are 0, as in a skull-stripped or masked image"
    if different.size == 1:
        return f"is constant: all {n:,} voxels are {different[0]:g}"
    if sample.zeros > MOST_ZEROS and not may_hold_zeros:
        share = f"{sample.zeros:.0%} of its {n:,} voxels are 0, at most {MOST_ZEROS:.0%} allowed"
        return f"is zero-filled: {share}"
    step, spread = float(np.diff(different).min()), float(values.std())
    if different.size < FEWEST_VALUES:
        return f"is quantised: {different.size} different values in {n:,} voxels"
    if spread < step:
        return f"is quantised: its SD of {spread:.3g} is below the step of {step:.3g} of its values"
    return ""


def _different(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values that occur, ascending; those of one step apart from one another by rounding.

    Differences of whole numbers that a slope scaled miss one another in the last digit.
    """
    found = np.unique(values)
    near = np.diff(found) <= _ALIKE * max(abs(found[0]), abs(found[-1]))
    return found[np.concatenate([[True], ~near])]
