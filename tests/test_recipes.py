"""The recipe of the guide for an analysis: one class, from outside the package, is all it takes."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from phantoms import random_masks, write_masks

from lesion_dash import cli
from lesion_dash.analyses import fields
from lesion_dash.analyses.fields import option
from lesion_dash.analyses.inputs import load_folder
from lesion_dash.analyses.request import ANALYSES, Progress, Request, Result
from lesion_dash.cohort.cohort import cohort_input

WRITER = Path(__file__).resolve().parent.parent / "docs" / "write_commands.py"


@pytest.fixture
def toy():
    """An analysis of another package; the fixture forgets it again."""
    known = dict(ANALYSES)
    yield define(3)
    ANALYSES.clear()
    ANALYSES.update(known)


def define(default: int) -> type[Request]:
    class CountLarge(Request):
        """Count the lesions that are large."""

        command = "count-large"
        example = "masks/ -o large/"

        masks: fields.Masks
        output: fields.Output
        overwrite: fields.Overwrite
        above: int = option("voxels of a large lesion", "N", default=default, ge=1)
        pattern: fields.Pattern
        threshold: fields.Threshold
        label: fields.Label
        where: fields.Where
        scheduler: fields.Scheduler

        def outputs(self) -> list[str]:
            return ["large.txt"]

        def run(self, progress: Progress) -> Result:
            cohort = load_folder(self.masks, self, progress)
            large = sum(patient.voxels > self.above for patient in cohort.used)
            return Result(
                files=[("large.txt", f"{large}\n".encode())],
                inputs=[cohort_input(cohort)],
                counts={"large": large},
                lines=[f"{large} large lesions; {self.files_line()}"],
            )

    return CountLarge


def test_a_toy_analysis_is_a_command_with_help_files_and_provenance(toy, tmp_path, capsys):
    masks = random_masks(6)
    folder, out = write_masks(tmp_path / "masks", masks), tmp_path / "out"
    large = sum(mask.sum() > 200 for mask in masks)
    assert cli.main(["count-large", str(folder), "-o", str(out), "--above", "200"]) == 0
    assert capsys.readouterr().out == f"{large} large lesions; 2 files in {out}\n"
    assert (out / "large.txt").read_text() == f"{large}\n"
    content = json.loads((out / "provenance.json").read_text())
    assert content["command"] == "count-large"
    assert content["parameters"]["above"] == 200
    assert content["counts"] == {"large": large}
    assert content["inputs"][0]["used"] == 6
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert "count the lesions that are large" in text
    assert "lesion-dash count-large masks/ -o large/" in text
    assert cli.main(["count-large", "m", "-o", "o", "--above", "0"]) == 2
    assert "--above: 0 is below 1" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        cli.main(["count-larg"])
    assert "did you mean count-large?" in capsys.readouterr().err


def test_a_default_that_is_changed_is_changed_everywhere(toy, tmp_path, capsys):
    folder = write_masks(tmp_path / "masks", random_masks(6))
    page = runpy.run_path(str(WRITER))["page"]
    for default in (3, 40):
        kind = define(default)
        with pytest.raises(SystemExit, match="0"):
            cli.main(["count-large", "--help"])
        assert (
            f"voxels of a large lesion (default {default}; at least 1)" in capsys.readouterr().out
        )
        assert f"| `--above` | voxels of a large lesion | `{default}` | at least 1 |" in page()
        request = kind(masks=folder, output=tmp_path / str(default), above=40)
        assert ("above" in request.changed) == (default != 40)
        assert ("--above 40" in request.as_command()) == (default != 40)
        assert ("above=40" in request.as_python()) == (default != 40)
        kind(masks=folder, output=tmp_path / str(default)).execute()
        content = json.loads((tmp_path / str(default) / "provenance.json").read_text())
        assert content["parameters"]["above"] == default


CHANGED = """
from lesion_dash.core import defaults
assert (defaults.MIN_PATIENTS, defaults.PERMUTATIONS) == (5, 1000)
defaults.MIN_PATIENTS, defaults.PERMUTATIONS, defaults.STD = 7, 77, "sample"
import inspect, runpy, sys
from lesion_dash import cli, permute_volumes, volume_stats
from lesion_dash.dashboard.page_inputs import number_field
from lesion_dash.dashboard.state import Choices
parameters = inspect.signature(permute_volumes).parameters
assert (parameters["min_patients"].default, parameters["permutations"].default) == (7, 77)
assert inspect.signature(volume_stats).parameters["std"].default == "sample"
assert number_field("chance", "permutations")["value"] == 77
assert Choices().min_patients == 7
assert "--permutations 1000" in cli.read_request(
    ["size-bias", "m", "-o", "o", "--permutations", "1000"]
).as_command()
page = runpy.run_path(sys.argv[1])["page"]()
assert "count | `7` |" in page and "| `77` |" in page and "| `sample` |" in page
assert "K spared (default 7)" in page
cli.main(["size-bias", "--help"])
"""


def test_a_default_of_the_library_stands_once():
    """Signatures, help, pages, links and the documentation follow the one definition."""
    done = subprocess.run(
        [sys.executable, "-c", CHANGED, str(WRITER)], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    text = " ".join(done.stdout.split())
    assert "(default 7; at least 1)" in text
    assert "(default 77; at least 20)" in text


def test_the_table_of_commands_is_current():
    writer = runpy.run_path(str(WRITER))
    for file, write in (("PAGE", "page"), ("COLUMNS_PAGE", "columns_page")):
        assert writer[file].read_text(encoding="utf-8") == writer[write](), "run `make docs`"
