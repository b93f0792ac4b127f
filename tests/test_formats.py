"""Images that are no .nii file: read as nibabel reads them, or named with the remedy."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel import cifti2
from phantoms import AFFINE, SHAPE, image, random_masks, save, write_masks

from lesion_dash import load_atlas, load_cohort, read_map, read_mask
from lesion_dash.analyses.validation import check_path
from lesion_dash.cli import main
from lesion_dash.core.errors import InputError
from lesion_dash.images.reading import as_image_file, read_raw_image
from lesion_dash.images.space import space_of
from lesion_dash.images.survey import read_facts
from lesion_dash.scans import inspect_image

OBLIQUE = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.2, -0.1, 0.3) @ np.diag([-2.0, 2.5, 3]), [9, -20, 4]
)
MASK = random_masks(1)[0].astype(np.uint8)
VALUES = np.random.default_rng(1).normal(size=SHAPE)


def mgh(array, affine=OBLIQUE) -> bytes:
    made = nib.MGHImage(array, affine)
    stream = made.make_file_map({"image": io.BytesIO()})
    made.to_file_map(stream)
    # What FreeSurfer writes behind the voxels.
    return stream["image"].fileobj.getvalue() + b"\0\0\0\x03mri_convert" + bytes(40)


def write_afni(path: Path, array, affine=OBLIQUE, space="MNI", scale=0.0, packed=False) -> Path:
    """A pair of AFNI, as its documentation of attributes describes it."""
    kinds = {"uint8": 0, "int16": 1, "float32": 3, "complex64": 5}
    volumes = array.shape[3] if array.ndim > 3 else 1
    dicom = np.diag([-1.0, -1, 1]) @ affine[:3]
    attributes = {
        "DATASET_RANK": [3, volumes, 0, 0],
        "DATASET_DIMENSIONS": [*array.shape[:3], 0, 0],
        "TYPESTRING": "3DIM_HEAD_ANAT",
        "TEMPLATE_SPACE": space,
        "BRICK_TYPES": [kinds[array.dtype.name]] * volumes,
        "BRICK_FLOAT_FACS": [float(factor) for factor in np.broadcast_to(scale, volumes)],
        "BYTEORDER_STRING": "MSB_FIRST" if array.dtype.byteorder == ">" else "LSB_FIRST",
        "DELTA": np.linalg.norm(affine[:3, :3], axis=0).tolist(),
        "IJK_TO_DICOM_REAL": dicom.ravel().tolist(),
    }
    parts = []
    for name, value in attributes.items():
        if isinstance(value, str):
            kind, text, count = "string", f"'{value}~", len(value) + 1
        else:
            kind = "integer" if isinstance(value[0], int) else "float"
            text, count = " ".join(map(repr, value)), len(value)
        parts.append(f"\ntype  = {kind}-attribute\nname  = {name}\ncount = {count}\n{text}\n")
    path.write_text("".join(parts))
    voxels = array.tobytes(order="F")
    brik = path.with_suffix(".BRIK.gz" if packed else ".BRIK")
    brik.write_bytes(gzip.compress(voxels) if packed else voxels)
    return path


def stored(path):
    raw = read_raw_image(Path(path))
    shape = raw.header.shape
    return raw.header.scaled(raw.values).reshape(shape, order="F")


CASES = {
    "MRIcron's .voi": ("a.voi", lambda: gzip.compress(image(MASK, OBLIQUE).to_bytes())),
    "a .voi that is not compressed": ("a.VOI", lambda: image(MASK, OBLIQUE).to_bytes()),
    ".mgz": ("a.mgz", lambda: gzip.compress(mgh(MASK))),
    ".mgh, float32": ("a.mgh", lambda: mgh(VALUES.astype(np.float32))),
    ".mgh.gz, int16": ("a.mgh.gz", lambda: gzip.compress(mgh((VALUES * 99).astype(np.int16)))),
    "NIfTI named .mgz": ("a.mgz", lambda: gzip.compress(image(MASK, OBLIQUE).to_bytes())),
    "four axes": ("a.mgz", lambda: gzip.compress(mgh(np.stack([MASK, 1 - MASK], 3)))),
}


@pytest.mark.parametrize("case", CASES)
def test_other_formats_are_read_as_nibabel_reads_them(tmp_path, case):
    name, make = CASES[case]
    content = make()
    (tmp_path / name).write_bytes(content)
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    kind = nib.MGHImage if plain[:4] == b"\0\0\0\1" else nib.Nifti1Image
    oracle = kind.from_bytes(plain)
    for file in (as_image_file(tmp_path / name), as_image_file((name, content))):
        header = file.header()
        np.testing.assert_allclose(header.grid.affine, oracle.affine, atol=1e-5)
        assert header.shape == oracle.shape
        values = np.concatenate(list(file.blocks(header, notes := [])))
        np.testing.assert_array_equal(values, np.ravel(oracle.dataobj, order="F"))
        assert notes == []
    np.testing.assert_array_equal(stored(tmp_path / name), oracle.get_fdata())
    assert not any("extra bytes" in note for note in read_raw_image(tmp_path / name).notes)


AFNI = {
    "bytes": {"array": MASK},
    "compressed": {"array": MASK, "packed": True},
    "big-endian": {"array": (VALUES * 99).astype(">i2"), "space": "TLRC"},
    "scaled": {"array": (VALUES * 99).astype("<i2"), "scale": 0.01, "space": "ORIG"},
    "four axes": {"array": np.stack([VALUES, -VALUES], 3).astype("<f4"), "packed": True},
}


@pytest.mark.parametrize("case", AFNI)
def test_a_pair_of_afni_is_read_as_nibabel_reads_it(tmp_path, case):
    path = write_afni(tmp_path / "sub-1+tlrc.HEAD", **AFNI[case])
    oracle = nib.load(path)
    for part in sorted(tmp_path.iterdir()):
        np.testing.assert_allclose(stored(part).squeeze(), oracle.get_fdata().squeeze(), rtol=1e-6)
        header = as_image_file(part).header()
        np.testing.assert_allclose(header.grid.affine, oracle.affine, atol=1e-5)
    space = AFNI[case].get("space", "MNI")
    assert header.grid.code == {"MNI": 4, "TLRC": 3, "ORIG": 1}[space]
    named = "MNI152" if space == "MNI" else f"AFNI's {space}"
    assert named in str(space_of(header.grid))
    assert header.notes == ()
    assert read_facts(as_image_file(part)).format == "AFNI, a pair of files"


def test_a_cohort_of_all_formats_is_one_of_nifti(tmp_path):
    masks = [mask.astype(np.uint8) for mask in random_masks(5)]
    write_masks(tmp_path / "nifti", masks)
    folder = tmp_path / "mixed"
    write_masks(folder, masks[:1])
    (folder / "b.mgz").write_bytes(gzip.compress(mgh(masks[1], AFFINE)))
    write_afni(folder / "c+tlrc.HEAD", masks[2], AFFINE)
    write_afni(folder / "d+tlrc.HEAD", masks[3], AFFINE, packed=True)
    (folder / "e.voi").write_bytes(gzip.compress(image(masks[4] * 255).to_bytes()))
    mixed = load_cohort(folder)
    np.testing.assert_array_equal(mixed.counts, load_cohort(tmp_path / "nifti").counts)
    assert [patient.id for patient in mixed.patients] == ["b", "c+tlrc", "d+tlrc", "e", "sub-000"]
    assert any("FreeSurfer's MGH names none" in note for note in mixed.all_notes)


HOSTILE = {
    "no voxels": ("a.mgh", lambda: mgh(MASK)[:284], "voxel data missing"),
    "cut": ("a.mgz", lambda: gzip.compress(mgh(MASK))[:120], "truncated"),
    "claims a terabyte": (
        "a.mgh",
        lambda: b"\0\0\0\1" + np.array([9999, 9999, 9999, 9], ">i4").tobytes() + mgh(MASK)[20:],
        "impossible size",
    ),
    "claims more than the file can hold": (
        "a.mgz",
        lambda: gzip.compress(
            b"\0\0\0\1" + np.array([999, 999, 999, 1], ">i4").tobytes() + mgh(MASK)[20:]
        ),
        "expected",
    ),
    "a length below 1": (
        "a.mgh",
        lambda: b"\0\0\0\1" + np.array([9, -9, 9, 1], ">i4").tobytes() + mgh(MASK)[20:],
        "impossible dimensions",
    ),
    "an unknown type": (
        "a.mgh",
        lambda: mgh(MASK)[:20] + b"\0\0\0\x63" + mgh(MASK)[24:],
        "damaged",
    ),
    "no header": ("a.voi", lambda: b"\x1f\x8b" + bytes(9), "gzip data is damaged"),
    "text": ("a.HEAD", lambda: b"type = string-attribute\nname = X\n", "damaged"),
    "a number that is none": (
        "a.HEAD",
        lambda: b"type = integer-attribute\nname = DATASET_RANK\ncount = 1\nx\n",
        "damaged",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_damaged_files_of_other_formats_are_refused_in_a_sentence(tmp_path, case):
    name, make, words = HOSTILE[case]
    (tmp_path / name).write_bytes(make())
    (tmp_path / "a.BRIK").write_bytes(b"x")
    with pytest.raises(InputError, match=words):
        read_mask(tmp_path / name)


def test_a_pair_of_afni_needs_both_files_and_one_scale(tmp_path):
    path = write_afni(tmp_path / "a+orig.HEAD", np.stack([MASK, MASK], 3), scale=[1.0, 2.0])
    with pytest.raises(InputError, match=r"scaled differently.*3dAFNItoNIFTI"):
        read_raw_image(path)
    path.with_suffix(".BRIK").unlink()
    with pytest.raises(InputError, match=re.escape("the .BRIK file is missing")):
        read_raw_image(path)


# What is not a volume of voxels is named, wherever an image is opened.


def cifti(*axes, intent=None) -> bytes:
    made = cifti2.Cifti2Image(np.ones([len(axis) for axis in axes], np.float32), header=axes)
    content = bytearray(made.to_bytes())
    if intent is not None:
        content[504:508] = np.int32(intent).tobytes()
    return bytes(content)


SURFACE = cifti2.BrainModelAxis.from_mask(np.ones(30, bool), name="CortexLeft")
LABELS = cifti2.LabelAxis(["parcels"], [{0: ("???", (0, 0, 0, 0)), 1: ("V1", (1, 0, 0, 1))}])
GIFTI = b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE GIFTI SYSTEM "x">\n<GIFTI>' + b" " * 999
NO_VOLUMES = {
    "labels of a surface": ("x.dlabel.nii", lambda: cifti(LABELS, SURFACE), "CIFTI", "volume"),
    "values of a surface": (
        "x.dscalar.nii",
        lambda: cifti(cifti2.ScalarAxis(["t"]), SURFACE),
        "CIFTI",
        "volume",
    ),
    "a series of a surface": (
        "x.dtseries.nii.gz",
        lambda: gzip.compress(cifti(cifti2.SeriesAxis(0, 2, 5), SURFACE)),
        "CIFTI",
        "volume",
    ),
    "a connectome without its intent": (
        "x.nii",
        lambda: cifti(SURFACE, SURFACE, intent=0),
        "CIFTI",
        "volume",
    ),
    "GIFTI": ("lh.label.gii", lambda: GIFTI, "GIFTI", "volume"),
    "GIFTI named .nii": ("x.nii", lambda: GIFTI, "GIFTI", "volume"),
    "DICOM": ("x.nii", lambda: bytes(128) + b"DICM" + bytes(500), "DICOM", "dcm2niix"),
    "compressed DICOM": (
        "x.nii.gz",
        lambda: gzip.compress(bytes(128) + b"DICM" + bytes(500)),
        "DICOM",
        "dcm2niix",
    ),
    "FreeSurfer's values on a surface": (
        "lh.thickness.mgz",
        lambda: gzip.compress(mgh(np.ones((300, 1, 1), np.float32))),
        "surface",
        "volume",
    ),
    "NRRD": ("x.seg.nrrd", lambda: b"NRRD0004\ntype: uchar\n", "NRRD", "SimpleITK"),
    "MetaImage": ("x.nii", lambda: b"ObjectType = Image\nNDims = 3\n", "MetaImage", "SimpleITK"),
    "a web page": ("x.nii.gz", lambda: b"<!DOCTYPE html>\n<html>Log in", "web page", "download"),
    "an archive": ("x.nii.gz", lambda: b"PK\x03\x04" + bytes(99), "archive", "unpack"),
}


@pytest.mark.parametrize("case", NO_VOLUMES)
def test_what_is_no_volume_is_named_as_mask_map_and_atlas(tmp_path, case, capsys):
    name, make, problem, remedy = NO_VOLUMES[case]
    path = tmp_path / name
    path.write_bytes(make())
    for read in (read_mask, read_map, load_atlas):
        with pytest.raises(InputError, match=f"{problem}.*; .*{remedy}"):
            read(path)
    whole = " ".join(reason for file in check_path(tmp_path).files for reason in file.reasons)
    assert problem in whole
    assert remedy in whole
    assert problem in check_path(path).files[0].reasons[0]
    t_map = save(tmp_path / "t_map.nii.gz", np.float32(VALUES))
    out = str(tmp_path / "out.csv")
    arguments = ["assign", str(t_map), "--atlas", str(path), "--threshold", "1", "-o", out]
    assert main(arguments) == 2
    assert problem in capsys.readouterr().err
    assert main(["convert", str(path), str(tmp_path / "out.nii.gz")]) == 2
    assert problem in capsys.readouterr().err


def test_cifti_is_told_from_an_image_of_one_voxel_by_its_header(tmp_path):
    inspection = inspect_image(("x.nii", cifti(LABELS, SURFACE)))
    assert "CIFTI" in " ".join(inspection.as_mask.sentences + inspection.notes)
    assert stored(save(tmp_path / "one.nii", np.ones((1, 1, 1), np.uint8))).sum() == 1


# Placeholders of content that was not fetched.


KEY = "MD5E-s13040--0123456789abcdef.nii.gz"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"
PLACEHOLDERS = {
    "an unlocked file of git-annex": (f"/annex/objects/{KEY}\n", "datalad get"),
    "a link of git-annex as text": (f"../.git/annex/objects/a/b/{KEY}/{KEY}", "datalad get"),
    "a pointer of Git LFS": (LFS, "git lfs pull"),
    "an old pointer of Git LFS": (LFS.replace("git-lfs", "hawser"), "git lfs pull"),
    "a dead link": (None, "datalad get"),
}


def put(path: Path, content: str | None) -> Path:
    path.parent.mkdir(exist_ok=True)
    if content is None:
        path.symlink_to(f"../.git/annex/objects/ab/cd/{KEY}/{KEY}")
    else:
        path.write_text(content)
    return path


@pytest.mark.parametrize("case", PLACEHOLDERS)
def test_content_that_was_not_fetched_is_told_of_a_file_and_once_of_a_folder(tmp_path, case):
    content, remedy = PLACEHOLDERS[case]
    for number in range(3):
        put(tmp_path / "masks" / f"sub-{number}_lesion.nii.gz", content)
    for read in (read_mask, read_map, load_atlas):
        with pytest.raises(InputError, match=f"content not fetched.*{remedy}"):
            read(tmp_path / "masks" / "sub-0_lesion.nii.gz")
    with pytest.raises(InputError, match=f"3 files, such as sub-0_.*not fetched.*{remedy}") as said:
        load_cohort(tmp_path / "masks")
    assert said.value.details == ()


@pytest.mark.parametrize("case", PLACEHOLDERS)
def test_some_placeholders_among_masks_are_a_note_with_their_number(tmp_path, case):
    content, remedy = PLACEHOLDERS[case]
    write_masks(tmp_path / "masks", random_masks(3))
    for number in range(2):
        put(tmp_path / "masks" / f"sub-x{number}.nii.gz", content)
    cohort = load_cohort(tmp_path / "masks")
    assert cohort.n_patients == 3
    (note,) = [note for note in cohort.all_notes if "not fetched" in note]
    assert note.startswith("2 of 5 files skipped, sub-x0.nii.gz, sub-x1.nii.gz: content")
    assert remedy in note


@pytest.mark.parametrize("case", PLACEHOLDERS)
def test_a_table_that_was_not_fetched_is_told(tmp_path, case):
    content, remedy = PLACEHOLDERS[case]
    masks = write_masks(tmp_path / "masks", random_masks(2))
    table = put(tmp_path / "masks" / "participants.tsv", content)
    assert re.search(f"participants.tsv.*not fetched.*{remedy}", " ".join(load_cohort(masks).notes))
    with pytest.raises(InputError, match=remedy):
        load_cohort(masks, table)
    atlas = save(tmp_path / "masks" / "atlas.nii.gz", MASK)
    labels = put(tmp_path / "masks" / "labels.csv", content)
    with pytest.raises(InputError, match=remedy):
        load_atlas(atlas, labels)


def test_links_into_a_store_elsewhere_are_followed_and_others_told_once(tmp_path):
    write_masks(tmp_path / "store", random_masks(3), names=["a.nii", "b.nii", "c.nii"])
    annex = tmp_path / ".git" / "annex" / "objects"
    write_masks(annex, random_masks(3), names=["K1", "K2.nii.gz", "K3.nii.gz"])
    (tmp_path / "masks").mkdir()
    for number in (2, 3):
        link = tmp_path / "masks" / f"sub-{number}.nii.gz"
        link.symlink_to(f"../.git/annex/objects/K{number}.nii.gz")
    assert load_cohort(tmp_path / "masks").notes == ()
    for name in "ab":
        (tmp_path / "masks" / f"sub-{name}.nii").symlink_to(f"../store/{name}.nii")
    cohort = load_cohort(tmp_path / "masks")
    assert cohort.n_patients == 4
    (note,) = [note for note in cohort.notes if "outside the data folder" in note]
    assert note.startswith("2 files, sub-a.nii, sub-b.nii: ")
