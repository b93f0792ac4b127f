"""One's own masks in Chromium: chosen or dropped, shown, told file by file, and gone at the end."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from browser_steps import LONG, wait_for_text
from served_dashboard import Served, ended, find_port, start_server, wait_for
from test_own_files import Files, hostile, masks, table

from lesion_dash import load_cohort

pytestmark = pytest.mark.browser

STATUS, ALERT = ".ld-drop-status", ".ld-banner [role=alert]"

DROP = """([at, files]) => {
  const transfer = new DataTransfer();
  for (const [name, content] of files)
    transfer.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
  const place = document.querySelector(at);
  const more = { dataTransfer: transfer, bubbles: true, cancelable: true };
  for (const kind of ["dragover", "drop"]) place.dispatchEvent(new DragEvent(kind, more));
}"""


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Names of sockets must be short.
    return Path(tempfile.mkdtemp(prefix="own_", dir="/tmp"))


@pytest.fixture(scope="module")
def served(own_root: Path, temporary: Path) -> Iterator[Served]:
    before = f"import os, tempfile; os.environ['TMPDIR'] = tempfile.tempdir = {str(temporary)!r}"
    made = start_server(own_root, find_port(), before)
    with ended(made.process):
        yield made
    assert not [*temporary.iterdir()]
    temporary.rmdir()


@pytest.fixture
def visit(served: Served, open_page: Callable[..., Any]) -> Callable[[], Any]:
    def open_one() -> Any:
        page = open_page(f"{served.origin}/")
        wait_for_text(page, ".ld-choices", "All 40 patients")
        return page

    return open_one


def write(folder: Path, files: Files) -> Path:
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / files[0][0].partition("/")[0]


def choose_folder(page: Any, folder: Path) -> None:
    page.locator(".ld-choices .ld-drop input[type=file]").nth(1).set_input_files(folder)


def images_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.nii*") if path.is_file()]


def test_a_folder_with_its_table_is_shown_and_goes_with_its_page(
    visit: Callable[[], Any], tmp_path: Path, temporary: Path
) -> None:
    folder = write(tmp_path, [*masks(20), ("lesions/participants.tsv", table(20))])
    page = visit()
    choose_folder(page, folder)
    wait_for_text(page, STATUS, "lesions (dropped) is folder A: 20 patients")
    wait_for_text(page, ".ld-choices", "All 20 patients")
    cohort = load_cohort(folder)
    wait_for_text(page, ".ld-brain", f"Maximum overlap: {cohort.max_overlap} of 20 patients")
    assert len(images_in(temporary)) == 20
    page.get_by_role("button", name="Filter the patients of A", exact=True).press("Enter")
    page.get_by_label("Column of condition 1 of A").select_option("age")
    assert "lesions" not in page.evaluate("location.hash")
    # Another visitor has neither the files nor their names.
    other = visit()
    assert "dropped" not in other.locator(".ld-choices select").first.inner_text()
    assert other.locator(STATUS).first.inner_text() == ""
    page.goto("about:blank")
    wait_for(lambda: not images_in(temporary))


def test_a_hostile_folder_is_told_file_by_file_and_nothing_is_kept(
    visit: Callable[[], Any], tmp_path: Path, temporary: Path
) -> None:
    page = visit()
    tabs = page.get_by_role("tab", name="Maps").bounding_box()
    choose_folder(page, write(tmp_path, hostile()))
    page.locator(ALERT).wait_for(timeout=LONG)
    message = page.locator(ALERT).inner_text()
    for name, reason in (("sub-01.nii", "empty"), ("sub-04.nii", "truncated")):
        assert any(name in line and reason in line for line in message.splitlines()), message
    wait_for_text(page, ".ld-choices", "All 40 patients")
    assert images_in(temporary) == []
    # The message covers nothing: it lies below the tabs, and pushes the page down.
    banner = page.locator(".ld-banner").bounding_box()
    moved = page.get_by_role("tab", name="Maps").bounding_box()
    assert moved == tabs
    assert banner["y"] >= tabs["y"] + tabs["height"]
    settings = page.locator(".ld-choices").bounding_box()
    assert settings["y"] >= banner["y"] + banner["height"]


def test_files_are_dropped_anywhere_on_the_settings(visit: Callable[[], Any]) -> None:
    import base64

    files = [(name.partition("/")[2], base64.b64encode(c).decode()) for name, c in masks(4)]
    page = visit()
    page.evaluate(DROP, [".ld-choices h2", files])
    wait_for_text(page, STATUS, "My masks (dropped) is folder A: 4 patients")
    page.get_by_role("button", name="Remove my files").click()
    wait_for_text(page, STATUS, "All dropped files were deleted")


def listens_below(process: psutil.Process, folder: Path) -> bool:
    sockets = process.net_connections("unix")
    return any(str(folder) in str(connection.laddr) for connection in sockets)


def test_the_files_of_a_kernel_that_is_killed_go_as_well(
    visit: Callable[[], Any], served: Served, tmp_path: Path, temporary: Path
) -> None:
    page = visit()
    choose_folder(page, write(tmp_path, masks(3)))
    wait_for_text(page, STATUS, "is folder A")
    (folder,) = {path for path in temporary.glob("*/kernel_*") if images_in(path)}
    kernels = psutil.Process(served.process.pid).children(recursive=True)
    (kernel,) = [each for each in kernels if listens_below(each, folder)]
    os.kill(kernel.pid, signal.SIGKILL)
    wait_for(lambda: not images_in(temporary))
