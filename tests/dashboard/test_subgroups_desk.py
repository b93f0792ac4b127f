"""Conditions restrict A and B at once, and one that cannot be met is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import traitlets as t

from lesion_dash.cohort.conditions import parse_conditions
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.desk import Desk
from lesion_dash.dashboard.export import export
from lesion_dash.dashboard.session import Session
from lesion_dash.stats.overlap import overlap
from lesion_dash.stats.topography import volume_stats

WOMEN, MEN, OLD = ("sex=F",), ("sex=M",), ("age>=60",)


@pytest.fixture
def desk(sample_data: Path) -> Iterator[Desk]:
    desk = Desk(Session(DataRoot(sample_data)))
    desk.choices.folder_a = "cohort_a"
    desk.wait()
    yield desk
    desk.wait()


def test_maps_are_those_of_the_subgroup(desk: Desk, sample_data: Path) -> None:
    desk.choices.map_key = "mean"
    desk.choices.where_a = (*WOMEN, *OLD)
    alone = load_cohort(sample_data / "cohort_a", where=parse_conditions([*WOMEN, *OLD]))
    expected = volume_stats(alone, desk.choices.min_patients)
    found = desk.session.stats(desk.choices.selection)
    np.testing.assert_array_equal(found.indices, expected.indices)
    for key in ("n", "mean", "std", "median"):
        np.testing.assert_array_equal(found.values[key], expected.values[key])
    assert desk.choices.most_patients == alone.counts.max()


def test_one_folder_is_split_into_a_and_b(desk: Desk, sample_data: Path) -> None:
    desk.choices.where_a = WOMEN
    desk.choices.where_b = MEN
    desk.choices.folder_b = "cohort_a"
    desk.wait()
    k = desk.choices.min_patients
    parts = [
        load_cohort(sample_data / "cohort_a", where=parse_conditions(where)).at_least(k)
        for where in (WOMEN, MEN)
    ]
    found = desk.session.overlap(desk.choices.selection)
    assert found is not None
    np.testing.assert_array_equal(found.both.indices, overlap(*parts).both.indices)
    assert desk.choices.cohort_a != desk.choices.cohort_b


def test_the_colours_of_volumes_keep_their_range(desk: Desk) -> None:
    desk.choices.map_key = "mean"
    before = desk.session.scale(desk.choices.selection).maximum
    desk.choices.where_a = OLD
    assert desk.session.scale(desk.choices.selection).maximum == before


def test_nobody_left_is_said_and_taken_back(desk: Desk) -> None:
    desk.choices.where_a = WOMEN
    shown = desk.choices.cohort_a
    desk.choices.where_a = ("age>=200",)
    assert "age" in desk.banner.message
    assert (desk.choices.where_a, desk.choices.cohort_a) == (("sex=F",), shown)


def test_a_condition_that_cannot_be_asked_is_taken_back(desk: Desk) -> None:
    desk.choices.where_a = ("sex=M",)
    desk.choices.where_a = ("no_such_column=1",)
    assert "no_such_column" in desk.banner.message
    assert desk.choices.where_a == ("sex=M",)
    desk.choices.where_a = ()
    assert desk.choices.cohort_a == "cohort_a"


def test_what_is_no_condition_is_refused(desk: Desk) -> None:
    with pytest.raises(t.TraitError, match="sex"):
        desk.choices.where_a = ("sex",)
    assert desk.choices.where_a == ()


def test_an_export_tells_the_conditions(desk: Desk, tmp_path: Path) -> None:
    desk.choices.where_a = WOMEN
    place = export(desk.session, desk.choices.selection, tmp_path)
    assert '"sex=F"' in (place / "provenance.json").read_text(encoding="utf-8")
