"""Below the maps of A and B: both cohorts at the crosshair, and what can be saved."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from functools import partial

import ipywidgets as widgets

from ...differences import FILE_NAMES
from ...plots import FILE_FORMATS
from ..comparing import FREQUENCY, MEAN, SD, Pair, PlaceOfTwo, Side
from ..controls import card, download_button, heading, labelled, note, set_text
from ..map_slices import MapLayer
from ..picture import Mm
from ..places import place_words

FILES_IN_WORDS = {
    FILE_NAMES[FREQUENCY]: "A − B, patients lesioned",
    FILE_NAMES[MEAN]: "A − B, mean volume",
}
NOTHING = "–"


class PlacePanel:
    """Patients and volumes of A and of B at the crosshair.

    Parameters
    ----------
    save_file, save_figure : callable
        Given the name of a file, and the format of a figure.
    """

    def __init__(
        self, save_file: Callable[[str], None], save_figure: Callable[[str], None]
    ) -> None:
        self.caption = note()
        self.table = widgets.HTML()
        self.remark = note()
        self.file = widgets.Dropdown(
            options=[(words, name) for name, words in FILES_IN_WORDS.items()]
        )
        self.download = download_button(
            "Download", "Save the map named beside it as NIfTI", lambda: save_file(self.file.value)
        )
        self.figures = [
            download_button(
                kind.upper(), f"Save the figure as {kind.upper()}", partial(save_figure, kind)
            )
            for kind in FILE_FORMATS
        ]
        self.table.add_class("ld-place-table")
        head = widgets.HBox([heading("At the crosshair"), self.caption])
        save = widgets.HBox(
            [
                labelled("Map", widgets.HBox([self.file, self.download])),
                labelled("Figure of the three maps", widgets.HBox(self.figures)),
            ]
        )
        save.add_class("ld-place-save")
        row = widgets.HBox([widgets.VBox([self.table, self.remark]), save])
        row.add_class("ld-place-row")
        self.widget = card(head, row, name="compare-place")

    def show(self, pair: Pair, place: PlaceOfTwo, mm: Mm) -> None:
        """Show what is known of a place."""
        region = f" · {place.region}" if place.region else ""
        set_text(self.caption, f"{place_words(mm, pair.a.grid)}{region}")
        self.table.value = place_html(pair, place, mm)
        set_text(self.remark, "; ".join(pair.differences.notes))


def place_html(pair: Pair, place: PlaceOfTwo, mm: Mm) -> str:
    """A table: what is measured, in A, in B, and the difference."""
    rows: list[tuple[str, ...]] = [
        ("Patients lesioned", _patients(place.a), _patients(place.b), _points(place)),
        ("Mean lesion volume", _volume(place.a), _volume(place.b), _difference(place)),
    ]
    if pair.request.map_key == SD:
        voxel = pair.a.voxel(mm)
        shown = [_ml(one.value_at(voxel)) for one in (pair.a, pair.b)]
        rows.append(("SD of lesion volume", *shown, NOTHING))
    body = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    head = (
        '<tr><td></td><th scope="col"><b class="ld-side-a">A</b></th>'
        '<th scope="col"><b class="ld-side-b">B</b></th><th scope="col">A − B</th></tr>'
    )
    return f'<table aria-live="polite"><thead>{head}</thead><tbody>{body}</tbody></table>'


def corner_words(key: str, side: Side, layer: MapLayer, mm: Mm, least: int) -> tuple[str, str]:
    """The value of one cohort at the crosshair, and how many patients it is of."""
    patients = f"{side.n} of {side.of} patients"
    if key == FREQUENCY:
        return f"{side.percent:.1f} %", patients
    value = layer.value_at(layer.voxel(mm))
    if math.isnan(value):
        return NOTHING, f"{patients}: fewer than {least}" if side.n else "nobody is lesioned here"
    return f"{value:.1f} mL", patients


def difference_words(key: str, place: PlaceOfTwo) -> tuple[str, str]:
    """The difference at the crosshair, and which of both is higher."""
    if key != FREQUENCY and not place.is_compared:
        return NOTHING, _too_few(place)
    value, unit = (place.points, "points") if key == FREQUENCY else (place.ml, "mL")
    higher = "A higher" if value > 0 else "B higher" if value < 0 else "no difference"
    return f"{signed(value)} {unit}", higher


def signed(value: float) -> str:
    """A number with its sign and one digit behind the point; two where it is small.

    Examples
    --------
    >>> [signed(value) for value in (12.34, -5, 0.0, -0.024)]
    ['+12.3', '−5.0', '0.0', '−0.02']
    """
    digits = 1 if abs(value) >= 0.05 else 2
    text = f"{value:+.{digits}f}" if value else "0.0"
    return text.replace("-", "−")


def _patients(side: Side) -> str:
    return f"{side.n} of {side.of} ({side.percent:.1f} %)"


def _volume(side: Side) -> str:
    return f"{side.mean_ml:.1f} mL (n = {side.n})" if side.n else NOTHING


def _ml(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:.1f} mL"


def _points(place: PlaceOfTwo) -> str:
    return f"{signed(place.points)} percentage points"


def _difference(place: PlaceOfTwo) -> str:
    if place.is_compared:
        return f"{signed(place.ml)} mL"
    return f"not compared: {_too_few(place)}"


def _too_few(place: PlaceOfTwo) -> str:
    few = [name for name, side in (("A", place.a), ("B", place.b)) if side.n < place.min_patients]
    return f"fewer than {place.min_patients} patients in {' and '.join(few)}"
