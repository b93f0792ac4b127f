"""Labelled atlases: the one region each voxel belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..grid import Grid
from ..label_tables import Region
from .extent import check_boxes_meet

if TYPE_CHECKING:
    import pandas as pd
    from scipy import sparse

OUTSIDE = "outside the atlas"

TIE_MM = 0.001
"""A point this much to the left, back and below decides between equally near voxels."""


@dataclass(frozen=True, eq=False)
class LabelAtlas:
    """One region at most for every voxel.

    Parameters
    ----------
    name : str
    grid : Grid
    labels : array of int, shape of the grid
        0 is outside the atlas.
    regions : tuple of Region
        In ascending order of label; a label without a name is called ``label N``.
    notes : tuple of str
        What is unusual about the image or its table, and how it was brought onto its grid.
    sources : dict
        SHA-256 of image and label table, by path.
    """

    name: str
    grid: Grid
    labels: NDArray[np.integer]
    regions: tuple[Region, ...]
    notes: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)

    @cached_property
    def names(self) -> dict[int, str]:
        """Label to name, with 0 for what lies outside the atlas."""
        return {0: OUTSIDE} | {region.label: region.name for region in self.regions}

    @cached_property
    def sizes(self) -> dict[int, int]:
        """Voxels of each label that occurs, on this grid."""
        found, counts = np.unique(self.labels, return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))

    @property
    def table(self) -> pd.DataFrame:
        """A row per region: label, region, voxels on this grid, and the table's other columns."""
        import pandas as pd

        rows = [
            {
                "label": region.label,
                "region": region.name,
                "voxels": self.sizes.get(region.label, 0),
            }
            | region.extra
            for region in self.regions
        ]
        return pd.DataFrame(rows, columns=None if rows else ["label", "region", "voxels"])

    def region_at(self, mm: ArrayLike) -> str:
        """Name of the region at a world point in mm; ties as in `on_grid`."""
        voxel = self.grid.nearest_voxel(np.asarray(mm, float) - TIE_MM)
        return self.names[int(self.labels[voxel])] if voxel else OUTSIDE

    @cached_property
    def numbers(self) -> NDArray[np.unsignedinteger]:
        """Which of `regions` each voxel belongs to, from 1 on, 0 outside; shape (voxels,)."""
        maps, size = self.maps, len(self.regions)
        numbers = np.zeros(self.grid.size, np.min_scalar_type(size))
        numbers[maps.indices] = np.repeat(np.arange(1, size + 1), np.diff(maps.indptr))
        numbers.setflags(write=False)
        return numbers

    @cached_property
    def voxel_counts(self) -> list[int]:
        """Voxels of each region, in their order."""
        return [self.sizes.get(region.label, 0) for region in self.regions]

    @cached_property
    def maps(self) -> sparse.csc_array:
        """Membership as probabilities: 1 in each region's voxels, shape (voxels, regions).

        The columns are in the order of `regions`, as those of a `ProbabilityAtlas`.
        """
        from scipy import sparse

        flat = np.ravel(self.labels, order="F")
        rows = np.flatnonzero(flat)
        order = np.argsort(flat[rows], kind="stable")
        rows = rows[order].astype(np.int32)
        labels = [region.label for region in self.regions]
        bounds = np.concatenate([[0], np.cumsum(self.voxel_counts)])
        return sparse.csc_array((np.ones(rows.size), rows, bounds), (flat.size, len(labels)))

    def on_grid(self, grid: Grid) -> LabelAtlas:
        """Bring the atlas onto a grid by nearest neighbour through world coordinates.

        Where a voxel's centre lies exactly between atlas voxels, the one to the left (then back,
        below) is taken: every point is moved by 0.001 mm in these directions before rounding.
        The rule is one of the world, so a mirrored or permuted copy of an atlas gives the same.

        Raises
        ------
        InputError
            Where the atlas does not overlap the grid.
        """
        return _on_grid(self, grid)


@lru_cache(maxsize=8)
def _on_grid(atlas: LabelAtlas, grid: Grid) -> LabelAtlas:
    from scipy.ndimage import affine_transform

    if atlas.grid.matches(grid):
        return atlas
    check_boxes_meet(atlas.name, atlas.grid, grid)
    inverse = np.linalg.inv(atlas.grid.affine)
    steps = inverse @ grid.affine
    nudge = inverse[:3, :3] @ np.full(3, -TIE_MM)
    labels = affine_transform(
        atlas.labels,
        steps[:3, :3],
        steps[:3, 3] + nudge,
        output_shape=grid.shape,
        order=0,
        mode="grid-constant",
        cval=0,
        prefilter=False,
    )
    labels.setflags(write=False)
    return replace(atlas, grid=grid, labels=labels, notes=(*atlas.notes, _how(atlas.grid, grid)))


def _how(own: Grid, grid: Grid) -> str:
    if own.exact_steps(grid) is not None and own.size == grid.size:
        return f"atlas reoriented from {own} onto the map's grid ({grid}): no value changes"
    return (
        f"atlas resampled from {own} onto the map's grid ({grid}) by nearest neighbour in world "
        "coordinates; exact ties go to the left, back and below; region sizes are those on the "
        "map's grid"
    )
