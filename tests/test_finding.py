"""Atlases found in a folder: an image with its table, or a folder of maps with theirs."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from phantoms import SHAPE, image, random_masks, write_masks

from lesion_dash.analyses.check import check_path
from lesion_dash.atlas.finding import find_atlases, find_label_table, list_atlases, name_atlases
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.dashboard.data_root import DataRoot

LABELS = np.random.default_rng(3).integers(0, 3, SHAPE).astype(np.int16)
CHANCES = np.random.default_rng(3).random((*SHAPE, 2)).astype(np.float32)
TABLES = {
    "aal.nii.txt": "1 a\n2 b\n",
    "aal.csv": "index,name\n1,a\n2,b\n",
    "aal.json": '{"1": "a", "2": "b"}',
    "aal.label": '1 255 0 0 1 1 1 "a"\n2 0 255 0 1 1 1 "b"\n',
    "aal.xml": "<atlas><data><label index='1'>a</label><label index='2'>b</label></data></atlas>",
    "AAL_LUT.txt": "1 a 1 2 3 0\n2 b 4 5 6 0\n",
    "labels-aal_dseg.tsv": "index\tname\n1\ta\n2\tb\n",
}


@pytest.mark.parametrize("array", [LABELS, CHANCES], ids=["labels", "probabilities"])
@pytest.mark.parametrize("name", TABLES)
def test_image_and_table_of_any_format_are_a_pair(tmp_path, name, array):
    nib.save(image(array), tmp_path / "aal.nii.gz")
    (tmp_path / name).write_text(TABLES[name])
    assert find_atlases(tmp_path) == {"aal": (tmp_path / "aal.nii.gz", tmp_path / name)}
    assert DataRoot(tmp_path).atlases == find_atlases(tmp_path)
    regions = load_atlas(tmp_path / "aal.nii.gz").regions
    assert [region.name for region in regions] == ["a", "b"]


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
    (tmp_path / table_name).write_text(TABLES["aal.csv"])
    table = tmp_path / table_name if belongs else None
    assert find_label_table(tmp_path / image_name) == table


def write_maps(folder, table="index,name\n1,a\n2,b\n", name="labels.csv"):
    folder.mkdir()
    for place in (0, 1):
        nib.save(image(CHANCES[..., place]), folder / f"map_{place}.nii.gz")
    (folder / name).write_text(table)
    return folder


def test_a_folder_of_maps_with_a_table_is_an_atlas(tmp_path):
    folder = write_maps(tmp_path / "tracts")
    assert find_atlases(tmp_path) == {"tracts": (folder, folder / "labels.csv")}
    assert DataRoot(tmp_path).atlases == find_atlases(tmp_path)
    assert [region.name for region in load_atlas(folder).regions] == ["a", "b"]


def test_check_takes_a_folder_of_maps_for_the_atlas_it_is(tmp_path):
    folder = write_maps(tmp_path / "tracts")
    report = check_path(folder)
    assert report.sentence == "1 used, 0 skipped, 1 with warnings"
    assert "probabilities from 0 to 1" in report.files[0].reasons[0]
    (folder / "labels.csv").unlink()
    assert check_path(folder).sentence == "0 used, 2 skipped, 0 with warnings"


def test_check_takes_a_folder_of_masks_with_such_a_table_for_masks(tmp_path):
    folder = write_masks(tmp_path / "masks", random_masks(2))
    (folder / "labels.csv").write_text("index,name\n1,a\n2,b\n")
    assert check_path(folder).counts["used"] == 2


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("index,name\n1,a\n2,b\n3,c\n", "labels.csv"),  # a row too many
        ("index,name\n1,a\n2,b\n", "scanners.csv"),  # of something else
    ],
)
def test_a_folder_of_masks_with_some_table_is_no_atlas(tmp_path, table, name):
    write_maps(tmp_path / "tracts", table, name)
    assert find_atlases(tmp_path) == {}
    assert DataRoot(tmp_path).atlases == {}


def test_a_sidecar_of_a_mask_is_no_label_table(tmp_path):
    write_masks(tmp_path, random_masks(2), names=["sub-1.nii.gz", "sub-2.nii.gz"])
    (tmp_path / "sub-1.json").write_text('{"Sources": ["a"], "SpatialReference": "MNI"}')
    assert find_atlases(tmp_path) == {}


FSL = """<?xml version="1.0" encoding="ISO-8859-1"?>
<atlas version="1.0"><header><name>Two</name><type>Probabilistic</type><images>
<imagefile>/Two/Two-prob-2mm</imagefile>
<summaryimagefile>/Two/Two-maxprob-thr25-2mm</summaryimagefile></images></header>
<data><label index="0" x="1" y="1" z="1">a</label><label index="1" x="2" y="2" z="2">b</label>
</data></atlas>"""


@pytest.mark.parametrize("place", [".", "Two"])
def test_a_table_of_fsl_names_its_images_beside_or_below_it(tmp_path, place):
    (tmp_path / "Two").mkdir()
    (tmp_path / place / "Atlas-of-Two.xml").write_text(FSL)
    images = {"Two-prob-2mm": CHANCES, "Two-prob-1mm": CHANCES, "Two-maxprob-thr0-2mm": LABELS}
    for name, array in images.items():
        nib.save(image(array), tmp_path / "Two" / f"{name}.nii.gz")
    nib.save(image(LABELS), tmp_path / "Two" / "Three-maxprob-thr0-2mm.nii.gz")
    atlases = find_atlases(tmp_path)
    assert {name: table.name for name, (_, table) in atlases.items()} == dict.fromkeys(
        images, "Atlas-of-Two.xml"
    )
    assert DataRoot(tmp_path).atlases == atlases
    chances = load_atlas(atlases["Two-prob-1mm"][0])
    assert [(region.label, region.name) for region in chances.regions] == [(0, "a"), (1, "b")]
    labels = load_atlas(atlases["Two-maxprob-thr0-2mm"][0])
    assert labels.names == {0: "outside the atlas", 1: "a", 2: "b"}
    assert any("numbers plus 1" in note for note in labels.notes)


def test_tables_above_the_data_root_are_not_read(tmp_path):
    (tmp_path / "Two").mkdir()
    (tmp_path / "Two.xml").write_text(FSL)
    nib.save(image(CHANCES), tmp_path / "Two" / "Two-prob-2mm.nii.gz")
    assert DataRoot(tmp_path / "Two").atlases == {}
    assert list(DataRoot(tmp_path).atlases) == ["Two-prob-2mm"]


def test_what_is_listed_is_what_is_loaded(tmp_path):
    nib.save(image(LABELS), tmp_path / "aal.nii.gz")
    (tmp_path / "aal.csv").write_text("index,name\n0,Background\n1,a\n2,b\n")
    nib.save(image(CHANCES), tmp_path / "chance.nii.gz")
    (tmp_path / "chance.csv").write_text("index,name\n0,a\n1,b\n")
    write_maps(tmp_path / "tracts")
    listed = {atlas.name: atlas for atlas in list_atlases(tmp_path)}
    assert {name: atlas.kind for name, atlas in listed.items()} == {
        "aal": "labels",
        "chance": "probabilities",
        "tracts": "probabilities",
    }
    for atlas in listed.values():
        assert len(load_atlas(atlas.place).regions) == atlas.regions == 2
    assert listed["aal"].space == "MNI152"


def test_an_atlas_that_cannot_be_read_is_listed_with_the_reason(tmp_path):
    (tmp_path / "aal.nii.gz").write_bytes(b"no image")
    (tmp_path / "aal.csv").write_text("index,name\n1,a\n")
    (unreadable,) = list_atlases(tmp_path)
    assert unreadable.kind == "unreadable"
    assert "not a gzip file" in unreadable.credit


def test_atlases_of_one_name_are_told_apart(tmp_path):
    for place in ("aal.nii.gz", "fine/aal.nii", "fine/other.nii"):
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        nib.save(image(LABELS), path)
        path.with_name(f"{path.name.partition('.')[0]}.csv").write_text("index,name\n1,a\n2,b\n")
    atlases = find_atlases(tmp_path)
    assert set(atlases) == {"aal", "fine/aal", "other"}
    assert atlases["fine/aal"][0] == tmp_path / "fine" / "aal.nii"
    assert DataRoot(tmp_path).atlases == atlases
    twins = [tmp_path / "aal.nii", tmp_path / "aal.nii.gz"]
    assert name_atlases(twins, tmp_path) == ["aal.nii", "aal.nii.gz"]


def test_a_folder_that_is_an_atlas_itself_has_its_own_name(tmp_path):
    write_maps(tmp_path / "tracts")
    assert list(find_atlases(tmp_path / "tracts")) == ["tracts"]
    assert list(DataRoot(tmp_path / "tracts").atlases) == ["tracts"]
