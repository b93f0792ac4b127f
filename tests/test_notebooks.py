"""The lessons run from top to bottom, hidden answers included, without a network."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

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


def with_answers(lesson: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The lesson behind the guard, each hidden answer as a cell where it stands."""
    cells = [new_code_cell(GUARD)]
    for cell in lesson.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            cells += [new_code_cell(code) for code in answers_in(cell.source)]
    return new_notebook(cells=cells, metadata=lesson.metadata)


def run(lesson: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    client = NotebookClient(
        lesson,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where a lesson runs: an empty folder beside a copy of the sample data."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data", ignore=ignored)
    (tmp_path / "notebooks").mkdir()
    return tmp_path / "notebooks"


@each_lesson
def test_a_lesson_runs_without_an_error_a_warning_or_a_file_left(path, folder):
    done = run(with_answers(read(path)), folder)
    said = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert len(said) > 5
    assert "".join(one.text for one in said if one.get("name") == "stderr") == ""
    assert list(folder.iterdir()) == []
    kept = {file.relative_to(folder.parent) for file in (folder.parent / "sample_data").rglob("*")}
    assert kept == {file.relative_to(ROOT) for file in data_files()}


def data_files() -> list[Path]:
    return [file for file in (ROOT / "sample_data").rglob("*") if "__pycache__" not in file.parts]


def test_a_lesson_that_asks_the_internet_fails(folder):
    asking = "import urllib.request; urllib.request.urlopen('http://example.org', timeout=1)"
    with pytest.raises(CellExecutionError, match=r"must not ask example\.org"):
        run(with_answers(new_notebook(cells=[new_code_cell(asking)])), folder)


def test_a_wrong_answer_fails(folder):
    wrong = "<details><summary>Answer</summary>\n\n```python\nassert 1 == 2\n```\n\n</details>"
    cell = nbformat.v4.new_markdown_cell(wrong)
    with pytest.raises(CellExecutionError, match="AssertionError"):
        run(with_answers(new_notebook(cells=[cell])), folder)


@each_lesson
def test_a_lesson_is_stored_clean(path):
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


@each_lesson
def test_a_lesson_has_its_parts(path):
    text = text_of(read(path))
    assert text.startswith(f"# {path.name[0]} · ")
    assert "**What you will learn**" in text
    assert 4 <= len(re.findall(r"^## \d", text, re.MULTILINE)) <= 8
    exercises = len(re.findall(r"^### Exercise \d", text, re.MULTILINE))
    assert 2 <= exercises <= 4
    assert text.count("<details><summary>Answer</summary>\n\n") == exercises
    assert text.count("\n\n</details>") == exercises
    assert all(answers_in(answer) for answer in ANSWER.findall(text))


@each_lesson
def test_links_of_a_lesson_lead_somewhere(path):
    links = LINK.findall(text_of(read(path)))
    assert all((FOLDER / target).exists() for target in links)


def test_there_are_seven_lessons_in_order():
    assert [path.name[:2] for path in LESSONS] == [f"{number}_" for number in range(1, 8)]


def test_the_list_of_lessons_is_the_folder():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"\]\(([^)]+\.ipynb)\)", text)
    assert listed == [path.name for path in LESSONS]
    for path in LESSONS:
        title = text_of(read(path)).splitlines()[0].removeprefix("# ")
        assert f"[{title}]({path.name})" in text


def test_the_lessons_are_installed_beside_the_sample_data():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert Path(shared["notebooks"]).parent == Path(shared["sample_data"]).parent
