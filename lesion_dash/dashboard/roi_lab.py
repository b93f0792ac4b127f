"""Questions of the page ROI lab in, frozen answers out. No science of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ..core.text import counted
from ..plotting.figures import figure_bytes
from ..rois.recipe import InsideRegions, RecipeStep, RoiRun, run_recipe
from ..rois.saving import script_of
from ..rois.values import RoiValues
from .lab_choices import MAPS, RoiRequest
from .lab_files import LabFiles
from .places import Mm
from .session import Session

if TYPE_CHECKING:
    import pandas as pd

Watch = Callable[[str], None]

_DPI = 150
"""Sharp on a wide screen; the box plots are shown at their own size."""
_DPI_OF_PLOTS = 110


@dataclass(frozen=True, eq=False)
class RoiResult:
    """A run of a recipe, with what is needed to show it.

    Parameters
    ----------
    question : RoiRequest
    run : RoiRun
    """

    question: RoiRequest
    run: RoiRun

    @cached_property
    def script(self) -> str:
        """Python that makes the same."""
        return script_of(self.run.recipe)

    @cached_property
    def values(self) -> RoiValues | None:
        """Values in the regions of interest; None without regions, and for a map from a file."""
        return self.run.values if len(self.run.rois) else None

    @cached_property
    def table(self) -> pd.DataFrame:
        """All regions of interest, those that were not picked as well."""
        return self.run.table_of(self.run.every)

    @property
    def map_words(self) -> str:
        """The map the threshold is for."""
        return MAPS.get(self.question.way.map_key) or self.run.stat_map.name

    @property
    def summary(self) -> str:
        """The map, and of what it is."""
        contrast = self.run.contrast
        return self.map_words if contrast is None else f"{self.map_words} of {contrast.name}"

    @property
    def steps(self) -> tuple[str, ...]:
        """A line for each picture: every step with what is left after it, and the regions."""
        recipe = self.run.recipe
        words = (f"{self.map_words}, {recipe.threshold.summary}", *map(_short, recipe.steps))
        lines = [
            f"{number}. {done}: {counted(mask.voxels, 'voxel')}"
            for number, (done, mask) in enumerate(zip(words, self.run.masks, strict=True), 1)
        ]
        parts = f"{counted(len(self.run.rois), 'region')} of interest"
        return (*lines, f"{len(lines) + 1}. separate parts: {parts}")

    @cached_property
    def cut(self) -> Mm | None:
        """Where all steps are cut, so that they can be compared; None without a region."""
        from ..plotting.rois import cut_point

        return cut_point(self.run.rois) if len(self.run.rois) else None


def _short(step: RecipeStep) -> str:
    """A step in words; many regions would fill more than a line."""
    if isinstance(step, InsideRegions) and len(step.names) > 2:
        return f"inside {step.names[0]} and {len(step.names) - 1} regions more"
    return step.summary


@dataclass(eq=False)
class RoiLab:
    """Answers questions; what the last answer has in common with the next is not computed again.

    Parameters
    ----------
    session : Session
        Where the data root comes from.
    """

    session: Session
    files: LabFiles = field(init=False)
    _last: RoiRun | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.files = LabFiles(self.session.root)

    def answer(self, question: RoiRequest, watch: Watch | None = None) -> RoiResult:
        """Go the whole way, from the files or from where the last answer differs."""
        recipe = question.recipe(self.session.root)
        answer = RoiResult(question, run_recipe(recipe, self._last, watch=watch))
        answer.values, answer.table, answer.script  # noqa: B018  worked out beside the page
        self._last = answer.run
        return answer


def draw_step(answer: RoiResult, row: int, mm: Mm | None) -> bytes:
    """The picture of a step as PNG, the regions of interest after the last step."""
    from ..plotting.rois import background_of, draw_beyond, draw_mask, draw_rois

    run = answer.run
    under = background_of(run)
    mm = answer.cut if mm is None else mm
    if row >= len(run.masks):
        figure = draw_rois(run.rois, mm, under)
    elif row == 0:
        figure = draw_beyond(run.stat_map, run.recipe.threshold, mm, under)
    else:
        figure = draw_mask(run.masks[row], run.summary[row], mm, under)
    return figure_bytes(figure, dpi=_DPI)


def draw_answer_values(answer: RoiResult) -> bytes:
    """The values of every group in every region of interest as PNG; empty without values."""
    from ..plotting.rois import draw_values

    return (
        b""
        if answer.values is None
        else figure_bytes(draw_values(answer.values), dpi=_DPI_OF_PLOTS)
    )
