"""Signal and contrast to noise of a region, of every region of an atlas, or over time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import Atlas, resample_sparse
from ..atlas.formats import Region
from ..core.defaults import BLOCK_MM, COILS, REGION_THRESHOLD, RESAMPLES, SEED
from ..core.errors import InputError
from ..core.grid import Grid
from ..core.notes import InfoNote
from ..files.paths import PathInput, as_path
from ..images.maps import Map, MapLike, as_map
from ..images.masks import Mask, MaskLike
from ..images.nifti import SpatialImage
from ..images.series import Series, count_volumes, read_series
from ..images.space import compare_spaces
from .placing import check_overlap, space_notes
from .region_masks import RegionMap
from .sampling import FEWEST_UNITS, Sample, cut_units, too_few, world_order
from .signal_definitions import DEFINITIONS, Definition, draw_units, weighted_median
from .signal_measures import (
    FEWEST_RESAMPLES,
    Bootstrap,
    Measure,
    MeasurementSetup,
    SignalQuality,
    check_same_grid,
    describe_units,
    native_mask,
    native_notes,
    set_up,
    source_of,
)


def measure_signal(
    image: MapLike,
    signal: MaskLike,
    background: MaskLike | None = None,
    *,
    second: MapLike | None = None,
    air: MaskLike | None = None,
    coils: int = COILS,
    block_mm: float = BLOCK_MM,
    resamples: int = RESAMPLES,
    seed: int = SEED,
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
    >>> from lesion_dash import Grid, Map, Mask
    >>> grid = Grid((20, 20, 20), np.eye(4))
    >>> values = np.random.default_rng(0).normal(100, 5, grid.shape)
    >>> eye = Mask.from_array(np.indices(grid.shape)[0] < 10, grid, "eye")
    >>> round(measure_signal(Map("T1w", values, grid, "", ""), eye).value("snr_within"), 1)
    20.0
    """
    bootstrap = Bootstrap(block_mm, resamples, seed)
    return _measure_mask(set_up(image, background, second, air, coils, bootstrap), signal)


def _measure_mask(setup: MeasurementSetup | _SeriesSetup, signal: MaskLike) -> SignalQuality:
    image = setup.image
    mask = native_mask(signal, image.name, image.grid)
    measures, notes = setup.measure(mask)
    unique = tuple(dict.fromkeys((*setup.notes, *native_notes(mask.notes), *notes)))
    sources = setup.sources | source_of(signal, mask)
    return SignalQuality(image.name, measures, unique, setup.parameters, sources)


# Temporal signal to noise of a time series.


_FORMULA = "median over the mask of (mean over time / SD over time)"
_SOURCE = "Krueger and Glover 2001; the median as in MRIQC"
_CHUNK = 2**14  # voxels of a series in memory as float64: 26 MB of 200 volumes; arbitrary
_FEWEST_VOLUMES = 3  # fewer give no spread over time


def temporal_snr(
    image: PathInput | SpatialImage,
    signal: MaskLike,
    *,
    block_mm: float = BLOCK_MM,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> SignalQuality:
    """Measure the temporal signal to noise of a series: the median over a mask.

    In each voxel the mean over time is divided by the SD over time (divisor n). Drift is not
    removed and counts as noise. Voxels that never change are left out, and a note counts them.

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
    >>> import numpy as np
    >>> from lesion_dash import Grid, Mask
    >>> values = np.random.default_rng(0).normal(100, 5, (8, 8, 8, 200))
    >>> brain = Mask.from_array(np.ones((8, 8, 8)), Grid((8, 8, 8), np.eye(4)), "brain")
    >>> quality = temporal_snr(nib.Nifti1Image(values, np.eye(4)), brain)
    >>> round(quality.value("snr_temporal"))
    20
    """
    return _measure_mask(_set_up_series(image, Bootstrap(block_mm, resamples, seed)), signal)


@dataclass(frozen=True, eq=False)
class _SeriesSetup:
    """As `MeasurementSetup`, for the spread over time."""

    image: Series
    bootstrap: Bootstrap
    notes: tuple[str, ...]
    sources: dict[str, str]

    @property
    def parameters(self) -> dict[str, Any]:
        return asdict(self.bootstrap)

    def measure(self, mask: Mask) -> tuple[tuple[Measure, ...], tuple[str, ...]]:
        if not mask.voxels:
            raise InputError(mask.name, "mask is empty: no voxel of the image lies in it")
        indices, millimetres = world_order(self.image.grid, mask.indices)
        ratios, zeros = _over_time(self.image, indices)
        varies = np.isfinite(ratios)
        if not varies.any():
            problem = f"is constant over time: none of its {mask.voxels:,} voxels varies"
            raise InputError(mask.name, problem, "let the mask lie where the series has signal")
        edge = float(self.image.grid.voxel_size.min())
        units, block_mm = cut_units(millimetres[varies], self.bootstrap.block_mm, edge)
        sample = Sample(mask.name, ratios[varies], units, block_mm, int((~varies).sum()))
        excluded = f"{mask.name}: {sample.unknown:,} voxels that are constant or NaN excluded"
        return (self._measure(sample, zeros),), (excluded,) if sample.unknown else ()

    def _measure(self, sample: Sample, zeros: float) -> Measure:
        low, high, reason = np.nan, np.nan, ""
        if sample.unit_count < FEWEST_UNITS:
            reason = too_few(sample.unit_count)
        else:
            low, high = np.percentile(resampled_medians(sample, self.bootstrap), [2.5, 97.5])
        return Measure(
            measure="snr_temporal",
            value=float(np.median(sample.values)),
            low=float(low),
            high=float(high),
            formula=_FORMULA,
            source=_SOURCE,
            image=self.image.name,
            signal=sample.name,
            noise=f"{self.image.volumes} volumes",
            signal_voxels=sample.values.size,
            noise_voxels=sample.values.size,
            signal_zeros_percent=100 * zeros,
            noise_zeros_percent=100 * zeros,
            interval=describe_units([sample], self.bootstrap.resamples, "percentiles"),
            reason=reason,
        )


def _set_up_series(image: PathInput | SpatialImage, bootstrap: Bootstrap) -> _SeriesSetup:
    series = read_series(image)
    if series.volumes < _FEWEST_VOLUMES:
        problem = f"no time series: {series.volumes} volumes, at least {_FEWEST_VOLUMES} expected"
        raise InputError(series.name, problem, "give an image with a volume for each time")
    # Notes of a series begin with the name of their file, which here is that of the result.
    file = f"{series.paths[0].name}: " if series.paths else ""
    notes = native_notes(tuple(type(note)(note.removeprefix(file)) for note in series.notes))
    name = series.name if isinstance(image, SpatialImage) else str(as_path(image))
    return _SeriesSetup(series, bootstrap, tuple(notes), {name: "".join(series.sha256)})


def _over_time(series: Series, indices: NDArray[np.integer]) -> tuple[NDArray[np.float64], float]:
    """Mean / SD of each voxel, NaN where it does not vary, and the share of zeros."""
    ratios, zeros = np.full(indices.size, np.nan), 0
    for start in range(0, indices.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        values = series.rows[:, indices[part]].astype(np.float64)
        zeros += int((values == 0).sum())
        # The mean of equal values may miss them by a rounding, and their SD miss 0.
        varies = np.isfinite(values).all(axis=0) & (np.ptp(values, axis=0) > 0)
        chosen = values[:, varies]
        ratios[part][varies] = chosen.mean(axis=0) / chosen.std(axis=0)
    return ratios, zeros / (indices.size * series.volumes)


def resampled_medians(sample: Sample, bootstrap: Bootstrap) -> NDArray[np.float64]:
    """The median of every bootstrap resample, shape (resamples,)."""
    generator = np.random.default_rng([bootstrap.seed, 0])
    order = np.argsort(sample.values)
    values, units = sample.values[order], sample.units[order]
    medians = [
        weighted_median(values, draw_units(generator, sample.unit_count)[units])
        for _ in range(bootstrap.resamples)
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
    coils: int = COILS,
    block_mm: float = BLOCK_MM,
    resamples: int = RESAMPLES,
    seed: int = SEED,
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
    atlas : Atlas
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
    >>> import numpy as np
    >>> from lesion_dash import Map, load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> noisy = np.random.default_rng(0).normal(100, 5, atlas.grid.shape)
    >>> quality = snr_by_region(Map("T1w", noisy, atlas.grid, "", ""), atlas, resamples=100)
    >>> quality.table.columns[:4].tolist()
    ['label', 'region', 'measure', 'value']
    """
    bootstrap = Bootstrap(block_mm, resamples, seed)
    setup: MeasurementSetup | _SeriesSetup
    if not isinstance(image, Map | Mask | SpatialImage):
        image = as_path(image)
    if isinstance(image, Map | Mask) or count_volumes(image) == 1:
        setup = set_up(image, background, second, air, coils, bootstrap)
        measure = partial(setup.measure, role="region")
    else:
        given = {"background": background, "second": second, "air": air}
        if excess := [name for name, value in given.items() if value is not None]:
            problem = "given with a time series, whose noise is its spread over time"
            raise InputError(excess[0], problem, "leave it out")
        setup = _set_up_series(image, bootstrap)
        measure = partial(setup.measure)
    name, grid = setup.image.name, setup.image.grid
    local = atlas.on_grid(grid)
    # An image on the atlas's own grid belongs to it, whatever both are marked as.
    notes = space_notes(f"atlas {atlas.name}", atlas.grid, name, grid)
    of_maps = compare_spaces("the atlas", atlas.grid, "the map", grid)
    on_atlas = tuple(note for note in local.notes if note not in of_maps)
    rows: list[tuple[Region, Measure]] = []
    for region, mask in _masks(local):
        try:
            measures, _ = measure(mask)
        except InputError as error:  # of one region; the others are measured
            empty = Measure(image=name, signal=mask.name, signal_voxels=mask.voxels)
            measures = (replace(empty, reason=error.reason),)
        rows += [(region, row) for row in measures]
    return SignalQuality(
        name,
        tuple(row for _, row in rows),
        (*setup.notes, *native_notes(on_atlas), *notes),
        setup.parameters | {"atlas": atlas.name},
        setup.sources | atlas.sources,
        tuple((region.label, region.name) for region, _ in rows),
    )


def _masks(atlas: Atlas) -> Iterator[tuple[Region, Mask]]:
    """The mask of each region on the grid that the atlas was brought to."""
    bounds = pairwise(atlas.maps.indptr.tolist())
    for region, (first, last) in zip(atlas.regions, bounds, strict=True):
        likely = atlas.maps.data[first:last] >= REGION_THRESHOLD - _ROUNDING
        indices = np.sort(atlas.maps.indices[first:last][likely])
        yield region, Mask(atlas.grid, indices, region.name)


# Signal and contrast to noise of a template's region, measured on the native image.


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
        refused = []
        for definition in DEFINITIONS:
            inputs = {name for role in definition.needs for name in _INPUTS.get(role, ())}
            errors = [error for name, error in self.refusals.items() if name in inputs]
            if errors and inputs <= set(self.given):
                refused.append((definition, errors[0]))
        return tuple(refused)


def region_on(region: RegionMap, grid: Grid) -> RegionMap:
    """A region with its probabilities on another grid, for many thresholds to be tried there.

    Returns
    -------
    RegionMap
        Its masks on the grid are those of the region, computed faster; a region of labels, and one
        that lies on the grid, stay as they are.

    Raises
    ------
    InputError
        Where map and grid do not overlap.
    """
    if region.probabilities is None or region.grid.matches(grid):
        return region
    check_overlap(region.name, region.grid, grid)
    indices, values = resample_sparse(region.indices, region.probabilities, region.grid, grid)
    note = f"probabilities brought from {region.grid} to these voxels by linear interpolation"
    notes = (*region.notes, InfoNote(note))
    return replace(region, grid=grid, indices=indices, probabilities=values, notes=notes)


def leave_out(mask: Mask, other: Mask) -> Mask:
    """A mask without the voxels of another one, such as that of its neighbour.

    Two regions that touch may come to share voxels where an image is coarser than their map. Both
    masks are on one grid.

    Examples
    --------
    >>> import numpy as np
    >>> grid = Grid((2, 2, 2), np.eye(4))
    >>> fat, nerve = Mask(grid, np.array([1, 2, 3]), "fat"), Mask(grid, np.array([3]), "nerve")
    >>> leave_out(fat, nerve).indices.tolist()
    [1, 2]
    """
    indices = np.setdiff1d(mask.indices, other.indices, assume_unique=True)
    shared = mask.voxels - indices.size
    if not shared:
        return mask
    note = f"{mask.name}: {shared:,} of its voxels excluded, as {other.name} has them as well"
    return replace(mask, indices=indices, notes=(*mask.notes, note))


def measure_native(
    image: MapLike,
    signal: MaskLike,
    background: MaskLike | None = None,
    *,
    second: MapLike | None = None,
    air: MaskLike | None = None,
    coils: int = COILS,
) -> NativeSignal:
    """Measure signal and noise, leaving out inputs of noise that cannot be used.

    Parameters
    ----------
    image, signal, background, second, air, coils
        As for `measure_signal`.

    Returns
    -------
    NativeSignal
        Its ``quality`` is what was measured; ``refusals`` says of each input that was left out
        why.

    Raises
    ------
    InputError
        Where the image or the signal's mask cannot be used, masks share voxels, or the second
        acquisition is on another grid.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Map, Mask
    >>> grid = Grid((20, 20, 20), np.eye(4))
    >>> values = np.random.default_rng(0).normal(100, 5, grid.shape)
    >>> values[10:] = 0
    >>> eye = Mask.from_array(np.indices(grid.shape)[0] < 10, grid, "eye")
    >>> air = Mask.from_array(np.indices(grid.shape)[0] >= 10, grid, "air")
    >>> native = measure_native(Map("T1w", values, grid, "", ""), eye, air=air)
    >>> round(native.quality.value("snr_within"))
    20
    >>> native.refusals["air"].problem
    'is zero-filled: all 4,000 voxels are 0, as in a skull-stripped or masked image'
    """
    if second is not None:
        image, second = as_map(image), as_map(second)
        check_same_grid(image, second)
    given = {"background": background, "second": second, "air": air}
    inputs: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    # To see whether an input is refused, no precise interval is needed.
    check = partial(measure_signal, image, signal, resamples=FEWEST_RESAMPLES)
    measure: Callable[..., SignalQuality] = partial(measure_signal, image, signal, coils=coils)
    refusals: dict[str, InputError] = {}
    try:
        return NativeSignal(measure(**inputs), tuple(inputs), refusals)
    except InputError as error:
        check()  # raises where it is the signal
        for name, value in inputs.items():
            try:
                check(**{name: value})
            except InputError as refusal:
                refusals[name] = refusal
        if not refusals:
            raise  # each is well alone, such as masks that share voxels with one another
        rest = {name: value for name, value in inputs.items() if name not in refusals}
        try:
            return NativeSignal(measure(**rest), tuple(inputs), refusals)
        except InputError:
            raise error from None
