"""How a result was made: versions, parameters, inputs with their checksums, counts."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from .atlas import Atlas
from .cohort import Cohort, Participants, Roster
from .files import AnyPath, PathInput, as_path, checksum, read_bytes
from .images import Map, Mask

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


def cohort_input(cohort: Cohort | Roster) -> dict[str, Any]:
    """A cohort as an input: its folder, grid, and every file with checksum and status.

    A skipped file has the reason as well.
    """
    return {
        "kind": "cohort",
        "folder": str(cohort.folder),
        "grid": {"shape": list(cohort.grid.shape), "affine": cohort.grid.affine.tolist()},
        "used": cohort.n_patients,
        "skipped": len(cohort.patients) - cohort.n_patients,
        "participants": _participants_input(cohort.participants),
        "files": [
            {"file": patient.file, "sha256": patient.sha256 or None, "status": patient.status}
            | ({"reason": patient.reason} if patient.status == "skipped" else {})
            for patient in cohort.patients
        ],
    }


def _participants_input(table: Participants | None) -> dict[str, Any] | None:
    if table is None:
        return None
    units = table.units
    of_units = {"units": {"file": str(units.path), "sha256": units.sha256}} if units.path else {}
    return {"file": str(table.path), "sha256": table.sha256} | of_units


def file_input(kind: str, path: PathInput) -> dict[str, Any]:
    """A file as an input, with the checksum of its bytes as they are now; no password is kept."""
    place = as_path(path)
    return {"kind": kind, "file": str(place), "sha256": checksum(read_bytes(place))}


def mask_input(path: AnyPath, mask: Mask) -> dict[str, Any]:
    """A mask as an input, with the checksum of the bytes that were counted."""
    return {"kind": "mask", "file": str(path), "sha256": mask.sha256}


def map_input(path: AnyPath, found: Map) -> dict[str, Any]:
    """A map as an input, with the checksum of its file."""
    return {"kind": "map", "file": str(path), "sha256": found.sha256}


def atlas_input(atlas: Atlas) -> dict[str, Any]:
    """An atlas as an input: the image and the label table that were read, with checksums."""
    files = [{"file": file, "sha256": sha256 or None} for file, sha256 in atlas.sources.items()]
    return {"kind": "atlas", "name": atlas.name, "files": files}
