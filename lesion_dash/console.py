"""Text for the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

LONGEST_LIST = 20
"""Lines after which a list is cut."""


def printable(text: str) -> str:
    r"""Text that a file's name cannot use to steer the terminal.

    Examples
    --------
    >>> printable("sub\x1b[31m.nii")
    'sub\\x1b[31m.nii'
    """
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def say(text: str) -> None:
    """Print a line of the result."""
    print(printable(text))


def warn(text: str) -> None:
    """Print a line that is not the result."""
    print(printable(text), file=sys.stderr)


def complain(sentence: str, details: Sequence[str] = (), code: int = 2) -> int:
    """Print an error as one sentence, with its details below; return the exit code."""
    shown = [*details[:LONGEST_LIST]]
    if len(details) > LONGEST_LIST:
        shown.append(f"... and {len(details) - LONGEST_LIST} more")
    lines = [f"lesion-dash: error: {sentence}", *(f"  {line}" for line in shown)]
    print("\n".join(map(printable, lines)), file=sys.stderr)
    return code
