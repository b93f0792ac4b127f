"""What the page Compare says of A and of B at the crosshair."""

from __future__ import annotations

import html
import math

from ...stats.differences import FILE_NAMES
from ..comparison_service import DIFFERENCES, FREQUENCY, MEAN, SD, PlaceOfTwo, Side
from ..map_slices import MapLayer
from ..picture import Mm

FILES_IN_WORDS = {file: DIFFERENCES[key] for key, file in FILE_NAMES.items()}
NOTHING = "–"
_NO_DATA = "outside its field of view"


def place_html(key: str, place: PlaceOfTwo) -> str:
    """A table: what is measured, in A, in B, and the difference; the SD where that is shown."""
    sides = place.a, place.b
    rows: list[tuple[str, ...]] = [
        ("Patients lesioned", *map(_patients, sides), _difference(FREQUENCY, place)),
        ("Mean lesion volume", *map(_volume, sides), _difference(MEAN, place)),
    ]
    if key == SD:
        spread = (f"{side.std_ml:.1f} mL" if side.n else NOTHING for side in sides)
        rows.append(("SD of lesion volume", *spread, _difference(SD, place)))
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


def corner_words(
    key: str, side: Side, layer: MapLayer, mm: Mm, min_patients: int
) -> tuple[str, str]:
    """The value of one cohort at the crosshair, and how many patients it is of."""
    if not side.is_seen:
        return NOTHING, _NO_DATA
    patients = f"{side.n} of {side.of} patients"
    if key == FREQUENCY:
        return f"{side.percent:.1f} %", patients
    value = layer.value_at(layer.voxel(mm))
    if math.isnan(value):
        return (
            NOTHING,
            f"{patients}: fewer than {min_patients}" if side.n else "no patient has a lesion here",
        )
    return f"{value:.1f} mL", patients


def difference_words(key: str, place: PlaceOfTwo) -> tuple[str, str]:
    """The difference at the crosshair, and which of both is higher."""
    value = place.difference(key)
    if math.isnan(value):
        return NOTHING, _too_few(place)
    unit = "points" if key == FREQUENCY else "mL"
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
    return f"{side.n} of {side.of} ({side.percent:.1f} %)" if side.is_seen else _NO_DATA


def _volume(side: Side) -> str:
    return f"{side.mean_ml:.1f} mL (n = {side.n})" if side.n else NOTHING


def _difference(key: str, place: PlaceOfTwo) -> str:
    value = place.difference(key)
    if math.isnan(value):
        return f"not compared: {_too_few(place)}"
    return f"{signed(value)} {'percentage points' if key == FREQUENCY else 'mL'}"


def _too_few(place: PlaceOfTwo) -> str:
    """Why two cohorts are not compared at a place."""
    if unseen := [name for name, side in (("A", place.a), ("B", place.b)) if not side.is_seen]:
        return f"outside the field of view of {' and '.join(unseen)}"
    few = [name for name, side in (("A", place.a), ("B", place.b)) if side.n < place.min_patients]
    return f"fewer than {place.min_patients} patients in {' and '.join(few)}"
