"""The left column of the page Assign: which map, which atlas, and which parts of the map count."""

from __future__ import annotations

import math
from typing import Any

import ipywidgets as widgets

from ...core.formats import VALUE
from ...core.space import StatedSpace
from ...images.space import space_of
from ...plotting.figures import nice_ceiling
from ..app_context import AppContext
from ..assignment_request import AssignChoices
from ..assignment_service import MAPS_OF_COHORTS, AssignmentResult, AssignmentService
from ..controls import NameList, bind, card, labelled, note, set_text
from ..page_inputs import number_field
from .spaces import SpaceField

_SIGNS = [("Positive", "positive"), ("Negative", "negative"), ("Both", "both")]
_BEYOND = {
    "positive": "Threshold: above",
    "negative": "Threshold: below −",
    "both": "Threshold: beyond ±",
}
_TOUCH = [
    ("6 neighbours (faces)", 6),
    ("18 neighbours (and edges)", 18),
    ("26 neighbours (and corners)", 26),
]
_SINGLE = "Single voxels never count."
_HINT = "To use a file, choose “Files in ...” above."
_STEPS = 200
"""Of the threshold's slider."""


class AskPanel:
    """Map, atlas and thresholds.

    Parameters
    ----------
    context : AppContext
    service : AssignmentService
    choices : AssignChoices
    """

    def __init__(
        self, context: AppContext, service: AssignmentService, choices: AssignChoices
    ) -> None:
        self._context, self._service, self._choices = context, service, choices
        self.source = widgets.Dropdown()
        self.file = widgets.Dropdown()
        self.space = SpaceField()
        self.atlas = NameList()
        self.threshold = widgets.FloatSlider(min=0, max=1, step=0.01)
        self.signs = widgets.ToggleButtons(options=_SIGNS)
        self.connectivity = widgets.Dropdown(options=_TOUCH)
        self.min_size_mm3 = widgets.BoundedFloatText(
            **number_field("assign", "min_size_mm3"), step=50
        )
        self.lower_threshold = widgets.FloatSlider(
            **number_field("assign", "lower_threshold"), step=0.01
        )
        self.min_correlation = widgets.FloatSlider(
            **number_field("assign", "min_correlation"), step=0.05
        )
        self.file_hint, self.threshold_hint, self.lower_hint = note(), note(), note()
        self.threshold_name = widgets.Label("Threshold: above")
        self._offer()
        # Before the slider hears of it, which would cut it off.
        choices.observe(self._make_room, names="threshold")
        self._start()
        self._bind()
        self.widget = self._lay_out()
        guard = context.banner.guard
        context.session.root.observe(guard(self._offer))
        choices.observe(guard(self._source_chosen), names="source")
        choices.observe(guard(self._file_chosen), names="file")
        choices.observe(guard(self._show_space), names="space")
        self.space.observe(guard(self._space_chosen), names="value")
        context.choices.observe(guard(self._cohort_chosen), names="cohort_a")
        context.choices.observe(guard(self._offer_sources), names="cohort_b")

    def show(self, answer: AssignmentResult) -> None:
        """Fit the ranges to the map and the atlas that were read."""
        source = answer.source
        self._show_space(stated=space_of(source.image.grid))
        unit = f" ({source.unit})" if source.unit else ""
        self.threshold_name.value = f"{_BEYOND[answer.question.signs]}{unit}"
        top = _top(answer)
        step = 1.0 if source.is_counted else nice_ceiling(top) / _STEPS
        self.threshold.readout_format = f".{max(0, -math.floor(math.log10(step)))}f"
        self.threshold.max, self.threshold.step = top, step
        self.threshold.disabled = source.is_binary
        set_text(self.threshold_hint, _of_range(answer))
        self.signs.disabled = source.range[0] >= 0
        is_labelled = not answer.is_probabilistic
        self.lower_threshold.disabled = is_labelled
        message = (
            "This atlas has labels, not probabilities." if is_labelled else "Lower ones count 0."
        )
        set_text(self.lower_hint, message)

    def _bind(self) -> None:
        names = ("source", "file", "atlas", "threshold", "signs", "connectivity", "min_size_mm3")
        for name in (*names, "lower_threshold", "min_correlation"):
            bind(self._choices, name, getattr(self, name))

    def _lay_out(self) -> widgets.VBox:
        self.threshold_name.add_class("ld-label")
        self.of_space = labelled("Space of the file", self.space)
        self._show_space()
        threshold = widgets.VBox([self.threshold_name, self.threshold, self.threshold_hint])
        threshold.add_class("ld-field")
        return card(
            "Settings",
            labelled("Map", self.source),
            labelled("File", self.file, self.file_hint),
            self.of_space,
            labelled("Atlas", self.atlas),
            threshold,
            labelled("Sign of the values", self.signs),
            labelled("Connectivity", self.connectivity),
            labelled("Minimum component size (mm³)", self.min_size_mm3, note(_SINGLE)),
            labelled("Lower probability threshold", self.lower_threshold, self.lower_hint),
            labelled("Minimum correlation", self.min_correlation, note("−1 shows every row.")),
            name="ask",
        )

    def _offer(self) -> None:
        self._offer_sources()
        self.atlas.offer([("None", ""), *self._context.session.root.atlas_options])
        self._offer_files()

    def _offer_sources(self, _change: Any = None) -> None:
        has_b = bool(self._context.choices.cohort_b)
        maps = [(text, key) for key, text in MAPS_OF_COHORTS.items() if has_b or key != "overlap"]
        folders = self._service.files.folders.items()
        words = self._context.session.root.words_of
        options = [*maps, *((f"Files in {words(name)} ({n})", name) for name, n in folders)]
        if tuple(options) != self.source.options:
            chosen = self._choices.source
            # New options choose the first of them for a moment, of which nobody is to hear.
            with self._choices.hold_trait_notifications():
                self.source.options = options
                self._choices.source = chosen if chosen in dict(options).values() else "n"

    def _offer_files(self) -> None:
        source = self._choices.source
        names = () if source in MAPS_OF_COHORTS else self._service.files.names(source)
        options = [("Choose a file", ""), *((name, name) for name in names)]
        if tuple(options) != self.file.options:
            self.file.options = options
        self.file.disabled = not names
        set_text(self.file_hint, "" if names else _HINT)

    def _source_chosen(self, change: dict[str, Any]) -> None:
        if change["old"] != change["new"]:
            self._choices.file = ""
            self._start()
            self._offer_files()

    def _file_chosen(self, _change: Any) -> None:
        self._choices.space = ""  # it was stated of another file
        self._start()
        self._show_space()

    def _space_chosen(self, change: dict[str, Any]) -> None:
        if not self.space.is_filling:
            self._choices.space = change["new"]

    def _show_space(self, _change: Any = None, stated: StatedSpace | None = None) -> None:
        self.space.show(self._choices.space, stated)
        has_file = bool(self._choices.file)
        (self.of_space.remove_class if has_file else self.of_space.add_class)("ld-hidden")

    def _cohort_chosen(self, _change: Any) -> None:
        if self._choices.source == "n":
            self._start()

    def _start(self, _change: Any = None) -> None:
        """Begin at half of the most patients: lower, most of the brain is one component."""
        choices = self._context.choices
        is_counted = self._choices.source == "n" and choices.cohort_a
        start = float(choices.most_patients // 2) if is_counted else 0.0
        self._choices.threshold = start

    def _make_room(self, _change: Any) -> None:
        """Let the slider reach a threshold that was chosen elsewhere."""
        self.threshold.max = max(self.threshold.max, self._choices.threshold)


def _of_range(answer: AssignmentResult) -> str:
    source = answer.source
    if source.is_binary:
        return "A map of 0 and 1 needs none."
    low, high = source.range
    start = ". The start is half of it." if answer.question.source == "n" else ""
    return f"Range {VALUE.text(low)} to {VALUE.text(high)}{start}"


def _top(answer: AssignmentResult) -> float:
    """The end of the slider: that of the range which is shown, by the sign of the values."""
    source = answer.source
    low, high = (float(f"{value:.3g}") for value in source.range)
    top = {"positive": high, "negative": -low, "both": max(high, -low)}[answer.question.signs]
    return 1.0 if source.is_binary or top <= 0 else top
