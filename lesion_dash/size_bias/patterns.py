"""Patterns: the different sets of patients that voxels are lesioned in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .lesioned import Lesioned


@dataclass(frozen=True, eq=False)
class Patterns:
    """The different columns of the patients x voxels matrix.

    Neighbouring voxels are often lesioned in the very same patients; whatever depends on these
    patients alone is worked out once for all of them.

    Parameters
    ----------
    members : scipy.sparse.csr_array of float64, shape (patterns, patients)
        1 where the patient belongs to the pattern. Rows by ascending number of patients.
    n : array of int64, shape (patterns,)
        Patients of each pattern, ascending.
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


def find_patterns(patients: Lesioned, min_patients: int) -> Patterns:
    """Patterns of the voxels lesioned in at least so many patients, but not in all of them."""
    counts = np.ravel(patients.cohort.counts, order="F")
    qualify = (counts >= min_patients) & (counts < patients.size)
    indices = np.flatnonzero(qualify).astype(np.int32)
    place = np.full(counts.size, -1, np.int32)
    place[indices] = np.arange(indices.size, dtype=np.int32)
    first, of_voxel = _equal_columns(patients, place, indices.size)
    n = counts[indices[first]].astype(np.int64)
    order = np.argsort(n, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    members = _members(patients, place, indices.size, first[order])
    return Patterns(members, n[order], indices, rank[of_voxel])


def _lesions(patients: Lesioned, place: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    """The voxels of each lesion that qualify, as their places among these."""
    for row in range(patients.size):
        found = place[patients.lesion(row)]
        yield found[found >= 0]


def _equal_columns(
    patients: Lesioned, place: NDArray[np.int32], voxels: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first voxel of each pattern, and the pattern of each voxel.

    Patient by patient, the voxels of a class that the lesion covers part from those it does not.
    What is left together in the end is equal in every patient: nothing is left to a hash.
    """
    classes = np.zeros(voxels, np.int64)
    made = 1
    for lesion in _lesions(patients, place):
        old, new = np.unique(classes[lesion], return_inverse=True)
        classes[lesion] = made + new
        made += old.size
    _, first, of_voxel = np.unique(classes, return_index=True, return_inverse=True)
    return first, of_voxel


def _members(
    patients: Lesioned, place: NDArray[np.int32], voxels: int, first: NDArray[np.int64]
) -> Any:
    """The patterns x patients matrix, from one voxel of each pattern."""
    from scipy import sparse

    pattern = np.full(voxels, -1, np.int32)
    pattern[first] = np.arange(first.size, dtype=np.int32)
    columns = []
    for lesion in _lesions(patients, place):
        found = pattern[lesion]
        columns.append(found[found >= 0])
    starts = np.concatenate([[0], np.cumsum([column.size for column in columns])])
    rows = np.concatenate(columns)
    shape = (first.size, patients.size)
    return sparse.csc_array((np.ones(rows.size), rows, starts), shape=shape).tocsr()
