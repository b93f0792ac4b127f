"""Deformable registration by the program `greedy`, where a user has installed it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np

from ..transforms import Transform
from .engine import Report, Task
from .programs import find_program, program_version, read_field, run_program, write_image
from .registration import Kind
from .working_pair import WorkingPair, bring_together, join

ITERATIONS = (100, 50, 25)
"""From the coarsest level (4 voxels) to the finest."""

_REMEDY = "install it from the site of its makers (it comes with ITK-SNAP), or choose --engine dipy"


class GreedyEngine:
    """Greedy diffeomorphic registration by local correlation; the subject is the fixed image."""

    name = "greedy"
    kinds: tuple[Kind, ...] = ("deformable",)

    def version(self) -> str:
        """Its name and version; raises `SetupError` where it is not installed."""
        program = find_program("greedy", _REMEDY)
        found = program_version([program, "-version"], r"Version (\S+)")
        return f"greedy {found}".strip()

    def register(self, task: Task, report: Report) -> Transform:
        """From the moving image to the template, starting at `task.start`."""
        program = find_program("greedy", _REMEDY)
        report(0.0, "images brought together")
        pair = bring_together(task)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _write(pair, folder)
            run_program([program, *_arguments(pair)], folder, _Progress(report))
            to_template = read_field(folder / "warp.nii", pair.grid)
            to_subject = read_field(folder / "inverse.nii", pair.grid)
        report(0.95, "fields written on both grids")
        return join(task, to_template, to_subject)


def _write(pair: WorkingPair, folder: Path) -> None:
    write_image(pair.subject, pair.grid, folder / "subject.nii")
    write_image(pair.template, pair.grid, folder / "template.nii")
    if pair.unknown is not None:
        # As numbers with a fraction: greedy truncates what it interpolates of whole ones.
        write_image((~pair.unknown).astype(np.float32), pair.grid, folder / "known.nii")


def _arguments(pair: WorkingPair) -> list[str]:
    arguments = ["-d", "3", "-m", "WNCC", "4x4x4", "-i", "subject.nii", "template.nii"]
    arguments += ["-n", "x".join(map(str, ITERATIONS)), "-s", "2vox", "1vox"]
    # As a stationary velocity: without it, space was folded at the borders of the images.
    arguments += ["-sv", "-seed", "1", "-wp", "0", "-o", "warp.nii", "-oinv", "inverse.nii"]
    return arguments + (["-gm", "known.nii"] if pair.unknown is not None else [])


class _Progress:
    """Tells how far greedy is by the lines it prints."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def __call__(self, line: str) -> None:
        if not (found := re.search(r"Level\s+(\d+)\s+Iter\s+(\d+)", line)):
            return
        level, step = int(found[1]), int(found[2])
        costs = 8.0 ** np.arange(len(ITERATIONS)) * ITERATIONS
        share = (costs[:level].sum() + costs[level] * step / ITERATIONS[level]) / costs.sum()
        self.report(0.05 + 0.9 * float(share), f"greedy, level {level + 1}, iteration {step + 1}")
