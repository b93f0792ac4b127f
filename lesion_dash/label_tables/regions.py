"""Regions as a table names them, and the number each has in an image."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..files import SMALLER, TABLE

_LARGEST_LABEL = 2**53
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
    """A reading of a table's numbers, and the words that tell it from others."""

    words: str
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


def shifted(rows: Iterable[Region]) -> tuple[Region, ...]:
    """The same regions with labels larger by 1."""
    return tuple(replace(region, label=region.label + 1) for region in rows)


def parse_label(number: int, text: str) -> int:
    """A label from the text of a row, or a `TableFault` that names the row."""
    try:
        value = float(text)
    except ValueError:
        raise TableFault(f"row {number}: id {text[:40]!r} is not a number") from None
    if not abs(value) < _LARGEST_LABEL:
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
