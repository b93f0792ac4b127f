"""Assignment as it is defined, region by region and voxel by voxel: slow, plain, independent.

The maps of an atlas are dictionaries of voxels, a component is one of voxel to value.
"""

from __future__ import annotations

import numpy as np
import pandas as pd


def as_dictionaries(arrays):
    """Of each array, its values above 0 by voxel."""
    return [
        {voxel: float(array[voxel]) for voxel in np.ndindex(array.shape) if array[voxel] > 0}
        for array in map(np.asarray, arrays)
    ]


def scores(region, component, lower=0.0, beyond=0):
    """The scores of one region and one component, None where they share no voxel.

    `beyond`: voxels by which the box is larger than the component on its upper side.
    """
    v1 = {voxel: value for voxel, value in region.items() if value >= lower}
    v2 = component
    shared = [voxel for voxel in v2 if voxel in v1]
    if not shared:
        return None
    weighted = sum(v1[voxel] * v2[voxel] for voxel in shared)
    return {
        "correlation": correlation(v1, v2, box(region, component, beyond)),
        "intersection over union": len(shared) / len(v1.keys() | v2.keys()),
        "map value": max(v1.values()),
        "map weighted mean": weighted / sum(v2.values()),
        "map containedness": len(shared) / len(v1),
        "input weighted mean": weighted / sum(v1.values()),
        "input containedness": len(shared) / len(v2),
        "voxels": len(shared),
        "expected_voxels": sum(v1[voxel] for voxel in shared),
        "mean_probability": sum(v1.get(voxel, 0) for voxel in v2) / len(v2),
        "max_probability": max(v1[voxel] for voxel in shared),
        "percent_of_region_probability": 100
        * sum(v1[voxel] for voxel in shared)
        / sum(v1.values()),
    }


def box(region, component, beyond):
    """First and last voxel of the box that holds both; thresholds do not shrink it."""
    own, other = np.array([*region]), np.array([*component])
    first = np.minimum(own.min(axis=0), other.min(axis=0))
    return first, np.maximum(own.max(axis=0), other.max(axis=0) + beyond)


def correlation(v1, v2, corners):
    first, last = corners
    shape = last - first + 1
    dense = np.zeros((2, *shape))
    for array, values in zip(dense, (v1, v2), strict=True):
        for voxel, value in values.items():
            array[tuple(np.array(voxel) - first)] = value
    flat = dense.reshape(2, -1)
    if np.ptp(flat, axis=1).min() == 0:
        return np.nan
    return np.corrcoef(flat)[0, 1]


def dictionary_of(part):
    voxels = zip(*np.unravel_index(part.indices, part.grid.shape, order="F"), strict=True)
    return {tuple(map(int, v)): w for v, w in zip(voxels, part.weights.tolist(), strict=True)}


def by_definition(components, arrays, lower=0.0, beyond=0):
    """Rows of component number, place of the region, and its scores."""
    regions = as_dictionaries(arrays)
    rows = []
    for part in components:
        own = dictionary_of(part)
        for column, region in enumerate(regions):
            scored = scores(region, own, lower, beyond)
            if scored:
                rows.append({"number": part.number, "column": column, **scored})
    return pd.DataFrame(rows)
