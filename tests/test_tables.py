"""CSV files."""

from __future__ import annotations

import csv
import io
import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesion_dash.core.file_names import own_names
from lesion_dash.core.tables import csv_bytes


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", '=HYPERLINK("http://x")'])
def test_formulas_are_defused(text):
    rows = list(csv.reader(io.StringIO(csv_bytes(pd.DataFrame({"name": [text]})).decode())))
    assert rows[1] == ["'" + text]


def test_numbers_quotes_and_gaps_come_back(tmp_path):
    table = pd.DataFrame({"name": ['a, "b"', "ü\udcff"], "x": [1.5, float("nan")], "n": [3, -4]})
    rows = list(csv.reader(io.StringIO(csv_bytes(table).decode())))
    assert rows == [["name", "x", "n"], ['a, "b"', "1.5", "3"], ["ü\\udcff", "", "-4"]]


OWNERS = st.sampled_from(["a", "A", "a_2", "a 2", "ü", "../x", "x" * 300, ""]) | st.text()


@settings(max_examples=50)
@given(st.lists(OWNERS, min_size=2, max_size=8))
def test_names_of_several_files_are_plain_and_never_the_same(owners):
    names = own_names("load.csv", owners)
    assert len(names) == len(owners)
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert re.fullmatch(r"load_[A-Za-z0-9_-]*\.csv", name)
        assert len(name) < 100


@given(OWNERS)
def test_one_file_keeps_its_name(owner):
    assert own_names("load.csv", [owner]) == ["load.csv"]
