"""The page ROI lab without a kernel: it shows and saves what the library computes."""

from __future__ import annotations

import html
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import nibabel as nib
import pytest
from traitlets import TraitError

from lesion_dash.core.errors import Cancelled, InputError
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.lab_choices import KINDS, MAPS, InputChoices, RoiRequest, Way, WayChoices
from lesion_dash.dashboard.lab_files import LabFiles
from lesion_dash.dashboard.lab_inputs import setup_of
from lesion_dash.dashboard.pages.roi import RoiPage
from lesion_dash.rois.recipe import InsideRegions, MoreIn, RoiRecipe, run_recipe
from lesion_dash.rois.saving import names_of_run, run_files, script_of
from lesion_dash.rois.sources import (
    CohortsSource,
    ImagesSource,
    MapSource,
    ScoreSource,
    SeriesSource,
    SplitSource,
)
from lesion_dash.rois.steps import Morph, Threshold

from .roi_page import (
    HOSTILE,
    RUNS,
    assert_same,
    choose,
    every_widget,
    hidden,
    recipe_of,
    run,
    series_of,
    text,
)


def test_one_click_on_the_sample_data_finds_the_effect(app: App) -> None:
    app.tabs.selected_index = app.tabs.titles.index("ROI lab")
    built = app.tabs.children[app.tabs.selected_index]
    buttons = [one for one in every_widget(built) if isinstance(one, widgets.Button)]
    next(one for one in buttons if one.description == "Run the test").click()
    app.context.wait()
    assert app.context.banner.message == ""
    lists = [one for one in every_widget(built) if isinstance(one, widgets.Select)]
    assert [line for line, _ in lists[0].options][-1].endswith("regions of interest")


def test_opens_with_the_runs_and_their_conditions(page: RoiPage) -> None:
    assert page.choices.runs == RUNS
    assert page.choices.a == "face"
    assert page.choices.b == "house"
    assert "Run the test" in text(page.picture.image)
    assert not page.test.run.disabled


def test_table_values_and_code_are_the_librarys(page: RoiPage, root: Path) -> None:
    found = run(page)
    expected = run_recipe(recipe_of(root, series_of(root)))
    assert_same(found, expected)
    assert found.recipe.atlas is not None
    assert (
        page.code.code.value == f'<pre tabindex="0">{html.escape(script_of(expected.recipe))}</pre>'
    )
    assert page.code.copy.text == script_of(expected.recipe)
    shown = page.parts.table.frame
    assert shown is not None
    assert shown["No."].tolist() == expected.rois.table["index"].tolist()
    assert shown["Voxels"].tolist() == expected.rois.table["voxels"].tolist()
    assert shown["Region"].tolist() == expected.rois.table["region"].tolist()
    values = page.values.table.frame
    assert values is not None
    assert len(values) == 2 * len(expected.rois)
    assert expected.contrast is not None
    assert text(page.test.statement) == expected.contrast.statement
    assert text(page.test.size) == f"{expected.contrast.sentence}."
    assert page.picture.image.value.startswith("<img")
    assert page.values.image.value.startswith("<img")


def test_the_table_says_which_condition_is_higher_and_names_the_map(
    page: RoiPage, root: Path
) -> None:
    run(page)
    first = page.parts.table.frame
    assert first is not None
    assert "Peak −log10 p" in first
    choose(page, page.input, a="house", b="face")
    run(page)
    second = page.parts.table.frame
    assert second is not None
    assert set(first["Higher in"]) == {"face", "house"}
    assert second["Higher in"].tolist() == first["Higher in"].tolist()
    turned = {"+": "-", "-": "+"}
    assert second["Effect"].tolist() == [turned[word[0]] + word[1:] for word in first["Effect"]]
    signs = {"face": "+", "house": "-"}
    assert [word[0] for word in first["Effect"]] == [signs[name] for name in first["Higher in"]]
    assert "face − house" not in text(page.parts.remark)
    assert "house − face" in text(page.parts.remark)
    assert text(page.parts.caption).startswith("−log10 p of house - face: ")


def test_files_are_the_librarys(page: RoiPage, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files: dict[str, bytes] = {}
    monkeypatch.setattr(page._context.saver, "save", files.__setitem__)
    run(page)
    expected = run_recipe(recipe_of(root, series_of(root)))
    for name in page.code.file.options:
        page.code.file.value = name
        page.code.download.click()
        page._context.wait()
    assert [*files, "provenance.json"] == names_of_run(True)
    assert files == run_files(expected)
    assert expected.values is not None
    files.clear()
    page.values.download.click()
    page._context.wait()
    assert files == {"roi_values.csv": csv_bytes(expected.values.table)}


def test_later_steps_do_not_repeat_the_test(page: RoiPage) -> None:
    first = run(page)
    choose(page, page.steps.threshold, threshold=5.0)
    choose(page, page.parts, min_voxels=3)
    second = page.answer.run
    assert second.contrast is first.contrast
    assert second.recipe.threshold.value == 5.0
    assert second.recipe.min_voxels == 3


def test_steps_are_added_and_undone_in_order(page: RoiPage, root: Path) -> None:
    run(page)
    choose(page, page.steps, kind="more_in_a")
    page.steps.add.click()
    page._context.wait()
    choose(page, page.steps, kind="dilate", radius=2, unit=("voxels", 26))
    page.steps.add.click()
    page._context.wait()
    steps = (MoreIn("a"), Morph("dilate", 2, "voxels", 26))
    expected = run_recipe(recipe_of(root, series_of(root), steps=steps))
    assert_same(page.answer.run, expected)
    lines = [line for line, _ in page.picture.steps.options]
    assert len(lines) == 4
    assert lines[1] == f"2. where group A has more: {expected.masks[1].voxels} voxels"
    page.steps.undo.click()
    page._context.wait()
    assert page.answer.run.recipe.steps == steps[:1]
    assert page.way.steps == steps[:1]
    page.steps.undo.click()
    page._context.wait()
    assert page.steps.undo.disabled


def test_regions_are_taken_by_name(page: RoiPage, root: Path) -> None:
    run(page)
    choose(page, page.steps, kind="regions", atlas="synthetic_atlas")
    page.steps.regions.search.value = "temporal l"
    assert set(page.steps.regions.shown) == {f"Synthetic temporal {n} L" for n in range(1, 7)}
    page.steps.regions.all.click()
    page.steps.add.click()
    page._context.wait()
    step = page.answer.run.recipe.steps[0]
    assert isinstance(step, InsideRegions)
    assert step.names == page.steps.regions.shown
    line = page.picture.steps.options[1][0]
    assert line.startswith("2. inside Synthetic temporal 1 L and 5 regions more: ")
    assert page._context.banner.message == ""


def test_a_step_that_cannot_be_done_is_taken_back(page: RoiPage) -> None:
    first = run(page)
    choose(page, page.steps, kind="file")
    choose(page, page.steps.file, folders="cohort_a")
    choose(page, page.steps.file, names="sub-a01_lesion.nii.gz")
    page.steps.add.click()
    page._context.wait()
    assert "grid" in page._context.banner.message
    assert page.answer.run is first
    assert page.way.steps == ()
    assert page._request == page.answer.question


def test_picks_keep_their_numbers_until_the_parts_change(page: RoiPage, root: Path) -> None:
    every = run(page).every
    assert len(every) > 2
    choose(page, page.parts, picks=(2,))
    assert page.answer.run.rois.names == ("ROI 2",)
    assert len(page.answer.run.every) == len(every)
    assert list(page.values.table.frame["Region"].unique()) == ["ROI 2"]
    choose(page, page.steps.threshold, threshold=4.0)
    assert page.answer.run.recipe.picks == ()
    assert page.parts.picks.value == ()


def test_a_row_leads_to_its_peak(page: RoiPage) -> None:
    found = run(page)
    page.parts.table.click(1)
    page._context.wait()
    assert page.picture.cut == tuple(found.rois.parts[1].peak_mm)
    assert not page.picture.is_automatic.value


@pytest.mark.parametrize(
    ("kind", "fields", "source"),
    [
        ("cohorts", {"folder": "cohort_a", "folder_b": "cohort_b"},
         lambda r: CohortsSource(f"{r}/cohort_a", f"{r}/cohort_b", within=str(r))),
        ("images", {"folder": "cohort_a", "folder_b": "cohort_b"},
         lambda r: ImagesSource(f"{r}/cohort_a", f"{r}/cohort_b")),
        ("split", {"folder": "cohort_a", "column": "sex", "a": "F", "b": "M"},
         lambda r: SplitSource(
             f"{r}/cohort_a", "sex", "F", "M", f"{r}/participants.tsv", within=str(r))),
        ("score", {"folder": "cohort_a", "column": "nihss"},
         lambda r: ScoreSource(
             f"{r}/cohort_a", "nihss", f"{r}/participants.tsv", within=str(r))),
    ],
)  # fmt: skip
def test_every_kind_of_input_is_tested(
    page: RoiPage, root: Path, kind: str, fields: dict[str, str], source: Callable[[Path], Any]
) -> None:
    page.input.kind.value = kind
    choose(page, page.input, **fields)
    found = run(page)
    assert_same(found, run_recipe(recipe_of(root, source(root))))


def test_a_map_is_opened_without_a_test(page: RoiPage, root: Path) -> None:
    run(page)
    page.input.kind.value = "map"
    assert page.test.run.description == "Open the map"
    choose(page, page.input, folder="cohort_a", file="sub-a09_lesion.nii.gz")
    found = run(page)
    path = root / "cohort_a" / "sub-a09_lesion.nii.gz"
    recipe = recipe_of(root, MapSource(str(path)), threshold=Threshold(0.0), map_key="")
    assert_same(found, run_recipe(recipe))
    assert found.rois.mask.voxels == int(nib.load(path).get_fdata().sum())
    assert page.values.download.disabled
    assert "no groups" in text(page.values.caption)
    page.input.kind.value = "series"
    page.input.folder.value = "series"
    assert run(page).recipe.map_key == "minus_log10_p"


def test_a_correction_brings_its_own_map_and_threshold(page: RoiPage, root: Path) -> None:
    run(page)
    choose(page, page.test, correction="fwe", n_permutations=99, seed=7)
    assert "press" in text(page.test.busy)
    found = run(page)
    more = {"correction": "fwe", "n_permutations": 99, "seed": 7}
    expected = recipe_of(root, series_of(root), map_key="minus_log10_corrected_p", **more)
    assert_same(
        found, run_recipe(expected.__class__(**(vars(expected) | {"threshold": Threshold(1.3)})))
    )
    choose(page, page.test, test="welch")
    assert page.choices.correction == "none"
    assert "fwe" not in [key for _, key in page.test.correction.options]


@pytest.mark.parametrize("key", [key for key in MAPS if key != "odds_ratio"])
def test_every_map_has_a_threshold_to_begin_with(page: RoiPage, key: str) -> None:
    choose(page, page.test, correction="fdr")
    run(page)
    choose(page, page.steps.threshold, map_key=key)
    assert page._context.banner.message == ""
    assert page.answer.run.recipe.map_key == key
    assert page.steps.threshold.threshold.value == page.way.threshold
    assert 0 < page.answer.run.masks[0].voxels < page.answer.run.contrast.tested


def test_nothing_left_is_said_and_can_be_undone(page: RoiPage) -> None:
    run(page)
    choose(page, page.steps.threshold, threshold=20.0)
    choose(page, page.parts, min_voxels=1000)
    assert page._context.banner.message == ""
    assert "Nothing is left" in text(page.parts.caption)
    assert page.values.download.disabled
    assert page.code.download.disabled
    assert not page.code.script.disabled
    choose(page, page.parts, min_voxels=1)
    assert len(page.answer.run.rois) > 0


def test_cancel_ends_the_work_and_keeps_what_is_shown(
    page: RoiPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(page)
    told: list[str] = []
    watch = page._watch

    def stop(question: RoiRequest, words: str) -> None:
        watch(question, words)
        told.append(words)
        if words.startswith("permutation"):
            page.test.cancel.click()

    monkeypatch.setattr(page, "_watch", stop)
    choose(page, page.test, correction="fwe")
    page.test.run.click()
    page._context.wait()
    assert sum(words.startswith("permutation") for words in told) == 1
    assert page._context.banner.message == ""
    assert page.answer.run is first
    assert page.way.map_key == "minus_log10_p"
    assert hidden(page.test.cancel)


def test_only_the_newest_question_is_answered(page: RoiPage) -> None:
    run(page)
    for value in (4.0, 5.0, 6.0, 7.0):
        page.steps.threshold.threshold.value = value
    page._context.wait()
    assert page.answer.run.recipe.threshold.value == 7.0
    assert page._context.banner.message == ""
    question = page._request
    page._request = None
    with pytest.raises(Cancelled, match="stopped"):
        page._watch(question, "reading the images")


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
