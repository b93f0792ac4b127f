"""What the screen shows of a map."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid

Mm = tuple[float, float, float]
"""A place in mm, RAS: x to the right, y to the front, z upwards."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A map in eight bits a voxel, as many as its colour table has.

    Parameters
    ----------
    levels : array of uint8, shape ``grid.shape``
        Entry of the colour table at each voxel; 0 is transparent.
    grid : Grid
        Where the voxels are.
    colormap : str
        Name of the colour table, empty for the three classes of the overlap.
    """

    levels: NDArray[np.uint8]
    grid: Grid
    colormap: str


@dataclass(frozen=True)
class Box:
    """A block of voxels of a grid.

    Parameters
    ----------
    low, high : tuple of int
        First voxel along each axis, and the one after the last.
    """

    low: tuple[int, int, int]
    high: tuple[int, int, int]

    @classmethod
    def whole(cls, shape: tuple[int, int, int]) -> Box:
        """The block of all voxels."""
        return cls((0, 0, 0), shape)

    @classmethod
    def around(cls, levels: NDArray[np.uint8], margin: int = 3) -> Box:
        """The block around all voxels that are not 0, and a margin; all voxels where none is.

        Examples
        --------
        >>> levels = np.zeros((9, 9, 9), np.uint8)
        >>> levels[4, 2:5, 8] = 1
        >>> Box.around(levels, margin=1)
        Box(low=(3, 1, 7), high=(6, 6, 9))
        """
        ranges = []
        for axis in range(3):
            others = tuple(other for other in range(3) if other != axis)
            hit = np.flatnonzero(levels.any(axis=others))
            low, high = (hit[0], hit[-1] + 1) if hit.size else (0, levels.shape[axis])
            ranges.append((max(int(low) - margin, 0), min(int(high) + margin, levels.shape[axis])))
        (a, d), (b, e), (c, f) = ranges
        return cls((a, b, c), (d, e, f))

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The block as an index of an array."""
        i, j, k = (slice(low, high) for low, high in zip(self.low, self.high, strict=True))
        return i, j, k

    def holds(self, levels: NDArray[np.uint8]) -> bool:
        """Whether nothing is drawn outside the block."""
        return np.count_nonzero(levels) == np.count_nonzero(levels[self.slices])

    def crop(self, picture: Picture) -> Picture:
        """The part of a picture inside the block, on a grid of its own."""
        affine = picture.grid.affine.copy()
        affine[:3, 3] = picture.grid.to_mm(self.low)
        levels = np.asfortranarray(picture.levels[self.slices])
        i, j, k = levels.shape
        return replace(picture, levels=levels, grid=Grid((i, j, k), affine))
