"""`lesion-dash report`: one page on a folder of masks, or on two, with its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from ..core.errors import InputError
from . import fields
from .fields import option, source
from .inputs import check_overlap, load_folder, open_atlas
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from ..cohort.cohort import Cohort
    from ..report.findings import ReportRequest

_ATLAS = (
    "for the table of regions: labelled or probabilistic NIfTI image, a folder of maps, or a name "
    "from `lesion-dash atlases`"
)


class WriteReport(Request):
    """One HTML file to read, print and share, with the maps and tables it is made of."""

    command = "report"
    example = "group_a/ group_b/ --atlas BN_Atlas_246_2mm.nii.gz -o report/"

    a: fields.MasksA
    b: str | None = source(
        "folder or URL of masks that A is compared with", "B", positional=True, default=None
    )
    atlas: str | None = source(_ATLAS, "ATLAS", default=None)
    labels: fields.Labels
    output: fields.Output
    overwrite: fields.Overwrite
    strict: fields.Strict
    min_patients: fields.MinPatients
    where: fields.Where
    where_a: fields.WhereA
    where_b: fields.WhereB
    title: str = option("of the page", "TEXT", default="")
    pattern: fields.Pattern
    threshold: fields.Threshold
    label: fields.Label
    participants: fields.Participants
    scheduler: fields.Scheduler

    @model_validator(mode="after")
    def _check_sides(self) -> WriteReport:
        if self.b is None and self.where_b:
            raise InputError("--where-b", "there is no folder B to ask", "give one, or use --where")
        if self.labels is not None and self.atlas is None:
            raise InputError("--labels", "names the regions of no atlas", "give --atlas as well")
        return self

    def outputs(self) -> list[str]:
        from ..report.report import file_names

        return file_names(self.b is not None, self.atlas is not None)[:-1]

    def run(self, progress: Progress) -> Result:
        from ..cohort.conditions import restrict_cohort
        from ..report.findings import ReportRequest
        from ..report.report import make_report

        fields = ("min_patients", "where", "where_a", "where_b", "title", "pattern", "threshold")
        values: dict[str, Any] = {name: getattr(self, name) for name in (*fields, "label")}
        request = ReportRequest(**values)
        self._check_folders(request)
        atlas = open_atlas(self.atlas, self.labels) if self.atlas is not None else None
        cohorts = self._load(progress)
        for letter, cohort in zip("ab", cohorts, strict=False):
            part = restrict_cohort(cohort, request.conditions(letter))
            check_overlap(self, part.max_overlap, part.name, needed=False)
        report = make_report(cohorts[0], cohorts[1] if self.b is not None else None, atlas, request)
        page = self.target.folder / self.outputs()[0]
        return Result(
            files=report.files.items(),  # the provenance is one of them
            lines=[*report.sentences, f"{self.files_line()}: open {page}"],
            inputs=report.inputs,
            notes=report.notes,
        )

    def _check_folders(self, request: ReportRequest) -> None:
        """Refuse a wrong name of a folder, table or column before many masks are read."""
        from ..cohort.conditions import exclude_patients
        from ..cohort.participants import read_participants
        from ..files.listing import check_folder

        for letter, folder in zip("ab", (self.a, self.b), strict=True):
            if folder is not None:
                path = check_folder(folder)
                table, notes = read_participants(path, self.participants)
                exclude_patients(request.conditions(letter), table, (), path, notes)

    def _load(self, progress: Progress) -> list[Cohort]:
        """The whole folders, as the report applies the conditions itself; one is read once."""
        whole = self.model_copy(update={"where": ()})
        folders = [self.a, *([self.b] if self.b is not None else [])]
        cohorts = {
            folder: load_folder(folder, whole, progress, self.participants)
            for folder in dict.fromkeys(folders)
        }
        return [cohorts[folder] for folder in folders]
