"""Pair the ids of a table with files of masks, one to one, however both are written."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os.path import commonprefix
from typing import NamedTuple

from ..core.text import counted
from ..files.listing import has_image_ending, strip_ending
from .names import read_names, subject_label

_SESSION = re.compile(r"(?:^|[/_])ses-([^\W_]+)")
_ID_AND_SESSION = re.compile(r"(.+?)[_/]ses-([^\W_]+)")
_SUB = re.compile(r"^sub(?=[-_]|\d)[-_]*")
_TOKEN = re.compile(r"[^\W_]+")
_ENTITY = re.compile(r"[a-z]+-[^\W_]+")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\W_]+(?=\d)")
_OTHER_PUNCTUATION = re.compile(r"(?<!\d)[\W_]+|[\W_]+(?!\d)")
_PADDING = re.compile(r"(?<!\d)0+(?=\d)")
_WHOLE = re.compile(r"(\d+)\.0+")
_PLAIN_NUMBER = re.compile(r"0|[1-9]\d*(\.\d+)?")
_LONGEST = 3  # tokens of an id within a file's name, arbitrary: such as P_001_a


class Owner(NamedTuple):
    """Whose file one is.

    Parameters
    ----------
    person : str
        Equal for all files of a patient.
    session : str
        Without ``ses-``; empty where the path names none.
    """

    person: str
    session: str


def owners_of(files: Iterable[str]) -> dict[str, Owner]:
    """The patient and session of each file, as `names` reads them from all of the paths.

    A patient is named after the path of the first of the files.

    Examples
    --------
    >>> owners_of(["a/sub-07_ses-1_lesion.nii"])["a/sub-07_ses-1_lesion.nii"]
    Owner(person='sub-07', session='ses-1')
    >>> [owner.person for owner in owners_of(["P07_left.nii", "P07_right.nii"]).values()]
    ['P07_left', 'P07_left']
    """
    paths = list(files)
    persons: dict[str, str] = {}
    owners = {}
    for file, name in zip(paths, read_names(paths), strict=True):
        person = persons.setdefault(name.patient, subject_label(file) or _path_of_person(file))
        owners[file] = Owner(person, name.session)
    return owners


def _path_of_person(file: str) -> str:
    """A file's path without what names the session."""
    path = unicodedata.normalize("NFC", strip_ending(file))
    return _SESSION.sub("", path).lstrip("/_") or path


def split_id(cell: str) -> tuple[str, str]:
    """The patient and the session, where there is one, that a cell names; files are named as well.

    Examples
    --------
    >>> split_id("sub-07"), split_id("sub-07_ses-2"), split_id("masks/P07_lesion.nii.gz")
    (('sub-07', ''), ('sub-07', '2'), ('P07_lesion', ''))
    """
    if has_image_ending(cell):
        path = cell.replace("\\", "/")
        owner = owners_of([path])[path]
        return owner.person.rpartition("/")[2], owner.session
    parts = _ID_AND_SESSION.fullmatch(cell)
    return (parts[1], parts[2]) if parts else (cell, "")


def is_plain_number(text: str) -> bool:
    """Whether an id may as well be a count or an age: digits without a zero before them.

    Examples
    --------
    >>> is_plain_number("7"), is_plain_number("007"), is_plain_number("P7")
    (True, False, False)
    """
    return bool(_PLAIN_NUMBER.fullmatch(text))


# How ids are compared, each way less strictly than the one before it.


def as_written(text: str) -> str:
    """An id without ``sub-`` and with its accents in one form."""
    return unicodedata.normalize("NFC", text).strip().removeprefix("sub-")


def _folded(text: str) -> str:
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    folded = "".join(plain.casefold().split())
    return _SUB.sub("", folded) if folded.startswith("sub") else folded


def _letters_and_digits(text: str) -> str:
    """Without punctuation, but between digits: 1-11 and 11-1 are two."""
    folded = _folded(text)
    if folded.isalnum():
        return folded
    return _OTHER_PUNCTUATION.sub("", _BETWEEN_DIGITS.sub("-", folded))


def _unpadded(text: str) -> str:
    # 7.0 is how pandas writes 7 where other ids are missing.
    whole = _WHOLE.fullmatch(text.strip()) if "." in text else None
    plain = _letters_and_digits(whole[1] if whole else text)
    return _PADDING.sub("", plain) if "0" in plain else plain


Comparison = Callable[[str], str]

_COMPARISONS: dict[Comparison, str] = {
    as_written: "",
    _folded: "capitals and blanks",
    _letters_and_digits: "capitals, blanks and punctuation",
    _unpadded: "leading zeros",
}


# Where the id stands in a file's path.


class _Person(NamedTuple):
    """A patient, the path of whose file, without session and ending, may hold an id.

    A label such as sub-07 says what the id is; nothing else in the path is one.
    """

    name: str
    path: str
    label: str
    beginning: str  # of all file names

    @property
    def stem(self) -> str:
        return self.path.rpartition("/")[2]

    def whole_name(self) -> list[str]:
        return [self.label or self.stem, self.name]

    def beginnings(self) -> list[str]:
        rest = self.stem.removeprefix(self.beginning)
        return [] if self.label else [*_leading(self.stem), rest, *_leading(rest)]

    def folders(self) -> list[str]:
        folders = [] if self.label else self.path.split("/")[-2::-1]
        return [*folders, *(text for folder in folders for text in _leading(folder))]

    def parts(self) -> list[str]:
        stem = "" if self.label else _ENTITY.sub("-", self.stem)  # ses-1 is not a patient
        tokens = [*_TOKEN.finditer(stem)]
        return [
            stem[first.start() : last.end()]
            for place, first in enumerate(tokens)
            for last in tokens[place : place + _LONGEST]
        ]


def _leading(text: str) -> list[str]:
    """The text up to the end of each of its first tokens, the longest first."""
    return [text[: token.end()] for token in [*_TOKEN.finditer(text)][_LONGEST - 1 :: -1]]


Place = Callable[[_Person], list[str]]
"""Where ids are looked for: the texts that may be one, the most likely first."""

_PLACES: dict[Place, str] = {
    _Person.whole_name: "",
    _Person.beginnings: "without what stands before and behind them in the file names",
    _Person.folders: "with the names of folders",
    _Person.parts: "with parts of the file names",
}

Texts = Mapping[str, Sequence[str]]
"""Patients with the texts that may be their ids, the most likely first."""


@dataclass(frozen=True, eq=False)
class People:
    """The patients whose files are in a folder.

    Parameters
    ----------
    files : tuple of str
        Paths below the folder.
    """

    files: tuple[str, ...]
    _keys: dict[Place, list[tuple[str, ...]]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def owners(self) -> dict[str, Owner]:
        """The patient and session of each file."""
        return owners_of(self.files)

    @cached_property
    def paths(self) -> dict[str, str]:
        """Each patient once, with the path of the first file."""
        paths: dict[str, str] = {}
        for file, owner in self.owners.items():
            if owner.person not in paths:
                paths[owner.person] = _path_of_person(file)
        return paths

    @cached_property
    def persons(self) -> list[_Person]:
        """What the paths hold."""
        labels = {name: subject_label(path) for name, path in self.paths.items()}
        unlabelled = [path for name, path in self.paths.items() if not labels[name]]
        beginning = _common_beginning([path.rpartition("/")[2] for path in unlabelled])
        return [_Person(name, path, labels[name], beginning) for name, path in self.paths.items()]

    def likely(self, place: Place, known: set[str]) -> Texts:
        """The texts of a place that are like a known id, as `_unpadded` writes both."""
        if place not in self._keys:  # once for all columns of a table
            self._keys[place] = [tuple(map(_unpadded, place(person))) for person in self.persons]
        return {
            person.name: [
                text for text, key in zip(place(person), keys, strict=True) if key in known
            ]
            for person, keys in zip(self.persons, self._keys[place], strict=True)
            if not known.isdisjoint(keys)
        }


def _common_beginning(stems: Sequence[str]) -> str:
    """What all file names begin with before a number, such as ``lesion_``."""
    if len(stems) < 2:
        return ""
    shared = commonprefix([min(stems), max(stems)]).rstrip("0123456789")  # noqa: RUF071 - of texts
    is_whole = all(stem[len(shared) :][:1].isdecimal() for stem in stems)
    return shared if is_whole or not shared[-1:].isalnum() else ""


@dataclass(frozen=True)
class Pairing:
    """Which id belongs to which patient.

    Parameters
    ----------
    ids : dict
        Patient, as in `Owner`, to the id as it stands in the table.
    ways : dict
        Patient to how both were compared; empty where they are equal.
    """

    ids: dict[str, str]
    ways: dict[str, str]

    @property
    def exact(self) -> int:
        """How many ids are written as the files have them."""
        return sum(not way for way in self.ways.values())

    def with_letters(self) -> Pairing:
        """Without the ids that may as well be counts."""
        kept = {name: own for name, own in self.ids.items() if not is_plain_number(own)}
        return Pairing(kept, {name: self.ways[name] for name in kept})

    def notes(self, table: str) -> tuple[str, ...]:
        """How ids were compared where they are not equal, with an example."""
        notes = []
        for way, number in sorted(Counter(filter(None, self.ways.values())).items()):
            name = next(name for name in self.ids if self.ways[name] == way)
            compared = f"{counted(number, 'id')} compared {way}"
            notes.append(f"{compared}: {name} is {self.ids[name]} in {table}")
        return tuple(notes)


def pair_ids(people: People, ids: Iterable[str]) -> Pairing:
    """Give each patient the one id of a table that is theirs, strictly first, then less so.

    Where two ids or two patients become equal by a comparison, it decides nothing about them.

    Examples
    --------
    >>> people = People(("sub-001.nii", "sub-002.nii"))
    >>> pair_ids(people, ["1", "2", "3"]).ids
    {'sub-001': '1', 'sub-002': '2'}
    >>> pair_ids(people, ["1", "01", "2"]).ids
    {'sub-002': '2'}
    """
    known = tuple(dict.fromkeys(ids))
    indices: dict[Comparison, Mapping[str, str]] = {}
    pairing, taken = Pairing({}, {}), set[str]()
    for place, texts, comparison, way in _steps(people, known):
        if comparison not in indices:
            indices[comparison] = _index(known, comparison)
        pairs = _pairs(place, texts, comparison, indices[comparison])
        times = Counter(pairs.values())
        for name, own in pairs.items():
            if name not in pairing.ids and own not in taken and times[own] == 1:
                pairing.ids[name], pairing.ways[name] = own, way
        if len(pairing.ids) == len(people.paths):
            break
        taken = set(pairing.ids.values())
    return pairing


def _steps(people: People, ids: Sequence[str]) -> Iterator[tuple[Place, Texts, Comparison, str]]:
    """Where to look and how to compare, the strictest first, with this in words.

    What is alike by one comparison is so by each that follows: texts that are like no id by the
    last one are looked at once.
    """
    names = {person.name: person.whole_name() for person in people.persons}
    yield _Person.whole_name, names, as_written, ""
    known = set(map(_unpadded, ids)) - {""}
    for place, meaning in _PLACES.items():
        if likely := people.likely(place, known):
            joint = " and without " if meaning.startswith("with ") else " and "
            for comparison, loss in _COMPARISONS.items():
                both = f"{meaning}{joint}{loss}" if meaning else f"without {loss}"
                yield place, likely, comparison, both if loss else meaning


def _index(ids: Sequence[str], comparison: Comparison) -> Mapping[str, str]:
    """The id that is compared as each text; empty where several are."""
    index: dict[str, str] = {}
    for own in ids:
        key = comparison(own)
        index[key] = "" if key in index else own
    index.pop("", None)
    return index


def _pairs(
    place: Place, texts: Texts, comparison: Comparison, index: Mapping[str, str]
) -> dict[str, str]:
    """The id that each patient meets by one comparison."""
    pairs = {}
    for name, own_texts in texts.items():
        met = [index[key] for key in map(comparison, own_texts) if key in index]
        if place is _Person.parts:  # a number there may as well be a count
            met = [own for own in dict.fromkeys(met) if not is_plain_number(own)]
            met = met if len(met) == 1 else []
        if met and met[0]:
            pairs[name] = met[0]
    return pairs
