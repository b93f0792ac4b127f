"""The page Template & signal on a root of its own: a head, its atlas, names that run scripts."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from heads import BRAIN, apply, make_grid, make_head

from lesion_dash.dashboard import registering
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.pages.template import TemplatePage
from lesion_dash.dashboard.session import Session

from .template_page import HOSTILE, POSE, register_phantom

REGIONS = {1: (-25, -15, 20), 2: (25, -15, 20), 3: (0, 30, 20)}


def save(folder: Path, name: str, array: np.ndarray, affine: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), folder / name)


def probabilities(points: np.ndarray) -> np.ndarray:
    """A region a volume: sure in its middle, less so towards its border."""
    away = [np.linalg.norm(points - centre, axis=-1) for centre in REGIONS.values()]
    return np.stack([np.clip((28 - one) / 14, 0, 1) for one in away], axis=-1).astype(np.float32)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root").resolve()
    grid = make_grid((168, 210, 216), 6.0, (0, -10, 0))
    points = grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))
    atlas = root / "atlas"
    save(atlas, "template.nii.gz", make_head(grid), grid.affine)
    maps = probabilities(points)
    save(atlas, "maps.nii.gz", maps, grid.affine)
    save(atlas, "one.nii.gz", maps[..., 0], grid.affine)
    labels = np.where(maps.max(axis=-1) > 0.2, maps.argmax(axis=-1) + 1, 0).astype(np.int16)
    save(atlas, "labels.nii.gz", labels, grid.affine)
    rows = "".join(f"{number},{HOSTILE} {number}\n" for number in REGIONS)
    (atlas / "labels.csv").write_text(f"index,name\n{rows}")
    # Stored from right to left and from front to back, as scanners do.
    turned = make_grid((180, 222, 216), 6.0, (3, -5, 4))
    affine = turned.affine @ np.diag([-1.0, -1, 1, 1])
    affine[:2, 3] = turned.to_mm(np.array(turned.shape) - 1)[:2]
    own = turned.to_mm(np.stack(np.indices(turned.shape), axis=-1))[::-1, ::-1]
    scans = root / "scans"
    for name, seed in (("scan.nii.gz", 1), ("second.nii.gz", 2)):
        save(scans, name, make_head(turned, POSE, noise=4, seed=seed)[::-1, ::-1], affine)
    cut = make_head(turned, POSE, noise=4, seed=2)[1:, ::-1][::-1]
    save(scans, "cut.nii.gz", cut, affine)
    in_head = apply(POSE, own)
    lesion = np.linalg.norm(in_head - np.array(BRAIN[0]) - [-30, 10, 10], axis=-1) < 15
    save(scans, "lesion.nii.gz", lesion.astype(np.uint8), affine)
    air = (np.abs(own[..., 0]) > 80) & (own[..., 2] > 50)
    save(scans, "air.nii.gz", air.astype(np.uint8), affine)
    empty = np.zeros(turned.shape, np.float32)
    save(scans, "series.nii.gz", np.stack([empty, empty], axis=-1), affine)
    save(scans, f"{HOSTILE}.nii.gz", empty, affine)
    shutil.copy(scans / "scan.nii.gz", root.parent / "outside.nii.gz")
    (scans / "link.nii.gz").symlink_to(root.parent / "outside.nii.gz")
    return root


@pytest.fixture
def page(root: Path, monkeypatch: pytest.MonkeyPatch) -> TemplatePage:
    monkeypatch.setattr(registering, "register_image", register_phantom)
    monkeypatch.setattr(registering, "engine_named", lambda _name, _kind: None)  # none is needed
    return TemplatePage(AppContext(Session(DataRoot(root))))
