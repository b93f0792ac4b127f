"""The choices hold whatever the browser sends."""

from __future__ import annotations

import pytest
import traitlets as t

from lesion_dash.dashboard.state import MAPS, Choices, Selection


@pytest.mark.parametrize(("asked", "kept"), [(-3, 1), (0, 1), (3, 3), (99, 7)])
def test_min_patients_stays_within_the_cohort(asked: int, kept: int) -> None:
    choices = Choices(most_patients=7)
    choices.min_patients = asked
    assert choices.min_patients == kept


def test_unknown_map_is_refused() -> None:
    with pytest.raises(t.TraitError, match="map_key"):
        Choices().map_key = "mode"


def test_overlap_needs_a_second_cohort() -> None:
    choices = Choices(cohort_a="a")
    with pytest.raises(t.TraitError, match="second folder"):
        choices.map_key = "overlap"
    choices.cohort_b = "b"
    choices.map_key = "overlap"
    assert choices.selection.map_key == "overlap"


def test_selection_is_a_key() -> None:
    choices = Choices(cohort_a="a", most_patients=9, min_patients=4, loaded_atlas="atlas")
    assert choices.selection == Selection("a", "", 4, "atlas", "n")
    assert {choices.selection: 1}[choices.selection] == 1


def test_each_map_has_words() -> None:
    assert all(MAPS.values())
