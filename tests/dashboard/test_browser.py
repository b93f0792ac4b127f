"""The whole way through a real Chromium: no page error, no request that leaves this computer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_steps import (
    LONG,
    SIZES,
    assert_fits,
    choose_option,
    download,
    open_tab,
    page_names,
    resize,
    settle,
    wait_for_text,
)
from served_dashboard import find_port

from lesion_dash.atlas.loading import load_atlas
from lesion_dash.atlas.places import name_place
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.region_patients import peak_mm
from lesion_dash.images.maps import compressed_with_window, nifti_bytes
from lesion_dash.regions.counts import count_regions
from lesion_dash.regions.involvement import region_involvement
from lesion_dash.regions.load import lesion_load
from lesion_dash.stats.overlap import overlap
from lesion_dash.stats.topography import volume_stats

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
NO_WEBGL = """
const original = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind.startsWith("webgl") ? null : original.call(this, kind, ...rest);
};
"""
HEADER_IS_WHOLE = """() => {
  // Where there is little room, the brand is there for screen readers alone, a pixel wide.
  const isSeen = (part) => part.checkVisibility()
    && part.parentElement.getBoundingClientRect().width > 1;
  const all = document.querySelectorAll(".ld-header :is(h1, .ld-root, button)");
  const parts = [...all].filter(isSeen);
  const boxes = parts.map((part) => part.getBoundingClientRect());
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
    && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const apart = !boxes.some((box, i) => boxes.slice(i + 1).some((other) => meet(box, other)));
  const whole = parts.every((part) => part.parentElement.getBoundingClientRect().right >=
                                      part.getBoundingClientRect().right - 1);
  return parts.length > 4 && apart && whole;
}"""
LONGEST = (
    "A alone, k = 144: 1,234,567 voxels, < 0.1 % of the brain (1,834) and 1,232,733 outside it, "
    "< 0.1 % of all lesioned voxels"
)


@pytest.fixture
def dashboard(address: str, shared_page: Callable[..., Any]) -> Any:
    page = shared_page(address)
    page.get_by_text("≥ 5 patients of A,").wait_for(timeout=LONG)
    settle(page)
    return page


def choose(page: Any, label: str, option: str) -> None:
    choose_option(page.locator(".ld-field", has_text=label).locator("select").first, option)


def slide_to(page: Any, value: int) -> None:
    shown = page.locator(".ld-choices .widget-readout").first
    for _ in range(100):
        current = int(shown.inner_text())
        if current == value:
            return
        # Anew each time: a slider whose range has changed meanwhile has lost it.
        page.locator(".ld-choices .noUi-handle").first.focus()
        page.keyboard.press("ArrowRight" if current < value else "ArrowLeft")
        settle(page)
    pytest.fail(f"the slider stays at {shown.inner_text()}")


def test_from_folders_to_regions_and_files(dashboard: Any, own_root: Path) -> None:
    page = dashboard
    choose(page, "Folder B", "cohort_b")
    page.get_by_text("Overlap of A and B", exact=True).click(timeout=LONG)
    page.wait_for_selector(".ld-viewer-legend")
    slide_to(page, 7)
    page.get_by_text("≥ 7 patients of A and of B").wait_for(timeout=LONG)
    a, b = (load_cohort(own_root / f"cohort_{side}") for side in "ab")
    both = overlap(a.at_least(7), b.at_least(7)).both
    counts = count_regions(both, load_atlas(own_root / "atlas" / "synthetic_atlas.nii.gz"))
    in_map = {row.label: row for row in counts.rows[:-1] if row.voxels}
    most = next(
        row for row in region_involvement(lesion_load(a, counts.atlas)).rows if row.label in in_map
    )
    first = in_map[most.label]
    row = page.locator(".ld-regions tbody:last-child tr").first
    wait_for_text(page, ".ld-regions tbody:last-child tr", f"{most.patients:,}")
    shown = row.locator("td").all_inner_texts()[:4]
    counted = [str(most.patients), str(most.max_patients_at_voxel)]
    assert shown == [first.region, first.lobe, *counted]
    row.click()
    x, y, z = peak = peak_mm(counts, first, [a, b])
    wait_for_text(page, ".ld-readout", f"MNI {x:.0f}, {y:.0f}, {z:.0f}".replace("-", "−"))
    readout = page.locator(".ld-readout").inner_text()
    assert first.region in readout
    patients = volume_stats(a, 1).n.value_at(peak)
    assert f"A {patients:.0f} patients, B {len(b.patients_at(peak))}" in readout
    choose_option(page.locator(".ld-field:has(> .ld-label:text-is('Save')) select"), "Overlap")
    press = page.get_by_role("button", name="Download").click
    content = nifti_bytes(both.to_nifti())
    assert download(page, press) == ("overlap_map.nii.gz", compressed_with_window(content))
    press = page.get_by_role("button", name=".nii").click
    assert download(page, press) == ("overlap_map.nii", content)
    press = page.locator(".ld-regions").get_by_role("button", name="CSV").click
    assert download(page, press) == ("region_counts.csv", csv_bytes(counts.table))


def test_regions_are_found_grouped_and_named_in_two_atlases(dashboard: Any, own_root: Path) -> None:
    page, rows = dashboard, ".ld-regions tbody:last-child tr"
    table, names = page.locator(".ld-regions"), ("synthetic_atlas", "max_prob_map")
    atlases = [load_atlas(*DataRoot(own_root).atlas_files(name)) for name in names]
    counts = count_regions(load_cohort(own_root / "cohort_a").at_least(5), atlases[0])
    touched = [row for row in counts.rows[:-1] if row.voxels]
    parietal = sorted(row.region for row in touched if row.lobe == "parietal")

    search = table.get_by_placeholder("Search")
    search.fill("parietal")
    page.get_by_text(f"of {len(parietal)} (of {len(touched)})").wait_for(timeout=LONG)
    assert sorted(page.locator(f"{rows} td:first-child").all_inner_texts()) == parietal
    search.fill("")

    choose_option(table.get_by_label("Regions: Rows"), "By lobe")
    group = page.locator(rows, has=page.get_by_text("parietal", exact=True)).first
    group.wait_for(timeout=LONG)
    settle(page)
    assert page.locator(rows).count() == len({row.lobe for row in touched})
    group.locator(".ld-table-fold").click()
    page.locator(f"{rows}[aria-level='2']").first.wait_for(timeout=LONG)
    shown = page.locator(f"{rows}[aria-level='2'] td:first-child").all_inner_texts()
    assert sorted(shown) == parietal

    choose_option(page.get_by_label("Further atlases", exact=True), names[1])
    lines = page.locator(".ld-brain .ld-name-here")
    lines.nth(1).wait_for(timeout=LONG)
    settle(page)
    stage = page.locator(".ld-viewer-stage canvas")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.12, box["y"] + box["height"] * 0.2)
    settle(page)
    readout = page.locator(".ld-brain .ld-readout").inner_text().replace("−", "-")
    mm = [float(value) for value in re.findall(r"-?[\d.]+", readout.partition(" · ")[0])]
    for line, name, atlas in zip(lines.all_inner_texts(), names, atlases, strict=True):
        assert line.startswith(f"{name}: outside the atlas, ")
        away, _, nearest = line.partition("outside the atlas, ")[2].partition(" mm from ")
        expected = name_place(atlas, mm)
        assert nearest == expected.nearest_region
        assert float(away) == pytest.approx(expected.nearest_mm, abs=1)  # mm are shown rounded

    choose_option(table.get_by_label("Regions: Atlas"), names[1])
    settle(page)
    table.get_by_text("outside the atlas").first.wait_for(timeout=LONG)
    page.get_by_title(f"Remove {names[1]}").click()
    settle(page)
    assert lines.count() == 0
    assert "max_prob_map" not in page.url


def test_another_space_is_stated_for_an_atlas_and_taken_back(dashboard: Any) -> None:
    page, stated = dashboard, "MNI152NLin6Asym"
    page.get_by_role("button", name="State another space").click()
    settle(page)
    field = page.get_by_label("Atlas synthetic_atlas", exact=True)
    assert field.input_value().replace("\u00a0", " ").startswith("As stated: MNI152")
    choose_option(field, stated)
    settle(page)
    wait_for_text(page, ".ld-choices", f"synthetic_atlas: {stated}")
    assert f"use=space%20{stated}" in page.url
    choose_option(field, "As the file states")
    settle(page)
    assert "use=" not in page.url
    page.get_by_role("button", name="Close", exact=True).click()
    settle(page)
    assert not field.is_visible()


def test_a_report_is_made_and_saved(dashboard: Any) -> None:
    card = dashboard.locator(".ld-report")
    card.get_by_label("Title").fill("Ours")
    card.get_by_label("Title").press("Enter")
    card.get_by_text("Make the report").click()
    card.get_by_text("Ready: report.html").wait_for(timeout=LONG)
    name, content = download(dashboard, card.get_by_title("Save report.html").click)
    assert name == "report.html"
    assert content.startswith(b"<!DOCTYPE html>")
    assert b"<title>Ours</title>" in content


def test_without_webgl_nilearn_draws(address: str, open_page: Callable[..., Any]) -> None:
    page = open_page(address, script=NO_WEBGL)
    frame = page.frame_locator(".ld-viewer-fallback iframe")
    frame.locator("canvas").first.wait_for(timeout=LONG)
    assert "no WebGL 2" in page.locator(".ld-viewer-fallback").inner_text()
    assert page.locator(".ld-viewer-fallback iframe").get_attribute("sandbox") == "allow-scripts"


def test_a_slow_computer_does_not_lose_widgets(dashboard: Any) -> None:
    """Widgets that are not ready after 2 s are given up by their library, which asks for it so."""
    code = """() => new Promise((end) => {
        const patience = AbortSignal.timeout(2000);
        setTimeout(() => end(patience.aborted), 2500); // of what is tested, no wait for the page
    })"""
    assert dashboard.evaluate(code) is False
    assert dashboard.evaluate(
        "new Promise((end) => AbortSignal.timeout(50).onabort = () => end(true))"
    )


def test_nothing_is_cut_off_on_any_page(dashboard: Any) -> None:
    page = dashboard
    for name in page_names(page):
        open_tab(page, name)
        for width, height in ((853, 640), *SIZES):
            resize(page, width, height)
            assert_fits(page)
            assert page.evaluate(HEADER_IS_WHOLE), (name, width)
            cards = page.locator(".ld-card:visible").all()
            boxes = [card.bounding_box() for card in cards]
            outside = [b for b in boxes if b["x"] < 0 or b["x"] + b["width"] > width]
            assert outside == [], (name, width)
    open_tab(page, "Maps")
    for width, height in ((853, 640), *SIZES):
        resize(page, width, height)
        brain = page.locator(".ld-view .ld-viewer-stage").bounding_box()
        assert brain["height"] >= 400, width
        assert brain["y"] + brain["height"] <= height, width  # to be seen without scrolling
        view = page.locator(".ld-view").bounding_box()
        assert view["width"] >= 0.55 * width, width
        is_beside = page.locator(".ld-here").bounding_box()["y"] < brain["y"]
        assert is_beside == (width > 1100), width


def test_settings_stay_in_view_and_the_figure_grows(dashboard: Any) -> None:
    page = dashboard
    resize(page, 1280, 800)
    settings = page.locator(".ld-choices")
    top = settings.bounding_box()["y"]
    page.locator(".ld-page-code:visible").scroll_into_view_if_needed()
    assert settings.bounding_box()["y"] == pytest.approx(top, abs=1)
    small = page.locator(".ld-small-figure img")
    small.click()
    settle(page)
    large = page.locator(".ld-figure img").bounding_box()
    assert large["height"] > 350
    assert not small.is_visible()
    page.get_by_role("button", name="Mosaic").click()
    choose(page, "Plane", "Axial")
    choose(page, "Slices", "12")
    page.get_by_role("button", name="Dark colours").click()
    settle(page)
    for part in ("view=mosaic", "plane=axial", "slices=12"):
        assert part in page.url
    # The figure is dark as the page is.
    corner = """(image) => {
        const canvas = document.createElement("canvas");
        canvas.getContext("2d").drawImage(image, 0, 0);
        return [...canvas.getContext("2d").getImageData(2, 2, 1, 1).data].slice(0, 3);
    }"""
    assert page.locator(".ld-figure img").evaluate(corner) == [0, 0, 0]
    page.get_by_role("button", name="Light colours").click()
    resize(page, 1920, 1080)
    brain, figure = (page.locator(f".ld-{part}").bounding_box() for part in ("brain", "figure"))
    assert brain["x"] + brain["width"] <= figure["x"]  # side by side
    page.get_by_role("button", name="Interactive").click()
    settle(page)


def test_nothing_below_the_line_moves_with_the_slider(dashboard: Any) -> None:
    page = dashboard
    line = page.locator(".ld-choices .ld-note", has_text="of the brain")
    line.wait_for(timeout=LONG)
    below = page.locator(".ld-choices .widget-radio-box").first
    handle = page.locator(".ld-choices .noUi-handle").first
    handle.focus()
    tops, texts = set(), set()
    for key in ("Home", "ArrowRight", "ArrowRight", "End"):
        before = line.inner_text()
        handle.press(key)
        page.wait_for_function(
            "([line, before]) => line.innerText !== before", arg=[line.element_handle(), before]
        )
        texts.add(line.inner_text())
        tops.add(below.bounding_box()["y"])
    line.locator(".widget-html-content").evaluate("(e, text) => e.innerText = text", LONGEST)
    tops.add(below.bounding_box()["y"])
    assert len(texts) == 4
    assert len(tops) == 1


def test_table_is_sorted_and_searched(dashboard: Any, own_root: Path) -> None:
    page = dashboard  # the last test on this page, as it leaves the table sorted
    atlas = load_atlas(*DataRoot(own_root).atlas_files("synthetic_atlas"))
    counts = count_regions(load_cohort(own_root / "cohort_a").at_least(5), atlas)
    frontal = sum(bool(row.voxels) and "frontal" in row.region for row in counts.rows)
    assert frontal > 2
    table = page.locator(".ld-regions")
    table.get_by_placeholder("Search").fill("frontal")
    page.wait_for_function(
        "n => document.querySelectorAll('.ld-regions tbody:last-child tr').length === n",
        arg=frontal,
    )
    table.get_by_role("button", name="Most at a voxel").click()
    page.wait_for_function(
        """n => {
        const column = '.ld-regions tbody:last-child td:nth-child(4)';
        const cells = [...document.querySelectorAll(column)];
        const counts = cells.map(cell => Number(cell.innerText));
        return counts.length === n && counts.every((count, i) => !i || counts[i - 1] >= count);
        }""",
        arg=frontal,
    )
    slide_to(page, 8)
    page.get_by_text("≥ 8 patients of A").wait_for(timeout=LONG)
    settle(page)
    assert table.get_by_placeholder("Search").input_value() == "frontal"


def test_voila_typed_by_hand(
    tmp_path: Path, sample_data: Path, open_page: Callable[..., Any]
) -> None:
    (tmp_path / "sample_data").symlink_to(sample_data)
    for name in ("app.ipynb", "voila.json"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    paths = os.pathsep.join([str(ROOT / "share" / "jupyter"), os.environ.get("JUPYTER_PATH", "")])
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JUPYTER_PATH": paths.strip(os.pathsep)}
    command = [sys.executable, "-m", "voila", "app.ipynb", "--no-browser", f"--port={find_port()}"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if b"http://" in line)
        page = open_page(
            re.search(r"http://\S+", line.decode())[0].replace("localhost", "127.0.0.1")
        )
        # The figure waits for the brain to be drawn, so that all widgets are at work by now.
        page.wait_for_selector(".ld-figure-view img:not([hidden])", timeout=LONG)
        assert page.locator(".ld-root").text_content() == "sample_data"
        page.close()
    finally:
        process.terminate()
        process.communicate(timeout=30)
