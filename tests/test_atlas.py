"""Atlases: names, grids, and nearest neighbours through the world."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
from phantoms import AFFINE, image

from lesion_dash.atlas.finding import find_atlases, find_label_table
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid

SHAPE = (6, 5, 7)
LABELS = np.random.default_rng(2).integers(0, 4, SHAPE).astype(np.int16)
TABLE = "index,name\n1,one L\n2,two R\n3,three\n"


def write(folder, labels=LABELS, affine=AFFINE, table=TABLE, name="atlas"):
    folder.mkdir(parents=True, exist_ok=True)
    nib.save(image(labels, affine), folder / f"{name}.nii.gz")
    if table:
        (folder / f"{name}.csv").write_text(table)
    return folder / f"{name}.nii.gz"


def nearest_by_hand(labels, affine, grid):
    """Every voxel on its own: the nearest atlas voxel, ties to the left, back and below."""
    found = np.zeros(grid.shape, labels.dtype)
    for voxel in np.ndindex(*grid.shape):
        mm = nib.affines.apply_affine(grid.affine, voxel) - 0.001
        own = np.floor(nib.affines.apply_affine(np.linalg.inv(affine), mm) + 0.5).astype(int)
        if all(0 <= i < n for i, n in zip(own, labels.shape, strict=True)):
            found[voxel] = labels[tuple(own)]
    return found


GRIDS = {
    "half the voxels": Grid((11, 9, 13), AFFINE @ np.diag([0.5, 0.5, 0.5, 1])),
    "larger": Grid((4, 4, 4), AFFINE @ np.diag([1.5, 1.5, 2, 1])),
    "mirrored": Grid(SHAPE, AFFINE @ nib.affines.from_matvec(np.diag([-1.0, 1, 1]), [5, 0, 0])),
    "oblique": Grid(
        (8, 8, 8),
        nib.affines.from_matvec(nib.eulerangles.euler2mat(0.3, 0.2, 0.1) * 1.3, [-8, -9, -7]),
    ),
}


@pytest.mark.parametrize("case", GRIDS)
def test_bringing_to_a_grid_is_nearest_neighbour_in_the_world(tmp_path, case):
    atlas = load_atlas(write(tmp_path)).on_grid(GRIDS[case])
    np.testing.assert_array_equal(atlas.labels, nearest_by_hand(LABELS, AFFINE, GRIDS[case]))
    assert any("onto the map's grid" in note for note in atlas.notes)


def test_a_mirrored_or_permuted_copy_of_an_atlas_gives_the_same(tmp_path):
    fine = GRIDS["half the voxels"]
    expected = load_atlas(write(tmp_path)).on_grid(fine).labels
    flip = nib.affines.from_matvec(np.diag([-1.0, 1, 1]), [5, 0, 0])
    mirrored = load_atlas(write(tmp_path / "m", LABELS[::-1], AFFINE @ flip)).on_grid(fine)
    np.testing.assert_array_equal(mirrored.labels, expected)
    turned = LABELS.transpose(1, 2, 0)
    permuted = load_atlas(write(tmp_path / "p", turned, AFFINE[:, [1, 2, 0, 3]])).on_grid(fine)
    np.testing.assert_array_equal(permuted.labels, expected)


def test_the_own_grid_changes_nothing(tmp_path):
    atlas = load_atlas(write(tmp_path))
    assert atlas.on_grid(Grid(SHAPE, AFFINE + 1e-5 * np.eye(4)[:, [3, 3, 3, 3]])) is atlas


def test_an_atlas_elsewhere_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not overlap"):
        load_atlas(write(tmp_path)).on_grid(
            Grid(SHAPE, AFFINE + 500 * np.eye(4)[:, [0, 1, 2, 0]] * [0, 0, 0, 1])
        )


def test_a_region_is_named_by_its_place(tmp_path):
    atlas = load_atlas(write(tmp_path))
    for voxel in ((0, 0, 0), (3, 2, 1), (5, 4, 6)):
        assert atlas.region_at(atlas.grid.to_mm(voxel)) == atlas.names[LABELS[voxel]]
    assert atlas.region_at([300, 0, 0]) == "outside the atlas"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("index,name\n1,a\n2,b\n", "label without a name: 3"),
        (TABLE + "9,ghost\n", "region without voxels: label 9"),
        ("", "no label table found"),
    ],
)
def test_table_and_image_that_differ_are_kept_and_flagged(tmp_path, table, words):
    atlas = load_atlas(write(tmp_path, table=table))
    assert words in " ".join(atlas.notes)
    assert {region.label for region in atlas.regions} >= {1, 2, 3}


def test_labels_of_any_size_with_gaps_are_kept(tmp_path):
    large = np.array([0, 2001, 9170, 2_000_000_000])[LABELS]
    table = "1 one L 2001\n2 two R 9170\n3 three 2000000000\n"
    atlas = load_atlas(write(tmp_path, large.astype(np.int64), table=table))
    np.testing.assert_array_equal(atlas.labels, large)
    assert [(region.label, region.name) for region in atlas.regions] == [
        (2001, "one L"),
        (9170, "two R"),
        (2_000_000_000, "three"),
    ]
    assert any("third column" in note for note in atlas.notes)


def test_labels_behind_a_scale_are_the_nearest_whole_numbers(tmp_path):
    # A scale of 0.076 stores 0.988, 1.976 and 2.964 for 1, 2 and 3: half a step off at most.
    path = write(tmp_path, np.array([0, 13, 26, 39], np.uint8)[LABELS])
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[112:116] = np.float32(0.076).tobytes()
    path.write_bytes(gzip.compress(data))
    assert not float(nib.load(path).get_fdata().max()).is_integer()
    np.testing.assert_array_equal(load_atlas(path).labels, LABELS)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_float_labels_are_whole_and_nan_is_background(tmp_path, dtype):
    values = np.where(LABELS == 0, np.nan, LABELS).astype(dtype)
    atlas = load_atlas(write(tmp_path, values))
    np.testing.assert_array_equal(atlas.labels, LABELS)
    assert any("NaN treated as background" in note for note in atlas.notes)
    with pytest.raises(InputError, match=r"labels are not whole numbers, such as 1\.5"):
        load_atlas(write(tmp_path, np.where(LABELS == 3, 1.5, LABELS).astype(dtype)))


def test_an_image_without_labels_is_refused(tmp_path):
    with pytest.raises(InputError, match="atlas is empty"):
        load_atlas(write(tmp_path, labels=LABELS * 0))


@pytest.mark.parametrize(
    ("image_name", "table_name", "belongs"),
    [
        ("BN_Atlas_246_2mm.nii.gz", "BN_Atlas_246_LUT.txt", True),
        ("aal.nii.gz", "aal.nii.txt", True),
        ("atlas_harvard_oxford.nii.gz", "labels_harvard_oxford.csv", True),
        ("atlas_aal.nii.gz", "atlas_destrieux.csv", False),
        ("atlas.nii.gz", "README.txt", False),
        ("sub-001_lesion.nii.gz", "participants.tsv", False),
    ],
)
def test_a_table_belongs_to_the_image_it_is_named_after(tmp_path, image_name, table_name, belongs):
    nib.save(image(LABELS), tmp_path / image_name)
    (tmp_path / table_name).write_text(TABLE)
    found = find_label_table(tmp_path / image_name)
    assert found == (tmp_path / table_name if belongs else None)


def test_a_text_that_is_no_table_does_not_stop_an_atlas(tmp_path):
    path = write(tmp_path, table="")
    path.with_name("atlas.txt").write_text("See the paper.")
    assert "no label table found" in " ".join(load_atlas(path).notes)


def test_atlases_of_one_name_are_told_apart(tmp_path):
    for folder in ("1mm", "2mm"):
        write(tmp_path / folder)
    assert set(find_atlases(tmp_path)) == {"1mm/atlas", "2mm/atlas"}


def test_the_readout_agrees_with_the_table_at_every_tie(tmp_path):
    atlas, fine = load_atlas(write(tmp_path)), GRIDS["half the voxels"]
    local = atlas.on_grid(fine)
    for voxel in np.ndindex(*fine.shape):
        assert atlas.region_at(fine.to_mm(voxel)) == local.names[int(local.labels[voxel])]


def test_a_map_where_the_atlas_has_nothing_lies_outside_it(tmp_path):
    corner = np.zeros(SHAPE, np.int16)
    corner[0, 0, 0] = 1
    small = Grid((2, 2, 2), AFFINE @ nib.affines.from_matvec(np.eye(3), [3, 3, 3]))
    assert not load_atlas(write(tmp_path, labels=corner)).on_grid(small).labels.any()


def test_a_nibabel_image_is_an_atlas_too(tmp_path):
    path = write(tmp_path)
    atlas = load_atlas(image(LABELS), path.with_name("atlas.csv"))
    np.testing.assert_array_equal(atlas.labels, LABELS)
    assert atlas.names[1] == "one L"


def test_the_sources_of_an_atlas_are_known(tmp_path):
    import hashlib

    path = write(tmp_path)
    files = (path, path.with_name("atlas.csv"))
    expected = {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    assert load_atlas(path).sources == expected


def test_atlases_are_found_by_pairing_image_and_table(tmp_path):
    image_path = write(tmp_path / "one")
    write(tmp_path / "alone", table="", name="b")
    found = find_atlases(tmp_path)
    assert list(found) == ["atlas"]
    assert found["atlas"][0] == image_path


def test_the_sample_atlas_is_what_its_names_say(sample_data):
    atlas = load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz")
    assert atlas.notes == ()
    assert len(atlas.regions) == len(atlas.table) > 40
