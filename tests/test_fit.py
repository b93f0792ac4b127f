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


def maps(count=20):
    return np.stack([label == TWENTY for label in range(1, count + 1)], axis=-1)


@pytest.mark.parametrize(
    ("labels", "question"),
    [
        (range(1, 21), None),
        (range(1, 19), None),
        (range(1, 18), "the table names 17 of the image's 20 labels: "),
        (range(1, 11), "the table names 10 of the image's 20 labels: "),
        (range(1, 23), None),
        (range(1, 24), "the image has 20 of the table's 23 labels: "),
    ],
)
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
def test_a_table_that_fits_badly_is_asked_about_first(tmp_path, kind, labels, question):
    array = TWENTY if kind == "labels" else maps()
    notes = load_atlas(write(tmp_path, array, labels)).notes
    asked = [note for note in notes if note.endswith(QUESTION)]
    if question is None:
        assert not asked
    else:
        assert notes[0] == asked[0]
        assert question in notes[0]


def test_image_and_table_that_leave_out_part_of_each_other_are_one_question(tmp_path):
    both = (
        "the table names 15 of the image's 20 labels and the image has 15 of the table's 20 labels"
    )
    assert load_atlas(write(tmp_path, labels=range(6, 26))).notes[0] == f"{both}: {QUESTION}"


@pytest.mark.parametrize("array", [TWENTY, maps()], ids=["labels", "probabilities"])
def test_a_table_that_names_fewer_than_half_is_refused(tmp_path, array):
    path = write(tmp_path, array, range(1, 10))
    with pytest.raises(InputError, match=r"atlas\.csv: names 9 of the image's 20 labels"):
        load_atlas(path)
    with pytest.raises(InputError, match="give the table of this atlas with --labels"):
        load_atlas(write(tmp_path / "b", array), path.with_name("atlas.csv"))


def test_numbers_of_another_atlas_are_refused(tmp_path):
    with pytest.raises(InputError, match="names 0 of the image's 20 labels"):
        load_atlas(write(tmp_path, labels=range(101, 121)))


def test_a_folder_of_maps_is_compared_with_its_table(tmp_path):
    folder = tmp_path / "probabilities"
    folder.mkdir()
    for place in range(20):
        nib.save(image((place + 1 == TWENTY).astype(np.uint8)), folder / f"m{place}.nii.gz")
    rows = [f"{label},region {label}" for label in range(1, 26)]
    (folder / "probabilities.csv").write_text("\n".join(["index,name", *rows]))
    assert load_atlas(folder).notes[0] == f"the image has 20 of the table's 25 labels: {QUESTION}"


def test_a_mask_is_no_atlas_unless_its_table_says_so(tmp_path):
    mask = write(tmp_path, TWENTY == 1, labels=())
    with pytest.raises(InputError, match=r"atlas\.nii\.gz: holds a single label .* it is a mask"):
        load_atlas(mask)
    with pytest.raises(InputError, match="it is a mask, not an atlas"):
        load_atlas(nib.load(mask))
    (tmp_path / "one.csv").write_text("index,name\n1,the only one\n")
    assert [region.name for region in load_atlas(mask, tmp_path / "one.csv").regions] == [
        "the only one"
    ]


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


def test_a_name_without_its_prefix_is_completed():
    with pytest.raises(InputError, match=r"^aal: file not found; did you mean nilearn:aal\?"):
        load_atlas("aal")
    with pytest.raises(InputError, match="did you mean nilearn:schaefer_400"):
        load_atlas("schaefer_400")
    with pytest.raises(InputError, match="check the spelling of the path"):
        load_atlas("aal.nii")


def test_a_folder_whose_atlases_lie_deeper_names_one(tmp_path):
    path = write(tmp_path / "all" / "one")
    write(tmp_path / "all" / "two")
    with pytest.raises(InputError, match=r"no image itself, but 2 atlases") as caught:
        load_atlas(tmp_path / "all")
    assert str(path) in str(caught.value)
    assert f"lesion-dash atlases --atlases {tmp_path / 'all'}" in str(caught.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no image; give an atlas image or a folder"):
        load_atlas(tmp_path / "empty")


def test_several_atlases_of_one_folder_are_not_maps_of_one(tmp_path):
    for name in ("first", "second"):
        write(tmp_path, name=name)
    with pytest.raises(InputError, match="holds 2 atlases, each with its own label table"):
        load_atlas(tmp_path)
