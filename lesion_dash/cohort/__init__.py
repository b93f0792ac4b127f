"""Who is studied: patients, their masks, and what a participants table says of them."""

from .cohort import Cohort, check_min_patients
from .loading import load_cohort
from .participants import Participants, read_participants
from .patients import Patient

__all__ = [
    "Cohort",
    "Participants",
    "Patient",
    "check_min_patients",
    "load_cohort",
    "read_participants",
]
