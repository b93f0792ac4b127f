"""What the README and the docs show works: Python, commands, and the files they point at."""

from __future__ import annotations

import doctest
import re
import shlex
import shutil
from pathlib import Path

import pytest

from lesion_dash.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")
SHOWN = r"lesion-dash (stats|overlap|load|assign|roi|inspect|compare|coverage)"


def blocks(language: str, text: str = TEXT) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands(pattern: str) -> list[list[str]]:
    """Arguments of the commands whose line has the pattern."""
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if re.search(pattern, line)]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


WITH_PYTHON = [page for page in PAGES if blocks("python", page.read_text(encoding="utf-8"))]


def test_most_pages_show_python():
    assert len(WITH_PYTHON) >= 10
    assert PAGES[0] in WITH_PYTHON


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_the_python_examples_of_each_page_print_what_is_shown(folder, page):
    code = "\n".join(blocks("python", page.read_text(encoding="utf-8")))
    example = doctest.DocTestParser().get_doctest(code, {}, page.name, page.name, 0)
    result = doctest.DocTestRunner(optionflags=OPTIONS).run(example)
    assert result.attempted > 0
    assert result.failed == 0


def links_of(page: Path) -> set[Path]:
    """The pages that a page links to, or lists in a table of contents."""
    text = page.read_text(encoding="utf-8")
    names = {link.split("#")[0] for link in LINK.findall(text)}
    for listing in re.findall(r"^```\{toctree\}\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        names |= {f"{line.split('<')[-1].strip('> ')}.md" for line in listing.splitlines()}
    return {(page.parent / name).resolve() for name in names}


def test_the_readme_is_short_and_leads_to_every_page():
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) < 150
    reached, waiting = set(), [PAGES[0]]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            waiting += [link for link in links_of(page) if link.suffix == ".md" and link.exists()]
    assert [page.name for page in PAGES if page not in reached] == []


# Takes 5 s: every command runs, with its figures.
def test_the_commands_write_the_files_that_are_listed(folder):
    shown = commands(f"^{SHOWN}")
    assert len(shown) >= 7
    assert [main(arguments) for arguments in shown] == [0] * len(shown)
    pattern = r"^\| `([a-z_0-9.]+\.(?:nii|csv|tsv|json|png|py))` \|"
    page = (ROOT / "docs" / "terminal.md").read_text(encoding="utf-8")
    listed = set(re.findall(pattern, page, flags=re.MULTILINE))
    written = {file.name for file in (folder / "results").rglob("*") if file.is_file()}
    assert len(listed) == 32
    later_steps = {name for name in written if re.match(r"step_[2-9]_", name)}
    assert later_steps == {"step_2_more_in.png", "step_3_dilate.png"}
    assert listed == written - later_steps


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = set(LINK.findall(page.read_text(encoding="utf-8")))
    assert [link for link in links if not (page.parent / link.split("#")[0]).exists()] == []


def slugs(page: Path) -> set[str]:
    """What links to the headings of a page are called."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_headings_lead_to_one(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", text)
    targets = [((page.parent / file) if file else page, anchor) for file, anchor in links]
    of_markdown = [target for target in targets if target[0].suffix == ".md"]
    assert [anchor for file, anchor in of_markdown if anchor not in slugs(file)] == []


def test_make_knows_the_targets():
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)`", TEXT)) <= made
