"""The page Template & signal in a real Chromium: register, blend, threshold, and the table."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from heads import apply, brain_points, make_grid, make_head, make_pose

from lesion_dash.images.maps import read_map
from lesion_dash.scans.region_masks import native_region, read_region
from lesion_dash.scans.signal import measure_native
from lesion_dash.transforms.transform import Transform

pytestmark = pytest.mark.browser

LONG = 90_000  # ms
POSE = make_pose((4, -3, 5), (5, -4, 3))
COUNT = """window.sent = 0;
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) { window.sent += 1; return send.call(this, data); };"""
LOOK = ".ld-template-view"


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
def tab(address: str, kept_page: Callable[..., Any]) -> Any:
    page = kept_page(address, start="", script=COUNT)
    page.get_by_role("tab", name="Template & signal").click(timeout=LONG)
    return page


def wait_for(page: Any, selector: str, text: str) -> None:
    code = "([at, text]) => document.querySelector(at)?.textContent.includes(text)"
    page.wait_for_function(code, arg=[selector, text], timeout=LONG)


def choose(page: Any, card: str, place: int, folder: str, name: str) -> None:
    lists = page.locator(f".ld-template-{card} .ld-file-field").nth(place).locator("select")
    offered = lists.nth(0).locator("option", has_text=re.compile(rf"^\s*{folder}"))
    offered.first.wait_for(state="attached", timeout=LONG)
    texts = lists.nth(0).locator("option").all_inner_texts()
    lists.nth(0).select_option(label=next(text for text in texts if text.startswith(folder)))
    lists.nth(1).locator("option", has_text=name).wait_for(state="attached", timeout=LONG)
    lists.nth(1).select_option(label=name)


def picture(page: Any) -> list[float]:
    """Mean brightness of each of the three slices."""
    code = """all => all.map(one => {
        const data = one.getContext("2d").getImageData(0, 0, one.width, one.height).data;
        return data.reduce((sum, value) => sum + value, 0) / data.length;
    })"""
    found = page.locator(f"{LOOK} canvas").evaluate_all(code)
    return [round(value, 3) for value in found]


def buttons(page: Any) -> list[Any]:
    """Where the buttons below the slices are."""
    return [one.bounding_box() for one in page.locator(f"{LOOK} .ld-blend-bar button").all()]


def assert_blends_alone(page: Any) -> None:
    """The slider and the buttons change the picture, and nothing is sent to Python."""
    places = buttons(page)
    slider = page.get_by_label("Blend from template to image")
    page.wait_for_timeout(500)  # what was asked before is done
    sent, seen = page.evaluate("window.sent"), set()
    for value in (0, 50, 100):
        slider.fill(str(value))
        seen.add(tuple(picture(page)))
    assert len(seen) == 3
    wait_for(page, f"{LOOK} .ld-blend-said", "Image")
    page.get_by_role("button", name="Checkerboard").click()
    assert tuple(picture(page)) not in seen
    assert buttons(page) == places
    flicker = page.get_by_role("button", name="Flicker")
    flicker.click()
    wait_for(page, f"{LOOK} .ld-blend-said", "Template")
    wait_for(page, f"{LOOK} .ld-blend-said", "Image")
    assert flicker.get_attribute("aria-pressed") == "true"
    assert buttons(page) == places
    page.emulate_media(reduced_motion="reduce")
    swap = page.get_by_role("button", name="Swap")
    swap.wait_for(timeout=LONG)
    assert swap.get_attribute("aria-pressed") == "false"
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate("window.sent") == sent


def assert_fits(page: Any, texts: list[str]) -> None:
    """What the lists of images say is no wider than they are, but for their arrow."""
    code = """text => {
        const list = document.querySelector(".ld-template-images .ld-file-field select");
        const style = getComputedStyle(list);
        const context = document.createElement("canvas").getContext("2d");
        context.font = `${style.fontSize} ${style.fontFamily}`;
        return list.clientWidth - 36 - context.measureText(text).width;
    }"""
    assert [text for text in texts if page.evaluate(code, text) < 0] == []


SIZES = ((1280, 800), (1920, 1080))


def resize(page: Any, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function("([width]) => innerWidth === width", arg=[width])


def places(page: Any) -> list[Any]:
    """Where the slices and two cards are, at each size of the window."""
    found = []
    for size in SIZES:
        resize(page, *size)
        found.append(settled(page))
    return found


def settled(page: Any) -> list[Any]:
    """The places once two looks agree: the slices follow the window a frame after the cards."""
    parts = (f"{LOOK} .ld-slices", LOOK, ".ld-template-region")
    frames = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    before: list[Any] = []
    for _ in range(100):
        page.evaluate(frames)
        seen = [page.locator(part).bounding_box() for part in parts]
        if seen == before:
            return seen
        before = seen
    pytest.fail("the layout does not come to rest")


def test_nothing_is_cut_off_and_nothing_jumps(tab: Any) -> None:
    page = tab
    wait_for(page, f"{LOOK} .ld-blend-empty", "Choose an image on the left")
    before = places(page)
    choose(page, "images", 0, "scans", "scan.nii.gz")
    wait_for(page, LOOK, "The image in its own space")
    choose(page, "region", 0, "map", "region.nii.gz")
    page.locator(".ld-signal-table tbody tr").first.wait_for(timeout=LONG)
    assert places(page) == before
    for width, height in SIZES:
        resize(page, width, height)
        assert_seen(page, width, height)
    axial = page.locator(f"{LOOK} canvas").nth(2)
    said = page.locator(f"{LOOK} .ld-blend-readout")
    here = said.inner_text()
    axial.press("ArrowUp")
    page.wait_for_function(
        "([at, text]) => document.querySelector(at).innerText !== text",
        arg=[f"{LOOK} .ld-blend-readout", here],
        timeout=LONG,
    )


def assert_seen(page: Any, width: int, height: int) -> None:
    """Nothing is wider than the window, and what matters is seen without scrolling."""
    number = page.locator(".ld-signal-table tbody tr").first.locator("td").first.bounding_box()
    assert number["y"] + number["height"] <= height
    texts = page.locator(".ld-template-images .ld-file-field select option:checked")
    assert_fits(page, texts.all_inner_texts())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in ("images", "look", "region", "signal", "code"):
        box = page.locator(f".ld-template-{part}").bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= width, part
    button = page.get_by_role("button", name="Register").bounding_box()
    assert button["y"] + button["height"] <= height


def test_from_a_scan_to_the_librarys_table(tab: Any, root: Path) -> None:
    page = tab
    choose(page, "images", 0, "scans", "scan.nii.gz")
    choose(page, "images", 1, "template", "template.nii.gz")
    wait_for(page, LOOK, "where the headers put the image")
    page.get_by_role("button", name="Register").click(timeout=LONG)
    wait_for(page, ".ld-template-busy", "Done.")
    wait_for(page, LOOK, "Similarity")
    assert_blends_alone(page)
    choose(page, "region", 0, "map", "region.nii.gz")
    rows = page.locator(".ld-signal-table tbody tr")
    rows.first.wait_for(timeout=LONG)
    before = page.locator(".ld-region-size").inner_text()
    handle = page.locator(".ld-template-region .noUi-handle")
    for _ in range(5):
        handle.press("ArrowRight")
    wait_for(page, ".ld-template-region", "of at least 0.55 taken")
    assert page.locator(".ld-region-size").inner_text() != before
    wait_for(page, ".ld-signal-right", "of at least 0.55 taken")
    with page.expect_download(timeout=LONG) as waiting:
        page.get_by_role("button", name="Download all").click()
    content = Path(waiting.value.path()).read_bytes()
    assert waiting.value.suggested_filename == "template_and_signal.zip"
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
    for row, one in zip(shown, expected, strict=True):
        assert row.startswith(one.measure)
        assert f"{one.value:.4g}" in row
        assert f"n {one.signal_voxels:,}" in row
