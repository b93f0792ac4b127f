"""A report: one page, and the maps, tables and provenance beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from ..atlas import Atlas
from ..cohort import Cohort
from ..files import checksum, write_together
from ..images import Progress
from ..provenance import FILE_NAME as PROVENANCE_NAME
from .contents import contents, result_names
from .figures import Picture, drawings
from .findings import Findings, find_all
from .inputs import report_provenance
from .page import PAGE_NAME, make_page
from .request import ReportRequest
from .summary import summary

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
    words = [(name, item.words) for name, item in items.items()]
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
    with write_together(folder, report.files, overwrite) as outbox:
        for name, content in report.files.items():
            outbox.add(name, content)
    return outbox.folder / PAGE_NAME


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
