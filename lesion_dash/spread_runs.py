"""The runs of many patients, spread over the workers of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .cohort import ChunkReading, ChunkRuns
from .compute import Cluster, Kept
from .errors import InputError
from .grid import Grid
from .runs import BUCKET, RUN, BucketedRuns
from .voxel_volumes import VoxelVolumes, bucket_volumes, join

_GROUP_BYTES = 2**27  # of runs that a worker brings together for neighbouring buckets
_GROUPS = 32  # at least, where there are buckets for them: results come back in small pieces

Group = tuple[int, int]
"""Neighbouring buckets: the first, and the one after the last."""


class SpreadRuns:
    """What a `runs.RunStore` is on one computer: all runs, found again bucket by bucket.

    Parameters
    ----------
    cluster : Cluster
        Whose workers read the masks and hold their runs.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._kept: list[tuple[Kept, str]] = []
        self._counts = np.zeros(0, np.int64)

    def add(self, kept: Kept, reading: ChunkReading) -> None:
        """Add what a chunk left on the workers."""
        self._kept.append((kept, reading.stamp))
        counts = np.diff(reading.ends, prepend=0)
        self._counts = _padded(self._counts, counts.size) + _padded(counts, self._counts.size)

    def voxel_volumes(self, grid: Grid, min_patients: int = 1) -> Iterator[VoxelVolumes]:
        """Statistics at every qualifying voxel; see `voxel_volumes.voxel_volumes`.

        A worker brings together the runs of a group of neighbouring buckets. Groups hold about
        as many runs each, however many patients there are.
        """
        counts = _padded(self._counts, -(-grid.size // BUCKET))
        merge = partial(_group_volumes, grid, min_patients)
        return self._cluster.combine(self._kept, _cut, merge, _groups(counts))


def _padded(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return np.append(counts, np.zeros(max(0, size - counts.size), np.int64))


def _groups(counts: NDArray[np.int64]) -> list[Group]:
    """Cut the buckets into groups of about as many runs."""
    total = int(counts.sum())
    wanted = min(counts.size, max(_GROUPS, -(-total * RUN.itemsize // _GROUP_BYTES)))
    # One run more in each bucket shares out those that have none.
    ends = np.cumsum(counts + 1)
    targets = ends[-1] * np.arange(1, wanted) / wanted
    bounds = np.unique(np.concatenate([[0], np.searchsorted(ends, targets) + 1, [counts.size]]))
    return list(pairwise(bounds.tolist()))


def _cut(group: Group, pair: tuple[ChunkReading, ChunkRuns], stamp: str) -> BucketedRuns:
    """A group's runs of one chunk."""
    _, chunk = pair
    if chunk.stamp != stamp:
        problem = "changed during the run: read again, they hold other lesions"
        raise InputError("masks", problem, "run this again when nobody writes there")
    first, last = group
    place = chunk.runs.place(first, last)
    ends = chunk.runs.ends[first:last] - place.start
    return BucketedRuns(chunk.runs.runs[place].copy(), ends)


def _group_volumes(
    grid: Grid, min_patients: int, group: Group, parts: list[BucketedRuns]
) -> VoxelVolumes:
    """Statistics at the voxels of a group, bucket by bucket."""
    found = []
    for number in range(*group):
        place = number - group[0]
        runs = [part.between(place, place + 1) for part in parts]
        span = number * BUCKET, min((number + 1) * BUCKET, grid.size)
        found.append(
            bucket_volumes(grid, np.concatenate([np.empty(0, RUN), *runs]), span, min_patients)
        )
    return join(grid, found)
