"""What the tests of the page Assign do with it."""

from __future__ import annotations

import html
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lesion_dash.dashboard.pages.assign import AssignPage

HOSTILE = "<img src=x onerror=alert(1)>"
AFFINE = np.array([[4.0, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
SHAPE = (24, 28, 24)


def save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, AFFINE)
    image.set_sform(AFFINE, 4)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def choose(page: AssignPage, **choices: object) -> None:
    for name, value in choices.items():
        getattr(page.ask, name).value = value
        page._context.wait()


def saved(page: AssignPage, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    monkeypatch.setattr(page._context.saver, "save", files.__setitem__)
    page.download.click()
    return files


def text(widget: object) -> str:
    return html.unescape(widget.value)
