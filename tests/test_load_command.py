"""`lesion-dash load`, and several atlases at once in `overlap`."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from phantoms import AFFINE, SHAPE, image, random_masks, write_masks

from lesion_dash import cli
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.regions.load import lesion_load

LABELS = np.random.default_rng(3).choice([0, 3, 12], SHAPE).astype(np.uint8)
CHANCES = np.random.default_rng(4).integers(0, 51, (*SHAPE, 2)) / 100
TABLE = "index,name,lobe\n{},insula L,insular\n{},=cuneus R,occipital\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "participants.tsv").write_text("participant_id\tage\nsub-001\t71\n")
    return write_masks(tmp_path / "masks", random_masks(6, seed=8))


@pytest.fixture
def atlases(tmp_path):
    """A labelled atlas and one of two maps, of the same name in folders of their own."""
    paths = []
    for kind, array, numbers in (("labels", LABELS, (3, 12)), ("maps", CHANCES, (1, 2))):
        path = tmp_path / kind / "atlas.nii.gz"
        path.parent.mkdir()
        nib.save(image(array.astype(np.float32), AFFINE), path)
        path.with_name("atlas.csv").write_text(TABLE.format(*numbers))
        paths.append(path)
    return paths


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_load_writes_what_the_library_gives(folder, atlases, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("load", folder, "--atlas", atlases[0], "-o", out) == 0
    load = lesion_load(load_cohort(folder), load_atlas(atlases[0]))
    for measure in ("region", "lesion", "mm3"):
        table = pd.read_csv(out / f"lesion_load_{measure}.csv")
        np.testing.assert_array_equal(table["patient"], [p.id for p in load.cohort.used])
        # Text of a table is never a formula; numbers are written with twelve digits.
        columns = ["3_insula L", "12_=cuneus R"]
        np.testing.assert_allclose(table[columns], load.values(measure), rtol=1e-11)
        assert table.set_index("patient").loc["sub-001", "age"] == 71
        assert (out / f"lesion_load_{measure}.png").read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    assert "6 patients x 2 regions; most often lesioned:" in shown
    mean = 100 * load.of_region[:, 0].mean()
    assert f"  insula L: in 6 of 6 patients; {mean:.1f} % of the region, mean of all" in shown


def test_several_atlases_have_tables_of_their_own(folder, atlases, tmp_path):
    out = tmp_path / "out"
    chosen = ("--atlas", atlases[0], "--atlas", atlases[1])
    assert run("load", folder, *chosen, "--measure", "mm3", "-o", out) == 0
    written = {file.name for file in out.iterdir() if not file.name.startswith(".")}
    assert written == {
        "lesion_load_mm3_atlas.csv",
        "lesion_load_mm3_atlas.png",
        "lesion_load_mm3_atlas_2.csv",
        "lesion_load_mm3_atlas_2.png",
        "patients.csv",
        "provenance.json",
    }
    second = pd.read_csv(out / "lesion_load_mm3_atlas_2.csv")
    expected = lesion_load(load_cohort(folder), load_atlas(atlases[1])).volume_mm3
    np.testing.assert_allclose(second[["1_insula L", "2_=cuneus R"]], expected, rtol=1e-11)


def test_load_tells_where_it_comes_from(folder, atlases, tmp_path):
    out = tmp_path / "out"
    assert run("load", folder, "--atlas", atlases[1], "--by", "parent", "-o", out) == 0
    provenance = json.loads((out / "provenance.json").read_text())
    assert provenance["command"] == "load"
    assert provenance["parameters"]["by"] == "parent"
    assert [one["kind"] for one in provenance["inputs"]] == ["cohort", "atlas"]
    assert len(provenance["inputs"][1]["files"]) == 2
    written = {file.name for file in out.iterdir() if not file.name.startswith(".")}
    assert set(provenance["outputs"]) == written - {"provenance.json"}
    table = pd.read_csv(out / "lesion_load_region.csv")
    assert {"1_insular", "2_occipital"} <= set(table)


def test_earlier_loads_need_overwrite(folder, atlases, tmp_path, capsys):
    arguments = ("load", folder, "--atlas", atlases[0], "--measure", "region", "-o", tmp_path / "o")
    assert run(*arguments) == 0
    assert run(*arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(*arguments, "--overwrite") == 0


def test_label_tables_are_one_for_each_atlas(folder, atlases, tmp_path, capsys):
    table = atlases[0].with_name("atlas.csv")
    chosen = ("--atlas", atlases[0], "--atlas", atlases[1], "--labels", table)
    assert run("load", folder, *chosen, "-o", tmp_path / "o") == 2
    assert "--labels: 1 label tables for 2 atlases" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("command", ["load", "overlap"])
def test_an_atlas_that_lies_elsewhere_leaves_nothing(folder, tmp_path, capsys, command):
    far = AFFINE.copy()
    far[:3, 3] += 500
    path = tmp_path / "far.nii"
    nib.save(image(LABELS, far), path)
    maps = (folder,) if command == "load" else (folder, folder)
    assert run(command, *maps, "--atlas", path, "-o", tmp_path / "o") == 2
    assert "far" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_overlap_counts_several_atlases(folder, atlases, tmp_path, capsys):
    out = tmp_path / "out"
    chosen = ("--atlas", atlases[0], "--atlas", atlases[1], "--min-patients", 2)
    assert run("overlap", folder, folder, *chosen, "-o", out) == 0
    mask = np.sum(random_masks(6, seed=8), axis=0) >= 2
    counted = pd.read_csv(out / "region_counts_atlas.csv").set_index("region")
    assert counted["voxels"].sum() == mask.sum()
    assert counted.loc["insula L", "voxels"] == (mask & (LABELS == 3)).sum()
    likely = pd.read_csv(out / "region_counts_atlas_2.csv").set_index("region")
    assert likely["expected_voxels"].sum() == pytest.approx(mask.sum())
    expected = CHANCES[..., 0].astype(np.float32)[mask].sum(dtype=float)
    assert likely.loc["insula L", "expected_voxels"] == pytest.approx(expected)
    shown = capsys.readouterr().out
    assert shown.count("outside the atlas") == 2
    assert "expected" in shown


def test_overlap_by_hemisphere(folder, atlases, tmp_path):
    out = tmp_path / "out"
    chosen = ("--atlas", atlases[0], "--by", "hemisphere", "--min-patients", 2)
    assert run("overlap", folder, folder, *chosen, "-o", out) == 0
    table = pd.read_csv(out / "region_counts.csv").set_index("region")
    mask = np.sum(random_masks(6, seed=8), axis=0) >= 2
    sides = {"left": LABELS == 3, "right": LABELS == 12, "outside the atlas": LABELS == 0}
    assert set(table.index) == set(sides)
    for name, inside in sides.items():
        assert table.loc[name, "voxels"] == (mask & inside).sum()


def test_what_no_region_says_cannot_be_put_together(folder, atlases, tmp_path, capsys):
    atlases[0].with_name("atlas.csv").write_text("index,name\n3,insula\n12,cuneus\n")
    chosen = ("--atlas", atlases[0], "--by", "hemisphere")
    assert run("load", folder, *chosen, "-o", tmp_path / "o") == 2
    assert "no region has a hemisphere" in capsys.readouterr().err
