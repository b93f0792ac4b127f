"""The template lies on the grid of the map."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from lesion_dash.core.grid import Grid
from lesion_dash.images import template
from lesion_dash.images.template import load_template, template_on


def values(shape: tuple[int, int, int], affine: list[list[float]]) -> np.ndarray:
    return np.asarray(template_on(Grid(shape, affine)).dataobj)


def test_the_template_lies_on_grids_that_are_flipped_permuted_or_moved() -> None:
    plain = values((91, 109, 91), [[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
    flipped = [[-2, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]
    np.testing.assert_array_equal(values((91, 109, 91), flipped), plain[::-1])
    permuted = [[0, 0, 2, -90], [2, 0, 0, -126], [0, 2, 0, -72], [0, 0, 0, 1]]
    np.testing.assert_array_equal(values((109, 91, 91), permuted), plain.transpose(1, 2, 0))
    beyond = [[2, 0, 0, 500], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]
    assert not values((91, 109, 91), beyond).any()
    whole = load_template()
    np.testing.assert_array_equal(values(whole.shape, whole.affine), np.asarray(whole.dataobj))
    oblique = [[1.9, 0.6, 0, -90], [-0.6, 1.9, 0, -100], [0, 0, 2, -72], [0, 0, 0, 1]]
    assert values((91, 109, 91), oblique).shape == whole.shape  # on its own grid


def test_nilearn_is_asked_where_its_file_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    direct = np.asarray(load_template().dataobj)
    monkeypatch.setattr(template, "_packaged_file", lambda: None)
    image = template.load_template.__wrapped__()
    assert image.affine.tolist() == load_template().affine.tolist()
    np.testing.assert_array_equal(np.asarray(image.dataobj), direct)


def test_nilearn_is_not_imported() -> None:
    import subprocess

    code = (
        "import sys; from lesion_dash.images.template import load_template; load_template();"
        "import lesion_dash.dashboard.app;"
        "sys.exit(any(name in sys.modules for name in ('nilearn', 'matplotlib.pyplot')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
