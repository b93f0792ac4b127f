"""Connected components: the separate parts of a map above a threshold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..core import defaults
from ..core.defaults import (
    CONNECTIVITY,
    MIN_SIZE_MM3,
    MIN_SIZE_VOXELS,
    THRESHOLD,
    Connectivity,
    Signs,
)
from ..core.errors import InputError, check_choice
from ..core.grid import Grid
from ..core.notes import InfoNote
from ..images.maps import Map, MapLike, as_map
from ..images.masks import Mask

SIGNS: dict[str, tuple[int, ...]] = {"positive": (1,), "negative": (-1,), "both": (1, -1)}
SHARED = {6: 1, 18: 2, 26: 3}
"""Along how many axes two voxels of one component may be one step apart: by face, edge, corner."""


@dataclass(frozen=True, eq=False)
class Component:
    """One connected part of a map.

    Parameters
    ----------
    number : int
        From 1; see `find_components`.
    sign : int
        +1 where the map is above the threshold, -1 where it is below its negative.
    grid : Grid
    indices : array of int32, shape (voxels,)
        Linear positions in ascending order, the first axis fastest.
    values : array of float64, shape (voxels,)
        Of the map at these voxels, with their sign.
    """

    number: int
    sign: int
    grid: Grid
    indices: NDArray[np.int32]
    values: NDArray[np.float64]

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return int(self.indices.size)

    @property
    def volume_mm3(self) -> float:
        """Volume in mm³."""
        return self.voxels * self.grid.voxel_volume

    @property
    def weights(self) -> NDArray[np.float64]:
        """The values without their sign: what scores are computed from."""
        return self.sign * self.values

    @cached_property
    def total(self) -> float:
        """Sum of the weights."""
        return float(self.weights.sum())

    @cached_property
    def mask(self) -> Mask:
        """The component as a binary map."""
        return Mask(self.grid, self.indices, f"component {self.number}")

    @cached_property
    def centroid_mm(self) -> NDArray[np.float64]:
        """Unweighted mean of the voxels, (x, y, z) in mm."""
        voxels = np.stack(np.unravel_index(self.indices, self.grid.shape, order="F"), axis=-1)
        return (self.grid.affine @ np.r_[voxels.mean(axis=0), 1.0])[:3]

    @cached_property
    def peak_index(self) -> int:
        """Linear position of the highest value, the lowest one of a negative component.

        Of several equally high voxels, as in a mask, the one nearest to the centroid; then the one
        farthest to the left, back and below. So the peak does not depend on the order of the axes.
        """
        highest = self.indices[self.weights == self.weights.max()]
        if highest.size == 1:
            return int(highest[0])
        places = self.grid.mm_of_index(highest)
        away = np.linalg.norm(places - self.centroid_mm, axis=1)
        x, y, z = np.round(places, 3).T
        return int(highest[np.lexsort((z, y, x, np.round(away, 3)))[0]])

    @cached_property
    def peak_mm(self) -> NDArray[np.float64]:
        """Centre of the peak's voxel, (x, y, z) in mm."""
        return self.grid.mm_of_index([self.peak_index])[0]

    @property
    def peak_value(self) -> float:
        """The map's value at the peak, with its sign."""
        return self.sign * float(self.weights.max())


@dataclass(frozen=True, eq=False)
class Components:
    """The components of a map.

    Parameters
    ----------
    name : str
        Of the map.
    grid : Grid
    parts : tuple of Component
        In the order of their numbers.
    notes : tuple of str
        What was unusual about the map, and how many components were too small.
    """

    name: str
    grid: Grid
    parts: tuple[Component, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[Component]:
        return iter(self.parts)


def find_components(
    image: MapLike,
    threshold: float = THRESHOLD,
    signs: Signs = defaults.SIGNS,
    connectivity: Connectivity = CONNECTIVITY,
    min_size_voxels: int = MIN_SIZE_VOXELS,
    min_size_mm3: float = MIN_SIZE_MM3,
) -> Components:
    """Find the connected parts of a map above a threshold.

    Parameters
    ----------
    image : Map, Mask, path or nibabel image
        NaN is background.
    threshold : float
        Voxels with a value above it belong to a component, at least 0; for negative components
        those below its negative.
    signs : {"positive", "negative", "both"}
        Which side of the map; positive and negative voxels are never in one component.
    connectivity : {6, 18, 26}
        Voxels that share a face; or a face or an edge (siibra's); or a corner as well.
    min_size_voxels : int
        A component is kept where it has more voxels than this. 1, as in siibra, drops single
        voxels; 0 keeps all.
    min_size_mm3 : float
        And where its volume is at least this, in mm³.

    Returns
    -------
    Components
        Numbered from 1 in the order in which their first voxels come in the array as it is stored
        (C order: the last axis fastest), all positive ones before the negative ones. Numbers are
        kept when small components are dropped. A mirrored or permuted copy of the map has the same
        components under other numbers.

    Raises
    ------
    InputError
        Where the map cannot be read, or a parameter is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Map
    >>> array = np.zeros((4, 4, 4))
    >>> array[0, 0, :2], array[3, 3, :3] = 2.0, -5.0
    >>> image = Map("example", array, Grid((4, 4, 4), np.eye(4)), "", "")
    >>> [(part.number, part.voxels, part.peak_value) for part in find_components(image, 0, "both")]
    [(1, 2, 2.0), (2, 3, -5.0)]
    """
    _check_parameters(threshold, signs, connectivity, min_size_voxels, min_size_mm3)
    source = as_map(image)
    parts: list[Component] = []
    for sign in SIGNS[signs]:
        parts += _label(source, threshold, sign, connectivity, first=len(parts) + 1)
    large = tuple(
        part for part in parts if part.voxels > min_size_voxels and part.volume_mm3 >= min_size_mm3
    )
    notes = source.notes
    if small := len(parts) - len(large):
        notes += (InfoNote(f"{small:,} of {len(parts):,} components excluded: too small"),)
    return Components(source.name, source.grid, large, notes)


def _check_parameters(
    threshold: float, signs: str, connectivity: int, min_size_voxels: int, min_size_mm3: float
) -> None:
    """Raise InputError where a parameter of `find_components` is out of its range."""
    if not (np.isfinite(threshold) and threshold >= 0):
        remedy = "give a number of at least 0; choose the sign negative for values below 0"
        raise InputError("threshold", f"is {threshold}", remedy)
    check_choice("signs", signs, SIGNS)
    if connectivity not in SHARED:
        remedy = "choose 6 (faces), 18 (and edges) or 26 (and corners)"
        raise InputError("connectivity", f"is {connectivity}", remedy)
    sizes = {"min_size_voxels": min_size_voxels, "min_size_mm3": min_size_mm3}
    for name, size in sizes.items():
        if not (np.isfinite(size) and size >= 0):
            raise InputError(name, f"is {size}", "give a number of at least 0")


def _label(
    source: Map, threshold: float, sign: int, connectivity: int, first: int
) -> list[Component]:
    """The components of one sign, numbered from `first`."""
    from scipy.ndimage import find_objects, generate_binary_structure, label

    # A comparison with NaN is false: NaN is background. Integers are compared as they are.
    inside = source.array > threshold if sign > 0 else source.array < -threshold
    (box,) = find_objects(inside.view(np.uint8), max_label=1)
    if box is None:
        return []
    labels, count = label(
        np.ascontiguousarray(inside[box]), generate_binary_structure(3, SHARED[connectivity])
    )
    voxels = np.nonzero(labels)  # in C order
    owners = labels[voxels]
    places = tuple(axis + side.start for axis, side in zip(voxels, box, strict=True))
    indices = np.ravel_multi_index(places, source.grid.shape, order="F").astype(np.int32)
    values = source.array[places].astype(np.float64)
    # scipy does not promise an order of labels; first voxels in C order do.
    _, firsts = np.unique(owners, return_index=True)
    order = np.lexsort((indices, owners))
    bounds = np.searchsorted(owners[order], np.arange(1, count + 2))
    runs = [order[bounds[k] : bounds[k + 1]] for k in np.argsort(firsts)]
    return [
        Component(first + k, sign, source.grid, indices[run], values[run])
        for k, run in enumerate(runs)
    ]
