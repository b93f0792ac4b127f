"""The tabs of the pages in the header, with rarely used pages in a menu."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets as t

from .assets import asset


class Navigation(anywidget.AnyWidget):
    """Which page is open.

    Parameters
    ----------
    titles : list of str
        Of the pages, in their order.
    first_tool : int
        From this page on they stand in the menu “Tools”.
    root : str
        Name of the data root.
    """

    _esm = asset("menu.js", "navigation.js")
    _css = asset("navigation.css")
    titles: t.List[str] = t.List(t.Unicode()).tag(sync=True)
    first_tool = t.Int().tag(sync=True)
    root = t.Unicode().tag(sync=True)
    selected_index = t.Int(0).tag(sync=True)

    @t.validate("selected_index")
    def _existing(self, proposal: dict[str, Any]) -> int:
        index = int(proposal["value"])
        if not 0 <= index < len(self.titles):
            raise t.TraitError("there is no such page")
        return index
