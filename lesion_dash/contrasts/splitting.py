"""One cohort split in two by what the participants table says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort, value_words
from ..errors import InputError


def split_cohort(
    cohort: Cohort, column: str, a: str | float, b: str | float
) -> tuple[Cohort, Cohort]:
    """Split a cohort by a column of its participants table.

    Parameters
    ----------
    cohort : Cohort
        With a participants table.
    column : str
    a, b : str or float
        Two values of the column. Patients with another value, or none, are in neither group.

    Returns
    -------
    tuple of Cohort
        Named such as ``sex = F``; their notes tell how many patients are in neither.

    Raises
    ------
    InputError
        Where the column is missing, both values are one, or nobody has a value.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> women, men = split_cohort(load_cohort("sample_data/cohort_a"), "sex", "F", "M")
    >>> women.name, women.n_patients + men.n_patients
    ('sex = F', 40)
    """
    table, name = cohort.used_table, cohort.name_in_table(column)
    if name not in table.columns:
        remedy = f"choose one of {', '.join(map(str, table.columns))}"
        raise InputError(cohort.name, f"its participants have no column {column!r}", remedy)
    known = table[name].notna()
    values = np.array([value_words(value) for value in table[name].where(known, "")])
    wanted = value_words(a), value_words(b)
    if wanted[0] == wanted[1]:
        raise InputError(column, f"both groups are {wanted[0]!r}", "choose two that differ")
    neither = int((~np.isin(values, wanted)).sum())
    notes = (f"{neither} patients with another {column}, or none, are left out",) if neither else ()
    return _part(cohort, column, values, wanted[0], notes), _part(
        cohort, column, values, wanted[1], notes
    )


def _part(
    cohort: Cohort, column: str, values: NDArray, value: str, notes: tuple[str, ...]
) -> Cohort:
    rows = np.flatnonzero(values == value)
    if not value or not rows.size:
        found = ", ".join(sorted({one for one in values.tolist() if one})[:12])
        problem = f"no patient has {column} = {value!r}"
        raise InputError(cohort.name, problem, f"choose from: {found}")
    chosen = cohort.select(rows)
    return replace(chosen, name=f"{column} = {value}", notes=(*chosen.notes, *notes))
