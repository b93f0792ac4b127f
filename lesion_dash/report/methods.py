"""What was done, in words for a paper: methods, parameters, conventions, limits, references."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..atlas.published import LIBRARY, is_library_name, probable_credit
from ..core.grid import Grid
from ..stats.coverage import CoverageRow, Mark
from .findings import Findings, Side, atlas_files, file_name, versions
from .words import (
    Html,
    age_words,
    condition_words,
    count_words,
    counted_words,
    element,
    items,
    list_words,
    ml,
    ml_words,
    most_region,
    percent,
    percent_words,
    plain_words,
    prose,
    region_voxels,
    section,
    sex_words,
    spread_words,
    table,
)

REFERENCES = {
    "Weaver et al., 2019": (
        "Weaver NA, Zhao L, Biesbroek JM, Kuijf HJ, et al.; Meta VCI Map consortium (2019). The "
        "Meta VCI Map consortium for meta-analyses on strategic lesion locations for vascular "
        "cognitive impairment using lesion-symptom mapping: Design and multicenter pilot study. "
        "Alzheimer's & Dementia: Diagnosis, Assessment & Disease Monitoring 11, 310-326. "
        "doi:10.1016/j.dadm.2019.02.007"
    ),
    "Sperber and Karnath, 2017": (
        "Sperber C, Karnath HO (2017). Impact of correction factors in human brain "
        "lesion-behavior inference. Human Brain Mapping 38(3), 1692-1701. doi:10.1002/hbm.23490"
    ),
    "Mah et al., 2014": (
        "Mah YH, Husain M, Rees G, Nachev P (2014). Human brain lesion-deficit inference "
        "remapped. Brain 137(9), 2522-2531. doi:10.1093/brain/awu164"
    ),
    "Fonov et al., 2011": (
        "Fonov V, Evans AC, Botteron K, Almli CR, McKinstry RC, Collins DL (2011). Unbiased "
        "average age-appropriate atlases for pediatric studies. NeuroImage 54(1), 313-327. "
        "doi:10.1016/j.neuroimage.2010.07.033"
    ),
    "Abraham et al., 2014": (
        "Abraham A, Pedregosa F, Eickenberg M, Gervais P, Mueller A, Kossaifi J, Gramfort A, "
        "Thirion B, Varoquaux G (2014). Machine learning for neuroimaging with scikit-learn. "
        "Frontiers in Neuroinformatics 8, 14. doi:10.3389/fninf.2014.00014"
    ),
    "Harris et al., 2020": (
        "Harris CR, Millman KJ, van der Walt SJ, et al. (2020). Array programming with NumPy. "
        "Nature 585, 357-362. doi:10.1038/s41586-020-2649-2"
    ),
    "Brett et al.": (
        "Brett M, Markiewicz CJ, Hanke M, Côté MA, Cipollini B, McCarthy P, et al. NiBabel. "
        "Zenodo, a record for each version. doi:10.5281/zenodo.591597; nipy.org/nibabel"
    ),
    "Nilearn contributors": (
        "Nilearn contributors. Nilearn. Zenodo, a record for each version. "
        "doi:10.5281/zenodo.8397156; nilearn.github.io"
    ),
    "LESYMAP (Pustina)": (
        "Pustina D. LESYMAP, lesion to symptom mapping in R; option minSubjectPerVoxel. "
        "github.com/dorianps/LESYMAP"
    ),
}
"""What is cited in a text, and the whole reference."""


def cited_in(text: str) -> tuple[str, ...]:
    """The references of a text, in the order of the alphabet.

    Examples
    --------
    >>> [found[:9] for found in cited_in("as usual (Weaver et al., 2019; Mah et al., 2014)")]
    ['Mah YH, H', 'Weaver NA']
    """
    return tuple(sorted(whole for short, whole in REFERENCES.items() if short in text))


# What a report does not show.


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


# The minimum of patients that others ask for, and what each would leave of these cohorts.


_HEAD = ("asked for by", "k", "voxels (n)", "volume (mL)", "% of brain", "% of lesioned voxels")


def convention_table(findings: Findings) -> Html:
    """A row for the minimum of this report and for each rule, of each cohort."""
    rows = [row for side in findings.sides for row in _convention_rows(findings, side)]
    caption = (
        "What each minimum of patients (k) leaves. % of brain: of the MNI152 template's; % of "
        "lesioned voxels: of those that any patient has lesioned."
    )
    return table(caption, _HEAD, rows, numbers=1)


def sources(findings: Findings) -> tuple[str, ...]:
    """Who asks for it, a line for each source with its rules."""
    rules: dict[str, dict[str, None]] = {}
    for side in findings.sides:
        for mark in side.coverage.marks:
            rules.setdefault(mark.reference, {})[mark.label] = None
    return tuple(f"{list_words([*labels])}: {source}" for source, labels in rules.items())


def _convention_rows(findings: Findings, side: Side) -> list[list[str]]:
    of = f"{side.letter.upper()}: " if findings.is_pair else ""
    own = Mark(findings.request.min_patients, "this report", "")
    asked = [own, *side.coverage.marks]
    return [[f"{of}{mark.label}", *_cells(side.coverage.at(mark.min_patients))] for mark in asked]


def _cells(row: CoverageRow) -> list[str]:
    return [
        str(row.min_patients),
        f"{row.voxels:,}",
        ml(row.volume_mm3),
        percent(row.percent_of_brain),
        percent(row.percent_of_lesioned),
    ]


# What was chosen, defaults included.


_SPACES = {3: "Talairach", 4: "MNI152"}
"""NIfTI form codes that name a space."""


def parameter_section(findings: Findings) -> Html:
    """The chapter on the parameters."""
    rows = [[name, value] for name, value in _parameter_rows(findings)]
    caption = "Every choice, defaults included."
    return section("Parameters", table(caption, ["parameter", "value"], rows, numbers=9))


def _parameter_rows(findings: Findings) -> list[tuple[str, str]]:
    asked = findings.request
    least = f"{asked.min_patients}: voxels lesioned in at least so many patients count"
    rows = [("Minimum patients (k)", least + (" (of A, and of B)" if findings.is_pair else ""))]
    for side in findings.sides:
        units = side.cohort.units
        conditions = asked.conditions(side.letter)
        words = " and ".join(condition_words(one, units) for one in conditions)
        rows.append((f"Conditions{_of(findings, side)}", words or "none"))
        rows.append((f"Participants table{_of(findings, side)}", _participants(side)))
    rows += [
        ("Files read", f"names that match {asked.pattern}"),
        ("Masks", _masks_words(asked.threshold, asked.label)),
        ("Grid", _grid(findings.a.cohort.grid)),
        ("Space", space_words(findings.a.cohort.grid)),
        ("Standard deviation", "of the population (divided by n)"),
        (
            "Outside the voxels that count",
            "maps of A and of B hold 0" if findings.is_pair else "maps hold 0",
        ),
    ]
    if findings.is_pair:
        rows.append(
            ("Outside, in the difference of means", "the map holds NaN, as 0 is no difference")
        )
    return [*rows, ("Atlas", _atlas(findings))]


def space_words(grid: Grid) -> str:
    """The space that the headers of the masks state."""
    named = _SPACES.get(grid.code)
    if named:
        return f"{named}, as the headers of the masks state"
    return "not stated by the headers of the masks; taken to be MNI152"


def _of(findings: Findings, side: Side) -> str:
    return f" of {side.letter.upper()}" if findings.is_pair else ""


def _participants(side: Side) -> str:
    table_of = side.cohort.participants
    return "none" if table_of is None else file_name(str(table_of.path))


def _masks_words(threshold: float | None, label: int | None) -> str:
    if threshold is not None:
        return f"voxels of probability {threshold:g} or more"
    return f"voxels of label {label}" if label is not None else "binary, as they are"


def _grid(grid: Grid) -> str:
    return f"{grid}; a voxel is {grid.voxel_volume:.6g} mm³"


def _atlas(findings: Findings) -> str:
    if findings.atlas is None:
        return "none"
    kind = "probabilities" if findings.regions and findings.regions.probabilistic else "labels"
    files = ", ".join(atlas_files(findings.atlas))
    size = count_words(len(findings.atlas.regions), "region")
    return f"{findings.atlas.name} ({files}): {kind}, {size}"


# What was done, in words for a paper.


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
        [_patients(findings), *_wanted(findings), *_people(findings), _masks_sentence(findings)],
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


def _masks_sentence(findings: Findings) -> str:
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
