"""Regions of interest: the parts of a mask, their peaks, their table and their files."""

from __future__ import annotations

import itertools
import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from atlases import turned
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from phantoms import AFFINE
from scipy import ndimage

from lesion_dash.atlas.atlas import LabelAtlas
from lesion_dash.atlas.formats import Region
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map, labels_to_nifti
from lesion_dash.images.masks import Mask
from lesion_dash.rois.saving import save_rois
from lesion_dash.rois.steps import Threshold
from lesion_dash.rois.values import find_rois

SHAPE = (5, 6, 4)
GRID = Grid(SHAPE, AFFINE)
MASKS = hnp.arrays(bool, SHAPE)
VALUES = hnp.arrays(
    np.float64, SHAPE, elements=st.one_of(st.integers(-9, 9).map(float), st.just(np.nan))
)


def mask_of(array, grid=GRID):
    return Mask.from_array(np.asarray(array), grid, "m")


def map_of(array, grid=GRID):
    return Map("t", np.asarray(array), grid, "", "")


def flood(array, steps):
    """Connected sets of voxels by walking from voxel to voxel."""
    left = {tuple(voxel) for voxel in np.argwhere(array).tolist()}
    parts = []
    while left:
        waiting, part = [left.pop()], set()
        while waiting:
            voxel = waiting.pop()
            part.add(voxel)
            around = {tuple(a + b for a, b in zip(voxel, step, strict=True)) for step in steps}
            waiting += sorted(around & left)
            left -= around
        parts.append(frozenset(part))
    return parts


def neighbours(connectivity):
    most = {6: 1, 18: 2, 26: 3}[connectivity]
    every = itertools.product((-1, 0, 1), repeat=3)
    return [step for step in every if 0 < sum(map(abs, step)) <= most]


@given(MASKS, st.sampled_from([6, 18, 26]), st.integers(1, 6), st.sampled_from([0.0, 24.0]))
def test_regions_are_the_connected_parts_that_are_large_enough(array, connectivity, fewest, mm3):
    rois = find_rois(
        mask_of(array),
        map_of(np.zeros(SHAPE)),
        connectivity=connectivity,
        min_voxels=fewest,
        min_mm3=mm3,
    )
    parts = flood(array, neighbours(connectivity))
    expected = {part for part in parts if len(part) >= fewest and len(part) * 8 >= mm3}
    found = [frozenset(map(tuple, np.argwhere(roi.mask.array).tolist())) for roi in rois]
    assert set(found) == expected
    assert len(found) == len(expected)
    structure = ndimage.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[connectivity])
    assert len(parts) == ndimage.label(array, structure)[1]


@given(MASKS)
def test_regions_are_numbered_from_the_largest_then_in_the_order_of_the_file(array):
    rois = find_rois(mask_of(array), map_of(np.zeros(SHAPE)), connectivity=6)
    order = [(-roi.voxels, roi.mask.indices[0]) for roi in rois]
    assert order == sorted(order)
    assert [roi.number for roi in rois] == list(range(1, len(rois) + 1))
    assert rois.mask.voxels == array.sum()
    np.testing.assert_array_equal(rois.mask.array, array)


@given(MASKS, VALUES, st.sampled_from(["above", "below", "both"]))
def test_a_peak_is_the_value_farthest_beyond_and_not_nan(array, values, side):
    for roi in find_rois(mask_of(array), map_of(values), side=side):
        own = values[roi.mask.array]
        own = own[~np.isnan(own)]
        if not own.size:
            assert np.isnan(roi.peak_value)
        elif side == "both":
            assert abs(roi.peak_value) == np.abs(own).max()
        else:
            assert roi.peak_value == (own.max() if side == "above" else own.min())
        voxel = GRID.nearest_voxel(roi.peak_mm)
        assert roi.mask.array[voxel]
        np.testing.assert_equal(float(values[voxel]), roi.peak_value)
        centre = np.argwhere(roi.mask.array) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
        np.testing.assert_allclose(roi.centre_mm, centre.mean(axis=0), atol=1e-9)


@given(MASKS, VALUES)
def test_a_turned_and_mirrored_map_has_the_same_regions(array, values):
    (moved, moved_values), grid = turned([array, values], GRID)
    one = find_rois(mask_of(array), map_of(values)).table
    other = find_rois(mask_of(moved, grid), map_of(moved_values, grid)).table
    # Equally large ones may be numbered otherwise.
    columns = ["voxels", "x_mm", "y_mm", "z_mm"]
    tables = [
        table.drop(columns=["index", "name"]).round(6).sort_values(columns).reset_index(drop=True)
        for table in (one, other)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_the_region_of_an_atlas_is_that_at_the_peak():
    values = np.zeros(SHAPE)
    values[0, 0, 0], values[1, 0, 0], values[4, 5, 3] = 5, 9, 7
    labels = np.zeros(SHAPE, int)
    labels[0], labels[1] = 1, 2
    atlas = LabelAtlas("a", GRID, labels, (Region(1, "insula"), Region(2, "cuneus")))
    rois = find_rois(mask_of(values > 3), map_of(values), atlas=atlas)
    assert rois.table["region"].tolist() == ["cuneus", "outside the atlas"]


def test_picked_regions_keep_their_numbers():
    diagonal = mask_of(np.eye(5, 6)[..., None] * [1, 0, 0, 0])
    rois = find_rois(diagonal, map_of(np.ones(SHAPE)), connectivity=6)
    picked = rois.pick([4, 2])
    assert picked.names == ("ROI 2", "ROI 4")
    assert picked.table["index"].tolist() == [2, 4]
    every, chosen = rois.atlas.labels, picked.atlas.labels
    np.testing.assert_array_equal(chosen, np.where(np.isin(every, [2, 4]), every, 0))
    assert picked.mask.voxels == 2
    with pytest.raises(InputError, match="no region of interest 6; choose from 1, 2, 3, 4, 5"):
        rois.pick([6])


def test_saved_regions_are_read_back_as_an_atlas(tmp_path):
    # Every second voxel: by faces, each is a region of its own.
    array = np.indices(SHAPE).sum(axis=0) % 2 == 0
    found = map_of(np.random.default_rng(0).normal(size=SHAPE))
    rois = find_rois(mask_of(array), found, connectivity=6)
    save_rois(rois, tmp_path / "out")
    assert nib.load(tmp_path / "out" / "mask_atlas.nii").get_data_dtype() == np.int16
    atlas = load_atlas(tmp_path / "out" / "mask_atlas.nii")
    np.testing.assert_array_equal(atlas.labels, rois.atlas.labels)
    assert atlas.names == rois.atlas.names
    assert atlas.grid.matches(GRID)
    assert atlas.notes == ()
    table = pd.read_csv(tmp_path / "out" / "mask_atlas.tsv", sep="\t").drop(columns="region")
    shown = rois.table.drop(columns="region")
    pd.testing.assert_frame_equal(table, shown, rtol=1e-11, check_dtype=False)


def test_labels_are_written_in_the_smallest_type_that_holds_them():
    for largest, kind in ((2**15 - 1, np.int16), (2**15, np.int32), (2**31 - 1, np.int32)):
        labels = np.array([0, 7, largest]).reshape(3, 1, 1)
        stored = labels_to_nifti(labels, Grid((3, 1, 1), AFFINE), "labels")
        assert stored.get_data_dtype() == kind
        np.testing.assert_array_equal(np.asarray(stored.dataobj), labels)


def test_earlier_regions_need_overwrite_and_every_file_has_its_checksum(tmp_path):
    rois = find_rois(mask_of(np.ones(SHAPE)), map_of(np.ones(SHAPE)))
    save_rois(rois, tmp_path)
    with pytest.raises(InputError, match="already holds results"):
        save_rois(rois, tmp_path)
    save_rois(rois, tmp_path, overwrite=True)
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert set(provenance["outputs"]) == {"mask_atlas.nii", "mask_atlas.tsv"}
    assert provenance["counts"]["voxels"] == {"ROI 1": 120}


def test_no_region_is_no_atlas_and_leaves_no_file(tmp_path):
    rois = find_rois(mask_of(np.zeros(SHAPE)), map_of(np.zeros(SHAPE)))
    assert len(rois) == 0
    assert rois.table.empty
    assert rois.mask.voxels == 0
    with pytest.raises(InputError, match="no region of interest; lower the threshold"):
        save_rois(rois, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_map_on_another_grid_and_sizes_that_are_none_are_refused():
    other = map_of(np.zeros(SHAPE), Grid(SHAPE, np.diag([3.0, 3, 3, 1])))
    with pytest.raises(InputError, match="not on the grid of the map: voxel size differs"):
        find_rois(mask_of(np.ones(SHAPE)), other)
    wrong = {"connectivity": 8, "min_voxels": 0, "min_mm3": -1.0, "side": "left"}
    for name, value in wrong.items():
        with pytest.raises(InputError, match="is"):
            find_rois(mask_of(np.ones(SHAPE)), map_of(np.ones(SHAPE)), **{name: value})


def test_how_many_were_too_small_is_said():
    values = np.zeros(SHAPE)
    values[0, 0, 0] = values[3, 3, 1:] = 5
    found = map_of(values)
    rois = find_rois(Threshold(1).apply(found), found, min_voxels=2)
    assert [roi.voxels for roi in rois] == [3]
    assert rois.notes == ("1 of 2 components excluded: too small",)
