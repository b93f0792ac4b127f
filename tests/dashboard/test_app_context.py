"""The context reads folders and atlases beside the page: nothing waits or is taken half read."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from phantoms import random_masks, write_masks
from visitor import choose, new_context

from lesion_dash.atlas.atlas import LabelAtlas
from lesion_dash.atlas.formats import Region
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
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

    def load(self, image: Path, _table: Path, progress: Any, space: str | None) -> LabelAtlas:
        assert space is None
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
def context(sample_data: Path, tmp_path: Path) -> AppContext:
    """A context of two atlases, none of them opened, and one folder."""
    shutil.copytree(sample_data / "cohort_a", tmp_path / "cohort_a")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.nii").write_bytes(b"no image")
        (tmp_path / name / f"{name}.csv").write_text("index,name\n1,whole\n")
    return new_context(tmp_path)


def test_an_atlas_is_read_beside_the_page(context: AppContext, slow: SlowAtlases) -> None:
    line, regions = LoadingLine(context), RegionsPanel(context)
    context.open_first()
    slow.wait_for("one")
    context.run_calls()
    assert (context.choices.atlas, context.choices.loaded_atlas) == ("one", "")
    assert context.choices.cohort_a == "cohort_a"  # shown already
    assert line.text.value == "Reading atlas one: 0 of 3 maps"
    slow.go.set()
    context.wait()
    assert (context.choices.loaded_atlas, context.choices.cohort_a) == ("one", "cohort_a")
    assert context.choices.selection.atlas == "one"
    assert not context.loading.running
    assert "Reading" not in regions.caption.value + line.text.value


def test_reading_an_atlas_can_be_cancelled(context: AppContext, slow: SlowAtlases) -> None:
    choose(context, atlas="", folder_a="cohort_a")
    regions = RegionsPanel(context)
    assert "Choose an atlas" in regions.caption.value
    context.choices.atlas = "two"
    slow.wait_for("two")
    assert regions.caption.value == "Reading the atlas ..."
    context.cancel()
    slow.go.set()
    context.wait()
    assert "Choose an atlas" in regions.caption.value
    assert (context.choices.atlas, context.choices.loaded_atlas) == ("", "")
    assert (context.loading.running, context.banner.message, slow.read) == (False, "", [])


@pytest.mark.parametrize("name", ["one", ""])
def test_another_choice_overtakes_an_atlas(
    context: AppContext, slow: SlowAtlases, name: str
) -> None:
    context.choices.atlas = "two"
    slow.wait_for("two")
    context.choices.atlas = name
    slow.go.set()
    context.wait()
    assert (context.choices.atlas, context.choices.loaded_atlas) == (name, name)
    assert (context.loading.running, context.banner.message) == (False, "")
    assert slow.read == [name][: len(name)]


def test_what_is_chosen_while_something_is_read_is_not_taken_back(
    context: AppContext, slow: SlowAtlases
) -> None:
    context.choices.atlas = "two"
    slow.wait_for("two")
    context.choices.folder_a = "cohort_a"
    slow.go.set()
    context.wait()
    assert (context.choices.cohort_a, context.choices.loaded_atlas) == ("cohort_a", "two")
    assert slow.read == ["two"]


def test_folders_that_cannot_be_compared_are_told(context: AppContext, tmp_path: Path) -> None:
    write_masks(tmp_path / "other", random_masks(2))
    context = new_context(tmp_path)
    choose(context, folder_a="cohort_a", atlas="")
    choose(context, folder_b="other")
    assert "is not on the grid of the other map" in context.banner.message
    assert (context.choices.cohort_a, context.choices.folder_b) == ("cohort_a", "")


def test_a_bad_atlas_does_not_stop_the_folder_nor_the_other_way_round(
    context: AppContext, own_root: Path
) -> None:
    context.open_first()
    context.wait()
    assert "one.nii" in context.banner.message
    assert (context.choices.cohort_a, context.choices.atlas) == ("cohort_a", "")
    context = new_context(own_root)
    broken = next(name for name in context.session.root.cohorts if "broken" in name)
    choose(context, folder_a=broken)
    assert "no readable mask" in context.banner.message
    assert (context.choices.folder_a, context.choices.loaded_atlas) == ("", "synthetic_atlas")


def test_an_atlas_does_not_undo_what_was_said_of_the_folder(session: Session) -> None:
    context = AppContext(session)
    context.choices.most_patients = context.choices.min_patients = 99
    context.open_first()
    context.wait()
    assert context.choices.lowered_from == 99
    choose(context, atlas="")
    assert context.choices.lowered_from == 99


def test_a_folder_of_own_results_is_told_as_one(tmp_path: Path, sample_data: Path) -> None:
    cohort = load_cohort(sample_data / "cohort_a")
    (tmp_path / "results").mkdir()
    for name, image in volume_stats(cohort, 5).files.items():
        (tmp_path / "results" / name).write_bytes(nifti_bytes(image.to_nifti()))
    context = new_context(tmp_path)
    choose(context, folder_a="results")
    assert "results: holds results of lesion_dash, not masks; choose" in context.banner.message
    assert "no .nii" not in context.banner.message


def test_threads_that_ask_at_once_read_an_atlas_once(
    sample_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, calls, both = Session(DataRoot(sample_data)), [], threading.Barrier(2)

    def load(*files: Any, space: str | None) -> Any:
        calls.append(files)
        return load_atlas(*files, space=space)

    def ask(name: str) -> Any:
        both.wait(10)
        return session.atlas(name)

    monkeypatch.setattr("lesion_dash.dashboard.session.load_atlas", load)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(ask, ["synthetic_atlas"] * 2)
    assert len(calls) == 1
    assert first is second
