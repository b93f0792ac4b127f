"""The page Assign on a root of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.pages.assign import AssignPage
from lesion_dash.dashboard.session import Session

from .assign_page import HOSTILE, SHAPE, save


@pytest.fixture(scope="module")
def root(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample data, an atlas of probabilities, a map of both signs, and unusable files."""
    root = tmp_path_factory.mktemp("assign")
    for name in ("cohort_a", "cohort_b", "atlas"):
        shutil.copytree(sample_data / name, root / name)
    generator = np.random.default_rng(8)
    save(generator.normal(size=SHAPE).astype(np.float32), root / "maps" / "both.nii.gz")
    save(generator.normal(size=(*SHAPE, 2)).astype(np.float32), root / "maps" / "series.nii.gz")
    save(np.zeros(SHAPE, np.float32), root / "maps" / "zero.nii.gz")
    save(np.ones(SHAPE, np.uint8), root / "maps" / "sub-1" / "anat" / f"one {HOSTILE}.nii.gz")
    chances = np.zeros((*SHAPE, 3), np.float32)
    chances[:14, ..., 0], chances[10:, ..., 1] = 0.5, np.linspace(0, 1, 28)[:, None]
    chances[0, 0, 0, 2] = 1
    save(chances, root / "likely" / "likely.nii.gz")
    names = f"index,name\n1,left\n2,{HOSTILE}\n3,corner\n"
    (root / "likely" / "likely.csv").write_text(names)
    return root


@pytest.fixture
def context(root: Path) -> AppContext:
    return AppContext(Session(DataRoot(root)))


@pytest.fixture
def page(context: AppContext) -> AssignPage:
    """The page on folder A and the synthetic atlas."""
    context.choices.folder_a = "cohort_a"
    context.wait()
    context.choices.atlas = "synthetic_atlas"
    page = AssignPage(context)
    context.wait()
    assert context.banner.message == ""
    return page
