"""Lesion patterns: the different columns of the patients x voxels matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Lesions(Protocol):
    """Patients with a lesion each, in an order that does not depend on names of files."""

    @property
    def size(self) -> int:
        """Number of patients."""

    def lesion(self, row: int) -> NDArray[np.int32]:
        """Linear voxel positions of the lesion of the patient in this row, ascending."""


@dataclass(frozen=True, eq=False)
class Patterns:
    """The different columns of the patients x voxels matrix.

    Neighbouring voxels are often lesioned in the very same patients; whatever depends on these
    patients alone is computed once for all of them.

    Parameters
    ----------
    members : scipy.sparse.csr_array of float64, shape (patterns, patients)
        1 where the patient belongs to the pattern.
    n : array of int64, shape (patterns,)
        Patients of each pattern.
    indices : array of int32, shape (voxels,)
        Linear voxel positions, ascending, the first axis fastest.
    of_voxel : array of int64, shape (voxels,)
        The pattern of each voxel.
    """

    members: Any
    n: NDArray[np.int64]
    indices: NDArray[np.int32]
    of_voxel: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of patterns."""
        return int(self.n.size)

    def sorted_by(self, key: NDArray) -> Patterns:
        """The same patterns in ascending order of a key, shape (patterns,)."""
        order = np.argsort(key, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(order.size)
        members = _ones_at(self._rows[order], self.members.data)
        return Patterns(members, self.n[order], self.indices, rank[self.of_voxel])

    @property
    def _rows(self) -> Any:
        """`members` in a byte a value."""
        from scipy import sparse

        own = self.members
        ones = np.ones(own.nnz, np.int8)
        return sparse.csr_array((ones, own.indices, own.indptr), shape=own.shape)


def find_patterns(lesions: Lesions, qualifies: NDArray[np.bool_]) -> Patterns:
    """Patterns of some voxels of a grid, in the order of their first voxels.

    Each patient has a random number of 64 bits, and each voxel the sum of those of its patients:
    voxels of one pattern have equal sums. That voxels of equal sums have one pattern is verified,
    so nothing is left to the random numbers.

    Parameters
    ----------
    lesions : Lesions
    qualifies : array of bool, shape (grid voxels,)
        The voxels that are looked at, the first axis fastest.
    """
    indices = np.flatnonzero(qualifies).astype(np.int32)
    place = np.full(qualifies.size, -1, np.int32)
    place[indices] = np.arange(indices.size, dtype=np.int32)
    random = np.random.default_rng(0)
    while True:
        sums = np.zeros(indices.size, np.uint64)
        keys = random.integers(2**64, size=lesions.size, dtype=np.uint64)
        for key, lesion in zip(keys, _within(lesions, place), strict=True):
            sums[lesion] += key
        first, of_voxel = _equal(sums)
        if _is_exact(lesions, place, first, of_voxel):
            members = _members(lesions, place, indices.size, first)
            n = np.diff(members.indptr).astype(np.int64)
            return Patterns(members, n, indices, of_voxel)


def _within(lesions: Lesions, place: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    """The qualifying voxels of each lesion, as their places among these."""
    for row in range(lesions.size):
        places = place[lesions.lesion(row)]
        yield places[places >= 0]


def _equal(sums: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first place of each value in the order of these places, and the value of each place."""
    _, first, of_place = np.unique(sums, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return first[order], rank[of_place]


def _is_exact(
    lesions: Lesions,
    place: NDArray[np.int32],
    first: NDArray[np.int64],
    of_voxel: NDArray[np.int64],
) -> bool:
    """Whether each lesion holds all voxels of a pattern, or none.

    A lesion touches the patterns of its voxels. Where these have as many voxels as the lesion, it
    holds every one of them.
    """
    sizes = np.bincount(of_voxel, minlength=first.size)
    touched_by = np.full(first.size, -1, np.int32)
    is_first = np.zeros(of_voxel.size, np.bool_)
    is_first[first] = True
    for row, lesion in enumerate(_within(lesions, place)):
        touched = of_voxel[lesion[is_first[lesion]]]
        touched_by[touched] = row
        if sizes[touched].sum() != lesion.size or (touched_by[of_voxel[lesion]] != row).any():
            return False
    return True


def _members(
    lesions: Lesions, place: NDArray[np.int32], voxels: int, first: NDArray[np.int64]
) -> Any:
    """The patterns x patients matrix, from one voxel of each pattern."""
    from scipy import sparse

    pattern = np.full(voxels, -1, np.int32)
    pattern[first] = np.arange(first.size, dtype=np.int32)
    places = (pattern[lesion] for lesion in _within(lesions, place))
    columns = [column[column >= 0] for column in places]
    starts = np.concatenate([[0], np.cumsum([column.size for column in columns])])
    rows = np.concatenate(columns)
    del columns
    if rows.size <= np.iinfo(np.int32).max:
        starts = starts.astype(np.int32)  # with longer ones, all positions would be
    shape = (first.size, lesions.size)
    # A byte a value while there are two of it.
    members = sparse.csc_array((np.ones(rows.size, np.int8), rows, starts), shape=shape).tocsr()
    return _ones_at(members, np.ones(rows.size))


def _ones_at(members: Any, ones: NDArray[np.float64]) -> Any:
    """A matrix with the same places, and these values, which matrices may share."""
    from scipy import sparse

    return sparse.csr_array((ones, members.indices, members.indptr), shape=members.shape)
