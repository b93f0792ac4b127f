"""`lesion-dash coverage` writes what the library gives."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from phantoms import random_masks, write_masks

from lesion_dash import cli
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.plotting.figures import draw_histogram, figure_bytes
from lesion_dash.stats.coverage import threshold_coverage


@pytest.fixture
def folder(tmp_path):
    return write_masks(tmp_path / "masks", random_masks(8, seed=4))


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_table_figure_and_provenance(folder, tmp_path, capsys):
    out, plot = tmp_path / "results" / "k.csv", tmp_path / "results" / "k.png"
    assert run("coverage", folder, "-o", out, "--plot", plot, "-k", 3) == 0
    found = threshold_coverage(load_cohort(folder))
    table = pd.read_csv(out, keep_default_na=False)
    assert list(table) == list(found.table)
    for column in ("min_patients", "voxels", "voxels_in_brain", "conventions"):
        assert table[column].tolist() == found.table[column].tolist()
    for column in ("volume_mm3", "percent_of_brain", "percent_of_lesioned"):
        np.testing.assert_allclose(table[column], found.table[column], rtol=1e-11)
    assert plot.read_bytes().startswith(b"\x89PNG")
    provenance = json.loads((out.parent / "k.provenance.json").read_text())
    assert provenance["command"] == "coverage"
    assert set(provenance["outputs"]) == {"k.csv", "k.png"}
    assert provenance["counts"]["brain_voxels"] == found.brain_voxels
    assert provenance["counts"]["conventions"]["10 % of patients"] == 1
    shown = capsys.readouterr().out
    assert f"masks: 8 patients, at most {found.most} share a voxel" in shown
    assert f"\n{found.at(3).sentence}\n" in shown
    assert "  10 patients (Weaver et al. 2019, figure 3" in shown


def test_the_figure_is_optional(folder, tmp_path):
    out = tmp_path / "k.csv"
    assert run("coverage", folder, "-o", out) == 0
    assert sorted(file.name for file in tmp_path.glob("k.*")) == ["k.csv", "k.provenance.json"]


def test_signs_of_formulas_in_a_name_are_drawn_as_they_are(folder, tmp_path):
    odd = folder.rename(folder.with_name(r"d$\frac$"))
    plot = tmp_path / "k.png"
    assert run("coverage", odd, "-o", tmp_path / "k.csv", "--plot", plot) == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    figure_bytes(draw_histogram([1.0, 2.0], odd.name), "png")


@pytest.mark.parametrize(
    ("output", "plot", "said"),
    [
        ("k.txt", "k.png", "k.txt: is no name of a CSV file; let it end in .csv"),
        ("k.csv", "k.gif", "k.gif: is no name of a figure; let it end in .png or .svg or .pdf"),
        ("k.csv", "elsewhere/k.png", "is not in the folder of"),
    ],
)
def test_places_that_cannot_be_are_refused(folder, tmp_path, capsys, output, plot, said):
    arguments = ("-o", tmp_path / output, "--plot", tmp_path / plot)
    assert run("coverage", folder, *arguments) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("k.*"))
