"""Runs of lesioned voxels: found, expanded, kept and found again."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lesion_dash.core.errors import InputError
from lesion_dash.core.runs import BUCKET, RunStore, find_runs, run_store, runs_of_values, voxels_of

SIZES = st.sampled_from([1, 7, 255, 2047, 2048, 2049, 5000])
PIECES = st.lists(st.tuples(st.integers(0, 4999), st.integers(1, 3000)), max_size=12)
TYPES = st.sampled_from(["u1", "i1", "<i2", ">i2", "<f4", ">f4", "<f8"])


def filled(size, pieces, dtype="u1", value=1):
    values = np.zeros(size, dtype)
    for start, length in pieces:
        values[start : start + length] = value
    return values


@given(SIZES, PIECES, TYPES)
def test_runs_of_values_are_the_places_numpy_finds(size, pieces, dtype):
    values = filled(size, pieces, dtype)
    (starts, lengths), largest, is_one_value = runs_of_values(values)
    expected = np.flatnonzero(values)
    np.testing.assert_array_equal(voxels_of(starts, lengths), expected)
    np.testing.assert_array_equal(starts, find_runs(expected.astype(np.int32))[0])
    assert (largest, is_one_value) == ((1.0, True) if expected.size else (0.0, False))


@given(hnp.arrays(np.uint8, st.integers(1, 70), elements=st.sampled_from([0, 0, 0, 1, 255])))
def test_one_value_is_told_from_several(values):
    (starts, lengths), largest, is_one_value = runs_of_values(values)
    np.testing.assert_array_equal(voxels_of(starts, lengths), np.flatnonzero(values))
    assert is_one_value == (len(set(values.tolist()) - {0}) == 1)
    assert largest == values.max()


def test_nan_is_no_single_value():
    values = np.zeros(3000, np.float32)
    values[5], values[2999] = 1, np.nan
    (starts, _), _, is_one_value = runs_of_values(values)
    assert starts.tolist() == [5, 2999]
    assert not is_one_value


@given(st.lists(PIECES, min_size=1, max_size=5), st.booleans(), st.integers(0, 2 * BUCKET))
def test_a_store_gives_back_every_run_in_its_bucket(patients, on_disk, shift):
    masks = [filled(4 * BUCKET, [(s + shift, n) for s, n in pieces]) for pieces in patients]
    firsts = range(0, 4 * BUCKET, BUCKET)
    with run_store() as disk:
        store = disk if on_disk else RunStore()
        for mask in masks:
            store.add(*find_runs(np.flatnonzero(mask).astype(np.int32)))
            store.flush()
        for number, first in enumerate(firsts):
            # Every lesioned voxel once a patient, each with that patient's lesion volume.
            runs = store.bucket(number)
            voxels = voxels_of(runs["start"], runs["length"])
            volumes = np.repeat(runs["volume"], runs["length"])
            inside = [first + np.flatnonzero(mask[first : first + BUCKET]) for mask in masks]
            expected = np.repeat([mask.sum() for mask in masks], [part.size for part in inside])
            pairs = np.stack([voxels, volumes]), np.stack([np.concatenate(inside), expected])
            first_pairs, other = (pair[:, np.lexsort(pair)] for pair in pairs)
            np.testing.assert_array_equal(first_pairs, other)


@pytest.mark.parametrize("empty_first", [True, False])
def test_an_empty_lesion_takes_no_place(empty_first):
    store = RunStore()
    single, none = np.array([4], np.int32), np.empty(0, np.int32)
    for runs in [(none, none), (single, single)][:: 1 if empty_first else -1]:
        store.add(*runs)
    assert store.bucket(0).tolist() == [(4, 4, 4)]
    assert store.bucket(7).size == 0


def test_runs_are_read_by_several_threads_where_a_system_has_no_pread(monkeypatch):
    monkeypatch.delattr(os, "pread", raising=False)
    lesions = [np.arange(first, 40 * BUCKET, 37, dtype=np.int32) for first in range(30)]
    with run_store() as store, ThreadPoolExecutor(4) as pool:
        for lesion in lesions:
            store.add(*find_runs(lesion))
        store.flush()
        parts = list(pool.map(store.bucket, range(40)))
    every = np.sort(np.concatenate(lesions))
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)["start"]), every)
    assert all((part["start"] // BUCKET == number).all() for number, part in enumerate(parts))


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "free some space there"), (errno.EROFS, "name another folder in TMPDIR")],
)
def test_a_folder_for_temporary_files_that_cannot_be_used_is_one_sentence(
    monkeypatch, number, remedy
):
    fault = OSError(number, os.strerror(number))
    monkeypatch.setattr("tempfile.TemporaryFile", Mock(side_effect=fault))
    match = f"cannot keep runs .*{os.strerror(number)}.*; {remedy}"
    with pytest.raises(InputError, match=match), run_store():
        pass
