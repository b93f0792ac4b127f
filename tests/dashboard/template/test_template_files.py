"""What the page Template & signal saves: the script does the same, the files hold the same."""

from __future__ import annotations

import io
import json
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.pages.template import TemplatePage
from lesion_dash.scans.registration import register as register_module

from .template_page import banner, choose, choose_images, register, register_phantom


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
