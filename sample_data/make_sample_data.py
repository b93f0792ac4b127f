"""Make the sample data: two synthetic stroke cohorts, a synthetic atlas and a participants table.

No patient's scan goes in. Lesions are drawn by a seeded random generator in the tissue of the
MNI152 template that nilearn ships (sample_brain.py), where a model of arterial territories of our
own (sample_arteries.py) says what an occlusion puts at risk. The same seed and releases of
libraries give the same files, byte for byte.

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
from sample_arteries import TREES, branch_points, part_of, supplied
from sample_atlas import make_atlas
from sample_brain import (
    AFFINE,
    SHAPE,
    VOXEL_ML,
    Bool3D,
    Ellipsoid,
    Float3D,
    Place,
    fill,
    left_tissue,
    mirror,
    points_along,
    points_of,
    radius_in,
    ways_to_the_surface,
)
from scipy import ndimage
from scipy.spatial import KDTree

SEED = 20190101
PATIENTS = 40
MNI152_CODE = 4
# This patient has a mask but no row, so that the join of table and masks is seen to cope.
NOT_IN_TABLE = "sub-b17"

# Naming suffers from lesions here, in the left posterior temporal lobe, and from no others.
NAMING_REGION = Ellipsoid((-56, -42, 2), (11, 11, 11))
NAMING_BEST, NAMING_LOSS = 60, 45


# Along the insula, where the trunk of the MCA divides, mm.
INSULA = ((-36, 16, -4), (-39, 2, 2), (-38, -14, 6))


@dataclass(frozen=True)
class Stroke:
    """One kind of stroke: what is lesioned, from where, and how much of it.

    Attributes
    ----------
    kind
        How the lesion grows: "cortical", "trunk", "perforator", "lacune" or "haemorrhage".
    artery
        The artery as the table names it; "n/a" for a haemorrhage, which keeps to none.
    branches
        Arteries of the model (keys of `TREES`) that are occluded.
    median_ml, spread, smallest_ml, largest_ml
        Median of the volume, standard deviation of its logarithm, and bounds.
    places
        Where it begins, mm, left side; by default anywhere along the branches.
    """

    kind: str
    artery: str
    branches: tuple[str, ...]
    median_ml: float
    spread: float
    smallest_ml: float
    largest_ml: float
    places: tuple[Place, ...] = ()

    @property
    def lesion_type(self) -> str:
        """As the table names it."""
        return self.kind if self.kind in {"lacune", "haemorrhage"} else "infarct"


# Emboli lodge where the divisions of the MCA fork, below the insula and the opercula. Volumes go
# with the size of what is occluded. A lacune of 4 to 15 mm across has 0.03 to 1.8 mL. Haemorrhages:
# median 11 mL, quartiles 6 and 20 (INTERACT2, Anderson et al. 2013, N Engl J Med 368:2355); lobar
# ones are larger.
STROKES = {
    "MCA superior": Stroke(
        *("cortical", "MCA", ("MCA superior",), 22, 0.9, 1, 110),
        places=((-44, 6, 4), (-52, 10, 12), (-58, -4, 18), (-58, -22, 26), (-46, 24, 12)),
    ),
    "MCA inferior": Stroke(
        *("cortical", "MCA", ("MCA inferior",), 22, 0.9, 1, 110),
        places=((-48, -20, 4), (-60, -28, 0), (-60, -40, 6), (-56, -50, 22), (-50, -60, 28)),
    ),
    "MCA trunk": Stroke(
        *("trunk", "MCA", ("MCA superior", "MCA inferior", "lenticulostriate"), 85, 0.3, 50, 150),
        places=((-48, 2, 6), (-50, -14, 10), (-50, -26, 12)),
    ),
    "striatocapsular": Stroke("perforator", "MCA", ("lenticulostriate",), 6, 0.6, 1.5, 18),
    "ACA": Stroke("cortical", "ACA", ("ACA",), 12, 0.8, 1, 60),
    "PCA": Stroke("cortical", "PCA", ("PCA",), 14, 0.8, 1, 60),
    "SCA": Stroke("perforator", "cerebellar", ("SCA",), 7, 0.6, 0.5, 20),
    "PICA": Stroke("perforator", "cerebellar", ("PICA",), 12, 0.6, 0.5, 35),
    "capsular lacune": Stroke("lacune", "MCA", ("lenticulostriate",), 0.4, 0.7, 0.05, 1.8),
    "white matter lacune": Stroke(
        *("lacune", "MCA", ("MCA superior",), 0.4, 0.7, 0.05, 1.8),
        places=((-27, 8, 26), (-28, -10, 30), (-28, -22, 28)),
    ),
    "thalamic lacune": Stroke("lacune", "PCA", ("thalamic",), 0.4, 0.7, 0.05, 1.8),
    "pontine lacune": Stroke("lacune", "basilar", ("basilar",), 0.4, 0.7, 0.05, 1.8),
    "putaminal haemorrhage": Stroke(
        "haemorrhage", "n/a", (), 14, 0.7, 3, 70, places=((-27, 0, 2), (-28, -6, 4))
    ),
    "thalamic haemorrhage": Stroke(
        "haemorrhage", "n/a", (), 8, 0.6, 2, 25, places=((-13, -18, 6),)
    ),
    "lobar haemorrhage": Stroke(
        *("haemorrhage", "n/a", (), 25, 0.6, 5, 80),
        places=((-40, -52, 20), (-34, 32, 20), (-46, -28, -8)),
    ),
}

# (stroke, side, number of patients); each cohort adds up to PATIENTS. Of unselected first infarcts
# half are in the MCA's territory, an eighth are lacunes (Ng et al. 2007, Stroke 38:2309). These are
# cohorts such as aphasia is studied in: more of the MCA, more of the left.
COHORTS = {
    "a": (
        ("MCA superior", "L", 11),
        ("MCA inferior", "L", 5),
        ("MCA trunk", "L", 5),
        ("striatocapsular", "L", 6),
        ("capsular lacune", "L", 2),
        ("white matter lacune", "L", 1),
        ("putaminal haemorrhage", "L", 3),
        ("ACA", "L", 2),
        ("MCA superior", "R", 3),
        ("capsular lacune", "R", 1),
        ("lobar haemorrhage", "R", 1),
    ),
    "b": (
        ("MCA inferior", "L", 10),
        ("MCA trunk", "L", 6),
        ("MCA superior", "L", 4),
        ("striatocapsular", "L", 4),
        ("PCA", "L", 3),
        ("ACA", "L", 1),
        ("thalamic lacune", "L", 1),
        ("pontine lacune", "L", 1),
        ("thalamic haemorrhage", "L", 1),
        ("lobar haemorrhage", "L", 1),
        ("MCA inferior", "R", 3),
        ("PCA", "R", 2),
        ("PICA", "R", 1),
        ("SCA", "R", 1),
        ("putaminal haemorrhage", "R", 1),
    ),
}


def smooth_noise(rng: np.random.Generator) -> Float3D:
    """Noise of unit variance whose bumps are about 2 cm wide, on the whole grid."""
    coarse = tuple(n // 4 + 1 for n in SHAPE)
    noise = ndimage.gaussian_filter(rng.standard_normal(coarse), 1.0, mode="wrap")
    zoom = [n / c for n, c in zip(SHAPE, coarse, strict=True)]
    return ndimage.zoom(noise / noise.std(), zoom, order=1)


def draw_voxels(rng: np.random.Generator, stroke: Stroke) -> int:
    """How many voxels to lesion: log-normally distributed within the stroke's bounds."""
    volume = stroke.median_ml * np.exp(stroke.spread * rng.standard_normal())
    largest = stroke.largest_ml * rng.uniform(0.85, 1.0)
    return round(float(np.clip(volume, stroke.smallest_ml, largest)) / VOXEL_ML)


def draw_place(rng: np.random.Generator, stroke: Stroke, scatter_mm: float) -> Place:
    """Where the stroke begins."""
    places = stroke.places or branch_points(stroke.branches[0])
    return tuple(rng.choice(places) + scatter_mm * rng.standard_normal(3))


def wedge_cost(place: Place, at_risk: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Cost of lesioning each voxel of the hemisphere from a branch on its surface.

    Penetrating arteries run from the surface towards the ventricle, so that what a branch supplies
    is a wedge with its base in the cortex: distance counts along the surface, and depth as well.
    """
    surface, depth = ways_to_the_surface()
    shallow = np.flatnonzero(at_risk & (depth <= 4))
    origin = surface[shallow[np.linalg.norm(surface[shallow] - place, axis=1).argmin()]]
    return np.hypot(np.linalg.norm(surface - origin, axis=1), 0.6 * depth)


def growth_cost(rng: np.random.Generator, stroke: Stroke, where: Bool3D) -> NDArray[np.float64]:
    """Order in which voxels of `where` are lesioned: infinite where other arteries supply them."""
    if stroke.kind == "haemorrhage":
        # A clot is round, and keeps to the borders of no artery.
        stretch = (1.0, 1.25, 1.0)
        return radius_in(Ellipsoid(draw_place(rng, stroke, 2.5), stretch))[where]
    at_risk = supplied(stroke.branches, 0.25 * smooth_noise(rng)[where])
    if stroke.kind in {"cortical", "trunk"}:
        place = draw_place(rng, stroke, 3.0)
        cost = wedge_cost(place, at_risk)
        if stroke.kind == "trunk":
            # The perforators have no collaterals, and the insula lies at the trunk: they go first.
            core = np.concatenate([branch_points("lenticulostriate"), points_along(INSULA)])
            cost = np.minimum(cost, 2 * KDTree(core).query(points_of(where))[0])
    else:
        points = points_of(where)[at_risk]
        centre = points[KDTree(points).query(draw_place(rng, stroke, 2.5))[1]]
        stretch = rng.uniform(0.7, 1.0, 3) if stroke.kind == "lacune" else (0.8, 1.3, 1.2)
        cost = radius_in(Ellipsoid(tuple(centre), tuple(stretch)))[where]
    return np.where(at_risk, cost, np.inf)


def grow_lesion(rng: np.random.Generator, stroke: Stroke) -> Bool3D:
    """A lesion of the left side: the voxels that are cheapest once noise has bent the costs.

    What is not connected to the largest piece is dropped.
    """
    where = TREES[part_of(stroke.branches[0])][0]() if stroke.branches else left_tissue()
    ragged = 0.15 if stroke.lesion_type == "infarct" else 0.06
    cost = growth_cost(rng, stroke, where) * (1 + ragged * smooth_noise(rng)[where])
    # Rounded, so that the last bit of a platform's arithmetic can't move a voxel.
    order = np.argsort(np.round(cost, 6), kind="stable")
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[: min(draw_voxels(rng, stroke), int(np.isfinite(cost).sum()))]] = True
    lesion = fill(where, chosen, elsewhere=False)
    pieces, _ = ndimage.label(lesion)
    largest = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
    return ndimage.binary_fill_holes(largest) & where


def make_cohort(letter: str) -> Iterator[tuple[str, np.random.Generator, Stroke, Bool3D]]:
    """Patients and their lesions, in an order that doesn't give the stroke away.

    Each patient has random numbers of his own, which also describe him.
    """
    cohort = list(COHORTS).index(letter)
    plan = [(name, side) for name, side, n in COHORTS[letter] for _ in range(n)]
    order = np.random.default_rng([SEED, cohort]).permutation(PATIENTS)
    for number, which in enumerate(order, start=1):
        name, side = plan[which]
        rng = np.random.default_rng([SEED, cohort, number])
        lesion = grow_lesion(rng, STROKES[name])
        patient = f"sub-{letter}{number:02d}"
        yield patient, rng, STROKES[name], lesion if side == "L" else mirror(lesion)


def naming_region() -> Bool3D:
    """The voxels that naming needs."""
    return (radius_in(NAMING_REGION) <= 1) & left_tissue()


def expected_nihss(lesion: Bool3D) -> float:
    """The score that follows size alone, wherever the lesion is."""
    return 4 * np.log1p(lesion.sum() * VOXEL_ML)


def expected_naming(lesion: Bool3D) -> float:
    """The score that follows place alone: how much of one region is lesioned."""
    region = naming_region()
    return NAMING_BEST - NAMING_LOSS * (lesion & region).sum() / region.sum()


def describe_patient(rng: np.random.Generator, patient: str, stroke: Stroke, lesion: Bool3D) -> str:
    """One row of the participants table; a few values lack."""
    age = int(np.clip(round(67 + 12 * rng.standard_normal()), 24, 94))
    nihss = int(np.clip(round(expected_nihss(lesion) + 2.5 * rng.standard_normal()), 0, 38))
    # Nobody names more than all pictures.
    naming = max(round(expected_naming(lesion) - 3 * abs(rng.standard_normal())), 0)
    sex = "F" if rng.random() < 0.46 else "M"
    shown = [
        "n/a" if rng.random() < missing else str(value)
        for value, missing in ((sex, 0.0), (age, 0.03), (nihss, 0.06), (naming, 0.06))
    ]
    return "\t".join([patient, patient[4].upper(), *shown, stroke.lesion_type, stroke.artery])


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
    """Write cohort_a, cohort_b, atlas, truth and participants.tsv into `folder`."""
    rows = ["participant_id\tcohort\tsex\tage\tnihss\tnaming\tlesion_type\tartery"]
    for letter in COHORTS:
        for patient, rng, stroke, lesion in make_cohort(letter):
            file = folder / f"cohort_{letter}" / f"{patient}_lesion.nii.gz"
            write_image(lesion.astype(np.uint8), file)
            if patient != NOT_IN_TABLE:
                rows.append(describe_patient(rng, patient, stroke, lesion))
    (folder / "participants.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    write_image(naming_region().astype(np.uint8), folder / "truth" / "naming_region.nii.gz")
    labels, table = make_atlas()
    write_image(labels, folder / "atlas" / "synthetic_atlas.nii.gz")
    (folder / "atlas" / "synthetic_atlas.csv").write_text(table, encoding="utf-8")


if __name__ == "__main__":
    make_sample_data(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
