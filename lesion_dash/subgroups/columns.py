"""The columns of a participants table: numbers or categories, and who has no value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from ..cohort import Participants, People, value_words
from ..errors import InputError
from .open_values import holds_numbers, place_of

Kind = Literal["number", "category"]

_MOST_NAMED = 12


@dataclass(frozen=True)
class Column:
    """A column of the participants table, as the patients of a cohort fill it.

    Parameters
    ----------
    name : str
    kind : str
        ``number`` where every value that the table has in this column is a number, or open at a
        bound as ``89+`` and ``<18`` are; otherwise ``category``. The whole table decides, so that
        the kind is the same in every subgroup.
    counts : tuple of (str, int)
        Each value with its number of patients: numbers in rising order, words in that of the
        alphabet. 1 and 1.0 are one value.
    missing : int
        Patients without a value, or without a row in the table.
    low, high : float or None
        The range of a column of numbers, with the bound of a value that is open there; None where
        no patient has one.
    unit : str
        Of its numbers, empty where nobody says.
    """

    name: str
    kind: Kind
    counts: tuple[tuple[str, int], ...]
    missing: int
    low: float | None = None
    high: float | None = None
    unit: str = ""

    @property
    def words(self) -> str:
        """What values there are, in words.

        Examples
        --------
        >>> Column("age", "number", (("42", 1), ("89", 2)), 0, 42.0, 89.0).words
        'age runs from 42 to 89'
        >>> Column("sex", "category", (("F", 20), ("M", 20)), 0).words
        'sex is F or M'
        """
        if not self.counts:
            return f"{self.name} is missing for every patient"
        if self.kind == "number":
            return f"{self.name} runs from {self.counts[0][0]} to {self.counts[-1][0]}"
        named = [value for value, _ in self.counts[:_MOST_NAMED]]
        more = len(self.counts) - len(named)
        rest = [f"one of {more:,} more"] if more else []
        return f"{self.name} is {' or '.join([*named, *rest])}"

    @property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers."""
        return self.kind == "number" and all(place_of(v)[0].is_integer() for v, _ in self.counts)

    @property
    def even_cut(self) -> float | None:
        """The number that parts the patients most evenly: below it, and from it on.

        None where a column holds words, or fewer than two numbers.

        Examples
        --------
        >>> Column("age", "number", (("42", 2), ("60", 3), ("89", 1)), 0, 42.0, 89.0).even_cut
        60.0
        """
        if self.kind != "number":
            return None
        below, cuts = 0, []
        total = sum(number for _, number in self.counts)
        for value, number in self.counts:
            place, is_open = place_of(value)
            if below and not is_open:
                cuts.append((abs(2 * below - total), place))
            below += number
        return min(cuts)[1] if cuts else None


def describe_columns(cohort: People) -> tuple[Column, ...]:
    """What can be asked of the patients of a cohort.

    Parameters
    ----------
    cohort : Cohort or Roster

    Returns
    -------
    tuple of Column
        In the order of the table, without the ids; none where the cohort has no table. Only the
        patients whose masks are used are counted.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> cohort, sex, age, nihss = describe_columns(load_cohort("sample_data/cohort_a"))
    >>> sex.kind, sex.counts, sex.missing
    ('category', (('F', 20), ('M', 20)), 0)
    >>> age.kind, age.low, age.high, age.missing
    ('number', 42.0, 89.0, 3)
    """
    table = cohort.participants
    if table is None:
        return ()
    rows = [table.values_of(patient.file) for patient in cohort.used]
    return tuple(
        describe_column(table, position, [row[position] for row in rows])
        for position in range(len(table.columns))
    )


def describe_column(table: Participants, position: int, cells: Sequence[str]) -> Column:
    """A column at this place of the table, as some patients fill it."""
    present = Counter(value_words(cell) for cell in cells if cell)
    missing = len(cells) - present.total()
    name = table.columns[position]
    if not is_numeric(table, position):
        return Column(name, "category", tuple(sorted(present.items())), missing)
    unit = table.units.of(name)
    counts = tuple(sorted(present.items(), key=lambda pair: place_of(pair[0])))
    low, high = (place_of(counts[end][0])[0] if counts else None for end in (0, -1))
    return Column(name, "number", counts, missing, low, high, unit)


def with_unit(name: str, unit: str) -> str:
    """A column's name as the head of a table, with its unit where there is one.

    Examples
    --------
    >>> with_unit("age", "years"), with_unit("nihss", "")
    ('age (years)', 'nihss')
    """
    return f"{name} ({unit})" if unit else name


def whole_column(table: Participants, position: int) -> list[str]:
    """The cells of a column, of all patients of the table."""
    return [row[position] for row in table.rows.values()]


def is_numeric(table: Participants, position: int) -> bool:
    """Whether a column holds numbers, or values open at a bound, and nothing else but gaps."""
    return holds_numbers(whole_column(table, position))


def find_column(table: Participants, name: str) -> int:
    """The place of a column among the values of a patient.

    Raises
    ------
    InputError
        Where there is none of this name, with the one that may have been meant.
    """
    if name in table.columns:
        return table.columns.index(name)
    remedy = did_you_mean(name, table.columns) or f"choose one of {', '.join(table.columns)}"
    raise InputError(table.path, f"has no column {name!r}", remedy)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that names what is spelt alike, or an empty string."""
    folded = {one.casefold(): one for one in known}
    alike = get_close_matches(word.casefold(), folded, 1)
    return f"did you mean {folded[alike[0]]}?" if alike else ""
