"""Register an image to a template, its lesion and further images with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from ...core.defaults import ENGINE, KIND, Kind
from ...core.errors import InputError
from ...core.grid import Grid
from ...core.memory import free_memory
from ...core.notes import InfoNote, note_on
from ...files.paths import as_path
from ...images.hounsfield import BRAIN_WINDOW, brain_window, is_hounsfield
from ...images.maps import Map, MapLike, as_map
from ...images.masks import Mask, MaskLike
from ...transforms.transform import Transform
from ...transforms.warping import warp_any, warp_map, warp_mask
from ..placing import binary_mask
from .deformable import working_grid
from .engines import engine_named
from .levels import centre_of
from .process import Outcome, run_in_worker
from .quality import Fit, doubts
from .task import NotCredible, Registration, Report, Task, Volume

MIN_VOXELS = 8
"""Along each axis: fewer hold no structure that determines a position. Arbitrary."""

MAX_LESIONED = 0.75
"""Of the image's brighter voxels; beyond that, too little is left to register by. Arbitrary."""

FAR_TURN = 30.0
"""Degrees between header and template from which on it is worth a sentence. Arbitrary."""

FAR_MM = 40.0
"""The same for the distance of the image's centre."""

MAX_RESIZED = 0.25
"""Of a mask's volume: a warp that adds or takes more follows what is in it. Arbitrary."""

_IMAGE_BYTES = 24  # a voxel, as float32 in both processes, whole, and smoothed at most levels
_BASE_BYTES = 7e8  # the engine's program and its work on at most 16 million voxels
_FIELD_BYTES = 48  # a voxel of displacement: three float32 twice, there and back


@dataclass(frozen=True, eq=False)
class Inputs:
    """Images and masks that were read for a registration.

    Parameters
    ----------
    moving, template : Map
    lesion : Mask or None
        On the moving image's grid.
    others : tuple of Map or Mask
    notes : tuple of str
    sources : dict
        SHA-256 of each file, by its path; a URL without its password.
    """

    moving: Map
    template: Map
    lesion: Mask | None
    others: tuple[Map | Mask, ...]
    notes: tuple[str, ...]
    sources: dict[str, str] = field(default_factory=dict)

    def task(self, kind: Kind) -> Task:
        """The task of an engine: NaN filled with the darkest value, a CT cut to the brain."""
        lesion = None if self.lesion is None else self.lesion.array
        return Task(_volume(self.moving), _volume(self.template), kind, Transform(), lesion)


def read_inputs(
    moving: MapLike,
    template: MapLike,
    lesion: MaskLike | None,
    others: Sequence[MapLike],
    kind: Kind,
) -> Inputs:
    """Read the images and refuse, with a sentence each, what cannot be registered."""
    image, target = as_map(moving), as_map(template)
    for checked in (image, target):
        _check_image(checked)
    _check_memory(image, target, kind)
    mask = None if lesion is None else _read_lesion(lesion, image)
    further = tuple(other if isinstance(other, Mask) else as_map(other) for other in others)
    _check_others(further, image)
    pairs: list[tuple[object, Map | Mask]] = [(moving, image), (template, target)]
    pairs += [] if mask is None else [(lesion, mask)]
    notes = [note_on(read.name, note) for _, read in pairs for note in read.notes]
    notes += [_of_ct(read.name) for read in (image, target) if is_hounsfield(read.array)]
    pairs += zip(others, further, strict=True)
    sources = {_path_of(source, read): read.sha256 for source, read in pairs if read.sha256}
    return Inputs(image, target, mask, further, tuple(dict.fromkeys(notes)), sources)


def _of_ct(name: str) -> str:
    low, high = BRAIN_WINDOW
    how = f"for the comparison alone its values are cut to {low:g} ... {high:g}"
    return f"{name} looks like a CT in Hounsfield units: {how}; what is written keeps them"


def _check_image(image: Map) -> None:
    name, shape = image.name, image.grid.shape
    if min(shape) < MIN_VOXELS:
        problem = f"{' x '.join(map(str, shape))} voxels: a slice or a thin slab, not a volume"
        remedy = f"give an image of at least {MIN_VOXELS} voxels along each axis"
        raise InputError(name, problem, remedy)
    values = image.array[np.isfinite(image.array)]
    if values.size == 0:
        raise InputError(name, "holds no number but NaN", "give an image with intensities")
    if values.min() == values.max():
        problem = f"constant: every voxel is {values.flat[0]:g}"
        raise InputError(name, problem, "give an image that shows something")


def _check_memory(moving: Map, template: Map, kind: Kind) -> None:
    voxels = moving.grid.size + template.grid.size
    bytes_per_voxel = _IMAGE_BYTES + (_FIELD_BYTES if kind == "deformable" else 0)
    needed, free = voxels * bytes_per_voxel + _BASE_BYTES, free_memory()
    if needed > free:
        problem = (
            f"registering {voxels:,} voxels takes about {needed / 1e9:.1f} GB of memory, "
            f"and {free / 1e9:.1f} GB are free"
        )
        raise InputError(moving.name, problem, "resample the images to coarser voxels first")


def _read_lesion(source: MaskLike, image: Map) -> Mask:
    mask = binary_mask(source)
    if mask.voxels == 0:
        raise InputError(mask.name, "the lesion mask is empty", "leave it out, or draw the lesion")
    try:
        mask = mask.on_grid(image.grid)
    except InputError as error:
        remedy = "give the mask on the grid of the moving image, which it was drawn on"
        raise InputError(mask.name, error.problem, remedy) from None
    # The mean parts tissue from air; most images are half air.
    bright = image.array > np.nanmean(image.array)
    covered = float(mask.array[bright].mean()) if bright.any() else 1.0
    if covered > MAX_LESIONED or mask.voxels == mask.grid.size:
        problem = f"the lesion mask covers {covered:.0%} of what {image.name} shows: inverted?"
        raise InputError(mask.name, problem, "mark the lesion alone")
    return mask


def _check_others(others: tuple[Map | Mask, ...], image: Map) -> None:
    names = Counter(other.name for other in others)
    corners = image.grid.corners()
    for other in others:
        if names[other.name] > 1:
            problem = "two images to transform have this name"
            raise InputError(other.name, problem, "rename one of the files")
        own = other.grid.corners()
        low = np.maximum(own.min(axis=0), corners.min(axis=0))
        if (low > np.minimum(own.max(axis=0), corners.max(axis=0))).any():
            problem = f"lies nowhere near {image.name} by its header"
            raise InputError(other.name, problem, "bring along images of the same scan session")


def _path_of(source: object, image: Map | Mask) -> str:
    # A URL may hold a password, which its path does not show.
    return str(as_path(source)) if isinstance(source, (str, PathLike)) else image.name


def _volume(image: Map) -> Volume:
    # What a skull and air are like, and how far they are from a brain, is not the same in an MRI.
    array: NDArray = brain_window(image.array).astype(np.float32)
    known = np.isfinite(array)
    if not known.all():
        array[~known] = array[known].min()
    return Volume(array, image.grid)


def register_image(
    moving: MapLike,
    template: MapLike,
    kind: Kind = KIND,
    *,
    lesion: MaskLike | None = None,
    others: Sequence[MapLike] = (),
    engine: str = ENGINE,
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
        Called about five times a second with the fraction that is done, 0 to 1, and what is
        being done; what it raises ends the work.

    Returns
    -------
    Registration

    Raises
    ------
    InputError
        Where an image cannot be used, or the engine's process crashes.
    NotCredible
        Where the registration is not credible; its ``registration`` is for looking at.
    SetupError
        Where the engine is not installed.

    Examples
    --------
    >>> register_image("no.nii.gz", "template.nii.gz", "elastic")
    Traceback (most recent call last):
    lesion_dash.core.errors.InputError: kind: 'elastic' is none of rigid, affine, deformable
    """
    chosen = engine_named(engine, kind)
    report = report or (lambda _done, _label: None)
    inputs = read_inputs(moving, template, lesion, others, kind)
    outcome = run_in_worker(inputs.task(kind), chosen.name, report)
    report(0.98, "images brought to the template")
    registration = _assemble(inputs, kind, chosen.version(), outcome)
    if reasons := doubts(outcome.fit.evidence):
        name, onto = registration.moving.name, registration.template.name
        problem = f"registration to {onto} is not credible: {reasons[0]}"
        remedy = "see whether both show the same part of the body and their headers are right"
        error = NotCredible(name, problem, remedy, reasons)
        error.registration = registration
        raise error
    return registration


def _assemble(inputs: Inputs, kind: Kind, engine: str, outcome: Outcome) -> Registration:
    fit = outcome.fit
    transform, grid = fit.transform, inputs.template.grid
    others = tuple(warp_any(other, transform, grid) for other in inputs.others)
    return Registration(
        moving=inputs.moving,
        template=inputs.template,
        kind=kind,
        engine=engine,
        transform=transform,
        image=warp_map(inputs.moving, transform, grid),
        quality=fit.quality,
        lesion=None if inputs.lesion is None else warp_mask(inputs.lesion, transform, grid),
        native_lesion=inputs.lesion,
        others=others,
        notes=(*inputs.notes, *_unusual(inputs, fit), *_resized(inputs.others, others, transform)),
        sources=inputs.sources,
        seconds=outcome.seconds,
        memory_mb=outcome.memory_mb,
    )


def _unusual(inputs: Inputs, fit: Fit) -> tuple[str, ...]:
    notes = []
    degrees, mm = _moved_by(fit.transform, inputs.moving.grid)
    if degrees > FAR_TURN or mm > FAR_MM:
        notes.append(
            f"the header puts {inputs.moving.name} {mm:.0f} mm and {degrees:.0f} degrees away "
            "from where it was found: compare left and right with another image of the patient"
        )
    if fit.evidence.coverage < 0.95:
        notes.append(f"the image covers {fit.evidence.coverage:.0%} of the template's foreground")
    if not fit.transform.is_linear:
        edge = working_grid(inputs.template.grid).voxel_size.max()
        notes.append(f"the warp was computed on voxels of {edge:.3g} mm")
    if fit.quality.smallest_jacobian <= 0:
        notes.append("the warp folds space in places: its smallest Jacobian is not above 0")
    if inputs.lesion is not None:
        notes.append(InfoNote("the lesion's voxels were excluded when the images were compared"))
    return tuple(notes)


def _resized(
    images: tuple[Map | Mask, ...], placed: tuple[Map | Mask, ...], transform: Transform
) -> tuple[str, ...]:
    """Notes on masks that a warp makes larger or smaller by far more than its affine part does."""
    if transform.is_linear:
        return ()
    notes = []
    for image, mask in zip(images, placed, strict=True):
        if not isinstance(mask, Mask):
            continue
        own = image if isinstance(image, Mask) else _mask_of(image)
        expected = own.volume_mm3 * transform.volume_factor
        if expected and abs(mask.volume_mm3 / expected - 1) > MAX_RESIZED:
            before, after = own.volume_mm3 / 1000, mask.volume_mm3 / 1000
            factor = mask.volume_mm3 / expected
            size = f"{before:.3g} mL became {after:.3g} mL, {factor:.2f} times what the affine "
            remedy = "where it is a lesion, give it as the lesion, which the warp spares"
            notes.append(f"{image.name}: {size}part alone makes of it: {remedy}")
    return tuple(notes)


def _mask_of(image: Map) -> Mask:
    return Mask.from_array(np.nan_to_num(image.array), image.grid, image.name)


def _moved_by(transform: Transform, grid: Grid) -> tuple[float, float]:
    """By how many degrees an image is turned, and by how many mm its centre is moved."""
    left, _, right = np.linalg.svd(transform.matrix[:3, :3])
    cosine = np.clip((np.trace(left @ right) - 1) / 2, -1, 1)
    centre = centre_of(grid)
    away = transform.matrix[:3, :3] @ centre + transform.matrix[:3, 3] - centre
    return float(np.degrees(np.arccos(cosine))), float(np.linalg.norm(away))
