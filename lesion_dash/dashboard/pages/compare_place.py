"""What the page Compare says of A and of B at the crosshair."""

from __future__ import annotations

import html
import math

from ...core.formats import MISSING, PERCENT, POINTS, VOLUME, VOLUME_DIFFERENCE
from ...core.text import counted
from ...stats.differences import FILE_NAMES
from ..comparison_service import DIFFERENCES, FREQUENCY, MEAN, SD, PlaceOfTwo, Side

FILES_IN_WORDS = {file: DIFFERENCES[key] for key, file in FILE_NAMES.items()}
NOTHING = MISSING
_NO_DATA = "outside its field of view"


def place_html(key: str, place: PlaceOfTwo) -> str:
    """A table: what is measured, in A, in B, and the difference; the SD where that is shown."""
    sides = place.a, place.b
    rows: list[tuple[str, ...]] = [
        ("Patients lesioned", *map(_patients, sides), _difference(FREQUENCY, place)),
        ("Mean lesion volume", *map(_volume, sides), _difference(MEAN, place)),
    ]
    if key == SD:
        spread = (VOLUME.with_unit(side.std_ml) if side.n else NOTHING for side in sides)
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


def side_words(key: str, side: Side, min_patients: int) -> tuple[str, str]:
    """The value of one cohort at the crosshair, and how many patients it is of."""
    if not side.is_seen:
        return NOTHING, _NO_DATA
    patients = f"{side.n:,} of {counted(side.of, 'patient')}"
    if key == FREQUENCY:
        return PERCENT.with_unit(side.percent), patients
    if side.n < min_patients:
        few = f"{patients}: fewer than {min_patients}" if side.n else "no patient has a lesion here"
        return NOTHING, few
    return VOLUME.with_unit(side.std_ml if key == SD else side.mean_ml), patients


def difference_words(key: str, place: PlaceOfTwo) -> tuple[str, str]:
    """The difference at the crosshair, and which of both is higher."""
    value = place.difference(key)
    if math.isnan(value):
        return NOTHING, _too_few(place)
    text = (
        f"{POINTS.text(value)} points" if key == FREQUENCY else VOLUME_DIFFERENCE.with_unit(value)
    )
    higher = "A higher" if value > 0 else "B higher" if value < 0 else "no difference"
    return text, higher


def _patients(side: Side) -> str:
    if not side.is_seen:
        return _NO_DATA
    return f"{side.n:,} of {side.of:,} ({PERCENT.with_unit(side.percent)})"


def _volume(side: Side) -> str:
    return f"{VOLUME.with_unit(side.mean_ml)} (n = {side.n:,})" if side.n else NOTHING


def _difference(key: str, place: PlaceOfTwo) -> str:
    value = place.difference(key)
    if math.isnan(value):
        return f"not compared: {_too_few(place)}"
    return (POINTS if key == FREQUENCY else VOLUME_DIFFERENCE).with_unit(value)


def _too_few(place: PlaceOfTwo) -> str:
    """Why two cohorts are not compared at a place."""
    if unseen := [name for name, side in (("A", place.a), ("B", place.b)) if not side.is_seen]:
        return f"outside the field of view of {' and '.join(unseen)}"
    few = [name for name, side in (("A", place.a), ("B", place.b)) if side.n < place.min_patients]
    return f"fewer than {place.min_patients} patients in {' and '.join(few)}"
