"""One folder in two parts, A and B, by what the participants table says of its patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...cohort.cells import number_of
from ...cohort.conditions import Condition
from ...core.errors import InputError
from ..app_context import AppContext

_KEPT = ("folder_b", "where_a", "where_b", "map_key")


class Split:
    """Parts A, and takes it back.

    Parameters
    ----------
    context : AppContext
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._before: dict[str, Any] = {}
        self._folder = ""

    @property
    def is_made(self) -> bool:
        """Whether A and B are still the folder that was parted."""
        choices = self._context.choices
        is_same = choices.folder_a == choices.folder_b == self._folder
        return bool(self._before) and is_same

    def make(self, a: Condition, b: Condition) -> None:
        """Show those patients of A who meet `a` as A, those who meet `b` as B.

        What A was restricted to holds for both.

        Raises
        ------
        InputError
            Where nobody meets one of them, or A is not read yet; nothing is changed then.
        """
        choices, session = self._context.choices, self._context.session
        folder, shared = choices.folder_a, choices.where_a
        if not session.has(folder):
            raise InputError(folder, "is not read yet", "split it when its map is shown")
        where_a, where_b = (tuple(dict.fromkeys((*shared, str(condition)))) for condition in (a, b))
        for where in (where_a, where_b):
            session.part(folder, where)
        before = self._before if self.is_made else {name: getattr(choices, name) for name in _KEPT}
        self._before, self._folder = before, folder
        with choices.hold_trait_notifications():
            choices.folder_b, choices.where_a, choices.where_b = folder, where_a, where_b

    def undo(self) -> None:
        """Show what was shown before."""
        before, choices = self._before, self._context.choices
        if not self.is_made:
            return
        self._before = {}
        with choices.hold_trait_notifications():
            choices.folder_b = before["folder_b"]
            choices.where_a, choices.where_b = before["where_a"], before["where_b"]
        if before["map_key"] != "overlap" or choices.cohort_b:
            choices.map_key = before["map_key"]


def conditions_of_split(split: Mapping[str, Any]) -> tuple[Condition, Condition]:
    """The conditions of A and B that the page asks for.

    Parameters
    ----------
    split : mapping
        ``column`` with either ``cut``, a number that B begins with, or ``a`` and ``b``, a value
        each.

    Raises
    ------
    InputError
        Where the cut is not a number, or both values are one.
    KeyError
        Where one of these is not given.
    """
    column = str(split["column"])
    if split.get("cut") is not None:
        cut = number_of(str(split["cut"]))
        if cut is None:
            raise InputError(
                column, f"{split['cut']!r} is not a number", "give the cut as a number"
            )
        return Condition(column, high=cut, strict=True), Condition(column, low=cut)
    a, b = Condition(column, (str(split["a"]),)), Condition(column, (str(split["b"]),))
    if a == b:
        raise InputError(column, f"{a.summary} is asked of A and of B", "choose two values")
    return a, b
