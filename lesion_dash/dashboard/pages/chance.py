"""Larger than chance?: mean volumes against the cohort's, and against shuffled volumes."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import ipywidgets as widgets

from ...core.formats import VOLUME
from ...plotting.figures import ML, figure_bytes
from ...stats.size_bias import VolumePermutations
from ..app_context import AppContext
from ..code import Code
from ..compare_figure import Panel, draw_panels
from ..controls import card, heading, labelled, note, set_text
from ..page_inputs import number_field
from ..persisted_inputs import control
from ..places import Mm, place_words
from ..save_field import saved_bytes
from ..size_bias_service import (
    Contrasts,
    SizeBiasRequest,
    SizeBiasService,
)
from ..widgets.layers import ValueLayer
from .chance_clusters import ClustersPanel
from .chance_words import (
    ABOVE_MEAN,
    ABOVE_WEIGHTED,
    foot_words,
    mean_words,
    outcome_words,
    p_heading,
    p_words,
    place_html,
    question_words,
    statement_html,
)
from .code import CHOSEN, CodeCard, place_below
from .map_card import MapCard, plain_button
from .map_controls import MapControls
from .place_panel import PlacePanel


def chance_code(context: AppContext, page: SizeBiasPage) -> widgets.Box:
    """The page, and below it the code of lesion volumes against chance."""
    code = Code(context.session)

    def lines() -> tuple[str, str]:
        name = str(getattr(context.choices, f"cohort_{page.cohort.value}"))
        draws = int(page.permutations.value), int(page.seed.value), page.side.value
        request = SizeBiasRequest(name, context.choices.min_patients, *draws) if name else None
        return code.chance(request, context.choices.loaded_atlas)

    made = CodeCard(context, lines).follow(context.choices, *CHOSEN)
    for field in (page.cohort, page.permutations, page.seed, page.side):
        made.follow(field, "value")
    return place_below(page.widget, made)


# Larger than chance?: mean volumes against the cohort's, and against shuffled volumes.


TITLE = "Size bias"

_EMPTY = "Choose folder {side} on the page Maps to see where its lesions are large."
_ASK = "Press “Run permutation test” to test it. 1,000 permutations take some seconds."
_SIDES = (("larger means", "larger"), ("smaller means", "smaller"), ("either", "two-sided"))


def build(context: AppContext) -> widgets.Widget:
    """Two contrasts and the p map, with one crosshair, and what they show and what not."""
    page = SizeBiasPage(context)
    names = ("cohort", "side", "permutations", "seed")
    context.inputs.follow("chance", {name: control(getattr(page, name)) for name in names})
    return chance_code(context, page)


class SizeBiasPage:
    """The lesions of A or of B against chance.

    Parameters
    ----------
    context : AppContext
    """

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self.service = SizeBiasService(context.session)
        self.contrasts: Contrasts | None = None
        self.permuted: VolumePermutations | None = None
        self._p: ValueLayer | None = None
        self._running: SizeBiasRequest | None = None
        self._stop = threading.Event()
        self._maker, self._drawer = context.worker(), context.worker()
        self._shuffler = context.worker(self._failed)
        self._make_fields()
        self.above = MapCard(context, "Above the cohort's mean", "chance-mean")
        self.weighted = MapCard(context, "Above the size-weighted mean", "chance-weighted")
        self.p = MapCard(context, "Corrected p (family-wise)", "chance-p")
        for map_card in (self.above, self.weighted):
            map_card.viewer.follow(self.controls.slider)
        saves = context.banner.guard(self._save_file), context.banner.guard(self._save_figure)
        self.place = PlacePanel("chance-place", "File", *saves)
        self.clusters = ClustersPanel(context, self.service)
        self.widget = self._lay_out()
        self._follow()
        self._update()

    def _make_fields(self) -> None:
        self.cohort = widgets.ToggleButtons(options=[("A", "a"), ("B", "b")])
        self.controls = MapControls(self.context)
        self.side = widgets.Dropdown(options=_SIDES)
        self.permutations = widgets.BoundedIntText(**number_field("chance", "permutations"))
        self.seed = widgets.BoundedIntText(**number_field("chance", "seed"))
        self.run = plain_button("Run permutation test", "Test the means by permutations")
        self.cancel = plain_button("Cancel", "Stop the test")
        self.bar = widgets.IntProgress(min=0, max=1)
        self.whose, self.state, self.sentence = note(), note(), note()
        self.statement = widgets.HTML(statement_html())

    def _follow(self) -> None:
        guard = self.context.banner.guard
        update = self.controls.follow(self._update, self._draw)
        for field in (self.cohort, self.side, self.permutations, self.seed):
            field.observe(lambda _: update(), names="value")
        self.run.on_click(guard(lambda _: self._start()))
        self.cancel.on_click(guard(lambda _: self._stop.set()))

    def _lay_out(self) -> widgets.Box:
        self.statement.add_class("ld-chance-statement")
        head = widgets.HBox(
            [heading("Are lesions here larger than expected by chance?"), self.whose]
        )
        ask = card(head, self.controls.empty, self._lay_out_fields(), name="chance-ask")
        title = "What a small p means"
        says = card(title, self.statement, self.sentence, name="chance-says")
        shown = self.above, self.weighted, self.p, self.place, self.clusters
        cards = [map_card.widget for map_card in shown] + [says]
        self._parts = (*cards, self._test)
        page = widgets.Box([ask, *cards])
        page.add_class("ld-chance")
        return page

    def _lay_out_fields(self) -> widgets.Box:
        """What is looked at, and how it is tested."""
        view = [labelled("Cohort", self.cohort), self.controls.field]
        self._progress = widgets.HBox([self.bar, self.cancel])
        test = [
            labelled("Test for", self.side),
            labelled("Permutations", self.permutations),
            labelled("Seed", self.seed),
            labelled("Permutation test", self.run),
            labelled("Progress", self._progress, self.state),
        ]
        self._test = widgets.HBox(test)
        rows = [widgets.HBox(view), self._test]
        both = widgets.HBox(rows)
        for row in (*rows, both):
            row.add_class("ld-compare-bar")
        return both

    def _request_now(self) -> SizeBiasRequest | None:
        choices = self.context.choices
        name = str(getattr(choices, f"cohort_{self.cohort.value}"))
        if not name:
            return None
        # A message can move the bounds of a field as well.
        most = number_field("chance", "permutations")["max"]
        numbers = min(int(self.permutations.value), most), int(self.seed.value)
        return SizeBiasRequest(name, choices.min_patients, *numbers, self.side.value)

    def _update(self) -> None:
        request, side = self._request_now(), self.cohort.value.upper()
        if self._running is not None and self._running != request:
            self._stop.set()  # what is being worked out is no longer asked for
        self.controls.show(self._parts, "" if request else _EMPTY.format(side=side))
        if request is None:
            self.contrasts = self.permuted = None
            set_text(self.whose, "")
            return
        self.run.disabled = self._running == request
        job = partial(self.service.contrasts, request.cohort, request.min_patients)
        self._maker.submit(job, partial(self._show, request))

    def _show(self, request: SizeBiasRequest, contrasts: Contrasts) -> None:
        if request != self._request_now():
            return  # something else was chosen meanwhile
        self.contrasts = contrasts
        means = contrasts.means
        words: dict[str, Any] = {
            "mean": VOLUME.with_unit(means.cohort_mean / ML),
            "weighted": VOLUME.with_unit(means.weighted_mean / ML),
            "patients": means.n_patients,
        }
        set_text(self.whose, f"{self.cohort.value.upper()}: {contrasts.whose}")
        set_text(self.p.caption, contrasts.whose)
        self.above.show(contrasts.above_mean, ABOVE_MEAN.format(**words))
        self.weighted.show(contrasts.above_weighted_mean, ABOVE_WEIGHTED.format(**words))
        self._take(request, contrasts)

    def _take(self, request: SizeBiasRequest, contrasts: Contrasts) -> None:
        """Show the test where it was made for these choices, and otherwise how to make it."""
        self.permuted = permutations = self.service.known(request)
        self._p = self.service.p_layer(request)
        question = question_words(request.permutations, request.side)
        outcome = f" {outcome_words(permutations)}" if permutations else ""
        self.p.show(self._p, question + outcome)
        made = f"{contrasts.name}: {permutations.sentence}" if permutations else ""
        set_text(self.sentence, "; ".join([made, *permutations.notes]) if permutations else "")
        self.clusters.ask((request, permutations, contrasts.whose) if permutations else None)
        self.place.files.offer(self.service.file_names(request))
        self._show_running()
        self._draw()

    def _start(self) -> None:
        request = self._request_now()
        if request is None or self._running == request:
            return
        self.context.banner.clear()
        self._stop.set()
        self._stop, self._running = threading.Event(), request
        self._show_progress(request, 0, request.permutations)
        tell = partial(self._shuffler.tell, self._show_progress, request)
        job = partial(self.service.permute, request, tell, self._stop)
        self._shuffler.submit(job, partial(self._finish, request))

    def _finish(self, done: SizeBiasRequest, _permutations: VolumePermutations) -> None:
        if self._running == done:
            self._running = None
        request = self._request_now()
        if request is not None and self.contrasts is not None:
            self._take(request, self.contrasts)

    def _failed(self, error: Exception) -> None:
        self._running = None
        self._show_running()
        set_text(self.state, "Stopped." if self._stop.is_set() else "")
        self.context.banner.show(error)

    def _show_progress(self, request: SizeBiasRequest, done: int, total: int) -> None:
        if request == self._running:
            self.bar.max, self.bar.value = total, done
            set_text(self.state, f"{done:,} of {total:,} permutations")
            self._show_running()

    def _show_running(self) -> None:
        is_running, permutations = self._running is not None, self.permuted
        self.run.disabled = is_running and self._running == self._request_now()
        (self._progress.remove_class if is_running else self._progress.add_class)("ld-unseen")
        if not is_running:
            ready = (
                ""
                if permutations is None
                else f"{permutations.permutations:,} done, seed {permutations.seed}"
            )
            set_text(self.state, ready)

    def _draw(self) -> None:
        contrasts = self.contrasts
        if contrasts is None:
            return
        choices = self.context.choices
        mm = choices.mm
        for map_card, layer, whose in (
            (self.above, contrasts.above_mean, "cohort's"),
            (self.weighted, contrasts.above_weighted_mean, "size-weighted"),
        ):
            map_card.place(mm, *mean_words(layer, whose, mm, contrasts.means.min_patients))
        if self.permuted is not None and self._p is not None:
            self.p.place(mm, *p_words(self.permuted, self._p, mm))
        else:
            self.p.place(mm, _ASK)
        names = "; ".join(self.context.session.places(choices.loaded_atlases, mm))
        words = [place_words(mm, contrasts.means.grid), names]
        self.place.show(" · ".join(filter(None, words)), place_html(contrasts, self.permuted, mm))

    def _save_file(self, name: str) -> None:
        request = self._request_now()
        if request is not None and name:
            job = partial(saved_bytes, name, partial(self.service.file_bytes, request))
            self._drawer.submit(job, partial(self.context.saver.save, name))

    def _panels(self) -> list[Panel]:
        """The maps that there are, with their headings."""
        contrasts = self.contrasts
        if contrasts is None:
            return []
        k = contrasts.means.min_patients
        panels = [
            ("Above the cohort's mean", contrasts.above_mean.at_least(k)),
            ("Above the size-weighted mean", contrasts.above_weighted_mean.at_least(k)),
        ]
        if self.permuted is None or self._p is None:
            return panels
        return [*panels, (p_heading(self.permuted.side), self._p)]

    def _save_figure(self, file_format: str) -> None:
        contrasts, choices = self.contrasts, self.context.choices
        if contrasts is not None:
            foot = foot_words(contrasts, self.permuted)
            place: tuple[Mm, bool] = choices.mm, bool(choices.radiological)
            job = partial(_figure_bytes, self._panels(), *place, foot, file_format)
            name = f"larger_than_chance.{file_format}"
            self._drawer.submit(job, partial(self.context.saver.save, name))


def _figure_bytes(panels: list[Panel], *how: Any) -> bytes:
    mm, radiological, foot, file_format = how
    return figure_bytes(draw_panels(panels, mm, radiological, foot), file_format, dpi=200)
