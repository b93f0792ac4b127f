"""Make the sample data: two synthetic stroke cohorts, a synthetic atlas and a participants table.

No scan of a patient goes in. Brain, grey and white matter are those of the MNI152 template that
nilearn bundles (ICBM 2009a nonlinear symmetric; Fonov et al. 2011, NeuroImage 54:313); lesions grow
in a model of the arterial territories from a seeded random generator. The same seed gives the same
files, byte for byte.

Usage::

    python make_sample_data.py [FOLDER]     (default: the folder of this script)
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn import datasets
from numpy.typing import NDArray
from scipy import ndimage

SEED = 20190102
SHAPE = (91, 109, 91)
AFFINE = np.array([[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]], dtype=float)
VOXEL_ML = 0.008
PATIENTS = 40
MNI152_CODE = 4
# This patient has a mask but no row, so that the join of table and masks is seen to cope.
NOT_IN_TABLE = "sub-b17"

Bool3D = NDArray[np.bool_]
Float3D = NDArray[np.float64]
Mm = tuple[float, float, float]


@dataclass(frozen=True)
class Ellipsoid:
    """Centre and semi-axes, mm in RAS."""

    centre: Mm
    radii: Mm


@dataclass(frozen=True)
class Infarct:
    """Where the infarcts of an artery begin, how large they get, and how they spread.

    Attributes
    ----------
    trunk, scatter
        Mean and standard deviation of where they begin, mm, left hemisphere: emboli lodge near
        the trunk of an artery more often than far out.
    median_ml, largest_ml
        Median and upper bound of the volume, mL.
    is_wedge
        They reach from the depth of the hemisphere to its surface, as branches of the surface do;
        those of perforating arteries are longer than wide.
    """

    trunk: Mm
    scatter: Mm
    median_ml: float
    largest_ml: float
    is_wedge: bool = True


# Places (mm, left hemisphere) that lie in the middle of what each artery supplies; a voxel belongs
# to the nearest. A sketch after the maps of infarcts of Kim et al. 2019 (JAMA Neurol 76:72).
SUPPLY = {
    "MCA superior": [(-38, 32, 12), (-48, 12, 20), (-44, -6, 46), (-36, 12, 42), (-46, -22, 46)],
    "MCA inferior": [(-54, -18, -8), (-50, -44, 10), (-50, -36, 28), (-44, -60, 24), (-48, 0, -22)],
    "ACA": [(-8, 52, 8), (-8, 30, 40), (-8, 0, 60), (-8, -32, 58), (-8, 36, -16), (-16, 26, 52)],
    "PCA": [(-12, -84, 4), (-10, -64, 8), (-28, -58, -12), (-30, -34, -20), (-14, -78, 24)],
    "lenticulostriate": [(-26, 4, 4), (-20, -2, 16), (-15, 12, 8)],
    "thalamic": [(-10, -18, 8)],
}
INFARCTS = {
    "MCA trunk": Infarct((-40, -4, 12), (3, 6, 6), 70, 150),
    "MCA superior": Infarct((-42, 4, 20), (4, 9, 9), 22, 100),
    "MCA inferior": Infarct((-46, -34, 16), (4, 10, 8), 22, 100),
    "ACA": Infarct((-9, 10, 44), (2, 20, 10), 8, 45),
    "PCA": Infarct((-16, -76, 2), (4, 9, 8), 12, 60),
    "lenticulostriate": Infarct((-24, 0, 10), (3, 6, 5), 3, 25, is_wedge=False),
    "cerebellar": Infarct((-24, -64, -34), (8, 7, 5), 8, 40, is_wedge=False),
}
SPREAD_OF_VOLUMES = 1.15  # of their natural logarithm
# Infarcts of branches point to about here, mm: the middle of the left hemisphere.
DEPTH = np.array([-24.0, -18.0, 12.0])
RADIALLY = 0.4  # an infarct is so much shorter across than from the depth to the surface
BEYOND = 1.5  # of a territory, a millimetre counts as so many
NOISE = 0.18

# Lacunes are 3 to 15 mm wide (Wardlaw et al. 2013, Lancet Neurol 12:822) where arteries perforate:
# place, spread, and how many of them lie there.
LACUNE_MM = (5.0, 15.0)
LACUNES = (
    ((-25.0, 2.0, 4.0), 5.0, 0.4),
    ((-24.0, -16.0, 26.0), 5.0, 0.25),
    ((-11.0, -18.0, 8.0), 4.0, 0.25),
    ((-6.0, -27.0, -32.0), 2.5, 0.1),
)
# Place, spread, median and upper bound (mL): putamen and thalamus; the lobes.
HAEMORRHAGES = {
    "deep": (((-27.0, -2.0, 4.0), (-13.0, -18.0, 8.0)), 3.0, 12.0, 55.0),
    "lobar": (((-44.0, -58.0, 26.0), (-34.0, 34.0, 20.0)), 6.0, 20.0, 70.0),
}

# (what, side, number of patients); each cohort adds up to PATIENTS. Three of five are infarcts of
# the middle cerebral artery; the shares, sides and branches are chosen for lessons on overlap.
COHORTS = {
    "a": (
        ("MCA trunk", "L", 6),
        ("MCA superior", "L", 9),
        ("MCA inferior", "L", 6),
        ("lenticulostriate", "L", 7),
        ("lacune", "L", 2),
        ("deep", "L", 2),
        ("lobar", "L", 1),
        ("ACA", "L", 1),
        ("MCA superior", "R", 4),
        ("lacune", "R", 2),
    ),
    "b": (
        ("MCA trunk", "L", 5),
        ("MCA inferior", "L", 10),
        ("MCA superior", "L", 3),
        ("PCA", "L", 4),
        ("lenticulostriate", "L", 5),
        ("lacune", "L", 2),
        ("deep", "L", 2),
        ("cerebellar", "L", 1),
        ("MCA inferior", "R", 3),
        ("MCA superior", "R", 2),
        ("PCA", "R", 2),
        ("cerebellar", "R", 1),
    ),
}

# Naming fails with the share that is lesioned of a ball in the left posterior temporal lobe; the
# NIHSS follows the volume alone, wherever the lesion is.
NAMING_BALL = Ellipsoid((-52, -40, 6), (12, 12, 12))
NAMING_BEST, NAMING_LOSS, NAMING_NOISE = 55, 40, 5.0

# Lobe: (places in the left one in mm, number of parcels).
LOBES: dict[str, tuple[list[Mm], int]] = {
    "frontal": (
        [
            (-30, 44, 16), (-42, 24, 30), (-28, 4, 56), (-8, 48, 20), (-8, 8, 58), (-46, 28, 2),
            (-18, 36, -16), (-44, -8, 44), (-50, 6, 14), (-20, 60, 2), (-12, -22, 66),
            (-32, -16, 62),
        ],
        8,
    ),
    "parietal": (
        [
            (-34, -46, 52), (-54, -32, 36), (-46, -58, 40), (-8, -58, 46), (-24, -64, 48),
            (-46, -26, 52), (-56, -18, 26), (-18, -40, 66), (-40, -32, 60),
        ],
        5,
    ),
    "temporal": (
        [
            (-58, -18, -4), (-54, -44, 6), (-56, -10, -24), (-38, 8, -34), (-46, -54, -14),
            (-32, -28, -24), (-48, -24, 8), (-50, 8, -16), (-36, -44, -18),
        ],
        6,
    ),
    "occipital": (
        [(-18, -96, 4), (-10, -76, 8), (-40, -78, 4), (-24, -80, -12), (-14, -86, 28)],
        3,
    ),
}  # fmt: skip
# Regions with a shape of their own; the deep nuclei and the insula.
NUCLEI = {
    "insula": Ellipsoid((-38, 4, 2), (5, 20, 14)),
    "caudate": Ellipsoid((-13, 14, 9), (6, 13, 10)),
    "putamen": Ellipsoid((-26, 4, 1), (6, 15, 10)),
    "pallidum": Ellipsoid((-19, -4, 0), (4, 8, 6)),
    "thalamus": Ellipsoid((-11, -19, 8), (8, 13, 8)),
    "hippocampus": Ellipsoid((-27, -24, -14), (6, 17, 6)),
    "amygdala": Ellipsoid((-23, -4, -19), (6, 6, 6)),
}
MIDDLE_OF_CEREBELLUM_MM = -64


def voxel_mm() -> tuple[Float3D, Float3D, Float3D]:
    """World coordinates x, y, z in mm of every voxel, as three broadcastable arrays."""
    i, j, k = np.ogrid[tuple(slice(n) for n in SHAPE)]
    scale, origin = np.diag(AFFINE), AFFINE[:3, 3]
    return i * scale[0] + origin[0], j * scale[1] + origin[1], k * scale[2] + origin[2]


def radius_in(ellipsoid: Ellipsoid) -> Float3D:
    """Distance from the centre in units of the semi-axes: 1 on the surface."""
    terms = zip(voxel_mm(), ellipsoid.centre, ellipsoid.radii, strict=True)
    return np.sqrt(sum(((mm - centre) / radius) ** 2 for mm, centre, radius in terms))


def on_grid(image: nib.Nifti1Image) -> Float3D:
    """Every second voxel of a template of 1 mm whose voxels lie at whole mm: nothing is mixed."""
    start = np.rint(np.linalg.inv(image.affine) @ AFFINE[:, 3]).astype(int)[:3]
    cut = (slice(first, first + 2 * n, 2) for first, n in zip(start, SHAPE, strict=True))
    return np.asarray(image.get_fdata()[tuple(cut)])


@cache
def grey_matter() -> Bool3D:
    """Voxels that are more grey matter than anything else."""
    grey = on_grid(datasets.load_mni152_gm_template(resolution=1))
    return brain_shape() & (grey > 0.5)


@cache
def brain_shape() -> Bool3D:
    """Grey and white matter of the template, which is its own mirror image; no ventricle."""
    brain = on_grid(datasets.load_mni152_brain_mask(resolution=1)) > 0
    grey = on_grid(datasets.load_mni152_gm_template(resolution=1))
    white = on_grid(datasets.load_mni152_wm_template(resolution=1))
    return brain & (grey + white > 0.5)


@cache
def left_cerebellum() -> Bool3D:
    """Left half of what lies below the tentorium: a tent whose top is at about (0, -55, 0) mm."""
    x, y, z = voxel_mm()
    tent = -0.55 * np.abs(x) - 0.2 * np.maximum(-55 - y, 0) - 0.6 * np.maximum(y + 55, 0)
    return brain_shape() & (x < 0) & (y < -36) & (z < tent)


@cache
def left_cerebrum() -> Bool3D:
    """Left half of the brain without cerebellum and brainstem; the plane x = 0 stays empty."""
    x, y, z = voxel_mm()
    stem = (x >= -16) & (y >= -44) & (y <= -10) & (z < -6)
    return brain_shape() & (x < 0) & ~left_cerebellum() & ~stem


def mirror(volume: NDArray[np.generic]) -> NDArray[np.generic]:
    """The volume with left and right exchanged; exact, as the grid is symmetric about x = 0."""
    return volume[::-1]


@cache
def territories() -> dict[str, Bool3D]:
    """The voxels that each artery supplies in the left cerebrum, and in the cerebellum."""
    where = np.argwhere(left_cerebrum())
    places = np.array([place for own in SUPPLY.values() for place in own], dtype=float)
    owner = np.repeat(np.arange(len(SUPPLY)), [len(own) for own in SUPPLY.values()])
    artery = owner[nearest_point(nib.affines.apply_affine(AFFINE, where), places)]
    maps = {}
    for number, name in enumerate(SUPPLY):
        maps[name] = np.zeros(SHAPE, dtype=bool)
        maps[name][tuple(where[artery == number].T)] = True
    maps["MCA trunk"] = maps["MCA superior"] | maps["MCA inferior"] | maps["lenticulostriate"]
    return {**maps, "cerebellar": left_cerebellum()}


def smooth_noise(rng: np.random.Generator) -> Float3D:
    """Noise of unit variance whose bumps are about 2 cm wide, on the whole grid."""
    coarse = tuple(n // 4 + 1 for n in SHAPE)
    noise = ndimage.gaussian_filter(rng.standard_normal(coarse), 1.0, mode="wrap")
    zoom = [n / c for n, c in zip(SHAPE, coarse, strict=True)]
    return ndimage.zoom(noise / noise.std(), zoom, order=1)


def draw_volume(rng: np.random.Generator, median_ml: float, largest_ml: float) -> float:
    """A log-normally distributed lesion volume, mL."""
    volume = median_ml * np.exp(SPREAD_OF_VOLUMES * rng.standard_normal())
    return float(np.clip(volume, 0.15, largest_ml * rng.uniform(0.8, 1.0)))


def nearest_voxels(
    rng: np.random.Generator, distance: Float3D, tissue: Bool3D, volume_ml: float
) -> Bool3D:
    """The voxels of a volume that are nearest once noise has bent the distances; one piece."""
    # Rounded, so that the last bit of a platform's arithmetic can't move a voxel.
    cost = np.round(distance * (1 + NOISE * smooth_noise(rng)), 6)
    candidates = np.flatnonzero(tissue)
    count = max(round(volume_ml / VOXEL_ML), 1)
    nearest = np.argsort(cost.ravel()[candidates], kind="stable")[:count]
    lesion = np.zeros(SHAPE, dtype=bool)
    lesion.flat[candidates[nearest]] = True
    pieces, _ = ndimage.label(lesion)
    return pieces == np.bincount(pieces.ravel())[1:].argmax() + 1


def from_depth(origin: NDArray[np.float64]) -> Float3D:
    """Distance from a point in mm, shorter on the ray from the depth of the hemisphere."""
    mm = np.stack(np.broadcast_arrays(*voxel_mm()), axis=-1) - DEPTH
    radius, own = np.linalg.norm(mm, axis=-1), np.linalg.norm(origin - DEPTH)
    towards = (mm @ (origin - DEPTH)) / np.maximum(radius * own, 1e-9)
    across = own * np.arccos(np.clip(towards, -1, 1))
    return np.sqrt(across**2 + (RADIALLY * (radius - own)) ** 2)


def make_infarct(rng: np.random.Generator, artery: str) -> Bool3D:
    """An infarct that begins near the trunk of an artery and hardly leaves its territory."""
    infarct, territory = INFARCTS[artery], territories()[artery]
    volume_ml = draw_volume(rng, infarct.median_ml, infarct.largest_ml)
    origin = np.array(infarct.trunk) + infarct.scatter * rng.standard_normal(3)
    blob = Ellipsoid(tuple(origin), (0.8, 1.3, 1.1))
    distance = from_depth(origin) if infarct.is_wedge else radius_in(blob)
    tissue = left_cerebellum() if artery == "cerebellar" else left_cerebrum()
    beyond = np.where(territory, 1.0, BEYOND)
    return nearest_voxels(rng, distance * beyond, tissue, volume_ml)


def make_lacune(rng: np.random.Generator) -> Bool3D:
    """A small ellipsoid where arteries perforate."""
    site = rng.choice(len(LACUNES), p=[share for *_, share in LACUNES])
    centre, spread, _ = LACUNES[site]
    place = np.array(centre) + spread * rng.standard_normal(3)
    place[0] = min(place[0], -5.0)
    radii = rng.uniform(*LACUNE_MM, size=3) / 2
    x, _, _ = voxel_mm()
    lesion = (radius_in(Ellipsoid(tuple(place), tuple(radii))) <= 1) & brain_shape() & (x < 0)
    return lesion if lesion.any() else make_lacune(rng)


def make_haemorrhage(rng: np.random.Generator, kind: str) -> Bool3D:
    """A roundish lesion that heeds no territory."""
    places, spread, median_ml, largest_ml = HAEMORRHAGES[kind]
    centre = np.array(places[rng.integers(len(places))]) + spread * rng.standard_normal(3)
    blob = Ellipsoid(tuple(centre), (0.9, 1.2, 1.0))
    volume_ml = draw_volume(rng, median_ml, largest_ml)
    return nearest_voxels(rng, radius_in(blob), left_cerebrum(), volume_ml)


def make_lesion(rng: np.random.Generator, what: str) -> tuple[str, str, Bool3D]:
    """Type of the stroke, its place, and its lesion on the left."""
    if what == "lacune":
        return "lacune", "perforators", make_lacune(rng)
    if what in HAEMORRHAGES:
        return "haemorrhage", what, make_haemorrhage(rng, what)
    return "infarct", what, make_infarct(rng, what)


def make_cohort(rng: np.random.Generator, letter: str) -> Iterator[tuple[str, str, str, Bool3D]]:
    """Patient ids, type and place of the stroke, and lesions, in random order."""
    plan = [(what, side) for what, side, n in COHORTS[letter] for _ in range(n)]
    for number, which in enumerate(rng.permutation(PATIENTS), start=1):
        what, side = plan[which]
        kind, place, lesion = make_lesion(rng, what)
        lesion = lesion if side == "L" else mirror(lesion)
        yield f"sub-{letter}{number:02d}", kind, f"{place} {side}", lesion


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
    cortex = left_cerebrum() & grey_matter()
    where = np.argwhere(cortex)
    points_mm = nib.affines.apply_affine(AFFINE, where)
    places = np.array([place for own, _ in LOBES.values() for place in own], dtype=float)
    owner = np.repeat(np.arange(len(LOBES)), [len(own) for own, _ in LOBES.values()])
    lobe_of = owner[nearest_point(points_mm, places)]
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
        tissue = left_cerebrum() & grey_matter() if name == "insula" else left_cerebrum()
        yield name, lobe, (radius_in(ellipsoid) <= 1) & tissue
    _, y, _ = voxel_mm()
    cerebellum = left_cerebellum()
    yield "cerebellum 1", "cerebellum", cerebellum & (y >= MIDDLE_OF_CEREBELLUM_MM)
    yield "cerebellum 2", "cerebellum", cerebellum & (y < MIDDLE_OF_CEREBELLUM_MM)


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


def describe_patient(
    rng: np.random.Generator, patient: str, kind: str, place: str, lesion: Bool3D
) -> str:
    """One row of the participants table; a few values lack.

    The NIHSS grows with the logarithm of the volume, naming falls with the share of its region.
    """
    volume_ml = lesion.sum() * VOXEL_ML
    age = int(np.clip(round(67 + 12 * rng.standard_normal()), 24, 94))
    nihss = int(np.clip(round(4 * np.log1p(volume_ml) + 2.5 * rng.standard_normal()), 0, 38))
    share = lesion[radius_in(NAMING_BALL) <= 1].mean()
    naming = NAMING_BEST - NAMING_LOSS * share + NAMING_NOISE * rng.standard_normal()
    naming = int(np.clip(round(naming), 0, 60))
    sex = "F" if rng.random() < 0.46 else "M"
    shown = [
        "n/a" if rng.random() < missing else str(value)
        for value, missing in ((sex, 0.0), (age, 0.05), (nihss, 0.06), (naming, 0.03))
    ]
    return "\t".join([patient, patient[4].upper(), *shown, kind, place])


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
    rows = ["participant_id\tcohort\tsex\tage\tnihss\tnaming\tstroke\tplace"]
    for number, letter in enumerate(COHORTS):
        rng = np.random.default_rng([SEED, number])
        for patient, kind, place, lesion in make_cohort(rng, letter):
            file = folder / f"cohort_{letter}" / f"{patient}_lesion.nii.gz"
            write_image(lesion.astype(np.uint8), file)
            row = describe_patient(rng, patient, kind, place, lesion)
            if patient != NOT_IN_TABLE:
                rows.append(row)
    patients = "\n".join(rows) + "\n"
    (folder / "participants.tsv").write_text(patients, encoding="utf-8", newline="\n")
    labels, table = make_atlas(np.random.default_rng([SEED, len(COHORTS)]))
    write_image(labels, folder / "atlas" / "synthetic_atlas.nii.gz")
    (folder / "atlas" / "synthetic_atlas.csv").write_text(table, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    make_sample_data(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
