"""A head that is a formula: sampled at any point, so a known pose needs no interpolation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesion_dash.core.grid import Grid
from lesion_dash.transforms.transform import Transform, points_of

# Half axes in mm around a centre (RAS); what comes later covers what came before.
SKIN = ((0, -15, 0), (76, 98, 112))
SKULL = ((0, -15, 18), (71, 91, 84))
CEREBROSPINAL_FLUID = ((0, -15, 18), (66, 86, 79))
BRAIN = ((0, -15, 18), (62, 82, 74))
WHOLE = ((172, 212, 236), 6, (0, -10, 0))  # the grid of an image that shows all of the head
VENTRICLES = (((-13, -18, 25), (7, 26, 11)), ((13, -14, 24), (8, 22, 12)))
EYES = ((-31, 66, -36), (32, 67, -35))
EYE_RADIUS = 12.0
NOSE = ((0, 88, -40), (13, 22, 24))


def make_grid(field_mm: ArrayLike, voxel_mm: float, centre: ArrayLike = (0, 0, 0)) -> Grid:
    """Voxels of a box around a centre, in mm."""
    shape = np.round(np.broadcast_to(field_mm, 3) / voxel_mm).astype(int)
    affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = np.asarray(centre) - voxel_mm * (shape - 1) / 2
    return Grid(tuple(shape.tolist()), affine)


def make_pose(
    degrees: ArrayLike = (0, 0, 0),
    shift: ArrayLike = (0, 0, 0),
    scale: ArrayLike = 1.0,
    centre: ArrayLike = (0, -15, 0),
) -> NDArray[np.float64]:
    """Scaled, turned about x, y and z around a centre, then shifted (mm): a 4 x 4 matrix."""
    a, b, c = np.radians(np.broadcast_to(degrees, 3))
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    pose = np.eye(4)
    pose[:3, :3] = about_z @ about_y @ about_x @ np.diag(np.broadcast_to(scale, 3))
    pose[:3, 3] = np.asarray(shift) + centre - pose[:3, :3] @ centre
    return pose


def make_head(
    grid: Grid, pose: ArrayLike | None = None, noise: float = 0.0, seed: int = 0
) -> NDArray[np.float32]:
    """The head as a scanner would see it.

    `pose` (4 x 4) takes a point of the image to the head's own space: the transform to be found.
    """
    points = points_of(grid)
    return add_noise(head_at(points if pose is None else apply(pose, points)), noise, seed)


def add_noise(values: NDArray, deviation: float, seed: int = 0) -> NDArray[np.float32]:
    """Rician noise of a standard deviation; white matter is 100."""
    parts = deviation * np.random.default_rng(seed).normal(size=(2, *values.shape))
    return np.hypot(values + parts[0], parts[1]).astype(np.float32)


def grid_around(pose: ArrayLike, voxel_mm: float) -> Grid:
    """Of a scan that shows the whole head in that pose."""
    return make_grid(244, voxel_mm, apply(np.linalg.inv(pose), (0, -10, 0)))


def errors(transform: Transform, pose: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
    """How far (mm, in the moving image) points of the template are from where they belong."""
    belong = Transform(np.asarray(pose)).moving_points(points)
    return np.linalg.norm(transform.moving_points(points) - belong, axis=1)


def apply(matrix: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
    matrix = np.asarray(matrix)
    return np.asarray(points) @ matrix[:3, :3].T + matrix[:3, 3]


def head_at(points: ArrayLike) -> NDArray[np.float64]:
    """Intensity at points (mm, RAS): air 0, skin and fat about 85, white matter 100."""
    points = np.asarray(points, np.float64)
    values = np.zeros(points.shape[:-1])
    inside = np.maximum(_inside(points, SKIN), _inside(points, NOSE)) > 0
    where = points[inside]
    coarse, fine = _texture(where)
    intensity = 62 + 14 * coarse + 8 * fine
    rim = np.maximum(_inside(where, SKIN), _inside(where, NOSE)) < 0.09
    intensity[rim] = 95
    for shape, value in ((SKULL, 12.0), (CEREBROSPINAL_FLUID, 25.0)):
        intensity = _cover(intensity, _inside(where, shape), value, 40)
    brain = np.where(coarse + 0.6 * fine > 0.1, 100.0, 68.0) * 0.4 + 0.6 * (82 + 14 * coarse)
    intensity = _cover(intensity, _inside(where, BRAIN), brain, 40)
    for shape in VENTRICLES:
        intensity = _cover(intensity, _inside(where, shape), 22.0, 8)
    for side, eye in zip((-1, 1), EYES, strict=True):
        intensity = _put_eye(intensity, where, np.array(eye, float), side)
    values[inside] = np.clip(intensity, 0, None)
    return values


def brain_points(step_mm: float = 6.0) -> NDArray[np.float64]:
    """Points all over the brain, at which an error is measured; shape (n, 3)."""
    grid = make_grid((140, 180, 160), step_mm, BRAIN[0])
    points = points_of(grid)
    return points[_inside(points, BRAIN) > 0]


def _put_eye(
    intensity: NDArray[np.float64], points: NDArray, eye: NDArray, side: int
) -> NDArray[np.float64]:
    nerve = np.array([-0.38 * side, -0.92, 0.1])
    away = points - eye
    along = away @ nerve
    across = np.linalg.norm(away - along[..., None] * nerve, axis=-1)
    distance = np.linalg.norm(away, axis=-1)
    cone = 1 - np.maximum(across / (19 - 0.35 * np.clip(along, 0, 40)), np.abs(along - 16) / 28)
    intensity = _cover(intensity, cone, 93.0, 10)  # fat
    for turn in (-1, 1):
        muscle = np.linalg.norm(away - turn * np.array([11.0, 0, 0]) - [0, -14, 0], axis=-1)
        intensity = _cover(intensity, 1 - muscle / 8 - np.abs(away[..., 2]) / 9, 55.0, 6)
    intensity = _cover(intensity, 1 - np.maximum(across / 3, np.abs(along - 24) / 20), 60.0, 2)
    intensity = _cover(intensity, 1 - distance / EYE_RADIUS, 18.0, 8)
    lens = np.linalg.norm((away - [0, 9, 0]) / [4.5, 2.2, 4.5], axis=-1)
    return _cover(intensity, 1 - lens, 70.0, 3)


def _inside(points: NDArray, ellipsoid: tuple[ArrayLike, ArrayLike]) -> NDArray[np.float64]:
    """1 at the centre, 0 on the surface, negative outside."""
    centre, axes = ellipsoid
    return 1 - np.linalg.norm((points - np.asarray(centre, float)) / np.asarray(axes), axis=-1)


def _cover(
    intensity: NDArray, inside: NDArray, value: NDArray | float, steepness: float
) -> NDArray[np.float64]:
    weight = np.clip(0.5 + steepness * inside, 0, 1)
    return intensity + weight * (value - intensity)


def _make_waves() -> list[tuple[NDArray, NDArray]]:
    generator = np.random.default_rng(7)
    waves = []
    for shortest, longest in ((25, 60), (10, 25)):
        directions = generator.normal(size=(24, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = generator.uniform(shortest, longest, (24, 1))
        waves.append((2 * np.pi * directions / lengths, generator.uniform(0, 2 * np.pi, 24)))
    return waves


WAVES = _make_waves()


def _texture(points: NDArray) -> list[NDArray[np.float64]]:
    """Two random fields of standard deviation 1, with detail of 25 to 60 and 10 to 25 mm."""
    return [np.sin(points @ waves.T + phases).sum(axis=-1) / np.sqrt(12) for waves, phases in WAVES]
