"""A recipe, all choices from files to regions of interest, and a run of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from ..atlas.atlas import Atlas
from ..atlas.doubts import settle_sides
from ..atlas.loading import load_atlas
from ..core.defaults import (
    CLUSTER_CONNECTIVITY,
    CORRECTION,
    MIN_ROI_MM3,
    MIN_ROI_VOXELS,
    PERMUTATIONS,
    SEED,
    Connectivity,
    Correction,
)
from ..core.errors import InputError
from ..files.paths import as_path
from ..images.maps import Map
from ..images.masks import Mask, read_mask
from ..stats.contrast import Contrast, correct_contrast
from .calls import Call, call_of, calls_in, evaluate
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


def _within(mask: Any) -> Any:
    return call_of(Within, mask, pattern="ld.rois.Within({})")


def _atlas_of(recipe: RoiRecipe | InsideRegions, space: str | None, name: str = "") -> Any:
    """The call that reads the atlas of a recipe or of a step."""
    stored = call_of(load_atlas, recipe.atlas, name=name, labels=recipe.labels, space=space)
    # None stands for the default, which a script leaves out.
    mirrored, accepted = recipe.mirror_atlas or None, recipe.accept_swapped or None
    return call_of(settle_sides, stored, name=name, is_mirrored=mirrored, is_accepted=accepted)


def _grid_of(stat_map: Map) -> Any:
    return stat_map.grid


@dataclass(frozen=True)
class InsideFile:
    """A step: only what lies inside a mask that is a file.

    Parameters
    ----------
    path : str
    threshold : float or None
        For a probability map: voxels of at least this value, 0 to 1.

    Examples
    --------
    >>> from lesion_dash.rois import MapSource, RoiRecipe, Threshold, run_recipe
    >>> step = InsideFile("sample_data/template/lens_prob.nii.gz", threshold=0.5)
    >>> source = MapSource("sample_data/template/template.nii.gz")
    >>> run = run_recipe(RoiRecipe(source, Threshold(100), steps=[step]))
    >>> step.summary, [mask.voxels for mask in run.masks]
    ('inside lens_prob.nii.gz', [81169, 210])
    """

    path: str
    threshold: float | None = None

    def call(self, stat_map: Any, contrast: Any) -> Any:  # noqa: ARG002
        """The call that reads the mask."""
        return _within(call_of(read_mask, self.path, threshold=self.threshold))

    @property
    def summary(self) -> str:
        """The step in a list."""
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
    space : str or None
        The space that the atlas lies in, as for `load_atlas`.
    accept_swapped, mirror_atlas : bool
        How the atlas is used, as for `settle_sides`.

    Examples
    --------
    >>> from lesion_dash.rois import MapSource, RoiRecipe, Threshold, run_recipe
    >>> step = InsideRegions("sample_data/atlas/synthetic_atlas.nii.gz", ["Synthetic putamen L"])
    >>> source = MapSource("sample_data/cohort_a/sub-a01_lesion.nii.gz")
    >>> run = run_recipe(RoiRecipe(source, Threshold(0.5), steps=[step]))
    >>> step.summary, [mask.voxels for mask in run.masks]
    ('inside Synthetic putamen L', [211, 57])
    """

    atlas: str
    names: tuple[str, ...]
    labels: str | None = None
    space: str | None = None
    accept_swapped: bool = False
    mirror_atlas: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", as_texts(self.names))

    def call(self, stat_map: Any, contrast: Any) -> Any:  # noqa: ARG002
        """The call that reads the atlas and brings it onto the grid of the map."""
        grid = call_of(_grid_of, stat_map, pattern="{}.grid")
        local = call_of("on_grid", self.atlas_call, grid)
        return _within(call_of(mask_of_regions, local, self.names))

    @property
    def atlas_call(self) -> Any:
        """The call that reads the atlas."""
        return _atlas_of(self, self.space)

    @property
    def summary(self) -> str:
        """The step in a list."""
        return f"inside {' + '.join(self.names)}"


@dataclass(frozen=True)
class MoreIn:
    """A step: only where the effect is positive (more in A) or negative (more in B).

    A p is two-sided: it says that two groups differ, not which one has more.

    Parameters
    ----------
    group : {"a", "b"}

    Examples
    --------
    >>> from lesion_dash.rois import CohortsSource, RoiRecipe, Threshold, run_recipe
    >>> source = CohortsSource("sample_data/cohort_a", "sample_data/cohort_b")
    >>> run = run_recipe(RoiRecipe(source, Threshold(1.3), steps=[MoreIn("a")]))
    >>> run.summary[-1], [mask.voxels for mask in run.masks]
    ('where group A has more', [472, 461])
    """

    group: Literal["a", "b"]

    def call(self, stat_map: Any, contrast: Any) -> Any:  # noqa: ARG002
        """The call that makes the mask of the group."""
        if contrast is None:
            remedy = "choose the side of the threshold instead"
            raise InputError("more in", "there are no groups in a map from a file", remedy)
        threshold = Threshold(0.0, "above" if self.group == "a" else "below")
        return _within(call_of("apply", threshold.call, call_of("map", contrast, "effect")))

    @property
    def summary(self) -> str:
        """The step in a list."""
        return f"where group {self.group.upper()} has more"


RecipeStep = InsideFile | InsideRegions | MoreIn | Morph | FillHoles
"""A step as it can be written down: files by their paths. A new kind is a class like these."""


@dataclass(frozen=True)
class RoiRecipe:
    """A whole way from files to regions of interest, to be run, saved and printed as Python.

    Parameters
    ----------
    source : SeriesSource, ImagesSource, CohortsSource, SplitSource, ScoreSource or MapSource
        The files, and the test on them.
    threshold : Threshold
    map_key : str
        The map of the contrast that is thresholded; ignored for a `MapSource`.
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
        Numbers of the regions to keep; all where it is empty.
    atlas_space : str or None
        The space that the atlas lies in, as for `load_atlas`.
    accept_swapped, mirror_atlas : bool
        How the atlas is used, as for `settle_sides`.

    Examples
    --------
    >>> from lesion_dash.rois import CohortsSource, FillHoles, Morph, Threshold
    >>> source = CohortsSource("sample_data/cohort_a", "sample_data/cohort_b")
    >>> recipe = RoiRecipe(source, Threshold(2.0), steps=(Morph("dilate", 1), FillHoles()))
    >>> recipe.undone.steps
    (Morph(operation='dilate', radius=1, unit='voxels', connectivity=6),)
    """

    source: Source
    threshold: Threshold
    map_key: str = "minus_log10_p"
    correction: Correction = CORRECTION
    n_permutations: int = PERMUTATIONS
    seed: int = SEED
    steps: tuple[RecipeStep, ...] = ()
    connectivity: Connectivity = CLUSTER_CONNECTIVITY
    min_voxels: int = MIN_ROI_VOXELS
    min_mm3: float = MIN_ROI_MM3
    atlas: str | None = None
    labels: str | None = None
    picks: tuple[int, ...] = ()
    atlas_space: str | None = None
    accept_swapped: bool = False
    mirror_atlas: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        object.__setattr__(self, "picks", tuple(int(number) for number in self.picks))

    @property
    def plan(self) -> RoiPlan:
        """The calls that a run makes and a script writes.

        Raises
        ------
        InputError
            Where a map from a file is to be corrected or split by groups, which it does not have.
        """
        source, contrast = self.source, None
        if not isinstance(source, MapSource):
            contrast = source.contrast
            if self.correction != "none":
                options: dict[str, Any] = {}
                if self.correction == "fwe":
                    options = {"n_permutations": self.n_permutations, "seed": self.seed}
                arguments = (contrast, self.correction)
                contrast = call_of(correct_contrast, *arguments, name="contrast", **options)
        elif self.correction != "none":
            remedy = "leave it out: a map from a file is not tested"
            raise InputError("correction", f"is {self.correction!r}", remedy)
        data = source.data
        stat_map: Any = data.stat_map
        if contrast is not None:
            stat_map = call_of("map", contrast, self.map_key, name="found")
        steps = tuple(step.call(stat_map, contrast) for step in self.steps)
        masks = [call_of("apply", self.threshold.call, stat_map, name="mask")]
        for step in steps:
            masks.append(call_of("apply", step, masks[-1], name="mask"))
        atlas = self.atlas_call
        every = call_of(
            find_rois,
            masks[-1],
            stat_map,
            name="rois",
            atlas=atlas,
            side=self.threshold.side,
            connectivity=self.connectivity,
            min_voxels=self.min_voxels,
            min_mm3=self.min_mm3,
        )
        rois = call_of("pick", every, self.picks, name="rois") if self.picks else every
        values = None if isinstance(source, MapSource) else source.values(rois)
        return RoiPlan(data, contrast, stat_map, steps, tuple(masks), atlas, every, rois, values)

    @property
    def atlas_call(self) -> Any:
        """The call that reads the atlas; None without one."""
        return None if self.atlas is None else _atlas_of(self, self.atlas_space, "atlas")

    @property
    def undone(self) -> RoiRecipe:
        """The recipe without its last step, and without picks, whose numbers it may change."""
        return replace(self, steps=self.steps[:-1], picks=())


class RoiPlan(NamedTuple):
    """What a recipe comes to, as calls; see `RoiRun`."""

    data: RoiData
    contrast: Any
    stat_map: Any
    steps: tuple[Any, ...]
    masks: tuple[Any, ...]
    atlas: Any
    every: Any
    rois: Any
    values: Any


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
    stat_map : Map
        What the threshold was for.
    steps : tuple of Within, Morph or FillHoles
        Those of the recipe, with their files read.
    masks : tuple of Mask
        After the threshold, and after each step.
    atlas : LabelAtlas, ProbabilityAtlas or None
        Names the region at each peak.
    every : Rois
        All regions of interest.
    rois : Rois
        Those that were picked.
    known : dict of Call to value
        All of these by the calls that gave them, for another run to take up.

    Examples
    --------
    >>> from lesion_dash.rois import CohortsSource, RoiRecipe, Threshold, run_recipe
    >>> source = CohortsSource("sample_data/cohort_a", "sample_data/cohort_b")
    >>> run = run_recipe(RoiRecipe(source, Threshold(1.3), min_voxels=10))
    >>> run.summary
    ('minus_log10_p of cohort_a - cohort_b: threshold: > 1.3',)
    >>> run.table_of(run.rois)[["name", "voxels", "higher_in"]]
        name  voxels higher_in
    0  ROI 1     453  cohort_a
    1  ROI 2      11  cohort_b
    >>> run.values.values.shape
    (80, 2)
    """

    recipe: RoiRecipe
    data: RoiData
    contrast: Contrast | None
    stat_map: Map
    steps: tuple[Step, ...]
    masks: tuple[Mask, ...]
    atlas: Atlas | None
    every: Rois
    rois: Rois
    known: dict[Call, Any] = field(repr=False)

    @cached_property
    def values(self) -> RoiValues | None:
        """Mean signal or lesion load in the regions; None for a map from a file.

        Raises
        ------
        InputError
            Where there is no region.
        """
        values: RoiValues | None = evaluate(self.recipe.plan.values, dict(self.known))
        return values

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
        effects, groups = np.full(len(rois), np.nan), ("", "")
        if self.contrast is not None:
            voxels = [self.stat_map.grid.nearest_voxel(roi.peak_mm) for roi in rois]
            array = self.contrast.map("effect").array
            effects[:], groups = [float(array[voxel]) for voxel in voxels], self.contrast.groups
        higher = np.where(effects > 0, groups[0], np.where(effects < 0, groups[1], ""))
        table["peak_effect"], table["higher_in"] = effects, higher.astype(object)
        return table

    @property
    def summary(self) -> tuple[str, ...]:
        """What each of `masks` is."""
        steps = (step.summary for step in self.recipe.steps)
        return (f"{self.stat_map.name}: {self.recipe.threshold.summary}", *steps)


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
        Called with a message before each stage; an exception that it raises stops the run.

    Returns
    -------
    RoiRun
        With or without regions: nothing may be beyond the threshold.

    Raises
    ------
    InputError
        Where a file cannot be used, or a choice is invalid.

    Examples
    --------
    >>> from lesion_dash.rois import CohortsSource, RoiRecipe, Threshold
    >>> source = CohortsSource("sample_data/cohort_a", "sample_data/cohort_b")
    >>> run = run_recipe(RoiRecipe(source, Threshold(2.0), min_voxels=10))
    >>> more = run_recipe(RoiRecipe(source, Threshold(1.5), min_voxels=10), run)
    >>> more.contrast is run.contrast, more.masks[0].voxels > run.masks[0].voxels
    (True, True)
    """
    plan = recipe.plan
    known: dict[Call, Any] = {} if earlier is None else dict(earlier.known)
    tell = watch or _ignore

    def tell_done(done: int, total: int) -> None:
        tell(f"permutation {done:,} of {total:,}")

    def value_of(part: Any) -> Any:
        return evaluate(part, known, {correct_contrast: {"progress": tell_done}})

    def drop_intermediate() -> None:
        """Let go what values were made of, such as a series before it was smoothed."""
        needed = set(calls_in(plan))
        for call in [call for call in known if call not in needed]:
            del known[call]

    if not known.keys() >= set(calls_in(plan.data)):
        tell("reading the images")
    data = RoiData(*value_of(plan.data))
    drop_intermediate()
    if plan.contrast is not None and plan.contrast not in known:
        tell("testing each voxel")
    contrast, stat_map = value_of((plan.contrast, plan.stat_map))
    tell("steps and regions of interest")
    steps, masks = value_of((plan.steps, plan.masks))
    atlas, every, rois = value_of((plan.atlas, plan.every, plan.rois))
    drop_intermediate()
    return RoiRun(recipe, data, contrast, stat_map, steps, masks, atlas, every, rois, known)


def _ignore(_message: str) -> None:
    pass
