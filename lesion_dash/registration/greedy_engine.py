"""Deformable registration by the program `greedy`, where a user has installed it."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from .engine import Report
from .programs import ProgramEngine
from .working_pair import WorkingPair

ITERATIONS = (100, 50, 25)
"""From the coarsest level (4 voxels) to the finest."""


class GreedyEngine(ProgramEngine):
    """Greedy diffeomorphic registration by local correlation; the subject is the fixed image."""

    name = "greedy"
    program = "greedy"
    title = "greedy"
    remedy = (
        "install it from the site of its makers (it comes with ITK-SNAP), or choose --engine dipy"
    )
    asks_version = "-version"
    version_pattern = r"Version (\S+)"
    to_template = "warp.nii"
    to_subject = "inverse.nii"

    def known(self, unknown: NDArray[np.bool_]) -> NDArray:
        """As numbers with a fraction: greedy truncates what it interpolates of whole ones."""
        return (~unknown).astype(np.float32)

    def arguments(self, pair: WorkingPair) -> list[str]:
        """What greedy is told."""
        arguments = ["-d", "3", "-m", "WNCC", "4x4x4", "-i", "subject.nii", "template.nii"]
        arguments += ["-n", "x".join(map(str, ITERATIONS)), "-s", "2vox", "1vox"]
        # As a stationary velocity: without it, space was folded at the borders of the images.
        arguments += ["-sv", "-seed", "1", "-wp", "0", "-o", self.to_template]
        arguments += ["-oinv", self.to_subject]
        return arguments + (["-gm", "known.nii"] if pair.unknown is not None else [])

    def progress(self, report: Report) -> _Progress:
        """Tells how far greedy is."""
        return _Progress(report)


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
