"""Tables as CSV files that a spreadsheet can open without harm."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_bytes(table: pd.DataFrame) -> bytes:
    r"""A table as UTF-8 CSV: decimal points, commas, an empty cell where a number is NaN.

    Text that a spreadsheet would run as a formula is given a leading apostrophe.

    Examples
    --------
    >>> import pandas as pd
    >>> csv_bytes(pd.DataFrame({"region": ["=1+1", "A8m_L"], "voxels": [3, 4]}))
    b"region,voxels\n'=1+1,3\nA8m_L,4\n"
    """
    return _delimited(table, ",", "")


def tsv_bytes(table: pd.DataFrame) -> bytes:
    r"""A table as BIDS asks for: tabs between the cells, ``n/a`` where a value is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> tsv_bytes(pd.DataFrame({"index": [1, 2], "peak_value": [4.5, float("nan")]}))
    b'index\tpeak_value\n1\t4.5\n2\tn/a\n'
    """
    return _delimited(table, "\t", "n/a")


def tsv_of_csv(content: bytes) -> bytes:
    r"""A table that `csv_bytes` or `csv_rows` wrote, as BIDS asks for: the same text in its cells.

    BIDS quotes no cell, so that tabs and line breaks within one are spaces.

    Examples
    --------
    >>> tsv_of_csv(b'region,mean\n"A, B",4.5\nC,\n')
    b'region\tmean\nA, B\t4.5\nC\tn/a\n'
    """
    rows = csv.reader(io.StringIO(content.decode(), newline=""))
    lines = ("\t".join(re.sub(r"[\t\r\n]+", " ", cell) or "n/a" for cell in row) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def csv_rows(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    r"""Rows as `csv_bytes` has them; a cell is empty where a value is None.

    Examples
    --------
    >>> csv_rows(["region", "voxels"], [["=1+1", 3], ["A8m_L", None]])
    b"region,voxels\n'=1+1,3\nA8m_L,\n"
    """
    return _written(columns, rows, ",", "")


def _delimited(table: pd.DataFrame, separator: str, missing: str) -> bytes:
    known = table.astype(object).where(table.notna(), None)
    rows = known.itertuples(index=False, name=None)
    return _written(table.columns, rows, separator, missing)


def _written(
    columns: Iterable[str], rows: Iterable[Iterable[object]], separator: str, missing: str
) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow([_cell(name) for name in columns])
    for row in rows:
        cells = [_cell(value) for value in row]
        writer.writerow([missing if cell == "" else cell for cell in cells])
    # A file name may hold bytes that are not UTF-8; they are shown, not lost.
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: object) -> object:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.12g}"
    return value
