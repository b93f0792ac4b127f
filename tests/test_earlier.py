"""With `--overwrite`, a folder holds the results of one run, and nothing of an earlier one."""

from __future__ import annotations

import json

import pytest
from reports import cohorts, no_pictures, report_on, write_study

import lesion_dash as ld
from lesion_dash.cli import main
from lesion_dash.files.earlier import earlier_result

OVERLAP = "overlap a b -k 2 -o out --overwrite"


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(write_study(tmp_path / "study"))
    return tmp_path / "study"


def run(command: str) -> int:
    return main(command.split())


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name[0] != "."}


def recorded(folder) -> set[str]:
    record = json.loads((folder / "provenance.json").read_text())
    return {*record["outputs"], "provenance.json"}


def test_files_that_the_new_run_does_not_write_go(study):
    assert run(f"{OVERLAP} --atlas areas.nii.gz") == 0
    assert "region_counts.csv" in names(study / "out")
    assert run(OVERLAP) == 0
    assert "region_counts.csv" not in names(study / "out")
    assert names(study / "out") == recorded(study / "out")


def test_what_was_changed_since_and_what_others_put_there_stays(study):
    assert run(f"{OVERLAP} --atlas areas.nii.gz") == 0
    (study / "out" / "region_counts.csv").write_text("with a remark")
    (study / "out" / "mine.txt").write_text("mine")
    assert run(OVERLAP) == 0
    assert names(study / "out") - recorded(study / "out") == {"region_counts.csv", "mine.txt"}


def test_a_run_that_fails_takes_nothing_away(study):
    assert run(f"{OVERLAP} --atlas areas.nii.gz") == 0
    before = names(study / "out")
    assert run("overlap a missing -k 2 -o out --overwrite") == 2
    assert names(study / "out") == before


def test_results_of_another_command_stay_and_are_named(study, capsys):
    assert run("stats a -k 2 -o out") == 0
    before = names(study / "out")
    assert run(f"{OVERLAP} --strict") == 1
    assert names(study / "out") == before
    capsys.readouterr()
    assert run(OVERLAP) == 0
    assert "of an earlier stats" in capsys.readouterr().err
    assert before <= names(study / "out")


def test_what_the_new_results_are_made_of_stays(study):
    assert run(f"{OVERLAP} --atlas areas.nii.gz") == 0
    earlier = earlier_result(study / "out", "provenance.json")
    kept = {path.name for path in earlier.beside([], ["out/region_counts.csv"])}
    assert kept == recorded(study / "out") - {"region_counts.csv", "provenance.json"}
    assert earlier.beside([], [study / "out"]) == []


def test_a_report_saved_in_python_replaces_the_earlier_one_as_a_whole(study, tmp_path):
    with no_pictures():
        a, b = cohorts(study)
        ld.save_report(report_on(a, b), tmp_path / "out")
        ld.save_report(report_on(a), tmp_path / "out", overwrite=True)
    assert names(tmp_path / "out") == recorded(tmp_path / "out") | {"report.html"}
