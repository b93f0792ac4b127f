"""Larger than chance?: the page's numbers and files are those of the library and of the CLI."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from visitor import choose, click_row, enter, is_hidden, press, text, titles

from lesion_dash import cli
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import Cancelled, InputError
from lesion_dash.core.formats import VOLUME
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.pages.chance import SizeBiasPage
from lesion_dash.dashboard.pages.chance_words import foot_words, outcome_words, p_value
from lesion_dash.dashboard.pages.map_card import MapCard
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.size_bias_service import SizeBiasRequest, SizeBiasService
from lesion_dash.stats.permutation import permute_volumes
from lesion_dash.stats.size_bias import STATEMENT, find_size_clusters, mean_contrast

A = "cohort_a"
REQUEST = SizeBiasRequest(A, 5, 99, 3)


@pytest.fixture(scope="module")
def chances(session: Session) -> SizeBiasService:
    return SizeBiasService(session)


@pytest.fixture
def page(context: AppContext) -> SizeBiasPage:
    choose(context, folder_a=A)
    page = SizeBiasPage(context)
    context.wait()
    return page


def shuffle(page: SizeBiasPage, permutations: int = 99, **fields: object) -> None:
    for name, value in (fields | {"permutations": permutations}).items():
        getattr(page, name).value = value
    page.context.wait()
    press(page.context, page.run)


def kinds(card: MapCard) -> list[str]:
    """What a card's viewer shows, the lowest first."""
    return [layer.facts["kind"] for layer in card.viewer.layers]


def test_contrasts_are_the_library_s(chances: SizeBiasService, sample_data: Path) -> None:
    contrasts, expected = chances.contrasts(A, 5), mean_contrast(load_cohort(sample_data / A), 5)
    for key in ("above_mean", "above_weighted_mean"):
        layer, values = getattr(contrasts, key), getattr(expected, key).array.ravel(order="F")
        layer = layer.at_least(5)
        np.testing.assert_array_equal(layer.indices, np.flatnonzero(~np.isnan(values)))
        np.testing.assert_allclose(1000 * layer.values, values[layer.indices])
    scale = contrasts.above_mean.scale
    assert contrasts.above_weighted_mean.scale == scale
    assert chances.contrasts(A, 9).above_mean is contrasts.above_mean


@pytest.mark.parametrize("side", ["larger", "two-sided"])
def test_the_test_is_the_library_s(chances: SizeBiasService, sample_data: Path, side: str) -> None:
    request = SizeBiasRequest(A, 5, 60, 7, side)
    assert chances.known(request) is None
    # Before the test, only contrasts can be saved.
    assert not any("_p.nii" in name for name in chances.file_names(request))
    with pytest.raises(KeyError, match=r"lesion_size_p\.nii"):
        chances.file_bytes(request, "lesion_size_p.nii")
    test = chances.permute(request)
    expected = permute_volumes(load_cohort(sample_data / A), 5, 60, 7, side)
    for name in ("indices", "statistic", "p", "corrected_p", "largest"):
        np.testing.assert_array_equal(getattr(test, name), getattr(expected, name))
    assert chances.known(request) is test
    np.testing.assert_array_equal(chances.p_layer(request).values, expected.corrected_p)


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
    assert kinds(page.p) == ["scan"]
    assert "Run permutation test" in page.p.words.value
    shuffle(page, seed=3)
    expected = permute_volumes(load_cohort(sample_data / A), 5, 99, 3)
    np.testing.assert_array_equal(page.permuted.corrected_p, expected.corrected_p)
    assert outcome_words(expected) in text(page.p.question)
    assert kinds(page.p) == kinds(page.weighted) == ["scan", "value"]
    assert f"seed {expected.seed}" in page.state.value
    assert STATEMENT in text(page.statement).replace("<b>", "").replace("</b>", "")
    assert not is_hidden(page.weighted.widget)
    x, y, z = expected.grid.mm_of_index([expected.indices[100]])[0].tolist()
    choose(page.context, mm=(x, y, z))
    shown = page.p.words.value.replace("\N{NO-BREAK SPACE}", " ")
    assert f"<b>corrected {p_value(expected.corrected_p[100])}</b> family-wise" in shown
    for p in (expected.corrected_p[100], expected.p[100]):
        assert p_value(p) in page.place.table.value
    # Wherever a corrected p is shown, it is called so.
    title = page.p.widget.children[0].children[0]
    assert "corrected p (family-wise" in page.p.viewer.layers[1].facts["title"].lower()
    shown = (title, page.p.question, page.place.table, page.clusters.about)
    assert all("corrected p (family-wise" in text(widget).lower() for widget in shown)
    assert "Corrected p (family-wise)" in titles(page.clusters.table)
    foot = foot_words(page.contrasts, page.permuted)
    assert foot.startswith("cohort_a (40 patients): mean total lesion volume where at least 5")
    assert f"Corrected p (family-wise): {page.permuted.sentence}." in foot


def test_the_cohort_and_its_patients_are_named(page: SizeBiasPage) -> None:
    choose(page.context, where_a=("sex=F",))
    shuffle(page)
    name = "cohort_a, sex = F (16 patients)"
    assert text(page.whose) == f"A: {name}"
    assert page.p.caption.value == name
    assert page.sentence.value.startswith("cohort_a, sex = F: test for")
    assert "among 16 patients" in page.sentence.value
    assert name in page.clusters.caption.value


def test_what_was_found_is_listed_and_gone_to(
    page: SizeBiasPage, saved: dict[str, bytes], sample_data: Path
) -> None:
    assert "Run permutation test" in page.clusters.about.value
    assert page.clusters.download.disabled
    shuffle(page, 1000)
    cohort = load_cohort(sample_data / A)
    atlas = load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz")
    test = permute_volumes(cohort, 5, 1000)
    expected = find_size_clusters(test, mean_contrast(cohort, 5), atlas)
    page.clusters.download.click()
    assert saved == {"lesion_size_clusters.csv": csv_bytes(expected.table)}
    frame = page.clusters.table.frame
    assert len(frame) == len(expected) > 1
    assert frame["voxels"].sum() == test.significant(0.05)
    click_row(page.clusters.table, 1)
    row = expected.rows[1]
    assert page.context.choices.mm == row.mm
    assert f"{p_value(row.corrected_p)[4:]}</b>" in page.p.words.value
    assert VOLUME.with_unit(row.mean_volume_mm3 / 1000) in page.place.table.value
    assert f"{row.patients} of 40" in page.place.table.value
    choose(page.context, atlas="")
    assert "Region at the peak" not in titles(page.clusters.table)
    assert "Choose an atlas" in page.clusters.about.value
    enter(page.context, page.cohort, "b")
    assert is_hidden(page.clusters.widget)  # there is no B


def test_nothing_found_is_said_with_the_smallest_p(page: SizeBiasPage) -> None:
    shuffle(page, side="smaller")
    smallest = page.permuted.corrected_p.min()
    assert smallest > 0.05  # as lesions are large nearly everywhere
    assert "None found: no voxel has a corrected p (family-wise) ≤ 0.05" in (
        page.clusters.about.value
    )
    assert f"tested is {smallest:.3g}." in page.clusters.about.value
    assert is_hidden(page.clusters.table)
    assert page.clusters.download.disabled


def test_of_a_two_sided_test_the_side_is_told(page: SizeBiasPage) -> None:
    shuffle(page, side="two-sided")
    assert "Lesions" in titles(page.clusters.table)
    assert set(page.clusters.table.frame["lesions"]) == {"larger"}
    shuffle(page, side="larger")
    assert "Lesions" not in titles(page.clusters.table)


def test_other_choices_take_the_p_map_away_and_bring_it_back(page: SizeBiasPage) -> None:
    shuffle(page)
    before = page.p.viewer.layers
    choose(page.context, min_patients=9)
    assert kinds(page.p) == ["scan"]
    assert page.permuted is None
    assert page.clusters.clusters is None
    assert not any("_p.nii" in name for name in page.place.files.file.options)
    choose(page.context, min_patients=5)
    assert page.p.viewer.layers == before
    assert page.clusters.clusters is not None


def test_cancel_stops_and_the_test_can_be_run_again(
    page: SizeBiasPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Event()

    def wait_for_the_button(request, progress=None, stop=None):  # type: ignore[no-untyped-def]
        progress(1, request.permutations)
        started.set()
        assert stop.wait(60)
        raise Cancelled

    enter(page.context, page.permutations, 99)
    with monkeypatch.context() as patch:
        patch.setattr(page.service, "permute", wait_for_the_button)
        page.run.click()
        assert started.wait(60)
        page.context.run_calls()
        assert page.run.disabled
        assert "1 of 99" in page.state.value
        press(page.context, page.cancel)
    assert page.state.value == "Stopped."
    assert page.context.banner.message == ""
    shuffle(page)
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
    enter(page.context, page.permutations, 30)
    page.run.click()
    assert begun.wait(60)
    page.seed.value += 1
    page.run.click()
    let_go.set()
    page.context.wait()
    assert running == [True]
    assert page.permuted is not None


def test_a_message_asks_for_no_more_permutations_than_the_page(
    page: SizeBiasPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[SizeBiasRequest] = []

    def refuse(request, progress=None, stop=None):  # type: ignore[no-untyped-def]
        requests.append(request)
        raise Cancelled

    monkeypatch.setattr(page.service, "permute", refuse)
    page.permutations.set_state({"max": 10**9, "value": 10**9})
    press(page.context, page.run)
    assert requests[-1].permutations == 100_000


def test_a_test_that_cannot_be_made_says_why(
    page: SizeBiasPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_request: object) -> None:
        raise InputError("cohort_a", "no voxel is lesioned in at least 60 patients")

    monkeypatch.setattr(page.service, "permute", fail)
    shuffle(page)
    assert "no voxel is lesioned in at least 60 patients" in page.context.banner.message
    assert not page.run.disabled


def test_without_a_folder_the_page_says_what_to_do(context: AppContext) -> None:
    page = SizeBiasPage(context)
    assert "Choose folder A on the page Maps" in page.controls.empty.value
    page.cohort.value = "b"
    assert "Choose folder B on the page Maps" in page.controls.empty.value
    page.run.click()
    assert context.banner.message == ""


def test_b_is_tested_as_well(page: SizeBiasPage, sample_data: Path) -> None:
    choose(page.context, folder_b="cohort_b")
    enter(page.context, page.cohort, "b")
    expected = mean_contrast(load_cohort(sample_data / "cohort_b"), 5)
    assert page.contrasts.means.weighted_mean == expected.weighted_mean
