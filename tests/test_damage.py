"""Whatever a file holds: a mask, or one sentence."""

from __future__ import annotations

import gzip
import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import SHAPE, image, random_masks, write_masks

from lesion_dash.analyses.validation import check_path
from lesion_dash.atlas.tables import read_label_table
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.images.masks import read_mask

WHOLE = gzip.compress(image(random_masks(1, seed=5)[0].astype(np.uint8)).to_bytes(), mtime=0)
PLAIN = gzip.decompress(WHOLE)
TABLE = b"index,name\n1,Left a\n2,Right b\n7,Third\n"


def read_or_refuse(path: Path):
    """The voxels and notes of a mask, or None where it was refused with a sentence."""
    try:
        mask = read_mask(path)
    except InputError:
        return None
    return mask.indices.tolist(), mask.notes


def test_no_flipped_bit_changes_a_result_silently(tmp_path):
    path = tmp_path / "sub-1.nii.gz"
    path.write_bytes(WHOLE)
    right = read_or_refuse(path)
    places = random.Random(7).sample(range(8 * len(WHOLE)), 400)
    for place in places:
        damaged = bytearray(WHOLE)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        result = read_or_refuse(path)
        # A gzip header holds bits without meaning, such as the time; they may change.
        assert result in (None, right) or result[1] != right[1], f"bit {place}"


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 359), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_header_is_a_mask_or_a_sentence(tmp_path_factory, changes):
    data = bytearray(PLAIN)
    for place, value in changes:
        data[place] = value
    path = tmp_path_factory.getbasetemp() / "header.nii"
    path.write_bytes(data)
    read_or_refuse(path)


@settings(max_examples=200)
@given(st.binary(max_size=1500), st.sampled_from([".nii", ".nii.gz"]), st.booleans())
def test_any_bytes_are_a_mask_or_a_sentence(tmp_path_factory, content, ending, keep_header):
    data = PLAIN[:352] + content if keep_header else content
    path = tmp_path_factory.getbasetemp() / f"bytes{ending}"
    path.write_bytes(gzip.compress(data) if ending == ".nii.gz" and keep_header else data)
    read_or_refuse(path)


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)), st.booleans())
def test_any_table_is_regions_or_a_sentence(tmp_path_factory, content, keep_table):
    path = tmp_path_factory.getbasetemp() / "labels.csv"
    path.write_bytes(TABLE + content if keep_table else content)
    try:
        assert all(region.label > 0 for region in read_label_table(path).regions)
    except InputError:
        return


@settings(max_examples=60)
@given(st.binary(max_size=120))
def test_any_participants_table_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "participants.tsv"
    path.write_bytes(b"participant_id\tage\nsub-1\t3\n" + content)
    assert check_path(path).outcome in ("accept", "warn", "reject")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is not told")
def test_a_small_file_that_claims_gigabytes_allocates_nothing(tmp_path):
    header = bytearray(PLAIN[:352])
    struct.pack_into("<4h", header, 40, 3, 2000, 2000, 500)
    for name, data in (("a.nii", bytes(header)), ("a.nii.gz", gzip.compress(bytes(header)))):
        (tmp_path / name).write_bytes(data)
        code = (
            "import sys\n"
            "from lesion_dash import read_mask, InputError\n"
            "try:\n    read_mask(sys.argv[1])\nexcept InputError:\n"
            "    print(next(line for line in open('/proc/self/status') if 'VmHWM' in line))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / name],
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(done.stdout.split()[1]) < 300_000  # kB, of which Python and NumPy take most


def test_a_file_that_is_replaced_or_vanishes_after_its_header_was_read_is_skipped(tmp_path):
    folder = write_masks(tmp_path / "c", random_masks(22))
    replaced, gone = (folder / f"sub-{number:03}_lesion.nii.gz" for number in (4, 7))

    def change(grid):
        write_masks(folder, random_masks(1, shape=(4, 4, 4)), names=[replaced.name])
        gone.unlink()

    cohort = load_cohort(folder, on_grid=change)
    assert cohort.n_patients == 20
    reasons = {patient.file: patient.reason for patient in cohort.patients}
    assert "changed during the run" in reasons[replaced.name]
    assert "file not found" in reasons[gone.name]


@pytest.mark.parametrize("name", ["x" * 300, "nul\0"])
def test_what_is_no_path_is_one_sentence(tmp_path, name):
    with pytest.raises(InputError, match=r"is not a path|folder not found"):
        load_cohort(f"{tmp_path}/{name}")


def test_a_forged_trailer_stops_nobody_else(tmp_path):
    folder = write_masks(tmp_path / "c", random_masks(12))
    forged = gzip.compress(PLAIN[:450])[:-4] + struct.pack("<I", len(PLAIN))
    (folder / "sub-x.nii.gz").write_bytes(forged)
    cohort = load_cohort(folder)
    assert cohort.n_patients == 12
    assert "length does not match" in {p.id: p.reason for p in cohort.patients}["sub-x"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_runs_that_do_not_fit_on_the_disk_are_an_error(monkeypatch):
    from lesion_dash.core.runs import RunStore

    with Path("/dev/full").open("wb") as full:
        store = RunStore(full)
        store.add(np.arange(0, 9000, 9, dtype=np.int32), np.ones(1000, np.int32))
        with pytest.raises(InputError, match="cannot keep runs"):
            store.flush()
        full.raw.close()


@pytest.mark.parametrize("damaged", ["sub-1.nii", "sub-1.nii.gz"])
def test_of_two_formats_the_one_that_can_be_read_counts(tmp_path, damaged):
    folder = write_masks(tmp_path / "c", random_masks(11))
    mask = random_masks(1, seed=9)
    write_masks(folder, mask * 2, names=["sub-1.nii", "sub-1.nii.gz"])
    (folder / damaged).write_bytes(b"broken")
    cohort = load_cohort(folder)
    assert cohort.n_patients == 12
    assert sum(patient.voxels == mask[0].sum() for patient in cohort.used) == 1
    assert load_cohort(folder, pattern="*.nii.gz").n_patients == (11 if "gz" in damaged else 12)


def test_masks_that_state_no_space_need_a_common_grid_too(tmp_path):
    for number, shape in enumerate([(4, 4, 4), *[SHAPE] * 6]):
        made = image(np.ones(shape, np.uint8), code=0)
        (tmp_path / f"sub-{number}.nii").write_bytes(made.to_bytes())
    with pytest.raises(InputError, match="6 of 7"):
        load_cohort(tmp_path)


def test_a_mask_that_stands_in_for_a_damaged_one_stays_with_its_patient(tmp_path):
    masks = random_masks(11)
    folder = write_masks(tmp_path / "c", masks)
    name = "sub-003_lesion.nii"
    (folder / name).write_bytes(b"broken")
    cohort = load_cohort(folder)
    assert cohort.n_patients == 11
    assert cohort.volumes.tolist() == [patient.voxels for patient in cohort.used]
    for row, patient in enumerate(cohort.used):
        number = int(patient.file[4:7])
        np.testing.assert_array_equal(cohort.mask(row).array, masks[number])
