"""The lines a page shows are run as they stand, and give the bytes that the page saves."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from ipywidgets import HTML, Box
from reports import no_pictures
from visitor import choose, new_context, styles, text

from lesion_dash.cli import main
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.assignment_request import AssignmentRequest
from lesion_dash.dashboard.assignment_service import AssignmentService
from lesion_dash.dashboard.code import ASSIGNMENT_FILE, Code
from lesion_dash.dashboard.comparison_service import ComparisonService, PairRequest
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.pages.assign import AssignPage, assign_code
from lesion_dash.dashboard.pages.chance import SizeBiasPage, chance_code
from lesion_dash.dashboard.pages.code import topography_code
from lesion_dash.dashboard.pages.compare import ComparePage, compare_code
from lesion_dash.dashboard.pages.inspect import InspectPage, inspect_code
from lesion_dash.dashboard.pages.patients import PatientsPage, patients_code
from lesion_dash.dashboard.session import PATIENTS_FILE, Session
from lesion_dash.dashboard.size_bias_service import SizeBiasRequest, SizeBiasService
from lesion_dash.dashboard.state import Selection
from lesion_dash.scans.inspection import inspect_image
from lesion_dash.stats.differences import FILE_NAMES as DIFFERENCES

ATLAS, OTHER_ATLAS = "synthetic_atlas", "territories"
ODD = """it's "two" $(odd) & -k\\ 100% `ü`"""
OLD_WOMEN, MEN = ("age>=60", "sex=F"), ("sex=M",)


@pytest.fixture(scope="module")
def parent(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a data root, one of its cohorts under a name that needs quotes."""
    place = tmp_path_factory.mktemp("parent")
    root = place / "data of 'ours'"
    for name, target in (("cohort_a", ODD), ("cohort_b", "cohort_b"), ("atlas", "atlas")):
        shutil.copytree(sample_data / name, root / target)
    for ending in ("nii.gz", "csv"):
        shutil.copy(sample_data / "atlas" / f"{ATLAS}.{ending}", root / f"{OTHER_ATLAS}.{ending}")
    shutil.copy(sample_data / "participants.tsv", root)
    return place


@pytest.fixture(scope="module")
def session(parent: Path) -> Session:
    return Session(DataRoot(next(parent.iterdir())))


@pytest.fixture
def folder(parent: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the lines are run."""
    monkeypatch.chdir(parent)
    yield parent
    shutil.rmtree(parent / "results", ignore_errors=True)


def run_python(lines: str, folder: Path) -> dict[str, bytes]:
    with redirect_stdout(StringIO()):
        exec(compile(lines, "shown", "exec"), {})
    return take_results(folder)


def run_commands(lines: str, folder: Path) -> dict[str, bytes]:
    for line in lines.splitlines():
        program, *arguments = shlex.split(line, comments=True) or ["", ""]
        if program:
            assert program == "lesion-dash"
            with redirect_stdout(StringIO()):
                assert main(arguments) == 0
    return take_results(folder)


RUN = (run_python, run_commands)


def take_results(folder: Path) -> dict[str, bytes]:
    files = [file for file in (folder / "results").rglob("*") if file.is_file()]
    contents = {file.name: file.read_bytes() for file in files}
    shutil.rmtree(folder / "results", ignore_errors=True)
    return {name: content for name, content in contents.items() if "provenance" not in name}


def select(
    session: Session, where_a: tuple[str, ...], b: str, where_b: tuple[str, ...]
) -> Selection:
    for folder in (ODD, b):
        if folder:
            session.load(folder)
    session.atlas(ATLAS)
    a = session.part(ODD, where_a)
    return Selection(a, session.part(b, where_b) if b else "", 3, (ATLAS,))


@pytest.mark.parametrize(
    ("where_a", "b", "where_b"),
    [
        ((), "", ()),
        ((), "cohort_b", ()),
        (OLD_WOMEN, "", ()),
        (MEN, "cohort_b", MEN),
        (OLD_WOMEN, ODD, MEN),
    ],
    ids=["one", "two", "restricted", "both restricted", "split"],
)
def test_topography_is_that_of_the_page(
    session: Session, folder: Path, where_a: tuple[str, ...], b: str, where_b: tuple[str, ...]
) -> None:
    assert_lines_give_the_files(session, folder, select(session, where_a, b, where_b))


@pytest.mark.parametrize("b", ["", "cohort_b"])
def test_several_atlases_are_those_of_the_page(session: Session, folder: Path, b: str) -> None:
    selection = select(session, (), b, ())
    two = replace(selection, atlases=(ATLAS, OTHER_ATLAS))
    assert f"region_counts_{OTHER_ATLAS}.csv" in session.file_names(two)
    assert_lines_give_the_files(session, folder, two)


def assert_lines_give_the_files(session: Session, folder: Path, selection: Selection) -> None:
    expected = {name: session.file_bytes(selection, name) for name in session.file_names(selection)}
    for run, lines in zip(RUN, Code(session).topography(selection), strict=True):
        with no_pictures():  # of the report, which has the regions of one cohort
            made = run(lines, folder)
        assert {name: made[name] for name in expected} == expected


def test_without_an_atlas_there_are_maps_alone(session: Session, folder: Path) -> None:
    selection = select(session, (), "cohort_b", ()).with_atlas("")
    expected = {name: session.file_bytes(selection, name) for name in session.file_names(selection)}
    python, commands = Code(session).topography(selection)
    assert run_python(python, folder) == run_commands(commands, folder) == expected
    shown = python + commands
    assert str(session.root.path.parent) not in shown  # nothing of the computer
    assert "data of \\'ours" in shown or "data of 'ours" in shown


def test_patients_are_those_of_the_page(session: Session, folder: Path) -> None:
    selection = select(session, OLD_WOMEN, "", ())
    expected = session.file_bytes(selection, PATIENTS_FILE)
    python, commands = Code(session).patients(selection.cohort_a)
    assert run_python(python, folder)[PATIENTS_FILE] == expected
    assert run_commands(commands, folder)[PATIENTS_FILE] == expected


@pytest.mark.parametrize("source", ["n", "mean", "overlap", ODD, "parts"])
def test_assignment_is_that_of_the_page(session: Session, folder: Path, source: str) -> None:
    if source == "parts":
        request = AssignmentRequest("overlap", "", select(session, OLD_WOMEN, ODD, MEN), ATLAS)
    else:
        file = "sub-a01_lesion.nii.gz" if source == ODD else ""
        selection, threshold = select(session, (), "cohort_b", ()), 2.5 if source == "n" else 0.0
        request = AssignmentRequest(source, file, selection, ATLAS, threshold, min_size_mm3=50)
    expected = csv_bytes(AssignmentService(session).answer(request).table)
    python, commands = Code(session).assign(request)
    assert run_python(python, folder)[ASSIGNMENT_FILE] == expected
    assert run_commands(commands, folder)[ASSIGNMENT_FILE] == expected


def test_inspection_is_that_of_the_page(session: Session, folder: Path) -> None:
    python, commands = Code(session).inspect(ODD, "sub-a01_lesion.nii.gz", (40, 50, 41), 0)
    image = inspect_image(session.root.path / ODD / "sub-a01_lesion.nii.gz")
    printed = StringIO()
    with redirect_stdout(printed):
        exec(compile(python, "shown", "exec"), {})
    assert image.sha256 in printed.getvalue()
    assert f"value            {image.value_at(40, 50, 41)}" in printed.getvalue()
    again = StringIO()
    with redirect_stdout(again):
        for line in commands.splitlines():
            assert main(shlex.split(line)[1:]) == 0
    assert again.getvalue() == printed.getvalue()


@pytest.mark.parametrize(
    ("where_a", "b", "where_b"),
    [((), "cohort_b", ()), (OLD_WOMEN, ODD, MEN)],
    ids=["two", "split"],
)
def test_differences_are_those_of_the_page(
    session: Session, folder: Path, where_a: tuple[str, ...], b: str, where_b: tuple[str, ...]
) -> None:
    selection = select(session, where_a, b, where_b)
    request = PairRequest(selection.cohort_a, selection.cohort_b, 2)
    comparing = ComparisonService(session)
    expected = {name: comparing.file_bytes(request, name) for name in DIFFERENCES.values()}
    python, commands = Code(session).compare(request)
    assert run_python(python, folder) == expected
    assert run_commands(commands, folder) == expected
    regions = comparing.regions(request, ATLAS)
    python, commands = Code(session).compare(request, ATLAS)
    expected |= {"region_differences.csv": csv_bytes(regions.table)}
    assert run_python(python, folder) == run_commands(commands, folder) == expected


def test_chances_are_those_of_the_page(session: Session, folder: Path) -> None:
    name = select(session, OLD_WOMEN, "", ()).cohort_a
    request = SizeBiasRequest(name, 2, permutations=25, seed=3, side="two-sided")
    chances = SizeBiasService(session)
    test = chances.permute(request)
    expected = {file: chances.file_bytes(request, file) for file in chances.file_names(request)}
    assert len(expected) > 3
    for atlas in ("", ATLAS):
        python, commands = Code(session).chance(request, atlas)
        clusters = csv_bytes(chances.clusters(request, test, atlas).table)
        made = expected | {"lesion_size_clusters.csv": clusters}
        assert run_python(python, folder) == run_commands(commands, folder) == made


def test_nothing_chosen_shows_no_code(session: Session) -> None:
    code = Code(session)
    assert code.topography(Selection()) == ("", "")
    assert code.patients("") == ("", "")
    assert code.compare(None) == code.chance(None) == ("", "")
    assert code.assign(AssignmentRequest("n", "", Selection(), ATLAS)) == ("", "")
    assert code.assign(AssignmentRequest("cohort_b", "", Selection(), ATLAS)) == ("", "")
    assert code.inspect("", "", None, 0) == ("", "")


CARDS: dict[str, Callable[[AppContext], Box]] = {
    "compare": lambda context: compare_code(context, ComparePage(context)),
    "chance": lambda context: chance_code(context, SizeBiasPage(context)),
    "patients": lambda context: patients_code(context, PatientsPage(context)),
    "assign": lambda context: assign_code(context, AssignPage(context)),
    "inspect": lambda context: inspect_code(context, InspectPage(context)),
    "topography": lambda context: topography_code(context, Box()),
}


def code_of(page: Box) -> HTML:
    return next(w for w in page.children[-1].children if "ld-code" in styles(w))


@pytest.mark.parametrize("name", CARDS)
def test_the_code_of_a_page_follows_the_choices(sample_data: Path, name: str) -> None:
    context = new_context(sample_data)
    code = code_of(CARDS[name](context))
    assert code.value.startswith('<pre tabindex="0"># Choose')
    if name == "inspect":
        return  # which follows an image of its own
    choose(context, folder_a="cohort_a", folder_b="cohort_b")
    assert "='sample_data/cohort_a'" in text(code)
    context.choices.where_a = ("sex=F",)
    assert "sex=F" in code.value
    context.choices.min_patients = 7
    assert "min_patients=7" in code.value or name != "topography"


def test_the_code_of_an_image_follows_the_crosshair(sample_data: Path) -> None:
    context = new_context(sample_data)
    page = InspectPage(context)
    code = code_of(inspect_code(context, page))
    page.folder.value, page.file.value = "cohort_a", "sub-a01_lesion.nii.gz"
    context.wait()
    assert "Inspect(image='sample_data/cohort_a/sub-a01_lesion.nii.gz')" in text(code)
    page.crosshair.move((40, 50, 41))
    assert "voxel=[40, 50, 41]" in code.value
