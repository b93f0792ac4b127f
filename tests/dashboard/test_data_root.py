"""Folders are chosen by name; nothing outside the data root is read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot, configured_root
from lesion_dash.dashboard.environment import ROOT_VARIABLE
from lesion_dash.dashboard.pages.choices import ChoicesPanel
from lesion_dash.dashboard.pages.inspect import InspectPage
from lesion_dash.dashboard.session import Session

NAMES_OF_ELSEWHERE = ("..", "../secret", "/etc", "", ".", "cohort_a/../../secret", "atlas")


def test_lists_cohorts_with_their_images(sample_data: Path) -> None:
    assert DataRoot(sample_data).cohorts == {"cohort_a": 40, "cohort_b": 40}


def test_functional_series_are_images_and_no_cohort(sample_data: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_data / "series", tmp_path / "series")
    assert DataRoot(tmp_path).cohorts == {}
    assert DataRoot(tmp_path).image_counts == {"series": 3}
    for name in ("sub-01_lesion.nii.gz", "sub-02_Bold_lesion.nii"):
        (tmp_path / "series" / name).touch()
    assert DataRoot(tmp_path).cohorts == {"series": 3}


def test_what_lies_beside_a_template_is_no_cohort(sample_data: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_data / "template", tmp_path / "template")
    assert DataRoot(tmp_path).cohorts == {}
    assert DataRoot(tmp_path).image_counts == {"template": 6}
    assert DataRoot(tmp_path).first_named_atlas() == "max_prob_map"


def test_lists_atlases(sample_data: Path) -> None:
    root = DataRoot(sample_data)
    assert list(root.atlases) == ["synthetic_atlas", "max_prob_map", "probability_maps"]
    assert root.first_named_atlas() == "synthetic_atlas"
    image, table = root.atlas_files("synthetic_atlas")
    assert (image.name, table.name) == ("synthetic_atlas.nii.gz", "synthetic_atlas.csv")


def test_atlases_of_one_file_name_are_all_listed(sample_data: Path, tmp_path: Path) -> None:
    for name in ("coarse", "fine"):
        shutil.copytree(sample_data / "atlas", tmp_path / name)
    root = DataRoot(tmp_path)
    assert list(root.atlases) == ["coarse/synthetic_atlas", "fine/synthetic_atlas"]
    image, table = root.atlas_files("fine/synthetic_atlas")
    assert image.parent == table.parent == tmp_path / "fine"


@pytest.mark.parametrize("name", NAMES_OF_ELSEWHERE)
def test_other_names_are_refused(sample_data: Path, name: str) -> None:
    with pytest.raises(InputError, match="choose one from the list"):
        DataRoot(sample_data).cohort_folder(name)


def test_unknown_atlas_is_refused(sample_data: Path) -> None:
    with pytest.raises(InputError, match="is no atlas"):
        DataRoot(sample_data).atlas_files("../other")


def test_links_out_of_the_root_are_not_followed(sample_data: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(sample_data / "cohort_a")
    assert DataRoot(tmp_path).cohorts == {}


def test_folder_that_became_a_link_is_refused(sample_data: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_data / "cohort_a", tmp_path / "a")
    root = DataRoot(tmp_path)
    assert list(root.cohorts) == ["a"]
    shutil.rmtree(tmp_path / "a")
    (tmp_path / "a").symlink_to(sample_data / "cohort_a")
    with pytest.raises(InputError, match="no longer lies below"):
        root.cohort_folder("a")


def test_subjects_of_a_bids_folder_are_one_cohort(sample_data: Path, tmp_path: Path) -> None:
    masks = sorted((sample_data / "cohort_a").glob("*.nii.gz"))[:3]
    for number, mask in enumerate(masks):
        folder = tmp_path / "study" / f"sub-{number}" / "anat"
        folder.mkdir(parents=True)
        shutil.copy(mask, folder / f"sub-{number}_lesion.nii.gz")
    assert DataRoot(tmp_path).cohorts == {"study": 3}
    assert DataRoot(tmp_path).words_of("study") == "study"
    study = DataRoot(tmp_path / "study")
    assert study.cohorts == {".": 3}
    assert study.words_of(".") == "study"
    context = AppContext(Session(study))
    assert ChoicesPanel(context).folder_a.options[1] == ("study  (3 images)", ".")
    shown = {text for text, _ in InspectPage(context).folder.options}
    assert "study (3)" in shown


def test_root_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    assert configured_root().path == tmp_path.resolve()
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(InputError, match="the data root is no folder"):
        configured_root()


def test_sample_data_by_default(monkeypatch: pytest.MonkeyPatch, sample_data: Path) -> None:
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    assert configured_root().path == sample_data.resolve()
