"""Masks of one region: which map it is, which region is meant, and where it lies on the image."""

from __future__ import annotations

import gzip
import hashlib

import nibabel as nib
import numpy as np
import pytest
from atlases import turned
from phantoms import AFFINE, SHAPE, image

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


def assert_inside(masked, expected):
    np.testing.assert_array_equal(masked.mask.array, expected)


@pytest.mark.parametrize("threshold", [None, 0.3, 0.5, 1.0])
def test_a_map_of_probabilities_is_cut_at_the_threshold_and_above(tmp_path, scan, threshold):
    chances = np.where(CHANCES > 0.95, 1, CHANCES)
    share = 0.5 if threshold is None else threshold
    for factor in (1, 100):  # percent are told from shares
        prob = saved(tmp_path / "prob.nii.gz", factor * chances)
        masked = mask_image(scan, prob, threshold=threshold)
        assert_inside(masked, chances >= np.float32(share))
        assert f"voxels of at least {share:g} taken as the mask" in masked.notes
        assert masked.threshold == share


def test_a_region_is_chosen_by_name_or_number(scan, labels, maps):
    for label in ("Globe", "globe", "2", 2):
        masked = mask_image(scan, labels, label)
        assert_inside(masked, LABELS == 2)
        assert (masked.mask.name, masked.threshold) == ("globe", None)
    with pytest.raises(InputError, match=r"1 \(lens\), 2 \(globe\), 9 \(optic nerve\)"):
        mask_image(scan, labels)
    volumes = nib.load(maps).get_fdata(dtype=np.float32)
    for label, place in (("lens", 0), ("1", 0), ("Optic Nerve", 2), (3, 2)):
        masked = mask_image(scan, maps, label)
        assert_inside(masked, volumes[..., place] >= 0.5)


@pytest.mark.parametrize(
    ("array", "options", "expected"),
    [
        (WHOLE, {"percent": True}, WHOLE >= 50),
        # No voxel has more than 1 %.
        (CHANCES, {"percent": True, "threshold": 0.004}, np.float32(0.4) <= CHANCES),
        (NINE.astype(np.uint8), {}, NINE),
        (LABELS + np.float32(1e-6) * (LABELS > 0), {"label": 9}, NINE),
    ],
    ids=["percent", "little percent", "mask", "labels that miss whole numbers by a rounding"],
)
def test_maps_that_are_told_apart(tmp_path, scan, array, options, expected):
    path = saved(tmp_path / "map.nii.gz", array)
    assert_inside(mask_image(scan, path, **options), expected)


OF_LABELS = r"map.nii.gz: is a map of labels: whole numbers up to 9, which a threshold would join"
PICTURE = GENERATOR.integers(0, 255, (*SHAPE, 3)).astype(np.uint8)
COLOURS = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    ("array", "options", "match"),
    [
        (LABELS, {}, rf"{OF_LABELS}; choose one with --label: 1, 2, 9; or say --percent"),
        (
            LABELS,
            {"label": 2, "threshold": 0.5},
            r"label 2: is a map of labels: .*omit --thr",
        ),
        (LABELS + np.float32(1e-6) * (LABELS > 0), {"threshold": 0.05}, OF_LABELS),
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
    assert_inside(mask_image(scan, source, label), many == label)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_probabilities_and_masks_through_a_slope_are_no_labels(tmp_path, scan, dtype):
    for scale in (1, 100):
        path = rescaled(tmp_path / "prob.nii.gz", scale * CHANCES, dtype)
        expected = nib.load(path).get_fdata() >= scale * (0.5 - 1e-6)
        assert_inside(mask_image(scan, path), expected)
    path = rescaled(tmp_path / "mask.nii.gz", NINE, dtype)
    assert_inside(mask_image(scan, path), NINE)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, r"maps: holds 3 regions, .* --label: 1 \(lens\), 2 \(globe\), 3 \(optic nerve\)"),
        ({"label": "glob"}, r"maps: has no region 'glob'; did you mean 2 \(globe\)\?"),
        ({"label": "nerve"}, r"maps: has no region 'nerve'; did you mean 3 \(optic nerve\)\?"),
        ({"label": "17"}, r"maps: has no region '17'; choose one of 1 \(lens\)"),
        ({"label": 1, "percent": True}, "maps: holds a region a volume: .*; omit --percent"),
    ],
)
def test_a_region_that_is_not_there_is_told(scan, maps, options, match):
    with pytest.raises(InputError, match=match):
        mask_image(scan, maps, **options)


def test_a_name_that_two_regions_have_asks_for_the_number(scan, labels):
    labels.with_name("max_prob_map.csv").write_text("index,name\n1,rectus\n2,Rectus\n9,lens\n")
    with pytest.raises(InputError, match=r"2 regions are called 'rectus'; choose .* number: 1, 2"):
        mask_image(scan, labels, "rectus")


def test_a_mirrored_and_permuted_map_or_image_gives_the_same_mask(tmp_path, scan):
    (chances, labels, moved), grid = turned([CHANCES, LABELS, SCAN], GRID)
    prob = saved(tmp_path / "turned.nii.gz", chances, grid.affine)
    masked = mask_image(scan, prob)
    assert_inside(masked, CHANCES >= 0.5)
    assert any("reoriented" in note for note in masked.notes)
    path = saved(tmp_path / "labels.nii.gz", labels, grid.affine)
    assert_inside(mask_image(scan, path, 9), NINE)
    turned_scan = saved(tmp_path / "moved.nii.gz", moved, grid.affine)
    straight = saved(tmp_path / "prob.nii.gz", CHANCES)
    expected, _ = turned([CHANCES >= 0.5], GRID)
    assert_inside(mask_image(turned_scan, straight), expected[0])


def test_probabilities_are_interpolated_and_labels_are_not(tmp_path, labels):
    """On voxels half as large: by hand, voxel by voxel, in world coordinates."""
    affine = AFFINE @ [[0.5, 0, 0, -0.25], [0, 0.5, 0, -0.25], [0, 0, 0.5, -0.25], [0, 0, 0, 1]]
    fine = Grid((14, 18, 16), affine)
    path = saved(tmp_path / "fine.nii.gz", np.ones(fine.shape, np.int16), affine)
    prob = saved(tmp_path / "prob.nii.gz", CHANCES)
    likely, nerve = mask_image(path, prob).mask.array, mask_image(path, labels, 9).mask.array
    padded = np.pad(CHANCES.astype(float), 1)
    for voxel in np.ndindex(fine.shape):
        place = GRID.to_voxel(fine.to_mm(voxel))
        assert nerve[voxel] == NINE[tuple(np.rint(place).astype(int))]
        low = np.floor(place).astype(int)
        box = padded[tuple(slice(start + 1, start + 3) for start in low)]
        x, y, z = (np.array([1 - share, share]) for share in place - low)
        value = np.einsum("ijk,i,j,k", box, x, y, z)
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
        (0, "scan.nii.gz: orientation unknown: sform and qform codes are both 0, left may be"),
        (1, "the map is marked as standard space and scan.nii.gz is not: wrong unless both were"),
        (4, "scan.nii.gz"),
    ],
)
def test_an_image_that_does_not_say_where_it_lies_is_told(tmp_path, labels, code, note):
    affine = AFFINE if code == 4 else np.diag([1.9, 2, 2, 1])
    nib.save(image(SCAN, affine, code), tmp_path / "scan.nii.gz")
    masked = mask_image(tmp_path / "scan.nii.gz", labels, 9)
    assert sum(line.startswith(note) for line in masked.notes) == (code != 4)


def test_a_series_is_no_image_to_mask(tmp_path, maps, labels):
    with pytest.raises(InputError, match=r"maps.nii.gz: several volumes: 3 in one file"):
        mask_image(maps, labels, 9)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32, np.float64]
)
def test_values_inside_are_those_of_the_image_bit_by_bit(tmp_path, labels, dtype):
    values = np.abs(SCAN).astype(dtype)
    nib.save(nib.Nifti1Image(values, AFFINE, dtype=values.dtype), tmp_path / "typed.nii")
    masked = mask_image(tmp_path / "typed.nii", labels, 9)
    for is_compressed in (True, False):
        content, notes = masked.to_bytes(is_compressed)
        written = nib.Nifti1Image.from_bytes(gzip.decompress(content) if is_compressed else content)
        assert written.get_data_dtype() == dtype
        np.testing.assert_array_equal(np.asarray(written.dataobj), np.where(NINE, values, 0))
        np.testing.assert_array_equal(written.affine, AFFINE)
        assert notes == ()


@pytest.mark.parametrize(("code", "written"), [(">i2", "i2"), ("f2", "f4"), ("longdouble", "f8")])
def test_types_of_memory_that_a_file_lacks(labels, code, written):
    scan = nib.spatialimages.SpatialImage(SCAN.astype(code), AFFINE)
    content, notes = mask_image(scan, labels, 9).to_bytes(is_compressed=False)
    written_image = nib.Nifti1Image.from_bytes(content)
    assert written_image.get_data_dtype() == written
    np.testing.assert_array_equal(np.asarray(written_image.dataobj), np.where(NINE, SCAN, 0))
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
    stored = np.abs(SCAN).astype(np.uint8 if intercept == 500 else np.int16)
    content = bytearray(nib.Nifti1Image(stored, AFFINE).to_bytes())
    content[112:120] = np.array([slope, intercept], np.float32).tobytes()
    (tmp_path / "scaled.nii").write_bytes(content)
    expected = nib.load(tmp_path / "scaled.nii").get_fdata()
    masked = mask_image(tmp_path / "scaled.nii", labels, 9)
    content, notes = masked.to_bytes(is_compressed=True)
    written = nib.Nifti1Image.from_bytes(gzip.decompress(content))
    assert written.get_data_dtype() == dtype
    np.testing.assert_array_equal(written.get_fdata(), np.where(NINE, expected, 0))
    assert bool(notes) == (dtype == np.float64)


def test_nan_inside_stays_and_no_name_of_a_patient_is_written(tmp_path, labels):
    made = image(np.full(SHAPE, np.nan, np.float32))
    made.header["descrip"] = b"Mustermann^Erika"
    nib.save(made, tmp_path / "nan.nii")
    content, _ = mask_image(tmp_path / "nan.nii", labels, 9).to_bytes(is_compressed=False)
    assert b"Mustermann" not in content
    written = nib.Nifti1Image.from_bytes(content).get_fdata()
    np.testing.assert_array_equal(np.isnan(written), NINE)
    assert not np.nansum(written)


# Arrays, which take the space of the image in their folder.


def test_an_array_takes_the_space_of_the_image_beside_it(tmp_path, scan, labels):
    saved(tmp_path / "elsewhere.nii.gz", SCAN, AFFINE + np.diag([1, 0, 0, 0]))
    np.save(tmp_path / "max_prob_map.npy", LABELS)
    masked = mask_image(scan, tmp_path / "max_prob_map.npy", "globe")
    assert_inside(masked, LABELS == 2)
    note = "max_prob_map.npy takes the space of max_prob_map.nii.gz beside it"
    assert note in masked.notes
    for name in ("max_prob_map.npy", "max_prob_map.nii.gz"):
        content = (tmp_path / name).read_bytes()
        assert masked.sources[str(tmp_path / name)] == hashlib.sha256(content).hexdigest()


def test_an_array_takes_the_only_space_of_its_shape(tmp_path):
    np.save(tmp_path / "prob.npy", CHANCES)
    with pytest.raises(InputError, match=r"prob.npy: has no space of its own, and no NIfTI image"):
        read_region(tmp_path / "prob.npy")
    moved = AFFINE + 2 * np.eye(4, k=3)
    saved(tmp_path / "a.nii.gz", SCAN, moved)
    saved(tmp_path / "other.nii.gz", np.zeros((3, 3, 3), np.int16))
    region = read_region(tmp_path / "prob.npy")
    np.testing.assert_array_equal(region.grid.affine, moved)
    assert region.name == "prob"
    saved(tmp_path / "b.nii.gz", SCAN)
    with pytest.raises(InputError, match=r"a.nii.gz and b.nii.gz beside it lie in different"):
        read_region(tmp_path / "prob.npy")


def test_what_cannot_be_read_beside_an_array_says_nothing_of_it(tmp_path):
    (tmp_path / "damaged.nii").write_bytes(b"junk")
    nib.save(image(SCAN, code=0), tmp_path / "a_lost.nii")
    saved(tmp_path / "template.nii.gz", SCAN)
    np.save(tmp_path / "prob.npy", CHANCES)
    assert "placed like template.nii.gz" in read_region(tmp_path / "prob.npy").notes
    (tmp_path / "prob.nii").write_bytes(b"junk")  # which is meant, by its name
    with pytest.raises(InputError, match=r"prob\.nii: header incomplete"):
        read_region(tmp_path / "prob.npy")


def test_arrays_that_are_several_or_a_picture_are_refused(tmp_path):
    np.savez(tmp_path / "two.npz", lens=CHANCES, globe=CHANCES)
    with pytest.raises(InputError, match="name one with `lesion-dash convert --array`: lens"):
        read_region(tmp_path / "two.npz")
    saved(tmp_path / "rgb.nii.gz", SCAN)
    np.save(tmp_path / "rgb.npy", PICTURE)
    with pytest.raises(InputError, match=r"rgb.npy: colour picture \(RGB\)"):
        read_region(tmp_path / "rgb.npy")
