"""Compare and Larger than chance? in a real Chromium: what is clicked is what the library says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lesion_dash.cohort.loading import load_cohort
from lesion_dash.dashboard.pages.chance_words import outcome_words
from lesion_dash.images.maps import nifti_bytes
from lesion_dash.stats.differences import FILE_NAMES, cohort_differences
from lesion_dash.stats.permutation import permute_volumes

pytestmark = pytest.mark.browser

LONG = 90_000  # ms
CROSSHAIRS_AGREE = """() => new Set(["a", "b", "difference"].map((card) => {
  const slices = [...document.querySelectorAll(`.ld-compare-${card} canvas`)];
  return slices.map((one) => (one.ariaLabel ?? "").replace(/^[^,]*,/, "")).join();
})).size === 1"""
MAPS_ARE_SEEN = """() => [...document.querySelectorAll(".ld-compare .ld-maps")].every((map) => {
  const { top, bottom, left, right } = map.getBoundingClientRect();
  return top > 0 && bottom < window.innerHeight && left >= 0 && right <= window.innerWidth;
})"""


@pytest.fixture(scope="module")
def address(serve: Callable[[Path], str], own_root: Path) -> str:
    return serve(own_root)


def wait_for(page: Any, selector: str, text: str) -> None:
    code = "([where, text]) => document.querySelector(where)?.innerText.includes(text)"
    page.wait_for_function(code, arg=[selector, text], timeout=LONG)


def open_two(page: Any) -> None:
    """Read cohort_a and cohort_b on the first page."""
    for side in "AB":
        field = page.locator(f'.ld-choices select[aria-label^="Folder {side}"]').first
        field.locator("option", has_text=f"cohort_{side.lower()}").wait_for(
            state="attached", timeout=LONG
        )
        options = field.locator("option").all_inner_texts()
        wanted = next(text for text in options if text.startswith(f"cohort_{side.lower()}"))
        field.select_option(label=wanted)
        wait_for(page, ".ld-choices", f"{side}: 40 patients")


def labels(page: Any, card: str) -> list[str]:
    """Where the three slices of a map are."""
    found = page.locator(f".ld-compare-{card} canvas").all()
    return [str(one.get_attribute("aria-label")).split(", ", 1)[1] for one in found]


def place(page: Any) -> tuple[float, float, float]:
    wait_for(page, ".ld-compare-place .ld-card-head", "MNI")
    caption = page.locator(".ld-compare-place .ld-card-head").inner_text().replace("−", "-")
    x, y, z = re.findall(r"-?\d+", caption.split("MNI")[1])[:3]
    return float(x), float(y), float(z)


def wait_until_moved(page: Any, before: tuple[float, float, float]) -> None:
    """Wait for another place; what else changes in the panel, such as a region's name, may come."""
    code = """([x, y, z]) => {
      const head = document.querySelector(".ld-compare-place .ld-card-head").innerText;
      const found = head.replaceAll("−", "-").split("MNI")[1]?.match(/-?\\d+/g) ?? [];
      return found.length >= 3 && [x, y, z].some((mm, axis) => mm !== Number(found[axis]));
    }"""
    page.wait_for_function(code, arg=[*before], timeout=LONG)
    page.wait_for_function(CROSSHAIRS_AGREE, timeout=LONG)


def test_a_click_in_one_map_tells_both_cohorts(
    address: str, kept_page: Callable[..., Any], own_root: Path
) -> None:
    page = kept_page(address)
    page.get_by_role("tab", name="Compare").wait_for(timeout=LONG)
    open_two(page)
    page.get_by_role("tab", name="Compare").click()
    wait_for(page, ".ld-compare-difference", "percentage points")
    before = place(page)
    axial = page.locator(".ld-compare-a canvas").nth(2)
    axial.wait_for(timeout=LONG)
    box = axial.bounding_box()
    page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.45 * box["height"])
    wait_until_moved(page, before)
    cohorts = [load_cohort(own_root / f"cohort_{side}") for side in "ab"]
    voxel = cohorts[0].grid.nearest_voxel(place(page))
    for cohort in cohorts:
        n = int(cohort.counts[voxel])
        wait_for(page, ".ld-compare-place", f"{n} of 40 ({100 * n / 40:.1f} %)")
    before = place(page)
    assert before[0] < 0  # left of the middle, the patient's left
    axial.press("ArrowRight")
    wait_until_moved(page, before)
    assert place(page)[0] == before[0] + 2
    assert labels(page, "a") == labels(page, "b") == labels(page, "difference")
    for width, height in ((1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(MAPS_ARE_SEEN, timeout=LONG)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_from_the_curve_to_the_p_map_and_the_file(
    address: str, kept_page: Callable[..., Any], own_root: Path, tmp_path: Path
) -> None:
    page = kept_page(address)
    page.get_by_role("tab", name="Compare").wait_for(timeout=LONG)
    open_two(page)
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("button", name="Mean lesion volume").click(timeout=LONG)
    wait_for(page, ".ld-compare-a", "Where at least 5 are")
    curve = page.locator(".ld-compare .ld-curve")
    curve.scroll_into_view_if_needed()
    before = page.locator(".ld-curve-words").first.inner_text()
    box = curve.bounding_box()
    page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_function(
        "([text]) => document.querySelector('.ld-curve-words').innerText !== text",
        arg=[before],
        timeout=LONG,
    )
    k = int(re.findall(r"k = (\d+):", page.locator(".ld-curve-words").first.inner_text())[0])
    wait_for(page, ".ld-compare-a", f"Where at least {k} are")
    cohorts = [load_cohort(own_root / f"cohort_{side}") for side in "ab"]
    page.locator(".ld-compare-place select").select_option(label="A − B, mean volume")
    with page.expect_download(timeout=LONG) as started:
        page.locator(".ld-compare-place").get_by_role("button", name="Download").click()
    assert started.value.suggested_filename == FILE_NAMES["mean"]
    started.value.save_as(tmp_path / "mean.nii")
    expected = nifti_bytes(cohort_differences(*cohorts, k).mean.to_nifti())
    assert (tmp_path / "mean.nii").read_bytes() == expected
    page.get_by_role("tab", name="Larger than chance?").click()
    wait_for(page, ".ld-chance-p", "Press “Shuffle volumes” to test it")
    page.get_by_role("button", name="Shuffle volumes").click()
    wait_for(page, ".ld-chance-p", "voxels tested (")
    found = permute_volumes(cohorts[0], k, 1000, 0)
    assert outcome_words(found) in page.locator(".ld-chance-p").inner_text()
    assert "large lesion covers more voxels" in page.locator(".ld-chance-says").inner_text()
