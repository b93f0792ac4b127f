"""Series: values equal nibabel's, runs are put end to end, times are told in seconds."""

from __future__ import annotations

import json
import re

import nibabel as nib
import numpy as np
import pytest
from nilearn.image import smooth_img
from phantoms import AFFINE, image, set_scaling
from pickled import peak_of

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.series import Series, read_series, smooth_series
from lesion_dash.scans.conversion import place_like
from lesion_dash.scans.inspection import inspect_image

SHAPE = (4, 5, 3)


def write_run(path, array, time=2.5, unit="sec", affine=AFFINE):
    made = image(array, affine)
    made.header.set_xyzt_units("mm", unit)
    made.header["pixdim"][4] = time
    nib.save(made, path)
    return path


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "a.nii", noise())


def noise(volumes=6, dtype=np.int16, seed=0, shape=SHAPE):
    generator = np.random.default_rng(seed)
    return (generator.normal(0, 300, (*shape, volumes))).astype(dtype)


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "u1", "<i4", "<f4", ">f4", "<f8"])
@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_values_are_those_nibabel_reads(tmp_path, dtype, ending):
    path = write_run(tmp_path / f"a.{ending}", noise().astype(dtype))
    series = read_series(path)
    np.testing.assert_array_equal(series.array, np.asarray(nib.load(path).dataobj))
    assert series.array.dtype == np.dtype(dtype).newbyteorder("=")
    assert (series.runs, series.repetition_time, series.volumes) == ((6,), 2.5, 6)
    assert np.shares_memory(series.rows, series.array)
    np.testing.assert_array_equal(series.rows[2], series.array[..., 2].ravel(order="F"))
    assert not series.array.flags.writeable


def test_scaled_values_are_float32(tmp_path, run):
    series = read_series([set_scaling(run, 0.25, 10), write_run(tmp_path / "b.nii", noise())])
    scaled = np.asarray(nib.load(run).dataobj)
    np.testing.assert_array_equal(series.array[..., :6], scaled.astype(np.float32))
    np.testing.assert_array_equal(series.array[..., 6:], noise())
    assert series.array.dtype == np.float32


def test_runs_lie_end_to_end_in_the_order_given(tmp_path):
    runs = [noise(volumes, seed=volumes) for volumes in (3, 5, 2)]
    paths = [write_run(tmp_path / f"{n}.nii.gz", run) for n, run in enumerate(runs)]
    for order in ([0, 1, 2], [2, 1, 0]):
        series = read_series([paths[n] for n in order])
        expected = np.concatenate([runs[n] for n in order], axis=3)
        np.testing.assert_array_equal(series.array, expected)
        assert series.runs == tuple(runs[n].shape[3] for n in order)
        assert series.paths == tuple(paths[n] for n in order)
    assert len(set(series.sha256)) == 3


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    volumes = noise(4)
    for number in (2, 0, 3, 1):
        write_run(tmp_path / f"sub-{number}.nii", volumes[..., number])
    (tmp_path / "._sub-0.nii").write_bytes(b"side file")
    series = read_series(tmp_path)
    np.testing.assert_array_equal(series.array, volumes)
    assert series.runs == (1, 1, 1, 1)
    assert np.isnan(series.repetition_time)


def test_a_pair_of_files_is_one_image_and_so_is_one_of_nibabels(tmp_path):
    nib.save(nib.Nifti1Pair(noise(), AFFINE), tmp_path / "a.img")
    assert read_series(tmp_path).volumes == 6
    for made in (nib.load(tmp_path / "a.img"), image(noise())):
        series = read_series(made)
        np.testing.assert_array_equal(series.array, noise())
        assert (series.runs, series.paths, series.sha256) == ((6,), (), ())


@pytest.mark.parametrize(
    ("time", "unit", "seconds", "note"),
    [
        (2.5, "sec", 2.5, ""),
        (720, "msec", 0.72, ""),
        (2_500_000, "usec", 2.5, ""),
        (0.72, "sec", 0.72, ""),  # the decimal that was meant, not the float32 of the header
        (2.5, "unknown", 2.5, "repetition time is 2.5 without a unit: taken as seconds"),
        (2000, "unknown", np.nan, "not used (probably 2000 ms, which is 2 s)"),
        (0, "sec", np.nan, ""),
        (np.nan, "sec", np.nan, ""),
        (2.5, "hz", np.nan, ""),
    ],
)
def test_the_repetition_time_is_in_seconds_where_it_is_known(tmp_path, time, unit, seconds, note):
    series = read_series(write_run(tmp_path / "a.nii", noise(), time, unit))
    np.testing.assert_equal(series.repetition_time, seconds)
    assert len(series.notes) == bool(note)
    assert note in "".join(series.notes)


RUN = "sub-01/func/sub-01_task-rest_run-1_bold"


def says(seconds) -> str:
    return json.dumps({"RepetitionTime": seconds})


@pytest.mark.parametrize(
    ("time", "unit", "sidecars", "seconds", "note"),
    [
        (1, "sec", {f"{RUN}.json": says(2.5)}, np.nan, "bold.nii says 1 s, sub-01_task-rest_run-1"),
        (2.5, "sec", {f"{RUN}.json": says(2500)}, np.nan, "2.5 s, .*_bold.json 2500 s"),
        (2.5, "sec", {"task-rest_bold.json": says(2)}, np.nan, "2.5 s, task-rest_bold.json 2 s"),
        (1, "unknown", {"bold.json": says(2)}, np.nan, "1 s, bold.json 2 s"),
        (2.5, "sec", {f"{RUN}.json": says(2.51)}, 2.5, ""),
        (2500, "msec", {f"{RUN}.json": says(2.5)}, 2.5, ""),
        (2.5, "unknown", {f"{RUN}.json": says(2.5)}, 2.5, ""),
        (0, "sec", {f"{RUN}.json": says(2.5)}, 2.5, r"2\.5 s taken from .*run-1_bold.json"),
        (2500, "unknown", {"sub-01/sub-01_bold.json": says(2)}, 2, "2 s taken from sub-01_bold"),
        # The nearest counts, and what is of other runs or suffixes does not.
        (2.5, "sec", {f"{RUN}.json": says(2.5), "task-rest_bold.json": says(9)}, 2.5, ""),
        (2.5, "sec", {f"{RUN}.json": "{}", "task-rest_bold.json": says(9)}, np.nan, "rest_bold"),
        (2.5, "sec", {"task-other_bold.json": says(9), "task-rest_sbref.json": says(9)}, 2.5, ""),
        (2.5, "sec", {"../task-rest_bold.json": says(9)}, 2.5, ""),
        (
            2.5,
            "sec",
            {f"{RUN}.json": "{"},
            2.5,
            "is not used for the repetition time: is not a JSON",
        ),
        (2.5, "sec", {f"{RUN}.json": "[1]"}, 2.5, "is not a JSON object"),
        (2.5, "sec", {f"{RUN}.json": says("2")}, 2.5, "RepetitionTime is '2', no number of sec"),
        (2.5, "sec", {f"{RUN}.json": says(-1)}, 2.5, "RepetitionTime is '-1'"),
    ],
)
def test_the_repetition_time_is_compared_with_that_of_the_sidecar(
    tmp_path, time, unit, sidecars, seconds, note
):
    path = tmp_path / f"study/{RUN}.nii"
    path.parent.mkdir(parents=True)
    (tmp_path / "study/dataset_description.json").write_text("{}")
    for name, content in sidecars.items():
        (tmp_path / "study" / name).write_text(content)
    series = read_series(write_run(path, noise(), time, unit))
    np.testing.assert_equal(series.repetition_time, seconds)
    assert len(series.notes) == bool(note)
    assert re.search(note, "".join(series.notes))
    assert bool(series.time_doubt) == (np.isnan(seconds))
    (path.parent / "alone").mkdir()
    alone = read_series(write_run(path.parent / "alone/c.nii", noise(volumes=1)))
    assert alone.notes == ()  # of one volume, the time says nothing


def test_runs_of_which_one_contradicts_its_sidecar(tmp_path):
    runs = [write_run(tmp_path / f"{name}.nii", noise()) for name in "ab"]
    (tmp_path / "b.json").write_text(says(1))
    series = read_series(runs)
    assert "b.nii says 2.5 s, b.json 1 s (and so in 1 of 2 runs)" in series.time_doubt
    (tmp_path / "a.json").write_text(says(2.5))
    (tmp_path / "b.json").unlink()
    assert read_series(runs).repetition_time == 2.5
    (tmp_path / "b.json").write_text(says(1))
    doubt = "repetition time: the header of b.nii says 2.5 s, b.json 1 s"
    assert doubt in inspect_image(runs[1]).notes
    like = place_like(runs[1], (*SHAPE, 6))
    assert (like.repetition_time, like.notes[-1]) == (0, doubt)


def test_nan_is_kept(tmp_path):
    values = noise(dtype=np.float32)
    values[0, 0, 0, 1] = np.nan
    series = read_series(write_run(tmp_path / "a.nii", values))
    np.testing.assert_array_equal(series.array, values)


@pytest.mark.parametrize(
    ("array", "options", "match"),
    [
        (noise(), {"affine": AFFINE + 40 * np.eye(4, k=3)}, "is not on the grid of a.nii"),
        (noise(), {"time": 2.0}, "runs differ in repetition time: 2 s, 2.5 s"),
        (np.where(noise() == noise().max(), -np.inf, 0), {}, "infinite value in 1 voxel of one"),
        (noise()[..., 0, 0], {}, "not a volume: 2 axes"),
    ],
)
def test_runs_that_do_not_fit_are_refused(tmp_path, run, array, options, match):
    other = write_run(tmp_path / "b.nii", array, **options)
    with pytest.raises(InputError, match=rf"[ab]\.nii: .*{match}"):
        read_series([run, other])


def test_nothing_to_read_is_told(tmp_path):
    for source in (tmp_path, []):
        with pytest.raises(InputError, match="holds no image"):
            read_series(source)


def test_the_mean_and_the_image_are_those_of_numpy(run):
    series = read_series(run)
    np.testing.assert_allclose(series.mean.array, noise().mean(axis=3), rtol=1e-14)
    made = series.to_nifti()
    np.testing.assert_array_equal(np.asarray(made.dataobj), noise())
    assert made.header.get_zooms()[3] == 2.5
    assert made.header.get_xyzt_units() == ("mm", "sec")
    np.testing.assert_array_equal(made.affine, AFFINE)


@pytest.mark.parametrize(("runs", "times"), [(12, 1.5), (1, 1.2)])
def test_reading_holds_little_more_than_the_series(tmp_path, runs, times):
    array = noise(20 if runs > 1 else 60, shape=(30, 30, 20))
    paths = [write_run(tmp_path / f"{n}.nii", array) for n in range(runs)]
    read_series(paths[:1])
    assert peak_of(lambda: read_series(paths)) < times * runs * array.nbytes


def test_smoothing_is_that_of_nilearn_volume_by_volume_and_takes_nan_as_0(tmp_path):
    values = noise(2, np.float32, shape=(8, 9, 7))
    values[3, 4, 2, 1] = np.nan
    series = read_series(write_run(tmp_path / "a.nii", values))
    smooth = smooth_series(series, 5.0)
    for volume in range(series.volumes):
        alone = nib.Nifti1Image(np.nan_to_num(values[..., volume]), AFFINE)
        expected = smooth_img(alone, 5.0).get_fdata()
        np.testing.assert_allclose(smooth.array[..., volume], expected, rtol=1e-4, atol=1e-3)
    assert smooth.notes == (
        "smoothed with a Gaussian of 5 mm (full width at half maximum)",
        "NaN taken as 0 for smoothing, in 1 places",
    )
    assert (smooth.runs, smooth.repetition_time) == (series.runs, 2.5)
    np.testing.assert_array_equal(smooth.rows[1], smooth.array[..., 1].ravel(order="F"))
    np.testing.assert_array_equal(series.array, values)


@pytest.mark.parametrize("width", [0, -3, np.nan, np.inf, 101])
def test_a_width_that_is_none_is_refused(run, width):
    series = read_series(run)
    assert len(smooth_series(series, 5.0).notes) == 1
    with pytest.raises(InputError, match="give a width above 0 mm"):
        smooth_series(series, width)


def test_whole_numbers_of_64_bits_become_an_image_again():
    values = noise(2).astype(np.int64) + 2**40
    series = Series("long", Grid(SHAPE, AFFINE), values, float("nan"), (2,))
    np.testing.assert_array_equal(np.asarray(series.to_nifti().dataobj), values)
