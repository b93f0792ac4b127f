"""The page Template & signal without a kernel: it shows what the library registers and measures."""

from __future__ import annotations

import gzip
import html
import io
import json
import threading
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from template_page import (
    POSE,
    STEPS,
    banner,
    choose_file,
    choose_images,
    register,
    register_phantom,
    shown_marks,
    write_images,
)
from visitor import HOSTILE, enter, every_widget, is_hidden, press, send, styles, text

from lesion_dash.core.errors import InputError, SetupError
from lesion_dash.core.formats import VALUE, VOLUME
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard import registering
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.measurement_service import MapFacts, open_facts
from lesion_dash.dashboard.pages.template import TemplatePage
from lesion_dash.dashboard.pages.template_view import facts_html, middle_of
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.source_field import SourceField
from lesion_dash.dashboard.volume_pair import LESION, REGION, VolumePair
from lesion_dash.images.maps import read_map
from lesion_dash.images.masks import read_mask
from lesion_dash.scans.region_masks import read_region
from lesion_dash.scans.registration import register as register_module
from lesion_dash.scans.registration.task import NotCredible
from lesion_dash.scans.signal import measure_signal
from lesion_dash.transforms.transform import Transform
from lesion_dash.transforms.warping import warp_mask


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root").resolve()
    write_images(root)
    return root


@pytest.fixture(scope="module")
def session(root: Path) -> Session:
    return Session(DataRoot(root))


@pytest.fixture
def page(context: AppContext, monkeypatch: pytest.MonkeyPatch) -> TemplatePage:
    monkeypatch.setattr(registering, "register_image", register_phantom)
    monkeypatch.setattr(registering, "engine_named", lambda _name, _kind: None)  # none is needed
    return TemplatePage(context)


def test_empty_page_says_what_to_do(page: TemplatePage) -> None:
    assert "Choose an image on the left" in page.slices.view.empty
    assert "Choose an image of one volume" in text(page.images.busy)
    assert "Choose a map" in text(page.region.hint)
    assert "Choose an image first" in text(page.signal.table)
    assert page.images.run.disabled
    assert page.code.all.disabled
    assert is_hidden(page.images.bar)
    assert is_hidden(page.images.cancel)
    assert page.images.kind.value == "affine"


def test_an_image_alone_is_measured_in_its_own_space(page: TemplatePage, root: Path) -> None:
    choose_images(page, template=False)
    assert "in its own space" in text(page.slices.caption)
    assert "Without a template" in text(page.images.busy)
    assert page.images.run.disabled
    assert not page.slices.view.can_blend
    choose_file(page, page.region.map, "atlas", "one.nii.gz")
    assert banner(page) == ""
    image = read_map(root / "scans" / "scan.nii.gz")
    mask = read_region(root / "atlas" / "one.nii.gz").mask_on(image.grid, 0.5)
    assert page.answer.signal.quality.table.equals(measure_signal(image, mask).table)
    assert "the image's own space" in text(page.signal.caption)
    assert VOLUME.with_unit(mask.volume_mm3 / 1000) in page.region.size.value
    choose_file(page, page.signal.second, "scans", "cut.nii.gz")  # of another shape
    assert page.answer is None
    assert "cut: is not on the grid of scan" in text(page.signal.table)
    assert "snr_within" not in text(page.signal.table)
    choose_file(page, page.region.map, "scans", "scan.nii.gz")
    assert "scan.nii.gz" in banner(page)  # a scan is not a map
    assert "see the message" in text(page.region.hint)


def test_before_the_button_the_headers_place_the_image(page: TemplatePage, root: Path) -> None:
    choose_images(page)
    assert "header alignment" in text(page.slices.caption)
    facts = html.unescape(facts_html(page.volumes))
    assert "LPS, 6 mm voxels" in facts
    assert "Similarity" not in facts
    assert page.slices.view.can_blend
    assert not page.images.run.disabled
    assert "ld-primary" in styles(page.images.run)
    choose_file(page, page.region.map, "atlas", "one.nii.gz")
    grid = read_map(root / "atlas" / "template.nii.gz").grid
    mask = read_region(root / "atlas" / "one.nii.gz").mask_on(grid, 0.5)
    assert VOLUME.with_unit(mask.volume_mm3 / 1000) in page.region.size.value
    assert "Press “Register” first" in text(page.signal.table)
    assert page.code.all.disabled


def test_registered_image_and_its_numbers(page: TemplatePage, root: Path) -> None:
    choose_images(page, lesion=True)
    register(page)
    assert banner(page) == ""
    native, brought = read_mask(root / "scans" / "lesion.nii.gz"), page.volumes.lesion
    facts = text(page.slices.facts)
    for fact in (
        *("0.25 → 0.75", "98.0 % of the template", "phantom 1.0", "2 s, 100 MB"),
        *("nothing was unusual", f"{VOLUME.with_unit(native.volume_mm3 / 1000)} (native)"),
        f"{VOLUME.with_unit(brought.volume_mm3 / 1000)}, do not report it",
    ):
        assert fact in facts, fact
    assert text(page.images.busy) == "Done."
    assert "ld-primary" not in styles(page.images.run)
    page.slices.move(middle_of(brought))
    # Neurological, RAS: columns grow to the right, rows downwards.
    axial = brought.array[:, :, page.slices.voxel[2]].T[::-1]
    assert axial.any()
    for radiological, marks, edges in (
        (False, axial, ["L", "R", "A", "P"]),
        (True, axial[:, ::-1], ["R", "L", "A", "P"]),
    ):
        page.context.choices.radiological = radiological
        assert np.array_equal(shown_marks(page, LESION)[2], marks)
        assert page.slices.view.panes[2]["edges"] == edges
    assert page.slices.view.lesion_name == "lesion"


def test_measured_where_the_region_lies_in_the_native_image(page: TemplatePage, root: Path) -> None:
    choose_images(page)
    register(page)
    choose_file(page, page.region.map, "atlas", "maps.nii.gz")
    choose_file(page, page.signal.background, "/2")
    choose_file(page, page.signal.air, "scans", "air.nii.gz")
    choose_file(page, page.signal.second, "scans", "second.nii.gz")
    enter(page.context, page.signal.coils, 4)
    assert banner(page) == ""
    image = read_map(root / "scans" / "scan.nii.gz")
    inverse = Transform(POSE).inverse()
    own, other = (
        warp_mask(region.mask_on(region.grid, 0.5), inverse, image.grid)
        for region in (read_region(root / "atlas" / "maps.nii.gz", label) for label in (1, 2))
    )
    files = {name: root / "scans" / f"{name}.nii.gz" for name in ("second", "air")}
    expected = measure_signal(image, own, other, coils=4, **files)
    assert page.answer.signal.quality.table.equals(expected.table)
    assert len(expected.measures) == 10
    shown = text(page.signal.table)
    for measure in expected.measures:
        for part in (
            *(measure.measure, measure.formula, f"n {measure.signal_voxels:,}"),
            f"<b>{VALUE.text(measure.value)}</b>",
            f"n {measure.noise_voxels:,}, {measure.noise_zeros_percent:.1f} % zeros",
        ):
            assert part in shown
    assert "0.695" in shown


def test_a_warp_is_followed_back_as_well(page: TemplatePage) -> None:
    choose_images(page)
    choose_file(page, page.region.map, "atlas", "maps.nii.gz")
    masks = []
    for kind in ("affine", "deformable"):
        enter(page.context, page.images.kind, kind)
        register(page)
        assert banner(page) == ""
        assert "native image (" in page.slices.view.readout
        masks.append(page.answer.mask.array)
    assert 2 * (masks[0] & masks[1]).sum() / (masks[0].sum() + masks[1].sum()) > 0.99


def test_cancel_ends_the_registration_and_changes_nothing(
    page: TemplatePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def register_and_stop(*images: Any, report: Callable[[float, str], None], **more: Any) -> Any:
        def stop(fraction: float, step: str) -> None:
            steps.append(step)
            assert page.images.image.folders.disabled
            assert not is_hidden(page.images.cancel)
            if step == STEPS[1]:
                page.images.cancel.click()
            report(fraction, step)

        return register_phantom(*images, report=stop, **more)

    monkeypatch.setattr(registering, "register_image", register_and_stop)
    choose_images(page)
    before = page.volumes
    register(page)
    assert steps == list(STEPS[:2])
    assert banner(page) == ""
    assert text(page.images.busy) == "Stopped: nothing was changed."
    assert page.volumes is before
    assert is_hidden(page.images.cancel)
    assert not page.images.image.folders.disabled
    assert not page.images.run.disabled


def test_what_is_not_credible_is_shown_and_goes_no_further(
    page: TemplatePage, saved: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def doubt(*images: Any, **more: Any) -> None:
        error = NotCredible("scan", "covers 9 % of the template", "give another template")
        error.registration = register_phantom(*images, **more)
        raise error

    monkeypatch.setattr(registering, "register_image", doubt)
    choose_images(page)
    choose_file(page, page.region.map, "atlas", "one.nii.gz")
    register(page)
    assert "covers 9 % of the template; give another template" in banner(page)
    assert page.slices.view.stamp == "refused"
    assert "Refused" in text(page.slices.caption)
    assert page.volumes.registration is not None
    assert "registration was refused" in text(page.signal.table)
    assert page.code.script.disabled
    assert page.code.all.disabled
    page.code.all.click()  # as a page could send it all the same
    page.context.wait()
    assert saved == {}
    assert page.answer is None
    choose_file(page, page.images.template, "")
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
    page = TemplatePage(page.context)
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
    enter(page.context, page.images.kind, "rigid")
    assert page.volumes.registration is None
    assert "ld-primary" in styles(page.images.run)
    monkeypatch.setattr(registering, "register_image", None)
    enter(page.context, page.images.kind, "affine")
    assert page.volumes is done
    assert banner(page) == ""


def test_series_and_files_outside_the_root_are_refused(page: TemplatePage) -> None:
    choose_file(page, page.images.image, "scans", "series.nii.gz")
    assert "several volumes: 2 in one file" in banner(page)
    assert "see the message" in page.slices.view.empty
    choose_file(page, page.images.image, "scans", "link.nii.gz")
    assert "outside the data root" in banner(page)
    assert page.volumes is None


def test_names_are_escaped(page: TemplatePage) -> None:
    choose_file(page, page.images.image, "scans", f"{HOSTILE}.nii.gz")
    choose_file(page, page.images.template, "atlas", "template.nii.gz")
    register(page)
    assert "&lt;img" in page.slices.caption.value
    for shown in (page.slices.caption, page.slices.facts, page.code.code, page.signal.table):
        assert "<img" not in shown.value


def test_clicks_and_keys_move_the_crosshair(page: TemplatePage) -> None:
    choose_images(page)
    view, k = page.slices.view, page.slices.voxel[2]
    nx, ny, _ = page.volumes.grid.shape
    corner = {"pane": 2, "x": 0.5 / nx, "y": 0.5 / ny}
    send(view, corner)
    assert page.slices.voxel == (0, ny - 1, k)
    page.context.choices.radiological = True
    send(view, corner)
    assert page.slices.voxel == (nx - 1, ny - 1, k)
    send(view, {"pane": 2, "turn": -5})
    assert page.slices.voxel == (nx - 1, ny - 1, k - 1)
    nan = {"pane": 0, "x": float("nan"), "y": 0}
    for wrong in (None, {}, {"pane": 9}, nan, {"pane": 0, "x": 2, "y": 0}):
        send(view, wrong)
    assert page.slices.voxel == (nx - 1, ny - 1, k - 1)
    assert banner(page) == ""


def measure(page: TemplatePage, has_template: bool = True) -> None:
    choose_images(page, has_template, lesion=has_template)
    if has_template:
        register(page)
    choose_file(page, page.region.map, "atlas", "maps.nii.gz")
    page.region.threshold.value = 0.05  # so low that neighbours would share voxels
    choose_file(page, page.signal.background, "/2")
    choose_file(page, page.signal.air, "scans", "air.nii.gz")
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
    press(page.context, page.code.script)
    script = saved["template_and_signal.py"].decode()
    assert script == page.code.copy.text
    monkeypatch.setattr(register_module, "register_image", register_phantom)
    names: dict[str, Any] = {}
    exec(compile(script, "script", "exec"), names)
    assert names["signal"].quality.table.equals(page.answer.signal.quality.table)
    assert np.array_equal(names["native"].indices, page.answer.mask.indices)
    if has_template:
        assert np.array_equal(names["in_template"].indices, page.placed.mask.indices)
    else:  # nothing registered is saved
        files = saved_files(page, saved)
        assert "region_native.nii.gz" in files
        assert not {name for name in files if name.startswith(("registered", "transform_"))}
        assert "region_in_template.nii.gz" not in files
    assert "snr_within" in capsys.readouterr().out


def saved_files(page: TemplatePage, saved: dict[str, bytes]) -> dict[str, bytes]:
    press(page.context, page.code.all)
    assert banner(page) == ""
    with zipfile.ZipFile(io.BytesIO(saved["template_and_signal.zip"])) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_all_files_in_one(page: TemplatePage, saved: dict[str, bytes], root: Path) -> None:
    measure(page)
    files = saved_files(page, saved)
    assert {
        *(
            "registered_image.nii.gz",
            "registered_lesion.nii.gz",
            "transform_moving_to_template.txt",
        ),
        *("overlay.png", "quality.json", "template_and_signal.py"),
    } <= set(files)
    assert files["signal.csv"] == csv_bytes(page.answer.signal.quality.table)
    own, native, masked = (
        nib.Nifti1Image.from_bytes(gzip.decompress(files[f"{name}.nii.gz"])).get_fdata()
        for name in ("region_in_template", "region_native", "masked_image")
    )
    assert np.array_equal(own > 0, page.placed.mask.array)
    assert np.array_equal(native > 0, page.answer.mask.array)
    scan = nib.load(root / "scans" / "scan.nii.gz").get_fdata()
    assert np.array_equal(masked, np.where(page.answer.mask.array, scan, 0))
    provenance = json.loads(files.pop("template_and_signal.provenance.json"))
    sums = {name: sha256(content).hexdigest() for name, content in files.items()}
    assert provenance["outputs"] == sums
    assert provenance["parameters"]["kind"] == "affine"
    assert provenance["counts"]["region_voxels"] == page.answer.mask.voxels


def test_the_threshold_moves_the_mask(page: TemplatePage, root: Path) -> None:
    choose_images(page)
    choose_file(page, page.region.map, "atlas", "maps.nii.gz")
    region = read_region(root / "atlas" / "maps.nii.gz", 1)
    sizes = []
    crosshair = page.slices.voxel
    for threshold in (0.2, 0.5, 0.9):
        enter(page.context, page.region.threshold, threshold)
        mask = region.mask_on(page.volumes.grid, threshold)
        assert VOLUME.with_unit(mask.volume_mm3 / 1000) in page.region.size.value
        assert np.array_equal(shown_marks(page, REGION)[2], mask.array[:, :, crosshair[2]].T[::-1])
        sizes.append(mask.voxels)
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3
    assert page.slices.voxel == crosshair  # the crosshair stays while the threshold moves


def test_labels_are_chosen_by_name_and_take_no_threshold(page: TemplatePage, root: Path) -> None:
    choose_images(page)
    choose_file(page, page.region.map, "atlas", "labels.nii.gz")
    assert banner(page) == ""
    names = [name for name, _ in page.region.label.options]
    assert names[:3] == [f"{HOSTILE} {number} ({number})" for number in (1, 2, 3)]
    field = next(w for w in every_widget(page.region.widget) if is_hidden(w))
    assert page.region.threshold in every_widget(field)
    enter(page.context, page.region.label, "3")
    region = read_region(root / "atlas" / "labels.nii.gz", 3)
    assert page.placed.mask.voxels == region.indices.size
    assert page.slices.voxel == middle_of(page.placed.mask)
    register(page)
    assert HOSTILE in text(page.signal.table)
    assert HOSTILE not in page.signal.table.value
    choose_file(page, page.region.map, "atlas", "maps.nii.gz")
    assert not is_hidden(field)


def test_a_region_cannot_be_its_own_background(page: TemplatePage) -> None:
    choose_images(page)
    register(page)
    choose_file(page, page.region.map, "atlas", "maps.nii.gz")
    choose_file(page, page.signal.background, "/2")
    assert page.answer.noise.background_label == "2"
    enter(page.context, page.region.label, "2")
    assert page.signal.background.folder == ""
    assert page.answer.noise.background_label == ""
    assert "/1" in [key for _, key in page.signal.background.folders.options]


def test_what_is_refused_stands_in_place_of_its_value(page: TemplatePage, root: Path) -> None:
    choose_images(page)
    register(page)
    choose_file(page, page.region.map, "atlas", "one.nii.gz")
    choose_file(page, page.signal.air, "scans", "air.nii.gz")
    choose_file(page, page.signal.second, "scans", "scan.nii.gz")
    assert banner(page) == ""
    answer = page.answer.signal
    assert {measure.measure for measure in answer.quality.measures} >= {"snr_within", "snr_air"}
    assert [measure.name for measure, _ in answer.refused] == ["snr_difference"]
    shown = text(page.signal.table)
    assert "their difference holds no noise" in shown
    assert shown.count("ld-refused") == 1


def test_the_last_folder_is_offered_first_for_the_next_file(page: TemplatePage) -> None:
    def offered(field: SourceField) -> list[str]:
        return [key for _, key in field.folders.options if key and not key.startswith("/")]

    order: list[str] = []
    page.images.image.names.observe(lambda _: order.append("names"), names="_options_labels")
    page.region.map.folders.observe(lambda _: order.append("others"), names="_options_labels")
    before = offered(page.images.lesion)
    choose_file(page, page.images.image, "scans", "scan.nii.gz")
    assert order == ["others", "names"]  # other lists have their new order before names are offered
    for field in (page.images.template, page.images.lesion, page.region.map, page.signal.air):
        assert offered(field)[0] == "scans"
        assert sorted(offered(field)) == sorted(before)
    assert [key for _, key in page.images.template.folders.options][:2] == ["", "/mni152"]
    choose_file(page, page.images.template, "atlas", "template.nii.gz")
    assert offered(page.region.map)[0] == "atlas"
    assert page.images.image.path.endswith("scan.nii.gz")  # what was chosen stays chosen
    assert page.images.image.folders.value == "scans"


class SlowFacts:
    """Holds the reading of one map until it is told to go on, and then reads it or fails."""

    def __init__(self, name: str, fails: bool = False) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self._name, self._fails = name, fails

    def __call__(self, path: str) -> MapFacts:
        if Path(path).name == self._name:
            self.begun.set()
            assert self.go.wait(30)
            if self._fails:
                raise InputError(self._name, "cannot be read")
        return open_facts(path)


def come_back(page: TemplatePage, map_name: str, region: str) -> None:
    """Choose a map, one of its regions and one for the background, as a link does."""
    page.region.map.choose(f"atlas//{map_name}")
    page.region.choose(region)
    page.signal.background.choose("/2")


def test_a_map_that_was_overtaken_takes_no_region_with_it(
    page: TemplatePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowFacts("scan.nii.gz", fails=True)
    monkeypatch.setattr("lesion_dash.dashboard.pages.template.open_facts", slow)
    page.region.map.choose("scans//scan.nii.gz")
    assert slow.begun.wait(30)
    come_back(page, "labels.nii.gz", "3")
    slow.go.set()
    page.context.wait()
    assert (page.region.region, page.signal.background.text) == ("3", "/2")
    assert banner(page) == ""


def test_a_background_waits_for_the_map_whose_region_it_is(
    page: TemplatePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_file(page, page.region.map, "atlas", "maps.nii.gz")
    slow = SlowFacts("labels.nii.gz")
    monkeypatch.setattr("lesion_dash.dashboard.pages.template.open_facts", slow)
    show = page.slices.show

    def show_and_go_on(volumes: VolumePair) -> None:
        show(volumes)
        slow.go.set()

    monkeypatch.setattr(page.slices, "show", show_and_go_on)
    page.images.image.choose("scans//scan.nii.gz")
    come_back(page, "labels.nii.gz", "3")
    page.context.wait()
    assert slow.go.is_set()
    assert (page.region.region, page.signal.background.text) == ("3", "/2")
    assert page.signal.background.offered == "2"
