"""Provenance of a result: versions, parameters, inputs with checksums, counts."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from .paths import PathInput, as_path
from .reading import checksum, read_bytes

FILE_NAME = "provenance.json"
_PACKAGES = ("lesion-dash", "numpy", "scipy", "nibabel", "nilearn", "pandas", "deflate")


def provenance_bytes(
    command: str,
    parameters: Mapping[str, Any],
    inputs: list[dict[str, Any]],
    counts: Mapping[str, Any],
    outputs: Mapping[str, str],
) -> bytes:
    """The content of ``provenance.json``.

    Parameters
    ----------
    command : str
        What was run, such as ``stats``.
    parameters : mapping
        Every choice, defaults included.
    inputs : list of dict
        See `cohort_input`, `mask_input` and `atlas_input`.
    counts : mapping
        The sizes by which a result can be recognised.
    outputs : mapping
        SHA-256 of every other file of this result, by name.
    """
    content = {
        "software": {name: version(name) for name in _PACKAGES}
        | {"python": platform.python_version()},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "parameters": dict(parameters),
        "inputs": inputs,
        "counts": dict(counts),
        "outputs": dict(outputs),
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def file_input(kind: str, path: PathInput) -> dict[str, Any]:
    """A file as an input, with the checksum of its bytes as they are now; no password is kept."""
    place = as_path(path)
    return {"kind": kind, "file": str(place), "sha256": checksum(read_bytes(place))}
