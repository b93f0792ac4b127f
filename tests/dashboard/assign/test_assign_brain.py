"""The brain of the page Assign: component, contour and crosshair."""

from __future__ import annotations

import html
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lesion_dash.atlas.atlas import OUTSIDE
from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.assignment_service import CHOSEN, CONTOUR, OTHERS
from lesion_dash.dashboard.pages.assign import AssignPage
from lesion_dash.dashboard.pages.match import place_html
from lesion_dash.dashboard.picture import contour

from .assign_page import AFFINE, choose


@pytest.mark.parametrize("atlas", ["synthetic_atlas", "likely"])
def test_a_row_leads_into_component_and_region(page: AssignPage, atlas: str) -> None:
    choose(page, atlas=atlas, threshold=7, lower_threshold=0.2)
    answer = page.answer
    assert answer is not None
    grid = answer.source.image.grid
    for row, region in enumerate(page.table.frame["Region"]):
        page.table.click(row)
        voxel = grid.nearest_voxel(page.brain.viewer.mm)
        assert voxel is not None
        assert answer.source.image.array[voxel] > 7
        likely = answer.atlas.maps[[grid.linear_index(voxel)]].toarray()[0]
        names = [one.name for one, p in zip(answer.atlas.regions, likely, strict=True) if p >= 0.2]
        assert region in (names or [OUTSIDE])
        shown = page.brain.picture.levels[voxel]
        assert shown in (CHOSEN.value, CONTOUR.value)
        assert html.escape(region) in page.brain.legend.value or region == OUTSIDE


@pytest.mark.parametrize(
    ("code", "words"), [(4, "<b>MNI −20, 3, 8</b>"), (1, "<b>−20, 3, 8 mm</b>")]
)
def test_only_places_of_mni_space_are_called_so(page: AssignPage, code: int, words: str) -> None:
    choose(page, source="maps")
    choose(page, file="both.nii.gz")
    answer = page.answer
    assert answer is not None
    found = answer.source.image
    own = replace(found, grid=Grid(found.grid.shape, found.grid.affine, code))
    answer = replace(answer, source=replace(answer.source, image=own))
    assert words in place_html(answer, (-20.0, 3.0, 8.0))


def test_the_peak_is_gone_to_where_the_region_holds_it(page: AssignPage) -> None:
    table = page.answer.table
    held = table[table["region"] == table["region_at_peak"]]
    for row in held.itertuples():
        match = page.answer.match_of(row.component, row.label, row.region)
        peak = (row.peak_x_mm, row.peak_y_mm, row.peak_z_mm)
        assert page.answer.place_of(match) == pytest.approx(peak)
    assert len(held)


def test_picture_shows_all_components_and_one_contour(page: AssignPage) -> None:
    choose(page, source="maps", file="both.nii.gz", threshold=2.5)
    answer = page.answer
    assert answer is not None
    first, *rest = answer.assignment.components
    parts = answer.picture(first)
    np.testing.assert_array_equal(parts.levels == CHOSEN.value, first.mask.array)
    others = np.any([part.mask.array for part in rest], axis=0)
    np.testing.assert_array_equal(parts.levels == OTHERS.value, others)
    column = int(np.diff(answer.atlas.maps.indptr).argmax())
    region = np.asarray(answer.atlas.labels == answer.atlas.regions[column].label)
    place = np.argwhere(region)[region.sum() // 2]
    levels = answer.with_contour(parts, column, tuple(parts.grid.to_mm(place))).levels
    np.testing.assert_array_equal(levels == CONTOUR.value, brute_force_contour(region, [place]))
    assert answer.with_contour(parts, -1, (0.0, 0.0, 0.0)) is parts


def brute_force_contour(region: np.ndarray, places: list) -> np.ndarray:
    """Voxels beside one outside the region in a plane through one of the places."""
    padded = np.pad(region, 1)
    found = np.zeros_like(region)
    for voxel in np.argwhere(region):
        for place, axis in product(places, range(3)):
            if voxel[axis] == place[axis]:
                around = [slice(v, v + 1 if a == axis else v + 3) for a, v in enumerate(voxel)]
                around[axis] = slice(voxel[axis] + 1, voxel[axis] + 2)
                found[tuple(voxel)] |= not padded[tuple(around)].all()
    return found


@pytest.mark.parametrize("affine", [np.diag([2.0, 2, 2, 1]), AFFINE[[0, 1, 2, 3]][:, [2, 0, 1, 3]]])
def test_contour_of_any_region_in_any_planes(affine: np.ndarray) -> None:
    region = np.random.default_rng(2).random((8, 9, 7)) < 0.95
    grid = Grid(region.shape, affine)
    voxels = np.flatnonzero(region.ravel(order="F"))
    for low, high in (((3, 4, 5), (3, 4, 5)), ((3, 4, 5), (4, 5, 6)), ((0, 8, 9), (0, 8, 9))):
        found = np.zeros(region.size, bool)
        found[contour(voxels, grid, tuple(grid.to_mm(np.mean([low, high], axis=0))))] = True
        expected = brute_force_contour(region, [low, high])
        np.testing.assert_array_equal(found, expected.ravel(order="F"))
    assert contour(np.empty(0, np.int64), grid, (0.0, 0.0, 0.0)).size == 0


def test_contour_of_fine_voxels_is_as_wide_in_mm() -> None:
    fine, coarse = Grid((20, 20, 20), np.eye(4)), Grid((10, 10, 10), np.diag([2.0, 2, 2, 1]))
    cube = np.zeros((10, 10, 10), bool)
    cube[1:8, 2:9, 1:9] = True
    doubled = cube.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    found = []
    for region, grid, mm in ((cube, coarse, (8.0, 8, 8)), (doubled, fine, (8.5, 8.5, 8.5))):
        flat = np.zeros(region.size, bool)
        flat[contour(np.flatnonzero(region.ravel(order="F")), grid, mm)] = True
        found.append(flat.reshape(region.shape, order="F"))
    np.testing.assert_array_equal(found[1], found[0].repeat(2, 0).repeat(2, 1).repeat(2, 2))


def test_the_contour_follows_the_crosshair(page: AssignPage) -> None:
    page.table.click(0)
    answer, grid = page.answer, page.answer.source.image.grid
    x, y, z = page.brain.viewer.mm
    for mm in ((x, y, z), (x + 4, y, z)):
        page.brain.viewer.move_to(mm)
        expected = answer.with_contour(page.brain._parts, page.brain._column, mm).levels
        np.testing.assert_array_equal(page.brain.picture.levels, expected)
        np.testing.assert_array_equal(
            page.brain.viewer._picture.levels,
            page.brain.viewer._box.crop(page.brain.picture).levels,
        )
    assert grid.nearest_voxel((x, y, z)) != grid.nearest_voxel((x + 4, y, z))


def test_the_picked_region_stays_while_the_threshold_moves(page: AssignPage) -> None:
    page.table.click(1)
    place, column = page.brain._picked
    choose(page, threshold=6)
    assert page.brain._picked == (place, column)
    assert page.brain.viewer.mm == place
    choose(page, source="mean")
    assert page.brain._picked != (place, column)


def test_a_lower_threshold_of_the_probability_is_in_the_legend(page: AssignPage) -> None:
    choose(page, atlas="likely", source="maps", file="both.nii.gz", lower_threshold=0.3)
    assert "(where its probability is ≥ 0.3)" in page.brain.legend.value
    choose(page, lower_threshold=0)
    assert "(where its probability is above 0)" in page.brain.legend.value


def test_without_webgl_nilearn_draws(page: AssignPage) -> None:
    page.brain.canvas.probe.set_state({"webgl": "no"})
    page._context.wait()
    assert 'sandbox="allow-scripts"' in page.brain.canvas.fallback.value
