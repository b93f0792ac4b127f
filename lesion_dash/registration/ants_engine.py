"""Deformable registration by the program `antsRegistration`, where a user has installed it."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .engine import Report
from .programs import ProgramEngine
from .working_pair import WorkingPair

ITERATIONS = (100, 70, 50, 20)
"""At most, from the coarsest level (8 voxels) to the finest."""

RADIUS = 4
"""Of the window of local correlation, in voxels."""


class AntsEngine(ProgramEngine):
    """SyN with local correlation by ANTs; the subject is the fixed image."""

    name = "ants"
    program = "antsRegistration"
    title = "ANTs"
    remedy = "install ANTs (https://github.com/ANTsX/ANTs), or choose --engine dipy"
    asks_version = "--version"
    version_pattern = r"Version: (\S+)"
    to_template = "out0Warp.nii.gz"
    to_subject = "out0InverseWarp.nii.gz"

    def known(self, unknown: NDArray[np.bool_]) -> NDArray:
        """ANTs masks the centres of windows: a window must not reach into the lesion either."""
        return np.asarray(~ndimage.binary_dilation(unknown, iterations=RADIUS), np.uint8)

    def arguments(self, pair: WorkingPair) -> list[str]:
        """What ANTs is told."""
        levels = len(ITERATIONS)
        arguments = ["-d", "3", "--float", "1", "--verbose", "1", "--random-seed", "1"]
        arguments += ["-o", "out", "-t", "SyN[0.1,3,0]"]
        arguments += ["-m", f"CC[subject.nii,template.nii,1,{RADIUS}]"]
        arguments += ["-c", f"[{'x'.join(map(str, ITERATIONS))},1e-6,10]"]
        arguments += ["-f", "x".join(str(2**level) for level in reversed(range(levels)))]
        arguments += ["-s", "x".join(map(str, reversed(range(levels)))) + "vox"]
        return arguments + (["-x", "known.nii"] if pair.unknown is not None else [])

    def progress(self, report: Report) -> _Progress:
        """Tells how far ANTs is."""
        return _Progress(report)


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
