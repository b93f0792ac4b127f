"""Exact sums of total lesion volume at each voxel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Runs = tuple[NDArray[np.int32], NDArray[np.int32]]


@dataclass(frozen=True, eq=False)
class VolumeSums:
    """Sums over patients at each voxel, in whole numbers: exact whatever the order.

    Parameters
    ----------
    n_patients : int
    n : array of int32, shape (voxels of the grid,)
        Patients lesioned at the voxel.
    total : array of int64
        Sum of their total lesion volumes, in voxels.
    squares : array of int64
        Sum of the squares, modulo 2**64; see `topography.squared_deviation`.
    """

    n_patients: int
    n: NDArray[np.int32]
    total: NDArray[np.int64]
    squares: NDArray[np.int64]


class SumsBuilder:
    """Sums that grow by one patient at a time.

    A run adds to two places only, where it starts and where it ends; one cumulative sum at the end
    makes the sums at every voxel.
    """

    def __init__(self) -> None:
        self.n_patients = 0
        self._n = np.zeros(0, np.int32)
        self._total = self._squares = np.zeros(0, np.int64)

    def add(self, size: int, starts: NDArray[np.int32], lengths: NDArray[np.int32]) -> None:
        """Add a patient's runs on a grid of `size` voxels."""
        if not self.n_patients:
            self._n = np.zeros(size + 1, np.int32)
            self._total, self._squares = np.zeros((2, size + 1), np.int64)
        self.n_patients += 1
        ends = starts + lengths
        volume = int(lengths.sum())
        for sums, value in ((self._n, 1), (self._total, volume), (self._squares, volume**2)):
            sums[starts] += value
            sums[ends] -= value

    def result(self) -> VolumeSums:
        """The sums at every voxel; nothing can be added after that."""
        for sums in (self._n, self._total, self._squares):
            np.cumsum(sums, out=sums)
        return VolumeSums(self.n_patients, self._n[:-1], self._total[:-1], self._squares[:-1])


def summarise(size: int, lesions: Iterable[Runs]) -> VolumeSums:
    """Sum over a block of patients.

    Parameters
    ----------
    size : int
        Voxels of the grid.
    lesions : iterable of (starts, lengths)
        The runs of each patient; see `runs.find_runs`.

    Examples
    --------
    >>> one = (np.array([1], np.int32), np.array([2], np.int32))
    >>> summarise(4, [one, one]).total.tolist()
    [0, 4, 4, 0]
    """
    builder = SumsBuilder()
    for starts, lengths in lesions:
        builder.add(size, starts, lengths)
    return builder.result()


def merge(a: VolumeSums, b: VolumeSums) -> VolumeSums:
    """The sums over the patients of both; neither is altered."""
    return VolumeSums(
        a.n_patients + b.n_patients, a.n + b.n, a.total + b.total, a.squares + b.squares
    )
