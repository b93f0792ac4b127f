"""NIfTI headers, checked before any voxel is read, and a summary of the space they state."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import combinations
from math import isfinite, prod

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from ..core.errors import InputError
from ..core.grid import Grid
from .formats import HeaderFault, OpenHeader, open_header

Nifti1Image = nib.Nifti1Image
SpatialImage = nib.spatialimages.SpatialImage


FORM_NAMES = {1: "scanner", 2: "aligned to another scan"}
"""Meaning of the codes of a form that are not a standard space."""

_UNITS = {1: "metre", 2: "mm", 3: "micrometre"}
_TIME_UNITS = {0: 1, 8: 1, 16: 1_000, 24: 1_000_000}
"""Unit of time in ``xyzt_units`` (none, s, ms, µs) and how many of it make a second."""

_COMPLEX = {32, 1792, 2048}
_COLOUR = {128, 2304}
_LARGEST_IMAGE = 2**40  # bytes; arbitrary: no scanner and no disk of a study holds such an image
_UNKNOWN_SPACE = 2  # aligned to something; code 0 would make readers ignore the affine
_CIFTI = range(3000, 3100)  # intent codes: nifti.nimh.nih.gov, nifti2 and CIFTI-2
_TEXT_FIELDS = ("descrip", "aux_file", "intent_name", "db_name")
# What programs write into the fields of free text. A text without any of these marks is somebody's
# own and may name a patient; it is only flagged, so a program missing here costs a note too many.
_SOFTWARE = re.compile(
    r"fsl|spm|itk|ants|afni|freesurfer|mricro|nibabel|nilearn|dcm2nii|lesion_dash|niftyreg|^[\d.:\sa-f]*$|"
    r"matlab|slicer|mrtrix|time=|te=|qmri|brainvoyager|mango|greedy|normali[sz]ed|smoothed",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Header:
    """The facts of a NIfTI header that matter here.

    Parameters
    ----------
    shape : tuple of int
        All axes, trailing axes of length one included.
    dtype : numpy.dtype
        Of the stored values, with their byte order.
    offset : int
        Where the voxels begin, in bytes.
    slope, intercept : float
        Value = stored * slope + intercept.
    grid : Grid or None
        Voxels in the world; None where the image has fewer than three axes.
    form : str
        The affine that is used: ``sform``, ``qform``, or ``none`` (voxel sizes only).
    code : int
        The NIfTI code of that form.
    repetition_time : float
        Fourth voxel size in seconds; 0 where there is none, or where the axis is not time.
    notes : tuple of str
        What is unusual, a sentence each.
    states_time_unit : bool
        Whether the repetition time bears a unit; seconds are assumed otherwise.
    intent : int
        NIfTI's code of what the values mean; 0 where none is stated.
    has_tail : bool
        Whether something may follow the voxels that belongs to the format.
    space_source : str
        What says of the space in a format that has no form code; otherwise empty.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int
    slope: float
    intercept: float
    grid: Grid | None
    form: str
    code: int
    repetition_time: float
    notes: tuple[str, ...]
    states_time_unit: bool = False
    intent: int = 0
    has_tail: bool = False
    space_source: str = ""

    @property
    def voxel_bytes(self) -> int:
        """Bytes that all voxels take in the file, uncompressed."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def volumes(self) -> int:
        """Number of 3D volumes in the file."""
        return prod(self.shape[3:])

    @property
    def is_scaled(self) -> bool:
        """Whether stored values and meant values differ."""
        return (self.slope, self.intercept) != (1.0, 0.0)

    def scaled(self, stored: NDArray) -> NDArray[np.float64]:
        """Stored values as they are meant, in double precision; too large ones are infinite."""
        values = stored.astype(np.float64)
        if self.is_scaled:
            with np.errstate(over="ignore", invalid="ignore"):
                values *= self.slope
                values += self.intercept
        return values


def half_step(header: Header) -> float:
    """How far whole numbers may be off that were written through an integer type and a slope.

    Half a scale step; nothing where the steps are so wide that labels could not be distinguished.
    """
    is_rounded = header.is_scaled and header.dtype.kind in "iu" and abs(header.slope) <= 0.5
    # A slope is stored as float32: the sixth digit of the border is not known.
    return abs(header.slope) / 2 * (1 + 1e-6) if is_rounded else 0.0


def parse_header(block: bytes, is_pair: bool = False) -> Header:
    """Read and check the first bytes of an uncompressed NIfTI file, or of a pair's ``.hdr``.

    Masks of one cohort share their header, so a thousand files cost one check. Each has a grid of
    its own, with which all that derives from it is let go.

    Raises
    ------
    HeaderFault
        Naming the field, its value and the rule.
    """
    header = _parse_header(block, is_pair)
    return replace(header, grid=copy(header.grid))


@lru_cache(maxsize=256)
def _parse_header(block: bytes, is_pair: bool) -> Header:
    opened = open_header(block, is_pair)
    header = opened.fields
    shape = _check_shape(header)
    _check_is_volume(header, shape)
    dtype = _check_dtype(header)
    offset = _check_offset(header)
    slope, intercept = _check_scaling(header)
    grid, form, code, notes = _check_forms(header, shape)
    notes += _oddities(header, dtype) + _free_text(header) + _check_extension(header, block, offset)
    notes = _notes_on_format(opened, notes)
    time, stated = _repetition_time(header, shape)
    if prod(shape) * dtype.itemsize > _LARGEST_IMAGE:
        raise HeaderFault(f"impossible size: {' x '.join(map(str, shape))} voxels claimed")
    intent = int(header["intent_code"]) if not opened.is_analyze else 0
    return Header(
        *(shape, dtype, offset, slope, intercept, grid, form, code, time, tuple(notes), stated),
        intent=intent,
        has_tail=opened.has_tail,
        space_source=opened.space_source,
    )


def _notes_on_format(opened: OpenHeader, notes: list[str]) -> list[str]:
    """The notes on a header; those on fields that its format does not have are left out."""
    if opened.is_analyze:
        return ["orientation unknown (Analyze): the format stores none"]
    if opened.format.startswith("NIfTI"):
        return notes
    return [*opened.notes]


def _repetition_time(header: nib.Nifti1Header, shape: tuple[int, ...]) -> tuple[float, bool]:
    """Seconds, and whether the header names their unit."""
    unit = int(header["xyzt_units"]) & 56
    if len(shape) < 4 or unit not in _TIME_UNITS:
        return 0.0, False
    # Stored as float32: 0.72 s is meant, not 0.7200000286, which drifts over a long run.
    return float(str(header["pixdim"][4])) / _TIME_UNITS[unit], unit != 0


def _check_shape(header: nib.Nifti1Header) -> tuple[int, ...]:
    dim = [int(n) for n in header["dim"]]
    lengths = dim[1 : dim[0] + 1]
    if not 1 <= dim[0] <= 7 or any(n < 1 for n in lengths):
        raise HeaderFault(f"impossible dimensions: dim = {dim}")
    return tuple(lengths)


def _check_is_volume(header: nib.Nifti1Header, shape: tuple[int, ...]) -> None:
    """Refuse CIFTI, which keeps values on a surface in the axes after the fourth."""
    intent, is_point = int(header["intent_code"]), len(shape) > 4 and shape[:4] == (1, 1, 1, 1)
    if intent in _CIFTI or (is_point and prod(shape) > 1):
        stated = f"intent {intent}" if intent in _CIFTI else "the first four axes have length 1"
        raise HeaderFault(
            f"CIFTI: values on a surface ({stated}), no volume; use the volume version of it"
        )


def _check_dtype(header: nib.Nifti1Header) -> np.dtype:
    code = int(header["datatype"])
    if code in _COMPLEX:
        raise HeaderFault("complex values; save the magnitude as real numbers")
    if code in _COLOUR:
        raise HeaderFault("colour image: a picture has no lesion and no labels in its voxels")
    try:
        dtype = header.get_data_dtype()
    except (HeaderDataError, KeyError):
        raise HeaderFault(f"unsupported voxel type: datatype = {code}") from None
    if dtype.itemsize == 0 or dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise HeaderFault(f"unsupported voxel type: datatype = {code}")
    return dtype


def _check_offset(header: nib.Nifti1Header) -> int:
    offset = float(header["vox_offset"])
    pair = bytes(header["magic"]).startswith(b"ni")
    first = 0 if pair else int(header["sizeof_hdr"]) + 4
    if not isfinite(offset) or (offset != 0 and not first <= offset <= 2**31) or offset < 0:
        raise HeaderFault(
            f"voxel data offset is {offset:g}, not between {first} and the file's end"
        )
    return max(int(offset), first)


def _check_scaling(header: nib.Nifti1Header) -> tuple[float, float]:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if np.isinf(slope) or (np.isfinite(slope) and slope != 0 and not isfinite(intercept)):
        raise HeaderFault(f"scaling is not a number: slope {slope:g}, intercept {intercept:g}")
    # The standard's way to say "no scaling" is a slope of 0; some programs write NaN.
    return (slope, intercept) if isfinite(slope) and slope != 0 else (1.0, 0.0)


def _check_forms(
    header: nib.Nifti1Header, shape: tuple[int, ...]
) -> tuple[Grid | None, str, int, list[str]]:
    sform_code, qform_code = int(header["sform_code"]), int(header["qform_code"])
    form = "sform" if sform_code > 0 else "qform" if qform_code > 0 else "none"
    affine = header.get_sform() if form == "sform" else qform_affine(header, form)
    check_affine(affine, form)
    code = sform_code if form == "sform" else qform_code
    notes = []
    if form == "none":
        notes = ["orientation unknown: sform and qform codes are both 0, left may be right"]
    if sform_code > 0 and qform_code > 0:
        notes += _compare_forms(header, affine, shape)
    grid = Grid((shape[0], shape[1], shape[2]), affine, code) if len(shape) >= 3 else None
    return grid, form, code, notes


def qform_affine(header: nib.Nifti1Header, form: str) -> np.ndarray:
    """The affine of the qform, or, where `form` is ``none``, of the voxel sizes alone."""
    zooms = [float(zoom) for zoom in header["pixdim"][1:4]]
    if not all(isfinite(zoom) for zoom in zooms):
        raise HeaderFault(f"voxel size is not a number: pixdim = {zooms}")
    if any(zoom == 0 for zoom in zooms):
        raise HeaderFault(f"voxel size is zero: pixdim = {zooms}")
    if form == "none":
        return np.asarray(header.get_base_affine())
    fields = ("quatern_b", "quatern_c", "quatern_d")
    b, c, d = (float(header[field]) for field in fields)
    if not b * b + c * c + d * d <= 1 + 1e-5:
        raise HeaderFault(f"qform is invalid: quaternion ({b:g}, {c:g}, {d:g}) is longer than 1")
    # nibabel accepts a rounding excess up to 1e-7 only; the excess carries no direction.
    excess = max(1.0, (b * b + c * c + d * d) ** 0.5)
    usable = header.copy()
    for field, value in zip(fields, (b, c, d), strict=True):
        usable[field] = value / excess
    usable["pixdim"][1:4] = np.abs(header["pixdim"][1:4])
    try:
        return np.asarray(usable.get_qform())
    except (HeaderDataError, ValueError) as error:
        raise HeaderFault(f"qform is invalid: {error}") from error


def check_affine(affine: np.ndarray | None, form: str) -> np.ndarray:
    """Return an affine that takes a volume to a volume, or raise a `HeaderFault`."""
    if affine is None:
        raise HeaderFault("affine is missing")
    if not np.isfinite(affine).all():
        raise HeaderFault(f"affine is not a number: the {form} holds NaN or Inf")
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if lengths.min() == 0 or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-6:
        raise HeaderFault(f"affine cannot be inverted: the {form} maps a volume onto a plane")
    return affine


def _compare_forms(
    header: nib.Nifti1Header, affine: np.ndarray, shape: tuple[int, ...]
) -> list[str]:
    try:
        qform = qform_affine(header, "qform")
    except HeaderFault as fault:
        return [f"sform used; {fault}"]
    if len(shape) < 3:
        return []
    volume = (shape[0], shape[1], shape[2])
    shift = Grid(volume, affine).corner_shift(Grid(volume, qform))
    if shift < 0.05:
        return []
    return [f"sform and qform disagree by {shift:.3g} mm at a corner: the sform is used"]


def _oddities(header: nib.Nifti1Header, dtype: np.dtype) -> list[str]:
    notes = []
    if int(header["bitpix"]) != dtype.itemsize * 8:
        notes.append(f"bitpix ignored: {int(header['bitpix'])} does not fit the voxel type {dtype}")
    if any(float(zoom) < 0 for zoom in header["pixdim"][1:4]):
        notes.append("voxel size is negative in the header: its magnitude is used")
    unit = _UNITS.get(int(header["xyzt_units"]) & 7, "")
    if not unit:
        notes.append("units not stated: mm assumed")
    elif unit != "mm":
        notes.append(f"units are not mm but {unit}: the numbers are taken as mm")
    return notes


def _free_text(header: nib.Nifti1Header) -> list[str]:
    """Note that a header holds a text of somebody's own: it may name a patient."""
    present = header.keys()
    for field in _TEXT_FIELDS:
        text = bytes(header[field].tobytes()).partition(b"\0")[0] if field in present else b""
        if text.strip() and not _SOFTWARE.search(text.decode("latin-1")):
            return [f"header holds free text in its field {field}: it may name a patient"]
    return []


def _check_extension(header: nib.Nifti1Header, block: bytes, offset: int) -> list[str]:
    start = int(header["sizeof_hdr"]) + 4
    if start != 352 or len(block) < 360 or not block[348] or offset <= start:
        return []
    order = "<" if header.endianness == "<" else ">"
    length = struct.unpack(f"{order}i", block[352:356])[0]
    if 8 <= length <= offset - start:
        return []
    return [
        f"header extension is damaged: it claims {length:,} bytes of {offset - start:,}; ignored"
    ]


def fault_of(path: object, fault: HeaderFault) -> InputError:
    """The error a user sees: the file's name before what is wrong with its header."""
    problem, _, remedy = str(fault).partition("; ")
    return InputError(str(path), problem, remedy)


def make_image(grid: Grid, array: np.ndarray, description: str) -> nib.Nifti1Image:
    """An image whose header holds nothing of any patient's header.

    The space is stated as the inputs stated it; NIfTI-2 is written where an axis is too long for
    NIfTI-1.
    """
    image: nib.Nifti1Image = (
        nib.Nifti1Image(array, grid.affine, dtype=array.dtype)
        if max(array.shape) < 2**15
        else nib.Nifti2Image(array, grid.affine, dtype=array.dtype)
    )
    header = image.header
    header.set_xyzt_units("mm")
    code = grid.code or _UNKNOWN_SPACE
    header.set_sform(grid.affine, code)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nibabel warns that a qform cannot hold shear
        header.set_qform(grid.affine, code)
    if not Grid(grid.shape, header.get_qform()).matches(grid):
        header["qform_code"] = 0  # or programs that prefer the qform put the image elsewhere
    header["descrip"] = description.encode("ascii", "replace")[:79]
    return image


# An affine as sentences: where each axis of an image points, and how large its voxels are.


DIRECTIONS = {
    "R": "to the right",
    "L": "to the left",
    "A": "to the front",
    "P": "to the back",
    "S": "upwards",
    "I": "downwards",
}
"""Where an axis grows, in the patient."""

_WORLD = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
_MIN_ANGLE = 0.01  # degrees; affines are stored as float32, which turns them by about 1e-5
_MAX_WHOLE = 1e15  # float64 holds every whole number up to 9e15
_NAMES = "ijk"


@dataclass(frozen=True)
class Axis:
    """One axis of an image.

    Parameters
    ----------
    name : str
        ``i``, ``j`` or ``k``.
    letter : str
        The direction in which it mainly grows: R, L, A, P, S or I.
    voxels : int
    edge_mm : float
        Distance of two neighbours along it.
    angle : float
        Degrees between the axis and that direction.
    """

    name: str
    letter: str
    voxels: int
    edge_mm: float
    angle: float

    @property
    def summary(self) -> str:
        """Such as ``i grows to the left``."""
        return f"{self.name} grows {DIRECTIONS[self.letter]}"


@dataclass(frozen=True, eq=False)
class Space:
    """Where the voxels of an image are, for people.

    Parameters
    ----------
    grid : Grid
    orientation : str
        The letter of each axis, such as RAS; each world axis occurs once.

    Examples
    --------
    >>> mni = [[-2, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]
    >>> for sentence in Space(Grid((91, 109, 91), mni), "LAS").sentences:
    ...     print(sentence)
    2 mm voxels
    i grows to the left, j to the front, k upwards (LAS)
    the first voxel, (0, 0, 0), is at (90, -126, -72) mm; the last, (90, 108, 90), at (-90, 90, 108) mm
    stored in radiological order: the determinant of M is negative
    """  # noqa: E501

    grid: Grid
    orientation: str

    @cached_property
    def axes(self) -> tuple[Axis, Axis, Axis]:
        """i, j and k."""
        i, j, k = (self._axis(place) for place in range(3))
        return i, j, k

    def _axis(self, place: int) -> Axis:
        column = self.grid.affine[:3, place]
        letter = self.orientation[place]
        world, sign = _WORLD[letter]
        aside = np.linalg.norm(np.delete(column, world))
        angle = float(np.degrees(np.arctan2(aside, sign * column[world])))
        edge = float(self.grid.voxel_size[place])
        return Axis(_NAMES[place], letter, self.grid.shape[place], edge, angle)

    @property
    def oblique_degrees(self) -> float:
        """The largest angle between an axis and the direction it is named after."""
        return max(axis.angle for axis in self.axes)

    @property
    def is_oblique(self) -> bool:
        """Whether the axes are turned against left-right, back-front and down-up."""
        return self.oblique_degrees >= _MIN_ANGLE

    @cached_property
    def between_degrees(self) -> dict[str, float]:
        """The angle at which two axes meet, for ``ij``, ``ik`` and ``jk``; 90 without shear."""
        columns = self.grid.affine[:3, :3] / self.grid.voxel_size
        degrees = {}
        for a, b in combinations(range(3), 2):
            across = np.linalg.norm(np.cross(columns[:, a], columns[:, b]))
            angle = np.degrees(np.arctan2(across, columns[:, a] @ columns[:, b]))
            degrees[_NAMES[a] + _NAMES[b]] = float(angle)
        return degrees

    @property
    def is_mirrored(self) -> bool:
        """Whether i, j, k are to each other as the fingers of a left hand, as in LAS."""
        return bool(np.linalg.det(self.grid.affine[:3, :3]) < 0)

    @property
    def size_summary(self) -> str:
        """Such as ``2 mm voxels`` or ``voxels of 1 x 1 x 5 mm``."""
        edges = [number(edge) for edge in self.grid.voxel_size]
        is_cube = len({*edges}) == 1
        return f"{edges[0]} mm voxels" if is_cube else f"voxels of {' x '.join(edges)} mm"

    @property
    def axes_summary(self) -> str:
        """Such as ``i grows to the left, j to the front, k upwards (LAS)``."""
        i, j, k = self.axes
        others = ", ".join(f"{axis.name} {DIRECTIONS[axis.letter]}" for axis in (j, k))
        mainly = "mainly " if self.is_oblique else ""
        return f"{i.name} grows {mainly}{DIRECTIONS[i.letter]}, {others} ({self.orientation})"

    @property
    def sentences(self) -> tuple[str, ...]:
        """The affine as sentences: size, axes, first and last voxel, and what is unusual."""
        last = [n - 1 for n in self.grid.shape]
        ends = (
            f"the first voxel, (0, 0, 0), is at {point(self.grid.to_mm((0, 0, 0)))} mm; "
            f"the last, {point(last)}, at {point(self.grid.to_mm(last))} mm"
        )
        sentences = [self.size_summary, self.axes_summary, ends]
        if self.is_oblique:
            turned = ", ".join(f"{a.name} by {a.angle:.4g}°" for a in self.axes)
            sentences.append(
                f"oblique by {self.oblique_degrees:.4g}°: axes are turned against the directions "
                f"they are named after ({turned})"
            )
        sentences += [
            f"sheared: {pair[0]} and {pair[1]} meet at {angle:.4g}°, not at a right angle"
            for pair, angle in self.between_degrees.items()
            if abs(angle - 90) >= _MIN_ANGLE
        ]
        if self.is_mirrored:
            sentences.append("stored in radiological order: the determinant of M is negative")
        return tuple(sentences)

    @property
    def formula(self) -> tuple[str, ...]:
        """Voxel to mm, a line for each of x, y and z, with the numbers of the affine."""
        return _lines("xyz", "ijk", self.grid.affine)

    @property
    def inverse_formula(self) -> tuple[str, ...]:
        """Mm to voxel, a line for each of i, j and k."""
        return _lines("ijk", "xyz", np.linalg.inv(self.grid.affine))


def _lines(left: str, right: str, affine: NDArray) -> tuple[str, ...]:
    lines = []
    # What a rotation leaves of a 0, such as 6e-17, is not shown.
    for name, row in zip(left, affine[:3].round(10).tolist(), strict=True):
        terms = [f"{number(m)} {axis}" for m, axis in zip(row, right, strict=False)]
        lines.append(f"{name} = " + " + ".join([*terms, number(row[3])]).replace("+ -", "- "))
    return tuple(lines)


def number(value: float) -> str:
    """A number as people write it: whole numbers in full, others with six digits.

    Examples
    --------
    >>> number(2.0), number(-0.0), number(12345678), number(3.0999999), number(1e-9)
    ('2', '0', '12345678', '3.1', '1e-09')
    """
    is_whole = abs(value) < _MAX_WHOLE and float(value).is_integer()
    return f"{int(value)}" if is_whole else f"{value:.6g}"


def numbers(values: Iterable[float]) -> str:
    """Several of them, as in ``1, 2.5, 3``."""
    return ", ".join(number(value) for value in values)


def point(values: Iterable[float]) -> str:
    """A place, as in ``(1, 2.5, 3)``; to a ten-thousandth."""
    return f"({numbers(round(float(value), 4) for value in values)})"
