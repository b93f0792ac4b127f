"""Conditions: what was shown, or to whom, in each volume of a series."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from ..core.defaults import DELAY_S
from ..core.errors import InputError
from ..core.notes import InfoNote
from ..files.paths import AnyPath, PathInput, as_path
from ..files.reading import EVENTS, SMALLER, read_text
from .series import Series, as_paths, images_of, read_series

NONE = ""
"""The condition of a volume that belongs to none."""

_LABEL_COLUMNS = ("labels", "label", "condition", "conditions", "trial_type", "group")
_EVENT_COLUMNS = ("onset", "duration", "trial_type")
_ROUNDING_S = 1e-6  # arbitrary: far above that of sums of repetition times


class UnknownTime(InputError):
    """The repetition time of a series is needed, and is not known or contradicted."""


@dataclass(frozen=True)
class Conditions:
    """The condition of each volume.

    Parameters
    ----------
    of_volume : tuple of str
        In the order of the volumes; empty for a volume that belongs to none.
    notes : tuple of str
        How the conditions were determined, and what was unusual.
    sources : tuple of Path or UrlPath

    Examples
    --------
    >>> conditions = Conditions(("face", "face", "", "house"))
    >>> conditions.counts, conditions.rows("face").tolist()
    ({'face': 2, 'house': 1}, [0, 1])
    """

    of_volume: tuple[str, ...]
    notes: tuple[str, ...] = ()
    sources: tuple[AnyPath, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of volumes of each condition, in the order of the names."""
        counts = Counter(name for name in self.of_volume if name != NONE)
        return dict(sorted(counts.items()))

    def rows(self, condition: str) -> NDArray[np.int64]:
        """Positions of a condition's volumes.

        Raises
        ------
        InputError
            Where no volume has it.
        """
        rows = np.flatnonzero(np.array(self.of_volume) == condition)
        if condition == NONE or not rows.size:
            problem = f"no volume has the condition {condition!r}"
            remedy = f"choose one of {', '.join(self.counts)}"
            raise InputError("conditions", problem, remedy, self.notes)
        return rows


def read_conditions(
    tables: PathInput | Sequence[PathInput],
    series: Series,
    *,
    delay_s: float = DELAY_S,
    repetition_time: float | None = None,
) -> Conditions:
    """Read which condition each volume of a series belongs to.

    Parameters
    ----------
    tables : path, URL, or several of them
        One table for the whole series, or one a run. Either a row per volume, with a column such as
        ``labels`` (Haxby's ``labels.txt``), or BIDS ``events.tsv`` with ``onset`` and ``duration``
        in seconds and ``trial_type``.
    series : Series
    delay_s : float
        For events: a volume belongs to the event that was on so many seconds before the volume
        began. The haemodynamic response peaks about 5 s after its cause.
    repetition_time : float, optional
        For events: seconds from one volume to the next, where the images do not say, or header
        and JSON file contradict each other.

    Returns
    -------
    Conditions
        A volume within two events of different names belongs to none.

    Raises
    ------
    InputError
        Where a table cannot be read, has another number of rows than there are volumes, or the
        repetition time is not known.

    Notes
    -----
    Volume t of a run begins ``t * repetition_time`` seconds after the run, and belongs to an event
    where ``onset + delay <= t * repetition_time < onset + delay + duration``. This is a block
    average, no model of the response: the responses to short events that follow each other
    closely overlap, and an event without a duration holds no volume.

    Examples
    --------
    >>> from lesion_dash import read_series
    >>> run = "sample_data/series/sub-01_task-pictures_run-1"
    >>> series = read_series(f"{run}_bold.nii.gz")
    >>> read_conditions(f"{run}_events.tsv", series).counts
    {'face': 16, 'house': 16}
    """
    paths = as_paths(tables)
    read = [_rows(path) for path in paths]
    lengths = _lengths(paths, read, series)
    time = series.repetition_time if repetition_time is None else repetition_time
    names: list[str] = []
    notes: list[str] = []
    for path, rows, volumes in zip(paths, read, lengths, strict=True):
        if _is_events(rows):
            if not (isfinite(time) and time > 0):
                raise UnknownTime(path, *_unknown_time(series, repetition_time))
            names += _of_events(path, rows, volumes, delay_s, time, notes)
        else:
            names += _of_labels(path, rows, volumes)
    return Conditions(tuple(names), tuple(dict.fromkeys(notes)), tuple(paths))


def list_conditions(tables: Sequence[PathInput]) -> tuple[str, ...]:
    """The conditions that tables name, sorted, without reading any image.

    Raises
    ------
    InputError
        Where a table cannot be read, or is neither of labels nor of events.

    Examples
    --------
    >>> list_conditions(["sample_data/series/sub-01_task-pictures_run-1_events.tsv"])
    ('face', 'house')
    """
    names: set[str] = set()
    for path in map(as_path, tables):
        rows = _rows(path)
        if _is_events(rows):
            names.update(name for _, _, name in _events(path, rows))
        else:
            names.update(_of_labels(path, rows, len(rows) - 1))
    return tuple(sorted(names - {NONE}))


def read_groups(a: PathInput, b: PathInput) -> tuple[Series, Conditions]:
    """Read two folders of 3D images, one a person, as a series with the groups as conditions.

    Parameters
    ----------
    a, b : path or URL
        Folders of images on one grid; each group has the name of its folder.

    Returns
    -------
    series : Series
        A volume per image, those of `a` first.
    conditions : Conditions
        The group of each volume.

    Raises
    ------
    InputError
        Where a folder holds no image, both are one, or an image cannot be used.

    Examples
    --------
    >>> series, groups = read_groups("sample_data/cohort_a", "sample_data/cohort_b")
    >>> series.array.shape, groups.counts
    ((91, 109, 91, 80), {'cohort_a': 40, 'cohort_b': 40})
    """
    folders = as_path(a), as_path(b)
    images = images_of(a), images_of(b)
    # One folder may be named in two ways, such as by a relative path.
    places = [{str(path.resolve()) for path in group} for group in images]
    if common := places[0] & places[1]:
        problem = f"{len(common)} images are in both groups, such as {as_path(min(common)).name}"
        raise InputError(folders[1], problem, "give two folders without a common image")
    names = _distinct_names(*folders)
    series = read_series([*images[0], *images[1]])
    first = sum(series.runs[: len(images[0])])
    return series, group_conditions({names[0]: first, names[1]: series.volumes - first})


def _distinct_names(a: AnyPath, b: AnyPath) -> tuple[str, str]:
    """The names of two folders, with as many of those above as tell one from the other."""
    parts = [str(folder.resolve()).replace("\\", "/").split("/") for folder in (a, b)]
    names = "", ""
    for depth in range(1, max(map(len, parts)) + 1):
        names = "/".join(parts[0][-depth:]), "/".join(parts[1][-depth:])
        if names[0] != names[1]:
            break
    return names


def group_conditions(sizes: dict[str, int]) -> Conditions:
    """Conditions of groups that lie one after the other, such as two folders of images.

    Examples
    --------
    >>> group_conditions({"patients": 2, "controls": 1}).of_volume
    ('patients', 'patients', 'controls')
    """
    return Conditions(tuple(name for name, size in sizes.items() for _ in range(size)))


def _lengths(paths: list[AnyPath], read: list[list[list[str]]], series: Series) -> tuple[int, ...]:
    """How many volumes each table tells of: all, or those of one run."""
    lengths = (series.volumes,) if len(paths) == 1 else series.runs
    if len(paths) != len(lengths):
        problem = f"{len(paths)} tables for {len(series.runs)} runs"
        raise InputError("conditions", problem, "give one table, or one for each run in its order")
    if len(paths) == 1 and len(series.runs) > 1 and _is_events(read[0]):
        problem = f"holds the events of one run, and there are {len(series.runs)}"
        raise InputError(paths[0], problem, "give one table for each run in its order")
    return lengths


def _rows(path: AnyPath) -> list[list[str]]:
    """The cells of a table; separated by tabs, commas, semicolons or blanks."""
    text, _, _ = read_text(path, EVENTS, "\t;, ")
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        raise InputError(path, "holds no row below its header", "check that it is the right table")
    separator = next((mark for mark in "\t;," if mark in lines[0]), None)
    if separator is None:
        # A table of one column may hold names of several words.
        columns = len(lines[0].split())
        cells = [line.split() if columns > 1 else [line.strip()] for line in lines]
        return [[cell.strip('"') for cell in row] for row in cells]
    if fault := EVENTS.fault(columns=lines[0].count(separator) + 1):
        raise InputError(path, fault, SMALLER)
    try:
        # Line by line: a quote that is not closed takes no other row in.
        cells = [next(csv.reader([line], delimiter=separator)) for line in lines]
    except csv.Error as error:
        raise InputError(path, f"not a table ({error})") from None
    return [[cell.strip() for cell in row] for row in cells]


def _is_events(rows: list[list[str]]) -> bool:
    return {"onset", "duration"} <= set(rows[0])


def _of_labels(path: AnyPath, rows: list[list[str]], volumes: int) -> list[str]:
    header, body = [cell.lower() for cell in rows[0]], rows[1:]
    column = next((header.index(name) for name in _LABEL_COLUMNS if name in header), None)
    if column is None:
        problem = f"has no column of conditions, but {', '.join(rows[0])}"
        raise InputError(path, problem, f"name one of its columns {_LABEL_COLUMNS[0]}")
    if len(body) != volumes:
        problem = f"has {len(body):,} rows for {volumes:,} volumes"
        raise InputError(path, problem, "give a row for each volume")
    for number, row in enumerate(body, 2):
        if len(row) != len(header):
            problem = f"line {number} has {len(row)} columns, the header {len(header)}"
            raise InputError(path, problem, "give each line a condition, without separators in it")
    return [NONE if _is_missing(row[column]) else row[column] for row in body]


def _of_events(
    path: AnyPath,
    rows: list[list[str]],
    volumes: int,
    delay_s: float,
    time: float,
    notes: list[str],
) -> list[str]:
    if not isfinite(delay_s):
        raise InputError("delay", f"is {delay_s} s", "give a number of seconds")
    begins = np.arange(volumes, dtype=np.float64) * time
    events = _events(path, rows)
    names, claims = _claim_volumes(events, begins, delay_s)
    rule = f"a volume belongs to the event that was on {delay_s:g} s before it began"
    notes.append(InfoNote(f"{rule} (repetition time {time:g} s)"))
    if shared := int((claims > 1).sum()):
        notes.append(f"{shared:,} volumes within two events at once belong to none")
    if note := _beyond(path, events, volumes * time):
        notes.append(note)
    if all(name == NONE for name in names):
        problem = f"no volume lies within an event: {volumes} volumes of {time:g} s"
        raise InputError(path, problem, "check the repetition time, delay, onsets and durations")
    return names


def _unknown_time(series: Series, given: float | None) -> tuple[str, str]:
    remedy = "give the seconds from one volume to the next"
    if given is not None:
        return f"the repetition time is {given:g} s", remedy
    if series.time_doubt:
        return f"the repetition time is contradicted: {series.time_doubt}", remedy
    return "the repetition time is unknown: the images do not state it", remedy


def _beyond(path: AnyPath, events: list[tuple[float, float, str]], end: float) -> str:
    """A note on events that end after the series does; empty where none do."""
    ends = [onset + duration for onset, duration, _ in events]
    late = sum(time > end + _ROUNDING_S for time in ends)
    if not late:
        return ""
    last = f"events end at {max(ends):g} s, the series at {end:g} s"
    return f"{path.name}: {late:,} of {len(events):,} events end after the series: {last}"


def _claim_volumes(
    events: list[tuple[float, float, str]], begins: NDArray[np.float64], delay_s: float
) -> tuple[list[str], NDArray[np.int64]]:
    """The condition of each volume, and how many events of different names want it."""
    names = [NONE, *dict.fromkeys(name for _, _, name in events)]
    numbers = {name: number for number, name in enumerate(names)}
    # A repetition time such as 2.5 has no rounding; one such as 0.72 moves by a few digits.
    starts = np.array([onset for onset, _, _ in events]) + delay_s - _ROUNDING_S
    ends = starts + np.array([duration for _, duration, _ in events])
    firsts, stops = (np.searchsorted(begins, times).tolist() for times in (starts, ends))
    held = np.zeros(begins.size, np.int64)  # by the condition of that number
    claims = np.zeros(begins.size, np.int64)
    for first, stop, (_, _, name) in zip(firsts, stops, events, strict=True):
        claims[first:stop] += held[first:stop] != numbers[name]
        held[first:stop] = numbers[name]
    held[claims > 1] = 0
    return [names[number] for number in held.tolist()], claims


def _events(path: AnyPath, rows: list[list[str]]) -> list[tuple[float, float, str]]:
    header = rows[0]
    if "trial_type" not in header:
        problem = f"has no column trial_type, but {', '.join(header)}"
        raise InputError(path, problem, "add the column that names the condition")
    onset, duration, name = (header.index(column) for column in _EVENT_COLUMNS)
    events = []
    for number, row in enumerate(rows[1:], 2):
        try:
            times = float(row[onset]), float(row[duration])
        except (ValueError, IndexError):
            problem = f"line {number}: onset and duration are not numbers: {' '.join(row)[:60]}"
            raise InputError(path, problem, "give both in seconds") from None
        if not (isfinite(times[0]) and isfinite(times[1]) and times[1] >= 0):
            problem = f"line {number}: onset {times[0]:g} s, duration {times[1]:g} s"
            raise InputError(path, problem, "give times that are numbers, durations not below 0")
        label = row[name] if name < len(row) else ""
        if not _is_missing(label):
            events.append((*times, label))
    if not events:
        raise InputError(path, "holds no event with a trial_type", "name the conditions")
    return events


def _is_missing(cell: str) -> bool:
    return re.fullmatch(r"\s*|n/a|nan", cell, re.IGNORECASE) is not None
