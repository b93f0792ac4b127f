"""Colour tables: names with a colour each, as FreeSurfer and ITK-SNAP write them."""

from __future__ import annotations

import re

from .regions import Parsed, Region, is_number


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
    found = [regions for regions in readings if regions]
    if not found:
        return None
    # A name may end in a number, as "Brodmann 17" does: then four numbers leave names that repeat.
    return Parsed(max(found, key=lambda regions: len({region.name for region in regions})))


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
