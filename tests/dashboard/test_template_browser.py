"""The page Template & signal in a real Chromium: register, blend, threshold, and the table."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from browser_steps import (
    LONG,
    SIZES,
    assert_fits,
    choose_option,
    download,
    open_tab,
    resize,
    settle,
    wait_for_change,
    wait_for_text,
)
from heads import apply, brain_points, make_grid, make_head, make_pose

from lesion_dash.images.maps import read_map
from lesion_dash.scans.region_masks import native_region, read_region
from lesion_dash.scans.signal import measure_native
from lesion_dash.transforms.transform import Transform

pytestmark = pytest.mark.browser

POSE = make_pose((4, -3, 5), (5, -4, 3))
COUNT = """window.sent = 0;
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) { window.sent += 1; return send.call(this, data); };"""
VIEW = ".ld-template-view"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head and its atlas at 5 mm: registered in seconds."""
    root = tmp_path_factory.mktemp("template").resolve()
    grid, turned = make_grid((170, 210, 210), 5.0, (0, -10, 0)), make_grid((180, 220, 220), 5.0)
    points = grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))
    away = np.linalg.norm(points - [25, -15, 20], axis=-1)
    share = np.clip((40 - away) / 30, 0, 1).astype(np.float32)
    images = {
        "template/template": (make_head(grid), grid),
        "map/region": (share, grid),
        "scans/scan": (make_head(turned, POSE, noise=3), turned),
    }
    for name, (array, where) in images.items():
        path = root / f"{name}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(array, where.affine), path)
    return root


@pytest.fixture(scope="module")
def address(serve: Callable[[Path], str], root: Path) -> str:
    return serve(root)


@pytest.fixture
def tab(address: str, shared_page: Callable[..., Any]) -> Any:
    page = shared_page(address, start="", script=COUNT)
    open_tab(page, "Registration and signal")
    return page


def choose(page: Any, card: str, place: int, *names: str) -> None:
    lists = page.locator(f".ld-template-{card} .ld-file-field").nth(place).locator("select")
    for number, name in enumerate(names):
        choose_option(lists.nth(number), name)


def picture(page: Any) -> list[float]:
    """Mean brightness of each of the three slices."""
    code = """all => all.map(one => {
        const data = one.getContext("2d").getImageData(0, 0, one.width, one.height).data;
        return data.reduce((sum, value) => sum + value, 0) / data.length;
    })"""
    return [round(value, 3) for value in page.locator(f"{VIEW} canvas").evaluate_all(code)]


def assert_blends_alone(page: Any) -> None:
    """The slider and the buttons change the picture, and nothing is sent to Python."""
    bar = page.locator(f"{VIEW} .ld-blend-bar")
    place = bar.bounding_box()
    slider = page.get_by_label("Blend from template to image")
    settle(page)
    sent, seen = page.evaluate("window.sent"), set()
    for value in (0, 50, 100):
        slider.fill(str(value))
        seen.add(tuple(picture(page)))
    assert len(seen) == 3
    wait_for_text(page, f"{VIEW} .ld-blend-said", "Image")
    page.get_by_role("button", name="Checkerboard").click()
    assert tuple(picture(page)) not in seen
    flicker = page.get_by_role("button", name="Flicker")
    flicker.click()
    for shown in ("Template", "Image"):
        wait_for_text(page, f"{VIEW} .ld-blend-said", shown)
    assert flicker.get_attribute("aria-pressed") == "true"
    page.emulate_media(reduced_motion="reduce")
    swap = page.get_by_role("button", name="Swap")
    swap.wait_for(timeout=LONG)
    assert swap.get_attribute("aria-pressed") == "false"
    page.emulate_media(reduced_motion="no-preference")
    assert bar.bounding_box() == place
    assert page.evaluate("window.sent") == sent


def test_nothing_is_cut_off_and_nothing_jumps(tab: Any) -> None:
    page = tab
    wait_for_text(page, f"{VIEW} .ld-blend-empty", "Choose an image on the left")
    region = page.locator(".ld-template-region")
    before = region.bounding_box()
    choose(page, "images", 0, "scans", "scan.nii.gz")
    wait_for_text(page, VIEW, "The image in its own space")
    choose(page, "region", 0, "map", "region.nii.gz")
    first = page.locator(".ld-signal-table tbody tr").first.locator("td").first
    first.wait_for(timeout=LONG)
    assert region.bounding_box() == before
    for width, height in SIZES:
        resize(page, width, height)
        parts = ("images", "view", "region", "signal", "code")
        assert_fits(page, *(f".ld-template-{part}" for part in parts))
        for part in (first, page.get_by_role("button", name="Register")):
            box = part.bounding_box()
            assert box["y"] + box["height"] <= height  # to be seen without scrolling
    readout = page.locator(f"{VIEW} .ld-blend-readout").inner_text()
    page.locator(f"{VIEW} canvas").nth(2).press("ArrowUp")
    wait_for_change(page, f"{VIEW} .ld-blend-readout", readout)


def test_from_a_scan_to_the_librarys_table(tab: Any, root: Path) -> None:
    page = tab
    choose(page, "images", 0, "scans", "scan.nii.gz")
    choose(page, "images", 1, "template", "template.nii.gz")
    wait_for_text(page, VIEW, "header alignment")
    page.get_by_role("button", name="Register").click(timeout=LONG)
    wait_for_text(page, ".ld-template-busy", "Done.")
    wait_for_text(page, VIEW, "Similarity")
    assert_blends_alone(page)
    choose(page, "region", 0, "map", "region.nii.gz")
    rows = page.locator(".ld-signal-table tbody tr")
    rows.first.wait_for(timeout=LONG)
    before = page.locator(".ld-region-size").inner_text()
    handle = page.locator(".ld-template-region .noUi-handle")
    for _ in range(5):
        handle.press("ArrowRight")
    wait_for_text(page, ".ld-template-region", "of at least 0.55 taken")
    assert page.locator(".ld-region-size").inner_text() != before
    wait_for_text(page, ".ld-signal-right", "of at least 0.55 taken")
    name, content = download(page, page.get_by_role("button", name="Download all").click)
    assert name == "template_and_signal.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        matrix = np.loadtxt(io.BytesIO(archive.read("transform_moving_to_template.txt")))
    truth = brain_points(20)
    error = np.linalg.norm(apply(matrix, apply(np.linalg.inv(POSE), truth)) - truth, axis=-1)
    assert error.mean() < 1
    image, region = read_map(root / "scans/scan.nii.gz"), read_region(root / "map/region.nii.gz")
    native = native_region(region, 0.55, Transform(matrix), image.grid)
    expected = measure_native(image, native).quality.measures
    shown = [row.inner_text() for row in rows.all()]
    assert len(shown) == len(expected)
    for row, measure in zip(shown, expected, strict=True):
        assert row.startswith(measure.measure)
        assert f"{measure.value:.3g}" in row
        assert f"n {measure.signal_voxels:,}" in row
