"""Single pages in a real Chromium: what is clicked there is what the library says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_steps import (
    LONG,
    SIZES,
    choose_option,
    download,
    open_tab,
    resize,
    wait_for_change,
    wait_for_text,
)
from visitor import HOSTILE

from lesion_dash.cohort.conditions import parse_conditions
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.tables import tsv_bytes
from lesion_dash.images.maps import compressed_with_window, nifti_bytes
from lesion_dash.rois.recipe import RoiRecipe, run_recipe
from lesion_dash.rois.saving import script_of
from lesion_dash.rois.sources import SeriesSource
from lesion_dash.rois.steps import Morph, Threshold
from lesion_dash.scans.inspection import inspect_image
from lesion_dash.stats.overlap import overlap

pytestmark = pytest.mark.browser

ATLAS = Path("atlas") / "synthetic_atlas.nii.gz"
CROSSHAIRS_AGREE = """() => new Set(["a", "b", "difference"].map((card) => {
  const fields = [...document.querySelectorAll(`.ld-compare-${card} .ld-viewer-place input`)];
  return fields.map((field) => field.value).join();
})).size === 1"""
MAPS_ARE_SEEN = """() => [...document.querySelectorAll(".ld-compare canvas")].every((map) => {
  const { width, left, right } = map.getBoundingClientRect();
  return width > 200 && left >= 0 && right <= window.innerWidth;
})"""
SAVED = ".ld-choices .ld-field:has(> .ld-label:text-is('Save')) select"
PLACE_ON_PAGE = """(part) => {
  const panel = part.closest("[role=tabpanel]").getBoundingClientRect();
  const { x, y, width, height } = part.getBoundingClientRect();
  return [x - panel.x, y - panel.y, width, height];
}"""
ROWS = ".ld-roi-parts tbody tr"


@pytest.fixture
def page(address: str, shared_page: Callable[..., Any]) -> Any:
    page = shared_page(address)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.wait_for_selector(".ld-regions tbody:last-child tr:nth-child(5)", timeout=LONG)
    return page


def place(page: Any) -> tuple[float, float, float]:
    wait_for_text(page, ".ld-compare-place .ld-card-head", "MNI")
    caption = page.locator(".ld-compare-place .ld-card-head").inner_text().replace("−", "-")
    x, y, z = re.findall(r"-?\d+(?:\.\d+)?", caption.split("MNI")[1])[:3]
    return float(x), float(y), float(z)


def wait_until_moved(page: Any, before: tuple[float, float, float]) -> None:
    """Wait for another place; what else changes in the panel, such as a region's name, may come."""
    code = """([x, y, z]) => {
      const head = document.querySelector(".ld-compare-place .ld-card-head").innerText;
      const numbers = head.replaceAll("−", "-").split("MNI")[1]?.match(/-?\\d+(?:\\.\\d+)?/g) ?? [];
      return numbers.length >= 3 && [x, y, z].some((mm, axis) => mm !== Number(numbers[axis]));
    }"""
    page.wait_for_function(code, arg=[*before], timeout=LONG)
    page.wait_for_function(CROSSHAIRS_AGREE, timeout=LONG)


def test_a_click_in_one_map_tells_both_cohorts(page: Any, own_root: Path) -> None:
    choose_option(page.locator('.ld-choices select[aria-label^="Folder B"]').first, "cohort_b")
    wait_for_text(page, ".ld-choices", "B: 40 patients")
    open_tab(page, "Compare")
    wait_for_text(page, ".ld-compare-difference", "percentage points")
    before = place(page)
    stage = page.locator(".ld-compare-a .ld-viewer-stage canvas")
    page.wait_for_selector(".ld-compare-a .ld-viewer-root[data-painted]", timeout=LONG)
    box = stage.bounding_box()
    page.mouse.click(box["x"] + 0.15 * box["width"], box["y"] + 0.45 * box["height"])
    wait_until_moved(page, before)
    cohorts = [load_cohort(own_root / f"cohort_{side}") for side in "ab"]
    voxel = cohorts[0].grid.nearest_voxel(place(page))
    for cohort in cohorts:
        n = int(cohort.counts[voxel])
        wait_for_text(page, ".ld-compare-place", f"{n} of 40 ({100 * n / 40:.1f} %)")
    before = place(page)
    assert before[0] < 0  # left of the middle, the patient's left
    stage.press("ArrowRight")
    wait_until_moved(page, before)
    assert place(page)[0] == pytest.approx(round(before[0]) + 1)
    for size in SIZES:
        resize(page, *size)
        page.wait_for_function(MAPS_ARE_SEEN, timeout=LONG)


def test_a_filter_and_a_split_are_the_librarys(page: Any, own_root: Path) -> None:
    def wait_for_count(side: str, text: str) -> None:
        status = page.locator(".ld-filter [role=status]").nth("AB".index(side))
        status.get_by_text(text).wait_for(timeout=LONG)

    def press(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).press("Enter")

    press("Filter the patients of A")
    page.get_by_label("Column of condition 1 of A").select_option("sex")
    page.get_by_role("checkbox", name="F (16)").press("Space")
    wait_for_count("A", "16 of 40 patients: sex = F")
    press("Add a condition")
    page.get_by_label("Column of condition 2 of A").select_option("age")
    low = page.get_by_label("age from, condition 2 of A")
    for value, alert in (("60", ""), ("200", "age")):
        low.fill(value)
        low.press("Enter")
        if alert:  # what nobody meets goes back to what was asked before
            page.locator(".ld-banner [role=alert]").get_by_text(alert).first.wait_for(timeout=LONG)
        page.wait_for_function(
            "() => document.querySelector('.ld-filter-range input').value === '60'", timeout=LONG
        )
        wait_for_count("A", "12 of 40 patients: age >= 60, sex = F")
    press("Remove condition 2 of A: age")
    press("Remove condition 1 of A: sex")
    wait_for_count("A", "All 40 patients")
    press("Split A into A and B")  # the more common value first
    page.get_by_label("Column to split by").select_option("sex")
    page.get_by_title("Show the parts as A and B").press("Enter")
    wait_for_count("B", "16 of 40 patients: sex = F")
    page.wait_for_selector(".ld-viewer-legend", timeout=LONG)
    conditions = [parse_conditions([f"sex={sex}"]) for sex in "FM"]
    parts = [load_cohort(own_root / "cohort_a", where=where) for where in conditions]
    k = min(5, int(parts[0].counts.max()))
    both = overlap(*(part.at_least(k) for part in parts)).both
    choose_option(page.locator(SAVED), "Overlap")
    name, content = download(page, page.get_by_role("button", name="Download").first.click)
    expected = compressed_with_window(nifti_bytes(both.to_nifti()))
    assert (name, content) == ("overlap_map.nii.gz", expected)
    press("Undo the split")
    wait_for_count("A", "All 40 patients")
    wait_for_count("B", "No folder yet")


def test_from_one_click_to_the_same_regions_of_interest_as_the_library(
    page: Any, own_root: Path, eventually: Callable[..., None]
) -> None:
    open_tab(page, "ROI")
    choose_option(page.locator(".ld-roi-input select").nth(1), "series")
    page.get_by_role("button", name="Run the test").click(timeout=LONG)
    page.get_by_alt_text("separate parts").wait_for(timeout=LONG)
    picture = page.locator(".ld-roi-image").evaluate(PLACE_ON_PAGE)
    page.get_by_role("button", name="Add step").click()
    step = Morph("dilate", 1, "voxels", 6)
    runs = [str(own_root / "series" / f"sub-01_task-pictures_run-{number}") for number in (1, 2)]
    files = ([f"{run}_{kind}" for run in runs] for kind in ("bold.nii.gz", "events.tsv"))
    recipe = RoiRecipe(SeriesSource(*files, "face", "house"), Threshold(3.0), steps=(step,))
    wait_for_text(page, ".ld-roi-view select", step.summary)
    page.get_by_alt_text("3. separate parts").wait_for(timeout=LONG)
    assert page.locator(".ld-roi-image").evaluate(PLACE_ON_PAGE) == picture  # nothing jumps
    expected = run_recipe(recipe)
    wait_for_text(page, ".ld-roi-parts .ld-card-head", f"{expected.rois.mask.voxels:,} voxels")
    table = expected.rois.table
    rows = [[f"{n:,}" for n in row] for row in zip(table["index"], table["voxels"], strict=True)]
    code = "(all) => all.map((row) => [...row.cells].slice(0, 2).map((cell) => cell.innerText))"
    eventually(page, lambda: page.locator(ROWS).evaluate_all(code)[: len(rows)], rows)
    eventually(page, page.locator(".ld-roi-code .ld-code pre").inner_text, script_of(recipe))
    page.locator(".ld-save-row select").select_option(label="mask_atlas.tsv")
    press = page.locator(".ld-save-row").get_by_role("button", name="Download").click
    table = tsv_bytes(expected.table_of(expected.rois))
    assert download(page, press) == ("mask_atlas.tsv", table)


def test_an_image_is_looked_into_by_click_and_by_key(page: Any, own_root: Path) -> None:
    open_tab(page, "Inspect")
    for number, option in enumerate(("atlas", ATLAS.name)):
        choose_option(page.locator(".ld-inspect-ask select").nth(number), option)
    page.get_by_alt_text("Histogram of the values of the image").wait_for(timeout=LONG)
    image = inspect_image(own_root / ATLAS)
    wait_for_text(page, ".ld-inspect", image.sha256)
    readout = page.locator(".ld-inspect .ld-readout")
    middle = readout.inner_text()
    box = page.locator(".ld-slices canvas").nth(2).bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.62, box["y"] + box["height"] * 0.25)
    wait_for_change(page, ".ld-inspect .ld-readout", middle)
    fields = page.locator(".ld-inspect-ask .ld-triple input")
    i, j, k, x, y, z = (float(fields.nth(n).input_value()) for n in range(6))
    assert image.to_mm(i, j, k) == (x, y, z)
    assert f"value {image.value_at(int(i), int(j), int(k)):g} " in readout.inner_text()
    assert x > 0  # right of the middle, the patient's right
    assert y > 0  # in the upper half, the front
    coronal = page.get_by_role("application", name="coronal")
    coronal.press("ArrowRight")
    coronal.press("ArrowUp")
    # Neurological: to the patient's right, and to the top.
    code = """([x, z]) => {
        const all = document.querySelectorAll('.ld-inspect-ask .ld-triple input');
        return Number(all[3].value) > x && Number(all[5].value) > z;
    }"""
    page.wait_for_function(code, arg=[x, z], timeout=LONG)
    for n, mm in zip((3, 4, 5), (-26, 0, 8), strict=True):
        fields.nth(n).fill(str(mm))
        fields.nth(n).press("Enter")
    wait_for_text(page, ".ld-inspect", "centre (-26, 0, 8) mm")
    assert f"value {image.value_at(*image.nearest_voxel(-26, 0, 8)):g} " in readout.inner_text()


def test_a_dropped_file_is_looked_into(page: Any, own_root: Path, tmp_path: Path) -> None:
    open_tab(page, "Inspect")
    path = tmp_path / f"{HOSTILE}.nii.gz"
    path.write_bytes((own_root / ATLAS).read_bytes())
    page.locator(".ld-inspect .ld-drop input").first.set_input_files(path, timeout=LONG)
    wait_for_text(page, ".ld-inspect", inspect_image(path).sha256)
    wait_for_text(page, ".ld-inspect", path.name)
    (tmp_path / "notes.nii").write_text("hello")
    page.locator(".ld-inspect .ld-drop input").first.set_input_files(tmp_path / "notes.nii")
    alert = page.locator(".ld-banner [role=alert]")
    alert.wait_for(timeout=LONG)
    assert "header incomplete" in alert.inner_text()
