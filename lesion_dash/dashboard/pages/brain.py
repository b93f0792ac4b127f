"""The centre: the linked three-plane view, its colour bar, and what is known of a place."""

from __future__ import annotations

import html
from functools import partial
from typing import Any

import ipywidgets as widgets

from ...core.formats import VOLUME
from ...core.grid import Grid
from ...core.text import counted, printable
from ...plotting.figures import Layer
from ..app_context import AppContext
from ..controls import bind, card, heading, note, set_text
from ..outline import LesionLayers, Outline, own_scan
from ..places import Mm, place_words
from ..session import Readout
from ..state import Selection
from ..widgets.layers import AnyLayer, ScanLayer
from ..widgets.viewer import MNI_2MM, Viewer
from ..without_webgl import Fallback
from .outline import OutlineLine, shown_outline

_REMARKS = {
    "n": "Maximum overlap: {most} of {patients} patients{end}.",
    "mean": "Biased towards large lesions, which cover more voxels: see “Size bias”.",
    "median": "Biased towards large lesions, which cover more voxels: see “Size bias”.",
    "std": "SD among the patients lesioned at a voxel: {kind}.",
    "overlap": "Without a colour: fewer than {k} patients of A, and fewer than {k} of B.",
}
"""What is to be known of each map to read it, in one line."""
_FIXED_END = "; colour scale 0–{end:g}, the same for every k"
_KINDS = {"population": "of the population, divided by n", "sample": "of a sample, by n − 1"}


class BrainPanel:
    """The map on the brain."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        guard = context.banner.guard
        self.viewer = Viewer(guard(self._moved))
        self._without_webgl = Fallback(context, self.viewer, self._layer)
        self.readout = widgets.HTML()
        self.remark = note()
        self.line = OutlineLine(context, source=".ld-here")
        self.outline: Outline | None = None
        self._lesions = LesionLayers(context)
        self._scan: ScanLayer | None = None
        self._scans = context.worker()
        self._placed = False
        self._follow()
        self.widget = self._lay_out()
        self._say(None)

    def _follow(self) -> None:
        choices, guard = self._context.choices, self._context.banner.guard
        bind(choices, "radiological", self.viewer, "radiological")
        choices.observe(guard(self._outline), names=["cohort_a", "cohort_b", "patient", "kept"])
        for name in ("cohort_a", "cohort_b", "min_patients", "map_key", "loaded_atlases"):
            choices.observe(guard(self._paint), names=name)
        choices.observe(guard(self._located), names=["mm", "loaded_atlases"])
        self.viewer.observe(guard(self._painted), names="painted")

    def _lay_out(self) -> widgets.VBox:
        title = widgets.HBox([heading("Brain"), self.line.widget])
        self.readout.add_class("ld-readout")
        self.remark.add_class("ld-map-remark")
        return card(title, self.viewer, self.readout, self.remark, name="brain")

    def _paint(self, _change: Any = None) -> None:
        selection = self._context.choices.selection
        self.viewer.k = selection.min_patients
        self._show(selection)
        if not selection.cohort_a:
            set_text(self.remark, "")
            self._say(None)
            return
        if not self._placed:
            self._placed = True
            self._context.choices.mm = self._context.session.peak(selection)
        set_text(self.remark, self._remark(selection))
        self._located()
        self._without_webgl.redraw()

    def _show(self, selection: Selection) -> None:
        session = self._context.session
        maps = [session.map_layer(selection)] if selection.cohort_a else []
        others: tuple[AnyLayer | None, ...] = (session.atlas_layer(selection.atlas), self._scan)
        shown = [layer for layer in others if layer is not None]
        self.viewer.show(*maps, *self._lesions.layers, *shown)

    def _remark(self, selection: Selection) -> str:
        session, key = self._context.session, selection.map_key
        facts: dict[str, Any] = {"k": selection.min_patients}
        if key == "n":
            most_patients = session.most_patients(selection.cohort_a)
            maximum = session.scale(selection).maximum
            facts |= {
                "most": most_patients,
                "patients": session.load(selection.cohort_a).n_patients,
                "end": _FIXED_END.format(end=maximum) if most_patients < maximum else "",
            }
        elif key == "std":
            facts |= {"kind": _KINDS[session.stats(selection).std_kind]}
        return _REMARKS.get(key, "").format(**facts)

    def _outline(self, _change: Any = None) -> None:
        outline = shown_outline(self._context)
        self.line.say(outline)
        patient, self.outline, self._scan = self._context.choices.patient, outline, None
        self._show(self._context.choices.selection)
        if outline is not None:
            self._scans.submit(lambda: own_scan(self._context), partial(self._show_scan, patient))

    def _show_scan(self, patient: str, scan: ScanLayer | None) -> None:
        if scan is not None and patient == self._context.choices.patient:
            self._scan = scan
            self._show(self._context.choices.selection)

    def _painted(self, _change: Any) -> None:
        self._context.loading.painted = True

    def _moved(self, mm: Mm) -> None:
        self._context.choices.mm = mm

    def _located(self, _change: Any = None) -> None:
        choices = self._context.choices
        self.viewer.move_to(choices.mm)
        if choices.cohort_a:
            self._say(self._context.session.readout(choices.selection, choices.mm))
        self._without_webgl.redraw()

    def _say(self, readout: Readout | None) -> None:
        if readout is None:
            text = "<div>Choose <b>folder A</b> on the left to see its map here.</div>"
        else:
            choices = self._context.choices
            grid = self._context.session.load(choices.cohort_a).grid
            text = readout_html(readout, choices.min_patients, grid)
            is_several = len(readout.regions) > 1
            change = self.readout.add_class if is_several else self.readout.remove_class
            change("ld-several-atlases")
        self.readout.value = text

    def _layer(self) -> Layer | None:
        selection = self._context.choices.selection
        return self._context.session.layer(selection) if selection.cohort_a else None


def readout_html(readout: Readout, min_patients: int, grid: Grid = MNI_2MM) -> str:
    """A place: coordinates, region, patients, volumes in mL; of several atlases a line for each."""
    regions = [html.escape(printable(words)) for words in readout.regions]
    of_one, lines = (regions, []) if len(regions) < 2 else ([], regions)
    parts = [f"<b>{place_words(readout.mm, grid)}</b>", *of_one, _count(readout, min_patients)]
    parts += filter(None, [_volumes(readout)])
    names = "".join(f'<div class="ld-name-here">{line}</div>' for line in lines)
    return f'<div aria-live="polite">{" · ".join(parts)}{names}</div>'


def _volumes(readout: Readout) -> str:
    """Mean and SD of the lesion volumes there; of one patient, the volume."""
    a = _mean(readout.patients, readout.mean_ml, readout.std_ml)
    if readout.patients_b is None:
        return a
    b = _mean(readout.patients_b, readout.mean_b_ml, readout.std_b_ml)
    return "; ".join(f"{side} {words}" for side, words in (("A", a), ("B", b)) if words)


def _mean(patients: int, mean: float, spread: float) -> str:
    if patients < 2:
        return f"volume {VOLUME.with_unit(mean)}" if patients else ""
    return f"mean {VOLUME.text(mean)}, SD {VOLUME.with_unit(spread)}"


def _count(readout: Readout, min_patients: int) -> str:
    n, n_b = readout.patients, readout.patients_b
    text = counted(n, "patient")
    if n_b is None:
        return f"{text} (fewer than {min_patients})" if 0 < n < min_patients else text
    few = [side for side, count in (("A", n), ("B", n_b)) if count < min_patients]
    also = f" (fewer than {min_patients} in {' and '.join(few)})" if few and n + n_b else ""
    return f"A {text}, B {n_b:,}{also}"
