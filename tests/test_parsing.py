"""Conditions as text: whatever a column is called, and however long a text is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phantoms import random_masks, write_masks

from lesion_dash.cohort.conditions import Condition, parse_condition, restrict_cohort
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError

NAMES = st.text(st.sampled_from('ab =<>!≥≤≠",'), min_size=1, max_size=8)
VALUES = st.text(st.sampled_from('ab1 =<>!",'), min_size=1, max_size=6)


@given(
    NAMES.filter(lambda name: name == name.strip()),
    st.lists(VALUES.map(str.strip).filter(bool), min_size=1, max_size=3),
)
def test_any_name_of_a_column_reads_back(name, values):
    condition = Condition(name, tuple(values))
    assert parse_condition(str(condition)) == condition


@given(NAMES.filter(lambda name: name == name.strip()), st.booleans())
def test_a_range_of_any_column_reads_back(name, strict):
    condition = Condition(name, low=2.5, strict=strict)
    assert parse_condition(str(condition)) == condition


def test_a_column_with_a_sign_in_its_name_is_asked(tmp_path):
    folder = write_masks(tmp_path / "cohort", random_masks(3))
    (folder / "participants.tsv").write_text(
        "participant_id\tmRS>2\nsub-000\t1\nsub-001\t0\nsub-002\t1\n"
    )
    part = restrict_cohort(load_cohort(folder), ['"mRS>2"=1'])
    assert [patient.id for patient in part.used] == ["sub-000", "sub-002"]


@pytest.mark.parametrize("text", [" " * 20_000, "a" + " " * 20_000, "a=" + " " * 20_000 + "\n"])
def test_a_long_text_is_refused_as_soon_as_it_is_read(text):
    # It took half a minute for 2,000 blanks.
    with pytest.raises(InputError, match=r"is not a condition|a value is empty"):
        parse_condition(text)


@pytest.mark.parametrize("text", ["", "sex=a\nb", "=F"])
def test_what_is_no_condition_is_one_sentence(text):
    with pytest.raises(InputError, match="is not a condition"):
        parse_condition(text)
