"""A recipe as a Python script that gives the same regions of interest."""

from __future__ import annotations

from ..contrasts import Correction
from .image_sources import MapSource
from .python_code import call, literal
from .recipe import RoiRecipe, code_of_step

_HEAD = """# Makes the same regions of interest anew; paths lead from the folder where it is run.

import lesion_dash as ld
"""


def script_of(recipe: RoiRecipe, folder: str = "rois") -> str:
    """Write a recipe as a script of the library's public functions.

    Parameters
    ----------
    recipe : RoiRecipe
    folder : str
        Where the script saves its results.

    Returns
    -------
    str
        Run in the same working directory it saves the same ``mask_atlas.nii``, bit by bit. Paths
        and names stand in it as text, whatever signs they hold.

    Examples
    --------
    >>> from lesion_dash import CohortsSource, Morph, Threshold
    >>> source = CohortsSource("cohort_a", "cohort_b")
    >>> print(script_of(RoiRecipe(source, Threshold(2.0), steps=(Morph("dilate", 1),))))
    # Makes the same regions of interest anew; paths lead from the folder where it is run.
    <BLANKLINE>
    import lesion_dash as ld
    <BLANKLINE>
    # From the files to a map
    a = ld.load_cohort('cohort_a')
    b = ld.load_cohort('cohort_b')
    contrast = ld.contrast_cohorts(a, b, test='fisher', min_patients=1)
    print(contrast.sentence)
    found = contrast.map('minus_log10_p')
    <BLANKLINE>
    # From the map to regions of interest
    mask = ld.Threshold(2.0, 'above').apply(found)
    mask = ld.Morph('dilate', 1, unit='voxels', connectivity=6).apply(mask)
    rois = ld.find_rois(mask, found, side='above', connectivity=26, min_voxels=1, min_mm3=0.0)
    print(rois.table.to_string(index=False))
    ...
    """
    to_map = ["# From the files to a map", *recipe.source.code, *_test_code(recipe)]
    to_rois = ["# From the map to regions of interest", *_steps_code(recipe), *_rois_code(recipe)]
    parts = [_HEAD, "\n".join(to_map), "\n".join(to_rois), "\n".join(_saving_code(recipe, folder))]
    return "\n".join(f"{part}\n" if part is not _HEAD else part for part in parts)


def _test_code(recipe: RoiRecipe) -> list[str]:
    if isinstance(recipe.source, MapSource):
        return []
    lines = []
    if recipe.correction != "none":
        correction: Correction = recipe.correction
        draws = {"n_permutations": recipe.n_permutations, "seed": recipe.seed}
        choices = draws if correction == "fwe" else {}
        corrected = call("correct_contrast", "contrast", literal(correction), **choices)
        lines += [f"contrast = {corrected}"]
    return [
        *lines,
        "print(contrast.sentence)",
        f"found = contrast.map({literal(recipe.map_key)})",
    ]


def _steps_code(recipe: RoiRecipe) -> list[str]:
    threshold = recipe.threshold
    beyond = call("Threshold", literal(threshold.value), literal(threshold.side))
    return [
        f"mask = {beyond}.apply(found)",
        *(f"mask = {code_of_step(step)}.apply(mask)" for step in recipe.steps),
    ]


def _rois_code(recipe: RoiRecipe) -> list[str]:
    choices = {
        "side": recipe.threshold.side,
        "connectivity": recipe.connectivity,
        "min_voxels": recipe.min_voxels,
        "min_mm3": recipe.min_mm3,
    }
    lines, atlas = [], []
    if recipe.atlas is not None:
        names = call("load_atlas", literal(recipe.atlas), labels=recipe.labels)
        lines, atlas = [f"atlas = {names}"], ["atlas=atlas"]
    lines += [f"rois = {call('find_rois', 'mask', 'found', *atlas, **choices)}"]
    if recipe.picks:
        lines += [f"rois = rois.pick({literal(recipe.picks)})"]
    return [*lines, "print(rois.table.to_string(index=False))"]


def _saving_code(recipe: RoiRecipe, folder: str) -> list[str]:
    if isinstance(recipe.source, MapSource):
        return ["# Saved", call("save_rois", "rois", literal(folder))]
    return [
        "# Values in the regions, saved with them",
        f"values = {recipe.source.values_code}",
        "print(values.summary.to_string(index=False))",
        call("save_rois", "rois", literal(folder), "values"),
    ]
