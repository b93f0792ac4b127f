"""Two lists that name one image of the data root, or something of its own that is not a file."""

from __future__ import annotations

from typing import Any

from .file_field import MARK, FileField
from .lab_files import LabFiles


class SourceField(FileField):
    """An image of the data root, one of a few things offered before it, or none.

    Parameters
    ----------
    files : LabFiles
    none : str
        What is said where none is chosen.
    offers : dict of str to str
        Words for each thing that is not a file, by its key.
    """

    def __init__(
        self, files: LabFiles, none: str, offers: dict[str, str] | None = None, title: str = ""
    ) -> None:
        super().__init__(files, none)
        self._awaited = ""
        self.folders.tooltip = f"{title}: folder"
        self.names.tooltip = f"{title}: file"
        if offers:
            self.offer(offers)

    @property
    def offered(self) -> str:
        """The key of what is not a file; empty where a file or none is chosen."""
        folder = self.folder
        return folder.removeprefix(MARK) if folder.startswith(MARK) else ""

    @property
    def text(self) -> str:
        """What is chosen, as one text; also what will be, once it is offered."""
        return self._awaited or (self.folder if self.offered else super().text)

    def choose(self, text: str) -> None:
        """Choose what a text says; what is not a file and not offered yet, once it is.

        Raises
        ------
        TraitError
            Where it is not offered.
        """
        if text.startswith(MARK) and text not in {key for _, key in self._options}:
            self.folders.value = ""
            self._awaited = text
        else:
            super().choose(text)

    @property
    def path(self) -> str:
        """The path of the chosen file, empty where none is.

        Raises
        ------
        InputError
            Where it does not lie below the data root.
        """
        is_file = self.folder and self.name and not self.offered
        return self._files.path(self.folder, self.name) if is_file else ""

    @property
    def is_open(self) -> bool:
        """Whether a folder is chosen, and no file in it."""
        return bool(self.folder) and not self.offered and not self.name

    def offer(self, offers: dict[str, str]) -> None:
        """Offer other things that are not a file; a choice that is still there stays."""
        self._first = (self._first[0], *((words, MARK + key) for key, words in offers.items()))
        keys = {key for _, key in self._options}
        if self.folders.value not in keys:
            self.folders.value = ""
        self._fill()
        if self._awaited and self._awaited in keys:
            self.folders.value = self._awaited

    def _folder_chosen(self, change: dict[str, Any]) -> None:
        folder = change["new"]
        if self._is_filling:
            return
        self._awaited = ""
        if folder.startswith(MARK):
            self.names.add_class("ld-hidden")
            self.name = ""
            self.folder = folder
        else:
            super()._folder_chosen(change)

    def set_disabled(self, is_disabled: bool) -> None:
        """Let nothing be chosen while something runs."""
        self.folders.disabled = is_disabled
        self.names.disabled = is_disabled or len(self.names.options) < 2
