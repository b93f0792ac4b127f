"""Maps: a number at every voxel, with its unit."""

from __future__ import annotations

import io
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..grid import Grid
from .header import make_image


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
        ``mm³`` or ``patients``.
    description : str
        How the map was made, for the file's header (79 characters at most).
    """

    name: str
    array: NDArray
    grid: Grid
    unit: str
    description: str

    def value_at(self, mm: ArrayLike) -> float:
        """The value at the voxel nearest to a world point in mm, NaN outside the image."""
        voxel = self.grid.nearest_voxel(mm)
        return float(self.array[voxel]) if voxel else float("nan")

    def to_nifti(self) -> nib.Nifti1Image:
        """The map as a NIfTI image, float32."""
        return make_image(self.grid, self.array.astype(np.float32, copy=False), self.description)


def nifti_parts(image: nib.Nifti1Image) -> tuple[bytes, memoryview]:
    """Header and voxels of an uncompressed ``.nii`` file; the voxels are not copied."""
    array = np.asfortranarray(image.dataobj, dtype=image.get_data_dtype())
    image.update_header()
    header = image.header.copy()
    header.set_data_offset(header.single_vox_offset)
    header.set_slope_inter(1, 0)
    head = io.BytesIO()
    header.write_to(head)
    return head.getvalue(), array.ravel(order="K").view(np.uint8).data


def nifti_bytes(image: nib.Nifti1Image) -> bytes:
    """An image as the content of an uncompressed ``.nii`` file."""
    return b"".join(nifti_parts(image))
