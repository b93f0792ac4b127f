"""What the page Template & signal looks at: an image on a template, and slices of both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.formats import COORDINATE
from ..core.grid import Grid
from ..images.hounsfield import brain_window
from ..images.maps import Map
from ..images.masks import Mask
from ..images.nifti import Axis, Space, point
from ..images.survey import axis_codes
from ..scans.registration.task import NotCredible, Registration
from ..transforms.transform import Transform
from .loaded_volume import Plane, Voxel, planes_of
from .places import Mm

REGION, LESION = 1, 2
"""Bits of a pixel's mark."""

_MOST_EDGE = 1024  # pixels of a slice that are sent to the browser
_WINDOW = (1.0, 99.5)
"""Percentiles of what is not background between which the greys lie."""


@dataclass(frozen=True, eq=False)
class VolumePair:
    """An image on the grid of its template, or on its own where there is none.

    Parameters
    ----------
    native : Map
        The image as it was read.
    placed : Map
        On the template's grid; the image itself without a template.
    template : Map or None
    lesion : Mask or None
        On the same grid.
    native_lesion : Mask or None
    registration : Registration or None
        None where the image lies as the headers put it.
    refusal : NotCredible or None
        Why the registration is not to be used.
    """

    native: Map
    placed: Map
    template: Map | None = None
    lesion: Mask | None = None
    native_lesion: Mask | None = None
    registration: Registration | None = None
    refusal: NotCredible | None = None

    @property
    def grid(self) -> Grid:
        """The grid of the slices."""
        return self.placed.grid

    @property
    def transform(self) -> Transform | None:
        """From the native image to the template; None where the image's own space is shown."""
        return None if self.registration is None else self.registration.transform

    @property
    def can_measure(self) -> bool:
        """Whether it is known where a region of the template lies in the native image."""
        return self.template is None or (self.registration is not None and self.refusal is None)

    @cached_property
    def levels(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Greys of the template and of the image; twice the same without a template."""
        image = greys(self.placed)
        return (image if self.template is None else greys(self.template)), image

    @cached_property
    def axes(self) -> tuple[Axis, Axis, Axis]:
        """The axes of the grid."""
        return Space(self.grid, axis_codes(self.grid.affine)).axes

    @property
    def middle(self) -> Voxel:
        """The voxel in the middle."""
        i, j, k = (count // 2 for count in self.grid.shape)
        return i, j, k

    def clip(self, voxel: Voxel) -> Voxel:
        """The voxel, or the nearest one of the grid."""
        pairs = zip(voxel, self.grid.shape, strict=True)
        i, j, k = (min(max(index, 0), count - 1) for index, count in pairs)
        return i, j, k

    def place(self, voxel: Voxel) -> Mm:
        """The centre of a voxel in mm."""
        x, y, z = self.grid.to_mm(voxel).tolist()
        return x, y, z

    def summary(self, voxel: Voxel) -> str:
        """Where the crosshair is, in the space of the slices and in the native image."""
        place = self.place(voxel)
        space = "image" if self.template is None else "template"
        label = f"{space} {point(round(coordinate, 1) for coordinate in place)} mm"
        if self.transform is None:
            return label
        own = self.transform.moving_points([place])[0].tolist()
        return f"{label} · native image {point(round(coordinate, 1) for coordinate in own)} mm"

    def panes(self, voxel: Voxel, radiological: bool) -> tuple[list[dict[str, Any]], bytes, bytes]:
        """The three slices through a voxel: their facts, the template's pixels and the image's."""
        facts, template, image = [], [], []
        for plane in planes_of(self.axes, radiological):
            below, above = (_cut(plane, volume, voxel) for volume in self.levels)
            facts.append(self._facts(plane, voxel, above.shape))
            template.append(below.tobytes())
            image.append(above.tobytes())
        return facts, b"".join(template), b"".join(image)

    def marks(self, voxel: Voxel, radiological: bool, region: Mask | None) -> bytes:
        """Which pixels of the three slices belong to the region and to the lesion."""
        masks = [(bit, mask) for bit, mask in ((REGION, region), (LESION, self.lesion)) if mask]
        cuts = []
        for plane in planes_of(self.axes, radiological):
            marks = np.zeros_like(_cut(plane, self.levels[1], voxel))
            for bit, mask in masks:
                marks |= np.uint8(bit) * _cut(plane, mask.array, voxel)
            cuts.append(marks.tobytes())
        return b"".join(cuts)

    def voxel(self, pane: int, x: float, y: float, current: Voxel, radiological: bool) -> Voxel:
        """The voxel at a share of width and height of a slice."""
        plane = planes_of(self.axes, radiological)[pane]
        return plane.voxel(x, y, current, self.grid.shape)

    def deeper(self, pane: int, step: int, current: Voxel) -> Voxel:
        """The voxel of a neighbouring slice."""
        moved = list(current)
        moved[planes_of(self.axes, False)[pane].through] += step
        return self.clip((moved[0], moved[1], moved[2]))

    def _facts(self, plane: Plane, voxel: Voxel, pixels: tuple[int, ...]) -> dict[str, Any]:
        across, up = (self.axes[axis] for axis in (plane.across, plane.up))
        column, row = plane.place(voxel, self.grid.shape)
        world = "xyz"[("sagittal", "coronal", "axial").index(plane.name)]
        mm = self.place(voxel)["xyz".index(world)]
        return {
            "title": f"{plane.name}, {world} = {COORDINATE.with_unit(mm)}",
            "pixels": [pixels[1], pixels[0]],
            "mm": [across.voxels * across.edge_mm, up.voxels * up.edge_mm],
            "cross": [(column + 0.5) / across.voxels, (row + 0.5) / up.voxels],
            "step": [1 / across.voxels, 1 / up.voxels],
            "edges": list(plane.edges),
        }


def _cut(plane: Plane, volume: NDArray, voxel: Voxel) -> NDArray:
    """The slice through a voxel, with no more pixels than a screen has."""
    axis = plane.through
    # A layer alone: numpy would copy a whole volume whose first axis is the fastest.
    layer = volume[(*[slice(None)] * axis, slice(voxel[axis], voxel[axis] + 1))]
    cut = plane.cut(layer, (0, 0, 0))
    step = max(-(-max(cut.shape) // _MOST_EDGE), 1)
    return cut[::step, ::step]


def greys(image: Map) -> NDArray[np.uint8]:
    """The values of an image as greys: background black, the bulk of the rest up to white."""
    array = np.nan_to_num(brain_window(image.array).astype(np.float32, copy=False))
    seen = array[array != 0]
    if not seen.size:
        return np.zeros(array.shape, np.uint8)
    low, high = np.percentile(seen, _WINDOW)
    low = min(float(low), 0.0) if seen.min() >= 0 else float(low)
    share = np.clip((array - low) / ((float(high) - low) or 1.0), 0, 1)
    return np.rint(share * 255).astype(np.uint8)
