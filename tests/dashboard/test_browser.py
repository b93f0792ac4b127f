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

from lesion_dash import cli
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.pages.choices import FILES_IN_WORDS
from lesion_dash.dashboard.region_patients import peak_mm
from lesion_dash.images.maps import nifti_bytes
from lesion_dash.regions.counts import count_regions
from lesion_dash.stats.overlap import overlap
from lesion_dash.stats.topography import volume_stats

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
LONG = 90_000  # ms; a first start compiles everything, on a machine that may be busy

NO_WEBGL = """
const original = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind.startsWith("webgl") ? null : original.call(this, kind, ...rest);
};
"""


@pytest.fixture(scope="module")
def address(serve: Callable[[Path], str], own_root: Path) -> str:
    return serve(own_root)


@pytest.fixture
def dashboard(address: str, kept_page: Callable[..., Any]) -> Any:
    page = kept_page(address)
    page.wait_for_selector(".ld-bar", timeout=LONG)
    page.get_by_text("≥ 5 patients of A,").wait_for(timeout=LONG)
    page.wait_for_selector(".ld-regions tbody tr:nth-child(5)", timeout=LONG)
    return page


def choose(page: Any, label: str, option: str) -> None:
    field = page.locator(".ld-field", has_text=label).locator("select").first
    words = re.compile(re.escape(option).replace(r"\ ", r"\s"))
    field.locator("option", has_text=words).first.wait_for(state="attached", timeout=LONG)
    # ipywidgets writes every space of an option as one that does not break.
    offered = [text.replace("\xa0", " ") for text in field.locator("option").all_inner_texts()]
    found = next(text for text in offered if option in text)
    field.select_option(label=found)


def readout(page: Any) -> str:
    return page.locator(".ld-readout").inner_text()


def slide_to(page: Any, value: int) -> None:
    shown = page.locator(".ld-choices .widget-readout").first
    for _ in range(100):
        current = int(shown.inner_text())
        if current == value:
            return
        # Anew each time: a slider whose range has changed meanwhile has lost it.
        page.locator(".ld-choices .noUi-handle").first.focus()
        page.keyboard.press("ArrowRight" if current < value else "ArrowLeft")
        page.wait_for_timeout(60)
    pytest.fail(f"the slider stays at {shown.inner_text()}")


def download(page: Any, press: Callable[[], None]) -> tuple[str, bytes]:
    with page.expect_download(timeout=LONG) as waiting:
        press()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_from_folders_to_regions(dashboard: Any, own_root: Path) -> None:
    page = dashboard
    choose(page, "Folder B", "cohort_b")
    page.get_by_text("Overlap of A and B", exact=True).click(timeout=LONG)
    page.wait_for_selector(".ld-legend")
    slide_to(page, 7)
    page.get_by_text("≥ 7 patients of A and of B").wait_for(timeout=LONG)
    a, b = (load_cohort(own_root / f"cohort_{side}") for side in "ab")
    both = overlap(a.at_least(7), b.at_least(7)).both
    counts = count_regions(both, load_atlas(own_root / "atlas" / "synthetic_atlas.nii.gz"))
    first = counts.rows[0]
    row = page.locator(".ld-regions tbody tr").first
    page.wait_for_function(
        "([text]) => document.querySelector('.ld-regions tbody tr').innerText.includes(text)",
        arg=[str(first.voxels)],
    )
    shown = row.locator("td").all_inner_texts()[:3]
    assert shown == [first.region, str(first.label), str(first.voxels)]
    row.click()
    x, y, z = peak = peak_mm(counts, first, [a, b])
    place = f"MNI {x:.0f}, {y:.0f}, {z:.0f}".replace("-", "−")
    page.wait_for_function(
        "([text]) => document.querySelector('.ld-readout').innerText.includes(text)", arg=[place]
    )
    stats = volume_stats(a, 1)
    assert first.region in readout(page)
    patients = f"A {stats.n.value_at(peak):.0f} patients, B {len(b.patients_at(peak))}"
    assert patients in readout(page)
    mean, std = (getattr(stats, name).value_at(peak) / 1000 for name in ("mean", "std"))
    assert f"A mean {mean:.1f} ± {std:.1f} mL, B " in readout(page)


def test_files_are_the_librarys(dashboard: Any, own_root: Path) -> None:
    page = dashboard
    choose(page, "Folder B", "cohort_b")
    page.get_by_text("Overlap of A and B", exact=True).wait_for(timeout=LONG)
    slide_to(page, 6)
    page.get_by_text("≥ 6 patients of A and of B").wait_for(timeout=LONG)
    a, b = (load_cohort(own_root / f"cohort_{side}") for side in "ab")
    both = overlap(a.at_least(6), b.at_least(6)).both
    expected = {n: nifti_bytes(one.to_nifti()) for n, one in volume_stats(a, 6).files.items()}
    expected["overlap_map.nii"] = nifti_bytes(both.to_nifti())
    expected["patients.csv"] = csv_bytes(a.files_table)
    button = page.get_by_role("button", name="Download")
    for name, content in expected.items():
        choose(page, "Save", FILES_IN_WORDS[name])
        assert download(page, button.click) == (name, content), name
    atlas = load_atlas(own_root / "atlas" / "synthetic_atlas.nii.gz")
    table = page.locator(".ld-regions").get_by_role("button", name="CSV")
    content = csv_bytes(count_regions(both, atlas).table)
    assert download(page, table.click) == ("region_counts.csv", content)


def test_click_in_the_brain_moves_the_readout(dashboard: Any) -> None:
    page = dashboard
    before = readout(page)
    box = page.locator(".ld-canvas canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.3)
    page.wait_for_function(
        "([text]) => document.querySelector('.ld-readout').innerText !== text", arg=[before]
    )
    assert re.match(r"MNI −?[\d.]+, −?[\d.]+, −?[\d.]+ · ", readout(page))


def test_figure_in_three_formats(dashboard: Any) -> None:
    page = dashboard
    page.wait_for_selector(".ld-figure-image img", timeout=LONG)
    page.get_by_role("button", name="Glass brain").click()
    for kind, start in (("PNG", b"\x89PNG"), ("SVG", b"<?xml"), ("PDF", b"%PDF")):
        press = page.locator(".ld-figure").get_by_role("button", name=kind).click
        name, content = download(page, press)
        assert name == f"n_glass.{kind.lower()}"
        assert content.startswith(start)


def test_bad_folder_shows_the_banner_and_the_page_lives(dashboard: Any) -> None:
    page = dashboard
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    choose(page, "Folder A", "broken")
    alert = page.locator(".ld-banner [role=alert]")
    alert.wait_for(timeout=LONG)
    assert "no readable mask" in alert.inner_text()
    banner = page.locator(".ld-banner").bounding_box()
    tab = page.get_by_role("tab").first.bounding_box()
    assert banner["y"] >= tab["y"] + tab["height"]  # over the foot of the page
    slide_to(page, 6)
    choose(page, "Folder A", "cohort_b")
    page.get_by_text("A: 40 patients.").wait_for(timeout=LONG)
    alert.wait_for(state="hidden")


def test_report_is_the_commands(dashboard: Any, own_root: Path, tmp_path: Path) -> None:
    card = dashboard.locator(".ld-report")
    card.get_by_label("Title").fill("Ours")
    card.get_by_label("Title").press("Enter")
    card.get_by_text("Make the report").click()
    card.get_by_text("Ready: report.html").wait_for(timeout=LONG)
    name, content = download(dashboard, card.get_by_title("Save report.html").click)
    k = dashboard.locator(".ld-choices .widget-readout").first.inner_text()
    out = tmp_path / "out"
    atlas = own_root / "atlas" / "synthetic_atlas.nii.gz"
    words = [own_root / "cohort_a", "--atlas", atlas, "-k", k, "--title", "Ours", "-o", out]
    assert cli.main(["report", *map(str, words)]) == 0
    assert (out / name).read_bytes() == content


def test_patients_page(dashboard: Any, own_root: Path) -> None:
    page = dashboard
    page.get_by_role("tab", name="Patients").click()
    page.get_by_alt_text("Histogram of lesion volumes in mL").wait_for(timeout=LONG)
    largest = max(patient.volume_mm3 for patient in load_cohort(own_root / "cohort_a").patients)
    first = page.locator(".ld-patients tbody tr").first
    first.get_by_text(f"{largest / 1000:.3f}").wait_for(timeout=LONG)
    press = page.locator(".ld-patients").get_by_role("button", name="CSV").click
    content = csv_bytes(load_cohort(own_root / "cohort_a").files_table)
    assert download(page, press) == ("patients.csv", content)


def test_without_webgl_nilearn_draws(address: str, open_page: Callable[..., Any]) -> None:
    page = open_page(address, script=NO_WEBGL)
    frame = page.frame_locator(".ld-fallback iframe")
    frame.locator("canvas").first.wait_for(timeout=LONG)
    assert not page.locator(".ld-canvas").is_visible()


def test_a_slow_computer_does_not_lose_widgets(dashboard: Any) -> None:
    """Widgets that are not ready after 2 s are given up by their library, which asks for it so."""
    dashboard.evaluate("window.patience = AbortSignal.timeout(2000)")
    dashboard.wait_for_timeout(2500)
    assert not dashboard.evaluate("window.patience.aborted")
    assert dashboard.evaluate(
        "new Promise((end) => AbortSignal.timeout(50).onabort = () => end(true))"
    )


def test_nothing_is_cut_off(dashboard: Any) -> None:
    page = dashboard
    page.wait_for_selector(".ld-figure-image img", timeout=LONG)
    for width, height in ((1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(f"() => window.innerWidth === {width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for part in ("choices", "brain", "figure", "regions"):
            box = page.locator(f".ld-{part}").bounding_box()
            assert box["x"] >= 0, part
            assert box["x"] + box["width"] <= width, part
        assert page.locator(".ld-regions tbody tr").nth(2).bounding_box()["y"] < height


def test_table_is_sorted_and_searched(dashboard: Any) -> None:
    page = dashboard  # the last test on this page, as it leaves the table sorted
    table = page.locator(".ld-regions")
    table.get_by_placeholder("Search").fill("frontal")
    page.wait_for_function("() => document.querySelectorAll('.ld-regions tbody tr').length === 5")
    table.get_by_text("Label", exact=True).click()
    page.wait_for_function(
        """() => {
        const cells = [...document.querySelectorAll('.ld-regions tbody td:nth-child(2)')];
        const labels = cells.map(cell => Number(cell.innerText));
        return labels.length === 5 && labels.every((label, i) => !i || labels[i - 1] < label);
        }"""
    )
    slide_to(page, 8)
    page.get_by_text("≥ 8 patients of A").wait_for(timeout=LONG)
    page.wait_for_timeout(500)
    assert table.get_by_placeholder("Search").input_value() == "frontal"


def test_voila_typed_by_hand(
    tmp_path: Path, sample_data: Path, free_port: int, open_page: Callable[..., Any]
) -> None:
    (tmp_path / "sample_data").symlink_to(sample_data)
    (tmp_path / "app.ipynb").write_bytes((ROOT / "app.ipynb").read_bytes())
    paths = os.pathsep.join([str(ROOT / "share" / "jupyter"), os.environ.get("JUPYTER_PATH", "")])
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JUPYTER_PATH": paths.strip(os.pathsep)}
    command = [sys.executable, "-m", "voila", "app.ipynb", "--no-browser", f"--port={free_port}"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if b"http://" in line)
        page = open_page(
            re.search(r"http://\S+", line.decode())[0].replace("localhost", "127.0.0.1")
        )
        # The figure waits for the brain to be drawn, so that all widgets are at work by now.
        page.wait_for_selector(".ld-figure-image img", timeout=LONG)
        assert page.locator(".ld-root").inner_text() == "data: sample_data"
        page.close()
    finally:
        process.terminate()
        process.communicate(timeout=30)
