"""Label images: a whole number at every voxel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..grid import Grid
from .masks import volume_grid
from .reading import Stored, read_stored

_FLOAT_ROUNDING = 1e-4


def read_labels(path: Path) -> tuple[NDArray[np.integer], Grid, tuple[str, ...]]:
    """Read an image of labels.

    Returns
    -------
    labels : array of int32 or int64, shape of the grid, read-only
    grid : Grid
    notes : tuple of str

    Raises
    ------
    InputError
        Where the file is damaged or its values are not whole numbers of at least 0.
    """
    stored = read_stored(path)
    if stored.header.volumes > 1:
        problem = f"probabilistic atlas: {stored.header.volumes} volumes, one of labels expected"
        raise InputError(path, problem, "give its maximum probability map")
    grid = volume_grid(path, stored.header)
    values, notes = _whole_numbers(stored)
    if values.size and values.min() < 0:
        raise InputError(path, f"negative label {values.min()}", "labels start at 1, 0 is outside")
    labels: NDArray[np.integer] = values.astype(
        np.int32 if values.max(initial=0) < 2**31 else np.int64
    )
    labels.setflags(write=False)
    return labels.reshape(grid.shape, order="F"), grid, stored.notes + notes


def _whole_numbers(stored: Stored) -> tuple[NDArray, tuple[str, ...]]:
    header = stored.header
    if header.dtype.kind in "iu" and not header.is_scaled:
        return stored.values, ()
    values = stored.values.astype(np.float64) * header.slope + header.intercept
    notes: tuple[str, ...] = ()
    if unknown := int(np.isnan(values).sum()):
        notes = (f"NaN treated as background in {unknown:,} voxels",)
        values = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
    whole = np.rint(values)
    # A label written through an integer type and a slope comes back within half a scale step.
    step = abs(header.slope) / 2 if header.is_scaled and header.dtype.kind in "iu" else 0.0
    off = np.abs(values - whole) > np.maximum(step, _FLOAT_ROUNDING)
    if not np.isfinite(values).all() or off.any():
        example = values[off][0] if off.any() else np.inf
        problem = f"labels are not whole numbers, such as {example:g}"
        raise InputError(stored.path, problem, "resample labels by nearest neighbour only")
    return whole.astype(np.int64), notes
