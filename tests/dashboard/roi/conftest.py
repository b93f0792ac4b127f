"""The page ROI lab on a root of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.pages.roi import RoiPage
from lesion_dash.dashboard.session import Session

from .roi_page import (
    HOSTILE,
)


@pytest.fixture(scope="module")
def root(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample data, runs in a folder each, and names that would run a script."""
    root = tmp_path_factory.mktemp("lab")
    for name in ("cohort_a", "cohort_b", "atlas", "series"):
        shutil.copytree(sample_data / name, root / name)
    shutil.copy(sample_data / "participants.tsv", root)
    for number in (1, 2):
        place = root / f"bold {HOSTILE}" / f"run00{number}"
        place.mkdir(parents=True)
        run = sample_data / "series" / f"sub-01_task-pictures_run-{number}"
        shutil.copy(f"{run}_bold.nii.gz", place / "bold_8mm.nii.gz")
        text = Path(f"{run}_events.tsv").read_text().replace("house", HOSTILE)
        (place / "bold_events.tsv").write_text(text)
    return root


@pytest.fixture
def context(root: Path) -> AppContext:
    return AppContext(Session(DataRoot(root)))


@pytest.fixture
def page(context: AppContext) -> RoiPage:
    """The page on the sample series, as it opens."""
    page = RoiPage(context)
    page.input.folder.value = "series"
    return page
