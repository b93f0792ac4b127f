"""Step 6 of the ROI lab: the script that makes the same, and the files to save."""

from __future__ import annotations

import html
from collections.abc import Callable

import anywidget
import ipywidgets as widgets
import traitlets as t

from ...rois.saving import SCRIPT_NAME, names_of_run
from ..controls import card, download_button, heading, labelled, note
from ..roi_lab import RoiResult
from ..save_field import SaveField
from ..scripts import static_text

_ABOUT = "Run it in the Python environment of lesion_dash: it gives the same voxels."


class CopyButton(anywidget.AnyWidget):
    """Puts a text onto the clipboard of the browser."""

    _esm = static_text("copy.js")
    text = t.Unicode("").tag(sync=True)


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
        self.files = SaveField(save)
        self.script = download_button("Script", f"Save {SCRIPT_NAME}", lambda: save(SCRIPT_NAME))
        self.code.add_class("ld-code")
        row = widgets.HBox([self.files.file, self.files.download, self.files.plain])
        row.add_class("ld-save-row")
        head = widgets.HBox([heading("6  Show code"), note(_ABOUT), self.copy, self.script])
        files = labelled("Save the regions of interest and what belongs to them", row)
        self.widget = card(head, self.code, files, name="roi-code")
        self.clear()

    def show(self, answer: RoiResult) -> None:
        """Show the script of an answer, and offer its files."""
        self.code.value = f'<pre tabindex="0">{html.escape(answer.script)}</pre>'
        self.copy.text = answer.script
        names = names_of_run(answer.values is not None)[:-1]  # the last is the provenance
        self.files.offer(names)
        self.files.disable(not len(answer.run.rois))
        self.script.disabled = False

    def clear(self) -> None:
        """There is nothing to show."""
        self.code.value = "<pre># Run the test: the script appears here.</pre>"
        self.copy.text = ""
        self.files.offer([])
        self.script.disabled = True
