"""Beside the brain: the same map drawn by nilearn, to be saved."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any

import ipywidgets as widgets

from ...plotting.figures import FILE_FORMATS, draw_map, figure_bytes
from ..app_context import AppContext
from ..controls import bind, card, download_button, heading
from ..state import FIGURES, Selection
from ..tasks import Debounce

_NOTHING = "A figure of the map appears here."


class FigurePanel:
    """A figure of the map for a paper or a slide."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.kind = widgets.ToggleButtons(options=[(text, key) for key, text in FIGURES.items()])
        self.image = widgets.HTML()
        self.state = widgets.Label()
        self._turn = 0
        self._drawer = context.worker(self._failed)
        self._draw_later = Debounce(0.35, context.banner.guard(self._draw))
        bind(context.choices, "figure", self.kind)
        names = ["cohort_a", "cohort_b", "min_patients", "map_key", "figure", "radiological"]
        context.choices.observe(lambda _: self._redraw(), names=names)
        context.choices.observe(self._moved, names="mm")
        context.loading.observe(lambda _: self._redraw(), names="painted")
        self.widget = self._lay_out()
        self._tell(_NOTHING)

    def _lay_out(self) -> widgets.VBox:
        self.image.add_class("ld-figure-image")
        title = widgets.HBox([heading("Figure"), self.kind])
        self.buttons = [
            download_button(
                kind.upper(), f"Save the figure as {kind.upper()}", partial(self._save, kind)
            )
            for kind in FILE_FORMATS
        ]
        foot = widgets.HBox([self.state, *self.buttons])
        foot.add_class("ld-card-foot")
        return card(title, self.image, foot, name="figure")

    def _moved(self, _change: Any) -> None:
        if self._context.choices.figure == "slices":
            self._redraw()

    def _redraw(self) -> None:
        self._turn += 1
        if self._context.choices.cohort_a and self._context.loading.painted:
            self._allow(False, "Drawing ...")
        self._draw_later()

    def _allow(self, is_drawn: bool, words: str = "Save figure as") -> None:
        """Let the figure be saved where it is the one that is chosen."""
        self.state.value = words
        for button in self.buttons:
            button.disabled = not is_drawn

    def _draw(self) -> None:
        choices = self._context.choices
        if not self._context.loading.painted:
            return  # importing nilearn now would keep the brain from being drawn
        if choices.cohort_a:
            job = partial(self._render, *self._figure_request(), "png")
            if "<img" not in self.image.value:
                self._tell("Drawing ...")
            self._allow(False, "Drawing ...")
            self.image.add_class("ld-busy")
            self._drawer.submit(job, partial(self._show, self._turn))
        else:
            self._tell(_NOTHING)

    def _figure_request(self) -> tuple[Selection, Any, Any, bool]:
        choices = self._context.choices
        return choices.selection, choices.figure, choices.mm, choices.radiological

    def _render(
        self, selection: Selection, kind: Any, mm: Any, radiological: bool, file_format: str
    ) -> bytes:
        figure = draw_map(self._context.session.layer(selection), kind, mm, radiological)
        return figure_bytes(figure, file_format, dpi=110 if file_format == "png" else 300)

    def _failed(self, error: Exception) -> None:
        self._tell("The figure could not be drawn: see the message at the top.")
        self._context.banner.show(error)

    def _show(self, turn: int, content: bytes) -> None:
        data = base64.b64encode(content).decode()
        if turn == self._turn:
            self.image.remove_class("ld-busy")
            self._allow(True)
        self.image.value = (
            f'<img alt="The map drawn by nilearn" src="data:image/png;base64,{data}">'
        )

    def _tell(self, text: str) -> None:
        self._allow(False)
        self.image.remove_class("ld-busy")
        self.image.value = f"<p>{text}</p>"

    def _save(self, file_format: str) -> None:
        choices = self._context.choices
        if not choices.cohort_a:
            return
        name = f"{choices.map_key}_{choices.figure}.{file_format}"
        job = partial(self._render, *self._figure_request(), file_format)
        self._drawer.submit(job, partial(self._context.saver.save, name))
