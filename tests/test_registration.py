"""Registration: a known pose is found, a lesion comes along, and what is wrong is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import nibabel as nib
import numpy as np
import pytest
from heads import apply, brain_points, make_grid, make_head, make_pose
from scipy import ndimage

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map
from lesion_dash.images.masks import Mask
from lesion_dash.images.template import load_template, template_on
from lesion_dash.scans.registration.levels import mean_similarity, sample, squared_correlation
from lesion_dash.scans.registration.quality import SimpleITKEngine, doubts, find_transform
from lesion_dash.scans.registration.register import read_inputs, register_image
from lesion_dash.scans.registration.task import NotCredible, Task, Volume
from lesion_dash.transforms.transform import Transform

HEAD_GRID = make_grid((172, 212, 236), 4, (0, -10, 0))
EYE_GRID = make_grid(60, 1.5, (32, 60, -35))
MNI_GRID = Grid((98, 116, 94), [[2, 0, 0, -98], [0, 2, 0, -134], [0, 0, 2, -72], [0, 0, 0, 1]])
QUIET = lambda share, words: None  # noqa: E731


@cache
def head() -> Map:
    return Map("head", make_head(HEAD_GRID), HEAD_GRID, "", "")


def scan(pose, voxel_mm=4.0, noise=3.0, **more) -> Map:
    """The head in another pose, whole."""
    middle = apply(np.linalg.inv(pose), (0, -10, 0))
    grid = make_grid(244, voxel_mm, middle)
    return Map("scan", make_head(grid, pose, noise, **more), grid, "", "")


def task_of(moving: Map, template: Map, kind="affine", lesion=None) -> Task:
    volumes = (Volume(one.array.astype(np.float32), one.grid) for one in (moving, template))
    return Task(*volumes, kind, Transform(), lesion)


def errors(found: Transform, pose, points) -> np.ndarray:
    """How far (mm, in the moving image) points of the template are from where they belong."""
    expected = Transform(pose).moving_points(points)
    return np.linalg.norm(found.moving_points(points) - expected, axis=1)


# --- How well known poses are found -----------------------------------------------------------


def test_an_affine_is_found_to_a_tenth_of_a_millimetre_on_the_mni152_template():
    array = np.asarray(template_on(MNI_GRID).dataobj, np.float32)
    template = Map("mni152", array, MNI_GRID, "", "")
    pose = np.linalg.inv(make_pose((4.6, 4.6, 4.6), (6, -4, 5), 1.05, (0, -18, 10)))
    moving = placed_mni(pose)
    found = find_transform(task_of(moving, template), SimpleITKEngine(), QUIET)
    points = MNI_GRID.to_mm(np.argwhere(array > 30)[::5])
    assert errors(Transform(), pose, points).mean() > 8
    assert errors(found.transform, pose, points).mean() < 0.1
    assert errors(found.transform, pose, points).max() < 0.3
    assert found.after > 0.85 > 0.3 > found.before


def placed_mni(pose) -> Map:
    """The template of 1 mm, averaged to 2 mm in another pose, with noise and a bias field."""
    image = load_template()
    fine = ndimage.gaussian_filter(np.asarray(image.dataobj, np.float32), 0.85)
    points = MNI_GRID.to_mm(np.stack(np.indices(MNI_GRID.shape), axis=-1))
    voxels = Grid(fine.shape, image.affine).to_voxel(apply(pose, points))
    array = ndimage.map_coordinates(fine, np.moveaxis(voxels, -1, 0), order=3)
    array = np.clip(array, 0, None) * (1 + 0.25 * np.sin((points @ [0.6, 0.64, 0.48] + 20) / 45))
    parts = 6 * np.random.default_rng(0).normal(size=(2, *array.shape))
    return Map("scan", np.hypot(array + parts[0], parts[1]).astype(np.float32), MNI_GRID, "", "")


@pytest.fixture(scope="module")
def with_lesion():
    """A rigid registration of a head with a lesion of 80 mL, which looks like nothing known."""
    pose = make_pose((7, -5, 9), (14, -9, 6))
    image = scan(pose)
    centre = apply(np.linalg.inv(pose), (-32, -10, 28))
    points = image.grid.to_mm(np.stack(np.indices(image.grid.shape), axis=-1))
    hurt = np.linalg.norm((points - centre) / [20, 34, 28], axis=-1) < 1
    array = np.where(hurt, 8 + 4 * np.random.default_rng(0).random(hurt.shape), image.array)
    image = replace(image, array=array.astype(np.float32))
    mask = Mask.from_array(hurt, image.grid, "lesion")
    kinds = np.where(hurt, 7, (image.array > 60) * 3).astype(np.uint8)
    labels = Map("labels", kinds, image.grid, "", "")
    heard = []
    found = register_image(
        image,
        head(),
        "rigid",
        lesion=mask,
        others=[labels, replace(image, name="again")],
        report=lambda share, words: heard.append((share, words)),
    )
    return found, pose, mask, heard


def test_a_lesion_comes_along_to_its_place(with_lesion):
    found, pose, mask, _ = with_lesion
    inside = Transform(pose).template_points(mask.grid.mm_of_index(mask.indices))
    assert errors(found.transform, pose, inside).max() < 2
    assert errors(found.transform, pose, brain_points()).mean() < 0.5
    assert 60e3 < mask.volume_mm3 < 100e3
    assert found.native_lesion is mask


def test_a_lesion_keeps_its_volume_but_for_the_determinant(with_lesion):
    found, _, mask, _ = with_lesion
    volume = found.lesion.volume_mm3 / found.quality.determinant
    assert volume == pytest.approx(mask.volume_mm3, rel=0.03)
    assert found.lesion.grid == HEAD_GRID


def test_a_rigid_transform_is_rigid(with_lesion):
    linear = with_lesion[0].transform.matrix[:3, :3]
    np.testing.assert_allclose(linear @ linear.T, np.eye(3), atol=1e-7)
    assert np.linalg.det(linear) == pytest.approx(1)


def test_what_is_brought_along_stays_what_it_is(with_lesion):
    found = with_lesion[0]
    labels, again = found.others
    assert set(np.unique(labels.array)) == {0, 3, 7}
    assert labels.array.dtype == np.uint8
    np.testing.assert_array_equal(again.array, found.image.array)


def test_the_image_is_what_the_transform_says(with_lesion):
    """Against SimpleITK's own resampler."""
    found = with_lesion[0]
    itk = pytest.importorskip("SimpleITK")
    moving, template = (_to_itk(itk, one) for one in (found.moving, found.template))
    inverse = np.linalg.inv(found.transform.matrix)
    affine = itk.AffineTransform(inverse[:3, :3].ravel().tolist(), inverse[:3, 3].tolist())
    expected = itk.GetArrayFromImage(itk.Resample(moving, template, affine)).T
    inside = ndimage.binary_erosion(expected > 0, iterations=2)
    np.testing.assert_allclose(found.image.array[inside], expected[inside], atol=0.05)


def _to_itk(itk, found: Map):
    image = itk.GetImageFromArray(np.ascontiguousarray(found.array.T))
    image.SetSpacing(found.grid.voxel_size.tolist())
    image.SetOrigin(found.grid.affine[:3, 3].tolist())
    return image


def test_quality_and_progress_are_told(with_lesion):
    found, _, _, heard = with_lesion
    quality = found.quality
    assert quality.similarity_after > 0.6 > quality.similarity_before
    assert quality.coverage > 0.97
    assert quality.determinant == quality.smallest_jacobian == quality.largest_jacobian
    assert 2 <= quality.agreeing_starts <= quality.starts
    assert found.engine.startswith("SimpleITK 2.")
    assert found.seconds > 0
    assert 50 < found.memory_mb < 3000
    assert any("left out" in note for note in found.notes)
    shares = [share for share, _ in heard]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1


def test_an_image_that_is_stored_otherwise_is_found_at_the_same_place():
    """Axes exchanged and turned round, as LPI or SAR instead of RAS: the points stay."""
    pose = make_pose((9, -7, 12), (11, -8, 9))
    image = scan(pose, 4)
    array = np.ascontiguousarray(np.transpose(image.array, (1, 2, 0))[::-1])
    last = image.grid.shape[1] - 1
    steps = np.array([[0, 0, 1, 0], [-1, 0, 0, last], [0, 1, 0, 0], [0, 0, 0, 1]], float)
    stored = replace(image, array=array, grid=Grid(array.shape, image.grid.affine @ steps))
    np.testing.assert_allclose(stored.grid.corners().min(axis=0), image.grid.corners().min(axis=0))
    start = Transform(make_pose((5, -4, 8), (14, -4, 6)))
    tasks = [replace(task_of(one, head(), "rigid"), start=start) for one in (image, stored)]
    first, second = (SimpleITKEngine().register(task, QUIET) for task in tasks)
    assert errors(first, pose, brain_points(12)).max() < 0.3
    assert errors(first, second.matrix, brain_points(12)).max() < 0.02


def test_a_whole_head_is_found_on_a_template_of_an_eye():
    pose = make_pose((-14, 9, 17), (-35, 20, 30))
    template = Map("eye", make_head(EYE_GRID), EYE_GRID, "", "")
    found = find_transform(task_of(scan(pose, 3), template, "rigid"), SimpleITKEngine(), QUIET)
    points = EYE_GRID.to_mm(np.argwhere(template.array > 10)[::20])
    assert errors(Transform(), pose, points).mean() > 30
    assert errors(found.transform, pose, points).max() < 1


def test_something_else_is_refused_and_can_be_looked_at():
    generator = np.random.default_rng(0)
    array = ndimage.gaussian_filter(generator.normal(size=(40, 40, 40)), 1.5).astype(np.float32)
    noise = Map("noise", array, make_grid(240, 6), "", "")
    with pytest.raises(NotCredible, match="noise: was not found on eye in a way to be") as caught:
        register_image(noise, Map("eye", make_head(EYE_GRID), EYE_GRID, "", ""), "rigid")
    assert caught.value.found.image.grid == EYE_GRID
    assert caught.value.details


def test_images_that_share_nothing_are_refused():
    grid = make_grid((172, 212, 236), 8, (0, -10, 0))
    empty = np.zeros(grid.shape, np.float32)
    empty[0, 0, 0] = 1
    task = task_of(Map("empty", empty, grid, "", ""), Map("", make_head(grid), grid, "", ""))
    assert doubts(find_transform(task, SimpleITKEngine(), QUIET).evidence)


# --- Local similarity -------------------------------------------------------------------------


def brute_force(first, second, window, voxel) -> float:
    """Correlation in one window by numpy, voxels that one image doesn't know left out."""
    box = tuple(
        slice(max(at - side // 2, 0), at + side // 2 + 1)
        for at, side in zip(voxel, window, strict=True)
    )
    one, two = first[box].ravel(), second[box].ravel()
    known = np.isfinite(one) & np.isfinite(two)
    if known.sum() < np.prod(window) / 2 or one[known].std() < 1e-3 * np.nanstd(first):
        return np.nan
    return np.corrcoef(one[known], two[known])[0, 1] ** 2


def test_local_correlation_is_what_numpy_says():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 9, 8, 7))
    second += first
    first[2:4, 3, 3] = np.nan
    second[:, :, 5:] = np.nan
    window = (5, 3, 3)
    found = squared_correlation(first, second, window)
    expected = [brute_force(first, second, window, voxel) for voxel in np.ndindex(first.shape)]
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-5)


@pytest.mark.parametrize(("scale", "offset"), [(3, 0), (-2, 100), (1e-3, 5)])
def test_local_correlation_knows_no_contrast(scale, offset):
    image = np.random.default_rng(0).random((8, 8, 8))
    found = squared_correlation(image, scale * image + offset, (3, 3, 3))
    np.testing.assert_allclose(found[1:-1, 1:-1, 1:-1], 1, atol=1e-6)


def test_flat_windows_of_the_template_say_nothing_and_those_of_the_image_are_unlike():
    image = np.random.default_rng(0).random((12, 8, 8))
    flat = image.copy()
    flat[:6] = 1
    of_template, of_image = (
        squared_correlation(*pair, (3, 3, 3)) for pair in ((flat, image), (image, flat))
    )
    assert np.isnan(of_template[1:5, 1:-1, 1:-1]).all()
    assert (of_image[1:5, 1:-1, 1:-1] == 0).all()
    assert mean_similarity(np.full((5, 5, 5), np.nan), np.ones((5, 5, 5)), (3, 3, 3)) == 0


def test_a_volume_is_sampled_where_the_matrix_says():
    """Against the formula of the head itself."""
    pose = make_pose((5, 3, -8), (6, -4, 5))
    image = scan(pose, 2.0, noise=0)
    found = sample(Volume(image.array, image.grid), pose, HEAD_GRID)
    assert np.isnan(found).mean() < 0.3
    assert np.nanmean(np.abs(found - head().array)) < 2.5


# --- What is refused --------------------------------------------------------------------------


def changed(array) -> Map:
    return replace(head(), name="scan", array=array)


def refused(match, moving=None, template=None, **more):
    given = {"lesion": None, "others": (), "kind": "affine"} | more
    with pytest.raises(InputError, match=match):
        read_inputs(moving or changed(head().array), template or head(), **given)


def mask_of(array, grid=HEAD_GRID) -> Mask:
    return Mask.from_array(array, grid, "lesion")


def test_images_without_structure_are_refused():
    refused("scan: constant: every voxel is 3", changed(np.full(HEAD_GRID.shape, 3)))
    refused("scan: holds no number but NaN", changed(np.full(HEAD_GRID.shape, np.nan)))
    flat = Grid((60, 60, 1), np.eye(4))
    refused("60 x 60 x 1 voxels: a slice", Map("slice", np.ones(flat.shape), flat, "", ""))


@pytest.mark.parametrize(
    ("shape", "dtype", "match"),
    [
        ((9, 9, 9, 5), np.float32, "several volumes: 5"),
        ((9, 9, 9), [("R", "u1"), ("G", "u1"), ("B", "u1")], "(?i)rgb|type|colour|numbers"),
    ],
)
def test_series_and_pictures_are_refused(tmp_path, shape, dtype, match):
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros(shape, dtype), np.eye(4)), path)
    with pytest.raises(InputError, match=match):
        read_inputs(path, head(), None, (), "affine")


def test_lesion_masks_that_cannot_be_right_are_refused():
    none = np.zeros(HEAD_GRID.shape, bool)
    one = none.copy()
    one[20, 20, 20] = True
    refused("lesion: the lesion mask is empty", lesion=mask_of(none))
    refused("covers 100% of what scan shows: inverted", lesion=mask_of(~none))
    other = Grid(HEAD_GRID.shape, HEAD_GRID.affine + 3 * np.eye(4, k=3))
    refused("lesion: is not on the grid.*give the mask on the grid of", lesion=mask_of(one, other))


def test_what_cannot_be_brought_along_is_refused():
    far = Grid((9, 9, 9), make_pose(shift=(900, 0, 0)))
    image = Map("flair", np.random.default_rng(0).random(far.shape), far, "", "")
    refused("flair: lies nowhere near scan", others=[image])
    refused("head: two images that are brought along", others=[head(), head()])


def test_images_too_large_for_the_memory_are_refused(monkeypatch):
    class Memory:
        available = 1e6

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    refused("takes about .* GB of memory, and 0.0 GB are free")


def test_images_too_large_for_the_container_are_refused(monkeypatch, tmp_path):
    """On a machine with memory enough."""
    monkeypatch.setattr("lesion_dash.core.memory._OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr("lesion_dash.core.memory._ALL_GROUPS", tmp_path)
    (tmp_path / "own").write_text("0::/\n")
    (tmp_path / "memory.max").write_text("60000000")
    (tmp_path / "memory.current").write_text("50000000")
    refused("takes about .* GB of memory, and 0.0 GB are free")


def test_nan_is_background_and_files_are_named_with_their_sums(tmp_path):
    array = head().array.copy()
    array[:3] = np.nan
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(array, HEAD_GRID.affine), path)
    inputs = read_inputs(path, head(), None, (), "affine")
    assert np.isfinite(inputs.task("affine").moving.array).all()
    assert any("NaN" in note for note in inputs.notes)
    assert list(inputs.sources) == [str(path)]
    assert len(inputs.sources[str(path)]) == 64


def test_kinds_and_engines_that_are_not_there_are_refused():
    with pytest.raises(InputError, match="kind: 'elastic' is none of rigid, affine, deformable"):
        register_image(head(), head(), "elastic")
    with pytest.raises(InputError, match="engine: 'fnirt' is none of auto, simpleitk"):
        register_image(head(), head(), engine="fnirt")
    with pytest.raises(InputError, match="simpleitk does no deformable registration"):
        register_image(head(), head(), "deformable", engine="simpleitk")
