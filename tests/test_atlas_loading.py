"""Atlases as they are read: an image of labels, a 4D image of maps, or a folder of maps."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from atlases import pairs, write_atlas
from phantoms import AFFINE, image
from pickled import peak_of
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from lesion_dash import cli
from lesion_dash.atlas.atlas import LabelAtlas, ProbabilityAtlas
from lesion_dash.atlas.grouping import DOUBTFUL
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.core.errors import InputError
from lesion_dash.scans.inspection import inspect_image

SHAPE = (6, 5, 7)
LABELS = np.random.default_rng(2).integers(0, 4, SHAPE).astype(np.int16)
OF_LABELS = "index,name\n1,one L\n2,two R\n3,three\n"
PERCENT = np.random.default_rng(4).integers(0, 101, (*SHAPE, 3)).astype(np.uint8)
PERCENT[PERCENT < 40] = 0
PERCENT[0, 0, 0, 0] = 100
NAMES = ("Frontal Pole", "Insula", "Brainstem")
OF_MAPS = "index,name\n0,Frontal Pole\n1,Insula\n2,Brainstem\n"


def write(folder, array=PERCENT, table=OF_MAPS, affine=AFFINE):
    return write_atlas(folder / "atlas.nii.gz", array, table, affine)


def write_maps(folder, array=PERCENT, names=NAMES):
    for place, name in enumerate(names):
        write_atlas(folder / f"{name}.nii.gz", array[..., place])
    return folder


def write_scaled(path, array, slope, intercept=0.0):
    data = bytearray(image(array).to_bytes())
    data[112:120] = np.array([slope, intercept], "<f4").tobytes()
    path.write_bytes(data)
    return path


def dense(atlas):
    flat = atlas.maps.toarray()
    return flat.reshape((*atlas.grid.shape, flat.shape[1]), order="F")


def names(atlas):
    return [region.name for region in atlas.regions]


def assert_note(atlas, *notes):
    """The parts of the notes that matter are there."""
    text = "\n".join(atlas.notes)
    assert [note for note in notes if note not in text] == []


# Images of labels.


@pytest.mark.parametrize(
    ("table", "note"),
    [
        ("index,name\n1,a\n2,b\n", "label without a name: 3"),
        (OF_LABELS + "9,ghost\n", "region without voxels: label 9"),
        ("", "no label table found"),
        ("See the paper.", "atlas.csv beside it is not read: columns id and name not found"),
    ],
)
def test_table_and_image_that_differ_are_used_and_flagged(tmp_path, table, note):
    atlas = load_atlas(write(tmp_path, LABELS, table))
    assert_note(atlas, note)
    assert {region.label for region in atlas.regions} >= {1, 2, 3}


def test_labels_of_any_size_with_gaps_are_kept_with_their_sources(tmp_path):
    large = np.array([0, 2001, 9170, 2_000_000_000])[LABELS]
    table = "index,name\n2001,one L\n9170,two R\n2000000000,three\n"
    path = write(tmp_path, large.astype(np.int64), table)
    atlas = load_atlas(path)
    np.testing.assert_array_equal(atlas.labels, large)
    regions = [(2001, "one L"), (9170, "two R"), (2_000_000_000, "three")]
    assert pairs(atlas.regions) == regions
    for file in (path, path.with_name("atlas.csv")):
        assert atlas.sources[str(file)] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_labels_behind_a_scale_and_beside_nan_are_the_nearest_whole_numbers(tmp_path):
    # A scale of 0.076 stores 0.988, 1.976 and 2.964 for 1, 2 and 3: half a step off at most.
    stored = np.array([0, 13, 26, 39], np.uint8)[LABELS]
    path = write_scaled(tmp_path / "atlas.nii", stored, 0.076)
    np.testing.assert_array_equal(load_atlas(path).labels, LABELS)
    for dtype in ("f4", "f8"):
        atlas = load_atlas(write(tmp_path, np.where(LABELS == 0, np.nan, LABELS).astype(dtype)))
        np.testing.assert_array_equal(atlas.labels, LABELS)
        assert_note(atlas, "NaN treated as background")


@pytest.mark.parametrize("how", ["in memory", "on disk"])
@pytest.mark.parametrize(("array", "table"), [(LABELS, OF_LABELS), (PERCENT, OF_MAPS)])
def test_a_nibabel_image_is_what_its_file_is(tmp_path, monkeypatch, array, table, how):
    """With the table that is given; one that happens to be named so is not looked for."""
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, array, table)
    source = image(array) if how == "in memory" else nib.load(path)
    atlas, expected = load_atlas(source, path.with_name("atlas.csv")), load_atlas(path)
    np.testing.assert_array_equal(dense(atlas), dense(expected))
    assert atlas.regions == expected.regions
    assert_note(load_atlas(image(array)), "no label table")


def test_nothing_is_noted_of_the_sample_atlas(sample_data):
    assert load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz").notes == ()


# Maps of probabilities.


FORMS = {
    "percent": (PERCENT, 100),
    "percent as float": (PERCENT.astype("<f4"), 100),
    "big-endian": (PERCENT.astype(">i2"), 100),
    "probabilities": (PERCENT.astype(np.float64) / 100, 1),
    "probabilities in float32": ((PERCENT / np.float32(100)).astype(np.float32), 1),
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
    assert_note(atlas, "percent" if scale == 100 else "probabilities from 0 to 1")


def test_values_behind_a_scale_are_those_that_nibabel_reads(tmp_path):
    path = write_scaled(tmp_path / "atlas.nii", PERCENT, 0.004, 0.1)
    np.testing.assert_array_equal(dense(load_atlas(path)), np.asarray(nib.load(path).dataobj))


def test_a_folder_of_maps_is_the_image_of_all_of_them(tmp_path):
    files = [f"map_{number}" for number in (1, 2, 10)]  # as numbers count
    folder = write_maps(tmp_path / "maps", names=files)
    atlas = load_atlas(folder)
    np.testing.assert_array_equal(dense(atlas), PERCENT / 100)
    assert pairs(atlas.regions) == [*enumerate(files, 1)]
    assert set(atlas.sources) == {str(path) for path in folder.iterdir()}
    assert atlas.name == "maps"
    (folder / "regions.tsv").write_text("index\tname\n1\ta\n3\tc\n2\tb\n")
    assert names(load_atlas(folder)) == ["a", "b", "c"]


def test_a_table_names_the_maps_of_a_folder_by_their_names(tmp_path):
    folder = write_maps(tmp_path / "maps")
    (folder / "maps.csv").write_text(
        "index,name,lobe\n7,insula,insular\n8,Frontal Pole,frontal\n9,Ghost,\n"
    )
    atlas = load_atlas(folder)
    regions = {region.name: (region.label, region.extra) for region in atlas.regions}
    assert regions["insula"] == (7, {"lobe": "insular"})
    assert regions["Frontal Pole"] == (8, {"lobe": "frontal"})
    column = names(atlas).index("insula")
    np.testing.assert_array_equal(dense(atlas)[..., column], PERCENT[..., 1] / 100)
    assert atlas.sizes[regions["Ghost"][0]] == 0
    assert_note(atlas, "volume without a name: 1", "name without a volume: label 9")


def test_a_volume_without_a_name_and_a_name_without_a_volume_are_kept(tmp_path):
    atlas = load_atlas(write(tmp_path, table="index,name\n1,a\n3,c\n8,\n9,ghost\n"))
    assert [region.label for region in atlas.regions] == [1, 2, 3, 8, 9]
    assert names(atlas) == ["a", "label 2", "c", "label 8", "ghost"]
    np.testing.assert_array_equal(dense(atlas), np.pad(PERCENT / 100, [(0, 0)] * 3 + [(0, 2)]))
    assert_note(atlas, "volume without a name: 2", "name without a volume: label 8, 9")


def with_value(value, dtype=np.float32):
    array = (PERCENT / 100).astype(dtype)
    array[3, 2, 1, 1] = value
    return array


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (np.nan, "NaN treated as 0 in 1 places"),
        (-1e-4, "tiny negative values treated as 0 in 1 places"),
        (1.0005, "probabilities from 0 to 1"),
    ],
)
def test_what_misses_the_scale_by_little_is_set_and_said(tmp_path, value, note):
    atlas = load_atlas(write(tmp_path, with_value(value)))
    np.testing.assert_array_equal(dense(atlas), with_value(float(value > 1)).astype(float))
    assert_note(atlas, note)
    assert atlas.maps.data.min() > 0


@pytest.mark.parametrize("form", ["3D", "4D of one volume"])
def test_the_map_of_a_single_region_is_an_atlas_of_probabilities(tmp_path, form):
    """Given as a file, or as the folder that holds it alone."""
    values = PERCENT[..., :1] / np.float32(100)
    path = write(tmp_path, values[..., 0] if form == "3D" else values, "index,name\n1,CST\n")
    for atlas in (load_atlas(path), load_atlas(tmp_path)):
        assert isinstance(atlas, ProbabilityAtlas)
        np.testing.assert_array_equal(dense(atlas), values.astype(float))
        assert names(atlas) == ["CST"]
    assert isinstance(
        load_atlas(write(tmp_path, np.minimum(PERCENT[..., 0], 2)).parent), LabelAtlas
    )


FRACTIONS = PERCENT / np.float32(100)


@pytest.mark.parametrize(
    ("array", "top"),
    [
        (FRACTIONS * np.float32(1.01), "1.01"),  # as an interpolation overshoots
        (FRACTIONS * np.float32(4.2), "4.2"),  # as t values
        ((PERCENT // 5).astype(np.uint8), "20"),  # as counts of patients
        (FRACTIONS * np.float32(49.5), "49.5"),
    ],
)
def test_a_top_between_fractions_and_percent_is_asked_about(tmp_path, capsys, array, top):
    match = rf"atlas.*: values up to {top} are neither .* state their scale, percent or fraction"
    path = write(tmp_path / "image", array)
    for source in (path, write_maps(tmp_path / "maps", array), nib.load(path)):
        with pytest.raises(InputError, match=match if source is path else match[5:]):
            load_atlas(source)
    np.testing.assert_allclose(dense(load_atlas(path, scale="percent")), array / 100)
    if float(top) < 1.25:
        atlas = load_atlas(path, scale="fraction")
        np.testing.assert_allclose(dense(atlas), np.minimum(array, 1))
        assert_note(atlas, "values above 1 taken as 1 in ")
    else:
        with pytest.raises(InputError, match=rf"values up to {top}, and fraction was stated"):
            load_atlas(path, scale="fraction")
    mask = write_atlas(tmp_path / "mask.nii.gz", (PERCENT[..., 0] > 50).astype(np.uint8))
    command = ["assign", str(mask), "--atlas", str(path), "-o", str(tmp_path / "o.csv")]
    assert cli.main(command) == 2
    assert cli.main([*command, "--scale", "percent"]) == 0
    assert f"values up to {top} taken as percent" in capsys.readouterr().err


@pytest.mark.parametrize("value", [0.5, 60.0])
def test_maps_of_one_value_other_than_a_whole_are_asked_about(tmp_path, value):
    array = (PERCENT > 0) * np.float32(value)
    for path in (write(tmp_path / "image", array), write_maps(tmp_path / "maps", array, "abc")):
        with pytest.raises(InputError, match=rf"hold {value:g} and 0 alone.* state their scale"):
            load_atlas(path)
        top = load_atlas(path, scale="percent")
        np.testing.assert_allclose(dense(top), array / 100)
        whole = load_atlas(write(tmp_path / "whole", array / np.float32(value)))
        np.testing.assert_array_equal(dense(whole), array > 0)
    array[0, 0, 0, 0] /= 2  # as probabilities, which vary
    assert dense(load_atlas(write(tmp_path / "varied", array))).max() < 1


def test_a_stated_scale_is_checked_and_makes_one_volume_the_map_of_a_region(tmp_path):
    with pytest.raises(InputError, match="scale: is 'per mille'; choose one of fraction, percent"):
        load_atlas(write(tmp_path), scale="per mille")
    with pytest.raises(InputError, match="values up to 300, and percent was stated"):
        load_atlas(write(tmp_path, PERCENT.astype(np.int16) * 3), scale="percent")
    one = write(tmp_path, PERCENT[..., 0], "index,name\n1,CST\n")
    np.testing.assert_allclose(
        dense(load_atlas(one, scale="percent"))[..., 0], PERCENT[..., 0] / 100
    )
    several = write(tmp_path, LABELS, OF_LABELS)
    assert isinstance(load_atlas(several, scale="percent"), LabelAtlas)
    just = write(tmp_path, (FRACTIONS[..., 0] * np.float32(1 + 1e-7)).astype("f4"), "1,CST\n")
    assert load_atlas(just).maps.max() == 1


@pytest.mark.parametrize("intent", ["t test", "z score", "p value", "f test"])
def test_a_statistic_by_its_intent_is_no_atlas(tmp_path, intent):
    made = image(FRACTIONS)
    made.header.set_intent(intent)
    nib.save(made, tmp_path / "atlas.nii.gz")
    with pytest.raises(InputError, match=r"holds a statistic, .* intent code is \d+ \("):
        load_atlas(tmp_path / "atlas.nii.gz")
    assert load_atlas(tmp_path / "atlas.nii.gz", scale="fraction").maps.max() == 1


@pytest.mark.parametrize(
    ("off", "is_read"),
    [
        (lambda a: a * 0.99977, True),
        (lambda a: a * 1.0009, True),
        (lambda a: a - 4e-4 * (a > 0), True),
        (lambda a: np.where(a == 3, 3.002, a), True),
        (lambda a: a * 0.998, False),
        (lambda a: np.where(a == 3, 2.5, a), False),
        (lambda a: a + 9e-4 * a * np.linspace(0, 1, a.size).reshape(a.shape), False),
        (lambda a: (a + 2000 * (a > 0)) * 0.99977, False),  # 2000.54 may be 2000 or 2001
        (lambda a: np.where(a == 3, 2001.4, a), False),
    ],
)
def test_labels_off_by_less_than_a_thousandth_are_whole_and_told(tmp_path, off, is_read):
    path = write(tmp_path, off(LABELS.astype(float)).astype("f4"), "")
    if is_read:
        atlas = load_atlas(path)
        np.testing.assert_array_equal(atlas.labels, LABELS)
        assert len([note for note in atlas.notes if "rounded to whole numbers" in note]) == 1
    else:
        with pytest.raises(InputError, match="labels are not whole numbers"):
            load_atlas(path)


def grown(parcels, step, rng):
    """Labels of the nearest of so many places, on every step-th voxel of 2 mm."""
    places = np.stack(
        np.meshgrid(*[np.arange(0, n, step) for n in (70, 80, 60)], indexing="ij"), -1
    )
    inside = (((places - [35, 40, 30]) / [33, 38, 28]) ** 2).sum(-1) < 1
    points = places[inside]
    labels = np.zeros(inside.shape, np.int32)
    centres = points[rng.choice(len(points), parcels, replace=len(points) < parcels)]
    labels[inside] = cKDTree(centres).query(points)[1] + 1
    return labels


@pytest.mark.parametrize(("parcels", "step"), [(60, 2), (400, 1), (400, 4), (1000, 1), (1000, 3)])
def test_parcellations_without_a_table_are_atlases(tmp_path, parcels, step):
    labels = grown(parcels, step, np.random.default_rng(parcels))
    affine = np.diag([2 * step, 2 * step, 2 * step, 1])
    for array in (labels, np.maximum(labels, labels[::-1]), labels.transpose(2, 0, 1)):
        atlas = load_atlas(write(tmp_path, array, "", affine))
        assert len(atlas.regions) == np.count_nonzero(np.unique(array))


@pytest.mark.parametrize("form", ["noisy", "smooth", "of few values", "CT without air"])
def test_grey_values_are_no_atlas(tmp_path, form):
    rng = np.random.default_rng(8)
    tissue = np.choose(grown(40, 1, rng) % 4, [0, 300, 500, 700]) * 1.0
    grey = gaussian_filter(tissue, 1.5)
    if form != "smooth":
        grey += rng.normal(0, 20, grey.shape)
    array = np.where(tissue > 0, grey, 0).clip(0)
    array = np.rint(array / 10 if form == "of few values" else array).astype(np.int16)
    if form == "CT without air":
        array += 1000
    match = r"holds [\d,]+ different values that form no regions .* grey values of a scan"
    with pytest.raises(InputError, match=match):
        load_atlas(write(tmp_path, array, ""))
    verdict = inspect_image(tmp_path / "atlas.nii.gz").as_atlas
    assert verdict.answer == "no"


@pytest.mark.parametrize(("wrong", "is_doubtful"), [(1, False), (2, True), (3, True), (4, True)])
def test_a_quarter_of_sides_misplaced_doubts_all_names(tmp_path, capsys, wrong, is_doubtful):
    """Of eight regions; more than half are a swap."""
    array = np.zeros(SHAPE, np.uint8)
    array[0, :4, 0], array[5, :4, 0] = [1, 2, 3, 4], [5, 6, 7, 8]
    sides = ["L"] * 4 + ["R"] * 4
    sides[:wrong] = ["R"] * wrong
    table = "index,name\n" + "".join(f"{n},Area {n} {side}\n" for n, side in enumerate(sides, 1))
    path = write(tmp_path, array, table)
    doubts = [note for note in load_atlas(path).notes if note.startswith(DOUBTFUL)]
    assert bool(doubts) == is_doubtful
    assert_note(
        load_atlas(path), "on the side opposite to their name" if is_doubtful else "label 1"
    )
    if is_doubtful:
        assert f"{wrong} of 8 regions, label 1" in doubts[0]


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("kind", ["labels", "maps"])
def test_regions_on_the_other_side_than_their_names_say_are_told(tmp_path, kind, swapped):
    array = np.zeros((*SHAPE, 2), np.uint8)
    array[:2, ..., 0] = array[5:, ..., 1] = 100  # x from -7 mm
    array = array[::-1] if swapped else array
    if kind == "labels":
        array = np.uint8(1) * (array[..., 0] > 0) + np.uint8(2) * (array[..., 1] > 0)
    atlas = load_atlas(write(tmp_path, array, "index,name\n1,Insula_L\n2,Insula_R\n"))
    assert any("left and right are swapped: 2 of 2" in note for note in atlas.notes) == swapped


def test_maps_a_little_beside_the_others_are_told(tmp_path):
    folder = write_maps(tmp_path / "maps")
    moved = AFFINE + 0.25 * np.eye(4, k=3)
    nib.save(image(PERCENT[..., 1], moved), folder / "Insula.nii.gz")
    note = "1 of 3 maps, such as Insula.nii.gz, lie up to 0.25 mm beside Brainstem.nii.gz"
    assert_note(load_atlas(folder), note)


def test_progress_is_told_and_may_end_the_reading(tmp_path):
    def stop(done, total):
        raise InterruptedError(f"{done} of {total}")

    for path in (write(tmp_path / "image"), write_maps(tmp_path / "maps")):
        steps = []
        load_atlas(path, progress=lambda *step, steps=steps: steps.append(step))
        assert steps == [(1, 3), (2, 3), (3, 3)]
        with pytest.raises(InterruptedError, match="1 of 3"):
            load_atlas(path, progress=stop)


# What is not an atlas.


INTERPOLATED = np.where(LABELS == 3, 1.5, LABELS).astype("f4")


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (INTERPOLATED, r"labels are not whole numbers, such as 1\.5"),
        (LABELS * 0, "atlas is empty"),
        (PERCENT.astype(np.int16) * 3, "values up to 300"),
        (with_value(-0.2), "negative value -0.2"),
        (with_value(np.inf), "infinite value"),
        (PERCENT * 0, "atlas is empty"),
        (np.minimum(PERCENT, 99) * np.uint8(2), r"colour picture \(RGB\): 3 volumes"),
        (np.zeros(SHAPE, [(name, "u1") for name in "RGB"]), "colour image"),
        (np.zeros(SHAPE, [(name, "u1") for name in "RGBA"]), "colour image"),
    ],
)
def test_what_is_no_atlas_is_refused_for_what_it_is(tmp_path, array, match):
    with pytest.raises(InputError, match=rf"atlas\.nii\.gz: .*{match}"):
        load_atlas(write(tmp_path, array))


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda data: data[:-60], "truncated|damaged"),
        (lambda data: data[:-8] + b"\0\0\0\0" + data[-4:], "checksum does not match"),
        (lambda data: gzip.compress(gzip.decompress(data)[:-200]), "truncated"),
    ],
    ids=["cut", "checksum", "volumes missing"],
)
def test_damage_is_named(tmp_path, damage, match):
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
    assert_note(atlas, "extra bytes after the image")


def test_no_more_than_a_few_volumes_are_held(tmp_path):
    array = np.zeros((40, 40, 40, 60), np.float32)
    array[10:12, 10:12, 10:12] = 1
    path = write(tmp_path, array, "")
    load_atlas(write(tmp_path / "small"))  # imports what is imported late

    def after_first(done, _total):
        # Asking the system for a file's bytes reserves room that is never touched.
        if done == 1:
            tracemalloc.reset_peak()

    atlases = []
    peak = peak_of(lambda: atlases.append(load_atlas(path, progress=after_first)))
    assert atlases[0].voxel_counts == [8] * 60
    assert peak < 8 * array.nbytes // 60


def test_the_maps_of_a_folder_are_single_and_on_one_grid(tmp_path):
    write(write_maps(tmp_path))
    with pytest.raises(InputError, match=r"atlas\.nii\.gz: several volumes: 3 in one file"):
        load_atlas(tmp_path)
    write(tmp_path, PERCENT[..., 0], "", AFFINE * [[1.5], [1], [1], [1]])
    with pytest.raises(InputError, match=r"is not on the grid of .*: voxel size"):
        load_atlas(tmp_path)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_maps_of_different_scales_are_refused(tmp_path, dtype):
    write_maps(tmp_path, PERCENT.astype(np.float32))
    nib.save(image(np.zeros(SHAPE, dtype)), tmp_path / "Empty.nii.gz")
    nib.save(image((PERCENT[..., 1] > 50).astype(dtype)), tmp_path / "Insula.nii.gz")
    match = "Insula.nii.gz: values up to 1, while those of Brainstem.nii.gz go up to 100; bring"
    with pytest.raises(InputError, match=match):
        load_atlas(tmp_path)


SERIES = np.random.default_rng(1).integers(20, 100, (*SHAPE, 9)).astype(np.int16)


@pytest.mark.parametrize(
    ("array", "seconds", "unit", "is_series"),
    [
        (SERIES, 2, "sec", True),
        (SERIES, 2000, "msec", True),
        (PERCENT, 1, "sec", False),  # of regions
        (SERIES, 0, "sec", False),
        (SERIES, 1, "unknown", False),
    ],
)
def test_values_like_percent_are_refused_where_they_are_a_time_series(
    tmp_path, array, seconds, unit, is_series
):
    bold = image(array)
    bold.header.set_xyzt_units("mm", unit)
    bold.header["pixdim"][4] = seconds
    nib.save(bold, tmp_path / "bold.nii")
    if is_series:
        match = "looks like a time series: 9 volumes with a repetition time, .* 544 on"
        with pytest.raises(InputError, match=match):
            load_atlas(tmp_path / "bold.nii")
    else:
        np.testing.assert_array_equal(dense(load_atlas(tmp_path / "bold.nii")), array / 100)
