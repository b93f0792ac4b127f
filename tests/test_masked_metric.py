"""Local correlation over known voxels: dipy's own without a mask, numpy's sums with one."""

from __future__ import annotations

import numpy as np
import pytest
from dipy.align.imwarp import DiffeomorphicMap
from dipy.align.metrics import CCMetric
from scipy import ndimage

from lesion_dash.scans.registration.deformable import RADIUS
from lesion_dash.scans.registration.masked_metric import MaskedCC, masked_factors

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


def test_no_value_under_the_mask_has_any_effect_and_a_step_is_carried_into_it(textures):
    static, moving = textures
    noise = 0.5 * np.random.default_rng(6).random(static.shape)
    once = step_of(MaskedCC(RADIUS, UNKNOWN), static, moving)[:2]
    others = (
        (np.where(UNKNOWN, noise, static).astype(np.float32), moving),
        (static, np.where(UNKNOWN, 0, moving)),
    )
    for pair in others:
        again = step_of(MaskedCC(RADIUS, UNKNOWN), *pair)[:2]
        np.testing.assert_allclose(once, again, rtol=1e-4, atol=1e-6)
    seen = step_of(MaskedCC(RADIUS), static, moving)[0]
    assert np.abs(seen - once[0]).max() > 0.05 * np.abs(once[0]).max()
    for lengths in np.linalg.norm(once, axis=-1):
        assert lengths[UNKNOWN].min() > 0
        assert lengths[UNKNOWN].mean() < lengths[4:-4, 4:-4, 4:-4].max()


def test_factors_are_those_of_the_known_neighbours(textures):
    known = np.random.default_rng(7).random(UNKNOWN.shape) > 0.3
    voxels = [(12, 11, 13), (1, 2, 25), (23, 20, 0)]
    for voxel in voxels:
        known[voxel] = True
    factors = masked_factors(*textures, known, RADIUS)
    for voxel in voxels:
        window = tuple(slice(max(at - RADIUS, 0), at + RADIUS + 1) for at in voxel)
        values = [array[window][known[window]].astype(float) for array in textures]
        a, b = (own - own.mean() for own in values)
        own = [array[voxel] - of.mean() for array, of in zip(textures, values, strict=True)]
        np.testing.assert_allclose(factors[voxel], [*own, a @ b, a @ a, b @ b], rtol=1e-4)
    assert not factors[~known].any()
