"""Make an image of an array: its numbers, its axes, and where its voxels lie."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import permutations
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError
from ..core.grid import Grid
from ..core.notes import InfoNote, note_on
from ..files.listing import ARRAY_ENDINGS
from ..files.paths import AnyPath, PathInput, UrlPath, as_path
from ..files.reading import checksum, open_file, read_bytes, read_text
from ..images.formats import HeaderFault
from ..images.nifti import Nifti1Image, check_affine, make_image
from ..images.reading import files_of, read_header
from ..images.sidecars import StatedTime, stated_time
from .arrays import StoredArray, read_array

Shape = tuple[int, ...]
Volume = tuple[int, int, int]

_IN_FILE = "placed by the affine in its file"

# World axis of each character of an orientation, and whether it grows.
_DIRECTIONS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
# How the notes of an image begin that tell where its voxels lie.
_SPACE_NOTES = ("units ", "sform and qform ", "sform used", "voxel size ")
# Beyond these, float32 numbers of a header no longer tell where a voxel lies.
_EDGES_MM = (1e-6, 1e6)
_SIZE_TOLERANCE_MM = 1e-3  # arbitrary: far below the voxels of any scanner
_MAX_VOLUMES = 2**15 - 1  # int16, as NIfTI-1 keeps the lengths of axes
_NO_MATRIX = ("is not a matrix of 4 x 4 numbers", "give four rows of four numbers")
_PLACEMENT_MISSING = (
    "give --like IMAGE (of the same shape), --voxel-size X Y Z with --orientation RAS, "
    "or --affine FILE"
)


@dataclass(frozen=True, eq=False)
class Placement:
    """Where an array's voxels lie, and how that is known.

    Parameters
    ----------
    grid : Grid
    source : str
        The same as text, for the notes and the provenance.
    repetition_time : float
        Time between volumes as the other image states it, s; 0 where nothing does.
    sources : dict
        SHA-256 of the files that say it, by path.
    notes : tuple of str
        What is unusual about what they say.
    """

    grid: Grid
    source: str
    repetition_time: float = 0.0
    sources: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def place_like(image: PathInput, shape: tuple[int, ...]) -> Placement:
    """The voxels of another image of the same shape.

    Parameters
    ----------
    image : path or URL
        Of a NIfTI image; of its content, its header alone is used.
    shape : tuple of int, length 3 or 4
        Of the array, whose axes may lie in any order; see :func:`arrange`.

    Raises
    ------
    InputError
        Where the image cannot be read, states no orientation, or has another shape.
    """
    path = as_path(image)
    header = read_header(path)
    if header.grid is None or header.form == "none":
        raise InputError(path, "states no orientation", "give an image that does, or --affine")
    if not fitting_orders(shape, header.grid.shape):
        own, other = _times(header.grid.shape), _times(shape)
        problem = f"has {own} voxels, the array {other}, which fit in no order of its axes"
        raise InputError(path, problem, "give the image whose voxels the array holds")
    stated = stated_time(path, header) if len(shape) > 3 else StatedTime(0.0)
    sources = {str(file): _file_checksum(file) for file in files_of(path)}
    notes = [note_on(path.name, note) for note in header.notes if note.startswith(_SPACE_NOTES)]
    notes += [*stated.notes, *([f"repetition time: {stated.doubt}"] if stated.doubt else [])]
    seconds = stated.seconds if isfinite(stated.seconds) else 0.0
    source = InfoNote(f"placed like {path.name}")
    return Placement(header.grid, source, seconds, sources, tuple(notes))


def _file_checksum(path: AnyPath) -> str:
    """SHA-256 of a file, of which no more than a piece is held."""
    if isinstance(path, UrlPath):
        return checksum(read_bytes(path))
    with os.fdopen(open_file(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place_centred(shape: Volume, voxel_size: Sequence[float], orientation: str) -> Placement:
    """Voxels of a size and an orientation, the middle of the array at 0, 0, 0 mm of no template."""
    sizes = [float(size) for size in voxel_size]
    if len(sizes) != 3 or not all(isfinite(size) and size > 0 for size in sizes):
        raise InputError("--voxel-size", f"{sizes} is not three edges in mm", "give X Y Z above 0")
    characters = orientation.upper()
    directions = [_DIRECTIONS[axis] for axis in characters if axis in _DIRECTIONS]
    if len(characters) != 3 or sorted(axis for axis, _ in directions) != [0, 1, 2]:
        rule = "give one of R and L, one of A and P, one of S and I, such as RAS"
        raise InputError("--orientation", f"{orientation!r} is not an orientation", rule)
    affine = np.eye(4) * [0, 0, 0, 1]
    for column, (axis, sign) in enumerate(directions):
        affine[axis, column] = sign * sizes[column]
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    _check_lengths("--voxel-size", affine)
    source = "placed with the middle of the array at 0, 0, 0 mm, which is not a place in a template"
    return Placement(Grid(shape, affine + 0.0, 0), source)  # + 0.0: no -0.0


def _place_by_affine(
    shape: Volume, matrix: NDArray[np.float64], subject: object, source: str
) -> Placement:
    """Voxels by a 4 x 4 matrix from voxels to mm, which the subject (a file) holds."""
    if not np.array_equal(matrix[3], [0, 0, 0, 1]):
        row = ", ".join(f"{number:g}" for number in matrix[3])
        remedy = "give the matrix from voxels to mm, four rows of four numbers"
        raise InputError(subject, f"the last row of the affine is {row}, not 0, 0, 0, 1", remedy)
    try:
        check_affine(matrix, "matrix")
    except HeaderFault as fault:
        raise InputError(subject, str(fault), "give the matrix from voxels to mm") from None
    _check_lengths(subject, matrix)
    return Placement(Grid(shape, matrix, 0), source)


def _check_lengths(subject: object, affine: NDArray[np.float64]) -> None:
    smallest, largest = _EDGES_MM
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    if edges.min() < smallest or np.abs(affine).max() > largest:
        shown = " x ".join(f"{edge:g}" for edge in edges)
        problem = f"voxels of {shown} mm, or so far away, are beyond the range of images"
        raise InputError(subject, problem, f"give mm, from {smallest:g} to {largest:,.0f}")


def read_affine(source: PathInput) -> NDArray[np.float64]:
    """Read a matrix of 4 x 4 numbers from a text file, or from a file of an array.

    Raises
    ------
    InputError
        Where the file holds anything else.
    """
    path = as_path(source)
    if path.suffix.lower() in ARRAY_ENDINGS:
        array = read_array(path).array
        if array.dtype.kind not in "iuf" or array.shape != (4, 4):
            raise InputError(path, *_NO_MATRIX)
        return array.astype(np.float64)
    text, _, _ = read_text(path, separators="\t, ")
    lines = [line.partition("#")[0].replace(",", " ").split() for line in text.splitlines()]
    rows = [cells for cells in lines if cells]
    with suppress(ValueError):
        if [len(cells) for cells in rows] == [4] * 4:
            return np.array(rows, np.float64)
    raise InputError(path, *_NO_MATRIX)


# The order of the axes: as the user says, as the shape alone can tell, or asked for.


VOLUMES = "t"
"""The letter of the axis that counts volumes, classes or channels."""

_SPACE = "xyz"
_SPATIAL = tuple(map("".join, permutations(_SPACE)))
_USUAL = {
    "xyz": "of nibabel",
    "zyx": "of SimpleITK and nnU-Net",
    "yxz": "of rows, columns and slices",
}
"""Whose arrays lie in an order: their documentations say so; the third is pydicom's."""


def arrange(
    path: AnyPath,
    array: NDArray,
    target: Shape | None,
    axes: str | None = None,
    channel: int | None = None,
    *,
    is_placed: bool = False,
) -> tuple[NDArray, tuple[str, ...]]:
    """Bring the axes of an array into the order x, y, z, and the volumes last.

    Parameters
    ----------
    path : Path or UrlPath
        Of the array, for messages.
    array : array of three or four axes
    target : tuple of int, length 3, or None
        Voxels along x, y and z of the image that the array shall lie on, where there is one.
    axes : str, optional
        The order of the axes in the array, such as ``zyx``, or ``tzyx`` where the first counts
        volumes. Without it, the only order that fits the target is taken and told, and x, y, z
        where there is no target.
    channel : int, optional
        Which volume is taken, from 0; of the first axis, where neither target nor axes say which.
    is_placed : bool
        An affine in the array's own file says where its axes lead: they are x, y, z.

    Returns
    -------
    array
        A view, of three axes or four.
    notes : tuple of str

    Raises
    ------
    InputError
        Where no order fits, several do and none was given, or there is no such volume.

    Examples
    --------
    >>> from pathlib import Path
    >>> arranged, notes = arrange(Path("a.npy"), np.zeros((5, 4, 3)), (3, 4, 5))
    >>> arranged.shape, notes[0]
    ((3, 4, 5), 'axes taken as z, y, x: 5 x 4 x 3 fits 3 x 4 x 5 voxels in no other order')
    """
    order, notes = _order_of(path, array.shape, target, axes, channel, is_placed)
    letters = _SPACE + VOLUMES * (array.ndim == 4)
    arranged = array.transpose([order.index(letter) for letter in letters])
    if channel is not None:
        return _one_volume(path, arranged, channel), notes
    if arranged.ndim == 4 and arranged.shape[3] == 1:
        where = "first" if order[0] == VOLUMES else "trailing"
        note = f"of shape {array.shape}: the {where} axis of length one is dropped"
        return arranged[..., 0], (*notes, note)
    return arranged, notes


def fitting_orders(shape: Shape, target: Shape) -> tuple[str, ...]:
    """The orders of axes in which an array fits an image; volumes lie first or last.

    Examples
    --------
    >>> fitting_orders((91, 109, 91), (91, 109, 91)), fitting_orders((2, 5, 4, 3), (3, 4, 5))
    (('xyz', 'zyx'), ('tzyx',))
    """
    return tuple(order for order in _orders(len(shape)) if _arranged(shape, order) == target)


def _orders(axes: int) -> tuple[str, ...]:
    if axes == len(_SPACE):
        return _SPATIAL
    return (*(order + VOLUMES for order in _SPATIAL), *(VOLUMES + order for order in _SPATIAL))


def _arranged(shape: Shape, order: str) -> Shape:
    return tuple(shape[order.index(letter)] for letter in _SPACE)


def _order_of(
    path: AnyPath,
    shape: Shape,
    target: Shape | None,
    axes: str | None,
    channel: int | None,
    is_placed: bool,
) -> tuple[str, tuple[str, ...]]:
    """The order of the axes, and notes on what was taken for granted."""
    given = _checked(axes, len(shape))
    possible = [order for order in _orders(len(shape)) if given in (None, order, _space(order))]
    if target is None:
        return _without_target(shape, possible, given, channel)
    fits = [order for order in possible if _arranged(shape, order) == target]
    if given is None and is_placed:
        fits = [order for order in fits if _space(order) == _SPACE]
    if not fits:
        raise InputError(path, *_no_fit(shape, target, given))
    if len(shape) == 4:
        fits = _with_known_volumes(path, shape, fits, given, channel)
    if len(fits) > 1:
        raise InputError(path, *_many(shape, target, fits))
    order = fits[0]
    if given is not None or _space(order) == _SPACE:
        return order, ()
    shown = f"{_times(shape)} fits {_times(target)} voxels in no other order"
    return order, (f"axes taken as {', '.join(order)}: {shown}",)


def _checked(axes: str | None, length: int) -> str | None:
    """The order that the user gave, checked for the number of axes."""
    if axes is None:
        return None
    order = axes.replace(",", "").replace(" ", "").lower()
    if order not in (*_SPATIAL, *_orders(4)):
        remedy = "give x, y, z in the array's order, such as zyx, and t where the volumes are"
        raise InputError("--axes", f"{axes!r} is not an order of axes", remedy)
    if VOLUMES in order and length == len(_SPACE):
        problem = f"{axes!r} names four axes, and the array has three"
        raise InputError("--axes", problem, f"give {_space(order)}")
    return order


def _space(order: str) -> str:
    return order.replace(VOLUMES, "")


def _without_target(
    shape: Shape, possible: list[str], given: str | None, channel: int | None
) -> tuple[str, tuple[str, ...]]:
    """The order where nothing has a shape to compare with."""
    ends = [order for order in possible if _space(order) == (_space(given) if given else _SPACE)]
    if len(shape) == len(_SPACE) or len(ends) == 1:
        return ends[0], ()
    last, first = ends
    if channel is not None or (shape[0] == 1 and shape[3] > 1):
        return first, ()
    if shape[0] < min(shape[1:]):
        note = f"of shape {shape}, taken as {shape[3]:,} volumes of {_times(shape[:3])} voxels"
        return last, (f"{note}: where the first axis counts volumes, give --channel or --axes",)
    return last, ()


def _with_known_volumes(
    path: AnyPath, shape: Shape, fits: list[str], given: str | None, channel: int | None
) -> list[str]:
    """The orders that fit where the first axis counts volumes only if the user knows of it."""
    is_first = all(order[0] == VOLUMES for order in fits)
    if not is_first or channel is not None or shape[0] == 1 or given in fits:
        return fits
    problem = f"is {_times(shape)}: its first axis counts {shape[0]:,} classes or volumes"
    remedy = "take one by `lesion-dash convert --channel 1`, which is the second"
    spatial = [_space(order) for order in fits]
    if len(fits) > 1:
        remedy += f", and say the order of the other axes: {_choices(spatial)}"
    raise InputError(path, problem, f"{remedy}; --axes {' or '.join(fits)} keeps all of them")


def _no_fit(shape: Shape, target: Shape, given: str | None) -> tuple[str, str]:
    fits = fitting_orders(shape, target)
    if given is None:
        problem = f"is {_times(shape)}, which fits {_times(target)} voxels as {', '.join(fits)}"
        return f"{problem} alone, and the affine in its file is of x, y, z", "omit one of the two"
    problem = f"--axes {given} makes {_times(shape)} no image of {_times(target)} voxels"
    return problem, f"what fits is --axes {' or '.join(fits)}"


def _many(shape: Shape, target: Shape, fits: list[str]) -> tuple[str, str]:
    if len({order.index(VOLUMES) for order in fits if VOLUMES in order}) == 1:
        fits = [_space(order) for order in fits]  # where the volumes lie is known
    shown = f"{_times(shape)} fits {_times(target)} voxels in {len(fits)} orders of axes"
    remedy = f"say which: {_choices(fits)}"
    return f"{shown} ({', '.join(fits)}), and a shape cannot tell which", remedy


def _choices(orders: list[str]) -> str:
    """The options to type, with whose arrays they are."""
    usual = [order for order in orders if _space(order) in _USUAL]
    named = [f"--axes {order} for arrays {_USUAL[_space(order)]}" for order in usual]
    return ", ".join(named + [f"--axes {order}" for order in orders if order not in usual])


def _one_volume(path: AnyPath, array: NDArray, channel: int) -> NDArray:
    if array.ndim == len(_SPACE):
        problem = f"holds one volume, {_times(array.shape)}, and no axis of channels"
        raise InputError(path, problem, "omit --channel")
    count = array.shape[3]
    if not 0 <= channel < count:
        problem = f"has no channel {channel}: it holds {count:,}"
        raise InputError(path, problem, f"give --channel 0 to {count - 1}")
    return array[..., channel]


def _times(shape: Shape) -> str:
    return " x ".join(map(str, shape))


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
        image = make_image(self.placement.grid, self.array, "lesion_dash: made from an array")
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
    axes: str | None = None,
    channel: int | None = None,
) -> Converted:
    """Make an image of an array, at the place that is given.

    One of `like`, `voxel_size` with `orientation`, and `affine` says where the voxels lie; where
    the array's file holds an affine as well, the two must agree.

    Parameters
    ----------
    stored : StoredArray
        See :func:`read_array`. Further axes of length one, first or last, are dropped.
    like : path or URL, optional
        A NIfTI image of the same shape.
    voxel_size : sequence of float, length 3, optional
        Edges in mm along the array's axes; its middle is at 0, 0, 0 mm.
    orientation : str, optional
        Where each axis grows to, such as ``RAS``.
    affine : path or URL, optional
        File of a 4 x 4 matrix from voxels to mm, RAS: text or ``.npy``.
    axes : str, optional
        The order of the axes, such as ``xyz`` or ``zyx`` (SimpleITK, nnU-Net), with ``t`` first or
        last for volumes; needed where several fit. The other arguments are of x, y and z.
    channel : int, optional
        The one class or volume that is taken, from 0, of an array of four axes.

    Returns
    -------
    Converted
        Truth values become uint8, half precision becomes single, int64 and uint64 become int32 or
        uint32 where the values allow it; the other types are kept.

    Raises
    ------
    InputError
        Where no place is given, two contradict each other, the array is not an image, or its axes
        may lie in several orders and none is given.

    Examples
    --------
    >>> from lesion_dash.scans import read_array
    >>> stored = read_array("sample_data/template/moving_image.pkl")
    >>> image = convert_array(stored, voxel_size=(1.5, 1.5, 1.5), orientation="LPS")
    >>> image.array.dtype, image.placement.grid.voxel_volume, image.notes
    (dtype('uint8'), 3.375, ('placed by the affine in its file',))
    """
    _check_options(like, voxel_size, orientation, affine)
    array, squeezed = _three_or_four_axes(stored)
    _check_volumes(stored, array)
    given = None if like is None else place_like(like, array.shape)
    target = None if given is None else given.grid.shape
    is_placed = stored.affine is not None
    array, arranged = arrange(stored.path, array, target, axes, channel, is_placed=is_placed)
    _check_volumes(stored, array)
    given = given or _given_placement(array.shape, voxel_size, orientation, affine)
    placement, note = _reconcile(stored, array.shape[:3], given, voxel_size is not None)
    values, type_notes = _nifti_values(stored, array)
    values.setflags(write=False)
    notes = [*squeezed, *arranged, note]
    if array.ndim == 4 and not placement.repetition_time:
        notes.append("the time between volumes is not stated")
    notes += [*placement.notes, *type_notes]
    infinite = int(np.isinf(values).sum()) if values.dtype.kind == "f" else 0
    if infinite:
        notes.append(f"infinite value in {infinite:,} voxels, which other commands refuse")
    return Converted(values, placement, tuple(notes))


def _three_or_four_axes(stored: StoredArray) -> tuple[NDArray, tuple[str, ...]]:
    """The array without axes of length one that no image has, and a note on them."""
    array, shape = stored.array, stored.array.shape
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    dropped = ["trailing"] if array.ndim < len(shape) else []
    while array.ndim > 4 and array.shape[0] == 1:
        array, dropped = array[0], ["first", *dropped[-1:]]
    if array.ndim not in (3, 4):
        problem = f"not a volume: an array of shape {shape}, three or four axes needed"
        remedy = "save a slice as array[:, :, None]" if array.ndim == 2 else "save one volume of it"
        raise InputError(stored.path, problem, remedy)
    ends = " and ".join(dict.fromkeys(dropped))
    return array, (f"of shape {shape}: {ends} axes of length one are dropped",) if ends else ()


def _check_volumes(stored: StoredArray, array: NDArray) -> None:
    if array.ndim == 4 and array.shape[3] > _MAX_VOLUMES:
        problem = f"has {array.shape[3]:,} volumes, {_MAX_VOLUMES:,} at most"
        raise InputError(stored.path, problem, "put the axis of the volumes last")


def _check_options(
    like: PathInput | None,
    voxel_size: Sequence[float] | None,
    orientation: str | None,
    affine: PathInput | None,
) -> None:
    """Raise where a place is said by halves, or twice."""
    if (voxel_size is None) != (orientation is None):
        missing = "--voxel-size" if voxel_size is None else "--orientation"
        remedy = "a size without an orientation leaves left and right open: give both"
        raise InputError(missing, "is missing", remedy)
    options = {"--like": like, "--voxel-size": voxel_size, "--affine": affine}
    given = [name for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise InputError(" and ".join(given), "are both given", "give one of them")


def _given_placement(
    shape: tuple[int, ...],
    voxel_size: Sequence[float] | None,
    orientation: str | None,
    affine: PathInput | None,
) -> Placement | None:
    """Where the voxels lie as the user says without another image, or None."""
    volume = (shape[0], shape[1], shape[2])
    if voxel_size is not None and orientation is not None:
        return _place_centred(volume, voxel_size, orientation)
    if affine is not None:
        path = as_path(affine)
        source = InfoNote(f"placed by the affine of {path.name}")
        placement = _place_by_affine(volume, read_affine(path), path, source)
        return replace(placement, sources={str(path): _file_checksum(path)})
    return None


def _reconcile(
    stored: StoredArray, shape: Any, given: Placement | None, is_centred: bool
) -> tuple[Placement, str]:
    """The placement that is given, or the file's own one; where there are both, they must agree."""
    if stored.affine is None:
        if given is None:
            problem = "an array does not say where its voxels lie"
            raise InputError(stored.path, problem, _PLACEMENT_MISSING)
        return given, given.source
    own = _place_by_affine(shape, stored.affine, stored.path, InfoNote(_IN_FILE))
    if given is None:
        return own, own.source
    agree = own.grid.matches(given.grid)
    if is_centred:  # where the middle lies was only assumed
        sizes = own.grid.voxel_size, given.grid.voxel_size
        agree = np.allclose(*sizes, rtol=0, atol=_SIZE_TOLERANCE_MM)
        agree = agree and own.grid.orientation == given.grid.orientation
    if not agree:
        difference = own.grid.difference(given.grid)
        problem = f"the affine in the file contradicts what is given: {difference}"
        raise InputError(stored.path, problem, "omit what is given, or save the array alone")
    if is_centred:
        return own, own.source
    return given, InfoNote(f"{given.source}, in agreement with the affine in its file")


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


def _narrowed(stored: StoredArray, array: NDArray) -> tuple[NDArray, tuple[str, ...]]:
    low, high = int(array.min()), int(array.max())
    for dtype in (np.dtype(np.int32), np.dtype(np.uint32)):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            note = f"{array.dtype.name} is saved as {dtype.name}"
            return array.astype(dtype), (f"{note}: every value fits, and every reader has it",)
    problem = f"holds whole numbers from {low} to {high}, more than 32 bits"
    raise InputError(stored.path, problem, "save array.astype(float) if rounding is acceptable")
