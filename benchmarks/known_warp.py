"""The MNI152 template moved in a known way, with noise, a bias field and a simulated lesion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from lesion_dash.core.grid import Grid
from lesion_dash.images.template import load_template
from lesion_dash.scans.registration.task import Task, Volume
from lesion_dash.transforms.transform import Transform

VOXEL_MM = 2.0
NOISE = 0.03
BIAS = 0.25
WARP_MM = 2.4  # mean over the brain
CENTRE = np.array([0.0, -18, 10])
SHIFT = np.array([6.0, -4, 5])
LESION_CENTRE = np.array([34.0, -12, 14])
LESION_MM = 24.5


@dataclass(frozen=True, eq=False)
class Case:
    """A task whose answer is known."""

    task: Task
    affine: NDArray[np.float64]
    waves: NDArray[np.float64]
    brain: NDArray[np.float64]

    def to_moving(self, points: NDArray) -> NDArray[np.float64]:
        """Where points of the template lie in the moving image, mm."""
        inverse = np.linalg.inv(self.affine)
        return (points + warp(points, self.waves)) @ inverse[:3, :3].T + inverse[:3, 3]

    def to_template(self, points: NDArray) -> NDArray[np.float64]:
        """The inverse, by fixed points."""
        target = points @ self.affine[:3, :3].T + self.affine[:3, 3]
        found = target.copy()
        for _ in range(30):
            found = target - warp(found, self.waves)
        return found


def make_case(kind: str, has_lesion: bool) -> Case:
    """Rotation 8 degrees, translation (6, -4, 5) mm, and by its kind scale 1.05 and a warp."""
    image = load_template()
    fine = Volume(np.asarray(image.dataobj, np.float32), Grid(image.shape, image.affine))
    smooth = ndimage.gaussian_filter(fine.array, np.sqrt(VOXEL_MM**2 - 1) / 2.355)
    grid = make_grid(fine.grid)
    template = sample(smooth, fine.grid, points_of(grid))
    brain = points_of(grid)[template > 0.2 * template.max()]
    affine = make_affine(1.0 if kind == "rigid" else 1.05)
    waves = make_waves(brain) if kind == "deformable" else np.zeros((0, 7))
    bare = Task(Volume(template, grid), Volume(template, grid), kind, Transform())
    case = Case(bare, affine, waves, brain)
    moving = sample(smooth, fine.grid, case.to_template(points_of(grid)))
    lesion = make_lesion(case, moving) if has_lesion else None
    array = scanned(moving, lesion, grid)
    task = Task(Volume(array, grid), Volume(template, grid), kind, Transform(), lesion)
    return Case(task, affine, waves, brain)


def make_grid(fine: Grid) -> Grid:
    affine = fine.affine.copy()
    affine[:3, :3] *= VOXEL_MM
    return Grid(tuple(int(n / VOXEL_MM) for n in fine.shape), affine)


def points_of(grid: Grid) -> NDArray[np.float64]:
    return grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))


def sample(array: NDArray, grid: Grid, points: NDArray) -> NDArray[np.float32]:
    voxels = np.moveaxis(grid.to_voxel(points), -1, 0)
    return np.clip(ndimage.map_coordinates(array, voxels, order=3), 0, None).astype(np.float32)


def make_affine(scale: float) -> NDArray[np.float64]:
    affine = np.eye(4)
    axis = np.array([1, 0.6, 0.8]) / np.linalg.norm([1, 0.6, 0.8])
    affine[:3, :3] = scale * Rotation.from_rotvec(np.radians(8) * axis).as_matrix()
    affine[:3, 3] = CENTRE + SHIFT - affine[:3, :3] @ CENTRE
    return affine


def make_waves(brain: NDArray) -> NDArray[np.float64]:
    """Sine waves of 50 to 120 mm: direction over length, phase, and what they move."""
    generator = np.random.default_rng(1)
    directions = generator.normal(size=(16, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    vectors = 2 * np.pi * directions / generator.uniform(50, 120, (16, 1))
    phases = generator.uniform(0, 2 * np.pi, (16, 1))
    waves = np.hstack([vectors, phases, generator.normal(size=(16, 3))])
    waves[:, 4:] *= WARP_MM / np.linalg.norm(warp(brain, waves), axis=1).mean()
    return waves


def warp(points: NDArray, waves: NDArray) -> NDArray[np.float64]:
    """By how much (mm) points of the template are moved."""
    moved = np.zeros_like(points)
    for wave in waves:
        moved += np.sin(points @ wave[:3] + wave[3])[..., None] * wave[4:]
    return moved


def make_lesion(case: Case, moving: NDArray) -> NDArray[np.bool_]:
    """A ragged ball inside the brain, 60 to 100 mL."""
    grid = case.task.moving.grid
    centre = case.to_moving(LESION_CENTRE[None])[0]
    rough = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=grid.shape), 3)
    away = np.linalg.norm((points_of(grid) - centre) * [1, 0.8, 0.95], axis=-1)
    return (away + 2.5 * rough / rough.std() < LESION_MM) & (moving > 0.2 * moving.max())


def scanned(array: NDArray, lesion: NDArray | None, grid: Grid) -> NDArray[np.float32]:
    """With the lesion, a bias field and Rician noise."""
    generator = np.random.default_rng(3)
    brightest = array.max()
    if lesion is not None:
        soft = ndimage.gaussian_filter(lesion.astype(float), 0.5)
        rough = ndimage.gaussian_filter(generator.normal(size=grid.shape), 2)
        dark = brightest * (0.25 + 0.05 * rough / rough.std())
        array = array * (1 - soft) + soft * dark
    array = array * (1 + BIAS * np.tanh((points_of(grid) - CENTRE) @ [0.7, -0.5, 0.6] / 90))
    parts = NOISE * brightest * generator.normal(size=(2, *grid.shape))
    return np.hypot(array + parts[0], parts[1]).astype(np.float32)
