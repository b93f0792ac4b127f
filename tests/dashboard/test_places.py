"""Coordinates are called MNI where the image says so, or lies where MNI templates lie."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.places import place_words
from lesion_dash.images.template import load_template

AFFINE = np.array([[2.0, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
FINE = np.array([[-1.0, 0, 0, 90], [0, 1, 0, -126], [0, 0, 1, -72], [0, 0, 0, 1]])
OWN = Grid((64, 64, 30), AFFINE, 1)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 5])
def test_other_spaces_are_plain_millimetres(code: int) -> None:
    assert place_words((-3.6, 0.2, 12), Grid(OWN.shape, AFFINE, code)) == "−3.6, 0.2, 12 mm"


def test_the_code_of_mni_is_believed_on_any_grid() -> None:
    assert place_words((-3.6, 0.2, 12), Grid(OWN.shape, AFFINE, 4)) == "MNI −3.6, 0.2, 12"


@pytest.mark.parametrize("letters", ["RAS", "LAS", "PIR"])
@pytest.mark.parametrize(("shape", "affine"), [((91, 109, 91), AFFINE), ((182, 218, 182), FINE)])
def test_grids_of_mni_templates_are_known_however_they_are_stored(
    shape: tuple[int, int, int], affine: np.ndarray, letters: str
) -> None:
    image = nib.Nifti1Image(np.broadcast_to(np.uint8(0), shape), affine)
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(affine), nib.orientations.axcodes2ornt(letters)
    )
    turned = image.as_reoriented(turn)
    assert place_words((1, 2, 3), Grid(turned.shape, turned.affine, 1)) == "MNI 1, 2, 3"
    moved = turned.affine.copy()
    moved[0, 3] += 4
    assert place_words((1, 2, 3), Grid(turned.shape, moved, 1)) == "1, 2, 3 mm"


def test_the_shipped_template_is_known() -> None:
    template = load_template()
    assert place_words((0, 0, 0), Grid(template.shape, template.affine, 1)).startswith("MNI")
