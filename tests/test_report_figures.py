"""The pictures of a report: the same bytes each time, sides marked, signs in their colours."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from reports import DAY, text_of

from lesion_dash import ReportRequest, load_cohort
from lesion_dash.core.grid import Grid
from lesion_dash.report.figures import (
    bin_edges,
    choose_cuts,
    draw_difference,
    draw_values,
    draw_volumes,
    drawings,
    png_bytes,
)
from lesion_dash.report.findings import find_all
from lesion_dash.report.page import make_page
from lesion_dash.report.reproduction import Again

GRID = Grid((91, 109, 91), [[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
CUTS = {"x": [-20.0, 20.0], "y": [0.0], "z": [10.0]}


@pytest.fixture(scope="module")
def findings(sample_data):
    a, b = (load_cohort(sample_data / f"cohort_{letter}") for letter in "ab")
    return find_all(a, b, (), ReportRequest(5))


def shown(figure) -> np.ndarray:
    """The pixels of a mosaic without its colour bar."""
    pixels = np.asarray(Image.open(io.BytesIO(png_bytes(figure))).convert("RGB"), float)
    return pixels[:, : int(pixels.shape[1] * 0.85)]


def ball(mm) -> np.ndarray:
    """1 in a ball of 14 mm around a place, else 0."""
    places = np.stack(np.meshgrid(*map(np.arange, GRID.shape), indexing="ij"), axis=-1)
    return (np.linalg.norm(GRID.to_mm(places) - mm, axis=-1) <= 14).astype(float)


def test_there_is_a_picture_for_everything_that_is_told(findings):
    assert list(drawings(findings)) == [
        *("volumes", "coverage_a", "coverage_b"),
        *("n_a", "mean_a", "std_a", "n_b", "mean_b", "std_b"),
        *("overlap", "frequency", "difference"),
    ]


def test_a_picture_has_the_same_bytes_each_time_and_no_date(findings):
    """Some seconds, as it is the first to import nilearn's plotting."""
    curves = [drawings(findings)["coverage_a"]().png for _ in range(2)]
    maps = [png_bytes(draw_difference(ball((0, 0, 10)), GRID, CUTS, "", 1.0)) for _ in range(2)]
    for first, second in (curves, maps):
        assert first == second
        assert set(Image.open(io.BytesIO(first)).info) == {"dpi"}


def test_volumes_of_two_cohorts_share_bins_and_axes():
    """Cohorts of unlike size: each bar is a share, and all bars of a cohort are the whole."""
    rng = np.random.default_rng(4)
    volumes = {"A": rng.gamma(1.0, 30.0, 60), "B": rng.gamma(1.0, 5.0, 9)}
    edges = bin_edges(volumes)
    panels = draw_volumes(volumes).axes
    assert len({(panel.get_xlim(), panel.get_ylim()) for panel in panels}) == 1
    for panel, own in zip(panels, volumes.values(), strict=True):
        percentages = np.histogram(own, edges)[0] * 100 / own.size
        assert [bar.get_x() for bar in panel.patches] == pytest.approx(edges[:-1].tolist())
        assert [bar.get_height() for bar in panel.patches] == pytest.approx(percentages.tolist())
        assert percentages.sum() == pytest.approx(100)


@pytest.mark.parametrize("highest", [0.0, 0.008, 9.99, 10.0, 147.5, 150.0, 2000.0])
def test_bins_are_even_and_hold_the_largest_lesion(highest):
    edges = bin_edges({"A": np.array([0.0, highest])})
    assert edges[0] == 0
    assert edges[-1] > highest
    assert np.diff(edges) == pytest.approx(np.full(edges.size - 1, edges[1]))


def test_captions_hold_the_numbers_of_the_map(findings):
    picture = drawings(findings)["mean_b"]()
    page = make_page(findings, {"mean_b": picture}, [], Again("here", "command", "python"), DAY)
    figure = page.partition('<figure id="figure-mean_b">')[2].partition("</figure>")[0]
    side = findings.sides[1]
    values = side.stats.values["mean"] / 1000
    spread = f"{values.min():.2f} to {values.max():.2f} mL"
    where = f"{values.size:,} voxels lesioned in at least 5 patients"
    name = "Mean total lesion volume of B (cohort_b)"
    scale = "Colours run from 0 to 150 mL, at every k and for A and B alike."
    n = f"n = {side.cohort.n_patients} patients"
    assert f'alt="Slices of the brain. {name}: {spread} in {where}."' in figure
    assert f"{name} ({n}), in {where}: {spread}. {scale} Biased" in text_of(figure)


def test_sides_are_marked_and_right():
    """A ball on the patient's left lies on the side that is marked L."""
    values = ball((-40, 0, 10))
    figure = draw_values(values, GRID, CUTS, "patients", 1.0, "viridis")
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts.count("L") == texts.count("R") == 2  # the coronal and the axial slice
    assert texts.count("P") == texts.count("A") == 2
    axial = next(axes for axes in figure.axes if "z=10" in {text.get_text() for text in axes.texts})
    at = {text.get_text(): text.get_position()[0] for text in axial.texts}
    assert at["L"] < at["R"]
    only_axial = {"x": [0.0], "y": [60.0], "z": [10.0]}
    pixels = shown(draw_values(values, GRID, only_axial, "", 1.0, "viridis"))
    coloured = np.ptp(pixels, axis=2) > 40
    brain = (pixels < 250).all(axis=2) & coloured.any(axis=1)[:, None]
    assert np.nonzero(coloured)[1].mean() < np.nonzero(brain)[1].mean()


@pytest.mark.parametrize(("sign", "warm"), [(1, True), (-1, False)])
def test_more_in_a_is_orange_and_more_in_b_is_blue(sign, warm):
    pixels = shown(draw_difference(sign * ball((-20, 0, 10)), GRID, CUTS, "", 1.0))
    coloured = pixels[np.ptp(pixels, axis=2) > 40]
    assert coloured.size
    assert (coloured[:, 0] > coloured[:, 2]).mean() == pytest.approx(float(warm), abs=0.02)


def test_slices_are_those_of_the_lesioned_voxels():
    indices = np.flatnonzero(ball((30, -40, 20)).ravel(order="F")).astype(np.int32)
    cuts = choose_cuts(GRID, indices)
    for name, middle in zip("xyz", (30, -40, 20), strict=True):
        assert cuts[name][0] >= middle - 14
        assert cuts[name][-1] <= middle + 14
        assert cuts[name] == sorted(set(cuts[name]))
