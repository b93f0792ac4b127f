"""Make the sample template: a synthetic atlas of the right orbit, and a scan to bring onto it.

A head is drawn with ellipsoids, cones and tubes in the atlas's own space. Twenty heads that differ
a little give the template, the probability of each region, and the most probable label. One more
head, seen from another place, twice and with noise, is the scan. So the right answers are known:
where the scan lies, which tissue gives which signal, and how large the noise is. The same seed
gives the same files.

Usage::

    python make_sample_template.py [FOLDER]     (default: `template` beside this script)
"""

from __future__ import annotations

import gzip
import pickle
import sys
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
from make_sample_data import Ellipsoid
from numpy.typing import NDArray

SEED = 20190103
Floats = NDArray[np.float64]

# Atlas: 1 mm, RAS, the right orbit alone.
SHAPE = (56, 60, 48)
AFFINE = np.array([[1, 0, 0, 5], [0, 1, 0, 18], [0, 0, 1, -56], [0, 0, 0, 1]], dtype=float)
OTHER_TEMPLATE_CODE = 5
SUBJECTS = 20
# How much the heads of the atlas differ: standard deviations of shift, rotation and size.
SHIFT_MM, TURN_DEGREES, STRETCH = 0.5, 1.5, 0.02

# Scan: 1.5 mm, stored from right to left and from front to back (LPS), the front of a whole head.
SCAN_SHAPE = (108, 76, 72)
SCAN_AFFINE = np.array(
    [[-1.5, 0, 0, 82], [0, -1.5, 0, 92], [0, 0, 1.5, -74], [0, 0, 0, 1]], dtype=float
)
SCANNER_CODE = 1
NOISE = 4.0
# From the scan to the atlas: rotations about x, y and z, then sizes, then a shift.
SCAN_DEGREES = (3.0, -2.0, 4.0)
SCAN_SIZES = (1.03, 0.98, 1.02)
SCAN_SHIFT_MM = (3.0, -4.0, 5.0)
SUBVOXELS = 2  # along each edge of a voxel of the scan: its borders are partial volumes
AIR_BOX_MM = ((-78, -56), (64, 90), (-70, 30))  # of the scan, far from the face

# Label: name and signal. T1-weighted: fat is bright, the vitreous dark.
REGIONS = {
    1: ("lens", 120.0),
    2: ("globe", 48.0),
    3: ("optic nerve", 112.0),
    4: ("intraconal fat", 200.0),
    5: ("extraconal fat", 200.0),
    6: ("lateral rectus", 104.0),
    7: ("medial rectus", 104.0),
    8: ("inferior rectus", 104.0),
    9: ("superior rectus", 104.0),
}
AIR, SKIN, FLESH, BONE, BRAIN = 0, 10, 11, 12, 13
SIGNAL = np.zeros(14)
SIGNAL[list(REGIONS)] = [signal for _, signal in REGIONS.values()]
SIGNAL[[SKIN, FLESH, BONE, BRAIN]] = 170, 110, 24, 136
WAVES = 8
# Fine structure, as a share of the signal; of the regions, fat alone has septa.
TEXTURE = np.zeros(14)
TEXTURE[[4, 5, SKIN, FLESH, BONE, BRAIN]] = 0.06, 0.06, 0.1, 0.2, 0.5, 0.2

# Places in the atlas's space, mm in RAS. The left side is the mirror image of the right one.
HEAD = Ellipsoid((0, -15, -10), (76, 98, 105))
SKIN_MM, SKULL_MM = 4, 9  # depth of their inner surface
NOSE = Ellipsoid((0, 80, -50), (12, 18, 17))
NOSTRIL = Ellipsoid((5, 52, -52), (4, 28, 20))
ETHMOID = Ellipsoid((6, 42, -30), (5, 20, 9))
SINUS = Ellipsoid((30, 42, -67), (13, 16, 13))
BRAIN_FLOOR_MM = -13
EYE = Ellipsoid((32, 58, -32), (12, 12, 12))
LENS = Ellipsoid((32, 65.5, -32), (5, 2.8, 5))
APEX = np.array([17.0, 20.0, -29.0])  # where the muscles and the nerve come together
ORBIT = Ellipsoid((26, 42, -31), (40, 40, 40))  # nothing of it lies outside
ORBIT_FRONT_MM = 64
LID_MM = 1
INSERTIONS = {6: (10.5, -2, 0), 7: (-10.5, 1, 0), 8: (0, 0, -10.5), 9: (0, 0, 10.5)}


def radius_in(ellipsoid: Ellipsoid, points: Floats) -> Floats:
    """Distance from the centre in units of the semi-axes: 1 on the surface."""
    scaled = (points - ellipsoid.centre) / ellipsoid.radii
    return np.sqrt(np.einsum("ij,ij->i", scaled, scaled))


def along(points: Floats, start: Floats, end: Floats) -> tuple[Floats, Floats]:
    """Where points lie on a line, 0 at its start and 1 at its end, and how far from it, mm."""
    line = end - start
    place = (points - start) @ line / (line @ line)
    aside = points - start - place[:, None] * line
    return place, np.sqrt(np.einsum("ij,ij->i", aside, aside))


def tissue_at(points: Floats) -> NDArray[np.uint8]:
    """The label of every point (mm, shape (n, 3)); what is drawn later lies in front."""
    right = np.abs(points) * [1, 0, 0] + points * [0, 1, 1]
    found = np.full(len(points), AIR, np.uint8)
    depth_mm = (1 - radius_in(HEAD, right)) * min(HEAD.radii)
    found[(depth_mm > 0) | (radius_in(NOSE, right) <= 1)] = SKIN
    found[depth_mm > SKIN_MM] = FLESH
    skull = (depth_mm > SKIN_MM) & (right[:, 2] > BRAIN_FLOOR_MM - 5)
    found[skull] = BONE
    found[(depth_mm > SKULL_MM) & (right[:, 2] > BRAIN_FLOOR_MM)] = BRAIN
    found[radius_in(ETHMOID, right) <= 1] = BONE
    for hollow in (NOSTRIL, SINUS):
        found[radius_in(hollow, right) <= 1] = AIR
    near = np.flatnonzero((radius_in(ORBIT, right) <= 1) & (depth_mm > LID_MM))
    found[near] = draw_orbit(right[near], found[near])
    return found


def draw_orbit(points: Floats, around: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Walls, fat, muscles, nerve, globe and lens, in front of what is around them."""
    found = around.copy()
    centre = np.array(EYE.centre)
    place, aside = along(points, APEX, centre)
    is_behind_the_lid = (place > 0) & (points[:, 1] < ORBIT_FRONT_MM)
    found[is_behind_the_lid & (aside < 5 + 15.5 * np.minimum(place, 1))] = BONE
    found[is_behind_the_lid & (aside < 3 + 15.5 * np.minimum(place, 1))] = 5
    found[(place > 0) & (place < 1) & (aside < 1.5 + 9.5 * place)] = 4
    for label, offset in INSERTIONS.items():
        start, end = APEX + np.array(offset) / 4, centre + np.array(offset)
        place, aside = along(points, start, end)
        belly = 1.5 + 1.7 * np.sin(np.pi * np.clip(place, 0, 1))
        found[(place > 0) & (place < 1) & (aside < belly)] = label
    place, aside = along(points, APEX, centre)
    found[(place > -0.1) & (place < 1) & (aside < 2.3)] = 3
    found[radius_in(EYE, points) <= 1] = 2
    found[radius_in(LENS, points) <= 1] = 1
    return found


def texture_at(points: Floats) -> Floats:
    """Fine structure, of SD 1/2: waves of 6 to 20 mm in many directions."""
    rng = np.random.default_rng([SEED, 0])
    directions = rng.standard_normal((WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    waves = 2 * np.pi / rng.uniform(6, 20, WAVES)[:, None] * directions
    phases = rng.uniform(0, 2 * np.pi, WAVES)
    total = np.zeros(len(points))
    for wave, phase in zip(waves, phases, strict=True):
        total += np.cos(points @ wave + phase)
    return total / np.sqrt(2 * WAVES)


def signal_of(tissue: NDArray[np.uint8], texture: Floats) -> Floats:
    """What a scan without noise shows."""
    return SIGNAL[tissue] * (1 + TEXTURE[tissue] * texture)


def turn(degrees: tuple[float, float, float]) -> Floats:
    """Rotation about x, then y, then z."""
    whole = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        one = np.eye(3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        one[[i, j], [i, j]] = np.cos(angle)
        one[i, j], one[j, i] = -np.sin(angle), np.sin(angle)
        whole = one @ whole
    return whole


def known_transform() -> Floats:
    """From the scan to the atlas, 4 x 4, mm in RAS; six digits, as the text file has them."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.diag(SCAN_SIZES) @ turn(SCAN_DEGREES)
    matrix[:3, 3] = SCAN_SHIFT_MM
    return np.round(matrix, 6)


def voxel_points(shape: tuple[int, int, int], affine: Floats, offset: Floats) -> Floats:
    """World coordinates (mm) of all voxels, or of a place in them off the centre, C order."""
    voxels = np.indices(shape).reshape(3, -1).T + offset
    return voxels @ affine[:3, :3].T + affine[:3, 3]


def draw_subjects() -> list[tuple[Floats, Floats]]:
    """Matrix and shift of each head of the atlas, about the eye; their mean is not a change."""
    rng = np.random.default_rng([SEED, 1])
    numbers = rng.standard_normal((SUBJECTS, 7))
    numbers -= numbers.mean(axis=0)
    return [
        ((1 + STRETCH * one[6]) * turn(tuple(TURN_DEGREES * one[3:6])), SHIFT_MM * one[:3])
        for one in numbers
    ]


def make_atlas() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Template, probabilities in per cent with a region a volume, and most probable labels."""
    points = voxel_points(SHAPE, AFFINE, np.zeros(3))
    centre = np.array(EYE.centre)
    total, counts = np.zeros(len(points)), np.zeros((len(points), len(REGIONS)))
    for matrix, shift in draw_subjects():
        own = (points - centre) @ matrix.T + centre + shift
        tissue = tissue_at(own)
        total += signal_of(tissue, texture_at(own))
        counts += tissue[:, None] == list(REGIONS)
    template = np.rint(np.round(total / SUBJECTS, 6)).astype(np.uint8).reshape(SHAPE)
    percent = np.rint(100 * counts / SUBJECTS).astype(np.uint8)
    rest = 100 - percent.sum(axis=1)
    labels = np.where(percent.max(axis=1) > rest, percent.argmax(axis=1) + 1, 0)
    return template, percent.reshape(*SHAPE, -1), labels.astype(np.uint8).reshape(SHAPE)


def scan_without_noise() -> Floats:
    """The mean signal in every voxel of the scan."""
    affine = known_transform() @ SCAN_AFFINE
    texture = texture_at(voxel_points(SCAN_SHAPE, affine, np.zeros(3)))
    total = np.zeros(np.prod(SCAN_SHAPE))
    steps = (np.arange(SUBVOXELS) + 0.5) / SUBVOXELS - 0.5
    for offset in product(steps, repeat=3):
        points = voxel_points(SCAN_SHAPE, affine, np.array(offset))
        total += signal_of(tissue_at(points), texture)
    return np.round(total / SUBVOXELS**3, 6).reshape(SCAN_SHAPE)


def add_noise(signal: Floats, acquisition: int) -> NDArray[np.uint8]:
    """The magnitude of signal and complex noise, as one coil gives it."""
    real, imaginary = np.random.default_rng([SEED, 2, acquisition]).normal(
        0, NOISE, (2, *signal.shape)
    )
    return np.clip(np.rint(np.hypot(signal + real, imaginary)), 0, 255).astype(np.uint8)


def air_mask() -> NDArray[np.uint8]:
    """A box in front of the face, where the scan holds noise alone."""
    points = voxel_points(SCAN_SHAPE, SCAN_AFFINE, np.zeros(3))
    inside = [
        (low <= mm) & (mm <= high) for mm, (low, high) in zip(points.T, AIR_BOX_MM, strict=True)
    ]
    return np.all(inside, axis=0).astype(np.uint8).reshape(SCAN_SHAPE)


def pickle_bytes(array: NDArray[np.uint8]) -> bytes:
    """A dict of array and affine as a pickle, the same bytes with every version of numpy.

    Protocol 3 names functions in plain text; the older spelling is one that all versions load.
    """
    content = {"array": array, "affine": SCAN_AFFINE.tolist()}
    return pickle.dumps(content, protocol=3).replace(b"cnumpy._core.", b"cnumpy.core.")


def write_image(voxels: NDArray[np.generic], affine: Floats, code: int, file: Path) -> None:
    """Write a gzipped NIfTI whose bytes hold neither a date nor a file name."""
    image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, code)
    image.set_qform(affine, code)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"synthetic sample data of lesion_dash"
    file.write_bytes(gzip.compress(image.to_bytes(), compresslevel=9, mtime=0))


def write_text(lines: list[str], file: Path) -> None:
    """Write lines of text."""
    file.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def write_atlas(folder: Path) -> None:
    """Template, maps and the tables of their regions."""
    template, percent, labels = make_atlas()
    lens = (percent[..., 0] / np.float32(100)).astype(np.float32)
    images = {
        "template": template,
        "max_prob_map": labels,
        "probability_maps": percent,
        "lens_prob": lens,
    }
    for name, voxels in images.items():
        write_image(voxels, AFFINE, OTHER_TEMPLATE_CODE, folder / f"{name}.nii.gz")
    rows = ["index,name", *(f"{label},{name}" for label, (name, _) in REGIONS.items())]
    for name in ("max_prob_map", "probability_maps"):
        write_text(rows, folder / f"{name}.csv")


def write_scan(folder: Path) -> None:
    """Two acquisitions, air, and where the scan lies in the atlas's space."""
    signal = scan_without_noise()
    (folder / "moving_image.pkl").write_bytes(pickle_bytes(add_noise(signal, 1)))
    images = {"second_acquisition": add_noise(signal, 2), "air_mask": air_mask()}
    for name, voxels in images.items():
        write_image(voxels, SCAN_AFFINE, SCANNER_CODE, folder / f"{name}.nii.gz")
    rows = [" ".join(f"{number:.6f}" for number in row) for row in known_transform()]
    words = "# moving image -> template, mm in RAS: the right answer of the registration"
    write_text([words, *rows], folder / "known_transform.txt")


def make_sample_template(folder: Path) -> None:
    """Write the atlas and the scan into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atlas(folder)
    write_scan(folder)


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "template"
    make_sample_template(given)
