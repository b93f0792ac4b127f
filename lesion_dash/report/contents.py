"""The maps and tables of a report's folder, as the other commands write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..comparison import FILE_NAME as OVERLAP_NAME
from ..differences import FILE_NAMES as DIFFERENCE_NAMES
from ..images import Map, Mask
from ..images.writing import file_parts
from ..regions import FILE_NAME as REGIONS_NAME
from ..tables import csv_bytes
from ..topography import FILE_NAMES as STATS_NAMES
from .findings import Findings, Side
from .quantities import count_words

PATIENTS_NAME = "patients.csv"
COVERAGE_NAME = "coverage.csv"

_STATS_WORDS = {
    "mean": "mean total lesion volume of the patients lesioned at each voxel (mm³)",
    "std": "its standard deviation (divided by n, mm³)",
    "median": "median total lesion volume (mm³)",
    "n": "patients lesioned at each voxel",
}
_DIFFERENCE_WORDS = {
    "frequency": "percent of A lesioned minus percent of B (percentage points), at every voxel",
    "mean": "mean total lesion volume of A minus that of B (mm³); NaN where k is not reached",
    "std": "SD of total lesion volume of A minus that of B (mm³); NaN where k is not reached",
}


@dataclass(frozen=True)
class Item:
    """A file of the folder.

    Parameters
    ----------
    words : str
        What it holds.
    make : callable
        Gives its content.
    """

    words: str
    make: Callable[[], bytes]


def result_names(is_pair: bool, has_atlas: bool) -> list[str]:
    """The maps and tables of a report; those of one cohort of two begin with its letter."""
    names = [
        own_name(name, letter, is_pair)
        for letter in ("ab" if is_pair else "a")
        for name in (*STATS_NAMES.values(), PATIENTS_NAME, COVERAGE_NAME)
    ]
    if is_pair:
        names += [f"{name}.gz" for name in (OVERLAP_NAME, *DIFFERENCE_NAMES.values())]
    return [*names, *([REGIONS_NAME] if has_atlas else [])]


def own_name(name: str, letter: str, is_pair: bool) -> str:
    """The name of a file of one cohort; maps are compressed.

    Examples
    --------
    >>> own_name("lesion_patients_per_voxel.nii", "a", is_pair=False), own_name("x.csv", "b", True)
    ('lesion_patients_per_voxel.nii.gz', 'b_x.csv')
    """
    ending = ".gz" if name.endswith(".nii") else ""
    return f"{f'{letter}_' if is_pair else ''}{name}{ending}"


def contents(findings: Findings) -> dict[str, Item]:
    """The files by the names of `result_names`, in that order."""
    found: dict[str, Item] = {}
    for side in findings.sides:
        found |= _of_side(findings, side)
    if findings.overlap is not None:
        both = findings.overlap.both
        words = f"1 where at least {_least(findings)} of A and of B are lesioned"
        name = f"{OVERLAP_NAME}.gz"
        found[name] = Item(words, partial(_map_bytes, both, name))
    if findings.differences is not None:
        for key, stem in DIFFERENCE_NAMES.items():
            name, made = f"{stem}.gz", getattr(findings.differences, key)
            found[name] = Item(_DIFFERENCE_WORDS[key], partial(_map_bytes, made, name))
    if (counts := findings.regions) is not None:
        words = "how much of what counts lies in each region of the atlas"
        found[REGIONS_NAME] = Item(words, lambda: csv_bytes(counts.table))
    return found


def _of_side(findings: Findings, side: Side) -> dict[str, Item]:
    where = f", where at least {_least(findings)} are lesioned"
    found = {}
    for key, stem in STATS_NAMES.items():
        name = own_name(stem, side.letter, findings.is_pair)
        made = partial(_stats_bytes, side, key, name)
        found[name] = Item(_STATS_WORDS[key] + where, made)
    tables = {
        PATIENTS_NAME: ("every file, used or not, with reason and volume", "files_table"),
        COVERAGE_NAME: ("what each minimum of patients leaves", "coverage"),
    }
    for stem, (words, kind) in tables.items():
        name = own_name(stem, side.letter, findings.is_pair)
        found[name] = Item(words, partial(_table_bytes, side, kind))
    return found


def _least(findings: Findings) -> str:
    return count_words(findings.request.min_patients, "patient")


def _stats_bytes(side: Side, key: str, name: str) -> bytes:
    return _map_bytes(getattr(side.stats, key), name)


def _map_bytes(found: Map | Mask, name: str) -> bytes:
    return b"".join(file_parts(found.to_nifti(), name))


def _table_bytes(side: Side, kind: str) -> bytes:
    return csv_bytes(side.coverage.table if kind == "coverage" else side.cohort.files_table)
