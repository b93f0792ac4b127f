"""Masks brought to the grid of an image, and checked to be binary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..atlas.atlas import resample_labels
from ..core.errors import InputError, NotBinary
from ..core.grid import Grid
from ..core.notes import InfoNote
from ..files.listing import has_image_ending, strip_ending
from ..files.paths import as_path
from ..images.masks import Mask, MaskLike, as_mask
from ..images.nifti import SpatialImage
from ..images.space import compare_spaces, space_of


def place_mask(mask: Mask, grid: Grid) -> Mask:
    """Bring a mask to the grid of an image by nearest neighbour through world coordinates.

    Each voxel of the image asks the voxel of the mask that its centre lies in. Exact ties go to
    the left, back and below, as for atlases, so that a mirrored or permuted copy of the mask
    gives the same. No value of the image is touched.

    Parameters
    ----------
    mask : Mask
    grid : Grid
        Of the image.

    Returns
    -------
    Mask
        On the grid, with a note that says how; the mask itself where it lies there already.

    Raises
    ------
    InputError
        Where the mask has voxels, and none of them comes to lie on the grid.

    Examples
    --------
    >>> fine, coarse = Grid((4, 4, 4), np.eye(4)), Grid((2, 2, 2), np.diag([2.0, 2, 2, 1]))
    >>> mask = Mask.from_array(np.ones((4, 4, 4)), fine, "all")
    >>> place_mask(mask, coarse).voxels
    8
    """
    if mask.grid.matches(grid):
        return replace(mask, grid=grid)
    labels = resample_labels(mask.array.view(np.uint8), mask.grid, grid)
    placed = Mask.from_array(labels, grid, mask.name)
    if mask.voxels and not placed.voxels:
        raise _lost(mask, grid)
    notes = (*mask.notes, _how(mask, placed))
    return replace(placed, notes=notes, sha256=mask.sha256)


def _lost(mask: Mask, grid: Grid) -> InputError:
    """Why no voxel of a mask lies on an image: it lies elsewhere, or between the voxels."""
    places = mask.grid.mm_of_index(mask.indices)
    low, high = _box(grid.to_voxel(places))
    if np.all(high > -0.5) and np.all(low < np.array(grid.shape) - 0.5):
        problem = f"has no voxel on the image: its {mask.volume_mm3:,.3g} mm³ lie between the "
        problem += f"centres of the image's voxels of {grid.voxel_volume:,.3g} mm³"
        return InputError(mask.name, problem, "give a larger region, or a finer image")
    span = _span(grid.corners())
    problem = f"has no voxel on the image: it lies at {_span(places)}; image: {span}"
    return InputError(mask.name, problem, "give a mask and an image of one space")


def _how(mask: Mask, placed: Mask) -> str:
    own, grid = mask.grid, placed.grid
    if own.exact_steps(grid) is not None and mask.voxels == placed.voxels:
        return InfoNote(f"mask {mask.name} reoriented from {own} to the image's grid ({grid})")
    sizes = f"{mask.volume_mm3:,.0f} mm³ there, {placed.volume_mm3:,.0f} mm³ here"
    return InfoNote(
        f"mask {mask.name} resampled from {own} onto the image's grid ({grid}) by nearest "
        f"neighbour in world coordinates; {sizes}"
    )


def _box(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return points.min(axis=0), points.max(axis=0)


def _span(points: np.ndarray) -> str:
    pairs = zip("xyz", *_box(points), strict=True)
    return ", ".join(f"{axis} {low:.0f}..{high:.0f} mm" for axis, low, high in pairs)


def check_overlap(name: str, own: Grid, grid: Grid) -> None:
    """Raise InputError where a map and an image have no place in common.

    Examples
    --------
    >>> grid = Grid((4, 4, 4), np.eye(4))
    >>> check_overlap("map", grid, grid)
    """
    corners, others = own.corners(), grid.corners()
    if np.any(corners.min(axis=0) > others.max(axis=0)) or np.any(
        others.min(axis=0) > corners.max(axis=0)
    ):
        problem = f"does not overlap the image: {_span(corners)} against {_span(others)}"
        raise InputError(name, problem, "give a map of the image's own space")


def space_notes(what: str, own: Grid, name: str, grid: Grid) -> tuple[str, ...]:
    """A note where a map or a mask lies in a standard space, and an image in another or none.

    Parameters
    ----------
    what : str
        The map or the mask, as in the note.
    own : Grid
        Its grid; where it is the image's, both belong together, whatever they are marked as.
    name : str
        Of the image.
    grid : Grid
        Of the image.

    Examples
    --------
    >>> template, scan = Grid((4, 4, 4), np.eye(4), 4), Grid((9, 9, 9), np.eye(4), 1)
    >>> space_notes("the map", template, "the scan", scan)[0]
    'the map is marked as standard space and the scan is not: wrong unless both were registered'
    """
    kinds = space_of(own).kind, space_of(grid).kind
    if kinds == ("template", "template"):
        return compare_spaces(what, own, name, grid)
    if kinds[0] != "template" or own.matches(grid):
        return ()
    note = f"{what} is marked as standard space and {name} is not"
    return (f"{note}: wrong unless both were registered",)


# A binary mask, or what makes one of a file that is none.


_SUFFIX = "_mask"  # what `lesion-dash mask` adds to the name of an image for that of its mask


def binary_mask(source: MaskLike) -> Mask:
    """The mask itself, or the one that is read from a path or a nibabel image.

    Where the choice of a label or a threshold is not an option, as for the regions of a measurement,
    a file of several values is refused with the file that was probably meant, or the command that
    makes a mask of it.

    Parameters
    ----------
    source : Mask, path, URL or nibabel image

    Returns
    -------
    Mask

    Raises
    ------
    InputError
        Where it cannot be read, or is not a binary mask.

    Examples
    --------
    >>> from lesion_dash.core.errors import InputError
    >>> try:
    ...     binary_mask("sample_data/atlas/synthetic_atlas.nii.gz")
    ... except InputError as error:
    ...     print(error.remedy)
    give a mask: `lesion-dash mask IMAGE --prob THIS_FILE` cuts out a region and writes its mask beside it
    """  # noqa: E501
    try:
        return as_mask(source)
    except NotBinary as error:
        remedy = "give a mask: `lesion-dash mask IMAGE --prob THIS_FILE` cuts out a region and "
        remedy += "writes its mask beside it"
        path = None if isinstance(source, Mask | SpatialImage) else as_path(source)
        if isinstance(path, Path) and (name := _mask_of(path)):
            remedy = f"give {name} beside it, its mask"
        raise InputError(error.subject, error.problem, remedy) from None


def _mask_of(path: Path) -> str:
    """Name of the mask in an image's folder that is named after it, or empty."""
    name = f"{strip_ending(path.name)}{_SUFFIX}"
    names = sorted(file.name for file in path.parent.iterdir() if has_image_ending(file.name))
    return next((other for other in names if strip_ending(other) == name), "")
