"""Compare: the maps of A and B side by side, and what A has more of than B."""

from __future__ import annotations

from functools import partial

import ipywidgets as widgets

from ...plotting.figures import figure_bytes
from ...stats.differences import FILE_NAMES
from ..app_context import AppContext
from ..code import Code
from ..compare_figure import draw_panels
from ..comparison_service import FREQUENCY, MAPS, MEAN, SD, ComparisonService, Pair, PairRequest
from ..controls import card, labelled, note, set_text
from ..persisted_inputs import control
from ..places import Mm, place_words
from ..save_field import saved_bytes
from .code import CHOSEN, CodeCard, place_below
from .compare_place import FILES_IN_WORDS, difference_words, place_html, side_words
from .compare_regions import RegionsOfTwo
from .coverage import CoveragePanel
from .map_card import MapCard, plain_button
from .map_controls import MapControls
from .place_panel import PlacePanel


def compare_code(context: AppContext, page: ComparePage) -> widgets.Box:
    """The page, and below it the code of the differences of A and B."""
    code = Code(context.session)

    def lines() -> tuple[str, str]:
        chosen = context.choices
        pair = PairRequest(chosen.cohort_a, chosen.cohort_b, chosen.min_patients)
        is_pair = chosen.cohort_a and chosen.cohort_b
        return code.compare(pair if is_pair else None, chosen.loaded_atlas)

    nothing = "# Choose folders A and B: the Python code appears here."
    return place_below(
        page.widget, CodeCard(context, lines, nothing).follow(context.choices, *CHOSEN)
    )


# Compare: the maps of A and B side by side, and what A has more of than B.


TITLE = "Compare"

NO_A = "Choose folder A on the page Maps, then folder B, to compare them here."
NO_B = "Choose folder B, or split A, on the page Maps, to compare them here."
_QUESTIONS = {
    FREQUENCY: "In how many per cent of {side}'s patients is each voxel lesioned?",
    MEAN: "How large are, on average, the lesions of {side}'s patients who are lesioned at a "
    "voxel? Where at least {least} are.",
    SD: "How far do the lesion volumes of {side}'s patients who are lesioned at a voxel spread? "
    "Where at least {least} are.",
}
_DIFFERENCES = {
    FREQUENCY: "Where are more of A's patients lesioned than of B's? Descriptive; no "
    "statistical test.",
    MEAN: "Where are the lesions of A's patients larger than those of B's? Where at least {least} "
    "of each are lesioned.",
    SD: "Where do the lesion volumes of A's patients spread further than those of B's? Where at "
    "least {least} of each are lesioned.",
}
_REMARKS = {
    FREQUENCY: "Every lesioned voxel counts here; k is for the volumes.",
    MEAN: "Means of few patients differ by chance: check n at the crosshair.",
    SD: "The SD is smaller where fewer patients are lesioned.",
}
_FEET = {
    FREQUENCY: "Per cent of the patients of each cohort who are lesioned at a voxel.",
    MEAN: "Mean total lesion volume of the patients lesioned at a voxel, where at least {least} of "
    "the cohort are; A − B where at least {least} of each are.",
    SD: "SD (divided by n) of the total lesion volumes of the patients lesioned at a voxel, where "
    "at least {least} of the cohort are; A − B where at least {least} of each are.",
}
"""What stands below the figure."""

_NOWHERE = "No voxel is lesioned in {least} patients of A and in {least} of B: choose a smaller k."


def build(context: AppContext) -> widgets.Widget:
    """Three maps with one crosshair, both cohorts at it, and the coverage curve."""
    page = ComparePage(context)
    context.inputs.follow("compare", {"map": control(page.map_key)})
    return compare_code(context, page)


class ComparePage:
    """A and B.

    Parameters
    ----------
    context : AppContext
    """

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self.service = ComparisonService(context.session)
        self.pair: Pair | None = None
        self._maker, self._drawer = context.worker(), context.worker()
        guard = context.banner.guard
        self.map_key = widgets.ToggleButtons(options=[(text, key) for key, text in MAPS.items()])
        self.controls = MapControls(context)
        self.state = note()
        self.to_a = plain_button("Max A > B", "Move the crosshair to where A exceeds B most")
        self.to_b = plain_button("Max B > A", "Move the crosshair to where B exceeds A most")
        self.a = MapCard(context, "A", "compare-a")
        self.b = MapCard(context, "B", "compare-b")
        buttons = self.to_a, self.to_b
        self.difference = MapCard(context, "A − B", "compare-difference", *buttons)
        for map_card in (self.a, self.b, self.difference):
            map_card.viewer.follow(self.controls.slider)
        saves = guard(self._save_file), guard(self._save_figure)
        self.place = PlacePanel("compare-place", "Map as NIfTI", *saves)
        self.place.files.offer([(words, file) for file, words in FILES_IN_WORDS.items()])
        self.regions = RegionsOfTwo(context, self.service)
        self.coverage = CoveragePanel(context)
        self.widget = self._lay_out()
        self._follow()
        self._update()

    def _follow(self) -> None:
        guard = self.context.banner.guard
        update = self.controls.follow(self._update, self._draw)
        self.map_key.observe(lambda _: update(), names="value")
        self.map_key.observe(guard(lambda _: self._offer_file()), names="value")
        self.to_a.on_click(guard(lambda _: self._go_to_extreme(True)))
        self.to_b.on_click(guard(lambda _: self._go_to_extreme(False)))

    def _offer_file(self) -> None:
        """Offer the file of the map that is shown."""
        self.place.files.file.value = FILE_NAMES[self.map_key.value]

    def _lay_out(self) -> widgets.Box:
        bar = widgets.HBox([labelled("Map", self.map_key), self.controls.field, self.state])
        bar.add_class("ld-compare-bar")
        self.bar = card("Compare A and B", self.controls.empty, bar, name="compare-ask")
        shown = self.a, self.b, self.difference, self.place, self.regions
        cards = [map_card.widget for map_card in shown]
        self._parts = (*cards, bar)
        page = widgets.Box([self.bar, *cards, self.coverage.widget])
        page.add_class("ld-compare")
        return page

    def _request_now(self) -> PairRequest | None:
        choices = self.context.choices
        if not (choices.cohort_a and choices.cohort_b):
            return None
        key = str(self.map_key.value)
        return PairRequest(choices.cohort_a, choices.cohort_b, choices.min_patients, key)

    def _update(self) -> None:
        request = self._request_now()
        missing = NO_B if self.context.choices.cohort_a else NO_A
        self.controls.show(self._parts, "" if request else missing)
        self.regions.ask(request)
        if request is None:
            self.pair = None
            for map_card in (self.a, self.b, self.difference):
                map_card.clear("")
            return
        self.controls.slider.disabled = request.map_key == FREQUENCY
        if self.pair is None:
            set_text(self.state, "Comparing ...")
        self._maker.submit(partial(self.service.pair, request), self._show)

    def _show(self, pair: Pair) -> None:
        if pair.request != self._request_now():
            return  # something else was chosen meanwhile
        self.pair = pair
        min_patients, key = pair.request.min_patients, pair.request.map_key
        differences = pair.differences
        for map_card, side, layer, name, size in zip(
            (self.a, self.b), "AB", (pair.a, pair.b), differences.names, differences.sizes,
            strict=True,
        ):  # fmt: skip
            set_text(map_card.caption, f"{name} · {size} patient{'' if size == 1 else 's'}")
            map_card.show(layer, _QUESTIONS[key].format(side=side, least=min_patients))
        is_empty = not pair.difference.at_least(min_patients).values.size
        question = _NOWHERE if is_empty else _DIFFERENCES[key]
        self.difference.show(pair.difference, question.format(least=min_patients))
        self.to_a.disabled = self.to_b.disabled = is_empty
        set_text(self.state, _REMARKS[key])
        self._draw()

    def _draw(self) -> None:
        pair = self.pair
        if pair is None:
            return
        choices, key = self.context.choices, pair.request.map_key
        mm = choices.mm
        place = self.service.place(pair.request, mm, choices.loaded_atlases)
        self.a.place(mm, *side_words(key, place.a, place.min_patients))
        self.b.place(mm, *side_words(key, place.b, place.min_patients))
        self.difference.place(mm, *difference_words(key, place))
        where = [place_words(mm, pair.a.grid), *([place.region] if place.region else [])]
        remark = "; ".join(pair.differences.notes)
        self.place.show(" · ".join(where), place_html(key, place), remark)

    def _go_to_extreme(self, largest: bool) -> None:
        if self.pair is None:
            return
        shown = self.pair.difference.at_least(self.pair.request.min_patients)
        place: Mm | None = shown.extreme(largest)
        if place is not None:
            self.context.choices.mm = place

    def _save_file(self, name: str) -> None:
        request = self._request_now()
        if request is not None:
            read = partial(self.service.file_bytes, request)
            self.context.saver.save(name, saved_bytes(name, read))

    def _save_figure(self, file_format: str) -> None:
        if self.pair is None:
            return
        choices, name = self.context.choices, f"compare_{self.pair.request.map_key}.{file_format}"
        job = partial(_figure, self.pair, choices.mm, bool(choices.radiological), file_format)
        self._drawer.submit(job, partial(self.context.saver.save, name))


def _figure(pair: Pair, mm: Mm, radiological: bool, file_format: str) -> bytes:
    (a, b), (of_a, of_b) = pair.differences.names, pair.differences.sizes
    k = pair.request.min_patients
    headings = f"A: {a} (N = {of_a})", f"B: {b} (N = {of_b})", "A − B"
    layers = (layer.at_least(k) for layer in (pair.a, pair.b, pair.difference))
    foot = _FEET[pair.request.map_key].format(least=k)
    figure = draw_panels(list(zip(headings, layers, strict=True)), mm, radiological, foot)
    return figure_bytes(figure, file_format, dpi=200)
