"""Who is studied: patients, their masks, and what a participants table says of them."""

from .cluster import ChunkReading, ChunkRuns, Workers
from .cohort import Cohort, check_min_patients
from .loading import load_cohort, read_roster
from .participants import ID_COLUMNS, Participants, read_participants, read_participants_table
from .patients import Outcome, Patient
from .reading import FolderReading, ReadOptions, read_folder
from .roster import Roster

__all__ = [
    "ID_COLUMNS",
    "ChunkReading",
    "ChunkRuns",
    "Cohort",
    "FolderReading",
    "Outcome",
    "Participants",
    "Patient",
    "ReadOptions",
    "Roster",
    "Workers",
    "check_min_patients",
    "load_cohort",
    "read_folder",
    "read_participants",
    "read_participants_table",
    "read_roster",
]
