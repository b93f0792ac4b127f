"""Sources of a map that are images: which files are read, and what is asked of them.

Each kind of source tells twice how its map is made: as a call, and as Python that makes the same
calls. They stand side by side so that one can be held against the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..conditions import read_conditions, read_groups
from ..contrasts import Contrast, contrast_conditions
from ..images import Mask, Series, read_map, read_mask, read_series, smooth_series
from .data import RoiData, as_texts
from .python_code import call, literal
from .regions_of_interest import Rois
from .values import RoiValues, signal_in_rois

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
