"""Units of the participants table: what the file beside it says, and BIDS where it says nothing."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from phantoms import random_masks, write_masks
from reports import DAY, write_study

from lesion_dash import (
    InputError,
    ReportRequest,
    describe_columns,
    load_cohort,
    make_report,
)
from lesion_dash.cohort import Units
from lesion_dash.dashboard.pages.filter_row import shown_column
from lesion_dash.dashboard.pages.patients import shown_columns
from lesion_dash.provenance import cohort_input


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write_masks(tmp_path / "root" / "masks", random_masks(3))
    rows = [f"sub-00{number}\t{3 + number}\t{10 * number}\tF" for number in range(3)]
    text = "\n".join(["participant_id\tage\tnihss\tsex", *rows]) + "\n"
    (folder / "participants.tsv").write_text(text)
    return folder


def describe(folder: Path, content: object) -> Path:
    path = folder / "participants.json"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("said", "unit"),
    [
        ("months", "months"),
        ("month", "months"),
        (" yr ", "years"),
        ("gestational weeks", "gestational weeks"),
        ("n/a", "years"),
        ("", "years"),
        (7, "years"),
        (None, "years"),
        ("x" * 31, "years"),
        ("a\nb", "years"),
    ],
)
def test_the_unit_of_age_is_what_the_file_says(folder: Path, said: object, unit: str) -> None:
    describe(folder, {"age": {"Units": said}, "sex": {"Levels": {"F": "female"}}, "nihss": 3})
    cohort = load_cohort(folder)
    assert [cohort.units.of(name) for name in ("age", "nihss", "sex")] == [unit, "", ""]
    assert [column.unit for column in describe_columns(cohort)] == [unit, "", ""]
    assert cohort.notes == load_cohort(folder).notes
    assert f"age ({unit})" in shown_columns(cohort.used_table, cohort.units)
    assert shown_column(describe_columns(cohort)[0])["caption"] == f"age ({unit}) · 3–5"


def test_without_a_file_bids_knows_age_alone(folder: Path) -> None:
    cohort = load_cohort(folder)
    assert cohort.units == Units()
    assert [column.unit for column in describe_columns(cohort)] == ["years", "", ""]
    assert "units" not in cohort_input(cohort)["participants"]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[1]", "does not describe columns by their names"),
        ("", "is empty"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_note(folder: Path, content: str, match: str) -> None:
    (folder / "participants.json").write_text(content)
    for cohort in (
        load_cohort(folder),
        load_cohort(folder, participants=folder / "participants.tsv"),
    ):
        assert cohort.units.of("age") == "years"
        (note,) = [note for note in cohort.notes if "participants.json" in note]
        assert note.startswith("participants.json beside the table is not used: ")
        assert match in note


def test_a_file_that_leads_out_of_the_root_is_not_read(folder: Path, tmp_path: Path) -> None:
    outside = describe(tmp_path, {"age": {"Units": "months"}})
    (folder / "participants.json").symlink_to(outside)
    assert load_cohort(folder, within=folder.parent).units == Units()
    assert load_cohort(folder).units.of("age") == "months"


def test_a_table_that_cannot_be_used_has_no_units(folder: Path) -> None:
    describe(folder, {"age": {"Units": "months"}})
    (folder / "participants.tsv").write_text("participant_id\n")
    assert load_cohort(folder).units == Units()
    with pytest.raises(InputError, match="holds no participants"):
        load_cohort(folder, participants=folder / "participants.tsv")


@pytest.fixture
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesion_dash.report.report.drawings", lambda findings: {})


@pytest.mark.usefixtures("_without_pictures")
def test_the_report_says_the_unit_and_lists_the_file(tmp_path: Path) -> None:
    root = write_study(tmp_path / "study")
    table = load_cohort(root / "a").participants
    assert table is not None
    describe(Path(str(table.path)).parent, {"age": {"Units": "months"}})
    cohort = load_cohort(root / "a")
    units = cohort.units
    report = make_report(cohort, None, None, ReportRequest(1, ["age>=62"]), DAY)
    told = html.unescape(re.sub("<[^>]+>", " ", report.html)).replace("\u00a0", " ")
    assert "Only patients with age of at least 62 months were included." in told
    assert "age >= 62 months" in told
    assert re.search(r"Median age was [\d.]+ months \(", told)
    assert " years" not in told.partition("References")[0]
    assert units.sha256 in told
    found = json.loads(report.files["provenance.json"])["inputs"][0]["participants"]
    assert found["units"] == {"file": "participants.json", "sha256": units.sha256}
