"""What the viewer shows at the voxels of a grid, and how it is packed for the browser."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ...core.grid import Grid, find_index
from ...images.masks import Mask
from ...images.template import template_on
from ...plotting.figures import BOTH, COLOUR_STOPS, ONLY_A, ONLY_B, OUTLINED, Colour, to_levels

Stops = tuple[tuple[int, Colour], ...]

_NO_DIFFERENCE = 128
"""The level of 0 on a diverging scale."""

# Orange for A and blue for B, as in the overlap of the two; safe for colour-blind eyes, and as dark
# at one end as at the other.
B_TO_A: Stops = (
    (0, (8, 55, 115)),
    (64, (70, 160, 220)),
    (_NO_DIFFERENCE, (242, 242, 238)),
    (192, (230, 150, 20)),
    (255, (120, 55, 0)),
)

COLOUR_TABLES: dict[str, Stops] = {
    **{name: stops for name, stops in COLOUR_STOPS.items() if not name.endswith(OUTLINED)},
    "blue-orange": B_TO_A,
}
"""The colour tables of value layers: level and colour at each bend."""

Mm = tuple[float, float, float]
"""A place in mm, RAS: x to the right, y to the front, z upwards."""

_MARGIN = 3  # voxels around the brain, so that an outline at its surface is not cut off
_MOST_LABELS = 2**16 - 1
_SCAN_LEVELS = 2**16 - 1


@dataclass(frozen=True, eq=False)
class Frame:
    """The block of a grid that the browser holds, its axes in the order and direction of RAS.

    Half of an image is air around the head: without it, all that is done voxel by voxel takes half
    as long.

    Parameters
    ----------
    grid : Grid
    low, high : tuple of int
        First voxel along x, y and z, and the one after the last.
    """

    grid: Grid
    low: tuple[int, int, int]
    high: tuple[int, int, int]

    @classmethod
    def around(cls, grid: Grid, layers: Sequence[Layer], background: ScanLayer | None) -> Frame:
        """The block of a grid that holds the brain, or a scan, and all layers."""
        whole = cls.whole(grid)
        if background is not None and background.grid == grid:
            return whole
        brain = _box_of(whole.oriented(np.asarray(template_for(grid))))
        own = (whole.box(layer.indices) for layer in layers if layer.grid == grid)
        boxes = [box for box in (brain, *own) if box is not None]
        if not boxes:
            return whole
        low = np.clip(np.min([box[0] for box in boxes], axis=0) - _MARGIN, 0, None)
        high = np.minimum(np.max([box[1] for box in boxes], axis=0) + _MARGIN, whole.high)
        return cls(grid, _triple(low), _triple(high))

    @classmethod
    def whole(cls, grid: Grid) -> Frame:
        """All voxels of a grid."""
        shape = nib.orientations.io_orientation(grid.affine)[:, 0].astype(int)
        high = np.empty(3, int)
        high[shape] = grid.shape
        return cls(grid, (0, 0, 0), _triple(high))

    def holds(self, other: Frame) -> bool:
        """Whether another block of the same grid lies inside."""
        return (
            self.grid == other.grid
            and all(a <= b for a, b in zip(self.low, other.low, strict=True))
            and all(a >= b for a, b in zip(self.high, other.high, strict=True))
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        return _triple(np.subtract(self.high, self.low))

    @cached_property
    def affine(self) -> NDArray[np.float64]:
        """Takes a voxel of the block to the middle of that voxel in mm."""
        turned = nib.orientations.inv_ornt_aff(self._orientation, self.grid.shape)
        affine = np.asarray(self.grid.affine @ turned)
        affine[:3, 3] = affine[:3, :3] @ self.low + affine[:3, 3]
        return affine

    @cached_property
    def _orientation(self) -> NDArray[np.float64]:
        return nib.orientations.io_orientation(self.grid.affine)

    def oriented(self, array: NDArray) -> NDArray:
        """The part of an image of the grid that lies in the block."""
        turned = nib.orientations.apply_orientation(array, self._orientation)
        return turned[tuple(slice(a, b) for a, b in zip(self.low, self.high, strict=True))]

    def places(self, indices: NDArray[np.integer]) -> NDArray[np.int64]:
        """Voxels along x, y and z of linear positions on the grid, shape (3, voxels)."""
        nx, ny, _ = self.grid.shape
        rest, i = np.divmod(np.asarray(indices, np.int64), nx)
        k, j = np.divmod(rest, ny)
        places = np.empty((3, i.size), np.int64)
        for own, (axis, sign), n in zip((i, j, k), self._orientation, self.grid.shape, strict=True):
            places[int(axis)] = (own if sign > 0 else n - 1 - own) - self.low[int(axis)]
        return places

    def positions(self, indices: NDArray[np.integer]) -> NDArray[np.int64]:
        """Linear positions in the block, x fastest, of linear positions on the grid."""
        x, y, z = self.places(indices)
        nx, ny, _ = self.shape
        return x + nx * (y + ny * z)

    def box(self, indices: NDArray[np.integer]) -> tuple[NDArray, NDArray] | None:
        """The first voxel of the smallest block that holds all, and the one after its last."""
        if not indices.size:
            return None
        places = self.places(indices)
        return places.min(axis=1), places.max(axis=1) + 1

    def sampled(self, grid: Grid, indices: NDArray[np.integer]) -> tuple[NDArray, NDArray]:
        """What of voxels of a grid lies where in the block.

        Of another grid, each voxel of the block shows the one that its middle lies in.

        Returns
        -------
        positions : array of int
            Linear positions in the block, ascending.
        rows : array of int
            Which of the voxels is there.
        """
        if grid == self.grid:
            positions = self.positions(indices)
            rows = np.arange(positions.size)
            if np.any(positions[1:] < positions[:-1]):
                rows = np.argsort(positions)
            return positions[rows], rows
        row_of = np.full(grid.size + 1, -1, np.int64)  # the last one is outside
        row_of[indices] = np.arange(indices.size)
        rows = row_of[self._nearest(grid)]
        positions = np.flatnonzero(rows >= 0)
        return positions, rows[positions]

    def _nearest(self, grid: Grid) -> NDArray[np.int64]:
        """For each voxel of the block, the one of a grid; its size where there is none."""
        to_other = np.linalg.inv(grid.affine) @ self.affine
        x, y, z = np.ix_(*map(np.arange, self.shape))
        result = np.zeros(self.shape, np.int64)
        outside = np.zeros(self.shape, bool)
        stride = 1
        for axis, n in enumerate(grid.shape):
            a, b, c, d = to_other[axis]
            own = np.floor(a * x + b * y + c * z + d + 0.5).astype(np.int64)
            outside |= (own < 0) | (own >= n)
            result += stride * own
            stride *= n
        result[outside] = grid.size
        return result.reshape(-1, order="F")


@dataclass(frozen=True)
class Step:
    """Values up to a limit, with a colour of their own.

    Parameters
    ----------
    limit : float
    label : str
    colour : tuple of int
    opacity : float
    """

    limit: float
    label: str
    colour: Colour
    opacity: float = 1.0


@dataclass(frozen=True)
class Scale:
    """What the colours of a value layer stand for.

    Parameters
    ----------
    high : float
        Value of the last colour; of a diverging scale, −high has the first.
    colormap : str
        One of `COLOUR_TABLES`.
    low : float
        Value of the first colour.
    kind : {"linear", "diverging", "steps"}
    shows_zero : bool
        Whether the value 0 has a colour, the first one; else it has none.
    steps : tuple of Step
        Of a scale of steps, the lowest limit first.
    sides : tuple of str
        What the two ends of a diverging scale mean, such as ``B higher`` and ``A higher``.
    """

    high: float
    colormap: str = "viridis"
    low: float = 0.0
    kind: Literal["linear", "diverging", "steps"] = "linear"
    shows_zero: bool = False
    steps: tuple[Step, ...] = ()
    sides: tuple[str, str] = ("", "")

    def levels(self, values: NDArray) -> NDArray[np.uint8]:
        """The entry of the colour table of each value, as the browser has it; 0 is transparent."""
        if self.kind == "steps":
            limits = [step.limit for step in self.steps]
            return (np.searchsorted(limits, values) + 1).astype(np.uint8)
        if self.kind == "diverging":
            share = np.clip(np.asarray(values) / self.high, -1, 1)
            return (_NO_DIFFERENCE + np.rint(share * (_NO_DIFFERENCE - 1))).astype(np.uint8)
        least = np.uint8(0 if self.low == 0 and not self.shows_zero else 1)
        above = np.asarray(values, np.float32) - np.float32(self.low)
        return np.maximum(to_levels(above, self.high - self.low), least)

    @property
    def palette(self) -> NDArray[np.uint8]:
        """Red, green, blue and opacity of the 256 levels, shape (256, 4)."""
        table = np.zeros((256, 4), np.uint8)
        if self.kind == "steps":
            for level, step in enumerate(self.steps, start=1):
                table[level] = (*step.colour, round(255 * step.opacity))
            return table
        stops = COLOUR_TABLES[self.colormap]
        positions = [position for position, _ in stops]
        for channel in range(3):
            column = [colour[channel] for _, colour in stops]
            table[:, channel] = np.rint(np.interp(np.arange(256), positions, column))
        table[1:, 3] = 255
        return table

    @property
    def facts(self) -> dict[str, Any]:
        """What the browser needs to know."""
        steps = [[s.limit, s.label, [*s.colour, round(255 * s.opacity)]] for s in self.steps]
        return {
            "kind": self.kind,
            "colormap": self.colormap,
            "low": float(self.low),
            "high": float(self.high),
            "zero": self.shows_zero,
            "steps": steps,
            "sides": list(self.sides),
        }


@dataclass(frozen=True, eq=False)
class ValueLayer:
    """A number at each of some voxels.

    Parameters
    ----------
    grid : Grid
    indices : array of int, shape (voxels,)
        Linear positions in ascending order, the first axis fastest.
    values : array of numbers, shape (voxels,)
        In the unit that is shown.
    title, unit : str
    scale : Scale
    n : array of int, shape (voxels,), or None
        Patients at each voxel: those with fewer than k are not shown.
    """

    grid: Grid
    indices: NDArray[np.integer]
    values: NDArray
    title: str
    unit: str
    scale: Scale
    n: NDArray[np.integer] | None = None

    def value_at(self, mm: Mm, k: int = 1) -> float:
        """The value of the voxel that holds a place, NaN where none is shown at k."""
        voxel = self.grid.nearest_voxel(mm)
        row = None if voxel is None else find_index(self.indices, self.grid.linear_index(voxel))
        is_shown = row is not None and (self.n is None or self.n[row] >= k)
        return float(self.values[row]) if is_shown else float("nan")

    def at_least(self, k: int) -> ValueLayer:
        """The voxels that are shown at a minimum number of patients."""
        if self.n is None:
            return self
        rows = self.n >= k
        return replace(self, indices=self.indices[rows], values=self.values[rows], n=self.n[rows])

    def extreme(self, largest: bool) -> Mm | None:
        """Where the largest, or the smallest, value is; None where there is no value."""
        if not self.values.size:
            return None
        at = np.argmax(self.values) if largest else np.argmin(self.values)
        x, y, z = self.grid.mm_of_index(self.indices[[at]])[0].tolist()
        return x, y, z

    def pack(self, frame: Frame) -> tuple[dict[str, Any], list[NDArray]]:
        """What the browser needs to know, and the arrays."""
        positions, rows = frame.sampled(self.grid, self.indices)
        arrays = [_bits(positions, frame), np.asarray(self.values, np.float32)[rows]]
        if self.n is not None:
            arrays.append(_small(self.n[rows]))
        facts = {"kind": "value", "title": self.title, "unit": self.unit, "scale": self.scale.facts}
        return facts, arrays


@dataclass(frozen=True, eq=False)
class OverlapLayer:
    """Where at least k patients of one cohort, of another, and of both are lesioned.

    Parameters
    ----------
    grid : Grid
    indices : array of int, shape (voxels,)
        Where anybody is lesioned.
    n_a, n_b : array of int, shape (voxels,)
        Patients of either cohort.
    title : str
    """

    grid: Grid
    indices: NDArray[np.integer]
    n_a: NDArray[np.integer]
    n_b: NDArray[np.integer]
    title: str

    def pack(self, frame: Frame) -> tuple[dict[str, Any], list[NDArray]]:
        """What the browser needs to know, and the arrays."""
        positions, rows = frame.sampled(self.grid, self.indices)
        classes = [[c.value, c.label, list(c.colour)] for c in (ONLY_A, ONLY_B, BOTH)]
        facts = {"kind": "overlap", "title": self.title, "unit": "", "classes": classes}
        counts = np.stack([self.n_a[rows], self.n_b[rows]])
        return facts, [_bits(positions, frame), *_small(counts)]


@dataclass(frozen=True, eq=False)
class MaskLayer:
    """A lesion or a region, filled or as an outline.

    Parameters
    ----------
    mask : Mask
    name : str
    colour : tuple of int
    filled : bool or None
        None as is chosen in the viewer.
    """

    mask: Mask
    name: str
    colour: Colour = (255, 255, 255)
    filled: bool | None = None

    @property
    def grid(self) -> Grid:
        """Where the voxels are."""
        return self.mask.grid

    @property
    def indices(self) -> NDArray[np.int32]:
        """Linear positions of the voxels."""
        return self.mask.indices

    def pack(self, frame: Frame) -> tuple[dict[str, Any], list[NDArray]]:
        """What the browser needs to know, and the arrays."""
        positions, _ = frame.sampled(self.grid, self.indices)
        facts = {"kind": "mask", "title": self.name, "colour": list(self.colour)}
        return facts | {"filled": self.filled}, [_bits(positions, frame)]


@dataclass(frozen=True, eq=False)
class LabelLayer:
    """The regions of an atlas: their contours, and their names under the pointer.

    Parameters
    ----------
    grid : Grid
    indices : array of int, shape (voxels,)
        Where there is a region.
    numbers : array of int, shape (voxels,)
        Which of the names is there.
    names : sequence of str
    title : str
    """

    grid: Grid
    indices: NDArray[np.integer]
    numbers: NDArray[np.integer]
    names: Sequence[str]
    title: str

    def pack(self, frame: Frame) -> tuple[dict[str, Any], list[NDArray]]:
        """What the browser needs to know, and the arrays."""
        if len(self.names) > _MOST_LABELS:
            raise ValueError(f"an atlas of at most {_MOST_LABELS:,} regions can be shown")
        positions, rows = frame.sampled(self.grid, self.indices)
        facts = {"kind": "label", "title": self.title, "names": list(self.names)}
        return facts, [_bits(positions, frame), np.asarray(self.numbers, np.uint16)[rows]]


@dataclass(frozen=True, eq=False)
class ScanLayer:
    """A scan in shades of grey: the background, or a second one that is blended with it.

    Parameters
    ----------
    array : array, shape ``grid.shape``
        Numbers; what is not finite is shown as the lowest.
    grid : Grid
    title : str
    window : tuple of float, optional
        Values shown black and white; else nearly the whole range.
    unit : str
    """

    array: NDArray
    grid: Grid
    title: str
    window: tuple[float, float] | None = None
    unit: str = ""

    def pack(self, frame: Frame) -> tuple[dict[str, Any], list[NDArray]]:
        """What the browser needs to know, and the arrays."""
        if self.grid == frame.grid:
            block = frame.oriented(self.array)
        else:
            block = resample(self.array, self.grid, frame.affine, frame.shape)
        slope, intercept = 1.0, 0.0
        if block.dtype != np.uint8:
            block, slope, intercept = _sixteen_bits(block)
        window = self.window or _usual_window(block, slope, intercept)
        facts = {
            "kind": "scan",
            "title": self.title,
            "unit": self.unit,
            "window": [float(v) for v in window],
            "slope": slope,
            "intercept": intercept,
        }
        return facts, [np.ravel(block, order="F")]


Layer = ValueLayer | OverlapLayer | MaskLayer | LabelLayer
AnyLayer = Layer | ScanLayer


def template_for(grid: Grid) -> NDArray[np.uint8]:
    """The MNI152 brain on a grid, an oblique one as well."""
    template = template_on(grid)
    array = np.asarray(template.dataobj)
    own = Grid(_triple(array.shape), template.affine)
    if own.matches(grid):
        return array
    return np.asarray(resample(array, own, grid.affine, grid.shape), np.uint8)


def template_layer(grid: Grid) -> ScanLayer:
    """The MNI152 brain as a background."""
    return ScanLayer(template_for(grid), grid, "MNI152 T1", window=(30.0, 250.0))


def resample(
    array: NDArray, grid: Grid, affine: NDArray[np.float64], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """An image on other voxels, linearly interpolated, 0 outside."""
    from scipy.ndimage import affine_transform

    matrix = np.linalg.inv(grid.affine) @ affine
    values = np.nan_to_num(np.asarray(array, np.float32))
    return np.asarray(affine_transform(values, matrix, output_shape=shape, order=1))


def packed(arrays: Sequence[NDArray]) -> tuple[list[list[Any]], bytes]:
    """Arrays one after the other, compressed; and the type and length of each."""
    contents = [np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for array in arrays]
    table = [[array.dtype.name, int(array.size)] for array in contents]
    joined = b"".join(array.tobytes() for array in contents)
    return table, gzip.compress(joined, compresslevel=1, mtime=0)


def _bits(positions: NDArray[np.integer], frame: Frame) -> NDArray[np.uint8]:
    """One bit a voxel of the block: far less than the positions as numbers."""
    member = np.zeros(int(np.prod(frame.shape)), np.uint8)
    member[positions] = 1
    return np.packbits(member, bitorder="little")


def _small(counts: NDArray[np.integer]) -> NDArray:
    largest = int(counts.max(initial=0))
    return np.asarray(counts, np.uint16 if largest < 2**16 else np.uint32)


def _sixteen_bits(block: NDArray) -> tuple[NDArray[np.uint16], float, float]:
    values = np.asarray(block, np.float32)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    is_whole = low >= 0 and high <= _SCAN_LEVELS and np.issubdtype(block.dtype, np.integer)
    slope, intercept = (1.0, 0.0) if is_whole else ((high - low) / _SCAN_LEVELS or 1.0, low)
    scaled = np.nan_to_num((values - intercept) / slope, nan=0, posinf=_SCAN_LEVELS, neginf=0)
    return np.clip(np.rint(scaled), 0, _SCAN_LEVELS).astype(np.uint16), slope, intercept


def _usual_window(block: NDArray, slope: float, intercept: float) -> tuple[float, float]:
    """From the 2nd to the 98th percentile of what is not background, as is usual in viewers."""
    values = block[block > block.min()] if block.size else block
    if not values.size:
        return intercept, intercept + slope
    low, high = np.percentile(values, [2, 98])
    return float(low) * slope + intercept, float(max(high, low + 1)) * slope + intercept


def _box_of(array: NDArray) -> tuple[NDArray, NDArray] | None:
    low, high = [], []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        hit = np.flatnonzero(array.any(axis=others))
        if not hit.size:
            return None
        low.append(hit[0])
        high.append(hit[-1] + 1)
    return np.array(low), np.array(high)


def _triple(values: Any) -> tuple[int, int, int]:
    a, b, c = (int(v) for v in values)
    return a, b, c
