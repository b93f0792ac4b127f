"""The line that says whose lesion is outlined, and takes the outline away."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as widgets

from ..desk import Desk
from ..into_view import IntoView
from ..outline import Outline, find_outline


class OutlineLine:
    """Whose lesion is outlined, with a button; nothing where none is.

    Parameters
    ----------
    desk : Desk
    title : str
        The word before it.
    source : str, optional
        Where on the page the patient was chosen, for a button that leads back there.
    """

    def __init__(self, desk: Desk, title: str = "Outline", source: str = "") -> None:
        self._desk = desk
        self._title = title
        self.text = widgets.HTML()
        self.source = IntoView(source)
        self.back = widgets.Button(icon="list", tooltip="Back to the list of patients")
        self.back.on_click(desk.banner.guard(lambda _: self.source.bring()))
        self.close = widgets.Button(icon="times", tooltip="Take the outline away")
        self.close.on_click(desk.banner.guard(self._clear))
        back = [self.back, self.source] if source else []
        self.widget = widgets.HBox([self.text, *back, self.close])
        self.widget.add_class("ld-outline")
        self.say(None)

    def say(self, outline: Outline | None) -> None:
        """Show whose lesion is outlined."""
        if outline is None:
            self.text.value = ""
            self.widget.add_class("ld-hidden")
            return
        words = html.escape(f"{self._title}: {outline.words}")
        self.text.value = (
            f'<div class="ld-outline-text" role="status" title="{words}">{words}</div>'
        )
        self.widget.remove_class("ld-hidden")

    def _clear(self, _button: Any) -> None:
        self._desk.choices.patient = ""


def shown_outline(desk: Desk) -> Outline | None:
    """The outline of the chosen patient; a choice that no cohort has is taken back."""
    choices = desk.choices
    outline = find_outline(desk.session, choices) if choices.patient else None
    if outline is None and choices.cohort_a:
        choices.patient = ""
    return outline
