"""A process gives up files for good, as do all that it starts: Landlock, a part of Linux.

See https://docs.kernel.org/userspace-api/landlock.html, and ``prctl(2)``.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

# <linux/landlock.h>; the system calls have these numbers wherever NumPy has wheels for Linux.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_TELL_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << n for n in range(6))
_MAKE_DIR, _MAKE_REG, _MAKE_SOCK, _REFER, _TRUNCATE = (1 << n for n in (7, 8, 9, 13, 14))
_RIGHTS_OF_VERSION = (0, 13, 14, 15, 15, 16)  # how many there are; later versions have 16 as well
_SCOPES_SINCE, _SCOPES = 6, 0b11  # abstract sockets, signals
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
# <linux/prctl.h>
_SET_DUMPABLE, _SET_NO_NEW_PRIVILEGES = 4, 38

LIST = _READ_DIR
READ = _READ_FILE | LIST
RUN = READ | _EXECUTE
WRITE = READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG
WRITE |= _MAKE_SOCK | _REFER | _TRUNCATE


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _Rule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def landlock_version() -> int:
    """The version of Landlock that this system has; 0 where it has none.

    Examples
    --------
    >>> landlock_version() >= 0
    True
    """
    if sys.platform != "linux":
        return 0
    try:
        return _call("syscall", _CREATE_RULESET, None, 0, _TELL_VERSION)
    except OSError:  # an old kernel, one without it, or a container that forbids the question
        return 0


def confine(allowed: Iterable[tuple[str | os.PathLike[str], int]]) -> None:
    """Give up all files but these, and signals and abstract sockets of other processes.

    It holds for the thread that calls, so this is the first thing that a process does. What was
    opened before stays open.

    Parameters
    ----------
    allowed : iterable of (path, int)
        A file, or a folder with all that is below it, and `LIST`, `READ`, `RUN` or `WRITE`; those
        that are missing are passed over.

    Raises
    ------
    OSError
        Where the system has no Landlock, or refuses.
    """
    version = landlock_version()
    known = (1 << _RIGHTS_OF_VERSION[min(version, len(_RIGHTS_OF_VERSION) - 1)]) - 1
    rules = _Ruleset(files=known, scopes=_SCOPES if version >= _SCOPES_SINCE else 0)
    size = ctypes.sizeof(rules)
    ruleset = _call("syscall", _CREATE_RULESET, ctypes.byref(rules), size, 0)
    for path, rights in allowed:
        with suppress(OSError):
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            fitting = rights if Path(path).is_dir() else rights & _FILE_RIGHTS
            rule = _Rule(rights=fitting & known, descriptor=descriptor)
            _call("syscall", _ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
            if rights == RUN:
                os.close(descriptor)
            # Others stay open: a rule names what the system holds in memory of a file, which it
            # would forget of an automatic mount and of an entry of /proc.
    _call("prctl", _SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _call("syscall", _RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def keep_memory_private() -> None:
    """Let no other process of this account read memory and environment of this one.

    Programs that this one starts are not covered.
    """
    if sys.platform == "linux":
        _call("prctl", _SET_DUMPABLE, 0, 0, 0, 0)


def _call(function: str, *given: object) -> int:
    """Call a variadic function of the C library, whose integers are all of the size of long."""
    library = ctypes.CDLL(None, use_errno=True)
    called = getattr(library, function)
    called.restype = ctypes.c_long
    answer = called(
        *(ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in given)
    )
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(answer)
