"""An image that is looked at on the page Inspect: what was found, and slices of one volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.nifti import Axis
from ..images.reading import ImageSource
from ..images.survey import Survey
from ..scans.inspection import Inspection, inspect_image

Voxel = tuple[int, int, int]

_MOST_EDGE = 1024  # pixels of a slice that are sent to the browser
_FEW_VALUES = 256  # up to so many different values are shown from the lowest to the highest
_BRIGHT = 0.995  # share of the values that are not 0 below the brightest grey
_PLANES = (("sagittal", "AP", "SI"), ("coronal", "RL", "SI"), ("axial", "RL", "AP"))


@dataclass(frozen=True)
class Plane:
    """How two axes of an image lie on the screen; the image is turned by right angles only.

    Parameters
    ----------
    name : str
        The direction of view it comes nearest to.
    across, up, through : int
        Axes of the image from left to right, from bottom to top, and into the screen.
    is_flipped : (bool, bool)
        Whether columns count down along the first, and rows along the second.
    edges : str
        Letters at the left, right, top and bottom.
    """

    name: str
    across: int
    up: int
    through: int
    is_flipped: tuple[bool, bool]
    edges: str

    def place(self, voxel: Voxel, shape: tuple[int, int, int]) -> tuple[int, int]:
        """Column and row of a voxel on the screen; rows count from the top."""
        pair = []
        for axis, flipped in zip((self.across, self.up), self.is_flipped, strict=True):
            pair.append(shape[axis] - 1 - voxel[axis] if flipped else voxel[axis])
        return pair[0], pair[1]

    def voxel(self, x: float, y: float, current: Voxel, shape: tuple[int, int, int]) -> Voxel:
        """The voxel at a share of width and height from the upper left corner."""
        position = list(current)
        for axis, flipped, part in zip(
            (self.across, self.up), self.is_flipped, (x, y), strict=True
        ):
            index = min(int(part * shape[axis]), shape[axis] - 1)
            position[axis] = shape[axis] - 1 - index if flipped else index
        return position[0], position[1], position[2]

    def cut(self, volume: NDArray, voxel: Voxel) -> NDArray:
        """The slice through a voxel, rows from the top, columns from the left."""
        # Not np.take, which copies the whole of a volume that lies in the file's order.
        flat = volume[(slice(None),) * self.through + (voxel[self.through],)]
        if self.across < self.up:
            flat = flat.T
        rows = slice(None, None, -1) if self.is_flipped[1] else slice(None)
        columns = slice(None, None, -1) if self.is_flipped[0] else slice(None)
        return flat[rows, columns]


def planes_of(axes: tuple[Axis, ...], radiological: bool) -> tuple[Plane, ...]:
    """Sagittal, coronal and axial view of an image, from the letters of its axes."""
    right_of = {"AP": "A", "RL": "L" if radiological else "R"}
    letters = [axis.letter for axis in axes]
    planes = []
    for name, across, up in _PLANES:
        a = next(n for n, letter in enumerate(letters) if letter in across)
        b = next(n for n, letter in enumerate(letters) if letter in up)
        right, top = right_of[across], up[0] if up == "SI" else "A"
        edges = across.replace(right, "") + right + top + up.replace(top, "")
        flips = (letters[a] != right, letters[b] == top)
        planes.append(Plane(name, a, b, 3 - a - b, flips, edges))
    return tuple(planes)


@dataclass(frozen=True, eq=False)
class LoadedVolume:
    """An inspected image with one of its volumes.

    Parameters
    ----------
    inspection : Inspection
    stored : array, shape (x, y, z), or None
        The volume as it is stored; None where there is nothing to show.
    volume : int
        Its number, from 0.
    window : (float, float)
        The values that are shown black and white.
    """

    inspection: Inspection
    stored: NDArray | None
    volume: int
    window: tuple[float, float]

    @property
    def middle(self) -> Voxel:
        """The voxel in the middle of the image."""
        i, j, k = (n // 2 for n in (*self.inspection.shape, 1, 1, 1)[:3])
        return i, j, k

    @property
    def highest(self) -> Voxel:
        """The first voxel of this volume with its highest value; the middle where all are NaN."""
        if self.stored is None or np.isnan(self.stored).all():
            return self.middle
        header = self.inspection.header
        is_falling = header is not None and header.slope < 0
        place = np.nanargmin(self.stored) if is_falling else np.nanargmax(self.stored)
        i, j, k = np.unravel_index(int(place), self.stored.shape)
        return int(i), int(j), int(k)

    def value(self, voxel: Voxel) -> float:
        """The value of a voxel of this volume."""
        if self.stored is None:
            return float("nan")
        return float(self.inspection.scaled(np.asarray(self.stored[voxel])))

    def panes(self, voxel: Voxel, radiological: bool) -> tuple[list[dict[str, Any]], bytes]:
        """The three slices through a voxel: what the browser needs to know, and their pixels."""
        space = self.inspection.space
        if space is None or self.stored is None:
            return [], b""
        panes, pixels = [], []
        for plane in planes_of(space.axes, radiological):
            grey = self._grey(plane.cut(self.stored, voxel))
            column, row = plane.place(voxel, space.grid.shape)
            across, up, through = (space.axes[n] for n in (plane.across, plane.up, plane.through))
            panes.append(
                {
                    "title": f"{plane.name}, {through.name} = {voxel[plane.through]}",
                    "pixels": [grey.shape[1], grey.shape[0]],
                    "mm": [across.voxels * across.edge_mm, up.voxels * up.edge_mm],
                    "cross": [(column + 0.5) / across.voxels, (row + 0.5) / up.voxels],
                    "edges": list(plane.edges),
                }
            )
            pixels.append(grey.tobytes())
        return panes, b"".join(pixels)

    def _grey(self, stored: NDArray) -> NDArray[np.uint8]:
        step = max(-(-max(stored.shape) // _MOST_EDGE), 1)
        values = self.inspection.scaled(stored[::step, ::step])
        low, high = self.window
        share = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
        return np.rint(np.nan_to_num(share) * 255).astype(np.uint8)


def open_volume(source: ImageSource) -> LoadedVolume:
    """Inspect an image and read its first volume."""
    inspection = inspect_image(source)
    if inspection.survey is None or inspection.space is None:
        return LoadedVolume(inspection, None, 0, (0.0, 1.0))
    return LoadedVolume(inspection, inspection.stored_volume(0), 0, window_of(inspection.survey))


def other_volume(loaded: LoadedVolume, volume: int) -> LoadedVolume:
    """The same image with another volume."""
    return LoadedVolume(
        loaded.inspection, loaded.inspection.stored_volume(volume), volume, loaded.window
    )


def window_of(survey: Survey) -> tuple[float, float]:
    """The values shown black and white: all of a mask's, the bulk of a scan's."""
    if not survey.counts.size:
        return 0.0, 1.0
    low, high = survey.lowest, survey.highest
    if survey.distinct <= _FEW_VALUES and not survey.has_more:
        return low, high
    edges, counts = survey.edges, survey.counts.copy()
    counts[(edges[:-1] <= 0) & (edges[1:] > 0)] = 0
    if not counts.any():
        return low, high
    last = int(np.searchsorted(np.cumsum(counts), _BRIGHT * counts.sum()))
    return low, min(high, float(edges[min(last + 1, edges.size - 1)]))
