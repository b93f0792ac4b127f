"""What travels between two processes: a task and what was found, as files in a folder.

Numbers go as JSON and arrays as ``.npy`` without objects: reading them runs nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Cancelled, InputError, LesionDashError, MissingFile, SetupError
from ..grid import Grid
from ..transforms import Field, Transform
from .credibility import Evidence
from .engine import Task, Volume
from .finding import Found
from .registration import NotCredible

_ERRORS = {kind.__name__: kind for kind in (InputError, SetupError, MissingFile, NotCredible)}


def write_task(folder: Path, task: Task, engine: str) -> None:
    """Lay down a task and the name of the engine that is to do it."""
    for name, volume in (("moving", task.moving), ("template", task.template)):
        np.save(folder / f"{name}.npy", volume.array)
    if task.lesion is not None:
        np.save(folder / "lesion.npy", task.lesion)
    facts = {
        "engine": engine,
        "kind": task.kind,
        "start": task.start.matrix.tolist(),
        "moving": task.moving.grid.affine.tolist(),
        "template": task.template.grid.affine.tolist(),
        "has_lesion": task.lesion is not None,
    }
    _write_json(folder / "task.json", facts)


def read_task(folder: Path) -> tuple[Task, str]:
    """The task that was laid down, and the engine's name."""
    facts = _read_json(folder / "task.json")
    moving, template = (
        _volume(_load(folder / f"{name}.npy"), facts[name]) for name in ("moving", "template")
    )
    lesion = _load(folder / "lesion.npy") if facts["has_lesion"] else None
    start = Transform(np.array(facts["start"]))
    return Task(moving, template, facts["kind"], start, lesion), facts["engine"]


def write_found(folder: Path, found: Found, memory_mb: float) -> None:
    """Lay down what was found, and how much memory that took."""
    transform = found.transform
    for name, field in (("to_moving", transform.to_moving), ("to_template", transform.to_template)):
        if field is not None:
            np.save(folder / f"{name}.npy", field.mm)
    facts = {
        "matrix": transform.matrix.tolist(),
        "is_linear": transform.is_linear,
        "evidence": asdict(found.evidence),
        "before": found.before,
        "after": found.after,
        "jacobians": found.jacobians,
        "memory_mb": memory_mb,
    }
    _write_json(folder / "found.json", facts)


def read_found(folder: Path, task: Task) -> tuple[Found, float]:
    """What was found, and the memory that took in MB."""
    facts = _read_json(folder / "found.json")
    fields: tuple[Field, Field] | tuple[None, None] = (None, None)
    if not facts["is_linear"]:
        fields = (
            Field(task.template.grid, _load(folder / "to_moving.npy")),
            Field(task.moving.grid, _load(folder / "to_template.npy")),
        )
    transform = Transform(np.array(facts["matrix"]), *fields)
    evidence = facts["evidence"]
    seen = Evidence(**{**evidence, "stretches": tuple(evidence["stretches"])})
    smallest, largest = facts["jacobians"]
    found = Found(transform, seen, facts["before"], facts["after"], (smallest, largest))
    return found, facts["memory_mb"]


def has_found(folder: Path) -> bool:
    """Whether something was found."""
    return (folder / "found.json").exists()


def write_error(folder: Path, error: LesionDashError) -> None:
    """Lay down an error with all its parts."""
    parts = [list(part) if isinstance(part, tuple) else part for part in error.args]
    _write_json(folder / "error.json", {"kind": type(error).__name__, "parts": parts})


def read_error(folder: Path) -> LesionDashError | None:
    """The error that was laid down, if any."""
    if not (folder / "error.json").exists():
        return None
    facts = _read_json(folder / "error.json")
    if facts["kind"] == "Cancelled":
        return Cancelled()
    subject, problem, remedy, details = facts["parts"]
    return _ERRORS.get(facts["kind"], InputError)(subject, problem, remedy, tuple(details))


def _volume(array: NDArray[np.float32], affine: list[list[float]]) -> Volume:
    i, j, k = array.shape
    return Volume(array, Grid((i, j, k), np.array(affine)))


def _load(path: Path) -> NDArray:
    return np.load(path, allow_pickle=False)


def _write_json(path: Path, facts: dict[str, Any]) -> None:
    # Under its name only when whole: the other process may look at any time.
    part = path.with_suffix(".part")
    part.write_text(json.dumps(facts), encoding="utf-8")
    part.replace(path)


def _read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))
