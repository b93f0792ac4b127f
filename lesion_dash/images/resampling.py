"""Maps brought onto another grid."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import lru_cache

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..grid import Grid
from .maps import Map

_CODE = 4  # nilearn asks for a stated sform, whichever


@lru_cache(maxsize=4)
def resample_map(found: Map, grid: Grid) -> Map:
    """Bring a map onto another grid as siibra and nilearn do.

    A map of 0 and 1 is brought there by nearest neighbour, any other one by linear interpolation
    (`nilearn.image.resample_img`); voxels outside the map are 0, NaN stays NaN at its nearest
    voxels, and values keep their type: those of a map of integers are rounded.

    Parameters
    ----------
    found : Map
    grid : Grid

    Returns
    -------
    Map
        On the grid, with a note that says how; the map itself where it lies there already.
    """
    from nilearn.image import resample_img

    if found.grid == grid:
        return found
    way = "nearest" if np.array_equal(np.unique(found.array), [0, 1]) else "linear"
    array = _of_nifti_type(found.array)
    image = nib.Nifti1Image(array, found.grid.affine, dtype=array.dtype)
    image.set_sform(found.grid.affine, _CODE)
    with warnings.catch_warnings():
        # It warns of NaN and of two values only; both are handled here and stated.
        warnings.simplefilter("ignore")
        brought = resample_img(
            image, grid.affine, grid.shape, way, copy_header=True, force_resample=True
        )
    values = np.asarray(brought.dataobj)
    values.setflags(write=False)
    spelled = "nearest neighbour" if way == "nearest" else "linear interpolation"
    note = f"map resampled from {found.grid} onto the atlas's grid ({grid}) by {spelled}"
    return replace(found, array=values, grid=grid, notes=(*found.notes, note))


def _of_nifti_type(array: NDArray) -> NDArray:
    """The array in a type that a NIfTI image can hold."""
    if array.dtype == bool:
        return array.view(np.uint8)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        return array.astype(np.float64)
    return array
