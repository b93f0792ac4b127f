"""Grids: voxels and mm, and whether two images share their voxels."""

from __future__ import annotations

import re

import nibabel as nib
import numpy as np
import pytest
from grids import rotation
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.affines import from_matvec

from lesion_dash import Grid

OBLIQUE = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.1, -0.2, 0.3) @ np.diag([2.0, -1.5, 3.0]), [5.0, -3.0, 1.0]
)
TURNED = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.0, 0.0, 0.1) @ np.diag([2.0, 2, 2]), [-90, -126, -72]
)
MNI_2MM = nib.affines.from_matvec(np.diag([2.0, 2, 2]), [-90, -126, -72])
SHEAR = np.array([[1, 0, 0], [0, 1, np.sin(0.2)], [0, 0, np.cos(0.2)]])


@given(st.tuples(*[st.floats(-200, 200)] * 3))
def test_voxel_and_mm_are_inverse_and_agree_with_nibabel(voxel):
    grid = Grid((5, 6, 7), OBLIQUE)
    mm = grid.to_mm(voxel)
    np.testing.assert_allclose(mm, nib.affines.apply_affine(OBLIQUE, voxel), atol=1e-9)
    np.testing.assert_allclose(grid.to_voxel(mm), voxel, atol=1e-9)


def test_voxel_volume_is_the_determinant_for_any_affine():
    assert Grid((2, 2, 2), OBLIQUE).voxel_volume == pytest.approx(9.0, rel=1e-12)
    edge = 1.0546875
    assert Grid((2, 2, 2), np.diag([edge, -edge, 1, 1])).voxel_volume == edge * edge
    assert Grid((2, 2, 2), MNI_2MM).voxel_volume == 8.0


@pytest.mark.parametrize("affine", [OBLIQUE, MNI_2MM, MNI_2MM @ np.diag([-1.0, 1, 1, 1])])
def test_orientation_agrees_with_nibabel(affine):
    assert Grid((2, 3, 4), affine).orientation == "".join(nib.aff2axcodes(affine))


def test_nearest_voxel_holds_its_centre_and_ends_at_the_border():
    grid = Grid((91, 109, 91), MNI_2MM)
    assert grid.nearest_voxel([0, 0, 0]) == (45, 63, 36)
    assert grid.nearest_voxel([-90.9, -126, -72]) == (0, 0, 0)
    assert grid.nearest_voxel([-91.1, -126, -72]) is None


def test_linear_index_counts_the_first_axis_fastest():
    grid = Grid((3, 4, 5), MNI_2MM)
    voxel = (2, 1, 3)
    assert grid.linear_index(voxel) == np.ravel_multi_index(voxel, grid.shape, order="F")
    np.testing.assert_array_equal(
        grid.mm_of_index([grid.linear_index(voxel)])[0], grid.to_mm(voxel)
    )


def test_the_corner_shift_is_that_of_the_farthest_corner():
    turned = MNI_2MM.copy()
    turned[0, 1] = 0.01
    shift = Grid((91, 109, 91), turned).corner_shift(Grid((91, 109, 91), MNI_2MM))
    assert shift == pytest.approx(1.08)


@pytest.mark.parametrize(
    ("affine", "shape", "pattern"),
    [
        (MNI_2MM @ np.diag([-1.0, 1, 1, 1]), (9, 9, 9), "left and right are swapped"),
        (MNI_2MM @ np.diag([1.0, -1, 1, 1]), (9, 9, 9), "mirrored along y"),
        (MNI_2MM @ np.diag([1.0, 1, -1, 1]), (9, 9, 9), "mirrored along z"),
        (MNI_2MM[:, [2, 1, 0, 3]], (9, 9, 9), "axes are in another order"),
        (MNI_2MM @ np.diag([0.5, 0.5, 0.5, 1]), (9, 9, 9), "voxel size differs"),
        (MNI_2MM, (9, 9, 10), "shape differs"),
        (MNI_2MM + np.eye(4)[[0]].T @ [[0, 0, 0, 20]], (9, 9, 9), "grid differs, 20 mm"),
        (TURNED, (9, 9, 9), r"grid differs, 2\.26 mm at the farthest corner, rotated"),
        (MNI_2MM @ from_matvec(SHEAR), (9, 9, 9), "grid differs, .* sheared$"),
        (MNI_2MM @ from_matvec(np.diag([-1, 1, 1]), [8, 0, 0]), (9, 9, 9), r"along x \(LAS"),
        (MNI_2MM[:, [1, 0, 2, 3]] @ np.diag([1, -1, 1, 1]), (9, 9, 9), "another order and mirr"),
        (MNI_2MM @ np.diag([0.5, -1, 1, 1]), (9, 9, 9), "voxel size differs .* mirrored along y"),
    ],
)
def test_a_difference_is_named_for_what_it_is(affine, shape, pattern):
    other = Grid(shape, affine)
    grid = Grid((9, 9, 9), MNI_2MM)
    assert not other.matches(grid)
    assert re.search(pattern, other.difference(grid))


def words_of(turn: np.ndarray) -> set[str]:
    """What a grid is called whose axes are changed by a matrix, of all words there are."""
    grid = Grid((9, 9, 9), from_matvec(turn @ MNI_2MM[:3, :3], MNI_2MM[:3, 3]))
    told = grid.difference(Grid((9, 9, 9), MNI_2MM))
    words = ("voxel size", "another order", "mirrored", "rotated", "sheared")
    return {word for word in words if word in told}


@given(
    st.permutations(range(3)),
    st.tuples(*[st.sampled_from([-1, 1])] * 3),
    st.sampled_from([0, 2, 17, -31]),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_difference_names_what_two_affines_differ_by_and_no_more(
    axes, signs, degrees, shear, size
):
    turn = np.eye(3)[:, axes] * signs
    expected = {"another order"} if list(axes) != [0, 1, 2] else set()
    expected |= {"mirrored"} if -1 in signs else set()
    if degrees:
        turn, expected = rotation(z=degrees)[:3, :3] @ turn, expected | {"rotated"}
    if shear:
        turn, expected = turn @ SHEAR, expected | {"sheared"}
    if size:
        turn, expected = turn @ np.diag([1, 1, 1.5]), expected | {"voxel size"}
    assert words_of(turn) - {"rotated"} == expected - {"rotated"}
    if not shear:  # which turns axes as well
        assert words_of(turn) == expected


def test_exact_steps_of_flipped_and_permuted_axes_and_of_none():
    grid = Grid((4, 5, 6), MNI_2MM)
    flipped = Grid((4, 5, 6), MNI_2MM @ nib.affines.from_matvec(np.diag([-1.0, 1, 1]), [3, 0, 0]))
    steps = flipped.exact_steps(grid)
    np.testing.assert_array_equal(steps, [[-1, 0, 0, 3], [0, 1, 0, 0], [0, 0, 1, 0]])
    half = Grid((4, 5, 6), MNI_2MM + np.eye(4)[[0]].T @ [[0, 0, 0, 1.0]])
    assert half.exact_steps(grid) is None
    assert Grid((4, 5, 6), OBLIQUE).exact_steps(grid) is None


def test_a_grid_is_a_value():
    grid = Grid((4, 5, 6), MNI_2MM)
    assert grid == Grid((4, 5, 6), MNI_2MM.copy())
    assert hash(grid) == hash(Grid((4, 5, 6), MNI_2MM.copy()))
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 1


@pytest.mark.parametrize("place", [[np.nan, 0, 0], [1e30, 0, 0], [np.inf, 0, 0]])
def test_no_voxel_holds_a_place_that_is_none(place):
    assert Grid((9, 9, 9), MNI_2MM).nearest_voxel(place) is None
