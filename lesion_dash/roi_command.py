"""What `lesion-dash roi` does: from images to regions of interest, step by step."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .console import LONGEST_LIST, say, say_script, warn
from .errors import InputError
from .roi_options import recipe_of

if TYPE_CHECKING:
    from .files import Outbox
    from .roi import RecipeStep, RoiRecipe, RoiRun

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
    from .files import write_together
    from .roi import MapSource, add_run, names_of_run, run_recipe, script_of

    recipe = recipe_of(options)
    if options.print_code:
        say_script(script_of(recipe, options.output or "rois"))
        return 0
    if options.output is None:
        raise InputError("--output", "no results folder", "give one with -o, or --print-code")
    has_values = not isinstance(recipe.source, MapSource)
    pictures = _picture_names(recipe, has_values)
    names = [*pictures, *names_of_run(has_values)]
    with write_together(options.output, names, options.overwrite) as outbox:
        run = run_recipe(recipe)
        _say_steps(run)
        _add_pictures(outbox, run, pictures, options)
        add_run(outbox, run)
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
    from .roi import FillHoles, InsideFile, InsideRegions, Morph

    if isinstance(step, Morph):
        return step.operation
    names = {FillHoles: "fill_holes", InsideFile: "within", InsideRegions: "regions"}
    return names.get(type(step), "more_in")


def _add_pictures(
    outbox: Outbox, run: RoiRun, names: list[str], options: argparse.Namespace
) -> None:
    from .images import read_map
    from .plots import figure_bytes
    from .roi_plots import draw_run, draw_values

    under = read_map(options.background) if options.background is not None else None
    figures = [figure for _, figure in draw_run(run, options.cut, under)]
    if run.values is not None:
        figures.append(draw_values(run.values))
    for name, figure in zip(names, figures, strict=True):
        outbox.add(name, figure_bytes(figure))


def _say_steps(run: RoiRun) -> None:
    if run.contrast is not None:
        say(run.contrast.sentence)
        say(run.contrast.statement)
        for note in run.contrast.notes:
            warn(f"note: {note}")
    for words, mask in zip(run.words, run.masks, strict=True):
        say(f"{words}: {mask.voxels:,} voxels, {mask.volume_mm3:,.0f} mm³")
    for note in run.rois.notes:
        warn(f"note: {note}")


def _say_rois(run: RoiRun) -> None:
    """A line for each region, and what the values are good for."""
    from .roi import CAUTION

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
    unit, key = run.found.unit, run.recipe.map_key
    if run.contrast is None:
        return ", ".join([run.found.name, unit or "in the map's own unit"])
    return f"{_QUANTITIES.get(key, key)}, {unit or 'no unit'}"
