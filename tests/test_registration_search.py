"""Where a search begins, how SimpleITK's optimiser goes on, and where it ends."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from unittest import mock

import numpy as np
import pytest
import SimpleITK as sitk
from heads import grid_around, make_grid, make_head, make_pose

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.scans.registration.levels import foreground_of, make_level
from lesion_dash.scans.registration.search import (
    Optimum,
    PoseSearch,
    Steps,
    distance,
    match_places,
    maximise,
    merge_ends,
    propose_starts,
    turn_about,
)
from lesion_dash.scans.registration.task import Task, Volume
from lesion_dash.transforms.transform import Transform

HEAD_GRID = make_grid((172, 212, 236), 8, (0, -10, 0))
BOX_GRID = make_grid(70, 7, (20, 40, 30))
POSE = make_pose((8, -6, 12), (-30, 22, 41))
HEAD = Volume(make_head(HEAD_GRID), HEAD_GRID)
BOX = Volume(make_head(BOX_GRID), BOX_GRID)  # a part of the head as a template
SCAN_GRID = grid_around(POSE, 8)
SCAN = Volume(make_head(SCAN_GRID, POSE, noise=3), SCAN_GRID)  # the head, whole, in another pose


def off(pose, grid=BOX_GRID) -> float:
    return distance(pose, POSE, grid.corners())


@cache
def level(moving=HEAD, template=HEAD):
    task = Task(moving, template, "rigid", Transform())
    return make_level(task, foreground_of(template), 8)


@pytest.mark.parametrize("change", ["none", "inverted", "part unknown"])
def test_matching_finds_a_part_of_the_head_in_the_whole(change):
    array = 110 - SCAN.array if change == "inverted" else SCAN.array.copy()
    if change == "part unknown":
        array[:, :, :9] = np.nan  # over the largest structure
    poses = match_places(Volume(array, SCAN_GRID), BOX, 8, 4)
    assert off(np.eye(4)) > 40
    assert min(off(pose) for pose in poses) < 12
    assert len(poses) == 4


def test_matched_places_shift_by_what_was_shifted():
    """Against a shift by whole voxels, with a rotation that is among those tried."""
    moved = Grid(BOX_GRID.shape, make_pose(shift=(42, -28, 14)) @ BOX_GRID.affine)
    best = match_places(Volume(BOX.array, moved), BOX, 7, 1)[0]
    np.testing.assert_allclose(best, make_pose(shift=(-42, 28, -14)), atol=1e-6)


def test_headers_centres_and_matches_are_starts():
    starts = propose_starts(level(SCAN))
    np.testing.assert_array_equal(starts["world coordinates"], np.eye(4))
    for name in ("centre of mass", "centre of the field of view"):
        np.testing.assert_array_equal(starts[name][:3, :3], np.eye(3))
        assert off(starts[name], HEAD_GRID) < 40 < off(np.eye(4), HEAD_GRID)
    assert {"match 1", "match 2", "match 3"} <= set(starts)
    # Where the image is larger than the template, the mass near it is a start too.
    starts = propose_starts(level(HEAD, BOX))
    near, all_of_it = starts["centre of mass near the template"], starts["centre of mass"]
    assert np.linalg.norm(near[:3, 3]) < 25 < np.linalg.norm(all_of_it[:3, 3])


# --- SimpleITK's optimiser --------------------------------------------------------------------

STEPS = Steps(first_mm=2, last_mm=0.5, iterations=5)


@pytest.mark.parametrize("model", ["rigid", "affine"])
def test_images_that_part_are_a_failed_start(model):
    assert maximise(level(), make_pose(shift=(9000, 0, 0)), model, STEPS) is None
    assert maximise(level(), np.eye(4), model, STEPS) is not None


@pytest.mark.parametrize("similarity", ["information", "correlation"])
@pytest.mark.parametrize(
    "reason",
    ["All samples map outside", "No valid points were found", "PDF summed to zero", "No memory."],
)
def test_only_images_that_part_are_a_failed_start_another_failure_is_an_error(
    monkeypatch, similarity, reason
):
    where = "Exception thrown in SimpleITK ImageRegistrationMethod_Execute: /tmp/x.hxx:9:"
    error = RuntimeError(f"{where}\nITK ERROR: Thing(0x55): {reason}")
    monkeypatch.setattr(sitk.ImageRegistrationMethod, "Execute", mock.Mock(side_effect=error))
    steps = replace(STEPS, similarity=similarity)
    if reason != "No memory.":
        assert maximise(level(), np.eye(4), "rigid", steps) is None
        return
    match = f"SimpleITK: the engine failed: {reason}; try another engine"
    with pytest.raises(InputError, match=match) as caught:
        maximise(level(), np.eye(4), "rigid", steps)
    assert "ImageRegistrationMethod_Execute" in caught.value.details[0]


# --- Ends -------------------------------------------------------------------------------------


def end(mm, score, *starts) -> Optimum:
    return Optimum(make_pose(shift=(mm, 0, 0)), score, starts)


def test_ends_that_are_near_are_one_and_starts_within_two_millimetres_agree():
    merged = merge_ends([end(0, 0.4, "a"), end(9, 0.9, "b"), end(1, 0.5, "c")], np.eye(3), 2)
    assert [(best.score, best.starts) for best in merged] == [(0.9, ("b",)), (0.5, ("c", "a"))]
    rivals = (end(1.9, 0.8, "c"), end(2.1, 0.7, "d", "e"))
    assert PoseSearch(end(0, 0.9, "a", "b"), level(), rivals, 5).agreeing == 3


def test_distances_are_those_of_points():
    assert distance(make_pose(shift=(3, 4, 0)), np.eye(4), np.zeros((1, 3))) == pytest.approx(5)
    turned = turn_about(np.zeros(3), (0, 0, 90))
    assert distance(turned, np.eye(4), np.array([[1.0, 0, 0]])) == pytest.approx(np.sqrt(2))
