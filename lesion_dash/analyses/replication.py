"""`lesion-dash replicate`: whether a map of a score in one sample holds in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ..core import defaults
from . import fields
from .fields import option, source
from .inputs import load_folder, open_atlas, side_notices
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from ..stats.lesion_symptom.replication import SymptomReplication

TABLE_NAME, PREDICTIONS_NAME = "replication.csv", "predictions.csv"


class ReplicateSymptom(Request):
    """Whether a map of a score in sample A holds in sample B.

    A is mapped as by `lsm`. Then B is tested at the peaks of A's clusters, with the same score,
    covariates and control, corrected for the number of peaks; the signs of both maps are compared
    where A is significant; and B is predicted by a model that knows A alone.
    """

    command = "replicate"
    example = "sample_a/ sample_b/ --score nihss --covariates age sex -o replication/"

    a: fields.MasksA
    b: str = source("folder or URL of the masks of the second sample", "B", positional=True)
    score: str = option("column of numbers of both participants tables", "COLUMN")
    covariates: tuple[str, ...] = option(
        "covariates: columns of numbers or categories", "COLUMN", default=(),
        several=True,
    )  # fmt: skip
    output: fields.Output
    overwrite: fields.Overwrite
    strict: fields.Strict
    test: Literal["ols", "rank"] = option(
        "linear regression (ols), or the same of ranks", default=defaults.SYMPTOM_TEST
    )
    control: defaults.Control = option("how lesion volume is controlled", default=defaults.CONTROL)
    min_lesioned: int | None = option(
        "voxels with at least K lesioned and as many spared patients of A are tested (default: 5 % "
        "of the patients, but at least 5)",
        "K",
        default=None,
        ge=2,
    )
    min_lesioned_b: int = option(
        "the same of B, at peaks and voxels that are compared", "K",
        default=defaults.MIN_PATIENTS, ge=2,
    )  # fmt: skip
    permutations: fields.Permutations
    seed: fields.Seed
    atlas: str | None = fields.source("to name the region of each peak", "ATLAS", default=None)
    labels: fields.Labels
    scale: fields.AtlasScale
    accept_swapped: fields.AcceptSwapped
    mirror_atlas: fields.MirrorAtlas
    pattern: fields.Pattern
    session: fields.Session
    several_files: fields.SeveralFiles
    threshold: fields.Threshold
    label: fields.Label
    space: fields.SpaceWithAtlas
    where: fields.Where
    where_a: fields.WhereA
    where_b: fields.WhereB
    participants: fields.Participants
    scheduler: fields.Scheduler

    def outputs(self) -> list[str]:
        from ..stats.lesion_symptom.cluster_table import TABLE_NAME as CLUSTERS_NAME

        return [CLUSTERS_NAME, TABLE_NAME, PREDICTIONS_NAME, "patients_a.csv", "patients_b.csv"]

    def run(self, progress: Progress) -> Result:
        from ..atlas.atlas import atlas_input
        from ..cohort.cohort import cohort_input
        from ..core.tables import csv_bytes
        from ..stats.lesion_symptom.cluster_table import TABLE_NAME as CLUSTERS_NAME
        from ..stats.lesion_symptom.cluster_table import find_symptom_clusters
        from ..stats.lesion_symptom.mapping import map_symptom
        from ..stats.lesion_symptom.replication import replicate_symptom
        from ..stats.lesion_symptom.sentences import replication_sentences

        atlas = open_atlas(self.atlas, self.labels, self) if self.atlas else None
        a = load_folder(self.a, self, progress, more=self.where_a)
        b = load_folder(self.b, self, progress, more=self.where_b)
        symptom_map = map_symptom(
            a,
            self.score,
            test=self.test,
            covariates=self.covariates,
            control=self.control,
            min_lesioned=self.min_lesioned,
            permutations=self.permutations,
            seed=self.seed,
            progress=progress(f"permuting {self.score} of A", "permutation"),
        )
        replication = replicate_symptom(
            find_symptom_clusters(symptom_map, atlas),
            b,
            min_lesioned=self.min_lesioned_b,
            permutations=self.permutations,
            seed=self.seed,
            progress=progress(f"permuting {self.score} of B", "permutation"),
        )
        tables = {
            CLUSTERS_NAME: replication.clusters.table,
            TABLE_NAME: replication.table,
            PREDICTIONS_NAME: replication.prediction_table,
            "patients_a.csv": symptom_map.patients.table,
            "patients_b.csv": replication.patients.table,
        }
        notes = dict.fromkeys([*symptom_map.notes, *replication.notes])
        return Result(
            files=[(name, csv_bytes(table)) for name, table in tables.items()],
            inputs=[cohort_input(a), cohort_input(b), *([atlas_input(atlas)] if atlas else [])],
            counts=_counts(replication),
            lines=[
                *side_notices(atlas), *replication_sentences(replication), self.files_line()
            ],
            notes=list(notes),
        )  # fmt: skip


def _counts(replication: SymptomReplication) -> dict[str, Any]:
    from dataclasses import asdict

    agreement = replication.agreement
    return {
        "patients_a": replication.clusters.symptom_map.patients.size,
        "patients_b": replication.patients.size,
        "peaks": len(replication.peak_places),
        "replicated": int(replication.table["replicated"].sum()),
        "agreement": None if agreement is None else asdict(agreement),
        "predictions": {model: replication.measures(model) for model in replication.predicted},
        "sentence": replication.sentence,
    }
