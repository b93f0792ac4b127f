"""The choices of a report, and all results it tells."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import Atlas
from ..atlas.doubts import REMEDY, is_marked, mark_doubtful, side_doubt
from ..atlas.finding import file_stem, is_known_by_name
from ..cohort.cohort import Cohort, check_min_patients
from ..cohort.conditions import Condition, parse_conditions, restrict_cohort
from ..cohort.file_choice import SeveralFiles
from ..cohort.notes import group_notes
from ..cohort.participants import FILE_NAMES as PARTICIPANTS_NAMES
from ..cohort.participants import Patient
from ..core.defaults import MIN_PATIENTS, PERMUTATIONS, SEED, SYMPTOM_TEST, SymptomTest
from ..core.errors import InputError
from ..core.file_names import own_names
from ..core.grid import Grid
from ..core.notes import note_on
from ..files.listing import has_image_ending
from ..files.paths import AnyPath
from ..regions.counts import FILE_NAME as REGIONS_NAME
from ..regions.counts import RegionCount, RegionCounts, count_regions
from ..regions.involvement import Involvement, region_involvement
from ..regions.load import lesion_load
from ..stats.coverage import Coverage, threshold_coverage
from ..stats.differences import CohortDifferences, cohort_differences
from ..stats.overlap import Overlap, overlap
from ..stats.size_bias import MeanContrast, mean_contrast
from ..stats.topography import VolumeStats, volume_stats
from .symptoms import SymptomFindings, find_symptoms

# Names of folders and files in a report, which hold on any computer.


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
    if is_known_by_name(atlas.name):
        return (atlas.name,)
    names = [file_name(path) for path in atlas.sources]
    images = [name for name in names if has_image_ending(name)]
    tables = [name for name in names if not has_image_ending(name)]
    if not images:
        return (atlas.name,)
    return (images[0] if len(images) == 1 else atlas.name, *tables)


def table_to_name(cohorts: Sequence[Cohort]) -> AnyPath | None:
    """The participants table, where it is not the one that is found beside the masks."""
    for cohort in cohorts:
        table, folder = cohort.participants, cohort.folder.resolve()
        if table is None:
            continue
        places = (place / name for place in (folder, folder.parent) for name in PARTICIPANTS_NAMES)
        nearby = next((place for place in places if place.is_file()), None)
        if nearby is None or nearby.resolve() != table.path.resolve():
            return table.path
    return None


def without_folders(text: str, cohorts: Sequence[Cohort]) -> str:
    """A sentence with the names of the cohorts in place of their folders, of the same kind."""
    kind = type(text)
    for cohort, name in zip(cohorts, folder_names(cohorts), strict=True):
        for place in (str(cohort.folder.resolve()), str(cohort.folder)):
            if "/" in place or "\\" in place:
                pattern = rf"(?<![\w/\\]){re.escape(place)}(?!\w)"
                text = name.join(re.split(pattern, text))
    return kind(text)


# The choices.


Conditions = Sequence[str | Condition]


@dataclass(frozen=True)
class ReportRequest:
    """The choices of a report, and how its masks were read.

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
    pattern, session, several_files : str
        Which files were read, as for `load_cohort`.
    threshold, label : float or int, optional
        How masks were made of maps of probabilities or labels, as for `Binarization`.
    space : sequence of str
        The spaces that were stated of masks or atlas, such as ``atlas=Talairach``.
    accept_swapped : bool
        Names of an atlas count as they are, although its regions lie on another side; otherwise
        they are marked.
    score : str
        A column that is mapped and predicted, see `map_symptom`; empty for none.
    covariates : sequence of str
        That are held constant then.
    test, permutations, seed
        As for `map_symptom`.

    Raises
    ------
    InputError
        Where a condition cannot be read, or `min_patients` is not a whole number of at least 1.

    Examples
    --------
    >>> request = ReportRequest(where=["sex = F", "age>=60"], where_a=["nihss=0..4"])
    >>> [condition.summary for condition in request.conditions("a")]
    ['age >= 60', 'nihss = 0 to 4', 'sex = F']
    >>> request == ReportRequest(where=("sex=F", "age >= 60"), where_a=["nihss=0..4"])
    True
    """

    min_patients: int = MIN_PATIENTS
    where: Conditions = ()
    where_a: Conditions = ()
    where_b: Conditions = ()
    title: str = ""
    pattern: str = "*"
    session: str = ""
    several_files: SeveralFiles = "refuse"
    threshold: float | str | None = None
    label: int | str | None = None
    space: Sequence[str] = ()
    accept_swapped: bool = False
    score: str = ""
    covariates: Sequence[str] = ()
    test: SymptomTest = SYMPTOM_TEST
    permutations: int = PERMUTATIONS
    seed: int = SEED

    def __post_init__(self) -> None:
        canonical = {
            "min_patients": check_min_patients(self.min_patients),
            "title": " ".join(self.title.split()),
            "space": tuple(self.space),
            "covariates": tuple(self.covariates),
        } | {name: _ordered(getattr(self, name)) for name in ("where", "where_a", "where_b")}
        for name, value in canonical.items():
            object.__setattr__(self, name, value)

    def conditions(self, letter: str) -> tuple[Condition, ...]:
        """The conditions that patients of A, or of B, must meet."""
        return _ordered([*self.where, *getattr(self, f"where_{letter}")])

    @property
    def parameters(self) -> dict[str, Any]:
        """Every choice by name, conditions as text."""
        usual = {"session": "", "several_files": "refuse", "accept_swapped": False}
        if not self.score:
            of_score = ("score", "covariates", "test", "permutations", "seed")
            usual |= {name: getattr(self, name) for name in of_score}
        values = {
            name: value
            for name in self.__dataclass_fields__
            if (value := getattr(self, name)) != usual.get(name, NotImplemented)
        }
        texts = {name: [*map(str, values[name])] for name in ("where", "where_a", "where_b")}
        return values | texts


def _ordered(conditions: Conditions) -> tuple[Condition, ...]:
    """Each once and in one order, so that one question is one request."""
    by_text = {str(condition): condition for condition in parse_conditions(conditions)}
    return tuple(by_text[text] for text in sorted(by_text))


# All that a report tells, computed by `stats` and `regions`.


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
        return tuple(
            each for each in self.skipped if each.outcome == "accept" and not each.is_left_out
        )

    @property
    def other_files(self) -> tuple[Patient, ...]:
        """The files of patients that do not count, by name or choice."""
        return tuple(patient for patient in self.skipped if patient.is_left_out)

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
        stats = self.everywhere
        if not stats.indices.size:
            return None
        peak = stats.indices[[np.argmax(stats.values["n"])]]
        x, y, z = stats.grid.mm_of_index(peak)[0].tolist()
        return x, y, z


@dataclass(frozen=True, eq=False)
class RegionFindings:
    """What is known of the regions of one atlas.

    Parameters
    ----------
    atlas : Atlas
        As it was read.
    counts : RegionCounts
        Of the voxels that count: the overlap, or A at the minimum of patients.
    involved : tuple of Involvement
        The patients lesioned in each region, of each cohort.
    file_name : str
        Of the table.
    """

    atlas: Atlas
    counts: RegionCounts
    involved: tuple[Involvement, ...]
    file_name: str

    @property
    def largest(self) -> RegionCount | None:
        """The region that holds most of what is counted; None where no region does."""
        rows = self.counts.rows
        return rows[0] if len(rows) > 1 and rows[0].voxels else None  # the last one is outside

    @property
    def side_notice(self) -> str:
        """What is said first where names of the atlas are on the wrong side."""
        if not side_doubt(self.atlas):
            return ""
        accepted = "names are used as they are, as was stated"
        remedy = REMEDY if is_marked(self.atlas) else accepted
        return f"{self.atlas.name}: {side_doubt(self.atlas)}; {remedy}"


@dataclass(frozen=True, eq=False)
class Findings:
    """All results of a report.

    Parameters
    ----------
    request : ReportRequest
    sides : tuple of Side
        A, and B where there is one.
    regions : tuple of RegionFindings
        Of each atlas.
    overlap : Overlap or None
    differences : CohortDifferences or None
    symptoms : tuple of SymptomFindings
        Of each cohort, where a score is asked for.
    """

    request: ReportRequest
    sides: tuple[Side, ...]
    regions: tuple[RegionFindings, ...]
    overlap: Overlap | None
    differences: CohortDifferences | None
    symptoms: tuple[SymptomFindings, ...] = ()

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
    def grid(self) -> Grid:
        """That of A, or the one that holds the fields of view of A and B."""
        return self.a.cohort.grid if self.differences is None else self.differences.grid

    @property
    def lesioned(self) -> NDArray[np.int32]:
        """Voxels of `grid` that any patient of A or B has lesioned."""
        stats = self.a.everywhere if self.differences is None else self.differences
        return stats.indices

    def owner(self, side: Side) -> str:
        """A cohort in words: ``A (cohort_a)``, or its name where it is the only one."""
        return f"{side.letter.upper()} ({side.name})" if self.is_pair else side.name

    @property
    def atlases(self) -> tuple[Atlas, ...]:
        """Those whose regions are told."""
        return tuple(own.atlas for own in self.regions)

    def exclusions(self, side: Side) -> dict[str, list[str]]:
        """The files of a cohort that are not counted, by reason."""
        return self._by_reason(
            (each.file, each.reason) for each in side.not_usable + side.left_out + side.other_files
        )

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
        return self.without_folders([*group_notes(side.cohort.notes), *means])

    @property
    def notes_on_results(self) -> list[str]:
        """The notes on means, on the pair and on the regions; those on inputs are apart."""
        means = [note for side in self.sides if side.means for note in side.means.notes]
        pair = self.differences.notes if self.differences is not None else ()
        regions = [note for own in self.regions for note in self.notes_on_regions(own)]
        symptoms = [note for own in self.symptoms for note in own.notes]
        return self.without_folders(dict.fromkeys([*means, *pair, *regions, *symptoms]))

    def notes_on_regions(self, own: RegionFindings) -> list[str]:
        """The notes on an atlas; with its name, where there are several."""
        notes = own.counts.notes
        return [note_on(own.atlas.name, note) for note in notes] if self.regions[1:] else [*notes]

    def without_folders(self, texts: Iterable[str]) -> list[str]:
        """Sentences in which the folders of the cohorts are called by their names."""
        return [without_folders(text, self.cohorts) for text in texts]

    def _by_reason(self, pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
        files: dict[str, list[str]] = defaultdict(list)
        for file, reason in pairs:
            files[without_folders(reason, self.cohorts)].append(file)
        return dict(files)


def find_all(
    a: Cohort, b: Cohort | None, atlases: Sequence[Atlas], request: ReportRequest
) -> Findings:
    """Restrict the cohorts by the conditions, and compute all results of a report.

    Raises
    ------
    InputError
        Where a cohort is restricted already, where a condition names no column or no patient meets
        it, where voxels of A and B do not coincide, or an atlas lies elsewhere.
    """
    whole = (a,) if b is None else (a, b)
    if b is None and request.where_b:
        raise InputError("where_b", "there is no cohort B", "give cohort B, or leave where_b out")
    # What may be refused comes first: conditions, then places, then the maps.
    k = request.min_patients
    if not request.accept_swapped:
        atlases = [*map(mark_doubtful, atlases)]
    parts = [
        _restrict(cohort, request.conditions(letter))
        for letter, cohort in zip("ab", whole, strict=False)
    ]
    masks = [cohort.at_least(k) for cohort in parts]
    both = overlap(*masks) if b is not None else None
    counted = masks[0] if both is None else both.both
    counts = [count_regions(counted, atlas) for atlas in atlases]
    sides = tuple(
        Side(
            letter,
            folder,
            cohort,
            volume_stats(cohort, 1),
            volume_stats(cohort, k),
            threshold_coverage(cohort),
            mean_contrast(cohort, k) if cohort.volumes.any() else None,
        )
        for letter, folder, cohort in zip("ab", folder_names(whole), parts, strict=False)
    )
    differences = cohort_differences(parts[0], parts[1], k) if b is not None else None
    names = own_names(REGIONS_NAME, [file_stem(atlas_files(atlas)[0]) for atlas in atlases])
    regions = tuple(
        RegionFindings(
            atlas,
            own,
            tuple(region_involvement(lesion_load(cohort, atlas)) for cohort in parts),
            name,
        )
        for atlas, own, name in zip(atlases, counts, names, strict=True)
    )
    symptoms: tuple[SymptomFindings, ...] = ()
    if request.score:
        symptoms = tuple(
            find_symptoms(
                side.letter,
                side.cohort,
                atlases,
                request.score,
                covariates=request.covariates,
                test=request.test,
                permutations=request.permutations,
                seed=request.seed,
            )
            for side in sides
        )
    return Findings(request, sides, regions, both, differences, symptoms)


def _restrict(cohort: Cohort, conditions: Sequence[Condition]) -> Cohort:
    # The page could not say how a part came about, nor how to make it again.
    skipped = (each for each in cohort.patients if each.status == "skipped")
    if any(each.outcome == "accept" and not each.is_left_out for each in skipped):
        problem = "conditions have restricted this cohort already"
        remedy = "give the whole cohort, and the conditions in the request"
        raise InputError(cohort.name, problem, remedy)
    return restrict_cohort(cohort, conditions)
