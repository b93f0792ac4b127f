"""What a report does not show."""

from __future__ import annotations

from .findings import Findings
from .markup import Html, items, section

_ALWAYS = """
The maps show where lesions lie and how large they are. They hold no symptom or outcome, and a high
mean does not say that a place makes lesions large.

Large lesions cover more voxels, so the mean at a voxel is above the cohort's mean nearly
everywhere, by construction. lesion-dash size-bias tests it against volumes shuffled among patients.

A mean of few patients is uncertain: read the map of n beside it. Voxels below the minimum of
patients are left out, which does not mean that no lesion lies there.

Vessels give lesions their shape, so voxels of one territory go together and are no independent
observations (Mah et al., 2014).

Whether the masks are drawn and registered well is not checked here, beyond the shape and the place
of their grids. One file is taken for one patient.

The share of the brain is that of the MNI152 template, not of the patients' brains.
"""

_OF_REGIONS = """
Names of regions are those of the atlas: another atlas draws other borders, and none knows the
patients' own anatomy.
"""

_OF_PAIRS = """
Overlap and differences describe these cohorts; no difference was tested, and cohorts may differ in
age, severity or imaging.
"""


def limit_section(findings: Findings) -> Html:
    """The chapter on what the report does not show."""
    return section("Limits", items(limits(findings)))


def limits(findings: Findings) -> tuple[str, ...]:
    """What a reader must know, a few sentences each."""
    told = _ALWAYS
    if findings.regions is not None:
        told += "\n" + _OF_REGIONS
    if findings.is_pair:
        told += "\n" + _OF_PAIRS
    return tuple(" ".join(part.split()) for part in told.strip().split("\n\n"))
