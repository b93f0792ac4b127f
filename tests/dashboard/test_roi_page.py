"""The page ROI lab without a kernel: it shows and saves what the library computes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import nibabel as nib
import numpy as np
import pytest
from traitlets import TraitError
from visitor import HOSTILE, choose, click_row, every_widget, is_hidden, new_context, text, titles

from lesion_dash.core.errors import InputError
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.atlas_use import AtlasUse
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.lab_choices import KINDS, MAPS, InputChoices, RoiRequest
from lesion_dash.dashboard.lab_files import LabFiles
from lesion_dash.dashboard.lab_inputs import setup_of
from lesion_dash.dashboard.pages.roi import RoiPage
from lesion_dash.dashboard.roi_lab import RoiResult
from lesion_dash.dashboard.session import Session
from lesion_dash.rois.recipe import InsideRegions, MoreIn, RoiRecipe, RoiRun, run_recipe
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

RUNS = tuple(f"sub-01_task-pictures_run-{number}_bold.nii.gz" for number in (1, 2))


@pytest.fixture(scope="module")
def root(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample data, runs in a folder each, and names that would run a script."""
    root = tmp_path_factory.mktemp("lab")
    for name in ("cohort_a", "cohort_b", "atlas", "series"):
        shutil.copytree(sample_data / name, root / name)
    shutil.copy(sample_data / "participants.tsv", root)
    for number in (1, 2):
        place = root / f"bold {HOSTILE}" / f"run00{number}"
        place.mkdir(parents=True)
        run = sample_data / "series" / f"sub-01_task-pictures_run-{number}"
        shutil.copy(f"{run}_bold.nii.gz", place / "bold_8mm.nii.gz")
        table = Path(f"{run}_events.tsv").read_text().replace("house", HOSTILE)
        (place / "bold_events.tsv").write_text(table)
    return root


@pytest.fixture(scope="module")
def session(root: Path) -> Session:
    return Session(DataRoot(root))


@pytest.fixture
def page(context: AppContext) -> RoiPage:
    """The page on the sample series, as it opens."""
    page = RoiPage(context)
    page.input.folder.value = "series"
    return page


def run(page: RoiPage) -> RoiRun:
    page.test.run.click()
    page.context.wait()
    assert page.context.banner.message == ""
    return page.answer.run


def fill(page: RoiPage, panel: Any, **values: object) -> None:
    for name, value in values.items():
        getattr(panel, name).value = value
    page.context.wait()


def press(page: RoiPage, button: Any) -> None:
    button.click()
    page.context.wait()


def series_of(root: Path, **more: Any) -> SeriesSource:
    place = root / "series"
    tables = tuple(str(place / name.replace("_bold.nii.gz", "_events.tsv")) for name in RUNS)
    return SeriesSource(tuple(str(place / n) for n in RUNS), tables, "face", "house", **more)


def recipe_of(root: Path, source: Any, **more: Any) -> RoiRecipe:
    atlas = root / "atlas" / "synthetic_atlas"
    names = {"atlas": f"{atlas}.nii.gz", "labels": f"{atlas}.csv"}
    return RoiRecipe(**({"source": source, "threshold": Threshold(3.0)} | names | more))


def assert_same(own: RoiRun, expected: RoiRun) -> None:
    assert own.recipe == expected.recipe
    assert own.rois.table.equals(expected.rois.table)
    for mask, other in zip(own.masks, expected.masks, strict=True):
        assert np.array_equal(mask.indices, other.indices)


def test_opens_empty(context: AppContext) -> None:
    page = RoiPage(context)
    assert (page.choices.folder, page.choices.runs) == ("", ())
    assert page.test.run.disabled
    assert "Choose a folder" in text(page.picture.image)


def test_a_folder_brings_its_runs_and_their_conditions(page: RoiPage) -> None:
    assert page.choices.runs == RUNS
    assert (page.choices.a, page.choices.b) == ("face", "house")
    assert "Run the test" in text(page.picture.image)
    assert not page.test.run.disabled


def test_files_values_and_code_are_the_librarys(
    page: RoiPage, saved: dict[str, bytes], root: Path
) -> None:
    own, expected = run(page), run_recipe(recipe_of(root, series_of(root)))
    assert_same(own, expected)
    assert page.code.copy.text == script_of(expected.recipe)
    assert text(page.code.code) == f'<pre tabindex="0">{script_of(expected.recipe)}</pre>'
    for column in ("index", "voxels", "region"):
        assert page.parts.table.frame[column].tolist() == expected.rois.table[column].tolist()
    assert len(page.values.table.frame) == 2 * len(expected.rois)
    assert text(page.test.statement) == expected.contrast.statement
    assert text(page.test.size) == f"{expected.contrast.sentence}."
    assert page.picture.image.value.startswith("<img")
    assert page.values.image.value.startswith("<img")
    for name in page.code.files.file.options:
        page.code.files.file.value = name
        files = page.code.files
        press(page, files.plain if name.endswith(".nii") else files.download)
    assert [*saved, "provenance.json"] == names_of_run(True)
    assert saved == run_files(expected)
    saved.clear()
    press(page, page.values.download)
    assert saved == {"roi_values.csv": csv_bytes(expected.values.table)}


def test_the_table_says_which_condition_is_higher_and_names_the_map(page: RoiPage) -> None:
    run(page)
    first = page.parts.table.frame
    assert {"Peak −log10 p", "Higher in", "Effect"} <= set(titles(page.parts.table))
    fill(page, page.input, a="house", b="face")
    run(page)
    second = page.parts.table.frame
    assert set(first["higher_in"]) == {"face", "house"}
    assert second["higher_in"].tolist() == first["higher_in"].tolist()
    assert second["peak_effect"].tolist() == (-first["peak_effect"]).tolist()
    signs = {"face": 1, "house": -1}
    assert np.sign(first["peak_effect"]).tolist() == [signs[name] for name in first["higher_in"]]
    assert "face − house" not in text(page.parts.remark)
    assert "house − face" in text(page.parts.remark)
    assert text(page.parts.caption).startswith("−log10 p of house - face: ")


def test_steps_are_added_and_undone_in_order(page: RoiPage, root: Path) -> None:
    first = run(page)
    fill(page, page.steps, kind="more_in_a")
    press(page, page.steps.add)
    fill(page, page.steps, kind="dilate", radius=2, unit=("voxels", 26))
    press(page, page.steps.add)
    steps = (MoreIn("a"), Morph("dilate", 2, "voxels", 26))
    expected = run_recipe(recipe_of(root, series_of(root), steps=steps))
    assert_same(page.answer.run, expected)
    assert page.answer.run.contrast is first.contrast  # the test is not repeated
    lines = [line for line, _ in page.picture.steps.options]
    assert len(lines) == 4
    assert lines[1] == f"2. where group A has more: {expected.masks[1].voxels} voxels"
    press(page, page.steps.undo)
    assert page.answer.run.recipe.steps == page.way.steps == steps[:1]
    press(page, page.steps.undo)
    assert page.steps.undo.disabled


def test_regions_are_taken_by_name(page: RoiPage, root: Path) -> None:
    run(page)
    fill(page, page.steps, kind="regions", atlas="synthetic_atlas")
    page.steps.regions.search.value = "temporal l"
    assert set(page.steps.regions.shown) == {f"Synthetic temporal {n} L" for n in range(1, 7)}
    page.steps.regions.all.click()
    press(page, page.steps.add)
    step = page.answer.run.recipe.steps[0]
    assert isinstance(step, InsideRegions)
    assert step.names == page.steps.regions.shown
    line = page.picture.steps.options[1][0]
    assert line.startswith("2. inside Synthetic temporal 1 L and 5 regions more: ")
    assert page.context.banner.message == ""


def test_regions_are_those_of_an_atlas_in_the_space_that_was_stated(root: Path) -> None:
    context = new_context(root)
    choose(context, atlases=("synthetic_atlas",))
    page = RoiPage(context)
    page.input.folder.value = "series"
    before = run(page)
    fill(page, page.steps, kind="regions", atlas="synthetic_atlas")
    page.steps.regions.all.click()
    press(page, page.steps.add)
    assert before.recipe.atlas_space is None
    context.choose_use("synthetic_atlas", AtlasUse(space="Talairach"))
    context.wait()
    after = page.answer.run
    assert after.recipe.atlas_space == after.recipe.steps[0].space == "Talairach"
    assert after.atlas.grid.space.name == "Talairach"
    assert after.atlas.grid.space.source != before.atlas.grid.space.source
    assert page.answer.script.count("space='Talairach'") == 2
    context.choose_use("synthetic_atlas", AtlasUse())
    context.wait()
    assert page.answer.run.recipe.steps[0].space is None


def test_a_step_that_cannot_be_done_is_taken_back(page: RoiPage) -> None:
    first = run(page)
    fill(page, page.steps, kind="file")
    fill(page, page.steps.file, folders="cohort_a")
    fill(page, page.steps.file, names="sub-a01_lesion.nii.gz")
    press(page, page.steps.add)
    assert "grid" in page.context.banner.message
    assert page.answer.run is first
    assert page.way.steps == ()


def test_picks_keep_their_numbers_until_the_parts_change(page: RoiPage) -> None:
    every = run(page).every
    fill(page, page.parts, picks=(2,))
    assert page.answer.run.rois.names == ("ROI 2",)
    assert len(page.answer.run.every) == len(every) > 2
    assert list(page.values.table.frame["roi"].unique()) == ["ROI 2"]
    fill(page, page.steps.threshold, threshold=4.0)
    assert page.answer.run.recipe.picks == page.parts.picks.value == ()


def test_a_row_leads_to_its_peak(page: RoiPage) -> None:
    roi_run = run(page)
    click_row(page.parts.table, 1)
    page.context.wait()
    assert page.picture.cut == tuple(roi_run.rois.parts[1].peak_mm)
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
    fill(page, page.input, **fields)
    roi_run = run(page)
    assert_same(roi_run, run_recipe(recipe_of(root, source(root))))


def test_a_map_is_opened_without_a_test(page: RoiPage, root: Path) -> None:
    run(page)
    page.input.kind.value = "map"
    assert page.test.run.description == "Open the map"
    fill(page, page.input, folder="cohort_a", file="sub-a09_lesion.nii.gz")
    roi_run = run(page)
    path = root / "cohort_a" / "sub-a09_lesion.nii.gz"
    recipe = recipe_of(root, MapSource(str(path)), threshold=Threshold(0.0), map_key="")
    assert_same(roi_run, run_recipe(recipe))
    assert roi_run.rois.mask.voxels == int(nib.load(path).get_fdata().sum())
    assert page.values.download.disabled
    assert "no groups" in text(page.values.caption)
    page.input.kind.value = "series"
    page.input.folder.value = "series"
    assert run(page).recipe.map_key == "minus_log10_p"


def test_a_correction_brings_its_own_map_and_threshold(page: RoiPage, root: Path) -> None:
    run(page)
    fill(page, page.test, correction="fwe", n_permutations=99, seed=7)
    assert "press" in text(page.test.busy)
    roi_run = run(page)
    more = {"correction": "fwe", "n_permutations": 99, "seed": 7}
    expected = recipe_of(root, series_of(root), map_key="minus_log10_corrected_p", **more)
    assert_same(
        roi_run, run_recipe(expected.__class__(**(vars(expected) | {"threshold": Threshold(1.3)})))
    )
    fill(page, page.test, test="welch")
    assert page.choices.correction == "none"
    assert "fwe" not in [key for _, key in page.test.correction.options]


def test_every_map_has_a_threshold_to_begin_with(page: RoiPage) -> None:
    fill(page, page.test, correction="fdr")
    run(page)
    for key in [key for key in MAPS if key != "odds_ratio"]:
        fill(page, page.steps.threshold, map_key=key)
        assert page.context.banner.message == "", key
        assert page.answer.run.recipe.map_key == key
        assert page.steps.threshold.threshold.value == page.way.threshold
        assert 0 < page.answer.run.masks[0].voxels < page.answer.run.contrast.tested


def test_nothing_left_is_said_and_can_be_undone(page: RoiPage) -> None:
    run(page)
    fill(page, page.steps.threshold, threshold=20.0)
    fill(page, page.parts, min_voxels=1000)
    assert page.context.banner.message == ""
    assert "No cluster left" in text(page.parts.caption)
    assert page.values.download.disabled
    assert page.code.files.download.disabled
    assert not page.code.script.disabled
    fill(page, page.parts, min_voxels=1)
    assert len(page.answer.run.rois) > 0


def test_cancel_ends_the_work_and_keeps_what_is_shown(
    page: RoiPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(page)
    steps: list[str] = []
    work = page.lab.answer

    def answer(request: RoiRequest, watch: Callable[[str], None]) -> RoiResult:
        def watch_and_cancel(step: str) -> None:
            steps.append(step)
            if step.startswith("permutation"):
                page.test.cancel.click()
            watch(step)

        return work(request, watch_and_cancel)

    monkeypatch.setattr(type(page.lab), "answer", lambda _lab, *request: answer(*request))
    fill(page, page.test, correction="fwe")
    press(page, page.test.run)
    assert sum(step.startswith("permutation") for step in steps) == 1
    assert page.context.banner.message == ""
    assert page.answer.run is first
    assert page.way.map_key == "minus_log10_p"
    assert is_hidden(page.test.cancel)


def test_only_the_newest_question_is_answered(page: RoiPage) -> None:
    run(page)
    for value in (4.0, 5.0, 6.0, 7.0):
        page.steps.threshold.threshold.value = value
    page.context.wait()
    assert page.answer.run.recipe.threshold.value == 7.0
    assert page.context.banner.message == ""


def test_what_is_missing_is_said(page: RoiPage) -> None:
    for kind in KINDS:
        page.input.kind.value = kind
        page.input.folder.value = ""
        assert text(page.test.busy) == "Choose a folder."
        assert page.test.run.disabled
    for kind, folder, advice in (
        ("split", "cohort_a", "column"),
        ("series", "atlas", "at least one run"),
    ):
        page.input.kind.value = kind
        page.input.folder.value = folder
        assert advice in text(page.test.busy)


def test_a_run_without_a_table_is_told_beside_it(page: RoiPage) -> None:
    page.input.runs.list.value = ("sub-01_brain_mask.nii.gz", RUNS[0])
    assert "sub-01_brain_mask.nii.gz" in text(page.input.hint)
    assert page.test.run.disabled
    page.input.table.value = RUNS[0].replace("_bold.nii.gz", "_events.tsv")
    assert page.choices.a == "face"


def test_hostile_names_are_shown_as_text(page: RoiPage) -> None:
    page.input.folder.value = f"bold {HOSTILE}"
    assert page.choices.runs == ("run001/bold_8mm.nii.gz", "run002/bold_8mm.nii.gz")
    assert {page.choices.a, page.choices.b} == {"face", HOSTILE}
    assert len(run(page).rois) > 0
    shown = [w.value for w in every_widget(page.widget) if isinstance(w, widgets.HTML)]
    assert not any("<img src=x" in value for value in shown)


def test_every_choice_reaches_the_recipe(page: RoiPage, root: Path) -> None:
    fill(page, page.input, delay_s=2.5, repetition_time=2.5, fwhm_mm=9)
    fill(page, page.input.mask, folders="series")
    fill(page, page.input.mask, names="sub-01_brain_mask.nii.gz")
    fill(page, page.test, test="welch", correction="bonferroni")
    fill(page, page.input, a="house", b="face")
    page.input.runs.list.value = RUNS[1:]
    fill(page, page.parts, connectivity=6, min_voxels=2, min_mm3=600, atlas="")
    image = str(root / "series" / RUNS[1])
    times = {"delay_s": 2.5, "repetition_time": 2.5, "fwhm_mm": 9}
    mask = str(root / "series" / "sub-01_brain_mask.nii.gz")
    names = (image, image.replace("_bold.nii.gz", "_events.tsv"), "house", "face")
    source = SeriesSource(*names, test="welch", mask=mask, **times)
    parts = {"connectivity": 6, "min_voxels": 2, "min_mm3": 600}
    assert run(page).recipe == RoiRecipe(
        source, Threshold(1.3), "minus_log10_corrected_p", "bonferroni", **parts
    )


def test_choices_are_checked(page: RoiPage) -> None:
    files = page.lab.files
    with pytest.raises(InputError, match="not a folder of images"):
        setup_of(InputChoices(folder="../elsewhere", runs=RUNS), files)
    with pytest.raises(InputError, match="not a file of this folder"):
        files.paths("series", ["../cohort_a/sub-a01_lesion.nii.gz"])
    choices = InputChoices()
    for name, value in {"kind": "none", "test": "fisher", "correction": "x", "seed": -1}.items():
        with pytest.raises(TraitError, match=r"trait|test"):
            setattr(choices, name, value)


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


def test_no_table_above_the_root_is_read(root: Path, tmp_path: Path) -> None:
    own = tmp_path / "root"
    shutil.copytree(root / "cohort_a", own)
    shutil.copytree(root / "cohort_b", own / "b")
    shutil.copy(root / "participants.tsv", tmp_path)
    choices = InputChoices(kind="cohorts", folder=".", folder_b="b")
    read = setup_of(choices, LabFiles(DataRoot(own))).source.read()
    assert [cohort.participants for cohort in read.cohorts] == [None, None]
