"""A table that the browser sorts, searches and pages; Python hears which row is chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import anywidget
import ipywidgets as widgets
import pandas as pd
import traitlets as t

from ...core.formats import Format
from ...core.text import printable
from ..scripts import widget_script, widget_text

_NO_PARENT = -1


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    key : str
        Of the frame's column, and of what the reader chose to see of it.
    title : str
    format : Format, optional
        Of numbers; without, a column holds texts.
    scale : float
        What the frame's numbers are multiplied by: 0.001 shows mm³ as mL.
    help : str
        What the numbers are, said of the heading.
    wraps : bool
        Whether a long text is broken into lines.
    is_optional : bool
        Whether it is shown only where the reader asks for it; it is searched in any case.
    """

    key: str
    title: str
    format: Format | None = None
    scale: float = 1.0
    help: str = ""
    wraps: bool = False
    is_optional: bool = False

    def cells(self, frame: pd.DataFrame) -> list[Any]:
        """Its numbers or texts, None where a value is missing."""
        values = frame[self.key]
        if self.format is None:
            missing = values.isna().tolist()
            return [
                None if gone else printable(str(value))
                for value, gone in zip(values.tolist(), missing, strict=True)
            ]
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(float, na_value=math.nan)
        return [value if value == value else None for value in (numbers * self.scale).tolist()]


class Table(anywidget.AnyWidget):
    """A table whose rows can be sorted, searched and, where somebody listens, chosen.

    A choice is told with the edition of the rows it was made in: one that was meant for rows that
    have been replaced is none.

    Parameters
    ----------
    label : str
        What the table is called for those who do not see the page.
    name : str
        Tells its remembered order, search and columns from those of other tables.
    on_row : callable, optional
        Given the position of a chosen row in the frame that is shown.
    on_none : callable, optional
        Told when the chosen row is chosen again, and so no longer is.
    rows : int
        Rows on a page, until the reader wants another number.
    order : tuple of (str, bool), optional
        Key of the column that rows are first sorted by, and whether the largest come first; as
        in the frame where not given.
    empty : str
        Said in place of rows.
    """

    _esm = widget_script("table")
    _css = widget_text("table.css")

    options = t.Dict(help="what does not change with the rows").tag(sync=True)
    content = t.Dict(help="edition, columns and cells").tag(sync=True)
    selected = t.Int(None, allow_none=True, help="the chosen row").tag(sync=True)

    def __init__(
        self,
        label: str,
        name: str,
        on_row: Callable[[int], None] | None = None,
        *,
        on_none: Callable[[], None] | None = None,
        rows: int = 8,
        order: tuple[str, bool] | None = None,
        empty: str = "Nothing to show yet",
    ) -> None:
        self.frame = pd.DataFrame()
        """What is shown: the rows as they were given, with columns that are not shown as well."""
        self.columns: tuple[Column, ...] = ()
        self._parents: tuple[int | None, ...] | None = None
        self._pinned = 0
        self._on_row, self._on_none = on_row, on_none
        options = {
            "label": label,
            "name": name,
            "rows": rows,
            "order": order and {"key": order[0], "isDown": order[1]},
            "empty": empty,
            "canChoose": on_row is not None,
        }
        super().__init__(options=options, content=self._content(0), layout=_layout(rows))
        self.add_class("ld-table")
        self.on_msg(self._received)

    def show(
        self,
        frame: pd.DataFrame,
        columns: Sequence[Column],
        *,
        selected: int | None = None,
        pinned: int = 0,
        parents: Sequence[int | None] | None = None,
    ) -> None:
        """Show a frame, in place of the one before.

        Parameters
        ----------
        frame : DataFrame
        columns : sequence of Column
            What is shown of it, in this order.
        selected : int, optional
            Position of the row that is highlighted, without telling anybody.
        pinned : int
            So many of the last rows stand above all others on every page, and are not counted.
        parents : sequence of int or None, optional
            For each row the position of the row that it is a part of, and that unfolds into it.
        """
        given = tuple(columns), None if parents is None else tuple(parents), pinned
        if given != (self.columns, self._parents, self._pinned) or not frame.equals(self.frame):
            self.frame = frame
            self.columns, self._parents, self._pinned = given
            # In one message: a row is highlighted in the rows it belongs to.
            with self.hold_sync():
                self.content = self._content(int(self.content["edition"]) + 1)
                self.selected = selected
        else:
            self.selected = selected

    def mark(self, row: int | None) -> None:
        """Highlight a row, or none, without telling anybody."""
        self.selected = row

    def _content(self, edition: int) -> dict[str, Any]:
        shown = [
            {
                "key": column.key,
                "title": printable(column.title),
                "format": column.format and asdict(column.format),
                "help": column.help,
                "wraps": column.wraps,
                "isOptional": column.is_optional,
                "cells": column.cells(self.frame),
            }
            for column in self.columns
        ]
        parents = self._parents and [_NO_PARENT if at is None else at for at in self._parents]
        return {
            "edition": edition,
            "count": len(self.frame),
            "columns": shown,
            "pinned": self._pinned,
            "parents": parents,
        }

    def _received(self, _widget: Any, message: Any, _buffers: Any) -> None:
        """A choice of the browser, checked here whatever it sends."""
        if not isinstance(message, dict) or message.get("edition") != self.content["edition"]:
            return
        row = message.get("row")
        if row is None:
            self.selected = None
            if self._on_none:
                self._on_none()
        elif self._on_row and type(row) is int and 0 <= row < len(self.frame):
            self.selected = row
            self._on_row(row)


def _layout(rows: int) -> widgets.Layout:
    """Room for a full page before the script is there, so that nothing below moves; see table.css.

    That is two bars of 34 px, the heading, and rows of 26 px, one of them pinned.
    """
    return widgets.Layout(min_height=f"{2 * 34 + 40 + 26 * (rows + 1)}px")
