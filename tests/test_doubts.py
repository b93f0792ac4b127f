"""Atlases whose left and right are swapped: told first, marked in every table, until accepted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from reports import atlas_of, cohorts, no_pictures, report_on, write_study

from lesion_dash import count_regions, load_atlas, overlap
from lesion_dash.atlas.doubts import mark_doubtful, side_doubt
from lesion_dash.cli import main
from lesion_dash.rois.steps import mask_of_regions

ATLAS = "sample_data/atlas/synthetic_atlas.nii.gz"
MARK = " (side doubtful)"


@pytest.fixture
def swapped(tmp_path) -> str:
    """The sample's atlas mirrored in its file, with its table."""
    stored = nib.load(ATLAS)
    affine = np.diag([-1.0, 1, 1, 1]) @ stored.affine
    path = tmp_path / "tracts.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(stored.dataobj), affine), path)
    table = pd.read_csv(ATLAS.replace(".nii.gz", ".csv"))
    table.to_csv(tmp_path / "tracts.csv", index=False)
    return str(path)


def run(*arguments) -> int:
    return main(list(map(str, arguments)))


def test_names_are_marked_until_the_atlas_is_mirrored(swapped):
    atlas = load_atlas(swapped)
    assert side_doubt(atlas).startswith("left and right are swapped: 62 of 62")
    marked = mark_doubtful(atlas)
    assert all(region.name.endswith(MARK) for region in marked.regions)
    assert mark_doubtful(marked) is marked
    mirrored, right = atlas.mirrored(), load_atlas(ATLAS)
    assert not side_doubt(mirrored)
    assert mark_doubtful(mirrored) is mirrored
    rng = np.random.default_rng(0)
    for mm in rng.uniform(-60, 60, (50, 3)):
        assert mirrored.region_at(mm) == right.region_at(mm)


@pytest.fixture
def study(tmp_path):
    """Masks of two groups, and an atlas of two regions with the names of the other side."""
    root = write_study(tmp_path / "study")
    (root / "areas.csv").write_text("index,name\n1,right area\n2,left area\n")
    return root


@pytest.fixture(autouse=True)
def _without_pictures():
    with no_pictures():
        yield


COMMANDS = {
    "overlap": (["overlap", "a", "b"], "region_counts.csv"),
    "load": (["load", "a", "--measure", "mm3"], "region_patients.csv"),
    "compare": (["compare", "a", "b"], "region_differences.csv"),
    "report": (["report", "a"], "region_counts.csv"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_warning_stands_before_the_results_and_names_are_marked(name, study, capsys, monkeypatch):
    command, file = COMMANDS[name]
    monkeypatch.chdir(study)
    command += [] if name == "load" else ["-k", "2"]
    command += ["--atlas", "areas.nii.gz", "-o", "out"]
    assert run(*command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("WARNING: areas: left and right are swapped: 2 of 2 regions")
    assert "--accept-swapped" in lines[0]
    assert "--mirror-atlas" in lines[0]
    names = set(pd.read_csv("out/" + file)["region"])
    assert names - {"outside the atlas"} == {f"right area{MARK}", f"left area{MARK}"}
    if name == "report":
        page = (study / "out" / "report.html").read_text(encoding="utf-8")
        first = page.partition("</section>")[0]
        assert 'role="alert"' in first
        assert "left and right are swapped: 2 of 2" in first

    for option in ("--accept-swapped", "--mirror-atlas"):
        assert run(*command, option, "--overwrite") == 0
        assert "WARNING" not in capsys.readouterr().out
        names = set(pd.read_csv("out/" + file)["region"])
        assert names - {"outside the atlas"} == {"right area", "left area"}
        if option == "--accept-swapped" or name != "report":
            content = json.loads((study / "out" / "provenance.json").read_text())
            assert content["parameters"][option.strip("-").replace("-", "_")] is True


def test_groups_by_side_are_marked_as_well(study, monkeypatch):
    monkeypatch.chdir(study)
    command = ["overlap", "a", "b", "-k", "2", "--atlas", "areas.nii.gz", "-o", "out"]
    assert run(*command, "--by", "hemisphere") == 0
    assert {*pd.read_csv("out/region_counts.csv")["region"]} == {
        *(f"left{MARK}", f"right{MARK}", "outside the atlas"),
    }


def test_of_several_atlases_the_swapped_one_is_mirrored(study, monkeypatch, capsys):
    monkeypatch.chdir(study)
    for ending in ("nii.gz", "csv"):
        shutil.copy(f"areas.{ending}", f"right.{ending}")
    Path("right.csv").write_text("index,name\n1,left area\n2,right area\n")
    command = ["overlap", "a", "b", "-k", "2", "--mirror-atlas", "--overwrite", "-o", "out"]
    assert run(*command, "--atlas", "areas.nii.gz", "--atlas", "right.nii.gz") == 0
    assert "WARNING" not in capsys.readouterr().out
    areas, right = (
        pd.read_csv(f"out/region_counts_{name}.csv").set_index("region")["voxels"]
        for name in ("areas", "right")
    )
    (a, b), grid = cohorts(study), load_atlas("areas.nii.gz").mirrored()
    assert areas.to_dict() == {
        row.region: row.voxels
        for row in count_regions(overlap(a.at_least(2), b.at_least(2)).both, grid).rows
    }
    assert right["left area"] != areas["left area"]
    assert run(*command, "--atlas", "right.nii.gz", "--atlas", "right.nii.gz") == 2
    assert "left and right agree with the names in each atlas" in capsys.readouterr().err


def test_points_have_marked_names(swapped, tmp_path, capsys):
    out = tmp_path / "points.csv"
    command = ["assign", "--atlas", swapped, "--points", "-26", "0", "8", "-o", out]
    assert run(*command) == 0
    assert capsys.readouterr().out.startswith("WARNING: tracts: left and right are swapped")
    assert pd.read_csv(out)["region"].iloc[0] == f"Synthetic putamen R{MARK}"
    assert run(*command, "--mirror-atlas", "--overwrite") == 0
    assert pd.read_csv(out)["region"].iloc[0] == "Synthetic putamen L"
    content = json.loads((tmp_path / "points.provenance.json").read_text())
    assert content["parameters"]["mirror_atlas"] is True


def test_regions_are_taken_by_marked_and_by_plain_names(swapped):
    atlas = load_atlas(swapped)
    names = ["Synthetic insula L", "Synthetic putamen R"]
    expected = mask_of_regions(atlas, names).indices
    for own in (atlas, mark_doubtful(atlas)):
        for given in (names, [name + MARK for name in names]):
            assert np.array_equal(mask_of_regions(own, given).indices, expected)


def test_regions_of_interest_have_marked_names(swapped, tmp_path, capsys):
    out = tmp_path / "rois"
    step = "regions:Synthetic insula L,Synthetic putamen L"  # by their names in the table
    command = ["roi", "--cohorts", "sample_data/cohort_a", "sample_data/cohort_b"]
    command += ["--atlas", swapped, "--use", "effect", "--threshold", "-1", "--step", step]
    command += ["-o", out, "--overwrite"]
    expected = {
        (): (MARK, 1),  # what the table calls left lies on the right
        ("--accept-swapped",): ("", 1),
        ("--mirror-atlas",): ("", -1),
    }
    for options, (mark, side) in expected.items():
        assert run(*command, *options) == 0
        printed = capsys.readouterr().out
        assert printed.startswith("WARNING: tracts: left and right are swapped") is bool(mark)
        table = pd.read_csv(out / "mask_atlas.tsv", sep="\t")
        regions = table["region"]
        assert len(regions)
        assert set(regions.str.endswith(MARK)) == {bool(mark)}
        assert {name.removesuffix(MARK) for name in regions} == {
            "Synthetic insula L",
            "Synthetic putamen L",
        }
        assert set(np.sign(table["peak_x_mm"])) == {side}
        content = json.loads((out / "provenance.json").read_text())
        used = {name: content["parameters"][name] for name in ("accept_swapped", "mirror_atlas")}
        assert used == {
            "accept_swapped": options == ("--accept-swapped",),
            "mirror_atlas": options == ("--mirror-atlas",),
        }


def test_a_report_in_python_tells_what_is_accepted_or_mirrored(study):
    (a,), atlas = cohorts(study, "a"), atlas_of(study)
    accepted = report_on(a, atlas=atlas, accept_swapped=True)
    assert "doubtful" not in accepted.files["region_counts.csv"].decode()
    assert "as was stated" in accepted.html
    assert "--accept-swapped" in accepted.html.partition('id="command"')[2]
    mirrored = report_on(a, atlas=atlas.mirrored())
    assert "--mirror-atlas" in mirrored.html.partition('id="command"')[2]
    assert 'role="alert"' not in mirrored.html
