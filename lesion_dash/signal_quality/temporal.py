"""Temporal signal to noise of a time series."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import PathInput, as_path
from ..images import Mask, MaskLike, Series, SpatialImage, read_series
from .intervals import FEWEST_UNITS, too_few
from .measures import Measure, SignalQuality, describe_units
from .moments import draw_units, weighted_median
from .samples import Sample, cut_units, world_order
from .scene import Drawing, choices_of, native_mask, native_notes, source_of

_FORMULA = "median over the mask of (mean over time / SD over time)"
_SOURCE = "Krueger and Glover 2001; the median as in MRIQC"
_TOGETHER = 2**14  # voxels of a series that are in memory as float64
_FEWEST_VOLUMES = 3  # fewer give no spread over time
_NAN = float("nan")


def temporal_snr(
    image: PathInput | SpatialImage,
    signal: MaskLike,
    *,
    block_mm: float = 0.0,
    resamples: int = 1000,
    seed: int = 0,
) -> SignalQuality:
    """Measure the temporal signal to noise of a series: the median over a mask.

    In each voxel the mean over time is divided by the SD over time (divisor n). Drift is not
    removed and counts as noise. Voxels that never change are left out and told.

    Parameters
    ----------
    image : path, URL or nibabel image
        Of three volumes or more.
    signal : Mask, path, URL or nibabel image
        Brought to the series by nearest neighbour.
    block_mm, resamples, seed
        Of the bootstrap over voxels, see `measure_signal`; points of time are not resampled.

    Returns
    -------
    SignalQuality
        Of one measure, ``snr_temporal``.

    Raises
    ------
    InputError
        Where a file cannot be used, or no voxel of the mask varies over time.

    References
    ----------
    Krueger G, Glover GH (2001). Physiological noise in oxygenation-sensitive magnetic resonance
    imaging. Magn Reson Med 46, 631-637.

    Examples
    --------
    >>> import nibabel as nib
    >>> from lesion_dash import Grid, Mask
    >>> values = np.random.default_rng(0).normal(100, 5, (8, 8, 8, 200))
    >>> brain = Mask.from_array(np.ones((8, 8, 8)), Grid((8, 8, 8), np.eye(4)), "brain")
    >>> found = temporal_snr(nib.Nifti1Image(values, np.eye(4)), brain)
    >>> round(found.value("snr_temporal"))
    20
    """
    drawing = Drawing(block_mm, resamples, seed)
    series = time_series(image)
    mask = native_mask(signal, series.name, series.grid)
    measured, notes = measure_series(series, mask, drawing)
    said = (*notes_of_series(series), *native_notes(mask.notes), *notes)
    sources = source_of_series(image, series) | source_of(signal, mask)
    return SignalQuality(series.name, (measured,), said, choices_of(drawing), sources)


def time_series(image: PathInput | SpatialImage) -> Series:
    """The volumes of an image, of which there must be enough for a spread over time.

    Raises
    ------
    InputError
        Where the file is damaged, or has fewer than three volumes.
    """
    series = read_series(image)
    if series.volumes < _FEWEST_VOLUMES:
        problem = f"no time series: {series.volumes} volumes, at least {_FEWEST_VOLUMES} expected"
        raise InputError(series.name, problem, "give an image with a volume for each time")
    return series


def notes_of_series(series: Series) -> list[str]:
    """What is unusual about its one file, without that file's name."""
    name = f"{series.paths[0].name}: " if series.paths else ""
    return native_notes(tuple(note.removeprefix(name) for note in series.notes))


def source_of_series(image: PathInput | SpatialImage, series: Series) -> dict[str, str]:
    """Checksum of the series, by its path."""
    name = series.name if isinstance(image, SpatialImage) else str(as_path(image))
    return {name: "".join(series.sha256)}


def measure_series(series: Series, mask: Mask, drawing: Drawing) -> tuple[Measure, tuple[str, ...]]:
    """Temporal signal to noise inside a mask on the grid of the series, and notes on it."""
    if not mask.voxels:
        raise InputError(mask.name, "mask is empty: no voxel of the image lies in it")
    indices, millimetres = world_order(series.grid, mask.indices)
    ratios, zeros = _over_time(series, indices)
    varies = np.isfinite(ratios)
    if not varies.any():
        problem = f"is constant over time: none of its {mask.voxels:,} voxels varies"
        raise InputError(mask.name, problem, "let the mask lie where the series has signal")
    edge = float(series.grid.voxel_size.min())
    units, block_mm = cut_units(millimetres[varies], drawing.block_mm, edge)
    sample = Sample(mask.name, ratios[varies], units, block_mm, int((~varies).sum()))
    left_out = f"{mask.name}: {sample.unknown:,} voxels that are constant or NaN left out"
    notes = (left_out,) if sample.unknown else ()
    return _as_measure(series, sample, zeros, drawing), notes


def _over_time(series: Series, indices: NDArray[np.integer]) -> tuple[NDArray[np.float64], float]:
    """Mean / SD of each voxel, NaN where it does not vary, and the share of zeros."""
    ratios, zeros = np.full(indices.size, np.nan), 0
    for start in range(0, indices.size, _TOGETHER):
        part = slice(start, start + _TOGETHER)
        values = series.rows[:, indices[part]].astype(np.float64)
        zeros += int((values == 0).sum())
        # The mean of equal values may miss them by a rounding, and their SD miss 0.
        varies = np.isfinite(values).all(axis=0) & (np.ptp(values, axis=0) > 0)
        chosen = values[:, varies]
        ratios[part][varies] = chosen.mean(axis=0) / chosen.std(axis=0)
    return ratios, zeros / (indices.size * series.volumes)


def _as_measure(series: Series, sample: Sample, zeros: float, drawing: Drawing) -> Measure:
    low, high, reason = _NAN, _NAN, ""
    if sample.unit_count < FEWEST_UNITS:
        reason = too_few(sample.unit_count)
    else:
        low, high = np.percentile(resampled_medians(sample, drawing), [2.5, 97.5])
    return Measure(
        "snr_temporal",
        float(np.median(sample.values)),
        float(low),
        float(high),
        _FORMULA,
        _SOURCE,
        series.name,
        sample.name,
        f"{series.volumes} volumes",
        sample.values.size,
        sample.values.size,
        100 * zeros,
        100 * zeros,
        _NAN,
        describe_units([sample], drawing.resamples, "percentiles"),
        reason,
    )


def resampled_medians(sample: Sample, drawing: Drawing) -> NDArray[np.float64]:
    """The median of every bootstrap resample, shape (resamples,)."""
    generator = np.random.default_rng([drawing.seed, 0])
    order = np.argsort(sample.values)
    values, units = sample.values[order], sample.units[order]
    medians = [
        weighted_median(values, draw_units(generator, sample.unit_count)[units])
        for _ in range(drawing.resamples)
    ]
    return np.array(medians)
