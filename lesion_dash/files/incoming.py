"""Files that come in parts from elsewhere: names checked, sizes limited, written below a folder."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..core.errors import InputError
from ..core.system import NEW
from ..core.text import counted
from .listing import odd_name

_DEEPEST = 8  # folders above a file: study/derivatives/lesions/sub-01/ses-1/anat, and two more
_LONGEST_NAME, _LONGEST_PATH = 255, 1024  # bytes; the least that common file systems take
_KEPT_FREE = 500_000_000
"""Bytes that stay free on the disk, arbitrary: other programs write there as well."""


class Limits(NamedTuple):
    """The most that is taken.

    Parameters
    ----------
    total, per_file : int
        Bytes.
    files : int
    """

    total: int
    per_file: int
    files: int


class Offer(NamedTuple):
    """A file that somebody wants to send.

    Parameters
    ----------
    path : str
        As the sender names it, with forward slashes.
    size : int
        Bytes.
    """

    path: str
    size: int


@dataclass(frozen=True)
class Plan:
    """What is taken of an offer.

    Parameters
    ----------
    files : dict
        Places in the offer to the paths and sizes of the files taken, in their order.
    refused : dict
        Names of other files, as the sender has them, to the reason.
    """

    files: dict[int, Offer] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Bytes of all files taken."""
        return sum(size for _, size in self.files.values())


def portable_path(path: str) -> str:
    r"""Check a path that was made elsewhere, and give it as it is written here.

    Letters with accents are composed (NFC), as most systems write them.

    Raises
    ------
    InputError
        Where it leads elsewhere, or cannot be the name of a file on every system.

    Examples
    --------
    >>> portable_path("lesions/sub-01/lesion.nii.gz")
    'lesions/sub-01/lesion.nii.gz'
    >>> portable_path("lesions/../../etc/passwd")
    Traceback (most recent call last):
    lesion_dash.core.errors.InputError: lesions/../../etc/passwd: names a folder “..”; rename it
    """
    text = unicodedata.normalize("NFC", path)
    names = text.split("/")
    if fault := next(filter(None, map(_name_fault, names)), ""):
        raise InputError(path, fault, "rename it")
    if len(names) - 1 > _DEEPEST:
        raise InputError(path, f"lies in {len(names) - 1} folders, {_DEEPEST} are allowed")
    if len(text.encode()) > _LONGEST_PATH:
        raise InputError(path, f"has a path of more than {_LONGEST_PATH:,} bytes", "rename it")
    return text


def _name_fault(name: str) -> str:
    if not name:
        return "names no file, or a folder without a name"
    if name in {".", ".."}:
        return f"names a folder “{name}”"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "holds characters that cannot be written"
    if size > _LONGEST_NAME:
        return f"has a name of more than {_LONGEST_NAME} bytes"
    if "\\" in name or ":" in name:
        return "holds a backslash or a colon"
    if name[-1] in " .":
        return "has a name that ends with a space or a dot"
    return odd_name(name)


def plan_files(
    offers: Iterable[Offer], limits: Limits, reason_against: Callable[[str], str] = lambda _name: ""
) -> Plan:
    """Decide which files are taken, before any is sent.

    Parameters
    ----------
    offers : iterable of Offer
    limits : Limits
        The number of files and the bytes in all are of what is taken together.
    reason_against : callable, optional
        Given a file's name, the reason not to take it; empty for those that are taken.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        Where the files taken are too many, or too large together.

    Examples
    --------
    >>> offers = [Offer("a/sub-1.nii", 9), Offer("a/SUB-1.nii", 9), Offer("../sub-2.nii", 9)]
    >>> plan = plan_files(offers, Limits(100, 50, 10))
    >>> plan.files, plan.refused["../sub-2.nii"]
    ({0: Offer(path='a/sub-1.nii', size=9)}, 'names a folder “..”; rename it')
    """
    plan = Plan()
    known: dict[str, tuple[str, bool]] = {}
    for number, (path, size) in enumerate(offers):
        try:
            plain = portable_path(path)
            reason = reason_against(plain.rpartition("/")[2])
            if not reason and size > limits.per_file:
                reason = f"is {_mb(size)}, {_mb(limits.per_file)} are allowed"
            if not reason:
                _claim(plain, known)
                plan.files[number] = Offer(plain, size)
        except InputError as error:
            reason = error.reason
        if reason:
            plan.refused[path] = reason
    if len(plan.files) > limits.files:
        problem = f"{counted(len(plan.files), 'file')}, {limits.files:,} are allowed at once"
        raise InputError("the files", problem, "choose fewer of them")
    if plan.total > limits.total:
        problem = f"{_mb(plan.total)} together, {_mb(limits.total)} are allowed"
        raise InputError("the files", problem, "choose fewer of them, or compress them (.nii.gz)")
    return plan


def _claim(path: str, known: dict[str, tuple[str, bool]]) -> None:
    """Note the names on a path, or raise where one is another's but for its letters' case."""
    names = path.split("/")
    above = ["/".join(names[:depth]) for depth in range(1, len(names) + 1)]
    for name in above:
        other, is_file = known.get(name.casefold(), (name, name == path))
        if other != name:
            problem = f"differs from {other} in nothing but capitals"
            raise InputError(path, problem, "rename one of the two")
        if is_file != (name == path):
            raise InputError(path, f"{other} is both a file and a folder")
        if is_file and name.casefold() in known:
            raise InputError(path, "another file has the same name", "rename one of the two")
    known |= {name.casefold(): (name, name == path) for name in above}


class Receiver:
    """Writes the files of a plan into a folder, part by part.

    Parameters
    ----------
    folder : Path
        Is there already, and empty.
    plan : Plan

    Raises
    ------
    InputError
        Where the disk has no room for them.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        free = shutil.disk_usage(folder).free
        if plan.total and plan.total + _KEPT_FREE > free:
            problem = f"no room for {_mb(plan.total)} in the temporary folder of the server"
            raise InputError("the files", problem, "choose fewer of them")
        self._folder, self._plan = folder, plan
        self._finished: set[int] = set()
        self._number, self._descriptor, self._written = -1, -1, 0  # of the file that is open

    @property
    def done(self) -> int:
        """Files that are there."""
        return len(self._finished)

    @property
    def is_complete(self) -> bool:
        """Whether all files are there."""
        return self.done == len(self._plan.files)

    def write(self, number: int, start: int, content: bytes) -> None:
        """Write a part of a file; its parts come in their order, one file after the other.

        Parameters
        ----------
        number : int
            Place of the file in the offer.
        start : int
            Bytes of it that came before.
        content : bytes

        Raises
        ------
        InputError
            Where it is another part than the one that is awaited, or cannot be written.
        """
        if number not in self._plan.files or number in self._finished:
            raise InputError("the files", "one was sent that was not asked for", "try again")
        path, size = self._plan.files[number]
        is_open = self._descriptor >= 0
        is_awaited = (number, start) == ((self._number, self._written) if is_open else (number, 0))
        if not is_awaited or start + len(content) > size or (size and not content):
            raise InputError(
                path, "its parts came in another order than they were sent", "try again"
            )
        try:
            if not is_open:
                self._number, self._descriptor = number, self._create(path)
            while content:
                count = os.write(self._descriptor, content)
                self._written += count
                content = content[count:]
        except OSError as error:
            raise InputError(path, f"cannot be written ({error.strerror})") from None
        if self._written == size:
            self.close()
            self._finished.add(number)

    def close(self) -> None:
        """Write nothing any more to the file that is open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._number, self._descriptor, self._written = -1, -1, 0

    def _create(self, path: str) -> int:
        place = self._folder / path
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(place, NEW, 0o600)


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
