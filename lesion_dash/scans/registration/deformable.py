"""Deformable registration by dipy, ANTs or greedy."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...core.defaults import Kind
from ...core.errors import InputError, SetupError, cause_of
from ...core.grid import Grid
from ...images.maps import file_parts, read_vectors
from ...images.nifti import make_image
from ...transforms.transform import Field, Transform
from .levels import resample
from .task import Report, Task, Volume, package_version

MAX_VOXELS = 1_200_000
"""Of the grid to work on: the MNI152 template at 2 mm, where a warp is known to 0.5 mm."""

RADIUS = 4
"""Of the window of local correlation in voxels: 9 x 9 x 9, as SyN is published (Avants 2008)."""

BORDER = 4
"""Voxels around the template, so that its own border may move: SyN holds the outermost still."""

_TISSUE = 0.1
"""Fraction of the brightest intensity above which a voxel is not background. Arbitrary."""

_TOUCHED = 0.05
"""Lesioned fraction of a voxel from which on it does not count. Arbitrary, and small: a masked
lesion must not pull."""


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


def bring_together(task: Task, max_voxels: int = MAX_VOXELS) -> WorkingPair:
    """Place the moving image on the template, both on a grid that can be worked on."""
    grid = working_grid(task.template.grid, max_voxels)
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


def working_grid(template: Grid, max_voxels: int = MAX_VOXELS) -> Grid:
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
        if np.prod(shape) <= max_voxels:
            break
        edge *= max(1.01, float(np.prod(shape) / max_voxels) ** (1 / 3) * 0.99)
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
    return resample(smooth, steps, grid, "grid-constant")


def _uncovered(
    own: Grid, matrix: NDArray, grid: Grid, other: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Where one image ends before the tissue of the other does; nowhere if it never does."""
    steps = np.linalg.inv(own.affine) @ matrix @ grid.affine
    inside = resample(np.ones(own.shape, np.float32), steps, grid, "grid-constant")
    outside = inside < 1 - _TOUCHED
    tissue = other > _TISSUE * np.percentile(other, 99)
    return outside if (outside & tissue).any() else np.zeros(grid.shape, bool)


def _scaled(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """To about 0 to 1; single bright voxels do not set the scale."""
    high = float(np.percentile(array, 99.9)) or float(array.max()) or 1.0
    return np.clip(array / high, 0, 2).astype(np.float32)


def join(task: Task, to_template: Field, to_subject: Field) -> Transform:
    """The affine and a warp within the template's space as one transform.

    The fields lie on the working grid: they take points of the moving image, placed by the affine,
    to those of the template, and back.
    """
    start = task.start
    return Transform(
        start.matrix,
        Field.of(task.template.grid, lambda points: start.moving_points(to_subject.move(points))),
        Field.of(task.moving.grid, lambda points: to_template.move(start.template_points(points))),
    )


def work_done(iterations: tuple[int, ...], level: int, steps: int) -> float:
    """Which fraction of all work is done after some steps of a level, the coarsest first.

    Examples
    --------
    >>> work_done((10, 10), level=1, steps=5)  # a level has eight times the voxels of the last
    0.5555555555555556
    """
    costs = 8.0 ** np.arange(len(iterations)) * iterations
    return float((costs[:level].sum() + costs[level] * steps / iterations[level]) / costs.sum())


# Programs that a user has installed, and the files they read and write.


_LAST_LINES = 200  # of a program's output, among which an error is looked for; arbitrary
_SHOWN_LINES = 3  # of them, in an error
_TO_LPS = np.array([-1, -1, 1], np.float32)


class ProgramEngine:
    """Deformable registration by a program; the subject is the fixed image.

    An engine names its program, the arguments, the files that it leaves, and the pattern of the
    lines that report progress, with groups ``step`` and, unless each
    level begins with step 1, ``level``.
    """

    name: str
    kinds: tuple[Kind, ...] = ("deformable",)
    program: str
    title: str
    remedy: str
    version_option: str
    version_pattern: str
    to_template: str
    to_subject: str
    iterations: tuple[int, ...]
    step_pattern: str
    first_step: int

    def version(self) -> str:
        """Its name and version; raises `SetupError` where it is not installed."""
        command = [self._find_program(), self.version_option]
        pipes: dict[str, Any] = {"capture_output": True, "text": True, "errors": "replace"}
        try:
            done = subprocess.run(command, check=False, timeout=60, **pipes)
        except (OSError, subprocess.TimeoutExpired):
            return self.title
        match = re.search(self.version_pattern, done.stdout + done.stderr)
        return f"{self.title} {match[1]}" if match else self.title

    def register(self, task: Task, report: Report) -> Transform:
        """From the moving image to the template, starting at `task.start`."""
        program = self._find_program()
        report(0.0, "images brought together")
        pair = bring_together(task)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_image(pair.subject, pair.grid, folder / "subject.nii")
            write_image(pair.template, pair.grid, folder / "template.nii")
            if pair.unknown is not None:
                write_image(self._known(pair.unknown), pair.grid, folder / "known.nii")
            run_program([program, *self._arguments(pair)], folder, self._progress(report))
            to_template = read_field(folder / self.to_template, pair.grid)
            to_subject = read_field(folder / self.to_subject, pair.grid)
        report(0.95, "fields written on both grids")
        return join(task, to_template, to_subject)

    def _find_program(self) -> str:
        path = shutil.which(self.program)
        if path is None:
            problem = "is not installed: there is no such program on the PATH"
            raise SetupError(self.program, problem, self.remedy)
        return path

    def _progress(self, report: Report) -> Callable[[str], None]:
        level = -1

        def read_line(line: str) -> None:
            nonlocal level
            if not (match := re.search(self.step_pattern, line)):
                return
            step = int(match["step"])
            level = int(match["level"]) if "level" in match.groupdict() else level + (step == 1)
            level = min(level, len(self.iterations) - 1)
            done = work_done(self.iterations, level, step)
            number = step - self.first_step + 1
            report(0.05 + 0.9 * done, f"{self.title}, level {level + 1}, iteration {number}")

        return read_line

    def _known(self, unknown: NDArray[np.bool_]) -> NDArray:
        """The mask of what counts, as the program wants it."""
        raise NotImplementedError

    def _arguments(self, pair: WorkingPair) -> list[str]:
        raise NotImplementedError


def run_program(command: list[str], folder: Path, each_line: Callable[[str], None]) -> None:
    """Run a program in a folder and hand on each line it prints.

    The arguments go as they are: no shell reads them. What `each_line` raises ends the program.

    Raises
    ------
    InputError
        Where the program cannot be started, or fails; with the last it printed.
    """
    program = Path(command[0]).name
    lines: deque[str] = deque(maxlen=_LAST_LINES)
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    pipes |= {"stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    try:
        process = subprocess.Popen(command, cwd=folder, **pipes)
    except OSError as error:
        problem = f"cannot be started: {error.strerror}"
        raise InputError(program, problem, _start_remedy(error)) from None
    with process:
        try:
            for line in process.stdout or ():
                lines.append(line.strip())
                each_line(line)
        except BaseException:
            process.kill()
            raise
    if code := process.returncode:
        ending = f"signal {-code}" if code < 0 else f"code {code}"
        problem = f"ended with {ending}: {_last_message(lines)}"
        raise InputError(program, problem, "try another engine")


def _start_remedy(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "ask its administrator for permission to run it"
    return "free some memory" if cause_of(error) == "memory" else "reinstall it"


def _last_message(lines: deque[str]) -> str:
    """The last lines, from the first that speaks of an error on where one does."""
    texts = [line for line in lines if line]
    at = next((i for i, text in enumerate(texts) if re.search("(?i)error|exception", text)), None)
    shown = texts[-_SHOWN_LINES:] if at is None else texts[at : at + _SHOWN_LINES]
    return " / ".join(shown) or "it printed nothing"


def write_image(array: NDArray, grid: Grid, path: Path) -> None:
    """Write an image for a program."""
    path.write_bytes(b"".join(file_parts(make_image(grid, array, "lesion_dash"), path.name)))


def read_field(path: Path, grid: Grid) -> Field:
    """Read the displacement field that a program built on ITK has written on a grid.

    Raises
    ------
    InputError
        Where it was not written, lies on another grid, or holds what is not a number.
    """
    if not path.exists():
        raise InputError(path.name, "was not written by the program", "see what it printed")
    own, vectors = read_vectors(path)
    if own.shape != grid.shape:
        raise InputError(path.name, f"is a field of {own.shape} voxels, not {grid.shape}")
    return Field(grid, np.asarray(vectors * _TO_LPS, np.float32))


class AntsEngine(ProgramEngine):
    """SyN with local correlation by ANTs; the subject is the fixed image."""

    name = "ants"
    program = "antsRegistration"
    title = "ANTs"
    remedy = "install ANTs (https://github.com/ANTsX/ANTs), or choose --engine dipy"
    version_option = "--version"
    version_pattern = r"Version: (\S+)"
    to_template = "out0Warp.nii.gz"
    to_subject = "out0InverseWarp.nii.gz"
    # At most, from the coarsest level (8 voxels) to the finest, as antsRegistrationSyN.sh has it.
    iterations = (100, 70, 50, 20)
    step_pattern = r"DIAGNOSTIC,\s*(?P<step>\d+)"
    first_step = 1

    def _known(self, unknown: NDArray[np.bool_]) -> NDArray:
        # ANTs masks the centres of windows: a window must not reach into the lesion either.
        return np.asarray(~ndimage.binary_dilation(unknown, iterations=RADIUS), np.uint8)

    def _arguments(self, pair: WorkingPair) -> list[str]:
        levels = len(self.iterations)
        arguments = ["-d", "3", "--float", "1", "--verbose", "1", "--random-seed", "1"]
        arguments += ["-o", "out", "-t", "SyN[0.1,3,0]"]
        arguments += ["-m", f"CC[subject.nii,template.nii,1,{RADIUS}]"]
        arguments += ["-c", f"[{'x'.join(map(str, self.iterations))},1e-6,10]"]
        arguments += ["-f", "x".join(str(2**level) for level in reversed(range(levels)))]
        arguments += ["-s", "x".join(map(str, reversed(range(levels)))) + "vox"]
        return arguments + (["-x", "known.nii"] if pair.unknown is not None else [])


class GreedyEngine(ProgramEngine):
    """Greedy diffeomorphic registration by local correlation; the subject is the fixed image."""

    name = "greedy"
    program = "greedy"
    title = "greedy"
    remedy = (
        "install it from the site of its makers (it comes with ITK-SNAP), or choose --engine dipy"
    )
    version_option = "-version"
    version_pattern = r"Version (\S+)"
    to_template = "warp.nii"
    to_subject = "inverse.nii"
    iterations = (100, 50, 25)  # from the coarsest level (4 voxels) to the finest
    step_pattern = r"Level\s+(?P<level>\d+)\s+Iter\s+(?P<step>\d+)"
    first_step = 0

    def _known(self, unknown: NDArray[np.bool_]) -> NDArray:
        # As numbers with a fraction: greedy truncates what it interpolates of whole ones.
        return (~unknown).astype(np.float32)

    def _arguments(self, pair: WorkingPair) -> list[str]:
        arguments = ["-d", "3", "-m", "WNCC", "4x4x4", "-i", "subject.nii", "template.nii"]
        arguments += ["-n", "x".join(map(str, self.iterations)), "-s", "2vox", "1vox"]
        # As a stationary velocity: without it, space was folded at the borders of the images.
        arguments += ["-sv", "-seed", "1", "-wp", "0", "-o", self.to_template]
        arguments += ["-oinv", self.to_subject]
        return arguments + (["-gm", "known.nii"] if pair.unknown is not None else [])


_MIN_EDGE = 12
"""Voxels an axis needs at each level: more than the 9 of a window of local correlation."""


class DipyEngine:
    """SyN with local correlation; the subject is the fixed image, and its lesion does not count.

    Parameters
    ----------
    iterations : tuple of int
        At most, from the coarsest level to the finest, of which each has half the voxel's edge.
    """

    name = "dipy"
    kinds: tuple[Kind, ...] = ("deformable",)

    def __init__(self, iterations: tuple[int, ...] = (100, 100, 25)) -> None:
        self.iterations = iterations

    def version(self) -> str:
        """Its name and version; raises `SetupError` where it is not installed."""
        return package_version("dipy", _install_line())

    def register(self, task: Task, report: Report) -> Transform:
        """From the moving image to the template, starting at `task.start`."""
        self.version()
        report(0.0, "images brought together")
        pair = bring_together(task)
        to_template, to_subject = _run_syn(pair, self.iterations, report)
        report(0.97, "fields written on both grids")
        return join(task, to_template, to_subject)


def _install_line() -> str:
    """The command that installs dipy for this Python, with the bounds of the extra of this package.

    lesion_dash is in no registry, so that the name of the extra alone would find nothing.
    """
    names = (line.partition(";")[0].strip() for line in requires("lesion-dash") or ())
    dipy = next((name for name in names if name.startswith("dipy")), "dipy")
    return f"{shlex.quote(sys.executable)} -m pip install {shlex.quote(dipy)}"


def _run_syn(pair: WorkingPair, iterations: tuple[int, ...], report: Report) -> tuple[Field, Field]:
    from dipy.align.imwarp import RegistrationStages, SymmetricDiffeomorphicRegistration

    from .masked_correlation import MaskedCC  # which imports dipy

    # Only the levels that a template is large enough for.
    edge = min(pair.grid.shape)
    levels = sum(edge / 2**level >= _MIN_EDGE for level in range(len(iterations)))
    iterations = iterations[-max(levels, 1) :]
    stages: Any = RegistrationStages

    def progress(optimiser: Any, stage: int) -> None:
        if stage != stages.ITER_END:
            return
        level = len(iterations) - 1 - optimiser.current_level
        step = optimiser.niter + 1
        mm = float(pair.grid.voxel_size[0]) * 2.0**optimiser.current_level
        label = f"SyN at {mm:.3g} mm, iteration {step} of {iterations[level]}"
        report(0.02 + 0.95 * work_done(iterations, level, step), label)

    optimiser = SymmetricDiffeomorphicRegistration(
        MaskedCC(RADIUS, pair.unknown), level_iters=list(iterations), callback=progress
    )
    optimiser.verbosity = 0
    warp = optimiser.optimize(
        pair.subject,
        pair.template,
        static_grid2world=pair.grid.affine.copy(),
        moving_grid2world=pair.grid.affine.copy(),
    )
    # What dipy calls forward takes points of its moving image, here the template.
    return Field(pair.grid, warp.backward), Field(pair.grid, warp.forward)
