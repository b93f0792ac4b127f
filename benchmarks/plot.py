"""Time and memory against the number of masks, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contest import COMPETITORS, FLOOR, OURS, Findings
from plan import REFERENCE

COLOURS = dict(zip(COMPETITORS, ("#7f7f7f", "#0072b2", "#e69f00", "#d55e00"), strict=True))


def draw(findings: Findings, path: Path) -> None:
    """Draw the reference kind of cohort; what is extrapolated is dashed and hollow."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    time, memory = figure.subplots(1, 2)
    _draw_panel(time, findings, "wall", "wall time of the whole process, s")
    _draw_panel(memory, findings, "peak", "peak memory, MB")
    time.legend(frameon=False, fontsize=9)
    voxel_mm, dtype = REFERENCE
    figure.suptitle(f"Masks of {voxel_mm} mm, {dtype}; hollow and dashed: extrapolated")
    part = path.with_name(path.name + ".part")
    figure.savefig(part, dpi=120, format="png")
    part.replace(path)


def _draw_panel(axes: Any, findings: Findings, key: str, label: str) -> None:
    for who in COMPETITORS:
        cases = sorted(c for c in findings if c.who == who and c[1:3] == REFERENCE)
        points = [
            (case.masks, getattr(findings[case].cost, key), findings[case].measured)
            for case in cases
        ]
        _draw_line(axes, points, who)
    axes.set(xscale="log", yscale="log", xlabel="masks", ylabel=label)
    axes.grid(alpha=0.3, which="major")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_line(axes: Any, points: list[tuple[int, float, int | None]], who: str) -> None:
    colour = COLOURS[who]
    measured = [point[:2] for point in points if not point[2]]
    guessed = [point[:2] for point in points if point[2]]
    labels = {FLOOR: "floor: read and inflate only", OURS: "lesion-dash stats"}
    axes.plot(*zip(*measured, strict=True), "o-", color=colour, label=labels.get(who, who))
    if guessed:
        line = sorted([*guessed, max(measured)])
        axes.plot(*zip(*line, strict=True), "--", color=colour)
        axes.plot(*zip(*guessed, strict=True), "o", color=colour, markerfacecolor="white")
