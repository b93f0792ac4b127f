"""Lesion load: patients x regions as one product, against loops over patients and voxels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from atlases import probability_atlas, turned
from cohorts import cohort_of_positions
from phantoms import AFFINE, SHAPE, random_masks, write_masks

from lesion_dash import Grid, LabelAtlas, count_regions, lesion_load, load_cohort
from lesion_dash.atlas.formats import Region

GRID = Grid(SHAPE, AFFINE)
MASKS = [*random_masks(9, seed=4), np.zeros(SHAPE, bool)]
REGIONS = (Region(3, "insula L"), Region(12, "insula R"), Region(40, "absent"), Region(70, "cun"))
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


LABELLED = LabelAtlas("labels", GRID, LABELS, REGIONS)
LIKELY = probability_atlas(CHANCES, GRID, REGIONS)
both_atlases = pytest.mark.parametrize("atlas", [LABELLED, LIKELY], ids=["labels", "likely"])


def test_shares_of_labelled_regions_are_those_of_a_loop_over_voxels(cohort):
    load = lesion_load(cohort, LABELLED)
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
    load = lesion_load(cohort, LIKELY)
    for patient, mask in enumerate(MASKS):
        for column, chances in enumerate(CHANCES):
            assert load.voxels[patient, column] == chances[mask].sum()
            share = chances[mask].sum() / chances.sum() if chances.any() else np.nan
            np.testing.assert_equal(load.of_region[patient, column], share)
        assert load.outside[patient] == (1 - CHANCES.sum(axis=0))[mask].sum()


@both_atlases
def test_a_row_is_the_region_table_of_that_lesion(cohort, atlas):
    load = lesion_load(cohort, atlas)
    for patient in range(cohort.n_patients):
        *rows, outside = count_regions(cohort.mask(patient), atlas).rows
        expected = {row.label: row.expected_voxels for row in rows}
        assert load.voxels[patient].tolist() == [expected[region.label] for region in REGIONS]
        assert load.outside[patient] == outside.expected_voxels


@both_atlases
def test_regions_and_outside_add_up_to_the_lesion(cohort, atlas):
    load = lesion_load(cohort, atlas)
    np.testing.assert_array_equal(load.voxels.sum(axis=1) + load.outside, cohort.volumes)
    totals = load.of_lesion.sum(axis=1) + load.outside_values("lesion")
    np.testing.assert_allclose(totals[:-1], 1)
    assert np.isnan(totals[-1])  # an empty mask has no shares


def test_where_maps_overlap_beyond_one_nothing_is_left_outside(cohort):
    load = lesion_load(cohort, probability_atlas(np.ones((4, *SHAPE)), GRID, REGIONS))
    assert not load.outside.any()
    assert f"more than 1 at {np.prod(SHAPE)} voxels" in load.notes[-1]
    assert not lesion_load(cohort, LIKELY).notes
    np.testing.assert_array_equal(load.voxels, np.tile(cohort.volumes[:, None], 4))


def test_blocks_of_patients_change_no_bit():
    """Patients of more lesioned voxels than are multiplied together."""
    grid = Grid((250, 200, 60), np.eye(4))
    labels = np.arange(grid.size, dtype=np.int32).reshape(grid.shape, order="F") % 3
    atlas = LabelAtlas("thirds", grid, labels, (Region(1, "one"), Region(2, "two")))
    lesions = [np.arange(first, grid.size - first) for first in (0, 5, 300_000)]
    load = lesion_load(cohort_of_positions(lesions, grid.shape, grid.affine), atlas)
    for patient, lesion in enumerate(lesions):
        outside, *inside = np.bincount(lesion % 3)
        assert load.voxels[patient].tolist() == inside
        assert load.outside[patient] == outside


def test_a_cohort_on_disk_gives_the_same(folder, cohort, monkeypatch):
    monkeypatch.setenv("LESION_DASH_MEMORY", "100")
    mapped = load_cohort(folder)
    assert isinstance(mapped.indices, np.memmap)
    expected = lesion_load(cohort, LABELLED).voxels
    np.testing.assert_array_equal(lesion_load(mapped, LABELLED).voxels, expected)


def test_rows_follow_the_patients(cohort):
    order = [4, 1, 8]
    chosen = lesion_load(cohort.select(order), LIKELY)
    whole = lesion_load(cohort, LIKELY)
    np.testing.assert_array_equal(chosen.voxels, whole.voxels[order])
    assert chosen.table["patient"].unique().tolist() == [cohort.used[row].id for row in order]


def test_no_patient_gives_no_row(cohort):
    load = lesion_load(cohort.select([]), LABELLED)
    assert load.voxels.shape == (0, 4)
    assert list(load.wide("region"))[:3] == ["patient", "lesion_voxels", "lesion_volume_mm3"]
    assert "share_of_lesion" in load.table


def test_a_turned_and_mirrored_atlas_gives_the_same(cohort):
    (labels,), grid = turned([LABELS], GRID)
    load = lesion_load(cohort, LabelAtlas("labels", grid, labels, REGIONS))
    np.testing.assert_array_equal(load.voxels, lesion_load(cohort, LABELLED).voxels)
    chances, grid = turned(CHANCES, GRID)
    load = lesion_load(cohort, probability_atlas(chances, grid, REGIONS))
    np.testing.assert_array_equal(load.of_region, lesion_load(cohort, LIKELY).of_region)


@pytest.mark.parametrize("measure", ["region", "lesion", "mm3"])
def test_the_long_and_the_wide_table_hold_the_same_values(cohort, measure):
    load = lesion_load(cohort, LIKELY)
    column = "volume_mm3" if measure == "mm3" else f"share_of_{measure}"
    long, wide = load.table, load.wide(measure)
    names = [*(f"{region.label}_{region.name}" for region in REGIONS)]
    for patient, rows in long.groupby("patient", sort=False):
        values = wide.set_index("patient").loc[patient]
        np.testing.assert_array_equal(values[names].to_numpy(float), rows[column].to_numpy()[:-1])
        outside = np.nan if measure == "region" else values["outside the atlas"]
        np.testing.assert_equal(rows[column].to_numpy()[-1], outside)


def test_participants_are_joined_by_id(cohort):
    wide = lesion_load(cohort, LABELLED).wide("region").set_index("patient")
    assert wide.loc["sub-003", "age"] == 33
    assert pd.isna(wide.loc["sub-007", "age"])
    np.testing.assert_array_equal(wide["lesion_voxels"], [mask.sum() for mask in MASKS])
