"""Images, masks and labels brought to a template: against SimpleITK, and laws of their own."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import SimpleITK as sitk
from grids import affine, flipped, known_matrix, resampled, rotation
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map
from lesion_dash.images.masks import Mask
from lesion_dash.scans import warp_any, warp_labels, warp_map, warp_mask
from lesion_dash.transforms.files import field_bytes, itk_text
from lesion_dash.transforms.transform import Field, Transform, points_of
from lesion_dash.transforms.warping import infer_image_type


def centred(shape, spacing, turn) -> Grid:
    """A grid with its middle at 0, 0, 0 mm."""
    matrix = affine(spacing, turn=turn)
    matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, matrix)


GENERATOR = np.random.default_rng(0)
STRAIGHT = Grid((20, 24, 18), affine((3, 3, 3), (-28, -34, -25)))
OBLIQUE = centred((17, 15, 21), (-3.5, 4, 3), rotation(15, -25, 40))
GRIDS = {
    "straight": STRAIGHT,
    "oblique": OBLIQUE,
    "flipped": flipped(STRAIGHT, 0, 2),
    "permuted": flipped(Grid((18, 20, 24), STRAIGHT.affine[:, [2, 0, 1, 3]]), 0),
}
TRANSFORM = Transform(known_matrix())
SCAN = GENERATOR.normal(100, 30, STRAIGHT.shape)


def map_of(array, grid: Grid = STRAIGHT) -> Map:
    return Map("scan", np.asarray(array), grid, "", "")


def values_on(grid: Grid) -> np.ndarray:
    x, y, z = np.moveaxis(points_of(grid), -1, 0)
    return 100 + 30 * np.sin(x / 9) * np.cos(y / 7) + z


def ball(grid: Grid, ml: float, centre=(2.3, -1.7, 3.1)) -> Mask:
    """A lesion with lobes, as large as is asked for."""
    away = points_of(grid) - centre
    angle = np.arctan2(away[..., 1], away[..., 0])
    radius = np.linalg.norm(away, axis=-1) / (1 + 0.15 * np.sin(3 * angle))
    size = (ml * 1000 * 3 / 4 / np.pi) ** (1 / 3)
    return Mask.from_array(radius <= size, grid, "lesion")


@pytest.fixture
def itk(tmp_path) -> sitk.Transform:
    """SimpleITK's transform, read from the file that we write."""
    path = tmp_path / "transform_itk.txt"
    path.write_bytes(itk_text(TRANSFORM))
    return sitk.ReadTransform(str(path))


@pytest.mark.parametrize("own", GRIDS)
@pytest.mark.parametrize("target", GRIDS)
def test_maps_are_those_of_simpleitk_with_the_file_we_wrote(itk, own, target):
    array = values_on(GRIDS[own])
    warped = warp_map(map_of(array, GRIDS[own]), TRANSFORM, GRIDS[target])
    assert (warped.array != 0).mean() > 0.3
    expected = resampled(array, GRIDS[own], itk, GRIDS[target])
    np.testing.assert_allclose(warped.array, expected, atol=1e-6)


def test_fields_bring_maps_where_simpleitk_does_and_masks_where_their_affine_does(tmp_path):
    field = Field.of(
        OBLIQUE, lambda p: 4 * np.sin(p[..., [1, 2, 0]] / 12) + TRANSFORM.moving_points(p)
    )
    path = tmp_path / "to_moving_field.nii.gz"
    path.write_bytes(field_bytes(field, path.name))
    vectors = sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkVectorFloat64)
    warped = warp_map(map_of(SCAN), Transform(TRANSFORM.matrix, field), OBLIQUE)
    expected = resampled(SCAN, STRAIGHT, sitk.DisplacementFieldTransform(vectors), OBLIQUE)
    np.testing.assert_allclose(warped.array, expected, atol=0.01)
    by_field = Transform(TRANSFORM.matrix, Field.of(OBLIQUE, TRANSFORM.moving_points))
    first, second = (warp_mask(ball(STRAIGHT, 8), way, OBLIQUE) for way in (by_field, TRANSFORM))
    assert first.voxels == pytest.approx(second.voxels, abs=2)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_no_bit_changes_where_nothing_is_to_be_done(dtype):
    array = GENERATOR.integers(0, 100, STRAIGHT.shape).astype(dtype)
    for warp in (warp_map, warp_labels):
        warped = warp(map_of(array), Transform(), STRAIGHT)
        assert warped.array.dtype == dtype
        assert warped.array.tobytes("F") == array.tobytes("F")
        assert "no value interpolated" in warped.notes[-1]
    mask = ball(STRAIGHT, 3)
    np.testing.assert_array_equal(warp_mask(mask, Transform(), STRAIGHT).indices, mask.indices)


STEPS = [(STRAIGHT, shift) for shift in list(product((-30, 0, 7), repeat=3))[::4]]


@pytest.mark.parametrize(
    ("grid", "steps"), [*STEPS, (GRIDS["flipped"], (0, 0, 0)), (GRIDS["permuted"], (0, 0, 0))]
)
def test_where_voxels_coincide_values_are_moved_and_0_is_left_behind(grid, steps):
    transform = Transform(affine((1, 1, 1), 3 * np.array(steps)))
    voxels = STRAIGHT.to_voxel(transform.moving_points(points_of(grid))).round()
    expected = ndimage.map_coordinates(SCAN, np.moveaxis(voxels, -1, 0), order=0)
    np.testing.assert_array_equal(warp_map(map_of(SCAN), transform, grid).array, expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_file_of_the_same_anatomy_gives_the_same(axis):
    other = flipped(STRAIGHT, axis)
    labels = (values_on(STRAIGHT) // 12).astype(np.int16)
    mask = ball(STRAIGHT, 5)
    turned = Mask.from_array(np.flip(mask.array, axis), other, "lesion")
    coarse = Grid((9, 11, 8), affine((6, 6, 6), (-25, -31, -23)))
    for to in product((TRANSFORM, Transform()), (OBLIQUE, coarse)):
        for warp, array in ((warp_map, SCAN), (warp_labels, labels)):
            first = warp(map_of(array), *to).array
            second = warp(map_of(np.flip(array, axis), other), *to).array
            np.testing.assert_allclose(first, second, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(warp_mask(mask, *to).indices, warp_mask(turned, *to).indices)


def test_unknown_voxels_do_not_count():
    array = SCAN.copy()
    array[:10] = np.nan
    shifted = Transform(affine((1, 1, 1), (1.2, 0, 0)))
    warped = warp_map(map_of(array), shifted, STRAIGHT)
    known = warp_map(map_of(np.nan_to_num(array, nan=7.0)), shifted, STRAIGHT).array
    np.testing.assert_allclose(warped.array[11:], known[11:], rtol=1e-6)
    # 40 % of the weight on an unknown voxel: the known one counts alone.
    np.testing.assert_allclose(warped.array[10], SCAN[10], rtol=1e-6)
    assert np.isnan(warped.array[1:10]).all()
    assert "NaN in 4,320 voxels; " in warped.notes[-1]
    assert not np.isinf(warp_map(map_of(array), TRANSFORM, OBLIQUE).array).any()


MM = {
    1: Grid((60, 60, 60), affine((1, 1, 1), (-28, -30, -27))),
    2: Grid((32, 32, 32), affine((2, 2, 2), (-29.5, -31.5, -28.5))),
    4: Grid((18, 17, 19), affine((4, 4, 4), (-34, -32, -36))),
}
TURNS = {
    "turned": rotation(8, -5, 12),
    "turned and scaled": rotation(20, 10, -15) @ np.diag([1.1, 0.9, 1.05, 1]),
    "mirrored": rotation(3, 4, 5) @ np.diag([-1.0, 1, 1, 1]),
    "shifted": affine((1, 1, 1), (0.37, -0.21, 0.44)),
    "as it is": np.eye(4),
}


@pytest.mark.parametrize(("own", "grid"), [(1, 2), (2, 1), (1, 4)])
@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("ml", [0.1, 0.5, 5, 50])
def test_a_lesion_keeps_its_volume(own, grid, turn, ml):
    lesion, transform = ball(MM[own], ml), Transform(TURNS[turn])
    warped = warp_mask(lesion, transform, MM[grid])
    expected = lesion.volume_mm3 * abs(transform.volume_factor)
    # A lesion of few voxels cannot be kept closer than to half of one.
    half = MM[grid].voxel_volume / expected / 2 + 1e-6
    assert warped.volume_mm3 / expected == pytest.approx(1, abs=max(0.01, half))


@pytest.mark.parametrize("ml", [2, 30])
def test_a_lesion_lies_where_its_points_go(itk, ml):
    lesion = ball(STRAIGHT, ml)
    warped = warp_mask(lesion, TRANSFORM, OBLIQUE)
    centre = STRAIGHT.mm_of_index(lesion.indices).mean(axis=0)
    there = OBLIQUE.mm_of_index(warped.indices).mean(axis=0)
    assert np.linalg.norm(there - TRANSFORM.template_points(centre)) < 0.5
    partial_volume = averaged(lesion.array, OBLIQUE, itk)
    # Whatever the fraction that keeps the volume: the rest of the map decides nothing.
    assert partial_volume[warped.array].min() >= partial_volume[~warped.array].max() - 1e-4


def test_sheets_and_specks_do_not_vanish():
    fine = Grid((40, 40, 40), np.eye(4))
    coarse = Grid((20, 20, 20), affine((2, 2, 2), (0.5, 0.5, 0.5)))
    sheet = np.zeros(fine.shape, bool)
    sheet[5:35, 5:35, 20] = True
    warped = warp_mask(Mask.from_array(sheet, fine, "sheet"), Transform(rotation(0, 0, 5)), coarse)
    assert warped.volume_mm3 == pytest.approx(900, rel=0.05)
    assert "as many voxels kept as the volume needs" in warped.notes[-1]
    speck = Mask(fine, np.array([20 + 40 * 20 + 1600 * 20], np.int32), "speck")
    assert warp_mask(speck, Transform(), coarse).voxels == 1


def test_what_lies_beyond_the_template_is_told():
    lesion = ball(STRAIGHT, 10)
    gone = warp_mask(lesion, Transform(affine((1, 1, 1), (500, 0, 0))), STRAIGHT)
    assert gone.voxels == 0
    assert "lies outside the template" in gone.notes[-1]
    half = warp_mask(lesion, Transform(affine((1, 1, 1), (28.5, 0.1, 0))), STRAIGHT)
    assert 0 < half.voxels < lesion.voxels
    assert "of it lies outside the template" in half.notes[-1]
    empty = Mask(STRAIGHT, np.zeros(0, np.int32), "none")
    assert warp_mask(empty, TRANSFORM, OBLIQUE).voxels == 0


@given(seed=st.integers(0, 50))
def test_labels_stay_labels(seed):
    generator = np.random.default_rng(seed)
    labels = generator.choice([0, 3, 7, 1000, -4], (8, 9, 7)).astype(np.int16)
    own = Grid(labels.shape, affine((4, 4, 4), (-14, -16, -12)))
    for grid in (OBLIQUE, Grid((6, 6, 6), affine((9, 9, 9), (-22, -22, -22)))):
        warped = warp_labels(map_of(labels, own), Transform(known_matrix(seed)), grid).array
        assert warped.dtype == np.int16
        assert set(np.unique(warped)) <= {0, 3, 7, 1000, -4}


COARSE = Grid((6, 7, 5), affine((9, 9, 9), (-25, -31, -22), rotation(5, 6, 7)))


@pytest.mark.parametrize("grid", [OBLIQUE, COARSE], ids=["oblique", "coarse"])
def test_each_voxel_takes_the_label_with_the_largest_partial_volume(itk, grid):
    labels = (values_on(STRAIGHT) // 15).astype(np.uint8) + 1
    warped = warp_labels(map_of(labels), TRANSFORM, grid).array
    names = np.unique(labels)
    stack = np.stack([averaged(labels == label, grid, itk) for label in names])
    stack = np.concatenate([1 - stack.sum(axis=0, keepdims=True), stack])
    best = np.array([0, *names])[stack.argmax(axis=0)]
    second, first = np.sort(stack, axis=0)[-2:]
    clear = first - second > 1e-4
    assert clear.mean() > 0.95
    np.testing.assert_array_equal(warped[clear], best[clear])


def averaged(array: np.ndarray, grid: Grid, transform: sitk.Transform) -> np.ndarray:
    """The mean over each voxel of SimpleITK's values at points as far apart as the image's."""
    to_own = np.linalg.inv(TRANSFORM.matrix @ STRAIGHT.affine) @ grid.affine
    steps = np.ceil(np.linalg.norm(to_own[:3, :3], axis=0) - 0.25).astype(int)
    shape = np.array(grid.shape) * steps
    small = grid.affine @ np.diag([*(1 / steps), 1])
    small[:3, 3] = grid.to_mm(0.5 / steps - 0.5)
    values = array.astype(np.float64)
    sampled = resampled(values, STRAIGHT, transform, Grid(tuple(shape), small))
    a, b, c = grid.shape
    return sampled.reshape(a, steps[0], b, steps[1], c, steps[2]).mean(axis=(1, 3, 5))


ATLAS = map_of((values_on(STRAIGHT) // 25).astype(np.int16))
LESION = map_of(ball(STRAIGHT, 8).array.astype(np.uint8) * 255)


@pytest.mark.parametrize(
    ("image", "as_labels", "kind", "note"),
    [
        (ATLAS, None, "labels", "taken for labels"),
        (LESION, None, "mask", "taken for a mask"),
        (map_of(SCAN.astype(np.int16).clip(0)), None, "intensities", "taken for intensities"),
        (map_of(SCAN), None, "intensities", ""),
        (map_of(-ATLAS.array), None, "intensities", ""),
        (map_of(np.zeros(STRAIGHT.shape, np.int8)), None, "intensities", ""),
        (ball(STRAIGHT, 8), None, "mask", ""),
        (LESION, True, "labels", "taken for labels, as requested"),
        (ATLAS, False, "intensities", "taken for intensities, as requested"),
    ],
)
def test_the_type_of_an_image_is_inferred_and_named(image, as_labels, kind, note):
    inferred = infer_image_type(image, as_labels)
    assert inferred.kind == kind
    assert note in inferred.note


def test_images_are_warped_as_what_they_are():
    atlas = replace(ATLAS, array=ATLAS.array.astype(np.float32))
    for image, warp in ((atlas, warp_labels), (map_of(SCAN), warp_map)):
        warped = (each(image, TRANSFORM, OBLIQUE).array for each in (warp_any, warp))
        np.testing.assert_array_equal(*warped)
    mask = warp_any(replace(LESION, sha256="0" * 64), TRANSFORM, OBLIQUE)
    assert isinstance(mask, Mask)
    assert mask.sha256 == "0" * 64
    expected = warp_mask(ball(STRAIGHT, 8), TRANSFORM, OBLIQUE).indices
    np.testing.assert_array_equal(mask.indices, expected)
    blurred = warp_any(atlas, TRANSFORM, OBLIQUE, as_labels=False).array
    assert not np.array_equal(blurred, np.rint(blurred))
    with pytest.raises(InputError, match=r"scan: holds fractions, and is to be taken for labels"):
        warp_any(map_of(SCAN), TRANSFORM, OBLIQUE, as_labels=True)
