"""The small widgets of all pages: what they show, and that they believe no browser."""

from __future__ import annotations

import html
from pathlib import Path

import ipywidgets as widgets
import nibabel as nib
import numpy as np
import pytest
from visitor import every_widget, is_hidden, send, styles

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.dashboard import pick_list
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.controls import Banner, CloseButton
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.help import HELP, help_mark
from lesion_dash.dashboard.pick_list import PickList
from lesion_dash.dashboard.places import place_words
from lesion_dash.dashboard.tour import STEPS
from lesion_dash.images.template import load_template

AFFINE = np.array([[2.0, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
FINE = np.array([[-1.0, 0, 0, 90], [0, 1, 0, -126], [0, 0, 1, -72], [0, 0, 0, 1]])


def test_only_places_of_mni_space_are_called_so() -> None:
    for code in range(6):
        shown = place_words((-3.6, 0.2, 12), Grid((64, 64, 30), AFFINE, code))
        assert shown == ("MNI −3.6, 0.2, 12" if code == 4 else "−3.6, 0.2, 12 mm")
    template = load_template()
    assert place_words((0, 0, 0), Grid(template.shape, template.affine, 1)).startswith("MNI")


@pytest.mark.parametrize("letters", ["RAS", "LAS", "PIR"])
@pytest.mark.parametrize(("shape", "affine"), [((91, 109, 91), AFFINE), ((182, 218, 182), FINE)])
def test_grids_of_mni_templates_are_known_however_they_are_stored(
    shape: tuple[int, int, int], affine: np.ndarray, letters: str
) -> None:
    image = nib.Nifti1Image(np.broadcast_to(np.uint8(0), shape), affine)
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(affine), nib.orientations.axcodes2ornt(letters)
    )
    turned = image.as_reoriented(turn)
    assert place_words((1, 2, 3), Grid(turned.shape, turned.affine, 1)) == "MNI 1, 2, 3"
    moved = turned.affine.copy()
    moved[0, 3] += 0.7  # as no template's, and as a scanner's may be
    assert place_words((1, 2, 3), Grid(turned.shape, moved, 1)) == "1, 2, 3 mm"


def test_each_name_is_asked_a_few_times_however_many_are_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"region {number}" for number in range(200)]
    chooser = PickList("region")
    chooser.offer(names)
    chooser.all.click()
    assert chooser.value == tuple(names)
    fits, calls = pick_list.fits, []

    def count(name: str, search: str) -> bool:
        calls.append(name)
        return fits(name, search)

    monkeypatch.setattr(pick_list, "fits", count)
    chooser.search.value = "region 19"
    assert chooser.value == ("region 19", *(f"region {number}" for number in range(190, 200)))
    assert len(calls) < 10 * len(names)


def test_the_tour_leads_to_parts_that_are_there(app: App) -> None:
    page = list(every_widget(app.pages.children[0]))
    assert len(STEPS) == 5  # of the tour, each at a part of the page
    parts = {f".{name}": widget for widget in page for name in styles(widget)}
    for step in STEPS:
        place = every_widget(parts[step["place"]])
        labels = [str(w.value) for w in place if isinstance(w, widgets.Label)]
        assert any(step.get("label", "") in label for label in labels or [""])


def test_every_page_has_help_and_every_text_a_place(app: App) -> None:
    placed: set[str] = set()
    for index, page in enumerate(app.pages.children):
        app.navigation.selected_index = index
        app.context.wait()
        own = {
            name
            for widget in every_widget(page)
            if "ld-help-box" in styles(widget)
            for name in HELP
            if f'aria-label="Help: {html.escape(name)}"' in str(widget.value)
        }
        assert len(own) >= 2, app.navigation.titles[index]
        placed |= own
    assert placed == set(HELP)


def test_the_text_of_a_mark_is_read_out() -> None:
    first, second = (str(help_mark("Atlas").value) for _ in range(2))
    identity = first.partition('aria-describedby="')[2].partition('"')[0]
    assert f'role="tooltip" id="{identity}">{HELP["Atlas"][:20]}' in first
    assert identity not in second


@pytest.mark.parametrize(("count", "last"), [(3, "file 3"), (200, "file 200"), (205, "and 5 more")])
def test_details_are_all_there_up_to_a_limit(count: int, last: str) -> None:
    banner = Banner()
    lines = tuple(f"file {number}" for number in range(1, count + 1))
    banner.show(InputError("folder", "has unreadable files", details=lines))
    shown = banner.message.split("<li>")[1:]
    assert len(shown) == min(count, 200) + (count > 200)
    assert shown[-1].startswith(f"{last}</li>")


@pytest.mark.parametrize("kind", [ValueError, InputError])
def test_names_make_no_lines_and_turn_no_text(kind: type[Exception]) -> None:
    root, name = "/data\n\x1b[31m", "a\n\u202e\u2028.nii"
    banner = Banner(DataRoot(Path(root)).without_paths)
    message = f"{root}/{name}: is bad"
    banner.show(InputError(f"{root}/{name}", "is bad") if kind is InputError else kind(message))
    assert banner.message.isprintable()
    assert "/data" not in banner.message
    assert "a\\n" in banner.message


def test_the_button_closes_it() -> None:
    banner = Banner()
    banner.show(InputError("<b>", "is bad", details=("<img src=x>",)))
    assert 'role="alert"' in banner.message
    assert "<img" not in banner.message
    assert "<img src=x>" in html.unescape(banner.message)
    assert not is_hidden(banner.widget)
    button = next(w for w in every_widget(banner.widget) if isinstance(w, CloseButton))
    send(button, {"type": "close"})
    assert banner.message == ""
    assert is_hidden(banner.widget)
