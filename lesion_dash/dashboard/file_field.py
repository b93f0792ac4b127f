"""Two lists that name one image: its folder, and its name there."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import traitlets as t

from .lab_files import LabFiles

MARK = "/"
"""Before the key of what is not a file: names of folders never begin so."""

_BETWEEN = "//"
"""Between a folder and a name in it: no name of a folder holds two slashes."""


def split_file(text: str) -> tuple[str, str]:
    """Folder and name of a file as `FileField.text` has it.

    Examples
    --------
    >>> split_file("sub-01//anat/T1w.nii.gz"), split_file("/mni152")
    (('sub-01', 'anat/T1w.nii.gz'), ('/mni152', ''))
    """
    folder, _, name = text.partition(_BETWEEN)
    return folder, name


def file_text(folder: str, name: str) -> str:
    """A file as one text; empty without a name."""
    return f"{folder}{_BETWEEN}{name}" if name else ""


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
        self._first: tuple[tuple[str, str], ...] = ((none, ""),)
        self._is_filling = False
        self.folders = widgets.Dropdown(options=self._options, value="")
        self.names = widgets.Dropdown(options=[("Choose a file", "")], value="", disabled=True)
        self.names.add_class("ld-hidden")
        self.widget = widgets.VBox([self.folders, self.names])
        self.widget.add_class("ld-file-field")
        self.folders.observe(self._folder_chosen, names="value")
        self.names.observe(self._name_chosen, names="value")
        files.last.observe(lambda _: self._fill(), names="name")
        files.root.observe(self._fill)

    def clear(self) -> None:
        """Choose none."""
        self.folders.value = ""

    @property
    def text(self) -> str:
        """What is chosen, as one text; empty for none, and for a folder alone."""
        return file_text(self.folder, self.name)

    def choose(self, text: str) -> None:
        """Choose what a text says, as `text` gives it.

        Raises
        ------
        TraitError
            Where it is not offered.
        """
        folder, name = split_file(text)
        self.folders.value = folder
        self.names.value = name

    @property
    def _options(self) -> tuple[tuple[str, str], ...]:
        """None and what else is offered, the folder that was last chosen, and the others."""
        last, counts = self._files.last.name, self._files.folders
        names = sorted(counts, key=lambda name: name != last)
        words = self._files.root.words_of
        return (*self._first, *((f"{words(name)} ({counts[name]})", name) for name in names))

    def _fill(self) -> None:
        """Offer the folders anew; the chosen one stays."""
        folder = self.folders.value
        if self.folders.options == self._options:
            return
        self._is_filling = True  # setting options chooses the first of them
        self.folders.options = options = self._options
        is_there = folder in {name for _, name in options}
        if is_there:
            self.folders.value = folder
        self._is_filling = False
        if not is_there:
            self._folder_chosen({"new": ""})

    def _folder_chosen(self, change: dict[str, Any]) -> None:
        folder = change["new"]
        if self._is_filling:
            return
        if folder:
            # A list tells by number what is chosen in it: the others have their new order before
            # the names below invite to go on to them.
            self._files.last.name = folder
        names = self._files.images(folder) if folder else ()
        self.names.options = [("Choose a file", ""), *((name, name) for name in names)]
        self.names.value = ""
        self.names.disabled = not names
        (self.names.remove_class if folder else self.names.add_class)("ld-hidden")
        self.name = ""
        self.folder = folder

    def _name_chosen(self, change: dict[str, Any]) -> None:
        self.name = change["new"] or ""
