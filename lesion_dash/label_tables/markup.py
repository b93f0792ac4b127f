"""Tables as XML (FSL, SPM) and as JSON."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

from .regions import (
    Parsed,
    Region,
    TableFault,
    check_extent,
    is_background,
    name_columns,
    parse_label,
)

_WRAPPERS = ("labels", "regions")
_INDEX_KEYS = ("index", "id", "label", "value", "key", "number")
_NAME_KEYS = ("name", "region", "label", "structure")


def parse_xml(lines: list[str]) -> Parsed | None:
    """FSL's ``<label index="0" x= y= z=>name</label>``, or SPM's ``<index>`` and ``<name>``.

    FSL numbers the volumes of a probabilistic atlas from 0; its images of labels hold that
    number plus 1. Positions are left out: they are voxels of one image, not properties of a region.

    Examples
    --------
    >>> parsed = parse_xml(["<atlas><data><label index='0'>Frontal Pole</label></data></atlas>"])
    >>> parsed.rows, parsed.is_position
    ((Region(label=0, name='Frontal Pole', extra={}),), True)
    """
    if not lines[0].lstrip().startswith("<"):
        return None
    try:
        root = ET.fromstring("\n".join(lines))
    except ET.ParseError as error:
        raise TableFault(f"XML cannot be read: {error}") from None
    labels = [item for item in root.iter() if item.tag.lower() == "label"]
    check_extent(rows=len(labels))
    rows = [_xml_region(number, item) for number, item in enumerate(labels, start=1)]
    found = tuple(region for region in rows if region is not None)
    kind = (root.findtext("header/type") or "").strip().lower()
    counts = any(item.get("index") is not None for item in labels) and kind != "label"
    return Parsed(found, is_position=counts) if found else None


def _xml_region(number: int, item: ET.Element) -> Region | None:
    index = item.get("index") or item.findtext("index")
    name = item.findtext("name") or item.text or ""
    return None if index is None else Region(parse_label(number, index.strip()), name.strip())


def parse_json(lines: list[str]) -> Parsed | None:
    """``{"1": "name"}``, ``["name", ...]``, or ``[{"index": 1, "name": "name"}, ...]``.

    Examples
    --------
    >>> parse_json(['{"7": "Insula L", "8": "Insula R"}']).rows[0]
    Region(label=7, name='Insula L', extra={})
    """
    if lines[0].lstrip()[:1] not in ("{", "["):
        return None
    try:
        content = json.loads("\n".join(lines))
    except (ValueError, RecursionError) as error:
        raise TableFault(f"JSON cannot be read: {error}") from None
    if isinstance(content, dict):
        content = next((content[key] for key in _WRAPPERS if key in content), content)
    if isinstance(content, dict | list):
        check_extent(rows=len(content))
    rows = _of_dict(content) if isinstance(content, dict) else _of_list(content)
    if not rows:
        return None
    is_position = isinstance(content, list) and isinstance(content[0], str)
    return Parsed(rows, is_position=is_position and not is_background(rows[0].name))


def _of_dict(content: dict[str, Any]) -> tuple[Region, ...]:
    if not all(key.strip().isdigit() for key in content):
        return ()
    items = [
        (key, item if isinstance(item, dict) else {"name": item}) for key, item in content.items()
    ]
    return tuple(
        region
        for number, (key, item) in enumerate(items, start=1)
        if (region := _json_region(number, item | {"index": key})) is not None
    )


def _of_list(content: Any) -> tuple[Region, ...]:
    if not isinstance(content, list) or not content:
        return ()
    if all(isinstance(item, str) for item in content):
        return tuple(Region(place, name.strip()) for place, name in enumerate(content))
    if not all(isinstance(item, dict) for item in content):
        return ()
    found = [_json_region(number, item) for number, item in enumerate(content, start=1)]
    return tuple(region for region in found if region is not None)


def _json_region(number: int, item: dict[str, Any]) -> Region | None:
    plain = {str(key).lower(): value for key, value in item.items()}
    index = next((key for key in _INDEX_KEYS if key in plain), None)
    name = next((key for key in _NAME_KEYS if key in plain and key != index), None)
    if index is None or name is None or not isinstance(plain[name], str):
        return None
    extra = {
        key: str(value)
        for key, value in plain.items()
        if key not in (index, name) and isinstance(value, str | int | float) and str(value)
    }
    label = parse_label(number, str(plain[index]))
    return Region(label, plain[name].strip(), name_columns(extra))
