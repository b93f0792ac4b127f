"""Mean and sum of squared deviations of a group at each voxel, and what follows from two groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float1D = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """What a t-test needs to know of one group.

    Parameters
    ----------
    n : array of float64, shape (voxels,)
        Number of values that are not NaN.
    mean : array of float64, shape (voxels,)
    deviations : array of float64, shape (voxels,)
        Sum of squared deviations from the mean.
    """

    n: Float1D
    mean: Float1D
    deviations: Float1D

    @property
    def variance(self) -> Float1D:
        """Unbiased variance; NaN where there are fewer than two values."""
        with np.errstate(all="ignore"):
            return np.where(self.n > 1, self.deviations / (self.n - 1), np.nan)


def moments_of(values: NDArray) -> Moments:
    """Moments of each column of an array of samples x voxels; NaN is left out."""
    known = ~np.isnan(values) if values.dtype.kind == "f" else None
    if known is None or known.all():
        return _moments_of_known(values)
    n = known.sum(axis=0).astype(np.float64)
    clean = np.where(known, values, 0).astype(np.float64)
    shift = _first_known(clean, known)
    clean = np.where(known, clean - shift, 0)
    with np.errstate(all="ignore"):
        mean = clean.sum(axis=0) / n
    clean = np.where(known, clean - mean, 0)
    return Moments(n, mean + shift, np.einsum("ij,ij->j", clean, clean))


def _moments_of_known(values: NDArray) -> Moments:
    # Deviations from the first value: a column of equal values has then no spread at all.
    shift = values[0].astype(np.float64)
    apart = values - shift
    mean = apart.mean(axis=0)
    apart -= mean
    n = np.full(shift.size, float(len(values)))
    return Moments(n, mean + shift, np.einsum("ij,ij->j", apart, apart))


def _first_known(values: Float1D, known: NDArray[np.bool_]) -> Float1D:
    return np.take_along_axis(values, known.argmax(axis=0)[None], axis=0)[0]


def moments_of_counts(lesioned: NDArray[np.integer], patients: int) -> Moments:
    """Moments of zeros and ones: so many ones at each voxel among so many patients."""
    ones = lesioned.astype(np.float64)
    n = np.full(ones.shape, float(patients))
    return Moments(n, ones / n, ones * (n - ones) / n)


def t_statistic(a: Moments, b: Moments, equal_variances: bool) -> tuple[Float1D, Float1D]:
    """Two-sample t and its degrees of freedom at each voxel.

    Student's with the pooled variance, or Welch's with the degrees of freedom of Satterthwaite.
    NaN where a group has fewer than two values, or where nothing varies and the means are equal.
    """
    with np.errstate(all="ignore"):
        if equal_variances:
            dof = a.n + b.n - 2
            pooled = (a.deviations + b.deviations) / dof
            squared = pooled * (1 / a.n + 1 / b.n)
        else:
            share_a, share_b = a.variance / a.n, b.variance / b.n
            squared = share_a + share_b
            dof = squared**2 / (share_a**2 / (a.n - 1) + share_b**2 / (b.n - 1))
        t = (a.mean - b.mean) / np.sqrt(squared)
    enough = (a.n > 1) & (b.n > 1)
    return np.where(enough, t, np.nan), np.where(enough, dof, np.nan)


def p_of_t(t: Float1D, dof: Float1D) -> Float1D:
    """Two-sided p of a t-statistic."""
    from scipy.special import stdtr

    p: Float1D = np.minimum(2 * stdtr(dof, -np.abs(t)), 1.0)
    # A difference without any spread: dof of Welch is 0/0 there, p is 0 whatever it would be.
    return np.where(np.isinf(t), 0.0, p)
