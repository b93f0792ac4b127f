"""Images below the data root are chosen by listed names only."""

from __future__ import annotations

from pathlib import Path

import pytest

from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.image_files import ImageFiles

from .assign_page import HOSTILE


def test_images_are_listed_by_folder(root: Path) -> None:
    files = ImageFiles(DataRoot(root))
    assert files.folders["maps"] == len(files.names("maps")) == 4
    assert f"sub-1/anat/one {HOSTILE}.nii.gz" in files.names("maps")
    assert files.path("maps", "zero.nii.gz") == root / "maps" / "zero.nii.gz"


@pytest.mark.parametrize("name", ["../secret.nii.gz", "/etc/passwd", "sub-1", ""])
def test_other_files_are_refused(root: Path, name: str) -> None:
    with pytest.raises(InputError, match="is no image of this folder"):
        ImageFiles(DataRoot(root)).path("maps", name)


@pytest.mark.parametrize("folder", ["..", "/etc", "../maps"])
def test_other_folders_are_refused(root: Path, folder: str) -> None:
    with pytest.raises(InputError, match="is no folder of images"):
        ImageFiles(DataRoot(root)).names(folder)


def test_links_out_of_the_root_are_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "linked.nii.gz").symlink_to(root / "maps" / "zero.nii.gz")
    with pytest.raises(InputError, match="lies outside the data root"):
        ImageFiles(DataRoot(tmp_path)).path("maps", "linked.nii.gz")
