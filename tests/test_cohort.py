"""Cohorts: who is used, who is skipped and why, and who is lesioned where."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from phantoms import AFFINE, SHAPE, random_masks, write_masks

from lesion_dash.cohort.loading import MEMORY_VARIABLE, Positions, load_cohort, memory_limit
from lesion_dash.core.errors import Cancelled, InputError
from lesion_dash.core.tables import csv_bytes
from lesion_dash.stats.group_contrasts import split_cohort
from lesion_dash.stats.topography import volume_stats


def status(cohort):
    return {patient.file: (patient.status, patient.reason) for patient in cohort.patients}


def write_shifted(folder, mm: float, names):
    affine = AFFINE.copy()
    affine[0, 3] += mm
    return write_masks(folder, random_masks(len(names)), affine, names)


def table_of(folder, text: str | bytes):
    """The cohort's table where this is the participants table."""
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "participants.tsv").write_bytes(b"participant_id\t" + content)
    return load_cohort(folder).table.set_index("patient")


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
    [
        (0.001, "used", ""),
        (0.5, "used", "differs slightly"),
        (0.99, "used", "differs slightly"),
        (1.01, "skipped", "mm"),  # the border is half a voxel
        (20, "skipped", "20 mm"),
    ],
)
def test_a_mask_off_the_common_grid_is_told_in_mm(folder, mm, state, words):
    write_shifted(folder, mm, ["sub-off.nii.gz"])
    cohort = load_cohort(folder)
    own_state, reason = status(cohort)["sub-off.nii.gz"]
    assert own_state == state
    assert words in reason
    flagged = [file for file, (_, text) in status(cohort).items() if "differs" in text]
    assert flagged == (["sub-off.nii.gz"] if words else [])


def test_half_on_another_grid_is_refused_with_the_list(folder):
    write_shifted(folder, 20, [f"sub-off{number}.nii" for number in range(4)])
    with pytest.raises(InputError, match=r"12 of 16 .* 90%") as caught:
        load_cohort(folder)
    assert len(caught.value.details) == 2
    assert "sub-off0.nii" in caught.value.details[1]


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (
            ["bwsrsub-12_lesion.nii.gz", "patient 3.nii", "sub-7/anat/lesion.nii.gz"],
            ["sub-12", "patient 3", "sub-7"],
        ),
        (["a/lesion.nii", "b/lesion.nii"], ["a", "b"]),
        (["._sub-1.nii", "sub-1.nii"], ["._sub-1.nii", "sub-1"]),  # a side file changes no id
    ],
)
def test_ids_come_from_bids_names_folders_and_plain_names(tmp_path, names, ids):
    cohort = load_cohort(write_masks(tmp_path / "c", random_masks(len(names)), names=names))
    assert [patient.id for patient in cohort.patients] == ids


def test_participants_are_joined_by_id_with_missing_values_empty(folder):
    table = table_of(folder, "age\tsex\nsub-000\t61\tF\n001\tn/a\tM\nsub-999\t50\tM\n")
    assert table.loc["sub-000", "age"] == 61
    assert np.isnan(table.loc["sub-001", "age"])
    assert table.loc["sub-001", "sex"] == "M"
    assert table.loc["sub-002"].isna().sum() == 2


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("participant_id\tage\n", "holds no participants"),
        ("participant_id\tage\nsub-1\t3\t4\n", "row 2 has 3 fields"),
        ("participant_id\tage\n\t3\n", "'' is not a valid patient name"),
    ],
)
def test_a_bad_participants_table_is_refused_if_named_and_a_note_if_not(folder, text, match):
    table = folder.parent / "participants.tsv"
    table.write_text(text)
    with pytest.raises(InputError, match=match):
        load_cohort(folder, participants=table)
    cohort = load_cohort(folder)
    assert cohort.participants is None
    assert match in cohort.notes[0]


def test_a_folder_without_masks_is_refused(tmp_path):
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(InputError, match="no masks found"):
        load_cohort(tmp_path)


def test_a_folder_of_damaged_masks_says_why_once(folder):
    first, *others = sorted(folder.iterdir())
    for path in others:
        path.write_bytes(b"broken")
    first.write_bytes(b"")
    with pytest.raises(InputError, match="no readable mask among 12 files") as caught:
        load_cohort(folder)
    assert len(caught.value.details) == 2
    assert "11 files, such as sub-001_lesion.nii.gz: not a gzip file" in caught.value.details[1]


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
    np.testing.assert_array_equal(cohort.mask(5).array, random_masks(12)[5])
    assert cohort.grid.shape == SHAPE


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
    for group, rows in ((part, used[1:]), (part.select([5, 0, 3]), [used[6], used[1], used[4]])):
        assert group.indices is cohort.indices
        np.testing.assert_array_equal(group.counts, np.sum([masks[row] for row in rows], axis=0))
        assert group.max_overlap == group.counts.max()
        for patient, row in enumerate(rows):
            np.testing.assert_array_equal(group.mask(patient).array, masks[row])
    np.testing.assert_array_equal(cohort.counts, np.sum(masks, axis=0))


def test_one_stray_mask_glues_no_two_grids_together(tmp_path):
    for mm, numbers in ((0, range(5)), (1.2, range(5, 10)), (0.6, [10])):
        write_shifted(tmp_path / "c", mm, [f"sub-{number:02}.nii" for number in numbers])
    with pytest.raises(InputError, match="not on one grid"):
        load_cohort(tmp_path / "c")


def test_many_groups_of_identical_masks_are_counted_not_listed(tmp_path):
    arrays = [np.zeros((8, 8, 8), bool) for _ in range(50)]
    for number, array in enumerate(arrays):
        array[1 : 2 + number // 2 % 5, 1 : 2 + number // 10, 2] = True
    notes = load_cohort(write_masks(tmp_path / "c", arrays)).notes
    assert len(notes) == 21
    assert notes[-1] == "5 more groups of files: identical masks, voxel for voxel"


def test_a_quote_that_is_not_closed_takes_no_other_row_in(folder):
    table = table_of(folder, 'note\nsub-000\t"x\nsub-001\ty\nsub-002\tz"\nsub-003\tw\n')
    assert table.loc["sub-001", "note"] == "y"
    assert table.loc["sub-003", "note"] == "w"


def test_a_character_of_another_alphabet_ends_no_row(folder):
    text = b"note\nsub-000\twaits \x85 more\nsub-001\ty\n"  # … of Windows
    assert table_of(folder, text)["note"].iloc[1] == "y"


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


# Voxel positions that are too many for the memory are kept on disk; nothing else changes.


@pytest.mark.parametrize("limit", ["0", "200", "1KB"])
def test_a_cohort_on_disk_gives_the_same(folder, monkeypatch, limit):
    in_memory = load_cohort(folder)
    assert not isinstance(in_memory.indices, np.memmap)
    monkeypatch.setenv(MEMORY_VARIABLE, limit)
    notices = []
    mapped = load_cohort(folder, notice=notices.append)
    assert isinstance(mapped.indices, np.memmap)
    assert mapped.notes[-1] == notices[0]
    assert re.match(r"about [\d.]+ (kB|bytes) of memory to put together its voxel pos", notices[0])
    assert re.search(rf", [\d.]+ (kB|bytes) allowed: kept on disk.*{MEMORY_VARIABLE}", notices[0])
    np.testing.assert_array_equal(mapped.indices, in_memory.indices)
    np.testing.assert_array_equal(mapped.counts, in_memory.counts)
    for key, values in volume_stats(in_memory, 2).values.items():
        np.testing.assert_array_equal(volume_stats(mapped, 2).values[key], values)
    at = int(in_memory.indices[0])
    np.testing.assert_array_equal(mapped.rows_at(at), in_memory.rows_at(at))
    np.testing.assert_array_equal(mapped.select([3, 1]).counts, in_memory.select([3, 1]).counts)


def test_a_sample_tells_of_the_whole_before_the_limit_is_reached():
    notices = []
    with Positions(2000, notices.append) as positions:
        for number in range(64):
            positions.add(np.arange(3, dtype=np.int32))
            positions.expect(number + 1, 100)
        assert notices[0].startswith("about 2.4 kB of memory")
        positions.add(np.array([7], np.int32))
        joined = positions.join()
    assert joined[-4:].tolist() == [0, 1, 2, 7]
    assert positions.starts[-1] == 64 * 3 + 1


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("1.5 mb", 1_500_000), ("12", 12), ("2GiB", 2 * 2**30), ("7k", 7000)],
)
def test_sizes_are_read_with_their_units(monkeypatch, text, size):
    monkeypatch.setenv(MEMORY_VARIABLE, text)
    assert memory_limit() == size
    monkeypatch.delenv(MEMORY_VARIABLE)
    assert 2**20 < memory_limit() < 2**50  # a part of what is free


@pytest.mark.parametrize("text", ["plenty", "-1GB", "\u0664GB", "4 G B"])
def test_a_limit_that_is_no_size_is_named(monkeypatch, text):
    monkeypatch.setenv(MEMORY_VARIABLE, text)
    with pytest.raises(InputError, match=f"LESION_DASH_MEMORY: '{text}' is not a size; give one"):
        memory_limit()


def test_a_full_disk_is_one_sentence(monkeypatch):
    with Path("/dev/full").open("wb", buffering=0) as full, Positions(0) as positions:
        monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: full)
        match = "cannot keep voxel positions in the temporary folder .*; free some space there"
        with pytest.raises(InputError, match=match):
            positions.add(np.array([1], np.int32))


def test_masks_that_stand_in_for_others_do_not_multiply_the_estimate():
    with Positions(10_000) as positions:
        for number in range(100):
            positions.add(np.arange(10, dtype=np.int32))
            positions.expect(number + 1, 100)
        for number in range(64):
            positions.add(np.arange(1, dtype=np.int32))
            positions.expect(number + 1, 640)
        assert not isinstance(positions.join(), np.memmap)


def test_the_limit_holds_for_the_moment_of_putting_together():
    parts = [np.zeros(1000, np.int32) for _ in range(100)]
    tracemalloc.start()
    with Positions(sum(part.nbytes for part in parts)) as positions:
        for part in parts:
            positions.add(part.copy())
        positions.join()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.1 * sum(part.nbytes for part in parts)
