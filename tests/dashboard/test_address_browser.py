"""Choices survive a reload, travel in a link and in a file, and belong to one visitor."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from browser_steps import LONG, download, settle

from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.regions.counts import count_regions
from lesion_dash.regions.involvement import region_involvement
from lesion_dash.regions.load import lesion_load

pytestmark = pytest.mark.browser

LINK = "#a=cohort_b&k=7&map=mean&atlas=synthetic_atlas&figure=glass&mm=-40,-20,4"


def press_session(page: Any, name: str) -> None:
    page.get_by_role("button", name="Session").click()
    page.get_by_role("menuitem", name=name).click()


def wait_for_link(page: Any, *parts: str) -> str:
    for part in parts:
        page.wait_for_function("(part) => location.hash.includes(part)", arg=part, timeout=LONG)
    settle(page)  # another choice may be on its way into the address
    return str(page.url)


def shown(page: Any) -> dict[str, object]:
    """What a visitor sees of the choices."""
    settle(page)
    page.wait_for_selector(".ld-brain .ld-viewer-ramp", timeout=LONG)
    page.wait_for_selector(".ld-regions tbody:last-child tr:nth-child(5)", timeout=LONG)
    folders = page.locator(".ld-choices select").evaluate_all(
        "(all) => all.slice(0, 2).map((one) => one.selectedOptions[0].textContent)"
    )
    return {
        "folders": folders,
        "k": page.locator(".ld-choices .widget-readout").first.inner_text(),
        "map": page.locator(".ld-choices input[type=radio]:checked").evaluate(
            "(radio) => radio.parentElement.textContent"
        ),
        "readout": page.locator(".ld-brain .ld-readout").inner_text(),
        "scale": page.locator(".ld-brain .ld-viewer-scale").inner_text(),
        "colours": page.locator(".ld-brain .ld-viewer-ramp").get_attribute("style"),
        "regions": page.locator(".ld-regions tbody:last-child tr").all_inner_texts(),
    }


@pytest.fixture
def linked(
    address: str, shared_page: Callable[..., Any], own_root: Path, eventually: Callable[..., None]
) -> Any:
    page = shared_page(address + LINK, start=LINK.removeprefix("#"))
    page.get_by_text("Mean total lesion volume, where ≥ 7").wait_for(timeout=LONG)
    mask = load_cohort(own_root / "cohort_b").at_least(7)
    counts = count_regions(mask, load_atlas(own_root / "atlas" / "synthetic_atlas.nii.gz"))
    row = page.locator(".ld-regions tbody:last-child tr").first.locator("td")
    page.wait_for_selector(".ld-regions tbody:last-child tr:nth-child(5)", timeout=LONG)
    in_map = {row.label for row in counts.rows if row.voxels}
    load = lesion_load(load_cohort(own_root / "cohort_b"), counts.atlas)
    most = next(row for row in region_involvement(load).rows if row.label in in_map)
    expected = [most.region, most.lobe, str(most.patients)]
    eventually(page, lambda: row.all_inner_texts()[:3], expected)
    return page


def wait_for_std(page: Any, readout: str) -> None:
    page.get_by_text("SD of total lesion volume, where ≥ 7").wait_for(timeout=LONG)
    page.wait_for_function(
        "(text) => document.querySelector('.ld-brain .ld-readout')?.innerText === text",
        arg=readout,
        timeout=LONG,
    )


def test_a_reload_and_another_visitor_see_the_same(
    linked: Any, open_page: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    page = linked
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.get_by_role("radio", name="SD of lesion volume").click()
    page.locator(".ld-regions tbody:last-child tr").nth(1).click()
    page.wait_for_selector(".ld-regions tbody:last-child tr:nth-child(2).selected")
    link = wait_for_link(page, "map=std", "k=7")
    before = shown(page)
    assert "cohort_b" in str(before["folders"])
    page.reload()
    wait_for_std(page, str(before["readout"]))
    eventually(page, lambda: shown(page), before)
    assert page.url == link
    assert requests
    assert not [url for url in requests if re.search("cohort_|atlas", url)]
    other = open_page(link)
    wait_for_std(other, str(before["readout"]))
    eventually(other, lambda: shown(other), before)
    # What one of them chooses from here on is nothing to the other.
    other.get_by_role("radio", name="Patients per voxel").click()
    wait_for_link(other, "map=n")
    assert shown(page) == before
    assert page.url == link
    assert page.evaluate("history.length") <= 3
    assert shown(other)["map"] != before["map"]
    assert shown(other)["colours"] != before["colours"]


def test_links_and_files_are_followed(linked: Any, tmp_path: Path) -> None:
    page = linked
    name, content = download(page, partial(press_session, page, "Save session"))
    saved = tmp_path / name
    saved.write_bytes(content)
    link = wait_for_link(page, "k=7", "figure=glass")
    page.evaluate("location.hash = 'a=cohort_a&k=3&map=n&page=patients'")
    page.get_by_alt_text("Histogram of lesion volumes in mL").wait_for(timeout=LONG)
    page.get_by_role("tab", name="Maps").click()
    page.get_by_text("Patients per voxel, where ≥ 3").wait_for(timeout=LONG)
    chooser = page.locator(".ld-menu input[type=file]")
    chooser.set_input_files({"name": "notes.json", "mimeType": "text/plain", "buffer": b"[1, 2]"})
    page.get_by_text("notes.json: is not a session file of lesion_dash").wait_for(timeout=LONG)
    assert "a=cohort_a&k=3" in page.url
    chooser.set_input_files(str(saved))
    page.get_by_text("Mean total lesion volume, where ≥ 7").wait_for(timeout=LONG)
    assert wait_for_link(page, "k=7", "figure=glass") == link


def test_a_hostile_link_runs_nothing(address: str, open_page: Callable[..., Any]) -> None:
    page = open_page(address + "#a=<img src=x onerror=alert(1)>&k=1e9&map=n%00")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    alert = page.locator(".ld-banner [role=alert]")
    alert.wait_for(timeout=LONG)
    assert "3 of its choices cannot be made here" in alert.inner_text()
    assert alert.locator("img").count() == 0


def test_the_tour_by_keyboard(address: str, open_page: Callable[..., Any]) -> None:
    page = open_page(address, tour=True)
    dialog = page.get_by_role("dialog")
    dialog.wait_for(timeout=LONG)
    assert "1 of 5" in dialog.inner_text()
    assert page.locator(".ld-tour-here .ld-label").inner_text() == "Folder A"
    for key, number in (("Enter", 2), ("Enter", 3), ("ArrowLeft", 2)):
        page.keyboard.press(key)
        dialog.get_by_text(f"{number} of 5").wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    page.reload()
    shown(page)
    assert dialog.count() == 0  # it was seen
    tip = page.get_by_role("tooltip").filter(has_text="voxel takes the label of the atlas")
    assert tip.count() == 0
    page.get_by_role("button", name="Help: Atlas").focus()
    tip.wait_for()
    assert tip.bounding_box()["x"] >= 0


def test_widgets_that_come_late_are_told_all(address: str, open_page: Callable[..., Any]) -> None:
    """Sliders and notes come from files of their own, on a slow network after all others."""
    link = LINK.replace("map=mean", "map=n")
    page = open_page(address + link, late="**/@jupyter-widgets/**/static/*.js*")
    page.wait_for_selector(".ld-regions tbody:last-child tr:nth-child(5)", timeout=LONG)
    page.get_by_text("k = 7: ").wait_for(timeout=LONG)
    cohort = load_cohort("sample_data/cohort_b")
    slider = page.locator(".ld-choices .noUi-handle").first
    assert slider.get_attribute("aria-valuenow") == "7.0"
    assert slider.get_attribute("aria-valuemax") == f"{cohort.counts.max():.1f}"
    slider.press("ArrowRight")
    page.get_by_text("k = 8: ").wait_for(timeout=LONG)
