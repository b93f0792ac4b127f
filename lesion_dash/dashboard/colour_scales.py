"""The colours of the pages Compare and Larger than chance?: what each level of a map stands for."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..plotting.figures import COLOUR_STOPS, Colour, to_levels
from .controls import css_colour

_OPACITY = 217  # of 255: as on the page Maps
_FAINT = 150
_ZERO = 128
"""The level of no difference."""

# Orange for A and blue for B, as in the overlap of the two; safe for colour-blind eyes, and as dark
# at one end as at the other.
B_TO_A: tuple[tuple[int, Colour], ...] = (
    (0, (8, 55, 115)),
    (64, (70, 160, 220)),
    (_ZERO, (242, 242, 238)),
    (192, (230, 150, 20)),
    (255, (120, 55, 0)),
)


class ColourScale:
    """What a scale with a colour bar can be asked for."""

    title: str
    unit: str
    maximum: float

    @property
    def stops(self) -> tuple[tuple[int, Colour], ...]:
        """Level and colour at the bends of the scale."""
        raise NotImplementedError

    @property
    def ticks(self) -> tuple[str, str, str]:
        """Words below the scale: at its left end, in the middle and at its right end."""
        raise NotImplementedError

    @property
    def ends(self) -> tuple[str, str]:
        """Words above the two ends."""
        return "", ""

    @property
    def palette(self) -> bytes:
        """Red, green, blue and opacity of the 256 levels; level 0 is transparent."""
        table = np.full((256, 4), _OPACITY, np.uint8)
        positions = [position for position, _ in self.stops]
        for channel in range(3):
            values = [colour[channel] for _, colour in self.stops]
            table[:, channel] = np.rint(np.interp(np.arange(256), positions, values))
        table[0, 3] = 0
        return table.tobytes()

    @property
    def bar(self) -> str:
        """The colour bar as HTML."""
        parts = [f"{css_colour(colour)} {position / 2.55:.1f}%" for position, colour in self.stops]
        low, high = (html.escape(end) for end in self.ends)
        head = f"<b>{low}</b><span>{html.escape(self.title)}</span><b>{high}</b>"
        below = "".join(f"<span>{html.escape(tick)}</span>" for tick in self.ticks)
        return (
            f'<div class="ld-scale"><div class="ld-scale-head">{head}</div>'
            f'<div class="ld-bar" style="background:linear-gradient(to right, {", ".join(parts)})">'
            f'</div><div class="ld-ticks">{below}</div></div>'
        )


@dataclass(frozen=True)
class MapColours(ColourScale):
    """A scale from 0 upwards.

    Parameters
    ----------
    title : str
        The map in words.
    unit : str
    maximum : float
        Value of the last colour.
    colormap : str
        Name of one of `COLOUR_STOPS`.
    exceeded : bool
        Whether any voxel lies above the last colour.
    """

    title: str
    unit: str
    maximum: float
    colormap: str
    exceeded: bool = False

    @property
    def stops(self) -> tuple[tuple[int, Colour], ...]:
        """Level and colour at the bends of the scale."""
        return COLOUR_STOPS[self.colormap]

    @property
    def ticks(self) -> tuple[str, str, str]:
        """Words below the scale."""
        end = f"{'≥ ' if self.exceeded else ''}{self.maximum:g} {self.unit}"
        return "0", f"{self.maximum / 2:g}", end

    def levels(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        """The level of each value; of 0 as well, as it is a value here."""
        return np.maximum(to_levels(values, self.maximum), np.uint8(1))


@dataclass(frozen=True)
class DifferenceColours(ColourScale):
    """A scale on both sides of 0, as wide on one as on the other.

    Parameters
    ----------
    title, unit : str
    maximum : float
        Value of the last colour on either side.
    sides : tuple of str
        What the negative and the positive side mean, such as ``B higher``.
    exceeded : bool
    """

    title: str
    unit: str
    maximum: float
    sides: tuple[str, str]
    exceeded: bool = False

    @property
    def stops(self) -> tuple[tuple[int, Colour], ...]:
        """Level and colour at the bends of the scale."""
        return B_TO_A

    @property
    def ticks(self) -> tuple[str, str, str]:
        """Words below the scale."""
        low, high = ("≤ ", "≥ ") if self.exceeded else ("", "")
        end = f"{self.maximum:g}"
        return f"{low}−{end}", "0", f"{high}+{end} {self.unit}"

    @property
    def ends(self) -> tuple[str, str]:
        """Words above the two ends."""
        return f"◀ {self.sides[0]}", f"{self.sides[1]} ▶"

    def levels(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        """The level of each value, 128 for no difference, never 0."""
        share = np.clip(values / self.maximum, -1, 1)
        return (_ZERO + np.rint(share * (_ZERO - 1))).astype(np.uint8)


@dataclass(frozen=True)
class Step:
    """The p from one limit up to the next: level, words, colour and opacity (0 to 255)."""

    level: int
    limit: float
    label: str
    colour: Colour
    opacity: int = _OPACITY


STEPS = (
    Step(255, 0.001, "≤ 0.001", (240, 249, 33)),
    Step(192, 0.01, "≤ 0.01", (237, 121, 83)),
    Step(128, 0.05, "≤ 0.05", (176, 42, 190)),
    Step(64, 1.0, "> 0.05", (135, 180, 210), _FAINT),
)
"""Steps of p that are read without a scale, in the order of the legend."""


@dataclass(frozen=True)
class PColours:
    """Steps of p, each with a colour of its own."""

    title: str

    def levels(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        """The level of each p."""
        levels = np.zeros(values.shape, np.uint8)
        for step in reversed(STEPS):
            levels[values <= step.limit] = step.level
        return levels

    @property
    def palette(self) -> bytes:
        """Red, green, blue and opacity of the 256 levels; level 0 is transparent."""
        table = np.zeros((256, 4), np.uint8)
        for step in STEPS:
            table[step.level] = (*step.colour, step.opacity)
        return table.tobytes()

    @property
    def bar(self) -> str:
        """The legend as HTML."""
        swatches = "".join(
            f'<span class="ld-swatch"><i style="background:{css_colour(step.colour)}"></i>'
            f"{html.escape(step.label)}</span>"
            for step in STEPS
        )
        title = html.escape(self.title)
        return (
            f'<div class="ld-scale"><div>{title}</div><div class="ld-steps">{swatches}</div></div>'
        )


AnyShade = MapColours | DifferenceColours | PColours
