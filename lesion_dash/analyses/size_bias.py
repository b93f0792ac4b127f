"""What `lesion-dash size-bias` does: where lesions are larger than with shuffled volumes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .console import progress_bar, say, warn
from .options import load_folder, report_skipped

if TYPE_CHECKING:
    from ..cohort.cohort import Cohort
    from ..stats.size_bias import MeanContrast, VolumePermutations


TEXT = "where lesions are larger than with volumes shuffled among patients, by permutations"
_LEVEL = 0.05
_PARAMETERS = ("pattern", "threshold", "label", "where", "participants")


def add_choices(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command, but for those of every folder of masks."""
    parser.add_argument(
        "masks", metavar="MASKS", help="folder or URL of binary masks, one a patient"
    )
    parser.add_argument(
        "--permutations",
        metavar="N",
        type=int,
        default=1000,
        help="shuffles of the volumes; no p is below 1 / (N + 1) (default 1000)",
    )
    parser.add_argument(
        "--seed", metavar="S", type=int, default=0, help="of the shuffles (default 0)"
    )
    parser.add_argument(
        "--side",
        choices=("larger", "smaller", "two-sided"),
        default="larger",
        help="what counts as extreme: means that are larger (the default), smaller, or either",
    )
    parser.add_argument("--participants", metavar="TABLE", help="participants .tsv or .csv")
    parser.epilog = (
        "A large lesion covers more voxels, so means are above the cohort's nearly everywhere by "
        "construction; docs/size_bias.md says what the test shows, and what it does not."
    )


def run_size_bias(options: argparse.Namespace) -> int:
    """Write the contrasts of the mean, the maps of the test, the patients and the provenance."""
    from ..core.tables import csv_bytes
    from ..files.provenance import FILE_NAME
    from ..files.writing import write_atomically
    from ..images.maps import nifti_bytes
    from ..stats.permutation import permute_volumes
    from ..stats.size_bias import MEAN_FILE_NAMES as MEANS
    from ..stats.size_bias import PERMUTATION_FILE_NAMES as PERMUTED
    from ..stats.size_bias import mean_contrast

    names = [*MEANS.values(), *PERMUTED.values(), "patients.csv", FILE_NAME]
    with write_atomically(options.output, names, options.overwrite) as writer:
        cohort = load_folder(options.masks, options, options.participants)
        found = permute_volumes(
            cohort,
            options.min_patients,
            options.permutations,
            options.seed,
            options.side,
            progress_bar("shuffling volumes", "permutation"),
        )
        means = mean_contrast(cohort, options.min_patients)
        for name, image in (means.files | found.files).items():
            writer.add(name, nifti_bytes(image.to_nifti()))
        writer.add("patients.csv", csv_bytes(cohort.files_table))
        writer.add(FILE_NAME, _provenance(options, cohort, means, found, writer.sums))
    report_skipped(cohort)
    _print(means, found)
    say(f"{len(names)} files in {options.output}")
    return 0


def _provenance(
    options: argparse.Namespace,
    cohort: Cohort,
    means: MeanContrast,
    found: VolumePermutations,
    sums: dict[str, str],
) -> bytes:
    from ..cohort.cohort import cohort_input
    from ..files.provenance import provenance_bytes
    from ..stats.size_bias import STATEMENT

    parameters = found.parameters | {key: getattr(options, key) for key in _PARAMETERS}
    parameters["cluster"] = options.scheduler is not None
    counts: dict[str, Any] = {
        "patients": found.n_patients,
        "cohort_mean_mm3": means.cohort_mean,
        "size_weighted_mean_mm3": means.weighted_mean,
        "voxels_tested": found.tested,
        "patterns": found.patterns,
        f"voxels_corrected_p_at_most_{_LEVEL:g}": found.significant(_LEVEL),
        "notes": list(found.notes),
        "statement": STATEMENT,
    }
    return provenance_bytes("size-bias", parameters, [cohort_input(cohort)], counts, sums)


def _print(means: MeanContrast, found: VolumePermutations) -> None:
    from ..stats.size_bias import STATEMENT

    for note in found.notes:
        warn(f"note: {note}")
    mean, weighted = (value / 1000 for value in (means.cohort_mean, means.weighted_mean))
    say(f"mean volume of the cohort {mean:,.2f} mL, size-weighted mean {weighted:,.2f} mL")
    shares = [(means.mean > value).mean() for value in (means.cohort_mean, means.weighted_mean)]
    above = f"{100 * shares[0]:.1f} % of voxels, above the size-weighted mean at"
    say(f"mean at a voxel: above the cohort's at {above} {100 * shares[1]:.1f} %")
    say(found.sentence)
    count, tested = found.significant(_LEVEL), found.tested
    say(f"corrected p at most {_LEVEL:g}: {count:,} voxels ({100 * count / tested:.1f} %)")
    say(STATEMENT)
