"""`lesion-dash stats`: maps of lesion size topography."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..core import defaults
from ..core.text import counted
from . import fields
from .fields import option
from .inputs import check_overlap, read_options
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from ..cohort.cohort import CohortListing
    from ..stats.topography import FolderStats

_BYTES_OF_A_VOXEL = 16
"""Four maps of float32."""


class Stats(Request):
    """Mean, SD and median of total lesion volume at each voxel of a folder of masks."""

    command = "stats"
    example = "masks/ -o results/ --min-patients 5"

    masks: fields.Masks
    output: fields.Output
    overwrite: fields.Overwrite
    bids: fields.Bids
    strict: fields.Strict
    std: defaults.Std = option(
        "SD divided by n (population) or by n - 1, which is NaN where one patient is lesioned",
        default=defaults.STD,
    )
    outside: defaults.Outside = option(
        "value of maps where fewer than K patients are lesioned", default=defaults.OUTSIDE
    )
    min_patients: fields.MinPatients
    pattern: fields.Pattern
    session: fields.Session
    several_files: fields.SeveralFiles
    threshold: fields.Threshold
    label: fields.Label
    space: fields.Space
    where: fields.Where
    participants: fields.Participants
    scheduler: fields.Scheduler

    def outputs(self) -> list[str]:
        from ..stats.topography import FILE_NAMES

        return [*FILE_NAMES.values(), "patients.csv"]

    def parameters(self) -> dict[str, Any]:
        # The table is among the inputs, with its checksum.
        return {key: value for key, value in super().parameters().items() if key != "participants"}

    def run(self, progress: Progress) -> Result:
        from ..cohort.cohort import cohort_input
        from ..cohort.dask import scheduler_to_use
        from ..stats.topography import folder_stats

        listing, stats = folder_stats(
            self.masks,
            self.min_patients,
            self.std,
            self.outside,
            scheduler_to_use(self.scheduler),
            read_options(
                self,
                progress=progress("reading masks", "file"),
                on_grid=lambda grid: self.check_space(_BYTES_OF_A_VOXEL * grid.size),
            ),
        )
        check_overlap(self, stats.max_overlap, listing.name)
        qualifying = f"{counted(stats.voxels, 'voxel')} with at least {self.min_patients} of them"
        return Result(
            files=_files(listing, stats),
            inputs=[cohort_input(listing)],
            counts={"patients": listing.n_patients, "voxels": stats.voxels},
            lines=[f"{counted(listing.n_patients, 'patient')}, {qualifying}; {self.files_line()}"],
            notes=self._notes(stats),
        )

    def _notes(self, stats: FolderStats) -> list[str]:
        if not stats.voxels:
            return ["no patient has a lesioned voxel: the maps are empty"]
        # One patient has no spread: 0 would say that volumes there are equal.
        alone = int((stats.n.array == 1).sum()) if self.std == "sample" else 0
        where = f"{counted(alone, 'voxel')} where one patient is lesioned"
        return [f"the sample SD is NaN in {where}: it takes two"] if alone else []


def _files(listing: CohortListing, stats: FolderStats) -> Iterator[tuple[str, Any]]:
    """The maps one by one; the tables of many patients take their place in memory."""
    yield from stats.files.items()
    del stats
    yield "patients.csv", listing.files_csv
