"""Choices and data in, frozen results out; each is computed once. No science of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..atlas.atlas import Atlas
from ..atlas.doubts import is_marked, settle_sides
from ..atlas.finding import file_stem
from ..atlas.grouping import group_regions
from ..atlas.levels import By, group_names
from ..atlas.loading import load_atlas
from ..atlas.places import name_place, names_of_place
from ..cohort.cohort import Cohort
from ..cohort.conditions import restrict_cohort
from ..cohort.dask import scheduler_to_use
from ..cohort.file_choice import ALL_FILES, FileChoice
from ..cohort.loading import load_cohort
from ..cohort.selection import SeveralFilesError
from ..core.errors import InputError
from ..core.field_of_view import fields_of_view
from ..core.file_names import own_names
from ..core.space import ATLAS
from ..core.tables import csv_bytes
from ..core.text import enumerated
from ..images.maps import Map, nifti_bytes
from ..images.masks import Mask
from ..images.space import space_of
from ..plotting.figures import (
    ML,
    OVERLAP_CLASSES,
    Layer,
    counted_maximum,
    fixed_maximum,
)
from ..regions.counts import FILE_NAME as REGIONS_FILE
from ..regions.counts import RegionCounts, count_regions
from ..regions.involvement import Involvement, region_involvement
from ..regions.load import LesionLoad, lesion_load
from ..stats.coverage import threshold_coverage
from ..stats.overlap import FILE_NAME as OVERLAP_FILE
from ..stats.overlap import Overlap, overlap
from ..stats.topography import FILE_NAMES, STATISTICS, VolumeStats, volume_stats
from .atlas_use import AS_STORED, AtlasUse
from .cache import Cache
from .data_root import DataRoot
from .display_scale import DisplayScale
from .places import Mm
from .state import MOST_ATLASES, Selection
from .widgets.layers import LabelLayer, OverlapLayer, Scale, ValueLayer

PATIENTS_FILE = "patients.csv"
_FAR = (1e5, 1e5, 1e5)
"""In mm: outside any atlas."""

_MAX_ORIGINS = 64
"""Parts of folders whose conditions are remembered."""


@dataclass(frozen=True)
class Readout:
    """What is known of one place.

    Parameters
    ----------
    mm : tuple of float
        MNI coordinates in mm.
    regions : tuple of str
        What the place is called in each atlas, or how far which region is.
    patients : int
        Patients of A lesioned there.
    mean_ml, std_ml : float
        Of their total lesion volumes, in mL; NaN where there are no patients.
    patients_b : int or None
        Patients of B lesioned there, None where there is no B.
    mean_b_ml, std_b_ml : float
        Of their volumes, likewise.
    """

    mm: Mm
    regions: tuple[str, ...]
    patients: int
    mean_ml: float
    std_ml: float
    patients_b: int | None
    mean_b_ml: float = float("nan")
    std_b_ml: float = float("nan")


@dataclass(eq=False)
class Session:
    """Cohorts, atlases and what follows from a selection of them.

    Parameters
    ----------
    root : DataRoot
        Where folders and atlases are looked up by name.
    """

    root: DataRoot
    _cohorts: Cache = field(default_factory=lambda: Cache(4))
    _parts: Cache = field(default_factory=lambda: Cache(8))
    _origins: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    _files: dict[str, FileChoice] = field(default_factory=dict)
    _pending: dict[str, SeveralFilesError] = field(default_factory=dict)
    _atlases: Cache = field(default_factory=lambda: Cache(MOST_ATLASES + 1))
    _stats: Cache = field(default_factory=lambda: Cache(4))
    _maxima: Cache = field(default_factory=lambda: Cache(32))
    _overlaps: Cache = field(default_factory=lambda: Cache(4))
    _regions: Cache = field(default_factory=lambda: Cache(32))
    _groups: Cache = field(default_factory=lambda: Cache(8))
    _loads: Cache = field(default_factory=lambda: Cache(8))
    _involvements: Cache = field(default_factory=lambda: Cache(16))
    _atlas_layers: Cache = field(default_factory=lambda: Cache(4))
    _map_layers: Cache = field(default_factory=lambda: Cache(6))

    def load(
        self,
        name: str,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> Cohort:
        """Read a folder of the data root, or what `part` named, or take it from the cache."""
        if (source := self._origins.get(name)) is not None:
            (folder, where), files = source, self._files[name]
            return self._parts.get(
                name, lambda: restrict_cohort(self._load_folder(folder, files), where)
            )
        return self._load_folder(name, self.file_choice(name), progress, cancelled, notice)

    def _load_folder(
        self,
        name: str,
        files: FileChoice,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> Cohort:
        def read() -> Cohort:
            cohort = load_cohort(
                self.root.cohort_folder(name),
                **vars(files),
                progress=progress,
                cancelled=cancelled,
                within=self.root.within(name),
                notice=notice,
                # Workers elsewhere do not see the folder of this session.
                scheduler=None if self.root.is_own(name) else scheduler_to_use(),
            )
            # Done here, beside the page, so that the slider never waits.
            volume_stats(cohort, 1)
            threshold_coverage(cohort)
            return cohort

        is_new = (name, files) not in self._cohorts
        try:
            cohort = self._cohorts.get((name, files), read)
        except SeveralFilesError as error:
            self._pending[name] = error
            raise
        if is_new:  # and another may be forgotten, whose voxels its parts keep in memory
            self._parts.forget(
                lambda part: (self.origin(part)[0], self.files_of(part)) not in self._cohorts
            )
        return cohort

    def forget_own(self) -> None:
        """Let go of what was read of the visitor's own files."""
        self._cohorts.forget(lambda key: self.root.is_own(key[0]))
        self._parts.forget(lambda name: self.root.is_own(self.origin(name)[0]))
        self._atlases.forget(self.root.is_own)
        for cache in (self._loads, self._involvements):
            cache.forget(lambda key: self.root.is_own(self.origin(key[0])[0]))

    def has(self, name: str) -> bool:
        """Whether a folder is already read."""
        return (name, self.file_choice(name)) in self._cohorts

    def file_choice(self, folder: str) -> FileChoice:
        """Which of the files of a patient count in a folder."""
        return self.root.file_choices.get(folder, ALL_FILES)

    def choose_files(self, folder: str, choice: FileChoice) -> None:
        """Let other files of a folder's patients count; what was shown of it is read anew."""
        self.root.file_choices[folder] = choice

    def pending_choice(self, folder: str) -> SeveralFilesError | None:
        """Why a choice among a patient's files is needed in a folder, and what can be chosen."""
        return self._pending.get(folder)

    def part(self, folder: str, where: tuple[str, ...]) -> str:
        """The name of those patients of a folder who meet conditions, to be used like a folder's.

        It tells which of a patient's files count, so that no result of other files has that name.

        Raises
        ------
        InputError
            Where a condition cannot be asked, or nobody meets them all.
        """
        files = self.file_choice(folder)
        if not (folder and (where or files != ALL_FILES)):
            return folder
        source = (folder, where)
        known = (
            name
            for name, other in self._origins.items()
            if other == source and self._files[name] == files
        )
        if (name := next(known, "")) in self._parts:
            return name
        whole = self.load(folder)
        part = restrict_cohort(whole, where)
        # Folders of one name may lie in several places, and words may mean several conditions.
        start = folder if files == ALL_FILES else f"{folder} ({files.words})"
        name = f"{start}{part.name.removeprefix(whole.name)}"
        while name in self.root.cohorts or (
            name in self._origins and (self._origins[name], self._files[name]) != (source, files)
        ):
            name = f"{name} *"
        self._origins[name], self._files[name] = source, files
        self._parts.get(name, lambda: part)
        self._forget_parts()
        return name

    def _forget_parts(self) -> None:
        """Forget what was asked for long ago; parts that are shown are among the last used."""
        old = [name for name in self._origins if name not in self._parts]
        for name in old[: max(len(self._origins) - _MAX_ORIGINS, 0)]:
            del self._origins[name], self._files[name]

    def origin(self, name: str) -> tuple[str, tuple[str, ...]]:
        """The folder of a cohort, and the conditions that its patients meet."""
        return self._origins.get(name, (name, ()))

    def files_of(self, name: str) -> FileChoice:
        """Which of a patient's files count in a cohort."""
        return self._files.get(name, ALL_FILES)

    def check_pair(self, a: str, b: str) -> None:
        """Raise InputError where two cohorts cannot be compared, with the difference."""
        if a and b:
            fields_of_view(self.load(a).grid, self.load(b).grid, b)

    def cohort(self, name: str) -> Cohort | None:
        """A cohort that was loaded, None for the empty name."""
        return self.load(name) if name else None

    def atlas(self, name: str, progress: Callable[[int, int], None] | None = None) -> Atlas | None:
        """An atlas of the data root, None for the empty name; see `load_atlas`."""

        def read() -> Atlas:
            use = self.use_of(name)
            stored = load_atlas(*self.root.atlas_files(name), progress, space=use.space or None)
            atlas = settle_sides(
                stored, is_mirrored=use.sides == "mirrored", is_accepted=use.sides == "accepted"
            )
            # Sorted by voxels, and its border found, so that no click waits.
            for mm in ((0.0, 0.0, 0.0), _FAR):
                name_place(atlas, mm)
            return atlas

        return self._atlases.get(name, read) if name else None

    def use_of(self, atlas_name: str) -> AtlasUse:
        """What was said of an atlas."""
        return self.root.atlas_uses.get(atlas_name, AS_STORED)

    def uses_of(self, atlas_names: Sequence[str]) -> tuple[str, ...]:
        """What was said of each of several atlases; empty where nothing was said of any."""
        uses = tuple(str(self.use_of(name)) for name in atlas_names)
        return uses if any(uses) else ()

    def choose_use(self, atlas_name: str, use: AtlasUse) -> None:
        """Say how an atlas is used; what was worked out with it before is forgotten."""
        if use == self.use_of(atlas_name):
            return
        self.root.atlas_uses[atlas_name] = use
        for cache in (self._atlases, self._atlas_layers):
            cache.forget(lambda key: key == atlas_name)
        for cache in (self._loads, self._involvements):
            cache.forget(lambda key: key[1] == atlas_name)
        self._regions.forget(lambda key: key[3] == atlas_name)
        self._groups.forget(lambda key: key[0].atlas == atlas_name)

    def has_atlas(self, name: str) -> bool:
        """Whether an atlas is already read."""
        return name in self._atlases

    def joint_sides(self, names: Sequence[str]) -> dict[str, bool]:
        """What was said of atlases whose names are doubtful, as a request of them all has it.

        Raises
        ------
        InputError
            Where it differs between them.
        """
        sides = {name: self.use_of(name).sides for name in names}
        said = set(sides.values()) - {""}
        others = [self.atlas(name) for name in names if said and not sides[name]]
        if len(said) > 1 or any(atlas is not None and is_marked(atlas) for atlas in others):
            problem = "their doubtful names are used in different ways"
            remedy = "choose the same for each: “Use anyway”, or “Mirror the atlas”"
            raise InputError(enumerated(names), problem, remedy)
        return AtlasUse(*said).options

    def stated_spaces(self, files: FileChoice, atlas_names: Sequence[str]) -> tuple[str, ...]:
        """The spaces that were stated of masks and atlases, as a request of them all has it.

        Raises
        ------
        InputError
            Where nothing says the space of one of several atlases, and that of others was stated.
        """
        of_masks = () if files.space is None else (f"masks={files.space}",)
        spaces = [self.use_of(name).space or None for name in atlas_names]
        if not any(spaces):
            return of_masks
        of_atlases = [
            self._label_of_space(name) if space is None else space
            for name, space in zip(atlas_names, spaces, strict=True)
        ]
        return (*of_masks, *(f"{ATLAS}={space}" for space in of_atlases))

    def _label_of_space(self, atlas_name: str) -> str:
        """The space that an atlas states, as a user would state it."""
        atlas = self.atlas(atlas_name)
        space = None if atlas is None else space_of(atlas.grid)
        if space is None or not space.label:
            problem = "states no space, and that of another atlas was stated"
            raise InputError(self.root.words_of(atlas_name), problem, "state its space as well")
        return space.label

    def most_patients(self, name: str) -> int:
        """The largest number of patients at any voxel, at least 1."""
        return max(self.load(name).max_overlap, 1)

    def peak(self, selection: Selection) -> Mm:
        """Where most patients of A are lesioned, in mm."""
        cohort = self.load(selection.cohort_a)
        counts = np.ravel(cohort.counts, order="F")
        highest = int(counts.argmax())
        if not counts[highest]:
            return (0.0, 0.0, 0.0)
        x, y, z = cohort.grid.mm_of_index(np.array([highest]))[0]
        return (float(x), float(y), float(z))

    def stats(self, selection: Selection) -> VolumeStats:
        """Lesion size topography of A."""
        return self._stats_of(selection.cohort_a, selection.min_patients)

    def overlap(self, selection: Selection) -> Overlap | None:
        """A and B at the threshold, None without B."""
        a, b = self.cohort(selection.cohort_a), self.cohort(selection.cohort_b)
        if a is None or b is None:
            return None
        k = selection.min_patients
        key = (selection.cohort_a, selection.cohort_b, k)
        return self._overlaps.get(key, lambda: overlap(a.at_least(k), b.at_least(k)))

    def counted_mask(self, selection: Selection) -> Mask:
        """The map whose voxels the region table counts: the overlap, or A at the threshold."""
        overlap = self.overlap(selection)
        if overlap is not None:
            return overlap.both
        cohort = self.load(selection.cohort_a)
        return cohort.at_least(selection.min_patients)

    def regions(self, selection: Selection) -> RegionCounts | None:
        """Voxels of the counted map in each region, None without an atlas."""
        atlas = self.atlas(selection.atlas) if selection.cohort_a else None
        if atlas is None:
            return None
        key = (selection.cohort_a, selection.cohort_b, selection.min_patients, selection.atlas)
        return self._regions.get(key, lambda: count_regions(self.counted_mask(selection), atlas))

    def levels(self, atlas_name: str) -> tuple[By, ...]:
        """The levels under which the regions of an atlas can be put."""
        atlas = self.atlas(atlas_name)
        levels: tuple[By, ...] = ("lobe", "gyrus", "hemisphere", "system")
        return () if atlas is None else tuple(
            by for by in levels if any(group_names(atlas.regions, by))
        )  # fmt: skip

    def region_groups(self, selection: Selection, by: By) -> RegionCounts | None:
        """Voxels of the counted map in each lobe, gyrus, hemisphere or system."""
        counts = self.regions(selection)
        if counts is None:
            return None
        key = (replace(selection.with_atlas(selection.atlas), map_key=""), by)
        return self._groups.get(key, lambda: counts.rolled_up(by))

    def region_load(self, cohort_name: str, atlas_name: str, by: By | None = None) -> LesionLoad:
        """The lesions of each patient in each region of an atlas, or in groups of regions."""

        def measure() -> LesionLoad:
            cohort, atlas = self.load(cohort_name), self.atlas(atlas_name)
            assert atlas is not None
            return lesion_load(cohort, group_regions(atlas, by) if by else atlas)

        return self._loads.get((cohort_name, atlas_name, by), measure)

    def has_load(self, cohort_name: str, atlas_name: str) -> bool:
        """Whether lesions are measured in this atlas already."""
        return (cohort_name, atlas_name, None) in self._loads

    def has_involvement(self, cohort_name: str, atlas_name: str, by: By | None = None) -> bool:
        """Whether the patients of each region are counted already."""
        return (cohort_name, atlas_name, by) in self._involvements

    def involvement(self, cohort_name: str, atlas_name: str, by: By | None = None) -> Involvement:
        """How many patients are lesioned in each region, or in each group of regions."""
        key = (cohort_name, atlas_name, by)
        return self._involvements.get(
            key, lambda: region_involvement(self.region_load(cohort_name, atlas_name, by))
        )

    def scale(self, selection: Selection) -> DisplayScale:
        """What the colours of the selected map stand for."""
        if selection.map_key == "overlap":
            title = f"Voxels with at least {selection.min_patients} patients in A, in B, in both"
            return DisplayScale(title, "", 255.0, False, "")
        factor, unit = STATISTICS[selection.map_key].display
        maximum = self._maximum(selection, factor)
        exceeded = bool(self._largest(selection) * factor > maximum)
        of_a = " of A" if selection.cohort_b else ""
        where = f"where ≥ {selection.min_patients} patients are lesioned"
        title = f"{STATISTICS[selection.map_key].title}{of_a}, {where}"
        return DisplayScale(title, unit, maximum, exceeded, STATISTICS[selection.map_key].colormap)

    def _maximum(self, selection: Selection, factor: float) -> float:
        """The end of the colours: that of volumes is the whole folder's, whatever the subgroup."""
        key, folder = selection.map_key, self.part(self.origin(selection.cohort_a)[0], ())
        if key == "n":
            return counted_maximum(self.most_patients(selection.cohort_a))
        return self._maxima.get(
            (folder, key), lambda: fixed_maximum(self._stats_of(folder, 1), key, factor)
        )

    def _largest(self, selection: Selection) -> float:
        """The largest value of the selected map, in its own unit."""
        if selection.map_key == "n":
            return self.most_patients(selection.cohort_a)  # to count patients takes no volumes
        return float(np.nanmax(self.stats(selection).values[selection.map_key], initial=0))

    def map_layer(self, selection: Selection) -> ValueLayer | OverlapLayer:
        """The selected map of all voxels, for the viewer: the browser leaves out those below k."""
        b = selection.cohort_b if selection.map_key == "overlap" else ""
        key = (selection.cohort_a, b, bool(selection.cohort_b), selection.map_key)
        return self._map_layers.get(key, lambda: self._make_map_layer(selection))

    def _make_map_layer(self, selection: Selection) -> ValueLayer | OverlapLayer:
        if selection.map_key == "overlap":
            return self._overlap_layer(selection)
        of_a = " of A" if selection.cohort_b else ""
        statistic = STATISTICS[selection.map_key]
        factor, unit = statistic.display
        scale = Scale(self._maximum(selection, factor), statistic.colormap)
        title = f"{statistic.title}{of_a}, where ≥ {{k}} patients are lesioned"
        cohort = self.load(selection.cohort_a)
        if selection.map_key == "n":
            counts = np.ravel(cohort.counts, order="F")
            indices = np.flatnonzero(counts)
            n = counts[indices]
            return ValueLayer(cohort.grid, indices, n, title, unit, scale, n)
        stats = self._stats_of(selection.cohort_a, 1)
        values = stats.values[selection.map_key] * factor
        return ValueLayer(cohort.grid, stats.indices, values, title, unit, scale, stats.values["n"])

    def atlas_layer(self, name: str) -> LabelLayer | None:
        """The regions of an atlas for the viewer; of probabilities, the likeliest at each voxel."""
        atlas = self.atlas(name)
        if atlas is None:
            return None
        return self._atlas_layers.get(name, lambda: _label_layer(atlas))

    def _overlap_layer(self, selection: Selection) -> OverlapLayer:
        a, b = self.load(selection.cohort_a), self.load(selection.cohort_b)
        fields = fields_of_view(a.grid, b.grid, b.name)
        counts = np.zeros((2, fields.grid.size), np.int32)
        for row, cohort in enumerate((a, b)):
            own = np.ravel(cohort.counts, order="F")
            lesioned = np.flatnonzero(own)
            counts[row, fields.places(cohort.grid, lesioned)] = own[lesioned]
        indices = np.flatnonzero(counts.any(axis=0))
        n_a, n_b = counts[:, indices]
        title = "Voxels with at least {k} patients in A, in B, in both"
        return OverlapLayer(fields.grid, indices, n_a, n_b, title)

    def layer(self, selection: Selection) -> Layer:
        """The selected map with its unit and colours, for nilearn."""
        scale = self.scale(selection)
        if selection.map_key == "overlap":
            overlap = self.overlap(selection)
            assert overlap is not None
            grid = overlap.both.grid  # it holds both fields of view
            levels = np.zeros(grid.size, np.uint8)
            masks = (overlap.only_a, overlap.only_b, overlap.both)
            for mask, category in zip(masks, OVERLAP_CLASSES, strict=True):
                levels[mask.indices] = category.value
            classes = levels.reshape(grid.shape, order="F")
            return Layer(classes, grid, scale.title, "", 255.0, classes=OVERLAP_CLASSES)
        image = self._map(selection, selection.map_key)
        factor, unit = STATISTICS[selection.map_key].display
        array = image.array * factor
        return Layer(array, image.grid, scale.title, unit, scale.maximum, scale.colormap)

    def readout(self, selection: Selection, mm: Mm) -> Readout:
        """What is known of a place: region, patients, their mean volume and its SD."""
        regions = self.places(selection.atlases, mm)
        if not selection.cohort_a:
            return Readout(mm, regions, 0, float("nan"), float("nan"), None)
        n, mean, std = self._values_at(selection.cohort_a, mm)
        if not selection.cohort_b:
            return Readout(mm, regions, int(n), mean / ML, std / ML, None)
        n_b, *of_b = self._values_at(selection.cohort_b, mm)
        return Readout(
            mm, regions, int(n), mean / ML, std / ML, int(n_b), *(value / ML for value in of_b)
        )

    def places(self, names: Sequence[str], mm: Mm) -> tuple[str, ...]:
        """What a place is called in each of these atlases; of several, with the atlas's name."""
        read = {name: atlas for name in names if (atlas := self.atlas(name)) is not None}
        return names_of_place([*read.values()], mm, [self.root.words_of(name) for name in read])

    def region_files(self, atlases: Sequence[str]) -> dict[str, str]:
        """The names of the tables of regions, each with its atlas."""
        stems = [file_stem(str(self.root.atlas_files(name)[0])) for name in atlases]
        return dict(zip(own_names(REGIONS_FILE, stems), atlases, strict=True)) if stems else {}

    def file_names(self, selection: Selection) -> tuple[str, ...]:
        """The files that can be saved now, under the names the command line gives them."""
        if not selection.cohort_a:
            return ()
        both = (OVERLAP_FILE,) if selection.cohort_b else ()
        regions = self.region_files(selection.atlases)
        return (*FILE_NAMES.values(), *both, *regions, PATIENTS_FILE)

    def file_bytes(self, selection: Selection, name: str) -> bytes:
        """The content of one of `file_names`."""
        if name not in self.file_names(selection):
            raise KeyError(name)
        if atlas := self.region_files(selection.atlases).get(name):
            counts = self.regions(selection.with_atlas(atlas))
            assert counts is not None
            return csv_bytes(counts.table)
        if name == PATIENTS_FILE:
            return self.load(selection.cohort_a).files_csv
        if name == OVERLAP_FILE:
            return nifti_bytes(self.counted_mask(selection).to_nifti())
        key = next(key for key, file in FILE_NAMES.items() if file == name)
        return nifti_bytes(self._map(selection, key).to_nifti())

    def _stats_of(self, name: str, min_patients: int) -> VolumeStats:
        cohort = self.load(name)
        return self._stats.get((name, min_patients), lambda: volume_stats(cohort, min_patients))

    def _map(self, selection: Selection, key: str) -> Map:
        image: Map = getattr(self.stats(selection), key)
        return image

    def _values_at(self, name: str, mm: Mm) -> tuple[float, float, float]:
        """Patients lesioned at a place, the mean of their volumes in mm³ and its SD."""
        cohort = self.load(name)
        voxel = cohort.grid.nearest_voxel(mm)
        if voxel is None:
            return 0.0, float("nan"), float("nan")
        rows = cohort.rows_at(cohort.grid.linear_index(voxel))
        if not rows.size:
            return 0.0, float("nan"), float("nan")
        volumes = cohort.volumes[rows] * cohort.grid.voxel_volume
        return float(rows.size), float(volumes.mean()), float(volumes.std())


def _label_layer(atlas: Atlas) -> LabelLayer:
    maps = atlas.maps
    numbers = np.zeros(atlas.grid.size, np.uint16)
    largest = np.zeros(atlas.grid.size, np.float32)
    for column in range(len(atlas.regions)):
        own = slice(*maps.indptr[column : column + 2].tolist())
        voxels, values = maps.indices[own], maps.data[own].astype(np.float32)
        is_likeliest = values > largest[voxels]
        numbers[voxels[is_likeliest]] = column
        largest[voxels[is_likeliest]] = values[is_likeliest]
    indices = np.flatnonzero(largest)
    names = [region.name for region in atlas.regions]
    return LabelLayer(atlas.grid, indices, numbers[indices], names, atlas.name)
