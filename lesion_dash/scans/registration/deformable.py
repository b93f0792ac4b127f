"""Deformable registration by dipy, ANTs or greedy."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...core.errors import InputError, SetupError
from ...core.grid import Grid
from ...transforms.transform import Field, Transform
from .task import Kind, Report, Task, Volume

MOST_VOXELS = 1_200_000
"""Of the grid to work on: the MNI152 template at 2 mm, where a warp is known to 0.5 mm."""

BORDER = 4
"""Voxels around the template, so that its own border may move: SyN holds the outermost still."""

_TISSUE = 0.1
"""Share of the brightest intensity above which a voxel is not background."""

_TOUCHED = 0.05
"""Share of a voxel that is lesioned from which on it is left out."""


@dataclass(frozen=True, eq=False)
class WorkingPair:
    """Both images on one isotropic grid along the axes of the template's space.

    Parameters
    ----------
    grid : Grid
    subject, template : array of float32, shape of the grid
        The moving image placed by the affine it starts from, and the template; 0 to 1.
    unknown : array of bool, or None
        Voxels whose intensities say nothing: the lesion, and what lies outside one of the images
        where the other shows tissue there.
    """

    grid: Grid
    subject: NDArray[np.float32]
    template: NDArray[np.float32]
    unknown: NDArray[np.bool_] | None


def bring_together(task: Task, most_voxels: int = MOST_VOXELS) -> WorkingPair:
    """Place the moving image on the template, both on a grid that can be worked on."""
    grid = working_grid(task.template.grid, most_voxels)
    template = _sample(task.template, np.eye(4), grid)
    to_moving = np.linalg.inv(task.start.matrix)
    subject = _sample(task.moving, to_moving, grid)
    unknown = _uncovered(task.moving.grid, to_moving, grid, template)
    unknown |= _uncovered(task.template.grid, np.eye(4), grid, subject)
    if task.lesion is not None:
        lesion = Volume(task.lesion.astype(np.float32), task.moving.grid)
        unknown |= _sample(lesion, to_moving, grid) > _TOUCHED
    return WorkingPair(
        grid, _scaled(subject), _scaled(template), unknown if unknown.any() else None
    )


def working_grid(template: Grid, most_voxels: int = MOST_VOXELS) -> Grid:
    """An isotropic grid along the world's axes over a template, as fine as it is or coarser.

    Examples
    --------
    >>> grid = working_grid(Grid((100, 120, 100), np.diag([-1.0, 1, 1, 1])), 150_000)
    >>> grid.shape, grid.voxel_size.round(2).tolist()
    ((58, 68, 58), [2.0, 2.0, 2.0])
    """
    corners = template.corners()
    low, high = corners.min(axis=0), corners.max(axis=0)
    edge = float(template.voxel_size.min())
    while True:
        shape = np.floor((high - low) / edge + 1 + 1e-6)
        if np.prod(shape) <= most_voxels:
            break
        edge *= max(1.01, float(np.prod(shape) / most_voxels) ** (1 / 3) * 0.99)
    shape += 2 * BORDER
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = (low + high - (shape - 1) * edge) / 2
    nx, ny, nz = shape.astype(int).tolist()
    return Grid((nx, ny, nz), affine)


def _sample(volume: Volume, matrix: NDArray, grid: Grid) -> NDArray[np.float32]:
    """An image above its darkest value, at the points a matrix gives for a grid's; 0 outside."""
    steps = np.linalg.inv(volume.grid.affine) @ matrix @ grid.affine
    # Averaged first where the grid is coarser: it would pick single voxels otherwise.
    coarser = np.linalg.norm(steps[:3, :3], axis=1)
    sigmas = np.sqrt(np.maximum(coarser**2 - 1, 0)) / np.sqrt(8 * np.log(2))
    # Its darkest value counts as that of the air around it, so that it goes over into the 0 there.
    array = volume.array - volume.array.min()
    smooth = ndimage.gaussian_filter(array, sigmas, mode="constant")
    return _interpolate(smooth, steps, grid)


def _interpolate(array: NDArray, steps: NDArray, grid: Grid) -> NDArray[np.float32]:
    return ndimage.affine_transform(
        array,
        steps[:3, :3],
        steps[:3, 3],
        output_shape=grid.shape,
        order=1,
        mode="grid-constant",
        output=np.float32,
    )


def _uncovered(
    own: Grid, matrix: NDArray, grid: Grid, other: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Where one image ends before the tissue of the other does; nowhere if it never does."""
    steps = np.linalg.inv(own.affine) @ matrix @ grid.affine
    outside = _interpolate(np.ones(own.shape, np.float32), steps, grid) < 1 - _TOUCHED
    tissue = other > _TISSUE * np.percentile(other, 99)
    return outside if (outside & tissue).any() else np.zeros(grid.shape, bool)


def _scaled(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """To about 0 to 1; single bright voxels do not set the scale."""
    high = float(np.percentile(array, 99.9)) or float(array.max()) or 1.0
    return np.clip(array / high, 0, 2).astype(np.float32)


def join(task: Task, to_template: Field, to_subject: Field) -> Transform:
    """The affine and a warp within the template's space as one transform.

    Parameters
    ----------
    task : Task
    to_template, to_subject : Field
        On the working grid: from points of the moving image, placed by the affine, to those of the
        template, and back.
    """
    start = task.start
    return Transform(
        start.matrix,
        Field.of(task.template.grid, lambda points: start.moving_points(to_subject.move(points))),
        Field.of(task.moving.grid, lambda points: to_template.move(start.template_points(points))),
    )


# Programs that a user has installed: found, run, and the files they read and write.


_KEPT_LINES = 200
_TOLD_LINES = 3
_TO_LPS = np.diag([-1.0, -1.0, 1.0])


class ProgramEngine:
    """Deformable registration by a program; the subject is the fixed image.

    An engine says which program it is, how it is told what to do, and which files it leaves.
    """

    name: str
    kinds: tuple[Kind, ...] = ("deformable",)
    program: str
    title: str
    remedy: str
    asks_version: str
    version_pattern: str
    to_template: str
    to_subject: str

    def version(self) -> str:
        """Its name and version; raises `SetupError` where it is not installed."""
        command = [find_program(self.program, self.remedy), self.asks_version]
        return f"{self.title} {program_version(command, self.version_pattern)}".strip()

    def register(self, task: Task, report: Report) -> Transform:
        """From the moving image to the template, starting at `task.start`."""
        program = find_program(self.program, self.remedy)
        report(0.0, "images brought together")
        pair = bring_together(task)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_image(pair.subject, pair.grid, folder / "subject.nii")
            write_image(pair.template, pair.grid, folder / "template.nii")
            if pair.unknown is not None:
                write_image(self.known(pair.unknown), pair.grid, folder / "known.nii")
            run_program([program, *self.arguments(pair)], folder, self.progress(report))
            to_template = read_field(folder / self.to_template, pair.grid)
            to_subject = read_field(folder / self.to_subject, pair.grid)
        report(0.95, "fields written on both grids")
        return join(task, to_template, to_subject)

    def known(self, unknown: NDArray[np.bool_]) -> NDArray:
        """The mask of what counts, as the program wants it."""
        raise NotImplementedError

    def arguments(self, pair: WorkingPair) -> list[str]:
        """What the program is told."""
        raise NotImplementedError

    def progress(self, report: Report) -> Callable[[str], None]:
        """What is told each line that the program prints."""
        raise NotImplementedError


def find_program(name: str, remedy: str) -> str:
    """Path of a program that is installed.

    Raises
    ------
    SetupError
        Where it is not on the PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise SetupError(name, "is not installed: there is no such program on the PATH", remedy)
    return found


def program_version(command: list[str], pattern: str) -> str:
    """What a program says its version is, or nothing.

    Parameters
    ----------
    command : list of str
    pattern : str
        Regular expression whose first group is the version.
    """
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, errors="replace", timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(pattern, done.stdout + done.stderr)
    return found.group(1) if found else ""


def run_program(command: list[str], folder: Path, each_line: Callable[[str], None]) -> None:
    """Run a program in a folder and hand on each line it prints.

    Parameters
    ----------
    command : list of str
        The program and its arguments, as they are: no shell reads them.
    folder : Path
    each_line : callable
        What it raises ends the program.

    Raises
    ------
    InputError
        Where the program fails; with the last it said.
    """
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    with _start(command, folder) as process:
        try:
            for line in process.stdout or ():
                last.append(line.strip())
                each_line(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        name = Path(command[0]).name
        problem = f"ended with {_ending(process.returncode)}: {_said(last)}"
        raise InputError(name, problem, "try another engine")


def _start(command: list[str], folder: Path) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        problem = f"cannot be started: {error.strerror}"
        raise InputError(Path(command[0]).name, problem, "install it anew") from None


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"code {code}"


def _said(lines: deque[str]) -> str:
    """The last lines, from the first that speaks of an error on where one does."""
    kept = [line for line in lines if line]
    at = next((i for i, line in enumerate(kept) if re.search("(?i)error|exception", line)), None)
    told = kept[-_TOLD_LINES:] if at is None else kept[at : at + _TOLD_LINES]
    return " / ".join(told) or "it said nothing"


def write_image(array: NDArray, grid: Grid, path: Path) -> None:
    """Write an image for a program that is built on ITK, which reckons in LPS."""
    import SimpleITK

    image: Any = SimpleITK.GetImageFromArray(np.ascontiguousarray(np.transpose(array)))
    edges = grid.voxel_size
    image.SetSpacing(edges.tolist())
    image.SetOrigin((_TO_LPS @ grid.affine[:3, 3]).tolist())
    image.SetDirection((_TO_LPS @ grid.affine[:3, :3] / edges).ravel().tolist())
    SimpleITK.WriteImage(image, str(path))


def read_field(path: Path, grid: Grid) -> Field:
    """Read the displacement field that a program built on ITK has written on a grid.

    Raises
    ------
    InputError
        Where it was not written, lies on another grid, or holds what is no number.
    """
    import SimpleITK

    if not path.exists():
        raise InputError(path.name, "was not written by the program", "see what it printed")
    image: Any = SimpleITK.ReadImage(str(path), SimpleITK.sitkVectorFloat32)
    if image.GetSize() != grid.shape:
        raise InputError(path.name, f"is a field of {image.GetSize()} voxels, not {grid.shape}")
    mm = np.transpose(SimpleITK.GetArrayFromImage(image), (2, 1, 0, 3))
    return Field(grid, np.ascontiguousarray(mm * np.array([-1, -1, 1], np.float32)))


# Deformable registration by the program `antsRegistration`, where a user has installed it.


ANTS_ITERATIONS = (100, 70, 50, 20)
"""At most, from the coarsest level (8 voxels) to the finest."""

RADIUS = 4
"""Of the window of local correlation, in voxels."""


class AntsEngine(ProgramEngine):
    """SyN with local correlation by ANTs; the subject is the fixed image."""

    name = "ants"
    program = "antsRegistration"
    title = "ANTs"
    remedy = "install ANTs (https://github.com/ANTsX/ANTs), or choose --engine dipy"
    asks_version = "--version"
    version_pattern = r"Version: (\S+)"
    to_template = "out0Warp.nii.gz"
    to_subject = "out0InverseWarp.nii.gz"

    def known(self, unknown: NDArray[np.bool_]) -> NDArray:
        """ANTs masks the centres of windows: a window must not reach into the lesion either."""
        return np.asarray(~ndimage.binary_dilation(unknown, iterations=RADIUS), np.uint8)

    def arguments(self, pair: WorkingPair) -> list[str]:
        """What ANTs is told."""
        levels = len(ANTS_ITERATIONS)
        arguments = ["-d", "3", "--float", "1", "--verbose", "1", "--random-seed", "1"]
        arguments += ["-o", "out", "-t", "SyN[0.1,3,0]"]
        arguments += ["-m", f"CC[subject.nii,template.nii,1,{RADIUS}]"]
        arguments += ["-c", f"[{'x'.join(map(str, ANTS_ITERATIONS))},1e-6,10]"]
        arguments += ["-f", "x".join(str(2**level) for level in reversed(range(levels)))]
        arguments += ["-s", "x".join(map(str, reversed(range(levels)))) + "vox"]
        return arguments + (["-x", "known.nii"] if pair.unknown is not None else [])

    def progress(self, report: Report) -> _AntsProgress:
        """Tells how far ANTs is."""
        return _AntsProgress(report)


class _AntsProgress:
    """Tells how far ANTs is by the lines it prints."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.level = -1

    def __call__(self, line: str) -> None:
        if not (found := re.search(r"DIAGNOSTIC,\s*(\d+)", line)):
            return
        step = int(found[1])
        self.level += step == 1
        costs = 8.0 ** np.arange(len(ANTS_ITERATIONS)) * ANTS_ITERATIONS
        level = min(self.level, len(ANTS_ITERATIONS) - 1)
        share = (costs[:level].sum() + costs[level] * step / ANTS_ITERATIONS[level]) / costs.sum()
        self.report(0.05 + 0.9 * float(share), f"ANTs, level {level + 1}, iteration {step}")


# Deformable registration by the program `greedy`, where a user has installed it.


GREEDY_ITERATIONS = (100, 50, 25)
"""From the coarsest level (4 voxels) to the finest."""


class GreedyEngine(ProgramEngine):
    """Greedy diffeomorphic registration by local correlation; the subject is the fixed image."""

    name = "greedy"
    program = "greedy"
    title = "greedy"
    remedy = (
        "install it from the site of its makers (it comes with ITK-SNAP), or choose --engine dipy"
    )
    asks_version = "-version"
    version_pattern = r"Version (\S+)"
    to_template = "warp.nii"
    to_subject = "inverse.nii"

    def known(self, unknown: NDArray[np.bool_]) -> NDArray:
        """As numbers with a fraction: greedy truncates what it interpolates of whole ones."""
        return (~unknown).astype(np.float32)

    def arguments(self, pair: WorkingPair) -> list[str]:
        """What greedy is told."""
        arguments = ["-d", "3", "-m", "WNCC", "4x4x4", "-i", "subject.nii", "template.nii"]
        arguments += ["-n", "x".join(map(str, GREEDY_ITERATIONS)), "-s", "2vox", "1vox"]
        # As a stationary velocity: without it, space was folded at the borders of the images.
        arguments += ["-sv", "-seed", "1", "-wp", "0", "-o", self.to_template]
        arguments += ["-oinv", self.to_subject]
        return arguments + (["-gm", "known.nii"] if pair.unknown is not None else [])

    def progress(self, report: Report) -> _GreedyProgress:
        """Tells how far greedy is."""
        return _GreedyProgress(report)


class _GreedyProgress:
    """Tells how far greedy is by the lines it prints."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def __call__(self, line: str) -> None:
        if not (found := re.search(r"Level\s+(\d+)\s+Iter\s+(\d+)", line)):
            return
        level, step = int(found[1]), int(found[2])
        costs = 8.0 ** np.arange(len(GREEDY_ITERATIONS)) * GREEDY_ITERATIONS
        share = (costs[:level].sum() + costs[level] * step / GREEDY_ITERATIONS[level]) / costs.sum()
        self.report(0.05 + 0.9 * float(share), f"greedy, level {level + 1}, iteration {step + 1}")


# Deformable registration by dipy: SyN with local correlation.


DIPY_ITERATIONS = (100, 100, 25)
"""At most, from the coarsest level (4 voxels) to the finest."""

_LEAST_EDGE = 12
"""Voxels an axis needs at each level: more than the 9 of a window of local correlation."""


class DipyEngine:
    """SyN with local correlation; the subject is the fixed image, and its lesion is left out."""

    name = "dipy"
    kinds: tuple[Kind, ...] = ("deformable",)

    def version(self) -> str:
        """Its name and version; raises `SetupError` where it is not installed."""
        try:
            return f"dipy {version('dipy')}"
        except PackageNotFoundError:
            remedy = 'install it: pip install "lesion-dash[deformable]"'
            raise SetupError("dipy", "is not installed", remedy) from None

    def register(self, task: Task, report: Report) -> Transform:
        """From the moving image to the template, starting at `task.start`."""
        self.version()
        report(0.0, "images brought together")
        pair = bring_together(task)
        to_template, to_subject = _run_syn(pair, report)
        report(0.97, "fields written on both grids")
        return join(task, to_template, to_subject)


def _run_syn(pair: WorkingPair, report: Report) -> tuple[Field, Field]:
    from dipy.align.imwarp import SymmetricDiffeomorphicRegistration

    from .masked_metric import MaskedCC

    iterations = _iterations(pair)
    optimiser = SymmetricDiffeomorphicRegistration(
        MaskedCC(pair.unknown),
        level_iters=list(iterations),
        callback=_DipyProgress(pair, iterations, report),
    )
    optimiser.verbosity = 0
    found = optimiser.optimize(
        pair.subject,
        pair.template,
        static_grid2world=pair.grid.affine.copy(),
        moving_grid2world=pair.grid.affine.copy(),
    )
    # What dipy calls forward takes points of its moving image, here the template.
    return Field(pair.grid, found.backward), Field(pair.grid, found.forward)


def _iterations(pair: WorkingPair) -> tuple[int, ...]:
    """At the levels that a template is large enough for."""
    edge = min(pair.grid.shape)
    levels = sum(edge / 2**level >= _LEAST_EDGE for level in range(len(DIPY_ITERATIONS)))
    return DIPY_ITERATIONS[-max(levels, 1) :]


class _DipyProgress:
    """Tells after each iteration how far it is; a finer level has eight times the voxels."""

    def __init__(self, pair: WorkingPair, iterations: tuple[int, ...], report: Report) -> None:
        self.report = report
        self.edge = float(pair.grid.voxel_size[0])
        self.iterations = iterations
        costs = 8.0 ** np.arange(len(iterations)) * iterations
        self.shares = costs / costs.sum()

    def __call__(self, optimiser: Any, stage: int) -> None:
        from dipy.align import imwarp

        stages: Any = imwarp.RegistrationStages
        if stage != stages.ITER_END:
            return
        level = len(self.iterations) - 1 - optimiser.current_level
        step, most = optimiser.niter + 1, self.iterations[level]
        done = float(self.shares[:level].sum() + self.shares[level] * step / most)
        edge = self.edge * 2.0**optimiser.current_level
        self.report(0.02 + 0.95 * done, f"SyN at {edge:.3g} mm, iteration {step} of {most}")
