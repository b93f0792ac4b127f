"""A chart of a page: drawn beside it, and anew where the page turns light or dark."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import ipywidgets as widgets

from ...plotting.drawing import darkened
from ...plotting.figures import figure_bytes
from ..app_context import AppContext

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 110


class Chart:
    """The picture of a figure.

    Parameters
    ----------
    context : AppContext
    description : str
        What it shows, for who does not see it.
    """

    def __init__(self, context: AppContext, description: str) -> None:
        self._appearance = context.appearance
        self._description = description
        self._draw: Callable[[], Figure] | None = None
        self._drawer = context.worker()
        self.widget = widgets.HTML()
        self.widget.add_class("ld-histogram")
        self._appearance.observe(context.banner.guard(lambda _: self._redraw()), names="dark")

    def show(self, draw: Callable[[], Figure]) -> None:
        """Draw a figure, away from the page's thread."""
        self._draw = draw
        self._redraw()

    def clear(self) -> None:
        """Show nothing."""
        self._draw = None
        self.widget.value = ""

    def _redraw(self) -> None:
        if self._draw is not None:
            job = partial(_png, self._draw, bool(self._appearance.dark))
            self._drawer.submit(job, partial(self._paint, self._draw))

    def _paint(self, draw: Callable[[], Figure], content: bytes) -> None:
        if draw is self._draw:  # else the choice was taken back meanwhile
            data = base64.b64encode(content).decode()
            source = f"data:image/png;base64,{data}"
            self.widget.value = f'<img alt="{self._description}" src="{source}">'


def _png(draw: Callable[[], Figure], is_dark: bool) -> bytes:
    figure = draw()
    return figure_bytes(darkened(figure) if is_dark else figure, dpi=_DPI)
