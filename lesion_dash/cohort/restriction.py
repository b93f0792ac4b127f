"""Which patients of a folder are wanted, asked of the participants table before a mask is read.

The conditions themselves (``sex = F``, ``age >= 60``) are of the room `subgroups`, which knows
cohorts. To pass over a file unread, the reading must ask them; so this room says only what it
asks, a `Restriction`, and puts several answers together. The same function answers for a cohort
that is in memory, so that both ways ask the table alike; a file that is passed over unread is not
found faulty, and has no say in which grid the cohort is on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import InputError
from ..files import AnyPath
from .participants import Participants


@dataclass(frozen=True)
class Answer:
    """What a restriction says of some files.

    Parameters
    ----------
    reasons : dict
        File to the reason, for those whose patients are not wanted.
    notes : tuple of str
        How many patients are left out, and how many of them because their value is missing.
    hint : str
        What values there are, for the case that nobody is left.
    """

    reasons: dict[str, str]
    notes: tuple[str, ...] = ()
    hint: str = ""


class Restriction(Protocol):
    """A question to a participants table, such as a `subgroups.Condition`."""

    @property
    def words(self) -> str:
        """The restriction in words, such as ``sex = F``."""

    def ask(self, table: Participants, files: Sequence[str]) -> Answer:
        """Which of these files, named by their paths below the folder, are not wanted."""


@dataclass(frozen=True)
class LeftOut:
    """Who is left out by all restrictions together.

    Parameters
    ----------
    reasons : dict
        File to the reasons.
    notes : tuple of str
    words : str
        The restrictions in words, empty where there is none.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    words: str = ""

    def name(self, cohort: str) -> str:
        """The name of a cohort with its restriction.

        Examples
        --------
        >>> LeftOut(words="age >= 60, sex = F").name("cohort_a")
        'cohort_a, age >= 60, sex = F'
        """
        return f"{cohort}, {self.words}" if self.words else cohort


def leave_out(
    where: Sequence[Restriction],
    table: Participants | None,
    files: Sequence[str],
    folder: AnyPath,
    notes: Sequence[str] = (),
) -> LeftOut:
    """Ask every restriction which of these files are not wanted; their order does not matter.

    Parameters
    ----------
    where : sequence of Restriction
    table : Participants or None
    files : sequence of str
        Paths below the folder.
    folder : Path or UrlPath
        Whose files they are.
    notes : sequence of str
        What was wrong with a table that could not be used.

    Raises
    ------
    InputError
        Where there is no table, or nobody is left.
    """
    ordered = sorted(_check(where), key=lambda one: (one.words, str(one)))
    asked = [one for place, one in enumerate(ordered) if one not in ordered[:place]]
    if not asked:
        return LeftOut()
    if table is None:
        problem = f"has no participants table that could answer {asked[0].words!r}"
        remedy = "put participants.tsv there or in the folder above, or name a table"
        raise InputError(folder, problem, remedy, tuple(notes))
    answers = [one.ask(table, files) for one in asked]
    reasons: dict[str, list[str]] = {}
    for answer in answers:
        for file, reason in answer.reasons.items():
            reasons.setdefault(file, []).append(reason)
    if files and len(reasons) == len(files):
        raise _nobody(folder, [*zip(asked, answers, strict=True)], len(files))
    told = [note for answer in answers for note in answer.notes]
    if len(answers) > 1:
        told.append(f"{len(reasons):,} of {len(files):,} patients left out in all")
    found = {file: "; ".join(parts) for file, parts in reasons.items()}
    return LeftOut(found, tuple(told), ", ".join(one.words for one in asked))


def _check(where: Sequence[Restriction]) -> Sequence[Restriction]:
    """Text is what one would try first; to read it is the task of another room."""
    given: object = where
    texts = [given] if isinstance(given, str) else [one for one in where if isinstance(one, str)]
    if texts:
        remedy = f"give where=parse_conditions([{texts[0]!r}])"
        raise InputError("where", f"{texts[0]!r} is text, not a condition", remedy)
    return where


def _nobody(
    folder: AnyPath, answers: Sequence[tuple[Restriction, Answer]], total: int
) -> InputError:
    alone = [pair for pair in answers if len(pair[1].reasons) == total]
    told = alone[:1] or answers
    words = " and ".join(one.words for one, _ in told)
    problem = f"nobody is left: no patient of {total:,} meets {words}"
    hints = dict.fromkeys(answer.hint for _, answer in told)
    details = [note for _, answer in told for note in answer.notes]
    remedy = "; ".join(hint for hint in hints if hint) or "ask for less"
    return InputError(folder, problem, remedy, tuple(details))
