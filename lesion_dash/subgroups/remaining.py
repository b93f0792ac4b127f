"""What is left to be asked of a cohort on which conditions are set already."""

from __future__ import annotations

from collections.abc import Iterable

from ..cohort import People
from .columns import Column, describe_column, find_column
from .condition import Condition
from .parsing import parse_conditions


def remaining_columns(cohort: People, conditions: Iterable[Condition | str]) -> tuple[Column, ...]:
    """Every column, counted among the patients whom the conditions on the other columns leave.

    So each count is the number of patients there would be if its value were all that is asked of
    its column.

    Parameters
    ----------
    cohort : Cohort or Roster
        The whole, with a participants table.
    conditions : iterable of Condition or str

    Returns
    -------
    tuple of Column
        As of `describe_columns`, where no condition is given.

    Raises
    ------
    InputError
        Where the table has no column that is asked of.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> _, sex, *_ = remaining_columns(cohort, ["sex=F", "age>=60"])
    >>> sex.counts
    (('F', 15), ('M', 13))
    """
    table = cohort.participants
    if table is None:
        return ()
    rows = [table.values_of(patient.file) for patient in cohort.used]
    met: dict[str, list[bool]] = {}
    for one in dict.fromkeys(parse_conditions(conditions)):
        position = find_column(table, one.column)
        before = met.get(one.column, [True] * len(rows))
        met[one.column] = [
            was and one.is_met(row[position]) for was, row in zip(before, rows, strict=True)
        ]
    columns = []
    for position, name in enumerate(table.columns):
        others = [answers for column, answers in met.items() if column != name]
        is_left = map(all, zip(*others, strict=True)) if others else [True] * len(rows)
        cells = [row[position] for row, kept in zip(rows, is_left, strict=True) if kept]
        columns.append(describe_column(table, position, cells))
    return tuple(columns)
