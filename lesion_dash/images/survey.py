"""What an image file holds, also where it cannot be used: header fields, values."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from .formats import HeaderFault, OpenHeader
from .nifti import FORM_NAMES, Header, check_affine, qform_affine
from .reading import ImageFile

_SPACES = {0: "unknown", 3: "Talairach", 4: "MNI152", 5: "other template"}
_SPACE_UNITS = {1: "m", 2: "mm", 3: "µm"}
_TIME_UNITS = {8: "s", 16: "ms", 24: "µs", 32: "Hz", 40: "ppm", 48: "rad/s"}
_TYPES = {
    1: "1 bit",
    32: "complex64",
    128: "RGB, 3 bytes",
    1536: "float128",
    1792: "complex128",
    2048: "complex256",
    2304: "RGBA, 4 bytes",
}
"""Voxel types that NumPy has no plain number for, or that are not real numbers."""


@dataclass(frozen=True, eq=False)
class Form:
    """One of the two affines that a NIfTI header may hold.

    Parameters
    ----------
    code : int
        Of the space it leads to; 0 where it is not set.
    affine : array, shape (4, 4), or None
        Takes voxels to mm; None where it is not set or cannot be used.
    fault : str
        Why it cannot be used.
    """

    code: int
    affine: NDArray[np.float64] | None
    fault: str = ""

    @property
    def space(self) -> str:
        """The meaning of the code."""
        return (FORM_NAMES | _SPACES).get(self.code, "not defined by the standard")


@dataclass(frozen=True, eq=False)
class HeaderFacts:
    """The fields of a header, as they are stored.

    Parameters
    ----------
    format : str
        Such as ``NIfTI-1``.
    shape : tuple of int
        All axes; empty where the header names impossible ones.
    data_type : str
        Of the stored values, such as ``int16``.
    byte_order : str
        ``little-endian`` or ``big-endian``.
    slope, intercept : float
        As they are stored: a slope of 0 or NaN means that values are not scaled.
    space_unit, time_unit : str
        Empty where none is stated.
    sform, qform : Form
    """

    format: str
    shape: tuple[int, ...]
    data_type: str
    byte_order: str
    slope: float
    intercept: float
    space_unit: str
    time_unit: str
    sform: Form
    qform: Form


def read_facts(file: ImageFile) -> HeaderFacts:
    """Read the fields of a header; an `InputError` where it is not a NIfTI header at all."""
    opened = file.open_header()
    header = opened.fields
    units = int(header["xyzt_units"])
    order = "little-endian" if header.endianness == "<" else "big-endian"
    return HeaderFacts(
        _format_of(opened, file.is_pair),
        _shape_of(header),
        _data_type_of(header),
        order,
        float(header["scl_slope"]),
        float(header["scl_inter"]),
        "" if opened.is_analyze else _SPACE_UNITS.get(units & 7, ""),
        _TIME_UNITS.get(units & 56, ""),
        _form_of(header, "sform"),
        _form_of(header, "qform"),
    )


def axis_codes(affine: NDArray) -> str:
    """The direction in which each axis mainly grows, each world axis once, such as RAS.

    Unlike the largest entry of each column, nibabel's answer holds for oblique images as well.
    """
    return "".join(str(code) for code in nib.aff2axcodes(affine))


def _format_of(opened: OpenHeader, is_pair: bool) -> str:
    name = "Analyze 7.5" if opened.is_analyze else opened.format
    return f"{name}, a pair of files" if is_pair else name


def _shape_of(header: nib.Nifti1Header) -> tuple[int, ...]:
    dim = [int(n) for n in header["dim"]]
    shape = tuple(dim[1 : dim[0] + 1]) if 1 <= dim[0] <= 7 else ()
    return shape if all(n > 0 for n in shape) else ()


def _data_type_of(header: nib.Nifti1Header) -> str:
    code = int(header["datatype"])
    if code in _TYPES:
        return _TYPES[code]
    try:
        return str(header.get_data_dtype().newbyteorder("=").name)
    except (HeaderDataError, KeyError):
        return f"unknown (datatype = {code})"


def _form_of(header: nib.Nifti1Header, name: str) -> Form:
    code = int(header[f"{name}_code"])
    if code <= 0:
        return Form(code, None)
    try:
        affine = header.get_sform() if name == "sform" else qform_affine(header, name)
        affine = np.array(check_affine(affine, name), np.float64)
    except HeaderFault as fault:
        return Form(code, None, str(fault))
    affine.setflags(write=False)
    return Form(code, affine)


# The values of an image at a glance: range, zeros, distinct values, histogram.


MAX_DISTINCT = 10_000
"""Distinct values are counted exactly up to here; arbitrary: more than a label image has."""

_BINS = 64  # of a histogram; arbitrary, some pixels each on the page
_MAX_WHOLE = 2**40  # whole numbers up to here are counted in bins between the halves


@dataclass(frozen=True, eq=False)
class Survey:
    """What the values of an image are like, all volumes together.

    Parameters
    ----------
    voxels : int
        Number of values.
    lowest, highest : float
        Of the finite values, scaled as the header says; NaN where there are none.
    zeros, nans, infinities : int
        How many values are 0, NaN, and plus or minus infinity.
    distinct : int
        Different finite values as they are stored; at most `MAX_DISTINCT` are counted.
    has_more : bool
        Whether there are more than that.
    edges : array of float64, shape (bins + 1,)
        Of the histogram; empty where no value is finite. The last bin holds its upper edge as well.
    counts : array of int64, shape (bins,)
        Finite values in each bin; their sum is the number of finite values.
    """

    voxels: int
    lowest: float
    highest: float
    zeros: int
    nans: int
    infinities: int
    distinct: int
    has_more: bool
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def finite(self) -> int:
        """Number of finite values."""
        return self.voxels - self.nans - self.infinities

    @property
    def zero_share(self) -> float:
        """Share of all values that are 0, from 0 to 1."""
        return self.zeros / self.voxels


def survey_values(file: ImageFile, header: Header) -> tuple[Survey, tuple[str, ...]]:
    """Look through all values of an image, some millions at a time.

    No more than a block of values is held, however large the image is; other types than integers
    of one or two bytes take two passes.

    Returns
    -------
    survey : Survey
    notes : tuple of str
        What is unusual about the file.

    Raises
    ------
    InputError
        Where the file is damaged.
    """
    is_small = header.dtype.kind in "iu" and header.dtype.itemsize <= 2
    return _survey_small(file, header) if is_small else _survey_wide(file, header)


def _survey_small(file: ImageFile, header: Header) -> tuple[Survey, tuple[str, ...]]:
    """Count how often each of at most 65,536 stored values occurs: that tells all in one pass."""
    lowest = int(np.iinfo(header.dtype).min)
    times = np.zeros(2 ** (8 * header.dtype.itemsize), np.int64)
    notes: list[str] = []
    for stored in file.blocks(header, notes):
        times += np.bincount(stored.astype(np.int64) - lowest, minlength=times.size)
    present = np.flatnonzero(times)
    counter = _Counter(header)
    counter.count(present + lowest, times[present])
    return counter.survey(counter.histogram(present + lowest, times[present])), tuple(notes)


def _survey_wide(file: ImageFile, header: Header) -> tuple[Survey, tuple[str, ...]]:
    """Find the range in a first pass, and count the histogram in a second."""
    counter = _Counter(header)
    notes: list[str] = []
    for stored in file.blocks(header, notes):
        counter.count(stored)
    total = np.zeros(counter.bins[0] if counter.bins else 0, np.int64)
    if counter.bins:
        for stored in file.blocks(header, []):
            total += counter.histogram(stored)
    return counter.survey(total), tuple(notes)


class _Counter:
    """Range, zeros and distinct values of what it was given."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.voxels = self.zeros = self.nans = self.infinities = 0
        self.lowest, self.highest = np.inf, -np.inf
        self.is_whole = True
        self.distinct = np.empty(0, header.dtype)
        self.has_more = False

    def count(self, stored: NDArray, times: NDArray[np.int64] | int = 1) -> None:
        """Count stored values, each of them once or as often as `times` says."""
        times = np.broadcast_to(times, stored.shape)
        values = self.header.scaled(stored)
        is_known = np.isfinite(values)
        self.voxels += int(times.sum())
        self.nans += int(times[np.isnan(values)].sum())
        self.infinities += int(times[np.isinf(values)].sum())
        self.zeros += int(times[values == 0].sum())
        if is_known.any():
            known = values[is_known]
            self.lowest = min(self.lowest, float(known.min()))
            self.highest = max(self.highest, float(known.max()))
            self.is_whole = self.is_whole and bool((known == np.rint(known)).all())
        if is_known.any() and not self.has_more:
            distinct = np.union1d(self.distinct, stored[is_known])
            self.has_more = distinct.size > MAX_DISTINCT
            self.distinct = distinct[:MAX_DISTINCT]

    @property
    def bins(self) -> tuple[int, float, float] | None:
        """Number of bins, lower end and upper end; None where there is nothing to count."""
        low, high = self.lowest, self.highest
        if not np.isfinite(high - low):
            return None
        if self.is_whole and max(abs(low), abs(high)) < _MAX_WHOLE:
            # Bins of equally many whole numbers each: uneven ones would look like a comb.
            width = np.ceil((high - low + 1) / _BINS)
            number = int(np.ceil((high - low + 1) / width))
            return number, low - 0.5, low - 0.5 + number * width
        if low == high:
            half = max(abs(low), 1.0) / 2
            largest = float(np.finfo(np.float64).max)
            return 1, max(low - half, -largest), min(high + half, largest)
        has_room = bool((np.diff(np.linspace(low, high, _BINS + 1)) > 0).all())
        return (_BINS if has_room else 1), low, high

    def histogram(
        self, stored: NDArray, times: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """How many of the stored values fall into each bin."""
        if self.bins is None:
            return np.empty(0, np.int64)
        number, low, high = self.bins
        values = self.header.scaled(stored)
        is_known = np.isfinite(values)
        weights = None if times is None else times[is_known]
        counts = np.histogram(values[is_known], number, (low, high), weights=weights)[0]
        return np.asarray(counts, np.int64)

    def survey(self, counts: NDArray[np.int64]) -> Survey:
        """All of it as a value."""
        number, low, high = self.bins or (0, 0.0, 0.0)
        edges = np.linspace(low, high, number + 1) if number else np.empty(0)
        edges.setflags(write=False)
        counts.setflags(write=False)
        is_known = self.lowest <= self.highest
        return Survey(
            self.voxels,
            self.lowest if is_known else np.nan,
            self.highest if is_known else np.nan,
            self.zeros,
            self.nans,
            self.infinities,
            int(self.distinct.size),
            self.has_more,
            edges,
            counts,
        )


def fraction_alike(array: NDArray, alone: float) -> float:
    """Of pairs of neighbouring voxels above 0, how many hold one value; `alone` without a pair.

    Examples
    --------
    >>> fraction_alike(np.array([[[0, 2, 2, 3]]]), 1.0), fraction_alike(np.zeros((2, 2, 2)), 1.0)
    (0.5, 1.0)
    """
    equal = pairs = 0
    for axis in range(3):
        along = np.moveaxis(array, axis, 0)
        lower, upper = along[:-1], along[1:]
        both = (lower > 0) & (upper > 0)
        pairs += int(np.count_nonzero(both))
        equal += int(np.count_nonzero(both & (lower == upper)))
    return equal / pairs if pairs else alone
