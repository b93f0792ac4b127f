"""On a cluster: the same bits, whatever happens to workers."""

from __future__ import annotations

import json
import os
import signal
import time
import tracemalloc
from functools import partial

import faults
import numpy as np
import psutil
import pytest
import shared_store
from clusters import (
    PATIENTS,
    SHAPE,
    assert_same,
    chunks_of,
    tasks_of,
    two_workers,
    with_all_workers,
    write_mixed,
)
from phantoms import random_masks, write_masks

from lesion_dash import cli
from lesion_dash.cohort import dask
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.stats.topography import folder_stats

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster():
    with two_workers() as started:
        yield started


@pytest.fixture
def scheduler(cluster):
    return with_all_workers(cluster)


@pytest.fixture(scope="module")
def masks():
    return random_masks(PATIENTS, shape=SHAPE)


@pytest.fixture
def folder(tmp_path, masks):
    return write_masks(tmp_path / "masks", masks)


@pytest.fixture
def mixed(tmp_path):
    return write_mixed(tmp_path / "masks")


@pytest.mark.parametrize(
    ("size", "std", "outside"), [(1, "sample", "nan"), (7, "population", "zero")]
)
def test_a_cluster_gives_the_same_bits(scheduler, mixed, monkeypatch, size, std, outside):
    chunks_of(size, monkeypatch)
    for min_patients in (1, 5):
        arguments = (mixed, min_patients, std, outside)
        found = folder_stats(*arguments, scheduler=scheduler)
        assert_same(found, folder_stats(*arguments))
        assert found[0].n_patients == PATIENTS + 3
        assert found[0].participants is not None
    assert not tasks_of(scheduler)


def test_chunks_of_a_size_of_our_own_choice_give_the_same_bits(scheduler, mixed):
    seen = []
    show = partial(seen.append)
    found = folder_stats(mixed, 3, scheduler=scheduler, progress=lambda *done: show(done))
    assert_same(found, folder_stats(mixed, 3))
    assert seen[PATIENTS - 1] == (PATIENTS, seen[0][1])


def test_a_relative_path_is_that_of_this_computer(scheduler, folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    found = folder_stats("masks", 3, scheduler=scheduler)
    assert_same(found, folder_stats("masks", 3))


def test_a_cohort_read_on_a_cluster_is_the_same(scheduler, mixed):
    found, expected = load_cohort(mixed, scheduler=scheduler), load_cohort(mixed)
    assert found.patients == expected.patients
    np.testing.assert_array_equal(found.starts, expected.starts)
    np.testing.assert_array_equal(found.indices, expected.indices)


def test_urls_are_read_by_the_workers(scheduler, mixed):
    shared_store.register_everywhere(scheduler)
    url = f"shared://{mixed}"
    listing, stats = folder_stats(url, 3, scheduler=scheduler)
    assert str(listing.folder) == url
    assert_same((listing, stats), folder_stats(mixed, 3))


def assert_was_killed(marker) -> None:
    """The worker that wrote its number there is dead, and no exception was all."""
    worker = int(marker.read_text())
    for _ in range(100):
        if not psutil.pid_exists(worker):
            return
        time.sleep(0.1)
    pytest.fail(f"worker {worker} lives")


def test_a_worker_killed_while_masks_are_read_changes_no_bit(scheduler, mixed, monkeypatch):
    expected = folder_stats(mixed, 2)
    chunks_of(4, monkeypatch)
    monkeypatch.setattr("lesion_dash.cohort.readers._read_chunk", faults.read_chunk_die_once)
    assert_same(folder_stats(mixed, 2, scheduler=scheduler), expected)
    assert_was_killed(mixed.parent / "worker-was-killed")


def test_a_worker_killed_with_the_runs_it_holds_changes_no_bit(scheduler, folder, monkeypatch):
    expected = folder_stats(folder, 2)
    chunks_of(4, monkeypatch)
    task = partial(faults.group_volumes_die_once, folder.parent)
    monkeypatch.setattr("lesion_dash.stats.voxel_volumes._group_volumes", task)
    assert_same(folder_stats(folder, 2, scheduler=scheduler), expected)
    assert_was_killed(folder.parent / "worker-was-killed")


def test_masks_that_changed_before_they_are_read_again_are_told(scheduler, folder, monkeypatch):
    chunks_of(4, monkeypatch)
    task = partial(faults.group_volumes_die_and_change, folder)
    monkeypatch.setattr("lesion_dash.stats.voxel_volumes._group_volumes", task)
    with pytest.raises(InputError, match="read again, they hold other lesions"):
        folder_stats(folder, 2, scheduler=scheduler)


ENDED = "reading it ended 2 workers, out of memory perhaps; look at"
EACH_FAULT = {
    "headers": ("_headers_of", faults.headers_deadly_file, ENDED),
    "masks": ("_read_chunk", faults.read_chunk_deadly_file, ENDED),
    "memory": (
        "_read_chunk",
        faults.read_chunk_out_of_memory,
        "reading it needs more memory than a worker has; look at",
    ),
}


@pytest.mark.parametrize("fault", EACH_FAULT)
def test_a_file_that_ends_workers_is_named_and_the_others_count(
    scheduler, folder, masks, monkeypatch, fault
):
    expected = folder_stats(folder, 2)[1]
    write_masks(folder, masks[:1], names=["sub-deadly.nii.gz"])
    chunks_of(5, monkeypatch)
    task, function, reason = EACH_FAULT[fault]
    monkeypatch.setattr(f"lesion_dash.cohort.readers.{task}", function)
    listing, stats = folder_stats(folder, 2, scheduler=scheduler)
    assert listing.n_patients == PATIENTS
    (skipped,) = [patient for patient in listing.patients if patient.status == "skipped"]
    assert skipped.id == "sub-deadly"
    assert skipped.reason.startswith(reason)
    for key, array in expected.arrays.items():
        np.testing.assert_array_equal(stats.arrays[key], array)
    assert not tasks_of(scheduler)


def test_what_was_lost_and_is_blamed_with_a_deadly_task_is_made_again(scheduler, tmp_path):
    counter = tmp_path / "times"
    with dask.connect(scheduler) as cluster:
        ((_, kept),) = cluster.map(faults.die_when_made_again, [[counter]], None)
        for worker in cluster._client.run(os.getpid).values():
            os.kill(worker, signal.SIGKILL)
        found = list(cluster.combine([(kept, "")], faults.kept_part, faults.all_parts, [0]))
    assert found == [[42]]
    # Made, tried twice with its workers, made again; more where a worker ended on its own account.
    assert counter.read_text().startswith("xxxx")


def test_maps_that_end_workers_are_one_sentence(scheduler, folder, monkeypatch):
    monkeypatch.setattr(
        "lesion_dash.stats.voxel_volumes._group_volumes", faults.group_volumes_deadly
    )
    with pytest.raises(dask.WorkersEnded, match=r"ended 2 workers.*more memory"):
        folder_stats(folder, 2, scheduler=scheduler)


def test_maps_without_memory_are_one_sentence(scheduler, folder, monkeypatch):
    task = faults.group_volumes_out_of_memory
    monkeypatch.setattr("lesion_dash.stats.voxel_volumes._group_volumes", task)
    with pytest.raises(dask.WorkerMemory, match=r"needs more memory than a worker.*with more"):
        folder_stats(folder, 2, scheduler=scheduler)


def test_one_worker_is_not_several():
    assert "ended 1 worker, out of memory" in str(dask.WorkersEnded(1))
    assert "ended 4 workers, out of memory" in str(dask.WorkersEnded(4))


def test_what_nobody_foresaw_on_a_worker_comes_through(scheduler):
    with (
        dask.connect(scheduler) as cluster,
        pytest.raises(ZeroDivisionError, match="surprise"),
    ):
        list(cluster.map(faults.fail, [[1]], lambda item, times: None))
    assert not tasks_of(scheduler)


def test_memory_here_does_not_grow_with_the_number_of_chunks(scheduler):
    """Answers of 1 MB are held a few at a time, and what is kept on the workers never comes."""

    def peak(chunks: int) -> int:
        with dask.connect(scheduler) as cluster:
            tracemalloc.start()
            results = cluster.map(faults.large_answer, ([n] for n in range(chunks)), None)
            kept = [kept for answer, kept in results if len(answer) == 2**20]
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert len(kept) == chunks
        return found

    few, many = peak(10), peak(60)
    assert many < few + 4 * 2**20
    assert many < 20 * 2**20


def test_the_command_writes_the_same_files(scheduler, mixed, tmp_path, monkeypatch):
    arguments = ["stats", str(mixed), "--min-patients", "3", "-o"]
    assert cli.main([*arguments, str(tmp_path / "here")]) == 0
    monkeypatch.setenv(dask.SCHEDULER_VARIABLE, scheduler)
    assert cli.main([*arguments, str(tmp_path / "there")]) == 0
    here, there = (
        json.loads((tmp_path / name / "provenance.json").read_text()) for name in ("here", "there")
    )
    assert here["outputs"] == there["outputs"]
    assert here["inputs"] == there["inputs"]
    assert (here["parameters"]["cluster"], there["parameters"]["cluster"]) == (False, True)
    assert "127.0.0.1" not in json.dumps(there)


def test_overlap_writes_the_same_regions_on_a_cluster(scheduler, masks, tmp_path):
    a = write_masks(tmp_path / "a", masks[:20])
    b = write_masks(tmp_path / "b", masks[20:])
    labels = np.indices(SHAPE)[0] // 10 + 1
    atlas = write_masks(tmp_path / "atlas", [labels], names=["atlas.nii.gz"]) / "atlas.nii.gz"
    (atlas.parent / "atlas.csv").write_text("index,name\n1,One\n2,Two\n3,Three\n4,Four\n")
    arguments = ["overlap", str(a), str(b), "--atlas", str(atlas), "-k", "6", "-o"]
    assert cli.main([*arguments, str(tmp_path / "here")]) == 0
    assert cli.main([*arguments, str(tmp_path / "there"), "--scheduler", scheduler]) == 0
    here, there = (
        (tmp_path / place / "region_counts.csv").read_bytes() for place in ("here", "there")
    )
    assert there == here
    assert b"Three" in here
