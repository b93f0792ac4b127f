"""Label tables as trees: regions within gyri within lobes, as nested objects of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .formats import Parsed, Region, check_extent, is_number, label_table, parse_label

_CHILDREN = ("children", "nodes", "subregions", "regions", "msg")
_NAMES = ("name", "label", "text", "title", "acronym")
_LABELS = ("labelIndex", "label_index", "grayvalue", "index", "label", "value", "id")
_ABBREVIATIONS = ("acronym", "abbreviation", "abbr")
_LEVELS = {
    "lobe": re.compile(r"\blobe\b", re.IGNORECASE),
    "gyrus": re.compile(r"\b(gyrus|lobule|sulcus|cuneus|precuneus)\b", re.IGNORECASE),
}
_DEEPEST = 50  # arbitrary: no anatomy has as many levels


@label_table(".json")
def parse_tree(lines: list[str]) -> Parsed | None:
    """``{"name": "Brain", "children": [{"name": "Frontal Lobe", "children": [...]}]}``.

    A node with a number that no node below it has is a region. What it lies in is its ``parent``;
    of the nodes above it, those with the word lobe, gyrus, lobule or sulcus are these levels.

    Examples
    --------
    >>> tree = '{"name": "Frontal Lobe", "children": [{"name": "Frontal pole", "id": 3}]}'
    >>> parse_tree([tree]).rows
    (Region(label=3, name='Frontal pole', extra={'lobe': 'Frontal Lobe',
            'parent': 'Frontal Lobe'}),)
    """
    text = "\n".join(lines)
    if text.lstrip()[:1] not in ("{", "[") or not any(f'"{key}"' in text for key in _CHILDREN):
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None  # `parse_json` says why
    rows = tuple(_leaves(content, ()))
    check_extent(rows=len(rows))
    is_nested = any(row.extra.get("parent") for row in rows)
    return Parsed(rows) if is_nested else None


def _leaves(node: Any, above: tuple[str, ...]) -> Iterator[Region]:
    """The regions at and below a node."""
    if len(above) > _DEEPEST:
        return
    if isinstance(node, list):
        for child in node:
            yield from _leaves(child, above)
    if not isinstance(node, dict):
        return
    name = next((node[key] for key in _NAMES if isinstance(node.get(key), str)), "")
    below = [node[key] for key in _CHILDREN if isinstance(node.get(key), list) and node[key]]
    for children in below:
        yield from _leaves(children, (*above, name) if name else above)
    label = next((node[key] for key in _LABELS if is_number(str(node.get(key, "")))), None)
    if not below and name and label is not None:
        yield Region(parse_label(int(label), str(label)), name.strip(), _columns(node, name, above))


def _columns(node: dict[str, Any], own: str, above: tuple[str, ...]) -> dict[str, str]:
    short = next((node[key] for key in _ABBREVIATIONS if isinstance(node.get(key), str)), "")
    columns = {"abbreviation": short} if short and short != own else {}
    for level, word in _LEVELS.items():
        if held := [name.strip() for name in above if word.search(name)]:
            columns[level] = held[-1]
    return columns | ({"parent": above[-1].strip()} if above else {})
