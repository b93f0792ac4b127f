"""Units of the participants table: what the file beside it says, and BIDS where it says nothing."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from phantoms import random_masks, write_masks
from reports import DAY, write_study

from lesion_dash.analyses.report import make_report
from lesion_dash.cohort.cohort import cohort_input
from lesion_dash.cohort.columns import describe_columns
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.cohort.participants import Units
from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.pages.filter_row import shown_column
from lesion_dash.dashboard.pages.patients import shown_columns
from lesion_dash.report.findings import ReportRequest


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
    ("text", "unit"),
    [
        ("months", "months"),
        ("month", "months"),
        (" yr ", "years"),
        ("gestational weeks", "gestational weeks"),
        ("n/a", "years"),
        ("", "years"),
        (7, "years"),
        (None, "years"),
        ("a", "years"),
        ("A", "A"),  # ampere, which is not a year
        ("x" * 31, ""),  # it has a unit, and years may be wrong
        ("a\nb", ""),
    ],
)
def test_the_unit_of_age_is_what_the_file_says(folder: Path, text: object, unit: str) -> None:
    describe(folder, {"age": {"Units": text}, "sex": {"Levels": {"F": "female"}}, "nihss": 3})
    cohort = load_cohort(folder)
    assert [cohort.units.of(name) for name in ("age", "nihss", "sex")] == [unit, "", ""]
    assert [column.unit for column in describe_columns(cohort)] == [unit, "", ""]
    assert not any("participants.json" in note for note in cohort.notes)
    head = f"age ({unit})" if unit else "age"
    columns = shown_columns(cohort.used_table, cohort.units)
    assert head in {column.title for column in columns}
    assert shown_column(describe_columns(cohort)[0])["caption"] == f"{head} · 3–5"


def test_without_a_file_bids_knows_age_alone(folder: Path) -> None:
    cohort = load_cohort(folder)
    assert cohort.units == Units()
    assert [column.unit for column in describe_columns(cohort)] == ["years", "", ""]
    assert "units" not in cohort_input(cohort)["participants"]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
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


@pytest.mark.parametrize("is_named", [False, True])
def test_a_file_that_leads_out_of_the_root_is_not_read(folder, tmp_path, is_named) -> None:
    outside = describe(tmp_path, {"age": {"Units": "months"}})
    (folder / "participants.json").symlink_to(outside)
    table = folder / "participants.tsv" if is_named else None
    assert load_cohort(folder, table, within=folder.parent).units == Units()
    assert load_cohort(folder, table).units.of("age") == "months"


def test_a_column_spelt_otherwise_leaves_age_without_a_unit(folder: Path) -> None:
    describe(folder, {"Age": {"Units": "months"}})
    assert load_cohort(folder).units.of("age") == ""


def test_a_table_whose_name_has_room_for_no_other_ending_is_read(folder: Path) -> None:
    long = folder / f"{'x' * 251}.tsv"
    long.write_text((folder / "participants.tsv").read_text())
    assert load_cohort(folder, participants=long).units == Units()


def test_a_table_that_cannot_be_used_has_no_units(folder: Path) -> None:
    describe(folder, {"age": {"Units": "months"}})
    (folder / "participants.tsv").write_text("participant_id\n")
    assert load_cohort(folder).units == Units()
    with pytest.raises(InputError, match="holds no participants"):
        load_cohort(folder, participants=folder / "participants.tsv")


def test_each_cohort_has_its_own_units_in_the_report(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("lesion_dash.report.report.drawings", lambda findings: {})  # slow
    root = write_study(tmp_path / "study")
    for side, unit in (("a", "years"), ("b", "months")):
        table = load_cohort(root / side).participants
        assert table is not None
        (root / side / "participants.tsv").write_bytes(Path(str(table.path)).read_bytes())
        describe(root / side, {"age": {"Units": unit}})
    a, b = (load_cohort(root / side) for side in "ab")
    report = make_report(a, b, None, ReportRequest(1, ["age>=62"]), DAY)
    text = html.unescape(re.sub("<[^>]+>", " ", report.html)).replace("\u00a0", " ")
    assert "A holds only patients with age of at least 62 years." in text
    assert "B holds only patients with age of at least 62 months." in text
    assert "age >= 62 months" in text
    assert b.units.sha256 in text
    (row,) = re.findall('<th scope="row">age</th>(.*?)</tr>', report.html)
    cells = [html.unescape(cell) for cell in re.findall("<td[^>]*>(.*?)</td>", row)]
    assert [cell.rpartition("(")[2] for cell in cells] == ["years)", "months)"]
    alone = make_report(b, None, None, ReportRequest(1, ["age>=62"]), DAY)
    text = html.unescape(re.sub("<[^>]+>", " ", alone.html)).replace("\u00a0", " ")
    assert "Only patients with age of at least 62 months were included." in text
    assert re.search(r"Median age was [\d.]+ months \(", text)
    assert " years" not in text.partition("References")[0]
    participants = json.loads(alone.files["provenance.json"])["inputs"][0]["participants"]
    assert participants["units"] == {"file": "participants.json", "sha256": b.units.sha256}
