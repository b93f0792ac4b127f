"""A choice among the files of a patient, and what they are taken for."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

from ..core.errors import InputError, check_choice
from ..core.space import space_of_user
from ..core.text import shell_word
from ..images.mask_choices import label_text, parse_threshold
from .names import MadeFrom

SeveralFiles = Literal["refuse", "union", "separate"]
"""What becomes of several files of one patient: refused, taken together, or a patient each."""

FIRST, LAST = "first", "last"
_PARTS = re.compile(
    r"session (?P<session>.+)|pattern (?P<pattern>.+)|(?P<several_files>union|separate)|"
    r"label (?P<label>.+)|threshold (?P<threshold>.+)|space (?P<space>.+)"
)


@dataclass(frozen=True)
class FileChoice:
    """Which of the files of a patient count, and what they are taken for.

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
    space : str or None
        The space that the user states for them; None for what they state.

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
    space: str | None = None

    def __post_init__(self) -> None:
        check_choice("several_files", self.several_files, get_args(SeveralFiles))
        object.__setattr__(self, "label", label_text(self.label))
        object.__setattr__(self, "threshold", parse_threshold(self.threshold))
        if self.space is not None:
            space_of_user(self.space)

    @classmethod
    def parse(cls, text: str) -> FileChoice:
        """The choice that `str` has written; an `InputError` where it is none."""
        values = dict[str, str]()
        for part in filter(None, text.split("; ")):
            match = _PARTS.fullmatch(part)
            if match is None:
                raise InputError(part, "is not a choice among a patient's files")
            values |= {name: value for name, value in match.groupdict().items() if value}
        return cls(**values)  # type: ignore[arg-type]

    def __str__(self) -> str:
        pairs = self._changed.items()
        return "; ".join(v if n == "several_files" else f"{n} {v}" for n, v in pairs)

    @property
    def _changed(self) -> dict[str, str]:
        """What differs from the default, as text and in the order of a command."""
        names = ("session", "pattern", "several_files", "label", "threshold", "space")
        values = {name: getattr(self, name) for name in names}
        return {n: str(v) for n, v in values.items() if v != getattr(ALL_FILES, n)}

    @property
    def options(self) -> str:
        """As options of a command."""
        return " ".join(map(shell_word, self.words_of_command))

    @property
    def words_of_command(self) -> list[str]:
        """The words of these options, without quotes."""
        pairs = ((f"--{n.replace('_', '-')}", value) for n, value in self._changed.items())
        return [word for pair in pairs for word in pair]

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
            "" if self.space is None else f"taken to lie in {space_of_user(self.space).words}",
        )
        text = ", ".join(str(part) for part in parts if part)
        return text[:1].upper() + text[1:]

    @property
    def arguments(self) -> str:
        """As arguments of `load_cohort`."""
        return ", ".join(f"{n}={v!r}" for n, v in vars(self).items() if n in self._changed)


ALL_FILES = FileChoice()


def joint_choice(a: FileChoice, b: FileChoice) -> FileChoice:
    """The one choice that takes the same files of two folders as a choice for each, or an error.

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
