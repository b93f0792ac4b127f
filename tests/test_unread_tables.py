"""Label tables named like an image that cannot be read: named with their fault, everywhere."""

from __future__ import annotations

import json

import numpy as np
import pytest
from atlases import listed_atlases, write_atlas
from phantoms import SHAPE

from lesion_dash import cli
from lesion_dash.analyses.validation import check_path
from lesion_dash.atlas.finding import find_atlases, list_atlases
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.dashboard.data_root import DataRoot

LABELS = np.zeros(SHAPE, np.int16)
LABELS[:4], LABELS[6:] = 1, 2
CHANCES = np.stack([LABELS == 1, LABELS == 2], -1).astype(np.float32)
BROKEN = {
    "areas.txt": ("A Precentral left\nB Precentral right\n", "columns id and name not found"),
    "areas.csv": ("id,name\n1.5,a\n2,b\n", "id is not a whole number"),
    "areas.tsv": ("index\tname\n1\ta\n1\tb\n", "id used twice: 1"),
    "areas.lut": ("0.1 0.2 0.3\n0.4 0.5 0.6\n", "columns id and name not found"),
    "areas.xml": ("<atlas><label index='1'>a</atlas>", "XML cannot be read"),
    "areas.json": ('{"1": "a"', "JSON cannot be read"),
    "areas.nii.txt": ("\n", "table is empty"),
    "areas.xlsx": ("PK\x03\x04", "a workbook is not read"),
    "areas_LUT.txt": ("1 a 1 2 3 0\n1 b 4 5 6 0\n", "id used twice: 1"),
}


@pytest.mark.parametrize("array", [LABELS, CHANCES], ids=["labels", "probabilities"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_table_that_is_not_read_is_named_with_its_fault(tmp_path, capsys, name, array):
    text, fault = BROKEN[name]
    path = write_atlas(tmp_path / "areas.nii.gz", array)
    (tmp_path / name).write_text(text)
    expected = f"{name} beside it is not read: "
    (note,) = (note for note in load_atlas(path).notes if note.startswith(expected))
    assert fault in note
    assert "no label table" not in " ".join(load_atlas(path).notes)
    assert load_atlas(tmp_path).notes == load_atlas(path).notes
    # The same in the lists of the command and of the page, and in the check of file and folder.
    assert find_atlases(tmp_path) == listed_atlases(tmp_path) == {"areas": (path, None)}
    (words, value), *_ = DataRoot(tmp_path).atlas_options
    assert value == "areas"
    assert "not read" in words
    (listed,) = list_atlases(tmp_path)
    assert expected in listed.credit
    assert fault in listed.credit
    for place in (tmp_path, path):
        (report,) = check_path(place).files
        assert any(reason.startswith(expected) for reason in report.reasons), place
    mask = write_atlas(tmp_path / "m" / "m.nii.gz", (LABELS == 1).astype(np.uint8))
    out = str(tmp_path / "o.csv")
    assert cli.main(["assign", str(mask), "--atlas", str(path), "-o", out]) == 0
    assert expected in "".join(capsys.readouterr())


def test_what_lies_beside_other_images_is_no_table_of_theirs(tmp_path):
    """A person's text, a sidecar, a table that another one stands in for, one text an image."""
    for name in ("sub-01_lesion", "areas", "both"):
        write_atlas(tmp_path / f"{name}.nii.gz", LABELS)
    (tmp_path / "sub-01_lesion.txt").write_text("volume in mL: 3\n")
    (tmp_path / "areas.json").write_text(json.dumps({"SpatialReference": "MNI152"}))
    (tmp_path / "both.txt").write_text("See the paper.\n")
    (tmp_path / "both.csv").write_text("index,name\n1,a\n2,b\n")
    assert list(find_atlases(tmp_path)) == ["both"]
    assert load_atlas(tmp_path / "both.nii.gz").notes == ()
    for name in ("sub-01_lesion", "areas"):
        assert "no label table found" in load_atlas(tmp_path / f"{name}.nii.gz").notes[0]
    for number in range(12):
        write_atlas(tmp_path / "many" / f"p{number}.nii.gz", LABELS)
        (tmp_path / "many" / f"p{number}.txt").write_text("See the paper.\n")
    assert find_atlases(tmp_path / "many") == {}


def test_a_text_of_something_else_makes_no_atlas_of_a_mask(tmp_path):
    path = write_atlas(tmp_path / "lesion.nii.gz", (LABELS == 1).astype(np.uint8))
    (tmp_path / "lesion.txt").write_text("voxels 3000\nclusters 4\n")
    assert check_path(path).exit_code < 2
    assert not any("table" in reason for reason in check_path(path).files[0].reasons)
