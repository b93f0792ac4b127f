"""Figures of predictions of a score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..stats.lesion_symptom.prediction_result import LESIONS, VOLUME, SymptomPrediction
from .drawing import new_figure, with_plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PREDICTION_NAME = "prediction.png"

_JITTER = 0.03  # of scores of 0 and 1, so that dots lie beside each other; arbitrary
BINS = "#c98600"
COLOURS = {VOLUME: "#808080", LESIONS: "#b2182b"}


@with_plain_text
def draw_prediction(prediction: SymptomPrediction) -> Figure:
    """True against predicted scores of patients left out, by volume alone and by the lesions.

    A dot is a patient, at the mean of the repeats; squares are fifths of the patients, with 95 %
    intervals. On the grey line predictions are right.
    """
    figure = new_figure((8.4, 4.2))
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for panel, model in zip(panels, (VOLUME, LESIONS), strict=True):
        _draw_model(panel, prediction, model)
    name = prediction.patients.name
    kind = "probability of" if prediction.is_binary else "predicted"
    for panel in panels:
        panel.set_xlabel(f"{kind} {name}, patient left out")
    panels[0].set_ylabel(f"true {name}")
    figure.set_layout_engine("constrained")
    return figure


def _draw_model(panel: Axes, prediction: SymptomPrediction, model: str) -> None:
    scheme = next(iter(prediction.schemes))
    predicted = prediction.predicted[scheme, model].mean(axis=0)
    score, colour = prediction.patients.score, COLOURS[model]
    beside = np.zeros(score.size)
    if prediction.is_binary:
        beside = np.random.default_rng(0).uniform(-_JITTER, _JITTER, score.size)
    panel.plot(predicted, score + beside, "o", color=colour, alpha=0.5, markersize=4)
    low, high = min(predicted.min(), score.min()), max(predicted.max(), score.max())
    panel.plot([low, high], [low, high], color="0.6", linewidth=1, zorder=0)
    table = prediction.calibration
    part = table[(table["scheme"] == scheme) & (table["model"] == model)]
    errors = [part["observed"] - part["ci_low"], part["ci_high"] - part["observed"]]
    panel.errorbar(
        part["predicted"], part["observed"], np.maximum(errors, 0), color=BINS, marker="s",
        markersize=5, linewidth=1, capsize=3,
    )  # fmt: skip
    values = prediction.measures(scheme, model)
    key, label = ("auc", "AUC") if prediction.is_binary else ("r", "r")
    first, r2 = np.mean(values[key]), np.mean(values["r2"])
    title = "volume alone" if model == VOLUME else f"lesions ({prediction.features})"
    panel.set_title(f"{title}\nR² {r2:.2f}, {label} {first:.2f}", fontsize=10)
