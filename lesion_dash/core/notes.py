"""Notes: sentences on what was read, found and done."""

from __future__ import annotations


class InfoNote(str):
    """A note on what was asked for, and how it was done: no reason to doubt the data.

    Other notes are errors where a request is strict; all of them are texts.
    """

    __slots__ = ()


def note_on(name: str, note: str) -> str:
    """A note with the name of what it is on before it, which changes nothing about its kind.

    Examples
    --------
    >>> note_on("a.nii", "mask is empty")
    'a.nii: mask is empty'
    >>> isinstance(note_on("a.nii", InfoNote("smoothed with 6 mm")), InfoNote)
    True
    """
    return type(note)(f"{name}: {note}")
