"""siibra's assignment of a volume to sparse maps (siibra-python 1.0.1a25), restated.

A copy in steps and data structures of `SparseIndex` and `SparseMap._assign_volume`, without their
downloads, spaces and progress bars: an image of voxel numbers, and for each of these voxels a
dictionary of map number to value. siibra itself takes about as long on the same maps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import generate_binary_structure, label


class SparseIndex:
    """Dictionaries of the maps at each voxel, and the box of each map."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.voxels = np.full(shape, -1, np.int32)
        self.probs: list[dict[int, float]] = []
        self.boxes: list[tuple[NDArray, NDArray]] = []

    def add(self, places: tuple[NDArray, ...], values: NDArray) -> None:
        """Add the next map: its voxels above 0."""
        volume = len(self.boxes)
        for x, y, z, value in zip(*places, values, strict=True):
            number = self.voxels[x, y, z]
            if number >= 0:
                self.probs[number][volume] = value
            else:
                self.voxels[x, y, z] = len(self.probs)
                self.probs.append({volume: value})
        both = np.stack(places)
        self.boxes.append((both.min(axis=1), both.max(axis=1)))

    def coords(self, volume: int) -> NDArray:
        """Voxels of one map, shape (voxels, 3)."""
        numbers = [i for i, maps in enumerate(self.probs) if volume in maps]
        low, high = self.boxes[volume]
        box = self.voxels[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))]
        return np.array(np.where(np.isin(box, numbers))).T + low


def assign_volume(index: SparseIndex, data: NDArray) -> list[tuple[float, ...]]:
    """Component, map, and their scores, in siibra's order."""
    labels, count = label(data > 0, generate_binary_structure(3, 2))
    rows = []
    for number in range(1, count + 1):
        voxels = np.array(np.where(labels == number)).T
        if len(voxels) <= 1:
            continue
        low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
        for volume, (first, last) in enumerate(index.boxes):
            if np.all(first <= high) and np.all(low <= last):
                start, stop = np.minimum(first, low), np.maximum(last, high)
                found = _score(index, data, voxels, volume, start, stop - start + 1)
                if found is not None:
                    rows.append((number, volume, *found))
    return rows


def _score(
    index: SparseIndex,
    data: NDArray,
    voxels: NDArray,
    volume: int,
    start: NDArray,
    shape: NDArray,
) -> tuple[float, ...] | None:
    v1, v2 = np.zeros(np.prod(shape)), np.zeros(np.prod(shape))
    own = index.coords(volume)
    values = [index.probs[i][volume] for i in index.voxels[tuple(own.T)]]
    v1[np.ravel_multi_index(tuple((own - start).T), shape)] = values
    v2[np.ravel_multi_index(tuple((voxels - start).T), shape)] = data[tuple(voxels.T)]
    shared = np.sum((v1 > 0) & (v2 > 0))
    if shared == 0:
        return None
    union = np.sum((v1 > 0) | (v2 > 0))
    d1, d2 = v1 - v1.mean(), v2 - v2.mean()
    correlation = (d1 * d2).sum() / np.sqrt((d1**2).sum()) / np.sqrt((d2**2).sum())
    return (
        correlation,
        shared / union,
        v1.max(),
        np.sum(v1 * v2) / np.sum(v2),
        shared / (v1 > 0).sum(),
        np.sum(v1 * v2) / np.sum(v1),
        shared / (v2 > 0).sum(),
    )
