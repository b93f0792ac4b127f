"""How much of a binary map lies in each region of an atlas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import OUTSIDE, TIE_MM, Atlas, LabelAtlas
from ..atlas.grouping import group_regions
from ..atlas.levels import By, levels_of, parent_of
from ..core.grid import Grid, pieces
from ..images.masks import Mask, MaskLike, as_mask

if TYPE_CHECKING:
    import pandas as pd
    from scipy import sparse


SUM_TOLERANCE = 1e-9
"""Sums of probabilities are rounded in their last bits; above 1 by less than this is 1."""

FILE_NAME = "region_counts.csv"

EXPECTED_COLUMNS = (
    "expected_voxels",
    "expected_volume_mm3",
    "expected_percent_of_region",
    "mean_probability",
    "max_probability",
)
"""Columns of a probabilistic atlas; those of a labelled one would repeat the others."""

BANDS_MM = (3.0, 10.0)
"""Distances to the nearest region that part what lies outside an atlas.

Arbitrary: within 3 mm, a voxel or two, borders of regions are uncertain; beyond 10 mm lies no white
matter of a gyrus.
"""

_NOTHING = float("nan")

_PLACE = ("x_mm", "y_mm", "z_mm")


def sum_notes(crowded: int, consequence: str) -> tuple[str, ...]:
    """Say at how many voxels of an atlas probabilities add up to more than 1, where at any."""
    where = f"probabilities add up to more than 1 at {crowded:,} voxels of the atlas"
    return (f"{where}: {consequence}",) if crowded else ()


@dataclass(frozen=True, eq=False)
class RegionShares:
    """What of a binary map lies in each region, and outside all of them.

    Parameters
    ----------
    voxels : array of int64, shape (regions,)
        Voxels of the map where the region's probability is above 0.
    expected : array of float64, shape (regions,)
        Sum of the region's probabilities over the map.
    largest : array of float64, shape (regions,)
        The largest of them, 0 where there is none.
    missed : int
        Voxels of the map where no region is possible.
    left, largest_left : float
        Sum over the map of what the regions leave of 1, and the most they leave at a voxel; where
        probabilities sum to more than 1, they leave nothing.
    notes : tuple of str
        Why the voxels of all regions may be more than those of the map.
    """

    voxels: NDArray[np.int64]
    expected: NDArray[np.float64]
    largest: NDArray[np.float64]
    missed: int
    left: float
    largest_left: float
    notes: tuple[str, ...] = ()


def region_shares(mask: Mask, atlas: Atlas) -> RegionShares:
    """What of a binary map lies in each region of an atlas on the same grid.

    A labelled atlas is counted by its labels, which gives the same as its maps of 1, and sooner.

    Parameters
    ----------
    mask : Mask
    atlas : Atlas
        On the map's grid.

    Examples
    --------
    >>> from lesion_dash import load_atlas, load_cohort
    >>> mask = load_cohort("sample_data/cohort_a").at_least(5)
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz").on_grid(mask.grid)
    >>> shares = region_shares(mask, atlas)
    >>> int(shares.voxels.sum()) + shares.missed == mask.voxels
    True
    """
    if isinstance(atlas, LabelAtlas):
        return _shares_of_labels(mask, atlas)
    return shares_of_maps(probabilities_in(mask, atlas))


def _shares_of_labels(mask: Mask, atlas: LabelAtlas) -> RegionShares:
    """Each voxel lies in one region for sure, or in none."""
    counts = np.zeros(len(atlas.regions) + 1, np.int64)
    for piece in pieces(mask.voxels):
        numbers = atlas.numbers[mask.indices[piece]]
        counts += np.bincount(numbers, minlength=counts.size)
    missed, voxels = int(counts[0]), counts[1:]
    largest = (voxels > 0).astype(np.float64)
    return RegionShares(
        voxels, voxels.astype(np.float64), largest, missed, float(missed), float(missed > 0)
    )


def probabilities_in(mask: Mask, atlas: Atlas) -> sparse.csc_array:
    """Those above 0, shape (voxels of the map, regions)."""
    inside = atlas.maps[mask.indices]
    inside.eliminate_zeros()
    return inside


def parts_of(inside: sparse.csc_array) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float64]]]:
    """Of each region, in the order of the atlas: its voxels within the map, and probabilities."""
    for first, last in pairwise(inside.indptr.tolist()):
        yield inside.indices[first:last], inside.data[first:last]


def is_missed(inside: sparse.csc_array) -> NDArray[np.bool_]:
    """Whether no region is possible at a voxel of the map."""
    return np.bincount(inside.indices, minlength=inside.shape[0]) == 0


def shares_of_maps(inside: sparse.csc_array) -> RegionShares:
    """The shares from the probabilities above 0, shape (voxels of the map, regions)."""
    chances = [part for _, part in parts_of(inside)]
    sums = np.asarray(inside.sum(axis=1)).ravel()
    left = np.maximum(1 - sums, 0)
    return RegionShares(
        np.array([part.size for part in chances], np.int64),
        np.array([part.sum() for part in chances], np.float64),
        np.array([part.max(initial=0.0) for part in chances], np.float64),
        int(is_missed(inside).sum()),
        float(left.sum()),
        float(left.max(initial=0.0)),
        _overlap_notes(inside, sums),
    )


def _overlap_notes(inside: sparse.csc_array, sums: NDArray[np.float64]) -> tuple[str, ...]:
    """Say why columns may add up to more than the map."""
    regions = np.bincount(inside.indices)
    if not regions.size or regions.max() < 2:
        return ()
    text = (
        "maps of regions overlap: a voxel counts in each region that is possible there, so the "
        "voxels of all regions are more than those of the map"
    )
    above = int((sums > 1 + SUM_TOLERANCE).sum())
    if not above:
        return (f"{text}; the expected voxels add up to it",)
    return (f"{text}; probabilities add up to more than 1 at {above:,} of its voxels",)


@dataclass(frozen=True)
class RegionCount:
    """What of a binary map lies in one region; in the last row of a table, outside the atlas.

    Parameters
    ----------
    label : int or None
        Of the region. Outside, 0 in a labelled atlas and None in a probabilistic one, where 0 may
        be a region.
    region : str
    voxels : int
        Voxels of the map in the region: those where its probability is above 0. Outside, those
        where no region's is.
    volume_mm3 : float
        Their volume.
    percent_of_map, percent_of_region : float
        Their share of the map's voxels, and of the region's on the map's grid; NaN where the
        region has none.
    dice : float
        2 voxels / (voxels of the map + voxels of the region); NaN outside.
    expected_voxels, expected_volume_mm3 : float
        Sum of the region's probabilities over the map, and its volume. Outside, the sum of what
        the regions leave of 1.
    expected_percent_of_region : float
        Share of the sum of the region's probabilities that lies in the map; NaN outside.
    mean_probability, max_probability : float
        Of the region over all voxels of the map: the mean is the chance that a voxel drawn from
        the map belongs to the region.
    hemisphere, parent, full_name, gyrus, lobe, system : str
        Of the region, empty where neither its table nor a rule says; see `levels.Levels`.
    """

    label: int | None
    region: str
    voxels: int
    volume_mm3: float
    percent_of_map: float
    percent_of_region: float
    dice: float
    expected_voxels: float
    expected_volume_mm3: float
    expected_percent_of_region: float
    mean_probability: float
    max_probability: float
    hemisphere: str = ""
    parent: str = ""
    full_name: str = ""
    gyrus: str = ""
    lobe: str = ""
    system: str = ""


_FIELDS = [field.name for field in fields(RegionCount)]
_NAMING = ("full_name", "lobe")
_LEVELS = ("hemisphere", "parent", "gyrus", "system", *_NAMING)
_AMOUNTS = [name for name in _FIELDS if name not in _NAMING]
_BEFORE_PLACE = _AMOUNTS.index("dice")
COLUMNS = (
    *_AMOUNTS[:2], *_NAMING, *_AMOUNTS[2:_BEFORE_PLACE], *_PLACE, *_AMOUNTS[_BEFORE_PLACE:]
)  # fmt: skip
"""Of `RegionCounts.table`."""


@dataclass(frozen=True)
class DistanceBand:
    """The voxels of a map outside an atlas whose distance to the nearest region is in a range.

    Parameters
    ----------
    above_mm, up_to_mm : float
        The last band has no end: infinity.
    voxels : int
    volume_mm3, percent_of_map : float
    """

    above_mm: float
    up_to_mm: float
    voxels: int
    volume_mm3: float
    percent_of_map: float

    @property
    def label(self) -> str:
        """The range in words."""
        if not np.isfinite(self.up_to_mm):
            return f"more than {self.above_mm:g} mm from the nearest region"
        low = f"{self.above_mm:g} to " if self.above_mm else "up to "
        return f"{low}{self.up_to_mm:g} mm from the nearest region"


@dataclass(frozen=True, eq=False)
class RegionCounts:
    """A binary map counted region by region.

    Parameters
    ----------
    mask : Mask
        The map.
    atlas : Atlas
        On the map's grid.
    rows : tuple of RegionCount
        Largest first, by expected voxels; regions without a voxel of the map included. The last
        row is what lies outside the atlas.
    notes : tuple of str
        How the atlas was brought onto the map's grid, and what is unusual about it.

    Examples
    --------
    >>> from lesion_dash import count_regions, load_atlas, load_cohort
    >>> mask = load_cohort("sample_data/cohort_a").at_least(5)
    >>> counts = count_regions(mask, load_atlas("sample_data/atlas/synthetic_atlas.nii.gz"))
    >>> counts.rows[0].region, counts.rows[0].voxels, counts.probabilistic
    ('Synthetic frontal 4 L', 1982, False)
    >>> counts.table["region"].iloc[-1]
    'outside the atlas'
    """

    mask: Mask
    atlas: Atlas
    rows: tuple[RegionCount, ...]
    notes: tuple[str, ...]

    @property
    def probabilistic(self) -> bool:
        """Whether the regions are maps of probabilities."""
        return self.atlas.is_probabilistic

    @cached_property
    def places(self) -> tuple[tuple[float, float, float], ...]:
        """For each row a voxel (mm) of the map there near the middle, NaN where there is none."""
        inside = probabilities_in(self.mask, self.atlas)
        labels: list[int | None] = [region.label for region in self.atlas.regions]
        parts = dict(zip(labels, parts_of(inside), strict=True))
        places = [
            middle_of(self.mask.grid, self.mask.indices[voxels], chances)
            for voxels, chances in (parts[row.label] for row in self.rows[:-1])
        ]
        missed = self.mask.indices[is_missed(inside)]
        return (*places, middle_of(self.mask.grid, missed, np.ones(missed.size)))

    @cached_property
    def outside_by_distance(self) -> tuple[DistanceBand, ...]:
        """The voxels outside the atlas by their distance to the nearest region; see `BANDS_MM`.

        They add up to ``voxels`` of the last row.
        """
        missed = self.mask.indices[~self.atlas.is_inside[self.mask.indices]]
        bounds = (0.0, *BANDS_MM, float("inf"))
        ends = np.searchsorted(np.sort(self.atlas.distances[missed]), BANDS_MM, side="right")
        counts = np.diff([0, *ends.tolist(), missed.size]).tolist()
        return tuple(
            DistanceBand(
                low,
                high,
                voxels,
                voxels * self.mask.grid.voxel_volume,
                _percent(voxels, self.mask.voxels, 0.0),
            )
            for (low, high), voxels in zip(pairwise(bounds), counts, strict=True)
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that say something about this atlas."""
        absent = set() if self.probabilistic else set(EXPECTED_COLUMNS)
        for name in _LEVELS:
            if not any(getattr(row, name) for row in self.rows):
                absent.add(name)
        return tuple(column for column in COLUMNS if column not in absent)

    @property
    def table(self) -> pd.DataFrame:
        """A row per region with the values of `RegionCount` and its place (x_mm, y_mm, z_mm).

        Columns that this atlas has no values for are absent.

        ``voxels`` of a labelled atlas add up to the map, and so do ``expected_voxels`` of a
        probabilistic one, unless probabilities sum to more than 1 somewhere; a note says so then.
        """
        import pandas as pd

        whole = pd.DataFrame([astuple(row) for row in self.rows], columns=_FIELDS)
        whole[list(_PLACE)] = self.places
        # A label that is missing must not turn the others into numbers with a point.
        whole["label"] = pd.Series(
            [row.label for row in self.rows], dtype=object if self.probabilistic else int
        )
        return whole[list(self.columns)]

    def rolled_up(self, by: By) -> RegionCounts:
        """The map counted by lobe, gyrus, hemisphere, system or parent; see `group_regions`.

        A voxel counts once in a group, however many of its regions hold it.

        Raises
        ------
        InputError
            Where no region of the atlas has this level.
        """
        return count_regions(self.mask, group_regions(self.atlas, by))


def count_regions(mask: MaskLike, atlas: Atlas) -> RegionCounts:
    """Count a binary map in each region of an atlas, labelled or probabilistic.

    Parameters
    ----------
    mask : Mask, path or nibabel image
        The map; its grid is the one that counts.
    atlas : Atlas
        Brought onto the map's grid where it is on another one; see their `on_grid`. Membership
        in a labelled region is a probability of 1.

    Returns
    -------
    RegionCounts

    Raises
    ------
    InputError
        Where map and atlas do not overlap in space.

    Examples
    --------
    >>> from lesion_dash import load_atlas, load_cohort
    >>> mask = load_cohort("sample_data/cohort_a").at_least(5)
    >>> counts = count_regions(mask, load_atlas("sample_data/atlas/synthetic_atlas.nii.gz"))
    >>> int(counts.table["voxels"].sum()) == mask.voxels
    True
    >>> counts.rolled_up("hemisphere").table["region"].tolist()
    ['left', 'right', 'outside the atlas']
    """
    mask = as_mask(mask)
    local = atlas.on_grid(mask.grid)
    parts = region_shares(mask, local)
    rows = sorted(_count_inside(mask, local, parts), key=_largest_first)
    outside = _count_outside(mask, local, parts)
    notes = (*local.notes, *parts.notes)
    return RegionCounts(mask, local, (*rows, outside), notes)


def _largest_first(row: RegionCount) -> tuple[float, int, int]:
    return -row.expected_voxels, -row.voxels, row.label or 0


def _count_inside(mask: Mask, atlas: Atlas, parts: RegionShares) -> list[RegionCount]:
    """A row for each region, in the order of the atlas."""
    sizes = atlas.voxel_counts
    rows = []
    for column, region in enumerate(atlas.regions):
        levels = levels_of(region)
        voxels, expected = int(parts.voxels[column]), float(parts.expected[column])
        rows.append(
            RegionCount(
                region.label,
                region.name,
                voxels,
                voxels * mask.grid.voxel_volume,
                _percent(voxels, mask.voxels, 0.0),
                _percent(voxels, sizes[column]),
                2 * voxels / (mask.voxels + sizes[column]) if sizes[column] else _NOTHING,
                expected,
                expected * mask.grid.voxel_volume,
                _percent(expected, atlas.sizes.get(region.label, 0)),
                expected / mask.voxels if mask.voxels else 0.0,
                float(parts.largest[column]),
                levels.hemisphere,
                parent_of(region),
                levels.full_name,
                levels.gyrus,
                levels.lobe,
                levels.system,
            )
        )
    return rows


def _count_outside(mask: Mask, atlas: Atlas, parts: RegionShares) -> RegionCount:
    """The row of what lies outside the atlas."""
    return RegionCount(
        None if atlas.is_probabilistic else 0,
        OUTSIDE,
        parts.missed,
        parts.missed * mask.grid.voxel_volume,
        _percent(parts.missed, mask.voxels, 0.0),
        _NOTHING,
        _NOTHING,
        parts.left,
        parts.left * mask.grid.voxel_volume,
        _NOTHING,
        parts.left / mask.voxels if mask.voxels else 0.0,
        parts.largest_left,
    )


def _percent(part: float, whole: float, of_nothing: float = _NOTHING) -> float:
    return 100 * part / whole if whole else of_nothing


def middle_of(
    grid: Grid, indices: NDArray[np.int32], weights: NDArray[np.float64]
) -> tuple[float, float, float]:
    """The voxel nearest to the weighted mean, which may itself lie outside a bent region.

    Of several that are equally near, the left one (then back, below), whatever the axes' order.

    Parameters
    ----------
    grid : Grid
    indices : array of int32, shape (n,)
        Linear voxel positions.
    weights : array of float, shape (n,)
        Above 0.

    Returns
    -------
    tuple of float
        Its world coordinates in mm, NaN where there is no voxel.

    Examples
    --------
    >>> middle_of(Grid((5, 1, 1), np.eye(4)), np.array([0, 1, 4], np.int32), np.ones(3))
    (1.0, 0.0, 0.0)
    """
    if not len(indices):
        return _NOTHING, _NOTHING, _NOTHING
    places = grid.mm_of_index(indices)
    offsets = places - weights @ places / weights.sum()
    distances = np.sqrt(np.einsum("ij,ij->i", offsets, offsets))
    x, y, z = min(places[distances <= distances.min() + TIE_MM].tolist())
    return x, y, z
