"""Subgroups: who meets a condition, and that a restricted cohort is the cohort of those alone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phantoms import random_masks, write_masks

from lesion_dash.analyses.topography import Stats
from lesion_dash.cohort.columns import describe_columns, holds_numbers, open_value
from lesion_dash.cohort.conditions import (
    Condition,
    parse_condition,
    parse_conditions,
    remaining_columns,
    restrict_cohort,
    restriction_summary,
)
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.cohort.reading import ReadOptions
from lesion_dash.core.errors import InputError
from lesion_dash.stats.group_contrasts import split_cohort
from lesion_dash.stats.topography import folder_stats, volume_stats

TABLE = """participant_id\tsex\tage\tsite\tgroup\tempty\tmRS>2\told\tcrp\tgrade
sub-000\tF\t61\t1\ta, b\tn/a\t1\t61\t<5\t1+
sub-001\tM\t72.5\t2\ta\tn/a\t0\t89+\t5\t2+
sub-002\tF\tn/a\t1.0\tB\tn/a\t1\tn/a\t12\t0
sub-003\tM\t44\t3\tB\tn/a\t0\t44\t> 40\t1+
sub-004\tF\t80\t01\ta\tn/a\t0\t89+\tn/a\tn/a
sub-005\tn/a\t61.0\t2\t>c\tmissing\t0\t30\t≤5\t3+
sub-006\tM\t90\tNaN\ta\tn/a\t0\tn/a\tn/a\tn/a
sub-007\tf\t55\t3\tB\tn/a\t0\tn/a\tn/a\tn/a
sub-099\tX\t20\t9\tZ\tn/a\t0\tn/a\tn/a\tn/a
"""  # sub-008 and sub-009 have no row, sub-099 has no mask
SEXES = ["F", "M", "F", "M", "F", None, "M", "f", None, None]
AGES = [61, 72.5, None, 44, 80, 61, 90, 55, None, None]
SITES = [1, 2, 1, 3, 1, 2, None, 3, None, None]
N = 10

CONDITIONS = {
    "sex=F": [s == "F" for s in SEXES],
    "sex==F": [s == "F" for s in SEXES],
    "sex=F,M": [s in ("F", "M") for s in SEXES],
    "sex!=F": [s not in ("F", None) for s in SEXES],
    "sex!=F,M": [s == "f" for s in SEXES],
    "sex=missing": [s is None for s in SEXES],
    "sex=n/a": [s is None for s in SEXES],
    "sex!=missing": [s is not None for s in SEXES],
    "sex=F,missing": [s in ("F", None) for s in SEXES],
    "site=1": [s == 1 for s in SITES],
    "site=1.0,3": [s in (1, 3) for s in SITES],
    "age=61": [a == 61 for a in AGES],
    "age>=61": [a is not None and a >= 61 for a in AGES],
    "age≥61": [a is not None and a >= 61 for a in AGES],
    "age>61": [a is not None and a > 61 for a in AGES],
    "age<=61": [a is not None and a <= 61 for a in AGES],
    "age<61": [a is not None and a < 61 for a in AGES],
    "age=61..80": [a is not None and 61 <= a <= 80 for a in AGES],
    "age = 61 .. 80 , missing": [a is None or 61 <= a <= 80 for a in AGES],
    "age>80,missing": [a is None or a > 80 for a in AGES],
    'group="a, b"': [n == 0 for n in range(N)],
    'group=">c",B': [n in (2, 3, 5, 7) for n in range(N)],
    "empty=missing": [True] * N,
    '"mRS>2"=1': [n in (0, 2) for n in range(N)],
    "old>=60": [n in (0, 1, 4) for n in range(N)],
    "old>=89": [n in (1, 4) for n in range(N)],
    "old<60": [n in (3, 5) for n in range(N)],
    "old<89": [n in (0, 3, 5) for n in range(N)],
    "old=40..95": [n in (0, 3) for n in range(N)],
    "old<92,missing": [True] * N,
    "old=89+": [n in (1, 4) for n in range(N)],
    "crp<5": [n == 0 for n in range(N)],
    "crp<=5": [n in (0, 1, 5) for n in range(N)],
    "crp>=5": [n in (1, 2, 3) for n in range(N)],
    "crp>40": [n == 3 for n in range(N)],
    "grade=1+": [n in (0, 3) for n in range(N)],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_masks(tmp_path_factory.mktemp("study") / "masks", random_masks(N))
    (folder / "participants.tsv").write_text(TABLE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def cohort(folder):
    return load_cohort(folder)


def cohort_of(folder: Path, column: str, values: list[str]):
    """A cohort of a patient for each value of a column."""
    write_masks(folder, random_masks(len(values)))
    rows = [f"sub-{number:03}\t{value}" for number, value in enumerate(values)]
    (folder / "participants.tsv").write_text("\n".join([f"participant_id\t{column}", *rows, ""]))
    return load_cohort(folder)


def rows_of(restricted) -> list[int]:
    return [int(patient.id.removeprefix("sub-")) for patient in restricted.used]


def assert_same_bits(a, b):
    """Equal maps of every kind at every threshold, NaN included."""
    for k in (1, 2, 3):
        for std in ("population", "sample"):
            first, two = volume_stats(a, k, std), volume_stats(b, k, std)
            np.testing.assert_array_equal(first.indices, two.indices)
            for key in first.values:
                assert first.values[key].tobytes() == two.values[key].tobytes()


@pytest.mark.parametrize("text", CONDITIONS)
def test_who_meets_a_condition_in_memory_and_unread(folder, cohort, text):
    assert parse_condition(str(parse_condition(text))) == parse_condition(text)
    rows = [row for row, is_met in enumerate(CONDITIONS[text]) if is_met]
    restricted = restrict_cohort(cohort, [text])
    unread = load_cohort(folder, where=parse_conditions([text]))
    assert rows_of(restricted) == rows_of(unread) == rows
    assert restricted.name == unread.name == f"masks, {parse_condition(text).summary}"
    assert restricted.notes == unread.notes
    for own in (restricted, unread):
        table = own.files_table
        assert len(table) == N
        left = table[table["status"] == "skipped"]
        assert left["reason"].str.startswith("excluded, ").all()
        is_missing = left["reason"].str.contains("value missing").to_numpy()
        column = cohort.table[parse_condition(text).column]
        np.testing.assert_array_equal(is_missing, column.isna().to_numpy()[left.index])
    np.testing.assert_array_equal(
        restricted.volumes, [patient.voxels for patient in restricted.used]
    )
    for row in range(len(rows)):
        np.testing.assert_array_equal(restricted.voxels(row), unread.voxels(row))
    columns = ["patient", "file", "status", "reason", "voxels", "volume_mm3"]
    pd.testing.assert_frame_equal(restricted.files_table[columns], unread.files_table[columns])


words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)


names = st.text(st.sampled_from('ab =<>!≥≤≠",'), min_size=1, max_size=8)
values = st.text(st.sampled_from('ab1 =<>!",'), min_size=1, max_size=6).map(str.strip)


@given(
    name=names.filter(lambda name: name == name.strip()),
    values=st.lists(words | values.filter(bool), max_size=3),
    excludes=st.booleans(),
    missing=st.booleans(),
)
def test_any_column_and_any_values_read_back(name, values, excludes, missing):
    try:
        condition = Condition(name, tuple(values), excludes=excludes, missing=missing)
    except InputError:
        return
    assert parse_condition(str(condition)) == condition


@given(
    name=names.filter(lambda name: name == name.strip()),
    bounds=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2),
    age=st.floats(allow_nan=False, allow_infinity=False),
)
def test_ranges_read_back_and_hold_their_bounds(name, bounds, age):
    low, high = sorted(bounds)
    span = Condition(name, low=low, high=high)
    assert parse_condition(str(span)) == span
    assert span.is_met(str(age)) == (low <= age <= high)
    for sign, met in ((">", age > low), (">=", age >= low), ("<", age < low), ("<=", age <= low)):
        condition = parse_condition(f"age{sign}{low}")
        assert condition.is_met(str(age)) == met
        assert parse_condition(str(condition)) == condition


def test_restricted_maps_equal_those_of_a_folder_with_these_masks_alone(folder, cohort, tmp_path):
    where = parse_conditions(["sex=F,M", "age=50..85"])
    alone = tmp_path / "masks"
    alone.mkdir()
    restricted = restrict_cohort(cohort, where)
    for patient in restricted.used:
        shutil.copy(folder / patient.file, alone)
    only = load_cohort(alone)
    assert rows_of(restricted) == rows_of(only) == [0, 1, 4]
    assert_same_bits(restricted, only)
    assert_same_bits(load_cohort(folder, where=where), only)
    _, expected = folder_stats(alone, 2)
    listing, stats = folder_stats(folder, 2, options=ReadOptions(where=where))
    assert listing.name == restricted.name
    for key, array in expected.arrays.items():
        assert array.tobytes() == stats.arrays[key].tobytes()


def test_the_order_of_conditions_does_not_matter(folder, cohort):
    texts = ["sex=F,M", "age>=50", "site!=3"]
    step = cohort
    for text in texts:
        step = restrict_cohort(step, [text])
    orders = (texts, [*texts[::-1], texts[0]])
    for make in (restrict_cohort, lambda _, where: load_cohort(folder, where=where)):
        first, last = (make(cohort, order) for order in orders)
        assert rows_of(first) == rows_of(last) == rows_of(step)
        assert (first.name, first.notes, first.patients) == (last.name, last.notes, last.patients)
        assert first.notes[-1] == "7 of 10 patients excluded in all"
        assert_same_bits(first, last)
        assert_same_bits(first, step)


@pytest.mark.parametrize(
    "parts",
    [
        ("sex=F", "sex!=F", "sex=missing"),
        ("sex=F,missing", "sex!=F"),
        ("age>=61", "age<61", "age=missing"),
        ("age<=61", "age>61,missing"),
        ("age!=missing", "age=missing"),
    ],
)
def test_a_condition_and_its_opposite_part_the_cohort(cohort, parts):
    groups = [restrict_cohort(cohort, [part]) for part in parts]
    assert sorted(row for group in groups for row in rows_of(group)) == list(range(N))
    np.testing.assert_array_equal(sum(group.counts for group in groups), cohort.counts)
    assert sum(int(group.volumes.sum()) for group in groups) == cohort.volumes.sum()


@pytest.mark.parametrize(("column", "a", "b"), [("sex", "F", "M"), ("site", 1, "3.0")])
def test_conditions_and_a_split_find_the_same_groups(cohort, column, a, b):
    split = split_cohort(cohort, column, a, b)
    for value, group in zip((a, b), split, strict=True):
        restricted = restrict_cohort(cohort, [Condition(column, (value,))])
        assert rows_of(restricted) == rows_of(group)
        assert_same_bits(restricted, group)


def test_files_of_patients_who_are_left_out_are_not_opened(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "masks")
    for row, is_met in enumerate(CONDITIONS["sex=F"]):
        if not is_met:
            (broken / f"sub-{row:03}_lesion.nii.gz").write_bytes(b"no image")
    shutil.copy(broken / "sub-001_lesion.nii.gz", broken / "sub-001_lesion.img")  # and its twin
    restricted = load_cohort(broken, where=["sex=F"])
    assert rows_of(restricted) == [0, 2, 4]
    left = [patient for patient in restricted.patients if patient.status == "skipped"]
    assert {patient.outcome for patient in left if "img" not in patient.file} == {"accept"}
    assert not any(patient.sha256 for patient in left)
    with pytest.raises(InputError, match="no readable mask among 4 files"):
        load_cohort(broken, where=parse_conditions(["site=2,3", "sex=M,f"]))


def test_notes_count_who_is_left_out_and_who_has_no_value(cohort):
    def notes_on(condition: str):
        return restrict_cohort(cohort, [condition]).notes[len(cohort.notes) :]

    (note,) = cohort.notes
    assert note.startswith("8 of 10 patients have a row in participants.tsv")
    (note,) = notes_on("sex=F")
    assert note == "sex = F: 7 of 10 patients excluded, 3 of them because the value is missing"
    (note,) = notes_on("age>=61,missing")
    expected = (
        "age >= 61 or age missing: 2 of 10 patients excluded, 3 included whose value is missing"
    )
    assert note == expected
    assert notes_on("old>=60")[1:] == ("old >= 60: 89+ is read as at least 89; 2 patients have it",)
    unclear = restrict_cohort(cohort, ["old<92"])
    why = "ambiguous, treated as missing; 2 patients have it"
    assert notes_on("old<92")[1] == f"old < 92: 89+ is read as at least 89, {why}"
    reasons = [patient.reasons for patient in unclear.patients if patient.status == "skipped"]
    assert reasons.count(("excluded, not certain: old < 92",)) == 2
    assert notes_on("sex!=Q")[1] == "sex != Q: no patient has sex = Q"
    assert restrict_cohort(cohort, []) is cohort


def test_columns_are_typed_and_counted(cohort):
    columns = {column.name: column for column in describe_columns(cohort)}
    assert list(columns)[:6] == ["sex", "age", "site", "group", "empty", "mRS>2"]
    sex, age, site = columns["sex"], columns["age"], columns["site"]
    assert (sex.kind, sex.counts, sex.missing) == (
        "category",
        (("F", 3), ("M", 3), ("f", 1)),
        3,
    )
    assert (age.kind, age.low, age.high, age.missing) == ("number", 44, 90, 3)
    assert site.counts == (("1", 3), ("2", 2), ("3", 2))
    assert (columns["empty"].counts, columns["empty"].missing) == ((), N)
    old, crp, grade = columns["old"], columns["crp"], columns["grade"]
    assert (old.kind, old.low, old.high, old.missing) == ("number", 30, 89, 5)
    assert [value for value, _ in old.counts] == ["30", "44", "61", "89+"]
    assert old.summary == "old runs from 30 to 89+"
    assert crp.kind == "number"
    assert [value for value, _ in crp.counts][2:] == ["5", "12", "> 40"]
    assert {value for value, _ in crp.counts[:2]} == {"<5", "≤5"}
    assert (grade.kind, grade.is_whole, grade.even_cut) == ("category", False, None)
    young = {
        column.name: column for column in describe_columns(restrict_cohort(cohort, ["age<50"]))
    }
    assert (young["age"].counts, young["age"].low) == ((("44", 1),), 44)
    for column in columns.values():
        values = cohort.used_table[column.name]
        assert column.missing == values.isna().sum()
        assert sum(count for _, count in column.counts) == values.notna().sum()


def test_one_word_makes_a_column_of_categories(tmp_path):
    cohort = cohort_of(tmp_path, "mrs", ["3", "10", "dead"])
    (column,) = describe_columns(cohort)
    assert (column.kind, column.low) == ("category", None)
    assert column.counts == (("10", 1), ("3", 1), ("dead", 1))
    why = (
        "mrs < 4 compares numbers, and mrs holds 'dead'; empty the 1 of 3 cells, or ask for values"
    )
    with pytest.raises(InputError, match=why):
        restrict_cohort(cohort, ["mrs<4"])
    assert rows_of(restrict_cohort(cohort, ["mrs=3.0"])) == [0]


@pytest.mark.parametrize("where", ["sex=F", Condition("sex", ("F",)), iter(["sex=F"])])
def test_one_condition_is_one_condition(folder, where):
    assert rows_of(load_cohort(folder, where=where)) == [0, 2, 4]
    if isinstance(where, str):
        assert Stats(masks=str(folder), output="out", where=where).where == (where,)


@pytest.mark.parametrize("where", [None, 5, [5], {"sex": "F"}])
def test_what_is_no_condition_is_named(folder, where):
    with pytest.raises(InputError, match="is not a condition; write sex=F"):
        load_cohort(folder, where=where)


def test_without_a_table_there_are_no_columns_and_nothing_to_ask(tmp_path):
    folder = write_masks(tmp_path / "masks", random_masks(2))
    assert describe_columns(load_cohort(folder)) == remaining_columns(load_cohort(folder), []) == ()
    with pytest.raises(InputError, match=r"no participants table that could answer 'sex = F'"):
        load_cohort(folder, where=parse_conditions(["sex=F"]))
    (folder / "participants.tsv").write_text("participant_id\tsex\nsub-000\tF\tM\n")
    with pytest.raises(InputError, match="no participants table") as caught:
        load_cohort(folder, where=parse_conditions(["sex=F"]))
    assert "row 2 has 3 fields" in caught.value.details[0]


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        (["Sexe=F"], r"has no column 'Sexe'; did you mean sex\?"),
        (["nihss=3"], "has no column 'nihss'; choose one of sex, age, site"),
        (["old>=92"], r"no patient matches: .* old >= 92; old runs from 30 to 89\+"),
        (["grade>=1"], r"compares numbers, and grade holds '1\+'"),
        (["group=b"], r"no patient in it has group = b; did you mean B\?"),
        (["age=62"], "no patient in it has age = 62; age runs from 20 to 90"),
        (["sex>=3"], "sex >= 3 compares numbers, and sex holds 'F'; ask for values: sex is F or M"),
        (["age>90"], "no patient matches: none of 10 meets age > 90; age runs from 44 to 90"),
        (["sex=X", "age>=50"], "none of 10 meets sex = X; sex is F or M or f"),
        (["site=3", "age>60"], "none of 10 meets age > 60 and site = 3"),
        (["empty!=missing"], "meets empty not missing; empty is missing for every patient"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence_in_both_ways(folder, cohort, texts, match):
    with pytest.raises(InputError, match=match):
        restrict_cohort(cohort, texts)
    with pytest.raises(InputError, match=match):
        load_cohort(folder, where=texts)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("age", "age: is not a condition; write sex=F, .* in quotes"),
        ("=F", "is not a condition"),
        ("", "is not a condition"),
        ("sex=a\nb", "is not a condition"),
        # It took half a minute for 2,000 blanks.
        (" " * 20_000, "is not a condition"),
        ("a" + " " * 20_000, "is not a condition"),
        ("a=" + " " * 20_000 + "\n", "a value is empty"),
        ("age=>60", "'=>' is not an operator"),
        ("age>=old", "'old' is not a number"),
        ("age>=", "'' is not a number"),
        ("age>=nan", "'nan' is not a number"),
        ("age=80..60", r"80..60 is not a range, its first bound is the larger"),
        ("age=60..old", "'old' is not a number"),
        ("age!=60..80", "a range cannot be excluded; ask for what is below or above"),
        ("sex=", "a value is empty; write missing"),
        ("sex=F,", "a value is empty; write missing"),
    ],
)
def test_text_that_is_no_condition_is_refused(text, match):
    with pytest.raises(InputError, match=match):
        parse_condition(text)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({}, "no value and no range is given"),
        ({"values": ("F",), "low": 3}, "at once"),
        ({"values": ("n/a",)}, "a missing value is given as text"),
        ({"low": float("nan")}, "a bound is not a number"),
        ({"low": 3, "high": 4, "strict": True}, "strict belongs to a range with one bound"),
    ],
)
def test_a_condition_asks_one_thing(fields, match):
    with pytest.raises(InputError, match=match):
        Condition("sex", **fields)


def test_a_value_alone_needs_no_tuple():
    assert Condition("side", "left") == Condition("side", ("left",)) == parse_condition("side=left")
    assert Condition("site", 1.0) == parse_condition("site=1")


def patients_who_meet(cohort, conditions) -> int:
    try:
        return restrict_cohort(cohort, conditions).n_patients
    except InputError:
        return 0  # nobody is left


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["sex=F"],
        ["age>=60", "site=1,2,missing"],
        ["age>=50", "age<=80", "sex!=missing"],
        ["group=a"],
    ],
)
def test_what_remains_is_counted_as_if_it_were_asked(cohort, texts):
    conditions = parse_conditions(texts)
    remaining = remaining_columns(cohort, texts)
    assert len(remaining) == 9
    for whole, column in zip(describe_columns(cohort), remaining, strict=True):
        assert (whole.name, whole.kind) == (column.name, column.kind)
        others = [condition for condition in conditions if condition.column != column.name]
        counts = dict(column.counts)
        for value, _ in whole.counts:
            where = [*others, Condition(column.name, (value,))]
            assert counts.get(value, 0) == patients_who_meet(cohort, where), (column.name, value)
        without = [*others, Condition(column.name, missing=True)]
        assert column.missing == patients_who_meet(cohort, without)


def test_the_summary_of_a_restriction_tells_who_is_excluded_for_want_of_a_value(cohort):
    assert restriction_summary(cohort, ["grade!=3+", "old<92"]) == (
        "grade != 3+, old < 92; 2 excluded only because old is missing or not certain; "
        "5 excluded only because grade and old are missing or not certain"
    )
    assert restriction_summary(cohort, ["old>=60,missing"]) == "old >= 60 or old missing"
    assert restriction_summary(cohort, []) == ""


@pytest.mark.parametrize(
    ("where", "excluded"),
    [
        (["age>=60"], {"age": 3}),
        (["age>=60", "nihss<9"], {"age and nihss": 3}),
        (["age>=60", "nihss<9", "sex=F"], {"age, nihss and sex": 3}),
        # The last two are out for certain.
        (["age>=20", "nihss>=9", "sex=F"], {"age, nihss and sex": 3, "nihss": 1}),
    ],
)
def test_a_patient_without_several_values_is_counted_once(tmp_path, where, excluded):
    write_masks(tmp_path / "m", random_masks(6))
    rows = ["n/a\tn/a\tn/a"] * 3 + ["50\tn/a\tF", "70\t3\tM", "80\t4\tF"]
    lines = [f"sub-00{number}\t{row}" for number, row in enumerate(rows)]
    table = "\n".join(["participant_id\tage\tnihss\tsex", *lines])
    (tmp_path / "m" / "participants.tsv").write_text(table)
    told = restriction_summary(load_cohort(tmp_path / "m"), where).split("; ")[1:]
    pairs = [re.match("(.*) excluded only because (.*) (?:is|are) missing", one) for one in told]
    assert {pair[2]: int(pair[1]) for pair in pairs} == excluded


@given(
    bound=st.integers(-6, 6),
    sign=st.sampled_from([">", ">=", "≥", "<", "<=", "≤", "+"]),
    low=st.integers(-6, 6),
    width=st.integers(0, 6),
    form=st.sampled_from(["x>={}", "x>{}", "x<={}", "x<{}", "x={}..{}"]),
)
def test_certain_is_what_holds_for_every_number(bound, sign, low, width, form):
    """Quarters from -20 to 20 stand for all numbers: bounds are whole, so nothing lies between."""
    numbers = np.arange(-80, 81) / 4
    condition = parse_condition(form.format(low, low + width))
    compare = {">": np.greater, "<": np.less}.get(sign)
    if compare is None:
        compare = np.less_equal if sign in ("<=", "≤") else np.greater_equal
    met = {condition.is_met(str(number)) for number in numbers[compare(numbers, bound)]}
    cell = f"{bound}+" if sign == "+" else f"{sign} {bound}"
    certain = open_value(cell).lies_within(condition.low, condition.high, condition.strict)
    assert certain == (met.pop() if len(met) == 1 else None)
    assert condition.is_met(cell) == bool(certain)
    assert condition.is_certain(cell) == (certain is not None)


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


@pytest.mark.parametrize(
    "values", [["1", "2", "3", "4"], ["1", "1", "1", "2"], ["0", "5+", "3"]], ids=",".join
)
def test_the_even_cut_splits_as_evenly_as_any(values, tmp_path):
    (column,) = describe_columns(cohort_of(tmp_path, "x", values))
    numbers = [float(value.rstrip("+")) for value in values]
    unevenness = {
        cut: abs(sum(1 if number < cut else -1 for number in numbers)) for cut in set(numbers)
    }
    exact = {float(value) for value in values if "+" not in value} - {min(numbers)}
    assert column.even_cut in exact
    assert unevenness[column.even_cut] == min(unevenness[cut] for cut in exact)
