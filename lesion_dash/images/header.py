"""What a NIfTI header says, checked before any voxel is read."""

from __future__ import annotations

import re
import struct
import warnings
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite, prod

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from ..errors import InputError
from ..files import ARRAY_ENDINGS
from ..grid import Grid

LONGEST_HEADER = 540
"""Bytes of a NIfTI-2 header; a NIfTI-1 header has 348."""

MNI_CODES = (3, 4, 5)
"""NIfTI form codes of a standard space: Talairach, MNI152, other template."""

FORM_NAMES = {1: "scanner", 2: "aligned to another scan"}
"""What the codes of a form mean that are no standard space."""

_UNITS = {1: "metre", 2: "mm", 3: "micrometre"}
_TIME_UNITS = {0: 1, 8: 1, 16: 1_000, 24: 1_000_000}
"""Unit of time in ``xyzt_units`` (none, s, ms, µs) and how many of it make a second."""

_COMPLEX = {32, 1792, 2048}
_COLOUR = {128, 2304}
_LARGEST_IMAGE = 2**40
_UNKNOWN_SPACE = 2  # aligned to something; code 0 would make readers ignore the affine
_MARKS = {348: (b"n+1\0", b"ni1\0"), 540: (b"n+2\0", b"ni2\0")}
_TEXT_FIELDS = ("descrip", "aux_file", "intent_name", "db_name")
_SOFTWARE = re.compile(
    r"fsl|spm|itk|ants|afni|freesurfer|mricro|nibabel|nilearn|dcm2nii|lesion_dash|niftyreg|^[\d.:\sa-f]*$|"
    r"matlab|slicer|mrtrix|time=|te=|qmri|brainvoyager|mango|greedy|normali[sz]ed|smoothed",
    re.IGNORECASE,
)


class HeaderFault(ValueError):
    """Something in a header that makes the image unusable; the reader adds the file's name."""


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


def half_step(header: Header) -> float:
    """How far whole numbers may be off that were written through an integer type and a slope.

    Half a scale step; nothing where the steps are so wide that labels could not be told apart.
    """
    is_rounded = header.is_scaled and header.dtype.kind in "iu" and abs(header.slope) <= 0.5
    # A slope is stored as float32: the sixth digit of the border is not known.
    return abs(header.slope) / 2 * (1 + 1e-6) if is_rounded else 0.0


@lru_cache(maxsize=256)
def parse_header(block: bytes, is_pair: bool = False) -> Header:
    """Read and check the first bytes of an uncompressed NIfTI file, or of a pair's ``.hdr``.

    Masks of one cohort share their header, so a thousand files cost one check.

    Raises
    ------
    HeaderFault
        Naming the field, its value and the rule.
    """
    header, analyze = open_header(block, is_pair)
    shape = _check_shape(header)
    dtype = _check_dtype(header)
    offset = _check_offset(header)
    slope, intercept = _check_scaling(header)
    grid, form, code, notes = _check_forms(header, shape)
    notes += _oddities(header, dtype) + _free_text(header) + _check_extension(header, block, offset)
    if analyze:
        notes = ["orientation unknown (Analyze): the format stores none"]
    time, stated = _repetition_time(header, shape)
    result = Header(
        shape, dtype, offset, slope, intercept, grid, form, code, time, tuple(notes), stated
    )
    if result.voxel_bytes > _LARGEST_IMAGE:
        raise HeaderFault(f"impossible size: {' x '.join(map(str, shape))} voxels claimed")
    return result


def _repetition_time(header: nib.Nifti1Header, shape: tuple[int, ...]) -> tuple[float, bool]:
    """Seconds, and whether the header names their unit."""
    unit = int(header["xyzt_units"]) & 56
    if len(shape) < 4 or unit not in _TIME_UNITS:
        return 0.0, False
    # Stored as float32: 0.72 s is meant, not 0.7200000286, which drifts over a long run.
    return float(str(header["pixdim"][4])) / _TIME_UNITS[unit], unit != 0


def open_header(block: bytes, is_pair: bool = False) -> tuple[nib.Nifti1Header, bool]:
    """The fields of a header as they are stored, and whether it is one of Analyze."""
    analyze = is_pair and len(block) >= 348 and block[344:348] not in _MARKS[348]
    return _nibabel_header(_without_orientation(block) if analyze else block), analyze


def _nibabel_header(block: bytes) -> nib.Nifti1Header:
    if len(block) >= 132 and block[128:132] == b"DICM":
        raise HeaderFault("DICOM, not NIfTI; convert it with dcm2niix")
    if len(block) < 348:
        raise HeaderFault(f"header incomplete: {len(block)} of 348 bytes")
    for order in ("little", "big"):
        size = int.from_bytes(block[:4], order)
        if size == 540 and len(block) >= 540 and block[4:8] in _MARKS[540]:
            return nib.Nifti2Header(block[:540], check=False)
        if size == 348 and block[344:348] in _MARKS[348]:
            return nib.Nifti1Header(block[:348], check=False)
    if block[344:348] in _MARKS[348]:
        raise HeaderFault("header is damaged: its size field is neither 348 nor 540")
    raise HeaderFault("not a NIfTI file: the mark 'n+1' is missing")


def _check_shape(header: nib.Nifti1Header) -> tuple[int, ...]:
    dim = [int(n) for n in header["dim"]]
    lengths = dim[1 : dim[0] + 1]
    if not 1 <= dim[0] <= 7 or any(n < 1 for n in lengths):
        raise HeaderFault(f"impossible dimensions: dim = {dim}")
    return tuple(lengths)


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
    if form == "none":
        notes = ["orientation unknown: sform and qform codes are both 0, left may be right"]
    else:
        notes = []
    affine = header.get_sform() if form == "sform" else qform_affine(header, form)
    check_affine(affine, form)
    code = sform_code if form == "sform" else qform_code
    if form != "none" and code not in MNI_CODES:
        name = FORM_NAMES.get(code, "unknown")
        notes.append(
            f"not marked as standard space: {form}_code is {code} ({name}); fine if it is MNI"
        )
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
    b, c, d = (float(header[f"quatern_{letter}"]) for letter in "bcd")
    if not b * b + c * c + d * d <= 1 + 1e-5:
        raise HeaderFault(f"qform is invalid: quaternion ({b:g}, {c:g}, {d:g}) is longer than 1")
    # nibabel accepts a rounding excess up to 1e-7 only; the excess carries no direction.
    excess = max(1.0, (b * b + c * c + d * d) ** 0.5)
    scaled = header.copy()
    for letter, value in zip("bcd", (b, c, d), strict=True):
        scaled[f"quatern_{letter}"] = value / excess
    return _signed_qform(scaled)


def _signed_qform(header: nib.Nifti1Header) -> np.ndarray:
    header["pixdim"][1:4] = np.abs(header["pixdim"][1:4])
    try:
        return np.asarray(header.get_qform())
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
    """Say that a header holds words of somebody's own: they may name a patient."""
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


def _without_orientation(block: bytes) -> bytes:
    """An Analyze header as a NIfTI header that says nothing of scale, unit and orientation."""
    plain = bytearray(block)
    plain[112:120] = bytes(8)
    plain[123] = 2
    plain[148:344] = bytes(196)
    plain[344:348] = b"ni1\0"
    return bytes(plain)


def fault_of(path: object, fault: HeaderFault) -> InputError:
    """The error a user sees: the file's name before what is wrong with its header."""
    problem, _, remedy = str(fault).partition("; ")
    if str(path).lower().endswith(ARRAY_ENDINGS):
        problem, remedy = "holds an array and is no image", "make one by `lesion-dash convert`"
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
        # Shear cannot be held by a qform; the sform is then the only full description.
        warnings.simplefilter("ignore")
        header.set_qform(grid.affine, code)
    header["descrip"] = description.encode("ascii", "replace")[:79]
    return image
