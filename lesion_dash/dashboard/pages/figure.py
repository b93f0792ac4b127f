"""The map drawn by nilearn at the size of its place on the page, to be looked at and saved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets as widgets

from ...plotting.figures import FILE_FORMATS, draw_map, figure_bytes
from ..app_context import AppContext
from ..controls import bind, card, download_button, labelled
from ..places import Mm
from ..state import FIGURES, PLANES, SHADES, SIZES, SLICES, Selection
from ..tasks import PAUSE, Debounce
from ..widgets.figure_view import FigureView

_NOTHING = "A figure of the map appears here."
_CSS_DPI = 96  # pixels of an inch, by definition
_SMALL = 1.6  # a small figure is drawn so much larger and scaled down, or its texts would fill it
_SAVED_DPI = 300  # what journals ask for
_MM_PER_INCH = 25.4
_HEIGHT = 0.62  # of the width, of a figure whose width is given
_FOLLOWED = (
    *("cohort_a", "cohort_b", "min_patients", "map_key", "figure", "radiological"),
    *("plane", "slices", "figure_shade", "figure_size"),
)


@dataclass(frozen=True)
class FigureRequest:
    """All that a figure depends on."""

    selection: Selection
    kind: Any  # one of `FIGURES`, as traits check
    mm: Mm
    radiological: bool
    plane: Any  # one of `PLANES`
    slices: int
    inches: tuple[float, float]
    dark: bool


class FigurePanel:
    """A figure of the map for a paper or a slide: large beside the brain or in its place, or small.

    Of the two views only the one that is seen is drawn.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        guard = context.banner.guard
        self.large = FigureView(guard(self._resized))
        self.small = FigureView(guard(self._resized), guard(self._enlarge))
        self.plane = _choice(PLANES)
        self.slices = widgets.Dropdown(options=[(str(n), n) for n in SLICES])
        self.shade = _choice(SHADES)
        self.size = _choice(SIZES)
        self._turn = 0
        self._shown: FigureRequest | None = None
        self._drawer = context.worker(self._failed)
        self._draw_later = Debounce(PAUSE, guard(self._draw))
        for name, field in (
            *(("plane", self.plane), ("slices", self.slices)),
            *(("figure_shade", self.shade), ("figure_size", self.size)),
        ):
            bind(context.choices, name, field)
        context.choices.observe(lambda _: self._redraw(), names=list(_FOLLOWED))
        context.choices.observe(lambda _: self._moved(), names="mm")
        context.appearance.observe(lambda _: self._redraw(), names="dark")
        context.loading.observe(lambda _: self._redraw(), names="painted")
        self.widget, self.small_card = self._lay_out()
        self._tell(_NOTHING)

    def _lay_out(self) -> tuple[widgets.VBox, widgets.VBox]:
        self.buttons = [
            download_button(
                kind.upper(), f"Save the figure as {kind.upper()}", partial(self._save, kind)
            )
            for kind in FILE_FORMATS
        ]
        saves = widgets.HBox(self.buttons)
        fields = [
            *(labelled("Plane", self.plane), labelled("Slices", self.slices)),
            *(labelled("Background", self.shade), labelled("Size", self.size)),
            labelled("Save figure", saves),
        ]
        foot = widgets.HBox(fields)
        foot.add_class("ld-figure-options")
        large = widgets.VBox([self.large, foot])
        large.add_class("ld-figure")
        small = card("Figure", self.small, name="small-figure")
        return large, small

    def _moved(self) -> None:
        if self._context.choices.figure == "slices":
            self._redraw()

    def _resized(self) -> None:
        if self._seen is self.large and not self.large.png:
            self.large.png = self.small.png  # enlarged at once, and sharp a moment later
        self._redraw()

    def _enlarge(self) -> None:
        self._context.choices.view = self._context.choices.figure

    @property
    def _seen(self) -> FigureView | None:
        return next((view for view in (self.large, self.small) if view.is_seen), None)

    def _redraw(self) -> None:
        self._turn += 1
        if self._context.choices.cohort_a and self._context.loading.painted:
            self._allow(False)
        self._draw_later()

    def _allow(self, is_drawn: bool) -> None:
        """Let the figure be saved where it is the one that is chosen."""
        for button in self.buttons:
            button.disabled = not is_drawn
        for view in (self.large, self.small):
            view.busy = not is_drawn and bool(view.png)

    def _draw(self) -> None:
        if not self._context.loading.painted:
            return  # importing nilearn now would keep the brain from being drawn
        if not self._context.choices.cohort_a:
            self._tell(_NOTHING)
            return
        self.slices.disabled = self._context.choices.figure != "mosaic"
        view = self._seen
        request = self._request(view)
        if request == self._shown:
            self._allow(True)
            return
        self._allow(False)
        if not (self.large.png or self.small.png):
            self.large.message = self.small.message = "Drawing ..."
        job = partial(self._render, request, "png", _dpi(view))
        self._drawer.submit(job, partial(self._show, self._turn, view, request))

    def _request(self, view: FigureView | None) -> FigureRequest:
        choices = self._context.choices
        is_dark = bool(self._context.appearance.dark)
        dark = {"page": is_dark, "light": False, "dark": True}[choices.figure_shade]
        return FigureRequest(
            choices.selection,
            choices.figure,
            choices.mm if choices.figure == "slices" else (0.0, 0.0, 0.0),
            choices.radiological,
            choices.plane,
            choices.slices,
            _inches(view, choices.figure_size),
            dark,
        )

    def _render(self, request: FigureRequest, file_format: str, dpi: int) -> bytes:
        figure = draw_map(
            self._context.session.layer(request.selection),
            request.kind,
            request.mm,
            request.radiological,
            plane=request.plane,
            slices=request.slices,
            inches=request.inches,
            dark=request.dark,
        )
        return figure_bytes(figure, file_format, dpi)

    def _failed(self, error: Exception) -> None:
        self._tell("The figure could not be drawn: see the message.")
        self._context.banner.show(error)

    def _show(
        self, turn: int, view: FigureView | None, request: FigureRequest, content: bytes
    ) -> None:
        kind = FIGURES[request.kind].lower()
        for each in (self.large, self.small):
            if each is view or view is None:
                each.alt, each.png = f"The map drawn by nilearn: {kind}", content
            elif not each.is_seen:
                each.png = b""  # of other choices by the time it is seen
            each.message = ""
        if turn == self._turn:
            self._shown = request
            self._allow(True)

    def _tell(self, text: str) -> None:
        self._shown = None
        for view in (self.large, self.small):
            view.png, view.message = b"", text
        self._allow(False)

    def _save(self, file_format: str) -> None:
        choices = self._context.choices
        if not choices.cohort_a:
            return
        name = f"{choices.map_key}_{choices.figure}.{file_format}"
        view = self.large if self.large.is_seen else None
        job = partial(self._render, self._request(view), file_format, _SAVED_DPI)
        self._drawer.submit(job, partial(self._context.saver.save, name))


def _choice(options: dict[str, str]) -> widgets.Dropdown:
    return widgets.Dropdown(options=[(text, key) for key, text in options.items()])


def _inches(view: FigureView | None, size: str) -> tuple[float, float]:
    """Of a figure: those of its place on the page, or a width in mm that was chosen."""
    if size != "panel":
        width = float(size) / _MM_PER_INCH
        return width, width * _HEIGHT
    if view is None:
        return 7.2, 7.2 * _HEIGHT  # on a page that has not said how large it is
    scale = (_SMALL if view.is_small else 1.0) / _CSS_DPI
    return view.size[0] * scale, view.size[1] * scale


def _dpi(view: FigureView | None) -> int:
    if view is None:
        return 110
    return round(view.ratio * _CSS_DPI / (_SMALL if view.is_small else 1.0))
