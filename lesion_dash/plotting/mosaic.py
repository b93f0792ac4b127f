"""Rows of slices through the brain as one picture, laid out once for all maps of a report.

nilearn draws each slice into axes of its own, which takes seconds a map; here the slices of all
maps are the same, so the voxel behind each pixel is found once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.grid import Grid
from ..images.template import grid_of, load_template

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

Cuts = Mapping[str, Sequence[float]]
"""Coordinates in mm of the slices along x, y and z."""

_CUTS_IN_A_ROW = 7
"""As many as nilearn's own mosaics have."""

_GAP, _LINE = 6, 16  # mm between slices, and of the line of text below each; arbitrary
_TEXT = 8  # points; arbitrary
_WHITE = 255
# Axes to the right and upwards in a slice along each axis, and the letters at its sides.
_PLANES = {"x": (1, 2, "PA"), "y": (0, 2, "LR"), "z": (0, 1, "LR")}


def choose_cuts(mm: NDArray[np.float64]) -> Cuts:
    """Seven slices along each axis, evenly over the middle 90 % of some places, in whole mm."""
    cuts = {}
    for axis, name in enumerate("xyz"):
        low, high = np.percentile(mm[:, axis], (5, 95))
        places = np.rint(np.linspace(low, high, _CUTS_IN_A_ROW)).tolist()
        cuts[name] = [place + 0.0 for place in dict.fromkeys(places)]
    return cuts


@dataclass(frozen=True, eq=False)
class Mosaic:
    """Slices through the MNI152 brain, a row for each axis, in pixels of 1 mm.

    The patient's left is on the left, front on the right.

    Parameters
    ----------
    brain : array of uint8, shape (rows, columns)
        The template in grey, white outside it; the first row is the uppermost.
    voxels : array of int32, shape (rows, columns)
        Linear position on the grid of the voxel at each pixel, -1 where there is none.
    labels : tuple of (str, float, float, str)
        Text, its place in pixels from the left and from the top, and whether it is "left", "right"
        or "center" of it.
    """

    brain: NDArray[np.uint8]
    voxels: NDArray[np.int32]
    labels: tuple[tuple[str, float, float, str], ...]

    def draw(
        self,
        values: NDArray[Any],
        limits: tuple[float, float],
        colours: Colormap,
        figure: Figure,
        rect: tuple[float, float, float, float],
    ) -> Axes:
        """Draw a map over the brain into a part of a figure; 0 and NaN are not drawn.

        Parameters
        ----------
        values : array, shape of the grid
        limits : (float, float)
            Values of the first and last colour.
        colours : Colormap
        figure : Figure
        rect : (float, float, float, float)
            Left, bottom, width and height of the slices as parts of the figure.
        """
        low, high = limits
        known = self.values(values)
        pixels = np.repeat(self.brain[..., None], 3, axis=2)
        drawn = known != 0
        pixels[drawn] = colours((known[drawn] - low) / (high - low), bytes=True)[:, :3]
        axes = figure.add_axes(rect)
        axes.set_axis_off()
        axes.imshow(pixels, extent=(0, pixels.shape[1], pixels.shape[0], 0))
        for text, x, y, align in self.labels:
            axes.text(x, y, text, size=_TEXT, ha=align, va="top" if align != "center" else "bottom")
        return axes

    def values(self, array: NDArray[Any]) -> NDArray[Any]:
        """The values of an array of the grid's shape at the pixels; 0 for NaN and where none is."""
        known = np.nan_to_num(array).ravel(order="F")[self.voxels]
        known[self.voxels < 0] = 0
        return known


def lay_out_slices(grid: Grid, cuts: Cuts, mm: NDArray[np.float64]) -> Mosaic:
    """Find the voxel at each pixel of a mosaic.

    Parameters
    ----------
    grid : Grid
        Of the maps to draw.
    cuts : mapping
        A row of slices for each axis in it.
    mm : array, shape (n, 3)
        Places that are to be in the picture where they lie outside the brain.
    """
    low, high = _extent(mm)
    planes = {name: plane for name, plane in _PLANES.items() if name in cuts}
    wide = max(high[across] - low[across] for across, _, _ in planes.values()) + 1 + _GAP
    columns = max(len(places) for places in cuts.values())
    heights = [high[up] - low[up] + 1 + _LINE for _, up, _ in planes.values()]
    brain = np.full((sum(heights), columns * wide), _WHITE, np.uint8)
    voxels = np.full(brain.shape, -1, np.int32)
    labels: list[tuple[str, float, float, str]] = []
    template = load_template()
    template_grid = grid_of(template)
    levels = np.asarray(template.dataobj).ravel(order="F")
    tops = np.cumsum([0, *heights]).tolist()
    for (name, (_, _, letters)), top, height in zip(planes.items(), tops, heights, strict=False):
        for column, place in enumerate(cuts[name]):
            points = _points(name, place, low, high)
            rows, left = slice(top, top + height - _LINE), column * wide
            left += (wide - points.shape[1]) // 2
            right = left + points.shape[1]
            voxels[rows, left:right] = _voxels_at(grid, points)
            behind = _voxels_at(template_grid, points)
            shown = np.where(behind < 0, 0, levels[behind])
            brain[rows, left:right] = np.where(shown, shown, _WHITE)
            labels.append((letters[0], left, top, "left"))
            labels.append((letters[1], right, top, "right"))
            labels.append((f"{name}={place:g}", (left + right) / 2, top + height, "center"))
    return Mosaic(brain, voxels, tuple(labels))


def _points(
    name: str, place: float, low: NDArray[np.int64], high: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Places in mm of the pixels of a slice, from the upper left one."""
    across, up, _ = _PLANES[name]
    right = np.arange(low[across], high[across] + 1)
    upwards = np.arange(high[up], low[up] - 1, -1)
    points = np.full((upwards.size, right.size, 3), place)
    points[..., across] = right
    points[..., up] = upwards[:, None]
    return points


def _voxels_at(grid: Grid, points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Linear position of the nearest voxel, -1 outside the grid."""
    voxels = np.floor(grid.to_voxel(points) + 0.5).astype(np.int32)
    is_inside = ((voxels >= 0) & (voxels < grid.shape)).all(axis=-1)
    i, j, k = np.moveaxis(voxels, -1, 0)
    return np.where(is_inside, grid.linear_index((i, j, k)), -1).astype(np.int32)


def _extent(mm: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Lowest and highest whole mm of the brain and some places."""
    low, high = _brain_extent()
    if mm.size:
        low, high = np.minimum(low, mm.min(axis=0)), np.maximum(high, mm.max(axis=0))
    return np.floor(low).astype(int), np.ceil(high).astype(int)


@lru_cache(maxsize=1)
def _brain_extent() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    template = load_template()
    is_brain = np.asarray(template.dataobj) > 0
    edges = [
        np.flatnonzero(is_brain.any(axis=others))[[0, -1]] for others in ((1, 2), (0, 2), (0, 1))
    ]
    ends = grid_of(template).to_mm(np.array(edges).T)
    return ends.min(axis=0), ends.max(axis=0)
