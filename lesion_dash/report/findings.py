"""All that a report tells, worked out by the rooms that know how."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..atlas import Atlas
from ..cohort import Cohort, Patient
from ..comparison import Overlap, overlap
from ..differences import CohortDifferences, cohort_differences
from ..errors import InputError
from ..images import Mask
from ..regions import RegionCounts, count_regions
from ..size_bias import MeanContrast, mean_contrast
from ..subgroups import restrict_cohort
from ..thresholds import Coverage, threshold_coverage
from ..topography import VolumeStats, volume_stats
from .names import folder_names
from .request import ReportRequest


@dataclass(frozen=True, eq=False)
class Side:
    """One cohort of a report and what is known of it.

    Parameters
    ----------
    letter : str
        ``a`` or ``b``.
    folder : str
        Name of its folder.
    cohort : Cohort
        The patients who meet the conditions.
    everywhere, stats : VolumeStats
        At voxels of at least one patient, and of the minimum that is asked for.
    coverage : Coverage
    means : MeanContrast or None
        None where no patient has a lesion.
    """

    letter: str
    folder: str
    cohort: Cohort
    everywhere: VolumeStats
    stats: VolumeStats
    coverage: Coverage
    means: MeanContrast | None

    @property
    def name(self) -> str:
        """The folder's name with the conditions."""
        return self.folder + self.cohort.name.removeprefix(self.cohort.folder.resolve().name)

    @property
    def left_out(self) -> tuple[Patient, ...]:
        """The patients who do not meet the conditions."""
        return tuple(one for one in self._skipped if one.outcome == "accept")

    @property
    def not_usable(self) -> tuple[Patient, ...]:
        """The files that could not be used."""
        return tuple(one for one in self._skipped if one.outcome != "accept")

    @property
    def _skipped(self) -> tuple[Patient, ...]:
        return tuple(one for one in self.cohort.patients if one.status == "skipped")

    @property
    def volumes_mm3(self) -> NDArray[np.float64]:
        """Total lesion volume of each patient in mm³."""
        return self.cohort.volumes.astype(np.float64) * self.cohort.grid.voxel_volume

    @property
    def peak_mm(self) -> tuple[float, float, float] | None:
        """Where most patients are lesioned, in mm; None where nobody is."""
        found = self.everywhere
        if not found.indices.size:
            return None
        place = found.indices[[np.argmax(found.values["n"])]]
        x, y, z = found.grid.mm_of_index(place)[0].tolist()
        return x, y, z


@dataclass(frozen=True, eq=False)
class Findings:
    """What a report tells.

    Parameters
    ----------
    request : ReportRequest
    sides : tuple of Side
        A, and B where there is one.
    atlas : Atlas or None
        As it was read.
    regions : RegionCounts or None
        Of the voxels that count: the overlap, or A at the minimum of patients.
    overlap : Overlap or None
    differences : CohortDifferences or None
    """

    request: ReportRequest
    sides: tuple[Side, ...]
    atlas: Atlas | None
    regions: RegionCounts | None
    overlap: Overlap | None
    differences: CohortDifferences | None

    @property
    def a(self) -> Side:
        """The first cohort, or the only one."""
        return self.sides[0]

    @property
    def cohorts(self) -> tuple[Cohort, ...]:
        """The cohorts."""
        return tuple(side.cohort for side in self.sides)

    @property
    def is_pair(self) -> bool:
        """Whether there are two cohorts."""
        return len(self.sides) > 1

    @property
    def title(self) -> str:
        """Of the report."""
        names = " and ".join(side.name for side in self.sides)
        return self.request.title or f"Lesion report: {names}"

    @property
    def lesioned(self) -> NDArray[np.int32]:
        """Voxels of the grid of A that any patient of A or B has lesioned."""
        found = self.differences
        return self.a.everywhere.indices if found is None else found.indices

    def owner(self, side: Side) -> str:
        """A cohort in words: ``A (cohort_a)``, or its name where it is the only one."""
        return f"{side.letter.upper()} ({side.name})" if self.is_pair else side.name


def find_all(a: Cohort, b: Cohort | None, atlas: Atlas | None, request: ReportRequest) -> Findings:
    """Restrict the cohorts as asked, and work out what a report tells.

    Raises
    ------
    InputError
        Where a cohort is not whole, where a condition cannot be asked or nobody meets it, where
        voxels of A and B do not coincide, or the atlas lies elsewhere.
    """
    given = (a,) if b is None else (a, b)
    if b is None and request.where_b:
        raise InputError("where_b", "there is no cohort B to ask", "give one, or leave it out")
    # What may be refused comes first: conditions, then places, then the maps.
    least = request.min_patients
    own = [_restrict(letter, one, request) for letter, one in zip("ab", given, strict=False)]
    both = overlap(*(cohort.at_least(least) for cohort in own)) if b is not None else None
    counted = own[0].at_least(least) if both is None else both.both
    regions = _count(counted, atlas)
    sides = tuple(
        _find_side(letter, folder, cohort, least)
        for letter, folder, cohort in zip("ab", folder_names(given), own, strict=False)
    )
    differences = cohort_differences(own[0], own[1], least) if b is not None else None
    return Findings(request, sides, atlas, regions, both, differences)


def _restrict(letter: str, cohort: Cohort, request: ReportRequest) -> Cohort:
    _check_whole(cohort)
    return restrict_cohort(cohort, request.conditions(letter))


def _find_side(letter: str, folder: str, cohort: Cohort, least: int) -> Side:
    return Side(
        letter,
        folder,
        cohort,
        volume_stats(cohort, 1),
        volume_stats(cohort, least),
        threshold_coverage(cohort),
        mean_contrast(cohort, least) if cohort.volumes.any() else None,
    )


def _check_whole(cohort: Cohort) -> None:
    """The page could not say how a part came about, nor how to make it again."""
    if any(one.status == "skipped" and one.outcome == "accept" for one in cohort.patients):
        problem = "is a part of a cohort: conditions were asked of it before"
        remedy = "give the whole cohort, and the conditions in the request"
        raise InputError(cohort.name, problem, remedy)


def _count(mask: Mask, atlas: Atlas | None) -> RegionCounts | None:
    return count_regions(mask, atlas) if atlas is not None else None
