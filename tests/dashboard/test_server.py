"""The server is for this computer alone, and says what is wrong with its settings."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyter_server.base.websocket import WebSocketMixin
from nbformat.v4 import new_notebook
from served_dashboard import children, kernel_of, kernels_of, serving, wait_for
from voila.execute import VoilaExecutor

from lesion_dash.core.errors import InputError
from lesion_dash.files.paths import sample_data as find_sample_data
from lesion_dash.files.temporary import remove_abandoned, temporary_folder
from lesion_dash.server.serve import serve, server_config

ROOT = Path(__file__).parents[2]


def test_only_this_computer_and_no_files(tmp_path: Path) -> None:
    config = server_config(tmp_path, 8900)
    assert config.Voila.ip == "127.0.0.1"
    assert config.Voila.port_retries == 0
    assert config.VoilaConfiguration.file_allowlist == []
    assert config.VoilaConfiguration.allow_template_override == "NO"
    assert config.MappingKernelManager.cull_idle_timeout > 0
    assert config.Voila.tornado_settings["allow_remote_access"] is False
    policy = config.Voila.tornado_settings["headers"]["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http:" not in policy


def test_a_connection_outlives_its_first_ping(tmp_path: Path) -> None:
    # The first look at the pong comes before the first ping, and counts from the opening.
    page = SimpleNamespace(settings=server_config(tmp_path).Voila.tornado_settings)
    page.ping_interval = WebSocketMixin.ping_interval.fget(page)
    assert WebSocketMixin.ping_timeout.fget(page) >= 2 * page.ping_interval > 0


def test_a_page_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    executor = VoilaExecutor(new_notebook(), config=server_config(tmp_path))
    assert executor.iopub_timeout >= 60
    assert executor.raise_on_iopub_timeout  # what waits in vain says so


def test_a_server_that_cannot_start_says_why_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the data root is not a folder"):
        serve(tmp_path / "missing")
    with pytest.raises(InputError, match="port 70000: is none; give one from 1024 to 65535"):
        serve(tmp_path, port=70_000)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port}: cannot be used .*another --port"):
            serve(tmp_path, port=port)


def test_folders_by_which_pages_could_read_all_or_change_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is the whole file system"):
        serve(tmp_path.anchor)
    (tmp_path / "data").mkdir()
    for results in (tmp_path / "data", tmp_path):
        with pytest.raises(InputError, match="pages could change the data"):
            serve(tmp_path / "data", results)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EADDRINUSE, "is a dashboard open at http://127.0.0.1:80/?; stop it, or"),
        (errno.EACCES, "give a --port from 1024 on"),
        (errno.EADDRNOTAVAIL, "127.0.0.1 is not an address of this computer"),
        (errno.ENOBUFS, "give another --port"),
    ],
)
def test_what_to_do_about_a_port_follows_why_it_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def bind(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("lesion_dash.server.serve.socket.socket.bind", bind)
    with pytest.raises(InputError, match=re.escape(remedy)) as refusal:
        serve(tmp_path, port=80)
    assert ("is a dashboard open" in str(refusal.value)) is (number == errno.EADDRINUSE)


def test_notebook_is_one_cell_with_the_offline_template() -> None:
    assert find_sample_data() == ROOT / "sample_data"
    notebook = json.loads((ROOT / "app.ipynb").read_text(encoding="utf-8"))
    (cell,) = notebook["cells"]
    assert notebook["metadata"]["voila"]["template"] == "lesion_dash"
    assert cell["outputs"] == []


ON_LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files; the path of a socket below it may have a hundred characters."""
    place = Path(tempfile.mkdtemp(prefix="ld"))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    shutil.rmtree(place)


@ON_LINUX
def test_a_killed_dashboard_leaves_nothing(
    sample_data: Path, tmp_path: Path, temporary: Path
) -> None:
    with serving(tmp_path, sample_data, TMPDIR=str(temporary)) as served:
        kernel_of(served.open_page())
        kernels = kernels_of(served.process.pid)
        assert kernels
        kernels += children(served.process.pid)
        served.process.kill()
        served.process.wait(30)
        wait_for(lambda: not any(kernel.exists() for kernel in kernels))
    left = set(temporary.iterdir())
    assert left
    with serving(tmp_path, sample_data, TMPDIR=str(temporary)):
        assert not left & set(temporary.iterdir())
    assert not list(temporary.iterdir())


@ON_LINUX
def test_a_service_needs_no_home_folder(sample_data: Path, tmp_path: Path) -> None:
    # Nothing can be made in it: systemd's `ProtectHome=` or an account of the system.
    with serving(tmp_path, sample_data, HOME=os.devnull, MPLCONFIGDIR="") as served:
        kernel_of(served.open_page())


def test_folders_of_running_dashboards_and_of_others_stay(temporary: Path) -> None:
    mine = temporary / "lesion_dash_of_mine"
    mine.mkdir()
    (temporary / "lesion_dash_link").symlink_to(mine)
    (temporary / "lesion_dash_file").touch()
    before = set(temporary.iterdir())
    with temporary_folder() as first, temporary_folder() as second:
        remove_abandoned()
        assert set(temporary.iterdir()) == before | {first, second}
    assert set(temporary.iterdir()) == before


def test_where_no_file_can_be_locked_the_folder_holds_none(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows, a file that is open cannot be renamed."""
    abandoned = temporary / "lesion_dash_abandoned"
    abandoned.mkdir()
    monkeypatch.setattr("lesion_dash.files.temporary.IS_WINDOWS", True)
    with temporary_folder() as folder:
        assert not list(folder.iterdir())
    assert set(temporary.iterdir()) == {abandoned}
