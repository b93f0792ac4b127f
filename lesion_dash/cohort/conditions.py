"""Conditions on columns of the participants table, and the part of a cohort that meets them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf, isnan

from ..core.errors import InputError
from .cohort import Cohort, CohortBase
from .columns import (
    Column,
    describe_column,
    did_you_mean,
    find_column,
    is_numeric,
    open_value,
    whole_column,
)
from .participants import (
    Participants,
    Patient,
    RestrictionResult,
    is_missing,
    leave_out,
    number_of,
    value_words,
)
from .reading import ALONE

RANGE = re.compile(r'\s*([^\s,"]+?)\s*\.\.\s*([^\s,"]+)\s*')
SIGNS = "=<>!"
_NOT_PLAIN = frozenset(SIGNS + "≥≤≠")


@dataclass(frozen=True)
class Condition:
    """What a patient must have in one column: one of some values, or a number in a range.

    Parameters
    ----------
    column : str
    values : tuple of str
        The values that are wanted, or one alone. 1, 1.0 and ``1`` are one; F and f are two.
    low, high : float
        The range that is wanted, in the unit of the column, bounds included.
    strict : bool
        The bound itself is not wanted; of a range with one bound.
    excludes : bool
        The values are those that are not wanted. Without values: any value is wanted.
    missing : bool
        Patients whose value is missing are wanted too; without values and range, only these.
        Otherwise, and wherever `excludes` is true, they are left out.

    Notes
    -----
    A value that is open at a bound, such as ``89+``, lies in a range or not where that is certain
    whatever the number: ``89+`` is at least 60, and not below 40. Where it is not, as for at least
    92, it counts as missing. Asked for as a value, it is a value of its own.

    Raises
    ------
    InputError
        Where this asks for nothing, or for two things at once.

    Examples
    --------
    >>> Condition("sex", ("F",)).summary, Condition("age", low=60, high=80).summary
    ('sex = F', 'age = 60 to 80')
    >>> str(Condition("age", low=60, strict=True, missing=True))
    'age>60,missing'
    """

    column: str
    values: tuple[str, ...] = ()
    low: float = -inf
    high: float = inf
    strict: bool = False
    excludes: bool = False
    missing: bool = False

    def __post_init__(self) -> None:
        given: object = self.values
        several = (given,) if isinstance(given, str | int | float) else self.values
        values = tuple(sorted({value_words(value) for value in several}))
        canonical = {
            "values": values,
            "low": float(self.low),
            "high": float(self.high),
            "missing": self.missing and not self.excludes,
        }
        for name, value in canonical.items():
            object.__setattr__(self, name, value)
        if problem := self._fault():
            raise InputError(self.column or "condition", problem, "ask one thing of a column")

    def _fault(self) -> str:
        bounds = (self.low > -inf) + (self.high < inf)
        if not self.column.strip():
            return "a condition names no column"
        if isnan(self.low) or isnan(self.high) or self.low == inf or self.high == -inf:
            return "a bound is no number"
        if self.low > self.high:
            return f"{_span(self)} is no range, its first bound is the larger"
        if bounds and (self.values or self.excludes):
            return "a range and values are asked for at once"
        if self.strict and bounds != 1:
            return "strict belongs to a range with one bound"
        if any(is_missing(value) for value in self.values):
            return "a missing value is asked for by its word"
        nothing = not (bounds or self.values or self.excludes or self.missing)
        return "no value and no range is asked for" if nothing else ""

    @property
    def is_range(self) -> bool:
        """Whether numbers are compared."""
        return self.low > -inf or self.high < inf

    @property
    def summary(self) -> str:
        """The condition in words, such as ``sex = F``."""
        known = (
            self._values_in_words()
            if not self.is_range
            else _range_words(self, self.column, " ", " to ")
        )
        gap = f"{self.column} missing"
        return " or ".join([*([known] if known else []), *([gap] if self.missing else [])])

    def _values_in_words(self) -> str:
        listed = ", ".join(self.values) if self.excludes else " or ".join(self.values)
        if not self.values:
            return f"{self.column} not missing" if self.excludes else ""
        if self.excludes and len(self.values) > 1:
            return f"{self.column} none of {listed}"
        return f"{self.column} {'!=' if self.excludes else '='} {listed}"

    def __str__(self) -> str:
        """The condition as `parse_condition` reads it."""
        column = self.column
        if set(column) & _NOT_PLAIN or column[0] == '"':
            column = _in_quotes(column)
        if self.is_range:
            return _range_words(self, column, "", "..") + (",missing" if self.missing else "")
        asked = [_quoted(value) for value in self.values]
        if self.missing or not asked:
            asked.append("missing")
        return f"{column}{'!=' if self.excludes else '='}{','.join(asked)}"

    def is_met(self, cell: str) -> bool:
        """Whether a patient with this cell, empty where missing, is wanted."""
        if is_missing(cell):
            return self.missing
        if not self.is_range:
            return (value_words(cell) in self.values) != self.excludes
        number = number_of(cell)
        if number is None:
            is_within = self._within(cell)
            return self.missing if is_within is None else is_within
        if self.strict:
            return self.low < number < self.high
        return self.low <= number <= self.high

    def is_certain(self, cell: str) -> bool:
        """Whether a cell that is not missing tells if the patient is wanted."""
        return not self.is_range or number_of(cell) is not None or self._within(cell) is not None

    def _within(self, cell: str) -> bool | None:
        """Whether a value that is no number lies in the range; None where nobody knows."""
        found = open_value(cell)
        return False if found is None else found.lies_within(self.low, self.high, self.strict)

    def unknown_words(self, table: Participants, files: Sequence[str]) -> str:
        """How many of these are left out as nobody knows if they are wanted; empty if none is."""
        position = find_column(table, self.column)
        cells = [table.values_of(file)[position] for file in files]
        gaps, unclear = (
            sum(part) for part in (map(is_missing, cells), map(self._is_unclear, cells))
        )
        if self.missing or not gaps + unclear:
            return ""
        why = " or ".join(["missing"] * bool(gaps) + ["not certain"] * bool(unclear))
        return f"{gaps + unclear:,} left out only because {self.column} is {why}"

    def unmet_files(self, table: Participants, files: Sequence[str]) -> set[str]:
        """Files of patients who have a value that is not wanted, for sure."""
        position = find_column(table, self.column)
        cells = {file: table.values_of(file)[position] for file in files}
        return {
            file
            for file, cell in cells.items()
            if not (is_missing(cell) or self._is_unclear(cell) or self.is_met(cell))
        }

    def _is_unclear(self, cell: str) -> bool:
        return not is_missing(cell) and not self.is_certain(cell)

    def ask(self, table: Participants, files: Sequence[str]) -> RestrictionResult:
        """Which of these files belong to patients who do not meet the condition.

        Parameters
        ----------
        table : Participants
        files : sequence of str
            Paths below the cohort's folder.

        Raises
        ------
        InputError
            Where the table has no such column, where numbers are asked of a column of words, or
            where nobody in the whole table has a value that is wanted.
        """
        position = find_column(table, self.column)
        everybody = describe_column(table, position, whole_column(table, position))
        note = self._check(table, position, everybody)
        cells = [table.values_of(file)[position] for file in files]
        unmet = {
            file: self._reason(cell)
            for file, cell in zip(files, cells, strict=True)
            if not self.is_met(cell)
        }
        gaps = sum(not cell for cell in cells)
        notes = (self._count(len(unmet), len(files), gaps), *self._say_open(cells), *note)
        return RestrictionResult(unmet, notes, describe_column(table, position, cells).summary)

    def _reason(self, cell: str) -> str:
        """The same for all: what a patient's value is must not spread to other files."""
        why = "value missing" if not cell else "not met" if self.is_certain(cell) else "not certain"
        return f"left out, {why}: {self.summary}"

    def _count(self, unmet: int, total: int, gaps: int) -> str:
        said = f"{self.summary}: {unmet:,} of {total:,} patients left out"
        if not gaps:
            return said
        why = (
            "kept whose value is missing"
            if self.missing
            else "of them because the value is missing"
        )
        return f"{said}, {gaps:,} {why}"

    def _say_open(self, cells: Sequence[str]) -> tuple[str, ...]:
        """How values that are open at a bound were read, and how many patients have them."""
        if not self.is_range:
            return ()
        found = Counter(cell for cell in cells if cell and number_of(cell) is None)
        return tuple(self._say_one_open(cell, number) for cell, number in sorted(found.items()))

    def _say_one_open(self, cell: str, number: int) -> str:
        value = open_value(cell)
        known = cell if value is None else f"{cell} is read as {value.summary}"
        of = f"{number:,} {'patient has' if number == 1 else 'patients have'} it"
        if self.is_certain(cell):
            return f"{self.summary}: {known}; {of}"
        return f"{self.summary}: {known}, which does not tell and counts as missing; {of}"

    def _check(self, table: Participants, position: int, everybody: Column) -> tuple[str, ...]:
        """A note where the condition does nothing; an error where it cannot be meant."""
        if self.is_range:
            if everybody.counts and not is_numeric(table, position):
                words = [value for value, _ in everybody.counts if number_of(value) is None]
                word = next((one for one in words if open_value(one) is None), words[0])
                problem = f"{self.summary} compares numbers, and {self.column} holds {word!r}"
                raise InputError(table.path, problem, f"ask for values: {everybody.summary}")
            return ()
        known = dict(everybody.counts)
        unknown = [value for value in self.values if value not in known]
        if not unknown:
            return ()
        if self.excludes:
            return (f"{self.summary}: nobody has {self.column} = {unknown[0]} anyway",)
        remedy = did_you_mean(unknown[0], known) if everybody.kind == "category" else ""
        problem = f"nobody in it has {self.column} = {unknown[0]}"
        raise InputError(table.path, problem, remedy or everybody.summary)


def _range_words(condition: Condition, column: str, gap: str, to: str) -> str:
    """A range with one bound or two."""
    low, high = condition.low, condition.high
    if low > -inf and high < inf:
        return f"{column}{gap}={gap}{value_words(low)}{to}{value_words(high)}"
    sign = (">" if low > -inf else "<") + ("" if condition.strict else "=")
    return f"{column}{gap}{sign}{gap}{value_words(low if low > -inf else high)}"


def _span(condition: Condition) -> str:
    return f"{value_words(condition.low)}..{value_words(condition.high)}"


def _quoted(value: str) -> str:
    """A value that means itself, whatever signs it holds."""
    if value[0] in SIGNS or set(value) & set('",') or RANGE.fullmatch(value):
        return _in_quotes(value)
    return value


def _in_quotes(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


# Conditions as they are written on the command line.


_PARTS = re.compile(r'("(?:[^"]|"")*"\s*|[^=<>!≥≤≠]+)(>=|<=|!=|==?|[><≥≤≠])(.*)', re.DOTALL)
_SAME_SIGNS = {"≥": ">=", "≤": "<=", "≠": "!=", "==": "="}
_FORMS = "write sex=F, sex!=F, group=A,B, age>=60, age=60..80 or nihss=missing"
_SHELL = "in quotes, as a shell takes > and < for itself"


def parse_conditions(conditions: Iterable[str | Condition]) -> tuple[Condition, ...]:
    """Read several conditions, all of which a patient must meet.

    Parameters
    ----------
    conditions : iterable of str or Condition

    Examples
    --------
    >>> [one.summary for one in parse_conditions(["sex=F", "age>=60"])]
    ['sex = F', 'age >= 60']
    """
    texts = [conditions] if isinstance(conditions, str) else conditions
    return tuple(one if isinstance(one, Condition) else parse_condition(one) for one in texts)


def parse_condition(text: str) -> Condition:
    """Read a condition on a column of the participants table.

    Parameters
    ----------
    text : str
        ``sex=F``, ``group=A,B`` (either), ``sex!=F``; ``age>=60``, ``age<60``, ``age=60..80``
        (bounds included); ``nihss=missing``, ``nihss!=missing``, ``age>=60,missing`` (those
        whose age is missing too). A value with a comma stands in double quotes.

    Raises
    ------
    InputError
        Where the text is none of these.

    Examples
    --------
    >>> parse_condition("age=60..80").low, parse_condition("sex=M,F").values
    (60.0, ('F', 'M'))
    """
    found = _PARTS.fullmatch(text.strip())
    if not found or not found[1].strip():
        raise InputError(text or "''", "is no condition", f"{_FORMS}, {_SHELL}")
    column, asked = _unquoted(found[1].strip()), found[3].strip()
    sign = _SAME_SIGNS.get(found[2], found[2])
    if asked[:1] and asked[0] in SIGNS:
        raise InputError(text, f"{sign + asked[0]!r} is no sign", _FORMS)
    is_span = RANGE.fullmatch(_split_gap(asked)[0]) is not None
    if is_span and sign == "!=":
        raise InputError(text, "a range cannot be excluded", "ask for what is below or above it")
    if sign != "!=" and (sign != "=" or is_span):
        return _range(text, column, sign, asked)
    values = [value.strip() for value in _split(text, asked)]
    if "" in values:
        raise InputError(text, "a value is empty", "write missing for those without a value")
    present = tuple(value for value in values if not is_missing(value))
    has_gap = len(present) < len(values)
    return Condition(column, present, excludes=sign == "!=", missing=has_gap)


def _unquoted(column: str) -> str:
    """A name that stands in double quotes, as it holds one of the signs."""
    if len(column) > 1 and column[0] == column[-1] == '"':
        return column[1:-1].replace('""', '"')
    return column


def _split(text: str, asked: str) -> list[str]:
    """The values between commas, those in double quotes as they are."""
    try:
        return next(csv.reader([asked], skipinitialspace=True), []) or [""]
    except csv.Error as error:
        raise InputError(text, f"is no condition ({error})", _FORMS) from None


def _split_gap(asked: str) -> tuple[str, bool]:
    """A range without the word ``missing`` behind it, and whether it was there."""
    first, comma, last = asked.rpartition(",")
    return (first, True) if comma and is_missing(last) and last.strip() else (asked, False)


def _range(text: str, column: str, sign: str, asked: str) -> Condition:
    bounds, missing = _split_gap(asked)
    span = RANGE.fullmatch(bounds) if sign == "=" else None
    numbers = [_number(text, part) for part in (span.groups() if span else (bounds,))]
    low, high = (numbers[0], numbers[-1]) if span else (numbers[0], inf)
    if sign[0] == "<":
        low, high = -inf, numbers[0]
    return Condition(column, low=low, high=high, strict=sign in "<>", missing=missing)


def _number(text: str, part: str) -> float:
    number = number_of(part)
    if number is None:
        raise InputError(text, f"{part!r} is no number", _FORMS)
    return number


# What is left to be asked of a cohort on which conditions are set already.


def remaining_columns(
    cohort: CohortBase, conditions: Iterable[Condition | str]
) -> tuple[Column, ...]:
    """Every column, counted among the patients whom the conditions on the other columns leave.

    So each count is the number of patients there would be if its value were all that is asked of
    its column.

    Parameters
    ----------
    cohort : Cohort or CohortListing
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


# Part of a cohort that was read.


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


def restriction_words(cohort: CohortBase, conditions: Iterable[Condition | str]) -> str:
    """The conditions in words, with how many patients they leave out for want of a value alone.

    A patient whom another condition leaves out for sure is not counted.

    Parameters
    ----------
    cohort : Cohort or CohortListing
        The whole, with a participants table.
    conditions : iterable of Condition or str

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> restriction_words(load_cohort("sample_data/cohort_a"), ["sex=F", "age>=60"])
    'age >= 60, sex = F; 1 left out only because age is missing'
    """
    ordered = sorted(set(parse_conditions(conditions)), key=lambda one: (one.summary, str(one)))
    table, files = cohort.participants, [patient.file for patient in cohort.used]
    said = [", ".join(one.summary for one in ordered)]
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
