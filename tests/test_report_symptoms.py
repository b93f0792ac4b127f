"""The chapter on a score: its numbers are those of the tables beside it and of the library."""

from __future__ import annotations

import gzip
import html
import io
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from reports import DAY, no_pictures

from lesion_dash import (
    InputError,
    ReportRequest,
    find_symptom_clusters,
    load_atlas,
    load_cohort,
    lookalikes,
    make_report,
    map_symptom,
    predict_symptom,
)
from lesion_dash.cli import main
from lesion_dash.report.formatting import fixed, ml
from lesion_dash.stats.lesion_symptom.mapping import STATEMENT
from lesion_dash.stats.lesion_symptom.sentences import gain_sentence, outcome_sentence

REQUEST = ReportRequest(score="naming", permutations=99, seed=3)


@pytest.fixture(scope="module")
def cohort(sample_data):
    return load_cohort(sample_data / "cohort_a")


@pytest.fixture(scope="module")
def atlas(sample_data):
    return load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz")


@pytest.fixture(scope="module")
def report(cohort, atlas):
    with no_pictures():
        return make_report(cohort, None, atlas, REQUEST, DAY)


@pytest.fixture(scope="module")
def symptom_map(cohort):
    return map_symptom(cohort, "naming", permutations=99, seed=3)


def words(page: str) -> str:
    chapter = page.split("<h2>Symptoms: naming", 1)[1].split("</section>", 1)[0]
    return re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]*>", " ", chapter)))


def table_of(report, name):
    return pd.read_csv(io.BytesIO(report.files[name]))


def test_every_number_of_the_clusters_is_that_of_the_csv(report, cohort, atlas, symptom_map):
    clusters = find_symptom_clusters(symptom_map, atlas)
    table = table_of(report, "symptom_clusters.csv")
    assert len(table) == len(clusters) > 0
    text = words(report.html)
    for row, own in zip(table.itertuples(), clusters, strict=True):
        assert row.effect == pytest.approx(own.effect, rel=1e-11)
        alike = lookalikes(cohort, own.mm, min_lesioned=symptom_map.min_lesioned).volume_mm3
        assert row.lookalikes_mm3 == alike
        shown = (
            f"{fixed(row.mean_lesioned, 2)} ({row.lesioned})",
            f"{fixed(row.mean_spared, 2)} ({row.spared})",
            f"{fixed(row.effect, 2)} ({fixed(row.ci_low, 2)} to {fixed(row.ci_high, 2)})",
            ml(row.volume_mm3),
            ml(alike),
        )
        for number in shown:
            assert number in text, number


def test_maps_and_predictions_are_the_library_s(report, cohort, symptom_map):
    for key in ("statistic", "corrected_p", "effect"):
        image = nib.Nifti1Image.from_bytes(gzip.decompress(report.files[f"symptom_{key}.nii.gz"]))
        values = np.ravel(image.get_fdata(), order="F")[symptom_map.indices]
        np.testing.assert_allclose(values, symptom_map.values[key], rtol=1e-6)
    prediction = predict_symptom(cohort, "naming", permutations=99, seed=3)
    written = table_of(report, "symptom_prediction.csv")
    pd.testing.assert_frame_equal(written, prediction.summary, check_dtype=False)
    text = words(report.html)
    assert gain_sentence(prediction, "10 folds")[1:] in text
    assert outcome_sentence(symptom_map) in text
    for value in prediction.measures("10 folds", "lesions").values():
        assert f"{value.mean():.3f} ({value.std(ddof=1):.3f})" in text


def test_what_was_done_and_what_is_not_known_is_told(report, symptom_map):
    text = words(report.html)
    assert STATEMENT in text
    for note in symptom_map.notes:
        assert note in text
        assert note in report.notes
    for said in (
        "Freedman and Lane, 1983", "Time from onset to imaging", "to be stated", "99 permutations",
        "seed 3", "without control of lesion volume", "not told from peak 1",
    ):  # fmt: skip
        assert said in text, said
    assert "doi:10.1080/07350015.1983.10509354" in report.html
    assert any("naming" in sentence for sentence in report.sentences)


def test_a_report_without_a_score_has_no_chapter(cohort):
    with no_pictures():
        plain = make_report(cohort, None, None, ReportRequest(), DAY)
    assert "Symptoms:" not in plain.html
    assert "Freedman" not in plain.html
    assert not any(name.startswith("symptom") for name in plain.files)


def test_the_command_that_is_shown_makes_the_same_report(sample_data, tmp_path, monkeypatch):
    monkeypatch.chdir(sample_data.parent)
    out = tmp_path / "out"
    options = ["--score", "naming", "--covariates", "age", "--permutations", "60", "--test", "rank"]
    with no_pictures():
        assert main(["report", "sample_data/cohort_a", *options, "-o", str(out)]) == 0
    page = (out / "report.html").read_text()
    command = html.unescape(re.search('<code id="command">(.*?)</code>', page, re.DOTALL)[1])
    for option in ("--score naming", "--covariates age", "--permutations 60", "--test rank"):
        assert option in command
    assert (out / "symptom_clusters.csv").exists()
    assert not (out / "symptom_regions.csv").exists()  # without an atlas


@pytest.mark.parametrize(
    ("choices", "said"),
    [({"score": "nothing"}, "nothing"), ({"score": "naming", "test": "fisher"}, "0 and 1")],
)
def test_a_score_that_does_not_fit_is_one_sentence(cohort, choices, said):
    with pytest.raises(InputError, match=said):
        make_report(cohort, None, None, ReportRequest(**choices), DAY)


def test_covariates_need_a_score(sample_data, tmp_path, capsys):
    arguments = ["report", str(sample_data / "cohort_a"), "--covariates", "age"]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 2
    assert "--score" in capsys.readouterr().err


def test_a_name_with_a_dollar_and_regions_without_damage_stop_no_report(
    sample_data, tmp_path, cohort
):
    name = r"x$\frac$y"
    rows = [f"{patient.id}\t{(7 * row) % 23}" for row, patient in enumerate(cohort.used)]
    table = tmp_path / "participants.tsv"
    table.write_text("\n".join([f"participant_id\t{name}", *rows]) + "\n")
    odd = load_cohort(sample_data / "cohort_a", participants=table)
    labels = np.zeros(cohort.grid.shape, np.int16)
    labels[:2, :2, :2], labels[-2:, :2, :2] = 1, 2  # in corners, outside the brain
    nib.Nifti1Image(labels, cohort.grid.affine).to_filename(tmp_path / "corner.nii.gz")
    corner = load_atlas(tmp_path / "corner.nii.gz")
    made = make_report(odd, None, corner, ReportRequest(score=name, permutations=20), DAY)
    assert "regions are not tested" in " ".join(made.notes)
    assert "could not be drawn" not in made.html


def test_a_binary_symptom_is_told_as_it_is_tested(sample_data, tmp_path, cohort):
    rows = [f"{patient.id}\t{row % 2}\t{50 + row}" for row, patient in enumerate(cohort.used)]
    table = tmp_path / "participants.tsv"
    table.write_text("\n".join(["participant_id\tsymptom\tage", *rows]) + "\n")
    binary = load_cohort(sample_data / "cohort_a", participants=table)
    request = ReportRequest(
        score="symptom", covariates=["age"], test="liebermeister", permutations=20
    )
    with no_pictures():
        made = make_report(binary, None, None, request, DAY)
    assert "Freedman and Lane" not in made.html
    assert "symptoms drawn as covariates" in made.html
