"""Lesion size topography: total lesion volume of the patients lesioned at each voxel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Unpack
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..cohort.cohort import Cohort, CohortListing, check_min_patients
from ..cohort.dask import connect
from ..cohort.loading import read_listing
from ..cohort.participants import Restriction
from ..cohort.readers import Workers
from ..cohort.reading import ReadOptions
from ..core.defaults import MIN_PATIENTS
from ..core.errors import InputError
from ..core.grid import Grid
from ..core.runs import run_store
from ..files.paths import PathInput
from ..images.maps import Map
from .voxel_volumes import SpreadRuns, VoxelVolumes, join, voxel_volumes

Std = Literal["population", "sample"]
Outside = Literal["zero", "nan"]

_BACKGROUND = {"zero": 0.0, "nan": np.nan}

FILE_NAMES = {
    "mean": "lesion_totalvol_mean_given_voxel.nii",
    "std": "lesion_totalvol_std_given_voxel.nii",
    "median": "lesion_totalvol_median_given_voxel.nii",
    "n": "lesion_patients_per_voxel.nii",
}


class StatMaps:
    """The four maps of a lesion size topography, each made when it is asked for."""

    grid: Grid
    n_patients: int
    min_patients: int
    std_kind: Std

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

    @property
    def files(self) -> dict[str, Map]:
        """The four maps under the names they are saved as."""
        return {FILE_NAMES[key]: getattr(self, key) for key in FILE_NAMES}

    def _map(self, key: str, name: str, unit: str) -> Map:
        flat = self._flat(key)
        flat.setflags(write=False)
        array = flat.reshape(self.grid.shape, order="F")
        ascii_unit = unit.replace("³", "3")
        text = f"lesion_dash: {name} [{ascii_unit}], n>={self.min_patients} of {self.n_patients}"
        return Map(name, array, self.grid, unit, text)

    def _flat(self, key: str) -> NDArray:
        raise NotImplementedError


class VoxelValues(Mapping[str, NDArray]):
    """What is known at the qualifying voxels; medians, which take longest, once they are asked for.

    Parameters
    ----------
    ready : dict of array
    medians : callable
        Works them out.
    """

    def __init__(self, ready: dict[str, NDArray], medians: Callable[[], NDArray]) -> None:
        self._ready, self._medians = ready, medians

    def __getitem__(self, key: str) -> NDArray:
        if key == "median" and key not in self._ready:
            self._ready[key] = self._medians()
        return self._ready[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("n", "mean", "std", "median"))

    def __len__(self) -> int:
        return 4


@dataclass(frozen=True, eq=False)
class VolumeStats(StatMaps):
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
    values : mapping of array, shape (voxels,)
        ``n`` in patients; ``mean``, ``std`` and ``median`` in mm³.
    """

    grid: Grid
    n_patients: int
    min_patients: int
    std_kind: Std
    outside: Outside
    indices: NDArray[np.int32]
    values: Mapping[str, NDArray]

    @property
    def voxels(self) -> int:
        """Number of qualifying voxels."""
        return self.indices.size

    def _flat(self, key: str) -> NDArray:
        flat = np.full(self.grid.size, _BACKGROUND[self.outside])
        flat[self.indices] = self.values[key]
        return flat


@dataclass(frozen=True, eq=False)
class FolderStats(StatMaps):
    """Lesion size topography of a folder, as single precision maps.

    Parameters
    ----------
    grid, n_patients, min_patients, std_kind
        As those of `VolumeStats`.
    voxels : int
        Number of qualifying voxels.
    arrays : dict of array of float32, shape (voxels of the grid,)
        The four maps, the first axis fastest.
    most : int
        Patients that share a voxel, at most, also where that is below `min_patients`.
    """

    grid: Grid
    n_patients: int
    min_patients: int
    std_kind: Std
    voxels: int
    arrays: dict[str, NDArray[np.float32]]
    most: int = 0

    def _flat(self, key: str) -> NDArray:
        return self.arrays[key]


def volume_stats(
    cohort: Cohort,
    min_patients: int = MIN_PATIENTS,
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
    _check_choices(min_patients, std, outside)
    everywhere = _voxel_volumes_of(cohort)
    chosen = everywhere.n >= min_patients
    voxels, n_patients = everywhere.select(chosen), cohort.n_patients
    values = VoxelValues(_values_of(voxels, std), partial(_medians_at, cohort, chosen))
    return VolumeStats(cohort.grid, n_patients, min_patients, std, outside, voxels.indices, values)


def folder_stats(
    folder: PathInput,
    min_patients: int = MIN_PATIENTS,
    std: Std = "population",
    outside: Outside = "zero",
    participants: PathInput | None = None,
    scheduler: str | None = None,
    where: Sequence[Restriction] = (),
    **options: Unpack[ReadOptions],
) -> tuple[CohortListing, FolderStats]:
    """The maps of `volume_stats` for a folder, in memory that does not grow with the patients.

    Every mask is read once and only its runs are kept, on disk. The maps are worked out in double
    precision, and kept in single precision as files hold them. On a cluster the runs stay with
    the workers that read them; every bit is the same.

    Parameters
    ----------
    folder : path or URL
    min_patients, std, outside
        As for `volume_stats`.
    participants, scheduler, where, **options
        As for `load_cohort`.

    Returns
    -------
    roster : CohortListing
        The patients, without their masks.
    stats : FolderStats

    Examples
    --------
    >>> roster, stats = folder_stats("sample_data/cohort_a", min_patients=5)
    >>> roster.n_patients, stats.mean.unit
    (40, 'mm³')
    """
    _check_choices(min_patients, std, outside)
    read = partial(read_listing, folder, participants=participants, where=where, **options)
    fill = partial(_fill_maps, std=std, outside=outside)
    if scheduler is None:
        with run_store() as store:
            listing = read(keep=lambda lesion: store.add(lesion.starts, lesion.lengths))
            found = fill(listing.grid, voxel_volumes(listing.grid, store, min_patients))
    else:
        with connect(scheduler) as cluster:
            runs = SpreadRuns(cluster)
            listing = read(reader=Workers(cluster, keep=runs.add))
            found = fill(listing.grid, runs.voxel_volumes(listing.grid, min_patients))
    return listing, FolderStats(listing.grid, listing.n_patients, min_patients, std, *found)


def _fill_maps(
    grid: Grid, parts: Iterable[VoxelVolumes], std: Std, outside: Outside
) -> tuple[int, dict[str, NDArray[np.float32]], int]:
    """The last three fields of `FolderStats`."""
    voxels = most = 0
    arrays = {key: np.full(grid.size, _BACKGROUND[outside], dtype=np.float32) for key in FILE_NAMES}
    for part in parts:
        voxels += part.n.size
        most = max(most, part.most)
        for key, values in _values_of(part, std).items():
            arrays[key][part.indices] = values
    return voxels, arrays, most


def _values_of(voxels: VoxelVolumes, std: Std) -> dict[str, NDArray]:
    unit = voxels.grid.voxel_volume
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(voxels.deviation / (voxels.n - (std == "sample")))
    values: dict[str, NDArray] = {"n": voxels.n, "mean": voxels.mean * unit, "std": spread * unit}
    return values if voxels.median is None else {**values, "median": voxels.median * unit}


_CACHE: WeakKeyDictionary[Cohort, VoxelVolumes] = WeakKeyDictionary()
_MEDIANS: WeakKeyDictionary[Cohort, NDArray] = WeakKeyDictionary()


def _voxel_volumes_of(cohort: Cohort) -> VoxelVolumes:
    """What does not depend on a threshold, but for the medians; kept as long as the cohort."""
    if cohort not in _CACHE:
        _CACHE[cohort] = _work_out(cohort, medians=False)
    return _CACHE[cohort]


def _medians_at(cohort: Cohort, chosen: NDArray[np.bool_]) -> NDArray:
    """Medians in mm³ at some of the lesioned voxels; all of them are kept as long as the cohort."""
    if cohort not in _MEDIANS:
        medians = _work_out(cohort, medians=True).median
        assert medians is not None
        _MEDIANS[cohort] = medians * cohort.grid.voxel_volume
    return _MEDIANS[cohort][chosen]


def _work_out(cohort: Cohort, medians: bool) -> VoxelVolumes:
    with run_store() as store:
        for patient in range(cohort.n_patients):
            store.add(*cohort.runs(patient))
        return join(cohort.grid, list(voxel_volumes(cohort.grid, store, medians=medians)))


def _check_choices(min_patients: int, std: str, outside: str) -> None:
    check_min_patients(min_patients)
    _check_choice("std", std, ("population", "sample"))
    _check_choice("outside", outside, ("zero", "nan"))


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(name, f"{value!r} is not known", f"choose {' or '.join(allowed)}")
