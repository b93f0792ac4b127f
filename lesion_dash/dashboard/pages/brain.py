"""The centre: the linked three-plane view, its colour bar, and what is known of a place."""

from __future__ import annotations

import html
import math
from typing import Any

import ipywidgets as widgets
import numpy as np

from ...grid import Grid
from ...plots import interactive_html
from ..controls import Probe, bind, card, colour_bar, heading
from ..desk import Desk
from ..picture import Mm, Picture
from ..session import Readout
from ..tasks import Later
from ..viewer import BrainViewer

MNI_2MM = Grid(
    (91, 109, 91), np.array([[2.0, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
)


class BrainPanel:
    """The map on the brain."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        guard = desk.banner.guard
        self.viewer = BrainViewer(on_move=guard(self._moved), on_paint=guard(self._painted))
        self.probe = Probe()
        self.readout = widgets.HTML()
        self.scale = widgets.HTML()
        self.fallback = widgets.HTML()
        self.orientation = widgets.ToggleButtons(
            options=[("Neurological", False), ("Radiological", True)],
            tooltips=["Patient's left on the left", "Patient's left on the right"],
        )
        self._drawer = desk.worker()
        self._redraw = Later(0.4, desk.banner.guard(self._draw_without_webgl))
        self._placed = False
        self._follow()
        self.widget = self._lay_out()
        empty = Picture(np.zeros(MNI_2MM.shape, np.uint8), MNI_2MM, "viridis")
        self.viewer.show(empty)
        self._say(None)

    def _follow(self) -> None:
        choices, guard = self._desk.choices, self._desk.banner.guard
        bind(choices, "radiological", self.orientation)
        choices.observe(guard(self._orient), names="radiological")
        for name in ("cohort_a", "cohort_b", "min_patients", "map_key"):
            choices.observe(guard(self._paint), names=name)
        choices.observe(guard(self._located), names=["mm", "atlas"])
        self.probe.observe(guard(self._probed), names="webgl")

    def _lay_out(self) -> widgets.VBox:
        title = widgets.HBox([heading("Brain"), self.orientation])
        self.readout.add_class("ld-readout")
        self.scale.add_class("ld-scale-box")
        self.fallback.add_class("ld-fallback")
        self.fallback.add_class("ld-hidden")
        # The widget has to be shown to run its probe, though there is nothing to see.
        self.probe.add_class("ld-invisible")
        parts = (self.viewer.widget, self.fallback, self.readout, self.scale, self.probe)
        return card(title, *parts, name="brain")

    def _paint(self, _change: Any = None) -> None:
        selection = self._desk.choices.selection
        if not selection.cohort_a:
            self.viewer.clear()
            self.scale.value = ""
            self._say(None)
            return
        self.viewer.show(self._desk.session.picture(selection))
        if not self._placed:
            self._placed = True
            self._desk.choices.mm = self._desk.session.peak(selection)
        self.scale.value = colour_bar(self._desk.session.scale(selection))
        self._located()
        if self.probe.webgl == "no":
            self._redraw()

    def _orient(self, change: dict[str, Any]) -> None:
        self.viewer.set_radiological(bool(change["new"]))

    def _painted(self) -> None:
        self._desk.loading.painted = True

    def _moved(self, mm: Mm) -> None:
        self._desk.choices.mm = mm

    def _located(self, _change: Any = None) -> None:
        choices = self._desk.choices
        if choices.mm != self.viewer.mm:
            self.viewer.move_to(choices.mm)
        if choices.cohort_a:
            self._say(self._desk.session.readout(choices.selection, choices.mm))

    def _say(self, readout: Readout | None) -> None:
        self.readout.value = (
            readout_html(readout, self._desk.choices.min_patients)
            if readout
            else "<div>Choose <b>folder A</b> on the left to see its map here.</div>"
        )

    def _probed(self, change: dict[str, Any]) -> None:
        if change["new"] == "yes":
            self.viewer.open()
        elif change["new"] == "no":
            self.viewer.widget.add_class("ld-hidden")
            self.fallback.remove_class("ld-hidden")
            self.fallback.value = (
                "<div>This browser has no WebGL: nilearn is drawing the map.</div>"
            )
            self._painted()
            self._redraw()

    def _draw_without_webgl(self) -> None:
        selection, mm = self._desk.choices.selection, self._desk.choices.mm
        if not selection.cohort_a:
            return

        def draw() -> str:
            return interactive_html(self._desk.session.layer(selection), mm)

        self._drawer.submit(draw, self._show_page)

    def _show_page(self, page: str) -> None:
        # Sandboxed: the page runs nilearn's scripts and reaches nothing of ours.
        frame = 'sandbox="allow-scripts" title="Map drawn by nilearn"'
        self.fallback.value = f'<iframe {frame} srcdoc="{html.escape(page)}"></iframe>'


def readout_html(readout: Readout, min_patients: int) -> str:
    """One line on a place: coordinates, region, patients, and their volumes in mL."""
    x, y, z = (f"{round(v):d}".replace("-", "−") for v in readout.mm)
    region = html.escape(readout.region) or "outside the atlas"
    parts = [f"<b>MNI {x}, {y}, {z}</b>", region, _count(readout, min_patients)]
    if readout.patients and math.isfinite(readout.mean_ml):
        whose = "mean" if readout.patients_b is None else "mean of A"
        parts.append(f"{whose} {readout.mean_ml:.1f} ± {readout.std_ml:.1f} mL")
    return f'<div aria-live="polite">{" · ".join(parts)}</div>'


def _count(readout: Readout, min_patients: int) -> str:
    n, n_b = readout.patients, readout.patients_b
    text = f"{n} patient{'' if n == 1 else 's'}"
    if n_b is None:
        return f"{text} (fewer than {min_patients})" if 0 < n < min_patients else text
    few = [side for side, count in (("A", n), ("B", n_b)) if count < min_patients]
    also = f" (fewer than {min_patients} in {' and '.join(few)})" if few and n + n_b else ""
    return f"A {text}, B {n_b}{also}"
