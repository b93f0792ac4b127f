"""What `lesion-dash overlap` does: the overlap of two binary maps, and its regions."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core.text import printable
from .console import say, warn
from .options import (
    COHORT_PARAMETERS,
    check_where,
    load_atlases,
    load_folder,
    names_by_atlas,
    notes_on_atlases,
    options_of,
    prepare_atlas,
    report_skipped,
    say_notes,
)

if TYPE_CHECKING:
    from ..cohort.cohort import Cohort
    from ..images.masks import Mask
    from ..regions.counts import RegionCounts
    from ..stats.overlap import Overlap


_MOST_REGIONS = 20
_OVERLAP_PARAMETERS = (*COHORT_PARAMETERS, "where_a", "where_b", "by")


def run_overlap(options: argparse.Namespace) -> int:
    """Write the overlap of two maps, its region counts and the provenance."""
    from ..atlas.atlas import atlas_input
    from ..core.tables import csv_bytes
    from ..files.provenance import FILE_NAME, provenance_bytes
    from ..files.writing import write_atomically
    from ..images.maps import nifti_bytes
    from ..regions.counts import FILE_NAME as COUNTS_NAME
    from ..regions.counts import count_regions
    from ..stats.overlap import FILE_NAME as MAP_NAME
    from ..stats.overlap import overlap

    tables = names_by_atlas(COUNTS_NAME, options)
    check_where(options, [options.a, options.b])
    with write_atomically(
        options.output, [MAP_NAME, *tables, FILE_NAME], options.overwrite
    ) as writer:
        atlases = load_atlases(options)
        loaded = [
            _load_map(path, options_of(options, letter))
            for letter, path in (("a", options.a), ("b", options.b))
        ]
        result = overlap(loaded[0][0], loaded[1][0])
        both = result.both
        counted = [
            count_regions(both, prepare_atlas(atlas, both.grid, options)) for atlas in atlases
        ]
        writer.add(MAP_NAME, nifti_bytes(both.to_nifti()))
        for name, counts in zip(tables, counted, strict=True):
            writer.add(name, csv_bytes(counts.table))
        inputs = [*(found for _, found, _ in loaded), *map(atlas_input, atlases)]
        parameters = {key: getattr(options, key) for key in _OVERLAP_PARAMETERS}
        parameters["cluster"] = options.scheduler is not None
        sizes = _sizes(result) | {"atlas_notes": notes_on_atlases(counted)}
        writer.add(FILE_NAME, provenance_bytes("overlap", parameters, inputs, sizes, writer.sums))
    for mask, _, cohort in loaded:
        if cohort is not None:
            _report_empty(cohort, mask)
    _print_overlap(result, counted)
    say("")
    say(f"{len(writer.sums)} files in {options.output}")
    return 0


def _load_map(path: str, options: argparse.Namespace) -> tuple[Mask, dict[str, Any], Cohort | None]:
    """A binary map from a file, or from a folder at the chosen number of patients."""
    from ..cohort.cohort import cohort_input
    from ..files.paths import as_path
    from ..images.masks import mask_input, read_mask

    place = as_path(path)
    if not place.is_dir():
        mask = read_mask(place, options.threshold, options.label)
        return mask, mask_input(place, mask), None
    cohort = load_folder(path, options)
    return cohort.at_least(options.min_patients), cohort_input(cohort), cohort


def _report_empty(cohort: Cohort, mask: Mask) -> None:
    """Who was skipped, and whether too few share any voxel."""
    report_skipped(cohort, f"{cohort.folder.name}: ")
    if not mask.voxels:
        most = cohort.counts.max()
        warn(f"{cohort.name}: no voxel qualifies, at most {most} patients share one")


def _sizes(result: Overlap) -> dict[str, Any]:
    parts = ("a", "b", "both", "either", "only_a", "only_b")
    voxels = {f"voxels_{part}": getattr(result, part).voxels for part in parts}
    dice = None if result.dice != result.dice else result.dice
    return voxels | {"volume_both_mm3": result.both.volume_mm3, "dice": dice}


def _print_overlap(result: Overlap, counted: Sequence[RegionCounts]) -> None:
    for letter, mask in (("A", result.a), ("B", result.b)):
        say(f"{letter}: {mask.name}: {mask.voxels:,} voxels")
        for note in mask.notes:
            say(f"   note: {note}")
    volume = result.both.volume_mm3 / 1000
    dice = f"{result.dice:.3f}" if result.dice == result.dice else "undefined, both are empty"
    say(f"overlap: {result.both.voxels:,} voxels, {volume:,.2f} mL; Dice {dice}")
    for counts in counted:
        _print_regions(counts)


def _print_regions(counts: RegionCounts) -> None:
    """The regions of one atlas; in a probabilistic one, by their expected voxels."""
    say("")
    say(f"atlas: {counts.atlas.name}")
    say_notes(counts.notes, "note on the atlas: ")
    *regions, outside = counts.rows
    touched = [row for row in regions if row.voxels]
    shown = [*touched[:_MOST_REGIONS], outside]
    names = [printable(row.region) for row in shown]
    width = max(map(len, names))
    kind = "expected" if counts.probabilistic else "voxels"
    head = f"{'region':{width}}  {kind:>9}  {'mL':>11}"
    say(f"{head}  {'% of overlap':>12}  {'% of region':>11}")
    for name, row in zip(names, shown, strict=True):
        share = row.expected_percent_of_region
        of_region = f"{share:11.1f}" if share == share else f"{'-':>11}"
        amount = f"{row.expected_voxels:9,.0f}  {row.expected_volume_mm3 / 1000:11,.3f}"
        say(f"{name:{width}}  {amount}  {100 * row.mean_probability:12.1f}  {of_region}")
    if len(touched) > _MOST_REGIONS:
        say(f"and {len(touched) - _MOST_REGIONS} more regions, in the table that was written")
