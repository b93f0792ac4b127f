"""Masks: what is read equals nibabel, what is damaged or no mask is refused for what it is."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
from phantoms import AFFINE, SHAPE, image, random_masks, save, set_scaling

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import read_map
from lesion_dash.images.masks import Mask, read_mask

LESION = random_masks(1, seed=3)[0]
WHOLE = LESION.astype(np.uint8)
BYTES = image(WHOLE).to_bytes()


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "<i2", ">i2", "<i4", "<u4", "<i8", "<f4", ">f4", "<f8"]
)
def test_a_mask_of_any_type_equals_what_nibabel_reads(tmp_path, dtype, ending):
    header = nib.Nifti1Header(endianness=">" if dtype[0] == ">" else "<")
    header.set_data_dtype(np.dtype(dtype))
    path = tmp_path / f"a{ending}"
    nib.save(nib.Nifti1Image(LESION.astype(dtype), AFFINE, header=header), path)
    np.testing.assert_array_equal(read_mask(path).array, np.asarray(nib.load(path).dataobj) > 0)


def test_other_forms_of_a_mask_are_read(tmp_path):
    nib.save(nib.Nifti2Image(WHOLE[..., None, None], AFFINE), tmp_path / "a.nii")
    sources = [
        tmp_path / "a.nii",
        set_scaling(save(tmp_path / "scaled.nii", WHOLE * 255), 1 / 255),
        set_scaling(save(tmp_path / "shifted.nii", WHOLE * 2 + 1), 0.5, -0.5),
        save(tmp_path / "nearly.nii", np.where(LESION, np.float32(0.99999), np.float32(0))),
        image(LESION.astype(np.float32)),
    ]
    for source in sources:
        np.testing.assert_array_equal(read_mask(source).array, LESION)


def test_gzip_members_put_end_to_end_are_one_image(tmp_path):
    parts = (BYTES[:400], BYTES[400:500], BYTES[500:])
    (tmp_path / "a.nii.gz").write_bytes(b"".join(map(gzip.compress, parts)))
    mask = read_mask(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(mask.array, LESION)
    assert mask.notes == ("lesion touches the image border",)


def test_nan_and_what_follows_the_image_are_ignored_and_said(tmp_path):
    path = save(tmp_path / "a.nii.gz", np.where(LESION, 1, np.nan).astype(np.float32))
    content = path.read_bytes()
    for tail in (b"GARBAGE" * 9, content):
        path.write_bytes(content + tail)
        mask = read_mask(path)
        assert mask.voxels == LESION.sum()
        for note in ("NaN treated as background", "extra bytes"):
            assert any(note in line for line in mask.notes)


def test_forms_that_disagree_are_said_and_the_sform_is_used(tmp_path):
    made = image(WHOLE)
    made.set_qform(AFFINE + 10 * np.eye(4, k=3), 4)
    nib.save(made, tmp_path / "a.nii")
    mask = read_mask(tmp_path / "a.nii")
    np.testing.assert_array_equal(mask.grid.affine, AFFINE)
    assert any("disagree by 10 mm" in note for note in mask.notes)


REFUSED = {
    "labels": (WHOLE * 2 + 1, "more than one label"),
    "chances": (np.linspace(0, 1, LESION.size, dtype="f4").reshape(SHAPE), "not a binary mask"),
    "negative": (-LESION.astype(np.int16), "negative values"),
    "infinite": (np.where(LESION, np.inf, 0).astype("f4"), "infinite value"),
    "only NaN": (np.full(SHAPE, np.nan, "f4"), "no finite value"),
    "two volumes": (np.stack([WHOLE, WHOLE], -1), "several volumes"),
    "slice": (WHOLE[:, :, 0], "not a volume"),
    "complex": (LESION.astype(np.complex64), "complex values"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_mask_is_refused_for_what_it_is(tmp_path, case):
    array, match = REFUSED[case]
    with pytest.raises(InputError, match=rf"sub-9\.nii\.gz.*{match}"):
        read_mask(save(tmp_path / "sub-9.nii.gz", array))


def test_headers_that_make_no_mask_of_it_are_refused(tmp_path):
    with pytest.raises(InputError, match="negative values"):
        read_mask(set_scaling(save(tmp_path / "a.nii", WHOLE), -1.0))
    with pytest.raises(InputError, match="affine cannot be inverted"):
        read_mask(nib.Spm99AnalyzeImage(WHOLE, np.diag([0.0, 1, 1, 1])))


@pytest.mark.parametrize("ending", ["npy", "npz", "pkl", "PICKLE"])
@pytest.mark.parametrize("length", [10, 1000])
def test_a_file_of_an_array_leads_to_convert(tmp_path, ending, length):
    path = tmp_path / f"scan.{ending}"
    path.write_bytes(bytes(length))
    for read in (read_mask, read_map):
        with pytest.raises(InputError, match=r"is an array, not an image; .*dash convert`"):
            read(path)


def with_header(field: str, value) -> bytes:
    header = nib.Nifti1Header(BYTES[:348], check=False)
    header[field] = value
    return gzip.compress(header.binaryblock + BYTES[348:])


GZIPPED = gzip.compress(BYTES)
DAMAGE = {
    "empty": (b"", "file is empty"),
    "text": (b"hello " * 200, "not a gzip file"),
    "plain": (BYTES, "rename it to .nii"),
    "cut": (GZIPPED[:-60], "truncated|damaged"),
    "no trailer": (GZIPPED[:-8], "truncated"),
    "checksum": (GZIPPED[:-8] + b"\0\0\0\0" + GZIPPED[-4:], "checksum does not match"),
    "length": (GZIPPED[:-4] + b"\1\0\0\0", "length does not match"),
    "not an image": (gzip.compress(b"hello" * 300), "not a NIfTI file"),
    "header alone": (gzip.compress(BYTES[:352]), "voxel data missing"),
    "claims too much": (with_header("dim", [3, 2000, 2000, 200, 1, 1, 1, 1]), "truncated"),
    "dimensions": (with_header("dim", [0, 1, 1, 1, 1, 1, 1, 1]), "impossible dimensions"),
    "type": (with_header("datatype", 999), "unsupported voxel type"),
    "offset": (with_header("vox_offset", 16), "voxel data offset"),
    "affine": (with_header("srow_x", [np.nan, 0, 0, 0]), "affine is not a number"),
    "flat": (with_header("srow_x", [0, 0, 0, 0]), "affine cannot be inverted"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named(tmp_path, case):
    content, match = DAMAGE[case]
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(InputError, match=match):
        read_mask(tmp_path / "a.nii.gz")


def test_a_mask_goes_to_a_file_and_back(tmp_path):
    grid = Grid(SHAPE, AFFINE, 2)
    mask = Mask.from_array(LESION, grid, "sub-\udcff 1")
    nib.save(mask.to_nifti(), tmp_path / "a.nii")
    again = read_mask(tmp_path / "a.nii")
    np.testing.assert_array_equal(again.indices, mask.indices)
    assert again.grid.matches(grid)
    assert again.volume_mm3 == LESION.sum() * 8
    header = again.to_nifti().header
    assert header["sform_code"] == 2
    assert b"sub" not in header["descrip"].tobytes() + mask.to_nifti().header["descrip"].tobytes()


def test_a_long_axis_is_written_as_nifti_2():
    long = Mask.from_array(np.ones((40000, 2, 2)), Grid((40000, 2, 2), AFFINE), "long")
    assert isinstance(long.to_nifti(), nib.Nifti2Image)
