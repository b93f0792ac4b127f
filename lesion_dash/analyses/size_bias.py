"""`lesion-dash size-bias`: where lesions are larger than with shuffled volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..core.defaults import SIGNIFICANCE_LEVEL
from . import fields
from .fields import option
from .inputs import check_overlap, load_folder
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from ..stats.size_bias import MeanContrast, VolumePermutations


class SizeBias(Request):
    """Where lesions are larger than with volumes shuffled among patients, by permutations.

    A large lesion covers more voxels, so means are above the cohort's nearly everywhere by
    construction; docs/size_bias.md says what the test shows, and what it does not.
    """

    command = "size-bias"
    example = "masks/ -o size_bias/ --permutations 1000"

    masks: fields.Masks
    output: fields.Output
    overwrite: fields.Overwrite
    strict: fields.Strict
    min_patients: fields.MinPatients
    permutations: fields.Permutations
    seed: fields.Seed
    side: Literal["larger", "smaller", "two-sided"] = option(
        "what counts as extreme: means that are larger, smaller, or either", default="larger"
    )
    pattern: fields.Pattern
    threshold: fields.Threshold
    label: fields.Label
    where: fields.Where
    participants: fields.Participants
    scheduler: fields.Scheduler

    def outputs(self) -> list[str]:
        from ..stats.size_bias import MEAN_FILE_NAMES, PERMUTATION_FILE_NAMES

        return [*MEAN_FILE_NAMES.values(), *PERMUTATION_FILE_NAMES.values(), "patients.csv"]

    def run(self, progress: Progress) -> Result:
        from ..cohort.cohort import cohort_input
        from ..core.tables import csv_bytes
        from ..images.maps import nifti_bytes
        from ..stats.permutation import permute_volumes
        from ..stats.size_bias import STATEMENT, mean_contrast

        cohort = load_folder(self.masks, self, progress, self.participants)
        check_overlap(self, cohort.max_overlap, cohort.name)
        test = permute_volumes(
            cohort,
            self.min_patients,
            self.permutations,
            self.seed,
            self.side,
            progress("shuffling volumes", "permutation"),
        )
        means = mean_contrast(cohort, self.min_patients)
        maps = [
            (name, nifti_bytes(image.to_nifti()))
            for name, image in (means.files | test.files).items()
        ]
        counts = {
            "patients": test.n_patients,
            "cohort_mean_mm3": means.cohort_mean,
            "size_weighted_mean_mm3": means.weighted_mean,
            "voxels_tested": test.tested,
            "patterns": test.patterns,
            f"voxels_corrected_p_at_most_{SIGNIFICANCE_LEVEL:g}": test.significant(),
            "notes": list(test.notes),
            "statement": STATEMENT,
        }
        return Result(
            files=[*maps, ("patients.csv", csv_bytes(cohort.files_table))],
            inputs=[cohort_input(cohort)],
            counts=counts,
            lines=[*_summary(means, test), STATEMENT, self.files_line()],
            notes=test.notes,
        )


def _summary(means: MeanContrast, test: VolumePermutations) -> list[str]:
    mean, weighted = means.cohort_mean / 1000, means.weighted_mean / 1000
    above, above_weighted = (
        f"{100 * (means.mean > value).mean():.1f} %"
        for value in (means.cohort_mean, means.weighted_mean)
    )
    over = f"above the cohort's at {above} of voxels, above the size-weighted mean"
    count, percent = test.significant(), 100 * test.significant() / test.tested
    return [
        f"mean volume of the cohort {mean:,.2f} mL, size-weighted mean {weighted:,.2f} mL",
        f"mean at a voxel: {over} at {above_weighted}",
        test.sentence,
        f"corrected p at most {SIGNIFICANCE_LEVEL:g}: {count:,} voxels ({percent:.1f} %)",
    ]
