"""The page Assign without a kernel: it shows and saves what the library computes."""

from __future__ import annotations

import html
import shutil
import threading
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from lesion_dash import (
    Grid,
    assign_regions,
    load_atlas,
    load_cohort,
    overlap,
    read_map,
    volume_stats,
)
from lesion_dash.atlas import OUTSIDE
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.assigning import CHOSEN, CONTOUR, OTHERS
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.desk import Desk
from lesion_dash.dashboard.image_files import ImageFiles
from lesion_dash.dashboard.pages.assign import AssignPage, ranked
from lesion_dash.dashboard.picture import contour
from lesion_dash.dashboard.question import Question
from lesion_dash.dashboard.session import Session
from lesion_dash.errors import InputError
from lesion_dash.tables import csv_bytes

HOSTILE = "<img src=x onerror=alert(1)>"
AFFINE = np.array([[4.0, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
SHAPE = (24, 28, 24)


@pytest.fixture(scope="module")
def root(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample data, an atlas of probabilities, a map of both signs, and unusable files."""
    root = tmp_path_factory.mktemp("assign")
    for name in ("cohort_a", "cohort_b", "atlas"):
        shutil.copytree(sample_data / name, root / name)
    generator = np.random.default_rng(8)
    save(generator.normal(size=SHAPE).astype(np.float32), root / "maps" / "both.nii.gz")
    save(generator.normal(size=(*SHAPE, 2)).astype(np.float32), root / "maps" / "series.nii.gz")
    save(np.zeros(SHAPE, np.float32), root / "maps" / "zero.nii.gz")
    save(np.ones(SHAPE, np.uint8), root / "maps" / "sub-1" / "anat" / f"one {HOSTILE}.nii.gz")
    chances = np.zeros((*SHAPE, 3), np.float32)
    chances[:14, ..., 0], chances[10:, ..., 1] = 0.5, np.linspace(0, 1, 28)[:, None]
    chances[0, 0, 0, 2] = 1
    save(chances, root / "likely" / "likely.nii.gz")
    names = f"index,name\n1,left\n2,{HOSTILE}\n3,corner\n"
    (root / "likely" / "likely.csv").write_text(names)
    return root


def save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, AFFINE)
    image.set_sform(AFFINE, 4)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


@pytest.fixture
def desk(root: Path) -> Desk:
    return Desk(Session(DataRoot(root)))


@pytest.fixture
def page(desk: Desk) -> AssignPage:
    """The page on folder A and the synthetic atlas."""
    desk.choices.folder_a = "cohort_a"
    desk.wait()
    desk.choices.atlas = "synthetic_atlas"
    page = AssignPage(desk)
    desk.wait()
    assert desk.banner.message == ""
    return page


def choose(page: AssignPage, **choices: object) -> None:
    for name, value in choices.items():
        getattr(page.ask, name).value = value
        page._desk.wait()


def saved(page: AssignPage, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    monkeypatch.setattr(page._desk.saver, "save", files.__setitem__)
    page.download.click()
    return files


def text(widget: object) -> str:
    return html.unescape(widget.value)


def test_the_first_page_leads_to_an_answer(app: App) -> None:
    app.tabs.selected_index = 1
    app.desk.wait()
    assert app.tabs.titles[1] == "Assign"
    assert app.desk.banner.message == ""


@pytest.mark.parametrize("source", ["n", "mean", "overlap"])
def test_file_is_the_librarys(
    page: AssignPage, root: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    page._desk.choices.folder_b = "cohort_b"
    page._desk.wait()
    choose(page, source=source)
    choose(page, threshold={"n": 7, "mean": 60.0, "overlap": 0}[source], min_size_mm3=100)
    a, b = (load_cohort(root / name) for name in ("cohort_a", "cohort_b"))
    stats = volume_stats(a, 5)
    both = overlap(a.at_least(5), b.at_least(5)).both
    expected = {"n": (stats.n, 7), "mean": (stats.mean, 60_000), "overlap": (both, 0)}[source]
    atlas = load_atlas(root / "atlas" / "synthetic_atlas.nii.gz")
    found = assign_regions(expected[0], atlas, threshold=expected[1], min_size_mm3=100)
    assert len(found.table)
    assert saved(page, monkeypatch) == {"assignment.csv": csv_bytes(found.table)}
    assert page.best.frame is not None
    assert sorted(page.best.frame["No."]) == found.best["component"].tolist()
    assert f"{len(found.components)} component" in page.caption.value


@pytest.mark.parametrize("signs", ["positive", "negative", "both"])
@pytest.mark.parametrize("connectivity", [6, 26])
def test_any_file_below_the_root_is_assigned(
    page: AssignPage, root: Path, monkeypatch: pytest.MonkeyPatch, signs: str, connectivity: int
) -> None:
    choose(page, atlas="likely", source="maps", file="both.nii.gz", signs=signs)
    choose(page, threshold=2.5, connectivity=connectivity, lower_threshold=0.3)
    likely, image = load_atlas(root / "likely" / "likely.nii.gz"), root / "maps" / "both.nii.gz"
    found = assign_regions(
        read_map(image),
        likely,
        threshold=2.5,
        signs=signs,
        connectivity=connectivity,
        lower_threshold=0.3,
    )
    assert len(found.table)
    assert saved(page, monkeypatch) == {"assignment.csv": csv_bytes(found.table)}
    assert page.table.frame is not None
    assert ("Sign" in page.table.frame) == (signs != "positive")
    assert {"Mean prob.", "Max. prob."} <= set(page.table.frame)


def test_controls_fit_the_map_and_the_atlas(page: AssignPage) -> None:
    ask = page.ask
    assert (ask.threshold.max, ask.threshold.step, ask.threshold_name.value) == (
        14,
        1,
        "Values above (patients)",
    )
    assert (ask.lower_threshold.disabled, ask.signs.disabled) == (True, True)
    choose(page, source="mean")
    assert ask.threshold_name.value == "Values above (mL)"
    choose(page, atlas="likely", source="maps", file="both.nii.gz")
    assert (ask.lower_threshold.disabled, ask.signs.disabled) == (False, False)
    page._desk.choices.folder_b = "cohort_b"
    page._desk.wait()
    choose(page, source="overlap")
    assert ask.threshold.disabled


def test_the_slider_ends_where_the_shown_range_does(page: AssignPage) -> None:
    choose(page, source="maps", file="both.nii.gz")
    low, high = (float(f"{value:.3g}") for value in page.answer.source.range)
    assert f"Range {low:g} to {high:g}".replace("-", "−") == page.ask.threshold_hint.value
    for signs, top in (("positive", high), ("negative", -low), ("both", max(high, -low))):
        choose(page, signs=signs)
        assert page.ask.threshold.max == top


def test_counts_start_at_half_of_the_most_patients(page: AssignPage) -> None:
    assert (page.choices.threshold, page.ask.threshold.value) == (7, 7)
    assert page.ask.threshold_hint.value == "Range 0 to 14. The start is half of it."
    assert "above 7 patients" in page.caption.value
    choose(page, source="mean")
    assert page.choices.threshold == 0
    choose(page, source="n")
    assert page.choices.threshold == 7


def test_the_overlap_is_offered_with_a_second_folder(page: AssignPage) -> None:
    offered = page.ask.source
    assert "overlap" not in dict(offered.options).values()
    choose(page, source="mean")
    page._desk.choices.folder_b = "cohort_b"
    page._desk.wait()
    assert (offered.value, page.choices.source) == ("mean", "mean")
    choose(page, source="overlap")
    page._desk.choices.folder_b = ""
    page._desk.wait()
    assert (offered.value, page.choices.source) == ("n", "n")
    assert "overlap" not in dict(offered.options).values()


def test_a_new_second_folder_keeps_the_chosen_file(page: AssignPage) -> None:
    choose(page, source="maps", file="both.nii.gz", threshold=2.0)
    page._desk.choices.folder_b = "cohort_b"
    page._desk.wait()
    assert (page.ask.file.value, page.choices.threshold) == ("both.nii.gz", 2.0)
    assert page.answer.question.file == "both.nii.gz"


def test_a_file_has_values(page: AssignPage) -> None:
    choose(page, source="maps", file="both.nii.gz")
    assert "· value " in page.brain.readout.value


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
    slow = SlowAtlas(page._desk.session, "likely")
    monkeypatch.setattr(page._desk.session, "atlas", slow)
    page.ask.atlas.value = "likely"
    assert slow.begun.wait(30)
    assert "ld-stale" in page.widget._dom_classes
    for words in (page.caption, page.best_caption, page.brain.readout):
        assert "Reading atlas likely: 1 of 3" in words.value
    assert page.download.disabled
    assert saved(page, monkeypatch) == {}
    slow.go.set()
    page._desk.wait()
    assert page.answer is not old
    assert "ld-stale" not in page.widget._dom_classes
    assert not page.download.disabled
    assert "Reading" not in page.caption.value + page.best_caption.value


def test_a_slow_threshold_is_told_and_saves_nothing(
    page: AssignPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, work = threading.Event(), page.assigner.answer

    def wait(*asked: object) -> object:
        assert go.wait(30)
        return work(*asked)

    monkeypatch.setattr(page.assigner, "answer", wait)
    page.ask.threshold.value = 9
    assert "Working ..." in page.caption.value
    assert page.download.disabled
    assert saved(page, monkeypatch) == {}
    place = page.brain.viewer.mm
    page.table.click(2)
    assert page.brain.viewer.mm == place
    go.set()
    page._desk.wait()
    assert "above 9 patients" in page.caption.value
    assert len(saved(page, monkeypatch)) == 1


def test_an_error_of_a_choice_taken_back_is_not_shown(
    page: AssignPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, work = threading.Event(), page.assigner.answer

    def fail(question: Question, *more: object) -> object:
        if question.threshold != 9:
            return work(question, *more)
        assert go.wait(30)
        raise InputError("map", "is broken")

    monkeypatch.setattr(page.assigner, "answer", fail)
    page.ask.threshold.value = 9
    page.ask.threshold.value = 8
    go.set()
    page._desk.wait()
    assert page._desk.banner.message == ""
    assert "above 8 patients" in page.caption.value


def test_a_choice_taken_back_stops_the_reading(
    page: AssignPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowAtlas(page._desk.session, "likely")
    monkeypatch.setattr(page._desk.session, "atlas", slow)
    page.ask.atlas.value = "likely"
    assert slow.begun.wait(30)
    page.ask.atlas.value = "synthetic_atlas"
    slow.go.set()
    page._desk.wait()
    assert "likely" not in slow.read
    assert page.answer.question.atlas == "synthetic_atlas"
    assert "ld-stale" not in page.widget._dom_classes
    assert page._desk.banner.message == ""


def marked(page: AssignPage) -> tuple[list[int], list[int]]:
    return page.best._table.selected_rows, page.table._table.selected_rows


def assert_both_tables_show_the_match(page: AssignPage) -> None:
    match = page.brain.match
    best, every = page._best_rows, page._rows
    columns = ["component", "label", "region"]
    expected = [match.component.number, match.label, match.region]
    (row,) = marked(page)[1]
    assert every.iloc[row][columns].tolist() == expected
    held = [row for row in range(len(best)) if best.iloc[row][columns].tolist() == expected]
    assert marked(page)[0] == held


def test_the_best_match_of_the_largest_is_highlighted_at_first(page: AssignPage) -> None:
    largest = max(page.answer.found.components.parts, key=lambda part: part.voxels)
    assert page.brain.match.component.number == largest.number
    assert marked(page)[0] == [0]
    assert_both_tables_show_the_match(page)
    page.table.click(3)
    assert marked(page)[1] == [3]
    assert_both_tables_show_the_match(page)


def test_a_row_that_is_gone_gives_way_to_the_best_match(page: AssignPage) -> None:
    choose(page, threshold=5)
    page.table.click(len(page.table.frame) - 1)
    gone = page.brain.match
    choose(page, threshold=13)
    assert page.brain.match.region != gone.region
    assert page.brain.match is page.answer.best_match
    assert page.brain.viewer.mm == page.answer.place_of(page.brain.match)
    assert_both_tables_show_the_match(page)


def test_above_the_maximum_nothing_stays(page: AssignPage) -> None:
    choose(page, threshold=14)
    assert page.brain.match is None
    assert not page.brain.picture.levels.any()
    assert "no component is left" in page.brain.legend.value
    assert page.download.disabled
    assert marked(page) == ([], [])
    choose(page, threshold=13)
    assert page.brain.match is not None
    assert not page.download.disabled


@pytest.mark.parametrize(
    ("signs", "threshold", "words", "name"),
    [
        ("negative", 2.5, "below −2.5", "Values below −"),
        ("both", 2.5, "beyond ±2.5", "Values beyond ±"),
        ("both", 0, "other than 0", "Values beyond ±"),
    ],
)
def test_the_sign_is_said(
    page: AssignPage, signs: str, threshold: float, words: str, name: str
) -> None:
    choose(page, source="maps", file="both.nii.gz", signs=signs, threshold=threshold)
    assert words in page.caption.value
    assert page.ask.threshold_name.value == name


def test_another_map_starts_without_threshold_and_file(page: AssignPage) -> None:
    choose(page, source="maps", file="both.nii.gz", threshold=2.0)
    choose(page, source="mean")
    assert (page.choices.threshold, page.choices.file) == (0, "")
    assert page.ask.file.disabled


def test_what_is_missing_is_said(desk: Desk) -> None:
    page = AssignPage(desk)
    assert "Choose folder A" in page.caption.value
    assert page.brain.readout.value == f"<div>{page.caption.value}</div>"
    choose(page, source="maps")
    assert "Choose a file" in page.caption.value
    choose(page, file="both.nii.gz", atlas="")
    assert "Choose an atlas" in page.caption.value
    assert page.download.disabled
    assert page.answer is None
    assert desk.banner.message == ""


def test_nothing_above_the_threshold_is_no_error(page: AssignPage) -> None:
    choose(page, source="maps", file="zero.nii.gz")
    assert "No component is left" in page.caption.value
    assert page.table.frame is not None
    assert page.table.frame.empty
    assert page._desk.banner.message == ""


def test_a_file_that_is_no_map_shows_one_banner(page: AssignPage) -> None:
    choose(page, source="maps", file="series.nii.gz")
    assert "several volumes" in page._desk.banner.message
    assert page.answer is None
    assert "see the message at the top" in page.caption.value
    choose(page, file="both.nii.gz")
    assert page._desk.banner.message == ""
    assert page.answer is not None


def test_rows_are_ranked_and_filtered(page: AssignPage) -> None:
    assert page.answer is not None
    frame = page.table.frame
    assert frame is not None
    assert frame["Region"].iloc[-1] == OUTSIDE
    numbers = pd.to_numeric(frame["Correlation"]).dropna()
    assert numbers.is_monotonic_decreasing
    choose(page, min_correlation=0.1)
    kept = page.answer.found.filter(0.1)
    assert 0 < len(kept) < len(frame)
    assert page.table.frame["Region"].tolist() == kept["region"].tolist()


def test_ranking_keeps_every_row_that_shares_a_voxel(page: AssignPage) -> None:
    assert page.answer is not None
    table = page.answer.table
    columns = ["component", "region"]
    shared = table.loc[table["voxels"] > 0, columns]
    pd.testing.assert_frame_equal(
        ranked(table, -1.0)[columns].sort_values(columns, ignore_index=True),
        shared.sort_values(columns, ignore_index=True),
    )


@pytest.mark.parametrize("atlas", ["synthetic_atlas", "likely"])
def test_a_row_leads_into_component_and_region(page: AssignPage, atlas: str) -> None:
    choose(page, atlas=atlas, threshold=7, lower_threshold=0.2)
    answer = page.answer
    assert answer is not None
    grid = answer.source.found.grid
    for row, region in enumerate(page.table.frame["Region"]):
        page.table.click(row)
        voxel = grid.nearest_voxel(page.brain.viewer.mm)
        assert voxel is not None
        assert answer.source.found.array[voxel] > 7
        likely = answer.atlas.maps[[grid.linear_index(voxel)]].toarray()[0]
        names = [one.name for one, p in zip(answer.atlas.regions, likely, strict=True) if p >= 0.2]
        assert region in (names or [OUTSIDE])
        shown = page.brain.picture.levels[voxel]
        assert shown in (CHOSEN.value, CONTOUR.value)
        assert html.escape(region) in page.brain.legend.value or region == OUTSIDE


def test_the_peak_is_gone_to_where_the_region_holds_it(page: AssignPage) -> None:
    table = page.answer.table
    held = table[table["region"] == table["region_at_peak"]]
    for row in held.itertuples():
        match = page.answer.match_of(row.component, row.label, row.region)
        peak = (row.peak_x_mm, row.peak_y_mm, row.peak_z_mm)
        assert page.answer.place_of(match) == pytest.approx(peak)
    assert len(held)


def test_picture_shows_all_components_and_one_contour(page: AssignPage) -> None:
    choose(page, source="maps", file="both.nii.gz", threshold=2.5)
    answer = page.answer
    assert answer is not None
    first, *rest = answer.found.components
    parts = answer.picture(first)
    np.testing.assert_array_equal(parts.levels == CHOSEN.value, first.mask.array)
    others = np.any([part.mask.array for part in rest], axis=0)
    np.testing.assert_array_equal(parts.levels == OTHERS.value, others)
    column = int(np.diff(answer.atlas.maps.indptr).argmax())
    region = np.asarray(answer.atlas.labels == answer.atlas.regions[column].label)
    place = np.argwhere(region)[region.sum() // 2]
    levels = answer.with_contour(parts, column, tuple(parts.grid.to_mm(place))).levels
    np.testing.assert_array_equal(levels == CONTOUR.value, brute_force_contour(region, [place]))
    assert answer.with_contour(parts, -1, (0.0, 0.0, 0.0)) is parts


def brute_force_contour(region: np.ndarray, places: list) -> np.ndarray:
    """Voxels beside one outside the region in a plane through one of the places."""
    padded = np.pad(region, 1)
    found = np.zeros_like(region)
    for voxel in np.argwhere(region):
        for place, axis in product(places, range(3)):
            if voxel[axis] == place[axis]:
                around = [slice(v, v + 1 if a == axis else v + 3) for a, v in enumerate(voxel)]
                around[axis] = slice(voxel[axis] + 1, voxel[axis] + 2)
                found[tuple(voxel)] |= not padded[tuple(around)].all()
    return found


@pytest.mark.parametrize("affine", [np.diag([2.0, 2, 2, 1]), AFFINE[[0, 1, 2, 3]][:, [2, 0, 1, 3]]])
def test_contour_of_any_region_in_any_planes(affine: np.ndarray) -> None:
    region = np.random.default_rng(2).random((8, 9, 7)) < 0.95
    grid = Grid(region.shape, affine)
    voxels = np.flatnonzero(region.ravel(order="F"))
    for low, high in (((3, 4, 5), (3, 4, 5)), ((3, 4, 5), (4, 5, 6)), ((0, 8, 9), (0, 8, 9))):
        found = np.zeros(region.size, bool)
        found[contour(voxels, grid, tuple(grid.to_mm(np.mean([low, high], axis=0))))] = True
        expected = brute_force_contour(region, [low, high])
        np.testing.assert_array_equal(found, expected.ravel(order="F"))
    assert contour(np.empty(0, np.int64), grid, (0.0, 0.0, 0.0)).size == 0


def test_contour_of_fine_voxels_is_as_wide_in_mm() -> None:
    fine, coarse = Grid((20, 20, 20), np.eye(4)), Grid((10, 10, 10), np.diag([2.0, 2, 2, 1]))
    cube = np.zeros((10, 10, 10), bool)
    cube[1:8, 2:9, 1:9] = True
    doubled = cube.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    found = []
    for region, grid, mm in ((cube, coarse, (8.0, 8, 8)), (doubled, fine, (8.5, 8.5, 8.5))):
        flat = np.zeros(region.size, bool)
        flat[contour(np.flatnonzero(region.ravel(order="F")), grid, mm)] = True
        found.append(flat.reshape(region.shape, order="F"))
    np.testing.assert_array_equal(found[1], found[0].repeat(2, 0).repeat(2, 1).repeat(2, 2))


def test_the_contour_follows_the_crosshair(page: AssignPage) -> None:
    page.table.click(0)
    answer, grid = page.answer, page.answer.source.found.grid
    x, y, z = page.brain.viewer.mm
    for mm in ((x, y, z), (x + 4, y, z)):
        page.brain.viewer.move_to(mm)
        expected = answer.with_contour(page.brain._parts, page.brain._column, mm).levels
        np.testing.assert_array_equal(page.brain.picture.levels, expected)
        np.testing.assert_array_equal(
            page.brain.viewer._picture.levels,
            page.brain.viewer._box.crop(page.brain.picture).levels,
        )
    assert grid.nearest_voxel((x, y, z)) != grid.nearest_voxel((x + 4, y, z))


def test_the_picked_region_stays_while_the_threshold_moves(page: AssignPage) -> None:
    page.table.click(1)
    place, column = page.brain._picked
    choose(page, threshold=6)
    assert page.brain._picked == (place, column)
    assert page.brain.viewer.mm == place
    choose(page, source="mean")
    assert page.brain._picked != (place, column)


def test_names_are_shown_as_text(page: AssignPage) -> None:
    choose(page, atlas="likely", source="maps", file=f"sub-1/anat/one {HOSTILE}.nii.gz")
    page.table.click(page.table.frame["Region"].tolist().index(HOSTILE))
    for widget in (page.caption, page.brain.legend, page.brain.readout, page.remark):
        assert "<img" not in widget.value
    assert HOSTILE in text(page.brain.legend)


def test_a_lower_threshold_of_the_probability_is_in_the_legend(page: AssignPage) -> None:
    choose(page, atlas="likely", source="maps", file="both.nii.gz", lower_threshold=0.3)
    assert "(where its probability is ≥ 0.3)" in page.brain.legend.value
    choose(page, lower_threshold=0)
    assert "(where its probability is above 0)" in page.brain.legend.value


def test_the_minimum_patients_of_the_first_page_hold(page: AssignPage) -> None:
    page._desk.choices.min_patients = 9
    page._desk.wait()
    assert "≥ 9 patients" in page.caption.value
    counts = page.answer.source.found.array
    assert counts[counts > 0].min() == 9


def test_without_webgl_nilearn_draws(page: AssignPage) -> None:
    page.brain.canvas.probe.set_state({"webgl": "no"})
    page._desk.wait()
    assert 'sandbox="allow-scripts"' in page.brain.canvas.fallback.value


def test_images_are_listed_by_folder(root: Path) -> None:
    files = ImageFiles(DataRoot(root))
    assert files.folders["maps"] == len(files.names("maps")) == 4
    assert f"sub-1/anat/one {HOSTILE}.nii.gz" in files.names("maps")
    assert files.path("maps", "zero.nii.gz") == root / "maps" / "zero.nii.gz"


@pytest.mark.parametrize("name", ["../secret.nii.gz", "/etc/passwd", "sub-1", ""])
def test_other_files_are_refused(root: Path, name: str) -> None:
    with pytest.raises(InputError, match="is no image of this folder"):
        ImageFiles(DataRoot(root)).path("maps", name)


@pytest.mark.parametrize("folder", ["..", "/etc", "../maps"])
def test_other_folders_are_refused(root: Path, folder: str) -> None:
    with pytest.raises(InputError, match="is no folder of images"):
        ImageFiles(DataRoot(root)).names(folder)


def test_links_out_of_the_root_are_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "linked.nii.gz").symlink_to(root / "maps" / "zero.nii.gz")
    with pytest.raises(InputError, match="lies outside the data root"):
        ImageFiles(DataRoot(tmp_path)).path("maps", "linked.nii.gz")
