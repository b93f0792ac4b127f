"""The patients at the crosshair: who they are, their volumes, and what is shown of them."""

from __future__ import annotations

import numpy as np
import pytest

from lesion_dash import Cohort
from lesion_dash.dashboard.desk import Desk
from lesion_dash.dashboard.here import find_here, volumes_svg
from lesion_dash.dashboard.pages.here import HerePanel


@pytest.fixture
def cohort(desk: Desk) -> Cohort:
    return desk.session.load("cohort_a")


@pytest.fixture
def panel(desk: Desk) -> HerePanel:
    desk.choices.folder_a = "cohort_a"
    desk.wait()
    panel = HerePanel(desk)
    desk.wait()
    return panel


def test_everywhere_the_patients_are_those_whose_masks_hold_the_voxel(cohort: Cohort) -> None:
    generator = np.random.default_rng(2)
    lesioned = generator.choice(np.flatnonzero(np.ravel(cohort.counts, order="F")), 20)
    elsewhere = generator.choice(cohort.grid.size, 20)
    for index in (*lesioned, *elsewhere):
        mm = tuple(cohort.grid.mm_of_index([index])[0].tolist())
        here = find_here(cohort, cohort.used_table, mm)
        expected = [row for row in range(cohort.n_patients) if index in cohort.mask(row).indices]
        assert here.table["patient"].tolist() == [cohort.used[row].id for row in expected]
        volumes = [cohort.mask(row).volume_mm3 / 1000 for row in expected]
        np.testing.assert_allclose(here.here_ml, volumes)
        assert here.all_ml.size == cohort.n_patients


def test_outside_the_image_there_is_nobody(cohort: Cohort) -> None:
    here = find_here(cohort, cohort.used_table, (500.0, 0.0, 0.0))
    assert here.words == "none of 40 patients of cohort_a is lesioned at MNI 500, 0, 0"
    assert 'aria-label="Volumes of the 0 patients here among all 40"' in volumes_svg(here)


def test_the_strip_has_a_line_for_each_patient(cohort: Cohort) -> None:
    here = find_here(cohort, cohort.used_table, (-26.0, 0.0, 8.0))
    assert here.words == "10 of 40 patients of cohort_a are lesioned at MNI −26, 0, 8"
    drawn = volumes_svg(here)
    everybody, some = (
        drawn.partition(f'class="ld-strip-{name}" d="')[2].partition('"')[0]
        for name in ("all", "here")
    )
    assert (everybody.count("V"), some.count("V")) == (40, 10)
    x = [float(part.split()[0]) for part in everybody.split("M")[1:]]
    assert np.array_equal(np.argsort(x, kind="stable"), np.argsort(here.all_ml, kind="stable"))


def test_the_panel_follows_the_crosshair_and_the_side(desk: Desk, panel: HerePanel) -> None:
    desk.choices.mm = (-26.0, 0.0, 8.0)
    desk.wait()
    assert panel.table.frame is not None
    patients = {patient.id for patient in desk.session.load("cohort_a").patients_at((-26, 0, 8))}
    assert set(panel.table.frame["Patient"]) == patients
    assert {"Volume (mL)", "Voxels", "sex", "age"} <= set(panel.table.frame.columns)
    panel.side.value = "b"
    assert "Choose folder B" in panel.caption.value
    assert len(panel.table.frame) == 0
    desk.choices.folder_b = "cohort_b"
    desk.wait()
    assert "of 40 patients of cohort_b" in panel.caption.value
