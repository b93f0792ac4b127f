"""Symptoms: where damage goes with a score, how sure that is, and whether it would hold."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets as widgets

from ...core.formats import Format
from ...stats.lesion_symptom.mapping import STATEMENT
from ...stats.lesion_symptom.sentences import control_sentence, outcome_sentence
from ...stats.voxel_maps import VoxelMaps
from ..app_context import AppContext
from ..code import Code
from ..controls import bind, card, heading, labelled, note, set_text
from ..outline import LesionLayers
from ..page_inputs import number_field
from ..persisted_inputs import control
from ..places import Mm
from ..save_field import SaveField, saved_bytes
from ..symptom_choices import BY_SHARE, MIN_LESIONED, SymptomChoices, SymptomRequest
from ..symptom_service import LIMITS, SymptomPlan, SymptomResult, SymptomService
from ..tasks import FRAME, PAUSE, Debounce
from ..widgets.layers import AnyLayer, ValueLayer
from .code import CHOSEN, CodeCard, place_below
from .compare_place import NOTHING
from .map_card import MapCard, plain_button
from .symptom_panels import GroupsPanel, PredictionPanel, RegionTestsPanel, SymptomClustersPanel

TITLE = "Symptoms"

_EMPTY = "Choose folder {side} on the page Maps: its participants table holds the scores."
_NO_SCORE = "Folder {side} has no participants table with a column of numbers: add one beside it."
_ASK = "Choose a score. What these patients could show stands here before any test."
_PLANNED = "Before the test: {question}"
_QUESTIONS = {
    "n": "How many patients are lesioned here?",
    "power_d80": "How large must an effect be to be found here in 80 % of such studies?",
    "lookalikes": "How much of the brain do these patients not tell from this place?",
    "shift": "How far does the centre of what is not told from this place lie from it?",
}
_TESTED = "Where do patients with a lesion differ in {score}? Outlined: corrected p ≤ 0.05."
_VALUE = Format(3, 3)

TESTS = (
    ("t-test in a regression (ols)", "ols"),
    ("The same of ranks", "rank"),
    ("Welch's t-test", "welch"),
    ("Brunner-Munzel, of ranks", "brunner-munzel"),
    ("Symptom 0 or 1: Liebermeister", "liebermeister"),
    ("Symptom 0 or 1: Fisher", "fisher"),
)
CONTROLS = (
    ("Log volume as covariate", "log-volume"),
    ("Volume as covariate", "volume"),
    ("None", "none"),
    ("Score: volume regressed out", "behaviour"),
    ("Lesion: volume regressed out", "lesion"),
    ("Direct (dTLVC)", "dtlvc"),
)
SIDES = (
    ("Differ, either way", "two-sided"),
    ("Are higher", "larger"),
    ("Are lower", "smaller"),
)


def build(context: AppContext) -> widgets.Widget:
    """Choices, maps, the patients at a place, clusters, regions and predictions."""
    page = SymptomsPage(context)
    names = SymptomChoices.class_trait_names()
    context.inputs.follow("symptoms", {name: control(page.choices, name) for name in names})
    code = Code(context.session)

    def lines() -> tuple[str, str]:
        request = page.request
        return code.symptoms(request, context.choices.loaded_atlas, page.predictions.is_shown)

    made = CodeCard(context, lines).follow(context.choices, *CHOSEN)
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
        self.plan: SymptomPlan | None = None
        self.result: SymptomResult | None = None
        self._resolution: VoxelMaps | None = None
        self._running: SymptomRequest | None = None
        self._stop = threading.Event()
        self._columns_of = ""
        self._planner = context.worker(self._not_planned)
        self._tester = context.worker(self._failed)
        self._resolver, self._seeker = context.worker(self._failed), context.worker(self._unlike)
        self._saver = context.worker()
        self._lesions = LesionLayers(context)
        self._alike: AnyLayer | None = None
        self._follows_alike = False
        self._make_fields()
        self.map = MapCard(context, "Map", "symptoms-map", self.alike)
        self.without = MapCard(context, "Without control of lesion volume", "symptoms-without")
        for shown in (self.map, self.without):
            shown.viewer.follow(self.limit)
        self.groups = GroupsPanel(context)
        self.clusters = SymptomClustersPanel(context, self.service)
        self.regions = RegionTestsPanel(context, self.service, self._regions_tested)
        self.predictions = PredictionPanel(context, self.service)
        self.widget = self._lay_out()
        self._follow()
        self._update()

    @property
    def request(self) -> SymptomRequest | None:
        """What the choices ask for now."""
        name = str(getattr(self.context.choices, f"cohort_{self.choices.cohort}"))
        if self.choices.score not in self._scores:
            return None
        return self.choices.request(name)

    def _make_fields(self) -> None:
        choices = self.choices
        self.cohort = widgets.ToggleButtons(options=[("A", "a"), ("B", "b")])
        self.score = widgets.Dropdown(options=[("choose a score", "")])
        self.covariates = widgets.SelectMultiple(options=[], rows=3)
        self.test, self.control = (
            widgets.Dropdown(options=TESTS),
            widgets.Dropdown(options=CONTROLS),
        )
        self.side = widgets.Dropdown(options=SIDES)
        self.least = widgets.Dropdown(
            options=[(f"{k} patients" if k else "5 % of patients", k) for k in MIN_LESIONED],
            value=BY_SHARE,
        )
        self.permutations = widgets.BoundedIntText(**number_field("symptoms", "permutations"))
        self.seed = widgets.BoundedIntText(**number_field("symptoms", "seed"))
        self.compares = widgets.Dropdown(options=[("No", False), ("Yes, side by side", True)])
        for name, field in (
            *(("cohort", self.cohort), ("test", self.test), ("control", self.control)),
            *(("side", self.side), ("min_lesioned", self.least), ("compares", self.compares)),
            *(("permutations", self.permutations), ("seed", self.seed)),
        ):
            bind(choices, name, field)
        self.run = plain_button("Run permutation test", "Test the score at every voxel")
        self.cancel = plain_button("Cancel", "Stop what is running")
        self.bar, self.state = widgets.IntProgress(min=0, max=1), note()
        self.whose, self.planned, self.notes = note(), note(), widgets.HTML()
        self.shown = widgets.Dropdown(options=[("Patients with a lesion", "n")])
        self.by = widgets.Dropdown(options=[("Corrected p (family-wise)", "corrected_p")])
        self.limit = widgets.SelectionSlider(
            options=[("all", 0), *((f"≤ {p:g}", at) for at, p in enumerate(LIMITS) if at)]
        )
        self.alike = plain_button(
            "Look-alikes", "Outline the voxels that these patients do not tell from this place"
        )
        self.files = SaveField(self.context.banner.guard(self._save))
        self._scores: tuple[str, ...] = ()

    def _lay_out(self) -> widgets.Box:
        self._progress = widgets.HBox([self.bar, self.cancel])
        test_fields = [
            labelled("Cohort", self.cohort),
            labelled("Score", self.score),
            labelled("Covariates", self.covariates),
            labelled("Control of lesion volume", self.control),
            labelled("Test of the score", self.test),
            labelled("Scores of lesioned patients", self.side),
        ]
        how = [
            labelled("Minimum lesioned", self.least),
            labelled("Beside it: no control", self.compares),
            labelled("Permutations of the score", self.permutations),
            labelled("Seed", self.seed),
            labelled("Test at every voxel", self.run),
            labelled("Progress", self._progress, self.state),
        ]
        rows = [widgets.HBox(test_fields), widgets.HBox(how)]
        for row in rows:
            row.add_class("ld-compare-bar")
        self.empty = widgets.HTML()
        head = widgets.HBox([heading("Where does damage go with a score?"), self.whose])
        ask = card(head, self.empty, *rows, self.planned, self.notes, name="symptoms-ask")
        view = widgets.HBox(
            [
                labelled("Map shown", self.shown),
                labelled("Threshold on", self.by),
                labelled("Only voxels with p", self.limit),
                labelled(
                    "Files", widgets.HBox([self.files.file, self.files.download, self.files.plain])
                ),
            ]
        )
        view.add_class("ld-compare-bar")
        self._by = (view.children[1], view.children[2], view.children[3])
        looks = card("What is shown", view, name="symptoms-view")
        self._tested = (self.groups.widget, self.clusters.widget, self.regions.widget)
        cards = [looks, self.map.widget, self.without.widget, *self._tested]
        cards.append(self.predictions.widget)
        self._parts = (*cards, *rows)
        self._of_score = (*cards, rows[1])
        page = widgets.Box([ask, *cards])
        page.add_class("ld-symptoms")
        return page

    def _follow(self) -> None:
        context, guard = self.context, self.context.banner.guard
        update = Debounce(FRAME, guard(self._update))
        self.choices.observe(lambda _: update())
        context.choices.observe(lambda _: update(), names=["cohort_a", "cohort_b"])
        context.choices.observe(guard(lambda _: self._draw()), names=["mm", "loaded_atlases"])
        context.choices.observe(guard(lambda _: self._repaint()), names=["patient", "kept"])
        context.choices.observe(guard(lambda _: self._take()), names="loaded_atlases")
        self.choices.observe(guard(lambda _: self._show_choices()), names=["score", "covariates"])
        self.score.observe(guard(self._scored), names="value")
        self.covariates.observe(guard(self._covaried), names="value")
        for field in (self.shown, self.by):
            field.observe(guard(lambda _: self._repaint()), names="value")
        self.run.on_click(guard(lambda _: self._start()))
        self.cancel.on_click(guard(lambda _: self._stop.set()))
        self.alike.on_click(guard(lambda _: self._turn_alike()))
        seek = Debounce(PAUSE, guard(self._seek))
        context.choices.observe(lambda _: seek(), names="mm")
        self.choices.observe(lambda _: seek())

    # Choices.

    def _scored(self, change: dict[str, Any]) -> None:
        if not self._is_filling:
            self.choices.score = change["new"]

    def _covaried(self, change: dict[str, Any]) -> None:
        if not self._is_filling:
            self.choices.covariates = change["new"]

    _is_filling = False

    def _offer_columns(self, cohort: str) -> None:
        """List the columns of the participants table; a choice that is there stays."""
        if cohort == self._columns_of:
            return
        self._columns_of = cohort
        scores, covariates = self.service.columns(cohort) if cohort else ((), ())
        self._scores = scores
        self._is_filling = True
        try:
            self.score.options = [("choose a score", ""), *((name, name) for name in scores)]
            self.covariates.options = covariates
        finally:
            self._is_filling = False
        self._show_choices()

    def _show_choices(self) -> None:
        self._is_filling = True
        try:
            score = self.choices.score
            self.score.value = score if score in self._scores else ""
            known = self.covariates.options
            self.covariates.value = tuple(own for own in self.choices.covariates if own in known)
        finally:
            self._is_filling = False

    # What follows from choices.

    def _update(self) -> None:
        side = self.choices.cohort
        cohort = str(getattr(self.context.choices, f"cohort_{side}"))
        self._offer_columns(cohort)
        request = self.request
        if self._running is not None and self._running != request:
            self._stop.set()  # what is being worked out is no longer wanted
        missing = "" if cohort else _EMPTY.format(side=side.upper())
        if cohort and not self._scores:
            missing = _NO_SCORE.format(side=side.upper())
        _hide(self._parts, bool(missing))
        set_text(self.empty, missing or ("" if request else _ASK))
        _hide((self.empty,), not (missing or request is None))
        if not missing:
            _hide(self._of_score, request is None)
        if request is None:
            self.plan = self.result = None
            set_text(self.whose, "")
            set_text(self.planned, "")
            self.notes.value = ""
            return
        set_text(self.whose, f"{side.upper()}: {self.context.session.load(cohort).name}")
        self._planner.submit(partial(self.service.plan, request), partial(self._show_plan, request))

    def _show_plan(self, request: SymptomRequest, plan: SymptomPlan) -> None:
        if request != self.request:
            return  # something else was chosen meanwhile
        self.plan = plan
        set_text(self.planned, plan.sentence)
        self._take()

    def _not_planned(self, error: Exception) -> None:
        """What does not fit is said beside the choices."""
        self.plan = self.result = None
        set_text(self.planned, f"Cannot be tested: {error}")
        self.notes.value = ""
        _hide(self._of_score, True)

    def _take(self) -> None:
        """Show the test where it was made for these choices, and otherwise what it could find."""
        request = self.request
        if request is None or self.plan is None:
            return
        self.result = result = self.service.known(request)
        self._resolution = self.service.known_resolution(request)
        atlas = str(self.context.choices.loaded_atlas)
        self._offer_maps()
        without = None if result is None else result.without
        _hide((self.without.widget,), without is None)
        change = self.widget.remove_class if without is None else self.widget.add_class
        change("ld-side-by-side")
        _hide((*self._tested, *self._by), result is None)
        (self.widget.add_class if result is None else self.widget.remove_class)("ld-untested")
        notes = []
        if result is not None:
            symptom_map = result.symptom_map
            notes = [outcome_sentence(symptom_map), *symptom_map.notes, STATEMENT]
        if result is not None and without is not None:
            notes.insert(1, control_sentence(result.symptom_map, without))
        design = "" if result is None else result.symptom_map.sentence
        self.notes.value = listed(notes, design)
        self.files.offer(self.service.file_names(request, atlas))
        self.clusters.ask(request, result, atlas)
        self.regions.ask(request if result is not None else None, atlas)
        self.predictions.ask(request)
        self._show_running()
        self._repaint()

    @property
    def _region_maps(self) -> VoxelMaps | None:
        request = self.request
        if request is None or self.result is None:
            return None
        atlas = str(self.context.choices.loaded_atlas)
        return self.service.known_region_maps(request, atlas)

    def _regions_tested(self) -> None:
        self._offer_maps()
        self._repaint()

    def _offer_maps(self) -> None:
        before, plan = self.shown.value, [("Patients with a lesion", "n")]
        plan.append(("Smallest effect found (80 % power)", "power_d80"))
        plan += [("Volume not told from a place", "lookalikes"), ("Shift of its centre", "shift")]
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
        if request is None or self._running == request:
            return
        self.context.banner.clear()
        self._run(request, partial(self.service.test, request), self._tester)

    def _run(
        self,
        request: SymptomRequest,
        work: Callable[[Callable[[int, int], None], threading.Event], Any],
        worker: Any,
    ) -> None:
        self._stop.set()
        self._stop, self._running = threading.Event(), request
        self._show_progress(request, 0, 1)
        tell = partial(worker.tell, self._show_progress, request)
        worker.submit(partial(work, tell, self._stop), partial(self._finish, request))

    def _finish(self, done: SymptomRequest, _result: Any) -> None:
        if self._running == done:
            self._running = None
        self._take()

    def _failed(self, error: Exception) -> None:
        self._running = None
        self._show_running()
        set_text(self.state, "Stopped." if self._stop.is_set() else "")
        self.context.banner.show(error)

    def _show_progress(self, request: SymptomRequest, done: int, total: int) -> None:
        if request == self._running:
            self.bar.max, self.bar.value = total, done
            set_text(self.state, f"{done:,} of {total:,}")
            self._show_running()

    def _show_running(self) -> None:
        is_running, result = self._running is not None, self.result
        self.run.disabled = is_running and self._running == self.request
        (self._progress.remove_class if is_running else self._progress.add_class)("ld-unseen")
        if not is_running:
            made = "" if result is None else f"{result.symptom_map.permutations:,} done"
            set_text(self.state, made)

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
        request, key = self.request, str(self.shown.value)
        if request is None or self.plan is None:
            return
        maps = self._maps(key)
        is_slow = key in ("lookalikes", "shift")  # the resolution takes a while
        if is_slow and maps is None and self._running is None:
            self._run(request, partial(self.service.resolution, request), self._resolver)
        result = self.result
        question = _TESTED.format(score=request.score)
        if result is None or key in _QUESTIONS:
            question = _PLANNED.format(question=_QUESTIONS.get(key, ""))
        layer = self._layer(maps, key)
        over = [*self._lesions.layers, *([self._alike] if self._alike else [])]
        symptom_map = None if result is None else result.symptom_map
        self._show(self.map, layer, question, symptom_map, over)
        if result is not None and result.without is not None:
            without = self._layer(result.without, key)
            self._show(self.without, without, question, result.without, over)
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
        self.groups.show(symptom_map, mm, names, self._chosen_cohort)

    @property
    def _chosen_cohort(self) -> str:
        return str(getattr(self.context.choices, f"cohort_{self.choices.cohort}"))

    def _turn_alike(self) -> None:
        """Outline what looks like the place at the crosshair, wherever it goes, or no longer."""
        self._follows_alike = not self._follows_alike
        self.alike.description = "Hide look-alikes" if self._follows_alike else "Look-alikes"
        self._seek()

    def _seek(self) -> None:
        request, mm = self.request, self.context.choices.mm
        if request is not None and self._follows_alike:
            job = partial(self.service.lookalikes, request, mm)
            self._seeker.submit(job, partial(self._show_alike, mm))
        elif self._alike is not None:
            self._alike = None
            self._repaint()

    def _show_alike(self, mm: Mm, layer: AnyLayer) -> None:
        if self._follows_alike and mm == self.context.choices.mm:
            self._alike = layer
            self._repaint()

    def _unlike(self, _error: Exception) -> None:
        """Nothing is outlined where too few patients are lesioned, as the map shows."""
        self._alike = None
        self._repaint()

    def _save(self, name: str) -> None:
        request = self.request
        if request is not None and name:
            atlas = str(self.context.choices.loaded_atlas)
            read = partial(self.service.file_bytes, request, atlas)
            job = partial(saved_bytes, name, read)
            self._saver.submit(job, partial(self.context.saver.save, name))


def _hide(parts: Any, is_hidden: bool) -> None:
    for part in parts:
        (part.add_class if is_hidden else part.remove_class)("ld-hidden")


def listed(notes: list[str], design: str = "") -> str:
    """Notes on a result as HTML, below its design."""
    import html

    from ...core.text import printable
    from ..sentences import without_options

    lines = "".join(f"<li>{html.escape(without_options(printable(each)))}</li>" for each in notes)
    head = f"<p>{html.escape(printable(design))}.</p>" if design else ""
    return f'<div class="ld-symptoms-notes">{head}{f"<ul>{lines}</ul>" if lines else ""}</div>'
