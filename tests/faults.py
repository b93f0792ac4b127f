"""Tasks that go wrong on a worker; workers import them from here."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from unittest import mock

import shared_store
from shared_store import SharedStore

from lesion_dash.cohort import readers as cluster
from lesion_dash.stats import voxel_volumes as spread_runs

READ_CHUNK = cluster._read_chunk
HEADERS_OF = cluster._headers_of
GROUP_VOLUMES = spread_runs._group_volumes


def die() -> None:
    """What the kernel does to a process that takes all memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_slowly() -> None:
    """Memory takes a while to fill: a nanny gives up a worker that dies while it starts."""
    time.sleep(1.5)
    die()


def die_once(beside: Path) -> None:
    marker = beside / "worker-was-killed"
    if not marker.exists():
        marker.write_text(str(os.getpid()))
        die()


def read_chunk_die_once(choice, leave_runs, jobs):
    """The worker that reads the mask of sub-020 is killed, once."""
    for file, _ in jobs:
        if file.path.name.startswith("sub-020"):
            die_once(file.path.parent.parent)
    return READ_CHUNK(choice, leave_runs, jobs)


def read_chunk_deadly_file(choice, leave_runs, jobs):
    """Each worker that reads sub-deadly is killed."""
    if any(file.path.name.startswith("sub-deadly") for file, _ in jobs):
        die_slowly()
    return READ_CHUNK(choice, leave_runs, jobs)


def headers_deadly_file(files):
    if any(file.path.name.startswith("sub-deadly") for file in files):
        die_slowly()
    return HEADERS_OF(files)


def read_chunk_out_of_memory(choice, leave_runs, jobs):
    """The worker lives, and has no memory for sub-deadly."""
    if any(file.path.name.startswith("sub-deadly") for file, _ in jobs):
        raise MemoryError
    return READ_CHUNK(choice, leave_runs, jobs)


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
    die_slowly()


def group_volumes_out_of_memory(grid, min_patients, group, parts):
    raise MemoryError


def headers_without_mount(files):
    """This worker's machine lacks the folder."""
    gone = mock.patch("lesion_dash.files.reading.os.open", side_effect=FileNotFoundError)
    with gone, mock.patch.object(Path, "exists", return_value=False):
        return HEADERS_OF(files)


def read_chunk_elsewhere(choice, leave_runs, jobs):
    """On this worker's machine, a folder of that name holds other files."""
    place = jobs[0][0].path.parent.parent / "elsewhere"
    stat = Path.stat

    def stat_there(path, **options):
        return stat(place / path.name, **options)

    with mock.patch.object(Path, "stat", stat_there):
        return READ_CHUNK(choice, leave_runs, jobs)


def headers_without_store(files):
    """This worker sees nothing of the store that this computer lists."""
    shared_store.register()
    missing = {"side_effect": FileNotFoundError}
    with (
        mock.patch.object(SharedStore, "cat_file", **missing),
        mock.patch.object(SharedStore, "info", **missing),
    ):
        return HEADERS_OF(files)


def read_chunk_without_network(choice, leave_runs, jobs):
    shared_store.register()
    down = mock.patch.object(SharedStore, "cat_file", side_effect=ConnectionError("secret"))
    with down, mock.patch("lesion_dash.files.paths._PAUSES", (0,)):
        return READ_CHUNK(choice, leave_runs, jobs)


def large_answer(items):
    return bytes(2**20 * len(items)), bytes(2**20)


def fail(items):
    raise ZeroDivisionError("surprise")


def die_when_made_again(counters):
    """What this makes can be made the first time; the next two attempts end their workers."""
    (counter,) = counters
    with counter.open("a") as file:
        file.write("x")
    if counter.stat().st_size in (2, 3):
        die_slowly()
    return "told", 42


def kept_part(group, pair, text):
    return pair[1]


def all_parts(group, parts):
    return parts
