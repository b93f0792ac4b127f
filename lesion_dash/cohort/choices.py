"""Files that are no binary masks, and the one choice that makes masks of all of a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, islice
from typing import Any

from ..core.errors import InputError, NotBinary
from ..core.text import counted
from ..files.paths import AnyPath
from ..images.mask_choices import ANY
from .selection import ALL_FILES, FileChoice, Offer, SeveralFilesError

SHARE_OF_OTHERS = 0.1
"""Share of the files that may be no masks. Arbitrary, as that of files on another grid: a few that
strayed in must not stop a cohort; many are patients that would be missing."""

_FEW_LABELS = 3  # of which pairs are offered as well, arbitrary: 2**3 choices are read at a glance
_MOST_SINGLE = 6  # labels that are offered one by one, arbitrary as well


class SeveralValuesError(SeveralFilesError):
    """Files hold several values above 0, and nobody said which of them are the lesion."""


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
        Each of its offers works for every file; None where there is no such choice, or where only
        a few files need one.
    """
    total = len(others) + masks
    if not others or len(others) <= SHARE_OF_OTHERS * total:
        return None
    who = f"{len(others):,} of {counted(total, 'file')}"
    examples = _examples(others)
    if all(error.labels for error in others.values()):
        held = ", ".join(f"{path.name} ({_shown(error.labels)})" for path, error in examples)
        problem = f"{who} hold several labels, such as {held}"
        is_one_kind = len(examples) == 1 and not masks
        labels = _label_choices(examples[0][1].labels) if is_one_kind else [ANY]
        offers = [_offer(chosen, label=label) for label in labels]
        return SeveralValuesError.of(root, problem, tuple(offers))
    remedies = {error.remedy for error in others.values()}
    if masks or len(remedies) > 1:
        return None  # no one choice is right for all of them
    path, error = examples[0]
    problem = f"{who} are no masks, such as {path.name}: {error.problem}"
    if error.threshold is None:
        return InputError(root, problem, error.remedy)
    return SeveralValuesError.of(root, problem, (_offer(chosen, threshold=error.threshold),))


def _label_choices(labels: Sequence[int]) -> Iterable[str]:
    """All together first, then some, then each."""
    pairs = combinations(labels, 2) if len(labels) == _FEW_LABELS else ()
    return [ANY, *(f"{a},{b}" for a, b in pairs), *map(str, labels[:_MOST_SINGLE])]


def _offer(chosen: FileChoice, **values: str | float) -> Offer:
    # In place of what was chosen and does not fit: a label and a threshold exclude each other.
    voxels: dict[str, Any] = {"label": None, "threshold": None, **values}
    choice = replace(chosen, **voxels)
    return Offer(choice, f"{choice.voxels} of each file")


def _examples(others: Mapping[AnyPath, NotBinary]) -> list[tuple[AnyPath, NotBinary]]:
    """The first file, and the first that holds other labels than that."""
    files = sorted(others.items())
    different = (pair for pair in files if pair[1].labels != files[0][1].labels)
    return [files[0], *islice(different, 1)]


def _shown(labels: Iterable[int]) -> str:
    return ", ".join(map(str, labels))
