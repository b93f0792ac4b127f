"""A run of a recipe: the contrast, the mask after each step, the regions and their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..atlas import Atlas, load_atlas
from ..contrasts import Contrast, correct_contrast
from ..errors import InputError
from ..images import Map, Mask
from .data import RoiData
from .image_sources import MapSource
from .recipe import RecipeStep, RoiRecipe, prepare_step
from .regions_of_interest import Rois, find_rois
from .steps import Step
from .values import RoiValues

if TYPE_CHECKING:
    import pandas as pd

Watch = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class RoiRun:
    """What came of a recipe.

    Parameters
    ----------
    recipe : RoiRecipe
    data : RoiData
    contrast : Contrast or None
        None for a map from a file.
    found : Map
        What the threshold was for.
    steps : tuple of Within, Morph or FillHoles
        Those of the recipe, with their files read.
    masks : tuple of Mask
        After the threshold, and after each step.
    atlas : LabelAtlas, ProbabilityAtlas or None
        That names the region at each peak.
    every : Rois
        All regions of interest.
    rois : Rois
        Those that were picked.
    """

    recipe: RoiRecipe
    data: RoiData
    contrast: Contrast | None
    found: Map
    steps: tuple[Step, ...]
    masks: tuple[Mask, ...]
    atlas: Atlas | None
    every: Rois
    rois: Rois

    @cached_property
    def values(self) -> RoiValues | None:
        """Mean signal or lesion load in the regions; None for a map from a file.

        Raises
        ------
        InputError
            Where there is no region.
        """
        source = self.recipe.source
        return None if isinstance(source, MapSource) else source.values(self.data, self.rois)

    def table_of(self, rois: Rois) -> pd.DataFrame:
        """The table of regions of interest, with what the test found at each peak.

        Parameters
        ----------
        rois : Rois
            `every` or `rois`.

        Returns
        -------
        pandas.DataFrame
            `Rois.table`, then ``peak_effect``, the first group minus the second, and ``higher_in``,
            the group that has more at the peak. NaN and empty for a map from a file, and at a peak
            that was not tested.
        """
        table = rois.table
        effects = np.array([self._effect_at(part.peak_mm) for part in rois], np.float64)
        table["peak_effect"] = effects
        table["higher_in"] = [self._more_in(effect) for effect in effects.tolist()]
        return table

    @cached_property
    def _effect(self) -> Map | None:
        return None if self.contrast is None else self.contrast.map("effect")

    def _effect_at(self, mm: NDArray[np.float64]) -> float:
        voxel = self.found.grid.nearest_voxel(mm)
        return float("nan") if self._effect is None else float(self._effect.array[voxel])

    def _more_in(self, effect: float) -> str:
        if self.contrast is None or not abs(effect) > 0:
            return ""
        first, second = self.contrast.groups
        return first if effect > 0 else second

    @property
    def words(self) -> tuple[str, ...]:
        """What each of `masks` is."""
        steps = (step.words for step in self.recipe.steps)
        return (f"{self.found.name}: {self.recipe.threshold.words}", *steps)


def run_recipe(
    recipe: RoiRecipe, earlier: RoiRun | None = None, *, watch: Watch | None = None
) -> RoiRun:
    """Go the whole way from files to regions of interest.

    Parameters
    ----------
    recipe : RoiRecipe
    earlier : RoiRun, optional
        A run of another recipe: what both have in common, from the files to the first step that
        differs, is taken from it and not computed again. Its files are not read again either.
    watch : callable, optional
        Told in words what is done next; what it raises stops the run.

    Returns
    -------
    RoiRun
        With or without regions: nothing may be beyond the threshold.

    Raises
    ------
    InputError
        Where a file cannot be used, or a choice is none.

    Examples
    --------
    >>> from lesion_dash import CohortsSource, Threshold
    >>> source = CohortsSource("sample_data/cohort_a", "sample_data/cohort_b")
    >>> run = run_recipe(RoiRecipe(source, Threshold(2.0), min_voxels=10))
    >>> more = run_recipe(RoiRecipe(source, Threshold(1.5), min_voxels=10), run)
    >>> more.contrast is run.contrast, more.masks[0].voxels > run.masks[0].voxels
    (True, True)
    """
    tell = watch or _tell_nobody
    data = _read(recipe, earlier, tell)
    contrast = _contrast(recipe, data, earlier, tell)
    found = data.found if contrast is None else _map_of(contrast, recipe.map_key, earlier)
    assert found is not None
    tell("steps and regions of interest")
    steps = _prepare(recipe, contrast, found, earlier)
    masks = _masks(recipe, steps, found, earlier)
    atlas = _atlas(recipe, earlier)
    every = find_rois(
        masks[-1],
        found,
        side=recipe.threshold.side,
        connectivity=recipe.connectivity,
        min_voxels=recipe.min_voxels,
        min_mm3=recipe.min_mm3,
        atlas=atlas,
    )
    rois = every.pick(recipe.picks) if recipe.picks else every
    return RoiRun(recipe, data, contrast, found, steps, masks, atlas, every, rois)


def _tell_nobody(_words: str) -> None:
    pass


def _read(recipe: RoiRecipe, earlier: RoiRun | None, tell: Watch) -> RoiData:
    if earlier is not None and earlier.recipe.source.reading == recipe.source.reading:
        return earlier.data
    tell("reading the images")
    return recipe.source.read()


def _contrast(
    recipe: RoiRecipe, data: RoiData, earlier: RoiRun | None, tell: Watch
) -> Contrast | None:
    source = recipe.source
    if isinstance(source, MapSource):
        if recipe.correction != "none":
            remedy = "leave it out: a map from a file is not tested"
            raise InputError("correction", f"is {recipe.correction!r}", remedy)
        return None
    if earlier is not None and _test_of(earlier.recipe) == _test_of(recipe):
        return earlier.contrast
    tell("testing each voxel")
    contrast = source.contrast(data)
    if recipe.correction == "none":
        return contrast
    return correct_contrast(
        contrast,
        recipe.correction,
        n_permutations=recipe.n_permutations,
        seed=recipe.seed,
        progress=lambda done, total: tell(f"permutation {done:,} of {total:,}"),
    )


def _test_of(recipe: RoiRecipe) -> Sequence[object]:
    return recipe.source, recipe.correction, recipe.n_permutations, recipe.seed


def _map_of(contrast: Contrast, key: str, earlier: RoiRun | None) -> Map:
    if earlier is not None and earlier.contrast is contrast and earlier.recipe.map_key == key:
        return earlier.found
    return contrast.map(key)


def _prepare(
    recipe: RoiRecipe, contrast: Contrast | None, found: Map, earlier: RoiRun | None
) -> tuple[Step, ...]:
    """The steps with their files read; a file of an earlier run is not read again."""
    known: dict[RecipeStep, Step] = {}
    if earlier is not None and earlier.contrast is contrast and earlier.found.grid == found.grid:
        known = dict(zip(earlier.recipe.steps, earlier.steps, strict=True))
    return tuple(
        known.get(step) or prepare_step(step, found.grid, contrast) for step in recipe.steps
    )


def _masks(
    recipe: RoiRecipe, steps: tuple[Step, ...], found: Map, earlier: RoiRun | None
) -> tuple[Mask, ...]:
    """The masks after threshold and steps; those of an earlier run up to the first that differs."""
    masks: list[Mask] = []
    if (
        earlier is not None
        and earlier.found is found
        and earlier.recipe.threshold == recipe.threshold
    ):
        masks += earlier.masks[: _in_common(steps, earlier.steps) + 1]
    else:
        masks += [recipe.threshold.apply(found)]
    for step in steps[len(masks) - 1 :]:
        masks.append(step.apply(masks[-1]))
    return tuple(masks)


def _in_common(own: Sequence[object], other: Sequence[object]) -> int:
    """Number of steps at the beginning that are the same."""
    pairs = enumerate(zip(own, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(own), len(other)))


def _atlas(recipe: RoiRecipe, earlier: RoiRun | None) -> Atlas | None:
    if recipe.atlas is None:
        return None
    wanted = (recipe.atlas, recipe.labels)
    if earlier is not None and (earlier.recipe.atlas, earlier.recipe.labels) == wanted:
        return earlier.atlas
    return load_atlas(recipe.atlas, recipe.labels)
