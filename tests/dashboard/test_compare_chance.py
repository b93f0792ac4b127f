"""Larger than chance?: the page's numbers and files are those of the library and of the CLI."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lesion_dash import cli
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import Cancelled
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.pages.chance import SizeBiasPage
from lesion_dash.dashboard.pages.chance_clusters import shown_columns
from lesion_dash.dashboard.pages.chance_words import foot_words, outcome_words, p_value
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.size_bias_service import SizeBiasRequest, SizeBiasService, p_layer
from lesion_dash.stats.permutation import permute_volumes
from lesion_dash.stats.size_bias import STATEMENT, find_size_clusters, mean_contrast

A = "cohort_a"
REQUEST = SizeBiasRequest(A, 5, 99, 3)


@pytest.fixture(scope="module")
def chances(sample_data: Path) -> SizeBiasService:
    return SizeBiasService(Session(DataRoot(sample_data)))


@pytest.fixture
def page(sample_data: Path) -> Iterator[SizeBiasPage]:
    context = AppContext(Session(DataRoot(sample_data)))
    context.choices.folder_a = A
    context.wait()
    page = SizeBiasPage(context)
    context.wait()
    yield page
    context.wait()


def test_contrasts_are_the_library_s(chances: SizeBiasService, sample_data: Path) -> None:
    found, expected = chances.contrasts(A, 5), mean_contrast(load_cohort(sample_data / A), 5)
    for key in ("above_mean", "above_weighted_mean"):
        layer, map_ = getattr(found, key), getattr(expected, key)
        values = np.ravel(map_.array, order="F")
        np.testing.assert_array_equal(layer.indices, np.flatnonzero(~np.isnan(values)))
        np.testing.assert_allclose(1000 * layer.values, values[layer.indices])
    assert found.above_mean.shade.maximum == found.above_weighted_mean.shade.maximum
    assert chances.contrasts(A, 9).above_mean.shade.maximum == found.above_mean.shade.maximum


@pytest.mark.parametrize("side", ["larger", "two-sided"])
def test_the_test_is_the_library_s(chances: SizeBiasService, sample_data: Path, side: str) -> None:
    request = SizeBiasRequest(A, 5, 60, 7, side)
    assert chances.known(request) is None
    found = chances.permute(request)
    expected = permute_volumes(load_cohort(sample_data / A), 5, 60, 7, side)
    for name in ("indices", "statistic", "p", "corrected_p", "largest"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert chances.known(request) is found
    np.testing.assert_array_equal(p_layer(found).values, expected.corrected_p)


def test_downloads_are_what_the_command_line_writes(
    chances: SizeBiasService, sample_data: Path, tmp_path: Path
) -> None:
    chances.permute(REQUEST)
    choices = ["-k", "5", "--permutations", "99", "--seed", "3"]
    assert cli.main(["size-bias", str(sample_data / A), "-o", str(tmp_path / "o"), *choices]) == 0
    written = {file.name for file in (tmp_path / "o").iterdir() if not file.name.startswith(".")}
    assert {*chances.file_names(REQUEST), "provenance.json"} == written
    for name in chances.file_names(REQUEST):
        assert chances.file_bytes(REQUEST, name) == (tmp_path / "o" / name).read_bytes(), name


def test_before_the_test_only_contrasts_can_be_saved(chances: SizeBiasService) -> None:
    request = SizeBiasRequest(A, 6, 99, 4)
    assert not any("_p.nii" in name for name in chances.file_names(request))
    with pytest.raises(KeyError, match=r"lesion_size_p\.nii"):
        chances.file_bytes(request, "lesion_size_p.nii")


def test_a_stopped_test_leaves_nothing(chances: SizeBiasService) -> None:
    request, stop = SizeBiasRequest(A, 5, 500, 11), threading.Event()

    def after_the_first(done: int, _total: int) -> None:
        stop.set()
        assert done < 500

    with pytest.raises(Cancelled, match="stopped"):
        chances.permute(request, after_the_first, stop)
    assert chances.known(request) is None


def test_the_page_shows_the_corrected_p_with_its_statement(
    page: SizeBiasPage, sample_data: Path
) -> None:
    assert page.p.view.panes == []
    assert "Shuffle volumes" in page.p.view.empty
    page.permutations.value, page.seed.value = 99, 3
    page._context.wait()
    page.run.click()
    page._context.wait()
    expected = permute_volumes(load_cohort(sample_data / A), 5, 99, 3)
    assert page.permuted is not None
    np.testing.assert_array_equal(page.permuted.corrected_p, expected.corrected_p)
    assert outcome_words(expected) in html.unescape(page.p.question.value)
    assert len(page.p.view.panes) == len(page.weighted.view.panes) == 3
    assert f"seed {expected.seed}" in page.state.value
    shown = html.unescape(page.statement.value).replace("<b>", "").replace("</b>", "")
    assert STATEMENT in shown
    assert "ld-hidden" not in page.weighted.widget._dom_classes
    index = expected.indices[100]
    x, y, z = expected.grid.mm_of_index([index])[0].tolist()
    page._context.choices.mm = (x, y, z)
    shown = page.p.view.value.replace("\N{NO-BREAK SPACE}", " ")
    assert shown == f"corrected {p_value(expected.corrected_p[100])}"
    assert "family-wise" in page.p.view.remark
    for p in (expected.corrected_p[100], expected.p[100]):
        assert p_value(p) in page.place.table.value


def shuffle(page: SizeBiasPage, permutations: int = 99) -> None:
    page.permutations.value = permutations
    page._context.wait()
    page.run.click()
    page._context.wait()


def test_the_cohort_and_its_patients_are_named(page: SizeBiasPage) -> None:
    page._context.choices.where_a = ("sex=F",)
    page._context.wait()
    shuffle(page)
    name = "cohort_a, sex = F (20 patients)"
    assert html.unescape(page.whose.value) == f"A: {name}"
    assert page.p.caption.value == name
    assert page.sentence.value.startswith("cohort_a, sex = F: test for")
    assert "among 20 patients" in page.sentence.value
    assert name in page.clusters.caption.value


def test_a_p_that_is_corrected_is_called_so(page: SizeBiasPage) -> None:
    shuffle(page)
    assert page.permuted is not None
    x, y, z = page.permuted.grid.mm_of_index(page.permuted.indices[[7]])[0].tolist()
    page._context.choices.mm = (x, y, z)
    shown = (
        page.p.widget.children[0].children[0].value,
        page.p.question.value,
        page.p.scale.value,
        page.place.table.value,
        page.clusters.about.value,
    )
    for text in shown:
        assert "corrected p (family-wise" in text.lower()
    assert page.clusters.table.frame is not None
    assert "Corrected p (family-wise)" in page.clusters.table.frame
    foot = foot_words(page.contrasts, page.permuted)
    assert foot.startswith("cohort_a (40 patients): mean total lesion volume where at least 5")
    assert f"Corrected p (family-wise): {page.permuted.sentence}." in foot


def test_what_was_found_is_listed_and_gone_to(
    page: SizeBiasPage, sample_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Shuffle volumes" in page.clusters.about.value
    assert page.clusters.download.disabled
    shuffle(page, 1000)
    cohort = load_cohort(sample_data / A)
    atlas = load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz")
    test = permute_volumes(cohort, 5, 1000)
    expected = find_size_clusters(test, mean_contrast(cohort, 5), atlas)
    frame = page.clusters.table.frame
    assert frame is not None
    assert len(frame) == len(expected) > 1
    assert frame["Region at the peak"].tolist() == [row.region for row in expected]
    assert frame["Cluster (voxels)"].sum() == test.significant(0.05)
    page.clusters.table.click(1)
    row = expected.rows[1]
    assert page._context.choices.mm == row.mm
    assert page.p.view.value.endswith(p_value(row.corrected_p)[4:])
    assert f"{row.mean_volume_mm3 / 1000:.1f} mL" in page.place.table.value
    assert f"{row.patients} of 40" in page.place.table.value
    saved: dict[str, bytes] = {}
    monkeypatch.setattr(page._context.saver, "save", saved.__setitem__)
    page.clusters.download.click()
    assert saved == {"lesion_size_clusters.csv": csv_bytes(expected.table)}


def test_nothing_found_is_said_with_the_smallest_p(page: SizeBiasPage) -> None:
    page.side.value = "smaller"
    page._context.wait()
    shuffle(page)
    assert page.permuted is not None
    smallest = page.permuted.corrected_p.min()
    assert smallest > 0.05  # as lesions are large nearly everywhere
    assert "None found: no voxel has a corrected p (family-wise) ≤ 0.05" in (
        page.clusters.about.value
    )
    assert f"tested is {smallest:.3g}." in page.clusters.about.value
    assert "ld-hidden" in page.clusters.table.widget._dom_classes
    assert page.clusters.download.disabled


def test_regions_of_clusters_follow_the_atlas(page: SizeBiasPage) -> None:
    shuffle(page)
    page._context.choices.atlas = ""
    page._context.wait()
    assert page.clusters.table.frame is not None
    assert "Region at the peak" not in page.clusters.table.frame
    assert "Choose an atlas" in page.clusters.about.value
    page.cohort.value = "b"
    page._context.wait()
    assert "ld-hidden" in page.clusters.widget._dom_classes  # there is no B


def test_of_a_two_sided_test_the_side_is_told(page: SizeBiasPage) -> None:
    page.side.value = "two-sided"
    page._context.wait()
    shuffle(page)
    assert page.clusters.table.frame is not None
    assert set(page.clusters.table.frame["Lesions"]) == {"larger"}
    assert "Lesions" not in shown_columns(
        find_size_clusters(
            permute_volumes(page._context.session.load(A), 5, 99),
            mean_contrast(page._context.session.load(A), 5),
        ),
        has_regions=False,
    )


def test_other_choices_take_the_p_map_away_and_bring_it_back(page: SizeBiasPage) -> None:
    shuffle(page)
    before = page.p.view.over
    page._context.choices.min_patients = 9
    page._context.wait()
    assert page.p.view.panes == []
    assert page.permuted is None
    assert page.clusters.clusters is None
    assert not any("_p.nii" in name for name in page.place.file.options)
    page._context.choices.min_patients = 5
    page._context.wait()
    assert page.p.view.over == before
    assert page.clusters.clusters is not None


def test_cancel_stops_and_the_test_can_be_run_again(
    page: SizeBiasPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, real = threading.Event(), page.service.permute

    def wait_for_the_button(request, progress=None, stop=None):  # type: ignore[no-untyped-def]
        progress(1, request.permutations)
        started.set()
        assert stop.wait(60)
        raise Cancelled

    monkeypatch.setattr(page.service, "permute", wait_for_the_button)
    page.permutations.value = 99
    page._context.wait()
    page.run.click()
    assert started.wait(60)
    page._context.run_calls()
    assert page.run.disabled
    assert "1 of 99" in page.state.value
    page.cancel.click()
    page._context.wait()
    assert page.state.value == "Stopped."
    assert not page.run.disabled
    assert page._context.banner.message == ""
    monkeypatch.setattr(page.service, "permute", real)
    page.run.click()
    page._context.wait()
    assert page.permuted is not None


def test_a_run_that_was_overtaken_hides_not_the_newer_one(
    page: SizeBiasPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, let_go, real = threading.Event(), threading.Event(), page.service.permute
    running: list[bool] = []

    def wait(request, progress=None, stop=None):  # type: ignore[no-untyped-def]
        if stop is None:
            return real(request)  # worked out before
        begun.set()
        assert let_go.wait(60)
        if stop.is_set():
            raise Cancelled
        running.append(page.run.disabled)
        return real(request, progress, stop)

    monkeypatch.setattr(page.service, "permute", wait)
    page.permutations.value = 30
    page._context.wait()
    page.run.click()
    assert begun.wait(60)
    page.seed.value += 1
    page.run.click()
    let_go.set()
    page._context.wait()
    assert running == [True]
    assert page.permuted is not None


def test_a_message_asks_for_no_more_permutations_than_the_page(page: SizeBiasPage) -> None:
    page.permutations.set_state({"max": 10**9, "value": 10**9})
    wanted = page._request_now()
    assert wanted is not None
    assert wanted.permutations == 100_000


def test_a_test_that_cannot_be_made_says_why(page: SizeBiasPage, monkeypatch) -> None:
    choices = page._context.choices
    monkeypatch.setattr(type(choices), "_bound", lambda _self, proposal: proposal["value"])
    choices.most_patients = 100
    choices.min_patients = 60
    page._context.wait()
    page.run.click()
    page._context.wait()
    assert "no voxel is lesioned in at least 60 patients" in page._context.banner.message
    assert not page.run.disabled


def test_without_a_folder_the_page_says_what_to_do(sample_data: Path) -> None:
    context = AppContext(Session(DataRoot(sample_data)))
    page = SizeBiasPage(context)
    assert "Choose folder A on the page Topography" in page.controls.empty.value
    page.cohort.value = "b"
    assert "Choose folder B on the page Topography" in page.controls.empty.value
    page.run.click()
    assert context.banner.message == ""


def test_b_is_tested_as_well(page: SizeBiasPage, sample_data: Path) -> None:
    page._context.choices.folder_b = "cohort_b"
    page._context.wait()
    page.cohort.value = "b"
    page._context.wait()
    assert page.contrasts is not None
    expected = mean_contrast(load_cohort(sample_data / "cohort_b"), 5)
    assert page.contrasts.means.weighted_mean == expected.weighted_mean
