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
from visitor import is_hidden, new_context, send

from lesion_dash.dashboard.loaded_volume import open_volume, planes_of, window_of
from lesion_dash.dashboard.pages.inspect import InspectPage
from lesion_dash.dashboard.slice_view import LARGEST_DROP
from lesion_dash.scans.inspection import inspect_image

HOSTILE = "<img src=x onerror=alert(1)>.nii.gz"
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
    nib.save(make(), folder / HOSTILE)
    nib.save(make(volumes=4), folder / "series.nii.gz")
    shutil.copy(folder / "series.nii.gz", tmp_path / "outside.nii.gz")
    (folder / "broken.nii").write_bytes((folder / "series.nii.gz").read_bytes())
    (folder / "link.nii.gz").symlink_to(tmp_path / "outside.nii.gz")
    return tmp_path / "root"


@pytest.fixture
def page(root: Path) -> InspectPage:
    return InspectPage(new_context(root))


def choose(page: InspectPage, name: str) -> None:
    page.folder.value = "scans"
    page.file.value = name
    page.context.wait()


def test_empty_page_says_what_to_do(page: InspectPage) -> None:
    assert "Choose an image on the left, or drop one" in page.crosshair.readout.value
    assert (page.folder.value, page.file.value, page.file.disabled) == ("", "", True)
    assert all(is_hidden(one) for one in page._cards)


def test_an_image_is_shown_with_what_the_library_says(page: InspectPage, root: Path) -> None:
    choose(page, "series.nii.gz")
    found = inspect_image(root / "scans" / "series.nii.gz")
    assert page.context.banner.message == ""
    assert "6 x 8 x 5 x 4 (4 axes)" in page.facts.value
    assert found.sha256 in page.facts.value
    assert f"{found.survey.distinct:,}" in page.values.value
    assert "several volumes: 4" in page.validation.value
    for sentence in found.space.sentences:
        assert sentence in page.space.value
    assert "code 4: MNI152" in page.forms.value
    assert "data:image/png;base64," in page.histogram.value
    assert page.crosshair.voxel == (3, 4, 2)
    assert not any(is_hidden(one) for one in page._cards)


def test_typing_a_voxel_gives_the_place_and_the_value(page: InspectPage) -> None:
    choose(page, HOSTILE)
    page.crosshair.ijk[0].value = 5
    page.crosshair.ijk[2].value = 0
    place = apply_affine(AFFINE, (5, 4, 0))
    assert [field.value for field in page.crosshair.xyz] == place.tolist()
    value = make().get_fdata()[5, 4, 0]
    assert f"value {value:g} " in page.crosshair.readout.value


def test_typing_a_place_gives_the_voxel_and_is_left_standing(page: InspectPage) -> None:
    choose(page, HOSTILE)
    page.crosshair.xyz[0].value = 1.4
    assert page.crosshair.voxel == (2, 4, 2)
    assert page.crosshair.ijk[0].value == 2
    assert page.crosshair.xyz[0].value == 1.4
    assert "there (i, j, k) = (2.2, 4, 2)" in page.crosshair.hint.value


def test_a_place_outside_is_told_and_taken_back(page: InspectPage) -> None:
    choose(page, HOSTILE)
    before = [field.value for field in page.crosshair.xyz]
    page.crosshair.xyz[1].value = 400
    assert "lies outside the image" in page.context.banner.message
    assert [field.value for field in page.crosshair.xyz] == before


def test_volumes_are_read_one_at_a_time(page: InspectPage) -> None:
    choose(page, "series.nii.gz")
    page.crosshair.move((1, 2, 3))
    page.crosshair.volume.value = 3
    page.context.wait()
    value = make(volumes=4).get_fdata()[1, 2, 3, 3]
    assert f"volume 3 · value {value:g} " in page.crosshair.readout.value
    assert page.crosshair.voxel == (1, 2, 3)


def test_names_are_escaped(page: InspectPage) -> None:
    choose(page, HOSTILE)
    texts = [page.name.value, page.facts.value, page.crosshair.readout.value]
    assert not any("<img src=x" in text for text in texts)
    assert "&lt;img" in page.name.value


def test_nothing_outside_the_root_is_read(page: InspectPage) -> None:
    choose(page, "link.nii.gz")
    assert "outside the data root" in page.context.banner.message
    assert page.loaded is None
    for name in ("../../outside.nii.gz", "/etc/passwd"):
        page.context.banner.guard(page._file_chosen)({"new": name})
        assert "is no image of this folder" in page.context.banner.message
    assert page.loaded is None


def test_a_file_that_cannot_be_read_is_told(page: InspectPage) -> None:
    choose(page, "broken.nii")
    assert "gzip data in a .nii file" in page.context.banner.message
    assert "see the message at the top" in page.crosshair.readout.value
    choose(page, "series.nii.gz")
    assert page.context.banner.message == ""


def drop(page: InspectPage, name: str, content: bytes, part: int) -> None:
    for start in range(0, len(content), part):
        message = {"name": name, "size": len(content), "start": start}
        page.drop._received(None, message, [memoryview(content)[start : start + part]])
    page.context.wait()


def test_a_dropped_file_is_put_together(page: InspectPage, root: Path) -> None:
    content = (root / "scans" / "series.nii.gz").read_bytes()
    drop(page, "C:\\own\\mine.nii.gz", content, 100)
    assert page.loaded.inspection.name == "mine.nii.gz"
    expected = inspect_image(root / "scans" / "series.nii.gz")
    assert page.loaded.inspection.sha256 == expected.sha256
    assert page.file.value == ""


def test_parts_out_of_order_give_no_file(page: InspectPage, root: Path) -> None:
    message = {"name": "mine.nii.gz", "size": 300, "start": 200}
    page.drop._received(None, message, [b"x" * 100])
    page.drop._received(None, {"name": "mine.nii.gz"}, [b"x"])
    send(page.drop, None)
    assert page.loaded is None
    assert page.context.banner.message == ""


def test_a_dropped_file_may_not_be_too_large(page: InspectPage) -> None:
    message = {"name": HOSTILE, "size": LARGEST_DROP + 1, "start": 0}
    send(page.drop, message)
    assert "is too large to be dropped here: 128 MB, 128 allowed" in page.context.banner.message
    assert "<img" not in page.context.banner.message


@pytest.mark.parametrize(("order", "signs"), WAYS)
def test_letters_and_clicks_are_right_for_every_orientation(order: Any, signs: Any) -> None:
    """Each edge of each slice lies where its letter says, and a click gives the voxel there."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = sign * (axis + 1.0)
    look = open_volume(make(affine))
    here, axes = (1, 6, 3), look.inspection.space.axes
    for radiological, plane in product((False, True), range(3)):
        view = planes_of(axes, radiological)[plane]
        shown = look.panes(here, radiological)[0][plane]
        assert view.voxel(*shown["cross"], here, SHAPE) == here
        width, height = shown["pixels"]
        middle = apply_affine(affine, view.voxel(0.5, 0.5, here, SHAPE))
        for letter, x, y in zip(shown["edges"], (0, 1, 0.5, 0.5), (0.5, 0.5, 0, 1), strict=True):
            world, sign = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}[letter], letter in "RAS"
            edge = apply_affine(affine, view.voxel(x, y, here, SHAPE))
            assert (edge[world] > middle[world]) == sign
        cut = view.cut(look.stored, here)
        assert cut.shape == (height, width)
        for _ in range(5):
            column, row = np.random.default_rng(width).integers((width, height)).tolist()
            voxel = view.voxel((column + 0.5) / width, (row + 0.5) / height, here, SHAPE)
            assert cut[row, column] == look.stored[voxel]
    assert planes_of(axes, False)[2].edges[:2] == "LR"
    assert planes_of(axes, True)[2].edges[:2] == "RL"


def test_a_click_moves_the_crosshair(page: InspectPage) -> None:
    choose(page, HOSTILE)
    view = page.crosshair.slices
    _, row = view.panes[1]["cross"]
    send(view, {"pane": 1, "x": 0.01, "y": row})
    assert page.crosshair.voxel == (5, 4, 2)  # this image grows to the left
    for wrong in ({"pane": 9, "x": 0, "y": 0}, {"pane": 0, "x": 2, "y": 0}, {"x": "nan"}, None):
        send(view, wrong)
    send(view, {"pane": 0, "x": float("nan"), "y": 0})
    assert page.crosshair.voxel == (5, 4, 2)
    assert page.context.banner.message == ""


def test_buttons_move_the_crosshair(page: InspectPage) -> None:
    choose(page, "series.nii.gz")
    page.crosshair.volume.value = 2
    page.context.wait()
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
    look = open_volume(("scaled.nii", bytes(content)))
    assert look.value(look.highest) == pytest.approx(np.nanmax(array * slope))
    nothing = nib.Nifti1Image(np.full(SHAPE, np.nan, np.float32), AFFINE)
    assert open_volume(nothing).highest == (3, 4, 2)


def test_radiological_view_swaps_the_sides(page: InspectPage) -> None:
    choose(page, HOSTILE)
    assert page.crosshair.slices.panes[2]["edges"] == ["L", "R", "A", "P"]
    before = page.crosshair.slices.pixels
    page.crosshair.orientation.value = True
    assert page.crosshair.slices.panes[2]["edges"] == ["R", "L", "A", "P"]
    assert page.crosshair.slices.pixels != before


def test_colours_show_their_header(page: InspectPage, root: Path) -> None:
    array = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(array, AFFINE), root / "scans" / "series.nii.gz")
    choose(page, "series.nii.gz")
    assert "colour image" in page.validation.value
    assert "RGB, 3 bytes" in page.facts.value
    assert "no slices to show" in page.crosshair.readout.value
    assert page.crosshair.volume.disabled


def test_log_counts_give_another_figure(page: InspectPage) -> None:
    choose(page, HOSTILE)
    before = page.histogram.value
    page.log_counts.value = True
    page.context.wait()
    assert page.histogram.value != before


def test_all_values_of_a_mask_are_within_the_window() -> None:
    array = np.zeros(SHAPE, np.uint8)
    array[0, 0, 0] = 1
    assert window_of(inspect_image(nib.Nifti1Image(array, AFFINE)).survey) == (0, 1)


def test_few_bright_voxels_do_not_darken_a_scan() -> None:
    array = np.random.default_rng(0).normal(100, 10, (30, 30, 30)).astype(np.float32)
    array[0, 0, :5] = 10_000
    low, high = window_of(inspect_image(nib.Nifti1Image(array, AFFINE)).survey)
    assert low < 100 < high < 1000
