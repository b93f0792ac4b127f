"""Symptoms: where damage goes with a score, how sure that is, and whether it would hold."""

from __future__ import annotations

import html
from collections.abc import Hashable
from functools import partial
from typing import Any

import ipywidgets as widgets

from ...core.defaults import SIGNIFICANCE_LEVEL
from ...core.formats import Format
from ...core.text import counted, enumerated, printable
from ...stats.lesion_symptom.cluster_table import SymptomClusters
from ...stats.lesion_symptom.mapping import STATEMENT
from ...stats.lesion_symptom.sentences import (
    cluster_sentence,
    control_sentence,
    outcome_sentence,
)
from ...stats.voxel_maps import VoxelMaps
from ..app_context import AppContext
from ..code import Code
from ..controls import card, heading, labelled, note, set_text
from ..outline import LesionLayers
from ..persisted_inputs import control
from ..places import Mm
from ..save_field import SaveField, saved_bytes
from ..sentences import without_options
from ..symptom_choices import SymptomChoices, SymptomRequest
from ..symptom_service import LIMITS, SymptomPlan, SymptomResult, SymptomService
from ..tasks import FRAME, PAUSE, Debounce
from ..widgets.layers import AnyLayer, ValueLayer
from .code import CHOSEN, CodeCard, place_below
from .compare_place import NOTHING
from .map_card import MapCard, plain_button
from .symptom_fields import RunBar, SymptomFields
from .symptom_panels import GroupsPanel, PredictionPanel, RegionTestsPanel, SymptomClustersPanel

TITLE = "Symptoms"

_EMPTY = "Choose folder {side} on the page Maps: its participants table holds the scores."
_TEST, _RESOLUTION = "test", "resolution"
_IGNORED = "Omitted, as this cohort has no such column or a single value in it: {}."
_COMING = "Reading folder {side} ..."
_NO_SCORE = "Folder {side} has no participants table with a column of numbers: add one beside it."
_NO_CODE = "# Choose a folder and a score: the Python code appears here."
_ASK = "Choose a score. Before any test, the effects that these patients can show appear here."
_PLANNED = "Before the test: {question}"
_QUESTIONS = {
    "n": "How many patients are lesioned here?",
    "power_d80": "How large an effect does such a study detect here with 80 % power?",
    "lookalikes": "How large is the volume that these lesions cannot distinguish from this voxel?",
    "shift": "How far is the centre of the indistinguishable volume from this voxel?",
    "log10_bf10": "How much evidence is there for a difference, or for none? 1 is ten to one.",
    "p": "p of each voxel alone: no finding by itself. Outlined: corrected p ≤ 0.05.",
}
_TESTED = "Where do patients with a lesion differ in {score}? Outlined: corrected p ≤ 0.05."
_VALUE = Format(3, 3)
_MOST_TOLD = 2  # clusters in words above the map, arbitrary: the table has them all


def build(context: AppContext) -> widgets.Widget:
    """Choices, maps, the patients at a place, clusters, regions and predictions."""
    page = SymptomsPage(context)
    names = SymptomChoices.class_trait_names()
    context.inputs.follow("symptoms", {name: control(page.choices, name) for name in names})
    code = Code(context.session)

    def lines() -> tuple[str, str]:
        request = page.request
        return code.symptoms(request, context.choices.loaded_atlas, page.predictions.is_shown)

    made = CodeCard(context, lines, _NO_CODE).follow(context.choices, *CHOSEN)
    made.follow(page.choices, *names)
    page.predictions.observe(made.update)
    return place_below(page.widget, made)


class SymptomsPage:
    """A score of the patients of A or B against their lesions.

    Parameters
    ----------
    context : AppContext
    """

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self.choices = SymptomChoices()
        self.service = SymptomService(context.session)
        self.fields = SymptomFields(context, self.choices)
        self.plan: SymptomPlan | None = None
        self.result: SymptomResult | None = None
        self._shown: SymptomRequest | None = None  # whose plan and result these are
        self._resolution: VoxelMaps | None = None
        self._planner = context.worker(self._not_planned)
        self._seeker = context.worker(self._unlike)
        self._saver = context.worker()
        self._lesions = LesionLayers(context)
        self._alike: AnyLayer | None = None
        self._follows_alike = self._leave_for_the_peak = False
        self._make_controls()
        self.map = MapCard(context, "Map of the score", "symptoms-map", self.alike)
        self.without = MapCard(context, "Without control of lesion volume", "symptoms-without")
        for shown in (self.map, self.without):
            shown.viewer.follow(self.limit)
        self.groups = GroupsPanel(context)
        self.clusters = SymptomClustersPanel(context, self.service, self._clusters_listed)
        self.regions = RegionTestsPanel(context, self.service, self._regions_tested)
        self.predictions = PredictionPanel(context, self.service)
        self.widget = self._lay_out()
        self._follow()
        self._update()

    @property
    def request(self) -> SymptomRequest | None:
        """What the choices ask for now."""
        return self.fields.request

    def _make_controls(self) -> None:
        self.run = plain_button("Run permutation test", "Test the score at every voxel")
        self.runs = RunBar(self.context, self._ended)
        self.whose, self.planned, self.notes = note(), note(), widgets.HTML()
        self.outcome = widgets.HTML()
        self.outcome.add_class("ld-symptoms-words")
        self.outcome.add_class("ld-symptoms-outcome")
        self.shown = widgets.Dropdown(options=[("Patients with a lesion", "n")])
        self.by = widgets.Dropdown(options=[("Corrected p (family-wise)", "corrected_p")])
        self.limit = widgets.SelectionSlider(
            options=[("all", 0), *((f"≤ {p:g}", at) for at, p in enumerate(LIMITS) if at)]
        )
        self.alike = plain_button(
            "Look-alikes", "Outline the voxels that these lesions cannot distinguish from this one"
        )
        self.files = SaveField(self.context.banner.guard(self._save))
        self.empty = widgets.HTML()

    def _lay_out(self) -> widgets.Box:
        first, second = self.fields.rows
        run = labelled("Test at every voxel", self.run)
        progress = labelled("Progress", self.runs.progress, self.runs.state)
        rows = [widgets.HBox(first), widgets.HBox([*second, run, progress])]
        for row in rows:
            row.add_class("ld-compare-bar")
        head = widgets.HBox([heading("Where is damage associated with a score?"), self.whose])
        says = self.planned, self.outcome, self.notes
        ask = card(head, self.empty, *rows, *says, name="symptoms-ask")
        files = widgets.HBox([self.files.file, self.files.download, self.files.plain])
        view = widgets.HBox(
            [
                labelled("Map shown", self.shown),
                labelled("Threshold on", self.by),
                labelled("Only voxels with p", self.limit),
                labelled("Files", files),
            ]
        )
        view.add_class("ld-compare-bar")
        self._of_test = (
            *view.children[1:], self.groups.widget, self.clusters.widget, self.regions.widget
        )  # fmt: skip
        looks = card("What is shown", view, name="symptoms-view")
        cards = [looks, self.map.widget, self.without.widget, *self._of_test[3:]]
        self._cards = (*cards, self.predictions.widget)
        self._rows = tuple(rows)
        page = widgets.Box([ask, *self._cards])
        page.add_class("ld-symptoms")
        return page

    def _follow(self) -> None:
        context, guard = self.context, self.context.banner.guard
        update = Debounce(FRAME, guard(self._update))
        seek = Debounce(PAUSE, guard(self._seek))
        self.choices.observe(lambda _: update())
        context.choices.observe(lambda _: update(), names=["cohort_a", "cohort_b"])
        context.choices.observe(guard(lambda _: self._draw()), names=["mm", "loaded_atlases"])
        context.choices.observe(guard(lambda _: self._repaint()), names=["patient", "kept"])
        context.choices.observe(guard(lambda _: self._take()), names="loaded_atlases")
        context.choices.observe(lambda _: seek(), names="mm")
        for field in (self.shown, self.by):
            field.observe(guard(lambda _: self._repaint()), names="value")
        self.run.on_click(guard(lambda _: self._start()))
        self.alike.on_click(guard(lambda _: self._turn_alike()))

    # What follows from choices.

    def _update(self) -> None:
        side, cohort = self.choices.cohort, self.fields.cohort_name
        columns = self.service.columns(cohort) if cohort else ((), ())
        self.fields.offer(*columns, cohort)
        request = self.request
        missing = self._missing(cohort)
        _hide(self._rows, bool(missing))
        set_text(self.empty, missing or ("" if request else _ASK))
        _hide((self.empty,), request is not None)
        _hide(self._cards, request is None)
        if request != self._shown:
            self._forget(is_next=request is not None)
        own = [] if request is None else [(_TEST, request), (_RESOLUTION, request.question)]
        self.runs.keep(*own)
        if request is None:
            set_text(self.whose, "")
            set_text(self.planned, "")
            return
        set_text(self.whose, f"{side.upper()}: {self.context.session.load(cohort).name}")
        self._planner.submit(partial(self.service.plan, request), partial(self._show_plan, request))

    def _missing(self, cohort: str) -> str:
        """What is to be chosen before a score can be; empty where nothing is."""
        side = self.choices.cohort
        if not cohort:
            is_coming = bool(getattr(self.context.choices, f"folder_{side}"))
            return (_COMING if is_coming else _EMPTY).format(side=side.upper())
        return "" if self.fields.scores else _NO_SCORE.format(side=side.upper())

    def _forget(self, is_next: bool) -> None:
        """What is shown belongs to other choices: say nothing of it, and offer none of its files.

        Maps stay, dimmed, until those of the new choices are there.
        """
        self.plan = self.result = self._shown = self._alike = None
        set_text(self.outcome, "")
        self.notes.value = ""
        self.files.offer(())
        self.runs.say("")
        for each in self._cards:
            (each.add_class if is_next else each.remove_class)("ld-old")

    def _show_plan(self, request: SymptomRequest, plan: SymptomPlan) -> None:
        if request != self.request:
            return  # something else was chosen meanwhile
        self.plan, self._shown = plan, request
        ignored = f" {_IGNORED.format(enumerated(self.fields.ignored))}"
        set_text(self.planned, plan.sentence + (ignored if self.fields.ignored else ""))
        self._take()
        self._seek()

    def _not_planned(self, error: Exception) -> None:
        """What does not fit is said beside the choices."""
        self._forget(is_next=False)
        set_text(self.planned, f"Cannot be tested: {error}")
        _hide(self._cards, True)

    def _take(self) -> None:
        """Show the test where it was made for these choices, and otherwise what it could find."""
        request = self._shown
        if request is None or self.plan is None:
            return
        self.result = result = self.service.known(request)
        self._resolution = self.service.known_resolution(request)
        atlas = str(self.context.choices.loaded_atlas)
        self._offer_maps()
        without = None if result is None else result.without
        for each in self._cards:
            each.remove_class("ld-old")
        _hide((self.without.widget,), without is None)
        _set_class(self.widget, "ld-side-by-side", without is not None)
        _set_class(self.widget, "ld-untested", result is None)
        _hide(self._of_test, result is None)
        self._say(result)
        self.files.offer(self.service.file_names(request, atlas))
        self.clusters.ask(request, result, atlas)
        self.regions.ask(request if result is not None else None, atlas)
        self.predictions.ask(request)
        if result is not None:
            self.runs.say(f"{result.symptom_map.permutations:,} done")
        self.run.disabled = self.runs.runs(_TEST, request)
        self._repaint()

    def _say(self, result: SymptomResult | None) -> None:
        """Design, outcome, and what makes it doubtful."""
        if result is None:
            self.notes.value = ""
            set_text(self.outcome, "")
            return
        symptom_map = result.symptom_map
        notes = [*symptom_map.notes, STATEMENT]
        if result.without is not None:
            notes.insert(0, control_sentence(symptom_map, result.without))
        self.notes.value = listed(notes, symptom_map.sentence)
        set_text(self.outcome, f"{outcome_sentence(symptom_map)}.")

    @property
    def _region_maps(self) -> VoxelMaps | None:
        if self._shown is None or self.result is None:
            return None
        atlas = str(self.context.choices.loaded_atlas)
        return self.service.known_region_maps(self._shown, atlas)

    def _regions_tested(self) -> None:
        self._offer_maps()
        self._repaint()

    def _offer_maps(self) -> None:
        before, plan = self.shown.value, [("Patients with a lesion", "n")]
        plan.append(("Detectable effect (80 % power)", "power_d80"))
        plan += [
            ("Indistinguishable volume", "lookalikes"),
            ("Shift of the centre", "shift"),
        ]
        tested: list[tuple[str, str]] = []
        if self.result is not None:
            quantities = self.result.symptom_map.quantities
            own = {"n", "power_d80"}
            tested = [(each.title, each.key) for each in quantities if each.key not in own]
            if (regions := self._region_maps) is not None:
                tested += [(each.title, each.key) for each in regions.quantities]
            of_p = [pair for pair in tested if pair[1] == "p" or pair[1].startswith("corrected_p")]
            self._offer(self.by, of_p, "corrected_p")
        first = "statistic" if tested and before in ("n", "power_d80") else before
        self._offer(self.shown, [*tested, *plan], first or "n")

    def _offer(self, field: widgets.Dropdown, options: list[tuple[str, str]], chosen: str) -> None:
        if tuple(options) != tuple(field.options):
            kept = field.value if field is self.by else chosen
            keys = [key for _, key in options]
            field.options = options
            field.value = next((key for key in (kept, chosen) if key in keys), keys[0])

    # The test.

    def _start(self) -> None:
        request = self.request
        if request is not None and not self.runs.runs(_TEST, request):
            self.context.banner.clear()
            self.runs.start(_TEST, request, partial(self.service.test, request))
            self.run.disabled = True

    def _ended(self, kind: str, key: Hashable, result: Any) -> None:
        """A run has ended: show what it gave, or why it gave nothing."""
        self.run.disabled = False
        request = self.request
        is_current = request is not None and key in (request, request.question)
        if isinstance(result, Exception):
            if kind == _RESOLUTION and is_current:  # or it would be started again at once
                self.shown.value = "n"
            self.context.banner.show(result)
        self._leave_for_the_peak = kind == _TEST and is_current  # once clusters are listed
        self._take()

    def _clusters_listed(self, clusters: SymptomClusters) -> None:
        """Say what was found, and after a test go there from a place without a finding."""
        symptom_map, rows = clusters.symptom_map, clusters.rows[:_MOST_TOLD]
        sentences = [outcome_sentence(symptom_map)]
        sentences += [cluster_sentence(row, symptom_map) for row in rows]
        if len(clusters) > len(rows):
            sentences.append(f"and {counted(len(clusters) - len(rows), 'more cluster')} below")
        if not rows:
            sentences.append("no cluster is significant by its peak or its size")
        set_text(self.outcome, f"{'; '.join(sentences)}.")
        here = symptom_map.row_at(self.context.choices.mm)
        is_significant = here is not None and symptom_map.corrected_p[here] <= SIGNIFICANCE_LEVEL
        if self._leave_for_the_peak and rows and not is_significant:
            self.context.choices.mm = rows[0].mm
        self._leave_for_the_peak = False

    # Maps and place.

    def _maps(self, key: str) -> VoxelMaps | None:
        """The result that holds a quantity."""
        if key in ("lookalikes", "shift"):
            return self._resolution
        if key.startswith("region_"):
            return self._region_maps
        if self.result is not None and key in self.result.symptom_map.values:
            return self.result.symptom_map
        return None if self.plan is None else self.plan.maps

    def _layer(self, maps: VoxelMaps | None, key: str) -> ValueLayer | None:
        """A quantity; of two results side by side, both in one scale of colours."""
        if maps is None or key not in maps.values:
            return None
        result, beside = self.result, None
        if result is not None and result.without is not None:
            pair = {id(result.symptom_map): result.without, id(result.without): result.symptom_map}
            beside = pair.get(id(maps))
        by = str(self.by.value) if self.result is not None and self.by.value in maps.values else ""
        return self.service.layer(maps, key, by, beside)

    def _repaint(self) -> None:
        """Show the chosen map, and what lies over it."""
        request, key = self._shown, str(self.shown.value)
        if request is None or self.plan is None:
            return
        maps = self._maps(key)
        is_slow = key in ("lookalikes", "shift")  # the resolution takes a while
        question = request.question
        if is_slow and maps is None and not self.runs.is_running:
            work = partial(self.service.resolution, question)
            self.runs.start(_RESOLUTION, question, work)
        result = self.result
        asks = _QUESTIONS.get(key, _TESTED.format(score=request.score))
        asks = _PLANNED.format(question=asks) if result is None else asks
        layer = self._layer(maps, key)
        over = [*self._lesions.layers, *([self._alike] if self._alike else [])]
        symptom_map = None if result is None else result.symptom_map
        self._show(self.map, layer, asks, symptom_map, over)
        if result is not None and result.without is not None:
            without = self._layer(result.without, key)
            self._show(self.without, without, asks, result.without, over)
        self._draw()

    def _show(
        self,
        shown: MapCard,
        layer: ValueLayer | None,
        question: str,
        symptom_map: Any,
        over: list[Any],
    ) -> None:
        outline = self.service.significant(symptom_map) if symptom_map is not None else None
        layers = [layer, outline, *over]
        shown.viewer.show(*[each for each in layers if each is not None])
        set_text(shown.question, question)

    def _draw(self) -> None:
        choices, key = self.context.choices, str(self.shown.value)
        mm = choices.mm
        result = self.result
        cards = [(self.map, self._maps(key))]
        if result is not None and result.without is not None:
            cards.append((self.without, result.without))
        for shown, maps in cards:
            layer = self._layer(maps, key)
            value = float("nan") if layer is None else layer.value_at(mm, 0)
            is_known = layer is not None and value == value
            unit = f" {layer.unit}" if layer is not None and layer.unit else ""
            words = f"{_VALUE.text(value)}{unit}" if is_known else NOTHING
            remark = layer.title if layer is not None and is_known else "not tested here"
            shown.place(mm, words, remark)
        names = self.context.session.places(choices.loaded_atlases, mm)
        symptom_map = None if result is None else result.symptom_map
        cohort = "" if self._shown is None else self._shown.cohort
        self.groups.show(symptom_map, mm, names, cohort)

    def _turn_alike(self) -> None:
        """Outline what looks like the place at the crosshair, wherever it goes, or no longer."""
        self._follows_alike = not self._follows_alike
        self.alike.description = "Hide look-alikes" if self._follows_alike else "Look-alikes"
        self._seek()

    def _seek(self) -> None:
        request, mm = self._shown, self.context.choices.mm
        if request is not None and self._follows_alike:
            job = partial(self.service.lookalikes, request, mm)
            self._seeker.submit(job, partial(self._show_alike, request, mm))
        elif self._alike is not None:
            self._alike = None
            self._repaint()

    def _show_alike(self, request: SymptomRequest, mm: Mm, layer: AnyLayer) -> None:
        is_current = request == self._shown and mm == self.context.choices.mm
        if self._follows_alike and is_current:
            self._alike = layer
            self._repaint()

    def _unlike(self, _error: Exception) -> None:
        """Nothing is outlined where too few patients are lesioned, as the map shows."""
        self._alike = None
        self._repaint()

    def _save(self, name: str) -> None:
        request = self._shown
        if request is not None and name:
            atlas = str(self.context.choices.loaded_atlas)
            read = partial(self.service.file_bytes, request, atlas)
            job = partial(saved_bytes, name, read)
            self._saver.submit(job, partial(self.context.saver.save, name))


def _hide(parts: Any, is_hidden: bool) -> None:
    for part in parts:
        (part.add_class if is_hidden else part.remove_class)("ld-hidden")


def _set_class(part: widgets.DOMWidget, name: str, is_set: bool) -> None:
    (part.add_class if is_set else part.remove_class)(name)


def listed(notes: list[str], design: str = "") -> str:
    """Notes on a result as HTML, below its design."""
    lines = "".join(f"<li>{html.escape(without_options(printable(each)))}</li>" for each in notes)
    head = f"<p>{html.escape(printable(design))}.</p>" if design else ""
    return f'<div class="ld-symptoms-notes">{head}{f"<ul>{lines}</ul>" if lines else ""}</div>'
