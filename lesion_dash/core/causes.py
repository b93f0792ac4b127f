"""Why the system refused something: told by the number of the error, so that advice follows it."""

from __future__ import annotations

import errno
import socket
import tempfile
from typing import Literal

from .errors import InputError

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
