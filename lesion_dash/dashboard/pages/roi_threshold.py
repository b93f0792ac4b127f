"""The threshold of step 3 of the ROI lab: which map, how far, and on which side."""

from __future__ import annotations

import math
from typing import Any

import ipywidgets as widgets
import numpy as np

from ...core.formats import VALUE
from ...plotting.figures import nice_ceiling
from ..app_context import AppContext
from ..controls import bind, labelled, note, set_text
from ..lab_choices import MAPS, WayChoices
from ..roi_lab import RoiResult

_SIDES = [("Above", "above"), ("Below", "below"), ("|value| above", "both")]
_FEWEST_STEPS = 50
"""Of the slider; its step is a power of ten, so that values are easy to name."""
_STEP_OF_P = 0.001


class ThresholdField:
    """Map, side and value of the threshold.

    Parameters
    ----------
    context : AppContext
    choices : WayChoices
    """

    def __init__(self, context: AppContext, choices: WayChoices) -> None:
        self._choices = choices
        self.map_key = widgets.Dropdown(options=[(words, key) for key, words in MAPS.items()])
        self.side = widgets.ToggleButtons(options=_SIDES)
        self.threshold = widgets.FloatSlider(min=0, max=10, step=0.05, readout_format=".2f")
        self.hint = note()
        self.widget = widgets.VBox(
            [
                labelled("Map", self.map_key),
                labelled("Keep voxels", self.side),
                labelled("Threshold", self.threshold, self.hint),
            ]
        )
        self.widget.add_class("ld-plain")
        self._is_filling = False
        self._bind(context)
        self._follow()

    def _bind(self, context: AppContext) -> None:
        bind(self._choices, "side", self.side)
        self.map_key.observe(context.banner.guard(self._map_chosen), names="value")
        self.threshold.observe(self._moved, names="value")
        self._choices.observe(self._follow, names=["threshold", "map_key"])

    def show(self, answer: RoiResult) -> None:
        """Offer the maps there are, and the range of the one that is shown."""
        contrast = answer.run.contrast
        keys = [key for key in MAPS if contrast is not None and key in contrast.keys]
        options = [(MAPS[key], key) for key in keys] or [("The map of the file", "")]
        self._is_filling = True
        if tuple(options) != self.map_key.options:
            self.map_key.options = options
        self.map_key.value = answer.question.way.map_key
        self._fit(answer)
        self._is_filling = False

    def _fit(self, answer: RoiResult) -> None:
        values = answer.run.stat_map.array
        known = values[np.isfinite(values)]
        # + 0.0: −log10 of 1 is a negative zero.
        low, high = (known.min() + 0.0, known.max() + 0.0) if known.size else (0.0, 1.0)
        top = nice_ceiling(max(abs(low), abs(high), abs(self._choices.threshold)))
        digits = math.floor(math.log10(top / _FEWEST_STEPS))
        is_p = self._choices.map_key in ("p", "corrected_p")
        self.threshold.step = _STEP_OF_P if is_p else 10.0**digits
        self.threshold.readout_format = f".{3 if is_p else max(0, -digits)}f"
        self._set_range(-top if low < 0 else 0.0, top)
        unit = f" {answer.run.stat_map.unit}" if answer.run.stat_map.unit else ""
        set_text(self.hint, f"Range {VALUE.text(low)} to {VALUE.text(high)}{unit}.{_sides(answer)}")

    def _set_range(self, bottom: float, top: float) -> None:
        # Neither end may pass the other, nor cut the value off, on the way.
        self.threshold.min = min(bottom, self.threshold.min)
        self.threshold.max = top
        self.threshold.min = bottom
        self.threshold.value = self._choices.threshold

    def _map_chosen(self, change: dict[str, Any]) -> None:
        if not self._is_filling:
            self._choices.begin(change["new"])

    def _moved(self, change: dict[str, Any]) -> None:
        if not self._is_filling:
            self._choices.threshold = change["new"]

    def _follow(self, _change: Any = None) -> None:
        """Show what was chosen elsewhere, such as a new map's own threshold."""
        self._is_filling = True
        value = self._choices.threshold
        if self.threshold.value != value:
            self._set_range(min(self.threshold.min, value), max(self.threshold.max, value))
        if self._choices.map_key in [key for _, key in self.map_key.options]:
            self.map_key.value = self._choices.map_key
        self._is_filling = False


def _sides(answer: RoiResult) -> str:
    """What a p does not tell."""
    contrast = answer.run.contrast
    if contrast is None or not answer.question.way.map_key.endswith("p"):
        return ""
    a, b = contrast.groups
    return f" p is two-sided: more in {a} or in {b}."
