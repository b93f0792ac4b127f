"""Signal quality of every region of an atlas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..atlas import Atlas
from ..errors import InputError
from ..files import AnyPath, PathInput, as_path
from ..grid import Grid
from ..images import Map, MapLike, Mask, MaskLike, SpatialImage, count_volumes
from ..label_tables import Region
from ..region_masks import DEFAULT_THRESHOLD, space_notes
from .measures import Measure, SignalQuality, measure_all
from .scene import Drawing, Scene, choices_of, native_notes, refuse_overlap, set_scene
from .temporal import measure_series, notes_of_series, source_of_series, time_series

_ROUNDING = 1e-6  # of probabilities that are stored as float32 or interpolated
_NAN = float("nan")


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
    >>> from lesion_dash.images import Map
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> noisy = np.random.default_rng(0).normal(100, 5, atlas.grid.shape)
    >>> found = snr_by_region(Map("T1w", noisy, atlas.grid, "", ""), atlas, resamples=100)
    >>> found.table.columns[:4].tolist()
    ['label', 'region', 'measure', 'value']
    """
    drawing = Drawing(block_mm, resamples, seed)
    if isinstance(image, Map | Mask) or count_volumes(_opened(image)) == 1:
        subject = _still(set_scene(image, background, second, air, coils, drawing))
    else:
        given = {"background": background, "second": second, "air": air}
        if spare := [name for name, value in given.items() if value is not None]:
            problem = "given with a time series, whose noise is its spread over time"
            raise InputError(spare[0], problem, "leave it out")
        subject = _over_time(image, drawing)
    local = atlas.on_grid(subject.grid)
    said = space_notes(f"atlas {atlas.name}", atlas.grid, subject.name, subject.grid)
    found = [(region, _measure(subject, mask)) for region, mask in _masks(local)]
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


def _still(scene: Scene) -> _Subject:
    def measure(mask: Mask) -> tuple[Measure, ...]:
        refuse_overlap({"region": mask} | scene.masks)
        return measure_all(scene.estimates(mask), scene.coils)

    grid, choices = scene.image.grid, choices_of(scene)
    return _Subject(scene.image.name, grid, measure, scene.notes, choices, scene.sources)


def _over_time(image: PathInput | SpatialImage, drawing: Drawing) -> _Subject:
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


def _measure(subject: _Subject, mask: Mask) -> tuple[Measure, ...]:
    """The measures of a region; one that cannot be measured does not stop the others."""
    try:
        return subject.measure(mask)
    except InputError as fault:
        empty = Measure(
            "", _NAN, _NAN, _NAN, "", "", subject.name, mask.name, "", mask.voxels, 0,
            _NAN, _NAN, _NAN, "", fault.reason,
        )  # fmt: skip
        return (empty,)
