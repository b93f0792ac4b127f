"""Below several maps: what is known at their crosshair, and what can be saved."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import ipywidgets as widgets

from ...plotting.figures import FILE_FORMATS
from ..controls import card, download_button, heading, labelled, note, set_text


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
        self.file = widgets.Dropdown()
        self.download = download_button(
            "Download", "Save the file named beside it", lambda: save_file(self.file.value)
        )
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
                labelled(file_label, widgets.HBox([self.file, self.download])),
                labelled("Figure of the maps", widgets.HBox(self.figures)),
            ]
        )
        save.add_class("ld-place-save")
        row = widgets.HBox([widgets.VBox([self.table, self.remark]), save])
        row.add_class("ld-place-row")
        self.widget = card(head, row, name=name)

    def offer(self, files: tuple[str, ...] | list[tuple[str, str]]) -> None:
        """Let these files be saved; the one that was chosen stays so where it is among them."""
        names = [entry if isinstance(entry, str) else entry[1] for entry in files]
        if tuple(files) != tuple(self.file.options):
            file = self.file.value
            self.file.options = files
            self.file.value = file if file in names else names[0]

    def show(self, where: str, table: str, remark: str = "") -> None:
        """Show a place in words, and what is known of it as HTML."""
        set_text(self.caption, where)
        self.table.value = table
        set_text(self.remark, remark)
