"""The server is for this computer alone, and says what is wrong with its settings."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyter_server.base.websocket import WebSocketMixin
from nbformat.v4 import new_notebook
from voila.execute import VoilaExecutor

from lesion_dash.core.errors import InputError
from lesion_dash.files.paths import sample_data as find_sample_data
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


def test_missing_data_root_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the data root is no folder"):
        serve(tmp_path / "missing")


def test_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port}: cannot be used .*another --port"):
            serve(tmp_path, port=port)


def test_impossible_port_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="port 70000: is none; give one from 1024 to 65535"):
        serve(tmp_path, port=70_000)


def test_sample_data_are_found() -> None:
    assert find_sample_data() == ROOT / "sample_data"


def test_notebook_is_one_cell_with_the_offline_template() -> None:
    notebook = json.loads((ROOT / "app.ipynb").read_text(encoding="utf-8"))
    assert len(notebook["cells"]) == 1
    assert notebook["metadata"]["voila"]["template"] == "lesion_dash"
    assert notebook["cells"][0]["outputs"] == []
