"""On a cluster: the same bits whatever happens to workers, every trouble is one sentence."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
import warnings
from contextlib import contextmanager
from pathlib import Path

import clusters
import numpy as np
import psutil
import pytest
from clusters import PATIENTS, SHAPE, assert_same, tasks_of, two_workers, with_all_workers
from phantoms import random_masks, write_masks

from lesion_dash import cli
from lesion_dash.cohort.dask import (
    SCHEDULER_VARIABLE,
    Cluster,
    Patience,
    WorkerMemory,
    WorkersEnded,
    connect,
    own_versions,
)
from lesion_dash.cohort.loading import load_cohort, read_listing
from lesion_dash.cohort.readers import Sent, Unseen, Workers, check_here, check_on_worker
from lesion_dash.cohort.reading import ReadOptions
from lesion_dash.core.errors import Cancelled, InputError
from lesion_dash.files.listing import confine_to
from lesion_dash.images.masks import BINARY
from lesion_dash.stats.topography import folder_stats, volume_stats

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

OWN_FOLDER = Path("/proc/self/cwd")
"""A path that each process sees its own folder behind, as machines do with other mounts."""


@pytest.fixture(scope="module")
def cluster():
    with two_workers() as started:
        yield started


@pytest.fixture
def scheduler(cluster):
    return with_all_workers(cluster)


@pytest.fixture
def client(scheduler):
    with distributed.Client(scheduler, set_as_default=False) as connected:
        yield connected


@pytest.fixture(scope="module")
def masks():
    return random_masks(PATIENTS, shape=SHAPE)


@pytest.fixture
def folder(tmp_path, masks):
    return write_masks(tmp_path / "masks", masks)


@pytest.fixture
def few(tmp_path, masks):
    """As many masks as there are chunks: each is a chunk of its own."""
    return write_masks(tmp_path / "masks", masks[:8])


@pytest.fixture
def mixed(tmp_path):
    return clusters.write_mixed(tmp_path / "masks")


def test_a_cluster_gives_the_same_bits(scheduler, mixed):
    seen = []
    for min_patients, std, outside in ((1, "sample", "nan"), (5, "population", "zero")):
        arguments = (mixed, min_patients, std, outside)
        options = ReadOptions(progress=lambda *done: seen.append(done))
        result = folder_stats(*arguments, scheduler=scheduler, options=options)
        assert_same(result, folder_stats(*arguments))
        assert result[0].n_patients == PATIENTS + 3
        assert result[0].participants is not None
    assert seen[PATIENTS - 1] == (PATIENTS, seen[0][1])
    cohort, expected = load_cohort(mixed, scheduler=scheduler), load_cohort(mixed)
    assert cohort.patients == expected.patients
    np.testing.assert_array_equal(cohort.starts, expected.starts)
    np.testing.assert_array_equal(cohort.indices, expected.indices)
    assert not tasks_of(scheduler)


def test_a_relative_path_is_that_of_this_computer_and_a_mask_may_be_a_chunk(
    scheduler, few, monkeypatch
):
    monkeypatch.chdir(few.parent)
    result = folder_stats("masks", 2, "sample", "nan", scheduler=scheduler)
    assert_same(result, folder_stats("masks", 2, "sample", "nan"))


def test_files_of_a_patient_are_taken_together_on_the_workers(scheduler, tmp_path):
    names = [f"sub-{patient}_{side}.nii.gz" for patient in range(5) for side in ("left", "right")]
    folder = write_masks(tmp_path / "sides", random_masks(10), names=names)
    options = ReadOptions(several_files="union")
    listing, stats = folder_stats(folder, 2, scheduler=scheduler, options=options)
    expected = load_cohort(folder, several_files="union")
    loaded = load_cohort(folder, several_files="union", scheduler=scheduler)
    assert listing.patients == loaded.patients == expected.patients
    assert np.array_equal(loaded.indices, expected.indices)
    maps = volume_stats(expected, 2)
    assert np.array_equal(stats.mean.array, maps.mean.array.astype(np.float32))


def test_urls_are_read_by_the_workers(scheduler, mixed):
    listing, stats = folder_stats(f"shared://{mixed}", 3, scheduler=scheduler)
    assert str(listing.folder) == f"shared://{mixed}"
    assert_same((listing, stats), folder_stats(mixed, 3))


# Slow, as most tests with a worker that dies: it takes a while to die and to be replaced.
def test_a_worker_killed_while_masks_are_read_changes_no_bit(scheduler, mixed, masks):
    write_masks(mixed, masks[:1], names=["sub-deadly.nii"])
    expected = folder_stats(mixed, 2)
    (mixed / "sub-deadly.nii.fault").write_text("voxels kill-once")
    assert_same(folder_stats(f"shared://{mixed}", 2, scheduler=scheduler), expected)
    worker = int((mixed.parent / "worker-was-killed").read_text())
    assert not psutil.pid_exists(worker) or psutil.Process(worker).status() == "zombie"


def kill_a_worker(client) -> None:
    os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)


def test_a_worker_killed_with_the_runs_it_holds_changes_no_bit(scheduler, folder, client):
    def progress(done, total):
        if done == total:
            kill_a_worker(client)

    options = ReadOptions(progress=progress)
    result = folder_stats(folder, 2, scheduler=scheduler, options=options)
    assert_same(result, folder_stats(folder, 2))


def test_masks_that_changed_before_they_are_read_again_are_told(scheduler, folder, client):
    def progress(done, total):
        if done == total:
            first, *others = sorted(folder.glob("*.nii.gz"))
            for mask in others:
                mask.write_bytes(first.read_bytes())
            kill_a_worker(client)

    with pytest.raises(InputError, match="read again, they hold other lesions"):
        folder_stats(folder, 2, scheduler=scheduler, options=ReadOptions(progress=progress))


@contextmanager
def no_second_try(client):
    """A task that ends one worker is given up, so that a test need not wait for a second one."""

    def allow(failures, dask_scheduler):
        dask_scheduler.allowed_failures = failures

    client.run_on_scheduler(allow, 0)
    yield
    client.run_on_scheduler(allow, 1)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("voxels kill", "reading it ended 1 worker, out of memory perhaps; look at"),
        ("header memory", "reading it needs more memory than a worker has; look at"),
    ],
    ids=["a mask kills", "no memory for a header"],
)
def test_a_file_that_ends_workers_is_named_and_the_others_count(
    scheduler, few, masks, client, fault, reason
):
    expected = folder_stats(few, 2)[1]
    write_masks(few, masks[:1], names=["sub-deadly.nii"])
    (few / "sub-deadly.nii.fault").write_text(fault)
    with no_second_try(client):
        listing, stats = folder_stats(f"shared://{few}", 2, scheduler=scheduler)
    assert listing.n_patients == len(masks[:8])
    (skipped,) = [patient for patient in listing.patients if patient.status == "skipped"]
    assert skipped.id == "sub-deadly"
    assert skipped.reason.startswith(reason)
    for key, array in expected.arrays.items():
        np.testing.assert_array_equal(stats.arrays[key], array)
    assert len(tasks_of(scheduler)) == 0


# Slow: four workers die.
def test_what_was_lost_and_is_blamed_with_a_deadly_task_is_made_again(scheduler, tmp_path, client):
    counter = tmp_path / "times"
    with connect(scheduler) as cluster:
        ((_, result),) = cluster.map(clusters.die_when_made_again, [[counter]], None)
        for worker in client.run(os.getpid).values():
            os.kill(worker, signal.SIGKILL)
        merged = list(cluster.combine([(result, "")], clusters.kept_part, clusters.all_parts, [0]))
    assert merged == [[42]]
    # Made, tried twice with its workers, made again; more where a worker ended on its own account.
    assert counter.read_text().startswith("xxxx")


@pytest.mark.parametrize(
    ("merge", "error", "match"),
    [
        (
            clusters.deadly_merge,
            WorkersEnded,
            "a task ended 1 worker, out of memory.*more memory",
        ),
        (clusters.merge_out_of_memory, WorkerMemory, "needs more memory than a worker.*with more"),
    ],
)
def test_maps_that_workers_cannot_make_are_one_sentence(scheduler, client, merge, error, match):
    with no_second_try(client), connect(scheduler) as cluster:
        ((_, result),) = cluster.map(clusters.large_answer, [[1]], None)
        with pytest.raises(error, match=match):
            list(cluster.combine([(result, "")], clusters.kept_part, merge, [0]))


def test_several_workers_are_counted():
    assert "ended 4 workers, out of memory" in str(WorkersEnded(4))


def test_what_nobody_foresaw_on_a_worker_comes_through(scheduler):
    with connect(scheduler) as cluster, pytest.raises(ZeroDivisionError, match="surprise"):
        list(cluster.map(clusters.fail, [[1]], None))
    assert not tasks_of(scheduler)


def test_memory_here_does_not_grow_with_the_number_of_chunks(scheduler):
    """Answers of 1 MB are held a few at a time, and what stays on the workers never comes."""

    def peak(chunks: int) -> int:
        with connect(scheduler) as cluster:
            tracemalloc.start()
            results = cluster.map(clusters.large_answer, ([n] for n in range(chunks)), None)
            remotes = [remote for answer, remote in results if len(answer) == 2**20]
            highest = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert len(remotes) == chunks
        return highest

    few, many = peak(10), peak(40)
    assert many < few + 4 * 2**20
    assert many < 20 * 2**20


def test_commands_write_the_same_files(scheduler, mixed, masks, tmp_path, monkeypatch):
    other = write_masks(tmp_path / "other", masks[6:12])
    labels = np.indices(SHAPE)[0] // 10 + 1
    atlas = write_masks(tmp_path / "atlas", [labels], names=["atlas.nii.gz"]) / "atlas.nii.gz"
    (atlas.parent / "atlas.csv").write_text("index,name\n1,One\n2,Two\n3,Three\n4,Four\n")
    for command in (["stats", mixed], ["overlap", mixed, other, "--atlas", atlas]):
        results = {}
        for place, variable in (("local", ""), ("remote", scheduler)):
            monkeypatch.setenv(SCHEDULER_VARIABLE, variable)
            out = tmp_path / command[0] / place
            assert cli.main([*map(str, command), "-k", "3", "-o", str(out)]) == 0
            results[place] = json.loads((out / "provenance.json").read_text())
        local, remote = results["local"], results["remote"]
        assert local["outputs"] == remote["outputs"]
        assert local["inputs"] == remote["inputs"]
        assert (local["parameters"]["cluster"], remote["parameters"]["cluster"]) == (False, True)
        assert "127.0.0.1" not in json.dumps(remote)


@pytest.mark.skipif(not OWN_FOLDER.exists(), reason="this system has no /proc")
@pytest.mark.parametrize(
    ("other", "match"),
    [
        ("none", "is not found by the worker tcp://127.*; mount the folder"),
        (
            "elsewhere",
            r"has [\d,]+ bytes for the worker tcp:.*, [\d,]+ on this computer: it sees another",
        ),
    ],
)
def test_a_file_that_a_worker_sees_otherwise_is_named_with_the_worker(
    scheduler, few, client, monkeypatch, other, match
):
    (few.parent / "none").mkdir()
    write_masks(few.parent / "elsewhere" / "masks", random_masks(8, seed=1))
    client.run(os.chdir, few.parent / other)
    monkeypatch.chdir(few.parent)
    with pytest.raises(InputError, match=f"sub-000_lesion.nii.gz: {match}"):
        folder_stats(OWN_FOLDER / "masks", 2, scheduler=scheduler)
    client.run(os.chdir, "/")
    assert not tasks_of(scheduler)


def test_what_a_store_shows_to_this_computer_alone_is_named_with_the_worker(scheduler, few):
    (few / "sub-000_lesion.nii.gz.fault").write_text("all missing")
    match = r"^shared:///.*sub-000_lesion.nii.gz: is not found by the worker tcp://127"
    with pytest.raises(InputError, match=match):
        folder_stats(f"shared://{few}", 2, scheduler=scheduler)


def test_a_worker_that_a_store_refuses_ends_the_run_and_skips_no_patient(
    scheduler, few, tmp_path, capsys
):
    (few / "sub-004_lesion.nii.gz.fault").write_text("all refused")
    out = tmp_path / "out"
    arguments = ["stats", f"shared://{few}", "-o", str(out), "--scheduler", scheduler]
    assert cli.main(arguments) == 2
    shown = capsys.readouterr().err
    assert "sub-004_lesion.nii.gz on the worker tcp://127" in shown
    assert "no permission to read; check your credentials" in shown
    assert "secret" not in shown
    assert not out.exists()


def test_a_worker_follows_no_link_out_of_the_data_root(scheduler, few, tmp_path):
    link = few / "sub-link.nii.gz"
    shutil.copy(min(few.glob("*.nii.gz")), tmp_path / "outside.nii.gz")
    link.symlink_to(tmp_path / "outside.nii.gz")

    def read():
        with connect(scheduler) as cluster:
            (header,) = Workers(cluster).headers([link])
            (mask,) = Workers(cluster).masks([((link, getattr(header, "grid", None)),)], BINARY)
        return header, mask

    assert not any(isinstance(result, InputError) for result in read())
    confine_to(few)
    assert all("out of the data root" in str(result) for result in read())


def test_a_file_that_is_nowhere_any_more_is_only_skipped(scheduler, tmp_path):
    with connect(scheduler) as cluster:
        (result,) = Workers(cluster).headers([tmp_path / "gone.nii"])
    assert not isinstance(result, Unseen)
    assert "file not found, although it was listed a moment ago" in result.reason


def test_a_file_that_grew_since_it_was_sent_is_only_skipped(tmp_path):
    grown = tmp_path / "grown.nii"
    grown.write_bytes(b"12")
    assert check_on_worker(Sent(grown, 2), "read") == "read"
    other = Unseen(grown, "has other bytes")
    other.size = 1
    assert "changed during the run" in check_here(grown, other).reason
    other.size = 2
    with pytest.raises(Unseen, match="has other bytes"):
        check_here(grown, other)


@pytest.mark.parametrize("package", ["lesion_dash", "numpy", "Python"])
def test_a_worker_with_other_versions_is_refused(client, scheduler, package):
    own = own_versions()
    cluster = Cluster(client, scheduler, versions=own | {package: "9.9"})
    match = rf"tcp://127.*: worker runs {package} {own[package]}, this computer 9.9; install"
    with pytest.raises(InputError, match=match):
        cluster.check_workers()
    with pytest.raises(InputError, match=match):  # one that comes late is not checked before
        list(cluster.map(clusters.large_answer, [[1]], None))


NO_ADDRESS = "is not the address of a scheduler; write it as tcp://host"
NO_PORT = "port {} does not exist; give one from 1 to 65535"


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("", NO_ADDRESS),
        ("127.0.0.1:8786", NO_ADDRESS),
        ("http://127.0.0.1:8786", NO_ADDRESS),
        ("tcp://127.0.0.1", NO_ADDRESS),
        ("tcp://a b:1", NO_ADDRESS),
        *((f"tcp://127.0.0.1:{port}", NO_PORT.format(port)) for port in (0, 65536, 99999)),
        ("tls://127.0.0.1:8786", "tls:// needs certificates.*set distributed.comm.tls.ca-file and"),
    ],
)
def test_an_address_that_cannot_be_used_is_told(few, address, match):
    with pytest.raises(InputError, match=match):
        folder_stats(few, 2, scheduler=address)


@pytest.mark.parametrize(
    "address", ["tcp://me:secret@host:1", "tcp://me:sec/ret@host:1", "me:sec@ret@host:1"]
)
def test_a_password_in_an_address_is_not_shown(few, tmp_path, capsys, address):
    out = str(tmp_path / "out")
    assert cli.main(["stats", str(few), "-o", out, "--scheduler", address]) == 2
    shown = capsys.readouterr().err
    assert "***@host:1: is not the address of a scheduler" in shown
    assert not any(part in shown for part in ("sec", "ret@", "me:"))


def tls(ca: str, cert: str, key: str):
    """Dask's own configuration with certificates."""
    settings = {"ca-file": ca}
    for role in ("client", "scheduler", "worker"):
        settings |= {f"{role}.cert": cert, f"{role}.key": key}
    return dask.config.set(
        {f"distributed.comm.tls.{name}": path for name, path in settings.items()}
    )


def test_certificates_that_cannot_be_read_and_a_plain_scheduler_are_told(tmp_path):
    gone = str(tmp_path / "gone.pem")
    match = r"the certificates in Dask's configuration cannot be used \(.*No such file"
    with tls(gone, gone, gone), pytest.raises(InputError, match=match):
        connect("tls://127.0.0.1:8786").__enter__()
    with (
        dask.config.set({"distributed.comm.require-encryption": True}),
        pytest.raises(InputError, match=r"asks for encryption; use a tls:// scheduler"),
    ):
        connect("tcp://127.0.0.1:1").__enter__()


def local_cluster(**options):
    return distributed.LocalCluster(
        threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=60, **options
    )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made with openssl")
def test_tls_with_the_certificates_of_dasks_configuration(few, tmp_path):
    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    made = ["-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout", key, "-out", cert]
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", *made]
    subprocess.run(request, check=True, capture_output=True)
    with tls(cert, cert, key):
        options = {"n_workers": 1, "host": "tls://127.0.0.1", "protocol": "tls://"}
        with local_cluster(**options, security=distributed.Security()) as secure:
            assert secure.scheduler_address.startswith("tls://")
            result = folder_stats(few, 2, scheduler=secure.scheduler_address)
    assert_same(result, folder_stats(few, 2))


def test_dask_is_silent_as_long_as_any_connection_is_there_and_not_longer(scheduler):
    logger = logging.getLogger("distributed.comm")
    before, filters = logger.level, list(warnings.filters)
    first, two = connect(scheduler), connect(scheduler)
    first.__enter__()
    two.__enter__()
    assert logger.level == logging.CRITICAL
    first.__exit__(None, None, None)
    warnings.warn(distributed.versions.VersionMismatchWarning("x"), stacklevel=1)
    assert logger.level == logging.CRITICAL
    two.__exit__(None, None, None)
    assert logger.level == before != logging.CRITICAL
    assert warnings.filters == filters


def test_a_scheduler_that_does_not_answer_or_has_no_workers_is_told():
    match = r"tcp://127.0.0.1:1: no scheduler answers within 0.5 s"
    with pytest.raises(InputError, match=match):
        connect("tcp://127.0.0.1:1", Patience(0.5)).__enter__()
    match = r"has no workers; start one with `dask worker tcp:"
    with (
        local_cluster(n_workers=0, host="127.0.0.1") as cluster,
        pytest.raises(InputError, match=match),
    ):
        connect(cluster.scheduler_address, Patience(0.5)).__enter__()


def start_dask(*arguments):
    command = [sys.executable, "-m", "dask", *map(str, arguments), "--no-dashboard"]
    folder = Path(__file__).resolve().parent
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=folder)


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


# Slow, as the next one: a scheduler and a worker are started as programs.
def test_a_scheduler_lost_midway_is_one_sentence(lone, few):
    address, scheduler, _ = lone

    def lose(done, total):
        if done == 3:
            scheduler.kill()

    with pytest.raises(InputError, match="the connection to the scheduler was lost; nothing was"):
        folder_stats(few, 2, scheduler=address, options=ReadOptions(progress=lose))


def test_a_cluster_that_has_lost_all_workers_is_not_awaited_for_ever(lone, few):
    address, _, worker = lone
    options = ReadOptions(progress=lambda *_: worker.kill())
    with (
        pytest.raises(InputError, match="has had no worker for 1 s"),
        connect(address, Patience(look=0.2, worker=1)) as cluster,
    ):
        read_listing(few, options, Workers(cluster))


def test_stopping_frees_the_cluster(scheduler, folder):
    calls = iter(range(10_000))
    options = ReadOptions(cancelled=lambda: next(calls) > PATIENTS + 5)
    with pytest.raises(Cancelled, match="stopped"):
        folder_stats(folder, 2, scheduler=scheduler, options=options)
    assert not tasks_of(scheduler)


SEEN = """
import sys
from lesion_dash import cli
assert cli.main(sys.argv[1:]) == 0
print(sorted({"dask", "distributed", "fsspec"} & set(sys.modules)))
"""


def test_without_a_cluster_and_a_url_nothing_of_them_is_imported(few, tmp_path):
    arguments = ["stats", str(few), "-k", "2", "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", SEEN, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_dask_the_option_says_what_to_install(few, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"needs Dask.*pip install 'lesion-dash\[cluster\]'"):
        folder_stats(few, 2, scheduler="tcp://127.0.0.1:8786")


def test_the_variable_is_honoured_by_the_dashboard_and_by_overlap(
    few, tmp_path, monkeypatch, sample_data, capsys
):
    from lesion_dash.dashboard.data_root import DataRoot
    from lesion_dash.dashboard.session import Session

    monkeypatch.setenv(SCHEDULER_VARIABLE, "nonsense")
    with pytest.raises(InputError, match="nonsense: is not the address of a scheduler"):
        Session(DataRoot(few.parent)).load("masks")
    atlas = str(sample_data / "atlas" / "synthetic_atlas.nii.gz")
    folders = [str(few), str(few)]
    assert cli.main(["overlap", *folders, "--atlas", atlas, "-o", str(tmp_path / "o")]) == 2
    assert "nonsense: is not the address" in capsys.readouterr().err
    monkeypatch.setenv(SCHEDULER_VARIABLE, "  ")  # only blanks: as if it were not set
    assert cli.main(["stats", str(few), "-k", "2", "-o", str(tmp_path / "out")]) == 0
    assert Session(DataRoot(few.parent)).load("masks").n_patients == len([*few.iterdir()])
