"""Grids: where voxels are, and whether two images share them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .space import StatedSpace

SAME_GRID_MM = 0.005
"""Grids whose corners are closer than this are one grid.

Arbitrary: affines are stored as float32, whose rounding moves a corner by less than 0.001 mm, and
0.005 mm is far below what scanners resolve.
"""

_SAME_EDGE_MM = 1e-3  # edges stored as float32 are off by far less
_SAME_ANGLE = 0.05  # degrees; arbitrary: 0.1 mm at the edge of a brain
_PIECE = 2**18  # arbitrary: 1 MB of int32, which the second-level cache of a processor holds


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular lattice of voxels in a world space.

    Parameters
    ----------
    shape : tuple of int, length 3
        Voxels along each axis.
    affine : array, shape (4, 4)
        Takes a voxel (i, j, k) to the centre of that voxel in mm, RAS (x grows to the right,
        y to the front, z upwards).
    code : int
        NIfTI form code of that space, for images that are made on the grid.
    space : StatedSpace, optional
        What the image of the grid states of its space; of no matter to whether grids are equal.

    Examples
    --------
    >>> grid = Grid((91, 109, 91), [[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
    >>> grid.voxel_volume
    8.0
    >>> grid.to_mm([45, 63, 36]).tolist()
    [0.0, 0.0, 0.0]
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    code: int = 4
    space: StatedSpace | None = None

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Grid)
            and self.shape == other.shape
            and bool(np.array_equal(self.affine, other.affine))
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # What derives from a grid, such as its brain, stays when it is sent to another process.
        return Grid, (self.shape, self.affine, self.code, self.space)

    def __hash__(self) -> int:
        return hash((self.shape, self.affine.tobytes()))

    def __str__(self) -> str:
        size = " x ".join(f"{edge:g}" for edge in np.round(self.voxel_size, 4))
        return f"{' x '.join(map(str, self.shape))} voxels of {size} mm, {self.orientation}"

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape, dtype=np.int64))

    @cached_property
    def voxel_size(self) -> NDArray[np.float64]:
        """Edge lengths of a voxel in mm, shape (3,)."""
        return np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))

    @cached_property
    def voxel_volume(self) -> float:
        """Volume of a voxel in mm³."""
        # The triple product is exact where edges are whole numbers; a determinant by LU is not.
        a, b, c = self.affine[:3, :3].T
        return float(abs(a @ np.cross(b, c)))

    @property
    def orientation(self) -> str:
        """The direction in which each axis mainly grows, such as RAS or LAS."""
        directions = []
        for column in self.affine[:3, :3].T:
            axis = int(np.argmax(np.abs(column)))
            directions.append("RAS"[axis] if column[axis] > 0 else "LPI"[axis])
        return "".join(directions)

    def to_mm(self, voxels: ArrayLike) -> NDArray[np.float64]:
        """World coordinates (mm, RAS) of voxels (i, j, k); shape (..., 3) both ways."""
        return np.asarray(voxels, float) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_voxel(self, mm: ArrayLike) -> NDArray[np.float64]:
        """Fractional voxel coordinates of world points in mm; shape (..., 3) both ways."""
        offset = np.asarray(mm, float) - self.affine[:3, 3]
        return offset @ np.linalg.inv(self.affine[:3, :3]).T

    def nearest_voxel(self, mm: ArrayLike) -> tuple[int, int, int] | None:
        """The voxel that holds a world point (mm), or None outside the image."""
        if not np.isfinite(mm).all():
            return None
        place = np.floor(self.to_voxel(mm) + 0.5)
        if not np.all((place >= 0) & (place < self.shape)):
            return None
        i, j, k = place.astype(int).tolist()
        return i, j, k

    def linear_index(self, voxel: tuple[int, int, int]) -> int:
        """Position of a voxel (i, j, k) in the file's order, the first axis fastest."""
        nx, ny, _ = self.shape
        return voxel[0] + nx * (voxel[1] + ny * voxel[2])

    def mm_of_index(self, indices: ArrayLike) -> NDArray[np.float64]:
        """World coordinates (mm) of linear indices; shape (n,) to (n, 3)."""
        voxels = np.unravel_index(np.asarray(indices), self.shape, order="F")
        return self.to_mm(np.stack(voxels, axis=-1))

    def corners(self) -> NDArray[np.float64]:
        """World coordinates (mm) of the eight corner voxels, shape (8, 3)."""
        return self.to_mm(list(product(*[(0, n - 1) for n in self.shape])))

    def corner_shift(self, other: Grid) -> float:
        """Largest distance in mm between the same corners of two grids of one shape."""
        return float(np.linalg.norm(self.corners() - other.corners(), axis=1).max())

    def matches(self, other: Grid, tolerance_mm: float = SAME_GRID_MM) -> bool:
        """Whether both grids have one shape and no corner is shifted by more than the tolerance."""
        if self.shape != other.shape:
            return False
        return bool(self.corner_shift(other) < tolerance_mm)

    def difference(self, other: Grid) -> str:
        """How this grid differs from another one, in a sentence and in mm."""
        order, signs = _matched_axes(self, other)
        same_axes = self.affine[:3, :3][:, order] * signs
        parts = []
        edges = np.linalg.norm(same_axes, axis=0)
        if not np.allclose(edges, other.voxel_size, atol=_SAME_EDGE_MM):
            parts.append(f"voxel size differs ({_edges(self)} against {_edges(other)} mm)")
        parts += _turned(self, other, order, signs)
        shape = tuple(self.shape[axis] for axis in order)
        if not parts and shape != other.shape:
            parts.append(f"shape differs ({_shape(self)} against {_shape(other)} voxels)")
        if shape == other.shape:
            ends = [
                [0, n - 1] if sign > 0 else [n - 1, 0] for n, sign in zip(shape, signs, strict=True)
            ]
            own = np.array(list(product(*ends)))[:, np.argsort(order)]
            shift = np.linalg.norm(self.to_mm(own) - other.corners(), axis=1).max()
            if shift >= SAME_GRID_MM or not parts:
                parts = parts or ["grid differs"]
                parts.append(f"{shift:.3g} mm at the farthest corner")
        return ", ".join([*parts, *_bent(same_axes, other.affine[:3, :3])])

    def exact_steps(self, other: Grid) -> NDArray[np.int64] | None:
        """Take voxels of this grid to voxels of the other one, where that needs no interpolation.

        Returns
        -------
        array, shape (3, 4), or None
            A signed permutation of the axes and a whole-voxel shift (the last column), or None
            where voxel centres of the two grids do not coincide.
        """
        steps = np.linalg.inv(other.affine) @ self.affine
        whole = np.rint(steps)
        corners = np.array(list(product(*[(0, n - 1) for n in self.shape])))
        drift = (steps - whole)[:3, :3] @ corners.T + (steps - whole)[:3, 3:]
        if np.abs(drift).max() * other.voxel_size.max() >= SAME_GRID_MM:
            return None
        rotation = np.abs(whole[:3, :3])
        if not (np.all(rotation.sum(axis=0) == 1) and np.all(rotation.sum(axis=1) == 1)):
            return None
        return whole[:3].astype(np.int64)


def is_near(grid: Grid, common: Grid) -> bool:
    """Whether no voxel lies nearer to a neighbour's centre: less than half a voxel away."""
    return grid.matches(common, float(common.voxel_size.min()) / 2)


def find_index(indices: NDArray[np.integer], index: int) -> int | None:
    """Position of a voxel among voxels in ascending order, None where it is not one of them.

    Examples
    --------
    >>> find_index(np.array([3, 8]), 8), find_index(np.array([3, 8]), 9)
    (1, None)
    """
    place = int(np.searchsorted(indices, index))
    return place if place < indices.size and indices[place] == index else None


def pieces(voxels: int) -> Iterator[slice]:
    """So many voxels piece by piece, each of which fits into the cache of the processor.

    Examples
    --------
    >>> list(pieces(300_000))
    [slice(0, 262144, None), slice(262144, 300000, None)]
    """
    for first in range(0, voxels, _PIECE):
        yield slice(first, min(first + _PIECE, voxels))


def _matched_axes(own: Grid, other: Grid) -> tuple[list[int], NDArray[np.float64]]:
    """For each axis of another grid, the one of a grid that runs along it, and 1 or -1."""
    units = [grid.affine[:3, :3] / grid.voxel_size for grid in (own, other)]
    cosines = units[0].T @ units[1]
    order = max(
        (list(axes) for axes in permutations(range(3))),
        key=lambda axes: float(np.abs(cosines[axes, range(3)]).sum()),
    )
    return order, np.where(cosines[order, range(3)] < 0, -1.0, 1.0)


def _turned(own: Grid, other: Grid, order: list[int], signs: NDArray[np.float64]) -> list[str]:
    """Say how the axes of a grid run the other way, or in another order, such as LAS from RAS."""
    mirrored = [
        "xyz"[int(np.argmax(np.abs(other.affine[:3, k])))] for k in range(3) if signs[k] < 0
    ]
    parts = ["axes are in another order"] if order != [0, 1, 2] else []
    if not parts and mirrored == ["x"]:
        parts = ["left and right are swapped in storage order alone: mirrored along x"]
    elif mirrored:
        parts.append(f"mirrored along {' and '.join(mirrored)}")
    ways = f" ({own.orientation} against {other.orientation})"
    return [" and ".join(parts) + ways] if parts else []


def _bent(own: NDArray[np.float64], other: NDArray[np.float64]) -> list[str]:
    """Say by how much axes are rotated against others that run the same way, or sheared."""
    own, other = (axes / np.linalg.norm(axes, axis=0) for axes in (own, other))
    left, _, right = np.linalg.svd(own @ np.linalg.inv(other))
    angle = np.degrees(np.arccos(np.clip((np.trace(left @ right) - 1) / 2, -1, 1)))
    parts = [f"rotated by {angle:.3g}°"] if angle >= _SAME_ANGLE else []
    sheared = np.abs(own.T @ own - other.T @ other).max() >= np.radians(_SAME_ANGLE)
    return [*parts, *(["sheared"] if sheared else [])]


def _edges(grid: Grid) -> str:
    return " x ".join(f"{edge:g}" for edge in np.round(grid.voxel_size, 3))


def _shape(grid: Grid) -> str:
    return " x ".join(map(str, grid.shape))
