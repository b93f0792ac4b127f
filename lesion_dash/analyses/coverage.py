"""What `lesion-dash coverage` does: how much of the brain each number of patients leaves."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from .console import say
from .options import TABLE, load_folder, output_file, report_skipped

if TYPE_CHECKING:
    from ..stats.coverage import Coverage


TEXT = "help to choose K: voxels and share of the brain left at every minimum number of patients"
_PARAMETERS = ("min_patients", "pattern", "threshold", "label", "where")


def add_choices(parser: argparse.ArgumentParser) -> None:
    """The masks, the table and the figure; how folders are read is chosen as for `stats`."""
    parser.add_argument(
        "masks", metavar="MASKS", help="folder or URL of binary masks, one a patient"
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT.csv", required=True, help="the table; provenance beside it"
    )
    parser.add_argument(
        "--plot", metavar="OUT.png", help="the curve as .png, .svg or .pdf, in the same folder"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results")


def run_coverage(options: argparse.Namespace) -> int:
    """Write the table, the figure where one is wanted, and how they were made."""
    from ..cohort.cohort import cohort_input
    from ..core.tables import csv_bytes
    from ..files.provenance import provenance_bytes
    from ..files.writing import write_atomically
    from ..stats.coverage import threshold_coverage

    output, stem, _ = output_file(options.output, TABLE)
    plot = _plot_path(options.plot, output) if options.plot else None
    beside = f"{stem}.provenance.json"
    names = [output.name, *([plot.name] if plot else []), beside]
    with write_atomically(output.parent, names, options.overwrite) as writer:
        cohort = load_folder(options.masks, options)
        found = threshold_coverage(cohort)
        writer.add(output.name, csv_bytes(found.table))
        if plot:
            writer.add(plot.name, _plot_bytes(found, options.min_patients, plot))
        parameters = {key: getattr(options, key) for key in _PARAMETERS}
        parameters["cluster"] = options.scheduler is not None
        inputs = [cohort_input(cohort)]
        writer.add(
            beside, provenance_bytes("coverage", parameters, inputs, _counts(found), writer.sums)
        )
    report_skipped(cohort)
    _print(found, options.min_patients)
    say(f"{len(names)} files in {output.parent}")
    return 0


def _plot_path(text: str, output: Path) -> Path:
    """The figure's place; it is written together with the table, so that neither is left over."""
    from ..files.paths import local_path
    from ..plotting.figures import FILE_FORMATS

    path = local_path(text)
    if path.suffix[1:].lower() not in FILE_FORMATS:
        endings = " or ".join(f".{ending}" for ending in FILE_FORMATS)
        raise InputError(text, "is no name of a figure", f"let it end in {endings}")
    if path.parent.resolve() != output.parent.resolve():
        remedy = f"give --plot {output.parent / path.name}"
        raise InputError(text, f"is not in the folder of {output}", remedy)
    return path


def _plot_bytes(found: Coverage, min_patients: int, plot: Path) -> bytes:
    from ..plotting.charts import draw_coverage
    from ..plotting.figures import figure_bytes

    return figure_bytes(draw_coverage(found, min_patients), plot.suffix[1:].lower())


def _counts(found: Coverage) -> dict[str, Any]:
    return {
        "patients": found.n_patients,
        "most_at_a_voxel": found.most,
        "brain_voxels": found.brain_voxels,
        "lesioned_voxels_outside_brain": found.outside_brain,
        "conventions": {mark.label: mark.min_patients for mark in found.marks},
    }


def _print(found: Coverage, min_patients: int) -> None:
    patients = f"{found.n_patients} patient{'' if found.n_patients == 1 else 's'}"
    say(f"{found.name}: {patients}, at most {found.most} share a voxel")
    if found.outside_brain:
        share = 100 * found.outside_brain / found.at(1).voxels
        outside = f"{found.outside_brain:,} lesioned voxels ({share:.1f} %)"
        say(f"{outside} lie outside the MNI152 brain: no part of its share")
    say(found.at(min_patients).sentence)
    say("what others ask for; there is no general rule:")
    for mark in found.marks:
        say(f"  {mark.label} ({mark.reference})")
        say(f"    {found.at(mark.min_patients).sentence}")
