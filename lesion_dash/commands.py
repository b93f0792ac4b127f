"""What the commands of the command line do; everything heavy is imported when it is needed."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .console import LONGEST_LIST, say, warn

if TYPE_CHECKING:
    from .cohort import Cohort, Roster
    from .comparison import Overlap
    from .door import DoorReport
    from .images import Mask
    from .regions import RegionCounts

_MOST_REGIONS = 20
_MANY_FILES = 5
_COHORT_PARAMETERS = ("min_patients", "pattern", "threshold", "label")


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
            pattern=options.pattern,
            choice=Choice(options.threshold, options.label),
            progress=_progress("reading masks"),
            on_grid=lambda grid: check_space(outbox.folder, 16 * grid.size),
        )
        voxels = stats.voxels
        for name, found in stats.files.items():
            outbox.add(name, *nifti_parts(found.to_nifti()))
        del stats, found  # the tables of many patients take their place in memory
        outbox.add("patients.csv", csv_bytes(cohort.files_table))
        parameters = {key: getattr(options, key) for key in ("std", "outside", *_COHORT_PARAMETERS)}
        parameters["cluster"] = options.scheduler is not None
        counts = {"patients": cohort.n_patients, "voxels": voxels}
        inputs = [cohort_input(cohort)]
        outbox.add(FILE_NAME, provenance_bytes("stats", parameters, inputs, counts, outbox.sums))
    _report_skipped(cohort)
    say(
        f"{cohort.n_patients} patients, {voxels:,} voxels with at least "
        f"{options.min_patients} of them; {len(names)} files in {options.output}"
    )
    if not voxels:
        warn(f"no voxel is lesioned in {options.min_patients} patients: no voxel qualifies")
    return 0


def run_overlap(options: argparse.Namespace) -> int:
    """Write the overlap of two maps, its region counts and the provenance."""
    from .atlas import load_atlas
    from .comparison import FILE_NAME as MAP_NAME
    from .comparison import overlap
    from .files import write_together
    from .images import nifti_bytes
    from .provenance import FILE_NAME, atlas_input, provenance_bytes
    from .regions import FILE_NAME as COUNTS_NAME
    from .regions import count_regions
    from .tables import csv_bytes

    names = [MAP_NAME, COUNTS_NAME, FILE_NAME]
    with write_together(options.output, names, options.overwrite) as outbox:
        atlas = load_atlas(options.atlas, options.labels)
        loaded = [_load_map(path, options) for path in (options.a, options.b)]
        result = overlap(loaded[0][0], loaded[1][0])
        counts = count_regions(result.both, atlas)
        outbox.add(MAP_NAME, nifti_bytes(result.both.to_nifti()))
        outbox.add(COUNTS_NAME, csv_bytes(counts.table))
        inputs = [*(found for _, found, _ in loaded), atlas_input(atlas)]
        parameters = {key: getattr(options, key) for key in _COHORT_PARAMETERS}
        parameters["cluster"] = options.scheduler is not None
        sizes = _sizes(result) | {"atlas_notes": list(counts.notes)}
        outbox.add(FILE_NAME, provenance_bytes("overlap", parameters, inputs, sizes, outbox.sums))
    for mask, _, cohort in loaded:
        if cohort is not None:
            _report_skipped(cohort)
            if not mask.voxels:
                most = cohort.counts.max()
                warn(f"{cohort.name}: no voxel qualifies, at most {most} patients share one")
    _print_overlap(result, counts)
    return 0


def _load_map(path: str, options: argparse.Namespace) -> tuple[Mask, dict[str, Any], Cohort | None]:
    """A binary map from a file, or from a folder at the chosen number of patients."""
    from .cohort import load_cohort
    from .files import as_path
    from .images import Choice, read_mask
    from .provenance import cohort_input, mask_input

    choice = Choice(options.threshold, options.label)
    place = as_path(path)
    if not place.is_dir():
        mask = read_mask(place, options.threshold, options.label)
        return mask, mask_input(place, mask), None
    cohort = load_cohort(
        place,
        None,
        options.pattern,
        choice,
        _progress(f"reading {place.name}"),
        notice=_note,
        scheduler=options.scheduler,
    )
    return cohort.at_least(options.min_patients), cohort_input(cohort), cohort


def _sizes(result: Overlap) -> dict[str, Any]:
    parts = ("a", "b", "both", "either", "only_a", "only_b")
    voxels = {f"voxels_{part}": getattr(result, part).voxels for part in parts}
    dice = None if result.dice != result.dice else result.dice
    return voxels | {"volume_both_mm3": result.both.volume_mm3, "dice": dice}


def _print_overlap(result: Overlap, counts: RegionCounts) -> None:
    for letter, mask in (("A", result.a), ("B", result.b)):
        say(f"{letter}: {mask.name}: {mask.voxels:,} voxels")
        for note in mask.notes:
            say(f"   note: {note}")
    for note in counts.notes:
        say(f"note on the atlas: {note}")
    volume = result.both.volume_mm3 / 1000
    dice = f"{result.dice:.3f}" if result.dice == result.dice else "undefined, both are empty"
    say(f"overlap: {result.both.voxels:,} voxels, {volume:,.2f} mL; Dice {dice}\n")
    *regions, outside = counts.rows
    touched = [row for row in regions if row[2]]
    width = max(len(row[1]) for row in [*touched[:_MOST_REGIONS], outside])
    head = f"{'region':{width}}  {'voxels':>9}  {'mm³':>11}"
    say(f"{head}  {'% of overlap':>12}  {'% of region':>11}")
    for _, name, voxels, volume, of_map, of_region, *_ in [*touched[:_MOST_REGIONS], outside]:
        share = f"{of_region:11.1f}" if of_region == of_region else f"{'-':>11}"
        say(f"{name:{width}}  {voxels:9,}  {volume:11,.0f}  {of_map:12.1f}  {share}")
    if len(touched) > _MOST_REGIONS:
        say(f"and {len(touched) - _MOST_REGIONS} more regions, in the table that was written")


def run_check(options: argparse.Namespace) -> int:
    """Print the report of the door."""
    import json

    from .door import check_path
    from .images import Choice

    choice = Choice(options.threshold, options.label)
    report = check_path(options.path, options.like, choice, _progress("checking files"))
    if options.json:
        files = [
            {"file": file.file, "outcome": file.outcome, "reasons": list(file.reasons)}
            for file in report.files
        ]
        summary = {"path": report.path, "outcome": report.outcome, **report.counts}
        say(json.dumps({"files": files, "summary": summary}, indent=2))
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
    serve(root, results, options.port)
    return 0


def _progress(text: str) -> Callable[[int, int], None] | None:
    """A progress bar on stderr, where somebody may be looking."""
    if not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    bar = tqdm(desc=text, unit="file", leave=False)

    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return show


def _note(text: str) -> None:
    warn(f"note: {text}")


def _report_skipped(cohort: Cohort | Roster) -> None:
    for note in cohort.notes:
        warn(f"note: {note}")
    skipped = [patient for patient in cohort.patients if patient.status == "skipped"]
    if not skipped:
        return
    warn(f"{len(skipped)} of {len(cohort.patients)} files skipped in {cohort.folder}")
    for patient in skipped[:LONGEST_LIST]:
        warn(f"  {patient.file}: {patient.reason}")
    if len(skipped) > LONGEST_LIST:
        warn(f"  ... and {len(skipped) - LONGEST_LIST} more")
