"""Images that are not binary masks: which choice makes masks of them, and what is advised."""

from __future__ import annotations

import re

import numpy as np
import pytest
from phantoms import SHAPE, image, random_masks, save, set_scaling, write_masks

from lesion_dash import load_cohort, read_mask
from lesion_dash.analyses.topography import Stats
from lesion_dash.cli import main, read_request
from lesion_dash.core.errors import InputError
from lesion_dash.images.masks import Binarization

RNG = np.random.default_rng(5)
PARTS = RNG.choice([0, 0, 0, 1, 2, 4], SHAPE).astype(np.uint8)
SHARES = np.where(PARTS, RNG.random(SHAPE), 0).astype(np.float32)


@pytest.mark.parametrize("label", ["any", "Any", "1,4", (4, 1), [1, 4, 4], 2, "2", [2]])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_labels_make_a_mask_of_their_voxels(tmp_path, label, kind):
    path = save(tmp_path / "a.nii", PARTS.astype(kind))
    oracle = PARTS > 0 if str(label).lower() == "any" else np.isin(PARTS, [1, 4])
    oracle = PARTS == 2 if str(label).strip("[]") == "2" else oracle
    np.testing.assert_array_equal(read_mask(path, label=label).array, oracle)


@pytest.mark.parametrize(("slope", "intercept"), [(0.5, 0), (-0.5, 0), (0.5, -3), (-1, 7)])
def test_labels_behind_a_scale_are_those_meant(tmp_path, slope, intercept):
    stored = np.round((PARTS.astype(float) - intercept) / slope).astype(np.int16)
    path = set_scaling(save(tmp_path / "a.nii", stored), slope, intercept)
    np.testing.assert_array_equal(read_mask(path, label="any").array, PARTS > 0)
    np.testing.assert_array_equal(read_mask(path, label="1,2").array, np.isin(PARTS, [1, 2]))


@pytest.mark.parametrize("label", [0, "0", -1, "1,0", "", "all", 1.5, (1, "x"), (), True])
def test_what_is_no_label_is_refused_in_python_and_on_the_command_line(label, capsys):
    with pytest.raises(InputError, match=r"label: .*any for every voxel above 0"):
        Binarization(label=label)
    with pytest.raises(InputError, match="--label: "):
        Stats(masks="m", output="o", label=label)


@pytest.mark.parametrize(
    ("given", "recorded"),
    [("any", "any"), ("4, 1", "1,4"), ("3", 3), ((1, 2), "1,2"), ([7], 7), (None, None)],
)
def test_a_request_keeps_labels_so_that_its_texts_repeat_it(given, recorded):
    request = Stats(masks="m", output="o", label=given)
    assert request.parameters()["label"] == recorded
    assert read_request(request.as_command().split()[1:]) == request
    assert Stats(**request.changed) == request


def test_any_label_takes_binary_masks_and_refuses_shares(tmp_path):
    mask = random_masks(1)[0]
    for number, value in enumerate((1, 255, 0.5)):
        path = save(tmp_path / f"{number}.nii", mask * np.float32(value))
        np.testing.assert_array_equal(read_mask(path, label="any").array, mask)
    for values in (SHARES, PARTS - np.float32(1)):
        with pytest.raises(InputError, match=r"not a binary mask|negative values"):
            read_mask(save(tmp_path / "x.nii", values), label="any")
    scan = save(tmp_path / "scan.nii", RNG.integers(0, 900, SHAPE).astype(np.int16))
    assert "different labels taken together" in " ".join(read_mask(scan, label="any").notes)


def test_a_label_that_an_image_lacks_is_told(tmp_path):
    mask = read_mask(save(tmp_path / "a.nii", PARTS), label=3)
    assert {"holds labels, but not 3", "mask is empty"} <= set(mask.notes)


# Percent.


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("threshold", ["50%", "50 %", "12.5%", "100%"])
def test_a_threshold_in_percent_is_one_of_a_map_in_percent(tmp_path, kind, threshold):
    percent = np.rint(SHARES * 100).astype(kind)
    limit = float(threshold.rstrip("% "))
    found = read_mask(save(tmp_path / "a.nii", percent), threshold=threshold)
    np.testing.assert_array_equal(found.array, percent >= limit)


@pytest.mark.parametrize(
    ("values", "threshold", "words"),
    [
        (SHARES * 100, 0.5, "holds 0 to .*--threshold 50% if it is in percent"),
        (PARTS.astype(np.uint8), 0.25, "--threshold 25% if .*--label"),
        (SHARES, "50%", "not in percent.*give --threshold 0.5"),
        ((PARTS > 0).astype(np.uint8), "50%", "not in percent"),
        (SHARES * 255, 0.5, "not a probability map from 0 to 1"),
        (SHARES * 255, "50%", "not a probability map from 0 to 100"),
    ],
)
def test_the_scale_of_probabilities_is_never_guessed(tmp_path, values, threshold, words):
    with pytest.raises(InputError, match=words):
        read_mask(save(tmp_path / "a.nii", values), threshold=threshold)


def test_masks_of_0_and_100_are_masks(tmp_path):
    mask = random_masks(1)[0]
    path = save(tmp_path / "a.nii", mask * np.uint8(100))
    np.testing.assert_array_equal(read_mask(path).array, mask)
    np.testing.assert_array_equal(read_mask(path, threshold="50%").array, mask)


@pytest.mark.parametrize("given", ["0%", "101%", "-5%", "x%", "%"])
def test_what_is_no_percentage_is_refused(given, capsys):
    with pytest.raises(InputError, match="is not between 0 and 100"):
        read_mask("any.nii", threshold=given)
    assert main(["stats", "m", "-o", "o", f"--threshold={given}"]) == 2
    assert "--threshold: " in capsys.readouterr().err


# What is advised of a folder works for all of its files.


def instances(numbers) -> list[np.ndarray]:
    return [mask * RNG.integers(1, n + 1, SHAPE) for mask, n in zip(random_masks(9), numbers)]  # noqa: B905


FOLDERS = {
    "parts of a tumour": ([PARTS, PARTS[::-1], PARTS[:, ::-1]], "3 of 3 files", True),
    "lesions by number": (instances([2, 1, 3]), "2 of 3 files", False),
    "one of few is labelled": (instances([1, 1, 1, 2]), "1 of 4 files", False),
    "two classes, and one of them": ([PARTS % 3, PARTS % 2, PARTS % 3], "2 of 3 files", False),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_the_advice_for_a_folder_makes_masks_of_all_its_files(tmp_path, case, capsys):
    arrays, count, is_one_kind = FOLDERS[case]
    folder = write_masks(tmp_path / "masks", arrays)
    out = str(tmp_path / "out")
    assert main(["stats", str(folder), "-k", "1", "-o", out]) == 2
    first, *offers = capsys.readouterr().err.splitlines()
    assert f"{count} hold several labels, such as sub-00" in first
    advised = [re.search(r"--label (\S+):", offer)[1] for offer in offers]
    assert advised[0] == "any"
    assert (len(advised) > 1) == is_one_kind
    assert all(f"--label {label}" in first for label in advised)
    for label in advised:
        given = ["--overwrite", "--label", label]
        assert main(["stats", str(folder), "-k", "1", "-o", out, *given]) == 0
    union = np.sum([array > 0 for array in arrays], axis=0)
    np.testing.assert_array_equal(
        load_cohort(folder, choice=Binarization(label="any")).counts, union
    )


def test_a_few_label_maps_among_many_masks_are_skipped_with_the_advice(tmp_path):
    write_masks(tmp_path, random_masks(12))
    save(tmp_path / "x.nii.gz", PARTS)
    (skipped,) = [p for p in load_cohort(tmp_path).patients if p.status == "skipped"]
    assert "--label any takes every voxel above 0" in skipped.reason


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RNG.random(SHAPE, np.float32), "threshold=0.5"),
        (lambda: RNG.random(SHAPE, np.float32) * 100, "threshold='50%'"),
        (lambda: RNG.integers(0, 900, SHAPE).astype(np.int16), "nor a label map.*not a scan"),
    ],
    ids=["shares", "percent", "scans"],
)
def test_a_folder_of_one_kind_of_images_gets_one_sentence(tmp_path, make, words):
    for number in range(3):
        (tmp_path / f"sub-{number}.nii").write_bytes(image(make()).to_bytes())
    with pytest.raises(
        InputError, match=f"3 of 3 files are not masks, such as sub-0.*{words}"
    ) as said:
        load_cohort(tmp_path)
    assert "label=" not in str(said.value)
    assert len(said.value.details) == ("threshold" in words)
