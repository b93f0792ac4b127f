"""Under a folder: which of its patients are shown, and the editor of the conditions on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import anywidget
import traitlets as t

from ...cohort.cohort import Cohort
from ...cohort.columns import Column, describe_columns
from ...cohort.conditions import Condition, parse_conditions, remaining_columns, restriction_summary
from ...core.text import counted
from ..app_context import AppContext
from ..scripts import static_text
from .filter_row import Row, condition_of, row_of, shown_column, shown_counts
from .split import Split, conditions_of_split

_UNUSED = re.compile(r"participants\.\w+ .* is not used: ")
_NO_TABLE = (
    "There is no participants table. Put participants.tsv beside the masks or in the folder above: "
    "a header, and one row per patient whose first column is the patient’s name, as in sub-01. "
    "Then load the page again."
)

OnAsk = Callable[[dict[str, Any]], None]


class FilterView(anywidget.AnyWidget):
    """The line, the editor and the split in the browser.

    Parameters
    ----------
    side : str
        ``A`` or ``B``.
    on_ask : callable
        Given what the page asks for, as it came.
    """

    _esm = static_text("filters.js")
    side = t.Unicode("A").tag(sync=True)
    columns: t.List[Row] = t.List().tag(sync=True)
    left: t.Dict[str, Row] = t.Dict(
        help="patients of each value of a column, whom the conditions on the others leave"
    ).tag(sync=True)
    parts: t.List[Row] = t.List(help="the columns of those that are shown").tag(sync=True)
    rows: t.Dict[str, Any] = t.Dict(
        {"turn": 0, "rows": []}, help="the conditions, and how often they were set from here"
    ).tag(sync=True)
    count = t.Unicode("", help="how many patients of how many").tag(sync=True)
    why = t.Unicode("", help="the conditions in words").tag(sync=True)
    advice = t.Unicode("", help="what to do where nothing can be asked").tag(sync=True)
    is_ready = t.Bool(False, help="whether a folder is there to be asked").tag(sync=True)
    is_split = t.Bool(False).tag(sync=True)
    of_other = t.Unicode("", help="what is asked of A and could be of B").tag(sync=True)

    def __init__(self, side: str, on_ask: OnAsk) -> None:
        super().__init__(side=side)
        self.on_msg(lambda _widget, content, _buffers: on_ask(content))

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Replace what the editor holds."""
        self.rows = {"turn": self.rows["turn"] + 1, "rows": list(rows)}


class FilterPanel:
    """Restricts one side.

    Parameters
    ----------
    context : AppContext
    side : str
        ``a`` or ``b``.
    split : Split
    """

    def __init__(self, context: AppContext, side: str, split: Split) -> None:
        self._context, self._side, self._split = context, side, split
        self._folder = self._reported = ""
        self._whole: Cohort | None = None
        self._columns: tuple[Column, ...] = ()
        self._conditions: tuple[str, ...] = ()
        self.widget = FilterView(side.upper(), context.banner.guard(self._received))
        self.widget.add_class("ld-filter-box")
        names = ["folder_a", "folder_b", f"cohort_{side}", f"where_{side}"]
        context.choices.observe(context.banner.guard(self._update), names=names)
        if side == "b":
            context.choices.observe(context.banner.guard(self._offer), names="where_a")
        self._update()

    def _received(self, content: Any) -> None:
        """What the page asks for, checked here whatever the browser sends."""
        try:
            action = content["do"]
            if action == "ask":
                self._ask(
                    [
                        condition
                        for condition in map(condition_of, content["rows"])
                        if condition is not None
                    ]
                )
            elif action == "split" and self._side == "a":
                self._split.make(*conditions_of_split(content))
            elif action == "join" and self._side == "a":
                self._split.undo()
            elif action == "same" and self._of_other():
                self._context.banner.clear()
                self._context.choices.where_b = self._context.choices.where_a
        except (AttributeError, KeyError, TypeError):
            return

    def _ask(self, conditions: Sequence[Condition]) -> None:
        """Restrict; a condition that is taken back is shown as it was."""
        self._context.banner.clear()
        self._conditions = tuple(dict.fromkeys(str(condition) for condition in conditions))
        self._context.choices.set_trait(f"where_{self._side}", self._conditions)
        self._show_rows()

    def _update(self, _change: Any = None) -> None:
        choices, session = self._context.choices, self._context.session
        name = str(getattr(choices, f"cohort_{self._side}"))
        folder = session.origin(name)[0]
        with self.widget.hold_sync():
            self.widget.is_split = self._side == "a" and self._split.is_made
            if not name or not session.has(folder):
                self._show_nothing()
                return
            whole = session.load(folder)
            if folder != self._folder or whole is not self._whole:
                self._show_folder(folder, whole)
            self._offer()
            self._show_rows()
            if name != self._reported:
                self._reported = name
                self._say(whole, session.load(name), session.origin(name)[1])

    def _offer(self, _change: Any = None) -> None:
        self.widget.of_other = self._of_other()

    def _of_other(self) -> str:
        """What is asked of A, where it can be asked of B, and B is not asked anything."""
        choices = self._context.choices
        is_same = choices.folder_a == choices.folder_b
        if self._side == "a" or is_same or choices.where_b or not choices.where_a:
            return ""
        conditions = parse_conditions(choices.where_a)
        kinds = {column.name: column.kind for column in self._columns}
        is_known = all(
            condition.column in kinds
            and (kinds[condition.column] == "number" or not condition.is_range)
            for condition in conditions
        )
        return ", ".join(condition.summary for condition in conditions) if is_known else ""

    def _show_nothing(self) -> None:
        self._folder, self._reported, self._columns, self._conditions = "", "", (), ()
        self.widget.columns, self.widget.parts, self.widget.left = [], [], {}
        self.widget.is_ready = False
        is_chosen = bool(getattr(self._context.choices, f"folder_{self._side}"))
        self.widget.count = "Reading ..." if is_chosen else "No folder yet"
        self.widget.why = self.widget.advice = self.widget.of_other = ""
        self.widget.show_rows([])

    def _show_folder(self, folder: str, whole: Cohort) -> None:
        self._folder, self._columns, self._conditions = folder, describe_columns(whole), ()
        self._whole = whole
        self.widget.columns = [shown_column(column) for column in self._columns]
        unused = [note for note in whole.notes if _UNUSED.match(note)]
        self.widget.advice = "" if self._columns else "; ".join(unused) or _NO_TABLE
        self.widget.is_ready = True
        self.widget.show_rows([])

    def _show_rows(self) -> None:
        """Bring the editor up to date, where it was not what changed the conditions."""
        where = getattr(self._context.choices, f"where_{self._side}")
        if where != self._conditions:
            self._conditions = where
            self.widget.show_rows(
                [row_of(condition, self._columns) for condition in parse_conditions(where)]
            )

    def _say(self, whole: Cohort, part: Cohort, where: tuple[str, ...]) -> None:
        if where:
            self.widget.count = f"{part.n_patients:,} of {counted(whole.n_patients, 'patient')}"
            self.widget.why = restriction_summary(whole, where)
        else:
            self.widget.count = f"All {counted(whole.n_patients, 'patient')}"
            self.widget.why = ""
        left = remaining_columns(whole, where)
        self.widget.left = {column.name: shown_counts(column) for column in left}
        self.widget.parts = [shown_column(column) for column in describe_columns(part)]
