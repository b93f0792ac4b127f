"""Which of a patient's files count: the unit is the patient, and several files need a choice."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from ..core.errors import InputError, check_choice
from ..core.notes import InfoNote
from ..core.space import space_named
from ..core.text import counted, shell_word
from ..files.listing import matches, strip_ending
from ..files.paths import AnyPath
from ..images.mask_choices import label_text, parse_threshold
from .names import Kind, MadeFrom, NameFacts, read_names, session_key, session_place

SeveralFiles = Literal["refuse", "union", "separate"]
"""What becomes of several files of one patient: refused, taken together, or a patient each."""

FIRST, LAST = "first", "last"
_MOST_OFFERS = 8  # arbitrary: a list that is read at a glance
_MOST_NAMED = 4  # sessions, spaces or files of the example, arbitrary as well
_SHARE = 0.5  # of the patients, whose files tell what the masks of a folder are called; arbitrary
_PARTS = re.compile(r"session (.+)|pattern (.+)|(union|separate)|label (.+)|threshold (.+)")


@dataclass(frozen=True)
class FileChoice:
    """Which of the files of a patient count.

    Parameters
    ----------
    session : str
        ``first`` or ``last`` of each patient, or the name of one, such as ``ses-1`` or ``1``;
        empty for all.
    several_files : {"refuse", "union", "separate"}
        Whether several files of a patient are an error, are taken together, voxels of the union
        counted once, or are patients of their own.
    pattern : str
        Only files whose name, or path below the folder, matches.
    label : int, str or None
        Of label maps, which voxels are the lesion, see `Binarization`.
    threshold : float, str or None
        The same of maps of probabilities.

    Examples
    --------
    >>> str(FileChoice("ses-1", "union")), FileChoice.parse("session ses-1; union").session
    ('session ses-1; union', 'ses-1')
    """

    session: str = ""
    several_files: SeveralFiles = "refuse"
    pattern: str = "*"
    label: int | str | None = None
    threshold: float | str | None = None

    def __post_init__(self) -> None:
        check_choice("several_files", self.several_files, get_args(SeveralFiles))
        object.__setattr__(self, "label", label_text(self.label))
        object.__setattr__(self, "threshold", parse_threshold(self.threshold))

    @classmethod
    def parse(cls, text: str) -> FileChoice:
        """The choice that `str` has written; an `InputError` where it is none."""
        values = dict[str, str]()
        for part in filter(None, text.split("; ")):
            match = _PARTS.fullmatch(part)
            if match is None:
                raise InputError(part, "is no choice among a patient's files")
            names = ("session", "pattern", "several_files", "label", "threshold")
            values |= {n: v for n, v in zip(names, match.groups(), strict=True) if v}
        return cls(**values)  # type: ignore[arg-type]

    def __str__(self) -> str:
        parts = [
            self.session and f"session {self.session}",
            self.pattern != "*" and f"pattern {self.pattern}",
            self.several_files != "refuse" and self.several_files,
            self.label is not None and f"label {self.label}",
            self.threshold is not None and f"threshold {self.threshold}",
        ]
        return "; ".join(str(part) for part in parts if part)

    @property
    def options(self) -> str:
        """As options of a command."""
        return " ".join(map(shell_word, self.words_of_command))

    @property
    def words_of_command(self) -> list[str]:
        """The words of these options, without quotes."""
        values = (
            ("--session", self.session, ""),
            ("--pattern", self.pattern, "*"),
            ("--several-files", self.several_files, "refuse"),
            ("--label", self.label, None),
            ("--threshold", self.threshold, None),
        )
        used = [(flag, str(value)) for flag, value, usual in values if value != usual]
        return [word for pair in used for word in pair]

    @property
    def made_from(self) -> MadeFrom:
        """What masks are made of, see `read_names`."""
        if self.threshold is not None:
            return "threshold"
        return "" if self.label is None else "label"

    @property
    def voxels(self) -> str:
        """Which voxels are the lesion, as words; empty for those of a mask."""
        if self.label is None and self.threshold is None:
            return ""
        from ..images.masks import Binarization

        return Binarization(self.threshold, self.label).words

    @property
    def words(self) -> str:
        """As words of a page.

        Examples
        --------
        >>> FileChoice("first", "union").words
        'First session, files of a patient taken together'
        """
        word = self.pattern.strip("*").strip("/")
        is_end = self.session in (FIRST, LAST)
        parts = (
            self.session and (f"{self.session} session" if is_end else f"session {self.session}"),
            self.pattern != "*" and f"“{word}” in the name or folder",
            {
                "union": "files of a patient taken together",
                "separate": "every file a patient of its own",
            }.get(self.several_files),
            self.voxels,
        )
        text = ", ".join(str(part) for part in parts if part)
        return text[:1].upper() + text[1:]

    @property
    def arguments(self) -> str:
        """As arguments of `load_cohort`."""
        usual = FileChoice()
        names = [name for name in vars(self) if getattr(self, name) != getattr(usual, name)]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)


ALL_FILES = FileChoice()


def joint_choice(a: FileChoice, b: FileChoice) -> FileChoice:
    """The one choice that takes the same files of two folders as a choice for each.

    Raises
    ------
    InputError
        Where there is none.

    Examples
    --------
    >>> str(joint_choice(FileChoice(several_files="union"), FileChoice()))
    'union'
    """
    for own, other in ((a, b), (b, a)):
        # Who needs no choice among several files has one file of each patient.
        if own == other or own == replace(other, several_files="refuse"):
            return other
    problem = f"their files are chosen in two ways ({a.words or 'all'}; {b.words or 'all'})"
    raise InputError("A and B", problem, "choose the same for both, which one analysis can read")


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
    what = "take one space" if one_space else "choose which count"
    return f"{what}: {named}" + (f" ({offers[0].summary})" if len(offers) == 1 or one_space else "")


@dataclass(frozen=True)
class Selection:
    """The patients of a folder and their files.

    Parameters
    ----------
    patients : dict
        Id of each patient to its files, paths below the folder, in the order of the first.
    ids : dict
        Every file to the id of its patient.
    left_out : dict
        Files that do not count, to the reason.
    notes : tuple of str
        What was left out and taken together, a sentence each.
    problem : str
        Why a choice is needed.
    """

    patients: dict[str, tuple[str, ...]]
    ids: dict[str, str]
    left_out: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
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
    selection : Selection
    error : SeveralFilesError or None
        Where a patient has several files and nothing was chosen.

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
    left_out: dict[str, str] = {}
    notes: list[str] = []
    groups = _grouped(names)
    ids = {
        name.file: identity
        for identity, group in zip(_ids(groups), groups.values(), strict=True)
        for name in group
    }
    masks = _masks_of(groups, left_out, notes)
    if choice.session:
        masks = _of_session(folder, masks, ids, choice.session, left_out, notes)
    if choice.several_files == "separate":
        masks, ids = _separate(masks, ids, notes)
    problem = _several(masks, ids, choice.several_files == "union", notes)
    patients = {ids[group[0].file]: tuple(name.file for name in group) for group in masks.values()}
    return Selection(patients, ids, left_out, tuple(notes), problem)


def _several(groups: Groups, ids: Mapping[str, str], is_union: bool, notes: list[str]) -> str:
    """Why a choice is needed; nothing, and a note, where a patient's files are taken together."""
    several = {key: group for key, group in groups.items() if len(group) > 1}
    # Two spaces hold one lesion twice, at different voxels: their union is none.
    if any(len({name.space for name in group}) > 1 for group in several.values()) or not is_union:
        return _problem(several, ids) if several else ""
    if several:
        total, patients = sum(map(len, several.values())), counted(len(several), "patient")
        example = _listed(name.file for name in next(iter(several.values())))
        notes.append(InfoNote(f"{total:,} files of {patients} taken together, such as {example}"))
    return ""


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
    paths = [strip_ending(own[0]) for own in files]
    return [own if times[own] == 1 else path for own, path in zip(ids, paths, strict=True)]


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


def _masks_of(groups: Groups, left_out: dict[str, str], notes: list[str]) -> Groups:
    """The files that are masks of lesions by their names, where their names tell.

    What is something else by its name does not count where its patient, or most patients, have a
    better file; where no name says anything better, every file counts.
    """
    best = {key: min(name.kind for name in group) for key, group in groups.items()}
    usual = next(
        (
            kind
            for kind in Kind
            if sum(own <= kind for own in best.values()) >= max(1, _SHARE * len(best))
        ),
        Kind.OTHER,
    )
    masks: Groups = {}
    for key, group in groups.items():
        worst = min(best[key], usual)
        taken = [name for name in group if name.kind <= worst]
        for name in group:
            if name.kind > worst:
                left_out[name.file] = f"no lesion mask by its name ({name.word}), not counted"
        if taken:
            masks[key] = taken
    if left_out:
        many = len(left_out)
        what = "1 file is no lesion mask by its name:" if many == 1 else (
            f"{many:,} files are no lesion masks by their names, such as"
        )  # fmt: skip
        notes.append(f"{what} {next(iter(left_out))}; not counted")
    return masks


def _of_session(
    folder: AnyPath,
    groups: Groups,
    ids: Mapping[str, str],
    session: str,
    left_out: dict[str, str],
    notes: list[str],
) -> Groups:
    """The files of one session of each patient."""
    known = Counter(name.session for group in groups.values() for name in group if name.session)
    if not known and session not in (FIRST, LAST):
        problem = f"no name of a mask tells its session, and session {session} is asked for"
        raise InputError(folder, problem, "omit the session")
    if not known:
        return groups
    ends, key_given = {FIRST: min, LAST: max}, session_key(session)
    chosen: Groups = {}
    missing: list[str] = []
    for key, group in groups.items():
        own = {name.session for name in group if name.session}
        if session in ends:
            # A patient without the name of any session has one, as far as anybody knows.
            sessions = {ends[session](own, key=session_place)} if own else {""}
        else:
            sessions = own & {session} or {each for each in own if session_key(each) == key_given}
        taken = [name for name in group if name.session in sessions]
        if taken:
            chosen[key] = taken
        else:
            missing.append(ids[group[0].file])
        for name in group:
            if name.session not in sessions:
                left_out[name.file] = f"{_session_words(name.session)}, not the one chosen"
    if not chosen:
        remedy = f"choose first, last or one of {_listed(sorted(known, key=session_place), 12)}"
        raise InputError(folder, f"no mask is of session {session}", remedy)
    total = len(groups)
    taken_files = sum(map(len, chosen.values()))
    files = sum(map(len, groups.values()))
    notes.append(InfoNote(f"session {session}: {taken_files:,} of {files:,} masks counted"))
    if missing:
        notes.append(
            f"{len(missing):,} of {counted(total, 'patient')} without a mask of session {session}, "
            f"such as {missing[0]}; not counted"
        )
    return chosen


def _session_words(session: str) -> str:
    return f"session {session}" if session else "no session in its name"


def _separate(
    groups: Groups, ids: Mapping[str, str], notes: list[str]
) -> tuple[Groups, dict[str, str]]:
    """Every file as a patient of its own, with its path as the id where a patient has several."""
    separate: Groups = {}
    own_ids, several = dict(ids), 0
    for group in groups.values():
        several += len(group) > 1
        for name in group:
            separate[name.file] = [name]
            if len(group) > 1:
                own_ids[name.file] = strip_ending(name.file)
    if several:
        what = "name stands" if several == 1 else "names stand"
        note = f"{several:,} {what} for several patients each: every file is one patient"
        notes.append(InfoNote(note))
    return separate, own_ids


# What has to be chosen, and what can be.


def _problem(several: Groups, ids: Mapping[str, str]) -> str:
    """How many patients have several of what, with one of them."""
    group = max(several.values(), key=lambda each: len({name.session for name in each}))
    sessions = [len({name.session for name in each}) for each in several.values()]
    spaces = [len({name.space for name in each}) for each in several.values()]
    parts: list[str] = []
    values: Iterable[str] = [name.file for name in group]
    if max(sessions) > 1:
        parts.append(f"{_span(sessions)} sessions")
        values = sorted({name.session or "none" for name in group}, key=session_place)
    if max(spaces) > 1:
        parts.append(f"masks in {_span(spaces)} spaces")
        values = values if max(sessions) > 1 else sorted({name.space or "none" for name in group})
    if all({"left", "right"} <= {name.side for name in each} for each in several.values()):
        parts.append("a left and a right mask")
    parts = parts or [f"{_span(map(len, several.values()))} masks"]
    who = "patient has" if len(several) == 1 else "patients have"
    each = " each" if len(several) > 1 else ""
    such = "such as " if len(several) > 1 else ""
    example = f"{such}{ids[group[0].file]}: {_listed(values)}"
    return f"{len(several):,} {who} {' and '.join(parts)}{each} ({example})"


def _span(numbers: Iterable[int]) -> str:
    several = list(numbers)
    low, high = max(min(several), 1), max(several)
    return str(high) if low == high else f"{low} to {high}"


def _listed(values: Iterable[str], most: int = _MOST_NAMED) -> str:
    several = list(values)
    more = [f"{len(several) - most:,} more"] if len(several) > most else []
    return ", ".join([*several[:most], *more])


def _offers(folder: AnyPath, names: Sequence[NameFacts], choice: FileChoice) -> Iterator[Offer]:
    """The choices that solve a folder, those that keep all patients alone where there are any."""
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
            if selection.patients and not selection.problem:
                patients = len(selection.patients)
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
    sessions = sorted((session for session, _ in known), key=session_place)
    has_sessions = len(sessions) > 1 and not choice.session
    ends = [replace(choice, session=end) for end in (FIRST, LAST)] if has_sessions else []
    yield from ends
    yield from [replace(choice, session=session) for session in sessions] if has_sessions else []
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
            yield from [replace(each, pattern=pattern) for each in ends or [choice]]


def _telling_words(groups: Iterable[Sequence[NameFacts]]) -> list[str]:
    """The commonest words that only some of a patient's files have."""
    times: Counter[str] = Counter()
    for group in groups:
        words = [set(_words(name.file)) for name in group]
        shared = set.intersection(*words)
        for name in group:
            times.update(list(dict.fromkeys(w for w in _words(name.file) if w not in shared)))
    return [word for word, _ in times.most_common(3 * _MOST_OFFERS)]


def _words(file: str) -> list[str]:
    """The words of a name, and its folders, each with a slash behind it."""
    *folders, name = file.split("/")
    return [*(word for word in re.split(r"[_\s.]", strip_ending(name)) if len(word) > 1),
            *(f"{folder}/" for folder in folders)]  # fmt: skip


def _may_be_others(names: Sequence[NameFacts]) -> bool:
    """Whether files of one name lie in several folders, and nothing else tells them apart."""
    groups = _grouped(name for name in names if name.kind == Kind.MASK)
    several = [group for group in groups.values() if len(group) > 1]
    return all(
        len({name.file.rpartition("/")[0] for name in group}) == len(group)
        and len({(name.session, name.space, name.side) for name in group}) == 1
        for group in several
    )


def _summary(selection: Selection, whole: Mapping[str, Sequence[str]]) -> str:
    """How many of all masks, and of all patients, are taken."""
    taken, masks = (sum(map(len, each.values())) for each in (selection.patients, whole))
    patients = len(selection.patients)
    how = ", one per patient" if taken == patients else ""  # the choice says "union"
    of = "" if patients == len(whole) else f", {patients:,} of {len(whole):,} patients"
    return f"{taken:,} of {masks:,} masks{how}{of}"
