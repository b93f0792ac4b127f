"""Make an image of an array: which numbers NIfTI takes, which axes they have, where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import PathInput, as_path
from ..grid import Grid
from ..images.header import make_image
from ..images.writing import Nifti1Image
from .placement import (
    Placement,
    Shape,
    file_checksum,
    place_by_affine,
    place_centred,
    place_like,
    read_affine,
)
from .reading import StoredArray

_SIZE_TOLERANCE_MM = 1e-3
_MOST_VOLUMES = 2**15 - 1
_DESCRIPTION = "lesion_dash: made from an array"


@dataclass(frozen=True, eq=False)
class Converted:
    """An array as an image.

    Parameters
    ----------
    array : array, shape of the grid, or with the volumes as a fourth axis
        Read-only, of a type that NIfTI has.
    placement : Placement
        Where the voxels lie, and how that is known.
    notes : tuple of str
        What was changed, a sentence each.
    """

    array: NDArray
    placement: Placement
    notes: tuple[str, ...]

    def to_nifti(self) -> Nifti1Image:
        """The image, of the type of the array."""
        image = make_image(self.placement.grid, self.array, _DESCRIPTION)
        if self.array.ndim == 4:
            zooms = image.header.get_zooms()[:3]
            image.header.set_zooms((*zooms, self.placement.repetition_time))
            if self.placement.repetition_time:
                image.header.set_xyzt_units("mm", "sec")
        return image


def convert_array(
    stored: StoredArray,
    like: PathInput | None = None,
    voxel_size: Sequence[float] | None = None,
    orientation: str | None = None,
    affine: PathInput | None = None,
) -> Converted:
    """Make an image of an array, at the place that is given.

    An array of numbers says nothing about where its voxels lie. One of `like`, `voxel_size` with
    `orientation`, and `affine` says it, where the array's file holds no affine; where it does, the
    two must agree.

    Parameters
    ----------
    stored : StoredArray
        See :func:`read_array`. Three axes in the order of a NIfTI image, first x, or four, the
        volumes last; further axes of length one are left out.
    like : path or URL, optional
        A NIfTI image of the same shape.
    voxel_size : sequence of float, length 3, optional
        Edges in mm, along the axes of the array; the middle of the array is at 0, 0, 0 mm.
    orientation : str, optional
        Where each axis grows to, such as ``RAS``.
    affine : path or URL, optional
        File of a 4 x 4 matrix from voxels to mm, RAS: text or ``.npy``.

    Returns
    -------
    Converted
        Truth values become uint8, half precision becomes single, int64 and uint64 become int32 or
        uint32 where the values allow it; the other types are kept.

    Raises
    ------
    InputError
        Where no place is given, two contradict each other, or the array is no image.

    Examples
    --------
    >>> from pathlib import Path
    >>> stored = StoredArray(Path("mask.npy"), "", np.ones((4, 4, 2), bool), None, (), "")
    >>> made = convert_array(stored, voxel_size=(1, 1, 3), orientation="RAS")
    >>> made.array.dtype, made.placement.grid.voxel_volume
    (dtype('uint8'), 3.0)
    """
    array, axes_notes = _check_axes(stored)
    shape: Shape = (array.shape[0], array.shape[1], array.shape[2])
    given = _given_placement(array.shape, like, voxel_size, orientation, affine)
    placement, space_notes = _reconcile(stored, shape, given, voxel_size is not None)
    values, type_notes = _nifti_values(stored, array)
    values.setflags(write=False)
    if array.ndim == 4 and not placement.repetition_time:
        space_notes += ("the time between volumes is not stated",)
    notes = axes_notes + space_notes + placement.notes + type_notes + _note_infinite(values)
    return Converted(values, placement, notes)


def _check_axes(stored: StoredArray) -> tuple[NDArray, tuple[str, ...]]:
    array = stored.array
    notes: tuple[str, ...] = ()
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim < stored.array.ndim:
        notes = (f"of shape {stored.array.shape}: axes of length one at the end are left out",)
    if array.ndim not in (3, 4):
        problem = f"is no volume: an array of shape {stored.array.shape}, three or four axes needed"
        remedy = "save a slice as array[:, :, None]" if array.ndim == 2 else "save one volume of it"
        raise InputError(stored.path, problem, remedy)
    if array.ndim == 4 and array.shape[3] > _MOST_VOLUMES:
        problem = f"has {array.shape[3]:,} volumes, {_MOST_VOLUMES:,} at most"
        raise InputError(stored.path, problem, "put the axis of the volumes last")
    if array.ndim == 4 and array.shape[0] == 1:
        said = f"of shape {array.shape}, taken as {array.shape[3]:,} volumes of one sagittal slice"
        notes += (f"{said}: where the first axis is a channel or a batch, save array[0]",)
    return array, notes


def _given_placement(
    lengths: tuple[int, ...],
    like: PathInput | None,
    voxel_size: Sequence[float] | None,
    orientation: str | None,
    affine: PathInput | None,
) -> Placement | None:
    """Where the voxels lie as the user says, or None."""
    if (voxel_size is None) != (orientation is None):
        missing = "--voxel-size" if voxel_size is None else "--orientation"
        remedy = "a size without an orientation leaves left and right open: give both"
        raise InputError(missing, "is missing", remedy)
    names = {"--like": like, "--voxel-size": voxel_size, "--affine": affine}
    chosen = [name for name, value in names.items() if value is not None]
    if len(chosen) > 1:
        raise InputError(" and ".join(chosen), "are both given", "give one of them")
    shape: Shape = (lengths[0], lengths[1], lengths[2])
    if like is not None:
        return place_like(like, lengths)
    if voxel_size is not None and orientation is not None:
        return place_centred(shape, voxel_size, orientation)
    if affine is not None:
        path = as_path(affine)
        matrix, said = read_affine(path), f"placed by the affine of {path.name}"
        placed = place_by_affine(shape, matrix, path, said)
        return replace(placed, sources={str(path): file_checksum(path)})
    return None


def _reconcile(
    stored: StoredArray, shape: Shape, given: Placement | None, is_centred: bool
) -> tuple[Placement, tuple[str, ...]]:
    """The place that is given, or the file's own one; where there are both, they must agree."""
    if stored.affine is None:
        if given is None:
            raise InputError(stored.path, "an array does not say where its voxels lie", _ASK)
        return given, (given.source,)
    own = place_by_affine(shape, stored.affine, stored.path, "placed by the affine in its file")
    if given is None:
        return own, (own.source,)
    if not (_same_axes if is_centred else _same_voxels)(own.grid, given.grid):
        difference = own.grid.difference(given.grid)
        problem = f"the affine in the file contradicts what is given: {difference}"
        raise InputError(stored.path, problem, "leave out what is given, or save the array alone")
    if is_centred:
        return own, (own.source,)
    return given, (f"{given.source}, as the affine in its file has it",)


def _same_voxels(own: Grid, given: Grid) -> bool:
    return own.matches(given)


def _same_axes(own: Grid, given: Grid) -> bool:
    """Whether size and orientation are the same: where the middle lies was only assumed."""
    sizes = own.voxel_size, given.voxel_size
    near = np.allclose(*sizes, rtol=0, atol=_SIZE_TOLERANCE_MM)
    return near and own.orientation == given.orientation


_ASK = (
    "say it with --like IMAGE (of the same shape), with --voxel-size X Y Z and --orientation RAS, "
    "or with --affine FILE"
)


def _nifti_values(stored: StoredArray, array: NDArray) -> tuple[NDArray, tuple[str, ...]]:
    """The values in a type that NIfTI readers know, and the machine's byte order."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "c":
        remedy = "save the magnitude, numpy.abs(array), or one part of it"
        raise InputError(stored.path, f"holds complex values ({array.dtype})", remedy)
    if kind == "b":
        # A damaged file may hold other bytes than 0 and 1; both count as true, as in numpy.
        return (array.view(np.uint8) != 0).view(np.uint8), ("truth values are saved as 0 and 1",)
    if kind == "f" and size == 2:
        return array.astype(np.float32), ("half precision is saved as single precision, exactly",)
    if kind in "iu" and size == 8:
        return _narrowed(stored, array)
    return array.astype(array.dtype.newbyteorder("="), copy=False).view(), ()


def _note_infinite(values: NDArray) -> tuple[str, ...]:
    infinite = int(np.isinf(values).sum()) if values.dtype.kind == "f" else 0
    if not infinite:
        return ()
    return (f"infinite value in {infinite:,} voxels, which other commands refuse",)


def _narrowed(stored: StoredArray, array: NDArray) -> tuple[NDArray, tuple[str, ...]]:
    low, high = int(array.min()), int(array.max())
    for dtype in (np.int32, np.uint32):
        limits = np.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            name = np.dtype(dtype).name
            note = (
                f"{array.dtype.name} is saved as {name}: every value fits, and every reader has it"
            )
            return array.astype(dtype), (note,)
    problem = f"holds whole numbers from {low} to {high}, more than 32 bits"
    raise InputError(stored.path, problem, "save array.astype(float), where that is meant")
