"""What can go wrong with what a user gives us."""

from __future__ import annotations

from os import PathLike, fspath


class LesionDashError(Exception):
    """Any problem that is to be told to the user as one sentence."""


class InputError(LesionDashError, ValueError):
    """A file or a value that cannot be used.

    Parameters
    ----------
    subject : str or path
        The file, folder or parameter the sentence is about.
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
        subject: str | PathLike[str],
        problem: str,
        remedy: str = "",
        details: tuple[str, ...] = (),
    ) -> None:
        # All go to Exception.args, so that the error survives pickling between processes.
        super().__init__(fspath(subject), problem, remedy, details)
        self.subject = fspath(subject)
        self.problem = problem
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}"

    @property
    def reason(self) -> str:
        """The sentence without the name of the file."""
        return f"{self.problem}; {self.remedy}" if self.remedy else self.problem


class Cancelled(LesionDashError):
    """The user stopped a long computation."""

    def __init__(self) -> None:
        super().__init__("stopped by the user; nothing was changed")
