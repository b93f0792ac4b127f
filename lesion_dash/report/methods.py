"""What was done, in words for a paper."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..atlas_library import LIBRARY, is_library_name, probable_credit
from .columns import age_words, plain_words, sex_words
from .conventions import sources
from .findings import Findings, Side
from .limits import limits
from .markup import Html, element, items, prose, section
from .names import atlas_files
from .parameters import space_words
from .quantities import count_words, list_words, ml_words, percent_words
from .references import cited_in
from .summary import counted_words, most_region, region_voxels, spread_words
from .versions import versions


def methods_section(findings: Findings) -> Html:
    """The chapter with these words and their references."""
    paragraphs = methods(findings)
    told = "Plain words with the numbers of this report, to be taken over and shortened."
    parts = [
        element("p", told, class_="note"),
        element("blockquote", *(element("p", prose(one)) for one in paragraphs)),
        element("h3", "References"),
        items(cited_in(" ".join([*paragraphs, *limits(findings), *sources(findings)]))),
    ]
    if credit := atlas_credit(findings):
        parts.append(element("p", credit))
    return section("Methods, for a paper", *parts)


def methods(findings: Findings) -> tuple[str, ...]:
    """The paragraphs: patients, topography, the pair, regions, software."""
    paragraphs = [
        [_patients(findings), *_wanted(findings), *_people(findings), _masks(findings)],
        [_topography(findings), _left(findings)],
        [_bias(findings)],
        _pair(findings) if findings.is_pair else (),
        _regions(findings) if findings.regions is not None else (),
        [_software()],
    ]
    joined = [" ".join(filter(None, sentences)) for sentences in paragraphs]
    return tuple(filter(None, joined))


def atlas_credit(findings: Findings) -> str:
    """Whom to cite for the atlas, as far as that is known."""
    atlas = findings.atlas
    if atlas is None:
        return ""
    if is_library_name(atlas.name):
        known = LIBRARY.get(atlas.name)
        return f"Atlas: {known.credit}" if known else ""
    guess = probable_credit(atlas_files(atlas)[0], (region.name for region in atlas.regions))
    if not guess:
        return f"Atlas {atlas.name}: cite its authors; this report does not know who they are."
    return f"Atlas {atlas.name}: {guess} (a guess by its names; check it)."


def of_each(findings: Findings, told: Callable[[Side], str]) -> str:
    """What is said of the cohort, or of A and then of B; of neither, where nothing is."""
    said = {side: told(side) for side in findings.sides}
    if not findings.is_pair:
        return said[findings.a]
    return list_words(
        [f"{words} in {side.letter.upper()}" for side, words in said.items() if words]
    )


def _patients(findings: Findings) -> str:
    """How many, and of which folders."""
    sides = findings.sides
    sizes = [count_words(side.cohort.n_patients, "patient") for side in sides]
    if not findings.is_pair:
        return f"We studied the lesion masks of {sizes[0]} ({sides[0].folder})."
    folders = [side.folder for side in sides]
    if folders[0] == folders[1]:
        return (
            f"We studied the lesion masks of two parts of the cohort {folders[0]}: A, {sizes[0]}, "
            f"and B, {sizes[1]}."
        )
    named = [f"{size} ({folder})" for size, folder in zip(sizes, folders, strict=True)]
    return f"We studied the lesion masks of two cohorts: A, {named[0]}, and B, {named[1]}."


def _wanted(findings: Findings) -> list[str]:
    """Who was asked for, and how many files are not counted for that or for their faults."""
    sides, said = findings.sides, []
    asked = {
        side: [
            plain_words(one, side.cohort.units) for one in findings.request.conditions(side.letter)
        ]
        for side in sides
    }
    common = [one for one in asked[findings.a] if all(one in every for every in asked.values())]
    if common:
        said.append(f"Only patients with {list_words(common)} were included.")
    for side, words in asked.items():
        if own := [one for one in words if one not in common]:
            said.append(f"{side.letter.upper()} holds only patients with {list_words(own)}.")
    if any(side.left_out for side in sides):
        left = of_each(findings, lambda side: _out_of(len(side.left_out), side))
        said.append(f"Patients who did not meet this were left out ({left}).")
    if any(side.not_usable for side in sides):
        faulty = of_each(findings, lambda side: _out_of(len(side.not_usable), side))
        said.append(f"Files that could not be used were left out ({faulty}).")
    return said


def _out_of(number: int, side: Side) -> str:
    return f"{number:,} of {count_words(len(side.cohort.patients), 'file')}"


def _people(findings: Findings) -> list[str]:
    """Age, sex and lesion volumes."""
    said = []
    if ages := of_each(findings, partial(age_words, findings)):
        said.append(f"Median age was {ages}.")
    if sexes := of_each(findings, sex_words):
        said.append(f"Sex: {sexes}.")
    volumes = of_each(findings, spread_words)
    said.append(f"Total lesion volume per patient: {volumes}.")
    return said


def _masks(findings: Findings) -> str:
    asked, grid = findings.request, findings.a.cohort.grid
    made = "All masks were binary and"
    if asked.threshold is not None:
        made = f"Masks were the voxels of probability {asked.threshold:g} or more. All were"
    elif asked.label is not None:
        made = f"Masks were the voxels of label {asked.label}. All were"
    shape = " × ".join(map(str, grid.shape))
    size = " × ".join(f"{edge:.4g}" for edge in grid.voxel_size)
    return (
        f"{made} on one grid of {shape} voxels of {size} mm (space: "
        f"{space_words(grid)}). A patient's total lesion volume is the number of lesioned voxels "
        f"times the volume of a voxel ({grid.voxel_volume:.6g} mm³)."
    )


def _topography(findings: Findings) -> str:
    least = findings.request.min_patients
    return (
        f"At each voxel we counted the patients lesioned there. Where at least "
        f"{count_words(least, 'patient')} were, we computed the mean, the standard deviation "
        "(divided by n) and the median of their total lesion volumes, in all of the brain and not "
        "only at the voxel (lesion size topography; Weaver et al., 2019). There is no general rule "
        "for this minimum: lesion-symptom studies typically ask for 5 to 10 patients (Weaver et "
        "al., 2019); on leaving out rarely lesioned voxels see Sperber and Karnath, 2017."
    )


def _left(findings: Findings) -> str:
    rows = [side.coverage.at(findings.request.min_patients) for side in findings.sides]
    verb = "was" if len(rows) == 1 and rows[0].voxels == 1 else "were"
    return f"Left {verb} {of_each(findings, lambda side: _left_words(findings, side))}."


def _left_words(findings: Findings, side: Side) -> str:
    row = side.coverage.at(findings.request.min_patients)
    return (
        f"{count_words(row.voxels, 'voxel')} ({ml_words(row.volume_mm3)}; "
        f"{percent_words(row.percent_of_brain)} of the brain of the MNI152 template, "
        f"{percent_words(row.percent_of_lesioned)} of all lesioned voxels)"
    )


def _bias(findings: Findings) -> str:
    mean, weighted = (
        of_each(findings, partial(mean_words, key)) for key in ("cohort_mean", "weighted_mean")
    )
    if not mean:
        return ""
    return (
        "As a large lesion covers more voxels than a small one, the mean at a voxel is biased "
        f"towards large lesions: the mean volume of the lesions was {mean}, and the size-weighted "
        f"mean (Σv²/Σv), which lesions placed at random would give at a voxel, was {weighted}."
    )


def mean_words(key: str, side: Side) -> str:
    """The mean of the lesions of a cohort, or their size-weighted mean; empty without a lesion."""
    return "" if side.means is None else ml_words(getattr(side.means, key))


def _pair(findings: Findings) -> tuple[str, ...]:
    found, both = findings.differences, findings.overlap
    assert found is not None, "there are two cohorts"
    assert both is not None, "there are two cohorts"
    dice = f"; Dice coefficient {both.dice:.3f}" if both.dice == both.dice else ""
    size = f"{count_words(both.both.voxels, 'voxel')}, {ml_words(both.both.volume_mm3)}"
    least = count_words(found.min_patients, "patient")
    voxels = count_words(found.compared.voxels, "voxel")
    differences = (
        "At each voxel we subtracted the percentage of patients lesioned in B from that in A, and "
        f"at the {voxels} lesioned in at least {least} of each the mean total lesion volume of B, "
        "and its standard deviation, from those of A. These differences describe the two cohorts; "
        "they were not tested."
    )
    overlap = f"The overlap of both cohorts is the {counted_words(findings)} ({size}{dice})."
    return overlap, differences


def _regions(findings: Findings) -> tuple[str, ...]:
    counts, atlas, row = findings.regions, findings.atlas, most_region(findings)
    assert counts is not None, "an atlas was given"
    assert atlas is not None, "an atlas was given"
    kind = "a probabilistic atlas" if counts.probabilistic else "an atlas of labels"
    size = count_words(len(atlas.regions), "region")
    moved = "" if atlas.grid.matches(counts.mask.grid) else ", brought onto the grid of the masks"
    first = f"Regions are those of {atlas.name}, {kind} of {size}{moved}."
    if row is None:
        return (first, f"None of them holds any of the {counted_words(findings)}.")
    of_map = percent_words(100 * row.mean_probability)
    of_region = percent_words(row.expected_percent_of_region)
    outside = counts.rows[-1]
    missed = f"{count_words(outside.voxels, 'voxel')} ({percent_words(outside.percent_of_map)})"
    return (
        first,
        (
            f"Of the {counted_words(findings)}, the largest part lay in {row.region} "
            f"({region_voxels(findings, row)}, {of_map} of them and {of_region} of the region)."
        ),
        f"{missed} of them lay outside the atlas, in none of its regions.",
    )


def _software() -> str:
    found = versions()
    return (
        f"All was done with lesion_dash {found['lesion_dash']} in Python {found['Python']}, with "
        f"NumPy {found['numpy']} (Harris et al., 2020), NiBabel {found['nibabel']} (Brett et al.), "
        f"and Nilearn {found['nilearn']} (Abraham et al., 2014; Nilearn contributors), which drew "
        "the maps on the MNI152 template (Fonov et al., 2011)."
    )
