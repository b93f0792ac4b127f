"""Error, time and memory of the engines that register images, as far as they are installed.

The MNI152 template at 2 mm is moved in a known way and registered back; see `known_warp.py`. Each
run is a process of its own. The table goes to the terminal and, in a full run, to
benchmarks/results_register.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from known_warp import Case, make_case
from measure import Cost, run
from numpy.typing import NDArray
from report import table, targets_table
from targets import Target, at_most

from lesion_dash.images.masks import Mask
from lesion_dash.scans.registration.engines import installed_engines
from lesion_dash.scans.registration.quality import SimpleITKEngine, find_transform
from lesion_dash.transforms.transform import Transform
from lesion_dash.transforms.warping import warp_mask

HERE = Path(__file__).resolve().parent
MOST_AFFINE_MM = 0.1
MOST_WARP_MM = 0.7
MOST_LESION_MM = 2.0
MOST_LINEAR_CHANGE = 3.0
MOST_CHANGE = 5.0

NOTES = """\
- **error**: distance between where voxels of the brain (without the lesion) come to lie in the
  moving image and where they belong: mean (largest), mm. The same brain lies on both sides, so it
  is a floor and not the accuracy between two people.
- **inside the lesion**: the same for its voxels, mean; **volume**: of its mask once brought to the
  template, against the volume it truly has there (for an affine: times the determinant).
- **s** and **MB**: `find_transform` as a whole, search and checks included, and the peak of its
  process; making the images alone peaks at 326 MB. dipy's affine starts from centres of mass and
  is given the images as they are.
- **headers**: how far off the brain is before."""


def main() -> None:
    options = parse_options()
    if options.one:
        print(json.dumps(measure(*options.one)))
        return
    costs = {}
    for way in ways(options.quick):
        print(f"{' '.join(way)} ...", flush=True)
        costs[way] = run([sys.executable, str(HERE / "bench_register.py"), "--one", *way])
        print(f"  {costs[way].told}", flush=True)
    text = markdown(costs, options)
    print(f"\n{text}")
    if options.results:
        (options.results / "results_register.md").write_text(text, encoding="utf-8")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=3, help="of a run: engine, kind, lesion or whole")
    parser.add_argument("--quick", action="store_true", help="a trial without the slow ones")
    parser.add_argument("--results", type=Path, help="folder of the table (none in a trial)")
    options = parser.parse_args()
    if options.results is None and not options.quick:
        options.results = HERE
    return options


def ways(is_quick: bool) -> list[tuple[str, str, str]]:
    """Engine, kind, and whether there is a lesion."""
    found = [
        ("simpleitk", "rigid", "whole"),
        ("information", "affine", "whole"),
        ("simpleitk", "affine", "whole"),
        ("simpleitk", "affine", "lesion"),
    ]
    if is_quick:
        return found
    names = [engine.name for engine in installed_engines() if "deformable" in engine.kinds]
    if "dipy" in names:
        found.append(("dipy-affine", "affine", "whole"))
    return found + [(name, "deformable", what) for name in names for what in ("whole", "lesion")]


def measure(engine: str, kind: str, what: str) -> dict[str, float]:
    case = make_case(kind, what == "lesion")
    began = time.perf_counter()
    found = find(engine, case)
    seconds = time.perf_counter() - began
    brain = case.brain
    if case.task.lesion is not None:
        brain = brain[~is_lesioned(case, brain)]
    errors = errors_at(found, case, brain)
    before = errors_at(Transform(), case, brain)
    told = {
        "seconds": seconds,
        "mean": errors.mean(),
        "max": errors.max(),
        "headers": before.mean(),
    }
    if case.task.lesion is not None:
        told |= measure_lesion(found, case)
    return {name: float(value) for name, value in told.items()}


def find(engine: str, case: Case) -> Transform:
    if engine == "dipy-affine":
        return find_by_dipy(case)
    engines = {found.name: found for found in installed_engines()}
    chosen = SimpleITKEngine(polishes=False) if engine == "information" else engines[engine]
    return find_transform(case.task, chosen, lambda _share, _words: None).transform


def find_by_dipy(case: Case) -> Transform:
    from dipy.align import affine_registration

    moving, template = case.task.moving, case.task.template
    _, matrix = affine_registration(
        moving.array,
        template.array,
        moving_affine=moving.grid.affine,
        static_affine=template.grid.affine,
    )
    return Transform(np.linalg.inv(matrix))


def errors_at(found: Transform, case: Case, points: NDArray) -> NDArray[np.float64]:
    return np.linalg.norm(found.moving_points(points) - case.to_moving(points), axis=-1)


def is_lesioned(case: Case, points: NDArray) -> NDArray[np.bool_]:
    """Whether points of the template truly lie in the lesion."""
    grid = case.task.moving.grid
    voxels = np.round(grid.to_voxel(case.to_moving(points))).astype(int)
    inside = ((voxels >= 0) & (voxels < grid.shape)).all(axis=-1)
    nearest = np.clip(voxels, 0, np.array(grid.shape) - 1)
    return inside & case.task.lesion[tuple(np.moveaxis(nearest, -1, 0))]


def measure_lesion(found: Transform, case: Case) -> dict[str, float]:
    moving, template = case.task.moving.grid, case.task.template.grid
    points = case.to_template(moving.to_mm(np.argwhere(case.task.lesion)))
    warped = warp_mask(Mask.from_array(case.task.lesion, moving, "lesion"), found, template)
    # Truly: each voxel's volume times the true change of volume there, by central differences.
    steps = np.eye(3)
    edges = [(case.to_moving(points + step) - case.to_moving(points - step)) / 2 for step in steps]
    shrunk = np.einsum("ni,ni->n", edges[0], np.cross(edges[1], edges[2]))
    true = float((moving.voxel_volume / shrunk).sum())
    return {
        "inside": errors_at(found, case, points).mean(),
        "native_ml": case.task.lesion.sum() * moving.voxel_volume / 1000,
        "true_ml": true / 1000,
        "found_ml": warped.volume_mm3 / 1000,
    }


def markdown(costs: dict[tuple[str, str, str], Cost], options: argparse.Namespace) -> str:
    packages = ("lesion-dash", "SimpleITK", "dipy", "numpy", "scipy")
    names = ", ".join(f"{name} {found}" for name in packages if (found := _version(name)))
    facts = (
        f"{datetime.now(UTC).date()}; {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{names}. MNI152 at 2 mm; rotation 8 degrees, translation (6, -4, 5) mm, scale 1.05, 3 % "
        "Rician noise, a bias field of 25 %; for deformable a smooth warp of 2.4 mm on top."
    )
    trial = "A trial: the targets are meant for the full benchmark.\n\n" if options.quick else ""
    parts = [
        f"# Engines of `lesion-dash register`\n\n{trial}{facts}",
        f"## Targets\n\n{targets_table(make_targets(costs))}",
        f"## What was measured\n\n{costs_table(costs)}",
        NOTES,
    ]
    return "\n\n".join(parts) + "\n"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def make_targets(costs: dict[tuple[str, str, str], Cost]) -> list[Target]:
    """Of the engines that `auto` stands for."""
    targets = []
    for (engine, kind, what), cost in costs.items():
        if (engine, kind) not in (("simpleitk", "affine"), ("dipy", "deformable")):
            continue
        told, words = cost.told, f"{engine}, {kind}"
        if what == "whole":
            limit = MOST_AFFINE_MM if kind == "affine" else MOST_WARP_MM
            targets.append(at_most(f"{words}: mean error, mm", told["mean"], limit))
            continue
        limit = MOST_LINEAR_CHANGE if kind == "affine" else MOST_CHANGE
        targets.append(at_most(f"{words}: error in lesion, mm", told["inside"], MOST_LESION_MM))
        targets.append(at_most(f"{words}: volume of lesion, % off", abs(change(told)), limit))
    return targets


def change(told: dict[str, float]) -> float:
    """Percent."""
    return 100 * (told["found_ml"] / told["true_ml"] - 1)


def costs_table(costs: dict[tuple[str, str, str], Cost]) -> str:
    head = ["engine", "kind", "headers mm", "error mm", "inside the lesion mm"]
    head += ["lesion mL: native, in the template, found", "s", "MB"]
    rows = []
    for (engine, kind, what), cost in costs.items():
        told = cost.told
        hurt = what == "lesion"
        volumes = (
            ", ".join(f"{told[f'{name}_ml']:.1f}" for name in ("native", "true", "found"))
            if hurt
            else ""
        )
        rows.append(
            [
                NAMES.get(engine, engine),
                kind,
                f"{told['headers']:.1f}",
                f"{told['mean']:.2f} ({told['max']:.2f})",
                f"{told['inside']:.2f}" if hurt else "",
                f"{volumes} ({change(told):+.1f} %)" if hurt else "",
                f"{told['seconds']:.0f}",
                f"{cost.peak:.0f}",
            ]
        )
    return table(head, rows)


NAMES = {"information": "simpleitk, mutual information alone", "dipy-affine": "dipy"}


if __name__ == "__main__":
    main()
