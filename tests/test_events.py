"""Conditions: which volume belongs to what, by a table of labels, of events, or by folders."""

from __future__ import annotations

import re
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phantoms import SHAPE, write_masks

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.events import (
    group_conditions,
    list_conditions,
    read_conditions,
    read_groups,
)
from lesion_dash.images.series import Series


def series_of(*runs: int, time: float = 2.0) -> Series:
    array = np.zeros((2, 2, 2, sum(runs)), np.int16)
    return Series("series", Grid((2, 2, 2), np.eye(4)), array, time, runs)


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def events(path, *rows):
    return write(path, "onset\tduration\ttrial_type", *("\t".join(map(str, r)) for r in rows))


@pytest.mark.parametrize("separator", ["\t", ",", ";", " "])
@pytest.mark.parametrize("column", ["labels", "Condition", "trial_type", "group"])
def test_labels_have_a_row_for_each_volume_of_all_runs(tmp_path, separator, column):
    labels = ["rest", "face", "face", "house", "rest", "n/a"]
    rows = [["run", column], *(["0", name] for name in labels)]
    path = write(tmp_path / "labels.txt", *map(separator.join, rows))
    conditions = read_conditions(path, series_of(4, 2))
    assert conditions.of_volume == (*labels[:-1], "")
    assert conditions.counts == {"face": 2, "house": 1, "rest": 2}
    assert conditions.rows("rest").tolist() == [0, 4]
    assert conditions.sources == (path,)
    assert list_conditions([path]) == ("face", "house", "rest")


def test_each_run_may_have_a_table_of_labels(tmp_path):
    first = write(tmp_path / "1.txt", "labels", "small face", '"big house"')
    second = write(tmp_path / "2.txt", "labels", "c")
    conditions = read_conditions([first, second], series_of(2, 1))
    assert conditions.of_volume == ("small face", "big house", "c")
    with pytest.raises(InputError, match=r"2\.txt: has 1 rows for 2 volumes"):
        read_conditions([second, first], series_of(2, 1))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["labels chunks", "face 0"], "has 1 rows for 2 volumes; give a row for each volume"),
        (["volume run", "1 1", "2 1"], "has no column of conditions, but volume, run"),
        (["labels chunks", "face 0", "house"], "line 3 has 1 columns, the header 2"),
        (["labels chunks", "face 0", "big house 0"], "line 3 has 3 columns, the header 2"),
        (["labels chunks"], "holds no row below its header"),
        (["labels\tchunks", "a" * 200_000 + "\t1"], "not a table"),
    ],
)
def test_a_table_of_labels_that_does_not_fit_is_refused(tmp_path, lines, problem):
    path = write(tmp_path / "labels.txt", *lines)
    with pytest.raises(InputError, match=f"labels.txt: .*{problem}"):
        read_conditions(path, series_of(2))


def test_a_volume_belongs_to_the_event_that_was_on_before_it(tmp_path):
    path = events(tmp_path / "a.tsv", (2.0, 4.0, "face"), (8.0, 2.0, "house"))
    conditions = read_conditions(path, series_of(10), delay_s=5.0)
    # Volumes begin at 0, 2, ... 18 s; faces count from 7 to 11 s, houses from 13 to 15 s.
    assert conditions.of_volume == ("", "", "", "", "face", "face", "", "house", "", "")
    assert conditions.notes == (
        "a volume belongs to the event that was on 5 s before it began (repetition time 2 s)",
    )
    at_once = read_conditions(path, series_of(10), delay_s=0.0)
    assert at_once.of_volume == ("", "face", "face", "", "house", "", "", "", "", "")
    haxbys = [(15.0, 22.5, "scissors"), (52.5, 22.5, "face"), (87.5, 22.5, "cat")]
    conditions = read_conditions(events(tmp_path / "b.tsv", *haxbys), series_of(121, time=2.5))
    assert conditions.counts == {"cat": 9, "face": 9, "scissors": 9}


@given(
    time=st.sampled_from([0.72, 1.1, 2.0, 2.2, 2.5]),
    blocks=st.integers(1, 12),
    length=st.integers(1, 9),
)
def test_blocks_that_touch_share_no_volume_and_lose_none(tmp_path_factory, time, blocks, length):
    path = tmp_path_factory.getbasetemp() / "blocks.tsv"
    duration = length * time
    rows = [(n * duration, duration, "ab"[n % 2]) for n in range(blocks)]
    series = series_of(blocks * length, time=time)
    conditions = read_conditions(events(path, *rows), series, delay_s=0.0)
    assert conditions.of_volume == tuple("ab"[n % 2] for n in range(blocks) for _ in range(length))


@pytest.mark.parametrize("order", [1, -1])
def test_a_volume_within_two_events_belongs_to_none_in_any_order_of_events(tmp_path, order):
    rows = [(0, 6, "a"), (4, 4, "b"), (10, 4, "a"), (12, 4, "a")]
    path = events(tmp_path / "a.tsv", *rows[::order])
    conditions = read_conditions(path, series_of(8), delay_s=0.0)
    assert conditions.of_volume == ("a", "a", "", "b", "", "a", "a", "a")
    assert "1 volumes within two events at once belong to none" in conditions.notes
    rows = [(0, 4, "a"), (2, 4, "a"), (5, 3, "b"), (9, 0, "a"), (10, 99, "b"), (-5, 6, "b")]
    path = events(tmp_path / "b.tsv", *rows[::order])
    conditions = read_conditions(path, series_of(12, time=1), delay_s=0)
    assert conditions.of_volume == ("", "a", "a", "a", "a", "", "b", "b", "", "", "b", "b")


def test_each_run_has_events_of_its_own(tmp_path):
    first = events(tmp_path / "1.tsv", (0, 4, "a"))
    second = events(tmp_path / "2.tsv", (2, 2, "b"), (0, 2, "n/a"))
    conditions = read_conditions([first, second], series_of(3, 2), delay_s=0.0)
    assert conditions.of_volume == ("a", "a", "", "", "b")
    with pytest.raises(InputError, match=r"1\.tsv: holds the events of one run, and there are 2"):
        read_conditions(first, series_of(3, 2))
    with pytest.raises(InputError, match="2 tables for 3 runs"):
        read_conditions([first, second], series_of(1, 1, 1))


def test_the_repetition_time_must_be_known_for_events(tmp_path):
    path = events(tmp_path / "a.tsv", (0, 4, "a"))
    unknown = series_of(3, time=float("nan"))
    with pytest.raises(InputError, match="the repetition time is unknown"):
        read_conditions(path, unknown)
    conditions = read_conditions(path, unknown, delay_s=0, repetition_time=2.0)
    assert conditions.of_volume == ("a", "a", "")


def test_a_contradicted_repetition_time_is_chosen_by_the_user(tmp_path):
    path = events(tmp_path / "a.tsv", (0, 4, "a"))
    series = replace(series_of(4, time=float("nan")), time_doubt="header 1 s, a.json 2 s")
    with pytest.raises(InputError, match=r"a\.tsv: .*header 1 s, a\.json 2 s; give the sec"):
        read_conditions(path, series)
    assert read_conditions(path, series, delay_s=0, repetition_time=2).of_volume[:2] == ("a", "a")
    with pytest.raises(InputError, match="repetition time is 0 s"):
        read_conditions(path, series, repetition_time=0)


@pytest.mark.parametrize(
    ("rows", "time", "told"),
    [
        ([(0, 4, "a"), (4, 4, "b")], 2.0, ""),
        ([(0, 2.16, "a")], 0.72, ""),  # three times 0.72, which is not a sum of binary numbers
        (
            [(0, 2, "a"), (2, 4.5, "b")],
            1.5,
            "1 of 2 events .* events end at 6.5 s",
        ),
        (
            [(0, 3, "a"), (8, 0, "b"), (9, 1, "b")],
            1.0,
            "2 of 3 .*10 s, the series at 4 s",
        ),
        (
            [(0, 4000, "a"), (4, 4000, "b")],
            2.0,
            "2 of 2 .* at 4004 s, the series at 8 s",
        ),
    ],
)
def test_events_that_end_after_the_series_are_told(tmp_path, rows, time, told):
    conditions = read_conditions(
        events(tmp_path / "a.tsv", *rows), series_of(3 if time == 0.72 else 4, time=time), delay_s=0
    )
    notes = [note for note in conditions.notes if "after the series" in note]
    assert len(notes) == bool(told)
    assert re.search(told, "".join(notes))


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([("x", 4, "a")], "line 2: onset and duration are not numbers: x 4 a"),
        ([(0, 4, "a"), (4,)], "line 3: onset and duration are not numbers: 4"),
        ([(0, -1, "a")], "line 2: onset 0 s, duration -1 s"),
        ([("nan", 1, "a")], "line 2: onset nan s, duration 1 s"),
        ([(0, 4, "n/a")], "holds no event with a trial_type"),
        ([(0, 0, "a")], "no volume lies within an event: 3 volumes of 2 s"),
        ([(5000, 4, "a")], "no volume lies within an event"),
    ],
)
def test_events_that_do_not_fit_are_refused(tmp_path, rows, problem):
    with pytest.raises(InputError, match=f"a.tsv: {problem}"):
        read_conditions(events(tmp_path / "a.tsv", *rows), series_of(3), delay_s=0.0)


def test_events_need_a_trial_type_a_delay_and_closed_quotes(tmp_path):
    path = write(tmp_path / "a.tsv", "onset\tduration", "0\t4")
    with pytest.raises(InputError, match="has no column trial_type, but onset, duration"):
        read_conditions(path, series_of(3))
    path = events(tmp_path / "b.tsv", (0, 4, '"face'), (4, 4, "house"))
    with pytest.raises(InputError, match="delay: is nan s"):
        read_conditions(path, series_of(4), delay_s=float("nan"))
    # A quote that is not closed takes no other row in.
    conditions = read_conditions(path, series_of(4), delay_s=0)
    assert conditions.of_volume == ("face", "face", "house", "house")


def test_a_condition_nobody_has_is_refused(tmp_path):
    conditions = group_conditions({"face": 2, "house": 1})
    for name in ("", "cat"):
        with pytest.raises(InputError, match=f"no volume has the condition {name!r}; .*face, hou"):
            conditions.rows(name)


def write_people(folder, numbers):
    arrays = np.random.default_rng(numbers.start).random((len(numbers), *SHAPE)) < 0.5
    return write_masks(folder, arrays, names=[f"sub-{number:02}_map.nii.gz" for number in numbers])


def test_two_folders_are_two_groups(tmp_path):
    a = write_people(tmp_path / "patients", range(3))
    b = write_people(tmp_path / "controls", range(10, 12))
    series, conditions = read_groups(a, b)
    assert conditions.of_volume == ("patients",) * 3 + ("controls",) * 2
    last = np.asarray(nib.load(b / "sub-11_map.nii.gz").dataobj)
    np.testing.assert_array_equal(series.array[..., 4], last)


@pytest.mark.parametrize("inner", ["maps", "func/maps"])
@pytest.mark.parametrize("name", [".", "../maps"])
def test_folders_are_called_by_as_many_names_as_it_takes(tmp_path, monkeypatch, inner, name):
    a, b = (write_people(tmp_path / place / inner, range(2)) for place in ("old", "young"))
    monkeypatch.chdir(a)
    assert read_groups(name, b)[1].counts == {f"old/{inner}": 2, f"young/{inner}": 2}
    with pytest.raises(InputError, match="2 images are in both groups, such as sub-00_map"):
        read_groups(name, a)
