"""What the user chose: traits, no arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import traitlets as t

from ..cohort.conditions import parse_conditions
from ..core.defaults import MIN_PATIENTS
from ..core.errors import InputError
from ..plotting.figures import MOSAIC_SLICES
from ..stats.topography import STATISTICS

MAPS = {
    "n": STATISTICS["n"].short_title,
    **{key: statistic.short_title for key, statistic in STATISTICS.items()},
    "overlap": "Overlap of A and B",
}
"""The maps that can be shown: key and label, the number of patients first."""

FIGURES = {"slices": "Slices", "mosaic": "Mosaic", "glass": "Glass brain"}
"""The ways nilearn draws a map: key and words."""

VIEWS = {"interactive": "Interactive", **FIGURES}
"""What the large panel shows."""

PLANES = {"all": "Three planes", "axial": "Axial", "coronal": "Coronal", "sagittal": "Sagittal"}
SLICES = (3, 5, 7, 9, 12, 16, 20, 24, 30)
"""How many slices of a plane a mosaic may have."""

SHADES = {"page": "As the page", "light": "White", "dark": "Black"}
SIZES = {"panel": "As shown", "85": "85 mm wide", "180": "180 mm wide"}
"""Width of a figure: one column of a journal, and two."""

REGIONS_BY = {
    "": "Each on its own",
    "lobe": "By lobe",
    "gyrus": "By gyrus",
    "hemisphere": "By hemisphere",
    "system": "By system",
}
"""What the rows of the table of regions can be put under, and words for it."""


MOST_ATLASES = 5
"""Arbitrary: cortex, white matter, cerebellum, brainstem and arterial territories."""


@dataclass(frozen=True)
class Selection:
    """A snapshot of the choices, fit to be the key of a result.

    Parameters
    ----------
    cohort_a, cohort_b : str
        Names of the loaded cohorts, empty where there is none; see `session.Session.part`.
    min_patients : int
        A voxel counts where at least this many patients are lesioned.
    atlases : tuple of str
        Names of the loaded atlases.
    map_key : str
        One of `MAPS`.
    """

    cohort_a: str = ""
    cohort_b: str = ""
    min_patients: int = 1
    atlases: tuple[str, ...] = ()
    map_key: str = "n"

    @property
    def atlas(self) -> str:
        """The first of the atlases, empty where there is none."""
        return _first(self.atlases)

    def with_atlas(self, name: str) -> Selection:
        """The same with this atlas alone, or without any where the name is empty."""
        return replace(self, atlases=(name,) if name else ())


def _first(names: tuple[str, ...]) -> str:
    return names[0] if names else ""


class Choices(t.HasTraits):
    """What the user wants to see; every value is checked here, whatever the browser sends."""

    folder_a = t.Unicode("", help="folder to load as A")
    folder_b = t.Unicode("", help="folder to load as B, empty for none")
    where_a = t.Tuple(help="conditions that the patients of A meet, as text")
    where_b = t.Tuple(help="conditions that the patients of B meet, as text")
    files_a = t.Unicode("", help="which of a patient's files count in A; empty for all")
    files_b = t.Unicode("", help="which of a patient's files count in B; empty for all")
    pending_a = t.Unicode("", help="folder for A that needs a choice among a patient's files")
    pending_b = t.Unicode("", help="folder for B that needs a choice among a patient's files")
    cohort_a = t.Unicode("", help="cohort that is loaded as A: a folder, or a part of it")
    cohort_b = t.Unicode("", help="cohort that is loaded as B: a folder, or a part of it")
    min_patients = t.Int(MIN_PATIENTS, help="least number of patients at a voxel")
    most_patients = t.Int(MIN_PATIENTS, help="largest number of patients at any voxel of A")
    atlases = t.Tuple(help="atlases to load; the contours are those of the first")
    loaded_atlases = t.Tuple(help="atlases that are loaded")
    map_key = t.Enum(list(MAPS), default_value="n")
    view = t.Enum(list(VIEWS), default_value="interactive", help="what the large panel shows")
    figure = t.Enum(list(FIGURES), default_value="slices")
    plane = t.Enum(list(PLANES), default_value="all", help="planes of the figure")
    slices = t.Enum(SLICES, default_value=MOSAIC_SLICES, help="slices of a plane in a mosaic")
    figure_shade = t.Enum(list(SHADES), default_value="page")
    figure_size = t.Enum(list(SIZES), default_value="panel")
    lowered_from = t.Int(0, help="the threshold that no voxel of A reached; 0 where none was")
    radiological = t.Bool(False, help="patient's left on the right of the screen")
    mm = t.Tuple(t.Float(), t.Float(), t.Float(), default_value=(0.0, 0.0, 0.0))
    patient = t.Unicode("", help="folder and file of the patient whose lesion is outlined")
    kept = t.Tuple(help="patients whose lesions stay on the brain beside that one")
    regions_of = t.Unicode("", help="atlas whose regions are listed, empty for the first")
    regions_by = t.Enum(list(REGIONS_BY), default_value="", help="level that regions are put under")
    region = t.Int(None, allow_none=True, help="label of the region whose patients are asked for")

    @t.validate("min_patients")
    def _bound(self, proposal: dict[str, Any]) -> int:
        return min(max(int(proposal["value"]), 1), max(self.most_patients, 1))

    @t.validate("atlases")
    def _each_once(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(filter(None, map(str, proposal["value"]))))[:MOST_ATLASES]

    @t.validate("where_a", "where_b")
    def _readable(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        try:
            return tuple(str(condition) for condition in parse_conditions(proposal["value"]))
        except InputError as error:
            raise t.TraitError(str(error)) from error

    @t.validate("map_key")
    def _overlap_needs_two(self, proposal: dict[str, Any]) -> str:
        folder = str(proposal["value"])
        if folder == "overlap" and not self.cohort_b:
            raise t.TraitError("the overlap needs a second folder")
        return folder

    @property
    def atlas(self) -> str:
        """The first atlas, empty where there is none.

        It changes places with a further one that is chosen as the first. Where none is, the next
        one becomes the first.
        """
        return _first(self.atlases)

    @atlas.setter
    def atlas(self, name: str) -> None:
        before, further = self.atlas, self.atlases[1:]
        self.atlases = (name, *(before if other == name else other for other in further))

    @property
    def loaded_atlas(self) -> str:
        """The first of the loaded atlases, empty where there is none."""
        return _first(self.loaded_atlases)

    @property
    def regions_atlas(self) -> str:
        """The loaded atlas whose regions are listed, empty where there is none."""
        is_loaded = self.regions_of in self.loaded_atlases
        return self.regions_of if is_loaded else self.loaded_atlas

    @property
    def selection(self) -> Selection:
        """The choices as they are now."""
        return Selection(
            self.cohort_a, self.cohort_b, self.min_patients, self.loaded_atlases, self.map_key
        )


class Loading(t.HasTraits):
    """How far the reading of masks, or of an atlas, has come."""

    running = t.Bool(False)
    folder = t.Unicode("", help="what is read, as the page calls it")
    noun = t.Unicode("mask", help="what is counted")
    done = t.Int(0)
    total = t.Int(0)
    notice = t.Unicode("", help="what is unusual about this reading")
    painted = t.Bool(
        False, help="whether the browser has drawn the brain; slow imports wait for it"
    )

    def start(self, folder: str, noun: str = "mask") -> None:
        """Begin to read a folder of masks, or an atlas of maps."""
        self.done = self.total = 0
        self.notice = ""
        self.folder, self.noun = folder, noun
        self.running = True

    def show(self, done: int, total: int) -> None:
        """So many files, or maps, of so many are read."""
        self.total, self.done = total, done
