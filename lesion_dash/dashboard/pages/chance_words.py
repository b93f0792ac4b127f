"""What the page Larger than chance? says of a place, of a test, and of what neither shows."""

from __future__ import annotations

import html
import math

from ...core.defaults import SIGNIFICANCE_LEVEL
from ...core.formats import PERCENT, VOLUME, VOLUME_DIFFERENCE, P
from ...plotting.figures import ML
from ...stats.size_bias import STATEMENT, VolumePermutations
from ..places import Mm
from ..size_bias_service import Contrasts
from ..widgets.layers import ValueLayer
from .compare_place import NOTHING

ABOVE_MEAN = (
    "Where is the mean volume above {mean}, the mean of all {patients:,} patients? Nearly "
    "everywhere, and that is not a finding: a large lesion covers more voxels."
)
ABOVE_WEIGHTED = (
    "Where is it above {weighted}, the mean expected from lesion volume alone? "
    "Effect size, not tested."
)
SHUFFLED = "Where are means {answer} than with volumes shuffled {permutations:,} times?"
ANSWERS = {
    "larger": "larger",
    "smaller": "smaller",
    "two-sided": "further from the mean",
}


def statement_html() -> str:
    """What a small p says, and what it does not."""
    first, _, rest = STATEMENT.partition(". ")
    return f"<p><b>{html.escape(first)}.</b> {html.escape(rest)}</p>"


def question_words(permutations: int, side: str) -> str:
    """What the test asks.

    Examples
    --------
    >>> question_words(1000, "smaller")
    'Where are means smaller than with volumes shuffled 1,000 times?'
    """
    return SHUFFLED.format(permutations=permutations, answer=ANSWERS[side])


def outcome_words(permutations: VolumePermutations) -> str:
    """In how many of the tested voxels the corrected p is small.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> from lesion_dash.stats.permutation import permute_volumes
    >>> found = permute_volumes(load_cohort("sample_data/cohort_a"), permutations=99)
    >>> outcome_words(found)
    'Corrected p (family-wise) ≤ 0.05 in 8,394 of 12,726 voxels tested (66.0 %).'
    """
    count, tested = permutations.significant(SIGNIFICANCE_LEVEL), permutations.tested
    share = PERCENT.with_unit(100 * count / tested)
    tested_voxels = f"{count:,} of {tested:,} voxels tested ({share})"
    return f"Corrected p (family-wise) ≤ {SIGNIFICANCE_LEVEL:g} in {tested_voxels}."


def p_heading(side: str) -> str:
    """What the map of p tells, in a figure.

    Examples
    --------
    >>> p_heading("smaller")
    'Smaller than with shuffled volumes'
    """
    than = "other" if side == "two-sided" else side
    return f"{than.capitalize()} than with shuffled volumes"


def foot_words(contrasts: Contrasts, permutations: VolumePermutations | None) -> str:
    """Below a figure: whose lesions, where, and how they were tested."""
    means = contrasts.means
    of = (
        f"{contrasts.whose}: mean total lesion volume where at least {means.min_patients} are "
        f"lesioned, above {VOLUME.with_unit(means.cohort_mean / ML)} (the cohort's mean) "
        f"and above {VOLUME.with_unit(means.weighted_mean / ML)} (the size-weighted mean)."
    )
    if permutations is None:
        return of
    return f"{of} Corrected p (family-wise): {permutations.sentence}."


def mean_words(layer: ValueLayer, whose: str, mm: Mm, min_patients: int) -> tuple[str, str]:
    """A contrast with one of the means at the crosshair."""
    value = layer.value_at(mm, min_patients)
    if math.isnan(value):
        return NOTHING, "too few patients are lesioned here"
    side = "above" if value > 0 else "below"
    return VOLUME_DIFFERENCE.with_unit(value), f"{side} the {whose} mean"


def p_words(permutations: VolumePermutations, layer: ValueLayer, mm: Mm) -> tuple[str, str]:
    """The corrected p at the crosshair, and the other one beside it."""
    at = _row(permutations, layer, mm)
    if at is None:
        return NOTHING, "not tested here"
    value = f"corrected {p_value(permutations.corrected_p[at])}"
    return _unbroken(value), _unbroken(f"family-wise; uncorrected {p_value(permutations.p[at])}")


def _unbroken(text: str) -> str:
    """The text, of which no line ends between p and its value."""
    return text.replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")


def p_value(p: float) -> str:
    """A p with as many digits as one reads.

    Examples
    --------
    >>> [p_value(p) for p in (0.000999, 0.0479, 0.5, 1.0)]
    ['p = 0.0010', 'p = 0.048', 'p = 0.50', 'p = 1.00']
    """
    text = P.text(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def place_html(contrasts: Contrasts, permutations: VolumePermutations | None, mm: Mm) -> str:
    """What is known of a place, as a table."""
    layer, means = contrasts.above_mean, contrasts.means
    above = layer.value_at(mm, means.min_patients)
    if math.isnan(above):
        few = f"Fewer than {means.min_patients} patients are lesioned here: nothing is compared."
        return f"<p>{few}</p>"
    rows = [
        ("Mean lesion volume here", VOLUME.with_unit(above + means.cohort_mean / ML)),
        (
            f"above the cohort's mean ({VOLUME.with_unit(means.cohort_mean / ML)})",
            VOLUME_DIFFERENCE.with_unit(above),
        ),
        (
            f"above the size-weighted mean ({VOLUME.with_unit(means.weighted_mean / ML)})",
            VOLUME_DIFFERENCE.with_unit(
                contrasts.above_weighted_mean.value_at(mm, means.min_patients)
            ),
        ),
    ]
    if permutations is not None:
        rows += _tested(permutations, layer, mm)
    cells = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(value)}</td></tr>'
        for name, value in rows
    )
    return f'<table aria-live="polite"><tbody>{cells}</tbody></table>'


def _tested(permutations: VolumePermutations, layer: ValueLayer, mm: Mm) -> list[tuple[str, str]]:
    at = _row(permutations, layer, mm)
    if at is None:
        return [("Corrected p (family-wise)", "not tested: all patients are lesioned here")]
    return [
        ("Patients lesioned here", f"{permutations.n[at]:,} of {permutations.n_patients:,}"),
        (
            f"Corrected p (family-wise, {permutations.tested:,} voxels)",
            p_value(permutations.corrected_p[at]),
        ),
        ("Uncorrected p, for this voxel alone", p_value(permutations.p[at])),
    ]


def _row(permutations: VolumePermutations, layer: ValueLayer, mm: Mm) -> int | None:
    """The row of the voxel that holds a place, None where it was not tested."""
    voxel = layer.grid.nearest_voxel(mm)
    return None if voxel is None else permutations.row_of(layer.grid.linear_index(voxel))
