"""`lesion-dash load`: the lesion load of a folder of masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from . import fields
from .fields import option
from .inputs import (
    load_folder,
    names_by_atlas,
    notes_on_atlases,
    open_atlases,
    prepare_atlas,
)
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from ..regions.load import LesionLoad, Measure

_MAX_REGIONS = 5
"""Printed of each atlas; arbitrary, the table holds them all."""


class Load(Request):
    """Lesion load: how much of each region of an atlas every patient's lesion takes."""

    command = "load"
    example = "masks/ --atlas BN_Atlas_246_2mm.nii.gz -o load/"

    masks: fields.Masks
    atlas: fields.Atlases
    labels: fields.LabelsOfEach
    scale: fields.AtlasScale
    output: fields.Output
    overwrite: fields.Overwrite
    strict: fields.Strict
    by: fields.By
    measure: Literal["region", "lesion", "mm3", "all"] = option(
        "fraction of the region, fraction of the lesion, or volume", default="all"
    )
    pattern: fields.Pattern
    session: fields.Session
    several_files: fields.SeveralFiles
    threshold: fields.Threshold
    label: fields.Label
    space: fields.Space
    participants: fields.Participants
    where: fields.Where
    scheduler: fields.Scheduler

    def outputs(self) -> list[str]:
        names = [name for _, _, *pair in self._tables() for name in pair]
        return [*names, "patients.csv"]

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
        from ..regions.load import lesion_load

        atlases = open_atlases(self)
        cohort = load_folder(self.masks, self, progress, self.participants)
        loads = [
            lesion_load(cohort, prepare_atlas(atlas, cohort.grid, self.by)) for atlas in atlases
        ]
        return Result(
            files=self._files(loads),
            inputs=[cohort_input(cohort), *map(atlas_input, atlases)],
            counts={"patients": cohort.n_patients, "atlas_notes": notes_on_atlases(loads)},
            lines=[*(line for load in loads for line in _lines(load)), self.files_line()],
            notes=notes_on_atlases(loads),
        )

    def _files(self, loads: list[LesionLoad]) -> Iterator[tuple[str, Any]]:
        from ..core.tables import csv_bytes
        from ..plotting.charts import draw_load
        from ..plotting.figures import figure_bytes

        for place, measure, table, figure in self._tables():
            yield table, csv_bytes(loads[place].wide(measure))
            yield figure, figure_bytes(draw_load(loads[place], measure))
        yield "patients.csv", csv_bytes(loads[0].cohort.files_table)


def _lines(load: LesionLoad) -> list[str]:
    """The regions that are lesioned most often, with their mean load over all patients."""
    from ..atlas.levels import name_in_words

    patients, regions = load.voxels.shape
    many = f"{patients} patients x {regions} regions"
    lines = [f"{load.atlas.name}: {many}; most often lesioned:"]
    touched = (load.voxels > 0).sum(axis=0)
    for column in sorted(range(regions), key=lambda column: -int(touched[column]))[:_MAX_REGIONS]:
        if touched[column]:
            name = name_in_words(load.atlas.regions[column])
            mean = 100 * load.of_region[:, column].mean()
            many = f"in {touched[column]} of {patients} patients"
            lines.append(f"  {name}: {many}; {mean:.1f} % of the region, mean of all patients")
    return lines
