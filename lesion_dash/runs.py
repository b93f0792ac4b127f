"""Lesions as runs of neighbouring voxels, kept in buckets, in memory or on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
from numpy.typing import NDArray

BUCKET = 8192
"""Voxels of a bucket; a run ends where a bucket does."""

RUN = np.dtype([("patient", np.int32), ("start", np.int32), ("length", np.int32)])
_FLUSH = 2**20  # runs kept in memory before they are sorted into buckets


def find_runs(
    indices: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Starts and lengths of the runs of neighbouring voxels, cut where a bucket ends.

    Parameters
    ----------
    indices : array of int32
        Linear voxel positions in ascending order.

    Examples
    --------
    >>> starts, lengths = find_runs(np.array([3, 4, 5, 9, 8191, 8192], np.int32))
    >>> starts.tolist(), lengths.tolist()
    ([3, 9, 8191, 8192], [3, 1, 1, 1])
    """
    if indices.size == 0:
        return indices, indices
    is_first = np.empty(indices.size, np.bool_)
    is_first[0] = True
    np.not_equal(indices[1:] - indices[:-1], 1, out=is_first[1:])
    is_first |= indices & (BUCKET - 1) == 0
    firsts = np.flatnonzero(is_first)
    lengths = np.diff(firsts, append=indices.size).astype(np.int32)
    return indices[firsts], lengths


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
            place = self._file.seek(0, os.SEEK_END)
            self._file.write(runs.tobytes())
            self._parts.append((place, ends))

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
        return np.frombuffer(os.pread(self._file.fileno(), count, place), RUN)


@contextmanager
def run_store() -> Iterator[RunStore]:
    """A store on disk, in a file without a name that vanishes with the process."""
    with tempfile.TemporaryFile(prefix="lesion_dash_", buffering=0) as file:
        yield RunStore(file)
