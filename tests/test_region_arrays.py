"""Maps of regions in files of arrays, which take the space of the image that lies beside them."""

from __future__ import annotations

import hashlib

import nibabel as nib
import numpy as np
import pytest
from phantoms import AFFINE, SHAPE, image

from lesion_dash.core.errors import InputError
from lesion_dash.scans.region_masks import mask_image, read_region

GENERATOR = np.random.default_rng(0)
CHANCES = np.round(GENERATOR.random(SHAPE), 3).astype(np.float32)
LABELS = GENERATOR.choice([0, 1, 2, 9], SHAPE).astype(np.uint8)
SCAN = GENERATOR.integers(-500, 500, SHAPE).astype(np.int16)


@pytest.fixture
def scan(tmp_path):
    return saved(tmp_path / "scan.nii.gz", SCAN)


@pytest.fixture
def labels(tmp_path):
    (tmp_path / "max_prob_map.csv").write_text("index,name\n1,lens\n2,globe\n9,optic nerve\n")
    return saved(tmp_path / "max_prob_map.nii.gz", LABELS)


def saved(path, array, affine=AFFINE):
    nib.save(image(np.asarray(array), affine), path)
    return path


def test_an_array_takes_the_space_of_the_image_beside_it(tmp_path, scan, labels):
    saved(tmp_path / "elsewhere.nii.gz", SCAN, AFFINE + np.diag([1, 0, 0, 0]))
    np.save(tmp_path / "max_prob_map.npy", LABELS)
    found = mask_image(scan, tmp_path / "max_prob_map.npy", "globe")
    np.testing.assert_array_equal(found.mask.array, LABELS == 2)
    note = "max_prob_map.npy takes the space of max_prob_map.nii.gz beside it"
    assert note in found.notes
    for name in ("max_prob_map.npy", "max_prob_map.nii.gz"):
        content = (tmp_path / name).read_bytes()
        assert found.sources[str(tmp_path / name)] == hashlib.sha256(content).hexdigest()


def test_an_array_takes_the_only_space_of_its_shape(tmp_path):
    folder = tmp_path / "atlas"
    folder.mkdir()
    moved = AFFINE @ [[1, 0, 0, 2], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    saved(folder / "template.nii.gz", SCAN, moved)
    saved(folder / "other.nii.gz", np.zeros((3, 3, 3), np.int16), moved)
    np.save(folder / "prob.npy", CHANCES)
    region = read_region(folder / "prob.npy")
    np.testing.assert_array_equal(region.grid.affine, moved)
    assert region.name == "prob"


def test_an_array_without_a_clear_space_is_refused(tmp_path):
    folder = tmp_path / "atlas"
    folder.mkdir()
    np.save(folder / "prob.npy", CHANCES)
    with pytest.raises(InputError, match=r"prob.npy: has no space of its own, and no NIfTI image"):
        read_region(folder / "prob.npy")
    saved(folder / "a.nii.gz", SCAN)
    saved(folder / "b.nii.gz", SCAN, AFFINE + np.diag([1, 0, 0, 0]))
    with pytest.raises(InputError, match=r"a.nii.gz and b.nii.gz beside it lie in different"):
        read_region(folder / "prob.npy")


def test_what_cannot_be_read_beside_an_array_says_nothing_of_it(tmp_path):
    (tmp_path / "damaged.nii").write_bytes(b"junk")
    nib.save(image(SCAN, code=0), tmp_path / "a_lost.nii")
    saved(tmp_path / "template.nii.gz", SCAN)
    np.save(tmp_path / "prob.npy", CHANCES)
    assert "placed like template.nii.gz" in read_region(tmp_path / "prob.npy").notes
    (tmp_path / "prob.nii").write_bytes(b"junk")  # which is meant, by its name
    with pytest.raises(InputError, match=r"prob\.nii: header incomplete"):
        read_region(tmp_path / "prob.npy")


def test_several_arrays_are_chosen_by_convert(tmp_path):
    np.savez(tmp_path / "two.npz", lens=CHANCES, globe=CHANCES)
    with pytest.raises(InputError, match="name one with `lesion-dash convert --array`: lens"):
        read_region(tmp_path / "two.npz")


def test_an_array_that_is_a_picture_is_refused(tmp_path):
    saved(tmp_path / "rgb.nii.gz", SCAN)
    np.save(tmp_path / "rgb.npy", GENERATOR.integers(0, 255, (*SHAPE, 3)).astype(np.uint8))
    with pytest.raises(InputError, match=r"rgb.npy: colour picture \(RGB\)"):
        read_region(tmp_path / "rgb.npy")
