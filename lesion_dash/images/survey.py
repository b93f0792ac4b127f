"""The values of an image at a glance: range, zeros, distinct values, histogram."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .header import Header
from .image_file import ImageFile

MOST_DISTINCT = 10_000
"""Distinct values are counted exactly up to here."""

_BINS = 64
_MOST_WHOLE = 2**40  # whole numbers up to here are counted in bins between the halves


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
        Different finite values as they are stored; at most `MOST_DISTINCT` are counted.
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

    def count(stored: NDArray) -> None:
        times[:] += np.bincount(stored.astype(np.int64) - lowest, minlength=times.size)

    notes = _each_block(file, header, count)
    found = np.flatnonzero(times)
    counter = _Counter(header)
    counter.count(found + lowest, times[found])
    return counter.survey(counter.histogram(found + lowest, times[found])), notes


def _survey_wide(file: ImageFile, header: Header) -> tuple[Survey, tuple[str, ...]]:
    """Find the range in a first pass, and count the histogram in a second."""
    counter = _Counter(header)
    notes = _each_block(file, header, counter.count)
    total = np.zeros(counter.bins[0] if counter.bins else 0, np.int64)

    def count(stored: NDArray) -> None:
        total[:] += counter.histogram(stored)

    if counter.bins:
        _each_block(file, header, count)
    return counter.survey(total), notes


def _each_block(
    file: ImageFile, header: Header, action: Callable[[NDArray], None]
) -> tuple[str, ...]:
    """Give every block of values to `action`; return the notes on the file."""
    blocks = file.blocks(header)
    while True:
        try:
            action(next(blocks))
        except StopIteration as end:
            return tuple(end.value)


def scale_values(stored: NDArray, header: Header) -> NDArray[np.float64]:
    """Stored values as they are meant: stored * slope + intercept, in double precision."""
    values = stored.astype(np.float64)
    if header.is_scaled:
        with np.errstate(over="ignore", invalid="ignore"):
            values *= header.slope
            values += header.intercept
    return values


class _Counter:
    """Range, zeros and distinct values of what it was given."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.voxels = self.zeros = self.nans = self.infinities = 0
        self.lowest, self.highest = np.inf, -np.inf
        self.is_whole = True
        self.distinct = np.empty(0, header.dtype)
        self.has_more = False

    def count(self, stored: NDArray, times: NDArray[np.int64] | None = None) -> None:
        """Count stored values, each of them once or as often as `times` says."""
        if times is None:
            times = np.ones(1, np.int64)
        times = np.broadcast_to(times, stored.shape)
        values = scale_values(stored, self.header)
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
            self._tell_apart(stored[is_known])

    def _tell_apart(self, stored: NDArray) -> None:
        if self.has_more:
            return
        found = np.union1d(self.distinct, stored)
        self.has_more = found.size > MOST_DISTINCT
        self.distinct = found[:MOST_DISTINCT]

    @property
    def bins(self) -> tuple[int, float, float] | None:
        """Number of bins, lower end and upper end; None where there is nothing to count."""
        low, high = self.lowest, self.highest
        if not np.isfinite(high - low):
            return None
        if self.is_whole and max(abs(low), abs(high)) < _MOST_WHOLE:
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
        values = scale_values(stored, self.header)
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
