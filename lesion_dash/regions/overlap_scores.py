"""What a component and a region of an atlas have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import OUTSIDE, TIE_MM, Atlas
from ..core.defaults import LOWER_THRESHOLD
from ..core.errors import InputError
from ..core.grid import Grid
from ..core.memory import derived
from ..stats.components import Component
from .counts import SUM_TOLERANCE, sum_notes

if TYPE_CHECKING:
    from scipy import sparse


MAX_CELLS = 2**22  # arbitrary: components times regions that are held at once, 32 MB a table

_NOTHING = float("nan")
# Below this share of the mean square, a variance is rounding and the values are all equal. Rounding
# gives about 1e-31, float32 values that differ in the last bit 1e-15: arbitrary between the two.
_CONSTANT = 1e-20


@dataclass(frozen=True)
class ComponentOverlap:
    """A component and a region that share at least one voxel.

    Let v1 be the region's probabilities (of a labelled atlas: 1 in the region) with those below
    the lower threshold set to 0, and v2 the map's values in the component, 0 elsewhere.

    Parameters
    ----------
    component : Component
    column : int
        The region's place in the atlas, from 0; -1 for what lies outside the atlas.
    label : int
    region : str
    voxels : int
        Voxels of the component where v1 > 0.
    region_voxels : int
        Voxels of the grid where v1 > 0.
    region_sum, region_max : float
        Sum and maximum of v1 on the grid.
    expected_voxels, max_probability : float
        Sum and maximum of v1 in the component. Outside the atlas v1 is what the regions'
        probabilities leave of 1, and 0 where their sum is above 1.
    weighted_sum : float
        Sum of v1 v2.
    correlation : float
        Pearson's, of v1 and v2 over the smallest box that holds component and region; NaN where
        one of them is constant in it.
    siibra_correlation : float
        The same over siibra's box, which goes a voxel beyond the component on its upper side.
    """

    component: Component
    column: int
    label: int
    region: str
    voxels: int
    region_voxels: int = 0
    region_sum: float = _NOTHING
    region_max: float = _NOTHING
    expected_voxels: float = _NOTHING
    max_probability: float = _NOTHING
    weighted_sum: float = _NOTHING
    correlation: float = _NOTHING
    siibra_correlation: float = _NOTHING

    @property
    def input_containedness(self) -> float:
        """Share of the component in the region: I / N2; NaN for a component without voxels."""
        return _quotient(self.voxels, self.component.voxels)

    @property
    def map_containedness(self) -> float:
        """Share of the region in the component: I / N1; NaN outside the atlas."""
        return _quotient(self.voxels, self.region_voxels)

    @property
    def intersection_over_union(self) -> float:
        """I / (N1 + N2 - I); NaN outside the atlas."""
        union = self.region_voxels + self.component.voxels - self.voxels
        return _quotient(self.voxels, 0 if self.column < 0 else union)

    @property
    def mean_probability(self) -> float:
        """Mean of v1 over the component."""
        return _quotient(self.expected_voxels, self.component.voxels)

    @property
    def weighted_mean_probability(self) -> float:
        """Mean of v1 over the component, weighted by the map: sum of v1 v2 / sum of v2."""
        return _quotient(self.weighted_sum, self.component.total)

    @property
    def weighted_mean_value(self) -> float:
        """Mean of v2 over the region, weighted by its probabilities: sum of v1 v2 / sum of v1."""
        return _quotient(self.weighted_sum, self.region_sum)

    @property
    def share_of_probability(self) -> float:
        """Share of the region's probability that lies in the component."""
        return _quotient(self.expected_voxels, self.region_sum)


def _quotient(part: float, whole: float) -> float:
    return part / whole if whole else _NOTHING


@dataclass(frozen=True, eq=False)
class RegionSums:
    """What is known of an atlas before any map is: see `sum_regions`.

    Parameters
    ----------
    atlas : Atlas
    by_voxel : sparse array of float64, shape (voxels, regions), by rows
        v1 of every region.
    voxels : array of int, shape (regions,)
        Where v1 > 0.
    total, spread, highest : arrays of float64, shape (regions,)
        Of v1: its sum; the sum of squared distances from its mean, over these voxels; its maximum.
    low, high : arrays of int, shape (3, regions)
        First and last voxel along each axis where the map is above 0, before the lower threshold.
    crowded : int
        Voxels at which the probabilities of all regions add up to more than 1.
    """

    atlas: Atlas
    by_voxel: sparse.csr_array
    voxels: NDArray[np.int64]
    total: NDArray[np.float64]
    spread: NDArray[np.float64]
    highest: NDArray[np.float64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    crowded: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the atlas."""
        consequence = "expected voxels of a component there add up to more than the component"
        return (*self.atlas.notes, *sum_notes(self.crowded, consequence))

    def region_at(self, index: int) -> str:
        """Name of the likeliest region at a linear position; the first one of equals."""
        begin, end = self.by_voxel.indptr[index : index + 2]
        if begin == end:
            return OUTSIDE
        column = int(self.by_voxel.indices[begin + np.argmax(self.by_voxel.data[begin:end])])
        return self.atlas.regions[column].name

    def region_at_mm(self, mm: NDArray[np.float64]) -> str:
        """The same at a world point in mm, which often lies exactly between voxels: `TIE_MM`."""
        voxel = self.atlas.grid.nearest_voxel(mm - TIE_MM)
        return OUTSIDE if voxel is None else self.region_at(self.atlas.grid.linear_index(voxel))

    def nearest_at(self, mm: NDArray[np.float64]) -> tuple[str, float]:
        """Name of the region nearest to a world point, and its distance in mm; 0 in a region."""
        near = self._possible.nearest(mm)
        return ("", _NOTHING) if near is None else (near.region.name, near.distance_mm)

    @cached_property
    def _possible(self) -> Atlas:
        """The atlas without probabilities below the lower threshold."""
        if self.by_voxel.nnz == self.atlas.maps.nnz:
            return self.atlas
        return self.atlas.replaced(maps=self.by_voxel.tocsc())


def check_lower_threshold(value: float) -> None:
    """Raise InputError where a lower threshold is not a probability."""
    if not 0 <= value <= 1:
        raise InputError("lower_threshold", f"is {value}", "give a probability from 0 to 1")


def sum_regions(atlas: Atlas, lower_threshold: float = LOWER_THRESHOLD) -> RegionSums:
    """Sum up the maps of an atlas; the sums are kept with it for the next map or threshold.

    Parameters
    ----------
    atlas : Atlas
        On the grid on which components are compared with it.
    lower_threshold : float
        Probabilities below it count as 0.

    Raises
    ------
    InputError
        Where the atlas has no region, or none has a voxel on the grid.
    """
    # The sums are kept without their atlas, which would otherwise refer to itself.
    sums = derived(atlas, ("sums", lower_threshold), lambda: _sum_maps(atlas, lower_threshold))
    return RegionSums(atlas, *sums)


def _sum_maps(atlas: Atlas, lower_threshold: float) -> tuple[Any, ...]:
    """The fields of `RegionSums` after the atlas."""
    maps = _keep(atlas.maps, atlas.maps.data > 0)
    if not maps.nnz:
        problem = "no region of the atlas has a voxel on this grid"
        raise InputError(atlas.name, problem, "choose an atlas of the same space")
    low, high = _boxes(maps, atlas.grid)
    maps = _keep(maps, maps.data >= lower_threshold)
    columns = [maps.data[a:b] for a, b in pairwise(maps.indptr.tolist())]
    voxels = np.diff(maps.indptr).astype(np.int64)
    total = np.array([column.sum() for column in columns])
    spread = np.array([_spread(column) for column in columns])
    highest = np.array([column.max(initial=0.0) for column in columns])
    by_voxel = maps.tocsr()
    crowded = int((np.bincount(maps.indices, maps.data) > 1 + SUM_TOLERANCE).sum())
    return by_voxel, voxels, total, spread, highest, low, high, crowded


def _keep(maps: sparse.csc_array, chosen: NDArray[np.bool_]) -> sparse.csc_array:
    """The maps without some of their values."""
    if chosen.all():
        return maps
    fewer = maps.copy()
    fewer.data[~chosen] = 0
    fewer.eliminate_zeros()
    return fewer


def _spread(values: NDArray[np.float64]) -> float:
    return float(((values - values.mean()) ** 2).sum()) if values.size else 0.0


def _boxes(maps: sparse.csc_array, grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last voxel of every column along each axis; an empty one has no box: 0 and 0."""
    low = np.zeros((3, maps.shape[1]), np.int64)
    high = low.copy()
    for column, (a, b) in enumerate(pairwise(maps.indptr.tolist())):
        if a < b:
            low[:, column], high[:, column] = _box(maps.indices[a:b], grid)
    return low, high


def _box(indices: NDArray[np.integer], grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    places = np.stack(np.unravel_index(indices, grid.shape, order="F"))
    return places.min(axis=1), places.max(axis=1)


def match_regions(
    parts: Sequence[Component], sums: RegionSums, max_cells: int = MAX_CELLS
) -> Iterator[list[ComponentOverlap]]:
    """Match components with every region that they touch.

    Parameters
    ----------
    parts : sequence of Component
        On the grid of the atlas.
    sums : RegionSums
    max_cells : int
        Components times regions that are worked on together.

    Yields
    ------
    list of ComponentOverlap
        For each component: its regions in the order of the atlas, then what lies outside.
    """
    step = max(1, max_cells // max(1, len(sums.atlas.regions)))
    for start in range(0, len(parts), step):
        batch = parts[start : start + step]
        tables, outside, rest = _share(batch, sums)
        for row, part in enumerate(batch):
            missed, left = int(outside[row]), float(rest[row])
            yield [
                *_matches_of(part, sums, [table[row] for table in tables]),
                ComponentOverlap(part, -1, 0, OUTSIDE, missed, expected_voxels=left),
            ]


def _share(parts: Sequence[Component], sums: RegionSums) -> tuple[list[NDArray], NDArray, NDArray]:
    """Sums over each component of all regions at once.

    Four tables of components x regions (voxels with v1 > 0; sum and maximum of v1; sum of v1 v2),
    and for each component its voxels without any region, and what all regions leave of 1.
    """
    voxels = np.concatenate([part.indices for part in parts])
    weights = np.concatenate([part.weights for part in parts])
    owner = np.repeat(np.arange(len(parts)), [part.voxels for part in parts])
    rows = sums.by_voxel[voxels]
    entries = np.diff(rows.indptr)
    shape = len(parts), rows.shape[1]
    cells = np.repeat(owner * shape[1], entries) + rows.indices
    size = shape[0] * shape[1]
    shared = np.bincount(cells, minlength=size)
    expected = np.bincount(cells, rows.data, size)
    weighted = np.bincount(cells, rows.data * np.repeat(weights, entries), size)
    highest = np.zeros(size)
    np.maximum.at(highest, cells, rows.data)
    outside = np.bincount(owner[entries == 0], minlength=len(parts))
    tables = [table.reshape(shape) for table in (shared, expected, highest, weighted)]
    rest = np.bincount(owner, np.maximum(0, 1 - rows.sum(axis=1)), len(parts))
    return tables, outside, rest


def _matches_of(part: Component, sums: RegionSums, shared: list[NDArray]) -> list[ComponentOverlap]:
    voxels, expected, highest, weighted = shared
    touched = np.flatnonzero(voxels)
    regions = sums.atlas.regions
    return [
        ComponentOverlap(
            part,
            column,
            regions[column].label,
            regions[column].name,
            int(voxels[column]),
            int(sums.voxels[column]),
            float(sums.total[column]),
            float(sums.highest[column]),
            float(expected[column]),
            float(highest[column]),
            float(weighted[column]),
            *scores,
        )
        for column, scores in zip(
            touched.tolist(), _correlate(part, sums, touched, weighted[touched]), strict=True
        )
    ]


def _correlate(
    part: Component, sums: RegionSums, touched: NDArray[np.int64], weighted: NDArray[np.float64]
) -> list[list[float]]:
    """Pearson correlation with each touched region over the common box, and over siibra's box.

    Zeros outside component and region count with the box; only their number matters.
    """
    if not touched.size:
        return []
    low, high = _box(part.indices, sums.atlas.grid)
    first = np.minimum(sums.low[:, touched], low[:, None])
    own = sums.high[:, touched]
    # By a power of two, which changes no bit: squares of the largest numbers are none.
    exponent = int(np.frexp(part.weights.max())[1])
    weights, weighted = np.ldexp(part.weights, -exponent), np.ldexp(weighted, -exponent)
    total, spread = float(weights.sum()), _spread(weights)
    scores = np.empty((touched.size, 2))
    for beyond in (0, 1):
        last = np.maximum(own, high[:, None] + beyond)
        size = (last - first + 1).prod(axis=0).astype(np.float64)
        mean1, mean2 = sums.total[touched] / size, total / size
        var1 = _spread_in_box(sums.spread[touched], sums.total[touched], sums.voxels[touched], size)
        var2 = _spread_in_box(spread, total, part.voxels, size)
        with np.errstate(divide="ignore", invalid="ignore"):
            correlation = (weighted - size * mean1 * mean2) / np.sqrt(var1) / np.sqrt(var2)
        scores[:, beyond] = np.where((var1 > 0) & (var2 > 0), correlation, _NOTHING)
    return scores.tolist()


def _spread_in_box(
    spread: NDArray[np.float64] | float,
    total: NDArray[np.float64] | float,
    voxels: NDArray[np.int64] | int,
    size: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sum of squared distances from the mean over a box that is 0 at its other voxels.

    Every term is at least 0, so nothing cancels; 0 where all values of the box are equal.
    """
    mean = total / size
    own = total / voxels
    total_spread = spread + voxels * (own - mean) ** 2 + (size - voxels) * mean**2
    return np.where(total_spread > _CONSTANT * size * own**2, total_spread, 0.0)
