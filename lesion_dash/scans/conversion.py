"""Make an image of an array: its numbers, its axes, and where its voxels lie."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
from .axes import arrange, fitting_orders

Shape = tuple[int, int, int]

_IN_FILE = "placed by the affine in its file"

# World axis of each character of an orientation, and whether it grows.
_DIRECTIONS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
# How the notes of an image begin that tell where its voxels lie.
_SPACE_NOTES = ("units ", "sform and qform ", "sform used", "voxel size ")
# Beyond these, float32 numbers of a header no longer tell where a voxel lies.
_EDGES_MM = (1e-6, 1e6)
_SIZE_TOLERANCE_MM = 1e-3  # arbitrary: far below the voxels of any scanner
_MAX_VOLUMES = 2**15 - 1  # int16, as NIfTI-1 keeps the lengths of axes
_DESCRIPTION = "lesion_dash: made from an array"
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
        own, other = (" x ".join(map(str, lengths)) for lengths in (header.grid.shape, shape))
        problem = f"has {own} voxels, the array {other}, which fit in no order of its axes"
        raise InputError(path, problem, "give the image whose voxels the array holds")
    stated = stated_time(path, header) if len(shape) > 3 else StatedTime(0.0)
    sources = {str(file): _file_checksum(file) for file in files_of(path)}
    notes = [note_on(path.name, note) for note in header.notes if note.startswith(_SPACE_NOTES)]
    notes += [*stated.notes, *([f"repetition time: {stated.doubt}"] if stated.doubt else [])]
    source = InfoNote(f"placed like {path.name}")
    seconds = stated.seconds if isfinite(stated.seconds) else 0.0
    return Placement(header.grid, source, seconds, sources, tuple(notes))


def _file_checksum(path: AnyPath) -> str:
    """SHA-256 of a file, of which no more than a piece is held."""
    if isinstance(path, UrlPath):
        return checksum(read_bytes(path))
    with os.fdopen(open_file(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place_centred(shape: Shape, voxel_size: Sequence[float], orientation: str) -> Placement:
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
    source = "placed with the middle of the array at 0, 0, 0 mm, which is no place in a template"
    return Placement(Grid(shape, affine + 0.0, 0), source)  # + 0.0: no -0.0


def _place_by_affine(
    shape: Shape, matrix: NDArray[np.float64], subject: object, source: str
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
    try:
        if [len(cells) for cells in rows] == [4] * 4:
            return np.array(rows, np.float64)
    except ValueError:
        pass
    raise InputError(path, *_NO_MATRIX)


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
    axes: str | None = None,
    channel: int | None = None,
) -> Converted:
    """Make an image of an array, at the place that is given.

    An array of numbers says nothing about where its voxels lie. One of `like`, `voxel_size` with
    `orientation`, and `affine` says it, where the array's file holds no affine; where it does, the
    two must agree.

    Parameters
    ----------
    stored : StoredArray
        See :func:`read_array`. Of three axes, or four where there are volumes; further ones of
        length one, first or last, are left out.
    like : path or URL, optional
        A NIfTI image of the same shape.
    voxel_size : sequence of float, length 3, optional
        Edges in mm, along the axes of the array; the middle of the array is at 0, 0, 0 mm.
    orientation : str, optional
        Where each axis grows to, such as ``RAS``.
    affine : path or URL, optional
        File of a 4 x 4 matrix from voxels to mm, RAS: text or ``.npy``.
    axes : str, optional
        The order of the axes in the array, such as ``xyz`` or ``zyx`` (SimpleITK, nnU-Net), with
        ``t`` before or behind them for volumes. Needed where the array fits `like` in more than one
        order. `voxel_size`, `orientation` and `affine` are of x, y and z.
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
        Where no place is given, two contradict each other, the array is no image, or its axes may
        lie in several orders and none is given.

    Examples
    --------
    >>> from pathlib import Path
    >>> stored = StoredArray(Path("mask.npy"), "", np.ones((4, 4, 2), bool), None, (), "")
    >>> made = convert_array(stored, voxel_size=(1, 1, 3), orientation="RAS")
    >>> made.array.dtype, made.placement.grid.voxel_volume
    (dtype('uint8'), 3.0)
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
    volume: Shape = (shape[0], shape[1], shape[2])
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
    if not (_same_axes(own.grid, given.grid) if is_centred else own.grid.matches(given.grid)):
        difference = own.grid.difference(given.grid)
        problem = f"the affine in the file contradicts what is given: {difference}"
        raise InputError(stored.path, problem, "omit what is given, or save the array alone")
    if is_centred:
        return own, own.source
    return given, InfoNote(f"{given.source}, in agreement with the affine in its file")


def _same_axes(own: Grid, given: Grid) -> bool:
    """Whether size and orientation are the same: where the middle lies was only assumed."""
    near = np.allclose(own.voxel_size, given.voxel_size, rtol=0, atol=_SIZE_TOLERANCE_MM)
    return near and own.orientation == given.orientation


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
