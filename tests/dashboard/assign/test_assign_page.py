"""The page Assign without a kernel: it shows and saves what the library computes."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lesion_dash.atlas.atlas import OUTSIDE
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.assignment_request import AssignmentRequest
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.image_files import ImageFiles
from lesion_dash.dashboard.pages.assign import AssignPage, ranked
from lesion_dash.dashboard.session import Session
from lesion_dash.images.maps import read_map
from lesion_dash.regions.assignment import assign_regions
from lesion_dash.stats.overlap import overlap
from lesion_dash.stats.topography import volume_stats

from .assign_page import HOSTILE, SHAPE, choose, save, saved, text


def test_the_first_page_leads_to_an_answer(app: App) -> None:
    app.tabs.selected_index = app.tabs.titles.index("Assign")
    app.context.wait()
    assert app.context.banner.message == ""


@pytest.mark.parametrize("source", ["n", "mean", "overlap"])
def test_file_is_the_librarys(
    page: AssignPage, root: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    page._context.choices.folder_b = "cohort_b"
    page._context.wait()
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
    mm3 = sum(part.volume_mm3 for part in found.components)
    assert f"{mm3:,.0f} mm³ ({mm3 / 1000:,.1f} mL): " in page.caption.value


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
    page._context.choices.folder_b = "cohort_b"
    page._context.wait()
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
    page._context.choices.folder_b = "cohort_b"
    page._context.wait()
    assert (offered.value, page.choices.source) == ("mean", "mean")
    choose(page, source="overlap")
    page._context.choices.folder_b = ""
    page._context.wait()
    assert (offered.value, page.choices.source) == ("n", "n")
    assert "overlap" not in dict(offered.options).values()


def test_a_new_second_folder_keeps_the_chosen_file(page: AssignPage) -> None:
    choose(page, source="maps", file="both.nii.gz", threshold=2.0)
    page._context.choices.folder_b = "cohort_b"
    page._context.wait()
    assert (page.ask.file.value, page.choices.threshold) == ("both.nii.gz", 2.0)
    assert page.answer.question.file == "both.nii.gz"


def test_a_file_has_values(page: AssignPage) -> None:
    choose(page, source="maps", file="both.nii.gz")
    assert "· value " in page.brain.readout.value


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
    largest = max(page.answer.assignment.components.parts, key=lambda part: part.voxels)
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


def test_what_is_missing_is_said(context: AppContext) -> None:
    page = AssignPage(context)
    assert "Choose folder A" in page.caption.value
    assert page.brain.readout.value == f"<div>{page.caption.value}</div>"
    choose(page, source="maps")
    assert "Choose a file" in page.caption.value
    choose(page, file="both.nii.gz", atlas="")
    assert "Choose an atlas" in page.caption.value
    assert page.download.disabled
    assert page.answer is None
    assert context.banner.message == ""


def test_nothing_above_the_threshold_is_no_error(page: AssignPage) -> None:
    choose(page, source="maps", file="zero.nii.gz")
    assert "No component is left" in page.caption.value
    assert page.table.frame is not None
    assert page.table.frame.empty
    assert page._context.banner.message == ""


def test_a_file_that_is_no_map_shows_one_banner(page: AssignPage) -> None:
    choose(page, source="maps", file="series.nii.gz")
    assert "several volumes" in page._context.banner.message
    assert page.answer is None
    assert "see the message at the top" in page.caption.value
    choose(page, file="both.nii.gz")
    assert page._context.banner.message == ""
    assert page.answer is not None


def test_rows_are_ranked_and_filtered(page: AssignPage) -> None:
    assert page.answer is not None
    frame = page.table.frame
    assert frame is not None
    assert frame["Region"].iloc[-1] == OUTSIDE
    numbers = pd.to_numeric(frame["Correlation"]).dropna()
    assert numbers.is_monotonic_decreasing
    choose(page, min_correlation=0.1)
    kept = page.answer.assignment.filter(0.1)
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


def test_names_are_shown_as_text(page: AssignPage) -> None:
    choose(page, atlas="likely", source="maps", file=f"sub-1/anat/one {HOSTILE}.nii.gz")
    page.table.click(page.table.frame["Region"].tolist().index(HOSTILE))
    for widget in (page.caption, page.brain.legend, page.brain.readout, page.remark):
        assert "<img" not in widget.value
    assert HOSTILE in text(page.brain.legend)


def test_the_minimum_patients_of_the_first_page_hold(page: AssignPage) -> None:
    page._context.choices.min_patients = 9
    page._context.wait()
    assert "≥ 9 patients" in page.caption.value
    counts = page.answer.source.image.array
    assert counts[counts > 0].min() == 9


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
