"""The script one writes first: load everything, stack, loop over the voxels.

It prints the seconds of reading and of the loop, and the voxels of the loop, from which
`extrapolation.py` tells what more masks would cost.

Usage: naive.py FOLDER OUT [MIN_PATIENTS]
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np


def main(folder: str, out: str, min_patients: int = 5) -> None:
    """Write mean, SD, median and n, as `lesion-dash stats` does."""
    began = time.perf_counter()
    images = [nib.load(path) for path in sorted(Path(folder).glob("*.nii*"))]
    stack = np.stack([image.get_fdata() for image in images])
    volumes = stack.sum(axis=(1, 2, 3)) * abs(np.linalg.det(images[0].affine[:3, :3]))
    n = stack.sum(axis=0)
    read = time.perf_counter() - began
    maps = {name: np.zeros(n.shape, np.float32) for name in ("mean", "std", "median")}
    places = np.argwhere(n >= min_patients)
    for i, j, k in places:
        own = volumes[stack[:, i, j, k] > 0]
        maps["mean"][i, j, k] = own.mean()
        maps["std"][i, j, k] = own.std()
        maps["median"][i, j, k] = np.median(own)
    loop = time.perf_counter() - began - read
    Path(out).mkdir(exist_ok=True)
    for name, array in {**maps, "n": n.astype(np.float32)}.items():
        nib.save(nib.Nifti1Image(array, images[0].affine), Path(out) / f"{name}.nii")
    print(json.dumps({"read": read, "loop": loop, "voxels": len(places)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
