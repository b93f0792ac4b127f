"""Images of three numbers at every voxel, such as displacements."""

from __future__ import annotations

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import AnyPath
from ..grid import Grid
from .header import make_image
from .reading import LARGEST_IMAGE, read_header, read_stored

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
        problem = f"is no displacement field: {shape} numbers, x, y, z, 1, 3 expected"
        raise InputError(path, problem, "give a field of ITK or ANTs, or a linear transform")
    stored = read_stored(path, LARGEST_IMAGE)
    values = stored.values.reshape((*header.grid.shape, 3), order="F")
    if header.is_scaled:
        values = values * header.slope + header.intercept
    return header.grid, values
