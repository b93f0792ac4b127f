"""Larger than chance?: mean volumes against the cohort's, and against shuffled volumes."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import ipywidgets as widgets

from ...atlas import OUTSIDE
from ...plots import FILE_FORMATS, figure_bytes
from ...size_bias import VolumePermutations
from ..chances import PERMUTATIONS, SEED, ChanceRequest, Chances, Contrasts, p_layer
from ..compare_figure import Panel, draw_panels
from ..controls import bind, card, download_button, heading, labelled, note, set_text
from ..desk import Desk
from ..map_slices import MapLayer, MapSlices
from ..picture import Mm
from ..places import place_words
from ..scale import ML
from ..tasks import Later
from .chance_words import (
    ABOVE_MEAN,
    ABOVE_WEIGHTED,
    mean_words,
    outcome_words,
    p_words,
    place_html,
    question_words,
    statement_html,
)
from .code import chance_code
from .map_card import MapCard, plain_button

TITLE = "Larger than chance?"

_EMPTY = "Choose folder {side} on the page Topography to see where its lesions are large."
_ASK = "Press “Shuffle volumes” to test it. 1,000 permutations take some seconds."
_SIDES = (("larger means", "larger"), ("smaller means", "smaller"), ("either", "two-sided"))
_MOST = 100_000
_HIGHEST_SEED = 2**31 - 1


def build(desk: Desk) -> widgets.Widget:
    """Two contrasts and the p map, with one crosshair, and what they show and what not."""
    return chance_code(desk, ChancePage(desk))


class ChancePage:
    """The lesions of A or of B against chance.

    Parameters
    ----------
    desk : Desk
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.chances = Chances(desk.session)
        self.contrasts: Contrasts | None = None
        self.found: VolumePermutations | None = None
        self._p: MapLayer | None = None
        self._running: ChanceRequest | None = None
        self._stop = threading.Event()
        self._maker, self._drawer = desk.worker(), desk.worker()
        self._shuffler = desk.worker(self._failed)
        self._make_fields()
        clicked = desk.banner.guard(self._clicked)
        views = [MapSlices(name, clicked) for name in ("above mean", "above weighted mean", "p")]
        self.above = MapCard("Above the typical patient?", "chance-mean", views[0])
        self.weighted = MapCard("Beyond what size explains?", "chance-weighted", views[1])
        self.p = MapCard("Larger than with shuffled volumes?", "chance-p", views[2])
        self.widget = self._lay_out()
        self._follow()
        self._update()

    def _make_fields(self) -> None:
        self.cohort = widgets.ToggleButtons(options=[("A", "a"), ("B", "b")])
        self.slider = widgets.IntSlider(min=1, max=5, continuous_update=True)
        self.orientation = widgets.ToggleButtons(
            options=[("Neurological", False), ("Radiological", True)],
            tooltips=["Patient's left on the left", "Patient's left on the right"],
        )
        self.side = widgets.Dropdown(options=_SIDES)
        self.permutations = widgets.BoundedIntText(value=PERMUTATIONS, min=20, max=_MOST)
        self.seed = widgets.BoundedIntText(value=SEED, min=0, max=_HIGHEST_SEED)
        self.run = plain_button("Shuffle volumes", "Test the means by permutations")
        self.cancel = plain_button("Cancel", "Stop shuffling")
        self.bar = widgets.IntProgress(min=0, max=1)
        self.state, self.caption, self.sentence = note(), note(), note()
        self.table, self.statement = widgets.HTML(), widgets.HTML(statement_html())
        self.empty = widgets.HTML()
        self.file = widgets.Dropdown()
        guard = self._desk.banner.guard
        self.download = download_button(
            "Download", "Save the file named beside it", guard(self._save_file)
        )
        self.figures = [
            download_button(
                kind.upper(),
                f"Save the figure as {kind.upper()}",
                guard(partial(self._figure, kind)),
            )
            for kind in FILE_FORMATS
        ]

    def _follow(self) -> None:
        choices, guard = self._desk.choices, self._desk.banner.guard
        bind(choices, "min_patients", self.slider)
        bind(choices, "radiological", self.orientation)
        update = Later(0.03, guard(self._update))
        names = ["cohort_a", "cohort_b", "min_patients", "most_patients"]
        choices.observe(lambda _: update(), names=names)
        choices.observe(guard(lambda _: self._draw()), names=["mm", "radiological", "loaded_atlas"])
        for field in (self.cohort, self.side, self.permutations, self.seed):
            field.observe(lambda _: update(), names="value")
        self.run.on_click(guard(lambda _: self._start()))
        self.cancel.on_click(guard(lambda _: self._stop.set()))

    def _lay_out(self) -> widgets.Box:
        self.table.add_class("ld-place-table")
        self.statement.add_class("ld-chance-statement")
        title = "Are lesions at a place larger than chance?"
        ask = card(title, self.empty, self._lay_out_fields(), name="chance-ask")
        title = "What a small p says, and what not"
        says = card(title, self.statement, self.sentence, name="chance-says")
        maps = (self.above.widget, self.weighted.widget, self.p.widget)
        self._cards = (*maps, says, self._lay_out_place())
        page = widgets.Box([ask, *self._cards])
        page.add_class("ld-chance")
        return page

    def _lay_out_fields(self) -> widgets.Box:
        """What is looked at, and how it is tested."""
        view = [
            labelled("Cohort", self.cohort),
            labelled("Minimum patients at a voxel (k)", self.slider),
            labelled("Sides", self.orientation),
        ]
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

    def _lay_out_place(self) -> widgets.Box:
        """What is known of the crosshair, and what can be saved."""
        save = widgets.HBox(
            [
                labelled("File", widgets.HBox([self.file, self.download])),
                labelled("Figure of the maps", widgets.HBox(self.figures)),
            ]
        )
        save.add_class("ld-place-save")
        head = widgets.HBox([heading("At the crosshair"), self.caption])
        return card(head, self.table, save, name="chance-place")

    def _wanted(self) -> ChanceRequest | None:
        choices = self._desk.choices
        name = str(getattr(choices, f"cohort_{self.cohort.value}"))
        if not name:
            return None
        numbers = int(self.permutations.value), int(self.seed.value)
        return ChanceRequest(name, choices.min_patients, *numbers, self.side.value)

    def _update(self) -> None:
        wanted = self._wanted()
        self.slider.max = max(self._desk.choices.most_patients, 1)
        if self._running is not None and self._running != wanted:
            self._stop.set()  # what is being worked out is no longer asked for
        for part in (*self._cards, self._test):
            (part.remove_class if wanted else part.add_class)("ld-hidden")
        (self.empty.add_class if wanted else self.empty.remove_class)("ld-hidden")
        if wanted is None:
            self.contrasts = self.found = None
            set_text(self.empty, _EMPTY.format(side=self.cohort.value.upper()))
            return
        self.run.disabled = self._running == wanted
        job = partial(self.chances.contrasts, wanted.cohort, wanted.min_patients)
        self._maker.submit(job, partial(self._show, wanted))

    def _show(self, wanted: ChanceRequest, contrasts: Contrasts) -> None:
        if wanted != self._wanted():
            return  # something else was chosen meanwhile
        self.contrasts = contrasts
        means = contrasts.means
        words = {"mean": means.cohort_mean / ML, "weighted": means.weighted_mean / ML}
        words["patients"] = means.n_patients
        self.above.ask(ABOVE_MEAN.format(**words), contrasts.above_mean.shade.bar)
        self.weighted.ask(ABOVE_WEIGHTED.format(**words), contrasts.above_weighted_mean.shade.bar)
        self._take(wanted)

    def _take(self, wanted: ChanceRequest) -> None:
        """Show the test where it was made for these choices, and otherwise how to make it."""
        self.found = found = self.chances.known(wanted)
        self._p = p_layer(found) if found else None
        asked = question_words(wanted.permutations, wanted.side)
        said = f" {outcome_words(found)}" if found else ""
        self.p.ask(asked + said, self._p.shade.bar if self._p else "")
        set_text(self.sentence, "; ".join([found.sentence, *found.notes]) if found else "")
        names = self.chances.file_names(wanted)
        if names != self.file.options:
            kept = self.file.value
            self.file.options = names
            self.file.value = kept if kept in names else names[0]
        self._show_running()
        self._draw()

    def _start(self) -> None:
        wanted = self._wanted()
        if wanted is None or self._running == wanted:
            return
        self._desk.banner.clear()
        self._stop.set()
        self._stop, self._running = threading.Event(), wanted
        self._show_progress(wanted, 0, wanted.permutations)
        tell = partial(self._shuffler.tell, self._show_progress, wanted)
        job = partial(self.chances.permute, wanted, tell, self._stop)
        self._shuffler.submit(job, partial(self._finish, wanted))

    def _finish(self, done: ChanceRequest, _found: VolumePermutations) -> None:
        if self._running == done:
            self._running = None
        wanted = self._wanted()
        if wanted is not None and self.contrasts is not None:
            self._take(wanted)

    def _failed(self, error: Exception) -> None:
        self._running = None
        self._show_running()
        set_text(self.state, "Stopped." if self._stop.is_set() else "")
        self._desk.banner.show(error)

    def _show_progress(self, request: ChanceRequest, done: int, total: int) -> None:
        if request == self._running:
            self.bar.max, self.bar.value = total, done
            set_text(self.state, f"{done:,} of {total:,} permutations")
            self._show_running()

    def _show_running(self) -> None:
        is_running, found = self._running is not None, self.found
        self.run.disabled = is_running and self._running == self._wanted()
        (self._progress.remove_class if is_running else self._progress.add_class)("ld-unseen")
        if not is_running:
            ready = "" if found is None else f"{found.permutations:,} done, seed {found.seed}"
            set_text(self.state, ready)

    def _draw(self) -> None:
        contrasts = self.contrasts
        if contrasts is None:
            return
        choices = self._desk.choices
        mm, radiological = choices.mm, bool(choices.radiological)
        voxel = contrasts.above_mean.voxel(mm)
        for one, layer, whose in (
            (self.above, contrasts.above_mean, "cohort's"),
            (self.weighted, contrasts.above_weighted_mean, "size-weighted"),
        ):
            one.view.show(layer, voxel, radiological, *mean_words(layer, whose, mm))
        if self.found is not None and self._p is not None:
            words = p_words(self.found, self._p, mm)
            self.p.view.show(self._p, voxel, radiological, *words)
        else:
            self.p.view.clear(_ASK)
        atlas = self._desk.session.atlas(choices.loaded_atlas)
        region = atlas.region_at(mm) if atlas is not None else OUTSIDE
        place = place_words(mm, contrasts.means.grid)
        set_text(self.caption, place if region == OUTSIDE else f"{place} · {region}")
        self.table.value = place_html(contrasts, self.found, mm)

    def _clicked(self, pane: int, x: float, y: float) -> None:
        if self.contrasts is not None:
            choices, layer = self._desk.choices, self.contrasts.above_mean
            here = layer.voxel(choices.mm)
            voxel = layer.clicked(pane, x, y, here, bool(choices.radiological))
            choices.mm = layer.mm(voxel)

    def _save_file(self) -> None:
        wanted, name = self._wanted(), self.file.value
        if wanted is not None and name:
            job = partial(self.chances.file_bytes, wanted, name)
            self._drawer.submit(job, partial(self._desk.saver.save, name))

    def _panels(self) -> list[Panel]:
        """The maps that there are, with their headings."""
        contrasts = self.contrasts
        if contrasts is None:
            return []
        panels = [
            ("Above the cohort's mean", contrasts.above_mean),
            ("Above the size-weighted mean", contrasts.above_weighted_mean),
        ]
        return [*panels, ("Larger than with shuffled volumes", self._p)] if self._p else panels

    def _figure(self, file_format: str) -> None:
        panels, choices = self._panels(), self._desk.choices
        if panels:
            foot = self.found.sentence if self.found else ""
            place: tuple[Mm, bool] = choices.mm, bool(choices.radiological)
            job = partial(_figure_bytes, panels, *place, foot, file_format)
            name = f"larger_than_chance.{file_format}"
            self._drawer.submit(job, partial(self._desk.saver.save, name))


def _figure_bytes(panels: list[Panel], *how: Any) -> bytes:
    mm, radiological, foot, file_format = how
    return figure_bytes(draw_panels(panels, mm, radiological, foot), file_format, dpi=200)
