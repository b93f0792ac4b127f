"""What controls and parts of the pages are for, behind a small “?” beside their names."""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator, Mapping

import ipywidgets as widgets

_FILES_THAT_COUNT = (
    "A patient counts once. Where the folder holds several masks of a patient, such as sessions, "
    "the left and the right side or several spaces, say here which of them count; files taken "
    "together are one mask, the union of all. Where files hold several labels, say which are the "
    "lesion. Each choice was tried on the folder, and what it takes stands behind it. A link, a "
    "session and the code below the page keep it."
)

HELP: Mapping[str, str] = {
    "Folder A": "A folder of binary lesion masks (NIfTI), one file per patient, all in one common "
    "space. Folders are looked up below the data root. “Filter” shows part of its patients, by the "
    "columns of participants.tsv: ranges include both limits, an empty limit sets no bound, "
    "and a patient has to meet all conditions. What "
    "is unusual about its files stands above the page, in the notes on the data.",
    "Files that count, A": _FILES_THAT_COUNT,
    "Folder B (optional)": "A second cohort, or the same folder again with other patients: it adds "
    "where both overlap.",
    "Files that count, B": _FILES_THAT_COUNT,
    "Minimum lesion overlap (k)": "k: a voxel counts where at least k patients are lesioned. "
    "Few patients make a mean uncertain; many leave little of the brain.",
    "Map": "What the colours show: how many patients are lesioned at a voxel, or the mean, SD or "
    "median of the total lesion volume of those patients. The colours run from 0 to a fixed end, "
    "so that they mean the same at every minimum: the multiple of 4 at or above the most patients "
    "at a voxel; a round number above nearly all volumes where 5 or more are lesioned, marked ≥ "
    "where some lie higher.",
    "Atlas": "Names the regions that the map lies in. It has to be in the space of the masks; each "
    "voxel takes the label of the atlas voxel at its place.",
    "Further atlases": "Such as white matter and arterial territories beside cortex. The line at "
    "the crosshair and the report name the regions of each; the table of regions shows one of them "
    "at a time. The contours, and the pages Compare and Size bias, follow the first: choose a "
    "further one there, and both change places.",
    "Space": "The space that the files state: by names, sidecars, header codes or grids. Where "
    "they say it wrongly or not at all, state another one; nothing is moved, and no note compares "
    "what you have stated. Code, report, links and saved files tell it.",
    "Space of the file": "The space that the map states. Where it says it wrongly or not at all, "
    "state another one; nothing is moved.",
    "Save": "The map that is shown, or another: maps as compressed NIfTI and tables as CSV. "
    "“.nii” saves the map as the command line writes it.",
    "Brain": "Click to move the crosshair; the line below the brain gives its coordinates in mm, "
    "the region, and the patients with a lesion there with mean and SD of their volumes. Once "
    "the brain was clicked, the mouse wheel moves through the slices and the arrow keys move the "
    "crosshair; with Ctrl the wheel zooms, and the right button moves the picture. A double click "
    "shows one plane large, another one all. “Display” has the rest. R|L: the patient's left is on "
    "the left of the screen (neurological), or on the right (radiological).",
    "Figure": "The same map drawn by nilearn, for a paper or a slide. Click it to enlarge it, to "
    "choose planes, slices, background and size, and to save it as PNG, SVG or PDF.",
    "Regions": "The regions that the voxels with at least k patients lie in, of A and of B where B "
    "is chosen, whichever map is shown; most patients of A first, what lies in no region "
    "above all, by its distance to the nearest one. “By lobe” and the like put regions under rows "
    "that unfold. Patients: those with any lesioned voxel in the region. "
    "Volume: what region and map share; % of map, % of region: that volume as a share of each; "
    "Dice: twice that volume over the sum of both. Exp., with a probabilistic atlas: each voxel "
    "counts as much as it is likely to lie in the region; Max. prob.: the most likely one. A "
    "click moves the crosshair to where most patients are lesioned in it, and lists them.",
    "Patients with a lesion": "The patients with a lesion at the crosshair, or in the region "
    "there, with the columns of the participants table. The strip shows their lesion volumes "
    "among those of all. A click on a patient outlines that lesion on the brain.",
    "Report": "One HTML file with patients, maps, tables, methods and code, to read, print and "
    "share. It names the files of patients.",
    "Show code": "Python and commands that give the same numbers and files.",
    "Compare A and B": "The maps of two cohorts with one crosshair, and their difference. Choose A "
    "and B on the page Maps, or split a cohort there. Descriptive; no statistical test.",
    "Region by region": "How often, and how much, the patients of A and of B are lesioned in each "
    "region of the atlas.",
    "How much of the brain does each k leave?": "k is the minimum number of patients with a lesion "
    "at a voxel. The curve shows the share of the brain that remains for each k.",
    "Are lesions here larger than expected by chance?": "Large lesions cover more voxels, so that "
    "the mean lesion volume is above the cohort's mean nearly everywhere. The permutation test "
    "shuffles the volumes over the patients and keeps their masks: a small corrected p says that "
    "lesions at a voxel are larger than that gives.",
    "Significant clusters": "Connected voxels with a corrected p (family-wise) of at most 0.05.",
    "Where is damage associated with a score?": "A test at every voxel between the patients with a "
    "lesion there and those without, corrected for all voxels by permutations of the score. A "
    "voxel that passes does not cause the deficit by itself: lesions follow the arteries.",
    "Score": "A column of numbers of participants.tsv, such as a scale at admission. Patients "
    "without a value are excluded, and counted.",
    "Covariates": "Columns that are held constant, such as age and sex. Several: with Ctrl, or "
    "with Shift and the arrow keys.",
    "Control of lesion volume": "Large lesions make bad scores and cover more voxels, so that "
    "without control a score that follows volume alone is “found” nearly everywhere. Log volume "
    "as a covariate is usual; the last three are for the comparison with earlier papers.",
    "Test of the score": "The regression takes covariates and gives the difference in the score's "
    "own unit. Ranks are less sensitive to outliers. Symptoms of 0 and 1 have exact tests.",
    "Scores of lesioned patients": "Which differences count: in either way, as is usual, or only "
    "higher, or only lower scores of patients with a lesion.",
    "Map of the score": "Colours: blue where patients with a lesion have lower values, orange "
    "where they have higher ones. Black lines enclose what is significant after correction. A "
    "click moves the crosshair; beside it stand the patients with and without a lesion there.",
    "Minimum lesioned": "A voxel is tested where at least this many patients are lesioned, and as "
    "many spared. Fewer make results depend on single patients.",
    "Without control as well": "Makes the same map without control of lesion volume beside "
    "it: what only that one shows may be volume.",
    "Map shown": "Before the test: how many patients, how large an effect must be to be found, and "
    "how finely these lesions tell places apart. After it: the statistic, p, effects with their "
    "intervals, and more.",
    "Only voxels with p": "Hides the other voxels, in the browser, without a new test. Corrected "
    "p are for all voxels; “10 mm³ or more” allows less than that of false findings; an "
    "uncorrected p is of one voxel alone and no finding.",
    "Prediction in new patients": "The score of patients who were left out is predicted from "
    "the others: from lesion volume alone, from volume and covariates, and from the lesions too. "
    "What the lesions add is what their place says.",
    "Regions and the score": "The same test of the share of each region of the atlas that is "
    "lesioned, corrected for all regions.",
    "Clusters of the map": "Connected voxels beyond the cluster-forming threshold.",
    "Patients at the crosshair": "A dot is a patient; lines are means with their 95 % intervals. A "
    "click on a row outlines that patient's lesion on the map.",
    "Best match of each component": "The region with the highest correlation with each component. "
    "A low correlation is a poor match: most of a large component lies outside any one region.",
    "Components and regions": "Every component of the map beyond the threshold with every region "
    "it shares voxels with. Correlation: of the component with the region, over all voxels of the "
    "brain; IoU: shared volume over the volume of both.",
    "Patients": "Every file of the folder with its lesion volume and the columns of the "
    "participants table. A click on a patient outlines that lesion on the brain.",
    "Lesion volumes": "How many patients have lesions of which volume.",
    "File check": "Files that are skipped, and files that are used with a remark, with the reason.",
    "1  Input": "Functional runs with a table of events, images or masks of two groups, or a map. "
    "The files are those of the data root.",
    "2  Test": "A test at each voxel, with a correction for many voxels where it is chosen.",
    "3  From the map to a mask": "Threshold the map, then add steps such as dilating or keeping "
    "the inside of an atlas's regions. Each step can be seen and undone.",
    "4  Clusters (ROIs)": "Connected voxels of the mask, each a region of interest. Select some to "
    "keep only these.",
    "5  Values": "Mean, SD and median of the images in each region of interest, by condition or "
    "group.",
    "1  Images": "An image of one volume, and the template it is registered to. A lesion mask is "
    "excluded from the comparison.",
    "2  Check": "Template and image at the same place: blend, flicker or checkerboard.",
    "3  Region": "A region of a map in the template's space, brought to the image.",
    "4  Signal": "Signal to noise and contrast to noise in the region, by several definitions.",
    "Slices": "Click into a slice, or press the arrow keys there, to move the crosshair.",
    "Suitability": "What the image could be used as: mask, atlas, map or series, and why not.",
}
"""Text by the label of a control, or the title of a card."""

_numbers = itertools.count(1)


def add_help(page: widgets.Box) -> set[str]:
    """Put a “?” beside every control and card of a page that `HELP` knows.

    Returns
    -------
    set of str
        The names that were found.
    """
    missing = set()
    for box in list(_boxes(page)):
        name = _name(box)
        if name in HELP and name not in missing:
            missing.add(name)
            box.children = [*box.children, help_mark(name)]
    return missing


def help_mark(name: str) -> widgets.HTML:
    """A “?” that says what a control is for: under the mouse, with the keyboard, to a reader."""
    identity, text = f"ld-help-{next(_numbers)}", html.escape(HELP[name])
    mark = widgets.HTML(
        f'<button type="button" class="ld-help" aria-label="Help: {html.escape(name)}" '
        f'aria-describedby="{identity}">?</button>'
        f'<span class="ld-help-text" role="tooltip" id="{identity}">{text}</span>'
    )
    mark.add_class("ld-help-box")
    return mark


def _boxes(widget: widgets.Widget) -> Iterator[widgets.Box]:
    if isinstance(widget, widgets.Box):
        yield widget
        for child in widget.children:
            yield from _boxes(child)


def _name(box: widgets.Box) -> str:
    """The label of a field, or the title of a card."""
    first = box.children[0] if box.children else None
    if isinstance(first, widgets.Label):
        return str(first.value)
    text = str(first.value) if isinstance(first, widgets.HTML) else ""
    is_title = isinstance(box, widgets.HBox) and text.startswith("<h2>")
    return html.unescape(text.removeprefix("<h2>").removesuffix("</h2>")) if is_title else ""
