"""Region and signal of the page Template & signal: its mask, its neighbours, what is refused."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.measurement_service import MapFacts, open_facts
from lesion_dash.dashboard.pages.template import TemplatePage
from lesion_dash.dashboard.pages.template_view import middle_of
from lesion_dash.dashboard.source_field import SourceField
from lesion_dash.dashboard.volume_pair import LESION, REGION, VolumePair, greys
from lesion_dash.images.maps import Map
from lesion_dash.images.masks import Mask
from lesion_dash.scans.region_masks import native_region, read_region
from lesion_dash.scans.signal import leave_out, measure_native

from .template_page import (
    HOSTILE,
    banner,
    choose,
    choose_images,
    hidden,
    path,
    register,
    shown_marks,
    text,
)


def test_the_threshold_moves_the_mask(page: TemplatePage, root: Path) -> None:
    choose_images(page)
    choose(page, page.region.map, "atlas", "maps.nii.gz")
    region = read_region(root / "atlas" / "maps.nii.gz", 1)
    sizes = []
    here = page.slices.voxel
    for threshold in (0.2, 0.5, 0.9):
        page.region.threshold.value = threshold
        page._context.wait()
        mask = region.mask_on(page.volumes.grid, threshold)
        assert f"{mask.volume_mm3:,.0f} mm³" in page.region.size.value
        assert np.array_equal(shown_marks(page, REGION)[2], mask.array[:, :, here[2]].T[::-1])
        sizes.append(mask.voxels)
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3
    assert page.slices.voxel == here  # the crosshair stays while the threshold moves


def test_a_threshold_that_nothing_reaches_is_said(page: TemplatePage, root: Path) -> None:
    choose_images(page, template=False)
    choose(page, page.region.map, "scans", "scan.nii.gz")
    assert "scan.nii.gz" in banner(page)  # a scan is no map
    assert "see the message" in text(page.region.hint)
    choose(page, page.region.map, "scans", "air.nii.gz")
    assert page.placed.mask.voxels > 0


def test_labels_are_chosen_by_name_and_take_no_threshold(page: TemplatePage, root: Path) -> None:
    choose_images(page)
    choose(page, page.region.map, "atlas", "labels.nii.gz")
    assert banner(page) == ""
    names = [name for name, _ in page.region.label.options]
    assert names[:3] == [f"{HOSTILE} {number} ({number})" for number in (1, 2, 3)]
    assert hidden(page.region._field)
    page.region.label.value = "3"
    page._context.wait()
    region = read_region(root / "atlas" / "labels.nii.gz", 3)
    assert page.placed.mask.voxels == region.indices.size
    assert page.slices.voxel == middle_of(page.placed.mask)
    register(page)
    assert HOSTILE in text(page.signal.table)
    assert HOSTILE not in page.signal.table.value
    choose(page, page.region.map, "atlas", "maps.nii.gz")
    assert not hidden(page.region._field)


def test_a_region_cannot_be_its_own_background(page: TemplatePage) -> None:
    choose_images(page)
    register(page)
    choose(page, page.region.map, "atlas", "maps.nii.gz")
    choose(page, page.signal.background, "/2")
    assert page.answer.noise.background_label == "2"
    page.region.label.value = "2"
    page._context.wait()
    assert page.signal.background.folder == ""
    assert page.answer.noise.background_label == ""
    assert "/1" in [key for _, key in page.signal.background.folders.options]


def test_what_is_refused_stands_in_place_of_its_value(page: TemplatePage, root: Path) -> None:
    choose_images(page)
    register(page)
    choose(page, page.region.map, "atlas", "one.nii.gz")
    choose(page, page.signal.air, "scans", "air.nii.gz")
    choose(page, page.signal.second, "scans", "scan.nii.gz")
    assert banner(page) == ""
    answer = page.answer.signal
    assert {one.measure for one in answer.quality.measures} >= {"snr_within", "snr_air"}
    assert [one.name for one, _ in answer.refused] == ["snr_difference"]
    shown = text(page.signal.table)
    assert "their difference holds no noise" in shown
    assert shown.count("ld-refused") == 1


def test_a_second_acquisition_of_another_shape_is_refused(page: TemplatePage) -> None:
    choose_images(page, template=False)
    choose(page, page.region.map, "scans", "air.nii.gz")
    assert "snr_within" in text(page.signal.table)
    choose(page, page.signal.second, "scans", "cut.nii.gz")
    assert page.answer is None
    assert "cut: is not on the grid of scan" in text(page.signal.table)
    assert "snr_within" not in text(page.signal.table)
    assert banner(page) == ""


def test_the_last_folder_is_offered_first_for_the_next_file(page: TemplatePage) -> None:
    fields = (page.images.template, page.images.lesion, page.region.map, page.signal.air)

    def offered(field: SourceField) -> list[str]:
        return [key for _, key in field.folders.options if key and not key.startswith("/")]

    before = offered(page.images.lesion)
    choose(page, page.images.image, "scans", "scan.nii.gz")
    for field in fields:
        assert offered(field)[0] == "scans"
        assert sorted(offered(field)) == sorted(before)
    assert [key for _, key in page.images.template.folders.options][:2] == ["", "/mni152"]
    choose(page, page.images.template, "atlas", "template.nii.gz")
    assert offered(page.region.map)[0] == "atlas"
    # What was chosen stays chosen.
    assert page.images.image.path.endswith("scan.nii.gz")
    assert page.images.image.folders.value == "scans"
    choose(page, page.images.template, "")
    assert offered(page.region.map)[0] == "atlas"


def test_other_lists_have_their_new_order_before_the_names_are_offered(page: TemplatePage) -> None:
    order: list[str] = []
    page.images.image.names.observe(lambda _: order.append("names"), names="_options_labels")
    page.region.map.folders.observe(lambda _: order.append("others"), names="_options_labels")
    choose(page, page.images.image, "scans")
    assert order == ["others", "names"]


def test_neighbours_share_no_voxel(page: TemplatePage, root: Path) -> None:
    choose_images(page)
    register(page)
    choose(page, page.region.map, "atlas", "maps.nii.gz")
    page.region.threshold.value = 0.05
    choose(page, page.signal.background, "/2")
    own, other = (
        native_region(
            read_region(path(root, "atlas/maps.nii.gz"), label),
            0.05,
            page.volumes.transform,
            page.volumes.native.grid,
        )
        for label in (1, 2)
    )
    expected = measure_native(page.volumes.native, own, leave_out(other, own))
    assert page.answer.signal.quality.table.equals(expected.quality.table)


class SlowFacts:
    """Holds the reading of one map until it is told to go on, and then reads it or fails."""

    def __init__(self, name: str, fails: bool = False) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self._name, self._fails = name, fails

    def __call__(self, path: str) -> MapFacts:
        if Path(path).name == self._name:
            self.begun.set()
            assert self.go.wait(30)
            if self._fails:
                raise InputError(self._name, "cannot be read")
        return open_facts(path)


def come_back(page: TemplatePage, map_name: str, region: str) -> None:
    """Choose a map, one of its regions and one for the background, as a link does."""
    page.region.map.choose(f"atlas//{map_name}")
    page.region.choose(region)
    page.signal.background.choose("/2")


def test_a_map_that_was_overtaken_takes_no_region_with_it(
    page: TemplatePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowFacts("scan.nii.gz", fails=True)
    monkeypatch.setattr("lesion_dash.dashboard.pages.template.open_facts", slow)
    page.region.map.choose("scans//scan.nii.gz")
    assert slow.begun.wait(30)
    come_back(page, "labels.nii.gz", "3")
    slow.go.set()
    page._context.wait()
    assert (page.region.region, page.signal.background.text) == ("3", "/2")
    assert banner(page) == ""


def test_a_background_waits_for_the_map_whose_region_it_is(
    page: TemplatePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(page, page.region.map, "atlas", "maps.nii.gz")
    slow = SlowFacts("labels.nii.gz")
    monkeypatch.setattr("lesion_dash.dashboard.pages.template.open_facts", slow)
    show = page.slices.show

    def show_and_go_on(volumes: VolumePair) -> None:
        show(volumes)
        slow.go.set()

    monkeypatch.setattr(page.slices, "show", show_and_go_on)
    page.images.image.choose("scans//scan.nii.gz")
    come_back(page, "labels.nii.gz", "3")
    page._context.wait()
    assert slow.go.is_set()
    assert (page.region.region, page.signal.background.text) == ("3", "/2")
    assert page.signal.background.offered == "2"


def scan(array: np.ndarray, edge: float = 1.0) -> Map:
    grid = Grid(array.shape, np.diag([edge, edge, edge, 1]))
    return Map("scan", array, grid, "", "")


def test_greys_keep_the_order_of_values() -> None:
    values = np.random.default_rng(0).normal(100, 20, (8, 9, 10)).astype(np.float32)
    shown = greys(scan(values))
    order = np.argsort(values, axis=None)
    assert np.all(np.diff(shown.ravel()[order].astype(int)) >= 0)
    assert shown.max() == 255


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (7, 255), (np.nan, 0), (-3, {0, 255})])
def test_greys_of_one_value(value: float, expected: object) -> None:
    shown = np.unique(greys(scan(np.full((3, 3, 3), value, np.float64)))).tolist()
    assert len(shown) == 1
    assert shown[0] in expected if isinstance(expected, set) else shown[0] == expected


def test_background_of_a_scan_is_black_and_an_outlier_does_not_darken_it() -> None:
    values = np.zeros((20, 20, 20))
    values[5:15, 5:15, 5:15] = np.random.default_rng(1).uniform(50, 100, (10, 10, 10))
    plain = greys(scan(values))
    values[10, 10, 10] = 1e6
    assert plain[0, 0, 0] == 0
    assert abs(int(greys(scan(values))[9, 9, 9]) - int(plain[9, 9, 9])) < 3


def test_a_large_slice_is_thinned_with_its_marks() -> None:
    array = np.zeros((2100, 5, 4), np.float32, order="F")
    array[2000:] = 1
    found = scan(array)
    mask = Mask.from_array(array, found.grid, "region")
    volumes = VolumePair(found, found, lesion=mask)
    panes, template, image = volumes.panes(volumes.middle, False)
    marks = np.frombuffer(volumes.marks(volumes.middle, False, mask), np.uint8)
    sizes = [width * height for width, height in (pane["pixels"] for pane in panes)]
    assert max(max(pane["pixels"]) for pane in panes) <= 1024
    assert len(template) == len(image) == marks.size == sum(sizes)
    assert template == image
    pixels = np.frombuffer(image, np.uint8)
    assert np.array_equal(marks, np.where(pixels > 0, REGION | LESION, 0))
    assert panes[2]["mm"] == [2100, 5]


def test_the_crosshair_stays_inside() -> None:
    volumes = VolumePair(*[scan(np.ones((3, 4, 5)))] * 2)
    assert volumes.clip((-2, 9, 2)) == (0, 3, 2)
    assert volumes.deeper(2, 1, (1, 1, 4)) == (1, 1, 4)
    assert volumes.deeper(0, 1, (1, 1, 4)) == (2, 1, 4)
