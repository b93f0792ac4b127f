"""On the page: a folder of label maps is read once it is said which labels are the lesion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from phantoms import SHAPE, random_masks, save, write_masks
from visitor import arrive, enter, open_app

from lesion_dash.analyses.validation import report_of
from lesion_dash.dashboard.address import to_address
from lesion_dash.dashboard.code import Code
from lesion_dash.dashboard.image_facts import section_html
from lesion_dash.dashboard.pages.choices import ChoicesPanel
from lesion_dash.dashboard.pages.patients import shown_report
from lesion_dash.dashboard.session_file import read_session, session_bytes
from lesion_dash.scans.inspection import inspect_image
from lesion_dash.scans.inspection_text import describe

PARTS = np.random.default_rng(0).choice([0, 1, 2, 4], (3, *SHAPE)).astype(np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_masks(tmp_path / "root" / "tumours", PARTS)
    write_masks(tmp_path / "root" / "plain", random_masks(3, seed=1))
    return tmp_path / "root"


def test_the_page_offers_the_labels_and_keeps_the_answer(root: Path) -> None:
    app = open_app(root)
    panel, choices = ChoicesPanel(app.context), app.context.choices
    enter(app.context, panel.folder_a, "tumours")
    assert choices.cohort_a == "plain"
    shown = app.context.banner.message + panel.files_a.why.value
    assert "3 of 3 files hold several labels" in shown
    assert "--" not in shown
    assert panel.files_a.choice.options[1] == ("All voxels above 0", "label any")
    for text, expected in (("label any", PARTS > 0), ("label 1,4", np.isin(PARTS, [1, 4]))):
        enter(app.context, panel.files_a.choice, text)
        cohort = app.context.session.load(choices.cohort_a)
        np.testing.assert_array_equal(cohort.counts, expected.sum(axis=0))
    assert app.context.banner.message == ""
    state = app.url_state.state
    assert state.files_a == "label 1,4"
    assert read_session("x", session_bytes(state), app.url_state._validator).files_a == "label 1,4"
    python, commands = Code(app.context.session).topography(choices.selection)
    assert "label='1,4'" in python
    assert "--label 1,4" in commands
    other = open_app(root)
    arrive(other, to_address(state))
    again = other.context.session.load(other.context.choices.cohort_a)
    np.testing.assert_array_equal(again.counts, cohort.counts)


def test_no_option_of_the_command_line_stands_on_the_page(root: Path) -> None:
    write_masks(root / "many", random_masks(12))
    save(root / "many" / "x.nii.gz", PARTS[0])
    app = open_app(root)
    panel = ChoicesPanel(app.context)
    enter(app.context, panel.folder_a, "many")
    cohort = app.context.session.load(app.context.choices.cohort_a)
    shown = shown_report(report_of(cohort).files).to_string()
    assert "more than one label: 3 different values (1, 2, 4)" in shown
    assert "--" not in shown
    inspection = inspect_image(root / "many" / "x.nii.gz")
    assert "--label any" in " ".join(inspection.as_mask.sentences)
    facts = section_html(inspection, *[section.title for section in describe(inspection)])
    assert "more than one label: 3 different values (1, 2, 4)" in facts
    assert "--" not in facts
