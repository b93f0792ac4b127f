"""The scripts of widgets: whole from the kernel, or by name from the server of the page."""

from __future__ import annotations

import hashlib

import pytest

from lesion_dash.dashboard.scripts import (
    SERVED,
    served_scripts,
    table_script,
    viewer_script,
    widget_script,
)


@pytest.fixture(autouse=True)
def not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SERVED, raising=False)


def test_without_a_server_of_ours_the_kernel_sends_the_script() -> None:
    assert widget_script("viewer") == viewer_script()
    assert widget_script("table") == table_script()
    assert len(viewer_script()) > 1_000_000


def test_behind_our_server_the_browser_gets_it_there(monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(served_scripts())
    monkeypatch.setenv(SERVED, " ".join(names))
    for kind, name in zip(("viewer", "table"), names, strict=True):
        script = widget_script(kind)
        assert len(script) < 2000
        assert f"scripts/{name}?" in script
        assert "NAME" not in script


def test_a_name_is_that_of_the_content() -> None:
    for name, script in served_scripts().items():
        digest = name.removesuffix(".js").partition("-")[2]
        assert hashlib.sha256(script.encode()).hexdigest().startswith(digest)
        assert len(digest) == 16


def test_both_scripts_are_changed_and_export_a_widget() -> None:
    assert "updateGLVolume(){\n" in viewer_script()
    assert '"clicked_in"' in table_script()
    for script in served_scripts().values():
        assert "as default}" in script
