"""Two cohorts in, what the page Compare shows of them out; each is worked out once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..atlas import OUTSIDE
from ..differences import FILE_NAMES, CohortDifferences, cohort_differences
from ..grid import Grid, is_near
from ..images import nifti_bytes
from .cache import Cache
from .map_slices import MapLayer
from .picture import Mm
from .scale import ML, nice_ceiling
from .shading import DifferenceShade, Shade
from .state import Selection

if TYPE_CHECKING:
    from .session import Session

FREQUENCY, MEAN, SD = "frequency", "mean", "std"
MAPS = {FREQUENCY: "Patients lesioned", MEAN: "Mean lesion volume", SD: "SD of lesion volume"}
"""What can be compared: key and words."""

SIDES = ("B higher", "A higher")
_UNITS = {FREQUENCY: "%", MEAN: "mL", SD: "mL"}
_COLORMAPS = {FREQUENCY: "viridis", MEAN: "plasma", SD: "plasma"}
"""The middle of cividis is as grey as the brain below it."""
_USUAL_PATIENTS = 5
_USUAL = 99
"""Percentile of the differences of usual voxels at which the colours of mean volumes end."""


@dataclass(frozen=True)
class PairRequest:
    """Two cohorts, and what of them is compared.

    Parameters
    ----------
    cohort_a, cohort_b : str
        Names, as those of a `Selection`.
    min_patients : int
        Volumes are shown, and compared, where at least so many patients are lesioned.
    map_key : str
        One of `MAPS`.
    """

    cohort_a: str
    cohort_b: str
    min_patients: int
    map_key: str = FREQUENCY


@dataclass(frozen=True, eq=False)
class Pair:
    """Two maps in one scale of colours, and their difference.

    Parameters
    ----------
    request : PairRequest
    differences : CohortDifferences
    a, b : MapLayer
        Both on the grid of A.
    difference : MapLayer
        A - B; that of the means, where the SD is shown.
    """

    request: PairRequest
    differences: CohortDifferences
    a: MapLayer
    b: MapLayer
    difference: MapLayer


@dataclass(frozen=True)
class Side:
    """One cohort at one place.

    Parameters
    ----------
    n, of : int
        Patients lesioned there, and patients of the cohort.
    mean_ml : float
        Of their total lesion volumes; NaN where there are none.
    """

    n: int
    of: int
    mean_ml: float

    @property
    def percent(self) -> float:
        """Share of the patients that are lesioned there."""
        return 100 * self.n / self.of


@dataclass(frozen=True)
class PlaceOfTwo:
    """Two cohorts at one place.

    Parameters
    ----------
    region : str
        Empty where there is no atlas or no region.
    a, b : Side
    min_patients : int
    """

    region: str
    a: Side
    b: Side
    min_patients: int

    @property
    def points(self) -> float:
        """Patients lesioned in per cent of A, minus those of B."""
        return self.a.percent - self.b.percent

    @property
    def is_compared(self) -> bool:
        """Whether both have patients enough for their volumes to be compared."""
        return min(self.a.n, self.b.n) >= self.min_patients

    @property
    def ml(self) -> float:
        """Mean volume of A minus that of B; NaN where they are not compared."""
        return self.a.mean_ml - self.b.mean_ml if self.is_compared else float("nan")


class Comparing:
    """What follows from two cohorts of a session.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._differences, self._pairs = Cache(2), Cache(2)
        self._ranges = Cache(16)

    def differences(self, request: PairRequest) -> CohortDifferences:
        """A minus B, as `cohort_differences` has it."""
        names = (request.cohort_a, request.cohort_b)

        def subtract() -> CohortDifferences:
            a, b = (self._session.load(name) for name in names)
            return cohort_differences(a, b, 1)

        # Only which voxels qualify depends on the number of patients.
        found = self._differences.get(names, subtract)
        return replace(found, min_patients=request.min_patients)

    def pair(self, request: PairRequest) -> Pair:
        """The maps of A and B, and their difference, with their colours."""
        return self._pairs.get(request, lambda: self._pair(request))

    def place(self, request: PairRequest, mm: Mm, atlas: str = "") -> PlaceOfTwo:
        """What is known of a place in both cohorts."""
        found = self.differences(request)
        voxel = found.grid.nearest_voxel(mm)
        index = -1 if voxel is None else found.grid.linear_index(voxel)
        at = int(np.searchsorted(found.indices, index))
        is_lesioned = at < found.indices.size and found.indices[at] == index
        a, b = (
            Side(int(n[at]), size, float(mean[at]) / ML)
            if is_lesioned
            else Side(0, size, float("nan"))
            for n, size, mean in zip(found.n, found.sizes, found.means, strict=True)
        )
        known = self._session.atlas(atlas)
        region = known.region_at(mm) if known is not None else OUTSIDE
        return PlaceOfTwo("" if region == OUTSIDE else region, a, b, request.min_patients)

    def file_bytes(self, request: PairRequest, name: str) -> bytes:
        """One of the maps that `lesion-dash compare` writes, with the same bytes."""
        key = next(key for key, file in FILE_NAMES.items() if file == name)
        found = self.differences(request)
        return nifti_bytes((found.frequency if key == FREQUENCY else found.mean).to_nifti())

    def _pair(self, request: PairRequest) -> Pair:
        found, key = self.differences(request), request.map_key
        indices, values = zip(*(self._of_side(request, side) for side in (0, 1)), strict=True)
        maximum = self._maximum(request)
        exceeded = any(bool((one > maximum).any()) for one in values)
        shade = Shade(MAPS[key], _UNITS[key], maximum, _COLORMAPS[key], exceeded)
        a, b = (MapLayer(found.grid, *one, shade) for one in zip(indices, values, strict=True))
        return Pair(request, found, a, b, self._difference(request))

    def _of_side(
        self, request: PairRequest, side: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Voxels on the grid of A, and the values of A or of B there."""
        found = self.differences(request)
        if request.map_key == SD:
            return self._deviations((request.cohort_a, request.cohort_b)[side], request, found.grid)
        n = found.n[side]
        least = 1 if request.map_key == FREQUENCY else request.min_patients
        shown = n >= least
        if request.map_key == FREQUENCY:
            return found.indices[shown], 100 * n[shown] / found.sizes[side]
        return found.indices[shown], found.means[side][shown] / ML

    def _deviations(
        self, name: str, request: PairRequest, grid: Grid
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        stats = self._session.stats(Selection(name, min_patients=request.min_patients))
        places = places_on(stats.grid, stats.indices, grid)
        order = np.argsort(places)
        return places[order], stats.values["std"][order] / ML

    def _difference(self, request: PairRequest) -> MapLayer:
        found = self.differences(request)
        if request.map_key == FREQUENCY:
            shares = [100 * n / size for n, size in zip(found.n, found.sizes, strict=True)]
            indices, values, words = (
                found.indices,
                shares[0] - shares[1],
                "A − B, patients lesioned",
            )
            unit, maximum = "percentage points", self._range(request, FREQUENCY)
        else:
            enough = np.minimum(*found.n) >= request.min_patients
            indices = found.indices[enough]
            values = (found.means[0][enough] - found.means[1][enough]) / ML
            words, unit, maximum = "A − B, mean volume", "mL", self._range(request, MEAN)
        exceeded = bool((np.abs(values) > maximum).any())
        return MapLayer(
            found.grid, indices, values, DifferenceShade(words, unit, maximum, SIDES, exceeded)
        )

    def _maximum(self, request: PairRequest) -> float:
        """Where the colours of A and of B end, whatever the number of patients."""
        if request.map_key == FREQUENCY:
            found = self.differences(request)
            shares = [n.max(initial=0) / size for n, size in zip(found.n, found.sizes, strict=True)]
            return min(nice_ceiling(100 * max(shares)), 100.0)
        names = (request.cohort_a, request.cohort_b)
        key = (*names, request.map_key)

        def work_out() -> float:
            chosen = [Selection(name, map_key=request.map_key) for name in names]
            return max(self._session.scale(one).maximum for one in chosen)

        return self._ranges.get(key, work_out)

    def _range(self, request: PairRequest, key: str) -> float:
        """Where the colours of a difference end on either side, whatever the number of patients."""
        found = self.differences(request)

        def work_out() -> float:
            if key == FREQUENCY:
                parts = [n / size for n, size in zip(found.n, found.sizes, strict=True)]
                return nice_ceiling(100 * float(np.abs(parts[0] - parts[1]).max(initial=0)))
            both = np.minimum(*found.n)
            # Means of few patients lie far apart by chance, and would leave the rest pale.
            usual = both >= max(min(_USUAL_PATIENTS, both.max(initial=0)), 1)
            spread = np.abs(found.means[0][usual] - found.means[1][usual]) / ML
            return nice_ceiling(float(np.percentile(spread, _USUAL)) if spread.size else 0.0)

        return self._ranges.get((request.cohort_a, request.cohort_b, "difference", key), work_out)


def places_on(own: Grid, indices: NDArray[np.int32], grid: Grid) -> NDArray[np.int32]:
    """Positions on a grid of voxels of another, where the voxels of both coincide.

    Examples
    --------
    >>> grid = Grid((2, 2, 2), np.eye(4))
    >>> turned = Grid((2, 2, 2), [[-1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    >>> places_on(turned, np.array([0, 3], np.int32), grid).tolist()
    [1, 2]
    """
    if is_near(own, grid):
        return indices
    voxels = np.rint(grid.to_voxel(own.mm_of_index(indices))).astype(np.int64)
    return np.ravel_multi_index(tuple(voxels.T), grid.shape, order="F").astype(np.int32)
