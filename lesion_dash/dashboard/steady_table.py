"""itables' widget, taught not to break when a row is selected while a table is replaced."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import itables
from itables.widget import ITable

_CHANGES = {
    # Both ask a table that was taken away for its rows, and all that is set after it is lost.
    "function m(){u||(": "function m(){u||!o.dt||(",
    "function c(){u=!0,": "function c(){if(!o.dt)return;u=!0,",
}


@cache
def table_script() -> str:
    """The script of itables, changed in two places; unchanged where one of them is not found."""
    script = Path(itables.__file__).parent / "widget" / "static" / "widget.js"
    source = script.read_text(encoding="utf-8")
    if any(source.count(place) != 1 for place in _CHANGES):
        return source
    for place, change in _CHANGES.items():
        source = source.replace(place, change)
    return source


class SteadyTable(ITable):
    """An ITable whose browser side outlives a selection that comes while it is replaced."""

    _esm = table_script()  # type: ignore[assignment]
