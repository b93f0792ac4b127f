"""Make the sample series: two synthetic functional runs with a known effect, and a brain mask.

Faces and houses are shown in turn. Signal rises for faces in one ball and for houses in another,
and nowhere else. The rise is a box 5 s after the pictures, and the noise is white in time and
space: simpler than any real scan, so that it is known what a test has to find. The same seed gives
the same files.

Usage::

    python make_sample_series.py [FOLDER]     (default: `series` beside this script)
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from make_sample_data import MNI152_CODE
from numpy.typing import NDArray
from sample_brain import Bool3D, Ellipsoid, Float3D

SEED = 20190102
SHAPE = (18, 22, 18)
AFFINE = np.array([[8, 0, 0, -68], [0, 8, 0, -104], [0, 0, 8, -60], [0, 0, 0, 1]], dtype=float)
# At 8 mm, a brain of two ellipsoids is as good as any.
CEREBRUM = Ellipsoid((0, -18, 12), (70, 88, 64))
CEREBRUM_FLOOR_MM = -34
CEREBELLUM = Ellipsoid((0, -64, -36), (50, 32, 24))
VOLUMES = 48
TR_S = 2.5
DELAY_S = 5.0
BLOCK_S = 10.0
EVERY_S = 15.0  # from one block to the next: 10 s of pictures, 5 s of rest
RUNS = ("FHHFHFFH", "HFFHFHHF")
NAMES = {"F": "face", "H": "house"}
# Centre (mm, RAS) and radius of the balls where the signal rises.
BALLS = {
    "face": Ellipsoid((-38, -50, -18), (13, 13, 13)),
    "house": Ellipsoid((27, -38, -14), (13, 13, 13)),
}
RISE = 30.0
NOISE = 10.0


def radius_in(ellipsoid: Ellipsoid) -> Float3D:
    """Distance of every voxel from the centre in units of the semi-axes: 1 on the surface."""
    steps = np.ogrid[tuple(slice(n) for n in SHAPE)]
    mm = [AFFINE[axis, axis] * step + AFFINE[axis, 3] for axis, step in enumerate(steps)]
    terms = zip(mm, ellipsoid.centre, ellipsoid.radii, strict=True)
    return np.sqrt(sum(((place - centre) / radius) ** 2 for place, centre, radius in terms))


def brain_shape() -> Bool3D:
    """Cerebrum and cerebellum."""
    z = AFFINE[2, 2] * np.arange(SHAPE[2]) + AFFINE[2, 3]
    cerebrum = (radius_in(CEREBRUM) <= 1) & (z >= CEREBRUM_FLOOR_MM)
    return cerebrum | (radius_in(CEREBELLUM) <= 1)


def ball(condition: str) -> Bool3D:
    """Where the signal rises for a condition."""
    return radius_in(BALLS[condition]) <= 1


def onsets(run: str) -> list[tuple[float, str]]:
    """When each block begins, in seconds, and what it shows."""
    return [(block * EVERY_S, NAMES[letter]) for block, letter in enumerate(run)]


def make_run(rng: np.random.Generator, run: str) -> NDArray[np.int16]:
    """All volumes: a mean that falls towards the surface of the brain, rises, noise; 0 outside."""
    brain = brain_shape()
    mean = np.where(brain, 1200 - 300 * np.minimum(radius_in(CEREBRUM), 1.5), 0)
    values = np.repeat(mean[..., None], VOLUMES, axis=3)
    begins = np.arange(VOLUMES) * TR_S
    for onset, condition in onsets(run):
        risen = (begins >= onset + DELAY_S) & (begins < onset + DELAY_S + BLOCK_S)
        values[ball(condition)[..., None] & risen] += RISE
    values += NOISE * rng.standard_normal(values.shape)
    return np.where(brain[..., None], np.round(values), 0).astype(np.int16)


def write_image(voxels: NDArray[np.generic], file: Path) -> None:
    """Write a gzipped NIfTI whose bytes hold neither a date nor a file name."""
    image = nib.Nifti1Image(voxels, AFFINE)
    image.set_sform(AFFINE, MNI152_CODE)
    image.set_qform(AFFINE, MNI152_CODE)
    image.header.set_xyzt_units("mm", "sec")
    if voxels.ndim == 4:
        image.header["pixdim"][4] = TR_S
    image.header["descrip"] = b"synthetic sample data of lesion_dash"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(image.to_bytes(), compresslevel=9, mtime=0))


def make_sample_series(folder: Path) -> None:
    """Write both runs with their events, and the brain mask, into `folder`."""
    for number, run in enumerate(RUNS, start=1):
        name = f"sub-01_task-pictures_run-{number}"
        rng = np.random.default_rng([SEED, number])
        write_image(make_run(rng, run), folder / f"{name}_bold.nii.gz")
        rows = [f"{onset:g}\t{BLOCK_S:g}\t{condition}" for onset, condition in onsets(run)]
        text = "\n".join(["onset\tduration\ttrial_type", *rows]) + "\n"
        (folder / f"{name}_events.tsv").write_text(text, encoding="utf-8", newline="\n")
    write_image(brain_shape().astype(np.uint8), folder / "sub-01_brain_mask.nii.gz")


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "series"
    make_sample_series(given)
