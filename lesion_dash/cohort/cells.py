"""Cells of a participants table: read as its program saved them, numbers, what is missing."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isfinite

from ..core.errors import InputError
from ..core.text import counted, printable
from ..files.paths import AnyPath
from ..files.reading import PARTICIPANTS, SMALLER, TableLimits, read_text

_CACHED_TEXTS = 2**14  # cells, arbitrary: a filter reads the same ones with each of its changes
_MISSING = {"", "n/a", "na", "nan", "none", "null", "missing", "<na>", "nat", "."}
# What Excel shows where it has no value, and in German, which names its errors otherwise.
_MISSING |= {"#n/a", "#value!", "#ref!", "#div/0!", "#num!", "#name?", "#null!"}
_MISSING |= {"#nv", "#wert!", "#bezug!", "#zahl!"}

_SEPARATORS = "\t,;"
_BLANK = _SEPARATORS + " "
_MOST_OF_TITLE = 40  # characters, arbitrary
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_NAMED_SEPARATOR = re.compile(r'"?sep=([\t,;])"?[\t,;]*', re.IGNORECASE)
_BOUND = re.compile(r"(?:>=|<=|[<>≥≤])?\s*(.*?)\s*\+?", re.DOTALL)
_DECIMAL_COMMA = re.compile(r"([-+]?(?:\d+|\d{1,3}(?:\.\d{3})+)),(\d+(?:[eE][-+]?\d+)?)")
_MAY_BE_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value.

    Examples
    --------
    >>> is_missing("n/a"), is_missing(" Missing "), is_missing("0")
    (True, True, False)
    """
    return cell.strip().lower() in _MISSING


@lru_cache(_CACHED_TEXTS)
def number_of(cell: str) -> float | None:
    """The finite number that a cell holds, or None.

    Examples
    --------
    >>> number_of(" 61.5"), number_of("M")
    (61.5, None)
    """
    try:
        number = float(cell)
    except ValueError:
        return None
    # Python reads 1_000 as a thousand; no table means that.
    return number if isfinite(number) and "_" not in cell else None


def value_text(value: object) -> str:
    """A value as a table shows it: 1, 1.0 and ``1`` are one; F and f are two.

    Examples
    --------
    >>> value_text(1.0), value_text("1.50"), value_text(" F ")
    ('1', '1.5', 'F')
    """
    return _text_words(str(value).strip())


@lru_cache(_CACHED_TEXTS)
def _text_words(text: str) -> str:
    if re.fullmatch(r"[+-]?\d{1,300}", text):
        return str(int(text))  # long codes must not lose their last digits
    number = number_of(text)
    if number is None:
        return text
    return str(int(number)) if number.is_integer() else str(number)


@dataclass(frozen=True)
class PlainTable:
    """The cells of a table, as many in each row as there are columns.

    Parameters
    ----------
    path : Path or UrlPath
    header : tuple of str
        Empty where a column has no name.
    rows : tuple of tuple of str
        Without blanks at their ends, decimal commas as points.
    numbers : tuple of int
        The line of each row in the file, from 1.
    notes : tuple of str
        What is left out, and how numbers were read.
    sha256 : str
        Of the file.
    """

    path: AnyPath
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    notes: tuple[str, ...]
    sha256: str

    def column(self, position: int) -> list[str]:
        """The cells of a column."""
        return [row[position] for row in self.rows]


def read_plain_table(path: AnyPath, limits: TableLimits = PARTICIPANTS) -> PlainTable:
    """Read a table with a header, separated by tabs, commas or semicolons.

    Rows whose number of cells is not that of the header are left out, which is told; empty cells
    beyond it are nothing.

    Raises
    ------
    InputError
        Where the file is a workbook, or no row fits the header.
    """
    text, notes, sha256 = read_text(path, limits, _SEPARATORS)
    lines = [
        (number, line)
        for number, line in enumerate(_LINE_ENDS.split(text), start=1)
        if line.strip(_BLANK)
    ]
    named = _NAMED_SEPARATOR.fullmatch(lines[0][1].strip()) if lines else None
    lines = lines[1:] if named else lines
    above = 0 if named else _lines_above_header(lines)
    if above:
        name = printable(lines[0][1].strip(_BLANK)[:_MOST_OF_TITLE])
        notes += (f"line {lines[0][0]} above the header of {path.name} excluded: {name}",)
    separator = named[1] if named else _separator_of(lines[above][1] if lines else "")
    numbered = _split(path, lines[above:], separator)
    header = next(numbered, (0, []))[1]
    while header and not header[-1]:
        header.pop()
    if fault := limits.fault(columns=len(header)):
        raise InputError(path, fault, SMALLER)
    width = len(header)
    rows, numbers, odd = [], [], []
    for number, row in numbered:
        cells, beyond = row[:width], row[width:]
        if len(cells) < width or any(beyond):
            odd.append(f"row {number} has {len(row)} fields, the header {width}")
        else:
            rows.append(cells)
            numbers.append(number)
    if not rows:
        problem = odd[0] if odd else "holds no participants"
        raise InputError(path, problem, "it needs a header and a row per patient")
    if odd:
        notes += (f"{counted(len(odd), 'row')} of {path.name} excluded: {odd[0]}",)
    commas = _read_decimal_commas(path, header, rows, separator)
    plain = PlainTable(
        path, tuple(header), tuple(map(tuple, rows)), tuple(numbers), (*notes, *commas), sha256
    )
    return _without_repeated_columns(plain)


def _separator_of(line: str) -> str:
    """What parts the cells of a line: the separator that is there most often, not in quotes."""
    return max(_SEPARATORS, key=re.sub(r'"[^"]*"', "", line).count)


def _lines_above_header(lines: list[tuple[int, str]]) -> int:
    """1 where the first line is a comment, or words in one cell above a line of several."""
    if len(lines) < 2:
        return 0
    first, second = lines[0][1].strip(_BLANK), lines[1][1]
    separator = _separator_of(second)
    is_title = " " in first and separator not in first and separator in second
    return int(is_title or first.startswith("# "))


def _split(
    path: AnyPath, lines: list[tuple[int, str]], separator: str
) -> Iterator[tuple[int, list[str]]]:
    """Each line is a row of its own, so that a quote that is not closed takes in no other row."""
    for number, line in lines:
        try:
            row = line.split(separator)
            if '"' in line:  # seldom, and several times slower
                row = next(csv.reader([line], delimiter=separator))
        except csv.Error as error:
            raise InputError(path, f"is not a table ({error})") from None
        yield number, [cell.strip() for cell in row]


def _read_decimal_commas(
    path: AnyPath, header: list[str], rows: list[list[str]], separator: str
) -> tuple[str, ...]:
    """Write decimal points where all numbers of a column have commas, and say so.

    A semicolon parts cells where the comma is a decimal one. In other tables 1,250 may be 1250: a
    column of only such numbers is left as it is where no other column shows what a comma means.
    """
    columns = {
        place: cells
        for place, column in enumerate(zip(*rows, strict=True))
        if any("," in cell for cell in column) and (cells := _with_commas(column))
    }
    clear = [
        place
        for place, cells in columns.items()
        if separator == ";" or not all(map(_MAY_BE_THOUSANDS.fullmatch, cells))
    ]
    if not columns:
        return ()
    if not clear:
        place, cells = next(iter(columns.items()))
        why = f"{cells[0]} may have a decimal comma or a thousands separator"
        return (f"{printable(header[place])} in {path.name} is read as text: {why}",)
    for place in columns:
        for row in rows:
            row[place] = _with_point(row[place])
    cell = columns[clear[0]][0]
    names = ", ".join(printable(header[place]) for place in columns)
    return (f"decimal commas in {path.name}: {cell} is {_with_point(cell)} ({names})",)


def _with_commas(column: Iterable[str]) -> list[str]:
    """The numbers with a comma in a column, none where it holds a point or a word."""
    commas = []
    for cell in column:
        if not is_missing(cell):
            bare = _bare(cell)
            if _DECIMAL_COMMA.fullmatch(bare):
                commas.append(bare)
            elif number_of(bare) is None or "." in bare:
                return []
    return commas


def _bare(cell: str) -> str:
    """A number without the sign of a bound, as in <1,5 and 89+."""
    match = _BOUND.fullmatch(cell)
    return match[1] if match else cell


def _with_point(cell: str) -> str:
    bare = _bare(cell)
    number = _DECIMAL_COMMA.fullmatch(bare)
    if not number:
        return cell
    return cell.replace(bare, f"{number[1].replace('.', '')}.{number[2]}", 1)


def _without_repeated_columns(table: PlainTable) -> PlainTable:
    """Without the columns that bear one name, unless they say the same."""
    places_of = defaultdict[str, list[int]](list)
    for place, name in enumerate(table.header):
        places_of[name].append(place)
    kept, notes = list[int](), list[str]()
    for name, places in places_of.items():
        first = table.column(places[0])
        if len(places) == 1 or (name and all(table.column(place) == first for place in places)):
            kept.append(places[0])
        elif name:
            what = f"column {printable(name)} of {table.path.name}"
            notes.append(f"{what} excluded: it is there twice")
    # Columns without a name differ from each other; one of them may hold the ids.
    known = {*kept}
    kept += [place for place in places_of.get("", ()) if place not in known]
    if len(kept) == len(table.header):
        return table
    kept.sort()
    if not kept:
        raise InputError(table.path, f"has the column {table.header[0]!r} twice")
    return replace(
        table,
        header=tuple(table.header[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in table.rows),
        notes=(*table.notes, *notes),
    )
