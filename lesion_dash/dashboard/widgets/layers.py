"""What the viewer shows at the voxels of a grid, and how it is packed for the browser."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...core.grid import Grid, find_index
from ...images.masks import Mask
from ...plotting.figures import BOTH, COLOUR_STOPS, ONLY_A, ONLY_B, Colour, to_levels
from ..places import Mm
from .frame import Frame, resample, template_for

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
    **COLOUR_STOPS,
    "blue-orange": B_TO_A,
}
"""The colour tables of value layers: level and colour at each bend."""

_MOST_LABELS = 2**16 - 1
_SCAN_LEVELS = 2**16 - 1


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


P_STEPS = (
    Step(0.001, "≤ 0.001", (240, 249, 33)),
    Step(0.01, "≤ 0.01", (237, 121, 83)),
    Step(0.05, "≤ 0.05", (176, 42, 190)),
    Step(1.0, "> 0.05", (135, 180, 210), 0.6),
)
"""Steps of p that are read without a scale."""


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
    steps : tuple of str
        Where `n` is not a number of patients: what each of its values says of a voxel.
    """

    grid: Grid
    indices: NDArray[np.integer]
    values: NDArray
    title: str
    unit: str
    scale: Scale
    n: NDArray[np.integer] | None = None
    steps: tuple[str, ...] = ()

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
        return facts | {"steps": list(self.steps)}, arrays


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
    blend : float
        How much of it is seen at first where it lies over a background, from 0 to 1.
    """

    array: NDArray
    grid: Grid
    title: str
    window: tuple[float, float] | None = None
    unit: str = ""
    blend: float = 0.0

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
            "blend": self.blend,
            "slope": slope,
            "intercept": intercept,
        }
        return facts, [np.ravel(block, order="F")]


Layer = ValueLayer | OverlapLayer | MaskLayer | LabelLayer
AnyLayer = Layer | ScanLayer


def template_layer(grid: Grid) -> ScanLayer:
    """The MNI152 brain as a background."""
    return ScanLayer(template_for(grid), grid, "MNI152 T1", window=(30.0, 250.0))


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
