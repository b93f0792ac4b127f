"""What `lesion-dash roi` does: from images to regions of interest, step by step."""

from __future__ import annotations

import argparse
import csv
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from .console import LONGEST_LIST, say, say_script, warn

if TYPE_CHECKING:
    from ..files.writing import AtomicWriter
    from ..rois.recipe import RecipeStep, RoiRecipe, RoiRun, Source


STEPS = """steps, in the order in which they are given:
  --step more-in:a            only where group a has more (a p is two-sided); or more-in:b
  --step within:FILE          only inside a mask; within:0.5:FILE of a probability map
  --step regions:NAME,NAME    only inside these regions of --atlas; a name with a comma
                              stands in double quotes
  --step dilate:2             grow by two voxels over faces; dilate:2:18 over edges too,
                              dilate:2:26 over corners too; dilate:4mm by a ball of 4 mm
  --step erode:R, open:R, close:R    the same for shrinking, opening and closing
  --step fill-holes           fill what is enclosed on all sides

example:
  lesion-dash roi --series run-1_bold.nii.gz run-2_bold.nii.gz \\
      --conditions run-1_events.tsv run-2_events.tsv --a face --b house \\
      --threshold 3 --step more-in:a --step within:vt.nii.gz --step dilate:1 -o rois/
"""
_CONNECTIVITIES = {"6": 6, "18": 18, "26": 26}


def add_roi_choices(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of `lesion-dash roi`."""
    parser.epilog = STEPS
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    _add_inputs(parser)
    _add_test(parser)
    _add_way(parser)
    parser.add_argument("-o", "--output", metavar="OUT", help="results folder, made if missing")
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results in OUT")
    parser.add_argument(
        "--print-code",
        action="store_true",
        help="print the Python script with the same result, and do nothing else",
    )


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    inputs = parser.add_argument_group("input, one of these")
    one = inputs.add_mutually_exclusive_group(required=True)
    one.add_argument("--series", nargs="+", metavar="IMAGE", help="4D images, one a run")
    one.add_argument(
        "--images", nargs=2, metavar=("DIR_A", "DIR_B"), help="two folders of 3D images"
    )
    one.add_argument(
        "--cohorts", nargs=2, metavar=("DIR_A", "DIR_B"), help="two folders of lesion masks"
    )
    one.add_argument("--split", metavar="DIR", help="masks, in two groups by --column")
    one.add_argument("--score", metavar="DIR", help="masks, with a score of each patient")
    one.add_argument("--map", metavar="IMAGE", help="a map that was made elsewhere")
    add = parser.add_argument_group("what belongs to the input").add_argument
    add("--conditions", nargs="+", metavar="TABLE", help="events.tsv or labels, one a run or one")
    add("--a", metavar="A", help="first condition of a series, or value of the column")
    add("--b", metavar="B", help="second one; a positive effect means more in A")
    add("--delay", type=float, metavar="S", help="delay of the response in seconds (default 5)")
    add("--repetition-time", type=float, metavar="S", help="where the images do not say it")
    add("--fwhm", type=float, metavar="MM", help="smooth images with a Gaussian of this width")
    add("--column", metavar="NAME", help="of the participants table: groups, or the score")
    add("--participants", metavar="TABLE", help="participants .tsv or .csv")


def _add_test(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("test at each voxel").add_argument
    add(
        "--test",
        choices=("student", "welch", "fisher"),
        help="default: Fisher's exact test of two groups of masks, else Student's t",
    )
    add("--mask", metavar="FILE", help="test only inside this mask")
    add(
        "--min-patients",
        type=int,
        metavar="K",
        help="test voxels lesioned in at least K patients of both groups together (default 1); "
        "for a score K lesioned and K spared (default 5)",
    )
    add(
        "--correction",
        choices=("none", "bonferroni", "fdr", "fwe"),
        default="none",
        help="for the number of voxels; fwe by permutations (default none)",
    )
    add("--permutations", type=int, default=1000, metavar="N", help="for fwe (default 1000)")
    add("--seed", type=int, default=0, metavar="N", help="for fwe (default 0)")


def _add_way(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("from the map to regions of interest").add_argument
    add(
        "--use",
        metavar="MAP",
        help="t (or odds_ratio), p, effect, minus_log10_p, corrected_p or "
        "minus_log10_corrected_p (default: minus_log10_p, corrected where --correction is given)",
    )
    add("--threshold", type=float, metavar="X", help="voxels of the map beyond X; required")
    add(
        "--side",
        choices=("above", "below", "both"),
        default="above",
        help="above X, below X, or farther than X from 0 (default above)",
    )
    add("--step", action="append", metavar="STEP", help="see below; repeat it for each step")
    add("--connectivity", type=int, choices=(6, 18, 26), default=26, help="of parts (default 26)")
    add("--min-voxels", type=int, default=1, metavar="N", help="parts of at least N voxels")
    add("--min-mm3", type=float, default=0.0, metavar="V", help="and of at least V mm³")
    add("--atlas", metavar="ATLAS", help="to name the region at each peak, and for regions:")
    add("--labels", metavar="TABLE", help="names of its regions (default: the table beside it)")
    add("--pick", type=int, nargs="+", metavar="N", help="keep these regions of interest only")
    add("--background", metavar="FILE", help="under pictures (default: mean image, or MNI152)")
    add("--cut", type=float, nargs=3, metavar=("X", "Y", "Z"), help="where pictures cut, mm")


def recipe_of(options: argparse.Namespace) -> RoiRecipe:
    """The recipe that the options make.

    Raises
    ------
    InputError
        Where an option is missing, does not fit the others, or cannot be read.
    """
    from ..rois.recipe import RoiRecipe
    from ..rois.steps import Threshold

    source = _source(options)
    if options.threshold is None:
        raise InputError("--threshold", "is missing", "give the value that voxels must be beyond")
    return RoiRecipe(
        source=source,
        threshold=Threshold(options.threshold, options.side),
        map_key=_map_key(options),
        correction=options.correction,
        n_permutations=options.permutations,
        seed=options.seed,
        steps=tuple(_step(text, options) for text in options.step or ()),
        connectivity=options.connectivity,
        min_voxels=options.min_voxels,
        min_mm3=options.min_mm3,
        atlas=options.atlas,
        labels=options.labels,
        picks=tuple(options.pick or ()),
    )


def _map_key(options: argparse.Namespace) -> str:
    """The map that was asked for; else −log10 of p, corrected where a correction was chosen."""
    if options.use is not None:
        return str(options.use)
    return "minus_log10_p" if options.correction == "none" else "minus_log10_corrected_p"


_NEEDS = {
    "series": {"conditions", "a", "b"},
    "images": set(),
    "cohorts": set(),
    "split": {"column", "a", "b"},
    "score": {"column"},
    "map": set(),
}
"""Options without which a kind of input cannot be used."""

_TAKES = {
    "series": {"test", "delay", "repetition_time", "fwhm", "mask"},
    "images": {"test", "fwhm", "mask"},
    "cohorts": {"test", "min_patients"},
    "split": {"test", "min_patients", "participants"},
    "score": {"test", "min_patients", "participants"},
    "map": set(),
}
"""Options that it may have."""


def _source(options: argparse.Namespace) -> Source:
    kind = next(name for name in _NEEDS if getattr(options, name) is not None)
    given = {
        name
        for name in set().union(*_NEEDS.values(), *_TAKES.values())
        if getattr(options, name) is not None
    }
    if missing := sorted(_NEEDS[kind] - given):
        raise InputError(f"--{kind}", f"needs {_spelled(missing)}", "give it as well")
    if excess := sorted(given - _NEEDS[kind] - _TAKES[kind]):
        raise InputError(_spelled(excess[:1]), f"is not for --{kind}", "leave it out")
    return _SOURCES[kind](options)


def _spelled(names: list[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)


def _chosen(options: argparse.Namespace, **names: str) -> dict[str, Any]:
    """The options that were given, under their names in the library; it knows the defaults."""
    values = {name: getattr(options, option) for name, option in names.items()}
    return {name: value for name, value in values.items() if value is not None}


def _of_series(options: argparse.Namespace) -> Source:
    from ..rois.sources import SeriesSource

    more = _chosen(
        options,
        test="test",
        delay_s="delay",
        repetition_time="repetition_time",
        fwhm_mm="fwhm",
        mask="mask",
    )
    paths = tuple(options.series), tuple(options.conditions)
    return SeriesSource(*paths, options.a, options.b, **more)


def _of_images(options: argparse.Namespace) -> Source:
    from ..rois.sources import ImagesSource

    return ImagesSource(
        *options.images, **_chosen(options, test="test", fwhm_mm="fwhm", mask="mask")
    )


def _of_cohorts(options: argparse.Namespace) -> Source:
    from ..rois.sources import CohortsSource

    more = _chosen(options, test="test", min_patients="min_patients")
    return CohortsSource(*options.cohorts, **more)


def _of_split(options: argparse.Namespace) -> Source:
    from ..rois.sources import SplitSource

    more = _chosen(options, test="test", min_patients="min_patients", participants="participants")
    return SplitSource(options.split, options.column, options.a, options.b, **more)


def _of_score(options: argparse.Namespace) -> Source:
    from ..rois.sources import ScoreSource

    more = _chosen(options, test="test", min_lesioned="min_patients", participants="participants")
    return ScoreSource(options.score, options.column, **more)


def _of_map(options: argparse.Namespace) -> Source:
    from ..rois.sources import MapSource

    return MapSource(options.map)


_SOURCES = {
    "series": _of_series,
    "images": _of_images,
    "cohorts": _of_cohorts,
    "split": _of_split,
    "score": _of_score,
    "map": _of_map,
}


def _step(text: str, options: argparse.Namespace) -> RecipeStep:
    """A step from its text; see `STEPS`."""
    from ..rois.recipe import InsideFile, InsideRegions, MoreIn
    from ..rois.steps import FillHoles

    kind, _, rest = text.partition(":")
    if kind == "fill-holes" and not rest:
        return FillHoles()
    if kind == "more-in" and rest in ("a", "b"):
        return MoreIn("a" if rest == "a" else "b")
    if kind == "within" and rest:
        share, colon, path = rest.partition(":")
        threshold = _number(share) if colon else None
        return InsideFile(rest) if threshold is None else InsideFile(path, threshold)
    if kind == "regions" and rest:
        if options.atlas is None:
            raise InputError(f"--step {text}", "no atlas", "name one with --atlas")
        names = next(csv.reader([rest], skipinitialspace=True))
        return InsideRegions(options.atlas, tuple(names), options.labels)
    if kind in ("dilate", "erode", "open", "close"):
        return _morph(text, kind, rest)
    remedy = "see the steps below `lesion-dash roi --help`"
    raise InputError(f"--step {text}", "is no step", remedy)


def _morph(text: str, operation: Any, rest: str) -> RecipeStep:
    from ..rois.steps import Morph

    size, colon, neighbours = rest.partition(":")
    in_mm = size.endswith("mm")
    radius = _number(size.removesuffix("mm"))
    if radius is None or (colon and (in_mm or neighbours not in _CONNECTIVITIES)):
        remedy = f"write {operation}:2, {operation}:2:26 or {operation}:4mm"
        raise InputError(f"--step {text}", "is no size", remedy)
    if in_mm:
        return Morph(operation, radius, "mm")
    steps: Any = _CONNECTIVITIES[neighbours or "6"]
    return Morph(operation, radius, "voxels", steps)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# What `lesion-dash roi` does: from images to regions of interest, step by step.


_ROIS = "rois.png"
_VALUES = "roi_values.png"
_QUANTITIES = {
    "odds_ratio": "odds ratio",
    "minus_log10_p": "−log10 p",
    "corrected_p": "corrected p",
    "minus_log10_corrected_p": "−log10 corrected p",
    "dof": "degrees of freedom",
}
"""Maps of a contrast in words; those that are not here are words already."""


def run_roi(options: argparse.Namespace) -> int:
    """Write regions of interest, their values, pictures and provenance; or print the script."""
    from ..files.writing import write_atomically
    from ..rois.recipe import run_recipe
    from ..rois.saving import add_run, names_of_run, script_of
    from ..rois.sources import MapSource

    recipe = recipe_of(options)
    if options.print_code:
        say_script(script_of(recipe, options.output or "rois"))
        return 0
    if options.output is None:
        raise InputError("--output", "no results folder", "give one with -o, or --print-code")
    has_values = not isinstance(recipe.source, MapSource)
    pictures = _picture_names(recipe, has_values)
    names = [*pictures, *names_of_run(has_values)]
    with write_atomically(options.output, names, options.overwrite) as writer:
        run = run_recipe(recipe)
        _say_steps(run)
        _add_pictures(writer, run, pictures, options)
        add_run(writer, run)
    _say_rois(run)
    say(f"{len(names)} files in {options.output}")
    return 0


def _picture_names(recipe: RoiRecipe, has_values: bool) -> list[str]:
    """Names of the pictures: one of each step, of the regions, and of the values."""
    kinds = ["threshold", *(_kind_of(step) for step in recipe.steps)]
    steps = [f"step_{number}_{kind}.png" for number, kind in enumerate(kinds, 1)]
    return [*steps, _ROIS, *([_VALUES] if has_values else [])]


def _kind_of(step: RecipeStep) -> str:
    """A step in a word that can be part of a file's name."""
    from ..rois.recipe import InsideFile, InsideRegions
    from ..rois.steps import FillHoles, Morph

    if isinstance(step, Morph):
        return step.operation
    names = {FillHoles: "fill_holes", InsideFile: "within", InsideRegions: "regions"}
    return names.get(type(step), "more_in")


def _add_pictures(
    writer: AtomicWriter, run: RoiRun, names: list[str], options: argparse.Namespace
) -> None:
    from ..images.maps import read_map
    from ..plotting.figures import figure_bytes
    from ..plotting.rois import draw_run, draw_values

    under = read_map(options.background) if options.background is not None else None
    figures = [figure for _, figure in draw_run(run, options.cut, under)]
    if run.values is not None:
        figures.append(draw_values(run.values))
    for name, figure in zip(names, figures, strict=True):
        writer.add(name, figure_bytes(figure))


def _say_steps(run: RoiRun) -> None:
    if run.contrast is not None:
        say(run.contrast.sentence)
        say(run.contrast.statement)
        for note in run.contrast.notes:
            warn(f"note: {note}")
    for words, mask in zip(run.summary, run.masks, strict=True):
        say(f"{words}: {mask.voxels:,} voxels, {mask.volume_mm3:,.0f} mm³")
    for note in run.rois.notes:
        warn(f"note: {note}")


def _say_rois(run: RoiRun) -> None:
    """A line for each region, and what the values are good for."""
    from ..rois.values import CAUTION

    more_in, of = run.table_of(run.rois)["higher_in"], _peak_words(run)
    for part, higher_in in list(zip(run.rois, more_in, strict=True))[:LONGEST_LIST]:
        place = ", ".join(f"{coordinate:.0f}" for coordinate in part.peak_mm.tolist())
        region = f", {part.region}" if part.region else ""
        size = f"{part.voxels:,} voxels, {part.volume_mm3:,.0f} mm³"
        higher = f", higher in {higher_in} there" if higher_in else ""
        peak = f"peak {part.peak_value:.3g} ({of}) at {place} mm"
        say(f"{part.name}: {size}, {peak}{region}{higher}")
    if len(run.rois) > LONGEST_LIST:
        say(f"and {len(run.rois) - LONGEST_LIST:,} more, in the table that was written")
    if run.values is not None:
        say(CAUTION)


def _peak_words(run: RoiRun) -> str:
    """Of which quantity the peaks are, and in what unit."""
    unit, key = run.stat_map.unit, run.recipe.map_key
    if run.contrast is None:
        return ", ".join([run.stat_map.name, unit or "in the map's own unit"])
    return f"{_QUANTITIES.get(key, key)}, {unit or 'no unit'}"
