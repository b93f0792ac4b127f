"""Sources of a map: which files are read, and which test is done on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Literal

from ..cohort.cohort import Cohort
from ..cohort.loading import load_cohort
from ..core.python_code import call, literal
from ..images.events import Conditions, read_conditions, read_groups
from ..images.maps import Map, read_map
from ..images.masks import Mask, read_mask
from ..images.series import Series, read_series, smooth_series
from ..stats.contrast import Contrast, ContrastTest
from ..stats.group_contrasts import (
    contrast_cohorts,
    contrast_conditions,
    contrast_scores,
    split_cohort,
)
from .values import Rois, RoiValues, load_in_rois, signal_in_rois


@dataclass(frozen=True, eq=False)
class RoiData:
    """What was read of a source; what it does not hold is empty.

    Parameters
    ----------
    series : Series or None
    conditions : Conditions or None
    cohorts : tuple of Cohort
    tested : Mask or None
        The voxels to be tested; all where it is None.
    found : Map or None
        A map that was made elsewhere.
    """

    series: Series | None = None
    conditions: Conditions | None = None
    cohorts: tuple[Cohort, ...] = ()
    tested: Mask | None = None
    found: Map | None = None

    @property
    def of_volumes(self) -> tuple[Series, Conditions]:
        """The series and its conditions."""
        assert self.series is not None
        assert self.conditions is not None
        return self.series, self.conditions


def as_texts(given: object) -> tuple[str, ...]:
    """One path or text, or several, as texts.

    Examples
    --------
    >>> from pathlib import Path
    >>> as_texts("run-1.nii"), as_texts([Path("run-1.nii"), "run-2.nii"])
    (('run-1.nii',), ('run-1.nii', 'run-2.nii'))
    """
    several = [given] if isinstance(given, (str, PathLike)) else given
    assert isinstance(several, Iterable)
    return tuple(fspath(one) for one in several)


# Sources of a map that are images: which files are read, and what is asked of them.
#
# Each kind of source tells twice how its map is made: as a call, and as Python that makes the same
# calls. They stand side by side so that one can be held against the other.


TTest = Literal["student", "welch"]


@dataclass(frozen=True)
class SeriesSource:
    """4D images with a condition per volume; see `read_conditions` and `contrast_conditions`.

    Parameters
    ----------
    images, tables : tuple of str
        Paths of the runs and of their tables, in one order.
    a, b : str
        The two conditions.
    test : {"student", "welch"}
    delay_s : float
    repetition_time : float or None
    fwhm_mm : float or None
        Smoothing; none where it is None.
    mask : str or None
        Path of a mask: only its voxels are tested.
    """

    images: tuple[str, ...]
    tables: tuple[str, ...]
    a: str
    b: str
    test: TTest = "student"
    delay_s: float = 5.0
    repetition_time: float | None = None
    fwhm_mm: float | None = None
    mask: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", as_texts(self.images))
        object.__setattr__(self, "tables", as_texts(self.tables))

    @property
    def reading(self) -> tuple[object, ...]:
        """What decides which values are read; sources with the same need be read once."""
        times = (self.delay_s, self.repetition_time)
        return ("series", self.images, self.tables, *times, self.fwhm_mm, self.mask)

    def read(self) -> RoiData:
        """The runs end to end, and their conditions."""
        series = _smooth(read_series(self.images), self.fwhm_mm)
        conditions = read_conditions(
            self.tables, series, delay_s=self.delay_s, repetition_time=self.repetition_time
        )
        return RoiData(series, conditions, tested=_tested(self.mask))

    def contrast(self, data: RoiData) -> Contrast:
        """The test at each voxel."""
        groups = (*data.of_volumes, self.a, self.b)
        return contrast_conditions(*groups, test=self.test, mask=data.tested)

    def values(self, data: RoiData, rois: Rois) -> RoiValues:
        """Mean signal of each volume."""
        return signal_in_rois(*data.of_volumes, rois)

    @property
    def code(self) -> list[str]:
        """Lines of Python that make `contrast`."""
        times = {"delay_s": self.delay_s, "repetition_time": self.repetition_time}
        tables = call("read_conditions", literal(self.tables), "series", **times)
        groups = ("series", "conditions", literal(self.a), literal(self.b), *_given(self.mask))
        return [
            f"series = {call('read_series', literal(self.images))}",
            *_smooth_code(self.fwhm_mm),
            f"conditions = {tables}",
            *_tested_code(self.mask),
            f"contrast = {call('contrast_conditions', *groups, test=self.test)}",
        ]

    values_code = "ld.signal_in_rois(series, conditions, rois)"


@dataclass(frozen=True)
class ImagesSource:
    """Two folders of 3D images, one a person; see `read_groups`.

    Parameters
    ----------
    a, b : str
        Paths of the folders.
    test : {"student", "welch"}
    fwhm_mm : float or None
    mask : str or None
    """

    a: str
    b: str
    test: TTest = "student"
    fwhm_mm: float | None = None
    mask: str | None = None

    @property
    def reading(self) -> tuple[object, ...]:
        """What decides which values are read."""
        return ("images", self.a, self.b, self.fwhm_mm, self.mask)

    def read(self) -> RoiData:
        """The images of both folders, and which folder each is of."""
        series, conditions = read_groups(self.a, self.b)
        smooth = _smooth(series, self.fwhm_mm)
        return RoiData(smooth, conditions, tested=_tested(self.mask))

    def contrast(self, data: RoiData) -> Contrast:
        """The test at each voxel."""
        series, conditions = data.of_volumes
        first, last = conditions.of_volume[0], conditions.of_volume[-1]
        groups = (series, conditions, first, last)
        return contrast_conditions(*groups, test=self.test, mask=data.tested)

    def values(self, data: RoiData, rois: Rois) -> RoiValues:
        """Mean of each image."""
        return signal_in_rois(*data.of_volumes, rois)

    @property
    def code(self) -> list[str]:
        """Lines of Python that make `contrast`."""
        groups = ("series", "conditions", "a", "b", *_given(self.mask))
        return [
            f"series, conditions = {call('read_groups', literal(self.a), literal(self.b))}",
            *_smooth_code(self.fwhm_mm),
            "a, b = conditions.of_volume[0], conditions.of_volume[-1]",
            *_tested_code(self.mask),
            f"contrast = {call('contrast_conditions', *groups, test=self.test)}",
        ]

    values_code = "ld.signal_in_rois(series, conditions, rois)"


@dataclass(frozen=True)
class MapSource:
    """A map that was made elsewhere: nothing is tested.

    Parameters
    ----------
    image : str
        Path of a 3D image.
    """

    image: str

    @property
    def reading(self) -> tuple[object, ...]:
        """What decides which values are read."""
        return ("map", self.image)

    def read(self) -> RoiData:
        """The map."""
        return RoiData(found=read_map(self.image))

    @property
    def code(self) -> list[str]:
        """Lines of Python that read the map."""
        return [f"found = {call('read_map', literal(self.image))}"]


def _smooth(series: Series, fwhm_mm: float | None) -> Series:
    return smooth_series(series, fwhm_mm) if fwhm_mm is not None else series


def _smooth_code(fwhm_mm: float | None) -> list[str]:
    if fwhm_mm is None:
        return []
    return [f"series = {call('smooth_series', 'series', literal(fwhm_mm))}"]


def _tested(mask: str | None) -> Mask | None:
    return read_mask(mask) if mask is not None else None


def _tested_code(mask: str | None) -> list[str]:
    return [f"tested = {call('read_mask', literal(mask))}"] if mask is not None else []


def _given(mask: str | None) -> list[str]:
    return ["mask=tested"] if mask is not None else []


# Sources of a map that are lesion masks: which folders are read, and what is asked of them.
#
# Each kind of source tells twice how its map is made: as a call, and as Python that makes the same
# calls.


@dataclass(frozen=True)
class CohortsSource:
    """Two folders of lesion masks; see `contrast_cohorts`.

    Parameters
    ----------
    a, b : str
        Paths of the folders.
    test : {"fisher", "student", "welch"}
    min_patients : int
    within : str or None
        Path of a folder: no participants table is looked for outside it.
    """

    a: str
    b: str
    test: ContrastTest = "fisher"
    min_patients: int = 1
    within: str | None = None

    @property
    def reading(self) -> tuple[object, ...]:
        """What decides which masks are read."""
        return ("cohorts", self.a, self.b, self.within)

    def read(self) -> RoiData:
        """Both cohorts."""
        a, b = (load_cohort(folder, within=self.within) for folder in (self.a, self.b))
        return RoiData(cohorts=(a, b))

    def contrast(self, data: RoiData) -> Contrast:
        """The test at each voxel."""
        a, b = data.cohorts
        return contrast_cohorts(a, b, test=self.test, min_patients=self.min_patients)

    def values(self, data: RoiData, rois: Rois) -> RoiValues:
        """Lesion load of each patient."""
        return load_in_rois(data.cohorts, rois)

    @property
    def code(self) -> list[str]:
        """Lines of Python that make `contrast`."""
        choices = {"test": self.test, "min_patients": self.min_patients}
        return [
            f"a = {call('load_cohort', literal(self.a), within=self.within)}",
            f"b = {call('load_cohort', literal(self.b), within=self.within)}",
            f"contrast = {call('contrast_cohorts', 'a', 'b', **choices)}",
        ]

    values_code = "ld.load_in_rois((a, b), rois)"


@dataclass(frozen=True)
class SplitSource:
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
    within : str or None
        Nothing outside this folder is read.
    """

    folder: str
    column: str
    a: str | float
    b: str | float
    participants: str | None = None
    test: ContrastTest = "fisher"
    min_patients: int = 1
    within: str | None = None

    @property
    def reading(self) -> tuple[object, ...]:
        """What decides which masks are read."""
        return ("cohort", self.folder, self.participants, self.within)

    def read(self) -> RoiData:
        """The whole cohort."""
        return RoiData(cohorts=(load_cohort(self.folder, self.participants, within=self.within),))

    def _split(self, data: RoiData) -> tuple[Cohort, Cohort]:
        return split_cohort(data.cohorts[0], self.column, self.a, self.b)

    def contrast(self, data: RoiData) -> Contrast:
        """The test at each voxel."""
        a, b = self._split(data)
        return contrast_cohorts(a, b, test=self.test, min_patients=self.min_patients)

    def values(self, data: RoiData, rois: Rois) -> RoiValues:
        """Lesion load of each patient of the two groups."""
        return load_in_rois(self._split(data), rois)

    @property
    def code(self) -> list[str]:
        """Lines of Python that make `contrast`."""
        folder, table = literal(self.folder), self.participants
        split = ("cohort", literal(self.column), literal(self.a), literal(self.b))
        choices = {"test": self.test, "min_patients": self.min_patients}
        return [
            f"cohort = {call('load_cohort', folder, participants=table, within=self.within)}",
            f"a, b = {call('split_cohort', *split)}",
            f"contrast = {call('contrast_cohorts', 'a', 'b', **choices)}",
        ]

    values_code = "ld.load_in_rois((a, b), rois)"


@dataclass(frozen=True)
class ScoreSource:
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
    within : str or None
        Nothing outside this folder is read.
    """

    folder: str
    column: str
    participants: str | None = None
    test: TTest = "student"
    min_lesioned: int = 5
    within: str | None = None

    @property
    def reading(self) -> tuple[object, ...]:
        """What decides which masks are read."""
        return ("cohort", self.folder, self.participants, self.within)

    def read(self) -> RoiData:
        """The cohort."""
        return RoiData(cohorts=(load_cohort(self.folder, self.participants, within=self.within),))

    def contrast(self, data: RoiData) -> Contrast:
        """The test at each voxel."""
        least = self.min_lesioned
        return contrast_scores(data.cohorts[0], self.column, test=self.test, min_lesioned=least)

    def values(self, data: RoiData, rois: Rois) -> RoiValues:
        """Lesion load of each patient."""
        return load_in_rois(data.cohorts, rois)

    @property
    def code(self) -> list[str]:
        """Lines of Python that make `contrast`."""
        folder, column = literal(self.folder), literal(self.column)
        choices = {"test": self.test, "min_lesioned": self.min_lesioned}
        places = {"participants": self.participants, "within": self.within}
        return [
            f"cohort = {call('load_cohort', folder, **places)}",
            f"contrast = {call('contrast_scores', 'cohort', column, **choices)}",
        ]

    values_code = "ld.load_in_rois((cohort,), rois)"
