"""The clusters of a lesion-symptom map, with the patients behind each peak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...atlas.atlas import Atlas
from ...atlas.places import NamedPlace, name_place
from ...core.defaults import SIGNIFICANCE_LEVEL
from ..components import Component
from .mapping import SymptomMap

if TYPE_CHECKING:
    import pandas as pd

TABLE_NAME = "clusters.csv"


@dataclass(frozen=True)
class SymptomCluster:
    """Connected voxels beyond the forming threshold, and what is known of their peak.

    Parameters
    ----------
    cluster : int
        From 1, the most extreme peak first.
    voxels : int
    volume_mm3 : float
    cluster_p : float
        p of the size: share of permutations whose largest cluster is as large, NaN where sizes were
        not tested. It says that there is an effect somewhere in the cluster, not at each voxel.
    x_mm, y_mm, z_mm : float
        The peak: where the statistic is most extreme; of several such voxels, the one nearest to
        the middle of the cluster.
    statistic, p, corrected_p : float
        At the peak.
    significant_voxels : int
        Voxels whose own corrected p is at most the level.
    lesioned, spared : int
        Patients at the peak.
    mean_lesioned, mean_spared : float
        Their mean scores, as they are.
    effect, ci_low, ci_high : float
        Difference at the peak, lesioned minus spared, with its 95 % interval; given covariates.
    region : str
        Of an atlas, at the peak; empty without an atlas.
    full_name, lobe, nearest_region, nearest_mm
        See `NamedPlace`.
    """

    cluster: int
    voxels: int
    volume_mm3: float
    cluster_p: float
    x_mm: float
    y_mm: float
    z_mm: float
    statistic: float
    p: float
    corrected_p: float
    significant_voxels: int
    lesioned: int
    spared: int
    mean_lesioned: float
    mean_spared: float
    effect: float
    ci_low: float
    ci_high: float
    region: str
    full_name: str = ""
    lobe: str = ""
    nearest_region: str = ""
    nearest_mm: float = float("nan")

    @property
    def mm(self) -> tuple[float, float, float]:
        """The peak in mm."""
        return self.x_mm, self.y_mm, self.z_mm

    @property
    def place(self) -> str:
        """The region of the peak in words, or the nearest one; empty without an atlas."""
        named = (self.region, self.full_name, self.lobe, self.nearest_region, self.nearest_mm)
        return NamedPlace(*named).words


@dataclass(frozen=True, eq=False)
class SymptomClusters:
    """The clusters of a lesion-symptom map that are significant by peak or by size.

    Parameters
    ----------
    symptom_map : SymptomMap
    level : float
    rows : tuple of SymptomCluster
    others : int
        Clusters that are significant neither by peak nor by size.
    """

    symptom_map: SymptomMap
    level: float
    rows: tuple[SymptomCluster, ...]
    others: int

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[SymptomCluster]:
        return iter(self.rows)

    @property
    def table(self) -> pd.DataFrame:
        """A row each, with the values of `SymptomCluster`."""
        import pandas as pd

        columns = [field.name for field in fields(SymptomCluster)]
        return pd.DataFrame([astuple(row) for row in self.rows], columns=columns)


def find_symptom_clusters(
    symptom_map: SymptomMap, atlas: Atlas | None = None, level: float = SIGNIFICANCE_LEVEL
) -> SymptomClusters:
    """Gather voxels beyond the forming threshold into clusters, and describe their peaks.

    Voxels that share a face, an edge or a corner are of one cluster; those of different signs
    never are.

    Parameters
    ----------
    symptom_map : SymptomMap
    atlas : Atlas, optional
        To name the region at each peak.
    level : float
        Clusters are kept whose size, or whose peak, has a corrected p of at most this.

    Examples
    --------
    >>> from lesion_dash import load_cohort, map_symptom
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> symptom_map = map_symptom(cohort, "nihss", permutations=99, cluster_p=0.05)
    >>> len(find_symptom_clusters(symptom_map, level=1.0)) > 0
    True
    """
    prepared = symptom_map.prepared
    # A selection of the map has fewer voxels than were tested.
    tested = np.searchsorted(prepared.patterns.indices, symptom_map.indices)
    heights = prepared.null.heights_of(prepared.heights)[prepared.patterns.of_voxel[tested]]
    rows = np.flatnonzero(heights >= prepared.forming)
    positive = symptom_map.statistic[rows] > 0
    count, labels = prepared.null.neighbours.label((tested[rows], positive))
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[order], np.arange(count + 1))
    parts = [rows[order[bounds[k] : bounds[k + 1]]] for k in range(count)]
    corrected = symptom_map.corrected_p
    sizes = np.full(count, np.nan)
    if symptom_map.null.cluster.size:
        sizes = symptom_map.null.cluster_p(np.array([part.size for part in parts], np.int64))
    kept = [
        (float(heights[part].max()), int(part[0]), part, float(p))
        for part, p in zip(parts, sizes, strict=True)
        if p <= level or corrected[part].min() <= level
    ]
    kept.sort(key=lambda item: (-item[0], item[1]))
    described = tuple(
        _describe(number, part, p, symptom_map, atlas, level)
        for number, (_, _, part, p) in enumerate(kept, start=1)
    )
    return SymptomClusters(symptom_map, level, described, len(parts) - len(kept))


def _describe(
    number: int,
    rows: NDArray[np.int64],
    cluster_p: float,
    symptom_map: SymptomMap,
    atlas: Atlas | None,
    level: float,
) -> SymptomCluster:
    sign = 1 if symptom_map.statistic[rows[0]] > 0 else -1
    indices = np.ascontiguousarray(symptom_map.indices[rows])
    part = Component(number, sign, symptom_map.grid, indices, symptom_map.statistic[rows])
    peak = symptom_map.row_of(part.peak_index)
    assert peak is not None, "the peak is one of the voxels"
    x, y, z = part.peak_mm.tolist()
    is_lesioned = symptom_map.is_lesioned(peak)
    score = symptom_map.patients.score

    def at_peak(key: str) -> Any:
        return symptom_map.values[key][peak].item()

    return SymptomCluster(
        cluster=number,
        voxels=part.voxels,
        volume_mm3=part.volume_mm3,
        cluster_p=cluster_p,
        x_mm=x,
        y_mm=y,
        z_mm=z,
        statistic=at_peak("statistic"),
        p=at_peak("p"),
        corrected_p=at_peak("corrected_p"),
        significant_voxels=int(np.count_nonzero(symptom_map.corrected_p[rows] <= level)),
        lesioned=int(is_lesioned.sum()),
        spared=int((~is_lesioned).sum()),
        mean_lesioned=float(score[is_lesioned].mean()),
        mean_spared=float(score[~is_lesioned].mean()),
        effect=at_peak("effect"),
        ci_low=at_peak("ci_low"),
        ci_high=at_peak("ci_high"),
        **asdict(name_place(atlas, (x, y, z))),
    )
