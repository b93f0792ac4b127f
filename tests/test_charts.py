"""The heat map of lesion loads; the curve of coverage is tested in test_coverage.py."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from atlases import probability_atlas
from cohorts import cohort_of
from phantoms import AFFINE, SHAPE, random_masks

from lesion_dash import Grid, LabelAtlas, lesion_load
from lesion_dash.atlas.formats import Region
from lesion_dash.plotting.charts import draw_load
from lesion_dash.plotting.figures import figure_bytes

GRID = Grid(SHAPE, AFFINE)
REGIONS = tuple(Region(number, f"region {number}") for number in (1, 2, 3))
LABELS = np.random.default_rng(1).choice([0, 1, 3], SHAPE)  # region 2 is nowhere


ATLAS = LabelAtlas("made", GRID, LABELS, REGIONS)


@pytest.fixture(scope="module")
def cohort():
    return cohort_of(random_masks(7))


def shown(figure):
    """The cells of the picture, NaN where it shows no lesion."""
    return np.ma.filled(figure.axes[1].images[0].get_array().astype(float), np.nan)


@pytest.mark.parametrize(
    ("measure", "factor", "unit"),
    [("region", 100, "% of the region"), ("lesion", 100, "% of the lesion"), ("mm3", 1e-3, "mL")],
)
def test_cells_are_the_loads_of_touched_regions_largest_lesion_first(cohort, measure, factor, unit):
    load = lesion_load(cohort, ATLAS)
    figure = draw_load(load, measure)
    order = sorted(range(7), key=lambda patient: -load.cohort.volumes[patient])
    expected = factor * load.values(measure)[order][:, [0, 2]].T
    np.testing.assert_allclose(shown(figure), np.where(expected > 0, expected, np.nan))
    above, cells, bar = figure.axes
    assert [text.get_text() for text in cells.get_yticklabels()] == ["region 1", "region 3"]
    ids = [load.cohort.used[patient].id for patient in order]
    assert [text.get_text() for text in cells.get_xticklabels()] == ids
    assert "1 region that no lesion touches is not shown" in cells.get_xlabel()
    assert bar.get_ylabel() == unit
    heights = above.patches[0].get_data().values
    np.testing.assert_allclose(heights, load.cohort.volumes[order] * 8 / 1000)


def test_names_of_many_patients_are_left_out():
    for patients, names in ((60, 60), (61, 0)):
        load = lesion_load(cohort_of(random_masks(patients)), ATLAS)
        assert len(draw_load(load).axes[1].get_xticklabels()) == names


@pytest.mark.parametrize(
    ("measure", "patients"), [("region", range(7)), ("lesion", [3]), ("mm3", [3]), ("mm3", [])]
)
def test_a_lesion_that_touches_nothing_is_drawn_too(cohort, measure, patients):
    empty = LabelAtlas("made", GRID, np.zeros(SHAPE, int), REGIONS)
    figure = draw_load(lesion_load(cohort.select(list(patients)), empty), measure)
    assert figure_bytes(figure).startswith(b"\x89PNG")


def test_volumes_far_below_a_voxel_are_drawn(cohort):
    faint = probability_atlas(np.full((3, *SHAPE), 1e-9), GRID, REGIONS)
    figure = draw_load(lesion_load(cohort, faint), "mm3")
    assert np.isfinite(shown(figure)).all()


def test_names_keep_apart_where_regions_are_many(cohort):
    regions = tuple(Region(number, f"region {number}") for number in range(1, 247))
    labels = 1 + np.arange(np.prod(SHAPE)).reshape(SHAPE) % 246
    figure = draw_load(lesion_load(cohort, LabelAtlas("made", GRID, labels, regions)))
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[1].get_yticklabels()]
    assert len(boxes) == 246
    bounds = sorted((box.y0, box.y1) for box in boxes)
    assert all(lower[1] <= upper[0] + 1 for lower, upper in pairwise(bounds))
