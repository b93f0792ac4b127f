"""The map as nilearn's own page, where a browser has no WebGL 2 for the viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..plotting.figures import Layer, interactive_html
from .app_context import AppContext
from .tasks import Debounce
from .widgets.viewer import Viewer


class Fallback:
    """Draws what a viewer would show, once its browser said that it cannot.

    Parameters
    ----------
    context : AppContext
    viewer : Viewer
    layer : callable
        Gives what nilearn draws, None where there is nothing; called beside the page.
    """

    def __init__(
        self, context: AppContext, viewer: Viewer, layer: Callable[[], Layer | None]
    ) -> None:
        guard = context.banner.guard
        self._viewer, self._layer = viewer, layer
        self._drawer = context.worker()
        self._later = Debounce(0.4, guard(self._draw))
        viewer.observe(guard(self.redraw), names="webgl")

    def redraw(self, _change: Any = None) -> None:
        """Draw anew, where it is nilearn that draws."""
        if self._viewer.webgl == "no":
            self._later()

    def _draw(self) -> None:
        mm = tuple(self._viewer.mm)

        def draw() -> str:
            layer = self._layer()
            return "" if layer is None else interactive_html(layer, mm)

        self._drawer.submit(draw, lambda page: self._viewer.set_trait("page", page))
