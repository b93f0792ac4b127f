"""A careful script with nibabel: one mask at a time, no stack, no double precision, no median.

Usage: nibabel_loop.py FOLDER OUT [MIN_PATIENTS]
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np


def main(folder: str, out: str, min_patients: int = 5) -> None:
    """Write mean, SD and n; print the seconds of the loop over the masks."""
    paths = sorted(Path(folder).glob("*.nii*"))
    first = nib.load(paths[0])
    began = time.perf_counter()
    n, total, squares = (np.zeros(first.shape, np.int64) for _ in range(3))
    for path in paths:
        lesion = np.asarray(nib.load(path).dataobj) > 0
        volume = int(np.count_nonzero(lesion))
        n[lesion] += 1
        total[lesion] += volume
        squares[lesion] += volume**2
    loop = time.perf_counter() - began
    size = abs(np.linalg.det(first.affine[:3, :3]))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(n >= min_patients, total / n, 0)
        variance = np.where(n >= min_patients, squares / n - mean**2, 0)
    maps = {"n": n, "mean": mean * size, "std": np.sqrt(np.maximum(variance, 0)) * size}
    Path(out).mkdir(exist_ok=True)
    for name, array in maps.items():
        image = nib.Nifti1Image(array.astype(np.float32), first.affine)
        nib.save(image, Path(out) / f"{name}.nii")
    print(json.dumps({"loop": loop}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
