"""Sources of a map: which files are read, and which test is done on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any, NamedTuple

from ..cohort.cohort import Cohort
from ..cohort.file_choice import SeveralFiles
from ..cohort.loading import load_cohort
from ..core.defaults import (
    DELAY_S,
    MASK_TEST,
    MIN_PATIENTS,
    MIN_PATIENTS_OF_TWO,
    T_TEST,
    ContrastTest,
    TTest,
)
from ..images.events import Conditions, read_conditions, read_groups
from ..images.maps import Map, read_map
from ..images.masks import Mask, read_mask
from ..images.series import Series, read_series, smooth_series
from ..stats.group_contrasts import (
    contrast_cohorts,
    contrast_conditions,
    contrast_scores,
    split_cohort,
)
from .calls import call_of, evaluate, unpack
from .values import load_in_rois, signal_in_rois


class RoiData(NamedTuple):
    """What was read of a source, or the calls that read it; what it does not hold is empty.

    Parameters
    ----------
    series : Series or None
    conditions : Conditions or None
    cohorts : tuple of Cohort
    tested : Mask or None
        The voxels to be tested; all where it is None.
    stat_map : Map or None
        A map that was made elsewhere.
    """

    series: Series | None = None
    conditions: Conditions | None = None
    cohorts: tuple[Cohort, ...] = ()
    tested: Mask | None = None
    stat_map: Map | None = None


def as_texts(given: object) -> tuple[str, ...]:
    """One path or text, or several, as texts.

    Examples
    --------
    >>> from pathlib import Path
    >>> as_texts("run-1.nii"), as_texts([Path("run-1.nii"), "run-2.nii"])
    (('run-1.nii',), ('run-1.nii', 'run-2.nii'))
    """
    paths = [given] if isinstance(given, (str, PathLike)) else given
    assert isinstance(paths, Iterable)
    return tuple(fspath(path) for path in paths)


# A source has three parts, each made of calls that are run and written as Python: `data`, which
# sources of the same files have in common, so that they are read once for all of them; `contrast`,
# the test at each voxel; and `values` in regions of interest.


class _Source:
    @property
    def data(self) -> RoiData:
        """The calls that read the files."""
        raise NotImplementedError

    def read(self) -> RoiData:
        """Read the files."""
        return RoiData(*evaluate(self.data, {}))


@dataclass(frozen=True, kw_only=True)
class _ImageSource(_Source):
    """What sources of images have in common.

    Parameters
    ----------
    fwhm_mm : float or None
        Full width at half maximum of the smoothing, mm; none where it is None.
    mask : str or None
        Path of a mask: only its voxels are tested.
    """

    fwhm_mm: float | None = None
    mask: str | None = None

    def _data(self, series: Any, conditions: Any) -> RoiData:
        tested = None if self.mask is None else call_of(read_mask, self.mask, name="tested")
        return RoiData(series, conditions, tested=tested)

    def _smooth(self, series: Any) -> Any:
        if self.fwhm_mm is None:
            return series
        return call_of(smooth_series, series, self.fwhm_mm, name="series")

    def _contrast(self, a: Any, b: Any) -> Any:
        groups = (self.data.series, self.data.conditions, a, b)
        options: dict[str, Any] = {"mask": self.data.tested, "test": vars(self)["test"]}
        return call_of(contrast_conditions, *groups, name="contrast", **options)

    def values(self, rois: Any) -> Any:
        """Mean signal of each volume or image in regions of interest."""
        samples = (self.data.series, self.data.conditions)
        return call_of(signal_in_rois, *samples, rois, name="values")


FILE_CHOICES = ("pattern", "session", "several_files", "label", "threshold", "space")
"""Options of `load_cohort` that say which of a patient's files, and of their voxels, count."""


@dataclass(frozen=True, kw_only=True)
class _MaskSource(_Source):
    """What sources of lesion masks have in common: how folders are read, as for `load_cohort`.

    Parameters
    ----------
    within : str or None
        Path of a folder: no participants table is looked for outside it.
    pattern, session, several_files : str or None
        Which files are read.
    space : str or None
        The space that the masks lie in.
    label, threshold : int, float, str or None
        How masks are made of label maps, or of maps of probabilities.
    """

    within: str | None = None
    pattern: str | None = None
    session: str | None = None
    several_files: SeveralFiles | None = None
    space: str | None = None
    label: int | str | None = None
    threshold: float | str | None = None

    @property
    def _files(self) -> dict[str, Any]:
        """How folders are read."""
        return {name: getattr(self, name) for name in ("within", *FILE_CHOICES)}

    @property
    def groups(self) -> tuple[Any, ...]:
        """The cohorts whose values are shown."""
        return self.data.cohorts

    def values(self, rois: Any) -> Any:
        """Lesion load of each patient in regions of interest."""
        return call_of(load_in_rois, self.groups, rois, name="values")


class _TwoGroups(_MaskSource):
    """What sources of two groups of masks have in common."""

    test: ContrastTest
    min_patients: int

    @property
    def contrast(self) -> Any:
        """The test at each voxel."""
        options: dict[str, Any] = {"test": self.test, "min_patients": self.min_patients}
        return call_of(contrast_cohorts, *self.groups, name="contrast", **options)


class _OneFolder(_MaskSource):
    """What sources of one folder of masks have in common."""

    folder: str
    participants: str | None

    @property
    def data(self) -> RoiData:
        """The whole cohort."""
        options = self._files | {"participants": self.participants}
        return RoiData(cohorts=(call_of(load_cohort, self.folder, name="cohort", **options),))


@dataclass(frozen=True)
class SeriesSource(_ImageSource):
    """4D images with a condition per volume; see `read_conditions` and `contrast_conditions`.

    Parameters
    ----------
    images, tables : tuple of str
        Paths of the runs and of their tables, in one order.
    a, b : str
        The two conditions.
    test : {"student", "welch"}
    delay_s : float
        Seconds, as for `read_conditions`.
    repetition_time : float or None
        Seconds; by default what the images say.
    fwhm_mm : float or None
        Full width at half maximum of the smoothing, mm; none where it is None.
    mask : str or None
        Path of a mask: only its voxels are tested.

    Examples
    --------
    >>> run = "sample_data/series/sub-01_task-pictures_run-1"
    >>> source = SeriesSource(f"{run}_bold.nii.gz", f"{run}_events.tsv", "face", "house")
    >>> data = source.read()
    >>> data.series.volumes, data.conditions.counts
    (48, {'face': 16, 'house': 16})
    """

    images: tuple[str, ...]
    tables: tuple[str, ...]
    a: str
    b: str
    test: TTest = T_TEST
    delay_s: float = DELAY_S
    repetition_time: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", as_texts(self.images))
        object.__setattr__(self, "tables", as_texts(self.tables))

    @property
    def data(self) -> RoiData:
        """The runs end to end, and their conditions."""
        series = self._smooth(call_of(read_series, self.images, name="series"))
        times: dict[str, Any] = {"delay_s": self.delay_s, "repetition_time": self.repetition_time}
        conditions = call_of(read_conditions, self.tables, series, name="conditions", **times)
        return self._data(series, conditions)

    @property
    def contrast(self) -> Any:
        """The test at each voxel."""
        return self._contrast(self.a, self.b)


@dataclass(frozen=True)
class ImagesSource(_ImageSource):
    """Two folders of 3D images, one per person; see `read_groups`.

    Parameters
    ----------
    a, b : str
        Paths of the folders.
    test : {"student", "welch"}
    fwhm_mm, mask
        As those of `SeriesSource`.

    Examples
    --------
    >>> data = ImagesSource("sample_data/cohort_a", "sample_data/cohort_b").read()
    >>> data.series.volumes, data.conditions.counts
    (80, {'cohort_a': 40, 'cohort_b': 40})
    """

    a: str
    b: str
    test: TTest = T_TEST

    @property
    def data(self) -> RoiData:
        """The images of both folders, and which folder each is of."""
        both = call_of(read_groups, self.a, self.b, name="series, conditions")
        series, conditions = unpack(both, "series", "conditions")
        return self._data(self._smooth(series), conditions)

    @property
    def contrast(self) -> Any:
        """The test at each voxel."""
        # The images of the first folder come first; two folders of one name are told apart there.
        pattern = "{0}.of_volume[0], {0}.of_volume[-1]"
        names = call_of(_first_and_last, self.data.conditions, name="a, b", pattern=pattern)
        return self._contrast(*unpack(names, "a", "b"))


def _first_and_last(conditions: Conditions) -> tuple[str, str]:
    return conditions.of_volume[0], conditions.of_volume[-1]


@dataclass(frozen=True)
class MapSource(_Source):
    """A map that was made elsewhere: nothing is tested.

    Parameters
    ----------
    image : str
        Path of a 3D image.
    space : str or None
        The space that it lies in, as for `read_map`.

    Examples
    --------
    >>> MapSource("sample_data/template/lens_prob.nii.gz").read().stat_map.array.shape
    (56, 60, 48)
    """

    image: str
    space: str | None = None

    @property
    def data(self) -> RoiData:
        """The map."""
        return RoiData(stat_map=call_of(read_map, self.image, name="found", space=self.space))


@dataclass(frozen=True)
class CohortsSource(_TwoGroups):
    """Two folders of lesion masks; see `contrast_cohorts`.

    Parameters
    ----------
    a, b : str
        Paths of the folders.
    test : {"fisher", "student", "welch"}
    min_patients : int
        Voxels lesioned in fewer patients of both groups together are not tested.
    **files : str, int or float
        How folders are read: `within`, `pattern`, `session`, `several_files`, `space`, `label` and
        `threshold`, as for `load_cohort`.

    Examples
    --------
    >>> source = CohortsSource("sample_data/cohort_a", "sample_data/cohort_b", test="welch")
    >>> [cohort.n_patients for cohort in source.read().cohorts]
    [40, 40]
    """

    a: str
    b: str
    test: ContrastTest = MASK_TEST
    min_patients: int = MIN_PATIENTS_OF_TWO

    @property
    def data(self) -> RoiData:
        """Both cohorts."""
        a = call_of(load_cohort, self.a, name="a", **self._files)
        return RoiData(cohorts=(a, call_of(load_cohort, self.b, name="b", **self._files)))


@dataclass(frozen=True)
class SplitSource(_OneFolder, _TwoGroups):
    """One folder of lesion masks, split by its participants table; see `split_cohort`.

    Parameters
    ----------
    folder : str
    column : str
    a, b : str or float
        Values of the column.
    participants : str or None
        Path of the table; by default the one beside the masks.
    test : {"fisher", "student", "welch"}
    min_patients : int
        Voxels lesioned in fewer patients of both groups together are not tested.
    **files : str, int or float
        How folders are read: `within`, `pattern`, `session`, `several_files`, `space`, `label` and
        `threshold`, as for `load_cohort`.

    Examples
    --------
    >>> from lesion_dash.rois import RoiRecipe, Threshold, run_recipe
    >>> source = SplitSource("sample_data/cohort_a", "sex", "F", "M")
    >>> run = run_recipe(RoiRecipe(source, Threshold(1.3)))
    >>> run.contrast.groups, run.contrast.sizes
    (('sex = F', 'sex = M'), (16, 24))
    """

    folder: str
    column: str
    a: str | float
    b: str | float
    participants: str | None = None
    test: ContrastTest = MASK_TEST
    min_patients: int = MIN_PATIENTS_OF_TWO

    @property
    def groups(self) -> tuple[Any, ...]:
        """The patients with either value of the column."""
        values = (self.column, self.a, self.b)
        return unpack(call_of(split_cohort, *self.data.cohorts, *values, name="a, b"), "a", "b")


@dataclass(frozen=True)
class ScoreSource(_OneFolder):
    """One folder of lesion masks with a score of each patient; see `contrast_scores`.

    Parameters
    ----------
    folder : str
    column : str
        Of the participants table.
    participants : str or None
        Path of the table; by default the one beside the masks.
    test : {"student", "welch"}
    min_lesioned : int
        Voxels with fewer lesioned, or fewer spared, patients are not tested.
    **files : str, int or float
        How folders are read: `within`, `pattern`, `session`, `several_files`, `space`, `label` and
        `threshold`, as for `load_cohort`.

    Examples
    --------
    >>> from lesion_dash.rois import RoiRecipe, Threshold, run_recipe
    >>> source = ScoreSource("sample_data/cohort_a", "naming")
    >>> run = run_recipe(RoiRecipe(source, Threshold(3.0)))
    >>> run.contrast.name, run.contrast.groups
    ('naming: lesioned - spared', ('lesioned', 'spared'))
    """

    folder: str
    column: str
    participants: str | None = None
    test: TTest = T_TEST
    min_lesioned: int = MIN_PATIENTS

    @property
    def contrast(self) -> Any:
        """The test at each voxel."""
        options: dict[str, Any] = {"test": self.test, "min_lesioned": self.min_lesioned}
        return call_of(contrast_scores, *self.groups, self.column, name="contrast", **options)
