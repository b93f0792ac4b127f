"""Errors of what a user gives us: each a sentence that says how to go on."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike, fspath

from .text import printable


class LesionDashError(Exception):
    """Any problem that is to be told to the user as one sentence."""


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
    """The user stopped a long computation."""

    def __init__(self) -> None:
        super().__init__("stopped by the user; nothing was changed")
