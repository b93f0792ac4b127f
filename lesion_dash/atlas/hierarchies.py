"""Files beside an atlas and its table that tell gyrus, lobe and full name of its regions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..core.errors import InputError
from ..files.listing import strip_ending
from ..files.paths import AnyPath
from .formats import Region, has_table_ending
from .levels import COLUMNS, hemisphere_of
from .tables import LabelTable, read_label_table

_WORDS = re.compile(r"(tree|hierarchy|levels|ontology)", re.IGNORECASE)
"""What such a file is called, behind the name of its atlas: ``bnatlas_tree.csv``."""

_ALIKE = 0.9
"""Part of the labels, and of the sides, that file and atlas must share; arbitrary."""


def find_hierarchy(image: AnyPath) -> AnyPath | None:
    """The file beside an image that is named after it and after a tree, if there is one."""
    if not image.parent.is_dir():
        return None
    own = _letters(strip_ending(image.name))
    paths: list[AnyPath] = sorted(image.parent.iterdir(), key=lambda path: path.name)
    for path in filter(has_table_ending, paths):
        word = _WORDS.search(path.stem)
        before = _letters(path.stem[: word.start()]) if word else ""
        if before and own.startswith(before):
            return path
    return None


def _letters(name: str) -> str:
    """A name in small letters and digits alone."""
    return re.sub(r"[\W_]+", "", name.casefold())


def read_hierarchy(
    path: AnyPath, regions: Sequence[Region]
) -> tuple[LabelTable, dict[int, dict[str, str]]] | None:
    """The file, and what it says of each region by label; None where it is of another atlas."""
    try:
        table = read_label_table(path)
    except InputError:
        return None
    rows = {row.label: row for row in table.regions}
    both = [(region, rows[region.label]) for region in regions if region.label in rows]
    if len(both) < _ALIKE * max(len(regions), len(rows)):
        return None
    sides = [(hemisphere_of(region), hemisphere_of(row)) for region, row in both]
    known = [a == b for a, b in sides if a and b]
    if sum(known) < _ALIKE * len(known):
        return None
    levels = {region.label: own for region, row in both if (own := _levels(row, region))}
    return (table, levels) if levels else None


def _levels(row: Region, region: Region) -> dict[str, str]:
    """The levels in a row; a name of its own is the full one."""
    own = {name: row.extra[name].strip() for name in (*COLUMNS, "parent") if row.extra.get(name)}
    own.pop("hemisphere", None)
    if own and "full_name" not in own and row.name != region.name:
        own["full_name"] = row.name
    return own
