"""What the user chooses in the ROI lab: traits, no arrays, and the frozen recipe they make."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, cast, get_args

import traitlets as t

from ..core.defaults import (
    CLUSTER_CONNECTIVITY,
    CORRECTION,
    DELAY_S,
    MIN_PATIENTS,
    MIN_PATIENTS_OF_TWO,
    MIN_PERMUTATIONS,
    MIN_ROI_MM3,
    MIN_ROI_VOXELS,
    PERMUTATIONS,
    SEED,
    T_TEST,
    THRESHOLD_SIDE,
    Connectivity,
    Correction,
    ThresholdSide,
)
from ..rois.recipe import InsideRegions, RecipeStep, RoiRecipe, Source
from ..rois.steps import Threshold
from ..stats.components import SHARED
from ..stats.contrast import CORRECTIONS, TESTS
from .data_root import DataRoot

KINDS = {
    "series": "Functional runs with conditions",
    "images": "Two folders of 3D images",
    "cohorts": "Two folders of lesion masks",
    "split": "Lesion masks, two groups of patients",
    "score": "Lesion masks and a score",
    "map": "Any map, no test",
}
"""The kinds of input: key and words."""

TESTS_OF = {
    "series": ("student", "welch"),
    "images": ("student", "welch"),
    "cohorts": ("fisher", "student", "welch"),
    "split": ("fisher", "student", "welch"),
    "score": ("student", "welch"),
    "map": (),
}
"""The tests for each kind of input, the usual one first."""

MAPS = {
    "minus_log10_p": "−log10 p",
    "minus_log10_corrected_p": "−log10 corrected p",
    "t": "t",
    "odds_ratio": "Odds ratio",
    "effect": "Effect (A − B)",
    "p": "p",
    "corrected_p": "Corrected p",
}
"""The maps a threshold can be for: key and words."""

FIRST_THRESHOLDS: dict[str, tuple[float, ThresholdSide]] = {
    "minus_log10_p": (3.0, "above"),
    "minus_log10_corrected_p": (1.3, "above"),
    "t": (3.0, "above"),
    "odds_ratio": (1.0, "above"),
    "effect": (0.0, "above"),
    "p": (0.001, "below"),
    "corrected_p": (0.05, "below"),
    "": (0.0, "above"),
}
"""Where a map's threshold and its side begin; a map from a file has no key."""

_FIRST_MAP = "minus_log10_p"
_MOST = 1_000_000  # arbitrary: more patients or permutations than are asked for

_FIRST_LEAST = {"score": MIN_PATIENTS}


def corrections_of(test: str) -> tuple[str, ...]:
    """The corrections there are after a test: permutations are of Student's t only."""
    return tuple(key for key in CORRECTIONS if key != "fwe" or test == "student")


class InputChoices(t.HasTraits):
    """The files and the test; every value is checked here, whatever the browser sends."""

    kind = t.Enum(list(KINDS), default_value="series")
    folder = t.Unicode("", help="folder of the runs, of group A, of the masks, or of the map")
    folder_b = t.Unicode("", help="folder of group B")
    runs = t.Tuple(help="names of the runs in the folder")
    table = t.Unicode("", help="one table for all runs; empty: the one beside each")
    file = t.Unicode("", help="name of the map in the folder")
    column = t.Unicode("", help="of the participants table")
    a = t.Unicode("", help="condition, or value of the column")
    b = t.Unicode("", help="the other one")
    delay_s = t.Float(DELAY_S, min=-60.0, max=60.0, help="from an event to its response")
    repetition_time = t.Float(0.0, min=0.0, max=1000.0, help="seconds; 0: as the images say")
    fwhm_mm = t.Float(0.0, min=0.0, max=100.0, help="smoothing; 0: none")
    mask_folder = t.Unicode("", help="folder of the mask to test inside")
    mask = t.Unicode("", help="name of that mask, empty for none")
    test = t.Enum(list(TESTS), default_value=T_TEST)
    min_patients = t.Int(
        MIN_PATIENTS_OF_TWO, min=1, max=_MOST, help="lesioned at a voxel, else it is not tested"
    )
    correction = t.Enum(list(CORRECTIONS), default_value=CORRECTION)
    n_permutations = t.Int(PERMUTATIONS, min=MIN_PERMUTATIONS, max=_MOST)
    seed = t.Int(SEED, min=0, max=2**32 - 1)

    @t.validate("runs")
    def _are_names(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        if not all(isinstance(name, str) for name in proposal["value"]):
            raise t.TraitError("runs are names")
        return tuple(proposal["value"])

    @t.validate("test")
    def _fits(self, proposal: dict[str, Any]) -> str:
        allowed = TESTS_OF[self.kind]
        value = str(proposal["value"])
        if allowed and value not in allowed:
            raise t.TraitError(f"{value} is not a test of this input")
        return value

    @t.validate("correction")
    def _follows(self, proposal: dict[str, Any]) -> str:
        value = str(proposal["value"])
        if value not in corrections_of(self.test):
            raise t.TraitError(f"{value} does not follow {self.test}")
        return value

    def begin(self, kind: str) -> None:
        """Change the kind of input: nothing is chosen yet, and the test is the usual one."""
        with self.hold_trait_notifications():
            self.folder = self.folder_b = self.table = self.file = self.column = ""
            self.a = self.b = self.mask_folder = self.mask = ""
            self.runs = ()
            self.kind = kind
            self.min_patients = _FIRST_LEAST.get(kind, MIN_PATIENTS_OF_TWO)
            if TESTS_OF[kind]:
                self.test = TESTS_OF[kind][0]
            else:
                self.correction = CORRECTION


@dataclass(frozen=True)
class Setup:
    """What one press of the button settles: the files, the test, and its correction.

    Parameters
    ----------
    source : Source
    correction : {"none", "bonferroni", "fdr", "fwe"}
    n_permutations, seed : int
        For ``fwe``.
    """

    source: Source
    correction: Correction = CORRECTION
    n_permutations: int = PERMUTATIONS
    seed: int = SEED


@dataclass(frozen=True)
class Way:
    """What can be changed at any time after it: from the map to regions of interest.

    Parameters
    ----------
    map_key : str
        One of `MAPS`; empty for a map from a file.
    threshold, side
        As `Threshold` takes them.
    steps : tuple of RecipeStep
    connectivity, min_voxels, min_mm3
        As `find_rois` takes them.
    atlas : str
        Name of the atlas for the regions at the peaks, empty for none.
    picks : tuple of int
    """

    map_key: str = _FIRST_MAP
    threshold: float = FIRST_THRESHOLDS[_FIRST_MAP][0]
    side: ThresholdSide = THRESHOLD_SIDE
    steps: tuple[RecipeStep, ...] = ()
    connectivity: Connectivity = CLUSTER_CONNECTIVITY
    min_voxels: int = MIN_ROI_VOXELS
    min_mm3: float = MIN_ROI_MM3
    atlas: str = ""
    picks: tuple[int, ...] = ()

    @property
    def unpicked(self) -> Way:
        """The same with all regions of interest."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return Way(**(values | {"picks": ()}))


class WayChoices(t.HasTraits):
    """The choices from the map to regions of interest, as in `Way`."""

    map_key = t.Enum(["", *MAPS], default_value=_FIRST_MAP)
    threshold = t.Float(Way.threshold)
    side = t.Enum(get_args(ThresholdSide), default_value=THRESHOLD_SIDE)
    steps = t.Tuple()
    connectivity = t.Enum(list(SHARED), default_value=CLUSTER_CONNECTIVITY)
    min_voxels = t.Int(MIN_ROI_VOXELS, min=1, max=10**9)
    min_mm3 = t.Float(MIN_ROI_MM3, min=0.0)
    atlas = t.Unicode("")
    picks = t.Tuple()

    @property
    def way(self) -> Way:
        """The choices as they are now."""
        return Way(
            self.map_key,
            self.threshold,
            cast("ThresholdSide", self.side),
            self.steps,
            cast("Connectivity", self.connectivity),
            self.min_voxels,
            self.min_mm3,
            self.atlas,
            self.picks,
        )

    def take(self, way: Way) -> None:
        """Go back, or on, to other choices all at once."""
        with self.hold_trait_notifications():
            for field in fields(way):
                setattr(self, field.name, getattr(way, field.name))

    def begin(self, map_key: str) -> None:
        """Change to another map, at its own first threshold."""
        with self.hold_trait_notifications():
            self.map_key = map_key
            self.threshold, self.side = FIRST_THRESHOLDS[map_key]
            self.picks = ()


@dataclass(frozen=True)
class RoiRequest:
    """Everything that was chosen.

    Parameters
    ----------
    setup : Setup
    way : Way
    """

    setup: Setup
    way: Way

    def recipe(self, root: DataRoot) -> RoiRecipe:
        """The recipe; atlases are looked up in the data root, with what was said of them.

        Raises
        ------
        InputError
            Where the atlas is none of the data root.
        """
        setup, way = self.setup, self.way
        image, labels = root.atlas_files(way.atlas) if way.atlas else (None, None)
        use = root.use_of_image(str(image))
        return RoiRecipe(
            source=setup.source,
            threshold=Threshold(way.threshold, way.side),
            map_key=way.map_key,
            correction=setup.correction,
            n_permutations=setup.n_permutations,
            seed=setup.seed,
            steps=tuple(_as_used(step, root) for step in way.steps),
            connectivity=way.connectivity,
            min_voxels=way.min_voxels,
            min_mm3=way.min_mm3,
            atlas=str(image) if image is not None else None,
            labels=str(labels) if labels is not None else None,
            picks=way.picks,
            atlas_space=use.space or None,
            **use.options,
        )


def _as_used(step: RecipeStep, root: DataRoot) -> RecipeStep:
    """A step, with what was said of its atlas since it was made."""
    if not isinstance(step, InsideRegions):
        return step
    use = root.use_of_image(step.atlas)
    options: dict[str, Any] = {"space": use.space or None, **use.options}
    return replace(step, **options)
