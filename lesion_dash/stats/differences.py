"""Differences of two cohorts at each voxel: patients lesioned there, and their lesion volume."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..cohort.cohort import Cohort, check_min_patients
from ..cohort.same_patients import common_patients
from ..core.defaults import MIN_PATIENTS, OUTSIDE_OF_DIFFERENCES, Outside
from ..core.errors import check_choice
from ..core.field_of_view import FieldsOfView, fields_of_view
from ..core.text import counted
from ..images.maps import Map
from ..images.masks import Mask
from ..images.space import compare_spaces
from .topography import BACKGROUND, VolumeStats, volume_stats
from .voxel_maps import Columns, Quantity, VoxelMaps, file_names

FREQUENCY = Quantity(
    key="frequency",
    label="difference in patients lesioned",
    unit="percentage points",
    file="lesion_frequency_difference.nii",
    meaning="Patients lesioned in percent of A, minus those in percent of B.",
    title="A − B, patients lesioned",
    short_title="Patients lesioned",
    header="patients lesioned, A - B",
    background=0.0,
)
MEAN = Quantity(
    key="mean",
    label="difference in mean total lesion volume",
    unit="mm³",
    file="lesion_totalvol_mean_difference.nii",
    meaning="Mean total lesion volume of A minus that of B, where both have enough patients.",
    title="A − B, mean volume",
    short_title="Mean lesion volume",
    colormap="plasma",
    header="mean total lesion volume, A - B",
)
STD = Quantity(
    key="std",
    label="difference in SD of total lesion volume",
    unit="mm³",
    file="lesion_totalvol_std_difference.nii",
    meaning="SD of total lesion volume of A minus that of B, where both have enough patients.",
    title="A − B, SD of volume",
    short_title="SD of lesion volume",
    colormap="plasma",  # the middle of cividis is as grey as the brain below it
    header="SD of total lesion volume, A - B",
)
DIFFERENCES = {quantity.key: quantity for quantity in (FREQUENCY, MEAN, STD)}
FILE_NAMES = file_names(DIFFERENCES.values())

Pair = tuple[NDArray, NDArray]
"""Of A and of B."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CohortDifferences(VoxelMaps):
    """What cohort A has more of than cohort B, voxel by voxel; negative where B has more.

    The values are those at the voxels that any patient of either cohort has lesioned. Where one
    cohort has no data, as its field of view ends before, how many of its patients are lesioned is
    not known: differences are NaN there.

    Parameters
    ----------
    grid, indices
        As those of `VoxelMaps`; the grid is that of A, or one that holds both fields of view.
    names : tuple of str
        Of A and of B.
    sizes : tuple of int
        Patients of A and of B.
    n : tuple of array of int32, shape (voxels,)
        Patients of A and of B lesioned there; 0 where a cohort has no data, see `seen`.
    means : tuple of array of float64, shape (voxels,)
        Their mean total lesion volume in mm³, NaN where there is none.
    stds : tuple of array of float64, shape (voxels,)
        Its standard deviation in mm³ (divided by n), NaN where there is none.
    min_patients : int
        Volumes are compared where at least this many patients of A, and of B, are lesioned.
    outside : str
        What the maps of volumes hold elsewhere: ``nan`` or ``zero``.
    fields : FieldsOfView
        Where A and B have data.
    notes : tuple of str
        How B was brought onto the grid of A, how many voxels of one lie where the other has no
        data, and what is unusual about the pair.

    Examples
    --------
    >>> from lesion_dash import cohort_differences, load_cohort
    >>> a, b = (load_cohort(f"sample_data/cohort_{side}") for side in "ab")
    >>> differences = cohort_differences(a, b, min_patients=5)
    >>> differences.names, differences.voxels, differences.compared.voxels
    (('cohort_a', 'cohort_b'), 82966, 5000)
    >>> round(differences.frequency.value_at([-50, 16, 8])), differences.frequency.unit
    (5, 'percentage points')
    """

    names: tuple[str, str]
    sizes: tuple[int, int]
    n: Pair
    means: Pair
    stds: Pair
    min_patients: int
    outside: Outside
    fields: FieldsOfView
    notes: tuple[str, ...] = ()
    values: Columns = field(init=False)
    quantities: tuple[Quantity, ...] = field(init=False)

    def __post_init__(self) -> None:
        (a, b), minimum, background = self.sizes, self.min_patients, BACKGROUND[self.outside]
        where = f", n>={minimum} of {a} and of {b}"
        quantities = (
            FREQUENCY.made(f", N {a} and {b}"),
            MEAN.made(where, background=background),
            STD.made(where, background=background),
        )
        values = {
            "frequency": partial(_percentage_points, self.n, self.sizes, self.seen),
            "mean": partial(_subtract, self.means, self.n, minimum, background),
            "std": partial(_subtract, self.stds, self.n, minimum, background),
        }
        object.__setattr__(self, "quantities", quantities)
        object.__setattr__(self, "values", Columns(values))

    @property
    def frequency(self) -> Map:
        """Patients lesioned in percent of A, minus those in percent of B; 0 where none is."""
        return self.map("frequency")

    @property
    def mean(self) -> Map:
        """Mean total lesion volume of A minus that of B in mm³, where both have enough patients."""
        return self.map("mean")

    @property
    def std(self) -> Map:
        """SD of total lesion volume of A minus that of B in mm³, where both have enough."""
        return self.map("std")

    @property
    def seen(self) -> Pair:
        """Whether A, and B, have data of each voxel."""
        if self.fields.is_one:
            return (np.ones(self.voxels, bool),) * 2
        a, b = (self.fields.seen(own, self.indices) for own in (self.fields.a, self.fields.b))
        return a, b

    def _at_all_voxels(self, quantity: Quantity) -> NDArray:
        flat = super()._at_all_voxels(quantity)
        if quantity.key == "frequency" and not self.fields.is_one:
            flat[~np.ravel(self.fields.seen_by_both, order="F")] = np.nan
        return flat

    @property
    def compared(self) -> Mask:
        """The voxels where volumes are compared."""
        enough = np.minimum(*self.n) >= self.min_patients
        least = counted(self.min_patients, "patient")
        name = f"{' and '.join(self.names)}, at least {least} of each"
        return Mask(self.grid, self.indices[enough], name)

    def select(self, chosen: NDArray[np.bool_]) -> CohortDifferences:
        """The same at some of the voxels."""
        n, means, stds = ((a[chosen], b[chosen]) for a, b in (self.n, self.means, self.stds))
        return replace(self, indices=self.indices[chosen], n=n, means=means, stds=stds)


def _percentage_points(n: Pair, sizes: tuple[int, int], seen: Pair) -> NDArray:
    points = 100 * (n[0] / sizes[0] - n[1] / sizes[1])
    return np.where(seen[0] & seen[1], points, np.nan)


def _subtract(of_each: Pair, n: Pair, min_patients: int, background: float) -> NDArray:
    """A - B of the volumes, where enough patients of both are lesioned."""
    return np.where(np.minimum(*n) >= min_patients, of_each[0] - of_each[1], background)


def cohort_differences(
    a: Cohort,
    b: Cohort,
    min_patients: int = MIN_PATIENTS,
    outside: Outside = OUTSIDE_OF_DIFFERENCES,
) -> CohortDifferences:
    """Subtract one cohort from another: how many are lesioned at a voxel, and how large they are.

    With n the patients lesioned at a voxel, N those of the cohort and v their total lesion
    volumes, the maps are 100 (n_A / N_A - n_B / N_B) in percentage points, at every voxel, and
    mean(v_A) - mean(v_B) and SD(v_A) - SD(v_B) in mm³, where n_A and n_B are at least
    `min_patients`. Exchanging A and B turns every sign, and no bit else.

    The SD is the population's (divided by n), as in `volume_stats`, so that the map is the
    difference of the maps of A and of B. It comes out smaller where fewer patients are lesioned:
    where n_A and n_B are few and unlike, a part of the difference is due to that.

    This describes; it tests nothing. `contrast_cohorts` tests the frequencies.

    Parameters
    ----------
    a, b : Cohort
        On one grid, or on grids whose voxels coincide: B is then reoriented exactly to A's axes,
        and a note says so, as for `overlap`. Where one field of view reaches beyond the other,
        the maps lie on a grid that holds both, and are NaN where one cohort has no data.
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
    >>> import numpy as np
    >>> from lesion_dash import load_cohort
    >>> a, b = (load_cohort(f"sample_data/cohort_{side}") for side in "ab")
    >>> differences = cohort_differences(a, b, min_patients=5)
    >>> differences.sizes, differences.frequency.unit, differences.mean.unit
    ((40, 40), 'percentage points', 'mm³')
    >>> differences.compared.voxels == int((~np.isnan(differences.mean.array)).sum())
    True
    """
    min_patients = check_min_patients(min_patients)
    check_choice("outside", outside, BACKGROUND)
    of_a, of_b = volume_stats(a, 1), volume_stats(b, 1)
    fields = fields_of_view(a.grid, b.grid, b.name)
    places = [fields.places(stats.grid, stats.indices) for stats in (of_a, of_b)]
    lesioned = np.zeros(fields.grid.size, bool)  # np.union1d takes a second for two million voxels
    lesioned[places[0]] = lesioned[places[1]] = True
    indices = np.flatnonzero(lesioned).astype(np.int32)
    n_a, *volumes_a = _spread(of_a, places[0], indices)
    n_b, *volumes_b = _spread(of_b, places[1], indices)
    notes = (
        *compare_spaces("A", a.grid, "B", b.grid),
        *Mask(of_b.grid, of_b.indices, b.name).on_grid(fields.grid).notes,
        *fields.notes(*places),
    )
    means, stds = zip(volumes_a, volumes_b, strict=True)
    return CohortDifferences(
        grid=fields.grid,
        indices=indices,
        names=(a.name, b.name),
        sizes=(a.n_patients, b.n_patients),
        n=(n_a, n_b),
        means=means,
        stds=stds,
        min_patients=min_patients,
        outside=outside,
        fields=fields,
        notes=(*notes, *common_patients(a, b), *_common_masks(a, b)),
    )


def _spread(
    stats: VolumeStats, places: NDArray[np.int32], indices: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Patients, and mean and SD of their volumes, of a cohort at the voxels of both."""
    rows = np.searchsorted(indices, places)
    n = np.zeros(indices.size, np.int32)
    mean, std = np.full((2, indices.size), np.nan)
    n[rows] = stats.values["n"]
    mean[rows], std[rows] = stats.values["mean"], stats.values["std"]
    return n, mean, std


def _common_masks(a: Cohort, b: Cohort) -> tuple[str, ...]:
    """Say where a mask counts on both sides."""
    sums = {patient.sha256 for patient in a.used} - {""}
    common = sum(patient.sha256 in sums for patient in b.used)
    if not common:
        return ()
    masks = "1 mask of B is" if common == 1 else f"{common} masks of B are"
    return (f"{masks} in A as well, byte by byte: such patients count on both sides",)
