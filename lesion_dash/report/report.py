"""A report: one page, and the maps, tables and provenance beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from ..core.tables import csv_bytes
from ..core.text import counted
from ..files.earlier import replacing
from ..files.paths import AnyPath, PathInput, as_path
from ..files.reading import checksum
from ..files.writing import FILE_NAME as PROVENANCE_NAME
from ..files.writing import write_atomically
from ..images.maps import file_parts
from ..images.reading import Progress
from ..stats.differences import FILE_NAMES as DIFFERENCE_NAMES
from ..stats.lesion_symptom.univariate import LINEAR
from ..stats.overlap import FILE_NAME as OVERLAP_NAME
from ..stats.topography import FILE_NAMES as STATS_NAMES
from .figures import drawings
from .findings import Findings, RegionFindings, Side
from .page import PAGE_NAME, make_page, summary
from .reproduction import Again, report_inputs, report_provenance
from .symptoms import SymptomFindings

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
_REGION_TESTS = "symptom_regions.csv"
_SYMPTOMS = {
    "symptom_statistic.nii.gz": ("statistic of the score, lesioned minus spared", "statistic"),
    "symptom_corrected_p.nii.gz": ("its p, corrected for all tested voxels", "corrected_p"),
    "symptom_effect.nii.gz": ("difference of the score, lesioned minus spared", "effect"),
    "symptom_clusters.csv": ("clusters of the map of the score", "cluster_table"),
    _REGION_TESTS: ("the same test of the share of each region", "region_table"),
    "symptom_prediction.csv": ("how well each model predicts", "prediction.summary"),
    "symptom_patients.csv": ("who was used, and who was excluded", "symptom_map.patients.table"),
}
"""Files of a score: what each holds, and where the findings have it."""
_PROVENANCE = "versions, parameters, SHA-256 of inputs and outputs, counts"

T = TypeVar("T")


class _File(NamedTuple):
    """A file of the folder, what the page says of it, and where the findings hold its content."""

    name: str
    summary: str
    attribute: str
    side: int | None = None
    atlas: int | None = None
    symptoms: int | None = None


def _files(
    is_pair: bool, tables: Sequence[str], has_score: bool = False, has_region_tests: bool = False
) -> Iterator[_File]:
    """The maps and tables, in their order; ``{k}`` stands for the minimum of patients.

    Parameters
    ----------
    is_pair : bool
    tables : sequence of str
        File names of the tables of regions, one for each atlas.
    has_score, has_region_tests : bool
        Whether a score is mapped, and tested in regions.
    """
    patients = "every file, used or not, with reason and volume"
    for side, letter in enumerate("ab" if is_pair else "a"):
        own = f"{letter}_" if is_pair else ""
        for key, name in STATS_NAMES.items():
            summary = f"{_STATS[key]}, where {{k}} are lesioned"
            yield _File(f"{own}{name}.gz", summary, f"stats.{key}", side)
        yield _File(f"{own}{PATIENTS_NAME}", patients, "cohort.files_table", side)
        what_is_left = "what each minimum of patients leaves"
        yield _File(f"{own}{COVERAGE_NAME}", what_is_left, "coverage.table", side)
    if is_pair:
        both = "1 where {k} of A and of B are lesioned"
        yield _File(f"{OVERLAP_NAME}.gz", both, "overlap.both")
        for key, name in DIFFERENCE_NAMES.items():
            yield _File(f"{name}.gz", _DIFFERENCES[key], f"differences.{key}")
    for atlas, name in enumerate(tables):
        regions = "how much of what counts lies in each region of the atlas"
        yield _File(name, regions, "counts.table", atlas=atlas)
    if has_score:
        for number, letter in enumerate("ab" if is_pair else "a"):
            own = f"{letter}_" if is_pair else ""
            for name, (summary, attribute) in _SYMPTOMS.items():
                if name != _REGION_TESTS or has_region_tests:
                    yield _File(f"{own}{name}", summary, attribute, symptoms=number)


def _make(file: _File, findings: Findings) -> bytes:
    owner: Findings | Side | RegionFindings | SymptomFindings = findings
    if file.side is not None:
        owner = findings.sides[file.side]
    elif file.atlas is not None:
        owner = findings.regions[file.atlas]
    elif file.symptoms is not None:
        owner = findings.symptoms[file.symptoms]
    content = attrgetter(file.attribute)(owner)
    if file.name.endswith(".csv"):
        return csv_bytes(content)
    return b"".join(file_parts(content.to_nifti(), file.name))


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

    Examples
    --------
    >>> from lesion_dash import ReportRequest, load_cohort, make_report
    >>> report = make_report(load_cohort("sample_data/cohort_a"), request=ReportRequest(40))
    >>> report.sentences[0][:21], len(report.files)
    ('cohort_a: 40 patients', 8)
    >>> report.files["report.html"].decode() == report.html
    True
    """

    title: str
    day: date
    sentences: tuple[str, ...]
    html: str
    files: dict[str, bytes]
    inputs: list[dict[str, Any]]
    notes: list[str]


def file_names(
    is_pair: bool,
    tables: Sequence[str] = (),
    has_score: bool = False,
    has_region_tests: bool = False,
) -> list[str]:
    """The files of a report, known before it is made.

    Parameters
    ----------
    is_pair : bool
    tables : sequence of str
        File names of the tables of regions, one for each atlas.
    has_score, has_region_tests : bool
        Whether a score is mapped, and tested in regions.

    Examples
    --------
    >>> file_names(is_pair=False, tables=["region_counts.csv"])[-2:]
    ['region_counts.csv', 'provenance.json']
    """
    names = [file.name for file in _files(is_pair, tables, has_score, has_region_tests)]
    return [PAGE_NAME, *names, PROVENANCE_NAME]


def assemble_report(
    findings: Findings, again: Again, day: date | None = None, progress: Progress | None = None
) -> Report:
    """All files of a report; see `make_report`.

    Parameters
    ----------
    findings : Findings
    again : Again
    day : date, optional
    progress : callable, optional
    """
    day = day or datetime.now().astimezone().date()
    has_region_tests = bool(findings.regions) and findings.request.test in LINEAR
    tables = [own.file_name for own in findings.regions]
    files = [*_files(findings.is_pair, tables, bool(findings.symptoms), has_region_tests)]
    to_draw, k = drawings(findings), findings.request.min_patients
    total = len(files) + len(to_draw)
    pictures = _call_each(to_draw, 0, total, progress)
    makers = {file.name: partial(_make, file, findings) for file in files}
    results = _call_each(makers, len(to_draw), total, progress)
    at_least = f"at least {counted(k, 'patient')}"
    summaries = [(file.name, file.summary.format(k=at_least)) for file in files]
    page = make_page(findings, pictures, [*summaries, (PROVENANCE_NAME, _PROVENANCE)], again, day)
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


def save_report(report: Report, folder: PathInput, overwrite: bool = False) -> AnyPath:
    """Write a report into a folder, all files together or none.

    Parameters
    ----------
    report : Report
    folder : path or URL
        Made where it does not exist.
    overwrite : bool
        Replace an earlier report.

    Returns
    -------
    Path or UrlPath
        Of the page.

    Raises
    ------
    InputError
        Where the folder may not be written, already holds results, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> from lesion_dash import ReportRequest, load_cohort, make_report
    >>> report = make_report(load_cohort("sample_data/cohort_a"), request=ReportRequest(40))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = save_report(report, folder)
    ...     page.name, page.exists()
    ('report.html', True)
    """
    with (
        replacing(folder, "report", report.files),
        write_atomically(folder, report.files, overwrite) as writer,
    ):
        for name, content in report.files.items():
            writer.add(name, content)
    return as_path(folder) / PAGE_NAME
