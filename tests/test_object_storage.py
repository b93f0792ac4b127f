"""Masks in an object store and on a web server, both real and on this computer, and their faults.

Each ends in the numbers of the local folder, or in one sentence that says how to go on.
"""

from __future__ import annotations

import json
import os
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.request import urlopen

import numpy as np
import pytest
from faulty_server import cut, faulty_server, shortened, slow, status
from phantoms import random_masks, write_masks

from lesion_dash import cli
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError, SetupError
from lesion_dash.images.masks import read_mask

BUCKET, FOLDER, OUT = "study", "s3://study/masks", "s3://study/results"
RESULTS = ("stats", "-k", "2")


def needs(*modules: str) -> None:
    """Skip where a package is missing, or fail where all services are to be there."""
    for module in modules:
        try:
            __import__(module)
        except ImportError:
            message = f"{module} is not installed: `pip install 'moto[s3]' s3fs` adds it"
            if os.environ.get("LESION_DASH_REQUIRE_SERVICES") == "1":
                pytest.fail(message, pytrace=False)
            pytest.skip(message)


@pytest.fixture(scope="module")
def masks(tmp_path_factory):
    return write_masks(tmp_path_factory.mktemp("local") / "masks", random_masks(6))


@pytest.fixture(scope="module")
def local_results(masks, tmp_path_factory):
    out = tmp_path_factory.mktemp("results") / "out"
    assert cli.main([RESULTS[0], str(masks), *RESULTS[1:], "-o", str(out)]) == 0
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture(scope="module")
def moto_server():
    needs("moto", "flask", "s3fs")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        # moto sets names in the environment for clients within its own process.
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "dummy")
        server.start()
        yield server.get_host_and_port()
        server.stop()


@pytest.fixture
def moto_api(moto_server):
    def post(path: str, content: bytes = b"") -> None:
        with urlopen(f"http://{moto_server[0]}:{moto_server[1]}/moto-api/{path}", content):
            pass

    return post


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """How long was waited before each new try; the servers here wait in other threads."""
    waited = []
    monkeypatch.setattr("lesion_dash.files.paths.time.sleep", waited.append)
    return waited


@pytest.fixture
def settings(monkeypatch, tmp_path):
    """An environment with credentials for the server here, and none of this computer's own."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "dummy")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "dummy")
    return monkeypatch


@pytest.fixture
def store(moto_server, moto_api, settings, masks):
    """The way to a store that holds the masks, where requests can be made to fail."""
    from s3fs import S3FileSystem

    # Each of its own tries is one request: what is tested is what follows when it gives up.
    settings.setattr(S3FileSystem, "retries", 1)
    moto_api("reset")
    with faulty_server(*moto_server) as server:
        settings.setenv("AWS_ENDPOINT_URL", server.url)
        S3FileSystem.clear_instance_cache()
        system = S3FileSystem()
        system.mkdir(BUCKET)
        system.put(f"{masks}/", f"{BUCKET}/masks/", recursive=True)
        S3FileSystem.clear_instance_cache()
        server.requests.clear()
        yield server
    S3FileSystem.clear_instance_cache()


def keys(folder: str = OUT) -> dict[str, bytes]:
    """What lies in a folder of the store, by name."""
    from s3fs import S3FileSystem

    system = S3FileSystem()
    system.invalidate_cache()
    return {path.rpartition("/")[2]: system.cat_file(path) for path in system.find(folder)}


def without_record(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name != "provenance.json"}


def run(source: object, out: object, *options: str) -> int:
    return cli.main([RESULTS[0], str(source), *RESULTS[1:], "-o", str(out), *options])


def one_sentence(capsys) -> str:
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if not line.startswith("note: ")]
    assert len(lines) == 1
    assert "Traceback" not in captured.err
    return lines[0]


# What is read.


def test_numbers_of_a_store_are_those_of_the_folder(store, masks, local_results, tmp_path):
    out = tmp_path / "out"
    assert run(FOLDER, out) == 0
    written = {path.name: path.read_bytes() for path in out.iterdir()}
    assert without_record(written) == without_record(local_results)
    remote, own = load_cohort(FOLDER), load_cohort(masks)
    assert remote.patients == own.patients
    np.testing.assert_array_equal(remote.indices, own.indices)


PASSING = {
    "503": (status(503), {"times": 1}),
    "503 to each second request": (status(503), {"times": 3}),
    "a body that ends early": (cut, {"where": "sub-004", "times": 1}),
    "slow answers": (slow(0.2), {}),
    "503 to the listing": (status(503), {"where": "list-type", "times": 2}),
}


@pytest.mark.parametrize(("change", "when"), PASSING.values(), ids=PASSING)
def test_a_fault_that_passes_changes_no_number(store, local_results, tmp_path, change, when):
    store.fail(change, **when)
    assert run(FOLDER, tmp_path / "out") == 0
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert without_record(written) == without_record(local_results)


LASTING = {
    "503": (status(503), "stopped", "check the network"),
    "500": (status(500), "stopped", "check the network"),
    "a body that ends early": (cut, "stopped", "check the network"),
    "refused": (status(403), "no permission to read", "check your credentials"),
}


@pytest.mark.parametrize(("change", "problem", "remedy"), LASTING.values(), ids=LASTING)
def test_a_fault_that_stays_ends_the_run(store, tmp_path, capsys, change, problem, remedy):
    store.fail(change, where="sub-004")
    assert run(FOLDER, tmp_path / "out") == 2
    sentence = one_sentence(capsys)
    assert "s3://study/masks/sub-004_lesion.nii.gz: " in sentence
    assert problem in sentence
    assert remedy in sentence
    assert not (tmp_path / "out").exists()


def test_a_server_that_is_silent_is_not_waited_for_without_end(store, settings, pauses):
    settings.setattr("lesion_dash.files.paths._LONGEST_TRY", 0.1)
    from fsspec.config import conf

    attempts = {"read_timeout": 0.3, "retries": {"total_max_attempts": 1}}
    settings.setitem(conf, "s3", {"config_kwargs": attempts})
    store.fail(slow(2), where="sub-004")
    with pytest.raises(SetupError, match=r"sub-004.*reading stopped .* after .* seconds; check"):
        load_cohort(FOLDER)
    assert not pauses


def test_nobody_answers(settings, capsys, tmp_path):
    needs("s3fs")
    from s3fs import S3FileSystem

    settings.setattr(S3FileSystem, "retries", 1)
    settings.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    S3FileSystem.clear_instance_cache()
    assert run(FOLDER, tmp_path / "out") == 2
    assert "in each of 4 tries; check the network" in one_sentence(capsys)


def test_credentials_that_are_wrong(store, tmp_path, capsys):
    for method in ("GET", "HEAD", "PUT"):
        store.fail(status(403), method=method)
    assert run(FOLDER, tmp_path / "out") == 2
    assert "no permission to read; check your credentials" in one_sentence(capsys)
    assert run(tmp_path, OUT) == 2
    assert "no permission to" in one_sentence(capsys)


def test_credentials_that_are_missing(store, settings, tmp_path, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        settings.delenv(name)
    type_of_store().clear_instance_cache()
    assert run(FOLDER, tmp_path / "out") == 2
    assert "no permission to read; check your credentials" in one_sentence(capsys)


def type_of_store():
    from s3fs import S3FileSystem

    return S3FileSystem


@pytest.mark.parametrize("place", ["s3://gone/masks", "s3://study/none"])
def test_a_bucket_or_folder_that_is_gone(store, place, tmp_path, capsys):
    assert run(place, tmp_path / "out") == 2
    sentence = one_sentence(capsys)
    assert f"{place}: folder not found; check the spelling of the URL, and that" in sentence


def test_a_key_that_goes_after_it_was_listed_is_told(store, masks):
    store.fail(status(404), where="sub-004")
    store.fail(status(404), where="sub-004", method="HEAD")
    cohort = load_cohort(FOLDER)
    reasons = {patient.id: patient.reason for patient in cohort.patients}
    assert reasons.pop("sub-004").startswith("file not found, although it was listed a moment ago")
    assert not any("not found" in reason for reason in reasons.values())
    assert {patient.status for patient in cohort.patients if patient.id != "sub-004"} == {"used"}


def test_an_object_that_comes_shorter_than_it_was_stored_ends_the_run(store):
    store.fail(shortened, where="sub-004")
    with pytest.raises(SetupError, match=r"sub-004.*reading stopped .*; check the network"):
        load_cohort(FOLDER)


# What is written.


def test_results_in_a_store_are_those_of_a_folder(store, masks, local_results, capsys):
    assert run(masks, OUT) == 0
    assert f"6 files in {OUT}" in capsys.readouterr().out
    written = keys()
    assert without_record(written) == without_record(local_results)
    record = json.loads(written["provenance.json"])
    assert record["outputs"] == json.loads(local_results["provenance.json"])["outputs"]


def test_results_are_replaced_only_where_that_is_said(store, masks, capsys):
    assert run(masks, OUT) == 0
    first = keys()
    assert run(masks, OUT) == 2
    assert "already holds results" in one_sentence(capsys)
    assert cli.main(["stats", str(masks), "-k", "3", "-o", OUT, "--overwrite"]) == 0
    assert keys().keys() == first.keys()
    assert keys() != first


BEFORE = {
    "no bucket": ("s3://gone/results", None, "file or folder not found; check the spelling"),
    "no permission": (OUT, 403, "no permission to write; check your credentials"),
    "a web server": (
        "http://127.0.0.1:9/results/",
        None,
        "is a web server, which takes no results",
    ),
}


@pytest.mark.parametrize(("out", "number", "words"), BEFORE.values(), ids=BEFORE)
def test_a_place_that_takes_no_results_is_told_before_the_work(
    store, tmp_path, capsys, out, number, words
):
    if number:
        store.fail(status(number), method="PUT")
    assert run(tmp_path / "not even looked for", out) == 2
    assert words in one_sentence(capsys)


UPLOADS = {
    "while files are sent": {"method": "PUT", "after": 3},
    "while they take their names": {
        "method": "PUT",
        "where": "results/lesion_patients_per_voxel.nii",
    },
    "at the record": {"method": "PUT", "where": "results/provenance.json"},
}


@pytest.mark.parametrize("is_second", [False, True], ids=["first results", "--overwrite"])
@pytest.mark.parametrize("when", UPLOADS.values(), ids=UPLOADS)
def test_an_upload_that_fails_leaves_no_part_of_the_results(store, masks, capsys, when, is_second):
    if is_second:
        assert cli.main(["stats", str(masks), "-k", "3", "-o", OUT]) == 0
    before = keys()
    store.fail(status(503), **when)
    assert run(masks, OUT, "--overwrite") == 2
    assert f"{OUT}: writing stopped" in one_sentence(capsys)
    is_untouched = "after" in when and when["after"]
    assert keys() == (before if is_untouched else {})


def test_a_request_to_write_that_fails_once_is_made_again(store, masks, local_results):
    for where in ("", "provenance.json", "results/mean"):
        store.fail(status(503), where, method="PUT", times=1)
    assert run(masks, OUT) == 0
    assert without_record(keys()) == without_record(local_results)


def test_a_run_that_fails_leaves_nothing_in_the_store(store, tmp_path, capsys):
    assert run(tmp_path / "none", OUT) == 2
    assert "folder not found" in one_sentence(capsys)
    assert keys() == {}


def test_a_table_and_its_figure_are_written_to_a_store(store, masks, capsys):
    table, figure = f"{OUT}/coverage.csv", f"{OUT}/coverage.svg"
    assert cli.main(["coverage", str(masks), "-o", table, "--plot", figure]) == 0
    assert {*keys()} == {"coverage.csv", "coverage.svg", "coverage.provenance.json"}


# A web server.


@pytest.fixture
def web(masks, settings):
    """A plain web server of the masks, and the way to it."""
    needs("aiohttp")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    handler = partial(Quiet, directory=str(masks.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        with faulty_server("127.0.0.1", server.server_address[1]) as way:
            yield way
        server.shutdown()


NAME = "sub-004_lesion.nii.gz"


@pytest.mark.parametrize(
    ("change", "times"), [(status(503), 2), (cut, 1), (slow(0.3), 9)], ids=["503", "cut", "slow"]
)
def test_a_mask_of_a_web_server_is_that_of_the_folder(web, masks, change, times):
    web.fail(change, where=NAME, times=times)
    mask, own = read_mask(f"{web.url}/masks/{NAME}"), read_mask(masks / NAME)
    np.testing.assert_array_equal(mask.indices, own.indices)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (status(503), "reading stopped .* in each of 4 tries"),
        (cut, "reading stopped .* in each of 4 tries"),
        (status(404), "file or folder not found; check the spelling"),
        (status(403), "no permission to read; check your credentials"),
    ],
    ids=["503", "cut", "404", "403"],
)
def test_a_web_server_that_fails_is_one_sentence(web, change, match):
    web.fail(change, where=NAME)
    web.fail(change if change is not cut else status(200), where=NAME, method="HEAD")
    with pytest.raises(InputError, match=match) as caught:
        read_mask(f"{web.url}/masks/{NAME}?token=secret")
    assert "secret" not in f"{caught.value!r}"


def test_a_mask_of_a_web_server_is_compared(web, masks, tmp_path):
    command = ["overlap", f"{web.url}/masks/{NAME}", str(masks), "-k", "2"]
    assert cli.main([*command, "-o", str(tmp_path / "web")]) == 0
    command[1] = str(masks / NAME)
    assert cli.main([*command, "-o", str(tmp_path / "own")]) == 0
    results = [
        without_record({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
        for name in ("web", "own")
    ]
    assert results[0] == results[1]
