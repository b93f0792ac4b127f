"""The same people in two cohorts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.text import counted
from .names import patient_keys

if TYPE_CHECKING:
    from .cohort import CohortListing


def common_patients(a: CohortListing, b: CohortListing) -> tuple[str, ...]:
    """A sentence where patients of one cohort are in another as well, by their ids."""
    known = set(patient_keys([patient.file for patient in a.used]))
    keys = patient_keys([patient.file for patient in b.used])
    common = [p.id for p, key in zip(b.used, keys, strict=True) if key in known]
    if not common:
        return ()
    total = counted(b.n_patients, "patient")
    if len(common) == 1:
        which, who = f"is in A as well, by its id: {common[0]}", "it counts"
    else:
        which, who = f"are in A as well, by their ids, such as {common[0]}", "they count"
    members = f"{len(common):,} of {total} of B {which}"
    return (f"{members}; {who} on both sides, and p of a test of two groups is not right",)
