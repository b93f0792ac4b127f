"""Numbers with units, columns and the summary in words, and HTML in which text stays text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from math import ceil, floor

import numpy as np

from ..cohort.columns import Column, describe_columns, with_unit
from ..cohort.conditions import Condition
from ..cohort.participants import Units, number_of, value_text
from ..core.text import printable
from ..plotting.figures import ML
from ..regions.counts import RegionCount
from .findings import Findings, Side

_VOID = {"img", "link", "meta", "wbr"}
NO_BREAK = "\u00a0"
"""A space at which no line ends."""

_BEFORE_UNIT = re.compile(r"(?<=[\d)]) (?=(?:%|mL|mm³?|years|months|weeks|days)(?!\w))")
_WHOLE = 8
"""Rows up to which a table is not broken between printed pages."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(text: str) -> Html:
    """Text as HTML that shows it; file names may hold signs that cannot be printed.

    Examples
    --------
    >>> escape("a < b"), escape(Html("<b>bold</b>"))
    ('a &lt; b', '<b>bold</b>')
    """
    return text if isinstance(text, Html) else Html(html.escape(printable(text)))


def code(lines: str, identity: str) -> Html:
    """Lines of code, as they are."""
    content = join(lines.split("\n"), "\n")
    return element("pre", element("code", content, id=identity))


def join(parts: Iterable[str], between: str = "") -> Html:
    """Several parts in one."""
    return Html(between.join(escape(part) for part in parts))


def element(name: str, /, *children: str, **attributes: str) -> Html:
    """An element of a page.

    Parameters
    ----------
    name : str
    *children : str or Html
        What is inside; what is no `Html` is escaped.
    **attributes : str
        An underscore at the end of a name is left out, others stand for a hyphen.

    Examples
    --------
    >>> element("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(printable(value))}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Html(f"<{name}{given}>")
    return Html(f"<{name}{given}>{join(children)}</{name}>")


def breakable(name: str) -> Html:
    """A long name that may go on in the next line after each underscore.

    Examples
    --------
    >>> breakable("Left_Insula")
    'Left_<wbr>Insula'
    """
    return join(name.split("_"), Html(f"_{element('wbr')}"))


def prose(text: str) -> Html:
    """Text in which a number and its unit stay on one line.

    Examples
    --------
    >>> prose("5 mL < 20 mL in 9 patients").replace(NO_BREAK, "~")
    '5~mL &lt; 20~mL in 9 patients'
    """
    return Html(_BEFORE_UNIT.sub(NO_BREAK, escape(text)))


def section(title: str, *children: str) -> Html:
    """A chapter of the page."""
    return element("section", element("h2", title), Html("\n"), join(children, "\n"))


def items(parts: Iterable[str]) -> Html:
    """A list."""
    return element("ul", *(element("li", part) for part in parts))


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int) -> Html:
    """A table; a row's first cell names it.

    Parameters
    ----------
    caption : str
        What the table tells, with n and units.
    head : sequence of str
        A name for each column.
    rows : iterable of sequence of str
    numbers : int
        The column from which on cells are numbers, set to the right.
    """
    body = [
        element("tr", *(_table_cell(place, cell, numbers) for place, cell in enumerate(row)))
        for row in rows
    ]
    names = [_table_cell(place, cell, numbers, in_head=True) for place, cell in enumerate(head)]
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *names)),
        element("tbody", join(body, "\n")),
        **({"class_": "whole"} if len(body) <= _WHOLE else {}),
    )


def _table_cell(place: int, content: str, numbers: int, in_head: bool = False) -> Html:
    kind = {"class_": "number"} if place >= numbers else {}
    if in_head:
        return element("th", content, scope="col", **kind)
    return element("td", content, **kind) if place else element("th", content, scope="row")


def folded(summary: str, *children: str) -> Html:
    """What is long, to be opened with a click."""
    return element("details", element("summary", summary), *children)


# Numbers as one reads them, with their units: one rule for each quantity, whatever its size.
#
# Volumes have two decimals of a mL, about a voxel of 2 mm; shares have one decimal of a per cent;
# voxels and patients are whole, in thousands with a comma. So the decimals of a column line up.


_UNKNOWN = "–"
_EXACT = 1e-9
"""Share of a number by which it may differ from the one that is shown and still be the same."""


def count_words(number: int, noun: str) -> str:
    """A count with its noun.

    Examples
    --------
    >>> count_words(1, "voxel"), count_words(12345, "voxel")
    ('1 voxel', '12,345 voxels')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def fixed(value: float, decimals: int, plus: bool = False) -> str:
    """A number with so many decimals.

    Examples
    --------
    >>> fixed(1234.56, 1), fixed(-0.01, 1), fixed(5, 1, plus=True), fixed(float("nan"), 1)
    ('1,234.6', '0.0', '+5.0', '–')
    """
    if value != value:
        return _UNKNOWN
    rounded = round(value, decimals) + 0.0  # and no -0
    return f"{rounded:{'+' if plus and rounded else ''},.{decimals}f}"


def ml(mm3: float, plus: bool = False) -> str:
    """A volume in mL, without the unit.

    Examples
    --------
    >>> ml(23140.0), ml(200544), ml(1), ml(0)
    ('23.14', '200.54', '< 0.01', '0.00')
    """
    value = mm3 / ML
    return "< 0.01" if 0 < value < 0.005 else fixed(value, 2, plus)


def ml_words(mm3: float) -> str:
    """A volume in mL.

    Examples
    --------
    >>> ml_words(23140.0)
    '23.14 mL'
    """
    return f"{ml(mm3)} mL"


def percent(share: float) -> str:
    """A share in per cent, without the sign.

    Examples
    --------
    >>> [percent(share) for share in (41.3, 6.21, 0.02, 0, 100, float("nan"))]
    ['41.3', '6.2', '< 0.1', '0.0', '100.0', '–']
    """
    return "< 0.1" if 0 < share < 0.05 else fixed(share, 1)


def percent_words(share: float) -> str:
    """A share in per cent.

    Examples
    --------
    >>> percent_words(41.32), percent_words(float("nan"))
    ('41.3 %', '–')
    """
    found = percent(share)
    return found if found == _UNKNOWN else f"{found} %"


def scale_words(value: float) -> str:
    """The end of a scale, which is a round number.

    Examples
    --------
    >>> scale_words(150.0), scale_words(2.5), scale_words(1200)
    ('150', '2.5', '1,200')
    """
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def decimals_of(values: Iterable[float], most: int | None = None) -> int:
    """So many decimals tell every one of some numbers that stand side by side.

    Without `most`, three digits are enough of the largest of them.

    Examples
    --------
    >>> decimals_of([5, 8, 14.25]), decimals_of([0.12, 0.5]), decimals_of([60, 77]), decimals_of([])
    (1, 2, 0, 0)
    """
    known = [value for value in values if value == value]
    largest = max(map(abs, known), default=0.0)
    limit = most if most is not None else 1 if largest >= 10 else 2 if largest >= 1 else 3
    enough = (
        decimals
        for decimals in range(limit)
        if all(abs(round(value, decimals) - value) <= _EXACT * largest for value in known)
    )
    return next(enough, limit)


def point_words(mm: Sequence[float]) -> str:
    """A place in mm.

    Examples
    --------
    >>> point_words((-26.0, 0.0, 8.0)), point_words((-26.0, 0.0, 8.5))
    ('(-26, 0, 8)', '(-26.0, 0.0, 8.5)')
    """
    decimals = decimals_of(mm, most=1)
    return f"({', '.join(fixed(value, decimals) for value in mm)})"


def list_words(parts: Sequence[str]) -> str:
    """Several things in one sentence.

    Examples
    --------
    >>> list_words(["a"]), list_words(["a", "b", "c"]), list_words([])
    ('a', 'a, b and c', '')
    """
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


# What the participants table says of the patients: summed up, never one patient's values.


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
    return f"{condition.summary} {unit}" if has_unit else condition.summary


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
    low, high = value_text(condition.low), value_text(condition.high)
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
        f"{value_text(value)}: {count:,} ({percent_words(100 * count / total)})"
        for value, count in column.counts
    )


# The report in a few sentences.


def summary(findings: Findings) -> tuple[str, ...]:
    """What one wants to know first, a sentence each."""
    found = [
        sentence
        for side in findings.sides
        for sentence in (_patients(findings, side), _coverage(findings, side))
    ]
    if findings.overlap is not None:
        found.append(_overlap(findings))
    if findings.regions is not None:
        found.append(_region(findings))
    return tuple(found)


def spread_words(side: Side) -> str:
    """Median, quartiles and range of the total lesion volumes of a cohort."""
    low, lower, median, upper, high = quartiles(side)
    return f"median {median} mL (quartiles {lower} and {upper} mL, range {low} to {high} mL)"


def quartiles(side: Side) -> tuple[str, ...]:
    """Minimum, quartiles, median and maximum of the volumes of a cohort in mL, in their order."""
    return tuple(ml(float(one)) for one in np.percentile(side.volumes_mm3, (0, 25, 50, 75, 100)))


def most_region(findings: Findings) -> RegionCount | None:
    """The region that holds most of what is counted; None where no region does."""
    assert findings.regions is not None, "an atlas was given"
    first = findings.regions.rows[0]
    return first if len(findings.regions.rows) > 1 and first.voxels else None


def counted_words(findings: Findings) -> str:
    """The voxels that the region table counts."""
    least = count_words(findings.request.min_patients, "patient")
    if findings.is_pair:
        return f"voxels lesioned in at least {least} of A and of B"
    return f"voxels lesioned in at least {least}"


def _patients(findings: Findings, side: Side) -> str:
    who = count_words(side.cohort.n_patients, "patient")
    gone = [
        f"{len(side.not_usable):,} of {count_words(len(side.cohort.patients), 'file')} not usable"
        for _ in side.not_usable[:1]
    ]
    gone += [f"{len(side.left_out):,} left out by the conditions" for _ in side.left_out[:1]]
    of = f" ({', '.join(gone)})" if gone else ""
    return f"{findings.owner(side)}: {who}{of}; total lesion volume {spread_words(side)}."


def _coverage(findings: Findings, side: Side) -> str:
    row = side.coverage.at(findings.request.min_patients)
    least = count_words(row.min_patients, "patient")
    of = f" of {side.letter.upper()}" if findings.is_pair else ""
    verb = "is" if row.voxels == 1 else "are"
    voxels = f"{count_words(row.voxels, 'voxel')} ({ml_words(row.volume_mm3)}) {verb} lesioned"
    shares = (
        f"{percent_words(row.percent_of_brain)} of the MNI152 brain, "
        f"{percent_words(row.percent_of_lesioned)} of all lesioned voxels"
    )
    return f"{voxels} in at least {least}{of}: {shares}. {_peak(findings, side)}"


def _peak(findings: Findings, side: Side) -> str:
    if side.peak_mm is None:
        return "No patient has a lesioned voxel."
    most = count_words(side.coverage.most, "patient")
    verb = "shares" if side.coverage.most == 1 else "share"
    place = f"at MNI {point_words(side.peak_mm)} mm"
    if findings.atlas is not None:
        place += f" ({findings.atlas.region_at(side.peak_mm)})"
    return f"At most {most} {verb} a voxel, {place}."


def _overlap(findings: Findings) -> str:
    found = findings.overlap
    assert found is not None, "there are two cohorts"
    dice = f"{found.dice:.3f}" if found.dice == found.dice else "undefined, as both are empty"
    size = f"{count_words(found.both.voxels, 'voxel')} ({ml_words(found.both.volume_mm3)})"
    return f"Overlap: {size}, the {counted_words(findings)}; Dice coefficient {dice}."


def _region(findings: Findings) -> str:
    row = most_region(findings)
    if row is None:
        return f"No region of the atlas holds any of the {counted_words(findings)}."
    name = "with the most overlap" if findings.is_pair else "with the most of these voxels"
    share = percent_words(row.expected_percent_of_region)
    counted = f"{region_voxels(findings, row)} ({ml_words(row.expected_volume_mm3)})"
    return f"Region {name}: {row.region}, {counted}, {share} of the region."


def region_voxels(findings: Findings, row: RegionCount) -> str:
    """Voxels in a region; where an atlas tells probabilities, their sum."""
    counts = findings.regions
    if counts is not None and counts.probabilistic:
        return f"{fixed(row.expected_voxels, 1)} expected voxels"
    return count_words(row.voxels, "voxel")
