"""`lesion-dash overlap`: the overlap of two binary maps, and its regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from ..core.notes import note_on
from ..core.space import spaces_stated
from ..core.text import counted, printable
from . import fields
from .contents import Content
from .fields import source
from .inputs import (
    check_overlap,
    load_folder,
    names_by_atlas,
    notes_on_atlases,
    open_atlases,
    prepare_atlas,
    side_notices,
)
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..cohort.cohort import Cohort
    from ..images.masks import Mask
    from ..regions.counts import DistanceBand, RegionCounts
    from ..stats.overlap import Overlap

_MAX_REGIONS = 20
"""Printed of each atlas; arbitrary, the table holds them all."""

_MAP = "a mask, or a folder of masks, or the URL of one"


class OverlapRequest(Request):
    """Overlap of two binary maps, and how much of it lies in each region of an atlas."""

    command = "overlap"
    example = "group_a/ group_b/ --atlas BN_Atlas_246_2mm.nii.gz -o overlap/"

    a: str = source(_MAP, "A", positional=True)
    b: str = source(_MAP, "B", positional=True)
    atlas: fields.AtlasesIfAny
    labels: fields.LabelsOfEach
    scale: fields.AtlasScale
    accept_swapped: fields.AcceptSwapped
    mirror_atlas: fields.MirrorAtlas
    output: fields.Output
    overwrite: fields.Overwrite
    bids: fields.Bids
    strict: fields.Strict
    min_patients: fields.MinPatients
    pattern: fields.Pattern
    session: fields.Session
    several_files: fields.SeveralFiles
    threshold: fields.Threshold
    label: fields.Label
    space: fields.SpaceWithAtlas
    where: fields.Where
    where_a: fields.WhereA
    where_b: fields.WhereB
    by: fields.By
    scheduler: fields.Scheduler

    def outputs(self) -> list[str]:
        from ..regions.counts import FILE_NAME as COUNTS_NAME
        from ..stats.overlap import FILE_NAME as MAP_NAME

        return [MAP_NAME, *names_by_atlas(COUNTS_NAME, self)]

    def run(self, progress: Progress) -> Result:
        from ..atlas.atlas import atlas_input
        from ..cohort.same_patients import common_patients
        from ..core.tables import csv_bytes
        from ..regions.counts import count_regions
        from ..stats.overlap import overlap

        notes = self._check_where()
        atlases = open_atlases(self)
        masks, inputs, cohorts = [], [], []
        for path, where in ((self.a, self.where_a), (self.b, self.where_b)):
            mask, source, cohort = self._load_map(path, where, progress)
            masks.append(mask)
            inputs.append(source)
            cohorts += [cohort] if cohort is not None else []
        if len(cohorts) == 2:
            notes += common_patients(*cohorts)
        result = overlap(*masks)
        both = result.both
        counted = [
            count_regions(both, prepare_atlas(atlas, both.grid, self.by)) for atlas in atlases
        ]
        contents: list[Content] = [both, *(csv_bytes(each.table) for each in counted)]
        notices = side_notices(*atlases)
        lines = [
            *notices,
            *_maps_lines(result),
            *(line for each in counted for line in _regions_lines(each)),
        ]
        return Result(
            files=zip(self.outputs(), contents, strict=True),
            inputs=[*inputs, *map(atlas_input, atlases)],
            counts=_sizes(result)
            | {"outside_by_distance": {each.atlas.name: _bands(each) for each in counted}}
            | {"notes": list(result.notes), "atlas_notes": notes_on_atlases(counted)},
            lines=[*lines, "", self.files_line()],
            notes=[*notes, *result.notes, *_notes_on_maps(result), *notes_on_atlases(counted)],
        )

    def _check_where(self) -> list[str]:
        """Refuse conditions on masks: one is of one patient, or a map of many; note where one is.

        Raises
        ------
        InputError
            Where it holds for both maps, or for the one that has a condition of its own.
        """
        from ..files.paths import as_path

        masks = [path for path in (self.a, self.b) if not as_path(path).is_dir()]
        remedy = "omit it, or give a folder"
        for flag, path, where in (
            ("--where-a", self.a, self.where_a),
            ("--where-b", self.b, self.where_b),
        ):
            if where and path in masks:
                problem = f"{path} is a single mask, without a participants table"
                raise InputError(flag, problem, remedy)
        if not self.where:
            return []
        if len(masks) == 2:
            problem = f"{self.a} and {self.b} are single masks, without a participants table"
            raise InputError("--where", problem, remedy)
        return [
            f"{mask} is a single mask, used as it is: --where applies to folders of masks"
            for mask in masks
        ]

    def _load_map(
        self, path: str, where: tuple[str, ...], progress: Progress
    ) -> tuple[Mask, dict[str, Any], Cohort | None]:
        """A binary map, of a folder at the chosen number of patients, its source and its cohort."""
        from ..cohort.cohort import cohort_input
        from ..files.paths import as_path
        from ..images.masks import mask_input, read_mask

        place = as_path(path)
        if not place.is_dir():
            stated = spaces_stated(self.space, "masks")
            mask = read_mask(place, self.threshold, self.label, *stated)
            return mask, mask_input(place, mask), None
        cohort = load_folder(path, self, progress, more=where)
        check_overlap(self, cohort.max_overlap, cohort.name)
        return cohort.at_least(self.min_patients), cohort_input(cohort), cohort


def _sizes(result: Overlap) -> dict[str, Any]:
    parts = ("a", "b", "both", "either", "only_a", "only_b")
    voxels = {f"voxels_{part}": getattr(result, part).voxels for part in parts}
    dice = None if result.dice != result.dice else result.dice
    return voxels | {"volume_both_mm3": result.both.volume_mm3, "dice": dice}


def _bands(counts: RegionCounts) -> dict[str, int]:
    """Voxels outside an atlas by their distance to it."""
    return {band.label: band.voxels for band in counts.outside_by_distance}


def _notes_on_maps(result: Overlap) -> list[str]:
    own = [note_on(mask.name, note) for mask in (result.a, result.b) for note in mask.notes]
    return [*own, *result.notes]


def _maps_lines(result: Overlap) -> list[str]:
    lines = []
    for letter, mask in (("A", result.a), ("B", result.b)):
        lines.append(f"{letter}: {mask.name}: {counted(mask.voxels, 'voxel')}")
    volume = result.both.volume_mm3 / 1000
    dice = f"{result.dice:.3f}" if result.dice == result.dice else "undefined, both are empty"
    both = counted(result.both.voxels, "voxel")
    return [*lines, f"overlap: {both}, {volume:,.2f} mL; Dice {dice}"]


def _band_words(band: DistanceBand) -> str:
    volume = band.volume_mm3 / 1000
    voxels = counted(band.voxels, "voxel")
    size = f"{voxels}, {volume:,.3f} mL, {band.percent_of_map:.1f} % of overlap"
    return f"{band.label}: {size}"


def _regions_lines(counts: RegionCounts) -> Sequence[str]:
    """The regions of one atlas; in a probabilistic one, by their expected voxels."""
    *regions, outside = counts.rows
    touched = [row for row in regions if row.voxels]
    rows = [outside, *touched[:_MAX_REGIONS]]
    names = [printable(row.region) for row in rows]
    width = max(map(len, names))
    kind = "expected" if counts.probabilistic else "voxels"
    head = f"{'region':{width}}  {kind:>9}  {'mL':>11}"
    lines = ["", f"atlas: {counts.atlas.name}"]
    lines.append(f"{head}  {'% of overlap':>12}  {'% of region':>11}")
    for name, row in zip(names, rows, strict=True):
        percent = row.expected_percent_of_region
        of_region = f"{percent:11.1f}" if percent == percent else f"{'-':>11}"
        amount = f"{row.expected_voxels:9,.0f}  {row.expected_volume_mm3 / 1000:11,.3f}"
        words = printable(", ".join(filter(None, (row.full_name, row.lobe))))
        line = f"{name:{width}}  {amount}  {100 * row.mean_probability:12.1f}  {of_region}  {words}"
        lines.append(line.rstrip())
        if row is outside and row.voxels:
            lines += [f"  {_band_words(band)}" for band in counts.outside_by_distance]
    if len(touched) > _MAX_REGIONS:
        more = len(touched) - _MAX_REGIONS
        lines.append(f"and {more} more regions, in the table that was written")
    return lines
