"""The visitor's own files: in a temporary folder of the session, and gone with it."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ...atlas.finding import find_label_table
from ...atlas.formats import has_table_ending
from ...cohort.participants import FILE_NAMES as PARTICIPANTS_NAMES
from ...core.errors import InputError
from ...core.text import counted
from ...files.contents import is_workbook, name_finding
from ...files.incoming import Limits, Offer, Plan, Receiver, plan_files
from ...files.listing import halves_of, has_image_ending
from ...files.temporary import temporary_folder
from ..data_root import OWN_FILES, DataRoot
from .folder_tree import ImageKind, check_whole, kind_of

LIMITS = Limits(total=1_000_000_000, per_file=256_000_000, files=5_000)
"""Arbitrary: 1,449 masks of 1 mm take 17 MB compressed, and a scan of 0.7 mm some 30 MB."""

_LOOSE = "My masks"
"""The folder of images that were dropped without one."""


@dataclass(frozen=True)
class Drop:
    """What came of files that were dropped together.

    Parameters
    ----------
    number : int
        Of the drop in this session; no two have the same.
    images : int
        How many of the files are images.
    cohorts, atlases : tuple of str
        Names under which these are listed now.
    renamed : dict
        Names of folders before, of a drop that tables were added to, to those now.
    rejected : dict
        Files that were removed again, to the reason.
    notes : tuple of str
        What was done with them, a sentence each.
    """

    number: int
    images: int
    cohorts: tuple[str, ...] = ()
    atlases: tuple[str, ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def now_called(self, name: str) -> str:
        """What a folder or an atlas is called now; as before, where it is not of this drop."""
        for before, now in self.renamed.items():
            if f"{name}/".startswith(f"{before}/"):
                return now + name.removeprefix(before)
        return name


class OwnFiles:
    """The files that a visitor has dropped: received, listed below the data root, and removed.

    Each drop is a folder of its own, whose number is never used again: what was worked out from an
    earlier one stays true.

    Parameters
    ----------
    root : DataRoot
        Lists them beside its own folders.
    limits : Limits
        Of all drops of the session together; the largest file, and the number of files, of each.
    """

    def __init__(self, root: DataRoot, limits: Limits = LIMITS) -> None:
        self._root, self._limits = root, limits
        self._stack = ExitStack()
        self._folder: Path | None = None
        self._number = 0
        self._close = weakref.finalize(self, self._stack.close)

    def plan(self, offers: Iterable[Offer]) -> Plan:
        """Decide which files are taken, see `plan_files`."""
        left = self._limits._replace(total=self._limits.total - self.size)
        plan = plan_files(offers, left, _reason_against)
        paths = [PurePosixPath(offer.path) for offer in plan.files.values()]
        has_loose = any(len(path.parts) == 1 and has_image_ending(path.name) for path in paths)
        files = {
            number: Offer(_arranged(path, has_loose), offer.size)
            for path, (number, offer) in zip(paths, plan.files.items(), strict=True)
        }
        return Plan(files, plan.refused)

    @property
    def size(self) -> int:
        """Bytes of all files there are."""
        return sum(path.stat().st_size for path in _files_below(self._drops))

    def receive(self, plan: Plan) -> Receiver:
        """Begin to receive files; what was received before and not kept is removed."""
        self.discard()
        self._incoming.mkdir(mode=0o700)
        return Receiver(self._incoming, plan)

    def discard(self) -> None:
        """Remove what was received and not kept."""
        if self._folder is not None:
            shutil.rmtree(self._incoming, ignore_errors=True)

    def keep(self) -> Drop:
        """List what was received; images that cannot be read are removed.

        Tables alone are added to the files that were dropped last, beside their images.

        Raises
        ------
        InputError
            Where there are tables alone, and no images were dropped before.
        """
        images = [path for path in _files_below(self._incoming) if has_image_ending(path.name)]
        last = self._last
        if not images and last is None:
            self.discard()
            raise InputError("the tables", "came without images", "drop the masks with them")
        self._number += 1
        place = self._drops / str(self._number)
        self._drops.mkdir(mode=0o700, exist_ok=True)
        notes: tuple[str, ...] = ()
        if images or last is None:
            self._incoming.rename(place)
            notes = _name_participants(place)
        else:
            notes = _add_tables(self._incoming, last)
            last.rename(place)
        before = "" if images or last is None else f"{OWN_FILES}/{last.name}"
        self._root.set_own(self._drops)
        rejected = self._reject(place)
        start = f"{OWN_FILES}/{self._number}"
        return Drop(
            self._number,
            len(images),
            tuple(name for name in self._root.cohorts if _is_below(name, start)),
            tuple(name for name in self._root.atlases if _is_below(name, start)),
            {before: start} if before else {},
            rejected,
            notes,
        )

    def _reject(self, place: Path) -> dict[str, str]:
        """Remove images that cannot be read; a cohort lists its own when it is read."""
        cohorts = {
            path
            for name in self._root.cohorts
            if self._root.is_own(name)
            for path in self._root.masks_in(name)
        }
        rejected = {}
        for path in _files_below(place):
            if has_image_ending(path.name) and path not in cohorts:
                reason = check_whole(path) if path.exists() else ""
                if reason:
                    rejected[path.relative_to(place).as_posix()] = reason
                    _remove_image(path)
        if rejected:
            self._tidy(place)
        return rejected

    def reject_cohort(self, name: str) -> None:
        """Remove the images of a folder that makes no cohort, but for those that are other images.

        Parameters
        ----------
        name : str
            As the folder is listed.
        """
        for path in self._root.masks_in(name):
            is_other = kind_of(path)[0] in (ImageKind.OTHER, ImageKind.SERIES)
            if not is_other or check_whole(path):
                _remove_image(path)
        self._tidy(self._drops / name.removeprefix(f"{OWN_FILES}/").partition("/")[0])

    def _tidy(self, place: Path) -> None:
        """Remove a drop without images, and list what is left."""
        if not any(has_image_ending(path.name) for path in _files_below(place)):
            shutil.rmtree(place, ignore_errors=True)
        self._root.set_own(self._drops if self._last is not None else None)

    def remove(self) -> None:
        """Remove all files."""
        self._root.set_own(None)
        if self._folder is not None:
            shutil.rmtree(self._drops, ignore_errors=True)
        self.discard()

    def close(self) -> None:
        """Remove all files and their folder; the end of the process does the same."""
        self._root.set_own(None)
        self._close()

    @property
    def _last(self) -> Path | None:
        """The newest drop that is still there."""
        places = [*self._drops.iterdir()] if self._drops.is_dir() else []
        return max(places, key=lambda place: int(place.name), default=None)

    @property
    def _top(self) -> Path:
        """The folder of the session, made when it is first needed."""
        if self._folder is None:
            self._folder = self._stack.enter_context(temporary_folder())
        return self._folder

    @property
    def _drops(self) -> Path:
        return self._top / "files"

    @property
    def _incoming(self) -> Path:
        return self._top / "incoming"


def _reason_against(name: str) -> str:
    """Why a file is not asked for; empty for images and tables."""
    if name.startswith((".", "~$")):
        return "hidden file, or one of the system"
    path = Path(name)
    if has_image_ending(name) or has_table_ending(path) or is_workbook(name):
        return ""
    if path.suffix.lower() in (".tsv", ".json"):
        return ""
    finding = name_finding(name)
    return finding.reason if finding else "is neither an image nor a table"


def _arranged(path: PurePosixPath, has_loose: bool) -> str:
    """Where a file is written: images without a folder get one, with the tables beside them."""
    is_loose = len(path.parts) == 1
    return str(_LOOSE / path if is_loose and has_loose else path)


def _name_participants(place: Path) -> tuple[str, ...]:
    """Give the only table that is not a label table the name by which participants are read."""
    files = _files_below(place)
    tables = [path for path in files if path.suffix.lower() in (".tsv", ".csv")]
    if len(tables) != 1 or tables[0].name in PARTICIPANTS_NAMES or "_events" in tables[0].name:
        return ()
    beside = [path for path in files if path.parent == tables[0].parent]
    images = [path for path in beside if has_image_ending(path.name)]
    if any(find_label_table(image) == tables[0] for image in images):
        return ()
    tables[0].rename(tables[0].with_name(f"participants{tables[0].suffix.lower()}"))
    return (f"{tables[0].name} is taken as the participants table",)


def _add_tables(incoming: Path, place: Path) -> tuple[str, ...]:
    """Put tables beside the images of an earlier drop."""
    notes = _name_participants(incoming)
    folders = sorted(path for path in place.iterdir() if path.is_dir())
    target = folders[0] if len(folders) == 1 else place
    names = []
    for table in _files_below(incoming):
        table.replace(target / table.name)
        names.append(table.name)
    shutil.rmtree(incoming, ignore_errors=True)
    where = target.name if target != place else "the files dropped before"
    return (*notes, f"{counted(len(names), 'table')} added to {where}")


def _remove_image(path: Path) -> None:
    for half in halves_of(path):
        half.unlink(missing_ok=True)


def _files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _is_below(name: str, start: str) -> bool:
    return f"{name}/".startswith(f"{start}/")
