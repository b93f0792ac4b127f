"""A tour of five steps: what there is to do on the first page, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import anywidget
import traitlets as t

from .scripts import static_text

STEPS = (
    {
        "place": ".ld-choices",
        "label": "Folder A",
        "title": "One folder of masks, or two",
        "text": "A folder holds the binary lesion masks of a cohort, one file per patient, in one "
        "common space. Folder A is enough for all that follows; with a folder B below it, the map "
        "can show the overlap of both. “Filter” and “Split” make subgroups.",
    },
    {
        "place": ".ld-view",
        "title": "Look at the map, and click",
        "text": "Click anywhere in the brain: the line below it gives the coordinates in mm, the "
        "region, the number of patients with a lesion there, and their lesion volumes. The list "
        "beside it names the patients; a click on one outlines that lesion.",
    },
    {
        "place": ".ld-choices",
        "label": "Minimum lesion overlap",
        "title": "Choose the threshold",
        "text": "Only voxels lesioned in at least k patients count. The line under the slider "
        "gives the share of the brain that remains. The arrow keys change k by one.",
    },
    {
        "place": ".ld-regions",
        "title": "Read off the regions",
        "text": "How much of the map of A, or of the overlap where there is a B, lies in each "
        "region of the atlas. Click a row to go there and to list its patients; click a heading to "
        "sort.",
    },
    {
        "place": ".ld-page-code",
        "title": "Save it, and see the code",
        "text": "Python and commands that give the same files appear here. “Download” on the left "
        "saves maps and tables; “Link” and “Session” at the top keep your settings.",
    },
)
"""Of each step: the part of the page, the label of the control in it, a title and what to say."""


class Tour(anywidget.AnyWidget):
    """A button that starts the tour; on first use in a browser it starts by itself.

    Not over a page that was opened by a link with choices: what was shared is to be seen first.

    Parameters
    ----------
    on_start : callable
        Told to open the first page, where the steps are.
    """

    _esm = static_text("tour.js")
    steps: t.List[dict[str, str]] = t.List(list(STEPS)).tag(sync=True)

    def __init__(self, on_start: Callable[[], None]) -> None:
        super().__init__()
        self.on_msg(lambda *_: on_start())
