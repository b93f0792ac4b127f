"""What one operating system has and another lacks, with what is done where it is missing.

No other file uses such things, but for those of the kernels that Linux alone can confine and fork;
`tests/test_portable.py` compares every name with what Python has on Linux, macOS and Windows.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl
    import resource

IS_LINUX = sys.platform == "linux"
IS_WINDOWS = sys.platform == "win32"
"""There files have no mode, and one that is open can neither be renamed nor removed."""

# Files


def _flag(name: str) -> int:
    return int(getattr(os, name, 0))


# Without O_NONBLOCK, opening a named pipe waits for a writer for ever; without O_BINARY, Windows
# ends a file at its first 26 and changes its line ends. Without O_NOFOLLOW, which Windows lacks, a
# link is followed; making one takes an administrator there.
READ = os.O_RDONLY | _flag("O_NONBLOCK") | _flag("O_BINARY")
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _flag("O_NOFOLLOW") | _flag("O_BINARY")
"""Flags of `os.open`: to read any file, and to write one that is not there yet."""
_LOCK = os.O_RDWR | os.O_CREAT | _flag("O_NOFOLLOW")
_NO_LINK = _flag("O_NOFOLLOW")
# What may be searched need not be listed, where the system tells one from the other.
_FOLDER = (_flag("O_PATH") or os.O_RDONLY) | _flag("O_DIRECTORY")


def open_without_links(root: Path, parts: Sequence[str], flags: int) -> int:
    """Open a file, folder by folder from a root, where no part of its path is a link.

    Whoever puts a link there after the path was resolved and checked gains nothing by it; on
    Windows, which opens a path as a whole, they do.

    Parameters
    ----------
    root : Path
    parts : sequence of str
        Names of folders, and of the file.
    flags : int
        Of `os.open`.

    Returns
    -------
    int
        A descriptor.
    """
    if os.open not in os.supports_dir_fd:
        return os.open(root.joinpath(*parts), flags)
    *folders, name = parts or (".",)
    descriptor = os.open(root, _FOLDER)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER | _NO_LINK, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        return os.open(name, flags | _NO_LINK, dir_fd=descriptor)
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Make new names in a folder survive a power cut; Windows opens no folder."""
    if not IS_WINDOWS:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_at(file: IO[bytes], count: int, place: int, own: AbstractContextManager[Any]) -> bytes:
    """Read a part of an open file, as several threads may do at once.

    Parameters
    ----------
    file : file
    count, place : int
        Bytes, and those before them.
    own : lock
        Held on Windows, where a file has one place, which each thread moves.
    """
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), count, place)
    with own:
        file.seek(place)
        return file.read(count)


def lock(file: IO[Any]) -> None:
    """Lock a file as long as it is open here: the system frees it when the process ends.

    Raises
    ------
    OSError
        Where another process has locked it.
    """
    if sys.platform == "win32":
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Make a file and hold it locked; remove it at the end.

    Raises
    ------
    BlockingIOError
        Where another process holds it.
    OSError
        Where it cannot be made.
    """
    with os.fdopen(os.open(path, _LOCK, 0o666), "wb") as file:
        try:
            lock(file)
            # Whoever held it before us may have removed the file we opened.
            is_held = os.fstat(file.fileno()).st_ino == path.stat().st_ino
        except OSError:
            is_held = False
        if not is_held:
            raise BlockingIOError(f"{path} is locked")
        try:
            yield
        finally:
            # While it is locked: the next to open it would lose it otherwise.
            if not IS_WINDOWS:
                path.unlink(missing_ok=True)
    if IS_WINDOWS:
        with suppress(OSError):  # another process has opened it since
            path.unlink()


def is_own(status: os.stat_result) -> bool:
    """Whether a file is this account's, as all in the temporary folder is on Windows."""
    if sys.platform == "win32":
        own = True
    else:
        own = status.st_uid == os.getuid()
    return own


def wait_until_writable(stream: Any) -> None:
    """Wait until a stream that is full takes more; on Windows, where nothing tells, a moment."""
    if IS_WINDOWS:
        time.sleep(_MOMENT_S)
    else:
        select.select([], [stream], [])


_MOMENT_S = 0.01


def has_socket_files() -> bool:
    """Whether programs can listen at sockets in the file system; Python on Windows cannot."""
    import socket

    return hasattr(socket, "AF_UNIX")


# Memory and descriptors


OWN_GROUPS = Path("/proc/self/cgroup")
ALL_GROUPS = Path("/sys/fs/cgroup")
_OWN_STATUS = Path("/proc/self/status")
_FIRST_VERSION = ("memory.limit_in_bytes", "memory.usage_in_bytes")
_SECOND_VERSION = ("memory.max", "memory.current")


def memory_of_groups() -> Iterator[tuple[int, int]]:
    """Limit and use, in bytes, of the control groups of Linux this process belongs to.

    A container is one. No other system has them.
    """
    with suppress(OSError, ValueError, IndexError):
        for line in OWN_GROUPS.read_text(encoding="utf-8").splitlines():
            _, kinds, place = line.split(":", 2)
            if kinds == "memory":
                top, names = ALL_GROUPS / "memory", _FIRST_VERSION
            elif not kinds:
                top, names = ALL_GROUPS, _SECOND_VERSION
            else:
                continue
            group = top / place.lstrip("/")
            for folder in (group, *group.parents):
                with suppress(OSError, ValueError):  # no limit there, or it is called "max"
                    limit, used = (int((folder / name).read_text("ascii")) for name in names)
                    yield limit, used


def memory_left_to_process() -> int | None:
    """Bytes left of the limit of this process's data; None where there is none, or no Linux."""
    left = None
    if sys.platform == "linux":
        limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
        if limit != resource.RLIM_INFINITY:
            import psutil

            left = max(limit - int(psutil.Process().memory_info().data), 0)
    return left


def limit_memory(max_bytes: int) -> None:
    """Limit the data of this process, on Linux: what it asks for beyond is a MemoryError.

    The limit of the address space would not do: NumPy's and Python's threads reserve three times as
    much of it as a kernel ever uses, and data alone about 350 MB more.

    Parameters
    ----------
    max_bytes : int
        Bytes, from which on it gets no more.
    """
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard != resource.RLIM_INFINITY:
            max_bytes = min(max_bytes, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (max_bytes, max_bytes))


def peak_memory() -> int:
    """The most bytes this process, or a program it started, had.

    Where Linux hides /proc, this is an upper bound of it. On Windows programs do not count.
    """
    if sys.platform == "win32":
        import psutil

        peak = int(psutil.Process().memory_info().peak_wset)
    else:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # On Linux that begins with the memory of the process that started this one.
        with suppress(OSError):  # no Linux, or a process that may not read it
            if highest := re.search(r"VmHWM:\s*(\d+)", _OWN_STATUS.read_text("utf-8", "replace")):
                own = int(highest[1])
        programs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        # Kilobytes, but bytes on a Mac.
        peak = max(own, programs) * (1 if sys.platform == "darwin" else 1024)
    return peak


def trim_memory() -> bool:
    """Give memory that the C library holds free back to the system.

    Returns
    -------
    bool
        Whether the C library can; only that of GNU does.
    """
    library = _library()
    if library is None:
        return False
    library.malloc_trim(0)
    return True


@cache
def _library() -> Any | None:
    import ctypes

    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "malloc_trim") else None
    except (OSError, TypeError):
        return None


def raise_descriptors(most: int) -> int:
    """Let this process have as many descriptors as it may and can use.

    Parameters
    ----------
    most : int
        That it can use.

    Returns
    -------
    int
        Descriptors it may have now.

    Examples
    --------
    >>> raise_descriptors(1000) > 0
    True
    """
    if sys.platform == "win32":
        number = _DESCRIPTORS_OF_SELECT
    else:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        number = most if soft == resource.RLIM_INFINITY else soft
        limit = most if hard == resource.RLIM_INFINITY else min(hard, most)
        if soft != resource.RLIM_INFINITY and soft < limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            number = limit
    return number


_DESCRIPTORS_OF_SELECT = 512  # of Windows; it has no other limit

# Processes


KILLED = -9
"""Exit code that `subprocess` gives where a process was ended by force, but for Windows."""


def kill_group(leader: int) -> None:
    """End what is left of the processes that one started, which led a session; not on Windows."""
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def kill_own_group() -> None:
    """End this process with its group, where it leads one."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
