"""What a permutation test found: clusters of voxels with a small corrected p, and their peaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..atlas import Atlas
from ..components import Component, Connectivity, find_components
from ..errors import InputError
from ..images import Mask
from .means import MeanContrast
from .volume_permutations import VolumePermutations

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME = "lesion_size_clusters.csv"
LEVEL = 0.05
_CORNERS: Connectivity = 26

_SIGNS = {"larger": (1,), "smaller": (-1,), "two-sided": (1, -1)}


@dataclass(frozen=True)
class SizeCluster:
    """Voxels that hang together, all with a small corrected p, and what is known of their peak.

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

    @property
    def mm(self) -> tuple[float, float, float]:
        """The peak in mm."""
        return self.x_mm, self.y_mm, self.z_mm


@dataclass(frozen=True, eq=False)
class SizeClusters:
    """The clusters of a permutation test.

    Parameters
    ----------
    found : VolumePermutations
        The test.
    level : float
        The largest corrected p of a voxel that belongs to a cluster.
    rows : tuple of SizeCluster
    """

    found: VolumePermutations
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
        of_all = {"of_patients": self.found.n_patients, "level": self.level}
        return table.assign(**of_all, **self.found.parameters)


def find_size_clusters(
    found: VolumePermutations,
    means: MeanContrast,
    atlas: Atlas | None = None,
    level: float = LEVEL,
) -> SizeClusters:
    """Gather the voxels with a small corrected p into clusters, and describe their peaks.

    Voxels that share a face, an edge or a corner are of one cluster; of a two-sided test, voxels
    with larger and with smaller means never are. The p is that of the peak's voxel, corrected for
    all voxels that were tested; the size of a cluster is described, and not tested.

    Parameters
    ----------
    found : VolumePermutations
    means : MeanContrast
        Of the same cohort and minimum of patients.
    atlas : LabelAtlas or ProbabilityAtlas, optional
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
        Where the means are not of the cohort that was tested, or the level is no p.

    Examples
    --------
    >>> from lesion_dash import load_cohort, mean_contrast, permute_volumes
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> found = permute_volumes(cohort, permutations=99)
    >>> clusters = find_size_clusters(found, mean_contrast(cohort))
    >>> sum(row.voxels for row in clusters) == found.significant(0.05)
    True
    """
    _check(found, means, level)
    small = found.corrected_p <= level
    parts = [
        part
        for sign in _SIGNS[found.side]
        for part in _parts(found, small & _is_of(found, sign), sign)
    ]
    # Peaks are equal where the same patients are lesioned; then the first voxel decides.
    parts.sort(key=lambda part: (-float(part.weights.max()), int(part.indices[0])))
    rows = (_describe(number, part, found, means, atlas) for number, part in enumerate(parts, 1))
    return SizeClusters(found, level, tuple(rows))


def _check(found: VolumePermutations, means: MeanContrast, level: float) -> None:
    if not 0 < level <= 1:
        raise InputError("level", f"is {level}", "give a p above 0 and at most 1, such as 0.05")
    sizes = [(one.n_patients, one.min_patients) for one in (found, means)]
    if sizes[0] != sizes[1] or not means.grid.matches(found.grid):
        problem = "are not of the cohort and the minimum of patients that were tested"
        raise InputError("means", problem, "give mean_contrast of the same cohort and minimum")


def _is_of(found: VolumePermutations, sign: int) -> NDArray[np.bool_]:
    """The voxels of one side of the test: of a one-sided one, all of them."""
    if found.side != "two-sided":
        return np.ones(found.tested, bool)
    return found.statistic >= 0 if sign > 0 else found.statistic < 0


def _parts(found: VolumePermutations, chosen: NDArray[np.bool_], sign: int) -> Iterator[Component]:
    """The connected parts of some of the tested voxels, with the statistic as their values."""
    mask = Mask(found.grid, found.indices[chosen], "corrected p")
    for part in find_components(mask, connectivity=_CORNERS, min_size_voxels=0):
        at = np.searchsorted(found.indices, part.indices)
        yield Component(part.number, sign, found.grid, part.indices, found.statistic[at])


def _describe(
    number: int,
    part: Component,
    found: VolumePermutations,
    means: MeanContrast,
    atlas: Atlas | None,
) -> SizeCluster:
    at = int(np.searchsorted(found.indices, part.peak_index))
    of_mean = int(np.searchsorted(means.indices, part.peak_index))
    x, y, z = part.peak_mm.tolist()
    return SizeCluster(
        number,
        part.voxels,
        part.volume_mm3,
        x,
        y,
        z,
        float(found.corrected_p[at]),
        float(found.p[at]),
        float(found.statistic[at]),
        int(found.n[at]),
        float(means.mean[of_mean]),
        atlas.region_at((x, y, z)) if atlas is not None else "",
    )
