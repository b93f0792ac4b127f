"""Several atlases at once: how they are chosen, read, told and kept."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from reports import DAY, no_pictures
from visitor import (
    HOSTILE,
    arrive,
    choose,
    click_row,
    enter,
    is_hidden,
    open_app,
    press,
    styles,
    text,
)

from lesion_dash.atlas.places import name_place
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.atlas_use import AtlasUse
from lesion_dash.dashboard.code import Code
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.lab_choices import RoiRequest
from lesion_dash.dashboard.lab_inputs import setup_of
from lesion_dash.dashboard.lab_steps import step_of
from lesion_dash.dashboard.page_state import PageState, StateValidator
from lesion_dash.dashboard.pages.atlases import AtlasFields
from lesion_dash.dashboard.pages.brain import BrainPanel
from lesion_dash.dashboard.pages.choices import ChoicesPanel
from lesion_dash.dashboard.pages.patients_at_voxel import PatientsAtVoxelPanel
from lesion_dash.dashboard.pages.regions import RegionsPanel
from lesion_dash.dashboard.pages.roi import RoiPage
from lesion_dash.dashboard.reporting import ReportChoice, Reporting
from lesion_dash.dashboard.session_file import read_session, session_bytes
from lesion_dash.dashboard.state import MOST_ATLASES
from lesion_dash.regions.counts import count_regions
from lesion_dash.rois.recipe import InsideRegions

CORTEX, HALVES, SWAPPED = "synthetic_atlas", "halves", "swapped"
LINK = f"a=cohort_a&k=5&map=n&atlas={CORTEX}&atlas={HALVES}"


@pytest.fixture(scope="module")
def root(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort and atlases: regions, front and rear, regions with names of the other side."""
    root = tmp_path_factory.mktemp("atlases")
    for name in ("cohort_a", "cohort_b"):
        shutil.copytree(sample_data / name, root / name)
    (root / "atlas").mkdir()
    for ending in ("nii.gz", "csv"):
        shutil.copy(sample_data / "atlas" / f"{CORTEX}.{ending}", root / "atlas")
    stored = nib.load(root / "atlas" / f"{CORTEX}.nii.gz")
    _, y, _ = nib.affines.apply_affine(stored.affine, np.indices(stored.shape).T).T
    halves = np.where(y > 0, 1, 2).astype(np.uint8)
    nib.save(nib.Nifti1Image(halves, stored.affine, stored.header), root / "atlas/halves.nii.gz")
    (root / "atlas" / "halves.csv").write_text(f"index,name\n1,front {HOSTILE}\n2,rear\n")
    mirrored = nib.Nifti1Image(np.asarray(stored.dataobj), np.diag([-1, 1, 1, 1]) @ stored.affine)
    nib.save(mirrored, root / "atlas" / "swapped.nii.gz")
    shutil.copy(root / "atlas" / f"{CORTEX}.csv", root / "atlas" / "swapped.csv")
    (root / "atlas" / "zz.nii").write_bytes(b"no image")
    (root / "atlas" / "zz.csv").write_text("index,name\n1,one\n")
    return root


@pytest.fixture
def two(root: Path) -> App:
    """The dashboard with two atlases."""
    app = open_app(root)
    arrive(app, LINK)
    assert not app.context.banner.message
    assert app.context.choices.loaded_atlases == (CORTEX, HALVES)
    return app


def offered(atlases: Any) -> list[str]:
    return [name for _, name in atlases.options if name]


def test_atlases_are_added_and_removed_one_by_one(root: Path) -> None:
    context = open_app(root).context
    choose(context, folder_a="cohort_a", atlases=())
    fields = AtlasFields(context)
    assert not is_hidden(fields.first)
    enter(context, fields.first, CORTEX)
    enter(context, fields.add, HALVES)
    enter(context, fields.add, SWAPPED)
    assert context.choices.loaded_atlases == (CORTEX, HALVES, SWAPPED)
    assert not {CORTEX, HALVES, SWAPPED}.intersection(offered(fields.add))
    assert fields.add.value == ""
    assert [text(line.words) for line in fields.lines] == [HALVES, SWAPPED]
    enter(context, fields.first, SWAPPED)  # which changes places with the first
    assert context.choices.loaded_atlases == (SWAPPED, HALVES, CORTEX)
    press(context, fields.lines[0].remove)
    assert context.choices.loaded_atlases == (SWAPPED, CORTEX)
    assert text(fields.lines[0].words) == CORTEX
    enter(context, fields.first, "")  # the next one is the first
    assert context.choices.loaded_atlases == (CORTEX,)
    assert fields.first.value == CORTEX
    enter(context, fields.first, "")
    assert context.choices.loaded_atlases == ()


def test_there_are_no_more_atlases_than_are_kept_in_memory(root: Path) -> None:
    context = open_app(root).context
    context.choices.atlases = [f"atlas {number % 7}" for number in range(20)]
    assert context.choices.atlases == tuple(f"atlas {n}" for n in range(MOST_ATLASES))


def test_the_crosshair_names_the_region_of_each(two: App) -> None:
    context = two.context
    brain = BrainPanel(context)
    choose(context, min_patients=4)
    for mm in ((-44.0, 16.0, 12.0), (0.0, -30.0, -30.0)):
        choose(context, mm=mm)
        for name in (CORTEX, HALVES):
            words = f"{name}: {name_place(context.session.atlas(name), mm).words}"
            assert words in text(brain.readout)
    choose(context, mm=(-44.0, 16.0, 12.0))
    assert "<img" not in brain.readout.value
    choose(context, atlases=(CORTEX,))
    assert f"{CORTEX}:" not in brain.readout.value
    assert "ld-several-atlases" not in styles(brain.readout)


def test_the_table_shows_the_regions_of_the_chosen_atlas(two: App, saved: Any) -> None:
    context = two.context
    panel, here = RegionsPanel(context), PatientsAtVoxelPanel(context)
    context.wait()
    counted = context.session.counted_mask(context.choices.selection)
    expected = {
        name: count_regions(counted, context.session.atlas(name)) for name in (CORTEX, HALVES)
    }
    assert set(panel.table.frame["region"]) & {row.region for row in expected[CORTEX].rows[:-1]}
    click_row(panel.table, 0)
    assert context.choices.region is not None
    enter(context, panel.atlas, HALVES)
    assert context.choices.region is None  # the same label is another region there
    shown = panel.table.frame[~panel.table.frame["region"].str.contains("atlas|mm")]
    assert set(shown["region"]) <= {f"front {HOSTILE}", "rear"}
    voxels = {row.region: row.voxels for row in expected[HALVES].rows}
    assert shown.set_index("region")["voxels"].to_dict() == {
        name: voxels[name] for name in shown["region"]
    }
    front = shown["region"].tolist().index(f"front {HOSTILE}")
    click_row(panel.table, front)
    context.wait()
    assert context.choices.region == 1
    masks = [nib.load(path).get_fdata() > 0 for path in paths_of(context)]
    labels = nib.load(context.session.root.atlases[HALVES][0]).get_fdata()
    assert len(here.patients.table) == sum(bool(mask[labels == 1].any()) for mask in masks)
    panel.download.click()
    context.wait()
    name = f"region_counts_{HALVES}.csv"
    assert context.session.file_bytes(context.choices.selection, name) == csv_bytes(
        expected[HALVES].table
    )


def paths_of(context: Any) -> list[Path]:
    cohort = context.session.load("cohort_a")
    return [Path(cohort.folder) / patient.file for patient in cohort.used]


@pytest.fixture
def saved(two: App, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    monkeypatch.setattr(two.context.saver, "save", files.__setitem__)
    return files


def test_a_link_and_a_file_keep_them_with_the_region_that_is_listed(two: App, root: Path) -> None:
    context = two.context
    PatientsAtVoxelPanel(context)
    context.session.choose_use(SWAPPED, AtlasUse())
    choose(context, atlases=(CORTEX, SWAPPED, HALVES), regions_of=HALVES, region=2)
    context.choose_use(SWAPPED, AtlasUse("mirrored"))
    context.wait()
    choose(context, region=2)
    state, link = two.url_state.state, two.url_state.bar.text
    assert state.atlases == (CORTEX, SWAPPED, HALVES)
    assert f"atlas={CORTEX}&atlas={SWAPPED}&atlas={HALVES}" in link
    assert "use=&use=mirrored&use=&" in link
    validator = StateValidator(context.session.root)
    assert read_session("s.json", session_bytes(state), validator) == state
    other = open_app(root)
    panel = RegionsPanel(other.context)
    arrive(other, link)
    assert not other.context.banner.message
    assert other.url_state.state == state
    assert other.context.session.use_of(SWAPPED).sides == "mirrored"
    assert panel.atlas.value == HALVES


def test_files_of_before_tell_how_names_are_used(root: Path) -> None:
    validator = StateValidator(DataRoot(root))
    state = PageState("cohort_a", atlases=(CORTEX, SWAPPED), atlas_uses=("", "mirrored"))
    session = json.loads(session_bytes(state)) | {"schema": 3}
    session["choices"]["atlas_sides"] = session["choices"].pop("atlas_uses")
    assert read_session("session.json", json.dumps(session).encode(), validator) == state


def test_links_and_files_of_before_hold_one_atlas(root: Path) -> None:
    app = open_app(root)
    arrive(app, f"a=cohort_a&k=5&map=n&atlas={SWAPPED}&names=accepted")
    choices = app.context.choices
    assert choices.loaded_atlases == (SWAPPED,)
    assert app.context.session.use_of(SWAPPED).sides == "accepted"
    validator = StateValidator(app.context.session.root)
    session = json.loads(session_bytes(PageState("cohort_a"))) | {"schema": 2}
    session["choices"] |= {"atlas": SWAPPED, "atlas_sides": "accepted"}
    del session["choices"]["regions_of"]
    state = read_session("session.json", json.dumps(session).encode(), validator)
    assert state == PageState("cohort_a", atlases=(SWAPPED,), atlas_uses=("accepted",))


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        (f"atlas={CORTEX}&atlas=gone", "is not an atlas of the data root"),
        (f"atlas={CORTEX}&atlas={CORTEX}", "names an atlas twice"),
        ("&".join(f"atlas={n}" for n in range(6)), "more than 5 atlases"),
        (f"atlas={CORTEX}&of=gone", "is not an atlas of the data root"),
        (f"atlas={CORTEX}&use=&use=no", "is not a use of an atlas"),
        (f"atlas={CORTEX}&use=space+MNI152Nlin6Asim", "is not a template that is known here"),
    ],
)
def test_a_link_that_names_what_is_not_here_says_so(root: Path, choice: str, reason: str) -> None:
    app = open_app(root)
    arrive(app, f"a=cohort_a&k=5&{choice}")
    assert reason in app.context.banner.message
    assert app.context.choices.cohort_a == "cohort_a"


def test_one_that_cannot_be_read_leaves_the_others(two: App) -> None:
    context = two.context
    choose(context, atlases=(CORTEX, "zz", HALVES))
    assert "zz.nii" in context.banner.message
    assert context.choices.atlases == context.choices.loaded_atlases == (CORTEX, HALVES)
    choose(context, atlases=("zz", HALVES))
    assert context.choices.atlases == context.choices.loaded_atlases == (CORTEX, HALVES)


def test_each_has_its_own_notice_of_doubtful_names(two: App) -> None:
    context = two.context
    fields = AtlasFields(context)
    choose(context, atlases=(CORTEX, SWAPPED, HALVES), regions_of=SWAPPED)
    panel, code = RegionsPanel(context), Code(context.session)
    context.wait()
    marked = "Synthetic insula R (side doubtful)"
    assert marked in set(panel.table.frame["region"])
    notices = [fields.names, *(line.names for line in fields.lines)]
    assert [is_hidden(each.widget) for each in notices] == [True, False, True]
    press(context, fields.lines[0].names.buttons["mirrored"])
    assert "Synthetic insula L" in set(panel.table.frame["region"])
    assert context.choices.regions_atlas == SWAPPED
    _, command = code.topography(context.choices.selection)
    assert "--mirror-atlas" in command
    assert command.count("--atlas ") == 3


def test_doubtful_names_of_two_are_used_alike_in_one_request(two: App) -> None:
    context = two.context
    choose(context, atlases=(SWAPPED, HALVES))
    context.choose_use(SWAPPED, AtlasUse("accepted"))
    context.choose_use(HALVES, AtlasUse("mirrored"))
    context.wait()
    code, _ = Code(context.session).topography(context.choices.selection)
    assert code.startswith("# ")
    assert "used in different ways" in code
    context.choose_use(HALVES, AtlasUse())
    context.wait()
    assert "accept_swapped=True" in Code(context.session).topography(context.choices.selection)[0]


def test_all_are_saved_with_what_was_read(two: App, tmp_path: Path) -> None:
    context = two.context
    panel = ChoicesPanel(context)
    words = [label for label, _ in panel.file.options]
    assert f"Regions of {CORTEX}, as a table" in words
    assert f"Regions of {HALVES}, as a table" in words
    place = context.export(tmp_path / "results")
    tables = {name: pd.read_csv(place / f"region_counts_{name}.csv") for name in (CORTEX, HALVES)}
    assert tables[CORTEX]["voxels"].iloc[:-1].sum() <= tables[HALVES]["voxels"].sum()
    provenance = json.loads((place / "provenance.json").read_text())
    assert provenance["parameters"]["atlases"] == [CORTEX, HALVES]
    read = [each["name"] for each in provenance["inputs"] if each["kind"] == "atlas"]
    assert read == [CORTEX, HALVES]


def test_report_and_command_name_each(two: App) -> None:
    context = two.context
    choice = ReportChoice("cohort_a", "", 5, (CORTEX, HALVES))
    with no_pictures():
        report = Reporting(context.session).make(choice, DAY, lambda *_: None, Event())
    files = {name: report.files[f"region_counts_{name}.csv"] for name in (CORTEX, HALVES)}
    for name, content in files.items():
        saved = context.session.file_bytes(context.choices.selection, f"region_counts_{name}.csv")
        assert content == saved
    lines = Code(context.session).topography(context.choices.selection)[1].splitlines()
    command = next(line for line in lines if " report " in line)
    assert command.count("--atlas") == 2


def test_regions_of_interest_follow_what_is_said_of_a_swapped_atlas(root: Path) -> None:
    context = open_app(root).context
    choose(context, folder_a="cohort_a", atlases=(SWAPPED,))
    page = RoiPage(context)
    page.choices.kind = "cohorts"
    page.choices.folder, page.choices.folder_b = "cohort_a", "cohort_b"
    page.way.atlas = SWAPPED
    context.wait()
    image, labels = map(str, context.session.root.atlas_files(SWAPPED))
    marked = "Synthetic insula L (side doubtful)"
    step = step_of(json.dumps(["regions", SWAPPED, marked]), context.session.root)
    assert step == InsideRegions(image, (marked,), labels)
    asked = RoiRequest(setup_of(page.choices, page.lab.files), replace(page.way.way, steps=(step,)))
    press(context, page.test.run)
    page.way.begin("effect")
    context.wait()
    shown, parts = page.parts.table.frame["place"], page.answer.run.every
    assert any(part.place.nearest_mm > 0 for part in parts)
    for words, part in zip(shown, parts, strict=True):
        assert words.startswith(part.place.region)
        if part.place.nearest_mm > 0:
            away = f"{part.place.nearest_mm:.1f} mm from {part.place.nearest_region}"
            assert words == f"outside the atlas, {away}"
    for sides in ("", "accepted", "mirrored"):
        context.choose_use(SWAPPED, AtlasUse(sides))
        recipe = asked.recipe(context.session.root)
        for used in (recipe, *recipe.steps):
            assert (used.accept_swapped, used.mirror_atlas) == (
                sides == "accepted",
                sides == "mirrored",
            )
