"""Probabilistic atlases as they are read: a 4D image, or a folder of maps."""

from __future__ import annotations

import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from phantoms import AFFINE, image

from lesion_dash.atlas.atlas import LabelAtlas, ProbabilityAtlas
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.core.errors import InputError
from lesion_dash.images import series as volumes
from lesion_dash.images.series import read_volumes

SHAPE = (6, 5, 7)
PERCENT = np.random.default_rng(4).integers(0, 101, (*SHAPE, 3)).astype(np.uint8)
PERCENT[PERCENT < 40] = 0
PERCENT[0, 0, 0, 0] = 100
NAMES = ("Frontal Pole", "Insula", "Brainstem")


def write(folder, array=PERCENT, table="index,name\n0,Frontal Pole\n1,Insula\n2,Brainstem\n"):
    folder.mkdir(parents=True, exist_ok=True)
    nib.save(image(array), folder / "atlas.nii.gz")
    if table:
        (folder / "atlas.csv").write_text(table)
    return folder / "atlas.nii.gz"


def write_maps(folder, array=PERCENT, names=NAMES, affine=AFFINE):
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        nib.save(image(array[..., place], affine), folder / f"{name}.nii.gz")
    return folder


def dense(atlas):
    flat = atlas.maps.toarray()
    return flat.reshape((*atlas.grid.shape, flat.shape[1]), order="F")


FORMS = {
    "percent": (PERCENT, 100),
    "percent as float": (PERCENT.astype("<f4"), 100),
    "big-endian": (PERCENT.astype(">i2"), 100),
    "shares": (PERCENT.astype(np.float64) / 100, 1),
    "shares in float32": ((PERCENT / np.float32(100)).astype(np.float32), 1),
}


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "img"])
@pytest.mark.parametrize("form", FORMS)
def test_maps_are_those_of_the_file_as_probabilities(tmp_path, form, ending):
    array, scale = FORMS[form]
    header = nib.Nifti1Header(endianness=">" if array.dtype.str[0] == ">" else "<")
    header.set_data_dtype(array.dtype)
    made = nib.Nifti1Pair if ending == "img" else nib.Nifti1Image
    nib.save(made(array, AFFINE, header), tmp_path / f"atlas.{ending}")
    atlas = load_atlas(tmp_path / f"atlas.{ending}")
    assert isinstance(atlas, ProbabilityAtlas)
    np.testing.assert_array_equal(dense(atlas), array.astype(np.float64) / scale)
    word = "percent" if scale == 100 else "probabilities from 0 to 1"
    assert any(word in note for note in atlas.notes)


def test_values_behind_a_scale_are_those_that_nibabel_reads(tmp_path):
    path = tmp_path / "atlas.nii"
    data = bytearray(image(PERCENT).to_bytes())
    data[112:120] = np.array([0.004, 0.1], "<f4").tobytes()
    path.write_bytes(data)
    np.testing.assert_array_equal(dense(load_atlas(path)), np.asarray(nib.load(path).dataobj))


@pytest.mark.parametrize("how", ["in memory", "on disk"])
def test_a_nibabel_image_is_a_probabilistic_atlas_too(tmp_path, how):
    path = write(tmp_path)
    source = image(PERCENT) if how == "in memory" else nib.load(path)
    atlas = load_atlas(source, path.with_name("atlas.csv"))
    np.testing.assert_array_equal(dense(atlas), PERCENT / 100)
    assert [region.name for region in atlas.regions] == list(NAMES)


def test_a_folder_of_maps_is_the_image_of_all_of_them(tmp_path):
    folder = write_maps(tmp_path / "maps")
    atlas = load_atlas(folder)
    order = [NAMES.index(region.name) for region in atlas.regions]
    np.testing.assert_array_equal(dense(atlas), PERCENT[..., order] / 100)
    assert [region.label for region in atlas.regions] == [1, 2, 3]
    assert set(atlas.sources) == {str(path) for path in folder.iterdir()}
    assert atlas.name == "maps"


def test_numbers_in_file_names_count_as_numbers(tmp_path):
    names = [f"map_{number}" for number in (1, 2, 10)]
    atlas = load_atlas(write_maps(tmp_path, names=names))
    assert [region.name for region in atlas.regions] == names


def test_a_table_names_the_maps_of_a_folder_by_their_names(tmp_path):
    folder = write_maps(tmp_path / "maps")
    (folder / "maps.csv").write_text(
        "index,name,lobe\n7,insula,insular\n8,Frontal Pole,frontal\n9,Ghost,\n"
    )
    atlas = load_atlas(folder)
    found = {region.name: (region.label, region.extra) for region in atlas.regions}
    assert found["insula"] == (7, {"parent": "insular"})
    assert found["Frontal Pole"] == (8, {"parent": "frontal"})
    column = [region.name for region in atlas.regions].index("insula")
    np.testing.assert_array_equal(dense(atlas)[..., column], PERCENT[..., 1] / 100)
    assert atlas.sizes[found["Ghost"][0]] == 0
    assert any("volume without a name: 1" in note for note in atlas.notes)
    assert any("name without a volume: label 9" in note for note in atlas.notes)


def test_a_table_names_the_maps_of_a_folder_in_order(tmp_path):
    folder = write_maps(tmp_path / "maps", names=["map_1", "map_2", "map_3"])
    (folder / "regions.tsv").write_text("index\tname\n1\ta\n2\tb\n3\tc\n")
    assert [region.name for region in load_atlas(folder).regions] == ["a", "b", "c"]


def test_a_folder_with_one_image_stands_for_it(tmp_path):
    write(tmp_path / "maps")
    np.testing.assert_array_equal(dense(load_atlas(tmp_path / "maps")), PERCENT / 100)
    write(tmp_path / "labels", np.minimum(PERCENT[..., 0], 2))
    assert isinstance(load_atlas(tmp_path / "labels"), LabelAtlas)


def test_the_order_of_volumes_and_rows_does_not_matter(tmp_path):
    first = load_atlas(write(tmp_path / "a"))
    table = "index,name\n2,Frontal Pole\n0,Insula\n1,Brainstem\n"
    other = load_atlas(write(tmp_path / "b", PERCENT[..., [1, 2, 0]], table))
    order = [[region.name for region in other.regions].index(name) for name in NAMES]
    np.testing.assert_array_equal(dense(other)[..., order], dense(first))


def test_a_volume_without_a_name_and_a_name_without_a_volume_are_kept(tmp_path):
    atlas = load_atlas(write(tmp_path, table="index,name\n1,a\n3,c\n8,\n9,ghost\n"))
    assert [(region.label, region.name) for region in atlas.regions] == [
        (1, "a"),
        (2, "label 2"),
        (3, "c"),
        (8, "label 8"),
        (9, "ghost"),
    ]
    assert atlas.maps.shape == (np.prod(SHAPE), 5)
    assert atlas.sizes[9] == 0
    assert any("volume without a name: 2" in note for note in atlas.notes)
    assert any("name without a volume: label 8, 9" in note for note in atlas.notes)


def with_value(value, dtype=np.float32):
    array = (PERCENT / 100).astype(dtype)
    array[3, 2, 1, 1] = value
    return array


TREATED = {
    "nan": (np.nan, "NaN treated as 0 in 1 places"),
    "noise below 0": (-1e-4, "tiny negative values treated as 0 in 1 places"),
    "noise above 1": (1.0005, "probabilities from 0 to 1"),
}


@pytest.mark.parametrize("case", TREATED)
def test_what_misses_the_scale_by_little_is_set_and_said(tmp_path, case):
    value, words = TREATED[case]
    atlas = load_atlas(write(tmp_path, with_value(value)))
    expected = with_value(1 if value > 1 else 0).astype(float)
    np.testing.assert_array_equal(dense(atlas), expected)
    assert any(words in note for note in atlas.notes)
    assert atlas.maps.data.min() > 0


REFUSED = {
    "above 100": (PERCENT.astype(np.int16) * 3, "values up to 300"),
    "negative": (with_value(-0.2), "negative value -0.2"),
    "infinite": (with_value(np.inf), "infinite value"),
    "nothing": (PERCENT * 0, "atlas is empty"),
    "colours": (np.minimum(PERCENT, 99) * np.uint8(2), r"colour picture \(RGB\): 3 volumes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_probabilistic_atlas_is_refused_for_what_it_is(tmp_path, case):
    array, match = REFUSED[case]
    with pytest.raises(InputError, match=match) as caught:
        load_atlas(write(tmp_path, array))
    assert "atlas.nii.gz" in str(caught.value)


@pytest.mark.parametrize("fields", ["RGB", "RGBA"])
def test_a_colour_image_is_no_atlas(tmp_path, fields):
    colours = np.zeros(SHAPE, [(letter, "u1") for letter in fields])
    nib.save(nib.Nifti1Image(colours, AFFINE), tmp_path / "atlas.nii.gz")
    with pytest.raises(InputError, match="colour image"):
        load_atlas(tmp_path / "atlas.nii.gz")


def test_maps_of_a_folder_are_on_one_grid(tmp_path):
    write_maps(tmp_path)
    nib.save(image(PERCENT[..., 0], AFFINE * [[1.5], [1], [1], [1]]), tmp_path / "other.nii")
    with pytest.raises(InputError, match=r"other\.nii: is not on the grid of .*: voxel size"):
        load_atlas(tmp_path)


def test_several_volumes_in_a_folder_of_maps_are_refused(tmp_path):
    write(write_maps(tmp_path))
    with pytest.raises(InputError, match=r"atlas\.nii\.gz: several volumes: 3 in one file"):
        load_atlas(tmp_path)


def test_a_folder_without_images_is_no_atlas(tmp_path):
    with pytest.raises(InputError, match="holds no image"):
        load_atlas(tmp_path)


@pytest.mark.parametrize("swapped", [False, True])
def test_maps_on_the_other_side_than_their_names_say_are_told(tmp_path, swapped):
    array = np.zeros((*SHAPE, 2), np.uint8)
    array[:2, ..., 0] = 80  # x from -7 mm
    array[5:, ..., 1] = 80
    if swapped:
        array = array[::-1].copy()
    atlas = load_atlas(write(tmp_path, array, "index,name\n1,Insula_L\n2,Insula_R\n"))
    assert any("left and right are swapped: 2 of 2" in note for note in atlas.notes) == swapped


DAMAGE = {
    "cut": (lambda data: data[:-60], "truncated|damaged"),
    "checksum": (lambda data: data[:-8] + b"\0\0\0\0" + data[-4:], "checksum does not match"),
    "volumes missing": (lambda data: gzip.compress(gzip.decompress(data)[:-200]), "truncated"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named(tmp_path, case):
    damage, match = DAMAGE[case]
    path = write(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=match):
        load_atlas(path)


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_what_follows_the_last_volume_is_ignored_and_said(tmp_path, ending):
    path = tmp_path / f"atlas.{ending}"
    data = image(PERCENT).to_bytes() + b"\x07" * PERCENT[..., 0].size
    path.write_bytes(gzip.compress(data) if ending == "nii.gz" else data)
    atlas = load_atlas(path)
    np.testing.assert_array_equal(dense(atlas), PERCENT / 100)
    assert any("extra bytes after the image" in note for note in atlas.notes)


def test_no_more_than_a_few_volumes_are_held(tmp_path, monkeypatch):
    array = np.zeros((40, 40, 40, 60), np.float32)
    array[10:12, 10:12, 10:12] = 0.5
    path = tmp_path / "atlas.nii.gz"
    nib.save(image(array), path)
    volume = array.nbytes // 60
    raw = volumes.read_raw(path, array.nbytes)
    # Asking the system for a file's bytes reserves room that is never touched.
    monkeypatch.setattr(volumes, "read_raw", lambda *_: raw)
    tracemalloc.start()
    try:
        found = read_volumes(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(indices.size for indices, _ in found.columns) == 60 * 8
    assert peak < 8 * volume


def write_series(path, array, seconds=2.0, unit="sec"):
    made = image(array)
    made.header.set_xyzt_units("mm", unit)
    made.header["pixdim"][4] = seconds
    nib.save(made, path)
    return path


SERIES = np.random.default_rng(1).integers(20, 100, (*SHAPE, 9)).astype(np.int16)


def test_a_time_series_of_values_like_percent_is_refused(tmp_path):
    path = write_series(tmp_path / "bold.nii", SERIES)
    words = "looks like a time series: 9 volumes with a repetition time, .* add up to 544 on"
    with pytest.raises(InputError, match=words):
        load_atlas(path)
    path = write_series(tmp_path / "bold.nii", SERIES, 2000, "msec")
    with pytest.raises(InputError, match="looks like a time series"):
        load_atlas(path)


@pytest.mark.parametrize(
    ("array", "seconds", "unit"),
    [(PERCENT, 1, "sec"), (SERIES, 0, "sec"), (SERIES, 1, "unknown")],
    ids=["percent of regions", "no repetition time", "no unit of time"],
)
def test_percent_are_taken_where_nothing_says_time(tmp_path, array, seconds, unit):
    atlas = load_atlas(write_series(tmp_path / "atlas.nii", array, seconds, unit))
    np.testing.assert_array_equal(dense(atlas), array / 100)


@pytest.mark.parametrize("form", ["3D", "4D of one volume", "folder of one map"])
def test_the_map_of_a_single_region_is_an_atlas_of_probabilities(tmp_path, form):
    share = PERCENT[..., :1] / np.float32(100)
    path = write(
        tmp_path / "tract", share[..., 0] if form == "3D" else share, "index,name\n1,CST\n"
    )
    atlas = load_atlas(path.parent if form == "folder of one map" else path)
    assert isinstance(atlas, ProbabilityAtlas)
    np.testing.assert_array_equal(dense(atlas), share.astype(float))
    assert [region.name for region in atlas.regions] == ["CST"]


def test_progress_is_told_and_may_end_the_reading(tmp_path):
    steps = []
    load_atlas(write(tmp_path / "image"), progress=lambda *step: steps.append(step))
    load_atlas(write_maps(tmp_path / "maps"), progress=lambda *step: steps.append(step))
    assert steps == 2 * [(1, 3), (2, 3), (3, 3)]

    def stop(done, total):
        raise InterruptedError(f"{done} of {total}")

    for place in ("image", "maps"):
        with pytest.raises(InterruptedError, match="1 of 3"):
            load_atlas(tmp_path / place, progress=stop)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_maps_of_different_scales_are_refused(tmp_path, dtype):
    folder = write_maps(tmp_path / "maps", PERCENT.astype(np.float32))
    nib.save(image(np.zeros(SHAPE, dtype)), folder / "Empty.nii.gz")
    nib.save(image((PERCENT[..., 1] / 100 > 0.5).astype(dtype)), folder / "Insula.nii.gz")
    words = "Insula.nii.gz: values up to 1, while those of Brainstem.nii.gz go up to 100; bring"
    with pytest.raises(InputError, match=words):
        load_atlas(folder)


def test_maps_a_little_beside_the_others_are_told(tmp_path):
    folder = write_maps(tmp_path / "maps")
    moved = AFFINE.copy()
    moved[0, 3] += 0.25
    nib.save(image(PERCENT[..., 1], moved), folder / "Insula.nii.gz")
    words = "1 of 3 maps, such as Insula.nii.gz, lie up to 0.25 mm beside Brainstem.nii.gz"
    assert any(words in note for note in load_atlas(folder).notes)
