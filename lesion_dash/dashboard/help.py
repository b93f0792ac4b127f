"""What each control of the first page is for, behind a small “?” beside its name."""

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
    "Folder A": "A folder of binary lesion masks (NIfTI), one file a patient, all in one common "
    "space. Folders are looked up below the data root. “Filter” shows part of its patients, by the "
    "columns of participants.tsv: a range holds both of its ends, an empty end has no bound, the "
    "same number twice asks for that number alone, and a patient has to meet all conditions. What "
    "is unusual about its files stands above the page, in the notes on the data.",
    "Files that count, A": _FILES_THAT_COUNT,
    "Folder B (optional)": "A second cohort, or the same folder again with other patients: it adds "
    "where both overlap.",
    "Files that count, B": _FILES_THAT_COUNT,
    "Minimum patients at a voxel": "k: a voxel counts where at least k patients are lesioned. "
    "Few patients make a mean uncertain; many leave little of the brain.",
    "Map": "What the colours show: how many patients are lesioned at a voxel, or the mean, SD or "
    "median of the total lesion volume of those patients. The colours run from 0 to a fixed end, "
    "so that they mean the same at every minimum: the multiple of 4 at or above the most patients "
    "at a voxel; a round number above nearly all volumes where 5 or more are lesioned, marked ≥ "
    "where some lie higher.",
    "Atlas": "Names the regions that the map lies in. It has to be in the space of the masks; each "
    "voxel takes the label of the atlas voxel at its place.",
    "Save": "The map that is shown, or another: maps as compressed NIfTI and tables as CSV. "
    "“.nii” saves the map as the command line writes it.",
    "Brain": "Click to move the crosshair; the line below the brain reads off its place in mm, the "
    "region, and the patients lesioned there with mean ± SD of their volumes. The mouse wheel "
    "leafs through the slices. Neurological: the patient's left is on the left of the screen; "
    "radiological: on the right.",
    "Regions": "The regions that the voxels with at least k patients lie in, of A and of B where B "
    "is chosen, whichever map is shown; the largest share first, what lies in no region last. "
    "Volume: what region and map share; % of map, % of region: that volume as a share of each; "
    "Dice: twice that volume over the sum of both. Exp., with a probabilistic atlas: each voxel "
    "counts as much as it is likely to lie in the region; Max. prob.: the most likely one. A "
    "click moves the crosshair to where most patients are lesioned in it, and lists them.",
    "Patients here": "Who is lesioned at the crosshair, or in the region chosen above, with the "
    "columns of the participants table. The strip shows their lesion volumes among those of all. "
    "A click on a patient outlines that lesion on the brain.",
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
