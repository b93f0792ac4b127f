"""What `lesion-dash compare` does: how two folders of masks differ at each voxel."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .console import say, warn
from .options import add_where_each, load_folder, options_of, report_skipped

if TYPE_CHECKING:
    from ..images.maps import Map
    from ..stats.differences import CohortDifferences


TEXT = "subtract cohort B from cohort A: patients lesioned at each voxel, and their lesion volume"
_PARAMETERS = ("min_patients", "outside", "pattern", "threshold", "label")
_WHERE = ("where", "where_a", "where_b")


def add_choices(parser: argparse.ArgumentParser) -> None:
    """What is compared; results, K and how folders are read are chosen as for `stats`."""
    parser.add_argument("a", metavar="A", help="folder or URL of binary masks, one a patient")
    parser.add_argument("b", metavar="B", help="folder or URL of the masks that are subtracted")
    add_where_each(parser)
    parser.add_argument(
        "--outside",
        choices=("nan", "zero"),
        default="nan",
        help="what the maps of volumes hold where fewer than K patients of A, or of B, are "
        "lesioned (default nan, as 0 is no difference)",
    )


def run_compare(options: argparse.Namespace) -> int:
    """Write the three maps of differences and the provenance."""
    from ..cohort.cohort import cohort_input
    from ..files.provenance import FILE_NAME, provenance_bytes
    from ..files.writing import check_space, write_atomically
    from ..images.maps import nifti_parts
    from ..stats.differences import FILE_NAMES, cohort_differences

    names = [*FILE_NAMES.values(), FILE_NAME]
    with write_atomically(options.output, names, options.overwrite) as writer:
        a = load_folder(options.a, options_of(options, "a"))
        b = load_folder(options.b, options_of(options, "b"))
        check_space(writer.folder, 4 * len(FILE_NAMES) * a.grid.size)
        found = cohort_differences(a, b, options.min_patients, options.outside)
        for name, made in found.files.items():
            writer.add(name, *nifti_parts(made.to_nifti()))
        parameters = {key: getattr(options, key) for key in (*_PARAMETERS, *_WHERE)}
        parameters["cluster"] = options.scheduler is not None
        inputs = [cohort_input(a), cohort_input(b)]
        writer.add(
            FILE_NAME, provenance_bytes("compare", parameters, inputs, _counts(found), writer.sums)
        )
    for cohort in (a, b):
        report_skipped(cohort)
    _print(found)
    say(f"{len(names)} files in {options.output}")
    return 0


def _counts(found: CohortDifferences) -> dict[str, Any]:
    return {
        "patients_a": found.sizes[0],
        "patients_b": found.sizes[1],
        "voxels_frequency": int(found.indices.size),
        "voxels_mean": found.compared.voxels,
        "notes": list(found.notes),
    }


def _print(found: CohortDifferences) -> None:
    for letter, name, size in zip("AB", found.names, found.sizes, strict=True):
        say(f"{letter}: {name}: {size} patient{'' if size == 1 else 's'}")
    for note in found.notes:
        say(f"note: {note}")
    low, high = _range(found.frequency)
    say(f"patients lesioned, A - B: from {low:+.1f} to {high:+.1f} percentage points")
    voxels, least = found.compared.voxels, found.min_patients
    if not voxels:
        few = f"no voxel is lesioned in {least} patients of A and in {least} of B"
        warn(f"{few}: mean volumes are compared nowhere; lower --min-patients")
        return
    where = f"{voxels:,} voxels with at least {least} patient{'' if least == 1 else 's'} of each"
    for what, made in (("mean", found.mean), ("SD of", found.std)):
        low, high = (end / 1000 for end in _range(made))
        say(f"{what} lesion volume, A - B: from {low:+,.1f} to {high:+,.1f} mL in {where}")


def _range(found: Map) -> tuple[float, float]:
    import numpy as np

    return float(np.nanmin(found.array)), float(np.nanmax(found.array))
