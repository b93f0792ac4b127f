"""The permutation null: largest statistic, v-th largest over voxels, and largest cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...core.defaults import SymptomSide
from ...core.grid import Grid
from ...images.reading import Progress
from .clusters import Neighbours
from .design import Permutable
from .path import SEGMENT, PathPatterns, PatternPath

if TYPE_CHECKING:
    import pandas as pd

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Single = NDArray[np.float32]
Heights = Callable[[NDArray], NDArray]
"""Gives of statistics what is largest where they are the most extreme."""

ROUNDING = 1e-12
"""Statistics that are equal differ by this part at most: a few hundred roundings of 1e-16."""
_TOGETHER = 128  # permutations of one block. Measured: 64 to 256 take equally long
_BLOCK_BYTES = 2**26  # arbitrary: of a block's statistics where all of them are kept
_SINGLE = 1e-5  # part by which a bound in float32 may be too low: a hundred of its roundings
_GUESSED = 0.1  # arbitrary: part of the permutations that will be looked at again
_FEW = 4  # segments of a permutation that are computed whole. Arbitrary: one holds the maximum


@dataclass(frozen=True, eq=False)
class Null:
    """What permutations give, one value each.

    Parameters
    ----------
    largest : dict of array of float64, shape (permutations,)
        The v-th largest statistic over all tested voxels, by v in voxels; v = 1 is the maximum.
    cluster : array of int64, shape (permutations,)
        Voxels of the largest cluster; empty where none was asked for.
    """

    largest: dict[int, Float]
    cluster: Int = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def permutations(self) -> int:
        """Number of permutations."""
        return int(self.largest[1].size)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each permutation: the v-th largest statistics, and the largest cluster."""
        import pandas as pd

        columns: dict[str, NDArray] = {f"largest_{v}": own for v, own in self.largest.items()}
        if self.cluster.size:
            columns["largest_cluster_voxels"] = self.cluster
        return pd.DataFrame(columns)

    def corrected_p(self, statistic: Float, v: int = 1) -> Float:
        """Share of permutations whose v-th largest statistic is as large, the data among them."""
        return share_as_large(self.largest[v], statistic - ROUNDING * np.abs(statistic))

    def cluster_p(self, voxels: Int) -> Float:
        """Share of permutations whose largest cluster is as large, the data among them."""
        return share_as_large(self.cluster, voxels)

    def threshold(self, level: float, v: int = 1) -> float:
        """The statistic above which the corrected p is at most this level.

        Infinite where there are too few permutations for it.
        """
        ordered = np.sort(self.largest[v])[::-1]
        allowed = int(np.floor(level * (1 + ordered.size) + ROUNDING)) - 1
        return float(ordered[allowed]) if allowed >= 0 else float("inf")


def share_as_large(null: NDArray, values: NDArray) -> Float:
    """(1 + number of permutations that reach a value) / (1 + permutations)."""
    below = np.searchsorted(np.sort(null), values, side="left")
    return np.asarray((1 + null.size - below) / (1 + null.size))


@dataclass(frozen=True, eq=False)
class _High:
    """The patterns with the highest statistics of each of several permutations, the highest first.

    `low` says from which level on a permutation has all of them; `ends`, where its last one is.
    """

    low: Float
    patterns: Int
    signed: Float
    heights: Float
    ends: Int

    @property
    def places(self) -> list[slice]:
        """Where those of each permutation are."""
        return [slice(*bounds) for bounds in pairwise([0, *self.ends.tolist()])]


class _Block(Protocol):
    """Statistics of a block of permutations."""

    heights: NDArray
    """Highest statistics of parts of the patterns, or bounds of them, shape (parts, permutations).
    """
    floor: Float
    """What the largest statistic of each permutation is at least."""

    def high(self, columns: Int, low: Float) -> _High:
        """All patterns of some permutations from a level on."""


def _sorted_high(low: Float, columns: Int, patterns: Int, signed: Float, heights: Float) -> _High:
    order = np.lexsort((-heights, columns))
    ends = np.searchsorted(columns[order], np.arange(low.size), side="right")
    return _High(low, patterns[order], signed[order], heights[order], ends)


class PermutationNull:
    """Permutations of a test, by the statistics of blocks of permutations.

    Parameters
    ----------
    grid : Grid
    patterns : PathPatterns
    design : Permutable
    side : {"larger", "smaller", "two-sided"}
    """

    def __init__(
        self, grid: Grid, patterns: PathPatterns, design: Permutable, side: SymptomSide
    ) -> None:
        self._patterns, self._design, self._side = patterns, design, side
        self.neighbours = Neighbours(grid, patterns.indices)

    def run(
        self,
        permutations: int,
        seed: int,
        v: Sequence[int] = (1,),
        forming: float | None = None,
        progress: Progress | None = None,
    ) -> Null:
        """Permute.

        Parameters
        ----------
        permutations, seed : int
        v : sequence of int
            In voxels.
        forming : float, optional
            The statistic from which on voxels form clusters.
        progress : callable, optional
            Called with (permutations done, permutations in all).
        """
        numbers = sorted({1, *v})
        largest: list[Float] = []
        clusters: list[int] = []
        low = np.inf if forming is None else forming
        for scores in self._design.permuted(permutations, seed, self._together):
            block = self._block(scores)
            columns = np.arange(scores.shape[1])
            high = block.high(columns, np.minimum(low, block.floor))
            values = self._largest(block, columns, high, numbers)
            largest.append(values)
            if forming is not None:
                clusters += self._cluster_sizes(high, forming)
            if len(numbers) > 1:  # what the next permutations will need, or nearly
                low = min(low, float(np.quantile(values[-1], _GUESSED)))
            if progress is not None:
                progress(sum(part.shape[1] for part in largest), permutations)
        rows = np.concatenate(largest, axis=1)
        return Null(dict(zip(numbers, rows, strict=True)), np.array(clusters, np.int64))

    @property
    def _together(self) -> int:
        return _TOGETHER

    def _block(self, scores: Float) -> _Block:
        raise NotImplementedError

    def _largest(self, block: _Block, columns: Int, high: _High, numbers: Sequence[int]) -> Float:
        """The v-th largest statistics over voxels, shape (numbers, permutations)."""
        largest = np.empty((len(numbers), columns.size))
        missing = []
        for column, place in enumerate(high.places):
            voxels = np.cumsum(self.voxels_of_pattern[high.patterns[place]])
            if voxels.size and voxels[-1] >= numbers[-1]:
                largest[:, column] = high.heights[place][np.searchsorted(voxels, numbers)]
            else:
                missing.append(column)
        if missing:
            # Twice as many parts, and again, until they hold enough voxels.
            ordered = np.sort(block.heights[:, columns[missing]], axis=0)[::-1]
            reached = (ordered >= high.low[missing]).sum(axis=0)
            more = np.minimum(2 * reached + 1, ordered.shape[0] - 1)
            low = ordered[more, np.arange(more.size)].astype(np.float64)
            low[more == ordered.shape[0] - 1] = -np.inf
            again = block.high(columns[missing], low)
            largest[:, missing] = self._largest(block, columns[missing], again, numbers)
        return largest

    def _cluster_sizes(self, high: _High, forming: float) -> list[int]:
        """Voxels of the largest cluster of each permutation."""
        sets = []
        for place in high.places:
            number = int(np.count_nonzero(high.heights[place] >= forming))
            own = slice(place.start, place.start + number)
            sets.append(self.voxels_of(high.patterns[own], high.signed[own] > 0))
        return self.neighbours.largest(sets)

    def heights_of(self, statistics: NDArray) -> NDArray:
        """Statistics of which the largest are the most extreme."""
        if self._side == "two-sided":
            return np.abs(statistics)
        return -statistics if self._side == "smaller" else statistics

    def voxels_of(
        self, patterns: Int, positive: NDArray[np.bool_]
    ) -> tuple[Int, NDArray[np.bool_]]:
        """The voxels of some patterns as rows among those tested, and the sign of each."""
        order, ends = self._voxels
        sizes = self.voxels_of_pattern[patterns]
        before = np.cumsum(sizes) - sizes
        place = np.arange(sizes.sum()) + np.repeat(ends[patterns] - sizes - before, sizes)
        return order[place], np.repeat(positive, sizes)

    @cached_property
    def voxels_of_pattern(self) -> Int:
        """Number of voxels of each pattern."""
        return np.bincount(self._patterns.of_voxel, minlength=self._patterns.size)

    @cached_property
    def _voxels(self) -> tuple[Int, Int]:
        """The tested voxels in the order of their patterns, and where each pattern ends."""
        order = np.argsort(self._patterns.of_voxel, kind="stable")
        return order, np.cumsum(self.voxels_of_pattern)


class LinearNull(PermutationNull):
    """Permutations of a test whose statistic is a product with the score, over a norm.

    All products are computed in float32, along a path; those that decide anything, again in
    float64. So no p depends on float32.

    Parameters
    ----------
    grid, design, side
        As those of `PermutationNull`.
    patterns : PathPatterns
    norms : array of float64, shape (patterns,)
    """

    def __init__(
        self,
        grid: Grid,
        patterns: PathPatterns,
        norms: Float,
        design: Permutable,
        side: SymptomSide,
    ) -> None:
        super().__init__(grid, patterns, design, side)
        self._path = PatternPath(patterns, norms)

    def _block(self, scores: Float) -> _Block:
        return _LinearBlock(self, self._path, scores, self._patterns.size)


class _LinearBlock:
    def __init__(self, null: LinearNull, path: PatternPath, scores: Float, patterns: int) -> None:
        self._null, self._path, self._scores, self._patterns = null, path, scores, patterns
        largest, smallest = path.extremes(scores)
        first, second = null.heights_of(largest), null.heights_of(smallest)
        self.heights = np.maximum(first, second)
        self._error = path.error(scores)
        self.floor = self.heights.max(axis=0) - self._error

    def high(self, columns: Int, low: Float) -> _High:
        segments, chosen = np.nonzero(self.heights[:, columns] >= (low - self._error)[None, :])
        scores = np.ascontiguousarray(self._scores[:, columns])
        if segments.size <= _FEW * columns.size:
            patterns = (segments[:, None] * SEGMENT + np.arange(SEGMENT)).ravel()
            chosen = np.repeat(chosen, SEGMENT)[patterns < self._patterns]
            patterns = patterns[patterns < self._patterns]
        else:
            patterns, chosen = self._path.at_least(scores, low, self._null.heights_of)
        statistics = self._path.quotients(scores, patterns, chosen)
        heights = self._null.heights_of(statistics)
        kept = heights >= low[chosen]
        return _sorted_high(low, chosen[kept], patterns[kept], statistics[kept], heights[kept])


class ScreenedTest(Protocol):
    """Statistics of permuted scores, and quick bounds of them."""

    @property
    def products(self) -> Sequence[Float]:
        """What is summed over the patients of each pattern, shape (patients, permutations).

        No absolute value is above 1.
        """

    def bounds(self, n: Single, sums: list[Single], heights: Heights, error: float) -> Single:
        """Upper bounds of the heights of statistics, but for rounding in single precision.

        Parameters
        ----------
        n : array of float32, shape (..., 1)
            Patients of some patterns.
        sums : list of array of float32, shape (..., permutations)
            Of the products over these patients, off by `error` at most.
        heights : callable
            As `PermutationNull.heights_of`.
        error : float
        """

    def statistics(self, patterns: Int, columns: Int) -> Float:
        """Statistics of pairs of a pattern and a permutation, NaN where there is none."""


class ScreenedNull(PermutationNull):
    """Permutations of a test with any statistic that has a bound.

    A bound of every statistic is computed in float32, along a path; the statistics whose bounds
    may decide anything are computed in float64. So no p depends on a bound.

    Parameters
    ----------
    grid, design, side
        As those of `PermutationNull`.
    patterns : PathPatterns
    test : callable
        Gives the test of permuted scores, shape (patients, permutations).
    """

    def __init__(
        self,
        grid: Grid,
        patterns: PathPatterns,
        design: Permutable,
        side: SymptomSide,
        test: Callable[[Float], ScreenedTest],
    ) -> None:
        super().__init__(grid, patterns, design, side)
        self._path = PatternPath(patterns, np.ones(patterns.size))
        self._test = test
        self._n = patterns.arranged(patterns.n.astype(np.float32))

    @property
    def _together(self) -> int:
        return max(1, min(_TOGETHER, _BLOCK_BYTES // (8 * self._patterns.size)))

    def _block(self, scores: Float) -> _Block:
        test = self._test(scores)
        products = np.hstack(test.products)
        error = self._path.error(products)
        bounds = np.empty((*self._n.shape, scores.shape[1]), np.float32)
        for steps, segments, sums in self._path.sums(products):
            parts = np.split(sums, len(test.products), axis=-1)
            n = self._n[steps, segments, None]
            bounds[steps, segments] = test.bounds(n, parts, self.heights_of, error)
        bounds += _SINGLE * np.abs(bounds)
        return _ScreenedBlock(self, test, bounds, self._patterns.size)


class _ScreenedBlock:
    def __init__(
        self, null: ScreenedNull, test: ScreenedTest, bounds: Single, patterns: int
    ) -> None:
        self._null, self._test, self._bounds, self._patterns = null, test, bounds, patterns
        self.heights = bounds.max(axis=0)
        columns = np.arange(bounds.shape[2])
        # Infinite bounds say little: groups may not vary there.
        segment = np.where(np.isinf(self.heights), -1, self.heights).argmax(axis=0)
        pattern = segment * SEGMENT + bounds[:, segment, columns].argmax(axis=0)
        statistics = test.statistics(np.minimum(pattern, patterns - 1), columns)
        self.floor = self._heights(statistics)

    def _heights(self, statistics: Float) -> Float:
        # A permutation may leave no spread at a pattern: it says nothing there.
        return np.nan_to_num(self._null.heights_of(statistics), nan=-np.inf)

    def high(self, columns: Int, low: Float) -> _High:
        segments, chosen = np.nonzero(self.heights[:, columns] >= low)
        bounds = self._bounds[:, segments, columns[chosen]]
        step, place = np.nonzero(bounds >= low[chosen])
        patterns, chosen = segments[place] * SEGMENT + step, chosen[place]
        is_one = patterns < self._patterns
        patterns, chosen = patterns[is_one], chosen[is_one]
        statistics = self._test.statistics(patterns, columns[chosen])
        heights = self._heights(statistics)
        kept = heights >= low[chosen]
        return _sorted_high(low, chosen[kept], patterns[kept], statistics[kept], heights[kept])
