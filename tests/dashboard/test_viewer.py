"""The viewer sends what changed, and knows where its crosshair is."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import numpy as np
import pytest
from visitor import send

from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.picture import Mm, Picture
from lesion_dash.dashboard.scripts import (
    SERVED,
    served_scripts,
    viewer_script,
    widget_script,
    widget_text,
)
from lesion_dash.dashboard.viewer import BrainViewer

RAS = Grid((10, 12, 8), np.array([[2.0, 0, 0, -9], [0, 2, 0, -11], [0, 0, 2, -7], [0, 0, 0, 1]]))
LAS = Grid((10, 12, 8), np.array([[-2.0, 0, 0, 9], [0, 2, 0, -11], [0, 0, 2, -7], [0, 0, 0, 1]]))
# The same voxels with the third axis to the right, the first to the front, the second upwards.
PERMUTED = Grid(
    (12, 8, 10), np.array([[0, 0, 2.0, -9], [2, 0, 0, -11], [0, 2, 0, -7], [0, 0, 0, 1]])
)


class Recorder:
    def __init__(self) -> None:
        self.moves: list[Mm] = []
        self.paints = 0
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []

    def painted(self) -> None:
        self.paints += 1

    def send(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.sent.append((content, buffers))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def viewer(recorder: Recorder) -> BrainViewer:
    return BrainViewer(recorder.moves.append, recorder.painted)


def picture(value: int, grid: Grid = RAS, colormap: str = "viridis") -> Picture:
    levels = np.zeros(grid.shape, np.uint8)
    levels[2:5, 3:5, 1:3] = value
    return Picture(levels, grid, colormap)


def test_only_changed_voxels_are_sent(
    viewer: BrainViewer, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = picture(9), picture(9)
    second.levels[4, 4, 2] = 0
    viewer.show(first)
    monkeypatch.setattr(viewer.overlay, "send", recorder.send)
    viewer.show(second)
    ((content, (indices, values)),) = recorder.sent
    assert content["type"] == "buffer_update"
    assert np.frombuffer(indices, np.uint32).tolist() == [4 + 10 * (4 + 12 * 2)]
    assert list(values) == [0]
    viewer.show(second)
    assert len(recorder.sent) == 1


def test_colours_change_in_place_and_another_grid_is_loaded_anew(viewer: BrainViewer) -> None:
    viewer.show(picture(9))
    overlay = viewer.overlay
    viewer.show(picture(9, colormap="plasma"))
    assert viewer.overlay is overlay
    assert overlay.colormap == "plasma"
    viewer.show(picture(9, PERMUTED))
    assert viewer.overlay is not overlay


def test_what_changed_while_loading_is_sent_again(
    viewer: BrainViewer, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer.show(picture(9))
    viewer.show(picture(5, colormap="plasma"))
    viewer.overlay.colormap = "viridis"  # as the browser says of what it has just loaded
    monkeypatch.setattr(viewer.overlay, "send", recorder.send)
    colours: list[str] = []
    viewer.overlay.observe(lambda change: colours.append(change["new"]), names="colormap")
    send(viewer.niivue, {"event": "image_loaded", "data": {"id": viewer.overlay.id}})
    # The browser follows changes alone: that it missed one is no change.
    assert colours[0] != "plasma"
    assert colours[-1] == "plasma"
    ((content, (values,)),) = recorder.sent
    assert content["type"] == "buffer_change"
    assert values == picture(5).levels.tobytes(order="F")
    assert recorder.paints == 1


def test_click_in_the_brain_is_told(viewer: BrainViewer, recorder: Recorder) -> None:
    click = {"mm": [1.04, -3.0, 4.96, 1.0], "vox": [0, 0, 0], "values": [], "string": ""}
    send(viewer.niivue, {"event": "location_change", "data": click})
    assert recorder.moves == [viewer.mm] == [(1.0, -3.0, 5.0)]  # to 0.1 mm, as the page shows it


@pytest.mark.parametrize("grid", [RAS, LAS, PERMUTED], ids=["RAS", "LAS", "permuted"])
def test_crosshair_is_placed_from_left_back_below(viewer: BrainViewer, grid: Grid) -> None:
    viewer.show(picture(9, grid))
    viewer.move_to((-9.0, 11.0, -7.0))
    expected = [0.5 / 10, 11.5 / 12, 0.5 / 8]
    assert viewer.niivue.scene.crosshair_pos == pytest.approx(expected)


def test_convention_is_switched_and_dropped_files_are_ignored(viewer: BrainViewer) -> None:
    viewer.set_radiological(True)
    assert viewer.niivue.opts.is_radiological_convention
    assert not viewer.niivue.opts.drag_and_drop_enabled


@pytest.fixture(autouse=True)
def not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SERVED, raising=False)


def test_without_a_server_of_ours_the_kernel_sends_the_script() -> None:
    assert widget_script("viewer") == viewer_script()
    assert widget_script("table") == widget_text("table.js")
    assert len(viewer_script()) > 1_000_000


def test_behind_our_server_the_browser_gets_it_there(monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(served_scripts())
    monkeypatch.setenv(SERVED, " ".join(names))
    for kind, name in zip(("viewer", "table"), names, strict=True):
        script = widget_script(kind)
        assert len(script) < 2000
        assert f"scripts/{name}?" in script
        assert "NAME" not in script


def test_a_name_is_that_of_the_content() -> None:
    for name, script in served_scripts().items():
        digest = name.removesuffix(".js").partition("-")[2]
        assert hashlib.sha256(script.encode()).hexdigest().startswith(digest)
        assert len(digest) == 16
        assert re.search(r"export default|as default}", script)
    assert "updateGLVolume(){\n" in viewer_script()
