"""The script one writes first: load everything, stack, loop over the voxels.

Usage: naive.py FOLDER OUT [MIN_PATIENTS]
"""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel as nib
import numpy as np


def main(folder: str, out: str, min_patients: int = 5) -> None:
    """Write mean, SD, median and n, as `lesion-dash stats` does."""
    images = [nib.load(path) for path in sorted(Path(folder).glob("*.nii*"))]
    stack = np.stack([image.get_fdata() for image in images])
    volumes = stack.sum(axis=(1, 2, 3)) * abs(np.linalg.det(images[0].affine[:3, :3]))
    n = stack.sum(axis=0)
    maps = {name: np.zeros(n.shape, np.float32) for name in ("mean", "std", "median")}
    for i, j, k in np.argwhere(n >= min_patients):
        own = volumes[stack[:, i, j, k] > 0]
        maps["mean"][i, j, k] = own.mean()
        maps["std"][i, j, k] = own.std()
        maps["median"][i, j, k] = np.median(own)
    Path(out).mkdir(exist_ok=True)
    for name, array in {**maps, "n": n.astype(np.float32)}.items():
        nib.save(nib.Nifti1Image(array, images[0].affine), Path(out) / f"{name}.nii")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
