"""A list of files that can be saved: maps compressed first, and as the command line writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as widgets

from ..images.maps import compressed_with_window
from .controls import download_button

_COMPRESSED = ".gz"


class SaveField:
    """The files, and the buttons that save the chosen one.

    Parameters
    ----------
    save : callable
        Given the name of the file; of a compressed map with ``.gz`` behind the name in the list.
    """

    def __init__(self, save: Callable[[str], None]) -> None:
        self.file = widgets.Dropdown(options=[])
        self.download = download_button(
            "Download", "Save the chosen file, maps compressed", lambda: save(self.name)
        )
        self.plain = download_button(
            ".nii",
            "Save the map uncompressed, as the command line writes it",
            lambda: save(str(self.file.value)),
        )
        self.file.observe(lambda _: self._show_plain(), names="value")
        self._show_plain()

    @property
    def name(self) -> str:
        """Of the file that is saved first."""
        name = str(self.file.value or "")
        return f"{name}{_COMPRESSED}" if name.endswith(".nii") else name

    def offer(
        self, files: Sequence[str] | Sequence[tuple[str, str]], chosen: str | None = None
    ) -> None:
        """List other files.

        Parameters
        ----------
        files : sequence
            Names, or words and names.
        chosen : str, optional
            The one that was chosen before where it is still there, and the first where not.
        """
        names = [file if isinstance(file, str) else file[1] for file in files]
        chosen = self.file.value if chosen is None else chosen
        if tuple(files) != tuple(self.file.options):
            self.file.options = files
            self.file.value = chosen if chosen in names else next(iter(names), None)
        self.disable(not names)

    def disable(self, is_disabled: bool) -> None:
        """Let nothing be saved."""
        for part in (self.file, self.download, self.plain):
            part.disabled = is_disabled

    def _show_plain(self) -> None:
        is_map = self.name.endswith(_COMPRESSED)
        (self.plain.remove_class if is_map else self.plain.add_class)("ld-hidden")


def saved_bytes(name: str, read: Callable[[str], bytes]) -> bytes:
    """The content of a file that is saved; `read` gives that of each file as it is listed."""
    if not name.endswith(_COMPRESSED):
        return read(name)
    return compressed_with_window(read(name.removesuffix(_COMPRESSED)))
