"""Differences of two cohorts at each voxel: patients lesioned there, and their lesion volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cohort.cohort import Cohort, check_min_patients
from ..core.defaults import MIN_PATIENTS
from ..core.errors import InputError
from ..core.grid import Grid, is_near
from ..images.maps import Map
from ..images.masks import Mask
from .topography import Outside, VolumeStats, volume_stats

FILE_NAMES = {
    "frequency": "lesion_frequency_difference.nii",
    "mean": "lesion_totalvol_mean_difference.nii",
    "std": "lesion_totalvol_std_difference.nii",
}

_BACKGROUND = {"nan": np.nan, "zero": 0.0}


@dataclass(frozen=True, eq=False)
class CohortDifferences:
    """What cohort A has more of than cohort B, voxel by voxel; negative where B has more.

    The values are kept for the voxels that any patient of either cohort has lesioned.

    Parameters
    ----------
    names : tuple of str
        Of A and of B.
    sizes : tuple of int
        Patients of A and of B.
    grid : Grid
        That of A.
    min_patients : int
        Volumes are compared where at least this many patients of A, and of B, are lesioned.
    outside : str
        What the maps of volumes hold elsewhere: ``nan`` or ``zero``.
    indices : array of int32, shape (voxels,)
        Linear positions in ascending order, the first axis fastest.
    n : tuple of array of int32, shape (voxels,)
        Patients of A and of B lesioned there.
    means : tuple of array of float64, shape (voxels,)
        Their mean total lesion volume in mm³, NaN where there is none.
    stds : tuple of array of float64, shape (voxels,)
        Its standard deviation in mm³ (divided by n), NaN where there is none.
    notes : tuple of str
        How B was brought onto the grid of A, and what is unusual about the pair.
    """

    names: tuple[str, str]
    sizes: tuple[int, int]
    grid: Grid
    min_patients: int
    outside: Outside
    indices: NDArray[np.int32]
    n: tuple[NDArray[np.int32], NDArray[np.int32]]
    means: tuple[NDArray[np.float64], NDArray[np.float64]]
    stds: tuple[NDArray[np.float64], NDArray[np.float64]]
    notes: tuple[str, ...] = ()

    @property
    def frequency(self) -> Map:
        """Patients lesioned in percent of A, minus those in percent of B; 0 where none is."""
        shares = [n / size for n, size in zip(self.n, self.sizes, strict=True)]
        values = 100 * (shares[0] - shares[1])
        name, unit = "difference in patients lesioned", "percentage points"
        of_each = f", N {self.sizes[0]} and {self.sizes[1]}"
        return self._map(name, unit, 0.0, self.indices, values, of_each)

    @property
    def mean(self) -> Map:
        """Mean total lesion volume of A minus that of B in mm³, where both have enough patients."""
        return self._of_volumes("difference in mean total lesion volume", self.means)

    @property
    def std(self) -> Map:
        """SD of total lesion volume of A minus that of B in mm³, where both have enough."""
        return self._of_volumes("difference in SD of total lesion volume", self.stds)

    @property
    def compared(self) -> Mask:
        """The voxels where volumes are compared."""
        name = f"{' and '.join(self.names)}, at least {self.min_patients} patients of each"
        return Mask(self.grid, self.indices[self._enough], name)

    @property
    def files(self) -> dict[str, Map]:
        """The three maps under the names they are saved as."""
        return {FILE_NAMES[key]: getattr(self, key) for key in FILE_NAMES}

    @property
    def _enough(self) -> NDArray[np.bool_]:
        return np.minimum(*self.n) >= self.min_patients

    def _of_volumes(self, name: str, of_each: tuple[NDArray, NDArray]) -> Map:
        """A - B of what is known of the volumes at a voxel."""
        enough = self._enough
        values = of_each[0][enough] - of_each[1][enough]
        least, (a, b) = self.min_patients, self.sizes
        background, where = _BACKGROUND[self.outside], f", n>={least} of {a} and of {b}"
        return self._map(name, "mm³", background, self.indices[enough], values, where)

    def _map(
        self,
        name: str,
        unit: str,
        background: float,
        indices: NDArray[np.int32],
        values: NDArray[np.float64],
        of_each: str,
    ) -> Map:
        flat = np.full(self.grid.size, background)
        flat[indices] = values
        flat.setflags(write=False)
        what = name.removeprefix("difference in ")  # the header holds 79 characters
        text = f"lesion_dash: {what}, A - B [{unit.replace('³', '3')}]{of_each}"
        return Map(name, flat.reshape(self.grid.shape, order="F"), self.grid, unit, text)


def cohort_differences(
    a: Cohort, b: Cohort, min_patients: int = MIN_PATIENTS, outside: Outside = "nan"
) -> CohortDifferences:
    """Subtract one cohort from another: how many are lesioned at a voxel, and how large they are.

    With n the patients lesioned at a voxel, N those of the cohort and v their total lesion
    volumes, the maps are 100 (n_A / N_A - n_B / N_B) in percentage points, at every voxel, and
    mean(v_A) - mean(v_B) and SD(v_A) - SD(v_B) in mm³, where n_A and n_B are at least
    `min_patients`. Exchanging A and B turns every sign, and no bit else.

    The SD is the population's (divided by n), as `volume_stats` has it, so that the map is the
    difference of the maps of A and of B. It comes out smaller where fewer patients are lesioned:
    where n_A and n_B are few and unlike, a part of the difference is due to that.

    This describes; it tests nothing. `contrast_cohorts` tests the frequencies.

    Parameters
    ----------
    a, b : Cohort
        On one grid, or on grids whose voxels coincide: B is then reoriented exactly to A's axes,
        and a note says so, as `overlap` has it.
    min_patients : int
        Volumes are compared where at least this many patients of each cohort are lesioned.
    outside : {"nan", "zero"}
        What the maps of volumes hold elsewhere. Zero cannot be told from no difference.

    Returns
    -------
    CohortDifferences

    Raises
    ------
    InputError
        Where voxels of the two grids do not coincide, with the difference in mm; where a
        parameter is none of the above.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> a, b = (load_cohort(f"sample_data/cohort_{letter}") for letter in "ab")
    >>> found = cohort_differences(a, b, min_patients=5)
    >>> found.sizes, found.frequency.unit, found.mean.unit
    ((40, 40), 'percentage points', 'mm³')
    >>> found.compared.voxels == int((~np.isnan(found.mean.array)).sum())
    True
    """
    least = check_min_patients(min_patients)
    if outside not in _BACKGROUND:
        raise InputError("outside", f"{outside!r} is not known", "choose nan or zero")
    of_a, of_b = volume_stats(a, 1), volume_stats(b, 1)
    places, notes = _on_grid(of_b, b.name, a.grid)
    lesioned = np.zeros(a.grid.size, bool)  # np.union1d takes a second for two million voxels
    lesioned[of_a.indices] = lesioned[places] = True
    indices = np.flatnonzero(lesioned).astype(np.int32)
    n_a, *volumes_a = _spread(of_a, of_a.indices, indices)
    n_b, *volumes_b = _spread(of_b, places, indices)
    means, stds = zip(volumes_a, volumes_b, strict=True)
    return CohortDifferences(
        (a.name, b.name),
        (a.n_patients, b.n_patients),
        a.grid,
        least,
        outside,
        indices,
        (n_a, n_b),
        means,
        stds,
        (*notes, *_common_masks(a, b)),
    )


def _on_grid(
    found: VolumeStats, name: str, grid: Grid
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Positions on another grid of the voxels of a cohort, in their order, and what was done."""
    moved = Mask(found.grid, found.indices, name).on_grid(grid)
    steps = None if is_near(found.grid, grid) else found.grid.exact_steps(grid)
    if steps is None:  # the positions are the same
        return moved.indices, moved.notes
    own = np.stack(np.unravel_index(found.indices, found.grid.shape, order="F"))
    voxels = steps[:, :3] @ own + steps[:, 3:]
    places = np.ravel_multi_index(tuple(voxels), grid.shape, order="F")
    return places.astype(np.int32), moved.notes


def _spread(
    found: VolumeStats, places: NDArray[np.int32], indices: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Patients, and mean and SD of their volumes, of a cohort at the voxels of both."""
    at = np.searchsorted(indices, places)
    n = np.zeros(indices.size, np.int32)
    mean, std = np.full((2, indices.size), np.nan)
    n[at] = found.values["n"]
    mean[at], std[at] = found.values["mean"], found.values["std"]
    return n, mean, std


def _common_masks(a: Cohort, b: Cohort) -> tuple[str, ...]:
    """Say where a mask counts on both sides."""
    sums = {patient.sha256 for patient in a.used} - {""}
    common = sum(patient.sha256 in sums for patient in b.used)
    if not common:
        return ()
    masks = "1 mask of B is" if common == 1 else f"{common} masks of B are"
    return (f"{masks} in A as well, byte by byte: such patients count on both sides",)
