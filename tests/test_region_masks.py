"""Masks of one region: which map it is, which region is meant, and where it lies on the image."""

from __future__ import annotations

import gzip
import hashlib

import grids
import nibabel as nib
import numpy as np
import pytest
from atlases import turned
from phantoms import AFFINE, SHAPE, image, save, set_scaling
from scipy import ndimage

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.scans.region_masks import mask_image, read_region

GRID = Grid(SHAPE, AFFINE)
GENERATOR = np.random.default_rng(0)
CHANCES = np.round(GENERATOR.random(SHAPE), 3).astype(np.float32)
LABELS = GENERATOR.choice([0, 1, 2, 9], SHAPE).astype(np.uint8)
SCAN = GENERATOR.integers(-500, 500, SHAPE).astype(np.int16)
WHOLE = np.rint(100 * CHANCES).astype(np.uint8)
NINE = LABELS == 9
TABLE = "index,name\n1,lens\n2,globe\n9,optic nerve\n"
NEARLY_LABELS = LABELS + np.float32(1e-6) * (LABELS > 0)


@pytest.fixture
def scan(tmp_path):
    return save(tmp_path / "scan.nii.gz", SCAN)


@pytest.fixture
def labels(tmp_path):
    (tmp_path / "max_prob_map.csv").write_text(TABLE)
    return save(tmp_path / "max_prob_map.nii.gz", LABELS)


@pytest.fixture
def twins(labels):
    labels.with_name("max_prob_map.csv").write_text("index,name\n1,rectus\n2,Rectus\n9,lens\n")
    return labels


@pytest.fixture
def maps(tmp_path):
    (tmp_path / "maps.csv").write_text(TABLE.replace("9,", "3,"))
    parts = [CHANCES, 1 - CHANCES, np.roll(CHANCES, 1, axis=0)]
    return save(tmp_path / "maps.nii.gz", np.stack(parts, axis=-1))


def assert_inside(masked, expected):
    np.testing.assert_array_equal(masked.mask.array, expected)


def written(masked, is_compressed: bool = False):
    """The image that its file holds, and the notes."""
    content, notes = masked.to_bytes(is_compressed)
    return nib.Nifti1Image.from_bytes(gzip.decompress(content) if is_compressed else content), notes


@pytest.mark.parametrize("threshold", [None, 0.3, 0.5, 1.0])
def test_a_map_of_probabilities_is_cut_at_the_threshold_and_above(tmp_path, scan, threshold):
    chances = np.where(CHANCES > 0.95, 1, CHANCES)
    used = threshold or 0.5
    for factor in (1, 100):  # percent are told from fractions
        prob = save(tmp_path / "prob.nii.gz", factor * chances)
        masked = mask_image(scan, prob, threshold=threshold)
        assert_inside(masked, chances >= np.float32(used))
        assert f"voxels of at least {used:g} taken as the mask" in masked.notes
        assert masked.threshold == used


def test_a_region_is_chosen_by_name_or_number(scan, labels, maps):
    for label in ("Globe", "2", 2):
        masked = mask_image(scan, labels, label)
        assert_inside(masked, LABELS == 2)
        assert (masked.mask.name, masked.threshold) == ("globe", None)
    volumes = nib.load(maps).get_fdata(dtype=np.float32)
    for label, place in (("lens", 0), ("1", 0), ("Optic Nerve", 2), (3, 2)):
        assert_inside(mask_image(scan, maps, label), volumes[..., place] >= 0.5)


@pytest.mark.parametrize(
    ("array", "options", "expected"),
    [
        (WHOLE, {"percent": True}, WHOLE >= 50),
        # No voxel has more than 1 %.
        (CHANCES, {"percent": True, "threshold": 0.004}, np.float32(0.4) <= CHANCES),
        (NINE.astype(np.uint8), {}, NINE),
        (NEARLY_LABELS, {"label": 9}, NINE),
    ],
    ids=["percent", "little percent", "mask", "labels that miss whole numbers by a rounding"],
)
def test_maps_that_are_told_apart(tmp_path, scan, array, options, expected):
    path = save(tmp_path / "map.nii.gz", array)
    assert_inside(mask_image(scan, path, **options), expected)


OF_LABELS = r"map.nii.gz: is a map of labels: whole numbers up to 9, which a threshold would join"
PICTURE = GENERATOR.integers(0, 255, (*SHAPE, 3)).astype(np.uint8)
COLOURS = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    ("array", "options", "match"),
    [
        (LABELS, {}, rf"{OF_LABELS}; choose one with --label: 1, 2, 9; or say --percent"),
        (LABELS, {"label": 2, "threshold": 0.5}, r"label 2: is a map of labels: .*omit --thr"),
        (NEARLY_LABELS, {"threshold": 0.05}, OF_LABELS),
        (LABELS - np.float32(1e-6), {"threshold": 0.05}, OF_LABELS),
        (CHANCES, {"percent": True}, r"of at least 0.5: the largest is 0\.009"),
        (CHANCES * 3.3, {"threshold": 1.5}, "threshold: 1.5 is not between 0 and 1"),
        (CHANCES * 0.4, {}, r"no voxel .* of at least 0.5: the largest is 0\.399; give a lower"),
        (CHANCES, {"label": "lens"}, "map: is the map of one region's .*omit --label"),
        (WHOLE, {"label": "lens", "percent": True}, "map: is the map of one region's .*--label"),
        (CHANCES - 0.5, {}, "map.nii.gz: not a probabilistic atlas: negative value -0.5"),
        (CHANCES * 300, {}, "map.nii.gz: not a probabilistic atlas: 1 volumes .* up to 29"),
        (CHANCES * 0, {}, "map.nii.gz: atlas is empty: no voxel has a probability above 0"),
        (np.full(SHAPE, np.nan), {}, "map.nii.gz: atlas is empty"),
        (COLOURS, {}, "map.nii.gz: colour image: a picture has no lesion and"),
        (PICTURE, {}, r"map.nii.gz: colour picture \(RGB\): 3 volumes"),
    ],
)
def test_what_is_no_map_of_one_region_is_refused(tmp_path, scan, array, options, match):
    nib.save(nib.Nifti1Image(array, AFFINE), tmp_path / "map.nii.gz")
    with pytest.raises(InputError, match=match):
        mask_image(scan, tmp_path / "map.nii.gz", **options)


def rescaled(path, array, dtype):
    """As nibabel writes floats to an integer type: through a slope that makes them inexact."""
    made = nib.Nifti1Image(np.asarray(array, float), AFFINE)
    made.set_data_dtype(dtype)
    nib.save(made, path)
    assert nib.load(path).dataobj.slope != 1
    return path


@pytest.mark.parametrize("top", [90, 2035])
def test_labels_through_a_slope_are_labels(tmp_path, scan, top):
    """Values such as 89.9996 are no percent of which a threshold would join the upper half."""
    many = np.random.default_rng(top).integers(0, top, SHAPE)
    many[0, 0, 0] = top
    path = rescaled(tmp_path / "many.nii.gz", many, np.int16)
    for source in (path, nib.load(path)):
        with pytest.raises(InputError, match=rf"a map of labels: whole numbers up to {top}, which"):
            mask_image(scan, source)
        assert_inside(mask_image(scan, source, top), many == top)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_probabilities_and_masks_through_a_slope_are_no_labels(tmp_path, scan, dtype):
    for scale in (1, 100):
        path = rescaled(tmp_path / "prob.nii.gz", scale * CHANCES, dtype)
        expected = nib.load(path).get_fdata() >= scale * (0.5 - 1e-6)
        assert_inside(mask_image(scan, path), expected)
    path = rescaled(tmp_path / "mask.nii.gz", NINE, dtype)
    assert_inside(mask_image(scan, path), NINE)


@pytest.mark.parametrize(
    ("source", "options", "match"),
    [
        ("maps", {}, r"3 regions, .* --label: 1 \(lens\), 2 \(globe\), 3 \(optic nerve\)"),
        ("maps", {"label": "glob"}, r"no region 'glob'; did you mean 2 \(globe\)\?"),
        ("maps", {"label": "nerve"}, r"no region 'nerve'; did you mean 3 \(optic nerve\)\?"),
        ("maps", {"label": "17"}, r"has no region '17'; choose one of 1 \(lens\)"),
        ("maps", {"label": 1, "percent": True}, "holds a region a volume: .*; omit --percent"),
        ("labels", {}, r"1 \(lens\), 2 \(globe\), 9 \(optic nerve\)"),
        ("twins", {"label": "rectus"}, "2 regions are called 'rectus'; choose .* number: 1, 2"),
    ],
)
def test_a_region_that_is_not_there_is_told(request, scan, source, options, match):
    with pytest.raises(InputError, match=rf"(maps|max_prob_map).*: .*{match}"):
        mask_image(scan, request.getfixturevalue(source), **options)


def test_a_series_is_no_image_to_mask(maps, labels):
    with pytest.raises(InputError, match=r"maps.nii.gz: several volumes: 3 in one file"):
        mask_image(maps, labels, 9)


def test_a_mirrored_and_permuted_map_or_image_gives_the_same_mask(tmp_path, scan):
    (chances, labels, moved, expected), grid = turned([CHANCES, LABELS, SCAN, CHANCES >= 0.5], GRID)
    masked = mask_image(scan, save(tmp_path / "turned.nii.gz", chances, grid.affine))
    assert_inside(masked, CHANCES >= 0.5)
    assert any("reoriented" in note for note in masked.notes)
    path = save(tmp_path / "labels.nii.gz", labels, grid.affine)
    assert_inside(mask_image(scan, path, 9), NINE)
    turned_scan = save(tmp_path / "moved.nii.gz", moved, grid.affine)
    straight = save(tmp_path / "prob.nii.gz", CHANCES)
    assert_inside(mask_image(turned_scan, straight), expected)


def test_probabilities_are_interpolated_and_labels_are_not(tmp_path, labels):
    """On voxels half as large: by hand, voxel by voxel, in world coordinates."""
    fine = Grid((14, 18, 16), AFFINE @ grids.affine((0.5, 0.5, 0.5), (-0.25, -0.25, -0.25)))
    path = save(tmp_path / "fine.nii.gz", np.ones(fine.shape, np.int16), fine.affine)
    prob = save(tmp_path / "prob.nii.gz", CHANCES)
    likely, nerve = mask_image(path, prob).mask.array, mask_image(path, labels, 9).mask.array
    voxels = np.argwhere(np.ones(fine.shape))
    places = GRID.to_voxel(fine.to_mm(voxels))
    np.testing.assert_array_equal(nerve.ravel(), NINE[tuple(np.rint(places).astype(int).T)])
    padded = np.pad(CHANCES.astype(float), 1)  # which is 0 outside
    values = ndimage.map_coordinates(padded, places.T + 1, order=1)
    is_clear = np.abs(values - 0.5) > 1e-5
    np.testing.assert_array_equal(likely.ravel()[is_clear], values[is_clear] > 0.5)


def test_maps_that_lie_elsewhere_are_refused(tmp_path, scan):
    far = AFFINE + 300 * np.eye(4, k=3)
    prob = save(tmp_path / "prob.nii.gz", CHANCES, far)
    with pytest.raises(InputError, match=r"prob: does not overlap the image: x 293\.\.305 mm"):
        mask_image(scan, prob)
    labels = save(tmp_path / "labels.nii.gz", LABELS, far)
    with pytest.raises(InputError, match=r"label 9: has no voxel on the image: it lies at x 29"):
        mask_image(scan, labels, 9)


@pytest.mark.parametrize(
    ("code", "note"),
    [
        (0, "scan.nii.gz: orientation unknown: sform and qform codes are both 0, left may be"),
        (1, "the map is marked as standard space and scan.nii.gz is not: wrong unless both were"),
        (4, "scan.nii.gz"),
    ],
)
def test_an_image_that_does_not_say_where_it_lies_is_told(tmp_path, labels, code, note):
    affine = AFFINE if code == 4 else np.diag([1.9, 2, 2, 1])
    masked = mask_image(save(tmp_path / "scan.nii.gz", SCAN, affine, code), labels, 9)
    assert sum(line.startswith(note) for line in masked.notes) == (code != 4)


@pytest.mark.parametrize(
    ("code", "in_file"),
    [
        *((code, code) for code in ("u1", "i2", "u2", "i4", "i8", "f4", "f8")),
        # Types of memory that a file lacks.
        (">i2", "i2"),
        ("f2", "f4"),
        ("longdouble", "f8"),
    ],
)
def test_values_inside_are_those_of_the_image_bit_by_bit(tmp_path, labels, code, in_file):
    values = np.abs(SCAN).astype(code)
    in_memory = nib.spatialimages.SpatialImage(values, AFFINE)
    source = save(tmp_path / "typed.nii", values) if code == in_file else in_memory
    masked = mask_image(source, labels, 9)
    for is_compressed in (True, False):
        made, notes = written(masked, is_compressed)
        assert made.get_data_dtype() == in_file
        np.testing.assert_array_equal(np.asarray(made.dataobj), np.where(NINE, values, 0))
        np.testing.assert_array_equal(made.affine, AFFINE)
        assert len(notes) == (in_file not in code)
        assert all(" is written as " in note for note in notes)


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [(0.25, 0, np.int16), (2, -1024, np.int16), (0.3, 7.7, np.float64), (0.5, 500, np.float64)],
)
def test_scaling_is_kept_where_it_has_a_stored_0(tmp_path, labels, slope, intercept, dtype):
    stored = np.abs(SCAN).astype(np.uint8 if intercept == 500 else np.int16)
    path = set_scaling(save(tmp_path / "scaled.nii", stored), slope, intercept)
    made, notes = written(mask_image(path, labels, 9))
    assert made.get_data_dtype() == dtype
    np.testing.assert_array_equal(made.get_fdata(), np.where(NINE, nib.load(path).get_fdata(), 0))
    assert bool(notes) == (dtype == np.float64)


def test_nan_inside_stays_and_no_name_of_a_patient_is_written(tmp_path, labels):
    made = image(np.full(SHAPE, np.nan, np.float32))
    made.header["descrip"] = b"Mustermann^Erika"
    nib.save(made, tmp_path / "nan.nii")
    masked = mask_image(tmp_path / "nan.nii", labels, 9)
    assert b"Mustermann" not in masked.to_bytes(is_compressed=False)[0]
    np.testing.assert_array_equal(written(masked)[0].get_fdata(), np.where(NINE, np.nan, 0))


# Arrays, which take the space of the image in their folder.


def test_an_array_takes_the_space_of_the_image_beside_it(tmp_path, scan, labels):
    save(tmp_path / "elsewhere.nii.gz", SCAN, AFFINE + np.diag([1, 0, 0, 0]))
    np.save(tmp_path / "max_prob_map.npy", LABELS)
    masked = mask_image(scan, tmp_path / "max_prob_map.npy", "globe")
    assert_inside(masked, LABELS == 2)
    assert "max_prob_map.npy takes the space of max_prob_map.nii.gz beside it" in masked.notes
    for path in (tmp_path / "max_prob_map.npy", labels):
        assert masked.sources[str(path)] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_array_takes_the_only_space_of_its_shape(tmp_path):
    array = tmp_path / "prob.npy"
    np.save(array, CHANCES)
    # Which say nothing of where it lies.
    (tmp_path / "damaged.nii").write_bytes(b"junk")
    save(tmp_path / "a_lost.nii", SCAN, code=0)
    save(tmp_path / "other.nii.gz", np.zeros((3, 3, 3), np.int16))
    with pytest.raises(InputError, match=r"prob.npy: has no space of its own, and no NIfTI image"):
        read_region(array)
    moved = AFFINE + 2 * np.eye(4, k=3)
    save(tmp_path / "a.nii.gz", SCAN, moved)
    region = read_region(array)
    np.testing.assert_array_equal(region.grid.affine, moved)
    assert "placed like a.nii.gz" in region.notes
    save(tmp_path / "b.nii.gz", SCAN)
    with pytest.raises(InputError, match=r"a.nii.gz and b.nii.gz beside it lie in different"):
        read_region(array)
    (tmp_path / "prob.nii").write_bytes(b"junk")  # which is meant, by its name
    with pytest.raises(InputError, match=r"prob\.nii: header incomplete"):
        read_region(array)


def test_the_order_of_an_arrays_axes_is_asked_for_where_the_image_beside_it_does_not_tell(tmp_path):
    labels = np.random.default_rng(1).integers(0, 3, (7, 8, 7)).astype(np.uint8)
    save(tmp_path / "regions.nii.gz", labels)
    np.save(tmp_path / "regions.npy", labels.T)
    with pytest.raises(InputError, match=r"fits 7 x 8 x 7 voxels in 2 orders of axes .*--axes zyx"):
        read_region(tmp_path / "regions.npy", 2)
    region = read_region(tmp_path / "regions.npy", 2, axes="zyx")
    np.testing.assert_array_equal(region.indices, np.flatnonzero(labels.ravel("F") == 2))


def test_arrays_that_are_several_or_a_picture_are_refused(tmp_path):
    np.savez(tmp_path / "two.npz", lens=CHANCES, globe=CHANCES)
    with pytest.raises(InputError, match="name one with `lesion-dash convert --array`: lens"):
        read_region(tmp_path / "two.npz")
    save(tmp_path / "rgb.nii.gz", SCAN)
    np.save(tmp_path / "rgb.npy", PICTURE)
    with pytest.raises(InputError, match=r"rgb.npy: colour picture \(RGB\)"):
        read_region(tmp_path / "rgb.npy")
