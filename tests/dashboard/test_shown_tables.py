"""Tables: what is sent to the browser, and clicks into rows that have been replaced."""

from __future__ import annotations

import asyncio

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesion_dash.dashboard.scripts import _CHANGES, table_script
from lesion_dash.dashboard.steady_table import SteadyTable
from lesion_dash.dashboard.tables import Table, without_gaps


def test_no_table_needs_a_function_for_a_column() -> None:
    table = Table("numbers")
    table.show(pd.DataFrame({"volume": [7.0, 0.032], "age": ["89+", "64.0"]}))
    assert "columnDefs" not in table._table._dt_args
    assert without_gaps(table.frame)["volume"].tolist() == ["7.000", "0.032"]


def test_missing_values_are_empty_cells() -> None:
    frame = pd.DataFrame({"age": [64.0, None], "share": [0.25, None], "sex": ["f", None]})
    assert without_gaps(frame).to_numpy().tolist() == [[64, "0.25", "f"], ["", "", ""]]


def test_the_script_of_tables_is_found_and_changed() -> None:
    """A release of itables that is written otherwise is to be looked at."""
    assert all(change in table_script() for change in _CHANGES.values())
    assert "function m(){u||(" not in table_script()


@pytest.fixture
def clicked() -> list[int]:
    return []


@pytest.fixture
def table(clicked: list[int]) -> Table:
    """A table whose rows have been replaced once."""
    table = Table("patients", clicked.append)
    table.show(pd.DataFrame({"patient": ["ann", "bob", "cid"]}))
    table.show(pd.DataFrame({"patient": ["ann", "cid", "dan"]}))
    return table


def select(table: Table, rows: list[int], edition: int | None) -> None:
    """What the browser sends when a row is clicked, or clicked again."""
    table._table.set_state({"selected_rows": rows, "clicked_in": edition})


def test_a_click_into_rows_that_were_replaced_is_no_click(table: Table, clicked: list[int]) -> None:
    table.mark(0)
    select(table, [1], edition=0)  # bob, who is gone: cid stands there now
    assert (clicked, table._table.selected_rows) == ([], [0])
    select(table, [], edition=0)
    assert (clicked, table._table.selected_rows) == ([], [0])


def test_a_click_into_the_rows_of_now_is_told(table: Table, clicked: list[int]) -> None:
    select(table, [1], edition=1)
    assert (clicked, table._table.selected_rows) == ([1], [1])
    table.show(pd.DataFrame({"patient": ["cid"]}))
    assert table._table.selected_rows == []
    select(table, [0], edition=2)
    assert clicked == [1, 0]


def test_clicks_are_told_where_the_script_could_not_be_changed(
    table: Table, clicked: list[int]
) -> None:
    select(table, [2], edition=None)
    assert clicked == [2]


VALUES = [st.integers(-(10**9), 10**9), st.floats(-1e6, 1e6), st.text(max_size=40)]
ROWS = st.sampled_from(VALUES).flatmap(
    lambda values: st.lists(
        st.tuples(st.text(max_size=8), st.integers(0, 99), st.none() | values),
        min_size=1,
        max_size=6,
    )
)


@given(ROWS)
def test_rows_are_sent_as_itables_sends_them(rows: list[tuple[str, int, object]]) -> None:
    columns = ["region", "voxels", "value"]
    frame = without_gaps(pd.DataFrame(rows, columns=columns))
    replaced, whole = (SteadyTable(frame.iloc[:1], selected_rows=[]) for _ in range(2))
    replaced.replace_rows(frame)
    whole.update(frame, selected_rows=[])
    assert replaced._dt_args == whole._dt_args


def test_what_is_chosen_after_a_row_was_taken_back_stays() -> None:
    """A link comes in the moment in which the table waits for a click on another row."""
    left: list[str] = []

    async def take_back_and_choose() -> None:
        passed = asyncio.Event()
        table = Table("patients", lambda _row: None, on_none=lambda: left.append("first"))
        later = Table("clock", lambda _row: None, on_none=passed.set)
        for one in (table, later):
            one.show(pd.DataFrame({"patient": ["ann", "bob"]}))
            select(one, [0], edition=0)
            select(one, [], edition=0)
        table.mark(None)  # what the link asks for has no row here
        await passed.wait()

    asyncio.run(asyncio.wait_for(take_back_and_choose(), 60))
    assert left == []


def test_a_row_that_is_taken_back_is_told_before_it_is_replaced() -> None:
    left: list[str] = []

    async def take_back_and_replace() -> None:
        table = Table("patients", lambda _row: None, on_none=lambda: left.append("first"))
        table.show(pd.DataFrame({"patient": ["ann", "bob"]}))
        select(table, [0], edition=0)
        select(table, [], edition=0)
        assert left == []
        table.show(pd.DataFrame({"patient": ["cid"]}))
        assert left == ["first"]

    asyncio.run(asyncio.wait_for(take_back_and_replace(), 60))
