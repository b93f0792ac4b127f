"""The template lies on the grid of the map."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from lesion_dash.core.grid import Grid
from lesion_dash.images import template
from lesion_dash.images.template import load_template, template_on

RAS = [[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]
FLIPPED = [[-2, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]
PERMUTED = [[0, 0, 2, -90], [2, 0, 0, -126], [0, 2, 0, -72], [0, 0, 0, 1]]
OBLIQUE = [[1.9, 0.6, 0, -90], [-0.6, 1.9, 0, -100], [0, 0, 2, -72], [0, 0, 0, 1]]


def values(shape: tuple[int, int, int], affine: list[list[float]]) -> np.ndarray:
    return np.asarray(template_on(Grid(shape, affine)).dataobj)


def test_axes_may_be_flipped_or_permuted() -> None:
    plain = values((91, 109, 91), RAS)
    np.testing.assert_array_equal(values((91, 109, 91), FLIPPED), plain[::-1])
    np.testing.assert_array_equal(values((109, 91, 91), PERMUTED), plain.transpose(1, 2, 0))


def test_same_grid_gives_the_template_itself() -> None:
    whole = load_template()
    np.testing.assert_array_equal(values(whole.shape, whole.affine), np.asarray(whole.dataobj))


def test_beyond_the_template_is_empty() -> None:
    moved = [[2, 0, 0, 500], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]
    assert not values((91, 109, 91), moved).any()


def test_oblique_grid_gets_the_template_on_its_own_grid() -> None:
    assert values((91, 109, 91), OBLIQUE).shape == load_template().shape


def test_nilearn_is_asked_where_its_file_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    direct = np.asarray(load_template().dataobj)
    monkeypatch.setattr(template, "_packaged_file", lambda: None)
    asked = template.load_template.__wrapped__()
    assert asked.affine.tolist() == load_template().affine.tolist()
    np.testing.assert_array_equal(np.asarray(asked.dataobj), direct)


def test_nilearn_is_not_imported() -> None:
    import subprocess

    code = (
        "import sys; from lesion_dash.images.template import load_template; load_template();"
        "import lesion_dash.dashboard.app;"
        "sys.exit(any(name in sys.modules for name in ('nilearn', 'matplotlib.pyplot')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
