"""Values in regions of interest, against nilearn's masker on files and against plain numpy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiLabelsMasker
from phantoms import AFFINE, SHAPE, random_masks, write_masks

from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.events import Conditions
from lesion_dash.images.maps import Map
from lesion_dash.images.masks import Mask
from lesion_dash.images.series import Series
from lesion_dash.rois.saving import save_rois
from lesion_dash.rois.values import RoiValues, find_rois, load_in_rois, signal_in_rois

GRID = Grid(SHAPE, AFFINE)
VOLUMES = 6
CONDITIONS = Conditions(("face", "house", "", "face", "house", "face"))


def rois_on(grid=GRID, share=0.1):
    array = np.random.default_rng(4).random(SHAPE) < share
    found = Map("t", np.random.default_rng(5).normal(size=SHAPE), grid, "", "")
    return find_rois(Mask.from_array(array, grid, "m"), found, connectivity=6, min_voxels=2)


def series_of(array, grid=GRID):
    return Series("made", grid, np.asfortranarray(array), 2.5, (array.shape[3],))


@pytest.fixture(params=[np.int16, np.float32, np.float64])
def series(request):
    values = np.random.default_rng(3).uniform(300, 1500, (*SHAPE, VOLUMES))
    return series_of(values.astype(request.param))


def test_signal_is_the_mean_that_numpy_and_nilearn_give(series, tmp_path):
    rois = rois_on().pick([1, 3, 4])
    values = signal_in_rois(series, CONDITIONS, rois)
    assert values.values.shape == (VOLUMES, 3)
    for column, roi in enumerate(rois):
        expected = series.array[roi.mask.array].mean(axis=0, dtype=np.float64)
        # nilearn gives means of float32 as float32.
        exact = np.finfo(np.float32 if series.array.dtype == np.float32 else np.float64).eps
        np.testing.assert_allclose(values.values[:, column], expected, rtol=4 * exact)
    # nilearn alone, on files.
    save_rois(rois, tmp_path, values)
    series.to_nifti().to_filename(tmp_path / "series.nii")
    masker = NiftiLabelsMasker(tmp_path / "mask_atlas.nii", standardize=None)
    np.testing.assert_array_equal(masker.fit_transform(tmp_path / "series.nii"), values.values)
    written = pd.read_csv(tmp_path / "roi_values.csv", keep_default_na=False)
    np.testing.assert_allclose(written[list(rois.names)], values.values, rtol=1e-11)
    assert written["group"].tolist() == list(CONDITIONS.of_volume)


def test_a_voxel_without_a_value_is_left_out_of_the_mean():
    array = np.random.default_rng(3).normal(900, 20, (*SHAPE, VOLUMES))
    rois = rois_on()
    first = np.argwhere(rois.parts[0].mask.array)
    array[(*first[0], slice(2, 4))] = np.nan
    array[(*first[1], 5)] = np.nan
    array[rois.parts[1].mask.array, 4] = np.nan
    values = signal_in_rois(series_of(array), CONDITIONS, rois).values
    for column, roi in enumerate(rois):
        for volume in range(VOLUMES):
            own = array[roi.mask.array, volume]
            known = own[~np.isnan(own)]
            expected = known.mean() if known.size else np.nan
            np.testing.assert_allclose(values[volume, column], expected, rtol=1e-12)
    assert np.isnan(values).sum() == 1


def test_load_is_the_share_of_the_region_that_is_lesioned(tmp_path):
    masks = random_masks(5, seed=2)
    a = load_cohort(write_masks(tmp_path / "a", masks[:3]))
    b = load_cohort(write_masks(tmp_path / "b", masks[3:]))
    rois = rois_on(a.grid)
    values = load_in_rois((a, b), rois)
    assert values.groups == ("a", "a", "a", "b", "b")
    for row, mask in enumerate(masks):
        for column, roi in enumerate(rois):
            expected = 100 * (mask & roi.mask.array).sum() / roi.voxels
            assert values.values[row, column] == pytest.approx(expected, rel=1e-14)


def test_the_summary_is_that_of_pandas():
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(9, 2))
    numbers[4, 1] = np.nan
    groups = ("b", "a", "", "b", "a", "b", "c", "", "a")
    samples = tuple(map(str, range(9)))
    values = RoiValues(samples, groups, ("ROI 1", "ROI 2"), numbers, "mean signal")
    long = values.table.melt(["sample", "group"], var_name="roi")
    grouped = long[long["group"] != ""].groupby(["roi", "group"])["value"]
    expected = grouped.agg(["count", "mean", "std", "median"])
    found = values.summary.set_index(["roi", "group"])
    assert found.index.tolist() == [
        (roi, group) for roi in ("ROI 1", "ROI 2") for group in ("b", "a", "c")
    ]
    np.testing.assert_allclose(found, expected.loc[found.index], rtol=1e-13)


def test_what_does_not_belong_together_is_refused(series, tmp_path):
    far = AFFINE.copy()
    far[:3, 3] += 1
    elsewhere = rois_on(Grid(SHAPE, far))
    with pytest.raises(InputError, match="not on the grid of the series"):
        signal_in_rois(series, CONDITIONS, elsewhere)
    with pytest.raises(InputError, match="2 conditions for 6 volumes"):
        signal_in_rois(series, Conditions(("a", "b")), rois_on())
    cohort = load_cohort(write_masks(tmp_path / "a", random_masks(2)))
    with pytest.raises(InputError, match="not on the grid of a"):
        load_in_rois((cohort,), elsewhere)
    nothing = rois_on(share=0)
    with pytest.raises(InputError, match="no region of interest"):
        signal_in_rois(series, CONDITIONS, nothing)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_voxel_without_a_value_elsewhere_changes_nothing(dtype):
    array = np.random.default_rng(3).normal(900, 20, (*SHAPE, VOLUMES)).astype(dtype)
    rois = rois_on()
    expected = signal_in_rois(series_of(array), CONDITIONS, rois).values
    array[~rois.mask.array] = np.nan
    array.setflags(write=False)
    np.testing.assert_array_equal(
        signal_in_rois(series_of(array), CONDITIONS, rois).values, expected
    )
