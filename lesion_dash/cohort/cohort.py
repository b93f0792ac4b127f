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
from ..core.tables import csv_rows
from ..core.text import counted
from ..files.paths import AnyPath
from ..files.writing import with_notes
from ..images.masks import Mask
from ..images.space import space_input
from .notes import all_notes
from .participants import Participants, Patient, Units

if TYPE_CHECKING:
    import pandas as pd


ALONE = "only one patient: no spread between patients can be computed"

_OF_FILES = ("patient", "file", "status", "reason", "voxels", "volume_mm3")


@dataclass(frozen=True, eq=False)
class CohortListing:
    """The patients of a cohort whose masks were read once and not kept.

    Parameters
    ----------
    name : str
        The folder's name, with the conditions that the patients meet.
    folder : Path or UrlPath
    grid : Grid
    patients : tuple of Patient
        Every file that was listed, used or skipped, in the order of the file names.
    participants : Participants or None
        The table that was joined by id.
    notes : tuple of str
        What is unusual about the masks as a group, such as two that are identical.
    """

    name: str
    folder: AnyPath
    grid: Grid
    patients: tuple[Patient, ...]
    participants: Participants | None = field(default=None, kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    def name_in_table(self, column: str) -> str:
        """What `table` calls a column of the participants table, which goes before one of files."""
        is_known = self.participants is not None and column in self.participants.columns
        return f"participant_{column}" if is_known and column in _OF_FILES else column

    @property
    def units(self) -> Units:
        """Of the columns of the participants table."""
        return Units() if self.participants is None else self.participants.units

    @cached_property
    def used(self) -> tuple[Patient, ...]:
        """The patients whose masks are counted."""
        return tuple(patient for patient in self.patients if patient.status == "used")

    @property
    def all_notes(self) -> tuple[str, ...]:
        """`notes`, and what is to be said of single files: each sentence once, and of how many."""
        return all_notes(self.notes, self.patients)

    @property
    def n_patients(self) -> int:
        """Number of patients whose masks are counted."""
        return len(self.used)

    @property
    def files_table(self) -> pd.DataFrame:
        """A row per patient, or file that is skipped: its status, reason, voxels, volume_mm3.

        Files of a patient that count together are in one row, separated by semicolons.

        What was skipped is not counted, and has no voxels and no volume: NA and NaN, not 0.
        """
        import pandas as pd

        table = pd.DataFrame(self._file_rows, columns=list(_OF_FILES))
        return table.astype({"voxels": "Int64", "volume_mm3": float})

    @property
    def files_csv(self) -> bytes:
        """`files_table` as CSV, without pandas, which takes longer to import than masks to read."""
        return csv_rows(_OF_FILES, self._file_rows)

    @property
    def _file_rows(self) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for patient, file in zip(self.patients, self._files_by_patient, strict=True):
            is_used = patient.status == "used"
            size = (patient.voxels, patient.volume_mm3) if is_used else (None, None)
            rows.append((patient.id, file, patient.status, patient.reason, *size))
        return rows

    @property
    def used_table(self) -> pd.DataFrame:
        """The rows of `table` that are counted, one per patient, in their order."""
        table = self.table
        used = table[table["status"] == "used"].reset_index(drop=True)
        return used.astype({"voxels": int})

    @property
    def table(self) -> pd.DataFrame:
        """The table of files with the columns of the participants table, where there is one."""
        files = self.files_table
        if self.participants is None:
            return files
        files["file"] = [patient.file for patient in self.patients]
        table = self.participants.join(files)
        table["file"] = self._files_by_patient
        return table

    @property
    def _files_by_patient(self) -> list[str]:
        """The file of each patient, several separated by semicolons."""
        return ["; ".join(file for file, _ in patient.files) for patient in self.patients]


@dataclass(frozen=True, eq=False)
class Cohort(CohortListing):
    """Patients with a lesion mask each, all on one grid: one sparse patients x voxels matrix.

    Parameters
    ----------
    name, folder, grid, patients, participants, notes
        As those of a `CohortListing`.
    starts, ends : array of int64, shape (n_patients,)
        The voxels of the p-th used patient are ``indices[starts[p]:ends[p]]``; see `voxels`.
    indices : array of int32
        Linear voxel positions (first axis fastest), one patient after the other; a mapped file
        where they are too many for the memory. A part of a cohort shares them with the whole.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> cohort.n_patients, cohort.volumes[:3].tolist(), cohort.max_overlap
    (40, [211, 6065, 18479], 13)
    >>> len(cohort.patients_at([-26, 0, 8])), cohort.at_least(5).voxels
    (7, 12726)
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    indices: NDArray[np.int32]
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
    def max_overlap(self) -> int:
        """The largest number of patients lesioned at any one voxel."""
        return int(self.counts.max(initial=0))

    def __getstate__(self) -> dict[str, Any]:
        # Statistics can be computed anew where it arrives: they take more room than the masks.
        return {name: value for name, value in vars(self).items() if name != "_derived"}

    def voxels(self, patient: int) -> NDArray[np.int32]:
        """Linear positions of the lesion of the used patient at this position, ascending."""
        return self.indices[self.starts[patient] : self.ends[patient]]

    def runs(self, patient: int) -> Runs:
        """The lesion as runs of voxels, shared by all parts of a cohort that is in memory."""
        span = int(self.starts[patient]), int(self.ends[patient])
        if span in self._runs:
            return self._runs[span]
        voxels = self.voxels(patient)
        runs = find_runs(voxels)
        # A run takes two numbers and a voxel one: at four voxels a run, the runs add half the
        # memory at most; those of scattered voxels would take more than the voxels themselves.
        if not isinstance(self.indices, np.memmap) and 4 * runs[0].size <= voxels.size:
            self._runs[span] = runs
        return runs

    def mask(self, patient: int) -> Mask:
        """The mask of the used patient at this position."""
        return Mask(self.grid, self.voxels(patient), self.used[patient].id)

    def at_least(self, min_patients: int) -> Mask:
        """The voxels lesioned in at least this many patients, as a binary map."""
        check_min_patients(min_patients)
        flat = np.ravel(self.counts, order="F")
        indices = np.flatnonzero(flat >= min_patients).astype(np.int32)
        return Mask(self.grid, indices, f"{self.name}, at least {counted(min_patients, 'patient')}")

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
        is_lesioned = low < self.ends
        is_lesioned[is_lesioned] = self.indices[low[is_lesioned]] == index
        return np.flatnonzero(is_lesioned)

    def select(self, rows: ArrayLike) -> Cohort:
        """The cohort of some of the used patients, in the order given.

        No voxel is copied: the part holds those of the whole in memory.

        Parameters
        ----------
        rows : array of int or of bool
            Positions among the used patients, which are the rows of `used_table`.
        """
        selection = np.asarray(rows)
        chosen = np.arange(self.n_patients)[selection if selection.size else selection.astype(int)]
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
        problem = f"{min_patients!r} is not a whole number"
        raise InputError("min patients", problem, "give 1 or more")
    if min_patients < 1:
        raise InputError("min patients", f"{min_patients} is too small", "it must be at least 1")
    return int(min_patients)


def cohort_input(cohort: CohortListing) -> dict[str, Any]:
    """A cohort as an input: its folder, grid, and every file with checksum and status.

    A skipped file has the reason as well; notes are those of `all_notes`, where there are any.
    """
    table, participants = cohort.participants, dict[str, Any]()
    if table is not None:
        participants = {"file": str(table.path), "sha256": table.sha256}
        if table.units.path:
            units = table.units
            participants["units"] = {"file": str(units.path), "sha256": units.sha256}
    content = {
        "kind": "cohort",
        "folder": str(cohort.folder),
        "grid": {"shape": list(cohort.grid.shape), "affine": cohort.grid.affine.tolist()},
        "space": space_input(cohort.grid),
        "used": cohort.n_patients,
        "skipped": len(cohort.patients) - cohort.n_patients,
        "participants": participants or None,
        "files": [
            {"file": file, "sha256": sha256 or None, "status": patient.status}
            | ({"reason": patient.reason} if patient.status == "skipped" else {})
            for patient in cohort.patients
            for file, sha256 in patient.files
        ],
    }
    return with_notes(content, cohort.all_notes)
