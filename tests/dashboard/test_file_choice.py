"""On the page: a folder whose patients have several files is read once it is said which count."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from phantoms import random_masks, write_masks
from visitor import arrive, enter, open_app

from lesion_dash.dashboard.address import to_address
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.code import Code
from lesion_dash.dashboard.comparison_service import PairRequest
from lesion_dash.dashboard.pages.choices import ChoicesPanel
from lesion_dash.dashboard.session_file import read_session, session_bytes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two sessions of three patients, and a plain folder."""
    names = [f"sub-{p}_ses-{s}_lesion.nii.gz" for p, s in product((1, 2, 3), (1, 2))]
    write_masks(tmp_path / "root" / "sessions", random_masks(6), names=names)
    write_masks(tmp_path / "root" / "plain", random_masks(3, seed=1))
    return tmp_path / "root"


def open_panel(root: Path) -> tuple[App, ChoicesPanel]:
    app = open_app(root)
    return app, ChoicesPanel(app.context)


def hidden(panel: ChoicesPanel) -> bool:
    return "ld-hidden" in panel.files_a.widget._dom_classes


def test_the_page_asks_which_session_counts_and_names_no_option(root: Path) -> None:
    app, panel = open_panel(root)
    choices = app.context.choices
    assert (choices.cohort_a, hidden(panel)) == ("plain", True)
    enter(app.context, panel.folder_a, "sessions")
    assert choices.cohort_a == "plain"
    shown = app.context.banner.message + panel.files_a.why.value
    assert "3 patients have 2 sessions each" in shown
    assert "--" not in shown
    assert "session=" not in shown
    assert not hidden(panel)
    offered = [words for words, _ in panel.files_a.choice.options]
    assert offered[:2] == ["Choose for sessions", "First session: 3 of 6 masks, one per patient"]
    enter(app.context, panel.files_a.choice, "session last")
    cohort = app.context.session.load(choices.cohort_a)
    assert (choices.folder_a, cohort.n_patients) == ("sessions", 3)
    assert all("ses-2" in patient.file for patient in cohort.used)
    assert app.context.banner.message == ""
    first = choices.cohort_a
    enter(app.context, panel.files_a.choice, "union")
    assert choices.cohort_a != first
    assert app.context.session.load(choices.cohort_a).n_patients == 3
    assert len(app.context.session.load(choices.cohort_a).used[0].files) == 2


def test_the_choice_is_kept_in_link_session_code_and_provenance(root: Path) -> None:
    app, panel = open_panel(root)
    enter(app.context, panel.folder_a, "sessions")
    enter(app.context, panel.files_a.choice, "session ses-2")
    state = app.url_state.state
    assert state.files_a == "session ses-2"
    validator = app.url_state._validator
    assert read_session("x", session_bytes(state), validator).files_a == state.files_a
    python, commands = Code(app.context.session).topography(app.context.choices.selection)
    assert "session='ses-2'" in python
    assert "--session ses-2" in commands
    other = open_app(root)
    arrive(other, to_address(state))
    cohort = other.context.session.load(other.context.choices.cohort_a)
    assert [patient.file for patient in cohort.used] == [
        f"sub-{p}_ses-2_lesion.nii.gz" for p in (1, 2, 3)
    ]
    assert other.context.banner.message == ""


def test_a_link_to_another_session_of_the_folder_that_is_shown_reads_it(root: Path) -> None:
    app, panel = open_panel(root)
    arrive(app, "a=sessions&files_a=session%20first")
    assert app.context.session.load(app.context.choices.cohort_a).n_patients == 3
    before = app.context.choices.cohort_a
    arrive(app, "a=sessions&files_a=session%20last&k=2")
    assert app.context.choices.min_patients == 2
    for name, session in ((before, "ses-1"), (app.context.choices.cohort_a, "ses-2")):
        assert session in app.context.session.load(name).used[0].file
    assert panel.files_a.choice.value == "session last"
    arrive(app, "a=sessions&files_a=nonsense")
    assert "3 patients have 2 sessions each" in app.context.banner.message


@pytest.mark.parametrize(
    ("files", "command"),
    [("union", "--several-files union"), ("session ses-2", "# A and B: their files are chosen")],
)
def test_a_command_takes_the_files_of_both_folders_or_says_that_none_can(
    root: Path, files: str, command: str
) -> None:
    app, _ = open_panel(root)
    arrive(app, f"a=plain&b=sessions&files_b={files.replace(' ', '%20')}&k=1")
    choices = app.context.choices
    assert app.context.session.load(choices.cohort_b).n_patients == 3
    request = PairRequest(choices.cohort_a, choices.cohort_b, 1)
    python, commands = Code(app.context.session).compare(request)
    assert command in commands
    assert ("Compare(" in python) == (files == "union")


def test_a_choice_that_cannot_be_read_goes_back_and_hinders_no_other_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    names = [f"sub-{p}_ses-{s}_lesion.nii.gz" for s, p in product("ab", (1, 2))]
    write_masks(root / "two", random_masks(4), names=names)
    for name in names[2:]:
        (root / "two" / name).write_bytes(b"")
    names = [f"P{p}_v{v}.nii" for p, v in product((1, 2), (1, 2))]
    write_masks(root / "more", random_masks(4), names=names)
    app, panel = open_panel(root)
    enter(app.context, panel.folder_a, "two")
    enter(app.context, panel.files_a.choice, "session ses-a")
    enter(app.context, panel.files_a.choice, "session ses-b")
    assert "file is empty" in app.context.banner.message
    assert panel.files_a.choice.value == "session ses-a"
    enter(app.context, panel.folder_a, "more")
    assert "more: 2 patients have 2 sessions each" in app.context.banner.message
