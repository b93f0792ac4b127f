"""A dashboard that is killed leaves no kernel, and no folder beyond the next start."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from served_dashboard import children, kernel_of, serving, wait_for

from lesion_dash.server.served_folder import remove_abandoned, served_folder

ON_LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files; the path of a socket below it may have a hundred letters."""
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
        kernels = children(served.process.pid)
        assert kernels
        served.process.kill()
        served.process.wait(30)
        wait_for(lambda: not any(kernel.exists() for kernel in kernels))
    left = set(temporary.iterdir())
    assert left
    with serving(tmp_path, sample_data, TMPDIR=str(temporary)):
        assert not left & set(temporary.iterdir())
    assert not list(temporary.iterdir())


def test_folders_of_running_dashboards_and_of_others_stay(temporary: Path) -> None:
    mine = temporary / "lesion_dash_of_mine"
    mine.mkdir()
    (temporary / "lesion_dash_link").symlink_to(mine)
    (temporary / "lesion_dash_file").touch()
    before = set(temporary.iterdir())
    with served_folder() as first, served_folder() as second:
        remove_abandoned()
        assert set(temporary.iterdir()) == before | {first, second}
    assert set(temporary.iterdir()) == before


def test_where_no_file_can_be_locked_the_folder_holds_none(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows, a file that is open cannot be renamed."""
    abandoned = temporary / "lesion_dash_abandoned"
    abandoned.mkdir()
    # In this module alone: pathlib asks for the name as well.
    system = SimpleNamespace(**vars(os) | {"name": "nt"})
    monkeypatch.setattr("lesion_dash.server.served_folder.os", system)
    with served_folder() as folder:
        assert not list(folder.iterdir())
    assert set(temporary.iterdir()) == {abandoned}
