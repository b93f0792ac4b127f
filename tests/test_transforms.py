"""Transforms: points there and back, chains, fields, and the local change of volume."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from grids import affine, known_matrix, rotation
from hypothesis import given
from hypothesis import strategies as st

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.transforms.transform import (
    Field,
    Transform,
    chain_transforms,
    jacobian_map,
    points_of,
)

POINTS = np.random.default_rng(0).uniform(-60, 60, (50, 3))
GRID = Grid((12, 14, 10), affine((4, 4, 4), (-22, -26, -18)))
SLICE = Grid((5, 6, 1), np.eye(4))


def warp(grid: Grid = GRID) -> Transform:
    """A smooth way to move points, whose derivative is known."""
    field = Field.of(grid, lambda points: points + 2 * np.sin(points[..., [1, 2, 0]] / 15))
    return Transform(np.eye(4), field, field)


@given(seed=st.integers(0, 100))
def test_points_come_back_and_the_volume_factor_is_that_of_a_box(seed):
    transform = Transform(known_matrix(seed))
    there = transform.template_points(POINTS)
    np.testing.assert_allclose(transform.moving_points(there), POINTS, atol=1e-9)
    np.testing.assert_allclose(transform.inverse().moving_points(POINTS), there, atol=1e-9)
    edges = transform.template_points(np.vstack([np.zeros(3), np.eye(3)]))
    a, b, c = edges[1:] - edges[0]
    assert transform.volume_factor == pytest.approx(a @ np.cross(b, c))


@pytest.mark.parametrize("second", [Transform(known_matrix(2)), warp()], ids=["linear", "field"])
def test_chains_apply_the_first_one_first(second):
    first = Transform(known_matrix(1))
    both, points = chain_transforms([first, second], GRID, GRID), points_of(GRID)
    there = second.template_points(first.template_points(points))
    back = first.moving_points(second.moving_points(points))
    np.testing.assert_allclose(both.template_points(points), there, atol=1e-4)
    np.testing.assert_allclose(both.moving_points(points), back, atol=1e-4)
    np.testing.assert_allclose(both.matrix, second.matrix @ first.matrix, atol=1e-12)


def test_the_way_back_stays_unknown_where_one_field_is_given():
    one_way = Transform(np.eye(4), warp().to_moving)
    other = one_way.inverse()
    assert other.inverse().to_moving is one_way.to_moving
    assert not one_way.is_linear
    assert not one_way.leads_to_template
    assert chain_transforms([Transform(), one_way], GRID, GRID).to_template is None
    for call, match in (
        (one_way.template_points, "template to the moving image only; give the file of"),
        (other.moving_points, "moving image to the template only; give the file of"),
        (lambda _: chain_transforms([warp(), one_way]), "template's grid; give the template"),
    ):
        with pytest.raises(InputError, match=match):
            call(POINTS)


@pytest.mark.parametrize(
    ("build", "values", "match"),
    [
        (Transform, np.eye(3), r"not a 4 x 4 matrix of numbers: shape \(3, 3\)"),
        (Transform, np.eye(4)[:3], r"not a 4 x 4 matrix of numbers: shape \(3, 4\)"),
        (Transform, np.full((4, 4), np.nan), r"not a 4 x 4 matrix of numbers"),
        (Transform, np.diag([1.0, 1, 0, 1]), r"flattens space: its determinant is 0"),
        (Transform, np.diag([1.0, 1, 1, 2]), r"last row is not 0 0 0 1"),
        (partial(Field, GRID), np.zeros((2, 2, 2)), r"array of shape \(2, 2, 2\) on a grid of"),
        (
            partial(Field, GRID),
            np.full((12, 14, 10, 3), np.nan),
            r"holds a value that is not a num",
        ),
    ],
)
def test_matrices_and_fields_that_are_none_are_refused(build, values, match):
    with pytest.raises(InputError, match=match):
        build(np.float32(values))


@pytest.mark.parametrize(
    "grid",
    [GRID, Grid((10, 9, 11), affine((-3, 4, 2.5), (15, -17, -12), rotation(20, 10, -30)))],
    ids=["straight", "oblique and mirrored"],
)
def test_the_local_change_of_volume_is_that_of_the_formula(grid):
    x, y, z = np.moveaxis(points_of(grid), -1, 0)
    slope = 2 / 15
    # I + a cyclic matrix of three numbers: its determinant is 1 + their product.
    product = slope**3 * np.cos(y / 15) * np.cos(z / 15) * np.cos(x / 15)
    inner = (slice(1, -1),) * 3
    ratios = jacobian_map(warp(grid), grid)
    np.testing.assert_allclose(ratios[inner], (1 / (1 + product))[inner], atol=0.003)


def test_a_linear_transform_changes_volume_by_its_determinant_everywhere():
    matrix = known_matrix()
    by_field = Transform(matrix, Field.of(GRID, Transform(matrix).moving_points))
    of_slice = Transform(np.eye(4), Field(SLICE, np.zeros((5, 6, 1, 3), np.float32)))
    for transform, grid in ((by_field, GRID), (Transform(matrix), GRID), (of_slice, SLICE)):
        expected = np.linalg.det(transform.matrix)
        np.testing.assert_allclose(jacobian_map(transform, grid), expected, rtol=1e-4)


def test_folds_are_below_0():
    def fold(points):
        return np.stack([30 * np.sin(points[..., 0] / 8), *np.moveaxis(points, -1, 0)[1:]], -1)

    ratios = jacobian_map(Transform(np.eye(4), Field.of(GRID, fold)), GRID)
    x = points_of(GRID)[:, 0, 0, 0]
    slopes = np.gradient(30 * np.sin(x / 8), x)
    np.testing.assert_array_equal(ratios[:, 3, 3] < 0, slopes < 0)
    assert (ratios < 0).any()


def test_beyond_a_field_its_linear_part_is_carried_on():
    linear, grid = Transform(known_matrix()), Grid((4, 5, 6), np.diag([2.0, 2, 2, 1]))
    transform = Transform(linear.matrix, None, Field.of(grid, linear.template_points))
    expected = linear.template_points(POINTS)
    np.testing.assert_allclose(transform.template_points(POINTS), expected, atol=1e-4)
    np.testing.assert_allclose(transform.template_points(POINTS[0]), expected[0], atol=1e-4)
