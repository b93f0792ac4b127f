"""Readers of masks: threads of this computer, or the workers of a Dask cluster."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError, MissingFile, SetupError
from ..core.grid import Grid
from ..core.notes import note_on
from ..core.runs import BucketedRuns, bucketed, union_of_runs
from ..files.listing import confine_task, kept_roots
from ..files.paths import AnyPath, UrlPath
from ..files.reading import checksum
from ..images.masks import Binarization, Lesion, find_lesion, volume_grid
from ..images.nifti import Header
from ..images.reading import read_header, read_raw_image
from .dask import Cluster, RemoteResult, TaskFailed, connect, worker_address

THREADS = min(4, os.cpu_count() or 1)
"""Masks of this computer that are read together, arbitrary."""

_URL_THREADS = 16  # arbitrary: what lies behind a URL is waited for, not computed
_BATCH = 16  # masks that a thread reads before it hands them on, arbitrary
_AHEAD = 4  # batches read and not yet used, or one a thread: a slow user must not fill the memory

T = TypeVar("T")
R = TypeVar("R")

Job = tuple[tuple[AnyPath, Grid | None], ...]
"""The masks of a patient, to be read together, each with the grid that its header stated."""


@dataclass(frozen=True, slots=True)
class LoadedMask:
    """What the files of a patient hold, one or several that are taken together.

    Parameters
    ----------
    voxels : int
        Lesioned voxels, those in several files once.
    notes : tuple of str
        What is unusual about it, a sentence each.
    sha256 : tuple of str
        Of each file.
    fingerprint : str
        Of the lesioned voxels.
    lesion : Lesion or None
        None where it was handed on, or its runs are kept elsewhere.
    """

    voxels: int
    notes: tuple[str, ...]
    sha256: tuple[str, ...]
    fingerprint: str
    lesion: Lesion | None = None


class Reader(Protocol):
    """Reads headers and masks, each answer in the order of the question."""

    def headers(self, paths: Sequence[AnyPath]) -> Generator[Header | InputError]:
        """The header of every image of one volume, or why there is none."""

    def masks(
        self, jobs: Sequence[Job], choice: Binarization
    ) -> Generator[LoadedMask | InputError]:
        """Every patient's masks as one, or why they cannot be used."""


class Threads:
    """Reads on this computer: inflating releases the interpreter, and so does waiting.

    Parameters
    ----------
    local, remote : int
        How many masks are read together, of this computer's and of those behind a URL.
    """

    def __init__(self, local: int = THREADS, remote: int = _URL_THREADS) -> None:
        self._local, self._remote = local, remote

    def headers(self, paths: Sequence[AnyPath]) -> Generator[Header | InputError]:
        """The header of every image; those behind a URL are asked for together."""
        is_remote = any(isinstance(path, UrlPath) for path in paths)
        return _in_threads(_load_header, paths, self._remote if is_remote else 1)

    def masks(
        self, jobs: Sequence[Job], choice: Binarization
    ) -> Generator[LoadedMask | InputError]:
        """Every mask, a few batches ahead of the one that is asked for."""
        is_remote = any(isinstance(path, UrlPath) for job in jobs for path, _ in job)
        read = partial(_load_mask, choice=choice)
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
            ahead.append(pool.submit(list, map(function, batch)))
            if len(ahead) > max(_AHEAD, threads):
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _load_header(path: AnyPath) -> Header | InputError:
    """The header of an image of one volume, or why it cannot be used."""
    try:
        header = read_header(path)
        volume_grid(path, header)
    except SetupError:  # this machine lacks what is needed to read any file
        raise
    except MissingFile:
        return _gone(path)
    except InputError as error:
        return error
    return header


def _load_mask(job: Job, choice: Binarization) -> LoadedMask | InputError:
    """The masks of a patient as one, or why one of them cannot be used."""
    masks = list[LoadedMask]()
    for path, grid in job:
        mask = _load_file(path, grid, choice)
        if isinstance(mask, InputError):
            return mask
        masks.append(mask)
    return masks[0] if len(masks) == 1 else _taken_together(job, masks)


def _taken_together(job: Job, masks: Sequence[LoadedMask]) -> LoadedMask:
    """The union of a patient's masks, whose grids are the same but for their last digits."""
    lesions = [mask.lesion for mask in masks if mask.lesion is not None]
    runs = union_of_runs([(lesion.starts, lesion.lengths) for lesion in lesions])
    notes = tuple(
        note_on(path.name, note)
        for (path, _), mask in zip(job, masks, strict=True)
        for note in mask.notes
    )
    sums = tuple(sha256 for mask in masks for sha256 in mask.sha256)
    return _loaded(replace(lesions[0], starts=runs[0], lengths=runs[1], notes=notes), sums)


def _loaded(lesion: Lesion, sha256: tuple[str, ...]) -> LoadedMask:
    fingerprint = checksum(lesion.starts.tobytes() + lesion.lengths.tobytes())
    return LoadedMask(lesion.voxels, lesion.notes, sha256, fingerprint, lesion)


def _load_file(path: AnyPath, grid: Grid | None, choice: Binarization) -> LoadedMask | InputError:
    """A mask, or why it cannot be used."""
    try:
        raw = read_raw_image(path)
        lesion = find_lesion(raw, choice)
    except SetupError:
        raise
    except MissingFile:
        return _gone(path)
    except InputError as error:
        return error
    except MemoryError:
        return InputError(path, "not enough memory to read it")
    if lesion.grid != grid:
        return InputError(path, "changed during the run: its header is not what it was")
    return _loaded(lesion, (raw.sha256,))


def _gone(path: AnyPath) -> InputError:
    problem = "file not found, although it was listed a moment ago"
    return InputError(path, problem, "run this again when no files are being moved there")


_SMALLEST_CHUNK, _LARGEST_CHUNK = 64, 1024  # masks that a worker reads as one task, arbitrary
_CHUNKS = 1000  # arbitrary: a scheduler handles that many with ease, each in many pieces
_ONE = Threads(local=1, remote=4)  # a worker runs several tasks together already


class Unseen(InputError):
    """A file that a worker does not find, or of which it finds another.

    Attributes
    ----------
    size : int or None
        Bytes the file had on this computer, where the worker found another size.
    place : int
        Of the file among those of its patient.
    """

    size: int | None = None
    place: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as a worker is asked for it: not by a relative path, as its folder is another.

    By the size on this computer, None behind a URL and where the file is gone, a worker knows that
    it sees the same file. No link may lead out of the roots, see `confine_to`.
    """

    path: AnyPath
    size: int | None
    roots: tuple[Path, ...] = ()


SentJob = tuple[tuple[Sent, Grid | None], ...]
"""The masks of a patient to be read by a worker, each with the grid that its header stated."""


@dataclass(frozen=True, eq=False)
class ChunkReading:
    """What came of a chunk; its runs stay on the worker that read them.

    Parameters
    ----------
    results : list
        Each patient's masks as one, or why they cannot be used.
    ends : array of int64
        As those of `BucketedRuns`; empty where lesions are handed over whole.
    stamp : str
        Checksum of the lesions. A chunk that has to be read again must have the same.
    """

    results: list[LoadedMask | InputError]
    ends: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    stamp: str = ""


KeepChunk = Callable[[RemoteResult, ChunkReading], None]


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
        # A file is asked for its size when its chunk is due, not all of them at the start.
        chunks = ([_sent(path) for path in chunk] for chunk in self._chunks(paths))
        answers = self._cluster.map(_read_headers, chunks, _no_headers)
        headers = (header for part, _ in answers for header in part)
        for path, header in zip(paths, headers, strict=True):
            yield check_here(path, header)

    def masks(
        self, jobs: Sequence[Job], choice: Binarization
    ) -> Generator[LoadedMask | InputError]:
        """Every patient's masks."""
        read = partial(_read_chunk, choice, self._keep is not None)
        chunks = (
            [tuple((_sent(path), grid) for path, grid in job) for job in chunk]
            for chunk in self._chunks(jobs)
        )
        answers = self._cluster.map(
            read, chunks, lambda job, error: ChunkReading([_failed(job[0][0], error)])
        )
        waiting = iter(jobs)
        for reading, remote in answers:
            if self._keep is not None and reading.ends.size:
                self._keep(remote, reading)
            for result in reading.results:
                place = result.place if isinstance(result, Unseen) else 0
                yield check_here(next(waiting)[place][0], result)

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


def _read_headers(files: list[Sent]) -> tuple[list[Header | InputError], None]:
    paths = [file.path for file in files]
    with _on_this_worker(files), closing(_ONE.headers(paths)) as headers:
        pairs = zip(files, headers, strict=True)
        return [check_on_worker(file, header) for file, header in pairs], None


def _read_chunk(
    choice: Binarization, leave_runs: bool, jobs: list[SentJob]
) -> tuple[ChunkReading, BucketedRuns | None]:
    """Read masks with the functions that read them on one computer."""
    local = [tuple((file.path, grid) for file, grid in job) for job in jobs]
    files = [file for job in jobs for file, _ in job]
    with _on_this_worker(files), closing(_ONE.masks(local, choice)) as read:
        results = [_check_job(job, result) for job, result in zip(jobs, read, strict=True)]
    masks = [result for result in results if isinstance(result, LoadedMask)]
    # A file that could not be read is part of it: when the chunk is read again, it may be.
    prints = [each.fingerprint if isinstance(each, LoadedMask) else "" for each in results]
    stamp = checksum("\n".join(prints).encode())
    if not leave_runs:
        return ChunkReading(results, stamp=stamp), None
    lesions = [mask.lesion for mask in masks if mask.lesion]
    runs = bucketed([(lesion.starts, lesion.lengths) for lesion in lesions])
    summaries = [
        replace(each, lesion=None) if isinstance(each, LoadedMask) else each for each in results
    ]
    return ChunkReading(summaries, runs.ends, stamp), runs


@contextmanager
def _on_this_worker(files: Sequence[Sent]) -> Iterator[None]:
    try:
        with confine_task([*{root for file in files for root in file.roots}]):
            yield
    except SetupError as error:
        name = f"{error.subject} on the worker {worker_address()}"
        raise SetupError(name, error.problem, error.remedy) from None


def _sent(path: AnyPath) -> Sent:
    return Sent(path.absolute() if isinstance(path, Path) else path, _size(path), kept_roots())


def _size(path: AnyPath) -> int | None:
    """Bytes of a file here, None behind a URL or where there is none."""
    if isinstance(path, Path):
        with suppress(OSError):
            return path.stat().st_size
    return None


def _check_job(job: SentJob, result: LoadedMask | InputError) -> LoadedMask | InputError:
    """The result, or the first of a patient's files that this worker does not see."""
    for place, (file, _) in enumerate(job):
        checked = check_on_worker(file, result)
        if isinstance(checked, Unseen):
            checked.place = place
            return checked
    return result


def check_on_worker(file: Sent, result: T | InputError) -> T | InputError:
    """The result, or that this worker finds no such file, or another one of that name."""
    if isinstance(result, InputError) and not file.path.exists():
        problem = f"is not found by the worker {worker_address()}"
        remedy = "mount the folder at the same path on every worker, or use a URL"
        return Unseen(file.path, problem, remedy)
    size = _size(file.path)
    if file.size is not None and size is not None and size != file.size:
        problem = (
            f"has {size:,} bytes for the worker {worker_address()}, {file.size:,} on this "
            "computer: it sees another file of that name"
        )
        remedy = "mount the same folder at the same path on every worker, or use a URL"
        other = Unseen(file.path, problem, remedy)
        other.size = file.size
        return other
    return result


def check_here(path: AnyPath, result: T | InputError) -> T | InputError:
    """The result; an error where a file is there on this computer and not on a worker."""
    if not isinstance(result, Unseen):
        return result
    if not path.exists():
        return _gone(path)
    if result.size is not None and result.size != _size(path):
        return InputError(path, "changed during the run", "wait until it is copied whole")
    raise result


def _no_headers(file: Sent, error: TaskFailed) -> list[Header | InputError]:
    return [_failed(file, error)]


def _failed(file: Sent, error: TaskFailed) -> InputError:
    return InputError(file.path, f"reading it {error.what}", "look at this file")
