"""The temporary folder of a running process, and those that killed ones left behind."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..core import system
from ..core.system import IS_WINDOWS, is_own

_PREFIX = "lesion_dash_"
_LOCK = ".lesion_dash.served"  # in no folder but those made here


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder of this process alone, removed at its end, or else by the next that asks for one.

    A process that is killed cannot remove its folder. Each therefore holds a lock on a file in
    its own: a lock ends with its process, however that ended. Not on Windows, where a file that is
    open can neither be renamed nor removed.

    Examples
    --------
    >>> with temporary_folder() as folder:
    ...     folder.is_dir()
    True
    >>> folder.exists()
    False
    """
    remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        if IS_WINDOWS:
            yield folder
            return
        with (folder / f"{_LOCK}.new").open("wb") as lock:
            system.lock(lock)
            # Under its own name the file is locked from the first moment on.
            (folder / f"{_LOCK}.new").rename(folder / _LOCK)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_temporary(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is one that `temporary_folder` made, of this process or of another."""
    return Path(folder).name.startswith(_PREFIX) and Path(folder, _LOCK).exists()


def remove_temporary(above: Path) -> None:
    """Remove the folders that a process which has ended made in this one."""
    for folder in above.glob(f"{_PREFIX}*"):
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned() -> None:
    """Remove the folders of this account whose processes no longer run; not on Windows."""
    if IS_WINDOWS:
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it is another account's, in use, or gone
            status = folder.lstat()
            if stat.S_ISDIR(status.st_mode) and is_own(status):
                # NFS locks only what is open for writing.
                with (folder / _LOCK).open("r+b") as lock:
                    system.lock(lock)
                    shutil.rmtree(folder)
