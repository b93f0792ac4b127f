"""Sortable, searchable tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import pandas as pd
from itables import JavascriptFunction

from .steady_table import SteadyTable
from .tasks import PAUSE, Debounce

_REMEMBER = """function (settings, data) {
    sessionStorage.setItem("lesion-dash-NAME", JSON.stringify(data));
}"""
_RECALL = """function (settings) {
    return JSON.parse(sessionStorage.getItem("lesion-dash-NAME"));
}"""
# Names such as Right_Precentral_Gyrus may be broken after an underscore; what is searched, sorted
# and saved stays as it is.
_BREAK = """function (row) {
    for (const cell of row.cells) {
        const parts = cell.textContent.match(/[^_]*_|[^_]+/g) || [];
        if (parts.length > 1) {
            const add = (part) => [part, document.createElement("wbr")];
            cell.replaceChildren(...parts.flatMap(add));
        }
    }
}"""

_WORDS = {
    "search": "",
    "searchPlaceholder": "Search",
    "info": "_START_ to _END_ of _TOTAL_",
    "infoEmpty": "",
    "infoFiltered": "(of _MAX_)",
}
_PLAIN: dict[str, Any] = {
    "layout": {
        "topStart": None,
        "topEnd": "search",
        "bottomStart": "info",
        "bottomEnd": {"paging": {"firstLast": False, "numbers": 5}},
    },
    "classes": "display compact nowrap",
    "style": "width:100%;margin:0",
    "autoWidth": False,
    "showIndex": False,
    "maxBytes": 0,
    "text_in_header_can_be_selected": False,
    # Python replaces the whole table on every change; the browser remembers how the reader had
    # sorted and searched it, until the page is closed.
    "stateSave": True,
    "warn_on_undocumented_option": False,  # the callbacks of stateSave are DataTables' own
}


class Table:
    """A table whose rows can be sorted, searched and clicked.

    Parameters
    ----------
    name : str
        Tells this table's remembered order and search from those of others.
    on_row : callable
        Given the position of a clicked row in the frame that is shown.
    rows : int
        Rows on a page.
    order : tuple of (int, str), optional
        Column and direction the rows are first sorted by; as in the frame where not given.
    on_none : callable, optional
        Told when the row that was clicked is clicked again, and no longer highlighted.
    """

    def __init__(
        self,
        name: str,
        on_row: Callable[[int], None] | None = None,
        rows: int = 8,
        order: tuple[int, str] | None = None,
        empty: str = "Nothing to show yet",
        on_none: Callable[[], None] | None = None,
    ) -> None:
        self._on_row = on_row
        self._on_none = on_none
        # A click on another row takes back the one before, and is told only then.
        self._later = Debounce(PAUSE, self._none)
        self._options = _PLAIN | {
            "select": {"style": "single", "info": False} if on_row else False,
            "pageLength": rows,
            "order": [list(order)] if order else [],
            "language": _WORDS | {"emptyTable": empty},
            "stateSaveCallback": JavascriptFunction(_REMEMBER.replace("NAME", name)),
            "createdRow": JavascriptFunction(_BREAK),
            "stateLoadCallback": JavascriptFunction(_RECALL.replace("NAME", name)),
        }
        self._shown: pd.DataFrame | None = None
        self.widget = widgets.Box()
        self.widget.add_class("ld-table")
        if on_row:
            self.widget.add_class("ld-clickable")
        self._table: SteadyTable | None = None
        self._marking = False
        self._marked: int | None = None

    @property
    def frame(self) -> pd.DataFrame | None:
        """What is shown."""
        return self._shown

    @property
    def marked(self) -> int | None:
        """The row that is highlighted, None where none is."""
        return self._marked

    def show(self, frame: pd.DataFrame) -> None:
        """Show a frame, in place of the one before."""
        if self._later.cancel():
            self._none()  # of the rows before
        if self._shown is not None and frame.equals(self._shown):
            return
        self._shown = frame
        frame = without_gaps(frame)
        if self._table is None:
            self._table = SteadyTable(frame, selected_rows=[], **self._options)
            self._table.observe(self._selected, names="selected_rows")
            self.widget.children = [self._table]
        else:
            self._table.edition += 1
            # A row that is still selected while the table is replaced breaks the new one.
            self.mark(None)
            before = self._table.df
            if len(frame) and before is not None and frame.dtypes.equals(before.dtypes):
                self._table.replace_rows(frame)
            else:
                self._table.update(frame, selected_rows=[], **self._options)

    def click(self, row: int) -> None:
        """Select a row, as a click does."""
        if self._table is not None:
            self._table.clicked_in = self._table.edition
            self._table.selected_rows = [row]

    def mark(self, row: int | None) -> None:
        """Highlight a row, or none, without telling anybody."""
        if self._table is not None:
            self._later.cancel()  # what was taken back before is not what is chosen now
            self._marked = row
            self._marking = True
            self._table.selected_rows = [] if row is None else [row]
            self._marking = False

    def _selected(self, change: dict[str, Any]) -> None:
        if self._marking or self._table is None:
            return
        if not self._table.is_current:
            self.mark(self._marked)  # the row of that place is another one by now
            return
        rows = change["new"]
        self._marked = rows[0] if rows else None
        if not rows:
            self._later()
        elif self._on_row and self._shown is not None and 0 <= rows[0] < len(self._shown):
            self._on_row(int(rows[0]))

    def _none(self) -> None:
        if self._on_none and self._table is not None and not self._table.selected_rows:
            self._on_none()


def short(value: float) -> str:
    """A number of any size as it is shown in a cell; empty where it is missing.

    Examples
    --------
    >>> short(1016.25), short(-3.14159), short(0.00012), short(0.0), short(float("nan"))
    ('1,016.25', '-3.14', '0.00012', '0.00', '')
    """
    if math.isnan(value):
        return ""
    # With a hyphen for minus: the browser sorts such texts as numbers.
    return f"{value:,.2f}" if value == 0 or abs(value) >= 0.1 else f"{value:.2g}"


def without_gaps(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with empty cells where a value is missing, and whole numbers without a point.

    Fractions become texts, which the browser sorts as numbers: itables would send a function for
    their columns, and fails on it when a table is drawn a second time.

    Examples
    --------
    >>> without_gaps(pd.DataFrame({"age": [64.0, None]}))["age"].tolist()
    [64, '']
    >>> without_gaps(pd.DataFrame({"volume": [7.0, 0.032]}))["volume"].tolist()
    ['7.000', '0.032']
    """
    columns = {name: _fill(column) for name, column in frame.items()}
    return pd.DataFrame(columns, columns=frame.columns, index=frame.index)


def _fill(column: pd.Series[Any]) -> pd.Series[Any]:
    missing = column.isna()
    if not missing.any():
        return _as_texts(column) if pd.api.types.is_float_dtype(column) else column
    whole = pd.api.types.is_numeric_dtype(column) and bool((column.dropna() % 1 == 0).all())
    texts = ["" if gone else _show(v, whole) for v, gone in zip(column, missing, strict=True)]
    return pd.Series(texts, index=column.index, dtype=object)


def _as_texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """Every number with as many decimals as the one that needs most, up to six."""
    needed = [len(f"{value:.6f}".rstrip("0").partition(".")[2]) for value in column]
    decimals = max(needed, default=0)
    return pd.Series([f"{v:.{decimals}f}" for v in column], index=column.index, dtype=object)


def _show(value: Any, whole: bool) -> Any:
    if whole:
        return int(value)
    return f"{value:.2f}" if isinstance(value, float) else value
