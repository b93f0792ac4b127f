"""Products of lesion patterns and many permuted scores, along a path through the patterns.

Neighbouring voxels are lesioned in nearly the same patients. Along a path through one voxel of
each pattern, a pattern's sum of scores is that of the pattern before it, plus the scores of the
few patients that come, less those of the few that go. So the product of all patterns (0 and 1)
with permuted scores is a product with a much sparser matrix of differences, and cumulative sums.
The path is cut into segments that begin with a full pattern: blocks of segments depend on nothing
before them, stay in the processor's cache, and need no more memory for more permutations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.grid import Grid
from ..patterns import Patterns

SEGMENT = 64
"""Patterns of a segment. Measured: with fewer there are more full patterns, with more a block
leaves the cache."""
_SEGMENTS = 64  # of a block, measured likewise
_STEPS = 4  # of a part of a block; measured: a dozen arrays of a part stay in the cache
_ENTRIES = 2**18  # of patients that are summed at once: some MB
_ERROR = 1e-5
"""Error of a product of scores of at most 1 in float32 that is allowed for; the largest one seen is
1e-6."""

Float = NDArray[np.float64]


def along_path(grid: Grid, patterns: Patterns) -> PathPatterns:
    """Patterns in the order of a path through their first voxels.

    The second axis is fastest: measured on three sets of masks, patients change least often
    along it (front to back), of the orders of axes, snakes and a Hilbert curve.
    """
    x, y, z = np.unravel_index(patterns.indices, grid.shape, order="F")
    position = y + grid.shape[1] * (x + grid.shape[0] * z.astype(np.int64))
    first = np.full(patterns.size, np.iinfo(np.int64).max)
    np.minimum.at(first, patterns.of_voxel, position)
    ordered = patterns.sorted_by(first)
    return PathPatterns(ordered.members, ordered.n, ordered.indices, ordered.of_voxel)


@dataclass(frozen=True, eq=False)
class PathPatterns(Patterns):
    """Patterns in the order of a path."""

    @property
    def segments(self) -> int:
        """Number of segments; the last one may be shorter."""
        return -(-self.size // SEGMENT)

    @cached_property
    def differences(self) -> list[tuple[slice, Any]]:
        """Of each block: its segments, and their differences in float32, by (step, segment).

        A difference is that of a pattern and the one before it in its segment.
        """
        blocks = []
        for first in range(0, self.segments, _SEGMENTS):
            chosen = slice(first, min(first + _SEGMENTS, self.segments))
            rows = np.arange((chosen.stop - chosen.start) * SEGMENT).reshape(-1, SEGMENT)
            part = self._differences(chosen)[rows.T.ravel()].astype(np.float32)
            blocks.append((chosen, part))
        return blocks

    def _differences(self, chosen: slice) -> Any:
        """Those of some segments in the order of the path."""
        from scipy import sparse

        own = self.members[chosen.start * SEGMENT : chosen.stop * SEGMENT]
        rows = np.flatnonzero(np.arange(own.shape[0]) % SEGMENT)
        before = sparse.csr_array((np.ones(rows.size), (rows, rows - 1)), (own.shape[0],) * 2)
        differences = (own - before @ own).tocsr()
        differences.resize((chosen.stop - chosen.start) * SEGMENT, own.shape[1])
        return differences

    def arranged(self, values: NDArray) -> NDArray:
        """Values of patterns by (step, segment); the last one is repeated where none is left."""
        filled = np.full(self.segments * SEGMENT, values[-1])
        filled[: values.size] = values
        return np.ascontiguousarray(filled.reshape(-1, SEGMENT).T)


@dataclass(frozen=True, eq=False)
class PatternPath:
    """Products of patterns with permuted scores, each divided by a number of the pattern.

    Parameters
    ----------
    patterns : PathPatterns
    norms : array of float64, shape (patterns,)
        What the product of a pattern is divided by.
    """

    patterns: PathPatterns
    norms: Float

    @cached_property
    def _inverses(self) -> NDArray[np.float32]:
        return self.patterns.arranged(1 / self.norms).astype(np.float32)[:, :, None]

    def _steps(self, scores: NDArray[np.float32]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Quotients block by block: its segments, and (step, segment, permutation)."""
        for chosen, part in self.patterns.differences:
            steps = (part @ scores).reshape(SEGMENT, chosen.stop - chosen.start, -1)
            for step in range(1, SEGMENT):
                steps[step] += steps[step - 1]
            steps *= self._inverses[:, chosen]
            yield chosen, steps

    def sums(self, scores: Float) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
        """Quotients part by part.

        Yields
        ------
        steps, segments : slice
            The patterns of this part: those at some places of some segments.
        quotients : array of float32, shape (steps, segments, permutations)
        """
        for segments, quotients in self._steps(np.ascontiguousarray(scores, np.float32)):
            for first in range(0, SEGMENT, _STEPS):
                steps = slice(first, first + _STEPS)
                yield steps, segments, quotients[steps]

    def extremes(self, scores: Float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Largest and smallest quotient of each segment, to about 1e-6.

        Parameters
        ----------
        scores : array of float64, shape (patients, permutations)

        Returns
        -------
        largest, smallest : array of float32, shape (segments, permutations)
        """
        single = np.ascontiguousarray(scores, np.float32)
        shape = self.patterns.segments, single.shape[1]
        largest, smallest = np.empty(shape, np.float32), np.empty(shape, np.float32)
        for chosen, steps in self._steps(single):
            steps.max(axis=0, out=largest[chosen])
            steps.min(axis=0, out=smallest[chosen])
        return largest, smallest

    def error(self, scores: Float) -> float:
        """How far quotients in float32 may be off; large scores over a small norm the most."""
        return _ERROR * max(1.0, float(np.abs(scores).max(initial=0.0) / self.norms.min()))

    def at_least(
        self, scores: Float, low: Float, heights: Callable[[NDArray], NDArray]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Patterns whose quotients reach a level, or miss it by less than `error`.

        Parameters
        ----------
        scores : array of float64, shape (patients, permutations)
        low : array of float64, shape (permutations,)
        heights : callable
            Gives of quotients what is compared with the level, such as their absolute values.

        Returns
        -------
        patterns, columns : array of int64
        """
        single = np.ascontiguousarray(scores, np.float32)
        level = (low - self.error(scores)).astype(np.float32)
        patterns, columns = [], []
        for chosen, steps in self._steps(single):
            reached = np.flatnonzero(heights(steps) >= level)
            place, column = np.divmod(reached, level.size)
            step, segment = np.divmod(place, chosen.stop - chosen.start)
            pattern = (segment + chosen.start) * SEGMENT + step
            is_one = pattern < self.norms.size
            patterns.append(pattern[is_one])
            columns.append(column[is_one])
        return np.concatenate(patterns), np.concatenate(columns)

    def quotients(
        self, scores: Float, patterns: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> Float:
        """Quotients of patterns in float64, each with its own permutation.

        Parameters
        ----------
        scores : array of float64, shape (patients, permutations)
        patterns, columns : array of int64, shape (pairs,)

        Returns
        -------
        array of float64, shape (pairs,)
        """
        sums = sums_of_pairs(self.patterns.members, scores, patterns, columns)
        return np.asarray(sums / self.norms[patterns])


def sums_of_pairs(
    members: Any, scores: Float, patterns: NDArray[np.int64], columns: NDArray[np.int64]
) -> Float:
    """Sums of scores over the patients of patterns, each with its own column of scores.

    Parameters
    ----------
    members : scipy.sparse.csr_array, shape (patterns, patients)
    scores : array of float64, shape (patients, columns)
    patterns, columns : array of int64, shape (pairs,)

    Returns
    -------
    array of float64, shape (pairs,)
    """
    sums = np.empty(patterns.size)
    entries = np.cumsum(members.indptr[patterns + 1] - members.indptr[patterns], dtype=np.int64)
    bounds = np.searchsorted(entries, np.arange(_ENTRIES, entries[-1:].sum(), _ENTRIES))
    for first, end in pairwise([0, *np.unique(bounds).tolist(), patterns.size]):
        pair, patient = entries_of(members, patterns[first:end])
        terms = scores[patient, columns[first:end][pair]]
        sums[first:end] = np.bincount(pair, terms, end - first)
    return sums


def entries_of(
    members: Any, patterns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The patients of some patterns one after the other: places in `patterns`, and patients."""
    begins = members.indptr[patterns].astype(np.int64)
    lengths = members.indptr[patterns + 1] - begins
    ends = np.cumsum(lengths)
    pair = np.repeat(np.arange(patterns.size), lengths)
    return pair, members.indices[np.arange(pair.size) + (begins - ends + lengths)[pair]]
