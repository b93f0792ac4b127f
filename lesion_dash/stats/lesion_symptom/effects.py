"""Effect sizes, detectable effects and Bayes factors."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]

POWER = 0.8
"""Power of the smallest effect that is called detectable, as is usual."""
_SCALE = 0.5**0.5  # of the prior of d: "medium" of R's package BayesFactor
_NODES = 200  # of the quadrature. Measured: 5e-11 of adaptive quadrature
_LOG_G = (-5.0, 34.0)  # bounds of log g, beyond which the integrand is below 1e-14 of its largest

CONFIDENCE = 0.95
"""Of intervals, by convention."""


def hedges_g(t: Float, norms: Float, dof: int) -> Float:
    """Difference in standard deviations of the residuals, corrected for small samples.

    d = t / |Mx|, which is t sqrt(1/n1 + 1/n0) without covariates; g = d (1 - 3 / (4 dof - 1)),
    Hedges 1981.
    """
    return np.asarray(t / norms * (1 - 3 / (4 * dof - 1)))


def detectable_d(norms: Float, dof: int, threshold: float, two_sided: bool) -> Float:
    """The smallest standardised difference d that a test detects with 80 % power.

    t has a noncentral distribution with noncentrality d |Mx| (d sqrt(n (N - n) / N) without
    covariates). What the noncentrality must be depends on the threshold alone.

    Parameters
    ----------
    norms : array of float64, shape (patterns,)
        |Mx|.
    dof : int
    threshold : float
        Of t.
    two_sided : bool
    """
    if not np.isfinite(threshold):
        return np.full(norms.shape, np.nan)
    return np.asarray(noncentrality(dof, threshold, two_sided) / norms)


def noncentrality(dof: int, threshold: float, two_sided: bool, power: float = POWER) -> float:
    """Noncentrality of t at which the threshold is passed with a power.

    Examples
    --------
    >>> round(noncentrality(100, 1.984, two_sided=True), 2)
    2.83
    """
    from scipy.optimize import brentq
    from scipy.stats import nct

    def excess(delta: float) -> float:
        passed = nct.sf(threshold, dof, delta)
        if two_sided:  # the lower tail of nct.cdf is NaN in places: mirrored, it is an upper one
            passed += nct.sf(threshold, dof, -delta)
        return float(passed) - power

    high = max(threshold, 0.0) + 10.0
    while excess(high) < 0:  # with few degrees of freedom, t is widely spread
        high *= 2
    return float(brentq(excess, 0.0, high))


def log10_bayes_factor(t: ArrayLike, norms: ArrayLike, dof: int, scale: float = _SCALE) -> Float:
    """Log10 of the Bayes factor of a difference against none (JZS prior).

    BF10 = ∫ (1 + Mg)^-1/2 (1 + t² / ((1 + Mg) dof))^-(dof + 1)/2 p(g) dg / (1 + t² / dof)^-(dof +
    1)/2 with M = |Mx|² (n (N - n) / N without covariates) and g of the inverse gamma distribution
    of the prior (Rouder et al. 2009). Below 0 it is evidence for no difference.

    Parameters
    ----------
    t, norms : array of float64, shape (patterns,)
    dof : int
    scale : float
        Of the prior of the standardised difference.

    Examples
    --------
    Rouder et al. 2009: t = 2.03 of 80 differences, a Bayes factor of 1.557 for no difference
    with a prior of scale 1.

    >>> round(10 ** -float(log10_bayes_factor(2.03, 80**0.5, 79, scale=1)), 3)
    1.557
    """
    t, norms = np.broadcast_arrays(np.asarray(t, float), np.asarray(norms, float))
    log_g, weights = _nodes()
    g = np.exp(log_g)
    prior = np.log(scale) - 0.5 * np.log(2 * np.pi) - 1.5 * log_g - scale**2 / (2 * g) + log_g
    result = np.empty(t.size)
    step = 4096  # patterns together, about 6 MB
    for first in range(0, t.size, step):
        part = slice(first, first + step)
        squares, effective = t.ravel()[part, None] ** 2, norms.ravel()[part, None] ** 2
        shrunk = 1 + effective * g
        logs = (
            -0.5 * np.log(shrunk)
            - (dof + 1) / 2 * (np.log1p(squares / (shrunk * dof)) - np.log1p(squares / dof))
            + prior
        )
        top = logs.max(axis=1, keepdims=True)
        result[part] = top[:, 0] + np.log(np.exp(logs - top) @ weights)
    return np.asarray(result.reshape(t.shape) / np.log(10))


@lru_cache(maxsize=1)  # two hundred numbers
def _nodes() -> tuple[Float, Float]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    low, high = _LOG_G
    return (nodes + 1) / 2 * (high - low) + low, weights * (high - low) / 2


def false_discovery_rate(p: Float) -> Float:
    """Benjamini and Hochberg's adjusted p over all voxels."""
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(p)) if p.size else p


def wilson(count: ArrayLike, n: ArrayLike, z: float) -> tuple[Float, Float]:
    """Middle and half of Wilson's interval of a share, z its quantile of the normal distribution.

    Parameters
    ----------
    count, n : array_like
        Patients with a symptom, and all.
    z : float
    """
    size = np.asarray(n, float)
    share = np.asarray(count, float) / size
    middle = (np.asarray(count, float) + z**2 / 2) / (size + z**2)
    half = z * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    return np.asarray(middle), np.asarray(half)


def mean_interval(score: Float, is_binary: bool = False) -> tuple[float, float]:
    """95 % interval of the mean of some patients: of t, or Wilson's of a share; NaN of one.

    Examples
    --------
    >>> low, high = mean_interval(np.array([4.0, 6.0, 5.0]))
    >>> round(low, 3), round(high, 3)
    (2.516, 7.484)
    """
    from scipy.stats import norm, t

    tail = (1 - CONFIDENCE) / 2
    if is_binary:
        middle, half = wilson(score.sum(), score.size, norm.isf(tail))
        return float(middle - half), float(middle + half)
    if score.size < 2:
        return float("nan"), float("nan")
    half = t.isf(tail, score.size - 1) * score.std(ddof=1) / np.sqrt(score.size)
    return float(score.mean() - half), float(score.mean() + half)
