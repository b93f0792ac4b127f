"""Three slices of a template and an image, blended by the browser."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets as t

from ..images.masks import Mask
from .loaded_volume import Voxel
from .scripts import static_text
from .volume_pair import VolumePair

Clicked = Callable[[int, float, float], None]
Turned = Callable[[int, int], None]


class BlendView(anywidget.AnyWidget):
    """Slices to click into; blending, flicker and checkerboard ask nobody.

    Parameters
    ----------
    on_click : callable
        Given the number of the slice and the place in it, as shares of width and height.
    on_turn : callable
        Given the number of the slice, and by how many slices to go on.
    """

    _esm = static_text("blend.js")
    panes: t.List[dict[str, Any]] = t.List().tag(sync=True)
    template = t.Bytes(b"").tag(sync=True)
    image = t.Bytes(b"").tag(sync=True)
    marks = t.Bytes(b"").tag(sync=True)
    names: t.List[str] = t.List(["Template", "Image"]).tag(sync=True)
    can_blend = t.Bool(False).tag(sync=True)
    readout = t.Unicode("").tag(sync=True)
    empty = t.Unicode("", help="said where there is nothing to show").tag(sync=True)
    stamp = t.Unicode("", help="written across the slices").tag(sync=True)
    region_name = t.Unicode("", help="empty where there is none").tag(sync=True)
    lesion_name = t.Unicode("", help="empty where there is none").tag(sync=True)

    def __init__(self, on_click: Clicked, on_turn: Turned) -> None:
        super().__init__()
        self._on_click, self._on_turn = on_click, on_turn
        self.on_msg(self._received)

    def show(
        self, volumes: VolumePair, voxel: Voxel, radiological: bool, region: Mask | None
    ) -> None:
        """Show the slices through a voxel."""
        panes, template, image = volumes.panes(voxel, radiological)
        with self.hold_sync():
            self.panes, self.template, self.image = panes, template, image
            self.can_blend = volumes.template is not None
            self.readout = volumes.summary(voxel)
            self._mark(volumes, voxel, radiological, region)

    def mark(
        self, volumes: VolumePair, voxel: Voxel, radiological: bool, region: Mask | None
    ) -> None:
        """Show another mask over the same slices."""
        with self.hold_sync():
            self._mark(volumes, voxel, radiological, region)

    def clear(self, why: str) -> None:
        """Show nothing but the reason."""
        with self.hold_sync():
            self.empty = why
            self.panes, self.template, self.image, self.marks = [], b"", b"", b""
            self.can_blend = False
            self.readout = self.stamp = self.region_name = self.lesion_name = ""

    def _mark(
        self, volumes: VolumePair, voxel: Voxel, radiological: bool, region: Mask | None
    ) -> None:
        self.marks = volumes.marks(voxel, radiological, region)
        self.region_name = "" if region is None else region.name
        self.lesion_name = "" if volumes.lesion is None else "lesion"

    def _received(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """A click or a key, checked here whatever the browser sends."""
        try:
            pane = int(content["pane"])
            turn = int(content.get("turn", 0))
            x, y = float(content.get("x", 0)), float(content.get("y", 0))
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            return
        if not 0 <= pane < len(self.panes):
            return
        if turn:
            self._on_turn(pane, max(-1, min(turn, 1)))
        elif math.isfinite(x) and math.isfinite(y) and 0 <= min(x, y) <= max(x, y) <= 1:
            self._on_click(pane, x, y)
