"""Python and commands that give the same files as the choices on the screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..cohort.selection import ALL_FILES, FileChoice
from ..core.text import shell_word
from ..plotting.figures import ML
from ..regions.counts import FILE_NAME as REGIONS_FILE
from ..regions.differences import FILE_NAME as DIFFERENCES_FILE
from ..stats.overlap import FILE_NAME as OVERLAP_FILE
from ..stats.size_bias import FILE_NAME as CLUSTERS_FILE
from ..stats.topography import FILE_NAMES
from .assignment_request import AssignmentRequest
from .assignment_service import MAPS_OF_COHORTS
from .comparison_service import PairRequest
from .loaded_volume import Voxel
from .session import PATIENTS_FILE, Session
from .size_bias_service import SizeBiasRequest
from .state import Selection

ASSIGNMENT_FILE = "assignment.csv"
RESULTS = "results"
"""The folder that the lines write to."""

_NIFTI = "from lesion_dash.images.maps import nifti_bytes"
_AS_MAP = "from lesion_dash.images.maps import as_map"
_TABLES = "from lesion_dash.core.tables import csv_bytes"
_NO_ATLAS = "# `lesion-dash overlap` needs an atlas: choose one."
_ONE_COHORT = "# The regions of A alone are counted in Python: `lesion-dash overlap` is of A and B."
_REGIONS_IN_PYTHON = "# The differences of regions are made in Python alone."
_CLUSTERS_IN_PYTHON = "# The table of clusters is made in Python alone."
_SINGLE = "# Maps are saved in single precision: the last digits may differ."
_BOTH = "both = ld.overlap({a}, {b}).both"


@dataclass(frozen=True)
class Source:
    """A cohort as it is read.

    Parameters
    ----------
    folder : str
        From the folder that holds the data root.
    where : tuple of str
    files : FileChoice
        Which of a patient's files count.
    """

    folder: str
    where: tuple[str, ...] = ()
    files: FileChoice = ALL_FILES

    @property
    def python(self) -> str:
        """The call that reads it."""
        whole = (
            f"ld.load_cohort({', '.join(filter(None, [repr(self.folder), self.files.arguments]))})"
        )
        return f"ld.restrict_cohort({whole}, {[*self.where]!r})" if self.where else whole

    @property
    def options(self) -> list[str]:
        """Of a command that reads it."""
        return [*self.files.words_of_command, *(f"--where={each}" for each in self.where)]

    def options_with(self, other: Source) -> list[str]:
        """Of a command that reads it as A, and the other as B."""
        if self.where == other.where:
            return self.options
        return [*self.files.words_of_command, *self.conditions_with(other)]

    def conditions_with(self, other: Source) -> list[str]:
        """The conditions of A, and those of B."""
        of_a = [f"--where-a={condition}" for condition in self.where]
        return [*of_a, *(f"--where-b={condition}" for condition in other.where)]


@dataclass(frozen=True)
class Given:
    """The image that is assigned to an atlas.

    Parameters
    ----------
    image : str
        File that the command line assigns.
    lines : list of str
        Python that makes the variable `image`.
    imports : list of str
    before : list of list of str
        Commands that make the file.
    remark : str
        Of the commands.
    """

    image: str
    lines: list[str]
    imports: list[str] = field(default_factory=list)
    before: list[list[str]] = field(default_factory=list)
    remark: str = ""


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
        return self._topography_python(selection), self._topography_commands(selection)

    def patients(self, name: str) -> tuple[str, str]:
        """The same for the patients of one cohort."""
        if not name:
            return "", ""
        source = self._source(name)
        python = [
            *_head(_TABLES, "from lesion_dash.analyses.validation import report_of"),
            f"cohort = {source.python}",
            "print(cohort.table.to_string(index=False))",
            "print(report_of(cohort).sentence)",
            "",
            *_results(),
            _table(PATIENTS_FILE, "cohort.files_table"),
        ]
        stats = ["stats", source.folder, *source.options, "-k", "1", "-o", RESULTS]
        return _text(python), _commands(
            [stats, ["check", source.folder, *source.files.words_of_command]]
        )

    def compare(self, request: PairRequest | None, atlas: str = "") -> tuple[str, str]:
        """The same for the differences of two cohorts, and in each region of an atlas."""
        if request is None:
            return "", ""
        a, b = self._source(request.cohort_a), self._source(request.cohort_b)
        k = request.min_patients
        python = [
            *_head(_NIFTI, *([_TABLES] if atlas else [])),
            f"a = {a.python}",
            f"b = {b.python}",
            f"found = ld.cohort_differences(a, b, {k})",
            *self._with_atlas(atlas, f"regions = ld.region_differences(a, b, atlas, {k})"),
            "",
            *_results(),
            *_images("found"),
            *([_table(DIFFERENCES_FILE, "regions.table")] if atlas else []),
        ]
        sides = [*a.files.words_of_command, *a.conditions_with(b)]
        compare = ["compare", a.folder, b.folder, *sides, "-k", str(k), "-o", RESULTS]
        return _text(python), _commands([compare], _REGIONS_IN_PYTHON if atlas else "")

    def chance(self, request: SizeBiasRequest | None, atlas: str = "") -> tuple[str, str]:
        """The same for lesion volumes against chance, with regions named after an atlas."""
        if request is None:
            return "", ""
        source, k = self._source(request.cohort), request.min_patients
        drawn = {"permutations": request.permutations, "seed": request.seed, "side": request.side}
        values = ", ".join(repr(value) for value in drawn.values())
        python = [
            *_head(_NIFTI, _TABLES),
            f"cohort = {source.python}",
            f"means = ld.mean_contrast(cohort, {k})",
            f"found = ld.permute_volumes(cohort, {k}, {values})",
            "print(found.sentence)",
            *self._with_atlas(atlas, "clusters = ld.find_size_clusters(found, means, atlas)"),
            *([] if atlas else ["clusters = ld.find_size_clusters(found, means)"]),
            "",
            *_results(),
            *_images("means"),
            *_images("found"),
            _table(CLUSTERS_FILE, "clusters.table"),
            _table(PATIENTS_FILE, "cohort.files_table"),
        ]
        draws = [f"--{name}={value}" for name, value in drawn.items()]
        command = ["size-bias", source.folder, *source.options, "-k", str(k), *draws, "-o", RESULTS]
        return _text(python), _commands([command], _CLUSTERS_IN_PYTHON)

    def assign(self, question: AssignmentRequest) -> tuple[str, str]:
        """The same for the assignment of a map to an atlas."""
        given = self._given(question) if question.atlas else None
        if given is None:
            return "", ""
        scale = ML if question.source == "mean" else 1.0
        choices = {
            "threshold": question.threshold * scale,
            "signs": question.signs,
            "connectivity": question.connectivity,
            "min_size_mm3": question.min_size_mm3,
            "lower_threshold": question.lower_threshold,
        }
        python = [
            *_head(_TABLES, *given.imports),
            *given.lines,
            f"atlas = {self._atlas_python(question.atlas)}",
            "found = ld.assign_regions(",
            "    image,",
            "    atlas,",
            *(f"    {name}={value!r}," for name, value in choices.items()),
            ")",
            "",
            *_results(),
            _table(ASSIGNMENT_FILE, "found.table"),
        ]
        options = [f"--{name.replace('_', '-')}={value}" for name, value in choices.items()]
        atlas = self._atlas_options(question.atlas)
        assign = ["assign", given.image, *atlas, *options, "-o", f"{RESULTS}/{ASSIGNMENT_FILE}"]
        return _text(python), _commands([*given.before, assign], given.remark)

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
        python = ["import lesion_dash as ld", ""]
        python += [f"found = ld.scans.inspect_image({path!r})", "print(found.to_json())"]
        commands = [["inspect", path]]
        if voxel is not None:
            i, j, k = voxel
            of = f", {volume}" if volume else ""
            python += [f"print(found.to_mm({i}, {j}, {k}), found.value_at({i}, {j}, {k}{of}))"]
            at = ["--voxel", *map(str, voxel), *(["--volume", str(volume)] if volume else [])]
            commands.append(["inspect", path, *at])
        return _text(python), _commands(commands)

    def _topography_python(self, selection: Selection) -> str:
        k = selection.min_patients
        a, b = self._sources(selection)
        lines = [f"a = {a.python}", *([f"b = {b.python}"] if b else [])]
        lines += [f"stats = ld.volume_stats(a, {k})"]
        counted = f"a.at_least({k})"
        if b:
            lines += [_BOTH.format(a=counted, b=f"b.at_least({k})")]
            counted = "both"
        if selection.atlas:
            lines += [f"atlas = {self._atlas_python(selection.atlas)}"]
            lines += [f"regions = ld.count_regions({counted}, atlas)"]
        saving = [*_results(), *_images("stats")]
        saving += [_image(repr(OVERLAP_FILE), "both")] if b else []
        saving += [_table(REGIONS_FILE, "regions.table")] if selection.atlas else []
        saving += [_table(PATIENTS_FILE, "a.files_table")]
        return _text([*_head(_NIFTI, _TABLES), *lines, "", *saving])

    def _topography_commands(self, selection: Selection) -> str:
        a, b = self._sources(selection)
        k = ["-k", str(selection.min_patients)]
        stats = ["stats", a.folder, *a.options, *k, "-o", RESULTS]
        if not b:
            return _commands([stats], _ONE_COHORT if selection.atlas else "")
        if not selection.atlas:
            return _commands([stats], _NO_ATLAS)
        atlas = self._atlas_options(selection.atlas)
        overlap = ["overlap", a.folder, b.folder, *a.options_with(b), *atlas, *k]
        return _commands([stats, [*overlap, "-o", f"{RESULTS}/regions"]])

    def _sources(self, selection: Selection) -> tuple[Source, Source | None]:
        b = selection.cohort_b
        return self._source(selection.cohort_a), self._source(b) if b else None

    def _source(self, name: str) -> Source:
        folder, where = self.session.origin(name)
        path = self._path(self.session.root.cohort_folder(folder))
        return Source(path, where, self.session.files_of(name))

    def _given(self, question: AssignmentRequest) -> Given | None:
        """The image that is assigned; None where it is not chosen yet."""
        selection = question.selection
        if question.source not in MAPS_OF_COHORTS:
            if not question.file:
                return None
            root = self.session.root.path
            image = self._path(root / question.source / question.file)
            return Given(image, [f"image = ld.read_map({image!r})"])
        if not selection.cohort_a:
            return None
        a, b = self._sources(selection)
        if question.source == "overlap":
            return None if b is None else self._overlap(question, a, b)
        k = selection.min_patients
        lines = [f"a = {a.python}", f"image = ld.volume_stats(a, {k}).{question.source}"]
        command = ["stats", a.folder, *a.options, "-k", str(k), "-o", RESULTS]
        remark = _SINGLE if question.source == "mean" else ""
        image = f"{RESULTS}/{FILE_NAMES[question.source]}"
        return Given(image, lines, before=[command], remark=remark)

    def _overlap(self, question: AssignmentRequest, a: Source, b: Source) -> Given:
        k = question.selection.min_patients
        both = _BOTH.format(a=f"a.at_least({k})", b=f"b.at_least({k})")
        lines = [f"a = {a.python}", f"b = {b.python}", both, "image = as_map(both)"]
        command = ["overlap", a.folder, b.folder, *a.options_with(b)]
        command += [*self._atlas_options(question.atlas), "-k", str(k), "-o", RESULTS]
        return Given(f"{RESULTS}/{OVERLAP_FILE}", lines, [_AS_MAP], [command])

    def _with_atlas(self, atlas: str, line: str) -> list[str]:
        """A line that needs the variable `atlas`, below the one that makes it; without, none."""
        return [f"atlas = {self._atlas_python(atlas)}", line] if atlas else []

    def _atlas_python(self, name: str) -> str:
        image, table = self.session.root.atlas_files(name)
        return f"ld.load_atlas({self._path(image)!r}, {self._path(table)!r})"

    def _atlas_options(self, name: str) -> list[str]:
        image, table = self.session.root.atlas_files(name)
        return ["--atlas", self._path(image), "--labels", self._path(table)]

    def _path(self, path: Path) -> str:
        """A path from the folder that holds the data root: nothing of the computer is told."""
        root = self.session.root.path
        below = path.relative_to(root)
        return (Path(root.name) / below).as_posix()


def _head(*imports: str) -> list[str]:
    return ["from pathlib import Path", "", "import lesion_dash as ld", *sorted(imports), ""]


def _results() -> list[str]:
    return [f"results = Path({RESULTS!r})", "results.mkdir(exist_ok=True)"]


def _images(of: str) -> list[str]:
    return [f"for name, made in {of}.files.items():", f"    {_image('name', 'made')}"]


def _image(name: str, path: str) -> str:
    return f"(results / {name}).write_bytes(nifti_bytes({path}.to_nifti()))"


def _table(name: str, table: str) -> str:
    return f"(results / {name!r}).write_bytes(csv_bytes({table}))"


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _commands(commands: Iterable[Sequence[str]], remark: str = "") -> str:
    lines = [" ".join(map(shell_word, ["lesion-dash", *command])) for command in commands]
    return _text([*lines, *([remark] if remark else [])])
