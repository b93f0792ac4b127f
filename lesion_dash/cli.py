"""The command line: the library's steps without a browser."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import LesionDashError

if TYPE_CHECKING:
    from .cohort import Cohort, Roster
    from .comparison import Overlap
    from .images import Mask
    from .regions import RegionCounts

_LONGEST_LIST = 20
_COHORT_PARAMETERS = ("min_patients", "pattern", "threshold", "label")

_EXAMPLES = """examples:
  lesion-dash demo
      open the dashboard on the sample data
  lesion-dash stats masks/ -o results/ --min-patients 5
      four maps of lesion size topography, a table of patients, provenance
  lesion-dash overlap group_a/ group_b/ --atlas BN_Atlas_246_2mm.nii.gz -o overlap/
      where both groups have lesions in at least 5 patients, and in which regions
  lesion-dash serve --data-root /data/studies
      the dashboard on your own folders

Volumes are in mm³ in files. Errors are one sentence, exit code 2.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows no "³" gets a "?" rather than an error.
            stream.reconfigure(errors="replace")
    options = _make_parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except LesionDashError as error:
        return _complain(str(error), getattr(error, "details", ()))
    except KeyboardInterrupt:
        return _complain("stopped by the user; nothing was changed", code=130)
    except BrokenPipeError:
        # The reader of our output has gone; whatever was to be written to files was written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        return _complain("not enough memory for these images; nothing was changed")
    except Exception as error:
        if os.environ.get("LESION_DASH_DEBUG"):
            raise
        kind = type(error).__name__
        return _complain(f"internal error ({kind}: {error}); LESION_DASH_DEBUG=1 shows where")


def _complain(sentence: str, details: Sequence[str] = (), code: int = 2) -> int:
    shown = [*details[:_LONGEST_LIST]]
    if len(details) > _LONGEST_LIST:
        shown.append(f"... and {len(details) - _LONGEST_LIST} more")
    lines = [f"lesion-dash: error: {sentence}", *(f"  {line}" for line in shown)]
    print("\n".join(map(_printable, lines)), file=sys.stderr)
    return code


def _printable(text: str) -> str:
    """Text that a file's name cannot use to steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lesion-dash",
        description="Lesion masks in a common brain space: how big are the lesions that touch each "
        "voxel, where do two groups overlap, and what are those places called?",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version("lesion-dash"))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_stats(commands)
    _add_overlap(commands)
    _add_check(commands)
    _add_demo(commands)
    _add_serve(commands)
    return parser


def _add_command(commands: Any, name: str, run: Callable[..., int], text: str) -> Any:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=run)
    return parser


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", metavar="OUT", required=True, help="results folder, made if missing"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results in OUT")


def _add_cohort_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--min-patients",
        metavar="K",
        type=_whole_number,
        default=5,
        help="voxels lesioned in at least K patients count (default 5)",
    )
    _add_mask_choices(parser)
    parser.add_argument(
        "--pattern", default="*", help="only masks whose name matches, such as '*lesion*'"
    )


def _add_stats(commands: Any) -> None:
    text = "mean, SD and median of total lesion volume at each voxel of a folder of masks"
    parser = _add_command(commands, "stats", run_stats, text)
    parser.add_argument("masks", metavar="MASKS", help="folder of binary masks, one a patient")
    _add_results(parser)
    _add_cohort_choices(parser)
    parser.add_argument(
        "--std",
        choices=("population", "sample"),
        default="population",
        help="SD divided by n (population, the default) or by n - 1",
    )
    parser.add_argument(
        "--outside",
        choices=("zero", "nan"),
        default="zero",
        help="what maps hold where fewer than K patients are lesioned (default zero)",
    )
    parser.add_argument("--participants", metavar="TABLE", help="participants .tsv or .csv")


def _add_overlap(commands: Any) -> None:
    text = "overlap of two binary maps, counted in the regions of an atlas"
    parser = _add_command(commands, "overlap", run_overlap, text)
    parser.add_argument("a", metavar="A", help="a mask, or a folder of masks")
    parser.add_argument("b", metavar="B", help="a mask, or a folder of masks")
    parser.add_argument("--atlas", metavar="IMAGE", required=True, help="labelled NIfTI image")
    parser.add_argument(
        "--labels", metavar="TABLE", help="names of its regions (default: the table beside IMAGE)"
    )
    _add_results(parser)
    _add_cohort_choices(parser)


def _add_check(commands: Any) -> None:
    text = "what would become of each file of a folder, of a mask, an atlas or a table"
    parser = _add_command(commands, "check", run_check, text)
    parser.add_argument("path", metavar="PATH", help="folder, image or table")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--like", metavar="MASKS", help="a mask or folder on whose grid PATH is to be used"
    )
    _add_mask_choices(parser)
    parser.epilog = "Exit code: 0 all is well, 1 there are warnings, 2 nothing is usable."


def _add_mask_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threshold",
        metavar="P",
        type=float,
        help="make masks of probability maps: voxels of at least P, between 0 and 1",
    )
    parser.add_argument(
        "--label", metavar="N", type=int, help="make masks of label maps: voxels of value N"
    )


def _add_demo(commands: Any) -> None:
    parser = _add_command(commands, "demo", run_demo, "the dashboard on the sample data")
    parser.add_argument("--port", type=int, default=8866, help="port on this computer (8866)")


def _add_serve(commands: Any) -> None:
    parser = _add_command(commands, "serve", run_serve, "the dashboard on your own data")
    parser.add_argument(
        "--data-root", metavar="DIR", required=True, help="nothing outside it is read"
    )
    parser.add_argument("--results", metavar="DIR", help="where results may be written")
    parser.add_argument("--port", type=int, default=8866, help="port on this computer (8866)")


def _whole_number(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small: it must be at least 1")
    return value


def run_stats(options: argparse.Namespace) -> int:
    """Write the maps of lesion size topography, the patients and the provenance."""
    from .files import check_space, write_together
    from .images import Choice, nifti_bytes
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
            pattern=options.pattern,
            choice=Choice(options.threshold, options.label),
            progress=_progress("reading masks"),
            on_grid=lambda grid: check_space(outbox.folder, 16 * grid.size),
        )
        _report_skipped(cohort)
        for key, name in FILE_NAMES.items():
            outbox.add(name, nifti_bytes(getattr(stats, key).to_nifti()))
        outbox.add("patients.csv", csv_bytes(cohort.files_table))
        parameters = {key: getattr(options, key) for key in ("std", "outside", *_COHORT_PARAMETERS)}
        counts = {"patients": cohort.n_patients, "voxels": int(stats.indices.size)}
        inputs = [cohort_input(cohort)]
        outbox.add(FILE_NAME, provenance_bytes("stats", parameters, inputs, counts, outbox.sums))
    _say(
        f"{cohort.n_patients} patients, {stats.indices.size:,} voxels with at least "
        f"{options.min_patients} of them; {len(names)} files in {options.output}"
    )
    if not stats.indices.size:
        _warn(f"no voxel is lesioned in {options.min_patients} patients: no voxel qualifies")
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
        (a, input_a), (b, input_b) = (_load_map(path, options) for path in (options.a, options.b))
        result = overlap(a, b)
        counts = count_regions(result.both, atlas)
        outbox.add(MAP_NAME, nifti_bytes(result.both.to_nifti()))
        outbox.add(COUNTS_NAME, csv_bytes(counts.table))
        inputs = [input_a, input_b, atlas_input(atlas)]
        parameters = {key: getattr(options, key) for key in _COHORT_PARAMETERS}
        sizes = _sizes(result) | {"atlas_notes": list(counts.notes)}
        outbox.add(FILE_NAME, provenance_bytes("overlap", parameters, inputs, sizes, outbox.sums))
    _print_overlap(result, counts)
    return 0


def _load_map(path: str, options: argparse.Namespace) -> tuple[Mask, dict[str, Any]]:
    """A binary map from a file, or from a folder at the chosen number of patients."""
    from .cohort import load_cohort
    from .images import Choice, read_mask
    from .provenance import cohort_input, file_input

    choice = Choice(options.threshold, options.label)
    if not Path(path).expanduser().is_dir():
        return read_mask(path, options.threshold, options.label), file_input(
            "mask", Path(path).expanduser()
        )
    name = Path(path).name
    progress = _progress(f"reading {name}")
    cohort = load_cohort(path, None, options.pattern, choice, progress)
    _report_skipped(cohort)
    mask = cohort.at_least(options.min_patients)
    if not mask.voxels:
        _warn(f"{name}: no voxel qualifies, at most {cohort.counts.max()} patients share one")
    return mask, cohort_input(cohort)


def _sizes(result: Overlap) -> dict[str, Any]:
    parts = ("a", "b", "both", "either", "only_a", "only_b")
    voxels = {f"voxels_{part}": getattr(result, part).voxels for part in parts}
    dice = None if result.dice != result.dice else result.dice
    return voxels | {"volume_both_mm3": result.both.volume_mm3, "dice": dice}


def _print_overlap(result: Overlap, counts: RegionCounts) -> None:
    for letter, mask in (("A", result.a), ("B", result.b)):
        _say(f"{letter}: {mask.name}: {mask.voxels:,} voxels")
        for note in mask.notes:
            _say(f"   note: {note}")
    volume = result.both.volume_mm3 / 1000
    _say(f"overlap: {result.both.voxels:,} voxels, {volume:,.2f} mL; Dice {result.dice:.3f}\n")
    width = max(len(row[1]) for row in counts.rows)
    _say(
        f"{'region':{width}}  {'voxels':>9}  {'mm³':>11}  {'% of overlap':>12}  {'% of region':>11}"
    )
    for _, name, voxels, volume, of_map, of_region, *_ in counts.rows:
        if voxels or name == counts.rows[-1][1]:
            share = f"{of_region:11.1f}" if of_region == of_region else f"{'-':>11}"
            _say(f"{name:{width}}  {voxels:9,}  {volume:11,.0f}  {of_map:12.1f}  {share}")
    for note in counts.notes:
        _say(f"\nnote on the atlas: {note}")


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
        print(json.dumps({"files": files, "summary": summary}, indent=2))
        return report.exit_code
    for file in report.files:
        if file.outcome != "accept":
            name = "the folder" if file.file == "." else file.file
            _say(f"{file.outcome:7} {name}: {'; '.join(file.reasons)}")
    _say(report.sentence)
    return report.exit_code


def run_demo(options: argparse.Namespace) -> int:
    """Serve the dashboard on the sample data."""
    from .dashboard.server import sample_data, serve

    return serve(sample_data(), None, options.port)


def run_serve(options: argparse.Namespace) -> int:
    """Serve the dashboard on a folder of the user's."""
    from .dashboard.server import serve
    from .files import check_folder, prepare_results

    root = check_folder(options.data_root)
    results = prepare_results(options.results, ()) if options.results else None
    return serve(root, results, options.port)


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


def _report_skipped(cohort: Cohort | Roster) -> None:
    for note in cohort.notes:
        _warn(f"note: {note}")
    skipped = [patient for patient in cohort.patients if patient.status == "skipped"]
    if not skipped:
        return
    _warn(f"{len(skipped)} of {len(cohort.patients)} files skipped in {cohort.folder}")
    for patient in skipped[:_LONGEST_LIST]:
        _warn(f"  {patient.file}: {patient.reason}")
    if len(skipped) > _LONGEST_LIST:
        _warn(f"  ... and {len(skipped) - _LONGEST_LIST} more")


def _say(text: str) -> None:
    print(_printable(text))


def _warn(text: str) -> None:
    print(_printable(text), file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
