"""Commands on folders of masks: their files are those of the library, or of brute force.

What holds of every command is in test_commands.py.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from buckets import empty_bucket, upload
from phantoms import AFFINE, SHAPE, brute_force, image, random_masks, write_masks

from lesion_dash import (
    cli,
    cohort_differences,
    lesion_load,
    load_atlas,
    load_cohort,
    mean_contrast,
    permute_volumes,
    restrict_cohort,
    threshold_coverage,
    volume_stats,
)
from lesion_dash.cohort.conditions import parse_conditions
from lesion_dash.cohort.reading import ReadOptions
from lesion_dash.plotting.figures import draw_histogram, figure_bytes
from lesion_dash.stats import differences, topography
from lesion_dash.stats.overlap import FILE_NAME as OVERLAP_NAME
from lesion_dash.stats.size_bias import STATEMENT
from lesion_dash.stats.topography import folder_stats

ATLAS = "atlas.nii.gz"
MASKS = {"a": random_masks(12), "b": random_masks(12, seed=9)}
# Sides are true to their names: the first region lies where x < 0.
X_MM = AFFINE[0, 0] * np.arange(SHAPE[0]) + AFFINE[0, 3]
LEFT = np.broadcast_to((X_MM.mean() > X_MM)[:, None, None], SHAPE)
LABELS = np.random.default_rng(3).choice([0, 1], SHAPE) * np.where(LEFT, 3, 12).astype(np.uint8)
CHANCES = np.random.default_rng(4).integers(0, 51, (*SHAPE, 2)) / 100
CHANCES *= np.stack([LEFT, ~LEFT], axis=-1)
# Text of a table is never a formula.
TABLE = "index,name,lobe\n{},insula L,insular\n{},=cuneus R,occipital\n"
WOMEN_OF_50 = ("sex=F", "age>=50")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Two cohorts, a table above both, and two atlases of the same name: labels and maps."""
    root = tmp_path_factory.mktemp("study")
    rows = ["participant_id\tsex\tage"]
    for number in range(12):
        age = "n/a" if number == 2 else 40 + 4 * number
        rows.append(f"sub-{number:03}\t{'FM'[number % 2]}\t{age}")
    (root / "participants.tsv").write_text("\n".join(rows) + "\n")
    for name, masks in MASKS.items():
        write_masks(root / name, masks)
    for kind, array, numbers in (("labels", LABELS, (3, 12)), ("maps", CHANCES, (1, 2))):
        path = root / kind / "atlas.nii.gz"
        path.parent.mkdir()
        nib.save(image(array.astype(np.float32)), path)
        path.with_name("atlas.csv").write_text(TABLE.format(*numbers))
    return root


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def where(*conditions) -> list[str]:
    return [word for condition in conditions for word in ("--where", condition)]


def provenance(folder: Path) -> dict:
    return json.loads((folder / "provenance.json").read_text())


def array_of(path: Path) -> np.ndarray:
    return np.asanyarray(nib.load(path).dataobj)


def assert_maps(folder: Path, images: dict) -> None:
    """Single precision, bit by bit what the library gives."""
    assert images
    for name, expected in images.items():
        assert array_of(folder / name).tobytes() == expected.array.astype("f4").tobytes()
        np.testing.assert_allclose(nib.load(folder / name).affine, AFFINE)


def test_stats_writes_the_maps_that_brute_force_gives(study, out):
    assert run("stats", study / "a", "-o", out, "-k", 3) == 0
    expected = brute_force(MASKS["a"], 3, 8.0)
    for key, name in topography.FILE_NAMES.items():
        assert nib.load(out / name).get_data_dtype() == np.float32
        np.testing.assert_allclose(array_of(out / name), expected[key].astype("f4"), rtol=2e-7)


def test_stats_says_which_files_are_skipped_and_why(tmp_path, out, capsys):
    folder = write_masks(tmp_path / "masks", MASKS["a"])
    (folder / "sub-bad.nii").write_bytes(b"broken")
    assert run("stats", folder, "-o", out) == 0
    table = pd.read_csv(out / "patients.csv")
    assert list(table) == ["patient", "file", "status", "reason", "voxels", "volume_mm3"]
    assert (table["status"] == "used").sum() == 12
    assert "header incomplete" in table.set_index("patient").loc["sub-bad", "reason"]
    assert "1 of 13 files skipped" in capsys.readouterr().err


def test_stats_of_some_patients_are_the_librarys_and_name_the_others(study, out, capsys):
    assert run("stats", study / "a", "-k", 2, "-o", out, *where(*WOMEN_OF_50)) == 0
    expected = volume_stats(restrict_cohort(load_cohort(study / "a"), WOMEN_OF_50), 2)
    images = {name: getattr(expected, key) for key, name in topography.FILE_NAMES.items()}
    assert_maps(out, images)
    table = pd.read_csv(out / "patients.csv").set_index("patient")
    used = [f"sub-{number:03}" for number in (4, 6, 8, 10)]
    assert table[table["status"] == "used"].index.tolist() == used
    reasons = table["reason"]
    assert reasons["sub-001"] == "excluded, not met: age >= 50; excluded, not met: sex = F"
    assert reasons["sub-002"] == "excluded, value missing: age >= 50"
    shown = capsys.readouterr()
    assert "note: sex = F: 6 of 12 patients excluded" in shown.err
    assert "8 of 12 patients excluded in all" in shown.err
    assert "files skipped" not in shown.err
    assert "sub-001" not in shown.err
    assert "4 patients," in shown.out
    content = provenance(out)
    assert content["parameters"]["where"] == [*WOMEN_OF_50]
    source = content["inputs"][0]
    assert (content["counts"]["patients"], source["used"], source["skipped"]) == (4, 4, 8)
    assert len(source["participants"]["sha256"]) == 64
    assert source["files"][0] == {
        "file": "sub-000_lesion.nii.gz",
        "sha256": None,
        "status": "skipped",
        "reason": "excluded, not met: age >= 50",
    }
    assert "reason" not in source["files"][4]


def test_masks_behind_a_url_are_restricted_alike(study):
    pytest.importorskip("fsspec")
    conditions = parse_conditions(WOMEN_OF_50)
    with empty_bucket() as bucket:
        url = upload(study / "a", bucket, "memory://bucket/study/a")
        (study / "a" / "participants.tsv").unlink(missing_ok=True)
        table = study / "participants.tsv"
        options = ReadOptions(participants=table, where=conditions)
        listing, stats = folder_stats(url, 2, options=options)
    own, expected = folder_stats(study / "a", 2, options=options)
    assert (listing.name, listing.notes, listing.patients) == (own.name, own.notes, own.patients)
    for key, array in expected.arrays.items():
        assert stats.arrays[key].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("sexe=F", "has no column 'sexe'; did you mean sex?"),
        ("age>=200", "no patient matches: none of 12 meets age >= 200; age runs from 40 to 84"),
        ("age", "age: is not a condition; write"),
    ],
)
def test_a_condition_that_cannot_be_asked_is_one_sentence(study, out, capsys, condition, problem):
    assert run("stats", study / "a", "-o", out, *where(condition)) == 2
    shown = capsys.readouterr().err
    assert problem in shown
    assert "internal error" not in shown
    assert not out.exists()


@pytest.mark.parametrize("side", ["larger", "two-sided"])
def test_size_bias_is_the_librarys(study, out, capsys, side):
    options = ("-k", 4, "--permutations", 60, "--seed", 3, "--side", side)
    assert run("size-bias", study / "a", "-o", out, *options) == 0
    cohort = load_cohort(study / "a")
    means, test = mean_contrast(cohort, 4), permute_volumes(cohort, 4, 60, 3, side)
    assert_maps(out, means.files | test.files)
    shown = capsys.readouterr().out
    assert test.sentence in shown
    assert STATEMENT in shown
    assert f"corrected p at most 0.05: {test.significant():,} voxels" in shown
    assert f"size-weighted mean {means.weighted_mean / 1000:,.2f} mL" in shown
    content = provenance(out)
    chosen = {"min_patients": 4, "permutations": 60, "seed": 3, "side": side}
    assert chosen.items() <= content["parameters"].items()
    counts = content["counts"]
    assert (counts["voxels_tested"], counts["patterns"]) == (test.tested, test.patterns)
    assert counts["voxels_corrected_p_at_most_0.05"] == test.significant()


def test_size_bias_of_a_subgroup_is_shuffled_among_itself(study, out, capsys):
    options = (*where("sex=F"), "-k", 3, "--permutations", 60)
    assert run("size-bias", study / "a", "-o", out, *options) == 0
    assert "volumes shuffled among 6 patients 60 times" in capsys.readouterr().out
    women = load_cohort(study / "a").select(range(0, 12, 2))
    assert_maps(out, {"lesion_size_p.nii": permute_volumes(women, 3, 60).map("p")})


def test_overlap_is_that_of_brute_force_in_labels_and_in_maps(study, out, capsys):
    atlases = [word for kind in ("labels", "maps") for word in ("--atlas", study / kind / ATLAS)]
    assert run("overlap", study / "a", study / "b", *atlases, "-k", 4, "-o", out) == 0
    a, b = (np.sum(MASKS[name], axis=0) >= 4 for name in "ab")
    np.testing.assert_array_equal(array_of(out / OVERLAP_NAME) > 0, a & b)
    assert provenance(out)["counts"]["voxels_either"] == (a | b).sum()
    counted = pd.read_csv(out / "region_counts_atlas.csv").set_index("region")
    assert counted["voxels"].sum() == (a & b).sum()
    assert counted.loc["insula L", "voxels"] == (a & b & (LABELS == 3)).sum()
    likely = pd.read_csv(out / "region_counts_atlas_2.csv").set_index("region")
    assert likely["expected_voxels"].sum() == pytest.approx((a & b).sum())
    expected = CHANCES[..., 0].astype(np.float32)[a & b].sum(dtype=float)
    assert likely.loc["insula L", "expected_voxels"] == pytest.approx(expected)
    assert capsys.readouterr().out.count("outside the atlas") == 2


def test_overlap_by_hemisphere(study, out):
    chosen = ("--atlas", study / "labels" / ATLAS, "--by", "hemisphere", "-k", 2)
    assert run("overlap", study / "a", study / "a", *chosen, "-o", out) == 0
    table = pd.read_csv(out / "region_counts.csv").set_index("region")
    mask = np.sum(MASKS["a"], axis=0) >= 2
    sides = {"left": LABELS == 3, "right": LABELS == 12, "outside the atlas": LABELS == 0}
    assert set(table.index) == set(sides)
    for name, inside in sides.items():
        assert table.loc[name, "voxels"] == (mask & inside).sum()


@pytest.mark.parametrize(
    ("folders", "options", "conditions"),
    [
        ("ab", where(*WOMEN_OF_50), (WOMEN_OF_50, WOMEN_OF_50)),
        (
            "aa",
            ["--where-a", "sex=F", "--where-b", "sex=M", *where("age>=44")],
            (("sex=F", "age>=44"), ("sex=M", "age>=44")),
        ),
    ],
    ids=["both", "parts of one folder"],
)
def test_overlap_restricts_each_cohort(study, out, capsys, folders, options, conditions):
    places = [study / name for name in folders]
    atlas = ("--atlas", study / "labels" / ATLAS)
    assert run("overlap", *places, *options, *atlas, "-k", 1, "-o", out) == 0
    a, b = (
        restrict_cohort(load_cohort(place), own).at_least(1)
        for place, own in zip(places, conditions, strict=True)
    )
    mask = array_of(out / OVERLAP_NAME).ravel(order="F")
    np.testing.assert_array_equal(np.flatnonzero(mask), np.intersect1d(a.indices, b.indices))
    assert [one.get("used") for one in provenance(out)["inputs"]] == [4, 4, None] or folders == "aa"
    assert "note: a: " in capsys.readouterr().err


def test_overlap_asks_nothing_of_a_single_mask(study, out, capsys):
    mask = study / "b" / "sub-001_lesion.nii.gz"
    rest = ("--atlas", study / "labels" / ATLAS, "-k", 2, "-o", out)
    assert run("overlap", study / "a", mask, "--where-b", "sex=F", *rest) == 2
    assert "--where-b: " in capsys.readouterr().err
    assert run("overlap", mask, mask, *where("sex=F"), *rest) == 2
    assert "are single masks" in capsys.readouterr().err
    assert not out.exists()
    assert run("overlap", study / "a", mask, *where("sex=F"), *rest) == 0
    assert "is a single mask, used as it is" in capsys.readouterr().err


@pytest.mark.parametrize("outside", ["nan", "zero"])
def test_compare_is_the_librarys(study, out, capsys, outside):
    chosen = ("-k", 2, "--outside", outside)
    assert run("compare", study / "a", study / "b", *chosen, "-o", out) == 0
    expected = cohort_differences(*(load_cohort(study / name) for name in "ab"), 2, outside)
    assert_maps(out, expected.files)
    assert np.isfinite(array_of(out / differences.FILE_NAMES["mean"])).all() == (outside == "zero")
    assert provenance(out)["counts"]["voxels_mean"] == expected.compared.voxels
    shown = capsys.readouterr().out
    assert "A: a: 12 patients\nB: b: 12 patients\n" in shown
    low, high = expected.frequency.array.min(), expected.frequency.array.max()
    assert f"from {low:+.1f} to {high:+.1f} percentage points" in shown
    assert f"{expected.compared.voxels:,} voxels with at least 2 patients of each" in shown


def test_compare_takes_two_parts_of_one_folder(study, out, capsys):
    sides = ("--where-a", "sex=F", "--where-b", "sex=M")
    assert run("compare", study / "a", study / "a", *sides, "-o", out, "-k", 1) == 0
    cohort = load_cohort(study / "a")
    women, men = (cohort.select(range(first, 12, 2)) for first in (0, 1))
    assert_maps(out, cohort_differences(women, men, 1).files)
    assert provenance(out)["parameters"]["where_a"] == ["sex=F"]
    shown = capsys.readouterr().out
    assert "A: a, sex = F: 6 patients\nB: a, sex = M: 6 patients\n" in shown
    assert "in A as well" not in shown


def test_numbers_are_written_as_one_would(tmp_path, out, capsys):
    mask = np.zeros(SHAPE, np.uint8)
    mask[2, 2, 2] = 1
    for name in ("a", "b"):
        write_masks(tmp_path / name, [mask, mask])
    assert run("compare", tmp_path / "a", tmp_path / "b", "-k", 1, "-o", out) == 0
    shown = capsys.readouterr().out
    assert "from +0.0 to +0.0 mL in 1 voxel with at least 1 patient of each" in shown
    assert "-0.0" not in shown


def test_compare_says_where_no_mean_can_be_compared(tmp_path, out, capsys):
    few = [
        write_masks(tmp_path / name, random_masks(3, seed + 1)) for seed, name in enumerate("ab")
    ]
    assert run("compare", *few, "-o", out) == 0
    warning = capsys.readouterr().err
    assert "no voxel is lesioned in 5 patients of A and in 5 of B" in warning
    assert "lower --min-patients" in warning


@pytest.mark.parametrize(
    "command",
    [
        ("stats", "a"),
        ("size-bias", "a"),
        ("overlap", "b", "a", "--atlas", f"labels/{ATLAS}"),
        ("compare", "b", "a"),
        ("report", "a"),
        ("report", "a", "b", "--where", "sex=F"),
        ("coverage", "a"),
    ],
    ids=" ".join,
)
def test_a_minimum_that_no_voxel_reaches_is_an_error_with_the_largest_that_one_does(
    study, out, capsys, monkeypatch, command
):
    monkeypatch.chdir(study)
    ending = "k.csv" if command[0] == "coverage" else ""
    assert run(*command, "-k", 13, "-o", out / ending) == 2
    *_, told = capsys.readouterr().err.splitlines()
    name = re.search("no voxel of (a|b)(, sex = F)? is lesioned in 13 patients", told)
    chosen = slice(None, None, 2) if name[2] else slice(None)
    most = np.sum(MASKS[name[1]][chosen], axis=0).max()
    assert f"give {most} or less" in told
    assert not out.exists()


def test_compare_refuses_grids_that_do_not_coincide(study, tmp_path, out, capsys):
    affine = AFFINE.copy()
    affine[1, 3] += 1.4
    moved = write_masks(tmp_path / "moved", random_masks(4, 3), affine)
    assert run("compare", study / "a", moved, "-k", 1, "-o", out) == 2
    assert "moved: is not on the grid of the other map" in capsys.readouterr().err
    assert not out.exists()


def test_coverage_is_the_librarys(study, out, capsys):
    assert run("coverage", study / "a", "-o", out / "k.csv", "-k", 3) == 0
    assert sorted(file.name for file in out.glob("k.*")) == ["k.csv", "k.provenance.json"]
    expected = threshold_coverage(load_cohort(study / "a"))
    table = pd.read_csv(out / "k.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(table, expected.table, rtol=1e-11, check_dtype=False)
    counts = json.loads((out / "k.provenance.json").read_text())["counts"]
    assert counts["brain_voxels"] == expected.brain_voxels
    assert counts["conventions"]["10 % of patients"] == 2
    shown = capsys.readouterr().out
    assert f"a: 12 patients, maximum overlap {expected.max_overlap}" in shown
    assert f"\n{expected.at(3).sentence}\n" in shown
    assert "  10 patients (Weaver et al. 2019, figure 3" in shown


def test_characters_of_formulas_in_a_name_are_drawn_as_they_are(tmp_path):
    odd = write_masks(tmp_path / r"d$\frac$", random_masks(3))
    plot = tmp_path / "k.png"
    assert run("coverage", odd, "-o", tmp_path / "k.csv", "--plot", plot) == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    figure_bytes(draw_histogram([1.0, 2.0], odd.name), "png")


@pytest.mark.parametrize(
    ("output", "plot", "problem"),
    [
        ("k.txt", "k.png", "k.txt: is not the name of a CSV file; let it end in .csv"),
        (
            "k.csv",
            "k.gif",
            "is not the name of a figure; let it end in .png or .svg or .pdf",
        ),
        ("k.csv", "elsewhere/k.png", "is not in the folder of"),
    ],
)
def test_places_that_cannot_be_are_refused(study, tmp_path, capsys, output, plot, problem):
    places = ("-o", tmp_path / output, "--plot", tmp_path / plot)
    assert run("coverage", study / "a", *places) == 2
    assert problem in capsys.readouterr().err
    assert not list(tmp_path.glob("k.*"))


def test_load_is_the_librarys(study, out, capsys):
    atlas = study / "labels" / ATLAS
    assert run("load", study / "a", "--atlas", atlas, "-o", out) == 0
    load = lesion_load(load_cohort(study / "a"), load_atlas(atlas))
    for measure in ("region", "lesion", "mm3"):
        table = pd.read_csv(out / f"lesion_load_{measure}.csv").set_index("patient")
        assert table.index.tolist() == [patient.id for patient in load.cohort.used]
        values = table[["3_insula L", "12_=cuneus R"]]
        np.testing.assert_allclose(values, load.values(measure), rtol=1e-11)
        assert table.loc["sub-001", "age"] == 44
        assert (out / f"lesion_load_{measure}.png").read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    assert "12 patients x 2 regions; most often lesioned:" in shown
    mean = 100 * load.of_region[:, 0].mean()
    assert "  insula L (insular): in 12 of 12 patients (" in shown
    assert f"{mean:.1f} % of the region, mean of these" in shown


def test_load_of_some_patients_in_several_atlases_by_lobe(study, out):
    atlases = [study / kind / ATLAS for kind in ("labels", "maps")]
    chosen = [word for atlas in atlases for word in ("--atlas", atlas)]
    chosen += ["--measure", "mm3", *where("sex=M,missing")]
    assert run("load", study / "a", *chosen, "-o", out) == 0
    cohort = load_cohort(study / "a", where=parse_conditions(["sex=M,missing"]))
    for atlas, name in zip(atlases, ("atlas", "atlas_2"), strict=True):
        expected = lesion_load(cohort, load_atlas(atlas).on_grid(cohort.grid))
        table = pd.read_csv(out / f"lesion_load_mm3_{name}.csv")
        assert table["patient"].tolist() == [f"sub-{number:03}" for number in range(1, 12, 2)]
        values = table[[name for name in table if name.endswith(("insula L", "cuneus R"))]]
        np.testing.assert_allclose(values, expected.volume_mm3, rtol=1e-11)
    assert run("load", study / "a", *chosen, "--by", "parent", "-o", out, "--overwrite") == 0
    assert {"1_insular", "2_occipital"} <= {*pd.read_csv(out / "lesion_load_mm3_atlas.csv")}


@pytest.mark.parametrize("command", ["load", "overlap"])
def test_an_atlas_that_does_not_fit_leaves_nothing(study, tmp_path, out, capsys, command):
    folders = [study / "a"] * (1 if command == "load" else 2)
    affine = AFFINE.copy()
    affine[:3, 3] += 500
    nib.save(image(LABELS, affine), tmp_path / "far.nii")
    assert run(command, *folders, "--atlas", tmp_path / "far.nii", "-o", out) == 2
    assert "far" in capsys.readouterr().err
    labels = ("--atlas", study / "labels" / ATLAS)
    two = (*labels, "--atlas", study / "maps" / ATLAS, "--labels", study / "maps" / "atlas.csv")
    assert run(command, *folders, *two, "-o", out) == 2
    assert "--labels: 1 label tables for 2 atlases" in capsys.readouterr().err
    (tmp_path / "plain.csv").write_text("index,name\n3,insula\n12,cuneus\n")
    by = (*labels, "--labels", tmp_path / "plain.csv", "--by", "hemisphere")
    assert run(command, *folders, *by, "-o", out) == 2
    assert "no region has a hemisphere" in capsys.readouterr().err
    assert not out.exists()
