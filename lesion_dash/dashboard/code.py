"""Python and commands that give the same files as the choices on the screen.

Each page asks for a list of requests (see `analyses.request`), whose texts these are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import wraps
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from .. import analyses
from ..cohort.file_choice import ALL_FILES, FileChoice, joint_choice
from ..core.errors import InputError
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
from .symptom_choices import SymptomRequest

if TYPE_CHECKING:
    from ..analyses.request import Request

P = ParamSpec("P")

ASSIGNMENT_FILE = "assignment.csv"
RESULTS = "results"
"""The folder that the lines write to."""


def texts_of(*requests: Request) -> tuple[str, str]:
    """Python and commands of requests, one after another."""
    from ..analyses.request import python_of  # with pydantic, of which a new page needs nothing

    commands = "".join(f"{request.as_command()}\n" for request in requests)
    return f"{python_of(requests)}\n", commands


def _chosen(files: FileChoice) -> dict[str, Any]:
    """Which of a patient's files count, as requests have it, where that was chosen.

    Their space stands with that of the atlases, see `Session.stated_spaces`.
    """
    usual = asdict(replace(ALL_FILES, space=files.space))
    return {name: value for name, value in asdict(files).items() if value != usual[name]}


def _named(atlas: str) -> tuple[str, ...]:
    return (atlas,) if atlas else ()


def _of_one_atlas(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a request that takes one atlas, in place of those of several."""
    return {
        option: value[0] if isinstance(value, list) else value for option, value in options.items()
    }


def _where_possible(
    texts: Callable[Concatenate[Code, P], tuple[str, str]],
) -> Callable[Concatenate[Code, P], tuple[str, str]]:
    """Texts that say why there is no request of the same result, where there is none."""

    @wraps(texts)
    def call(code: Code, /, *given: P.args, **more: P.kwargs) -> tuple[str, str]:
        try:
            return texts(code, *given, **more)
        except InputError as error:
            return (f"# {error}\n",) * 2

    return call


@dataclass(frozen=True)
class Code:
    """Lines that show how the choices are made without the dashboard.

    Parameters
    ----------
    session : Session
    """

    session: Session

    @_where_possible
    def topography(self, selection: Selection) -> tuple[str, str]:
        """Python for maps, overlap and regions, and the commands; empty without a folder."""
        if not selection.cohort_a:
            return "", ""
        k, atlases = selection.min_patients, selection.atlases
        requests: list[Request] = [self._stats(selection.cohort_a, k)]
        if selection.cohort_b:
            requests.append(self._overlap(selection, f"{RESULTS}/overlap", atlases))
        elif atlases:  # the regions of one cohort are a table of its report
            a = self._cohort(selection.cohort_a, "a", atlases=atlases)
            requests.append(analyses.WriteReport(**a, min_patients=k, output=f"{RESULTS}/report"))
        return texts_of(*requests)

    def patients(self, name: str) -> tuple[str, str]:
        """The same for the patients of one cohort."""
        if not name:
            return "", ""
        stats = self._stats(name, 1)
        whole = {"path": stats.masks, **self._read(self.session.files_of(name))}
        return texts_of(stats, analyses.Check(**whole))

    @_where_possible
    def compare(self, request: PairRequest | None, atlas: str = "") -> tuple[str, str]:
        """The same for the differences of two cohorts, and in each region of an atlas."""
        if request is None:
            return "", ""
        sides = _of_one_atlas(self._sides(request.cohort_a, request.cohort_b, _named(atlas)))
        k = request.min_patients
        return texts_of(analyses.Compare(**sides, min_patients=k, output=RESULTS))

    def chance(self, request: SizeBiasRequest | None, atlas: str = "") -> tuple[str, str]:
        """The same for lesion volumes against chance, with regions named after an atlas."""
        if request is None:
            return "", ""
        bias = analyses.SizeBias(
            **_of_one_atlas(self._cohort(request.cohort, atlases=_named(atlas))),
            min_patients=request.min_patients,
            permutations=request.permutations,
            seed=request.seed,
            side=request.side,
            clusters=True,
            output=RESULTS,
        )
        return texts_of(bias)

    def symptoms(
        self, request: SymptomRequest | None, atlas: str = "", predicts: bool = False
    ) -> tuple[str, str]:
        """The same for the map of a score, and its prediction where one is shown."""
        if request is None:
            return "", ""
        of_map = _of_one_atlas(self._cohort(request.cohort, atlases=_named(atlas)))
        maps = analyses.LesionSymptomMap(
            **of_map,
            score=request.score,
            covariates=request.covariates,
            test=request.test,
            control=request.control,
            side=request.side,
            min_lesioned=request.min_lesioned,
            permutations=request.permutations,
            seed=request.seed,
            compare_control=request.compares,
            output=f"{RESULTS}/symptoms",
        )
        predicted = analyses.PredictSymptom(
            **self._cohort(request.cohort),
            score=request.score,
            covariates=request.covariates,
            seed=request.seed,
            output=f"{RESULTS}/prediction",
        )
        return texts_of(maps, *([predicted] if predicts else []))

    @_where_possible
    def assign(self, question: AssignmentRequest) -> tuple[str, str]:
        """The same for the assignment of a map to an atlas."""
        image, before = self._assigned(question) if question.atlas else ("", [])
        if not image:
            return "", ""
        atlas = _of_one_atlas(self._read(ALL_FILES, (question.atlas,)))
        of_map = (f"map={question.space}",) if question.space else ()
        assign = analyses.Assign(
            image=image,
            threshold=question.threshold * (ML if question.source == "mean" else 1.0),
            signs=question.signs,
            connectivity=question.connectivity,
            min_size_mm3=question.min_size_mm3,
            lower_threshold=question.lower_threshold,
            output=f"{RESULTS}/{ASSIGNMENT_FILE}",
            **atlas | {"space": (*of_map, *atlas["space"])},
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
        path = self._path(self.session.root.place(folder) / file) if folder else file
        at: list[dict[str, Any]] = [{}, *([{"voxel": voxel, "volume": volume}] if voxel else [])]
        return texts_of(*(analyses.Inspect(image=path, **place) for place in at))

    def _stats(self, name: str, min_patients: int) -> analyses.Stats:
        return analyses.Stats(**self._cohort(name), min_patients=min_patients, output=RESULTS)

    def _overlap(
        self, selection: Selection, output: str, atlases: Sequence[str]
    ) -> analyses.OverlapRequest:
        sides = self._sides(selection.cohort_a, selection.cohort_b, atlases)
        return analyses.OverlapRequest(**sides, min_patients=selection.min_patients, output=output)

    def _assigned(self, question: AssignmentRequest) -> tuple[str, list[Request]]:
        """The image that is assigned, empty where it is not chosen yet, and what makes it."""
        selection = question.selection
        if question.source not in MAPS_OF_COHORTS:
            path = self.session.root.place(question.source) / question.file
            return (self._path(path) if question.file else ""), []
        if not selection.cohort_a:
            return "", []
        if question.source == "overlap":
            if not selection.cohort_b:
                return "", []
            return f"{RESULTS}/{OVERLAP_FILE}", [self._overlap(selection, RESULTS, ())]
        stats = self._stats(selection.cohort_a, selection.min_patients)
        return f"{RESULTS}/{FILE_NAMES[question.source]}", [stats]

    def _sides(self, a: str, b: str, atlases: Sequence[str]) -> dict[str, Any]:
        """Two cohorts and atlases, as requests of two folders name them."""
        files = joint_choice(*map(self.session.files_of, (a, b)))
        places = self._place(a, "a", "where_a") | self._place(b, "b", "where_b")
        return places | self._read(files, atlases)

    def _cohort(
        self, name: str, path: str = "masks", where: str = "where", atlases: Sequence[str] = ()
    ) -> dict[str, Any]:
        """A cohort and atlases as requests name them, with what the patients meet."""
        return self._place(name, path, where) | self._read(self.session.files_of(name), atlases)

    def _place(self, name: str, path: str, where: str) -> dict[str, Any]:
        folder, conditions = self.session.origin(name)
        return {path: self._path(self.session.root.cohort_folder(folder)), where: conditions}

    def _read(self, files: FileChoice, atlases: Sequence[str] = ()) -> dict[str, Any]:
        """Atlases, and how they and the files of folders are read."""
        spaces = self.session.stated_spaces(files, atlases)
        return _chosen(files) | self._atlases(atlases) | {"space": spaces}

    def _atlases(self, names: Sequence[str]) -> dict[str, Any]:
        """Atlases as requests of several name them, nothing without one."""
        if not names:
            return {}
        files = [self.session.root.atlas_files(name) for name in names]
        tables = [self._path(table) for _, table in files if table is not None]
        named: dict[str, Any] = {"atlas": [self._path(image) for image, _ in files]}
        # One for each, or none: every table lies beside its atlas.
        named |= {"labels": tables} if len(tables) == len(names) else {}
        sides = self.session.joint_sides(names)
        return named | {option: True for option, is_chosen in sides.items() if is_chosen}

    def _path(self, path: Path | str) -> str:
        """A path from the folder that holds the data root: nothing of the computer is told.

        The visitor's own files are named as they were on the computer they came from, an atlas of
        an installed package by its name.
        """
        if isinstance(path, str):
            return path
        root = self.session.root
        name = PurePosixPath(root.name_of(path))
        if root.is_own(str(name)):
            return str(PurePosixPath(*name.parts[2:]))
        return str(PurePosixPath(root.path.name) / name)
