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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.grid import Grid
from ..patterns import Patterns

SEGMENT = 64
"""Patterns of a segment. Measured: with fewer there are more full patterns, with more a block
leaves the cache."""
_SEGMENTS = 64  # of a block, measured likewise
_ERROR = 1e-5
"""Error of a product of scores of at most 1 in float32 that is allowed for; the largest one seen is
1e-6."""

Float = NDArray[np.float64]


def along_path(grid: Grid, patterns: Patterns) -> Patterns:
    """Patterns in the order of a path through their first voxels.

    The second axis is fastest: measured on three sets of masks, patients change least often
    along it (front to back), of the orders of axes, snakes and a Hilbert curve.
    """
    x, y, z = np.unravel_index(patterns.indices, grid.shape, order="F")
    position = y + grid.shape[1] * (x + grid.shape[0] * z.astype(np.int64))
    first = np.full(patterns.size, np.iinfo(np.int64).max)
    np.minimum.at(first, patterns.of_voxel, position)
    return patterns.sorted_by(first)


@dataclass(frozen=True, eq=False)
class PatternPath:
    """Patterns, prepared for products with permuted scores.

    Parameters
    ----------
    members : scipy.sparse.csr_array, shape (patterns, patients)
        In the order of the path.
    norms : array of float64, shape (patterns,)
        What the product of a pattern is divided by.
    """

    members: Any
    norms: Float

    @property
    def segments(self) -> int:
        """Number of segments; the last one may be shorter."""
        return -(-self.members.shape[0] // SEGMENT)

    def _differences(self, first: int, last: int) -> Any:
        """Each pattern less the one before it in its segment, of some segments.

        Shape (segments * SEGMENT, patients).
        """
        from scipy import sparse

        own = self.members[first * SEGMENT : last * SEGMENT]
        rows = np.flatnonzero(np.arange(own.shape[0]) % SEGMENT)
        before = sparse.csr_array((np.ones(rows.size), (rows, rows - 1)), (own.shape[0],) * 2)
        differences = (own - before @ own).tocsr()
        differences.resize((last - first) * SEGMENT, own.shape[1])
        return differences

    @cached_property
    def _blocks(self) -> list[tuple[slice, Any, NDArray[np.float32]]]:
        """Of each block: its segments, their differences by (step, segment), and the inverses."""
        blocks = []
        # Where the last segment is not full, its last pattern is repeated.
        inverses = np.full((self.segments, SEGMENT), 1 / self.norms[-1])
        inverses.ravel()[: self.norms.size] = 1 / self.norms
        for first in range(0, self.segments, _SEGMENTS):
            chosen = slice(first, min(first + _SEGMENTS, self.segments))
            rows = np.arange((chosen.stop - chosen.start) * SEGMENT).reshape(-1, SEGMENT)
            part = self._differences(chosen.start, chosen.stop)[rows.T.ravel()].astype(np.float32)
            inverse = np.ascontiguousarray(inverses[chosen].T[:, :, None], np.float32)
            blocks.append((chosen, part, inverse))
        return blocks

    def _steps(self, scores: NDArray[np.float32]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Quotients block by block: its segments, and (step, segment, permutation)."""
        for chosen, part, inverse in self._blocks:
            steps = (part @ scores).reshape(SEGMENT, chosen.stop - chosen.start, -1)
            for step in range(1, SEGMENT):
                steps[step] += steps[step - 1]
            steps *= inverse
            yield chosen, steps

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
        shape = self.segments, single.shape[1]
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
        members = self.members
        begins = members.indptr[patterns].astype(np.int64)
        lengths = members.indptr[patterns + 1] - begins
        ends = np.cumsum(lengths)
        pair = np.repeat(np.arange(patterns.size), lengths)
        patient = members.indices[np.arange(pair.size) + (begins - ends + lengths)[pair]]
        terms = scores[patient, columns[pair]]
        return np.asarray(np.bincount(pair, terms, patterns.size) / self.norms[patterns])
