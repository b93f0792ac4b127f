"""How long a step of the slider takes in the viewer, on the browser's main thread.

Run it with `python benchmarks/bench_viewer.py`; needs Chromium. Maps of 1,449 patients at 2 mm and
at 1 mm are made here: nested spheres in the brain. The time is that of the JavaScript from the
event of the slider to the end of the calls to WebGL: the pass over the voxels, the upload and the
drawing of the planes. What a software renderer then does is not part of it.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.widgets.frame import template_for
from lesion_dash.dashboard.widgets.layers import Scale, ValueLayer
from lesion_dash.dashboard.widgets.viewer import Viewer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "dashboard"))

from viewer_page import ViewerPage

PATIENTS = 1449
STEPS = 40
FLAGS = ("--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader")
BUDGET = {2: 16.0, 1: 33.0}


def map_of(edge: int) -> ValueLayer:
    """A value in every voxel of the brain, of fewer patients the farther from the middle."""
    shape = tuple(round(n * 2 / edge) for n in (91, 109, 91))
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = -90, -126, -72
    grid = Grid((shape[0], shape[1], shape[2]), affine)
    indices = np.flatnonzero(template_for(grid).ravel(order="F"))
    distance = np.linalg.norm(grid.mm_of_index(indices) - (-30, 0, 15), axis=1)
    n = np.maximum(PATIENTS * np.exp(-distance / 25), 1).astype(np.int64)
    values = np.random.default_rng(0).gamma(2, 20, indices.size)
    return ValueLayer(grid, indices, values, "map", "mL", Scale(150.0), n)


def measure(page: Any, edge: int) -> None:
    """Print how much time the main thread's scripts take for a step of k."""
    viewer = Viewer()
    viewer.show(map_of(edge))
    shown = ViewerPage(page, viewer)
    shown.settle()
    session = page.context.new_cdp_session(page)
    # Of the thread, not of the clock: other programs of the computer do not count.
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        seconds = next(one["value"] for one in metrics if one["name"] == "ScriptDuration")
        return 1000 * float(seconds)

    times = []
    for k in np.linspace(1, PATIENTS // 2, STEPS).astype(int).tolist():
        before = spent()
        shown.change("k", k)
        times.append(spent() - before)
    voxels = viewer.layers[1].facts["arrays"][1][1]
    sent = sum(len(data.content) for data in viewer.layers) / 1e6
    print(
        f"{edge} mm, {voxels:,} voxels, {sent:.1f} MB sent: median {statistics.median(times):.1f} "
        f"ms, largest {max(times):.1f} ms of main-thread script (at most {BUDGET[edge]:g})"
    )


def main() -> None:
    """Measure both resolutions."""
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        for edge in (2, 1):
            measure(browser.new_page(viewport={"width": 900, "height": 700}), edge)
        browser.close()


if __name__ == "__main__":
    main()
