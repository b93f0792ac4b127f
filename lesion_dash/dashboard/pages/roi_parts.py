"""Step 4 of the ROI lab: the separate parts of the mask, as a table to pick from."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
import pandas as pd

from ..app_context import AppContext
from ..controls import NameList, bind, card, heading, labelled, note, set_text
from ..lab_choices import WayChoices
from ..page_inputs import number_field
from ..pick_list import offer_several
from ..picture import Mm
from ..roi_lab import RoiResult
from ..tables import Table, short

_TOUCH = [("Faces (6)", 6), ("Faces and edges (18)", 18), ("Faces, edges, corners (26)", 26)]
_MOST_ROWS = 500
_COLUMNS = (
    "No.",
    "Voxels",
    "mm³",
    "Peak value",
    "Higher in",
    "Effect",
    "Peak (mm)",
    "Centre of mass (mm)",
    "Region",
)
_NO_PARTS = "Nothing is left: lower the threshold, leave out a step, or allow smaller parts."
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
        self.table = Table("rois", context.banner.guard(self._clicked), rows=6)
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
        mm3 = rois.mask.volume_mm3
        more = f" (of {len(every):,})" if len(rois) < len(every) else ""
        size = f"{rois.mask.voxels:,} voxels, {mm3:,.0f} mm³"
        message = f"{answer.summary}: {len(rois):,}{more} kept, {size}"
        set_text(self.caption, message if len(every) else _NO_PARTS)
        self.table.show(shown_columns(answer.table.head(_MOST_ROWS), answer))
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
        self.table.show(pd.DataFrame(columns=list(_COLUMNS)))
        self._is_filling = True
        offer_several(self.picks, [], [])
        self._is_filling = False

    def _lay_out(self) -> widgets.VBox:
        form = widgets.VBox(
            [
                labelled("Voxels of a part touch by", self.connectivity),
                _pair(
                    labelled("Least voxels", self.min_voxels), labelled("Least mm³", self.min_mm3)
                ),
                labelled("Atlas for names", self.atlas, note(_NAMES)),
                labelled("Keep only", self.picks, self.pick_hint),
            ]
        )
        form.add_class("ld-roi-form")
        row = widgets.HBox([form, self.table.widget])
        row.add_class("ld-roi-row")
        head = widgets.HBox([heading("4  Parts: the regions of interest"), self.caption])
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


def shown_columns(table: pd.DataFrame, answer: RoiResult) -> pd.DataFrame:
    """The table of regions of interest as it is shown; the peak bears the name of its map."""
    shown = pd.DataFrame(
        {
            "No.": table["index"],
            "Voxels": table["voxels"],
            "mm³": [f"{value:,.0f}" for value in table["volume_mm3"]],
            "Peak value": [short(value) for value in table["peak_value"]],
            "Higher in": table["higher_in"],
            "Effect": [_signed(value) for value in table["peak_effect"]],
            "Peak (mm)": _places(table, "peak_x_mm", "peak_y_mm", "peak_z_mm"),
            "Centre of mass (mm)": _places(table, "x_mm", "y_mm", "z_mm"),
            "Region": table["region"],
        },
        columns=list(_COLUMNS),
    )
    untested = ["Higher in", "Effect"] if answer.run.contrast is None else []
    unnamed = [] if (table["region"] != "").any() else ["Region"]
    is_file = not answer.question.way.map_key
    peak = "Peak value" if is_file else f"Peak {answer.map_words}"
    return shown.drop(columns=[*untested, *unnamed]).rename(columns={"Peak value": peak})


def _signed(value: float) -> str:
    return f"+{short(value)}" if value > 0 else short(value)


def _places(table: pd.DataFrame, *axes: str) -> list[str]:
    rows = table[list(axes)].to_numpy()
    return [", ".join(f"{round(value, 1):g}" for value in row).replace("-", "−") for row in rows]


def _pair(*fields: widgets.Widget) -> widgets.HBox:
    row = widgets.HBox(list(fields))
    row.add_class("ld-pair")
    return row
