"""Step 1 of Template & signal: image, template, kind, lesion, and the button that registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ...core.defaults import KIND
from ...scans.registration.task import KINDS
from ..app_context import AppContext
from ..controls import card, heading, labelled, note, set_text
from ..lab_files import LabFiles
from ..registering import MNI, MNI_NAME, Request, why_not
from ..source_field import SourceField

_HINTS = {
    "rigid": "Rotated and shifted only: for another scan of the same head.",
    "affine": "Also scaled and sheared: the usual choice. Usually done within a minute.",
    "deformable": "Also warped, so that sulci and borders match. Takes minutes.",
}
_OWN_SPACE = "None: the image's own space"
_CHOOSE_IMAGE = "Choose an image of one volume."
_CHOOSE_FILE = "Choose a file in each folder."
_NO_TEMPLATE = "Without a template, nothing is registered: continue with 3 and 4."
_LESION = "On the image's grid. It is excluded from the comparison and transformed as well."


class ImagesPanel:
    """What is registered to what.

    Parameters
    ----------
    context : AppContext
    files : LabFiles
    changed, run, cancel : callable
        Told that a choice changed; what the two buttons do.
    """

    def __init__(
        self,
        context: AppContext,
        files: LabFiles,
        changed: Callable[[], None],
        run: Callable[[], None],
        cancel: Callable[[], None],
    ) -> None:
        self.image = SourceField(files, "Choose a folder", title="Image")
        self.template = SourceField(files, _OWN_SPACE, {MNI: MNI_NAME}, "Template")
        self.lesion = SourceField(files, "None", title="Lesion mask")
        self.kind = widgets.ToggleButtons(options=[(kind.capitalize(), kind) for kind in KINDS])
        self.kind.value = KIND
        self.run = widgets.Button(description="Register", tooltip="Register image to template")
        self.cancel = widgets.Button(description="Cancel", tooltip="Stop what is running")
        self.bar = widgets.FloatProgress(min=0, max=1)
        self.busy, self.hint = note(), note()
        self._missing = {kind: why_not(kind) for kind in KINDS}
        self.is_running = False
        guard = context.banner.guard
        self.run.on_click(lambda _: run())
        self.cancel.on_click(lambda _: cancel())
        for field in (self.image, self.template, self.lesion):
            field.observe(guard(lambda _: changed()), names=["folder", "name"])
        self.kind.observe(guard(lambda _: changed()), names="value")
        self.widget = self._lay_out()

    @property
    def request(self) -> Request | None:
        """What is chosen; None while something is missing.

        Raises
        ------
        InputError
            Where a file does not lie below the data root.
        """
        image = self.image.path
        if not image or self.template.is_open or self.lesion.is_open:
            return None
        template = self.template.offered or self.template.path
        return Request(image, template, self.kind.value, self.lesion.path)

    @property
    def lacking(self) -> str:
        """What is to be chosen next; empty where nothing is missing."""
        if not self.image.folder:
            return _CHOOSE_IMAGE
        if self.image.is_open or self.template.is_open or self.lesion.is_open:
            return _CHOOSE_FILE
        return ""

    def settle(self, is_done: bool) -> None:
        """Say what is to be done next, and offer the button where it can be pressed."""
        missing = self._missing[self.kind.value]
        has_template = bool(self.template.folder)
        set_text(self.hint, missing or _HINTS[self.kind.value])
        self.hint.add_class("ld-alarm") if missing else self.hint.remove_class("ld-alarm")
        can_run = not self.lacking and has_template and not missing
        self.run.disabled = self.is_running or not can_run
        mark = self.run.add_class if can_run and not is_done else self.run.remove_class
        mark("ld-primary")
        if self.lacking or not has_template:
            self.say(self.lacking or _NO_TEMPLATE)
        else:
            self.say("" if is_done or missing else "Press “Register”: this may take a while.")

    def say(self, text: str) -> None:
        """What was done, or is to be done next."""
        set_text(self.busy, text)

    def start(self) -> None:
        """Something runs: nothing can be chosen."""
        self._set_running(True)
        self.progress(0.0, "Starting ...")

    def progress(self, share: float, words: str) -> None:
        """How far it has come."""
        if self.is_running:
            self.bar.value = share
            self.say(f"{words[:1].upper()}{words[1:]}")

    def stop(self) -> None:
        """Nothing runs any more."""
        self._set_running(False)
        self.say("")

    def _set_running(self, is_running: bool) -> None:
        self.is_running = is_running
        for field in (self.image, self.template, self.lesion):
            field.set_disabled(is_running)
        self.kind.disabled = is_running
        self.run.disabled = is_running
        for part in (self.bar, self.cancel):
            (part.remove_class if is_running else part.add_class)("ld-unseen")

    def _lay_out(self) -> widgets.VBox:
        for button in (self.run, self.cancel):
            button.add_class("ld-button")
        self.cancel.add_class("ld-unseen")
        self.bar.add_class("ld-unseen")
        self.kind.add_class("ld-kind")
        line = widgets.HBox([self.bar, self.cancel])
        line.add_class("ld-progress-line")
        self.busy.add_class("ld-template-busy")
        head = widgets.HBox([heading("1  Images"), self.run])
        return card(
            head,
            self.busy,
            line,
            labelled("Image", self.image.widget),
            labelled("Template", self.template.widget),
            labelled("Kind", self.kind, self.hint),
            labelled("Lesion mask, if there is one", self.lesion.widget, note(_LESION)),
            name="template-images",
        )


def unseen(widget: widgets.Widget, is_unseen: Any) -> None:
    """Keep a widget's place, whether it is seen or not."""
    (widget.add_class if is_unseen else widget.remove_class)("ld-unseen")
