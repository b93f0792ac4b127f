"""Grids, transforms and images for the tests of registration, and SimpleITK's view of them."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from lesion_dash.core.grid import Grid

LPS = np.diag([-1.0, -1, 1, 1])


def rotation(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """A 4 x 4 rotation of angles in degrees, x first."""
    matrix = np.eye(4)
    for angle, (first, other) in zip((x, y, z), ((1, 2), (2, 0), (0, 1)), strict=True):
        turn = np.eye(4)
        cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        turn[first, first] = turn[other, other] = cosine
        turn[first, other], turn[other, first] = -sine, sine
        matrix = turn @ matrix
    return matrix


def affine(spacing, origin=(0, 0, 0), turn=None) -> np.ndarray:
    """Voxels to mm: edges (negative where an axis runs the other way), first voxel, rotation."""
    matrix = (np.eye(4) if turn is None else turn) @ np.diag([*spacing, 1.0])
    matrix[:3, 3] = origin
    return matrix


def known_matrix(seed: int = 0) -> np.ndarray:
    """A rotation, scaling, shear and shift that no axis is spared by."""
    generator = np.random.default_rng(seed)
    matrix = rotation(8, -5, 12) @ np.diag([1.05, 0.93, 1.1, 1])
    matrix[:3, :3] += generator.uniform(-0.05, 0.05, (3, 3))
    matrix[:3, 3] = 6, -4, 5
    return matrix


def flipped(grid: Grid, *axes: int) -> Grid:
    """The same places with some axes counted from their other end."""
    turn = np.eye(4)
    for axis in axes:
        turn[axis, axis], turn[axis, 3] = -1, grid.shape[axis] - 1
    return Grid(grid.shape, grid.affine @ turn)


def to_sitk(array: np.ndarray, grid: Grid) -> sitk.Image:
    """An image of SimpleITK of an array and where it lies."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
    place_sitk(image, grid)
    return image


def place_sitk(image: sitk.Image, grid: Grid) -> None:
    world = LPS @ grid.affine
    image.SetSpacing(grid.voxel_size.tolist())
    image.SetOrigin(world[:3, 3].tolist())
    image.SetDirection((world[:3, :3] / grid.voxel_size).ravel().tolist())


def resampled(
    array: np.ndarray, own: Grid, transform: sitk.Transform, grid: Grid, way: int = sitk.sitkLinear
) -> np.ndarray:
    """What SimpleITK's resampler makes of an image on another grid."""
    reference = to_sitk(np.zeros(grid.shape, np.float32), grid)
    warped = sitk.Resample(to_sitk(array, own), reference, transform, way, 0.0)
    return sitk.GetArrayFromImage(warped).T
