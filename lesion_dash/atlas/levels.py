"""Levels of a region's name: abbreviation, full name, gyrus, lobe, hemisphere, system.

A value that neither a file of the atlas nor a rule tells is empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .formats import Region

SWAPPED = "left and right are swapped"
DOUBTFUL = "names are doubtful"
"""What notes begin with where regions lie on another side than their names say."""

By = Literal["lobe", "gyrus", "hemisphere", "system", "parent"]
"""What regions can be put together by."""

_PARENTS = ("parent", "lobe", "network", "system", "gyrus")
"""Columns that may name what a region is part of, the likeliest first."""


@dataclass(frozen=True)
class Levels:
    """What a region is called at each level; empty where that is not known.

    Parameters
    ----------
    abbreviation, full_name : str
        Such as ``A39rv`` and ``rostroventral area 39 (PGa)``.
    gyrus, lobe : str
        Such as ``Inferior Parietal Lobule`` and ``Parietal Lobe``.
    hemisphere : str
        ``left`` or ``right``.
    system : str
        Such as ``cortex``, ``subcortical``, ``white matter``, ``cerebellum``, ``brainstem``,
        ``ventricles`` or ``arterial territory``.
    """

    abbreviation: str = ""
    full_name: str = ""
    gyrus: str = ""
    lobe: str = ""
    hemisphere: str = ""
    system: str = ""


COLUMNS = tuple(Levels.__dataclass_fields__)
"""What columns of a table are called that hold a level."""


def levels_of(region: Region) -> Levels:
    """The levels of a region, from the columns of its table and the words of its name.

    Examples
    --------
    >>> levels_of(Region(1, "A8m_L", {"lobe": "Frontal Lobe"}))
    Levels(abbreviation='', full_name='', gyrus='', lobe='Frontal Lobe', hemisphere='left',
           system='')
    """
    known = {name: region.extra.get(name, "") for name in COLUMNS}
    return Levels(**known | {"hemisphere": hemisphere_of(region)})


def name_in_words(region: Region) -> str:
    """The name with the full name and the lobe, where these are known and say more.

    Examples
    --------
    >>> levels = {"full_name": "medial area 8", "lobe": "Frontal Lobe"}
    >>> name_in_words(Region(1, "A8m_L", levels)), name_in_words(Region(2, "Insula"))
    ('A8m_L (medial area 8, Frontal Lobe)', 'Insula')
    """
    levels = levels_of(region)
    more = [text for text in (levels.full_name, levels.lobe) if text and text != region.name]
    return f"{region.name} ({', '.join(more)})" if more else region.name


def hemisphere_of(region: Region) -> str:
    """The hemisphere of a region: ``left``, ``right``, or nothing where neither is said.

    The table's own column decides where it has one; otherwise a word of the name does.

    Examples
    --------
    >>> hemisphere_of(Region(1, "Precentral_L"))
    'left'
    >>> hemisphere_of(Region(2, "Thalamus", {"hemisphere": "RH"}))
    'right'
    >>> hemisphere_of(Region(3, "Brainstem"))
    ''
    """
    side = named_side(region.extra.get("hemisphere", "") or region.name)
    return {-1: "left", 1: "right"}.get(side, "")


def parent_of(region: Region) -> str:
    """What a region is part of (lobe, network, ...), or nothing where its table does not say.

    Examples
    --------
    >>> parent_of(Region(1, "Precentral_L", {"lobe": "frontal lobe"}))
    'frontal lobe'
    """
    return next((region.extra[name] for name in _PARENTS if region.extra.get(name)), "")


SIDES = {"l": -1, "lh": -1, "left": -1, "r": 1, "rh": 1, "right": 1}
"""Words of names that say a side: -1 is left, 1 is right."""


def named_side(name: str) -> int:
    """-1 where a name says left, 1 where it says right, 0 where it says neither or both."""
    return sum({SIDES.get(word, 0) for word in re.split(r"[\s_.\-()\[\],]+", name.lower())})


_TELL: dict[str, Callable[[Region], str]] = {
    "hemisphere": hemisphere_of,
    "parent": parent_of,
    "lobe": lambda region: region.extra.get("lobe", ""),
    "gyrus": lambda region: region.extra.get("gyrus", ""),
    "system": lambda region: region.extra.get("system", ""),
}
GROUPINGS = tuple(_TELL)


def group_names(regions: tuple[Region, ...], by: By) -> list[str]:
    """The group of each region; empty strings where no region has one.

    A region without a lobe or gyrus, such as a nucleus, is in a group of its system, where that is
    known: ``no lobe given: subcortical``.

    Examples
    --------
    >>> putamen = Region(2, "Putamen", {"system": "subcortical"})
    >>> group_names((Region(1, "Precentral_L", {"lobe": "Frontal Lobe"}), putamen), "lobe")
    ['Frontal Lobe', 'no lobe given: subcortical']
    """
    own = [_TELL[by](region) for region in regions]
    if not any(own):
        return own
    systems = [region.extra.get("system", "") if by != "system" else "" for region in regions]
    is_finer = by in ("lobe", "gyrus")
    return [
        name or f"no {by} given" + (f": {system}" if system and is_finer else "")
        for name, system in zip(own, systems, strict=True)
    ]
