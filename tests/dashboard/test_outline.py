"""One patient's lesion over the map: which voxels, where the crosshair goes, when it goes away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from visitor import HOSTILE, choose, click_row, is_hidden, unselect

from lesion_dash.cohort.cohort import Cohort
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.controls import colour_bar
from lesion_dash.dashboard.display_scale import DisplayScale
from lesion_dash.dashboard.outline import (
    Outline,
    border_of,
    deepest_mm,
    edge_of,
    outlined_layer,
    outlined_picture,
    pick_patient,
    row_of_file,
)
from lesion_dash.dashboard.pages.brain import BrainPanel
from lesion_dash.dashboard.pages.outline import OutlineLine
from lesion_dash.dashboard.pages.patients import PatientsPage
from lesion_dash.dashboard.picture import Picture
from lesion_dash.images.masks import Mask
from lesion_dash.plotting.figures import (
    COLOUR_STOPS,
    OUTLINE,
    OUTLINE_EDGE,
    OUTLINED_CLASSES,
    OVERLAP_CLASSES,
    Colour,
    Layer,
)

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
def test_border_edge_and_deepest_place_are_those_of_scipy(array: np.ndarray) -> None:
    border = array & ~ndimage.binary_erosion(array)
    np.testing.assert_array_equal(border_of(mask_of(array)).array, border)
    edge = ndimage.binary_dilation(array) & ~array
    np.testing.assert_array_equal(edge_of(mask_of(array)).array, edge)
    voxel = GRID.nearest_voxel(deepest_mm(mask_of(array)))
    left = np.pad(array, 1)
    while (fewer := ndimage.binary_erosion(left)).any():
        left = fewer
    assert left[1:-1, 1:-1, 1:-1][voxel]


def test_an_empty_lesion_has_no_border(context: AppContext) -> None:
    empty = mask_of(np.zeros(GRID.shape, bool))
    assert border_of(empty).voxels == edge_of(empty).voxels == 0
    assert Outline("sub-1", empty).summary == "sub-1, an empty mask"
    assert not Outline("sub-1", empty).lies_on(GRID)
    line = OutlineLine(context)
    line.say(Outline(HOSTILE, mask_of(SHAPES["one voxel"])))
    assert "0.01 mL" in line.text.value
    bar = colour_bar(DisplayScale("map", "mL", 1.0, False, "viridis"), HOSTILE)
    assert "<img" not in line.text.value + bar


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
        assert panel.viewer.mm == context.choices.mm
        border = lesion & ~ndimage.binary_erosion(lesion)
        np.testing.assert_array_equal(panel.outline.border.array, border)


def test_the_outline_is_drawn_over_the_map_and_taken_away(
    context: AppContext, panel: BrainPanel, cohort: Cohort
) -> None:
    plain, overlay = panel.viewer.picture, panel.viewer.overlay
    pick_patient(context, "cohort_a", 3)
    drawn = panel.viewer.picture
    rest = np.ones(drawn.levels.shape, bool)
    for level, mask in ((255, border_of(cohort.mask(3))), (254, edge_of(cohort.mask(3)))):
        picture = Picture(mask.array.astype(np.uint8), cohort.grid, "")
        inside = panel.viewer.box.crop(picture).levels.astype(bool)
        np.testing.assert_array_equal(drawn.levels == level, inside)
        rest &= ~inside
    np.testing.assert_array_equal(drawn.levels[rest], np.minimum(plain.levels[rest], 253))
    assert overlay.colormap == "viridis_outlined"
    volume = cohort.mask(3).volume_mm3 / 1000
    assert f"Outline: {cohort.used[3].id}, {volume:.1f} mL" in panel.line.text.value
    assert f"outline: lesion of {cohort.used[3].id}" in panel.scale.value
    panel.canvas.probe.set_state({"webgl": "no"})  # nilearn draws it as well
    context.wait()
    assert "<iframe" in panel.canvas.fallback.value
    panel.line.close.click()
    assert "outline" not in panel.scale.value
    assert context.choices.patient == ""
    np.testing.assert_array_equal(panel.viewer.picture.levels, plain.levels)
    # The volume stays as it is in the browser: nothing is loaded anew, and zoom and crosshair stay.
    assert panel.viewer.overlay is overlay
    assert overlay.colormap == "viridis"
    assert is_hidden(panel.line.widget)


def test_the_outline_follows_the_patient_from_cohort_to_cohort(
    context: AppContext, panel: BrainPanel, cohort: Cohort
) -> None:
    women = [row for row, sex in enumerate(cohort.used_table["sex"]) if sex == "F"]
    pick_patient(context, "cohort_a", women[0])
    choose(context, where_a=("sex = F",))
    assert panel.outline.patient == cohort.used[women[0]].id
    choose(context, folder_b="cohort_b")
    assert panel.outline is not None
    drawn = panel.viewer.picture.levels  # the overlap keeps its classes beside the outline
    levels = {colour_class.value for colour_class in OUTLINED_CLASSES}
    assert levels >= set(np.unique(drawn).tolist()) - {0}
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
    shown: list[str] = []
    context.show_brain = lambda: shown.append("brain")
    page.line.show.click()
    assert shown == ["brain"]
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


@pytest.mark.parametrize("colormap", ["viridis", "plasma", "cividis", ""])
def test_the_map_keeps_its_levels_below_the_outline(colormap: str) -> None:
    levels = np.random.default_rng(1).integers(0, 256, GRID.shape).astype(np.uint8)
    if not colormap:
        levels = np.random.default_rng(1).choice([0, 64, 128, 255], GRID.shape).astype(np.uint8)
    outline = Outline("sub-1", mask_of(SHAPES["arc"]))
    drawn = outlined_picture(Picture(levels, GRID, colormap), outline)
    rest = check_levels(drawn.levels, outline)
    assert (np.abs(drawn.levels.astype(int) - levels)[rest] <= 2).all()
    assert levels.max() == 255  # what it was drawn over is as it was


@pytest.mark.parametrize("is_overlap", [False, True])
def test_without_webgl_nilearn_draws_the_border(is_overlap: bool) -> None:
    classes = OVERLAP_CLASSES if is_overlap else ()
    array = np.random.default_rng(2).choice([64.0, 128, 255], GRID.shape)
    layer = Layer(array, GRID, "map", "mL", 200.0, classes=classes)
    outline = Outline("sub-1", mask_of(SHAPES["arc"]))
    drawn = outlined_layer(layer, outline)
    rest = check_levels(drawn.levels, outline)
    before, after = (drawing.levels[rest].astype(int) for drawing in (layer, drawn))
    assert np.abs(before - after).max() <= 2
    if is_overlap:
        colours = {colour_class.value: colour_class.colour for colour_class in drawn.classes}
        levels = [drawn.levels[mask.array][0] for mask in (outline.border, outline.edge)]
        assert [colours[level] for level in levels] == [OUTLINE, OUTLINE_EDGE]


def check_levels(levels: np.ndarray, outline: Outline) -> np.ndarray:
    """Border and edge have a level each that nothing else has; gives where neither is."""
    rest = np.ones(levels.shape, bool)
    for mask in (outline.border, outline.edge):
        (level,) = set(levels[mask.array].tolist())
        assert not (levels[~mask.array] == level).any()
        rest &= ~mask.array
    return rest


def luminance(colour: Colour) -> float:
    """Relative luminance of WCAG 2, which is nearly the same to all kinds of colour vision."""
    share = np.array(colour) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_outline_or_edge_stands_out_from_every_colour() -> None:
    """By luminance alone, at 4.5 to 1: from the maps, from the classes and from the brain."""
    tables = [stops for name, stops in COLOUR_STOPS.items() if not name.endswith("_outlined")]
    colours = [colour for stops in tables for _, colour in stops]
    colours += [colour_class.colour for colour_class in OVERLAP_CLASSES] + [
        (grey,) * 3 for grey in range(256)
    ]
    for colour in colours:
        light = luminance(colour) + 0.05
        ratios = [(luminance(OUTLINE) + 0.05) / light, light / (luminance(OUTLINE_EDGE) + 0.05)]
        assert max(ratios) > 4.5, colour
