"""What all pages share: the choices, the session, the banner, and what reads masks and atlases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from ..cohort.file_choice import FileChoice
from ..cohort.selection import SeveralFilesError
from ..core.errors import Cancelled, InputError, LesionDashError
from .atlas_use import AtlasUse
from .controls import Banner, Saver
from .export import export
from .model.own_files import OwnFiles
from .persisted_inputs import PersistedInputs
from .save_field import saved_bytes
from .session import Session
from .state import Choices, Loading
from .tasks import CallQueue, Failed, Worker
from .widgets.appearance import Appearance

_FEW_FOLDERS = 3
_FEW_IMAGES = 100
"""With so few folders of so few images, the first is opened without being asked for."""

_ATLAS = "atlas "


@dataclass(eq=False)
class AppContext:
    """The choices of one user, what follows from them, and who is told.

    Parameters
    ----------
    session : Session
    """

    session: Session
    choices: Choices = field(default_factory=Choices)
    loading: Loading = field(default_factory=Loading)
    banner: Banner = field(init=False)
    saver: Saver = field(default_factory=Saver)
    appearance: Appearance = field(default_factory=Appearance)
    inputs: PersistedInputs = field(init=False)
    own: OwnFiles = field(init=False)

    def __post_init__(self) -> None:
        self.banner = Banner(self.session.root.without_paths)
        self.own = OwnFiles(self.session.root)
        self.inputs = PersistedInputs(self.banner.show)
        self.show_brain: Callable[[], None] = lambda: None  # where pages are in tabs, the first one
        self._calls = CallQueue()
        self._stop = threading.Event()
        self._turn = 0
        self._is_taking = False
        self._reader = Worker(lambda error: self._finish(self._turn, error), self._calls)
        self._workers: list[Worker] = []
        self.choices.atlas = self.session.root.first_named_atlas()
        guard = self.banner.guard
        self.choices.observe(guard(self._folder_chosen), names=["folder_a", "folder_b"])
        self.choices.observe(guard(self._conditions_chosen), names=["where_a", "where_b"])
        self.choices.observe(guard(self._atlases_chosen), names="atlases")
        self.choices.observe(guard(self._threshold_chosen), names="min_patients")

    @property
    def first_folder(self) -> str:
        """The folder that is opened unasked; empty where there are many, or large ones."""
        folders = self.session.root.cohorts
        is_small = 0 < len(folders) <= _FEW_FOLDERS and max(folders.values()) <= _FEW_IMAGES
        return next(iter(folders)) if is_small else ""

    def open_first(self) -> None:
        """Open the first atlas, and the first folder if it is small: there is something to see."""
        if self.first_folder:
            self.choices.folder_a = self.first_folder
        else:
            self._read_missing()

    def read_ahead(self) -> None:
        """Read what `open_first` would open, and show nothing; what fails will fail again then."""
        folder, atlas = self.first_folder, self.choices.atlas

        def read() -> None:
            if folder:
                self.session.load(folder)
            self.session.atlas(atlas)

        self.worker(lambda _error: None).submit(read, lambda _nothing: None)

    def cancel(self) -> None:
        """Stop reading; the choice before stays."""
        self._stop.set()

    def save(self, name: str) -> None:
        """Let the browser save one of the session's files."""
        read = partial(self.session.file_bytes, self.choices.selection)
        self.saver.save(name, saved_bytes(name, read))

    def export(self, results: Path) -> Path:
        """Write all of the session's files into a new folder below the results folder."""
        return export(self.session, self.choices.selection, results)

    def worker(self, failed: Failed | None = None) -> Worker:
        """A thread for the slow work of one panel; the banner shows what fails, or `failed`."""
        self._workers.append(Worker(failed or self.banner.show, self._calls))
        return self._workers[-1]

    def wait(self) -> None:
        """Wait until nothing is being read or worked on; an answer may ask for more of it."""
        while any(worker.join() for worker in (self._reader, *self._workers)):
            pass

    def choose_files(self, side: str, folder: str, files: FileChoice) -> None:
        """Let these files of a folder's patients count, and show the folder on one side."""
        self.session.choose_files(folder, files)
        if getattr(self.choices, f"folder_{side}") == folder:
            self.banner.clear()
            self._read_missing()
        else:
            self.choices.set_trait(f"folder_{side}", folder)

    def choose_use(self, atlas_name: str, use: AtlasUse) -> None:
        """Use an atlas in another way, and read it again where it is shown."""
        if use == self.session.use_of(atlas_name):
            return
        self.session.choose_use(atlas_name, use)
        if atlas_name in self.choices.atlases:
            self._take_atlases()
            self._read_missing()

    def read_again(self) -> None:
        """Read what is chosen and not there yet, such as other files of a folder that is shown."""
        if not self.loading.running:
            self._read_missing()

    def run_calls(self) -> None:
        """Do what threads have asked for so far, as a kernel's loop does by itself."""
        self._calls.run()

    def _folder_chosen(self, change: dict[str, Any]) -> None:
        name = change["new"]
        self.banner.clear()
        self.choices.set_trait(change["name"].replace("folder", "pending"), "")
        if name and name not in self.session.root.cohorts:
            self.choices.set_trait(change["name"], change["old"])
            self.session.root.cohort_folder(name)
        self._read_missing()

    def _conditions_chosen(self, _change: dict[str, Any]) -> None:
        if self._is_taking or not all(map(self.session.has, self._chosen_cohorts())):
            return  # they are taken with the folders
        self.banner.clear()
        self._take_folders()

    def _threshold_chosen(self, _change: dict[str, Any]) -> None:
        if not self._is_taking:
            self.choices.lowered_from = 0  # what the user wants now counts

    def _atlases_chosen(self, _change: dict[str, Any]) -> None:
        self.banner.clear()
        if self.choices.regions_of not in self.choices.atlases:
            self.choices.regions_of = ""
        self._read_missing()

    def _read_missing(self) -> None:
        """Read what is chosen and not there yet, beside the page, and take it."""
        self._turn += 1
        missing = self._missing()
        if not missing:
            self._settle()
            return
        self._stop.clear()
        self.loading.start(*self._in_words(missing[0]))
        self._reader.submit(self._read_chosen, partial(self._finish, self._turn))

    def _chosen_cohorts(self) -> list[str]:
        return [name for name in (self.choices.folder_a, self.choices.folder_b) if name]

    def _missing(self) -> list[tuple[str, str]]:
        """What is chosen and not there yet, each after the word for its kind; atlases last."""
        folders = [("", name) for name in self._chosen_cohorts() if not self.session.has(name)]
        atlases = [name for name in self.choices.atlases if not self.session.has_atlas(name)]
        return [*folders, *((_ATLAS, name) for name in atlases)]

    def _in_words(self, missing: tuple[str, str]) -> tuple[str, str]:
        """What is read, as the page calls it, and what of it is counted."""
        kind, name = missing
        return f"{kind}{self.session.root.words_of(name)}", "map" if kind == _ATLAS else "mask"

    def _read_chosen(self) -> Exception | None:
        """Read what is missing; what cannot be read does not stop the rest.

        Returns
        -------
        Exception or None
            The first thing that went wrong.
        """
        fault: Exception | None = None
        for kind, name in self._missing():
            self.on_loop(self._announce, kind, name)
            try:
                (self._read_atlas if kind == _ATLAS else self._read_folder)(name)
            except Cancelled as error:
                return fault or error
            except LesionDashError as error:
                fault = fault or self._of_own_files(name, error)
        return fault

    def _of_own_files(self, name: str, error: LesionDashError) -> LesionDashError:
        """The error; dropped files that make no cohort are removed, which it says."""
        root = self.session.root
        if not isinstance(error, InputError) or isinstance(error, SeveralFilesError):
            return error
        if not root.is_own(name) or name not in root.cohorts:
            return error
        self.own.reject_cohort(name)
        remedy = "; ".join(filter(None, [error.remedy, "files that are not images were deleted"]))
        # Once the choice of the folder was taken back.
        return InputError(error.subject, error.problem, remedy, error.details)

    def remove_own_files(self) -> None:
        """Delete what the visitor has dropped, and choose nothing of it any more."""
        root, choices = self.session.root, self.choices
        for name in ("folder_b", "folder_a"):
            if root.is_own(getattr(choices, name)):
                choices.set_trait(name, "")
        choices.atlases = tuple(name for name in choices.atlases if not root.is_own(name))
        self.own.remove()
        self.session.forget_own()
        root.announce()

    def _announce(self, kind: str, name: str) -> None:
        missing = self._missing()
        if (kind, name) not in missing:
            return  # the choice was taken back meanwhile
        self.loading.start(*self._in_words((kind, name)))
        if all(each == _ATLAS for each, _ in missing):
            self._take_folders()  # they need not wait for their atlases, nor these for each other
            if self.session.has_atlas(self.choices.atlas):
                self._take_atlases()

    def _take_atlases(self) -> None:
        """Use the atlases that are read, up to the first that is not."""
        self.choices.loaded_atlases = tuple(takewhile(self.session.has_atlas, self.choices.atlases))

    def _read_folder(self, name: str) -> None:
        unwanted = partial(self._is_unwanted, name)
        self.session.load(name, self._show_progress, unwanted, self._show_notice)

    def _is_unwanted(self, name: str) -> bool:
        return self._stop.is_set() or name not in self._chosen_cohorts()

    def _read_atlas(self, name: str) -> None:
        def show(done: int, total: int) -> None:
            if self._stop.is_set() or name not in self.choices.atlases:
                raise Cancelled
            self._show_progress(done, total)

        self.session.atlas(name, show)

    def _show_progress(self, done: int, total: int) -> None:
        # One step in fifty is enough for the eye, and each is a message to the browser.
        if done == total or done % max(total // 50, 1) == 0:
            self.on_loop(self.loading.show, done, total)

    def _show_notice(self, text: str) -> None:
        self.on_loop(self.loading.set_trait, "notice", text)

    def on_loop(self, action: Callable[..., None], *args: Any) -> None:
        """Call something on the kernel's own loop, from a thread; in `wait` without a kernel."""
        self._calls.add(action, *args)

    def _finish(self, turn: int, fault: Exception | None) -> None:
        if turn != self._turn:
            return  # something was chosen meanwhile, and the reading of that is still to come
        pending = self._pending_folders()
        self._settle()  # which takes the choice of such a folder back
        for side, folder in pending.items():
            self.choices.set_trait(f"pending_{side}", folder)
        if isinstance(fault, SeveralFilesError):
            remedy = "choose which count, under “Files that count”"
            fault = InputError(fault.subject, fault.problem, remedy)
        self.session.root.announce()  # of dropped files some may be gone
        if fault is not None:
            self.banner.show(fault)

    def _pending_folders(self) -> dict[str, str]:
        """Folders that are chosen and wait for a choice among their patients' files, by side."""
        chosen = {side: str(getattr(self.choices, f"folder_{side}")) for side in "ab"}
        return {
            side: folder
            for side, folder in chosen.items()
            if not self.session.has(folder) and self.session.pending_choice(folder)
        }

    def _settle(self) -> None:
        """Take what was read; a choice that could not be read goes back to the one before."""
        self.loading.running = False
        choices, is_read = self.choices, self.session.has_atlas
        chosen = choices.atlases
        before = choices.loaded_atlases[:1] if chosen and not is_read(chosen[0]) else ()
        read = tuple(dict.fromkeys(filter(is_read, (*before, *chosen))))
        choices.loaded_atlases = read
        choices.atlases = read
        self._take_folders()

    def _take_folders(self) -> None:
        self.banner.guard(self._take)(self._readable("a"), self._readable("b"))

    def _readable(self, side: str) -> str:
        folder = str(getattr(self.choices, f"folder_{side}"))
        if not folder or self.session.has(folder):
            return folder
        shown = str(getattr(self.choices, f"cohort_{side}"))
        before = self.session.origin(shown)[0]
        if before and not self.session.has(before):  # other files of it could not be read
            self.session.choose_files(before, self.session.files_of(shown))
        return before

    def _take(self, a: str, b: str) -> None:
        self._is_taking = True
        try:
            fault = self._take_cohorts({"a": a, "b": b})
        finally:
            self._is_taking = False
        if fault is not None:  # now, as taking back a choice clears the banner
            self.banner.show(fault)

    def _take_cohorts(self, folders: dict[str, str]) -> LesionDashError | None:
        """Show these folders, restricted as is asked; returns why a choice was taken back."""
        names, faults = {}, []
        for side, folder in folders.items():
            names[side], fault = self._part(side, folder)
            faults.append(fault)
        try:
            self.session.check_pair(names["a"], names["b"])
        except LesionDashError as error:
            names["b"] = folders["b"] = ""
            faults.append(error)
        self._show_cohorts(folders, names)
        return next((fault for fault in faults if fault is not None), None)

    def _part(self, side: str, folder: str) -> tuple[str, LesionDashError | None]:
        """The cohort to show; conditions that cannot be met go back to those before, or to none."""
        where = getattr(self.choices, f"where_{side}")
        try:
            return self.session.part(folder, where), None
        except LesionDashError as error:
            shown = str(getattr(self.choices, f"cohort_{side}"))
            before, conditions = self.session.origin(shown)
            if before != folder:
                shown, conditions = folder, ()
            setattr(self.choices, f"where_{side}", conditions)
            return shown, error

    def _show_cohorts(self, folders: dict[str, str], names: dict[str, str]) -> None:
        choices = self.choices
        a, b = names["a"], names["b"]
        had_b = bool(choices.cohort_b)
        most_patients = self.session.most_patients(a) if a else choices.most_patients
        with choices.hold_trait_notifications():
            choices.most_patients = most_patients
            # What a smaller cohort lowered rises again with a larger one.
            min_patients = max(choices.lowered_from, choices.min_patients)
            choices.lowered_from = min_patients if min_patients > most_patients else 0
            choices.min_patients = min(min_patients, most_patients)
            choices.folder_a, choices.folder_b = folders["a"], folders["b"]
            choices.files_a, choices.files_b = (
                str(self.session.file_choice(folder)) for folder in folders.values()
            )
            choices.cohort_a, choices.cohort_b = a, b
            if b and not had_b:
                choices.map_key = "overlap"
            elif choices.map_key == "overlap" and not b:
                choices.map_key = "n"
