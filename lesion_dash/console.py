"""Text for the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

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


def progress_bar(text: str, unit: str) -> Callable[[int, int], None] | None:
    """A progress bar on stderr, where somebody may be looking.

    Parameters
    ----------
    text : str
        What is being done.
    unit : str
        One of what is counted, such as ``file``.

    Returns
    -------
    callable or None
        Told how many of how many are done; None where stderr is no terminal.
    """
    if not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    bar = tqdm(desc=text, unit=unit, leave=False)

    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return show
