"""The inspector: words for every orientation, places both ways, values, and what is damaged."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import struct
import tracemalloc
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine, obliquity
from nibabel.eulerangles import euler2mat
from phantoms import AFFINE, SHAPE, image

from lesion_dash.analyses.validation import check_path
from lesion_dash.core.errors import InputError
from lesion_dash.images import survey
from lesion_dash.plotting.figures import draw_values
from lesion_dash.scans.inspection import inspect_image
from lesion_dash.scans.inspection_text import describe

EDGES = np.array([1.5, 2.0, 4.0])
WAYS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]
# What each word says: the world axis that changes, and whether it grows.
MEANING = {
    "to the right": (0, 1),
    "to the left": (0, -1),
    "to the front": (1, 1),
    "to the back": (1, -1),
    "upwards": (2, 1),
    "downwards": (2, -1),
}


def turned(order, signs) -> np.ndarray:
    """An affine whose axes run along the world's, in any order and direction."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = sign * EDGES[axis]
    affine[:3, 3] = [10, -20, 30.5]
    return affine


def oblique(seed: int) -> np.ndarray:
    """A turned affine, mirrored for odd seeds."""
    generator = np.random.default_rng(seed)
    affine = np.eye(4)
    turn = euler2mat(*generator.uniform(-0.6, 0.6, 3))
    affine[:3, :3] = turn @ np.diag(EDGES * [1, 1, -1 if seed % 2 else 1])
    affine[:3, 3] = generator.uniform(-100, 100, 3)
    return affine


def save(folder, array, affine=AFFINE, name="image.nii.gz", change=None):
    made = image(np.asarray(array), affine)
    if change is not None:
        change(made.header)
    path = folder / name
    nib.save(made, path)
    return path


def scale(path, slope, intercept, order="<"):
    """Let an uncompressed file say: value = stored * slope + intercept."""
    content = bytearray(path.read_bytes())
    content[112:120] = struct.pack(f"{order}ff", slope, intercept)
    path.write_bytes(content)


def values(shape=SHAPE, seed=0):
    return np.random.default_rng(seed).integers(-50, 300, shape).astype(np.int16)


@pytest.mark.parametrize(("order", "signs"), WAYS)
def test_words_are_right_for_every_order_and_direction(order, signs):
    affine = turned(order, signs)
    space = inspect_image(image(values(), affine)).space
    assert space.orientation == "".join(nib.aff2axcodes(affine))
    parts = re.sub(r"^i grows| \([A-Z]{3}\)$", "", space.axes_summary).split(", ")
    words = [part.strip().removeprefix("j ").removeprefix("k ") for part in parts]
    for axis, word in enumerate(words):
        world, sign = MEANING[word]
        step = apply_affine(affine, np.eye(3)[axis]) - apply_affine(affine, np.zeros(3))
        assert step[world] * sign == pytest.approx(EDGES[axis])
        assert np.count_nonzero(step) == 1
    assert space.axes[0].edge_mm == pytest.approx(EDGES[0])
    assert "voxels of 1.5 x 2 x 4 mm" in space.sentences
    assert space.is_mirrored == (np.linalg.det(affine[:3, :3]) < 0)
    assert not space.is_oblique
    assert not any("sheared" in sentence for sentence in space.sentences)


@pytest.mark.parametrize("seed", range(8))
def test_oblique_images(seed):
    affine = oblique(seed)
    found = inspect_image(image(values(), affine))
    used = image(values(), affine).header.get_sform()
    voxels = np.random.default_rng(seed).uniform(-3, 12, (20, 3))
    for voxel, mm in zip(voxels, apply_affine(used, voxels), strict=True):
        np.testing.assert_allclose(found.to_mm(*voxel), mm, rtol=0, atol=1e-10)
        np.testing.assert_allclose(found.to_voxel(*mm), voxel, rtol=0, atol=1e-10)
    assert found.space.orientation == "".join(nib.aff2axcodes(used))
    angle = np.degrees(obliquity(used)).max()
    assert found.space.oblique_degrees == pytest.approx(angle, abs=1e-5)
    assert f"oblique by {angle:.4g}°" in " ".join(found.space.sentences)
    assert "i grows mainly" in found.space.axes_summary
    assert found.space.is_mirrored == bool(seed % 2)
    assert all(abs(a - 90) < 1e-3 for a in found.space.between_degrees.values())


def test_letters_of_a_strongly_turned_image_are_three():
    """The largest entry of each column would name one direction twice."""
    affine = np.eye(4)
    affine[:3, :3] = [[0.8, 0.75, 0.1], [-0.5, 0.66, 0.2], [0.1, -0.1, 1.0]]
    space = inspect_image(image(values(), affine)).space
    assert np.argmax(np.abs(affine[:3, :3]), axis=0).tolist() == [0, 0, 2]
    assert space.orientation == "".join(nib.aff2axcodes(affine)) == "RAS"


def test_shear_is_told_with_its_angle():
    affine = np.diag([2.0, 2, 2, 1])
    affine[0, 1] = 2 * np.tan(np.radians(10))
    path = image(values())
    path.set_sform(affine, 2)
    path.set_qform(None, 0)
    space = inspect_image(path).space
    assert space.between_degrees["ij"] == pytest.approx(80, abs=1e-4)
    assert "sheared: i and j meet at 80°, not at a right angle" in space.sentences


@pytest.mark.parametrize("seed", range(3))
def test_formula_is_the_affine(seed):
    found = inspect_image(image(values(), oblique(seed)))
    for lines, names, compute in (
        (found.space.formula, "ijk", found.to_mm),
        (found.space.inverse_formula, "xyz", found.to_voxel),
    ):
        point = dict(zip(names, (3, 5, 2), strict=True))
        for line, expected in zip(lines, compute(3, 5, 2), strict=True):
            terms = line.partition("= ")[2].replace(" - ", " + -").split(" + ")
            pairs = [term.partition(" ")[::2] for term in terms]
            total = sum(float(factor) * point.get(name, 1) for factor, name in pairs)
            assert total == pytest.approx(expected, abs=2e-3), line


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
        scale(path, slope, -3, order)
    seen = nib.load(path).get_fdata()
    whole = inspect_image(path)
    assert whole.facts.byte_order.startswith("big" if order == ">" else "little")
    found = whole.survey
    known = seen[np.isfinite(seen)]
    assert (found.lowest, found.highest) == (known.min(), known.max())
    assert found.voxels == seen.size
    assert found.nans == np.isnan(seen).sum()
    assert found.infinities == np.isinf(seen).sum()
    assert found.zeros == (seen == 0).sum()
    assert found.zero_share == (seen == 0).mean()
    assert (found.distinct, found.has_more) == (np.unique(known).size, False)
    np.testing.assert_array_equal(found.counts, np.histogram(known, found.edges)[0])
    assert found.counts.sum() == known.size


def test_many_values_are_counted_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(survey, "MAX_DISTINCT", 50)
    found = inspect_image(image(np.arange(504, dtype=np.float32).reshape(SHAPE)))
    assert (found.survey.distinct, found.survey.has_more) == (50, True)


@pytest.mark.parametrize("value", [np.nan, 1, *(np.finfo(float).max * np.array([1, -1]))])
def test_images_of_one_value(value):
    found = inspect_image(image(np.full(SHAPE, value, np.float64)))
    assert found.survey.counts.sum() == found.survey.finite
    json.dumps(found.to_json(), allow_nan=False)


def test_a_histogram_without_a_finite_value_says_so():
    found = inspect_image(image(np.full(SHAPE, np.nan, np.float32)))
    (axes,) = draw_values(found.survey).axes
    assert axes.get_title(loc="left").endswith("are left out")


def test_a_series_is_read_volume_by_volume(tmp_path):
    array = values((*SHAPE, 5))

    def change(header):
        header.set_xyzt_units("mm", "msec")
        header["pixdim"][4] = 2500

    path = save(tmp_path, array, change=change)
    found = inspect_image(path)
    assert (found.volumes, found.repetition_time) == (5, 2.5)
    for volume in range(5):
        np.testing.assert_array_equal(found.stored_volume(volume), array[..., volume])
    assert found.value_at(3, 8, 1, 4) == array[3, 8, 1, 4]
    with pytest.raises(InputError, match="5 is no volume of the image; volumes count from 0 to 4"):
        found.stored_volume(5)


def test_values_are_scaled(tmp_path):
    path = save(tmp_path, values(), name="scaled.nii")
    scale(path, 0.5, 7)
    found = inspect_image(path)
    assert found.value_at(1, 2, 3) == nib.load(path).get_fdata()[1, 2, 3]
    assert "value = stored x 0.5 + 7" in str(describe(found))


@pytest.mark.parametrize("way", WAYS[::7])
def test_a_turned_copy_has_the_same_values_at_the_same_places(way):
    first = image(values())
    order, signs = way
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), np.column_stack([order, signs])
    )
    other = inspect_image(first.as_reoriented(turn))
    own = inspect_image(first)
    for voxel in ((0, 0, 0), (6, 8, 7), (3, 1, 5)):
        place = own.to_mm(*voxel)
        assert other.value_at(*other.nearest_voxel(*place)) == own.value_at(*voxel)
    assert sorted(other.survey.counts) == sorted(own.survey.counts)


def test_bytes_and_nibabel_give_what_the_file_gives(tmp_path):
    path = save(tmp_path, values())
    of_path = inspect_image(path).to_json()
    assert inspect_image((path.name, path.read_bytes())).to_json() == of_path
    assert inspect_image(nib.load(path)).to_json() == of_path
    in_memory = inspect_image(image(values())).to_json()
    for key in ("shape", "space", "values", "sform", "qform", "as_mask", "as_atlas", "notes"):
        assert in_memory[key] == of_path[key], key


def test_dropped_atlas_of_probabilities(tmp_path):
    maps = np.random.default_rng(1).integers(0, 101, (*SHAPE, 3)).astype(np.uint8)
    path = save(tmp_path, maps)
    for source in (path, (path.name, path.read_bytes())):
        verdict = inspect_image(source).as_atlas
        assert verdict.answer == "yes"
        assert "values up to 100 taken as percent" in verdict.sentences


@pytest.mark.parametrize(
    "array", [values() > 200, values() % 5 + 1, values(), np.zeros(SHAPE), values() / 7]
)
def test_sentences_are_the_doors(tmp_path, array):
    path = save(tmp_path, np.asarray(array, np.float32))
    found = inspect_image(path)
    as_mask = check_path(path).files[0]
    assert (found.as_mask.outcome, found.as_mask.sentences) == (as_mask.outcome, as_mask.reasons)
    (tmp_path / "image.txt").write_text("1 first\n2 second\n")
    as_atlas = check_path(path).files[0]
    verdict = inspect_image(path).as_atlas
    assert (verdict.outcome, verdict.sentences) == (as_atlas.outcome, as_atlas.reasons)


def test_forms_are_compared_at_the_farthest_corner(tmp_path):
    other = AFFINE.copy()
    other[:3, :3] = euler2mat(0.01, 0.02, 0) @ other[:3, :3]
    made = image(values())
    made.set_qform(other, 1)
    found = inspect_image(made)
    corners = list(product(*[(0, n - 1) for n in SHAPE]))
    apart = apply_affine(AFFINE, corners) - apply_affine(made.get_qform(), corners)
    assert found.forms_apart_mm == pytest.approx(np.linalg.norm(apart, axis=1).max(), abs=1e-5)
    assert (found.form_used, found.facts.sform.space) == ("sform", "MNI152")
    assert found.facts.qform.space == "scanner"


def test_forms_that_are_not_set():
    made = image(values())
    made.set_sform(None, 0)
    made.set_qform(None, 0)
    found = inspect_image(made)
    assert (found.form_used, found.facts.sform.affine) == ("none", None)
    assert np.isnan(found.forms_apart_mm)
    assert "left and right are not known" in str(describe(found))


def colours(folder):
    array = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(array, AFFINE), folder / "faulty.nii")


def complex_numbers(folder):
    nib.save(nib.Nifti1Image(np.ones(SHAPE, np.complex64), AFFINE), folder / "faulty.nii")


def truncated(folder):
    path = save(folder, values(), name="faulty.nii")
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("make", "kind", "fault"),
    [
        (colours, "RGB, 3 bytes", "colour image"),
        (complex_numbers, "complex64", "complex values"),
        (truncated, "int16", "file is truncated"),
    ],
)
def test_header_is_told_of_images_that_cannot_be_used(tmp_path, make, kind, fault):
    make(tmp_path)
    found = inspect_image(tmp_path / "faulty.nii")
    assert fault in found.fault
    assert (found.shape, found.facts.data_type) == (SHAPE, kind)
    assert found.space.orientation == "RAS"
    assert found.to_mm(0, 0, 0) == (-7, -9, -8)
    assert (found.survey, found.as_mask.answer, found.as_atlas.answer) == (None, "no", "no")
    with pytest.raises(InputError, match=fault):
        found.value_at(0, 0, 0)
    json.dumps(found.to_json(), allow_nan=False)


def test_a_damaged_end_is_found(tmp_path):
    path = save(tmp_path, values())
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)
    assert "checksum does not match" in inspect_image(path).fault


@pytest.mark.parametrize("shape", [(7,), (7, 9)])
def test_images_of_one_or_two_axes(tmp_path, shape):
    path = save(tmp_path, values(shape))
    found = inspect_image(path)
    assert (found.shape, found.space, found.fault) == (shape, None, "")
    assert found.survey.voxels == np.prod(shape)
    assert "three expected" in found.as_mask.sentences[0]
    with pytest.raises(InputError, match="not a volume"):
        found.to_mm(0, 0, 0)


def test_what_lies_outside_is_refused():
    found = inspect_image(image(values()))
    with pytest.raises(InputError, match="i from 0 to 6, j from 0 to 8, k from 0 to 7"):
        found.value_at(7, 0, 0)
    with pytest.raises(InputError, match="is no voxel"):
        found.value_at(0, -1, 0)
    with pytest.raises(InputError, match=r"lies outside the image; the image spans \(-7, -9, -8\)"):
        found.nearest_voxel(0, 0, 99)
    with pytest.raises(InputError, match="lies outside"):
        found.nearest_voxel(0, float("nan"), 0)


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


def test_checksum_and_sizes(tmp_path):
    path = save(tmp_path, values())
    found = inspect_image(path)
    raw = path.read_bytes()
    assert found.file_bytes == len(raw)
    assert found.inflated_bytes == len(gzip.decompress(raw))
    assert found.sha256 == hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize("name", ["long.nii", "long.nii.gz"])
def test_memory_does_not_grow_with_the_number_of_volumes(tmp_path, monkeypatch, name):
    monkeypatch.setattr("lesion_dash.images.reading._BLOCK", 2**15)
    array = np.random.default_rng(0).normal(size=(32, 32, 32, 100)).astype(np.float32)
    path = save(tmp_path, array, name=name)
    size = array.nbytes
    del array
    inspect_image(save(tmp_path, values()))  # what is imported on the way is not counted
    tracemalloc.start()
    found = inspect_image(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.volumes == 100
    assert peak < size / 3
