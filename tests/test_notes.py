"""Notes on what is read reach every command, the report and the provenance, each once."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from phantoms import AFFINE, SHAPE, image, write_masks

from lesion_dash import cli, load_cohort
from lesion_dash.analyses.load import Load
from lesion_dash.analyses.notes import NotesAreErrors, errors_among, gather_notes
from lesion_dash.analyses.request import ANALYSES
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.notes import by_reason
from lesion_dash.core.grid import Grid
from lesion_dash.images.masks import Binarization
from lesion_dash.images.probabilities import Scale
from lesion_dash.stats.components import find_components

TABLE = "participant_id\tage\n"
NOTES = (
    r"participants\.tsv beside the masks is not used: holds no participants",
    r"identical masks, voxel for voxel: sub-000_lesion\.nii\.gz, sub-004_lesion\.nii\.gz",
    r"2 files, sub-005_lesion\.nii\.gz, sub-006_lesion\.nii\.gz: mask is empty",
    r"6 files, such as sub-007_lesion\.nii\.gz: lesion touches the image border",
    r"broken\.nii\.gz\)?: not a gzip file",
)
ON_ATLAS = r"label without a name: 7"
COMMANDS = {
    "check": "check noted",
    "stats": "stats noted -k 1 -o out",
    "size-bias": "size-bias noted -k 1 --permutations 20 -o out",
    "coverage": "coverage noted -o out/k.csv",
    "load": "load noted --atlas atlas.nii.gz -o out",
    "compare": "compare noted clean -k 1 -o out",
    "compare with itself": "compare noted noted -k 1 -o out",
    "overlap": "overlap clean noted --atlas atlas.nii.gz -k 1 -o out",
    "roi": "roi --cohorts noted clean --threshold 0.1 --use effect --atlas atlas.nii.gz -o out",
    "report": "report noted --atlas atlas.nii.gz -k 1 -o out",
    "report on a pair": "report clean noted -k 1 -o out",
}


def blob(number: int) -> np.ndarray:
    """A lesion away from the border, another one for each number."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[2 : 3 + number % 3, 2:5, 2 : 4 + number // 3 % 2] = 1
    return mask


def at_border(number: int) -> np.ndarray:
    mask = blob(number)
    mask[0, number % SHAPE[1]] = 1
    return mask


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """A folder with a note of every kind, a clean one, and an atlas with a label too many."""
    empty = np.zeros(SHAPE, np.uint8)
    masks = [*map(blob, range(4)), blob(0), empty, empty, *map(at_border, range(6))]
    write_masks(tmp_path / "noted", masks)
    (tmp_path / "noted" / "broken.nii.gz").write_bytes(b"no image at all")
    (tmp_path / "noted" / "participants.tsv").write_text(TABLE)
    write_masks(
        tmp_path / "clean", map(blob, range(5, 1, -1)), names=[f"p{i}.nii" for i in range(4)]
    )
    labels = np.ones(SHAPE, np.float32)
    labels[-1] = 7
    nib.save(image(labels), tmp_path / "atlas.nii.gz")
    (tmp_path / "atlas.csv").write_text("index,name\n1,the brain\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(line: str) -> int:
    return cli.main(shlex.split(line))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_every_note_once(study, capsys, name):
    line = COMMANDS[name]
    assert run(line) == (1 if name == "check" else 0)
    shown = capsys.readouterr()
    said = shown.out + shown.err
    notes = [*NOTES, *([ON_ATLAS] if "--atlas" in line else [])]
    assert {note: len(re.findall(note, said)) for note in notes} == dict.fromkeys(notes, 1)
    if name == "check":
        return
    (record,) = (study / "out").glob("*provenance.json")
    inputs = json.loads(record.read_text(encoding="utf-8"))["inputs"]
    recorded = "\n".join(note for one in inputs for note in one.get("notes", ()))
    assert all(re.search(note, recorded) for note in notes)
    assert not any("clean" in one.get("folder", "") and "notes" in one for one in inputs)
    if name.startswith("report"):
        page = (study / "out" / "report.html").read_text(encoding="utf-8").replace("&#39;", "'")
        for note in ("beside the masks is not used", "voxel for voxel", "not a gzip file"):
            assert note in page
        assert page.count("mask is empty") == 1


def test_a_note_is_said_once_of_many_files_with_their_number_and_one_of_them(study):
    notes = load_cohort("noted").all_notes
    assert len(notes) == len(NOTES)
    assert all(any(re.search(pattern, note) for note in notes) for pattern in NOTES)
    assert any(note.startswith("1 of 14 files skipped, broken.nii.gz: ") for note in notes)


@pytest.mark.parametrize(
    ("reasons", "groups"),
    [
        ([], []),
        ([("a", "x"), ("b", "y")], [(1, "a", "x"), (1, "b", "y")]),
        # Few that differ in their numbers are all said; of many, one.
        ([("a", "by 1 mm"), ("b", "by 2 mm")], [(1, "a", "by 1 mm"), (1, "b", "by 2 mm")]),
        ([(str(n), f"by {n} mm") for n in range(6)], [(6, "such as 0", "by 0 mm")]),
        ([(str(n), f"as s{n}.nii") for n in range(6)], [(6, "such as 0", "as s0.nii")]),
        (
            [(str(n), "ab"[n % 2]) for n in range(12)],
            [(6, f"such as {n}", "ab"[n]) for n in (0, 1)],
        ),
    ],
    ids=["none", "two", "few numbers", "many numbers", "many names", "two kinds"],
)
def test_files_are_put_together_by_what_is_said_of_them(reasons, groups):
    assert by_reason(reasons) == groups
    assert sum(number for number, *_ in groups) == len(reasons)


def test_a_note_that_a_result_repeats_is_said_once():
    inputs = [{"kind": "atlas", "name": "aal", "notes": ["is odd"]}, {"folder": "x/m"}]
    own = ["is odd", "aal by hemisphere: is odd", "3 voxels are not tested"]
    assert gather_notes(inputs, own) == ["aal: is odd", "3 voxels are not tested"]


def test_a_note_on_one_part_of_a_folder_says_which(study, capsys):
    masks = [*map(blob, range(4)), *map(at_border, range(2)), np.zeros(SHAPE, np.uint8)]
    folder = write_masks(study / "parts", masks)
    rows = "".join(f"sub-{number:03}\t{number}\n" for number in range(6))
    (folder / "participants.tsv").write_text(TABLE + rows)
    assert run("compare parts parts --where-a age<3 --where-b age>=3 -k 1 -o out") == 0
    said = capsys.readouterr().err.splitlines()
    (border,) = [line for line in said if "touch" in line]
    assert border.startswith("note: parts (B): 2 files, sub-004_lesion.nii.gz, ")
    counts = [line for line in said if re.search(r"age (<|>=) 3: . of 7 patients excluded", line)]
    assert [line.split(": ")[1] for line in counts] == ["parts (A)", "parts (B)"]
    # What is to be said of the whole folder is said once, and of neither part.
    assert sum("6 of 7 patients have a row" in line for line in said) == 1
    assert any(line.startswith("note: parts: 6 of 7 patients have a row") for line in said)


# --strict


@pytest.mark.parametrize("name", ["check", "stats", "coverage", "roi", "report"])
def test_with_strict_notes_are_errors_and_nothing_is_written(study, capsys, name):
    line = f"{COMMANDS[name]} --strict"
    assert run(line) == 1
    said = capsys.readouterr().err
    assert not (study / "out").exists()
    if name != "check":
        number = int(re.search(r"(\d+) notes, counted as errors; nothing was written", said)[1])
        assert number >= len(NOTES)
        assert all(len(re.findall(note, said)) == 1 for note in NOTES)


def chosen(**choice) -> tuple[str, ...]:
    """The notes on two sessions of three patients, of which a choice is made."""
    names = [f"sub-{patient}_ses-{session}.nii.gz" for patient in "abc" for session in "12"]
    folder = write_masks(Path("chosen"), map(blob, range(6)), names=names)
    (folder / "participants.tsv").write_text(f"{TABLE}sub-a\t50\nsub-b\t70\nsub-c\t\n")
    return load_cohort(folder, **choice).all_notes


def components(**choice) -> tuple[str, ...]:
    array = np.zeros((9, 9, 9), np.float32)
    array[1, 1, 1] = array[4:7, 4:7, 4:7] = 3
    return find_components(nib.Nifti1Image(array, np.eye(4)), 1, **choice).notes


def atlas_of(top: float, scale: Scale | None = None) -> tuple[str, ...]:
    array = np.zeros((*SHAPE, 2), np.float32)
    array[:3, ..., 0], array[3:, ..., 1] = top, top / 2
    return load_atlas(image(array), scale=scale).notes


def on_half_voxels() -> tuple[str, ...]:
    fine = Grid((14, 18, 16), AFFINE @ np.diag([0.5, 0.5, 0.5, 1]))
    return load_atlas(image(np.indices(SHAPE)[0].astype(np.int16))).on_grid(fine).notes


ASKED_FOR = {
    "a session": (lambda: chosen(session="1"), "3 of 6 masks counted"),
    "a union": (lambda: chosen(several_files="union"), "taken together"),
    "all files": (lambda: chosen(several_files="separate"), "every file is one patient"),
    "two conditions": (
        lambda: chosen(session="1", where=["age>=60", "age<90"]),
        "patients excluded in all",
    ),
    "large parts": (lambda: components(min_size_voxels=5), "excluded: too small"),
    "a scale": (lambda: atlas_of(42, "percent"), "percent, as was stated"),
    "a usual scale": (lambda: atlas_of(1), "taken as probabilities from 0 to 1"),
    "another grid": (on_half_voxels, "atlas resampled from "),
    "labels of several files": (
        lambda: chosen(session="1", label="any"),
        "3 files, .* taken as the mask",
    ),
    "a threshold": (lambda: Binarization(0.5).summary, "taken as the mask"),
}
DOUBTS = {
    "values that are missing": (
        lambda: chosen(session="1", where=["age>=60"]),
        "1 of them because the value is missing",
    ),
    "a likely scale": (lambda: atlas_of(80), "taken as percent"),
    "labels without a name": (on_half_voxels, "no label table found"),
}


@pytest.mark.parametrize("name", [*ASKED_FOR, *DOUBTS])
def test_what_was_asked_for_is_no_error(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make, words = (ASKED_FOR | DOUBTS)[name]
    notes = make()
    inputs = [{"name": "one", "notes": list(notes)}, {"name": "other", "notes": ["is odd"]}]
    for read, result in (
        (inputs, []),  # with the name of the input before them
        ([], notes),
    ):
        gathered = gather_notes(read, result)
        assert any(re.search(words, note) for note in gathered)
        is_error = any(re.search(words, note) for note in errors_among(gathered))
        assert is_error == (name in DOUBTS)


@pytest.mark.parametrize("command", ["compare", "report"])
def test_what_was_asked_for_of_two_folders_passes_where_notes_are_errors(study, capsys, command):
    for name in "pq":
        masks = [np.roll(blob(number), int(name == "q"), 2) for number in range(4)]
        names = [f"{name}{number}.nii" for number in range(4)]
        folder = write_masks(study / name, masks, names=names)
        rows = "".join(f"{name}{number}\t{60 + number}\n" for number in range(4))
        (folder / "participants.tsv").write_text(TABLE + rows)
    assert run(f"{command} p q -k 1 -o out --where 'age>=61' --strict") == 0
    assert capsys.readouterr().err.count("1 of 4 patients excluded") == 2


def test_strict_lets_pass_what_is_clean(study, capsys):
    assert run("stats clean -k 1 -o out --strict") == 0
    assert run("check clean --strict") == 0
    assert run("inspect clean/p0.nii --strict") == 0
    assert capsys.readouterr().err == ""


def test_a_request_in_python_is_strict_too(study):
    request = Load(masks="clean", atlas=["atlas.nii.gz"], output="out", strict=True)
    with pytest.raises(NotesAreErrors, match="2 notes, counted as errors") as error:
        request.execute()
    assert re.search(ON_ATLAS, "\n".join(error.value.details))
    assert request.model_copy(update={"strict": False}).execute().notes == list(error.value.details)


def test_every_command_that_reads_can_be_strict():
    without = {name for name, kind in ANALYSES.items() if "strict" not in kind.model_fields}
    assert without <= {"demo", "serve", "atlases", "schema"}
