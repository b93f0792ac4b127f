"""Run the lessons from top to bottom, their hidden answers included, without a network.

The tests run them so, and the docs site shows what came of it: a lesson that has run with these
sources is not run again for the site.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from lesion_dash.core.system import has_socket_files

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXECUTED = ROOT / "build" / "lessons"
SOURCES = ("lesion_dash/**/*.py", "sample_data/**/*.*")
CELL_SECONDS = 120  # a whole lesson takes a quarter of that where nothing else runs

# Connections to other computers fail; Jupyter's own to the kernel stay.
GUARD = """
import sys

def _refuse_others(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if host not in (None, "", "localhost", "127.0.0.1", "::1"):
        raise ConnectionError(f"a lesson must not ask {host}")

sys.addaudithook(_refuse_others)
"""
# Lessons share a kernel, for the time that imports take. Each begins without variables, and a new
# filter lets warnings be shown that an earlier lesson had.
BEGIN = """
%reset -f
import os, warnings
os.chdir({folder!r})
warnings.filterwarnings("ignore", "not a warning of {folder}")
"""
ANSWER = re.compile(r"<details>.*?</details>", re.DOTALL)
CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def read_lesson(path: Path) -> nbformat.NotebookNode:
    """A lesson as it is stored."""
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def answers_in(source: str) -> list[str]:
    """The code of the answers that a cell of text hides."""
    return [code for answer in ANSWER.findall(source) for code in CODE.findall(answer)]


@contextmanager
def lesson_kernel() -> Iterator[KernelManager]:
    """A kernel that reaches no other computer."""
    transport = "ipc" if has_socket_files() else "tcp"  # open to this account alone
    manager = KernelManager(kernel_name="python3", transport=transport)
    manager.start_kernel()
    try:
        run_cells(manager, [new_code_cell(GUARD)])
        yield manager
    finally:
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def lesson_folder(place: Path) -> Path:
    """Make the folder in which a lesson runs: empty, beside a copy of the sample data."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sample_data", place / "sample_data", ignore=ignored)
    (place / "notebooks").mkdir()
    return place / "notebooks"


def run_cells(
    kernel: KernelManager, cells: list[nbformat.NotebookNode], folder: Path = ROOT
) -> list[nbformat.NotebookNode]:
    """Run cells, and each hidden answer where it stands."""
    every = [new_code_cell(BEGIN.format(folder=str(folder)))]
    for cell in cells:
        every.append(cell)
        if cell.cell_type == "markdown":
            every += [new_code_cell(code) for code in answers_in(cell.source)]
    client = NotebookClient(new_notebook(cells=every), timeout=CELL_SECONDS, km=kernel)
    try:
        return client.execute().cells
    finally:
        client.kc.stop_channels()


def run_lesson(kernel: KernelManager, path: Path, folder: Path) -> list[nbformat.NotebookNode]:
    """Run a lesson, and keep what came of its own cells for the docs site."""
    lesson = read_lesson(path)
    cells = run_cells(kernel, lesson.cells, folder)
    lesson.metadata["sources"] = _sources_of(path)
    own = {cell.id for cell in lesson.cells}
    lesson.cells = [cell for cell in cells if cell.id in own]
    EXECUTED.mkdir(parents=True, exist_ok=True)
    nbformat.write(lesson, EXECUTED / path.name)
    return cells


def run_outdated_lessons() -> None:
    """Run the lessons that have not run with these sources."""
    outdated = [path for path in LESSONS if not _is_current(path)]
    if not outdated:
        return
    # The kernel ends first: it is in one of these folders.
    with tempfile.TemporaryDirectory() as place, lesson_kernel() as kernel:
        for path in outdated:
            sys.stdout.write(f"running {path.name}\n")
            sys.stdout.flush()
            run_lesson(kernel, path, lesson_folder(Path(place, path.stem)))


def _is_current(path: Path) -> bool:
    executed = EXECUTED / path.name
    return executed.exists() and read_lesson(executed).metadata.get("sources") == _sources_of(path)


def _sources_of(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes())
    for pattern in SOURCES:
        for file in sorted(ROOT.glob(pattern)):
            if "__pycache__" not in file.parts:
                digest.update(file.read_bytes())
    return digest.hexdigest()
