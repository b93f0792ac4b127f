"""Calls of the library that are run, found again in an earlier run, and written as Python.

A recipe is put together from them once, so that its run and its script cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from .. import rois
from ..core.text import call as call_text
from ..core.text import literal

# One object each: two of them would not be equal, and neither would be calls of them.
_FIRST, _SECOND = itemgetter(0), itemgetter(1)


@dataclass(frozen=True)
class Call:
    """A call; two are equal where they give the same value.

    Parameters
    ----------
    function : callable or str
        A public function of the library, or the name of a method of the first argument.
    arguments : tuple
        Values, calls, and tuples of calls.
    options : tuple of (str, value or call)
        Arguments by name; None stands for the default.
    name : str
        The variable that holds the value in a script; empty inside another call.
    pattern : str
        How it is written where it is not a plain call, ``{}`` for each argument.
    """

    function: Callable[..., Any] | str
    arguments: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    name: str = field(default="", compare=False)
    pattern: str = field(default="", compare=False)

    @property
    def text(self) -> str:
        """The call as Python."""
        values = [_text_of(value) for value in self.arguments]
        options = [f"{key}={_text_of(value)}" for key, value in self.options if value is not None]
        if self.pattern:
            return self.pattern.format(*values)
        if isinstance(self.function, str):
            return f"{values[0]}.{self.function}({', '.join([*values[1:], *options])})"
        name = self.function.__name__
        is_of_rois = getattr(rois, name, None) is self.function
        return call_text(f"rois.{name}" if is_of_rois else name, *values, *options)


def call_of(
    function: Callable[..., Any] | str,
    *arguments: Any,
    name: str = "",
    pattern: str = "",
    **options: Any,
) -> Any:
    """A `Call`, typed as the value that it stands for.

    Examples
    --------
    >>> from lesion_dash import load_cohort, overlap
    >>> cohort = call_of(load_cohort, "cohort_a", participants=None, name="cohort")
    >>> cohort.text, call_of(overlap, cohort).text
    ("ld.load_cohort('cohort_a')", 'ld.overlap(cohort)')
    """
    return Call(function, arguments, tuple(options.items()), name, pattern)


def unpack(call: Call, first: str, second: str) -> tuple[Any, Any]:
    """Both values of a call whose name is that of two variables."""
    return call_of(_FIRST, call, pattern=first), call_of(_SECOND, call, pattern=second)


def calls_in(value: Any) -> Iterator[Call]:
    """The calls that a value is or holds."""
    if isinstance(value, Call):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from calls_in(part)


def evaluate(
    value: Any,
    known: dict[Call, Any],
    extra: Mapping[Callable[..., Any] | str, Mapping[str, Any]] | None = None,
) -> Any:
    """The value of a call, or of a tuple of calls; whatever is neither stands for itself.

    Parameters
    ----------
    value : Call, tuple or value
    known : dict of Call to value
        Values that are not computed again; those that are computed are added.
    extra : mapping of function to dict, optional
        Options that do not change its value, such as one for progress.
    """
    if isinstance(value, tuple):
        return tuple(evaluate(part, known, extra) for part in value)
    if not isinstance(value, Call):
        return value
    if value not in known:
        function, arguments = value.function, list(evaluate(value.arguments, known, extra))
        given = {key: part for key, part in value.options if part is not None}
        options = {key: evaluate(part, known, extra) for key, part in given.items()}
        if isinstance(function, str):
            function = getattr(arguments.pop(0), function)
        known[value] = function(*arguments, **options, **(extra or {}).get(value.function, {}))
    return known[value]


def lines_of(value: Any, written: set[Call]) -> list[str]:
    """Lines of Python that give variables the values of calls, in the order of their need.

    Parameters
    ----------
    value : Call, tuple or value
    written : set of Call
        Calls whose lines stand in the script already; these are added.
    """
    lines = []
    for call in calls_in(value):
        if not (call.name and call in written):
            lines += lines_of((call.arguments, call.options), written)
            if call.name:
                lines.append(f"{call.name} = {call.text}")
                written.add(call)
    return lines


def _text_of(value: Any) -> str:
    if isinstance(value, tuple) and any(calls_in(value)):
        texts = [_text_of(part) for part in value]
        return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"
    return (value.name or value.text) if isinstance(value, Call) else literal(value)
