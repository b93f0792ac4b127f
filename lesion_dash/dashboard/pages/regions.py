"""Below the brain: the map counted region by region."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import ipywidgets as widgets
import pandas as pd

from ...atlas import SWAPPED
from ...regions import FILE_NAME, RegionCounts
from ..controls import card, download_button, heading, note, set_text
from ..desk import Desk
from ..session import ML
from ..state import Selection
from ..tables import Table
from ..tasks import Later


class RegionsPanel:
    """A row per region; a click on it moves the crosshair there."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._places: list[tuple[float, float, float]] = []
        self.table = Table("regions", desk.banner.guard(self._go_to), rows=8)
        self._counter = desk.worker()
        self.caption = note()
        self.remark = note()
        save = desk.banner.guard(lambda: desk.save(FILE_NAME))
        self.download = download_button("CSV", f"Save {FILE_NAME}", save)
        title = widgets.HBox([heading("Regions"), self.caption, self.download])
        self.widget = card(title, self.table.widget, self.remark, name="regions")
        guarded = desk.banner.guard(self._update)
        update = Later(0.25, guarded)
        names = ["cohort_a", "cohort_b", "min_patients", "atlas"]
        desk.choices.observe(lambda _: update(), names=names)
        guarded()

    def _update(self) -> None:
        selection = self._desk.choices.selection
        if not (selection.cohort_a and selection.atlas):
            missing = "an atlas" if selection.cohort_a else "folder A"
            self._show_nothing(f"Choose {missing} to see which regions the map lies in.")
            return
        if not self._places:
            set_text(self.caption, "Counting ...")
        self._counter.submit(partial(self._count, selection), self._show)

    def _count(self, selection: Selection) -> tuple[RegionCounts, str] | None:
        counts = self._desk.session.regions(selection)
        return None if counts is None else (counts, self._describe(selection, counts))

    def _show(self, counted: tuple[RegionCounts, str] | None) -> None:
        if counted is None:
            return
        counts, caption = counted
        frame = counts.table
        self._places = [tuple(row) for row in frame[["x_mm", "y_mm", "z_mm"]].to_numpy(float)]
        self.download.disabled = False
        set_text(self.caption, caption)
        self.table.show(shown_columns(frame))
        set_text(self.remark, "; ".join(counts.notes))
        is_swapped = any(SWAPPED in remark for remark in counts.notes)
        (self.remark.add_class if is_swapped else self.remark.remove_class)("ld-alarm")

    def _show_nothing(self, caption: str) -> None:
        self._places = []
        self.download.disabled = True
        set_text(self.caption, caption)
        self.table.show(shown_columns(pd.DataFrame(columns=["label", "region"])))
        set_text(self.remark, "")

    def _describe(self, selection: Selection, counts: RegionCounts) -> str:
        session, k = self._desk.session, selection.min_patients
        size = f"{session.counted_mask(selection).volume_mm3 / ML:,.1f} mL"
        outside = f"{counts.rows[-1][4]:.0f} % {counts.rows[-1][1]}"
        pair = session.overlap(selection)
        if pair is None:
            return f"A alone: voxels lesioned in ≥ {k} patients of A, {size}, {outside}"
        dice = "" if math.isnan(pair.dice) else f", Dice {pair.dice:.2f}"
        return f"Overlap: voxels lesioned in ≥ {k} patients of A and of B, {size}, {outside}{dice}"

    def _go_to(self, row: int) -> None:
        place = self._places[row]
        if all(math.isfinite(v) for v in place):
            self._desk.choices.mm = place


def shown_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of the region table as they are shown, volumes in mL."""
    columns: dict[str, Any] = {
        "Region": "region",
        "Label": "label",
        "Voxels": "voxels",
        "Volume (mL)": "volume_mm3",
        "% of map": "percent_of_map",
        "% of region": "percent_of_region",
    }
    shown = frame.reindex(columns=list(columns.values())).set_axis(list(columns), axis=1)
    if not shown.empty:
        shown["Volume (mL)"] = (shown["Volume (mL)"] / ML).round(3)
        shown[["% of map", "% of region"]] = shown[["% of map", "% of region"]].round(2)
    return shown
