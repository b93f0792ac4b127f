"""What a report is asked for, and all results it tells."""

from __future__ import annotations

import platform
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import Atlas
from ..atlas.published import is_library_name
from ..cohort.cohort import Cohort, check_min_patients
from ..cohort.conditions import Condition, parse_conditions, restrict_cohort
from ..cohort.loading import MEMORY_VARIABLE
from ..cohort.participants import FILE_NAMES as PARTICIPANTS_NAMES
from ..cohort.participants import Patient
from ..core.errors import InputError
from ..files.listing import has_image_ending
from ..files.paths import AnyPath
from ..images.masks import Mask
from ..regions.counts import RegionCount, RegionCounts, count_regions
from ..stats.coverage import Coverage, threshold_coverage
from ..stats.differences import CohortDifferences, cohort_differences
from ..stats.overlap import Overlap, overlap
from ..stats.size_bias import MeanContrast, mean_contrast
from ..stats.topography import VolumeStats, volume_stats

_PACKAGES = ("numpy", "scipy", "nibabel", "nilearn", "matplotlib", "pandas")


def versions() -> dict[str, str]:
    """Name and version of what was used."""
    own = {"lesion_dash": version("lesion-dash"), "Python": platform.python_version()}
    return own | {name: version(name) for name in _PACKAGES}


# What folders and files are called in a report: by names that hold on any computer.


def folder_names(cohorts: Sequence[Cohort]) -> tuple[str, ...]:
    """A name for the folder of each cohort: as short as tells them apart.

    A URL is called by its whole address, without passwords.
    """
    places = [cohort.folder.resolve() for cohort in cohorts]
    depth = 1
    while len({_tail(place, depth) for place in places}) < len(set(places)):
        depth += 1
    return tuple(_tail(place, depth) for place in places)


def _tail(place: AnyPath, depth: int) -> str:
    """The last parts of a path."""
    if not isinstance(place, Path):
        return str(place)
    return "/".join(place.parts[1:][-depth:]) or "."


def file_name(path: str) -> str:
    """The name of a file without its folders; a name of the library as it is.

    Examples
    --------
    >>> file_name("/data/atlases/AAL.nii.gz"), file_name("nilearn:aal")
    ('AAL.nii.gz', 'nilearn:aal')
    """
    return PurePath(path).name


def atlas_files(atlas: Atlas) -> tuple[str, ...]:
    """Image and label table of an atlas as they are given to `load_atlas`, by their names."""
    if is_library_name(atlas.name):
        return (atlas.name,)
    names = [file_name(path) for path in atlas.sources]
    images = [name for name in names if has_image_ending(name)]
    tables = [name for name in names if not has_image_ending(name)]
    if not images:
        return (atlas.name,)
    return (images[0] if len(images) == 1 else atlas.name, *tables)


def table_to_name(cohorts: Sequence[Cohort]) -> AnyPath | None:
    """A participants table that must be named, as it does not lie where it is looked for."""
    for cohort in cohorts:
        table, folder = cohort.participants, cohort.folder.resolve()
        if table is None:
            continue
        places = (place / name for place in (folder, folder.parent) for name in PARTICIPANTS_NAMES)
        found = next((place for place in places if place.is_file()), None)
        if found is None or found.resolve() != table.path.resolve():
            return table.path
    return None


def without_folders(text: str, cohorts: Sequence[Cohort]) -> str:
    """A sentence in which the folders of the cohorts are called by their names."""
    for cohort, name in zip(cohorts, folder_names(cohorts), strict=True):
        for place in (str(cohort.folder.resolve()), str(cohort.folder)):
            if "/" in place or "\\" in place:
                pattern = rf"(?<![\w/\\]){re.escape(place)}(?!\w)"
                text = name.join(re.split(pattern, text))
    return text


# What a report is asked for.


Conditions = Sequence[str | Condition]


@dataclass(frozen=True)
class ReportRequest:
    """What a report is to tell, and how the masks it is about were read.

    Parameters
    ----------
    min_patients : int
        Voxels lesioned in at least this many patients count.
    where : sequence of str or Condition
        Only patients who meet all of these, see `parse_condition`; in whatever order and way they
        are written, they are one request.
    where_a, where_b : sequence of str or Condition
        The same for A or B alone.
    title : str
        By default made of the names of the cohorts.
    pattern : str
        Which file names were read, as for `load_cohort`.
    threshold, label : float or int, optional
        How masks were made of maps of probabilities or labels, as for `Binarization`.

    Raises
    ------
    InputError
        Where a condition cannot be read, or `min_patients` is no whole number of at least 1.

    Examples
    --------
    >>> asked = ReportRequest(where=["sex = F", "age>=60"], where_a=["nihss=0..4"])
    >>> [one.summary for one in asked.conditions("a")]
    ['age >= 60', 'nihss = 0 to 4', 'sex = F']
    >>> asked == ReportRequest(where=("sex=F", "age >= 60"), where_a=["nihss=0..4"])
    True
    """

    min_patients: int = 5
    where: Conditions = ()
    where_a: Conditions = ()
    where_b: Conditions = ()
    title: str = ""
    pattern: str = "*"
    threshold: float | None = None
    label: int | None = None

    def __post_init__(self) -> None:
        canonical = {
            "min_patients": check_min_patients(self.min_patients),
            "title": " ".join(self.title.split()),
        } | {name: _ordered(getattr(self, name)) for name in ("where", "where_a", "where_b")}
        for name, value in canonical.items():
            object.__setattr__(self, name, value)

    def conditions(self, letter: str) -> tuple[Condition, ...]:
        """All that is asked of the patients of A or B."""
        return _ordered([*self.where, *getattr(self, f"where_{letter}")])

    def summary(self, letter: str) -> str:
        """The same in words, empty where nothing is asked."""
        return " and ".join(one.summary for one in self.conditions(letter))

    @property
    def parameters(self) -> dict[str, Any]:
        """Every choice by name, conditions as text."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        texts = {name: [*map(str, given[name])] for name in ("where", "where_a", "where_b")}
        return given | texts


def _ordered(conditions: Conditions) -> tuple[Condition, ...]:
    """Each once and in one order, so that one question is one request."""
    found = {str(one): one for one in parse_conditions(conditions)}
    return tuple(found[text] for text in sorted(found))


# All that a report tells, worked out by the rooms that know how.


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
    def skipped(self) -> tuple[Patient, ...]:
        """The files that are not counted."""
        return tuple(patient for patient in self.cohort.patients if patient.status == "skipped")

    @property
    def left_out(self) -> tuple[Patient, ...]:
        """The patients who do not meet the conditions."""
        return tuple(patient for patient in self.skipped if patient.outcome == "accept")

    @property
    def not_usable(self) -> tuple[Patient, ...]:
        """The files that could not be used."""
        return tuple(patient for patient in self.skipped if patient.outcome != "accept")

    @property
    def volumes_mm3(self) -> NDArray[np.float64]:
        """Total lesion volume of each patient in mm³."""
        return self.cohort.volumes.astype(np.float64) * self.cohort.grid.voxel_volume

    @property
    def volume_quantiles(self) -> list[float]:
        """Minimum, quartiles, median and maximum of these volumes in mm³, in their order."""
        quantiles: list[float] = np.percentile(self.volumes_mm3, (0, 25, 50, 75, 100)).tolist()
        return quantiles

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

    @property
    def largest_region(self) -> RegionCount | None:
        """The region that holds most of what is counted; None where no region does."""
        if self.regions is None or len(self.regions.rows) < 2:  # the last one is outside
            return None
        return self.regions.rows[0] if self.regions.rows[0].voxels else None

    def exclusions(self, side: Side) -> dict[str, list[str]]:
        """The files of a cohort that are not counted, by reason."""
        return self._by_reason((each.file, each.reason) for each in side.not_usable + side.left_out)

    def remarks(self, side: Side) -> dict[str, list[str]]:
        """The files that are counted and are unusual, by what was unusual."""
        return self._by_reason(
            (patient.file, reason)
            for patient in side.cohort.used
            if patient.outcome == "warn"
            for reason in patient.reasons
        )

    def notes(self, side: Side) -> list[str]:
        """What is unusual about the masks as a group."""
        means = side.means.notes if side.means is not None else ()
        # How this computer kept the masks says nothing of the patients, and differs elsewhere.
        own = [note for note in side.cohort.notes if MEMORY_VARIABLE not in note]
        return self.without_folders([*own, *means])

    def without_folders(self, texts: Iterable[str]) -> list[str]:
        """Sentences in which the folders of the cohorts are called by their names."""
        return [without_folders(text, self.cohorts) for text in texts]

    def _by_reason(self, pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
        files: dict[str, list[str]] = defaultdict(list)
        for file, reason in pairs:
            files[without_folders(reason, self.cohorts)].append(file)
        return dict(files)


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
