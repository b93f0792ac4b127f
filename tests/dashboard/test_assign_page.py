"""The page Assign without a kernel: it shows and saves what the library computes."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from visitor import HOSTILE, choose, click_row, styles, titles

from lesion_dash.atlas.atlas import OUTSIDE
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.core.formats import VOLUME
from lesion_dash.core.grid import Grid
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.assignment_request import AssignmentRequest
from lesion_dash.dashboard.assignment_service import CHOSEN, OTHERS
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.image_files import ImageFiles
from lesion_dash.dashboard.pages.assign import AssignPage, ranked
from lesion_dash.dashboard.pages.match import place_html
from lesion_dash.dashboard.session import Session
from lesion_dash.images.maps import as_map, read_map
from lesion_dash.regions.assignment import Assignment, assign_regions
from lesion_dash.stats.overlap import overlap
from lesion_dash.stats.topography import volume_stats

AFFINE = np.array([[4.0, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
SHAPE = (24, 28, 24)


def save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, AFFINE)
    image.set_sform(AFFINE, 4)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


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
    depths = np.linspace(-10, 2, np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    save(depths, root / "depths" / "depths.nii.gz")
    chances = np.zeros((*SHAPE, 3), np.float32)
    chances[:14, ..., 0], chances[10:, ..., 1] = 0.5, np.linspace(0, 1, 28)[:, None]
    chances[0, 0, 0, 2] = 1
    save(chances, root / "likely" / "likely.nii.gz")
    names = f"index,name\n1,left\n2,{HOSTILE}\n3,corner\n"
    (root / "likely" / "likely.csv").write_text(names)
    return root


@pytest.fixture(scope="module")
def session(root: Path) -> Session:
    return Session(DataRoot(root))


@pytest.fixture
def page(context: AppContext) -> AssignPage:
    """The page on folder A and the synthetic atlas."""
    choose(context, folder_a="cohort_a")
    choose(context, atlas="synthetic_atlas")
    page = AssignPage(context)
    context.wait()
    assert context.banner.message == ""
    return page


def ask(page: AssignPage, **choices: object) -> None:
    for name, value in choices.items():
        getattr(page.ask, name).value = value
        page.context.wait()


def assert_saves(page: AssignPage, saved: dict[str, bytes], expected: Assignment) -> None:
    """The file is the library's."""
    assert len(expected.table)
    page.download.click()
    assert saved == {"assignment.csv": csv_bytes(expected.table)}


@pytest.mark.parametrize("source", ["n", "mean", "overlap"])
def test_file_is_the_librarys(
    page: AssignPage, saved: dict[str, bytes], root: Path, source: str
) -> None:
    choose(page.context, folder_b="cohort_b")
    ask(page, source=source)
    ask(page, threshold={"n": 7, "mean": 60.0, "overlap": 0}[source], min_size_mm3=100)
    a, b = (load_cohort(root / name) for name in ("cohort_a", "cohort_b"))
    stats = volume_stats(a, 5)
    both = overlap(a.at_least(5), b.at_least(5)).both
    image, threshold = {
        "n": (stats.n, 7),
        "mean": (as_map(stats.mean.to_nifti()), 60_000),
        "overlap": (both, 0),
    }[source]
    atlas = load_atlas(root / "atlas" / "synthetic_atlas.nii.gz")
    expected = assign_regions(image, atlas, threshold=threshold, min_size_mm3=100)
    assert_saves(page, saved, expected)
    assert sorted(page.best.frame["component"]) == expected.best["component"].tolist()
    assert f"{len(expected.components)} component" in page.caption.value
    mm3 = sum(part.volume_mm3 for part in expected.components)
    assert f"{VOLUME.with_unit(mm3 / 1000)}: " in page.caption.value


@pytest.mark.parametrize(
    ("signs", "connectivity"), [("positive", 6), ("negative", 26), ("both", 6), ("both", 26)]
)
def test_any_file_below_the_root_is_assigned(
    page: AssignPage, saved: dict[str, bytes], root: Path, signs: str, connectivity: int
) -> None:
    ask(page, atlas="likely", source="maps", file="both.nii.gz", signs=signs)
    ask(page, threshold=2.5, connectivity=connectivity, lower_threshold=0.3)
    expected = assign_regions(
        read_map(root / "maps" / "both.nii.gz"),
        load_atlas(root / "likely" / "likely.nii.gz"),
        threshold=2.5,
        signs=signs,
        connectivity=connectivity,
        lower_threshold=0.3,
    )
    assert_saves(page, saved, expected)
    assert ("Sign" in titles(page.table)) == (signs != "positive")
    assert {"Mean prob.", "Max. prob."} <= set(titles(page.table))
    assert "(where its probability is ≥ 0.3)" in legend(page)
    assert "· value " in page.brain.readout.value


def test_controls_fit_the_map_and_the_atlas(page: AssignPage) -> None:
    threshold = page.ask.threshold
    assert (threshold.max, threshold.step) == (13, 1)
    assert page.ask.threshold_name.value == "Threshold: above (patients)"
    assert page.ask.lower_threshold.disabled
    assert page.ask.signs.disabled
    ask(page, source="mean")
    assert page.ask.threshold_name.value == "Threshold: above (mL)"
    ask(page, atlas="likely", source="maps", file="both.nii.gz", threshold=2.0)
    assert not page.ask.lower_threshold.disabled
    assert not page.ask.signs.disabled
    low, high = (float(f"{value:.3g}") for value in page.answer.source.range)
    assert f"Range {low:g} to {high:g}".replace("-", "−") == page.ask.threshold_hint.value
    for signs, top in (("negative", -low), ("both", max(high, -low)), ("positive", high)):
        ask(page, signs=signs)
        assert threshold.max == top
    ask(page, threshold=2.0)
    choose(page.context, folder_b="cohort_b")  # keeps the file
    assert (page.ask.file.value, page.choices.threshold) == ("both.nii.gz", 2.0)
    assert page.answer.question.file == "both.nii.gz"
    ask(page, source="overlap")  # starts without threshold and file
    assert (page.choices.threshold, page.choices.file) == (0, "")
    assert page.ask.file.disabled
    assert threshold.disabled


def test_counts_start_at_half_of_the_most_patients(page: AssignPage) -> None:
    assert (page.choices.threshold, page.ask.threshold.value) == (6, 6)
    assert page.ask.threshold_hint.value == "Range 0 to 13. The start is half of it."
    assert "above 6 patients" in page.caption.value
    ask(page, source="mean")
    assert page.choices.threshold == 0
    ask(page, source="n")
    assert page.choices.threshold == 6
    choose(page.context, min_patients=9)
    assert "≥ 9 patients" in page.caption.value
    counts = page.answer.source.image.array
    assert counts[counts > 0].min() == 9


def test_the_overlap_is_offered_with_a_second_folder(page: AssignPage) -> None:
    offered = page.ask.source
    assert "overlap" not in dict(offered.options).values()
    ask(page, source="mean")
    choose(page.context, folder_b="cohort_b")
    assert (offered.value, page.choices.source) == ("mean", "mean")
    ask(page, source="overlap")
    choose(page.context, folder_b="")
    assert (offered.value, page.choices.source) == ("n", "n")
    assert "overlap" not in dict(offered.options).values()


def assert_both_tables_show_the_match(page: AssignPage) -> None:
    expected = [page.brain.match.component.number, page.brain.match.region]
    best = page.best.frame[["component", "region"]].values.tolist()
    assert page.best.selected == (best.index(expected) if expected in best else None)
    matches = page.table.frame[["component", "region"]].values.tolist()
    assert matches[page.table.selected] == expected


def test_the_best_match_of_the_largest_is_highlighted_at_first(page: AssignPage) -> None:
    largest = max(page.answer.assignment.components.parts, key=lambda part: part.voxels)
    assert page.brain.match.component.number == largest.number
    assert page.best.selected == 0
    assert_both_tables_show_the_match(page)
    click_row(page.table, 3)
    assert page.table.selected == 3
    assert_both_tables_show_the_match(page)


def test_a_row_that_is_gone_gives_way_to_the_best_match(page: AssignPage) -> None:
    ask(page, threshold=5)
    click_row(page.table, len(page.table.frame) - 2)
    gone = page.brain.match
    ask(page, threshold=12)
    assert page.brain.match.region != gone.region
    assert page.brain.match is page.answer.best_match
    assert tuple(page.brain.viewer.mm) == page.answer.place_of(page.brain.match)
    assert_both_tables_show_the_match(page)
    ask(page, threshold=13)  # above the maximum nothing stays
    assert page.brain.match is None
    assert len(page.brain.viewer.layers) == 1  # the template
    assert page.download.disabled
    assert (page.best.selected, page.table.selected) == (None, None)
    ask(page, threshold=12)
    assert page.brain.match is not None


@pytest.mark.parametrize(
    ("signs", "threshold", "condition", "name"),
    [
        ("negative", 2.5, "below −2.5", "Threshold: below −"),
        ("both", 2.5, "beyond ±2.5", "Threshold: beyond ±"),
        ("both", 0, "other than 0", "Threshold: beyond ±"),
    ],
)
def test_the_sign_is_said(
    page: AssignPage, signs: str, threshold: float, condition: str, name: str
) -> None:
    ask(page, source="maps", file="both.nii.gz", signs=signs, threshold=threshold)
    assert condition in page.caption.value
    assert page.ask.threshold_name.value == name


def test_what_is_missing_is_said(context: AppContext) -> None:
    page = AssignPage(context)
    assert "Choose folder A" in page.caption.value
    assert page.brain.readout.value == f"<div>{page.caption.value}</div>"
    ask(page, source="maps")
    assert "Choose a file" in page.caption.value
    ask(page, file="both.nii.gz", atlas="")
    assert "Choose an atlas" in page.caption.value
    assert page.download.disabled
    assert page.answer is None
    assert context.banner.message == ""


def test_a_file_that_is_no_map_shows_one_banner(page: AssignPage) -> None:
    ask(page, source="maps", file="series.nii.gz")
    assert "several volumes" in page.context.banner.message
    assert page.answer is None
    assert "see the message" in page.caption.value
    ask(page, file="zero.nii.gz")  # nothing above the threshold is not an error
    assert page.context.banner.message == ""
    assert "No component is left" in page.caption.value
    assert page.table.frame.empty


def test_rows_are_ranked_and_filtered(page: AssignPage) -> None:
    table, frame = page.answer.table, page.table.frame
    assert frame["region"].iloc[-1] == OUTSIDE
    numbers = frame["correlation"].dropna()
    assert numbers.is_monotonic_decreasing
    columns = ["component", "region"]  # every row that shares a voxel is kept
    pd.testing.assert_frame_equal(
        ranked(table, -1.0)[columns].sort_values(columns, ignore_index=True),
        table.loc[table["voxels"] > 0, columns].sort_values(columns, ignore_index=True),
    )
    ask(page, min_correlation=0.1)
    rows = page.answer.assignment.filter(0.1)
    assert 0 < len(rows) < len(frame)
    assert page.table.frame["region"].tolist() == rows["region"].tolist()


def test_names_are_shown_as_text(page: AssignPage) -> None:
    ask(page, atlas="likely", source="maps", file=f"sub-1/anat/one {HOSTILE}.nii.gz")
    click_row(page.table, page.table.frame["region"].tolist().index(HOSTILE))
    for widget in (page.caption, page.brain.readout, page.remark):
        assert "<img" not in widget.value
    assert HOSTILE in legend(page)


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
    page: AssignPage, saved: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = page.answer
    slow = SlowAtlas(page.context.session, "likely")
    monkeypatch.setattr(page.context.session, "atlas", slow)
    page.ask.atlas.value = "likely"
    assert slow.begun.wait(30)
    page.context.run_calls()
    assert "ld-stale" in styles(page.widget)
    for label in (page.caption, page.best_caption, page.brain.readout):
        assert "Reading atlas likely: 1 of 3" in label.value
    assert page.download.disabled
    page.download.click()
    assert saved == {}
    slow.go.set()
    page.context.wait()
    assert page.answer is not old
    assert "ld-stale" not in styles(page.widget)
    assert not page.download.disabled
    assert "Reading" not in page.caption.value + page.best_caption.value


def test_a_slow_threshold_is_told_and_saves_nothing(
    page: AssignPage, saved: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    go, work = threading.Event(), page.service.answer

    def wait(*request: object) -> object:
        assert go.wait(30)
        return work(*request)

    monkeypatch.setattr(page.service, "answer", wait)
    page.ask.threshold.value = 9
    assert "Working ..." in page.caption.value
    page.download.click()
    assert saved == {}
    place = page.brain.viewer.mm
    click_row(page.table, 2)
    assert page.brain.viewer.mm == place
    go.set()
    page.context.wait()
    assert "above 9 patients" in page.caption.value
    page.download.click()
    assert len(saved) == 1


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
    page.context.wait()
    assert page.context.banner.message == ""
    assert "above 8 patients" in page.caption.value


def test_a_choice_taken_back_stops_the_reading(
    page: AssignPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowAtlas(page.context.session, "likely")
    monkeypatch.setattr(page.context.session, "atlas", slow)
    page.ask.atlas.value = "likely"
    assert slow.begun.wait(30)
    page.ask.atlas.value = "synthetic_atlas"
    slow.go.set()
    page.context.wait()
    assert "likely" not in slow.read
    assert page.answer.question.atlas == "synthetic_atlas"
    assert "ld-stale" not in styles(page.widget)
    assert page.context.banner.message == ""


def test_an_answer_for_other_signs_does_not_cut_the_threshold_off(
    page: AssignPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The map runs from −10 to 2."""
    begun, go, work = threading.Event(), threading.Event(), page.service.answer
    requests: list[AssignmentRequest] = []

    def wait(request: AssignmentRequest, *more: object) -> object:
        requests.append(request)
        begun.set()
        assert go.wait(30)
        return work(request, *more)

    ask(page, source="depths")
    monkeypatch.setattr(page.service, "answer", wait)
    page.ask.file.value = "depths.nii.gz"
    assert begun.wait(30)
    page.choices.threshold = 5.0
    page.ask.signs.value = "negative"
    go.set()
    page.context.wait()
    assert requests[0].signs == "positive"
    assert (page.choices.threshold, page.ask.threshold.value) == (5.0, 5.0)
    assert page.answer.question == requests[-1]


def test_images_are_listed_by_folder(root: Path) -> None:
    files = ImageFiles(DataRoot(root))
    assert files.folders["maps"] == len(files.names("maps")) == 4
    assert f"sub-1/anat/one {HOSTILE}.nii.gz" in files.names("maps")
    assert files.path("maps", "zero.nii.gz") == root / "maps" / "zero.nii.gz"
    for name in ("../secret.nii.gz", "/etc/passwd", "sub-1", ""):
        with pytest.raises(InputError, match="is not an image of this folder"):
            files.path("maps", name)
    for folder in ("..", "/etc", "../maps"):
        with pytest.raises(InputError, match="is not a folder of images"):
            files.names(folder)


@pytest.mark.parametrize("atlas", ["synthetic_atlas", "likely"])
def test_a_row_leads_into_component_and_region(page: AssignPage, atlas: str) -> None:
    ask(page, atlas=atlas, threshold=7, lower_threshold=0.2)
    answer = page.answer
    grid = answer.source.image.grid
    for row, region in enumerate(page.table.frame["region"]):
        click_row(page.table, row)
        voxel = grid.nearest_voxel(page.brain.viewer.mm)
        assert answer.source.image.array[voxel] > 7
        likely = answer.atlas.maps[[grid.linear_index(voxel)]].toarray()[0]
        names = [r.name for r, p in zip(answer.atlas.regions, likely, strict=True) if p >= 0.2]
        assert region in (names or [OUTSIDE])
        assert page.brain.match.component is answer.component_at(page.brain.viewer.mm)
        assert region in legend(page) or region == OUTSIDE


@pytest.mark.parametrize(
    ("code", "shown"), [(4, "<b>MNI −20, 3, 8</b>"), (1, "<b>−20, 3, 8 mm</b>")]
)
def test_only_places_of_mni_space_are_called_so(page: AssignPage, code: int, shown: str) -> None:
    ask(page, source="maps", file="both.nii.gz")
    image = page.answer.source.image
    own = replace(image, grid=Grid(image.grid.shape, image.grid.affine, code))
    answer = replace(page.answer, source=replace(page.answer.source, image=own))
    assert shown in place_html(answer, (-20.0, 3.0, 8.0))


def test_the_peak_is_gone_to_where_the_region_holds_it(page: AssignPage) -> None:
    table = page.answer.table
    held = table[table["region"] == table["region_at_peak"]]
    for row in held.itertuples():
        match = page.answer.match_of(row.component, row.label, row.region)
        peak = (row.peak_x_mm, row.peak_y_mm, row.peak_z_mm)
        assert page.answer.place_of(match) == pytest.approx(peak)
    assert len(held)


def test_all_components_and_one_region_are_shown(page: AssignPage) -> None:
    ask(page, source="maps", file="both.nii.gz", threshold=2.5)
    answer = page.answer
    match = next(m for m in answer.assignment.matches if m.column >= 0)
    first = match.component
    rest = [part for part in answer.assignment.components if part.number != first.number]
    others, chosen, region = answer.mask_layers(match)
    np.testing.assert_array_equal(chosen.mask.array, first.mask.array)
    np.testing.assert_array_equal(
        others.mask.array, np.any([part.mask.array for part in rest], axis=0)
    )
    label = answer.atlas.regions[match.column].label
    np.testing.assert_array_equal(region.mask.array, answer.atlas.labels == label)
    assert [layer.filled for layer in (others, chosen, region)] == [True, True, False]
    levels = answer.layer(match).array  # what nilearn draws
    np.testing.assert_array_equal(levels == CHOSEN.value, first.mask.array)
    np.testing.assert_array_equal(levels == OTHERS.value, others.mask.array)
    assert [layer.name for layer in answer.mask_layers(None)] == ["components"]


def legend(page: AssignPage) -> str:
    """What the viewer's legend says."""
    return ", ".join(data.facts["title"] for data in page.brain.viewer.layers)


def test_the_picked_region_stays_while_the_threshold_moves(page: AssignPage) -> None:
    click_row(page.table, 1)
    place, region = page.brain.viewer.mm, page.brain.match.region
    ask(page, threshold=6)
    assert (page.brain.viewer.mm, page.brain.match.region) == (place, region)
    ask(page, source="mean")
    assert (page.brain.viewer.mm, page.brain.match.region) != (place, region)
