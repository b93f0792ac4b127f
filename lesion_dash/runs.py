"""Lesions as runs of neighbouring voxels, kept in buckets, in memory or on disk."""

from __future__ import annotations

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

    Memory holds the runs of the last few hundred patients; the others lie in a file without a name
    that vanishes with the process.
    """

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self.n_patients = 0
        self.volumes: list[int] = []
        self._file = file
        self._waiting: list[NDArray] = []
        self._count = 0
        self._sorted: list[tuple[NDArray | int, NDArray[np.int64]]] = []

    def add(self, starts: NDArray[np.int32], lengths: NDArray[np.int32]) -> None:
        """Add the next patient."""
        runs = np.empty(starts.size, RUN)
        runs["patient"], runs["start"], runs["length"] = self.n_patients, starts, lengths
        self.n_patients += 1
        self.volumes.append(int(lengths.sum()))
        self._waiting.append(runs)
        self._count += runs.size
        if self._count > _FLUSH:
            self.flush()

    def flush(self) -> None:
        """Sort the runs that wait in memory into buckets."""
        if not self._waiting:
            return
        runs = np.concatenate(self._waiting)
        self._waiting, self._count = [], 0
        buckets = runs["start"] // BUCKET
        order = np.argsort(buckets, kind="stable")
        ends = np.cumsum(np.bincount(buckets)) if buckets.size else np.zeros(0, np.int64)
        runs = runs[order]
        if self._file is None:
            self._sorted.append((runs, ends))
            return
        place = self._file.seek(0, 2)
        self._file.write(runs.tobytes())
        self._sorted.append((place, ends))

    def bucket(self, number: int) -> NDArray:
        """All runs that start in a bucket, patients in the order in which they were added."""
        found = [self._part(part, ends, number) for part, ends in self._sorted]
        return np.concatenate(found) if found else np.empty(0, RUN)

    def _part(self, part: NDArray | int, ends: NDArray[np.int64], number: int) -> NDArray:
        if number >= ends.size:
            return np.empty(0, RUN)
        begin, end = int(ends[number - 1]) if number else 0, int(ends[number])
        if isinstance(part, int):
            return self._read(part + begin * RUN.itemsize, end - begin)
        return part[begin:end]

    def _read(self, place: int, count: int) -> NDArray:
        import os

        assert self._file is not None
        content = os.pread(self._file.fileno(), count * RUN.itemsize, place)
        return np.frombuffer(content, RUN)


@contextmanager
def run_store() -> Iterator[RunStore]:
    """A store whose runs lie on disk, in the folder for temporary files."""
    with tempfile.TemporaryFile(prefix="lesion_dash_", buffering=0) as file:
        yield RunStore(file)
