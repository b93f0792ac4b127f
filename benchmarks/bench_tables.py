"""Processor time of text tables as large as they may be: it grows in proportion to their size.

A line a table goes to the terminal. The script fails where one at its limit takes more than 2 s, or
more than eight times as long as a quarter of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lesion_dash.atlas.tables import read_label_table
from lesion_dash.cohort.participants import read_participants_table
from lesion_dash.core.errors import InputError
from lesion_dash.files.reading import EVENTS, PARTICIPANTS, TABLE
from lesion_dash.images.events import list_conditions
from lesion_dash.regions.points import read_points

MOST_S, MOST_RATIO = 2.0, 8.0
SHORT_S = 0.02  # what takes less is not compared

Case = tuple[Callable[[Path], object], Callable[[float], str]]


def rows(count: int, share: float, row: Callable[[int], str]) -> str:
    """Rows up to a share of so many, the header's left free."""
    return "".join(map(row, range(int(share * count) - 9)))


def wide(columns: int, cells: int, share: float) -> str:
    """A table of numbers with a header of its own."""
    head = ["participant_id", *(f"c{number}" for number in range(columns - 1))]
    body = rows(cells // columns, share, lambda n: f"s{n}" + "\t7.5" * (columns - 1) + "\n")
    return "\t".join(head) + "\n" + body


def read_events(path: Path) -> object:
    return list_conditions([path])


CASES: dict[str, Case] = {
    "participants, 20 columns": (
        read_participants_table, lambda share: wide(20, PARTICIPANTS.cells, share)),
    "participants, 2,000 columns": (
        read_participants_table, lambda share: wide(2_000, PARTICIPANTS.cells, share)),
    "labels, CSV": (
        read_label_table,
        lambda share: "index,name\n" + rows(TABLE.rows, share, lambda n: f"{n},region {n}\n")),
    "labels, colours": (
        read_label_table, lambda share: rows(TABLE.rows, share, lambda n: f"{n} r{n} 1 2 3 0\n")),
    "labels, pipes": (
        read_label_table, lambda share: rows(TABLE.rows, share, lambda n: f"{n}|r{n}|{n}|{n}\n")),
    "labels, XML": (
        read_label_table,
        lambda share: "<a>" + rows(
            TABLE.rows, share, lambda n: f"<label index='{n}'>r{n}</label>") + "</a>"),
    "labels, small elements": (
        read_label_table, lambda share: "<a>" + "<a/>" * int(share * TABLE.cells - 9) + "</a>"),
    "labels, JSON": (
        read_label_table,
        lambda share: '{"0":"x"' + rows(TABLE.rows, share, lambda n: f',"{n}":"r{n}"') + "}"),
    "events": (
        read_events,
        lambda share: "onset\tduration\ttrial_type\n"
        + rows(EVENTS.rows, share, lambda n: f"{n}\t1\tface {n % 9}\n")),
    "points": (read_points, lambda share: rows(TABLE.rows, share, lambda n: f"{n % 90} 2 3\n")),
}  # fmt: skip


def seconds(read: Callable[[Path], object], path: Path, runs: int) -> float:
    """Of the processor, the shortest of some runs: what else the computer does counts little."""
    taken = []
    for _ in range(runs):
        began = time.process_time()
        try:
            read(path)
        except InputError as error:
            if "allowed" in str(error):
                raise
        taken.append(time.process_time() - began)
    return min(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="the shortest of these is shown (3)")
    runs, failed = parser.parse_args().runs, False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.tsv")
        for name, (read, content) in CASES.items():
            path.write_text(content(0.25))
            quarter = seconds(read, path, runs)
            path.write_text(content(1.0))
            whole = seconds(read, path, runs)
            ratio = whole / quarter
            is_slow = whole > MOST_S or (whole > SHORT_S and ratio > MOST_RATIO)
            failed |= is_slow
            size = path.stat().st_size / 1e6
            said = f"{whole:6.2f} s, {ratio:4.1f} times a quarter"
            print(f"{name:28} {size:5.1f} MB {said}{'  TOO SLOW' if is_slow else ''}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
