"""The sample template is what its README says, and the right answers are found in it."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest

from lesion_dash.atlas.loading import load_atlas
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map, read_map
from lesion_dash.images.masks import Mask, read_mask
from lesion_dash.scans.arrays import read_array
from lesion_dash.scans.conversion import convert_array
from lesion_dash.scans.region_masks import mask_image
from lesion_dash.scans.signal import measure_signal
from lesion_dash.transforms.files import read_transform
from lesion_dash.transforms.warping import warp_mask

SAMPLE_DATA = Path(__file__).resolve().parent.parent / "sample_data"
FOLDER = SAMPLE_DATA / "template"
SCRIPT = SAMPLE_DATA / "make_sample_template.py"
PICKLE = FOLDER / "moving_image.pkl"
SECOND = FOLDER / "second_acquisition.nii.gz"
LABELS = FOLDER / "max_prob_map.nii.gz"
MAPS = FOLDER / "probability_maps.nii.gz"
ATLAS_IMAGES = ("template", "max_prob_map", "probability_maps", "lens_prob")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    # The script imports the one beside it, as it does when it is run.
    sys.path.insert(0, str(SAMPLE_DATA))
    try:
        spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SAMPLE_DATA))
    return module


@pytest.fixture(scope="module")
def known() -> np.ndarray:
    return np.loadtxt(FOLDER / "known_transform.txt")


@pytest.fixture(scope="module")
def scan() -> Map:
    return read_map(convert_array(read_array(PICKLE)).to_nifti())


@pytest.fixture(scope="module")
def clean(script) -> np.ndarray:
    """The scan without its noise."""
    return script.scan_without_noise()


def voxels_of(file: Path) -> np.ndarray:
    return np.asarray(nib.load(file).dataobj)


def region_in_the_scan(known: np.ndarray, label: int, percent: int) -> Mask:
    """The voxels of a region, its grid moved to where the scan has it: nothing is resampled."""
    image = nib.load(MAPS)
    grid = Grid(image.shape[:3], np.linalg.inv(known) @ image.affine)
    return Mask.from_array(voxels_of(MAPS)[..., label - 1] >= percent, grid, f"region {label}")


def test_the_script_makes_the_same_files_again(tmp_path):
    subprocess.run([sys.executable, SCRIPT, tmp_path], check=True)
    made = sorted(file.name for file in tmp_path.iterdir())
    assert made == sorted(file.name for file in FOLDER.iterdir())
    for name in made:
        old, new = FOLDER / name, tmp_path / name
        # Another zlib may pack the same voxels into other bytes.
        if name.endswith(".gz"):
            assert np.array_equal(voxels_of(old), voxels_of(new)), name
        else:
            assert old.read_bytes() == new.read_bytes(), name


def test_files_hold_neither_date_nor_name_and_are_small():
    for file in FOLDER.glob("*.gz"):
        flags, *date = file.read_bytes()[3:8]
        assert (flags, date) == (0, [0, 0, 0, 0]), file
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 1.5e6


def test_images_of_the_atlas_share_a_grid_of_a_template_of_its_own():
    for name in ATLAS_IMAGES:
        image = nib.load(FOLDER / f"{name}.nii.gz")
        assert image.shape[:3] == (56, 60, 48), name
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S"), name
        assert image.header.get_zooms()[:3] == (1, 1, 1), name
        assert [int(image.header[form]) for form in ("sform_code", "qform_code")] == [5, 5], name
        expected = np.float32 if name == "lens_prob" else np.uint8
        assert image.get_data_dtype() == expected, name


def test_maps_and_labels_bear_the_same_names(script):
    names = [name for name, _ in script.REGIONS.values()]
    for file in (LABELS, MAPS):
        atlas = load_atlas(file)
        assert [(region.label, region.name) for region in atlas.regions] == list(
            enumerate(names, start=1)
        )
        assert not any("without" in note for note in atlas.notes)


def test_labels_are_the_most_probable_ones_and_nothing_counts_as_well():
    percent = voxels_of(MAPS).astype(int)
    nothing = 100 - percent.sum(axis=-1)
    assert nothing.min() == 0
    every = np.concatenate([nothing[..., None], percent], axis=-1)
    np.testing.assert_array_equal(voxels_of(LABELS), every.argmax(axis=-1))
    np.testing.assert_allclose(
        voxels_of(FOLDER / "lens_prob.nii.gz"), percent[..., 0] / 100, atol=1e-7
    )


def test_a_threshold_alone_is_refused_for_the_map_of_labels():
    with pytest.raises(InputError, match="is a map of labels"):
        mask_image(FOLDER / "template.nii.gz", LABELS)
    cut = mask_image(FOLDER / "template.nii.gz", MAPS, "lens", 0.5)
    alone = mask_image(FOLDER / "template.nii.gz", FOLDER / "lens_prob.nii.gz", threshold=0.5)
    np.testing.assert_array_equal(cut.mask.indices, alone.mask.indices)


def test_the_pickle_holds_what_plain_pickle_would_give(script, scan):
    content = pickle.loads(PICKLE.read_bytes())  # our own file
    stored = read_array(PICKLE)
    np.testing.assert_array_equal(stored.array, content["array"])
    np.testing.assert_array_equal(stored.affine, content["affine"])
    assert (stored.array.dtype, stored.array.shape) == (np.uint8, (108, 76, 72))
    assert scan.grid.orientation == "LPS"
    assert scan.grid.matches(read_map(SECOND).grid)


def test_the_pickle_is_spelled_alike_by_every_numpy():
    content = PICKLE.read_bytes()
    assert content[:2] == b"\x80\x03"
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in content
    assert b"numpy._core" not in content


def test_the_text_holds_the_transform_of_the_script(script, known):
    np.testing.assert_array_equal(known, script.known_transform())
    assert np.linalg.det(known) == pytest.approx(np.prod(script.SCAN_SIZES), rel=1e-5)


def test_the_text_is_a_transform_that_masks_can_go_back_by(scan, known):
    transform = read_transform(FOLDER / "known_transform.txt")
    np.testing.assert_allclose(transform.matrix, known, atol=1e-9)
    cut = mask_image(FOLDER / "template.nii.gz", MAPS, "globe", 0.95)
    native = warp_mask(cut.mask, transform.inverse(), scan.grid)
    expected = cut.mask.volume_mm3 / np.linalg.det(known)
    assert native.volume_mm3 == pytest.approx(expected, rel=0.02)
    found = measure_signal(scan, native, air=FOLDER / "air_mask.nii.gz", resamples=100)
    assert found.value("snr_air") == pytest.approx(12, rel=0.04)


def test_the_scan_is_off_by_its_header_and_far_off_by_its_centre(scan, known):
    """What makes the set a test: the head is larger than the template, with a second eye."""
    image = nib.load(LABELS)
    labelled = nib.affines.apply_affine(image.affine, np.argwhere(voxels_of(LABELS)))
    true = nib.affines.apply_affine(np.linalg.inv(known), labelled)
    assert 7 < np.linalg.norm(labelled - true, axis=1).mean() < 10
    assert np.all(true > scan.grid.corners().min(axis=0))
    assert np.all(true < scan.grid.corners().max(axis=0))
    template = read_map(FOLDER / "template.nii.gz")
    centres = [
        one.grid.to_mm(np.argwhere(one.array >= 0)).T @ one.array.ravel() / one.array.sum()
        for one in (template, scan)
    ]
    moved = labelled - centres[0] + centres[1]
    assert np.linalg.norm(moved - true, axis=1).mean() > 30


def test_the_heads_of_the_atlas_are_on_average_the_one_that_was_scanned(script):
    subjects = script.draw_subjects()
    assert len(subjects) == script.SUBJECTS
    mean = np.mean([matrix for matrix, _ in subjects], axis=0)
    np.testing.assert_allclose(mean, np.eye(3), atol=2e-3)
    np.testing.assert_allclose(np.mean([shift for _, shift in subjects], axis=0), 0, atol=1e-12)


def test_the_air_holds_noise_alone_and_of_the_known_size(script, scan, clean):
    air = read_mask(FOLDER / "air_mask.nii.gz")
    assert clean[air.array].max() == 0
    for image in (scan, read_map(SECOND)):
        noise = image.array[air.array].astype(float)
        assert np.sqrt((noise**2).mean() / 2) == pytest.approx(script.NOISE, rel=0.02)
    apart = scan.array.astype(float) - read_map(SECOND).array
    bright = (scan.array > 60) & (clean > 60)
    assert apart[bright].std() / np.sqrt(2) == pytest.approx(script.NOISE, rel=0.02)


def test_signal_and_contrast_are_the_known_ones(script, scan, known):
    """Lens 120, vitreous 48, noise 4: 30, 12 and 18; Rician noise and borders add a little."""
    lens, globe = (region_in_the_scan(known, label, 95) for label in (1, 2))
    air = FOLDER / "air_mask.nii.gz"
    found = measure_signal(scan, lens, globe, second=SECOND, air=air)
    assert found.value("snr_air") == pytest.approx(30, rel=0.03)
    assert found.value("cnr_air") == pytest.approx(18, rel=0.04)
    alone = measure_signal(scan, globe, air=air)
    assert alone.value("snr_air") == pytest.approx(12, rel=0.04)
    by_name = {one.measure: one for one in found.measures}
    for name, truth in (("snr_difference", 30), ("cnr_difference", 18)):
        assert by_name[name].low < truth < by_name[name].high


def test_a_generous_mask_takes_its_border_for_noise(scan, known):
    air = FOLDER / "air_mask.nii.gz"
    half, most = (
        measure_signal(scan, region_in_the_scan(known, 1, percent), air=air) for percent in (50, 95)
    )
    assert half.value("snr_within") < 0.5 * most.value("snr_within")
    assert half.value("snr_air") < most.value("snr_air")
