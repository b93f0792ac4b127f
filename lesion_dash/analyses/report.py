"""`lesion-dash report`: one page on a folder of masks, or on two, with its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from ..core import defaults
from ..core.errors import InputError
from . import fields
from .fields import option, source
from .inputs import (
    check_overlap,
    load_folder,
    names_by_atlas,
    open_atlases,
    read_options,
    side_notices,
)
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from ..atlas.atlas import Atlas
    from ..cohort.cohort import Cohort
    from ..images.reading import Progress as Steps
    from ..report.findings import Findings, ReportRequest
    from ..report.report import Report
    from ..report.reproduction import Again

_ATLAS = (
    "for the table of regions: labelled or probabilistic NIfTI image, a folder of maps, or a name "
    "from `lesion-dash atlases`; once for each of several"
)


class WriteReport(Request):
    """One HTML file to read, print and share, with its maps and tables."""

    command = "report"
    example = "group_a/ group_b/ --atlas BN_Atlas_246_2mm.nii.gz -o report/"

    a: fields.MasksA
    b: str | None = source(
        "folder or URL of masks that A is compared with", "B", positional=True, default=None
    )
    atlas: tuple[str, ...] = source(_ATLAS, "ATLAS", default=())
    labels: fields.LabelsOfEach
    scale: fields.AtlasScale
    accept_swapped: fields.AcceptSwapped
    mirror_atlas: fields.MirrorAtlas
    output: fields.Output
    overwrite: fields.Overwrite
    strict: fields.Strict
    min_patients: fields.MinPatients
    where: fields.Where
    where_a: fields.WhereA
    where_b: fields.WhereB
    title: str = option("title of the report", "TEXT", default="")
    score: str = option(
        "column of the participants table: a chapter maps and predicts it, as `lsm` and `predict`",
        "COLUMN",
        default="",
    )
    covariates: tuple[str, ...] = option(
        "columns that are held constant in this chapter", "COLUMN", default=(), several=True
    )
    test: defaults.SymptomTest = option(
        "test of the score, as for `lsm`", default=defaults.SYMPTOM_TEST
    )
    permutations: fields.Permutations
    seed: fields.Seed
    pattern: fields.Pattern
    session: fields.Session
    several_files: fields.SeveralFiles
    threshold: fields.Threshold
    label: fields.Label
    space: fields.SpaceWithAtlas
    participants: fields.Participants
    scheduler: fields.Scheduler

    @model_validator(mode="after")
    def _check_sides(self) -> WriteReport:
        if self.b is None and self.where_b:
            raise InputError("--where-b", "there is no folder B to ask", "give one, or use --where")
        if self.covariates and not self.score:
            raise InputError("--covariates", "there is no score", "give one with --score")
        return self

    def outputs(self) -> list[str]:
        from ..regions.counts import FILE_NAME as REGIONS_NAME
        from ..report.report import file_names
        from ..stats.lesion_symptom.univariate import LINEAR

        tables = names_by_atlas(REGIONS_NAME, self)
        has_region_tests = bool(self.atlas) and self.test in LINEAR
        return file_names(self.b is not None, tables, bool(self.score), has_region_tests)[:-1]

    def run(self, progress: Progress) -> Result:
        from ..cohort.conditions import restrict_cohort
        from ..report.findings import ReportRequest

        names = ReportRequest.__dataclass_fields__
        request = ReportRequest(**{name: getattr(self, name) for name in names})
        self._check_folders(request)
        atlases = open_atlases(self)
        cohorts = self._load(progress)
        for letter, cohort in zip("ab", cohorts, strict=False):
            part = restrict_cohort(cohort, request.conditions(letter))
            check_overlap(self, part.max_overlap, part.name, needed=False)
        b = cohorts[1] if self.b is not None else None
        report = make_report(cohorts[0], b, atlases, request)
        page = self.target.folder / self.outputs()[0]
        return Result(
            files=report.files.items(),  # the provenance is one of them
            lines=[*side_notices(*atlases), *report.sentences, f"{self.files_line()}: open {page}"],
            inputs=report.inputs,
            notes=report.notes,
        )

    def _check_folders(self, request: ReportRequest) -> None:
        """Refuse a wrong name of a folder, table or column before many masks are read."""
        from ..cohort.conditions import exclude_patients
        from ..cohort.participants import read_participants
        from ..cohort.reading import list_masks
        from ..files.listing import check_folder

        for letter, folder in zip("ab", (self.a, self.b), strict=True):
            if folder is None:
                continue
            path = check_folder(folder)
            conditions = request.conditions(letter)
            if conditions or self.participants:  # else nothing of a table is an error
                files = list_masks(path, read_options(self)).files
                table, notes = read_participants(path, files, self.participants)
                exclude_patients(conditions, table, (), path, notes)

    def _load(self, progress: Progress) -> list[Cohort]:
        """The whole folders, as the report applies the conditions itself; one is read once."""
        whole = self.model_copy(update={"where": ()})
        folders = [self.a, *([self.b] if self.b is not None else [])]
        cohorts = {
            folder: load_folder(folder, whole, progress) for folder in dict.fromkeys(folders)
        }
        return [cohorts[folder] for folder in folders]


def make_report(
    a: Cohort,
    b: Cohort | None = None,
    atlas: Atlas | Sequence[Atlas] | None = None,
    request: ReportRequest | None = None,
    day: date | None = None,
    progress: Steps | None = None,
) -> Report:
    """Make a report on a cohort, or on two and their overlap and differences.

    The same cohorts, atlases and request give the same bytes but for the day. Folders and files are
    called by their names, without the folders above them.

    Parameters
    ----------
    a, b : Cohort
        Whole cohorts: the request holds the conditions.
    atlas : Atlas or sequence of Atlas, optional
        For the table of regions; one for each of several.
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
        it, where voxels of A and B do not coincide, or an atlas lies elsewhere.

    Examples
    --------
    >>> from lesion_dash import ReportRequest, load_cohort, make_report
    >>> report = make_report(load_cohort("sample_data/cohort_a"), request=ReportRequest(40))
    >>> report.title, list(report.files)[0]
    ('Lesion report: cohort_a', 'report.html')
    """
    from ..atlas.atlas import Atlas
    from ..report.findings import ReportRequest, find_all
    from ..report.report import assemble_report

    atlases = [atlas] if isinstance(atlas, Atlas) else atlas or []
    findings = find_all(a, b, atlases, request or ReportRequest())
    return assemble_report(findings, _again(findings), day, progress)


_AGAIN = "report"
"""The folder of results in the command that a page shows."""


def _again(findings: Findings) -> Again:
    """The command and the Python of the same report, to be run where its inputs lie."""
    from ..atlas.atlas import MIRRORED
    from ..report.reproduction import Again, find_places

    places = find_places(findings)
    a, b = (*places.folders, None)[:2]
    tables = [own[1] for own in places.atlases if own[1:]]
    scales = {getattr(atlas, "scale", None) for atlas in findings.atlases} - {None}
    files: dict[str, Any] = {
        "a": a,
        "b": b,
        "atlas": [own[0] for own in places.atlases],
        # One for each, or none: a table that is not named lies beside its atlas.
        "labels": tables if len(tables) == len(places.atlases) else [],
        "scale": scales.pop() if len(scales) == 1 else None,
        "mirror_atlas": any(MIRRORED in atlas.notes for atlas in findings.atlases),
        "participants": places.participants,
    }
    request = WriteReport(**files, output=_AGAIN, **findings.request.parameters)
    return Again(places.summary, request.as_command(), request.as_python())
