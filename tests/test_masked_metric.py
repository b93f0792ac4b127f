"""Local correlation over known voxels: dipy's own without a mask, numpy's sums with one."""

from __future__ import annotations

import numpy as np
import pytest
from dipy.align.imwarp import DiffeomorphicMap
from dipy.align.metrics import CCMetric
from scipy import ndimage

from lesion_dash.scans.registration.deformable import RADIUS, MaskedCC, masked_factors

UNKNOWN = np.zeros((24, 22, 26), bool)
UNKNOWN[9:14, 8:13, 10:17] = True


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


@pytest.mark.parametrize("unknown", [None, np.zeros_like(UNKNOWN)], ids=["none", "empty"])
def test_without_a_mask_the_metric_is_the_plain_one_bit_by_bit(textures, unknown):
    plain = step_of(CCMetric(3, sigma_diff=2.0, radius=RADIUS), *textures)
    masked = step_of(MaskedCC(RADIUS, unknown), *textures)
    for first, second in zip(plain, masked, strict=True):
        np.testing.assert_array_equal(first, second)


def test_no_value_under_the_mask_has_any_effect(textures):
    static, moving = textures
    noise = 0.5 * np.random.default_rng(6).random(static.shape)
    once = step_of(MaskedCC(RADIUS, UNKNOWN), static, moving)
    for pair in (
        (np.where(UNKNOWN, noise, static).astype(np.float32), moving),
        (static, np.where(UNKNOWN, 0, moving)),
    ):
        for first, second in zip(
            once[:2], step_of(MaskedCC(RADIUS, UNKNOWN), *pair)[:2], strict=True
        ):
            np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-6)
    seen = step_of(MaskedCC(RADIUS), static, moving)[0]
    assert np.abs(seen - once[0]).max() > 0.05 * np.abs(once[0]).max()


def test_a_step_is_carried_into_the_mask(textures):
    forward, backward, _ = step_of(MaskedCC(RADIUS, UNKNOWN), *textures)
    for step in (forward, backward):
        lengths = np.linalg.norm(step, axis=-1)
        assert lengths[UNKNOWN].min() > 0
        assert lengths[UNKNOWN].mean() < lengths[4:-4, 4:-4, 4:-4].max()


def test_factors_are_those_of_the_known_neighbours(textures):
    static, moving = textures
    known = np.random.default_rng(7).random(static.shape) > 0.3
    voxels = [(12, 11, 13), (1, 2, 25), (23, 20, 0)]
    for voxel in voxels:
        known[voxel] = True
    factors = masked_factors(static, moving, known, RADIUS)
    for voxel in voxels:
        window = tuple(slice(max(at - RADIUS, 0), at + RADIUS + 1) for at in voxel)
        means = [array[window][known[window]].mean(dtype=float) for array in textures]
        a, b = (
            array[window][known[window]] - mean for array, mean in zip(textures, means, strict=True)
        )
        own = [array[voxel] - mean for array, mean in zip(textures, means, strict=True)]
        expected = [*own, a @ b, a @ a, b @ b]
        np.testing.assert_allclose(factors[voxel], expected, rtol=1e-4, atol=1e-6)
    assert not factors[~known].any()
