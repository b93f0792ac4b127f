"""The page Inspect without a kernel: what was chosen or dropped is shown, and nothing else read."""

from __future__ import annotations

import shutil
import struct
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine
from visitor import HOSTILE, Dropping, enter, every_widget, is_hidden, new_context, send

from lesion_dash.dashboard.loaded_volume import open_volume, planes_of, window_of
from lesion_dash.dashboard.pages.inspect import InspectPage
from lesion_dash.scans.inspection import inspect_image

NAME = f"{HOSTILE}.nii.gz"
SHAPE = (6, 8, 5)
AFFINE = np.array([[-3.0, 0, 0, 8], [0, 2, 0, -9], [0, 0, 4, -7], [0, 0, 0, 1]])
WAYS = list(product(permutations(range(3)), product((1, -1), repeat=3)))


def make(affine: np.ndarray = AFFINE, volumes: int = 0) -> nib.Nifti1Image:
    shape = (*SHAPE, volumes) if volumes else SHAPE
    array = np.random.default_rng(5).integers(0, 1000, shape).astype(np.int16)
    made = nib.Nifti1Image(array, affine)
    made.set_sform(affine, 4)
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "scans"
    folder.mkdir(parents=True)
    nib.save(make(), folder / NAME)
    nib.save(make(volumes=4), folder / "series.nii.gz")
    shutil.copy(folder / "series.nii.gz", tmp_path / "outside.nii.gz")
    (folder / "broken.nii").write_bytes((folder / "series.nii.gz").read_bytes())
    (folder / "link.nii.gz").symlink_to(tmp_path / "outside.nii.gz")
    return tmp_path / "root"


@pytest.fixture
def page(root: Path) -> InspectPage:
    return InspectPage(new_context(root))


def is_seen(page: InspectPage, widget: Any) -> bool:
    """Whether no box around it is hidden."""
    boxes = [box for box in every_widget(page.widget) if widget in every_widget(box)]
    return not any(map(is_hidden, boxes))


def choose(page: InspectPage, name: str) -> None:
    page.folder.value, page.file.value = "scans", name
    page.context.wait()


def test_empty_page_says_what_to_do(page: InspectPage) -> None:
    assert "Choose an image on the left, or drop one" in page.crosshair.readout.value
    assert (page.folder.value, page.file.value, page.file.disabled) == ("", "", True)
    assert not any(is_seen(page, card) for card in (page.facts, page.values, page.histogram.widget))


def test_an_image_is_shown_with_what_the_library_says(page: InspectPage, root: Path) -> None:
    choose(page, "series.nii.gz")
    inspection = inspect_image(root / "scans" / "series.nii.gz")
    assert page.context.banner.message == ""
    assert "6 x 8 x 5 x 4 (4 axes)" in page.facts.value
    assert inspection.sha256 in page.facts.value
    assert f"{inspection.survey.distinct:,}" in page.values.value
    assert "several volumes: 4" in page.validation.value
    for sentence in inspection.space.sentences:
        assert sentence in page.space.value
    assert "code 4: MNI152" in page.forms.value
    assert "data:image/png;base64," in page.histogram.widget.value
    assert page.crosshair.voxel == (3, 4, 2)
    assert all(is_seen(page, card) for card in (page.facts, page.values, page.histogram.widget))
    histogram = page.histogram.widget.value
    enter(page.context, page.log_counts, True)
    assert page.histogram.widget.value != histogram


def test_typing_a_voxel_or_a_place_moves_the_crosshair(page: InspectPage) -> None:
    choose(page, NAME)
    crosshair = page.crosshair
    for label in (page.name, page.facts, crosshair.readout):
        assert "<img src=x" not in label.value
    assert "&lt;img" in page.name.value
    crosshair.ijk[0].value, crosshair.ijk[2].value = 5, 0
    place = apply_affine(AFFINE, (5, 4, 0)).tolist()
    assert [field.value for field in crosshair.xyz] == place
    assert f"value {make().get_fdata()[5, 4, 0]:g} " in crosshair.readout.value
    crosshair.xyz[1].value = 400
    assert "lies outside the image" in page.context.banner.message
    assert [field.value for field in crosshair.xyz] == place  # taken back
    crosshair.xyz[0].value = 1.4
    assert crosshair.voxel == (2, 4, 0)
    assert (crosshair.ijk[0].value, crosshair.xyz[0].value) == (2, 1.4)  # left standing
    assert "there (i, j, k) = (2.2, 4, 0)" in crosshair.hint.value
    assert crosshair.slices.panes[2]["edges"] == ["L", "R", "A", "P"]
    pixels = crosshair.slices.pixels
    crosshair.orientation.value = True
    assert crosshair.slices.panes[2]["edges"] == ["R", "L", "A", "P"]
    assert crosshair.slices.pixels != pixels


def test_volumes_are_read_one_at_a_time(page: InspectPage) -> None:
    choose(page, "series.nii.gz")
    page.crosshair.move((1, 2, 3))
    enter(page.context, page.crosshair.volume, 3)
    value = make(volumes=4).get_fdata()[1, 2, 3, 3]
    assert f"volume 3 · value {value:g} " in page.crosshair.readout.value
    assert page.crosshair.voxel == (1, 2, 3)


def test_nothing_outside_the_root_is_read(page: InspectPage) -> None:
    choose(page, "link.nii.gz")
    assert "outside the data root" in page.context.banner.message
    assert page.loaded is None
    for name in ("../../outside.nii.gz", "/etc/passwd"):
        page.file.options = (*page.file.options, name)  # as no list offers it
        choose(page, name)
        assert "is not an image of this folder" in page.context.banner.message
        assert page.loaded is None


def test_a_file_that_cannot_be_read_is_told(page: InspectPage) -> None:
    choose(page, "broken.nii")
    assert "gzip data in a .nii file" in page.context.banner.message
    assert "see the message" in page.crosshair.readout.value
    choose(page, "series.nii.gz")
    assert page.context.banner.message == ""


def test_a_dropped_file_is_looked_into(page: InspectPage, root: Path) -> None:
    content = (root / "scans" / "series.nii.gz").read_bytes()
    Dropping(page.own.drop, 100).all([(NAME, content)])
    page.context.wait()
    assert page.loaded.inspection.name == NAME
    expected = inspect_image(root / "scans" / "series.nii.gz")
    assert page.loaded.inspection.sha256 == expected.sha256
    assert page.context.banner.message == ""
    page.own.remove.click()
    page.context.wait()
    assert page.loaded is None
    assert page.folder.value == ""


def test_a_dropped_file_that_is_no_image_is_told(page: InspectPage) -> None:
    Dropping(page.own.drop).all([(NAME, b"no image")])
    page.context.wait()
    assert page.loaded is None
    assert "no readable image among 1 file" in page.context.banner.message
    assert "<img" not in page.context.banner.message


@pytest.mark.parametrize(("order", "signs"), WAYS)
def test_letters_and_clicks_are_right_for_every_orientation(order: Any, signs: Any) -> None:
    """Each edge of each slice lies where its letter says, and a click gives the voxel there."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = sign * (axis + 1.0)
    volume = open_volume(make(affine))
    crosshair, axes = (1, 6, 3), volume.inspection.space.axes
    for radiological, plane in product((False, True), range(3)):
        view = planes_of(axes, radiological)[plane]
        shown = volume.panes(crosshair, radiological)[0][plane]
        assert view.voxel(*shown["cross"], crosshair, SHAPE) == crosshair
        width, height = shown["pixels"]
        middle = apply_affine(affine, view.voxel(0.5, 0.5, crosshair, SHAPE))
        for letter, x, y in zip(shown["edges"], (0, 1, 0.5, 0.5), (0.5, 0.5, 0, 1), strict=True):
            world, sign = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}[letter], letter in "RAS"
            edge = apply_affine(affine, view.voxel(x, y, crosshair, SHAPE))
            assert (edge[world] > middle[world]) == sign
        cut = view.cut(volume.stored, crosshair)
        assert cut.shape == (height, width)
        for _ in range(5):
            column, row = np.random.default_rng(width).integers((width, height)).tolist()
            voxel = view.voxel((column + 0.5) / width, (row + 0.5) / height, crosshair, SHAPE)
            assert cut[row, column] == volume.stored[voxel]
    assert planes_of(axes, False)[2].edges[:2] == "LR"
    assert planes_of(axes, True)[2].edges[:2] == "RL"


def test_a_click_moves_the_crosshair(page: InspectPage) -> None:
    choose(page, NAME)
    view = page.crosshair.slices
    _, row = view.panes[1]["cross"]
    send(view, {"pane": 1, "x": 0.01, "y": row})
    assert page.crosshair.voxel == (5, 4, 2)  # this image grows to the left
    nan = {"pane": 0, "x": float("nan"), "y": 0}
    wrong = ({"pane": 9, "x": 0, "y": 0}, {"pane": 0, "x": 2, "y": 0}, {"x": "nan"}, None, nan)
    for message in wrong:
        send(view, message)
    assert page.crosshair.voxel == (5, 4, 2)
    assert page.context.banner.message == ""


def test_buttons_move_the_crosshair(page: InspectPage) -> None:
    choose(page, "series.nii.gz")
    enter(page.context, page.crosshair.volume, 2)
    page.crosshair.to_highest.click()
    array = make(volumes=4).get_fdata()[..., 2]
    assert array[page.crosshair.voxel] == array.max()
    page.crosshair.to_middle.click()
    assert page.crosshair.voxel == (3, 4, 2)


@pytest.mark.parametrize("slope", [1, -2])
def test_highest_value_of_a_scaled_image_with_nan(slope: int) -> None:
    array = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    array[0, 0, 0] = np.nan
    content = bytearray(nib.Nifti1Image(array, AFFINE).to_bytes())
    content[112:120] = struct.pack("<ff", slope, 0)
    volume = open_volume(("scaled.nii", bytes(content)))
    assert volume.value(volume.highest) == pytest.approx(np.nanmax(array * slope))
    nothing = nib.Nifti1Image(np.full(SHAPE, np.nan, np.float32), AFFINE)
    assert open_volume(nothing).highest == (3, 4, 2)


def test_colours_show_their_header(page: InspectPage, root: Path) -> None:
    array = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(array, AFFINE), root / "scans" / "series.nii.gz")
    choose(page, "series.nii.gz")
    assert "colour image" in page.validation.value
    assert "RGB, 3 bytes" in page.facts.value
    assert "no slices to show" in page.crosshair.readout.value
    assert page.crosshair.volume.disabled


def test_all_values_of_a_mask_are_within_the_window_and_few_bright_ones_are_not() -> None:
    array = np.zeros(SHAPE, np.uint8)
    array[0, 0, 0] = 1
    assert window_of(inspect_image(nib.Nifti1Image(array, AFFINE)).survey) == (0, 1)
    array = np.random.default_rng(0).normal(100, 10, (30, 30, 30)).astype(np.float32)
    array[0, 0, :5] = 10_000
    low, high = window_of(inspect_image(nib.Nifti1Image(array, AFFINE)).survey)
    assert low < 100 < high < 1000
