"""Images, masks and labels resampled to a template by a transform."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError
from ..core.grid import Grid
from ..core.notes import InfoNote
from ..images.maps import Map
from ..images.masks import Mask
from ..images.survey import fraction_alike
from .sampling import (
    HALF,
    ROUNDING,
    Corners,
    Sampling,
    placed_exactly,
    voxels_by_partial_volume,
)
from .transform import Transform

_MIN_ALIKE = 0.5
"""Fraction of neighbouring voxels above 0 with one value, from which on whole numbers are labels.
Arbitrary."""


class ImageType(NamedTuple):
    """The inferred type of an image, and a note on it where it was inferred."""

    kind: Literal["mask", "labels", "intensities"]
    note: str = ""


def infer_image_type(image: Map | Mask, as_labels: bool | None = None) -> ImageType:
    """Tell what an image is.

    Fractions and negative numbers are intensities; 0 and one other whole number are a mask; other
    whole numbers are labels where at least half of the neighbouring voxels above 0 are equal, for
    regions are of one piece and tissue is not, and intensities otherwise.

    Parameters
    ----------
    image : Map or Mask
    as_labels : bool, optional
        Take it for labels, or for intensities, whatever the rule says.

    Raises
    ------
    InputError
        Where fractions are to be labels.

    Examples
    --------
    >>> from lesion_dash import read_map
    >>> infer_image_type(read_map("sample_data/atlas/synthetic_atlas.nii.gz")).kind
    'labels'
    """
    if isinstance(image, Mask):
        return ImageType("mask")
    array = _without_nan(image.array)
    is_whole = array.dtype.kind != "f" or bool((array == np.rint(array)).all())
    if as_labels and not is_whole:
        problem = "holds fractions, and is to be taken for labels"
        raise InputError(image.name, problem, "labels are whole numbers")
    if as_labels is not None:
        kind: Literal["labels", "intensities"] = "labels" if as_labels else "intensities"
        return ImageType(kind, f"taken for {kind}, as requested")
    if not is_whole or array.min(initial=0) < 0:
        return ImageType("intensities")
    if np.count_nonzero(np.unique(array)) == 1:
        return ImageType("mask", "holds 0 and one other number: taken for a mask")
    alike = fraction_alike(array, alone=0.0)
    reason = f"{alike:.0%} of neighbouring voxels above 0 are equal"
    if alike >= _MIN_ALIKE:
        return ImageType("labels", f"holds whole numbers, and {reason}: taken for labels")
    return ImageType("intensities", f"holds whole numbers, but {reason}: taken for intensities")


def _without_nan(array: NDArray) -> NDArray:
    return np.nan_to_num(array) if array.dtype.kind == "f" else array


_MIN_OUTSIDE = 0.03
"""Fraction of a lesion beyond the template that is worth a sentence. Arbitrary."""

_MAX_SUMS = 2**22
"""Partial volumes of labels held at a time: 32 MB."""


def warp_map(image: Map, transform: Transform, grid: Grid) -> Map:
    """Bring a map of intensities to a template by linear interpolation; 0 outside the image.

    A voxel that is NaN is unknown: the others that a value is interpolated from count alone, and
    it is NaN where unknown ones have more than half of the weight. Where no value needs to be
    interpolated, values and their type stay as they are, bit by bit.

    Parameters
    ----------
    image : Map
        On the moving image's grid, or any other one in its space.
    transform : Transform
        From the moving image to the template.
    grid : Grid
        Of the template.

    Returns
    -------
    Map
        On the grid, with a note that says how; float32, or float64 where float32 cannot hold
        the map's numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Map
    >>> from lesion_dash.scans import Transform
    >>> grid = Grid((3, 1, 1), np.eye(4))
    >>> image = Map("scan", np.array([1.0, 2, 4]).reshape(3, 1, 1), grid, "", "")
    >>> half = np.eye(4)
    >>> half[0, 3] = 0.5
    >>> warp_map(image, Transform(half), grid).array.ravel().tolist()
    [1.0, 1.5, 3.0]
    """
    exact = placed_exactly(image.array, image.grid, transform, grid)
    if exact is not None:
        return _with_array(image, exact, grid, _EXACT)
    how = "linear interpolation"
    # The smaller of two types that hold the numbers.
    is_small = image.array.dtype.itemsize <= (4 if image.array.dtype.kind == "f" else 2)
    array: NDArray[np.floating] = image.array.astype(
        np.float32 if is_small else np.float64, copy=False
    )
    known = np.isfinite(array)
    sampling = Sampling(transform, image.grid, grid)
    if known.all():
        return _with_array(image, sampling.linear(array), grid, how)
    weight = sampling.linear(known.astype(np.float32))
    values = sampling.linear(np.where(known, array, 0))
    covered = sampling.linear(np.ones(array.shape, np.float32)) > HALF
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(weight >= HALF - ROUNDING, values / weight, np.nan)
    values = np.where(covered, values, 0).astype(array.dtype)
    unknown = int(np.isnan(values).sum())
    note = f"NaN in {known.size - int(known.sum()):,} voxels; {unknown:,} in the template"
    return _with_array(image, values, grid, how, note)


def warp_mask(mask: Mask, transform: Transform, grid: Grid) -> Mask:
    """Bring a mask to a template; it stays binary, and keeps its volume.

    The fraction that the mask has of each voxel is interpolated linearly, and averaged over the
    voxel where the template's voxels are the larger ones. A voxel belongs to the mask where its
    fraction is at least one half. Should that change the volume by more than 1 %, as for small or
    thin lesions, as many voxels of the largest fractions are kept as the volume needs. The volume
    is that of the mask times the transform's local change of volume, as far as it lies inside the
    template.

    Parameters
    ----------
    mask : Mask
    transform : Transform
        From the moving image to the template.
    grid : Grid
        Of the template.

    Returns
    -------
    Mask
        On the grid, with notes on the fraction, and on what lies beyond the template.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Mask
    >>> from lesion_dash.scans import Transform
    >>> fine, coarse = Grid((4, 4, 4), np.eye(4)), Grid((2, 2, 2), np.diag([2.0, 2, 2, 1]))
    >>> mask = Mask.from_array(np.ones((4, 4, 4)), fine, "all")
    >>> warp_mask(mask, Transform(), coarse).voxels
    8
    """
    inside = _fraction_inside(mask, transform, grid)
    array, how = placed_exactly(mask.array, mask.grid, transform, grid), _EXACT
    if array is None:
        sampling = Sampling(transform, mask.grid, grid, averages=True)
        volume = None
        if transform.is_linear and inside == 1:
            volume = mask.volume_mm3 * abs(transform.volume_factor) / grid.voxel_volume
        array, rule = voxels_by_partial_volume(
            sampling.linear(mask.array.astype(np.float32)), volume
        )
        how = f"linear interpolation, {rule}"
    notes = [*mask.notes, _note(mask.grid, grid, how)]
    if not inside:
        notes.append("lies outside the template: nothing of it is left")
    elif 1 - inside > _MIN_OUTSIDE:
        notes.append(f"{1 - inside:.0%} of it lies outside the template")
    warped = Mask.from_array(array, grid, mask.name)
    return replace(warped, notes=tuple(notes), sha256=mask.sha256)


def warp_labels(image: Map, transform: Transform, grid: Grid) -> Map:
    """Bring a map of labels to a template: each voxel takes the label with the most of it.

    Partial volumes are interpolated linearly, and averaged over the voxel where the template's
    voxels are the larger ones. Equal ones go to the larger label. No label arises that was not
    there.

    Parameters
    ----------
    image : Map
        Of whole numbers; NaN is 0.
    transform : Transform
        From the moving image to the template.
    grid : Grid
        Of the template.

    Returns
    -------
    Map
        On the grid, of the same type.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Map
    >>> from lesion_dash.scans import Transform
    >>> grid = Grid((3, 1, 1), np.eye(4))
    >>> image = Map("atlas", np.array([0, 7, 9], np.int16).reshape(3, 1, 1), grid, "", "")
    >>> shift = np.eye(4)
    >>> shift[0, 3] = 0.4
    >>> warp_labels(image, Transform(shift), grid).array.ravel().tolist()
    [0, 7, 9]
    """
    array = _without_nan(image.array)
    exact = placed_exactly(array, image.grid, transform, grid)
    if exact is not None:
        return _with_array(image, exact, grid, _EXACT)
    labels, codes = np.unique(array, return_inverse=True)
    background = int(np.searchsorted(labels, 0))
    if background == labels.size or labels[background] != 0:
        labels = np.insert(labels, background, 0)
        codes = codes + (codes >= background)
    sampling = Sampling(transform, image.grid, grid, averages=True)
    warped = np.full(grid.size, background, np.int32)
    for corners in sampling.corners(codes.reshape(array.shape).astype(np.int32), background):
        warped[corners.indices] = _prevailing(corners, labels.size)
    values = labels[warped].reshape(grid.shape, order="F")
    return _with_array(image, values, grid, "label by label")


def warp_any(
    image: Map | Mask, transform: Transform, grid: Grid, as_labels: bool | None = None
) -> Map | Mask:
    """Bring an image to a template as what it is: mask, labels or intensities.

    A note says which. `infer_image_type` separates labels from intensities.

    Parameters
    ----------
    image : Map or Mask
    transform : Transform
        From the moving image to the template.
    grid : Grid
        Of the template.
    as_labels : bool, optional
        Take a map for one of labels, or not, whatever the rule says.

    Returns
    -------
    Map or Mask
        A map of 0 and 1 becomes a mask.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Map
    >>> from lesion_dash.scans import Transform
    >>> grid = Grid((2, 1, 1), np.eye(4))
    >>> image = Map("lesion", np.array([0, 1]).reshape(2, 1, 1), grid, "", "")
    >>> warp_any(image, Transform(), grid).voxels
    1
    """
    kind, note = infer_image_type(image, as_labels)
    if isinstance(image, Mask):
        return warp_mask(image, transform, grid)
    notes = (*image.notes, note) if note else image.notes
    if kind == "mask":
        mask = Mask.from_array(np.nan_to_num(image.array), image.grid, image.name)
        return warp_mask(replace(mask, notes=notes, sha256=image.sha256), transform, grid)
    warp = warp_labels if kind == "labels" else warp_map
    return warp(replace(image, notes=notes), transform, grid)


_EXACT = "no value interpolated"


def _note(own: Grid, grid: Grid, how: str) -> str:
    return InfoNote(f"brought from {own} to {grid}: {how}")


def _with_array(image: Map, array: NDArray, grid: Grid, how: str, *notes: str) -> Map:
    array.setflags(write=False)
    notes = (*image.notes, _note(image.grid, grid, how), *notes)
    return replace(image, array=array, grid=grid, notes=notes)


def _fraction_inside(mask: Mask, transform: Transform, grid: Grid) -> float:
    """How much of a mask lies on the template's grid; 1 where that is not known."""
    if not mask.voxels or not transform.leads_to_template:
        return 1.0
    points = transform.template_points(mask.grid.mm_of_index(mask.indices))
    voxels = grid.to_voxel(points)
    margin = HALF + ROUNDING
    inside = ((voxels >= -margin) & (voxels <= np.array(grid.shape) - 1 + margin)).all(axis=1)
    return float(inside.mean())


def _prevailing(corners: Corners, labels: int) -> NDArray[np.int32]:
    """For each voxel the code with the largest sum of weights, the larger one of equal ones."""
    codes = corners.codes
    winner = codes[:, -1].copy()
    mixed = np.flatnonzero((codes != codes[:, :1]).any(axis=1))
    rows = max(_MAX_SUMS // labels, 1)
    for start in range(0, mixed.size, rows):
        part = mixed[start : start + rows]
        cells = np.arange(part.size)[:, None] * labels + codes[part]
        weights = corners.weights[part].ravel()
        sums = np.bincount(cells.ravel(), weights, minlength=part.size * labels)
        steps = np.rint(sums.reshape(-1, labels) / ROUNDING)
        winner[part] = labels - 1 - np.argmax(steps[:, ::-1], axis=1)
    return winner
