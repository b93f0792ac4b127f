"""On a cluster: the same bits, whatever happens to workers; and every trouble is one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from functools import partial
from pathlib import Path

import faults
import numpy as np
import pytest
from phantoms import AFFINE, random_masks, write_masks

from lesion_dash import Cancelled, InputError, cli, compute, load_cohort
from lesion_dash.cohort import Workers
from lesion_dash.topography import folder_stats

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

SHAPE = (40, 41, 42)  # nine buckets
PATIENTS = 40
TESTS = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def scheduler():
    """Two workers, each a process of its own; a task that ends two of them is given up."""
    settings = {"distributed.scheduler.allowed-failures": 1}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=60,
        ) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def masks():
    return random_masks(PATIENTS, shape=SHAPE)


@pytest.fixture
def folder(tmp_path, masks):
    return write_masks(tmp_path / "masks", masks)


@pytest.fixture
def mixed(folder, masks):
    """A folder with something of everything a folder of masks may hold."""
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


def chunks_of(size, monkeypatch):
    def cut(self, items):
        return (list(items[first : first + size]) for first in range(0, len(items), size))

    monkeypatch.setattr(Workers, "_chunks", cut)


def assert_same(found, expected):
    """Roster and maps to the last bit."""
    (roster, stats), (own_roster, own_stats) = found, expected
    assert roster.patients == own_roster.patients
    assert roster.notes == own_roster.notes
    assert roster.grid == own_roster.grid
    assert stats.voxels == own_stats.voxels
    for key, array in own_stats.arrays.items():
        np.testing.assert_array_equal(
            stats.arrays[key].view(np.uint32), array.view(np.uint32), err_msg=key, strict=True
        )


def tasks_of(scheduler) -> list[str]:
    """What the scheduler holds, once it had time to let go."""
    with distributed.Client(scheduler, set_as_default=False) as client:
        for _ in range(50):
            tasks = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))
            if not tasks:
                break
            time.sleep(0.1)
    return tasks


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
    pytest.importorskip("fsspec")
    url = f"local://{mixed}"  # a file system of fsspec that every process sees
    roster, stats = folder_stats(url, 3, scheduler=scheduler)
    assert str(roster.folder) == url
    assert_same((roster, stats), folder_stats(mixed, 3))


def test_a_worker_killed_while_masks_are_read_changes_no_bit(scheduler, mixed, monkeypatch):
    expected = folder_stats(mixed, 2)
    chunks_of(4, monkeypatch)
    monkeypatch.setattr("lesion_dash.cohort.cluster._read_chunk", faults.read_chunk_die_once)
    assert_same(folder_stats(mixed, 2, scheduler=scheduler), expected)
    assert (mixed.parent / "worker-was-killed").exists()


def test_a_worker_killed_with_the_runs_it_holds_changes_no_bit(scheduler, folder, monkeypatch):
    expected = folder_stats(folder, 2)
    chunks_of(4, monkeypatch)
    task = partial(faults.group_volumes_die_once, folder.parent)
    monkeypatch.setattr("lesion_dash.spread_runs._group_volumes", task)
    assert_same(folder_stats(folder, 2, scheduler=scheduler), expected)
    assert (folder.parent / "worker-was-killed").exists()


def test_masks_that_changed_before_they_are_read_again_are_told(scheduler, folder, monkeypatch):
    chunks_of(4, monkeypatch)
    task = partial(faults.group_volumes_die_and_change, folder)
    monkeypatch.setattr("lesion_dash.spread_runs._group_volumes", task)
    with pytest.raises(InputError, match="read again, they hold other lesions"):
        folder_stats(folder, 2, scheduler=scheduler)


@pytest.mark.parametrize("phase", ["headers", "masks"])
def test_a_file_that_ends_workers_is_named_and_the_others_count(
    scheduler, folder, masks, monkeypatch, phase
):
    expected = folder_stats(folder, 2)[1]
    write_masks(folder, masks[:1], names=["sub-deadly.nii.gz"])
    chunks_of(5, monkeypatch)
    task, name = {
        "headers": ("_headers_of", faults.headers_deadly_file),
        "masks": ("_read_chunk", faults.read_chunk_deadly_file),
    }[phase]
    monkeypatch.setattr(f"lesion_dash.cohort.cluster.{task}", name)
    roster, stats = folder_stats(folder, 2, scheduler=scheduler)
    assert roster.n_patients == PATIENTS
    (skipped,) = [patient for patient in roster.patients if patient.status == "skipped"]
    assert skipped.id == "sub-deadly"
    assert skipped.reason.startswith("reading it ended 2 workers, out of memory perhaps; look at")
    for key, array in expected.arrays.items():
        np.testing.assert_array_equal(stats.arrays[key], array)
    assert not tasks_of(scheduler)


def test_maps_that_end_workers_are_one_sentence(scheduler, folder, monkeypatch):
    monkeypatch.setattr("lesion_dash.spread_runs._group_volumes", faults.group_volumes_deadly)
    with pytest.raises(compute.WorkersEnded, match=r"ended 2 workers.*more memory"):
        folder_stats(folder, 2, scheduler=scheduler)


def test_a_file_that_a_worker_does_not_see_is_named_with_the_worker(scheduler, folder, monkeypatch):
    monkeypatch.setattr("lesion_dash.cohort.cluster._headers_of", faults.headers_without_mount)
    match = r"sub-000_lesion.nii.gz: is not found by the worker tcp://127.*mount the folder"
    with pytest.raises(InputError, match=match):
        folder_stats(folder, 2, scheduler=scheduler)
    assert not tasks_of(scheduler)


def test_a_file_that_is_nowhere_any_more_is_only_skipped(tmp_path):
    from lesion_dash.cohort.cluster import Unseen, _seen_here

    error = _seen_here(Unseen(tmp_path / "gone.nii", "is not found by the worker"))
    assert not isinstance(error, Unseen)
    assert "file not found" in error.reason


@pytest.mark.parametrize("package", ["lesion_dash", "numpy", "Python"])
def test_a_worker_with_other_versions_is_refused_before_any_work(
    scheduler, folder, monkeypatch, package
):
    own = compute.own_versions()
    monkeypatch.setattr(compute, "own_versions", lambda: own | {package: "9.9"})
    match = rf"tcp://127.*: worker runs {package} {own[package]}, this computer 9.9; install"
    with pytest.raises(InputError, match=match):
        folder_stats(folder, 2, scheduler=scheduler)


def test_a_worker_with_other_versions_that_comes_late_is_refused_too(
    scheduler, folder, monkeypatch
):
    own = compute.own_versions()
    monkeypatch.setattr(compute, "own_versions", lambda: own | {"numpy": "9.9"})
    monkeypatch.setattr(compute.Cluster, "check_workers", lambda self: None)
    with pytest.raises(InputError, match=r"worker runs numpy .*, this computer 9.9"):
        folder_stats(folder, 2, scheduler=scheduler)


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:8786", "http://127.0.0.1:8786", "tcp://127.0.0.1", "tcp://a b:1"]
)
def test_what_is_no_address_is_told(folder, address):
    with pytest.raises(InputError, match=r"is no address of a scheduler; write it as tcp://host"):
        folder_stats(folder, 2, scheduler=address)


def test_a_password_in_an_address_is_not_shown(folder):
    with pytest.raises(InputError, match="is no address") as caught:
        folder_stats(folder, 2, scheduler="tcp://me:secret@127.0.0.1:8786")
    assert "secret" not in str(caught.value)


def test_a_scheduler_that_does_not_answer_is_told(folder, monkeypatch):
    monkeypatch.setattr(compute, "_PATIENCE", 1)
    with pytest.raises(InputError, match=r"tcp://127.0.0.1:1: no scheduler answers within 1 s"):
        folder_stats(folder, 2, scheduler="tcp://127.0.0.1:1")


def test_a_scheduler_without_workers_is_told(folder, monkeypatch):
    monkeypatch.setattr(compute, "_PATIENCE", 1)
    with (
        distributed.LocalCluster(
            n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=60
        ) as cluster,
        pytest.raises(InputError, match=r"has no workers; start one with `dask worker tcp:"),
    ):
        folder_stats(folder, 2, scheduler=cluster.scheduler_address)


def start_dask(*arguments):
    command = [sys.executable, "-m", "dask", *map(str, arguments), "--no-dashboard"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=TESTS)


@pytest.fixture
def lone(tmp_path):
    """A scheduler and a worker that a test may end: address, scheduler, worker."""
    file = tmp_path / "scheduler.json"
    started = [
        start_dask("scheduler", "--host", "127.0.0.1", "--port", 0, "--scheduler-file", file)
    ]
    try:
        while not file.exists() or not file.read_text().endswith("}"):
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        options = ("--nthreads", 1, "--local-directory", tmp_path / "worker", "--no-nanny")
        started.append(start_dask("worker", address, "--host", "127.0.0.1", *options))
        yield address, *started
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_a_scheduler_lost_midway_is_one_sentence_and_nothing_is_written(
    lone, folder, tmp_path, monkeypatch, capsys
):
    address, scheduler, _ = lone
    chunks_of(1, monkeypatch)

    def lose(done, total):
        if done == 3:
            scheduler.kill()

    monkeypatch.setattr("lesion_dash.commands._progress", lambda text: lose)
    arguments = ["stats", str(folder), "-o", str(tmp_path / "out"), "--scheduler", address]
    assert cli.main(arguments) == 2
    shown = capsys.readouterr().err
    assert f"{address}: the connection to the scheduler was lost; nothing was written" in shown
    assert len(shown.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_cluster_that_has_lost_all_workers_is_not_awaited_for_ever(lone, folder, monkeypatch):
    address, _, worker = lone
    monkeypatch.setattr(compute, "_NO_WORKER", 1)
    monkeypatch.setattr(compute, "_LOOK", 0.2)
    chunks_of(1, monkeypatch)
    with pytest.raises(InputError, match="has had no worker for 1 s"):
        folder_stats(folder, 2, scheduler=address, progress=lambda *_: worker.kill())


def test_stopping_frees_the_cluster(scheduler, folder, monkeypatch):
    chunks_of(1, monkeypatch)
    asked = iter(range(10_000))
    with pytest.raises(Cancelled, match="stopped"):
        folder_stats(folder, 2, scheduler=scheduler, cancelled=lambda: next(asked) > PATIENTS + 5)
    assert not tasks_of(scheduler)


def test_what_nobody_foresaw_on_a_worker_comes_through(scheduler):
    with (
        compute.connect(scheduler) as cluster,
        pytest.raises(ZeroDivisionError, match="surprise"),
    ):
        list(cluster.map(faults.fail, [[1]], lambda item, times: None))
    assert not tasks_of(scheduler)


def test_memory_here_does_not_grow_with_the_number_of_chunks(scheduler):
    """Answers of 1 MB are held a few at a time, and what is kept on the workers never comes."""

    def peak(chunks: int) -> int:
        with compute.connect(scheduler) as cluster:
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


SEEN = """
import sys
from lesion_dash import cli
assert cli.main(sys.argv[1:]) == 0
print(sorted({"dask", "distributed", "fsspec"} & set(sys.modules)))
"""


def test_without_a_cluster_and_a_url_nothing_of_them_is_imported(folder, tmp_path):
    arguments = ["stats", str(folder), "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", SEEN, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_dask_the_option_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"needs Dask.*pip install 'lesion-dash\[cluster\]'"):
        folder_stats(folder, 2, scheduler="tcp://127.0.0.1:8786")


def test_the_command_writes_the_same_files(scheduler, mixed, tmp_path, monkeypatch):
    arguments = ["stats", str(mixed), "--min-patients", "3", "-o"]
    assert cli.main([*arguments, str(tmp_path / "here")]) == 0
    monkeypatch.setenv(compute.SCHEDULER_VARIABLE, scheduler)
    assert cli.main([*arguments, str(tmp_path / "there")]) == 0
    here, there = (
        json.loads((tmp_path / name / "provenance.json").read_text()) for name in ("here", "there")
    )
    assert here["outputs"] == there["outputs"]
    assert here["inputs"] == there["inputs"]
    assert (here["parameters"]["cluster"], there["parameters"]["cluster"]) == (False, True)
    assert "127.0.0.1" not in json.dumps(there)


def test_the_variable_is_honoured_by_the_dashboard_and_by_overlap(
    mixed, tmp_path, monkeypatch, sample_data, capsys
):
    from lesion_dash.dashboard.data_root import DataRoot
    from lesion_dash.dashboard.session import Session

    monkeypatch.setenv(compute.SCHEDULER_VARIABLE, "nonsense")
    with pytest.raises(InputError, match="nonsense: is no address of a scheduler"):
        Session(DataRoot(mixed.parent)).load("masks")
    atlas = str(sample_data / "atlas" / "synthetic_atlas.nii.gz")
    folders = [str(mixed), str(mixed)]
    assert cli.main(["overlap", *folders, "--atlas", atlas, "-o", str(tmp_path / "o")]) == 2
    assert "nonsense: is no address" in capsys.readouterr().err
