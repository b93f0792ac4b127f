"""Larger than chance?: the page's numbers and files are those of the library and of the CLI."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lesion_dash import cli, load_cohort
from lesion_dash.dashboard.chances import ChanceRequest, Chances, p_layer
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.desk import Desk
from lesion_dash.dashboard.pages.chance import ChancePage
from lesion_dash.dashboard.pages.chance_words import outcome_words, p_value
from lesion_dash.dashboard.session import Session
from lesion_dash.errors import Cancelled
from lesion_dash.size_bias import STATEMENT, mean_contrast, permute_volumes

A = "cohort_a"
REQUEST = ChanceRequest(A, 5, 99, 3)


@pytest.fixture(scope="module")
def chances(sample_data: Path) -> Chances:
    return Chances(Session(DataRoot(sample_data)))


@pytest.fixture
def page(sample_data: Path) -> Iterator[ChancePage]:
    desk = Desk(Session(DataRoot(sample_data)))
    desk.choices.folder_a = A
    desk.wait()
    page = ChancePage(desk)
    desk.wait()
    yield page
    desk.wait()


def test_contrasts_are_the_library_s(chances: Chances, sample_data: Path) -> None:
    found, expected = chances.contrasts(A, 5), mean_contrast(load_cohort(sample_data / A), 5)
    for key in ("above_mean", "above_weighted_mean"):
        layer, map_ = getattr(found, key), getattr(expected, key)
        values = np.ravel(map_.array, order="F")
        np.testing.assert_array_equal(layer.indices, np.flatnonzero(~np.isnan(values)))
        np.testing.assert_allclose(1000 * layer.values, values[layer.indices])
    assert found.above_mean.shade.maximum == found.above_weighted_mean.shade.maximum
    assert chances.contrasts(A, 9).above_mean.shade.maximum == found.above_mean.shade.maximum


@pytest.mark.parametrize("side", ["larger", "two-sided"])
def test_the_test_is_the_library_s(chances: Chances, sample_data: Path, side: str) -> None:
    request = ChanceRequest(A, 5, 60, 7, side)
    assert chances.known(request) is None
    found = chances.permute(request)
    expected = permute_volumes(load_cohort(sample_data / A), 5, 60, 7, side)
    for name in ("indices", "statistic", "p", "corrected_p", "largest"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert chances.known(request) is found
    np.testing.assert_array_equal(p_layer(found).values, expected.corrected_p)


def test_downloads_are_what_the_command_line_writes(
    chances: Chances, sample_data: Path, tmp_path: Path
) -> None:
    chances.permute(REQUEST)
    choices = ["-k", "5", "--permutations", "99", "--seed", "3"]
    assert cli.main(["size-bias", str(sample_data / A), "-o", str(tmp_path / "o"), *choices]) == 0
    written = {file.name for file in (tmp_path / "o").iterdir() if not file.name.startswith(".")}
    assert {*chances.file_names(REQUEST), "provenance.json"} == written
    for name in chances.file_names(REQUEST):
        assert chances.file_bytes(REQUEST, name) == (tmp_path / "o" / name).read_bytes(), name


def test_before_the_test_only_contrasts_can_be_saved(chances: Chances) -> None:
    request = ChanceRequest(A, 6, 99, 4)
    assert not any("_p.nii" in name for name in chances.file_names(request))
    with pytest.raises(KeyError, match=r"lesion_size_p\.nii"):
        chances.file_bytes(request, "lesion_size_p.nii")


def test_a_stopped_test_leaves_nothing(chances: Chances) -> None:
    request, stop = ChanceRequest(A, 5, 500, 11), threading.Event()

    def after_the_first(done: int, _total: int) -> None:
        stop.set()
        assert done < 500

    with pytest.raises(Cancelled, match="stopped"):
        chances.permute(request, after_the_first, stop)
    assert chances.known(request) is None


def test_the_page_shows_the_corrected_p_with_its_statement(
    page: ChancePage, sample_data: Path
) -> None:
    assert page.p.view.panes == []
    assert "Shuffle volumes" in page.p.view.empty
    page.permutations.value, page.seed.value = 99, 3
    page._desk.wait()
    page.run.click()
    page._desk.wait()
    expected = permute_volumes(load_cohort(sample_data / A), 5, 99, 3)
    assert page.found is not None
    np.testing.assert_array_equal(page.found.corrected_p, expected.corrected_p)
    assert outcome_words(expected) in html.unescape(page.p.question.value)
    assert len(page.p.view.panes) == len(page.weighted.view.panes) == 3
    assert f"seed {expected.seed}" in page.state.value
    shown = html.unescape(page.statement.value).replace("<b>", "").replace("</b>", "")
    assert STATEMENT in shown
    assert "ld-hidden" not in page.weighted.widget._dom_classes
    index = expected.indices[100]
    x, y, z = expected.grid.mm_of_index([index])[0].tolist()
    page._desk.choices.mm = (x, y, z)
    assert p_value(expected.corrected_p[100]) == page.p.view.value
    for p in (expected.corrected_p[100], expected.p[100]):
        assert p_value(p) in page.table.value


def test_other_choices_take_the_p_map_away_and_bring_it_back(page: ChancePage) -> None:
    page.permutations.value = 99
    page._desk.wait()
    page.run.click()
    page._desk.wait()
    before = page.p.view.over
    page._desk.choices.min_patients = 9
    page._desk.wait()
    assert page.p.view.panes == []
    assert page.found is None
    assert not any("_p.nii" in name for name in page.file.options)
    page._desk.choices.min_patients = 5
    page._desk.wait()
    assert page.p.view.over == before


def test_cancel_stops_and_the_test_can_be_run_again(
    page: ChancePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, real = threading.Event(), page.chances.permute

    def wait_for_the_button(request, progress=None, stop=None):  # type: ignore[no-untyped-def]
        progress(1, request.permutations)
        started.set()
        assert stop.wait(60)
        raise Cancelled

    monkeypatch.setattr(page.chances, "permute", wait_for_the_button)
    page.permutations.value = 99
    page._desk.wait()
    page.run.click()
    assert started.wait(60)
    assert page.run.disabled
    assert "1 of 99" in page.state.value
    page.cancel.click()
    page._desk.wait()
    assert page.state.value == "Stopped."
    assert not page.run.disabled
    assert page._desk.banner.message == ""
    monkeypatch.setattr(page.chances, "permute", real)
    page.run.click()
    page._desk.wait()
    assert page.found is not None


def test_a_test_that_cannot_be_made_says_why(page: ChancePage, monkeypatch) -> None:
    choices = page._desk.choices
    monkeypatch.setattr(type(choices), "_bound", lambda _self, proposal: proposal["value"])
    choices.most_patients = 100
    choices.min_patients = 60
    page._desk.wait()
    page.run.click()
    page._desk.wait()
    assert "no voxel is lesioned in at least 60 patients" in page._desk.banner.message
    assert not page.run.disabled


def test_without_a_folder_the_page_says_what_to_do(sample_data: Path) -> None:
    desk = Desk(Session(DataRoot(sample_data)))
    page = ChancePage(desk)
    assert "Choose folder A on the page Topography" in page.empty.value
    page.cohort.value = "b"
    assert "Choose folder B on the page Topography" in page.empty.value
    page.run.click()
    assert desk.banner.message == ""


def test_b_is_tested_as_well(page: ChancePage, sample_data: Path) -> None:
    page._desk.choices.folder_b = "cohort_b"
    page._desk.wait()
    page.cohort.value = "b"
    page._desk.wait()
    assert page.contrasts is not None
    expected = mean_contrast(load_cohort(sample_data / "cohort_b"), 5)
    assert page.contrasts.means.weighted_mean == expected.weighted_mean
