"""`lesion-dash atlases`: list the atlases there are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from ..core.text import printable
from . import fields
from .console import json_lines
from .fields import option, source
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from ..atlas.finding import Listed


_OURS = "made for lesion_dash, of no brain; licence: BSD-3-Clause"
_PUBLISHED = "published, by nilearn"
_INSTALLED = "of the extra atlases, installed"
_NOT_INSTALLED = "of the extra atlases, not installed: pip install lesion-dash[atlases]"


class Atlases(Request):
    """List the available atlases: bundled, in your folder, and published ones by name.

    Nothing is downloaded to list them.
    """

    command = "atlases"
    example = "--atlases my_atlases/"

    atlases: str | None = source(
        "also list the atlases of this folder and its subfolders", "DIR", default=None
    )
    all: bool = option("a row for every name, where several differ in a number", default=False)
    as_json: fields.AsJson

    def run(self, progress: Progress) -> Result:
        groups = self._find()
        if self.as_json:
            rows = {title: [asdict(atlas) for atlas in group] for title, group in groups.items()}
            return Result(lines=json_lines(rows))
        lines: list[str] = []
        for title, group in groups.items():
            families = _families(group, is_each_one=self.all or title != _PUBLISHED)
            is_named = title in (_INSTALLED, _NOT_INSTALLED)
            last = "on disk" if title == _PUBLISHED else "name" if is_named else "path"
            last += "" if title == _PUBLISHED else " for --atlas"
            lines += [f"{title}:", *_table_lines(families, last), *_credit_lines(families), ""]
        hint = (
            "Give a path, or a name that begins with nilearn:, as --atlas; the published atlas is"
        )
        more = "downloaded on first use. N stands for one of the numbers; --all shows every name."
        return Result(lines=[*lines, hint, more])

    def _find(self) -> dict[str, list[Listed]]:
        """The atlases by where they come from; nothing is downloaded."""
        from ..atlas.finding import list_atlases, list_installed
        from ..atlas.installed import data_folder
        from ..files.paths import sample_data

        bundled = sample_data() / "atlas"
        groups = {self.atlases: list(list_atlases(self.atlases))} if self.atlases else {}
        if bundled.is_dir():
            groups["bundled"] = [replace(atlas, credit=_OURS) for atlas in list_atlases(bundled)]
        installed = _INSTALLED if data_folder() is not None else _NOT_INSTALLED
        return groups | {installed: list(list_installed()), _PUBLISHED: list(list_atlases())}


@dataclass(frozen=True)
class _Family:
    """Atlases that differ in one number of their name, or a single atlas."""

    name: str
    numbers: str
    atlases: tuple[Listed, ...]


def _families(atlases: Sequence[Listed], is_each_one: bool) -> list[_Family]:
    """Put atlases that differ in a number only into one family, in the order they come."""
    members: dict[str, list[Listed]] = {}
    for atlas in atlases:
        key = atlas.name if is_each_one else re.sub(r"_\d+", "_N", atlas.name, count=1)
        members.setdefault(key, []).append(atlas)
    return [_family(key, own) for key, own in members.items()]


def _family(key: str, atlases: list[Listed]) -> _Family:
    if len(atlases) == 1:
        return _Family(atlases[0].name, "", tuple(atlases))
    return _Family(key, f"N = {', '.join(_numbers(atlases))}", tuple(atlases))


def _numbers(atlases: Sequence[Listed]) -> list[str]:
    return [re.findall(r"_(\d+)", atlas.name)[0] for atlas in atlases]


def _table_lines(families: list[_Family], last: str) -> list[str]:
    header = ("name", "kind", "regions", "space", last)
    rows = [tuple(map(printable, _row(family))) for family in families]
    if not rows:
        return ["  no atlas: an image with a label table named after it, or a folder of maps"]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    cells = [
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        for row in (header, *rows)
    ]
    return [f"  {line}".rstrip() for line in cells]


def _row(family: _Family) -> tuple[str, str, str, str, str]:
    first = family.atlases[0]
    if not family.numbers:
        regions = "?" if first.regions is None else str(first.regions)
        return first.name, first.kind, regions, first.space, first.place or "-"
    on_disk = [
        number
        for atlas, number in zip(family.atlases, _numbers(family.atlases), strict=True)
        if atlas.place
    ]
    last = f"N = {', '.join(on_disk)}" if on_disk else "-"
    return family.name, first.kind, "N", first.space, last


def _credit_lines(families: list[_Family]) -> Iterator[str]:
    """The numbers that N stands for, then what to cite, once for all atlases of one source."""
    names: dict[str, list[str]] = {}
    for family in families:
        if family.numbers:
            yield f"  {family.name}: {family.numbers}"
        names.setdefault(family.atlases[0].credit, []).append(family.name)
    for credit, own in names.items():
        yield f"  {', '.join(own)}: {credit}"
