"""Values open at a bound, such as 89+: what is certain of them, and what counts as missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phantoms import random_masks, write_masks

from lesion_dash.cohort.columns import describe_columns, holds_numbers, open_value
from lesion_dash.cohort.conditions import (
    parse_condition,
    parse_conditions,
    restrict_cohort,
    restriction_summary,
)
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError

AGES = ["61", "89+", "n/a", "44", "89+", "30"]
LEVELS = ["<5", "5", "12", "> 40", "n/a", "≤5"]
GRADES = ["1+", "2+", "0", "1+", "n/a", "3+"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_masks(tmp_path_factory.mktemp("study") / "masks", random_masks(len(AGES)))
    rows = [
        f"sub-{n:03}\t{age}\t{level}\t{grade}"
        for n, (age, level, grade) in enumerate(zip(AGES, LEVELS, GRADES, strict=True))
    ]
    table = "\n".join(["participant_id\tage\tcrp\tgrade", *rows, ""])
    (folder / "participants.tsv").write_text(table, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def cohort(folder):
    return load_cohort(folder)


def rows_of(cohort) -> list[int]:
    return [int(patient.id.removeprefix("sub-")) for patient in cohort.used]


@given(
    bound=st.integers(-6, 6),
    sign=st.sampled_from([">", ">=", "≥", "<", "<=", "≤", "+"]),
    asked=st.tuples(st.integers(-6, 6), st.integers(0, 6)),
    form=st.sampled_from(["x>={}", "x>{}", "x<={}", "x<{}", "x={}..{}"]),
)
def test_certain_is_what_holds_for_every_number(bound, sign, asked, form):
    """Quarters from -20 to 20 stand for all numbers: bounds are whole, so nothing lies between."""
    numbers = np.arange(-80, 81) / 4
    low, high = asked[0], asked[0] + asked[1]
    condition = parse_condition(form.format(low, high))
    compare = {">": np.greater, "<": np.less}.get(sign)
    if compare is None:
        compare = np.less_equal if sign in ("<=", "≤") else np.greater_equal
    met = {condition.is_met(str(number)) for number in numbers[compare(numbers, bound)]}
    cell = f"{bound}+" if sign == "+" else f"{sign} {bound}"
    found = open_value(cell).lies_within(condition.low, condition.high, condition.strict)
    assert found == (met.pop() if len(met) == 1 else None)
    assert condition.is_met(cell) == bool(found)
    assert condition.is_certain(cell) == (found is not None)


@pytest.mark.parametrize(
    "cell", ["89", "F", "+", ">", "> old", "1_0+", "nan+", ">inf", "89+ y", "++3"]
)
def test_other_cells_are_not_open(cell):
    assert open_value(cell) is None


@pytest.mark.parametrize(
    ("cells", "is_numeric"),
    [
        (["61", "89+", ""], True),
        (["89", "89+"], True),
        (["90", "89+"], False),
        (["1", "2+", "3+"], False),
        (["<3", "<5", "7", ">40", ">80"], True),
        (["<18", ">=18"], False),
        (["<18", "20", "F"], False),
        ([], False),
    ],
)
def test_which_columns_hold_numbers(cells, is_numeric):
    assert holds_numbers(cells) is is_numeric


def test_columns_with_open_values_are_numbers_in_rising_order(cohort):
    age, crp, grade = describe_columns(cohort)
    assert (age.kind, age.low, age.high, age.missing) == ("number", 30, 89, 1)
    assert [value for value, _ in age.counts] == ["30", "44", "61", "89+"]
    assert age.summary == "age runs from 30 to 89+"
    assert crp.kind == "number"
    assert [value for value, _ in crp.counts][2:] == ["5", "12", "> 40"]
    assert {value for value, _ in crp.counts[:2]} == {"<5", "≤5"}
    assert (grade.kind, grade.is_whole, grade.even_cut) == ("category", False, None)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("age>=60", [0, 1, 4]),
        ("age>=89", [1, 4]),
        ("age<60", [3, 5]),
        ("age<89", [0, 3, 5]),
        ("age=40..95", [0, 3]),
        ("age<92,missing", [0, 1, 2, 3, 4, 5]),
        ("age=89+", [1, 4]),
        ("crp<5", [0]),
        ("crp<=5", [0, 1, 5]),
        ("crp>=5", [1, 2, 3]),
        ("crp>40", [3]),
        ("grade=1+", [0, 3]),
    ],
)
def test_who_meets_a_condition_in_memory_and_unread(folder, cohort, text, rows):
    found, unread = (
        restrict_cohort(cohort, [text]),
        load_cohort(folder, where=parse_conditions([text])),
    )
    assert rows_of(found) == rows_of(unread) == rows
    assert found.notes == unread.notes


def test_notes_say_how_they_were_read_and_count_them(cohort):
    assert restrict_cohort(cohort, ["age>=60"]).notes == (
        "age >= 60: 3 of 6 patients excluded, 1 of them because the value is missing",
        "age >= 60: 89+ is read as at least 89; 2 patients have it",
    )
    unclear = restrict_cohort(cohort, ["age<92"])
    why = "which does not tell and counts as missing; 2 patients have it"
    assert unclear.notes[1] == f"age < 92: 89+ is read as at least 89, {why}"
    reasons = [one.reasons for one in unclear.patients if one.status == "skipped"]
    assert reasons.count(("left out, not certain: age < 92",)) == 2


def test_the_words_of_a_restriction_tell_who_is_left_out_for_want_of_a_value(cohort):
    words = restriction_summary(cohort, ["grade!=3+", "age<92"])
    assert words == (
        "age < 92, grade != 3+; 3 excluded only because age is missing or not certain; "
        "1 excluded only because grade is missing"
    )
    assert restriction_summary(cohort, ["age>=60,missing"]) == "age >= 60 or age missing"
    assert restriction_summary(cohort, []) == ""


def test_nobody_certain_is_nobody(cohort):
    with pytest.raises(InputError, match=r"nobody is left: .* age >= 92; age runs from 30 to 89\+"):
        restrict_cohort(cohort, ["age>=92"])
    with pytest.raises(InputError, match=r"compares numbers, and grade holds '1\+'"):
        restrict_cohort(cohort, ["grade>=1"])


@pytest.mark.parametrize(
    "cut_is_even", [["1", "2", "3", "4"], ["1", "1", "1", "2"], ["0", "5+", "3"]]
)
def test_the_even_cut_parts_as_evenly_as_any(cut_is_even, tmp_path):
    folder = write_masks(tmp_path / "masks", random_masks(len(cut_is_even)))
    rows = [f"sub-{n:03}\t{value}" for n, value in enumerate(cut_is_even)]
    (folder / "participants.tsv").write_text("\n".join(["participant_id\tx", *rows, ""]))
    (column,) = describe_columns(load_cohort(folder))
    numbers = [float(value.rstrip("+")) for value in cut_is_even]
    unevenness = {
        cut: abs(sum(1 if number < cut else -1 for number in numbers)) for cut in set(numbers)
    }
    exact = {float(value) for value in cut_is_even if "+" not in value} - {min(numbers)}
    assert column.even_cut in exact
    assert unevenness[column.even_cut] == min(unevenness[cut] for cut in exact)
