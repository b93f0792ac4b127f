"""itables' widget, taught what it does not know of a table that is replaced while it is used."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from itables.widget import ITable
from traitlets import Int

from .scripts import package_text, widget_script

if TYPE_CHECKING:
    import pandas as pd

_BREAKS = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})


class SteadyTable(ITable):
    """An ITable that tells a click into its rows from one into rows that it has replaced.

    Its browser side outlives a selection that comes while it is replaced.
    """

    _esm = widget_script("table")  # type: ignore[assignment]
    _css = package_text("itables", "widget/static/widget.css")  # type: ignore[assignment]

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
