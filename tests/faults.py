"""Tasks that go wrong on a worker; workers import them from here."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from unittest import mock

from lesion_dash import spread_runs
from lesion_dash.cohort import cluster

READ_CHUNK = cluster._read_chunk
HEADERS_OF = cluster._headers_of
GROUP_VOLUMES = spread_runs._group_volumes


def die() -> None:
    """What the kernel does to a process that takes all memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(beside: Path) -> None:
    marker = beside / "worker-was-killed"
    if not marker.exists():
        marker.touch()
        die()


def read_chunk_die_once(choice, leave_runs, jobs):
    """The worker that reads the mask of sub-020 is killed, once."""
    for path, _ in jobs:
        if path.name.startswith("sub-020"):
            die_once(path.parent.parent)
    return READ_CHUNK(choice, leave_runs, jobs)


def read_chunk_deadly_file(choice, leave_runs, jobs):
    """Each worker that reads sub-deadly is killed."""
    if any(path.name.startswith("sub-deadly") for path, _ in jobs):
        die()
    return READ_CHUNK(choice, leave_runs, jobs)


def headers_deadly_file(paths):
    if any(path.name.startswith("sub-deadly") for path in paths):
        die()
    return HEADERS_OF(paths)


def group_volumes_die_once(beside, grid, min_patients, group, parts):
    """A worker is killed that holds the runs of some chunks."""
    die_once(beside)
    return GROUP_VOLUMES(grid, min_patients, group, parts)


def group_volumes_die_and_change(folder, grid, min_patients, group, parts):
    """As before, and meanwhile somebody has written into the folder of the masks."""
    if not (folder.parent / "worker-was-killed").exists():
        masks = sorted(folder.glob("*.nii.gz"))
        for mask in masks[1:]:
            mask.write_bytes(masks[0].read_bytes())
    die_once(folder.parent)
    return GROUP_VOLUMES(grid, min_patients, group, parts)


def group_volumes_deadly(grid, min_patients, group, parts):
    die()


def headers_without_mount(paths):
    """This worker's machine lacks the folder."""
    gone = mock.patch("lesion_dash.files.reading.os.open", side_effect=FileNotFoundError)
    with gone, mock.patch.object(Path, "exists", return_value=False):
        return HEADERS_OF(paths)


def large_answer(items):
    return bytes(2**20 * len(items)), bytes(2**20)


def fail(items):
    raise ZeroDivisionError("surprise")
