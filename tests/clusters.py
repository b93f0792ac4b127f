"""Small clusters on this computer, folders for them to read, and tasks for their workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from phantoms import AFFINE, random_masks, write_masks

if TYPE_CHECKING:
    from distributed import LocalCluster

SHAPE = (40, 41, 42)  # nine buckets
PATIENTS = 40


@contextmanager
def two_workers() -> Iterator[LocalCluster]:
    """Two workers, each a process of its own; a task that ends two of them is given up."""
    import dask
    import distributed
    import shared_store

    settings = {
        "distributed.scheduler.allowed-failures": 1,
        # A worker killed twice within this time would be closed while it starts the second time.
        "distributed.deploy.lost-worker-timeout": "1h",
    }
    options = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "silence_logs": 60}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        shared_store.register()
        client.register_plugin(shared_store.Registration())
        yield cluster


def with_all_workers(cluster: LocalCluster) -> str:
    """The scheduler's address, once the workers are back that an earlier test has killed.

    A worker that is killed while it starts is given up by its nanny; then both are replaced.
    """
    import distributed

    address = cluster.scheduler_address
    with distributed.Client(address, set_as_default=False) as client:
        try:
            client.wait_for_workers(2, timeout=5)
        except TimeoutError:
            cluster.scale(0)
            cluster.scale(2)
            client.wait_for_workers(2, timeout=60)
    return address


def tasks_of(scheduler: str) -> list[str]:
    """What the scheduler holds, once it had time to let go."""
    import distributed

    with distributed.Client(scheduler, set_as_default=False) as client:
        for _ in range(50):
            tasks = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))
            if not tasks:
                break
            time.sleep(0.1)
    return tasks


def write_mixed(folder: Path) -> Path:
    """A folder with something of everything a folder of masks may hold."""
    masks = random_masks(PATIENTS, shape=SHAPE)
    write_masks(folder, masks)
    (folder / "sub-broken.nii").write_bytes(b"broken")
    # Of two formats the preferred one cannot be read, and of two others it can.
    (folder / "sub-003_lesion.nii").write_bytes(b"broken")
    write_masks(folder, masks[5:6] * 2, names=["deep/er/sub-x.nii", "deep/er/sub-x.nii.gz"])
    write_masks(folder, [masks[0] & False, masks[7]], names=["sub-empty.nii", "lesion_count.nii"])
    labels = masks[3].astype(np.uint8) * (1 + masks[2])
    shifted = AFFINE + np.array([[0, 0, 0, 20]] + [[0] * 4] * 3)
    write_masks(folder, [labels, labels], names=["sub-labels.nii", "lesion_mean.nii"])
    write_masks(folder, masks[4:5], shifted, names=["sub-off.nii"])
    (folder / "._sub-1.nii").write_bytes(b"side")
    (folder / "participants.tsv").write_text("participant_id\tage\nsub-000\t61\n")
    return folder


def assert_same(result, expected):
    """The listing and the maps, to the last bit."""
    (listing, stats), (own_listing, own_stats) = result, expected
    assert listing.patients == own_listing.patients
    assert listing.notes == own_listing.notes
    assert listing.grid == own_listing.grid
    assert stats.voxels == own_stats.voxels
    for key, array in own_stats.arrays.items():
        np.testing.assert_array_equal(
            stats.arrays[key].view(np.uint32), array.view(np.uint32), err_msg=key, strict=True
        )


def large_answer(items):
    return bytes(2**20 * len(items)), bytes(2**20)


def fail(items):
    raise ZeroDivisionError("surprise")


def die_when_made_again(counters):
    """What this makes can be made the first time; the next two attempts end their workers."""
    import shared_store

    (counter,) = counters
    with counter.open("a") as file:
        file.write("x")
    if counter.stat().st_size in (2, 3):
        shared_store.kill()
    return "answer", 42


def kept_part(group, pair, text):
    return pair[1]


def all_parts(group, parts):
    return parts


def deadly_merge(group, parts):
    import shared_store

    shared_store.kill()


def merge_out_of_memory(group, parts):
    raise MemoryError
