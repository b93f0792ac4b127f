"""Formats of label tables: one function for each, tried from the last to the first.

A format is told from a table's content. General ones stand at the top, and one that is registered
elsewhere with `label_table` is tried before them all.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from xml.etree import ElementTree as ET

from ..files.paths import AnyPath
from ..files.reading import SMALLER, TABLE
from ..images.maps import LARGEST_LABEL
from .columns import SEPARATORS, find_columns

_BACKGROUND = re.compile(
    r"[\W_]*(background|unknown|clear label|clear|outside.*|none|unlabell?ed|unclassified|"
    r"undefined|unassigned|empty|medial wall)?[\W_]*",
    re.IGNORECASE,
)
_COLUMNS = {
    "hemisphere": ("hemisphere", "hemi", "side", "laterality", "lr"),
    "parent": ("parent", "group", "structure", "category"),
    "lobe": ("lobe", "lobes"),
    "gyrus": ("gyrus", "gyri"),
    "abbreviation": ("abbreviation", "abbr", "acronym", "short_name"),
    "full_name": ("full_name", "fullname", "long_name", "regionlongname", "description"),
}
"""What a column is called in all tables, and what it is called in theirs."""


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
        The table's other columns. Those that name the side, the lobe, the gyrus, an abbreviation
        or a full name are called so in all tables; see `levels.Levels`.
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
    """Call the columns for the levels of a region by one name each.

    Examples
    --------
    >>> name_columns({"hemi": "L", "lobe": "frontal", "network": "A"})
    {'hemisphere': 'L', 'lobe': 'frontal', 'network': 'A'}
    """
    renamed = {
        next((key for key in keys if key in extra), ""): name for name, keys in _COLUMNS.items()
    }
    return {renamed.get(key, key): value for key, value in extra.items()}


# Tables of columns: CSV, TSV, semicolons, pipes; with a header or without.


_READINGS = 3  # columns of a table that may be the labels; the image decides
_THINGS = ("label", "region", "roi", "parcel", "structure", "area", "component", "network")
_COUNTS = ("index", "id", "value", "label", "key", "number", "idx", "no", "nr", "num", "intensity")
_WORDS = ("name", "names", "fullname", "longname", "anatomicalname", "anatomicallabel")
_INDEX_NAMES = (
    *("grayvalue", "greyvalue", "voxelvalue", "pixelvalue"),
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


@label_table(".txt", ".lut", ".ctbl", ".label", ".labels", ".csv", ".tsv")
def parse_columns(lines: list[str]) -> Parsed | None:
    """A table whose header, if any, does not tell the columns: what they hold does.

    Whole numbers, each in one row, are labels; where several columns are, the image decides.
    Three or four numbers in one range are a colour. Of two columns of words the one with the
    shorter words is the abbreviation.

    Examples
    --------
    >>> parse_columns(["1|ACAL|anterior cerebral artery left|1", "2|MLSL|medial left|1"]).rows[0]
    Region(label=1, name='anterior cerebral artery left',
           extra={'abbreviation': 'ACAL', 'column 4': '1'})
    >>> parsed = parse_columns(["1 Precentral_L 2001", "2 Precentral_R 2002"])
    >>> [region.label for region in parsed.others[0].rows]
    [2001, 2002]
    """
    lines = [line for line in lines if not line.lstrip().startswith("#")]
    if not lines or lines[0].lstrip()[:1] in ("<", "{", "["):
        return None
    check_extent(columns=1 + max(map(lines[0].count, SEPARATORS)))
    columns = find_columns(lines)
    if columns is None:
        return None
    header = [columns.title(column) for column in range(len(columns.rows[0]))]
    if columns.header:
        header = [_plain(title) or f"column {n}" for n, title in enumerate(header, 1)]
    kept = [
        column for column in range(len(header)) if column not in (*columns.ignored, columns.name)
    ]
    regions = {
        label: tuple(
            Region(
                parse_label(number, row[label]),
                row[columns.name],
                name_columns({header[column]: row[column] for column in kept if row[column]}),
            )
            for number, row in enumerate(columns.rows, 1)
        )
        for label in columns.labels[:_READINGS]
    }
    first, *others = (
        Numbering(f"column {label + 1} of the table taken as label", rows)
        for label, rows in regions.items()
    )
    return Parsed(first.rows, tuple(others))


@label_table(".csv", ".tsv", ".txt")
def parse_delimited(lines: list[str]) -> Parsed | None:
    """A table with a header and commas, semicolons, tabs or pipes; BIDS ``_dseg.tsv`` is one.

    Examples
    --------
    >>> parse_delimited(["index;name;lobe", "7;Angular gyrus L;parietal"]).rows
    (Region(label=7, name='Angular gyrus L', extra={'lobe': 'parietal'}),)
    """
    if max(map(len, lines)) > csv.field_size_limit():
        return None
    rows = _split(_from_header(lines))
    header = [_plain(cell) for cell in rows[0]]
    # Spreadsheets write rows of empty cells below the last one.
    body = [(n, row) for n, row in enumerate(rows[1:], 2) if any(cell.strip() for cell in row)]
    columns = _find_columns(header, [row for _, row in body])
    if columns is None:
        return None
    indices, name = columns
    # A second column of numbers, as AAL has, counts where the image says so.
    first, *others = (
        Numbering(
            f"labels are the table's column {header[index]}",
            tuple(_parse_row(number, row, header, (index, name)) for number, row in body),
        )
        for index in indices[:_READINGS]
    )
    return Parsed(first.rows, tuple(others))


def _split(lines: list[str]) -> list[list[str]]:
    rows = list(csv.reader(lines, delimiter=max(SEPARATORS, key=lines[0].count)))
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


def _find_columns(header: list[str], rows: list[list[str]]) -> tuple[list[int], int] | None:
    """Where labels and names stand: where the header says so and the cells bear it out.

    Of labels, behind the likeliest column those that hold a whole number in every row as well.
    """
    bare = [_bare(cell) for cell in header]
    indices = [bare.index(name) for name in _INDEX_NAMES if name in bare]
    names = [bare.index(name) for name in _REGION_NAMES if name in bare]
    numbers = (column for column in indices if _holds_numbers(rows, column))
    index = next(chain(numbers, indices), None)
    texts = (column for column in names if not _holds_numbers(rows, column))
    name = next((column for column in chain(texts, names) if column != index), None)
    if index is None or name is None:
        return None
    whole = [
        column
        for column in indices
        if column not in (index, name)
        and all(column < len(row) and is_number(row[column].strip()) for row in rows)
    ]
    return [index, *whole], name


def _holds_numbers(rows: list[list[str]], column: int) -> bool:
    """Whether most rows have a number there: a column called "label" may hold either."""
    cells = [row[column].strip() for row in rows if column < len(row)]
    return 2 * sum(re.fullmatch(r"-?\d+(\.\d*)?", cell) is not None for cell in cells) > len(cells)


def _parse_row(number: int, row: list[str], header: list[str], columns: tuple[int, int]) -> Region:
    if len(row) > len(header) and not any(cell.strip() for cell in row[len(header) :]):
        row = row[: len(header)]  # spreadsheets write empty cells beyond the last column
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


# Tables as XML (FSL, SPM) and as JSON.


_WRAPPERS = ("labels", "regions")
_POSITION = "@index"  # of FSL's, which counts from 0


@label_table(".json")
def parse_json(lines: list[str]) -> Parsed | None:
    """``{"1": "name"}``, ``["name", ...]``, or ``[{"index": 1, "name": "name"}, ...]``.

    Within ``labels`` or ``regions`` also ``{"name": 1}``, as programs that segment write it.

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
        inner = next((content[key] for key in _WRAPPERS if key in content), None)
        content = content if inner is None else inner
        if isinstance(inner, dict) and inner and all(type(n) is int for n in inner.values()):
            content = [{"index": number, "name": name} for name, number in inner.items()]
    if isinstance(content, dict | list):
        check_extent(rows=len(content))
    rows = _json_rows(content)
    if not rows:
        return None
    is_position = isinstance(content, list) and isinstance(content[0], str)
    return Parsed(rows, is_position=is_position and not is_background(rows[0].name))


def _json_rows(content: Any) -> tuple[Region, ...]:
    if isinstance(content, dict):
        if not all(key.strip().isdigit() for key in content):
            return ()
        content = [
            (item if isinstance(item, dict) else {"name": item}) | {"index": key}
            for key, item in content.items()
        ]
    if not isinstance(content, list):
        return ()
    if all(isinstance(item, str) for item in content):
        return tuple(Region(number, name.strip()) for number, name in enumerate(content))
    if not all(isinstance(item, dict) for item in content):
        return ()
    regions = (_json_region(number, item) for number, item in enumerate(content, start=1))
    return tuple(filter(None, regions))


def _json_region(number: int, item: dict[str, Any]) -> Region | None:
    plain = {str(key).lower(): value for key, value in item.items()}
    keys = {_bare(key): key for key in reversed(plain)}
    indices = [keys[name] for name in _INDEX_NAMES if name in keys]
    numbers = (key for key in indices if is_number(str(plain[key]).strip()))
    index = next(chain(numbers, indices), None)
    names = (keys[name] for name in _REGION_NAMES if name in keys)
    name = next((key for key in names if key != index and isinstance(plain[key], str)), None)
    if index is None or name is None:
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
    """FSL's ``<label index="0" x= y= z=>name</label>``, SPM's ``<index>`` and ``<name>``, others.

    Any element that repeats, with a number and a name as attribute, child or text, is a region, as
    Julich-Brain's ``<Structure grayvalue="1" id="269">name</Structure>``; of two numbers the image
    decides. FSL numbers the volumes of a probabilistic atlas from 0; its images of labels hold
    that number plus 1. Positions are ignored: they are voxels of one image, not properties of a
    region.

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
    by_tag: dict[str, list[ET.Element]] = {}
    for item in root.iter():
        if item.attrib or len(item) > 1:
            by_tag.setdefault(item.tag.rpartition("}")[2].lower(), []).append(item)
    check_extent(rows=max(map(len, by_tag.values()), default=0))
    kinds = [read for items in by_tag.values() if (read := _xml_regions(items))]
    if not kinds:
        return None
    first, *others = max(kinds, key=lambda read: len(read[0].rows))
    kind = (root.findtext("header/type") or "").strip().lower()
    is_position = first.summary == _POSITION and kind != "label"
    numberings = (
        Numbering(f"labels are the table's {other.summary.lstrip('@')}", other.rows)
        for other in others
    )
    return Parsed(first.rows, tuple(numberings), is_position)


def _xml_regions(items: list[ET.Element]) -> tuple[Numbering, ...]:
    """The regions that elements of one kind name, by each of their attributes for a number."""
    fields = [_xml_fields(item) for item in items]
    keys = [
        key
        for key in _INDEX_NAMES
        if any(is_number(own.get(key, ("", ""))[1]) and _xml_name(own, key) for own in fields)
    ]
    return tuple(
        Numbering(
            min((own[key][0] for own in fields if key in own), default=""),
            tuple(
                Region(parse_label(number, own[key][1]), _xml_name(own, key))
                for number, own in enumerate(fields, start=1)
                if key in own
            ),
        )
        for key in keys[:_READINGS]
    )


def _xml_fields(item: ET.Element) -> dict[str, tuple[str, str]]:
    """Attributes, children and text of an element: its plain name, where it stands, its value."""
    own = {_bare(key): (f"@{key}", value.strip()) for key, value in item.attrib.items()}
    children = {
        _bare(child.tag.rpartition("}")[2]): (child.tag, (child.text or "").strip())
        for child in item
    }
    return {"": ("", (item.text or "").strip())} | children | own


def _xml_name(fields: dict[str, tuple[str, str]], index: str) -> str:
    names = (fields[key][1] for key in _REGION_NAMES if key in fields and key != index)
    return next(filter(None, names), fields[""][1])
