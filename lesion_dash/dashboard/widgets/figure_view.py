"""A figure on the page, drawn at the size at which it is shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets as t

from .assets import asset

_LARGEST = 4000  # CSS pixels of a side; more than any screen has


class FigureView(anywidget.AnyWidget):
    """A picture, or words in its place.

    Parameters
    ----------
    on_size : callable
        Told that the size has changed at which it is seen.
    on_enlarge : callable, optional
        Told of a click; without it, the view is not a button.
    """

    _esm = asset("figure_view.js")
    _css = asset("figure_view.css")
    png = t.Bytes(b"").tag(sync=True)
    alt = t.Unicode("").tag(sync=True)
    message = t.Unicode("").tag(sync=True)
    busy = t.Bool(False).tag(sync=True)
    is_small = t.Bool(False).tag(sync=True)

    def __init__(
        self, on_size: Callable[[], None], on_enlarge: Callable[[], None] | None = None
    ) -> None:
        super().__init__(is_small=on_enlarge is not None)
        self._on_size, self._on_enlarge = on_size, on_enlarge
        self.size = (0, 0)
        self.ratio = 1.0  # device pixels of a CSS pixel; beyond two the eye sees no difference
        self.on_msg(self._received)

    @property
    def is_seen(self) -> bool:
        """Whether the browser has room for it."""
        return min(self.size) > 0

    def _received(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        if content.get("enlarge") is True and self._on_enlarge is not None:
            self._on_enlarge()
        elif (size := _size_of(content.get("size"))) is not None:
            self.size = size
            self.ratio = 2.0 if content.get("is_sharp") is True else 1.0
            self._on_size()


def _size_of(value: Any) -> tuple[int, int] | None:
    """Width and height, checked: a page may send anything."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
        return None
    if not all(math.isfinite(v) and 0 <= v <= _LARGEST for v in value):
        return None
    return int(value[0]), int(value[1])
