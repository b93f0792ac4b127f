"""Spaces: what the coordinates of an image refer to, who says so, and whether two are one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

from .errors import InputError
from .text import counted

Kind = Literal["template", "scanner", "unknown"]

MNI = "MNI152"
"""An MNI152 template, whichever."""

TALAIRACH = "Talairach"
OTHER_TEMPLATE = "another template"
USER = "stated by the user"
ATLAS = "atlas"
"""The kind of input of which there may be several, each in a space of its own."""

KNOWN = (
    MNI,
    TALAIRACH,
    *(f"MNI152NLin2009{release}{sides}" for release in "abc" for sides in ("Sym", "Asym")),
    *("MNI152NLin6Sym", "MNI152NLin6Asym", "MNI152Lin", "MNI305", "MNIColin27"),
    *("MNIInfant", "MNIPediatricAsym", "IXI549Space", "ICBM452AirSpace", "ICBM452Warp5Space"),
    *("OASIS30ANTs", "NKI", "PNC", "UNCInfant", "fsaverage", "fsLR"),
)
"""Templates by the names of the BIDS standard and of TemplateFlow."""

_BY_SPELLING = {name.casefold(): name for name in KNOWN} | {"tal": TALAIRACH}
_OF_A_SCAN = frozenset(
    (
        *("scanner", "native", "individual", "orig", "original", "raw", "subject", "patient"),
        *("anat", "func", "acpc", "fsnative", "t1", "t1w", "t2", "t2w", "t2star", "t2starw"),
        *("flair", "pd", "pdw", "swi", "dwi", "adc", "trace", "b0", "ct", "pet", "asl"),
        *("bold", "boldref", "epi"),
    )
)
"""What `space-` is followed by where an image lies in the space of one scan of the patient."""

# `space-MNI`, `space-mni2mm`: an MNI template, and it does not say which.
_ANY_MNI = re.compile(r"(icbm|mni)(152)?(space)?(\d([p.]\d+)?mm)?", re.IGNORECASE)
_TALAIRACH_TO_MNI = "they differ by up to about 10 mm (Lancaster et al. 2007)"


@dataclass(frozen=True)
class StatedSpace:
    """The space of an image, as something beside its voxels states it.

    Parameters
    ----------
    kind : {"template", "scanner", "unknown"}
        A standard space; that of one scan, of which every patient has another; or nothing is said.
    name : str
        Of the template, such as ``MNI152NLin6Asym``; empty for another kind.
    source : str
        What states it, such as ``sform code 4``.
    is_noted : bool
        Whether the note of a cohort says already that it is not a standard space.

    Examples
    --------
    >>> print(StatedSpace("template", "Talairach", "sform code 3"))
    Talairach space (sform code 3)
    >>> print(StatedSpace("scanner", "", "sform code 1"))
    scanner space (sform code 1)
    """

    kind: Kind
    name: str
    source: str
    is_noted: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.words} ({self.source})"

    @property
    def words(self) -> str:
        """The space without who states it."""
        if self.kind == "template":
            return f"{self.name} space" if self.name == TALAIRACH else self.name
        return "scanner space" if self.kind == "scanner" else "no standard space"

    @property
    def label(self) -> str:
        """The space as a user states it; empty where that cannot be said in one word."""
        if self.kind == "scanner":
            return "scanner"
        return "" if self.name == OTHER_TEMPLATE else self.name

    @property
    def is_mni(self) -> bool:
        """Whether it is that of an MNI template, whichever."""
        return self.kind == "template" and self.name.startswith(("MNI", "ICBM"))

    def difference(self, other: StatedSpace) -> str:
        """What it means to use two spaces together; empty where they may be one.

        Nothing is said of images that state nothing, nor of two that lie in the space of a scan.

        Examples
        --------
        >>> mni, talairach = (StatedSpace("template", name, "") for name in (MNI, TALAIRACH))
        >>> talairach.difference(mni)
        'they differ by up to about 10 mm (Lancaster et al. 2007)'
        >>> mni.difference(StatedSpace("template", "MNI152NLin6Asym", ""))
        ''
        """
        kinds = {self.kind, other.kind}
        if "unknown" in kinds or kinds == {"scanner"}:
            return ""
        if "scanner" in kinds:
            return (
                ""
                if self.is_noted or other.is_noted
                else "correct only if both were registered to one space"
            )
        names = {self.name, other.name}
        if len(names) == 1 or (MNI in names and self.is_mni and other.is_mni):
            return ""
        if TALAIRACH in names and (self.is_mni or other.is_mni):
            return _TALAIRACH_TO_MNI
        if OTHER_TEMPLATE in names and not names & {MNI, TALAIRACH}:
            return ""  # it may be the one that is named
        return "these are two templates, which differ by some mm"


def space_named(label: str, source: str) -> StatedSpace:
    """The space that a label stands for, as after `space-` in the name of a file.

    Examples
    --------
    >>> space_named("mni152nlin6asym", "").name, space_named("MNI", "").name
    ('MNI152NLin6Asym', 'MNI152')
    >>> space_named("T1w", "").kind
    'scanner'
    """
    small = label.casefold()
    if small == "study":  # of BIDS: a space that no standard template defines
        return StatedSpace("unknown", "", source)
    if small in _OF_A_SCAN:
        return StatedSpace("scanner", "", source)
    if _ANY_MNI.fullmatch(small):
        return StatedSpace("template", MNI, source)
    return StatedSpace("template", _BY_SPELLING.get(small, label), source)


def known_label(text: str) -> str:
    """The template that is named in a text as a word of its own; empty where none is.

    Examples
    --------
    >>> known_label("Schaefer2018_FSLMNI152_2mm"), known_label("lesion_mni"), known_label("sub-01")
    ('MNI152NLin6Asym', 'mni', '')
    """
    words = re.findall(r"[^\W_]+", text)
    # Others, such as NKI, are names of sites as well, and may be those of patients.
    plain = ("mni", "icbm", "ixi549", "talairach")
    known = [word for word in words if word.casefold() in _BY_SPELLING]
    named = [word for word in known if word.casefold().startswith(plain)]
    if any(word.casefold() == "fslmni152" for word in words):
        named.append("MNI152NLin6Asym")  # FSL's template, under the name its atlases are given
    precise = [word for word in named if word.casefold() != MNI.casefold()]
    generic = [word for word in words if _ANY_MNI.fullmatch(word)]
    return next(iter([*precise, *named, *generic]), "")


def space_of_user(name: str) -> StatedSpace:
    """The space that a user states.

    Raises
    ------
    InputError
        Where it is not a name of a space, or a known one is misspelt.

    Examples
    --------
    >>> print(space_of_user("MNI152NLin6Asym"))
    MNI152NLin6Asym (stated by the user)
    """
    text = name.strip()
    if not re.fullmatch(r"[A-Za-z0-9+]+", text):
        remedy = "give letters and digits, such as MNI152NLin6Asym, MNI152, Talairach or scanner"
        raise InputError("space", f"{name!r} is not the name of a space", remedy)
    space = space_named(text, USER)
    if space.kind == "template" and space.name not in KNOWN:
        near = get_close_matches(text.casefold(), _BY_SPELLING, 1, 0.8)
        if near or text.casefold().startswith("mni"):
            remedy = (
                f"did you mean {_BY_SPELLING[near[0]]}?" if near else "see TemplateFlow's names"
            )
            raise InputError("space", f"{name!r} is not a template that is known here", remedy)
    return space


def check_statements(statements: Sequence[str], kinds: Sequence[str]) -> None:
    """Refuse what states no space, or that of an input which there is not.

    Parameters
    ----------
    statements : sequence of str
        Each a space of all inputs, or of those of a kind, such as ``atlas=Talairach``.
    kinds : sequence of str
        Of the inputs there are.

    Raises
    ------
    InputError
        Where a name is unknown or misspelt, or two statements are on one thing.

    Examples
    --------
    >>> check_statements(["MNI152NLin6Asym", "atlas=Talairach"], ["masks", "atlas"])
    """
    seen: set[str] = set()
    for statement in statements:
        kind, name = _parts(statement)
        if kind and kind not in kinds:
            remedy = f"state that of {', '.join(kinds)}, as in {kinds[0]}=MNI152"
            raise InputError("space", f"{statement!r} is of no input there is", remedy)
        if kind in seen and kind != ATLAS:
            remedy = "state each once"
            raise InputError("space", f"two are stated of {kind or 'all inputs'}", remedy)
        seen.add(kind)
        space_of_user(name)


def spaces_stated(statements: Sequence[str], kind: str, number: int = 1) -> list[str | None]:
    """The space that statements give each of so many inputs of a kind; None where they give none.

    One of a kind comes before one of all inputs.

    Raises
    ------
    InputError
        Where there is neither one of the kind, nor one for each.

    Examples
    --------
    >>> spaces_stated(["MNI152", "atlas=Talairach"], "atlas", 2)
    ['Talairach', 'Talairach']
    >>> spaces_stated(["MNI152", "atlas=Talairach"], "masks")
    ['MNI152']
    """
    parts = [_parts(statement) for statement in statements]
    own = [name for of, name in parts if of == kind]
    stated = own or [name for of, name in parts if not of]
    if len(own) > 1 and len(own) != number:
        problem = (
            f"{kind}=SPACE is given {len(own)} times, for {counted(number, 'input')} of this kind"
        )
        raise InputError("space", problem, "state one space for all of them, or one for each")
    return [*stated] if len(stated) == number else [next(iter(stated), None)] * number


def _parts(statement: str) -> tuple[str, str]:
    """The kind of input, empty for all, and the name of the space."""
    kind, equals, name = statement.partition("=")
    return (kind.strip(), name) if equals else ("", statement)
