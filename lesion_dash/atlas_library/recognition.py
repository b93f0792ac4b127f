"""Well-known atlases in files of the user's own, told by the file's name or the regions' names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .entries import LIBRARY, PREFIX


@dataclass(frozen=True)
class _Known:
    """What an atlas is called, how it is told, and what to cite.

    Parameters
    ----------
    name : str
    files : str
        Pattern of what its files are called.
    regions : frozenset of str
        Names, in lower case and without marks, that only its table has all of.
    citation : str
    """

    name: str
    files: str
    regions: frozenset[str]
    citation: str


def _of_library(name: str, files: str, *regions: str, entry: str) -> _Known:
    return _Known(name, files, frozenset(regions), LIBRARY[PREFIX + entry].citation)


_KNOWN = (
    _of_library("AAL3", r"\baal ?3", "precentral l", "thal av l", entry="aal_3"),
    _of_library("AAL", r"\baal\b|\brois? mni v4\b", "precentral l", "vermis 10", entry="aal"),
    _of_library(
        *("Harvard-Oxford", r"\bharvard ?oxford"),
        *("frontal pole", "insular cortex", "heschls gyrus"),
        entry="harvard_oxford_cort",
    ),
    _of_library("Juelich", r"\bj(ue|u)lich|\bjubrain", entry="juelich"),
    _of_library("Schaefer", r"\bschaefer", entry="schaefer_100"),
    _of_library("Destrieux", r"\bdestrieux", entry="destrieux"),
    _of_library("Yeo", r"\byeo", entry="yeo_7"),
    _of_library("DiFuMo", r"\bdifumo", entry="difumo_64"),
    _of_library("BASC", r"\bbasc\b", entry="basc_7"),
    _of_library("MSDL", r"\bmsdl\b", entry="msdl"),
    _Known(
        "Brainnetome",
        r"\bbn atlas|\bbrainnetome|\bbna\b",
        frozenset({"a8m l", "a8m r", "a8dl l"}),
        "Fan et al. 2016, Cereb Cortex 26:3508",
    ),
    _Known(
        "the arterial territories",
        r"\barterial ?atlas|\barterial territor",
        frozenset({"anterior cerebral artery left", "medial lenticulostriate left"}),
        "Liu et al. 2023, Sci Data 10:74",
    ),
)


def probable_credit(file: str, regions: Iterable[str]) -> str:
    """What to cite for an atlas that looks like a well-known one, or nothing.

    Only names are compared, so this is a guess, and says so.

    Examples
    --------
    >>> probable_credit("BN_Atlas_246_2mm", [])
    'probably Brainnetome: cite Fan et al. 2016, Cereb Cortex 26:3508'
    >>> probable_credit("mine", ["Precentral_L", "Vermis_10"])
    'probably AAL: cite Tzourio-Mazoyer et al. 2002, NeuroImage 15:273'
    >>> probable_credit("mine", ["A", "B"])
    ''
    """
    called, names = _plain(file), {*map(_plain, regions)}
    by_file = (one for one in _KNOWN if re.search(one.files, called))
    by_regions = (one for one in _KNOWN if one.regions and one.regions <= _with_sideless(names))
    known = next(by_file, None) or next(by_regions, None)
    return f"probably {known.name}: cite {known.citation}" if known else ""


def _plain(text: str) -> str:
    """Lower case, words apart, no marks within a word."""
    return re.sub(r"[\W_]+", " ", text.lower().replace("'", "")).strip()


def _with_sideless(names: set[str]) -> set[str]:
    """The names, and the same without a side before them."""
    return names | {re.sub(r"^(left|right|l|r) ", "", name) for name in names}
