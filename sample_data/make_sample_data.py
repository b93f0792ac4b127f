"""Make the sample data: two synthetic stroke cohorts, a synthetic atlas and a participants table.

Everything is computed from ellipsoids and a seeded random generator; no scan, template or atlas
of real brains goes in. The same seed gives the same files, byte for byte.

Usage::

    python make_sample_data.py [FOLDER]     (default: the folder of this script)
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SEED = 20190101
SHAPE = (91, 109, 91)
AFFINE = np.array([[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]], dtype=float)
VOXEL_ML = 0.008
PATIENTS = 40
MNI152_CODE = 4
# This patient has a mask but no row, so that the join of table and masks is seen to cope.
NOT_IN_TABLE = "sub-b17"

Bool3D = NDArray[np.bool_]
Float3D = NDArray[np.float64]


@dataclass(frozen=True)
class Ellipsoid:
    """Centre and semi-axes, mm in RAS."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]


@dataclass(frozen=True)
class Territory:
    """Where the lesions of one artery start, how far they reach and how large they get.

    Attributes
    ----------
    centre, scatter
        Mean and standard deviation of the starting point, mm in RAS, left hemisphere.
    stretch
        Relative reach along x, y and z.
    median_ml, largest_ml
        Median and upper bound of the lesion volume, mL.
    """

    centre: tuple[float, float, float]
    scatter: tuple[float, float, float]
    stretch: tuple[float, float, float]
    median_ml: float
    largest_ml: float


CEREBRUM = Ellipsoid((0, -18, 12), (70, 88, 64))
CEREBRUM_FLOOR_MM = -34
CEREBELLUM = Ellipsoid((0, -64, -36), (50, 32, 24))
VENTRICLE = Ellipsoid((-13, -14, 16), (6, 34, 9))

TERRITORIES = {
    "MCA front": Territory((-44, 10, 18), (5, 9, 9), (1.0, 1.1, 1.0), 18, 150),
    "MCA back": Territory((-46, -30, 20), (5, 9, 8), (1.0, 1.2, 1.0), 22, 140),
    "PCA": Territory((-20, -78, 4), (6, 7, 8), (0.8, 1.5, 0.8), 10, 60),
    "ACA": Territory((-8, 30, 34), (3, 12, 10), (0.6, 1.6, 1.1), 6, 40),
    "deep": Territory((-24, 0, 8), (4, 8, 6), (0.8, 1.3, 1.1), 3, 25),
    "cerebellum": Territory((-24, -66, -38), (6, 6, 5), (1.0, 1.0, 0.7), 5, 35),
}

# (territory, side, number of patients); each cohort adds up to PATIENTS.
COHORTS = {
    "a": (
        ("MCA front", "L", 14),
        ("MCA back", "L", 9),
        ("deep", "L", 9),
        ("ACA", "L", 2),
        ("MCA front", "R", 4),
        ("deep", "R", 2),
    ),
    "b": (
        ("MCA back", "L", 13),
        ("MCA front", "L", 6),
        ("deep", "L", 7),
        ("PCA", "L", 4),
        ("MCA back", "R", 4),
        ("MCA front", "R", 2),
        ("PCA", "R", 2),
        ("ACA", "L", 1),
        ("cerebellum", "R", 1),
    ),
}

# Lobe: (centre of the left one in mm, number of parcels).
LOBES = {
    "frontal": ((-32, 30, 28), 8),
    "parietal": ((-34, -46, 46), 5),
    "temporal": ((-52, -18, -16), 6),
    "occipital": ((-22, -88, 6), 3),
}
# Regions with a shape of their own; the deep nuclei and the insula.
NUCLEI = {
    "insula": Ellipsoid((-38, 4, 2), (5, 20, 14)),
    "caudate": Ellipsoid((-14, 12, 10), (6, 14, 10)),
    "putamen": Ellipsoid((-27, 3, 2), (6, 16, 10)),
    "pallidum": Ellipsoid((-18, -4, 0), (4, 8, 6)),
    "thalamus": Ellipsoid((-11, -20, 6), (8, 13, 8)),
    "hippocampus": Ellipsoid((-27, -24, -14), (6, 17, 6)),
    "amygdala": Ellipsoid((-23, -3, -19), (6, 6, 6)),
}
# Inside this share of the cerebrum's radius lies "white matter", which no parcel covers.
CORTEX_FROM = 0.58


def voxel_mm() -> tuple[Float3D, Float3D, Float3D]:
    """World coordinates x, y, z in mm of every voxel, as three broadcastable arrays."""
    i, j, k = np.ogrid[tuple(slice(n) for n in SHAPE)]
    scale, origin = np.diag(AFFINE), AFFINE[:3, 3]
    return i * scale[0] + origin[0], j * scale[1] + origin[1], k * scale[2] + origin[2]


def radius_in(ellipsoid: Ellipsoid) -> Float3D:
    """Distance from the centre in units of the semi-axes: 1 on the surface."""
    terms = zip(voxel_mm(), ellipsoid.centre, ellipsoid.radii, strict=True)
    return np.sqrt(sum(((mm - centre) / radius) ** 2 for mm, centre, radius in terms))


def left_cerebrum() -> Bool3D:
    """Left half of the cerebrum, without its ventricle; the plane x = 0 stays empty."""
    x, _, z = voxel_mm()
    inside = (radius_in(CEREBRUM) <= 1) & (x < 0) & (z >= CEREBRUM_FLOOR_MM)
    return inside & (radius_in(VENTRICLE) > 1)


def left_cerebellum() -> Bool3D:
    """Left half of the cerebellum, below the cerebrum."""
    x, _, _ = voxel_mm()
    return (radius_in(CEREBELLUM) <= 1) & (x < 0) & ~left_cerebrum()


def mirror(volume: NDArray[np.generic]) -> NDArray[np.generic]:
    """The volume with left and right exchanged; exact, as the grid is symmetric about x = 0."""
    return volume[::-1]


def brain_shape() -> Bool3D:
    """Cerebrum and cerebellum of both sides."""
    left = left_cerebrum() | left_cerebellum()
    return left | mirror(left)


def smooth_noise(rng: np.random.Generator) -> Float3D:
    """Noise of unit variance whose bumps are about 2 cm wide, on the whole grid."""
    coarse = tuple(n // 4 + 1 for n in SHAPE)
    noise = ndimage.gaussian_filter(rng.standard_normal(coarse), 1.0, mode="wrap")
    zoom = [n / c for n, c in zip(SHAPE, coarse, strict=True)]
    return ndimage.zoom(noise / noise.std(), zoom, order=1)


def draw_volume(rng: np.random.Generator, territory: Territory) -> float:
    """A log-normally distributed lesion volume, mL."""
    volume = territory.median_ml * np.exp(1.15 * rng.standard_normal())
    return float(np.clip(volume, 0.15, territory.largest_ml * rng.uniform(0.8, 1.0)))


def grow_lesion(rng: np.random.Generator, territory: Territory, tissue: Bool3D) -> Bool3D:
    """A ragged blob around a random point of the territory.

    The voxels that are nearest to the point, after noise has bent the distances, are lesioned;
    what is not connected to the largest piece is dropped.
    """
    wanted = max(round(draw_volume(rng, territory) / VOXEL_ML), 1)
    start = np.array(territory.centre) + territory.scatter * rng.standard_normal(3)
    reach = np.cbrt(wanted * 6 / np.pi)
    blob = Ellipsoid(tuple(start), tuple(np.array(territory.stretch) * reach))
    # Rounded, so that the last bit of a platform's arithmetic can't move a voxel.
    cost = np.round(radius_in(blob) * (1 + 0.18 * smooth_noise(rng)), 6)
    candidates = np.flatnonzero(tissue)
    nearest = np.argsort(cost.ravel()[candidates], kind="stable")[:wanted]
    lesion = np.zeros(SHAPE, dtype=bool)
    lesion.flat[candidates[nearest]] = True
    pieces, _ = ndimage.label(lesion)
    return pieces == np.bincount(pieces.ravel())[1:].argmax() + 1


def make_cohort(rng: np.random.Generator, letter: str) -> Iterator[tuple[str, Bool3D]]:
    """Patient ids and their lesions, in an order that doesn't give the territory away."""
    plan = [(name, side) for name, side, n in COHORTS[letter] for _ in range(n)]
    for number, which in enumerate(rng.permutation(PATIENTS), start=1):
        name, side = plan[which]
        tissue = left_cerebellum() if name == "cerebellum" else left_cerebrum()
        lesion = grow_lesion(rng, TERRITORIES[name], tissue)
        yield f"sub-{letter}{number:02d}", lesion if side == "L" else mirror(lesion)


def nearest_point(points_mm: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.intp]:
    """For every point the number of its nearest centre (Voronoi cell)."""
    squared = ((points_mm[:, None, :] - centres[None]) ** 2).sum(axis=-1)
    return np.round(squared, 6).argmin(axis=1)


def split_evenly(
    rng: np.random.Generator, points_mm: NDArray[np.float64], parts: int
) -> NDArray[np.intp]:
    """Voronoi cells of seeds that Lloyd's rule has moved apart, numbered from front to back."""
    centres = points_mm[rng.choice(len(points_mm), parts, replace=False)]
    for _ in range(15):
        cell = nearest_point(points_mm, centres)
        centres = np.array([points_mm[cell == part].mean(axis=0) for part in range(parts)])
    return nearest_point(points_mm, centres[np.argsort(-centres[:, 1])])


def parcel_lobes(rng: np.random.Generator) -> Iterator[tuple[str, str, Bool3D]]:
    """Name, lobe and voxels of each cortical parcel of the left hemisphere."""
    cortex = left_cerebrum() & (radius_in(CEREBRUM) >= CORTEX_FROM)
    where = np.argwhere(cortex)
    points_mm = nib.affines.apply_affine(AFFINE, where)
    lobe_of = nearest_point(points_mm, np.array([centre for centre, _ in LOBES.values()]))
    for number, (lobe, (_, parts)) in enumerate(LOBES.items()):
        members = np.flatnonzero(lobe_of == number)
        part_of = split_evenly(rng, points_mm[members], parts)
        for part in range(parts):
            parcel = np.zeros(SHAPE, dtype=bool)
            parcel[tuple(where[members[part_of == part]].T)] = True
            yield f"{lobe} {part + 1}", lobe, parcel


def left_regions(rng: np.random.Generator) -> Iterator[tuple[str, str, Bool3D]]:
    """Name, lobe and voxels of every region of the left side; later ones win where two meet."""
    yield from parcel_lobes(rng)
    for name, ellipsoid in NUCLEI.items():
        lobe = "insula" if name == "insula" else "deep"
        yield name, lobe, (radius_in(ellipsoid) <= 1) & left_cerebrum()
    _, y, _ = voxel_mm()
    cerebellum = left_cerebellum()
    yield "cerebellum 1", "cerebellum", cerebellum & (y >= CEREBELLUM.centre[1])
    yield "cerebellum 2", "cerebellum", cerebellum & (y < CEREBELLUM.centre[1])


def make_atlas(rng: np.random.Generator) -> tuple[NDArray[np.int16], str]:
    """Label image (odd numbers left, even ones right) and its table as CSV text."""
    left = np.zeros(SHAPE, dtype=np.int16)
    rows = ["index,name,hemisphere,lobe"]
    for number, (name, lobe, voxels) in enumerate(left_regions(rng)):
        left[voxels] = 2 * number + 1
        rows += [
            f"{2 * number + 1 + right},Synthetic {name} {side},{side},{lobe}"
            for right, side in enumerate("LR")
        ]
    right = mirror(np.where(left > 0, left + 1, 0))
    return (left + right).astype(np.int16), "\n".join(rows) + "\n"


def describe_patient(rng: np.random.Generator, patient: str, lesion: Bool3D) -> str:
    """One row of the participants table; the NIHSS grows with the lesion, a few values lack."""
    volume_ml = lesion.sum() * VOXEL_ML
    age = int(np.clip(round(67 + 12 * rng.standard_normal()), 24, 94))
    nihss = int(np.clip(round(4 * np.log1p(volume_ml) + 2.5 * rng.standard_normal()), 0, 38))
    sex = "F" if rng.random() < 0.46 else "M"
    shown = [
        "n/a" if rng.random() < missing else str(value)
        for value, missing in ((sex, 0.0), (age, 0.03), (nihss, 0.06))
    ]
    return "\t".join([patient, patient[4].upper(), *shown])


def write_image(voxels: NDArray[np.generic], file: Path) -> None:
    """Write a gzipped NIfTI whose bytes hold neither a date nor a file name."""
    image = nib.Nifti1Image(voxels, AFFINE)
    image.set_sform(AFFINE, MNI152_CODE)
    image.set_qform(AFFINE, MNI152_CODE)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"synthetic sample data of lesion_dash"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(image.to_bytes(), compresslevel=9, mtime=0))


def make_sample_data(folder: Path) -> None:
    """Write cohort_a, cohort_b, atlas and participants.tsv into `folder`."""
    rows = ["participant_id\tcohort\tsex\tage\tnihss"]
    for number, letter in enumerate(COHORTS):
        rng = np.random.default_rng([SEED, number])
        for patient, lesion in make_cohort(rng, letter):
            file = folder / f"cohort_{letter}" / f"{patient}_lesion.nii.gz"
            write_image(lesion.astype(np.uint8), file)
            row = describe_patient(rng, patient, lesion)
            if patient != NOT_IN_TABLE:
                rows.append(row)
    (folder / "participants.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    labels, table = make_atlas(np.random.default_rng([SEED, len(COHORTS)]))
    write_image(labels, folder / "atlas" / "synthetic_atlas.nii.gz")
    (folder / "atlas" / "synthetic_atlas.csv").write_text(table, encoding="utf-8")


if __name__ == "__main__":
    make_sample_data(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
