"""Engines that are programs of the user's: found, told what to do, and read, or said why not."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from heads import make_grid
from scipy import ndimage

from lesion_dash.core.errors import Cancelled, InputError, SetupError
from lesion_dash.core.grid import Grid
from lesion_dash.scans.registration.deformable import (
    AntsEngine,
    GreedyEngine,
    bring_together,
    read_field,
    run_program,
    write_image,
)
from lesion_dash.scans.registration.process import run_in_worker
from lesion_dash.scans.registration.task import Task, Volume
from lesion_dash.transforms.transform import Transform

pytestmark = pytest.mark.skipif(os.name == "nt", reason="stands in for programs by scripts")

ENGINES = [
    pytest.param(GreedyEngine(), "greedy", "-gm", id="greedy"),
    pytest.param(AntsEngine(), "antsRegistration", "-x", id="ants"),
]
SHIFT = np.array([3.0, -5.0, 7.0])  # mm, RAS, from the placed subject to the template

# Writes the fields of a shift, as these programs do: vectors in LPS on the subject's grid.
STAND_IN = """
import os, sys
import numpy as np, SimpleITK as sitk
if sys.argv[-1].endswith("ersion"):
    print("Greedy Version 1.2.3" if "greedy" in sys.argv[0] else "ANTs Version: v2.5.4")
    sys.exit()
open({record!r}, "w").write("\\n".join(sys.argv[1:]) + "\\n" + os.getcwd())
subject = sitk.ReadImage("subject.nii")
known = sitk.ReadImage("known.nii") if os.path.exists("known.nii") else None
if known is not None:
    sitk.WriteImage(sitk.Cast(known, sitk.sitkFloat32), {record!r} + ".nii")
for level in range(3):
    print(f"Level {level} Iter    1" if "greedy" in sys.argv[0] else "2DIAGNOSTIC,     1, -0.5")
names = {"warp.nii": 1, "inverse.nii": -1} if "greedy" in sys.argv[0] else {
    "out0Warp.nii.gz": 1, "out0InverseWarp.nii.gz": -1}
for name, way in names.items():
    field = np.tile(np.float32([-3.0, 5.0, 7.0]) * way, (*subject.GetSize()[::-1], 1))
    image = sitk.GetImageFromArray(field, isVector=True)
    image.CopyInformation(subject)
    sitk.WriteImage(image, name)
"""


def quiet(share, words):
    assert 0 <= share <= 1
    assert words


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a Python script on the PATH under the name of a program, and nothing else."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(name: str, script: str) -> Path:
        record = tmp_path / "record.txt"
        program = tmp_path / name
        program.write_text(
            f"#!{sys.executable}\n" + script.replace("{record!r}", repr(str(record)))
        )
        program.chmod(0o755)
        return record

    return put


@pytest.fixture
def task():
    grid = make_grid((60, 72, 64), 4.0, (5, -10, 8))
    generator = np.random.default_rng(0)
    array = ndimage.gaussian_filter(generator.random(grid.shape), 1).astype(np.float32)
    lesion = np.zeros(grid.shape, bool)
    lesion[5:9, 6:10, 5:9] = True
    pose = np.array([[0, -1.0, 0, 4], [1.0, 0, 0, -6], [0, 0, 1.0, 2], [0, 0, 0, 1]])
    volume = Volume(array, grid)
    return Task(volume, volume, "deformable", Transform(pose), lesion)


@pytest.mark.parametrize(("engine", "program", "flag"), ENGINES)
def test_the_fields_of_the_program_become_a_transform(install, task, engine, program, flag):
    install(program, STAND_IN)
    told = []
    found = engine.register(task, lambda share, words: told.append((share, words)))
    points = task.moving.grid.to_mm([[6, 7, 6], [8, 9, 8]])
    turned = points @ task.start.matrix[:3, :3].T + task.start.matrix[:3, 3]
    np.testing.assert_allclose(found.template_points(points), turned + SHIFT, atol=1e-4)
    np.testing.assert_allclose(found.moving_points(turned + SHIFT), points, atol=1e-4)
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert sum("iteration" in words for _, words in told) == 3


@pytest.mark.parametrize(("engine", "program", "flag"), ENGINES)
def test_the_lesion_is_left_out_of_the_subject_which_is_the_fixed_image(
    install, task, engine, program, flag
):
    record = install(program, STAND_IN)
    engine.register(task, quiet)
    *arguments, folder = record.read_text().splitlines()
    assert arguments[arguments.index(flag) + 1] == "known.nii"
    assert " ".join(arguments).replace(",", " ").index("subject.nii template.nii") > 0
    assert not Path(folder).exists()
    known = sitk.GetArrayFromImage(sitk.ReadImage(f"{record}.nii")).T
    pair = bring_together(task)
    assert set(np.unique(known)) == {0, 1}
    assert not known[pair.unknown].any()
    record.unlink()
    Path(f"{record}.nii").unlink()
    engine.register(Task(task.moving, task.template, "deformable", Transform()), quiet)
    assert flag not in record.read_text().splitlines()
    assert not Path(f"{record}.nii").exists()


@pytest.mark.parametrize(("engine", "program", "flag"), ENGINES)
def test_its_version_is_asked_for(install, engine, program, flag):
    install(program, STAND_IN)
    assert engine.version() in ("greedy 1.2.3", "ANTs v2.5.4")


@pytest.mark.parametrize(("engine", "program", "flag"), ENGINES)
def test_a_program_that_is_not_there_is_told_with_its_remedy(install, task, engine, program, flag):
    for ask in (engine.version, lambda: engine.register(task, quiet)):
        with pytest.raises(SetupError, match=f"{program}: is not installed.*--engine dipy"):
            ask()


@pytest.mark.parametrize(("engine", "program", "flag"), ENGINES)
def test_what_a_failing_program_says_is_passed_on(install, task, engine, program, flag):
    script = (
        "import sys\nprint('start')\nprint('ERROR: no memory left', file=sys.stderr)\nsys.exit(3)"
    )
    install(program, script)
    with pytest.raises(InputError, match=rf"{program}: ended with code 3: ERROR: no memory left"):
        engine.register(task, quiet)


@pytest.mark.parametrize(("engine", "program", "flag"), ENGINES)
def test_a_program_that_is_killed_or_writes_nothing_is_told(install, task, engine, program, flag):
    install(program, "import os\nos.kill(os.getpid(), 9)")
    with pytest.raises(InputError, match="ended with signal 9: it said nothing"):
        engine.register(task, quiet)
    install(program, "")
    with pytest.raises(InputError, match="was not written by the program"):
        engine.register(task, quiet)


@pytest.mark.parametrize("engine", [GreedyEngine(), AntsEngine()])
def test_a_program_is_ended_when_the_user_stops(install, task, engine, tmp_path):
    name, line = ("greedy", "Level 0 Iter  1")
    if isinstance(engine, AntsEngine):
        name, line = ("antsRegistration", "DIAGNOSTIC, 1, 2")
    pid = tmp_path / "pid"
    install(
        name,
        f"import os, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        f"print({line!r}, flush=True)\ntime.sleep(60)",
    )

    def stop(share, words):
        if "iteration" in words:
            raise Cancelled

    began = time.monotonic()
    with pytest.raises(Cancelled, match="stopped by the user"):
        engine.register(task, stop)
    assert time.monotonic() - began < 30
    assert not psutil.pid_exists(int(pid.read_text()))


def test_a_program_does_not_outlive_an_engine_that_was_killed(install, task, tmp_path):
    """The system ends the engine's process alone where memory runs out."""
    pid = tmp_path / "pid"
    install(
        "antsRegistration",
        f"import os, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        "os.kill(os.getppid(), 9)\ntime.sleep(60)",
    )
    with pytest.raises(InputError, match="was ended from outside"):
        run_in_worker(task, "ants", quiet)
    until = time.monotonic() + 5
    while is_running(int(pid.read_text())) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(int(pid.read_text()))


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_program_that_cannot_be_started_is_told(tmp_path, monkeypatch, task):
    broken = tmp_path / "greedy"
    broken.write_bytes(b"\x7fELF of another machine")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert GreedyEngine().version() == "greedy"
    with pytest.raises(InputError, match="greedy: cannot be started: Exec format error"):
        GreedyEngine().register(task, quiet)


def test_arguments_are_never_read_by_a_shell(tmp_path):
    said = []
    words = ["$(touch harm)", "; touch harm", "a b"]
    run_program(
        [sys.executable, "-c", "import sys; print(sys.argv[1:])", *words], tmp_path, said.append
    )
    assert said == [f"{words}\n"]
    assert not list(tmp_path.iterdir())


def test_an_image_lies_where_itk_expects_it(tmp_path):
    grid = Grid((5, 6, 7), np.array([[2.0, 0, 0, -30], [0, 2, 0, 12], [0, 0, 2, 9], [0, 0, 0, 1]]))
    array = np.random.default_rng(1).random(grid.shape).astype(np.float32)
    write_image(array, grid, tmp_path / "image.nii")
    image = sitk.ReadImage(str(tmp_path / "image.nii"))
    lps = np.array(image.TransformIndexToPhysicalPoint((1, 2, 3)))
    np.testing.assert_allclose(lps * [-1, -1, 1], grid.to_mm([1, 2, 3]), atol=1e-5)
    assert image[1, 2, 3] == array[1, 2, 3]


def test_a_field_moves_points_as_itk_does(tmp_path):
    grid = make_grid((40, 48, 44), 4.0, (3, -20, 6))
    generator = np.random.default_rng(2)
    vectors = ndimage.gaussian_filter(generator.normal(size=(*grid.shape, 3)), (2, 2, 2, 0)) * 20
    write_image(np.zeros(grid.shape, np.float32), grid, tmp_path / "image.nii")
    image = sitk.GetImageFromArray(vectors.transpose(2, 1, 0, 3), isVector=True)
    image.CopyInformation(sitk.ReadImage(str(tmp_path / "image.nii")))
    sitk.WriteImage(image, str(tmp_path / "field.nii.gz"))
    field = read_field(tmp_path / "field.nii.gz", grid)
    oracle = sitk.DisplacementFieldTransform(image)
    points = grid.to_mm(generator.uniform(1, 8, (20, 3)))
    expected = [np.array(oracle.TransformPoint((p * [-1, -1, 1]).tolist())) for p in points]
    np.testing.assert_allclose(field.move(points), np.array(expected) * [-1, -1, 1], atol=1e-3)
    with pytest.raises(InputError, match=r"is a field of \(10, 12, 11\) voxels, not \(4, 4, 4\)"):
        read_field(tmp_path / "field.nii.gz", make_grid(16, 4.0))
