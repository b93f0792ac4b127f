"""Deformable registration by dipy: SyN with local correlation."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from ..errors import SetupError
from ..transforms import Field, Transform
from .engine import Report, Task
from .registration import Kind
from .working_pair import WorkingPair, bring_together, join

ITERATIONS = (100, 100, 25)
"""At most, from the coarsest level (4 voxels) to the finest."""

_LEAST_EDGE = 12
"""Voxels an axis needs at each level: more than the 9 of a window of local correlation."""


class DipyEngine:
    """SyN with local correlation; the subject is the fixed image, and its lesion is left out."""

    name = "dipy"
    kinds: tuple[Kind, ...] = ("deformable",)

    def version(self) -> str:
        """Its name and version; raises `SetupError` where it is not installed."""
        try:
            return f"dipy {version('dipy')}"
        except PackageNotFoundError:
            remedy = 'install it: pip install "lesion-dash[deformable]"'
            raise SetupError("dipy", "is not installed", remedy) from None

    def register(self, task: Task, report: Report) -> Transform:
        """From the moving image to the template, starting at `task.start`."""
        self.version()
        report(0.0, "images brought together")
        pair = bring_together(task)
        to_template, to_subject = _run_syn(pair, report)
        report(0.97, "fields written on both grids")
        return join(task, to_template, to_subject)


def _run_syn(pair: WorkingPair, report: Report) -> tuple[Field, Field]:
    from dipy.align.imwarp import SymmetricDiffeomorphicRegistration

    from .masked_metric import MaskedCC

    iterations = _iterations(pair)
    optimiser = SymmetricDiffeomorphicRegistration(
        MaskedCC(pair.unknown),
        level_iters=list(iterations),
        callback=_Progress(pair, iterations, report),
    )
    optimiser.verbosity = 0
    found = optimiser.optimize(
        pair.subject,
        pair.template,
        static_grid2world=pair.grid.affine.copy(),
        moving_grid2world=pair.grid.affine.copy(),
    )
    # What dipy calls forward takes points of its moving image, here the template.
    return Field(pair.grid, found.backward), Field(pair.grid, found.forward)


def _iterations(pair: WorkingPair) -> tuple[int, ...]:
    """At the levels that a template is large enough for."""
    edge = min(pair.grid.shape)
    levels = sum(edge / 2**level >= _LEAST_EDGE for level in range(len(ITERATIONS)))
    return ITERATIONS[-max(levels, 1) :]


class _Progress:
    """Tells after each iteration how far it is; a finer level has eight times the voxels."""

    def __init__(self, pair: WorkingPair, iterations: tuple[int, ...], report: Report) -> None:
        self.report = report
        self.edge = float(pair.grid.voxel_size[0])
        self.iterations = iterations
        costs = 8.0 ** np.arange(len(iterations)) * iterations
        self.shares = costs / costs.sum()

    def __call__(self, optimiser: Any, stage: int) -> None:
        from dipy.align import imwarp

        stages: Any = imwarp.RegistrationStages
        if stage != stages.ITER_END:
            return
        level = len(self.iterations) - 1 - optimiser.current_level
        step, most = optimiser.niter + 1, self.iterations[level]
        done = float(self.shares[:level].sum() + self.shares[level] * step / most)
        edge = self.edge * 2.0**optimiser.current_level
        self.report(0.02 + 0.95 * done, f"SyN at {edge:.3g} mm, iteration {step} of {most}")
