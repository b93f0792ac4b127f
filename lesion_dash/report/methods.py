"""What was done, in words for a paper."""

from __future__ import annotations

from ..atlas_library import LIBRARY, is_library_name, probable_credit
from ..cohort import Cohort
from ..thresholds import conventions
from .findings import Findings, Side
from .limits import limits
from .markup import Html, element, items, section
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
        element("blockquote", *(element("p", one) for one in paragraphs)),
        element("h3", "References"),
        items(cited_in(" ".join([*paragraphs, *limits(findings)]))),
    ]
    if credit := atlas_credit(findings):
        parts.append(element("p", credit))
    return section("Methods, for a paper", *parts)


def methods(findings: Findings) -> tuple[str, ...]:
    """The paragraphs: patients, topography, the pair, regions, software."""
    sides = findings.sides
    paragraphs = [
        [*(_patients(findings, side) for side in sides), _masks(findings.a.cohort)],
        [_topography(findings), *(_left(findings, side) for side in sides)],
        [_bias(findings, side) for side in sides],
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


def _patients(findings: Findings, side: Side) -> str:
    found = count_words(len(side.cohort.patients), "file")
    gone = []
    if many := len(side.not_usable):
        gone.append(f"{many:,} could not be used")
    if many := len(side.left_out):
        words = findings.request.words(side.letter)
        gone.append(f"{many:,} of patients who did not meet {words} were left out")
    of = f"; of {found}, {list_words(gone)}" if gone else ""
    who = count_words(side.cohort.n_patients, "patient")
    name = f"cohort {side.letter.upper()}, {side.name}" if findings.is_pair else side.name
    volumes = f"Total lesion volume per patient: {spread_words(side)}."
    return f"We studied the lesion masks of {who} ({name}{of}). {volumes}"


def _masks(cohort: Cohort) -> str:
    grid = cohort.grid
    shape = " × ".join(map(str, grid.shape))
    size = " × ".join(f"{edge:.4g}" for edge in grid.voxel_size)
    return (
        f"All masks were binary and on one grid of {shape} voxels of {size} mm (space: "
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


def _left(findings: Findings, side: Side) -> str:
    row = side.coverage.at(findings.request.min_patients)
    of = f" of cohort {side.letter.upper()}" if findings.is_pair else ""
    verb = "was" if row.voxels == 1 else "were"
    return (
        f"{count_words(row.voxels, 'voxel')}{of} ({ml_words(row.volume_mm3)}) {verb} left, "
        f"{percent_words(row.percent_of_brain)} of the brain of the MNI152 template and "
        f"{percent_words(row.percent_of_lesioned)} of all lesioned voxels."
    )


def _bias(findings: Findings, side: Side) -> str:
    if side.means is None:
        return ""
    mean, weighted = ml_words(side.means.cohort_mean), ml_words(side.means.weighted_mean)
    of = f" of cohort {side.letter.upper()}" if findings.is_pair else ""
    if side.letter == "b":
        return f"Those{of} were {mean} and {weighted}."
    return (
        "As a large lesion covers more voxels than a small one, the mean at a voxel is biased "
        f"towards large lesions: the mean volume of the lesions{of} was {mean}, and the "
        "size-weighted mean (Σv²/Σv), which lesions placed at random would give at a voxel, was "
        f"{weighted}."
    )


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
        f"at the {voxels} lesioned in at least {least} of each the mean total lesion volume of B "
        "from that of A. These differences describe the two cohorts; they were not tested."
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
    return (
        first,
        (
            f"Of the {counted_words(findings)}, the largest part lay in {row.region} "
            f"({region_voxels(findings, row)}, {of_map} of them and {of_region} of the region)."
        ),
    )


def _software() -> str:
    found = versions()
    return (
        f"All was done with lesion_dash {found['lesion_dash']} in Python {found['Python']}, with "
        f"NumPy {found['numpy']} (Harris et al., 2020), NiBabel {found['nibabel']}, and Nilearn "
        f"{found['nilearn']} (Abraham et al., 2014), which drew the maps on the MNI152 template "
        "(Fonov et al., 2011)."
    )


def convention_words(side: Side) -> tuple[str, ...]:
    """What others ask for in a cohort of this size, and what it leaves."""
    return tuple(
        f"{mark.label} ({mark.reference}): {side.coverage.at(mark.min_patients).sentence}"
        for mark in conventions(side.cohort.n_patients)
    )
