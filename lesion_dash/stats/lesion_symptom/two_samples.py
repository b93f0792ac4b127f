"""Two-sample tests of a score between lesioned and spared patients.

The sign is lesioned less spared everywhere: a positive statistic means higher scores with a lesion.
Statistics are computed for pairs of a lesion pattern and a column of scores. Both have an upper
bound that needs no more than the sums of the scores and of their squares over lesioned patients,
so that permutations compute few of these pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .path import entries_of, sums_of_pairs

Float = NDArray[np.float64]
Single = NDArray[np.float32]
Int = NDArray[np.int64]
Heights = Callable[[NDArray], NDArray]

_PIECE = 2**21
"""Pairs times patients that are computed together, arbitrary: a dozen arrays of 16 MB at most."""


class Welch:
    """Welch's t of columns of scores.

    Parameters
    ----------
    members : scipy.sparse.csr_array, shape (patterns, patients)
    scores : array of float64, shape (patients, columns)
    """

    def __init__(self, members: Any, scores: Float) -> None:
        self._members, self._patients = members, scores.shape[0]
        self._centred = scores - scores.mean(axis=0)
        self._total, self._squares = self._centred.sum(axis=0), (self._centred**2).sum(axis=0)
        unit = _of_length_one(self._centred)
        self.products = unit, unit**2

    def bounds(self, n: Single, sums: list[Single], heights: Heights, error: float) -> Single:
        """Upper bounds of the heights of t; see `ScreenedTest`."""
        factor = self._patients / (n * (self._patients - n))
        spread = np.zeros(sums[0].shape, np.float32)
        for size, deviations in _deviations(self._patients, n, sums, error):
            spread += deviations * (1 / (size * (size - 1)))
        return _quotient((heights(sums[0]) + np.float32(error)) * factor, spread)

    def statistics(self, patterns: Int, columns: Int) -> Float:
        """Statistics of pairs of a pattern and a column; NaN where neither group varies."""
        return self.with_dof(patterns, columns)[0]

    def with_dof(self, patterns: Int, columns: Int) -> tuple[Float, Float]:
        """Statistics of pairs, and their degrees of freedom."""
        difference, error, dof = self.mean_differences(patterns, columns)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = difference / error
        return np.where(error > 0, t, np.nan), dof

    def mean_differences(self, patterns: Int, columns: Int) -> tuple[Float, Float, Float]:
        """Differences of the means, their standard errors and Welch's degrees of freedom."""
        parts = _in_pieces(self._mean_differences, self._patients, patterns, columns)
        return parts[0], parts[1], parts[2]

    def _mean_differences(self, patterns: Int, columns: Int) -> tuple[Float, ...]:
        members = self._members
        lesioned = np.diff(members.indptr)[patterns].astype(float)
        spared = self._patients - lesioned
        squares = self._squares[columns]
        own = sums_of_pairs(members, self._centred, patterns, columns)
        own_squares = sums_of_pairs(members, self._centred**2, patterns, columns)
        rest, rest_squares = self._total[columns] - own, squares - own_squares
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


class BrunnerMunzel:
    """Brunner and Munzel's statistic of columns of scores.

    With midranks R of all scores. Only the lesioned patients of a pattern are ordered; what is
    needed of the spared ones follows from them and from sums over all patients. Where the groups
    are separated completely, placements do not vary, and scipy's statistic is infinite; here their
    variances are then 1 / (4 n), as in R LESYMAP, so that separated patterns have an order.

    Parameters
    ----------
    members : scipy.sparse.csr_array, shape (patterns, patients)
    scores : array of float64, shape (patients, columns)
    """

    def __init__(self, members: Any, scores: Float) -> None:
        self._members, self._patients = members, scores.shape[0]
        self._classes, self._midranks, self._sizes = _classes(scores)
        ranks = np.take_along_axis(self._midranks, self._classes, axis=0)
        centred = ranks - (self._patients + 1) / 2
        self._lengths = np.linalg.norm(centred, axis=0)
        unit = _of_length_one(centred)
        self.products = unit, unit**2

    def bounds(self, n: Single, sums: list[Single], heights: Heights, error: float) -> Single:
        """Upper bounds of the heights of the statistic; see `ScreenedTest`.

        A placement is a rank less the rank within the group. So the root of the sum of squared
        deviations of placements is at least that of ranks less that of ranks within the group
        (Cauchy and Schwarz), which is largest without ties: the root of n (n² - 1) / 12.
        """
        lengths = self._lengths.astype(np.float32)
        spread = np.zeros(sums[0].shape, np.float32)
        for size, deviations in _deviations(self._patients, n, sums, error):
            within = np.sqrt(size * (size**2 - 1) / 12)
            placements = np.maximum(np.sqrt(deviations) * lengths - within, 0)
            spread += placements**2 * (size / (size - 1))
        return _quotient((heights(sums[0]) + np.float32(error)) * lengths, spread)

    def statistics(self, patterns: Int, columns: Int) -> Float:
        """Statistics of pairs of a pattern and a column."""
        return self.with_dof(patterns, columns)[0]

    def with_dof(self, patterns: Int, columns: Int) -> tuple[Float, Float]:
        """Statistics of pairs, and their degrees of freedom."""
        statistic, dof = _in_pieces(self._with_dof, self._patients, patterns, columns)
        return statistic, dof

    def _with_dof(self, patterns: Int, columns: Int) -> tuple[Float, ...]:
        patients = self._patients
        lesioned = np.diff(self._members.indptr)[patterns].astype(float)
        spared = patients - lesioned
        own, rest = self._sums(patterns, columns, lesioned)
        means, variances = [], []
        for size, (sums, squares, product, ties) in ((lesioned, own), (spared, rest)):
            within = size * (size + 1) * (2 * size + 1) / 6 - ties / 12
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

    def _sums(self, patterns: Int, columns: Int, lesioned: Float) -> Iterator[tuple[Float, ...]]:
        """For the lesioned and the spared of each pair, sums over the patients of the group.

        They are those of R, of R², of R times the rank within the group, and of k³ - k over
        numbers k of equal scores; ranks within the group may be ordinal, as R is equal in ties.
        """
        pair, patient = entries_of(self._members, patterns)
        classes = self._midranks.shape[0]
        cell = pair * classes + self._classes[patient, columns[pair]]
        cells, counts = np.unique(cell, return_counts=True)
        k = counts.astype(float)
        pair, number = np.divmod(cells, classes)
        at = number, columns[pair]
        ranks, sizes = self._midranks[at], self._sizes[at]
        before = np.cumsum(k) - k - (np.cumsum(lesioned) - lesioned)[pair]

        def added(values: Float) -> Float:
            return np.bincount(pair, values, patterns.size).astype(float, copy=False)

        sums, squares = added(k * ranks), added(k * ranks**2)
        product = added(ranks * (k * before + k * (k + 1) / 2))
        yield sums, squares, product, added(k**3 - k)
        # Of two patients the higher rank: twice the product less the sum over a group's pairs.
        higher = 2 * product - sums - 2 * added(k * self._higher[at]) + self._all["higher"][columns]
        rest = self._all["sums"][columns] - sums
        left = sizes - k
        ties = self._all["ties"][columns] + added(left**3 - left - sizes**3 + sizes)
        yield rest, self._all["squares"][columns] - squares, (higher + rest) / 2, ties

    @cached_property
    def _higher(self) -> Float:
        """Sum over all patients of the higher of a class's and their rank, as the midranks."""
        weighted = self._sizes * self._midranks
        up_to = np.cumsum(self._sizes, axis=0) * self._midranks
        return up_to + weighted.sum(axis=0) - np.cumsum(weighted, axis=0)

    @cached_property
    def _all(self) -> dict[str, Float]:
        """The sums over all patients, by column."""
        sizes, midranks = self._sizes, self._midranks
        return {
            "sums": (sizes * midranks).sum(axis=0),
            "squares": (sizes * midranks**2).sum(axis=0),
            "higher": (sizes * self._higher).sum(axis=0),
            "ties": (sizes**3 - sizes).sum(axis=0),
        }


def _of_length_one(centred: Float) -> Float:
    length = np.linalg.norm(centred, axis=0)
    return centred / np.where(length > 0, length, np.inf)


def _deviations(
    patients: int, n: Single, sums: list[Single], error: float
) -> Iterator[tuple[Single, Single]]:
    """For each group its size, and a lower bound of its sum of squared deviations from its mean.

    Scores have mean 0 and length 1; their sums and those of their squares are off by `error`.
    """
    largest = (np.abs(sums[0]) + np.float32(error)) ** 2
    for size, squares in ((n, sums[1]), (patients - n, 1 - sums[1])):
        yield size, np.maximum(squares - np.float32(error) - largest * (1 / size), 0)


def _quotient(height: Single, spread: Single) -> Single:
    """A height of at least 0 over the root of a variance; infinite where there may be none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.maximum(height, np.float32(0)) / np.sqrt(spread)
    quotient[spread == 0] = np.inf
    return np.asarray(quotient, np.float32)


def _in_pieces(
    function: Callable[[Int, Int], tuple[Float, ...]], patients: int, patterns: Int, columns: Int
) -> list[Float]:
    """What a function gives of pairs, computed for a bounded number of them at a time."""
    step = max(1, _PIECE // patients)
    firsts = range(0, max(patterns.size, 1), step)
    parts = [function(patterns[at : at + step], columns[at : at + step]) for at in firsts]
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def _classes(scores: Float) -> tuple[Int, Float, Float]:
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
    return classes, np.where(sizes > 0, midranks, last), sizes.astype(float)
