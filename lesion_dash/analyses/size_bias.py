"""`lesion-dash size-bias`: where lesions are larger than with shuffled volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import model_validator

from ..core import defaults
from ..core.errors import InputError
from ..core.text import counted
from . import fields
from .contents import Content
from .fields import option, source
from .inputs import check_overlap, load_folder, open_atlas, side_notices
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
    bids: fields.Bids
    strict: fields.Strict
    min_patients: fields.MinPatients
    permutations: fields.Permutations
    seed: fields.Seed
    side: defaults.VolumeSide = option(
        "alternative hypothesis: means are larger, smaller, or either",
        default=defaults.VOLUME_SIDE,
    )
    clusters: bool = option(
        "write a table of the clusters of voxels with a small corrected p",
        default=False,
        is_recorded=False,
    )
    atlas: str | None = source(
        "to name the region at the peak of each of these clusters, as for `lesion-dash load`",
        "ATLAS",
        default=None,
        is_recorded=False,
    )
    labels: fields.Labels
    scale: fields.AtlasScaleIfAny
    accept_swapped: fields.AcceptSwapped
    mirror_atlas: fields.MirrorAtlas
    pattern: fields.Pattern
    session: fields.Session
    several_files: fields.SeveralFiles
    threshold: fields.Threshold
    label: fields.Label
    space: fields.SpaceWithAtlas
    where: fields.Where
    participants: fields.Participants
    scheduler: fields.Scheduler

    @model_validator(mode="after")
    def _check_clusters(self) -> SizeBias:
        if self.atlas is not None and not self.clusters:
            raise InputError("--atlas", "names the regions of clusters", "give --clusters as well")
        return self

    def outputs(self) -> list[str]:
        from ..stats.size_bias import FILE_NAME, MEAN_FILE_NAMES, PERMUTATION_FILE_NAMES

        maps = [*MEAN_FILE_NAMES.values(), *PERMUTATION_FILE_NAMES.values()]
        return [*maps, "patients.csv", *([FILE_NAME] if self.clusters else [])]

    def run(self, progress: Progress) -> Result:
        from ..atlas.atlas import atlas_input
        from ..cohort.cohort import cohort_input
        from ..core.tables import csv_bytes
        from ..stats.permutation import permute_volumes
        from ..stats.size_bias import FILE_NAME, STATEMENT, find_size_clusters, mean_contrast

        atlas = open_atlas(self.atlas, self.labels, self) if self.atlas else None
        cohort = load_folder(self.masks, self, progress)
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
        counts = {
            "patients": test.n_patients,
            "cohort_mean_mm3": means.cohort_mean,
            "size_weighted_mean_mm3": means.weighted_mean,
            "voxels_tested": test.tested,
            "patterns": test.patterns,
            f"voxels_corrected_p_at_most_{defaults.SIGNIFICANCE_LEVEL:g}": test.significant(),
            "notes": list(test.notes),
            "statement": STATEMENT,
        }
        files: list[tuple[str, Content]] = [*(means.files | test.files).items()]
        files.append(("patients.csv", cohort.files_csv))
        if self.clusters:
            files.append((FILE_NAME, csv_bytes(find_size_clusters(test, means, atlas).table)))
        return Result(
            files=files,
            inputs=[cohort_input(cohort), *([atlas_input(atlas)] if atlas else [])],
            counts=counts,
            lines=[*side_notices(atlas), *_summary(means, test), STATEMENT, self.files_line()],
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
    small = f"corrected p at most {defaults.SIGNIFICANCE_LEVEL:g}"
    return [
        f"mean volume of the cohort {mean:,.2f} mL, size-weighted mean {weighted:,.2f} mL",
        f"mean at a voxel: {over} at {above_weighted}",
        test.sentence,
        f"{small}: {counted(count, 'voxel')} ({percent:.1f} %)",
    ]
