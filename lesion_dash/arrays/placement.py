"""Where the voxels of an array lie: an array does not know, so that it is asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..files import AnyPath, PathInput, UrlPath, as_path, checksum, open_file, read_bytes, read_text
from ..grid import Grid
from ..images import HeaderFault, read_header
from ..images.header import check_affine
from ..images.reading import files_of
from .reading import ENDINGS, read_array

Shape = tuple[int, int, int]

_WAYS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
"""World axis and sign of each letter."""

_OF_SPACE = ("units ", "sform and qform ", "sform used", "voxel size ")
"""Beginnings of an image's notes that are said of where its voxels lie."""

_EDGES_MM = (1e-6, 1e6)
"""Beyond these, float32 numbers of a header no longer tell where a voxel lies."""


@dataclass(frozen=True, eq=False)
class Placement:
    """Where an array's voxels lie, and how that is known.

    Parameters
    ----------
    grid : Grid
    source : str
        In words, for the notes and the provenance.
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
        Of the array; a fourth axis is that of the volumes.

    Raises
    ------
    InputError
        Where the image cannot be read, states no orientation, or has another shape.
    """
    path = as_path(image)
    header = read_header(path)
    if header.grid is None or header.form == "none":
        raise InputError(path, "states no orientation", "give an image that does, or --affine")
    if header.grid.shape != shape[:3]:
        problem = f"has {_edges(header.grid.shape)} voxels, the array {_edges(shape)}"
        raise InputError(path, problem, _explain_shapes(shape, header.grid.shape))
    repetition = header.repetition_time if header.volumes > 1 else 0.0
    sources = {str(file): file_checksum(file) for file in files_of(path)}
    notes = tuple(f"{path.name}: {note}" for note in header.notes if note.startswith(_OF_SPACE))
    said = f"placed like {path.name}"
    return Placement(header.grid, said, max(repetition, 0.0), sources, notes)


def file_checksum(path: AnyPath) -> str:
    """SHA-256 of a file, of which no more than a piece is held."""
    if isinstance(path, UrlPath):
        return checksum(read_bytes(path))
    with os.fdopen(open_file(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _explain_shapes(shape: tuple[int, ...], wanted: Shape) -> str:
    if shape[1:] == wanted:
        return "the volumes come last: save array[0], or numpy.moveaxis(array, 0, -1) of a series"
    if shape[:3] == wanted[::-1]:
        return "SimpleITK's arrays are z, y, x: save array.transpose(2, 1, 0)"
    if sorted(shape[:3]) == sorted(wanted):
        return "the axes are in another order: transpose the array first"
    return "give the image whose voxels the array holds"


def place_centred(shape: Shape, voxel_size: Sequence[float], orientation: str) -> Placement:
    """Voxels of a size and an orientation, the middle of the array at 0, 0, 0 mm.

    Parameters
    ----------
    shape : tuple of int, length 3
    voxel_size : sequence of float, length 3
        Edges in mm, along the axes of the array.
    orientation : str
        Where each axis of the array grows to: R or L, A or P, S or I, in their order, such as
        ``RAS``.

    Returns
    -------
    Placement
        Its space is that of no template.

    Raises
    ------
    InputError
        Where they are no sizes, or no orientation.

    Examples
    --------
    >>> placement = place_centred((5, 3, 1), (2, 2, 3), "LAS")
    >>> placement.grid.to_mm([[0, 0, 0], [4, 2, 0]]).tolist()
    [[4.0, -2.0, 0.0], [-4.0, 2.0, 0.0]]
    """
    sizes = [float(size) for size in voxel_size]
    if len(sizes) != 3 or not all(isfinite(size) and size > 0 for size in sizes):
        raise InputError("--voxel-size", f"{sizes} are no three edges in mm", "give X Y Z above 0")
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for column, (axis, sign) in enumerate(_ways_of(orientation)):
        affine[axis, column] = sign * sizes[column]
    middle = (np.array(shape) - 1) / 2
    affine[:3, 3] = -affine[:3, :3] @ middle
    _check_lengths("--voxel-size", affine)
    source = "placed with the middle of the array at 0, 0, 0 mm, which is no place in a template"
    return Placement(Grid(shape, affine + 0.0, 0), source)


def _ways_of(orientation: str) -> list[tuple[int, int]]:
    letters = orientation.upper()
    ways = [_WAYS[letter] for letter in letters if letter in _WAYS]
    if len(letters) != 3 or sorted(axis for axis, _ in ways) != [0, 1, 2]:
        rule = "give one of R and L, one of A and P, one of S and I, such as RAS"
        raise InputError("--orientation", f"{orientation!r} is no orientation", rule)
    return ways


def place_by_affine(shape: Shape, affine: ArrayLike, subject: object, source: str) -> Placement:
    """Voxels by a matrix.

    Parameters
    ----------
    shape : tuple of int, length 3
    affine : array, shape (4, 4)
        Takes a voxel (i, j, k) to the centre of that voxel in mm, RAS.
    subject : object
        The file the matrix comes from.
    source : str
        The same in words.

    Raises
    ------
    InputError
        Where the matrix takes a volume to no volume.
    """
    matrix = np.asarray(affine, np.float64)
    if matrix.shape != (4, 4):
        problem = f"is no matrix of 4 x 4 numbers: its shape is {matrix.shape}"
        raise InputError(subject, problem, "give four rows of four numbers")
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
        problem = f"voxels of {shown} mm, or so far away, are none of an image"
        raise InputError(subject, problem, f"give mm, from {smallest:g} to {largest:,.0f}")


def read_affine(source: PathInput) -> NDArray[np.float64]:
    """Read a matrix of 4 x 4 numbers from a text file, or from a file of an array.

    Raises
    ------
    InputError
        Where the file holds anything else.
    """
    path = as_path(source)
    if path.suffix.lower() in ENDINGS:
        array = read_array(path).array
        if array.dtype.kind not in "iuf" or array.shape != (4, 4):
            raise _no_matrix(path)
        return array.astype(np.float64)
    text, _, _ = read_text(path, separators="\t, ")
    lines = [line.partition("#")[0].replace(",", " ").split() for line in text.splitlines()]
    rows = [words for words in lines if words]
    if [len(words) for words in rows] != [4] * 4:
        raise _no_matrix(path)
    try:
        return np.array(rows, np.float64)
    except ValueError:
        raise _no_matrix(path) from None


def _no_matrix(path: AnyPath) -> InputError:
    return InputError(path, "is no matrix of 4 x 4 numbers", "give four rows of four numbers")


def _edges(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
