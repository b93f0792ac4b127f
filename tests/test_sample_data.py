"""The sample data are what their README says, and their script makes them again."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

SAMPLE_DATA = Path(__file__).resolve().parent.parent / "sample_data"
MASKS = sorted(SAMPLE_DATA.glob("cohort_?/*.nii.gz"))
ATLAS = SAMPLE_DATA / "atlas" / "synthetic_atlas.nii.gz"
TABLE = ATLAS.with_name("synthetic_atlas.csv")


def voxels_of(file: Path) -> np.ndarray:
    return np.asarray(nib.load(file).dataobj)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    file = SAMPLE_DATA / "make_sample_data.py"
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def remade(script, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sample_data")
    script.make_sample_data(folder)
    return folder


@pytest.fixture(scope="module")
def lesions() -> dict[str, np.ndarray]:
    return {file.name.split("_")[0]: voxels_of(file) for file in MASKS}


def test_the_script_makes_the_same_files_again(remade):
    made = sorted(file.relative_to(remade) for file in remade.rglob("*") if file.is_file())
    kept = [ATLAS, TABLE, SAMPLE_DATA / "participants.tsv", *MASKS]
    assert made == sorted(file.relative_to(SAMPLE_DATA) for file in kept)
    for file in made:
        old, new = SAMPLE_DATA / file, remade / file
        # Another zlib may pack the same voxels into other bytes.
        if file.suffix == ".gz":
            assert np.array_equal(voxels_of(old), voxels_of(new)), file
        else:
            assert old.read_bytes() == new.read_bytes(), file


def test_files_hold_neither_date_nor_name():
    for file in [ATLAS, *MASKS]:
        flags, *date = file.read_bytes()[3:8]
        assert (flags, date) == (0, [0, 0, 0, 0]), file


def test_the_folder_is_small():
    assert sum(file.stat().st_size for file in SAMPLE_DATA.rglob("*") if file.is_file()) < 3e6


@pytest.mark.parametrize("letter", ["a", "b"])
def test_a_cohort_has_forty_patients(letter):
    names = [file.name for file in MASKS if file.parent.name == f"cohort_{letter}"]
    assert names == [f"sub-{letter}{number:02d}_lesion.nii.gz" for number in range(1, 41)]


@pytest.mark.parametrize("file", [*MASKS[:2], ATLAS], ids=lambda file: file.name)
def test_images_are_on_the_2_mm_mni152_grid(file):
    image = nib.load(file)
    affine = [[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]
    assert image.shape == (91, 109, 91)
    for where, code in (image.get_sform(coded=True), image.get_qform(coded=True)):
        assert np.array_equal(where, affine)
        assert code == 4
    assert image.header.get_xyzt_units()[0] == "mm"


def test_lesions_are_binary_and_inside_the_brain_shape(script, lesions):
    brain = script.brain_shape()
    for patient, lesion in lesions.items():
        assert lesion.dtype == np.uint8, patient
        assert set(np.unique(lesion)) == {0, 1}, patient
        assert not lesion[~brain].any(), patient


def test_a_lesion_stays_in_one_hemisphere(lesions):
    for patient, lesion in lesions.items():
        left, midline, right = lesion[:45].any(), lesion[45].any(), lesion[46:].any()
        assert left != right, patient
        assert not midline, patient


def test_volumes_spread_from_less_than_1_to_about_150_ml(lesions):
    volumes = np.array([lesion.sum() for lesion in lesions.values()]) * 0.008
    assert volumes.min() < 1
    assert 120 < volumes.max() < 155
    assert 4 < np.median(volumes) < 20


@pytest.mark.parametrize(("k", "regions"), [(3, 10), (5, 6), (8, 2)])
def test_the_cohorts_meet_in_several_regions(lesions, k, regions):
    a, b = (
        sum(lesion for patient, lesion in lesions.items() if patient[4] == letter) >= k
        for letter in "ab"
    )
    labels = voxels_of(ATLAS)[a & b]
    assert len(np.unique(labels[labels > 0])) >= regions
    assert (labels == 0).any()


def test_the_atlas_and_its_table_agree(script):
    table = pd.read_csv(TABLE)
    labels = voxels_of(ATLAS)
    assert list(table.columns) == ["index", "name", "hemisphere", "lobe"]
    assert sorted(set(np.unique(labels)) - {0}) == list(table["index"])
    assert table["name"].is_unique
    assert table["name"].str.startswith("Synthetic ").all()
    assert not labels[~script.brain_shape()].any()


def test_left_regions_lie_at_negative_x_and_mirror_the_right_ones():
    table = pd.read_csv(TABLE)
    labels = voxels_of(ATLAS)
    left = table.loc[table["hemisphere"] == "L", "index"]
    assert set(np.unique(labels[:45])) == {0, *left}
    assert not labels[45].any()
    assert np.array_equal(labels[:45] > 0, labels[:45:-1] > 0)
    assert (table["name"].str[-1] == table["hemisphere"]).all()


def test_the_participants_table_lacks_one_patient_and_a_few_values():
    table = pd.read_csv(SAMPLE_DATA / "participants.tsv", sep="\t")
    patients = {file.name.split("_")[0] for file in MASKS}
    assert patients - set(table["participant_id"]) == {"sub-b17"}
    assert list(table.columns) == ["participant_id", "cohort", "sex", "age", "nihss"]
    assert 1 <= table["nihss"].isna().sum() <= 12
    assert table["sex"].isin(["F", "M"]).all()
