"""Files that are no binary masks, and the one choice that makes masks of all of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from ..core.errors import InputError, NotBinary
from ..files.paths import AnyPath
from ..images.masks import label_advice

SHARE_OF_OTHERS = 0.1
"""Share of the files that may be no masks. Arbitrary, as that of files on another grid: a few that
strayed in must not stop a cohort; many are patients that would be missing."""

_ANY = "--label any takes every voxel above 0"


def choice_fault(
    root: AnyPath, others: Mapping[AnyPath, NotBinary], masks: int
) -> InputError | None:
    """Why a folder makes no cohort before a choice: too many of its files hold several values.

    Parameters
    ----------
    root : Path or UrlPath
    others : mapping
        Files that hold more values than two, with the error each of them made.
    masks : int
        Files that are masks already.

    Returns
    -------
    InputError or None
        Its remedy is a choice that works for every file; None where there is no such choice, or
        where only a few files need one.
    """
    total = len(others) + masks
    if not others or len(others) <= SHARE_OF_OTHERS * total:
        return None
    who = f"{len(others):,} of {total:,} files"
    examples = _examples(others)
    named = "; ".join(f"{path.name}: {error.problem}" for path, error in examples[:1])
    if all(error.labels for error in others.values()):
        held = ", ".join(f"{path.name} ({_shown(error)})" for path, error in examples)
        is_one_kind = len(examples) == 1 and not masks
        remedy = label_advice(examples[0][1].labels) if is_one_kind else f"{_ANY} of each file"
        return InputError(root, f"{who} hold several labels, such as {held}", remedy)
    remedies = {error.remedy for error in others.values()}
    if masks or len(remedies) > 1:
        return None  # no one choice is right for all of them
    return InputError(root, f"{who} are no masks, such as {named}", remedies.pop())


def _examples(others: Mapping[AnyPath, NotBinary]) -> list[tuple[AnyPath, NotBinary]]:
    """The first file, and the first that holds other labels than that."""
    files = sorted(others.items())
    different = (pair for pair in files if pair[1].labels != files[0][1].labels)
    return [files[0], *islice(different, 1)]


def _shown(error: NotBinary) -> str:
    return ", ".join(map(str, error.labels))
