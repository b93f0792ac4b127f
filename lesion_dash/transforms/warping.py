"""Images, masks and labels resampled to a template by a transform."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError
from ..core.grid import Grid
from ..images.maps import Map
from ..images.masks import Mask
from .sampling import HALF, ROUNDING, Corners, Sampling, placed_exactly, voxels_by_share
from .transform import Transform

_ALIKE = 0.5
"""Share of neighbouring voxels above 0 with one value, from which on whole numbers are labels."""


class ImageType(NamedTuple):
    """What an image is taken for, and the sentence that says so; empty where it is no question."""

    kind: Literal["mask", "labels", "intensities"]
    note: str = ""


def infer_image_type(found: Map | Mask, as_labels: bool | None = None) -> ImageType:
    """Tell what an image is.

    Fractions and negative numbers are intensities; 0 and one other whole number are a mask; other
    whole numbers are labels where at least half of the neighbouring voxels above 0 are equal, for
    regions are of one piece and tissue is not, and intensities otherwise.

    Parameters
    ----------
    found : Map or Mask
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
    if isinstance(found, Mask):
        return ImageType("mask")
    array = np.nan_to_num(found.array) if found.array.dtype.kind == "f" else found.array
    is_whole = array.dtype.kind != "f" or bool((array == np.rint(array)).all())
    if as_labels is not None:
        if as_labels and not is_whole:
            problem = "holds fractions, and is to be taken for labels"
            raise InputError(found.name, problem, "labels are whole numbers")
        return (
            ImageType("labels", "taken for labels, as was asked for")
            if as_labels
            else ImageType("intensities", "taken for intensities, as was asked for")
        )
    if not is_whole or array.min(initial=0) < 0:
        return ImageType("intensities")
    if np.count_nonzero(np.unique(array)) == 1:
        return ImageType("mask", "holds 0 and one other number: taken for a mask")
    alike = _share_alike(array)
    said = f"{alike:.0%} of neighbouring voxels above 0 are equal"
    if alike >= _ALIKE:
        return ImageType("labels", f"holds whole numbers, and {said}: taken for labels")
    return ImageType("intensities", f"holds whole numbers, but {said}: taken for intensities")


def _share_alike(array: NDArray) -> float:
    """Of pairs of neighbouring voxels above 0, how many hold one value; 0 where there is none."""
    equal = pairs = 0
    for axis in range(3):
        one, next_one = (np.take(array, part, axis) for part in _neighbours(array.shape[axis]))
        both = (one > 0) & (next_one > 0)
        pairs += int(np.count_nonzero(both))
        equal += int(np.count_nonzero(both & (one == next_one)))
    return equal / pairs if pairs else 0.0


def _neighbours(length: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.arange(length - 1), np.arange(1, length)


# Images, masks and labels brought to a template by a transform.


_OUTSIDE = 0.03
"""Share of a lesion beyond the template that is worth a sentence."""

_MOST_SHARES = 2**22
"""Shares of labels held at a time."""


def warp_map(found: Map, transform: Transform, grid: Grid) -> Map:
    """Bring a map of intensities to a template by linear interpolation; 0 outside the image.

    A voxel that is NaN is unknown: the others that a value is interpolated from count alone, and
    it is NaN where unknown ones have more than half of the weight. Where no value needs to be
    interpolated, values and their type stay as they are, bit by bit.

    Parameters
    ----------
    found : Map
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
    >>> grid = Grid((3, 1, 1), np.eye(4))
    >>> found = Map("scan", np.array([1.0, 2, 4]).reshape(3, 1, 1), grid, "", "")
    >>> half = np.eye(4)
    >>> half[0, 3] = 0.5
    >>> warp_map(found, Transform(half), grid).array.ravel().tolist()
    [1.0, 1.5, 3.0]
    """
    exact = placed_exactly(found.array, found.grid, transform, grid)
    if exact is not None:
        return _with_array(found, exact, grid, _note(found.grid, grid, "no value interpolated"))
    how = _note(found.grid, grid, "linear interpolation")
    array = found.array.astype(_type_of(found.array), copy=False)
    known = np.isfinite(array)
    sampling = Sampling(transform, found.grid, grid)
    if known.all():
        return _with_array(found, sampling.linear(array), grid, how)
    share = sampling.linear(known.astype(np.float32))
    values = sampling.linear(np.where(known, array, 0))
    covered = sampling.linear(np.ones(array.shape, np.float32)) > HALF
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(share >= HALF - ROUNDING, values / share, np.nan)
    values = np.where(covered, values, 0).astype(array.dtype)
    unknown = int(np.isnan(values).sum())
    said = f"NaN in {known.size - int(known.sum()):,} voxels; {unknown:,} in the template"
    return _with_array(found, values, grid, how, said)


def warp_mask(mask: Mask, transform: Transform, grid: Grid) -> Mask:
    """Bring a mask to a template; it stays binary, and keeps its volume.

    The share that the mask has of each voxel is interpolated linearly, and averaged over the
    voxel where the template's voxels are the larger ones. A voxel belongs to the mask where its
    share is at least one half. Should that change the volume by more than 1 %, as for small or
    thin lesions, as many voxels of the largest shares are kept as the volume needs. The volume is
    that of the mask times the transform's local change of volume, as far as it lies inside the
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
        On the grid, with notes on the share, and on what lies beyond the template.

    Examples
    --------
    >>> fine, coarse = Grid((4, 4, 4), np.eye(4)), Grid((2, 2, 2), np.diag([2.0, 2, 2, 1]))
    >>> mask = Mask.from_array(np.ones((4, 4, 4)), fine, "all")
    >>> warp_mask(mask, Transform(), coarse).voxels
    8
    """
    inside = _share_inside(mask, transform, grid)
    notes = _beyond(inside)
    exact = placed_exactly(mask.array, mask.grid, transform, grid)
    if exact is not None:
        how = _note(mask.grid, grid, "no value interpolated")
        return _mask_of(exact, mask, grid, (how, *notes))
    shares = Sampling(transform, mask.grid, grid, averages=True).linear(
        mask.array.astype(np.float32)
    )
    volume = None
    if transform.is_linear and inside == 1:
        volume = mask.volume_mm3 * abs(transform.volume_factor) / grid.voxel_volume
    kept, how = voxels_by_share(shares, volume)
    how = _note(mask.grid, grid, f"linear interpolation, {how}")
    return _mask_of(kept, mask, grid, (how, *notes))


def warp_labels(found: Map, transform: Transform, grid: Grid) -> Map:
    """Bring a map of labels to a template: each voxel takes the label with the largest share.

    Shares are interpolated linearly, and averaged over the voxel where the template's voxels are
    the larger ones. Equal shares go to the larger label. No label arises that was not there.

    Parameters
    ----------
    found : Map
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
    >>> grid = Grid((3, 1, 1), np.eye(4))
    >>> found = Map("atlas", np.array([0, 7, 9], np.int16).reshape(3, 1, 1), grid, "", "")
    >>> shift = np.eye(4)
    >>> shift[0, 3] = 0.4
    >>> warp_labels(found, Transform(shift), grid).array.ravel().tolist()
    [0, 7, 9]
    """
    array = np.nan_to_num(found.array) if found.array.dtype.kind == "f" else found.array
    exact = placed_exactly(array, found.grid, transform, grid)
    if exact is not None:
        return _with_array(found, exact, grid, _note(found.grid, grid, "no value interpolated"))
    labels, codes = np.unique(array, return_inverse=True)
    background = int(np.searchsorted(labels, 0))
    if background == labels.size or labels[background] != 0:
        labels = np.insert(labels, background, 0)
        codes = codes + (codes >= background)
    sampling = Sampling(transform, found.grid, grid, averages=True)
    placed = np.full(grid.size, background, np.int32)
    corners = sampling.corners(codes.reshape(array.shape).astype(np.int32), background)
    for part in corners:
        placed[part.places] = _largest_share(part, labels.size)
    values = labels[placed].reshape(grid.shape, order="F")
    return _with_array(found, values, grid, _note(found.grid, grid, "label by label"))


def warp_any(
    found: Map | Mask, transform: Transform, grid: Grid, as_labels: bool | None = None
) -> Map | Mask:
    """Bring an image to a template as what it is: mask, labels or intensities.

    A note says which. `infer_image_type` tells labels from intensities.

    Parameters
    ----------
    found : Map or Mask
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
    >>> grid = Grid((2, 1, 1), np.eye(4))
    >>> found = Map("lesion", np.array([0, 1]).reshape(2, 1, 1), grid, "", "")
    >>> warp_any(found, Transform(), grid).voxels
    1
    """
    taken = infer_image_type(found, as_labels)
    if isinstance(found, Mask):
        return warp_mask(found, transform, grid)
    if taken.kind == "mask":
        mask = Mask.from_array(np.nan_to_num(found.array), found.grid, found.name)
        mask = replace(mask, notes=(*found.notes, taken.note), sha256=found.sha256)
        return warp_mask(mask, transform, grid)
    warp = warp_labels if taken.kind == "labels" else warp_map
    return warp(_noted(found, taken), transform, grid)


def _noted(found: Map, taken: ImageType) -> Map:
    return replace(found, notes=(*found.notes, taken.note)) if taken.note else found


def _type_of(array: NDArray) -> type[np.floating]:
    """The smaller of two types that hold the numbers."""
    is_small = array.dtype.itemsize <= (4 if array.dtype.kind == "f" else 2)
    return np.float32 if is_small else np.float64


def _with_array(found: Map, array: NDArray, grid: Grid, *notes: str) -> Map:
    array.setflags(write=False)
    return replace(found, array=array, grid=grid, notes=(*found.notes, *notes))


def _mask_of(array: NDArray, mask: Mask, grid: Grid, notes: tuple[str, ...]) -> Mask:
    made = Mask.from_array(array, grid, mask.name)
    return replace(made, notes=(*mask.notes, *notes), sha256=mask.sha256)


def _note(own: Grid, grid: Grid, how: str) -> str:
    return f"brought from {own} to {grid}: {how}"


def _share_inside(mask: Mask, transform: Transform, grid: Grid) -> float:
    """How much of a mask has a place on the template's grid; 1 where that is not known."""
    if not mask.voxels or not transform.leads_to_template:
        return 1.0
    points = transform.template_points(mask.grid.mm_of_index(mask.indices))
    voxels = grid.to_voxel(points)
    margin = HALF + ROUNDING
    lies = ((voxels >= -margin) & (voxels <= np.array(grid.shape) - 1 + margin)).all(axis=1)
    return float(lies.mean())


def _beyond(inside: float) -> tuple[str, ...]:
    """What is said of a mask of which a part has no place on the template's grid."""
    if not inside:
        return ("lies outside the template: nothing of it is left",)
    outside = 1 - inside
    return (f"{outside:.0%} of it lies outside the template",) if outside > _OUTSIDE else ()


def _largest_share(part: Corners, labels: int) -> NDArray[np.int32]:
    """For each place the code with the largest sum of weights, the larger one of equal ones."""
    codes = part.codes
    winner = codes[:, -1].copy()
    mixed = np.flatnonzero((codes != codes[:, :1]).any(axis=1))
    rows = max(_MOST_SHARES // labels, 1)
    for start in range(0, mixed.size, rows):
        chosen = mixed[start : start + rows]
        cells = np.arange(chosen.size)[:, None] * labels + codes[chosen]
        shares = np.bincount(
            cells.ravel(), part.weights[chosen].ravel(), minlength=chosen.size * labels
        )
        shares = np.rint(shares.reshape(-1, labels) / ROUNDING)
        winner[chosen] = labels - 1 - np.argmax(shares[:, ::-1], axis=1)
    return winner
