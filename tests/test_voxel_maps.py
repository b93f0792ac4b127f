"""Quantities at voxels: their maps and look-ups; and results that vanish with their owner."""

from __future__ import annotations

import json
import pickle
import shutil
import weakref

import numpy as np
import pytest
from blobs import likely_atlas
from cohorts import cohort_of
from phantoms import AFFINE, SHAPE, random_masks, write_masks

import lesion_dash as ld
from lesion_dash.cli import main
from lesion_dash.core.memory import derived
from lesion_dash.regions.overlap_scores import sum_regions
from lesion_dash.stats.coverage import brain_on
from lesion_dash.stats.topography import FILE_NAMES, STATISTICS, Statistic, add_statistics
from lesion_dash.stats.voxel_maps import Columns, Quantity, VoxelMaps

GRID = ld.Grid(SHAPE, AFFINE)
INDICES = np.array([3, 100, 101, 400], np.int32)
RISK = Quantity(key="risk", label="risk", unit="mm³", file="risk.nii", background=-1.0)


@pytest.mark.parametrize(
    "compute",
    [
        lambda: ld.volume_stats(cohort_of(random_masks(8)), 2),
        lambda: ld.mean_contrast(cohort_of(random_masks(8)), 2),
        lambda: ld.permute_volumes(cohort_of(random_masks(8)), 2, 20),
        lambda: ld.cohort_differences(
            *(cohort_of(random_masks(6, seed), name=name) for seed, name in enumerate("ab")), 2
        ),
        lambda: ld.rois.contrast_cohorts(
            *(cohort_of(random_masks(6, seed), name=name) for seed, name in enumerate("ab"))
        ),
    ],
    ids=["topography", "size bias", "permutations", "A - B", "contrast"],
)
def test_every_result_at_voxels_has_its_maps_and_parts(compute):
    result = compute()
    chosen = result.indices % 3 == 0
    part = result.select(chosen)
    assert part.voxels == np.count_nonzero(chosen) < result.voxels
    if hasattr(result, "tested"):
        assert part.tested == result.tested == result.voxels, "a selection corrects for no less"
    for quantity in result.quantities:
        flat = result.map(quantity.key).array.ravel(order="F")
        values = result.values[quantity.key]
        np.testing.assert_array_equal(flat[result.indices], values)
        others = np.delete(flat, result.indices)
        np.testing.assert_array_equal(others, np.full(others.shape, quantity.background))
        np.testing.assert_array_equal(part.values[quantity.key], values[chosen])
        if (plain := quantity.key.removeprefix("minus_log10_")) != quantity.key:
            np.testing.assert_allclose(10**-values, result.values[plain])
        assert result.map(quantity.key).name == quantity.label
        assert len(quantity.header) <= 79


def test_results_can_be_pickled_without_what_can_be_computed_anew():
    cohort = cohort_of(random_masks(8))
    plain = len(pickle.dumps(cohort))
    for result in (ld.volume_stats(cohort, 2), ld.mean_contrast(cohort, 2)):
        copy = pickle.loads(pickle.dumps(result))
        assert copy.files.keys() == result.files.keys()
        for name, image in result.files.items():
            np.testing.assert_array_equal(copy.files[name].array, image.array)
    assert len(pickle.dumps(cohort)) < 1.1 * plain


@pytest.fixture
def maps() -> VoxelMaps:
    values = Columns({"risk": np.arange(4.0), "double": lambda: 2 * np.arange(4.0)})
    return VoxelMaps(grid=GRID, indices=INDICES, values=values, quantities=(RISK,))


def test_a_map_has_the_values_at_the_voxels_and_the_background_elsewhere(maps):
    flat = maps.files["risk.nii"].array.ravel(order="F")
    assert flat[INDICES].tolist() == [0, 1, 2, 3]
    assert (np.delete(flat, INDICES) == -1).all()
    with pytest.raises(ld.InputError, match="map: is 'double'; choose one of risk"):
        maps.map("double")


def test_voxels_are_looked_up_by_index_and_by_place(maps):
    for row, index in enumerate(INDICES.tolist()):
        assert maps.row_of(index) == maps.row_at(GRID.mm_of_index([index])[0]) == row
    for index in (0, 4, 99, 401, GRID.size - 1):
        assert maps.row_of(index) is None
    assert maps.row_at([900, 0, 0]) is None


def test_some_voxels_keep_all_their_values(maps):
    part = maps.select(maps.values["risk"] > 1)
    assert part.indices.tolist() == [101, 400]
    assert {key: part.values[key].tolist() for key in part.values} == {
        "risk": [2, 3],
        "double": [4, 6],
    }


def test_a_quantity_says_its_title_unit_and_header():
    of_result = RISK.made(", n>=5", label="risk of a lesion")
    assert (of_result.title, RISK.display) == ("Risk", (0.001, "mL"))
    assert of_result.header == "lesion_dash: risk of a lesion [mm3], n>=5"


def test_a_statistic_is_one_object_from_which_file_and_provenance_follow(tmp_path):
    add_statistics(
        Statistic(
            key="range",
            label="more than three patients",
            file="lesion_range.nii",
            compute=lambda volumes, _: (volumes.n > 3).astype(float),
        )
    )
    try:
        folder = write_masks(tmp_path / "masks", random_masks(6))
        assert main(["stats", str(folder), "-o", str(tmp_path / "out"), "-k", "2"]) == 0
        written = ld.read_map(tmp_path / "out" / "lesion_range.nii").array
        expected = ld.volume_stats(ld.load_cohort(folder), 2).map("range").array
        np.testing.assert_array_equal(written, expected.astype(np.float32))
        provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
        assert "lesion_range.nii" in provenance["outputs"]
        for name in provenance["outputs"]:
            if name.endswith(".nii"):
                shutil.copy(tmp_path / "out" / name, folder)
        assert ld.load_cohort(folder).n_patients == 6, "a result is not a patient"
    finally:
        del STATISTICS["range"], FILE_NAMES["range"]


@pytest.mark.parametrize(
    ("make", "derive"),
    [
        (lambda: cohort_of(random_masks(5)), ld.threshold_coverage),
        (lambda: ld.Grid(SHAPE, AFFINE), brain_on),
        (likely_atlas, lambda atlas: sum_regions(atlas).by_voxel),
    ],
    ids=["coverage of a cohort", "brain on a grid", "sums of an atlas"],
)
def test_derived_results_are_computed_once_and_vanish_with_their_owner(make, derive):
    owner = make()
    result = weakref.ref(derive(owner))
    assert result() is derive(owner)
    del owner
    assert result() is None


def test_an_owner_keeps_a_few_results():
    class Owner: ...

    owner, calls = Owner(), []
    for key in [*range(20), *range(12, 20)]:
        derived(owner, key, lambda key=key: calls.append(key))
    assert calls == [*range(20)]
