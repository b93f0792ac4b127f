"""Atlases: which region each voxel belongs to, or how likely."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import InputError
from ..core.grid import Grid
from ..core.notes import InfoNote
from ..files.writing import with_notes
from ..images.maps import GridCache
from ..images.probabilities import Scale
from ..images.space import compare_spaces, space_input
from .formats import Region
from .levels import DOUBTFUL, SWAPPED, levels_of
from .nearest import border_of, distances_to, nearest_of

if TYPE_CHECKING:
    import pandas as pd
    from scipy import sparse

OUTSIDE = "outside the atlas"
MIRRORED = "atlas mirrored about x = 0 mm, as was stated"

TIE_MM = 0.001
"""A point this much to the left, back and below decides between equally near voxels.

Arbitrary: above the rounding of affines stored as float32, far below any voxel.
"""

_ROUNDING = 1e-9
"""Interpolated values below this part of the largest one are what rounding left of a 0.

Arbitrary: float64 rounds at 1e-16, and no probability is meant to nine digits.
"""


@dataclass(frozen=True)
class Nearest:
    """The region that is nearest to a place.

    Parameters
    ----------
    region : Region
    distance_mm : float
        From the place to the centre of the region's nearest voxel; 0 in the region.
    """

    region: Region
    distance_mm: float


class Atlas(ABC):
    """Regions on a grid, each with a name: a `LabelAtlas` or a `ProbabilityAtlas`.

    Attributes
    ----------
    name : str
    grid : Grid
    regions : tuple of Region
    notes : tuple of str
        What is unusual about the files, and how the atlas was brought onto its grid.
    sources : dict
        SHA-256 of the images and the label table, by path.
    maps : sparse array of float64, shape (voxels of the grid, regions), by columns
        How likely each voxel belongs to each region; voxels with the first axis fastest.
    is_probabilistic : bool
        Whether regions may overlap, and their sizes are expected ones.
    """

    is_probabilistic: ClassVar[bool]
    _size_column: ClassVar[str]
    _nudge: ClassVar[float] = 0.0  # of a point, before its nearest voxel is taken
    _resampling: ClassVar[tuple[str, str]]  # what is brought onto a grid, and how

    name: str
    grid: Grid
    regions: tuple[Region, ...]
    notes: tuple[str, ...]
    sources: dict[str, str]
    maps: sparse.csc_array

    @cached_property
    def names(self) -> dict[int, str]:
        """Label to name."""
        return {region.label: region.name for region in self.regions}

    @property
    @abstractmethod
    def sizes(self) -> Mapping[int, float]:
        """Voxels of each label on this grid; those that are expected, of probabilities."""

    @property
    @abstractmethod
    def voxel_counts(self) -> list[int]:
        """Voxels where each region is possible, in the order of the regions."""

    @abstractmethod
    def region_at(self, mm: ArrayLike) -> str:
        """Name of the (likeliest) region at a world point in mm."""

    @abstractmethod
    def region_of(self, voxel: int) -> Region | None:
        """The (likeliest) region at a linear position; None outside the atlas."""

    @cached_property
    def is_inside(self) -> NDArray[np.bool_]:
        """Whether any region is possible at each voxel, shape (voxels,)."""
        is_inside = np.zeros(self.grid.size, bool)
        is_inside[self.maps.indices[self.maps.data > 0]] = True
        return is_inside

    @cached_property
    def distances(self) -> NDArray[np.float32]:
        """Distance in mm from each voxel to the nearest of any region; see `distances_to`."""
        return distances_to(self.grid, self.is_inside)

    def nearest(self, mm: ArrayLike) -> Nearest | None:
        """The region nearest to a world point in mm, and how far away it is.

        In a region of the atlas, as `region_at` names it, the distance is 0. Outside it is that to
        the centre of the nearest voxel of a region; of equally near ones, the left one (then back,
        below) counts. None where the atlas has no voxel on its grid.

        Examples
        --------
        >>> from lesion_dash import load_atlas
        >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
        >>> near = atlas.nearest([-26, 0, 8])
        >>> near.region.name, near.distance_mm
        ('Synthetic putamen L', 0.0)
        """
        point = np.asarray(mm, float)
        voxel = self.grid.nearest_voxel(point - self._nudge)
        own = self.region_of(self.grid.linear_index(voxel)) if voxel is not None else None
        if own is not None:
            return Nearest(own, 0.0)
        if not self._border.size:
            return None
        place, distance = nearest_of(self._border_tree, point, TIE_MM)
        region = self.region_of(int(self._border[place]))
        return Nearest(region, distance) if region is not None else None

    @cached_property
    def _border(self) -> NDArray[np.int64]:
        return border_of(self.grid, self.is_inside)

    @cached_property
    def _border_tree(self) -> Any:
        from scipy.spatial import KDTree

        return KDTree(self.grid.mm_of_index(self._border))

    @abstractmethod
    def grouped(self, name: str, regions: tuple[Region, ...], groups: Sequence[int]) -> Self:
        """The atlas of some groups of its regions, numbered from 1; see `group_regions`."""

    @abstractmethod
    def _resampled(self, grid: Grid) -> dict[str, Any]:
        """The fields that hold voxels, brought onto another grid."""

    @property
    def table(self) -> pd.DataFrame:
        """A row per region: label, region, its size on this grid, its levels, other columns."""
        import pandas as pd

        size, sizes = self._size_column, self.sizes
        rows = [
            {"label": region.label, "region": region.name, size: sizes.get(region.label, 0)}
            | {level: value for level, value in asdict(levels_of(region)).items() if value}
            | {key: value for key, value in region.extra.items() if key != "hemisphere"}
            for region in self.regions
        ]
        return pd.DataFrame(rows, columns=None if rows else ["label", "region", size])

    def on_grid(self, grid: Grid) -> Self:
        """Bring the atlas onto a grid through world coordinates.

        Labels are taken by nearest neighbour. Where a voxel's centre lies exactly between atlas
        voxels, the one to the left (then back, below) is taken: every point is moved by 0.001 mm in
        these directions before rounding. The rule is one of the world, so a mirrored or permuted
        copy of an atlas gives the same. Probabilities are interpolated linearly, and taken as they
        are where every voxel of the grid is one of the atlas's. The atlas keeps what it gave for
        the last few grids. Where both state another space, a note says so.

        Raises
        ------
        InputError
            Where the atlas does not overlap the grid.
        """
        notes = compare_spaces("the atlas", self.grid, "the map", grid)
        if not notes and self.grid.matches(grid):
            return self
        return self._on_grids.get(grid, lambda: self._resample(grid, notes))

    @cached_property
    def _on_grids(self) -> GridCache[Self]:
        return GridCache()

    def _resample(self, grid: Grid, notes: tuple[str, ...]) -> Self:
        notes = (*self.notes, *notes)
        if self.grid.matches(grid):
            return self.replaced(grid=grid, notes=notes)
        check_boxes_meet(self.name, self.grid, grid)
        subject, way = self._resampling
        change = f"from {self.grid} onto the map's grid ({grid})"
        is_exact = self.grid.exact_steps(grid) is not None and self.grid.size == grid.size
        note = (
            f"atlas reoriented {change}: no value changes"
            if is_exact
            else f"{subject} resampled {change} by {way}"
        )
        return self.replaced(grid=grid, notes=(*notes, InfoNote(note)), **self._resampled(grid))

    def mirrored(self) -> Self:
        """The atlas with its left and right exchanged, about the plane x = 0 mm.

        Names and labels stay as they are, so that those of an atlas whose left and right are
        swapped are right afterwards, as far as its space is symmetric.

        Examples
        --------
        >>> from lesion_dash import load_atlas
        >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
        >>> atlas.mirrored().region_at([26, 0, 8])
        'Synthetic putamen L'
        """
        affine = np.diag([-1.0, 1, 1, 1]) @ self.grid.affine
        notes = (note for note in self.notes if not note.startswith((SWAPPED, DOUBTFUL)))
        grid = replace(self.grid, affine=affine)
        return self.replaced(grid=grid, notes=(*notes, MIRRORED))

    def replaced(self, **fields: Any) -> Self:
        """A copy with other values in some fields."""
        # mypy does not see that every kind of atlas is a dataclass.
        return replace(self, **fields)  # type: ignore[type-var]


@dataclass(frozen=True, eq=False)
class LabelAtlas(Atlas):
    """An atlas with one region at most for every voxel.

    Parameters
    ----------
    name : str
    grid : Grid
    labels : array of int, shape of the grid
        0 is outside the atlas.
    regions : tuple of Region
        In ascending order of label; a label without a name is called ``label N``.
    notes, sources
        See `Atlas`.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> len(atlas.regions), atlas.region_at([-26, 0, 8])
    (62, 'Synthetic putamen L')
    >>> atlas.names[49], atlas.sizes[49]
    ('Synthetic putamen L', 458)
    """

    is_probabilistic = False
    _nudge = TIE_MM
    _size_column = "voxels"
    _resampling = (
        "atlas",
        (
            "nearest neighbour in world coordinates; exact ties go to the left, back and below; "
            "region sizes are those on the map's grid"
        ),
    )

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
        labels, counts = np.unique(self.labels, return_counts=True)
        return dict(zip(labels.tolist(), counts.tolist(), strict=True))

    @cached_property
    def voxel_counts(self) -> list[int]:
        """Voxels of each region, in their order."""
        return [self.sizes.get(region.label, 0) for region in self.regions]

    @cached_property
    def numbers(self) -> NDArray[np.unsignedinteger]:
        """Which of `regions` each voxel belongs to, from 1 on, 0 outside; shape (voxels,)."""
        maps, size = self.maps, len(self.regions)
        numbers = np.zeros(self.grid.size, np.min_scalar_type(size))
        numbers[maps.indices] = np.repeat(np.arange(1, size + 1), np.diff(maps.indptr))
        numbers.setflags(write=False)
        return numbers

    @cached_property
    def maps(self) -> sparse.csc_array:
        """Membership as probabilities: 1 in each region's voxels, shape (voxels, regions)."""
        from scipy import sparse

        flat = np.ravel(self.labels, order="F")
        rows = np.flatnonzero(flat)
        rows = rows[np.argsort(flat[rows], kind="stable")].astype(np.int32)
        bounds = np.concatenate([[0], np.cumsum(self.voxel_counts)])
        return sparse.csc_array((np.ones(rows.size), rows, bounds), (flat.size, len(self.regions)))

    def region_at(self, mm: ArrayLike) -> str:
        """Name of the region at a world point in mm; ties as in `on_grid`."""
        voxel = self.grid.nearest_voxel(np.asarray(mm, float) - TIE_MM)
        return self.names[int(self.labels[voxel])] if voxel else OUTSIDE

    def region_of(self, voxel: int) -> Region | None:
        """The region at a linear position; None outside the atlas."""
        number = int(self.numbers[voxel])
        return self.regions[number - 1] if number else None

    def grouped(self, name: str, regions: tuple[Region, ...], groups: Sequence[int]) -> LabelAtlas:
        """The number of the group in place of every label."""
        numbers = dict(zip((region.label for region in self.regions), groups, strict=True))
        present, places = np.unique(self.labels, return_inverse=True)
        table = np.array([numbers.get(label, 0) for label in present.tolist()], np.int32)
        labels = table[places].reshape(self.labels.shape)
        labels.setflags(write=False)
        return replace(self, name=name, regions=regions, labels=labels)

    def _resampled(self, grid: Grid) -> dict[str, Any]:
        labels = resample_labels(self.labels, self.grid, grid)
        labels.setflags(write=False)
        return {"labels": labels}


@dataclass(frozen=True, eq=False)
class ProbabilityAtlas(Atlas):
    """An atlas with a map of probabilities for every region; maps may overlap.

    Parameters
    ----------
    name : str
    grid : Grid
    maps : sparse array of float64, shape (voxels of the grid, regions), by columns
        Probabilities between 0 and 1; voxels with the first axis fastest.
    regions : tuple of Region
        Of each column, in order.
    notes, sources
        See `Atlas`. The notes tell the scale of the values, 0 to 1 or percent.
    scale : {"fraction", "percent"} or None
        As it was stated when the atlas was read.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/template/probability_maps.nii.gz")
    >>> atlas.region_at([31, 65, -35]), atlas.maps.shape
    ('lens', (161280, 9))
    >>> round(atlas.sizes[1], 2), atlas.voxel_counts[0]
    (293.75, 587)
    """

    is_probabilistic = True
    _size_column = "expected_voxels"
    _resampling = ("probability maps", "linear interpolation in world coordinates")

    name: str
    grid: Grid
    maps: sparse.csc_array
    regions: tuple[Region, ...]
    notes: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)
    scale: Scale | None = None

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

    @cached_property
    def _by_rows(self) -> sparse.csr_array:
        return self.maps.tocsr()

    def region_at(self, mm: ArrayLike) -> str:
        """Name of the likeliest region at a world point in mm."""
        voxel = self.grid.nearest_voxel(mm)
        region = self.region_of(self.grid.linear_index(voxel)) if voxel is not None else None
        return OUTSIDE if region is None else region.name

    def region_of(self, voxel: int) -> Region | None:
        """The likeliest region at a linear position; None outside the atlas."""
        row = self._by_rows[[voxel]]
        is_possible = row.nnz and row.data.max() > 0
        return self.regions[row.indices[np.argmax(row.data)]] if is_possible else None

    def grouped(
        self, name: str, regions: tuple[Region, ...], groups: Sequence[int]
    ) -> ProbabilityAtlas:
        """The sum of the probabilities of a group's regions, 1 at most."""
        from scipy import sparse

        size = len(groups)
        members = sparse.csc_array(
            (np.ones(size), (np.arange(size), np.array(groups) - 1)), (size, len(regions))
        )
        maps = sparse.csc_array(self.maps @ members)
        maps.sort_indices()
        maps.data = np.minimum(maps.data, 1.0)
        return replace(self, name=name, regions=regions, maps=maps)

    def _resampled(self, grid: Grid) -> dict[str, Any]:
        columns = [
            resample_sparse(self.maps.indices[a:b], self.maps.data[a:b], self.grid, grid)
            for a, b in pairwise(self.maps.indptr.tolist())
        ]
        return {"maps": stack_columns(columns, grid.size)}


def stack_columns(
    columns: Sequence[tuple[NDArray[np.int32], NDArray[np.float64]]], voxels: int
) -> sparse.csc_array:
    """Put together maps by columns, each of positions and the values there."""
    from scipy import sparse

    bounds = np.cumsum([0, *(indices.size for indices, _ in columns)])
    values = np.concatenate([values for _, values in columns])
    indices = np.concatenate([indices for indices, _ in columns])
    return sparse.csc_array((values, indices, bounds), (voxels, len(columns)))


def resample_labels(labels: NDArray, own: Grid, grid: Grid) -> NDArray:
    """Bring labels onto another grid by nearest neighbour, 0 elsewhere; ties as in `TIE_MM`."""
    from scipy.ndimage import affine_transform

    inverse = np.linalg.inv(own.affine)
    steps = inverse @ grid.affine
    nudge = inverse[:3, :3] @ np.full(3, -TIE_MM)
    resampled: NDArray = affine_transform(
        labels,
        steps[:3, :3],
        steps[:3, 3] + nudge,
        output_shape=grid.shape,
        order=0,
        mode="grid-constant",
        cval=0,
        prefilter=False,
    )
    return resampled


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
    given = np.stack(np.unravel_index(indices, own.shape, order="F"))
    low, high = given.min(axis=1) - 1, given.max(axis=1) + 1
    box = np.zeros(high - low + 1)
    box[tuple(given - low[:, None])] = values
    first, last = _box_on(own, grid, low, high)
    if np.any(last < first):
        return nothing
    steps = np.linalg.inv(own.affine) @ grid.affine
    if grid.exact_steps(own) is not None:
        steps = np.rint(steps)  # where voxel centres coincide, values are taken to the bit
    offset = steps[:3, :3] @ first + steps[:3, 3] - low
    brought = affine_transform(
        box, steps[:3, :3], offset, tuple(last - first + 1), order=1, prefilter=False
    )
    brought[np.abs(brought) < _ROUNDING * np.abs(values).max()] = 0
    voxels = np.nonzero(brought.transpose(2, 1, 0))[::-1]  # in the order of the file
    rows = np.ravel_multi_index(
        tuple(axis + start for axis, start in zip(voxels, first, strict=True)),
        grid.shape,
        order="F",
    )
    return rows.astype(np.int32), brought[voxels]


def _box_on(
    own: Grid, grid: Grid, low: NDArray[np.int64], high: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last voxel on `grid` of what a box of voxels on `own` can reach."""
    corners = grid.to_voxel(own.to_mm(list(product(*zip(low, high, strict=True)))))
    first = np.ceil(corners.min(axis=0) - 1e-6).astype(np.int64)
    last = np.floor(corners.max(axis=0) + 1e-6).astype(np.int64)
    return np.maximum(first, 0), np.minimum(last, np.array(grid.shape) - 1)


def check_boxes_meet(name: str, own: Grid, grid: Grid) -> None:
    """Raise InputError where an atlas and a map have no place in common."""
    (low, high), (others_low, others_high) = (
        (corners.min(axis=0), corners.max(axis=0)) for corners in (own.corners(), grid.corners())
    )
    if np.any(low > others_high) or np.any(others_low > high):
        problem = f"atlas does not overlap the map: {_extent(own)} against {_extent(grid)}"
        raise InputError(name, problem, "choose an atlas of the same space")


def _extent(grid: Grid) -> str:
    low, high = grid.corners().min(axis=0), grid.corners().max(axis=0)
    return ", ".join(
        f"{axis} {a:.0f}..{b:.0f} mm" for axis, a, b in zip("xyz", low, high, strict=True)
    )


def atlas_input(atlas: Atlas) -> dict[str, Any]:
    """An atlas as an input: the files that were read, with checksums, and what is noted of it."""
    files = [{"file": file, "sha256": sha256 or None} for file, sha256 in atlas.sources.items()]
    known = {"kind": "atlas", "name": atlas.name, "files": files, "space": space_input(atlas.grid)}
    return with_notes(known, atlas.notes)
