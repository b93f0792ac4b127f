"""Tests of a score between lesioned and spared patients, at many lesion patterns at once.

The sign is lesioned less spared everywhere: a positive statistic means higher scores with a lesion.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]

TESTS = {
    "ols": "linear regression of the score on the lesion and the covariates",
    "rank": "linear regression of the score's ranks on the lesion and the covariates",
    "welch": "Welch's t-test (unequal variances)",
    "brunner-munzel": "Brunner and Munzel's rank test",
    "liebermeister": "Liebermeister's test of a binary score",
    "fisher": "Fisher's exact test of a binary score",
}
LINEAR = ("ols", "rank")
"""Tests of a linear regression."""
BINARY = ("liebermeister", "fisher")
"""Tests of scores that are 0 or 1."""


def welch(members: Any, n: Int, scores: Float) -> tuple[Float, Float]:
    """Welch's t and its degrees of freedom; see `mean_differences` for the shapes.

    NaN where neither group varies.
    """
    difference, error, dof = mean_differences(members, n, scores)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = difference / error
    return np.where(error > 0, t, np.nan), dof


def mean_differences(members: Any, n: Int, scores: Float) -> tuple[Float, Float, Float]:
    """Difference of the means, its standard error and Welch's degrees of freedom.

    Parameters
    ----------
    members : scipy.sparse.csr_array, shape (patterns, patients)
    n : array of int64, shape (patterns,)
    scores : array of float64, shape (patients, columns)

    Returns
    -------
    difference, error, dof : array of float64, shape (patterns, columns)
    """
    centred = scores - scores.mean(axis=0)
    total, squares = centred.sum(axis=0), (centred**2).sum(axis=0)
    lesioned, spared = n[:, None].astype(float), (scores.shape[0] - n)[:, None].astype(float)
    own, own_squares = np.asarray(members @ centred), np.asarray(members @ centred**2)
    rest, rest_squares = total - own, squares - own_squares
    # A spread below this is rounding: sums of squares are exact to about 1e-14 of all.
    rounding = 1e-13 * squares
    parts = []
    for size, sums, of_squares in ((lesioned, own, own_squares), (spared, rest, rest_squares)):
        deviations = of_squares - sums**2 / size
        parts.append(np.where(deviations > rounding, deviations, 0.0) / (size - 1) / size)
    first, second = parts
    with np.errstate(divide="ignore", invalid="ignore"):
        dof = (first + second) ** 2 / (first**2 / (lesioned - 1) + second**2 / (spared - 1))
    return own / lesioned - rest / spared, np.sqrt(first + second), dof


def brunner_munzel(members: Any, n: Int, scores: Float) -> tuple[Float, Float]:
    """Brunner and Munzel's statistic and its degrees of freedom; shapes as in `mean_differences`.

    With midranks R of all scores and c_t the lesioned patients up to the t-th distinct score, the
    sum of R times the midrank within the lesioned group follows from the sum of c_t² weighted with
    the gaps between midranks, so that no pattern's scores are sorted. Where the groups are
    separated completely, placements do not vary, and scipy's statistic is infinite; here their
    variances are then 1 / (4 n), as in R LESYMAP, so that separated patterns have an order.
    """
    classes, midranks, sizes = _classes(scores)
    patients, columns = scores.shape
    lesioned, spared = n[:, None].astype(float), (patients - n)[:, None].astype(float)
    ranks = np.take_along_axis(midranks, classes, axis=0)
    own = np.asarray(members @ ranks)
    own_squares = np.asarray(members @ ranks**2)
    below = np.zeros((n.size, columns))  # lesioned patients up to this class
    below_all = np.zeros(columns)
    crossed = [np.zeros_like(below), np.zeros_like(below)]  # sums of gap times count²
    ties = [np.zeros_like(below), np.zeros_like(below)]  # sums of k³ - k within a group
    gaps = np.diff(midranks, axis=0, append=midranks[-1:])
    for number in range(midranks.shape[0]):
        here = np.asarray(members @ (classes == number).astype(np.float64))
        below += here
        below_all += sizes[number]
        crossed[0] += gaps[number] * below**2
        crossed[1] += gaps[number] * (below_all - below) ** 2
        if (sizes[number] > 1).any():
            ties[0] += here**3 - here
            ties[1] += (sizes[number] - here) ** 3 - (sizes[number] - here)
    means, variances = [], []
    largest = midranks.max(axis=0)
    totals = ranks.sum(axis=0), (ranks**2).sum(axis=0)
    groups = ((lesioned, own, own_squares), (spared, totals[0] - own, totals[1] - own_squares))
    for (size, sums, squares), cross, tie in zip(groups, crossed, ties, strict=True):
        product = (largest * size**2 - cross + sums) / 2
        within = size * (size + 1) * (2 * size + 1) / 6 - tie / 12
        placements = squares - 2 * product + within - (sums - size * (size + 1) / 2) ** 2 / size
        means.append(sums / size)
        # Whole and half ranks: a spread below this is rounding.
        variances.append(np.where(placements > 1e-6, placements, 0.0) / (size - 1))
    separated = variances[0] + variances[1] == 0
    variances = [
        np.where(separated, 1 / (4 * size), variance)
        for size, variance in zip((lesioned, spared), variances, strict=True)
    ]
    spread = lesioned * variances[0] + spared * variances[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = lesioned * spared * (means[0] - means[1]) / (patients * np.sqrt(spread))
        dof = spread**2 / (
            (lesioned * variances[0]) ** 2 / (lesioned - 1)
            + (spared * variances[1]) ** 2 / (spared - 1)
        )
    return statistic, dof


def _classes(scores: Float) -> tuple[Int, Float, Int]:
    """Number of each score among the distinct ones of its column, their midranks and sizes."""
    order = np.argsort(scores, axis=0, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=0)
    is_new = np.ones(scores.shape, np.bool_)
    is_new[1:] = ordered[1:] != ordered[:-1]
    numbers = np.cumsum(is_new, axis=0) - 1
    classes = np.empty(scores.shape, np.int64)
    np.put_along_axis(classes, order, numbers, axis=0)
    shape = int(numbers[-1].max()) + 1, scores.shape[1]
    sizes = np.zeros(shape, np.int64)
    np.add.at(sizes, (numbers, np.arange(shape[1])[None, :]), 1)
    ends = np.cumsum(sizes, axis=0)
    midranks = ends - (sizes - 1) / 2
    # Columns with fewer distinct scores end in empty classes at the last midrank.
    last = np.take_along_axis(midranks, numbers[-1:], axis=0)
    return classes, np.where(sizes > 0, midranks, last), sizes


def superiority(members: Any, n: Int, score: Float) -> Float:
    """Probability that a spared patient scores higher than a lesioned one, ties counting half.

    The area under the receiver operating characteristic (AUC), from Mann and Whitney's U.
    """
    from scipy.stats import rankdata

    ranks = rankdata(score)
    of_lesioned = np.asarray(members @ ranks) - n * (n + 1) / 2
    return np.asarray(1 - of_lesioned / (n * (score.size - n)))


def binary_tails(patients: int, impaired: int, test: str) -> tuple[Float, Float]:
    """One-sided p for every number of lesioned patients and of impaired ones among them.

    Fisher's are P(X >= a) and P(X <= a) of the hypergeometric distribution of N patients, K
    impaired and n lesioned. Liebermeister's are P(X >= a + 1) and P(X <= a) of N + 2, K + 1 and
    n + 1 (Seneta & Phipps 2001): less conservative, and they add up to 1.

    Returns
    -------
    right, left : array of float64, shape (patients + 1, patients + 1)
        By n and a; right is small where more of the lesioned are impaired than chance gives.
    """
    from scipy.stats import hypergeom

    n, a = np.arange(patients + 1)[:, None], np.arange(patients + 1)[None, :]
    if test == "fisher":
        return hypergeom.sf(a - 1, patients, impaired, n), hypergeom.cdf(a, patients, impaired, n)
    right = hypergeom.sf(a, patients + 2, impaired + 1, n + 1)
    return right, hypergeom.cdf(a, patients + 2, impaired + 1, n + 1)
