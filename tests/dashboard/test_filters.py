"""The filter under a folder, and the split: what the page asks, and what it is shown."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from traitlets import TraitError
from visitor import choose, new_context, send

from lesion_dash.cohort.columns import Column, describe_columns
from lesion_dash.cohort.conditions import (
    Condition,
    parse_condition,
    parse_conditions,
    restrict_cohort,
)
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.pages.choices import ChoicesPanel
from lesion_dash.dashboard.pages.filter_row import condition_of, row_of, shown_column
from lesion_dash.dashboard.pages.filters import FilterPanel
from lesion_dash.dashboard.pages.split import Split
from lesion_dash.stats.overlap import overlap
from lesion_dash.stats.topography import volume_stats

SEX = Column("sex", "category", (("F", 20), ("M", 19)), 1)
AGE = Column("age", "number", tuple((str(n), 1) for n in range(40, 80)), 3, 40, 79, "years")
MRS = Column("mrs", "number", (("0", 3), ("1", 4), ("6", 1)), 0, 0.0, 6.0)
SITE = Column("site", "category", tuple((f"s{n:03}", 1) for n in range(300)), 0)
COLUMNS = (SEX, AGE, MRS, SITE)

WOMEN = {"column": "sex", "form": "list", "values": ["F"], "missing": False}
OLD = {"column": "age", "form": "range", "low": 60, "high": None, "missing": False}
Panels = tuple[FilterPanel, FilterPanel]
UNSET = {"column": "nihss", "form": "range", "low": None, "high": None, "missing": True}


@pytest.fixture
def panels(context: AppContext) -> Panels:
    """The filters of A and B, with cohort_a as A."""
    split = Split(context)
    with pytest.raises(InputError, match="is not read yet; split it when its map is shown"):
        split.make(Condition("sex", ("F",)), Condition("sex", ("M",)))
    panels = FilterPanel(context, "a", split), FilterPanel(context, "b", split)
    choose(context, folder_a="cohort_a")
    return panels


def ask(panel: FilterPanel, **content: Any) -> None:
    send(panel.widget, content)


@pytest.mark.parametrize(
    "text",
    [
        *("sex=F", "sex=F,missing", "sex=missing", "age>=60", "age<=60", "age=50..60,missing"),
        *("age=55", "age<60", "age=missing", "age=41,45", "mrs=0,1", "site=s003", "other>=3"),
    ],
)
def test_a_condition_survives_its_controls(text: str) -> None:
    condition = parse_condition(text)
    again = condition_of(row_of(condition, COLUMNS))
    values = ["", *(value for value, _ in (*SEX.counts, *AGE.counts, *SITE.counts))]
    assert [again.is_met(v) for v in values] == [condition.is_met(v) for v in values]
    assert again.column == condition.column


def test_what_is_left_out_is_shown_as_what_is_kept() -> None:
    assert row_of(parse_condition("sex!=F"), COLUMNS)["values"] == ["M"]
    assert row_of(parse_condition("sex!=missing"), COLUMNS)["values"] == ["F", "M"]
    assert row_of(parse_condition("age!=missing"), COLUMNS)["words"] == "age not missing"
    for row in (UNSET, WOMEN | {"values": []}, OLD | {"low": ""}):
        assert condition_of(row) is None  # where nothing is chosen


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(55, 55, "age=55"), (0.5, 0.5, "age=0.5"), (40, 60, "age=40..60"), (None, 60, "age<=60")],
)
def test_the_same_number_twice_asks_for_that_number(
    low: float | None, high: float, text: str
) -> None:
    condition = condition_of(OLD | {"low": low, "high": high})
    assert str(condition) == text
    assert condition == parse_condition(text)
    assert condition_of(row_of(condition, COLUMNS)) == condition


def test_columns_say_kind_range_and_gaps() -> None:
    sex, age, mrs, site = map(shown_column, COLUMNS)
    assert (sex["caption"], sex["form"]) == ("sex · 2 values, 1 missing", "list")
    assert age["caption"] == "age (years) · 40–79, 3 missing"
    assert (age["form"], age["cut"]) == ("range", 60)
    assert (mrs["caption"], mrs["form"], mrs["whole"]) == ("mrs · 0–6", "list", True)
    assert (len(site["values"]), site["more"]) == (200, 100)
    assert shown_column(Column("empty", "category", (), 5))["caption"] == "empty · no values"


def test_a_filter_is_told_in_words(context: AppContext, panels: Panels) -> None:
    a, b = panels
    assert (a.widget.count, a.widget.why) == ("All 40 patients", "")
    assert b.widget.count == "No folder yet"
    assert not b.widget.is_ready
    ask(a, do="ask", rows=[WOMEN, OLD, UNSET])
    assert context.choices.where_a == ("sex=F", "age>=60")
    assert context.choices.where_b == ()
    assert a.widget.count == "12 of 40 patients"
    assert a.widget.why == "age >= 60, sex = F; 1 excluded only because age is missing"
    ask(a, do="ask", rows=[])
    assert (context.choices.where_a, a.widget.count) == ((), "All 40 patients")


def test_counts_are_of_those_whom_the_other_conditions_leave(
    context: AppContext, panels: Panels
) -> None:
    a, b = panels
    assert a.widget.left["sex"] == {"values": {"F": 16, "M": 24}, "missing": 0}
    assert b.widget.left == {}
    ask(a, do="ask", rows=[WOMEN, OLD])
    whole = context.session.load("cohort_a")
    for sex in "FM":
        part = restrict_cohort(whole, ["age>=60", f"sex={sex}"])
        assert a.widget.left["sex"]["values"][sex] == part.n_patients
    part = restrict_cohort(whole, ["sex=F", "age=missing"])
    assert a.widget.left["age"]["missing"] == part.n_patients
    # What is split is those who are shown.
    parts = {column["name"]: column for column in a.widget.parts}
    assert parts["sex"]["values"] == [{"value": "F", "count": 12}]
    assert float(parts["age"]["ends"][0]) >= 60
    ask(a, do="ask", rows=[])
    assert a.widget.left["sex"]["values"] == {"F": 16, "M": 24}
    context.choices.folder_a = ""
    assert (a.widget.left, a.widget.parts) == ({}, [])


def test_conditions_from_elsewhere_are_shown(context: AppContext, panels: Panels) -> None:
    widget = panels[0].widget
    turn = widget.rows["turn"]
    ask(panels[0], do="ask", rows=[WOMEN, UNSET])
    assert widget.rows["turn"] == turn  # they would be drawn anew under the fingers otherwise
    context.choices.where_a = ("age>=60", "sex=F")
    assert widget.rows["rows"][1] == WOMEN
    assert [column["name"] for column in widget.columns] == [
        "cohort",
        "sex",
        "age",
        "nihss",
        "naming",
        "stroke",
        "place",
    ]
    # Conditions do not wait for an atlas.
    context.loading.start("atlas of many maps")
    ask(panels[0], do="ask", rows=[WOMEN])
    assert widget.count == "16 of 40 patients"


def test_what_nobody_meets_is_taken_back_in_the_editor(context: AppContext, panels: Panels) -> None:
    a, _ = panels
    ask(a, do="ask", rows=[OLD])
    ask(a, do="ask", rows=[OLD | {"low": 200}])
    assert "age" in context.banner.message
    assert context.choices.where_a == ("age>=60",)
    assert a.widget.rows["rows"] == [OLD]
    old = restrict_cohort(context.session.load("cohort_a"), ["age>=60"])
    assert a.widget.count == f"{old.n_patients} of 40 patients"


@pytest.mark.parametrize(
    "content",
    [
        *({"do": "ask", **rows} for rows in ({}, {"rows": [{}]}, {"rows": 3})),
        {"do": "ask", "rows": [WOMEN | {"form": "fixed"}]},
        *({"do": "split", "column": "sex"}, {"do": "open"}, {}),
    ],
)
def test_what_no_page_of_ours_sends_changes_nothing(
    context: AppContext, panels: Panels, content: dict[str, Any]
) -> None:
    ask(panels[0], **content)
    choices = context.choices
    assert (choices.where_a, choices.where_b, choices.folder_b) == ((), (), "")


def test_a_split_makes_two_cohorts_and_is_undone(context: AppContext, panels: Panels) -> None:
    a, b = panels
    choices = context.choices
    choices.map_key = "mean"
    ask(a, do="ask", rows=[WOMEN])
    ask(a, do="split", column="age", cut="67")
    assert choices.folder_b == "cohort_a"
    assert (choices.where_a, choices.where_b) == (("sex=F", "age<67"), ("sex=F", "age>=67"))
    assert (choices.map_key, a.widget.is_split, b.widget.is_split) == ("overlap", True, False)
    parts = [context.session.load(getattr(choices, f"cohort_{side}")).n_patients for side in "ab"]
    assert [panel.widget.count for panel in panels] == [f"{n} of 40 patients" for n in parts]
    women = load_cohort(context.session.root.path / "cohort_a", where=[Condition("sex", ("F",))])
    ages = next(column for column in describe_columns(women) if column.name == "age")
    assert sum(parts) == sum(number for _, number in ages.counts)
    ask(a, do="split", column="sex", a="F", b="M")
    assert "sex = M" in context.banner.message
    assert choices.where_b == ("sex=F", "age>=67")
    ask(a, do="join")
    assert (choices.folder_b, choices.where_a, choices.where_b) == ("", ("sex=F",), ())
    assert (choices.map_key, a.widget.is_split) == ("mean", False)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"column": "age", "cut": ""}, "is not a number"),
        ({"column": "age", "cut": 200}, "age &gt;= 200"),
        ({"column": "sex", "a": "F", "b": "F"}, "sex = F is asked of A and of B"),
        ({"column": "none", "a": "F", "b": "M"}, "no column"),
    ],
)
def test_a_split_that_cannot_be_is_refused(
    context: AppContext, panels: Panels, content: dict, match: str
) -> None:
    ask(panels[0], do="split", **content)
    assert match in context.banner.message
    choices = context.choices
    assert (choices.where_a, choices.folder_b, choices.cohort_b) == ((), "", "")


def test_b_can_be_filtered_as_a_is(context: AppContext, panels: Panels) -> None:
    a, b = panels
    choose(context, folder_b="cohort_b")
    assert (a.widget.of_other, b.widget.of_other) == ("", "")
    ask(a, do="ask", rows=[WOMEN, OLD])
    assert (a.widget.of_other, b.widget.of_other) == ("", "sex = F, age >= 60")
    ask(a, do="same")
    assert context.choices.where_b == ()
    ask(b, do="same")
    whole = context.session.load("cohort_b")
    part = restrict_cohort(whole, ["sex=F", "age>=60"])
    assert context.choices.where_b == ("sex=F", "age>=60")
    assert b.widget.count == f"{part.n_patients} of {whole.n_patients} patients"
    assert (b.widget.rows["rows"], b.widget.of_other) == ([WOMEN, OLD], "")
    ask(b, do="ask", rows=[])
    assert b.widget.of_other
    choose(context, folder_b="cohort_a")
    assert b.widget.of_other == ""


@pytest.mark.parametrize("table", ["sex\nsub-b01\tF", "age\nsub-b01\told"])
def test_b_is_not_offered_what_its_table_cannot_answer(
    tmp_path: Path, sample_data: Path, table: str
) -> None:
    for name in ("a", "b"):
        shutil.copytree(sample_data / f"cohort_{name}", tmp_path / name)
    shutil.copyfile(sample_data / "participants.tsv", tmp_path / "a" / "participants.tsv")
    (tmp_path / "b" / "participants.tsv").write_text(f"participant_id\t{table}\n")
    context = new_context(tmp_path)
    panel = FilterPanel(context, "b", Split(context))
    choose(context, folder_a="a", folder_b="b")
    context.choices.where_a = ("age>=60",)
    assert panel.widget.of_other == ""
    ask(panel, do="same")
    assert context.choices.where_b == ()


def test_a_split_belongs_to_its_folder(context: AppContext, panels: Panels) -> None:
    ask(panels[0], do="split", column="sex", a="F", b="M")
    choose(context, folder_b="cohort_b")
    assert not panels[0].widget.is_split
    ask(panels[0], do="join")
    assert context.choices.folder_b == "cohort_b"


def test_without_a_table_the_editor_says_what_to_do(tmp_path: Path, sample_data: Path) -> None:
    shutil.copytree(sample_data / "cohort_a", tmp_path / "masks")
    context = new_context(tmp_path)
    panel = FilterPanel(context, "a", Split(context))
    choose(context, folder_a="masks")
    assert "Put participants.tsv beside the masks" in panel.widget.advice
    assert (panel.widget.columns, panel.widget.count) == ([], "All 40 patients")


def test_a_lowered_threshold_rises_again_with_the_cohort(context: AppContext) -> None:
    choices, panel = context.choices, ChoicesPanel(context)
    choose(context, folder_a="cohort_a", min_patients=9)
    choices.min_patients = 9
    choices.where_a = ("age<50",)
    assert choices.min_patients == choices.most_patients < 9
    assert "lowered from 9" in panel.bound.value
    assert "A: 3 of 40 patients." in panel.reading.text.value
    choices.where_a = ()
    assert (choices.min_patients, choices.lowered_from) == (9, 0)
    choices.where_a = ("age<50",)
    choices.min_patients = 1  # one that was touched stays
    choices.where_a = ()
    assert (choices.min_patients, choices.lowered_from) == (1, 0)


def test_maps_are_those_of_the_subgroup(
    context: AppContext, panels: Panels, sample_data: Path
) -> None:
    where = ("sex=F", "age>=60")
    choose(context, map_key="mean", where_a=where)
    alone = load_cohort(sample_data / "cohort_a", where=parse_conditions(where))
    expected = volume_stats(alone, context.choices.min_patients)
    stats = context.session.stats(context.choices.selection)
    np.testing.assert_array_equal(stats.indices, expected.indices)
    for key in ("n", "mean", "std", "median"):
        np.testing.assert_array_equal(stats.values[key], expected.values[key])
    assert context.choices.most_patients == alone.counts.max()
    context.choices.where_a = ("no_such_column=1",)  # cannot be asked
    assert "no_such_column" in context.banner.message
    with pytest.raises(TraitError, match="sex"):
        context.choices.where_a = ("sex",)
    assert context.choices.where_a == where


def test_one_folder_is_split_into_a_and_b(context: AppContext) -> None:
    women, men = ("sex=F",), ("sex=M",)
    choose(context, where_a=women, where_b=men, folder_a="cohort_a", folder_b="cohort_a")
    whole, k = context.session.load("cohort_a"), context.choices.min_patients
    parts = [restrict_cohort(whole, where).at_least(k) for where in (women, men)]
    shown = context.session.overlap(context.choices.selection)
    np.testing.assert_array_equal(shown.both.indices, overlap(*parts).both.indices)
    assert context.choices.cohort_a != context.choices.cohort_b
