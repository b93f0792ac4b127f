"""A report: one page, and the maps, tables and provenance beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ..atlas.atlas import Atlas
from ..cohort.cohort import Cohort
from ..core.tables import csv_bytes
from ..files.reading import checksum
from ..files.writing import FILE_NAME as PROVENANCE_NAME
from ..files.writing import write_atomically
from ..images.maps import Map, file_parts
from ..images.masks import Mask
from ..images.reading import Progress
from ..regions.counts import FILE_NAME as REGIONS_NAME
from ..stats.differences import FILE_NAMES as DIFFERENCE_NAMES
from ..stats.overlap import FILE_NAME as OVERLAP_NAME
from ..stats.topography import FILE_NAMES as STATS_NAMES
from .figures import drawings
from .findings import Findings, ReportRequest, Side, find_all
from .formatting import counted
from .page import PAGE_NAME, make_page, summary
from .reproduction import report_inputs, report_provenance

PATIENTS_NAME = "patients.csv"
COVERAGE_NAME = "coverage.csv"

# What each file holds, as the page says it.
_STATS = {
    "mean": "mean total lesion volume of the patients lesioned at each voxel (mm³)",
    "std": "its standard deviation (divided by n, mm³)",
    "median": "median total lesion volume (mm³)",
    "n": "patients lesioned at each voxel",
}
_DIFFERENCES = {
    "frequency": "percent of A lesioned minus percent of B (percentage points), at every voxel",
    "mean": "mean total lesion volume of A minus that of B (mm³); NaN where k is not reached",
    "std": "SD of total lesion volume of A minus that of B (mm³); NaN where k is not reached",
}
_PATIENTS = "every file, used or not, with reason and volume"
_COVERAGE = "what each minimum of patients leaves"
_REGIONS = "how much of what counts lies in each region of the atlas"
_PROVENANCE = "versions, parameters, SHA-256 of inputs and outputs, counts"

T = TypeVar("T")


class _File(NamedTuple):
    """What a file of the folder holds, and the call that gives its content."""

    summary: str
    make: Callable[[], bytes]


def _own_name(name: str, letter: str, is_pair: bool) -> str:
    """The name of a file of one cohort; maps are compressed."""
    ending = ".gz" if name.endswith(".nii") else ""
    return f"{f'{letter}_' if is_pair else ''}{name}{ending}"


def _result_files(findings: Findings) -> dict[str, _File]:
    """The maps and tables, in the order of `file_names`."""
    at_least = f"at least {counted(findings.request.min_patients, 'patient')}"
    files: dict[str, _File] = {}
    for side in findings.sides:
        name_of = partial(_own_name, letter=side.letter, is_pair=findings.is_pair)
        for key, stem in STATS_NAMES.items():
            name, summary = name_of(stem), f"{_STATS[key]}, where {at_least} are lesioned"
            files[name] = _File(summary, partial(_stats_bytes, side, key, name))
        files[name_of(PATIENTS_NAME)] = _File(_PATIENTS, partial(_table_bytes, side, "patients"))
        files[name_of(COVERAGE_NAME)] = _File(_COVERAGE, partial(_table_bytes, side, "coverage"))
    if findings.overlap is not None:
        name = f"{OVERLAP_NAME}.gz"
        summary = f"1 where {at_least} of A and of B are lesioned"
        files[name] = _File(summary, partial(_map_bytes, findings.overlap.both, name))
    if findings.differences is not None:
        for key, stem in DIFFERENCE_NAMES.items():
            name, drawn = f"{stem}.gz", getattr(findings.differences, key)
            files[name] = _File(_DIFFERENCES[key], partial(_map_bytes, drawn, name))
    if (regions := findings.regions) is not None:
        files[REGIONS_NAME] = _File(_REGIONS, lambda: csv_bytes(regions.table))
    return files


def _stats_bytes(side: Side, key: str, name: str) -> bytes:
    return _map_bytes(getattr(side.stats, key), name)


def _map_bytes(image: Map | Mask, name: str) -> bytes:
    return b"".join(file_parts(image.to_nifti(), name))


def _table_bytes(side: Side, kind: str) -> bytes:
    return csv_bytes(side.coverage.table if kind == "coverage" else side.cohort.files_table)


@dataclass(frozen=True, eq=False)
class Report:
    """A report on one cohort, or on two.

    Parameters
    ----------
    title : str
    day : date
        On which it was made; inputs and request decide all else.
    sentences : tuple of str
        The report in short.
    html : str
        The page.
    files : dict of bytes
        Every file of the folder by name, the page first.
    inputs : list of dict
        As the provenance holds them, with the notes on each.
    notes : list of str
        What is unusual about the results.
    """

    title: str
    day: date
    sentences: tuple[str, ...]
    html: str
    files: dict[str, bytes]
    inputs: list[dict[str, Any]]
    notes: list[str]


def file_names(is_pair: bool, has_atlas: bool) -> list[str]:
    """The files of a report, known before it is made.

    Examples
    --------
    >>> file_names(is_pair=False, has_atlas=True)[-2:]
    ['region_counts.csv', 'provenance.json']
    """
    names = [
        _own_name(name, letter, is_pair)
        for letter in ("ab" if is_pair else "a")
        for name in (*STATS_NAMES.values(), PATIENTS_NAME, COVERAGE_NAME)
    ]
    if is_pair:
        names += [f"{name}.gz" for name in (OVERLAP_NAME, *DIFFERENCE_NAMES.values())]
    return [PAGE_NAME, *names, *([REGIONS_NAME] if has_atlas else []), PROVENANCE_NAME]


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
        Whole cohorts: the request holds the conditions.
    atlas : Atlas, optional
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
        Where a cohort is restricted already, where a condition names no column or no patient meets
        it, where voxels of A and B do not coincide, or the atlas lies elsewhere.

    Examples
    --------
    >>> from lesion_dash import ReportRequest, load_cohort, make_report
    >>> report = make_report(load_cohort("sample_data/cohort_a"), request=ReportRequest(40))
    >>> report.title, list(report.files)[0]
    ('Lesion report: cohort_a', 'report.html')
    """
    findings = find_all(a, b, atlas, request or ReportRequest())
    day = day or datetime.now().astimezone().date()
    files, to_draw = _result_files(findings), drawings(findings)
    total = len(files) + len(to_draw)
    pictures = _call_each(to_draw, 0, total, progress)
    makers = {name: file.make for name, file in files.items()}
    results = _call_each(makers, len(to_draw), total, progress)
    summaries = [(name, file.summary) for name, file in files.items()]
    page = make_page(findings, pictures, [*summaries, (PROVENANCE_NAME, _PROVENANCE)], day)
    # The page bears the day, so its checksum would differ from one day to the next.
    sums = {name: checksum(content) for name, content in results.items()}
    provenance = report_provenance(findings, day, sums)
    every = {PAGE_NAME: page.encode("utf-8")} | results | {PROVENANCE_NAME: provenance}
    inputs, notes = report_inputs(findings), findings.notes_on_results
    return Report(findings.title, day, summary(findings), page, every, inputs, notes)


def _call_each(
    calls: Mapping[str, Callable[[], T]], before: int, total: int, progress: Progress | None
) -> dict[str, T]:
    """The result of each call; `progress` is called after each and may raise to end the work."""
    results = {}
    for done, (name, call) in enumerate(calls.items(), before + 1):
        results[name] = call()
        if progress is not None:
            progress(done, total)
    return results


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
