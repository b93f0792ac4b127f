"""A - B region by region: against loops over patients and voxels, and by laws."""

from __future__ import annotations

import numpy as np
import pytest
from atlases import probability_atlas, turned
from cohorts import cohort_of
from phantoms import AFFINE, SHAPE

from lesion_dash import Grid, InputError, LabelAtlas, region_differences
from lesion_dash.atlas.formats import Region

GRID = Grid(SHAPE, AFFINE)
REGIONS = (Region(3, "insula L"), Region(12, "insula R"), Region(40, "absent"), Region(70, "tiny"))
LABELS = np.zeros(SHAPE, int)
LABELS[:3, :4], LABELS[4:, :4], LABELS[2, 7, 7] = 3, 12, 70
CHANCES = np.stack([np.where(label.label == LABELS, 0.25, 0.0) for label in REGIONS])
CHANCES[1, 3:, :5] = 0.5  # beyond its label, and over others


def blobs(patients: int, seed: int) -> list[np.ndarray]:
    """Boxes of any size and place, so that regions are lesioned in some; one mask is empty."""
    generator = np.random.default_rng(seed)
    masks = []
    for _ in range(patients):
        low = generator.integers(0, np.array(SHAPE) - 1)
        high = low + generator.integers(1, 5, 3)
        mask = np.zeros(SHAPE, bool)
        mask[tuple(map(slice, low, high))] = True
        masks.append(mask)
    return [*masks, np.zeros(SHAPE, bool)]


MASKS = {"a": blobs(8, 1), "b": blobs(6, 2)}


COHORTS = [cohort_of(masks, name=name) for name, masks in MASKS.items()]
LABELLED = LabelAtlas("labels", GRID, LABELS, REGIONS)
LIKELY = probability_atlas(CHANCES, GRID, REGIONS)
both_atlases = pytest.mark.parametrize("atlas", [LABELLED, LIKELY], ids=["labels", "likely"])


def members(atlas) -> list[np.ndarray]:
    """Where each region is possible, and where none is."""
    if isinstance(atlas, LabelAtlas):
        inside = [region.label == LABELS for region in REGIONS]
    else:
        inside = [chances > 0 for chances in CHANCES]
    return [*inside, ~np.any(inside, axis=0)]


@both_atlases
def test_patients_and_means_are_those_of_a_loop_over_masks(atlas):
    differences = region_differences(*COHORTS, atlas, 2)
    for row, inside in enumerate(members(atlas)):
        percents, means = [], []
        for side, masks in enumerate(MASKS.values()):
            volumes = [8.0 * mask.sum() for mask in masks if (mask & inside).any()]
            assert differences.n[side][row] == len(volumes)
            percents.append(100 * len(volumes) / len(masks))
            assert differences.percent[side][row] == pytest.approx(percents[-1])
            means.append(np.mean(volumes) if volumes else np.nan)
            assert differences.means[side][row] == pytest.approx(means[-1], nan_ok=True)
        assert differences.points[row] == pytest.approx(percents[0] - percents[1])
        expected = means[0] - means[1] if min(n[row] for n in differences.n) >= 2 else np.nan
        assert differences.mean[row] == pytest.approx(expected, nan_ok=True)
    assert differences.labels == (3, 12, 40, 70, None)
    assert differences.regions[-1] == "outside the atlas"
    assert differences.n[0][2] == differences.n[1][2] == 0
    assert np.isnan(differences.mean).any()
    assert np.isfinite(differences.mean).any()


@both_atlases
def test_a_place_is_where_most_patients_are_lesioned_in_the_region(atlas):
    differences = region_differences(*COHORTS, atlas)
    patients = sum(np.sum(masks, axis=0) for masks in MASKS.values())
    maps = members(atlas)
    weights = maps if isinstance(atlas, LabelAtlas) else [*CHANCES, maps[-1]]
    for row, (inside, weight) in enumerate(zip(maps, weights, strict=True)):
        worth = np.where(inside, patients * weight, 0)
        if not worth.any():
            assert np.isnan(differences.places[row]).all()
            continue
        voxel = GRID.nearest_voxel(differences.places[row])
        assert worth[voxel] == worth.max()


@both_atlases
def test_exchanging_a_and_b_turns_the_signs_and_no_bit_else(atlas):
    there, back = region_differences(*COHORTS, atlas), region_differences(*COHORTS[::-1], atlas)
    np.testing.assert_array_equal(there.points, -back.points)
    np.testing.assert_array_equal(there.mean, -back.mean)
    np.testing.assert_array_equal(there.places, back.places)
    assert there.n[0].tolist() == back.n[1].tolist()


def test_a_cohort_does_not_differ_from_itself():
    differences = region_differences(COHORTS[0], COHORTS[0], LABELLED, 1)
    assert not differences.points.any()
    assert not np.nan_to_num(differences.mean).any()
    assert np.isfinite(differences.mean[differences.n[0] > 0]).all()
    assert "9 of 9 patients of B are in A as well" in differences.notes[0]


def test_whoever_has_a_lesion_is_in_a_region_or_outside():
    differences = region_differences(*COHORTS, LABELLED)
    for n, masks in zip(differences.n, MASKS.values(), strict=True):
        lesioned = sum(mask.any() for mask in masks)
        assert n.max() <= lesioned <= n.sum()


def test_an_atlas_that_lies_otherwise_on_disk_gives_the_same():
    """Axes exchanged and mirrored, with a margin; the regions stay where they are."""
    (labels,), grid = turned([LABELS], GRID)
    differences = region_differences(*COHORTS, LabelAtlas("turned", grid, labels, REGIONS))
    expected = region_differences(*COHORTS, LABELLED)
    np.testing.assert_array_equal(differences.points, expected.points)
    np.testing.assert_array_equal(differences.places, expected.places)
    assert any("atlas re" in note for note in differences.notes)
    assert len(differences.notes) == len(set(differences.notes))


def test_another_minimum_changes_only_what_is_compared():
    results = [region_differences(*COHORTS, LABELLED, minimum) for minimum in (1, 4, 20)]
    compared = [np.count_nonzero(np.isfinite(result.mean)) for result in results]
    assert compared[0] > compared[1] > compared[2] == 0
    assert all((result.points == results[0].points).all() for result in results)


def test_the_table_names_its_units():
    table = region_differences(*COHORTS, LABELLED).table
    assert [*table.columns] == [
        "label", "region", "patients_a", "percent_a", "patients_b", "percent_b",
        "difference_percentage_points", "mean_volume_a_mm3", "mean_volume_b_mm3",
        "difference_mean_volume_mm3", "x_mm", "y_mm", "z_mm",
        "cohort_a", "of_a", "cohort_b", "of_b", "min_patients",
    ]  # fmt: skip
    names = [*(region.name for region in REGIONS), "outside the atlas"]
    assert table["region"].tolist() == names
    constant = table[["cohort_a", "of_a", "min_patients"]].drop_duplicates()
    assert constant.values.tolist() == [["a", 9, 5]]


def test_choices_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match="min patients: 0 is too small"):
        region_differences(*COHORTS, LABELLED, 0)
    moved = AFFINE.copy()
    moved[0, 3] += 1.3
    other = cohort_of(MASKS["b"], moved, "moved")
    with pytest.raises(InputError, match="moved: is not on the grid of the other map"):
        region_differences(COHORTS[0], other, LABELLED)
