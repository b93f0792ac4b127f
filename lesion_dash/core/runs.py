"""Lesions as runs of neighbouring voxels, kept in buckets, in memory or on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import IO

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, temporary_fault
from .system import read_at

# Sums of whole numbers over a bucket take 64 KB each and stay in the processor's cache; a grid of
# 1 mm has about 900 buckets, enough to share between threads. Arbitrary between the two.
BUCKET = 8192
"""Voxels of a bucket."""

RUN = np.dtype([("volume", np.int32), ("start", np.int32), ("length", np.int32)])
"""A run, with the volume in voxels of the whole lesion that it is a part of."""

_FLUSH = 2**20  # arbitrary: runs kept in memory, 12 MB, before they are sorted into buckets

Runs = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Starts and lengths of runs, in ascending order and not touching each other."""

_BLOCK = 2048  # arbitrary: bytes that are compared with 0 together


def find_runs(indices: NDArray[np.int32]) -> Runs:
    """Runs of neighbouring voxels.

    Parameters
    ----------
    indices : array of int32
        Linear voxel positions in ascending order.

    Examples
    --------
    >>> starts, lengths = find_runs(np.array([3, 4, 5, 9], np.int32))
    >>> starts.tolist(), lengths.tolist()
    ([3, 9], [3, 1])
    """
    if indices.size == 0:
        return indices, indices
    firsts = np.append(0, np.flatnonzero(indices[1:] - indices[:-1] != 1) + 1)
    return indices[firsts], np.diff(firsts, append=indices.size).astype(np.int32)


def voxels_of(starts: NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.int32]:
    """The voxels of runs, in ascending order.

    Examples
    --------
    >>> voxels_of(np.array([3, 9], np.int32), np.array([3, 1], np.int32)).tolist()
    [3, 4, 5, 9]
    """
    ends = np.cumsum(lengths, dtype=np.int32)
    voxels = np.arange(ends[-1] if ends.size else 0, dtype=np.int32)
    voxels += np.repeat(starts - (ends - lengths), lengths)
    return voxels


def union_of_runs(several: Sequence[Runs]) -> Runs:
    """The runs of all voxels that are in any of several lesions on one grid.

    Examples
    --------
    >>> runs = [(np.array([3, 9]), np.array([3, 1])), (np.array([4, 10]), np.array([1, 2]))]
    >>> starts, lengths = union_of_runs(runs)
    >>> starts.tolist(), lengths.tolist()
    ([3, 9], [3, 3])
    """
    starts = np.concatenate([runs[0] for runs in several])
    order = np.argsort(starts, kind="stable")
    starts = starts[order]
    ends = np.concatenate([runs[0] + runs[1] for runs in several])[order]
    reached = np.maximum.accumulate(ends)
    is_first = np.append(True, starts[1:] > reached[:-1])[: starts.size]
    firsts = np.flatnonzero(is_first)
    lasts = reached[np.append(firsts[1:], starts.size)[: firsts.size] - 1]
    return starts[firsts].astype(np.int32), (lasts - starts[firsts]).astype(np.int32)


def runs_of_values(values: NDArray) -> tuple[Runs, float, bool]:
    """Runs of values that are not zero.

    Blocks of bytes are looked at together first: most of a brain is not lesioned. What remains is
    a few thousand places where a run begins or ends, however large the lesion.

    Parameters
    ----------
    values : array, shape (voxels,)

    Returns
    -------
    runs : Runs
    largest : float
        The largest value, 0 where there is none.
    is_one_value : bool
        Whether all values are 0 or the largest; False where one is NaN.

    Examples
    --------
    >>> runs, largest, is_one_value = runs_of_values(np.array([0, 7, 7, 0, 7], np.uint8))
    >>> runs[0].tolist(), runs[1].tolist(), largest, is_one_value
    ([1, 4], [2, 1], 7.0, True)
    """
    near, blocks = _blocks_with_values(values)
    width = near.shape[1]
    # A zero before each block, and one at the end, close every run within its block.
    padded = np.zeros((len(near) + 1, width + 1), np.bool_)
    np.not_equal(near, 0, out=padded[:-1, 1:])
    largest = near.max(initial=0)
    # Most masks are 0 and 1 in unsigned bytes: nothing else lies between.
    is_binary = largest == 1 and near.dtype.kind == "u"
    is_one_value = is_binary or (
        largest != 0 and bool(np.array_equal(near == largest, padded[:-1, 1:]))
    )
    flat = padded.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    rows = edges // (width + 1)
    places = blocks[rows] * width + edges - rows * (width + 1)
    starts, stops = places[0::2], places[1::2]
    # An end that coincides with the end of a block is found at the zero of the next one.
    stops = np.where(rows[1::2] != rows[0::2], (blocks[rows[0::2]] + 1) * width, stops)
    gaps = np.flatnonzero(starts[1:] != stops[:-1])
    starts = starts[np.append(0, gaps + 1)] if starts.size else starts
    stops = stops[np.append(gaps, stops.size - 1)] if stops.size else stops
    runs = starts.astype(np.int32), (stops - starts).astype(np.int32)
    return runs, float(largest), is_one_value


def _blocks_with_values(values: NDArray) -> tuple[NDArray, NDArray[np.int64]]:
    """The blocks in which any byte is not zero, shape (blocks, width), and their numbers."""
    width = _BLOCK // values.dtype.itemsize
    whole = values.size // width
    eight_bytes = values[: whole * width].view(np.uint64).reshape(whole, _BLOCK // 8)
    blocks = np.flatnonzero(np.bitwise_or.reduce(eight_bytes, axis=1))
    rest = values[whole * width :]
    if not rest.any():
        return values[: whole * width].reshape(whole, width)[blocks], blocks
    last = np.zeros((1, width), values.dtype)
    last[0, : rest.size] = rest
    near = np.concatenate([values[: whole * width].reshape(whole, width)[blocks], last])
    return near, np.append(blocks, whole)


@dataclass(frozen=True, eq=False)
class BucketedRuns:
    """Runs of several lesions, sorted by bucket; none reaches beyond its own.

    Parameters
    ----------
    runs : array of `RUN`
    ends : array of int64
        The runs of bucket b are ``runs[ends[b - 1]:ends[b]]``; later buckets have none.
    """

    runs: NDArray
    ends: NDArray[np.int64]

    def place(self, first: int, last: int) -> slice:
        """Where the runs of the buckets first..last lie, without the last one."""
        n = self.ends.size
        bounds = [int(self.ends[min(b, n) - 1]) if b and n else 0 for b in (first, last)]
        return slice(*bounds)

    def between(self, first: int, last: int) -> NDArray:
        """The runs of the buckets first..last, without the last one."""
        return self.runs[self.place(first, last)]


def bucketed(lesions: Sequence[Runs]) -> BucketedRuns:
    """The runs of lesions, cut where a bucket ends and sorted by bucket.

    Parameters
    ----------
    lesions : sequence of Runs
        One pair of starts and lengths a patient.

    Examples
    --------
    >>> lesion = np.array([8190], np.int32), np.array([5], np.int32)
    >>> bucketed([lesion]).between(1, 2).tolist()
    [(5, 8192, 3)]
    """
    sizes = [starts.size for starts, _ in lesions]
    volumes = [lengths.sum(dtype=np.int32) for _, lengths in lesions]
    if not sum(sizes):
        return BucketedRuns(np.empty(0, RUN), np.empty(0, np.int64))
    runs = np.empty(sum(sizes), RUN)
    runs["volume"] = np.repeat(np.array(volumes, np.int32), sizes)
    runs["start"] = np.concatenate([starts for starts, _ in lesions])
    runs["length"] = np.concatenate([lengths for _, lengths in lesions])
    runs = _cut_at_buckets(runs)
    # Sixteen bits sort by counting; a grid of more than 2**29 voxels is refused when it is read.
    buckets = (runs["start"] // BUCKET).astype(np.uint16)
    order = np.argsort(buckets, kind="stable")
    return BucketedRuns(runs[order], np.cumsum(np.bincount(buckets)))


def _cut_at_buckets(runs: NDArray) -> NDArray:
    """The same voxels in runs that end where a bucket does."""
    first = runs["start"] // BUCKET
    pieces = (runs["start"] + runs["length"] - 1) // BUCKET - first + 1
    long = np.flatnonzero(pieces > 1)
    if not long.size:
        return runs
    pieces = pieces[long]
    cut = np.repeat(runs[long], pieces)
    ends = np.cumsum(pieces)
    bucket = np.repeat(first[long], pieces) + np.arange(ends[-1]) - np.repeat(ends - pieces, pieces)
    stop = np.minimum(cut["start"] + cut["length"], (bucket + 1) * BUCKET)
    cut["start"] = np.maximum(cut["start"], bucket * BUCKET)
    cut["length"] = stop - cut["start"]
    return np.concatenate([np.delete(runs, long), cut])


class RunStore:
    """The runs of many patients, found again bucket by bucket.

    Parameters
    ----------
    file : binary file, optional
        Where runs go when about a million wait in memory; without it they stay in memory.
    """

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self._file = file
        self._waiting: list[Runs] = []
        self._count = 0
        self._parts: list[tuple[BucketedRuns, int]] = []
        self._lock = Lock()

    def add(self, starts: NDArray[np.int32], lengths: NDArray[np.int32]) -> None:
        """Add the next patient's runs."""
        self._waiting.append((starts, lengths))
        self._count += starts.size
        if self._count > _FLUSH:
            self.flush()

    def flush(self) -> None:
        """Sort the runs that wait into buckets."""
        if not self._waiting:
            return
        part, place = bucketed(self._waiting), 0
        self._waiting, self._count = [], 0
        if self._file is not None:
            place = _append(self._file, part.runs.data)
            part = BucketedRuns(np.empty(0, RUN), part.ends)
        self._parts.append((part, place))

    def bucket(self, number: int) -> NDArray:
        """All runs of a bucket, in the order in which they were added."""
        self.flush()
        parts = [self._read(part, place, number) for part, place in self._parts]
        return np.concatenate(parts) if parts else np.empty(0, RUN)

    def _read(self, part: BucketedRuns, begin: int, number: int) -> NDArray:
        if self._file is None:
            return part.between(number, number + 1)
        place = part.place(number, number + 1)
        count = (place.stop - place.start) * RUN.itemsize
        content = self._read_at(count, begin + place.start * RUN.itemsize)
        if len(content) != count:
            raise InputError(tempfile.gettempdir(), "lost a part of the runs that were kept there")
        return np.frombuffer(content, RUN)

    def _read_at(self, count: int, place: int) -> bytes:
        assert self._file is not None
        return read_at(self._file, count, place, self._lock)


_NO_STORE = "cannot keep runs in the folder for temporary files"


def _append(file: IO[bytes], content: memoryview) -> int:
    """Write at the end of a file, all or an error; return where it begins."""
    try:
        place = file.seek(0, os.SEEK_END)
        file.write(content)
        file.flush()
    except OSError as error:
        raise temporary_fault(_NO_STORE, error) from error
    return place


@contextmanager
def run_store() -> Iterator[RunStore]:
    """A store on disk, in a file without a name that vanishes with the process."""
    try:
        file = tempfile.TemporaryFile(prefix="lesion_dash_")  # noqa: SIM115
    except OSError as error:
        raise temporary_fault(_NO_STORE, error) from error
    with file:
        yield RunStore(file)
