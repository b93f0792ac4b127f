"""What the path of a mask says: patient, session, space, side, and the kind of image."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Literal

from ..files.listing import strip_ending
from .cells import value_text

_SPLIT = re.compile(r"[_\s.,()\[\]]+")
_SUBJECT = re.compile(r"sub-[^\W_]+")
_ENTITY = re.compile(
    r"(ses|space|tpl|desc|label|hemi|run|acq|res|den|rec|seg|ce|mod|task|dir|echo|atlas)-(.+)",
    re.IGNORECASE,
)
"""Entities of BIDS but the subject: what stands there is no part of a patient's id."""

_LESION = re.compile(
    r"l(e|é|ä|ae)si[oó]n|stroke|infar[ck]t|tumou?r|gliom|metasta|ha?emorrhag|ha?ematom|lacun|o?edema|contusion"
    r"|resection|penumbra|ischa?emi|wmh|wml|(^(les|roi|ich|fcd|cavity)$)"
)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_MODALITIES = _set(
    "t1 t2 t1w t2w t1c t1ce t1gd t1n t2f t2star t2starw pd pdw flair dwi adc dti fa md trace bold"
    " boldref asl cbf swi ct cta ctp pet mri mra tof angio"
)
_OTHER = _set(
    "brain brainmask bet skull skullstrip stripped head gm wm csf tissue ribbon aparc aseg cortex"
    " preproc preprocessed template parc parcellation atlas xfm warp field biasfield filled"
)
_VARIANTS = {
    "threshold": _set("prob probability probabilities probseg probmap pmap uncertainty"),
    "label": _set("dseg annotated labels labelled labeled instances"),
}
"""Words for maps of which `threshold` or `label` makes masks."""

_MASK = _set("mask masks seg segmentation segm bin binary")
_NEUTRAL = _MASK | _set(
    "manual auto final corrected edited resampled registered reg norm normalized normalised warped"
    " smoothed copy new old hemisphere side data image images file"
)
_KNOWN = _NEUTRAL.union(_OTHER, _MODALITIES, *_VARIANTS.values())
_DATATYPES = _set("anat func dwi ct pet perf fmap derivatives rawdata masks")
"""Folders of BIDS that say nothing of an image's kind."""

_SESSION_ORDER = {
    **dict.fromkeys(_set("pre preop preoperative baseline bl initial acute"), 0),
    "subacute": 1,
    **dict.fromkeys(_set("post postop postoperative followup fu"), 2),
    "chronic": 3,
}
_SESSION = re.compile(
    rf"({'|'.join(_SESSION_ORDER)})\d*|(ses|session|visit|timepoint|tp|day|week|month|year)\d+"
    r"|(v|m|d|scan|time|wave|exam)\d+|(19|20)\d\d-?\d\d-?\d\d"
)
_SESSION_WORD = _set("ses session visit timepoint tp day week month year scan time wave exam")
_WEAK_SESSION = re.compile(r"(v|m|d|scan|time|wave|exam)\d+")
"""Numbers behind these are as often a patient's: they count where an id remains without them."""

_BEFORE_SESSION = re.compile(r"^(session|sess?|visit|timepoint|time|tp|wave|v|t|s)(?=\d)|^ses-")
"""What may be left out before a session's number: days, weeks and months are counted apart."""

_SPACE = re.compile(r"mni\w*|talairach|native|([0-9.]+mm)|(t1w?|t2w?|flair|dwi)space|fsaverage")
_SIDE = re.compile(
    r"(?:lesions?|mask|roi)?(left|right|lh|rh|l|r)(?:lesions?|mask|roi|side|hemi|hemisphere)?"
    r"|(links|gauche|izquierda|sinistra|rechts|droite|derecha|destra)"
)
_SIDES = {
    **dict.fromkeys(_set("l lh links gauche izquierda sinistra"), "left"),
    **dict.fromkeys(_set("r rh rechts droite derecha destra"), "right"),
}
_NUMBERED = re.compile(r"([a-z]+)(\d+)")

MadeFrom = Literal["", "threshold", "label"]
"""How masks are made of maps: not at all, of probabilities, or of labels."""

MAX_FINDINGS = 10
"""Numbered files of one patient, at most: more are patients of their own, as in
``cohort1_lesion_001``. Arbitrary: few patients have more findings drawn one by one."""


class Kind(IntEnum):
    """What an image is by its name, the likeliest mask of a lesion first."""

    MASK = 0
    VARIANT = 1
    """A map of probabilities or labels."""
    OTHER = 2
    """A brain mask, a scan, a tissue."""


@dataclass(frozen=True, slots=True)
class NameFacts:
    """What the path of one mask says.

    Parameters
    ----------
    file : str
        Path below the cohort's folder.
    patient : str
        Key of its patient, in small letters.
    session, space, side : str
        Empty where nothing is said of them.
    kind : Kind
    word : str
        The word that says it is not a mask of a lesion.
    """

    file: str
    patient: str
    session: str = ""
    space: str = ""
    side: str = ""
    kind: Kind = Kind.MASK
    word: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    """What a folder's name, or a file's, says."""

    key: str
    whole_key: str
    """The key with the numbers of findings and sessions, should there be too many of them."""
    session: str
    space: str
    side: str
    is_number: bool
    """Whether the key is a number of findings or sessions alone, such as that of ``lesion_2``."""
    has_lesion: bool
    words: tuple[str, ...]


@lru_cache(2**14)  # names of folders recur, as does a file's name in a folder for each patient
def _read_part(text: str) -> _Part:
    tokens = _tokens(text)
    facts = {"session": "", "space": "", "side": ""}
    ids, numbered, words = list[str](), list[str](), list[str]()
    has_lesion = is_after_word = False
    for kind, token in tokens:
        category, value = _categorise(kind, token)
        if category in facts:
            facts[category] = facts[category] or value
            if category == "session" and not kind:
                numbered.append(token)
        elif category == "lesion":
            has_lesion = True
            if re.search(r"\d", token) and not kind:
                numbered.append(token)
        elif category == "id" and is_after_word and token.isdigit():
            numbered.append(token)
        elif category == "id":
            ids.append(token)
        if category in ("lesion", "word", "session") and value:
            words.append(value)
        is_after_word = category == "lesion" or (category == "word" and token in _NEUTRAL)
    key, whole = "_".join(ids), "_".join([*ids, *numbered])
    if not any(map(str.isdigit, key)) and any(re.search(r"\d", word) for word in numbered):
        # Without a digit an id is seldom whole: the number is a part of it, unless a visit's.
        certain = [word for word in numbered if key and _is_visit(word)]
        key = "_".join([*ids, *(word for word in numbered if word not in certain)])
    values = facts["session"], facts["space"], facts["side"]
    return _Part(key, whole, *values, bool(key and not ids), has_lesion, tuple(words))


def _is_visit(word: str) -> bool:
    return bool(_SESSION.fullmatch(word)) and not _WEAK_SESSION.fullmatch(word)


def _tokens(text: str) -> list[tuple[str, str]]:
    """The words of a name in small letters, each with its entity of BIDS, if it has one."""
    pieces = list[tuple[str, str]]()
    for piece in filter(None, _SPLIT.split(unicodedata.normalize("NFC", text))):
        if _SUBJECT.search(piece):
            continue
        if entity := _ENTITY.fullmatch(piece):
            pieces.append((entity[1].lower(), entity[2]))
        elif re.fullmatch(r"(19|20)\d\d-\d\d-\d\d", piece):
            pieces.append(("", piece))
        else:
            pieces += [("", word.casefold()) for word in piece.split("-") if word]
    joined = list[tuple[str, str]]()
    for kind, token in pieces:  # "visit 2" is one word, as "visit2" is
        before = joined[-1] if joined else ("", "")
        if not kind and token.isdigit() and not before[0] and before[1] in _SESSION_WORD:
            joined[-1] = ("", before[1] + token)
        else:
            joined.append((kind, token))
    return joined


@lru_cache(2**14)
def _categorise(entity: str, token: str) -> tuple[str, str]:
    """What a word is about, and the value it gives."""
    folded = token.casefold()
    if entity == "ses":
        return "session", f"ses-{token}"
    if entity in ("space", "tpl"):
        return "space", token
    if entity == "hemi":
        return "side", _SIDES.get(folded, folded)
    if _LESION.search(folded):
        return "lesion", ""
    match = _SIDE.fullmatch(folded)
    word = (match[1] or match[2]) if match else ""
    side = "side", _SIDES.get(word, word)
    if entity in ("label", "desc", "seg"):
        return side if word and len(folded) > 2 else ("word", folded)  # label-L is not a side
    if entity:
        return "entity", ""
    if folded in _KNOWN:
        return "word", folded
    if _SESSION.fullmatch(folded):
        return "session", folded
    if _SPACE.fullmatch(folded):
        return "space", token
    return side if word else ("id", folded)


def read_names(files: Sequence[str], made_from: MadeFrom = "") -> list[NameFacts]:
    """What the paths of a folder's masks say, each in the light of all of them.

    A patient is the subject of BIDS, or what remains of a name without the words for lesions,
    sides, sessions and spaces. Where one file name recurs from folder to folder, the folder is
    the patient: the part of the paths that has most different names tells patients apart.

    Parameters
    ----------
    files : sequence of str
        Paths below the cohort's folder.
    made_from : {"", "threshold", "label"}
        How masks are made: maps that are meant for it are as good as masks then.

    Examples
    --------
    >>> names = read_names(["sub-1/ses-1/lesion.nii", "P02_left.nii", "P02_right.nii"])
    >>> [(name.patient, name.session, name.side) for name in names]
    [('sub-1', 'ses-1', ''), ('p02', '', 'left'), ('p02', '', 'right')]
    >>> [name.patient for name in read_names(["0001/lesion_mni.nii", "0002/lesion_mni.nii"])]
    ['0001', '0002']
    """
    parts = [_parts_of(file) for file in files]
    subjects = [subject_label(file) for file in files]
    plain = [row for row, subject in zip(parts, subjects, strict=True) if not subject]
    level = _telling_level(plain)
    keys = [
        subject.casefold() or _key_at(row, level, file)
        for file, row, subject in zip(files, parts, subjects, strict=True)
    ]
    if not level:
        keys = _without_crowds(keys, parts, subjects)
    return [
        _facts(file, key, row, made_from) for file, key, row in zip(files, keys, parts, strict=True)
    ]


def _parts_of(file: str) -> tuple[_Part, ...]:
    """Of the file's name, and of its folders from the outermost one on."""
    *folders, name = file.split("/")
    return (_read_part(strip_ending(name)), *map(_read_part, folders))


def subject_label(file: str) -> str:
    """The BIDS subject in a file's path, the last one; empty where there is none.

    Examples
    --------
    >>> subject_label("sub-07/anat/lesion.nii.gz"), subject_label("P07.nii")
    ('sub-07', '')
    """
    for part in reversed(unicodedata.normalize("NFC", file).split("/")):
        if match := _SUBJECT.search(part):
            return match.group()
    return ""


def _telling_level(rows: Iterable[tuple[_Part, ...]]) -> int:
    """The part of the paths with most different names: 0 the file's, or a folder's from 1 on."""
    different: dict[int, set[str]] = defaultdict(set)
    named: set[int] = set()
    for row in rows:
        for level, part in enumerate(row):
            if part.key:
                different[level].add(part.key)
                if not part.is_number:
                    named.add(level)

    def rank(level: int) -> tuple[bool, int, bool, int]:
        count = len(different[level])
        # Findings have numbers as well: a few numbers tell no patients apart where names do. Of
        # equals the file's own name counts, or the folder nearest to it.
        tells = count > 1 and (level in named or count > MAX_FINDINGS)
        return tells, count, not level, level

    return max(different, key=rank, default=0)


def _key_at(row: tuple[_Part, ...], level: int, file: str) -> str:
    """The key of a patient: at this level, or the nearest that has one; or the file's name."""
    levels = [level, 0, *range(len(row) - 1, 0, -1)]
    match = next((row[place].key for place in levels if place < len(row) and row[place].key), "")
    return match or strip_ending(file.rpartition("/")[2]).casefold()


def _without_crowds(
    keys: list[str], parts: list[tuple[_Part, ...]], subjects: list[str]
) -> list[str]:
    """The keys, with their numbers where more files than findings of a patient share one."""
    numbers: dict[str, set[str]] = defaultdict(set)
    for key, row in zip(keys, parts, strict=True):
        numbers[key].add(row[0].whole_key)
    return [
        (len(numbers[key]) > MAX_FINDINGS and not subject and row[0].whole_key) or key
        for key, row, subject in zip(keys, parts, subjects, strict=True)
    ]


def _facts(file: str, key: str, row: tuple[_Part, ...], made_from: MadeFrom) -> NameFacts:
    nearest = (row[0], *reversed(row[1:]))  # what a name says goes before what its folders say

    def first(name: str) -> str:
        return next((getattr(part, name) for part in nearest if getattr(part, name)), "")

    kind, word = _kind_of(nearest, made_from)
    return NameFacts(file, key, first("session"), first("space"), first("side"), kind, word)


def _kind_of(parts: Sequence[_Part], made_from: MadeFrom) -> tuple[Kind, str]:
    variants = [words for option, words in _VARIANTS.items() if option != made_from]
    for place, part in enumerate(parts):
        words = [word for word in part.words if not place or word not in _DATATYPES]
        if variant := next((word for kind in variants for word in words if word in kind), ""):
            return Kind.VARIANT, variant
        if part.has_lesion:
            # A suffix of BIDS is the kind of image: a T1w with a filled lesion is not a mask.
            is_scan = not place and words and words[-1] in _MODALITIES and words[-1][-1] == "w"
            return (Kind.OTHER, words[-1]) if is_scan else (Kind.MASK, "")
        if other := next((word for word in words if word in _OTHER), ""):
            return Kind.OTHER, other
        if _MASK & set(words):
            return Kind.MASK, ""
        if scan := next((word for word in words if word in _MODALITIES), ""):
            return Kind.OTHER, scan
    return Kind.MASK, ""


def session_place(session: str) -> tuple[object, ...]:
    """A key that sorts sessions in time: baseline before follow-up, ses-2 before ses-10.

    Examples
    --------
    >>> sorted(["ses-10", "chronic", "ses-2", "acute"], key=session_place)
    ['acute', 'ses-2', 'ses-10', 'chronic']
    """
    folded = session.casefold().removeprefix("ses-")
    word = re.match(r"[a-z]*", folded)
    rank = _SESSION_ORDER.get(word.group() if word else "", 1)
    pieces = re.split(r"(\d+)", folded)
    return (rank, *((int(p), "") if p.isdigit() else (-1, p) for p in pieces))


def session_key(text: str) -> str:
    """A session as it is compared: ``ses-01``, ``Visit 1`` and 1 are one.

    Examples
    --------
    >>> session_key("ses-01"), session_key("Visit 1"), session_key("Baseline")
    ('1', '1', 'baseline')
    """
    name = _BEFORE_SESSION.sub("", value_text(text).casefold(), count=1)
    plain = re.sub(r"[\W_]+", "", value_text(name))
    plain = _BEFORE_SESSION.sub("", plain, count=1)
    return plain.lstrip("0") or plain


def patient_keys(files: Sequence[str]) -> list[str]:
    """A key for the patient of each file, without ``sub-`` and in small letters.

    Examples
    --------
    >>> patient_keys(["sub-A1_lesion.nii", "sub-a2_ses-1_lesion.nii"])
    ['a1', 'a2']
    """
    return [name.patient.removeprefix("sub-") for name in read_names(files)]
