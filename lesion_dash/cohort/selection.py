"""Which of a patient's files count: the unit is the patient, and several files need a choice."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from ..core.errors import InputError, NotBinary
from ..core.notes import InfoNote
from ..core.space import space_named
from ..core.text import counted, listed
from ..files.listing import matches, strip_ending
from ..files.paths import AnyPath
from ..images.mask_choices import ANY
from .file_choice import ALL_FILES, FIRST, LAST, FileChoice
from .names import Kind, NameFacts, read_names, session_key, session_place

_MOST_OFFERS = 8  # arbitrary: a list that is read at a glance
_MOST_NAMED = 4  # sessions, spaces or files of the example, arbitrary as well
_SHARE = 0.5  # of the patients, whose files tell what the masks of a folder are called; arbitrary

Groups = dict[str, list[NameFacts]]
"""The files of each patient, by the key of the patient."""


@dataclass(frozen=True)
class Offer:
    """A choice that was tried on a folder, and solves it.

    Parameters
    ----------
    choice : FileChoice
    summary : str
        What it takes, such as ``3 of 6 masks, one per patient``.
    """

    choice: FileChoice
    summary: str

    @property
    def words(self) -> str:
        """As a line of a page, which says once what choice and summary share."""
        voxels = self.choice.voxels
        is_said = bool(voxels) and self.summary.startswith(voxels)
        return self.choice.words if is_said else f"{self.choice.words}: {self.summary}"


class SeveralFilesError(InputError):
    """Patients have several files, and nobody said which of them count.

    Attributes
    ----------
    offers : tuple of Offer
        Choices that were tried on this folder.
    """

    offers: tuple[Offer, ...] = ()

    @classmethod
    def of(cls, folder: object, problem: str, offers: tuple[Offer, ...]) -> SeveralFilesError:
        """The error for callers of the library."""
        details = tuple(f"{offer.choice.arguments}: {offer.summary}" for offer in offers)
        error = cls(folder, problem, _remedy(offers, lambda each: each.arguments), details)
        error.offers = offers
        return error

    @property
    def on_command_line(self) -> InputError:
        """The same with options in place of arguments."""
        details = tuple(f"{offer.choice.options}: {offer.summary}" for offer in self.offers)
        remedy = _remedy(self.offers, lambda each: each.options)
        return InputError(self.subject, self.problem, remedy, details)


def _remedy(offers: Sequence[Offer], words: Callable[[FileChoice], str]) -> str:
    if not offers:
        return "keep one file per patient in the folder"
    one_space = all("space-" in offer.choice.pattern for offer in offers)
    *first, last = (words(offer.choice) for offer in offers)
    named = f"{', '.join(first)} or {last}" if first else last
    what = "choose one space" if one_space else "choose which count"
    return f"{what}: {named}" + (f" ({offers[0].summary})" if len(offers) == 1 or one_space else "")


@dataclass
class Selection:
    """The patients of a folder and their files.

    Parameters
    ----------
    ids : dict
        Every file to the id of its patient.
    patients : dict
        Id of each patient to its files, paths below the folder, in the order of the first.
    left_out : dict
        Files that do not count, to the reason.
    notes : list of str
        What was left out and taken together, a sentence each.
    problem : str
        Why a choice is needed.
    """

    ids: dict[str, str]
    patients: dict[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problem: str = ""


def select_files(
    folder: AnyPath, files: Sequence[str], choice: FileChoice = ALL_FILES
) -> tuple[Selection, SeveralFilesError | None]:
    """Group the files of a folder by patient, and take those that count.

    Parameters
    ----------
    folder : Path or UrlPath
        Named in errors.
    files : sequence of str
        Paths below it, in their order; those that match the pattern of the choice.
    choice : FileChoice

    Returns
    -------
    Selection, SeveralFilesError or None
        An error where a patient has several files and nothing was chosen.

    Raises
    ------
    InputError
        Where no file names the session that is asked for.

    Examples
    --------
    >>> files = ["sub-1_ses-1_lesion.nii", "sub-1_ses-2_lesion.nii", "sub-2_ses-1_lesion.nii"]
    >>> selection, error = select_files("masks", files)
    >>> error.problem
    '1 patient has 2 sessions (sub-1: ses-1, ses-2)'
    >>> select_files("masks", files, FileChoice("first"))[0].patients["sub-1"]
    ('sub-1_ses-1_lesion.nii',)
    """
    names = read_names(files, choice.made_from)
    selection = _select(folder, names, choice)
    if not selection.problem:
        return selection, None
    offers = tuple(_offers(folder, names, choice))
    return selection, SeveralFilesError.of(folder, selection.problem, offers)


def _select(folder: AnyPath, names: Sequence[NameFacts], choice: FileChoice) -> Selection:
    groups = _grouped(names)
    pairs = zip(_ids(groups), groups.values(), strict=True)
    selection = Selection({name.file: identity for identity, group in pairs for name in group})
    groups = _masks_of(selection, groups)
    if choice.session:
        groups = _of_session(selection, groups, choice.session, folder)
    if choice.several_files == "separate":
        groups = _separate(selection, groups)
    several = {key: group for key, group in groups.items() if len(group) > 1}
    # Two spaces hold one lesion twice, at different voxels: their union is none.
    differ = any(len({name.space for name in group}) > 1 for group in several.values())
    if several and (differ or choice.several_files != "union"):
        selection.problem = _problem(several, selection.ids)
    elif several:
        total, patients = sum(map(len, several.values())), counted(len(several), "patient")
        example = listed([name.file for name in next(iter(several.values()))], _MOST_NAMED)
        note = f"{total:,} files of {patients} taken together, such as {example}"
        selection.notes.append(InfoNote(note))
    for group in groups.values():
        selection.patients[selection.ids[group[0].file]] = tuple(name.file for name in group)
    return selection


def _grouped(names: Iterable[NameFacts]) -> Groups:
    groups: Groups = defaultdict(list)
    for name in names:
        groups[name.patient].append(name)
    return dict(groups)


def _ids(groups: Groups) -> list[str]:
    """The id of each patient, as it is written in the names; the path where two would be equal."""
    files = [[name.file for name in group] for group in groups.values()]
    ids = [_id_of(key, own) for key, own in zip(groups, files, strict=True)]
    times = Counter(ids)
    pairs = zip(ids, files, strict=True)
    return [own if times[own] == 1 else strip_ending(paths[0]) for own, paths in pairs]


def _id_of(key: str, files: Sequence[str]) -> str:
    """The subject of BIDS, the name of the one file or the folder, or what their names share."""
    if key.startswith("sub-"):
        return next((text for file in files if (text := _as_written(key, file))), key)
    stem = strip_ending(files[0].rpartition("/")[2])
    if len(files) == 1 and key.split("_", maxsplit=1)[0] in stem.casefold():
        return stem
    for folder in reversed(files[0].split("/")[:-1]):
        if folder.casefold() == key or (len(files) == 1 and key in folder.casefold()):
            return folder
    return _as_written(key, stem) or key


def _as_written(key: str, text: str) -> str:
    """The part of a text that is this key, in its own capitals; empty where it is none."""
    place = text.casefold().find(key)
    part = text[place : place + len(key)]  # in some alphabets small letters are more
    return part if place >= 0 and part.casefold() == key else ""


def _masks_of(selection: Selection, groups: Groups) -> Groups:
    """The files that are masks of lesions by their names, where their names tell.

    What is something else by its name does not count where its patient, or most patients, have a
    better file; where no name says anything better, every file counts.
    """
    best = {key: min(name.kind for name in group) for key, group in groups.items()}
    most = max(1, _SHARE * len(best))
    shared = (kind for kind in Kind if sum(own <= kind for own in best.values()) >= most)
    usual, left_out = next(shared, Kind.OTHER), selection.left_out
    masks: Groups = {}
    for key, group in groups.items():
        worst = min(best[key], usual)
        for name in group:
            if name.kind > worst:
                left_out[name.file] = f"not a lesion mask by its name ({name.word}), not counted"
        if taken := [name for name in group if name.kind <= worst]:
            masks[key] = taken
    if left_out:
        what = "1 file is not a lesion mask by its name:"
        if len(left_out) > 1:
            what = f"{len(left_out):,} files are not lesion masks by their names, such as"
        selection.notes.append(f"{what} {next(iter(left_out))}; not counted")
    return masks


def _of_session(selection: Selection, groups: Groups, session: str, folder: AnyPath) -> Groups:
    """The files of one session of each patient."""
    known = dict.fromkeys(n.session for group in groups.values() for n in group if n.session)
    if not known and session not in (FIRST, LAST):
        problem = f"no name of a mask tells its session, and session {session} is asked for"
        raise InputError(folder, problem, "omit the session")
    if not known:
        return groups
    ends, key_given = {FIRST: min, LAST: max}, session_key(session)
    chosen: Groups = {}
    for key, group in groups.items():
        own = {name.session for name in group if name.session}
        if session in ends:
            # A patient without the name of any session has one, as far as anybody knows.
            sessions = {ends[session](own, key=session_place)} if own else {""}
        else:
            sessions = own & {session} or {each for each in own if session_key(each) == key_given}
        if taken := [name for name in group if name.session in sessions]:
            chosen[key] = taken
        for name in group:
            if name.session not in sessions:
                which = f"session {name.session}" if name.session else "no session in its name"
                selection.left_out[name.file] = f"{which}, not the chosen one"
    if not chosen:
        names = sorted(known, key=session_place)
        remedy = f"choose first, last or one of {listed(names, 12)}"
        raise InputError(folder, f"no mask is of session {session}", remedy)
    taken_files, files = (sum(map(len, each.values())) for each in (chosen, groups))
    counted_files = f"session {session}: {taken_files:,} of {files:,} masks counted"
    selection.notes.append(InfoNote(counted_files))
    if missing := [group for key, group in groups.items() if key not in chosen]:
        who = f"{len(missing):,} of {counted(len(groups), 'patient')} without a mask of session"
        example = selection.ids[missing[0][0].file]
        selection.notes.append(f"{who} {session}, such as {example}; not counted")
    return chosen


def _separate(selection: Selection, groups: Groups) -> Groups:
    """Every file as a patient of its own, with its path as the id where a patient has several."""
    several = [group for group in groups.values() if len(group) > 1]
    selection.ids |= {name.file: strip_ending(name.file) for group in several for name in group}
    if several:
        what = "name stands" if len(several) == 1 else "names stand"
        who = f"{len(several):,} {what} for several patients each"
        selection.notes.append(InfoNote(f"{who}: every file is one patient"))
    return {name.file: [name] for group in groups.values() for name in group}


def _problem(several: Groups, ids: Mapping[str, str]) -> str:
    """How many patients have several of what, with one of them."""
    groups, is_one = several.values(), len(several) == 1
    group = max(groups, key=lambda each: len({name.session for name in each}))
    sessions = [len({name.session for name in each}) for each in groups]
    spaces = [len({name.space for name in each}) for each in groups]
    parts: list[str] = []
    values: Iterable[str] = [name.file for name in group]
    if max(sessions) > 1:
        parts.append(f"{_span(sessions)} sessions")
        values = sorted({name.session or "none" for name in group}, key=session_place)
    if max(spaces) > 1:
        parts.append(f"masks in {_span(spaces)} spaces")
        values = values if max(sessions) > 1 else sorted({name.space or "none" for name in group})
    if all({"left", "right"} <= {name.side for name in each} for each in groups):
        parts.append("a left and a right mask")
    what = " and ".join(parts or [f"{_span([*map(len, groups)])} masks"])
    who, each, such = ("patient has", "", "") if is_one else ("patients have", " each", "such as ")
    example = f"{such}{ids[group[0].file]}: {listed(values, _MOST_NAMED)}"
    return f"{len(several):,} {who} {what}{each} ({example})"


def _span(numbers: Sequence[int]) -> str:
    low, high = max(min(numbers), 1), max(numbers)
    return str(high) if low == high else f"{low} to {high}"


def _offers(folder: AnyPath, names: Sequence[NameFacts], choice: FileChoice) -> Iterator[Offer]:
    """The choices that solve a folder, those alone that keep all patients where some do."""
    whole = _select(folder, names, replace(choice, session="")).patients
    tried: list[tuple[int, Offer]] = []
    for candidate in _candidates(names, choice):
        if candidate.pattern == choice.pattern:
            fits = names
        else:  # as that run will read them, in the light of the files that match
            files = [name.file for name in names if matches(candidate.pattern, name.file)]
            fits = read_names(files, choice.made_from)
        for option in dict.fromkeys((candidate, replace(candidate, several_files="union"))):
            selection = _select(folder, fits, option)
            if (patients := len(selection.patients)) and not selection.problem:
                tried.append((patients, Offer(option, _summary(selection, whole))))
                break
    most = max((patients for patients, _ in tried), default=0)
    kept = [offer for patients, offer in tried if patients == most]
    yield from dict.fromkeys(kept[:_MOST_OFFERS])
    if len(kept) < _MOST_OFFERS and _may_be_others(names):
        separate = replace(choice, several_files="separate")
        patients = len(_select(folder, names, separate).patients)
        yield Offer(separate, f"{patients:,} patients, one per file")


def _candidates(names: Sequence[NameFacts], choice: FileChoice) -> Iterator[FileChoice]:
    """Sessions, then words and folders that only some of a patient's files have."""
    masks = [name for name in names if name.kind == Kind.MASK]
    known = Counter(name.session for name in masks if name.session).most_common(_MOST_OFFERS)
    sessions = sorted(dict(known), key=session_place)
    has_sessions = len(sessions) > 1 and not choice.session
    of_sessions = [replace(choice, session=one) for one in (FIRST, LAST, *sessions) if has_sessions]
    yield from of_sessions
    yield replace(choice, several_files="union")
    groups = [group for group in _grouped(masks).values() if len(group) > 1]
    spaces = {name.space for group in groups for name in group if name.space}
    # In the space of a scan every patient has another one.
    spaces = {s for s in spaces if space_named(s, "").kind == "template"} or spaces
    is_space = any(len({name.space for name in group}) > 1 for group in groups)
    if choice.pattern != "*" or (has_sessions and not is_space):
        return  # another pattern would take the place of the one that was given
    for word in _telling_words(groups):
        if is_space == any(word.rstrip("/").endswith(space) for space in spaces):
            pattern = f"{word}*" if word.endswith("/") else f"*{word}*"
            yield from [replace(each, pattern=pattern) for each in of_sessions[:2] or [choice]]


def _telling_words(groups: Iterable[Sequence[NameFacts]]) -> list[str]:
    """The commonest words that only some of a patient's files have."""
    times: Counter[str] = Counter()
    for group in groups:
        words = [dict.fromkeys(_words(name.file)) for name in group]
        shared = set.intersection(*map(set, words))
        times.update(word for own in words for word in own if word not in shared)
    return [word for word, _ in times.most_common(3 * _MOST_OFFERS)]


def _words(file: str) -> list[str]:
    """The words of a name, and its folders, each with a slash behind it."""
    *folders, name = file.split("/")
    return [*(word for word in re.split(r"[_\s.]", strip_ending(name)) if len(word) > 1),
            *(f"{folder}/" for folder in folders)]  # fmt: skip


def _may_be_others(names: Sequence[NameFacts]) -> bool:
    """Whether files of one name lie in several folders, and nothing else tells them apart."""
    groups = _grouped(name for name in names if name.kind == Kind.MASK)
    return all(
        len({name.file.rpartition("/")[0] for name in group}) == len(group)
        and len({(name.session, name.space, name.side) for name in group}) == 1
        for group in groups.values()
        if len(group) > 1
    )


def _summary(selection: Selection, whole: Mapping[str, Sequence[str]]) -> str:
    """How many of all masks, and of all patients, are taken."""
    taken, masks = (sum(map(len, each.values())) for each in (selection.patients, whole))
    patients = len(selection.patients)
    how = ", one per patient" if taken == patients else ""  # the choice says "union"
    of = "" if patients == len(whole) else f", {patients:,} of {len(whole):,} patients"
    return f"{taken:,} of {masks:,} masks{how}{of}"


# Files that are not binary masks, and the one choice that makes masks of all of a folder.

SHARE_OF_OTHERS = 0.1
"""Share of the files that may be no masks. Arbitrary, as that of files on another grid: a few that
strayed in must not stop a cohort; many are patients that would be missing."""

_FEW_LABELS = 3  # of which pairs are offered as well, arbitrary: 2**3 choices are read at a glance
_MOST_SINGLE = 6  # labels that are offered one by one, arbitrary as well


def choice_fault(
    root: AnyPath,
    others: Mapping[AnyPath, NotBinary],
    masks: int,
    chosen: FileChoice = ALL_FILES,
) -> InputError | None:
    """Why a folder makes no cohort before a choice: too many of its files hold several values.

    Parameters
    ----------
    root : Path or UrlPath
    others : mapping
        Files that hold more values than two, with the error each of them made.
    masks : int
        Files that are masks already.
    chosen : FileChoice
        What was chosen already, and stays so.

    Returns
    -------
    InputError or None
        Its offers work for every file; None where there is no such choice, or few files need one.
    """
    total = len(others) + masks
    if not others or len(others) <= SHARE_OF_OTHERS * total:
        return None
    who = f"{len(others):,} of {counted(total, 'file')}"
    (path, error), *rest = sorted(others.items())
    different = [pair for pair in rest if pair[1].labels != error.labels][:1]
    if all(each.labels for each in others.values()):
        examples = [(path, error), *different]
        held = ", ".join(f"{p.name} ({', '.join(map(str, e.labels))})" for p, e in examples)
        labels = [ANY]  # all together first, then some, then each
        if not different and not masks:
            pairs = combinations(error.labels, 2) if len(error.labels) == _FEW_LABELS else ()
            labels += [*(f"{a},{b}" for a, b in pairs), *map(str, error.labels[:_MOST_SINGLE])]
        offers = [_offer(chosen, label=label) for label in labels]
        problem = f"{who} hold several labels, such as {held}"
        return SeveralFilesError.of(root, problem, tuple(offers))
    if masks or len({each.remedy for each in others.values()}) > 1:
        return None  # no one choice is right for all of them
    problem = f"{who} are not masks, such as {path.name}: {error.problem}"
    if error.threshold is None:
        return InputError(root, problem, error.remedy)
    return SeveralFilesError.of(root, problem, (_offer(chosen, threshold=error.threshold),))


def _offer(chosen: FileChoice, **values: str | float) -> Offer:
    # In place of what was chosen and does not fit: a label and a threshold exclude each other.
    voxels: dict[str, Any] = {"label": None, "threshold": None, **values}
    choice = replace(chosen, **voxels)
    return Offer(choice, f"{choice.voxels} of each file")
