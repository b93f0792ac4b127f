"""Definitions of signal and contrast to noise, and the moments they are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from math import exp, lgamma, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.defaults import COILS
from ..core.errors import InputError

if TYPE_CHECKING:
    from scipy import sparse


MOST_COILS = 1024
"""More would leave too few digits of the difference that the factor is the root of."""


def noise_factor(coils: int = COILS) -> float:
    """SD of the magnitude of pure noise, for a noise of SD 1 in each channel.

    Where nothing gives a signal, the root of the sum of squares of N coils follows the central
    chi distribution with 2N degrees of freedom; for one coil that is Rayleigh's. Its mean is
    √2 Γ(N + 1/2) / Γ(N), and its SD √(2N − mean²). The SD of air divided by this factor is the
    SD of the noise where there is signal.

    Parameters
    ----------
    coils : int
        Channels combined as the root of the sum of squares, uncorrelated and of equal noise; 1
        for a single coil, and for an adaptive combination of many.

    Returns
    -------
    float
        0.655 for one coil, 0.695 for 4, 0.706 for 32; 1/√2 in the limit.

    Raises
    ------
    InputError
        Where it is not a whole number from 1 to 1024.

    References
    ----------
    The distribution: Constantinides, Atalar, McVeigh (1997), Magn Reson Med 38, 852-857, who take
    the root of the mean square, divided by 2 N, instead, and correct the signal. The SD for one
    coil: Dietrich et al. (2007), J Magn Reson Imaging 26, 375-385, appendix.

    Examples
    --------
    >>> [round(noise_factor(coils), 3) for coils in (1, 4, 32)]
    [0.655, 0.695, 0.706]
    """
    if not 1 <= coils <= MOST_COILS or coils != int(coils):
        problem = f"{coils} is not a number of coils"
        raise InputError("coils", problem, f"give a whole number from 1 to {MOST_COILS}")
    mean_square = 2 * exp(2 * (lgamma(coils + 0.5) - lgamma(coils)))
    return sqrt(2 * coils - mean_square)


# Mean and spread of the values of a region, as they are and as resampling varies them.


Number = float | NDArray[np.float64]

NORMAL_MAD = 0.6744897501960817
"""Median absolute deviation of a normal distribution of SD 1."""

_MOST_LEVELS = 2**16  # arbitrary; each resample sorts so many values
_ROUNDED = 1e-4  # of the SD: far below the error of a MAD of fewer than 10^7 voxels
_TOGETHER = 32  # resamples; the counts of the voxels are read once for all of them


@dataclass(frozen=True, eq=False)
class Moments:
    """What the formulas need of a region.

    Parameters
    ----------
    n : int
        Voxels of the region.
    mean, sd, mad : float, or array with one value per resample
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
    >>> moments = measure(np.array([1.0, 2.0, 3.0, 10.0]))
    >>> moments.mean, round(moments.sd, 3), round(moments.mad * NORMAL_MAD, 3)
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
    deviations = values - centre
    powers = (None, deviations, deviations**2)
    sums = np.stack([np.bincount(units, weights, count) for weights in powers], axis=1)
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
    deviations = np.abs(values - weighted_median(values, weights))
    order = np.argsort(deviations, kind="stable")  # two ordered runs, which this kind only merges
    return weighted_median(deviations[order], weights[order]) / NORMAL_MAD


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


# What people call signal to noise and contrast to noise.


@dataclass(frozen=True)
class Definition:
    """A way to measure signal or contrast to noise.

    Parameters
    ----------
    name : str
        Begins with ``snr`` or ``cnr``.
    formula : str
        As it is computed; SD has the divisor n.
    source : str
        Who defined it.
    ratio : function
        Of the moments of regions, whose roles are its parameters, and where it needs it of the
        ``factor`` of air. The noise is measured in the last region.
    in_air : str
        The factor it takes: ``coils`` for that of the coils, ``single`` for that of one coil.
    spread : str
        What its noise is divided by: ``sd``, or ``mad``, which may be 0 where the SD is not.
    """

    name: str
    formula: str
    source: str
    ratio: Callable[..., Number]
    in_air: Literal["", "coils", "single"] = ""
    spread: Literal["sd", "mad"] = "sd"

    @property
    def needs(self) -> tuple[str, ...]:
        """The roles of the regions it takes."""
        return tuple(name for name in signature(self.ratio).parameters if name != "factor")

    def compute(self, regions: Mapping[str, Moments], factor: float) -> Number:
        """The number, or one per resample, of the moments of regions by their roles."""
        given = {role: regions[role] for role in self.needs}
        return self.ratio(**given, factor=factor) if self.in_air else self.ratio(**given)

    def factor(self, coils: int) -> float:
        """The factor between the SD of noise and that of air; NaN where it takes none."""
        if not self.in_air:
            return float("nan")
        return noise_factor(coils if self.in_air == "coils" else 1)


_DIETRICH = "Dietrich et al. 2007"
# As it documents them; the program itself takes the median of a tissue in place of the mean.
_MRIQC = "MRIQC, Esteban et al. 2017"

DEFINITIONS = (
    Definition(
        "snr_plain",
        "mean(signal) / SD(background)",
        "the plain recipe",
        lambda signal, background: signal.mean / background.sd,
    ),
    Definition(
        "cnr_plain",
        "(mean(signal) - mean(background)) / SD(background)",
        "the plain recipe",
        lambda signal, background: (signal.mean - background.mean) / background.sd,
    ),
    Definition(
        "snr_within",
        "mean(signal) / SD(signal)",
        "within one region",
        lambda signal: signal.mean / signal.sd,
    ),
    Definition(
        "snr_difference",
        "mean(signal of both acquisitions) / (SD(difference in signal) / sqrt(2))",
        f"NEMA MS 1, {_DIETRICH}",
        lambda pair_signal, difference: pair_signal.mean / (difference.sd / np.sqrt(2)),
    ),
    Definition(
        "cnr_difference",
        "(mean(signal) - mean(background) of both) / (SD(difference in signal) / sqrt(2))",
        f"after {_DIETRICH}",
        lambda pair_signal, pair_background, difference: (
            (pair_signal.mean - pair_background.mean) / (difference.sd / np.sqrt(2))
        ),
    ),
    Definition(
        "snr_air",
        "factor * mean(signal) / SD(air)",
        f"{_DIETRICH}; factor from the chi distribution of N coils",
        lambda signal, air, factor: factor * signal.mean / air.sd,
        "coils",
    ),
    Definition(
        "cnr_air",
        "factor * (mean(signal) - mean(background)) / SD(air)",
        f"after {_DIETRICH}",
        lambda signal, background, air, factor: factor * (signal.mean - background.mean) / air.sd,
        "coils",
    ),
    Definition(
        "snr_mriqc",
        "mean(signal) / (SD(signal) * sqrt(n / (n - 1)))",
        _MRIQC,
        lambda signal: signal.mean / (signal.sd * np.sqrt(signal.n / (signal.n - 1))),
    ),
    Definition(
        "snrd_mriqc",
        "0.655 * mean(signal) / MAD(air)",
        _MRIQC,
        lambda signal, air, factor: factor * signal.mean / air.mad,
        "single",
        "mad",
    ),
    Definition(
        "cnr_mriqc",
        "|mean(signal) - mean(background)| / sqrt(var(air) + var(signal) + var(background))",
        f"Magnotta and Friedman 2006, {_MRIQC}",
        lambda signal, background, air: (
            np.abs(signal.mean - background.mean)
            / np.sqrt(air.sd**2 + signal.sd**2 + background.sd**2)
        ),
    ),
)
"""All of them, in the order in which they are reported."""
