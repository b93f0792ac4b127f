"""Binary masks: which voxels of an image are lesioned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import PathInput, as_path, strip_ending
from ..grid import Grid, is_near
from ..runs import voxels_of
from .header import make_image
from .lesions import BINARY, Choice, Lesion, find_lesion
from .reading import Stored, read_stored, stored_of_image


@dataclass(frozen=True, eq=False)
class Mask:
    """A binary map on a grid, kept as the positions of its voxels.

    Parameters
    ----------
    grid : Grid
    indices : array of int32, shape (voxels,)
        Linear positions in ascending order, the first axis fastest as in a NIfTI file:
        ``numpy.unravel_index(indices, grid.shape, order="F")`` gives (i, j, k).
    name : str
        For tables and file names.
    notes : tuple of str
        What was unusual about the file, a sentence each.
    sha256 : str
        Of the file it was read from, where it was.

    Examples
    --------
    >>> grid = Grid((2, 2, 2), np.diag([2.0, 2, 2, 1]))
    >>> mask = Mask.from_array(np.array([[[0, 1], [0, 0]], [[0, 0], [1, 0]]]), grid, "example")
    >>> mask.voxels, mask.volume_mm3
    (2, 16.0)
    """

    grid: Grid
    indices: NDArray[np.int32]
    name: str
    notes: tuple[str, ...] = ()
    sha256: str = ""

    def __post_init__(self) -> None:
        indices = np.asarray(self.indices, np.int32)
        if indices.size and (indices[0] < 0 or indices[-1] >= self.grid.size):
            raise InputError(self.name, "has voxels outside its grid")
        if np.any(indices[1:] <= indices[:-1]):
            raise InputError(self.name, "has voxels twice or out of order")
        indices = indices.view()
        indices.setflags(write=False)
        object.__setattr__(self, "indices", indices)

    @classmethod
    def from_array(cls, array: NDArray, grid: Grid, name: str) -> Mask:
        """Make a mask of the voxels of a 3D array that are not zero."""
        if array.shape != grid.shape:
            raise InputError(name, f"array of shape {array.shape} on a grid of {grid.shape}")
        return cls(grid, np.flatnonzero(np.ravel(array, order="F")).astype(np.int32), name)

    @classmethod
    def from_lesion(cls, lesion: Lesion, name: str) -> Mask:
        """Make a mask of what was found in an image."""
        indices = voxels_of(lesion.starts, lesion.lengths)
        return cls(lesion.grid, indices, name, lesion.notes)

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return int(self.indices.size)

    @property
    def volume_mm3(self) -> float:
        """Volume in mm³: a count of voxels times the volume of one."""
        return self.voxels * self.grid.voxel_volume

    @cached_property
    def array(self) -> NDArray[np.bool_]:
        """The mask as a boolean array, shape of the grid, read-only."""
        flat = np.zeros(self.grid.size, bool)
        flat[self.indices] = True
        flat.setflags(write=False)
        return flat.reshape(self.grid.shape, order="F")

    def on_grid(self, grid: Grid) -> Mask:
        """Bring the mask onto a grid whose voxels coincide with its own: flipped or permuted axes.

        No value is interpolated, and the number of voxels stays what it is.

        Raises
        ------
        InputError
            Where voxel centres do not coincide, or a voxel of the mask lies outside the grid.
        """
        if self.grid.matches(grid):
            return self
        if is_near(self.grid, grid):
            shift = f"grid differs slightly, by {self.grid.corner_shift(grid):.2g} mm"
            note = f"{shift}: the nearest voxel is the same"
            return Mask(grid, self.indices, self.name, (*self.notes, note))
        steps = self.grid.exact_steps(grid)
        if steps is None:
            problem = f"is not on the grid of the other map: {self.grid.difference(grid)}"
            raise InputError(self.name, problem, "bring both maps onto one grid")
        own = np.stack(np.unravel_index(self.indices, self.grid.shape, order="F"))
        voxels = steps[:, :3] @ own + steps[:, 3:]
        if ((voxels < 0) | (voxels >= np.array(grid.shape)[:, None])).any():
            raise InputError(self.name, "reaches beyond the grid of the other map")
        indices = np.sort(np.ravel_multi_index(tuple(voxels), grid.shape, order="F"))
        note = f"reoriented exactly from {self.grid} to {grid}"
        return Mask(grid, indices.astype(np.int32), self.name, (*self.notes, note))

    def to_nifti(self) -> nib.Nifti1Image:
        """The mask as a NIfTI image of 0 and 1, uint8."""
        return make_image(self.grid, self.array.astype(np.uint8), "lesion_dash: binary map")


def read_mask(
    path: PathInput | nib.spatialimages.SpatialImage,
    threshold: float | None = None,
    label: int | None = None,
) -> Mask:
    """Read a binary mask from a NIfTI file, or take it from a nibabel image.

    Parameters
    ----------
    path : path, URL or nibabel image
        Three axes; two values, 0 and one other.
    threshold : float, optional
        Make a mask of a probability map: voxels of at least this value, in (0, 1].
    label : int, optional
        Make a mask of a label map: voxels of exactly this value.

    Raises
    ------
    InputError
        Where the file is damaged or is no binary mask; the sentence names the remedy.
    """
    choice = Choice(threshold, label)
    if isinstance(path, nib.spatialimages.SpatialImage):
        return mask_of(stored_of_image(path), choice)
    return mask_of(read_stored(as_path(path)), choice)


MaskLike = Mask | PathInput | nib.spatialimages.SpatialImage
"""What stands for a binary map: a mask, the path of one, or a nibabel image."""


def as_mask(source: MaskLike) -> Mask:
    """The mask itself, or the one that is read from a path or a nibabel image."""
    return source if isinstance(source, Mask) else read_mask(source)


def mask_of(stored: Stored, choice: Choice = BINARY) -> Mask:
    """Find the lesioned voxels of an image that was read."""
    mask = Mask.from_lesion(find_lesion(stored, choice), strip_ending(stored.path.name))
    return replace(mask, sha256=stored.sha256)
