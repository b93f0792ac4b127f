"""itables' widget, taught what it does not know of a table that is replaced while it is used."""

from __future__ import annotations

import html
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import itables
from itables.widget import ITable
from traitlets import Int

if TYPE_CHECKING:
    import pandas as pd

_BREAKS = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})

_NEW_ROWS = """function f(){
    let y = t.get("_dt_args");
    edition = t.get("edition");
    const now = JSON.stringify({...y, data_json: ""});
    if (o && o.dt && y.data_json && now === frame) {
        u = !0;
        o.dt.clear().rows.add(qd(y.data_json)).draw("full-hold");
        c();
        return;
    }
    frame = now;
    o && o.destroy();"""

_CHANGES = {
    # Both ask a table that was taken away for its rows, and all that is set after it is lost.
    "function m(){u||(": 'function m(){u||!o.dt||(t.set("clicked_in",edition),',
    "function c(){u=!0,": "function c(){if(!o.dt)return;u=!0,",
    # A row that is clicked in the table before is another patient, or another region.
    "let o=null,u=!1;": 'let o=null,u=!1,edition=0,frame="";',
    # Where the columns are the same, only rows are: to make the table anew takes longer.
    'function f(){o&&o.destroy();let y=t.get("_dt_args");': _NEW_ROWS,
    "p.data=qd(u)": "p.data=qd(u)",  # by this name rows are read
}


@cache
def table_script() -> str:
    """The script of itables, changed; as it is where one of the places is not found."""
    script = Path(itables.__file__).parent / "widget" / "static" / "widget.js"
    source = script.read_text(encoding="utf-8")
    if any(source.count(place) != 1 for place in _CHANGES):
        return source
    for place, change in _CHANGES.items():
        source = source.replace(place, change)
    return source


class SteadyTable(ITable):
    """An ITable that tells a click into its rows from one into rows that it has replaced.

    Its browser side outlives a selection that comes while it is replaced.
    """

    _esm = table_script()  # type: ignore[assignment]

    edition = Int(0).tag(sync=True)
    """Raised with every frame, before it is shown."""
    clicked_in = Int(None, allow_none=True).tag(sync=True)
    """The edition a row was last selected in; None if the browser does not say."""

    def replace_rows(self, frame: pd.DataFrame) -> None:
        """Show other rows of whole numbers and texts under the same columns.

        `update` does the same, and takes several times as long to find that nothing else changed.
        """
        content = json.dumps(
            list(zip(*(_cells(column) for _, column in frame.items()), strict=True))
        )
        self._df = frame
        self._dt_args = self._dt_args | {"data_json": content}

    @property
    def is_current(self) -> bool:
        """Whether the rows that were clicked are those of now."""
        return self.clicked_in in (None, self.edition)


def _cells(column: pd.Series[Any]) -> list[Any]:
    """As itables sends them: texts without markup, and with signs for what breaks a line."""
    values = column.tolist()
    if column.dtype.kind in "bi":
        return values
    return [html.escape(str(value), quote=False).translate(_BREAKS) for value in values]
