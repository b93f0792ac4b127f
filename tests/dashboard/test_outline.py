"""One patient's lesion over the map: which voxels, where the crosshair goes, when it goes away."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from visitor import HOSTILE, choose, click_row, is_hidden, new_context, unselect

from lesion_dash.cohort.cohort import Cohort
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.outline import (
    Outline,
    deepest_mm,
    find_scan,
    pick_patient,
    row_of_file,
)
from lesion_dash.dashboard.pages.brain import BrainPanel
from lesion_dash.dashboard.pages.outline import OutlineLine
from lesion_dash.dashboard.pages.patients import PatientsPage
from lesion_dash.images.masks import Mask

GRID = Grid((9, 11, 8), np.array([[-2.0, 0, 0, 8], [0, 2, 0, -10], [0, 0, 3, -7], [0, 0, 0, 1]]))


def mask_of(array: np.ndarray) -> Mask:
    return Mask.from_array(array, GRID, "made")


def arc() -> np.ndarray:
    """Three quarters of a ring, whose centre of mass is not lesioned."""
    array = np.zeros(GRID.shape, bool)
    array[1:8, 1:10, 2:6] = True
    array[3:6, 3:8] = False
    array[6:, 3:8] = False
    return array


SHAPES = {
    "arc": arc(),
    "one voxel": np.arange(np.prod(GRID.shape)).reshape(GRID.shape) == 400,
    "touching the image's edge": np.ones(GRID.shape, bool),
    "noise": np.random.default_rng(3).random(GRID.shape) < 0.4,
    "two parts": np.abs(np.indices(GRID.shape)[0] - 4) >= 2,
}
each_shape = pytest.mark.parametrize("array", SHAPES.values(), ids=SHAPES.keys())


@pytest.fixture
def cohort(context: AppContext) -> Cohort:
    return context.session.load("cohort_a")


@pytest.fixture
def panel(context: AppContext) -> BrainPanel:
    panel = BrainPanel(context)
    choose(context, folder_a="cohort_a")
    return panel


@each_shape
def test_the_deepest_place_is_that_of_scipy(array: np.ndarray) -> None:
    voxel = GRID.nearest_voxel(deepest_mm(mask_of(array)))
    left = np.pad(array, 1)
    while (fewer := ndimage.binary_erosion(left)).any():
        left = fewer
    assert left[1:-1, 1:-1, 1:-1][voxel]


def test_the_line_says_whose_lesion_is_outlined(context: AppContext) -> None:
    empty = mask_of(np.zeros(GRID.shape, bool))
    assert Outline("sub-1", empty).summary == "sub-1, an empty mask"
    line = OutlineLine(context)
    line.say(Outline(HOSTILE, mask_of(SHAPES["one voxel"])))
    assert "0.01 mL" in line.text.value
    assert "<img" not in line.text.value


def test_every_lesion_is_jumped_to_unless_the_crosshair_is_in_it(
    context: AppContext, panel: BrainPanel, cohort: Cohort
) -> None:
    for row in range(0, cohort.n_patients, 3):
        before = context.choices.mm
        lesion = cohort.mask(row).array
        was_inside = lesion[cohort.grid.nearest_voxel(before)]
        pick_patient(context, "cohort_a", row)
        assert lesion[cohort.grid.nearest_voxel(context.choices.mm)]
        assert (context.choices.mm == before) == was_inside
        assert tuple(panel.viewer.mm) == context.choices.mm
        assert panel.outline.lesion is not None


def shown(panel: BrainPanel) -> list[tuple[str, str]]:
    """Kind and title of each layer of the viewer."""
    return [(data.facts["kind"], data.facts["title"]) for data in panel.viewer.layers]


def test_the_outline_is_drawn_over_the_map_and_taken_away(
    context: AppContext, panel: BrainPanel, cohort: Cohort
) -> None:
    plain = list(panel.viewer.layers)
    pick_patient(context, "cohort_a", 3)
    drawn = list(panel.viewer.layers)
    assert drawn[:2] == plain[:2]  # the map is not sent again
    bits = np.frombuffer(gzip.decompress(drawn[2].content), np.uint8)
    assert np.unpackbits(bits).sum() == cohort.mask(3).voxels
    assert shown(panel)[2] == ("mask", cohort.used[3].id)
    volume = cohort.mask(3).volume_mm3 / 1000
    assert f"Outline: {cohort.used[3].id}, {volume:.1f} mL" in panel.line.text.value
    choose(context, min_patients=3)
    assert list(panel.viewer.layers) == drawn
    panel.line.close.click()
    assert context.choices.patient == ""
    assert list(panel.viewer.layers) == plain
    assert is_hidden(panel.line.widget)


def test_kept_lesions_stay_beside_the_chosen_one(
    context: AppContext, panel: BrainPanel, cohort: Cohort
) -> None:
    for row in (3, 5, 8):
        pick_patient(context, "cohort_a", row)
        panel.line.keep.click()
    pick_patient(context, "cohort_a", 1)
    masks = [data.facts for data in panel.viewer.layers if data.facts["kind"] == "mask"]
    assert [mask["title"] for mask in masks] == [cohort.used[row].id for row in (3, 5, 8, 1)]
    assert len({tuple(mask["colour"]) for mask in masks}) == 4
    assert masks[-1]["colour"] == [255, 255, 255]
    panel.line.close.click()
    assert "mask" not in dict(shown(panel))


def test_the_patients_own_scan_is_found_beside_the_mask(tmp_path: Path) -> None:
    own = "sub-1_ses-2_space-MNI_T1w.nii.gz"
    names = [own, "sub-1_ses-1_space-MNI_T1w.nii.gz", "sub-1_ses-2_T1w.nii.gz",
             "sub-10_ses-2_space-MNI_T1w.nii.gz", "sub-1_ses-2_space-MNI_bold.nii.gz",
             "sub-1_ses-2_space-MNI_T1w.json"]  # fmt: skip
    for name in names:
        (tmp_path / name).touch()
    DataRoot(tmp_path)  # files are looked for below a data root alone
    assert find_scan(tmp_path, "sub-1_ses-2_space-MNI_lesion.nii.gz") == tmp_path / own
    assert find_scan(tmp_path, "sub-2_ses-2_space-MNI_lesion.nii.gz") is None
    assert find_scan(tmp_path, "lesion.nii.gz") is None


def test_the_scan_is_shown_with_the_lesion(sample_data: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_data / "cohort_a", tmp_path / "cohort_a")
    context = new_context(tmp_path)
    panel = BrainPanel(context)
    choose(context, folder_a="cohort_a")
    cohort = context.session.load("cohort_a")
    values = np.random.default_rng(1).normal(300, 90, cohort.grid.shape).astype(np.float32)
    name = f"{cohort.used[4].id}_T1w.nii.gz"
    nib.save(nib.Nifti1Image(values, cohort.grid.affine), tmp_path / "cohort_a" / name)
    pick_patient(context, "cohort_a", 4)
    context.wait()
    assert context.banner.message == ""
    scans = [data.facts for data in panel.viewer.layers if data.facts["kind"] == "scan"]
    assert [scan["title"] for scan in scans[1:]] == [f"{cohort.used[4].id}_T1w"]
    assert scans[1]["blend"] == 1
    pick_patient(context, "cohort_a", 6)
    context.wait()
    assert [kind for kind, _ in shown(panel)].count("scan") == 1


def test_the_outline_follows_the_patient_from_cohort_to_cohort(
    context: AppContext, panel: BrainPanel, cohort: Cohort
) -> None:
    women = [row for row, sex in enumerate(cohort.used_table["sex"]) if sex == "F"]
    pick_patient(context, "cohort_a", women[0])
    choose(context, where_a=("sex = F",))
    assert panel.outline.patient == cohort.used[women[0]].id
    choose(context, folder_b="cohort_b")
    assert panel.outline is not None
    assert [kind for kind, _ in shown(panel)] == ["scan", "overlap", "mask", "label"]
    choose(context, where_a=("sex = M",))
    assert context.banner.message == ""
    assert (panel.outline, context.choices.patient) == (None, "")
    choose(context, where_a=(), folder_b="")
    pick_patient(context, "cohort_a", 0)
    choose(context, folder_a="cohort_b")
    assert panel.outline is None


def test_the_patients_page_outlines_and_says_so(context: AppContext, panel: BrainPanel) -> None:
    page = PatientsPage(context)
    click_row(page.table, 5)
    context.wait()
    patient = context.session.load("cohort_a").patients[5]
    assert panel.outline.patient == patient.id
    assert f">Outline: </span>{patient.id}</div>" in page.line.text.value
    opened: list[str] = []
    context.show_brain = lambda: opened.append("brain")
    page.line.show.click()
    assert opened == ["brain"]
    pick_patient(context, "cohort_a", 2)  # elsewhere
    assert page.table.selected == 2
    unselect(page.table)
    assert panel.outline is None
    assert page.line.text.value == ""


def test_a_skipped_file_has_no_lesion_to_outline(own_root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    for file in sorted((own_root / "cohort_a").glob("*.nii.gz"))[:2]:
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "sub-z.nii.gz").write_bytes(b"broken")
    cohort = load_cohort(folder)
    assert row_of_file(cohort, cohort.used[1].file) == 1
    with pytest.raises(InputError, match=r"sub-z.nii.gz: was skipped, so there is no lesion"):
        row_of_file(cohort, "sub-z.nii.gz")
