"""The lessons run from top to bottom, hidden answers included, without a network."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell
from run_lessons import (
    ANSWER,
    LESSONS,
    ROOT,
    answers_in,
    lesson_folder,
    lesson_kernel,
    read_lesson,
    run_cells,
    run_lesson,
)

FOLDER = ROOT / "notebooks"
LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")

each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def text_of(lesson: nbformat.NotebookNode) -> str:
    return "\n".join(cell.source for cell in lesson.cells if cell.cell_type == "markdown")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory) -> Iterator[KernelManager]:
    place = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(place / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(place / "runtime"))
        with lesson_kernel() as manager:
            yield manager


@pytest.fixture
def folder(tmp_path) -> Path:
    return lesson_folder(tmp_path)


# Takes 30 s for each of the last two: they register a scan, or simulate many.
@each_lesson
def test_a_lesson_runs_without_an_error_a_warning_or_a_file_left(path, kernel, folder):
    cells = run_lesson(kernel, path, folder)
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
        run_cells(kernel, [cell])


@each_lesson
def test_a_lesson_is_stored_clean_and_has_its_parts(path):
    lesson = read_lesson(path)
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
        title = text_of(read_lesson(path)).splitlines()[0].removeprefix("# ")
        assert f"[{title}]({path.name})" in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert Path(shared["notebooks"]).parent == Path(shared["sample_data"]).parent
