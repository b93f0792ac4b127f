"""Signal and contrast to noise of one region of an image."""

from __future__ import annotations

from ..images import MapLike, MaskLike
from .measures import SignalQuality, measure_all
from .scene import (
    Drawing,
    choices_of,
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
    >>> from lesion_dash.images import Map
    >>> grid = Grid((20, 20, 20), np.eye(4))
    >>> values = np.random.default_rng(0).normal(100, 5, grid.shape)
    >>> eye = Mask.from_array(np.indices(grid.shape)[0] < 10, grid, "eye")
    >>> round(measure_signal(Map("T1w", values, grid, "", ""), eye).value("snr_within"), 1)
    20.0
    """
    drawing = Drawing(block_mm, resamples, seed)
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
