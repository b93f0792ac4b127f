"""Conditions on columns of the participants table, and the part of a cohort that meets them."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, isnan

from ..core.errors import InputError
from ..core.notes import InfoNote
from ..core.text import did_you_mean, enumerated
from ..files.paths import AnyPath
from .cells import is_missing, number_of, value_text
from .cohort import ALONE, Cohort, CohortListing
from .columns import (
    Column,
    describe_column,
    find_column,
    open_value,
    whole_column,
)
from .participants import Participants

_OPERATORS = "=<>!"
_NOT_PLAIN = frozenset(_OPERATORS + "≥≤≠")
_RANGE = re.compile(r'\s*([^\s,"]+?)\s*\.\.\s*([^\s,"]+)\s*')
_PARTS = re.compile(r'("(?:[^"]|"")*"\s*|[^=<>!≥≤≠]+)(>=|<=|!=|==?|[><≥≤≠])(.*)', re.DOTALL)
_SAME_OPERATORS = {"≥": ">=", "≤": "<=", "≠": "!=", "==": "="}
_FORMS = "write sex=F, sex!=F, group=A,B, age>=60, age=60..80 or nihss=missing"
_SHELL = "in quotes, as a shell takes > and < for itself"


@dataclass(frozen=True)
class Condition:
    """What a patient must have in one column: one of some values, or a number in a range.

    Parameters
    ----------
    column : str
    values : tuple of str
        The values that are included, or one alone. 1, 1.0 and ``1`` are one; F and f are two.
    low, high : float
        The range that is included, in the unit of the column, with its bounds.
    strict : bool
        The bound itself is not included; of a range with one bound.
    excludes : bool
        The values are excluded instead. Without values: any value is included.
    missing : bool
        Patients whose value is missing are included too; without values and range, only these.
        Otherwise, and wherever `excludes` is true, they are excluded.

    Notes
    -----
    A value that is open at a bound, such as ``89+``, lies in a range or not where that is certain
    whatever the number: ``89+`` is at least 60, and not below 40. Where it is not, as for at least
    92, it counts as missing. Given as a value, it is a value of its own.

    Raises
    ------
    InputError
        Where the condition is empty, or has both a range and values.

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
        canonical = {
            "values": tuple(sorted({value_text(value) for value in several})),
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
            return "a bound is not a number"
        if self.low > self.high:
            span = f"{value_text(self.low)}..{value_text(self.high)}"
            return f"{span} is not a range, its first bound is the larger"
        if bounds and (self.values or self.excludes):
            return "a range and values are given at once"
        if self.strict and bounds != 1:
            return "strict belongs to a range with one bound"
        if any(is_missing(value) for value in self.values):
            return "a missing value is given as text"
        nothing = not (bounds or self.values or self.excludes or self.missing)
        return "no value and no range is given" if nothing else ""

    @property
    def is_range(self) -> bool:
        """Whether numbers are compared."""
        return self.low > -inf or self.high < inf

    @property
    def summary(self) -> str:
        """The condition in a sentence, such as ``sex = F``."""
        known = self._range(self.column, " ", " to ") if self.is_range else self._values
        return " or ".join(filter(None, [known, f"{self.column} missing" if self.missing else ""]))

    @property
    def _values(self) -> str:
        if not self.values:
            return f"{self.column} not missing" if self.excludes else ""
        if not self.excludes:
            return f"{self.column} = {' or '.join(self.values)}"
        operator = "none of" if len(self.values) > 1 else "!="
        return f"{self.column} {operator} {', '.join(self.values)}"

    def _range(self, column: str, gap: str, to: str) -> str:
        low, high = value_text(self.low), value_text(self.high)
        if self.low > -inf and self.high < inf:
            return f"{column}{gap}={gap}{low}{to}{high}"
        operator, bound = (">", low) if self.low > -inf else ("<", high)
        return f"{column}{gap}{operator}{'' if self.strict else '='}{gap}{bound}"

    def __str__(self) -> str:
        """The condition as `parse_condition` reads it."""
        column = self.column
        if set(column) & _NOT_PLAIN or column[0] == '"':
            column = _in_quotes(column)
        if self.is_range:
            return self._range(column, "", "..") + (",missing" if self.missing else "")
        values = [_quoted(value) for value in self.values]
        if self.missing or not values:
            values.append("missing")
        return f"{column}{'!=' if self.excludes else '='}{','.join(values)}"

    def is_met(self, cell: str) -> bool:
        """Whether a patient with this cell, empty where missing, is included."""
        if is_missing(cell):
            return self.missing
        if not self.is_range:
            return (value_text(cell) in self.values) != self.excludes
        is_within = self._lies_within(cell)
        return self.missing if is_within is None else is_within

    def is_certain(self, cell: str) -> bool:
        """Whether a cell that is not missing tells if the patient is included."""
        return not self.is_range or self._lies_within(cell) is not None

    def _lies_within(self, cell: str) -> bool | None:
        """Whether a value lies in the range; None where one that is open at a bound may or not."""
        number = number_of(cell)
        if number is not None:
            return self.low <= number <= self.high and not (
                self.strict and number in (self.low, self.high)
            )
        value = open_value(cell)
        return False if value is None else value.lies_within(self.low, self.high, self.strict)

    def exclusions(self, table: Participants, files: Sequence[str]) -> Exclusions:
        """Which of these files, paths below the cohort's folder, do not meet the condition.

        Raises
        ------
        InputError
            Where the table has no such column, where numbers are compared with a column of
            categories, or where no patient of the table has one of the values.
        """
        position = find_column(table, self.column)
        whole = describe_column(table, position, whole_column(table, position))
        check = self._check(table, whole)
        cells = {file: table.values_of(file)[position] for file in files}
        # The same reason for all: what a patient's value is must not spread to other files.
        reasons = {}
        for file, cell in cells.items():
            if not self.is_met(cell):
                known = "not met" if self.is_certain(cell) else "not certain"
                reasons[file] = f"excluded, {known if cell else 'value missing'}: {self.summary}"
        count: str = InfoNote(
            f"{self.summary}: {len(reasons):,} of {len(files):,} patients excluded"
        )
        if gaps := sum(not cell for cell in cells.values()):
            included = f"{gaps:,} included whose value is missing"
            excluded = f"{gaps:,} of them because the value is missing"
            count += f", {included if self.missing else excluded}"
        notes = (count, *self._notes_on_open_values(cells.values()), *check)
        return Exclusions(reasons, notes, self.summary)

    def _notes_on_open_values(self, cells: Iterable[str]) -> list[str]:
        """How values that are open at a bound were read, and how many patients have them."""
        if not self.is_range:
            return []
        notes = []
        counts = Counter(cell for cell in cells if cell and number_of(cell) is None)
        for cell, number in sorted(counts.items()):
            value = open_value(cell)
            known = cell if value is None else f"{cell} is read as {value.summary}"
            unclear = "" if self.is_certain(cell) else ", ambiguous, treated as missing"
            patients = "patient has" if number == 1 else "patients have"
            notes.append(f"{self.summary}: {known}{unclear}; {number:,} {patients} it")
        return notes

    def _check(self, table: Participants, column: Column) -> tuple[str, ...]:
        """A note where the condition does nothing; an error where it cannot be meant."""
        if self.is_range:
            if column.counts and column.kind != "number":
                values = [value for value, _ in column.counts if number_of(value) is None]
                example = next((value for value in values if open_value(value) is None), values[0])
                problem = f"{self.summary} compares numbers, and {self.column} holds {example!r}"
                total, odd = sum(count for _, count in column.counts), dict(column.counts)[example]
                few = f"empty the {odd} of {total} cells, or " if values == [example] else ""
                raise InputError(table.path, problem, f"{few}ask for values: {column.summary}")
            return ()
        known = dict(column.counts)
        unknown = [value for value in self.values if value not in known]
        if not unknown:
            return ()
        if self.excludes:
            return (f"{self.summary}: no patient has {self.column} = {unknown[0]}",)
        remedy = did_you_mean(unknown[0], known) if column.kind == "category" else ""
        problem = f"no patient in it has {self.column} = {unknown[0]}"
        raise InputError(table.path, problem, remedy or column.summary)


def _quoted(value: str) -> str:
    """A value that means itself, whatever characters it holds."""
    if value[0] in _OPERATORS or set(value) & set('",') or _RANGE.fullmatch(value):
        return _in_quotes(value)
    return value


def _in_quotes(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def parse_conditions(conditions: Iterable[str | Condition]) -> tuple[Condition, ...]:
    """Read several conditions, all of which a patient must meet.

    Parameters
    ----------
    conditions : iterable of str or Condition, or a single one

    Examples
    --------
    >>> [condition.summary for condition in parse_conditions(["sex=F", "age>=60"])]
    ['sex = F', 'age >= 60']
    """
    one: object = conditions
    if isinstance(one, str | Condition):
        several: list[str | Condition] = [one]
    elif isinstance(one, Iterable):
        several = [*one]
    else:
        raise InputError(str(one), "is not a condition", f"{_FORMS}, {_SHELL}")
    for each in several:
        if not isinstance(each, (str, Condition)):
            raise InputError(str(each), "is not a condition", f"{_FORMS}, {_SHELL}")
    return tuple(parse_condition(each) if isinstance(each, str) else each for each in several)


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
        Where the text has another form.

    Examples
    --------
    >>> parse_condition("age=60..80").low, parse_condition("sex=M,F").values
    (60.0, ('F', 'M'))
    """
    parts = _PARTS.fullmatch(text.strip())
    if not parts or not parts[1].strip():
        raise InputError(text or "''", "is not a condition", f"{_FORMS}, {_SHELL}")
    column, operator, operand = parts[1].strip(), parts[2], parts[3].strip()
    if len(column) > 1 and column[0] == column[-1] == '"':
        column = column[1:-1].replace('""', '"')
    operator = _SAME_OPERATORS.get(operator, operator)
    if operand[:1] and operand[0] in _OPERATORS:
        raise InputError(text, f"{operator + operand[0]!r} is not an operator", _FORMS)
    bounds, has_gap = _split_gap(operand)
    span = _RANGE.fullmatch(bounds)
    if span and operator == "!=":
        raise InputError(text, "a range cannot be excluded", "ask for what is below or above it")
    if operator == "=" and span:
        low, high = (_number(text, bound) for bound in span.groups())
        return Condition(column, low=low, high=high, missing=has_gap)
    if operator[0] in "<>":
        bound = _number(text, bounds)
        low, high = (bound, inf) if operator[0] == ">" else (-inf, bound)
        return Condition(column, low=low, high=high, strict=operator in "<>", missing=has_gap)
    values = _split_values(text, operand)
    present = tuple(value for value in values if not is_missing(value))
    return Condition(column, present, excludes=operator == "!=", missing=len(present) < len(values))


def _split_values(text: str, operand: str) -> list[str]:
    """The values between commas, those in double quotes as they are."""
    try:
        values = next(csv.reader([operand], skipinitialspace=True), []) or [""]
    except csv.Error as error:
        raise InputError(text, f"is not a condition ({error})", _FORMS) from None
    values = [value.strip() for value in values]
    if "" in values:
        raise InputError(text, "a value is empty", "write missing for those without a value")
    return values


def _split_gap(operand: str) -> tuple[str, bool]:
    """A range without the word ``missing`` behind it, and whether it was there."""
    first, comma, last = operand.rpartition(",")
    return (first, True) if comma and is_missing(last) and last.strip() else (operand, False)


def _number(text: str, part: str) -> float:
    number = number_of(part)
    if number is None:
        raise InputError(text, f"{part!r} is not a number", _FORMS)
    return number


@dataclass(frozen=True)
class Exclusions:
    """Who is excluded by a condition, or by several together.

    Parameters
    ----------
    reasons : dict
        File to the reasons.
    notes : tuple of str
        How many patients are excluded, and how many of them because their value is missing.
    summary : str
        The conditions in a sentence, empty where there is none.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    summary: str = ""

    def name(self, cohort: str) -> str:
        """The name of a cohort with its conditions.

        Examples
        --------
        >>> Exclusions(summary="age >= 60, sex = F").name("cohort_a")
        'cohort_a, age >= 60, sex = F'
        """
        return f"{cohort}, {self.summary}" if self.summary else cohort


def exclude_patients(
    where: Iterable[Condition | str],
    table: Participants | None,
    files: Sequence[str],
    folder: AnyPath,
    notes: Sequence[str] = (),
) -> Exclusions:
    """Which of these files do not belong to patients who meet all conditions, in any order.

    The same function answers before a mask is read and for a cohort in memory, so that both ways
    read the table alike. A file that is excluded unread is not found faulty, though, and has no
    say in which grid the cohort is on.

    Parameters
    ----------
    where : iterable of Condition or str
    table : Participants or None
    files : sequence of str
        Paths below the folder.
    folder : Path or UrlPath
    notes : sequence of str
        On the table, or why there is none: details of an error.

    Raises
    ------
    InputError
        Where there is no table, or nobody is left.
    """
    conditions = _ordered(where)
    if not conditions:
        return Exclusions()
    if table is None:
        problem = f"has no participants table that could answer {conditions[0].summary!r}"
        remedy = "put participants.tsv there or in the folder above, or name a table"
        raise InputError(folder, problem, remedy, tuple(notes))
    parts = {condition: condition.exclusions(table, files) for condition in conditions}
    reasons: dict[str, list[str]] = {}
    for part in parts.values():
        for file, reason in part.reasons.items():
            reasons.setdefault(file, []).append(reason)
    if files and len(reasons) == len(files):
        raise _nobody_left(folder, parts, table, files, notes)
    counts = [note for part in parts.values() for note in part.notes]
    if len(parts) > 1:
        counts.append(InfoNote(f"{len(reasons):,} of {len(files):,} patients excluded in all"))
    joined = {file: "; ".join(several) for file, several in reasons.items()}
    return Exclusions(joined, tuple(counts), ", ".join(part.summary for part in parts))


def _ordered(conditions: Iterable[Condition | str]) -> list[Condition]:
    """Each condition once, in an order that does not depend on the one given."""
    return sorted(set(parse_conditions(conditions)), key=lambda each: (each.summary, str(each)))


def _nobody_left(
    folder: AnyPath,
    parts: Mapping[Condition, Exclusions],
    table: Participants,
    files: Sequence[str],
    notes: Sequence[str],
) -> InputError:
    """The error, about one condition where that excludes everybody by itself."""
    alone = [each for each, part in parts.items() if len(part.reasons) == len(files)]
    conditions = alone[:1] or [*parts]
    summaries = " and ".join(each.summary for each in conditions)
    problem = f"no patient matches: none of {len(files):,} meets {summaries}"
    values = [table.values_of(file) for file in files]
    columns = {each.column: find_column(table, each.column) for each in conditions}
    remedies = [
        describe_column(table, position, [row[position] for row in values]).summary
        for position in columns.values()
    ]
    details = (*notes, *(note for each in conditions for note in parts[each].notes))
    return InputError(folder, problem, "; ".join(remedies), details)


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
        Where a condition does not fit the table, or nobody meets them all.

    See Also
    --------
    load_cohort : With `where`, the files of the others are not even opened.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> women = restrict_cohort(load_cohort("sample_data/cohort_a"), ["sex=F", "age>=60"])
    >>> women.name, women.n_patients
    ('cohort_a, age >= 60, sex = F', 12)
    >>> women.notes[0]
    'age >= 60: 15 of 40 patients excluded, 2 of them because the value is missing'
    """
    where = parse_conditions(conditions)
    if not where:
        return cohort
    files = [patient.file for patient in cohort.used]
    exclusions = exclude_patients(where, cohort.participants, files, cohort.folder)
    rows = [row for row, file in enumerate(files) if file not in exclusions.reasons]
    patients = tuple(
        patient
        if patient.status != "used" or patient.file not in exclusions.reasons
        else replace(
            patient,
            status="skipped",
            outcome="accept",
            reasons=(exclusions.reasons[patient.file],),
            voxels=0,
            volume_mm3=0.0,
        )
        for patient in cohort.patients
    )
    notes = (*cohort.notes, *exclusions.notes, *([ALONE] if len(rows) == 1 else []))
    name = exclusions.name(cohort.name)
    return replace(cohort.select(rows), name=name, patients=patients, notes=notes)


def remaining_columns(
    cohort: CohortListing, conditions: Iterable[Condition | str]
) -> tuple[Column, ...]:
    """Every column, counted among the patients whom the conditions on the other columns include.

    So each count is the number of patients there would be if its value were the only condition on
    its column. Columns are those of `describe_columns`; a condition on another one is an error.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> _, sex, *_ = remaining_columns(cohort, ["sex=F", "age>=60"])
    >>> sex.counts
    (('F', 12), ('M', 13))
    """
    table = cohort.participants
    if table is None:
        return ()
    rows = [table.values_of(patient.file) for patient in cohort.used]
    unmet: dict[int, set[int]] = {}  # by the position of a column, rows that it excludes
    for condition in _ordered(conditions):
        position = find_column(table, condition.column)
        out = {row for row, cells in enumerate(rows) if not condition.is_met(cells[position])}
        unmet[position] = unmet.get(position, set()) | out
    columns = []
    for position in range(len(table.columns)):
        out = set().union(*(others for column, others in unmet.items() if column != position))
        cells = [values[position] for row, values in enumerate(rows) if row not in out]
        columns.append(describe_column(table, position, cells))
    return tuple(columns)


def restriction_summary(cohort: CohortListing, conditions: Iterable[Condition | str]) -> str:
    """The conditions in a sentence, with how many patients they exclude for want of a value alone.

    A patient whom another condition excludes for certain is not counted.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> restriction_summary(load_cohort("sample_data/cohort_a"), ["sex=F", "age>=60"])
    'age >= 60, sex = F; 1 excluded only because age is missing'
    """
    ordered, table = _ordered(conditions), cohort.participants
    parts = [", ".join(condition.summary for condition in ordered)]
    if table is not None:
        rows = [table.values_of(patient.file) for patient in cohort.used]
        parts += _excluded_for_want(ordered, table, rows)
    return "; ".join(dict.fromkeys(filter(None, parts)))


def _excluded_for_want(
    conditions: Sequence[Condition], table: Participants, rows: Sequence[Sequence[str]]
) -> list[str]:
    """How many patients lack values and are excluded by that alone; each is counted once."""
    places = {condition: find_column(table, condition.column) for condition in conditions}
    counts: Counter[tuple[str, ...]] = Counter()
    reasons: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for row in rows:
        wanting: dict[str, str] = {}
        for condition, place in places.items():
            cell = row[place]
            if is_missing(cell) or not condition.is_certain(cell):
                if not condition.missing:
                    why = "missing" if is_missing(cell) else "not certain"
                    wanting[condition.column] = why
            elif not condition.is_met(cell):
                break
        else:
            if wanting:
                counts[tuple(wanting)] += 1
                reasons[tuple(wanting)] |= {*wanting.values()}
    return [
        f"{number:,} excluded only because {enumerated(columns)} "
        f"{'is' if len(columns) == 1 else 'are'} {' or '.join(sorted(reasons[columns]))}"
        for columns, number in counts.items()
    ]
