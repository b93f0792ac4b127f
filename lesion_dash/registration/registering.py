"""An image brought to a template, its lesion and further images with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..images import MapLike, MaskLike
from ..transforms import Transform, warp_any, warp_map, warp_mask
from .credibility import doubts
from .engine import Report
from .engines import engine_named
from .finding import Found
from .inputs import Inputs, read_inputs
from .process import Outcome, run_apart
from .registration import Kind, NotCredible, Quality, Registration
from .working_pair import working_grid

FAR_TURN = 30.0
"""Degrees between header and template from which on it is worth a sentence."""

FAR_MM = 40.0
"""The same for the distance of the image's centre."""


def register_image(
    moving: MapLike,
    template: MapLike,
    kind: Kind = "affine",
    *,
    lesion: MaskLike | None = None,
    others: Sequence[MapLike] = (),
    engine: str = "auto",
    report: Report | None = None,
) -> Registration:
    """Find where an image lies on a template, and bring it there.

    The search begins from several places: the headers' world coordinates, centres of mass, and
    wherever the template correlates with the image. What was found is checked and, where it is
    not credible, raised instead of returned. The engine runs in a process of its own.

    Parameters
    ----------
    moving, template : path, URL, nibabel image or Map
        One volume each, of any grids.
    kind : str
        ``rigid`` (6 numbers), ``affine`` (12) or ``deformable`` (affine and a smooth warp).
    lesion : path, URL, nibabel image or Mask, optional
        On the moving image's grid. Its voxels don't count when the images are compared.
    others : sequence of paths, URLs, nibabel images, Maps or Masks
        In the moving image's world space, on any grid; brought along.
    engine : str
        ``auto`` (SimpleITK, or dipy for ``deformable``) or the name of one.
    report : callable, optional
        Told the share that is done, 0 to 1, and what is being done, about five times a second;
        what it raises ends the work.

    Returns
    -------
    Registration

    Raises
    ------
    InputError
        Where an image cannot be used, or the engine's process crashes.
    NotCredible
        Where what was found is not to be believed; its ``found`` is for looking at.
    SetupError
        Where the engine is not installed.

    Examples
    --------
    >>> register_image("no.nii.gz", "template.nii.gz", "elastic")
    Traceback (most recent call last):
    lesion_dash.errors.InputError: kind: 'elastic' is none of rigid, affine, deformable
    """
    chosen = engine_named(engine, kind)
    told = report or (lambda _share, _words: None)
    inputs = read_inputs(moving, template, lesion, others, kind)
    outcome = run_apart(inputs.task(kind), chosen.name, told)
    told(0.98, "images brought to the template")
    registration = _assemble(inputs, kind, chosen.version(), outcome)
    if reasons := doubts(outcome.found.evidence):
        raise _refusal(registration, reasons)
    return registration


def _assemble(inputs: Inputs, kind: Kind, engine: str, outcome: Outcome) -> Registration:
    found = outcome.found
    transform, grid = found.transform, inputs.template.grid
    lesion = None if inputs.lesion is None else warp_mask(inputs.lesion, transform, grid)
    return Registration(
        moving=inputs.moving,
        template=inputs.template,
        kind=kind,
        engine=engine,
        transform=transform,
        image=warp_map(inputs.moving, transform, grid),
        quality=_quality(found),
        lesion=lesion,
        native_lesion=inputs.lesion,
        others=tuple(warp_any(other, transform, grid) for other in inputs.others),
        notes=(*inputs.notes, *_what_is_unusual(inputs, found)),
        sources=inputs.sources,
        seconds=outcome.seconds,
        memory_mb=outcome.memory_mb,
    )


def _quality(found: Found) -> Quality:
    evidence = found.evidence
    smallest, largest = found.jacobians
    return Quality(
        similarity_before=found.before,
        similarity_after=found.after,
        coverage=evidence.coverage,
        determinant=found.transform.volume_factor,
        smallest_jacobian=smallest,
        largest_jacobian=largest,
        starts=evidence.starts,
        agreeing_starts=evidence.agreeing,
    )


def _what_is_unusual(inputs: Inputs, found: Found) -> tuple[str, ...]:
    notes = []
    degrees, mm = _way(found.transform, inputs)
    if degrees > FAR_TURN or mm > FAR_MM:
        notes.append(
            f"the header puts {inputs.moving.name} {mm:.0f} mm and {degrees:.0f} degrees away "
            "from where it was found: compare left and right with another image of the patient"
        )
    if found.evidence.coverage < 0.95:
        notes.append(f"the image covers {found.evidence.coverage:.0%} of the template's foreground")
    if not found.transform.is_linear:
        edge = working_grid(inputs.template.grid).voxel_size.max()
        notes.append(f"the warp was worked out on voxels of {edge:.3g} mm")
    if found.jacobians[0] <= 0:
        notes.append("the warp folds space in places: its smallest Jacobian is not above 0")
    if inputs.lesion is not None:
        notes.append("the lesion was left out when the images were compared")
    return tuple(notes)


def _way(transform: Transform, inputs: Inputs) -> tuple[float, float]:
    """By how many degrees the image is turned, and how far its middle is moved."""
    left, _, right = np.linalg.svd(transform.matrix[:3, :3])
    cosine = np.clip((np.trace(left @ right) - 1) / 2, -1, 1)
    grid = inputs.moving.grid
    middle = grid.to_mm((np.array(grid.shape) - 1) / 2)
    away = transform.matrix[:3, :3] @ middle + transform.matrix[:3, 3] - middle
    return float(np.degrees(np.arccos(cosine))), float(np.linalg.norm(away))


def _refusal(registration: Registration, reasons: tuple[str, ...]) -> NotCredible:
    problem = f"was not found on {registration.template.name} in a way to be believed: {reasons[0]}"
    remedy = "see whether both show the same part of the body and their headers are right"
    error = NotCredible(registration.moving.name, problem, remedy, reasons)
    error.found = registration
    return error
