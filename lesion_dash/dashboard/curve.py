"""What each minimum number of patients leaves of the brain, as a curve to click into."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import anywidget
import traitlets as t

from ..core.formats import PERCENT
from ..plotting.figures import nice_ceiling
from ..stats.coverage import Coverage, Mark
from .scripts import static_text

_WIDTH, _HEIGHT = 640, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 628.0, 58.0, 206.0
_TICKS = 8
_LINE = 13.0  # height of a line of words


@dataclass(frozen=True)
class Curve:
    """The coverage of one cohort.

    Parameters
    ----------
    side : str
        ``A`` or ``B``.
    coverage : Coverage
    """

    side: str
    coverage: Coverage


@dataclass(frozen=True)
class Frame:
    """Where numbers of patients and shares of the brain lie in the picture.

    Parameters
    ----------
    max_patients : int
        The last number of patients.
    highest : float
        Per cent of the brain at the upper edge.
    """

    max_patients: int
    highest: float

    def x(self, min_patients: float) -> float:
        """Across, of a number of patients."""
        return _LEFT + (min_patients - 0.5) / max(self.max_patients, 1) * (_RIGHT - _LEFT)

    def y(self, percent: float) -> float:
        """Down, of a share of the brain."""
        return _BOTTOM - percent / self.highest * (_BOTTOM - _TOP)

    def least(self, share: float) -> int:
        """The number of patients at a share of the picture's width."""
        patients = (share * _WIDTH - _LEFT) / (_RIGHT - _LEFT) * max(self.max_patients, 1) + 0.5
        return min(max(round(patients), 1), max(self.max_patients, 1))


def frame_of(curves: Sequence[Curve]) -> Frame:
    """The frame that holds all curves."""
    percentages = [curve.coverage.at(1).percent_of_brain for curve in curves]
    highest = max((share for share in percentages if share == share), default=0.0)
    return Frame(
        max(curve.coverage.max_overlap for curve in curves), min(nice_ceiling(highest), 100.0)
    )


def coverage_svg(curves: Sequence[Curve], min_patients: int) -> str:
    """The curves with the conventions of A's size, and the number that is chosen.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> from lesion_dash.stats.coverage import threshold_coverage
    >>> found = threshold_coverage(load_cohort("sample_data/cohort_a"))
    >>> drawn = coverage_svg([Curve("A", found)], 5)
    >>> drawn.count("ld-curve-line"), drawn.count("ld-curve-mark")
    (1, 4)
    """
    frame = frame_of(curves)
    sentences = "; ".join(
        f"{curve.side}, {curve.coverage.at(min_patients).sentence}" for curve in curves
    )
    label = html.escape(
        f"Share of the brain left at each number of patients. {sentences}", quote=True
    )
    chosen = f"{frame.x(min_patients):.1f}"
    parts = [
        _axes(frame),
        *_marks(frame, curves[0].coverage.marks),
        *(_line(frame, curve) for curve in curves),
        f'<path class="ld-curve-chosen" d="M{chosen} {_TOP - 6}V{_BOTTOM}"/>',
        f'<text class="ld-curve-k" x="{chosen}" y="{_BOTTOM + 15}">k = {min_patients}</text>',
        *_dots(frame, curves, min_patients),
    ]
    return (
        f'<svg class="ld-curve" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def _axes(frame: Frame) -> str:
    step = max(1, -(-frame.max_patients // _TICKS))
    places = sorted({1, *range(step, frame.max_patients + 1, step)} - ({2} if step > 1 else set()))
    below = "".join(
        f'<text x="{frame.x(patients):.1f}" y="{_BOTTOM + 15}">{patients}</text>'
        for patients in places
    )
    percentages = [frame.highest * part / 2 for part in range(3)]
    labels = "".join(
        f'<text class="ld-curve-share" x="{_LEFT - 6}" y="{frame.y(percentage) + 4:.1f}">'
        f"{percentage:g} %</text>"
        f'<path class="ld-curve-grid" d="M{_LEFT} {frame.y(percentage):.1f}H{_RIGHT}"/>'
        for percentage in percentages
    )
    middle = (_LEFT + _RIGHT) / 2
    name = f'<text x="{middle}" y="{_HEIGHT - 8}">minimum lesion overlap (k)</text>'
    return labels + below + name


def _marks(frame: Frame, marks: Sequence[Mark]) -> list[str]:
    """A dashed line for each rule that a voxel reaches, named above, in rows that keep apart."""
    reached = [mark for mark in marks if mark.min_patients <= frame.max_patients]
    parts, row, last = [], 0, -1e9
    for min_patients, group in groupby(reached, key=lambda mark: mark.min_patients):
        x, names = frame.x(min_patients), " = ".join(mark.label for mark in group)
        # Names are about 6 units a letter wide; one that would cover the last goes a row lower.
        row = (row + 1) % 4 if x < last else 0
        last = x + 6 * len(names)
        at_end = ' style="text-anchor:end"' if last > _RIGHT else ""
        y = 11 + 12 * row
        parts.append(
            f'<path class="ld-curve-mark" d="M{x:.1f} {y + 2}V{_BOTTOM}"/>'
            f'<text class="ld-curve-rule" x="{x + (-3 if at_end else 3):.1f}" y="{y}"{at_end}>'
            f"{html.escape(names)}</text>"
        )
    return parts


def _line(frame: Frame, curve: Curve) -> str:
    rows = [row for row in curve.coverage.rows if row.percent_of_brain == row.percent_of_brain]
    points = " ".join(
        f"{frame.x(row.min_patients):.1f},{frame.y(row.percent_of_brain):.1f}" for row in rows
    )
    return f'<polyline class="ld-curve-line ld-curve-{curve.side.lower()}" points="{points}"/>'


def _dots(frame: Frame, curves: Sequence[Curve], min_patients: int) -> list[str]:
    """What is left at the chosen number; the words keep apart where the curves do not."""
    percentages = [
        (curve.coverage.at(min_patients).percent_of_brain, curve.side) for curve in curves
    ]
    x, last, parts = frame.x(min_patients), 1e9, []
    for share, side in sorted(pair for pair in percentages if pair[0] == pair[0]):
        y = frame.y(share)
        last = min(y - 5, last - _LINE)
        parts.append(
            f'<circle class="ld-curve-dot ld-curve-{side.lower()}" cx="{x:.1f}" cy="{y:.1f}" '
            f'r="4.5"/><text class="ld-curve-side" x="{x + 9:.1f}" y="{last:.1f}">{side} '
            f"{PERCENT.with_unit(share).replace('<', '&lt;')}</text>"
        )
    return parts


class CurveView(anywidget.AnyWidget):
    """The curve; a click into it chooses a number of patients.

    Parameters
    ----------
    on_choice : callable
        Given the number of patients.
    """

    _esm = static_text("curve.js")
    picture = t.Unicode("", help="SVG, made of escaped words only").tag(sync=True)

    def __init__(self, on_choice: Callable[[int], None]) -> None:
        super().__init__()
        self._on_choice = on_choice
        self._frame: Frame | None = None
        self.on_msg(self._received)

    def show(self, curves: Sequence[Curve], min_patients: int) -> None:
        """Show the curves; nothing where there are none."""
        self._frame = frame_of(curves) if curves else None
        self.picture = coverage_svg(curves, min_patients) if curves else ""

    def _received(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """A click, checked here whatever the browser sends."""
        try:
            share = float(content["x"])
        except (KeyError, TypeError, ValueError, OverflowError):
            return
        if self._frame is not None and 0 <= share <= 1:
            self._on_choice(self._frame.least(share))
