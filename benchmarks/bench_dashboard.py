"""The dashboard in headless Chromium: page to drawn map, and slider key to repainted map at 2 mm.

The second is compared with making nilearn's interactive view anew, in the same browser. A map
counts as repainted when the pixels of its canvas can be read back.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.error import HTTPError, URLError

ROOT = Path(__file__).resolve().parent.parent
FLAGS = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# Reading a pixel back makes the browser finish all drawing that was asked for.
WATCH = """
window.paints = [];
const draw = WebGL2RenderingContext.prototype.drawArrays;
let waiting = false;
WebGL2RenderingContext.prototype.drawArrays = function (...rest) {
  draw.apply(this, rest);
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    this.readPixels(0, 0, 1, 1, this.RGBA, this.UNSIGNED_BYTE, new Uint8Array(4));
    window.paints.push(performance.now());
  });
};
const isDrawn = (canvas) => {
  const context = canvas.width && canvas.getContext("2d");
  return context && context.getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v);
};
document.addEventListener("load", (event) => {
  const frame = event.target;
  if (frame.tagName !== "IFRAME") return;
  const look = () => {
    const canvases = [...(frame.contentDocument?.querySelectorAll("canvas") ?? [])];
    if (canvases.some(isDrawn)) window.paints.push(performance.now());
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}, true);
document.addEventListener("keydown", () => { window.pressed = performance.now(); }, true);
"""

# nilearn's view as a page would make it anew for every step of the same slider.
NILEARN_PAGE = """
import html
import ipywidgets as widgets
import numpy as np
from IPython.display import display
from nilearn import plotting
from lesion_dash import load_cohort, volume_stats
from lesion_dash.images.template import template_on

cohort = load_cohort(FOLDER)
background = template_on(cohort.grid)
slider = widgets.IntSlider(value=5, min=1, max=int(cohort.counts.max()))
frame = widgets.HTML()

def draw(_=None):
    image = getattr(volume_stats(cohort, slider.value), "KEY").to_nifti()
    view = plotting.view_img(image, bg_img=background, threshold=1e-9, black_bg=False,
                             symmetric_cmap=False, vmin=0, resampling_interpolation="nearest")
    page = html.escape(view.get_standalone())
    frame.value = f'<iframe width="800" height="400" srcdoc="{page}"></iframe>'

slider.observe(draw, "value")
draw()
display(slider, frame)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=12, help="steps of the slider (12)")
    parser.add_argument("--loads", type=int, default=3, help="page loads (3)")
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if browser is None:
        print("no Chromium on this machine: nothing measured")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=browser, args=list(FLAGS))
        with served_dashboard() as url:
            ours = measure_dashboard(chrome, url, options.loads, options.steps)
        with served_nilearn() as url:
            theirs = measure_nilearn(chrome, url, max(options.steps // 2, 3))
        chrome.close()
    print(f"nilearn's view made anew: {theirs:6.0f} ms from key to repainted map (median)")
    for name, value in ours.items():
        print(f"  {theirs / value:.1f} times as long as our {name}")


def measure_dashboard(chrome: Any, url: str, loads: int, steps: int) -> dict[str, float]:
    times = []
    for _ in range(loads):
        page = open_page(chrome)
        began = time.perf_counter()
        page.goto(url)
        page.wait_for_function("() => document.querySelector('.ld-bar') && window.paints.length")
        times.append(time.perf_counter() - began)
        settle(page)
        last = page
        if len(times) < loads:
            page.context.close()
    print("page to drawn map: " + ", ".join(f"{value:.1f}" for value in times) + " s")
    last.wait_for_selector(".ld-figure-view img:not([hidden])", timeout=60_000)
    results = {}
    for name in ("Patients per voxel", "Mean lesion volume"):
        last.get_by_text(name, exact=True).click()
        settle(last)
        values = press_keys(last, ".ld-choices .noUi-handle", steps)
        results[name] = median(values)
        spread = f"{min(values):.0f} to {max(values):.0f}"
        print(f"{name:20} {median(values):6.0f} ms from key to repainted map (median; {spread})")
    last.context.close()
    return results


def measure_nilearn(chrome: Any, url: str, steps: int) -> float:
    page = open_page(chrome)
    page.goto(url)
    page.wait_for_selector("iframe", timeout=120_000)
    settle(page)
    values = press_keys(page, ".noUi-handle", steps)
    page.context.close()
    return median(values)


def open_page(chrome: Any) -> Any:
    page = chrome.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(WATCH)
    return page


def press_keys(page: Any, handle: str, steps: int) -> list[float]:
    """Milliseconds from each key to the last paint that follows from it."""
    values = []
    page.locator(handle).first.focus()
    for step in range(steps):
        before = page.evaluate("window.paints.length")
        page.keyboard.press("ArrowLeft" if step % 2 else "ArrowRight")
        page.wait_for_function(f"() => window.paints.length > {before}")
        page.wait_for_timeout(1000)
        took = f"window.paints[{before}] - window.pressed"
        values.append(page.evaluate(took))
        settle(page)
    return values


def settle(page: Any) -> None:
    """Wait until nothing has been drawn for a second."""
    while True:
        before = page.evaluate("window.paints.length")
        page.wait_for_timeout(1000)
        if page.evaluate("window.paints.length") == before:
            return


@contextmanager
def served_dashboard() -> Iterator[str]:
    port = free_port()
    root = str(ROOT / "sample_data")
    code = f"from lesion_dash.server.serve import serve; serve({root!r}, port={port})"
    with running([sys.executable, "-c", code], f"http://127.0.0.1:{port}/") as url:
        time.sleep(5)  # as after a pause: a kernel is ready
        yield url


@contextmanager
def served_nilearn() -> Iterator[str]:
    source = NILEARN_PAGE.replace("FOLDER", repr(str(ROOT / "sample_data" / "cohort_a")))
    cell = {
        "cell_type": "code",
        "id": "nilearn",
        "metadata": {},
        "source": source.replace("KEY", "mean"),
        "outputs": [],
        "execution_count": None,
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": [cell], "metadata": {"kernelspec": kernel}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nilearn.ipynb"
        path.write_text(json.dumps(notebook | {"nbformat": 4, "nbformat_minor": 5}))
        port = free_port()
        command = [sys.executable, "-m", "voila", str(path), "--no-browser", f"--port={port}"]
        command += ["--template=lesion_dash", "--Voila.log_level=ERROR"]
        with running(command, f"http://127.0.0.1:{port}/") as url:
            yield url


@contextmanager
def running(command: list[str], url: str) -> Iterator[str]:
    paths = [str(ROOT / "share" / "jupyter"), os.environ.get("JUPYTER_PATH", "")]
    environment = os.environ | {"JUPYTER_PATH": os.pathsep.join(filter(None, paths))}
    environment["PYTHONPATH"] = str(ROOT)
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: answers(url))
        yield url
    finally:
        process.terminate()
        process.wait(60)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url + "static/nothing", timeout=5).close()
    except HTTPError:
        return True
    except URLError:
        return False
    return True


def wait_until(ready: Callable[[], bool]) -> None:
    for _ in range(240):
        if ready():
            return
        time.sleep(0.25)
    sys.exit("the server does not answer")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
