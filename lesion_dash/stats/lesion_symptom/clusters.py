"""Connected voxels among those tested."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...core.grid import Grid

_FORWARD = [
    (dx, dy, dz)
    for dz in (-1, 0, 1)
    for dy in (-1, 0, 1)
    for dx in (-1, 0, 1)
    if (dz, dy, dx) > (0, 0, 0)
]
"""Half of the 26 neighbours of a voxel: each pair of neighbours is looked at once."""


class Neighbours:
    """Which tested voxels share a face, an edge or a corner.

    Only the voxels above a threshold are looked at, so that the clusters of thousands of
    permutations take a fraction of the time that labelling whole images would.

    Parameters
    ----------
    grid : Grid
    indices : array of int32, shape (voxels,)
        Linear positions of the tested voxels, ascending, the first axis fastest.
    """

    def __init__(self, grid: Grid, indices: NDArray[np.int32]) -> None:
        self._grid, self._indices = grid, indices
        self._node = np.full(indices.size, -1, np.int32)

    @cached_property
    def _forward(self) -> NDArray[np.int32]:
        """The forward neighbours of each voxel, shape (voxels, 13); -1 where there is none."""
        shape = self._grid.shape
        rows = np.full(self._grid.size, -1, np.int32)
        rows[self._indices] = np.arange(self._indices.size, dtype=np.int32)
        place = np.unravel_index(self._indices, shape, order="F")
        neighbours = np.empty((self._indices.size, len(_FORWARD)), np.int32)
        for column, step in enumerate(_FORWARD):
            moved = [axis + by for axis, by in zip(place, step, strict=True)]
            inside = np.all(
                [(axis >= 0) & (axis < size) for axis, size in zip(moved, shape, strict=True)],
                axis=0,
            )
            linear = moved[0] + shape[0] * (moved[1] + shape[1] * moved[2])
            neighbours[:, column] = np.where(inside, rows[np.where(inside, linear, 0)], -1)
        return neighbours

    def label(
        self, sets: list[tuple[NDArray[np.int64], NDArray[np.bool_]]]
    ) -> list[tuple[int, NDArray[np.int32]]]:
        """Number the clusters of several sets of voxels.

        Parameters
        ----------
        sets : list
            Of each set: its voxels as rows among those tested, and whether each is positive.
            Voxels of different signs are not connected.

        Returns
        -------
        list
            Of each set: the number of clusters, and that of each voxel, from 0.
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        starts, ends, total = [], [], 0
        for rows, positive in sets:
            self._node[rows] = np.arange(rows.size, dtype=np.int32)
            node = self._node[self._forward[rows]]
            node[self._forward[rows] < 0] = -1
            start, column = np.nonzero(node >= 0)
            end = node[start, column]
            same = positive[start] == positive[end]
            starts.append(start[same] + total)
            ends.append(end[same] + total)
            self._node[rows] = -1
            total += rows.size
        edges = np.concatenate(starts), np.concatenate(ends)
        graph = coo_array((np.ones(edges[0].size, np.int8), edges), shape=(total, total))
        _, labels = connected_components(graph, directed=False)
        numbered, begin = [], 0
        for rows, _ in sets:
            own = labels[begin : begin + rows.size]
            begin += rows.size
            _, numbers = np.unique(own, return_inverse=True)
            numbered.append((int(numbers.max(initial=-1)) + 1, numbers.astype(np.int32)))
        return numbered
