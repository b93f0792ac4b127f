"""The MNI152 brain under the maps, read without importing nilearn."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..core.grid import Grid

# A page asks for it whenever a map is shown: of cohorts A and B, an atlas and a scan, 7 MB at 1 mm.
_GRIDS = 4
_FILE = "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"


@lru_cache(maxsize=1)
def load_template() -> nib.Nifti1Image:
    """Load the skull-stripped MNI152 T1 template at 1 mm that nilearn ships.

    nilearn's file is opened directly, because importing nilearn takes seconds and the template is
    the first thing a viewer needs. Where the file is not found, nilearn itself is asked for it.

    Returns
    -------
    nibabel.Nifti1Image
        uint8 image of shape (197, 233, 189) in MNI152 space, 0 outside the brain.

    Examples
    --------
    >>> load_template().shape
    (197, 233, 189)
    """
    path = _packaged_file()
    if path is None:
        return _ask_nilearn()
    image = nib.Nifti1Image.from_filename(path)
    return nib.Nifti1Image(np.asarray(image.dataobj, dtype=np.uint8), image.affine)


@lru_cache(maxsize=_GRIDS)
def template_on(grid: Grid) -> nib.Nifti1Image:
    """Resample the template onto a grid, so that a map on that grid lies on it voxel by voxel.

    Along each axis the template is averaged over the width of a voxel. A grid that is oblique to
    MNI152 gets the template unchanged on its own grid.

    Parameters
    ----------
    grid : Grid
        Grid in MNI152 space.

    Returns
    -------
    nibabel.Nifti1Image
        uint8 image on ``grid``, 0 where the template does not reach; shared, so that its array
        cannot be written to.
    """
    template = load_template()
    affine = np.asarray(template.affine)
    to_template = np.linalg.inv(affine) @ grid.affine
    axes = np.argmax(np.abs(to_template[:3, :3]), axis=0)
    if not _is_axis_aligned(to_template[:3, :3]):
        return template
    # Transposed, the slowest axis comes first: taking along it moves whole blocks of memory.
    array = np.asarray(template.dataobj).T
    for axis in np.argsort(-axes):
        source = int(axes[axis])
        step, start = to_template[source, axis], to_template[source, 3]
        array = _average_along(array, 2 - source, step, start, grid.shape[axis])
    levels = np.rint(np.transpose(array.T, axes)).astype(np.uint8)
    levels.flags.writeable = False
    return eight_bit_image(levels, grid)


def eight_bit_image(levels: NDArray[np.uint8], grid: Grid) -> nib.Nifti1Image:
    """Wrap a picture of a map for a viewer that shows it over the template.

    Parameters
    ----------
    levels : array of uint8, shape ``grid.shape``
        Levels of brightness or of a colour table.
    grid : Grid
        Where the voxels are.
    """
    return nib.Nifti1Image(levels, grid.affine)


def grid_of(image: nib.Nifti1Image) -> Grid:
    """Where the voxels of such an image are."""
    nx, ny, nz = image.shape
    return Grid((nx, ny, nz), image.affine)


def _packaged_file() -> Path | None:
    spec = find_spec("nilearn")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "datasets" / "data" / _FILE
    return path if path.is_file() else None


def _ask_nilearn() -> nib.Nifti1Image:
    from nilearn.datasets import load_mni152_template

    image = load_mni152_template(resolution=1)
    array = np.asarray(image.dataobj)
    return nib.Nifti1Image(np.rint(array * (255 / array.max())).astype(np.uint8), image.affine)


def _is_axis_aligned(matrix: NDArray[np.float64]) -> bool:
    large = np.abs(matrix) > 1e-3 * np.abs(matrix).max()
    return bool((large.sum(axis=0) == 1).all() and (large.sum(axis=1) == 1).all())


def _average_along(
    array: NDArray[Any], axis: int, step: float, start: float, length: int
) -> NDArray[np.float32]:
    centres = start + step * np.arange(length, dtype=np.float64)
    # A voxel no wider than the template's is a point; a wider one is the mean of its two halves.
    reach = max(abs(step) - 1.0, 0.0) / 2
    sides = [centres] if reach == 0 else [centres - reach, centres + reach]
    total = _sample_along(array, axis, sides[0])
    for side in sides[1:]:
        total += _sample_along(array, axis, side)
    return total / np.float32(len(sides))


def _sample_along(
    array: NDArray[Any], axis: int, positions: NDArray[np.float64]
) -> NDArray[np.float32]:
    last = array.shape[axis] - 1
    inside = (positions > -0.5) & (positions < last + 0.5)
    clipped = np.clip(positions, 0, last)
    lower = clipped.astype(np.intp)
    shape = [1] * array.ndim
    shape[axis] = -1
    weight = (clipped - lower).astype(np.float32).reshape(shape)
    below = np.take(array, lower, axis=axis).astype(np.float32)
    if weight.any():
        above = np.take(array, np.minimum(lower + 1, last), axis=axis).astype(np.float32)
        above -= below
        below += weight * above
    below *= inside.astype(np.float32).reshape(shape)
    return below
