"""A region of a template on the grid of an image that was registered to it."""

from __future__ import annotations

from dataclasses import replace

from ..grid import Grid
from ..images import Mask
from ..transforms import Transform, warp_mask
from .reading import RegionMap


def native_region(
    region: RegionMap, threshold: float | None, transform: Transform | None, grid: Grid
) -> Mask:
    """The mask of a template's region on the grid of a native image.

    It is made on the map's own grid, so that it is interpolated once.

    Parameters
    ----------
    region : RegionMap
        In the template's space.
    threshold : float or None
        The least probability; None for labels, and for the default.
    transform : Transform or None
        From the native image to the template; None where the map lies in the image's own space.
    grid : Grid
        Of the native image.

    Raises
    ------
    InputError
        Where no voxel reaches the threshold.

    Examples
    --------
    >>> import numpy as np
    >>> grid = Grid((4, 4, 4), np.eye(4))
    >>> region = RegionMap("eye", grid, np.array([21]), None)
    >>> shift = np.eye(4)
    >>> shift[0, 3] = 1
    >>> native_region(region, None, Transform(shift), grid).indices.tolist()
    [20]
    """
    if transform is None:
        return region.mask_on(grid, threshold)
    own = region.mask_on(region.grid, threshold)
    placed = warp_mask(own, transform.inverse(), grid)
    notes = tuple(f"{region.name}: {note}" for note in placed.notes[len(own.notes) :])
    return replace(placed, notes=(*own.notes, *notes))
