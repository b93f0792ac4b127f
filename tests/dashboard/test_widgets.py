"""The typed place of the crosshair moves the viewer, follows it, and believes no browser."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator

import ipywidgets as widgets
import nibabel as nib
import numpy as np
import pytest
from visitor import is_hidden

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.dashboard import pick_list
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.canvas import BrainCanvas
from lesion_dash.dashboard.controls import Banner, CloseButton, style_sheet
from lesion_dash.dashboard.help import HELP, help_mark
from lesion_dash.dashboard.pick_list import PickList
from lesion_dash.dashboard.place_field import PlaceField
from lesion_dash.dashboard.places import place_words
from lesion_dash.dashboard.tour import STEPS, Tour
from lesion_dash.images.template import load_template


@pytest.fixture
def moves() -> list[tuple[float, float, float]]:
    return []


@pytest.fixture
def canvas(context: AppContext, moves: list[tuple[float, float, float]]) -> BrainCanvas:
    return BrainCanvas(context, moves.append, lambda: None, lambda: None)


def test_a_typed_place_moves_the_crosshair_once(
    canvas: BrainCanvas, moves: list[tuple[float, float, float]]
) -> None:
    canvas.place.set_state({"mm": [10, -20, 30]})
    assert canvas.viewer.mm == (10, -20, 30)
    assert moves == [(10, -20, 30)]


def test_the_field_follows_a_click_in_the_brain(
    canvas: BrainCanvas, moves: list[tuple[float, float, float]]
) -> None:
    canvas.viewer._located({"mm": [1.0, 2.0, 3.0]})
    assert canvas.place.mm == [1, 2, 3]
    assert moves == [(1, 2, 3)]


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e6, -201.0])
def test_what_is_no_place_in_a_head_goes_back(
    canvas: BrainCanvas, moves: list[tuple[float, float, float]], value: float
) -> None:
    canvas.place.set_state({"mm": [5, 5, 5]})
    canvas.place.set_state({"mm": [value, 0, 0]})
    assert canvas.place.mm == [5, 5, 5]
    assert moves == [(5, 5, 5)]


def test_filling_tells_nobody(moves: list[tuple[float, float, float]]) -> None:
    field = PlaceField(moves.append)
    field.fill((4, 5, 6))
    assert (field.mm, moves) == ([4, 5, 6], [])


def test_the_arrow_keys_know_which_side_is_shown_where(
    context: AppContext, canvas: BrainCanvas
) -> None:
    assert not canvas.place.radiological
    context.choices.radiological = True
    assert canvas.place.radiological


AFFINE = np.array([[2.0, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
FINE = np.array([[-1.0, 0, 0, 90], [0, 1, 0, -126], [0, 0, 1, -72], [0, 0, 0, 1]])
OWN = Grid((64, 64, 30), AFFINE, 1)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 5])
def test_other_spaces_are_plain_millimetres(code: int) -> None:
    assert place_words((-3.6, 0.2, 12), Grid(OWN.shape, AFFINE, code)) == "−3.6, 0.2, 12 mm"


def test_the_code_of_mni_is_believed_on_any_grid() -> None:
    assert place_words((-3.6, 0.2, 12), Grid(OWN.shape, AFFINE, 4)) == "MNI −3.6, 0.2, 12"


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
    moved[0, 3] += 4
    assert place_words((1, 2, 3), Grid(turned.shape, moved, 1)) == "1, 2, 3 mm"


def test_the_shipped_template_is_known() -> None:
    template = load_template()
    assert place_words((0, 0, 0), Grid(template.shape, template.affine, 1)).startswith("MNI")


def test_each_name_is_asked_a_few_times_however_many_are_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"region {number}" for number in range(200)]
    chooser = PickList("region")
    chooser.offer(names)
    chooser.all.click()
    assert chooser.value == tuple(names)
    fits, asked = pick_list.fits, []

    def count(name: str, search: str) -> bool:
        asked.append(name)
        return fits(name, search)

    monkeypatch.setattr(pick_list, "fits", count)
    chooser.search.value = "region 19"
    assert chooser.value == ("region 19", *(f"region {number}" for number in range(190, 200)))
    assert len(asked) < 10 * len(names)


def boxes(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    yield widget
    if isinstance(widget, widgets.Box):
        for child in widget.children:
            yield from boxes(child)


def test_five_steps_each_at_a_part_of_the_first_page(app: App) -> None:
    assert len(STEPS) == 5
    page = list(boxes(app.tabs.children[0]))
    parts = {f".{name}": one for one in page for name in one._dom_classes}
    for step in STEPS:
        place = parts[step["place"]]
        labels = [str(one.value) for one in boxes(place) if isinstance(one, widgets.Label)]
        assert any(step.get("label", "") in label for label in labels or [""])


def test_every_control_of_the_first_page_is_explained(app: App) -> None:
    page = boxes(app.tabs.children[0])
    marks = [str(one.value) for one in page if "ld-help-box" in getattr(one, "_dom_classes", ())]
    for name in HELP:
        assert sum(f'aria-label="Help: {name}"' in mark for mark in marks) == 1, name


def test_the_text_of_a_mark_is_read_out() -> None:
    first, second = (str(help_mark("Atlas").value) for _ in range(2))
    identity = first.partition('aria-describedby="')[2].partition('"')[0]
    assert f'role="tooltip" id="{identity}">{HELP["Atlas"][:20]}' in first
    assert identity not in second


def test_the_style_of_the_tour_is_on_the_page(app: App) -> None:
    assert ".ld-tour {" in "".join(
        str(one.value) for one in boxes(style_sheet()) if isinstance(one, widgets.HTML)
    )
    assert any(isinstance(one, Tour) for one in boxes(app.widget))


def close_button(banner: Banner) -> CloseButton:
    return next(one for one in banner.widget.children if isinstance(one, CloseButton))


@pytest.mark.parametrize(("count", "last"), [(3, "file 3"), (200, "file 200"), (205, "and 5 more")])
def test_details_are_all_there_up_to_a_limit(count: int, last: str) -> None:
    banner = Banner()
    lines = tuple(f"file {number}" for number in range(1, count + 1))
    banner.show(InputError("folder", "has unreadable files", details=lines))
    shown = banner.message.split("<li>")[1:]
    assert len(shown) == min(count, 200) + (count > 200)
    assert shown[-1].startswith(f"{last}</li>")


def test_details_are_escaped() -> None:
    banner = Banner()
    banner.show(InputError("<b>", "is bad", details=("<img src=x>",)))
    assert "<img" not in banner.message
    assert "<img src=x>" in html.unescape(banner.message)


@pytest.mark.parametrize("kind", [ValueError, InputError])
def test_names_make_no_lines_and_turn_no_text(kind: type[Exception]) -> None:
    root, name = "/data\n\x1b[31m", "a\n\u202e\u2028.nii"
    banner = Banner(root)
    words = f"{root}/{name}: is bad"
    banner.show(InputError(f"{root}/{name}", "is bad") if kind is InputError else kind(words))
    assert banner.message.isprintable()
    assert "/data" not in banner.message
    assert "a\\n" in banner.message


def test_the_button_closes_it() -> None:
    banner = Banner()
    banner.show(InputError("a.nii", "holds no voxels"))
    assert 'role="alert"' in banner.message
    assert not is_hidden(banner.widget)
    close_button(banner)._handle_custom_msg({"type": "close"}, [])
    assert banner.message == ""
    assert is_hidden(banner.widget)
