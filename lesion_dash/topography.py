"""Lesion size topography: the total lesion volume of the patients lesioned at each voxel."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .cohort import Cohort, check_min_patients
from .errors import InputError
from .grid import Grid
from .images import Map

Std = Literal["population", "sample"]
Outside = Literal["zero", "nan"]

FILE_NAMES = {
    "mean": "lesion_totalvol_mean_given_voxel.nii",
    "std": "lesion_totalvol_std_given_voxel.nii",
    "median": "lesion_totalvol_median_given_voxel.nii",
    "n": "lesion_patients_per_voxel.nii",
}


@dataclass(frozen=True, eq=False)
class VoxelVolumes:
    """Statistics of total lesion volume at every voxel that any patient has lesioned.

    Parameters
    ----------
    grid : Grid
    indices : array of int32, shape (voxels,)
        Linear positions in ascending order, the first axis fastest.
    n : array of int32, shape (voxels,)
        Patients lesioned at the voxel.
    mean, median : array of float64, shape (voxels,)
        Of their total lesion volumes, in voxels.
    deviation : array of float64, shape (voxels,)
        Sum of squared differences from the mean, in voxels².
    """

    grid: Grid
    indices: NDArray[np.int32]
    n: NDArray[np.int32]
    mean: NDArray[np.float64]
    median: NDArray[np.float64]
    deviation: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class VolumeStats:
    """Lesion size topography of a cohort at one threshold.

    The values are kept for the qualifying voxels alone; each map is made when it is asked for.

    Parameters
    ----------
    grid : Grid
    n_patients : int
        Patients of the cohort.
    min_patients : int
        A voxel qualifies where at least this many patients are lesioned.
    std_kind : str
        ``population`` (divided by n) or ``sample`` (divided by n - 1).
    outside : str
        What maps hold at other voxels: ``zero`` or ``nan``.
    indices : array of int32, shape (voxels,)
        The qualifying voxels, linear positions with the first axis fastest.
    values : dict of array, shape (voxels,)
        ``n`` in patients; ``mean``, ``std`` and ``median`` in mm³.
    """

    grid: Grid
    n_patients: int
    min_patients: int
    std_kind: Std
    outside: Outside
    indices: NDArray[np.int32]
    values: dict[str, NDArray]

    @property
    def n(self) -> Map:
        """Patients lesioned at each voxel."""
        return self._map("n", "patients lesioned", "patients")

    @property
    def mean(self) -> Map:
        """Mean total lesion volume in mm³ of the patients lesioned at each voxel."""
        return self._map("mean", "mean total lesion volume", "mm³")

    @property
    def std(self) -> Map:
        """Standard deviation of the total lesion volume in mm³."""
        return self._map("std", f"{self.std_kind} SD of total lesion volume", "mm³")

    @property
    def median(self) -> Map:
        """Median total lesion volume in mm³ of the patients lesioned at each voxel."""
        return self._map("median", "median total lesion volume", "mm³")

    def _map(self, key: str, name: str, unit: str) -> Map:
        background = 0.0 if self.outside == "zero" else np.nan
        flat = np.full(self.grid.size, background)
        flat[self.indices] = self.values[key]
        flat.setflags(write=False)
        array = flat.reshape(self.grid.shape, order="F")
        ascii_unit = unit.replace("³", "3")
        text = f"lesion_dash: {name} [{ascii_unit}], n>={self.min_patients} of {self.n_patients}"
        return Map(name, array, self.grid, unit, text)

    @property
    def files(self) -> dict[str, Map]:
        """The four maps under the names they are saved as."""
        return {FILE_NAMES[key]: getattr(self, key) for key in FILE_NAMES}


def volume_stats(
    cohort: Cohort,
    min_patients: int = 5,
    std: Std = "population",
    outside: Outside = "zero",
) -> VolumeStats:
    """Mean, SD and median of the total lesion volume of the patients lesioned at each voxel.

    With X the binary patients x voxels matrix and v the patients' total lesion volumes, voxel j
    has n = Σ_p X_pj, mean = Σ_p X_pj v_p / n and SD = sqrt(Σ_p X_pj (v_p - mean)² / n)
    (n - 1 for the sample SD, which is NaN where n is 1). The sums are exact integers in voxels.

    Parameters
    ----------
    cohort : Cohort
    min_patients : int
        Voxels lesioned in at least this many patients qualify.
    std : {"population", "sample"}
    outside : {"zero", "nan"}
        What the maps hold at voxels that do not qualify.

    Returns
    -------
    VolumeStats
        Volumes in mm³.

    Raises
    ------
    InputError
        Where a parameter is none of the above.

    References
    ----------
    Weaver et al. (2019), lesion size topography; see the README.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> stats = volume_stats(load_cohort("sample_data/cohort_a"), min_patients=5)
    >>> stats.mean.unit, bool(stats.n.array[stats.n.array > 0].min() >= 5)
    ('mm³', True)
    """
    check_min_patients(min_patients)
    _check_choice("std", std, ("population", "sample"))
    _check_choice("outside", outside, ("zero", "nan"))
    voxels = voxel_volumes(cohort)
    chosen = voxels.n >= min_patients
    n = voxels.n[chosen]
    unit = cohort.grid.voxel_volume
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(voxels.deviation[chosen] / (n - (std == "sample")))
    values: dict[str, NDArray] = {
        "n": n,
        "mean": voxels.mean[chosen] * unit,
        "std": spread * unit,
        "median": voxels.median[chosen] * unit,
    }
    indices = voxels.indices[chosen]
    return VolumeStats(cohort.grid, cohort.n_patients, min_patients, std, outside, indices, values)


_CACHE: WeakKeyDictionary[Cohort, VoxelVolumes] = WeakKeyDictionary()


def voxel_volumes(cohort: Cohort) -> VoxelVolumes:
    """The statistics that do not depend on a threshold; kept as long as the cohort lives."""
    if cohort not in _CACHE:
        _CACHE[cohort] = _summarise(cohort)
    return _CACHE[cohort]


def _summarise(cohort: Cohort) -> VoxelVolumes:
    indices, starts, ranks = _columns_by_volume(cohort)
    volumes = np.sort(cohort.volumes)
    n = np.diff(starts)
    mean, median, deviation = (np.empty(n.size) for _ in range(3))
    # A part at a time: the volumes of all entries at once would take twice the matrix's memory.
    for first, last in _parts(starts):
        bounds, part = starts[first:last] - starts[first], slice(first, last)
        sorted_volumes = volumes[ranks[starts[first] : starts[last]]]
        total = np.add.reduceat(sorted_volumes, bounds)
        squares = np.add.reduceat(sorted_volumes * sorted_volumes, bounds)
        mean[part] = total / n[part]
        deviation[part] = squared_deviation(n[part], total, squares)
        low, high = bounds + (n[part] - 1) // 2, bounds + n[part] // 2
        median[part] = (sorted_volumes[low] + sorted_volumes[high]) / 2
    return VoxelVolumes(cohort.grid, indices, n.astype(np.int32), mean, median, deviation)


def _columns_by_volume(
    cohort: Cohort,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """The lesioned voxels and, for each, its patients' ranks in ascending order of volume."""
    from scipy import sparse

    ordered = cohort.select(np.argsort(cohort.volumes, kind="stable"))
    matrix = sparse.csr_array(
        (np.ones(ordered.indices.size, np.bool_), ordered.indices, _narrow(ordered.starts)),
        shape=(cohort.n_patients, cohort.grid.size),
    )
    del ordered
    columns = matrix.tocsc()
    del matrix
    indices = np.flatnonzero(np.diff(columns.indptr)).astype(np.int32)
    starts = np.append(columns.indptr[indices], columns.indptr[-1]).astype(np.int64)
    return indices, starts, columns.indices


def _narrow(starts: NDArray[np.int64]) -> NDArray[np.integer]:
    """SciPy keeps 32-bit positions, at half the memory, only where both its arrays have them."""
    return starts.astype(np.int32) if starts[-1] < 2**31 else starts


def _parts(starts: NDArray[np.int64], entries: int = 2**20) -> list[tuple[int, int]]:
    """Cut columns into runs of about this many entries: (first, last) column of each."""
    marks = np.arange(0, starts[-1] + entries, entries)
    cuts = np.unique(np.minimum(np.searchsorted(starts, marks), starts.size - 1)).tolist()
    return list(pairwise(cuts))


def squared_deviation(
    n: NDArray[np.int64], total: NDArray[np.int64], squares: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sum of squared differences from the mean, from exact integer sums.

    The usual ``squares - total² / n`` loses all digits where volumes are nearly equal. Here the
    sums are shifted by the whole number q nearest to the mean. The shifted sum of squares is
    small, so that it comes out exact even where an intermediate product wraps around 64 bits.

    Parameters
    ----------
    n, total, squares : array of int64
        Number, sum and sum of squares of whole numbers.

    Examples
    --------
    >>> volumes = np.array([10**9, 10**9 + 1, 10**9 + 2])
    >>> one = lambda value: np.array([value], np.int64)
    >>> squared_deviation(one(3), one(volumes.sum()), one((volumes**2).sum())).tolist()
    [2.0]
    """
    nearest = (total + n // 2) // n
    rest = (total - n * nearest).astype(np.float64)
    with np.errstate(over="ignore"):
        shifted = squares - nearest * (2 * total - n * nearest)
    return shifted.astype(np.float64) - rest * rest / n


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(name, f"{value!r} is not known", f"choose {' or '.join(allowed)}")
