"""What a visitor waits for, in headless Chromium: a click, a step of the slider, a filter.

From the event in the browser to the last change that follows from it, in text, tables and the
textures of the map; the figure for a paper and the lines of code follow later. WebGL draws nothing
here, nor is the page put together by it: without a graphics card its frames would be most of what
is measured. A cohort of 200 masks of 1 mm is made, or `--root` names a folder of one's own.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench_dashboard import FLAGS, free_port, running
from synthetic import write_cohort

# What changes on the page, and when; events are stamped by the browser itself.
WATCH = """
window.changes = [];
const note = () => window.changes.push(performance.now());
const graphics = WebGL2RenderingContext.prototype;
for (const kind of ["drawArrays", "drawElements"]) graphics[kind] = () => {};
for (const kind of ["texImage3D", "texSubImage3D"]) {
  const upload = graphics[kind];
  graphics[kind] = function (...rest) {
    note();
    return upload.apply(this, rest);
  };
}
const all = { subtree: true, childList: true, characterData: true };
const later = ".ld-figure, .ld-page-code, .ld-report, .ld-menu";  // drawn when all else stands
const noted = (change) => !(change.target.closest ?? (() => null)).call(change.target, later);
const look = (changes) => changes.some(noted) && note();
new MutationObserver(look).observe(document, all);
for (const kind of ["mousedown", "keydown", "change"])
  document.addEventListener(kind, (event) => { window.began = event.timeStamp; }, true);
"""
QUIET = 1200  # ms without a change: it is over
LONG = 120_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, help="data root whose first folder is measured")
    parser.add_argument("--masks", type=int, default=200, help="masks that are made (200)")
    parser.add_argument("--times", type=int, default=15, help="events of each kind (15)")
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if browser is None:
        print("no Chromium on this machine: nothing measured")
        return
    with tempfile.TemporaryDirectory() as folder:
        root = options.root or make_root(Path(folder), options.masks)
        measure(browser, root, options.times)


def make_root(root: Path, masks: int) -> Path:
    cohort = write_cohort(root / "cohort", masks)
    rows = [
        f"{path.name.split('_')[0]}\t{'FM'[number % 2]}\t{40 + number % 50}\n"
        for number, path in enumerate(sorted(cohort.iterdir()))
    ]
    (cohort / "participants.tsv").write_text("participant_id\tsex\tage\n" + "".join(rows))
    return root


def measure(browser: str, root: Path, times: int) -> None:
    from playwright.sync_api import sync_playwright

    port = free_port()
    code = f"from lesion_dash.server.serve import serve; serve({str(root)!r}, port={port})"
    with (
        running([sys.executable, "-c", code], f"http://127.0.0.1:{port}/") as url,
        sync_playwright() as playwright,
    ):
        args = [*FLAGS, "--disable-gpu-compositing"]
        chrome = playwright.chromium.launch(executable_path=browser, args=args)
        page = chrome.new_page(viewport={"width": 1280, "height": 1400})
        page.set_default_timeout(LONG)
        page.add_init_script(WATCH)
        page.add_init_script("localStorage.setItem('lesion-dash-tour', 'seen')")
        page.goto(url)
        open_first_folder(page)
        tell_first_paint(page)
        for name, event in (("click", click), ("slider", slide), ("filter", choose)):
            if not event(page, 0):
                print(f"{name:8} not there on this page")
                continue
            settle(page)
            values = [timed(page, event, number) for number in range(1, times + 1)]
            spread = f"median of {times}; {min(values):.0f} to {max(values):.0f}"
            print(f"{name:8} {median(values):6.0f} ms to the last change ({spread})")
        chrome.close()


def open_first_folder(page: Any) -> None:
    page.wait_for_selector(".ld-choices select option:nth-child(2)", state="attached", timeout=LONG)
    page.locator(".ld-choices select").first.select_option(index=1)
    page.wait_for_selector(".ld-readout b", timeout=LONG)
    page.wait_for_selector(".ld-figure-view img:not([hidden])", timeout=LONG)
    settle(page)


def tell_first_paint(page: Any) -> None:
    script = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    print(f"{'paint':8} {page.evaluate(script):6.0f} ms to the first paint of the page")


def timed(page: Any, event: Any, number: int) -> float:
    """Milliseconds from an event to the last change that follows from it."""
    page.evaluate("window.changes = []")
    event(page, number)
    settle(page)
    return float(page.evaluate("window.changes.at(-1) - window.began"))


def settle(page: Any) -> None:
    """Wait until nothing has changed for a while, and the figure of the last choice is drawn."""
    script = "performance.now() - (window.changes.at(-1) ?? performance.now())"
    page.wait_for_timeout(QUIET)
    while 0 < page.evaluate(script) < QUIET or page.locator(".ld-figure .ld-busy").count():
        page.wait_for_timeout(100)


def click(page: Any, number: int) -> bool:
    """Click into the axial slice, elsewhere each time."""
    box = page.locator(".ld-viewer-stage canvas").bounding_box()
    across, down = (0.42, 0.46, 0.55, 0.6)[number % 4], (0.4, 0.5, 0.6)[number % 3]
    page.mouse.click(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
    return True


def slide(page: Any, number: int) -> bool:
    """One step of the slider, to and fro."""
    page.locator(".ld-choices .noUi-handle").first.focus()
    page.keyboard.press("ArrowLeft" if number % 2 else "ArrowRight")
    return True


def choose(page: Any, number: int) -> bool:
    """Another age from which on patients are shown."""
    toggle = page.get_by_role("button", name="Filter the patients of A")
    if not toggle.count():
        return False
    if toggle.get_attribute("aria-expanded") == "false":
        toggle.click()
        page.get_by_label("Column of condition 1 of A").select_option("age")
    low = page.get_by_label("age from, condition 1 of A")
    low.fill(str(45 + number % 30))
    low.press("Enter")
    return True


if __name__ == "__main__":
    main()
