"""The chapters between the patients and the methods: volumes, maps, the choice of k, regions."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from ..map_scales import ML
from ..regions import RegionCount
from .figures import Picture
from .findings import Findings, Side
from .markup import Html, breakable, element, items, join, section, table
from .methods import convention_words
from .names import without_folders
from .quantities import count_words, ml_words, number_words, percent_words
from .summary import counted_words

Pictures = Mapping[str, Picture]

_KEYS = ("n", "mean", "std")


def map_section(findings: Findings, pictures: Pictures) -> Html:
    """The chapter of the maps."""
    parts: list[Html] = []
    for side in findings.sides:
        if findings.is_pair:
            parts.append(element("h3", findings.owner(side)))
        drawn = [_figure(pictures, f"{key}_{side.letter}") for key in _KEYS]
        parts += drawn if any(drawn) else [element("p", _nothing(findings, side))]
        parts.append(_bias(side))
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
    parts = [element("p", first)]
    for side in findings.sides:
        if findings.is_pair:
            parts.append(element("h3", findings.owner(side)))
        parts += [items(convention_words(side)), _figure(pictures, f"coverage_{side.letter}")]
    return section("The choice of k", *parts)


def volume_section(findings: Findings, pictures: Pictures) -> Html:
    """The chapter on how large the lesions are."""
    figures = [_figure(pictures, f"volumes_{side.letter}") for side in findings.sides]
    return section("Lesion volumes", *figures)


def region_section(findings: Findings) -> Html:
    """The chapter of the regions; nothing without an atlas."""
    counts = findings.regions
    if counts is None:
        return Html("")
    *regions, outside = counts.rows
    touched = [row for row in regions if row.voxels]
    head = ["region", "voxels (n)", "volume (mL)", "% of map", "% of region"]
    if counts.probabilistic:
        head += ["expected voxels", "mean probability (%)"]
    rows = [_row(row, counts.probabilistic) for row in (*touched, outside)]
    order = "largest first"
    if counts.probabilistic:
        order += " by expected voxels, the sum of the region's probabilities"
    caption = (
        f"Regions of {counts.atlas.name} that hold any of the {counted_words(findings)} "
        f"(n = {count_words(counts.mask.voxels, 'voxel')}): {len(touched):,} of "
        f"{count_words(len(regions), 'region')}, {order}. % of map: share of these voxels. "
        "x, y, z: one of them near their middle, MNI mm."
    )
    told = "All regions and more columns are in region_counts.csv."
    notes = [without_folders(note, findings.cohorts) for note in counts.notes]
    parts = [table(caption, [*head, "x", "y", "z"], rows, numbers=1), element("p", told)]
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


def _bias(side: Side) -> Html:
    if side.means is None:
        return Html("")
    mean, weighted = ml_words(side.means.cohort_mean), ml_words(side.means.weighted_mean)
    told = (
        "A large lesion covers more voxels, so it is counted at more of them: the mean at a voxel "
        "is biased towards large lesions. Were every lesion placed anywhere with equal chance, the "
        f"mean at a voxel would not be about the mean of the lesions, {mean}, but about the "
        f"size-weighted mean Σv²/Σv, {weighted}. Compare the map with this value; that is no test, "
        "which lesion-dash size-bias makes."
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
        number_words(row.volume_mm3 / ML),
        percent_words(row.percent_of_map),
        percent_words(row.percent_of_region),
    ]
    if probabilistic:
        cells += [number_words(row.expected_voxels), percent_words(100 * row.mean_probability)]
    return [*cells, *(f"{value + 0.0:.4g}" if value == value else "–" for value in row.mm)]
