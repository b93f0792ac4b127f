"""`lesion-dash roi`: the options make the recipe, the files are those of the library."""

from __future__ import annotations

import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from phantoms import SHAPE, image, random_masks, write_masks

from lesion_dash import cli
from lesion_dash.analyses.request import Result, no_progress
from lesion_dash.rois.recipe import InsideFile, InsideRegions, MoreIn, RoiRecipe, run_recipe
from lesion_dash.rois.saving import script_of
from lesion_dash.rois.sources import (
    CohortsSource,
    ImagesSource,
    MapSource,
    ScoreSource,
    SeriesSource,
    SplitSource,
)
from lesion_dash.rois.steps import FillHoles, Morph, Threshold

BEYOND = ("--threshold", 1.0)


@pytest.fixture
def folders(tmp_path):
    masks = random_masks(12, seed=3)
    for mask in masks[:6]:
        mask[2:5, 2:6, 2:6] = True
    names = [f"sub-{number:02}.nii.gz" for number in range(12)]
    a = write_masks(tmp_path / "a", masks[:6], names=names[:6])
    return a, write_masks(tmp_path / "b", masks[6:], names=names[6:])


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def recipe(*arguments) -> RoiRecipe:
    return cli.read_request(["roi", *map(str, arguments), "-o", "out"]).recipe


def result_of(*arguments) -> Result:
    """What a command finds, without its pictures, which take most of the time."""
    return cli.read_request(["roi", *map(str, arguments), "-o", "out"]).run(no_progress)


def test_the_files_are_what_the_library_gives(folders, tmp_path, capsys):
    a, b = folders
    out = tmp_path / "out"
    steps = ("--step", "more-in:a", "--step", "dilate:1")
    assert run("roi", "--cohorts", a, b, *BEYOND, *steps, "-o", out) == 0
    source = CohortsSource(str(a), str(b))
    expected = run_recipe(
        RoiRecipe(source, Threshold(1.0), steps=(MoreIn("a"), Morph("dilate", 1)))
    )
    stored = nib.load(out / "mask_atlas.nii")
    np.testing.assert_array_equal(np.asarray(stored.dataobj), expected.rois.atlas.labels)
    values = pd.read_csv(out / "roi_values.csv")
    np.testing.assert_allclose(
        values[list(expected.rois.names)], expected.values.values, rtol=1e-11
    )
    assert set(pd.read_csv(out / "roi_summary.csv")["group"]) == {"a", "b"}
    pictures = {"step_1_threshold.png", "step_2_more_in.png", "step_3_dilate.png", "rois.png"}
    assert pictures | {"roi_values.png"} == {file.name for file in out.glob("*.png")}
    shown = capsys.readouterr().out
    assert "Fisher's exact test" in shown
    assert f"dilate by 1 voxel (6 neighbours): {expected.masks[-1].voxels:,} voxels" in shown


@pytest.mark.parametrize("shape", [(9, 11, 1), (9, 1, 8)])
def test_a_series_of_one_slice_has_its_results_and_a_picture_of_each_step(tmp_path, shape):
    values = np.random.default_rng(0).normal(size=(*shape, 8)).astype(np.float32)
    values[2:4, ..., 4:] += 9
    nib.save(image(values), tmp_path / "bold.nii")
    (tmp_path / "labels.txt").write_text("labels\n" + "a\n" * 4 + "b\n" * 4)
    files = ("--series", tmp_path / "bold.nii", "--conditions", tmp_path / "labels.txt")
    chosen = (*files, "--a", "a", "--b", "b", "--threshold", 2, "--step", "dilate:1")
    assert run("roi", *chosen, "-o", tmp_path / "out") == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 4


def test_a_sidecar_against_the_header_needs_the_repetition_time(tmp_path, capsys):
    """Two blocks of 5 s: which volumes are in them depends on the time between volumes."""
    noise = np.random.default_rng(0).normal(size=(*SHAPE, 24)).astype(np.float32)
    made = image(noise)
    made.header.set_xyzt_units("mm", "sec")
    made.header["pixdim"][4] = 1
    nib.save(made, tmp_path / "bold.nii")
    (tmp_path / "bold.json").write_text('{"RepetitionTime": 2.5}')
    (tmp_path / "events.tsv").write_text("onset\tduration\ttrial_type\n0\t10\ta\n20\t10\tb\n")
    files = ("--series", tmp_path / "bold.nii", "--conditions", tmp_path / "events.tsv")
    chosen = (*files, "--a", "a", "--b", "b", "--threshold", 1)
    assert run("roi", *chosen, "-o", tmp_path / "out") == 2
    error = capsys.readouterr().err
    for words in ("header of bold.nii says 1 s", "bold.json 2.5 s", "--repetition-time"):
        assert words in error
    notes = " ".join(result_of(*chosen, "--repetition-time", 2.5).notes)
    assert "repetition time: the header of bold.nii says 1 s, bold.json 2.5 s" in notes
    assert "(repetition time 2.5 s)" in notes


def test_the_table_says_which_group_has_more_at_each_peak(tmp_path, capsys):
    masks = np.zeros((2, 6, *SHAPE), bool)
    masks[0, :, 1:4, 1:4, 1:4] = masks[1, :5, 5:7, 5:7, 5:7] = True
    masks[1, 0, 2, 2, 2] = masks[0, 0, 6, 6, 6] = True
    folders = [
        write_masks(tmp_path / name, one, names=[f"{name}{row}.nii" for row in range(6)])
        for name, one in zip("ab", masks, strict=True)
    ]
    assert run("roi", "--cohorts", *folders, *BEYOND, "-o", tmp_path / "out") == 0
    shares = [
        100 * np.mean([nib.load(file).get_fdata() for file in sorted(folder.iterdir())], axis=0)
        for folder in folders
    ]
    table = pd.read_csv(tmp_path / "out" / "mask_atlas.tsv", sep="\t")
    grid = nib.load(tmp_path / "out" / "mask_atlas.nii")
    peaks = table[["peak_x_mm", "peak_y_mm", "peak_z_mm"]].to_numpy()
    voxels = np.rint(nib.affines.apply_affine(np.linalg.inv(grid.affine), peaks)).astype(int)
    expected = (shares[0] - shares[1])[tuple(voxels.T)]
    np.testing.assert_allclose(table["peak_effect"], expected, rtol=1e-9)
    assert table["higher_in"].tolist() == ["a" if effect > 0 else "b" for effect in expected]
    assert set(table["higher_in"]) == {"a", "b"}
    out = capsys.readouterr().out
    for name, group in zip(table["name"], table["higher_in"], strict=True):
        line = next(line for line in out.splitlines() if line.startswith(f"{name}: "))
        assert line.endswith(f", higher in {group} there")


def test_the_result_tells_where_it_comes_from(folders, tmp_path):
    inside = tmp_path / "inside.nii.gz"
    nib.save(image((np.indices(SHAPE)[0] > 1).astype(np.uint8)), inside)
    result = result_of("--cohorts", *folders, *BEYOND, "--step", f"within:{inside}")
    assert [source["kind"] for source in result.inputs] == ["cohort", "cohort", "mask"]
    assert all(source.get("sha256", "x") for source in result.inputs)
    assert result.parameters["source"]["kind"] == "CohortsSource"
    assert result.parameters["steps"][0]["path"] == str(inside)
    assert len(result.counts["masks"]) == 2


def test_every_file_that_was_read_is_named_with_its_checksum(tmp_path):
    generator = np.random.default_rng(2)
    for number in range(8):
        folder = tmp_path / ("a" if number < 4 else "b")
        folder.mkdir(exist_ok=True)
        nib.save(image(generator.normal(size=SHAPE).astype(np.float32)), folder / f"{number}.nii")
    labels = (1 + np.indices(SHAPE)[0] // 4).astype(np.uint8)
    nib.save(image(labels), tmp_path / "atlas.nii")
    nib.save(image(np.minimum(labels, 1)), tmp_path / "tested.nii")
    images = ("--images", tmp_path / "a", tmp_path / "b", "--mask", tmp_path / "tested.nii")
    step = ("--step", "regions:label 1", "--atlas", tmp_path / "atlas.nii")
    inputs = result_of(*images, *BEYOND, *step).inputs
    assert [source["kind"] for source in inputs] == ["image"] * 8 + ["mask", "atlas"]
    for source in inputs[:9]:
        content = Path(source["file"]).read_bytes()
        assert source["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("options", "of"),
    [
        ((), "−log10 p, no unit"),
        (("--use", "odds_ratio"), "odds ratio, no unit"),
        (("--use", "effect"), "effect, percentage points of patients lesioned"),
        (("--correction", "fdr"), "−log10 corrected p, no unit"),
    ],
)
def test_a_peak_has_its_quantity_and_unit(folders, options, of):
    arguments = ("--cohorts", *folders, "--threshold", 0.01, *options)
    peaks = [roi.peak_value for roi in run_recipe(recipe(*arguments)).rois]
    lines = [line for line in result_of(*arguments).lines if line.startswith("ROI ")]
    assert lines
    for line, peak in zip(lines, peaks, strict=False):
        assert f", peak {peak:.3g} ({of}) at " in line


def test_nothing_beyond_the_threshold_leaves_no_file(folders, tmp_path, capsys):
    assert run("roi", "--cohorts", *folders, "--threshold", 99, "-o", tmp_path / "out") == 2
    assert "no region of interest; lower the threshold" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_map_needs_no_test(tmp_path, capsys):
    values = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    nib.save(image(values), tmp_path / "t.nii.gz")
    out = tmp_path / "out"
    arguments = ("--map", tmp_path / "t.nii.gz", "--threshold", 1.5, "--pick", 1, "-o", out)
    under = ("--background", tmp_path / "t.nii.gz", "--cut", 1, -1, 0)
    assert run("roi", *arguments, *under) == 0
    assert not (out / "roi_values.csv").exists()
    stored = np.asarray(nib.load(out / "roi_map.nii").dataobj)
    np.testing.assert_array_equal(stored, values)
    table = pd.read_csv(out / "mask_atlas.tsv", sep="\t")
    assert table[["peak_effect", "higher_in"]].isna().all(axis=None)
    assert len(table) == 1
    shown = capsys.readouterr().out
    peak = float(table["peak_value"][0])
    assert f"peak {peak:.3g} (t, in the map's own unit) at " in shown
    assert "ROI 1:" in shown
    assert "higher in" not in shown


def test_label_maps_are_asked_for_by_the_options_that_this_command_has(folders, tmp_path, capsys):
    labels = []
    for folder in folders:
        arrays = [nib.load(file).get_fdata() for file in sorted(folder.iterdir())]
        for array in arrays:
            array[1:3] *= 4
        names = sorted(file.name for file in folder.iterdir())
        labels.append(write_masks(tmp_path / "labels" / folder.name, arrays, names=names))
    assert run("roi", "--cohorts", *labels, *BEYOND, "-o", tmp_path / "out") == 2
    assert "--mask-label any" in capsys.readouterr().err
    taken = result_of("--cohorts", *labels, "--mask-label", "any", *BEYOND)
    assert taken.lines[:-1] == result_of("--cohorts", *folders, *BEYOND).lines[:-1]


def test_every_input_makes_its_source():
    series = ("--series", "1.nii", "2.nii", "--conditions", "1.tsv", "2.tsv")
    more = ("--delay", 4, "--fwhm", 6, "--repetition-time", 2, "--mask", "m.nii", "--test", "welch")
    assert recipe(*series, "--a", "face", "--b", "house", *more, *BEYOND).source == SeriesSource(
        *(("1.nii", "2.nii"), ("1.tsv", "2.tsv"), "face", "house"),
        test="welch",
        delay_s=4.0,
        repetition_time=2.0,
        fwhm_mm=6.0,
        mask="m.nii",
    )
    assert recipe("--images", "a", "b", *BEYOND).source == ImagesSource("a", "b")
    assert recipe("--cohorts", "a", "b", "--min-patients", 3, *BEYOND).source == CohortsSource(
        "a", "b", min_patients=3
    )
    split = ("--split", "a", "--column", "sex", "--a", "F", "--b", "M", "--participants", "p.tsv")
    assert recipe(*split, *BEYOND).source == SplitSource("a", "sex", "F", "M", "p.tsv")
    score = ("--score", "a", "--column", "nihss", "--min-patients", 4)
    assert recipe(*score, *BEYOND).source == ScoreSource("a", "nihss", min_lesioned=4)
    assert recipe("--map", "t.nii", *BEYOND).source == MapSource("t.nii")


STEPS = {
    "fill-holes": FillHoles(),
    "more-in:b": MoreIn("b"),
    "within:my: mask.nii": InsideFile("my: mask.nii"),
    "within:https://example.org/m.nii": InsideFile("https://example.org/m.nii"),
    "within:0.25:p.nii": InsideFile("p.nii", 0.25),
    'regions:"Temporal, anterior", Insula': InsideRegions(
        "atlas.nii", ("Temporal, anterior", "Insula"), "table.csv"
    ),
    "dilate:2": Morph("dilate", 2),
    "erode:1:26": Morph("erode", 1, "voxels", 26),
    "open:4mm": Morph("open", 4, "mm"),
    "close:2.5mm": Morph("close", 2.5, "mm"),
}


def test_steps_are_taken_in_their_order():
    texts = [*STEPS, *reversed(STEPS)]
    options = [part for text in texts for part in ("--step", text)]
    atlas = ("--atlas", "atlas.nii", "--labels", "table.csv")
    found = recipe("--cohorts", "a", "b", *BEYOND, *options, *atlas)
    assert list(found.steps) == [STEPS[text] for text in texts]
    assert script_of(found).count(".apply(mask)") == len(texts)


@pytest.mark.parametrize(
    "step",
    ["grow:2", "dilate", "dilate:two", "dilate:2:7", "dilate:2mm:6", "more-in:c", "within:", ""],
)
def test_steps_that_are_none_are_refused(step, capsys):
    assert run("roi", "--map", "t.nii", *BEYOND, "--step", step, "--print-code") == 2
    assert f"--step {step}: is not a" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--series", "s.nii", "--a", "x", *BEYOND), "--series: needs --b, --conditions"),
        (("--split", "a", "--a", "F", "--b", "M", *BEYOND), "--split: needs --column"),
        (("--map", "t.nii", "--fwhm", 4, *BEYOND), "--fwhm: is not for --map"),
        (("--cohorts", "a", "b", "--column", "x", *BEYOND), "--column: is not for --cohorts"),
        (("--map", "t.nii", *BEYOND), "--output: no results folder"),
        (
            ("--map", "t.nii", *BEYOND, "--step", "regions:x", "-o", "o"),
            "no atlas; name one with --atlas",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments, sentence, capsys):
    assert run("roi", *arguments) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ((), "minus_log10_p"),
        (("--correction", "fdr"), "minus_log10_corrected_p"),
        (("--correction", "fdr", "--use", "effect"), "effect"),
    ],
)
def test_a_corrected_map_is_the_default_where_there_is_a_correction(options, key):
    assert recipe("--cohorts", "a", "b", *BEYOND, *options).map_key == key
