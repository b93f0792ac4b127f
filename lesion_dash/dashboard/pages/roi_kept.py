"""What the ROI lab keeps for an address or a file: where its choices are read and made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..desk import Desk
from ..kept_inputs import Control, control, file_control
from ..lab_steps import step_of, step_text

if TYPE_CHECKING:
    from .roi import RoiPage

_NUMBERS = ("delay_s", "repetition_time", "fwhm_mm")
_OF_INPUT = ("kind", "folder", "folder_b", "runs", "table", "file", "column", "a", "b", *_NUMBERS)
_OF_TEST = ("test", "correction", "min_patients", "n_permutations", "seed")
_OF_PARTS = ("connectivity", "min_voxels", "min_mm3", "atlas")
"""Fields that bear the name of their choice."""


def roi_controls(page: RoiPage, desk: Desk) -> dict[str, Control]:
    """The choices by their names; fields take nothing but what they offer."""
    root, way = desk.session.root, page.way
    parts = ((page.input, _OF_INPUT), (page.test, _OF_TEST), (page.parts, _OF_PARTS))

    def read_steps() -> tuple[str, ...]:
        return tuple(step_text(step, root) for step in way.steps)

    def make_steps(texts: tuple[str, ...]) -> None:
        way.steps = tuple(step_of(text, root) for text in texts)

    return {
        **{name: control(getattr(panel, name)) for panel, names in parts for name in names},
        "mask": file_control(page.input.mask),
        "map_key": control(way, "map_key"),
        "threshold": control(way, "threshold"),
        "threshold_side": control(way, "side"),
        "steps": Control(read_steps, make_steps, (way,)),
    }
