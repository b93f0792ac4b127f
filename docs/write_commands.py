"""Write docs/commands.md and docs/columns.md from the package: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lesion_dash.analyses.columns import COLUMNS, PARTS, PATTERNS, unit_of
from lesion_dash.analyses.fields import argument_of, bounds_of, choices_of, default_text, flag_of
from lesion_dash.analyses.request import Request, about, home_of
from lesion_dash.cli import commands

PAGE = Path(__file__).with_name("commands.md")
COLUMNS_PAGE = Path(__file__).with_name("columns.md")
HEAD = """# Commands and options

Written by `make docs` from the requests in `lesion_dash.analyses`, each of which can be made in
Python as well: `print(Stats(masks="masks", output="results").execute())` writes and prints what
`lesion-dash stats masks -o results` does.
"""

COLUMNS_HEAD = """# Columns of tables

All columns of the tables that commands and the dashboard write;
[the files](terminal.md#what-is-written) stand with the commands. Columns of a participants
table keep their names. Tables of lesion load have a column for each region, named after its number
and name. Cells are empty where there is no value.

| column | unit | meaning |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(line for kind in commands() for line in _section(kind))])


def _section(kind: type[Request]) -> Iterator[str]:
    first, rest = about(kind)
    origin = f"`{home_of(kind)}.{kind.__name__}`"
    yield from (f"## lesion-dash {kind.command}", "", f"{first}. In Python: {origin}.", "")
    yield from ("```text", f"lesion-dash {kind.command} {kind.example}".rstrip(), "```", "")
    yield from ("| option | meaning | default | values |", "|---|---|---|---|")
    for name, info in kind.model_fields.items():
        flags = [argument_of(info).flag, flag_of(name, info)]
        values = ", ".join(map(str, choices_of(info))) or bounds_of(info)
        option = ", ".join(f"`{flag}`" for flag in dict.fromkeys(filter(None, flags)))
        default = "required" if info.is_required() else _code(default_text(info))
        cells = (option, info.description or "", default, values)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""
    if rest:
        yield from ([rest, ""] if "\n  " not in rest else ["```text", rest, "```", ""])


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def columns_page() -> str:
    """The page of all columns, in the order of the alphabet."""
    rows = sorted({**COLUMNS, **PATTERNS}.items())
    lines = [f"| `{name}` | {unit_of(name)} | {meaning} |\n" for name, meaning in rows]
    parts = [f"`{part}` for {values.replace('|', ', ')}" for part, values in PARTS.items()]
    known = [part for part in parts if "\\" not in part and ".+" not in part]
    return COLUMNS_HEAD + "".join(lines) + f"\nCapitals stand for parts: {'; '.join(known)}.\n"


def write() -> None:
    """Write the pages that have changed."""
    for file, text in ((PAGE, page()), (COLUMNS_PAGE, columns_page())):
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
