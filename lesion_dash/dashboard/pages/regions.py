"""Below the brain: the map counted region by region."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import ipywidgets as widgets
import pandas as pd

from ...atlas.grouping import SWAPPED
from ...core.formats import COEFFICIENT, COUNT, PERCENT, PROBABILITY, VOLUME
from ...core.text import counted
from ...plotting.figures import ML
from ...regions.counts import FILE_NAME, RegionCount, RegionCounts
from ..app_context import AppContext
from ..controls import card, download_button, heading, note, set_text
from ..region_patients import peak_mm
from ..state import Selection
from ..tasks import FRAME, Throttle
from ..widgets.table import Column, Table

_Counted = tuple[RegionCounts, str, tuple[str, ...]]
"""The regions, the caption, and the notes on two cohorts."""


class RegionsPanel:
    """A row per region; a click on it moves the crosshair there, and asks for its patients."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._rows: list[RegionCount] = []
        self._counts: RegionCounts | None = None
        self._shown_for: Selection | None = None
        self._drawn_for: Selection | None = None  # the folders and the atlas that the rows are of
        self._atlas = ""  # whose regions the rows are
        guard = context.banner.guard
        self.table = Table("Regions", "regions", guard(self._go_to), on_none=guard(self._leave))
        self._counter = context.worker()
        self.caption = note()
        self.remark = note()
        save = context.banner.guard(lambda: context.save(FILE_NAME))
        self.download = download_button("CSV", f"Save {FILE_NAME}", save)
        title = widgets.HBox([heading("Regions"), self.caption, self.download])
        self.widget = card(title, self.table, self.remark, name="regions")
        guarded = context.banner.guard(self._update)
        update = Throttle(FRAME, guarded)
        names = ["cohort_a", "cohort_b", "min_patients", "atlas", "loaded_atlas"]
        context.choices.observe(lambda _: update(), names=names)
        context.choices.observe(guard(lambda _: self._mark()), names="region")
        guarded()

    def _update(self) -> None:
        selection = self._context.choices.selection
        if not (selection.cohort_a and selection.atlas):
            self._show_nothing(self._missing(selection))
            return
        current = replace(selection, map_key="")  # whichever map is shown
        if current == self._shown_for:
            return
        self._shown_for = current
        if not self._rows:
            set_text(self.caption, "Counting ...")
        elif replace(current, min_patients=1) != self._drawn_for:
            self.widget.add_class("ld-old")  # the rows are of other folders, or another atlas
        self._counter.submit(partial(self._count, selection), partial(self._show, current))

    def _missing(self, selection: Selection) -> str:
        if selection.cohort_a and self._context.choices.atlas:
            return "Reading the atlas ..."
        missing = "an atlas" if selection.cohort_a else "folder A"
        return f"Choose {missing} to see which regions the map lies in."

    def _count(self, selection: Selection) -> _Counted | None:
        counts, pair = (
            self._context.session.regions(selection), self._context.session.overlap(selection)
        )  # fmt: skip
        notes = () if pair is None else pair.notes
        return None if counts is None else (counts, self._describe(selection, counts), notes)

    def _show(self, current: Selection, counted: _Counted | None) -> None:
        if counted is None or self._shown_for is None:
            return
        if current != replace(self._shown_for, min_patients=current.min_patients):
            return  # other folders or another atlas were chosen meanwhile
        counts, caption, of_pair = counted
        self._atlas = current.atlas
        self._drawn_for = replace(current, min_patients=1)
        self.widget.remove_class("ld-old")
        rows = shown_rows(counts)
        self._rows, self._counts = rows, counts
        self.download.disabled = False
        set_text(self.caption, caption)
        self.table.show(
            *shown_table(rows, counts.probabilistic), selected=self._chosen_row(), pinned=1
        )
        set_text(self.remark, "; ".join([*_hidden(counts, rows), *of_pair, *counts.notes]))
        is_swapped = any(SWAPPED in remark for remark in counts.notes)
        (self.remark.add_class if is_swapped else self.remark.remove_class)("ld-alarm")

    def _show_nothing(self, caption: str) -> None:
        self._rows, self._counts, self._shown_for, self._drawn_for = [], None, None, None
        self.widget.remove_class("ld-old")
        self.download.disabled = True
        set_text(self.caption, caption)
        self.table.show(*shown_table([]))
        set_text(self.remark, "")

    def _describe(self, selection: Selection, counts: RegionCounts) -> str:
        session, k = self._context.session, selection.min_patients
        if not counts.mask.voxels:
            whose = "of A and of B" if selection.cohort_b else "of A"
            lower = ": lower the minimum" if k > 1 else ""
            return f"No voxel is lesioned in ≥ {k} patient{'' if k == 1 else 's'} {whose}{lower}"
        size = VOLUME.with_unit(counts.mask.volume_mm3 / ML)
        last = counts.rows[-1]
        # Of a probabilistic atlas, what is expected outside: its maps reach far, if faintly.
        outside = f"{PERCENT.with_unit(100 * last.mean_probability)} {last.region}"
        pair = session.overlap(selection)
        if pair is None:
            return f"A alone: voxels lesioned in ≥ {k} patients of A, {size}, {outside}"
        dice = "" if math.isnan(pair.dice) else f", Dice {COEFFICIENT.text(pair.dice)}"
        return f"Overlap: voxels lesioned in ≥ {k} patients of A and of B, {size}, {outside}{dice}"

    def _go_to(self, position: int) -> None:
        row, counts, choices = self._rows[position], self._counts, self._context.choices
        if not (counts and row.voxels) or choices.loaded_atlas != self._atlas:
            return
        if row is counts.rows[-1]:  # outside the atlas
            choices.mm, choices.region = counts.places[-1], None
            return
        session = self._context.session
        names = filter(None, (choices.cohort_a, choices.cohort_b))
        choices.mm = peak_mm(counts, row, [session.load(name) for name in names])
        choices.region = row.label

    def _leave(self) -> None:
        self._context.choices.region = None

    def _mark(self) -> None:
        """Highlight the region whose patients are asked for."""
        is_outside = self.table.selected == len(self._rows) - 1
        if self._context.choices.region is not None or not is_outside:
            self.table.mark(self._chosen_row())

    def _chosen_row(self) -> int | None:
        label = self._context.choices.region
        inside = [row.label for row in self._rows[:-1]]
        return inside.index(label) if label in inside else None


def shown_rows(counts: RegionCounts) -> list[RegionCount]:
    """The regions that hold a voxel of the map, and what lies outside the atlas."""
    *regions, outside = counts.rows
    return [*(row for row in regions if row.voxels), outside]


def _hidden(counts: RegionCounts, rows: list[RegionCount]) -> list[str]:
    number = len(counts.rows) - len(rows)
    if not number:
        return []
    regions = counted(number, "region")
    return [f"{regions} without overlap omitted here (included in {FILE_NAME})"]


_FIRST = (
    Column("region", "Region", wraps=True),
    Column("label", "Label"),
    Column("voxels", "Voxels", COUNT, help="Voxels of the map that lie in the region"),
)
_COUNTED = (
    *_FIRST,
    Column("volume_mm3", "Volume (mL)", VOLUME, 1 / ML, "Volume of these voxels"),
    Column("percent_of_map", "% of map", PERCENT, help="Share of the map that lies in the region"),
    Column(
        "percent_of_region", "% of region", PERCENT, help="Share of the region that the map covers"
    ),
    Column("dice", "Dice", COEFFICIENT, help="Dice coefficient of map and region: 1 for the same"),
)
_EXPECTED = (
    *_FIRST,
    Column(
        "expected_volume_mm3", "Expected (mL)", VOLUME, 1 / ML,
        "Sum of the region's probabilities over the map, as a volume",
    ),
    Column(
        "mean_probability", "Exp. % of map", PERCENT, 100,
        "Expected share of the map that lies in the region",
    ),
    Column(
        "expected_percent_of_region", "Exp. % of region", PERCENT,
        help="Expected share of the region that the map covers",
    ),
    Column(
        "max_probability", "Max. prob.", PROBABILITY,
        help="Largest probability of the region at a voxel of the map",
    ),
)  # fmt: skip


def shown_table(
    rows: list[RegionCount], probabilistic: bool = False
) -> tuple[pd.DataFrame, tuple[Column, ...]]:
    """The region table as it is shown."""
    columns = _EXPECTED if probabilistic else _COUNTED
    cells = {column.key: [getattr(row, column.key) for row in rows] for column in columns}
    return pd.DataFrame(cells, dtype=object), columns
