"""Errors of what a user gives us: each a sentence that says how to go on, by what caused it."""

from __future__ import annotations

import errno
import socket
import tempfile
from collections.abc import Iterable
from os import PathLike, fspath
from typing import Literal

from .text import printable


class LesionDashError(Exception):
    """Base class of this package's errors; its text is one sentence for the user.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> try:
    ...     load_cohort("sample_data/cohort_c")
    ... except LesionDashError as error:
    ...     print(error)
    sample_data/cohort_c: folder not found; check the spelling of the path
    """


class InputError(LesionDashError, ValueError):
    """A file or a value that cannot be used, in a sentence on one line.

    What its parts hold of a user's data, such as the name of a file, makes no lines and steers no
    terminal: see :func:`~lesion_dash.core.text.printable`.

    Parameters
    ----------
    subject : str or path
        The file, folder, URL or parameter the sentence is about.
    problem : str
        What was found, with the value, and the rule it breaks.
    remedy : str, optional
        What the user can do about it.
    details : tuple of str, optional
        A line for each part of the problem, such as every file that was refused.

    Examples
    --------
    >>> str(InputError("sub-01.nii", "holds no voxels", "copy the file again"))
    'sub-01.nii: holds no voxels; copy the file again'
    """

    def __init__(
        self,
        subject: object,
        problem: str,
        remedy: str = "",
        details: tuple[str, ...] = (),
    ) -> None:
        name = printable(str(fspath(subject) if isinstance(subject, PathLike) else subject))
        problem, remedy = printable(problem), printable(remedy)
        details = tuple(map(printable, details))
        # All go to Exception.args, so that the error survives pickling between processes.
        super().__init__(name, problem, remedy, details)
        self.subject = name
        self.problem = problem
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}"

    @property
    def reason(self) -> str:
        """The sentence without the name of the file."""
        return f"{self.problem}; {self.remedy}" if self.remedy else self.problem


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Raise InputError where the value of a parameter is not one of its choices."""
    if value not in choices:
        raise InputError(name, f"is {value!r}", f"choose one of {', '.join(choices)}")


class SetupError(InputError):
    """Something is missing on a machine, and no fault of the file that was to be read there."""


class NotBinary(InputError):
    """An image that was to be a binary mask, and holds more values than two.

    Attributes
    ----------
    labels : tuple of int
        The labels above 0 where it is a label map, empty otherwise.
    threshold : float, str or None
        One that makes a mask of it where it is a map of probabilities.
    """

    labels: tuple[int, ...] = ()
    threshold: float | str | None = None


class MissingFile(InputError):
    """A file that is not there."""


class NotFetched(InputError):
    """A placeholder of a file whose content was not fetched, as of git-annex or Git LFS."""


class Cancelled(LesionDashError):
    """The user stopped a long computation, such as `load_cohort` by its `cancelled`.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> try:
    ...     load_cohort("sample_data/cohort_a", cancelled=lambda: True)
    ... except Cancelled as error:
    ...     print(error)
    stopped by the user; nothing was changed
    """

    def __init__(self) -> None:
        super().__init__("stopped by the user; nothing was changed")


# Why the system refused something: told by the number of its error, so that advice follows it.

Cause = Literal["full", "closed", "network", "memory", ""]

_NUMBERS: dict[Cause, tuple[str, ...]] = {
    "full": ("ENOSPC", "EDQUOT"),
    "closed": ("EACCES", "EPERM", "EROFS", "ENOTDIR", "ENOENT", "ELOOP", "EISDIR"),
    "network": (
        "ENETDOWN", "ENETUNREACH", "EHOSTDOWN", "EHOSTUNREACH",
        "ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "ETIMEDOUT",
    ),
    "memory": ("ENOMEM",),
}  # fmt: skip
# Not each system has them all.
_CAUSES = {
    number: cause
    for cause, names in _NUMBERS.items()
    for name in names
    if (number := getattr(errno, name, None)) is not None
}


def cause_of(error: BaseException) -> Cause:
    """Why the system refused something.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str
        ``full``: no space is left; ``closed``: a file or folder may not be used, or there is none;
        ``network``: no connection; ``memory``; empty where it is none of them.

    Examples
    --------
    >>> cause_of(OSError(28, "No space left on device")), cause_of(ValueError("damaged"))
    ('full', '')
    """
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, (ConnectionError, TimeoutError, socket.gaierror)):
        return "network"
    return _CAUSES.get(getattr(error, "errno", None) or 0, "")


def temporary_fault(problem: str, error: OSError) -> InputError:
    """The error a user sees where the folder for temporary files cannot be used.

    Examples
    --------
    >>> temporary_fault("cannot be used", OSError(28, "No space left on device")).reason
    'cannot be used (No space left on device); free some space there, or name another in TMPDIR'
    """
    try:
        place = tempfile.gettempdir()
    except OSError:  # there is none
        place = "TMPDIR"
    is_full = cause_of(error) == "full"
    remedy = "free some space there, or name another" if is_full else "name another folder"
    return InputError(place, f"{problem} ({error.strerror or error})", f"{remedy} in TMPDIR")
