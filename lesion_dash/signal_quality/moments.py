"""Mean and spread of the values of a region, as they are and as resampling varies them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy import sparse

Number = float | NDArray[np.float64]

NORMAL_MAD = 0.6744897501960817
"""Median absolute deviation of a normal distribution of SD 1."""

_MOST_LEVELS = 2**16
_ROUNDED = 1e-4  # of the SD
_TOGETHER = 32  # resamples; the counts of the voxels are read once for all of them


@dataclass(frozen=True, eq=False)
class Moments:
    """What the formulas need of a region.

    Parameters
    ----------
    n : int
        Voxels of the region.
    mean, sd, mad : float, or array with a value a resample
        Mean; standard deviation with divisor n; median absolute deviation divided by 0.6745, so
        that it is the SD where values are normal.
    """

    n: int
    mean: Number
    sd: Number
    mad: Number


def measure(values: NDArray[np.float64]) -> Moments:
    """Mean, SD and MAD of the values of a region, shape (voxels,).

    Examples
    --------
    >>> found = measure(np.array([1.0, 2.0, 3.0, 10.0]))
    >>> found.mean, round(found.sd, 3), round(found.mad * NORMAL_MAD, 3)
    (4.0, 3.536, 1.0)
    """
    return Moments(values.size, float(values.mean()), float(values.std()), _mad(values))


def _mad(values: NDArray[np.float64]) -> float:
    return float(np.median(np.abs(values - np.median(values)))) / NORMAL_MAD


def resample(
    values: NDArray[np.float64],
    units: NDArray[np.intp],
    resamples: int,
    generator: np.random.Generator,
    with_mad: bool = False,
) -> Moments:
    """The same of bootstrap resamples, in each of which whole units are drawn with replacement.

    Parameters
    ----------
    values : array, shape (voxels,)
    units : array of int, shape (voxels,)
        The unit that each voxel is drawn with, numbered from 0 without gaps: the voxel itself,
        or a block of neighbours (Efron and Tibshirani 1993, chapters 8 and 13).
    resamples : int
    generator : numpy.random.Generator
        Two calls with equal generators and units draw the same units.
    with_mad : bool
        Without it `mad` is NaN; it takes long. Where more than 65,536 different values occur, they
        are rounded for it to a ten-thousandth of their SD.

    Returns
    -------
    Moments
        Of arrays, shape (resamples,).

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(100, 5, 400)
    >>> drawn = resample(values, np.arange(400), 500, np.random.default_rng(1))
    >>> [round(float(sd), 1) for sd in (drawn.mean.std(), values.std() / 20)]
    [0.2, 0.2]
    """
    count = int(units.max()) + 1
    centre = values.mean()  # sums of squares lose no digits where values are large
    apart = values - centre
    sums = np.stack(
        [np.bincount(units, weights, count) for weights in (None, apart, apart**2)], axis=1
    )
    totals, mads = np.empty((resamples, 3)), np.full(resamples, np.nan)
    levels, voxels = _count_levels(values, units) if with_mad else (values, None)
    for start in range(0, resamples, _TOGETHER):
        rows = slice(start, min(start + _TOGETHER, resamples))
        times = np.stack([draw_units(generator, count) for _ in range(start, rows.stop)])
        totals[rows] = times @ sums
        if voxels is not None:
            drawn = np.ascontiguousarray((voxels @ times.T).T)
            mads[rows] = [_weighted_mad(levels, weights) for weights in drawn]
    shift = totals[:, 1] / totals[:, 0]
    variance = totals[:, 2] / totals[:, 0] - shift**2
    return Moments(values.size, centre + shift, np.sqrt(np.maximum(variance, 0)), mads)


def draw_units(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    """How often each of so many units is drawn, when as many are drawn with replacement."""
    return np.bincount(generator.integers(0, count, count), minlength=count).astype(np.float64)


def _count_levels(
    values: NDArray[np.float64], units: NDArray[np.intp]
) -> tuple[NDArray[np.float64], sparse.csr_array]:
    """The values that occur, ascending, and how many voxels of each unit have each of them."""
    from scipy import sparse

    levels, places = np.unique(values, return_inverse=True)
    if levels.size > _MOST_LEVELS:
        step = values.std() * _ROUNDED
        levels, places = np.unique(np.rint(values / step) * step, return_inverse=True)
    shape = levels.size, int(units.max()) + 1
    voxels = sparse.csr_array((np.ones(values.size), (places, units)), shape)
    return levels, voxels


def _weighted_mad(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    apart = np.abs(values - weighted_median(values, weights))
    order = np.argsort(apart, kind="stable")  # two ordered runs, which this kind only merges
    return weighted_median(apart[order], weights[order]) / NORMAL_MAD


def weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The median of ascending values that occur as often as the weights say.

    Examples
    --------
    >>> weighted_median(np.array([1.0, 2.0, 9.0]), np.array([1.0, 0.0, 1.0]))
    5.0
    """
    reached = np.cumsum(weights)
    middle = [np.searchsorted(reached, reached[-1] / 2, side) for side in ("left", "right")]
    return float(values[middle].mean())
