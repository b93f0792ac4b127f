"""Masks that are read by the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..compute import Cluster, Kept, connect, worker_address
from ..errors import InputError, SetupError
from ..files import AnyPath, checksum
from ..images import Choice, Header
from ..runs import BucketedRuns, bucketed
from .readers import Job, Opened, Reader, Threads

_SMALLEST_CHUNK, _LARGEST_CHUNK = 64, 1024  # masks that a worker reads as one task
_CHUNKS = 1000  # a scheduler handles that many with ease, each in many pieces
_ONE = Threads(local=1, remote=4)  # a worker runs several tasks together already

T = TypeVar("T")


class Unseen(InputError):
    """A file that a worker does not find."""


@dataclass(frozen=True, eq=False)
class ChunkRuns:
    """The runs of a chunk's lesions, kept on the worker that read them.

    Parameters
    ----------
    runs : BucketedRuns
    stamp : str
        Checksum of the lesions. A chunk that has to be read again must have the same.
    """

    runs: BucketedRuns
    stamp: str


@dataclass(frozen=True, eq=False)
class ChunkReading:
    """What is told of a chunk: each mask or why it cannot be used, and how its runs are spread.

    Parameters
    ----------
    results : list
    ends : array of int64
        As those of `BucketedRuns`; empty where lesions are handed over whole.
    stamp : str
    """

    results: list[Opened | InputError]
    ends: NDArray[np.int64]
    stamp: str


KeepChunk = Callable[[Kept, ChunkReading], None]


class Workers:
    """Reads on the workers of a cluster, in chunks.

    Parameters
    ----------
    cluster : Cluster
    keep : callable, optional
        Given what every chunk left on the workers. Without it lesions come to this computer.
    """

    def __init__(self, cluster: Cluster, keep: KeepChunk | None = None) -> None:
        self._cluster = cluster
        self._keep = keep

    def headers(self, paths: Sequence[AnyPath]) -> Generator[Header | InputError]:
        """The header of every image."""
        chunks = self._chunks([_everywhere(path) for path in paths])
        for headers, _ in self._cluster.map(_headers_of, chunks, _no_header):
            yield from (_seen_here(header) for header in headers)

    def masks(self, jobs: Sequence[Job], choice: Choice) -> Generator[Opened | InputError]:
        """Every mask."""
        read = partial(_read_chunk, choice, self._keep is not None)
        chunks = self._chunks([(_everywhere(path), grid) for path, grid in jobs])
        for reading, kept in self._cluster.map(read, chunks, _no_mask):
            if self._keep is not None and reading.ends.size:
                self._keep(kept, reading)
            yield from (_seen_here(result) for result in reading.results)

    def _chunks(self, items: Sequence[T]) -> Iterator[list[T]]:
        size = max(_SMALLEST_CHUNK, min(_LARGEST_CHUNK, len(items) // _CHUNKS))
        # Few masks are shared out as well: four chunks a thread even out slow ones.
        size = max(1, min(size, -(-len(items) // (4 * self._cluster.threads))))
        return (list(items[first : first + size]) for first in range(0, len(items), size))


@contextmanager
def reader_on(scheduler: str | None) -> Iterator[Reader]:
    """Who reads: the workers behind a scheduler, or threads of this computer without one."""
    if scheduler is None:
        yield Threads()
        return
    with connect(scheduler) as cluster:
        yield Workers(cluster)


def stamp_of(results: Iterable[Opened | InputError]) -> str:
    """Checksum of all lesions of a chunk."""
    prints = [each.fingerprint if isinstance(each, Opened) else "" for each in results]
    return checksum("\n".join(prints).encode())


def _headers_of(paths: list[AnyPath]) -> tuple[list[Header | InputError], None]:
    with _on_this_worker(), closing(_ONE.headers(paths)) as headers:
        pairs = zip(paths, headers, strict=True)
        return [_found_here(path, header) for path, header in pairs], None


def _read_chunk(
    choice: Choice, leave_runs: bool, jobs: list[Job]
) -> tuple[ChunkReading, ChunkRuns | None]:
    """Read masks with the functions that read them on one computer."""
    with _on_this_worker(), closing(_ONE.masks(jobs, choice)) as masks:
        pairs = zip(jobs, masks, strict=True)
        results = [_found_here(path, mask) for (path, _), mask in pairs]
    stamp = stamp_of(results)
    if not leave_runs:
        return ChunkReading(results, np.empty(0, np.int64), stamp), None
    lesions = [each.lesion for each in results if isinstance(each, Opened) and each.lesion]
    runs = bucketed([(lesion.starts, lesion.lengths) for lesion in lesions])
    told = [replace(each, lesion=None) if isinstance(each, Opened) else each for each in results]
    return ChunkReading(told, runs.ends, stamp), ChunkRuns(runs, stamp)


@contextmanager
def _on_this_worker() -> Iterator[None]:
    try:
        yield
    except SetupError as error:
        name = f"{error.subject} on the worker {worker_address()}"
        raise SetupError(name, error.problem, error.remedy) from None


def _everywhere(path: AnyPath) -> AnyPath:
    """The same file for a worker, whose current folder is another."""
    return path.absolute() if isinstance(path, Path) else path


def _found_here(path: AnyPath, result: T | InputError) -> T | InputError:
    """The result, or that the file is not there at all on this worker."""
    if isinstance(result, InputError) and isinstance(path, Path) and not path.exists():
        problem = f"is not found by the worker {worker_address()}"
        remedy = "mount the folder at the same path on every worker, or use a URL"
        return Unseen(path, problem, remedy)
    return result


def _seen_here(result: T | InputError) -> T | InputError:
    """The result; an error where a file is there on this computer and not on a worker."""
    if not isinstance(result, Unseen):
        return result
    if Path(result.subject).exists():
        raise result
    return InputError(result.subject, "file not found", "check the spelling of the path")


def _no_header(path: AnyPath, workers: int) -> list[Header | InputError]:
    return [_ended(path, workers)]


def _no_mask(job: Job, workers: int) -> ChunkReading:
    return ChunkReading([_ended(job[0], workers)], np.empty(0, np.int64), "")


def _ended(path: AnyPath, workers: int) -> InputError:
    problem = f"reading it ended {workers} workers, out of memory perhaps"
    return InputError(path, problem, "look at this file")
