"""Tables of any size are read or refused at once, whatever reads them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from phantoms import image, random_masks, write_masks

from lesion_dash.analyses.validation import check_path
from lesion_dash.atlas.finding import find_atlases
from lesion_dash.atlas.tables import read_label_table
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.cohort.participants import read_participants_table
from lesion_dash.core.errors import InputError
from lesion_dash.images.events import list_conditions
from lesion_dash.regions.points import read_points
from lesion_dash.scans.conversion import read_affine

MANY = 10**6
Read = Callable[[Path], object]
READERS: dict[str, Read] = {
    "participants": read_participants_table,
    "labels": read_label_table,
    "events": lambda path: list_conditions([path]),
    "points": read_points,
    "matrix": read_affine,
}
# Made when they are written: together they take 100 MB.
TOO_LARGE: dict[str, dict[str, Callable[[], str]]] = {
    "participants": {
        "columns": lambda: "participant_id\t" + "\t".join(map(str, range(3_000))) + "\n",
        "one name": lambda: "participant_id\t" + "x\t" * 3_000 + "\nsub-1\n",
        "rows": lambda: "participant_id\tage\n" + "".join(f"s{n}\t1\n" for n in range(MANY)),
        "empty rows": lambda: "participant_id\tage\nsub-1\t9\n" + "\r" * MANY,
        "cells": lambda: "participant_id\tage\nsub-1\t9" + "\t" * 3 * MANY,
    },
    "labels": {
        "columns": lambda: "index,name," + ",".join(map(str, range(3_000))) + "\n1,a\n",
        "more columns": lambda: "index,name" + ",x" * MANY + "\n1,a\n",
        "no header": lambda: "1|a" * 3_000 + "\n" + "1|a" * 3_000,
        "comment": lambda: "#" + "," * 3_000 + "\nindex,name\n1,a\n",
        "rows": lambda: "index,name\n" + "".join(f"{n},r\n" for n in range(MANY // 4)),
        "colours": lambda: "".join(f"{n} r{n} 1 2 3 0\n" for n in range(MANY // 8)),
        "ITK-SNAP": lambda: "".join(f'{n} 1 2 3 1 1 1 "r"\n' for n in range(MANY // 8)),
        "MRIcron": lambda: "".join(f"{n} r{n} 2\n" for n in range(MANY // 8)),
        "empty rows": lambda: "index,name\n1,a\n" + "\n" * MANY,
        "form feeds": lambda: "index,name\n1,a\n" + "\f" * MANY,
        "XML": lambda: "<a>" + "<label index='1'>x</label>" * (MANY // 10) + "</a>",
        "small elements": lambda: "<a>" + "<a/>" * MANY + "</a>",
        "deep elements": lambda: "<a>" * (MANY // 2) + "</a>" * (MANY // 2),
        "list": lambda: '["a"' + ', "b"' * (MANY // 8) + "]",
        "dictionary": lambda: "{" + ",".join(f'"{n}":"r"' for n in range(MANY // 8)) + "}",
        "dictionaries": lambda: "[{}" + ",{}" * (MANY // 4) + "]",
        "quotes": lambda: "index,name\n" + '1,"a\n' * (MANY // 2),
        "bytes": lambda: "index,name\n1," + "a" * 5 * MANY,
    },
    "events": {
        "columns": lambda: (
            "onset\tduration\ttrial_type" + "\tx" * 3_000 + "\n1\t1\ta" + "\tx" * 3_000
        ),
        "rows": lambda: "onset\tduration\ttrial_type\n" + "1\t1\tface\n" * MANY,
        "blanks": lambda: "onset duration trial_type\n" + "1 1 a " * MANY,
        "labels": lambda: "labels\n" + "a\n" * MANY,
        "bytes": lambda: "labels\n" + "a" * 20 * MANY,
    },
    "points": {
        "rows": lambda: "1 2 3\n" * (MANY // 2),
        "cells": lambda: "1 " * MANY,
        "bytes": lambda: "1" * 5 * MANY,
    },
    "matrix": {"rows": lambda: "1 0 0 0\n" * (MANY // 2), "cells": lambda: "1 " * MANY},
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, tables in TOO_LARGE.items() for name in tables]
)
def test_a_table_beyond_the_limits_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / f"{name}.txt"
    path.write_text(TOO_LARGE[kind][name]())
    with pytest.raises(InputError, match=r"[\d,]+ (rows|columns|cells|bytes), [\d,]+ (are )?all"):
        READERS[kind](path)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("content", ["a", '"', "[", "<a>", "\t\n", '"\n', '{"a":'])
def test_ten_million_bytes_of_one_thing_are_refused(
    tmp_path: Path, kind: str, content: str
) -> None:
    path = tmp_path / "table.txt"
    path.write_text(content * (10**7 // len(content)))
    with pytest.raises(InputError, match=r"table\.txt: "):
        READERS[kind](path)


def test_large_studies_and_atlases_are_read(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text("participant_id\tage\n" + "".join(f"s{n}\t{n}\n" for n in range(100_000)))
    assert len(read_participants_table(path).rows) == 100_000
    path.write_text(
        "participant_id" + "".join(f"\tc{n}" for n in range(1_999)) + "\ns1" + "\t7" * 1_999
    )
    assert len(read_participants_table(path).columns) == 1_999
    path.write_text("index\tname\n" + "".join(f"{n}\tregion {n}\n" for n in range(1, 20_001)))
    assert len(read_label_table(path).regions) == 20_000
    path.write_text("onset\tduration\ttrial_type\n" + "2\t1\tface\n" * 50_000)
    assert list_conditions([path]) == ("face",)


def test_units_beyond_the_limits_are_a_note(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "masks", random_masks(2))
    (folder / "participants.tsv").write_text("participant_id\tage\nsub-000\t9\n")
    (folder / "participants.json").write_text('{"age":{"Units":"months"}' + ',"b":1' * MANY + "}")
    cohort = load_cohort(folder)
    assert cohort.units.of("age") == "years"
    assert any("is not used" in note and "allowed" in note for note in cohort.notes)


def test_a_thousand_columns_are_joined_in_their_order(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "masks", random_masks(2))
    names = [f"c{number}" for number in range(1_000)]
    head, row = "\t".join(["participant_id", *names, "file"]), "\t".join(["9"] * 1_000)
    (folder / "participants.tsv").write_text(f"{head}\nsub-000\t{row}\ta\n")
    table = load_cohort(folder).table
    assert list(table.columns)[-1_001:] == [*names, "participant_file"]
    assert table["c999"].tolist()[0] == 9
    assert np.isnan(table["c999"].tolist()[1])


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file is opened."""
    times: Counter[str] = Counter()
    open_as_before = os.open

    def count(path: str | Path, *arguments: int, **options: int) -> int:
        times[Path(path).name] += 1
        return open_as_before(path, *arguments, **options)

    monkeypatch.setattr(os, "open", count)
    return times


def test_a_table_is_read_once_for_all_images_beside_it(
    tmp_path: Path, opened: Counter[str]
) -> None:
    for number in range(30):
        nib.save(image(np.ones((2, 2, 2), np.uint8)), tmp_path / f"parcels_{number}.nii")
    (tmp_path / "parcels.csv").write_text("index,name\n1,first\n")
    assert len(find_atlases(tmp_path)) == 30
    assert opened["parcels.csv"] == 1
    assert check_path(tmp_path / "parcels.csv")
    assert opened["parcels.csv"] < 10


def test_a_table_of_fsl_is_read_once_for_all_images_it_names(
    tmp_path: Path, opened: Counter[str]
) -> None:
    nib.save(image(np.ones((2, 2, 2), np.uint8)), tmp_path / "x1.nii")
    named = "".join(f"<imagefile>/x{number}</imagefile>" for number in range(300))
    labels = "<data><label index='0'>first</label></data>"
    (tmp_path / "table.xml").write_text(f"<atlas><header>{named}</header>{labels}</atlas>")
    assert len(find_atlases(tmp_path)) == 1
    assert opened["table.xml"] < 10
