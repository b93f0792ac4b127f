"""Morphology of binary maps: grow, shrink, smooth their outline, fill their holes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..components import SHARED, Connectivity
from ..errors import InputError
from ..grid import Grid
from ..images import Mask

Unit = Literal["voxels", "mm"]
Operation = Literal["dilate", "erode", "open", "close"]

_SCIPY = {
    "dilate": "binary_dilation",
    "erode": "binary_erosion",
    "open": "binary_opening",
    "close": "binary_closing",
}
_LARGEST_BALL = 10**5
"""Voxels of the box around a ball."""

_SLACK_MM = 1e-4
"""Affines are stored as float32: a voxel 4 mm away may be computed as 4.0000001 mm away."""


def morph_mask(
    mask: Mask,
    operation: Operation,
    radius: float = 1,
    unit: Unit = "voxels",
    connectivity: Connectivity = 6,
) -> Mask:
    """Dilate, erode, open or close a binary map.

    Parameters
    ----------
    mask : Mask
    operation : {"dilate", "erode", "open", "close"}
        Opening erodes, then dilates: thin bridges and specks go. Closing dilates, then erodes:
        cracks are filled.
    radius : float
        A whole number of steps where `unit` is ``voxels``; the radius of a ball where it is ``mm``.
    unit : {"voxels", "mm"}
    connectivity : {6, 18, 26}
        For voxels: one step goes over faces; over edges as well; over corners as well.

    Returns
    -------
    Mask
        As `scipy.ndimage` has it: what lies beyond the image counts as empty, so erosion and
        closing take off voxels at its border.

    Raises
    ------
    InputError
        Where an argument is none of these, or a ball holds no neighbour of a voxel.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Mask
    >>> point = Mask(Grid((5, 5, 5), np.diag([2.0, 2, 2, 1])), np.array([62]), "point")
    >>> morph_mask(point, "dilate", 1).voxels, morph_mask(point, "dilate", 3.0, "mm").voxels
    (7, 19)
    """
    from scipy import ndimage

    if operation not in _SCIPY:
        remedy = f"choose one of {', '.join(_SCIPY)}"
        raise InputError("operation", f"is {operation!r}", remedy)
    structure, steps = _element(mask.grid, radius, unit, connectivity)
    if not mask.voxels:
        return mask
    box = _box_around(mask, steps * (np.array(structure.shape) // 2))
    array = np.zeros(mask.grid.shape, bool)
    function = getattr(ndimage, _SCIPY[operation])
    array[box] = function(mask.array[box], structure, iterations=steps)
    return replace(Mask.from_array(array, mask.grid, mask.name), notes=mask.notes)


def fill_holes(mask: Mask) -> Mask:
    """Fill what a binary map encloses on all sides.

    Parameters
    ----------
    mask : Mask

    Returns
    -------
    Mask
        As `scipy.ndimage.binary_fill_holes`: what can be reached from outside over faces stays
        empty; a gap over an edge or a corner is closed.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Mask
    >>> shell = np.ones((3, 3, 3))
    >>> shell[1, 1, 1] = 0
    >>> fill_holes(Mask.from_array(shell, Grid((3, 3, 3), np.eye(4)), "shell")).voxels
    27
    """
    from scipy.ndimage import binary_fill_holes

    if not mask.voxels:
        return mask
    box = _box_around(mask, np.zeros(3, int))
    array = np.zeros(mask.grid.shape, bool)
    array[box] = binary_fill_holes(mask.array[box])
    return replace(Mask.from_array(array, mask.grid, mask.name), notes=mask.notes)


def _box_around(mask: Mask, reach: NDArray[np.integer]) -> tuple[slice, ...]:
    """The smallest box that holds the mask and all it can grow to; elsewhere nothing happens."""
    voxels = np.stack(np.unravel_index(mask.indices, mask.grid.shape, order="F"))
    first = np.maximum(voxels.min(axis=1) - reach, 0)
    last = np.minimum(voxels.max(axis=1) + reach, np.array(mask.grid.shape) - 1)
    return tuple(slice(a, b + 1) for a, b in zip(first.tolist(), last.tolist(), strict=True))


def _element(
    grid: Grid, radius: float, unit: str, connectivity: int
) -> tuple[NDArray[np.bool_], int]:
    from scipy.ndimage import generate_binary_structure

    if not (np.isfinite(radius) and radius > 0):
        raise InputError("radius", f"is {radius}", "give a number above 0")
    if unit == "mm":
        return ball(grid, radius), 1
    if unit != "voxels":
        raise InputError("unit", f"is {unit!r}", "choose voxels or mm")
    if connectivity not in SHARED:
        remedy = "choose 6 (faces), 18 (and edges) or 26 (and corners)"
        raise InputError("connectivity", f"is {connectivity}", remedy)
    if radius != int(radius):
        raise InputError("radius", f"is {radius} voxels", "give a whole number, or choose mm")
    # After so many steps all of the image is reached, or nothing is left of it.
    steps = min(int(radius), sum(grid.shape))
    return generate_binary_structure(3, SHARED[connectivity]), steps


def ball(grid: Grid, radius_mm: float) -> NDArray[np.bool_]:
    """The voxels whose centre lies within so many mm of the middle one, on this grid.

    Parameters
    ----------
    grid : Grid
        Voxels may be of unequal edges, oblique or sheared.
    radius_mm : float

    Returns
    -------
    array of bool, odd sides

    Raises
    ------
    InputError
        Where no other voxel lies so near, or the ball is too large to be of use.

    Examples
    --------
    >>> ball(Grid((9, 9, 9), np.diag([2.0, 2, 4, 1])), 4.0).sum(axis=(0, 1)).tolist()
    [1, 13, 1]
    """
    # What lies within the ball is at most this many voxels away along an axis of the array.
    reach = np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1) * (radius_mm + _SLACK_MM)
    if reach.max() > _LARGEST_BALL or np.prod(2 * np.floor(reach) + 1) > _LARGEST_BALL:
        remedy = "give a smaller one, or several steps"
        raise InputError("radius", f"is {radius_mm:g} mm, thousands of voxels", remedy)
    sides = np.floor(reach).astype(int)
    steps = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in sides), indexing="ij"), axis=-1)
    away = np.linalg.norm(steps @ grid.affine[:3, :3].T, axis=-1)
    inside: NDArray[np.bool_] = away <= radius_mm + _SLACK_MM
    if inside.sum() == 1:
        nearest = f"the nearest voxels are {grid.voxel_size.min():g} mm off"
        problem = f"is {radius_mm:g} mm, and {nearest}"
        raise InputError("radius", problem, "give a larger one")
    return inside
