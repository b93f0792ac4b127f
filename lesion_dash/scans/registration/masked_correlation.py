"""Local correlation for dipy's SyN, in which unknown voxels do not count; imports dipy."""

from __future__ import annotations

from typing import Any

import numpy as np
from dipy.align.metrics import CCMetric
from numpy.typing import NDArray
from scipy import ndimage

from .levels import box_around

SMOOTHING = 2.0
"""Standard deviation in voxels of the smoothing of each step: dipy's default."""

_FEW = 8
"""Voxels of a window below which its correlation says nothing. Arbitrary."""

_MIN_WEIGHT = 1e-3
"""Below this fraction of known neighbours a step fades to 0 instead of being carried on: deep in a
lesion there is nothing to carry on. Arbitrary."""


class MaskedCC(CCMetric):
    """Local correlation of two images over the neighbours that are known.

    Where nothing is unknown, it is dipy's own `CCMetric`, bit by bit. Else unknown voxels are left
    out of the means and sums of every window, they exert no force, nor do their direct neighbours,
    whose gradients reach into them; the smoothing of the step carries on what the surroundings do.

    Parameters
    ----------
    radius : int
        Of the window, in voxels.
    unknown : array of bool, optional
        On the grid of the static image.
    """

    def __init__(self, radius: int, unknown: NDArray[np.bool_] | None = None) -> None:
        super().__init__(3, sigma_diff=SMOOTHING, radius=radius)
        self.static_image: Any
        self.partial_volume = (
            None if unknown is None or not unknown.any() else unknown.astype(np.float32)
        )
        self.unknown: NDArray[np.bool_] | None = None

    def use_static_image_dynamics(self, _: Any, transformation: Any) -> None:
        """Bring the unknown voxels to where the static image is now; a voxel part unknown is so."""
        if self.partial_volume is None:
            return
        moved = transformation.transform(
            self.partial_volume,
            interpolation="linear",
            image_world2grid=None,
            out_shape=np.array(self.static_image.shape, np.int32),
            out_grid2world=self.static_affine,
        )
        unknown = np.asarray(moved) > 0
        self.unknown = unknown if unknown.any() else None

    def initialize_iteration(self) -> None:
        """Correlations and gradients for one step."""
        super().initialize_iteration()  # type: ignore[no-untyped-call]
        if self.unknown is None:
            return
        known = ~self.unknown
        box = box_around(self.unknown, [2 * self.radius] * 3)
        images = np.asarray(self.static_image)[box], np.asarray(self.moving_image)[box]
        inner = box_around(self.unknown[box], [self.radius] * 3)
        factors = masked_factors(*images, known[box], self.radius)
        self.factors[box][inner] = factors[inner]
        self.silent = ndimage.binary_dilation(self.unknown)
        self.factors[self.silent] = 0

    def compute_forward(self) -> NDArray[np.float32]:
        """One step of the template towards the subject's image."""
        if self.unknown is None:
            return super().compute_forward()  # type: ignore[no-untyped-call]
        step, self.energy = self.compute_forward_step(
            self.gradient_static, self.factors, self.radius
        )
        return self._smooth(np.array(step))

    def compute_backward(self) -> NDArray[np.float32]:
        """One step of the subject's image towards the template."""
        if self.unknown is None:
            return super().compute_backward()  # type: ignore[no-untyped-call]
        step, _ = self.compute_backward_step(self.gradient_moving, self.factors, self.radius)
        return self._smooth(np.array(step))

    def _smooth(self, step: NDArray[np.float32]) -> NDArray[np.float32]:
        weight = ndimage.gaussian_filter((~self.silent).astype(np.float32), self.sigma_diff)
        for axis in range(3):
            smooth = ndimage.gaussian_filter(step[..., axis], self.sigma_diff)
            step[..., axis] = smooth / np.maximum(weight, _MIN_WEIGHT)
        return step


def masked_factors(
    static: NDArray, moving: NDArray, known: NDArray[np.bool_], radius: int
) -> NDArray[np.float32]:
    """What a local correlation is made of, over the known voxels of each window.

    A window ends where the array does. Shape (x, y, z, 5): both images less their means, the sum
    of their products, and of the squares of each; 0 where a voxel is unknown itself.
    """
    weight = known.astype(np.float64)
    first, second = static * weight, moving * weight
    count = _window_sum(weight, radius)
    few = count < _FEW
    count[few] = 1
    sums = [_window_sum(part, radius) for part in (first, second)]
    factors = np.zeros((*static.shape, 5), np.float32)
    factors[..., 0] = static - sums[0] / count
    factors[..., 1] = moving - sums[1] / count
    factors[..., 2] = _window_sum(first * second, radius) - sums[0] * sums[1] / count
    factors[..., 3] = _window_sum(first * first, radius) - sums[0] ** 2 / count
    factors[..., 4] = _window_sum(second * second, radius) - sums[1] ** 2 / count
    factors[few | ~known] = 0
    return factors


def _window_sum(values: NDArray, radius: int) -> NDArray[np.float64]:
    edge = 2 * radius + 1
    mean = ndimage.uniform_filter(np.asarray(values, np.float64), edge, mode="constant")
    return mean * edge**3
