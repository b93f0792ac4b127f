"""The steps of the ROI lab as a list, and the picture of the one that is chosen."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ..controls import labelled
from ..places import Mm
from ..roi_lab import RoiResult

_WAYS = [("Automatic", True), ("Typed", False)]


class PicturePanel:
    """A list of steps; the picture of one of them in a frame that never changes its size.

    Parameters
    ----------
    redraw : callable
        Asks for the picture anew.
    """

    def __init__(self, redraw: Callable[[], None]) -> None:
        self._redraw = redraw
        self.steps = widgets.Select(rows=5, options=[])
        self.image = widgets.HTML()
        self.is_automatic = widgets.ToggleButtons(options=_WAYS)
        self.mm = tuple(widgets.FloatText(step=1, disabled=True) for _ in "xyz")
        self.widget = self._lay_out()
        self.steps.observe(self._step_chosen, names="index")
        self.is_automatic.observe(self._way_chosen, names="value")
        for field in self.mm:
            field.observe(self._typed, names="value")
        self._is_filling = self._has_cut = False

    @property
    def row(self) -> int:
        """The step that is shown, from 0."""
        return self.steps.index or 0

    @property
    def cut(self) -> Mm | None:
        """Where the slices cut; None for where each picture chooses, until there is a region."""
        if self.is_automatic.value and not self._has_cut:
            return None
        x, y, z = (float(field.value) for field in self.mm)
        return x, y, z

    def show(self, answer: RoiResult) -> None:
        """List the steps; the last one is shown where another one is new."""
        was_last = not self.steps.options or self.steps.index == len(self.steps.options) - 1
        row = self.row
        lines = answer.steps
        is_other = len(lines) != len(self.steps.options)
        self._is_filling = True
        if self.is_automatic.value and answer.cut is not None:
            self._fill(answer.cut)
        self.steps.options = [(line, number) for number, line in enumerate(lines)]
        self.steps.index = len(lines) - 1 if was_last or is_other else row
        self._is_filling = False

    def go_to(self, mm: Mm) -> None:
        """Cut through a place."""
        self._is_filling = True
        self.is_automatic.value = False
        self._fill(mm)
        self._is_filling = False
        self._redraw()

    def paint(self, content: bytes, words: str) -> None:
        """Show a picture."""
        data = base64.b64encode(content).decode()
        self.image.remove_class("ld-busy")
        alt = html.escape(words, quote=True)
        self.image.value = f'<img alt="{alt}" src="data:image/png;base64,{data}">'

    def tell(self, words: str) -> None:
        """Show a sentence in place of a picture."""
        self.image.remove_class("ld-busy")
        self.image.value = f"<p>{html.escape(words)}</p>"

    def clear(self, words: str) -> None:
        """There is nothing to show."""
        self._is_filling = True
        self.steps.options = []
        self._is_filling = False
        self.tell(words)

    def _lay_out(self) -> widgets.VBox:
        self.image.add_class("ld-roi-image")
        named = zip("xyz", self.mm, strict=True)
        fields = [widgets.HBox([widgets.Label(axis), field]) for axis, field in named]
        row = widgets.HBox([widgets.Label("Cut at (mm)"), self.is_automatic, *fields])
        row.add_class("ld-cut")
        steps = labelled("Steps, with the voxels left after each: choose one to see it", self.steps)
        box = widgets.VBox([steps, self.image, row])
        box.add_class("ld-roi-view")
        return box

    def _fill(self, mm: Mm) -> None:
        self._has_cut = True
        for field, value in zip(self.mm, mm, strict=True):
            field.value = round(value, 2)

    def _way_chosen(self, change: dict[str, Any]) -> None:
        for field in self.mm:
            field.disabled = bool(change["new"])
        self._step_chosen()

    def _typed(self, _change: Any) -> None:
        if not self.is_automatic.value:
            self._step_chosen()

    def _step_chosen(self, _change: Any = None) -> None:
        if not self._is_filling and self.steps.options:
            self._redraw()
