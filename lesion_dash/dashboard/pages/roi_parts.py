"""Step 4 of the ROI lab: the separate parts of the mask, as a table to pick from."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
import pandas as pd

from ...core.formats import COUNT, EFFECT, VALUE, VOLUME
from ...core.text import counted
from ...plotting.figures import ML
from ..app_context import AppContext
from ..controls import NameList, bind, card, heading, labelled, note, set_text
from ..lab_choices import WayChoices
from ..page_inputs import number_field
from ..pick_list import offer_several
from ..places import Mm, coordinates, named_places
from ..roi_lab import RoiResult
from ..widgets.table import Column, Table

_TOUCH = [
    ("6 neighbours (faces)", 6),
    ("18 neighbours (and edges)", 18),
    ("26 neighbours (and corners)", 26),
]
_MOST_ROWS = 500
_NO_PARTS = "No cluster left: lower the threshold, remove a step, or allow smaller clusters."
_PICK = "None chosen: all are kept. Hold Ctrl (⌘ on a Mac) to choose several."
_SIGN = "“Effect” is {} − {} at the peak ({}), and “Higher in” is which of them has more there"
_NAMES = "Names hold only where the images lie in the atlas's space."


class PartsPanel:
    """Connectivity, least size, the table, and which parts are kept.

    Parameters
    ----------
    context : AppContext
    choices : WayChoices
    on_row : callable
        Given the peak of a part whose row is clicked, mm.
    """

    def __init__(
        self, context: AppContext, choices: WayChoices, on_row: Callable[[Mm], None]
    ) -> None:
        self._root, self._choices, self._on_row = context.session.root, choices, on_row
        self.connectivity = widgets.Dropdown(options=_TOUCH)
        self.min_voxels = widgets.BoundedIntText(**number_field("roi", "min_voxels"))
        self.min_mm3 = widgets.BoundedFloatText(**number_field("roi", "min_mm3"), step=50)
        self.atlas = NameList()
        self._offer_atlases()
        self._root.observe(self._offer_atlases)
        self.picks = widgets.SelectMultiple(rows=4, options=[])
        self.caption, self.pick_hint, self.remark = note(), note(_PICK), note()
        self.table = Table(
            "Regions of interest", "rois", context.banner.guard(self._clicked), rows=6
        )
        self._answer: RoiResult | None = None
        self._is_filling = False
        for name in ("connectivity", "min_voxels", "min_mm3", "atlas"):
            bind(choices, name, getattr(self, name))
        self.picks.observe(context.banner.guard(self._picked), names="value")
        self.widget = self._lay_out()

    def _offer_atlases(self) -> None:
        self.atlas.offer([("None", ""), *self._root.atlas_options])

    def show(self, answer: RoiResult) -> None:
        """Show the parts of an answer."""
        self._answer = answer
        every, rois = answer.run.every, answer.run.rois
        more = f" (of {len(every):,})" if len(rois) < len(every) else ""
        volume = VOLUME.text(rois.mask.volume_mm3 / ML)
        size = f"{counted(rois.mask.voxels, 'voxel')}, {volume} mL"
        message = f"{answer.summary}: {len(rois):,}{more} kept, {size}"
        set_text(self.caption, message if len(every) else _NO_PARTS)
        self.table.show(*shown_table(answer.table.head(_MOST_ROWS), answer))
        set_text(self.remark, _remark(answer))
        self._is_filling = True
        options = [(f"{part.name} ({part.voxels:,})", part.number) for part in every]
        offer_several(self.picks, options, answer.question.way.picks)
        self._is_filling = False

    def clear(self) -> None:
        """There is nothing to show."""
        self._answer = None
        set_text(self.caption, "")
        set_text(self.remark, "")
        self.table.show(pd.DataFrame(), ())
        self._is_filling = True
        offer_several(self.picks, [], [])
        self._is_filling = False

    def _lay_out(self) -> widgets.VBox:
        form = widgets.VBox(
            [
                labelled("Connectivity", self.connectivity),
                _pair(
                    labelled("Minimum cluster size (voxels)", self.min_voxels),
                    labelled("Minimum cluster size (mm³)", self.min_mm3),
                ),
                labelled("Atlas for names", self.atlas, note(_NAMES)),
                labelled("Select ROIs", self.picks, self.pick_hint),
            ]
        )
        form.add_class("ld-roi-form")
        row = widgets.HBox([form, self.table])
        row.add_class("ld-roi-row")
        head = widgets.HBox([heading("4  Clusters (ROIs)"), self.caption])
        return card(head, row, self.remark, name="roi-parts")

    def _clicked(self, row: int) -> None:
        if self._answer is not None:
            x, y, z = self._answer.run.every.parts[row].peak_mm.tolist()
            self._on_row((x, y, z))

    def _picked(self, change: dict[str, tuple[int, ...]]) -> None:
        if not self._is_filling:
            self._choices.picks = tuple(change["new"])


def _remark(answer: RoiResult) -> str:
    """What was unusual, and how the atlas was brought to the map."""
    count = len(answer.table)
    note = [f"the first {_MOST_ROWS} of {count:,} are listed"] if count > _MOST_ROWS else []
    contrast = answer.run.contrast
    tested = [] if contrast is None else [_SIGN.format(*contrast.groups, contrast.effect_unit)]
    return "; ".join([*tested, *note, *answer.run.every.notes])


def shown_table(table: pd.DataFrame, answer: RoiResult) -> tuple[pd.DataFrame, tuple[Column, ...]]:
    """The table of regions of interest as it is shown; the peak bears the name of its map."""
    is_file = not answer.question.way.map_key
    tested = (Column("higher_in", "Higher in"), Column("peak_effect", "Effect", EFFECT))
    columns = (
        Column("index", "No.", COUNT),
        Column("voxels", "Voxels", COUNT),
        Column("volume_mm3", "Volume (mL)", VOLUME, 1 / ML),
        Column("peak_value", "Peak value" if is_file else f"Peak {answer.map_words}", VALUE),
        *(() if answer.run.contrast is None else tested),
        Column("peak", "Peak (mm)"),
        Column("centre", "Centre of mass (mm)"),
        *([Column("place", "Region", wraps=True)] if (table["region"] != "").any() else []),
    )
    peak = _places(table, "peak_x_mm", "peak_y_mm", "peak_z_mm")
    centre, place = _places(table, "x_mm", "y_mm", "z_mm"), named_places(table)
    return table.assign(peak=peak, centre=centre, place=place), columns


def _places(table: pd.DataFrame, *axes: str) -> list[str]:
    return [coordinates(row) for row in table[list(axes)].to_numpy()]


def _pair(*fields: widgets.Widget) -> widgets.HBox:
    row = widgets.HBox(list(fields))
    row.add_class("ld-pair")
    return row
