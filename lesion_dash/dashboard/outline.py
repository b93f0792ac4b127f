"""The lesion of one patient: its border over the map, and a place inside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..cohort.cohort import Cohort
from ..cohort.participants import Patient
from ..core.errors import InputError
from ..core.formats import VOLUME
from ..core.grid import Grid, find_index
from ..images.masks import Mask
from ..plotting.figures import (
    COLOUR_STOPS,
    EDGE_CLASS,
    ML,
    OUTLINE_CLASS,
    OUTLINED,
    OUTLINED_CLASSES,
    Layer,
)
from .app_context import AppContext
from .picture import Mm, Picture
from .session import Session
from .state import Choices

_LAST, _EDGE = 255, 254
"""The levels of the outline and of its edge in a table of colours; the map has those below."""


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

    @cached_property
    def border(self) -> Mask:
        """See `border_of`."""
        return border_of(self.lesion)

    @cached_property
    def edge(self) -> Mask:
        """See `edge_of`."""
        return edge_of(self.lesion)

    def lies_on(self, grid: Grid) -> bool:
        """Whether there is anything to be drawn on this grid."""
        return bool(self.lesion.voxels) and self.lesion.grid == grid

    @property
    def summary(self) -> str:
        """Who, and how large."""
        if not self.lesion.voxels:
            return f"{self.patient}, an empty mask"
        return f"{self.patient}, {VOLUME.with_unit(self.lesion.volume_mm3 / ML)}"


def key_of(session: Session, name: str, patient: Patient) -> str:
    """What the choices call a patient of a cohort: folder and file, whatever part it is in."""
    return f"{session.origin(name)[0]}/{patient.file}"


def find_outline(session: Session, choices: Choices) -> Outline | None:
    """The outline of the chosen patient, None where neither cohort has that patient."""
    for name in filter(None, (choices.cohort_a, choices.cohort_b)):
        cohort = session.load(name)
        for row, patient in enumerate(cohort.used):
            if key_of(session, name, patient) == choices.patient:
                return Outline(patient.id, cohort.mask(row))
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


def border_of(lesion: Mask) -> Mask:
    """The voxels of a lesion of which one of the six neighbours is not lesioned.

    A neighbour outside the image is not.

    Examples
    --------
    >>> cube = np.zeros((7, 7, 7), bool)
    >>> cube[1:6, 1:6, 1:6] = True
    >>> mask = Mask.from_array(cube, Grid((7, 7, 7), np.diag([2.0, 2, 2, 1])), "cube")
    >>> border_of(mask).voxels == 5**3 - 3**3
    True
    """
    box, low = _block(lesion)
    inner = box.copy()
    for axis in range(3):
        whole, within = np.moveaxis(box, axis, 0), np.moveaxis(inner, axis, 0)
        within[1:] &= whole[:-1]
        within[:-1] &= whole[1:]
    positions = _positions(box & ~inner, low, lesion.grid)
    return Mask(lesion.grid, positions, f"border of {lesion.name}")


def edge_of(lesion: Mask) -> Mask:
    """The voxels beside a lesion: not lesioned, as one of the six neighbours is.

    Examples
    --------
    >>> cube = np.zeros((7, 7, 7), bool)
    >>> cube[1:6, 1:6, 1:6] = True
    >>> mask = Mask.from_array(cube, Grid((7, 7, 7), np.diag([2.0, 2, 2, 1])), "cube")
    >>> edge_of(mask).voxels == 6 * 5**2
    True
    """
    box, low = _block(lesion)
    outer = box.copy()
    for axis in range(3):
        whole, around = np.moveaxis(box, axis, 0), np.moveaxis(outer, axis, 0)
        around[1:] |= whole[:-1]
        around[:-1] |= whole[1:]
    positions = _positions(outer & ~box, low, lesion.grid)
    return Mask(lesion.grid, positions, f"edge of {lesion.name}")


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


def outlined_picture(picture: Picture, outline: Outline) -> Picture:
    """A picture with the outline drawn over it, in levels that the map does not have."""
    is_table = bool(picture.colormap)
    top = np.uint8(_EDGE - 1 if is_table else _LAST)
    levels = np.minimum(np.asfortranarray(picture.levels), top)
    flat = levels.reshape(-1, order="F")
    flat[outline.edge.indices] = _EDGE if is_table else EDGE_CLASS.value
    flat[outline.border.indices] = _LAST if is_table else OUTLINE_CLASS.value
    colormap = f"{picture.colormap}{OUTLINED}" if is_table else ""
    return replace(picture, levels=levels, colormap=colormap)


def outlined_layer(layer: Layer, outline: Outline) -> Layer:
    """What nilearn draws, with the outline drawn over it."""
    array = np.array(layer.array, float, order="F")
    flat = array.reshape(-1, order="F")
    if layer.classes:
        flat[outline.edge.indices] = EDGE_CLASS.value
        flat[outline.border.indices] = OUTLINE_CLASS.value
        return replace(layer, array=array, classes=OUTLINED_CLASSES)
    # In the middle of their levels, so that rounding does not lift them.
    np.minimum(array, layer.maximum * (_EDGE - 1.5) / _LAST, out=array)
    flat[outline.edge.indices] = layer.maximum * (_EDGE - 0.5) / _LAST
    flat[outline.border.indices] = layer.maximum
    return replace(layer, array=array, colormap=f"{layer.colormap}{OUTLINED}")


def outline_tables() -> dict[str, dict[str, list[int]]]:
    """The tables of colours with an outline, as niivue wants them."""
    return {
        name: {
            "I": [position for position, _ in stops],
            "A": [0, *[_LAST] * (len(stops) - 1)],
            **{channel: [c[i] for _, c in stops] for i, channel in enumerate("RGB")},
        }
        for name, stops in COLOUR_STOPS.items()
        if name.endswith(OUTLINED)
    }


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
