"""`lesion-dash roi`: from images to regions of interest, step by step.

Steps, in the order in which they are given, are written as texts; see the help of the command.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from ..core import defaults
from ..core.errors import InputError
from ..core.space import ATLAS, spaces_stated
from ..core.text import counted
from . import fields
from .console import LONGEST_LIST
from .fields import option, source
from .inputs import side_notices
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from ..rois.recipe import RecipeStep, RoiRecipe, RoiRun, Source

_INPUT = "input, one of these"
_OF_INPUT = "what belongs to the input"
_TEST = "test at each voxel"
_WAY = "from the map to regions of interest"

_FILES = {name: name for name in ("pattern", "session", "several_files")}
_FILES |= {"mask_label": "label", "mask_threshold": "threshold"}
_MASK_TEST = _FILES | {"test": "test", "min_patients": "min_patients"}
_TABLE = {"participants": "participants"}
_SOURCES: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    "series": (
        "SeriesSource",
        ("conditions", "a", "b"),
        {
            "test": "test",
            "delay": "delay_s",
            "repetition_time": "repetition_time",
            "fwhm": "fwhm_mm",
            "mask": "mask",
        },
    ),
    "images": ("ImagesSource", (), {"test": "test", "fwhm": "fwhm_mm", "mask": "mask"}),
    "cohorts": ("CohortsSource", (), _MASK_TEST),
    "split": ("SplitSource", ("column", "a", "b"), _MASK_TEST | _TABLE),
    "score": ("ScoreSource", ("column",), _MASK_TEST | _TABLE | {"min_patients": "min_lesioned"}),
    "map": ("MapSource", (), {}),
}
"""Each kind of input: its class, the fields it needs in the order of the class, and those it may
have, by their names there; the class knows their defaults."""


class Roi(Request):
    r"""Regions of interest: test, threshold, masks, morphology, clusters and their values.

    steps, in the order in which they are given:
      --step more-in:a            only where group a has more (a p is two-sided); or more-in:b
      --step within:FILE          only inside a mask; within:0.5:FILE of a probability map
      --step regions:NAME,NAME    only inside these regions of --atlas; a name with a comma
                                  stands in double quotes
      --step dilate:2             grow by two voxels over faces; dilate:2:18 over edges too,
                                  dilate:2:26 over corners too; dilate:4mm by a ball of 4 mm
      --step erode:R, open:R, close:R    the same for shrinking, opening and closing
      --step fill-holes           fill what is enclosed on all sides

    example:
      lesion-dash roi --series run-1_bold.nii.gz run-2_bold.nii.gz \
          --conditions run-1_events.tsv run-2_events.tsv --a face --b house \
          --threshold 3 --step more-in:a --step within:vt.nii.gz --step dilate:1 -o rois/
    """

    command = "roi"
    example = "--cohorts group_a/ group_b/ --threshold 3 --step fill-holes -o rois/"

    series: tuple[str, ...] = source(
        "4D images, one per run", "IMAGE", several=True, group=_INPUT, default=()
    )
    images: tuple[str, str] | None = source(
        "two folders of 3D images", ("DIR_A", "DIR_B"), group=_INPUT, default=None
    )
    cohorts: tuple[str, str] | None = source(
        "two folders of lesion masks", ("DIR_A", "DIR_B"), group=_INPUT, default=None
    )
    split: str | None = source(
        "masks, in two groups by --column", "DIR", group=_INPUT, default=None
    )
    score: str | None = source(
        "masks, with a score of each patient", "DIR", group=_INPUT, default=None
    )
    map: str | None = source("a map that was made elsewhere", "IMAGE", group=_INPUT, default=None)

    conditions: tuple[str, ...] = source(
        "events.tsv or labels, one per run or one",
        "TABLE",
        several=True,
        group=_OF_INPUT,
        default=(),
    )
    a: str | None = option(
        "first condition of a series, or value of the column", "A", group=_OF_INPUT, default=None
    )
    b: str | None = option(
        "second one; a positive effect means more in A", "B", group=_OF_INPUT, default=None
    )
    delay: float | None = option(
        f"delay of the response in seconds (default {defaults.DELAY_S:g})",
        "S",
        group=_OF_INPUT,
        default=None,
    )
    repetition_time: float | None = option(
        "where the images do not say it, or header and JSON file differ",
        "S",
        group=_OF_INPUT,
        default=None,
    )
    fwhm: float | None = option(
        "smooth images with a Gaussian of this full width at half maximum",
        "MM",
        group=_OF_INPUT,
        default=None,
    )
    column: str | None = option(
        "of the participants table: groups, or the score", "NAME", group=_OF_INPUT, default=None
    )
    participants: fields.Participants
    pattern: fields.PatternOfMasks
    session: fields.SessionOfMasks
    several_files: fields.SeveralOfMasks
    mask_label: fields.LabelOfMasks
    mask_threshold: fields.ThresholdOfMasks
    space: fields.SpaceOfEach

    test: defaults.ContrastTest | None = option(
        "default: Fisher's exact test of two groups of masks, else Student's t",
        group=_TEST,
        default=None,
    )
    mask: str | None = source("test only inside this mask", "FILE", group=_TEST, default=None)
    min_patients: int | None = option(
        "test voxels lesioned in at least K patients of both groups together (default "
        f"{defaults.MIN_PATIENTS_OF_TWO}); for a score K lesioned and K spared (default "
        f"{defaults.MIN_PATIENTS})",
        "K",
        group=_TEST,
        default=None,
    )
    correction: defaults.Correction = option(
        "for the number of voxels; fwe by permutations", group=_TEST, default=defaults.CORRECTION
    )
    permutations: fields.Permutations
    seed: fields.Seed

    use: str | None = option(
        "t (or odds_ratio), p, effect, minus_log10_p, corrected_p or minus_log10_corrected_p "
        "(default: minus_log10_p, corrected where --correction is given)",
        "MAP",
        group=_WAY,
        default=None,
    )
    threshold: float = option("voxels of the map beyond X", "X", group=_WAY)
    side: defaults.ThresholdSide = option(
        "above X, below X, or farther than X from 0", group=_WAY, default=defaults.THRESHOLD_SIDE
    )
    steps: tuple[str, ...] = option(
        "see below; repeat it for each step", "STEP", "--step", group=_WAY, default=()
    )
    connectivity: fields.Connectivity = defaults.CLUSTER_CONNECTIVITY
    min_voxels: int = option(
        "clusters of at least N voxels", "N", group=_WAY, default=defaults.MIN_ROI_VOXELS
    )
    min_mm3: float = option("and of at least V mm³", "V", group=_WAY, default=defaults.MIN_ROI_MM3)
    atlas: str | None = source(
        "to name the region at each peak, and for regions:", "ATLAS", group=_WAY, default=None
    )
    labels: fields.Labels
    accept_swapped: fields.AcceptSwapped
    mirror_atlas: fields.MirrorAtlas
    pick: tuple[int, ...] = option(
        "keep these regions of interest only", "N", several=True, group=_WAY, default=()
    )
    background: str | None = source(
        "background of the pictures (default: mean image, or MNI152)",
        "FILE",
        group=_WAY,
        default=None,
    )
    cut: tuple[float, float, float] | None = option(
        "coordinates of the slices, mm", ("X", "Y", "Z"), group=_WAY, default=None
    )
    output: str | None = option("results folder, made if missing", "OUT", "-o", default=None)
    overwrite: fields.Overwrite
    strict: fields.Strict
    print_code: bool = option(
        "print the Python script with the same result, and do nothing else", default=False
    )

    @model_validator(mode="after")
    def _check_input(self) -> Roi:
        kinds = [kind for kind in _SOURCES if getattr(self, kind)]
        if len(kinds) != 1:
            flags = ", ".join(f"--{kind}" for kind in kinds or _SOURCES)
            problem = "given together" if kinds else "none given"
            raise InputError(flags, problem, "give one of them")
        _, needed, may_have = _SOURCES[kinds[0]]
        optional = {name for _, *names in _SOURCES.values() for part in names for name in part}
        given = {name for name in optional if getattr(self, name) not in (None, ())}
        if missing := sorted({*needed} - given):
            flags = ", ".join(map(self.flag, missing))
            raise InputError(f"--{kinds[0]}", f"needs {flags}", "give it as well")
        if excess := sorted(given - {*needed, *may_have}):
            problem = f"is not for --{kinds[0]}"
            raise InputError(self.flag(excess[0]), problem, "omit it")
        if excess := [text for text in self.space if not self._has_input_in(text)]:
            problem = f"{excess[0]} is not for --{kinds[0]}"
            raise InputError(self.flag("space"), problem, "omit it")
        if self.output is None and not self.print_code:
            problem = "no results folder"
            raise InputError("--output", problem, "give one with -o, or --print-code")
        return self

    def _has_input_in(self, statement: str) -> bool:
        """Whether a statement of a space is of an input that is given."""
        kind = statement.partition("=")[0] if "=" in statement else ""
        has = {"masks": bool(self.cohorts or self.split or self.score), "map": bool(self.map)}
        has[ATLAS] = self.atlas is not None
        return has[kind] if kind else any(has.values())

    @property
    def recipe(self) -> RoiRecipe:
        """The recipe that the values make.

        Raises
        ------
        InputError
            Where a step cannot be read.
        """
        from ..rois.recipe import RoiRecipe
        from ..rois.steps import Threshold

        best = (
            "minus_log10_p" if self.correction == defaults.CORRECTION else "minus_log10_corrected_p"
        )
        return RoiRecipe(
            source=self._source(),
            threshold=Threshold(self.threshold, self.side),
            map_key=self.use or best,
            correction=self.correction,
            n_permutations=self.permutations,
            seed=self.seed,
            steps=tuple(_step(text, self) for text in self.steps),
            connectivity=self.connectivity,
            min_voxels=self.min_voxels,
            min_mm3=self.min_mm3,
            atlas=self.atlas,
            labels=self.labels,
            atlas_space=spaces_stated(self.space, ATLAS)[0],
            accept_swapped=self.accept_swapped,
            mirror_atlas=self.mirror_atlas,
            picks=self.pick,
        )

    def _source(self) -> Source:
        from ..rois import sources

        kind = next(kind for kind in _SOURCES if getattr(self, kind))
        class_name, needed, may_have = _SOURCES[kind]
        files = getattr(self, kind)
        places = files if kind in ("images", "cohorts") else [files]
        options = {key: getattr(self, name) for name, key in may_have.items()}
        if kind not in ("series", "images"):
            options["space"] = spaces_stated(self.space, "map" if kind == "map" else "masks")[0]
        given = {key: value for key, value in options.items() if value is not None}
        source: Source = getattr(sources, class_name)(
            *places, *(getattr(self, name) for name in needed), **given
        )
        return source

    def outputs(self) -> list[str]:
        from ..rois.saving import names_of_run

        if self.print_code:
            return []
        has_values = self.map is None
        return [*_picture_names(self.recipe, has_values), *names_of_run(has_values)[:-1]]

    def run(self, progress: Progress) -> Result:
        from ..images.events import UnknownTime
        from ..rois.recipe import run_recipe
        from ..rois.saving import record_of_run, script_of

        recipe = self.recipe
        if self.print_code:
            return Result(lines=script_of(recipe, self.output or "rois").split("\n"))
        try:
            run = run_recipe(recipe)
        except UnknownTime as error:
            remedy = f"{error.remedy} with --repetition-time"
            raise InputError(error.subject, error.problem, remedy) from None
        except InputError as error:
            raise _with_own_options(error) from None
        results = [*_step_lines(run), *_roi_lines(run)]
        test_notes = run.contrast.notes if run.contrast is not None else ()
        return Result(
            files=self._files(run),
            **record_of_run(run),
            lines=[*side_notices(run.atlas), *results, self.files_line()],
            notes=[*test_notes, *run.rois.notes],
        )

    def _files(self, run: RoiRun) -> Iterator[tuple[str, bytes]]:
        from ..images.maps import read_map
        from ..plotting.figures import figure_bytes
        from ..plotting.rois import draw_run, draw_values
        from ..rois.saving import run_files

        under = read_map(self.background) if self.background is not None else None
        figures = [figure for _, figure in draw_run(run, self.cut, under)]
        if run.values is not None:
            figures.append(draw_values(run.values))
        names = _picture_names(run.recipe, run.values is not None)
        for name, figure in zip(names, figures, strict=True):
            yield name, figure_bytes(figure)
        yield from run_files(run).items()


def _with_own_options(error: InputError) -> InputError:
    """An error whose advice names the options for masks as this command has them."""
    other = getattr(error, "on_command_line", error)
    texts = (other.problem, other.remedy, *other.details)
    problem, remedy, *details = (re.sub(r"--(label|threshold)\b", r"--mask-\1", t) for t in texts)
    return InputError(other.subject, problem, remedy, tuple(details))


def _step(text: str, request: Roi) -> RecipeStep:
    """A step from its text, as the help of the command lists them."""
    from ..rois.recipe import InsideFile, InsideRegions, MoreIn
    from ..rois.steps import FillHoles

    kind, _, rest = text.partition(":")
    if kind == "fill-holes" and not rest:
        return FillHoles()
    if kind == "more-in" and rest in ("a", "b"):
        return MoreIn("a" if rest == "a" else "b")
    if kind == "within" and rest:
        fraction, colon, path = rest.partition(":")
        threshold = _number(fraction) if colon else None
        return InsideFile(rest) if threshold is None else InsideFile(path, threshold)
    if kind == "regions" and rest:
        if request.atlas is None:
            raise InputError(f"--step {text}", "no atlas", "name one with --atlas")
        try:
            names = next(csv.reader([rest], skipinitialspace=True))
        except csv.Error as error:
            raise InputError(f"--step {text[:40]}...", f"names cannot be read ({error})") from None
        space = spaces_stated(request.space, ATLAS)[0]
        use = (space, request.accept_swapped, request.mirror_atlas)
        return InsideRegions(request.atlas, tuple(names), request.labels, *use)
    if kind in ("dilate", "erode", "open", "close"):
        return _morph(text, kind, rest)
    remedy = "see the steps below `lesion-dash roi --help`"
    raise InputError(f"--step {text}", "is not a step", remedy)


def _morph(text: str, operation: Any, rest: str) -> RecipeStep:
    from ..rois.steps import Morph

    size, colon, neighbours = rest.partition(":")
    in_mm = size.endswith("mm")
    radius = _number(size.removesuffix("mm"))
    if radius is None or (colon and (in_mm or neighbours not in _CONNECTIVITIES)):
        remedy = f"write {operation}:2, {operation}:2:26 or {operation}:4mm"
        raise InputError(f"--step {text}", "is not a size", remedy)
    if in_mm:
        return Morph(operation, radius, "mm")
    steps: Any = _CONNECTIVITIES[neighbours or "6"]
    return Morph(operation, radius, "voxels", steps)


_CONNECTIVITIES = {"6": 6, "18": 18, "26": 26}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# Files and lines.

_ROIS = "rois.png"
_VALUES = "roi_values.png"
_QUANTITIES = {
    "odds_ratio": "odds ratio",
    "minus_log10_p": "−log10 p",
    "corrected_p": "corrected p",
    "minus_log10_corrected_p": "−log10 corrected p",
    "dof": "degrees of freedom",
}
"""Labels of the maps of a contrast whose keys are none."""


def _picture_names(recipe: RoiRecipe, has_values: bool) -> list[str]:
    """Names of the pictures: one of each step, of the regions, and of the values."""
    kinds = ["threshold", *(_kind_of(step) for step in recipe.steps)]
    steps = [f"step_{number}_{kind}.png" for number, kind in enumerate(kinds, 1)]
    return [*steps, _ROIS, *([_VALUES] if has_values else [])]


def _kind_of(step: RecipeStep) -> str:
    """What a step is called in the name of a file."""
    from ..rois.recipe import InsideFile, InsideRegions
    from ..rois.steps import FillHoles, Morph

    if isinstance(step, Morph):
        return step.operation
    names = {FillHoles: "fill_holes", InsideFile: "within", InsideRegions: "regions"}
    return names.get(type(step), "more_in")


def _step_lines(run: RoiRun) -> list[str]:
    contrast = run.contrast
    return [
        *([contrast.sentence, contrast.statement] if contrast is not None else []),
        *(
            f"{summary}: {counted(mask.voxels, 'voxel')}, {mask.volume_mm3:,.0f} mm³"
            for summary, mask in zip(run.summary, run.masks, strict=True)
        ),
    ]


def _roi_lines(run: RoiRun) -> Iterator[str]:
    """A line for each region, and what the values are good for."""
    from ..rois.values import CAUTION

    more_in, quantity = run.table_of(run.rois)["higher_in"], _peak_quantity(run)
    for part, higher_in in list(zip(run.rois, more_in, strict=True))[:LONGEST_LIST]:
        place = ", ".join(f"{coordinate:.0f}" for coordinate in part.peak_mm.tolist())
        region = f", {part.place.words}" if part.place.region else ""
        size = f"{counted(part.voxels, 'voxel')}, {part.volume_mm3:,.0f} mm³"
        higher = f", higher in {higher_in} there" if higher_in else ""
        peak = f"peak {part.peak_value:.3g} ({quantity}) at {place} mm"
        yield f"{part.name}: {size}, {peak}{region}{higher}"
    if len(run.rois) > LONGEST_LIST:
        yield f"and {len(run.rois) - LONGEST_LIST:,} more, in the table that was written"
    if run.values is not None:
        yield CAUTION


def _peak_quantity(run: RoiRun) -> str:
    """Of which quantity the peaks are, and in what unit."""
    unit, key = run.stat_map.unit, run.recipe.map_key
    if run.contrast is None:
        return ", ".join([run.stat_map.name, unit or "in the map's own unit"])
    return f"{_QUANTITIES.get(key, key)}, {unit or 'no unit'}"
