"""The unit is the patient: names tell whose a file is, and several files of one need a choice."""

from __future__ import annotations

import shlex
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phantoms import brute_force, random_masks, write_masks

from lesion_dash import cli
from lesion_dash.cohort.file_choice import FileChoice
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.cohort.names import read_names
from lesion_dash.cohort.reading import ReadOptions
from lesion_dash.cohort.same_patients import common_patients
from lesion_dash.cohort.selection import SeveralFilesError, select_files
from lesion_dash.core.errors import InputError
from lesion_dash.core.runs import find_runs, union_of_runs, voxels_of
from lesion_dash.files.listing import matches
from lesion_dash.stats.differences import cohort_differences
from lesion_dash.stats.group_contrasts import contrast_cohorts
from lesion_dash.stats.topography import folder_stats


def named(form: str, *words: str, patients: int = 3) -> list[str]:
    """A file for each patient and each of the words."""
    return sorted(form.format(p=p, w=w) for p, w in product(range(1, patients + 1), words))


# Patients, and whether a choice is needed.
NAMES = {
    "sessions of BIDS": (
        named("sub-0{p}/ses-{w}/sub-0{p}_ses-{w}_mask.nii", "1", "2"),
        3,
        "session",
    ),
    "sessions in folders": (named("sub-0{p}/ses-{w}/lesion.nii.gz", "1", "2"), 3, "session"),
    "session folders above": (named("{w}/P{p:02}.nii", "acute", "chronic"), 3, "session"),
    "visits in words": (named("patient {p} visit {w}.nii", "1", "2"), 3, "session"),
    "visits of plain ids": (named("P{p}_{w}.nii", "V1", "V2"), 3, "session"),
    "dates": (named("P{p}/{w}/mask.nii", "2020-01-05", "2021-03-01"), 3, "session"),
    "before and after": (named("anna{p}_{w}.nii", "pre", "post"), 3, "session"),
    "sides of BIDS": (named("sub-{p}_hemi-{w}_lesion.nii", "L", "R"), 3, "union"),
    "sides in words": (named("P00{p}_{w}.nii.gz", "left", "right"), 3, "union"),
    "sides in German": (named("Müller{p}_Läsion {w}.nii", "links", "rechts"), 3, "union"),
    "sides in folders": (named("{w}/P{p}.nii", "left", "right"), 3, "union"),
    "numbered findings": (named("P{p}_lesion_{w}.nii", "1", "2"), 3, "union"),
    "findings in folders": (named("P{p}/lesion{w}.nii", "1", "2"), 3, "union"),
    "labels of BIDS": (named("sub-{p}_label-{w}_mask.nii", "lesion", "edema"), 3, "union"),
    "spaces": (named("sub-{p}_space-{w}_label-lesion_mask.nii", "MNI", "T1w"), 3, "pattern"),
    "spaces and sessions": (
        named("sub-{p}_ses-1_space-{w}_lesion.nii", "MNI", "T1w")
        + named("sub-{p}_ses-2_space-{w}_lesion.nii", "MNI", "T1w"),
        3,
        "pattern",
    ),
    "people of two places": (named("{w}/P{p}.nii", "bern", "ulm"), 3, "separate"),
    "folder per subject": (named("{p:04}/lesion_mni.nii", "", patients=6), 6, ""),
    "numbers alone": (named("lesion_{p:03}.nii", "", patients=131), 131, ""),
    "a study and numbers": (named("study1_lesion_{p:03}.nii", "", patients=40), 40, ""),
    "single letters": (["a.nii", "b.nii", "l.nii", "r.nii", "1.nii"], 5, ""),
    "site and subject": (named("sub-r00{p}s001_ses-1_space-X_mask.nii", ""), 3, ""),
    "brain masks": (
        named("sub-{p}_{w}.nii", "label-lesion_mask", "desc-brain_mask", "dseg", "desc-x_T1w"),
        3,
        "",
    ),
    "scans of BraTS": (named("B{p}/B{p}_{w}.nii", "seg", "flair", "t1ce"), 3, ""),
    "LST-AI": (
        named("sub-{p}/space-flair_{w}.nii", "seg-lst", "desc-annotated_seg-lst", "seg-lst_prob"),
        3,
        "",
    ),
    "brains in folders": (named("{w}/P{p}.nii", "lesion", "brain"), 3, ""),
    "nothing but brains": (named("P{p}_brain.nii", ""), 3, ""),
}


@pytest.mark.parametrize("case", NAMES)
def test_files_of_one_patient_are_one_patient(case):
    files, patients, choice = NAMES[case]
    files = sorted(files)
    found, error = select_files("masks", files)
    assert len(found.patients) == patients
    assert len(set(map(str.casefold, found.patients))) == patients
    assert sorted(
        [*found.left_out, *(f for own in found.patients.values() for f in own)]
    ) == sorted(files)
    assert bool(error) == bool(choice)
    if error:
        assert f"{patients} patients have" in error.problem
        offered = {name for offer in error.offers for name in offer.choice.arguments.split("=")[:1]}
        assert choice in offered or choice in str([str(offer.choice) for offer in error.offers])


@pytest.mark.parametrize("case", NAMES)
def test_every_choice_that_is_offered_was_tried(case):
    files = sorted(NAMES[case][0])
    _, error = select_files("masks", files)
    for offer in error.offers if error else ():
        assert not ("T1w" in offer.choice.pattern and "space-MNI" in files[0])  # each has its own
        assert FileChoice.parse(str(offer.choice)) == offer.choice
        fits = [file for file in files if matches(offer.choice.pattern, file)]
        found, again = select_files("masks", fits, offer.choice)
        assert again is None
        taken = sum(map(len, found.patients.values()))
        assert (
            f"{taken} of {len(files)}" in offer.summary or offer.choice.several_files == "separate"
        )


WORDS = st.sampled_from(
    ["P1", "P2", "sub-1", "lesion", "lesion_1", "left", "R", "ses-1", "visit 2", "mask", "brain",
     "T1w", "space-MNI", "x", "2", "ü", "label-lesion", "prob", "2020-01-01", "_", "-"]
)  # fmt: skip
PATHS = st.lists(st.lists(WORDS, min_size=1, max_size=5).map("_".join), min_size=1, max_size=3)


@given(st.sets(PATHS.map("/".join).map("{}.nii".format), min_size=1, max_size=30), st.booleans())
def test_no_file_is_lost_or_counted_twice_whatever_the_names(paths, is_separate):
    files = sorted(paths)
    choice = FileChoice(several_files="separate" if is_separate else "refuse")
    found, error = select_files("masks", files, choice)
    taken = [file for own in found.patients.values() for file in own]
    assert sorted([*taken, *found.left_out]) == files
    assert {*found.ids} == {*files}
    assert bool(error) == any(len(own) > 1 for own in found.patients.values())
    assert not (is_separate and error)
    assert [name.file for name in read_names(files)] == files


def test_the_first_and_last_session_are_those_in_time():
    files = named("sub-1_ses-{w}_mask.nii", "2", "10", patients=1)
    first, last = (
        select_files("m", files, FileChoice(end))[0].patients for end in ("first", "last")
    )
    assert first["sub-1"] == ("sub-1_ses-2_mask.nii",)
    assert last["sub-1"] == ("sub-1_ses-10_mask.nii",)


@pytest.mark.parametrize("asked", ["2", "02", "SES-2", "Visit 2"])
def test_who_has_no_such_session_is_told_and_an_unknown_session_lists_those_there_are(asked):
    files = [*named("sub-{p}_ses-1_mask.nii", ""), "sub-1_ses-2_mask.nii"]
    found, _ = select_files("masks", files, FileChoice(asked))
    assert list(found.patients) == ["sub-1"]
    assert any("2 of 3 patients" in note and "such as sub-2" in note for note in found.notes)
    with pytest.raises(InputError, match="ses-1, ses-2"):
        select_files("masks", files, FileChoice("3"))


# Reading.


@pytest.fixture
def halves(tmp_path):
    """Two sessions of two sides of three patients, and the masks by patient, session, side."""
    masks = dict(zip(product("123", "12", "LR"), random_masks(12, seed=3), strict=True))
    names = [f"sub-{p}/ses-{s}/sub-{p}_ses-{s}_hemi-{h}_lesion.nii.gz" for p, s, h in masks]
    return write_masks(tmp_path / "masks", [*masks.values()], names=names), masks


def together(masks, sessions="12"):
    """The union of the masks of each patient."""
    return [
        np.any([mask for (p, s, _), mask in masks.items() if p == who and s in sessions], axis=0)
        for who in "123"
    ]


@pytest.mark.parametrize(("session", "sessions"), [("", "12"), ("first", "1"), ("ses-2", "2")])
def test_the_union_of_a_patient_s_masks_counts_every_voxel_once(halves, session, sessions):
    folder, masks = halves
    cohort = load_cohort(folder, session=session, several_files="union")
    expected = together(masks, sessions)
    assert [patient.id for patient in cohort.used] == ["sub-1", "sub-2", "sub-3"]
    assert cohort.volumes.tolist() == [mask.sum() for mask in expected]
    assert np.array_equal(cohort.counts, np.sum(expected, axis=0))
    listed = [file for text in cohort.table["file"] for file in text.split("; ")]
    assert len(listed) == len(set(listed)) == 12


def test_a_stream_of_masks_gives_what_the_memory_gives(halves):
    folder, masks = halves
    options = {"session": "last", "several_files": "union"}
    listing, stats = folder_stats(folder, 2, options=ReadOptions(**options))
    assert listing.n_patients == 3
    expected = brute_force(together(masks, "2"), 2, listing.grid.voxel_volume)
    assert np.allclose(stats.mean.array, expected["mean"])


def test_a_part_that_cannot_be_used_takes_the_patient_with_it(halves):
    folder, _ = halves
    bad = folder / "sub-2" / "ses-1" / "sub-2_ses-1_hemi-R_lesion.nii.gz"
    bad.write_bytes(b"no image")
    cohort = load_cohort(folder, session="1", several_files="union")
    assert [patient.id for patient in cohort.used] == ["sub-1", "sub-3"]
    other = next(p for p in cohort.patients if p.file.endswith("sub-2_ses-1_hemi-L_lesion.nii.gz"))
    assert bad.name in other.reason


@given(st.lists(st.sets(st.integers(0, 40)), min_size=1, max_size=4))
def test_the_union_of_runs_is_that_of_voxels(several):
    runs = [find_runs(np.array(sorted(one), np.int32)) for one in several]
    starts, lengths = union_of_runs(runs)
    assert voxels_of(starts, lengths).tolist() == sorted(set().union(*several))
    assert (starts[1:] > starts[:-1] + lengths[:-1]).all()


# Commands.

COMMANDS = ("stats {} -k 1", "coverage {}", "size-bias {} --min-patients 2 --permutations 20",
            "compare {} {} -k 1", "report {} -k 1", "check {}",
            "roi --cohorts {} {} --threshold 1")  # fmt: skip


def run(command, folder, out, *more):
    text = command.format(*[shlex.quote(str(folder))] * 2)
    if not command.startswith("check"):
        out = f"{out}.csv" if command.startswith("coverage") else out
        more = (*more, "-o", str(out))
    return cli.main([*shlex.split(text), *more])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_asks_which_files_count(halves, tmp_path, capsys, command):
    assert run(command, halves[0], tmp_path / "out") == 2
    shown = "".join(capsys.readouterr())
    assert (
        "3 patients have 2 sessions and a left and a right mask each (such as sub-1: ses-1" in shown
    )
    assert "--session first --several-files union" in shown
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", COMMANDS[:3])
def test_the_offer_of_a_command_works_as_it_is_written(halves, tmp_path, capsys, command):
    run(command, halves[0], tmp_path / "out")
    shown = "".join(capsys.readouterr())
    offer = next(line for line in shown.splitlines() if line.startswith("  --session first"))
    options = shlex.split(offer.partition(":")[0])
    assert run(command, halves[0], tmp_path / "out", *options) == 0
    printed = capsys.readouterr()
    assert "6 of 12" in printed.err
    assert "6 files of 3 patients taken together" in printed.err


@pytest.mark.parametrize(
    ("pattern", "count"), [("*ses-1*", 3), ("ses-1/*", 3), ("*/ses-1/*", 3), ("*lesion*", 6)]
)
def test_a_pattern_sees_the_path_below_the_folder(tmp_path, pattern, count):
    names = named("sub-{p}/ses-{w}/lesion.nii", "1", "2")
    folder = write_masks(tmp_path / "ses-1", random_masks(6), names=names)
    cohort = load_cohort(folder, pattern=pattern, several_files="separate")
    assert cohort.n_patients == count


def test_what_is_no_lesion_by_its_name_is_told_in_one_line(tmp_path, capsys):
    words = ("label-lesion_mask", "desc-brain_mask", "dseg", "label-GM_probseg", "desc-preproc_T1w")
    names = named("sub-{p}/anat/sub-{p}_space-X_{w}.nii.gz", *words, patients=4)
    folder = write_masks(tmp_path / "masks", random_masks(20), names=names)
    assert cli.main(["stats", str(folder), "-k", "1", "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert "4 patients" in printed.out
    said = [line for line in printed.err.splitlines() if "by their names" in line]
    assert len(said) == 1
    assert "16 files are not lesion masks by their names, such as" in said[0]


def test_a_threshold_asks_for_maps_of_probabilities(tmp_path):
    files = named("sub-{p}_label-lesion_{w}.nii", "probseg", "mask")
    assert not select_files("masks", files)[1]
    assert isinstance(select_files("masks", files, FileChoice(threshold=0.5))[1], SeveralFilesError)


def test_what_is_offered_keeps_the_label_that_was_given(tmp_path):
    names = named("sub-{p}_ses-{w}_lesion.nii", "1", "2")
    folder = write_masks(tmp_path / "masks", random_masks(6), names=names)
    with pytest.raises(SeveralFilesError, match="2 sessions") as raised:
        load_cohort(folder, label=1)
    assert {offer.choice.label for offer in raised.value.offers} == {1}


@pytest.mark.parametrize("form", ["sub-{p}_ses-{w}_lesion.nii", "P{p}_{w}.nii", "{p:04}/{w}.nii"])
def test_patients_of_both_groups_are_told_with_the_result(tmp_path, form):
    masks = random_masks(8)
    a, b = (
        load_cohort(
            write_masks(tmp_path / word, masks[side::2], names=named(form, word, patients=4))
        )
        for side, word in enumerate(("acute", "chronic"))
    )
    for notes in (contrast_cohorts(a, b).notes, cohort_differences(a, b, 1).notes):
        assert "4 of 4 patients of B are in A as well, by their ids" in notes[0]
        assert not any("in A as well" in note for note in notes[1:])
    assert not common_patients(a.select([0, 1]), b.select([2, 3]))
