"""Lesions as runs of neighbouring voxels, kept in buckets, in memory or on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

BUCKET = 8192
"""Voxels of a bucket."""

RUN = np.dtype([("patient", np.int32), ("start", np.int32), ("length", np.int32)])
_FLUSH = 2**20  # runs kept in memory before they are sorted into buckets


Runs = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Starts and lengths of runs, in ascending order and not touching each other."""

_BLOCK = 2048  # bytes that are looked at together


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
    is_one_value = bool(np.array_equal(near == largest, padded[:-1, 1:])) if largest else False
    flat = padded.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    rows = edges // (width + 1)
    places = blocks[rows] * width + edges - rows * (width + 1)
    starts, stops = places[0::2], places[1::2]
    # An end that coincides with the end of a block is found at the zero of the next one.
    stops = np.where(rows[1::2] != rows[0::2], (blocks[rows[0::2]] + 1) * width, stops)
    apart = np.flatnonzero(starts[1:] != stops[:-1])
    starts = starts[np.append(0, apart + 1)] if starts.size else starts
    stops = stops[np.append(apart, stops.size - 1)] if stops.size else stops
    runs = starts.astype(np.int32), (stops - starts).astype(np.int32)
    return runs, float(largest), is_one_value


def _blocks_with_values(values: NDArray) -> tuple[NDArray, NDArray[np.int64]]:
    """The blocks in which any byte is not zero, shape (blocks, width), and their numbers."""
    width = _BLOCK // values.dtype.itemsize
    whole = values.size // width
    words = values[: whole * width].view(np.uint64).reshape(whole, _BLOCK // 8)
    blocks = np.flatnonzero(np.bitwise_or.reduce(words, axis=1))
    rest = values[whole * width :]
    if not rest.any():
        return values[: whole * width].reshape(whole, width)[blocks], blocks
    last = np.zeros((1, width), values.dtype)
    last[0, : rest.size] = rest
    near = np.concatenate([values[: whole * width].reshape(whole, width)[blocks], last])
    return near, np.append(blocks, whole)


def _cut_at_buckets(starts: NDArray[np.int32], lengths: NDArray[np.int32]) -> Runs:
    """The same voxels in runs that end where a bucket does."""
    last = starts + lengths - 1
    first_bucket = starts // BUCKET
    pieces = last // BUCKET - first_bucket + 1
    if not starts.size or pieces.max() == 1:
        return starts, lengths
    owner = np.repeat(np.arange(starts.size), pieces)
    ends = np.cumsum(pieces)
    bucket = first_bucket[owner] + np.arange(ends[-1]) - np.repeat(ends - pieces, pieces)
    cut = np.maximum(starts[owner], bucket * BUCKET)
    stop = np.minimum(last[owner] + 1, (bucket + 1) * BUCKET)
    return cut.astype(np.int32), (stop - cut).astype(np.int32)


class RunStore:
    """The runs of many patients, found again bucket by bucket.

    Parameters
    ----------
    file : binary file, optional
        Where runs go when about a million wait in memory; without it they stay in memory.
    """

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self._volumes: list[int] = []
        self._file = file
        self._waiting: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
        self._count = 0
        self._parts: list[tuple[NDArray | int, NDArray[np.int64]]] = []

    @property
    def volumes(self) -> NDArray[np.int64]:
        """Lesion volume of each patient in voxels."""
        return np.array(self._volumes, np.int64)

    def add(self, starts: NDArray[np.int32], lengths: NDArray[np.int32]) -> None:
        """Add the next patient's runs."""
        starts, lengths = _cut_at_buckets(starts, lengths)
        self._waiting.append((starts, lengths))
        self._volumes.append(int(lengths.sum(dtype=np.int64)))
        self._count += starts.size
        if self._count > _FLUSH:
            self.flush()

    def flush(self) -> None:
        """Sort the runs that wait into buckets."""
        if not self._waiting:
            return
        runs, ends = self._sort_waiting()
        self._waiting, self._count = [], 0
        if self._file is None:
            self._parts.append((runs, ends))
        else:
            self._parts.append((_append(self._file, runs.tobytes()), ends))

    def _sort_waiting(self) -> tuple[NDArray, NDArray[np.int64]]:
        first = len(self._volumes) - len(self._waiting)
        sizes = [starts.size for starts, _ in self._waiting]
        runs = np.empty(self._count, RUN)
        runs["patient"] = np.repeat(np.arange(first, first + len(sizes), dtype=np.int32), sizes)
        runs["start"] = np.concatenate([starts for starts, _ in self._waiting])
        runs["length"] = np.concatenate([lengths for _, lengths in self._waiting])
        buckets = (runs["start"] // BUCKET).astype(np.uint16)
        # Sixteen bits sort by counting; a grid of more than 2**29 voxels is refused at the door.
        return runs[np.argsort(buckets, kind="stable")], np.cumsum(np.bincount(buckets))

    def bucket(self, number: int) -> NDArray:
        """All runs of a bucket, patients in the order in which they were added."""
        self.flush()
        found = [self._read(part, ends, number) for part, ends in self._parts]
        return np.concatenate(found) if found else np.empty(0, RUN)

    def _read(self, part: NDArray | int, ends: NDArray[np.int64], number: int) -> NDArray:
        if number >= ends.size:
            return np.empty(0, RUN)
        begin, end = int(ends[number - 1]) if number else 0, int(ends[number])
        if not isinstance(part, int):
            return part[begin:end]
        if self._file is None or end == begin:
            return np.empty(0, RUN)
        place, count = part + begin * RUN.itemsize, (end - begin) * RUN.itemsize
        content = os.pread(self._file.fileno(), count, place)
        if len(content) != count:
            raise InputError(tempfile.gettempdir(), "lost a part of the runs that were kept there")
        return np.frombuffer(content, RUN)


def _append(file: IO[bytes], content: bytes) -> int:
    """Write at the end of a file, all or an error; return where it begins."""
    try:
        place = file.seek(0, os.SEEK_END)
        file.write(content)
        file.flush()
    except OSError as error:
        problem = f"cannot keep runs in the folder for temporary files ({error.strerror})"
        remedy = "make room there, or name another folder in TMPDIR"
        raise InputError(tempfile.gettempdir(), problem, remedy) from error
    return place


@contextmanager
def run_store() -> Iterator[RunStore]:
    """A store on disk, in a file without a name that vanishes with the process."""
    with tempfile.TemporaryFile(prefix="lesion_dash_") as file:
        yield RunStore(file)
