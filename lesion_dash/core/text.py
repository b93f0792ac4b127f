"""Text in sentences, in commands and in Python that others run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from os import PathLike, fspath


def printable(text: str) -> str:
    r"""Text on one line, with every character spelt out that would not be shown as it is.

    Names come from files and folders and may hold anything: line breaks, escapes that steer a
    terminal, characters that turn the direction of writing, bytes that are no
    text.

    Examples
    --------
    >>> printable("sub\x1b[31m\n.nii")
    'sub\\x1b[31m\\n.nii'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def counted(number: int, noun: str = "") -> str:
    """A count, with its noun where one is given.

    Examples
    --------
    >>> counted(1, "voxel"), counted(12345, "voxel"), counted(12345)
    ('1 voxel', '12,345 voxels', '12,345')
    """
    plural = "s" if noun and number != 1 else ""
    return f"{number:,} {noun}{plural}".rstrip()


def listed(values: Iterable[object], most: int) -> str:
    """The first of some values, and how many more there are.

    Examples
    --------
    >>> listed("abcde", 3), listed([1, 2], 3)
    ('a, b, c, 2 more', '1, 2')
    """
    texts = list(map(str, values))
    more = [f"{len(texts) - most:,} more"] if len(texts) > most else []
    return ", ".join([*texts[:most], *more])


def enumerated(parts: Sequence[str]) -> str:
    """Several things in one sentence.

    Examples
    --------
    >>> enumerated(["a"]), enumerated(["a", "b", "c"]), enumerated([])
    ('a', 'a, b and c', '')
    """
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def did_you_mean(word: str, known: Iterable[object]) -> str:
    """A question that names what is spelt alike, or an empty string.

    Examples
    --------
    >>> did_you_mean("Sexe", ["age", "sex"]), did_you_mean("nihss", ["age", "sex"])
    ('did you mean sex?', '')
    """
    folded = {str(name).casefold(): name for name in known}
    alike = get_close_matches(word.casefold(), folded, 1)
    return f"did you mean {folded[alike[0]]}?" if alike else ""


def shell_word(text: str) -> str:
    r"""Text as one word of a command line, on one line.

    Characters that are not shown are spelt out as bash, zsh and POSIX of 2024 read them.

    Examples
    --------
    >>> print(shell_word("my masks"), shell_word("it's\n2"))
    'my masks' $'it\'s\x0a2'
    """
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(map(_quoted, text))}'"


def _quoted(char: str) -> str:
    """A character within the quotes of `shell_word`."""
    if char in "\\'":
        return f"\\{char}"
    if char.isprintable():
        return char
    # Python shows a byte of a file's name that is not text as one of these code points.
    is_byte = "\udc80" <= char <= "\udcff"
    content = char.encode("utf-8", "surrogateescape" if is_byte else "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in content)


_WIDTH = 92  # arbitrary: characters of a line before it is broken

Value = object
"""A number, a text, a path, or several of them."""


def literal(value: Value) -> str:
    r"""A value as Python source that gives the same value.

    Examples
    --------
    >>> import numpy as np
    >>> literal("it's"), literal(np.float64(0.1)), literal(("C:\\data", 2))
    ('"it\'s"', '0.1', "['C:\\\\data', 2]")
    """
    if (to_python := getattr(value, "item", None)) is not None:
        return repr(to_python())  # a number of numpy, whose own repr names its type
    if isinstance(value, PathLike):
        return repr(fspath(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        parts = [literal(part) for part in value]
        line = f"[{', '.join(parts)}]"
        return line if len(line) <= _WIDTH else "\n        ".join(["[", *_ended(parts)]) + "\n    ]"
    return repr(value)


def call(name: str, *arguments: str, **values: Value) -> str:
    """A call of a public function of the library.

    Parameters
    ----------
    name : str
        Of the function or class, with its part of the library, such as ``rois.find_rois``.
    *arguments : str
        Source as it is, such as the name of a variable.
    **values : number, text, path or several of them
        Written as literals; None is omitted.

    Examples
    --------
    >>> call("rois.read_conditions", "'events.tsv'", "series", delay_s=5.0, repetition_time=None)
    "ld.rois.read_conditions('events.tsv', series, delay_s=5.0)"
    """
    given = [f"{key}={literal(value)}" for key, value in values.items() if value is not None]
    return layout(f"ld.{name}", [*arguments, *given])


def layout(name: str, arguments: Sequence[str]) -> str:
    """A call on one line, or on a line for each argument where that is too long."""
    line = f"{name}({', '.join(arguments)})"
    if len(line) <= _WIDTH:
        return line
    return "\n    ".join([f"{name}(", *_ended(arguments)]) + "\n)"


def _ended(parts: Sequence[str]) -> list[str]:
    return [f"{part}," for part in parts]
