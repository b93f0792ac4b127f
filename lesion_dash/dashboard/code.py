"""Python and commands that give the same files as the choices on the screen.

Each page asks for a list of requests (see `analyses.request`), whose texts these are.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import analyses
from ..cohort.selection import ALL_FILES
from ..core.text import printable
from ..plotting.figures import ML
from ..stats.overlap import FILE_NAME as OVERLAP_FILE
from ..stats.topography import FILE_NAMES
from .assignment_request import AssignmentRequest
from .assignment_service import MAPS_OF_COHORTS
from .comparison_service import PairRequest
from .loaded_volume import Voxel
from .session import Session
from .size_bias_service import SizeBiasRequest
from .state import Selection

if TYPE_CHECKING:
    from ..analyses.request import Request

ASSIGNMENT_FILE = "assignment.csv"
RESULTS = "results"
"""The folder that the lines write to."""


def texts_of(*requests: Request) -> tuple[str, str]:
    """Python and commands of requests, one after another."""
    from ..analyses.request import python_of  # with pydantic, of which a new page needs nothing

    commands = "".join(f"{request.as_command()}\n" for request in requests)
    return f"{python_of(requests)}\n", commands


@dataclass(frozen=True)
class Code:
    """Lines that show how the choices are made without the dashboard.

    Parameters
    ----------
    session : Session
    """

    session: Session

    def topography(self, selection: Selection) -> tuple[str, str]:
        """Python for maps, overlap and regions, and the commands; empty without a folder."""
        if not selection.cohort_a:
            return "", ""
        k, atlas = selection.min_patients, self._atlas(selection.atlas)
        requests: list[Request] = [self._stats(selection.cohort_a, k)]
        if why := self._why_apart(selection.cohort_a, selection.cohort_b):
            python, commands = texts_of(*requests)
            return f"{why}{python}", commands
        if selection.cohort_b:
            requests.append(self._overlap(selection, f"{RESULTS}/overlap", atlas))
        elif atlas:  # the regions of one cohort are a table of its report
            a = self._cohort(selection.cohort_a, "a")
            requests.append(
                analyses.WriteReport(**a, min_patients=k, output=f"{RESULTS}/report", **atlas)
            )
        return texts_of(*requests)

    def patients(self, name: str) -> tuple[str, str]:
        """The same for the patients of one cohort."""
        if not name:
            return "", ""
        stats = self._stats(name, 1)
        whole = {"path": stats.masks, **self._files(name)}
        return texts_of(stats, analyses.Check(**whole))

    def compare(self, request: PairRequest | None, atlas: str = "") -> tuple[str, str]:
        """The same for the differences of two cohorts, and in each region of an atlas."""
        if request is None:
            return "", ""
        if why := self._why_apart(request.cohort_a, request.cohort_b):
            return why, ""
        sides = self._sides(request.cohort_a, request.cohort_b)
        k = request.min_patients
        return texts_of(
            analyses.Compare(**sides, min_patients=k, output=RESULTS, **self._atlas(atlas))
        )

    def chance(self, request: SizeBiasRequest | None, atlas: str = "") -> tuple[str, str]:
        """The same for lesion volumes against chance, with regions named after an atlas."""
        if request is None:
            return "", ""
        bias = analyses.SizeBias(
            **self._cohort(request.cohort),
            min_patients=request.min_patients,
            permutations=request.permutations,
            seed=request.seed,
            side=request.side,
            clusters=True,
            output=RESULTS,
            **self._atlas(atlas),
        )
        return texts_of(bias)

    def assign(self, question: AssignmentRequest) -> tuple[str, str]:
        """The same for the assignment of a map to an atlas."""
        if question.source == "overlap" and (
            why := self._why_apart(question.selection.cohort_a, question.selection.cohort_b)
        ):
            return why, ""
        image, before = self._assigned(question) if question.atlas else ("", [])
        if not image:
            return "", ""
        assign = analyses.Assign(
            image=image,
            threshold=question.threshold * (ML if question.source == "mean" else 1.0),
            signs=question.signs,
            connectivity=question.connectivity,
            min_size_mm3=question.min_size_mm3,
            lower_threshold=question.lower_threshold,
            output=f"{RESULTS}/{ASSIGNMENT_FILE}",
            **self._atlas(question.atlas),
        )
        return texts_of(*before, assign)

    def inspect(self, folder: str, file: str, voxel: Voxel | None, volume: int) -> tuple[str, str]:
        """The same for what is in an image, and its value at a voxel.

        Parameters
        ----------
        folder : str
            Of the data root, empty for a file that was dropped onto the page.
        file : str
        voxel : tuple of int or None
            None where there are no voxels to look at.
        volume : int
            Of a 4D image, counted from 0.
        """
        if not file:
            return "", ""
        path = self._path(self.session.root.path / folder / file) if folder else file
        at: list[dict[str, Any]] = [{}, *([{"voxel": voxel, "volume": volume}] if voxel else [])]
        return texts_of(*(analyses.Inspect(image=path, **place) for place in at))

    def _stats(self, name: str, min_patients: int) -> analyses.Stats:
        return analyses.Stats(**self._cohort(name), min_patients=min_patients, output=RESULTS)

    def _overlap(
        self, selection: Selection, output: str, atlas: dict[str, Any]
    ) -> analyses.OverlapRequest:
        sides = self._sides(selection.cohort_a, selection.cohort_b)
        k = selection.min_patients
        return analyses.OverlapRequest(**sides, min_patients=k, output=output, **atlas)

    def _assigned(self, question: AssignmentRequest) -> tuple[str, list[Request]]:
        """The image that is assigned, empty where it is not chosen yet, and what makes it."""
        selection = question.selection
        if question.source not in MAPS_OF_COHORTS:
            path = self.session.root.path / question.source / question.file
            return (self._path(path) if question.file else ""), []
        if not selection.cohort_a:
            return "", []
        if question.source == "overlap":
            if not selection.cohort_b:
                return "", []
            return f"{RESULTS}/{OVERLAP_FILE}", [self._overlap(selection, RESULTS, {})]
        stats = self._stats(selection.cohort_a, selection.min_patients)
        return f"{RESULTS}/{FILE_NAMES[question.source]}", [stats]

    def _sides(self, a: str, b: str) -> dict[str, Any]:
        """Two cohorts, as requests of two folders name them."""
        return self._cohort(a, "a", "where_a") | self._cohort(b, "b", "where_b")

    def _cohort(self, name: str, path: str = "masks", where: str = "where") -> dict[str, Any]:
        """A cohort as requests name it: its folder, and the conditions that its patients meet."""
        folder, conditions = self.session.origin(name)
        place = self._path(self.session.root.cohort_folder(folder))
        return {path: place, where: conditions, **self._files(name)}

    def _files(self, name: str) -> dict[str, Any]:
        """Which files of a cohort count, as requests name it; nothing where all do."""
        usual = asdict(ALL_FILES)
        files = asdict(self.session.files_of(name))
        return {field: value for field, value in files.items() if value != usual[field]}

    def _why_apart(self, a: str, b: str) -> str:
        """A comment where other files count in A than in B: requests have one choice for both."""
        files = [self.session.files_of(name) for name in (a, b)]
        if not (a and b) or files[0] == files[1]:
            return ""
        in_a, in_b = (printable(choice.words or "Every file") for choice in files)
        return (
            f"# Files that count in A: {in_a}. In B: {in_b}.\n"
            "# One line takes one choice for both folders, so that none compares these two.\n"
        )

    def _atlas(self, name: str) -> dict[str, Any]:
        """An atlas as requests name it, nothing without one."""
        if not name:
            return {}
        image, table = self.session.root.atlas_files(name)
        return {"atlas": self._path(image), "labels": table and self._path(table)}

    def _path(self, path: Path) -> str:
        """A path from the folder that holds the data root: nothing of the computer is told."""
        root = self.session.root.path
        return (Path(root.name) / path.relative_to(root)).as_posix()
