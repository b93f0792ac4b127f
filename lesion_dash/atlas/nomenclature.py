"""Names of regions in words, and their gyrus, lobe and system, for well-known nomenclatures.

The facts stand in tables beside this file, in ``facts``, each with its sources. An atlas is told by
what its regions are called: nearly all names are codes of one nomenclature, or most hold the name
of a structure in words. Nothing is said of the others, nor where facts disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ..core.notes import InfoNote
from ..files.reading import read_text
from .formats import Region
from .levels import COLUMNS, SIDES

_FOLDER = Path(__file__).parent / "facts"

_KNOWN_CODES = 0.9
"""Part of the names that must be codes of a nomenclature, and fewest regions of an atlas.

Both are arbitrary: releases of an atlas differ by a few regions; a few short codes, such as those
of areas, are names in other atlases.
"""
_FEWEST = 10

_KNOWN_WORDS = 0.75
"""Part of the names that must hold a structure in words; arbitrary, as many lists mix in others."""


@dataclass(frozen=True)
class _Nomenclature:
    """The codes of some atlases.

    Parameters
    ----------
    name, citation : str
    tables : tuple of str
        Below `_FOLDER`, without their ending.
    is_abbreviated : bool
        The first code of a row is the abbreviation.
    """

    name: str
    citation: str
    tables: tuple[str, ...]
    is_abbreviated: bool = False


_NOMENCLATURES = (
    _Nomenclature("Brainnetome", "Fan et al. 2016, Cereb Cortex 26:3508", ("brainnetome",), True),
    _Nomenclature(
        "AAL and AICHA",
        "Rolls et al. 2020, NeuroImage 206:116189; Joliot et al. 2015, J Neurosci Methods 254:46",
        ("aal",),
    ),
    _Nomenclature(
        "FreeSurfer",
        "Desikan et al. 2006, NeuroImage 31:968; Destrieux et al. 2010, NeuroImage 53:1",
        ("freesurfer", "destrieux"),
    ),
    _Nomenclature("HCP-MMP1", "Glasser et al. 2016, Nature 536:171", ("hcp_mmp1",), True),
    _Nomenclature("arterial territories", "Liu et al. 2023, Sci Data 10:74", ("arterial",)),
)
_NETWORKS = _Nomenclature("Schaefer's networks", "Schaefer et al. 2018, Cereb Cortex 28:3095", ())
_STRUCTURES = _Nomenclature(
    "structures in words", "Terminologia Neuroanatomica, FIPAT 2017", ("structures",)
)

Facts = dict[str, str]
"""Values by column: those of `levels.COLUMNS`, ``parent`` and ``network``."""


def known_levels(regions: Sequence[Region]) -> tuple[list[Facts], str]:
    """What is known of each region by its name, and by which nomenclature with its citation.

    Examples
    --------
    >>> regions = [Region(n, f"{code}_L") for n, code in enumerate(["A39rv", "A8m"] * 5)]
    >>> facts, source = known_levels(regions)
    >>> facts[0]["full_name"], facts[0]["lobe"]
    ('rostroventral area 39 (PGa)', 'Parietal Lobe')
    >>> source
    'Brainnetome (Fan et al. 2016, Cereb Cortex 26:3508)'
    """
    readings = [
        *((one, [_of_code(one, r.name) for r in regions], _KNOWN_CODES) for one in _NOMENCLATURES),
        (_NETWORKS, [_of_network(r.name) for r in regions], _KNOWN_CODES),
        (_STRUCTURES, [_of_words(r.name) for r in regions], _KNOWN_WORDS),
    ]
    for nomenclature, facts, needed in readings:
        known = sum(map(bool, facts))
        if known >= max(needed * len(regions), _FEWEST):
            return facts, f"{nomenclature.name} ({nomenclature.citation})"
    return [{} for _ in regions], ""


def words_of(name: str) -> str:
    """A name in lower case, its words separated by single blanks, without marks and side.

    Examples
    --------
    >>> words_of("ctx-lh-G_and_S_cingul-Ant"), words_of("Right Heschl's Gyrus")
    ('g and s cingul ant', 'heschls gyrus')
    """
    words = re.sub(r"[\W_]+", " ", name.casefold().replace("'", "")).split()
    kept = [word for word in words if word not in SIDES]
    return " ".join(kept[1:] if kept[:1] == ["ctx"] else kept)


@cache
def _rows(table: str) -> tuple[dict[str, str], ...]:
    """The rows of a table of facts, by column; ``codes`` are separated by bars."""
    text, _, _ = read_text(_FOLDER / f"{table}.tsv")
    header, *lines = [line for line in text.splitlines() if not line.startswith("#")]
    names = header.split("\t")
    return tuple(dict(zip(names, line.split("\t"), strict=False)) for line in lines)


@cache
def _codes(nomenclature: _Nomenclature) -> dict[str, Facts]:
    """The facts of a nomenclature by its codes, as `words_of` spells them."""
    facts: dict[str, Facts] = {}
    for row in (row for table in nomenclature.tables for row in _rows(table)):
        first, *others = row["codes"].split("|")
        for code in (first, *others):
            own = {key: value for key, value in row.items() if key != "codes" and value}
            structure = _structure_of(words_of(own.get("full_name", "")))
            if nomenclature.is_abbreviated:
                own["abbreviation"] = first
            facts[words_of(code)] = structure | own
    return facts


def _of_code(nomenclature: _Nomenclature, name: str) -> Facts:
    known = _codes(nomenclature)
    return next((known[code] for code in _spellings(name) if code in known), {})


def _spellings(name: str) -> Iterable[str]:
    """The code in a name: whole, then without what AICHA and the HCP put around it."""
    yield words_of(name)
    bare = re.sub(r"-\d+(-[LR])?$", "", name)
    yield words_of(bare)
    yield words_of(re.sub(r"^[GN]_", "", bare))
    yield words_of(re.sub(r"_ROI$", "", name))


_NETWORK = re.compile(r"\b(?:7|17)Networks_[LR]H_([A-Za-z]+?)([A-C]|Cent|Peri)?(?:_|$)")
_NETWORK_NAMES = {
    "Vis": "Visual",
    "SomMot": "Somatomotor",
    "DorsAttn": "Dorsal attention",
    "SalVentAttn": "Salience and ventral attention",
    "Limbic": "Limbic",
    "Cont": "Control",
    "Default": "Default mode",
    "TempPar": "Temporo-parietal",
}
_PARTS = {"Cent": " (central)", "Peri": " (peripheral)"}


def _of_network(name: str) -> Facts:
    """The network in a name of Schaefer's, such as ``17Networks_LH_ContA_IPS_1``."""
    match = _NETWORK.search(name)
    if match is None or match[1] not in _NETWORK_NAMES:
        return {}
    part = match[2] or ""
    network = _NETWORK_NAMES[match[1]] + _PARTS.get(part, f" {part}" if part else "")
    return {"network": network, "system": "cortex"}


def _of_words(name: str) -> Facts:
    """The levels of a structure that a name holds in words."""
    levels = _structure_of(words_of(name))
    return {"full_name": _without_side(name)} | levels if levels else {}


def _without_side(name: str) -> str:
    """A name as it is read: blanks for underscores, and no word that says the side."""
    words = re.split(r"[\s_]+", name.strip())
    return " ".join(word for word in words if word.strip("(),").casefold() not in SIDES)


@cache
def _structure_of(words: str) -> Facts:
    """The levels on which the structures in some words agree.

    A structure within another, such as the fusiform gyrus in the occipital fusiform gyrus, does not
    count beside that.
    """
    padded = f" {words} "
    held = [name for name in _structures() if f" {name} " in padded]
    longest = [
        name
        for name in held
        if not any(f" {name} " in f" {other} " for other in held if other != name)
    ]
    rows = [_structures()[name] for name in longest]
    agreed = {}
    for column in ("gyrus", "lobe", "system"):
        values = {row[column] for row in rows if row.get(column)}
        if len(values) == 1:
            agreed[column] = values.pop()
    return agreed


@cache
def _structures() -> dict[str, Facts]:
    rows = _rows("structures")
    return {words_of(name): row for row in rows for name in row["codes"].split("|")}


# Complete the levels of an atlas's regions.


def complete_levels(
    regions: tuple[Region, ...], beside: dict[int, Facts] | None = None, file: str = ""
) -> tuple[tuple[Region, ...], tuple[str, ...]]:
    """Add what is known of regions to the columns of their table, which come first.

    Parameters
    ----------
    regions : tuple of Region
    beside : dict, optional
        By label, the levels in another file of the atlas. They come before the facts, except for
        the full name of a code.
    file : str
        What that file is called.

    Returns
    -------
    regions : tuple of Region
    notes : tuple of str
        Where the levels come from.
    """
    facts, source = known_levels(regions)
    beside = beside or {}
    completed, differing, used = [], [], 0
    for region, known in zip(regions, facts, strict=True):
        given = split_names(beside.get(region.label, {}) | region.extra)
        called = given.get("abbreviation", "")
        code = known.get("abbreviation", "")
        if called and code and not _is_code_of(called, code):
            differing.append((region.label, called, code))
        if code:  # what a code means is the same in all files
            given |= {key: known[key] for key in ("abbreviation", "full_name") if key in known}
        used += any(given.get(key, value) == value for key, value in known.items())
        completed.append(replace(region, extra=_ordered(known | given)))
    notes: list[str] = []
    if beside:
        notes.append(InfoNote(f"levels of {len(beside):,} of {len(regions):,} regions from {file}"))
    if used:
        notes.append(InfoNote(f"levels of {used:,} of {len(regions):,} regions by {source}"))
    if differing:
        label, called, code = differing[0]
        notes.append(
            f"{file or 'the table'} calls {len(differing)} regions otherwise than their codes, "
            f"whose names are used: label {label} is {called} there and {code} by its code"
        )
    return tuple(completed), tuple(notes)


def _is_code_of(called: str, code: str) -> bool:
    """Whether two abbreviations are one, or codes of one region."""
    words = words_of(called)
    same = (_codes(one).get(words, {}).get("abbreviation") for one in _NOMENCLATURES)
    return words == words_of(code) or code in same


_SHORT_AND_LONG = re.compile(r"([^\s,]{1,12}),\s*(\S.*)", re.DOTALL)


def split_names(levels: Facts) -> Facts:
    """The levels without the abbreviation before a name.

    Examples
    --------
    >>> split_names({"gyrus": "SFG, Superior Frontal Gyrus ", "full_name": "A8m, medial area 8"})
    {'gyrus': 'Superior Frontal Gyrus', 'full_name': 'medial area 8', 'abbreviation': 'A8m'}
    """
    own = dict(levels)
    for name in ("gyrus", "full_name"):
        if match := _SHORT_AND_LONG.fullmatch(own.get(name, "").strip()):
            own[name] = " ".join(match[2].split())
            if name == "full_name":
                own.setdefault("abbreviation", match[1])
    return own


def _ordered(extra: Facts) -> Facts:
    """The levels first, in one order."""
    return {name: extra[name] for name in COLUMNS if name in extra} | extra
