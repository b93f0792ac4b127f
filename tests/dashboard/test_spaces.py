"""The fields for the spaces of masks, atlases and maps, and what follows from them."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import shutil
from pathlib import Path
from threading import Event

import nibabel as nib
import numpy as np
import pytest
from reports import DAY, no_pictures
from visitor import (
    arrive,
    choose,
    enter,
    find_button,
    is_hidden,
    new_context,
    open_app,
    press,
    text,
)

from lesion_dash.cli import main
from lesion_dash.core.errors import InputError
from lesion_dash.core.space import KNOWN
from lesion_dash.dashboard.code import Code
from lesion_dash.dashboard.page_state import StateValidator
from lesion_dash.dashboard.pages.assign import AssignPage
from lesion_dash.dashboard.pages.file_choice import FileChoicePanel
from lesion_dash.dashboard.pages.report import ReportPanel
from lesion_dash.dashboard.pages.spaces import SpacesPanel
from lesion_dash.dashboard.reporting import Reporting
from lesion_dash.dashboard.session_file import read_session, session_bytes
from lesion_dash.images.space import space_of

ATLAS = "synthetic_atlas"
TALAIRACH = "tal"


@pytest.fixture(scope="module")
def root(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cohorts, an atlas in MNI152, and the same with the form code of Talairach's atlas."""
    root = tmp_path_factory.mktemp("spaces") / "root"
    for name in ("cohort_a", "cohort_b"):
        shutil.copytree(sample_data / name, root / name)
    (root / "atlas").mkdir()
    for ending in ("nii.gz", "csv"):
        shutil.copy(sample_data / "atlas" / f"{ATLAS}.{ending}", root / "atlas")
    image = nib.load(root / "atlas" / f"{ATLAS}.nii.gz")
    image.header.set_sform(image.affine, 3)
    image.header.set_qform(image.affine, 3)
    nib.save(image, root / "atlas" / f"{TALAIRACH}.nii.gz")
    shutil.copy(root / "atlas" / f"{ATLAS}.csv", root / "atlas" / f"{TALAIRACH}.csv")
    (root / "maps").mkdir()
    values = np.asarray(image.dataobj).astype(np.float32)
    nib.save(nib.Nifti1Image(values, image.affine, image.header), root / "maps" / "map.nii.gz")
    return root


def spaces_in(context) -> list[str]:
    cohort = context.session.load(context.choices.cohort_a)
    atlases = map(context.session.atlas, context.choices.loaded_atlases)
    return [str(space_of(each.grid)) for each in (cohort, *atlases)]


def test_each_input_shows_what_it_states_and_takes_what_the_user_states(root):
    context = open_app(root).context
    panel = SpacesPanel(context)
    choose(context, folder_a="cohort_a", atlases=(ATLAS,))
    assert text(panel.summary).startswith("MNI152")  # one for all
    choose(context, folder_b="cohort_b", atlases=(ATLAS, TALAIRACH))
    assert f"{TALAIRACH}: Talairach space" in text(panel.summary)
    of_a, of_b, _, of_talairach = panel.fields[:4]
    assert of_talairach.options[0] == ("As stated: Talairach space (sform code 3)", "")
    assert set(KNOWN) < {name for _, name in of_talairach.options}
    rows = panel.widget.children[-1]
    assert is_hidden(rows)
    press(context, find_button(panel.widget, "State another space"))
    assert not is_hidden(rows)
    assert any("Talairach" in note for note in context.session.regions(
        context.choices.selection.with_atlas(TALAIRACH)
    ).notes)  # fmt: skip
    enter(context, of_talairach, "MNI152NLin6Asym")
    enter(context, of_a, "MNI152NLin6Asym")
    assert not context.banner.message
    assert spaces_in(context)[0] == "MNI152NLin6Asym (stated by the user)"
    assert spaces_in(context)[2] == "MNI152NLin6Asym (stated by the user)"
    regions = context.session.regions(context.choices.selection.with_atlas(TALAIRACH))
    assert not any("Talairach" in note for note in regions.notes)
    assert (of_a.value, of_b.value, of_talairach.value) == ("MNI152NLin6Asym", "", of_a.value)
    enter(context, of_a, "")
    enter(context, of_talairach, "")
    assert spaces_in(context)[2] == "Talairach space (sform code 3)"
    assert context.choices.cohort_a == "cohort_a"


def test_a_folder_on_both_sides_has_one_field(root):
    context = open_app(root).context
    panel = SpacesPanel(context)
    choose(context, folder_a="cohort_a", folder_b="cohort_a", atlases=())
    assert len(panel.widget.children[-1].children) == 1
    enter(context, panel.fields[0], "Talairach")
    assert context.session.files_of(context.choices.cohort_b).space == "Talairach"
    assert context.choices.cohort_a == context.choices.cohort_b != "cohort_a"


def test_the_space_stays_where_other_files_of_a_folder_count(root, tmp_path):
    shutil.copytree(root / "cohort_a", tmp_path / "root" / "masks")
    first = next(iter(sorted((tmp_path / "root" / "masks").glob("sub-*"))))
    shutil.copy(first, first.with_name(first.name.replace("_lesion", "_ses-2_lesion")))
    context = new_context(tmp_path / "root")
    files = FileChoicePanel(context, "a")
    choose(context, folder_a="masks")
    enter(context, files.choice, files.choice.options[1][1])
    panel = SpacesPanel(context)
    enter(context, panel.fields[0], "Talairach")
    kept = context.session.file_choice("masks")
    assert kept.space == "Talairach"
    assert str(kept).startswith(files.choice.value)
    enter(context, files.choice, "")  # which cannot be read, so that the choice goes back
    assert context.session.file_choice("masks").space == "Talairach"
    assert space_of(context.session.load(context.choices.cohort_a).grid).name == "Talairach"


def test_a_link_and_a_file_keep_stated_spaces(root):
    app = open_app(root)
    context = app.context
    choose(context, folder_a="cohort_a", atlases=(ATLAS, TALAIRACH))
    panel = SpacesPanel(context)
    enter(context, panel.fields[0], "MNI152NLin6Asym")
    enter(context, panel.fields[2], "MNI152")
    state, link = app.url_state.state, app.url_state.bar.text
    assert "files_a=space%20MNI152NLin6Asym" in link
    assert "use=&use=space%20MNI152" in link
    assert read_session(
        "s.json", session_bytes(state), StateValidator(app.context.session.root)
    ) == (state)
    other = open_app(root)
    arrive(other, link)
    assert not other.context.banner.message
    assert other.url_state.state == state
    assert spaces_in(other.context) == spaces_in(context)


def run(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of a page, one after another."""
    monkeypatch.chdir(folder)
    for line in code.replace("\\\n", " ").splitlines():
        if line.strip():
            with contextlib.redirect_stdout(io.StringIO()):
                assert main([*shlex.split(line)[1:], "--overwrite"]) == 0, line


def test_the_code_states_the_spaces(root, tmp_path, monkeypatch):
    shutil.copytree(root, tmp_path / "root")
    context = open_app(tmp_path / "root").context
    choose(context, folder_a="cohort_a", folder_b="cohort_b", atlases=(ATLAS, TALAIRACH))
    panel = SpacesPanel(context)
    for field in panel.fields[:2]:
        enter(context, field, "MNI152NLin6Asym")
    enter(context, panel.fields[3], "MNI152NLin6Asym")
    choose(context, min_patients=3)
    python, commands = Code(context.session).topography(context.choices.selection)
    # The other atlas states its own, as one statement for each is needed.
    expected = ["masks=MNI152NLin6Asym", "atlas=MNI152", "atlas=MNI152NLin6Asym"]
    for statement in expected:
        assert f"--space {statement}" in commands
        assert statement in python
    run(commands, tmp_path, monkeypatch)
    record = json.loads((tmp_path / "results/overlap/provenance.json").read_text())
    assert record["parameters"]["space"] == expected
    assert {each["space"]["source"] for each in record["inputs"]} == {"stated by the user"}


def test_two_spaces_of_folders_are_one_too_many_for_one_command(root):
    context = open_app(root).context
    choose(context, folder_a="cohort_a", folder_b="cohort_b", atlases=())
    panel = SpacesPanel(context)
    enter(context, panel.fields[0], "MNI152NLin6Asym")
    assert context.choices.cohort_b == "cohort_b"
    (line,) = Code(context.session).topography(context.choices.selection)[1].splitlines()
    assert line.startswith("# ")
    assert "MNI152NLin6Asym" in line


def test_the_report_of_folders_in_two_stated_spaces_is_refused(root):
    context = open_app(root).context
    choose(context, folder_a="cohort_a", folder_b="cohort_b", atlases=())
    enter(context, SpacesPanel(context).fields[0], "MNI152NLin6Asym")
    choice = ReportPanel(context).choice
    with pytest.raises(InputError, match="MNI152NLin6Asym"):
        Reporting(context.session).make(choice, DAY, lambda *_: None, Event())


def test_the_report_tells_the_stated_spaces(root):
    context = open_app(root).context
    choose(context, folder_a="cohort_a", atlases=(TALAIRACH,))
    panel, spaces = ReportPanel(context), SpacesPanel(context)
    before = panel.choice
    enter(context, spaces.fields[1], "MNI152NLin6Asym")
    enter(context, spaces.fields[0], "MNI152NLin6Asym")
    assert panel.choice != before
    with no_pictures():
        report = Reporting(context.session).make(panel.choice, DAY, lambda *_: None, Event())
    record = json.loads(report.files["provenance.json"])
    assert record["parameters"]["space"] == ["masks=MNI152NLin6Asym", "atlas=MNI152NLin6Asym"]
    assert {each["space"]["name"] for each in record["inputs"]} == {"MNI152NLin6Asym"}


def test_a_map_of_a_file_takes_a_stated_space_which_no_other_file_inherits(root):
    context = open_app(root).context
    choose(context, folder_a="cohort_a", atlases=(ATLAS,))
    page = AssignPage(context)
    field = page.ask.space
    context.wait()
    assert is_hidden(page.ask.of_space)
    page.choices.source = "maps"
    page.choices.file = "map.nii.gz"
    context.wait()
    assert field.options[0][0] == "As stated: Talairach space (sform code 3)"
    assert any("Talairach" in note for note in page.answer.assignment.notes)
    enter(context, field, "MNI152")
    assert not any("Talairach" in note for note in page.answer.assignment.notes)
    assert page.answer.source.image.grid.space.name == "MNI152"
    assert "--space map=MNI152" in Code(context.session).assign(page.question)[1]
    page.choices.file = ""
    context.wait()
    assert page.choices.space == ""


def test_the_assignment_follows_what_is_said_of_its_atlas(root):
    context = open_app(root).context
    choose(context, folder_a="cohort_a", atlases=(TALAIRACH,))
    page = AssignPage(context)
    context.wait()
    assert any("Talairach" in note for note in page.answer.assignment.notes)
    panel = SpacesPanel(context)
    enter(context, panel.fields[1], "MNI152")
    assert not any("Talairach" in note for note in page.answer.assignment.notes)
