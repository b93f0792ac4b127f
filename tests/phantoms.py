"""Small images for the tests, made with nibabel alone."""

from __future__ import annotations

import struct
from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (7, 9, 8)
AFFINE = np.array([[2.0, 0, 0, -7], [0, 2.0, 0, -9], [0, 0, 2.0, -8], [0, 0, 0, 1]])


def image(array, affine=AFFINE, code: int = 4) -> nib.Nifti1Image:
    made = nib.Nifti1Image(array, affine, dtype=array.dtype)
    made.set_sform(affine, code)
    made.set_qform(affine, code)
    made.header.set_xyzt_units("mm")
    return made


def save(path: Path, array, affine=AFFINE, code: int = 4) -> Path:
    nib.save(image(np.asarray(array), affine, code), path)
    return path


def set_scaling(path: Path, slope: float, intercept: float = 0.0, order: str = "<") -> Path:
    """Let an uncompressed file say: value = stored * slope + intercept."""
    content = bytearray(path.read_bytes())
    struct.pack_into(f"{order}ff", content, 112, slope, intercept)
    path.write_bytes(content)
    return path


def write_masks(folder: Path, arrays, affine=AFFINE, names=None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    names = names or [f"sub-{number:03}_lesion.nii.gz" for number in range(len(arrays))]
    for name, array in zip(names, arrays, strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(image(np.asarray(array, np.uint8), affine), path)
    return folder


def random_masks(patients: int, seed: int = 0, shape=SHAPE) -> list[np.ndarray]:
    """Masks of very different sizes, so that volumes differ."""
    generator = np.random.default_rng(seed)
    return [generator.random(shape) < generator.uniform(0.05, 0.6) for _ in range(patients)]


def brute_force(arrays, min_patients: int, voxel_volume: float, ddof: int = 0):
    """n, mean, SD and median in mm³ by stacking every mask: slow, plain, independent."""
    stack = np.stack([np.asarray(array, bool) for array in arrays])
    volumes = stack.reshape(len(stack), -1).sum(axis=1) * voxel_volume
    n = stack.sum(axis=0)
    maps = {name: np.zeros(stack.shape[1:]) for name in ("mean", "std", "median")}
    for voxel in zip(*np.nonzero(n >= min_patients), strict=True):
        own = volumes[stack[(slice(None), *voxel)]]
        maps["mean"][voxel] = np.mean(own)
        maps["std"][voxel] = np.std(own, ddof=ddof) if len(own) > ddof else np.nan
        maps["median"][voxel] = np.median(own)
    return {"n": np.where(n >= min_patients, n, 0), **maps}
