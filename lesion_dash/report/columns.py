"""What the participants table says of the patients: summed up, never one patient's values."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

from ..cohort import Units, number_of, value_words
from ..subgroups import Column, Condition, describe_columns, with_unit
from .findings import Findings, Side
from .quantities import decimals_of, fixed, percent_words

_FEW_VALUES = 7
"""So many different values of a column are counted one by one."""

_BINARY = 2
"""A column of so many values has no median worth telling, though they are numbers."""

Decimals = tuple[int, int]
"""Of the lowest and highest value, which are as the table has them, and of what lies between."""

_NO_COLUMN = "no such column"

_SEX = "sex"
_SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}
"""How BIDS writes them."""


def column_rows(findings: Findings) -> list[list[str]]:
    """A row for each column of the tables, a cell for each cohort."""
    described = [describe_columns(side.cohort) for side in findings.sides]
    names = list(dict.fromkeys(column.name for columns in described for column in columns))
    found = [{column.name: column for column in columns} for columns in described]
    return [_row(name, [columns.get(name) for columns in found]) for name in names]


def age_words(findings: Findings, side: Side) -> str:
    """The age of the patients of a cohort for a paper; empty where the table does not say."""
    ages = [_column_named("age", one) for one in findings.sides]
    own = _column_named("age", side)
    if own is None or not _has_numbers(own):
        return ""
    low, lower, median, upper, high = _five_words(own, _decimals(ages))
    missing = f"; {own.missing:,} missing" if own.missing else ""
    spread = f"(quartiles {lower} and {upper}, range {low} to {high}{missing})"
    return " ".join(filter(None, (median, own.unit, spread)))


def sex_words(side: Side) -> str:
    """How many patients of a cohort have which sex; empty where the table does not say."""
    own = _column_named(_SEX, side)
    if own is None or not own.counts or len(own.counts) > _FEW_VALUES:
        return ""
    total = sum(count for _, count in own.counts)
    said = [
        f"{count:,} {sex_of(value)} ({percent_words(100 * count / total)})"
        for value, count in own.counts
    ]
    missing = [f"{own.missing:,} missing"] if own.missing else []
    return ", ".join([*said, *missing])


def sex_of(value: str) -> str:
    """A value of the column sex in words, where it is written as usual.

    Examples
    --------
    >>> sex_of("F"), sex_of("2")
    ('female', '2')
    """
    return _SEXES.get(value.casefold(), value)


def condition_words(condition: Condition, units: Units) -> str:
    """A condition as it was asked, with the unit where that is known.

    Examples
    --------
    >>> condition_words(Condition("age", low=60), Units())
    'age >= 60 years'
    >>> condition_words(Condition("sex", ("F",)), Units())
    'sex = F'
    """
    unit = units.of(condition.column)
    has_unit = unit and condition.is_range and not condition.missing
    return f"{condition.words} {unit}" if has_unit else condition.words


def plain_words(condition: Condition, units: Units) -> str:
    """A condition in words for a paper, to stand behind "patients with".

    Examples
    --------
    >>> plain_words(Condition("age", low=60), Units({"age": "months"}))
    'age of at least 60 months'
    >>> plain_words(Condition("sex", ("F",)), Units())
    'female sex'
    >>> plain_words(Condition("group", "A", excludes=True), Units())
    'group other than A'
    """
    known = _range_words(condition, units) if condition.is_range else _values_words(condition)
    gap = f"{condition.column} missing" if condition.missing else ""
    return " or ".join(filter(None, (known, gap)))


def _range_words(condition: Condition, units: Units) -> str:
    name, unit = condition.column, units.of(condition.column)
    low, high = value_words(condition.low), value_words(condition.high)
    if "inf" not in (low, high) and "-inf" not in (low, high):
        said = f"{name} from {low} to {high}"
    elif high == "inf":
        said = f"{name} {'above' if condition.strict else 'of at least'} {low}"
    else:
        said = f"{name} {'below' if condition.strict else 'of at most'} {high}"
    return f"{said} {unit}".rstrip()


def _values_words(condition: Condition) -> str:
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
        with_unit(_cell(column, decimals), "" if shared else column.unit) if column else _NO_COLUMN
        for column in columns
    ]
    return [with_unit(name, shared), *cells]


def _cell(column: Column, decimals: Decimals) -> str:
    missing = f"missing: {column.missing:,}" if column.missing else ""
    counts = _counts(column) if column.counts else ""
    middle = _middle(column, decimals) if _has_middle(column) else ""
    return "; ".join(part for part in (middle, counts, missing) if part)


def _has_numbers(column: Column) -> bool:
    return column.kind == "number" and len(column.counts) > 0


def _has_middle(column: Column) -> bool:
    return _has_numbers(column) and len(column.counts) > _BINARY


def _middle(column: Column, decimals: Decimals) -> str:
    low, lower, median, upper, high = _five_words(column, decimals)
    number = sum(count for _, count in column.counts)
    return f"{median} ({lower} and {upper}; {low} to {high}), n = {number:,}"


def _decimals(columns: Sequence[Column | None]) -> Decimals:
    """The same for all that stands in a row."""
    found = [_five(column) for column in columns if column and _has_numbers(column)]
    ends = [one for five in found for one in (five[0], five[-1])]
    between = [one for five in found for one in five[1:-1]]
    return _enough_for(ends), _enough_for(between)


def _enough_for(values: Sequence[float | str]) -> int:
    return decimals_of(one for one in values if not isinstance(one, str))


def _five_words(column: Column, decimals: Decimals) -> list[str]:
    of_ends, between = decimals
    places = (of_ends, between, between, between, of_ends)
    pairs = zip(_five(column), places, strict=True)
    return [one if isinstance(one, str) else fixed(one, place) for one, place in pairs]


def _five(column: Column) -> list[float | str]:
    """Order statistics: a value open at a bound, such as ``89+``, has its place in the order."""
    values = [value for value, count in column.counts for _ in range(count)]
    return [_quantile(values, part / 4) for part in range(5)]


def _quantile(values: Sequence[str], share: float) -> float | str:
    """Of values in rising order; between two numbers, or the lower one where one is open."""
    place = share * (len(values) - 1)
    below, above = values[floor(place)], values[ceil(place)]
    low, high = number_of(below), number_of(above)
    if low is None or high is None:
        return below
    return low + (high - low) * (place - floor(place))


def _counts(column: Column) -> str:
    total = sum(count for _, count in column.counts)
    if len(column.counts) > _FEW_VALUES:
        return "" if column.kind == "number" else f"{len(column.counts):,} different values"
    return ", ".join(
        f"{value_words(value)}: {count:,} ({percent_words(100 * count / total)})"
        for value, count in column.counts
    )
