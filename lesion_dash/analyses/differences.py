"""`lesion-dash compare`: how two folders of masks differ at each voxel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..core import defaults
from ..core.text import counted
from . import fields
from .fields import option, source
from .inputs import check_overlap, load_folder, open_atlas, side_notices
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from ..images.maps import Map
    from ..regions.differences import RegionDifferences
    from ..stats.differences import CohortDifferences


class Compare(Request):
    """Subtract cohort B from cohort A: patients lesioned at each voxel, and their lesion volume."""

    command = "compare"
    example = "group_a/ group_b/ -o difference/"

    a: fields.MasksA
    b: str = source("folder or URL of the masks that are subtracted", "B", positional=True)
    atlas: fields.AtlasIfAny
    labels: fields.Labels
    scale: fields.AtlasScaleIfAny
    accept_swapped: fields.AcceptSwapped
    mirror_atlas: fields.MirrorAtlas
    output: fields.Output
    overwrite: fields.Overwrite
    bids: fields.Bids
    strict: fields.Strict
    min_patients: fields.MinPatients
    outside: defaults.Outside = option(
        "what the maps of volumes hold where fewer than K patients of A, or of B, are lesioned; 0"
        " is no difference",
        default=defaults.OUTSIDE_OF_DIFFERENCES,
    )
    pattern: fields.Pattern
    session: fields.Session
    several_files: fields.SeveralFiles
    threshold: fields.Threshold
    label: fields.Label
    space: fields.SpaceWithAtlas
    where: fields.Where
    where_a: fields.WhereA
    where_b: fields.WhereB
    scheduler: fields.Scheduler

    def outputs(self) -> list[str]:
        from ..regions.differences import FILE_NAME
        from ..stats.differences import FILE_NAMES

        return [*FILE_NAMES.values(), *([FILE_NAME] if self.atlas else [])]

    def run(self, progress: Progress) -> Result:
        from ..atlas.atlas import atlas_input
        from ..cohort.cohort import cohort_input
        from ..regions.differences import region_differences
        from ..stats.differences import FILE_NAMES, cohort_differences

        atlas = open_atlas(self.atlas, self.labels, self) if self.atlas else None
        a = load_folder(self.a, self, progress, more=self.where_a)
        b = load_folder(self.b, self, progress, more=self.where_b)
        for cohort in (a, b):
            check_overlap(self, cohort.max_overlap, cohort.name, needed=False)
        self.check_space(4 * len(FILE_NAMES) * a.grid.size)  # maps of float32
        differences = cohort_differences(a, b, self.min_patients, self.outside)
        regions = region_differences(a, b, atlas, self.min_patients) if atlas else None
        of_regions = (
            [note for note in regions.notes if note not in differences.notes] if regions else []
        )
        lines, notes = _summary(differences)
        return Result(
            files=_files(differences, regions),
            inputs=[cohort_input(a), cohort_input(b), *([atlas_input(atlas)] if atlas else [])],
            counts=_counts(differences),
            lines=[*side_notices(atlas), *lines, self.files_line()],
            notes=[*differences.notes, *notes, *of_regions],
        )


def _files(
    differences: CohortDifferences, regions: RegionDifferences | None
) -> Iterator[tuple[str, Any]]:
    from ..core.tables import csv_bytes
    from ..regions.differences import FILE_NAME

    yield from differences.files.items()
    if regions is not None:
        yield FILE_NAME, csv_bytes(regions.table)


def _counts(differences: CohortDifferences) -> dict[str, Any]:
    return {
        "patients_a": differences.sizes[0],
        "patients_b": differences.sizes[1],
        "voxels_frequency": int(differences.indices.size),
        "voxels_mean": differences.compared.voxels,
        "notes": list(differences.notes),
    }


def _summary(differences: CohortDifferences) -> tuple[list[str], list[str]]:
    """Lines, and notes."""
    lines = [
        f"{letter}: {name}: {counted(size, 'patient')}"
        for letter, name, size in zip("AB", differences.names, differences.sizes, strict=True)
    ]
    low, high = _range(differences.frequency)
    lines.append(f"patients lesioned, A - B: from {low:+z.1f} to {high:+z.1f} percentage points")
    voxels, min_patients = differences.compared.voxels, differences.min_patients
    if not voxels:
        of_a = f"{counted(min_patients, 'patient')} of A"
        few = f"no voxel is lesioned in {of_a} and in {min_patients} of B"
        return lines, [f"{few}: mean volumes are compared nowhere; lower --min-patients"]
    where = f"{counted(voxels, 'voxel')} with at least {counted(min_patients, 'patient')} of each"
    for what, image in (("mean", differences.mean), ("SD of", differences.std)):
        low, high = (end / 1000 for end in _range(image))
        lines.append(
            f"{what} lesion volume, A - B: from {low:+z,.1f} to {high:+z,.1f} mL in {where}"
        )
    return lines, []


def _range(image: Map) -> tuple[float, float]:
    import numpy as np

    return float(np.nanmin(image.array)), float(np.nanmax(image.array))
