"""Who reads the masks of a folder: threads of this computer, or a cluster."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from ..errors import InputError, MissingFile, SetupError
from ..files import AnyPath, UrlPath, checksum
from ..grid import Grid
from ..images import Choice, Header, Lesion, find_lesion, read_header, read_stored, volume_grid

_THREADS = min(4, os.cpu_count() or 1)
_URL_THREADS = 16  # what lies behind a URL is waited for, not computed
_BATCH = 16  # masks that a thread reads before it hands them on
_AHEAD = 4  # batches read and not yet used, or one a thread: a slow user must not fill the memory

T = TypeVar("T")
R = TypeVar("R")

Job = tuple[AnyPath, Grid | None]
"""A mask to be read, with the grid that its header stated."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a mask's file holds.

    Parameters
    ----------
    voxels : int
        Lesioned voxels.
    notes : tuple of str
    sha256 : str
        Of the file.
    fingerprint : str
        Of the lesioned voxels.
    lesion : Lesion or None
        None where its runs were kept elsewhere.
    """

    voxels: int
    notes: tuple[str, ...]
    sha256: str
    fingerprint: str
    lesion: Lesion | None


class Reader(Protocol):
    """Reads headers and masks, each answer in the order of the question."""

    def headers(self, paths: Sequence[AnyPath]) -> Generator[Header | InputError]:
        """The header of every image of one volume, or why there is none."""

    def masks(self, jobs: Sequence[Job], choice: Choice) -> Generator[Opened | InputError]:
        """Every mask, or why it cannot be used."""


class Threads:
    """Reads on this computer: inflating releases the interpreter, and so does waiting.

    Parameters
    ----------
    local, remote : int
        How many masks are read together, of this computer's and of those behind a URL.
    """

    def __init__(self, local: int = _THREADS, remote: int = _URL_THREADS) -> None:
        self._local, self._remote = local, remote

    def headers(self, paths: Sequence[AnyPath]) -> Generator[Header | InputError]:
        """The header of every image; those behind a URL are asked for together."""
        is_remote = any(isinstance(path, UrlPath) for path in paths)
        return _in_threads(header_of, paths, self._remote if is_remote else 1)

    def masks(self, jobs: Sequence[Job], choice: Choice) -> Generator[Opened | InputError]:
        """Every mask, a few batches ahead of the one that is asked for."""
        is_remote = any(isinstance(path, UrlPath) for path, _ in jobs)
        read = partial(opened, choice=choice)
        return _in_threads(read, jobs, self._remote if is_remote else self._local)


def _in_threads(function: Callable[[T], R], items: Sequence[T], threads: int) -> Generator[R]:
    """Results in the order given, read in batches ahead of their use."""
    if threads == 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(threads)
    ahead: deque[Future[list[R]]] = deque()
    try:
        for first in range(0, len(items), _BATCH):
            batch = items[first : first + _BATCH]
            ahead.append(pool.submit(_each, function, batch))
            if len(ahead) > max(_AHEAD, threads):
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _each(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    return [function(item) for item in items]


def gone(path: AnyPath) -> InputError:
    """What is said of a file that was listed and is not found any more."""
    problem = "file not found, although it was listed a moment ago"
    return InputError(path, problem, "run this again when nobody moves files there")


def header_of(path: AnyPath) -> Header | InputError:
    """The header of an image of one volume, or why it cannot be used.

    Raises
    ------
    SetupError
        Where this machine lacks what is needed to read any file.
    """
    try:
        header = read_header(path)
        volume_grid(path, header)
    except SetupError:
        raise
    except MissingFile:
        return gone(path)
    except InputError as error:
        return error
    return header


def opened(job: Job, choice: Choice) -> Opened | InputError:
    """A mask, or why it cannot be used.

    Raises
    ------
    SetupError
        Where this machine lacks what is needed to read any file.
    """
    path, grid = job
    try:
        stored = read_stored(path)
        lesion = find_lesion(stored, choice)
    except SetupError:
        raise
    except MissingFile:
        return gone(path)
    except InputError as error:
        return error
    except MemoryError:
        return InputError(path, "not enough memory to read it")
    if lesion.grid != grid:
        return InputError(path, "changed during the run: its header is not what it was")
    fingerprint = checksum(lesion.starts.tobytes() + lesion.lengths.tobytes())
    return Opened(lesion.voxels, lesion.notes, stored.sha256, fingerprint, lesion)
