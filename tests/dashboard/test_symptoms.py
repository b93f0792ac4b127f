"""Symptoms: the page's numbers, files and words are those of the library and of the CLI."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from visitor import choose, click_row, enter, is_hidden, press, text

from lesion_dash import cli
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import Cancelled, InputError
from lesion_dash.core.formats import VOLUME
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.code import Code
from lesion_dash.dashboard.pages.symptom_panels import prediction_html
from lesion_dash.dashboard.pages.symptoms import SymptomsPage
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.symptom_choices import SymptomRequest
from lesion_dash.dashboard.symptom_service import LIMITS, SymptomService
from lesion_dash.images.maps import nifti_bytes
from lesion_dash.regions.load import lesion_load
from lesion_dash.regions.symptoms import region_maps, region_symptoms
from lesion_dash.stats.lesion_symptom.cluster_table import find_symptom_clusters
from lesion_dash.stats.lesion_symptom.mapping import STATEMENT, map_symptom
from lesion_dash.stats.lesion_symptom.patients import select_patients
from lesion_dash.stats.lesion_symptom.planning import lookalikes, power_map, resolution_map
from lesion_dash.stats.lesion_symptom.prediction import predict_symptom

A = "cohort_a"
REQUEST = SymptomRequest(A, "naming", permutations=99, seed=3)


@pytest.fixture(scope="module")
def service(session: Session) -> SymptomService:
    return SymptomService(session)


@pytest.fixture
def page(context: AppContext) -> SymptomsPage:
    choose(context, folder_a=A)
    page = SymptomsPage(context)
    context.wait()
    return page


def ask(page: SymptomsPage, **choices: object) -> None:
    for name, value in choices.items():
        setattr(page.choices, name, value)
    page.context.wait()


def shown(page: SymptomsPage, without: bool = False) -> dict[str, str]:
    """Titles and kinds of what a map shows, the lowest first."""
    card = page.without if without else page.map
    return {layer.facts["title"]: layer.facts["kind"] for layer in card.viewer.layers}


def test_columns_of_numbers_are_scores_and_small_categories_covariates(
    service: SymptomService,
) -> None:
    scores, covariates = service.columns(A)
    assert scores == ("age", "nihss", "naming")
    assert {"age", "sex", "nihss"} <= set(covariates)


@pytest.mark.parametrize("compares", [False, True])
def test_downloads_are_what_the_command_line_writes(
    session: Session, sample_data: Path, tmp_path: Path, compares: bool
) -> None:
    service = SymptomService(session)
    request = SymptomRequest(
        A, "naming", ("age", "sex"), min_lesioned=5, permutations=60, seed=3, compares=compares
    )
    assert service.known(request) is None
    assert service.file_names(request, "synthetic_atlas") == ()
    service.test(request, lambda *_: None, threading.Event())
    out = tmp_path / "o"
    atlas = sample_data / "atlas" / "synthetic_atlas.nii.gz"
    options = ["--score", "naming", "--covariates", "age", "sex", "--min-lesioned", "5"]
    options += ["--permutations", "60", "--seed", "3", "--atlas", str(atlas)]
    options += ["--compare-control"] if compares else []
    assert cli.main(["lsm", str(sample_data / A), *options, "-o", str(out)]) == 0
    written = {file.name for file in out.iterdir()} - {"provenance.json", "lsm_script.py"}
    names = service.file_names(request, "synthetic_atlas")
    assert set(names) == written
    for name in names:
        content = service.file_bytes(request, "synthetic_atlas", name)
        assert content == (out / name).read_bytes(), name
    with pytest.raises(KeyError, match=r"nothing\.nii"):
        service.file_bytes(request, "synthetic_atlas", "nothing.nii")


def test_the_code_that_is_shown_writes_the_same_files(
    session: Session, sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, request = SymptomService(session), SymptomRequest(A, "naming", ("age",), seed=5)
    result = service.test(request, lambda *_: None, threading.Event())
    python, commands = Code(session).symptoms(request, "synthetic_atlas", predicts=True)
    assert commands.splitlines()[1].startswith("lesion-dash predict")
    (tmp_path / sample_data.name).symlink_to(sample_data)
    monkeypatch.chdir(tmp_path)
    exec(compile(python, "code", "exec"), {})  # what a reader would run
    symptoms = tmp_path / "results" / "symptoms"
    expected = csv_bytes(service.clusters(request, result, "synthetic_atlas").table)
    assert (symptoms / "clusters.csv").read_bytes() == expected
    assert (symptoms / "statistic.nii").read_bytes() == service.file_bytes(
        request, "synthetic_atlas", "statistic.nii"
    )
    predicted = service.predict(request, lambda *_: None, threading.Event())
    table = tmp_path / "results" / "prediction" / "predictions.csv"
    assert table.read_bytes() == csv_bytes(predicted.table)


def test_before_the_test_one_sees_patients_power_and_resolution(
    page: SymptomsPage, sample_data: Path
) -> None:
    assert "Choose a score" in text(page.empty)
    assert is_hidden(page.map.widget)
    ask(page, score="nihss")
    cohort = load_cohort(sample_data / A)
    known = select_patients(cohort, "nihss").rows
    some = cohort.select(known)
    power = power_map(some, min_lesioned=5)
    d80 = power.values["power_d80"]
    words = text(page.planned)
    assert f"{known.size} patients with nihss; 3 excluded: nihss missing" in words
    assert f"{power.voxels:,} voxels have at least 5 lesioned" in words
    assert f"{d80.min():.2f} to {d80.max():.2f} SD" in words
    for hidden in (page.groups, page.clusters, page.regions):
        assert is_hidden(hidden.widget)
    assert page.plan is not None
    maps = {"n": page.plan.maps, "power_d80": page.plan.maps}
    for key, own in maps.items():
        np.testing.assert_allclose(page.service.layer(own, key).values, power.values[key])
    for key in ("n", "power_d80", "lookalikes"):
        enter(page.context, page.shown, key)
        assert "value" in shown(page).values()
        assert "Before the test" in text(page.map.question)
    found, resolution = page.service.known_resolution(page.request), resolution_map(some, 5)
    assert found is not None
    values = resolution.values["lookalikes"] / 1000
    np.testing.assert_allclose(page.service.layer(found, "lookalikes").values, values)


def test_after_it_the_map_its_words_and_the_patients_at_a_place(
    page: SymptomsPage, sample_data: Path
) -> None:
    ask(page, score="naming", permutations=99, seed=3)
    press(page.context, page.run)
    assert page.context.banner.message == ""
    expected = map_symptom(load_cohort(sample_data / A), "naming", permutations=99, seed=3)
    assert page.result is not None
    found = page.result.symptom_map
    for key in ("statistic", "p", "corrected_p", "effect"):
        np.testing.assert_array_equal(found.values[key], expected.values[key])
    notes = text(page.notes)
    assert STATEMENT in notes
    assert expected.sentence in notes
    count = int((expected.corrected_p <= 0.05).sum())
    assert f"{count:,} voxels" in text(page.outcome)
    assert list(shown(page).values()) == ["scan", "value", "mask"]
    peak = int(np.abs(expected.statistic).argmax())
    x, y, z = expected.grid.mm_of_index([int(expected.indices[peak])])[0].tolist()
    choose(page.context, mm=(x, y, z))
    is_lesioned, score = expected.is_lesioned(peak), expected.patients.score
    effect = text(page.groups.effect)
    assert f"{score[is_lesioned].mean():.2f} in {is_lesioned.sum()} patients" in effect
    assert f"{score[~is_lesioned].mean():.2f} in {(~is_lesioned).sum()} without" in effect
    assert f"{expected.effect[peak]:.2f} (95 % interval" in effect
    assert "given log lesion volume" in effect
    assert f"corrected p {expected.corrected_p[peak]:.3g}" in text(page.groups.certainty)
    frame = page.groups.table.frame
    assert (frame["group"] == "lesioned").sum() == is_lesioned.sum()
    assert set(frame["patient"]) == {expected.patients.id(row) for row in range(score.size)}
    click_row(page.groups.table, 0)
    assert page.context.choices.patient.startswith(f"{A}/")
    assert list(shown(page).values()).count("mask") == 2  # with the patient's lesion
    choose(page.context, mm=(0.0, 0.0, 80.0))
    assert "Too few patients" in text(page.groups.effect)
    assert text(page.groups.certainty) == ""
    assert "not tested" in text(page.map.words)


def test_a_place_without_a_finding_is_not_called_one(page: SymptomsPage) -> None:
    ask(page, score="nihss", permutations=99)
    press(page.context, page.run)
    assert page.result is not None
    found = page.result.symptom_map
    row = int(found.corrected_p.argmax())
    x, y, z = found.grid.mm_of_index([int(found.indices[row])])[0].tolist()
    choose(page.context, mm=(x, y, z))
    words = text(page.groups.certainty)
    assert words.startswith("Not significant after correction")
    assert "does not show that this place is without an effect" in words
    assert f"{found.values['power_d80'][row]:.2f} SD" in words


def test_the_slider_stands_for_a_p_and_needs_no_new_test(page: SymptomsPage) -> None:
    ask(page, score="naming", permutations=99, seed=3)
    press(page.context, page.run)
    assert page.result is not None
    found = page.result.symptom_map
    for by in ("corrected_p", "p", "corrected_p_v100"):
        enter(page.context, page.by, by)
        layer = page.service.layer(found, "statistic", by)
        assert layer.n is not None
        for at, limit in enumerate(LIMITS):
            is_shown = layer.n >= at
            np.testing.assert_array_equal(is_shown, (found.values[by] <= limit) | (at == 0))
    layers = page.map.viewer.layers
    page.limit.index = 4
    page.context.wait()
    assert page.map.viewer.layers == layers
    assert page.map.viewer.k_source is page.limit
    assert page.limit.label == "≤ 0.05"


def test_the_ends_of_a_scale_say_what_they_mean(page: SymptomsPage) -> None:
    ask(page, score="naming", permutations=99, seed=3)
    press(page.context, page.run)
    assert page.result is not None
    ends = {
        key: page.service.layer(page.result.symptom_map, key).scale.sides
        for key in ("statistic", "effect", "log10_bf10")
    }
    assert ends["statistic"] == ends["effect"]
    assert "lower" in ends["effect"][0]
    assert "no difference" in ends["log10_bf10"][0]  # and not a lower score


def test_clusters_and_regions_are_the_library_s(
    page: SymptomsPage, sample_data: Path, saved: dict[str, bytes]
) -> None:
    ask(page, score="naming", permutations=199)
    press(page.context, page.run)
    cohort = load_cohort(sample_data / A)
    atlas = load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz")
    expected = map_symptom(cohort, "naming", permutations=199)
    clusters = find_symptom_clusters(expected, atlas)
    assert len(clusters) > 0
    page.clusters.download.click()
    assert saved["clusters.csv"] == csv_bytes(clusters.table)
    click_row(page.clusters.table, 0)
    assert page.context.choices.mm == clusters.rows[0].mm
    regions = region_symptoms(lesion_load(cohort, atlas), "naming", permutations=199)
    page.regions.download.click()
    assert saved["regions.csv"] == csv_bytes(regions.table)
    count = int((regions.table["corrected_p"] <= 0.05).sum())
    assert f"{count} of {len(regions.table)} regions" in text(page.regions.caption)
    on_grid = atlas.on_grid(cohort.grid)
    for key in ("region_t", "region_effect", "region_corrected_p"):
        enter(page.context, page.shown, key)
        assert "Regions: " in " ".join(shown(page))
        name = f"{key}.nii"
        content = page.service.file_bytes(page.request, "synthetic_atlas", name)
        assert content == nifti_bytes(region_maps(regions, on_grid).files[name].to_nifti())
    choose(page.context, atlas="")
    assert "Choose an atlas" in text(page.regions.about)
    assert "region_t" not in dict(page.shown.options).values()


def test_the_map_without_control_stands_beside_in_the_same_colours(page: SymptomsPage) -> None:
    ask(page, score="naming", permutations=99, compares=True)
    press(page.context, page.run)
    assert not is_hidden(page.without.widget)
    assert page.result is not None
    assert page.result.without is not None
    assert page.result.without.control == "none"
    scales = [
        layer.facts["scale"]["high"]
        for card in (page.map, page.without)
        for layer in card.viewer.layers
        if layer.facts["kind"] == "value"
    ]
    assert len(scales) == 2
    assert len(set(scales)) == 1
    assert "without control of lesion volume" in text(page.notes)
    ask(page, compares=False)
    assert is_hidden(page.without.widget)


def test_a_map_stays_while_the_one_without_control_is_still_to_be_made(page: SymptomsPage) -> None:
    ask(page, score="naming", permutations=99)
    press(page.context, page.run)
    ask(page, compares=True)
    assert page.result is not None
    assert is_hidden(page.without.widget)
    press(page.context, page.run)
    assert not is_hidden(page.without.widget)


def test_lookalikes_of_a_place_are_outlined_and_taken_away(
    page: SymptomsPage, sample_data: Path
) -> None:
    ask(page, score="naming")
    assert page.plan is not None
    maps = page.plan.maps
    x, y, z = maps.grid.mm_of_index([int(maps.indices[100])])[0].tolist()
    choose(page.context, mm=(x, y, z))
    expected = lookalikes(load_cohort(sample_data / A), (x, y, z))
    layer = page.service.lookalikes(page.request, (x, y, z))
    np.testing.assert_array_equal(layer.mask.indices, expected.indices)
    press(page.context, page.alike)
    title = f"{expected.name}: {VOLUME.with_unit(expected.volume_mm3 / 1000)}"
    assert title in shown(page)
    # It goes where the crosshair goes.
    other = tuple(maps.grid.mm_of_index([int(maps.indices[-100])])[0].tolist())
    choose(page.context, mm=other)
    assert title not in shown(page)
    alike = lookalikes(load_cohort(sample_data / A), other)
    assert any(own.startswith(f"{alike.name}: ") for own in shown(page))
    choose(page.context, mm=(0.0, 0.0, 80.0))
    assert not any("look-alikes" in title for title in shown(page))
    choose(page.context, mm=(x, y, z))
    assert title in shown(page)
    # Of other patients it is another one, or none where too few are lesioned there.
    choose(page.context, where_a=("age < 70",))
    some = page.context.session.load(page.context.choices.cohort_a)
    try:
        other_title = lookalikes(some, (x, y, z)).name
    except InputError:
        assert not any("look-alikes" in own for own in shown(page))
    else:
        assert any(own.startswith(other_title) for own in shown(page))
    choose(page.context, where_a=())
    press(page.context, page.alike)
    assert not any("look-alikes" in title for title in shown(page))
    assert page.context.banner.message == ""


def test_the_prediction_says_what_the_place_adds(page: SymptomsPage, sample_data: Path) -> None:
    ask(page, score="naming", covariates=("age",))
    assert not page.predictions.is_shown
    press(page.context, page.predictions.run)
    expected = predict_symptom(load_cohort(sample_data / A), "naming", covariates=["age"])
    assert page.predictions.prediction is not None
    pd.testing.assert_frame_equal(page.predictions.prediction.summary, expected.summary)
    words = text(page.predictions.words)
    gain, p = expected.gain("10 folds")
    assert f"(gain {gain:.3f}, p {p:.3g})" in words
    assert "beyond volume and covariates" in words
    r2 = expected.measures("10 folds", "lesions")["r2"]
    assert f"{r2.mean():.3f} ({r2.std(ddof=1):.3f})" in words
    ask(page, covariates=())
    assert not page.predictions.is_shown
    assert "left out in turn" in text(page.predictions.words)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"score": "naming", "test": "fisher"}, "0 and 1"),
        ({"score": "naming", "min_lesioned": 50}, "no voxel"),
        ({"score": "naming", "test": "welch", "control": "dtlvc"}, "control"),
    ],
)
def test_what_does_not_fit_is_said_beside_the_choices(
    page: SymptomsPage, choices: dict[str, object], said: str
) -> None:
    ask(page, **choices)
    press(page.context, page.run)
    assert said in text(page.planned) + page.context.banner.message
    assert page.result is None
    ask(page, test="ols", covariates=(), min_lesioned=0, control="log-volume")
    assert "40 patients with naming" in text(page.planned)


def test_cancel_stops_and_the_test_can_be_run_again(
    page: SymptomsPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Event()

    def wait_for_the_button(request, progress, stop):  # type: ignore[no-untyped-def]
        progress(1, request.permutations)
        started.set()
        assert stop.wait(60)
        raise Cancelled

    ask(page, score="naming", permutations=99)
    with monkeypatch.context() as patch:
        patch.setattr(page.service, "test", wait_for_the_button)
        page.run.click()
        assert started.wait(60)
        page.context.run_calls()
        assert page.run.disabled
        assert "1 of 99" in text(page.runs.state)
        press(page.context, page.runs.cancel)
    assert text(page.runs.state) == "Stopped."
    press(page.context, page.run)
    assert page.result is not None


def test_other_choices_take_the_map_away_and_bring_it_back(page: SymptomsPage) -> None:
    ask(page, score="naming", permutations=99)
    press(page.context, page.run)
    before = shown(page)
    ask(page, covariates=("age",))
    assert page.result is None
    assert is_hidden(page.groups.widget)
    assert page.files.file.options == ()
    ask(page, covariates=())
    assert shown(page) == before
    choose(page.context, folder_a="cohort_b")
    assert "cohort_b" in text(page.whose)
    choose(page.context, folder_a=A)
    assert shown(page) == before


def test_a_folder_without_scores_says_so(page: SymptomsPage) -> None:
    enter(page.context, page.fields.cohort, "b")
    assert "Choose folder B" in text(page.empty)
    assert is_hidden(page.map.widget)


def test_hostile_names_stay_text(page: SymptomsPage) -> None:
    ask(page, score="<img src=x onerror=alert(1)>")
    assert page.request is None
    assert not re.search("<img", page.planned.value)


def test_covariates_of_another_cohort_are_left_out_and_named(page: SymptomsPage) -> None:
    ask(page, score="naming", covariates=("education", "cohort", "sex"))
    assert page.request is not None
    assert page.request.covariates == ("sex",)
    assert "education and cohort" in text(page.planned)
    choose(page.context, where_a=("sex=F",))  # now the same in all patients
    assert page.request.covariates == ()
    assert "patients with naming" in text(page.planned)


def test_without_a_finding_tables_are_empty_and_nothing_of_before_stays(
    page: SymptomsPage,
) -> None:
    ask(page, score="naming", permutations=99)
    press(page.context, page.run)
    assert len(page.clusters.table.frame) > 0
    ask(page, score="nihss")
    press(page.context, page.run)
    assert page.context.banner.message == ""
    assert len(page.clusters.table.frame) == 0
    assert "no cluster is significant" in text(page.outcome)
    assert "nihss" in text(page.regions.about)
    ask(page, test="welch")
    press(page.context, page.run)
    assert "Linear tests only" in text(page.regions.about)
    assert is_hidden(page.regions.chart.widget) or page.regions.tests is None


def test_after_a_test_the_crosshair_goes_to_the_peak(page: SymptomsPage) -> None:
    choose(page.context, mm=(40.0, -4.0, 6.0))
    ask(page, score="naming", permutations=99)
    press(page.context, page.run)
    assert page.clusters.clusters is not None
    first = page.clusters.clusters.rows[0]
    assert page.context.choices.mm == first.mm
    assert f"{first.effect:.2f} (95 % interval" in text(page.outcome)
    choose(page.context, mm=(40.0, -4.0, 6.0))
    choose(page.context, atlas="")  # what follows later moves nothing
    assert page.context.choices.mm == (40.0, -4.0, 6.0)


def test_what_belongs_to_other_choices_is_not_clicked_on(
    page: SymptomsPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(page, score="naming", permutations=99)
    press(page.context, page.run)
    begun, let_go, real = threading.Event(), threading.Event(), page.service.plan

    def wait(request):  # type: ignore[no-untyped-def]
        begun.set()
        assert let_go.wait(60)
        return real(request)

    with monkeypatch.context() as patch:
        patch.setattr(page.service, "plan", wait)
        page.choices.covariates = ("age",)
        assert begun.wait(60)
        assert page.result is None
        assert page.files.file.options == ()
        assert text(page.outcome) == ""
        let_go.set()
        page.context.wait()
    assert "38 patients" in text(page.planned)


def test_a_cancelled_map_of_resolution_leaves_the_run_of_the_test_alone(
    page: SymptomsPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, real = threading.Event(), page.service.resolution

    def wait_at_first(request, progress, stop):  # type: ignore[no-untyped-def]
        if begun.is_set():
            return real(request, progress, stop)
        begun.set()
        assert stop.wait(60)
        raise Cancelled

    ask(page, score="naming", permutations=99)
    monkeypatch.setattr(page.service, "resolution", wait_at_first)
    page.shown.value = "lookalikes"
    assert begun.wait(60)
    page.run.click()  # takes the place of it
    page.context.wait()
    assert page.context.banner.message == ""
    assert page.result is not None
    # It is still what is to be seen, and is made after the test.
    assert page.service.known_resolution(page.request) is not None
    assert "value" in shown(page).values()


def test_a_test_goes_on_whatever_is_looked_at_meanwhile(
    page: SymptomsPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, let_go, real = threading.Event(), threading.Event(), page.service.test
    stopped: list[bool] = []

    def wait(request, progress, stop):  # type: ignore[no-untyped-def]
        begun.set()
        assert let_go.wait(60)
        stopped.append(stop.is_set())
        return real(request, progress, stop)

    ask(page, score="naming", permutations=99)
    with monkeypatch.context() as patch:
        patch.setattr(page.service, "test", wait)
        page.run.click()
        assert begun.wait(60)
        page.shown.value = "lookalikes"
        page.context.choices.mm = (-50.0, -30.0, 8.0)
        let_go.set()
        page.context.wait()
    assert not any(stopped)
    assert page.result is not None
    assert page.service.known_resolution(page.request) is not None  # made after the test


def test_a_map_of_resolution_for_other_choices_is_made_anew(
    page: SymptomsPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, real = threading.Event(), page.service.resolution

    def wait_at_first(request, progress, stop):  # type: ignore[no-untyped-def]
        if begun.is_set():
            return real(request, progress, stop)
        begun.set()
        assert stop.wait(60)
        raise Cancelled

    ask(page, score="naming", permutations=99)
    monkeypatch.setattr(page.service, "resolution", wait_at_first)
    page.shown.value = "lookalikes"
    assert begun.wait(60)
    ask(page, covariates=("age",))
    assert page.shown.value == "lookalikes"
    assert page.service.known_resolution(page.request) is not None
    assert "value" in shown(page).values()


def test_names_in_notes_of_a_prediction_are_text(
    page: SymptomsPage, sample_data: Path, tmp_path: Path
) -> None:
    cohort = load_cohort(sample_data / A)
    name = "<table><img src=x onerror=alert(1)>"
    rows = [f"{patient.id}\t{row % 11}\t{'pq'[row % 2]}" for row, patient in enumerate(cohort.used)]
    table = tmp_path / "participants.tsv"
    table.write_text("\n".join([f"participant_id\tscore\t{name}", *rows]) + "\n")
    hostile = load_cohort(sample_data / A, participants=table)
    prediction = predict_symptom(hostile, "score", covariates=[name], permutations=20, repeats=1)
    assert "<img" not in prediction_html(prediction)
