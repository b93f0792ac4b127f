"""One t-test of two conditions, by lesion_dash or by plain scipy, in a process of its own.

Usage: contrast_run.py WHO IMAGE CONDITIONS MAPS (WHO is ours or scipy)
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import scipy.stats  # loaded by both, so that neither pays for it later

import lesion_dash

UNIT = 1 if sys.platform == "darwin" else 1024  # bytes of ru_maxrss


def main(who: str, image: str, conditions: str, maps: str) -> None:
    """Print seconds of reading and of the test, and peak memory above that of the imports in MB."""
    start = peak()
    read, test = {"ours": (read_ours, test_ours), "scipy": (read_plain, test_plain)}[who]
    began = time.perf_counter()
    values = read(image)
    ready = time.perf_counter()
    t, p = test(values, conditions)
    seconds = time.perf_counter() - ready
    told = {"read_s": ready - began, "test_s": seconds, "added_mb": peak() - start}
    np.savez(maps, t=t, p=p)
    print(json.dumps(told))


def peak() -> float:
    """Peak memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT / 1e6


def read_ours(image: str) -> lesion_dash.Series:
    return lesion_dash.read_series(image)


def test_ours(series: lesion_dash.Series, conditions: str) -> tuple[np.ndarray, np.ndarray]:
    table = lesion_dash.rois.read_conditions(conditions, series)
    found = lesion_dash.rois.contrast_conditions(series, table, "face", "house")
    return tuple(found.map(key).array.ravel(order="F") for key in ("t", "p"))


def read_plain(image: str) -> np.ndarray:
    """Volumes x voxels as they lie in the file, which scipy is quickest with."""
    array = np.asarray(nib.load(image).dataobj)
    return array.reshape(-1, array.shape[3], order="F").T


def test_plain(rows: np.ndarray, conditions: str) -> tuple[np.ndarray, np.ndarray]:
    labels = np.array(Path(conditions).read_text(encoding="utf-8").split()[1:])
    found = scipy.stats.ttest_ind(rows[labels == "face"], rows[labels == "house"])
    return found.statistic, found.pvalue


if __name__ == "__main__":
    main(*sys.argv[1:])
