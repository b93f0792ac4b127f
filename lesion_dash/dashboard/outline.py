"""Lesions of single patients over the map: who, a place inside, and the scan beside the mask."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..cohort.cohort import Cohort
from ..cohort.participants import Patient
from ..core.errors import InputError
from ..core.formats import VOLUME
from ..core.grid import Grid, find_index
from ..files.listing import has_image_ending, is_confined, strip_ending
from ..images.maps import read_map
from ..images.masks import Mask
from ..plotting.figures import ML, Colour
from .app_context import AppContext
from .places import Mm
from .session import Session
from .state import Choices
from .widgets.layers import MaskLayer, ScanLayer
from .widgets.viewer import MOST_MASKS

OUTLINE_COLOUR: Colour = (255, 255, 255)
KEPT_COLOURS: tuple[Colour, ...] = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0),
    (204, 121, 167),
)  # fmt: skip
"""Of lesions that are kept beside the chosen one: those of Okabe and Ito, which colour-blind eyes
tell apart."""

_SCAN = re.compile(r"_(T1w|FLAIR)$", re.IGNORECASE)
_SAME = re.compile(r"(?:sub|ses|space)-[^_]+")


@dataclass(frozen=True, eq=False)
class Outline:
    """The lesion of a patient, to be drawn as an outline.

    Parameters
    ----------
    patient : str
        The patient's id.
    lesion : Mask
    """

    patient: str
    lesion: Mask

    @property
    def summary(self) -> str:
        """Who, and how large."""
        if not self.lesion.voxels:
            return f"{self.patient}, an empty mask"
        return f"{self.patient}, {VOLUME.with_unit(self.lesion.volume_mm3 / ML)}"


def key_of(session: Session, name: str, patient: Patient) -> str:
    """What the choices call a patient of a cohort: folder and file, whatever part it is in."""
    return f"{session.origin(name)[0]}/{patient.file}"


def find_outline(session: Session, choices: Choices, key: str = "") -> Outline | None:
    """The outline of a patient, by default the chosen one; None where neither cohort has it."""
    patient_key = key or choices.patient
    for name in filter(None, (choices.cohort_a, choices.cohort_b)):
        cohort = session.load(name)
        for row, patient in enumerate(cohort.used):
            if key_of(session, name, patient) == patient_key:
                return Outline(patient.id, cohort.mask(row))
    return None


class LesionLayers:
    """The chosen patient's lesion and those that are kept, each made for the viewer once.

    Parameters
    ----------
    context : AppContext
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._made: dict[tuple[str, Colour, int], MaskLayer] = {}

    @property
    def layers(self) -> tuple[MaskLayer, ...]:
        """The kept ones in colours of their own; the chosen one last, so that it lies above."""
        choices = self._context.choices
        kept = [key for key in choices.kept if key != choices.patient][: MOST_MASKS - 1]
        colours = dict(zip(kept, KEPT_COLOURS, strict=False)) | {choices.patient: OUTLINE_COLOUR}
        before, self._made = self._made, {}
        for key, colour in colours.items():
            outline = find_outline(self._context.session, choices, key) if key else None
            if outline is not None and outline.lesion.voxels:
                # A folder that is read again has another grid.
                name = (key, colour, id(outline.lesion.grid))
                made = before.get(name) or MaskLayer(outline.lesion, outline.patient, colour)
                self._made[name] = made
        return tuple(self._made.values())


def find_scan(folder: Path, file: str) -> Path | None:
    """The patient's own scan beside a mask: ``*_T1w`` or ``*_FLAIR`` of the same space.

    Parameters
    ----------
    folder : Path
        Of the cohort.
    file : str
        Of the mask, below it.
    """
    mask = folder / file
    entities = _SAME.findall(strip_ending(mask.name))
    if not any(entity.startswith("sub-") for entity in entities):
        return None
    beside = (path for path in sorted(mask.parent.iterdir()) if has_image_ending(path.name))
    for path in beside:
        stem = strip_ending(path.name)
        if _SCAN.search(stem) and _SAME.findall(stem) == entities and is_confined(path):
            return path
    return None


def own_scan(context: AppContext) -> ScanLayer | None:
    """Read the scan beside the chosen patient's mask, None where there is none; takes a moment."""
    choices, session = context.choices, context.session
    for name in filter(None, (choices.cohort_a, choices.cohort_b)):
        for patient in session.load(name).used:
            if key_of(session, name, patient) == choices.patient:
                folder = session.root.cohort_folder(session.origin(name)[0])
                path = find_scan(folder, patient.file)
                if path is None:
                    return None
                scan = read_map(path)
                return ScanLayer(scan.array, scan.grid, strip_ending(path.name), blend=1.0)
    return None


def pick_patient(context: AppContext, name: str, row: int) -> None:
    """Outline a patient's lesion, and go there unless the crosshair is in it.

    Parameters
    ----------
    context : AppContext
    name : str
        Of the cohort.
    row : int
        Of the patient among those used.
    """
    cohort = context.session.load(name)
    lesion = cohort.mask(row)
    if lesion.voxels and not _holds(lesion, context.choices.mm):
        context.choices.mm = deepest_mm(lesion)
    context.choices.patient = key_of(context.session, name, cohort.used[row])


def row_of_file(cohort: Cohort, file: str) -> int:
    """Position of a file's patient among those used.

    Raises
    ------
    InputError
        Where the file was skipped, with the reason.
    """
    for row, patient in enumerate(cohort.used):
        if patient.file == file:
            return row
    skipped = next(patient for patient in cohort.patients if patient.file == file)
    problem = "was skipped, so there is no lesion to outline"
    raise InputError(file, f"{problem} ({skipped.reason})" if skipped.reason else problem)


def deepest_mm(lesion: Mask) -> Mm:
    """The middle (mm) of the voxel farthest inside a lesion, in steps from voxel to voxel.

    A centre of mass may lie outside a bent lesion; this never does. Of several that are equally
    deep, the one nearest to the centre of mass.

    Examples
    --------
    >>> ring = np.zeros((7, 7, 3), bool)
    >>> ring[1:6, 1:6, 1] = True
    >>> ring[3, 3, 1] = False
    >>> mask = Mask.from_array(ring, Grid((7, 7, 3), np.eye(4)), "ring")
    >>> x, y, z = deepest_mm(mask)
    >>> bool(ring[int(x), int(y), int(z)])
    True
    """
    from scipy.ndimage import distance_transform_cdt

    box, low = _block(lesion)
    depth = distance_transform_cdt(box, "taxicab")
    deepest = lesion.grid.mm_of_index(_positions(depth == depth.max(), low, lesion.grid))
    middle = lesion.grid.mm_of_index(lesion.indices).mean(axis=0)
    x, y, z = deepest[np.argmin(np.linalg.norm(deepest - middle, axis=1))].tolist()
    return x, y, z


def _holds(lesion: Mask, mm: Mm) -> bool:
    voxel = lesion.grid.nearest_voxel(mm)
    if voxel is None:
        return False
    return find_index(lesion.indices, lesion.grid.linear_index(voxel)) is not None


def _block(lesion: Mask) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """The block around a lesion, with a layer of voxels around that is not; and its first voxel."""
    nx, ny, _ = lesion.grid.shape
    rest, i = np.divmod(lesion.indices, np.int32(nx))
    k, j = np.divmod(rest, np.int32(ny))
    places = (i, j, k)
    if not lesion.voxels:
        return np.zeros((1, 1, 1), bool), np.zeros(3, np.int64)
    low = np.array([int(place.min()) - 1 for place in places])
    shape = [int(place.max()) - first + 2 for place, first in zip(places, low, strict=True)]
    box = np.zeros(shape, bool, order="F")
    box[tuple(place - first for place, first in zip(places, low, strict=True))] = True
    return box, low


def _positions(
    included: NDArray[np.bool_], low: NDArray[np.int64], grid: Grid
) -> NDArray[np.int32]:
    """Linear positions on the grid, ascending, of what is found in a block and on the grid."""
    nx, ny, _ = included.shape
    at = np.flatnonzero(included.reshape(-1, order="F"))
    places = np.stack([at % nx, at // nx % ny, at // (nx * ny)]) + low[:, None]
    is_on = (places >= 0).all(axis=0) & (places < np.array(grid.shape)[:, None]).all(axis=0)
    i, j, k = places[:, is_on]
    return (i + grid.shape[0] * (j + grid.shape[1] * k)).astype(np.int32)
