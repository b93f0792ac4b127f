"""Assignment: which regions of an atlas the components of a map lie in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..atlas.atlas import Atlas, check_boxes_meet
from ..atlas.levels import levels_of
from ..core import defaults
from ..core.defaults import (
    CONNECTIVITY,
    LOWER_THRESHOLD,
    MIN_SIZE_MM3,
    MIN_SIZE_VOXELS,
    THRESHOLD,
    Connectivity,
    Signs,
)
from ..core.errors import InputError, check_choice
from ..core.notes import note_on
from ..images.maps import MapLike, as_map
from ..stats.components import Component, Components, find_components
from .overlap_scores import (
    ComponentOverlap,
    RegionSums,
    check_lower_threshold,
    match_regions,
    sum_regions,
)

if TYPE_CHECKING:
    import pandas as pd


_COMPONENT: dict[str, Callable[[Component, RegionSums], Any]] = {
    "component": lambda part, _: part.number,
    "sign": lambda part, _: part.sign,
    "component_voxels": lambda part, _: part.voxels,
    "component_volume_mm3": lambda part, _: part.volume_mm3,
    "peak_value": lambda part, _: part.peak_value,
    "peak_x_mm": lambda part, _: float(part.peak_mm[0]),
    "peak_y_mm": lambda part, _: float(part.peak_mm[1]),
    "peak_z_mm": lambda part, _: float(part.peak_mm[2]),
    "region_at_peak": lambda part, sums: sums.region_at(part.peak_index),
    "nearest_region_at_peak": lambda part, sums: sums.nearest_at(part.peak_mm)[0],
    "nearest_mm_at_peak": lambda part, sums: sums.nearest_at(part.peak_mm)[1],
    "centroid_x_mm": lambda part, _: float(part.centroid_mm[0]),
    "centroid_y_mm": lambda part, _: float(part.centroid_mm[1]),
    "centroid_z_mm": lambda part, _: float(part.centroid_mm[2]),
    "region_at_centroid": lambda part, sums: sums.region_at_mm(part.centroid_mm),
    "nearest_region_at_centroid": lambda part, sums: sums.nearest_at(part.centroid_mm)[0],
    "nearest_mm_at_centroid": lambda part, sums: sums.nearest_at(part.centroid_mm)[1],
}
_OVERLAP: dict[str, Callable[[ComponentOverlap], Any]] = {
    "label": lambda match: match.label,
    "region": lambda match: match.region,
    "voxels": lambda match: match.voxels,
    "volume_mm3": lambda match: match.voxels * match.component.grid.voxel_volume,
    "percent_of_component": lambda match: 100 * match.input_containedness,
    "percent_of_region": lambda match: 100 * match.map_containedness,
    "expected_voxels": lambda match: match.expected_voxels,
    "mean_probability": lambda match: match.mean_probability,
    "max_probability": lambda match: match.max_probability,
    "weighted_mean_probability": lambda match: match.weighted_mean_probability,
    "percent_of_region_probability": lambda match: 100 * match.share_of_probability,
    "region_max_probability": lambda match: match.region_max,
    "weighted_mean_value": lambda match: match.weighted_mean_value,
    "correlation": lambda match: match.correlation,
    "intersection_over_union": lambda match: match.intersection_over_union,
}
COLUMNS = (*_COMPONENT, *_OVERLAP, "full_name", "lobe", "grid")

# siibra shows a centroid as text of two decimals, such as ``(-43.66, -63.76, -12.5)``.
_SIIBRA: dict[str, Callable[[ComponentOverlap], Any]] = {
    "input structure": lambda match: match.component.number,
    "centroid": lambda match: str(tuple(match.component.centroid_mm.round(2).tolist())),
    "volume": lambda match: match.column,
    "region": lambda match: match.region,
    "correlation": lambda match: match.siibra_correlation,
    "intersection over union": lambda match: match.intersection_over_union,
    "map value": lambda match: match.region_max,
    "map weighted mean": lambda match: match.weighted_mean_probability,
    "map containedness": lambda match: match.map_containedness,
    "input weighted mean": lambda match: match.weighted_mean_value,
    "input containedness": lambda match: match.input_containedness,
}
SIIBRA_COLUMNS = (*_SIIBRA,)

On = Literal["map", "atlas"]
"""The grid on which map and atlas are compared."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """The components of a map, and the regions each of them touches.

    Parameters
    ----------
    map_name, atlas_name : str
    on : {"map", "atlas"}
        Whose grid the components and all numbers are on.
    components : Components
    matches : tuple of ComponentOverlap
        Component by component: its regions in the order of the atlas, then what lies outside.
    rows : tuple of tuple
        The same in the order of `COLUMNS`.
    notes : tuple of str
        What was unusual about the map or the atlas, and how one was brought to the other.
    parameters : dict
        Every choice, defaults included.

    Examples
    --------
    >>> from lesion_dash import assign_regions, load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> assignment = assign_regions("sample_data/cohort_a/sub-a01_lesion.nii.gz", atlas)
    >>> len(assignment.components), assignment.on
    (1, 'map')
    >>> assignment.table[["region", "voxels"]].head(1)
                       region  voxels
    0  Synthetic temporal 1 L      64
    """

    map_name: str
    atlas_name: str
    on: On
    components: Components
    matches: tuple[ComponentOverlap, ...]
    rows: tuple[tuple[Any, ...], ...]
    notes: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> pd.DataFrame:
        """A row per component and region that share a voxel, and one for what lies outside.

        Of the component: its number, sign, size, peak (value and place in mm) and centroid, and the
        likeliest region at both, with the nearest region and its distance in mm, 0 in a region;
        see `Atlas.nearest`. Of both together, v1 being the region's probability (1 in a
        region of a labelled atlas) and v2 the map's value in the component without its sign:

        - ``voxels``, ``volume_mm3``: where v1 > 0 in the component; ``percent_of_component`` and
          ``percent_of_region``: these voxels in percent of both. In a labelled atlas
          ``percent_of_component`` adds up to 100 with the row for what lies outside.
        - ``expected_voxels``: sum of v1 in the component; ``mean_probability`` and
          ``max_probability``: its mean and maximum there; ``weighted_mean_probability``: its mean
          weighted by the map, sum(v1 v2) / sum(v2). Outside the atlas v1 is what all regions
          leave of 1, so that expected voxels add up to the component's where their sum is not
          above 1.
        - ``percent_of_region_probability``: ``expected_voxels`` in percent of the sum of v1 over
          the grid; ``region_max_probability``: the maximum of v1 over the grid.
        - ``weighted_mean_value``: mean of v2 over the region, sum(v1 v2) / sum(v1).
        - ``correlation``: Pearson's, of v1 and v2 over the smallest box that holds both.
        - ``intersection_over_union`` of the voxels with v1 > 0 and those of the component.
        - ``full_name``, ``lobe``: of the region, where they are known.
        - ``grid``: whose grid all this is on, ``map`` or ``atlas``.
        """
        import pandas as pd

        return pd.DataFrame(list(self.rows), columns=list(COLUMNS))

    @property
    def siibra_table(self) -> pd.DataFrame:
        """The columns of siibra 1.0.1, by its arithmetic and in its order.

        ``volume`` is the index of the region's map; ``correlation`` is taken over siibra's box,
        which goes a voxel beyond the component on its upper side, and so depends a little on
        whether axes are stored mirrored; the one in `table` does not. Numbers are siibra's for
        atlases of probabilities; for labelled ones siibra swaps the two containednesses and the two
        weighted means, which stand here under their own names.
        """
        import pandas as pd

        matches = [match for match in self.matches if match.column >= 0]
        rows = [[value(match) for value in _SIIBRA.values()] for match in matches]
        return pd.DataFrame(rows, columns=list(SIIBRA_COLUMNS))

    @property
    def best(self) -> pd.DataFrame:
        """A row of `table` per component: the region of highest correlation.

        Of equal ones, and where no correlation is defined, the region that holds most of the
        component; what lies outside the atlas only where no region is touched.
        """
        return self.top(1)

    def top(self, count: int) -> pd.DataFrame:
        """The first `count` rows of each component, in the order that `best` goes by."""
        table = self.table
        outside = [match.column < 0 for match in self.matches]
        ranked = table.assign(is_outside=outside).sort_values(
            ["component", "is_outside", "correlation", "voxels"],
            ascending=[True, True, False, False],
            kind="stable",
        )
        first = ranked.groupby("component", sort=False).head(count).drop(columns="is_outside")
        return first.reset_index(drop=True)

    def filter(self, min_correlation: float) -> pd.DataFrame:
        """Rows of `table` with at least this correlation, the highest first; see `rank_rows`."""
        return rank_rows(self.table, min_correlation)


def rank_rows(table: pd.DataFrame, min_correlation: float) -> pd.DataFrame:
    """Rows with at least this correlation, the highest first, as in siibra's example.

    Raises
    ------
    InputError
        Where the correlation is none, outside -1 to 1.
    """
    if not -1 <= min_correlation <= 1:
        raise InputError("min_correlation", f"is {min_correlation}", "give a number from -1 to 1")
    rows = table[table["correlation"] >= min_correlation]
    return rows.sort_values("correlation", ascending=False, kind="stable", ignore_index=True)


def assign_regions(
    image: MapLike,
    atlas: Atlas,
    *,
    threshold: float = THRESHOLD,
    signs: Signs = defaults.SIGNS,
    connectivity: Connectivity = CONNECTIVITY,
    min_size_voxels: int = MIN_SIZE_VOXELS,
    min_size_mm3: float = MIN_SIZE_MM3,
    lower_threshold: float = LOWER_THRESHOLD,
    on: On = "map",
) -> Assignment:
    """Assign the components of a map to the regions of an atlas.

    Parameters
    ----------
    image : Map, Mask, path or nibabel image
        NaN is background.
    atlas : Atlas
    threshold, signs, connectivity, min_size_voxels, min_size_mm3
        Which components there are; see `find_components`.
    lower_threshold : float
        Probabilities of the atlas below it count as 0; from 0 to 1.
    on : {"map", "atlas"}
        ``map``: components are found on the map's own grid and the atlas is brought to it; see
        `LabelAtlas.on_grid`. ``atlas``: the map is brought onto the grid of the atlas first, as
        siibra does; interpolation then puts a halo of small values around every component, down
        to remnants of rounding, which differ between mirrored copies of a map.

    Returns
    -------
    Assignment
        Also where the map has no component: its tables then have columns and no row. On the map's
        grid it does not depend on how axes are stored, except for the numbers of components.

    Raises
    ------
    InputError
        Where the map cannot be read, a parameter is out of its range, or map and atlas do not
        overlap in space.

    Notes
    -----
    The scores are those of siibra's image assignment (siibra-python 1.0.1,
    https://github.com/FZJ-INM1-BDA/siibra-python), computed for all regions at once from sums over
    a sparse array of voxels x regions. siibra leaves out regions whose box is a single line of
    voxels, or meets that of the component in one; here every region that shares a voxel counts.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> assignment = assign_regions("sample_data/cohort_a/sub-a01_lesion.nii.gz", atlas)
    >>> round(float(assignment.table["percent_of_component"].sum()), 6)
    100.0
    """
    check_lower_threshold(lower_threshold)
    check_choice("on", on, get_args(On))
    source = as_map(image)
    choices: dict[str, Any] = {
        "threshold": threshold,
        "signs": signs,
        "connectivity": connectivity,
        "min_size_voxels": min_size_voxels,
        "min_size_mm3": min_size_mm3,
    }
    if on == "map":
        local = atlas.on_grid(source.grid)
    else:
        check_boxes_meet(atlas.name, atlas.grid, source.grid)
        local, source = atlas, source.on_grid(atlas.grid)
    components = find_components(source, **choices)
    sums = sum_regions(local, lower_threshold)
    levels = map(levels_of, local.regions)
    names = {column: (level.full_name, level.lobe) for column, level in enumerate(levels)}
    matches: list[ComponentOverlap] = []
    rows: list[tuple[Any, ...]] = []
    for part, own in zip(components, match_regions(components.parts, sums), strict=True):
        head = [value(part, sums) for value in _COMPONENT.values()]
        matches += own
        rows += [
            (*head, *(value(m) for value in _OVERLAP.values()), *names.get(m.column, ("", "")), on)
            for m in own
        ]
    notes = [note_on(components.name, note) for note in components.notes]
    notes += [note_on(local.name, note) for note in sums.notes]
    return Assignment(
        map_name=components.name,
        atlas_name=local.name,
        on=on,
        components=components,
        matches=tuple(matches),
        rows=tuple(rows),
        notes=tuple(notes),
        parameters=choices | {"lower_threshold": lower_threshold, "on": on},
    )
