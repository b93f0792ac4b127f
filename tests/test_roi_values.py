"""Regions of interest: parts of a mask, their peaks and files, and the values in them."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from atlases import turned
from blobs import SMALL, flood_fill, map_of, mask_of, series_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nilearn.maskers import NiftiLabelsMasker
from phantoms import AFFINE, random_masks, write_masks

import lesion_dash as ld
from lesion_dash.atlas.formats import Region
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import labels_to_nifti

SHAPE = SMALL.shape
MASKS = hnp.arrays(bool, SHAPE)
VALUES = hnp.arrays(
    np.float64, SHAPE, elements=st.one_of(st.integers(-9, 9).map(float), st.just(np.nan))
)
CONNECTIVITIES = (6, 18, 26)


def rois_of(mask, values, grid=SMALL, **choices):
    return ld.rois.find_rois(mask_of(mask, grid), map_of(values, grid), **choices)


@given(
    MASKS, st.sampled_from(sorted(CONNECTIVITIES)), st.integers(1, 6), st.sampled_from([0.0, 24.0])
)
def test_regions_are_the_connected_parts_that_are_large_enough(
    array, connectivity, min_voxels, min_mm3
):
    sizes = {"min_voxels": min_voxels, "min_mm3": min_mm3}
    rois = rois_of(array, np.zeros(SHAPE), connectivity=connectivity, **sizes)
    parts = [frozenset(part) for part in flood_fill(array, connectivity)]
    expected = {part for part in parts if len(part) >= min_voxels and len(part) * 8 >= min_mm3}
    voxels = [frozenset(map(tuple, np.argwhere(roi.mask.array).tolist())) for roi in rois]
    assert set(voxels) == expected
    assert len(voxels) == len(expected)
    # Numbered from the largest, then in the order of the file.
    order = [(-roi.voxels, roi.mask.indices[0]) for roi in rois]
    assert order == sorted(order)
    assert [roi.number for roi in rois] == list(range(1, len(rois) + 1))
    assert rois.mask.voxels == sum(map(len, expected))
    left_out = f"{len(parts) - len(rois)} of {len(parts)} components excluded: too small"
    assert rois.notes == ((left_out,) if len(rois) < len(parts) else ())


@given(MASKS, VALUES, st.sampled_from(["above", "below", "both"]))
def test_a_peak_is_the_value_farthest_beyond_and_not_nan_on_any_grid(array, values, side):
    height = {"above": np.max, "below": np.min, "both": lambda own: np.abs(own).max()}[side]
    rois = rois_of(array, values, side=side)
    for roi in rois:
        own = values[roi.mask.array]
        own = own[~np.isnan(own)]
        shown = abs(roi.peak_value) if side == "both" else roi.peak_value
        np.testing.assert_equal(shown, height(own) if own.size else np.nan)
        voxel = SMALL.nearest_voxel(roi.peak_mm)
        assert roi.mask.array[voxel]
        np.testing.assert_equal(float(values[voxel]), roi.peak_value)
        centre = np.argwhere(roi.mask.array) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
        np.testing.assert_allclose(roi.centre_mm, centre.mean(axis=0), atol=1e-9)
    (moved, moved_values), grid = turned([array, values], SMALL)
    tables = []
    for each in (rois, rois_of(moved, moved_values, grid, side=side)):
        rows = [(roi.voxels, *roi.centre_mm, *roi.peak_mm, roi.peak_value) for roi in each]
        tables.append(sorted(np.round(rows, 6).tolist()))  # equally large ones in any order
    np.testing.assert_equal(*tables)


def test_the_region_of_an_atlas_is_that_at_the_peak():
    values = np.zeros(SHAPE)
    values[0, 0, 0], values[1, 0, 0], values[4, 5, 3] = 5, 9, 7
    labels = np.zeros(SHAPE, int)
    labels[0], labels[1] = 1, 2
    atlas = ld.LabelAtlas("a", SMALL, labels, (Region(1, "insula"), Region(2, "cuneus")))
    rois = rois_of(values > 3, values, atlas=atlas)
    assert rois.table["region"].tolist() == ["cuneus", "outside the atlas"]


def test_picked_regions_keep_their_numbers():
    rois = rois_of(np.eye(5, 6)[..., None] * [1, 0, 0, 0], np.ones(SHAPE), connectivity=6)
    picked = rois.pick([4, 2])
    assert picked.names == ("ROI 2", "ROI 4")
    assert picked.table["index"].tolist() == [2, 4]
    every = rois.atlas.labels
    np.testing.assert_array_equal(picked.atlas.labels, np.where(np.isin(every, [2, 4]), every, 0))
    assert picked.mask.voxels == 2
    with pytest.raises(ld.InputError, match="no region of interest 6; choose from 1, 2, 3, 4, 5"):
        rois.pick([6])


def test_saved_regions_are_read_back_as_an_atlas(tmp_path):
    # Every second voxel: by faces, each is a region of its own.
    array = np.indices(SHAPE).sum(axis=0) % 2 == 0
    rois = rois_of(array, np.random.default_rng(0).normal(size=SHAPE), connectivity=6)
    ld.rois.save_rois(rois, tmp_path)
    atlas = ld.load_atlas(tmp_path / "mask_atlas.nii")
    np.testing.assert_array_equal(atlas.labels, rois.atlas.labels)
    assert (atlas.names, atlas.notes) == (rois.atlas.names, ())
    assert atlas.grid.matches(SMALL)
    names = ["region", "region_full_name", "region_lobe", "nearest_region"]
    table = pd.read_csv(tmp_path / "mask_atlas.tsv", sep="\t").drop(columns=names)
    shown = rois.table.drop(columns=names)
    pd.testing.assert_frame_equal(table, shown, rtol=1e-11, check_dtype=False)
    with pytest.raises(ld.InputError, match="already holds results"):
        ld.rois.save_rois(rois, tmp_path)
    ld.rois.save_rois(rois.pick([1]), tmp_path, overwrite=True)
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert set(provenance["outputs"]) == {"mask_atlas.nii", "mask_atlas.tsv"}
    assert provenance["counts"]["voxels"] == {"ROI 1": 1}


def test_labels_are_written_in_the_smallest_type_that_holds_them():
    for largest, kind in ((2**15 - 1, np.int16), (2**15, np.int32), (2**31 - 1, np.int32)):
        labels = np.array([0, 7, largest]).reshape(3, 1, 1)
        stored = labels_to_nifti(labels, Grid((3, 1, 1), AFFINE), "labels")
        assert stored.get_data_dtype() == kind
        np.testing.assert_array_equal(np.asarray(stored.dataobj), labels)


def test_no_region_is_no_atlas_and_leaves_no_file(tmp_path):
    rois = rois_of(np.zeros(SHAPE), np.zeros(SHAPE))
    assert (len(rois), rois.table.empty, rois.mask.voxels) == (0, True, 0)
    with pytest.raises(ld.InputError, match="no region of interest; lower the threshold"):
        ld.rois.save_rois(rois, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "choice", [{"connectivity": 8}, {"min_voxels": 0}, {"min_mm3": -1.0}, {"side": "left"}]
)
def test_sizes_that_cannot_be_are_refused(choice, message):
    with pytest.raises(ld.InputError, match="is") as error:
        rois_of(np.ones(SHAPE), np.ones(SHAPE), **choice)
    message(error.value)


# Values, against nilearn's masker on files and against plain numpy.


VOLUMES = 6
CONDITIONS = ld.rois.Conditions(("face", "house", "", "face", "house", "face"))
ELSEWHERE = Grid(SHAPE, AFFINE + np.outer([1, 1, 1, 0], [0, 0, 0, 1]))


def rois_on(grid=SMALL):
    array = np.random.default_rng(4).random(SHAPE) < 0.25
    values = np.random.default_rng(5).normal(size=SHAPE)
    return rois_of(array, values, grid, connectivity=6, min_voxels=2)


def series_with(dtype=np.float64, nan=False):
    """Values of (volumes, voxels); NaN in some of the regions and in all voxels of none."""
    values = np.random.default_rng(3).uniform(300, 1500, (VOLUMES, SMALL.size)).astype(dtype)
    if nan:
        rois = rois_on()
        first, second = rois.parts[0].mask.indices[:2]
        values[2:4, first] = values[5, second] = np.nan
        values[4, rois.parts[1].mask.indices] = np.nan
        values[:, ~rois.mask.array.ravel(order="F")] = np.nan
    values.setflags(write=False)
    return series_of(values, SMALL)


@pytest.mark.parametrize(
    ("dtype", "nan"),
    [(np.int16, False), *itertools.product((np.float32, np.float64), (False, True))],
)
@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_signal_is_the_mean_that_numpy_and_nilearn_give_without_nan(dtype, nan, tmp_path):
    series, rois = series_with(dtype, nan), rois_on()
    values = ld.rois.signal_in_rois(series, CONDITIONS, rois)
    assert values.values.shape == (VOLUMES, len(rois))
    assert np.isnan(values.values).sum() == int(nan)
    for column, roi in enumerate(rois):
        expected = np.nanmean(series.array[roi.mask.array], axis=0, dtype=np.float64)
        # nilearn gives means of float32 as float32.
        exact = np.finfo(np.float32 if dtype == np.float32 else np.float64).eps
        np.testing.assert_allclose(values.values[:, column], expected, rtol=4 * exact)
    if nan:
        return
    # nilearn alone, on files.
    ld.rois.save_rois(rois, tmp_path, values)
    series.to_nifti().to_filename(tmp_path / "series.nii")
    masker = NiftiLabelsMasker(tmp_path / "mask_atlas.nii", standardize=None)
    np.testing.assert_array_equal(masker.fit_transform(tmp_path / "series.nii"), values.values)
    written = pd.read_csv(tmp_path / "roi_values.csv", keep_default_na=False)
    np.testing.assert_allclose(written[list(rois.names)], values.values, rtol=1e-11)
    assert written["group"].tolist() == list(CONDITIONS.of_volume)


def test_load_is_the_share_of_the_region_that_is_lesioned(tmp_path):
    masks = random_masks(5, seed=2, shape=SHAPE)
    a = ld.load_cohort(write_masks(tmp_path / "a", masks[:3]))
    b = ld.load_cohort(write_masks(tmp_path / "b", masks[3:]))
    rois = rois_on(a.grid)
    values = ld.rois.load_in_rois((a, b), rois)
    assert values.groups == ("a", "a", "a", "b", "b")
    for row, mask in enumerate(masks):
        for column, roi in enumerate(rois):
            expected = 100 * (mask & roi.mask.array).sum() / roi.voxels
            assert values.values[row, column] == pytest.approx(expected, rel=1e-14)
    with pytest.raises(ld.InputError, match="not on the grid of a"):
        ld.rois.load_in_rois((a,), rois_on(ELSEWHERE))


def test_the_summary_is_that_of_pandas():
    numbers = np.random.default_rng(0).normal(size=(9, 2))
    numbers[4, 1] = np.nan
    groups = ("b", "a", "", "b", "a", "b", "c", "", "a")
    names = ("ROI 1", "ROI 2")
    values = ld.rois.RoiValues(tuple(map(str, range(9))), groups, names, numbers, "mean signal")
    long = values.table.melt(["sample", "group"], var_name="roi")
    grouped = long[long["group"] != ""].groupby(["roi", "group"])["value"]
    expected = grouped.agg(["count", "mean", "std", "median"])
    summary = values.summary.set_index(["roi", "group"])
    assert summary.index.tolist() == list(itertools.product(names, "bac"))
    np.testing.assert_allclose(summary, expected.loc[summary.index], rtol=1e-13)


def test_what_does_not_belong_together_is_refused():
    series = series_with()
    with pytest.raises(ld.InputError, match="not on the grid of the map: "):
        ld.rois.find_rois(mask_of(np.ones(SHAPE), SMALL), map_of(np.ones(SHAPE), ELSEWHERE))
    nothing = np.zeros(SHAPE)
    for conditions, rois, match in (
        (CONDITIONS, rois_on(ELSEWHERE), "not on the grid of the series"),
        (ld.rois.Conditions(("a", "b")), rois_on(), "2 conditions for 6 volumes"),
        (CONDITIONS, rois_of(nothing, nothing), "no region of interest"),
    ):
        with pytest.raises(ld.InputError, match=match):
            ld.rois.signal_in_rois(series, conditions, rois)
