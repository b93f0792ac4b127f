"""A place in words, with the name of the space that its coordinates are of."""

from __future__ import annotations

import numpy as np

from ..core.grid import Grid
from .picture import Mm

_MNI_CODE = 4
_MNI_BOXES = (
    ((91, 109, 91), (-90, -126, -72), 2),  # FSL and SPM, 2 mm
    ((182, 218, 182), (-91, -126, -72), 1),  # FSL, 1 mm
    ((181, 217, 181), (-90, -126, -72), 1),  # MNI Colin 27 and ICBM 152, 1 mm
    ((193, 229, 193), (-96, -132, -78), 1),  # ICBM 2009c, 1 mm
    ((197, 233, 189), (-98, -134, -72), 1),  # ICBM 2009a, which nilearn ships
)
"""Voxels, centre of the voxel at the left, back and bottom (mm), and edge (mm) of MNI templates."""


def place_words(mm: Mm, grid: Grid) -> str:
    """Coordinates to a tenth of a mm; as MNI only where the image says so, or lies on an MNI grid.

    Parameters
    ----------
    mm : tuple of float
    grid : Grid
        Of the image that the place is in.

    Examples
    --------
    >>> affine = [[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]
    >>> place_words((-30.2, 4, 12), Grid((91, 109, 91), affine, 1))
    'MNI −30.2, 4, 12'
    >>> place_words((-30.2, 4, 12), Grid((64, 64, 30), affine, 1))
    '−30.2, 4, 12 mm'
    """
    x, y, z = (f"{round(v, 1) + 0.0:g}".replace("-", "−") for v in mm)
    return f"MNI {x}, {y}, {z}" if is_mni(grid) else f"{x}, {y}, {z} mm"


def is_mni(grid: Grid) -> bool:
    """Whether the header names MNI152 as its space, or the voxels are those of an MNI template."""
    return grid.code == _MNI_CODE or any(_has_voxels_of(grid, *box) for box in _MNI_BOXES)


def _has_voxels_of(
    grid: Grid, shape: tuple[int, int, int], lowest: tuple[int, int, int], edge: int
) -> bool:
    """Whether a grid has the voxels of a box, in whatever order its axes run."""
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = lowest
    known = Grid(shape, affine)
    if grid.size != known.size or grid.exact_steps(known) is None:
        return False
    own, other = grid.corners(), known.corners()
    same = [
        np.abs(end(own, axis=0) - end(other, axis=0)).max() < edge / 2 for end in (np.min, np.max)
    ]
    return bool(all(same))
