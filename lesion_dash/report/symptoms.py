"""What a report tells of a score: map, clusters, prediction, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..atlas.atlas import Atlas
from ..cohort.cohort import Cohort
from ..core.defaults import PERMUTATIONS, SEED, SYMPTOM_TEST, SymptomTest
from ..core.errors import InputError
from ..images.maps import Map
from ..regions.load import lesion_load
from ..regions.symptoms import region_symptoms
from ..stats.lesion_symptom.cluster_table import SymptomClusters, find_symptom_clusters
from ..stats.lesion_symptom.column_tests import ColumnTest, ColumnTests
from ..stats.lesion_symptom.mapping import SymptomMap, map_symptom
from ..stats.lesion_symptom.planning import lookalikes
from ..stats.lesion_symptom.prediction import predict_symptom
from ..stats.lesion_symptom.prediction_result import SymptomPrediction
from ..stats.lesion_symptom.sentences import (
    MAX_NAMED,
    cluster_sentence,
    gain_sentence,
    given_words,
    model_measures,
)
from ..stats.lesion_symptom.univariate import BINARY, LINEAR


@dataclass(frozen=True, eq=False)
class SymptomFindings:
    """What is known of a score in one cohort.

    Parameters
    ----------
    letter : str
        Of the cohort.
    symptom_map : SymptomMap
        With log lesion volume as a covariate.
    without : SymptomMap
        Without control of lesion volume.
    clusters : SymptomClusters
    alike_mm3 : tuple of float
        Volume that the patients do not tell from each cluster's peak.
    regions : ColumnTests or None
        Of the first atlas, by a linear test.
    prediction : SymptomPrediction
    more : tuple of str
        Why there are no regions, where an atlas is given.
    """

    letter: str
    symptom_map: SymptomMap
    without: SymptomMap
    clusters: SymptomClusters
    alike_mm3: tuple[float, ...]
    regions: ColumnTests | None
    prediction: SymptomPrediction
    more: tuple[str, ...] = ()

    @property
    def is_binary(self) -> bool:
        """Whether the score is 0 and 1."""
        return self.symptom_map.test in BINARY

    @property
    def statistic(self) -> Map:
        """Map of the statistic."""
        return self.symptom_map.map("statistic")

    @property
    def corrected_p(self) -> Map:
        """Map of p corrected for the family-wise error."""
        return self.symptom_map.map("corrected_p")

    @property
    def effect(self) -> Map:
        """Map of the difference, lesioned minus spared."""
        return self.symptom_map.map("effect")

    @property
    def cluster_table(self) -> pd.DataFrame:
        """A row for each cluster, with the volume that is not told from its peak."""
        return self.clusters.table.assign(lookalikes_mm3=list(self.alike_mm3))

    @property
    def region_table(self) -> pd.DataFrame:
        """A row for each tested region; without any where none is tested."""
        return pd.DataFrame() if self.regions is None else self.regions.table

    @property
    def notes(self) -> list[str]:
        """What makes the results doubtful, each once."""
        regions = () if self.regions is None else self.regions.notes
        every = *self.symptom_map.notes, *regions, *self.more, *self.prediction.notes
        return list(dict.fromkeys(every))

    @property
    def given(self) -> str:
        """What differences of clusters take into account, and what they do not."""
        return given_words(self.symptom_map)

    @property
    def cluster_words(self) -> list[str]:
        """A sentence on each of the first clusters."""
        rows = self.clusters.rows[:MAX_NAMED]
        return [cluster_sentence(row, self.symptom_map) for row in rows]

    @property
    def measures(self) -> dict[str, dict[str, str]]:
        """How well each model predicts, by its name and that of the measure."""
        scheme = next(iter(self.prediction.schemes))
        models = self.prediction.models
        return {model: model_measures(self.prediction, scheme, model) for model in models}

    @property
    def gain(self) -> str:
        """What the place of lesions adds to the prediction."""
        return gain_sentence(self.prediction, next(iter(self.prediction.schemes)))

    @property
    def power_range(self) -> tuple[float, float] | None:
        """Smallest effect found with 80 % power (SD), at the best and at the worst voxel."""
        detectable = self.symptom_map.values.get("power_d80")
        if detectable is None:
            return None
        return float(detectable.min()), float(detectable.max())


def find_symptoms(
    letter: str,
    cohort: Cohort,
    atlases: Sequence[Atlas],
    score: str,
    *,
    covariates: Sequence[str] = (),
    test: SymptomTest = SYMPTOM_TEST,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
) -> SymptomFindings:
    """Map and predict the score of a cohort; see `map_symptom` and `predict_symptom`.

    Raises
    ------
    InputError
        Where a column or the test does not fit, or no voxel can be tested.
    """
    how: dict[str, Any] = {"covariates": covariates, "permutations": permutations, "seed": seed}
    symptom_map = map_symptom(cohort, score, test=test, **how)
    without = map_symptom(cohort, score, test=test, control="none", **how)
    atlas = atlases[0] if atlases else None
    clusters = find_symptom_clusters(symptom_map, atlas)
    some, least = cohort.select(symptom_map.patients.rows), symptom_map.min_lesioned
    alike = tuple(lookalikes(some, row.mm, min_lesioned=least).volume_mm3 for row in clusters)
    regions: ColumnTests | None = None
    more: tuple[str, ...] = ()
    if atlas is not None and test in LINEAR:
        of_linear: ColumnTest = "rank" if test == "rank" else "ols"
        try:
            regions = region_symptoms(lesion_load(cohort, atlas), score, test=of_linear, **how)
        except InputError as error:
            more = (f"regions are not tested: {error.problem}",)
    prediction = predict_symptom(cohort, score, **how)
    return SymptomFindings(letter, symptom_map, without, clusters, alike, regions, prediction, more)
