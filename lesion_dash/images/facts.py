"""What a NIfTI header says, field by field, also where the image cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from .header import FORM_NAMES, HeaderFault, check_affine, open_header, qform_affine

_SPACES = {0: "unknown", 3: "Talairach", 4: "MNI152", 5: "other template"}
_SPACE_UNITS = {1: "m", 2: "mm", 3: "µm"}
_TIME_UNITS = {8: "s", 16: "ms", 24: "µs", 32: "Hz", 40: "ppm", 48: "rad/s"}
_TYPES = {
    1: "1 bit",
    32: "complex64",
    128: "RGB, 3 bytes",
    1536: "float128",
    1792: "complex128",
    2048: "complex256",
    2304: "RGBA, 4 bytes",
}
"""Voxel types that NumPy has no plain number for, or that are no real numbers."""


@dataclass(frozen=True, eq=False)
class Form:
    """One of the two affines that a NIfTI header may hold.

    Parameters
    ----------
    code : int
        Of the space it leads to; 0 where it is not set.
    affine : array, shape (4, 4), or None
        Takes voxels to mm; None where it is not set or cannot be used.
    fault : str
        Why it cannot be used.
    """

    code: int
    affine: NDArray[np.float64] | None
    fault: str = ""

    @property
    def space(self) -> str:
        """The meaning of the code."""
        return (FORM_NAMES | _SPACES).get(self.code, "not defined by the standard")


@dataclass(frozen=True, eq=False)
class HeaderFacts:
    """The fields of a header, as they are stored.

    Parameters
    ----------
    format : str
        Such as ``NIfTI-1``.
    shape : tuple of int
        All axes; empty where the header names impossible ones.
    data_type : str
        Of the stored values, such as ``int16``.
    byte_order : str
        ``little-endian`` or ``big-endian``.
    slope, intercept : float
        As they are stored: a slope of 0 or NaN means that values are not scaled.
    space_unit, time_unit : str
        Empty where none is stated.
    sform, qform : Form
    """

    format: str
    shape: tuple[int, ...]
    data_type: str
    byte_order: str
    slope: float
    intercept: float
    space_unit: str
    time_unit: str
    sform: Form
    qform: Form


def read_facts(block: bytes, is_pair: bool = False) -> HeaderFacts:
    """Read the fields of an uncompressed header.

    Raises
    ------
    HeaderFault
        Where it is no NIfTI header at all.
    """
    header, is_analyze = open_header(block, is_pair)
    units = int(header["xyzt_units"])
    order = "little-endian" if header.endianness == "<" else "big-endian"
    return HeaderFacts(
        _format_of(header, is_pair, is_analyze),
        _shape_of(header),
        _data_type_of(header),
        order,
        float(header["scl_slope"]),
        float(header["scl_inter"]),
        "" if is_analyze else _SPACE_UNITS.get(units & 7, ""),
        _TIME_UNITS.get(units & 56, ""),
        _sform_of(header),
        _qform_of(header),
    )


def axis_codes(affine: NDArray) -> str:
    """The direction in which each axis mainly grows, each world axis once, such as RAS.

    Unlike the largest entry of each column, nibabel's answer holds for oblique images as well.
    """
    return "".join(str(code) for code in nib.aff2axcodes(affine))


def _format_of(header: nib.Nifti1Header, is_pair: bool, is_analyze: bool) -> str:
    if is_analyze:
        return "Analyze 7.5, a pair of files"
    name = "NIfTI-2" if int(header["sizeof_hdr"]) == 540 else "NIfTI-1"
    return f"{name}, a pair of files" if is_pair else name


def _shape_of(header: nib.Nifti1Header) -> tuple[int, ...]:
    dim = [int(n) for n in header["dim"]]
    shape = tuple(dim[1 : dim[0] + 1]) if 1 <= dim[0] <= 7 else ()
    return shape if all(n > 0 for n in shape) else ()


def _data_type_of(header: nib.Nifti1Header) -> str:
    code = int(header["datatype"])
    if code in _TYPES:
        return _TYPES[code]
    try:
        return str(header.get_data_dtype().newbyteorder("=").name)
    except (HeaderDataError, KeyError):
        return f"unknown (datatype = {code})"


def _sform_of(header: nib.Nifti1Header) -> Form:
    code = int(header["sform_code"])
    if code <= 0:
        return Form(code, None)
    try:
        return Form(code, _frozen(check_affine(header.get_sform(), "sform")))
    except HeaderFault as fault:
        return Form(code, None, str(fault))


def _qform_of(header: nib.Nifti1Header) -> Form:
    code = int(header["qform_code"])
    if code <= 0:
        return Form(code, None)
    try:
        return Form(code, _frozen(check_affine(qform_affine(header, "qform"), "qform")))
    except HeaderFault as fault:
        return Form(code, None, str(fault))


def _frozen(affine: NDArray) -> NDArray[np.float64]:
    copy = np.array(affine, np.float64)
    copy.setflags(write=False)
    return copy
