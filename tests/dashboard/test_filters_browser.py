"""A filter set with the controls of the page gives the library's maps, and a split is undone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lesion_dash.cohort.conditions import parse_conditions
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.dashboard.pages.choices import FILES_IN_WORDS
from lesion_dash.images.maps import nifti_bytes
from lesion_dash.stats.overlap import overlap
from lesion_dash.stats.topography import FILE_NAMES, volume_stats

pytestmark = pytest.mark.browser

LONG = 90_000  # ms; a first start compiles everything, on a machine that may be busy


@pytest.fixture(scope="module")
def address(serve: Callable[[Path], str], own_root: Path) -> str:
    return serve(own_root)


@pytest.fixture
def dashboard(address: str, kept_page: Callable[..., Any]) -> Any:
    page = kept_page(address)
    page.wait_for_selector(".ld-bar", timeout=LONG)
    page.get_by_text("All 40 patients").wait_for(timeout=LONG)
    return page


def said(page: Any, side: str, text: str) -> None:
    """Wait until the line of a side says this."""
    number = "AB".index(side)
    page.wait_for_function(
        "([n, text]) => document.querySelectorAll('.ld-filter [role=status]')[n]"
        ".innerText.includes(text)",
        arg=[number, text],
        timeout=LONG,
    )


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).press("Enter")


def open_filter(page: Any) -> None:
    if page.get_by_label("Column of condition 1 of A").is_hidden():
        press(page, "Filter the patients of A")


def download(page: Any, name: str) -> bytes:
    field = page.locator(".ld-field", has_text="Save").locator("select").first
    words = FILES_IN_WORDS[name]
    offered = field.locator("option").all_inner_texts()
    field.select_option(label=next(text for text in offered if text.replace("\xa0", " ") == words))
    page.wait_for_function(
        "([name]) => document.querySelector('.ld-file-name').innerText.includes(name)", arg=[name]
    )
    with page.expect_download(timeout=LONG) as waiting:
        page.get_by_role("button", name="Download").first.click()
    return Path(waiting.value.path()).read_bytes()


def test_maps_of_a_filter_are_the_librarys(dashboard: Any, own_root: Path) -> None:
    page = dashboard
    open_filter(page)
    column = page.get_by_label("Column of condition 1 of A")
    column.select_option("sex")
    page.get_by_role("checkbox", name="F (20)").press("Space")
    said(page, "A", "20 of 40 patients: sex = F")
    press(page, "Add a condition")
    page.get_by_label("Column of condition 2 of A").select_option("age")
    low = page.get_by_label("age from, condition 2 of A")
    low.fill("60")
    low.press("Enter")
    said(page, "A", "15 of 40 patients: age >= 60, sex = F; 1 excluded only because age is missing")
    cohort = load_cohort(own_root / "cohort_a", where=parse_conditions(["sex=F", "age>=60"]))
    stats = volume_stats(cohort, min(5, int(cohort.counts.max())))
    for key in ("n", "mean"):
        found = download(page, FILE_NAMES[key])
        assert found == nifti_bytes(stats.files[FILE_NAMES[key]].to_nifti())


def test_what_nobody_meets_goes_back_to_what_was_asked_before(dashboard: Any) -> None:
    page = dashboard
    open_filter(page)
    page.get_by_label("Column of condition 1 of A").select_option("age")
    low = page.get_by_label("age from, condition 1 of A")
    low.fill("60")
    low.press("Enter")
    said(page, "A", "28 of 40 patients")
    low.fill("200")
    low.press("Enter")
    page.locator(".ld-banner [role=alert]").wait_for(timeout=LONG)
    page.wait_for_function(
        "() => document.querySelector('.ld-filter-range input').value === '60'", timeout=LONG
    )
    high = page.get_by_label("age to, condition 1 of A")
    high.fill("50")
    high.press("Enter")
    page.get_by_text("The first number is the larger one.").wait_for()
    press(page, "Remove condition 1 of A: age")
    said(page, "A", "All 40 patients")


def test_a_split_is_the_librarys_overlap_and_is_undone(dashboard: Any, own_root: Path) -> None:
    page = dashboard
    press(page, "Split A into A and B")
    page.get_by_label("Column to split by").select_option("sex")
    page.get_by_title("Show the parts as A and B").press("Enter")
    said(page, "B", "20 of 40 patients: sex = M")
    page.wait_for_selector(".ld-legend", timeout=LONG)
    parts = [
        load_cohort(own_root / "cohort_a", where=parse_conditions([f"sex={sex}"])) for sex in "FM"
    ]
    k = min(5, int(parts[0].counts.max()))
    both = overlap(*(part.at_least(k) for part in parts)).both
    assert download(page, "overlap_map.nii") == nifti_bytes(both.to_nifti())
    press(page, "Undo the split")
    said(page, "A", "All 40 patients")
    said(page, "B", "No folder yet")
