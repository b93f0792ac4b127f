"""Whether neighbouring voxels are independent, as a bootstrap of single voxels takes them."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

_CORRELATED = 0.2
"""Beyond it, an interval that takes voxels as independent holds the truth far less often."""


def neighbour_correlation(
    values: NDArray[np.float64], indices: NDArray[np.integer], shape: tuple[int, int, int]
) -> float:
    """The correlation of voxels that share a face; 0 where it is small, or may be chance.

    Parameters
    ----------
    values : array of float64, shape (voxels,)
        Without NaN.
    indices : array of int, shape (voxels,)
        Their linear positions, first axis fastest, in any order.
    shape : tuple of int, length 3
        Of the grid.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=1001)
    >>> places = np.arange(1000)
    >>> neighbour_correlation(noise[1:], places, (10, 10, 10))
    0.0
    >>> round(neighbour_correlation(noise[1:] + noise[:-1], places, (1000, 1, 1)), 1)
    0.5
    """
    order = np.argsort(indices)
    ordered, apart = indices[order].astype(np.int64), values[order] - values.mean()
    places = np.unravel_index(ordered, shape, order="F")
    steps = (1, shape[0], shape[0] * shape[1])
    products, pairs = 0.0, 0
    for axis, step in enumerate(steps):
        first = np.flatnonzero(places[axis] < shape[axis] - 1)
        other = np.minimum(np.searchsorted(ordered, ordered[first] + step), ordered.size - 1)
        is_there = ordered[other] == ordered[first] + step
        products += float(apart[first[is_there]] @ apart[other[is_there]])
        pairs += int(is_there.sum())
    spread = float(np.mean(apart**2))
    if not pairs or not spread:
        return 0.0
    found = products / pairs / spread
    return found if found > _CORRELATED + 2 / sqrt(pairs) else 0.0
