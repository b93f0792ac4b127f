"""The desk reads folders and atlases beside the page: nothing waits, nothing is taken half read."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phantoms import random_masks, write_masks

from lesion_dash.atlas.atlas import LabelAtlas
from lesion_dash.atlas.formats import Region
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.desk import Desk
from lesion_dash.dashboard.pages.choices import LoadingLine
from lesion_dash.dashboard.pages.regions import RegionsPanel
from lesion_dash.dashboard.session import Session
from lesion_dash.images.maps import nifti_bytes
from lesion_dash.stats.topography import volume_stats


class SlowAtlases:
    """Atlases of three maps, each of which takes until it is let go."""

    def __init__(self) -> None:
        self.reached: dict[str, threading.Event] = {}
        self.go = threading.Event()
        self.read: list[str] = []

    def load(self, image: Path, _table: Path, progress: Any) -> LabelAtlas:
        name = image.name.removesuffix(".nii")
        for done in range(3):
            progress(done, 3)
            self.reached.setdefault(name, threading.Event()).set()
            assert self.go.wait(20)
        self.read.append(name)
        labels = np.ones((2, 2, 2), np.int32)
        return LabelAtlas(name, Grid((2, 2, 2), np.eye(4)), labels, (Region(1, "whole"),))

    def wait_for(self, name: str) -> None:
        assert self.reached.setdefault(name, threading.Event()).wait(20)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowAtlases:
    slow = SlowAtlases()
    monkeypatch.setattr("lesion_dash.dashboard.session.load_atlas", slow.load)
    return slow


@pytest.fixture
def desk(sample_data: Path, tmp_path: Path) -> Desk:
    """A desk of two atlases, none of them opened, and one folder."""
    shutil.copytree(sample_data / "cohort_a", tmp_path / "cohort_a")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.nii").write_bytes(b"no image")
        (tmp_path / name / f"{name}.csv").write_text("index,name\n1,whole\n")
    return Desk(Session(DataRoot(tmp_path)))


def test_an_atlas_is_read_beside_the_page(desk: Desk, slow: SlowAtlases) -> None:
    line, regions = LoadingLine(desk), RegionsPanel(desk)
    desk.open_first()
    slow.wait_for("one")
    desk.run_calls()
    assert (desk.choices.atlas, desk.choices.loaded_atlas) == ("one", "")
    assert desk.choices.cohort_a == "cohort_a"  # shown already
    assert line.text.value == "Reading atlas one: 0 of 3"
    slow.go.set()
    desk.wait()
    assert (desk.choices.loaded_atlas, desk.choices.cohort_a) == ("one", "cohort_a")
    assert desk.choices.selection.atlas == "one"
    assert not desk.loading.running
    assert "Reading" not in regions.caption.value + line.text.value


def test_the_regions_wait_for_their_atlas(desk: Desk, slow: SlowAtlases) -> None:
    desk.choices.atlas = ""
    desk.choices.folder_a = "cohort_a"
    desk.wait()
    regions = RegionsPanel(desk)
    assert "Choose an atlas" in regions.caption.value
    desk.choices.atlas = "two"
    slow.wait_for("two")
    assert regions.caption.value == "Reading the atlas ..."
    desk.cancel()
    slow.go.set()
    desk.wait()
    assert "Choose an atlas" in regions.caption.value


def test_reading_an_atlas_can_be_cancelled(desk: Desk, slow: SlowAtlases) -> None:
    desk.choices.atlas = "two"
    slow.wait_for("two")
    desk.cancel()
    slow.go.set()
    desk.wait()
    assert (desk.choices.atlas, desk.choices.loaded_atlas) == ("", "")
    assert (desk.loading.running, desk.banner.message, slow.read) == (False, "", [])


@pytest.mark.parametrize("name", ["one", ""])
def test_another_choice_overtakes_an_atlas(desk: Desk, slow: SlowAtlases, name: str) -> None:
    desk.choices.atlas = "two"
    slow.wait_for("two")
    desk.choices.atlas = name
    slow.go.set()
    desk.wait()
    assert (desk.choices.atlas, desk.choices.loaded_atlas) == (name, name)
    assert (desk.loading.running, desk.banner.message) == (False, "")
    assert slow.read == [name][: len(name)]


def test_what_is_chosen_while_something_is_read_is_not_taken_back(
    desk: Desk, slow: SlowAtlases
) -> None:
    desk.choices.atlas = "two"
    slow.wait_for("two")
    desk.choices.folder_a = "cohort_a"
    slow.go.set()
    desk.wait()
    assert (desk.choices.cohort_a, desk.choices.loaded_atlas) == ("cohort_a", "two")
    assert slow.read == ["two"]


def test_folders_that_cannot_be_compared_are_told(desk: Desk, tmp_path: Path) -> None:
    write_masks(tmp_path / "other", random_masks(2))
    desk = Desk(Session(DataRoot(tmp_path)))
    desk.choices.folder_a = "cohort_a"
    desk.choices.atlas = ""
    desk.wait()
    desk.choices.folder_b = "other"
    desk.wait()
    assert "is not on the grid of the other map" in desk.banner.message
    assert (desk.choices.cohort_a, desk.choices.folder_b) == ("cohort_a", "")


def test_a_bad_atlas_does_not_stop_the_folder(desk: Desk) -> None:
    desk.open_first()
    desk.wait()
    assert "one.nii" in desk.banner.message
    assert (desk.choices.cohort_a, desk.choices.atlas) == ("cohort_a", "")


def test_a_bad_folder_does_not_stop_the_atlas(own_root: Path) -> None:
    desk = Desk(Session(DataRoot(own_root)))
    desk.choices.folder_a = next(name for name in desk.session.root.cohorts if "broken" in name)
    desk.wait()
    assert "no readable mask" in desk.banner.message
    assert (desk.choices.folder_a, desk.choices.loaded_atlas) == ("", "synthetic_atlas")


def test_an_atlas_does_not_undo_what_was_said_of_the_folder(session: Session) -> None:
    desk = Desk(session)
    choices = desk.choices
    choices.most_patients = 99
    choices.min_patients = 99
    desk.open_first()
    desk.wait()
    assert choices.lowered_from == 99
    choices.atlas = ""
    desk.wait()
    assert choices.lowered_from == 99


def test_a_folder_of_own_results_is_told_as_one(tmp_path: Path, sample_data: Path) -> None:
    cohort = load_cohort(sample_data / "cohort_a")
    (tmp_path / "results").mkdir()
    for name, found in volume_stats(cohort, 5).files.items():
        (tmp_path / "results" / name).write_bytes(nifti_bytes(found.to_nifti()))
    desk = Desk(Session(DataRoot(tmp_path)))
    desk.choices.folder_a = "results"
    desk.wait()
    assert "results: holds results of lesion_dash, no masks; choose" in desk.banner.message
    assert "no .nii" not in desk.banner.message


def test_threads_that_ask_at_once_read_an_atlas_once(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    both = threading.Barrier(2)

    def load(*files: Any) -> Any:
        calls.append(files)
        return load_atlas(*files)

    def ask() -> None:
        both.wait(10)
        found.append(session.atlas("synthetic_atlas"))

    found: list[Any] = []
    monkeypatch.setattr("lesion_dash.dashboard.session.load_atlas", load)
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(calls) == 1
    assert found[0] is found[1]
