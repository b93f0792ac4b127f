"""Symptoms in a real Chromium: from the choice of a score to the patients at the peak."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_steps import (
    LONG,
    SIZES,
    assert_fits,
    download,
    open_tab,
    resize,
    settle,
    wait_for_text,
)

from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.tables import csv_bytes
from lesion_dash.stats.lesion_symptom.cluster_table import find_symptom_clusters
from lesion_dash.stats.lesion_symptom.mapping import map_symptom

pytestmark = pytest.mark.browser

PAGE = ".ld-symptoms"
MAP = f"{PAGE}-map"
RANKS = "The same of ranks (rank)"


@pytest.fixture
def page(address: str, shared_page: Callable[..., Any]) -> Any:
    page = shared_page(address)
    settle(page)
    open_tab(page, "Symptoms")
    return page


def test_a_score_is_chosen_tested_and_its_peak_gone_to(page: Any, own_root: Path) -> None:
    score = page.get_by_label("Score", exact=True)
    score.focus()
    page.keyboard.type("nam")  # a list takes the option that begins so
    wait_for_text(page, f"{PAGE}-ask", "40 patients with naming")
    page.wait_for_selector(f"{MAP} .ld-viewer-root[data-painted]", timeout=LONG)
    run = page.locator(PAGE).get_by_role("button", name="Run permutation test")
    run.focus()
    page.keyboard.press("Enter")
    wait_for_text(page, f"{PAGE}-ask", "voxels (")
    expected = map_symptom(load_cohort(own_root / "cohort_a"), "naming")
    count = int((expected.corrected_p <= 0.05).sum())
    assert f"{count:,} voxels" in page.locator(f"{PAGE}-ask").inner_text()
    atlas = load_atlas(own_root / "atlas" / "synthetic_atlas.nii.gz")
    clusters = find_symptom_clusters(expected, atlas)
    row = page.locator(f"{PAGE}-clusters tbody tr").first
    row.click()
    first = clusters.rows[0]
    words = f"in {first.lesioned} patients with a lesion here"
    wait_for_text(page, f"{PAGE}-groups", words)
    page.get_by_alt_text("Scores of patients with and without a lesion here").wait_for(timeout=LONG)
    link = page.evaluate("location.hash")
    assert "symptoms.score=naming" in link
    name, content = download(page, page.locator(f"{PAGE}-clusters .ld-button").click)
    assert (name, content) == ("clusters.csv", csv_bytes(clusters.table))
    code = page.locator(f"{PAGE} .ld-page-code").inner_text()
    assert "--score naming" in code

    # The slider hides voxels in the browser.
    handle = page.locator(f"{PAGE}-view .noUi-handle")
    handle.press("ArrowRight")
    page.wait_for_selector(f"{MAP} .ld-viewer-root[data-k='1']", timeout=LONG)
    for width, height in SIZES:
        resize(page, width, height)
        assert_fits(page, *(f"{PAGE}-{part}" for part in ("ask", "view", "map", "groups")))
    resize(page, 1280, 900)


def test_a_link_brings_the_choices_back(address: str, open_page: Callable[..., Any]) -> None:
    choices = "score=nihss&symptoms.covariates=age&symptoms.test=rank&symptoms.compares=yes"
    page = open_page(f"{address}#a=cohort_a&page=symptoms&symptoms.{choices}")
    wait_for_text(page, f"{PAGE}-ask", "patients with nihss")
    settle(page)
    assert page.get_by_label("Test of the score", exact=True).input_value() == RANKS
    chosen = page.get_by_label("Covariates", exact=True).evaluate(
        "list => [...list.selectedOptions].map((option) => option.textContent)"
    )
    assert chosen == ["age"]
    page.locator(PAGE).get_by_role("button", name="Run permutation test").click()
    page.wait_for_selector(f"{PAGE}-without .ld-viewer-root[data-painted]", timeout=LONG)
    settle(page)
    for part in ("score=nihss", "covariates=age", "test=rank", "compares=yes"):
        assert f"symptoms.{part}" in page.evaluate("location.hash")
