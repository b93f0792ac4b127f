"""The inspector: labels of every orientation, places both ways, values, and what is damaged."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from itertools import permutations, product

import grids
import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine, obliquity
from phantoms import AFFINE, SHAPE, image, save, set_scaling
from pickled import peak_of

from lesion_dash.analyses.validation import check_path
from lesion_dash.core.errors import InputError
from lesion_dash.plotting.figures import draw_values
from lesion_dash.scans.inspection import inspect_image
from lesion_dash.scans.inspection_text import describe

EDGES = np.array([1.5, 2.0, 4.0])
COLOURS = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
# What each word says: the world axis that changes, and whether it grows.
MEANING = {
    "to the right": (0, 1),
    "to the left": (0, -1),
    "to the front": (1, 1),
    "to the back": (1, -1),
    "upwards": (2, 1),
    "downwards": (2, -1),
}


def oblique(seed: int) -> np.ndarray:
    """An affine turned about all axes, mirrored for odd seeds."""
    generator = np.random.default_rng(seed)
    spacing = EDGES * [1, 1, -1 if seed % 2 else 1]
    return grids.affine(
        spacing, generator.uniform(-100, 100, 3), grids.rotation(*generator.uniform(-30, 30, 3))
    )


def values(shape=SHAPE, seed=0):
    return np.random.default_rng(seed).integers(-50, 300, shape).astype(np.int16)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_words_are_right_for_every_order_and_direction(order):
    for signs in product((1, -1), repeat=3):
        affine = np.eye(4)
        affine[:3, :3] = np.eye(3)[:, order] * signs * EDGES
        space = inspect_image(image(values(), affine)).space
        assert space.orientation == "".join(nib.aff2axcodes(affine))
        parts = re.sub(r"^i grows| \([A-Z]{3}\)$", "", space.axes_summary).split(", ")
        for axis, part in enumerate(parts):
            world, sign = MEANING[part.strip().removeprefix("j ").removeprefix("k ")]
            assert affine[world, axis] * sign == EDGES[axis]
        assert space.axes[0].edge_mm == pytest.approx(EDGES[0])
        assert "voxels of 1.5 x 2 x 4 mm" in space.sentences
        assert space.is_mirrored == (np.linalg.det(affine[:3, :3]) < 0)
        assert not space.is_oblique
        assert not any("sheared" in sentence for sentence in space.sentences)


@pytest.mark.parametrize("seed", range(8))
def test_oblique_images(seed):
    inspection = inspect_image(image(values(), oblique(seed)))
    space, used = inspection.space, image(values(), oblique(seed)).header.get_sform()
    voxels = np.random.default_rng(seed).uniform(0, 6, (20, 3))
    for voxel, mm in zip(voxels, apply_affine(used, voxels), strict=True):
        np.testing.assert_allclose(inspection.to_mm(*voxel), mm, rtol=0, atol=1e-10)
        np.testing.assert_allclose(inspection.to_voxel(*mm), voxel, rtol=0, atol=1e-10)
        np.testing.assert_array_equal(inspection.nearest_voxel(*mm), np.rint(voxel))
    assert space.orientation == "".join(nib.aff2axcodes(used))
    angle = np.degrees(obliquity(used)).max()
    assert space.oblique_degrees == pytest.approx(angle, abs=1e-5)
    assert f"oblique by {angle:.4g}°" in " ".join(space.sentences)
    assert "i grows mainly" in space.axes_summary
    assert space.is_mirrored == bool(seed % 2)
    assert all(abs(a - 90) < 1e-3 for a in space.between_degrees.values())
    for lines, names, compute in (
        (space.formula, "ijk", inspection.to_mm),
        (space.inverse_formula, "xyz", inspection.to_voxel),
    ):
        point = dict(zip(names, (3, 5, 2), strict=True))
        for line, expected in zip(lines, compute(3, 5, 2), strict=True):
            terms = line.partition("= ")[2].replace(" - ", " + -").split(" + ")
            pairs = [term.partition(" ")[::2] for term in terms]
            total = sum(float(factor) * point.get(name, 1) for factor, name in pairs)
            assert total == pytest.approx(expected, abs=2e-3), line


def test_sheared_images():
    # The largest entry of each column would name one direction twice.
    affine = np.eye(4)
    affine[:3, :3] = [[0.8, 0.75, 0.1], [-0.5, 0.66, 0.2], [0.1, -0.1, 1.0]]
    assert inspect_image(image(values(), affine)).space.orientation == "RAS"
    affine = np.diag([2.0, 2, 2, 1])
    affine[0, 1] = 2 * np.tan(np.radians(10))
    made = image(values(), affine)
    made.set_qform(None, 0)
    space = inspect_image(made).space
    assert space.between_degrees["ij"] == pytest.approx(80, abs=1e-4)
    assert "sheared: i and j meet at 80°, not at a right angle" in space.sentences


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", ">i2", "u2", "i4", "f4", ">f4", "f8", "i8"])
@pytest.mark.parametrize("slope", [None, 0.25])
def test_survey_is_numpys(tmp_path, monkeypatch, dtype, slope):
    monkeypatch.setattr("lesion_dash.images.reading._BLOCK", 11)
    array = np.random.default_rng(4).integers(0, 90, (5, 4, 3, 2)).astype(dtype)
    if array.dtype.kind == "f":
        array = array * np.array(0.3, dtype)
        array[0, 0, 0], array[1, 1, 1, 0], array[2, 0, 0, 1] = np.nan, np.inf, -np.inf
    path = tmp_path / "image.nii"
    order = ">" if dtype.startswith(">") else "<"
    header = nib.Nifti1Header(endianness=order)
    nib.save(nib.Nifti1Image(array, AFFINE, header, dtype=array.dtype), path)
    if slope:
        set_scaling(path, slope, -3, order)
    seen = nib.load(path).get_fdata()
    inspection = inspect_image(path)
    assert inspection.facts.byte_order.startswith("big" if order == ">" else "little")
    assert inspection.value_at(1, 2, 1, 1) == seen[1, 2, 1, 1]
    assert ("value = stored x 0.25 - 3" in str(describe(inspection))) == bool(slope)
    survey = inspection.survey
    known = seen[np.isfinite(seen)]
    assert (survey.lowest, survey.highest) == (known.min(), known.max())
    assert survey.voxels == seen.size
    assert survey.nans == np.isnan(seen).sum()
    assert survey.infinities == np.isinf(seen).sum()
    assert survey.zeros == (seen == 0).sum()
    assert survey.zero_share == (seen == 0).mean()
    assert (survey.distinct, survey.has_more) == (np.unique(known).size, False)
    np.testing.assert_array_equal(survey.counts, np.histogram(known, survey.edges)[0])
    assert survey.counts.sum() == known.size


def test_many_values_are_counted_up_to_a_bound():
    array = np.arange(25**3, dtype=np.float32).reshape(25, 25, 25)
    survey = inspect_image(image(array)).survey
    assert (survey.distinct, survey.has_more) == (10_000, True)


@pytest.mark.parametrize("value", [np.nan, 1, *(np.finfo(float).max * np.array([1, -1]))])
def test_images_of_one_value(value):
    inspection = inspect_image(image(np.full(SHAPE, value, np.float64)))
    assert inspection.survey.counts.sum() == inspection.survey.finite
    json.dumps(inspection.to_json(), allow_nan=False)
    if np.isnan(value):
        (axes,) = draw_values(inspection.survey).axes
        assert "504 values excluded" in axes.get_title(loc="left")


def test_a_series_is_read_volume_by_volume(tmp_path):
    array = values((*SHAPE, 5))
    made = image(array)
    made.header.set_xyzt_units("mm", "msec")
    made.header["pixdim"][4] = 2500
    nib.save(made, tmp_path / "series.nii.gz")
    inspection = inspect_image(tmp_path / "series.nii.gz")
    assert (inspection.volumes, inspection.repetition_time) == (5, 2.5)
    for volume in range(5):
        np.testing.assert_array_equal(inspection.stored_volume(volume), array[..., volume])
    with pytest.raises(InputError, match=r"5 is not a volume .*; volumes count from 0 to 4"):
        inspection.stored_volume(5)


def test_bytes_and_nibabel_give_what_the_file_gives(tmp_path):
    path = save(tmp_path / "image.nii.gz", values())
    of_path = inspect_image(path).to_json()
    assert inspect_image((path.name, path.read_bytes())).to_json() == of_path
    assert inspect_image(nib.load(path)).to_json() == of_path
    in_memory = inspect_image(image(values())).to_json()
    for key in ("shape", "space", "values", "sform", "qform", "as_mask", "as_atlas", "notes"):
        assert in_memory[key] == of_path[key], key


PERCENT = np.random.default_rng(1).integers(0, 101, (*SHAPE, 3))


@pytest.mark.parametrize(
    "array", [values() > 200, values() % 5 + 1, values(), np.zeros(SHAPE), values() / 7, PERCENT]
)
def test_sentences_are_those_of_validation(tmp_path, array):
    path = save(tmp_path / "image.nii.gz", np.asarray(array, np.float32))
    for role in ("as_mask", "as_atlas"):
        verdict, checked = getattr(inspect_image(path), role), check_path(path).files[0]
        assert (verdict.outcome, verdict.sentences) == (checked.outcome, checked.reasons)
        (tmp_path / "image.txt").write_text("1 first\n2 second\n")  # which makes it an atlas


def test_forms_are_compared_at_the_farthest_corner():
    made = image(values())
    made.set_qform(grids.rotation(1, 2) @ AFFINE, 1)
    inspection = inspect_image(made)
    corners = list(product(*[(0, n - 1) for n in SHAPE]))
    shifts = apply_affine(AFFINE, corners) - apply_affine(made.get_qform(), corners)
    farthest = np.linalg.norm(shifts, axis=1).max()
    assert inspection.forms_distance_mm == pytest.approx(farthest, abs=1e-5)
    assert (inspection.form_used, inspection.facts.sform.space) == ("sform", "MNI152")
    assert inspection.facts.qform.space == "scanner"
    made.set_sform(None, 0)
    made.set_qform(None, 0)
    inspection = inspect_image(made)
    assert (inspection.form_used, inspection.facts.sform.affine) == ("none", None)
    assert np.isnan(inspection.forms_distance_mm)
    assert "left and right are not known" in str(describe(inspection))


@pytest.mark.parametrize(
    ("array", "kind", "fault"),
    [
        (COLOURS, "RGB, 3 bytes", "colour image"),
        (np.ones(SHAPE, np.complex64), "complex64", "complex values"),
        (values(), "int16", "file is truncated"),
    ],
)
def test_header_is_told_of_images_that_cannot_be_used(tmp_path, array, kind, fault):
    path = tmp_path / "faulty.nii"
    nib.save(nib.Nifti1Image(array, AFFINE), path)
    if "truncated" in fault:
        path.write_bytes(path.read_bytes()[:-40])
    inspection = inspect_image(path)
    assert fault in inspection.fault
    assert (inspection.shape, inspection.facts.data_type) == (SHAPE, kind)
    assert inspection.space.orientation == "RAS"
    assert inspection.to_mm(0, 0, 0) == (-7, -9, -8)
    assert inspection.survey is None
    assert (inspection.as_mask.answer, inspection.as_atlas.answer) == ("no", "no")
    with pytest.raises(InputError, match=fault):
        inspection.value_at(0, 0, 0)
    json.dumps(inspection.to_json(), allow_nan=False)


def test_checksum_sizes_and_a_damaged_end(tmp_path):
    path = save(tmp_path / "image.nii.gz", values())
    inspection, content = inspect_image(path), bytearray(path.read_bytes())
    assert inspection.file_bytes == len(content)
    assert inspection.inflated_bytes == len(gzip.decompress(content))
    assert inspection.sha256 == hashlib.sha256(content).hexdigest()
    content[-6] ^= 1
    path.write_bytes(content)
    assert "checksum does not match" in inspect_image(path).fault


@pytest.mark.parametrize("shape", [(7,), (7, 9)])
def test_images_of_one_or_two_axes(shape):
    inspection = inspect_image(image(values(shape)))
    assert (inspection.shape, inspection.space, inspection.fault) == (shape, None, "")
    assert inspection.survey.voxels == np.prod(shape)
    assert "three expected" in inspection.as_mask.sentences[0]
    with pytest.raises(InputError, match="not a volume"):
        inspection.to_mm(0, 0, 0)


def test_what_lies_outside_is_refused():
    inspection = inspect_image(image(values()))
    with pytest.raises(InputError, match="i from 0 to 6, j from 0 to 8, k from 0 to 7"):
        inspection.value_at(7, 0, 0)
    with pytest.raises(InputError, match="is not a voxel"):
        inspection.value_at(0, -1, 0)
    with pytest.raises(InputError, match=r"lies outside the image; the image spans \(-7, -9, -8\)"):
        inspection.nearest_voxel(0, 0, 99)
    with pytest.raises(InputError, match="lies outside"):
        inspection.nearest_voxel(0, float("nan"), 0)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (("notes.nii", b"hello"), "header incomplete"),
        (("empty.nii", b""), "file is empty"),
        (("half.img", b"0" * 400), "two files"),
        (("text.nii.gz", b"0" * 400), "not a gzip file"),
        ("missing.nii", "file not found"),
    ],
)
def test_what_is_no_image_is_refused(source, fault):
    with pytest.raises(InputError, match=fault):
        inspect_image(source)


@pytest.mark.parametrize("name", ["long.nii", "long.nii.gz"])
def test_memory_does_not_grow_with_the_number_of_volumes(tmp_path, monkeypatch, name):
    monkeypatch.setattr("lesion_dash.images.reading._BLOCK", 2**15)
    array = np.tile(values((32, 32, 32, 1)).astype(np.float32), 60)  # of which gzip is fast
    path = save(tmp_path / name, array)
    inspect_image(image(values()))  # what is imported on the way is not counted
    assert peak_of(lambda: inspect_image(path)) < array.nbytes / 2
