"""Text of a report: numbers with units, lists, and who is in a cohort.

Volumes have two decimals of a mL, about a voxel of 2 mm; shares have one decimal of a per cent;
voxels and patients are whole, in thousands with a comma. So the decimals of a column line up, which
those of the dashboard's volumes do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Any

from ..cohort.cells import number_of, value_text
from ..cohort.columns import Column, describe_columns, with_unit
from ..cohort.conditions import Condition
from ..cohort.participants import Units
from ..core.formats import MISSING, PERCENT, Format, decimals_of
from ..plotting.figures import ML
from .findings import Findings, Side

_VOLUME = Format(decimals=2, most=2, below=True)


def fixed(value: float, decimals: int, plus: bool = False) -> str:
    """A number with so many decimals.

    Examples
    --------
    >>> fixed(1234.56, 1), fixed(-0.01, 1), fixed(5, 1, plus=True), fixed(float("nan"), 1)
    ('1,234.6', '0.0', '+5.0', '–')
    """
    if value != value:
        return MISSING
    rounded = round(value, decimals) + 0.0  # and no -0
    return f"{rounded:{'+' if plus and rounded else ''},.{decimals}f}"


def ml(mm3: float) -> str:
    """A volume in mL, without the unit.

    Examples
    --------
    >>> ml(23140.0), ml(200544), ml(1), ml(0)
    ('23.14', '200.54', '< 0.01', '0.00')
    """
    return _VOLUME.text(mm3 / ML)


def share(value: float) -> str:
    """A share in per cent, with the unit where it is known.

    Examples
    --------
    >>> share(41.32), share(float("nan"))
    ('41.3 %', '–')
    """
    return PERCENT.with_unit(value)


def round_number(value: float) -> str:
    """The end of a scale, which is a round number.

    Examples
    --------
    >>> round_number(150.0), round_number(2.5), round_number(1200)
    ('150', '2.5', '1,200')
    """
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def point(mm: Sequence[float]) -> str:
    """A place in mm.

    Examples
    --------
    >>> point((-26.0, 0.0, 8.0)), point((-26.0, 0.0, 8.5))
    ('(-26, 0, 8)', '(-26.0, 0.0, 8.5)')
    """
    decimals = decimals_of(mm, limit=1)
    return f"({', '.join(fixed(value, decimals) for value in mm)})"


_MAX_COUNTED = 7
"""A column of more different values is not counted value by value; arbitrary, about one line."""

_MIN_FOR_MEDIAN = 3
"""A column of fewer different values is a yes or no written as numbers: its median says nothing."""

_SEX = "sex"
_SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}
"""How BIDS writes them."""

Decimals = tuple[int, int]
"""Of the lowest and highest value, which are as the table has them, and of what lies between."""


def column_rows(findings: Findings) -> list[list[str]]:
    """A row for each column of the tables, a cell for each cohort."""
    tables = [
        {column.name: column for column in describe_columns(side.cohort)} for side in findings.sides
    ]
    names = dict.fromkeys(name for columns in tables for name in columns)
    return [_row(name, [columns.get(name) for columns in tables]) for name in names]


def age_summary(findings: Findings, side: Side) -> str:
    """The age of the patients of a cohort for a paper; empty where the table does not say."""
    ages = [_column_named("age", each) for each in findings.sides]
    own = _column_named("age", side)
    if own is None or not _has_numbers(own):
        return ""
    low, lower, median, upper, high = _quantile_texts(own, _decimals(ages))
    missing = f"; {own.missing:,} missing" if own.missing else ""
    spread = f"(quartiles {lower} and {upper}, range {low} to {high}{missing})"
    return " ".join(filter(None, (median, own.unit, spread)))


def sex_summary(side: Side) -> str:
    """How many patients of a cohort have which sex; empty where the table does not say."""
    own = _column_named(_SEX, side)
    if own is None or not own.counts or len(own.counts) > _MAX_COUNTED:
        return ""
    total = sum(count for _, count in own.counts)
    parts = [
        f"{count:,} {sex_of(value)} ({share(100 * count / total)})" for value, count in own.counts
    ]
    return ", ".join([*parts, *([f"{own.missing:,} missing"] if own.missing else [])])


def sex_of(value: str) -> str:
    """The name of a value of the column sex, where it is coded as BIDS does.

    Examples
    --------
    >>> sex_of("F"), sex_of("2")
    ('female', '2')
    """
    return _SEXES.get(value.casefold(), value)


def condition_label(condition: Condition, units: Units) -> str:
    """A condition as it was written, with the unit where that is known.

    Examples
    --------
    >>> condition_label(Condition("age", low=60), Units())
    'age >= 60 years'
    >>> condition_label(Condition("sex", ("F",)), Units())
    'sex = F'
    """
    unit = units.of(condition.column)
    has_unit = unit and condition.is_range and not condition.missing
    return f"{condition.summary} {unit}" if has_unit else condition.summary


def criteria(findings: Findings) -> dict[str, Any]:
    """Inclusion criteria as text: ``common`` to all cohorts, and of ``a`` and ``b`` alone."""
    own = {
        side.letter: [
            criterion(condition, side.cohort.units)
            for condition in findings.request.conditions(side.letter)
        ]
        for side in findings.sides
    }
    common = [text for text in own["a"] if all(text in texts for texts in own.values())]
    only = {letter: [text for text in texts if text not in common] for letter, texts in own.items()}
    return {"common": common, **only}


def criterion(condition: Condition, units: Units) -> str:
    """A condition for a paper, to stand behind "patients with".

    Examples
    --------
    >>> criterion(Condition("age", low=60), Units({"age": "months"}))
    'age of at least 60 months'
    >>> criterion(Condition("sex", ("F",)), Units())
    'female sex'
    >>> criterion(Condition("group", "A", excludes=True), Units())
    'group other than A'
    """
    known = _range_text(condition, units) if condition.is_range else _values_text(condition)
    gap = f"{condition.column} missing" if condition.missing else ""
    return " or ".join(filter(None, (known, gap)))


def _range_text(condition: Condition, units: Units) -> str:
    name, unit = condition.column, units.of(condition.column)
    low, high = value_text(condition.low), value_text(condition.high)
    if "inf" not in (low, high) and "-inf" not in (low, high):
        text = f"{name} from {low} to {high}"
    elif high == "inf":
        text = f"{name} {'above' if condition.strict else 'of at least'} {low}"
    else:
        text = f"{name} {'below' if condition.strict else 'of at most'} {high}"
    return f"{text} {unit}".rstrip()


def _values_text(condition: Condition) -> str:
    name, values = condition.column, condition.values
    if not values:
        return f"{name} known" if condition.excludes else ""
    if condition.excludes:
        return f"{name} other than {' or '.join(values)}"
    if name.casefold() == _SEX and all(value.casefold() in _SEXES for value in values):
        return f"{' or '.join(map(sex_of, values))} {name}"
    return f"{name} {' or '.join(values)}"


def _column_named(name: str, side: Side) -> Column | None:
    columns = describe_columns(side.cohort)
    return next((column for column in columns if column.name.casefold() == name), None)


def _row(name: str, columns: Sequence[Column | None]) -> list[str]:
    decimals = _decimals(columns)
    units = {column.unit for column in columns if column is not None}
    shared = units.pop() if len(units) == 1 else ""
    cells = [
        with_unit(_cell(column, decimals), "" if shared else column.unit)
        if column
        else "no such column"
        for column in columns
    ]
    return [with_unit(name, shared), *cells]


def _cell(column: Column, decimals: Decimals) -> str:
    parts = []
    if _has_numbers(column) and len(column.counts) >= _MIN_FOR_MEDIAN:
        low, lower, median, upper, high = _quantile_texts(column, decimals)
        number = sum(count for _, count in column.counts)
        parts.append(f"{median} ({lower} and {upper}; {low} to {high}), n = {number:,}")
    parts.append(_counts(column) if column.counts else "")
    parts.append(f"missing: {column.missing:,}" if column.missing else "")
    return "; ".join(filter(None, parts))


def _counts(column: Column) -> str:
    total = sum(count for _, count in column.counts)
    if len(column.counts) > _MAX_COUNTED:
        return "" if column.kind == "number" else f"{len(column.counts):,} different values"
    return ", ".join(
        f"{value_text(value)}: {count:,} ({share(100 * count / total)})"
        for value, count in column.counts
    )


def _has_numbers(column: Column) -> bool:
    return column.kind == "number" and len(column.counts) > 0


def _decimals(columns: Sequence[Column | None]) -> Decimals:
    """The same for all that stands in a row."""
    quantiles = [_quantiles(column) for column in columns if column and _has_numbers(column)]
    ends = [value for five in quantiles for value in (five[0], five[-1])]
    between = [value for five in quantiles for value in five[1:-1]]
    of_ends, of_between = (
        decimals_of(value for value in values if not isinstance(value, str))
        for values in (ends, between)
    )
    return of_ends, of_between


def _quantile_texts(column: Column, decimals: Decimals) -> list[str]:
    of_ends, between = decimals
    return [
        value if isinstance(value, str) else fixed(value, places)
        for value, places in zip(
            _quantiles(column), (of_ends, between, between, between, of_ends), strict=True
        )
    ]


def _quantiles(column: Column) -> list[float | str]:
    """Order statistics: a value open at a bound, such as ``89+``, has its place in the order."""
    values = [value for value, count in column.counts for _ in range(count)]
    return [_quantile(values, part / 4) for part in range(5)]


def _quantile(values: Sequence[str], fraction: float) -> float | str:
    """Of values in rising order; between two numbers, or the lower one where one is open."""
    place = fraction * (len(values) - 1)
    below, above = values[floor(place)], values[ceil(place)]
    low, high = number_of(below), number_of(above)
    if low is None or high is None:
        return below
    return low + (high - low) * (place - floor(place))
