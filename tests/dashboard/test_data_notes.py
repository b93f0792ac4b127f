"""The notes on the data stand above every page, counted, by what they are on, each once."""

from __future__ import annotations

import html
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from phantoms import SHAPE, image, write_masks
from visitor import HOSTILE, choose, is_hidden, new_context, open_app

from lesion_dash import load_cohort
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.data_notes import DataNotes
from lesion_dash.dashboard.pages.patients import PatientsPage


def middle(width: int) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    mask[2 : 2 + width, 2:5, 2:4] = 1
    return mask


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A folder of four notes, a clean one, and an atlas with a label too many."""
    write_masks(tmp_path / "noted", [middle(1), middle(1), middle(2), np.zeros(SHAPE)])
    (tmp_path / "noted" / f"{HOSTILE.replace('/', '')}.nii").write_bytes(b"no image")
    rows = [f"sub-00{number}\t{'FM'[number % 2]}" for number in range(4)]
    table = "\n".join(["participant_id\tsex", *rows])
    (tmp_path / "noted" / "participants.tsv").write_text(table)
    write_masks(tmp_path / "clean", [middle(1), middle(2)])
    labels = np.ones(SHAPE, np.float32)
    labels[-1] = 7
    (tmp_path / "atlas").mkdir()
    nib.save(image(labels), tmp_path / "atlas" / "odd.nii.gz")
    (tmp_path / "atlas" / "odd.csv").write_text("index,name\n1,the brain\n")
    app = open_app(tmp_path)
    choose(app.context, folder_a="clean", atlas="")
    return app


def shown(app: App) -> tuple[str, list[str]]:
    """The title of the fold, and the notes in it."""
    text = app.notes.widget.value
    title = re.findall("<summary>(.*)</summary>", text)
    return "".join(title), [html.unescape(note) for note in re.findall("<li>(.*?)</li>", text)]


def test_every_note_on_the_data_is_on_the_page(app: App, tmp_path: Path) -> None:
    assert is_hidden(app.notes.widget)
    choose(app.context, folder_b="noted", atlas=next(iter(app.context.session.root.atlases)))
    on_masks = load_cohort(tmp_path / "noted").all_notes
    assert len(on_masks) == 4
    title, notes = shown(app)
    assert notes[:4] == list(on_masks)
    assert "label without a name: 7" in notes[4:]
    assert title == f"{len(notes)} notes on the data"
    assert not is_hidden(app.notes.widget)
    assert HOSTILE.replace("/", "") not in app.notes.widget.value
    for index in range(len(app.pages.children)):  # above all pages, and part of none
        app.navigation.selected_index = index
        app.context.wait()
        assert app.notes.widget in app.widget.children
    choose(app.context, folder_b="", atlas="")
    assert shown(app) == ("", [])


def test_the_page_names_no_option_of_the_command_line(app: App, tmp_path: Path) -> None:
    """Neither in the notes, the file check, nor the banner; what was found stays."""
    labels = middle(2)
    labels[2, 2, 2] = 3
    masks = [middle(2)] * 20  # the choice of labels is asked for where more are label maps
    write_masks(tmp_path / "few", [*masks, labels])
    write_masks(tmp_path / "labels", [labels, labels])
    context = new_context(tmp_path)
    notes, page = DataNotes(context), PatientsPage(context)
    choose(context, folder_a="few")
    texts = [notes.widget.value, page.report.frame.to_string()]
    choose(context, folder_a="labels")
    texts.append(context.banner.message)
    for text in texts:
        assert "label" in text
        assert "--" not in text


def test_two_parts_of_one_folder_share_their_notes(app: App, tmp_path: Path) -> None:
    choose(app.context, folder_a="noted", folder_b="noted", where_a=["sex=F"], where_b=["sex=M"])
    _, notes = shown(app)
    assert len(notes) == len(set(notes))
    assert {*load_cohort(tmp_path / "noted").notes} <= {*notes}
