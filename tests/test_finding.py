"""Atlases found in a folder: an image with its table, or maps with theirs; and what fits not."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from atlases import listed_atlases, pairs, write_atlas
from phantoms import SHAPE, image, random_masks, write_masks

from lesion_dash import cli
from lesion_dash.analyses.validation import check_path
from lesion_dash.atlas.finding import find_atlases, find_label_table, list_atlases, name_atlases
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.core.errors import InputError

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


def write_maps(folder):
    for place in (0, 1):
        write_atlas(folder / f"map_{place}.nii.gz", CHANCES[..., place])
    (folder / "labels.csv").write_text(TABLES["aal.csv"])
    return folder


def found(folder):
    """Name and image and table of each atlas, as the library and the dashboard find them."""
    atlases = find_atlases(folder)
    assert listed_atlases(folder) == atlases
    return atlases


@pytest.mark.parametrize("array", [LABELS, CHANCES], ids=["labels", "probabilities"])
@pytest.mark.parametrize("name", TABLES)
def test_image_and_table_of_any_format_are_a_pair(tmp_path, name, array):
    path = write_atlas(tmp_path / "aal.nii.gz", array)
    (tmp_path / name).write_text(TABLES[name])
    assert found(tmp_path) == {"aal": (path, tmp_path / name)}
    assert [region.name for region in load_atlas(path).regions] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "table_name", "belongs"),
    [
        ("BN_Atlas_246_2mm.nii.gz", "BN_Atlas_246_LUT.txt", True),
        ("atlas_harvard_oxford.nii.gz", "labels_harvard_oxford.csv", True),
        ("atlas_aal.nii.gz", "atlas_destrieux.csv", False),
        ("atlas.nii.gz", "README.txt", False),
        ("sub-001_lesion.nii.gz", "participants.tsv", False),
    ],
)
def test_a_table_belongs_to_the_image_it_is_named_after(tmp_path, name, table_name, belongs):
    path = write_atlas(tmp_path / name, LABELS)
    (tmp_path / table_name).write_text(TABLES["aal.csv"])
    assert find_label_table(path) == (tmp_path / table_name if belongs else None)


def test_a_folder_of_maps_is_an_atlas_with_its_table_alone(tmp_path):
    folder = write_maps(tmp_path / "tracts")
    for root in (tmp_path, folder):
        assert found(root) == {"tracts": (folder, folder / "labels.csv")}
    assert [region.name for region in load_atlas(folder).regions] == ["a", "b"]
    report = check_path(folder)
    assert report.sentence == "1 used, 0 skipped, 1 with warnings"
    assert "probabilities from 0 to 1" in report.files[0].reasons[0]
    (folder / "labels.csv").rename(folder / "scanners.csv")  # of something else
    assert found(tmp_path) == {}
    (folder / "scanners.csv").unlink()
    assert check_path(folder).sentence == "0 used, 2 skipped, 0 with warnings"
    (folder / "labels.csv").write_text(TABLES["aal.csv"] + "3,c\n")  # a row too many
    assert found(tmp_path) == {}


def test_masks_with_a_table_or_a_sidecar_are_no_atlas(tmp_path):
    write_masks(tmp_path, random_masks(2), names=["sub-1.nii.gz", "sub-2.nii.gz"])
    (tmp_path / "sub-1.json").write_text('{"Sources": ["a"], "SpatialReference": "MNI"}')
    assert found(tmp_path) == {}
    (tmp_path / "labels.csv").write_text(TABLES["aal.csv"])
    assert check_path(tmp_path).counts["used"] == 2


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
    for name, array in {**images, "Three-maxprob-thr0-2mm": LABELS}.items():
        nib.save(image(array), tmp_path / "Two" / f"{name}.nii.gz")
    atlases = found(tmp_path)
    tables = {name: table.name for name, (_, table) in atlases.items()}
    assert tables == dict.fromkeys(images, "Atlas-of-Two.xml")
    # A table above the data root is not read.
    assert bool(listed_atlases(tmp_path / "Two")) == (place == "Two")
    chances = load_atlas(atlases["Two-prob-1mm"][0])
    assert pairs(chances.regions) == [(0, "a"), (1, "b")]
    labels = load_atlas(atlases["Two-maxprob-thr0-2mm"][0])
    assert labels.names == {0: "outside the atlas", 1: "a", 2: "b"}
    assert any("numbers plus 1" in note for note in labels.notes)


def test_what_is_listed_is_what_is_loaded_or_why_it_is_not(tmp_path):
    write_atlas(tmp_path / "aal.nii.gz", LABELS, "index,name\n0,Background\n1,a\n2,b\n")
    write_atlas(tmp_path / "chance.nii.gz", CHANCES, "index,name\n0,a\n1,b\n")
    write_atlas(tmp_path / "damaged.nii.gz", LABELS, TABLES["aal.csv"]).write_bytes(b"no image")
    write_maps(tmp_path / "tracts")
    listed = {atlas.name: atlas for atlas in list_atlases(tmp_path)}
    damaged = listed.pop("damaged")
    assert damaged.kind == "unreadable"
    assert "not a gzip file" in damaged.credit
    assert {name: atlas.kind for name, atlas in listed.items()} == {
        "aal": "labels",
        "chance": "probabilities",
        "tracts": "probabilities",
    }
    for atlas in listed.values():
        assert len(load_atlas(atlas.place).regions) == atlas.regions == 2
    assert listed["aal"].space == "MNI152"


def test_atlases_of_one_name_are_told_apart(tmp_path):
    for place in ("aal.nii.gz", "fine/aal.nii", "fine/other.nii"):
        write_atlas(tmp_path / place, LABELS, TABLES["aal.csv"])
    atlases = found(tmp_path)
    assert set(atlases) == {"aal", "fine/aal", "other"}
    assert atlases["fine/aal"][0] == tmp_path / "fine" / "aal.nii"
    twins = [tmp_path / "aal.nii", tmp_path / "aal.nii.gz"]
    assert name_atlases(twins, tmp_path) == ["aal.nii", "aal.nii.gz"]


# An image and a table that do not belong together, and what is not an atlas.

TWENTY = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 21
QUESTION = "is it the table of this atlas?"


def write_numbered(folder, array=TWENTY, labels=range(1, 21), name="atlas"):
    """An image and, where labels are given, a table that names them."""
    rows = [f"{label},region {label}" for label in labels]
    table = "\n".join(["index,name", *rows]) if rows else ""
    return write_atlas(folder / f"{name}.nii.gz", array.astype(np.uint8), table)


MAPS = np.stack([label == TWENTY for label in range(1, 21)], axis=-1)


@pytest.mark.parametrize(
    ("labels", "question"),
    [
        (range(1, 19), ""),
        (range(1, 18), "the table names 17 of the image's 20 labels"),
        (range(1, 11), "the table names 10 of the image's 20 labels"),
        (range(1, 23), ""),
        (range(1, 24), "the image has 20 of the table's 23 labels"),
    ],
)
@pytest.mark.parametrize("form", ["labels", "image of maps", "folder of maps"])
def test_a_table_that_fits_badly_is_asked_about_first(tmp_path, form, labels, question):
    path = write_numbered(tmp_path, TWENTY if form == "labels" else MAPS, labels)
    if form == "folder of maps":
        for place in range(20):
            write_atlas(tmp_path / f"m{place}.nii.gz", MAPS[..., place].astype(np.uint8))
        path.unlink()
    notes = load_atlas(tmp_path).notes
    questions = [place for place, note in enumerate(notes) if note.endswith(QUESTION)]
    assert questions == ([0] if question else [])
    assert not question or notes[0] == f"{question}: {QUESTION}"


def test_image_and_table_that_lack_part_of_each_other_are_one_question(tmp_path):
    note = load_atlas(write_numbered(tmp_path, labels=range(6, 26))).notes[0]
    assert "names 15 of the image's 20 labels and the image has 15 of the table's 20" in note
    with pytest.raises(InputError, match="names 0 of the image's 20 labels"):
        load_atlas(write_numbered(tmp_path, labels=range(101, 121)))


@pytest.mark.parametrize("array", [TWENTY, MAPS], ids=["labels", "probabilities"])
def test_a_table_that_names_fewer_than_half_is_refused(tmp_path, array):
    path = write_numbered(tmp_path, array, range(1, 10))
    with pytest.raises(InputError, match=r"atlas\.csv: names 9 of the image's 20 labels"):
        load_atlas(path)
    with pytest.raises(InputError, match="give the table of this atlas with --labels"):
        load_atlas(write_numbered(tmp_path / "b", array), path.with_name("atlas.csv"))


def test_a_mask_is_no_atlas_unless_its_table_says_so(tmp_path):
    mask = write_numbered(tmp_path, TWENTY == 1, labels=())
    for source in (mask, nib.load(mask)):
        with pytest.raises(InputError, match=r"holds a single label .* it is a mask, not an atlas"):
            load_atlas(source)
    (tmp_path / "one.csv").write_text("index,name\n1,the only one\n")
    (region,) = load_atlas(mask, tmp_path / "one.csv").regions
    assert region.name == "the only one"


@pytest.mark.parametrize("command", ["load", "assign"])
def test_a_doubtful_table_is_told_beside_the_results(tmp_path, capsys, command):
    atlas = write_numbered(tmp_path / "a", labels=range(1, 18))
    mask = write_numbered(tmp_path / "masks", TWENTY > 15, labels=(), name="sub-1")
    source = mask if command == "assign" else mask.parent
    out = tmp_path / "o" / ("o.csv" if command == "assign" else "")
    assert cli.main([command, str(source), "--atlas", str(atlas), "-o", str(out)]) == 0
    shown = capsys.readouterr()
    assert "note: atlas: the table names 17 of the image's 20 labels: " in shown.err
    assert QUESTION not in shown.out


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("aal", r"^aal: file not found; did you mean nilearn:aal\?"),
        ("schaefer_400", "did you mean nilearn:schaefer_400"),
        ("nilearn:aal3", "did you mean nilearn:aal"),
        ("aal.nii", "check the spelling of the path"),
    ],
)
def test_a_name_that_is_not_known_is_answered_with_one_that_is(name, match):
    with pytest.raises(InputError, match=match):
        load_atlas(name)


def test_a_folder_that_is_not_one_atlas_is_told_from_one(tmp_path):
    with pytest.raises(InputError, match="holds no image; give an atlas image or a folder"):
        load_atlas(tmp_path)
    path = write_numbered(tmp_path / "one")
    write_numbered(tmp_path / "two")
    with pytest.raises(InputError, match=r"no image itself, but 2 atlases") as caught:
        load_atlas(tmp_path)
    assert str(path) in str(caught.value)
    assert f"lesion-dash atlases --atlases {tmp_path}" in str(caught.value)
    write_numbered(tmp_path / "one", name="other")
    with pytest.raises(InputError, match="holds 2 atlases, each with its own label table"):
        load_atlas(tmp_path / "one")
