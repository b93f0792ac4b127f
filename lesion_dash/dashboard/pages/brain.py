"""The centre: the linked three-plane view, its colour bar, and what is known of a place."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as widgets

from ...core.formats import VOLUME
from ...core.grid import Grid
from ...core.text import counted
from ...plotting.figures import OUTLINED_CLASSES, Layer
from ..app_context import AppContext
from ..canvas import MNI_2MM, BrainCanvas
from ..controls import card, colour_bar, heading, note, set_text
from ..outline import Outline, outlined_layer
from ..picture import Mm
from ..places import place_words
from ..session import Readout
from ..state import Selection
from .outline import OutlineLine, shown_outline

_REMARKS = {
    "n": "At most {most} patients share a voxel{end}.",
    "mean": "Biased towards large lesions, which cover more voxels: see “Larger than chance?”.",
    "median": "Biased towards large lesions, which cover more voxels: see “Larger than chance?”.",
    "std": "SD among the patients lesioned at a voxel: {kind}.",
    "overlap": "Without a colour: fewer than {k} patients of A, and fewer than {k} of B.",
}
"""What is to be known of each map to read it, in one line."""
_FIXED_END = "; the colours run to {end:g}, the next multiple of 4, at every k"
_KINDS = {"population": "of the population, divided by n", "sample": "of a sample, by n − 1"}


class BrainPanel:
    """The map on the brain."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.canvas = BrainCanvas(
            context, self._moved, self._painted, self._layer, OUTLINED_CLASSES
        )
        self.viewer = self.canvas.viewer
        self.readout = widgets.HTML()
        self.scale, self.remark = widgets.HTML(), note()
        self.line = OutlineLine(context, source=".ld-here")
        self.outline: Outline | None = None
        self._placed = False
        self._follow()
        self.widget = self._lay_out()
        self._say(None)

    def _follow(self) -> None:
        choices, guard = self._context.choices, self._context.banner.guard
        choices.observe(guard(self._outline), names=["cohort_a", "cohort_b", "patient"])
        for name in ("cohort_a", "cohort_b", "min_patients", "map_key"):
            choices.observe(guard(self._paint), names=name)
        choices.observe(guard(self._located), names=["mm", "loaded_atlas"])

    def _lay_out(self) -> widgets.VBox:
        title = widgets.HBox([heading("Brain"), self.line.widget, self.canvas.orientation])
        self.readout.add_class("ld-readout")
        self.scale.add_class("ld-scale-box")
        self.remark.add_class("ld-map-remark")
        below = (self.readout, self.scale, self.remark)
        return card(title, *self.canvas.widgets, *below, name="brain")

    def _paint(self, _change: Any = None) -> None:
        selection = self._context.choices.selection
        if not selection.cohort_a:
            self.viewer.clear()
            self._show_scale(selection)
            self._say(None)
            return
        self.viewer.show(self._context.session.picture(selection))
        if not self._placed:
            self._placed = True
            self._context.choices.mm = self._context.session.peak(selection)
        self._show_scale(selection)
        self._located()
        self.canvas.redraw()

    def _show_scale(self, selection: Selection) -> None:
        """What the colours stand for, and the outline; and what is to be known of the map."""
        if not selection.cohort_a:
            self.scale.value = ""
            set_text(self.remark, "")
            return
        scale = self._context.session.scale(selection)
        outlined = "" if self.outline is None else self.outline.patient
        self.scale.value = colour_bar(scale, outlined)
        set_text(self.remark, self._remark(selection, scale.maximum))

    def _remark(self, selection: Selection, maximum: float) -> str:
        session, key = self._context.session, selection.map_key
        facts: dict[str, Any] = {"k": selection.min_patients}
        if key == "n":
            most_patients = session.most_patients(selection.cohort_a)
            facts |= {
                "most": most_patients,
                "end": _FIXED_END.format(end=maximum) if most_patients < maximum else "",
            }
        elif key == "std":
            facts |= {"kind": _KINDS[session.stats(selection).std_kind]}
        return _REMARKS.get(key, "").format(**facts)

    def _outline(self, _change: Any = None) -> None:
        self.outline = shown_outline(self._context)
        self.viewer.outline(self.outline)
        self.line.say(self.outline)
        self._show_scale(self._context.choices.selection)
        self.canvas.redraw()

    def _painted(self) -> None:
        self._context.loading.painted = True

    def _moved(self, mm: Mm) -> None:
        self._context.choices.mm = mm

    def _located(self, _change: Any = None) -> None:
        choices = self._context.choices
        if choices.mm != self.viewer.mm:
            self.viewer.move_to(choices.mm)
        if choices.cohort_a:
            self._say(self._context.session.readout(choices.selection, choices.mm))

    def _say(self, readout: Readout | None) -> None:
        if readout is None:
            text = "<div>Choose <b>folder A</b> on the left to see its map here.</div>"
        else:
            choices = self._context.choices
            grid = self._context.session.load(choices.cohort_a).grid
            has_atlas = bool(choices.loaded_atlas)
            text = readout_html(readout, choices.min_patients, grid, has_atlas)
        self.readout.value = text

    def _layer(self) -> Layer | None:
        selection, outline = self._context.choices.selection, self.outline
        if not selection.cohort_a:
            return None
        layer = self._context.session.layer(selection)
        if outline is None or not outline.lies_on(layer.grid):
            return layer
        return outlined_layer(layer, outline)


def readout_html(
    readout: Readout, min_patients: int, grid: Grid = MNI_2MM, has_atlas: bool = True
) -> str:
    """One line on a place: coordinates, region, patients, and their volumes in mL."""
    region = [html.escape(readout.region) or "outside the atlas"] if has_atlas else []
    parts = [f"<b>{place_words(readout.mm, grid)}</b>", *region, _count(readout, min_patients)]
    parts += filter(None, [_volumes(readout)])
    return f'<div aria-live="polite">{" · ".join(parts)}</div>'


def _volumes(readout: Readout) -> str:
    """Mean and SD of the lesion volumes there; of one patient, the volume."""
    a = _mean(readout.patients, readout.mean_ml, readout.std_ml)
    if readout.patients_b is None:
        return a
    b = _mean(readout.patients_b, readout.mean_b_ml, readout.std_b_ml)
    return ", ".join(f"{side} {words}" for side, words in (("A", a), ("B", b)) if words)


def _mean(patients: int, mean: float, spread: float) -> str:
    if patients < 2:
        return f"volume {VOLUME.with_unit(mean)}" if patients else ""
    return f"mean {VOLUME.text(mean)} ± {VOLUME.with_unit(spread)}"


def _count(readout: Readout, min_patients: int) -> str:
    n, n_b = readout.patients, readout.patients_b
    text = counted(n, "patient")
    if n_b is None:
        return f"{text} (fewer than {min_patients})" if 0 < n < min_patients else text
    few = [side for side, count in (("A", n), ("B", n_b)) if count < min_patients]
    also = f" (fewer than {min_patients} in {' and '.join(few)})" if few and n + n_b else ""
    return f"A {text}, B {n_b:,}{also}"
