"""What the commands of the command line do; everything heavy is imported when it is needed."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .atlas_option import open_atlas, say_notes
from .console import LONGEST_LIST, progress_bar, say, say_json, warn
from .errors import InputError
from .text import printable
from .where_option import conditions_of, options_of, say_unasked

if TYPE_CHECKING:
    from .atlas import Atlas
    from .cohort import Cohort, Roster
    from .comparison import Overlap
    from .door import DoorReport
    from .grid import Grid
    from .images import Mask
    from .loads import LesionLoad
    from .regions import RegionCounts

_MOST_REGIONS = 20
_MANY_FILES = 5
_COHORT_PARAMETERS = ("min_patients", "pattern", "threshold", "label", "where")
_OVERLAP_PARAMETERS = (*_COHORT_PARAMETERS, "where_a", "where_b", "by")


def run_stats(options: argparse.Namespace) -> int:
    """Write the maps of lesion size topography, the patients and the provenance."""
    from .files import check_space, write_together
    from .images import Choice, nifti_parts
    from .provenance import FILE_NAME, cohort_input, provenance_bytes
    from .tables import csv_bytes
    from .topography import FILE_NAMES, folder_stats

    names = [*FILE_NAMES.values(), "patients.csv", FILE_NAME]
    with write_together(options.output, names, options.overwrite) as outbox:
        cohort, stats = folder_stats(
            options.masks,
            options.min_patients,
            options.std,
            options.outside,
            options.participants,
            options.scheduler,
            conditions_of(options),
            pattern=options.pattern,
            choice=Choice(options.threshold, options.label),
            progress=progress_bar("reading masks", "file"),
            on_grid=lambda grid: check_space(outbox.folder, 16 * grid.size),
        )
        voxels, most = stats.voxels, stats.most
        for name, found in stats.files.items():
            outbox.add(name, *nifti_parts(found.to_nifti()))
        del stats, found  # the tables of many patients take their place in memory
        outbox.add("patients.csv", csv_bytes(cohort.files_table))
        parameters = {key: getattr(options, key) for key in ("std", "outside", *_COHORT_PARAMETERS)}
        parameters["cluster"] = options.scheduler is not None
        counts = {"patients": cohort.n_patients, "voxels": voxels}
        inputs = [cohort_input(cohort)]
        outbox.add(FILE_NAME, provenance_bytes("stats", parameters, inputs, counts, outbox.sums))
    report_skipped(cohort)
    qualify = f", {voxels:,} voxels with at least {options.min_patients} of them" if voxels else ""
    say(f"{cohort.n_patients} patients{qualify}; {len(names)} files in {options.output}")
    if not voxels:
        share = f"at most {most} share one" if most else "none is lesioned anywhere"
        few = f"no voxel is lesioned in {options.min_patients} patients: the maps are empty"
        warn(f"{few}; {share}")
    return 0


def run_overlap(options: argparse.Namespace) -> int:
    """Write the overlap of two maps, its region counts and the provenance."""
    from .comparison import FILE_NAME as MAP_NAME
    from .comparison import overlap
    from .files import write_together
    from .images import nifti_bytes
    from .provenance import FILE_NAME, atlas_input, provenance_bytes
    from .regions import FILE_NAME as COUNTS_NAME
    from .regions import count_regions
    from .tables import csv_bytes

    tables = names_by_atlas(COUNTS_NAME, options)
    say_unasked(options, [options.a, options.b])
    with write_together(
        options.output, [MAP_NAME, *tables, FILE_NAME], options.overwrite
    ) as outbox:
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
        outbox.add(MAP_NAME, nifti_bytes(both.to_nifti()))
        for name, counts in zip(tables, counted, strict=True):
            outbox.add(name, csv_bytes(counts.table))
        inputs = [*(found for _, found, _ in loaded), *map(atlas_input, atlases)]
        parameters = {key: getattr(options, key) for key in _OVERLAP_PARAMETERS}
        parameters["cluster"] = options.scheduler is not None
        sizes = _sizes(result) | {"atlas_notes": notes_on_atlases(counted)}
        outbox.add(FILE_NAME, provenance_bytes("overlap", parameters, inputs, sizes, outbox.sums))
    for mask, _, cohort in loaded:
        if cohort is not None:
            _report_empty(cohort, mask)
    _print_overlap(result, counted)
    say("")
    say(f"{len(outbox.sums)} files in {options.output}")
    return 0


def names_by_atlas(file_name: str, options: argparse.Namespace) -> list[str]:
    """A file name for each of the chosen atlases."""
    from .files import as_path, strip_ending
    from .tables import own_names

    return own_names(file_name, [strip_ending(as_path(name).name) for name in options.atlas])


def load_atlases(options: argparse.Namespace) -> list[Atlas]:
    """Load the chosen atlases, each with its own label table."""
    tables = options.labels or [None] * len(options.atlas)
    if len(tables) != len(options.atlas):
        problem = f"{len(tables)} label tables for {len(options.atlas)} atlases"
        raise InputError("--labels", problem, "give one for each atlas in their order, or none")
    return [open_atlas(image, table) for image, table in zip(options.atlas, tables, strict=True)]


def prepare_atlas(atlas: Atlas, grid: Grid, options: argparse.Namespace) -> Atlas:
    """An atlas on the grid that counts, its regions put together as chosen."""
    from .atlas import group_regions

    local = atlas.on_grid(grid)
    return local if options.by == "region" else group_regions(local, options.by)


def notes_on_atlases(results: Sequence[RegionCounts | LesionLoad]) -> list[str]:
    """What is to be said of the atlases, with their names where there are several."""
    if len(results) == 1:
        return list(results[0].notes)
    return [f"{result.atlas.name}: {note}" for result in results for note in result.notes]


def _load_map(path: str, options: argparse.Namespace) -> tuple[Mask, dict[str, Any], Cohort | None]:
    """A binary map from a file, or from a folder at the chosen number of patients."""
    from .files import as_path
    from .images import read_mask
    from .provenance import cohort_input, mask_input

    place = as_path(path)
    if not place.is_dir():
        mask = read_mask(place, options.threshold, options.label)
        return mask, mask_input(place, mask), None
    cohort = load_folder(path, options)
    return cohort.at_least(options.min_patients), cohort_input(cohort), cohort


def load_folder(path: str, options: argparse.Namespace, participants: str | None = None) -> Cohort:
    """A cohort kept in memory, or on disk where it is too large for that."""
    from .cohort import load_cohort
    from .files import as_path
    from .images import Choice

    return load_cohort(
        path,
        participants,
        options.pattern,
        Choice(options.threshold, options.label),
        progress_bar(f"reading {as_path(path).name}", "file"),
        notice=_note,
        scheduler=options.scheduler,
        where=conditions_of(options),
    )


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


def run_check(options: argparse.Namespace) -> int:
    """Print the report of the door."""
    from .door import check_path
    from .images import Choice

    choice = Choice(options.threshold, options.label)
    report = check_path(options.path, options.like, choice, progress_bar("checking files", "file"))
    if options.json:
        files = [
            {"file": file.file, "outcome": file.outcome, "reasons": list(file.reasons)}
            for file in report.files
        ]
        summary = {"path": report.path, "outcome": report.outcome, **report.counts}
        say_json({"files": files, "summary": summary})
        return report.exit_code
    _print_report(report)
    return report.exit_code


def _print_report(report: DoorReport) -> None:
    """A line for each file; a sentence that is said of many files stands once."""
    times = Counter(reason for file in report.files for reason in file.reasons)
    common = [reason for reason, count in times.items() if count > _MANY_FILES]
    for file in report.files:
        own = [reason for reason in file.reasons if reason not in common]
        if file.outcome == "reject" or own:
            name = "the folder" if file.file == "." else file.file
            say(f"{file.outcome:7} {name}: {'; '.join(own or file.reasons)}")
    for reason in common:
        say(f"{times[reason]} files: {reason}")
    say(report.sentence)


def run_demo(options: argparse.Namespace) -> int:
    """Serve the dashboard on the sample data."""
    from .dashboard.data_root import sample_data
    from .dashboard.server import serve

    serve(sample_data(), None, options.port)
    return 0


def run_serve(options: argparse.Namespace) -> int:
    """Serve the dashboard on a folder of the user's."""
    from .dashboard.server import serve
    from .files import check_folder, local_path, prepare_results

    root = local_path(check_folder(local_path(options.data_root)))
    results = prepare_results(options.results, ()) if options.results else None
    serve(
        root,
        results,
        options.port,
        host=options.host,
        hostname=options.hostname,
        token_file=options.token_file,
        max_kernels=options.max_kernels,
        kernel_memory=options.kernel_memory,
    )
    return 0


def _note(text: str) -> None:
    warn(f"note: {text}")


def report_skipped(cohort: Cohort | Roster, owner: str = "") -> None:
    """Say which files were not used, and why; the notes count who is left out by a condition."""
    for note in cohort.notes:
        warn(f"note: {owner}{note}")
    skipped = [
        patient
        for patient in cohort.patients
        if patient.status == "skipped" and patient.outcome != "accept"
    ]
    if not skipped:
        return
    warn(f"{len(skipped)} of {len(cohort.patients)} files skipped in {cohort.folder}")
    for patient in skipped[:LONGEST_LIST]:
        warn(f"  {patient.file}: {patient.reason}")
    if len(skipped) > LONGEST_LIST:
        warn(f"  ... and {len(skipped) - LONGEST_LIST} more")
