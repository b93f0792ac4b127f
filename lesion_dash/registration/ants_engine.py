"""Deformable registration by the program `antsRegistration`, where a user has installed it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..transforms import Transform
from .engine import Report, Task
from .programs import find_program, program_version, read_field, run_program, write_image
from .registration import Kind
from .working_pair import WorkingPair, bring_together, join

ITERATIONS = (100, 70, 50, 20)
"""At most, from the coarsest level (8 voxels) to the finest."""

RADIUS = 4
"""Of the window of local correlation, in voxels."""

_REMEDY = "install ANTs (https://github.com/ANTsX/ANTs), or choose --engine dipy"


class AntsEngine:
    """SyN with local correlation by ANTs; the subject is the fixed image."""

    name = "ants"
    kinds: tuple[Kind, ...] = ("deformable",)

    def version(self) -> str:
        """Its name and version; raises `SetupError` where it is not installed."""
        program = find_program("antsRegistration", _REMEDY)
        found = program_version([program, "--version"], r"Version: (\S+)")
        return f"ANTs {found}".strip()

    def register(self, task: Task, report: Report) -> Transform:
        """From the moving image to the template, starting at `task.start`."""
        program = find_program("antsRegistration", _REMEDY)
        report(0.0, "images brought together")
        pair = bring_together(task)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _write(pair, folder)
            run_program([program, *_arguments(pair)], folder, _Progress(report))
            to_template = read_field(folder / "out0Warp.nii.gz", pair.grid)
            to_subject = read_field(folder / "out0InverseWarp.nii.gz", pair.grid)
        report(0.95, "fields written on both grids")
        return join(task, to_template, to_subject)


def _write(pair: WorkingPair, folder: Path) -> None:
    write_image(pair.subject, pair.grid, folder / "subject.nii")
    write_image(pair.template, pair.grid, folder / "template.nii")
    if pair.unknown is not None:
        # ANTs masks the centres of windows only: a window must not reach into the lesion either.
        unknown = ndimage.binary_dilation(pair.unknown, iterations=RADIUS)
        write_image((~unknown).astype(np.uint8), pair.grid, folder / "known.nii")


def _arguments(pair: WorkingPair) -> list[str]:
    levels = len(ITERATIONS)
    arguments = ["-d", "3", "--float", "1", "--verbose", "1", "--random-seed", "1"]
    arguments += ["-o", "out", "-t", "SyN[0.1,3,0]"]
    arguments += ["-m", f"CC[subject.nii,template.nii,1,{RADIUS}]"]
    arguments += ["-c", f"[{'x'.join(map(str, ITERATIONS))},1e-6,10]"]
    arguments += ["-f", "x".join(str(2**level) for level in reversed(range(levels)))]
    arguments += ["-s", "x".join(map(str, reversed(range(levels)))) + "vox"]
    return arguments + (["-x", "known.nii"] if pair.unknown is not None else [])


class _Progress:
    """Tells how far ANTs is by the lines it prints."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.level = -1

    def __call__(self, line: str) -> None:
        if not (found := re.search(r"DIAGNOSTIC,\s*(\d+)", line)):
            return
        step = int(found[1])
        self.level += step == 1
        costs = 8.0 ** np.arange(len(ITERATIONS)) * ITERATIONS
        level = min(self.level, len(ITERATIONS) - 1)
        share = (costs[:level].sum() + costs[level] * step / ITERATIONS[level]) / costs.sum()
        self.report(0.05 + 0.9 * float(share), f"ANTs, level {level + 1}, iteration {step}")
