"""What the page Compare shows of two cohorts is what the library gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lesion_dash import cli
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.conditions import parse_conditions
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.comparison_service import MAPS, ComparisonService, PairRequest
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.map_slices import MapLayer
from lesion_dash.dashboard.session import Session
from lesion_dash.regions.differences import region_differences
from lesion_dash.stats.differences import FILE_NAMES, cohort_differences
from lesion_dash.stats.topography import volume_stats

A, B, K = "cohort_a", "cohort_b", 3


@pytest.fixture(scope="module")
def comparing(sample_data: Path) -> ComparisonService:
    return ComparisonService(Session(DataRoot(sample_data)))


def spread(layer: MapLayer) -> np.ndarray:
    """The values of a layer at all voxels, NaN where nothing is drawn."""
    flat = np.full(layer.grid.size, np.nan)
    flat[layer.indices] = layer.values
    return flat.reshape(layer.grid.shape, order="F")


def test_frequencies_and_their_difference(comparing: ComparisonService, sample_data: Path) -> None:
    pair = comparing.pair(PairRequest(A, B, K, "frequency"))
    cohorts = [load_cohort(sample_data / name) for name in (A, B)]
    for layer, cohort in zip((pair.a, pair.b), cohorts, strict=True):
        shares = 100 * cohort.counts / cohort.n_patients
        np.testing.assert_allclose(np.nan_to_num(spread(layer)), shares)
        assert layer.indices.size == np.count_nonzero(cohort.counts)
    expected = cohort_differences(*cohorts, K).frequency.array
    np.testing.assert_allclose(np.nan_to_num(spread(pair.difference)), expected, atol=1e-12)


@pytest.mark.parametrize("key", ["mean", "std"])
def test_volumes_are_those_of_the_topography(
    comparing: ComparisonService, sample_data: Path, key: str
) -> None:
    pair = comparing.pair(PairRequest(A, B, K, key))
    cohorts = [load_cohort(sample_data / name) for name in (A, B)]
    for layer, cohort in zip((pair.a, pair.b), cohorts, strict=True):
        stats = volume_stats(cohort, K)
        np.testing.assert_array_equal(layer.indices, stats.indices)
        np.testing.assert_allclose(1000 * layer.values, stats.values[key])
    expected = getattr(cohort_differences(*cohorts, K), key).array
    np.testing.assert_allclose(1000 * spread(pair.difference), expected)
    both = spread(pair.a) - spread(pair.b)  # NaN where A or B has too few
    np.testing.assert_allclose(spread(pair.difference), both, atol=1e-9)


def test_colours_are_the_same_for_both_and_do_not_move_with_k(comparing: ComparisonService) -> None:
    for key in MAPS:
        pairs = [comparing.pair(PairRequest(A, B, k, key)) for k in (1, 3, 7)]
        assert len({pair.a.shade.maximum for pair in pairs}) == 1
        assert len({pair.difference.shade.maximum for pair in pairs}) == 1
        assert all(pair.a.shade is pair.b.shade for pair in pairs)
        for pair in pairs:
            beyond = np.abs(pair.difference.values).max() > pair.difference.shade.maximum
            assert pair.difference.shade.exceeded == beyond


def test_exchanging_a_and_b_turns_the_difference(comparing: ComparisonService) -> None:
    for key in MAPS:
        there = comparing.pair(PairRequest(A, B, K, key)).difference
        back = comparing.pair(PairRequest(B, A, K, key)).difference
        np.testing.assert_array_equal(there.indices, back.indices)
        np.testing.assert_allclose(there.values, -back.values, atol=1e-12)
        levels = there.levels.astype(int) + back.levels
        assert set(np.unique(levels)) <= {0, 256}


def test_everywhere_the_crosshair_tells_what_the_masks_hold(
    comparing: ComparisonService, sample_data: Path
) -> None:
    cohorts = [load_cohort(sample_data / name) for name in (A, B)]
    generator = np.random.default_rng(5)
    lesioned = np.flatnonzero(np.ravel(cohorts[0].counts + cohorts[1].counts, order="F"))
    places = [*generator.choice(lesioned, 15), *generator.choice(cohorts[0].grid.size, 5)]
    for index in places:
        mm = tuple(cohorts[0].grid.mm_of_index([index])[0].tolist())
        found = comparing.place(PairRequest(A, B, K), mm)
        volumes = []
        for side, cohort in zip((found.a, found.b), cohorts, strict=True):
            masks = [mask for mask in map(cohort.mask, range(40)) if index in mask.indices]
            volumes.append([mask.volume_mm3 / 1000 for mask in masks])
            assert (side.n, side.of) == (len(masks), 40)
            assert side.percent == pytest.approx(2.5 * len(masks))
            mean = np.mean(volumes[-1]) if masks else np.nan
            assert side.mean_ml == pytest.approx(mean, nan_ok=True)
            std = np.std(volumes[-1]) if masks else np.nan
            assert side.std_ml == pytest.approx(std, nan_ok=True)
        points = found.difference("frequency")
        assert points == pytest.approx(found.a.percent - found.b.percent)
        assert found.is_compared == (min(map(len, volumes)) >= K)
        for key, of in (("mean", np.mean), ("std", np.std)):
            expected = np.subtract(*map(of, volumes)) if found.is_compared else np.nan
            assert found.difference(key) == pytest.approx(expected, nan_ok=True)


def test_outside_the_image_there_is_nobody(comparing: ComparisonService) -> None:
    found = comparing.place(PairRequest(A, B, K), (500.0, 0.0, 0.0))
    assert (found.a.n, found.b.n, found.is_compared) == (0, 0, False)
    assert found.difference("frequency") == 0
    assert np.isnan(found.difference("std"))


def test_a_region_is_named(comparing: ComparisonService) -> None:
    atlas = "atlas/synthetic_atlas.nii.gz"
    names = [name for name in DataRoot(Path("sample_data")).atlases if "synthetic" in name]
    found = comparing.place(PairRequest(A, B, K), (-26.0, 0.0, 8.0), names[0] if names else atlas)
    assert found.region == "Synthetic putamen L"


def test_regions_are_the_library_s_and_kept_for_every_k(
    comparing: ComparisonService, sample_data: Path
) -> None:
    name = next(name for name in DataRoot(sample_data).atlases if "synthetic" in name)
    atlas = load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz")
    cohorts = [load_cohort(sample_data / one) for one in (A, B)]
    for least in (1, 6):
        found = comparing.regions(PairRequest(A, B, least), name)
        assert found is not None
        expected = region_differences(*cohorts, atlas, least)
        assert found.table.equals(expected.table)
    assert comparing.regions(PairRequest(A, B, 1), "") is None


def test_b_in_another_order_of_voxels_is_the_same(sample_data: Path, tmp_path: Path) -> None:
    """B saved with its first axis turned round shows the same maps on the grid of A."""
    for name in (A, B, "turned"):
        (tmp_path / name).mkdir()
        for file in sorted((sample_data / name.replace("turned", B)).glob("*.nii.gz"))[:8]:
            image = nib.load(file)
            if name == "turned":
                affine = image.affine @ np.diag([-1, 1, 1, 1])
                affine[:3, 3] += (image.shape[0] - 1) * image.affine[:3, 0]
                image = nib.Nifti1Image(np.asarray(image.dataobj)[::-1], affine)
            nib.save(image, tmp_path / name / file.name)
    comparing = ComparisonService(Session(DataRoot(tmp_path)))
    for key in MAPS:
        plain, other = (comparing.pair(PairRequest(A, b, 2, key)) for b in (B, "turned"))
        np.testing.assert_array_equal(plain.b.indices, other.b.indices)
        np.testing.assert_allclose(plain.b.values, other.b.values)
        np.testing.assert_array_equal(plain.difference.levels, other.difference.levels)


@pytest.fixture
def split(sample_data: Path) -> Iterator[AppContext]:
    """The women and the men of one folder as A and B."""
    context = AppContext(Session(DataRoot(sample_data)))
    context.choices.where_a, context.choices.where_b = ("sex=F",), ("sex=M",)
    context.choices.folder_a = context.choices.folder_b = A
    context.wait()
    yield context
    context.wait()


def test_downloads_are_what_the_command_line_writes(
    split: AppContext, sample_data: Path, tmp_path: Path
) -> None:
    choices = split.choices
    request = PairRequest(choices.cohort_a, choices.cohort_b, 2, "mean")
    sides = ["--where-a", "sex=F", "--where-b", "sex=M"]
    folder, out = str(sample_data / A), tmp_path / "out"
    assert cli.main(["compare", folder, folder, *sides, "-o", str(out), "-k", "2"]) == 0
    for name in FILE_NAMES.values():
        assert (
            ComparisonService(split.session).file_bytes(request, name) == (out / name).read_bytes()
        )


def test_parts_of_one_folder_are_compared(split: AppContext, sample_data: Path) -> None:
    request = PairRequest(split.choices.cohort_a, split.choices.cohort_b, 2, "mean")
    found = ComparisonService(split.session).pair(request)
    parts = [
        load_cohort(sample_data / A, where=parse_conditions([f"sex={sex}"])) for sex in ("F", "M")
    ]
    expected = cohort_differences(*parts, 2)
    assert found.differences.sizes == expected.sizes
    np.testing.assert_array_equal(found.differences.mean.array, expected.mean.array)
