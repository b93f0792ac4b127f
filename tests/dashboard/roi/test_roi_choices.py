"""The choices of the page ROI lab: every one reaches the recipe, and none leaves the data root."""

from __future__ import annotations

import shutil
from pathlib import Path

import ipywidgets as widgets
import pytest
from traitlets import TraitError

from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.lab_choices import KINDS, InputChoices, Way, WayChoices
from lesion_dash.dashboard.lab_files import LabFiles
from lesion_dash.dashboard.lab_inputs import setup_of
from lesion_dash.dashboard.pages.roi import RoiPage
from lesion_dash.rois.recipe import RoiRecipe
from lesion_dash.rois.sources import SeriesSource
from lesion_dash.rois.steps import Morph, Threshold

from .roi_page import (
    HOSTILE,
    RUNS,
    choose,
    every_widget,
    run,
    text,
)


def test_what_is_missing_is_said(page: RoiPage) -> None:
    said = []
    for kind in KINDS:
        page.input.kind.value = kind
        page.input.folder.value = ""
        said.append(text(page.test.busy))
        assert page.test.run.disabled
    assert set(said) == {"Choose a folder."}
    page.input.kind.value = "split"
    page.input.folder.value = "cohort_a"
    assert "column" in text(page.test.busy)
    page.input.kind.value = "series"
    page.input.folder.value = "atlas"
    assert "at least one run" in text(page.test.busy)


def test_a_run_without_a_table_is_told_beside_it(page: RoiPage) -> None:
    page.input.runs.list.value = ("sub-01_brain_mask.nii.gz", RUNS[0])
    assert "sub-01_brain_mask.nii.gz" in text(page.input.hint)
    assert page.test.run.disabled
    assert page._context.banner.message == ""
    page.input.table.value = RUNS[0].replace("_bold.nii.gz", "_events.tsv")
    assert page.choices.a == "face"


def test_hostile_names_are_shown_as_text(page: RoiPage, root: Path) -> None:
    page.input.folder.value = f"bold {HOSTILE}"
    assert page.choices.runs == ("run001/bold_8mm.nii.gz", "run002/bold_8mm.nii.gz")
    assert {page.choices.a, page.choices.b} == {"face", HOSTILE}
    found = run(page)
    assert len(found.rois) > 0
    for one in every_widget(page.widget):
        if isinstance(one, widgets.HTML):
            assert "<img src=x" not in one.value


def test_every_choice_reaches_the_recipe(page: RoiPage, root: Path) -> None:
    choose(page, page.input, delay_s=2.5, repetition_time=2.5, fwhm_mm=9)
    choose(page, page.input.mask, folders="series")
    choose(page, page.input.mask, names="sub-01_brain_mask.nii.gz")
    choose(page, page.test, test="welch", correction="bonferroni")
    choose(page, page.input, a="house", b="face")
    page.input.runs.list.value = RUNS[1:]
    choose(page, page.parts, connectivity=6, min_voxels=2, min_mm3=600, atlas="")
    found = run(page).recipe
    place = root / "series"
    assert found == RoiRecipe(
        SeriesSource(
            str(place / RUNS[1]),
            str(place / RUNS[1].replace("_bold.nii.gz", "_events.tsv")),
            "house",
            "face",
            test="welch",
            delay_s=2.5,
            repetition_time=2.5,
            fwhm_mm=9,
            mask=str(place / "sub-01_brain_mask.nii.gz"),
        ),
        Threshold(1.3),
        "minus_log10_corrected_p",
        "bonferroni",
        connectivity=6,
        min_voxels=2,
        min_mm3=600,
    )


def test_choices_are_checked(page: RoiPage) -> None:
    files = page.lab.files
    with pytest.raises(InputError, match="no folder of images"):
        setup_of(InputChoices(folder="../elsewhere", runs=RUNS), files)
    with pytest.raises(InputError, match="no file of this folder"):
        files.paths("series", ["../cohort_a/sub-a01_lesion.nii.gz"])
    other = InputChoices()
    for name, value in {"kind": "none", "test": "fisher", "correction": "x", "seed": -1}.items():
        with pytest.raises(TraitError, match=r"trait|test"):
            setattr(other, name, value)
        assert getattr(other, name) == getattr(InputChoices(), name)


def test_a_link_out_of_the_root_is_refused(root: Path, tmp_path: Path) -> None:
    own = tmp_path / "root"
    shutil.copytree(root / "series", own / "series")
    (own / "series" / "out.nii.gz").symlink_to(root / "cohort_a" / "sub-a01_lesion.nii.gz")
    files = LabFiles(DataRoot(own))
    with pytest.raises(InputError, match="outside the data root"):
        files.path("series", "out.nii.gz")


def test_tables_belong_to_their_runs(tmp_path: Path) -> None:
    for name in ("a_run-1_bold.nii", "a_run-2_bold.nii", "a_run-10_bold.nii", "other.nii"):
        (tmp_path / name).touch()
    for name in ("a_run-1_events.tsv", "a_run-10_events.tsv", "notes.txt", "labels_of_x.txt"):
        (tmp_path / name).touch()
    files = LabFiles(DataRoot(tmp_path))
    assert files.tables_of(".", files.images(".")) == {
        "a_run-1_bold.nii": "a_run-1_events.tsv",
        "a_run-10_bold.nii": "a_run-10_events.tsv",
        "a_run-2_bold.nii": "",
        "other.nii": "",
    }
    (tmp_path / "labels.txt").touch()
    assert set(files.tables_of(".", ["a_run-2_bold.nii", "other.nii"]).values()) == {"labels.txt"}
    assert files.runs_like_the_first(".") == files.images(".")[:3]


def test_the_way_survives_being_taken() -> None:
    choices = WayChoices()
    way = Way("t", -2.5, "below", (Morph("erode", 1),), 6, 4, 8.0, "atlas", (3, 1))
    choices.take(way)
    assert choices.way == way
    assert way.unpicked == Way("t", -2.5, "below", way.steps, 6, 4, 8.0, "atlas")


def test_no_table_above_the_root_is_read(root: Path, tmp_path: Path) -> None:
    own = tmp_path / "root"
    shutil.copytree(root / "cohort_a", own)
    shutil.copytree(root / "cohort_b", own / "b")
    shutil.copy(root / "participants.tsv", tmp_path)
    choices = InputChoices(kind="cohorts", folder=".", folder_b="b")
    read = setup_of(choices, LabFiles(DataRoot(own))).source.read()
    assert [cohort.participants for cohort in read.cohorts] == [None, None]
