"""How many patients are lesioned in each region, and how largely: against plain loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from atlases import probability_atlas
from phantoms import AFFINE, SHAPE, write_masks

from lesion_dash import (
    Grid,
    InputError,
    LabelAtlas,
    lesion_load,
    load_atlas,
    load_cohort,
    region_involvement,
)
from lesion_dash.atlas.formats import Region
from lesion_dash.cli import main

GRID = Grid(SHAPE, AFFINE)
REGIONS = (
    Region(2, "upper L", {"full_name": "upper part", "lobe": "Frontal Lobe"}),
    *(Region(5, "lower R"), Region(7, "far"), Region(9, "empty")),
)


@pytest.fixture
def masks(tmp_path):
    rng = np.random.default_rng(4)
    arrays = [(rng.random(SHAPE) < part).astype(np.uint8) for part in rng.random(12) ** 3]
    return write_masks(tmp_path / "masks", arrays), [array > 0 for array in arrays]


def labels_of():
    rng = np.random.default_rng(2)
    labels = np.zeros(SHAPE, int)
    labels[:3], labels[5:], labels[3, 0, 0] = 2, 5, 7
    return np.where(rng.random(SHAPE) < 0.9, labels, 0)


@pytest.mark.parametrize("least", [1.0, 10, 50, 100])
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
def test_patients_of_regions_are_those_of_a_plain_loop(masks, kind, least):
    folder, arrays = masks
    labels = labels_of()
    chances = [np.where(labels == region.label, 1.0, 0.0) for region in REGIONS]
    if kind == "probabilities":
        chances = [chance * np.random.default_rng(3).random(SHAPE) for chance in chances]
        atlas = probability_atlas(chances, GRID, REGIONS)
    else:
        atlas = LabelAtlas("made", GRID, labels, REGIONS)
    involved = region_involvement(lesion_load(load_cohort(folder), atlas), least)
    rows = {row.label: row for row in involved.rows}
    for region, chance in zip(REGIONS, chances, strict=True):
        row, where = rows[region.label], chance > 0
        touched = [array for array in arrays if (array & where).any()]
        shares = [100 * chance[array].sum() / chance.sum() for array in touched]
        assert row.patients == len(touched)
        assert row.percent_of_patients == pytest.approx(100 * len(touched) / len(arrays))
        assert row.patients_at_least == sum(share >= least for share in shares)
        together = np.sum(arrays, axis=0)[where]
        assert row.max_patients_at_voxel == (together.max() if together.size else 0)
        assert bool(touched) == (row.mean_percent_lesioned == row.mean_percent_lesioned)
        if touched:
            assert row.mean_percent_lesioned == pytest.approx(np.mean(shares))
            volumes = [8 * chance[array].sum() for array in touched]
            assert row.mean_volume_mm3 == pytest.approx(np.mean(volumes))
    assert (rows[2].full_name, rows[2].lobe, rows[2].hemisphere) == (
        *("upper part", "Frontal Lobe", "left"),
    )
    counts = [row.patients for row in involved.rows]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("least", [0, -5, 100.5])
def test_a_share_that_is_none_is_refused(masks, least):
    load = lesion_load(load_cohort(masks[0]), LabelAtlas("made", GRID, labels_of(), REGIONS))
    with pytest.raises(InputError, match="least_percent: is"):
        region_involvement(load, least)


def test_the_command_writes_the_table(masks, tmp_path, capsys):
    folder, _ = masks
    atlas, out = "sample_data/atlas/synthetic_atlas.nii.gz", tmp_path / "out"
    command = ["load", str(folder), "--atlas", atlas, "--least-percent", "25", "-o", str(out)]
    assert main(command) == 0
    involved = region_involvement(lesion_load(load_cohort(folder), load_atlas(atlas)), 25)
    table = pd.read_csv(out / "region_patients.csv")
    assert table["patients"].tolist() == [row.patients for row in involved.rows]
    assert set(table["least_percent"]) == {25}
    first = involved.rows[0]
    shown = capsys.readouterr().out
    assert f"in {first.patients} of 12 patients ({first.max_patients_at_voxel} at one" in shown
