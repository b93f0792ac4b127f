"""A map on a page: its heading, the question it answers, its slices and its colours."""

from __future__ import annotations

import ipywidgets as widgets

from ..controls import card, heading, note, set_text
from ..map_slices import MapSlices


class MapCard:
    """One of several maps with a common crosshair.

    Parameters
    ----------
    title, name : str
        The heading, and the name of the card's style.
    view : MapSlices
    *buttons : Widget
        That stand beside the heading.
    """

    def __init__(self, title: str, name: str, view: MapSlices, *buttons: widgets.Widget) -> None:
        self.view = view
        self.caption, self.question = note(), widgets.HTML()
        self.scale = widgets.HTML()
        self.question.add_class("ld-question")
        self.scale.add_class("ld-scale-box")
        head = widgets.HBox([heading(title), self.caption, *buttons])
        self.widget = card(head, self.question, view, self.scale, name=name)
        self.widget.add_class("ld-map-card")

    def ask(self, question: str, bar: str) -> None:
        """Say what the map answers, and, as HTML, what its colours stand for."""
        set_text(self.question, question)
        self.scale.value = bar


def plain_button(text: str, tooltip: str) -> widgets.Button:
    """A button of the pages with such maps."""
    button = widgets.Button(description=text, tooltip=tooltip)
    button.add_class("ld-button")
    return button
