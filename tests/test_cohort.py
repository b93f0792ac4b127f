"""Cohorts: who is used, who is skipped and why, and who is lesioned where."""

from __future__ import annotations

import numpy as np
import pytest
from phantoms import AFFINE, SHAPE, random_masks, write_masks

from lesion_dash.cohort.loading import MEMORY_VARIABLE, load_cohort
from lesion_dash.core.errors import Cancelled, InputError
from lesion_dash.core.tables import csv_bytes
from lesion_dash.stats.group_contrasts import split_cohort


def status(cohort):
    return {patient.file: (patient.status, patient.reason) for patient in cohort.patients}


def shifted(mm: float):
    affine = AFFINE.copy()
    affine[0, 3] += mm
    return affine


@pytest.fixture
def folder(tmp_path):
    return write_masks(tmp_path / "cohort", random_masks(12))


def test_each_patient_has_voxels_and_volume(folder):
    table = load_cohort(folder).files_table
    expected = [int(mask.sum()) for mask in random_masks(12)]
    assert table["voxels"].tolist() == expected
    assert table["volume_mm3"].tolist() == [8.0 * voxels for voxels in expected]
    assert table["patient"].tolist()[:2] == ["sub-000", "sub-001"]
    assert set(table["status"]) == {"used"}


def test_a_damaged_file_stops_nobody_else(folder):
    bad = folder / "sub-003_lesion.nii.gz"
    bad.write_bytes(bad.read_bytes()[:-20])
    cohort = load_cohort(folder)
    assert cohort.n_patients == 11
    state, reason = status(cohort)["sub-003_lesion.nii.gz"]
    assert state == "skipped"
    assert "truncated" in reason or "damaged" in reason


def test_what_is_skipped_has_no_volume_rather_than_none_lesioned(folder):
    (folder / "sub-003_lesion.nii.gz").write_bytes(b"no image")
    cohort = load_cohort(folder)
    table = cohort.files_table
    assert table["voxels"].isna().tolist() == [number == 3 for number in range(12)]
    assert table["volume_mm3"].mean() == cohort.volumes.mean() * 8
    line = csv_bytes(table).decode().splitlines()[4]
    assert line.startswith("sub-003,")
    assert line.endswith(",,")
    assert cohort.used_table["voxels"].dtype == np.int64


@pytest.mark.parametrize(
    ("mm", "state", "words"),
    [(0.001, "used", ""), (0.5, "used", "differs slightly"), (20, "skipped", "20 mm")],
)
def test_a_mask_off_the_common_grid_is_told_in_mm(folder, mm, state, words):
    write_masks(folder, random_masks(1), shifted(mm), ["sub-off.nii.gz"])
    found, reason = status(load_cohort(folder))["sub-off.nii.gz"]
    assert found == state
    assert words in reason


def test_half_on_another_grid_is_refused_with_the_list(folder):
    names = [f"sub-off{number}.nii" for number in range(4)]
    write_masks(folder, random_masks(4), shifted(20), names)
    with pytest.raises(InputError, match=r"12 of 16 .* 90%") as caught:
        load_cohort(folder)
    assert len(caught.value.details) == 2
    assert "sub-off0.nii" in caught.value.details[1]


def test_ids_come_from_bids_names_folders_and_plain_names(tmp_path):
    names = ["sub-7/anat/lesion.nii.gz", "bwsrsub-12_lesion.nii.gz", "patient 3.nii"]
    cohort = load_cohort(write_masks(tmp_path / "c", random_masks(3), names=names))
    assert {patient.id for patient in cohort.patients} == {"sub-7", "sub-12", "patient 3"}


def test_two_files_of_one_subject_stay_apart(tmp_path):
    names = ["a/sub-1.nii", "b/sub-1.nii"]
    cohort = load_cohort(write_masks(tmp_path / "c", random_masks(2), names=names))
    assert [patient.id for patient in cohort.patients] == ["a/sub-1", "b/sub-1"]


def test_participants_are_joined_by_id_with_missing_values_empty(folder):
    (folder / "participants.tsv").write_text(
        "participant_id\tage\tsex\nsub-000\t61\tF\n001\tn/a\tM\nsub-999\t50\tM\n"
    )
    table = load_cohort(folder).table.set_index("patient")
    assert table.loc["sub-000", "age"] == 61
    assert np.isnan(table.loc["sub-001", "age"])
    assert table.loc["sub-001", "sex"] == "M"
    assert table.loc["sub-002"].isna().sum() == 2


def test_participants_beside_the_folder_and_by_name(tmp_path, folder):
    (tmp_path / "participants.csv").write_text("participant_id,age\nsub-000,61\n")
    assert load_cohort(folder).table["age"][0] == 61
    other = tmp_path / "other.csv"
    other.write_text("participant_id;age\nsub-000;70\n")
    assert load_cohort(folder, participants=other).table["age"][0] == 70


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("participant_id\tage\n", "holds no participants"),
        ("participant_id\tage\nsub-1\t3\t4\n", "row 2 has 3 fields"),
        ("participant_id\tage\nsub-1\t3\n1\t4\n", "has a row already"),
    ],
)
def test_a_bad_participants_table_is_refused(folder, tmp_path, text, match):
    table = tmp_path / "people.tsv"
    table.write_text(text)
    with pytest.raises(InputError, match=match):
        load_cohort(folder, participants=table)


def test_a_folder_without_masks_is_refused(tmp_path):
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(InputError, match="no masks found"):
        load_cohort(tmp_path)


def test_a_folder_of_damaged_masks_lists_why(folder):
    for path in folder.iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(InputError, match="no readable mask") as caught:
        load_cohort(folder)
    assert len(caught.value.details) == 12


def test_only_files_that_match_the_pattern(folder):
    write_masks(folder, random_masks(1), names=["sub-000_T1w.nii.gz"])
    assert load_cohort(folder, pattern="*lesion*").n_patients == 12


def test_progress_is_told_and_stopping_stops(folder):
    seen = []
    load_cohort(folder, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 12) for done in range(1, 13)]
    with pytest.raises(Cancelled, match="stopped by the user"):
        load_cohort(folder, cancelled=lambda: True)


def test_who_is_lesioned_at_a_voxel(folder):
    cohort, masks = load_cohort(folder), random_masks(12)
    for voxel in ((0, 0, 0), (3, 4, 5), (6, 8, 7)):
        expected = {f"sub-{p:03}" for p, mask in enumerate(masks) if mask[voxel]}
        assert {p.id for p in cohort.patients_at(cohort.grid.to_mm(voxel))} == expected
    assert cohort.patients_at([500, 0, 0]) == ()


def test_counts_and_thresholds_equal_the_stack(folder):
    cohort, counts = load_cohort(folder), np.sum(random_masks(12), axis=0)
    np.testing.assert_array_equal(cohort.counts, counts)
    for k in (1, 4, 12, 13):
        np.testing.assert_array_equal(cohort.at_least(k).array, counts >= k)
    assert cohort.grid.shape == SHAPE


def test_a_patient_s_mask_is_what_the_file_holds(folder):
    cohort = load_cohort(folder)
    np.testing.assert_array_equal(cohort.mask(5).array, random_masks(12)[5])


def test_selecting_counts_among_the_used_patients(folder):
    (folder / "sub-000_lesion.nii.gz").write_bytes(b"broken")
    cohort = load_cohort(folder)
    large = (cohort.used_table["voxels"] > 150).to_numpy()
    chosen = cohort.select(large)
    expected = [f"sub-{p:03}" for p, mask in enumerate(random_masks(12)) if p and mask.sum() > 150]
    assert [patient.id for patient in chosen.used] == expected
    assert chosen.volumes.tolist() == [patient.voxels for patient in chosen.used]
    last = cohort.select([-1])
    assert last.used == cohort.used[-1:]
    np.testing.assert_array_equal(last.mask(-1).array, random_masks(12)[11])
    assert cohort.select([]).n_patients == 0


@pytest.mark.parametrize("limit", ["1GB", "0"], ids=["in memory", "on disk"])
def test_parts_of_parts_share_the_voxels_and_are_counted_alone(tmp_path, monkeypatch, limit):
    monkeypatch.setenv(MEMORY_VARIABLE, limit)
    masks = random_masks(12)
    for empty in (0, 4, 11):
        masks[empty][:] = 0
    cohort = load_cohort(write_masks(tmp_path / "c", masks))
    used = [int(patient.id.removeprefix("sub-")) for patient in cohort.used]
    part = cohort.select(range(1, cohort.n_patients))
    for one, rows in ((part, used[1:]), (part.select([5, 0, 3]), [used[6], used[1], used[4]])):
        assert one.indices is cohort.indices
        np.testing.assert_array_equal(one.counts, np.sum([masks[row] for row in rows], axis=0))
        assert one.most == one.counts.max()
        for patient, row in enumerate(rows):
            np.testing.assert_array_equal(one.mask(patient).array, masks[row])
    np.testing.assert_array_equal(cohort.counts, np.sum(masks, axis=0))


def test_one_stray_mask_glues_no_two_grids_together(tmp_path):
    for mm, names in ((0, range(5)), (1.2, range(5, 10)), (0.6, [10])):
        own = [f"sub-{number:02}.nii" for number in names]
        write_masks(tmp_path / "c", random_masks(len(own)), shifted(mm), own)
    with pytest.raises(InputError, match="not on one grid"):
        load_cohort(tmp_path / "c")


@pytest.mark.parametrize(("mm", "used"), [(0.99, True), (1.01, False)])
def test_the_border_is_half_a_voxel(folder, mm, used):
    write_masks(folder, random_masks(1), shifted(mm), ["sub-off.nii.gz"])
    assert (status(load_cohort(folder))["sub-off.nii.gz"][0] == "used") is used


def test_a_mask_on_the_grid_is_not_called_off_it(folder):
    assert all("differs" not in patient.reason for patient in load_cohort(folder).patients)


def test_a_bad_table_nobody_named_stops_no_cohort(tmp_path, folder):
    (tmp_path / "participants.tsv").write_text("participant_id\tage\nsub-1\t3\nsub-1\t4\n")
    cohort = load_cohort(folder)
    assert cohort.participants is None
    assert "has a row already" in cohort.notes[0]


def test_no_table_is_read_outside_a_given_folder(tmp_path, folder):
    (tmp_path / "participants.tsv").write_text("participant_id\tage\nsub-000\t3\n")
    assert load_cohort(folder).participants is not None
    assert load_cohort(folder, within=folder).participants is None


def test_side_files_do_not_change_a_patient_s_id(folder):
    (folder / "._sub-001_lesion.nii.gz").write_bytes(b"x")
    assert "sub-001" in {patient.id for patient in load_cohort(folder).used}


def test_many_groups_of_identical_masks_are_counted_not_listed(tmp_path):
    arrays = [np.zeros((8, 8, 8), bool) for _ in range(50)]
    for number, array in enumerate(arrays):
        array[1 : 2 + number // 2 % 5, 1 : 2 + number // 10, 2] = True
    notes = load_cohort(write_masks(tmp_path / "c", arrays)).notes
    assert len(notes) == 21
    assert notes[-1] == "5 more groups of files: identical masks, voxel for voxel"


def test_a_quote_that_is_not_closed_takes_no_other_row_in(folder):
    rows = ["participant_id\tnote", 'sub-000\t"x', "sub-001\ty", 'sub-002\tz"', "sub-003\tw"]
    (folder / "participants.tsv").write_text("\n".join(rows) + "\n")
    table = load_cohort(folder).table.set_index("patient")
    assert table.loc["sub-001", "note"] == "y"
    assert table.loc["sub-003", "note"] == "w"


def test_a_sign_of_another_alphabet_ends_no_row(folder):
    rows = b"participant_id\tnote\nsub-000\twaits \x85 more\nsub-001\ty\n"  # … of Windows
    (folder / "participants.tsv").write_bytes(rows)
    assert load_cohort(folder).table["note"][1] == "y"


def test_columns_called_like_ours_stay_what_they_are(folder):
    (folder / "participants.tsv").write_text(
        "participant_id\tvolume_mm3\tstatus\tparticipant_status\n"
        + "".join(f"sub-{n:03d}\t{100 + n}\t{'ab'[n % 2]}\tc\n" for n in range(12))
    )
    cohort = load_cohort(folder)
    table = cohort.used_table
    assert table["participant_volume_mm3"].tolist() == [100 + n for n in range(12)]
    assert table["volume_mm3"].tolist() == (cohort.volumes * cohort.grid.voxel_volume).tolist()
    assert set(table["status"]) == {"used"}
    assert sorted(name for name in table if "participant_" in name) == [
        "participant_participant_status",
        "participant_status",
        "participant_volume_mm3",
    ]
    a, b = split_cohort(cohort, "status", "a", "b")
    assert (a.n_patients, b.n_patients) == (6, 6)
