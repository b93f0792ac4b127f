"""Both images at one resolution: against formulas of the head, numpy's correlation, and laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from heads import WHOLE, apply, make_grid, make_head, make_pose

from lesion_dash.core.grid import Grid
from lesion_dash.scans.registration.levels import (
    coarsen,
    coarsen_mask,
    finest_mm,
    foreground_of,
    make_level,
    sample,
    squared_correlation,
)
from lesion_dash.scans.registration.task import Task, Volume
from lesion_dash.transforms.transform import Field, Transform

GRID = make_grid(*WHOLE)
HEAD = Volume(make_head(GRID), GRID)
BOX_GRID = make_grid(70, 5, (20, 40, 30))
BOX = Volume(make_head(BOX_GRID), BOX_GRID)
POSE = make_pose((4, 5, 6), (3, 2, 1))
TASK = Task(HEAD, BOX, "rigid", Transform())


def test_the_foreground_is_the_head_and_its_rim():
    foreground = foreground_of(HEAD)
    noisy = foreground_of(Volume(make_head(GRID, noise=4), GRID))
    assert foreground[HEAD.array > 40].mean() > 0.999
    assert noisy[HEAD.array > 40].mean() > 0.98
    assert foreground[HEAD.array == 0].mean() < 0.3
    assert (foreground == noisy).mean() > 0.93


def test_a_coarser_volume_shows_the_same_at_the_same_place():
    coarse = coarsen(HEAD, 12)
    assert coarse.grid.voxel_size == pytest.approx([12, 12, 12], rel=0.05)
    expected = make_head(coarse.grid)
    assert np.corrcoef(coarse.array.ravel(), expected.ravel())[0, 1] > 0.9
    assert coarse.array.mean() == pytest.approx(expected.mean(), rel=0.05)
    assert coarsen(coarse, 8) is coarse


def test_a_coarser_mask_covers_the_finer_one():
    mask = np.random.default_rng(0).random((20, 21, 22)) < 0.01
    grid, coarse = Grid(mask.shape, np.eye(4)), Grid((10, 11, 11), np.diag([2.0, 2, 2, 1]))
    covering = coarsen_mask(mask, grid, coarse)
    voxels = np.round(coarse.to_voxel(grid.to_mm(np.argwhere(mask)))).astype(int)
    assert covering[tuple(np.clip(voxels, 0, np.array(covering.shape) - 1).T)].all()
    assert covering.mean() < 32 * mask.mean()


def test_volumes_are_sampled_where_the_matrix_says_and_a_field_does_as_its_affine():
    """Against the formula of the head itself."""
    grid = make_grid(110, 2, apply(np.linalg.inv(POSE), (20, 40, 30)))
    scan, transform = Volume(make_head(grid, POSE), grid), Transform(POSE)
    moved = sample(scan, transform, BOX_GRID)
    assert np.isfinite(moved).all()
    assert np.abs(moved - BOX.array).mean() < 2.5
    field = Field.of(BOX_GRID, transform.moving_points)
    by_field = sample(scan, Transform(POSE, field), BOX_GRID)
    np.testing.assert_allclose(by_field, moved, atol=0.02)


def test_large_templates_are_worked_on_with_coarser_voxels():
    assert finest_mm(TASK, foreground_of(BOX)) == pytest.approx(5)
    fine = Volume(np.ones((200, 200, 200), np.float32), Grid((200, 200, 200), np.eye(4)))
    everywhere = np.ones(fine.grid.shape, bool)
    assert finest_mm(replace(TASK, template=fine), everywhere) == pytest.approx(2.07, abs=0.01)


def test_a_refinement_that_fits_worse_is_not_taken_and_images_that_do_not_meet_are_unlike():
    level = make_level(TASK, foreground_of(BOX), 5)
    right, worse = np.eye(4), make_pose(shift=(6, 0, 0))
    assert level.better(worse, right) is right
    assert level.better(right, worse) is right
    assert level.better(None, worse) is worse
    assert level.similarity(Transform(make_pose(shift=(900, 0, 0)))) == (0, 0)


def brute_force(first, second, window, voxel) -> float:
    """Correlation in one window by numpy, voxels that one image doesn't know left out.

    Flat windows of the template say nothing; those of the image are unlike.
    """
    box = tuple(
        slice(max(at - side // 2, 0), at + side // 2 + 1)
        for at, side in zip(voxel, window, strict=True)
    )
    a, b = first[box].ravel(), second[box].ravel()
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < np.prod(window) / 2 or a[known].std() < 1e-3 * np.nanstd(first):
        return np.nan
    return np.corrcoef(a[known], b[known])[0, 1] ** 2 if np.ptp(b[known]) else 0.0


def test_local_correlation_is_that_of_numpy():
    first, second = np.random.default_rng(0).normal(size=(2, 19, 8, 7))
    second += first
    first[2:4, 3, 3] = np.nan
    second[:, :, 5:] = np.nan
    first[8:13], second[14:] = 1, 2
    window = (5, 3, 3)
    squared = squared_correlation(first, second, window)
    expected = [brute_force(first, second, window, voxel) for voxel in np.ndindex(first.shape)]
    assert {0, 1} <= set(np.sign(expected))
    np.testing.assert_allclose(squared.ravel(), expected, atol=1e-5)


@pytest.mark.parametrize(("scale", "offset"), [(3, 0), (-2, 100), (1e-3, 5)])
def test_local_correlation_knows_no_contrast(scale, offset):
    image = np.random.default_rng(0).random((8, 8, 8))
    squared = squared_correlation(image, scale * image + offset, (3, 3, 3))
    np.testing.assert_allclose(squared[1:-1, 1:-1, 1:-1], 1, atol=1e-6)
