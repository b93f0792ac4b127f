"""Lesion load: patients x regions as one product, against loops over patients and voxels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from atlases import probability_atlas, turned
from phantoms import AFFINE, SHAPE, random_masks, write_masks

from lesion_dash.atlas.atlas import LabelAtlas
from lesion_dash.atlas.formats import Region
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.grid import Grid
from lesion_dash.regions import load as loads
from lesion_dash.regions.counts import count_regions
from lesion_dash.regions.load import lesion_load

GRID = Grid(SHAPE, AFFINE)
MASKS = [*random_masks(9, seed=4), np.zeros(SHAPE, bool)]
REGIONS = (
    Region(3, "insula L"),
    Region(12, "insula R"),
    Region(40, "absent"),
    Region(70, "cuneus"),
)
LABELS = np.random.default_rng(1).choice([0, 0, 3, 12, 70], SHAPE)
CHANCES = np.random.default_rng(2).integers(0, 11, (4, *SHAPE)) / 64  # sums are exact, below 1
CHANCES[2] = 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("load")
    rows = [f"sub-{number:03}\t{30 + number}" for number in range(5)]
    (root / "participants.tsv").write_text("\n".join(["participant_id\tage", *rows]))
    return write_masks(root / "masks", MASKS)


@pytest.fixture(scope="module")
def cohort(folder):
    return load_cohort(folder)


def label_atlas():
    return LabelAtlas("labels", GRID, LABELS, REGIONS)


def likely_atlas():
    return probability_atlas(CHANCES, GRID, REGIONS)


def test_shares_of_labelled_regions_are_those_of_a_loop_over_voxels(cohort):
    load = lesion_load(cohort, label_atlas())
    for patient, mask in enumerate(MASKS):
        for column, region in enumerate(REGIONS):
            inside = [LABELS[voxel] == region.label for voxel in np.ndindex(SHAPE) if mask[voxel]]
            size = (region.label == LABELS).sum()
            assert load.voxels[patient, column] == sum(inside)
            assert load.volume_mm3[patient, column] == 8 * sum(inside)
            share = sum(inside) / size if size else np.nan
            np.testing.assert_equal(load.of_region[patient, column], share)
            share = sum(inside) / len(inside) if inside else np.nan
            np.testing.assert_equal(load.of_lesion[patient, column], share)
        assert load.outside[patient] == (mask & (LABELS == 0)).sum()


def test_shares_of_likely_regions_are_sums_of_probabilities(cohort):
    load = lesion_load(cohort, likely_atlas())
    for patient, mask in enumerate(MASKS):
        for column, chances in enumerate(CHANCES):
            assert load.voxels[patient, column] == chances[mask].sum()
            share = chances[mask].sum() / chances.sum() if chances.any() else np.nan
            np.testing.assert_equal(load.of_region[patient, column], share)
        assert load.outside[patient] == (1 - CHANCES.sum(axis=0))[mask].sum()


@pytest.mark.parametrize("atlas", [label_atlas(), likely_atlas()], ids=["labels", "likely"])
def test_a_row_is_the_region_table_of_that_lesion(cohort, atlas):
    load = lesion_load(cohort, atlas)
    for patient in range(cohort.n_patients):
        *rows, outside = count_regions(cohort.mask(patient), atlas).rows
        expected = {row.label: row.expected_voxels for row in rows}
        assert load.voxels[patient].tolist() == [expected[region.label] for region in REGIONS]
        assert load.outside[patient] == outside.expected_voxels


@pytest.mark.parametrize("atlas", [label_atlas(), likely_atlas()], ids=["labels", "likely"])
def test_regions_and_outside_add_up_to_the_lesion(cohort, atlas):
    load = lesion_load(cohort, atlas)
    np.testing.assert_array_equal(load.voxels.sum(axis=1) + load.outside, cohort.volumes)
    shares = load.of_lesion.sum(axis=1) + load.outside_values("lesion")
    np.testing.assert_allclose(shares[:-1], 1)
    assert np.isnan(shares[-1])  # an empty mask has no shares


def test_where_maps_overlap_beyond_one_nothing_is_left_outside(cohort):
    load = lesion_load(cohort, probability_atlas(np.ones((4, *SHAPE)), GRID, REGIONS))
    assert not load.outside.any()
    assert f"more than 1 at {np.prod(SHAPE)} voxels" in load.notes[-1]
    assert not lesion_load(cohort, likely_atlas()).notes
    np.testing.assert_array_equal(load.voxels, np.tile(cohort.volumes[:, None], 4))


@pytest.mark.parametrize("piece", [1, 400])
def test_blocks_of_patients_change_no_bit(cohort, monkeypatch, piece):
    whole = lesion_load(cohort, likely_atlas())
    monkeypatch.setattr(loads, "_PIECE", piece)
    assert len(list(loads._blocks(cohort))) > 1
    parts = lesion_load(cohort, likely_atlas())
    np.testing.assert_array_equal(parts.voxels, whole.voxels)
    np.testing.assert_array_equal(parts.outside, whole.outside)


def test_a_cohort_on_disk_gives_the_same(folder, cohort, monkeypatch):
    monkeypatch.setenv("LESION_DASH_MEMORY", "100")
    mapped = load_cohort(folder)
    assert isinstance(mapped.indices, np.memmap)
    expected = lesion_load(cohort, label_atlas()).voxels
    np.testing.assert_array_equal(lesion_load(mapped, label_atlas()).voxels, expected)


def test_rows_follow_the_patients(cohort):
    order = [4, 1, 8]
    chosen = lesion_load(cohort.select(order), likely_atlas())
    whole = lesion_load(cohort, likely_atlas())
    np.testing.assert_array_equal(chosen.voxels, whole.voxels[order])
    assert chosen.table["patient"].unique().tolist() == [cohort.used[row].id for row in order]


def test_no_patient_gives_no_row(cohort):
    load = lesion_load(cohort.select([]), label_atlas())
    assert load.voxels.shape == (0, 4)
    assert list(load.wide("region"))[:3] == ["patient", "lesion_voxels", "lesion_volume_mm3"]
    assert "share_of_lesion" in load.table


def test_a_turned_and_mirrored_atlas_gives_the_same(cohort):
    (labels,), grid = turned([LABELS], GRID)
    load = lesion_load(cohort, LabelAtlas("labels", grid, labels, REGIONS))
    np.testing.assert_array_equal(load.voxels, lesion_load(cohort, label_atlas()).voxels)
    chances, grid = turned(CHANCES, GRID)
    load = lesion_load(cohort, probability_atlas(chances, grid, REGIONS))
    np.testing.assert_array_equal(load.of_region, lesion_load(cohort, likely_atlas()).of_region)


@pytest.mark.parametrize("measure", ["region", "lesion", "mm3"])
def test_the_long_and_the_wide_table_hold_the_same_values(cohort, measure):
    load = lesion_load(cohort, likely_atlas())
    column = {"region": "share_of_region", "lesion": "share_of_lesion", "mm3": "volume_mm3"}[
        measure
    ]
    long, wide = load.table, load.wide(measure)
    names = [*(f"{region.label}_{region.name}" for region in REGIONS)]
    for patient, rows in long.groupby("patient", sort=False):
        values = wide.set_index("patient").loc[patient]
        np.testing.assert_array_equal(values[names].to_numpy(float), rows[column].to_numpy()[:-1])
        outside = np.nan if measure == "region" else values["outside the atlas"]
        np.testing.assert_equal(rows[column].to_numpy()[-1], outside)


def test_participants_are_joined_by_id(cohort):
    wide = lesion_load(cohort, label_atlas()).wide("region").set_index("patient")
    assert wide.loc["sub-003", "age"] == 33
    assert pd.isna(wide.loc["sub-007", "age"])
    np.testing.assert_array_equal(wide["lesion_voxels"], [mask.sum() for mask in MASKS])
