"""Atlases of labels and of probabilities: other grids, points, sizes, groups of regions."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from atlases import probability_atlas, turned
from phantoms import AFFINE
from scipy.ndimage import map_coordinates

from lesion_dash.atlas.atlas import OUTSIDE, LabelAtlas
from lesion_dash.atlas.formats import Region
from lesion_dash.atlas.grouping import group_regions
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.transforms.transform import points_of

GRID = Grid((6, 5, 7), AFFINE)
REGIONS = (
    Region(3, "Cuneus_L", {"parent": "occipital"}),
    Region(4, "Insula_R", {"parent": "frontal"}),
    Region(9, "Vermis"),
    Region(2001, "Precentral_R", {"parent": "frontal"}),
)
LABELS = np.random.default_rng(2).choice([0, 3, 4, 9, 2001], GRID.shape).astype(np.int16)
VALUES = np.random.default_rng(0).random((4, *GRID.shape))
VALUES[VALUES < 0.4] = 0
VALUES[0, :4], VALUES[1, :, 3:], VALUES[2] = 0, 0, 0
VALUES[2, 4, 4, 4] = 0.25  # of one voxel alone
GRIDS = {
    "half the voxels": Grid((11, 9, 13), AFFINE @ np.diag([0.5, 0.5, 0.5, 1])),
    "larger": Grid((4, 4, 4), AFFINE @ np.diag([1.5, 1.5, 2, 1])),
    "mirrored": Grid(
        GRID.shape, AFFINE @ nib.affines.from_matvec(np.diag([-1.0, 1, 1]), [5, 0, 0])
    ),
    "oblique": Grid(
        (8, 8, 8),
        nib.affines.from_matvec(nib.eulerangles.euler2mat(0.3, 0.2, 0.1) * 1.3, [-8, -9, -7]),
    ),
}


def labelled(labels=LABELS, grid=GRID) -> LabelAtlas:
    return LabelAtlas("made", grid, labels, REGIONS)


def probable(values=VALUES, grid=GRID):
    return probability_atlas(values, grid, REGIONS)


ATLASES = {"labels": labelled(), "probabilities": probable()}
BOTH_KINDS = pytest.mark.parametrize("atlas", ATLASES.values(), ids=ATLASES)


def dense(atlas):
    """The maps as arrays, one a region."""
    return atlas.maps.toarray().T.reshape((-1, *atlas.grid.shape), order="F")


def nearest_by_hand(labels, grid):
    """Every voxel on its own: the nearest atlas voxel, ties to the left, back and below."""
    nearest = np.zeros(grid.shape, labels.dtype)
    for voxel in np.ndindex(*grid.shape):
        mm = nib.affines.apply_affine(grid.affine, voxel) - 0.001
        own = np.floor(nib.affines.apply_affine(np.linalg.inv(AFFINE), mm) + 0.5).astype(int)
        if all(0 <= i < n for i, n in zip(own, labels.shape, strict=True)):
            nearest[voxel] = labels[tuple(own)]
    return nearest


@pytest.mark.parametrize("case", GRIDS)
def test_on_another_grid_labels_are_the_nearest_and_probabilities_interpolated(case):
    grid = GRIDS[case]
    labels, probabilities = labelled().on_grid(grid), probable().on_grid(grid)
    np.testing.assert_array_equal(labels.labels, nearest_by_hand(LABELS, grid))
    places = np.moveaxis(GRID.to_voxel(points_of(grid)), -1, 0)
    for array, brought in zip(VALUES, dense(probabilities), strict=True):
        expected = map_coordinates(array, places, order=1, mode="grid-constant", prefilter=False)
        np.testing.assert_allclose(brought, expected, atol=1e-12)
    unchanged = "no value changes" if case == "mirrored" else None
    assert (unchanged or "nearest neighbour in world coordinates") in labels.notes[-1]
    assert (unchanged or "linear interpolation") in probabilities.notes[-1]


def test_a_mirrored_and_permuted_copy_of_an_atlas_gives_the_same():
    fine = GRIDS["half the voxels"]
    (labels,), grid = turned([LABELS], GRID)
    np.testing.assert_array_equal(
        labelled(labels, grid).on_grid(fine).labels, labelled().on_grid(fine).labels
    )
    np.testing.assert_array_equal(dense(probable(*turned(VALUES, GRID)).on_grid(GRID)), VALUES)


@BOTH_KINDS
def test_the_own_grid_changes_nothing_and_one_elsewhere_is_refused(atlas):
    assert atlas.on_grid(Grid(GRID.shape, AFFINE + 1e-5 * np.eye(4)[:, [3, 3, 3, 3]])) is atlas
    far = Grid((4, 4, 4), nib.affines.from_matvec(np.diag([2.0, 2, 2]), [900, 0, 0]))
    with pytest.raises(InputError, match="made: atlas does not overlap the map: x"):
        atlas.on_grid(far)
    assert atlas.region_at([900, 0, 0]) == OUTSIDE


def test_a_map_where_the_atlas_has_nothing_lies_outside_it():
    corner = np.zeros(GRID.shape, np.int16)
    corner[0, 0, 0] = 3
    small = Grid((2, 2, 2), AFFINE @ nib.affines.from_matvec(np.eye(3), [3, 3, 3]))
    assert not labelled(corner).on_grid(small).labels.any()


def test_the_region_at_a_point_is_that_of_the_labels_at_every_tie_or_the_likeliest():
    atlas, fine = labelled(), GRIDS["half the voxels"]
    for grid, labels in ((fine, atlas.on_grid(fine).labels), (GRID, LABELS)):
        for voxel in np.ndindex(*grid.shape):
            assert atlas.region_at(grid.to_mm(voxel)) == atlas.names[int(labels[voxel])]
    for voxel in np.ndindex(*GRID.shape):
        own = VALUES[(slice(None), *voxel)]
        expected = REGIONS[int(np.argmax(own))].name if own.max() > 0 else OUTSIDE
        assert probable().region_at(GRID.to_mm(voxel)) == expected


def test_sizes_are_voxels_and_sums_of_probabilities():
    sums = {region.label: array.sum() for region, array in zip(REGIONS, VALUES, strict=True)}
    assert probable().sizes == pytest.approx(sums, rel=1e-12)
    assert labelled().sizes == {label: (label == LABELS).sum() for label in (0, 3, 4, 9, 2001)}
    assert labelled().table["voxels"].tolist() == labelled().voxel_counts
    assert probable().table["expected_voxels"].tolist() == list(probable().sizes.values())
    for region, array in zip(REGIONS, dense(labelled()), strict=True):
        np.testing.assert_array_equal(array, region.label == LABELS)


def test_labels_become_those_of_their_groups():
    atlas = labelled(LABELS.copy())
    grouped = group_regions(atlas, "parent")
    parents = {0: OUTSIDE, 3: "occipital", 4: "frontal", 9: "no parent given", 2001: "frontal"}
    for voxel in np.ndindex(GRID.shape):
        assert grouped.names[grouped.labels[voxel]] == parents[LABELS[voxel]]
    names = [region.name for region in grouped.regions]
    assert names == ["occipital", "frontal", "no parent given"]
    assert not grouped.labels.flags.writeable
    np.testing.assert_array_equal(atlas.labels, LABELS)


def test_a_group_is_as_likely_as_its_regions_together():
    grouped = group_regions(probable(), "hemisphere")
    left, right, neither = dense(grouped)
    np.testing.assert_allclose(right, np.minimum(VALUES[1] + VALUES[3], 1), rtol=1e-15)
    np.testing.assert_array_equal(left, VALUES[0])
    np.testing.assert_array_equal(neither, VALUES[2])
    assert [region.name for region in grouped.regions] == ["left", "right", "no hemisphere given"]


@pytest.mark.parametrize(
    ("by", "match"),
    [
        ("parent", "made: no region has a parent; give a label table"),
        ("size", "'size' cannot group regions"),
    ],
)
def test_regions_that_cannot_be_grouped_are_told(by, match):
    with pytest.raises(InputError, match=match):
        group_regions(LabelAtlas("made", GRID, LABELS, REGIONS[2:3]), by)
