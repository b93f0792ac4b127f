"""The transform between two images: found, refined, and what speaks for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..transforms import Transform, jacobian_map
from .credibility import Evidence, doubts, gather_evidence, search_mirrored
from .engine import Engine, Report, Task, Volume
from .levels import finest_mm, foreground_of, make_level
from .optimiser import Model
from .sampling import coarsen, coarsen_mask
from .search import search_pose
from .simpleitk import SimpleITKEngine

MOST_VOXELS = 16_000_000
"""Of either image as it is worked on; finer ones are averaged. A head at 1 mm has 11 million."""


@dataclass(frozen=True, eq=False)
class Found:
    """A transform and what is known of it.

    Parameters
    ----------
    transform : Transform
    evidence : Evidence
        Of its linear part.
    before, after : float
        Mean squared local correlation by the headers, and by the transform.
    jacobians : tuple of two floats
        The smallest and the largest over the template's foreground.
    """

    transform: Transform
    evidence: Evidence
    before: float = 0.0
    after: float = 0.0
    jacobians: tuple[float, float] = (1.0, 1.0)


def find_transform(task: Task, engine: Engine, report: Report) -> Found:
    """Search from several starts, refine the best, and measure how well it fits.

    A deformable engine is started where an affine is credible, and only there.
    """
    asked, task = task, _bounded(task)
    foreground = foreground_of(task.template)
    model: Model = "rigid" if task.kind == "rigid" else "affine"
    search = search_pose(task, foreground, model, _part(report, 0.0, 0.2))
    if search is None:
        return Found(Transform(), Evidence())
    mirrored = search_mirrored(task, foreground, _part(report, 0.2, 0.35))
    start = Transform(search.best.matrix)
    is_deformable = task.kind == "deformable"
    linear = replace(task, kind=model, start=start)
    refines: Engine = SimpleITKEngine() if is_deformable else engine
    transform = refines.register(linear, _part(report, 0.35, 0.45 if is_deformable else 0.95))
    evidence = gather_evidence(search, transform, mirrored)
    if is_deformable and not doubts(evidence):
        # It makes fields on the grids that were asked for.
        deforming = replace(asked, start=transform)
        transform = engine.register(deforming, _part(report, 0.45, 0.95))
    report(0.97, "how well it fits")
    return _measure(task, foreground, transform, evidence)


def _measure(
    task: Task, foreground: NDArray[np.bool_], transform: Transform, evidence: Evidence
) -> Found:
    level = make_level(task, foreground, finest_mm(task, foreground))
    before, _ = level.similarity(Transform())
    after, _ = level.similarity(transform)
    if transform.is_linear:
        jacobians = (transform.volume_factor, transform.volume_factor)
    else:
        ratios = jacobian_map(transform, task.template.grid)[foreground]
        jacobians = (float(ratios.min()), float(ratios.max()))
    return Found(transform, evidence, before, after, jacobians)


def _bounded(task: Task) -> Task:
    """The same images with no more voxels than can be worked on."""
    moving, template = _bounded_volume(task.moving), _bounded_volume(task.template)
    lesion = task.lesion
    if lesion is not None and moving is not task.moving:
        lesion = coarsen_mask(lesion, task.moving.grid, moving.grid)
    return replace(task, moving=moving, template=template, lesion=lesion)


def _bounded_volume(volume: Volume) -> Volume:
    if volume.grid.size <= MOST_VOXELS:
        return volume
    edge = (volume.grid.size * volume.grid.voxel_volume / MOST_VOXELS) ** (1 / 3)
    return coarsen(volume, edge)


def _part(report: Report, begin: float, end: float) -> Report:
    """Tell of a part of the work as a part of the whole."""
    return lambda share, words: report(begin + (end - begin) * share, words)
