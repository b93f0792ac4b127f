"""Notes on a cohort in sentences: on the group, on skipped files, on single masks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from ..core.memory import MEMORY_VARIABLE
from ..core.notes import note_on
from ..core.text import counted
from .participants import Patient

_MOST_NAMED = 5
"""Files of one sentence that are all named; arbitrary, they fit on a line or two."""

_NUMBERED = re.compile(r"\S*\d\S*")
"""A number, or the name of a file that holds one: what differs in sentences of one kind."""


def group_notes(notes: Iterable[str]) -> tuple[str, ...]:
    """The notes on the masks as a group; how this computer kept them is none."""
    return tuple(note for note in notes if MEMORY_VARIABLE not in note)


def all_notes(notes: Iterable[str], patients: Sequence[Patient]) -> tuple[str, ...]:
    """Every note on a cohort and its files, each sentence once.

    Files that a condition excludes are counted in a note of the group, and are not listed here.
    """
    skipped = [
        (patient.file, reason)
        for patient in patients
        if patient.status == "skipped" and patient.outcome != "accept"
        for reason in patient.reasons
    ]
    marked = [
        (patient.file, reason)
        for patient in patients
        if patient.status == "used"
        for reason in patient.reasons
    ]
    of_all = f" of {counted(len(patients), 'file')}"
    sentences = [
        *group_notes(notes),
        *(
            f"{number:,}{of_all} skipped, {who}: {reason}"
            for number, who, reason in by_reason(skipped)
        ),
        *(said_of(*group) for group in by_reason(marked)),
    ]
    return tuple(dict.fromkeys(sentences))


def by_reason(reasons: Iterable[tuple[str, str]]) -> list[tuple[int, str, str]]:
    """Put files together of which the same is to be said: how many, their names, the reason.

    Of more than five only one is named, with the reason as it reads for that one; reasons that
    differ in numbers or in names with numbers are then one.

    Parameters
    ----------
    reasons : iterable of (str, str)
        Files, and what is to be said of each.

    Examples
    --------
    >>> by_reason([("a.nii", "mask is empty"), ("b.nii", "mask is empty")])
    [(2, 'a.nii, b.nii', 'mask is empty')]
    >>> by_reason((f"{n}.nii", f"grid differs by 0.0{n} mm") for n in range(1, 8))
    [(7, 'such as 1.nii', 'grid differs by 0.01 mm')]
    """
    kinds: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for file, reason in reasons:
        kinds[kind_of(reason)].append((file, reason))
    groups = []
    for pairs in kinds.values():
        if len(pairs) > _MOST_NAMED:
            file, reason = pairs[0]
            groups.append((len(pairs), f"such as {file}", reason))
            continue
        same: dict[str, list[str]] = defaultdict(list)
        for file, reason in pairs:
            same[reason].append(file)
        groups += [(len(files), ", ".join(files), reason) for reason, files in same.items()]
    return groups


def kind_of(reason: str) -> str:
    """What reasons have in common that differ in numbers, or in names that hold one.

    Examples
    --------
    >>> kind_of("grid differs by 0.01 mm") == kind_of("grid differs by 2 mm")
    True
    """
    return _NUMBERED.sub("#", reason)


def said_of(number: int, names: str, reason: str) -> str:
    """What is to be said of files, as one sentence of the same kind.

    Examples
    --------
    >>> said_of(1, "a.nii", "mask is empty"), said_of(9, "such as a.nii", "mask is empty")
    ('a.nii: mask is empty', '9 files, such as a.nii: mask is empty')
    """
    return note_on(names if number == 1 else f"{number:,} files, {names}", reason)
