"""pyproject.toml, environment.yml, constraints.txt and the papers beside them say the same."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# What the conda environment holds: the dashboard, and JupyterLab to run it in.
FOR_CONDA = PROJECT["dependencies"] + EXTRAS["lab"]


def bounds(lines: list[str]) -> dict[str, str]:
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): str(each.specifier) for each in requirements}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): number for name, number in pairs}


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
    lines = PROJECT["dependencies"] if group == "dependencies" else EXTRAS[group]
    for requirement in map(Requirement, lines):
        pin = pins()[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin), f"{requirement} but {pin} is pinned"


def test_every_pin_is_a_name_and_a_release():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line) for line in lines)
    assert lines == sorted(lines, key=str.lower)


@pytest.mark.parametrize(
    "file", ["pyproject.toml", "environment.yml", "constraints.txt", "Makefile", ".ci/run"]
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
