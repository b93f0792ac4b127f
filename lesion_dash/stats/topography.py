"""Lesion size topography: total lesion volume of the patients lesioned at each voxel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ..cohort.cohort import Cohort, CohortListing, check_min_patients
from ..cohort.dask import connect
from ..cohort.loading import read_listing
from ..cohort.readers import Workers
from ..cohort.reading import DEFAULTS, ReadOptions, add_result_names
from ..core.defaults import MIN_PATIENTS, OUTSIDE, STD, Outside, Std
from ..core.errors import check_choice
from ..core.grid import Grid
from ..core.memory import derived
from ..core.runs import run_store
from ..files.paths import PathInput
from ..images.maps import Map
from .voxel_maps import Columns, MapSet, Quantity, VoxelMaps, file_names
from .voxel_volumes import SpreadRuns, VoxelVolumes, join, voxel_volumes

BACKGROUND: dict[str, float] = {"zero": 0.0, "nan": np.nan}
"""What maps hold at voxels that do not qualify."""


@dataclass(frozen=True, kw_only=True)
class Statistic(Quantity):
    """A statistic of the total lesion volumes of the patients lesioned at a voxel.

    Given to `add_statistics`, it becomes a map of `volume_stats`.

    Parameters
    ----------
    key, label, unit, file, meaning, title, short_title, colormap, header, background
        As those of `Quantity`.
    compute : callable
        Takes `VoxelVolumes` and the kind of SD, ``population`` or ``sample``; returns an array,
        shape (voxels,).
    needs_medians : bool
        Medians take longer than all the rest: they are computed when they are first asked for.

    Examples
    --------
    >>> import numpy as np
    >>> standard_error = Statistic(
    ...     key="standard_error",
    ...     label="standard error of the mean total lesion volume",
    ...     unit="mm³",
    ...     file="lesion_totalvol_sem_given_voxel.nii",
    ...     compute=lambda v, _: np.sqrt(v.deviation) / v.n * v.grid.voxel_volume,
    ... )
    >>> standard_error.title, standard_error.display
    ('Standard error of the mean total lesion volume', (0.001, 'mL'))
    """

    compute: Callable[[VoxelVolumes, Std], NDArray]
    needs_medians: bool = False


def _std(volumes: VoxelVolumes, std: Std) -> NDArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(volumes.deviation / (volumes.n - (std == "sample")))
    return np.asarray(spread * volumes.grid.voxel_volume)


def _median(volumes: VoxelVolumes, _: Std) -> NDArray:
    assert volumes.median is not None, "a statistic that needs medians is given them"
    return volumes.median * volumes.grid.voxel_volume


STATISTICS: dict[str, Statistic] = {}
FILE_NAMES: dict[str, str] = {}


def add_statistics(*statistics: Statistic) -> None:
    """Add statistics to those that are computed, shown and saved.

    Examples
    --------
    >>> from lesion_dash import Statistic, load_cohort, volume_stats
    >>> total = Statistic(
    ...     key="total",
    ...     label="sum of total lesion volumes",
    ...     unit="mm³",
    ...     file="lesion_totalvol_sum_given_voxel.nii",
    ...     compute=lambda volumes, _: volumes.n * volumes.mean * volumes.grid.voxel_volume,
    ... )
    >>> add_statistics(total)
    >>> volume_stats(load_cohort("sample_data/cohort_a")).map("total").unit
    'mm³'
    >>> from lesion_dash.stats.topography import FILE_NAMES, STATISTICS
    >>> del STATISTICS["total"], FILE_NAMES["total"]  # other topographies are without it again
    """
    STATISTICS.update({statistic.key: statistic for statistic in statistics})
    FILE_NAMES.update(file_names(statistics))
    add_result_names(file_names(statistics).values())


add_statistics(
    Statistic(
        key="mean",
        label="mean total lesion volume",
        unit="mm³",
        file="lesion_totalvol_mean_given_voxel.nii",
        meaning="Mean total lesion volume of the patients lesioned at each voxel.",
        short_title="Mean lesion volume",
        colormap="plasma",
        compute=lambda volumes, _: volumes.mean * volumes.grid.voxel_volume,
    ),
    Statistic(
        key="std",
        label="SD of total lesion volume",
        unit="mm³",
        file="lesion_totalvol_std_given_voxel.nii",
        meaning="Standard deviation of the total lesion volume of the patients lesioned there.",
        short_title="SD of lesion volume",
        colormap="cividis",
        compute=_std,
    ),
    Statistic(
        key="median",
        label="median total lesion volume",
        unit="mm³",
        file="lesion_totalvol_median_given_voxel.nii",
        meaning="Median total lesion volume of the patients lesioned at each voxel.",
        short_title="Median lesion volume",
        colormap="plasma",
        compute=_median,
        needs_medians=True,
    ),
    Statistic(
        key="n",
        label="patients lesioned",
        unit="patients",
        file="lesion_patients_per_voxel.nii",
        meaning="Number of patients lesioned at each voxel.",
        title="Patients per voxel",
        compute=lambda volumes, _: volumes.n,
    ),
)


class StatMaps(MapSet):
    """The maps of a lesion size topography, each made when it is asked for."""

    @property
    def n(self) -> Map:
        """Patients lesioned at each voxel."""
        return self.map("n")

    @property
    def mean(self) -> Map:
        """Mean total lesion volume in mm³ of the patients lesioned at each voxel."""
        return self.map("mean")

    @property
    def std(self) -> Map:
        """Standard deviation of the total lesion volume in mm³."""
        return self.map("std")

    @property
    def median(self) -> Map:
        """Median total lesion volume in mm³ of the patients lesioned at each voxel."""
        return self.map("median")


@dataclass(frozen=True, eq=False, kw_only=True)
class VolumeStats(StatMaps, VoxelMaps):
    """Lesion size topography of a cohort at one threshold.

    The values, ``n`` in patients and volumes in mm³, are those at the qualifying voxels.

    Parameters
    ----------
    grid, indices, values, quantities
        As those of `VoxelMaps`.
    n_patients : int
        Patients of the cohort.
    min_patients : int
        A voxel qualifies where at least this many patients are lesioned.
    std_kind : str
        ``population`` (divided by n) or ``sample`` (divided by n - 1).

    Examples
    --------
    >>> from lesion_dash import load_cohort, volume_stats
    >>> stats = volume_stats(load_cohort("sample_data/cohort_a"), min_patients=5)
    >>> stats.voxels, stats.n.value_at([-26, 0, 8]), round(stats.mean.value_at([-26, 0, 8]))
    (12726, 7.0, 43753)
    """

    n_patients: int
    min_patients: int
    std_kind: Std


@dataclass(frozen=True, eq=False)
class FolderStats(StatMaps):
    """Lesion size topography of a folder, as single precision maps.

    Parameters
    ----------
    grid : Grid
    quantities : tuple of Quantity
    voxels : int
        Number of qualifying voxels.
    arrays : dict of array of float32, shape (voxels of the grid,)
        The map of each quantity, the first axis fastest.
    max_overlap : int
        Patients that share a voxel, at most, also where that is below `min_patients`.
    """

    grid: Grid
    quantities: tuple[Quantity, ...]
    voxels: int
    arrays: dict[str, NDArray[np.float32]]
    max_overlap: int = 0

    def _at_all_voxels(self, quantity: Quantity) -> NDArray:
        return self.arrays[quantity.key]


def volume_stats(
    cohort: Cohort,
    min_patients: int = MIN_PATIENTS,
    std: Std = STD,
    outside: Outside = OUTSIDE,
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
        What the maps hold at voxels that do not qualify. One that qualifies by a single patient
        has no sample SD: NaN in either case.

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
    Weaver et al. (2019), lesion size topography, who map the median; see docs/definitions.md.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> stats = volume_stats(load_cohort("sample_data/cohort_a"), min_patients=5)
    >>> stats.mean.unit, bool(stats.n.array[stats.n.array > 0].min() >= 5)
    ('mm³', True)
    """
    _check_choices(min_patients, std, outside)
    everywhere = derived(cohort, "volumes", partial(_volumes_of, cohort, medians=False))
    chosen = everywhere.n >= min_patients
    volumes = everywhere.select(chosen)
    return VolumeStats(
        grid=cohort.grid,
        indices=volumes.indices,
        values=Columns(
            {
                key: partial(_with_medians, cohort, chosen, statistic, std)
                if statistic.needs_medians
                else statistic.compute(volumes, std)
                for key, statistic in STATISTICS.items()
            }
        ),
        quantities=tuple(_quantities(cohort.n_patients, min_patients, std, outside)),
        n_patients=cohort.n_patients,
        min_patients=min_patients,
        std_kind=std,
    )


def folder_stats(
    folder: PathInput,
    min_patients: int = MIN_PATIENTS,
    std: Std = STD,
    outside: Outside = OUTSIDE,
    scheduler: str | None = None,
    options: ReadOptions = DEFAULTS,
) -> tuple[CohortListing, FolderStats]:
    """The maps of `volume_stats` for a folder, in memory that does not grow with the patients.

    Every mask is read once and only its runs are kept, on disk. The maps are computed in double
    precision, and kept in single precision as files hold them. On a cluster the runs stay with
    the workers that read them; every bit is the same.

    Parameters
    ----------
    folder : path or URL
    min_patients, std, outside
        As for `volume_stats`.
    scheduler, options
        As for `load_cohort`.

    Returns
    -------
    listing : CohortListing
        The patients, without their masks.
    stats : FolderStats

    Examples
    --------
    >>> listing, stats = folder_stats("sample_data/cohort_a", min_patients=5)
    >>> listing.n_patients, stats.mean.unit
    (40, 'mm³')
    """
    _check_choices(min_patients, std, outside)
    read = partial(read_listing, folder, options)
    choices = min_patients, std, outside
    if scheduler is None:
        with run_store() as store:
            listing = read(keep=lambda lesion: store.add(lesion.starts, lesion.lengths))
            parts = voxel_volumes(listing.grid, store, min_patients)
            stats = fill_maps(listing.grid, listing.n_patients, parts, *choices)
    else:
        with connect(scheduler) as cluster:
            runs = SpreadRuns(cluster)
            listing = read(reader=Workers(cluster, keep=runs.add))
            groups = runs.voxel_volumes(listing.grid, min_patients)
            stats = fill_maps(listing.grid, listing.n_patients, groups, *choices)
    return listing, stats


def fill_maps(
    grid: Grid,
    n_patients: int,
    parts: Iterable[VoxelVolumes],
    min_patients: int = MIN_PATIENTS,
    std: Std = STD,
    outside: Outside = OUTSIDE,
) -> FolderStats:
    """The maps of `folder_stats` from the volumes of neighbouring voxels, part by part."""
    voxels = max_overlap = 0
    arrays = {key: np.full(grid.size, BACKGROUND[outside], np.float32) for key in STATISTICS}
    for part in parts:
        voxels += part.n.size
        max_overlap = max(max_overlap, part.max_overlap)
        for key, statistic in STATISTICS.items():
            arrays[key][part.indices] = statistic.compute(part, std)
    quantities = tuple(_quantities(n_patients, min_patients, std, outside))
    return FolderStats(grid, quantities, voxels, arrays, max_overlap)


def _quantities(
    n_patients: int, min_patients: int, std: Std, outside: Outside
) -> Iterator[Quantity]:
    """The statistics, each with a header and a background."""
    for key, statistic in STATISTICS.items():
        label = f"{std} {statistic.label}" if key == "std" else statistic.label
        how = f", n>={min_patients} of {n_patients}"
        # Without its function: results travel between processes.
        known = {field.name: getattr(statistic, field.name) for field in fields(Quantity)}
        yield Quantity(**known).made(how, label=label, background=BACKGROUND[outside])


def _with_medians(
    cohort: Cohort, chosen: NDArray[np.bool_], statistic: Statistic, std: Std
) -> NDArray:
    """A statistic that needs medians at some of the lesioned voxels of a cohort.

    The medians of all of them are kept: another threshold or statistic need not wait for them.
    """
    volumes = derived(cohort, "medians", partial(_volumes_of, cohort, medians=True))
    return statistic.compute(volumes, std)[chosen]


def _volumes_of(cohort: Cohort, medians: bool) -> VoxelVolumes:
    """The volumes at all lesioned voxels, from which those of any threshold are selected."""
    with run_store() as store:
        for patient in range(cohort.n_patients):
            store.add(*cohort.runs(patient))
        return join(cohort.grid, list(voxel_volumes(cohort.grid, store, medians=medians)))


def _check_choices(min_patients: int, std: str, outside: str) -> None:
    check_min_patients(min_patients)
    check_choice("std", std, get_args(Std))
    check_choice("outside", outside, BACKGROUND)
