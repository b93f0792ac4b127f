"""`lesion-dash report` writes what the library and the other commands give, and tells how."""

from __future__ import annotations

import gzip
import html
import os
import re
import shlex
import shutil
from datetime import date
from pathlib import Path

import pytest
from reports import write_study

import lesion_dash as ld
from lesion_dash import cli
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.session import Session
from lesion_dash.report.findings import ReportRequest
from lesion_dash.report.report import make_report
from lesion_dash.stats.differences import FILE_NAMES as DIFFERENCES
from lesion_dash.stats.topography import FILE_NAMES as STATS

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "report.md"


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    """Pictures take seconds, and have tests of their own."""
    monkeypatch.setattr("lesion_dash.report.report.drawings", lambda findings: {})


@pytest.fixture
def root(tmp_path, monkeypatch):
    root = write_study(tmp_path / "study")
    monkeypatch.chdir(root)
    return root


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name[0] != "."}


def undated(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without the one date; a test that runs over midnight must not fail for it."""
    found = re.search(rb'<time datetime="([0-9-]+)">', files["report.html"])
    assert found
    return {name: one.replace(found[1], b"DAY") for name, one in files.items()}


def shown(page: bytes, key: str) -> str:
    """The command, or the Python, that a page shows."""
    found = re.search(rf'<code id="{key}">(.*?)</code>', page.decode(), re.DOTALL)
    assert found
    return html.unescape(found[1])


def words_of(command: str) -> list[str]:
    return shlex.split(command.replace("\\\n", " "))[1:]


def test_the_folder_is_the_library_s(root, capsys):
    assert run("report", "a", "b", "--atlas", "areas.nii.gz", "-k", 2, "-o", "out") == 0
    atlas = load_atlas("areas.nii.gz")
    report = make_report(
        load_cohort("a"), load_cohort("b"), atlas, ReportRequest(2), date(2026, 1, 2)
    )
    assert undated(content(root / "out")) == undated(report.files)
    said = capsys.readouterr().out.splitlines()
    assert tuple(said[:-1]) == report.sentences
    assert said[-1] == f"{len(report.files)} files in out: open {Path('out', 'report.html')}"


def test_cohorts_and_atlas_of_the_dashboard_give_the_same_files(root):
    """Whoever reads them, and wherever the data root begins."""
    asked = ("--atlas", "areas.nii.gz", "-k", 2, "--where-a", "sex=F", "--title", "Both")
    assert run("report", "a", "b", *asked, "-o", root.parent / "out") == 0
    session = Session(DataRoot(root))
    cohorts = [session.load(name) for name in "ab"]
    request = ReportRequest(2, where_a=["sex=F"], title="Both")
    report = make_report(*cohorts, session.atlas("areas"), request, date(2026, 1, 2))
    assert undated(content(root.parent / "out")) == undated(report.files)


def test_maps_and_tables_are_those_of_the_other_commands(root):
    """Each map of the report, unpacked, has the bytes that stats, overlap and compare write."""
    asked = ("-k", 2, "--where", "age>=61")
    masks = ("a", "b")
    assert run("report", *masks, "--atlas", "areas.nii.gz", *asked, "-o", "out") == 0
    assert run("overlap", *masks, "--atlas", "areas.nii.gz", *asked, "-o", "other") == 0
    assert run("compare", *masks, *asked, "-o", "other", "--overwrite") == 0
    for letter in masks:
        assert run("stats", letter, *asked, "-o", f"stats_{letter}") == 0
    made, other = content(root / "out"), content(root / "other")
    for letter in masks:
        other |= {
            f"{letter}_{name}": one for name, one in content(root / f"stats_{letter}").items()
        }
    compared = [name for name in other if not name.endswith("provenance.json")]
    assert len(compared) == 2 * len([*STATS, "patients"]) + len(
        [*DIFFERENCES, "overlap", "regions"]
    )
    for name in compared:
        own = gzip.decompress(made[f"{name}.gz"]) if name.endswith(".nii") else made[name]
        assert own == other[name], name


@pytest.mark.parametrize(
    "arguments",
    [
        ("a",),
        ("a", "--where", "sex=F", "--title", "It's <b>mine</b> & -yours", "-k", "2"),
        ("a", "b", "--atlas", "areas.nii.gz", "-k", "2"),
        ("a", "a", "--where-a", "sex=F", "--where-b", "sex=M", "-k", "1", "--title=--odd"),
        ("a", "--pattern", "*lesion*", "--label", "1", "--participants", "people.csv"),
        ("a", "--participants", "participants.csv", "--where", "sex=F"),
    ],
    ids=["plain", "title", "pair", "parts", "options", "second table"],
)
def test_what_the_page_shows_makes_the_same_report(root, monkeypatch, arguments):
    text = (root / "participants.tsv").read_text().replace("\t", ",")
    (root / "people.csv").write_text(text)
    # Beside a participants.tsv, this one is not looked at unless it is named.
    (root / "participants.csv").write_text(text.replace(",F", ",X").replace(",M", ",F"))
    assert run("report", *arguments, "-o", "first") == 0
    first = content(root / "first")
    again = root.parent / "again"
    shutil.copytree(root, again)
    monkeypatch.chdir(again)
    assert run(*words_of(shown(first["report.html"], "command"))) == 0
    assert undated(content(again / "report")) == undated(first)
    shutil.rmtree(again / "report")
    exec(shown(first["report.html"], "python"), {})
    assert undated(content(again / "report")) == undated(first)


def test_the_lines_of_python_give_the_numbers_of_the_page(root, capsys):
    assert run("report", "a", "b", "--atlas", "areas.nii.gz", "-k", "2", "-o", "first") == 0
    page = (root / "first" / "report.html").read_bytes()
    capsys.readouterr()
    names: dict = {}
    exec(shown(page, "python"), names)
    printed = capsys.readouterr().out
    a, b = load_cohort("a"), load_cohort("b")
    both = ld.overlap(a.at_least(2), b.at_least(2))
    assert f"{both.both.voxels} {both.dice}" in printed
    assert f'<td class="number">{names["a"].n_patients}</td>' in page.decode()
    assert names["regions"]["voxels"].sum() == both.both.voxels
    assert f"Overlap: {both.both.voxels} voxels" in page.decode()


def held(page: bytes) -> list[str]:
    """What lies in the folder in which the page says that one must run its command."""
    found = re.search(r"Run in the folder that holds (.*?)\.(?= |</p>)", page.decode())
    assert found
    return re.split(r", | and ", html.unescape(found[1]))


def run_again(page: bytes, folder: Path) -> list[dict[str, bytes]]:
    """Run the command of a page in a folder, as it stands there, and then its Python."""
    made = []
    assert run(*words_of(shown(page, "command"))) == 0
    made.append(content(folder / "report"))
    shutil.rmtree(folder / "report")
    exec(shown(page, "python"), {})
    made.append(content(folder / "report"))
    return made


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
    asked = ("--atlas", atlas, "--participants", root / "people.tsv", "--where", "sex=F", "-k", 2)
    assert run("report", masks / "cohort a", masks / "cohort b", *asked, "-o", root / "first") == 0
    first = content(root / "first")
    page = first["report.html"]
    again = root.parent / "again"
    shutil.copytree(root, again)
    monkeypatch.chdir(again)
    assert all((again / name).exists() for name in held(page))
    assert all(undated(made) == undated(first) for made in run_again(page, again))


def test_the_sample_data_s_page_can_be_made_again_from_the_folder_it_names(
    sample_data, tmp_path, monkeypatch
):
    study = shutil.copytree(sample_data, tmp_path / "sample_data")
    monkeypatch.chdir(tmp_path)
    atlas = Path("sample_data", "atlas", "synthetic_atlas.nii.gz")
    split = ("--where", "age>=50", "--where-a", "sex=F", "--where-b", "sex=M")
    masks = Path("sample_data", "cohort_a")
    assert run("report", masks, masks, "--atlas", atlas, *split, "-o", "first") == 0
    first = content(tmp_path / "first")
    monkeypatch.chdir(study)
    page = first["report.html"]
    assert held(page)[:2] == ["cohort_a", "participants.tsv"]
    assert all((study / name).exists() for name in held(page))
    assert all(undated(made) == undated(first) for made in run_again(page, study))


def test_what_lies_far_away_is_called_by_its_name_and_that_is_said(root):
    """No way through folders that are none of the study's is told."""
    far = root.parent / "some" / "body" / "s" / "atlases"
    far.mkdir(parents=True)
    for name in ("areas.nii.gz", "areas.csv"):
        (root / name).rename(far / name)
    assert run("report", "a", "--atlas", far / "areas.nii.gz", "-o", "out") == 0
    page = (root / "out" / "report.html").read_bytes()
    assert "areas.nii.gz and areas.csv lie elsewhere: write their paths there." in page.decode()
    assert held(page) == ["a", "participants.tsv"]
    assert "--atlas areas.nii.gz" in shown(page, "command")
    assert b"atlases/" not in page


def test_one_cohort_is_not_overlapped_with_itself(root):
    assert run("report", "a", "--atlas", "areas.nii.gz", "-k", "2", "-o", "out") == 0
    page = (root / "out" / "report.html").read_bytes()
    assert words_of(shown(page, "command"))[:3] == ["report", "a", "--atlas"]
    assert "overlap" not in shown(page, "python")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a", "--where", "agee>60"), "has no column 'agee'; did you mean age?"),
        (("a", "b", "--where-b", "sex=X"), "nobody in it has sex = X"),
        (("a", "nowhere"), "nowhere"),
        (("a", "--atlas", "nowhere.nii.gz"), "nowhere.nii.gz"),
        (("a", "--participants", "nobody.tsv"), "nobody.tsv"),
    ],
)
def test_a_wrong_name_is_told_before_a_mask_is_read(root, capsys, monkeypatch, arguments, said):
    def read(*_):
        raise AssertionError("masks are read")

    monkeypatch.setattr("lesion_dash.analyses.report.load_folder", read)
    assert run("report", *arguments, "-o", "out") == 2
    assert said in capsys.readouterr().err
    assert not (root / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a", "--where-b", "sex=F"), "--where-b: there is no folder B to ask"),
        (("a", "--labels", "areas.csv"), "--labels: names the regions of no atlas"),
        (("a", "--where", "age>"), "age>"),
        (("a", "--where", "sex=X"), "nobody in it has sex = X"),
        (("a", "--atlas", "missing.nii.gz"), "missing.nii.gz"),
        (("a", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_writes_nothing(root, capsys, arguments, said):
    assert run("report", *arguments, "-o", "out") == 2
    assert said in capsys.readouterr().err
    assert not (root / "out").exists()


def test_an_earlier_report_is_not_replaced_unasked(root, capsys):
    assert run("report", "a", "-o", "out") == 0
    assert run("report", "a", "-o", "out") == 2
    assert "already holds results (report.html, " in capsys.readouterr().err
    assert run("report", "a", "-o", "out", "--overwrite") == 0


def test_files_that_are_not_used_are_told(root, capsys):
    (root / "a" / "sub-900_lesion.nii.gz").write_bytes(b"no image")
    assert run("report", "a", "-o", "out") == 0
    said = capsys.readouterr()
    assert "1 of 9 files skipped" in said.err
    assert "(1 of 9 files not usable)" in said.out


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
