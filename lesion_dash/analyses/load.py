"""`lesion-dash load`: the lesion load of a folder of masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from ..core.defaults import LEAST_PERCENT
from . import fields
from .fields import option
from .inputs import (
    load_folder,
    names_by_atlas,
    notes_on_atlases,
    open_atlases,
    prepare_atlas,
    side_notices,
)
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from ..regions.involvement import Involvement
    from ..regions.load import Measure

_MAX_REGIONS = 5
"""Printed of each atlas; arbitrary, the table holds them all."""


class Load(Request):
    """Lesion load: lesioned share of each region of an atlas in every patient."""

    command = "load"
    example = "masks/ --atlas BN_Atlas_246_2mm.nii.gz -o load/"

    masks: fields.Masks
    atlas: fields.Atlases
    labels: fields.LabelsOfEach
    scale: fields.AtlasScale
    accept_swapped: fields.AcceptSwapped
    mirror_atlas: fields.MirrorAtlas
    output: fields.Output
    overwrite: fields.Overwrite
    strict: fields.Strict
    by: fields.By
    measure: Literal["region", "lesion", "mm3", "all"] = option(
        "fraction of the region, fraction of the lesion, or volume", default="all"
    )
    least_percent: float = option(
        "patients with at least P % of a region lesioned are counted as well",
        "P",
        default=LEAST_PERCENT,
        gt=0,
        le=100,
    )
    pattern: fields.Pattern
    session: fields.Session
    several_files: fields.SeveralFiles
    threshold: fields.Threshold
    label: fields.Label
    space: fields.SpaceWithAtlas
    participants: fields.Participants
    where: fields.Where
    scheduler: fields.Scheduler

    def outputs(self) -> list[str]:
        from ..regions.involvement import FILE_NAME

        names = [name for _, _, *pair in self._tables() for name in pair]
        return [*names, *names_by_atlas(FILE_NAME, self), "patients.csv"]

    def _tables(self) -> Iterator[tuple[int, Measure, str, str]]:
        """Place of the atlas, measure, name of its table and of its heat map."""
        from ..plotting import charts
        from ..regions.load import FILE_NAMES, MEASURES

        for measure in MEASURES:
            if self.measure in (measure, "all"):
                tables = names_by_atlas(FILE_NAMES[measure], self)
                figures = names_by_atlas(charts.FILE_NAMES[measure], self)
                for place, (table, figure) in enumerate(zip(tables, figures, strict=True)):
                    yield place, measure, table, figure

    def run(self, progress: Progress) -> Result:
        from ..atlas.atlas import atlas_input
        from ..cohort.cohort import cohort_input
        from ..regions.involvement import region_involvement
        from ..regions.load import lesion_load

        atlases = open_atlases(self)
        cohort = load_folder(self.masks, self, progress)
        loads = [
            lesion_load(cohort, prepare_atlas(atlas, cohort.grid, self.by)) for atlas in atlases
        ]
        involved = [region_involvement(load, self.least_percent) for load in loads]
        return Result(
            files=self._files(involved),
            inputs=[cohort_input(cohort), *map(atlas_input, atlases)],
            counts={"patients": cohort.n_patients, "atlas_notes": notes_on_atlases(loads)},
            lines=[
                *side_notices(*atlases),
                *(line for each in involved for line in _lines(each)),
                self.files_line(),
            ],
            notes=notes_on_atlases(loads),
        )

    def _files(self, involved: list[Involvement]) -> Iterator[tuple[str, Any]]:
        from ..core.tables import csv_bytes
        from ..plotting.charts import draw_load
        from ..plotting.figures import figure_bytes
        from ..regions.involvement import FILE_NAME

        for place, measure, table, figure in self._tables():
            yield table, csv_bytes(involved[place].load.wide(measure))
            yield figure, figure_bytes(draw_load(involved[place].load, measure))
        for name, each in zip(names_by_atlas(FILE_NAME, self), involved, strict=True):
            yield name, csv_bytes(each.table)
        yield "patients.csv", involved[0].load.cohort.files_csv


def _lines(involved: Involvement) -> list[str]:
    """The regions in which most patients are lesioned, and how largely these are."""
    from ..atlas.places import NamedPlace

    load = involved.load
    patients, regions = load.voxels.shape
    lines = [f"{load.atlas.name}: {patients} patients x {regions} regions; most often lesioned:"]
    for row in involved.rows[:_MAX_REGIONS]:
        if row.patients:
            name = NamedPlace(row.region, row.full_name, row.lobe).words
            most = f"{row.max_patients_at_voxel} at one voxel"
            least = f"{row.patients_at_least} with at least {involved.least_percent:g} % of it"
            mean = f"{row.mean_percent_lesioned:.1f} % of the region, mean of these patients"
            many = f"in {row.patients} of {patients} patients ({most}; {least})"
            lines.append(f"  {name}: {many}; {mean}")
    return lines
