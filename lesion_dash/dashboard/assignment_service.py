"""Questions of the page Assign in, frozen answers out. No science of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import Atlas
from ..images.maps import Map, as_map, read_map
from ..images.masks import Mask
from ..images.reading import Progress
from ..plotting.figures import ML, Colour, ColourClass, Layer
from ..regions.assignment import Assignment, assign_regions
from ..regions.overlap_scores import ComponentOverlap
from ..stats.components import Component
from .assignment_request import AssignmentRequest
from .image_files import ImageFiles
from .places import Mm
from .session import Session
from .widgets.layers import MaskLayer

if TYPE_CHECKING:
    import pandas as pd

OTHERS = ColourClass(64, "other components", (150, 120, 70))
CHOSEN = ColourClass(128, "component", (240, 170, 20))
CONTOUR = ColourClass(255, "contour of the region", (70, 200, 255))
"""What the brain shows on the page Assign."""

MAPS_OF_COHORTS = {
    "overlap": "Overlap of A and B",
    "n": "Patients per voxel of A",
    "mean": "Mean lesion volume of A",
}
"""The maps that follow from the choices of the first page: key and words."""


@dataclass(frozen=True, eq=False)
class Source:
    """A map that can be assigned, and how the screen speaks of it.

    Parameters
    ----------
    image : Map
    summary : str
        What it shows.
    unit : str
        Of the screen; empty where it is not known.
    scale : float
        One of that unit in the unit of the map: 1000 (mm³) for mL.
    """

    image: Map
    summary: str
    unit: str = ""
    scale: float = 1.0

    @cached_property
    def range(self) -> tuple[float, float]:
        """Lowest and highest value, in the unit of the screen."""
        known = self.image.array[np.isfinite(self.image.array)]
        if not known.size:
            return 0.0, 0.0
        return float(known.min()) / self.scale, float(known.max()) / self.scale

    @cached_property
    def is_counted(self) -> bool:
        """Whether all values are whole numbers."""
        return bool((self.image.array % 1 == 0).all())

    @cached_property
    def is_binary(self) -> bool:
        """Whether there is nothing but 0 and 1, so that no threshold makes sense."""
        array = self.image.array
        return bool(((array == 0) | (array == 1)).all())


@dataclass(frozen=True, eq=False)
class AssignmentResult:
    """An assignment with what is needed to show it.

    Parameters
    ----------
    question : AssignmentRequest
    source : Source
    atlas : Atlas
        On the grid of the map.
    assignment : Assignment
    """

    question: AssignmentRequest
    source: Source
    atlas: Atlas
    assignment: Assignment

    def prepare(self) -> None:
        """Work out what is slow at first, so that it can be done beside the page."""
        self.table, self.best, self._owners  # noqa: B018 - kept by the properties
        self.source.range, self.source.is_counted, self.source.is_binary  # noqa: B018 - kept
        self.atlas.region_at((0.0, 0.0, 0.0))

    @property
    def is_probabilistic(self) -> bool:
        """Whether the atlas holds probabilities."""
        return self.atlas.is_probabilistic

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each component and region."""
        return self.assignment.table

    @cached_property
    def best(self) -> pd.DataFrame:
        """A row for each component."""
        return self.assignment.best

    @cached_property
    def _by_name(self) -> dict[tuple[int, int, str], ComponentOverlap]:
        matches = self.assignment.matches
        return {(match.component.number, match.label, match.region): match for match in matches}

    def match_of(self, component: int, label: int, region: str) -> ComponentOverlap:
        """The match behind a row of the tables."""
        return self._by_name[component, label, region]

    @cached_property
    def best_match(self) -> ComponentOverlap | None:
        """The best match of the largest component, None where there is no component."""
        part = largest(self.assignment.components.parts)
        if part is None:
            return None
        row = self.best[self.best["component"] == part.number].iloc[0]
        return self.match_of(part.number, int(row["label"]), row["region"])

    def match_at(self, mm: Mm, column: int) -> ComponentOverlap | None:
        """The component at a place with a region; None where there is no such row."""
        part = self.component_at(mm)
        if part is None:
            return None
        own = (match for match in self.assignment.matches if match.component.number == part.number)
        return next((match for match in own if match.column == column and match.voxels), None)

    def place_of(self, match: ComponentOverlap) -> Mm:
        """The component's peak, in mm; where the region does not hold it, the highest it does."""
        part, shared = match.component, self._shared(match)
        if shared.any() and part.peak_index not in part.indices[shared]:
            part = replace(part, indices=part.indices[shared], values=part.values[shared])
        x, y, z = part.peak_mm.tolist()
        return x, y, z

    def _shared(self, match: ComponentOverlap) -> NDArray[np.bool_]:
        """Which voxels of the component lie in the region, or outside every region."""
        voxels = match.component.indices
        if match.column >= 0:
            return np.isin(voxels, self._voxels_of(match.column))
        own = [
            overlap.column
            for overlap in self.assignment.matches
            if overlap.component is match.component
        ]
        regions = [self._voxels_of(column) for column in own if column >= 0]
        return ~np.isin(voxels, np.concatenate([np.empty(0, np.int64), *regions]))

    def component_at(self, mm: Mm) -> Component | None:
        """The component that holds a place."""
        grid = self.source.image.grid
        voxel = grid.nearest_voxel(mm)
        owner = -1 if voxel is None else int(self._owners[grid.linear_index(voxel)])
        return None if owner < 0 else self.assignment.components.parts[owner]

    @cached_property
    def _owners(self) -> NDArray[np.int32]:
        """At each voxel the place of the component that holds it, -1 for none."""
        owners = np.full(self.source.image.grid.size, -1, np.int32)
        for place, part in enumerate(self.assignment.components):
            owners[part.indices] = place
        return owners

    def mask_layers(self, match: ComponentOverlap | None) -> tuple[MaskLayer, ...]:
        """The other components, that of a match, and the contour of its region."""
        chosen = None if match is None else match.component
        others = [part for part in self.assignment.components if not _is_same(part, chosen)]
        layers = []
        if others:
            indices = np.sort(np.concatenate([part.indices for part in others]))
            words = "components" if chosen is None else OTHERS.label
            layers.append(self._mask_layer(indices, words, OTHERS.colour, filled=True))
        if chosen is not None:
            words = f"component {chosen.number} ({chosen.volume_mm3:,.0f} mm³)"
            layers.append(self._mask_layer(chosen.indices, words, CHOSEN.colour, filled=True))
        if match is not None and match.column >= 0:
            region = np.sort(self._voxels_of(match.column))
            words = f"contour of {self.atlas.regions[match.column].name}{self._contour_words}"
            layers.append(self._mask_layer(region, words, CONTOUR.colour, filled=False))
        return tuple(layers)

    def _mask_layer(
        self, indices: NDArray[np.integer], name: str, colour: Colour, *, filled: bool
    ) -> MaskLayer:
        grid = self.source.image.grid
        return MaskLayer(Mask(grid, indices.astype(np.int32), name), name, colour, filled)

    @property
    def _contour_words(self) -> str:
        """Where the contour runs, in an atlas of probabilities."""
        if not self.is_probabilistic:
            return ""
        lowest = self.question.lower_threshold
        return f" (where its probability is {f'≥ {lowest:g}' if lowest else 'above 0'})"

    def layer(self, match: ComponentOverlap | None) -> Layer:
        """The components for nilearn."""
        grid = self.source.image.grid
        levels = np.zeros(grid.size, np.uint8)
        chosen = None if match is None else match.component
        for part in self.assignment.components:
            levels[part.indices] = (CHOSEN if _is_same(part, chosen) else OTHERS).value
        words = f"Components of {self.source.summary}"
        array = levels.reshape(grid.shape, order="F")
        return Layer(array, grid, words, "", 255.0, classes=(OTHERS, CHOSEN))

    def _voxels_of(self, column: int) -> NDArray[np.integer]:
        """Where the region's probability counts: above 0, and not below the lower threshold."""
        maps = self.atlas.maps
        own = slice(*maps.indptr[column : column + 2].tolist())
        values = maps.data[own]
        included = (values > 0) & (values >= self.question.lower_threshold)
        voxels: NDArray[np.integer] = maps.indices[own][included]
        return voxels


@dataclass(eq=False)
class AssignmentService:
    """Answers questions; the map asked for last is kept.

    Parameters
    ----------
    session : Session
        Where cohorts and atlases come from.
    """

    session: Session
    files: ImageFiles = field(init=False)
    _source: tuple[object, Source] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.files = ImageFiles(self.session.root)

    def answer(
        self, question: AssignmentRequest, progress: Progress | None = None
    ) -> AssignmentResult | None:
        """Assign the map to the atlas; None where one of them is not chosen yet.

        `progress` is told how many maps of the atlas are read, where it is not read yet.
        """
        source = self.source(question)
        atlas = self.session.atlas(question.atlas, progress)
        if source is None or atlas is None:
            return None
        assignment = assign_regions(
            source.image,
            atlas,
            threshold=question.threshold * source.scale,
            signs=question.signs,
            connectivity=question.connectivity,
            min_size_mm3=question.min_size_mm3,
            lower_threshold=question.lower_threshold,
        )
        return AssignmentResult(question, source, atlas.on_grid(source.image.grid), assignment)

    def source(self, question: AssignmentRequest) -> Source | None:
        """The map of a question, None where it is not chosen yet."""
        key = question.map
        if self._source is not None and self._source[0] == key:
            return self._source[1]
        if question.source in MAPS_OF_COHORTS:
            source = self._map_of_cohorts(question)
        else:
            source = self._map_of_file(question)
        if source is not None:
            self._source = key, source
        return source

    def _map_of_file(self, question: AssignmentRequest) -> Source | None:
        if not question.file:
            return None
        path = self.files.path(question.source, question.file)
        return Source(read_map(path, question.space or None), words_of(question))

    def _map_of_cohorts(self, question: AssignmentRequest) -> Source | None:
        selection = question.selection
        words = words_of(question)
        if not selection.cohort_a:
            return None
        if question.source == "overlap":
            pair = self.session.overlap(selection)
            return None if pair is None else Source(as_map(pair.both), words)
        stats = self.session.stats(selection)
        if question.source == "mean":
            # As it is saved, in single precision: page, command and Python give the same numbers.
            saved = replace(as_map(stats.mean.to_nifti()), name=stats.mean.name)
            return Source(saved, words, "mL", ML)
        return Source(stats.n, words, "patients")


def words_of(question: AssignmentRequest) -> str:
    """The map of a question in words."""
    if question.source not in MAPS_OF_COHORTS:
        return question.file
    of_each = " of each" if question.source == "overlap" else ""
    selection = question.selection
    names = [selection.cohort_a, *([selection.cohort_b] if of_each else [])]
    words = f"{MAPS_OF_COHORTS[question.source]}: {' and '.join(names)}"
    return f"{words} (≥ {selection.min_patients} patients{of_each} at a voxel)"


def _is_same(part: Component, other: Component | None) -> bool:
    return other is not None and part.number == other.number


def largest(parts: Sequence[Component]) -> Component | None:
    """The component of most voxels, the first of equals; None where there is none."""
    return max(parts, key=lambda part: part.voxels, default=None)
