"""Clusters of a permutation test: against a flood fill, and by laws."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from blobs import flood_fill
from cohorts import cohort_of_positions

from lesion_dash import (
    Grid,
    InputError,
    LabelAtlas,
    find_size_clusters,
    mean_contrast,
    permute_volumes,
)
from lesion_dash.atlas.formats import Region

SHAPE = (12, 11, 9)
AFFINE = np.array([[-2.0, 0, 0, 11], [0, 2.0, 0, -9], [0, 0, 2.0, -8], [0, 0, 0, 1]])
GRID = Grid(SHAPE, AFFINE)
LARGE, SMALL = range(8), range(8, 16)
"""Patients of large lesions, and of small ones."""


def voxels(*ranges) -> np.ndarray:
    """Linear positions of a box, the first axis fastest."""
    return np.ravel_multi_index(np.array([*product(*ranges)]).T, SHAPE, order="F")


FIRST = voxels((1, 2), (1, 2), (1, 2))
DIAGONAL = voxels((3,), (3,), (3,))  # shares a corner with the first
APART = voxels((8, 9), (8,), (5, 6))
OF_SMALL = voxels((8, 9), (8,), (3, 4))  # below the one apart, and of small lesions


def made_cohort():
    """Large lesions share two places, small ones another; the rest of each lies anywhere."""
    generator = np.random.default_rng(4)
    free = np.setdiff1d(np.arange(np.prod(SHAPE)), [*FIRST, *DIAGONAL, *APART, *OF_SMALL])
    free = generator.permutation(free)
    rows, used = [], 0
    for patient in range(24):
        size = 70 - patient if patient in LARGE else 5 if patient in SMALL else 12
        own = [free[used : used + size]]
        used += size
        own += [FIRST, DIAGONAL, APART] if patient in LARGE else []
        own += [APART[:1]] if patient == 20 else []  # so that this voxel is not a peak
        own += [OF_SMALL] if patient in SMALL else []
        rows.append(np.sort(np.concatenate(own)).astype(np.int32))
    return cohort_of_positions(rows, SHAPE, AFFINE)


COHORT = made_cohort()


def outcome(side="larger"):
    return permute_volumes(COHORT, 5, 199, 1, side), mean_contrast(COHORT, 5)


def parts_of(indices) -> list[list[int]]:
    """Voxels that hang together by faces, edges or corners."""
    inside = np.zeros(SHAPE, bool)
    inside[np.unravel_index(indices, SHAPE, order="F")] = True
    return [[GRID.linear_index(voxel) for voxel in part] for part in flood_fill(inside, 26)]


def index_of(row) -> int:
    return GRID.linear_index(GRID.nearest_voxel(row.mm))


@pytest.mark.parametrize("side", ["larger", "smaller", "two-sided"])
def test_clusters_are_the_voxels_that_hang_together(side):
    permuted, means = outcome(side)
    small = permuted.corrected_p <= 0.05
    signs = permuted.statistic > 0
    parts = [
        part
        for sign in (True, False)
        for part in parts_of(permuted.indices[small & (signs == sign)])
    ]
    clusters = find_size_clusters(permuted, means)
    assert len(clusters) == len(parts) == {"larger": 2, "smaller": 1, "two-sided": 3}[side]
    assert sorted(row.voxels for row in clusters) == sorted(map(len, parts))
    for row in clusters:
        own = next(part for part in parts if index_of(row) in part)
        assert row.voxels == len(own)
        assert row.volume_mm3 == 8 * len(own)
        inside = np.isin(permuted.indices, [*own])
        heights = np.abs(permuted.statistic[inside])
        assert abs(row.statistic) == heights.max()
        assert row.corrected_p == permuted.corrected_p[inside].min()


def test_the_peak_tells_what_the_masks_hold():
    clusters = find_size_clusters(*outcome())
    assert [row.cluster for row in clusters] == [1, 2]
    volumes = COHORT.volumes * 8.0
    for row in clusters:
        index = index_of(row)
        lesioned = [index in COHORT.mask(patient).indices for patient in range(COHORT.n_patients)]
        assert row.patients == sum(lesioned) == len(LARGE)
        assert row.mean_volume_mm3 == pytest.approx(volumes[lesioned].mean())
    assert index_of(clusters.rows[0]) not in APART[:1]
    first = next(row for row in clusters if index_of(row) in [*FIRST, *DIAGONAL])
    assert first.voxels == 9


def test_no_voxel_is_lost_and_none_is_added():
    permuted, means = outcome()
    for level in (0.005, 0.05, 0.5, 1.0):
        clusters = find_size_clusters(permuted, means, level=level)
        assert sum(row.voxels for row in clusters) == permuted.significant(level)
        assert all(row.corrected_p <= level for row in clusters)
        heights = [row.statistic for row in clusters]
        assert heights == sorted(heights, reverse=True)


def test_of_voxels_that_are_alike_the_one_in_the_middle_is_the_peak():
    permuted, means = outcome()
    row = next(row for row in find_size_clusters(permuted, means) if index_of(row) in FIRST)
    centre = GRID.mm_of_index(np.concatenate([FIRST, DIAGONAL])).mean(axis=0)
    places = GRID.mm_of_index(np.concatenate([FIRST, DIAGONAL]))
    away = np.linalg.norm(places - centre, axis=1)
    assert np.linalg.norm(np.array(row.mm) - centre) == pytest.approx(away.min())


def test_regions_are_those_of_the_peaks():
    labels = np.zeros(SHAPE, int)
    labels[:6] = 4
    atlas = LabelAtlas("halves", GRID, labels, (Region(4, "right half"),))
    clusters = find_size_clusters(*outcome(), atlas)
    names = {row.region: row.x_mm for row in clusters}
    assert set(names) == {"right half", "outside the atlas"}
    assert names["right half"] > names["outside the atlas"]
    assert {row.region for row in find_size_clusters(*outcome())} == {""}


def test_nothing_found_is_an_empty_table_with_its_columns():
    permuted, means = outcome()
    p = {**permuted.values, "corrected_p": np.ones(permuted.tested)}
    none = find_size_clusters(replace(permuted, values=p), means)
    assert not len(none)
    assert [*none.table.columns][:4] == ["cluster", "voxels", "volume_mm3", "x_mm"]


def test_the_table_holds_the_rows():
    clusters = find_size_clusters(*outcome())
    assert clusters.table["mean_volume_mm3"].tolist() == [r.mean_volume_mm3 for r in clusters]


def test_means_of_others_and_levels_that_are_no_p_are_refused():
    permuted, means = outcome()
    with pytest.raises(InputError, match="level: is 5; give a p above 0 and at most 1"):
        find_size_clusters(permuted, means, level=5)
    with pytest.raises(InputError, match="means: are not of the cohort and the minimum"):
        find_size_clusters(permuted, mean_contrast(COHORT, 4))
