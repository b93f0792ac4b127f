"""What `lesion-dash stats` does: maps of lesion size topography."""

from __future__ import annotations

import argparse

from .console import progress_bar, say, warn
from .options import COHORT_PARAMETERS, conditions_of, report_skipped


def run_stats(options: argparse.Namespace) -> int:
    """Write the maps of lesion size topography, the patients and the provenance."""
    from ..cohort.cohort import cohort_input
    from ..cohort.reading import ReadOptions
    from ..core.tables import csv_bytes
    from ..files.provenance import FILE_NAME, provenance_bytes
    from ..files.writing import check_space, write_atomically
    from ..images.maps import nifti_parts
    from ..images.masks import Binarization
    from ..stats.topography import FILE_NAMES, folder_stats

    names = [*FILE_NAMES.values(), "patients.csv", FILE_NAME]
    with write_atomically(options.output, names, options.overwrite) as writer:
        cohort, stats = folder_stats(
            options.masks,
            options.min_patients,
            options.std,
            options.outside,
            options.scheduler,
            ReadOptions(
                participants=options.participants,
                pattern=options.pattern,
                choice=Binarization(options.threshold, options.label),
                progress=progress_bar("reading masks", "file"),
                on_grid=lambda grid: check_space(writer.folder, 16 * grid.size),
                where=conditions_of(options),
            ),
        )
        voxels, most = stats.voxels, stats.most
        for name, found in stats.files.items():
            writer.add(name, *nifti_parts(found.to_nifti()))
        del stats, found  # the tables of many patients take their place in memory
        writer.add("patients.csv", csv_bytes(cohort.files_table))
        parameters = {key: getattr(options, key) for key in ("std", "outside", *COHORT_PARAMETERS)}
        parameters["cluster"] = options.scheduler is not None
        counts = {"patients": cohort.n_patients, "voxels": voxels}
        inputs = [cohort_input(cohort)]
        writer.add(FILE_NAME, provenance_bytes("stats", parameters, inputs, counts, writer.sums))
    report_skipped(cohort)
    qualify = f", {voxels:,} voxels with at least {options.min_patients} of them" if voxels else ""
    say(f"{cohort.n_patients} patients{qualify}; {len(names)} files in {options.output}")
    if not voxels:
        share = f"at most {most} share one" if most else "none is lesioned anywhere"
        few = f"no voxel is lesioned in {options.min_patients} patients: the maps are empty"
        warn(f"{few}; {share}")
    return 0
