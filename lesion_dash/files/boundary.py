"""Folders out of which no link leads: what is read below them lies below them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from ..errors import InputError
from .listing import halves_of

_roots: dict[Path, Path] = {}
"""The folders of this process, as they are named, to where they lie with links resolved."""

_roots_of_task: ContextVar[dict[Path, Path]] = ContextVar("_roots_of_task")
"""Those of the task that runs in this thread, where a worker of a cluster runs it."""

# What may be searched need not be listed, where the system tells one from the other.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def keep_within(root: Path) -> None:
    """From now on, read a file named below a folder only where it also lies there.

    Links within the folder are followed, such as those of git-annex to its store; those that lead
    out of it are refused. This holds for all threads of this process, and for every read: all of
    them go through `open_kept`.

    Parameters
    ----------
    root : Path
    """
    _roots.update(_named(root))


def kept_roots() -> tuple[Path, ...]:
    """The folders that were given to `keep_within`, for a task that another process runs."""
    return tuple(_roots)


@contextmanager
def keep_in_task(roots: Sequence[Path]) -> Iterator[None]:
    """The same as `keep_within` for what this thread reads within the block, and nothing else."""
    token = _roots_of_task.set({key: real for root in roots for key, real in _named(root).items()})
    try:
        yield
    finally:
        _roots_of_task.reset(token)


def _named(root: Path) -> dict[Path, Path]:
    real = Path(os.path.realpath(root))
    return {Path(os.path.abspath(root)): real, real: real}


def is_kept(path: Path) -> bool:
    """Whether a file named below such a folder lies there, of a pair both files."""
    roots = _roots_above(path)
    places = [Path(os.path.realpath(half)) for half in {path, *halves_of(path)}]
    return bool(roots) and all(place.is_relative_to(root) for place in places for root in roots)


def open_kept(path: Path, flags: int) -> int:
    """Open a file and give its descriptor, where it does not lead out of a folder it is kept in.

    Raises
    ------
    InputError
        Where it does.
    OSError
        Where it cannot be opened.
    """
    roots = _roots_above(path)
    if not roots:
        return os.open(path, flags)
    real = Path(os.path.realpath(path))
    if not all(real.is_relative_to(root) for root in roots):
        problem = "is reached by a link that leads out of the data root"
        raise InputError(path, problem, "put the file itself where the link is")
    return _open_unlinked(roots[0], real, flags)


def _roots_above(path: Path) -> list[Path]:
    named = Path(os.path.abspath(path))
    found = (
        roots.get(folder)
        for roots in (_roots, _roots_of_task.get({}))
        for folder in (named, *named.parents)
    )
    return [root for root in found if root is not None]


def _open_unlinked(root: Path, real: Path, flags: int) -> int:
    """Open a file, folder by folder from the root, where no part of its path is a link.

    Whoever puts a link there after the path was resolved and checked gains nothing by it.
    """
    if os.open not in os.supports_dir_fd:  # Windows
        return os.open(real, flags)
    *folders, name = real.relative_to(root).parts or (".",)
    descriptor = os.open(root, _FOLDER)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER | _NO_LINK, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        return os.open(name, flags | _NO_LINK, dir_fd=descriptor)
    finally:
        os.close(descriptor)
