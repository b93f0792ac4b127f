"""A patient of a cohort: one file and what became of it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ..files import strip_ending

Outcome = Literal["accept", "warn", "reject"]


@dataclass(frozen=True, slots=True)
class Patient:
    """One file of a cohort and what became of it.

    Parameters
    ----------
    id : str
        From ``sub-`` in the file name, otherwise the file name without its ending; where two
        files would have the same id, their path below the cohort's folder.
    file : str
        Path below the cohort's folder.
    status : str
        ``used`` or ``skipped``.
    outcome : str
        What the door said: ``accept`` (where skipped: nothing is wrong with it, the patient is
        left out by a condition), ``warn`` (used and flagged, or passed over by its name), or
        ``reject`` (opened and refused).
    reasons : tuple of str
        Why it was skipped, or what was unusual about it, a sentence each.
    voxels : int
        Lesioned voxels, 0 where skipped; tables leave it empty then.
    volume_mm3 : float
        Volume of the lesion in mm³.
    sha256 : str
        Checksum of the file, empty where it was not read.
    """

    id: str
    file: str
    status: str
    outcome: Outcome = "accept"
    reasons: tuple[str, ...] = ()
    voxels: int = 0
    volume_mm3: float = 0.0
    sha256: str = ""

    @property
    def reason(self) -> str:
        """The reasons in one line."""
        return "; ".join(self.reasons)


@lru_cache(maxsize=4096)
def subject_of(file: str) -> str:
    """The BIDS subject in a file's path, or its name without the ending.

    Examples
    --------
    >>> subject_of("sub-07/anat/lesion.nii.gz"), subject_of("bwsrsub-12_lesion.nii.gz")
    ('sub-07', 'sub-12')
    >>> subject_of("patient 3.nii")
    'patient 3'
    """
    parts = unicodedata.normalize("NFC", file).split("/")
    for part in reversed(parts):
        if found := re.search(r"sub-[^\W_]+", part):
            return found.group()
    return strip_ending(parts[-1])


def patient_ids(files: Sequence[str]) -> list[str]:
    """An id for each file: its subject, or its path where several files have that subject.

    Examples
    --------
    >>> patient_ids(["a/sub-1.nii", "b/sub-1.nii", "b/sub-2.nii"])
    ['a/sub-1', 'b/sub-1', 'sub-2']
    """
    subjects = [subject_of(file) for file in files]
    times = Counter(subject.casefold() for subject in subjects)
    return [
        subject if times[subject.casefold()] == 1 else strip_ending(file)
        for subject, file in zip(subjects, files, strict=True)
    ]
