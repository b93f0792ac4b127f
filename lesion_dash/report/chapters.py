"""The chapters between the patients and the methods: volumes, maps, the choice of k, regions."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import partial

from ..regions import RegionCount
from .conventions import convention_table, sources
from .figures import Picture
from .findings import Findings, Side
from .markup import Html, breakable, element, items, join, section, table
from .methods import mean_words, of_each
from .names import without_folders
from .quantities import count_words, decimals_of, fixed, ml, percent
from .summary import counted_words

Pictures = Mapping[str, Picture]

_KEYS = ("n", "mean", "std")
_PLACE = ("x (mm)", "y (mm)", "z (mm)")


def map_section(findings: Findings, pictures: Pictures) -> Html:
    """The chapter of the maps."""
    parts: list[Html] = [element("p", _reading(findings)), _bias(findings)]
    for side in findings.sides:
        if findings.is_pair:
            parts.append(element("h3", findings.owner(side)))
        drawn = [_figure(pictures, f"{key}_{side.letter}") for key in _KEYS]
        parts += drawn if any(drawn) else [element("p", _nothing(findings, side))]
    if findings.is_pair:
        parts.append(element("h3", "A and B compared"))
        parts += [_figure(pictures, key) for key in ("overlap", "frequency", "difference")]
        parts.append(_pair_notes(findings))
    return section("Maps", *parts)


def coverage_section(findings: Findings, pictures: Pictures) -> Html:
    """The chapter on the choice of the minimum of patients."""
    first = (
        f"This report asks for k = {findings.request.min_patients}. There is no general rule; what "
        "others ask for, and what it would leave here:"
    )
    lead = element("p", first, class_="lead")
    rules = element("p", "; ".join(sources(findings)) + ".", class_="note")
    figures = [_figure(pictures, f"coverage_{side.letter}") for side in findings.sides]
    return section("The choice of k", lead, convention_table(findings), rules, *figures)


def volume_section(pictures: Pictures) -> Html:
    """The chapter on how large the lesions are."""
    return section("Lesion volumes", _figure(pictures, "volumes"))


def region_section(findings: Findings) -> Html:
    """The chapter of the regions; nothing without an atlas."""
    counts = findings.regions
    if counts is None:
        return Html("")
    *regions, outside = zip(counts.rows, counts.places, strict=True)
    touched = [(row, place) for row, place in regions if row.voxels]
    head = ["region", "voxels (n)", "volume (mL)", "% of map", "% of region"]
    if counts.probabilistic:
        head += ["expected voxels", "mean probability (%)"]
    shown = (*touched, outside)
    decimals = decimals_of((value for _, place in shown for value in place), most=1)
    rows = [
        [*_row(row, counts.probabilistic), *(fixed(value, decimals) for value in place)]
        for row, place in shown
    ]
    order = "largest first"
    if counts.probabilistic:
        order += " by expected voxels, the sum of the region's probabilities"
    caption = (
        f"Regions of {counts.atlas.name} that hold any of the {counted_words(findings)} "
        f"(n = {count_words(counts.mask.voxels, 'voxel')}): {len(touched):,} of "
        f"{count_words(len(regions), 'region')}, {order}. % of map: share of these voxels. "
        "x, y, z: one of them near their middle, MNI coordinates."
    )
    told = "All regions and more columns are in region_counts.csv."
    notes = [without_folders(note, findings.cohorts) for note in counts.notes]
    parts = [table(caption, [*head, *_PLACE], rows, numbers=1), element("p", told)]
    if notes:
        parts += [element("p", "Notes on the atlas:"), items(notes)]
    return section("Regions", *parts)


def _figure(pictures: Pictures, key: str) -> Html:
    found = pictures.get(key)
    if found is None:
        return Html("")
    data = base64.b64encode(found.png).decode()
    image = element("img", src=f"data:image/png;base64,{data}", alt=found.alt)
    return element("figure", image, element("figcaption", found.caption), id=f"figure-{key}")


def _nothing(findings: Findings, side: Side) -> str:
    least, most = findings.request.min_patients, side.coverage.most
    return f"No voxel is lesioned in {least} patients: at most {most} share one. There is no map."


def _reading(findings: Findings) -> str:
    """How the maps are read, and why their scales may end above every value that is drawn."""
    whose = "for A and B and " if findings.is_pair else ""
    return (
        "Rows of slices, the same for every map. L and R are the patient's left and right, P and A "
        "back and front; the numbers are MNI coordinates in mm. In the maps of patients, mean and "
        f"SD, a colour stands for the same value {whose}whatever k is, so that maps can be "
        "compared: the scale of patients ends at the most that share any voxel, rounded up to a "
        "multiple of 4, the others at a round number."
    )


def _bias(findings: Findings) -> Html:
    mean, weighted = (
        of_each(findings, partial(mean_words, key)) for key in ("cohort_mean", "weighted_mean")
    )
    if not mean:
        return Html("")
    told = (
        "A large lesion covers more voxels, so it is counted at more of them: the mean at a voxel "
        "is biased towards large lesions. Were every lesion placed anywhere with equal chance, the "
        f"mean at a voxel would not be about the mean of the lesions, {mean}, but about the "
        f"size-weighted mean Σv²/Σv, {weighted}. Compare the map with this value; that is no test, "
        "which the page “Larger than chance?” and lesion-dash size-bias make."
    )
    return element("p", element("strong", "Read the mean with care. "), told, class_="care")


def _pair_notes(findings: Findings) -> Html:
    assert findings.differences is not None, "there are two cohorts"
    if not findings.differences.notes:
        return Html("")
    notes = [without_folders(note, findings.cohorts) for note in findings.differences.notes]
    return join([element("p", "Notes on the pair:"), items(notes)])


def _row(row: RegionCount, probabilistic: bool) -> list[str]:
    cells = [
        breakable(row.region),
        f"{row.voxels:,}",
        ml(row.volume_mm3),
        percent(row.percent_of_map),
        percent(row.percent_of_region),
    ]
    if probabilistic:
        cells += [fixed(row.expected_voxels, 1), percent(100 * row.mean_probability)]
    return cells
