"""Regions of interest: the separate parts of a mask, numbered and described."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..atlas import Atlas, LabelAtlas
from ..components import Component, Connectivity, find_components
from ..errors import InputError
from ..grid import Grid
from ..images import Map, Mask
from ..label_tables import Region
from .steps import Side, check_side

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "index",
    "name",
    "voxels",
    "volume_mm3",
    "peak_value",
    "peak_x_mm",
    "peak_y_mm",
    "peak_z_mm",
    "x_mm",
    "y_mm",
    "z_mm",
    "region",
)


@dataclass(frozen=True, eq=False)
class Roi:
    """One region of interest.

    Parameters
    ----------
    number : int
        From 1; its label in `Rois.atlas`.
    mask : Mask
    peak_mm : array of float64, shape (3,)
        Where the map is farthest beyond its threshold, (x, y, z) in mm; of several such voxels the
        one nearest to the middle.
    peak_value : float
        The map there; NaN where the map has no value in the region.
    centre_mm : array of float64, shape (3,)
        Centre of mass, every voxel counting the same, (x, y, z) in mm. It may lie outside.
    region : str
        Of an atlas, at the peak; empty without an atlas.
    """

    number: int
    mask: Mask
    peak_mm: NDArray[np.float64]
    peak_value: float
    centre_mm: NDArray[np.float64]
    region: str = ""

    @property
    def name(self) -> str:
        """Such as ``ROI 1``."""
        return f"ROI {self.number}"

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return self.mask.voxels

    @property
    def volume_mm3(self) -> float:
        """Volume in mm³."""
        return self.mask.volume_mm3

    @property
    def row(self) -> tuple[object, ...]:
        """What `Rois.table` says of it: `COLUMNS`."""
        place = (*self.peak_mm.tolist(), *self.centre_mm.tolist())
        size = (self.voxels, self.volume_mm3)
        return (self.number, self.name, *size, self.peak_value, *place, self.region)


@dataclass(frozen=True, eq=False)
class Rois:
    """Regions of interest on one grid.

    Parameters
    ----------
    name : str
        Of the map they were found in.
    grid : Grid
    parts : tuple of Roi
        In the order of their numbers, which is from the largest to the smallest.
    notes : tuple of str
        What was unusual about the masks, how many parts were too small, and how the atlas was
        brought onto the grid.
    """

    name: str
    grid: Grid
    parts: tuple[Roi, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[Roi]:
        return iter(self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of `parts`."""
        return tuple(part.name for part in self.parts)

    @cached_property
    def mask(self) -> Mask:
        """All of them together."""
        every = [np.zeros(0, np.int32), *(part.mask.indices for part in self.parts)]
        return Mask(self.grid, np.sort(np.concatenate(every)), self.name)

    @property
    def table(self) -> pd.DataFrame:
        """A row each: number, name, voxels, mm³, peak (value, mm), centre of mass, region."""
        import pandas as pd

        return pd.DataFrame([part.row for part in self.parts], columns=list(COLUMNS))

    @cached_property
    def atlas(self) -> LabelAtlas:
        """The regions as a labelled atlas; a voxel's label is the number of its region.

        Raises
        ------
        InputError
            Where there is no region.
        """
        if not self.parts:
            remedy = "lower the threshold, or leave out a step"
            raise InputError(self.name, "there is no region of interest", remedy)
        labels = np.zeros(self.grid.size, np.int32)
        for part in self.parts:
            labels[part.mask.indices] = part.number
        labels.setflags(write=False)
        array = labels.reshape(self.grid.shape, order="F")
        regions = tuple(Region(part.number, part.name) for part in self.parts)
        return LabelAtlas("mask_atlas", self.grid, array, regions)

    def pick(self, numbers: Sequence[int]) -> Rois:
        """Some of the regions; they keep their numbers.

        Raises
        ------
        InputError
            Where a number is none of them.
        """
        known = [part.number for part in self.parts]
        for number in numbers:
            if number not in known:
                remedy = f"choose from {', '.join(map(str, known[:12]))}"
                remedy = remedy if known else "nothing is beyond the threshold"
                raise InputError(self.name, f"has no region of interest {number}", remedy)
        return replace(self, parts=tuple(part for part in self.parts if part.number in numbers))


def find_rois(
    mask: Mask,
    found: Map,
    *,
    side: Side = "above",
    connectivity: Connectivity = 26,
    min_voxels: int = 1,
    min_mm3: float = 0.0,
    atlas: Atlas | None = None,
) -> Rois:
    """Separate a mask into its connected parts.

    Parameters
    ----------
    mask : Mask
    found : Map
        The map the mask was made from, on its grid.
    side : {"above", "below", "both"}
        Of the threshold the mask was made with: where the map is highest, lowest, or farthest from
        0 is the peak of a part. Voxels without a value (NaN), which dilation may add, are no peak.
    connectivity : {6, 18, 26}
        Voxels of one part share a face, an edge too, or a corner too.
    min_voxels : int
        Parts of fewer voxels are left out.
    min_mm3 : float
        And so are those of a smaller volume.
    atlas : LabelAtlas or ProbabilityAtlas, optional
        To name the region at each peak.

    Returns
    -------
    Rois
        Numbered from 1, the largest first; of equally large ones the one whose first voxel comes
        first in the file, the first axis fastest.

    Raises
    ------
    InputError
        Where mask and map are not on one grid, or an argument is out of its range.

    Examples
    --------
    >>> from lesion_dash import Threshold
    >>> values = np.zeros((6, 3, 3))
    >>> values[:2, 1, 1], values[4, 1, 1] = (4, 3), 9
    >>> found = Map("t", values, Grid((6, 3, 3), np.diag([2.0, 2, 2, 1])), "", "")
    >>> rois = find_rois(Threshold(2).apply(found), found)
    >>> rois.table[["index", "voxels", "volume_mm3", "peak_value", "peak_x_mm"]].values.tolist()
    [[1.0, 2.0, 16.0, 4.0, 0.0], [2.0, 1.0, 8.0, 9.0, 8.0]]
    """
    if not mask.grid.matches(found.grid):
        problem = f"is not on the grid of the map: {mask.grid.difference(found.grid)}"
        raise InputError(mask.name, problem, "bring both onto one grid")
    check_side(side)
    if min_voxels < 1:
        raise InputError("min voxels", f"is {min_voxels}", "give a number of at least 1")
    components = find_components(mask, 0.0, "positive", connectivity, min_voxels - 1, min_mm3)
    ordered = sorted(components, key=lambda part: (-part.voxels, int(part.indices[0])))
    local = atlas.on_grid(mask.grid) if atlas is not None and ordered else None
    flat = np.ravel(found.array, order="F")
    parts = tuple(
        _describe(number, part, flat[part.indices].astype(np.float64), side, local)
        for number, part in enumerate(ordered, 1)
    )
    how = local.notes if local is not None else ()
    return Rois(mask.name, mask.grid, parts, (*components.notes, *how))


def _describe(
    number: int, part: Component, values: NDArray[np.float64], side: Side, atlas: Atlas | None
) -> Roi:
    heights = {"above": values, "below": -values, "both": np.abs(values)}[side]
    # A voxel without a value is no peak, unless there is no other.
    heights = np.where(np.isnan(heights), -np.inf, heights)
    peak = Component(number, 1, part.grid, part.indices, heights)
    value = float(values[np.searchsorted(part.indices, peak.peak_index)])
    mask = Mask(part.grid, part.indices, f"ROI {number}")
    region = atlas.region_at(peak.peak_mm) if atlas is not None else ""
    return Roi(number, mask, peak.peak_mm, value, peak.centroid_mm, region)
