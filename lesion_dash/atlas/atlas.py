"""Atlases: which region each voxel belongs to, or how likely."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import InputError
from ..core.grid import Grid
from .formats import Region

if TYPE_CHECKING:
    import pandas as pd
    from scipy import sparse


def check_boxes_meet(name: str, own: Grid, grid: Grid) -> None:
    """Raise InputError where an atlas and a map have no place in common."""
    if not _boxes_meet(own, grid):
        problem = f"atlas does not overlap the map: {_extent(own)} against {_extent(grid)}"
        raise InputError(name, problem, "choose an atlas of the same space")


def _boxes_meet(a: Grid, b: Grid) -> bool:
    (low_a, high_a), (low_b, high_b) = (
        (grid.corners().min(axis=0), grid.corners().max(axis=0)) for grid in (a, b)
    )
    return bool(np.all(low_a <= high_b) and np.all(low_b <= high_a))


def _extent(grid: Grid) -> str:
    low, high = grid.corners().min(axis=0), grid.corners().max(axis=0)
    return ", ".join(
        f"{axis} {a:.0f}..{b:.0f} mm" for axis, a, b in zip("xyz", low, high, strict=True)
    )


# Labelled atlases: the one region each voxel belongs to.


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
        return _labels_on_grid(self, grid)


@lru_cache(maxsize=8)
def _labels_on_grid(atlas: LabelAtlas, grid: Grid) -> LabelAtlas:
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
    return replace(
        atlas, grid=grid, labels=labels, notes=(*atlas.notes, _how_labels(atlas.grid, grid))
    )


def _how_labels(own: Grid, grid: Grid) -> str:
    if own.exact_steps(grid) is not None and own.size == grid.size:
        return f"atlas reoriented from {own} onto the map's grid ({grid}): no value changes"
    return (
        f"atlas resampled from {own} onto the map's grid ({grid}) by nearest neighbour in world "
        "coordinates; exact ties go to the left, back and below; region sizes are those on the "
        "map's grid"
    )


# Probabilistic atlases: how likely each voxel belongs to each region.


_ROUNDING = 1e-9
"""Interpolated values below this share of the largest one are what rounding left of a 0."""


@dataclass(frozen=True, eq=False)
class ProbabilityAtlas:
    """A map of probabilities for every region; maps may overlap.

    Parameters
    ----------
    name : str
    grid : Grid
    maps : sparse array of float64, shape (voxels of the grid, regions), by columns
        Probabilities between 0 and 1; voxels with the first axis fastest.
    regions : tuple of Region
        Of each column, in order.
    notes : tuple of str
        What is unusual about the images or their table, the scale that was found (0 to 1 or
        percent), and how the maps were brought onto their grid.
    sources : dict
        SHA-256 of images and label table, by path.
    """

    name: str
    grid: Grid
    maps: sparse.csc_array
    regions: tuple[Region, ...]
    notes: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)

    @cached_property
    def names(self) -> dict[int, str]:
        """Label to name."""
        return {region.label: region.name for region in self.regions}

    @cached_property
    def sizes(self) -> dict[int, float]:
        """Expected voxels of each region on this grid: the sum of its probabilities."""
        sums = np.asarray(self.maps.sum(axis=0)).ravel()
        return {region.label: float(size) for region, size in zip(self.regions, sums, strict=True)}

    @cached_property
    def voxel_counts(self) -> list[int]:
        """Voxels where each region is possible, in the order of the regions."""
        counts: list[int] = self.maps.count_nonzero(axis=0).tolist()
        return counts

    @property
    def table(self) -> pd.DataFrame:
        """A row per region: label, region, expected voxels on this grid, the table's columns."""
        import pandas as pd

        rows = [
            {
                "label": region.label,
                "region": region.name,
                "expected_voxels": self.sizes[region.label],
            }
            | region.extra
            for region in self.regions
        ]
        return pd.DataFrame(rows, columns=None if rows else ["label", "region", "expected_voxels"])

    def region_at(self, mm: ArrayLike) -> str:
        """Name of the likeliest region at a world point in mm."""
        voxel = self.grid.nearest_voxel(mm)
        if voxel is None:
            return OUTSIDE
        row = self._by_rows[[self.grid.linear_index(voxel)]]
        return self.regions[row.indices[np.argmax(row.data)]].name if row.nnz else OUTSIDE

    @cached_property
    def _by_rows(self) -> sparse.csr_array:
        return self.maps.tocsr()

    def on_grid(self, grid: Grid) -> ProbabilityAtlas:
        """Bring the maps onto a grid by linear interpolation in world coordinates.

        Where every voxel of the grid is one of the atlas's, as in a mirrored or permuted copy,
        the values are taken as they are.

        Raises
        ------
        InputError
            Where the atlas does not overlap the grid.
        """
        return _maps_on_grid(self, grid)


@lru_cache(maxsize=8)
def _maps_on_grid(atlas: ProbabilityAtlas, grid: Grid) -> ProbabilityAtlas:
    from scipy import sparse

    if atlas.grid.matches(grid):
        return atlas
    check_boxes_meet(atlas.name, atlas.grid, grid)
    bounds = atlas.maps.indptr.tolist()
    columns = [
        resample_sparse(atlas.maps.indices[a:b], atlas.maps.data[a:b], atlas.grid, grid)
        for a, b in pairwise(bounds)
    ]
    maps = sparse.csc_array(
        (
            np.concatenate([values for _, values in columns]),
            np.concatenate([rows for rows, _ in columns]),
            np.cumsum([0, *(rows.size for rows, _ in columns)]),
        ),
        shape=(grid.size, len(columns)),
    )
    return replace(atlas, grid=grid, maps=maps, notes=(*atlas.notes, _how_maps(atlas.grid, grid)))


def resample_sparse(
    indices: NDArray[np.integer], values: NDArray[np.float64], own: Grid, grid: Grid
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Bring values at some voxels onto another grid by linear interpolation, 0 elsewhere.

    Parameters
    ----------
    indices : array of int, shape (voxels,)
        Linear positions on the grid `own`, the first axis fastest.
    values : array of float64, shape (voxels,)
    own, grid : Grid

    Returns
    -------
    indices : array of int32, ascending, on `grid`
    values : array of float64, not zero; nor below a billionth of the largest given value, so that
        rounding does not decide which voxels have one
    """
    from scipy.ndimage import affine_transform

    nothing = np.empty(0, np.int32), np.empty(0)
    if not len(indices):
        return nothing
    places = np.stack(np.unravel_index(indices, own.shape, order="F"))
    low, high = places.min(axis=1) - 1, places.max(axis=1) + 1
    box = np.zeros(high - low + 1)
    box[tuple(places - low[:, None])] = values
    first, last = _box_on(own, grid, low, high)
    if np.any(last < first):
        return nothing
    steps = _steps(grid, own)
    offset = steps[:3, :3] @ first + steps[:3, 3] - low
    found = affine_transform(
        box, steps[:3, :3], offset, tuple(last - first + 1), order=1, prefilter=False
    )
    found[np.abs(found) < _ROUNDING * np.abs(values).max()] = 0
    kept = np.nonzero(found.transpose(2, 1, 0))[::-1]
    rows = np.ravel_multi_index(
        tuple(axis + start for axis, start in zip(kept, first, strict=True)), grid.shape, order="F"
    )
    return rows.astype(np.int32), found[kept]


def _steps(grid: Grid, own: Grid) -> NDArray[np.float64]:
    """Takes voxels of `grid` to those of `own`; whole numbers where voxel centres coincide."""
    steps = np.linalg.inv(own.affine) @ grid.affine
    return np.rint(steps) if grid.exact_steps(own) is not None else steps


def _box_on(
    own: Grid, grid: Grid, low: NDArray[np.int64], high: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last voxel on `grid` of what a box of voxels on `own` can reach."""
    corners = grid.to_voxel(own.to_mm(list(product(*zip(low, high, strict=True)))))
    first = np.ceil(corners.min(axis=0) - 1e-6).astype(np.int64)
    last = np.floor(corners.max(axis=0) + 1e-6).astype(np.int64)
    return np.maximum(first, 0), np.minimum(last, np.array(grid.shape) - 1)


def _how_maps(own: Grid, grid: Grid) -> str:
    if own.exact_steps(grid) is not None and own.size == grid.size:
        return f"atlas reoriented from {own} onto the map's grid ({grid}): no value changes"
    return (
        f"probability maps resampled from {own} onto the map's grid ({grid}) by linear "
        "interpolation in world coordinates"
    )


# Atlases: which region each voxel belongs to, or how likely.


Atlas = LabelAtlas | ProbabilityAtlas


def atlas_input(atlas: Atlas) -> dict[str, Any]:
    """An atlas as an input: the image and the label table that were read, with checksums."""
    files = [{"file": file, "sha256": sha256 or None} for file, sha256 in atlas.sources.items()]
    return {"kind": "atlas", "name": atlas.name, "files": files}
