"""Conditions restrict A and B at once, and one that cannot be met is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import traitlets as t

from lesion_dash.cohort.conditions import parse_conditions
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.export import export
from lesion_dash.dashboard.session import Session
from lesion_dash.stats.overlap import overlap
from lesion_dash.stats.topography import volume_stats

WOMEN, MEN, OLD = ("sex=F",), ("sex=M",), ("age>=60",)


@pytest.fixture
def context(sample_data: Path) -> Iterator[AppContext]:
    context = AppContext(Session(DataRoot(sample_data)))
    context.choices.folder_a = "cohort_a"
    context.wait()
    yield context
    context.wait()


def test_maps_are_those_of_the_subgroup(context: AppContext, sample_data: Path) -> None:
    context.choices.map_key = "mean"
    context.choices.where_a = (*WOMEN, *OLD)
    alone = load_cohort(sample_data / "cohort_a", where=parse_conditions([*WOMEN, *OLD]))
    expected = volume_stats(alone, context.choices.min_patients)
    found = context.session.stats(context.choices.selection)
    np.testing.assert_array_equal(found.indices, expected.indices)
    for key in ("n", "mean", "std", "median"):
        np.testing.assert_array_equal(found.values[key], expected.values[key])
    assert context.choices.most_patients == alone.counts.max()


def test_one_folder_is_split_into_a_and_b(context: AppContext, sample_data: Path) -> None:
    context.choices.where_a = WOMEN
    context.choices.where_b = MEN
    context.choices.folder_b = "cohort_a"
    context.wait()
    k = context.choices.min_patients
    parts = [
        load_cohort(sample_data / "cohort_a", where=parse_conditions(where)).at_least(k)
        for where in (WOMEN, MEN)
    ]
    found = context.session.overlap(context.choices.selection)
    assert found is not None
    np.testing.assert_array_equal(found.both.indices, overlap(*parts).both.indices)
    assert context.choices.cohort_a != context.choices.cohort_b


def test_the_colours_of_volumes_keep_their_range(context: AppContext) -> None:
    context.choices.map_key = "mean"
    before = context.session.scale(context.choices.selection).maximum
    context.choices.where_a = OLD
    assert context.session.scale(context.choices.selection).maximum == before


def test_nobody_left_is_said_and_taken_back(context: AppContext) -> None:
    context.choices.where_a = WOMEN
    shown = context.choices.cohort_a
    context.choices.where_a = ("age>=200",)
    assert "age" in context.banner.message
    assert (context.choices.where_a, context.choices.cohort_a) == (("sex=F",), shown)


def test_a_condition_that_cannot_be_asked_is_taken_back(context: AppContext) -> None:
    context.choices.where_a = ("sex=M",)
    context.choices.where_a = ("no_such_column=1",)
    assert "no_such_column" in context.banner.message
    assert context.choices.where_a == ("sex=M",)
    context.choices.where_a = ()
    assert context.choices.cohort_a == "cohort_a"


def test_what_is_no_condition_is_refused(context: AppContext) -> None:
    with pytest.raises(t.TraitError, match="sex"):
        context.choices.where_a = ("sex",)
    assert context.choices.where_a == ()


def test_an_export_tells_the_conditions(context: AppContext, tmp_path: Path) -> None:
    context.choices.where_a = WOMEN
    place = export(context.session, context.choices.selection, tmp_path)
    assert '"sex=F"' in (place / "provenance.json").read_text(encoding="utf-8")
