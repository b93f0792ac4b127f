"""Masks of one region: which map it is, which region is meant, and where it lies on the image."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
from atlases import turned
from phantoms import AFFINE, SHAPE, image

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.masks import Mask
from lesion_dash.scans.placing import place_mask
from lesion_dash.scans.region_masks import mask_image

GRID = Grid(SHAPE, AFFINE)
GENERATOR = np.random.default_rng(0)
CHANCES = np.round(GENERATOR.random(SHAPE), 3).astype(np.float32)
LABELS = GENERATOR.choice([0, 1, 2, 9], SHAPE).astype(np.uint8)
SCAN = GENERATOR.integers(-500, 500, SHAPE).astype(np.int16)
TABLE = "index,name\n1,lens\n2,globe\n9,optic nerve\n"


@pytest.fixture
def scan(tmp_path):
    return saved(tmp_path / "scan.nii.gz", SCAN)


def saved(path, array, affine=AFFINE):
    nib.save(image(np.asarray(array), affine), path)
    return path


@pytest.fixture
def labels(tmp_path):
    (tmp_path / "max_prob_map.csv").write_text(TABLE)
    return saved(tmp_path / "max_prob_map.nii.gz", LABELS)


@pytest.fixture
def maps(tmp_path):
    (tmp_path / "maps.csv").write_text(TABLE.replace("9,", "3,"))
    parts = [CHANCES, 1 - CHANCES, np.roll(CHANCES, 1, axis=0)]
    return saved(tmp_path / "maps.nii.gz", np.stack(parts, axis=-1))


def inside(found) -> np.ndarray:
    return found.mask.array


@pytest.mark.parametrize("threshold", [None, 0.3, 0.5, 1.0])
def test_a_map_of_probabilities_is_cut_at_the_threshold_and_above(tmp_path, scan, threshold):
    map_file = saved(tmp_path / "prob.nii.gz", np.where(CHANCES > 0.95, 1, CHANCES))
    found = mask_image(scan, map_file, threshold=threshold)
    share = 0.5 if threshold is None else threshold
    expected = np.where(CHANCES > 0.95, 1, CHANCES).astype(np.float32) >= np.float32(share)
    np.testing.assert_array_equal(inside(found), expected)
    assert f"voxels of at least {share:g} taken as the mask" in found.notes
    assert found.threshold == share


def test_percent_are_told_from_shares(tmp_path, scan):
    percent = saved(tmp_path / "percent.nii.gz", 100 * CHANCES)
    share = saved(tmp_path / "share.nii.gz", CHANCES)
    np.testing.assert_array_equal(
        inside(mask_image(scan, percent, threshold=0.7)),
        inside(mask_image(scan, share, threshold=0.7)),
    )


@pytest.mark.parametrize("label", ["Globe", "globe", "2", 2])
def test_a_label_is_chosen_by_name_or_number(scan, labels, label):
    found = mask_image(scan, labels, label)
    np.testing.assert_array_equal(inside(found), LABELS == 2)
    assert found.mask.name == "globe"
    assert found.threshold is None


@pytest.mark.parametrize(("label", "place"), [("lens", 0), ("1", 0), ("Optic Nerve", 2), (3, 2)])
def test_a_volume_is_chosen_by_name_or_number(scan, maps, label, place):
    found = mask_image(scan, maps, label)
    volume = nib.load(maps).get_fdata(dtype=np.float32)[..., place]
    np.testing.assert_array_equal(inside(found), volume >= 0.5)


def test_a_map_of_labels_asks_which(scan, labels):
    match = r"max_prob_map.nii.gz: is a map of labels: whole numbers up to 9, which a threshold "
    match += r"would join; choose one with --label: 1 \(lens\), 2 \(globe\), 9 \(optic nerve\); or "
    with pytest.raises(InputError, match=f"{match}say --percent"):
        mask_image(scan, labels)
    with pytest.raises(InputError, match=r"globe: is a map of labels: .*leave --threshold out"):
        mask_image(scan, labels, "globe", threshold=0.5)


def test_labels_that_miss_whole_numbers_by_a_rounding_are_labels(tmp_path, scan):
    path = saved(tmp_path / "labels.nii.gz", LABELS + np.float32(1e-6) * (LABELS > 0))
    with pytest.raises(InputError, match=r"labels.nii.gz: is a map of labels: whole numbers up to"):
        mask_image(scan, path, threshold=0.05)
    np.testing.assert_array_equal(inside(mask_image(scan, path, 9)), LABELS == 9)
    below = saved(tmp_path / "below.nii.gz", LABELS - np.float32(1e-6))
    with pytest.raises(InputError, match=r"below.nii.gz: is a map of labels: whole numbers up to"):
        mask_image(scan, below, threshold=0.05)


def rescaled(path, array, dtype):
    """As nibabel writes floats to an integer type: through a slope that makes them inexact."""
    made = nib.Nifti1Image(np.asarray(array, float), AFFINE)
    made.set_data_dtype(dtype)
    nib.save(made, path)
    assert nib.load(path).dataobj.slope != 1
    return path


@pytest.mark.parametrize("top", [90, 2035])
@pytest.mark.parametrize("is_loaded", [False, True])
def test_labels_through_a_slope_are_labels(tmp_path, scan, top, is_loaded):
    """Values such as 89.9996 are no percent of which a threshold would join the upper half."""
    many = np.random.default_rng(top).integers(0, top, SHAPE)
    many[0, 0, 0] = top
    path = rescaled(tmp_path / "many.nii.gz", many, np.int16)
    source = nib.load(path) if is_loaded else path
    with pytest.raises(InputError, match=rf"is a map of labels: whole numbers up to {top}, which"):
        mask_image(scan, source)
    label = int(many.max())
    np.testing.assert_array_equal(inside(mask_image(scan, source, label)), many == label)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
@pytest.mark.parametrize("scale", [1, 100])
def test_probabilities_through_a_slope_are_none(tmp_path, scan, dtype, scale):
    path = rescaled(tmp_path / "prob.nii.gz", scale * CHANCES, dtype)
    found = inside(mask_image(scan, path))
    values = nib.load(path).get_fdata()
    np.testing.assert_array_equal(found, values >= scale * (0.5 - 1e-6))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_a_mask_through_a_slope_is_one_region(tmp_path, scan, dtype):
    path = rescaled(tmp_path / "mask.nii.gz", LABELS == 9, dtype)
    np.testing.assert_array_equal(inside(mask_image(scan, path)), LABELS == 9)


def test_percent_of_1_are_percent_where_that_is_said(tmp_path, scan):
    path = saved(tmp_path / "low.nii.gz", CHANCES)  # no voxel has more than 1 %
    found = mask_image(scan, path, threshold=0.004, percent=True)
    np.testing.assert_array_equal(inside(found), np.float32(0.4) <= CHANCES)
    with pytest.raises(InputError, match=r"of at least 0.5: the largest is 0\.009"):
        mask_image(scan, path, percent=True)


def test_percent_is_no_choice_where_each_volume_is_a_region(scan, maps):
    with pytest.raises(InputError, match=r"maps: holds a region a volume: .*; leave --percent out"):
        mask_image(scan, maps, 1, percent=True)


def test_whole_numbers_are_percent_where_that_is_said(tmp_path, scan):
    whole = np.rint(100 * CHANCES).astype(np.uint8)
    path = saved(tmp_path / "whole.nii.gz", whole)
    np.testing.assert_array_equal(inside(mask_image(scan, path, percent=True)), whole >= 50)
    with pytest.raises(InputError, match=r"whole: is the map of one region's .*leave --label out"):
        mask_image(scan, path, "lens", percent=True)


def test_a_mask_of_0_and_1_is_a_map_as_well(tmp_path, scan):
    path = saved(tmp_path / "roi.nii.gz", (LABELS == 9).astype(np.uint8))
    np.testing.assert_array_equal(inside(mask_image(scan, path)), LABELS == 9)


@pytest.mark.parametrize(
    ("label", "match"),
    [
        (None, r"maps: holds 3 regions, .* --label: 1 \(lens\), 2 \(globe\), 3 \(optic nerve\)"),
        ("glob", r"maps: has no region 'glob'; did you mean 2 \(globe\)\?"),
        ("nerve", r"maps: has no region 'nerve'; did you mean 3 \(optic nerve\)\?"),
        ("17", r"maps: has no region '17'; choose of 1 \(lens\)"),
    ],
)  # fmt: skip
def test_a_region_that_is_not_there_is_told(scan, maps, label, match):
    with pytest.raises(InputError, match=match):
        mask_image(scan, maps, label)


def test_a_name_that_two_regions_have_asks_for_the_number(scan, labels):
    labels.with_name("max_prob_map.csv").write_text("index,name\n1,rectus\n2,Rectus\n9,lens\n")
    with pytest.raises(InputError, match=r"2 regions are called 'rectus'; choose .* number: 1, 2"):
        mask_image(scan, labels, "rectus")


@pytest.mark.parametrize(
    ("array", "choice", "match"),
    [
        (CHANCES * 3.3, {"threshold": 1.5}, "threshold: 1.5 is not between 0 and 1"),
        (CHANCES * 0.4, {}, r"no voxel .* of at least 0.5: the largest is 0\.399; give a lower"),
        (CHANCES, {"label": "lens"}, "prob: is the map of one region's .*leave --label out"),
        (CHANCES - 0.5, {}, "prob.nii.gz: not a probabilistic atlas: negative value -0.5"),
        (CHANCES * 300, {}, "prob.nii.gz: not a probabilistic atlas: 1 volumes .* up to 29"),
        (CHANCES * 0, {}, "prob.nii.gz: atlas is empty: no voxel has a probability above 0"),
        (np.full(SHAPE, np.nan), {}, "prob.nii.gz: atlas is empty"),
    ],
    ids=["threshold", "too low", "label", "negative", "large", "empty", "nan"],
)
def test_what_is_no_map_of_one_region_is_refused(tmp_path, scan, array, choice, match):
    path = saved(tmp_path / "prob.nii.gz", array.astype(np.float32))
    with pytest.raises(InputError, match=match):
        mask_image(scan, path, **choice)


def test_a_colour_picture_is_refused_for_what_it_is(tmp_path, scan):
    colours = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colours, AFFINE), tmp_path / "rgb.nii.gz")
    with pytest.raises(InputError, match=r"rgb.nii.gz: colour image: a picture has no lesion and"):
        mask_image(scan, tmp_path / "rgb.nii.gz")
    volumes = GENERATOR.integers(0, 255, (*SHAPE, 3)).astype(np.uint8)
    path = saved(tmp_path / "volumes.nii.gz", volumes)
    with pytest.raises(InputError, match=r"volumes.nii.gz: colour picture \(RGB\): 3 volumes"):
        mask_image(scan, path)


def test_a_mirrored_and_permuted_map_gives_the_same_mask(tmp_path, scan, labels):
    arrays, grid = turned([CHANCES, LABELS], GRID)
    prob = saved(tmp_path / "turned.nii.gz", arrays[0], grid.affine)
    turned_labels = saved(tmp_path / "turned_labels.nii.gz", arrays[1], grid.affine)
    found = mask_image(scan, prob)
    np.testing.assert_array_equal(inside(found), CHANCES >= 0.5)
    assert any("reoriented" in note for note in found.notes)
    found = mask_image(scan, turned_labels, 9)
    np.testing.assert_array_equal(inside(found), LABELS == 9)


def test_a_mirrored_and_permuted_image_gets_the_same_mask(tmp_path):
    (moved,), grid = turned([SCAN], GRID)
    path = saved(tmp_path / "scan.nii.gz", moved, grid.affine)
    prob = saved(tmp_path / "prob.nii.gz", CHANCES)
    expected, _ = turned([CHANCES >= 0.5], GRID)
    np.testing.assert_array_equal(inside(mask_image(path, prob)), expected[0])


FINE = Grid(
    (14, 18, 16),
    AFFINE @ [[0.5, 0, 0, -0.25], [0, 0.5, 0, -0.25], [0, 0, 0.5, -0.25], [0, 0, 0, 1]],
)


def test_probabilities_are_interpolated_and_labels_are_not(tmp_path, labels):
    """On voxels half as large: by hand, voxel by voxel, in world coordinates."""
    path = saved(tmp_path / "fine.nii.gz", np.ones(FINE.shape, np.int16), FINE.affine)
    prob = saved(tmp_path / "prob.nii.gz", CHANCES)
    likely, nerve = inside(mask_image(path, prob)), inside(mask_image(path, labels, 9))
    padded = np.pad(CHANCES.astype(float), 1)
    for voxel in np.ndindex(FINE.shape):
        place = GRID.to_voxel(FINE.to_mm(voxel))
        assert nerve[voxel] == (LABELS[tuple(np.rint(place).astype(int))] == 9)
        low = np.floor(place).astype(int)
        share = place - low
        box = padded[tuple(slice(start + 1, start + 3) for start in low)]
        weights = np.multiply.outer(
            np.multiply.outer([1 - share[0], share[0]], [1 - share[1], share[1]]),
            [1 - share[2], share[2]],
        )
        value = (box * weights).sum()
        if abs(value - 0.5) > 1e-5:
            assert likely[voxel] == (value > 0.5)


def test_maps_that_lie_elsewhere_are_refused(tmp_path, scan):
    far = AFFINE.copy()
    far[:3, 3] += 300
    prob = saved(tmp_path / "prob.nii.gz", CHANCES, far)
    with pytest.raises(InputError, match=r"prob: does not overlap the image: x 293\.\.305 mm"):
        mask_image(scan, prob)
    labels = saved(tmp_path / "labels.nii.gz", LABELS, far)
    with pytest.raises(InputError, match=r"label 9: has no voxel on the image: it lies at x 29"):
        mask_image(scan, labels, 9)


@pytest.mark.parametrize(
    ("code", "note"),
    [
        (
            0,
            "scan.nii.gz: orientation unknown: sform and qform codes are both 0, left may be right",
        ),
        (1, "the map is marked as standard space and scan.nii.gz is not: wrong unless both were"),
    ],
)
def test_an_image_that_does_not_say_where_it_lies_is_told(tmp_path, labels, code, note):
    nib.save(image(SCAN, np.diag([1.9, 2, 2, 1]), code=code), tmp_path / "scan.nii.gz")
    found = mask_image(tmp_path / "scan.nii.gz", labels, 9)
    assert sum(one.startswith(note) for one in found.notes) == 1
    nib.save(image(SCAN), tmp_path / "scan.nii.gz")
    plain = mask_image(tmp_path / "scan.nii.gz", labels, 9)
    assert not any("scan.nii.gz" in one for one in plain.notes)


def test_a_mask_between_the_voxels_of_an_image_is_told():
    coarse = Grid((2, 2, 2), AFFINE @ np.diag([4.0, 4, 4, 1]))
    between = Mask.from_array(np.arange(504).reshape(SHAPE) == 80, GRID, "lens")
    match = r"lens: has no voxel on the image: its 8 mm³ lie between .* of 512 mm³; give a larger"
    with pytest.raises(InputError, match=match):
        place_mask(between, coarse)


def test_a_series_is_no_image_to_mask(tmp_path, maps, labels):
    with pytest.raises(InputError, match=r"maps.nii.gz: several volumes: 3 in one file"):
        mask_image(maps, labels, 9)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32, np.float64]
)
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_values_inside_are_those_of_the_image_bit_by_bit(tmp_path, labels, dtype, ending):
    values = np.abs(SCAN).astype(dtype)
    made = nib.Nifti1Image(values, AFFINE, dtype=values.dtype)
    nib.save(made, tmp_path / "typed.nii")
    found = mask_image(tmp_path / "typed.nii", labels, 9)
    content, notes = found.to_bytes(ending == ".nii.gz")
    (tmp_path / f"out{ending}").write_bytes(content)
    written = nib.load(tmp_path / f"out{ending}")
    assert written.get_data_dtype() == dtype
    np.testing.assert_array_equal(np.asarray(written.dataobj), np.where(LABELS == 9, values, 0))
    np.testing.assert_array_equal(written.affine, AFFINE)
    assert notes == ()


@pytest.mark.parametrize(("code", "written"), [(">i2", "i2"), ("f2", "f4"), ("longdouble", "f8")])
def test_types_of_memory_that_a_file_lacks(labels, code, written):
    scan = nib.spatialimages.SpatialImage(SCAN.astype(code), AFFINE)
    content, notes = mask_image(scan, labels, 9).to_bytes(is_compressed=False)
    found = nib.Nifti1Image.from_bytes(content)
    assert found.get_data_dtype() == written
    np.testing.assert_array_equal(np.asarray(found.dataobj), np.where(LABELS == 9, SCAN, 0))
    assert [" is written as " in note for note in notes] == ([] if written == "i2" else [True])


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [
        (0.25, 0.0, np.int16),
        (2.0, -1024.0, np.int16),
        (0.3, 7.7, np.float64),
        (0.5, 500.0, np.float64),
    ],
)
def test_scaling_is_kept_where_it_has_a_stored_0(tmp_path, labels, slope, intercept, dtype):
    made = image(np.abs(SCAN))
    made.header.set_slope_inter(slope, intercept)
    stored = np.abs(SCAN).astype(np.uint8 if intercept == 500 else np.int16)
    scaled = nib.Nifti1Image(stored, AFFINE)
    content = bytearray(scaled.to_bytes())
    content[112:120] = np.array([slope, intercept], np.float32).tobytes()
    (tmp_path / "scaled.nii").write_bytes(content)
    expected = nib.load(tmp_path / "scaled.nii").get_fdata()
    found = mask_image(tmp_path / "scaled.nii", labels, 9)
    content, notes = found.to_bytes(is_compressed=True)
    written = nib.Nifti1Image.from_bytes(gzip.decompress(content))
    assert written.get_data_dtype() == dtype
    np.testing.assert_array_equal(written.get_fdata(), np.where(LABELS == 9, expected, 0))
    assert bool(notes) == (dtype == np.float64)


def test_nothing_of_the_header_that_names_a_patient_is_written(tmp_path, labels):
    made = image(SCAN)
    made.header["descrip"] = b"Mustermann^Erika"
    nib.save(made, tmp_path / "named.nii")
    content, _ = mask_image(tmp_path / "named.nii", labels, 9).to_bytes(is_compressed=False)
    assert b"Mustermann" not in content


def test_nan_inside_stays_and_outside_is_0(tmp_path, labels):
    values = np.full(SHAPE, np.nan, np.float32)
    path = saved(tmp_path / "nan.nii", values)
    content, _ = mask_image(path, labels, 9).to_bytes(is_compressed=False)
    written = nib.Nifti1Image.from_bytes(content).get_fdata()
    np.testing.assert_array_equal(np.isnan(written), LABELS == 9)
    assert not np.nansum(written)


def test_a_mask_is_placed_by_its_voxels_centres():
    coarse = Grid((4, 5, 4), AFFINE @ np.diag([2.0, 2, 2, 1]))
    own = Mask.from_array(LABELS == 9, GRID, "nerve")
    found = place_mask(own, coarse).array
    for voxel in np.ndindex(coarse.shape):
        place = GRID.nearest_voxel(coarse.to_mm(voxel))
        assert found[voxel] == (place is not None and LABELS[place] == 9)
