"""The page Template & signal without a kernel: it shows what the library registers and measures."""

from __future__ import annotations

import html
import io
import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from lesion_dash.core.errors import SetupError
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard import registering
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.pages.template import TITLE, TemplatePage
from lesion_dash.dashboard.pages.template_view import facts_html, middle_of
from lesion_dash.dashboard.registering import Request, register_pair
from lesion_dash.dashboard.volume_pair import LESION, VolumePair
from lesion_dash.images.maps import read_map
from lesion_dash.images.masks import read_mask
from lesion_dash.scans.region_masks import read_region
from lesion_dash.scans.registration import register as register_module
from lesion_dash.scans.registration.task import NotCredible
from lesion_dash.scans.signal import measure_signal
from lesion_dash.transforms.transform import Transform
from lesion_dash.transforms.warping import warp_mask

from .template_page import (
    HOSTILE,
    POSE,
    WORDS,
    banner,
    choose,
    choose_images,
    hidden,
    register,
    register_phantom,
    shown_marks,
    text,
)


def test_the_page_is_a_tab(context: AppContext) -> None:
    app = App(context)
    app.tabs.selected_index = app.tabs.titles.index(TITLE)
    assert context.banner.message == ""


def test_empty_page_says_what_to_do(page: TemplatePage) -> None:
    assert "Choose an image on the left" in page.slices.view.empty
    assert "Choose an image of one volume" in text(page.images.busy)
    assert "Choose a map" in text(page.region.hint)
    assert "Choose an image first" in text(page.signal.table)
    assert page.images.run.disabled
    assert page.code.all.disabled
    assert hidden(page.images.bar)
    assert hidden(page.images.cancel)
    assert page.images.kind.value == "affine"


def test_an_image_alone_is_measured_in_its_own_space(page: TemplatePage, root: Path) -> None:
    choose_images(page, template=False)
    assert "in its own space" in text(page.slices.caption)
    assert "Without a template" in text(page.images.busy)
    assert page.images.run.disabled
    assert not page.slices.view.can_blend
    choose(page, page.region.map, "atlas", "one.nii.gz")
    assert banner(page) == ""
    image = read_map(root / "scans" / "scan.nii.gz")
    mask = read_region(root / "atlas" / "one.nii.gz").mask_on(image.grid, 0.5)
    expected = measure_signal(image, mask)
    assert page.answer.signal.quality.table.equals(expected.table)
    assert "the image's own space" in text(page.signal.caption)
    assert f"{mask.volume_mm3:,.0f} mm³" in page.region.size.value


def test_before_the_button_the_headers_place_the_image(page: TemplatePage, root: Path) -> None:
    choose_images(page)
    assert "where the headers put the image" in text(page.slices.caption)
    assert page.slices.view.can_blend
    assert not page.images.run.disabled
    assert "ld-primary" in page.images.run._dom_classes
    choose(page, page.region.map, "atlas", "one.nii.gz")
    grid = read_map(root / "atlas" / "template.nii.gz").grid
    assert (
        f"{read_region(root / 'atlas' / 'one.nii.gz').mask_on(grid, 0.5).volume_mm3:,.0f} mm³"
        in (page.region.size.value)
    )
    assert "Press “Register” first" in text(page.signal.table)
    assert page.code.all.disabled


def test_registered_image_and_its_numbers(page: TemplatePage, root: Path) -> None:
    choose_images(page, lesion=True)
    register(page)
    assert banner(page) == ""
    facts = text(page.slices.facts)
    for words in ("0.25 → 0.75", "98 % of the template", "phantom 1.0", "2 s, 100 MB"):
        assert words in facts, words
    native = read_mask(root / "scans" / "lesion.nii.gz")
    brought = page.volumes.lesion
    assert f"{native.volume_mm3 / 1000:.2f} mL (native)" in facts
    assert f"{brought.volume_mm3 / 1000:.2f} mL, not to be quoted" in facts
    assert "nothing was unusual" in facts
    assert text(page.images.busy) == "Done."
    assert "ld-primary" not in page.images.run._dom_classes
    page.slices.move(middle_of(brought))
    k = page.slices.voxel[2]
    # Neurological, RAS: columns grow to the right, rows downwards.
    axial = brought.array[:, :, k].T[::-1]
    assert np.array_equal(shown_marks(page, LESION)[2], axial)
    assert axial.any()
    assert page.slices.view.panes[2]["edges"] == ["L", "R", "A", "P"]
    page._context.choices.radiological = True
    assert np.array_equal(shown_marks(page, LESION)[2], axial[:, ::-1])
    assert page.slices.view.panes[2]["edges"] == ["R", "L", "A", "P"]
    assert page.slices.view.lesion_name == "lesion"


def test_measured_where_the_region_lies_in_the_native_image(page: TemplatePage, root: Path) -> None:
    choose_images(page)
    register(page)
    choose(page, page.region.map, "atlas", "maps.nii.gz")
    choose(page, page.signal.background, "/2")
    choose(page, page.signal.air, "scans", "air.nii.gz")
    choose(page, page.signal.second, "scans", "second.nii.gz")
    page.signal.coils.value = 4
    page._context.wait()
    assert banner(page) == ""
    image = read_map(root / "scans" / "scan.nii.gz")
    inverse = Transform(POSE).inverse()
    own, other = (
        warp_mask(region.mask_on(region.grid, 0.5), inverse, image.grid)
        for region in (read_region(root / "atlas" / "maps.nii.gz", label) for label in (1, 2))
    )
    expected = measure_signal(
        image,
        own,
        other,
        second=root / "scans" / "second.nii.gz",
        air=root / "scans" / "air.nii.gz",
        coils=4,
    )
    assert page.answer.signal.quality.table.equals(expected.table)
    assert len(expected.measures) == 10
    shown = text(page.signal.table)
    for one in expected.measures:
        assert one.measure in shown
        assert one.formula in shown
        assert f"<b>{one.value:.4g}</b>".replace("-", "−") in shown
        assert f"n {one.signal_voxels:,}" in shown
        assert f"n {one.noise_voxels:,}, {one.noise_zeros_percent:.1f} % zeros" in shown
    assert "0.695" in shown


def test_a_warp_is_followed_back_as_well(page: TemplatePage) -> None:
    choose_images(page)
    choose(page, page.region.map, "atlas", "maps.nii.gz")
    masks = []
    for kind in ("affine", "deformable"):
        page.images.kind.value = kind
        page._context.wait()
        register(page)
        assert banner(page) == ""
        assert "native image (" in page.slices.view.readout
        masks.append(page.answer.mask.array)
    assert 2 * (masks[0] & masks[1]).sum() / (masks[0].sum() + masks[1].sum()) > 0.99


def test_cancel_ends_the_registration_and_changes_nothing(
    page: TemplatePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def register_and_stop(request: Request, report: Callable[[float, str], None]) -> VolumePair:
        def stop(share: float, words: str) -> None:
            report(share, words)
            told.append(words)
            assert page.images.image.folders.disabled
            assert not hidden(page.images.cancel)
            if words == WORDS[1]:
                page.images.cancel.click()

        return register_pair(request, stop)

    monkeypatch.setattr("lesion_dash.dashboard.pages.template.register_pair", register_and_stop)
    choose_images(page)
    before = page.volumes
    register(page)
    assert told == list(WORDS[:2])
    assert banner(page) == ""
    assert text(page.images.busy) == "Stopped: nothing was changed."
    assert page.volumes is before
    assert hidden(page.images.cancel)
    assert not page.images.image.folders.disabled
    assert not page.images.run.disabled


def test_what_is_not_credible_is_shown_and_goes_no_further(
    page: TemplatePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def doubt(*images: Any, **more: Any) -> None:
        error = NotCredible("scan", "covers 9 % of the template", "give another template")
        error.found = register_phantom(*images, **more)
        raise error

    monkeypatch.setattr(registering, "register_image", doubt)
    choose_images(page)
    choose(page, page.region.map, "atlas", "one.nii.gz")
    register(page)
    assert "covers 9 % of the template; give another template" in banner(page)
    assert page.slices.view.stamp == "refused"
    assert "Refused" in text(page.slices.caption)
    assert page.volumes.registration is not None
    assert "registration was refused" in text(page.signal.table)
    assert page.code.all.disabled
    assert page.code.script.disabled
    page._save("template_and_signal.zip")
    assert page.answer is None
    choose(page, page.images.template, "")
    assert page.slices.view.stamp == ""
    assert page.answer is not None


def test_a_fault_of_the_engine_leaves_the_page_as_it_was(
    page: TemplatePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_images: Any, **_more: Any) -> None:
        raise RuntimeError("killed by signal 9")

    monkeypatch.setattr(registering, "register_image", crash)
    choose_images(page)
    before = page.volumes
    register(page)
    assert "killed by signal 9" in banner(page)
    assert page.volumes is before
    assert not page.images.run.disabled


def test_an_engine_that_is_missing_is_told_before_the_button(
    page: TemplatePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_name: str, kind: str) -> None:
        if kind == "deformable":
            raise SetupError("dipy", "is not installed", "install it")

    monkeypatch.setattr(registering, "engine_named", missing)
    monkeypatch.setattr(registering, "installed_engines", lambda: ())
    page = TemplatePage(page._context)
    choose_images(page)
    assert not page.images.run.disabled
    page.images.kind.value = "deformable"
    assert page.images.run.disabled
    assert "dipy: is not installed; install it" in text(page.images.hint)
    page.images.kind.value = "rigid"
    assert not page.images.run.disabled
    assert "same head" in text(page.images.hint)


def test_another_choice_shows_the_way_before_and_the_old_one_comes_back(
    page: TemplatePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_images(page)
    register(page)
    done = page.volumes
    page.images.kind.value = "rigid"
    page._context.wait()
    assert page.volumes.registration is None
    assert "ld-primary" in page.images.run._dom_classes
    monkeypatch.setattr(registering, "register_image", None)
    page.images.kind.value = "affine"
    page._context.wait()
    assert page.volumes is done
    assert banner(page) == ""


def test_the_brain_of_nilearn_is_a_template(page: TemplatePage) -> None:
    choose_images(page, template=False)
    names = dict(page.images.template.folders.options)
    choose(page, page.images.template, names["MNI152 brain, T1, 1 mm"])
    assert banner(page) == ""
    assert page.volumes.grid.shape == (197, 233, 189)
    assert "load_template()" in page.code.copy.text


def test_series_and_files_outside_the_root_are_refused(page: TemplatePage) -> None:
    choose(page, page.images.image, "scans", "series.nii.gz")
    assert "several volumes: 2 in one file" in banner(page)
    assert "see the message" in page.slices.view.empty
    choose(page, page.images.image, "scans", "link.nii.gz")
    assert "outside the data root" in banner(page)
    assert page.volumes is None


def test_names_are_escaped(page: TemplatePage) -> None:
    choose(page, page.images.image, "scans", f"{HOSTILE}.nii.gz")
    choose(page, page.images.template, "atlas", "template.nii.gz")
    register(page)
    assert "&lt;img" in page.slices.caption.value
    for shown in (page.slices.caption, page.slices.facts, page.code.code, page.signal.table):
        assert "<img" not in shown.value


def test_clicks_and_keys_move_the_crosshair(page: TemplatePage) -> None:
    choose_images(page)
    view, k = page.slices.view, page.slices.voxel[2]
    nx, ny, _ = page.volumes.grid.shape
    view._received(None, {"pane": 2, "x": 0.5 / nx, "y": 0.5 / ny}, [])
    assert page.slices.voxel == (0, ny - 1, k)
    page._context.choices.radiological = True
    view._received(None, {"pane": 2, "x": 0.5 / nx, "y": 0.5 / ny}, [])
    assert page.slices.voxel == (nx - 1, ny - 1, k)
    view._received(None, {"pane": 2, "turn": -5}, [])
    assert page.slices.voxel == (nx - 1, ny - 1, k - 1)
    nan = float("nan")
    for wrong in (
        None,
        {},
        {"pane": 9},
        {"pane": 0, "x": nan, "y": 0},
        {"pane": 0, "x": 2, "y": 0},
    ):
        view._received(None, wrong, [])
    assert page.slices.voxel == (nx - 1, ny - 1, k - 1)
    assert banner(page) == ""


def test_facts_are_those_of_the_sight(page: TemplatePage) -> None:
    choose_images(page)
    assert "LPS, 6 mm voxels" in html.unescape(facts_html(page.volumes))
    assert "Similarity" not in facts_html(page.volumes)


@pytest.fixture
def saved(page: TemplatePage, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    monkeypatch.setattr(page._context.saver, "save", found.__setitem__)
    return found


def measure(page: TemplatePage, has_template: bool = True) -> None:
    choose_images(page, has_template, lesion=has_template)
    if has_template:
        register(page)
    choose(page, page.region.map, "atlas", "maps.nii.gz")
    choose(page, page.signal.background, "/2")
    choose(page, page.signal.air, "scans", "air.nii.gz")
    assert banner(page) == ""


@pytest.mark.parametrize("has_template", [True, False])
def test_the_script_measures_the_same(
    page: TemplatePage,
    saved: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    has_template: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    measure(page, has_template)
    page.code.script.click()
    page._context.wait()
    script = saved["template_and_signal.py"].decode()
    assert script == page.code.copy.text
    monkeypatch.setattr(register_module, "register_image", register_phantom)
    names: dict[str, Any] = {}
    exec(compile(script, "script", "exec"), names)
    assert names["signal"].quality.table.equals(page.answer.signal.quality.table)
    assert np.array_equal(names["native"].indices, page.answer.mask.indices)
    if has_template:
        assert np.array_equal(names["in_template"].indices, page.placed.mask.indices)
    assert "snr_within" in capsys.readouterr().out


def test_all_files_in_one(page: TemplatePage, saved: dict[str, bytes], root: Path) -> None:
    measure(page)
    page.code.all.click()
    page._context.wait()
    assert banner(page) == ""
    with zipfile.ZipFile(io.BytesIO(saved["template_and_signal.zip"])) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    assert {
        "registered_image.nii.gz",
        "registered_lesion.nii.gz",
        "transform_moving_to_template.txt",
        "overlay.png",
        "quality.json",
        "region_in_template.nii.gz",
        "region_native.nii.gz",
        "masked_image.nii.gz",
        "signal.csv",
        "template_and_signal.py",
        "template_and_signal.provenance.json",
    } <= set(files)
    assert files["signal.csv"] == csv_bytes(page.answer.signal.quality.table)
    arrays = {
        name: nib.Nifti1Image.from_bytes(_unzipped(files[name])).get_fdata()
        for name in ("region_in_template.nii.gz", "region_native.nii.gz", "masked_image.nii.gz")
    }
    assert np.array_equal(arrays["region_in_template.nii.gz"] > 0, page.placed.mask.array)
    assert np.array_equal(arrays["region_native.nii.gz"] > 0, page.answer.mask.array)
    scan = nib.load(root / "scans" / "scan.nii.gz").get_fdata()
    expected = np.where(page.answer.mask.array, scan, 0)
    assert np.array_equal(arrays["masked_image.nii.gz"], expected)
    provenance = json.loads(files["template_and_signal.provenance.json"])
    for name, checksum in provenance["outputs"].items():
        assert sha256(files[name]).hexdigest() == checksum
    assert set(provenance["outputs"]) == set(files) - {"template_and_signal.provenance.json"}
    assert provenance["parameters"]["kind"] == "affine"
    assert provenance["counts"]["region_voxels"] == page.answer.mask.voxels


def test_without_a_template_nothing_registered_is_saved(
    page: TemplatePage, saved: dict[str, bytes]
) -> None:
    measure(page, has_template=False)
    page.code.all.click()
    page._context.wait()
    with zipfile.ZipFile(io.BytesIO(saved["template_and_signal.zip"])) as archive:
        names = set(archive.namelist())
    assert "region_native.nii.gz" in names
    assert not {name for name in names if name.startswith(("registered", "transform_"))}
    assert "region_in_template.nii.gz" not in names


def _unzipped(content: bytes) -> bytes:
    import gzip

    return gzip.decompress(content)
