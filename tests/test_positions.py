"""Voxel positions that are too many for the memory are kept on disk; nothing else changes."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from phantoms import random_masks, write_masks

from lesion_dash.cohort.loading import MEMORY_VARIABLE, Positions, load_cohort, memory_limit
from lesion_dash.core.errors import InputError
from lesion_dash.stats.topography import volume_stats


@pytest.fixture
def folder(tmp_path):
    return write_masks(tmp_path / "c", random_masks(9))


@pytest.mark.parametrize("limit", ["0", "200", "1KB"])
def test_a_cohort_on_disk_gives_the_same(folder, monkeypatch, limit):
    kept = load_cohort(folder)
    monkeypatch.setenv(MEMORY_VARIABLE, limit)
    told = []
    mapped = load_cohort(folder, notice=told.append)
    assert isinstance(mapped.indices, np.memmap)
    assert mapped.notes[-1] == told[0]
    np.testing.assert_array_equal(mapped.indices, kept.indices)
    np.testing.assert_array_equal(mapped.counts, kept.counts)
    for key, values in volume_stats(kept, 2).values.items():
        np.testing.assert_array_equal(volume_stats(mapped, 2).values[key], values)
    at = int(kept.indices[0])
    np.testing.assert_array_equal(mapped.rows_at(at), kept.rows_at(at))
    np.testing.assert_array_equal(mapped.select([3, 1]).counts, kept.select([3, 1]).counts)


def test_the_sentence_names_estimate_limit_and_remedy(folder, monkeypatch):
    monkeypatch.setenv(MEMORY_VARIABLE, "0.001MB")
    (note,) = load_cohort(folder).notes
    assert re.match(r"about [\d.]+ kB of memory to put together its voxel positions", note)
    assert ", 1 kB allowed: kept on disk" in note
    assert MEMORY_VARIABLE in note


def test_a_sample_tells_of_the_whole_before_the_limit_is_reached():
    told = []
    with Positions(2000, told.append) as positions:
        for number in range(64):
            positions.add(np.arange(3, dtype=np.int32))
            positions.expect(number + 1, 100)
        assert told[0].startswith("about 2.4 kB of memory")
        positions.add(np.array([7], np.int32))
        found = positions.join()
    assert found[-4:].tolist() == [0, 1, 2, 7]
    assert positions.starts[-1] == 64 * 3 + 1


def test_few_positions_stay_in_memory(folder):
    assert not isinstance(load_cohort(folder).indices, np.memmap)


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("1.5 mb", 1_500_000), ("12", 12), ("2GiB", 2 * 2**30), ("7k", 7000)],
)
def test_sizes_are_read_with_their_units(monkeypatch, text, size):
    monkeypatch.setenv(MEMORY_VARIABLE, text)
    assert memory_limit() == size


@pytest.mark.parametrize("text", ["plenty", "-1GB", "\u0664GB", "4 G B"])
def test_a_limit_that_is_no_size_is_named(monkeypatch, text):
    monkeypatch.setenv(MEMORY_VARIABLE, text)
    with pytest.raises(InputError, match=f"LESION_DASH_MEMORY: '{text}' is no size; give one"):
        memory_limit()


def test_the_limit_is_below_what_is_free(monkeypatch):
    monkeypatch.delenv(MEMORY_VARIABLE, raising=False)
    assert 2**20 < memory_limit() < 2**50


def test_a_full_disk_is_one_sentence(monkeypatch):
    with Path("/dev/full").open("wb", buffering=0) as full, Positions(0) as positions:
        monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: full)
        with pytest.raises(InputError, match="cannot keep voxel positions in the temporary folder"):
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
