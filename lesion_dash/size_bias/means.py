"""The conditional mean volume against what it would be if place said nothing of size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..grid import Grid
from ..images import Map
from ..topography import volume_stats
from .lesioned import lesioned_patients

FILE_NAMES = {
    "above_mean": "lesion_size_above_mean.nii",
    "above_weighted_mean": "lesion_size_above_weighted_mean.nii",
}

_NAMES = {
    "above_mean": "mean total lesion volume above the cohort's mean",
    "above_weighted_mean": "mean total lesion volume above the size-weighted mean",
}


@dataclass(frozen=True, eq=False)
class MeanContrast:
    """Mean total lesion volume at each voxel against two means of the whole cohort.

    Parameters
    ----------
    grid : Grid
    n_patients : int
        Patients with a lesion.
    min_patients : int
        A voxel qualifies where at least this many patients are lesioned.
    indices : array of int32, shape (voxels,)
        The qualifying voxels, linear positions with the first axis fastest.
    mean : array of float64, shape (voxels,)
        Mean total lesion volume in mm³ of the patients lesioned at each.
    cohort_mean : float
        Mean volume in mm³ of the patients with a lesion.
    weighted_mean : float
        Size-weighted mean Σv²/Σv in mm³: the mean of the patients that a voxel drawn from all
        lesions belongs to.
    notes : tuple of str
    """

    grid: Grid
    n_patients: int
    min_patients: int
    indices: NDArray[np.int32]
    mean: NDArray[np.float64]
    cohort_mean: float
    weighted_mean: float
    notes: tuple[str, ...] = ()

    @property
    def above_mean(self) -> Map:
        """Conditional mean minus the cohort's mean in mm³; NaN where no voxel qualifies."""
        return self._map("above_mean", self.mean - self.cohort_mean)

    @property
    def above_weighted_mean(self) -> Map:
        """Conditional mean minus the size-weighted mean in mm³; NaN where no voxel qualifies."""
        return self._map("above_weighted_mean", self.mean - self.weighted_mean)

    @property
    def files(self) -> dict[str, Map]:
        """Both maps under the names they are saved as."""
        return {file: getattr(self, key) for key, file in FILE_NAMES.items()}

    def _map(self, key: str, values: NDArray[np.float64]) -> Map:
        text = f"lesion_dash: {key} [mm3], n>={self.min_patients} of {self.n_patients}"
        return map_of(self.grid, self.indices, values, _NAMES[key], "mm³", text)


def map_of(
    grid: Grid,
    indices: NDArray[np.int32],
    values: NDArray[np.float64],
    name: str,
    unit: str,
    text: str,
) -> Map:
    """A map of values at some voxels, NaN elsewhere: 0 is a value here."""
    flat = np.full(grid.size, np.nan)
    flat[indices] = values
    flat.setflags(write=False)
    return Map(name, flat.reshape(grid.shape, order="F"), grid, unit, text)


def mean_contrast(cohort: Cohort, min_patients: int = 5) -> MeanContrast:
    """Mean volume of the patients lesioned at a voxel, minus two means of the cohort.

    The mean at a voxel is biased by construction: a large lesion covers more voxels, so it is
    counted at more of them. Were each lesion placed anywhere with equal chance, the mean at a
    voxel would not be about the cohort's mean Σv/N but about the size-weighted mean Σv²/Σv, which
    is larger by the variance of the volumes over their mean. The first contrast says how far
    above the typical patient a voxel is; the second how far above what size alone explains.

    Parameters
    ----------
    cohort : Cohort
        Patients without a lesioned voxel are left out.
    min_patients : int
        Voxels lesioned in at least this many patients qualify.

    Returns
    -------
    MeanContrast
        Volumes in mm³, on the grid of the cohort.

    Raises
    ------
    InputError
        Where no patient has a lesion, or `min_patients` is no whole number of at least 1.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> found = mean_contrast(load_cohort("sample_data/cohort_a"))
    >>> found.above_mean.unit, found.weighted_mean > found.cohort_mean
    ('mm³', True)
    """
    stats = volume_stats(cohort, min_patients)
    patients = lesioned_patients(cohort)
    return MeanContrast(
        cohort.grid,
        patients.size,
        min_patients,
        stats.indices,
        stats.values["mean"],
        patients.mean,
        patients.weighted_mean,
        patients.notes,
    )
