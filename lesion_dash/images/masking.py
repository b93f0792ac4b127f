"""Images of which only the voxels inside a mask are kept."""

from __future__ import annotations

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import AnyPath, PathInput, as_path
from .header import Header, make_image
from .lesions import volume_grid
from .maps import nifti_parts
from .masks import Mask
from .reading import LARGEST_IMAGE, Stored, read_header, read_stored, stored_of_image
from .writing import compressed


def read_volume(source: PathInput | nib.spatialimages.SpatialImage) -> Stored:
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
    if isinstance(source, nib.spatialimages.SpatialImage):
        stored = stored_of_image(source)
        _check_single(stored.path, stored.header)
        return stored
    path = as_path(source)
    _check_single(path, read_header(path))  # a series is refused before it is inflated
    return read_stored(path, LARGEST_IMAGE)


def _check_single(path: AnyPath, header: Header) -> None:
    if header.volumes > 1:
        problem = f"several volumes: {header.volumes} in one file, one expected"
        raise InputError(path, problem, "save the volume of interest as an image of its own")
    volume_grid(path, header)


def masked_bytes(stored: Stored, mask: Mask, is_compressed: bool) -> tuple[bytes, tuple[str, ...]]:
    """An image with 0 outside a mask, as the content of a NIfTI file.

    Parameters
    ----------
    stored : Stored
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
    kept = np.full(values.size, zero, values.dtype)
    kept[mask.indices] = values[mask.indices]
    array = kept.reshape(mask.grid.shape, order="F")
    image = make_image(mask.grid, array, "lesion_dash: image inside a mask")
    content = b"".join(nifti_parts(image, slope, intercept))
    if is_compressed:
        content = compressed(content)
    return content, notes


def _with_background(stored: Stored) -> tuple[NDArray, float, float, tuple[str, ...]]:
    """Stored values and their scaling, or the scaled values where no stored one means 0."""
    header = stored.header
    dtype, notes = _nifti_type(header.dtype)
    values = stored.values.astype(dtype, copy=False)
    if _stored_zero(values.dtype, header.slope, header.intercept) is not None:
        return values, header.slope, header.intercept, notes
    scaling = f"slope {header.slope:g}, intercept {header.intercept:g}"
    note = f"written as float64: no stored value of the image stands for 0 ({scaling})"
    return values.astype(np.float64) * header.slope + header.intercept, 1.0, 0.0, (note,)


def _nifti_type(dtype: np.dtype) -> tuple[np.dtype, tuple[str, ...]]:
    """The type in the machine's byte order; of floats, one that every reader of NIfTI has."""
    if dtype.kind != "f" or dtype.itemsize in (4, 8):
        return dtype.newbyteorder("="), ()
    wide = np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    return wide, (f"{dtype.name} is written as {wide.name}",)


def _stored_zero(dtype: np.dtype, slope: float, intercept: float) -> float | None:
    """The stored value that means exactly 0, None where there is none."""
    wanted = -intercept / slope
    if dtype.kind == "f":
        zero = float(np.array(wanted).astype(dtype))
    else:
        zero, limits = float(round(wanted)), np.iinfo(dtype)
        if not limits.min <= zero <= limits.max:
            return None
    return zero if zero * slope + intercept == 0 else None
