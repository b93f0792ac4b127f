"""Keeps the choices where one can come back to them, and comes back to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from ..errors import InputError
from .address import AddressBar, read_address, to_address
from .bookmark import Bookmark, Offer, shown
from .desk import Desk
from .session_file import FILE_NAME, read_session, session_bytes
from .session_menu import SessionMenu
from .tasks import Later, running_loop

_QUIET = 0.4
"""Seconds of no change before the address is written."""

_KEPT = ("folder_a", "folder_b", "where_a", "where_b", "min_patients", "atlas", "map_key")
_LOOKS = ("figure", "radiological", "mm")


class Returning:
    """The choices of a desk in the page's address and in session files.

    Parameters
    ----------
    desk : Desk
        Its panels are there already, and hear of every change before this does.
    tabs : widgets.Tab
    pages : sequence of str
        Names of the tabs.
    """

    def __init__(self, desk: Desk, tabs: widgets.Tab, pages: Sequence[str]) -> None:
        self._desk, self._tabs, self._pages = desk, tabs, tuple(pages)
        self._offer = Offer(desk.session.root, self._pages)
        self._awaited: Bookmark | None = None
        self._faults: tuple[InputError, ...] = ()
        self._is_open = False
        guard = desk.banner.guard
        self.bar = AddressBar(guard(self._addressed))
        self.menu = SessionMenu(guard(self.save), guard(self.open_file))
        self._write_later = Later(_QUIET, guard(self._write))
        desk.choices.observe(lambda _: self._write_later(), names=[*_KEPT, *_LOOKS])
        tabs.observe(lambda _: self._write_later(), names="selected_index")
        came = ["cohort_a", "cohort_b", "folder_a", "folder_b"]
        desk.choices.observe(self._look, names=came)
        desk.loading.observe(self._look, names="running")

    def begin(self) -> None:
        """Open what the address asks for, or the first folder, once a browser has said which.

        Until then the first folder is read already, but not shown: a link may ask for another.
        """
        if running_loop() is None:
            self._addressed("")  # no kernel, so that there is no browser to wait for
        else:
            self._desk.read_ahead()

    @property
    def bookmark(self) -> Bookmark:
        """The choices as they are now."""
        choices = self._desk.choices
        values: dict[str, Any] = {name: getattr(choices, name) for name in (*_KEPT, *_LOOKS)}
        if not choices.folder_a:
            values |= dict.fromkeys(("folder_a", "min_patients", "map_key", "mm"))
        index = self._tabs.selected_index or 0
        return Bookmark(**values, page=self._pages[index] if index else "")

    def restore(self, bookmark: Bookmark, faults: Sequence[InputError] = ()) -> None:
        """Make these choices: folders and atlas at once, what depends on them when they are read.

        Parameters
        ----------
        bookmark : Bookmark
        faults : sequence of InputError
            Why other choices cannot be made, to be told then.
        """
        choices = self._desk.choices
        self._awaited, self._faults = bookmark, tuple(faults)
        self._tabs.selected_index = self._pages.index(bookmark.page or self._pages[0])
        with choices.hold_trait_notifications():
            if bookmark.folder_a is not None:
                choices.folder_a, choices.folder_b = bookmark.folder_a, bookmark.folder_b
                choices.where_a, choices.where_b = bookmark.where_a, bookmark.where_b
            if bookmark.atlas is not None:
                choices.atlas = bookmark.atlas
            choices.figure, choices.radiological = bookmark.figure, bookmark.radiological
        self._look()

    def save(self) -> None:
        """Let the browser save the choices as a file."""
        self._desk.saver.save(FILE_NAME, session_bytes(self.bookmark))

    def open_file(self, name: str, content: bytes) -> None:
        """Make the choices of a session file; one that cannot be used changes nothing."""
        self._desk.banner.clear()
        self.restore(read_session(shown(name), content, self._offer))

    def _addressed(self, text: str) -> None:
        is_first, self._is_open = not self._is_open, True
        values, faults = _read(text)
        bookmark, more = self._offer.check(values)
        if is_first and "folder_a" not in values:
            self._desk.open_first()
        if values or faults:
            self.restore(bookmark, (*faults, *more))
        else:
            self._write_later()

    def _look(self, _change: Any = None) -> None:
        """Go on when all observers of what is read have heard of it."""
        if self._awaited is not None:
            self._desk.on_loop(self._desk.banner.guard(self._go_on))

    def _go_on(self) -> None:
        """Make the choices that wait for the folders, if these are there, or cannot be."""
        bookmark = self._awaited
        if bookmark is None or not (self._is_shown("a") and self._is_shown("b")):
            return
        self._awaited = None
        if self._desk.choices.cohort_a:
            self._show_map(bookmark)
        if self._faults and not self._desk.banner.message:
            self._desk.banner.show(_one_error(self._faults))
        self._write_later()

    def _show_map(self, bookmark: Bookmark) -> None:
        choices = self._desk.choices
        wanted = bookmark.min_patients
        if wanted is not None:
            choices.min_patients = wanted  # lowered there to what is possible
            choices.lowered_from = wanted if wanted > choices.most_patients else 0
        if bookmark.map_key and (bookmark.map_key != "overlap" or choices.cohort_b):
            choices.map_key = bookmark.map_key
        if bookmark.mm is not None:
            choices.mm = bookmark.mm

    def _is_shown(self, side: str) -> bool:
        """Whether the cohort of a side is the one that is chosen."""
        choices = self._desk.choices
        folder = getattr(choices, f"folder_{side}")
        where = getattr(choices, f"where_{side}") if folder else ()
        shown_one = self._desk.session.origin(getattr(choices, f"cohort_{side}"))
        return bool(shown_one == (folder, where))

    def _write(self) -> None:
        if self._is_open and self._awaited is None:
            self.bar.text = to_address(self.bookmark)


def _read(text: str) -> tuple[dict[str, object], tuple[InputError, ...]]:
    try:
        return read_address(text), ()
    except InputError as error:
        return {}, (error,)


def _one_error(faults: Sequence[InputError]) -> InputError:
    """One sentence for all that a link asks for and is not here."""
    reasons = tuple(f"{fault.subject} {fault.problem}" for fault in faults)
    remedy = "the rest of it is shown"
    if len(reasons) == 1:
        return InputError("The link", reasons[0], remedy)
    problem = f"{len(reasons)} of its choices cannot be made here"
    return InputError("The link", problem, remedy, reasons)
