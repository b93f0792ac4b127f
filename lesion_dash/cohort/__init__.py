"""Who is studied: patients, their masks, and what a participants table says of them."""

from .cells import is_missing, number_of, value_words
from .cluster import ChunkReading, ChunkRuns, Workers
from .cohort import Cohort, check_min_patients
from .loading import load_cohort, read_roster
from .participants import ID_COLUMNS, Participants, read_participants, read_participants_table
from .patients import Outcome, Patient
from .reading import ALONE, FolderReading, ReadOptions, read_folder
from .restriction import Answer, LeftOut, Restriction, leave_out
from .roster import People, Roster
from .units import Units

__all__ = [
    "ALONE",
    "ID_COLUMNS",
    "Answer",
    "ChunkReading",
    "ChunkRuns",
    "Cohort",
    "FolderReading",
    "LeftOut",
    "Outcome",
    "Participants",
    "Patient",
    "People",
    "ReadOptions",
    "Restriction",
    "Roster",
    "Units",
    "Workers",
    "check_min_patients",
    "is_missing",
    "leave_out",
    "load_cohort",
    "number_of",
    "read_folder",
    "read_participants",
    "read_participants_table",
    "read_roster",
    "value_words",
]
