"""The page of a report: one HTML file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache, partial
from pathlib import Path

from ..cohort.loading import MEMORY_VARIABLE
from ..regions.counts import RegionCount
from .figures import Picture
from .findings import Findings, Side, versions, without_folders
from .methods import (
    convention_table,
    limit_section,
    mean_words,
    methods_section,
    of_each,
    parameter_section,
    sources,
)
from .reproduction import reproduction_section
from .words import (
    Html,
    breakable,
    column_rows,
    count_words,
    counted_words,
    decimals_of,
    element,
    fixed,
    folded,
    items,
    join,
    ml,
    percent,
    prose,
    quartiles,
    section,
    summary,
    table,
)

_FEW_FILES = 5


def cohort_section(findings: Findings) -> Html:
    """The chapter on the patients."""
    parts = [_flow(findings), _columns(findings)]
    for side in findings.sides:
        parts += [_exclusions(findings, side), _remarks(findings, side), _notes(findings, side)]
    return section(
        "Cohort and exclusions" if not findings.is_pair else "Cohorts and exclusions", *parts
    )


def _heads(findings: Findings) -> list[str]:
    return [findings.owner(side) for side in findings.sides]


def _flow(findings: Findings) -> Html:
    """From files found to patients counted, a column for each cohort."""
    sides = findings.sides
    rows = [
        ["Files found", *(f"{len(side.cohort.patients):,}" for side in sides)],
        ["Not usable", *(f"{len(side.not_usable):,}" for side in sides)],
        ["Left out by the conditions", *(f"{len(side.left_out):,}" for side in sides)],
        ["Patients counted (n)", *(f"{side.cohort.n_patients:,}" for side in sides)],
        *_volumes(sides),
        ["Patients without a lesioned voxel", *(_empty(side) for side in sides)],
    ]
    caption = "From files to patients. A patient is one file; volumes are of the whole lesion."
    return table(caption, ["step", *_heads(findings)], rows, numbers=1)


def _volumes(sides: Sequence[Side]) -> list[list[str]]:
    """Median, quartiles and range of each cohort."""
    found = [quartiles(side) for side in sides]
    return [
        ["Total lesion volume (mL), median", *(one[2] for one in found)],
        ["Total lesion volume (mL), quartiles", *(f"{one[1]} and {one[3]}" for one in found)],
        ["Total lesion volume (mL), range", *(f"{one[0]} to {one[4]}" for one in found)],
    ]


def _empty(side: Side) -> str:
    return f"{int((side.cohort.volumes == 0).sum()):,}"


def _columns(findings: Findings) -> Html:
    """What the participants tables say of the patients that are counted."""
    rows = column_rows(findings)
    if not rows:
        return element("p", "There is no participants table, or it was not found.")
    caption = (
        "Columns of the participants table, of the patients that are counted. Numbers: median "
        "(quartiles; range); words: patients with each value."
    )
    return table(caption, ["column", *_heads(findings)], rows, numbers=9)


def _exclusions(findings: Findings, side: Side) -> Html:
    """The reasons for which files are not counted, each with its files."""
    gone = [*side.not_usable, *side.left_out]
    if not gone:
        return element("p", f"{findings.owner(side)}: every file found is counted.")
    caption = f"Not counted of {findings.owner(side)}: {count_words(len(gone), 'file')}"
    return _by_reason(findings, caption, [(one.file, one.reason) for one in gone])


def _remarks(findings: Findings, side: Side) -> Html:
    """What was unusual about files that are counted."""
    flagged = [
        (one.file, reason)
        for one in side.cohort.used
        if one.outcome == "warn"
        for reason in one.reasons
    ]
    if not flagged:
        return Html("")
    caption = f"Counted, and to be looked at, of {findings.owner(side)}"
    return _by_reason(findings, caption, flagged)


def _by_reason(findings: Findings, caption: str, pairs: Sequence[tuple[str, str]]) -> Html:
    files: dict[str, list[str]] = defaultdict(list)
    for file, reason in pairs:
        files[without_folders(reason, findings.cohorts)].append(file)
    rows = [[reason, f"{len(found):,}", _file_list(found)] for reason, found in files.items()]
    return table(caption, ["reason", "files (n)", "which"], rows, numbers=9)


def _file_list(files: Sequence[str]) -> Html:
    listed = join([", ".join(files)])
    return listed if len(files) <= _FEW_FILES else folded(count_words(len(files), "file"), listed)


def _notes(findings: Findings, side: Side) -> Html:
    """What is unusual about the masks as a group."""
    means = side.means.notes if side.means is not None else ()
    # How this computer kept the masks says nothing of the patients, and differs elsewhere.
    told = [note for note in side.cohort.notes if MEMORY_VARIABLE not in note]
    notes = [without_folders(note, findings.cohorts) for note in (*told, *means)]
    if not notes:
        return Html("")
    return join([element("p", f"Notes on {findings.owner(side)}:"), items(notes)])


# The chapters between the patients and the methods: volumes, maps, the choice of k, regions.


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


# The page of a report: one file that asks nobody for anything.


PAGE_NAME = "report.html"


def make_page(
    findings: Findings, pictures: Pictures, files: list[tuple[str, str]], day: date
) -> str:
    """The page as text.

    Parameters
    ----------
    findings : Findings
    pictures : mapping
    files : list of (str, str)
        Name of each file beside the page, and what it holds.
    day : date
        On which the report was made.
    """
    body = element(
        "body",
        _header(findings, day),
        element(
            "main",
            element(
                "section",
                element("h2", "In short"),
                items(map(prose, summary(findings))),
                class_="short",
            ),
            cohort_section(findings),
            volume_section(pictures),
            parameter_section(findings),
            map_section(findings, pictures),
            coverage_section(findings, pictures),
            region_section(findings),
            limit_section(findings),
            methods_section(findings),
            reproduction_section(findings),
            _files_beside(files),
        ),
        _footer(),
    )
    page = element("html", _head(findings.title), body, lang="en-GB")
    return f"<!DOCTYPE html>\n{page}\n"


def _head(title: str) -> Html:
    style = _style()
    # The page may show its own pictures in its own style, and nothing else, whatever it holds.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    )
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", Html(style)),
    )


@lru_cache(maxsize=1)
def _style() -> str:
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def _header(findings: Findings, day: date) -> Html:
    words = f"lesion_dash {versions()['lesion_dash']}"
    stamp = element("time", day.isoformat(), datetime=day.isoformat())
    return element(
        "header",
        element("h1", findings.title),
        element("p", "Made on ", stamp, f" with {words}."),
    )


def _files_beside(files: list[tuple[str, str]]) -> Html:
    """What lies beside the page; the same of A and of B in one line."""
    names: dict[str, list[str]] = {}
    for name, words in files:
        names.setdefault(words, []).append(element("code", name))
    listed = items(join([join(own, ", "), f": {words}"]) for words, own in names.items())
    return element("section", element("h2", "Files beside this page"), listed, class_="files")


def _footer() -> Html:
    told = (
        "This page loads nothing from anywhere and sends nothing. It names the files of patients: "
        "look at it before you hand it on."
    )
    return element("footer", told)
