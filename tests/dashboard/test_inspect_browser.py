"""The page Inspect in a real Chromium: choose, click, type, drop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lesion_dash.scans.inspection import Inspection, inspect_image

pytestmark = pytest.mark.browser

LONG = 90_000  # ms
ATLAS = Path("atlas") / "synthetic_atlas.nii.gz"


@pytest.fixture(scope="module")
def address(serve: Callable[[Path], str], own_root: Path) -> str:
    return serve(own_root)


def readout(page: Any) -> str:
    return str(page.locator(".ld-inspect .ld-readout").inner_text())


def wait_for(page: Any, text: str) -> None:
    code = "([text]) => document.querySelector('.ld-inspect')?.innerText.includes(text)"
    page.wait_for_function(code, arg=[text], timeout=LONG)


def test_from_a_file_to_a_value(
    address: str, kept_page: Callable[..., Any], own_root: Path
) -> None:
    page = kept_page(address)
    page.get_by_role("tab", name="Inspect image").click(timeout=LONG)
    wait_for(page, "Choose an image on the left, or drop one onto this page.")
    folder, file = (page.locator(".ld-inspect-ask select").nth(n) for n in (0, 1))
    folder.locator("option", has_text="atlas").first.wait_for(state="attached", timeout=LONG)
    name = next(o for o in folder.locator("option").all_inner_texts() if o.startswith("atlas"))
    folder.select_option(label=name)
    file.locator("option", has_text=ATLAS.name).wait_for(state="attached", timeout=LONG)
    file.select_option(label=ATLAS.name)
    page.get_by_alt_text("Histogram of the values of the image").wait_for(timeout=LONG)
    found = inspect_image(own_root / ATLAS)
    wait_for(page, found.sha256)
    for width, height in ((1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function("([width]) => innerWidth === width", arg=[width])
        check_places(page, found)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def check_places(page: Any, found: Inspection) -> None:
    """A click and a place in mm lead to the value there, in the voxels and mm of the library."""
    middle = readout(page)
    box = page.locator(".ld-slices canvas").nth(2).bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.62, box["y"] + box["height"] * 0.25)
    page.wait_for_function(
        "([text]) => document.querySelector('.ld-inspect .ld-readout').innerText !== text",
        arg=[middle],
    )
    fields = page.locator(".ld-inspect-ask .ld-triple input")
    i, j, k, x, y, z = (float(fields.nth(n).input_value()) for n in range(6))
    assert found.to_mm(i, j, k) == (x, y, z)
    assert f"value {found.value_at(int(i), int(j), int(k)):g} " in readout(page)
    assert x > 0  # right of the middle, the patient's right
    assert y > 0  # in the upper half, the front
    for n, mm in zip((3, 4, 5), (-26, 0, 8), strict=True):
        fields.nth(n).fill(str(mm))
        fields.nth(n).press("Enter")
    wait_for(page, "centre (-26, 0, 8) mm")
    assert f"value {found.value_at(*found.nearest_voxel(-26, 0, 8)):g} " in readout(page)


def test_a_dropped_file_is_looked_into(
    address: str, kept_page: Callable[..., Any], own_root: Path, tmp_path: Path
) -> None:
    page = kept_page(address)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.get_by_role("tab", name="Inspect image").click(timeout=LONG)
    path = tmp_path / "<img src=x onerror=alert(1)>.nii.gz"
    path.write_bytes((own_root / ATLAS).read_bytes())
    page.locator(".ld-drop input").set_input_files(path, timeout=LONG)
    wait_for(page, inspect_image(path).sha256)
    wait_for(page, path.name)
    (tmp_path / "notes.nii").write_text("hello")
    page.locator(".ld-drop input").set_input_files(tmp_path / "notes.nii")
    alert = page.locator(".ld-banner [role=alert]")
    alert.wait_for(timeout=LONG)
    assert "header incomplete" in alert.inner_text()
