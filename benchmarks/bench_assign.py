"""Time of `assign_regions` beside siibra's algorithm, and of another threshold.

Two components of a statistical map, 300 maps of probabilities, at 1 and 2 mm, all synthetic and
in memory; both give the same table, which is checked. The table goes to the terminal and, in a
full run, to benchmarks/results_assign.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from report import table, targets_table
from scipy import sparse
from targets import Target, at_most
from voxel_dictionaries import SparseIndex, assign_volume

from lesion_dash.atlas.atlas import ProbabilityAtlas
from lesion_dash.atlas.formats import Region
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map
from lesion_dash.regions.assignment import Assignment, assign_regions

HERE = Path(__file__).resolve().parent
FIELD_MM = (182, 218, 182)
THRESHOLDS = np.linspace(0.5, 4.5, 20)
LEAST_RATIO = 50
MOST_MS = 100

NOTES = """\
- **siibra's algorithm**: `voxel_dictionaries.py`, its steps and data structures restated, without
  downloads and progress bars; its index of the maps is built beforehand and not counted.
- **the first time**: `assign_regions` on an atlas that was loaded and never used; **again**: the
  same, as for another map. Both make the full table and siibra's.
- **another threshold**: twenty of them, the full table and the best regions, as the page does.
- Medians, but for thresholds, where the slowest is shown as well."""


def main() -> None:
    options = parse_options()
    cases = {voxel_mm: measure(voxel_mm, options.maps, options.runs) for voxel_mm in (2, 1)}
    text = markdown(cases, options)
    print(f"\n{text}")
    if options.results:
        (options.results / "results_assign.md").write_text(text, encoding="utf-8")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each, medians are shown (5)")
    parser.add_argument("--quick", action="store_true", help="a trial with few maps")
    parser.add_argument("--results", type=Path, help="folder of the table (none in a trial)")
    options = parser.parse_args()
    options.maps = 30 if options.quick else 300
    if options.results is None and not options.quick:
        options.results = HERE
    return options


def measure(voxel_mm: int, maps: int, runs: int) -> dict[str, float]:
    """Seconds of each way, and what was compared."""
    print(f"{maps} maps at {voxel_mm} mm", flush=True)
    atlas = make_atlas(voxel_mm, maps)
    image = make_map(atlas.grid)
    index = make_index(atlas)
    rows, found = assign_volume(index, image.array), assign(image, atlas)
    check_same(found, rows)
    ways = {
        "siibra": lambda: assign_volume(index, image.array),
        "first": lambda: assign_anew(image, atlas),
        "again": lambda: assign(image, atlas),
    }
    turns = [{name: seconds(work) for name, work in ways.items()} for _ in range(runs)]
    for turn in turns:
        print("  " + ", ".join(f"{name}: {cost:.3f} s" for name, cost in turn.items()), flush=True)
    moved = [seconds(lambda t=t: best(image, atlas, t)) for t in THRESHOLDS]
    costs = {name: median(turn[name] for turn in turns) for name in ways}
    return costs | {
        "threshold": median(moved),
        "slowest": max(moved),
        "components": len(found.components),
        "voxels": sum(part.voxels for part in found.components),
        "rows": len(rows),
        "values": atlas.maps.nnz,
        "maps": maps,
    }


def seconds(work: Callable) -> float:
    """Of wall time."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def assign(image: Map, atlas: ProbabilityAtlas) -> Assignment:
    found = assign_regions(image, atlas)
    assert len(found.table) > len(found.siibra_table)
    return found


def assign_anew(image: Map, atlas: ProbabilityAtlas) -> Assignment:
    """Without what is remembered of the atlas."""
    return assign(image, replace(atlas))


def best(image: Map, atlas: ProbabilityAtlas, threshold: float) -> None:
    found = assign_regions(image, atlas, threshold=float(threshold))
    assert len(found.table) >= len(found.best)


def check_same(found: Assignment, rows: list[tuple[float, ...]]) -> None:
    """Both ways give the same rows and scores."""
    ours = found.siibra_table
    ours = ours[["input structure", "volume", *list(ours)[4:]]].to_numpy(float)
    np.testing.assert_allclose(ours, np.array(rows, float), rtol=1e-9, atol=1e-12)


def make_atlas(voxel_mm: int, maps: int) -> ProbabilityAtlas:
    """Gaussian maps, 10 to 20 mm from centre to rim, all over a brain-sized ellipsoid."""
    grid = make_grid(voxel_mm)
    generator = np.random.default_rng(0)
    columns = []
    for _ in range(maps):
        direction = generator.normal(size=3)
        place = direction / np.linalg.norm(direction) * generator.random() ** (1 / 3)
        columns.append(gaussian(grid, place * [65, 80, 60], generator.uniform(3.5, 6.5), 0.9))
    rows = np.concatenate([rows for rows, _ in columns])
    values = np.concatenate([values for _, values in columns])
    bounds = np.cumsum([0, *(rows.size for rows, _ in columns)])
    stored = sparse.csc_array((values, rows, bounds), (grid.size, maps))
    regions = tuple(Region(number, f"map {number}") for number in range(maps))
    return ProbabilityAtlas("synthetic", grid, stored, regions)


def make_grid(voxel_mm: int) -> Grid:
    affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = [-90, -126, -90]
    return Grid(tuple(edge // voxel_mm for edge in FIELD_MM), affine)


def gaussian(grid: Grid, centre: NDArray, sigma: float, height: float) -> tuple[NDArray, NDArray]:
    """Linear positions and values of a Gaussian cut off at 1 percent of its height."""
    reach = 3.04 * sigma
    low = np.maximum(np.ceil(grid.to_voxel(centre - reach)), 0).astype(int)
    high = np.minimum(np.floor(grid.to_voxel(centre + reach)), np.array(grid.shape) - 1)
    sides = [np.arange(a, b + 1) for a, b in zip(low, high.astype(int), strict=True)]
    voxels = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 3)
    values = np.exp(-((grid.to_mm(voxels) - centre) ** 2).sum(axis=1) / (2 * sigma**2))
    kept = values > 0.01
    rows = np.ravel_multi_index(tuple(voxels[kept].T), grid.shape, order="F")
    order = np.argsort(rows)
    return rows[order].astype(np.int32), height * values[kept][order]


def make_map(grid: Grid) -> Map:
    """A statistical map of two components, one of each half of the brain."""
    flat = np.zeros(grid.size)
    for centre, sigma in (([-35, -40, 5], 7), ([40, 25, 15], 6)):
        rows, values = gaussian(grid, np.array(centre, float), sigma, 6.0)
        flat[rows] += values
    return Map("two components", flat.reshape(grid.shape, order="F"), grid, "", "")


def make_index(atlas: ProbabilityAtlas) -> SparseIndex:
    index = SparseIndex(atlas.grid.shape)
    for begin, end in pairwise(atlas.maps.indptr.tolist()):
        rows = atlas.maps.indices[begin:end]
        index.add(np.unravel_index(rows, atlas.grid.shape, order="F"), atlas.maps.data[begin:end])
    return index


def markdown(cases: dict[int, dict[str, float]], options: argparse.Namespace) -> str:
    names = ", ".join(f"{name} {version(name)}" for name in ("lesion-dash", "numpy", "scipy"))
    facts = (
        f"{datetime.now(UTC).date()}; {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{names}. Synthetic maps; medians of {options.runs} runs, all ways in turn."
    )
    trial = "A trial: the targets are meant for the full benchmark.\n\n" if options.quick else ""
    parts = [
        f"# Speed of `lesion-dash assign`\n\n{trial}{facts}",
        f"## Targets\n\n{targets_table(make_targets(cases))}",
        f"## What was measured\n\n{costs_table(cases)}",
        NOTES,
    ]
    return "\n\n".join(parts) + "\n"


def make_targets(cases: dict[int, dict[str, float]]) -> list[Target]:
    one, two = cases[1], cases[2]
    targets = []
    for name in ("first", "again"):
        ratio = one["siibra"] / one[name]
        when = "the first time" if name == "first" else "again"
        what = f"times faster than siibra's algorithm, {one['maps']} maps, 1 mm, {when}"
        targets.append(
            Target(what, f"at least {LEAST_RATIO}", f"{ratio:.0f}", ratio >= LEAST_RATIO)
        )
    what = f"another threshold, {two['maps']} maps, 2 mm, the slowest, ms"
    return [*targets, at_most(what, 1000 * two["slowest"], MOST_MS)]


def costs_table(cases: dict[int, dict[str, float]]) -> str:
    head = ["voxel", "maps", "values in them", "components", "their voxels", "rows"]
    head += ["siibra's algorithm s", "the first time s", "again s", "another threshold ms"]
    rows = []
    for voxel_mm, cost in cases.items():
        counts = [f"{cost[name]:,}" for name in ("maps", "values", "components", "voxels", "rows")]
        times = [f"{cost['siibra']:.2f}", f"{cost['first']:.3f}", f"{cost['again']:.4f}"]
        moved = f"{1000 * cost['threshold']:.1f} (slowest {1000 * cost['slowest']:.1f})"
        rows.append([f"{voxel_mm} mm", *counts, *times, moved])
    return table(head, rows)


if __name__ == "__main__":
    main()
