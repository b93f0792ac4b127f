"""The formats that are read, each told by its first bytes and opened as a NIfTI header."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import NamedTuple

import nibabel as nib
import numpy as np
from nibabel.brikhead import AFNIHeader, AFNIHeaderError, AFNIImageError
from nibabel.freesurfer.mghformat import MGHError, MGHHeader
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

LONGEST_HEADER = 540
"""Bytes of a NIfTI-2 header; a NIfTI-1 header has 348, one of MGH 284."""

LONGEST_TEXT_HEADER = 2**18
"""Bytes of a header that is text, as AFNI's; arbitrary: they hold some ten kB, mostly history."""

_MARKS = {348: (b"n+1\0", b"ni1\0"), 540: (b"n+2\0", b"ni2\0")}
_MGH_MARK = b"\0\0\0\1\0"  # its version, big-endian, and that the first axis is below 2**24
_MGH_LENGTH = 284
_AFNI_MARK = re.compile(rb"\s*type\s*=\s*(string|integer|float)-attribute\s*\n")
_AFNI_REMEDY = "convert it: 3dAFNItoNIFTI FILE"
_ALIGNED = 2  # NIfTI's code of coordinates that are of no named space; 0 would void the affine
_AFNI_SPACES = {"ORIG": 1, "ACPC": 1, "TLRC": 3}
"""NIfTI's codes of AFNI's template spaces; those whose name begins with MNI are 4."""


class HeaderFault(ValueError):
    """Something in a header that makes the image unusable; the reader adds the file's name."""


class OpenHeader(NamedTuple):
    """The fields of a header as they are stored.

    Parameters
    ----------
    fields : nibabel.Nifti1Header
        Of another format, the same facts as NIfTI states them.
    format : str
        ``NIfTI-1``, ``NIfTI-2``, ``Analyze``, ``FreeSurfer MGH`` or ``AFNI``.
    space_source : str
        Of another format, what it says of the space; empty where a form code says it.
    notes : tuple of str
        Of another format, what is unusual about the header.
    has_tail : bool
        Whether something may follow the voxels that belongs to the format.
    """

    fields: nib.Nifti1Header
    format: str
    space_source: str = ""
    notes: tuple[str, ...] = ()
    has_tail: bool = False

    @property
    def is_analyze(self) -> bool:
        """Whether the format stores no orientation."""
        return self.format == "Analyze"


def is_text_header(head: bytes) -> bool:
    """Whether a header is text, as AFNI's, of which all must be read."""
    return _AFNI_MARK.match(head) is not None


def open_header(block: bytes, is_pair: bool = False) -> OpenHeader:
    """The fields of a header, whatever is wrong with them.

    Parameters
    ----------
    block : bytes
        The first bytes of an uncompressed file, or of a pair's header.
    is_pair : bool
        Whether the voxels lie in another file.

    Raises
    ------
    HeaderFault
        Where it is not a header of a format that is read.
    """
    if is_text_header(block):
        return _open_other(_afni_header, block)
    if block.startswith(_MGH_MARK):
        return _open_other(_mgh_header, block)
    if is_pair and len(block) >= 348 and block[344:348] not in _MARKS[348]:
        return OpenHeader(_nifti_header(_without_orientation(block)), "Analyze")
    fields = _nifti_header(block)
    return OpenHeader(fields, "NIfTI-2" if isinstance(fields, nib.Nifti2Header) else "NIfTI-1")


def _nifti_header(block: bytes) -> nib.Nifti1Header:
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


def _without_orientation(block: bytes) -> bytes:
    """An Analyze header as a NIfTI header that says nothing of scale, unit and orientation."""
    plain = bytearray(block)
    plain[112:120] = bytes(8)
    plain[123] = 2
    plain[148:344] = bytes(196)
    plain[344:348] = b"ni1\0"
    return bytes(plain)


def _open_other(read: Callable[[bytes], OpenHeader], block: bytes) -> OpenHeader:
    """A header of another format; whatever its reader stumbles over is a fault of the header."""
    faults = (AFNIHeaderError, AFNIImageError, MGHError, HeaderDataError)
    try:
        return read(block)
    except (*faults, LookupError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, HeaderFault):
            raise
        detail = " ".join(str(error).split())[:80]
        raise HeaderFault(f"header is damaged ({type(error).__name__}: {detail})") from None


def _mgh_header(block: bytes) -> OpenHeader:
    if len(block) < _MGH_LENGTH:
        raise HeaderFault(f"header incomplete: {len(block)} of {_MGH_LENGTH} bytes")
    header = MGHHeader(block[:_MGH_LENGTH])
    shape = tuple(int(length) for length in header["dims"])
    if shape[0] > 1 and shape[1:3] == (1, 1):
        raise HeaderFault(
            "values on a surface of FreeSurfer, not a volume; use the volume version of it"
        )
    is_oriented = int.from_bytes(block[28:30], "big")  # goodRASFlag
    notes = () if is_oriented else ("orientation unknown: FreeSurfer's usual one is assumed",)
    shape = shape if shape[3] != 1 else shape[:3]
    affine = np.asarray(header.get_affine(), np.float64)
    fields = _as_nifti(header.get_data_dtype().newbyteorder(">"), shape, affine, _ALIGNED)
    fields["vox_offset"] = _MGH_LENGTH
    return OpenHeader(fields, "FreeSurfer MGH", "FreeSurfer's MGH names none", notes, has_tail=True)


def _afni_header(block: bytes) -> OpenHeader:
    if len(block) >= LONGEST_TEXT_HEADER:
        raise HeaderFault(f"AFNI's header is longer than {LONGEST_TEXT_HEADER:,} bytes")
    text = io.TextIOWrapper(io.BytesIO(block.strip() + b"\n"), "latin-1")
    header = AFNIHeader.from_fileobj(text)
    shape = tuple(int(length) for length in header.get_data_shape())
    factors = header.get_data_scaling()
    if factors is not None and len({*factors.tolist()}) > 1:
        raise HeaderFault(f"AFNI's volumes are scaled differently; {_AFNI_REMEDY}")
    space = str(header.info.get("TEMPLATE_SPACE", "")).upper()
    code = 4 if space.startswith("MNI") else _AFNI_SPACES.get(space, _ALIGNED)
    shape = shape if shape[3] != 1 else shape[:3]
    fields = _as_nifti(header.get_data_dtype(), shape, header.get_affine(), code)
    if factors is not None:
        fields["scl_slope"] = factors[0]
    times = np.atleast_1d(header.info.get("TAXIS_NUMS", []))
    if len(shape) > 3 and times.size > 2:
        fields["pixdim"][4] = header.get_zooms()[3]
        fields["xyzt_units"] = 2 + {77001: 16, 77002: 8}.get(int(times[2]), 0)
    return OpenHeader(fields, "AFNI", f"AFNI's {space or 'unnamed'}")


def _as_nifti(
    dtype: np.dtype, shape: tuple[int, ...], affine: NDArray[np.float64], code: int
) -> nib.Nifti2Header:
    """The same facts as a NIfTI header, of a pair, whose voxels may begin anywhere."""
    fields = nib.Nifti2Header(endianness=">" if dtype.str.startswith(">") else "<")
    fields["magic"] = b"ni2\0"
    fields.set_data_dtype(dtype)
    fields["dim"] = [len(shape), *shape, *[1] * (7 - len(shape))]
    fields["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
    fields["pixdim"][4:] = 0
    fields.set_sform(affine, code)
    fields["xyzt_units"] = 2
    return fields
