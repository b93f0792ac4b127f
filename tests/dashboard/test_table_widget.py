"""Tables: what is sent to the browser, and choices of rows that have been replaced."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from visitor import click_row, send

from lesion_dash.core.formats import COUNT, PERCENT, VOLUME
from lesion_dash.dashboard.page_messages import permitted
from lesion_dash.dashboard.widgets.table import Column, Table

PATIENT = Column("patient", "Patient")
COLUMNS = (PATIENT, Column("mm3", "Volume (mL)", VOLUME, 0.001), Column("n", "Voxels", COUNT))


def rows(*patients: str) -> pd.DataFrame:
    numbers = range(len(patients))
    return pd.DataFrame({"patient": patients, "mm3": [500.0 * n for n in numbers], "n": numbers})


@pytest.fixture
def chosen() -> list[int | None]:
    return []


@pytest.fixture
def table(chosen: list[int | None]) -> Table:
    """A table whose rows have been replaced once."""
    table = Table("Patients", "patients", chosen.append, on_none=lambda: chosen.append(None))
    table.show(rows("ann", "bob", "cid"), COLUMNS)
    table.show(rows("ann", "cid", "dan"), COLUMNS)
    return table


def test_a_choice_of_a_row_that_was_replaced_is_none(
    table: Table, chosen: list[int | None]
) -> None:
    old = table.content["edition"] - 1
    table.mark(0)
    send(table, {"edition": old, "row": 1})  # bob, who is gone: cid stands there now
    send(table, {"edition": old, "row": None})
    assert (chosen, table.selected) == ([], 0)
    click_row(table, 1)
    assert (chosen, table.selected) == ([1], 1)
    click_row(table, None)
    assert (chosen, table.selected) == ([1, None], None)


def test_the_highlight_goes_with_its_rows(table: Table, chosen: list[int | None]) -> None:
    click_row(table, 1)
    table.show(rows("ann", "cid", "dan"), COLUMNS, selected=1)
    before = table.content["edition"]
    assert table.selected == 1  # the same rows once more
    table.show(rows("cid"), COLUMNS)
    assert (table.selected, table.content["edition"]) == (None, before + 1)
    table.show(rows("ann", "cid"), COLUMNS, selected=1)
    assert (table.selected, chosen) == (1, [1])


@pytest.mark.parametrize("row", [-1, 3, True, 1.0, "1", [1], {}, math.nan])
def test_no_row_but_those_shown_can_be_chosen(
    table: Table, chosen: list[int | None], row: Any
) -> None:
    send(table, {"edition": table.content["edition"], "row": row})
    for message in (None, [], "row", {"row": 1}, {"edition": "1", "row": 1}):
        send(table, message)
    assert (chosen, table.selected) == ([], None)


def test_a_page_sets_nothing_of_a_table(table: Table) -> None:
    state = {"content": {}, "options": {}, "selected": 1, "_esm": "alert(1)"}
    passed, dropped = permitted(Table, {"method": "update", "state": state})
    assert passed is None
    assert set(dropped) == set(state)


def test_a_table_nobody_listens_to_chooses_nothing() -> None:
    table = Table("File check", "report")
    table.show(rows("ann"), COLUMNS)
    click_row(table, 0)
    assert table.selected is None


def test_numbers_are_sent_as_numbers_and_gaps_as_none() -> None:
    table = Table("Patients", "patients")
    frame = pd.DataFrame(
        {
            "patient": ["ann", None, "a\nb\u202e\udcff"],
            "mm3": [1500.0, math.nan, 32.0],
            "n": pd.Series([3, None, 12345], dtype="Int64"),
        }
    )
    table.show(frame, COLUMNS)
    patients, volumes, voxels = (column["cells"] for column in table.content["columns"])
    assert patients == ["ann", None, "a\\nb\\u202e\\udcff"]
    assert volumes == pytest.approx([1.5, None, 0.032])
    assert voxels == [3, None, 12345]
    assert json.loads(json.dumps(table.content, allow_nan=False)) == table.content


VALUES = st.none() | st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(st.text(max_size=8), VALUES), max_size=6))
def test_every_row_is_sent(cells: list[tuple[str, float | None]]) -> None:
    frame = pd.DataFrame(cells, columns=["name", "value"], dtype=object)
    table = Table("Values", "values")
    table.show(frame, (Column("name", "Name"), Column("value", "Share", PERCENT, 100)))
    names, values = (column["cells"] for column in table.content["columns"])
    assert len(names) == len(values) == table.content["count"] == len(cells)
    expected = [None if value is None else 100 * value for _, value in cells]
    assert values == pytest.approx(expected)
    json.dumps(table.content).encode()
