"""Two lists that name one image: its folder, and its name there."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import traitlets as t

from .lab_files import LabFiles


class FileField(t.HasTraits):
    """An image of the data root, or none.

    Parameters
    ----------
    files : LabFiles
    none : str
        What is said where none is chosen.
    """

    folder = t.Unicode("")
    name = t.Unicode("")

    def __init__(self, files: LabFiles, none: str) -> None:
        super().__init__()
        self._files = files
        folders = [(f"{name} ({count})", name) for name, count in files.folders.items()]
        self.folders = widgets.Dropdown(options=[(none, ""), *folders], value="")
        self.names = widgets.Dropdown(options=[("Choose a file", "")], value="", disabled=True)
        self.names.add_class("ld-hidden")
        self.widget = widgets.VBox([self.folders, self.names])
        self.widget.add_class("ld-file-field")
        self.folders.observe(self._folder_chosen, names="value")
        self.names.observe(self._name_chosen, names="value")

    def clear(self) -> None:
        """Choose none."""
        self.folders.value = ""

    def _folder_chosen(self, change: dict[str, Any]) -> None:
        folder = change["new"]
        names = self._files.images(folder) if folder else ()
        self.names.options = [("Choose a file", ""), *((name, name) for name in names)]
        self.names.value = ""
        self.names.disabled = not names
        (self.names.remove_class if folder else self.names.add_class)("ld-hidden")
        self.name = ""
        self.folder = folder

    def _name_chosen(self, change: dict[str, Any]) -> None:
        self.name = change["new"] or ""
