"""A recipe: everything that was chosen on the way from files to regions of interest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..atlas import load_atlas
from ..components import Connectivity
from ..contrasts import Contrast, Correction
from ..errors import InputError
from ..files import as_path
from ..grid import Grid
from ..images import read_mask
from .cohort_sources import CohortsSource, ScoreSource, SplitSource
from .data import as_texts
from .image_sources import ImagesSource, MapSource, SeriesSource
from .python_code import call, literal
from .steps import FillHoles, Morph, Step, Threshold, Within, mask_of_regions

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
    def words(self) -> str:
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
    def words(self) -> str:
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
    def words(self) -> str:
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
