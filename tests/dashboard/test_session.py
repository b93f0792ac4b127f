"""What the dashboard shows and saves is what the library computes."""

from __future__ import annotations

import gc
import math
import shutil
import weakref
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from phantoms import random_masks, write_masks

from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.conditions import restrict_cohort
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.state import Selection
from lesion_dash.images.maps import nifti_bytes
from lesion_dash.plotting.figures import BOTH, ONLY_A, ONLY_B, nice_ceiling
from lesion_dash.regions.counts import count_regions
from lesion_dash.stats.overlap import overlap
from lesion_dash.stats.topography import volume_stats

A = Selection("cohort_a", "", 5, "synthetic_atlas", "n")
AB = replace(A, cohort_b="cohort_b", map_key="overlap")


@pytest.mark.parametrize("key", ["n", "mean", "std", "median"])
@pytest.mark.parametrize("k", [1, 5, 14])
def test_picture_shows_the_voxels_of_the_map(session: Session, key: str, k: int) -> None:
    selection = replace(A, min_patients=k, map_key=key)
    expected = getattr(volume_stats(session.load("cohort_a"), k), key).array
    picture = session.picture(selection)
    assert picture.grid == session.load("cohort_a").grid
    np.testing.assert_array_equal(picture.levels > 0, expected > 0)
    order = np.argsort(expected, axis=None)
    assert (np.diff(picture.levels.ravel()[order].astype(int)) >= 0).all()


def test_picture_of_the_overlap_has_three_classes(session: Session) -> None:
    pair = overlap(*(session.load(name).at_least(5) for name in ("cohort_a", "cohort_b")))
    levels = session.picture(AB).levels
    for mask, one in ((pair.only_a, ONLY_A), (pair.only_b, ONLY_B), (pair.both, BOTH)):
        np.testing.assert_array_equal(levels == one.value, mask.array)


@pytest.mark.parametrize("key", ["n", "mean", "std", "median"])
def test_colours_keep_their_meaning_while_the_threshold_moves(session: Session, key: str) -> None:
    scales = {session.scale(replace(A, min_patients=k, map_key=key)).maximum for k in range(1, 15)}
    assert len(scales) == 1


def test_layer_is_in_the_unit_of_the_screen(session: Session) -> None:
    layer = session.layer(replace(A, map_key="mean"))
    expected = volume_stats(session.load("cohort_a"), 5).mean.array / 1000
    assert layer.unit == "mL"
    np.testing.assert_allclose(layer.array, expected)


def test_region_table_counts_a_alone_or_the_overlap(session: Session) -> None:
    atlas = load_atlas(session.root.path / "atlas" / "synthetic_atlas.nii.gz")
    a, b = (session.load(name).at_least(5) for name in ("cohort_a", "cohort_b"))
    alone, both = session.regions(A), session.regions(AB)
    assert alone is not None
    assert both is not None
    assert csv_bytes(alone.table) == csv_bytes(count_regions(a, atlas).table)
    assert csv_bytes(both.table) == csv_bytes(count_regions(overlap(a, b).both, atlas).table)


def test_files_are_those_of_the_library(session: Session) -> None:
    cohort = load_cohort(session.root.path / "cohort_a")
    other = load_cohort(session.root.path / "cohort_b")
    stats = volume_stats(cohort, 5)
    both = overlap(cohort.at_least(5), other.at_least(5)).both
    expected = {name: nifti_bytes(one.to_nifti()) for name, one in stats.files.items()}
    expected["overlap_map.nii"] = nifti_bytes(both.to_nifti())
    expected["patients.csv"] = csv_bytes(cohort.files_table)
    atlas = load_atlas(session.root.path / "atlas" / "synthetic_atlas.nii.gz")
    expected["region_counts.csv"] = csv_bytes(count_regions(both, atlas).table)
    names = session.file_names(AB)
    assert set(names) == set(expected)
    for name in names:
        assert session.file_bytes(AB, name) == expected[name], name


def test_only_offered_files_are_given(session: Session) -> None:
    assert session.file_names(Selection()) == ()
    with pytest.raises(KeyError, match="passwd"):
        session.file_bytes(A, "/etc/passwd")
    with pytest.raises(KeyError, match="overlap_map"):
        session.file_bytes(A, "overlap_map.nii")


def test_readout_is_that_of_the_maps(session: Session) -> None:
    mm = session.peak(A)
    stats = volume_stats(session.load("cohort_a"), 1)
    readout = session.readout(AB, mm)
    assert readout.patients == stats.n.value_at(mm) == session.most_patients("cohort_a")
    assert readout.mean_ml == pytest.approx(stats.mean.value_at(mm) / 1000)
    assert readout.std_ml == pytest.approx(stats.std.value_at(mm) / 1000)
    assert readout.patients_b == len(session.load("cohort_b").patients_at(mm))
    of_b = volume_stats(session.load("cohort_b"), 1)
    assert readout.mean_b_ml == pytest.approx(of_b.mean.value_at(mm) / 1000)
    assert readout.std_b_ml == pytest.approx(of_b.std.value_at(mm) / 1000)


def test_a_part_does_not_keep_a_folder_that_is_forgotten(tmp_path: Path) -> None:
    names = [f"folder {number}" for number in range(6)]
    for name in names:
        folder = write_masks(tmp_path / name, random_masks(3))
        (folder / "participants.tsv").write_text("participant_id\tsex\nsub-000\tF\nsub-001\tM\n")
    session = Session(DataRoot(tmp_path))
    kept = []
    for name in names:
        session.load(name)
        part = session.part(name, ("sex=F",))
        kept.append(weakref.ref(session.load(part)))
        assert session.load(part).n_patients == 1
    gc.collect()
    is_there = [one() is not None for one in kept]
    assert is_there == [session.has(name) for name in names]
    assert not all(is_there)
    again = session.part(names[0], ("sex=F",))  # which reads the folder anew
    assert session.load(again).n_patients == 1


def test_readout_outside_the_image(session: Session) -> None:
    readout = session.readout(A, (500.0, 0.0, 0.0))
    assert (readout.patients, readout.region) == (0, "")
    assert math.isnan(readout.mean_ml)


@pytest.mark.parametrize(("value", "ceiling"), [(math.nan, 1), (0.013, 0.015), (99, 100)])
def test_nice_ceiling(value: float, ceiling: float) -> None:
    assert nice_ceiling(value) == pytest.approx(ceiling)


@pytest.fixture
def alike(sample_data: Path, tmp_path: Path) -> Session:
    """Two folders of one name in different places."""
    for site, cohort in (("site1", "cohort_a"), ("site2", "cohort_b")):
        shutil.copytree(sample_data / cohort, tmp_path / site / "masks")
        shutil.copyfile(sample_data / "participants.tsv", tmp_path / site / "participants.tsv")
    return Session(DataRoot(tmp_path))


def test_parts_of_folders_of_one_name_are_kept_apart(alike: Session) -> None:
    names = [alike.part(f"{site}/masks", ("sex=F",)) for site in ("site1", "site2")]
    for name, site in zip(names, ("site1", "site2"), strict=True):
        expected = restrict_cohort(alike.load(f"{site}/masks"), ["sex=F"])
        assert alike.load(name).used == expected.used
        assert alike.origin(name) == (f"{site}/masks", ("sex=F",))


def test_conditions_of_equal_words_are_kept_apart(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "cohort", random_masks(3))
    rows = "sub-000\tA or B\nsub-001\tA\nsub-002\tB\n"
    (folder / "participants.tsv").write_text(f"participant_id\tgroup\n{rows}")
    session = Session(DataRoot(tmp_path))
    conditions = ("group=A or B",), ("group=A,B",)
    names = [session.part("cohort", where) for where in conditions]
    assert [session.load(name).n_patients for name in names] == [1, 2]
    assert [session.origin(name)[1] for name in names] == list(conditions)


def test_parts_asked_for_long_ago_are_forgotten(session: Session) -> None:
    shown = session.part("cohort_a", ("age>=42",))
    for age in range(42, 80):
        for sign in (">=", ">", "<"):
            session.load(shown)
            with suppress(InputError):
                session.part("cohort_a", (f"age{sign}{age}",))
    assert len(session._asked) <= 64
    assert session.load(shown).n_patients == 37
    assert session.origin(shown) == ("cohort_a", ("age>=42",))
