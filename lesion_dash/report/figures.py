"""The pictures of a report, each with its caption and with words for those who cannot see it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..map_scales import COLORMAPS, ML, TITLES, display_unit, fixed_maximum, nice_ceiling
from ..plots import BOTH, ONLY_A, ONLY_B, OVERLAP_CLASSES
from ..threshold_plots import draw_coverage
from .findings import Findings, Side
from .histograms import bin_edges, draw_volumes
from .mosaics import Cuts, choose_cuts, draw_classes, draw_difference, draw_values
from .quantities import (
    count_words,
    fixed,
    list_words,
    ml,
    percent_words,
    scale_words,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 110
_KEYS = ("n", "mean", "std")
_COVERAGE_INCHES = (7.2, 4.4)


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Parameters
    ----------
    png : bytes
    alt : str
        What it shows, in words.
    caption : str
        What it is, with units, n, and what its colours stand for.
    """

    png: bytes
    alt: str
    caption: str


Drawing = Callable[[], Picture]


def drawings(findings: Findings) -> dict[str, Drawing]:
    """The pictures of a report by name, each drawn when it is called.

    Maps without a voxel are left out: there is nothing to see.
    """
    found: dict[str, Drawing] = {"volumes": partial(_volumes, findings)}
    for side in findings.sides:
        if side.coverage.most:
            found[f"coverage_{side.letter}"] = partial(_coverage, findings, side)
    if not findings.lesioned.size:
        return found
    cuts = choose_cuts(findings.a.cohort.grid, findings.lesioned)
    for side in findings.sides:
        if side.stats.voxels:
            found |= {
                f"{key}_{side.letter}": partial(_map, findings, side, key, cuts) for key in _KEYS
            }
    if findings.overlap is not None and findings.overlap.either.voxels:
        found["overlap"] = partial(_overlap, findings, cuts)
    if findings.differences is not None:
        found["frequency"] = partial(_frequency, findings, cuts)
        if findings.differences.compared.voxels:
            found["difference"] = partial(_mean_difference, findings, cuts)
    return found


def png_bytes(figure: Figure) -> bytes:
    """A figure as PNG, without the date and the name of a program."""
    buffer = io.BytesIO()
    undated = {"Software": None}
    figure.savefig(buffer, format="png", dpi=_DPI, facecolor="white", metadata=undated)
    return buffer.getvalue()


def _title(findings: Findings, side: Side) -> str:
    """Names of folders stay out of figures: a font may lack their letters, and $ means maths."""
    return f"Cohort {side.letter.upper()}" if findings.is_pair else "Cohort"


def _volumes(findings: Findings) -> Picture:
    volumes = {_title(findings, side): side.volumes_mm3 / ML for side in findings.sides}
    width = scale_words(float(bin_edges(volumes)[1]))
    who = list_words([_who(findings, side) for side in findings.sides])
    spreads = list_words([_spread(findings, side) for side in findings.sides])
    shared = ", the same for A and B; bars are shares of each cohort" if findings.is_pair else ""
    caption = f"Total lesion volume (mL) of {who}. Bins of {width} mL{shared}; line: median."
    alt = f"Histogram of total lesion volume: {spreads}."
    return Picture(png_bytes(draw_volumes(volumes)), alt, caption)


def _who(findings: Findings, side: Side) -> str:
    return f"{count_words(side.cohort.n_patients, 'patient')} of {findings.owner(side)}"


def _spread(findings: Findings, side: Side) -> str:
    low, median, high = (ml(float(one)) for one in np.percentile(side.volumes_mm3, (0, 50, 100)))
    return f"median {median} mL, from {low} to {high} mL, in {_who(findings, side)}"


def _coverage(findings: Findings, side: Side) -> Picture:
    row = side.coverage.at(findings.request.min_patients)
    figure = draw_coverage(replace(side.coverage, name=_title(findings, side)), row.min_patients)
    figure.set_size_inches(_COVERAGE_INCHES)
    figure.supxlabel("")  # who asks for what stands beside the table
    chosen = (
        f"k = {row.min_patients}: {count_words(row.voxels, 'voxel')}, "
        f"{percent_words(row.percent_of_brain)} of the brain, "
        f"{percent_words(row.percent_of_lesioned)} of all lesioned voxels"
    )
    figure.axes[0].set_title(chosen, loc="left", fontsize=9)
    alt = f"Curve of the share of brain left at each minimum of patients, falling; {chosen}."
    caption = (
        f"What each minimum of patients (k) leaves in {findings.owner(side)}. Solid line: the k of "
        "this report. Dashed lines: what others ask for."
    )
    return Picture(png_bytes(figure), alt, caption)


def _map(findings: Findings, side: Side, key: str, cuts: Cuts) -> Picture:
    factor, unit = display_unit(key)
    found = getattr(side.stats, key)
    values = side.stats.values[key]
    maximum = max(fixed_maximum(other.everywhere, key, factor) for other in findings.sides)
    label = f"{TITLES[key]} ({unit})"
    figure = draw_values(found.array * factor, found.grid, cuts, label, maximum, COLORMAPS[key])
    ends = float(values.min()), float(values.max())
    low, high = (f"{end:.0f}" if key == "n" else ml(end) for end in ends)
    least = count_words(findings.request.min_patients, "patient")
    where = f"{count_words(values.size, 'voxel')} lesioned in at least {least}"
    owner, spread = findings.owner(side), f"{low} to {high} {unit}"
    alt = f"Slices of the brain. {TITLES[key]} of {owner}: {spread} in {where}."
    patients = count_words(side.cohort.n_patients, "patient")
    scale = _scale(ends[1] * factor, maximum, unit, findings.is_pair)
    care = " Biased towards large lesions: see above." if key == "mean" else ""
    caption = f"{TITLES[key]} of {owner} (n = {patients}), in {where}: {spread}. {scale}{care}"
    return Picture(png_bytes(figure), alt, caption)


def _overlap(findings: Findings, cuts: Cuts) -> Picture:
    found = findings.overlap
    assert found is not None, "is drawn of two cohorts"
    flat = np.zeros(found.a.grid.size)
    for mask, one in ((found.only_a, ONLY_A), (found.only_b, ONLY_B), (found.both, BOTH)):
        flat[mask.indices] = one.value
    array = flat.reshape(found.a.grid.shape, order="F")
    figure = draw_classes(array, found.a.grid, cuts, OVERLAP_CLASSES)
    counts = (
        f"{count_words(found.only_a.voxels, 'voxel')} in A only, {found.only_b.voxels:,} in B "
        f"only, {found.both.voxels:,} in both"
    )
    least = count_words(findings.request.min_patients, "patient")
    alt = f"Slices of the brain: voxels lesioned in at least {least} of A and of B; {counts}."
    caption = f"Voxels lesioned in at least {least} of A, of B, and of each: {counts}."
    return Picture(png_bytes(figure), alt, caption)


def _frequency(findings: Findings, cuts: Cuts) -> Picture:
    found = findings.differences
    assert found is not None, "is drawn of two cohorts"
    values = found.frequency.array
    maximum = _end(values[values != 0])
    label = "Patients lesioned, A - B (percentage points)"
    figure = draw_difference(values, found.grid, cuts, label, maximum)
    low, high = (fixed(float(end), 1, plus=True) for end in (values.min(), values.max()))
    sizes = " and ".join(map(str, found.sizes))
    spread = f"from {low} to {high} percentage points"
    alt = f"Slices of the brain: patients lesioned in percent of A minus those of B, {spread}."
    caption = (
        f"Patients lesioned in percent of A minus those in percent of B (n = {sizes}), at each of "
        f"{count_words(found.indices.size, 'voxel')} that any patient has lesioned: {spread}. "
        f"Orange: more often in A; blue: more often in B. No test. "
        f"{_ends(float(np.abs(values).max()), maximum, 'percentage points')}"
    )
    return Picture(png_bytes(figure), alt, caption)


def _mean_difference(findings: Findings, cuts: Cuts) -> Picture:
    found = findings.differences
    assert found is not None, "is drawn of two cohorts"
    array = found.mean.array / ML
    values = array[np.isfinite(array)]
    maximum = _end(values)
    label = "Mean total lesion volume, A - B (mL)"
    figure = draw_difference(array, found.grid, cuts, label, maximum)
    low, high = (fixed(float(end), 2, plus=True) for end in (values.min(), values.max()))
    spread = f"from {low} to {high} mL"
    least = count_words(found.min_patients, "patient")
    where = f"{count_words(values.size, 'voxel')} lesioned in at least {least} of A and of B"
    alt = f"Slices of the brain: mean total lesion volume of A minus that of B, {spread}."
    caption = (
        f"Mean total lesion volume of A minus that of B (mL), in {where}: {spread}. Orange: larger "
        f"in A; blue: larger in B. No test. {_ends(float(np.abs(values).max()), maximum, 'mL')}"
    )
    return Picture(png_bytes(figure), alt, caption)


def _end(values: np.ndarray) -> float:
    """The end of a scale around 0, which a few extreme voxels do not stretch."""
    return nice_ceiling(float(np.percentile(np.abs(values), 99))) if values.size else 1.0


def _scale(highest: float, maximum: float, unit: str, is_pair: bool) -> str:
    more = " and more" if highest > maximum else ""
    whose = " and for A and B alike" if is_pair else ""
    return f"Colours run from 0 to {scale_words(maximum)} {unit}{more}, at every k{whose}."


def _ends(farthest: float, maximum: float, unit: str) -> str:
    more = " and beyond" if farthest > maximum else ""
    return f"Colours run to {scale_words(maximum)} {unit}{more} either way; 0 is not coloured."
