"""Part of a cohort that was read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..cohort import ALONE, Cohort, Patient, People, leave_out
from .condition import Condition
from .parsing import parse_conditions


def restrict_cohort(cohort: Cohort, conditions: Iterable[Condition | str]) -> Cohort:
    """The patients of a cohort who meet all conditions; their order does not matter.

    Parameters
    ----------
    cohort : Cohort
        With a participants table.
    conditions : iterable of Condition or str
        See `parse_condition`; the cohort itself is returned where there is none.

    Returns
    -------
    Cohort
        Named after cohort and conditions. The others are listed among its patients as skipped,
        with the reason; its notes count them, and how many of them have no value.

    Raises
    ------
    InputError
        Where a condition cannot be asked of the table, or nobody meets them all.

    See Also
    --------
    load_cohort : With `where`, the files of the others are not even opened.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> women = restrict_cohort(load_cohort("sample_data/cohort_a"), ["sex=F", "age>=60"])
    >>> women.name, women.n_patients
    ('cohort_a, age >= 60, sex = F', 15)
    >>> women.notes[0]
    'age >= 60: 12 of 40 patients left out, 3 of them because the value is missing'
    """
    where = parse_conditions(conditions)
    if not where:
        return cohort
    files = [patient.file for patient in cohort.used]
    left_out = leave_out(where, cohort.participants, files, cohort.folder)
    rows = [row for row, file in enumerate(files) if file not in left_out.reasons]
    return replace(
        cohort.select(rows),
        name=left_out.name(cohort.name),
        patients=tuple(_skipped(one, left_out.reasons) for one in cohort.patients),
        notes=(*cohort.notes, *left_out.notes, *([ALONE] if len(rows) == 1 else [])),
    )


def restriction_words(cohort: People, conditions: Iterable[Condition | str]) -> str:
    """The conditions in words, with how many patients they leave out for want of a value alone.

    A patient whom another condition leaves out for sure is not counted.

    Parameters
    ----------
    cohort : Cohort or Roster
        The whole, with a participants table.
    conditions : iterable of Condition or str

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> restriction_words(load_cohort("sample_data/cohort_a"), ["sex=F", "age>=60"])
    'age >= 60, sex = F; 1 left out only because age is missing'
    """
    ordered = sorted(set(parse_conditions(conditions)), key=lambda one: (one.words, str(one)))
    table, files = cohort.participants, [patient.file for patient in cohort.used]
    said = [", ".join(one.words for one in ordered)]
    if table is not None:
        out = {one: one.unmet_files(table, files) for one in ordered}
        for one in ordered:
            others = set().union(*(out[other] for other in ordered if other != one))
            said.append(one.unknown_words(table, [file for file in files if file not in others]))
    return "; ".join(dict.fromkeys(filter(None, said)))


def _skipped(patient: Patient, reasons: dict[str, str]) -> Patient:
    """The patient, or one who is left out."""
    if patient.status != "used" or patient.file not in reasons:
        return patient
    reason = reasons[patient.file]
    return Patient(patient.id, patient.file, "skipped", "accept", (reason,), sha256=patient.sha256)
