"""Participants tables: whose rows they are, and what is read of a table that is not tidy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from phantoms import random_masks, write_masks

from lesion_dash.cohort.columns import describe_columns
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.cohort.participants import read_participants
from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.lab_files import LabFiles

AGES = [61.5, 70.25, 48, 55, 81, 66]
SEXES = "FMFMFM"
NUMBERS = range(1, 7)
BIDS = [f"sub-{n:03}_lesion.nii.gz" for n in NUMBERS]
MASKS = random_masks(6)


def study(folder: Path, lines: list[str], files=BIDS, name="participants.tsv", sep="\t") -> Path:
    """Masks, and a table beside them whose cells are parted by blanks bars, such as ``a|b``."""
    write_masks(folder, MASKS[: len(files)], names=files)
    text = "\n".join(line.replace("|", sep) for line in lines) + "\n"
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def rows(pattern: str, order=NUMBERS) -> list[str]:
    """A row for each patient: {n} is the number, {a} age, {s} sex."""
    return [pattern.format(n=n, a=AGES[n - 1], s=SEXES[n - 1]) for n in order]


def ages(folder: Path, **options) -> list[float]:
    return load_cohort(folder, **options).used_table["age"].tolist()


SAME = "participant_id|age|sex"
JOINED = {
    "zeros": (BIDS, [SAME, *rows("{n}|{a}|{s}")], "without leading zeros: sub-001 is 1"),
    "more zeros": (BIDS, [SAME, *rows("sub-{n:05}|{a}|{s}")], "without leading zeros"),
    "floats": (BIDS, [SAME, *rows("{n}.0|{a}|{s}")], "without leading zeros: sub-001 is 1.0"),
    "case": (BIDS, [SAME, *rows(" Sub-{n:03} |{a}|{s}")], "capitals"),
    "underscore": (BIDS, [SAME, *rows("SUB_{n:03}|{a}|{s}")], "capitals"),
    "blank within": (BIDS, [SAME, *rows("sub 0{n:02}|{a}|{s}")], "capitals and blanks"),
    "hyphen": (
        [f"P-{n:02}_T1.nii.gz" for n in NUMBERS],
        [SAME, *rows("p{n:02}|{a}|{s}")],
        "P-01_T1 is p01",
    ),
    "column": (
        BIDS,
        ["No|Participant_ID|age|sex", *rows("{n}|sub-{n:03}|{a}|{s}")],
        "id column: Participant_ID",
    ),
    "column in another order": (
        BIDS,
        ["No|code|age", *[f"{7 - n}|sub-{n:03}|{AGES[n - 1]}" for n in NUMBERS]],
        "id column: code",
    ),
    "last": (BIDS, ["age|sex|record_id", *rows("{a}|{s}|sub-{n:03}")], "id column: record_id"),
    "foreign name": (BIDS, ["age|sex|Kennung", *rows("{a}|{s}|sub-{n:03}")], "column: Kennung"),
    "last, by zeros": (BIDS, ["age|sex|Subject ID", *rows("{a}|{s}|{n}")], "column: Subject ID"),
    "file names": (
        BIDS,
        ["age|mask", *rows("{a}|masks/sub-{n:03}_lesion.nii.gz")],
        "id column: mask",
    ),
    "suffix": (
        [f"P{n:03}_lesion.nii.gz" for n in NUMBERS],
        [SAME, *rows("P{n:03}|{a}|{s}")],
        "P001_lesion is P001",
    ),
    "suffix and zeros": (
        [f"{n:03}-lesion-final.nii.gz" for n in NUMBERS],
        [SAME, *rows("{n}|{a}|{s}")],
        "001-lesion-final is 1",
    ),
    "prefix": (
        [f"lesion_{n}.nii.gz" for n in NUMBERS],
        [SAME, *rows("{n}|{a}|{s}")],
        "lesion_1 is 1",
    ),
    "around": (
        [f"{'lr'[n > 3]}esion_P{n:03}_mni.nii.gz" for n in NUMBERS],
        [SAME, *rows("P{n:03}|{a}|{s}")],
        "is P001",
    ),
    "folder": (
        [f"{n:04}/lesion_mni.nii.gz" for n in NUMBERS],
        [SAME, *rows("{n:04}|{a}|{s}")],
        "0001/lesion_mni is 0001",
    ),
    "folder and zeros, below others": (
        [f"P{n:03}/anat/ses-1/lesion.nii.gz" for n in NUMBERS],
        [SAME, *rows("p{n}|{a}|{s}")],
        "P001/anat/lesion is p1",
    ),
    "umlauts": (
        [f"Mu\u0308ller{n}.nii.gz" for n in NUMBERS],
        [SAME, *rows("M\u00fcller{n}|{a}|{s}")],
        None,
    ),
    "id with its session": (
        BIDS,
        [SAME, *rows("sub-{n:03}_ses-1|{a}|{s}")],
        None,
    ),
    "mixed": (
        BIDS,
        [SAME, *rows("sub-{n:03}|{a}|{s}", (1, 2)), *rows("{n}|{a}|{s}", (3, 4, 5, 6))],
        "4 ids compared without leading zeros: sub-003 is 3",
    ),
}


@pytest.mark.parametrize("case", JOINED)
def test_rows_are_joined_however_the_ids_are_written(tmp_path, case):
    files, lines, note = JOINED[case]
    cohort = load_cohort(study(tmp_path / "masks", lines, files))
    assert cohort.used_table["age"].tolist() == AGES
    said = "; ".join(cohort.notes)
    assert note is None or note in said
    assert "patients have a row" not in said
    assert (note is None) == ("participants.tsv" not in said)


NOT_JOINED = {
    "two rows meet": (BIDS, [*rows("sub-{n:03}|{a}|{s}", (2, 3, 4, 5, 6)), "1|9|F", "01|8|F"], 5),
    "two patients meet": (
        ["sub-01.nii", "sub-001.nii", *BIDS[1:5]],
        [*rows("{n}|{a}|{s}")],
        4,
    ),
    "two files fit one id": (
        ["P1_x.nii", "P1_y.nii", "P2_lesion.nii"],
        [*rows("P{n}|{a}|{s}", (1, 2))],
        1,
    ),
    "partly": (BIDS, rows("sub-{n:03}|{a}|{s}", (1, 2, 3, 4)), 4),
    "nobody": (BIDS, rows("XY{n}|{a}|{s}"), 0),
    "digits that are parted": (
        [f"P_{n}1_2024.nii" for n in NUMBERS],
        ["2024-01|61|F", "P-4-1|61|F", "P_1-1|61|F"],
        0,
    ),
    "a sub- label is the id": ([f"sub-A{n}_{n}.nii" for n in NUMBERS], rows("{n}|{a}|{s}"), 0),
}


@pytest.mark.parametrize("case", NOT_JOINED)
def test_who_has_no_row_is_counted_and_none_is_guessed(tmp_path, case):
    files, lines, count = NOT_JOINED[case]
    cohort = load_cohort(study(tmp_path / "masks", [SAME, *lines], files))
    assert cohort.used_table["age"].notna().sum() == count
    (note,) = [note for note in cohort.notes if "patients have a row" in note]
    assert note.startswith(f"{count} of {len(files)} patients have a row in participants.tsv")
    assert "none" in note


def test_ids_that_are_no_names_are_nobodys(tmp_path):
    table = ["participant_id|age", "P/1|61.5", "..nii.gz|70.25", *rows("P{n}|{a}")[2:]]
    cohort = load_cohort(study(tmp_path / "m", table, [f"P{n}.nii.gz" for n in NUMBERS]))
    np.testing.assert_array_equal(cohort.used_table["age"], [np.nan, np.nan, *AGES[2:]])
    notes = "; ".join(cohort.notes)
    assert "'P/1' is not a valid patient name" in notes
    assert "1 row without an id of participants.tsv excluded: row 3" in notes


def test_a_row_without_a_mask_is_named_where_the_table_is_the_folders_own(tmp_path):
    folder = study(tmp_path / "masks", [SAME, *rows("sub-{n:03}|{a}|{s}"), "sub-099|50|F"])
    assert "1 row has no mask, such as sub-099" in "; ".join(load_cohort(folder).notes)
    (folder / "participants.tsv").rename(tmp_path / "participants.tsv")  # of several folders
    assert load_cohort(folder).notes == ()
    (tmp_path / "masks" / BIDS[0]).rename(folder / "sub-055_lesion.nii.gz")
    (note,) = load_cohort(folder).notes
    assert note == (
        "5 of 6 patients have a row in participants.tsv, such as sub-002; sub-055 has none; "
        "2 rows have no mask, such as sub-001"
    )


@pytest.mark.parametrize(
    ("header", "row", "joined"),
    [
        ("No|code", "{n}|XY{n}", 0),  # a count of rows names nobody
        ("No|code", "{n}|sub-{n:03}", 6),
        ("centre|nihss", "A{n}|{n}", 0),
        ("participant_id|scan", "{n}|sub-{n:03}", 6),
        ("participant_id|scan", "9{n}|sub-{n:03}", 6),
    ],
)
def test_a_column_of_numbers_is_no_id_unless_its_name_says_so(tmp_path, header, row, joined):
    lines = [f"{header}|age", *rows(row + "|{a}")]
    cohort = load_cohort(study(tmp_path / "masks", lines))
    assert cohort.used_table["age"].notna().sum() == joined


def test_columns_that_join_other_rows_are_told(tmp_path):
    lines = ["participant_id|subject_id|age", *[f"{n}|{7 - n}|{AGES[n - 1]}" for n in NUMBERS]]
    cohort = load_cohort(study(tmp_path / "masks", lines))
    assert cohort.used_table["age"].tolist() == AGES
    assert any("subject_id" in note and "other rows" in note for note in cohort.notes)


def test_many_patients_are_joined_in_one_pass(tmp_path):
    count = 5_000
    (tmp_path / "participants.tsv").write_text(
        "no\tparticipant_id\tage\n" + "".join(f"{n}\t{n}\t{n % 90}\n" for n in range(count))
    )
    files = [f"sub-{n:06}_lesion.nii.gz" for n in range(count)]
    table, notes = read_participants(tmp_path, files)
    assert table is not None
    assert [table.values_of(file)[1] for file in files[:3]] == ["0", "1", "2"]
    assert any("5,000 ids compared without leading zeros" in note for note in notes)


def test_names_that_fit_nothing_cost_little(tmp_path):
    """Every way to compare is tried, and none of them looks at pairs of files and rows."""
    (tmp_path / "participants.tsv").write_text(
        "name\tparticipant_id\n" + "".join(f"A{n}\tX-{n}\n" for n in range(2_000))
    )
    files = [f"centre_{n % 7}/person{n}_of_2024_final_lesion.nii.gz" for n in range(2_000)]
    table, notes = read_participants(tmp_path, files)
    assert table is not None
    assert notes[-1].startswith("0 of 2,000 patients have a row")


# Where the table lies.


def test_a_table_at_the_root_of_the_dataset_is_inherited(tmp_path):
    root = tmp_path / "bids"
    masks = study(root / "derivatives" / "lesions" / "v1", [SAME, *rows("sub-{n:03}|{a}|{s}")])
    (masks / "participants.tsv").rename(root / "participants.tsv")
    assert load_cohort(masks).participants is None  # nobody says where the dataset begins
    (root / "dataset_description.json").write_text(json.dumps({"Name": "x"}))
    cohort = load_cohort(masks)
    assert cohort.used_table["age"].tolist() == AGES
    assert any("participants.tsv" in note and "bids" in note for note in cohort.notes)
    assert load_cohort(masks, within=root / "derivatives").participants is None
    # Derivatives with a description of their own belong to the dataset that holds them.
    (root / "derivatives" / "lesions" / "dataset_description.json").write_text("{}")
    assert ages(masks) == AGES
    # Another dataset does not.
    (root / "participants.tsv").rename(tmp_path / "participants.tsv")
    assert load_cohort(masks).participants is None


def test_a_table_above_a_dataset_is_not_used_and_told(tmp_path):
    folder = study(tmp_path / "masks", [SAME, *rows("sub-{n:03}|{a}|{s}")])
    (folder / "participants.tsv").rename(tmp_path / "participants.tsv")
    assert ages(folder) == AGES
    (folder / "dataset_description.json").write_text("{}")
    (note,) = load_cohort(folder).notes
    assert note.startswith("participants.tsv in the folder above is not used: masks is a dataset")
    assert load_cohort(folder, within=folder).notes == ()


# Rows per session.

TWO = [f"sub-{n:03}|ses-{s}|{AGES[n - 1] + s - 1}|{SEXES[n - 1]}" for n in NUMBERS for s in (1, 2)]


@pytest.mark.parametrize(
    ("files", "lines", "later"),
    [
        (
            [f"sub-{n:03}_ses-1_mask.nii" for n in NUMBERS],
            ["participant_id|session|age|sex", *TWO],
            0,
        ),
        (
            [f"sub-{n:03}/ses-2/mask.nii" for n in NUMBERS],
            ["participant_id|visit|age|sex", *TWO],
            1,
        ),
        (
            [f"sub-{n:03}_ses-02_mask.nii" for n in NUMBERS],
            [
                "session_id|subject|age|sex",
                *["|".join(line.split("|")[i] for i in (1, 0, 2, 3)) for line in TWO],
            ],
            1,
        ),
        (
            [f"sub-{n:03}_ses-2_mask.nii" for n in NUMBERS],
            ["participant_id|age|sex", *[line.replace("|ses", "_ses", 1) for line in TWO]],
            1,
        ),
        (
            [f"P{n:03}_ses-BL_mask.nii" for n in NUMBERS],
            [
                "id|timepoint|age|sex",
                *[line.replace("sub-", "P").replace("ses-1", "bl") for line in TWO],
            ],
            0,
        ),
        (
            [f"sub-{n:03}_ses-2_mask.nii" for n in NUMBERS],
            [
                "subject|Visit Nr.|age|sex",
                *[x.replace("ses-", "").replace("|2|", "|2.0|") for x in TWO],
            ],
            1,
        ),
    ],
)
def test_a_mask_is_joined_to_the_row_of_its_session(tmp_path, files, lines, later):
    cohort = load_cohort(study(tmp_path / "masks", lines, files))
    assert cohort.used_table["age"].tolist() == [age + later for age in AGES]
    assert cohort.used_table["sex"].tolist() == list(SEXES)
    assert not any("one row per patient" in note for note in cohort.notes)


@pytest.mark.parametrize(
    "header", ["participant_id|session|age|sex", "participant_id|scanner|age|sex"]
)
def test_where_no_session_is_named_equal_values_are_joined(tmp_path, header):
    cohort = load_cohort(study(tmp_path / "masks", [header, *TWO]))
    assert cohort.used_table["sex"].tolist() == list(SEXES)
    assert cohort.used_table["age"].isna().all()
    (note,) = [note for note in cohort.notes if "several rows" in note]
    assert "6 patients" in note
    assert "sub-001" in note
    assert "age" in note
    assert "one row per patient" in note


def test_both_sessions_of_a_patient_have_their_rows(tmp_path):
    files = [f"sub-{n:03}_ses-{s}_mask.nii" for n in (1, 2, 3) for s in (1, 2)]
    lines = ["participant_id|session|age|sex", *TWO[:5]]
    cohort = load_cohort(study(tmp_path / "masks", lines, files), several_files="separate")
    values = [AGES[n] + s for n in (0, 1, 2) for s in (0, 1)]
    read = cohort.used_table["age"].tolist()
    assert read[:5] == values[:5]
    assert np.isnan(read[5])  # the session has no row; what is the patient's is joined
    assert cohort.used_table["sex"].tolist()[5] == SEXES[2]
    assert any("sub-003" in note and "session" in note for note in cohort.notes)


def test_a_single_row_of_another_session_is_joined_and_told(tmp_path):
    files = [f"sub-{n:03}_ses-2_mask.nii" for n in NUMBERS]
    cohort = load_cohort(
        study(tmp_path / "masks", ["participant_id|session|age|sex", *TWO[::2]], files)
    )
    assert cohort.used_table["age"].tolist() == AGES
    (note,) = cohort.notes
    assert note.startswith("6 masks have a row of another session in participants.tsv")


# What is read of a table that is not tidy.

BOOK = b"PK\x03\x04" + bytes(40)
PLAIN = rows("sub-{n:03}|{a}|{s}")
COMMA = [line.replace(".", ",") for line in PLAIN]
QUOTED = [line.replace("|", '|"', 1)[:-2] + '"' + line[-2:] for line in COMMA]
READ = {
    "decimal comma": (";", [SAME, *COMMA], "61,5 is 61.5"),
    "decimal comma, tabs": ("\t", [SAME, *COMMA], "age"),
    "decimal comma and gaps": (";", [SAME, *COMMA, "sub-9|n/a|F"], "age"),
    "decimal comma in quotes": (",", [SAME, *QUOTED], "age"),
    "sep": (";", ["sep=;", SAME, *PLAIN], None),
    "sep of another": (",", ['"sep=,"', "participant_id|age|sex;a;b;c", *PLAIN], None),
    "trailing": (",", [SAME, *[line + "|" for line in PLAIN]], None),
    "trailing, header too": (",", [SAME + "|||", *[line + "|||" for line in PLAIN]], None),
    "trailing blanks": ("\t", [SAME, *[line + "| " for line in PLAIN]], None),
    "blank lines": ("\t", ["", SAME, "", *PLAIN, "||", "  "], None),
    "totals": (",", [SAME, *PLAIN, "|63.6|"], "1 row without an id"),
    "totals in words": (",", [SAME, *PLAIN, "|mean 63.6|n=6", "n/a|8|"], "2 rows without an id"),
    "a row too long": (",", [SAME, *PLAIN, "sub-007|61|5|F"], "row 8 has 4 fields, the header 3"),
    "a row too short": (",", [SAME, *PLAIN, "sub-007|61"], "row 8 has 2 fields, the header 3"),
    "a column twice": (",", ["participant_id|age|sex|x|x", *[p + "|1|2" for p in PLAIN]], "x"),
    "a bad id": (",", [SAME, *PLAIN, "../x|3|F"], "1 row"),
    "a row twice": (",", [SAME, *PLAIN, PLAIN[0]], None),
    "a title": (";", ["Our patients of 2024, all||", "||", SAME, *PLAIN], "line 1"),
    "a comment": (",", ["# exported, 2024", SAME, *PLAIN], "line 1"),
    "errors of a spreadsheet": (",", [SAME, *PLAIN, "sub-8|#N/A|F", "sub-9|#NV|."], None),
    "row names": (",", ["|" + SAME, *[f"{n}|{line}" for n, line in enumerate(PLAIN)]], None),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_what_is_plain_is_read_and_the_rest_is_told(tmp_path, case):
    sep, lines, note = READ[case]
    folder = study(tmp_path / "masks", lines, name="participants.csv", sep=sep)
    for cohort in (
        load_cohort(folder),
        load_cohort(folder, participants=folder / "participants.csv"),
    ):
        assert cohort.used_table["age"].tolist() == AGES
        assert [column.kind for column in describe_columns(cohort)[:1]] == ["number"]
        assert note is None or note in "; ".join(cohort.notes)
    assert load_cohort(folder, where="age>=60").n_patients == 4
    assert load_cohort(folder, where=("age>=60", "age<=66")).n_patients == 2


def test_a_comma_that_may_part_thousands_is_left_and_told(tmp_path):
    lines = ["participant_id|volume", *[f"sub-{n:03}|{n},250" for n in NUMBERS]]
    cohort = load_cohort(study(tmp_path / "tabs", lines))
    assert describe_columns(cohort)[0].kind == "category"
    assert any("volume" in note and "1,250" in note for note in cohort.notes)
    cohort = load_cohort(study(tmp_path / "semicolons", lines, sep=";"))
    assert cohort.used_table["volume"].tolist() == [n + 0.25 for n in NUMBERS]


@pytest.mark.parametrize("name", ["participants.xlsx", "participants.xls", "participants.ods"])
def test_a_workbook_is_named_as_one(tmp_path, name):
    folder = write_masks(tmp_path / "masks", MASKS)
    (folder / name).write_bytes(BOOK)
    (note,) = load_cohort(folder).notes
    assert note == f"{name} beside the masks is not used: a workbook is not read; save it as CSV"
    with pytest.raises(InputError, match=f"{name}: a workbook is not read; save it as CSV"):
        load_cohort(folder, participants=folder / name)
    with pytest.raises(InputError, match="no participants table") as caught:
        load_cohort(folder, where="age>=60")
    assert any("save it as CSV" in line for line in caught.value.details)


@pytest.mark.parametrize("content", [BOOK, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40)])
def test_a_workbook_is_known_whatever_its_name(tmp_path, content):
    folder = write_masks(tmp_path / "masks", MASKS)
    (folder / "participants.csv").write_bytes(content)
    (note,) = load_cohort(folder).notes
    assert "workbook" in note
    assert "save it as CSV" in note


def test_the_page_joins_and_lists_the_same(tmp_path):
    study(tmp_path / "masks", JOINED["zeros"][1])
    files = LabFiles(DataRoot(tmp_path))
    assert files.columns("masks")["sex"] == ("F", "M")
    assert pd.Series(files.columns("masks")["age"]).astype(float).tolist() == sorted(AGES)
