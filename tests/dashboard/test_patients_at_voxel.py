"""The patients at the crosshair or in a region: who they are, their volumes, what is shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from atlases import probability_atlas
from phantoms import random_masks, write_masks
from visitor import Opened, choose, click_row, enter, is_hidden, text, titles, unselect

from lesion_dash.atlas.atlas import Atlas, LabelAtlas
from lesion_dash.atlas.formats import Region
from lesion_dash.cohort.cohort import Cohort
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.pages.brain import BrainPanel
from lesion_dash.dashboard.pages.patients import shown_columns
from lesion_dash.dashboard.pages.patients_at_voxel import (
    AT,
    IN,
    PatientsAtVoxelPanel,
    patient_table,
)
from lesion_dash.dashboard.pages.regions import RegionsPanel
from lesion_dash.dashboard.patients_at_voxel import find_patients_at, volumes_svg
from lesion_dash.dashboard.region_patients import find_in_region, peak_mm
from lesion_dash.regions.counts import count_regions
from lesion_dash.regions.load import LesionLoad, lesion_load


@pytest.fixture
def cohort(context: AppContext) -> Cohort:
    return context.session.load("cohort_a")


@pytest.fixture
def panel(opened: Opened) -> PatientsAtVoxelPanel:
    return opened(PatientsAtVoxelPanel)


def test_everywhere_the_patients_are_those_whose_masks_hold_the_voxel(cohort: Cohort) -> None:
    generator = np.random.default_rng(2)
    lesioned = generator.choice(np.flatnonzero(np.ravel(cohort.counts, order="F")), 20)
    elsewhere = generator.choice(cohort.grid.size, 20)
    for index in (*lesioned, *elsewhere):
        mm = tuple(cohort.grid.mm_of_index([index])[0].tolist())
        patients = find_patients_at(cohort, cohort.used_table, mm)
        expected = [row for row in range(cohort.n_patients) if index in cohort.mask(row).indices]
        assert patients.table["patient"].tolist() == [cohort.used[row].id for row in expected]
        volumes = [cohort.mask(row).volume_mm3 / 1000 for row in expected]
        np.testing.assert_allclose(patients.lesioned_ml, volumes)
        assert patients.all_ml.size == cohort.n_patients
    outside = find_patients_at(cohort, cohort.used_table, (500.0, 0.0, 0.0))
    assert outside.summary == "none of 40 patients of cohort_a is lesioned at MNI 500, 0, 0"
    assert 'aria-label="Volumes of the 0 patients here among all 40"' in volumes_svg(outside)


def test_the_strip_has_a_line_for_each_patient(cohort: Cohort) -> None:
    patients = find_patients_at(cohort, cohort.used_table, (-26.0, 0.0, 8.0))
    assert patients.summary == "7 of 40 patients of cohort_a are lesioned at MNI −26, 0, 8"
    drawn = volumes_svg(patients)
    everybody, some = (
        drawn.partition(f'class="ld-strip-{name}" d="')[2].partition('"')[0]
        for name in ("all", "here")
    )
    assert (everybody.count("V"), some.count("V")) == (40, 7)
    x = [float(part.split()[0]) for part in everybody.split("M")[1:]]
    order = np.argsort(patients.all_ml, kind="stable")
    assert np.array_equal(np.argsort(x, kind="stable"), order)


def test_the_panel_follows_the_crosshair_and_the_side(
    context: AppContext, panel: PatientsAtVoxelPanel
) -> None:
    choose(context, mm=(-26.0, 0.0, 8.0))
    patients = {patient.id for patient in context.session.load("cohort_a").patients_at((-26, 0, 8))}
    assert set(panel.table.frame["patient"]) == patients
    assert {"Volume (mL)", "Voxels", "sex", "age (years)"} <= set(titles(panel.table))
    panel.side.value = "b"
    assert "Choose folder B" in panel.caption.value
    assert len(panel.table.frame) == 0
    panel.place.value = IN
    assert "Choose folder B to list the patients with a lesion in the region" in panel.caption.value
    choose(context, folder_b="cohort_b")
    region = context.session.atlas(context.choices.loaded_atlas).region_at((-26, 0, 8))
    assert f"of cohort_b are lesioned in {region}" in panel.caption.value  # that of the crosshair
    choose(context, region=12345)  # as somebody may have written it in an address
    assert "Click a row of the table Regions" in panel.caption.value
    choose(context, region=load_of(context, "cohort_b").atlas.regions[0].label)
    assert "of 40 patients of cohort_b" in panel.caption.value
    assert " lesioned in " in panel.caption.value
    enter(context, panel.place, AT)
    assert "of 40 patients of cohort_b" in panel.caption.value
    assert context.banner.message == ""


@pytest.fixture(params=["labels", "likely"])
def atlas(request: pytest.FixtureRequest, cohort: Cohort) -> Atlas:
    """Three slabs from left to right, or two ramps and a far corner."""
    x = np.broadcast_to(np.arange(cohort.grid.shape[0])[:, None, None], cohort.grid.shape)
    regions = (Region(2, "left"), Region(5, "middle"), Region(9, "right"))
    if request.param == "labels":
        labels = np.select([x < 30, x < 60], [2, 5], 9)
        return LabelAtlas("slabs", cohort.grid, labels, regions)
    corner = np.indices(cohort.grid.shape).max(axis=0) == 0
    ramps = [x / 128, (90 - x) / 256, corner]
    return probability_atlas(ramps, cohort.grid, regions, "ramps")


def chances_of(atlas: Atlas, label: int) -> np.ndarray:
    column = [region.label for region in atlas.regions].index(label)
    return atlas.maps[:, [column]].toarray().ravel()


def test_in_a_region_are_those_whose_masks_hold_a_voxel_of_it(cohort: Cohort, atlas: Atlas) -> None:
    load = lesion_load(cohort, atlas)
    for label in (2, 5, 9):
        patients = find_in_region(load, cohort.used_table, label)
        chances, masks = chances_of(atlas, label), [cohort.mask(row) for row in range(40)]
        expected = {row: chances[mask.indices].sum() for row, mask in enumerate(masks)}
        expected = {row: voxels for row, voxels in expected.items() if voxels > 0}
        rows = patients.table.index.tolist()
        assert set(rows) == set(expected)
        voxels = np.array([expected[row] for row in rows])
        assert (np.diff(voxels) <= 1e-9).all()
        np.testing.assert_allclose(patients.of_region, voxels / chances.sum())
        np.testing.assert_allclose(patients.in_region_ml, voxels * cohort.grid.voxel_volume / 1000)
        own = np.array([masks[row].voxels for row in rows])
        np.testing.assert_allclose(patients.of_lesion, voxels / own)
        np.testing.assert_allclose(patients.lesioned_ml, own * cohort.grid.voxel_volume / 1000)


def test_the_peak_of_a_region_has_most_patients(cohort: Cohort, atlas: Atlas) -> None:
    counts = count_regions(cohort.at_least(3), atlas)
    for row in counts.rows[:-1]:
        if not row.voxels:
            continue
        x, y, z = peak_mm(counts, row, [cohort, cohort])
        at = cohort.grid.linear_index(cohort.grid.nearest_voxel((x, y, z)))
        weights = np.ravel(cohort.counts, order="F") * chances_of(atlas, row.label)
        assert at in counts.mask.indices
        assert weights[at] == weights[counts.mask.indices].max() > 0


def load_of(context: AppContext, name: str) -> LesionLoad:
    atlas = context.session.atlas(context.choices.loaded_atlas)
    return lesion_load(context.session.load(name), atlas)


def test_a_click_on_a_region_lists_its_patients_and_goes_there(
    context: AppContext, panel: PatientsAtVoxelPanel
) -> None:
    brain, regions = BrainPanel(context), RegionsPanel(context)
    context.wait()
    click_row(regions.table, 2)
    context.wait()
    cohort, label = context.session.load("cohort_a"), int(regions.table.frame["label"][2])
    expected = find_in_region(load_of(context, "cohort_a"), cohort.table, label)
    patients = expected.table["patient"].tolist()
    assert panel.place.value == IN
    assert panel.place.label == f"In {regions.table.frame['region'][2]}"
    assert text(panel.caption) == expected.summary
    assert panel.loads.frame["patient"].tolist() == patients
    assert f"Volumes of the {len(patients)} patients here" in panel.strip.value
    assert is_hidden(panel.table)
    sent: list[object] = []
    panel.brain.send = sent.append
    click_row(panel.loads, 4)
    assert (panel.brain.place, len(sent)) == (".ld-brain", 1)  # the list is far below it
    assert brain.outline.patient == patients[4]
    assert panel.loads.selected == 4
    unselect(panel.loads)
    assert brain.outline is None
    assert len(sent) == 1
    choose(context, mm=(0.0, 0.0, 0.0))  # the list stays that of the region
    assert panel.loads.frame["patient"].tolist() == patients
    enter(context, panel.place, AT)
    assert "lesioned at MNI 0, 0, 0" in panel.caption.value
    assert is_hidden(panel.loads)
    assert context.choices.region is None
    assert regions.table.selected is None


def test_the_region_is_left_with_its_row_and_with_its_atlas(
    context: AppContext, panel: PatientsAtVoxelPanel
) -> None:
    regions = RegionsPanel(context)
    context.wait()
    click_row(regions.table, 0)
    unselect(regions.table)
    assert context.choices.region is None
    assert panel.place.value == AT
    click_row(regions.table, 1)
    choose(context, min_patients=3)  # the table is counted anew, and the region stays
    assert regions.table.frame["label"][regions.table.selected] == context.choices.region
    choose(context, atlas="")
    assert context.choices.region is None
    panel.place.value = IN
    assert "Choose an atlas" in panel.caption.value


NAMES = ("Patient", "Status", "Voxels", "Volume (mL)", "% of lesion")


def test_columns_named_like_ours_hide_none(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "cohort", random_masks(4))
    rows = [
        "\t".join([f"sub-00{number}", *(f"{name} {number}" for name in NAMES)])
        for number in range(4)
    ]
    header = "\t".join(["participant_id", *NAMES])
    (folder / "participants.tsv").write_text("\n".join([header, *rows]) + "\n")
    with_unit = ("Status", "Voxels", "% of lesion")
    units = {name: {"Units": "ours"} for name in with_unit}
    (folder / "participants.json").write_text(json.dumps(units))
    cohort = load_cohort(folder)
    columns = shown_columns(cohort.used_table, cohort.units)
    cells = {column.title: column.cells(cohort.used_table) for column in columns}
    assert len(cells) == len(columns)
    assert cells["Patient"] == [f"sub-00{number}" for number in range(4)]
    assert cells["Voxels"] == cohort.volumes.tolist()
    for name in NAMES:
        own = f"{name} ({'ours' if name in with_unit else 'table'})"
        assert cells[own] == [f"{name} {number}" for number in range(4)]
    voxel = cohort.mask(0).grid.mm_of_index(cohort.mask(0).indices[:1])[0]
    patients = find_patients_at(cohort, cohort.used_table, tuple(voxel))
    frame, (first, *_) = patient_table(patients, cohort.units)
    assert "sub-000" in first.cells(frame)
