"""The patients of a lesion-symptom map: scores, covariates and volumes, and who is excluded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...cohort.cells import number_of, value_text
from ...cohort.cohort import Cohort
from ...cohort.columns import open_value
from ...core.defaults import CONTROL, SYMPTOM_TEST, Control, SymptomTest
from ...core.errors import InputError
from ...core.notes import InfoNote
from .univariate import BINARY

if TYPE_CHECKING:
    import pandas as pd

Float = NDArray[np.float64]

MIN_PATIENTS = 6
"""Arbitrary: with fewer no permutation test means anything."""
MAX_CATEGORIES = 12
"""Of a covariate, arbitrary: each takes a degree of freedom."""
_NAMED = 10  # ids in a sentence, arbitrary
_LARGEST = 1e100  # of a number, and of its inverse: beyond, squares are not numbers any more
_WITH_VOLUME = ("log-volume", "dtlvc")
"""Controls that an empty lesion has no value for."""


@dataclass(frozen=True, eq=False)
class SymptomPatients:
    """The patients of a test, in an order that does not depend on names of files.

    Parameters
    ----------
    cohort : Cohort
    rows : array of int64, shape (N,)
        Their positions among the used patients, by a checksum of the lesion, then by score.
    name : str
        Of the score.
    score : array of float64, shape (N,)
    covariates : dict of array of float64, shape (N,)
        By name; a category has a column for each value but the first.
    blocks : array of int64, shape (N,)
        Scores are exchanged within one block only.
    volumes : array of float64, shape (N,)
        Lesion volumes in mm³.
    excluded : dict of tuple of str
        Ids of the patients that are excluded, by the reason.
    assumptions : tuple of str
        What was assumed about cells that are not numbers.
    """

    cohort: Cohort
    rows: NDArray[np.int64]
    name: str
    score: Float
    covariates: dict[str, Float]
    blocks: NDArray[np.int64]
    volumes: Float
    excluded: dict[str, tuple[str, ...]]
    assumptions: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of patients."""
        return int(self.rows.size)

    def lesion(self, row: int) -> NDArray[np.int32]:
        """Linear voxel positions of the lesion of the patient in this row."""
        return self.cohort.voxels(int(self.rows[row]))

    def id(self, row: int) -> str:
        """The id of the patient in this row."""
        return self.cohort.used[int(self.rows[row])].id

    @property
    def counts(self) -> NDArray[np.int32]:
        """Number of these patients lesioned at each voxel, shape (grid voxels,), x fastest."""
        return np.ravel(self.cohort.select(self.rows).counts, order="F")

    @property
    def table(self) -> pd.DataFrame:
        """A row for each used patient of the cohort: what was used, and why who was excluded."""
        import pandas as pd

        places = {int(row): place for place, row in enumerate(self.rows.tolist())}
        reasons = {identity: why for why, ids in self.excluded.items() for identity in ids}
        values = {self.name: self.score, **self.covariates, "volume_mm3": self.volumes}
        rows = []
        for row, patient in enumerate(self.cohort.used):
            place = places.get(row)
            used = {
                name: np.nan if place is None else column[place] for name, column in values.items()
            }
            status = "used" if place is not None else "excluded"
            reason = reasons.get(patient.id, "")
            rows.append(
                {"patient": patient.id, "file": patient.file, "status": status, "reason": reason}
                | used
            )
        return pd.DataFrame(rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """Who is excluded and why, by id, and what was assumed."""
        excluded = []
        for reason, ids in self.excluded.items():
            more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
            noun = "patient" if len(ids) == 1 else "patients"
            excluded.append(
                f"{len(ids)} {noun} excluded: {reason}: {', '.join(ids[:_NAMED])}{more}"
            )
        return (*excluded, *self.assumptions)


def select_patients(
    cohort: Cohort,
    score: str,
    covariates: Sequence[str] = (),
    test: SymptomTest | None = SYMPTOM_TEST,
    control: Control = CONTROL,
    blocks: str | None = None,
) -> SymptomPatients:
    """The patients with a score and all covariates; without a test, with a score of any kind.

    Raises
    ------
    InputError
        Where a column is missing or of the wrong kind, does not vary, or too few patients are left.
    """
    reader = _Cells(cohort)
    scores = reader.numbers(score)
    columns: dict[str, Float] = {}
    needed = {score: scores}
    for name in dict.fromkeys(covariates):
        values = reader.covariate(name)
        columns |= values
        needed[name] = next(iter(values.values()))
    groups, is_known = reader.groups(blocks)
    excluded: dict[str, tuple[str, ...]] = {}
    left = np.ones(cohort.n_patients, np.bool_)
    reasons = [(f"{name} missing", np.isnan(values)) for name, values in needed.items()]
    reasons.append((f"{blocks} missing", ~is_known))
    if control in _WITH_VOLUME:
        reasons.append(("empty lesion, which has no log volume", cohort.volumes == 0))
    for reason, is_out in reasons:
        if ids := [cohort.used[row].id for row in np.flatnonzero(left & is_out).tolist()]:
            excluded[reason] = tuple(ids)
        left &= ~is_out
    rows = np.flatnonzero(left)
    if rows.size < MIN_PATIENTS:
        problem = f"{rows.size} of {cohort.n_patients} patients have a value of {', '.join(needed)}"
        remedy = f"at least {MIN_PATIENTS} are needed: check the participants table"
        raise InputError(cohort.name, problem, remedy)
    alone = reader.check_blocks(blocks, groups[rows])
    for name, column in {score: scores, **columns}.items():
        _check_range(name, column[rows])
    rows = _canonical(cohort, rows, [scores, *columns.values(), groups.astype(float)])
    _check_score(score, scores[rows], test)
    for name, column in columns.items():
        if np.ptp(column[rows]) == 0:
            raise InputError(name, "is the same in all patients", "leave this covariate out")
    return SymptomPatients(
        cohort,
        rows,
        score,
        scores[rows],
        {name: column[rows] for name, column in columns.items()},
        groups[rows],
        cohort.volumes[rows] * np.float64(cohort.grid.voxel_volume),
        excluded,
        (*reader.assumptions, *alone),
    )


def _canonical(cohort: Cohort, rows: NDArray[np.int64], columns: list[Float]) -> NDArray[np.int64]:
    def key(row: int) -> tuple[bytes, tuple[float, ...]]:
        voxels = np.ascontiguousarray(cohort.voxels(row))
        return sha256(voxels.data).digest(), tuple(float(column[row]) for column in columns)

    return np.array(sorted(rows.tolist(), key=key), np.int64)


def _check_range(name: str, values: Float) -> None:
    largest, spread = float(np.abs(values).max()), float(np.ptp(values))
    if largest > _LARGEST or 0 < spread < 1 / _LARGEST:
        problem = f"has values from {values.min():g} to {values.max():g}"
        raise InputError(name, problem, "give it in another unit")


def _check_score(name: str, score: Float, test: SymptomTest | None) -> None:
    values = np.unique(score)
    if values.size == 1:
        raise InputError(name, f"is {values[0]:g} in all patients", "choose a score that varies")
    is_binary = values.size == 2
    if test is None:
        if is_binary and not np.array_equal(values, [0, 1]):
            problem = f"has two values, {values[0]:g} and {values[1]:g}"
            raise InputError(name, problem, "code a symptom as 1, and none as 0")
        return
    if test in BINARY and (not is_binary or not np.array_equal(values, [0, 1])):
        problem = f"has {values.size} values from {values[0]:g} to {values[-1]:g}"
        remedy = f"{test} takes a score of 0 and 1: choose ols, or rank"
        raise InputError(name, problem, remedy)
    if test not in BINARY and is_binary:
        problem = f"is binary ({values[0]:g} or {values[1]:g})"
        raise InputError(name, problem, f"{test} takes a score of more values: use liebermeister")


class _Cells:
    """Columns of the participants table as numbers, and what was assumed."""

    def __init__(self, cohort: Cohort) -> None:
        self._cohort, self._table = cohort, cohort.used_table
        self._assumptions: list[str] = []

    @property
    def assumptions(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._assumptions))

    def _texts(self, name: str) -> list[str]:
        """Of each used patient; an empty text where there is no value."""
        if self._cohort.participants is None:
            remedy = "put a participants.tsv beside the masks, or name a table"
            raise InputError(self._cohort.name, f"no participants table with {name}", remedy)
        column = self._cohort.name_in_table(name)
        if column not in self._table.columns:
            known = ", ".join(self._cohort.participants.columns)
            problem = f"its participants have no column {name!r}"
            raise InputError(self._cohort.name, problem, f"choose one of {known}")
        cells = self._table[column]
        return [
            value_text(cell) if present else ""
            for cell, present in zip(cells, cells.notna(), strict=True)
        ]

    def numbers(self, name: str) -> Float:
        """A column of numbers, NaN where there is none."""
        texts = self._texts(name)
        values = [self._number(name, text) for text in texts]
        words = sorted(
            {text for text, value in zip(texts, values, strict=True) if text and value is None}
        )
        if words:
            problem = (
                f"holds values that are not numbers, such as {', '.join(map(repr, words[:3]))}"
            )
            raise InputError(name, problem, "choose a column of numbers, or code them as numbers")
        return np.array([np.nan if value is None else value for value in values])

    def _number(self, name: str, text: str) -> float | None:
        number = number_of(text)
        if number is None and (bound := open_value(text)) is not None:
            self._assumptions.append(f"{name}: {text} counts as {bound.bound:g}")
            return bound.bound
        return number

    def covariate(self, name: str) -> dict[str, Float]:
        """A covariate: a column of numbers, or one for each value of a category but the first."""
        texts = self._texts(name)
        values = [self._number(name, text) for text in texts]
        if all(value is not None for text, value in zip(texts, values, strict=True) if text):
            return {name: np.array([np.nan if value is None else value for value in values])}
        categories = sorted(set(texts) - {""})
        if len(categories) > MAX_CATEGORIES:
            problem = f"has {len(categories)} different values that are not numbers"
            raise InputError(name, problem, f"a covariate has at most {MAX_CATEGORIES}")
        first = categories[0]
        self._assumptions.append(InfoNote(f"{name} is a category: {', '.join(categories)}"))
        missing = np.array([not text for text in texts])
        return {
            f"{name}={category}": np.where(missing, np.nan, [text == category for text in texts])
            for category in categories
            if category != first
        } or {name: np.where(missing, np.nan, 0.0)}

    def groups(self, name: str | None) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The number of each patient's block, and whether it is known."""
        if name is None:
            size = self._cohort.n_patients
            return np.zeros(size, np.int64), np.ones(size, np.bool_)
        texts = np.array(self._texts(name))
        _, numbers = np.unique(texts, return_inverse=True)
        return numbers.astype(np.int64), texts != ""

    def check_blocks(self, name: str | None, groups: NDArray[np.int64]) -> tuple[str, ...]:
        """What is to be said of patients who are alone in their block."""
        _, sizes = np.unique(groups, return_counts=True)
        alone = int((sizes == 1).sum())
        if name is None or not alone:
            return ()
        if alone == groups.size:
            problem = f"has a value of its own for each of {alone} patients"
            raise InputError(name, problem, "choose a column that patients share, such as a site")
        noun = "patient is" if alone == 1 else "patients are"
        return (f"{alone} {noun} alone in a block of {name}: such a score is never exchanged",)
