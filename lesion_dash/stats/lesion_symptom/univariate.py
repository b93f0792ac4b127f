"""The tests of a score, and tails and effects that need no more than ranks or counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

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


def superiority(members: Any, n: NDArray[np.int64], score: Float) -> Float:
    """Probability that a spared patient scores higher than a lesioned one, ties counting half.

    The area under the receiver operating characteristic (AUC), from Mann and Whitney's U.
    """
    from scipy.stats import rankdata

    ranks = rankdata(score)
    of_lesioned = np.asarray(members @ ranks) - n * (n + 1) / 2
    return np.asarray(1 - of_lesioned / (n * (score.size - n)))


def binary_tails(
    patients: int, impaired: int, test: str, n: NDArray[np.int64]
) -> tuple[Float, Float]:
    """One-sided p for some numbers of lesioned patients, and all of impaired ones among them.

    Fisher's are P(X >= a) and P(X <= a) of the hypergeometric distribution of N patients, K
    impaired and n lesioned. Liebermeister's are P(X >= a + 1) and P(X <= a) of N + 2, K + 1 and
    n + 1 (Seneta & Phipps 2001): less conservative, and they add up to 1.

    Returns
    -------
    right, left : array of float64, shape (patients + 1, patients + 1)
        By n and a, 1 at other n; right is small where more of the lesioned are impaired than
        chance gives.
    """
    from scipy.stats import hypergeom

    right, left = np.ones((2, patients + 1, patients + 1))
    rows, a = np.unique(n), np.arange(patients + 1)
    lesioned = rows[:, None]
    if test == "fisher":
        right[rows] = hypergeom.sf(a - 1, patients, impaired, lesioned)
        left[rows] = hypergeom.cdf(a, patients, impaired, lesioned)
    else:
        wider = patients + 2, impaired + 1, lesioned + 1
        right[rows], left[rows] = hypergeom.sf(a, *wider), hypergeom.cdf(a, *wider)
    return right, left
