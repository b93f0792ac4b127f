"""A transform is found to a fraction of a voxel, and whether it is believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from heads import (
    WHOLE,
    add_noise,
    apply,
    brain_points,
    errors,
    grid_around,
    make_grid,
    make_head,
    make_pose,
)
from scipy import ndimage

from lesion_dash.core.grid import Grid
from lesion_dash.images.template import load_template, template_on
from lesion_dash.scans.registration.quality import (
    Evidence,
    SimpleITKEngine,
    doubts,
    find_transform,
    mirror_task,
)
from lesion_dash.scans.registration.task import Task, Volume
from lesion_dash.transforms.transform import Transform, points_of

HEAD_GRID = make_grid(*WHOLE)
HEAD = Volume(make_head(HEAD_GRID), HEAD_GRID)
EYE_GRID = make_grid(60, 2.5, (32, 60, -35))
EYE = Volume(make_head(EYE_GRID), EYE_GRID)
QUIET = lambda done, label: None  # noqa: E731


def scan(pose, voxel_mm) -> Volume:
    """The head in another pose, whole."""
    grid = grid_around(pose, voxel_mm)
    return Volume(make_head(grid, pose, noise=3), grid)


# The next two search as a user's registration does, from ten starts: some 5 s each.


def found(task) -> Transform:
    fit = find_transform(task, SimpleITKEngine(), QUIET)
    assert not doubts(fit.evidence)
    assert fit.quality.similarity_after > 0.6 > fit.quality.similarity_before
    return fit.transform


def test_an_affine_is_found_to_a_tenth_of_a_voxel_on_the_mni152_template():
    grid = Grid((49, 58, 47), [[4, 0, 0, -98], [0, 4, 0, -134], [0, 0, 4, -72], [0, 0, 0, 1]])
    template = Volume(np.asarray(template_on(grid).dataobj, np.float32), grid)
    pose = np.linalg.inv(make_pose((4.6, 4.6, 4.6), (6, -4, 5), 1.05, (0, -18, 10)))
    transform = found(Task(placed_mni(pose, grid), template, "affine", Transform()))
    points = grid.to_mm(np.argwhere(template.array > 30)[::5])
    assert errors(Transform(), pose, points).mean() > 8
    assert errors(transform, pose, points).mean() < 0.3
    assert errors(transform, pose, points).max() < 0.7


def test_a_whole_head_is_found_on_a_template_of_an_eye():
    pose = make_pose((-14, 9, 17), (-35, 20, 30))
    transform = found(Task(scan(pose, 4), EYE, "rigid", Transform()))
    points = EYE_GRID.to_mm(np.argwhere(EYE.array > 10)[::20])
    assert errors(Transform(), pose, points).mean() > 30
    assert errors(transform, pose, points).max() < 1


def placed_mni(pose, grid) -> Volume:
    """The template of 1 mm, smoothed, in another pose, with noise and a bias field."""
    image, points = load_template(), points_of(grid)
    fine = ndimage.gaussian_filter(np.asarray(image.dataobj, np.float32), 0.85)
    voxels = Grid(fine.shape, image.affine).to_voxel(apply(pose, points))
    array = ndimage.map_coordinates(fine, np.moveaxis(voxels, -1, 0), order=3)
    array = np.clip(array, 0, None) * (1 + 0.25 * np.sin((points @ [0.6, 0.64, 0.48] + 20) / 45))
    return Volume(add_noise(array, 6), grid)


def test_an_image_that_is_stored_otherwise_is_found_at_the_same_place():
    """Axes exchanged and turned round, as LPI or SAR instead of RAS: the points stay."""
    pose = make_pose((9, -7, 12), (11, -8, 9))
    image = scan(pose, 6)
    array = np.ascontiguousarray(np.transpose(image.array, (1, 2, 0))[::-1])
    last = image.grid.shape[1] - 1
    steps = np.array([[0, 0, 1, 0], [-1, 0, 0, last], [0, 1, 0, 0], [0, 0, 0, 1]], float)
    stored = Volume(array, Grid(array.shape, image.grid.affine @ steps))
    np.testing.assert_allclose(*(each.grid.corners().min(axis=0) for each in (stored, image)))
    start = Transform(make_pose((5, -4, 8), (14, -4, 6)))
    tasks = (Task(volume, HEAD, "rigid", start) for volume in (image, stored))
    first, second = (SimpleITKEngine().register(task, QUIET) for task in tasks)
    assert errors(first, pose, brain_points(12)).max() < 0.8
    assert errors(first, second.matrix, brain_points(12)).max() < 0.02


def test_images_that_share_nothing_are_not_believed():
    empty = np.zeros(EYE_GRID.shape, np.float32)
    empty[0, 0, 0] = 1
    task = Task(Volume(empty, EYE_GRID), EYE, "affine", Transform())
    assert doubts(find_transform(task, SimpleITKEngine(), QUIET).evidence)


GOOD = Evidence(0.7, 0.2, 0.3, 0.5, 1.0, (1.1, 1.0, 0.95), 10, 6)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"coverage": 0.1}, "covers 10% of the template's foreground, at least 30%"),
        ({"similarity": 0.1, "elsewhere": 0.01}, "local similarity is 0.10"),
        ({"elsewhere": 0.5}, "0.70 hardly stands out: the image reaches 0.50"),
        ({"rival": 0.65}, "another place, more than 15 mm away, fits about as well"),
        ({"mirrored": 0.8}, "its header may exchange left and right"),
        ({"agreeing": 1}, "1 of 10 starts led here, at least 2"),
        ({"agreeing": 2, "elsewhere": 0.4}, "2 of 10 starts led here, at least 3"),
        ({"stretches": (1.9, 1.0, 1.0)}, "stretched 1.00 to 1.90 times"),
        ({"stretches": (0.7, 0.7, 0.7)}, "volumes would change 0.34 times"),
        ({"stretches": (1.5, 1.0, 0.8)}, "no more than 1.6 times unevenly"),
        ({"starts": 0}, "the two images do not align"),
    ],
)
def test_each_doubt_has_its_sentence(change, part):
    assert doubts(GOOD) == ()
    sentences = doubts(replace(GOOD, **change))
    assert any(part in sentence for sentence in sentences), sentences


def test_a_mirrored_task_exchanges_left_and_right_in_its_own_box():
    grid = mirror_task(Task(EYE, EYE, "rigid", Transform())).moving.grid
    boxes = [sorted(map(tuple, each.corners().round(6))) for each in (grid, EYE_GRID)]
    assert boxes[0] == boxes[1]
    assert np.linalg.det(grid.affine) == pytest.approx(-np.linalg.det(EYE_GRID.affine))
