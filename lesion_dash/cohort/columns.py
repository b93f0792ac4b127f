"""Columns of the participants table: numbers or categories, and who has no value."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from ..core.errors import InputError
from ..core.text import did_you_mean
from .cells import number_of, value_text
from .cohort import CohortListing
from .participants import Participants

_NUMBER = r"[-+]?[\d.]+(?:[eE][-+]?\d+)?"
_SIGNED = re.compile(rf"(>=|<=|>|<|≥|≤)\s*({_NUMBER})")
_ENDED = re.compile(rf"({_NUMBER})\s*\+")


@dataclass(frozen=True)
class OpenValue:
    """A number of which only one bound is known, such as ``89+`` or ``<18``.

    De-identified tables hold such values: whoever is older than 89 is ``89+``. So do laboratory
    values below the limit of detection. Where `strict`, the number is not the bound itself.
    """

    bound: float
    above: bool
    strict: bool = False

    @property
    def summary(self) -> str:
        """What is known, such as ``at least 89``."""
        if self.above:
            side = "more than" if self.strict else "at least"
        else:
            side = "less than" if self.strict else "at most"
        return f"{side} {self.bound:g}"

    def lies_within(self, low: float, high: float, strict: bool = False) -> bool | None:
        """Whether the number lies within a range, or None where it may and may not.

        The range includes its bounds, unless it is strict, and is infinite where it has none.

        Examples
        --------
        >>> age = open_value("89+")
        >>> age.lies_within(60, inf), age.lies_within(20, 40), age.lies_within(92, inf)
        (True, False, None)
        """
        near, far, bound = low, high, self.bound
        if not self.above:  # the same question, seen in a mirror
            near, far, bound = -high, -low, -self.bound
        if bound > far or (bound == far and (self.strict or strict)):
            return False
        is_safe = bound > near or (bound == near and (self.strict or not strict))
        return True if is_safe and far == inf else None


def open_value(cell: str) -> OpenValue | None:
    """What a cell such as ``89+``, ``>89``, ``>=90`` or ``<18`` tells; None for other cells.

    Examples
    --------
    >>> open_value("89+").summary, open_value("< 18").summary
    ('at least 89', 'less than 18')
    >>> open_value("89") is None
    True
    """
    text = cell.strip()
    signed, ended = _SIGNED.fullmatch(text), _ENDED.fullmatch(text)
    operator, number = signed.groups() if signed else (">=", ended[1] if ended else "")
    bound = number_of(number)
    if bound is None:
        return None
    return OpenValue(bound, operator in (">", ">=", "≥"), strict=operator in "<>")


def holds_numbers(cells: Iterable[str]) -> bool:
    """Whether the cells that are not empty are numbers, or open at a bound.

    One of them at least must be a number. A plus behind a number is a top code only where there
    is one such value and no number above it: the grades 1+, 2+, 3+ are categories.

    Examples
    --------
    >>> holds_numbers(["61", "", "89+"]), holds_numbers(["0", "1+", "2+"])
    (True, False)
    """
    present = {cell for cell in cells if cell}
    numbers = {cell: number_of(cell) for cell in present}
    exact = [number for number in numbers.values() if number is not None]
    values = {cell: open_value(cell) for cell, number in numbers.items() if number is None}
    if not exact or None in values.values():
        return False
    tops = {value.bound for cell, value in values.items() if value and cell.endswith("+")}
    return not tops or (len(tops) == 1 and max(exact) <= min(tops))


def place_of(value: str) -> tuple[float, int]:
    """A key that sorts values as numbers: ``<18`` before 18, ``18+`` after it.

    Raises
    ------
    ValueError
        Where the value is not a number, and not open at a bound.
    """
    limit = open_value(value)
    return (float(value), 0) if limit is None else (limit.bound, 1 if limit.above else -1)


Kind = Literal["number", "category"]

_MAX_NAMED = 12  # values of a column in a sentence, arbitrary


@dataclass(frozen=True)
class Column:
    """A column of the participants table, as the patients of a cohort fill it.

    Parameters
    ----------
    name : str
    kind : str
        ``number`` where every value that the table has in this column is a number, or open at a
        bound as ``89+`` and ``<18`` are; otherwise ``category``. The whole table decides, so that
        the kind is the same in every subgroup.
    counts : tuple of (str, int)
        Each value with its number of patients, numbers in rising order, others in alphabetical
        order. 1 and 1.0 are one value.
    missing : int
        Patients without a value, or without a row in the table.
    low, high : float or None
        The range of a column of numbers, with the bound of a value that is open there; None where
        no patient has one.
    unit : str
        Of its numbers, empty where nobody says.
    """

    name: str
    kind: Kind
    counts: tuple[tuple[str, int], ...]
    missing: int
    low: float | None = None
    high: float | None = None
    unit: str = ""

    @property
    def summary(self) -> str:
        """The values in a sentence.

        Examples
        --------
        >>> Column("age", "number", (("42", 1), ("89", 2)), 0, 42.0, 89.0).summary
        'age runs from 42 to 89'
        >>> Column("sex", "category", (("F", 20), ("M", 20)), 0).summary
        'sex is F or M'
        """
        if not self.counts:
            return f"{self.name} is missing for every patient"
        if self.kind == "number":
            return f"{self.name} runs from {self.counts[0][0]} to {self.counts[-1][0]}"
        named = [value for value, _ in self.counts[:_MAX_NAMED]]
        more = len(self.counts) - len(named)
        rest = [f"one of {more:,} more"] if more else []
        return f"{self.name} is {' or '.join([*named, *rest])}"

    @property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers."""
        return self.kind == "number" and all(place_of(v)[0].is_integer() for v, _ in self.counts)

    @property
    def even_cut(self) -> float | None:
        """The number that splits the patients most evenly: below it, and from it on.

        None where a column holds categories, or fewer than two numbers.

        Examples
        --------
        >>> Column("age", "number", (("42", 2), ("60", 3), ("89", 1)), 0, 42.0, 89.0).even_cut
        60.0
        """
        if self.kind != "number":
            return None
        below, cuts = 0, []
        total = sum(number for _, number in self.counts)
        for value, number in self.counts:
            place, is_open = place_of(value)
            if below and not is_open:
                cuts.append((abs(2 * below - total), place))
            below += number
        return min(cuts)[1] if cuts else None


def describe_columns(cohort: CohortListing) -> tuple[Column, ...]:
    """The columns of a cohort's participants table, and their values.

    Parameters
    ----------
    cohort : CohortListing

    Returns
    -------
    tuple of Column
        In the order of the table, without the ids; none where the cohort has no table. Only the
        patients whose masks are used are counted.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> cohort, sex, age, *_ = describe_columns(load_cohort("sample_data/cohort_a"))
    >>> sex.kind, sex.counts, sex.missing
    ('category', (('F', 16), ('M', 24)), 0)
    >>> age.kind, age.low, age.high, age.missing
    ('number', 37.0, 83.0, 2)
    """
    table = cohort.participants
    if table is None:
        return ()
    rows = [table.values_of(patient.file) for patient in cohort.used]
    return tuple(
        describe_column(table, position, [row[position] for row in rows])
        for position in range(len(table.columns))
    )


def describe_column(table: Participants, position: int, cells: Sequence[str]) -> Column:
    """A column at this place of the table, as some patients fill it."""
    present = Counter(value_text(cell) for cell in cells if cell)
    missing = len(cells) - present.total()
    name = table.columns[position]
    if not holds_numbers(whole_column(table, position)):
        return Column(name, "category", tuple(sorted(present.items())), missing)
    unit = table.units.of(name)
    counts = tuple(sorted(present.items(), key=lambda pair: place_of(pair[0])))
    low, high = (place_of(counts[end][0])[0] if counts else None for end in (0, -1))
    return Column(name, "number", counts, missing, low, high, unit)


def with_unit(name: str, unit: str) -> str:
    """A column's name as the head of a table, with its unit where there is one.

    Examples
    --------
    >>> with_unit("age", "years"), with_unit("nihss", "")
    ('age (years)', 'nihss')
    """
    return f"{name} ({unit})" if unit else name


def whole_column(table: Participants, position: int) -> list[str]:
    """The cells of a column, of all patients of the table."""
    return [row[position] for row in table.rows]


def find_column(table: Participants, name: str) -> int:
    """The place of a column among the values of a patient.

    Raises
    ------
    InputError
        Where there is none of this name, with the one that may have been meant.
    """
    if name in table.columns:
        return table.columns.index(name)
    known = ", ".join(table.columns)
    remedy = f"choose one of {known}" if known else "; ".join(("it has none to use", *table.notes))
    remedy = did_you_mean(name, table.columns) or remedy
    raise InputError(table.path, f"has no column {name!r}", remedy)
