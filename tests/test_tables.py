"""CSV files."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest

from lesion_dash.tables import csv_bytes


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", '=HYPERLINK("http://x")'])
def test_formulas_are_defused(text):
    rows = list(csv.reader(io.StringIO(csv_bytes(pd.DataFrame({"name": [text]})).decode())))
    assert rows[1] == ["'" + text]


def test_numbers_quotes_and_gaps_come_back(tmp_path):
    table = pd.DataFrame({"name": ['a, "b"', "ü\udcff"], "x": [1.5, float("nan")], "n": [3, -4]})
    rows = list(csv.reader(io.StringIO(csv_bytes(table).decode())))
    assert rows == [["name", "x", "n"], ['a, "b"', "1.5", "3"], ["ü\\udcff", "", "-4"]]
