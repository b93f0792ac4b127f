"""What `lesion-dash atlases` does: list the atlases there are."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from ..core.text import printable
from .console import say, say_json

if TYPE_CHECKING:
    from ..atlas.finding import Listed


_OURS = "made for lesion_dash, of no brain; licence: BSD-3-Clause"
_PUBLISHED = "published, by nilearn"


@dataclass(frozen=True)
class _Family:
    """Atlases that differ in one number of their name, or a single atlas."""

    name: str
    numbers: str
    atlases: tuple[Listed, ...]


def run_atlases(options: argparse.Namespace) -> int:
    """Print the atlases of a folder, the bundled one, and the published ones with a name."""
    found = _find(options)
    if options.json:
        groups = {title: [asdict(one) for one in atlases] for title, atlases in found.items()}
        say_json(groups)
        return 0
    for title, atlases in found.items():
        say(f"{title}:")
        families = _families(atlases, apart=options.all or title != _PUBLISHED)
        _print_table(families, "path for --atlas" if title != _PUBLISHED else "on disk")
        _print_credits(families)
        say("")
    say("Give a path, or a name that begins with nilearn:, as --atlas; the published atlas is")
    say("downloaded on first use. N stands for one of the numbers; --all shows every name.")
    return 0


def _find(options: argparse.Namespace) -> dict[str, list[Listed]]:
    """The atlases by where they come from; nothing is downloaded."""
    from ..atlas.finding import list_atlases
    from ..files.paths import sample_data

    bundled = sample_data() / "atlas"
    found = {}
    if options.atlases:
        found[options.atlases] = list(list_atlases(options.atlases))
    if bundled.is_dir():
        found["bundled"] = [replace(one, credit=_OURS) for one in list_atlases(bundled)]
    return found | {_PUBLISHED: list(list_atlases())}


def _families(atlases: Sequence[Listed], apart: bool) -> list[_Family]:
    """Put atlases that differ in a number only into one family, in the order they come."""
    members: dict[str, list[Listed]] = {}
    for one in atlases:
        key = one.name if apart else re.sub(r"_\d+", "_N", one.name, count=1)
        members.setdefault(key, []).append(one)
    return [_family(key, own) for key, own in members.items()]


def _family(key: str, atlases: list[Listed]) -> _Family:
    if len(atlases) == 1:
        return _Family(atlases[0].name, "", tuple(atlases))
    return _Family(key, f"N = {', '.join(_numbers(atlases))}", tuple(atlases))


def _numbers(atlases: Sequence[Listed]) -> list[str]:
    return [re.findall(r"_(\d+)", one.name)[0] for one in atlases]


def _print_table(families: list[_Family], last: str) -> None:
    header = ("name", "kind", "regions", "space", last)
    rows = [tuple(map(printable, _row(family))) for family in families]
    if not rows:
        say("  no atlas: an image with a label table named after it, or a folder of maps")
        return
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)]
        say(f"  {'  '.join(cells)}".rstrip())


def _row(family: _Family) -> tuple[str, str, str, str, str]:
    first = family.atlases[0]
    if not family.numbers:
        regions = "?" if first.regions is None else str(first.regions)
        return first.name, first.kind, regions, first.space, first.place or "-"
    there = [
        number
        for one, number in zip(family.atlases, _numbers(family.atlases), strict=True)
        if one.place
    ]
    return family.name, first.kind, "N", first.space, f"N = {', '.join(there)}" if there else "-"


def _print_credits(families: list[_Family]) -> None:
    """The numbers that N stands for, then what to cite, once for all atlases of one source."""
    names: dict[str, list[str]] = {}
    for family in families:
        if family.numbers:
            say(f"  {family.name}: {family.numbers}")
        names.setdefault(family.atlases[0].credit, []).append(family.name)
    for credit, own in names.items():
        say(f"  {', '.join(own)}: {credit}")
