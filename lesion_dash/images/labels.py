"""Label images: a whole number at every voxel."""

from __future__ import annotations

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import AnyPath
from ..grid import Grid
from .header import Header, half_step, make_image
from .lesions import volume_grid
from .reading import LARGEST_IMAGE, Stored, read_header, read_stored, stored_of_image

_FLOAT_ROUNDING = 1e-4
_LARGEST_LABEL = 2**53


class NotWhole(InputError):
    """Values of an image that are no whole numbers, though within the range of labels.

    Parameters
    ----------
    subject : path
    example : float
        One of them.
    largest : float
    """

    def __init__(self, subject: object, example: float, largest: float) -> None:
        problem = f"labels are not whole numbers, such as {example:g}"
        super().__init__(subject, problem, "resample labels by nearest neighbour only")
        self.largest = largest


def read_labels(
    source: AnyPath | nib.spatialimages.SpatialImage | Stored,
) -> tuple[NDArray[np.integer], Grid, Stored, tuple[str, ...]]:
    """Read an image of labels.

    Returns
    -------
    labels : array of int32 or int64, shape of the grid, read-only
    grid : Grid
    stored : Stored
        The file as it was read.
    notes : tuple of str

    Raises
    ------
    InputError
        Where the file is damaged or its values are not whole numbers of at least 0; `NotWhole`
        where they are fractions.
    """
    if isinstance(source, Stored):
        stored = source
    elif isinstance(source, nib.spatialimages.SpatialImage):
        stored = stored_of_image(source)
    else:
        _check_volumes(source, read_header(source))
        stored = read_stored(source, LARGEST_IMAGE)
    path = stored.path
    _check_volumes(path, stored.header)
    grid = volume_grid(path, stored.header)
    values, notes = _whole_numbers(stored)
    labels: NDArray[np.integer] = values.astype(
        np.int32 if values.max(initial=0) < 2**31 else np.int64
    )
    labels.setflags(write=False)
    return labels.reshape(grid.shape, order="F"), grid, stored, stored.notes + notes


def _check_volumes(path: AnyPath, header: Header) -> None:
    if header.volumes > 1:
        count = header.volumes
        problem = f"probabilistic atlas or time series: {count} volumes, one of labels expected"
        raise InputError(path, problem, "give the atlas's maximum probability map")


def _whole_numbers(stored: Stored) -> tuple[NDArray, tuple[str, ...]]:
    header, values = stored.header, stored.values
    notes: tuple[str, ...] = ()
    if header.dtype.kind in "iu" and not header.is_scaled:
        _check_range(stored, values)
        return values, notes
    values = values.astype(np.float64) * header.slope + header.intercept
    if unknown := int(np.isnan(values).sum()):
        notes = (f"NaN treated as background in {unknown:,} voxels",)
        values = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
    _check_range(stored, values)
    whole = np.rint(values)
    off = np.abs(values - whole) > max(half_step(header), _FLOAT_ROUNDING)
    if off.any():
        raise NotWhole(stored.path, float(values[off][0]), float(values.max()))
    return whole.astype(np.int64), notes


def _check_range(stored: Stored, values: NDArray) -> None:
    lowest, largest = values.min(initial=0), values.max(initial=0)
    if lowest < -_FLOAT_ROUNDING:
        problem = f"negative label {lowest:g}"
        raise InputError(stored.path, problem, "labels start at 1, 0 is outside")
    if largest > _LARGEST_LABEL:
        raise InputError(stored.path, f"label {largest:g} is larger than {_LARGEST_LABEL:,}")


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
