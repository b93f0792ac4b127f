"""Tables that name the labels of an atlas; each format of the field is one small parser."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import InputError
from .files import AnyPath, read_text

ENDINGS = (".csv", ".tsv", ".txt", ".lut", ".xml")
"""File name endings a label table may have."""

_INDEX_NAMES = ("index", "id", "value", "label", "key", "number")
_REGION_NAMES = ("name", "region", "label", "structure", "roi", "region_name")


@dataclass(frozen=True)
class Region:
    """A region of an atlas: its label, its name, and what else the table says of it."""

    label: int
    name: str
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LabelTable:
    """The regions a table names, and what is unusual about it."""

    path: AnyPath
    regions: tuple[Region, ...]
    notes: tuple[str, ...] = ()
    sha256: str = ""


class TableFault(ValueError):
    """A row that breaks the rules of a table; the reader adds the file's name."""


def read_label_table(path: AnyPath) -> LabelTable:
    """Read a label table; its format is told from its content.

    Raises
    ------
    InputError
        Where no known format fits, or a row breaks its rules.
    """
    text, notes, sha256 = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(path, "entities are not allowed in an XML table", "remove its DOCTYPE")
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(path, "table is empty")
    try:
        for parse in PARSERS:
            regions = parse(lines)
            if regions is not None:
                kept, oddities = _check_regions(regions)
                return LabelTable(path, kept, notes + oddities, sha256)
    except (TableFault, csv.Error) as fault:
        raise InputError(path, str(fault)) from None
    remedy = "give a CSV or TSV table with these columns, or a FreeSurfer colour table"
    raise InputError(path, "columns id and name not found", remedy)


def is_label_table(path: AnyPath) -> bool:
    """Whether a file can be read as a label table."""
    try:
        return bool(read_label_table(path).regions)
    except InputError:
        return False


def parse_lut(lines: list[str]) -> list[Region] | None:
    """FreeSurfer colour table: ``index name R G B A``, comments with #.

    Examples
    --------
    >>> parse_lut(["# made by hand", "0 Unknown 25 5 25 0", "1 A8m_L 0 255 0 0"])
    [Region(label=0, name='Unknown', extra={}), Region(label=1, name='A8m_L', extra={})]
    """
    rows = [line for line in lines if not line.lstrip().startswith("#")]
    readings = [_split_colours(rows, numbers) for numbers in (4, 3)]
    found = [regions for regions in readings if regions]
    # A name may end in a number, as "Brodmann 17" does: then four numbers leave names that repeat.
    return max(found, key=lambda regions: len({region.name for region in regions}), default=None)


def _split_colours(rows: list[str], numbers: int) -> list[Region] | None:
    pattern = re.compile(r"\s*(\d{1,12})\s+(\S.*?)" + r"\s+\d{1,3}" * numbers + r"\s*")
    matches = [pattern.fullmatch(row) for row in rows]
    return [Region(int(m[1]), m[2]) for m in matches if m] if all(matches) else None


def parse_delimited(lines: list[str]) -> list[Region] | None:
    """A table with a header and commas, semicolons or tabs.

    Examples
    --------
    >>> parse_delimited(["index;name;lobe", "7;Angular gyrus L;parietal"])
    [Region(label=7, name='Angular gyrus L', extra={'lobe': 'parietal'})]
    """
    separator = max("\t;,", key=lines[0].count)
    rows = list(csv.reader(lines, delimiter=separator))
    header = [cell.strip().lower() for cell in rows[0]]
    columns = _find_columns(header)
    if columns is None:
        return None
    return [
        _parse_row(number, row, header, columns) for number, row in enumerate(rows[1:], start=2)
    ]


PARSERS: tuple[Callable[[list[str]], list[Region] | None], ...] = (parse_lut, parse_delimited)
"""Tried in order; a parser answers None where the content is not of its format."""


def _find_columns(header: list[str]) -> tuple[int, int] | None:
    index = next((header.index(name) for name in _INDEX_NAMES if name in header), None)
    names = [header.index(name) for name in _REGION_NAMES if name in header]
    name = next((column for column in names if column != index), None)
    return None if index is None or name is None else (index, name)


def _parse_row(number: int, row: list[str], header: list[str], columns: tuple[int, int]) -> Region:
    if len(row) != len(header):
        raise TableFault(f"row {number} has {len(row)} fields, the header {len(header)}")
    index, name = columns
    extra = {
        key: row[column].strip()
        for column, key in enumerate(header)
        if column not in columns and row[column].strip()
    }
    return Region(_parse_label(number, row[index].strip()), row[name].strip(), extra)


def _parse_label(number: int, text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        raise TableFault(f"row {number}: id {text[:40]!r} is not a number") from None
    if not abs(value) < 2**53:
        raise TableFault(f"row {number}: id {text[:40]} is too large for a label")
    if not value.is_integer():
        raise TableFault(f"row {number}: id is not a whole number: {text}")
    if value < 0:
        raise TableFault(f"row {number}: id is negative: {text}")
    return int(value)


def _check_regions(regions: list[Region]) -> tuple[tuple[Region, ...], tuple[str, ...]]:
    notes = []
    labels = Counter(region.label for region in regions)
    twice = [label for label, times in labels.items() if times > 1]
    if twice:
        raise TableFault(f"id used twice: {twice[0]}")
    names = Counter(region.name for region in regions if region.name)
    if doubled := [name for name, times in names.items() if times > 1]:
        notes.append(f"name used twice: {doubled[0]}")
    if unnamed := [region.label for region in regions if not region.name]:
        notes.append(f"region without a name: label {unnamed[0]}")
    if 0 in labels:
        notes.append("label 0 is background: its row is not used")
    kept = tuple(region for region in regions if region.label != 0)
    return kept, tuple(notes)
