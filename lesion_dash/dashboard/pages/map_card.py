"""A map on a page: its heading, the question it answers, and the map in a viewer."""

from __future__ import annotations

import html

import ipywidgets as widgets

from ..app_context import AppContext
from ..controls import bind, card, heading, note, set_text
from ..places import Mm
from ..widgets.layers import ValueLayer
from ..widgets.viewer import Viewer


class MapCard:
    """One of several maps with a common crosshair.

    Parameters
    ----------
    context : AppContext
    title, name : str
        The heading, and the name of the card's style.
    *buttons : Widget
        That stand beside the heading.
    """

    def __init__(
        self, context: AppContext, title: str, name: str, *buttons: widgets.Widget
    ) -> None:
        self._context = context
        self.viewer = Viewer(context.banner.guard(self._moved))
        bind(context.choices, "radiological", self.viewer, "radiological")
        self.caption, self.question = note(), widgets.HTML()
        self.words = widgets.HTML()
        self.question.add_class("ld-question")
        self.words.add_class("ld-map-words")
        head = widgets.HBox([heading(title), self.caption, *buttons])
        self.widget = card(head, self.question, self.viewer, self.words, name=name)
        self.widget.add_class("ld-map-card")

    def show(self, layer: ValueLayer | None, question: str) -> None:
        """Show a map, or the brain alone, and what the map answers."""
        self.viewer.show(*filter(None, [layer]))
        set_text(self.question, question)

    def place(self, mm: Mm, value: str, remark: str = "") -> None:
        """Put the crosshair at a place, and say what is known of it."""
        self.viewer.move_to(mm)
        words = f"<b>{html.escape(value)}</b> {html.escape(remark)}"
        self.words.value = f'<div aria-live="polite">{words}</div>'

    def clear(self, why: str) -> None:
        """Show the brain alone, and the reason."""
        self.viewer.show()
        set_text(self.words, why)

    def _moved(self, mm: Mm) -> None:
        self._context.choices.mm = mm


def plain_button(text: str, tooltip: str) -> widgets.Button:
    """A button of the pages with such maps."""
    button = widgets.Button(description=text, tooltip=tooltip)
    button.add_class("ld-button")
    return button
