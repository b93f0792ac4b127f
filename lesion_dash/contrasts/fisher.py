"""Fisher's exact test at each voxel: lesioned or spared, in one group or the other."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from math import comb

import numpy as np
from numpy.typing import NDArray


def odds_ratio(
    a: NDArray[np.integer], b: NDArray[np.integer], sizes: tuple[int, int]
) -> NDArray[np.float64]:
    """Sample odds ratio of being lesioned: a (N_b - b) / (b (N_a - a)); inf where that is x/0."""
    with np.errstate(all="ignore"):
        odds: NDArray[np.float64] = (a * (sizes[1] - b.astype(np.float64))) / (
            b * (sizes[0] - a.astype(np.float64))
        )
    return odds


def fisher_p(
    a: NDArray[np.integer], b: NDArray[np.integer], sizes: tuple[int, int]
) -> NDArray[np.float64]:
    """Two-sided p of Fisher's exact test at each voxel.

    The sum of the probabilities of all tables with the same margins that are no likelier than the
    one found (Fisher 1922; as `scipy.stats.fisher_exact`), rounded once. Voxels with the same
    number of lesioned patients share these tables, so a map costs as many distributions as there
    are numbers.

    Parameters
    ----------
    a, b : array of int, shape (voxels,)
        Lesioned patients of each group.
    sizes : tuple of int
        All patients of each group.

    Examples
    --------
    >>> fisher_p(np.array([3]), np.array([0]), (3, 3)).tolist()
    [0.1]
    """
    p = np.ones(a.size)
    total = a + b
    # Whole numbers: tables that are equally likely are so to the last digit.
    choices = [[comb(size, chosen) for chosen in range(size + 1)] for size in sizes]
    for lesioned in np.unique(total).tolist():
        here = total == lesioned
        fewest = max(lesioned - sizes[1], 0)
        p[here] = _p_of_margin(lesioned, fewest, choices)[a[here] - fewest]
    return p


def _p_of_margin(lesioned: int, fewest: int, choices: list[list[int]]) -> NDArray[np.float64]:
    """The p of every possible number of the first group among those lesioned, from the fewest."""
    most = min(lesioned, len(choices[0]) - 1)
    ways = [choices[0][first] * choices[1][lesioned - first] for first in range(fewest, most + 1)]
    ordered = sorted(ways)
    sums = list(accumulate(ordered))
    return np.array([sums[bisect_right(ordered, own) - 1] / sums[-1] for own in ways])
