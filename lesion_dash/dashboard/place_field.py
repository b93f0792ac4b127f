"""The place of the crosshair, to be typed or moved with the keys."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets as t

from .picture import Mm
from .scripts import static_text

_FARTHEST_MM = 200.0


class PlaceField(anywidget.AnyWidget):
    """Three numbers in mm; the arrow keys change them while the picture beside has the focus.

    Parameters
    ----------
    on_move : callable
        Given the place that was typed, in mm.
    """

    _esm = static_text("place.js")
    mm = t.List(t.Float(), [0.0, 0.0, 0.0], minlen=3, maxlen=3).tag(sync=True)
    radiological = t.Bool(False).tag(sync=True)
    limit = t.Float(_FARTHEST_MM).tag(sync=True)

    def __init__(self, on_move: Callable[[Mm], None]) -> None:
        super().__init__()
        self._on_move = on_move
        self._is_filling = False
        self.add_class("ld-place")
        self.observe(self._typed, names="mm")

    def fill(self, mm: Mm) -> None:
        """Show a place, without telling anybody."""
        self._is_filling = True
        try:
            self.mm = [float(v) for v in mm]
        finally:
            self._is_filling = False

    def _typed(self, change: dict[str, Any]) -> None:
        """A place from the browser, checked here whatever it sends."""
        if self._is_filling:
            return
        x, y, z = change["new"]
        if all(math.isfinite(v) and abs(v) <= _FARTHEST_MM for v in (x, y, z)):
            self._on_move((x, y, z))
        else:
            self.fill(change["old"])
