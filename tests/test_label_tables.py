"""Label tables: what is read, what is flagged, what is refused."""

from __future__ import annotations

import csv
import io
import json
import string

import nibabel as nib
import numpy as np
import pytest
from atlases import pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import image

from lesion_dash.atlas.finding import find_atlases
from lesion_dash.atlas.formats import FORMATS, Parsed, Region, label_table
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.atlas.tables import read_label_table
from lesion_dash.core.errors import InputError

GOOD = {
    "csv": "index,name\n1,Left a\n2,Right b\n",
    "pipes with a header": "Number|Structure\n1|Left a\n2|Right b\n",
    "mark": b"\xef\xbb\xbfindex,name\n1,Left a\n2,Right b\n",
    "rows of empty cells": "index;name\n1;Left a\n;\n2;Right b\n" + ";\n" * 9,
    "quoted": 'index,name\r\n1,"Left a"\r\n2,"Right b"\r\n',
    "floats": "index,name\n1.0,Left a\n2.0,Right b\n",
    "name first": "region,value\nLeft a,1\nRight b,2\n",
    "words joined": "ROI_ID,ROI.Name\n1,Left a\n2,Right b\n",
    "words run together": "regionID,regionName\n1,Left a\n2,Right b\n",
    "a label that is a name": "index,label\n1,Left a\n2,Right b\n",
    "a label that is a number": "label,region\n1,Left a\n2,Right b\n",
    "a region that is a number": "region,label\n1,Left a\n2,Right b\n",
    "header as a comment": "# index\tname\n1\tLeft a\n2\tRight b\n",
    "comments above": "# of 2020\nindex,name\n1,Left a\n2,Right b\n",
    **{
        f"no header, {form}": mark.join(["1", "Left a"]) + "\n" + mark.join(["2", "Right b"]) + "\n"
        for form, mark in {
            "comma": ",",
            "semicolon": ";",
            "tab": "\t",
            "comma, blank": ", ",
        }.items()
    },
    "excel's first line": "sep=;\nid;name\n1;Left a\n2;Right b\n",
    "commas too many": "id,name\n1,Left a,,\n2,Right b,,\n",
    "words of another language": "Nummer;Struktur\n1;Left a\n2;Right b\n",
    "aal": "FAG\tLeft a\t1\nFAD\tRight b\t2\n",
    "aal, commas": "FAG,Left a,1\nFAD,Right b,2\n",
    "name and label": "Left a\t1\nRight b\t2\n",
    "side in a column": "1,L,Left a\n2,R,Right b\n",
    "lut of fsleyes": "1 0.47059 0.070588 0.51373 Left a\n2 0 0.46275 1 Right b\n",
    "lut of fsleyes, bytes": "1 120 18 131 Left a\n2 0 118 255 Right b\n",
    "colour behind, from 0 to 1": "1 Left a 0.8 1.0 0.0\n2 Right b 0.722 0.902 0\n",
    "colour in the middle": "1;0.8;1.0;0.0;Left a\n2;0.722;0.902;0.0;Right b\n",
    "name, colour, label": "Left a,0.8,1.0,0.0,1\nRight b,0.722,0.902,0.0,2\n",
    "ctbl of slicer": "# Color table\n0 Clear 0 0 0 0\n1 Left a 1 2 3 9\n2 Right b 4 5 6 9\n",
    "mrtrix": "#No. Label Name: R G B A\n1 Left a 1 2 3 255\n2 Right b 4 5 6 255\n",
    "lut": "# colours\n1 Left a 1 2 3 0\n2  Right b  4 5 6 0\n",
    "lut without alpha": "1 Left a 1 2 3\n2 Right b 4 5 6\n",
    "lut of mrtrix": (
        "#ID ShortName R G B A Name\n1 LA 255 0 0 255 Left a\n2 RB 0 255 0 255 Right b\n"
    ),
    "lut with a header": "No Label R G B A\n1 Left a 1 2 3 0\n2 Right b 4 5 6 0\n",
    "itk-snap": (
        '# ITK-SnAP Label Description File\n1 255 0 0 1 1 1 "Left a"\n2 0 255 0 0.5 1 1 "Right b"\n'
    ),
    "fsl labels": (
        "<atlas><header><type>Label</type></header><data>"
        '<label index="1" x="9" y="9" z="9">Left a</label>'
        '<label index="2" x="9" y="9" z="9">Right b</label></data></atlas>'
    ),
    "spm": (
        "<atlas><data><label><index>1</index><name>Left a</name></label>"
        "<label><index>2</index><name>Right b</name></label></data></atlas>"
    ),
    "julich": (
        '<JulichBrainAtlas><Structures><Structure grayvalue="1" id="269">Left a</Structure>'
        '<Structure grayvalue="2" id="8">Right b</Structure></Structures></JulichBrainAtlas>'
    ),
    "brainsuite": (
        '<labelset><label id="1" color="0xff" fullname="Left a"/>'
        '<label id="2" color="0xf0" fullname="Right b"/></labelset>'
    ),
    "json of names": '{"labels": {"background": 0, "Left a": 1, "Right b": 2}}',
    "mricron with tabs": "1\tLeft a\n2\tRight b\n",
    "json details": '{"1": {"name": "Left a"}, "2": {"name": "Right b"}}',
    "json inside": '{"labels": [{"id": 1, "region": "Left a"}, {"id": 2, "region": "Right b"}]}',
}

BAD = {
    "empty": ("\n", "table is empty"),
    "prose": ("See the paper.\nIt is long.\n", "columns id and name not found"),
    "numbers alone": ("1,2\n3,4\n", "columns id and name not found"),
    "fraction": ("id,name\n1.5,a\n", "not a whole number"),
    "text": ("id,name\ntwo,a\n", "not a number"),
    "negative": ("id,name\n-1,a\n", "negative"),
    "endless": ("id,name\ninf,a\n2,b\n", "too large for a label"),
    "twice beside colours": ("1 a 1 2 3 0\n1 b 4 5 6 0\n", "id used twice: 1"),
    "twice": ("id,name\n1,a\n1,b\n", "id used twice: 1"),
    "ragged": ("id,name\n1,a\n2,b,c\n", "row 3 has 3 fields"),
    "nul": ("id,name\n1,a\0b\n", "not a text table"),
    "broken xml": ("<atlas><label index='1'>a</atlas>", "XML cannot be read"),
    "broken json": ('{"1": "a"', "JSON cannot be read"),
    "json of something else": ('{"EchoTime": 0.03}', "columns id and name not found"),
    "json number": ('[{"index": 1.5, "name": "a"}]', "not a whole number"),
}

FLAGGED = {
    "name twice": ("id,name\n1,a\n2,a\n", "name used twice: a"),
    "no name": ("id,name\n1, \n", "region without a name: label 1"),
    "latin-1": ("id,name\n1,Région\n".encode("latin-1"), "not UTF-8"),
    "utf-16": ("id,name\n1,a\n".encode("utf-16"), "read as UTF-16"),
}


def table(tmp_path, content):
    path = tmp_path / "labels.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_label_table(path)


@pytest.mark.parametrize("case", GOOD)
def test_every_known_format_says_the_same(tmp_path, case):
    parsed = table(tmp_path, GOOD[case])
    assert pairs(parsed.regions) == [(1, "Left a"), (2, "Right b")]
    assert not parsed.notes


@pytest.mark.parametrize("case", BAD)
def test_a_table_that_breaks_the_rules_is_refused(tmp_path, case):
    content, match = BAD[case]
    with pytest.raises(InputError, match=match):
        table(tmp_path, content)


@pytest.mark.parametrize("case", FLAGGED)
def test_what_is_odd_is_said(tmp_path, case):
    content, note = FLAGGED[case]
    assert note in " ".join(table(tmp_path, content).notes)


def delimited(separator):
    def write(rows):
        text = io.StringIO()
        csv.writer(text, delimiter=separator).writerows([("index", "name"), *rows])
        return text.getvalue()

    return write


WRITERS = {
    "comma": delimited(","),
    "semicolon": delimited(";"),
    "tab": delimited("\t"),
    "pipe": delimited("|"),
    "lut": lambda rows: "".join(f"{n} {name} 1 20 255 0\n" for n, name in rows),
    "itk-snap": lambda rows: "".join(f'{n} 1 20 255 1 1 0 "{name}"\n' for n, name in rows),
    "mricron": lambda rows: "".join(f"{n} {name}\n" for n, name in rows),
    "json": lambda rows: json.dumps({str(n): name for n, name in rows}),
    "json rows": lambda rows: json.dumps([{"id": n, "name": name} for n, name in rows]),
}
LETTERS = string.ascii_letters + "éß"
NAMES = st.builds(
    lambda first, middle, last: first + middle + last,
    st.sampled_from(LETTERS),
    st.text(LETTERS + string.digits + "_(),; .'-", max_size=30),
    st.sampled_from(string.ascii_letters + ")"),
)
LABELS = st.lists(st.integers(1, 2**31), unique=True, min_size=1, max_size=8)


@settings(max_examples=40)  # of nine files each
@given(labels=LABELS, names=st.lists(NAMES, unique=True, min_size=8, max_size=8))
def test_what_was_written_in_any_format_is_read(tmp_path_factory, labels, names):
    rows = list(zip(labels, names, strict=False))
    path = tmp_path_factory.getbasetemp() / "written.txt"
    for form, write in WRITERS.items():
        path.write_text(write(rows), encoding="utf-8", newline="")
        assert pairs(read_label_table(path).regions) == rows, form


@given(st.text(max_size=300))
def test_no_text_does_more_than_be_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    try:
        labels = [region.label for region in read_label_table(path).rows]
    except InputError:
        return
    assert len(set(labels)) == len(labels)
    assert min(labels) >= 0


BIDS = """index\tname\tabbreviation\tcolor\tmapping\themisphere\tlobe
1\tInsula\tIns\t#ff0000\t7\tL\tlimbic
"""
MRTRIX = """0 ???? Unknown 0 0 0 0
1 L.BSTS ctx-lh-bankssts 25 100 40 255
2 L.CACG ctx-lh-caudal 125 100 160 255
"""
OF_BIDS = {"abbreviation": "Ins", "color": "#ff0000", "mapping": "7"}
OF_BIDS |= {"hemisphere": "L", "lobe": "limbic"}


@pytest.mark.parametrize(
    ("text", "name", "extra"),
    [
        (BIDS, "Insula", OF_BIDS),
        ("1|A|anterior|1\n2|M|medial|1\n", "anterior", {"abbreviation": "A", "column 4": "1"}),
        ("1 Brodmann 17 255 0 0\n2 Brodmann 18 0 255 0\n", "Brodmann 17", {}),
        ("1 Brodmann 17 255 0 0 0\n2 Brodmann 18 0 255 0 0\n", "Brodmann 17", {}),
        ("1 0.5 0.1 0.2 17 Networks\n2 0.3 0 0.2 18 Networks\n", "17 Networks", {}),
        ("1 0.5 0.1 0.2 Vis\n2 0.3 0 0.2 Vis 2\n", "Vis", {}),
        ("1 Area 17\n2 Area 18\n", "Area 17", {}),
        ("1 Precentral_L -38.6 -5.7 50.9\n2 Precentral_R 41.4 -8.2 52.1\n", "Precentral_L", {}),
        ("1,#ff0000,Insula\n2,#00ff00,Pole\n", "Insula", {"column 2": "#ff0000"}),
        ("FAG Precentral_L 1\nFAD Precentral_R 2\n", "Precentral_L", {"abbreviation": "FAG"}),
        (
            MRTRIX,
            "ctx-lh-bankssts",
            {"abbreviation": "L.BSTS"},
        ),
        ("1,L,Precentral\n2,R,Postcentral\n", "Precentral", {"hemisphere": "L"}),
        ("1 V1 anterior\n2 V2 posterior\n", "V1 anterior", {}),
        ("1 Left Insula\n2 Right Thalamus\n", "Left Insula", {}),
        ("1\tPrecentral_L\tFAG\n2\tX_R\tFAD\n", "Precentral_L", {"abbreviation": "FAG"}),
        ("1,L,Insula\n2,R,Pole\n", "Insula", {"hemisphere": "L"}),
        ("Nr;Gebiet;Kurz\n1;Insel links;IL\n2;Pol links;PL\n", "Insel links", {"kurz": "IL"}),
    ],
)
def test_names_and_other_columns_are_told_apart(tmp_path, text, name, extra):
    parsed = table(tmp_path, text)
    region = parsed.regions[0]
    assert (region.label, region.name) == (1, name)
    assert extra.items() <= region.extra.items()
    assert parsed.notes == ()


FIELDS = ["1," + "x" * 200_000, "9" * 400 + ",a", "9" * 5000 + " a 1 2 3 0"]


@pytest.mark.parametrize("text", [*FIELDS, '1 1 1 1 1 1 1 "' + "a" * 200_000])
def test_fields_without_end_are_refused(tmp_path, text):
    with pytest.raises(InputError, match=r"labels\.txt"):
        table(tmp_path, f"id,name\n{text}\n")


def test_a_long_line_is_read_in_one_pass(tmp_path):
    # A pattern that tries every place in the gap would need hours.
    (region,) = table(tmp_path, "1 a" + " " * 200_000 + "b 1 2 3\n").regions
    assert region.name.split() == ["a", "b"]


@pytest.mark.parametrize("name", ["Background", "Unknown", "Clear Label", "???", "*", ""])
def test_a_row_for_the_background_is_not_used_in_an_image_of_labels(tmp_path, name):
    parsed = table(tmp_path, f"id,name\n0,{name}\n1,a\n")
    regions, notes = parsed.for_labels({1})
    assert pairs(regions) == pairs(parsed.regions) == [(1, "a")]
    assert notes == ("label 0 is background: its row is not used",)


FSL = "<atlas><data>{}</data></atlas>"
FROM_0 = FSL.format("".join(f"<label index='{n}'>{name}</label>" for n, name in enumerate("abc")))
ABC = [1, 2, 3]
COLUMN = "1 a 2001\n2 b 2002\n3 c 2101\n"
COLUMN_4 = "1|A|aa|11\n2|B|bb|12\n3|C|cc|21\n"
GAP = FSL.format("<label index='0'>zero</label><label index='40'>a</label>")
DECIDED = {
    # Text, labels of the image, labels of the regions, note.
    "third column": (COLUMN, [2001, 2002, 2101], [2001, 2002, 2101], "column 3 of the table"),
    "first column": (COLUMN, ABC, ABC, ""),
    "fsl, plus 1": (FROM_0, ABC, ABC, "numbers plus 1"),
    "fsl, plus 1 in part": (FROM_0, [1, 2], ABC, "numbers plus 1"),
    "fsl, as written": (GAP, [40], [40], "as they are"),
    "csv from 0": ("index,name\n0,a\n1,b\n2,c\n", ABC, ABC, "numbers plus 1"),
    "json list": ('["a", "b", "c"]', ABC, ABC, "numbers plus 1"),
    "json list with background": ('["Background", "a", "b", "c"]', ABC, ABC, "background"),
    "second column with a header": (
        "index,label,name\n1,2001,a\n2,2002,b\n3,2101,c\n",
        *([2001, 2002, 2101],) * 2,
        "column label",
    ),
    "an attribute of two": (
        "<a><s value='1' id='11'>a</s><s value='2' id='12'>b</s><s value='3' id='21'>c</s></a>",
        *(ABC,) * 2,
        "table's value",
    ),
    "last of four": ("a 9 1 3 11\nb 8 1 2 12\nc 7 1 2 21\n", *([11, 12, 21],) * 2, ""),
    "fourth column": (COLUMN_4, [11, 12, 21], [11, 12, 21], "column 4 of the table"),
}


@pytest.mark.parametrize("case", DECIDED)
def test_the_image_decides_which_number_is_the_label(tmp_path, case):
    text, present, expected, note = DECIDED[case]
    regions, notes = table(tmp_path, text).for_labels(set(present))
    initials = [(region.label, region.name[0]) for region in regions]
    assert initials == list(zip(expected, "abc", strict=False))
    assert note in " ".join(notes)
    assert bool(notes) == bool(note)


VOLUMES = {
    "from 0": ("index,name\n0,a\n1,b\n2,c\n", [0, 1, 2], "counted from 0"),
    "from 1, in another order": ("index,name\n3,c\n1,a\n2,b\n", ABC, ""),
    "with background": ("index,name\n0,Background\n1,a\n2,b\n3,c\n", ABC, ""),
    "no counts": ("index,name\n11,a\n12,b\n21,c\n", [11, 12, 21], "in order"),
    "fsl": (FROM_0, [0, 1, 2], "counted from 0"),
}


@pytest.mark.parametrize("case", VOLUMES)
def test_volumes_are_counted_as_the_table_counts(tmp_path, case):
    text, labels, note = VOLUMES[case]
    regions, notes = table(tmp_path, text).for_volumes(3)
    assert pairs(regions) == list(zip(labels, "abc", strict=True))
    assert note in " ".join(notes)


@pytest.fixture
def arrows():
    """A format from outside the package, as a line of ``1 -> name`` for each region."""

    @label_table(".arrows")
    def parse_arrows(lines):
        rows = [line.split(" -> ") for line in lines]
        if any(len(row) != 2 for row in rows):
            return None
        return Parsed(tuple(Region(int(number), name) for number, name in rows))

    yield
    FORMATS[:] = [entry for entry in FORMATS if entry[0] is not parse_arrows]


@pytest.mark.usefixtures("arrows")
def test_a_format_from_outside_is_one_function(tmp_path):
    nib.save(image(np.arange(3, dtype=np.int16).reshape(3, 1, 1)), tmp_path / "own.nii")
    (tmp_path / "own.arrows").write_text("1 -> Left a\n2 -> Right b\n")
    assert find_atlases(tmp_path) == {"own": (tmp_path / "own.nii", tmp_path / "own.arrows")}
    atlas = load_atlas(tmp_path / "own.nii")
    assert pairs(atlas.regions) == [(1, "Left a"), (2, "Right b")]
    assert str(tmp_path / "own.arrows") in atlas.sources
    assert pairs(table(tmp_path, GOOD["csv"]).regions) == [(1, "Left a"), (2, "Right b")]
