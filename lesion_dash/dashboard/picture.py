"""What the screen shows of a map."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..core.grid import Grid

Mm = tuple[float, float, float]
"""A place in mm, RAS: x to the right, y to the front, z upwards."""


_LINE_MM = 2.0
"""Width of a contour: of finer voxels, a line of one would hardly be seen."""


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


def contour(voxels: NDArray[np.integer], grid: Grid, mm: Mm) -> NDArray[np.int64]:
    """The outline of a region in the three planes through a place.

    No set of voxels outlines a region in every plane: where a plane only grazes the region, all
    of what it cuts lies at the surface and would be filled. So the outline is that of the planes
    on the screen, about 2 mm wide.

    Parameters
    ----------
    voxels : array of int, shape (voxels,)
        Of the region: linear positions, the first axis fastest.
    grid : Grid
    mm : tuple of float
        Where the planes meet; a plane between two layers of voxels has the outlines of both.

    Returns
    -------
    array of int
        Some of these positions.

    Examples
    --------
    >>> grid = Grid((7, 7, 7), np.diag([2.0, 2, 2, 1]))
    >>> cube = np.ravel_multi_index(np.indices((5, 5, 5)).reshape(3, -1) + 1, (7, 7, 7), order="F")
    >>> len(contour(cube, grid, (6, 6, 6))), len(contour(cube, grid, (6, 6, 60)))
    (42, 30)
    """
    from scipy.ndimage import binary_erosion

    if not voxels.size:
        return np.empty(0, np.int64)
    places = np.stack(np.unravel_index(voxels, grid.shape, order="F"))
    low = places.min(axis=1)
    box = np.zeros(places.max(axis=1) - low + 1, bool)
    box[tuple(places - low[:, None])] = True
    rim = np.zeros_like(box)
    width = max(1, round(_LINE_MM / grid.voxel_size.min()))
    for axis, at in enumerate(grid.to_voxel(mm).round(3) - low):
        for layer in {int(np.floor(at)), int(np.ceil(at))} & set(range(box.shape[axis])):
            inside = np.moveaxis(box, axis, 0)[layer]
            outline = inside & ~binary_erosion(inside, np.ones((3, 3), bool), width)
            np.moveaxis(rim, axis, 0)[layer] |= outline
    positions = np.stack(np.nonzero(rim)) + low[:, None]
    return np.ravel_multi_index(tuple(positions), grid.shape, order="F")
