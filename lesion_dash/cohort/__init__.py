"""Who is studied: patients, their masks, and what a participants table says of them."""

from .cohort import Cohort, check_min_patients
from .loading import FolderReading, load_cohort, read_folder
from .participants import ID_COLUMNS, Participants, read_participants, read_participants_table
from .patients import Outcome, Patient

__all__ = [
    "ID_COLUMNS",
    "Cohort",
    "FolderReading",
    "Outcome",
    "Participants",
    "Patient",
    "check_min_patients",
    "load_cohort",
    "read_folder",
    "read_participants",
    "read_participants_table",
]
