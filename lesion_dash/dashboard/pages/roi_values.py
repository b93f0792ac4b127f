"""Step 5 of the ROI lab: the values in each region of interest, by condition or group."""

from __future__ import annotations

import base64
from collections.abc import Callable

import ipywidgets as widgets
import pandas as pd

from ...core.formats import COUNT, VALUE
from ...rois.sources import MapSource
from ...rois.values import CAUTION
from ..controls import card, download_button, heading, note, set_text
from ..roi_lab import RoiResult
from ..widgets.table import Column, Table

_COLUMNS = (
    Column("roi", "Region"),
    Column("group", "Group"),
    Column("n", "n", COUNT, help="Samples of the group"),
    Column("mean", "Mean", VALUE),
    Column("sd", "SD", VALUE, help="Standard deviation, of n − 1"),
    Column("median", "Median", VALUE),
)


class ValuesPanel:
    """Box plots with the points, and the summary of each group.

    Parameters
    ----------
    save : callable
        Saves the values as CSV.
    """

    def __init__(self, save: Callable[[], None]) -> None:
        self.caption, self.caution = note(), note()
        self.image = widgets.HTML()
        self.table = Table("Values", "roi-values", rows=10)
        self.download = download_button("CSV", "Save roi_values.csv, a row for each sample", save)
        self.image.add_class("ld-roi-plots")
        row = widgets.HBox([self.image, self.table])
        row.add_class("ld-roi-row")
        head = widgets.HBox([heading("5  Values"), self.caption, self.download])
        self.widget = card(head, row, self.caution, name="roi-values")

    def show(self, answer: RoiResult) -> None:
        """Show the values of an answer; their picture comes later."""
        values = answer.values
        if values is None:
            is_map = isinstance(answer.run.recipe.source, MapSource)
            self.clear("A map from a file has no groups." if is_map else "No region, no values.")
            return
        self.download.disabled = False
        set_text(self.caption, f"{values.unit} of {len(values.samples):,} samples")
        set_text(self.caution, CAUTION)
        self.table.show(values.summary, _COLUMNS)

    def paint(self, content: bytes) -> None:
        """Show the box plots."""
        if content:
            data = base64.b64encode(content).decode()
            alt = "Box plots of the values of each group in each region of interest"
            self.image.value = f'<img alt="{alt}" src="data:image/png;base64,{data}">'
        else:
            self.image.value = ""

    def clear(self, words: str) -> None:
        """There are no values."""
        self.download.disabled = True
        self.image.value = ""
        set_text(self.caption, words)
        set_text(self.caution, "")
        self.table.show(pd.DataFrame(), ())
