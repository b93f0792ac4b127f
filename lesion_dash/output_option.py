"""The file that a command is to write: its name, and that it is none of the command's inputs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .errors import InputError

_KINDS = {(".csv",): "CSV", (".nii", ".nii.gz"): "NIfTI"}
TABLE, IMAGE = _KINDS
"""Endings of what is written."""


def output_file(
    text: str, endings: tuple[str, ...], inputs: Iterable[str | None] = ()
) -> tuple[Path, str, str]:
    """The file, its name without its ending, and the ending.

    Parameters
    ----------
    text : str
        As it was given.
    endings : tuple of str
        `TABLE` or `IMAGE`.
    inputs : iterable of str or None
        Files that are read and must not be replaced by their own result.

    Raises
    ------
    InputError
        Where it ends otherwise, or is one of the inputs.

    Examples
    --------
    >>> path, stem, ending = output_file("results/lens.NII.gz", IMAGE)
    >>> path.name, stem, ending
    ('lens.NII.gz', 'lens', '.NII.gz')
    """
    from .files import as_path, local_path

    path = local_path(text)
    found = [one for one in endings if path.name.lower().endswith(one)]
    if not found:
        remedy = f"let it end in {' or '.join(sorted(endings, key=len, reverse=True))}"
        raise InputError(text, f"is no name of a {_KINDS[endings]} file", remedy)
    for name in inputs:
        if name is not None and _is_same(path, as_path(name)):
            problem = "is read and would be replaced by its own result"
            raise InputError(text, problem, "write to another file")
    cut = len(path.name) - len(max(found, key=len))
    return path, path.name[:cut], path.name[cut:]


def _is_same(path: Path, other: object) -> bool:
    return isinstance(other, Path) and path.exists() and other.exists() and path.samefile(other)
