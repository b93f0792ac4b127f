"""Maps, label images and vectors: a number or three at each voxel; read, resampled, written."""

from __future__ import annotations

import gzip
import io
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Image
from numpy.typing import ArrayLike, NDArray

from ..core.errors import InputError
from ..core.grid import Grid
from ..core.notes import InfoNote
from ..core.text import counted
from ..files.listing import strip_ending
from ..files.paths import AnyPath, PathInput, as_path
from ..files.writing import with_notes
from .masks import OWN_IMAGE, SEVERAL, Mask, nan_note, volume_grid
from .nifti import half_step, make_image
from .reading import LARGEST_IMAGE, RawImage, read_header, read_raw_image, stored_of_image
from .space import compare_spaces, in_space, space_input

T = TypeVar("T")
_GRIDS = 3  # arbitrary: those of two cohorts and of a map are seldom all different


class GridCache(Generic[T]):
    """What an object made for the last few grids; it lies on the object and dies with it."""

    def __init__(self) -> None:
        self._values: dict[tuple[Grid, object], T] = {}

    def get(self, grid: Grid, make: Callable[[], T]) -> T:
        """What was made for a grid, or is made now in place of the oldest."""
        key = grid, grid.space
        value = self._values.get(key)
        if value is None:
            value = make()
            for oldest in list(self._values)[: max(0, len(self._values) - _GRIDS + 1)]:
                self._values.pop(oldest, None)
            self._values[key] = value
        return value

    def __reduce__(self) -> tuple[type[GridCache[T]], tuple[()]]:
        return GridCache, ()  # what can be made again need not travel


@dataclass(frozen=True, eq=False)
class Map:
    """A number at every voxel of a grid.

    Parameters
    ----------
    name : str
        In words, such as ``mean total lesion volume``.
    array : array, shape of the grid
        Read-only.
    grid : Grid
    unit : str
        ``mm³`` or ``patients``; empty where it is not known.
    description : str
        How the map was made, for the file's header (79 characters at most).
    notes : tuple of str
        What was unusual about the file, a sentence each.
    sha256 : str
        Of the file it was read from, where it was.
    statistic : str
        What its numbers are, in one word, such as ``mean`` or ``t``; empty where it is not known.
    meaning : str
        The same in a sentence.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid
    >>> array = np.arange(8.0).reshape(2, 2, 2)
    >>> image = Map("t", array, Grid((2, 2, 2), np.diag([2.0, 2, 2, 1])), "", "")
    >>> image.value_at([2, 2, 0]), image.to_nifti().shape
    (6.0, (2, 2, 2))
    """

    name: str
    array: NDArray
    grid: Grid
    unit: str
    description: str
    notes: tuple[str, ...] = ()
    sha256: str = ""
    statistic: str = ""
    meaning: str = ""

    def value_at(self, mm: ArrayLike) -> float:
        """The value at the voxel nearest to a world point in mm, NaN outside the image."""
        voxel = self.grid.nearest_voxel(mm)
        return float(self.array[voxel]) if voxel else float("nan")

    def on_grid(self, grid: Grid) -> Map:
        """Bring the map onto another grid as siibra and nilearn do.

        A map of 0 and 1 is brought there by nearest neighbour, any other one by linear
        interpolation (`nilearn.image.resample_img`); voxels outside the map are 0, NaN stays NaN at
        its nearest voxels, and values keep their type: those of a map of integers are rounded.

        Returns
        -------
        Map
            On the grid, with a note that says how, and one where both state another space; the
            map itself where it lies there already. It keeps what it gave for the last few grids.
        """
        notes = compare_spaces("the atlas", grid, "the map", self.grid)
        if not notes and self.grid == grid:
            return self
        return self._on_grids.get(grid, lambda: _resample(self, grid, notes))

    @cached_property
    def _on_grids(self) -> GridCache[Map]:
        return GridCache()

    def to_nifti(self) -> nib.Nifti1Image:
        """The map as a NIfTI image, float32."""
        return make_image(self.grid, self.array.astype(np.float32, copy=False), self.description)


def read_map(source: PathInput | nib.spatialimages.SpatialImage, space: str | None = None) -> Map:
    """Read an image of one number at every voxel, such as a statistical map.

    Parameters
    ----------
    source : path, URL or nibabel image
        Three axes. Values are kept as they are stored, or as float64 where the file scales them;
        NaN is background wherever the map is used, and is kept.
    space : str, optional
        The space that it lies in, such as ``MNI152NLin6Asym``; by default what its file states.

    Raises
    ------
    InputError
        Where the file is damaged, holds several volumes, or an infinite value.

    Examples
    --------
    >>> lesion = read_map("sample_data/cohort_a/sub-a01_lesion.nii.gz")
    >>> lesion.array.shape, int(lesion.array.max())
    ((91, 109, 91), 1)
    """
    stored, grid = _read_single(source)
    values, notes = _check_values(stored)
    grid = in_space(grid, space)
    array = values.reshape(grid.shape, order="F")
    array.setflags(write=False)
    name = strip_ending(stored.path.name)
    return Map(name, array, grid, "", "", stored.notes + notes, stored.sha256)


def _read_single(
    source: PathInput | nib.spatialimages.SpatialImage | RawImage,
    problem: str = SEVERAL,
    remedy: str = OWN_IMAGE,
) -> tuple[RawImage, Grid]:
    """Read an image of one volume; problem and remedy are those of several volumes."""
    if isinstance(source, RawImage):
        stored = source
    elif isinstance(source, nib.spatialimages.SpatialImage):
        stored = stored_of_image(source)
    else:
        path = as_path(source)
        # A series is refused by its header: no voxel of it is inflated.
        volume_grid(path, read_header(path), problem, remedy)
        stored = read_raw_image(path, LARGEST_IMAGE)
    return stored, volume_grid(stored.path, stored.header, problem, remedy)


def _check_values(stored: RawImage) -> tuple[NDArray, tuple[str, ...]]:
    """Values in the machine's byte order and as the header scales them; NaN is counted."""
    values, header = stored.values, stored.header
    if header.is_scaled:
        values = header.scaled(values)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind != "f":
        return values, ()
    if infinite := int(np.isinf(values).sum()):
        problem = f"infinite value in {counted(infinite, 'voxel')}"
        raise InputError(stored.path, problem, "replace it by NaN or 0 where it is background")
    return values, nan_note(int(np.isnan(values).sum()))


MapLike = Map | Mask | PathInput | nib.spatialimages.SpatialImage
"""What stands for a map: a map or a mask, the path of one, or a nibabel image."""


def as_map(source: MapLike) -> Map:
    """The map itself, a mask as a map of 0 and 1, or the map that is read from an image.

    Raises
    ------
    InputError
        Where the image cannot be read, or the map's array does not hold finite numbers on its grid.
    """
    if isinstance(source, Map):
        _check_array(source)
        return source
    if isinstance(source, Mask):
        array = source.array.view(np.uint8)
        return Map(source.name, array, source.grid, "", "", source.notes, source.sha256)
    return read_map(source)


def _check_array(source: Map) -> None:
    name, array = source.name, source.array
    if array.shape != source.grid.shape:
        raise InputError(name, f"array of shape {array.shape} on a grid of {source.grid.shape}")
    if array.dtype.kind not in "buif":
        raise InputError(name, f"holds values of type {array.dtype}", "give real numbers")
    if array.dtype.kind == "f" and np.isinf(array).any():
        raise InputError(name, "holds an infinite value", "replace it by NaN or 0")


def nifti_parts(
    image: nib.Nifti1Image, slope: float = 1.0, intercept: float = 0.0
) -> tuple[bytes, memoryview]:
    """Header and voxels of an uncompressed ``.nii`` file; the voxels are not copied."""
    array = np.asfortranarray(image.dataobj, dtype=image.get_data_dtype())
    image.update_header()
    header = image.header.copy()
    header.set_data_offset(header.single_vox_offset)
    header.set_slope_inter(slope, intercept)
    head = io.BytesIO()
    header.write_to(head)
    return head.getvalue(), array.ravel(order="K").view(np.uint8).data


def nifti_bytes(image: nib.Nifti1Image) -> bytes:
    """An image as the content of an uncompressed ``.nii`` file."""
    return b"".join(nifti_parts(image))


# Write an image as the parts of a file, compressed where its name says so.


_LEVEL = 6  # of gzip; more takes long and gains little


def file_parts(image: Nifti1Image, name: str) -> tuple[bytes | memoryview, ...]:
    """The content of a ``.nii`` or ``.nii.gz`` file, in parts that follow one another.

    The same image always gives the same bytes: no time and no name is kept in the compressed file.

    Parameters
    ----------
    image : nibabel image
    name : str
        Of the file.
    """
    if not name.lower().endswith(".gz"):
        return nifti_parts(image)
    return (compressed(nifti_bytes(image)),)


def compressed(content: bytes) -> bytes:
    """Content as a gzip file that holds neither a time nor a name."""
    return gzip.compress(content, _LEVEL, mtime=0)


_WINDOW = slice(124, 132)  # cal_max and cal_min in the header of a NIfTI-1 file


def compressed_with_window(content: bytes) -> bytes:
    """A ``.nii`` file that was written here, compressed, with the values that viewers show first.

    Colours run from 0 to the largest value, and as far below 0 as above where any value is.

    Examples
    --------
    >>> from lesion_dash import Grid
    >>> image = make_image(Grid((1, 1, 2), np.eye(4)), np.float32([[[-3, 2]]]), "a difference")
    >>> header = nib.Nifti1Image.from_bytes(gzip.decompress(
    ...     compressed_with_window(nifti_bytes(image)))).header
    >>> float(header["cal_min"]), float(header["cal_max"])
    (-3.0, 3.0)
    """
    values = np.asanyarray(nib.Nifti1Image.from_bytes(content).dataobj)
    low, high = (float(end(values, initial=0)) for end in (np.nanmin, np.nanmax))
    end = max(-low, high)
    window = struct.pack("<2f", end, -end if low < 0 else 0.0)
    return compressed(content[: _WINDOW.start] + window + content[_WINDOW.stop :])


# Label images: a whole number at every voxel.


_FLOAT_ROUNDING = 1e-4  # of labels up to some thousand that are stored as float32
_NEARLY_WHOLE = 1e-3  # part of a label by which a conversion may move it; arbitrary
_FARTHEST = 0.25  # that any label may be moved; arbitrary: half of the way to the next is 0.5
LARGEST_LABEL = 2**53
"""Whole numbers up to here are exact in float64."""


class NotWhole(InputError):
    """Values of an image that are not whole numbers, though within the range of labels.

    Parameters
    ----------
    subject : path
    example : float
        One of them.
    largest : float
    """

    def __init__(self, subject: object, example: float, largest: float) -> None:
        problem = f"labels are not whole numbers, such as {example:g}"
        remedy = "resample labels by nearest neighbour only; a scan or a statistic is not an atlas"
        super().__init__(subject, problem, remedy)
        self.largest = largest


def read_labels(
    source: AnyPath | nib.spatialimages.SpatialImage | RawImage,
) -> tuple[NDArray[np.integer], Grid, RawImage, tuple[str, ...]]:
    """Read an image of labels.

    Returns
    -------
    labels : array of int32 or int64, shape of the grid, read-only
    grid : Grid
    stored : RawImage
        The file as it was read.
    notes : tuple of str

    Raises
    ------
    InputError
        Where the file is damaged or its values are not whole numbers of at least 0; `NotWhole`
        where they are fractions.
    """
    problem = "probabilistic atlas or time series: {} volumes, one of labels expected"
    stored, grid = _read_single(source, problem, "give the atlas's maximum probability map")
    values, notes = _whole_numbers(stored)
    labels: NDArray[np.integer] = values.astype(
        np.int32 if values.max(initial=0) < 2**31 else np.int64
    )
    labels.setflags(write=False)
    return labels.reshape(grid.shape, order="F"), grid, stored, stored.notes + notes


def _whole_numbers(stored: RawImage) -> tuple[NDArray, tuple[str, ...]]:
    header, values = stored.header, stored.values
    if header.dtype.kind in "iu" and not header.is_scaled:
        _check_range(stored, values)
        return values, ()
    values = header.scaled(values)
    notes = nan_note(int(np.isnan(values).sum()))
    if notes:
        values = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
    _check_range(stored, values)
    whole = np.rint(values)
    off = np.abs(values - whole) > max(half_step(header), _FLOAT_ROUNDING)
    if off.any():
        notes += _check_nearly_whole(stored, values, whole, off)
    return whole.astype(np.int64), notes


def _check_nearly_whole(
    stored: RawImage, values: NDArray, whole: NDArray, off: NDArray[np.bool_]
) -> tuple[str, ...]:
    """The note on labels that a conversion left slightly off, as 0.99977 and 1.99954.

    Interpolated labels are refused: they lie farther off, or one label has several values. So are
    those of which the largest may have moved to another number by what the others moved.
    """
    example, largest = float(values[off][0]), float(values.max())
    moved = np.abs(values[off] - whole[off])
    share = float((moved / np.maximum(values[off], _FLOAT_ROUNDING)).max())
    numbers, group = np.unique(whole[off], return_inverse=True)
    lowest, highest = np.full(numbers.size, np.inf), np.full(numbers.size, -np.inf)
    np.minimum.at(lowest, group, values[off])
    np.maximum.at(highest, group, values[off])
    is_one = bool((highest - lowest <= _FLOAT_ROUNDING).all())
    if share > _NEARLY_WHOLE or share * largest >= _FARTHEST or not is_one:
        raise NotWhole(stored.path, example, largest)
    return (f"labels rounded to whole numbers: up to {moved.max():.2g} off, such as {example:g}",)


def _check_range(stored: RawImage, values: NDArray) -> None:
    lowest, largest = values.min(initial=0), values.max(initial=0)
    if lowest < -_FLOAT_ROUNDING:
        problem = f"negative label {lowest:g}"
        raise InputError(stored.path, problem, "labels start at 1, 0 is outside")
    if largest > LARGEST_LABEL:
        raise InputError(stored.path, f"label {largest:g} is larger than {LARGEST_LABEL:,}")


def labels_to_nifti(labels: NDArray[np.integer], grid: Grid, description: str) -> nib.Nifti1Image:
    """Labels as a NIfTI image of the smallest of int16 and int32 that holds them all.

    Parameters
    ----------
    labels : array of int, shape of the grid
        Below 2**31.
    grid : Grid
    description : str
        For the header, 79 characters at most.
    """
    kind = np.int16 if labels.max(initial=0) < 2**15 else np.int32
    return make_image(grid, labels.astype(kind), description)


# Maps brought onto another grid.


_CODE = 4  # nilearn asks for a stated sform, whichever


def _resample(source: Map, grid: Grid, notes: tuple[str, ...]) -> Map:
    if source.grid == grid:
        return replace(source, grid=grid, notes=(*source.notes, *notes))
    from nilearn.image import resample_img

    way = "nearest" if np.array_equal(np.unique(source.array), [0, 1]) else "linear"
    array = _of_nifti_type(source.array)
    image = nib.Nifti1Image(array, source.grid.affine, dtype=array.dtype)
    image.set_sform(source.grid.affine, _CODE)
    with warnings.catch_warnings():
        # It warns of NaN and of two values only; both are handled here and stated.
        warnings.simplefilter("ignore")
        resampled = resample_img(
            image, grid.affine, grid.shape, way, copy_header=True, force_resample=True
        )
    values = np.asarray(resampled.dataobj)
    values.setflags(write=False)
    spelled = "nearest neighbour" if way == "nearest" else "linear interpolation"
    note = f"map resampled from {source.grid} onto the atlas's grid ({grid}) by {spelled}"
    return replace(source, array=values, grid=grid, notes=(*source.notes, *notes, InfoNote(note)))


def _of_nifti_type(array: NDArray) -> NDArray:
    """The array in a type that a NIfTI image can hold."""
    if array.dtype == bool:
        return array.view(np.uint8)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        return array.astype(np.float64)
    return array


# Images of which only the voxels inside a mask are kept.


def read_volume(source: PathInput | nib.spatialimages.SpatialImage) -> RawImage:
    """Read an image of one volume with its values as they are stored.

    Raises
    ------
    InputError
        Where the file is damaged, a colour picture, or holds several volumes.

    Examples
    --------
    >>> read_volume("sample_data/cohort_a/sub-a01_lesion.nii.gz").header.shape
    (91, 109, 91)
    """
    return _read_single(source)[0]


def masked_bytes(
    stored: RawImage, mask: Mask, is_compressed: bool
) -> tuple[bytes, tuple[str, ...]]:
    """An image with 0 outside a mask, as the content of a NIfTI file.

    Parameters
    ----------
    stored : RawImage
        Of one volume.
    mask : Mask
        On the image's grid.
    is_compressed : bool
        ``.nii.gz`` rather than ``.nii``.

    Returns
    -------
    content : bytes
        On the image's grid, its header without anything of the image's that may name a patient.
        Voxel type, stored values and scaling are the image's, inside the mask bit by bit. Where
        the scaling has no stored value for 0, values are written as float64, unscaled.
    notes : tuple of str
    """
    values, slope, intercept, notes = _with_background(stored)
    zero = _stored_zero(values.dtype, slope, intercept)
    array = np.full(values.size, zero, values.dtype)
    array[mask.indices] = values[mask.indices]
    array = array.reshape(mask.grid.shape, order="F")
    image = make_image(mask.grid, array, "lesion_dash: image inside a mask")
    content = b"".join(nifti_parts(image, slope, intercept))
    return compressed(content) if is_compressed else content, notes


def _with_background(stored: RawImage) -> tuple[NDArray, float, float, tuple[str, ...]]:
    """Stored values and their scaling, or the scaled values where no stored one means 0."""
    header = stored.header
    dtype, notes = _nifti_type(header.dtype)
    values = stored.values.astype(dtype, copy=False)
    if _stored_zero(values.dtype, header.slope, header.intercept) is not None:
        return values, header.slope, header.intercept, notes
    scaling = f"slope {header.slope:g}, intercept {header.intercept:g}"
    note = f"written as float64: no stored value of the image stands for 0 ({scaling})"
    return header.scaled(values), 1.0, 0.0, (note,)


def _nifti_type(dtype: np.dtype) -> tuple[np.dtype, tuple[str, ...]]:
    """The type in the machine's byte order; of floats, one that every reader of NIfTI has."""
    if dtype.kind != "f" or dtype.itemsize in (4, 8):
        return dtype.newbyteorder("="), ()
    wide = np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    return wide, (f"{dtype.name} is written as {wide.name}",)


def _stored_zero(dtype: np.dtype, slope: float, intercept: float) -> float | None:
    """The stored value that means exactly 0, None where there is none."""
    exact = -intercept / slope
    if dtype.kind == "f":
        zero = float(np.array(exact).astype(dtype))
    else:
        zero, limits = float(round(exact)), np.iinfo(dtype)
        if not limits.min <= zero <= limits.max:
            return None
    return zero if zero * slope + intercept == 0 else None


# Images of three numbers at every voxel, such as displacements.


_INTENT = "vector"  # NIfTI code 1007, by which ITK knows an image of vectors


def vector_nifti(grid: Grid, vectors: NDArray, description: str) -> nib.Nifti1Image:
    """Vectors as a NIfTI image of shape (x, y, z, 1, 3), float32, intent "vector".

    Parameters
    ----------
    grid : Grid
    vectors : array, shape (x, y, z, 3)
    description : str
        For the header, 79 characters at most.

    Examples
    --------
    >>> grid = Grid((2, 2, 2), np.eye(4))
    >>> vector_nifti(grid, np.zeros((2, 2, 2, 3)), "displacement").shape
    (2, 2, 2, 1, 3)
    """
    image = make_image(grid, vectors[..., None, :].astype(np.float32, copy=False), description)
    image.header.set_intent(_INTENT)
    return image


def read_vectors(path: AnyPath) -> tuple[Grid, NDArray]:
    """Read an image of three numbers at every voxel.

    Returns
    -------
    grid : Grid
    vectors : array, shape (x, y, z, 3)

    Raises
    ------
    InputError
        Where the file is damaged, or has another shape.
    """
    header = read_header(path)
    if len(header.shape) != 5 or header.shape[3:] != (1, 3) or header.grid is None:
        shape = " x ".join(map(str, header.shape))
        problem = f"not a displacement field: {shape} numbers, x, y, z, 1, 3 expected"
        raise InputError(path, problem, "give a field of ITK or ANTs, or a linear transform")
    stored = read_raw_image(path, LARGEST_IMAGE)
    values = stored.values.reshape((*header.grid.shape, 3), order="F")
    if header.is_scaled:
        values = values * header.slope + header.intercept
    return header.grid, values


def map_input(path: AnyPath, source: Map) -> dict[str, Any]:
    """A map as an input, with the checksum of its file."""
    known = {"kind": "map", "file": str(path), "sha256": source.sha256}
    return with_notes(known | {"space": space_input(source.grid)}, source.notes)
