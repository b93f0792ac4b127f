"""HTML in which text stays text: all that is not marked as HTML is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from ..text import printable

_VOID = {"img", "link", "meta", "wbr"}
NO_BREAK = "\u00a0"
"""A space at which no line ends."""

_BEFORE_UNIT = re.compile(r"(?<=[\d)]) (?=(?:%|mL|mm³?|years|months|weeks|days)(?!\w))")
_WHOLE = 8
"""Rows up to which a table is not broken between printed pages."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(text: str) -> Html:
    """Text as HTML that shows it; file names may hold signs that cannot be printed.

    Examples
    --------
    >>> escape("a < b"), escape(Html("<b>bold</b>"))
    ('a &lt; b', '<b>bold</b>')
    """
    return text if isinstance(text, Html) else Html(html.escape(printable(text)))


def code(lines: str, identity: str) -> Html:
    """Lines of code, as they are."""
    content = join(lines.split("\n"), "\n")
    return element("pre", element("code", content, id=identity))


def join(parts: Iterable[str], between: str = "") -> Html:
    """Several parts in one."""
    return Html(between.join(escape(part) for part in parts))


def element(name: str, /, *children: str, **attributes: str) -> Html:
    """An element of a page.

    Parameters
    ----------
    name : str
    *children : str or Html
        What is inside; what is no `Html` is escaped.
    **attributes : str
        An underscore at the end of a name is left out, others stand for a hyphen.

    Examples
    --------
    >>> element("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(printable(value))}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Html(f"<{name}{given}>")
    return Html(f"<{name}{given}>{join(children)}</{name}>")


def breakable(name: str) -> Html:
    """A long name that may go on in the next line after each underscore.

    Examples
    --------
    >>> breakable("Left_Insula")
    'Left_<wbr>Insula'
    """
    return join(name.split("_"), Html(f"_{element('wbr')}"))


def prose(text: str) -> Html:
    """Text in which a number and its unit stay on one line.

    Examples
    --------
    >>> prose("5 mL < 20 mL in 9 patients").replace(NO_BREAK, "~")
    '5~mL &lt; 20~mL in 9 patients'
    """
    return Html(_BEFORE_UNIT.sub(NO_BREAK, escape(text)))


def section(title: str, *children: str) -> Html:
    """A chapter of the page."""
    return element("section", element("h2", title), Html("\n"), join(children, "\n"))


def items(parts: Iterable[str]) -> Html:
    """A list."""
    return element("ul", *(element("li", part) for part in parts))


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int) -> Html:
    """A table; a row's first cell names it.

    Parameters
    ----------
    caption : str
        What the table tells, with n and units.
    head : sequence of str
        A name for each column.
    rows : iterable of sequence of str
    numbers : int
        The column from which on cells are numbers, set to the right.
    """
    body = [
        element("tr", *(_cell(place, cell, numbers) for place, cell in enumerate(row)))
        for row in rows
    ]
    names = [_cell(place, cell, numbers, in_head=True) for place, cell in enumerate(head)]
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *names)),
        element("tbody", join(body, "\n")),
        **({"class_": "whole"} if len(body) <= _WHOLE else {}),
    )


def _cell(place: int, content: str, numbers: int, in_head: bool = False) -> Html:
    kind = {"class_": "number"} if place >= numbers else {}
    if in_head:
        return element("th", content, scope="col", **kind)
    return element("td", content, **kind) if place else element("th", content, scope="row")


def folded(summary: str, *children: str) -> Html:
    """What is long, to be opened with a click."""
    return element("details", element("summary", summary), *children)
