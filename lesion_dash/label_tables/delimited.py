"""Tables of columns: CSV, TSV, semicolons, pipes; with a header or without."""

from __future__ import annotations

import csv
import re
from itertools import chain, pairwise
from statistics import mean

from .regions import Numbering, Parsed, Region, TableFault, check_extent, name_columns, parse_label

_SEPARATORS = "\t;,|"
_READINGS = 3  # columns of a table without a header that may be the labels; the image decides
_THINGS = ("label", "region", "roi", "parcel", "structure", "area", "component", "network")
_COUNTS = ("index", "id", "value", "label", "key", "number", "idx", "no", "nr", "num", "intensity")
_WORDS = ("name", "names", "fullname", "longname", "anatomicalname", "anatomicallabel")
_INDEX_NAMES = (
    *_COUNTS,
    *(thing + count for thing in _THINGS for count in _COUNTS if thing != count),
    *_THINGS,
)
"""Headers of a column of labels, the likeliest first, in lower case and without spaces."""
_REGION_NAMES = (
    *_WORDS,
    *(thing + word for thing in _THINGS for word in _WORDS),
    *(thing + ending for thing in _THINGS for ending in ("", "s")),
    *("difumonames", "anatomy", "title", "description", "abbreviation", "acronym"),
)
"""Headers of a column of names, the likeliest first."""


def parse_delimited(lines: list[str]) -> Parsed | None:
    """A table with a header and commas, semicolons, tabs or pipes; BIDS ``_dseg.tsv`` is one.

    Examples
    --------
    >>> parse_delimited(["index;name;lobe", "7;Angular gyrus L;parietal"]).rows
    (Region(label=7, name='Angular gyrus L', extra={'parent': 'parietal'}),)
    """
    rows = _split(_without_comments(lines))
    header = [_plain(cell) for cell in rows[0]]
    # Spreadsheets write rows of empty cells below the last one.
    body = [(n, row) for n, row in enumerate(rows[1:], 2) if any(cell.strip() for cell in row)]
    columns = _find_columns(header, [row for _, row in body])
    if columns is None:
        return None
    return Parsed(tuple(_parse_row(number, row, header, columns) for number, row in body))


def parse_plain(lines: list[str]) -> Parsed | None:
    """A table with pipes and no header, as the arterial atlas has: whole numbers and names.

    Of two columns of names the one with the shorter names is the abbreviation. With commas or tabs
    a header is the custom, and a table without one has lost it, perhaps with rows.

    Examples
    --------
    >>> parse_plain(["1|ACAL|anterior cerebral artery left|1", "2|MLSL|medial left|1"]).rows[0]
    Region(label=1, name='anterior cerebral artery left',
           extra={'abbreviation': 'ACAL', 'column 4': '1'})
    """
    if "|" not in lines[0]:
        return None
    rows = [[cell.strip() for cell in row] for row in _split(lines)]
    if any(len(a) != len(b) for a, b in pairwise(rows)):
        return None
    columns = list(zip(*rows, strict=True))
    numbers = [i for i, column in enumerate(columns) if all(map(_is_whole, column))]
    names = [i for i, column in enumerate(columns) if _are_names(column)]
    if not numbers or not names:
        return None
    names = sorted(names[:2], key=lambda i: -mean(map(len, columns[i])))
    header = [f"column {i + 1}" for i in range(len(columns))]
    if len(names) == 2:
        header[names[1]] = "abbreviation"
    first, *others = [
        Numbering(
            f"table has no header: column {i + 1} taken as label, {names[0] + 1} as name",
            tuple(_parse_row(n, row, header, (i, names[0])) for n, row in enumerate(rows, 1)),
        )
        for i in numbers[:_READINGS]
    ]
    return Parsed(first.rows, tuple(others))


def _split(lines: list[str]) -> list[list[str]]:
    rows = list(csv.reader(lines, delimiter=max(_SEPARATORS, key=lines[0].count)))
    check_extent(columns=len(rows[0]))
    return rows


def _without_comments(lines: list[str]) -> list[str]:
    """The lines from the header on; a header may be a comment itself."""
    for start, line in enumerate(lines):
        words = {_bare(cell) for cell in _split([line.lstrip("# ")])[0]}
        if not words.isdisjoint(_INDEX_NAMES) and words & {*_REGION_NAMES} and len(words) > 1:
            return [line.lstrip("# "), *lines[start + 1 :]]
        if not line.startswith("#"):
            break
    return lines


def _plain(cell: str) -> str:
    """A column's name in lower case, its words joined by underscores."""
    return re.sub(r"[\s_.\-]+", "_", cell.strip().lower()).strip("_")


def _bare(cell: str) -> str:
    """A column's name in lower case, without spaces and marks between its words."""
    return _plain(cell).replace("_", "")


def _find_columns(header: list[str], rows: list[list[str]]) -> tuple[int, int] | None:
    """Where labels and names stand: where the header says so and the cells bear it out."""
    bare = [_bare(cell) for cell in header]
    indices = [bare.index(name) for name in _INDEX_NAMES if name in bare]
    names = [bare.index(name) for name in _REGION_NAMES if name in bare]
    numbers = (column for column in indices if _holds_numbers(rows, column))
    index = next(chain(numbers, indices), None)
    texts = (column for column in names if not _holds_numbers(rows, column))
    name = next((column for column in chain(texts, names) if column != index), None)
    return None if index is None or name is None else (index, name)


def _holds_numbers(rows: list[list[str]], column: int) -> bool:
    """Whether most rows have a number there: a column called "label" may hold either."""
    cells = [row[column].strip() for row in rows if column < len(row)]
    return 2 * sum(re.fullmatch(r"-?\d+(\.\d*)?", cell) is not None for cell in cells) > len(cells)


def _is_whole(cell: str) -> bool:
    return re.fullmatch(r"\d{1,12}(\.0*)?", cell) is not None


def _are_names(column: tuple[str, ...]) -> bool:
    return all(any(letter.isalpha() for letter in cell) for cell in column)


def _parse_row(number: int, row: list[str], header: list[str], columns: tuple[int, int]) -> Region:
    if len(row) != len(header):
        raise TableFault(f"row {number} has {len(row)} fields, the header {len(header)}")
    index, name = columns
    extra = {
        key: row[column].strip()
        for column, key in enumerate(header)
        if column not in columns and row[column].strip()
    }
    label = parse_label(number, row[index].strip())
    return Region(label, row[name].strip(), name_columns(extra))
