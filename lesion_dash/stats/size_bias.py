"""Size bias: whether lesions at a voxel are larger than the cohort's; means, p, clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, fields
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import Atlas
from ..atlas.places import name_place
from ..cohort.cohort import Cohort
from ..core.defaults import CLUSTER_CONNECTIVITY, MIN_PATIENTS, SIGNIFICANCE_LEVEL, VolumeSide
from ..core.errors import InputError
from ..core.text import counted
from ..images.maps import Map
from ..images.masks import Mask
from .components import Component, find_components
from .topography import volume_stats
from .voxel_maps import Column, Columns, Quantity, VoxelMaps, file_names

if TYPE_CHECKING:
    import pandas as pd


_EXACT = 2**53
"""Whole numbers below this are exact as float64, and so are their sums."""

ABOVE_MEAN = Quantity(
    key="above_mean",
    label="mean total lesion volume above the cohort's mean",
    unit="mm³",
    file="lesion_size_above_mean.nii",
    meaning="Mean total lesion volume at each voxel minus the cohort's mean.",
    header="above_mean",
)
ABOVE_WEIGHTED_MEAN = Quantity(
    key="above_weighted_mean",
    label="mean total lesion volume above the size-weighted mean",
    unit="mm³",
    file="lesion_size_above_weighted_mean.nii",
    meaning="Mean total lesion volume at each voxel minus the size-weighted mean of the cohort.",
    header="above_weighted_mean",
)
MEAN_FILE_NAMES = file_names((ABOVE_MEAN, ABOVE_WEIGHTED_MEAN))


SIDES = {
    "larger": "test for a mean larger than that of shuffled volumes",
    "smaller": "test for a mean smaller than that of shuffled volumes",
    "two-sided": "test for a mean further from the cohort's than that of shuffled volumes",
}

STATEMENT = (
    "Null hypothesis: volumes are exchangeable among patients, given where the lesions are. It is "
    "not that lesions of any size lie everywhere alike: a large lesion covers more voxels, so the "
    "mean is above the cohort's nearly everywhere by construction, and a small p says that large "
    "lesions are over-represented at a voxel, not that this place makes lesions large."
)

PERMUTATION_QUANTITIES = tuple(
    Quantity(
        key=key,
        label=f"{key} of mean total lesion volume",
        file=f"lesion_size_{key}.nii",
        meaning=meaning,
        statistic="z" if key == "statistic" else key,
    )
    for key, meaning in {
        "statistic": "Mean volume minus the cohort's, in standard deviations over permutations.",
        "p": "Share of permutations with a sum of volumes at least as extreme at the voxel.",
        "minus_log10_p": "-log10 of p.",
        "corrected_p": "p corrected for the family-wise error over all tested voxels.",
        "minus_log10_corrected_p": "-log10 of the corrected p.",
    }.items()
)
PERMUTATION_FILE_NAMES = file_names(PERMUTATION_QUANTITIES)

FILE_NAME = "lesion_size_clusters.csv"

_SIGNS = {"larger": (1,), "smaller": (-1,), "two-sided": (1, -1)}


@dataclass(frozen=True, eq=False)
class Lesioned:
    """The patients with at least one lesioned voxel.

    Parameters
    ----------
    cohort : Cohort
    rows : array of int64, shape (patients,)
        Their positions among the used patients, by ascending volume and, where volumes are equal,
        by a checksum of the lesion. The order therefore does not depend on the names of files.
    volumes : array of int64, shape (patients,)
        In voxels.
    """

    cohort: Cohort
    rows: NDArray[np.int64]
    volumes: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of patients with a lesion."""
        return int(self.rows.size)

    @property
    def mean(self) -> float:
        """Mean volume in mm³."""
        return int(self.volumes.sum()) / self.size * self.cohort.grid.voxel_volume

    @property
    def weighted_mean(self) -> float:
        """Size-weighted mean volume Σv²/Σv in mm³."""
        squares = sum(volume * volume for volume in self.volumes.tolist())
        return squares / int(self.volumes.sum()) * self.cohort.grid.voxel_volume

    @property
    def notes(self) -> tuple[str, ...]:
        """How many patients are excluded, where any are."""
        empty = self.cohort.n_patients - self.size
        if not empty:
            return ()
        return (
            f"patients excluded, without a lesioned voxel: {empty} of {self.cohort.n_patients}",
        )

    def lesion(self, row: int) -> NDArray[np.int32]:
        """Linear voxel positions of the lesion of the patient at this place of `rows`."""
        return self.cohort.voxels(int(self.rows[row]))


def lesioned_patients(cohort: Cohort) -> Lesioned:
    """The patients with a lesion; see `Lesioned`.

    Raises
    ------
    InputError
        Where there is none, or so many voxels that sums of volumes would not be exact.
    """
    volumes = cohort.volumes
    lesioned = np.flatnonzero(volumes).tolist()
    if not lesioned:
        raise InputError(cohort.name, "no patient has a lesioned voxel", "check the masks")
    if len(lesioned) * int(volumes.sum()) >= _EXACT:
        problem = f"{int(volumes.sum()):,} lesioned voxels of {len(lesioned):,} patients"
        raise InputError(cohort.name, f"{problem} are too many for exact sums", "use larger voxels")
    rows = sorted(lesioned, key=lambda row: (int(volumes[row]), _checksum(cohort.voxels(row))))
    return Lesioned(cohort, np.array(rows, np.int64), volumes[rows])


def _checksum(positions: NDArray[np.int32]) -> bytes:
    return sha256(np.ascontiguousarray(positions).data).digest()


@dataclass(frozen=True, eq=False, kw_only=True)
class MeanContrast(VoxelMaps):
    """Mean total lesion volume at each voxel against two means of the whole cohort.

    Parameters
    ----------
    grid, indices, values, quantities
        As those of `VoxelMaps`, at the qualifying voxels; ``mean`` is the mean total lesion volume
        in mm³ of the patients lesioned there.
    n_patients : int
        Patients with a lesion.
    min_patients : int
        A voxel qualifies where at least this many patients are lesioned.
    cohort_mean : float
        Mean volume in mm³ of the patients with a lesion.
    weighted_mean : float
        Size-weighted mean Σv²/Σv in mm³: the mean of the patients that a voxel drawn from all
        lesions belongs to.
    notes : tuple of str
    """

    n_patients: int
    min_patients: int
    cohort_mean: float
    weighted_mean: float
    notes: tuple[str, ...] = ()

    mean = Column()

    @property
    def above_mean(self) -> Map:
        """Conditional mean minus the cohort's mean in mm³; NaN where no voxel qualifies."""
        return self.map("above_mean")

    @property
    def above_weighted_mean(self) -> Map:
        """Conditional mean minus the size-weighted mean in mm³; NaN where no voxel qualifies."""
        return self.map("above_weighted_mean")


def mean_contrast(cohort: Cohort, min_patients: int = MIN_PATIENTS) -> MeanContrast:
    """Mean volume of the patients lesioned at a voxel, minus two means of the cohort.

    The mean at a voxel is biased by construction: a large lesion covers more voxels, so it is
    counted at more of them. Were each lesion placed anywhere with equal chance, the mean at a
    voxel would not be about the cohort's mean Σv/N but about the size-weighted mean Σv²/Σv, which
    is larger by the variance of the volumes over their mean. The first contrast says how far
    above the typical patient a voxel is; the second how far above what size alone explains.

    Parameters
    ----------
    cohort : Cohort
        Patients without a lesioned voxel are excluded.
    min_patients : int
        Voxels lesioned in at least this many patients qualify.

    Returns
    -------
    MeanContrast
        Volumes in mm³, on the grid of the cohort.

    Raises
    ------
    InputError
        Where no patient has a lesion, or `min_patients` is not a whole number of at least 1.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> found = mean_contrast(load_cohort("sample_data/cohort_a"))
    >>> found.above_mean.unit, found.weighted_mean > found.cohort_mean
    ('mm³', True)
    """
    stats = volume_stats(cohort, min_patients)
    patients, mean = lesioned_patients(cohort), stats.values["mean"]
    how = f", n>={min_patients} of {patients.size}"
    return MeanContrast(
        grid=cohort.grid,
        indices=stats.indices,
        values=Columns(
            {
                "mean": mean,
                "above_mean": lambda: mean - patients.mean,
                "above_weighted_mean": lambda: mean - patients.weighted_mean,
            }
        ),
        quantities=(ABOVE_MEAN.made(how), ABOVE_WEIGHTED_MEAN.made(how)),
        n_patients=patients.size,
        min_patients=min_patients,
        cohort_mean=patients.mean,
        weighted_mean=patients.weighted_mean,
        notes=patients.notes,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class VolumePermutations(VoxelMaps):
    """Where the mean volume differs from the cohort's more than with shuffled volumes.

    Parameters
    ----------
    grid, indices, values, quantities
        As those of `VoxelMaps`, at the tested voxels; also ``n``, the patients lesioned at each.
        The statistic is (mean at the voxel - the cohort's mean) / its standard deviation over all
        permutations; p and corrected p are not corrected, and corrected for the family-wise error
        over all tested voxels.
    n_patients : int
        Patients with a lesion: those whose volumes were shuffled.
    min_patients, permutations, seed, side
        As for `permute_volumes`.
    largest : array of float64, shape (permutations,)
        The largest statistic over all tested voxels in each permutation (of its negative or
        absolute value, as `side` says).
    patterns : int
        Different sets of patients among the tested voxels.
    notes : tuple of str
    tested : int
        Number of voxels that were tested, the family of the correction; a selection keeps it.
    """

    n_patients: int
    min_patients: int
    permutations: int
    seed: int
    side: VolumeSide
    largest: NDArray[np.float64] = field(repr=False)
    patterns: int
    notes: tuple[str, ...] = ()
    tested: int = 0

    n = Column()
    statistic = Column()
    p = Column()
    corrected_p = Column()

    def __post_init__(self) -> None:
        if not self.tested:
            object.__setattr__(self, "tested", self.voxels)

    def significant(self, level: float = SIGNIFICANCE_LEVEL) -> int:
        """Number of voxels whose corrected p is at most this."""
        return int(np.count_nonzero(self.corrected_p <= level))

    @property
    def parameters(self) -> dict[str, Any]:
        """Every choice."""
        names = ("min_patients", "permutations", "seed", "side")
        return {name: getattr(self, name) for name in names}

    @property
    def sentence(self) -> str:
        """What was tested, over how many voxels, and how."""
        tested = f"{counted(self.tested, 'voxel')} tested"
        family = f"{tested} ({self.patterns:,} different sets of patients)"
        shuffled = f"volumes shuffled among {self.n_patients} patients {self.permutations:,} times"
        return f"{SIDES[self.side]}: {family}; {shuffled}, seed {self.seed}"


@dataclass(frozen=True)
class SizeCluster:
    """Connected voxels, all with a small corrected p, and what is known of their peak.

    Parameters
    ----------
    cluster : int
        From 1, the most extreme peak first.
    voxels : int
    volume_mm3 : float
        Of the voxels.
    x_mm, y_mm, z_mm : float
        The peak: where the statistic is most extreme; of several such voxels, the one nearest to
        the middle of the cluster.
    corrected_p, p, statistic : float
        At the peak: p corrected for the family-wise error over all tested voxels, and not.
    patients : int
        Patients lesioned at the peak.
    mean_volume_mm3 : float
        Mean of their total lesion volumes.
    region : str
        Of an atlas, at the peak; empty without an atlas.
    full_name, lobe, nearest_region, nearest_mm
        See `NamedPlace`.
    """

    cluster: int
    voxels: int
    volume_mm3: float
    x_mm: float
    y_mm: float
    z_mm: float
    corrected_p: float
    p: float
    statistic: float
    patients: int
    mean_volume_mm3: float
    region: str
    full_name: str = ""
    lobe: str = ""
    nearest_region: str = ""
    nearest_mm: float = float("nan")

    @property
    def mm(self) -> tuple[float, float, float]:
        """The peak in mm."""
        return self.x_mm, self.y_mm, self.z_mm


@dataclass(frozen=True, eq=False)
class SizeClusters:
    """The clusters of a permutation test.

    Parameters
    ----------
    test : VolumePermutations
        The test.
    level : float
        The largest corrected p of a voxel that belongs to a cluster.
    rows : tuple of SizeCluster
    """

    test: VolumePermutations
    level: float
    rows: tuple[SizeCluster, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[SizeCluster]:
        return iter(self.rows)

    @property
    def table(self) -> pd.DataFrame:
        """A row each, with the values of `SizeCluster`.

        Patients in all, the level and every choice of the test are the same in every row.
        """
        import pandas as pd

        columns = [field.name for field in fields(SizeCluster)]
        table = pd.DataFrame([astuple(row) for row in self.rows], columns=columns)
        of_all = {"of_patients": self.test.n_patients, "level": self.level}
        return table.assign(**of_all, **self.test.parameters)


def find_size_clusters(
    test: VolumePermutations,
    means: MeanContrast,
    atlas: Atlas | None = None,
    level: float = SIGNIFICANCE_LEVEL,
) -> SizeClusters:
    """Gather the voxels with a small corrected p into clusters, and describe their peaks.

    Voxels that share a face, an edge or a corner are of one cluster; of a two-sided test, voxels
    with larger and with smaller means never are. The p is that of the peak's voxel, corrected for
    all voxels that were tested; the size of a cluster is described, and not tested.

    Parameters
    ----------
    test : VolumePermutations
    means : MeanContrast
        Of the same cohort and minimum of patients.
    atlas : Atlas, optional
        To name the region at each peak.
    level : float
        Voxels whose corrected p is at most this belong to a cluster.

    Returns
    -------
    SizeClusters
        Volumes in mm³, places in mm; none where no corrected p is that small.

    Raises
    ------
    InputError
        Where the means are not of the cohort that was tested, or the level is not a p.

    Examples
    --------
    >>> from lesion_dash import load_cohort, mean_contrast, permute_volumes
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> test = permute_volumes(cohort, permutations=99)
    >>> clusters = find_size_clusters(test, mean_contrast(cohort))
    >>> sum(row.voxels for row in clusters) == test.significant(0.05)
    True
    """
    _check(test, means, level)
    small = test.corrected_p <= level
    parts = [
        part
        for sign in _SIGNS[test.side]
        for part in _parts(test, small & _is_of(test, sign), sign)
    ]
    # Peaks are equal where the same patients are lesioned; then the first voxel decides.
    parts.sort(key=lambda part: (-float(part.weights.max()), int(part.indices[0])))
    rows = (_describe(number, part, test, means, atlas) for number, part in enumerate(parts, 1))
    return SizeClusters(test, level, tuple(rows))


def _check(test: VolumePermutations, means: MeanContrast, level: float) -> None:
    if not 0 < level <= 1:
        raise InputError("level", f"is {level}", "give a p above 0 and at most 1, such as 0.05")
    sizes = [(result.n_patients, result.min_patients) for result in (test, means)]
    if sizes[0] != sizes[1] or not means.grid.matches(test.grid):
        problem = "are not of the cohort and the minimum of patients that were tested"
        raise InputError("means", problem, "give mean_contrast of the same cohort and minimum")


def _is_of(test: VolumePermutations, sign: int) -> NDArray[np.bool_]:
    """The voxels of one side of the test: of a one-sided one, all of them."""
    if test.side != "two-sided":
        return np.ones(test.tested, bool)
    return test.statistic >= 0 if sign > 0 else test.statistic < 0


def _parts(test: VolumePermutations, chosen: NDArray[np.bool_], sign: int) -> Iterator[Component]:
    """The connected parts of some of the tested voxels, with the statistic as their values."""
    mask = Mask(test.grid, test.indices[chosen], "corrected p")
    for part in find_components(mask, connectivity=CLUSTER_CONNECTIVITY, min_size_voxels=0):
        rows = np.searchsorted(test.indices, part.indices)
        yield Component(part.number, sign, test.grid, part.indices, test.statistic[rows])


def _describe(
    number: int,
    part: Component,
    test: VolumePermutations,
    means: MeanContrast,
    atlas: Atlas | None,
) -> SizeCluster:
    row, of_mean = test.row_of(part.peak_index), means.row_of(part.peak_index)
    x, y, z = part.peak_mm.tolist()
    return SizeCluster(
        number,
        part.voxels,
        part.volume_mm3,
        x,
        y,
        z,
        float(test.corrected_p[row]),
        float(test.p[row]),
        float(test.statistic[row]),
        int(test.n[row]),
        float(means.mean[of_mean]),
        *astuple(name_place(atlas, (x, y, z))),
    )
