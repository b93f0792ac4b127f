"""Brings a part of the page into view."""

from __future__ import annotations

import anywidget
import traitlets as t

from .scripts import static_text


class IntoView(anywidget.AnyWidget):
    """Scrolls to a part of the page, no further than is needed, and only when it is asked to.

    Parameters
    ----------
    place : str
        The part, as a selector of style sheets.
    """

    _esm = static_text("into_view.js")
    place = t.Unicode().tag(sync=True)

    def __init__(self, place: str) -> None:
        super().__init__(place=place)
        self.add_class("ld-invisible")

    def bring(self) -> None:
        """Bring the part into view; nothing moves where it can be seen already."""
        self.send({"type": "bring"})
