"""The validation report, on a corpus of odd and bad files made here."""

from __future__ import annotations

import gzip
import json
import os

import nibabel as nib
import numpy as np
import pytest
from phantoms import AFFINE, SHAPE, image, random_masks, write_masks

from lesion_dash import cli
from lesion_dash.analyses.validation import check_path
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.images.masks import read_mask
from lesion_dash.stats.overlap import overlap

LESION = np.zeros(SHAPE, np.uint8)
LESION[2:5, 2:6, 2:5] = 1
SMOOTH = LESION.astype(np.float32)
for _axis in range(3):
    SMOOTH = (np.roll(SMOOTH, 1, _axis) + 2 * SMOOTH + np.roll(SMOOTH, -1, _axis)) / 4


def moved(mm: float):
    affine = AFFINE.copy()
    affine[0, 3] += mm
    return affine


def packed(made) -> bytes:
    return gzip.compress(made.to_bytes())


def with_header(**fields) -> bytes:
    data = image(LESION).to_bytes()
    header = nib.Nifti1Header(data[:348], check=False)
    for field, value in fields.items():
        header[field] = value
    return gzip.compress(header.binaryblock + data[348:])


def mirrored():
    return image(LESION, AFFINE @ nib.affines.from_matvec(np.diag([-1.0, 1, 1]), [6, 0, 0]))


def edge():
    array = LESION.copy()
    array[0, 0, 0] = 1
    return image(array)


def enclosed_nan():
    array = LESION.astype(np.float32)
    array[3, 3, 3] = np.nan
    return image(array)


def labels():
    return image(LESION * (1 + np.arange(SHAPE[0], dtype=np.uint8)[:, None, None] % 3))


# name: (content, outcome, words of the reason)
MASKS = {
    "plain": (lambda: packed(image(LESION)), "accept", ""),
    "255": (lambda: packed(image(LESION * 255)), "accept", ""),
    "empty": (lambda: packed(image(LESION * 0)), "warn", "mask is empty"),
    "full": (lambda: packed(image(LESION * 0 + 1)), "warn", "fills the image"),
    "inverted": (lambda: packed(image(1 - LESION)), "warn", "fills most of the image"),
    "edge": (lambda: packed(edge()), "warn", "touches the image border"),
    "noise": (lambda: packed(image(LESION + np.float32(1e-9))), "warn", "tiny values"),
    "nan inside": (lambda: packed(enclosed_nan()), "reject", "NaN inside"),
    "probability": (lambda: packed(image(SMOOTH)), "reject", "--threshold 0.5"),
    "labels": (lambda: packed(labels()), "reject", "--label"),
    "slightly off": (lambda: packed(image(LESION, moved(0.01))), "warn", "0.01 mm"),
    "shifted": (lambda: packed(image(LESION, moved(20))), "reject", "20 mm"),
    "mirrored": (lambda: packed(mirrored()), "reject", "left and right are swapped"),
    "no forms": (lambda: with_header(sform_code=0, qform_code=0), "warn", "orientation unknown"),
    "scanner space": (lambda: packed(image(LESION, code=1)), "warn", "not marked as standard"),
    "a name": (lambda: with_header(descrip=b"DOE^JANE 1961-02-03"), "warn", "free text"),
    "software": (lambda: with_header(descrip=b"spm - 3D normalized"), "accept", ""),
    "metres": (lambda: with_header(xyzt_units=1), "warn", "not mm"),
    "no unit": (lambda: with_header(xyzt_units=0), "warn", "units not stated"),
    "bits": (lambda: with_header(bitpix=64), "warn", "bitpix"),
    "negative size": (lambda: with_header(pixdim=[1, -2, 2, 2, 1, 1, 1, 1]), "warn", "negative"),
    "tail": (lambda: packed(image(LESION)) + b"x" * 40, "warn", "extra bytes"),
    "cut": (lambda: packed(image(LESION))[:-9], "reject", "truncated"),
    "large": (lambda: packed(image(np.zeros((90, 90, 90), "u1"))), "reject", "far larger"),
}


@pytest.fixture
def folder(tmp_path):
    """Thirty good masks, so that one that is off the grid leaves 90 % on it."""
    return write_masks(tmp_path / "masks", random_interior(30))


def random_interior(count: int):
    arrays = []
    for array in random_masks(count, seed=8):
        inner = np.zeros(SHAPE, np.uint8)
        inner[1:-1, 1:-1, 1:-1] = array[1:-1, 1:-1, 1:-1]
        arrays.append(inner)
    return arrays


def report_on(folder, name):
    files = {report.file: report for report in check_path(folder).files}
    return files[name]


@pytest.mark.parametrize("case", MASKS)
def test_one_odd_mask_among_good_ones(folder, case):
    make, outcome, words = MASKS[case]
    (folder / "sub-x.nii.gz").write_bytes(make())
    found = report_on(folder, "sub-x.nii.gz")
    assert found.outcome == outcome, found.reasons
    assert words in "; ".join(found.reasons)
    used = {patient.id for patient in load_cohort(folder).patients if patient.status == "used"}
    assert ("sub-x" in used) == (outcome != "reject")
    assert len(used) >= 30


NAMES = {
    "._sub-1.nii.gz": "macOS",
    ".sub-1.nii.gz": "hidden",
    "~$sub-1.nii.gz": "lock file",
    "sub-1.nrrd": "not NIfTI",
    "overlap_map.nii": "looks like a result",
    "sub\n1.nii.gz": "control character",
    "CON.nii.gz": "Windows",
}


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_are_a_warning(folder, name):
    (folder / name).write_bytes(packed(image(LESION)))
    found = report_on(folder, name)
    assert found.outcome == "warn"
    assert NAMES[name] in "; ".join(found.reasons)


def test_a_count_map_among_the_masks_is_no_patient(folder):
    (folder / "lesion_count.nii.gz").write_bytes(packed(labels()))
    found = report_on(folder, "lesion_count.nii.gz")
    assert found.outcome == "warn"
    assert "looks like a result" in found.reasons[0]


def test_twins_are_said_of_the_folder_and_namesakes_need_a_choice(folder):
    for name in ("a/sub-7x.nii.gz", "b/sub-7y.nii.gz"):
        (folder / name).parent.mkdir()
        (folder / name).write_bytes(packed(image(LESION)))
    assert "identical masks" in " ".join(report_on(folder, ".").reasons)
    (folder / "b/sub-7y.nii.gz").rename(folder / "b/sub-7x.nii.gz")
    whole = report_on(folder, ".")
    assert whole.outcome == "reject"
    assert "1 patient has 2 masks (sub-7x: a/sub-7x.nii.gz, b/sub-7x.nii.gz)" in whole.reasons[0]
    assert load_cohort(folder, several_files="separate").n_patients == 32
    assert load_cohort(folder, several_files="union").n_patients == 31


def test_plain_and_compressed_copies_count_once(folder):
    name = "sub-000_lesion.nii"
    (folder / name).write_bytes(gzip.decompress((folder / f"{name}.gz").read_bytes()))
    cohort = load_cohort(folder)
    assert cohort.n_patients == 30
    assert "same patient twice" in {p.file: p.reason for p in cohort.patients}[f"{name}.gz"]


@pytest.mark.parametrize(
    "names", [("sub-x9.nii.gz", "SUB-X9.nii.gz"), ("Zoé.nii", "Zoe\u0301.nii")]
)
def test_a_name_in_other_capitals_or_accents_counts_once(folder, names):
    masks = [packed(image(np.roll(LESION, shift, 0))) for shift in (0, 1)]
    for name, mask in zip(names, masks, strict=True):
        (folder / name).write_bytes(mask if name.endswith(".gz") else gzip.decompress(mask))
    if len({*names} & {path.name for path in folder.iterdir()}) < 2:
        pytest.skip("this file system takes both names for one")
    cohort = load_cohort(folder)
    assert cohort.n_patients == 31
    (skipped,) = [p for p in cohort.patients if p.status == "skipped"]
    assert skipped.reason.startswith("same name twice")
    taken = next(name for name in names if name != skipped.file)
    assert taken in skipped.reason
    (folder / taken).write_bytes(b"")  # the other one counts where the first cannot be read
    used = [patient.file for patient in load_cohort(folder).used]
    assert skipped.file in used
    assert taken not in used


def test_a_pair_counts_once_and_needs_both_files(folder):
    nib.save(nib.Nifti1Pair(LESION, AFFINE, image(LESION).header), folder / "sub-p.img")
    assert report_on(folder, "sub-p.img").outcome == "accept"
    np.testing.assert_array_equal(read_mask(folder / "sub-p.hdr").array, LESION)
    (folder / "sub-p.img").unlink()
    assert "the .img file is missing" in report_on(folder, "sub-p.hdr").reasons[0]


def test_an_analyze_image_is_placed_by_its_shape_and_said(folder):
    nib.save(nib.AnalyzeImage(LESION, np.diag([2.0, 2, 2, 1])), folder / "sub-a.img")
    found = report_on(folder, "sub-a.img")
    assert found.outcome == "warn"
    assert "Analyze" in found.reasons[0]


def test_a_threshold_or_a_label_makes_a_mask(tmp_path):
    probability, label_map = tmp_path / "p.nii.gz", tmp_path / "l.nii.gz"
    probability.write_bytes(packed(image(SMOOTH)))
    label_map.write_bytes(packed(labels()))
    np.testing.assert_array_equal(read_mask(probability, threshold=0.5).array, SMOOTH >= 0.5)
    expected = np.asarray(labels().dataobj) == 2
    found = read_mask(label_map, label=2)
    np.testing.assert_array_equal(found.array, expected)
    assert "label 2" in " ".join(found.notes)
    with pytest.raises(InputError, match="holds 0 to 3"):
        read_mask(label_map, threshold=0.5)


@pytest.mark.parametrize("value", [-1.0, 0.0, 2.0, float("nan")])
def test_a_threshold_lies_between_0_and_1(value):
    with pytest.raises(InputError, match="between 0 and 1"):
        read_mask("any.nii", threshold=value)


def test_whole_numbers_through_a_scale_are_those_numbers(tmp_path):
    stored = np.where(LESION, np.where(np.arange(SHAPE[2]) % 2, 2, 3), 0).astype(np.int16)
    data = bytearray(image(stored).to_bytes())
    data[112:116] = np.float32(0.4).tobytes()
    (tmp_path / "a.nii").write_bytes(data)
    # Two and three steps of 0.4 are 0.8 and 1.2, both as near to 1 as steps can be.
    np.testing.assert_array_equal(read_mask(tmp_path / "a.nii").array, LESION > 0)


def test_copies_in_ras_and_las_meet_exactly(tmp_path):
    ras, las = tmp_path / "ras.nii", tmp_path / "las.nii"
    nib.save(image(LESION), ras)
    flip = nib.affines.from_matvec(np.diag([-1.0, 1, 1]), [6, 0, 0])
    nib.save(image(np.ascontiguousarray(LESION[::-1]), AFFINE @ flip), las)
    result = overlap(read_mask(ras), read_mask(las))
    assert result.dice == 1.0
    np.testing.assert_array_equal(result.both.array, LESION > 0)
    assert "reoriented exactly" in result.b.notes[-1]


def write_atlas(folder, array, table="id,name\n1,Insula_L\n2,Insula_R\n", affine=AFFINE):
    folder.mkdir(exist_ok=True)
    (folder / "atlas.nii.gz").write_bytes(packed(image(array, affine)))
    (folder / "atlas.csv").write_text(table)
    return folder / "atlas.nii.gz"


def halves():
    array = np.ones(SHAPE, np.uint8)
    array[4:] = 2
    return array


def test_an_atlas_is_told_from_a_mask_by_its_table(tmp_path, folder):
    atlas = write_atlas(tmp_path / "atlas", halves())
    assert check_path(atlas).outcome == "accept"
    assert check_path(atlas.with_name("atlas.csv")).outcome == "accept"
    assert check_path(atlas, like=folder).outcome == "accept"


def test_a_swapped_atlas_is_flagged(tmp_path):
    report = check_path(write_atlas(tmp_path / "atlas", halves()[::-1].copy()))
    assert report.outcome == "warn"
    assert "left and right are swapped" in report.files[0].reasons[0]


def test_an_atlas_far_away_or_mirrored_is_told_against_masks(tmp_path, folder):
    far = write_atlas(tmp_path / "far", halves(), affine=moved(500))
    assert "does not overlap" in check_path(far, like=folder).files[0].reasons[0]
    flip = nib.affines.from_matvec(np.diag([-1.0, 1, 1]), [6, 0, 0])
    las = write_atlas(tmp_path / "las", halves()[::-1].copy(), affine=AFFINE @ flip)
    assert "reoriented" in check_path(las, like=folder).files[0].reasons[0]


def test_an_atlas_among_masks_is_not_counted_as_a_patient(folder):
    write_atlas(folder, halves())
    report = report_on(folder, "atlas.nii.gz")
    assert "an atlas, not counted" in report.reasons
    assert not report.used


def test_a_folder_of_atlases_is_no_folder_of_masks(tmp_path, capsys):
    other = np.repeat(halves(), 2, axis=2)
    write_atlas(tmp_path / "one", halves())
    write_atlas(tmp_path / "two", other)
    report = check_path(tmp_path)
    assert (report.outcome, report.sentence) == ("accept", "2 atlases")
    assert [file.file for file in report.files] == ["one/atlas.nii.gz", "two/atlas.nii.gz"]
    assert cli.main(["check", str(tmp_path)]) == 0
    write_atlas(tmp_path / "two", other, "id,name\n1,a\n2,b\n3,c\n")
    assert check_path(tmp_path).sentence == "2 atlases, 1 with warnings"
    write_atlas(tmp_path / "two", other * 0)
    report = check_path(tmp_path)
    assert (report.exit_code, report.sentence) == (1, "1 atlas, 1 that cannot be used")
    capsys.readouterr()
    assert cli.main(["check", str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["summary"]["used"] == 1


def test_a_folder_with_an_image_that_is_no_atlas_is_one_of_masks(tmp_path):
    write_atlas(tmp_path / "one", halves())
    (tmp_path / "other.nii.gz").write_bytes(packed(image(SMOOTH)))
    report = check_path(tmp_path)
    assert report.exit_code == 2
    assert "0 used" in report.sentence


def test_names_that_step_out_of_a_folder_are_refused(tmp_path):
    table = tmp_path / "patients.csv"
    rows = ["../../escape,sub-01.nii.gz", "/abs,sub-01.nii.gz", "ok,sub-02.nii.gz"]
    for number in (1, 2, 3):  # one odd row of several is left out, see test_participants
        table.write_text("\n".join(["patient,file", *rows[:number], ""]))
        report = check_path(table)
        assert report.outcome == "reject"
        assert "'../../escape' is not a valid patient name" in report.files[0].reasons[0]


def test_an_xml_bomb_is_refused(tmp_path):
    table = tmp_path / "atlas.xml"
    table.write_text('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    assert "entities are not allowed" in check_path(table).files[0].reasons[0]


@pytest.mark.parametrize("path", ["missing", "missing.nii"])
def test_what_is_not_there_is_said(tmp_path, path):
    report = check_path(tmp_path / path)
    assert report.exit_code == 2
    assert "not found" in report.files[0].reasons[0] or "no image" in report.files[0].reasons[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_and_devices_do_not_hang(folder):
    os.mkfifo(folder / "sub-f.nii.gz")
    (folder / "sub-d.nii").symlink_to("/dev/zero")
    for name in ("sub-f.nii.gz", "sub-d.nii"):
        assert "not a regular file" in report_on(folder, name).reasons[0]


def test_check_prints_one_json_object_and_an_exit_code(folder, capsys):
    assert cli.main(["check", str(folder), "--json"]) == 0
    (folder / "sub-x.nii.gz").write_bytes(b"broken")
    capsys.readouterr()
    assert cli.main(["check", str(folder), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["summary"]["used"] == 30
    assert found["summary"]["skipped"] == 1
    bad = next(row for row in found["files"] if row["file"] == "sub-x.nii.gz")
    assert bad["outcome"] == "reject"
    assert "not a gzip file" in bad["reasons"][0]
    for path in folder.glob("sub-0*"):
        path.unlink()
    assert cli.main(["check", str(folder)]) == 2
    assert "0 used, 1 skipped, 0 with warnings" in capsys.readouterr().out


def test_results_tell_nothing_of_a_header_s_free_text(folder, tmp_path):
    (folder / "sub-x.nii.gz").write_bytes(with_header(descrip=b"DOE^JANE 1961-02-03"))
    assert cli.main(["stats", str(folder), "-o", str(tmp_path / "out")]) == 0
    for path in (tmp_path / "out").iterdir():
        assert b"DOE" not in path.read_bytes()


@pytest.mark.parametrize(
    ("stored", "slope", "threshold"), [(5, 0.12, 0.6), (5, 0.16, 0.8), (255, 1 / 255, 1.0)]
)
def test_a_probability_stored_through_a_scale_meets_its_threshold(
    tmp_path, stored, slope, threshold
):
    data = bytearray(image(LESION * np.uint8(stored)).to_bytes())
    data[112:116] = np.float32(slope).tobytes()
    (tmp_path / "p.nii").write_bytes(data)
    found = read_mask(tmp_path / "p.nii", threshold=threshold)
    np.testing.assert_array_equal(found.array, LESION > 0)


@pytest.mark.parametrize("value", [-7.0, np.inf])
def test_no_probability_lies_outside_0_to_1(tmp_path, value):
    array = LESION.astype(np.float32)
    array[0, 0, 0] = value
    (tmp_path / "p.nii").write_bytes(image(array).to_bytes())
    with pytest.raises(InputError, match="not a probability map"):
        read_mask(tmp_path / "p.nii", threshold=0.5)


def test_the_background_is_no_label():
    with pytest.raises(InputError, match="0 is background"):
        read_mask("any.nii", label=0)


def test_pairs_in_capitals_are_pairs(folder):
    nib.save(nib.Nifti1Pair(LESION, AFFINE, image(LESION).header), folder / "sub-p.img")
    for ending in ("img", "hdr"):
        (folder / f"sub-p.{ending}").rename(folder / f"SUB-P.{ending.upper()}")
    assert report_on(folder, "SUB-P.IMG").outcome == "accept"
    assert load_cohort(folder).n_patients == 31


def test_results_in_capitals_are_results(folder):
    (folder / "Overlap_Map.nii").write_bytes(image(LESION).to_bytes())
    assert "looks like a result" in report_on(folder, "Overlap_Map.nii").reasons[0]


def test_a_folder_that_makes_no_cohort_uses_nobody(tmp_path):
    write_masks(tmp_path, random_masks(5), names=[f"sub-{n}.nii" for n in range(5)])
    write_masks(tmp_path, random_masks(5), moved(20), [f"sub-{n}.nii" for n in range(5, 10)])
    report = check_path(tmp_path)
    assert report.exit_code == 2
    assert report.sentence == "0 used, 10 skipped, 0 with warnings"
