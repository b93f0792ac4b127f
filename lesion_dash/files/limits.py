"""How large the text tables may be that are read, so that none of them stops a page for long."""

from __future__ import annotations

from typing import NamedTuple

_LINE_ENDS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # of `str.splitlines`, beside \n and \r


class TableLimits(NamedTuple):
    """The largest table of a kind.

    Parameters
    ----------
    bytes, rows, columns, cells : int
    """

    bytes: int
    rows: int
    columns: int
    cells: int

    def fault(self, rows: int = 0, columns: int = 0, cells: int = 0) -> str:
        """What is too large about a table, empty where nothing is.

        Examples
        --------
        >>> TABLE.fault(rows=400), TABLE.fault(rows=400_000)
        ('', 'has 400,000 rows, 30,000 are allowed')
        """
        counts = zip(("rows", "columns", "cells"), (rows, columns, cells), self[1:], strict=True)
        found = (f"has {n:,} {what}, {most:,} are allowed" for what, n, most in counts if n > most)
        return next(found, "")

    def fault_of(self, text: str, separators: str) -> str:
        """The same of a text that is not taken apart yet: its lines, and what parts its cells.

        Examples
        --------
        >>> TABLE.fault_of("a,b" * 2_000_000, ",;")
        'has 2,000,001 cells, 600,000 are allowed'
        """
        ends = max(text.count("\n"), text.count("\r")) + sum(map(text.count, _LINE_ENDS))
        # A cell more than there are separators in each line.
        return self.fault(rows=ends) or self.fault(cells=sum(map(text.count, separators)) + 1)


TABLE = TableLimits(bytes=2**22, rows=30_000, columns=2_000, cells=600_000)
"""Of regions, points, units and numbers: the largest label tables have some 15,000 rows."""

EVENTS = TABLE._replace(bytes=2**24, rows=100_000, cells=1_000_000)
"""Of what was shown when: a run has thousands of events at most, with long names of files."""

PARTICIPANTS = TableLimits(bytes=2**26, rows=120_000, columns=2_000, cells=2_000_000)
"""Of patients: 100,000 with 20 columns, or 1,000 with 2,000."""

SMALLER = "leave out empty rows, and rows and columns that are not needed"
"""What to do about a table that is too large."""
