"""Formats of label tables: one function for each, tried from the last to the first.

A format is told from a table's content. General ones stand at the top, and one that is registered
elsewhere with `label_table` is tried before them all.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain, pairwise
from statistics import mean
from typing import Any
from xml.etree import ElementTree as ET

from ..files.paths import AnyPath
from ..files.reading import SMALLER, TABLE
from ..images.maps import LARGEST_LABEL

_BACKGROUND = re.compile(
    r"[\W_]*(background|unknown|clear label|clear|outside.*|none|unlabell?ed|unclassified|"
    r"undefined|unassigned|empty|medial wall)?[\W_]*",
    re.IGNORECASE,
)
_HEMISPHERE = ("hemisphere", "hemi", "side", "laterality", "lr")
_PARENT = ("parent", "lobe", "network", "group", "structure", "system", "category", "gyrus")


class TableFault(ValueError):
    """A row that breaks the rules of a table; the reader adds the file's name."""


@dataclass(frozen=True)
class Region:
    """A region of an atlas: its label, its name, and what else the table says of it.

    Parameters
    ----------
    label : int
        Its value in an image of labels; for maps of probabilities its number in the table.
    name : str
    extra : dict
        The table's other columns. A column that names the side is called ``hemisphere``, one that
        names what the region is part of (lobe, network, ...) is called ``parent``.
    """

    label: int
    name: str
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Numbering:
    """A reading of a table's numbers, and a note that tells it from others."""

    summary: str
    rows: tuple[Region, ...]


@dataclass(frozen=True)
class Parsed:
    """What a parser found in a table.

    Parameters
    ----------
    rows : tuple of Region
        As the table numbers them, a row for background included.
    others : tuple of Numbering
        Other readings of its numbers; the image decides.
    is_position : bool
        Numbers are places in a list that counts from 0, so that an image of labels holds
        them plus 1.
    notes : tuple of str
    """

    rows: tuple[Region, ...]
    others: tuple[Numbering, ...] = ()
    is_position: bool = False
    notes: tuple[str, ...] = ()


Parser = Callable[[list[str]], Parsed | None]

FORMATS: list[tuple[Parser, tuple[str, ...]]] = []
"""Parsers of label tables with the endings of their files' names; the first that knows a table."""


def label_table(*endings: str) -> Callable[[Parser], Parser]:
    """Register a format of label tables by its parser, a function of a table's lines.

    The lines hold no blank ones. A parser returns None where they are of another format, and raises
    a `TableFault` where they break the rules of its own.

    Parameters
    ----------
    *endings : str
        Of files that may be such a table of an image beside them, such as ``.csv``.

    Examples
    --------
    >>> def parse_pairs(lines):
    ...     rows = [line.split("=") for line in lines]
    ...     if not all(len(row) == 2 and is_number(row[0]) for row in rows):
    ...         return None
    ...     return Parsed(tuple(Region(int(number), name) for number, name in rows))
    >>> register = label_table(".pairs")  # as a decorator: @label_table(".pairs")
    >>> parse_pairs(["1=Left", "2=Right"]).rows[1].name
    'Right'
    """

    def register(parser: Parser) -> Parser:
        FORMATS.insert(0, (parser, endings))
        return parser

    return register


def has_table_ending(path: AnyPath) -> bool:
    """Whether a file is named as some format of label tables is."""
    return any(path.suffix.lower() in endings for _, endings in FORMATS)


def check_extent(rows: int = 0, columns: int = 0) -> None:
    """Raise a `TableFault` where a table names more regions, or has more columns, than any does."""
    if fault := TABLE.fault(rows, columns):
        raise TableFault(f"{fault}; {SMALLER}")


def is_background(name: str) -> bool:
    """Whether a name says that there is no region.

    Examples
    --------
    >>> is_background("Unknown"), is_background("???"), is_background("Frontal Pole")
    (True, True, False)
    """
    return len(name) < 80 and _BACKGROUND.fullmatch(name) is not None


def is_number(text: str) -> bool:
    """Whether a text is a whole number as a label can be, written in plain digits."""
    return len(text) <= 12 and text.isascii() and text.isdigit()


def parse_label(number: int, text: str) -> int:
    """A label from the text of a row, or a `TableFault` that names the row."""
    try:
        value = float(text)
    except ValueError:
        raise TableFault(f"row {number}: id {text[:40]!r} is not a number") from None
    if not abs(value) < LARGEST_LABEL:
        raise TableFault(f"row {number}: id {text[:40]} is too large for a label")
    if not value.is_integer():
        raise TableFault(f"row {number}: id is not a whole number: {text}")
    if value < 0:
        raise TableFault(f"row {number}: id is negative: {text}")
    return int(value)


def name_columns(extra: dict[str, str]) -> dict[str, str]:
    """Call the columns for the side and for what a region is part of by one name each.

    Examples
    --------
    >>> name_columns({"hemi": "L", "lobe": "frontal", "network": "A"})
    {'hemisphere': 'L', 'parent': 'frontal', 'network': 'A'}
    """
    renamed = {
        next((key for key in keys if key in extra), ""): name
        for name, keys in (("hemisphere", _HEMISPHERE), ("parent", _PARENT))
    }
    return {renamed.get(key, key): value for key, value in extra.items()}


# Tables of columns: CSV, TSV, semicolons, pipes; with a header or without.


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


@label_table(".txt")
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


@label_table(".txt")
def parse_mricron(lines: list[str]) -> Parsed | None:
    """``number name`` or ``number name number``, with spaces or tabs between them.

    Which of the two numbers an image holds is told by the image.

    Examples
    --------
    >>> parsed = parse_mricron(["1 Precentral_L 2001", "2 Precentral_R 2002"])
    >>> [region.label for region in parsed.rows]
    [1, 2]
    >>> [region.label for region in parsed.others[0].rows]
    [2001, 2002]
    """
    rows = [line.split(maxsplit=1) for line in lines if not line.startswith("#")]
    if not rows or not all(len(row) == 2 and is_number(row[0]) for row in rows):
        return None
    names = [row[1].strip() for row in rows]
    ends = [name.rsplit(maxsplit=1) for name in names]
    has_second = all(len(end) == 2 and is_number(end[1]) for end in ends)
    # A name may end in a number, as "Area 17" does: then names without it repeat.
    has_second = has_second and len({end[0] for end in ends}) == len(ends)
    if has_second:
        names = [end[0] for end in ends]
    if not _are_names(names) or any("\t" in name for name in names):
        return None
    numberings = [[row[0] for row in rows], *([[end[1] for end in ends]] if has_second else [])]
    first, *others = (
        tuple(Region(int(n), name.strip()) for n, name in zip(numbers, names, strict=True))
        for numbers in numberings
    )
    summary = "labels are the numbers of the table's third column"
    return Parsed(first, tuple(Numbering(summary, rows) for rows in others))


@label_table(".csv", ".tsv", ".txt")
def parse_delimited(lines: list[str]) -> Parsed | None:
    """A table with a header and commas, semicolons, tabs or pipes; BIDS ``_dseg.tsv`` is one.

    Examples
    --------
    >>> parse_delimited(["index;name;lobe", "7;Angular gyrus L;parietal"]).rows
    (Region(label=7, name='Angular gyrus L', extra={'parent': 'parietal'}),)
    """
    rows = _split(_from_header(lines))
    header = [_plain(cell) for cell in rows[0]]
    # Spreadsheets write rows of empty cells below the last one.
    body = [(n, row) for n, row in enumerate(rows[1:], 2) if any(cell.strip() for cell in row)]
    columns = _find_columns(header, [row for _, row in body])
    if columns is None:
        return None
    return Parsed(tuple(_parse_row(number, row, header, columns) for number, row in body))


def _split(lines: list[str]) -> list[list[str]]:
    rows = list(csv.reader(lines, delimiter=max(_SEPARATORS, key=lines[0].count)))
    check_extent(columns=len(rows[0]))
    return rows


def _from_header(lines: list[str]) -> list[str]:
    """The lines from the header on; a header may be a comment itself."""
    for start, line in enumerate(lines):
        cells = {_bare(cell) for cell in _split([line.lstrip("# ")])[0]}
        if not cells.isdisjoint(_INDEX_NAMES) and cells & {*_REGION_NAMES} and len(cells) > 1:
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


def _are_names(column: Iterable[str]) -> bool:
    return all(any(character.isalpha() for character in cell) for cell in column)


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


# Colour tables: names with a colour each, as FreeSurfer and ITK-SNAP write them.


@label_table(".label", ".labels", ".txt")
def parse_itksnap(lines: list[str]) -> Parsed | None:
    """ITK-SNAP label description: ``index R G B A visible mesh "name"``, comments with #.

    Examples
    --------
    >>> parse_itksnap(['# ITK-SnAP', '1 255 0 0 1 1 1 "Left thalamus"']).rows
    (Region(label=1, name='Left thalamus', extra={}),)
    """
    pattern = re.compile(r"\s*(\d{1,12})(?:\s+\d+(?:\.\d*)?){6}\s+\"([^\"]*)\"\s*")
    matches = [pattern.fullmatch(row) for row in _without_comments(lines)]
    if not matches or not all(matches):
        return None
    return Parsed(tuple(Region(int(m[1]), m[2].strip()) for m in matches if m))


@label_table(".lut", ".ctbl", ".txt")
def parse_lut(lines: list[str]) -> Parsed | None:
    """FreeSurfer colour table: ``index name R G B A``, comments with #.

    Examples
    --------
    >>> parse_lut(["# made by hand", "0 Unknown 25 5 25 0", "1 A8m_L 0 255 0 0"]).rows
    (Region(label=0, name='Unknown', extra={}), Region(label=1, name='A8m_L', extra={}))
    """
    rows = _without_comments(lines)
    if rows and rows[0].lower().split()[-3:] in (["g", "b", "a"], ["r", "g", "b"]):
        rows = rows[1:]
    readings = [_split_colours(rows, numbers) for numbers in (4, 3)]
    # A name may end in a number, as "Brodmann 17" does: then four numbers leave names that repeat.
    regions = max(readings, key=lambda regions: len({region.name for region in regions}))
    return Parsed(regions) if regions else None


def _without_comments(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.lstrip().startswith("#")]


def _split_colours(rows: list[str], numbers: int) -> tuple[Region, ...]:
    """The regions where every row ends in so many numbers of a colour, else none."""
    regions = []
    for row in rows:
        index, *rest = row.split(maxsplit=1)
        name, *colours = rest[0].rsplit(maxsplit=numbers) if rest else [""]
        if not is_number(index) or len(colours) != numbers or not all(map(_is_shade, colours)):
            return ()
        regions.append(Region(int(index), name.strip()))
    return tuple(regions)


def _is_shade(text: str) -> bool:
    return is_number(text) and len(text) <= 3


# Tables as XML (FSL, SPM) and as JSON.


_WRAPPERS = ("labels", "regions")
_INDEX_KEYS = ("index", "id", "label", "value", "key", "number")
_NAME_KEYS = ("name", "region", "label", "structure")


@label_table(".json")
def parse_json(lines: list[str]) -> Parsed | None:
    """``{"1": "name"}``, ``["name", ...]``, or ``[{"index": 1, "name": "name"}, ...]``.

    Examples
    --------
    >>> parse_json(['{"7": "Insula L", "8": "Insula R"}']).rows[0]
    Region(label=7, name='Insula L', extra={})
    """
    if lines[0].lstrip()[:1] not in ("{", "["):
        return None
    try:
        content = json.loads("\n".join(lines))
    except (ValueError, RecursionError) as error:
        raise TableFault(f"JSON cannot be read: {error}") from None
    if isinstance(content, dict):
        content = next((content[key] for key in _WRAPPERS if key in content), content)
    if isinstance(content, dict | list):
        check_extent(rows=len(content))
    rows = _of_dict(content) if isinstance(content, dict) else _of_list(content)
    if not rows:
        return None
    is_position = isinstance(content, list) and isinstance(content[0], str)
    return Parsed(rows, is_position=is_position and not is_background(rows[0].name))


def _of_dict(content: dict[str, Any]) -> tuple[Region, ...]:
    if not all(key.strip().isdigit() for key in content):
        return ()
    return _json_regions(
        (item if isinstance(item, dict) else {"name": item}) | {"index": key}
        for key, item in content.items()
    )


def _of_list(content: Any) -> tuple[Region, ...]:
    if not isinstance(content, list) or not content:
        return ()
    if all(isinstance(item, str) for item in content):
        return tuple(Region(number, name.strip()) for number, name in enumerate(content))
    return _json_regions(content) if all(isinstance(item, dict) for item in content) else ()


def _json_regions(items: Iterable[dict[str, Any]]) -> tuple[Region, ...]:
    regions = (_json_region(number, item) for number, item in enumerate(items, start=1))
    return tuple(region for region in regions if region is not None)


def _json_region(number: int, item: dict[str, Any]) -> Region | None:
    plain = {str(key).lower(): value for key, value in item.items()}
    index = next((key for key in _INDEX_KEYS if key in plain), None)
    name = next((key for key in _NAME_KEYS if key in plain and key != index), None)
    if index is None or name is None or not isinstance(plain[name], str):
        return None
    extra = {
        key: str(value)
        for key, value in plain.items()
        if key not in (index, name) and isinstance(value, str | int | float) and str(value)
    }
    label = parse_label(number, str(plain[index]))
    return Region(label, plain[name].strip(), name_columns(extra))


@label_table(".xml")
def parse_xml(lines: list[str]) -> Parsed | None:
    """FSL's ``<label index="0" x= y= z=>name</label>``, or SPM's ``<index>`` and ``<name>``.

    FSL numbers the volumes of a probabilistic atlas from 0; its images of labels hold that
    number plus 1. Positions are ignored: they are voxels of one image, not properties of a region.

    Examples
    --------
    >>> parsed = parse_xml(["<atlas><data><label index='0'>Frontal Pole</label></data></atlas>"])
    >>> parsed.rows, parsed.is_position
    ((Region(label=0, name='Frontal Pole', extra={}),), True)
    """
    if not lines[0].lstrip().startswith("<"):
        return None
    try:
        root = ET.fromstring("\n".join(lines))
    except ET.ParseError as error:
        raise TableFault(f"XML cannot be read: {error}") from None
    labels = [item for item in root.iter() if item.tag.lower() == "label"]
    check_extent(rows=len(labels))
    rows = []
    for number, item in enumerate(labels, start=1):
        index = item.get("index") or item.findtext("index")
        name = item.findtext("name") or item.text or ""
        if index is not None:
            rows.append(Region(parse_label(number, index.strip()), name.strip()))
    kind = (root.findtext("header/type") or "").strip().lower()
    is_position = any(item.get("index") is not None for item in labels) and kind != "label"
    return Parsed(tuple(rows), is_position=is_position) if rows else None
