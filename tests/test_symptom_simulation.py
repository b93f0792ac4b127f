"""A tenth of the simulations of docs/symptoms.md, on synthetic lesions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from symptom_cohorts import lesions, make_cohort
from symptom_simulation import error_rate, prepare_lesions

RUNS = 200
# 99.9 % of 200 runs with a true rate of 5 % lie within these.
LOW, HIGH = stats.binom.ppf([0.0005, 0.9995], RUNS, 0.05) / RUNS


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    cohort = make_cohort(folder, lesions(60, 6, (9, 8, 7)), {"score": np.arange(60)})
    return prepare_lesions(cohort, 8)


@pytest.mark.parametrize("control", ["none", "log-volume"])
@pytest.mark.parametrize(
    ("test", "kind"),
    [
        ("ols", "normal"),
        ("ols", "lognormal"),
        ("rank", "integers"),
        ("welch", "normal"),
        ("brunner-munzel", "normal"),
        ("liebermeister", "binary"),
        ("fisher", "binary"),
    ],
)
def test_the_family_wise_error_is_held_where_nothing_is(prepared, test, kind, control):
    rate = error_rate(prepared, test, control, kind, RUNS, seed=1)
    # Tests of counts are conservative: with few patients, many permutations tie with the data.
    assert (0 if kind == "binary" else LOW) <= rate <= HIGH


@pytest.mark.parametrize(("test", "kind"), [("ols", "normal"), ("liebermeister", "binary")])
def test_a_score_that_follows_volume_alone_needs_its_control(prepared, test, kind):
    controlled = error_rate(prepared, test, "log-volume", kind, RUNS, seed=2, follows=0.7)
    assert controlled <= HIGH
    assert error_rate(prepared, test, "none", kind, 60, seed=2, follows=0.7) > 0.5
