"""Signal and contrast to noise of a region, of every region of an atlas, or over time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import Atlas, resample_sparse
from ..atlas.formats import Region
from ..core.errors import InputError
from ..core.grid import Grid
from ..files.paths import AnyPath, PathInput, as_path
from ..images.maps import Map, MapLike, as_map
from ..images.masks import Mask, MaskLike
from ..images.nifti import SpatialImage
from ..images.series import Series, count_volumes, read_series
from .placing import check_overlap, space_notes
from .region_masks import DEFAULT_THRESHOLD, RegionMap
from .sampling import FEWEST_UNITS, Sample, cut_units, too_few, world_order
from .signal_definitions import DEFINITIONS, Definition, draw_units, weighted_median
from .signal_measures import (
    Bootstrap,
    Measure,
    MeasurementSetup,
    SignalQuality,
    check_same_grid,
    choices_of,
    describe_units,
    measure_all,
    native_mask,
    native_notes,
    refuse_overlap,
    sample_notes,
    set_scene,
    source_of,
)


def measure_signal(
    image: MapLike,
    signal: MaskLike,
    background: MaskLike | None = None,
    *,
    second: MapLike | None = None,
    air: MaskLike | None = None,
    coils: int = 1,
    block_mm: float = 0.0,
    resamples: int = 1000,
    seed: int = 0,
) -> SignalQuality:
    """Measure signal and contrast to noise by every definition whose regions are given.

    Everything is measured on the image as it is: masks are brought to its grid by nearest
    neighbour, since interpolating the image would smooth its noise. Give the image as it was
    acquired, not one that was registered, filtered or skull-stripped.

    Parameters
    ----------
    image : Map, path, URL or nibabel image
        Of one volume.
    signal : Mask, path, URL or nibabel image
        The region of interest.
    background : Mask, path, URL or nibabel image, optional
        For the plain recipe its SD is the noise; for contrast it is the other tissue.
    second : Map, path, URL or nibabel image, optional
        A second acquisition of the image, on the same grid.
    air : Mask, path, URL or nibabel image, optional
        Air around the head, without ghosts: noise alone.
    coils : int
        Channels that were combined as the root of the sum of squares; see `noise_factor`.
    block_mm : float
        Edge of the cubes of neighbouring voxels that the bootstrap draws together, mm; 0 draws
        single voxels, which takes them as independent. Where the image was filtered or
        interpolated, neighbours are not, and single voxels give too narrow an interval.
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    SignalQuality
        See `DEFINITIONS` for the formulas.

    Raises
    ------
    InputError
        Where a file cannot be used, two masks overlap, or a region of noise is empty, constant,
        zero-filled or quantised.

    References
    ----------
    Dietrich O, Raya JG, Reeder SB, Reiser MF, Schoenberg SO (2007). Measurement of
    signal-to-noise ratios in MR images: influence of multichannel coils, parallel imaging, and
    reconstruction filters. J Magn Reson Imaging 26, 375-385. Esteban O, et al. (2017). MRIQC:
    Advancing the automatic prediction of image quality in MRI from unseen sites. PLoS ONE 12,
    e0184661.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Mask
    >>> from lesion_dash.images.maps import Map
    >>> grid = Grid((20, 20, 20), np.eye(4))
    >>> values = np.random.default_rng(0).normal(100, 5, grid.shape)
    >>> eye = Mask.from_array(np.indices(grid.shape)[0] < 10, grid, "eye")
    >>> round(measure_signal(Map("T1w", values, grid, "", ""), eye).value("snr_within"), 1)
    20.0
    """
    drawing = Bootstrap(block_mm, resamples, seed)
    scene = set_scene(image, background, second, air, coils, drawing)
    mask = native_mask(signal, scene.image.name, scene.image.grid)
    refuse_overlap({"signal": mask} | scene.masks)
    estimates = scene.estimates(mask)
    measures = measure_all(estimates, coils)
    said = (*scene.notes, *native_notes(mask.notes), *sample_notes(estimates["signal"].sample))
    sources = scene.sources | source_of(signal, mask)
    return SignalQuality(
        scene.image.name, measures, tuple(dict.fromkeys(said)), choices_of(scene), sources
    )


# Temporal signal to noise of a time series.


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
    drawing = Bootstrap(block_mm, resamples, seed)
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


def measure_series(
    series: Series, mask: Mask, drawing: Bootstrap
) -> tuple[Measure, tuple[str, ...]]:
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


def _as_measure(series: Series, sample: Sample, zeros: float, drawing: Bootstrap) -> Measure:
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


def resampled_medians(sample: Sample, drawing: Bootstrap) -> NDArray[np.float64]:
    """The median of every bootstrap resample, shape (resamples,)."""
    generator = np.random.default_rng([drawing.seed, 0])
    order = np.argsort(sample.values)
    values, units = sample.values[order], sample.units[order]
    medians = [
        weighted_median(values, draw_units(generator, sample.unit_count)[units])
        for _ in range(drawing.resamples)
    ]
    return np.array(medians)


# Signal quality of every region of an atlas.


_ROUNDING = 1e-6  # of probabilities that are stored as float32 or interpolated


def snr_by_region(
    image: MapLike,
    atlas: Atlas,
    background: MaskLike | None = None,
    *,
    second: MapLike | None = None,
    air: MaskLike | None = None,
    coils: int = 1,
    block_mm: float = 0.0,
    resamples: int = 1000,
    seed: int = 0,
) -> SignalQuality:
    """Measure signal and contrast to noise in every region of an atlas.

    Each region in turn is the signal of `measure_signal`; for a series of volumes it is that of
    `temporal_snr`. The atlas is brought to the image, labels by nearest neighbour and
    probabilities by linear interpolation. A region that cannot be measured, such as one of fewer
    than ten voxels or one that shares some with a mask of noise, keeps a row with the reason.

    Parameters
    ----------
    image, background, second, air, coils, block_mm, resamples, seed
        See `measure_signal`; a series takes none of background, second and air.
    atlas : LabelAtlas or ProbabilityAtlas
        In the space of the image. Of probabilities, a region is where it has at least 0.5.

    Returns
    -------
    SignalQuality
        With label and region before each measure, in the order of the atlas.

    Raises
    ------
    InputError
        Where a file cannot be used, or a region of noise holds none; see `measure_signal`.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> from lesion_dash.images.maps import Map
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> noisy = np.random.default_rng(0).normal(100, 5, atlas.grid.shape)
    >>> found = snr_by_region(Map("T1w", noisy, atlas.grid, "", ""), atlas, resamples=100)
    >>> found.table.columns[:4].tolist()
    ['label', 'region', 'measure', 'value']
    """
    drawing = Bootstrap(block_mm, resamples, seed)
    if isinstance(image, Map | Mask) or count_volumes(_opened(image)) == 1:
        subject = _still(set_scene(image, background, second, air, coils, drawing))
    else:
        given = {"background": background, "second": second, "air": air}
        if spare := [name for name, value in given.items() if value is not None]:
            problem = "given with a time series, whose noise is its spread over time"
            raise InputError(spare[0], problem, "leave it out")
        subject = _subject_over_time(image, drawing)
    local = atlas.on_grid(subject.grid)
    said = space_notes(f"atlas {atlas.name}", atlas.grid, subject.name, subject.grid)
    found = [(region, _measure_region(subject, mask)) for region, mask in _masks(local)]
    return SignalQuality(
        subject.name,
        tuple(measure for _, measures in found for measure in measures),
        (*subject.notes, *native_notes(local.notes), *said),
        subject.choices | {"atlas": atlas.name},
        subject.sources | atlas.sources,
        tuple((region.label, region.name) for region, measures in found for _ in measures),
    )


@dataclass(frozen=True, eq=False)
class _Subject:
    """What every region is measured in."""

    name: str
    grid: Grid
    measure: Callable[[Mask], tuple[Measure, ...]]
    notes: tuple[str, ...]
    choices: dict[str, Any]
    sources: dict[str, str]


def _opened(image: PathInput | SpatialImage) -> AnyPath | SpatialImage:
    return image if isinstance(image, SpatialImage) else as_path(image)


def _still(scene: MeasurementSetup) -> _Subject:
    def measure(mask: Mask) -> tuple[Measure, ...]:
        refuse_overlap({"region": mask} | scene.masks)
        return measure_all(scene.estimates(mask), scene.coils)

    grid, choices = scene.image.grid, choices_of(scene)
    return _Subject(scene.image.name, grid, measure, scene.notes, choices, scene.sources)


def _subject_over_time(image: PathInput | SpatialImage, drawing: Bootstrap) -> _Subject:
    series = time_series(image)

    def measure(mask: Mask) -> tuple[Measure, ...]:
        return (measure_series(series, mask, drawing)[0],)

    sources = source_of_series(image, series)
    notes = tuple(notes_of_series(series))
    return _Subject(series.name, series.grid, measure, notes, choices_of(drawing), sources)


def _masks(atlas: Atlas) -> Iterator[tuple[Region, Mask]]:
    """The mask of each region on the grid that the atlas was brought to."""
    bounds = pairwise(atlas.maps.indptr.tolist())
    for region, (first, last) in zip(atlas.regions, bounds, strict=True):
        likely = atlas.maps.data[first:last] >= DEFAULT_THRESHOLD - _ROUNDING
        indices = np.sort(atlas.maps.indices[first:last][likely])
        yield region, Mask(atlas.grid, indices, region.name)


def _measure_region(subject: _Subject, mask: Mask) -> tuple[Measure, ...]:
    """The measures of a region; one that cannot be measured does not stop the others."""
    try:
        return subject.measure(mask)
    except InputError as fault:
        empty = Measure(
            "", _NAN, _NAN, _NAN, "", "", subject.name, mask.name, "", mask.voxels, 0,
            _NAN, _NAN, _NAN, "", fault.reason,
        )  # fmt: skip
        return (empty,)


# Signal and contrast to noise of a template's region, measured on the native image.


_FEWEST_RESAMPLES = 100
"""To see whether a region is refused, no interval is needed."""

_INPUTS = {
    "background": ("background",),
    "air": ("air",),
    "pair_signal": ("second",),
    "difference": ("second",),
    "pair_background": ("background", "second"),
}
"""What has to be given for a role of a definition."""


@dataclass(frozen=True, eq=False)
class NativeSignal:
    """What could be measured, and why the rest could not.

    Parameters
    ----------
    quality : SignalQuality
    given : tuple of str
        Which of ``background``, ``second`` and ``air`` were given.
    refusals : dict of str to InputError
        What is wrong with those that are.
    """

    quality: SignalQuality
    given: tuple[str, ...]
    refusals: dict[str, InputError]

    @property
    def refused(self) -> tuple[tuple[Definition, InputError], ...]:
        """Definitions whose inputs were given, and what is wrong with one of these."""
        found = []
        for one in DEFINITIONS:
            inputs = {name for role in one.needs for name in _INPUTS.get(role, ())}
            wrong = [error for name, error in self.refusals.items() if name in inputs]
            if wrong and inputs <= set(self.given):
                found.append((one, wrong[0]))
        return tuple(found)


def region_on(region: RegionMap, grid: Grid) -> RegionMap:
    """A region with its probabilities on another grid, for many thresholds to be tried there.

    Parameters
    ----------
    region : RegionMap
    grid : Grid

    Returns
    -------
    RegionMap
        Whose masks on the grid are those of the region, found faster; a region of labels, and one
        that lies on the grid, as it is.

    Raises
    ------
    InputError
        Where map and grid do not overlap.
    """
    if region.probabilities is None or region.grid.matches(grid):
        return region
    check_overlap(region.name, region.grid, grid)
    places, shares = resample_sparse(region.indices, region.probabilities, region.grid, grid)
    note = f"probabilities brought from {region.grid} to these voxels by linear interpolation"
    notes = (*region.notes, note)
    return replace(region, grid=grid, indices=places, probabilities=shares, notes=notes)


def leave_out(mask: Mask, other: Mask) -> Mask:
    """A mask without the voxels of another one, such as that of its neighbour.

    Two regions that touch may come to share voxels where an image is coarser than their map.

    Parameters
    ----------
    mask, other : Mask
        On one grid.

    Examples
    --------
    >>> import numpy as np
    >>> grid = Grid((2, 2, 2), np.eye(4))
    >>> fat, nerve = Mask(grid, np.array([1, 2, 3]), "fat"), Mask(grid, np.array([3]), "nerve")
    >>> leave_out(fat, nerve).indices.tolist()
    [1, 2]
    """
    kept = np.setdiff1d(mask.indices, other.indices, assume_unique=True)
    shared = mask.voxels - kept.size
    if not shared:
        return mask
    note = f"{mask.name}: {shared:,} of its voxels left out, as {other.name} has them as well"
    return replace(mask, indices=kept, notes=(*mask.notes, note))


def measure_native(
    image: MapLike,
    signal: MaskLike,
    background: MaskLike | None = None,
    *,
    second: MapLike | None = None,
    air: MaskLike | None = None,
    coils: int = 1,
) -> NativeSignal:
    """Measure what can be measured: a background that holds no noise does not refuse the rest.

    Parameters are those of `measure_signal`.

    Raises
    ------
    InputError
        Where the image or the signal's mask cannot be used, masks share voxels, or the second
        acquisition is on another grid.
    """
    if second is not None:
        image, second = as_map(image), as_map(second)
        check_same_grid(image, second)
    given = {"background": background, "second": second, "air": air}
    extras = {name: one for name, one in given.items() if one is not None}
    try:
        return NativeSignal(_measure_native(image, signal, extras, coils), tuple(extras), {})
    except InputError as error:
        measure_signal(image, signal, resamples=_FEWEST_RESAMPLES)  # raises where it is the signal
        refusals = _refusals(image, signal, extras)
        if not refusals:
            raise  # all are well alone, such as masks that share voxels with one another
        rest = {name: one for name, one in extras.items() if name not in refusals}
        try:
            return NativeSignal(
                _measure_native(image, signal, rest, coils), tuple(extras), refusals
            )
        except InputError:
            raise error from None


def _measure_native(
    image: MapLike, signal: MaskLike, extras: Mapping[str, Any], coils: int
) -> SignalQuality:
    return measure_signal(image, signal, coils=coils, **extras)


def _refusals(image: MapLike, signal: MaskLike, extras: Mapping[str, Any]) -> dict[str, InputError]:
    refusals = {}
    for name, one in extras.items():
        try:
            measure_signal(image, signal, resamples=_FEWEST_RESAMPLES, **{name: one})
        except InputError as error:
            refusals[name] = error
    return refusals
