"""Three slices of an image to click into, drawn without WebGL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets as t

from .loaded_volume import LoadedVolume, Voxel
from .pane_click import read_click
from .scripts import static_text

Clicked = Callable[[int, float, float], None]


class SliceView(anywidget.AnyWidget):
    """Three slices with a crosshair, drawn by the browser without WebGL.

    Parameters
    ----------
    on_click : callable
        Given the number of the slice and the place in it, as shares of width and height.
    """

    _esm = static_text("slices.js")
    panes: t.List[dict[str, Any]] = t.List().tag(sync=True)
    pixels = t.Bytes(b"").tag(sync=True)

    def __init__(self, on_click: Clicked) -> None:
        super().__init__()
        self._on_click = on_click
        self.on_msg(self._received)

    def show(self, volume: LoadedVolume, voxel: Voxel, radiological: bool) -> None:
        """Show the slices through a voxel."""
        panes, pixels = volume.panes(voxel, radiological)
        with self.hold_sync():
            self.panes, self.pixels = panes, pixels

    def _received(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """A click, checked here whatever the browser sends."""
        click = read_click(content, len(self.panes))
        if click is not None:
            self._on_click(*click)
