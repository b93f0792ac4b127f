"""Maps: a number at every voxel, with its unit."""

from __future__ import annotations

import io
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..files import AnyPath, PathInput, as_path, strip_ending
from ..grid import Grid
from .header import Header, make_image
from .lesions import volume_grid
from .masks import Mask
from .reading import LARGEST_IMAGE, Stored, read_header, read_stored, stored_of_image


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
    """

    name: str
    array: NDArray
    grid: Grid
    unit: str
    description: str
    notes: tuple[str, ...] = ()
    sha256: str = ""

    def value_at(self, mm: ArrayLike) -> float:
        """The value at the voxel nearest to a world point in mm, NaN outside the image."""
        voxel = self.grid.nearest_voxel(mm)
        return float(self.array[voxel]) if voxel else float("nan")

    def to_nifti(self) -> nib.Nifti1Image:
        """The map as a NIfTI image, float32."""
        return make_image(self.grid, self.array.astype(np.float32, copy=False), self.description)


def read_map(source: PathInput | nib.spatialimages.SpatialImage) -> Map:
    """Read an image of one number at every voxel, such as a statistical map.

    Parameters
    ----------
    source : path, URL or nibabel image
        Three axes. Values are kept as they are stored, or as float64 where the file scales them;
        NaN is background wherever the map is used, and is kept.

    Raises
    ------
    InputError
        Where the file is damaged, holds several volumes, or an infinite value.

    Examples
    --------
    >>> found = read_map("sample_data/cohort_a/sub-a01_lesion.nii.gz")
    >>> found.array.shape, int(found.array.max())
    ((91, 109, 91), 1)
    """
    if isinstance(source, nib.spatialimages.SpatialImage):
        stored = stored_of_image(source)
    else:
        path = as_path(source)
        # A series is refused by its header: no voxel of it is inflated.
        _check_volume(path, read_header(path))
        stored = read_stored(path, LARGEST_IMAGE)
    grid = _check_volume(stored.path, stored.header)
    values, notes = _check_values(stored)
    array = values.reshape(grid.shape, order="F")
    array.setflags(write=False)
    name = strip_ending(stored.path.name)
    return Map(name, array, grid, "", "", stored.notes + notes, stored.sha256)


def _check_volume(path: AnyPath, header: Header) -> Grid:
    if header.volumes > 1:
        problem = f"several volumes: {header.volumes} in one file, one expected"
        raise InputError(path, problem, "save the volume of interest as an image of its own")
    return volume_grid(path, header)


def _check_values(stored: Stored) -> tuple[NDArray, tuple[str, ...]]:
    """Values in the machine's byte order and as the header scales them; NaN is counted."""
    values, header = stored.values, stored.header
    if header.is_scaled:
        values = values.astype(np.float64) * header.slope + header.intercept
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind != "f":
        return values, ()
    if infinite := int(np.isinf(values).sum()):
        problem = f"infinite value in {infinite:,} voxels"
        raise InputError(stored.path, problem, "replace it by NaN or 0 where it is background")
    unknown = int(np.isnan(values).sum())
    return values, (f"NaN treated as background in {unknown:,} voxels",) if unknown else ()


MapLike = Map | Mask | PathInput | nib.spatialimages.SpatialImage
"""What stands for a map: a map or a mask, the path of one, or a nibabel image."""


def as_map(source: MapLike) -> Map:
    """The map itself, a mask as a map of 0 and 1, or the map that is read from an image.

    Raises
    ------
    InputError
        Where the image cannot be read, or the map's array is none of finite numbers on its grid.
    """
    if isinstance(source, Map):
        _check_array(source)
        return source
    if isinstance(source, Mask):
        array = source.array.view(np.uint8)
        return Map(source.name, array, source.grid, "", "", source.notes, source.sha256)
    return read_map(source)


def _check_array(found: Map) -> None:
    array = found.array
    if array.shape != found.grid.shape:
        raise InputError(
            found.name, f"array of shape {array.shape} on a grid of {found.grid.shape}"
        )
    if array.dtype.kind not in "buif":
        raise InputError(found.name, f"holds values of type {array.dtype}", "give real numbers")
    if array.dtype.kind == "f" and np.isinf(array).any():
        raise InputError(found.name, "holds an infinite value", "replace it by NaN or 0")


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
