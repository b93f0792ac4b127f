"""pyproject.toml, environment.yml, the pins and the papers beside them say the same."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from importlib.metadata import requires, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
BUILD = PYPROJECT["dependency-groups"]["build"]
# What the package needs to run and to be built, and the same with all extras.
PINS = ("constraints.txt", "constraints-all.txt")
# What the conda environment holds: the dashboard, and JupyterLab to run it in.
FOR_CONDA = PROJECT["dependencies"] + EXTRAS["lab"]


def bounds(lines: list[str]) -> dict[str, str]:
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): str(each.specifier) for each in requirements}


@dataclass(frozen=True)
class Pin:
    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def release(self) -> tuple[str, str]:
        return canonicalize_name(self.requirement.name), str(self.requirement.specifier)


def pins(file: str) -> list[Pin]:
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line.split(" --hash=") for line in text.splitlines() if not line.startswith("#")]
    return [Pin(Requirement(line), tuple(one.strip() for one in hashes)) for line, *hashes in lines]


def pins_here(file: str) -> dict[str, str]:
    """The releases for this computer and this Python."""
    marked = [(pin, pin.requirement.marker) for pin in pins(file)]
    here = dict(pin.release for pin, marker in marked if marker is None or marker.evaluate())
    return {name: number.removeprefix("==") for name, number in here.items()}


def needed(roots: list[str]) -> set[str]:
    """Names of all that these requirements ask for here, directly or through another."""
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(root) for root in roots]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} - {extra for one, extra in seen if one == name}:
            seen.add((name, extra))
            own = map(Requirement, requires(name) or [])
            waiting += [
                one for one in own if one.marker is None or one.marker.evaluate({"extra": extra})
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


@pytest.mark.parametrize("group", ["dependencies", *EXTRAS])
def test_every_dependency_has_a_pin_within_its_bounds(group):
    is_extra = group != "dependencies"
    pinned = pins_here("constraints-all.txt" if is_extra else "constraints.txt")
    for requirement in map(Requirement, EXTRAS[group] if is_extra else PROJECT["dependencies"]):
        pin = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin), f"{requirement} but {pin} is pinned"


@pytest.mark.parametrize("file", PINS)
def test_every_pin_is_a_release_with_its_hashes(file):
    for pin in pins(file):
        assert re.fullmatch(r"==[A-Za-z0-9.!+_-]+", str(pin.requirement.specifier))
        assert pin.requirement.url is None
        assert pin.hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in pin.hashes)


def test_both_files_pin_the_same_releases():
    everything = {pin.release: pin.hashes for pin in pins("constraints-all.txt")}
    for pin in pins("constraints.txt"):
        assert everything[pin.release] == pin.hashes


@pytest.mark.skipif(os.environ.get("PINS") == "no", reason="installed without the pins")
@pytest.mark.parametrize("file", PINS)
def test_what_is_installed_here_is_what_is_pinned(file):
    extras = f"[{','.join(EXTRAS)}]" if file == "constraints-all.txt" else ""
    roots = [f"lesion-dash{extras}", *BUILD]
    installed = {name: version(name) for name in needed(roots) - {"lesion-dash"}}
    assert installed == pins_here(file)


def test_the_build_backend_is_pinned_within_its_bounds():
    assert set(PYPROJECT["build-system"]["requires"]) <= set(BUILD)
    for requirement in map(Requirement, BUILD):
        assert requirement.specifier.contains(pins_here("constraints.txt")[requirement.name])


@pytest.mark.parametrize(
    "file", ["pyproject.toml", "environment.yml", *PINS, "Makefile", ".ci/run"]
)
def test_no_file_names_an_address(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|git\+|index-url|find-links", text)


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

    asked = ("yes", "yes", "no", "no", "yes")
    assert [installs(pins) for pins in asked] == [True, False, True, False, True]
