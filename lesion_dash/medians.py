"""The median total lesion volume of the patients lesioned at each voxel."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .runs import BUCKET, RunStore

_ENTRIES = 2**22  # patients x voxels looked at together by one thread
_THREADS = min(4, os.cpu_count() or 1)


def find_medians(store: RunStore, n: NDArray[np.int32], min_patients: int) -> NDArray[np.float64]:
    """Medians at the voxels lesioned in at least `min_patients` patients, in their order.

    With a voxel's patients in ascending order of volume, the median is the one in the middle, or
    the mean of the two.

    Parameters
    ----------
    store : RunStore
        The lesions.
    n : array of int32, shape (voxels of the grid,)
        Patients lesioned at each voxel.
    min_patients : int

    Returns
    -------
    array of float64
        In voxels.
    """
    store.flush()
    volumes = np.array(store.volumes, np.int64)
    order = np.argsort(volumes, kind="stable")
    rank = np.empty(order.size, np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    work = partial(_medians_in_bucket, store, n, min_patients, rank, volumes)
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(work, range(-(-n.size // BUCKET))))
    return np.concatenate(found) if found else np.empty(0)


def _medians_in_bucket(
    store: RunStore,
    n: NDArray[np.int32],
    min_patients: int,
    rank: NDArray[np.int32],
    volumes: NDArray[np.int64],
    bucket: int,
) -> NDArray[np.float64]:
    begin, end = bucket * BUCKET, min((bucket + 1) * BUCKET, n.size)
    counts = n[begin:end]
    if not (counts >= min_patients).any():
        return np.empty(0)
    runs = store.bucket(bucket)
    runs = runs[np.argsort(rank[runs["patient"]], kind="stable")]
    sorted_volumes = volumes[runs["patient"]]
    # Columns are cut so that no more than about _ENTRIES are expanded together.
    pieces = -(-int(counts.sum(dtype=np.int64)) // _ENTRIES)
    width = -(-(end - begin) // pieces)
    return np.concatenate(
        [
            _medians_between(runs, sorted_volumes, low, min(low + width, end), min_patients)
            for low in range(begin, end, width)
        ]
    )


def _medians_between(
    runs: NDArray, volumes: NDArray[np.int64], low: int, high: int, min_patients: int
) -> NDArray[np.float64]:
    """Medians at the voxels low..high; runs come in ascending order of their patient's volume."""
    from scipy import sparse

    starts = np.maximum(runs["start"], low)
    lengths = np.minimum(runs["start"] + runs["length"], high) - starts
    inside = lengths > 0
    starts, lengths, volumes = starts[inside] - low, lengths[inside], volumes[inside]
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if ends.size else 0
    voxels = np.arange(total, dtype=np.int32)
    voxels += np.repeat((starts - (ends - lengths)).astype(np.int32), lengths)
    first = np.append(0, ends).astype(np.int32)
    rows = sparse.csr_array(
        (np.ones(total, np.bool_), voxels, first), shape=(starts.size, high - low)
    )
    columns = rows.tocsc()
    n = np.diff(columns.indptr)
    chosen = np.flatnonzero(n >= min_patients)
    n, first = n[chosen], columns.indptr[chosen]
    lower, upper = columns.indices[first + (n - 1) // 2], columns.indices[first + n // 2]
    return np.asarray((volumes[lower] + volumes[upper]) / 2)
