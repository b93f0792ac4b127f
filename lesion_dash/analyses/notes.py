"""Notes on what an analysis has read and found: gathered in one place, each said once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from ..core.errors import LesionDashError
from ..core.notes import InfoNote, note_on
from ..core.text import counted, printable

STRICT_EXIT_CODE = 1
"""As that of `lesion-dash check` where there are notes: 2 means that nothing could be used."""


class NotesAreErrors(LesionDashError):
    """There are notes, and the request is strict: nothing was written.

    Parameters
    ----------
    details : tuple of str
        The notes.
    """

    exit_code = STRICT_EXIT_CODE

    def __init__(self, details: Sequence[str]) -> None:
        super().__init__(tuple(map(printable, details)))
        self.details = tuple(map(printable, details))

    def __str__(self) -> str:
        return f"strict: {counted_notes(self.details)}; nothing was written"


def counted_notes(notes: Sequence[str]) -> str:
    """How many notes there are, where they are errors."""
    number = len(notes)
    return f"{counted(number, 'note')}, counted as {'an error' if number == 1 else 'errors'}"


def errors_among(notes: Iterable[str]) -> list[str]:
    """The notes that are errors where a request is strict: all but those on what was asked for.

    Examples
    --------
    >>> errors_among([InfoNote("sex = F: 6 of 12 patients excluded"), "a.nii: mask is empty"])
    ['a.nii: mask is empty']
    """
    return [note for note in notes if not isinstance(note, InfoNote)]


def gather_notes(inputs: Sequence[Mapping[str, Any]], own: Iterable[str]) -> list[str]:
    """The notes on all inputs, with their names where there are several, then those on the result.

    A result repeats notes on its inputs, with a name before them or without: those are said once.
    Parts of one folder share its name, and so what is to be said of the whole; what is to be said
    of one part alone names it A or B.

    Parameters
    ----------
    inputs : sequence of dict
        As the provenance holds them.
    own : iterable of str
        On the result.

    Examples
    --------
    >>> folder = {"kind": "cohort", "folder": "study/masks", "notes": ["2 files are empty"]}
    >>> gather_notes([folder, folder], ["2 files are empty", "5 voxels are not tested"])
    ['masks: 2 files are empty', '5 voxels are not tested']
    >>> gather_notes([folder, folder | {"notes": ["2 files are empty", "only one patient"]}], [])
    ['masks: 2 files are empty', 'masks (B): only one patient']
    >>> gather_notes([folder], [])
    ['2 files are empty']
    """
    sentences = {note for one in inputs for note in one.get("notes", ())}
    cohorts = [one for one in inputs if one.get("kind") == "cohort"]

    def title(one: Mapping[str, Any], note: str) -> str:
        alike = [other for other in cohorts if _name(other) == _name(one)]
        if one not in cohorts or all(note in other.get("notes", ()) for other in alike):
            return _name(one)
        return f"{_name(one)} ({ascii_uppercase[cohorts.index(one)]})"

    named = [
        note_on(title(one, note), note) if len(inputs) > 1 else note
        for one in inputs
        for note in one.get("notes", ())
    ]
    rest = [note for note in own if not _is_known(note, sentences)]
    return list(dict.fromkeys([*named, *rest]))


def _is_known(note: str, sentences: set[str]) -> bool:
    return note in sentences or any(note.endswith(f": {sentence}") for sentence in sentences)


def _name(content: Mapping[str, Any]) -> str:
    """What an input is called: by its own name, or the last part of its path."""
    from ..files.paths import as_path

    path = content.get("folder") or content.get("file") or ""
    return str(content.get("name") or as_path(str(path)).name)
