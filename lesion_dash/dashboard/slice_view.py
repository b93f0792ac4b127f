"""Two small widgets of the page Inspect: three slices to click into, and a place to drop a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import anywidget
import traitlets as t

from .loaded_volume import LoadedVolume, Voxel, refuse_drop
from .pane_click import read_click
from .scripts import static_text

LARGEST_DROP = 128_000_000
"""Bytes of a file that may be dropped onto the page."""

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


class FileDrop(anywidget.AnyWidget):
    """A place to drop a file, which comes in parts, so that no message is too large.

    The file is kept in memory, and nowhere else.

    Parameters
    ----------
    on_file : callable
        Given the file's name and content.
    on_fault : callable
        Given the error where it is too large.
    """

    _esm = static_text("drop.js")
    limit = t.Int(LARGEST_DROP).tag(sync=True)
    endings = t.Unicode(".nii,.gz,.voi,.mgz,.mgh").tag(sync=True)

    def __init__(
        self, on_file: Callable[[str, bytes], None], on_fault: Callable[[Exception], None]
    ) -> None:
        super().__init__()
        self._on_file, self._on_fault = on_file, on_fault
        self._parts = bytearray()
        self.on_msg(self._received)

    def _received(self, _widget: Any, content: Any, buffers: Any) -> None:
        try:
            name = PurePath(str(content["name"]).replace("\\", "/")).name[:255]
            size, start = int(content["size"]), int(content["start"])
        except (KeyError, TypeError, ValueError, OverflowError):
            return
        part = bytes(buffers[0]) if buffers else b""
        if start == 0:
            self._parts = bytearray()
        if max(size, start + len(part)) > LARGEST_DROP:
            self._parts = bytearray()
            self._on_fault(refuse_drop(name, size, LARGEST_DROP))
            return
        if start == len(self._parts):
            self._parts += part
            if len(self._parts) >= size:
                whole, self._parts = bytes(self._parts), bytearray()
                self._on_file(name, whole)
