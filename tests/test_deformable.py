"""Deformable registration: a known warp comes back, and a lesion stays as large as it is."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
from dipy.align.imwarp import DiffeomorphicMap
from dipy.align.metrics import CCMetric
from heads import apply, brain_points, head_at, make_grid, make_head, make_pose
from scipy import ndimage

from lesion_dash.core.errors import Cancelled, SetupError
from lesion_dash.core.grid import Grid
from lesion_dash.scans.registration import deformable as dipy_engine
from lesion_dash.scans.registration.deformable import (
    BORDER,
    DipyEngine,
    bring_together,
    join,
    working_grid,
)
from lesion_dash.scans.registration.masked_metric import RADIUS, MaskedCC, masked_factors
from lesion_dash.scans.registration.task import Task, Volume
from lesion_dash.transforms.transform import Field, Transform

VOXEL_MM = 4.5
GRID = make_grid((144, 180, 162), VOXEL_MM, (0, -15, 16))
POSE = make_pose((5, -4, 6), (6, -4, 5), 1 / 1.05)
CENTRE, REACH = np.array([25.0, -20, 30]), 27.0


def quiet(share, words):
    assert 0 <= share <= 1
    assert words


def bend(points):
    """A smooth displacement within the template's space, 2.5 mm in the mean."""
    x, y, z = np.moveaxis(points, -1, 0)
    waves = [np.sin(y / 26 + 1) + np.cos(z / 31), np.cos(x / 29) - np.sin(z / 24), np.sin(x / 27)]
    return 1.7 * np.stack(waves, axis=-1)


def to_template(points):
    """Where a point of the moving image truly lies."""
    placed = apply(POSE, points)
    return placed + bend(placed)


def to_moving(points):
    placed = points.copy()
    for _ in range(30):
        placed = points - bend(placed)
    return apply(np.linalg.inv(POSE), placed)


def all_points(grid):
    return grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))


def is_lesion(points):
    """Of points of the template, so that its true volume there is known."""
    return np.linalg.norm((points - CENTRE) / [1, 1.2, 0.9], axis=-1) < REACH


def noisy(values, seed):
    parts = 2 * np.random.default_rng(seed).normal(size=(2, *values.shape))
    return np.hypot(values + parts[0], parts[1]).astype(np.float32)


def make_task(lesion=False, grid=GRID):
    places = to_template(all_points(grid))
    values = head_at(places)
    mask = is_lesion(places) if lesion else None
    if mask is not None:
        values = np.where(mask, 20.0, values)
    template = Volume(make_head(GRID, noise=2, seed=1), GRID)
    return Task(Volume(noisy(values, 2), grid), template, "deformable", Transform(POSE), mask)


def lesion_in_template(task, transform):
    """Share of the lesion's true volume in the template, and the mean error inside it in mm."""
    inside = task.moving.grid.to_mm(np.argwhere(task.lesion))
    error = np.linalg.norm(transform.template_points(inside) - to_template(inside), axis=1).mean()
    voxels = task.moving.grid.to_voxel(transform.moving_points(all_points(GRID)))
    share = task.lesion.astype(np.float32)
    found = ndimage.map_coordinates(share, np.moveaxis(voxels, -1, 0), order=1) >= 0.5
    return found.sum() / is_lesion(all_points(GRID)).sum(), error


@pytest.fixture(autouse=True, scope="module")
def few_iterations():
    """A quarter of them: the tests ask for less than a voxel of 4.5 mm."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dipy_engine, "DIPY_ITERATIONS", (40, 40, 12))
        yield


@pytest.fixture(scope="module")
def plain():
    task = make_task()
    told = []
    found = DipyEngine().register(task, lambda share, words: told.append((share, words)))
    return task, found, told


@pytest.fixture(scope="module")
def masked():
    task = make_task(lesion=True)
    return task, DipyEngine().register(task, quiet)


def test_a_known_warp_is_found_to_a_fraction_of_a_voxel(plain):
    _, found, _ = plain
    brain = to_moving(brain_points())
    error = np.linalg.norm(found.template_points(brain) - to_template(brain), axis=1)
    affine = np.linalg.norm(apply(POSE, brain) - to_template(brain), axis=1)
    assert affine.mean() > 2
    assert error.mean() < 0.25 * VOXEL_MM


def test_both_ways_are_each_others_inverse(plain):
    _, found, _ = plain
    template = brain_points()
    there = found.moving_points(template)
    assert np.linalg.norm(found.template_points(there) - template, axis=1).mean() < 0.1
    moving = to_moving(template)
    back = found.moving_points(found.template_points(moving))
    assert np.linalg.norm(back - moving, axis=1).mean() < 0.1


def test_fields_are_finite_and_space_is_not_folded(plain):
    task, found, _ = plain
    assert found.to_moving.grid == task.template.grid
    assert found.to_template.grid == task.moving.grid
    assert found.to_moving.mm.dtype == found.to_template.mm.dtype == np.float32
    np.testing.assert_array_equal(found.matrix, task.start.matrix)
    where = found.moving_points(all_points(GRID))
    slopes = [np.gradient(where[..., axis], VOXEL_MM) for axis in range(3)]
    assert np.linalg.det(np.moveaxis(np.array(slopes), (0, 1), (-2, -1))).min() > 0.1


def test_progress_grows_and_names_the_resolution(plain):
    _, _, told = plain
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] > 0.9
    assert any(words.startswith("SyN at 9 mm, iteration 1 of ") for _, words in told)
    assert any(words.startswith("SyN at 4.5 mm") for _, words in told)


def test_the_same_task_gives_the_same_transform(monkeypatch):
    monkeypatch.setattr(dipy_engine, "DIPY_ITERATIONS", (5, 3, 2))
    task = make_task(lesion=True)
    once, again = (DipyEngine().register(task, quiet) for _ in range(2))
    np.testing.assert_array_equal(once.to_moving.mm, again.to_moving.mm)
    np.testing.assert_array_equal(once.to_template.mm, again.to_template.mm)


def test_a_masked_lesion_keeps_its_volume(masked):
    share, error = lesion_in_template(*masked)
    assert share == pytest.approx(1, abs=0.05)
    assert error < 2


def test_a_lesion_that_is_ignored_does_not(masked):
    task = masked[0]
    found = DipyEngine().register(replace(task, lesion=None), quiet)
    share, error = lesion_in_template(task, found)
    assert share < 0.8
    assert error > 3


def test_what_lies_under_the_mask_does_not_matter(monkeypatch):
    monkeypatch.setattr(dipy_engine, "DIPY_ITERATIONS", (8,))
    task = make_task(lesion=True)
    array = task.moving.array.copy()
    deep = ndimage.binary_erosion(task.lesion)  # its rim is mixed with what is around it
    array[deep] = 60 + 30 * np.random.default_rng(3).random(int(deep.sum()))
    other = replace(task, moving=Volume(array, GRID))
    once, again = (DipyEngine().register(each, quiet) for each in (task, other))
    np.testing.assert_allclose(once.to_moving.mm, again.to_moving.mm, atol=1e-3)


def test_the_engine_stops_when_it_is_told_to():
    def stop(share, words):
        if words.startswith("SyN") and "iteration 2" in words:
            raise Cancelled

    with pytest.raises(Cancelled, match="stopped by the user"):
        DipyEngine().register(make_task(), stop)


def test_a_template_of_few_voxels_is_worked_on_at_fewer_levels():
    grid = make_grid((40, 64, 60), 4.0)
    array = ndimage.gaussian_filter(np.random.default_rng(0).random(grid.shape), 1)
    tiny = Volume(array.astype(np.float32), grid)
    told = []
    task = Task(tiny, tiny, "deformable", Transform())
    found = DipyEngine().register(task, lambda share, words: told.append(words))
    assert not any("SyN at 8 mm" in words for words in told)
    points = grid.to_mm([[4, 7, 6], [5, 9, 8]])
    np.testing.assert_allclose(found.template_points(points), points, atol=0.1)


def test_it_says_how_to_install_it(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    assert DipyEngine().version().startswith("dipy 1.")
    monkeypatch.setattr(dipy_engine, "version", missing)
    with pytest.raises(SetupError, match=r"pip install .lesion-dash\[deformable\]"):
        DipyEngine().version()


def step_of(metric, static, moving):
    """One step each way, as the optimiser asks for them."""
    shape, grid2world = static.shape, np.eye(4)
    still = DiffeomorphicMap(
        3, shape, disp_grid2world=grid2world, domain_shape=shape, domain_grid2world=grid2world,
        codomain_shape=shape, codomain_grid2world=grid2world,
    )  # fmt: skip
    still.allocate()
    metric.set_static_image(static, grid2world, np.ones(3), grid2world)
    metric.use_static_image_dynamics(static, still)
    metric.set_moving_image(moving, grid2world, np.ones(3), grid2world)
    metric.initialize_iteration()
    return metric.compute_forward(), metric.compute_backward(), metric.get_energy()


@pytest.fixture
def textures():
    generator = np.random.default_rng(5)
    made = [ndimage.gaussian_filter(generator.random((24, 22, 26)), 1.5) for _ in range(2)]
    return [(array / array.max()).astype(np.float32) for array in made]


@pytest.mark.parametrize("unknown", [None, np.zeros((24, 22, 26), bool)], ids=["none", "empty"])
def test_without_a_mask_the_metric_is_the_plain_one_bit_by_bit(textures, unknown):
    plain = step_of(CCMetric(3, sigma_diff=2.0, radius=4), *textures)
    masked = step_of(MaskedCC(unknown), *textures)
    for one, other in zip(plain, masked, strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_value_under_the_mask_has_any_effect(textures):
    static, moving = textures
    unknown = np.zeros(static.shape, bool)
    unknown[9:14, 8:13, 10:17] = True
    changed, changed_too = static.copy(), moving.copy()
    changed[unknown] = 0.5 * np.random.default_rng(6).random(int(unknown.sum()))
    changed_too[unknown] = 0
    once = step_of(MaskedCC(unknown), static, moving)
    for other in (step_of(MaskedCC(unknown), changed, moving),
                  step_of(MaskedCC(unknown), static, changed_too)):  # fmt: skip
        np.testing.assert_allclose(once[0], other[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(once[1], other[1], rtol=1e-4, atol=1e-6)
    seen = step_of(MaskedCC(), static, moving)[0]
    assert np.abs(seen - once[0]).max() > 0.05 * np.abs(once[0]).max()


def test_a_step_is_carried_into_the_mask(textures):
    unknown = np.zeros(textures[0].shape, bool)
    unknown[9:14, 8:13, 10:17] = True
    forward, backward, _ = step_of(MaskedCC(unknown), *textures)
    for step in (forward, backward):
        lengths = np.linalg.norm(step, axis=-1)
        assert lengths[unknown].min() > 0
        assert lengths[unknown].mean() < lengths[4:-4, 4:-4, 4:-4].max()


def test_factors_are_those_of_the_known_neighbours(textures):
    static, moving = textures
    known = np.random.default_rng(7).random(static.shape) > 0.3
    factors = masked_factors(static, moving, known, RADIUS)
    for voxel in ([12, 11, 13], [1, 2, 25], [23, 20, 0]):
        window = tuple(slice(max(at - RADIUS, 0), at + RADIUS + 1) for at in voxel)
        known[tuple(voxel)] = True
        factors = masked_factors(static, moving, known, RADIUS)
        one, two = (array[window][known[window]].astype(float) for array in textures)
        one_off, two_off = one - one.mean(), two - two.mean()
        expected = [
            static[tuple(voxel)] - one.mean(),
            moving[tuple(voxel)] - two.mean(),
            (one_off * two_off).sum(),
            (one_off**2).sum(),
            (two_off**2).sum(),
        ]
        np.testing.assert_allclose(factors[tuple(voxel)], expected, rtol=1e-4, atol=1e-6)
    assert not factors[~known].any()


def test_both_images_are_brought_to_one_place():
    """Whatever the axes of the moving image: a marked point ends where the affine says."""
    turn = np.array([[0, -3.0, 0, 60], [0, 0, 2.5, -70], [3.0, 0, 0, -80], [0, 0, 0, 1]])
    grid = Grid((60, 50, 64), turn)
    mark = np.array([20.0, -8, 12])
    points = all_points(grid)
    values = np.exp(-(np.linalg.norm(points - mark, axis=-1) ** 2) / 100).astype(np.float32)
    template = Volume(np.ones(GRID.shape, np.float32), GRID)
    lesion = np.linalg.norm(points - mark, axis=-1) < 15
    task = Task(Volume(values, grid), template, "deformable", Transform(POSE), lesion)
    pair = bring_together(task)
    found = ndimage.center_of_mass(pair.subject)
    np.testing.assert_allclose(pair.grid.to_mm(found), apply(POSE, mark), atol=0.2)
    inside = np.linalg.norm(all_points(pair.grid) - apply(POSE, mark), axis=-1) < 13
    assert pair.unknown[inside].all()


def test_tissue_that_the_moving_image_does_not_cover_is_left_out():
    task = make_task()
    half = Grid((*GRID.shape[:2], 20), GRID.affine)
    cut = Volume(task.moving.array[..., :20], half)
    pair = bring_together(replace(task, moving=cut))
    above = task.start.moving_points(all_points(pair.grid))[..., 2] - half.corners()[:, 2].max()
    assert pair.unknown[above > 0.1 * VOXEL_MM].all()
    brain = brain_points()
    below = task.start.moving_points(brain)[:, 2] < half.corners()[:, 2].max() - VOXEL_MM
    seen = pair.grid.to_voxel(brain[below]).round().astype(int)
    assert len(seen) > 100
    assert pair.unknown[tuple(seen.T)].mean() < 0.05


@pytest.mark.parametrize("turn", [(1, 1, 1), (-1, 1, 1), (-1, -1, 1)])
def test_a_warp_and_an_affine_become_one_transform(turn):
    """Against the two applied one after the other to points."""
    affine = GRID.affine @ np.diag([*turn, 1.0])
    far = GRID.to_mm([0 if t > 0 else n - 1 for t, n in zip(turn, GRID.shape, strict=True)])
    affine[:3, 3] = far
    template = Volume(np.zeros(GRID.shape, np.float32), Grid(GRID.shape, affine))
    task = Task(template, template, "deformable", Transform(POSE))
    grid = working_grid(template.grid)
    np.testing.assert_allclose(grid.to_mm([BORDER] * 3), GRID.to_mm([0, 0, 0]))
    assert grid.shape == tuple(n + 2 * BORDER for n in GRID.shape)
    fields = [Field(grid, (way * bend(all_points(grid))).astype(np.float32)) for way in (1, -1)]
    found = join(task, *fields)
    points = brain_points(20)
    placed = apply(POSE, points)
    expected = placed + bend(placed)
    np.testing.assert_allclose(found.template_points(points), expected, atol=0.15)
    expected = apply(np.linalg.inv(POSE), points - bend(points))
    np.testing.assert_allclose(found.moving_points(points), expected, atol=0.15)


def test_the_grid_is_no_finer_than_can_be_worked_on():
    fine = Grid((197, 233, 189), np.diag([-1.0, 1, 1, 1]))
    grid = working_grid(fine)
    assert 1_000_000 < np.prod([n - 2 * BORDER for n in grid.shape]) <= 1_200_000
    assert 1.9 < grid.voxel_size[0] < 2.1
    np.testing.assert_allclose(grid.corners().mean(axis=0), fine.corners().mean(axis=0))
    margin = np.abs(grid.corners()).max(axis=0) - np.abs(fine.corners()).max(axis=0)
    assert np.all(margin > (BORDER - 1) * grid.voxel_size)
    assert np.all(margin <= BORDER * grid.voxel_size)
