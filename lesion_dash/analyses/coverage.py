"""`lesion-dash coverage`: how much of the brain each minimum number of patients leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import InputError
from ..core.text import counted
from . import fields
from .fields import option
from .inputs import check_overlap, load_folder
from .request import TABLE, Progress, Request, Result

if TYPE_CHECKING:
    from ..files.paths import AnyPath
    from ..stats.coverage import Coverage


class CoverageRequest(Request):
    """Number of voxels kept for each minimum overlap k, and their percentage of the brain."""

    command = "coverage"
    endings = TABLE
    example = "masks/ -o coverage.csv --plot coverage.png"

    masks: fields.Masks
    output: fields.OutputTable
    plot: str | None = option(
        "the curve as .png, .svg or .pdf, in the same folder",
        "OUT.png",
        is_recorded=False,
        default=None,
    )
    overwrite: fields.Overwrite
    strict: fields.Strict
    min_patients: fields.MinPatients
    pattern: fields.Pattern
    session: fields.Session
    several_files: fields.SeveralFiles
    threshold: fields.Threshold
    label: fields.Label
    space: fields.Space
    where: fields.Where
    scheduler: fields.Scheduler

    def outputs(self) -> list[str]:
        table = self.target.path
        return [table.name, self._plot_path(table).name] if self.plot else [table.name]

    def _plot_path(self, table: AnyPath) -> AnyPath:
        """The figure's place: with the table, so that both are written or neither."""
        from ..files.paths import as_path
        from ..plotting.figures import FILE_FORMATS

        path = as_path(self.plot or "")
        if path.suffix[1:].lower() not in FILE_FORMATS:
            endings = " or ".join(f".{ending}" for ending in FILE_FORMATS)
            raise InputError(path, "is not the name of a figure", f"let it end in {endings}")
        if path.parent.resolve() != table.parent.resolve():
            remedy = f"give --plot {table.parent / path.name}"
            raise InputError(path, f"is not in the folder of {table}", remedy)
        return path

    def run(self, progress: Progress) -> Result:
        from ..cohort.cohort import cohort_input
        from ..core.tables import csv_bytes
        from ..files.paths import as_path
        from ..plotting.charts import draw_coverage
        from ..plotting.figures import figure_bytes
        from ..stats.coverage import threshold_coverage

        cohort = load_folder(self.masks, self, progress)
        coverage = threshold_coverage(cohort)
        check_overlap(self, coverage.max_overlap, cohort.name, needed=False)
        contents = [csv_bytes(coverage.table)]
        if self.plot:
            figure = draw_coverage(coverage, self.min_patients)
            contents.append(figure_bytes(figure, as_path(self.plot).suffix[1:].lower()))
        return Result(
            files=zip(self.outputs(), contents, strict=True),
            inputs=[cohort_input(cohort)],
            counts={
                "patients": coverage.n_patients,
                "most_at_a_voxel": coverage.max_overlap,
                "brain_voxels": coverage.brain_voxels,
                "lesioned_voxels_outside_brain": coverage.outside_brain,
                "conventions": {mark.label: mark.min_patients for mark in coverage.marks},
            },
            lines=[*_lines(coverage, self.min_patients), self.files_line()],
        )


def _lines(coverage: Coverage, min_patients: int) -> list[str]:
    patients = counted(coverage.n_patients, "patient")
    lines = [f"{coverage.name}: {patients}, maximum overlap {coverage.max_overlap}"]
    if coverage.outside_brain:
        percent = 100 * coverage.outside_brain / coverage.at(1).voxels
        outside = f"{coverage.outside_brain:,} lesioned voxels ({percent:.1f} %)"
        lines.append(f"{outside} lie outside the MNI152 brain, not counted in its percentage")
    lines.append(coverage.at(min_patients).sentence)
    lines.append("published minimums; there is no general rule:")
    for mark in coverage.marks:
        lines.append(f"  {mark.label} ({mark.reference})")
        lines.append(f"    {coverage.at(mark.min_patients).sentence}")
    return lines
