"""Label tables: what is read, what is flagged, what is refused."""

from __future__ import annotations

import pytest

from lesion_dash import InputError
from lesion_dash.label_tables import read_label_table

GOOD = {
    "csv": b"index,name\n1,Left a\n2,Right b\n",
    "tsv": b"id\tregion\n1\tLeft a\n2\tRight b\n",
    "semicolon": b"label;name\n1;Left a\n2;Right b\n",
    "mark": b"\xef\xbb\xbfindex,name\n1,Left a\n2,Right b\n",
    "utf-16": "index\tname\n1\tLeft a\n2\tRight b\n".encode("utf-16"),
    "quoted": b'index,name\r\n1,"Left a"\r\n2,"Right b"\r\n',
    "floats": b"index,name\n1.0,Left a\n2.0,Right b\n",
    "lut": b"# colours\n1 Left a 1 2 3 0\n2  Right b  4 5 6 0\n",
    "name first": b"region,value\nLeft a,1\nRight b,2\n",
}

BAD = {
    "empty": (b"\n", "table is empty"),
    "no header": (b"1,a\n2,b\n", "columns id and name not found"),
    "fraction": (b"id,name\n1.5,a\n", "not a whole number"),
    "text": (b"id,name\ntwo,a\n", "not a number"),
    "negative": (b"id,name\n-1,a\n", "negative"),
    "twice": (b"id,name\n1,a\n1,b\n", "id used twice"),
    "ragged": (b"id,name\n1,a\n2,b,c\n", "row 3 has 3 fields"),
    "nul": (b"id,name\n1,a\0b\n", "not a text table"),
}

FLAGGED = {
    "name twice": (b"id,name\n1,a\n2,a\n", "name used twice"),
    "no name": (b"id,name\n1, \n", "region without a name"),
    "background": (b"id,name\n0,Unknown\n1,a\n", "label 0 is background"),
}


def table(tmp_path, content):
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    return read_label_table(path)


@pytest.mark.parametrize("case", GOOD)
def test_every_known_format_says_the_same(tmp_path, case):
    found = table(tmp_path, GOOD[case])
    assert [(region.label, region.name) for region in found.regions] == [
        (1, "Left a"),
        (2, "Right b"),
    ]
    assert found.notes == (("read as UTF-16",) if case == "utf-16" else ())


@pytest.mark.parametrize("case", BAD)
def test_a_table_that_breaks_the_rules_is_refused(tmp_path, case):
    content, match = BAD[case]
    with pytest.raises(InputError, match=match):
        table(tmp_path, content)


@pytest.mark.parametrize("case", FLAGGED)
def test_what_is_odd_is_said(tmp_path, case):
    content, words = FLAGGED[case]
    assert words in " ".join(table(tmp_path, content).notes)


def test_other_columns_are_kept(tmp_path):
    found = table(tmp_path, b"index,name,lobe\n1,a,frontal\n")
    assert found.regions[0].extra == {"lobe": "frontal"}


@pytest.mark.parametrize("alpha", ["", " 0"])
def test_a_name_may_end_in_a_number(tmp_path, alpha):
    text = f"1 Brodmann 17 255 0 0{alpha}\n2 Brodmann 18 0 255 0{alpha}\n"
    found = table(tmp_path, text.encode())
    assert [region.name for region in found.regions] == ["Brodmann 17", "Brodmann 18"]


@pytest.mark.parametrize(
    "text", ["1," + "x" * 200_000, "9" * 400 + ",a", "9" * 5000 + " a 1 2 3 0"]
)
def test_fields_without_end_are_refused(tmp_path, text):
    with pytest.raises(InputError, match=r"labels\.txt"):
        table(tmp_path, f"id,name\n{text}\n".encode())
