"""Two cohorts in, what the page Compare shows of them out; each is worked out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..images.maps import nifti_bytes
from ..plotting.figures import ML, nice_ceiling
from ..regions.differences import RegionDifferences, region_differences
from ..stats.differences import DIFFERENCES as QUANTITIES
from ..stats.differences import FILE_NAMES, CohortDifferences, cohort_differences
from .cache import Cache
from .places import Mm
from .state import Selection
from .widgets.layers import Scale, ValueLayer

if TYPE_CHECKING:
    from .session import Session

FREQUENCY, MEAN, SD = "frequency", "mean", "std"
MAPS = {key: quantity.short_title for key, quantity in QUANTITIES.items()}
"""What can be compared: key, as in `FILE_NAMES`, and label."""

SIDES = ("B higher", "A higher")
_UNITS = {FREQUENCY: "%", MEAN: "mL", SD: "mL"}
DIFFERENCES = {key: quantity.title for key, quantity in QUANTITIES.items()}

_USUAL_PATIENTS = 5
_USUAL = 99
"""Percentile of the differences of usual voxels at which the colours of volumes end."""


@dataclass(frozen=True)
class PairRequest:
    """Two cohorts, and what of them is compared.

    Parameters
    ----------
    cohort_a, cohort_b : str
        Names, as those of a `Selection`.
    min_patients : int
        Volumes are shown, and compared, where at least this many patients are lesioned.
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
    a, b : ValueLayer
        Both on the grid of the differences.
    difference : ValueLayer
        A - B of the same. Of volumes, all three hold the voxels of any number of patients.
    """

    request: PairRequest
    differences: CohortDifferences
    a: ValueLayer
    b: ValueLayer
    difference: ValueLayer


@dataclass(frozen=True)
class Side:
    """One cohort at one place.

    Parameters
    ----------
    n, of : int
        Patients lesioned there, and patients of the cohort.
    mean_ml, std_ml : float
        Mean and SD of their total lesion volumes; NaN where there are none.
    is_seen : bool
        Whether the place lies in the field of view; how many are lesioned is not known elsewhere.
    """

    n: int
    of: int
    mean_ml: float
    std_ml: float
    is_seen: bool = True

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
        What the place is called in each atlas; empty without one.
    a, b : Side
    min_patients : int
    """

    region: str
    a: Side
    b: Side
    min_patients: int

    @property
    def is_compared(self) -> bool:
        """Whether both have patients enough for their volumes to be compared."""
        return min(self.a.n, self.b.n) >= self.min_patients

    def difference(self, key: str) -> float:
        """A minus B of one of `MAPS`, in percentage points or mL; NaN where not compared."""
        if not (self.a.is_seen and self.b.is_seen):
            return float("nan")
        if key == FREQUENCY:
            return self.a.percent - self.b.percent
        if not self.is_compared:
            return float("nan")
        if key == SD:
            return self.a.std_ml - self.b.std_ml
        return self.a.mean_ml - self.b.mean_ml


class ComparisonService:
    """What follows from two cohorts of a session.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._differences, self._layers, self._regions = Cache(2), Cache(4), Cache(4)
        self._ranges = Cache(16)

    def differences(self, request: PairRequest) -> CohortDifferences:
        """A minus B, as `cohort_differences` has it."""
        names = (request.cohort_a, request.cohort_b)

        def subtract() -> CohortDifferences:
            a, b = (self._session.load(name) for name in names)
            return cohort_differences(a, b, 1)

        # Only which voxels qualify depends on the number of patients.
        differences = self._differences.get(names, subtract)
        return replace(differences, min_patients=request.min_patients)

    def pair(self, request: PairRequest) -> Pair:
        """The maps of A and B, and their difference, with their colours."""
        key = (request.cohort_a, request.cohort_b, request.map_key)
        layers = self._layers.get(key, lambda: self._make_layers(request))
        return Pair(request, self.differences(request), *layers)

    def place(self, request: PairRequest, mm: Mm, atlases: Sequence[str] = ()) -> PlaceOfTwo:
        """What is known of a place in both cohorts."""
        differences = self.differences(request)
        row = differences.row_at(mm)
        fields, nothing = differences.fields, float("nan")
        a, b = (
            Side(int(n[row]), size, float(mean[row]) / ML, float(std[row]) / ML, is_seen)
            if row is not None
            else Side(0, size, nothing, nothing, is_seen)
            for n, size, mean, std, is_seen in zip(
                *(differences.n, differences.sizes, differences.means, differences.stds),
                (
                    fields.is_one or own.nearest_voxel(mm) is not None
                    for own in (fields.a, fields.b)
                ),
                strict=True,
            )
        )
        return PlaceOfTwo("; ".join(self._session.places(atlases, mm)), a, b, request.min_patients)

    def regions(self, request: PairRequest, atlas: str) -> RegionDifferences | None:
        """A minus B in each region, as `region_differences` has it; None without an atlas."""
        known = self._session.atlas(atlas)
        if known is None:
            return None
        names = (request.cohort_a, request.cohort_b)

        def subtract() -> RegionDifferences:
            a, b = (self._session.load(name) for name in names)
            return region_differences(a, b, known, 1)

        differences = self._regions.get((*names, atlas, self._session.use_of(atlas)), subtract)
        return replace(differences, min_patients=request.min_patients)

    def file_bytes(self, request: PairRequest, name: str) -> bytes:
        """One of the maps that `lesion-dash compare` writes, with the same bytes."""
        key = next(key for key, file in FILE_NAMES.items() if file == name)
        return nifti_bytes(self.differences(request).map(key).to_nifti())

    def _make_layers(self, request: PairRequest) -> tuple[ValueLayer, ValueLayer, ValueLayer]:
        """A, B and A - B at any k: the viewer hides the voxels of fewer patients."""
        differences, key = self.differences(request), request.map_key
        has_k = key != FREQUENCY  # a frequency is known of every voxel
        of_each = _of_each(differences, key)
        fewer = np.minimum(*differences.n)
        compared = np.logical_and(*differences.seen) & (fewer >= has_k)
        scale = Scale(self._maximum(request), QUANTITIES[key].colormap, shows_zero=True)
        diverging = Scale(self._range(request), "blue-orange", kind="diverging", sides=SIDES)
        unit = _UNITS[key]
        points = "percentage points" if key == FREQUENCY else unit
        a, b, difference = (
            ValueLayer(
                *(differences.grid, differences.indices[rows], values[rows], title, unit, scale),
                n=n[rows] if has_k else None,
            )
            for rows, values, n, title, unit, scale in (
                (differences.n[0] > 0, of_each[0], differences.n[0], MAPS[key], unit, scale),
                (differences.n[1] > 0, of_each[1], differences.n[1], MAPS[key], unit, scale),
                (compared, of_each[0] - of_each[1], fewer, DIFFERENCES[key], points, diverging),
            )
        )
        return a, b, difference

    def _maximum(self, request: PairRequest) -> float:
        """Where the colours of A and of B end, whatever the number of patients."""
        if request.map_key == FREQUENCY:
            differences = self.differences(request)
            frequencies = [
                n.max(initial=0) / size
                for n, size in zip(differences.n, differences.sizes, strict=True)
            ]
            return min(nice_ceiling(100 * max(frequencies)), 100.0)
        names = (request.cohort_a, request.cohort_b)
        key = (*names, request.map_key)

        def work_out() -> float:
            chosen = [Selection(name, map_key=request.map_key) for name in names]
            return max(self._session.scale(choice).maximum for choice in chosen)

        return self._ranges.get(key, work_out)

    def _range(self, request: PairRequest) -> float:
        """Where the colours of a difference end on either side, whatever the number of patients."""
        differences, key = self.differences(request), request.map_key

        def work_out() -> float:
            of_a, of_b = _of_each(differences, key)
            if key == FREQUENCY:
                seen = np.logical_and(*differences.seen)
                return nice_ceiling(float(np.abs(of_a - of_b)[seen].max(initial=0)))
            both = np.minimum(*differences.n)
            # Volumes of few patients lie far apart by chance, and would leave the rest pale.
            usual = both >= max(min(_USUAL_PATIENTS, both.max(initial=0)), 1)
            spread = np.abs(of_a[usual] - of_b[usual])
            return nice_ceiling(float(np.percentile(spread, _USUAL)) if spread.size else 0.0)

        return self._ranges.get((request.cohort_a, request.cohort_b, "difference", key), work_out)


def _of_each(differences: CohortDifferences, key: str) -> list[NDArray[np.float64]]:
    """One of `MAPS` of A and of B, in per cent or mL, at the voxels of both."""
    if key == FREQUENCY:
        return [100 * n / size for n, size in zip(differences.n, differences.sizes, strict=True)]
    return [column / ML for column in (differences.stds if key == SD else differences.means)]
