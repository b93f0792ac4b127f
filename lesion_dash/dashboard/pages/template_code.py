"""Step 5 of Template & signal: the script that does the same, and all files in one."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets as widgets

from ..controls import card, download_button, heading, note
from ..template_code import SCRIPT_NAME, ZIP_NAME
from .roi_code import CopyButton

_ABOUT = "Run it in the Python environment of lesion_dash: it gives the same numbers."
_ALL, _PACKING = "Download all", "Packing ..."
_NOTHING = "# Choose an image: the Python code appears here."


class CodePanel:
    """The script, and what can be saved.

    Parameters
    ----------
    save : callable
        Saves the file of a name.
    """

    def __init__(self, save: Callable[[str], None]) -> None:
        self.code = widgets.HTML()
        self.copy = CopyButton()
        self.all = download_button(_ALL, f"Save {ZIP_NAME}", lambda: save(ZIP_NAME))
        self.script = download_button("Script", f"Save {SCRIPT_NAME}", lambda: save(SCRIPT_NAME))
        self.code.add_class("ld-code")
        head = widgets.HBox(
            [heading("5  Show code"), note(_ABOUT), self.copy, self.script, self.all]
        )
        self.widget = card(head, self.code, name="template-code")
        self.show("", False)

    def show(self, script: str, can_save: bool) -> None:
        """Show a script; offer the files where there are any to be used."""
        self.code.value = f'<pre tabindex="0">{html.escape(script or _NOTHING)}</pre>'
        self.copy.text = script
        self.script.disabled = not script
        self.all.disabled = not (script and can_save)

    def pack(self, is_packing: bool) -> None:
        """Say that the files are being made."""
        self.all.description = _PACKING if is_packing else _ALL
        self.all.disabled = is_packing
