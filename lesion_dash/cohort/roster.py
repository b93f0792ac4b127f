"""The patients of a cohort as a table, with or without their masks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..files import AnyPath
from ..grid import Grid
from .participants import Participants
from .patients import Patient
from .units import Units

if TYPE_CHECKING:
    import pandas as pd


_OF_FILES = ("patient", "file", "status", "reason", "voxels", "volume_mm3")


class People:
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
class Roster(People):
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
