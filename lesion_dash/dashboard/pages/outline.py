"""The line that says whose lesion is outlined, and takes the outline away."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as widgets

from ..app_context import AppContext
from ..into_view import IntoView
from ..outline import KEPT_COLOURS, Outline, find_outline


class OutlineLine:
    """Whose lesion is outlined, with a button; nothing where none is.

    Parameters
    ----------
    context : AppContext
    title : str
        The word before it.
    source : str, optional
        Where on the page the patient was chosen, for a button that leads back there.
    leads_to_brain : bool
        The page shows no brain: a button leads to the one that does.
    """

    def __init__(
        self,
        context: AppContext,
        title: str = "Outline",
        source: str = "",
        leads_to_brain: bool = False,
    ) -> None:
        self._context = context
        self._title = title
        self._leads_to_brain = leads_to_brain
        self.text = widgets.HTML()
        self.source = IntoView(source)
        self.back = widgets.Button(icon="list", tooltip="Back to the list of patients")
        self.back.on_click(context.banner.guard(lambda _: self.source.bring()))
        self.close = widgets.Button(icon="times", tooltip="Hide outline")
        self.close.on_click(context.banner.guard(self._clear))
        self.keep = widgets.Button(
            icon="thumb-tack", tooltip="Keep this lesion on the brain beside the next one"
        )
        self.keep.on_click(context.banner.guard(self._keep))
        self.show = widgets.Button(description="To the brain", tooltip="Show the lesion there")
        self.show.on_click(context.banner.guard(lambda _: context.show_brain()))
        self.show.add_class("ld-outline-show")
        back = [self.back, self.source] if source else []
        show = [self.show] if leads_to_brain else []
        self.widget = widgets.HBox([self.text, *show, *back, self.keep, self.close])
        self.widget.add_class("ld-outline")
        self.say(None)

    def say(self, outline: Outline | None) -> None:
        """Show whose lesion is outlined."""
        if outline is None:
            self.text.value = ""
            self.widget.add_class("ld-hidden")
            return
        # Beside a table with all volumes, and with the longer button, there is room for the id.
        words = html.escape(f"{self._title}: {outline.summary}")
        brief = f'<span class="ld-unseen">{self._title}: </span>{html.escape(outline.patient)}'
        shown = brief if self._leads_to_brain else words
        self.text.value = (
            f'<div class="ld-outline-text" role="status" title="{words}">{shown}</div>'
        )
        self.widget.remove_class("ld-hidden")

    def _keep(self, _button: Any) -> None:
        choices = self._context.choices
        others = tuple(key for key in choices.kept if key != choices.patient)
        choices.kept = (*others, choices.patient)[-len(KEPT_COLOURS) :]

    def _clear(self, _button: Any) -> None:
        self._context.choices.patient = ""
        self._context.choices.kept = ()


def shown_outline(context: AppContext) -> Outline | None:
    """The outline of the chosen patient; a choice that no cohort has is taken back."""
    choices = context.choices
    outline = find_outline(context.session, choices) if choices.patient else None
    if outline is None and choices.cohort_a:
        choices.patient = ""
    return outline
