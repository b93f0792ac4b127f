"""Paths as Windows writes them, and names of files that every system takes."""

from __future__ import annotations

import json
import re
from pathlib import PurePath, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesion_dash import InputError
from lesion_dash.analyses.registration_files import other_names
from lesion_dash.cohort.ids import split_id
from lesion_dash.core.file_names import distinct_names, is_reserved, own_names, plain_name
from lesion_dash.core.text import literal
from lesion_dash.files.contents import dead_link
from lesion_dash.files.incoming import portable_path
from lesion_dash.files.listing import odd_name
from lesion_dash.files.paths import UrlPath, as_path, below_pattern

WINDOWS_PATHS = [
    PureWindowsPath(text)
    for text in (
        r"C:\study\masks",
        "c:/study/masks",
        r"D:masks",
        r"\\server\share\masks",
        r"Z:\x y",
    )
]


@pytest.mark.parametrize("path", WINDOWS_PATHS, ids=str)
def test_a_drive_is_no_protocol(path: PureWindowsPath) -> None:
    for text in (str(path), path.as_posix(), f"{path.drive}//masks"):
        assert not isinstance(as_path(text), UrlPath)


@pytest.mark.parametrize("path", WINDOWS_PATHS, ids=str)
def test_a_path_is_python_that_gives_it(path: PureWindowsPath) -> None:
    assert PureWindowsPath(json.loads(json.dumps(str(path)))) == path
    assert eval(literal(str(path))) == str(path)


@pytest.mark.parametrize(
    "folder",
    [
        *WINDOWS_PATHS,
        PureWindowsPath(r"C:\a.b (1)\ü"),
        PureWindowsPath("E:\\"),
        PurePosixPath("/a b/+c"),
    ],
    ids=str,
)
def test_a_sentence_is_without_the_folder_of_the_server(folder: PurePath) -> None:
    file = folder / "sub-1" / "lesion.nii"
    below = str(file.relative_to(folder))
    pattern = below_pattern(folder)
    assert re.sub(pattern, "", f"{file}: is empty") == f"{below}: is empty"
    assert json.loads(re.sub(pattern, "", json.dumps(str(file), ensure_ascii=False))) == below
    assert re.sub(pattern, "", file.as_posix()) == "sub-1/lesion.nii"
    beside = f"{folder.parent / f'{folder.name}_2' / 'sub-1'}"
    assert re.sub(pattern, "", beside).endswith(f"{folder.name}_2{beside[-6:]}")


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        (r"masks\P07_lesion.nii.gz", ("P07_lesion", "")),
        (r"C:\study\masks\sub-07_ses-2_mask.nii", ("sub-07", "ses-2")),
        (r"..\masks\sub-07\ses-2\mask.nii", ("sub-07", "ses-2")),
    ],
)
def test_a_cell_names_a_file_as_windows_does(cell: str, parts: tuple[str, str]) -> None:
    assert split_id(cell) == parts == split_id(cell.replace("\\", "/"))


def test_a_link_is_read_as_windows_writes_it() -> None:
    for target in ("../.git/annex/objects/a/b/KEY/KEY", r"..\.git\annex\objects\a\b\KEY\KEY"):
        assert dead_link(target) is not None


@pytest.mark.parametrize(
    "path",
    [
        r"..\sub-1.nii", r"masks\sub-1.nii", r"C:\masks\sub-1.nii", "C:sub-1.nii", "c:/sub-1.nii",
        r"\\server\share\sub-1.nii", "masks/../sub-1.nii", "/sub-1.nii", "masks/nul.nii/sub-1.nii",
        "sub-1.nii:stream",
    ],
)  # fmt: skip
def test_no_path_that_is_sent_leads_elsewhere_on_any_system(path: str) -> None:
    with pytest.raises(InputError, match=r"backslash or a colon|names a folder|names no|reserved"):
        portable_path(path)


# Names of files


RESERVED = [
    *("CON", "con.nii", "nul.tar.gz", "COM1", "lpt9.csv", "aux", "PRN.txt", "com¹.txt"),
    *("CONIN$", "conout$.csv", "nul .txt"),
]
HARMLESS = ["console.nii", "com10", "sub-01_T1w", "context", "auxiliary.csv", "a.con", "lpt", "com"]
ODD = [
    "my atlas",
    "a<b>c",
    'a"b',
    "a|b?c*",
    "a/b",
    "a\\b",
    "C:x",
    "a\tb",
    "ü",
    "",
    "end.",
    "end ",
    "..",
]


@pytest.mark.parametrize("name", RESERVED)
def test_names_of_devices_are_known_and_never_made(name: str) -> None:
    assert is_reserved(name)
    assert odd_name(name) == "reserved name on Windows"
    assert not is_reserved(plain_name(name, 80))


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_name_stays(name: str) -> None:
    assert not is_reserved(name)
    assert not odd_name(name)
    assert plain_name(name, 80) == name
    assert other_names([name.replace("_", "-")]) == [f"registered_{name.replace('_', '-')}.nii.gz"]


NAMES = st.sampled_from([*RESERVED, *HARMLESS, *ODD]) | st.text(max_size=12)


def check_portable(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
    assert not name.endswith(".")
    assert not odd_name(name)
    assert portable_path(name) == name


@settings(max_examples=100)
@given(st.lists(NAMES, min_size=2, max_size=8))
def test_names_of_results_are_taken_by_every_system_and_differ_there(names: list[str]) -> None:
    for made in (own_names("counts.csv", names), other_names(names)):
        assert len({name.casefold() for name in made}) == len(names)
        for name in made:
            check_portable(name)
    assert [plain_name(plain_name(name, 80), 80) for name in names] == [
        plain_name(name, 80) for name in names
    ]


def test_a_name_with_a_number_is_no_other_files_name() -> None:
    assert distinct_names(["a", "a_2", "A"]) == ["a", "a_2", "A_3"]
    assert distinct_names(["A_2", "a", "a"]) == ["A_2", "a", "a_3"]
