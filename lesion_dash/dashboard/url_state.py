"""Keeps the choices where one can come back to them, and comes back to them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

import ipywidgets as widgets

from ..cohort.file_choice import FileChoice
from ..core.errors import InputError
from .address import AddressBar, read_address, to_address, too_long_for
from .app_context import AppContext
from .atlas_use import AtlasUse
from .outline import key_of
from .page_inputs import shown
from .page_state import PageState, StateValidator, without_own
from .persisted_inputs import joined_error
from .session_file import FILE_NAME, read_session, session_bytes
from .tasks import ACTIVITY, QUIET, Debounce, running_loop
from .widgets.navigation import Navigation
from .widgets.session_menu import SessionMenu

_OF_COHORTS = ("folder_a", "folder_b", "where_a", "where_b", "files_a", "files_b")
_KEPT = (*_OF_COHORTS, "min_patients", "atlases", "map_key")
_OF_FIGURE = ("figure", "view", "plane", "slices", "figure_shade", "figure_size")
_OF_REGIONS = ("regions_of", "regions_by")
_LOOKS = (*_OF_FIGURE, *_OF_REGIONS, "radiological", "mm", "patient", "region")
_OF_FOLDERS = (
    "folder_a",
    "files_a",
    "files_b",
    "min_patients",
    "map_key",
    "mm",
    "patient",
    "region",
    "regions_of",
)
"""What is not told where no folder is chosen."""

_LACKING = "Too long for a link: the inputs of {}. “Save session” keeps them."
_OWN_LACKING = "Dropped files are not part of a link."


class UrlState:
    """The choices of the dashboard in the page's address and in session files.

    Parameters
    ----------
    context : AppContext
        Its panels are there already, and hear of every change before this does.
    navigation : Navigation
    pages : sequence of str
        Names of the pages.
    box : widgets.Box
        Holds the pages that are built.
    """

    def __init__(
        self,
        context: AppContext,
        navigation: Navigation,
        pages: Sequence[str],
        box: widgets.Box,
    ) -> None:
        self._context, self._navigation, self._pages = context, navigation, tuple(pages)
        self._box = box
        self._validator = StateValidator(context.session.root, self._pages)
        self._awaited: PageState | None = None
        self._region: tuple[str, int] | None = None  # of an atlas that is to be read first
        self._faults: list[InputError] = []
        self._is_open = False
        guard = context.banner.guard
        self.bar = AddressBar(guard(self._addressed))
        self.menu = SessionMenu(guard(self.save), guard(self.open_file))
        self._write_later = Debounce(QUIET, guard(self._settle))
        observed = [*_KEPT, *_LOOKS, "loaded_atlases"]  # how they are used as well
        context.choices.observe(lambda _: self._write_later(), names=observed)
        navigation.observe(lambda _: self._write_later(), names="selected_index")
        context.inputs.observe(self._write_later)
        came = ["cohort_a", "cohort_b", "folder_a", "folder_b", "loaded_atlases"]
        context.choices.observe(self._check, names=came)
        context.loading.observe(self._check, names="running")

    def begin(self) -> None:
        """Open what the address asks for, or the first folder, once a browser has said which.

        Until then the first folder is read already, but not shown: a link may ask for another.
        """
        ACTIVITY.begin()  # until then all is still to come
        if running_loop() is None:
            self._addressed("")  # no kernel, so that there is no browser to wait for
        else:
            self._context.read_ahead()

    @property
    def state(self) -> PageState:
        """The choices as they are now."""
        choices = self._context.choices
        values: dict[str, Any] = {name: getattr(choices, name) for name in (*_KEPT, *_LOOKS)}
        values["atlas_uses"] = self._context.session.uses_of(choices.atlases)
        if not choices.folder_a:
            usual = PageState()
            values |= {name: getattr(usual, name) for name in _OF_FOLDERS}
        index = self._navigation.selected_index
        page = self._pages[index] if index else ""
        return PageState(**values, page=page, inputs=self._context.inputs.values)

    def restore(self, state: PageState, faults: Sequence[InputError] = ()) -> None:
        """Make these choices: folders and atlases at once, what depends on them when they are read.

        Parameters
        ----------
        state : PageState
        faults : sequence of InputError
            Why other choices cannot be made, to be told then.
        """
        choices = self._context.choices
        self._awaited, self._faults = state, list(faults)
        atlases = choices.atlases if state.atlases is None else state.atlases
        listed = state.regions_of or next(iter(atlases), "")
        self._region = None if state.region is None else (listed, state.region)
        self._navigation.selected_index = self._pages.index(state.page or self._pages[0])
        session = self._context.session
        for folder, files in ((state.folder_b, state.files_b), (state.folder_a, state.files_a)):
            if folder:
                session.choose_files(folder, FileChoice.parse(files))
        for atlas, use in zip(atlases, chain(state.atlas_uses, repeat("")), strict=False):
            self._context.choose_use(atlas, AtlasUse.parse(use))
        with choices.hold_trait_notifications():
            if state.folder_a is not None:
                choices.folder_a, choices.folder_b = state.folder_a, state.folder_b
                choices.where_a, choices.where_b = state.where_a, state.where_b
            choices.atlases = atlases
            for name in (*_OF_FIGURE, *_OF_REGIONS, "radiological"):
                choices.set_trait(name, getattr(state, name))
        self._context.read_again()  # other files of the same folders
        self._check()

    def save(self) -> None:
        """Let the browser save the choices as a file."""
        self._context.saver.save(FILE_NAME, session_bytes(self.state))

    def open_file(self, name: str, content: bytes) -> None:
        """Make the choices of a session file; one that cannot be used changes nothing."""
        self._context.banner.clear()
        self.restore(read_session(shown(name), content, self._validator))

    def _addressed(self, text: str) -> None:
        is_first, self._is_open = not self._is_open, True
        if is_first:
            ACTIVITY.end()
        values, faults = _read(text)
        state, more = self._validator.check(values)
        if is_first and "folder_a" not in values:
            self._context.open_first()
        if values or faults:
            self.restore(state, (*faults, *more))
        else:
            self._write_later()

    def _check(self, _change: Any = None) -> None:
        """Go on when all observers of what is read have heard of it."""
        if self._is_waiting:
            self._context.on_loop(self._context.banner.guard(self._go_on))

    @property
    def _is_waiting(self) -> bool:
        """Whether choices are still to be made, so that those there are belong in no address."""
        return self._awaited is not None or self._region is not None

    def _go_on(self) -> None:
        """Make the choices that wait for folders or atlas, if these are there, or cannot be."""
        state = self._awaited
        if state is not None and self._is_shown("a") and self._is_shown("b"):
            self._awaited = None
            choices = self._context.choices
            if choices.cohort_a:
                self._faults += self._show_map(state)
            else:
                self._region = None
            self._faults += self._context.inputs.restore(state.inputs)
            self._write_later()
        if self._awaited is None and self._region is not None:
            self._show_region(*self._region)

    def _show_map(self, state: PageState) -> list[InputError]:
        """Make the choices that belong to the folders; returns why one of them cannot be made."""
        choices = self._context.choices
        min_patients = state.min_patients
        if min_patients is not None:
            choices.min_patients = min_patients  # lowered there to what is possible
            choices.lowered_from = min_patients if min_patients > choices.most_patients else 0
        if state.map_key and (state.map_key != "overlap" or choices.cohort_b):
            choices.map_key = state.map_key
        if state.mm is not None:
            choices.mm = state.mm
        is_listed = not state.patient or self._has(state.patient)
        choices.patient, choices.region = state.patient if is_listed else "", None
        problem = "is not a patient of the folders that are shown"
        return [] if is_listed else [InputError(shown(state.patient), problem)]

    def _has(self, patient: str) -> bool:
        """Whether a patient is among those of A or B."""
        session, choices = self._context.session, self._context.choices
        names = filter(None, (choices.cohort_a, choices.cohort_b))
        return any(
            key_of(session, name, listed) == patient
            for name in names
            for listed in session.load(name).used
        )

    def _show_region(self, atlas: str, label: int) -> None:
        """Ask for a region's patients once its atlas is read; not of another atlas."""
        choices = self._context.choices
        if atlas in choices.atlases and atlas not in choices.loaded_atlases:
            return  # it is being read
        self._region = None
        if choices.regions_atlas == atlas:
            atlas_read = self._context.session.atlas(atlas)
            labels = (
                {region.label for region in atlas_read.regions} if atlas_read is not None else set()
            )
            if label in labels:
                choices.region = label
            else:
                words = (
                    "is not a region of this atlas"
                    if labels
                    else "is a region, and there is no atlas"
                )
                self._faults.append(InputError(str(label), words))
        self._write_later()

    def _is_shown(self, side: str) -> bool:
        """Whether the cohort of a side is the one that is chosen."""
        choices = self._context.choices
        folder = getattr(choices, f"folder_{side}")
        where = getattr(choices, f"where_{side}") if folder else ()
        shown_source = self._context.session.origin(getattr(choices, f"cohort_{side}"))
        files = self._context.session.files_of(getattr(choices, f"cohort_{side}"))
        is_same = not folder or files == self._context.session.file_choice(folder)
        return bool(shown_source == (folder, where)) and is_same

    def _settle(self) -> None:
        """Once it is quiet, write the address, and say what of it cannot be made."""
        if self._is_waiting or not self._is_open:
            return
        whole = self.state
        state = without_own(whole)
        self.bar.text = to_address(state)
        titles = [self._navigation.titles[self._pages.index(page)] for page in too_long_for(state)]
        reasons = [_LACKING.format(", ".join(titles))] if titles else []
        self.menu.lacking = " ".join([*reasons, *([_OWN_LACKING] if state != whole else [])])
        if self._faults and not self._context.banner.message:
            self._context.banner.show(joined_error(self._faults))
        self._faults = []


def _read(text: str) -> tuple[dict[str, object], tuple[InputError, ...]]:
    try:
        return read_address(text), ()
    except InputError as error:
        return {}, (error,)
