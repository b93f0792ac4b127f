"""Write synthetic cohorts to measure with: lesions grown from smooth noise, seeded."""

from __future__ import annotations

from pathlib import Path

import deflate
import nibabel as nib
import numpy as np

SHAPES = {1: (182, 218, 182), 2: (91, 109, 91)}


def write_cohort(folder: Path, patients: int, voxel_mm: int = 1, dtype: str = "uint8") -> Path:
    """Write a cohort on the MNI152 grid, unless it is there; volumes spread log-normally."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(2026)
    header = _header(SHAPES[voxel_mm], voxel_mm, dtype)
    for number in range(patients):
        volume = np.exp(generator.normal(9.6, 1.3))  # mm³: median 15 mL
        path = folder / f"sub-{number:05}_lesion.nii.gz"
        array = _lesion(generator, min(volume, 250_000), SHAPES[voxel_mm], voxel_mm)
        if not path.exists():
            content = header + array.astype(dtype).tobytes(order="F")
            path.write_bytes(bytes(deflate.gzip_compress(content, 6)))
    return folder


def _header(shape: tuple[int, ...], voxel_mm: int, dtype: str) -> bytes:
    affine = np.diag([voxel_mm] * 3 + [1.0])
    affine[:3, 3] = (-90, -126, -72)
    image = nib.Nifti1Image(np.zeros((1, 1, 1), dtype), affine, dtype=dtype)
    image.set_sform(affine, 4)
    image.set_qform(affine, 4)
    image.header.set_data_shape(shape)
    image.header.set_xyzt_units("mm")
    image.header["vox_offset"], image.header["magic"] = 352, b"n+1"
    return image.header.binaryblock + bytes(4)


def _lesion(
    generator: np.random.Generator, volume: float, shape: tuple[int, ...], voxel_mm: int
) -> np.ndarray:
    """An ellipsoid with a wavy rim somewhere in the middle of the image."""
    radius = (3 * volume / (4 * np.pi)) ** (1 / 3) / voxel_mm
    centre = [generator.uniform(0.3, 0.7) * n for n in shape]
    stretch = generator.uniform(0.7, 1.4, 3)
    waves, phases = generator.uniform(0.1, 0.4, 3), generator.uniform(0, 6, 3)
    array = np.zeros(shape, bool)
    reach = 1.8 * radius
    box = tuple(
        slice(max(0, int(c - reach)), min(n, int(c + reach) + 2))
        for c, n in zip(centre, shape, strict=True)
    )
    axes = np.ogrid[box]
    distance = sum(((x - c) / s) ** 2 for x, c, s in zip(axes, centre, stretch, strict=True))
    rim = sum(np.sin(w * x + p) for w, x, p in zip(waves, axes, phases, strict=True))
    array[box] = distance < (radius * (1 + 0.1 * rim)) ** 2
    return array
