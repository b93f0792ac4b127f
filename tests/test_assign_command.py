"""`lesion-dash assign`: the library's tables as files, and its choices as options."""

from __future__ import annotations

import json
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from phantoms import AFFINE, SHAPE, image

from lesion_dash import cli
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.regions.assignment import COLUMNS, SIIBRA_COLUMNS, assign_regions
from lesion_dash.regions.points import assign_points

NAMES = ["Alpha, left", "Beta left", "Gamma right"]


def smooth(seed, shape=SHAPE):
    values = np.random.default_rng(seed).normal(size=shape)
    return values + np.roll(values, 1, axis=0) + np.roll(values, 1, axis=1)


@pytest.fixture
def files(tmp_path):
    """A 4D atlas with its names, a statistical map on its grid, and one on a coarser grid."""
    chances = np.stack([np.clip(smooth(seed) / 4, 0, 1) for seed in (1, 2, 3)], axis=-1)
    nib.save(image(chances.astype(np.float32)), tmp_path / "maps.nii.gz")
    rows = [f'{number},"{name}"' for number, name in enumerate(NAMES)]
    (tmp_path / "names.csv").write_text("\n".join(["index,name", *rows]))
    nib.save(image(smooth(9) + smooth(1) - 3), tmp_path / "t.nii.gz")
    coarse = AFFINE @ np.diag([1.5, 1.5, 1.5, 1])
    nib.save(image(smooth(8, (5, 6, 6)), coarse), tmp_path / "coarse.nii.gz")
    return tmp_path


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def assign(files, *arguments, output="out/regions.csv"):
    """The table that the command writes; it must succeed."""
    chosen = ("--atlas", files / "maps.nii.gz", "--labels", files / "names.csv")
    assert run("assign", *arguments, *chosen, "-o", files / output) == 0
    return pd.read_csv(files / output)


def atlas_of(files):
    return load_atlas(files / "maps.nii.gz", files / "names.csv")


def assert_same(table, expected):
    expected = expected.reset_index(drop=True)
    assert list(table) == list(expected)
    pd.testing.assert_frame_equal(table, expected, rtol=1e-11, atol=1e-13, check_dtype=False)


def test_the_table_is_the_librarys(files):
    expected = assign_regions(files / "t.nii.gz", atlas_of(files)).table
    assert len(expected) > 5
    assert_same(assign(files, files / "t.nii.gz"), expected)


@pytest.mark.parametrize("name", ["t.nii.gz", "coarse.nii.gz"])
def test_like_siibra_is_its_columns_on_the_grid_of_the_atlas(files, name):
    table = assign(files, files / name, "--like", "siibra", "--lower-threshold", 0.1)
    assert tuple(table) == SIIBRA_COLUMNS
    expected = assign_regions(files / name, atlas_of(files), on="atlas", lower_threshold=0.1)
    assert_same(table, expected.siibra_table)
    assert set(table["region"]) <= set(NAMES)


def test_every_choice_reaches_the_library(files):
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
    table = assign(files, files / "coarse.nii.gz", *options)
    found = assign_regions(files / "coarse.nii.gz", atlas_of(files), **choices)
    assert len(found.table) > 3
    assert_same(table, found.table)
    provenance = json.loads((files / "out/regions.provenance.json").read_text())
    own = {"like": None, "min_correlation": None}
    assert provenance["parameters"] == choices | own


def test_a_lowest_correlation_ranks_the_rows(files):
    table = assign(files, files / "t.nii.gz", "--min-correlation", 0.05)
    expected = assign_regions(files / "t.nii.gz", atlas_of(files)).filter(0.05)
    assert len(expected) > 1
    assert_same(table, expected)
    short = assign(
        files, files / "t.nii.gz", "--like", "siibra", "--min-correlation", 0.05, output="s.csv"
    )
    assert tuple(short) == SIIBRA_COLUMNS
    assert short["correlation"].is_monotonic_decreasing


def test_an_empty_result_has_its_columns_and_says_why(files, capsys):
    table = assign(files, files / "t.nii.gz", "--threshold", 1000)
    highest = nib.load(files / "t.nii.gz").get_fdata().max()
    assert tuple(table) == COLUMNS
    assert len(table) == 0
    error = capsys.readouterr().err
    assert "no component: threshold 1000, signs positive, more than 1 voxels" in error
    assert f"the map's maximum is {highest:g}" in error
    table = assign(
        files, files / "t.nii.gz", "--threshold", 1e3, "--like", "siibra", output="s.csv"
    )
    assert tuple(table) == SIIBRA_COLUMNS


def printed_components(text):
    """The number of each component, with the regions below it, as they are printed."""
    parts = re.split(r"^component (\d+): ", text, flags=re.MULTILINE)[1:]
    regions = [re.findall(r"^    (.*?): ", part, re.MULTILINE) for part in parts[1::2]]
    return dict(zip(map(int, parts[::2]), regions, strict=True))


def test_the_largest_components_are_printed_first_with_their_best_regions(files, capsys):
    assign(files, files / "t.nii.gz", "--threshold", 1.5)
    text = capsys.readouterr().out
    found = assign_regions(files / "t.nii.gz", atlas_of(files), threshold=1.5)
    sizes = {part.number: part.voxels for part in found.components}
    printed = printed_components(text)
    assert [sizes[number] for number in printed] == sorted(sizes.values(), reverse=True)[:20]
    assert list(sizes) != sorted(sizes, key=lambda number: -sizes[number])
    best = found.best.set_index("component")["region"]
    for number, regions in printed.items():
        assert regions[0] == best[number]
        assert 1 <= len(regions) <= 3
    tiny = sum(size < 10 for size in sizes.values())
    assert f"{tiny} of all {len(sizes)} components have fewer than 10 voxels; --min-size" in text


def test_the_size_the_peak_and_both_shares_are_named(files, capsys):
    assign(files, files / "t.nii.gz")
    text = capsys.readouterr().out
    (part, *_) = sorted(
        assign_regions(files / "t.nii.gz", atlas_of(files)).components, key=lambda one: -one.voxels
    )
    x, y, z = map(round, part.peak_mm)
    size = f"{part.volume_mm3:,.0f} mm³"
    assert size in text
    assert f"{part.voxels} voxels, peak {part.peak_value:.4g} at {x}, {y}, {z} mm\n" in text
    assert re.search(r"mean probability 0\.\d\d over the component, \d+ % of the region", text)
    assert "-0.00" not in text


def test_shares_of_a_labelled_atlas_name_what_they_are_of(files, capsys):
    labels = np.ones(SHAPE, np.uint8)
    labels[:3] = 2
    nib.save(image(labels), files / "labels.nii.gz")
    (files / "labels.csv").write_text("index,name\n1,one\n2,two\n")
    arguments = ("assign", files / "t.nii.gz", "--atlas", files / "labels.nii.gz")
    assert run(*arguments, "-o", files / "o.csv") == 0
    text = capsys.readouterr().out
    assert re.search(r"^    one: \d+ % of the component, \d+ % of the region", text, re.MULTILINE)
    assert "probability" not in text


def test_one_point(files, capsys):
    table = assign(files, "--points", -1, 0.5, 2, "--sigma", 2)
    assert_same(table, assign_points([-1, 0.5, 2], atlas_of(files), 2.0).table)
    assert "point 1 at -1, 0.5, 2 mm: " in capsys.readouterr().out
    content = json.loads((files / "out/regions.provenance.json").read_text())
    assert content["inputs"][0] == {"kind": "points", "file": None, "sha256": None}
    assert content["parameters"]["points_mm"] == [[-1, 0.5, 2]]


def test_points_of_a_file(files):
    (files / "peaks.tsv").write_text("x\ty\tz\n-1\t0.5\t2\n3\t3\t3\n")
    points = [[-1, 0.5, 2], [3, 3, 3]]
    table = assign(files, "--points", files / "peaks.tsv", "--sigma", 1.5)
    assert_same(table, assign_points(points, atlas_of(files), 1.5).table)
    (files / "own.txt").write_text("-1 0.5 2 1\n3 3 3 4\n")
    table = assign(files, "--points", files / "own.txt", output="own.csv")
    assert_same(table, assign_points(points, atlas_of(files), [1, 4]).table)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ([], "IMAGE and --points: give an image or --points"),
        (["{t}", "--points", 1, 2, 3], "IMAGE and --points: both given"),
        (["{t}", "--sigma", 2], "--sigma: is for --points"),
        (["--points", 1, 2, 3, "--min-size-mm3", 5], "--min-size-mm3: is for maps"),
        (["--points", 1, 2, 3, "--like", "siibra"], "--like: is for maps"),
        (["--points", 1, 2], "--points: '1 2' is no point; give a file, or x y z"),
        (["--points", 1, 2, "three"], "--points: '1 2 three' is no point"),
        (["--points", "{own}", "--sigma", 2], "own.txt: holds a sigma for every point"),
        (["--points", "{tmp}/nowhere.txt"], "nowhere.txt: "),
        (["{t}", "--lower-threshold", 2], "lower_threshold: is 2.0"),
        (["{t}", "--min-correlation", 2], "min_correlation: is 2.0"),
        (["{t}", "--threshold", -1], "threshold: is -1.0"),
        (["{tmp}/nowhere.nii"], "nowhere.nii: "),
        (["{tmp}/maps.nii.gz"], "maps.nii.gz: several volumes: 3"),
    ],
)
def test_an_error_is_one_sentence_and_nothing_is_written(files, capsys, arguments, match):
    (files / "own.txt").write_text("1 2 3 4\n")
    places = {"t": files / "t.nii.gz", "own": files / "own.txt", "tmp": files}
    given = [str(argument).format(**places) for argument in arguments]
    assert run("assign", *given, "--atlas", files / "maps.nii.gz", "-o", files / "o/out.csv") == 2
    error = capsys.readouterr().err
    assert match in error
    assert "internal error" not in error
    assert len(error.splitlines()) == 1
    assert not (files / "o").exists()
