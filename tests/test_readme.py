"""What the README shows works: its Python, its commands, and the files it points at."""

from __future__ import annotations

import doctest
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [
        shlex.split(line)
        for line in lines
        if re.match(r"lesion-dash (stats|overlap|load|assign|roi|inspect|compare|coverage)", line)
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_examples_print_what_is_shown(folder):
    code = "\n".join(blocks("python"))
    example = doctest.DocTestParser().get_doctest(code, {}, "README", "README.md", 0)
    result = doctest.DocTestRunner(optionflags=OPTIONS).run(example)
    assert result.attempted > 5
    assert result.failed == 0


def test_the_commands_write_the_files_that_are_listed(folder):
    assert len(commands()) >= 7
    program = Path(sys.executable).with_name("lesion-dash")
    for _, *arguments in commands():
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
    listed = set(
        re.findall(r"^\| `([a-z_0-9.]+\.(?:nii|csv|tsv|json|png|py))` \|", TEXT, flags=re.MULTILINE)
    )
    written = {file.name for file in (folder / "results").rglob("*") if file.is_file()}
    assert len(listed) == 31
    later_steps = {name for name in written if re.match(r"step_[2-9]_", name)}
    assert later_steps == {"step_2_more_in.png", "step_3_dilate.png"}
    assert listed == written - later_steps


def test_five_commands_lead_from_an_array_to_signal_to_noise(folder):
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    workflow = [shlex.split(line)[1:] for line in lines if "results/eye/" in line]
    assert [words[0] for words in workflow] == ["convert", "register", "mask", "mask", "snr"]
    program = Path(sys.executable).with_name("lesion-dash")
    for words in workflow:
        done = subprocess.run(
            [program, *words], capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
    table = pd.read_csv(folder / "results" / "eye" / "snr.csv")
    table = table.set_index("measure")
    found = table["value"]
    assert "SNR of 29.8 (95 % interval 29.2 to 30.3)" in TEXT
    assert "CNR of 17.7" in TEXT
    # Another processor may shift the result by a hundredth of a millimetre, and so a voxel.
    assert found["snr_air"] == pytest.approx(29.8, abs=0.3)
    assert found["cnr_air"] == pytest.approx(17.7, abs=0.3)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = set(LINK.findall(page.read_text(encoding="utf-8")))
    assert [link for link in links if not (page.parent / link.split("#")[0]).exists()] == []


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z]+)`", TEXT))))
def test_make_knows_the_targets(target):
    assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
