"""Where a search begins, where it ends, and whether that is believed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from heads import apply, make_grid, make_head, make_pose

from lesion_dash.core.grid import Grid
from lesion_dash.scans.registration.levels import (
    coarsen,
    coarsen_mask,
    finest_mm,
    foreground_of,
    make_level,
    sample,
    sample_moved,
)
from lesion_dash.scans.registration.quality import Evidence, doubts, mirror_task
from lesion_dash.scans.registration.search import (
    Optimum,
    PoseSearch,
    distance,
    match_places,
    merge_ends,
    propose_starts,
    turn_about,
)
from lesion_dash.scans.registration.task import Task, Volume
from lesion_dash.transforms.transform import Field, Transform

HEAD_GRID = make_grid((172, 212, 236), 6, (0, -10, 0))
BOX_GRID = make_grid(70, 2.5, (20, 40, 30))
POSE = make_pose((8, -6, 12), (-30, 22, 41))


@cache
def scan() -> Volume:
    """The head, whole, in another pose."""
    grid = make_grid(244, 4, apply(np.linalg.inv(POSE), (0, -10, 0)))
    return Volume(make_head(grid, POSE, noise=3), grid)


@cache
def box() -> Volume:
    """A part of the head as a template."""
    return Volume(make_head(BOX_GRID), BOX_GRID)


def off(pose, truth=POSE, grid=BOX_GRID) -> float:
    return distance(pose, truth, grid.corners())


# --- Places by matching -----------------------------------------------------------------------


@pytest.mark.parametrize("contrast", ["as it is", "inverted"])
def test_matching_finds_a_part_of_the_head_in_the_whole(contrast):
    image = scan()
    if contrast == "inverted":
        image = Volume(110 - image.array, image.grid)
    places = match_places(coarsen(image, 6), coarsen(box(), 6), 6, 4)
    assert off(np.eye(4)) > 40
    assert min(off(place) for place in places) < 10
    assert len(places) == 4


def test_matched_places_shift_by_what_was_shifted():
    """Against a shift by whole voxels, with a rotation that is among those tried."""
    image = coarsen(box(), 5)
    moved = Volume(
        image.array, Grid(image.grid.shape, make_pose(shift=(40, -25, 10)) @ image.grid.affine)
    )
    best = match_places(moved, image, 5, 1)[0]
    np.testing.assert_allclose(best, make_pose(shift=(-40, 25, -10)), atol=1e-6)


def test_what_is_not_known_does_not_count_in_matching():
    """NaN over the largest structure hides it; the rest is found where it lies."""
    image = coarsen(scan(), 6)
    array = image.array.copy()
    array[:, :, :12] = np.nan
    places = match_places(Volume(array, image.grid), coarsen(box(), 6), 6, 4)
    assert min(off(place) for place in places) < 10


# --- Starts -----------------------------------------------------------------------------------


@cache
def head() -> Volume:
    return Volume(make_head(HEAD_GRID), HEAD_GRID)


def starts_of(moving: Volume, template: Volume) -> dict[str, np.ndarray]:
    task = Task(moving, template, "rigid", Transform())
    level = make_level(task, foreground_of(template), 8)
    return {start.name: start.matrix for start in propose_starts(level)}


def test_headers_centres_and_matches_are_starts():
    starts = starts_of(scan(), head())
    np.testing.assert_array_equal(starts["world coordinates"], np.eye(4))
    for name in ("centre of mass", "centre of the field of view"):
        np.testing.assert_array_equal(starts[name][:3, :3], np.eye(3))
        assert off(starts[name], grid=HEAD_GRID) < 40 < off(np.eye(4), grid=HEAD_GRID)
    assert {"match 1", "match 2", "match 3"} <= set(starts)


def test_mass_near_the_template_is_a_start_where_the_image_is_larger():
    starts = starts_of(head(), box())
    near, all_of_it = starts["centre of mass near the template"], starts["centre of mass"]
    assert np.linalg.norm(near[:3, 3]) < 25 < np.linalg.norm(all_of_it[:3, 3])


# --- Levels -----------------------------------------------------------------------------------


def test_the_foreground_is_the_head_and_its_rim():
    shown = head().array
    found = foreground_of(head())
    noisy = foreground_of(Volume(make_head(HEAD_GRID, noise=4), HEAD_GRID))
    assert found[shown > 40].mean() > 0.999
    assert noisy[shown > 40].mean() > 0.98
    assert found[shown == 0].mean() < 0.3
    assert (found == noisy).mean() > 0.93


def test_a_coarser_volume_shows_the_same_at_the_same_place():
    grid = make_grid((172, 212, 236), 3, (0, -10, 0))
    found = coarsen(Volume(make_head(grid), grid), 6)
    assert found.grid.voxel_size == pytest.approx([6, 6, 6])
    expected = make_head(found.grid)
    assert np.corrcoef(found.array.ravel(), expected.ravel())[0, 1] > 0.93
    assert found.array.mean() == pytest.approx(expected.mean(), rel=0.02)
    assert coarsen(found, 4) is found


def test_a_coarser_mask_covers_the_finer_one():
    mask = np.random.default_rng(0).random((20, 21, 22)) < 0.01
    grid, coarse = Grid(mask.shape, np.eye(4)), Grid((10, 11, 11), np.diag([2.0, 2, 2, 1]))
    found = coarsen_mask(mask, grid, coarse)
    where = coarse.to_voxel(grid.to_mm(np.argwhere(mask)))
    nearest = np.clip(np.round(where).astype(int), 0, np.array(found.shape) - 1)
    assert found[tuple(nearest.T)].all()
    assert found.mean() < 8 * mask.mean() * 4


def test_a_field_samples_as_its_affine_does():
    pose = make_pose((4, 5, 6), (3, 2, 1))
    points = HEAD_GRID.to_mm(np.stack(np.indices(HEAD_GRID.shape), axis=-1))
    mm = (apply(np.linalg.inv(pose), points) - points).astype(np.float32)
    by_field = Transform(pose, Field(HEAD_GRID, mm), Field(HEAD_GRID, -mm))
    expected = sample(scan(), pose, HEAD_GRID)
    found = sample_moved(scan(), by_field, HEAD_GRID)
    both = np.isfinite(expected) & np.isfinite(found)
    assert both.mean() > 0.5
    np.testing.assert_allclose(found[both], expected[both], atol=0.02)


def test_large_templates_are_worked_on_with_coarser_voxels():
    task = Task(scan(), box(), "rigid", Transform())
    assert finest_mm(task, foreground_of(box())) == pytest.approx(2.5)
    fine = Volume(np.ones((200, 200, 200), np.float32), Grid((200, 200, 200), np.eye(4)))
    everywhere = np.ones(fine.grid.shape, bool)
    assert finest_mm(replace(task, template=fine), everywhere) == pytest.approx(2.07, abs=0.01)


def test_a_refinement_that_fits_worse_is_not_taken():
    level = make_level(Task(scan(), box(), "rigid", Transform()), foreground_of(box()), 4)
    worse = make_pose(shift=(6, 0, 0)) @ POSE
    assert level.better(worse, POSE) is POSE
    assert level.better(POSE, worse) is POSE
    assert level.better(None, worse) is worse


# --- Ends -------------------------------------------------------------------------------------


def end(mm, score, *starts) -> Optimum:
    return Optimum(make_pose(shift=(mm, 0, 0)), score, starts)


def test_ends_that_are_near_are_one_and_the_best_comes_first():
    merged = merge_ends([end(0, 0.4, "a"), end(9, 0.9, "b"), end(1, 0.5, "c")], np.eye(3), 2)
    assert [(one.score, one.starts) for one in merged] == [(0.9, ("b",)), (0.5, ("c", "a"))]


def test_agreement_counts_starts_within_two_millimetres():
    rivals = (end(1.9, 0.8, "c"), end(2.1, 0.7, "d", "e"))
    level = make_level(Task(scan(), box(), "rigid", Transform()), foreground_of(box()), 8)
    assert PoseSearch(end(0, 0.9, "a", "b"), level, rivals, 5).agreeing == 3


def test_distances_are_those_of_points():
    assert distance(make_pose(shift=(3, 4, 0)), np.eye(4), np.zeros((1, 3))) == pytest.approx(5)
    turned = turn_about(np.zeros(3), (0, 0, 90))
    assert distance(turned, np.eye(4), np.array([[1.0, 0, 0]])) == pytest.approx(np.sqrt(2))


# --- Doubts -----------------------------------------------------------------------------------

GOOD = Evidence(0.7, 0.2, 0.3, 0.5, 1.0, (1.1, 1.0, 0.95), 10, 6)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"coverage": 0.1}, "covers 10% of the template's foreground, at least 30%"),
        ({"similarity": 0.1, "elsewhere": 0.01}, "local similarity is 0.10"),
        ({"elsewhere": 0.5}, "0.70 hardly stands out: the image reaches 0.50"),
        ({"rival": 0.65}, "another place, more than 15 mm away, fits about as well"),
        ({"mirrored": 0.8}, "the mirrored image fits better .*exchange left and right"),
        ({"agreeing": 1}, "1 of 10 starts led here, at least 2"),
        ({"agreeing": 2, "elsewhere": 0.4}, "2 of 10 starts led here, at least 3"),
        ({"stretches": (1.9, 1.0, 1.0)}, "stretched 1.00 to 1.90 times"),
        ({"stretches": (0.7, 0.7, 0.7)}, "volumes would change 0.34 times"),
        ({"stretches": (1.5, 1.0, 0.8)}, "no more than 1.6 times unevenly"),
        ({"starts": 0}, "from no start do the two images"),
    ],
)
def test_each_doubt_has_its_sentence(change, match):
    import re

    assert doubts(GOOD) == ()
    said = doubts(replace(GOOD, **change))
    assert any(re.search(match, sentence) for sentence in said), said


def test_a_mirrored_task_exchanges_left_and_right_in_its_own_box():
    task = Task(box(), box(), "rigid", Transform())
    grid = mirror_task(task).moving.grid
    assert sorted(map(tuple, grid.corners().round(6))) == sorted(
        map(tuple, BOX_GRID.corners().round(6))
    )
    assert np.linalg.det(grid.affine) == pytest.approx(-np.linalg.det(BOX_GRID.affine))
