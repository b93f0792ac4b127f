"""Where a map is shown on the brain: the viewer, or nilearn's page where there is no WebGL."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import numpy as np

from ..core.grid import Grid
from ..plotting.figures import OVERLAP_CLASSES, ColourClass, Layer, interactive_html
from .app_context import AppContext
from .controls import Probe, bind
from .picture import Mm, Picture
from .place_field import PlaceField
from .tasks import PAUSE, Debounce
from .viewer import BrainViewer

MNI_2MM = Grid(
    (91, 109, 91), np.array([[2.0, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
)


class BrainCanvas:
    """Three linked planes in the browser at hand.

    Parameters
    ----------
    context : AppContext
    on_move : callable
        Given the place in mm where the crosshair went.
    on_paint : callable
        Told when the browser has drawn the brain.
    layer : callable
        Gives what nilearn draws, None where there is nothing; called beside the page.
    classes : tuple of ColourClass
        Of pictures without a colour table.
    """

    def __init__(
        self,
        context: AppContext,
        on_move: Callable[[Mm], None],
        on_paint: Callable[[], None],
        layer: Callable[[], Layer | None],
        classes: tuple[ColourClass, ...] = OVERLAP_CLASSES,
    ) -> None:
        guard = context.banner.guard
        self._context = context
        self._layer = layer
        self._on_paint = on_paint
        self._on_move = on_move
        self.viewer = BrainViewer(guard(self._moved), guard(on_paint), classes)
        self.place = PlaceField(guard(self._typed))
        self.probe = Probe()
        self.fallback = widgets.HTML()
        self.orientation = widgets.ToggleButtons(
            options=[("Neurological", False), ("Radiological", True)],
            tooltips=["Patient's left on the left", "Patient's left on the right"],
        )
        self._drawer = context.worker()
        self._redraw = Debounce(PAUSE, guard(self._draw_without_webgl))
        bind(context.choices, "radiological", self.orientation)
        context.choices.observe(guard(self._orient), names="radiological")
        self.probe.observe(guard(self._probed), names="webgl")
        self._orient()
        self.widgets = self._lay_out()
        empty = Picture(np.zeros(MNI_2MM.shape, np.uint8), MNI_2MM, "viridis")
        self.viewer.show(empty)

    def redraw(self) -> None:
        """Let nilearn draw anew, where it is nilearn that draws."""
        if self.probe.webgl == "no":
            self._redraw()

    def _lay_out(self) -> tuple[widgets.Widget, ...]:
        self.fallback.add_class("ld-fallback")
        self.fallback.add_class("ld-hidden")
        # The widget has to be shown to run its probe, though there is nothing to see.
        self.probe.add_class("ld-invisible")
        stage = widgets.VBox([self.viewer.widget, self.place])
        stage.add_class("ld-brain-stage")
        return stage, self.fallback, self.probe

    def _moved(self, mm: Mm) -> None:
        self.place.fill(mm)
        self._on_move(mm)

    def _typed(self, mm: Mm) -> None:
        self.viewer.move_to(mm)
        self.redraw()

    def _orient(self, _change: Any = None) -> None:
        radiological = bool(self._context.choices.radiological)
        self.viewer.set_radiological(radiological)
        self.place.radiological = radiological

    def _probed(self, change: dict[str, Any]) -> None:
        if change["new"] == "yes":
            self.viewer.open()
        elif change["new"] == "no":
            self.viewer.widget.add_class("ld-hidden")
            self.fallback.remove_class("ld-hidden")
            self.fallback.value = (
                "<div>This browser has no WebGL: nilearn is drawing the map.</div>"
            )
            self._on_paint()
            self._redraw()

    def _draw_without_webgl(self) -> None:
        mm = self.viewer.mm

        def draw() -> str:
            layer = self._layer()
            return "" if layer is None else interactive_html(layer, mm)

        self._drawer.submit(draw, self._show_page)

    def _show_page(self, page: str) -> None:
        if page:
            # Sandboxed: the page runs nilearn's scripts and reaches nothing of ours.
            frame = 'sandbox="allow-scripts" title="Map drawn by nilearn"'
            self.fallback.value = f'<iframe {frame} srcdoc="{html.escape(page)}"></iframe>'
