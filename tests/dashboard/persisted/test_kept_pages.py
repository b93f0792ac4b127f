"""What the pages themselves do when a link or a visitor comes back to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.lab_steps import step_of, step_text
from lesion_dash.dashboard.page_state import StateValidator
from lesion_dash.dashboard.session_file import read_session, session_bytes
from lesion_dash.rois.recipe import InsideFile, InsideRegions, MoreIn
from lesion_dash.rois.steps import FillHoles, Morph

from .kept_page import (
    MADE,
    MASK,
    NAMES,
    arrive,
    find_button,
    find_widget,
    link_to,
    open_app,
    open_page,
    steps_of,
)


def test_a_dropped_file_is_not_kept_and_that_is_said(root: DataRoot, sample_data: Path) -> None:
    app = open_app(root)
    open_page(app, "inspect")
    content = (sample_data / "series" / MASK).read_bytes()
    drop = find_widget(app.tabs.children[NAMES.index("inspect")], "FileDrop")
    drop._on_file("Jane Doe.nii.gz", content)
    app.context.wait()
    link = app.url_state.bar.text
    assert "Jane" not in link
    saved = session_bytes(app.url_state.state)
    assert "is not kept: drop it there again" in json.loads(saved)["note"]
    assert b"Jane" not in saved
    assert read_session("one.json", saved, StateValidator(root, NAMES)) == app.url_state.state
    other = open_app(root)
    arrive(other, link)
    said = find_widget(other.tabs.children[NAMES.index("inspect")], "", "drop it again")
    assert "is not kept" in said.value
    assert other.url_state.bar.text == link


@pytest.mark.parametrize(
    "make",
    [
        lambda _: Morph("open", 2.5, "mm"),
        lambda _: Morph("dilate", 1, "voxels", 26),
        lambda _: FillHoles(),
        lambda _: MoreIn("b"),
        lambda root: InsideFile(str(root.path / "series" / MASK), 0.5),
        lambda root: InsideFile(str(root.path / "series" / MASK)),
        lambda root: InsideRegions(
            str(root.atlas_files("synthetic_atlas")[0]),
            ("Synthetic putamen L", "Synthetic putamen R"),
            str(root.atlas_files("synthetic_atlas")[1]),
        ),
    ],
    ids=["ball", "voxels", "fill", "more", "threshold", "file", "regions"],
)
def test_a_step_as_text_tells_no_place_outside_the_data_root(
    root: DataRoot, make: Callable[[DataRoot], Any]
) -> None:
    step = make(root)
    text = step_text(step, root)
    assert step_of(text, root) == step
    assert str(root.path) not in text


def test_the_way_of_a_link_is_taken_when_the_button_is_pressed(root: DataRoot) -> None:
    app = open_app(root)
    arrive(
        app, link_to("roi", MADE["roi"] | {"threshold": 2.0, "steps": ('["dilate",2,"voxels",6]',)})
    )
    page = app.tabs.children[NAMES.index("roi")]
    find_widget(page, "", "to begin. Then: dilate by 2 voxels")
    find_button(page, "Run the test").click()
    app.context.wait()
    assert app.context.banner.message == ""
    values = app.context.inputs.values["roi"]
    assert (values["map_key"], values["threshold"]) == ("t", 2.0)
    assert values["steps"] == ('["dilate",2,"voxels",6]',)
    assert "2. dilate" in str(steps_of(page))


def test_what_is_shown_is_of_the_choices_before_a_link(root: DataRoot) -> None:
    app = open_app(root)
    open_page(app, "roi")
    page = app.tabs.children[NAMES.index("roi")]
    find_button(page, "Run the test").click()
    app.context.wait()
    assert any("1. −log10 p" in one for one in steps_of(page))
    arrive(app, link_to("roi", MADE["roi"]))
    assert not any("1. −log10 p" in one for one in steps_of(page))
    assert app.context.inputs.values["roi"] == MADE["roi"]


def test_nothing_is_shuffled_by_a_link(root: DataRoot) -> None:
    app = open_app(root)
    arrive(app, link_to("chance", MADE["chance"]))
    page = app.tabs.children[NAMES.index("chance")]
    assert not find_button(page, "Shuffle volumes").disabled
    assert urlencode({"chance.permutations": 250}) in app.url_state.bar.text


def test_a_page_that_comes_back_has_its_brain_drawn_whole(
    root: DataRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(root)
    find_widget(app.tabs, "Probe").set_state({"webgl": "yes"})
    app.context.wait()
    niivue = find_widget(app.tabs, "QuickNiiVue")
    assert len(niivue.volumes) == 2
    painted: list[str] = []
    niivue.on_image_loaded(lambda volume: painted.append(volume.id))
    for volume in niivue.volumes:
        monkeypatch.setattr(type(volume), "img", np.zeros(8, np.uint8))
        monkeypatch.setattr(type(volume), "hdr", {})
    app.url_state.bar._handle_custom_msg({"back": "yes"}, [])
    assert painted == []
    app.url_state.bar._handle_custom_msg({"back": True}, [])
    assert painted == [volume.id for volume in niivue.volumes]
