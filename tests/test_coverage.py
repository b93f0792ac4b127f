"""What every minimum number of patients leaves: against plain counts, and by laws."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from cohorts import cohort_of
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import AFFINE, SHAPE, random_masks

from lesion_dash import Grid, InputError, threshold_coverage
from lesion_dash.images.template import load_template, template_on
from lesion_dash.plotting.charts import draw_coverage
from lesion_dash.stats.coverage import CoverageRow, brain_on, conventions

MASKS = random_masks(9, seed=5)
MNI_2MM = Grid((91, 109, 91), [[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])


def cohort_at(*mm):
    affine = AFFINE.copy()
    affine[:3, 3] = mm
    return cohort_of(MASKS, affine)


@pytest.fixture(scope="module")
def cohort():
    """Nine masks at the edge of the brain, so that some lesioned voxels lie outside it."""
    return cohort_at(-70, -20, 0)


def test_rows_are_plain_counts(cohort):
    coverage = threshold_coverage(cohort)
    n = np.sum(MASKS, axis=0)
    brain = brain_on(cohort.grid).reshape(SHAPE, order="F")
    assert 0 < brain.sum() < brain.size
    assert coverage.max_overlap == n.max()
    for row in coverage.rows:
        enough = n >= row.min_patients
        assert row.voxels == enough.sum() == cohort.at_least(row.min_patients).voxels
        assert row.volume_mm3 == 8.0 * enough.sum()
        assert row.voxels_in_brain == (enough & brain).sum()
        assert row.percent_of_brain == pytest.approx(100 * (enough & brain).sum() / brain.sum())
        assert row.percent_of_lesioned == pytest.approx(100 * enough.sum() / (n > 0).sum())
    assert coverage.outside_brain == ((n > 0) & ~brain).sum() > 0


def test_no_patient_is_no_threshold(cohort):
    with pytest.raises(InputError, match="min patients: 0 is too small"):
        threshold_coverage(cohort).at(0)


@given(st.integers(0, 10**6), st.integers(1, 6))
@settings(max_examples=15)
def test_counts_fall_with_k_and_add_up_to_all_volumes(seed, patients):
    cohort = cohort_of(random_masks(patients, seed, (3, 4, 3)))
    coverage = threshold_coverage(cohort)
    assert coverage.voxels.sum() == cohort.volumes.sum()
    assert (np.diff(coverage.voxels) <= 0).all()
    assert (np.diff(coverage.voxels_in_brain) <= 0).all()
    assert (coverage.voxels_in_brain <= coverage.voxels).all()
    assert coverage.max_overlap == 0 or (
        coverage.voxels[-1] > 0 and coverage.at(1).percent_of_lesioned == 100
    )
    assert coverage.at(coverage.max_overlap + 1).voxels == 0


def test_the_order_of_patients_and_a_second_call_change_nothing(cohort):
    coverage, again = (
        threshold_coverage(cohort),
        threshold_coverage(cohort.select(range(8, -1, -1))),
    )
    np.testing.assert_array_equal(coverage.voxels, again.voxels)
    np.testing.assert_array_equal(coverage.voxels_in_brain, again.voxels_in_brain)
    assert threshold_coverage(cohort) is coverage


def test_the_brain_is_nilearn_s():
    from nilearn.datasets import load_mni152_brain_mask

    template = load_template()
    own = brain_on(Grid(template.shape, template.affine))
    mask = np.asarray(load_mni152_brain_mask(resolution=1).dataobj)
    np.testing.assert_array_equal(own, np.ravel(mask, order="F") > 0)


def test_the_brain_has_one_volume_on_every_grid():
    whole = np.count_nonzero(np.asarray(load_template().dataobj) > 51)  # mm³
    for edge in (2, 3):
        affine = [[edge, 0, 0, -100], [0, edge, 0, -135], [0, 0, edge, -80], [0, 0, 0, 1]]
        grid = Grid((212 // edge,) * 3, affine)
        volume = brain_on(grid).sum() * grid.voxel_volume
        assert volume == pytest.approx(whole, rel=0.03)


def test_the_brain_on_an_oblique_grid_is_the_template_s_nearest_voxel():
    turn = np.eye(4)
    c, s = math.cos(0.2), math.sin(0.2)
    turn[:2, :2] = [[c, -s], [s, c]]
    turn[:3, 3] = turn[:3, :3] @ (-80, -100, -72)
    grid = Grid((40, 45, 38), turn @ np.diag([4.0, 4, 4, 1]))
    template = load_template()
    levels, inverse = np.asarray(template.dataobj), np.linalg.inv(template.affine)
    assert template_on(grid).shape == template.shape
    brain = brain_on(grid).reshape(grid.shape, order="F")
    for voxel in np.random.default_rng(0).integers(0, grid.shape, (200, 3)):
        x = np.floor((inverse @ grid.affine @ [*voxel, 1])[:3] + 0.5).astype(int)
        inside = np.all((x >= 0) & (x < levels.shape))
        assert brain[tuple(voxel)] == (inside and levels[tuple(x)] > 51)
    assert 0.2 < brain.mean() < 0.9


def test_far_from_the_brain_nothing_is_said_of_it():
    coverage = threshold_coverage(cohort_at(0, 0, 500))
    assert coverage.brain_voxels == 0
    assert np.isnan(coverage.at(1).percent_of_brain)
    assert "brain" not in coverage.at(1).sentence
    assert draw_coverage(coverage, 2).axes[0].get_ylabel() == "% of the brain"


def test_without_a_lesion_there_is_no_row():
    coverage = threshold_coverage(cohort_of([np.zeros(SHAPE)] * 3))
    assert (coverage.max_overlap, coverage.rows, len(coverage.table)) == (0, (), 0)
    assert coverage.at(1).sentence == "k = 1: 0 voxels, 0.0 % of the brain"
    assert draw_coverage(coverage, 5).axes


@given(st.integers(1, 5000))
def test_shares_of_patients_are_rounded_up(patients):
    marks = {mark.label: mark.min_patients for mark in conventions(patients)}
    assert (marks["5 patients"], marks["10 patients"]) == (5, 10)
    for percent in (5, 10):
        assert marks[f"{percent} % of patients"] == math.ceil(Fraction(percent * patients, 100))
    ordered = [mark.min_patients for mark in conventions(patients)]
    assert ordered == sorted(ordered)
    assert all(mark.reference for mark in conventions(patients))


def test_the_table_has_the_rows_and_the_conventions(cohort):
    coverage = threshold_coverage(cohort)
    table = coverage.table
    assert table["min_patients"].tolist() == list(range(1, coverage.max_overlap + 1))
    assert table["voxels"].tolist() == coverage.voxels.tolist()
    labels = dict(zip(table["min_patients"], table["conventions"], strict=True))
    assert labels[1] == "5 % of patients; 10 % of patients"
    assert labels.get(5, "5 patients") == "5 patients"


def test_a_row_in_words():
    row = CoverageRow(5, 12345, 98760.0, 12000, 6.21, 41.3)
    # Voxels outside the brain are not part of its share.
    assert row.sentence == (
        "k = 5: 12,345 voxels, 6.2 % of the brain (12,000) and 345 outside it, "
        "41.3 % of all lesioned voxels"
    )
    assert CoverageRow(9, 1, 8.0, 1, 0.0004, 0.3).sentence == (
        "k = 9: 1 voxel, < 0.1 % of the brain, 0.3 % of all lesioned voxels"
    )


def test_the_figure_shows_the_rows_the_marks_and_the_choice(cohort):
    coverage = threshold_coverage(cohort)
    figure = draw_coverage(coverage, 3)
    for axes, key in zip(figure.axes, ("percent_of_brain", "percent_of_lesioned"), strict=True):
        curve, *upright = axes.lines
        np.testing.assert_array_equal(curve.get_xdata(), range(1, coverage.max_overlap + 1))
        np.testing.assert_allclose(curve.get_ydata(), [getattr(row, key) for row in coverage.rows])
        reached = [m.min_patients for m in coverage.marks if m.min_patients <= coverage.max_overlap]
        assert [line.get_xdata()[0] for line in upright] == [*reached, 3]
    assert figure.axes[0].get_title("left") == coverage.at(3).sentence
    assert "Weaver et al. 2019" in figure.get_supxlabel()
    assert "10 patients (no voxel): " in figure.get_supxlabel()
    assert len(draw_coverage(coverage).axes[0].lines) == 1 + len(reached)


def test_the_brain_on_a_mirrored_grid_is_mirrored():
    flipped = MNI_2MM.affine.copy()
    flipped[0] = [-2, 0, 0, 90]
    mirrored = brain_on(Grid(MNI_2MM.shape, flipped)).reshape(MNI_2MM.shape, order="F")
    plain = brain_on(MNI_2MM).reshape(MNI_2MM.shape, order="F")
    np.testing.assert_array_equal(mirrored[::-1], plain)
