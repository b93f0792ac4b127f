"""Deformable registration: a known warp comes back, a lesion keeps its size, programs are used."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from dipy.align.imwarp import DiffeomorphicMap
from dipy.align.metrics import CCMetric
from grids import flipped
from heads import add_noise, apply, brain_points, head_at, make_grid, make_head, make_pose
from scipy import ndimage

from lesion_dash.core.errors import Cancelled, InputError, SetupError
from lesion_dash.core.grid import Grid
from lesion_dash.scans.registration.deformable import (
    BORDER,
    RADIUS,
    AntsEngine,
    DipyEngine,
    GreedyEngine,
    bring_together,
    join,
    read_field,
    run_program,
    working_grid,
    write_image,
)
from lesion_dash.scans.registration.masked_correlation import MaskedCC, masked_factors
from lesion_dash.scans.registration.process import run_in_worker
from lesion_dash.scans.registration.task import Task, Volume, package_version
from lesion_dash.transforms.transform import Field, Transform, jacobian_map, points_of

VOXEL_MM = 6.0
GRID = make_grid((144, 180, 162), VOXEL_MM, (0, -15, 16))
POSE = make_pose((5, -4, 6), (6, -4, 5), 1 / 1.05)
CENTRE, REACH = np.array([25.0, -20, 30]), 27.0


def quiet(done, label):
    assert 0 <= done <= 1
    assert label


def bend(points):
    """A smooth displacement within the template's space, 2.5 mm in the mean."""
    x, y, z = np.moveaxis(points, -1, 0)
    waves = [np.sin(y / 26 + 1) + np.cos(z / 31), np.cos(x / 29) - np.sin(z / 24), np.sin(x / 27)]
    return 1.7 * np.stack(waves, axis=-1)


def to_template(points):
    """Where a point of the moving image truly lies."""
    placed = apply(POSE, points)
    return placed + bend(placed)


def to_moving(points):
    placed = points.copy()
    for _ in range(30):
        placed = points - bend(placed)
    return apply(np.linalg.inv(POSE), placed)


def is_lesion(points):
    """Of points of the template, so that its true volume there is known."""
    return np.linalg.norm((points - CENTRE) / [1, 1.2, 0.9], axis=-1) < REACH


def make_task(lesion=False):
    points = to_template(points_of(GRID))
    mask = is_lesion(points) if lesion else None
    values = np.where(mask, 20.0, head_at(points)) if lesion else head_at(points)
    moving = Volume(add_noise(values, 2, seed=2), GRID)
    template = Volume(make_head(GRID, noise=2, seed=1), GRID)
    return Task(moving, template, "deformable", Transform(POSE), mask)


@pytest.fixture(scope="module")
def with_lesion():
    return make_task(lesion=True)


def lesion_in_template(task, transform):
    """Fraction of the lesion's true volume in the template, and the mean error inside it in mm."""
    inside = task.moving.grid.to_mm(np.argwhere(task.lesion))
    error = np.linalg.norm(transform.template_points(inside) - to_template(inside), axis=1).mean()
    voxels = task.moving.grid.to_voxel(transform.moving_points(points_of(GRID)))
    lesion = task.lesion.astype(np.float32)
    warped = ndimage.map_coordinates(lesion, np.moveaxis(voxels, -1, 0), order=1) >= 0.5
    return warped.sum() / is_lesion(points_of(GRID)).sum(), error


# The tests ask for less than a voxel of 6 mm; a registration takes about a second.
FEW = DipyEngine((20, 20, 6))


def test_a_known_warp_is_found_to_a_fraction_of_a_voxel_both_ways():
    task, reports = make_task(), []
    transform = FEW.register(task, lambda done, label: reports.append((done, label)))
    template = brain_points()
    moving = to_moving(template)
    error = np.linalg.norm(transform.template_points(moving) - template, axis=1)
    assert np.linalg.norm(apply(POSE, moving) - template, axis=1).mean() > 2
    assert error.mean() < 0.25 * VOXEL_MM
    there = transform.template_points(transform.moving_points(template))
    back = transform.moving_points(transform.template_points(moving))
    assert np.linalg.norm(there - template, axis=1).mean() < 0.1
    assert np.linalg.norm(back - moving, axis=1).mean() < 0.1
    assert transform.to_moving.grid == task.template.grid
    assert transform.to_template.grid == task.moving.grid
    np.testing.assert_array_equal(transform.matrix, task.start.matrix)
    assert jacobian_map(transform, GRID).min() > 0.1  # space is not folded
    assert_grows(reports)
    assert reports[-1][0] > 0.9
    assert any(label.startswith("SyN at 12 mm, iteration 1 of ") for _, label in reports)
    assert any(label.startswith("SyN at 6 mm") for _, label in reports)


def assert_grows(reports):
    progress = [done for done, _ in reports]
    assert progress == sorted(progress)
    assert all(label for _, label in reports)
    assert 0 <= progress[0] <= progress[-1] <= 1


def test_a_masked_lesion_keeps_its_volume_one_that_is_ignored_does_not(with_lesion):
    fraction, error = lesion_in_template(with_lesion, FEW.register(with_lesion, quiet))
    assert fraction == pytest.approx(1, abs=0.05)
    assert error < 2
    ignored = FEW.register(replace(with_lesion, lesion=None), quiet)
    fraction, error = lesion_in_template(with_lesion, ignored)
    assert fraction < 0.8
    assert error > 3


def test_what_lies_under_the_mask_does_not_matter_and_the_same_gives_the_same(with_lesion):
    array = with_lesion.moving.array.copy()
    deep = ndimage.binary_erosion(with_lesion.lesion)  # its rim is mixed with what is around it
    array[deep] = 60 + 30 * np.random.default_rng(3).random(int(deep.sum()))
    tasks = (with_lesion, with_lesion, replace(with_lesion, moving=Volume(array, GRID)))
    once, again, other = (DipyEngine((4, 2)).register(task, quiet) for task in tasks)
    np.testing.assert_array_equal(once.to_moving.mm, again.to_moving.mm)
    np.testing.assert_array_equal(once.to_template.mm, again.to_template.mm)
    np.testing.assert_allclose(once.to_moving.mm, other.to_moving.mm, atol=1e-3)


def stop(done, label):
    """A report of a user who stops the work early on."""
    if "iteration" in label:
        raise Cancelled


def test_the_engine_stops_when_it_is_told_to(with_lesion):
    with pytest.raises(Cancelled, match="stopped by the user"):
        FEW.register(with_lesion, stop)


def test_a_template_of_few_voxels_is_worked_on_at_fewer_levels(program_task):
    labels = []
    task = replace(program_task, start=Transform(), lesion=None)
    transform = FEW.register(task, lambda done, label: labels.append(label))
    assert not any("SyN at 8 mm" in label for label in labels)
    points = task.moving.grid.to_mm([[4, 7, 6], [5, 9, 8]])
    np.testing.assert_allclose(transform.template_points(points), points, atol=0.1)


def test_both_images_are_brought_to_one_place():
    """Whatever the axes of the moving image: a marked point ends where the affine says."""
    turn = np.array([[0, -3.0, 0, 60], [0, 0, 2.5, -70], [3.0, 0, 0, -80], [0, 0, 0, 1]])
    grid, mark = Grid((60, 50, 64), turn), np.array([20.0, -8, 12])
    distance = np.linalg.norm(points_of(grid) - mark, axis=-1)
    moving = Volume(np.exp(-(distance**2) / 100).astype(np.float32), grid)
    template = Volume(np.ones(GRID.shape, np.float32), GRID)
    pair = bring_together(Task(moving, template, "deformable", Transform(POSE), distance < 15))
    centre = ndimage.center_of_mass(pair.subject)
    np.testing.assert_allclose(pair.grid.to_mm(centre), apply(POSE, mark), atol=0.2)
    inside = np.linalg.norm(points_of(pair.grid) - apply(POSE, mark), axis=-1) < 13
    assert pair.unknown[inside].all()


def test_tissue_that_the_moving_image_does_not_cover_is_left_out(with_lesion):
    half = Grid((*GRID.shape[:2], 20), GRID.affine)
    cut = Volume(with_lesion.moving.array[..., :20], half)
    pair = bring_together(replace(with_lesion, moving=cut, lesion=None))
    top, to_moving = half.corners()[:, 2].max(), with_lesion.start.moving_points
    assert pair.unknown[to_moving(points_of(pair.grid))[..., 2] > top + 0.1 * VOXEL_MM].all()
    brain = brain_points()
    seen = brain[to_moving(brain)[:, 2] < top - VOXEL_MM]
    assert len(seen) > 100
    voxels = pair.grid.to_voxel(seen).round().astype(int)
    assert pair.unknown[tuple(voxels.T)].mean() < 0.05


@pytest.mark.parametrize("axes", [(), (0,), (0, 1)])
def test_a_warp_and_an_affine_become_one_transform(axes):
    """Against the two applied one after the other to points, whatever the template's axes."""
    template = Volume(np.zeros(GRID.shape, np.float32), flipped(GRID, *axes))
    task = Task(template, template, "deformable", Transform(POSE))
    grid = working_grid(template.grid)
    np.testing.assert_allclose(grid.to_mm([BORDER] * 3), GRID.to_mm([0, 0, 0]))
    assert grid.shape == tuple(n + 2 * BORDER for n in GRID.shape)
    fields = [Field(grid, (way * bend(points_of(grid))).astype(np.float32)) for way in (1, -1)]
    transform, points = join(task, *fields), brain_points(20)
    np.testing.assert_allclose(transform.template_points(points), to_template(points), atol=0.15)
    expected = apply(np.linalg.inv(POSE), points - bend(points))
    np.testing.assert_allclose(transform.moving_points(points), expected, atol=0.15)


def test_the_grid_is_no_finer_than_can_be_worked_on():
    fine = Grid((197, 233, 189), np.diag([-1.0, 1, 1, 1]))
    grid = working_grid(fine)
    assert 1_000_000 < np.prod([n - 2 * BORDER for n in grid.shape]) <= 1_200_000
    assert 1.9 < grid.voxel_size[0] < 2.1
    np.testing.assert_allclose(grid.corners().mean(axis=0), fine.corners().mean(axis=0))
    margin = np.abs(grid.corners()).max(axis=0) - np.abs(fine.corners()).max(axis=0)
    assert np.all(margin > (BORDER - 1) * grid.voxel_size)
    assert np.all(margin <= BORDER * grid.voxel_size)


# --- Local correlation: dipy's own without a mask, numpy's sums with one ---------------------

UNKNOWN = np.zeros((24, 22, 26), bool)
UNKNOWN[9:14, 8:13, 10:17] = True


def step_of(metric, static, moving):
    """One step each way, as the optimiser asks for them."""
    shape, grid2world = static.shape, np.eye(4)
    still = DiffeomorphicMap(
        3, shape, disp_grid2world=grid2world, domain_shape=shape, domain_grid2world=grid2world,
        codomain_shape=shape, codomain_grid2world=grid2world,
    )  # fmt: skip
    still.allocate()
    metric.set_static_image(static, grid2world, np.ones(3), grid2world)
    metric.use_static_image_dynamics(static, still)
    metric.set_moving_image(moving, grid2world, np.ones(3), grid2world)
    metric.initialize_iteration()
    return metric.compute_forward(), metric.compute_backward(), metric.get_energy()


@pytest.fixture
def textures():
    generator = np.random.default_rng(5)
    made = [ndimage.gaussian_filter(generator.random((24, 22, 26)), 1.5) for _ in range(2)]
    return [(array / array.max()).astype(np.float32) for array in made]


@pytest.mark.parametrize("unknown", [None, np.zeros_like(UNKNOWN)], ids=["none", "empty"])
def test_without_a_mask_the_metric_is_the_plain_one_bit_by_bit(textures, unknown):
    plain = step_of(CCMetric(3, sigma_diff=2.0, radius=RADIUS), *textures)
    masked = step_of(MaskedCC(RADIUS, unknown), *textures)
    for first, second in zip(plain, masked, strict=True):
        np.testing.assert_array_equal(first, second)


def test_no_value_under_the_mask_has_any_effect_and_a_step_is_carried_into_it(textures):
    static, moving = textures
    noise = 0.5 * np.random.default_rng(6).random(static.shape)
    once = step_of(MaskedCC(RADIUS, UNKNOWN), static, moving)[:2]
    others = (
        (np.where(UNKNOWN, noise, static).astype(np.float32), moving),
        (static, np.where(UNKNOWN, 0, moving)),
    )
    for pair in others:
        again = step_of(MaskedCC(RADIUS, UNKNOWN), *pair)[:2]
        np.testing.assert_allclose(once, again, rtol=1e-4, atol=1e-6)
    seen = step_of(MaskedCC(RADIUS), static, moving)[0]
    assert np.abs(seen - once[0]).max() > 0.05 * np.abs(once[0]).max()
    for lengths in np.linalg.norm(once, axis=-1):
        assert lengths[UNKNOWN].min() > 0
        assert lengths[UNKNOWN].mean() < lengths[4:-4, 4:-4, 4:-4].max()


def test_factors_are_those_of_the_known_neighbours(textures):
    known = np.random.default_rng(7).random(UNKNOWN.shape) > 0.3
    voxels = [(12, 11, 13), (1, 2, 25), (23, 20, 0)]
    for voxel in voxels:
        known[voxel] = True
    factors = masked_factors(*textures, known, RADIUS)
    for voxel in voxels:
        window = tuple(slice(max(at - RADIUS, 0), at + RADIUS + 1) for at in voxel)
        values = [array[window][known[window]].astype(float) for array in textures]
        a, b = (own - own.mean() for own in values)
        own = [array[voxel] - of.mean() for array, of in zip(textures, values, strict=True)]
        np.testing.assert_allclose(factors[voxel], [*own, a @ b, a @ a, b @ b], rtol=1e-4)
    assert not factors[~known].any()


# --- Programs of the user: found, told what to do, read, or said why not ----------------------

PROGRAMS = {
    # How a stand-in prints its version and a step, and the files of its fields.
    "greedy": (GreedyEngine(), "Greedy Version 1.2.3", "Level {} Iter    1", "-gm"),
    "antsRegistration": (AntsEngine(), "ANTs Version: v2.5.4", "2DIAGNOSTIC,     1, -0.5", "-x"),
}
SHIFT = np.array([3.0, -5.0, 7.0])  # mm, RAS, from the placed subject to the template

# Writes the fields of a shift, as these programs do: vectors in LPS on the subject's grid.
STAND_IN = """
import os, shutil, sys
import numpy as np, SimpleITK as sitk
if sys.argv[-1].endswith("ersion"):
    print({version!r})
    sys.exit()
open({record!r}, "w").write("\\n".join(sys.argv[1:]) + "\\n" + os.getcwd())
if os.path.exists("known.nii"):
    shutil.copy("known.nii", {record!r} + ".nii")
for level in range(3):
    print({step!r}.format(level))
subject = sitk.ReadImage("subject.nii")
for name, way in {files!r}.items():
    field = np.tile(np.float32([-3.0, 5.0, 7.0]) * way, (*subject.GetSize()[::-1], 1))
    image = sitk.GetImageFromArray(field, isVector=True)
    image.CopyInformation(subject)
    sitk.WriteImage(image, name)
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a Python script on the PATH under the name of a program, and nothing else."""
    if os.name == "nt":
        pytest.skip("stands in for programs by scripts")
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(name: str, script: str = STAND_IN) -> Path:
        record, program = tmp_path / "record.txt", tmp_path / name
        engine, version, step, _ = PROGRAMS[name]
        files = {engine.to_template: 1, engine.to_subject: -1}
        values = {"record": str(record), "version": version, "step": step, "files": files}
        program.write_text(f"#!{sys.executable}\n{script.format(**values)}")
        program.chmod(0o755)
        return record

    return put


@pytest.fixture(scope="module")
def program_task():
    grid = make_grid((60, 72, 64), 4.0, (5, -10, 8))
    array = ndimage.gaussian_filter(np.random.default_rng(0).random(grid.shape), 1)
    lesion = np.zeros(grid.shape, bool)
    lesion[5:9, 6:10, 5:9] = True
    pose = np.array([[0, -1.0, 0, 4], [1.0, 0, 0, -6], [0, 0, 1.0, 2], [0, 0, 0, 1]])
    volume = Volume(array.astype(np.float32), grid)
    return Task(volume, volume, "deformable", Transform(pose), lesion)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_is_told_what_to_do_and_its_fields_become_a_transform(
    install, program_task, program
):
    record = install(program)
    task, (engine, *_, flag) = program_task, PROGRAMS[program]
    assert engine.version() in ("greedy 1.2.3", "ANTs v2.5.4")
    reports = []
    transform = engine.register(task, lambda done, label: reports.append((done, label)))
    points = task.moving.grid.to_mm([[6, 7, 6], [8, 9, 8]])
    turned = apply(task.start.matrix, points)
    np.testing.assert_allclose(transform.template_points(points), turned + SHIFT, atol=1e-4)
    np.testing.assert_allclose(transform.moving_points(turned + SHIFT), points, atol=1e-4)
    assert_grows(reports)
    assert sum("iteration" in label for _, label in reports) == 3
    # The subject is the fixed image, its lesion does not count, and the folder is gone.
    *arguments, folder = record.read_text().splitlines()
    assert arguments[arguments.index(flag) + 1] == "known.nii"
    assert "subject.nii template.nii" in " ".join(arguments).replace(",", " ")
    assert not Path(folder).exists()
    known = Path(f"{record}.nii")
    array = sitk.GetArrayFromImage(sitk.ReadImage(str(known))).T
    assert set(np.unique(array)) == {0, 1}
    assert not array[bring_together(task).unknown].any()
    # Nothing is masked without a lesion.
    known.unlink()
    engine.register(replace(task, start=Transform(), lesion=None), quiet)
    assert flag not in record.read_text().splitlines()
    assert not known.exists()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_or_package_that_is_missing_comes_with_its_remedy(install, program_task, program):
    engine = PROGRAMS[program][0]
    for call in (engine.version, lambda: engine.register(program_task, quiet)):
        with pytest.raises(SetupError, match=f"{program}: is not installed.*--engine dipy"):
            call()
    assert DipyEngine().version().startswith("dipy 1.")
    with pytest.raises(SetupError, match="no_such: is not installed; install it: pip install it"):
        package_version("no_such", "pip install it")


WITHOUT_DIPY = """
import importlib.metadata, sys
sys.modules["dipy"] = None
known = importlib.metadata.version
def version(name):
    if name == "dipy":
        raise importlib.metadata.PackageNotFoundError(name)
    return known(name)
importlib.metadata.version = version
from lesion_dash.dashboard.registering import why_not
from lesion_dash.scans import register_image
print(*(why_not(kind) for kind in ("rigid", "affine", "deformable")), sep="\\n")
"""


def test_without_dipy_all_but_deformable_is_offered_with_the_line_that_installs_it():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DIPY], capture_output=True, text=True, check=True
    )
    rigid, affine, deformable, _ = done.stdout.split("\n")
    assert (rigid, affine) == ("", "")
    line = deformable.partition("install it: ")[2]
    python, *words = shlex.split(line)
    assert (python, words[:3]) == (sys.executable, ["-m", "pip", "install"])
    needed = words[3]
    pyproject = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert [needed] == pyproject["project"]["optional-dependencies"]["deformable"]


FAILS = "import sys\nprint('start')\nprint('ERROR: no memory left', file=sys.stderr)\nsys.exit(3)"
# Writes its process number, prints a step, does as it is told, and stays.
STAYS = """
import os, time
open({record!r}, "w").write(str(os.getpid()))
print({step!r}.format(0), flush=True)
{act}
time.sleep(60)
"""


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    ("script", "match"),
    [
        (FAILS, "ended with code 3: ERROR: no memory left"),
        ("import os\nos.kill(os.getpid(), 9)", "ended with signal 9: it printed nothing"),
        ("", "was not written by the program"),
    ],
    ids=["fails", "is killed", "writes nothing"],
)
def test_how_a_program_fails_is_one_sentence(install, program_task, program, script, match):
    install(program, script)
    with pytest.raises(InputError, match=match):
        PROGRAMS[program][0].register(program_task, quiet)


def has_ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_is_ended_when_the_user_stops(install, program_task, program):
    record = install(program, STAYS.replace("{act}", ""))
    with pytest.raises(Cancelled, match="stopped by the user"):
        PROGRAMS[program][0].register(program_task, stop)
    assert not psutil.pid_exists(int(record.read_text()))


def test_a_program_does_not_outlive_a_worker_that_was_killed(install, program_task):
    """The system ends the worker process alone where memory runs out."""
    record = install("antsRegistration", STAYS.replace("{act}", "os.kill(os.getppid(), 9)"))
    with pytest.raises(InputError, match="was ended from outside"):
        run_in_worker(program_task, "ants", quiet)
    until = time.monotonic() + 5
    while not has_ended(int(record.read_text())) and time.monotonic() < until:
        time.sleep(0.05)
    assert has_ended(int(record.read_text()))


def test_a_program_that_cannot_be_started_is_one_sentence_by_its_cause(
    install, program_task, tmp_path, monkeypatch
):
    install("greedy")
    (tmp_path / "greedy").write_bytes(b"\x7fELF of another machine")
    assert GreedyEngine().version() == "greedy"
    for number, remedy in ((0, "Exec format error; reinstall it"),
                           (errno.EACCES, "Permission denied; ask its administrator"),
                           (errno.ENOMEM, "Cannot allocate memory; free some memory")):  # fmt: skip
        if number:
            error = OSError(number, os.strerror(number))
            monkeypatch.setattr(subprocess, "Popen", Mock(side_effect=error))
        with pytest.raises(InputError, match=f"greedy: cannot be started: {remedy}"):
            GreedyEngine().register(program_task, quiet)


def test_arguments_are_never_read_by_a_shell(tmp_path):
    lines, arguments = [], ["$(touch harm)", "; touch harm", "a b"]
    code = "import sys; print(sys.argv[1:])"
    run_program([sys.executable, "-c", code, *arguments], tmp_path, lines.append)
    assert lines == [f"{arguments}\n"]
    assert not list(tmp_path.iterdir())


def test_images_lie_where_itk_expects_them_and_its_fields_move_points_as_it_does(tmp_path):
    grid, flip = make_grid((40, 48, 44), 4.0, (3, -20, 6)), np.array([-1, -1, 1])
    generator = np.random.default_rng(2)
    array = generator.random(grid.shape).astype(np.float32)
    write_image(array, grid, tmp_path / "image.nii")
    image = sitk.ReadImage(str(tmp_path / "image.nii"))
    lps = np.array(image.TransformIndexToPhysicalPoint((1, 2, 3)))
    np.testing.assert_allclose(lps * flip, grid.to_mm([1, 2, 3]), atol=1e-5)
    assert image[1, 2, 3] == array[1, 2, 3]
    vectors = ndimage.gaussian_filter(generator.normal(size=(*grid.shape, 3)), (2, 2, 2, 0)) * 20
    written = sitk.GetImageFromArray(vectors.transpose(2, 1, 0, 3), isVector=True)
    written.CopyInformation(image)
    sitk.WriteImage(written, str(tmp_path / "field.nii.gz"))
    field = read_field(tmp_path / "field.nii.gz", grid)
    oracle = sitk.DisplacementFieldTransform(written)
    points = grid.to_mm(generator.uniform(1, 8, (20, 3)))
    expected = [oracle.TransformPoint(point) for point in (points * flip).tolist()]
    np.testing.assert_allclose(field.move(points), expected * flip, atol=1e-3)
    with pytest.raises(InputError, match=r"is a field of \(10, 12, 11\) voxels, not \(4, 4, 4\)"):
        read_field(tmp_path / "field.nii.gz", make_grid(16, 4.0))
