"""The sample data are what their README says, their scripts make them again, and the right
answers are found in them."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage, stats

import lesion_dash as ld
from lesion_dash.core.grid import Grid

SAMPLE_DATA = Path(__file__).resolve().parent.parent / "sample_data"
MASKS = sorted(SAMPLE_DATA.glob("cohort_?/*.nii.gz"))
ATLAS = SAMPLE_DATA / "atlas" / "synthetic_atlas.nii.gz"
TABLE = ATLAS.with_name("synthetic_atlas.csv")
TRUTH = SAMPLE_DATA / "truth" / "naming_region.nii.gz"
SERIES = SAMPLE_DATA / "series"
RUNS = [SERIES / f"sub-01_task-pictures_run-{run}_bold.nii.gz" for run in (1, 2)]
EVENTS = [SERIES / f"sub-01_task-pictures_run-{run}_events.tsv" for run in (1, 2)]
BRAIN = SERIES / "sub-01_brain_mask.nii.gz"
TEMPLATE = SAMPLE_DATA / "template"
PICKLE = TEMPLATE / "moving_image.pkl"
SECOND = TEMPLATE / "second_acquisition.nii.gz"
LABELS = TEMPLATE / "max_prob_map.nii.gz"
MAPS = TEMPLATE / "probability_maps.nii.gz"
AIR = TEMPLATE / "air_mask.nii.gz"

MADE = {
    "data": (SAMPLE_DATA, [ATLAS, TABLE, TRUTH, SAMPLE_DATA / "participants.tsv", *MASKS]),
    "series": (SERIES, sorted(SERIES.iterdir())),
    "template": (TEMPLATE, sorted(TEMPLATE.iterdir())),
}


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    with pytest.MonkeyPatch.context() as patch:
        # They import one another, as they do when they are run.
        patch.setattr(sys, "path", [str(SAMPLE_DATA), *sys.path])
        modules = {name: import_module(f"make_sample_{name}") for name in MADE}
        modules["brain"] = import_module("sample_brain")
        # It takes 4 s, and is asked for twice.
        signal = cache(modules["template"].scan_without_noise)
        patch.setattr(modules["template"], "scan_without_noise", signal)
        yield modules


@pytest.fixture(scope="module")
def known() -> np.ndarray:
    return np.loadtxt(TEMPLATE / "known_transform.txt")


@pytest.fixture(scope="module")
def scan() -> ld.Map:
    return ld.read_map(ld.scans.convert_array(ld.scans.read_array(PICKLE)).to_nifti())


def voxels_of(file: Path) -> np.ndarray:
    return np.asarray(nib.load(file).dataobj)


def assert_space(file: Path, shape, spacing, code: int, dtype=np.uint8):
    image = nib.load(file)
    assert image.shape[:3] == shape
    assert image.header.get_zooms()[:3] == spacing
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    assert [int(image.header[form]) for form in ("sform_code", "qform_code")] == [code, code]
    assert np.allclose(image.get_qform(), image.affine)
    assert image.header.get_xyzt_units()[0] == "mm"
    assert image.get_data_dtype() == dtype


# Takes 10 s a folder: lesions and orbits are drawn voxel by voxel.
@pytest.mark.parametrize("name", MADE)
def test_the_script_makes_the_same_files_again(scripts, name, tmp_path):
    folder, files = MADE[name]
    getattr(scripts[name], f"make_sample_{name}")(tmp_path)
    made = sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file())
    assert made == sorted(file.relative_to(folder) for file in files)
    for file in made:
        old, new = folder / file, tmp_path / file
        # Another zlib may pack the same voxels into other bytes.
        if file.suffix == ".gz":
            assert np.array_equal(voxels_of(old), voxels_of(new)), file
        else:
            assert old.read_bytes() == new.read_bytes(), file


@pytest.mark.parametrize(("name", "size"), [("data", 3e6), ("series", 1.5e6), ("template", 1.5e6)])
def test_files_hold_neither_date_nor_name_and_are_small(name, size):
    folder, files = MADE[name]
    for file in files:
        if file.suffix == ".gz":
            assert file.read_bytes()[3:8] == bytes(5), file
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < size


# Two cohorts and an atlas.


def test_a_cohort_has_forty_patients_on_the_2_mm_mni152_grid():
    for letter in "ab":
        names = [file.name for file in MASKS if file.parent.name == f"cohort_{letter}"]
        assert names == [f"sub-{letter}{number:02d}_lesion.nii.gz" for number in range(1, 41)]
    for file in (*MASKS[:2], TRUTH, ATLAS):
        dtype = np.int16 if file == ATLAS else np.uint8
        assert_space(file, (91, 109, 91), (2, 2, 2), 4, dtype)
        assert nib.load(file).affine[:3, 3].tolist() == [-90, -126, -72]
    table = read_participants()
    columns = ["cohort", "sex", "age", "nihss", "naming", "lesion_type", "artery"]
    assert list(table.columns) == columns
    patients = {file.name.split("_")[0] for file in MASKS}
    assert patients - set(table.index) == {"sub-b17"}
    for score in ("nihss", "naming"):
        assert 1 <= table[score].isna().sum() <= 12
    assert table["sex"].isin(["F", "M"]).all()
    assert table["lesion_type"].isin(["infarct", "lacune", "haemorrhage"]).all()
    assert (table["artery"].isna() == (table["lesion_type"] == "haemorrhage")).all()


def read_participants() -> pd.DataFrame:
    table = pd.read_csv(SAMPLE_DATA / "participants.tsv", sep="\t", na_values=["n/a"])
    return table.set_index("participant_id")


@cache
def lesions() -> dict[str, np.ndarray]:
    return {file.name.split("_")[0]: voxels_of(file) for file in MASKS}


def test_lesions_are_one_piece_of_tissue_in_one_hemisphere(scripts):
    brain = scripts["brain"].brain_shape()
    for patient, lesion in lesions().items():
        assert lesion.dtype == np.uint8, patient
        assert lesion.max() == 1, patient
        assert not lesion[~brain].any(), patient
        left, midline, right = lesion[:45].any(), lesion[45].any(), lesion[46:].any()
        assert (left != right, midline) == (True, False), patient
        assert ndimage.label(lesion)[1] == 1, patient


def test_volumes_are_those_of_strokes_of_their_kind():
    table, volumes = (
        read_participants(),
        pd.Series({k: v.sum() * 0.008 for k, v in lesions().items()}),
    )
    assert volumes.min() < 1
    assert 120 < volumes.max() < 155
    # Acute infarcts: median 3.7 mL, quartiles 0.9 and 16.6 (MRI-GENIE); here the MCA prevails.
    low, median, high = np.percentile(volumes, [25, 50, 75])
    assert 0.9 < low < 10
    assert 3.7 < median < 20
    assert 16.6 < high < 60
    of_type = {kind: volumes[rows.index] for kind, rows in table.groupby("lesion_type")}
    # 3 to 15 mm across.
    assert of_type["lacune"].between(0.014, 1.9).all()
    assert of_type["haemorrhage"].between(2, 80).all()
    assert of_type["haemorrhage"].median() > of_type["lacune"].max()


def test_lesions_of_an_artery_lie_where_that_artery_leads():
    """Of each kind, most lesions hit a region that no textbook gives to another artery."""
    table, atlas = read_participants(), ld.load_atlas(ATLAS)
    lobes = pd.read_csv(TABLE).set_index("index")["lobe"]
    labels = voxels_of(ATLAS)

    def lobe_of(patient: str) -> str:
        hit = labels[(lesions()[patient] > 0) & (labels > 0)]
        return lobes[np.bincount(hit).argmax()] if hit.size else "none"

    infarcts = table[table["lesion_type"] == "infarct"]
    main = infarcts.index.to_series().map(lobe_of)
    assert (main[infarcts["artery"] == "cerebellar"] == "cerebellum").all()
    assert main[infarcts["artery"] == "PCA"].isin(["occipital", "temporal", "deep"]).all()
    assert main[infarcts["artery"] == "ACA"].isin(["frontal", "parietal"]).all()
    assert (main[infarcts["artery"] == "MCA"] != "cerebellum").all()
    basilar = next(lesions()[patient] for patient in table.index[table["artery"] == "basilar"])
    x, y, z = atlas.grid.to_mm(np.argwhere(basilar)).mean(axis=0)
    assert abs(x) < 15
    assert -42 < y < -10
    assert -48 < z < -18


def test_cohorts_meet_in_several_regions_and_outside_them():
    labels = voxels_of(ATLAS)
    counts = {
        letter: sum(v.astype(int) for k, v in lesions().items() if k[4] == letter)
        for letter in "ab"
    }
    for min_patients, regions in ((3, 10), (5, 6), (8, 2)):
        in_both = labels[(counts["a"] >= min_patients) & (counts["b"] >= min_patients)]
        assert len(np.unique(in_both[in_both > 0])) >= regions
        assert (in_both == 0).any()


def test_naming_follows_one_region_and_nihss_size_alone(scripts):
    script, table, region = scripts["data"], read_participants(), voxels_of(TRUTH) > 0
    centre, radius = script.NAMING_REGION.centre, script.NAMING_REGION.radii[0]
    points = nib.affines.apply_affine(nib.load(TRUTH).affine, np.argwhere(region))
    assert np.linalg.norm(points - centre, axis=1).max() <= radius
    rows = {patient: lesions()[patient] for patient in table.index}
    share = pd.Series({k: v[region].mean() for k, v in rows.items()})
    volume_ml = pd.Series({k: v.sum() * 0.008 for k, v in rows.items()})
    loss = 60 - 45 * share - table["naming"]
    assert loss.min() >= -0.5
    assert loss.max() < 12
    assert abs(loss.corr(np.log(volume_ml))) < 0.3
    off = table["nihss"] - 4 * np.log1p(volume_ml)
    assert off.abs().max() < 9
    assert abs(off.corr(share)) < 0.3
    assert (share > 0.5).sum() >= 8


# Takes 5 s: both cohorts are one here.
def test_the_region_of_naming_is_found_and_one_of_size_is_not(tmp_path):
    for file in (*MASKS, SAMPLE_DATA / "participants.tsv"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    cohort = ld.load_cohort(tmp_path)
    found = ld.map_symptom(cohort, "naming", permutations=99)
    t = np.abs(found.map("t").array)
    assert voxels_of(TRUTH).flat[np.nanargmax(t)]
    # Size alone is no place: with volume controlled, nothing; without, a large part of the map.
    controlled = ld.map_symptom(cohort, "nihss", permutations=99)
    assert not (controlled.corrected_p <= 0.05).any()
    without = ld.map_symptom(cohort, "nihss", control="none", permutations=99)
    assert (without.corrected_p <= 0.05).sum() > 1000


def test_the_atlas_and_its_table_agree_and_its_sides_are_mirrored(scripts):
    table, labels = pd.read_csv(TABLE), voxels_of(ATLAS)
    assert list(table.columns) == ["index", "name", "hemisphere", "lobe"]
    assert sorted(set(np.unique(labels)) - {0}) == list(table["index"])
    assert table["name"].is_unique
    assert table["name"].str.startswith("Synthetic ").all()
    assert not labels[~scripts["brain"].brain_shape()].any()
    left = table.loc[table["hemisphere"] == "L", "index"]
    assert set(np.unique(labels[:45])) == {0, *left}
    assert not labels[45].any()
    assert np.array_equal(labels[:45] > 0, labels[:45:-1] > 0)
    assert (table["name"].str[-1] == table["hemisphere"]).all()


# A series of volumes with an effect in two balls.


def test_images_of_the_series_are_what_the_readme_says(scripts):
    for file, events in zip(RUNS, EVENTS, strict=True):
        assert_space(file, (18, 22, 18), (8, 8, 8), 4, np.int16)
        series = ld.read_series(file)
        assert (series.volumes, series.repetition_time) == (48, 2.5)
        conditions = ld.rois.read_conditions(events, series)
        assert conditions.counts == {"face": 16, "house": 16}
        assert conditions.of_volume.count("") == 16
    assert_space(BRAIN, (18, 22, 18), (8, 8, 8), 4)
    atlas, balls = ld.load_atlas(ATLAS), scripts["series"].BALLS
    names = [atlas.region_at(balls[name].centre) for name in ("face", "house")]
    assert names == ["Synthetic temporal 6 L", "Synthetic hippocampus R"]


@pytest.mark.parametrize("runs", [slice(0, 1), slice(1, 2), slice(0, 2)])
@pytest.mark.parametrize("method", ["fwe", "bonferroni"])
def test_the_effect_is_found_where_it_was_put_and_nowhere_else(scripts, runs, method):
    series = ld.read_series(RUNS[runs])
    conditions = ld.rois.read_conditions(EVENTS[runs], series)
    contrast = ld.rois.contrast_conditions(
        series, conditions, "face", "house", mask=ld.read_mask(BRAIN)
    )
    corrected = ld.rois.correct_contrast(contrast, method)
    passed, t = corrected.map("corrected_p").array <= 0.05, corrected.map("t").array
    np.testing.assert_array_equal(passed & (t > 0), scripts["series"].ball("face"))
    np.testing.assert_array_equal(passed & (t < 0), scripts["series"].ball("house"))


# Takes 3 s: a rate needs many draws.
def test_new_noise_gives_false_voxels_as_rarely_as_promised(scripts):
    """Over many seeds, a voxel outside the balls passes in one of twenty draws."""
    script, brain, first = scripts["series"], ld.read_mask(BRAIN), ld.read_series(RUNS[0])
    inside = script.ball("face") | script.ball("house")
    conditions = ld.rois.read_conditions(EVENTS[0], first)
    draws, wrong, complete = 40, 0, 0
    for seed in range(draws):
        array = script.make_run(np.random.default_rng(seed), script.RUNS[0])
        series = ld.Series("run", first.grid, array, 2.5, (48,))
        contrast = ld.rois.contrast_conditions(series, conditions, "face", "house", mask=brain)
        p = ld.rois.correct_contrast(contrast, "fwe", n_permutations=99).map("corrected_p").array
        wrong += bool((p[~inside] <= 0.05).any())
        complete += bool((p[inside] <= 0.05).all())
    # At a true rate of 0.05, so many happen in fewer than one of 10,000 such tests.
    assert wrong <= stats.binom.isf(1e-4, draws, 0.05)
    assert complete >= draws * 0.8


# A template of an eye, and a scan to be registered to it.


def region_in_the_scan(known: np.ndarray, label: int, percent: int) -> ld.Mask:
    """The voxels of a region, its grid moved to where the scan has it: nothing is resampled."""
    image = nib.load(MAPS)
    grid = Grid(image.shape[:3], np.linalg.inv(known) @ image.affine)
    return ld.Mask.from_array(voxels_of(MAPS)[..., label - 1] >= percent, grid, f"region {label}")


def test_images_of_the_atlas_share_a_grid_of_a_template_of_its_own(scripts):
    for name in ("template", "max_prob_map", "probability_maps", "lens_prob"):
        dtype = np.float32 if name == "lens_prob" else np.uint8
        assert_space(TEMPLATE / f"{name}.nii.gz", (56, 60, 48), (1, 1, 1), 5, dtype)
    names = [name for name, _ in scripts["template"].REGIONS.values()]
    for file in (LABELS, MAPS):
        atlas = ld.load_atlas(file)
        regions = [(region.label, region.name) for region in atlas.regions]
        assert regions == list(enumerate(names, start=1))
        assert not any("without" in note for note in atlas.notes)


def test_labels_are_the_most_probable_ones_and_nothing_counts_as_well():
    percent = voxels_of(MAPS).astype(int)
    nothing = 100 - percent.sum(axis=-1)
    assert nothing.min() == 0
    every = np.concatenate([nothing[..., None], percent], axis=-1)
    np.testing.assert_array_equal(voxels_of(LABELS), every.argmax(axis=-1))
    lens = voxels_of(TEMPLATE / "lens_prob.nii.gz")
    np.testing.assert_allclose(lens, percent[..., 0] / 100, atol=1e-7)
    with pytest.raises(ld.InputError, match="is a map of labels"):
        ld.scans.mask_image(TEMPLATE / "template.nii.gz", LABELS)


def test_the_pickle_holds_what_plain_pickle_would_give_and_every_numpy_reads(scan):
    content = PICKLE.read_bytes()
    plain, stored = pickle.loads(content), ld.scans.read_array(PICKLE)  # our own file
    np.testing.assert_array_equal(stored.array, plain["array"])
    np.testing.assert_array_equal(stored.affine, plain["affine"])
    assert (stored.array.dtype, stored.array.shape) == (np.uint8, (108, 76, 72))
    assert scan.grid.orientation == "LPS"
    assert scan.grid.matches(ld.read_map(SECOND).grid)
    assert content[:2] == b"\x80\x03"
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in content
    assert b"numpy._core" not in content


def test_the_text_is_the_transform_that_masks_can_go_back_by(scripts, scan, known):
    np.testing.assert_array_equal(known, scripts["template"].known_transform())
    sizes = scripts["template"].SCAN_SIZES
    assert np.linalg.det(known) == pytest.approx(np.prod(sizes), rel=1e-5)
    transform = ld.scans.read_transform(TEMPLATE / "known_transform.txt")
    np.testing.assert_allclose(transform.matrix, known, atol=1e-9)
    globe = ld.scans.mask_image(TEMPLATE / "template.nii.gz", MAPS, "globe", 0.95).mask
    native = ld.scans.warp_mask(globe, transform.inverse(), scan.grid)
    assert native.volume_mm3 == pytest.approx(globe.volume_mm3 / np.linalg.det(known), rel=0.02)
    quality = ld.scans.measure_signal(scan, native, air=AIR, resamples=100)
    assert quality.value("snr_air") == pytest.approx(12, rel=0.04)


def test_the_scan_is_off_by_its_header_and_far_off_by_its_centre(scripts, scan, known):
    """What makes the set a test: the head is larger than the template, with a second eye."""
    image = nib.load(LABELS)
    labelled = nib.affines.apply_affine(image.affine, np.argwhere(voxels_of(LABELS)))
    true = nib.affines.apply_affine(np.linalg.inv(known), labelled)
    assert 7 < np.linalg.norm(labelled - true, axis=1).mean() < 10
    assert np.all(true > scan.grid.corners().min(axis=0))
    assert np.all(true < scan.grid.corners().max(axis=0))
    centres = [
        item.grid.to_mm(np.argwhere(item.array >= 0)).T @ item.array.ravel() / item.array.sum()
        for item in (ld.read_map(TEMPLATE / "template.nii.gz"), scan)
    ]
    moved = labelled - centres[0] + centres[1]
    assert np.linalg.norm(moved - true, axis=1).mean() > 30
    # The heads of the atlas are on average the one that was scanned.
    matrices, shifts = zip(*scripts["template"].draw_subjects(), strict=True)
    np.testing.assert_allclose(np.mean(matrices, axis=0), np.eye(3), atol=2e-3)
    np.testing.assert_allclose(np.mean(shifts, axis=0), 0, atol=1e-12)


def test_the_air_holds_noise_alone_and_of_the_known_size(scripts, scan):
    air, second, sd = ld.read_mask(AIR), ld.read_map(SECOND), scripts["template"].NOISE
    clean = scripts["template"].scan_without_noise()
    assert clean[air.array].max() == 0
    for image in (scan, second):
        noise = image.array[air.array].astype(float)
        assert np.sqrt((noise**2).mean() / 2) == pytest.approx(sd, rel=0.02)
    bright = (scan.array > 60) & (clean > 60)
    difference = (scan.array.astype(float) - second.array)[bright]
    assert difference.std() / np.sqrt(2) == pytest.approx(sd, rel=0.02)


def test_signal_and_contrast_are_the_known_ones(scan, known):
    """Lens 120, vitreous 48, noise 4: 30, 12 and 18; Rician noise and borders add a little."""
    lens, globe = (region_in_the_scan(known, label, 95) for label in (1, 2))
    quality = ld.scans.measure_signal(scan, lens, globe, second=SECOND, air=AIR, resamples=200)
    assert quality.value("snr_air") == pytest.approx(30, rel=0.03)
    assert quality.value("cnr_air") == pytest.approx(18, rel=0.04)
    rows = {row.measure: row for row in quality.measures}
    for name, truth in (("snr_difference", 30), ("cnr_difference", 18)):
        assert rows[name].low < truth < rows[name].high
    # A generous mask takes its border for noise.
    generous = ld.scans.measure_signal(
        scan, region_in_the_scan(known, 1, 50), air=AIR, resamples=100
    )
    assert generous.value("snr_within") < 0.5 * quality.value("snr_within")
    assert generous.value("snr_air") < quality.value("snr_air")
