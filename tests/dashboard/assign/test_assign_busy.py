"""The page Assign while an answer is being worked out: nothing old under a new name."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.assignment_request import AssignmentRequest
from lesion_dash.dashboard.pages.assign import AssignPage
from lesion_dash.dashboard.session import Session

from .assign_page import SHAPE, save, saved


class SlowAtlas:
    """Holds the reading of an atlas until it is told to go on."""

    def __init__(self, session: Session, name: str) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.read: list[str] = []
        self._name, self._atlas = name, session.atlas

    def __call__(self, name: str, progress: object = None) -> object:
        if name == self._name and callable(progress):
            progress(1, 3)
            self.begun.set()
            assert self.go.wait(30)
            progress(2, 3)
        self.read.append(name)
        return self._atlas(name, progress)


def test_an_old_answer_is_greyed_out_until_the_new_one_is_there(
    page: AssignPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = page.answer
    slow = SlowAtlas(page._context.session, "likely")
    monkeypatch.setattr(page._context.session, "atlas", slow)
    page.ask.atlas.value = "likely"
    assert slow.begun.wait(30)
    page._context.run_calls()
    assert "ld-stale" in page.widget._dom_classes
    for words in (page.caption, page.best_caption, page.brain.readout):
        assert "Reading atlas likely: 1 of 3" in words.value
    assert page.download.disabled
    assert saved(page, monkeypatch) == {}
    slow.go.set()
    page._context.wait()
    assert page.answer is not old
    assert "ld-stale" not in page.widget._dom_classes
    assert not page.download.disabled
    assert "Reading" not in page.caption.value + page.best_caption.value


def test_a_slow_threshold_is_told_and_saves_nothing(
    page: AssignPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, work = threading.Event(), page.service.answer

    def wait(*asked: object) -> object:
        assert go.wait(30)
        return work(*asked)

    monkeypatch.setattr(page.service, "answer", wait)
    page.ask.threshold.value = 9
    assert "Working ..." in page.caption.value
    assert page.download.disabled
    assert saved(page, monkeypatch) == {}
    place = page.brain.viewer.mm
    page.table.click(2)
    assert page.brain.viewer.mm == place
    go.set()
    page._context.wait()
    assert "above 9 patients" in page.caption.value
    assert len(saved(page, monkeypatch)) == 1


def test_an_error_of_a_choice_taken_back_is_not_shown(
    page: AssignPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, work = threading.Event(), page.service.answer

    def fail(question: AssignmentRequest, *more: object) -> object:
        if question.threshold != 9:
            return work(question, *more)
        assert go.wait(30)
        raise InputError("map", "is broken")

    monkeypatch.setattr(page.service, "answer", fail)
    page.ask.threshold.value = 9
    page.ask.threshold.value = 8
    go.set()
    page._context.wait()
    assert page._context.banner.message == ""
    assert "above 8 patients" in page.caption.value


def test_a_choice_taken_back_stops_the_reading(
    page: AssignPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowAtlas(page._context.session, "likely")
    monkeypatch.setattr(page._context.session, "atlas", slow)
    page.ask.atlas.value = "likely"
    assert slow.begun.wait(30)
    page.ask.atlas.value = "synthetic_atlas"
    slow.go.set()
    page._context.wait()
    assert "likely" not in slow.read
    assert page.answer.question.atlas == "synthetic_atlas"
    assert "ld-stale" not in page.widget._dom_classes
    assert page._context.banner.message == ""


@pytest.fixture
def depths(root: Path) -> str:
    """A folder with a map from −10 to 2."""
    values = np.linspace(-10, 2, np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    save(values, root / "depths" / "depths.nii.gz")
    return "depths"


def test_an_answer_for_other_signs_does_not_cut_the_threshold_off(
    depths: str, page: AssignPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go, work = threading.Event(), threading.Event(), page.service.answer
    asked: list[AssignmentRequest] = []

    def wait(question: AssignmentRequest, *more: object) -> object:
        asked.append(question)
        begun.set()
        assert go.wait(30)
        return work(question, *more)

    page.ask.source.value = depths
    page._context.wait()
    monkeypatch.setattr(page.service, "answer", wait)
    page.ask.file.value = "depths.nii.gz"
    assert begun.wait(30)
    page.choices.threshold = 5.0
    page.ask.signs.value = "negative"
    go.set()
    page._context.wait()
    assert asked[0].signs == "positive"
    assert (page.choices.threshold, page.ask.threshold.value) == (5.0, 5.0)
    assert page.answer.question == asked[-1]
