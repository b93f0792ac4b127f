"""The page Assign in a real Chromium: from a threshold to a region on the brain."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_steps import LONG, SIZES, assert_fits, download, resize, settle, wait_for_text
from visitor import HOSTILE

from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.formats import COEFFICIENT, VOLUME
from lesion_dash.core.tables import csv_bytes
from lesion_dash.regions.assignment import assign_regions
from lesion_dash.stats.topography import volume_stats

pytestmark = pytest.mark.browser

LONG_NAME = "Right_Supramarginal_Gyrus_anterior_division"
ROWS = ".ld-matches tbody tr"


@pytest.fixture(scope="module")
def root(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort, its masks as files to be assigned, and regions that are named to run a script."""
    root = tmp_path_factory.mktemp("assign")
    shutil.copytree(sample_data / "cohort_a", root / "cohort_a")
    shutil.copytree(sample_data / "atlas", root / "atlas")
    table = root / "atlas" / "synthetic_atlas.csv"
    table.write_text(table.read_text().replace("Synthetic", f"{HOSTILE}_{LONG_NAME}"))
    source = next((sample_data / "cohort_b").glob("*.nii.gz"))
    (root / f"maps {HOSTILE}").mkdir()
    shutil.copy(source, root / f"maps {HOSTILE}" / f"{HOSTILE}.nii.gz")
    return root


@pytest.fixture(scope="module")
def address(serve: Callable[[Path], str], root: Path) -> str:
    return serve(root)


@pytest.fixture
def page(address: str, shared_page: Callable[..., Any]) -> Any:
    page = shared_page(address)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    # Folder A is read by then, so that there is a map.
    page.wait_for_selector(".ld-regions tbody:last-child tr:nth-child(5)", timeout=LONG)
    page.get_by_role("tab", name="Regions of a map").click()
    page.wait_for_selector(f"{ROWS}:nth-child(5)", timeout=LONG)
    return page


def test_nothing_is_cut_off(page: Any) -> None:
    for width, height in SIZES:
        resize(page, width, height)
        assert_fits(page, *(f".ld-{part}" for part in ("ask", "match", "best", "matches")))
        for part in ("best", "matches"):
            inner = "(part) => part.scrollWidth <= part.clientWidth"
            assert page.locator(f".ld-{part} .ld-table-scroller").evaluate(inner), part
            card = page.locator(f".ld-{part}").bounding_box()
            pager = page.locator(f".ld-{part} .ld-table-foot").bounding_box()
            assert pager["y"] + pager["height"] <= card["y"] + card["height"], part
            # A name is broken after an underscore, never inside a word.
            cell = page.locator(f".ld-{part} tbody td:has(wbr)").first
            assert LONG_NAME in cell.inner_text()
        assert page.locator(".ld-best tbody:last-child tr").first.bounding_box()["y"] < height


def test_from_a_threshold_to_a_region_on_the_brain(page: Any, root: Path) -> None:
    page.locator(".ld-ask .noUi-handle").first.focus()
    for above in (7, 8):
        page.keyboard.press("ArrowRight")
        wait_for_text(page, ".ld-matches .ld-card-head", f"above {above} patients")
    counts = volume_stats(load_cohort(root / "cohort_a"), 5).n
    atlas = load_atlas(root / "atlas" / "synthetic_atlas.nii.gz")
    expected = assign_regions(counts, atlas, threshold=8)
    assert len(expected.table) > 2
    best = expected.best.sort_values("component_volume_mm3", ascending=False).iloc[0]
    correlation = COEFFICIENT.text(best.correlation)
    size = VOLUME.text(best.component_volume_mm3 / 1000)
    wait_for_text(page, ".ld-best tbody tr", correlation)
    shown = page.locator(".ld-best tbody tr").first.locator("td").all_inner_texts()
    assert shown[1:] == [best.region, correlation, size]
    ranked = expected.table[expected.table["voxels"] > 0]
    second = ranked.sort_values("correlation", ascending=False).iloc[1]
    assert HOSTILE in second.region
    # The rows of another threshold may still stand there, with another region in this place.
    wait_for_text(page, f"{ROWS}:nth-child(2)", COEFFICIENT.text(second.correlation))
    row = page.locator(ROWS).nth(1)
    assert row.locator("td").nth(2).inner_text() == second.region
    row.click()
    wait_for_text(page, ".ld-match .ld-readout", second.region)
    wait_for_text(page, ".ld-match .ld-viewer-legend", f"contour of {second.region}")
    press = page.locator(".ld-matches").get_by_role("button", name="CSV").click
    assert download(page, press) == ("assignment.csv", csv_bytes(expected.table))
    # A file with a hostile name is assigned as well.
    source, file = (page.locator(".ld-ask select").nth(place) for place in (0, 1))
    source.select_option(label=f"Files in maps {HOSTILE} (1)")
    wait_for_text(page, ".ld-matches .ld-card-head", "Choose a file")
    file.select_option(label=f"{HOSTILE}.nii.gz")
    wait_for_text(page, ".ld-matches .ld-card-head", f"{HOSTILE}.nii.gz")
    settle(page)
    assert page.locator("img[src=x]").count() == 0
