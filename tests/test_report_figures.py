"""The pictures of a report: the same bytes each time, sides marked, signs in their colours."""

from __future__ import annotations

import io
import struct
from datetime import date

import numpy as np
import pytest

from lesion_dash.cohort.loading import load_cohort
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
from lesion_dash.report.findings import ReportRequest, find_all

DAY = date(2026, 3, 1)
GRID = Grid((91, 109, 91), [[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
CUTS = {"x": [-20.0, 20.0], "y": [0.0], "z": [10.0]}


@pytest.fixture(scope="module")
def findings(sample_data):
    a, b = (load_cohort(sample_data / f"cohort_{letter}") for letter in "ab")
    return find_all(a, b, None, ReportRequest(5))


def chunks(png: bytes) -> list[bytes]:
    """The kinds of chunks of a PNG file."""
    found, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        found.append(png[at + 4 : at + 8])
        at += length + 12
    return found


def pixels(png: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), float)


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


@pytest.mark.parametrize("key", ["coverage_a", "difference"])
def test_a_picture_has_the_same_bytes_each_time_and_no_date(findings, key):
    first, second = (drawings(findings)[key]() for _ in range(2))
    assert first == second
    assert set(chunks(first.png)) <= {b"IHDR", b"pHYs", b"IDAT", b"IEND"}


def test_volumes_of_two_cohorts_share_bins_and_axes():
    """Cohorts of unlike size: each bar is a share, and all bars of a cohort are the whole."""
    rng = np.random.default_rng(4)
    volumes = {"A": rng.gamma(1.0, 30.0, 60), "B": rng.gamma(1.0, 5.0, 9)}
    edges = bin_edges(volumes)
    panels = draw_volumes(volumes).axes
    assert len({(panel.get_xlim(), panel.get_ylim()) for panel in panels}) == 1
    for panel, own in zip(panels, volumes.values(), strict=True):
        shares = np.histogram(own, edges)[0] * 100 / own.size
        assert [bar.get_x() for bar in panel.patches] == pytest.approx(edges[:-1].tolist())
        assert [bar.get_height() for bar in panel.patches] == pytest.approx(shares.tolist())
        assert shares.sum() == pytest.approx(100)


@pytest.mark.parametrize("highest", [0.0, 0.008, 9.99, 10.0, 147.5, 150.0, 2000.0])
def test_bins_are_even_and_hold_the_largest_lesion(highest):
    edges = bin_edges({"A": np.array([0.0, highest])})
    assert edges[0] == 0
    assert edges[-1] > highest
    assert np.diff(edges) == pytest.approx(np.full(edges.size - 1, edges[1]))


def test_words_hold_the_numbers_of_the_map(findings):
    side = findings.sides[1]
    picture = drawings(findings)["mean_b"]()
    values = side.stats.values["mean"] / 1000
    spread = f"{values.min():.2f} to {values.max():.2f} mL"
    assert spread in picture.alt
    scale = "Colours run from 0 to 150 mL, at every k and for A and B alike."
    assert f"{spread}. {scale}" in picture.caption
    assert f"n = {side.cohort.n_patients} patients" in picture.caption
    assert f"{values.size:,} voxels lesioned in at least 5 patients" in picture.caption


def test_sides_are_marked_and_right():
    """A ball on the patient's left lies on the side that is marked L."""
    figure = draw_values(ball((-40, 0, 10)), GRID, CUTS, "patients", 1.0, "viridis")
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts.count("L") == texts.count("R") == 2  # the coronal and the axial slice
    assert texts.count("P") == texts.count("A") == 2
    axial = next(axes for axes in figure.axes if "z=10" in {one.get_text() for one in axes.texts})
    at = {one.get_text(): one.get_position()[0] for one in axial.texts}
    assert at["L"] < at["R"]
    only_axial = {"x": [0.0], "y": [60.0], "z": [10.0]}
    shown = pixels(png_bytes(draw_values(ball((-40, 0, 10)), GRID, only_axial, "", 1.0, "viridis")))
    shown = shown[:, : int(shown.shape[1] * 0.85)]  # without the colour bar
    coloured = np.ptp(shown, axis=2) > 40
    brain = (shown < 250).all(axis=2) & coloured.any(axis=1)[:, None]
    assert np.nonzero(coloured)[1].mean() < np.nonzero(brain)[1].mean()


@pytest.mark.parametrize(("sign", "warm"), [(1, True), (-1, False)])
def test_more_in_a_is_orange_and_more_in_b_is_blue(sign, warm):
    shown = pixels(png_bytes(draw_difference(sign * ball((-20, 0, 10)), GRID, CUTS, "", 1.0)))
    shown = shown[:, : int(shown.shape[1] * 0.85)]
    coloured = shown[np.ptp(shown, axis=2) > 40]
    assert coloured.size
    assert (coloured[:, 0] > coloured[:, 2]).mean() == pytest.approx(float(warm), abs=0.02)


def test_slices_are_those_of_the_lesioned_voxels():
    indices = np.flatnonzero(ball((30, -40, 20)).ravel(order="F")).astype(np.int32)
    cuts = choose_cuts(GRID, indices)
    for name, middle in zip("xyz", (30, -40, 20), strict=True):
        assert cuts[name][0] >= middle - 14
        assert cuts[name][-1] <= middle + 14
        assert cuts[name] == sorted(set(cuts[name]))
