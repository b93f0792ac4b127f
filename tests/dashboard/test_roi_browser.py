"""The page ROI lab in a real Chromium: from one click to a table, a step, and the script."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lesion_dash.core.tables import tsv_bytes
from lesion_dash.rois.recipe import RoiRecipe, run_recipe
from lesion_dash.rois.saving import script_of
from lesion_dash.rois.sources import SeriesSource
from lesion_dash.rois.steps import Morph, Threshold

pytestmark = pytest.mark.browser

LONG = 60_000  # ms
ROWS = ".ld-roi-parts tbody tr"


@pytest.fixture(scope="module")
def root(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lab").resolve()
    for name in ("series", "atlas"):
        shutil.copytree(sample_data / name, root / name)
    return root


@pytest.fixture(scope="module")
def address(serve: Callable[[Path], str], root: Path) -> str:
    return serve(root)


def recipe_of(root: Path, **more: Any) -> RoiRecipe:
    runs = [str(root / "series" / f"sub-01_task-pictures_run-{number}") for number in (1, 2)]
    images, tables = ([f"{run}_{kind}" for run in runs] for kind in ("bold.nii.gz", "events.tsv"))
    atlas = {"atlas": str(root / "atlas" / "synthetic_atlas.nii.gz")}
    labels = {"labels": str(root / "atlas" / "synthetic_atlas.csv")}
    source = SeriesSource(images, tables, "face", "house")
    return RoiRecipe(source, Threshold(3.0), **atlas, **labels, **more)


def wait_for(page: Any, selector: str, text: str) -> None:
    # A list of options has spaces that break no line.
    code = """([at, text]) =>
        document.querySelector(at)?.textContent.replace(/\u00a0/g, " ").includes(text)"""
    page.wait_for_function(code, arg=[selector, text], timeout=LONG)


@pytest.fixture
def lab(address: str, kept_page: Callable[..., Any]) -> Any:
    page = kept_page(address, start="")
    page.get_by_role("tab", name="ROI lab").click(timeout=LONG)
    page.get_by_role("button", name="Run the test").click()
    page.wait_for_selector(f"{ROWS}:nth-child(2)", timeout=LONG)
    page.get_by_alt_text("separate parts").wait_for(timeout=LONG)
    return page


def test_from_one_click_to_the_same_regions_as_the_library(
    lab: Any, root: Path, eventually: Callable[..., None]
) -> None:
    page = lab
    parts = expected_parts(run_recipe(recipe_of(root)))
    eventually(page, lambda: shown_parts(page, len(parts)), parts)
    page.get_by_role("button", name="Add step").click()
    steps = Morph("dilate", 1, "voxels", 6)
    recipe = recipe_of(root, steps=(steps,))
    wait_for(page, ".ld-roi-view select", steps.summary)
    expected = run_recipe(recipe)
    wait_for(page, ".ld-roi-parts .ld-card-head", f"{expected.rois.mask.voxels:,} voxels")
    parts = expected_parts(expected)
    eventually(page, lambda: shown_parts(page, len(parts)), parts)
    eventually(page, page.locator(".ld-roi-code .ld-code pre").inner_text, script_of(recipe))
    page.locator(".ld-save-row select").select_option(label="mask_atlas.tsv")
    with page.expect_download(timeout=LONG) as waiting:
        page.locator(".ld-save-row").get_by_role("button", name="Download").click()
    assert waiting.value.suggested_filename == "mask_atlas.tsv"
    assert Path(waiting.value.path()).read_bytes() == tsv_bytes(expected.table_of(expected.rois))
    page.locator(".ld-roi-view select option").first.click()
    page.get_by_alt_text("1. −log10 p").wait_for(timeout=LONG)
    undo_step(page)


def undo_step(page: Any) -> None:
    page.get_by_role("button", name="Undo last step").click()
    wait_for(page, ".ld-roi-view select", "2. separate parts")


def shown_parts(page: Any, number: int) -> list[list[str]]:
    """Number, voxels and region of the first rows, read at once."""
    code = "(all) => all.map((row) => [...row.cells].map((cell) => cell.innerText))"
    rows = page.locator(ROWS).evaluate_all(code)[:number]
    return [[row[0], row[1], row[-1]] for row in rows if len(row) > 2]


def expected_parts(expected: Any) -> list[list[str]]:
    table = expected.rois.table
    columns = (table["index"], table["voxels"], table["region"])
    return [list(map(str, row)) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1920, 1080)])
def test_nothing_is_cut_off_and_nothing_jumps(lab: Any, width: int, height: int) -> None:
    page = lab
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function("([width]) => innerWidth === width", arg=[width])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in ("input", "test", "steps", "parts", "values", "code"):
        box = page.locator(f".ld-roi-{part}").bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= width, part
    run = page.get_by_role("button", name="Run the test").bounding_box()
    assert run["y"] + run["height"] <= height  # to be seen without scrolling
    before = page.locator(".ld-roi-image").bounding_box()
    page.get_by_role("button", name="Add step").click()
    wait_for(page, ".ld-roi-view select", "3. separate parts")
    page.get_by_alt_text("3. separate parts").wait_for(timeout=LONG)
    assert page.locator(".ld-roi-image").bounding_box() == before
    undo_step(page)


def test_a_search_chooses_several_runs(lab: Any) -> None:
    page = lab
    runs = page.locator(".ld-roi-input .ld-pick")
    runs.locator("input").fill("run 2 bold")
    runs.get_by_role("button", name="All shown").click()
    wait_for(page, ".ld-roi-input .ld-pick", "1 of 3 runs chosen.")
    wait_for(page, ".ld-roi-test", "These choices changed")
    page.get_by_role("button", name="Run the test").click()
    wait_for(page, ".ld-roi-test", "face (n = 16) against house (n = 16)")
