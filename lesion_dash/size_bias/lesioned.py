"""The patients of a cohort that have a lesion, in an order of their own."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..errors import InputError

_EXACT = 2**53
"""Whole numbers below this are exact as float64, and so are their sums."""


@dataclass(frozen=True, eq=False)
class Lesioned:
    """The patients with at least one lesioned voxel.

    Parameters
    ----------
    cohort : Cohort
    rows : array of int64, shape (patients,)
        Their positions among the used patients, by ascending volume and, where volumes are equal,
        by a checksum of the lesion. The order therefore does not depend on the names of files.
    volumes : array of int64, shape (patients,)
        In voxels.
    """

    cohort: Cohort
    rows: NDArray[np.int64]
    volumes: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of patients with a lesion."""
        return int(self.rows.size)

    @property
    def mean(self) -> float:
        """Mean volume in mm³."""
        return int(self.volumes.sum()) / self.size * self.cohort.grid.voxel_volume

    @property
    def weighted_mean(self) -> float:
        """Size-weighted mean volume Σv²/Σv in mm³."""
        squares = sum(volume * volume for volume in self.volumes.tolist())
        return squares / int(self.volumes.sum()) * self.cohort.grid.voxel_volume

    @property
    def notes(self) -> tuple[str, ...]:
        """Who was left out, where anybody was."""
        empty = self.cohort.n_patients - self.size
        if not empty:
            return ()
        return (f"patients without a lesioned voxel left out: {empty} of {self.cohort.n_patients}",)

    def lesion(self, row: int) -> NDArray[np.int32]:
        """Linear voxel positions of the lesion of the patient at this place of `rows`."""
        return self.cohort.voxels(int(self.rows[row]))


def lesioned_patients(cohort: Cohort) -> Lesioned:
    """The patients with a lesion; see `Lesioned`.

    Raises
    ------
    InputError
        Where there is none, or so many voxels that sums of volumes would not be exact.
    """
    volumes = cohort.volumes
    found = np.flatnonzero(volumes).tolist()
    if not found:
        raise InputError(cohort.name, "no patient has a lesioned voxel", "check the masks")
    if len(found) * int(volumes.sum()) >= _EXACT:
        problem = f"{int(volumes.sum()):,} lesioned voxels of {len(found):,} patients"
        raise InputError(cohort.name, f"{problem} are too many for exact sums", "use larger voxels")
    rows = sorted(found, key=lambda row: (int(volumes[row]), _checksum(cohort.voxels(row))))
    return Lesioned(cohort, np.array(rows, np.int64), volumes[rows])


def _checksum(positions: NDArray[np.int32]) -> bytes:
    return sha256(np.ascontiguousarray(positions).data).digest()
