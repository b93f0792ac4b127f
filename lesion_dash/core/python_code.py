"""Lines of Python, put together from names and values; text of the user's stays text."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath

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
        Of the function or class.
    *arguments : str
        Source as it is, such as the name of a variable.
    **values : number, text, path or several of them
        Written as literals; None is omitted.

    Examples
    --------
    >>> call("read_conditions", "'events.tsv'", "series", delay_s=5.0, repetition_time=None)
    "ld.read_conditions('events.tsv', series, delay_s=5.0)"
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
