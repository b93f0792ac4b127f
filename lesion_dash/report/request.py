"""What a report is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..cohort import check_min_patients
from ..subgroups import Condition, parse_conditions

Conditions = Sequence[str | Condition]


@dataclass(frozen=True)
class ReportRequest:
    """What a report is to tell, and how the masks it is about were read.

    Parameters
    ----------
    min_patients : int
        Voxels lesioned in at least this many patients count.
    where : sequence of str or Condition
        Only patients who meet all of these, see `parse_condition`; in whatever order and way they
        are written, they are one request.
    where_a, where_b : sequence of str or Condition
        The same for A or B alone.
    title : str
        By default made of the names of the cohorts.
    pattern : str
        Which file names were read, as for `load_cohort`.
    threshold, label : float or int, optional
        How masks were made of maps of probabilities or labels, as for `Choice`.

    Raises
    ------
    InputError
        Where a condition cannot be read, or `min_patients` is no whole number of at least 1.

    Examples
    --------
    >>> asked = ReportRequest(where=["sex = F", "age>=60"], where_a=["nihss=0..4"])
    >>> [one.words for one in asked.conditions("a")]
    ['age >= 60', 'nihss = 0 to 4', 'sex = F']
    >>> asked == ReportRequest(where=("sex=F", "age >= 60"), where_a=["nihss=0..4"])
    True
    """

    min_patients: int = 5
    where: Conditions = ()
    where_a: Conditions = ()
    where_b: Conditions = ()
    title: str = ""
    pattern: str = "*"
    threshold: float | None = None
    label: int | None = None

    def __post_init__(self) -> None:
        canonical = {
            "min_patients": check_min_patients(self.min_patients),
            "title": " ".join(self.title.split()),
        } | {name: _ordered(getattr(self, name)) for name in ("where", "where_a", "where_b")}
        for name, value in canonical.items():
            object.__setattr__(self, name, value)

    def conditions(self, letter: str) -> tuple[Condition, ...]:
        """All that is asked of the patients of A or B."""
        return _ordered([*self.where, *getattr(self, f"where_{letter}")])

    def words(self, letter: str) -> str:
        """The same in words, empty where nothing is asked."""
        return " and ".join(one.words for one in self.conditions(letter))

    @property
    def parameters(self) -> dict[str, Any]:
        """Every choice by name, conditions as text."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        texts = {name: [*map(str, given[name])] for name in ("where", "where_a", "where_b")}
        return given | texts


def _ordered(conditions: Conditions) -> tuple[Condition, ...]:
    """Each once and in one order, so that one question is one request."""
    found = {str(one): one for one in parse_conditions(conditions)}
    return tuple(found[text] for text in sorted(found))
