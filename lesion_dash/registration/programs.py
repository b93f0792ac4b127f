"""Programs that a user has installed: found, run, and the files they read and write."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, SetupError
from ..grid import Grid
from ..transforms import Field, Transform
from .engine import Report, Task
from .registration import Kind
from .working_pair import WorkingPair, bring_together, join

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
