"""`lesion-dash assign`: the library's tables as files, and its choices as options."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from phantoms import AFFINE, SHAPE, image

from lesion_dash import assign_points, assign_regions, cli, load_atlas
from lesion_dash.regions.assignment import COLUMNS, SIIBRA_COLUMNS

NAMES = ["Alpha, upper", "Beta lower", "Gamma"]
ATLAS = ("--atlas", "maps.nii.gz", "--labels", "names.csv")


def smooth(seed, shape=SHAPE):
    values = np.random.default_rng(seed).normal(size=shape)
    return values + np.roll(values, 1, axis=0) + np.roll(values, 1, axis=1)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> None:
    """A 4D atlas with its names, a statistical map on its grid, and one on a coarser grid."""
    monkeypatch.chdir(tmp_path)
    chances = np.stack([np.clip(smooth(seed) / 4, 0, 1) for seed in (1, 2, 3)], axis=-1)
    nib.save(image(chances.astype(np.float32)), "maps.nii.gz")
    rows = [f'{number},"{name}"' for number, name in enumerate(NAMES)]
    Path("names.csv").write_text("\n".join(["index,name", *rows]))
    nib.save(image(smooth(9) + smooth(1) - 3), "t.nii.gz")
    coarse = AFFINE @ np.diag([1.5, 1.5, 1.5, 1])
    nib.save(image(smooth(8, (5, 6, 6)), coarse), "coarse.nii.gz")


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in ("assign", *arguments)])


def assign(*arguments) -> pd.DataFrame:
    """The table that the command writes; it must succeed."""
    assert run(*arguments, *ATLAS, "-o", "out.csv", "--overwrite") == 0
    return pd.read_csv("out.csv")


def expected(name: str = "t.nii.gz", **choices):
    return assign_regions(name, load_atlas("maps.nii.gz", "names.csv"), **choices)


def assert_same(table, other):
    assert len(other) > 1
    # A text that is empty is read as no value.
    names = [name for name in ("full_name", "lobe") if name in table]
    table = table.assign(**{name: table[name].astype(object).fillna("") for name in names})
    other = other.astype(dict.fromkeys(names, object))
    pd.testing.assert_frame_equal(
        table, other.reset_index(drop=True), rtol=1e-11, atol=1e-13, check_dtype=False
    )


def parameters() -> dict:
    return json.loads(Path("out.provenance.json").read_text())["parameters"]


@pytest.mark.parametrize("what", [("t.nii.gz",), ("--points", 2, 4, 6)], ids=["map", "points"])
def test_several_atlases_are_told_one_after_another(what, capsys):
    labels = np.zeros(SHAPE, np.int16)
    labels[:3], labels[4:] = 1, 2
    nib.save(image(labels), "areas.nii.gz")
    Path("areas.csv").write_text("index,name\n1,front\n2,rear\n")
    tables, lines = {}, {}
    for name, table in (("maps", "names.csv"), ("areas", "areas.csv")):
        chosen = ("--atlas", f"{name}.nii.gz", "--labels", table)
        assert run(*what, *chosen, "-o", f"{name}_table.csv") == 0
        tables[name] = pd.read_csv(f"{name}_table.csv")
        lines[name] = capsys.readouterr().out.splitlines()[:-1]
    two = ("--atlas", "maps.nii.gz", "--labels", "names.csv")
    two += ("--atlas", "areas.nii.gz", "--labels", "areas.csv")
    assert run(*what, *two, "-o", "both.csv") == 0
    both = pd.read_csv("both.csv")
    assert both.columns.tolist() == ["atlas", *tables["maps"].columns]
    for name, alone in tables.items():
        rows = both[both["atlas"] == name].drop(columns="atlas").reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, alone, check_dtype=False)
    expected_lines = [line for name, own in lines.items() for line in ("", f"atlas: {name}", *own)]
    assert capsys.readouterr().out.splitlines()[:-1] == expected_lines
    inputs = json.loads(Path("both.provenance.json").read_text())["inputs"]
    assert [each["name"] for each in inputs if each["kind"] == "atlas"] == ["maps", "areas"]


def test_the_table_is_the_librarys_whatever_is_chosen():
    assert_same(assign("t.nii.gz"), expected().table)
    choices = {
        "threshold": 0.7,
        "signs": "both",
        "connectivity": 6,
        "lower_threshold": 0.2,
        "min_size_voxels": 2,
        "min_size_mm3": 40.0,
        "on": "atlas",
    }
    options = [
        word for name, value in choices.items() for word in (f"--{name.replace('_', '-')}", value)
    ]
    assert_same(assign("coarse.nii.gz", *options), expected("coarse.nii.gz", **choices).table)
    assert parameters() == choices | {"like": None, "min_correlation": None}


@pytest.mark.parametrize("name", ["t.nii.gz", "coarse.nii.gz"])
def test_like_siibra_is_its_columns_on_the_grid_of_the_atlas(name):
    table = assign(name, "--like", "siibra", "--lower-threshold", 0.1)
    assert tuple(table) == SIIBRA_COLUMNS
    assert_same(table, expected(name, on="atlas", lower_threshold=0.1).siibra_table)
    assert set(table["region"]) <= set(NAMES)


def test_a_lowest_correlation_ranks_the_rows():
    table = assign("t.nii.gz", "--min-correlation", 0.05)
    assert_same(table, expected().filter(0.05))
    short = assign("t.nii.gz", "--like", "siibra", "--min-correlation", 0.05)
    assert tuple(short) == SIIBRA_COLUMNS
    assert short["correlation"].is_monotonic_decreasing


def test_an_empty_result_has_its_columns_and_says_why(capsys):
    table = assign("t.nii.gz", "--threshold", 1000)
    assert (tuple(table), len(table)) == (COLUMNS, 0)
    error = capsys.readouterr().err
    assert "no component: threshold 1000, signs positive, more than 1 voxels" in error
    assert f"the map's maximum is {nib.load('t.nii.gz').get_fdata().max():g}" in error
    assert tuple(assign("t.nii.gz", "--threshold", 1e3, "--like", "siibra")) == SIIBRA_COLUMNS


def test_the_largest_components_are_printed_first_with_their_best_regions(capsys):
    assign("t.nii.gz", "--threshold", 1.5)
    text = capsys.readouterr().out
    parts = re.split(r"^component (\d+): ", text, flags=re.MULTILINE)[1:]
    regions = [re.findall(r"^    (.*?): ", part, re.MULTILINE) for part in parts[1::2]]
    printed = dict(zip(map(int, parts[::2]), regions, strict=True))
    assignment = expected(threshold=1.5)
    sizes = {part.number: part.voxels for part in assignment.components}
    assert [sizes[number] for number in printed] == sorted(sizes.values(), reverse=True)[:20]
    assert list(sizes) != sorted(sizes, key=lambda number: -sizes[number])
    best = assignment.best.set_index("component")["region"]
    assert all(own[0] == best[number] for number, own in printed.items())
    assert {len(own) for own in printed.values()} <= {1, 2, 3}
    tiny = sum(size < 10 for size in sizes.values())
    assert f"{tiny} of all {len(sizes)} components have fewer than 10 voxels; --min-size" in text


def test_size_peak_and_both_percentages_are_printed(capsys):
    assign("t.nii.gz")
    text = capsys.readouterr().out
    part = max(expected().components, key=lambda component: component.voxels)
    x, y, z = map(round, part.peak_mm)
    assert f"{part.volume_mm3:,.0f} mm³" in text
    assert f"{part.voxels} voxels, peak {part.peak_value:.4g} at {x}, {y}, {z} mm\n" in text
    assert re.search(r"mean probability 0\.\d\d over the component, \d+ % of the region", text)
    assert "-0.00" not in text
    labels = np.ones(SHAPE, np.uint8)
    labels[:3] = 2
    nib.save(image(labels), "labels.nii.gz")
    Path("labels.csv").write_text("index,name\n1,one\n2,two\n")
    assert run("t.nii.gz", "--atlas", "labels.nii.gz", "-o", "o.csv") == 0
    text = capsys.readouterr().out
    assert re.search(r"^    one: \d+ % of the component, \d+ % of the region", text, re.MULTILINE)
    assert "probability" not in text


def test_points_of_the_command_line_or_of_a_file(capsys):
    atlas = load_atlas("maps.nii.gz", "names.csv")
    table = assign("--points", -1, 0.5, 2, "--sigma", 2)
    assert_same(table, assign_points([-1, 0.5, 2], atlas, 2.0).table)
    assert "point 1 at -1, 0.5, 2 mm: " in capsys.readouterr().out
    content = json.loads(Path("out.provenance.json").read_text())
    assert content["inputs"][0] == {"kind": "points", "file": None, "sha256": None}
    assert content["parameters"]["points_mm"] == [[-1, 0.5, 2]]
    points = [[-1, 0.5, 2], [3, 3, 3]]
    Path("peaks.tsv").write_text("x\ty\tz\n-1\t0.5\t2\n3\t3\t3\n")
    table = assign("--points", "peaks.tsv", "--sigma", 1.5)
    assert_same(table, assign_points(points, atlas, 1.5).table)
    Path("own.txt").write_text("-1 0.5 2 1\n3 3 3 4\n")
    assert_same(assign("--points", "own.txt"), assign_points(points, atlas, [1, 4]).table)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("", "IMAGE and --points: give an image or --points"),
        ("t.nii.gz --points 1 2 3", "IMAGE and --points: both given"),
        ("t.nii.gz --sigma 2", "--sigma: is for --points"),
        ("--points 1 2 3 --min-size-mm3 5", "--min-size-mm3: is for maps"),
        ("--points 1 2 3 --like siibra", "--like: is for maps"),
        ("--points 1 2", "--points: '1 2' is not a point; give a file, or x y z"),
        ("--points 1 2 three", "--points: '1 2 three' is not a point"),
        ("--points own.txt --sigma 2", "own.txt: holds a sigma for every point"),
        ("--points nowhere.txt", "nowhere.txt: "),
        ("t.nii.gz --lower-threshold 2", "lower_threshold: is 2.0"),
        ("t.nii.gz --min-correlation 2", "min_correlation: is 2.0"),
        ("t.nii.gz --threshold -1", "threshold: is -1.0"),
        ("maps.nii.gz", "maps.nii.gz: several volumes: 3"),
    ],
)
def test_an_error_is_one_sentence_and_nothing_is_written(capsys, arguments, problem):
    Path("own.txt").write_text("1 2 3 4\n")
    assert run(*arguments.split(), *ATLAS[:2], "-o", "o/out.csv") == 2
    error = capsys.readouterr().err
    assert problem in error
    assert "internal error" not in error
    assert len(error.splitlines()) == 1
    assert not Path("o").exists()
