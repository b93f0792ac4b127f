"""In a real Chromium, without kernel: what the viewer paints and says of the arrays it was sent."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.image
import nibabel as nib
import numpy as np
import psutil
import pytest
from browser_steps import LONG, download
from ipywidgets import IntSlider, SelectionSlider, Widget
from numpy.typing import NDArray
from served_dashboard import ended, find_port, start_server
from viewer_page import ViewerPage

from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.widgets.layers import (
    LabelLayer,
    MaskLayer,
    OverlapLayer,
    Scale,
    ScanLayer,
    Step,
    ValueLayer,
)
from lesion_dash.dashboard.widgets.viewer import Viewer
from lesion_dash.images.maps import read_map
from lesion_dash.images.masks import Mask
from lesion_dash.plotting.figures import BOTH, ONLY_A, ONLY_B, to_levels

pytestmark = pytest.mark.browser

GRID = Grid(
    (46, 55, 46), np.array([[4.0, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
)
MIRRORED = Grid(GRID.shape, np.diag([-1.0, 1, 1, 1]) @ GRID.affine)

# What is in the texture that is drawn: the levels of NiiVue's drawing, at places in mm.
LEVELS = """(places) => {
  const { picture } = window.viewers[0];
  const { shape, inverse } = picture.base;
  return places.map((mm) => {
    const at = inverse.map(([a, b, c, d]) => Math.round(a * mm[0] + b * mm[1] + c * mm[2] + d));
    return picture.niivue.drawBitmap[at[0] + shape[0] * (at[1] + shape[1] * at[2])];
  });
}"""


@pytest.fixture
def shows(chrome: Any) -> Iterator[Callable[..., ViewerPage]]:
    faults: list[str] = []
    contexts: list[Any] = []

    def show(*viewers: Viewer, width: int = 900) -> ViewerPage:
        contexts.append(chrome.new_context(viewport={"width": width, "height": 700}))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        return ViewerPage(page, *viewers)

    yield show
    for context in contexts:
        context.close()
    assert faults == []


def lesions(grid: Grid, tmp_path: Path) -> tuple[ValueLayer, NDArray, NDArray]:
    """A map of a real file: values and patients at each voxel of a sphere, 0 elsewhere."""
    rng = np.random.default_rng(5)
    places = grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))
    inside = np.linalg.norm(places - (-30, 10, 12), axis=-1) < 40
    values = np.where(inside, rng.gamma(2, 20, grid.shape), 0).astype(np.float32)
    n = np.where(inside, rng.integers(1, 12, grid.shape), 0)
    nib.save(nib.Nifti1Image(values, grid.affine), tmp_path / "map.nii.gz")
    image = read_map(tmp_path / "map.nii.gz")
    flat, counts = image.array.ravel(order="F"), n.ravel(order="F")
    indices = np.flatnonzero(counts)
    scale = Scale(150.0, "plasma")
    title = "Mean, where ≥ {k} patients"
    layer = ValueLayer(grid, indices, flat[indices], title, "mL", scale, counts[indices])
    return layer, values, n


def some_places(n: NDArray) -> NDArray:
    """Voxels of the map and around it."""
    voxels = np.argwhere(n > 0)
    chosen = np.random.default_rng(6).choice(len(voxels), 400, replace=False)
    return np.concatenate([voxels[chosen], voxels[chosen] + (2, 0, 0)])


def painted_levels(shown: ViewerPage, grid: Grid, voxels: NDArray) -> NDArray:
    return np.array(shown.page.evaluate(LEVELS, grid.to_mm(voxels).tolist()))


@pytest.mark.parametrize("grid", [GRID, MIRRORED], ids=["RAS", "LAS"])
def test_levels_are_those_of_python_at_every_k_and_limit(
    shows: Callable[..., ViewerPage], grid: Grid, tmp_path: Path
) -> None:
    layer, values, n = lesions(grid, tmp_path)
    viewer = Viewer()
    viewer.k = 3
    viewer.show(layer)
    shown, voxels = shows(viewer), some_places(n)
    at = tuple(voxels.T)
    for k in (3, 1, 9, 12):
        shown.change("k", k)
        expected = np.where(n[at] >= k, to_levels(values[at], 150.0), 0)
        np.testing.assert_array_equal(painted_levels(shown, grid, voxels), expected)
        assert f"≥ {k} patients" in shown.page.locator(".ld-viewer-title").inner_text()
    shown.change("k", 1)
    shown.type("Highest colour at", "61.7")
    expected = np.where(n[at] >= 1, to_levels(values[at], 61.7), 0)
    np.testing.assert_array_equal(painted_levels(shown, grid, voxels), expected)
    shown.open_display()
    shown.type("Lowest value shown", "30")
    expected = np.where(values[at] >= 30, expected, 0)
    np.testing.assert_array_equal(painted_levels(shown, grid, voxels), expected)


def test_other_scales_are_those_of_python(shows: Callable[..., ViewerPage]) -> None:
    rng = np.random.default_rng(7)
    voxels = np.argwhere(np.ones(GRID.shape))[::97]
    indices = np.array([GRID.linear_index(tuple(voxel)) for voxel in voxels])
    order = np.argsort(indices)
    voxels, indices = voxels[order], indices[order]
    values = np.concatenate([[0, 5, -5, 2.5, 1e-9], rng.normal(0, 4, indices.size - 5)])
    values = values.astype(np.float32)
    steps = tuple(Step(limit, f"≤ {limit}", (9, 9, 9)) for limit in (-1, 0, 1))
    halves = 128 + np.rint(np.clip(values.astype(float) / 5, -1, 1) * 127)
    first = np.select([values <= -1, values <= 0, values <= 1], [1, 2, 3], 0)
    linear = np.maximum(to_levels(values, 5.0), 1)
    shown = shows(Viewer())
    for number, (scale, expected) in enumerate(
        (
            (Scale(5.0, "blue-orange", kind="diverging"), halves),
            (Scale(1.0, kind="steps", steps=steps), first),
            (Scale(5.0, shows_zero=True), linear),
        )
    ):
        shown.show(ValueLayer(GRID, indices, values, f"map {number}", "", scale))
        np.testing.assert_array_equal(painted_levels(shown, GRID, voxels), expected)


def test_classes_of_the_overlap_follow_k(shows: Callable[..., ViewerPage]) -> None:
    voxels = np.argwhere(np.ones(GRID.shape))[::131]
    indices = np.sort([GRID.linear_index(tuple(voxel)) for voxel in voxels])
    voxels = np.stack(np.unravel_index(indices, GRID.shape, order="F"), axis=-1)
    a, b = np.random.default_rng(8).integers(0, 6, (2, indices.size))
    viewer = Viewer()
    viewer.show(OverlapLayer(GRID, indices, a, b, "both"))
    shown = shows(viewer)
    for k in (1, 3, 6):
        shown.change("k", k)
        classes = [ONLY_A.value, ONLY_B.value, BOTH.value]
        expected = np.select([(a >= k) & (b < k), (a < k) & (b >= k), (a >= k) & (b >= k)], classes)
        np.testing.assert_array_equal(painted_levels(shown, GRID, voxels), expected)


@pytest.mark.parametrize(
    ("slider", "trait"),
    [
        (partial(IntSlider, 5, 1, 12), "value"),
        (partial(SelectionSlider, options=[*"abcdefghi"], index=5), "index"),
    ],
)
def test_a_slider_of_the_page_sets_k_without_the_kernel(
    shows: Callable[..., ViewerPage], tmp_path: Path, slider: Callable[[], Widget], trait: str
) -> None:
    layer, values, n = lesions(GRID, tmp_path)
    viewer, slider = Viewer(), slider()
    viewer.follow(slider)
    viewer.show(layer)
    shown, voxels = shows(viewer), some_places(n)
    at = tuple(voxels.T)
    for k in (5, 8):
        shown.change(trait, k, slider)
        expected = np.where(n[at] >= k, to_levels(values[at], 150.0), 0)
        np.testing.assert_array_equal(painted_levels(shown, GRID, voxels), expected)
    shown.set("k", 2)  # what the kernel says later does not undo it
    assert shown.page.locator(".ld-viewer-root").get_attribute("data-k") == "8"


def test_what_is_under_the_pointer_is_said_of_every_layer(
    shows: Callable[..., ViewerPage], tmp_path: Path
) -> None:
    layer, values, n = lesions(MIRRORED, tmp_path)
    inside = np.flatnonzero((n > 0).ravel(order="F"))
    numbers = (inside % 3).astype(np.uint16)
    atlas = LabelLayer(MIRRORED, inside, numbers, ["one", "two <b>", "three"], "atlas")
    lesion = MaskLayer(Mask(MIRRORED, inside[::2].astype(np.int32), "sub-1"), "sub-1 <i>")
    viewer = Viewer()
    viewer.k = 6
    viewer.show(layer, lesion, atlas)
    shown = shows(viewer)
    canvas = shown.page.locator(".ld-viewer-stage canvas")
    box = canvas.bounding_box()
    said = set()
    for across, down in ((0.2, 0.4), (0.25, 0.5), (0.31, 0.45), (0.33, 0.6)):
        shown.page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        readout = shown.page.locator(".ld-viewer-readout")
        mm = [float(v) for v in readout.get_attribute("data-mm").split(",")]
        voxel = MIRRORED.nearest_voxel(mm)
        words = readout.inner_text().replace("−", "-")
        if not n[voxel]:
            assert "no value" in words
            continue
        value, unit = words.split(" · ")[0].split()
        assert (float(value), unit) == (float(f"{values[voxel]:.4g}"), "mL")
        assert f"n = {n[voxel]}" in words
        assert ("below k = 6" in words) == (n[voxel] < 6)
        index = MIRRORED.linear_index(voxel)
        row = int(np.searchsorted(inside, index))
        assert atlas.names[numbers[row]] in words
        assert ("lesion of sub-1 <i>" in words) == (index in inside[::2])
        said.add(words)
    assert len(said) > 1
    fields = shown.page.locator(".ld-viewer-place input").all()
    for across, down in ((0.2, 0.4), (0.31, 0.45), (0.33, 0.6), (0.25, 0.5)):
        shown.page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])
        mm = shown.get("mm")
        assert [float(field.input_value()) for field in fields] == mm
        assert all(v == round(v, 1) for v in mm)
        # Under the pointer the same place is read: rounded, it may lie in another voxel.
        assert [float(v) for v in readout.get_attribute("data-mm").split(",")] == mm


def test_a_saved_picture_says_what_its_colours_stand_for(
    shows: Callable[..., ViewerPage], tmp_path: Path
) -> None:
    layer, _, _ = lesions(MIRRORED, tmp_path)
    lesion = MaskLayer(
        Mask(MIRRORED, np.arange(9, dtype=np.int32), "sub-1"), "sub-1", (40, 220, 90)
    )
    viewer = Viewer()
    viewer.show(layer, lesion)
    shown = shows(viewer)
    height = shown.page.locator(".ld-viewer-stage canvas").evaluate("canvas => canvas.height")
    shown.settle()
    press = shown.page.get_by_role("button", name="Save what is seen as PNG").click
    _, content = download(shown.page, press)
    key = matplotlib.image.imread(io.BytesIO(content))[height:, :, :3].reshape(-1, 3)
    # Both ends of the colour bar, the colour of the lesion, and white letters on black.
    ends = matplotlib.colormaps["plasma"]([0, 255])[:, :3]
    for colour in (*ends, (40 / 255, 220 / 255, 90 / 255), (1, 1, 1), (0, 0, 0)):
        assert np.abs(key - colour).max(axis=1).min() < 0.05


def test_keys_move_the_crosshair_and_the_view(
    shows: Callable[..., ViewerPage], tmp_path: Path
) -> None:
    viewer = Viewer()
    viewer.show(lesions(GRID, tmp_path)[0])
    viewer.mm = [0.0, 0.0, 0.0]
    shown = shows(viewer)
    canvas = shown.page.locator(".ld-viewer-stage canvas")
    canvas.focus()
    for key, expected in (
        ("ArrowRight", [1, 0, 0]), ("ArrowUp", [1, 0, 1]), ("PageUp", [1, 1, 1]),
        ("Shift+ArrowLeft", [-9, 1, 1]), ("ArrowDown", [-9, 1, 0]), ("PageDown", [-9, 0, 0]),
    ):  # fmt: skip
        canvas.press(key)
        assert shown.get("mm") == expected, key
    shown.set("radiological", True)
    canvas.press("ArrowRight")
    assert shown.get("mm") == [-10, 0, 0]
    zoom = "window.viewers[0].picture.niivue.scene.pan2Dxyzmm[3]"
    canvas.press("+")
    canvas.press("+")
    assert shown.page.evaluate(zoom) > 1.5
    canvas.press("-")
    canvas.press("r")
    assert shown.page.evaluate(zoom) == 1
    canvas.press("f")
    shown.page.wait_for_function("document.fullscreenElement !== null", timeout=LONG)
    canvas.press("f")
    shown.page.wait_for_function("document.fullscreenElement === null", timeout=LONG)
    shown.type("y in mm", "-33.3")
    assert shown.get("mm") == [-10, -33.3, 0]


def test_every_view_is_drawn_and_saved(shows: Callable[..., ViewerPage], tmp_path: Path) -> None:
    viewer = Viewer()
    viewer.show(lesions(GRID, tmp_path)[0])
    shown = shows(viewer)
    pictures = set()
    for view in ("multiplanar", "axial", "coronal", "sagittal", "render", "mosaic"):
        shown.page.get_by_label("View", exact=True).select_option(view)
        assert shown.get("view") == view
        shown.settle()
        press = shown.page.get_by_role("button", name="Save what is seen as PNG").click
        name, content = download(shown.page, press)
        assert name.endswith(".png")
        image = matplotlib.image.imread(io.BytesIO(content))[..., :3]
        assert (image.max(axis=-1) > 0.3).mean() > 0.08, view
        coloured = np.ptp(image, axis=-1) > 0.3
        assert coloured.mean() > 0.002, view  # the map is on it
        pictures.add(content)
    assert len(pictures) == 6
    shown.page.get_by_label("View", exact=True).select_option("multiplanar")
    box = shown.page.locator(".ld-viewer-stage canvas").bounding_box()
    shown.settle()
    at = (box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    shown.page.mouse.dblclick(*at)
    assert shown.get("view") == "axial"
    shown.settle()
    shown.page.mouse.dblclick(*at)
    assert shown.get("view") == "multiplanar"


def stage(shown: ViewerPage) -> NDArray:
    shown.settle()
    png = shown.page.locator(".ld-viewer-stage canvas").screenshot()
    return matplotlib.image.imread(io.BytesIO(png))[..., :3]


def test_the_display_menu_changes_what_is_seen(
    shows: Callable[..., ViewerPage], tmp_path: Path
) -> None:
    layer, _, n = lesions(GRID, tmp_path)
    lesioned = np.flatnonzero((n > 9).ravel(order="F")).astype(np.int32)
    atlas = LabelLayer(
        GRID, layer.indices, (layer.indices // 500 % 7).astype(np.uint16), list("abcdefg"), "atlas"
    )
    scan = np.random.default_rng(9).integers(0, 4000, GRID.shape).astype(np.int16)
    viewer = Viewer()
    lesion = MaskLayer(Mask(GRID, lesioned, "sub-1"), "sub-1", (255, 0, 0))
    viewer.show(layer, lesion, atlas, ScanLayer(scan, GRID, "T1w"))
    viewer.mm = [-30.0, 10.0, 12.0]
    shown = shows(viewer)
    shown.open_display()
    before = stage(shown)

    def differs(change: Callable[[], Any]) -> float:
        nonlocal before
        change()
        after = stage(shown)
        share = float((np.abs(after - before).max(axis=-1) > 0.05).mean())
        before = after
        return share

    page = shown.page
    assert differs(lambda: page.get_by_label("Lesions").select_option("filled")) > 0.005
    assert differs(lambda: page.get_by_label("Colour map").select_option("viridis")) > 0.02
    assert differs(lambda: shown.slide("Opacity of the map", 0.3)) > 0.02
    assert differs(lambda: shown.slide("Opacity of the atlas contours", 1)) > 0.005
    assert differs(lambda: shown.slide("Blend with the second scan", 0.6)) > 0.05
    assert differs(lambda: shown.type("White at", "120")) > 0.02
    page.get_by_text("Display").click()
    assert differs(page.get_by_role("button", name="Crosshair").click) > 0.001
    assert differs(page.get_by_role("button", name="Radiological").click) > 0.02
    assert shown.get("radiological") is True
    assert differs(page.get_by_role("button", name="Zoom in").click) > 0.05
    assert differs(page.get_by_role("button", name="Reset the view").click) > 0.05
    page.get_by_role("button", name="Measure a distance").click()
    box = page.locator(".ld-viewer-stage canvas").bounding_box()
    place = shown.get("mm")

    def drag() -> None:
        page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.4 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.35 * box["width"], box["y"] + 0.6 * box["height"], steps=4)
        page.mouse.up()

    assert differs(drag) > 0.0005
    assert shown.get("mm") == place  # the crosshair stays where it is


def test_two_viewers_of_a_page_keep_apart(shows: Callable[..., ViewerPage], tmp_path: Path) -> None:
    layer, values, n = lesions(GRID, tmp_path)
    both = [Viewer(), Viewer()]
    for viewer, k in zip(both, (1, 8), strict=True):
        viewer.k = k
        viewer.show(layer)
    shown = shows(*both, width=1300)
    voxels = some_places(n)
    at = tuple(voxels.T)
    for number, k in enumerate((1, 8)):
        script = LEVELS.replace("viewers[0]", f"viewers[{number}]")
        levels = np.array(shown.page.evaluate(script, GRID.to_mm(voxels).tolist()))
        np.testing.assert_array_equal(levels, np.where(n[at] >= k, to_levels(values[at], 150.0), 0))
    canvases = shown.page.locator(".ld-viewer-stage canvas")
    box = canvases.nth(1).bounding_box()
    shown.page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    assert shown.get("mm", 0) == [0, 0, 0] != shown.get("mm", 1)


def test_a_file_dropped_on_the_brain_is_not_opened(
    shows: Callable[..., ViewerPage], tmp_path: Path
) -> None:
    viewer = Viewer()
    viewer.show(lesions(GRID, tmp_path)[0])
    shown = shows(viewer)
    count = "window.viewers[0].picture.niivue.volumes.length"
    before = shown.page.evaluate(count)
    shown.page.evaluate("""() => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(400)], "x.nii"));
      const options = { dataTransfer: data, bubbles: true, cancelable: true };
      const canvas = document.querySelector(".ld-viewer-stage canvas");
      canvas.dispatchEvent(new DragEvent("drop", options));
    }""")
    shown.settle()
    assert shown.page.evaluate(count) == before


def test_the_map_follows_the_slider_while_the_kernel_is_paused(
    own_root: Path, open_page: Callable[..., Any]
) -> None:
    served = start_server(own_root, find_port())
    with ended(served.process):
        page = open_page(f"{served.origin}/")
        page.wait_for_selector(".ld-viewer-root[data-painted][data-k='5']", timeout=LONG)
        page.get_by_text("k = 5:").wait_for(timeout=LONG)
        kernels = psutil.Process(served.process.pid).children(recursive=True)
        assert kernels
        for kernel in kernels:
            kernel.suspend()
        try:
            handle = page.locator(".ld-choices .noUi-handle").first
            for k in (6, 7):
                handle.press("ArrowRight")
                page.wait_for_selector(f".ld-viewer-root[data-k='{k}']", timeout=LONG)
                title = page.locator(".ld-viewer-title").inner_text()
                assert f"≥ {k} patients" in title
                assert page.get_by_text("k = 5:").count() == 1  # the numbers wait
        finally:
            for kernel in kernels:
                kernel.resume()
        page.get_by_text("k = 7:").wait_for(timeout=LONG)
