"""On a cluster: every trouble is one sentence, and nothing of ours stays there."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import faults
import pytest
import shared_store
from clusters import (
    PATIENTS,
    SHAPE,
    chunks_of,
    tasks_of,
    two_workers,
    with_all_workers,
)
from phantoms import random_masks, write_masks

from lesion_dash import cli
from lesion_dash.cohort import dask as dask_module
from lesion_dash.cohort.readers import Workers
from lesion_dash.core.errors import Cancelled, InputError
from lesion_dash.files.listing import confine_to
from lesion_dash.images.masks import BINARY
from lesion_dash.stats.topography import folder_stats

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

TESTS = Path(__file__).resolve().parent


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


def test_a_file_that_a_worker_does_not_see_is_named_with_the_worker(scheduler, folder, monkeypatch):
    monkeypatch.setattr("lesion_dash.cohort.readers._headers_of", faults.headers_without_mount)
    match = r"sub-000_lesion.nii.gz: is not found by the worker tcp://127.*mount the folder"
    with pytest.raises(InputError, match=match):
        folder_stats(folder, 2, scheduler=scheduler)
    assert not tasks_of(scheduler)


def test_a_file_of_another_size_on_a_worker_is_another_file(scheduler, folder, monkeypatch):
    write_masks(folder.parent / "elsewhere", random_masks(PATIENTS, seed=1))
    monkeypatch.setattr("lesion_dash.cohort.readers._read_chunk", faults.read_chunk_elsewhere)
    match = (
        r"sub-000_lesion.nii.gz: has [\d,]+ bytes for the worker tcp://127.*, [\d,]+ on this "
        r"computer: it sees another file of that name; mount the same folder"
    )
    with pytest.raises(InputError, match=match):
        folder_stats(folder, 2, scheduler=scheduler)
    assert not tasks_of(scheduler)


def test_what_a_store_shows_to_this_computer_alone_is_named_with_the_worker(
    scheduler, folder, monkeypatch
):
    shared_store.register()
    monkeypatch.setattr("lesion_dash.cohort.readers._headers_of", faults.headers_without_store)
    match = r"^shared:///.*sub-000_lesion.nii.gz: is not found by the worker tcp://127"
    with pytest.raises(InputError, match=match):
        folder_stats(f"shared://{folder}", 2, scheduler=scheduler)


def test_a_worker_without_network_ends_the_run_and_skips_no_patient(
    scheduler, folder, tmp_path, monkeypatch, capsys
):
    shared_store.register_everywhere(scheduler)
    task = faults.read_chunk_without_network
    monkeypatch.setattr("lesion_dash.cohort.readers._read_chunk", task)
    out = tmp_path / "out"
    arguments = ["stats", f"shared://{folder}", "-o", str(out), "--scheduler", scheduler]
    assert cli.main(arguments) == 2
    shown = capsys.readouterr().err
    assert "on the worker tcp://127" in shown
    assert "reading stopped (ConnectionError) in each of 2 tries; check the network" in shown
    assert "secret" not in shown
    assert not out.exists()


def test_a_worker_follows_no_link_out_of_the_data_root(scheduler, folder, tmp_path):
    link = folder / "sub-link.nii.gz"
    shutil.copy(min(folder.glob("*.nii.gz")), tmp_path / "outside.nii.gz")
    link.symlink_to(tmp_path / "outside.nii.gz")

    def read():
        with dask_module.connect(scheduler) as cluster:
            (header,) = Workers(cluster).headers([link])
            (mask,) = Workers(cluster).masks([(link, getattr(header, "grid", None))], BINARY)
        return header, mask

    assert not any(isinstance(found, InputError) for found in read())
    confine_to(folder)
    assert all("out of the data root" in str(found) for found in read())


def test_a_file_that_is_nowhere_any_more_is_only_skipped(tmp_path):
    from lesion_dash.cohort.readers import Unseen, _seen_here

    gone = tmp_path / "gone.nii"
    error = _seen_here(gone, Unseen(gone, "is not found by the worker"))
    assert not isinstance(error, Unseen)
    assert "file not found, although it was listed a moment ago" in error.reason


def test_a_file_that_grew_since_it_was_sent_is_only_skipped(tmp_path):
    from lesion_dash.cohort.readers import Sent, Unseen, _found_here, _seen_here

    grown = tmp_path / "grown.nii"
    grown.write_bytes(b"12")
    other = Unseen(grown, "has other bytes")
    other.size = 1
    assert _found_here(Sent(grown, 2), "read") == "read"
    assert "changed during the run" in _seen_here(grown, other).reason
    other.size = 2
    with pytest.raises(Unseen, match="has other bytes"):
        _seen_here(grown, other)


@pytest.mark.parametrize("package", ["lesion_dash", "numpy", "Python"])
def test_a_worker_with_other_versions_is_refused_before_any_work(
    scheduler, folder, monkeypatch, package
):
    own = dask_module.own_versions()
    monkeypatch.setattr("lesion_dash.cohort.dask.own_versions", lambda: own | {package: "9.9"})
    match = rf"tcp://127.*: worker runs {package} {own[package]}, this computer 9.9; install"
    with pytest.raises(InputError, match=match):
        folder_stats(folder, 2, scheduler=scheduler)


def test_a_worker_with_other_versions_that_comes_late_is_refused_too(
    scheduler, folder, monkeypatch
):
    own = dask_module.own_versions()
    monkeypatch.setattr("lesion_dash.cohort.dask.own_versions", lambda: own | {"numpy": "9.9"})
    monkeypatch.setattr(dask_module.Cluster, "check_workers", lambda self: None)
    with pytest.raises(InputError, match=r"worker runs numpy .*, this computer 9.9"):
        folder_stats(folder, 2, scheduler=scheduler)


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:8786", "http://127.0.0.1:8786", "tcp://127.0.0.1", "tcp://a b:1"]
)
def test_what_is_no_address_is_told(folder, address):
    with pytest.raises(InputError, match=r"is no address of a scheduler; write it as tcp://host"):
        folder_stats(folder, 2, scheduler=address)


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_a_port_that_cannot_be_is_told(folder, port):
    with pytest.raises(InputError, match=rf"port {port} does not exist; give one from 1 to 65535"):
        folder_stats(folder, 2, scheduler=f"tcp://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "address", ["tcp://me:secret@host:1", "tcp://me:sec/ret@host:1", "me:sec@ret@host:1"]
)
def test_a_password_in_an_address_is_not_shown(folder, tmp_path, capsys, address):
    out = str(tmp_path / "out")
    assert cli.main(["stats", str(folder), "-o", out, "--scheduler", address]) == 2
    shown = capsys.readouterr().err
    assert "***@host:1: is no address of a scheduler" in shown
    assert not any(part in shown for part in ("sec", "ret@", "me:"))


def test_tls_without_certificates_is_told(folder):
    match = r"tls:// needs certificates.*set distributed.comm.tls.ca-file and"
    with pytest.raises(InputError, match=match):
        folder_stats(folder, 2, scheduler="tls://127.0.0.1:8786")


def test_certificates_that_cannot_be_read_are_told(folder, tmp_path):
    gone = str(tmp_path / "gone.pem")
    settings = {"ca-file": gone, "client.cert": gone, "client.key": gone}
    match = r"the certificates in Dask's configuration cannot be used \(.*No such file"
    with (
        dask.config.set(
            {f"distributed.comm.tls.{name}": value for name, value in settings.items()}
        ),
        pytest.raises(InputError, match=match),
    ):
        folder_stats(folder, 2, scheduler="tls://127.0.0.1:8786")


def test_a_plain_scheduler_where_encryption_is_asked_for_is_told(folder):
    with (
        dask.config.set({"distributed.comm.require-encryption": True}),
        pytest.raises(InputError, match=r"asks for encryption; use a tls:// scheduler"),
    ):
        folder_stats(folder, 2, scheduler="tcp://127.0.0.1:1")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made with openssl")
def test_tls_with_the_certificates_of_dasks_configuration(folder, tmp_path):
    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    made = ["-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout", key, "-out", cert]
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", *made]
    subprocess.run(request, check=True, capture_output=True)
    settings = {"ca-file": cert}
    for role in ("client", "scheduler", "worker"):
        settings |= {f"{role}.cert": cert, f"{role}.key": key}
    with (
        dask.config.set(
            {f"distributed.comm.tls.{name}": value for name, value in settings.items()}
        ),
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            host="tls://127.0.0.1",
            protocol="tls://",
            security=distributed.Security(),
            dashboard_address="127.0.0.1:0",
            silence_logs=60,
        ) as secure,
    ):
        assert secure.scheduler_address.startswith("tls://")
        found = folder_stats(folder, 2, scheduler=secure.scheduler_address)[1]
    assert found.voxels == folder_stats(folder, 2)[1].voxels


def test_dask_is_silent_as_long_as_any_connection_is_there_and_not_longer(scheduler):
    logger = logging.getLogger("distributed.comm")
    before, filters = logger.level, list(warnings.filters)
    one, two = dask_module.connect(scheduler), dask_module.connect(scheduler)
    one.__enter__()
    two.__enter__()
    assert logger.level == logging.CRITICAL
    one.__exit__(None, None, None)
    warnings.warn(distributed.versions.VersionMismatchWarning("x"), stacklevel=1)
    assert logger.level == logging.CRITICAL
    two.__exit__(None, None, None)
    assert logger.level == before != logging.CRITICAL
    assert warnings.filters == filters


def test_a_scheduler_that_does_not_answer_is_told(folder, monkeypatch):
    monkeypatch.setattr("lesion_dash.cohort.dask.PATIENCE", 1)
    with pytest.raises(InputError, match=r"tcp://127.0.0.1:1: no scheduler answers within 1 s"):
        folder_stats(folder, 2, scheduler="tcp://127.0.0.1:1")


def test_a_scheduler_without_workers_is_told(folder, monkeypatch):
    monkeypatch.setattr("lesion_dash.cohort.dask.PATIENCE", 1)
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

    monkeypatch.setattr("lesion_dash.analyses.topography.progress_bar", lambda text, unit: lose)
    arguments = ["stats", str(folder), "-o", str(tmp_path / "out"), "--scheduler", address]
    assert cli.main(arguments) == 2
    shown = capsys.readouterr().err
    assert f"{address}: the connection to the scheduler was lost; nothing was written" in shown
    assert len(shown.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_cluster_that_has_lost_all_workers_is_not_awaited_for_ever(lone, folder, monkeypatch):
    address, _, worker = lone
    monkeypatch.setattr("lesion_dash.cohort.dask._NO_WORKER", 1)
    monkeypatch.setattr("lesion_dash.cohort.dask._LOOK", 0.2)
    chunks_of(1, monkeypatch)
    with pytest.raises(InputError, match="has had no worker for 1 s"):
        folder_stats(folder, 2, scheduler=address, progress=lambda *_: worker.kill())


def test_stopping_frees_the_cluster(scheduler, folder, monkeypatch):
    chunks_of(1, monkeypatch)
    asked = iter(range(10_000))
    with pytest.raises(Cancelled, match="stopped"):
        folder_stats(folder, 2, scheduler=scheduler, cancelled=lambda: next(asked) > PATIENTS + 5)
    assert not tasks_of(scheduler)


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


def test_the_variable_is_honoured_by_the_dashboard_and_by_overlap(
    folder, tmp_path, monkeypatch, sample_data, capsys
):
    from lesion_dash.dashboard.data_root import DataRoot
    from lesion_dash.dashboard.session import Session

    monkeypatch.setenv(dask_module.SCHEDULER_VARIABLE, "nonsense")
    with pytest.raises(InputError, match="nonsense: is no address of a scheduler"):
        Session(DataRoot(folder.parent)).load("masks")
    atlas = str(sample_data / "atlas" / "synthetic_atlas.nii.gz")
    folders = [str(folder), str(folder)]
    assert cli.main(["overlap", *folders, "--atlas", atlas, "-o", str(tmp_path / "o")]) == 2
    assert "nonsense: is no address" in capsys.readouterr().err


def test_a_variable_of_only_blanks_is_not_set(folder, tmp_path, monkeypatch):
    from lesion_dash.dashboard.data_root import DataRoot
    from lesion_dash.dashboard.session import Session

    monkeypatch.setenv(dask_module.SCHEDULER_VARIABLE, "  ")
    assert cli.main(["stats", str(folder), "-k", "2", "-o", str(tmp_path / "out")]) == 0
    assert Session(DataRoot(folder.parent)).load("masks").n_patients == PATIENTS
