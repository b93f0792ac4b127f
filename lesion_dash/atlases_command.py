"""What `lesion-dash atlases` does: list the atlases there are."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from .console import say

if TYPE_CHECKING:
    from .atlas import Listed

_OURS = "made for lesion_dash, of no brain; licence: BSD-3-Clause"
_HEADER = ("name", "kind", "regions", "space", "on disk")


def run_atlases(options: argparse.Namespace) -> int:
    """Print the atlases of a folder, the bundled one, and the published ones with a name."""
    import json

    found = _find(options)
    if options.json:
        groups = {title: [asdict(one) for one in atlases] for title, atlases in found.items()}
        say(json.dumps(groups, indent=2, ensure_ascii=False))
        return 0
    for title, atlases in found.items():
        say(f"{title}:")
        _print_table(atlases)
        _print_credits(atlases)
        say("")
    say("Give a name that begins with nilearn: as --atlas; it is downloaded on first use.")
    return 0


def _find(options: argparse.Namespace) -> dict[str, list[Listed]]:
    """The atlases by where they come from; nothing is downloaded."""
    from .atlas import list_atlases
    from .dashboard.data_root import sample_data

    bundled = sample_data() / "atlas"
    found = {}
    if options.atlases:
        found[options.atlases] = list(list_atlases(options.atlases))
    if bundled.is_dir():
        found["bundled"] = [replace(one, credit=_OURS) for one in list_atlases(bundled)]
    return found | {"published, by nilearn": list(list_atlases())}


def _print_table(atlases: list[Listed]) -> None:
    rows = [
        (
            *(one.name, one.kind, "?" if one.regions is None else str(one.regions)),
            *(one.space, one.place or "-"),
        )
        for one in atlases
    ]
    if not rows:
        say("  no atlas: an image with a label table named after it, or a folder of maps")
        return
    widths = [max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)]
    for row in (_HEADER, *rows):
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)]
        say(f"  {'  '.join(cells)}".rstrip())


def _print_credits(atlases: list[Listed]) -> None:
    """What to cite, once for all atlases of one source."""
    names: dict[str, list[str]] = {}
    for one in atlases:
        names.setdefault(one.credit, []).append(one.name)
    for credit, own in names.items():
        more = f" and {len(own) - 1} more" if len(own) > 1 else ""
        say(f"  {own[0]}{more}: {credit}")
