"""Below the maps of A and B: who is lesioned in each region, how largely, and A - B of both."""

from __future__ import annotations

from functools import partial

import ipywidgets as widgets
import numpy as np

from ...core.formats import COUNT, PERCENT, POINTS, VOLUME, VOLUME_DIFFERENCE
from ...core.tables import csv_bytes
from ...core.text import counted
from ...plotting.figures import ML
from ...regions.differences import FILE_NAME, RegionDifferences
from ..app_context import AppContext
from ..comparison_service import ComparisonService, PairRequest
from ..controls import card, download_button, heading, note, set_text
from ..tasks import PAUSE, Debounce
from ..widgets.table import Column, Table

_ABOUT = (
    "Patients with any lesioned voxel in the region, the largest difference first, and the mean "
    "of their total lesion volumes. Descriptive; no statistical test. Click a row to go there."
)
_LIKELY = " In an atlas of probabilities, a voxel counts wherever the region is possible."
_NO_ATLAS = "Choose an atlas on the page Maps to compare A and B region by region."
_READING = "Reading the atlas ..."
_WORKING = "Comparing region by region ..."


class RegionsOfTwo:
    """A row per region; a click on it moves the crosshair there.

    Parameters
    ----------
    context : AppContext
    service : ComparisonService
    """

    def __init__(self, context: AppContext, service: ComparisonService) -> None:
        self._context, self._service = context, service
        self._request: PairRequest | None = None
        self.differences: RegionDifferences | None = None
        self._rows: list[int] = []
        self._atlas = ""  # whose regions the rows are
        guard = context.banner.guard
        self.table = Table(
            "Region by region", "compare-regions", guard(self._go_to), on_none=guard(self._leave)
        )
        self.caption, self.about, self.remark = note(), note(), note()
        self.download = download_button("CSV", f"Save {FILE_NAME}", guard(self._save))
        self._worker = context.worker()
        self._later = Debounce(PAUSE, guard(self._update))
        head = widgets.HBox([heading("Region by region"), self.caption, self.download])
        parts = self.about, self.table, self.remark
        self.widget = card(head, *parts, name="compare-regions")
        update = guard(lambda _: self.ask(self._request))
        context.choices.observe(update, names=["atlases", "loaded_atlases"])
        context.choices.observe(guard(lambda _: self._mark()), names="region")

    def ask(self, request: PairRequest | None) -> None:
        """Show two cohorts, or nothing."""
        self._request = request
        # The room of the table is held while it is made, so that nothing below jumps.
        hold = request is not None and bool(self._context.choices.atlas)
        (self.widget.add_class if hold else self.widget.remove_class)("ld-held")
        self._later()

    def _update(self) -> None:
        request, choices = self._request, self._context.choices
        if request is None or not choices.loaded_atlas:
            self._show_nothing(_READING if choices.atlas else _NO_ATLAS)
            return
        if self.differences is None:
            set_text(self.caption, _WORKING)
        current = request, str(choices.loaded_atlas)
        self._worker.submit(partial(self._service.regions, *current), partial(self._show, current))

    def _show_nothing(self, why: str) -> None:
        self.differences, self._rows = None, []
        set_text(self.caption, why)
        for label in (self.about, self.remark):
            set_text(label, "")
        self.download.disabled = True
        self.table.add_class("ld-hidden")

    def _show(
        self, current: tuple[PairRequest, str], differences: RegionDifferences | None
    ) -> None:
        if differences is None or current != (self._request, self._context.choices.loaded_atlas):
            return  # something else was chosen meanwhile
        self.differences, self._rows, self._atlas = differences, shown_rows(differences), current[1]
        self.download.disabled = False
        self.table.remove_class("ld-hidden")
        names = [
            f"{side} ({counted(size, 'patient')})"
            for side, size in zip("AB", differences.sizes, strict=True)
        ]
        set_text(self.caption, f"{' and '.join(names)} in {current[1]}")
        set_text(self.about, _ABOUT + (_LIKELY if differences.probabilistic else ""))
        rows = differences.table.iloc[self._rows].reset_index(drop=True)
        self.table.show(rows, COLUMNS, selected=self._chosen_row(), pinned=1)
        said = self._service.differences(current[0]).notes  # above, at the crosshair
        notes = [note for note in differences.notes if note not in said]
        set_text(self.remark, "; ".join([*_hidden(differences, self._rows), *notes]))

    def _go_to(self, position: int) -> None:
        choices = self._context.choices
        if self.differences is not None and choices.loaded_atlas == self._atlas:
            row = self._rows[position]
            x, y, z = self.differences.places[row].tolist()
            choices.mm, choices.region = (x, y, z), self.differences.labels[row]

    def _leave(self) -> None:
        self._context.choices.region = None

    def _mark(self) -> None:
        """Highlight the region that is chosen on this page or on the page Maps."""
        if self._context.choices.region is not None:
            self.table.mark(self._chosen_row())

    def _chosen_row(self) -> int | None:
        label = self._context.choices.region
        labels = [self.differences.labels[row] for row in self._rows] if self.differences else []
        return labels.index(label) if label is not None and label in labels else None

    def _save(self) -> None:
        if self.differences is not None:
            self._context.saver.save(FILE_NAME, csv_bytes(self.differences.table))


def shown_rows(differences: RegionDifferences) -> list[int]:
    """The regions where anybody is lesioned, by their difference; what lies outside comes last."""
    anybody = np.flatnonzero(differences.n[0][:-1] + differences.n[1][:-1])
    order = np.argsort(-np.abs(differences.points[anybody]), kind="stable")
    return [*anybody[order].tolist(), len(differences.regions) - 1]


_MEAN_HELP = "Mean total lesion volume of the patients lesioned in the region, {}"
COLUMNS = (
    Column("region", "Region", wraps=True),
    Column("patients_a", "A: patients", COUNT, help="Patients of A lesioned in the region"),
    Column("percent_a", "A: %", PERCENT, help="Their share of A"),
    Column("patients_b", "B: patients", COUNT, help="Patients of B lesioned in the region"),
    Column("percent_b", "B: %", PERCENT, help="Their share of B"),
    Column(
        "difference_percentage_points", "A − B (% points)", POINTS,
        help="Difference of both shares, in percentage points",
    ),
    Column("mean_volume_a_mm3", "A: mean volume (mL)", VOLUME, 1 / ML, _MEAN_HELP.format("in A")),
    Column("mean_volume_b_mm3", "B: mean volume (mL)", VOLUME, 1 / ML, _MEAN_HELP.format("in B")),
    Column(
        "difference_mean_volume_mm3", "A − B (mL)", VOLUME_DIFFERENCE, 1 / ML,
        "Difference of both means",
    ),
)  # fmt: skip


def _hidden(differences: RegionDifferences, rows: list[int]) -> list[str]:
    message = []
    if number := len(differences.regions) - len(rows):
        regions = counted(number, "region")
        message.append(f"{regions} without a lesion omitted here (included in {FILE_NAME})")
    if np.isnan(differences.mean[rows]).any():
        few = counted(differences.min_patients, "patient")
        message.append(f"no difference of volumes where fewer than {few} of A or of B are lesioned")
    return message
