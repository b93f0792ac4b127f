"""The sample series is what its README says, and its effect is found where it was put."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest
from scipy import stats

from lesion_dash.atlas.loading import load_atlas
from lesion_dash.images.events import read_conditions
from lesion_dash.images.masks import read_mask
from lesion_dash.images.series import read_series
from lesion_dash.stats.contrast import correct_contrast
from lesion_dash.stats.group_contrasts import contrast_conditions

SAMPLE_DATA = Path(__file__).resolve().parent.parent / "sample_data"
FOLDER = SAMPLE_DATA / "series"
SCRIPT = SAMPLE_DATA / "make_sample_series.py"
RUNS = [FOLDER / f"sub-01_task-pictures_run-{run}_bold.nii.gz" for run in (1, 2)]
EVENTS = [FOLDER / f"sub-01_task-pictures_run-{run}_events.tsv" for run in (1, 2)]
BRAIN = FOLDER / "sub-01_brain_mask.nii.gz"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    # The script imports the one beside it, as it does when it is run.
    sys.path.insert(0, str(SAMPLE_DATA))
    try:
        spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SAMPLE_DATA))
    return module


def test_the_script_makes_the_same_files_again(tmp_path):
    subprocess.run([sys.executable, SCRIPT, tmp_path], check=True)
    made = sorted(file.name for file in tmp_path.iterdir())
    assert made == sorted(file.name for file in (*RUNS, *EVENTS, BRAIN))
    assert made == sorted(file.name for file in FOLDER.iterdir())
    for name in made:
        old, new = FOLDER / name, tmp_path / name
        # Another zlib may pack the same voxels into other bytes.
        if name.endswith(".gz"):
            assert np.array_equal(nib.load(old).dataobj, nib.load(new).dataobj), name
        else:
            assert old.read_bytes() == new.read_bytes(), name


def test_files_hold_neither_date_nor_name_and_are_small():
    for file in (*RUNS, BRAIN):
        flags, *date = file.read_bytes()[3:8]
        assert (flags, date) == (0, [0, 0, 0, 0]), file
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 1.5e6


def test_images_are_what_the_readme_says():
    for file in RUNS:
        image = nib.load(file)
        assert (image.shape, image.get_data_dtype()) == ((18, 22, 18, 48), np.int16)
        assert image.header.get_zooms() == (8, 8, 8, 2.5)
        assert image.header.get_xyzt_units() == ("mm", "sec")
        assert [int(image.header[form]) for form in ("sform_code", "qform_code")] == [4, 4]
    brain = nib.load(BRAIN)
    assert (brain.shape, brain.get_data_dtype()) == ((18, 22, 18), np.uint8)
    np.testing.assert_array_equal(brain.affine, nib.load(RUNS[0]).affine)


def test_each_run_has_sixteen_volumes_of_each_condition_and_rest():
    for run, events in zip(RUNS, EVENTS, strict=True):
        conditions = read_conditions(events, read_series(run))
        assert conditions.counts == {"face": 16, "house": 16}
        assert conditions.of_volume.count("") == 16


def test_the_balls_lie_in_the_brain_and_apart(script):
    face, house = script.ball("face"), script.ball("house")
    brain = read_mask(BRAIN).array
    assert brain[face].all()
    assert brain[house].all()
    assert not (face & house).any()
    atlas = load_atlas(SAMPLE_DATA / "atlas" / "synthetic_atlas.nii.gz")
    names = [atlas.region_at(script.BALLS[name].centre) for name in ("face", "house")]
    assert names == ["Synthetic temporal 6 L", "Synthetic hippocampus R"]


@pytest.mark.parametrize("runs", [slice(0, 1), slice(1, 2), slice(0, 2)])
@pytest.mark.parametrize("method", ["fwe", "bonferroni"])
def test_the_effect_is_found_where_it_was_put_and_nowhere_else(script, runs, method):
    series = read_series(RUNS[runs])
    conditions = read_conditions(EVENTS[runs], series)
    found = contrast_conditions(series, conditions, "face", "house", mask=read_mask(BRAIN))
    fixed = correct_contrast(found, method)
    passed = fixed.map("corrected_p").array <= 0.05
    t = fixed.map("t").array
    np.testing.assert_array_equal(passed & (t > 0), script.ball("face"))
    np.testing.assert_array_equal(passed & (t < 0), script.ball("house"))


def test_new_noise_gives_false_voxels_as_rarely_as_promised(script):
    """Over many seeds, a voxel outside the balls passes in one of twenty draws."""
    brain = read_mask(BRAIN)
    inside = script.ball("face") | script.ball("house")
    first = read_series(RUNS[0])
    conditions = read_conditions(EVENTS[0], first)
    draws, false, found_all = 60, 0, 0
    for seed in range(draws):
        array = script.make_run(np.random.default_rng(seed), script.RUNS[0])
        series = type(first)("run", first.grid, array, 2.5, (48,))
        found = contrast_conditions(series, conditions, "face", "house", mask=brain)
        p = correct_contrast(found, "fwe", n_permutations=99).map("corrected_p").array
        false += bool((p[~inside] <= 0.05).any())
        found_all += bool((p[inside] <= 0.05).all())
    # At a true rate of 0.05, so many happen in fewer than one of 10,000 such tests.
    assert false <= stats.binom.isf(1e-4, draws, 0.05)
    assert found_all >= draws * 0.8
