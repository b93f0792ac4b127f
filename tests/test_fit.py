"""A label table that belongs to another atlas, a mask given as an atlas, and atlases not found."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from phantoms import SHAPE, image

from lesion_dash import cli
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.core.errors import InputError

TWENTY = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 21
QUESTION = "is it the table of this atlas?"


def write(folder, array=TWENTY, labels=range(1, 21), name="atlas"):
    """An image and, where labels are given, a table that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    nib.save(image(array.astype(np.uint8)), folder / f"{name}.nii.gz")
    if labels:
        rows = [f"{label},region {label}" for label in labels]
        (folder / f"{name}.csv").write_text("\n".join(["index,name", *rows]))
    return folder / f"{name}.nii.gz"


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
    path = write(tmp_path, TWENTY if form == "labels" else MAPS, labels)
    if form == "folder of maps":
        for place in range(20):
            nib.save(image(MAPS[..., place].astype(np.uint8)), tmp_path / f"m{place}.nii.gz")
        path.unlink()
        path = tmp_path
    notes = load_atlas(path).notes
    assert [note for note in notes if note.endswith(QUESTION)] == (
        [f"{question}: {QUESTION}"] if question else []
    )
    assert not question or notes[0].endswith(QUESTION)


def test_image_and_table_that_lack_part_of_each_other_are_one_question(tmp_path):
    note = load_atlas(write(tmp_path, labels=range(6, 26))).notes[0]
    assert "names 15 of the image's 20 labels and the image has 15 of the table's 20" in note
    with pytest.raises(InputError, match="names 0 of the image's 20 labels"):
        load_atlas(write(tmp_path, labels=range(101, 121)))


@pytest.mark.parametrize("array", [TWENTY, MAPS], ids=["labels", "probabilities"])
def test_a_table_that_names_fewer_than_half_is_refused(tmp_path, array):
    path = write(tmp_path, array, range(1, 10))
    with pytest.raises(InputError, match=r"atlas\.csv: names 9 of the image's 20 labels"):
        load_atlas(path)
    with pytest.raises(InputError, match="give the table of this atlas with --labels"):
        load_atlas(write(tmp_path / "b", array), path.with_name("atlas.csv"))


def test_a_mask_is_no_atlas_unless_its_table_says_so(tmp_path):
    mask = write(tmp_path, TWENTY == 1, labels=())
    for source in (mask, nib.load(mask)):
        with pytest.raises(InputError, match=r"holds a single label .* it is a mask, not an atlas"):
            load_atlas(source)
    (tmp_path / "one.csv").write_text("index,name\n1,the only one\n")
    (region,) = load_atlas(mask, tmp_path / "one.csv").regions
    assert region.name == "the only one"


@pytest.mark.parametrize("command", ["load", "assign"])
def test_a_doubtful_table_is_a_warning_before_any_result(tmp_path, capsys, command):
    atlas = write(tmp_path / "a", labels=range(1, 18))
    mask = write(tmp_path / "masks", TWENTY > 15, labels=(), name="sub-1")
    source = mask if command == "assign" else mask.parent
    out = tmp_path / "o" / ("o.csv" if command == "assign" else "")
    assert cli.main([command, str(source), "--atlas", str(atlas), "-o", str(out)]) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("warning: atlas: the table names 17 of the image's 20 labels: ")
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
    path = write(tmp_path / "one")
    write(tmp_path / "two")
    with pytest.raises(InputError, match=r"no image itself, but 2 atlases") as caught:
        load_atlas(tmp_path)
    assert str(path) in str(caught.value)
    assert f"lesion-dash atlases --atlases {tmp_path}" in str(caught.value)
    write(tmp_path / "one", name="other")
    with pytest.raises(InputError, match="holds 2 atlases, each with its own label table"):
        load_atlas(tmp_path / "one")
