"""A report: one page, and the maps, tables and provenance beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path

from ..atlas.atlas import Atlas
from ..cohort.cohort import Cohort
from ..core.tables import csv_bytes
from ..files.provenance import FILE_NAME as PROVENANCE_NAME
from ..files.reading import checksum
from ..files.writing import write_atomically
from ..images.maps import Map, file_parts
from ..images.masks import Mask
from ..images.reading import Progress
from ..regions.counts import FILE_NAME as REGIONS_NAME
from ..stats.differences import FILE_NAMES as DIFFERENCE_NAMES
from ..stats.overlap import FILE_NAME as OVERLAP_NAME
from ..stats.topography import FILE_NAMES as STATS_NAMES
from .figures import Picture, drawings
from .findings import Findings, ReportRequest, Side, find_all
from .formatting import counted
from .page import PAGE_NAME, make_page, summary
from .reproduction import report_provenance

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
    summary : str
        What it holds.
    make : callable
        Gives its content.
    """

    summary: str
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
    return counted(findings.request.min_patients, "patient")


def _stats_bytes(side: Side, key: str, name: str) -> bytes:
    return _map_bytes(getattr(side.stats, key), name)


def _map_bytes(found: Map | Mask, name: str) -> bytes:
    return b"".join(file_parts(found.to_nifti(), name))


def _table_bytes(side: Side, kind: str) -> bytes:
    return csv_bytes(side.coverage.table if kind == "coverage" else side.cohort.files_table)


# A report: one page, and the maps, tables and provenance beside it.


_PROVENANCE_WORDS = "versions, parameters, SHA-256 of inputs and outputs, counts"


@dataclass(frozen=True, eq=False)
class Report:
    """A report on one cohort, or on two.

    Parameters
    ----------
    title : str
    day : date
        On which it was made; the one thing that inputs and request do not decide.
    sentences : tuple of str
        The report in short.
    html : str
        The page.
    files : dict of bytes
        Every file of the folder by name, the page first.
    """

    title: str
    day: date
    sentences: tuple[str, ...]
    html: str
    files: dict[str, bytes]


def file_names(is_pair: bool, has_atlas: bool) -> list[str]:
    """The files of a report, known before it is made.

    Examples
    --------
    >>> file_names(is_pair=False, has_atlas=True)[-2:]
    ['region_counts.csv', 'provenance.json']
    """
    return [PAGE_NAME, *result_names(is_pair, has_atlas), PROVENANCE_NAME]


def make_report(
    a: Cohort,
    b: Cohort | None = None,
    atlas: Atlas | None = None,
    request: ReportRequest | None = None,
    day: date | None = None,
    progress: Progress | None = None,
) -> Report:
    """Make a report on a cohort, or on two and their overlap and differences.

    The same cohorts, atlas and request give the same bytes but for the day. Folders and files are
    called by their names, without the folders above them.

    Parameters
    ----------
    a, b : Cohort
        Whole: the conditions of the request are asked here.
    atlas : LabelAtlas or ProbabilityAtlas, optional
        For the table of regions.
    request : ReportRequest, optional
        By default voxels of at least 5 patients, and no condition.
    day : date, optional
        By default today.
    progress : callable, optional
        Called with (steps done, steps in all); what it raises ends the work.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        Where a cohort is not whole, where a condition cannot be asked or nobody meets it, where
        voxels of A and B do not coincide, or the atlas lies elsewhere.

    Examples
    --------
    >>> from lesion_dash import ReportRequest, load_cohort, make_report
    >>> report = make_report(load_cohort("sample_data/cohort_a"), request=ReportRequest(40))
    >>> report.title, list(report.files)[0]
    ('Lesion report: cohort_a', 'report.html')
    """
    findings = find_all(a, b, atlas, request or ReportRequest())
    day = day or datetime.now().astimezone().date()
    items, to_draw = contents(findings), drawings(findings)
    steps = _Steps(len(items) + len(to_draw), progress)
    pictures: dict[str, Picture] = {}
    for key, draw in to_draw.items():
        pictures[key] = draw()
        steps.advance()
    results: dict[str, bytes] = {}
    for name, item in items.items():
        results[name] = item.make()
        steps.advance()
    words = [(name, item.summary) for name, item in items.items()]
    page = make_page(findings, pictures, [*words, (PROVENANCE_NAME, _PROVENANCE_WORDS)], day)
    return _put_together(findings, day, page, results)


def save_report(report: Report, folder: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Write a report into a folder, all files together or none.

    Parameters
    ----------
    report : Report
    folder : path
        Made where it does not exist.
    overwrite : bool
        Replace an earlier report.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    InputError
        Where the folder may not be written, already holds results, or the disk is full.
    """
    with write_atomically(folder, report.files, overwrite) as writer:
        for name, content in report.files.items():
            writer.add(name, content)
    return writer.folder / PAGE_NAME


def _put_together(findings: Findings, day: date, page: str, results: dict[str, bytes]) -> Report:
    # The page bears the day, so its checksum would differ from one day to the next.
    sums = {name: checksum(content) for name, content in results.items()}
    provenance = report_provenance(findings, day, sums)
    files = {PAGE_NAME: page.encode("utf-8")} | results | {PROVENANCE_NAME: provenance}
    return Report(findings.title, day, summary(findings), page, files)


@dataclass
class _Steps:
    """How far the work has come."""

    total: int
    progress: Progress | None
    done: int = 0

    def advance(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)
