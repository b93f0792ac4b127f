"""Mean, SD and median of total lesion volume at each voxel, from the runs of all lesions."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..cohort.dask import Cluster, RemoteResult
from ..cohort.readers import ChunkReading
from ..core.errors import InputError
from ..core.grid import Grid
from ..core.runs import BUCKET, RUN, BucketedRuns, RunStore, voxels_of

MAX_ENTRIES = 2**19  # arbitrary: patients x voxels that a thread sorts together, about 10 MB
_AHEAD = 8  # buckets computed and not yet used: a slow user must not fill the memory
_THREADS = min(4, os.cpu_count() or 1)  # arbitrary

_COLUMNS = ("n", "mean", "deviation")

_GROUP_BYTES = 2**27  # arbitrary: of runs that a worker brings together for neighbouring buckets
_MIN_GROUPS = 32  # arbitrary: results come back in small pieces

Group = tuple[int, int]
"""Neighbouring buckets: the first, and the one after the last."""


@dataclass(frozen=True, eq=False)
class VoxelVolumes:
    """Statistics of total lesion volume at every voxel that any patient has lesioned.

    Parameters
    ----------
    grid : Grid
    indices : array of int32, shape (voxels,)
        Linear positions in ascending order, the first axis fastest.
    n : array of int32, shape (voxels,)
        Patients lesioned at the voxel.
    mean : array of float64, shape (voxels,)
        Of their total lesion volumes, in voxels.
    median : array of float64, shape (voxels,), or None
        Likewise; None where it was not computed.
    deviation : array of float64, shape (voxels,)
        Sum of squared differences from the mean, in voxels².
    max_overlap : int
        Patients that share a voxel, at most: at these voxels, and at those excluded
        because too few share them.
    """

    grid: Grid
    indices: NDArray[np.int32]
    n: NDArray[np.int32]
    mean: NDArray[np.float64]
    median: NDArray[np.float64] | None
    deviation: NDArray[np.float64]
    max_overlap: int = 0

    def select(self, chosen: NDArray[np.bool_]) -> VoxelVolumes:
        """The same at some of the voxels."""
        median = None if self.median is None else self.median[chosen]
        columns = {name: getattr(self, name)[chosen] for name in ("indices", *_COLUMNS)}
        return replace(self, **columns, median=median)


def voxel_volumes(
    grid: Grid, store: RunStore, min_patients: int = 1, medians: bool = True
) -> Generator[VoxelVolumes]:
    """Statistics at every voxel lesioned in at least `min_patients` patients, bucket by bucket.

    Each bucket of neighbouring voxels is computed on its own, so that memory depends on the
    bucket and not on the number of patients.

    Parameters
    ----------
    grid : Grid
    store : RunStore
        The lesions.
    min_patients : int
    medians : bool
        Whether medians are wanted, which take longer than all the rest.
    """
    store.flush()
    work = partial(_bucket_of_store, grid, store, min_patients, medians)
    waiting: deque[Future[VoxelVolumes]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for number in range(-(-grid.size // BUCKET)):
            waiting.append(pool.submit(work, number))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def join(grid: Grid, parts: list[VoxelVolumes]) -> VoxelVolumes:
    """The statistics of neighbouring buckets as one, in the order of the voxels."""
    names = ["indices", *_COLUMNS]
    if has_medians := all(part.median is not None for part in parts):
        names.append("median")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return VoxelVolumes(
        grid,
        **columns if has_medians else columns | {"median": None},
        max_overlap=max((part.max_overlap for part in parts), default=0),
    )


def _bucket_of_store(
    grid: Grid, store: RunStore, min_patients: int, medians: bool, number: int
) -> VoxelVolumes:
    runs = store.bucket(number)
    begin, end = number * BUCKET, min((number + 1) * BUCKET, grid.size)
    return bucket_volumes(grid, runs, (begin, end), min_patients, medians)


def bucket_volumes(
    grid: Grid,
    runs: NDArray,
    span: tuple[int, int],
    min_patients: int,
    medians: bool = True,
    entries: int = MAX_ENTRIES,
) -> VoxelVolumes:
    """Statistics at neighbouring voxels, such as those of one bucket.

    Parameters
    ----------
    grid : Grid
    runs : array of `runs.RUN`
        All runs between these voxels, in any order.
    span : tuple of int
        The first voxel, and the one after the last.
    min_patients : int
    medians : bool
    entries : int
        Patients x voxels that medians are taken of together.
    """
    volumes = runs["volume"].astype(np.int64)
    n, total = (_sum_up(runs, span, values) for values in (np.ones_like(volumes), volumes))
    chosen = np.flatnonzero(n >= min_patients)
    median = np.empty(0) if medians else None
    if medians and chosen.size:
        median = _medians(runs, span, -(-int(n.sum()) // entries), min_patients)
    deviation = _deviation(runs, span, n, total)[chosen]
    most = int(n.max(initial=0))
    n, total = n[chosen], total[chosen]
    indices = (chosen + span[0]).astype(np.int32)
    return VoxelVolumes(grid, indices, n.astype(np.int32), total / n, median, deviation, most)


def _sum_up(runs: NDArray, span: tuple[int, int], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum at each voxel of a value that every run has, exact (modulo 2**64).

    A run adds to two places only, where it starts and where it ends; a cumulative sum makes the
    sums at every voxel.
    """
    starts = runs["start"] - span[0]
    steps = np.zeros(span[1] - span[0] + 1, np.int64)
    np.add.at(steps, starts, values)
    np.subtract.at(steps, starts + runs["length"], values)
    return np.cumsum(steps)[:-1]


def _deviation(
    runs: NDArray, span: tuple[int, int], n: NDArray[np.int64], total: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sum of squared differences from the mean at each voxel, 0 where there is no lesion."""
    deviation = np.zeros(n.size)
    touched = np.flatnonzero(n)
    if not touched.size:
        return deviation
    volumes = runs["volume"].astype(np.int64)
    spread = int(volumes.max() - volumes.min()) + 1
    if int(n.max()) * spread**2 < 2**63:
        squares = _sum_up(runs, span, volumes * volumes)[touched]
        deviation[touched] = squared_deviation(n[touched], total[touched], squares)
        return deviation
    # Two numbers of 32 bits hold what 64 cannot; Python's whole numbers put them together.
    squares = volumes * volumes
    high, low = (_sum_up(runs, span, part)[touched] for part in (squares >> 32, squares % 2**32))
    exact = [
        (count * ((above << 32) + below) - whole**2) / count
        for count, whole, above, below in zip(
            *(part.tolist() for part in (n[touched], total[touched], high, low)), strict=True
        )
    ]
    deviation[touched] = exact
    return deviation


def _medians(
    runs: NDArray, span: tuple[int, int], pieces: int, min_patients: int
) -> NDArray[np.float64]:
    """Medians at the qualifying voxels of a bucket.

    With a voxel's patients in ascending order of volume, the median is the one in the middle, or
    the mean of the two. Columns are cut into pieces of about as many entries.
    """
    runs = runs[np.argsort(runs["volume"], kind="stable")]
    begin, end = span
    width = -(-(end - begin) // pieces)
    medians = [
        _medians_between(runs, low, min(low + width, end), min_patients)
        for low in range(begin, end, width)
    ]
    return np.concatenate(medians)


def _medians_between(runs: NDArray, low: int, high: int, min_patients: int) -> NDArray[np.float64]:
    """Medians at the voxels low..high; runs come in ascending order of their patient's volume."""
    from scipy import sparse

    starts = np.maximum(runs["start"], low)
    lengths = np.minimum(runs["start"] + runs["length"], high) - starts
    inside = lengths > 0
    starts, lengths = starts[inside] - low, lengths[inside]
    volumes = runs["volume"][inside].astype(np.int64)
    voxels, ends = voxels_of(starts, lengths), np.cumsum(lengths, dtype=np.int32)
    rows = sparse.csr_array(
        (np.ones(voxels.size, np.bool_), voxels, np.append(np.int32(0), ends)),
        shape=(starts.size, high - low),
    )
    columns = rows.tocsc()
    n = np.diff(columns.indptr)
    chosen = np.flatnonzero(n >= min_patients)
    n, first = n[chosen], columns.indptr[chosen]
    lower, upper = columns.indices[first + (n - 1) // 2], columns.indices[first + n // 2]
    return np.asarray((volumes[lower] + volumes[upper]) / 2)


def squared_deviation(
    n: NDArray[np.int64], total: NDArray[np.int64], squares: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sum of squared differences from the mean, from exact integer sums.

    The usual ``squares - total² / n`` loses all digits where volumes are nearly equal. Here the
    sums are shifted by the whole number q nearest to the mean. Where the shifted sum of squares is
    below 2**63, it comes out exact even if an intermediate product wraps around 64 bits.

    Parameters
    ----------
    n, total, squares : array of int64
        Number, sum and sum of squares of whole numbers.

    Examples
    --------
    >>> volumes = np.array([10**9, 10**9 + 1, 10**9 + 2])
    >>> one = lambda value: np.array([value], np.int64)
    >>> squared_deviation(one(3), one(volumes.sum()), one((volumes**2).sum())).tolist()
    [2.0]
    """
    # Σ(v - q)² = Σv² - q (2 Σv - n q) holds for whole numbers modulo 2**64 too, so products may
    # overflow as long as the result fits. Σ(v - mean)² is that less (Σv - n q)² / n, in which
    # |Σv - n q| is at most n / 2: little is subtracted, and no digit is lost.
    nearest = (total + n // 2) // n
    rest = (total - n * nearest).astype(np.float64)
    with np.errstate(over="ignore"):
        shifted = squares - nearest * (2 * total - n * nearest)
    return shifted.astype(np.float64) - rest * rest / n


class SpreadRuns:
    """What a `runs.RunStore` is on one computer: all runs, found again bucket by bucket.

    Parameters
    ----------
    cluster : Cluster
        Whose workers read the masks and hold their runs.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._chunks: list[tuple[RemoteResult, str]] = []
        self._counts = np.zeros(0, np.int64)

    def add(self, chunk: RemoteResult, reading: ChunkReading) -> None:
        """Add what a chunk left on the workers."""
        self._chunks.append((chunk, reading.stamp))
        counts = np.diff(reading.ends, prepend=0)
        self._counts = _padded(self._counts, counts.size) + _padded(counts, self._counts.size)

    def voxel_volumes(self, grid: Grid, min_patients: int = 1) -> Iterator[VoxelVolumes]:
        """Statistics at every qualifying voxel; see `voxel_volumes.voxel_volumes`.

        A worker brings together the runs of a group of neighbouring buckets. Groups hold about
        as many runs each, however many patients there are.
        """
        counts = _padded(self._counts, -(-grid.size // BUCKET))
        merge = partial(_group_volumes, grid, min_patients)
        return self._cluster.combine(self._chunks, _cut, merge, _groups(counts))


def _padded(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return np.append(counts, np.zeros(max(0, size - counts.size), np.int64))


def _groups(counts: NDArray[np.int64]) -> list[Group]:
    """Cut the buckets into groups of about as many runs."""
    total = int(counts.sum())
    groups = min(counts.size, max(_MIN_GROUPS, -(-total * RUN.itemsize // _GROUP_BYTES)))
    # One run more in each bucket shares out those that have none.
    ends = np.cumsum(counts + 1)
    targets = ends[-1] * np.arange(1, groups) / groups
    bounds = np.unique(np.concatenate([[0], np.searchsorted(ends, targets) + 1, [counts.size]]))
    return list(pairwise(bounds.tolist()))


def _cut(group: Group, pair: tuple[ChunkReading, BucketedRuns], stamp: str) -> BucketedRuns:
    """A group's runs of one chunk."""
    reading, runs = pair
    if reading.stamp != stamp:
        problem = "changed during the run: read again, they hold other lesions"
        raise InputError("masks", problem, "run this again when nothing writes there")
    first, last = group
    place = runs.place(first, last)
    ends = runs.ends[first:last] - place.start
    return BucketedRuns(runs.runs[place].copy(), ends)


def _group_volumes(
    grid: Grid, min_patients: int, group: Group, parts: list[BucketedRuns]
) -> VoxelVolumes:
    """Statistics at the voxels of a group, bucket by bucket."""
    buckets = []
    for number in range(*group):
        place = number - group[0]
        runs = [np.empty(0, RUN), *(part.between(place, place + 1) for part in parts)]
        span = number * BUCKET, min((number + 1) * BUCKET, grid.size)
        buckets.append(bucket_volumes(grid, np.concatenate(runs), span, min_patients))
    return join(grid, buckets)
