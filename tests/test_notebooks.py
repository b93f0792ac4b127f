"""The lessons run from top to bottom, hidden answers included, without a network."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
LESSONS = sorted(FOLDER.glob("*.ipynb"))
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
LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")

each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def text_of(lesson: nbformat.NotebookNode) -> str:
    return "\n".join(cell.source for cell in lesson.cells if cell.cell_type == "markdown")


def answers_in(source: str) -> list[str]:
    return [code for answer in ANSWER.findall(source) for code in CODE.findall(answer)]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory) -> Iterator[KernelManager]:
    place = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(place / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(place / "runtime"))
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel()
        run(manager, [new_code_cell(GUARD)])
        yield manager
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where a lesson runs: an empty folder beside a copy of the sample data."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data", ignore=ignored)
    (tmp_path / "notebooks").mkdir()
    return tmp_path / "notebooks"


def run(kernel: KernelManager, cells: list[nbformat.NotebookNode], folder: Path = ROOT):
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


# Takes 30 s for each of the last two: they register a scan, or simulate many.
@each_lesson
def test_a_lesson_runs_without_an_error_a_warning_or_a_file_left(path, kernel, folder):
    cells = run(kernel, read(path).cells, folder)
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert len(outputs) > 5
    assert "".join(part.text for part in outputs if part.get("name") == "stderr") == ""
    assert list(folder.iterdir()) == []
    files = {file.relative_to(folder.parent) for file in (folder.parent / "sample_data").rglob("*")}
    stored = [file for file in (ROOT / "sample_data").rglob("*") if "__pycache__" not in file.parts]
    assert files == {file.relative_to(ROOT) for file in stored}


WRONG = "<details><summary>Answer</summary>\n\n```python\nassert 1 == 2\n```\n\n</details>"
ASKING = "import urllib.request; urllib.request.urlopen('http://example.org', timeout=1)"


@pytest.mark.parametrize(
    ("cell", "match"),
    [
        (new_code_cell(ASKING), r"must not ask example\.org"),
        (new_markdown_cell(WRONG), "AssertionError"),
    ],
    ids=["internet", "wrong answer"],
)
def test_a_lesson_that_asks_the_internet_or_has_a_wrong_answer_fails(kernel, cell, match):
    with pytest.raises(CellExecutionError, match=match):
        run(kernel, [cell])


@each_lesson
def test_a_lesson_is_stored_clean_and_has_its_parts(path):
    lesson = read(path)
    nbformat.validate(lesson)
    assert (lesson.nbformat, lesson.nbformat_minor) == (4, 5)
    assert lesson.metadata.kernelspec.name == "python3"
    ids = [cell["id"] for cell in lesson.cells]
    assert len(set(ids)) == len(ids)
    for cell in lesson.cells:
        assert not cell.get("outputs"), f"clear the outputs of {cell.id} and save"
        assert cell.get("execution_count") is None, f"clear the outputs of {cell.id} and save"
    assert path.read_text(encoding="utf-8") == nbformat.writes(lesson) + "\n"
    text = text_of(lesson)
    assert text.startswith(f"# {path.name[0]} · ")
    assert "**What you will learn**" in text
    assert 4 <= len(re.findall(r"^## \d", text, re.MULTILINE)) <= 8
    exercises = len(re.findall(r"^### Exercise \d", text, re.MULTILINE))
    assert 2 <= exercises <= 4
    assert text.count("<details><summary>Answer</summary>\n\n") == exercises
    assert text.count("\n\n</details>") == exercises
    assert all(answers_in(answer) for answer in ANSWER.findall(text))
    assert all((FOLDER / target).exists() for target in LINK.findall(text))


def test_there_are_eight_lessons_in_order_all_listed_and_installed_beside_the_sample_data():
    assert [path.name[:2] for path in LESSONS] == [f"{number}_" for number in range(1, 9)]
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\(([^)]+\.ipynb)\)", text) == [path.name for path in LESSONS]
    for path in LESSONS:
        title = text_of(read(path)).splitlines()[0].removeprefix("# ")
        assert f"[{title}]({path.name})" in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert Path(shared["notebooks"]).parent == Path(shared["sample_data"]).parent
