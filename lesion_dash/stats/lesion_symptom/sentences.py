"""Sentences on lesion-symptom maps, for the terminal, the page and the report."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.defaults import SIGNIFICANCE_LEVEL
from ...core.formats import P
from ...core.text import counted, enumerated
from .cautions import volume_correlation
from .cluster_table import SymptomCluster, SymptomClusters
from .column_tests import ColumnTests
from .mapping import STATEMENT, SymptomMap, voxels_in
from .multivariate import MultivariateMap
from .prediction_result import LESIONS, MEAN, SymptomPrediction
from .prediction_result import STATEMENT as OF_PREDICTIONS
from .quantities import left_out
from .replication import STATEMENT as OF_REPLICATIONS
from .replication import SymptomReplication
from .univariate import LINEAR

MAX_NAMED = 5
"""Clusters or regions that are told in words; arbitrary, tables hold them all."""


def map_sentences(symptom_map: SymptomMap, clusters: SymptomClusters) -> list[str]:
    """Design, thresholds, clusters and what the map does not show."""
    name = symptom_map.statistic_name
    height = {"two-sided": f"|{name}|", "larger": name, "smaller": f"-{name}"}[symptom_map.side]
    largest = symptom_map.heights_of(symptom_map.statistic).max()
    thresholds = [f"{symptom_map.threshold():.2f} for any false voxel"]
    thresholds += [
        f"{symptom_map.threshold(v):.2f} for {v:g} mm³ of them or more"
        for v in symptom_map.v_mm3
        if voxels_in(v, symptom_map.grid.voxel_volume) > 1
    ]
    above = f"{height} above which corrected p is at most {SIGNIFICANCE_LEVEL:g}"
    lines = [
        symptom_map.sentence,
        f"{above}: {'; '.join(thresholds)}",
        f"{outcome_sentence(symptom_map)}; largest {height} {largest:.2f}",
    ]
    lines += [f"  {cluster_sentence(row, symptom_map)}" for row in clusters.rows[:MAX_NAMED]]
    if len(clusters) > MAX_NAMED:
        lines.append(f"  and {counted(len(clusters) - MAX_NAMED, 'more cluster')}")
    if not len(clusters):
        lines.append("no cluster is significant by its peak or its size")
        detectable = symptom_map.values.get("power_d80")
        if detectable is not None:
            lines.append(
                f"smallest effect found in 80 % of such studies: {detectable.min():.2f} to "
                f"{detectable.max():.2f} SD, by voxel: smaller ones are found less often"
            )
    return [*lines, STATEMENT]


def outcome_sentence(symptom_map: SymptomMap) -> str:
    """How much is significant after correction."""
    count = int((symptom_map.corrected_p <= SIGNIFICANCE_LEVEL).sum())
    volume = count * symptom_map.grid.voxel_volume / 1000
    voxels = counted(count, "voxel")
    return f"{voxels} ({volume:,.2f} mL) with corrected p at most {SIGNIFICANCE_LEVEL:g}"


def cluster_sentence(row: SymptomCluster, symptom_map: SymptomMap) -> str:
    """A cluster: size, place, scores of both groups, effect and p."""
    place = row.place or f"{row.x_mm:.0f}, {row.y_mm:.0f}, {row.z_mm:.0f} mm"
    unit, given = symptom_map.patients.name, given_words(symptom_map)
    p = symptom_map.cluster_p
    forming = f" at uncorrected p below {p:g}" if p is not None else ""
    return (
        f"{row.cluster}: {row.volume_mm3 / 1000:.2f} mL{forming}, peak in {place}: {unit} "
        f"{row.mean_lesioned:.1f} of {row.lesioned} lesioned, {row.mean_spared:.1f} of "
        f"{row.spared} spared; lesioned minus spared{given} {row.effect:.2f} (95 % interval "
        f"{row.ci_low:.2f} to {row.ci_high:.2f}); corrected p {row.corrected_p:.3g} of the "
        f"peak, {row.cluster_p:.3g} of the cluster's size"
    )


def given_words(symptom_map: SymptomMap) -> str:
    """What an effect takes into account, and what it does not, though the test does."""
    volume = {"log-volume": ["log lesion volume"], "volume": ["lesion volume"]}
    terms = [*symptom_map.covariates, *volume.get(symptom_map.control, [])]
    is_given = bool(terms) and symptom_map.test in LINEAR
    given = f", given {enumerated(terms)}," if is_given else ""
    has_covariates = bool(symptom_map.covariates)
    if what := left_out("effect", symptom_map.test, symptom_map.control, has_covariates):
        given += f" not given {what}," if given else f", not given {what},"
    return given


def place_sentences(symptom_map: SymptomMap, row: int) -> tuple[str, str]:
    """What is known of the voxel in a row: scores and effect, and how sure that is.

    Examples
    --------
    >>> from lesion_dash import load_cohort, map_symptom
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> effect, certainty = place_sentences(map_symptom(cohort, "naming", permutations=99), 0)
    >>> effect.startswith("naming is"), "corrected p" in certainty
    (True, True)
    """
    is_lesioned, score = symptom_map.is_lesioned(row), symptom_map.patients.score

    def value(key: str) -> float:
        return float(symptom_map.values[key][row])

    effect = (
        f"{symptom_map.patients.name} is {score[is_lesioned].mean():.2f} in "
        f"{counted(int(is_lesioned.sum()), 'patient')} with a lesion here and "
        f"{score[~is_lesioned].mean():.2f} in {int((~is_lesioned).sum())} without; lesioned minus "
        f"spared{given_words(symptom_map)} {value('effect'):.2f} (95 % interval "
        f"{value('ci_low'):.2f} to {value('ci_high'):.2f})"
    )
    p = value("corrected_p")
    is_small = p <= SIGNIFICANCE_LEVEL
    verdict = "significant" if is_small else "not significant"
    certainty = (
        f"{verdict} after correction for {symptom_map.tested:,} voxels: corrected p {p:.3g} "
        f"(uncorrected {value('p'):.2g})"
    )
    if not is_small and "power_d80" in symptom_map.values:
        certainty += (
            "; that does not show that this place is without an effect: with these patients one "
            f"of {value('power_d80'):.2f} SD is found here in 80 % of studies, smaller ones less "
            "often"
        )
    return effect, certainty


def region_sentences(regions: ColumnTests, part: float = 0.1) -> list[str]:
    """The regions, or other columns, with a small corrected p, at most as many as clusters."""
    table = regions.table[regions.table["corrected_p"] <= SIGNIFICANCE_LEVEL]
    noun, of_part = ("column", "1 more") if part == 1 else ("region", "each 10 % of the region")
    count = counted(len(table), noun)
    lines = [f"{count} of {len(regions.table)} with corrected p at most {SIGNIFICANCE_LEVEL:g}"]
    for row in table.sort_values("corrected_p").head(MAX_NAMED).to_dict("records"):
        low, effect, high = (part * row[key] for key in ("ci_low", "effect", "ci_high"))
        words = f"{effect:.2f} ({low:.2f} to {high:.2f}) for {of_part}"
        lines.append(
            f"  {row['name']}: {words}; corrected p {row['corrected_p']:.3g} over all {noun}s"
        )
    return lines


def multivariate_sentences(together: MultivariateMap) -> list[str]:
    """What the model of all voxels found, and where both maps agree."""
    level = SIGNIFICANCE_LEVEL
    own, both = (int((p <= level).sum()) for p in (together.corrected_p, together.conjunction_p))
    agreement = (
        f"{counted(own, 'voxel')} with corrected p at most {level:g} in the model of all voxels "
        f"(z above {together.threshold():.2f}), {both:,} in both maps with the same sign: a place "
        "found by both is the more robust one, one found by neither is not shown to be without "
        "an effect"
    )
    return [together.sentence, agreement]


def control_sentence(symptom_map: SymptomMap, without: SymptomMap) -> str:
    """What the control of lesion volume changes."""
    a, b = (int((item.corrected_p <= SIGNIFICANCE_LEVEL).sum()) for item in (symptom_map, without))
    r = volume_correlation(symptom_map.patients)
    return (
        f"without control of lesion volume, {b:,} voxels in place of {a:,} have a corrected p of "
        f"at most {SIGNIFICANCE_LEVEL:g}; r of {symptom_map.patients.name} and log volume {r:.2f}"
    )


def prediction_sentences(prediction: SymptomPrediction) -> list[str]:
    """Design, figures of each model, what the lesions add, and what this does not show."""
    lines = [prediction.sentence]
    for scheme in prediction.schemes:
        repeats = len(prediction.schemes[scheme])
        spread = f"; mean and SD of {repeats} repeats" if repeats > 1 else ""
        lines.append(f"{scheme}{spread}:")
        lines += [f"  {_model_words(prediction, scheme, model)}" for model in prediction.models]
        lines.append(f"  {gain_sentence(prediction, scheme)}")
    return [*lines, OF_PREDICTIONS]


def gain_sentence(prediction: SymptomPrediction, scheme: str) -> str:
    """What the place of lesions adds to what volume and covariates predict."""
    gain, p = prediction.gain(scheme)
    r2 = {
        model: prediction.measures(scheme, model)["r2"].mean()
        for model in (LESIONS, prediction.baseline)
    }
    name, baseline = prediction.patients.name, prediction.baseline
    is_small = p <= SIGNIFICANCE_LEVEL and gain > 0
    says = "predicts" if is_small else "is not shown to predict"
    of_p = "" if np.isnan(p) else f", p {p:.3g}"
    return (
        f"the place of lesions {says} {name} beyond {baseline}: R² {r2[LESIONS]:.3f} with it, "
        f"{r2[baseline]:.3f} without (gain {gain:.3f}{of_p})"
    )


def model_measures(prediction: SymptomPrediction, scheme: str, model: str) -> dict[str, str]:
    """How well a model predicts, each measure with its SD over repeats, by name.

    Examples
    --------
    >>> from lesion_dash import load_cohort, predict_symptom
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> prediction = predict_symptom(cohort, "naming", permutations=20, repeats=2)
    >>> list(model_measures(prediction, "10 folds", "volume"))
    ['R²', 'r', 'off by', 'p']
    """
    measures = prediction.measures(scheme, model)
    texts = {}
    for key, name in _NAMES.items():
        if key not in measures or (model == MEAN and key in ("r", "auc")):
            continue
        values = measures[key]
        spread = f" ({values.std(ddof=1):.3f})" if values.size > 1 else ""
        unit = f" {prediction.patients.name}" if key == "mae" else ""
        texts[name] = f"{values.mean():.3f}{spread}{unit}"
    if model != MEAN and prediction.choice.permutations:
        texts["p"] = P.text(prediction.p(scheme, model))
    return texts


def replication_sentences(replication: SymptomReplication) -> list[str]:
    """Design, each peak in B, signs and correlation of both maps, predictions of B."""
    lines = [replication.sentence]
    lines += [f"  {peak_sentence(row)}" for row in replication.table.head(MAX_NAMED).itertuples()]
    if (left := len(replication.peak_places) - MAX_NAMED) > 0:
        lines.append(f"  and {counted(left, 'more peak')}")
    if (agreement := replication.agreement) is not None:
        what = "significant in A and tested in B" if agreement.is_significant else "tested in both"
        lines.append(
            f"{100 * agreement.same_sign:.1f} % of {agreement.voxels:,} voxels {what} have the "
            f"same sign (p {agreement.same_sign_p:.3g}); r of both maps over "
            f"{agreement.tested:,} voxels {agreement.r:.2f} (p {agreement.r_p:.3g})"
        )
    for model in replication.predicted:
        values = replication.measures(model)
        lines.append(
            f"B predicted by {model} of A: R² {values['r2']:.3f}, r {values['r']:.3f}, off by "
            f"{values['mae']:.3f} {replication.patients.name}, p {values['p']:.3g}"
        )
    return [*lines, OF_REPLICATIONS]


def peak_sentence(row: Any) -> str:
    """A peak of A, and what B shows there."""
    place = f"{row.x_mm:.0f}, {row.y_mm:.0f}, {row.z_mm:.0f} mm"
    doubt = "" if row.significant_a else ", not significant"
    of_a = f"{row.peak} ({place}): {row.effect_a:.2f} in A{doubt}"
    if np.isnan(row.effect_b):
        return f"{of_a}, not tested in B"
    verdict = "replicated" if row.replicated else "not replicated"
    if not row.significant_a:
        verdict = "nothing that could be replicated"
    return (
        f"{of_a}, {row.effect_b:.2f} (95 % interval {row.ci_low_b:.2f} to {row.ci_high_b:.2f}) in "
        f"{row.lesioned_b:.0f} lesioned and {row.spared_b:.0f} spared of B: {verdict}, corrected p "
        f"{row.corrected_p_b:.3g} for the number of peaks"
    )


def _model_words(prediction: SymptomPrediction, scheme: str, model: str) -> str:
    texts = model_measures(prediction, scheme, model)
    what = "mean of the others" if model == MEAN else model
    return f"{what}: {', '.join(f'{name} {text}' for name, text in texts.items())}"


_NAMES = {
    "r2": "R²",
    "r": "r",
    "auc": "AUC",
    "brier": "Brier score",
    "mae": "off by",
}
