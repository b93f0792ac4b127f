"""What the user asks on the page Assign: traits, no arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import traitlets as t

from ..core import defaults
from ..core.defaults import (
    CONNECTIVITY,
    LOWER_THRESHOLD,
    MIN_SIZE_MM3,
    THRESHOLD,
    Connectivity,
    Signs,
)
from ..stats.components import SHARED, SIGNS
from .atlas_use import AtlasUse
from .state import Selection

NO_FILTER = -1.0
"""The least correlation there is: every row is shown."""


@dataclass(frozen=True)
class AssignmentRequest:
    """A map, an atlas, and which parts of the map count.

    Parameters
    ----------
    source : str
        ``overlap``, ``n`` or ``mean`` of the loaded cohorts, or the name of a folder of images.
    file : str
        Name of the image in that folder.
    selection : Selection
        Cohorts and minimum patients; only these are read.
    atlas : str
        Name of the atlas, empty where there is none.
    threshold : float
        In the unit of the screen: mL for the mean volume, else that of the map.
    signs, connectivity, min_size_mm3, lower_threshold
        As `assign_regions` takes them.
    space : str
        The space that is stated for the file, empty for the one that it states.
    atlas_use : str
        What is said of the atlas, see `AtlasUse`.
    """

    source: str
    file: str
    selection: Selection
    atlas: str
    threshold: float = THRESHOLD
    signs: Signs = defaults.SIGNS
    connectivity: Connectivity = CONNECTIVITY
    min_size_mm3: float = MIN_SIZE_MM3
    lower_threshold: float = LOWER_THRESHOLD
    space: str = ""
    atlas_use: str = ""

    @property
    def range_in_words(self) -> str:
        """Which values of the map count."""
        number = f"{self.threshold:g}"
        return {
            "positive": f"above {number}",
            "negative": f"below −{number}" if self.threshold else "below 0",
            "both": f"beyond ±{number}" if self.threshold else "other than 0",
        }[self.signs]

    @property
    def subject(self) -> tuple[object, ...]:
        """What it is about: the map and the atlas, whatever the thresholds."""
        return (*self.map, self.atlas, self.atlas_use)

    @property
    def map(self) -> tuple[str, str, str, Selection]:
        """Where the map comes from."""
        return self.source, self.file, self.space, self.selection


class AssignChoices(t.HasTraits):
    """The choices of the page; every value is checked here, whatever the browser sends."""

    source = t.Unicode("n", help="a map of the cohorts, or a folder of images")
    file = t.Unicode("", help="image in that folder")
    space = t.Unicode("", help="the space stated for that image, empty for its own statement")
    atlas = t.Unicode("", help="name of the atlas")
    threshold = t.Float(THRESHOLD, min=0.0, help="in the unit of the screen")
    signs = t.Enum(list(SIGNS), default_value=defaults.SIGNS)
    connectivity = t.Enum(list(SHARED), default_value=CONNECTIVITY)
    min_size_mm3 = t.Float(MIN_SIZE_MM3, min=0.0)
    lower_threshold = t.Float(LOWER_THRESHOLD, min=0.0, max=1.0)
    min_correlation = t.Float(NO_FILTER, min=-1.0, max=1.0)

    def ask(self, selection: Selection, atlas_use: AtlasUse) -> AssignmentRequest:
        """The question as it is now, about the cohorts of a selection."""
        cohorts = Selection(selection.cohort_a, selection.cohort_b, selection.min_patients)
        return AssignmentRequest(
            self.source,
            self.file,
            cohorts,
            self.atlas,
            self.threshold,
            cast("Signs", self.signs),
            cast("Connectivity", self.connectivity),
            self.min_size_mm3,
            self.lower_threshold,
            self.space,
            str(atlas_use),
        )
