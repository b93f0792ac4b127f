"""The page under a Voila that is started by hand: for the person at the computer alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from served_dashboard import Answer, Served, answers, ended, find_port, kernel_of, wait_for
from tornado.httpclient import HTTPClientError

from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.environment import OWN_SERVER
from lesion_dash.dashboard.own_server import check_host
from lesion_dash.server.kernel_socket import PROTOCOL

ROOT = Path(__file__).parents[2]
WIDGET = "application/vnd.jupyter.widget-view+json"
WARNING = "ld-plain-voila"
EVIL = "evil.example"


@contextmanager
def plain_voila(folder: Path, data_root: Path) -> Iterator[Served]:
    port = find_port()
    command = [sys.executable, "-m", "voila", "app.ipynb", "--no-browser", f"--port={port}"]
    environment = os.environ | {
        "LESION_DASH_DATA_ROOT": str(data_root),
        "JUPYTER_PATH": str(ROOT / "share" / "jupyter"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYTHONPATH": str(ROOT),
    }
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=folder)
    served = Served(process, port, log)
    with ended(process):
        wait_for(lambda: answers(served, "/voila/static/none"))
        yield served


def open_page(served: Served, name: str) -> tuple[Answer, str]:
    """The page, asked for by this name, and its kernel."""
    page = served.ask("/", Host=f"{name}:{served.port}")
    return page, kernel_of(page)


@dataclass
class OpenedVoila:
    """A Voila, and a page of it that the person at the computer opened."""

    served: Served
    page: Answer
    kernel: str


@pytest.fixture(scope="module")
def in_clone(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenedVoila]:
    """Started in the folder of the page, as a clone has it."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("app.ipynb", "voila.json"):
        shutil.copy(ROOT / name, folder)
    (folder / "figure.png").write_bytes(b"a patient")
    with plain_voila(folder, sample_data) as served:
        yield OpenedVoila(served, *open_page(served, "127.0.0.1"))


@pytest.fixture(scope="module")
def elsewhere(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenedVoila]:
    """Started with the notebook alone, so that Voila has no settings of ours."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(ROOT / "app.ipynb", folder)
    with plain_voila(folder, sample_data) as served:
        yield OpenedVoila(served, *open_page(served, "localhost"))


both = pytest.mark.parametrize("opened", ["in_clone", "elsewhere"])


@both
def test_the_page_is_shown_at_this_computer_with_a_warning(opened, request):
    voila = request.getfixturevalue(opened)
    assert voila.page.status == 200
    assert WIDGET in voila.page.text
    warnings = voila.served.widgets_of_class(voila.kernel, WARNING)
    assert len(warnings) == 1
    assert "lesion-dash serve" in warnings[0]["value"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/voila/static/voila.js"),
        ("GET", "/voila/templates/lab/static/voila.js"),
        ("GET", "/api/kernels/KERNEL"),
        ("DELETE", "/api/kernels/KERNEL"),
        ("POST", "/voila/api/shutdown/KERNEL"),
    ],
)
def test_a_foreign_host_gets_nothing(method, path, in_clone):
    served = in_clone.served
    host = f"{EVIL}:{served.port}"
    answer = served.ask(path.replace("KERNEL", in_clone.kernel), method, Host=host)
    assert answer.status == 403
    assert "does not answer to this name" in answer.text


def test_a_foreign_host_gets_no_connection(in_clone):
    name = f"{EVIL}:{in_clone.served.port}"
    with pytest.raises(HTTPClientError, match="403"):
        in_clone.served.try_socket(in_clone.kernel, PROTOCOL, Host=name, Origin=f"http://{name}")


@both
def test_a_page_of_another_site_gets_no_connection(opened, request):
    voila = request.getfixturevalue(opened)
    with pytest.raises(HTTPClientError, match="403"):
        voila.served.try_socket(voila.kernel, PROTOCOL, Origin=f"http://{EVIL}:{voila.served.port}")


def test_pictures_beside_the_page_are_not_handed_out(in_clone):
    assert in_clone.served.ask("/voila/files/figure.png").status == 403


def test_a_foreign_host_is_shown_nothing_wherever_voila_was_started(elsewhere):
    _, kernel = open_page(elsewhere.served, EVIL)
    assert not elsewhere.served.widgets_of_class(kernel, "ld-app")
    states = json.dumps(elsewhere.served.widgets(kernel))
    assert "lesion-dash serve --hostname" in states
    assert "cohort_a" not in states
    assert "cohort_a" in json.dumps(elsewhere.served.widgets(elsewhere.kernel))


def test_a_kernel_started_before_its_page_was_asked_for_shows_nothing():
    with pytest.raises(InputError, match="without --preheat_kernel"):
        check_host({"VOILA_PREHEAT": "True"})
    check_host({"VOILA_PREHEAT": "True", OWN_SERVER: "1"})
    check_host({})  # JupyterLab
