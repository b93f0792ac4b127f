"""A recipe, all choices from files to regions of interest, and a run of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import Atlas
from ..atlas.loading import load_atlas
from ..core.errors import InputError
from ..core.grid import Grid
from ..core.python_code import call, literal
from ..files.paths import as_path
from ..images.maps import Map
from ..images.masks import Mask, read_mask
from ..stats.components import Connectivity
from ..stats.contrast import Contrast, Correction, correct_contrast
from .sources import (
    CohortsSource,
    ImagesSource,
    MapSource,
    RoiData,
    ScoreSource,
    SeriesSource,
    SplitSource,
    as_texts,
)
from .steps import FillHoles, Morph, Step, Threshold, Within, mask_of_regions
from .values import Rois, RoiValues, find_rois

if TYPE_CHECKING:
    import pandas as pd


Source = SeriesSource | ImagesSource | CohortsSource | SplitSource | ScoreSource | MapSource


@dataclass(frozen=True)
class InsideFile:
    """A step: only what lies inside a mask that is a file.

    Parameters
    ----------
    path : str
    threshold : float or None
        For a probability map: voxels of at least this value.
    """

    path: str
    threshold: float | None = None

    def prepare(self, grid: Grid, contrast: Contrast | None) -> Step:  # noqa: ARG002
        """Read the mask."""
        return Within(read_mask(self.path, self.threshold))

    @property
    def code(self) -> str:
        """The step as Python."""
        return f"ld.Within({call('read_mask', literal(self.path), threshold=self.threshold)})"

    @property
    def summary(self) -> str:
        """What is done, for a list of steps."""
        return f"inside {as_path(self.path).name}"


@dataclass(frozen=True)
class InsideRegions:
    """A step: only what lies inside some regions of an atlas.

    Parameters
    ----------
    atlas : str
        Path or name, as for `load_atlas`.
    names : tuple of str
    labels : str or None
        Path of the label table; by default the one beside the atlas.
    """

    atlas: str
    names: tuple[str, ...]
    labels: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", as_texts(self.names))

    def prepare(self, grid: Grid, contrast: Contrast | None) -> Step:  # noqa: ARG002
        """Read the atlas and bring it onto the grid of the map."""
        atlas = load_atlas(self.atlas, self.labels).on_grid(grid)
        return Within(mask_of_regions(atlas, self.names))

    @property
    def code(self) -> str:
        """The step as Python."""
        atlas = f"{call('load_atlas', literal(self.atlas), labels=self.labels)}.on_grid(found.grid)"
        return f"ld.Within({call('mask_of_regions', atlas, literal(self.names))})"

    @property
    def summary(self) -> str:
        """What is done, for a list of steps."""
        return f"inside {' + '.join(self.names)}"


@dataclass(frozen=True)
class MoreIn:
    """A step: only where the effect is positive (more in A) or negative (more in B).

    A p is two-sided: it says that two groups differ, not which one has more.
    """

    group: Literal["a", "b"]

    def prepare(self, grid: Grid, contrast: Contrast | None) -> Step:  # noqa: ARG002
        """Make the mask of the side."""
        if contrast is None:
            remedy = "choose the side of the threshold instead"
            raise InputError("more in", "there are no groups in a map from a file", remedy)
        return Within(self._threshold.apply(contrast.map("effect")))

    @property
    def _threshold(self) -> Threshold:
        return Threshold(0.0, "above" if self.group == "a" else "below")

    @property
    def code(self) -> str:
        """The step as Python."""
        side = call("Threshold", "0.0", literal(self._threshold.side))
        return f"ld.Within({side}.apply(contrast.map('effect')))"

    @property
    def summary(self) -> str:
        """What is done, for a list of steps."""
        return f"where group {self.group.upper()} has more"


RecipeStep = InsideFile | InsideRegions | MoreIn | Morph | FillHoles
"""A step as it can be written down: files by their paths."""


def prepare_step(step: RecipeStep, grid: Grid, contrast: Contrast | None) -> Step:
    """A step with its file read, on the grid of the map."""
    return step if isinstance(step, (Morph, FillHoles)) else step.prepare(grid, contrast)


def code_of_step(step: RecipeStep) -> str:
    """A step as Python; it has a method `apply`."""
    if isinstance(step, FillHoles):
        return call("FillHoles")
    if isinstance(step, Morph):
        # A ball in mm has no neighbours to choose.
        steps = step.connectivity if step.unit == "voxels" else None
        size = literal(step.operation), literal(step.radius)
        return call("Morph", *size, unit=step.unit, connectivity=steps)
    return step.code


@dataclass(frozen=True)
class RoiRecipe:
    """A whole way from files to regions of interest, to be run, saved and printed as Python.

    Parameters
    ----------
    source : SeriesSource, ImagesSource, CohortsSource, SplitSource, ScoreSource or MapSource
        The files, and what is asked of them.
    threshold : Threshold
    map_key : str
        Which map of the contrast the threshold is for; without meaning for a `MapSource`.
    correction : {"none", "bonferroni", "fdr", "fwe"}
    n_permutations, seed : int
        For ``fwe``.
    steps : tuple of InsideFile, InsideRegions, MoreIn, Morph or FillHoles
        In their order.
    connectivity, min_voxels, min_mm3
        See `find_rois`.
    atlas, labels : str or None
        To name the region at each peak.
    picks : tuple of int
        Numbers of the regions that are kept; all where it is empty.

    Examples
    --------
    >>> source = CohortsSource("sample_data/cohort_a", "sample_data/cohort_b")
    >>> recipe = RoiRecipe(source, Threshold(2.0), steps=(Morph("dilate", 1), FillHoles()))
    >>> recipe.undone.steps
    (Morph(operation='dilate', radius=1, unit='voxels', connectivity=6),)
    """

    source: Source
    threshold: Threshold
    map_key: str = "minus_log10_p"
    correction: Correction = "none"
    n_permutations: int = 1000
    seed: int = 0
    steps: tuple[RecipeStep, ...] = ()
    connectivity: Connectivity = 26
    min_voxels: int = 1
    min_mm3: float = 0.0
    atlas: str | None = None
    labels: str | None = None
    picks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        object.__setattr__(self, "picks", tuple(int(number) for number in self.picks))

    @property
    def undone(self) -> RoiRecipe:
        """The recipe without its last step, and without picks, whose numbers it may change."""
        return replace(self, steps=self.steps[:-1], picks=())


# A run of a recipe: the contrast, the mask after each step, the regions and their values.


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
    def summary(self) -> tuple[str, ...]:
        """What each of `masks` is."""
        steps = (step.summary for step in self.recipe.steps)
        return (f"{self.found.name}: {self.recipe.threshold.summary}", *steps)


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
