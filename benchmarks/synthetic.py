"""Write synthetic cohorts to measure with: lesions grown from smooth noise, seeded."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import deflate
import nibabel as nib
import numpy as np

Shape = tuple[int, int, int]

SHAPES: dict[int, Shape] = {1: (182, 218, 182), 2: (91, 109, 91)}
SEED = 2026


def write_cohort(
    folder: Path, patients: int, voxel_mm: int = 1, dtype: str = "uint8", shape: Shape | None = None
) -> Path:
    """Write a cohort, on the MNI152 grid unless a shape is given; volumes spread log-normally.

    Masks that are there already are kept. Each patient has random numbers of its own, so that a
    mask depends neither on the other patients nor on the number of threads.
    """
    folder.mkdir(parents=True, exist_ok=True)
    there = {path.name for path in folder.iterdir()}
    missing = [number for number in range(patients) if mask_name(number) not in there]
    shape = shape or SHAPES[voxel_mm]
    header = _header(shape, voxel_mm, dtype)
    write = partial(_write_mask, folder, header, shape, voxel_mm, dtype)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(write, missing):
            pass
    return folder


def mask_name(number: int) -> str:
    """File name of a patient's mask."""
    return f"sub-{number:05}_lesion.nii.gz"


def _write_mask(
    folder: Path, header: bytes, shape: Shape, voxel_mm: int, dtype: str, number: int
) -> None:
    generator = np.random.default_rng([SEED, number])
    volume = np.exp(generator.normal(9.6, 1.3))  # mm³: median 15 mL
    array = _lesion(generator, min(volume, 250_000), shape, voxel_mm, dtype)
    content = header + array.tobytes(order="F")
    part = folder / f"{number:05}.part"  # a mask under its final name is whole
    part.write_bytes(bytes(deflate.gzip_compress(content, 6)))
    part.replace(folder / mask_name(number))


def _header(shape: Shape, voxel_mm: int, dtype: str) -> bytes:
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
    generator: np.random.Generator, volume: float, shape: Shape, voxel_mm: int, dtype: str
) -> np.ndarray:
    """An ellipsoid with a wavy rim somewhere in the middle of the image."""
    radius = (3 * volume / (4 * np.pi)) ** (1 / 3) / voxel_mm
    centre = [generator.uniform(0.3, 0.7) * n for n in shape]
    stretch = generator.uniform(0.7, 1.4, 3)
    waves, phases = generator.uniform(0.1, 0.4, 3), generator.uniform(0, 6, 3)
    array = np.zeros(shape, dtype, order="F")
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
