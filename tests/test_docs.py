"""The docs site names all that is public, and explains messages that exist."""

from __future__ import annotations

import re
from pathlib import Path

import lesion_dash
import lesion_dash.rois
import lesion_dash.scans

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [*(ROOT / "lesion_dash").rglob("*.py"), ROOT / "Makefile"]
PACKAGES = {
    package.__name__: package for package in (lesion_dash, lesion_dash.scans, lesion_dash.rois)
}


def test_every_public_name_stands_once_in_the_reference():
    listed: dict[str, list[str]] = {}
    package = ""
    for line in (ROOT / "docs" / "api.rst").read_text(encoding="utf-8").splitlines():
        if line.startswith(".. currentmodule:: "):
            package = line.rpartition(" ")[2]
        elif re.fullmatch(r"   [A-Za-z]\w*", line):
            listed.setdefault(package, []).append(line.strip())
    for name, module in PACKAGES.items():
        parts = {part.rpartition(".")[2] for part in PACKAGES}
        assert sorted(listed[name]) == sorted(set(module.__all__) - parts), name


def test_messages_that_are_explained_are_those_that_are_given():
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    given = " ".join(path.read_text(encoding="utf-8") for path in SOURCES)
    given = re.sub(r"[\s\"\\]+", " ", given)
    # What stands in parentheses is an example, with numbers and names.
    messages = [row for row in rows if "says" not in row[:20] and not row.startswith("(")]
    parts = [part.strip() for row in messages for part in re.split(r"\.\.\.|;|,|[()]|\d", row)]
    phrases = {part for part in parts if " " in part}
    assert len(phrases) > 25
    assert {phrase for phrase in phrases if phrase not in given} == set()
