"""Patients and their masks: the listing, and one sparse patients x voxels matrix."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import InputError
from ..core.grid import Grid
from ..core.runs import Runs, find_runs
from ..files.paths import AnyPath
from ..images.masks import Mask
from .participants import Participants, Patient, Units

if TYPE_CHECKING:
    import pandas as pd


_OF_FILES = ("patient", "file", "status", "reason", "voxels", "volume_mm3")


class CohortBase:
    """What a cohort and a roster tell of their patients."""

    patients: tuple[Patient, ...]
    participants: Participants | None

    def name_in_table(self, column: str) -> str:
        """What `table` calls a column of the participants table, which goes before one of files."""
        is_asked = self.participants is not None and column in self.participants.columns
        return f"participant_{column}" if is_asked and column in _OF_FILES else column

    @property
    def units(self) -> Units:
        """Of the columns of the participants table."""
        return Units() if self.participants is None else self.participants.units

    @cached_property
    def used(self) -> tuple[Patient, ...]:
        """The patients whose masks are counted."""
        return tuple(patient for patient in self.patients if patient.status == "used")

    @property
    def n_patients(self) -> int:
        """Number of patients whose masks are counted."""
        return len(self.used)

    @property
    def files_table(self) -> pd.DataFrame:
        """A row per file: patient, file, status, reason, voxels, volume_mm3.

        What was skipped is not counted, and has no voxels and no volume: NA and NaN, not 0.
        """
        import pandas as pd

        columns = ("id", "file", "status", "reason", "voxels", "volume_mm3")
        rows = [[getattr(patient, column) for column in columns] for patient in self.patients]
        table = pd.DataFrame(rows, columns=["patient", *columns[1:]])
        table = table.astype({"voxels": "Int64", "volume_mm3": float})
        table.loc[table["status"] != "used", ["voxels", "volume_mm3"]] = None
        return table

    @property
    def used_table(self) -> pd.DataFrame:
        """The rows of `table` that are counted, one a patient, in their order."""
        table = self.table
        used = table[table["status"] == "used"].reset_index(drop=True)
        return used.astype({"voxels": int})

    @property
    def table(self) -> pd.DataFrame:
        """The table of files with the columns of the participants table, where there is one."""
        files = self.files_table
        return self.participants.join(files) if self.participants else files


@dataclass(frozen=True, eq=False)
class CohortListing(CohortBase):
    """The patients of a cohort whose masks were read once and not kept.

    Parameters
    ----------
    name, folder, grid, patients, participants, notes
        As those of a `Cohort`.
    """

    name: str
    folder: AnyPath
    grid: Grid
    patients: tuple[Patient, ...]
    participants: Participants | None = None
    notes: tuple[str, ...] = ()


# Patients and their masks as one sparse patients x voxels matrix.


@dataclass(frozen=True, eq=False)
class Cohort(CohortBase):
    """Patients with a lesion mask each, all on one grid.

    Parameters
    ----------
    name : str
        The folder's name, with the conditions that the patients meet.
    folder : Path or UrlPath
    grid : Grid
    patients : tuple of Patient
        Every file that was found, used or skipped, in the order of the file names.
    starts, ends : array of int64, shape (n_patients,)
        The voxels of the p-th used patient are ``indices[starts[p]:ends[p]]``; see `voxels`.
    indices : array of int32
        Linear voxel positions (first axis fastest), one patient after the other; a mapped file
        where they are too many for the memory. A part of a cohort shares them with the whole.
    participants : Participants or None
        The table that was joined by id.
    notes : tuple of str
        What is unusual about the masks as a group, such as two that are identical.
    """

    name: str
    folder: AnyPath
    grid: Grid
    patients: tuple[Patient, ...]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    indices: NDArray[np.int32]
    participants: Participants | None = None
    notes: tuple[str, ...] = ()
    _runs: dict[tuple[int, int], Runs] = field(default_factory=dict, repr=False)

    @cached_property
    def volumes(self) -> NDArray[np.int64]:
        """Lesion volume of each used patient in voxels, shape (n_patients,)."""
        return self.ends - self.starts

    @cached_property
    def counts(self) -> NDArray[np.int32]:
        """Number of patients lesioned at each voxel, shape of the grid, read-only."""
        steps = np.zeros(self.grid.size + 1, np.int32)
        # One patient after the other, run by run: to count all voxels at once takes several times
        # the memory, and to add 1 to each of them more than twice as long.
        for patient in range(self.n_patients):
            starts, lengths = self.runs(patient)
            steps[starts] += 1
            steps[starts + lengths] -= 1
        flat = steps[:-1]
        np.cumsum(flat, dtype=np.int32, out=flat)
        flat.setflags(write=False)
        return flat.reshape(self.grid.shape, order="F")

    @cached_property
    def most(self) -> int:
        """The largest number of patients lesioned at any one voxel."""
        return int(self.counts.max(initial=0))

    def voxels(self, patient: int) -> NDArray[np.int32]:
        """Linear positions of the lesion of the used patient at this position, ascending."""
        return self.indices[self.starts[patient] : self.ends[patient]]

    def runs(self, patient: int) -> Runs:
        """The lesion as runs of voxels, shared by all parts of a cohort that is in memory."""
        place = int(self.starts[patient]), int(self.ends[patient])
        if place in self._runs:
            return self._runs[place]
        voxels = self.voxels(patient)
        runs = find_runs(voxels)
        # Those of scattered voxels would take more memory than the voxels themselves.
        if not isinstance(self.indices, np.memmap) and 4 * runs[0].size <= voxels.size:
            self._runs[place] = runs
        return runs

    def mask(self, patient: int) -> Mask:
        """The mask of the used patient at this position."""
        return Mask(self.grid, self.voxels(patient), self.used[patient].id)

    def at_least(self, min_patients: int) -> Mask:
        """The voxels lesioned in at least this many patients, as a binary map."""
        check_min_patients(min_patients)
        flat = np.ravel(self.counts, order="F")
        indices = np.flatnonzero(flat >= min_patients).astype(np.int32)
        return Mask(self.grid, indices, f"{self.name}, at least {min_patients} patients")

    def patients_at(self, mm: ArrayLike) -> tuple[Patient, ...]:
        """The patients lesioned at a world point (mm), none outside the image."""
        voxel = self.grid.nearest_voxel(mm)
        if voxel is None:
            return ()
        rows = self.rows_at(self.grid.linear_index(voxel))
        return tuple(self.used[row] for row in rows.tolist())

    def rows_at(self, index: int) -> NDArray[np.int64]:
        """Positions of the used patients lesioned at a voxel, by bisection in all at once."""
        low, high = self.starts.copy(), self.ends.copy()
        for _ in range(int(np.max(high - low, initial=0)).bit_length()):
            middle = (low + high) // 2
            below = (low < high) & (self.indices[np.minimum(middle, high - 1)] < index)
            low = np.where(below, middle + 1, low)
            high = np.where(below, high, middle)
        found = low < self.ends
        found[found] = self.indices[low[found]] == index
        return np.flatnonzero(found)

    def select(self, rows: ArrayLike) -> Cohort:
        """The cohort of some of the used patients, in the order given.

        No voxel is copied: the part holds those of the whole in memory.

        Parameters
        ----------
        rows : array of int or of bool
            Positions among the used patients, which are the rows of `used_table`.
        """
        asked = np.asarray(rows)
        chosen = np.arange(self.n_patients)[asked if asked.size else asked.astype(int)]
        patients = tuple(self.used[row] for row in chosen.tolist())
        starts, ends = self.starts[chosen], self.ends[chosen]
        return replace(self, patients=patients, starts=starts, ends=ends)


def check_min_patients(min_patients: object) -> int:
    """Return the smallest number of patients as an int, or say what is wrong with it.

    Raises
    ------
    InputError
        Where it is not a whole number of at least 1.
    """
    if isinstance(min_patients, bool) or not isinstance(min_patients, (int, np.integer)):
        raise InputError(
            "min patients", f"{min_patients!r} is not a whole number", "give 1 or more"
        )
    if min_patients < 1:
        raise InputError("min patients", f"{min_patients} is too small", "it must be at least 1")
    return int(min_patients)


def cohort_input(cohort: Cohort | CohortListing) -> dict[str, Any]:
    """A cohort as an input: its folder, grid, and every file with checksum and status.

    A skipped file has the reason as well.
    """
    return {
        "kind": "cohort",
        "folder": str(cohort.folder),
        "grid": {"shape": list(cohort.grid.shape), "affine": cohort.grid.affine.tolist()},
        "used": cohort.n_patients,
        "skipped": len(cohort.patients) - cohort.n_patients,
        "participants": _participants_input(cohort.participants),
        "files": [
            {"file": patient.file, "sha256": patient.sha256 or None, "status": patient.status}
            | ({"reason": patient.reason} if patient.status == "skipped" else {})
            for patient in cohort.patients
        ],
    }


def _participants_input(table: Participants | None) -> dict[str, Any] | None:
    if table is None:
        return None
    units = table.units
    of_units = {"units": {"file": str(units.path), "sha256": units.sha256}} if units.path else {}
    return {"file": str(table.path), "sha256": table.sha256} | of_units
