"""The report in a few sentences."""

from __future__ import annotations

import numpy as np

from ..regions import RegionCount
from .findings import Findings, Side
from .quantities import count_words, fixed, ml, ml_words, percent_words, point_words


def summary(findings: Findings) -> tuple[str, ...]:
    """What one wants to know first, a sentence each."""
    found = [
        sentence
        for side in findings.sides
        for sentence in (_patients(findings, side), _coverage(findings, side))
    ]
    if findings.overlap is not None:
        found.append(_overlap(findings))
    if findings.regions is not None:
        found.append(_region(findings))
    return tuple(found)


def spread_words(side: Side) -> str:
    """Median, quartiles and range of the total lesion volumes of a cohort."""
    low, lower, median, upper, high = quartiles(side)
    return f"median {median} mL (quartiles {lower} and {upper} mL, range {low} to {high} mL)"


def quartiles(side: Side) -> tuple[str, ...]:
    """Minimum, quartiles, median and maximum of the volumes of a cohort in mL, in their order."""
    return tuple(ml(float(one)) for one in np.percentile(side.volumes_mm3, (0, 25, 50, 75, 100)))


def most_region(findings: Findings) -> RegionCount | None:
    """The region that holds most of what is counted; None where no region does."""
    assert findings.regions is not None, "an atlas was given"
    first = findings.regions.rows[0]
    return first if len(findings.regions.rows) > 1 and first.voxels else None


def counted_words(findings: Findings) -> str:
    """The voxels that the region table counts."""
    least = count_words(findings.request.min_patients, "patient")
    if findings.is_pair:
        return f"voxels lesioned in at least {least} of A and of B"
    return f"voxels lesioned in at least {least}"


def _patients(findings: Findings, side: Side) -> str:
    who = count_words(side.cohort.n_patients, "patient")
    gone = [
        f"{len(side.not_usable):,} of {count_words(len(side.cohort.patients), 'file')} not usable"
        for _ in side.not_usable[:1]
    ]
    gone += [f"{len(side.left_out):,} left out by the conditions" for _ in side.left_out[:1]]
    of = f" ({', '.join(gone)})" if gone else ""
    return f"{findings.owner(side)}: {who}{of}; total lesion volume {spread_words(side)}."


def _coverage(findings: Findings, side: Side) -> str:
    row = side.coverage.at(findings.request.min_patients)
    least = count_words(row.min_patients, "patient")
    of = f" of {side.letter.upper()}" if findings.is_pair else ""
    verb = "is" if row.voxels == 1 else "are"
    voxels = f"{count_words(row.voxels, 'voxel')} ({ml_words(row.volume_mm3)}) {verb} lesioned"
    shares = (
        f"{percent_words(row.percent_of_brain)} of the MNI152 brain, "
        f"{percent_words(row.percent_of_lesioned)} of all lesioned voxels"
    )
    return f"{voxels} in at least {least}{of}: {shares}. {_peak(findings, side)}"


def _peak(findings: Findings, side: Side) -> str:
    if side.peak_mm is None:
        return "No patient has a lesioned voxel."
    most = count_words(side.coverage.most, "patient")
    verb = "shares" if side.coverage.most == 1 else "share"
    place = f"at MNI {point_words(side.peak_mm)} mm"
    if findings.atlas is not None:
        place += f" ({findings.atlas.region_at(side.peak_mm)})"
    return f"At most {most} {verb} a voxel, {place}."


def _overlap(findings: Findings) -> str:
    found = findings.overlap
    assert found is not None, "there are two cohorts"
    dice = f"{found.dice:.3f}" if found.dice == found.dice else "undefined, as both are empty"
    size = f"{count_words(found.both.voxels, 'voxel')} ({ml_words(found.both.volume_mm3)})"
    return f"Overlap: {size}, the {counted_words(findings)}; Dice coefficient {dice}."


def _region(findings: Findings) -> str:
    row = most_region(findings)
    if row is None:
        return f"No region of the atlas holds any of the {counted_words(findings)}."
    name = "with the most overlap" if findings.is_pair else "with the most of these voxels"
    share = percent_words(row.expected_percent_of_region)
    counted = f"{region_voxels(findings, row)} ({ml_words(row.expected_volume_mm3)})"
    return f"Region {name}: {row.region}, {counted}, {share} of the region."


def region_voxels(findings: Findings, row: RegionCount) -> str:
    """Voxels in a region; where an atlas tells probabilities, their sum."""
    counts = findings.regions
    if counts is not None and counts.probabilistic:
        return f"{fixed(row.expected_voxels, 1)} expected voxels"
    return count_words(row.voxels, "voxel")
