"""Below several maps: what is known at their crosshair, and what can be saved."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import ipywidgets as widgets

from ...plotting.figures import FILE_FORMATS
from ..controls import card, download_button, heading, labelled, note, set_text
from ..save_field import SaveField


class PlacePanel:
    """A table of one place, and the files and figures of the maps.

    Parameters
    ----------
    name : str
        Of the card's style.
    file_label : str
        Above the files that can be saved.
    save_file, save_figure : callable
        Given the name of a file, and the format of a figure.
    """

    def __init__(
        self,
        name: str,
        file_label: str,
        save_file: Callable[[str], None],
        save_figure: Callable[[str], None],
    ) -> None:
        self.caption, self.remark = note(), note()
        self.table = widgets.HTML()
        self.files = SaveField(save_file)
        self.figures = [
            download_button(
                kind.upper(), f"Save the figure as {kind.upper()}", partial(save_figure, kind)
            )
            for kind in FILE_FORMATS
        ]
        self.table.add_class("ld-place-table")
        head = widgets.HBox([heading("At the crosshair"), self.caption])
        save = widgets.HBox(
            [
                labelled(
                    file_label,
                    widgets.HBox([self.files.file, self.files.download, self.files.plain]),
                ),
                labelled("Figure of the maps", widgets.HBox(self.figures)),
            ]
        )
        save.add_class("ld-place-save")
        row = widgets.HBox([widgets.VBox([self.table, self.remark]), save])
        row.add_class("ld-place-row")
        self.widget = card(head, row, name=name)

    def show(self, where: str, table: str, remark: str = "") -> None:
        """Show a place in words, and what is known of it as HTML."""
        set_text(self.caption, where)
        self.table.value = table
        set_text(self.remark, remark)
