"""Below the maps of A and B: who is lesioned in each region, how largely, and A - B of both."""

from __future__ import annotations

from functools import partial

import ipywidgets as widgets
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...core.tables import csv_bytes
from ...plotting.figures import ML
from ...regions.differences import FILE_NAME, RegionDifferences
from ..app_context import AppContext
from ..comparison_service import ComparisonService, PairRequest
from ..controls import card, download_button, heading, note, set_text
from ..tables import Table
from ..tasks import PAUSE, Debounce

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
        self.table = Table("compare-regions", guard(self._go_to), on_none=guard(self._leave))
        self.caption, self.about, self.remark = note(), note(), note()
        self.download = download_button("CSV", f"Save {FILE_NAME}", guard(self._save))
        self._worker = context.worker()
        self._later = Debounce(PAUSE, guard(self._update))
        head = widgets.HBox([heading("Region by region"), self.caption, self.download])
        parts = self.about, self.table.widget, self.remark
        self.widget = card(head, *parts, name="compare-regions")
        update = guard(lambda _: self.ask(self._request))
        context.choices.observe(update, names=["atlas", "loaded_atlas"])
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
        self.table.widget.add_class("ld-hidden")

    def _show(
        self, current: tuple[PairRequest, str], differences: RegionDifferences | None
    ) -> None:
        if differences is None or current != (self._request, self._context.choices.loaded_atlas):
            return  # something else was chosen meanwhile
        self.differences, self._rows, self._atlas = differences, shown_rows(differences), current[1]
        self.download.disabled = False
        self.table.widget.remove_class("ld-hidden")
        names = [
            f"{side} ({size} patients)" for side, size in zip("AB", differences.sizes, strict=True)
        ]
        set_text(self.caption, f"{' and '.join(names)} in {current[1]}")
        set_text(self.about, _ABOUT + (_LIKELY if differences.probabilistic else ""))
        self.table.show(shown_columns(differences, self._rows))
        self._mark()
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
        label = self._context.choices.region
        labels = [self.differences.labels[row] for row in self._rows] if self.differences else []
        if label is not None:
            self.table.mark(labels.index(label) if label in labels else None)

    def _save(self) -> None:
        if self.differences is not None:
            self._context.saver.save(FILE_NAME, csv_bytes(self.differences.table))


def shown_rows(differences: RegionDifferences) -> list[int]:
    """The regions where anybody is lesioned, by their difference; what lies outside comes last."""
    anybody = np.flatnonzero(differences.n[0][:-1] + differences.n[1][:-1])
    order = np.argsort(-np.abs(differences.points[anybody]), kind="stable")
    return [*anybody[order].tolist(), len(differences.regions) - 1]


def shown_columns(differences: RegionDifferences, rows: list[int]) -> pd.DataFrame:
    """The table as it is shown: volumes in mL."""
    columns: dict[str, object] = {"Region": [differences.regions[row] for row in rows]}
    for side, n, percent in zip("AB", differences.n, differences.percent, strict=True):
        columns[f"{side}: patients"] = n[rows]
        columns[f"{side}: %"] = _tenths(percent[rows])
    columns["A − B (% points)"] = _tenths(differences.points[rows])
    for side, mean in zip("AB", differences.means, strict=True):
        columns[f"{side}: mean volume (mL)"] = _tenths(mean[rows] / ML)
    columns["A − B (mL)"] = _tenths(differences.mean[rows] / ML)
    return pd.DataFrame(columns)


def _tenths(values: NDArray[np.float64]) -> list[str]:
    """With one digit behind the point, empty where missing; the browser sorts them as numbers."""
    # Adding 0 takes the sign from what is rounded to -0.
    return ["" if np.isnan(value) else f"{round(value, 1) + 0:.1f}" for value in values.tolist()]


def _hidden(differences: RegionDifferences, rows: list[int]) -> list[str]:
    message = []
    if number := len(differences.regions) - len(rows):
        regions = "1 region" if number == 1 else f"{number} regions"
        message.append(f"{regions} without a lesion omitted here (included in {FILE_NAME})")
    if np.isnan(differences.mean[rows]).any():
        min_patients = differences.min_patients
        few = f"{min_patients} patient{'' if min_patients == 1 else 's'}"
        message.append(f"no difference of volumes where fewer than {few} of A or of B are lesioned")
    return message
